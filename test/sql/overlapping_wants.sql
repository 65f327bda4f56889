-- The same data would be built twice because two people asked for it.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

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
