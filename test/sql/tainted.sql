-- Data that was found to be wrong would go on being used, or what nobody wants would be made again.
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

SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 1);
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.publish(ARRAY['wanted', 'unwanted', 's/wanted', 's/unwanted', 'nojob/1']);
SELECT databuild.want(ARRAY['wanted', 's/wanted', 'missing', 'building'], 3, comment => 'w') > 0;
SELECT pg_temp.claim();
SELECT * FROM pg_temp.states();
SELECT count(*) > 0 FROM pg_temp.told();
-- wanted: made again; not wanted, a source's or nobody's: tainted; what is not live is passed over
SELECT databuild.taint(ARRAY['wanted', 'unwanted', 's/wanted', 's/unwanted', 'nojob/1', 'missing', 'building'], 'wrong units') AS first \gset
SELECT * FROM pg_temp.told();
SELECT * FROM pg_temp.states();
SELECT state, reason, created_at IS NOT NULL FROM databuild.taints;
SELECT ref, run_id = (SELECT live_run_id FROM databuild.partitions p WHERE p.ref = t.ref) FROM databuild.taint_partitions t ORDER BY 1;
SELECT w.ref, r.reason, r.detail FROM databuild.taint_partitions w, databuild.why(ref) AS r ORDER BY 1;
SELECT ref, priority, live_run_id IS NOT NULL FROM databuild.partitions WHERE ref = 'wanted';
SELECT state FROM databuild.wants;
-- again, while nothing of it is live: a taint without partitions, which marks nothing
SELECT databuild.taint(ARRAY['wanted', 'unwanted'], 'again') > :first;
SELECT count(*) FROM databuild.taint_partitions;
-- wanted later, or published, or made: that ends the mark
SELECT databuild.want(ARRAY['unwanted']) > 0;
SELECT databuild.publish(ARRAY['s/unwanted', 's/wanted', 'nojob/1']);
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('wanted'));
SELECT databuild.succeed(pg_temp.run('unwanted'));
SELECT * FROM pg_temp.states();
-- the taint itself stays, of instances that are no more; canceling it changes nothing of what was made since
SELECT state FROM databuild.taints WHERE taint_id = :first;
SELECT databuild.cancel_taint(:first, 'they were right');
SELECT state FROM databuild.taints WHERE taint_id = :first;
SELECT * FROM pg_temp.states();
-- a run that was under way is not stopped; what it makes is no instance that the taint marks
SELECT databuild.succeed(pg_temp.run('building'));
SELECT pg_temp.state('building');
-- what waits for it is not handed out before it is made again
SELECT databuild.want(ARRAY['top']) > 0;
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT databuild.miss(pg_temp.run('top'), ARRAY['unwanted', 'more']);
SELECT databuild.taint(ARRAY['unwanted'], 'bad') > 0;
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('top'));
-- made again without success: failed, and the mark is there still
SELECT databuild.remake(ARRAY['top'], 'bad') > 0;
SELECT pg_temp.claim(n => 10);
SELECT databuild.fail(pg_temp.run('top'), 'x');
SELECT ref, state, run_id = live_run_id FROM databuild.partitions WHERE ref = 'top';
SELECT pg_temp.refused('SELECT databuild.taint(ARRAY[''top'', ''nobody''], ''x'')');
SELECT pg_temp.refused('SELECT databuild.taint(ARRAY[''top''], NULL)');
SELECT pg_temp.refused('SELECT databuild.taint(NULL, ''x'')');
SELECT pg_temp.refused('SELECT databuild.taint(''{}'', ''x'')');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
