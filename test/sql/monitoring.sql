-- Who watches databuild would be told wrong figures, or asking would take long.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
-- what was counted is what there is
CREATE FUNCTION pg_temp.miscounted() RETURNS SETOF record LANGUAGE sql AS $$
	(SELECT job, state, count(*), min(state_since) FROM databuild.partitions GROUP BY 1, 2
		EXCEPT SELECT job, state, partitions, oldest_since FROM databuild.partition_counts)
	UNION ALL (SELECT job, state, partitions, oldest_since FROM databuild.partition_counts
		EXCEPT SELECT job, state, count(*), min(state_since) FROM databuild.partitions GROUP BY 1, 2)
	UNION ALL SELECT 'late', comment, late_wants, late_by FROM (SELECT late_wants, NULL AS comment, NULL::timestamptz AS late_by FROM databuild.stats) AS s
		WHERE late_wants <> (SELECT count(*) FROM databuild.late_wants l JOIN databuild.wants w USING (want_id) WHERE NOT w.derivative)
$$;

-- nothing there yet: one row, no count
SELECT paused_jobs, queued, oldest_queued_at, running, overdue, agenda, live, failed, partitions, late_wants, events, last_tick_at, counted_at FROM databuild.stats;
SELECT * FROM databuild.job_stats;
SELECT * FROM databuild.partition_counts;
SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.tick() IS NOT NULL;
SELECT partitions, last_tick_at, counted_at FROM databuild.stats;

-- two jobs and a source; what is current needs no tick
SELECT databuild.define_source('raw', ARRAY['raw/.*']);
SELECT databuild.define_job('a', ARRAY['a/(.*)'], inputs => ARRAY['raw/\1'], max_attempts => 1, lease => '10 min');
SELECT databuild.define_job('b', ARRAY['b/.*'], max_running => 2, lease => '1 min', max_attempts => 2, backoff => '1 h');
SELECT databuild.publish(ARRAY['raw/1', 'raw/2', 'raw/3']);
SELECT databuild.want(ARRAY['a/1', 'a/2', 'a/3', 'a/4'], sla => '1 h') > 0;
SET databuild.now = '2040-01-01 00:01:00+00';
SELECT databuild.want(ARRAY['b/1', 'b/2', 'b/3'], priority => 5) > 0;
SELECT databuild.want(ARRAY['b/4'], priority => -5, sla => '30 min', ttl => '2 h') > 0;
SELECT databuild.pause_job('b');
SELECT job, paused, max_running, queued, oldest_queued_at, running, overdue FROM databuild.job_stats ORDER BY 1;
SELECT paused_jobs, queued, oldest_queued_at, running, partitions FROM databuild.stats;
SELECT databuild.resume_job('b');
SELECT count(*) FROM databuild.claim('w', ARRAY['a']);
SELECT count(*) FROM databuild.claim('w', ARRAY['b'], 2);
SELECT job, queued, oldest_queued_at, running, overdue FROM databuild.job_stats ORDER BY 1;
-- what was canceled counts no more, though nobody has claimed since
SELECT databuild.cancel_want(want_id) FROM databuild.wants WHERE priority = -5;
SELECT job, queued FROM databuild.job_stats WHERE job = 'b';
SELECT databuild.want(ARRAY['b/4'], priority => -5, sla => '30 min', ttl => '2 h') > 0;

-- what tick() counts is as it was then, about a minute long
SELECT databuild.tick() IS NOT NULL;
SELECT * FROM pg_temp.miscounted() AS m(job text, state text, n bigint, since timestamptz);
SELECT * FROM databuild.partition_counts ORDER BY 1, 2;
SELECT databuild.fail(pg_temp.run('a/1'), 'disk full');
SELECT databuild.succeed(pg_temp.run('b/1'));
SELECT databuild.tick() IS NOT NULL;
SELECT live, failed, runs_failed, counted_at FROM databuild.stats;
SET databuild.now = '2040-01-01 00:01:49+00';
SELECT databuild.tick() IS NOT NULL;
SELECT live, failed, runs_failed, last_tick_at, counted_at FROM databuild.stats;
SET databuild.now = '2040-01-01 00:01:51+00';
SELECT databuild.tick() IS NOT NULL;
SELECT live, failed, runs_failed, last_tick_at, counted_at FROM databuild.stats;
SELECT * FROM pg_temp.miscounted() AS m(job text, state text, n bigint, since timestamptz);
SELECT job, queued, running, overdue, up_for_retry, upstream_building, live, failed, upstream_failed FROM databuild.job_stats ORDER BY 1;

