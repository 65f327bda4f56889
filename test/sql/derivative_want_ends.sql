-- A want that databuild made itself would be shown as successful though it was dropped because nobody needs it any more.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.want(ARRAY['top']) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('top'), ARRAY['mid']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('mid'), ARRAY['root']);
-- top waits no more: successful; mid, for which root was wanted, is no longer wanted: canceled
SELECT databuild.publish(ARRAY['top']);
SELECT * FROM pg_temp.wants();

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
