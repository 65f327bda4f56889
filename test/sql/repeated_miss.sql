-- A dependency miss that is reported twice, the second time in other words, would name partitions that nobody asked for.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

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
