-- A worker that asks for a shorter lease and dies would hold its run as long as before.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

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
