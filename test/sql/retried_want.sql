-- A want that fails for a reason far upstream could not be brought back without knowing all that failed.
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
SELECT databuild.define_job('d', ARRAY['d/(.*)'], inputs => ARRAY['e/\1', 'f/\1']);
SELECT databuild.define_job('e', ARRAY['[ef]/.*'], max_attempts => 1);
SELECT databuild.want(ARRAY['top', 'failed', 'fine', 'd/1'], comment => 'w') > 0;
SELECT databuild.want(ARRAY['elsewhere'], comment => 'other') > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 10);
SELECT databuild.fail(pg_temp.run('failed'), 'x');
SELECT databuild.fail(pg_temp.run('elsewhere'), 'x');
SELECT databuild.fail(pg_temp.run('e/1'), 'x');
SELECT databuild.succeed(pg_temp.run('f/1'));
SELECT databuild.miss(pg_temp.run('top'), ARRAY['left', 'right', 'failed']);
SELECT pg_temp.claim(n => 2);
SELECT databuild.miss(pg_temp.run('left'), ARRAY['deep', 'ok']);
SELECT databuild.miss(pg_temp.run('right'), ARRAY['deep']);
SELECT pg_temp.claim(n => 2);
SELECT databuild.succeed(pg_temp.run('ok'));
SELECT databuild.miss(pg_temp.run('deep'), ARRAY['root']);
SELECT pg_temp.claim(n => 2);
SELECT databuild.fail(pg_temp.run('root'), 'x');
SELECT * FROM pg_temp.states();
SELECT state FROM databuild.wants WHERE comment = 'w';
SELECT count(*) > 0 FROM pg_temp.told();
-- each once, however many ways lead to it; what others want is left alone
SELECT databuild.retry_want(pg_temp.want('w'));
SELECT * FROM pg_temp.told();
SELECT * FROM pg_temp.states();
SELECT state FROM databuild.wants WHERE comment = 'w';
-- again: there is nothing left to do
SELECT databuild.retry_want(pg_temp.want('w'));
SELECT * FROM pg_temp.told();
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT state, live, total FROM databuild.wants WHERE comment = 'w';
SELECT databuild.retry_want(pg_temp.want('w'));
-- a want that is over
SELECT databuild.cancel_want(pg_temp.want('other'));
SELECT databuild.retry_want(pg_temp.want('other'));
SELECT state FROM databuild.partitions WHERE ref = 'elsewhere';
SELECT pg_temp.refused('SELECT databuild.retry_want(999999)');
SELECT pg_temp.refused('SELECT databuild.retry_want(NULL)');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