-- leases that ended: overdue until somebody notices, then lost; a renewed one is neither
SELECT count(*) FROM databuild.claim('w', ARRAY['b']);
SET databuild.now = '2040-01-01 00:02:30+00';
SELECT state FROM databuild.heartbeat(ARRAY[pg_temp.run('b/3')], '1 h');
SET databuild.now = '2040-01-01 00:05:00+00';
SELECT job, queued, running, overdue FROM databuild.job_stats ORDER BY 1;
SELECT overdue, runs_lost FROM databuild.stats;
SELECT lost_runs FROM databuild.tick();
SELECT overdue, running, runs_lost FROM databuild.stats;
SET databuild.now = '2040-01-01 00:06:00+00';
SELECT lost_runs FROM databuild.tick();
SELECT overdue, running, runs_succeeded, runs_failed, runs_missed, runs_lost, runs_canceled, events = (SELECT count(*) FROM databuild.events) FROM databuild.stats;
SELECT job, queued, running, overdue, up_for_retry, upstream_building, live, failed, upstream_failed FROM databuild.job_stats ORDER BY 1;

-- late wants: not all live when due; over when made, canceled or expired
SET databuild.now = '2040-01-01 00:40:00+00';
SELECT databuild.tick() IS NOT NULL;
SELECT late_wants FROM databuild.stats;
SELECT * FROM pg_temp.miscounted() AS m(job text, state text, n bigint, since timestamptz);
SET databuild.now = '2040-01-01 01:10:00+00';
SELECT databuild.tick() IS NOT NULL;
SELECT late_wants FROM databuild.stats;
SELECT * FROM pg_temp.miscounted() AS m(job text, state text, n bigint, since timestamptz);
SELECT databuild.publish(ARRAY['b/4']);
SET databuild.now = '2040-01-01 01:12:00+00';
SELECT databuild.tick() IS NOT NULL;
SELECT late_wants FROM databuild.stats;
SELECT queued FROM databuild.job_stats WHERE job = 'a';
SELECT databuild.publish(ARRAY['a/1', 'a/2', 'a/3', 'a/4']);
SELECT queued FROM databuild.job_stats WHERE job = 'a';
SET databuild.now = '2040-01-01 01:14:00+00';
SELECT databuild.tick() IS NOT NULL;
SELECT late_wants FROM databuild.stats;
SELECT * FROM pg_temp.miscounted() AS m(job text, state text, n bigint, since timestamptz);

-- a clock that goes back is no reason to stop
SET databuild.now = '2039-01-01 00:00:00+00';
SELECT databuild.tick() IS NOT NULL;
SELECT last_tick_at, counted_at FROM databuild.stats;
SET databuild.now = '2040-01-02 00:00:00+00';
-- an older snapshot is not counted as of now
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT databuild.tick() IS NOT NULL;
COMMIT;
SELECT last_tick_at FROM databuild.stats;

-- a queue beyond 1,000, and entries that count no more before it
SELECT databuild.define_job('deep', ARRAY['deep/.*']);
SELECT databuild.want(array_agg('deep/old' || n)) AS old FROM generate_series(1, 3000) AS n \gset
SELECT databuild.want(array_agg('deep/' || n)) > 0 FROM generate_series(1, 2500) AS n;
SELECT queued FROM databuild.job_stats WHERE job = 'deep';
SELECT databuild.cancel_want(:old);
SELECT databuild.tick() IS NOT NULL;
SELECT queued, oldest_queued_at FROM databuild.job_stats WHERE job = 'deep';
SELECT * FROM pg_temp.miscounted() AS m(job text, state text, n bigint, since timestamptz);
-- a job that is gone has no row; its partitions are of none
SELECT databuild.drop_job('b');
SET databuild.now = '2040-01-02 00:02:00+00';
SELECT databuild.tick() IS NOT NULL;
SELECT job FROM databuild.job_stats ORDER BY 1;
SELECT * FROM pg_temp.miscounted() AS m(job text, state text, n bigint, since timestamptz);

-- partitions beyond a chunk; those ids that no partition has are none
SELECT setval('databuild.partition_id_seq', 65536 * 3 - 10) > 0;
SELECT databuild.want(array_agg('deep/far' || n)) > 0 FROM generate_series(1, 20) AS n;
SELECT counted_at FROM databuild.stats;
SET databuild.now = '2040-01-02 00:04:00+00';
SELECT databuild.tick() IS NOT NULL;
SET databuild.now = '2040-01-02 00:06:00+00';
SELECT databuild.tick() IS NOT NULL;
SELECT * FROM pg_temp.miscounted() AS m(job text, state text, n bigint, since timestamptz);
SELECT counted_at IS NOT NULL FROM databuild.stats;

-- a reader sees them, and no more
DROP ROLE IF EXISTS regress_databuild_watcher;
CREATE ROLE regress_databuild_watcher;
SELECT databuild.grant_reader('regress_databuild_watcher');
SET ROLE regress_databuild_watcher;
SELECT queued > 0, log_bytes > 0, state_bytes > 0 FROM databuild.stats;
SELECT count(*) > 0 FROM databuild.job_stats;
SELECT count(*) > 0 FROM databuild.partition_counts;
\set VERBOSITY sqlstate
SELECT databuild.count_some();
RESET ROLE;
SELECT databuild.revoke_role('regress_databuild_watcher');
DROP ROLE regress_databuild_watcher;
-- the tables are what the log says, and a replay finds nothing else; it counts anew
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
SELECT partitions, counted_at FROM databuild.stats;
