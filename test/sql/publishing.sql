-- Data that someone made by hand would not count, or would be made again on top of it.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_job('j', ARRAY['[a-z_]+'], backoff => '1 hour');
-- from every place but building
SELECT databuild.want(ARRAY['queued', 'live', 'failed', 'up_for_retry', 'upstream_building', 'upstream_failed', 'building']) > 0;
SELECT pg_temp.claim(ARRAY['j'], 7);
SELECT databuild.succeed(pg_temp.run('live'));
SELECT databuild.fail(pg_temp.run('failed'), 'x', retry => false);
SELECT databuild.fail(pg_temp.run('up_for_retry'), 'x');
SELECT databuild.miss(pg_temp.run('upstream_building'), ARRAY['missing_input']);
SELECT databuild.miss(pg_temp.run('upstream_failed'), ARRAY['failed']);
SELECT databuild.miss(pg_temp.run('queued'), ARRAY['live']);
-- a ref that is known and wanted by nobody
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.want(ARRAY['s/missing']) > 0;
SELECT * FROM pg_temp.states();
SELECT pg_temp.refused($$SELECT databuild.publish(ARRAY['building'])$$);
-- all or nothing
SELECT pg_temp.refused($$SELECT databuild.publish(ARRAY['building', 'failed', 'new'])$$);
SELECT * FROM pg_temp.states();
SET databuild.now = '2040-01-01 00:01:00+00';
SELECT databuild.publish(ARRAY['queued', 'live', 'failed', 'up_for_retry', 'upstream_building', 'upstream_failed', 's/missing', 'unknown', 'live'], '{"by": "hand"}');
SELECT * FROM pg_temp.states();
SELECT ref, attempts, retry_at, priority, run_id = live_run_id, live_at FROM databuild.partitions WHERE state = 'live' ORDER BY 1;
-- a publication is an instance each, all numbered by their event
SELECT ref, state, at FROM databuild.instances WHERE run_id = (SELECT max(event_id) FROM databuild.events WHERE kind = 'published') ORDER BY 1;
SELECT refs, body FROM databuild.events WHERE kind = 'published';
SELECT ref, state FROM databuild.instances WHERE ref = 'live' ORDER BY run_id;
SELECT count(*) FROM databuild.dependencies;
-- published anew: a new instance, which is the canonical one
SELECT databuild.publish(ARRAY['live']);
SELECT count(*), max(run_id) = (SELECT live_run_id FROM databuild.partitions WHERE ref = 'live') FROM databuild.instances WHERE ref = 'live';
-- nothing of it is made by a worker; the timer of the retry finds nothing to do
SET databuild.now = '2040-01-01 00:02:00+00';
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('building'));
SET databuild.now = '2040-01-01 02:00:00+00';
SELECT lost_runs FROM databuild.tick();
SELECT pg_temp.claim(n => 10);
SELECT * FROM pg_temp.wants();

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
