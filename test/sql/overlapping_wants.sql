-- The same data would be built twice because two people asked for it.
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

SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.want(ARRAY['a', 'b', 'b', 'a']) > 0;
SELECT databuild.want(ARRAY['c', 'b']) > 0;
SELECT * FROM pg_temp.wants();
SELECT ref, count(*) FROM databuild.want_partitions GROUP BY 1 ORDER BY 1;
SELECT pg_temp.claim(n => 10);
SELECT pg_temp.claim(n => 10);
SELECT databuild.want(ARRAY['b']) > 0;
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('b'));
SELECT * FROM pg_temp.wants();
-- wanted once more: it is there
SELECT databuild.want(ARRAY['b']) > 0;
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY[pg_temp.run('c'), pg_temp.run('a'), pg_temp.run('a')]);
SELECT * FROM pg_temp.wants();
SELECT count(*), count(DISTINCT partitions) FROM databuild.job_runs;
-- a want of what two chains need is one build, too
SELECT databuild.want(ARRAY['x', 'y']) > 0;
SELECT pg_temp.claim(n => 10);
SELECT databuild.miss(pg_temp.run('x'), ARRAY['shared', 'a']);
SELECT databuild.miss(pg_temp.run('y'), ARRAY['shared']);
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('shared'));
SELECT pg_temp.claim(n => 10);
SELECT count(*) FROM databuild.instances WHERE ref = 'shared';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
