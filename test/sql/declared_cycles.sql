-- Jobs that need each other's data would wait for ever, and nobody would be told.
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

SELECT databuild.define_job('a', ARRAY['a/(\d)'], inputs => ARRAY['b/\1']);
SELECT databuild.define_job('b', ARRAY['b/(\d)'], inputs => ARRAY['c/\1', 'd/\1']);
SELECT databuild.define_job('c', ARRAY['c/(\d)'], inputs => ARRAY['a/\1']);
SELECT databuild.define_job('d', ARRAY['[de]/(\d)']);
SELECT databuild.define_job('self', ARRAY['self/(\d)'], inputs => ARRAY['\&']);
SELECT databuild.define_job('top', ARRAY['top/(\d)'], inputs => ARRAY['a/\1', 'e/\1']);
-- found by the call that wants it; what only leads to it has a failed input
SELECT databuild.want(ARRAY['top/1']) > 0;
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.why('top/1');
SELECT pg_temp.claim(n => 10);
-- of one
SELECT databuild.want(ARRAY['self/1']) > 0;
SELECT * FROM pg_temp.why('self/1');
SELECT hint FROM databuild.why('self/1');
-- retried without being mended: the same again
SELECT databuild.retry(ARRAY['self/1', 'a/1']);
SELECT * FROM pg_temp.states();
-- mended: it goes on
SELECT databuild.define_job('c', ARRAY['c/(\d)']);
SELECT databuild.define_job('self', ARRAY['self/(\d)']);
SELECT * FROM pg_temp.states();
SELECT databuild.retry(ARRAY['a/1', 'b/1', 'c/1', 'self/1']);
SELECT * FROM pg_temp.states();
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
-- what is live is no link of a cycle, until it is tainted
SELECT databuild.define_job('c', ARRAY['c/(\d)'], inputs => ARRAY['a/\1']);
SELECT databuild.publish(ARRAY['c/2', 'd/2']);
SELECT databuild.want(ARRAY['a/2']) > 0;
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/2';
SELECT databuild.remake(ARRAY['c/2']) > 0;
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/2';
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/2';
-- published, it is cut
SELECT databuild.publish(ARRAY['c/2']);
SELECT databuild.retry(ARRAY['a/2', 'b/2']) > 0;
SELECT count(*) FROM pg_temp.claim(n => 10) AS c WHERE c = 'b/2';
-- closed by a definition, for what waits already
SELECT databuild.define_job('p', ARRAY['p/(\d)'], inputs => ARRAY['q/\1']);
SELECT databuild.define_job('q', ARRAY['q/(\d)'], inputs => ARRAY['r/\1']);
SELECT databuild.define_job('r', ARRAY['r/(\d)']);
SELECT databuild.want(ARRAY['p/1']) > 0;
SELECT * FROM pg_temp.states() WHERE ref ~ '^[pqr]';
SELECT databuild.define_job('r', ARRAY['r/(\d)'], inputs => ARRAY['p/\1']);
SELECT count(*) FROM pg_temp.claim(ARRAY['p', 'q', 'r'], 10);
SELECT * FROM pg_temp.states() WHERE ref ~ '^[pqr]';
SELECT reason, detail FROM databuild.why('p/1') WHERE depth = 0;
-- by a miss of something that is declared to need it
SELECT databuild.define_job('m', ARRAY['m/(\d)']);
SELECT databuild.define_job('n', ARRAY['n/(\d)'], inputs => ARRAY['m/\1']);
SELECT databuild.want(ARRAY['m/1']) > 0;
SELECT pg_temp.claim(ARRAY['m']);
SELECT databuild.miss(pg_temp.run('m/1'), ARRAY['n/1']);
SELECT * FROM pg_temp.why('m/1');
SELECT * FROM pg_temp.states() WHERE ref ~ '^[mn]';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
