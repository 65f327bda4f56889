-- Someone would take back a taint, and what is sound would be made again, or what is not would be used.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 2, backoff => '1 h');
SET databuild.now = '2040-01-01 00:00:00+00';
-- from each state that a tainted ref can be in
SELECT databuild.publish(ARRAY['unwanted', 'queued', 'building', 'retry', 'waits', 'blocked', 'failed', 'twice', 'anew', 'gone', 'cycle']);
SELECT databuild.want(ARRAY['retry', 'waits', 'blocked', 'failed', 'building', 'anew', 'cycle'], comment => 'w') > 0;
SELECT databuild.taint(ARRAY['unwanted', 'queued', 'building', 'retry', 'waits', 'blocked', 'failed', 'twice', 'anew', 'gone', 'cycle'], 'bad') AS taint \gset
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT databuild.fail(pg_temp.run('retry'), 'x');
SELECT databuild.fail(pg_temp.run('failed'), 'x', false);
SELECT databuild.miss(pg_temp.run('waits'), ARRAY['in']);
SELECT databuild.miss(pg_temp.run('blocked'), ARRAY['failed']);
SELECT databuild.miss(pg_temp.run('cycle'), ARRAY['cycle']);
SELECT databuild.succeed(pg_temp.run('anew'));
SELECT databuild.want(ARRAY['queued']) > 0;
SELECT databuild.publish(ARRAY['twice']);
SELECT databuild.taint(ARRAY['twice'], 'worse') AS second \gset
SELECT databuild.forget(ARRAY['gone'], 'disk lost');
SELECT * FROM pg_temp.states();
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.cancel_taint(:taint, 'a mistake');
SELECT * FROM pg_temp.told();
SELECT ref, state, attempts, priority, retry_at, run_id = live_run_id FROM databuild.partitions ORDER BY 1;
SELECT taint_id = :taint, state FROM databuild.taints ORDER BY 1 DESC;
-- what is live again is not claimed; what it waited for is wanted no more
SELECT pg_temp.claim(n => 10);
SELECT count(*) FROM databuild.dependencies;
-- repeated: nothing
SELECT databuild.cancel_taint(:taint);
SELECT * FROM pg_temp.told();
-- the run under way goes on, and makes a new instance
SELECT databuild.succeed(pg_temp.run('building'));
SELECT ref, state, count(*) FROM databuild.instances WHERE ref = 'building' GROUP BY 1, 2;
-- what was tainted again since is so still
SELECT databuild.cancel_taint(:second);
SELECT pg_temp.state('twice');
-- two taints on one instance: only one of them can mark it, the other finds it not live
SELECT databuild.taint(ARRAY['twice'], 'one') AS one \gset
SELECT databuild.taint(ARRAY['twice'], 'two') AS two \gset
SELECT databuild.cancel_taint(:two);
SELECT pg_temp.state('twice');
SELECT databuild.cancel_taint(:one);
SELECT pg_temp.state('twice');
-- what waited for it goes on
SELECT databuild.want(ARRAY['top'], comment => 'top') > 0;
SELECT pg_temp.claim();
SELECT databuild.taint(ARRAY['twice'], 'three') AS three \gset
SELECT databuild.miss(pg_temp.run('top'), ARRAY['twice']);
SELECT * FROM pg_temp.states() WHERE ref IN ('top', 'twice');
SELECT databuild.cancel_taint(:three);
SELECT * FROM pg_temp.states() WHERE ref IN ('top', 'twice');
SELECT pg_temp.claim(n => 10);
-- the run of a ref whose taint was canceled meanwhile fails: it has its instance still, no attempt counted
SELECT databuild.remake(ARRAY['anew'], 'once more') > 0;
SELECT pg_temp.claim();
SELECT databuild.cancel_taint(max(taint_id)) FROM databuild.taints;
SELECT pg_temp.state('anew');
SELECT databuild.fail(pg_temp.run('anew'), 'x');
SELECT ref, state, attempts, run_id = live_run_id FROM databuild.partitions WHERE ref = 'anew';
-- or misses, or is lost
SELECT databuild.remake(ARRAY['anew', 'unwanted'], 'once more') > 0;
SELECT count(*) FROM pg_temp.claim(n => 2);
SELECT databuild.cancel_taint(max(taint_id)) FROM databuild.taints;
SELECT databuild.miss(pg_temp.run('anew'), ARRAY['missing']);
SET databuild.now = '2040-01-01 00:30:00+00';
SELECT lost_runs > 0 FROM databuild.tick();
SELECT ref, state, attempts FROM databuild.partitions WHERE ref IN ('anew', 'unwanted', 'missing') ORDER BY 1;
SELECT pg_temp.refused('SELECT databuild.cancel_taint(999999)');
SELECT pg_temp.refused('SELECT databuild.cancel_taint(NULL)');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
