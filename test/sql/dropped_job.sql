-- A job that is gone would be handed out all the same, or take the work of others along.
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
-- the want with that comment
CREATE FUNCTION pg_temp.want(comment text) RETURNS bigint LANGUAGE sql AS
	'SELECT want_id FROM databuild.wants w WHERE w.comment = $1';
CREATE FUNCTION pg_temp.why(ref text, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT depth, partition, state, reason, regexp_replace(regexp_replace(detail, '(Run|event|run) \d+', '\1 N'), ', since .*', '') FROM databuild.why($1)$$;
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

CREATE FUNCTION pg_temp.jobs(OUT ref text, OUT state text, OUT job text) RETURNS SETOF record LANGUAGE sql AS
	'SELECT ref, state, job FROM databuild.partitions ORDER BY ref';
SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_job('j', ARRAY['[a-z]+'], backoff => '1 h');
SELECT databuild.define_job('k', ARRAY['k/(.)'], inputs => ARRAY['\1']);
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.publish(ARRAY['live', 'tainted', 's/live']);
SELECT databuild.want(ARRAY['live', 'failed', 'retry', 'waits', 'blocked', 'running', 's/missing', 'queued', 'k/x'], 2, comment => 'w') > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 6);
SELECT databuild.fail(pg_temp.run('failed'), 'x', false);
SELECT databuild.fail(pg_temp.run('retry'), 'x');
SELECT databuild.miss(pg_temp.run('waits'), ARRAY['in', 's/missing']);
SELECT databuild.miss(pg_temp.run('blocked'), ARRAY['failed']);
SELECT databuild.miss(pg_temp.run('queued'), ARRAY['live']);
SELECT databuild.taint(ARRAY['tainted'], 'bad') > 0;
-- refused while a run of it is running
SELECT pg_temp.refused($$SELECT databuild.drop_job('j')$$);
SELECT label FROM databuild.jobs ORDER BY 1;
SELECT databuild.miss(pg_temp.run('running'), ARRAY['live']);
SELECT * FROM pg_temp.jobs();
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.drop_job('j');
SELECT label FROM databuild.jobs ORDER BY 1;
SELECT * FROM pg_temp.told();
SELECT * FROM pg_temp.jobs();
SELECT * FROM pg_temp.wants();
SELECT w.* FROM databuild.partitions p, pg_temp.why(p.ref) AS w WHERE p.state <> 'live' AND w.depth = 0 ORDER BY p.ref;
SELECT pg_temp.claim(n => 10);
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['queued'])$$);
SELECT pg_temp.refused($$SELECT * FROM databuild.claim('w', ARRAY['j'])$$);
SELECT pg_temp.refused($$SELECT databuild.drop_job('j')$$);
-- another job makes them: what is wanted comes back
SELECT databuild.define_job('new', ARRAY['[a-z]{1,6}'], config => '"new"');
SELECT * FROM pg_temp.jobs();
SELECT job, partitions, attempt FROM databuild.claim('w', max_runs => 10);
SELECT * FROM pg_temp.why('k/x');
-- a source, too, while nobody publishes
SELECT databuild.drop_job('s');
SELECT * FROM pg_temp.jobs() WHERE ref LIKE 's/%';
SELECT reason FROM databuild.why('s/missing');
SELECT databuild.publish(ARRAY['s/missing']);
-- one whose label comes again is a new one
SELECT databuild.define_job('s', ARRAY['s/.*']);
SELECT * FROM pg_temp.jobs() WHERE ref LIKE 's/%';
SELECT databuild.remake(ARRAY['s/live']) > 0;
SELECT job, partitions FROM databuild.claim('w', ARRAY['s']);
SELECT pg_temp.refused($$SELECT databuild.drop_job('s')$$);
SELECT databuild.cancel_run(pg_temp.run('s/live'));
SELECT databuild.drop_job('s');
SELECT state, reason FROM databuild.why('s/live');
-- its runs keep being shown
SELECT job, state FROM databuild.job_runs WHERE run_id = pg_temp.run('s/live');
SELECT pg_temp.refused($$SELECT databuild.drop_job(NULL)$$);
SELECT pg_temp.refused($$SELECT databuild.drop_job('')$$);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
