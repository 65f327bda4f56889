-- What was mended by a person would not be tried again, or with the attempts of before.
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

SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 2, max_misses => 2, backoff => '1 h');
SELECT databuild.want(ARRAY['live', 'failed', 'backing', 'missed', 'waits', 'building', 'queued'], 4, comment => 'all') > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 10);
SELECT databuild.succeed(pg_temp.run('live'));
SELECT databuild.fail(pg_temp.run('failed'), 'x', false);
SELECT databuild.fail(pg_temp.run('backing'), 'x');
SELECT databuild.miss(pg_temp.run('waits'), ARRAY['failed', 'fine']);
SELECT databuild.publish(ARRAY['fine']);
SELECT databuild.miss(pg_temp.run('missed'), ARRAY['live']);
SELECT databuild.miss(pg_temp.run('queued'), ARRAY['live']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('missed'), ARRAY['live']);
SELECT * FROM pg_temp.states();
SELECT count(*) > 0 FROM pg_temp.told();
-- a new want starts nothing, retry does
SELECT databuild.want(ARRAY['failed'], 9, comment => 'nine') > 0;
SELECT pg_temp.state('failed');
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.retry(ARRAY['failed', 'backing', 'missed', 'live', 'waits', 'building', 'queued', 'failed']);
SELECT * FROM pg_temp.told();
SELECT ref, state, attempts, priority, retry_at FROM databuild.partitions ORDER BY 1;
SELECT partitions, attempt FROM databuild.claim('w', max_runs => 10);
-- attempts and misses count from the beginning
SELECT databuild.fail(pg_temp.run('backing'), 'x');
SELECT databuild.miss(pg_temp.run('missed'), ARRAY['live']);
SELECT databuild.fail(pg_temp.run('failed'), 'x');
SELECT ref, state, attempts, retry_at FROM databuild.partitions WHERE ref IN ('backing', 'missed', 'failed') ORDER BY 1;
-- on others it does nothing, and logs nothing
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.retry(ARRAY['live', 'queued', 'waits']);
SELECT * FROM pg_temp.told();
-- retried while it backs off: claimable at once, and when the old time comes nothing is left of it
SELECT databuild.retry(ARRAY['backing']);
SELECT partitions, attempt FROM databuild.claim('w', max_runs => 10);
SET databuild.now = '2040-01-01 02:00:00+00';
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('failed'));
SELECT pg_temp.state('waits');
-- nobody wants it any more: it falls back, and did not go back to work
SELECT databuild.want(ARRAY['x', 'y'], comment => 'xy') > 0;
SELECT count(*) FROM pg_temp.claim(n => 10) AS c WHERE c IN ('x', 'y');
SELECT databuild.fail(pg_temp.run('x'), 'x', false);
SELECT databuild.fail(pg_temp.run('y'), 'x', false);
SELECT databuild.cancel_want(pg_temp.want('xy'));
SELECT pg_temp.state('x');
SELECT databuild.retry(ARRAY['x']);
SELECT ref, state, attempts FROM databuild.partitions WHERE ref = 'x';
-- nor what no job makes any more
SELECT databuild.want(ARRAY['y'], comment => 'y') > 0;
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT databuild.drop_job('j');
SELECT databuild.retry(ARRAY['y']);
SELECT pg_temp.state('y');
SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT pg_temp.state('y');
-- a cycle that was mended
SELECT databuild.want(ARRAY['self']) > 0;
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT databuild.miss(pg_temp.run('self'), ARRAY['self']);
SELECT reason FROM databuild.why('self');
SELECT databuild.retry(ARRAY['self']);
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('self'));
-- one that was live and tainted, and failed; nobody wants it: tainted
SELECT databuild.publish(ARRAY['t']);
SELECT databuild.want(ARRAY['t'], comment => 't') > 0;
SELECT databuild.taint(ARRAY['t'], 'bad') > 0;
SELECT pg_temp.claim();
SELECT databuild.fail(pg_temp.run('t'), 'x', false);
SELECT databuild.cancel_want(pg_temp.want('t'));
SELECT databuild.retry(ARRAY['t']);
SELECT pg_temp.state('t');
-- refused
SELECT pg_temp.refused('SELECT databuild.retry(ARRAY[''nobody'', ''x''])');
SELECT pg_temp.refused('SELECT databuild.retry(NULL)');
SELECT pg_temp.refused('SELECT databuild.retry(''{}'')');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
