-- Someone would say that a report is urgent now, and its inputs would go on waiting behind the backfill.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.want(ARRAY['top'], -10) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('top'), ARRAY['mid']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('mid'), ARRAY['root']);
SELECT databuild.want(ARRAY['other']) > 0;
SELECT databuild.want(ARRAY['top'], 50) > 0;
-- the derivative wants inherit it, all the way up
SELECT * FROM pg_temp.wants();
SELECT ref, priority FROM databuild.partitions ORDER BY 1;
SELECT pg_temp.claim(n => 10);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
