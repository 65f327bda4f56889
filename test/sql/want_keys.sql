-- A client that asks again because it got no answer would order the same thing twice.
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
SELECT databuild.want(ARRAY['a', 'b'], key => 'daily') AS first \gset
SELECT count(*) > 0 FROM pg_temp.told();
-- the same key with the same refs, in whatever order, is the same want; nothing else of it changes
SELECT databuild.want(ARRAY['b', 'a', 'b'], key => 'daily') = :first;
SELECT databuild.want(ARRAY['a', 'b'], 50, key => 'daily', comment => 'urgent', ttl => '1 h') = :first;
SELECT * FROM pg_temp.told();
SELECT priority, comment, expires_at, key FROM databuild.wants;
-- with other refs it is an error, and nothing is left of the call
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['a'], key => 'daily')$$);
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['a', 'b', 'c'], key => 'daily')$$);
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['x', 'y'], key => 'daily')$$);
SELECT * FROM pg_temp.told();
SELECT count(*) FROM databuild.partitions;
-- another key, and none, are other wants
SELECT databuild.want(ARRAY['a', 'b'], key => 'Daily') > :first, databuild.want(ARRAY['a', 'b']) > :first;
-- it is the same while it is successful
SELECT count(*) FROM pg_temp.claim(n => 2);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs));
SELECT databuild.want(ARRAY['a', 'b'], key => 'daily') = :first;
-- after a cancel the key is free, for other refs too
SELECT databuild.cancel_want(:first);
SELECT databuild.want(ARRAY['c'], key => 'daily') AS second \gset
SELECT :second > :first;
SELECT databuild.want(ARRAY['c'], key => 'daily') = :second;
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['a', 'b'], key => 'daily')$$);
-- after a replay it is taken still
SELECT databuild.replay() > 0;
SELECT databuild.want(ARRAY['c'], key => 'daily') = :second;
-- a call that is rolled back takes none, and gives none back
BEGIN;
SELECT databuild.cancel_want(:second);
SELECT databuild.want(ARRAY['d'], key => 'daily') > :second;
ROLLBACK;
SELECT databuild.want(ARRAY['c'], key => 'daily') = :second;
BEGIN;
SELECT databuild.want(ARRAY['d'], key => 'other') > :second;
ROLLBACK;
SELECT databuild.want(ARRAY['e'], key => 'other') > :second;
-- after it expired, at once
SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.want(ARRAY['f'], ttl => '1 h', key => 'short') AS third \gset
SET databuild.now = '2040-01-01 00:59:59+00';
SELECT databuild.want(ARRAY['f'], key => 'short') = :third;
SET databuild.now = '2040-01-01 01:00:00+00';
SELECT databuild.want(ARRAY['f'], key => 'short') > :third;
SELECT refs, state FROM pg_temp.wants() WHERE refs = 'f';
SELECT databuild.want(ARRAY['g'], ttl => '1 h', key => 'shorter') > 0;
SET databuild.now = '2040-01-01 02:00:00+00';
SELECT databuild.want(ARRAY['h'], key => 'shorter') > 0;
-- an empty key, and a long one, are keys
SELECT databuild.want(ARRAY['a'], key => '') AS empty \gset
SELECT databuild.want(ARRAY['a'], key => '') = :empty;
SELECT databuild.want(ARRAY['a'], key => repeat('k', 1000)) > :empty;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
