-- A worker that asks for a shorter lease and dies would hold its run as long as before.
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

SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_job('j', ARRAY['[a-z]+'], lease => '1 hour');
SELECT databuild.want(ARRAY['a']) > 0;
SELECT pg_temp.claim();
SELECT lease_expires_at FROM databuild.heartbeat(ARRAY[pg_temp.run('a')], '1 min');
SET databuild.now = '2040-01-01 00:02:00+00';
SELECT state, reason FROM databuild.why('a');
SELECT lost_runs FROM databuild.tick();
SELECT * FROM pg_temp.states();

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
