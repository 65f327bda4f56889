-- Someone would ask for data to be made anew, and get what is there already.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS databuild;
CREATE EXTENSION databuild;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\pset format unaligned
\pset tuples_only on
\pset null -
-- the newest run of a ref
CREATE FUNCTION pg_temp.run(ref text) RETURNS bigint LANGUAGE sql AS
	'SELECT max(run_id) FROM databuild.job_runs WHERE $1 = ANY (partitions)';
-- claims and says what
CREATE FUNCTION pg_temp.claim(jobs text[] = NULL, n int = 1) RETURNS SETOF text LANGUAGE sql AS
	$$SELECT array_to_string(partitions, ',') FROM databuild.claim('w', jobs, n)$$;
CREATE FUNCTION pg_temp.state(ref text) RETURNS text LANGUAGE sql AS
	'SELECT state FROM databuild.partitions p WHERE p.ref = $1';
CREATE FUNCTION pg_temp.states(OUT ref text, OUT state text) RETURNS SETOF record LANGUAGE sql AS
	'SELECT ref, state FROM databuild.partitions ORDER BY ref';
-- wants by what they cover
CREATE FUNCTION pg_temp.wants(OUT refs text, OUT kind text, OUT state text, OUT live text, OUT priority int) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT (SELECT string_agg(ref, ',' ORDER BY ref) FROM databuild.want_partitions p WHERE p.want_id = w.want_id),
		CASE WHEN derivative THEN 'derivative' ELSE 'asked' END, state, live || '/' || total, priority
	FROM databuild.wants w ORDER BY want_id$$;
-- how a call is refused: SQLSTATE, message, detail, hint; numbers and times masked
CREATE FUNCTION pg_temp.refused(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text;
BEGIN
	EXECUTE call;
	RETURN 'NOT REFUSED: ' || call;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN state || ' ' || regexp_replace(regexp_replace(message || CASE detail WHEN '' THEN '' ELSE ' / ' || detail END || CASE hint WHEN '' THEN '' ELSE ' / ' || hint END,
		'(run|Run|run_id =|want|taint) \d+', '\1 N', 'g'), '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?', 'T', 'g');
END $$;
-- what was logged since the last time
CREATE TEMP TABLE seen AS SELECT coalesce(max(event_id), 0) AS upto FROM databuild.events;
CREATE FUNCTION pg_temp.told() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	upto_ bigint := (SELECT upto FROM seen);
BEGIN
	RETURN QUERY SELECT kind || coalesce(' ' || array_to_string(refs, ','), '') || coalesce(' ' || (body ->> 'reason'), '')
		FROM databuild.events WHERE event_id > upto_ ORDER BY event_id;
	UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
END $$;

SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.publish(ARRAY['live', 's/live']);
SELECT databuild.want(ARRAY['building', 'failed', 'queued'], 1) > 0;
SELECT pg_temp.claim(n => 2);
SELECT databuild.fail(pg_temp.run('failed'), 'x', false);
SELECT count(*) > 0 FROM pg_temp.told();
-- tainted what is live, wanted all of it, also what nobody had named
SELECT databuild.remake(ARRAY['live', 's/live', 'building', 'failed', 'queued', 'fresh'], 'new code', 8) > 0;
SELECT * FROM pg_temp.told();
SELECT ref, state, priority FROM databuild.partitions ORDER BY 1;
SELECT * FROM pg_temp.wants();
SELECT reason FROM databuild.taints;
SELECT ref FROM databuild.taint_partitions ORDER BY 1;
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('live'));
SELECT ref, count(*) FROM databuild.instances WHERE ref = 'live' GROUP BY 1;
SELECT pg_temp.claim(n => 10);
-- without a reason, with the priority of all
SELECT databuild.remake(ARRAY['live']) > 0;
SELECT ref, state, priority FROM databuild.partitions WHERE ref = 'live';
SELECT reason FROM databuild.taints ORDER BY taint_id DESC LIMIT 1;
-- what is made with it as input is not made again by that
SELECT databuild.define_job('k', ARRAY['k/(.)'], inputs => ARRAY['\1']);
SELECT databuild.publish(ARRAY['k/x', 'x']);
SELECT databuild.remake(ARRAY['x']) > 0;
SELECT pg_temp.state('k/x');
SELECT databuild.remake(ARRAY['k/x', 'x']) > 0;
SELECT * FROM pg_temp.states() WHERE ref IN ('x', 'k/x');
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('x'));
SELECT pg_temp.claim(n => 10);
SELECT pg_temp.refused('SELECT databuild.remake(ARRAY[''live'', ''no/job''])');
SELECT pg_temp.refused('SELECT databuild.remake(ARRAY[''live''], ''x'', 101)');
SELECT pg_temp.refused('SELECT databuild.remake(ARRAY[''live''], ''x'', NULL)');
SELECT pg_temp.refused('SELECT databuild.remake(NULL)');
SELECT pg_temp.refused('SELECT databuild.remake(''{}'')');
SELECT pg_temp.state('live');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
