-- A run that lacks an input would never be run again after that input is made, or the chain would take more runs than it needs.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('daily', ARRAY['daily/[0-9-]+'], config => '{"sql": "d"}');
SELECT databuild.define_job('report', ARRAY['report/[0-9-]+'], config => '{"sql": "r"}');
SELECT databuild.want(ARRAY['report/2012'], source => 'boss', comment => 'soon') > 0;
SELECT * FROM pg_temp.states();
SELECT job, partitions, config, attempt, lease_expires_at > now() FROM databuild.claim('w');
SELECT * FROM pg_temp.states();
SELECT databuild.miss(pg_temp.run('report/2012'), ARRAY['daily/2012-01']);
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
SELECT ref, upstream, run_id = pg_temp.run('report/2012') FROM databuild.dependencies ORDER BY 1, 2;
-- the report is not to be had before its input
SELECT job, partitions, config, attempt FROM databuild.claim('w', max_runs => 10);
SELECT count(*) FROM databuild.claim('w', max_runs => 10);
SELECT databuild.succeed(pg_temp.run('daily/2012-01'), metadata => '{"rows": 31}');
SELECT * FROM pg_temp.states();
SELECT job, partitions, attempt FROM databuild.claim('w');
SELECT databuild.succeed(pg_temp.run('report/2012'));

-- 3 runs, 2 wants, 3 instances, 2 of them of the top
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
SELECT source, comment, ended_at IS NOT NULL FROM databuild.wants ORDER BY want_id;
SELECT job, state, worker, attempt, partitions, finished_at IS NOT NULL, lease_expires_at, reason, metadata FROM databuild.job_runs ORDER BY run_id;
SELECT ref, state FROM databuild.instances ORDER BY ref, run_id;
SELECT count(*) FROM databuild.dependencies;
-- the canonical instance is the last one
SELECT p.ref, p.run_id = p.live_run_id, p.live_run_id = (SELECT max(run_id) FROM databuild.instances i WHERE i.ref = p.ref), p.attempts, p.priority,
	p.retry_at, p.state_since = p.live_at FROM databuild.partitions p ORDER BY 1;
-- the story, as the log tells it
SELECT kind, job, refs, run_id IS NOT NULL AS run, want_id IS NOT NULL AS want, actor = session_user FROM databuild.events ORDER BY event_id;
SELECT count(*) FROM databuild.events WHERE kind NOT IN (SELECT kind FROM databuild.event_kinds());

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
