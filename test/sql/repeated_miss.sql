-- A dependency miss that is reported twice, the second time in other words, would name partitions that nobody asked for.
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

SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.want(ARRAY['m']) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('m'), ARRAY['x']);
SELECT count(*) AS told FROM databuild.events \gset
SELECT databuild.miss(pg_temp.run('m'), ARRAY['new']);
SELECT count(*) - :told FROM databuild.events;
SELECT * FROM pg_temp.states();

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
