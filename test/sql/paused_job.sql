-- A paused job would be handed out, or stay paused after it was resumed.
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

SELECT databuild.define_job('j', ARRAY['j/.*']);
SELECT databuild.define_job('k', ARRAY['k/.*']);
SELECT databuild.want(ARRAY['j/1', 'j/2', 'k/1'], 1) > 0;
SELECT pg_temp.claim(ARRAY['j']);
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.pause_job('j');
SELECT label, paused FROM databuild.jobs ORDER BY 1;
SELECT kind, job, body -> 'definition' -> 'paused' FROM databuild.events ORDER BY event_id DESC LIMIT 1;
SELECT state, reason, detail, hint FROM databuild.why('j/2');
SELECT pg_temp.claim(n => 10);
SELECT pg_temp.claim(ARRAY['j'], 10);
-- its running runs go on; what is new waits
SELECT databuild.succeed(pg_temp.run('j/1'));
SELECT databuild.want(ARRAY['j/3'], 2) > 0;
SELECT pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states();
SELECT state FROM databuild.wants ORDER BY want_id;
-- repeated: nothing
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.pause_job('j');
SELECT * FROM pg_temp.told();
-- a definition leaves it paused, whether it changes something or not
SELECT databuild.define_job('j', ARRAY['j/.*']);
SELECT * FROM pg_temp.told();
SELECT databuild.define_job('j', ARRAY['j/.*'], config => '1');
SELECT paused FROM databuild.jobs WHERE label = 'j';
SELECT pg_temp.claim(n => 10);
-- so does a replay
SELECT databuild.replay() > 0;
SELECT paused FROM databuild.jobs WHERE label = 'j';
SELECT pg_temp.claim(n => 10);
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.resume_job('j');
SELECT databuild.resume_job('j');
SELECT * FROM pg_temp.told();
SELECT label, paused FROM databuild.jobs ORDER BY 1;
SELECT reason FROM databuild.why('j/2');
SELECT pg_temp.claim(n => 10);
-- a paused job that fails goes on backing off; its attempt ends as any
SELECT databuild.pause_job('j');
SELECT databuild.fail(pg_temp.run('j/2'), 'x');
SET databuild.now = '2040-01-01';
SELECT databuild.heartbeat(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running')) IS NOT NULL;
SELECT pg_temp.claim(n => 10);
SELECT reason FROM databuild.why('j/2');
SELECT databuild.resume_job('j');
SELECT pg_temp.claim(n => 10);
-- dropped while paused, defined again: it is not paused
SELECT databuild.pause_job('k');
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT databuild.drop_job('k');
SELECT databuild.define_job('k', ARRAY['k/.*']);
SELECT label, paused FROM databuild.jobs ORDER BY 1;
-- a transaction that is rolled back
BEGIN;
SELECT databuild.pause_job('j');
ROLLBACK;
SELECT databuild.want(ARRAY['j/4']) > 0;
SELECT pg_temp.claim(n => 10);
-- a source can be paused as well; nobody claims of it anyway
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.pause_job('s');
SELECT databuild.want(ARRAY['s/1']) > 0;
SELECT reason FROM databuild.why('s/1');
SELECT databuild.publish(ARRAY['s/1']);
SELECT pg_temp.state('s/1');
SELECT pg_temp.refused($$SELECT databuild.pause_job('nix')$$);
SELECT pg_temp.refused($$SELECT databuild.resume_job('nix')$$);
SELECT pg_temp.refused($$SELECT databuild.pause_job(NULL)$$);
SELECT pg_temp.refused($$SELECT databuild.resume_job(NULL)$$);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
