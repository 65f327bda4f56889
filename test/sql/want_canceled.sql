-- What nobody wants any more would be built all the same, or what others still want would not be.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 2, backoff => '1 h');
SELECT databuild.define_source('s', ARRAY['s/.*']);
-- from each state: queued, up_for_retry, waiting, blocked, building, live, failed, not made by a job
SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.want(ARRAY['live', 'failed', 'retry', 'waits', 'blocked', 'building', 'queued', 's/a'], comment => 'all') > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 10);
SELECT databuild.succeed(pg_temp.run('live'));
SELECT databuild.fail(pg_temp.run('failed'), 'x', false);
SELECT databuild.fail(pg_temp.run('retry'), 'x');
SELECT databuild.miss(pg_temp.run('waits'), ARRAY['deep', 's/b']);
SELECT databuild.miss(pg_temp.run('blocked'), ARRAY['failed']);
SELECT databuild.miss(pg_temp.run('queued'), ARRAY['live']);
SELECT * FROM pg_temp.states();
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.cancel_want(pg_temp.want('all'), 'no budget');
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
SELECT * FROM pg_temp.told();
SELECT count(*) FROM databuild.dependencies;
SELECT ended_at FROM databuild.wants ORDER BY want_id;
SELECT ref, priority, attempts, retry_at FROM databuild.partitions ORDER BY ref;
SELECT pg_temp.claim(n => 10);
-- repeated: no event
SELECT databuild.cancel_want(pg_temp.want('all'));
SELECT * FROM pg_temp.told();
-- no run is stopped: it ends as it does
SELECT state FROM databuild.job_runs WHERE run_id = pg_temp.run('building');
SELECT state FROM databuild.heartbeat(ARRAY[pg_temp.run('building')]);
SELECT databuild.succeed(pg_temp.run('building'));
SELECT pg_temp.state('building');
-- one that does not make it, falls back
SELECT databuild.want(ARRAY['m', 'f', 'l', 'r'], comment => 'four') > 0;
SELECT count(*) FROM pg_temp.claim(n => 4);
SELECT databuild.cancel_want(pg_temp.want('four'));
SELECT databuild.miss(pg_temp.run('m'), ARRAY['mm']);
SELECT databuild.fail(pg_temp.run('f'), 'x');
SELECT databuild.cancel_run(pg_temp.run('r'));
SET databuild.now = '2040-01-02 00:00:00+00';
SELECT lost_runs FROM databuild.tick();
SELECT ref, state, attempts FROM databuild.partitions WHERE ref IN ('m', 'mm', 'f', 'l', 'r') ORDER BY 1;
SELECT pg_temp.claim(n => 10);

-- other wants keep it, with their priority
SELECT databuild.want(ARRAY['p', 'q'], 7, comment => 'seven') > 0, databuild.want(ARRAY['q', 'x'], -3, comment => 'minus') > 0, databuild.want(ARRAY['x'], 5, comment => 'five') > 0;
SELECT ref, state, priority FROM databuild.partitions WHERE ref IN ('p', 'q', 'x') ORDER BY 1;
SELECT databuild.cancel_want(pg_temp.want('seven'));
SELECT ref, state, priority FROM databuild.partitions WHERE ref IN ('p', 'q', 'x') ORDER BY 1;
SELECT pg_temp.claim(n => 1);
SELECT databuild.want(ARRAY['y']) > 0;
SELECT pg_temp.claim(n => 1);
SELECT pg_temp.claim(n => 1);
-- canceled with the last one, wanted anew: queued again, behind
SELECT databuild.want(ARRAY['z'], comment => 'z1') > 0;
SELECT databuild.want(ARRAY['zz']) > 0;
SELECT databuild.cancel_want(pg_temp.want('z1'));
SELECT databuild.want(ARRAY['z'], comment => 'z2') > 0;
SELECT pg_temp.claim(n => 10);

-- what was live and is tainted falls back to tainted
SELECT databuild.publish(ARRAY['t']);
SELECT databuild.want(ARRAY['t'], comment => 't') > 0;
SELECT databuild.taint(ARRAY['t'], 'bad') > 0;
SELECT pg_temp.state('t');
SELECT databuild.cancel_want(pg_temp.want('t'));
SELECT pg_temp.state('t');
SELECT databuild.want(ARRAY['t'], comment => 't2') > 0;
SELECT pg_temp.claim();
SELECT databuild.cancel_want(pg_temp.want('t2'));
SELECT databuild.fail(pg_temp.run('t'), 'x');
SELECT pg_temp.state('t');

-- refused
SELECT databuild.want(ARRAY['d'], comment => 'd') > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('d'), ARRAY['dd']);
SELECT pg_temp.refused(format('SELECT databuild.cancel_want(%s)', max(want_id))) FROM databuild.wants WHERE derivative;
SELECT databuild.define_job('k', ARRAY['k/(.)'], inputs => ARRAY['s/\1']);
SELECT databuild.want(ARRAY['k/1']) > 0;
SELECT pg_temp.refused(format('SELECT databuild.cancel_want(%s)', max(want_id))) FROM databuild.wants WHERE derivative;
SELECT pg_temp.refused('SELECT databuild.cancel_want(999999)');
SELECT pg_temp.refused('SELECT databuild.cancel_want(NULL)');
-- a derivative one that has ended is no one's to cancel either, but a canceled one stays canceled
SELECT databuild.publish(ARRAY['dd']);
SELECT split_part(pg_temp.refused(format('SELECT databuild.cancel_want(%s)', want_id)), ' / ', 1) FROM databuild.wants w WHERE derivative AND state = 'successful' AND ended_at = '2040-01-02'
	AND EXISTS (SELECT FROM databuild.want_partitions p WHERE p.want_id = w.want_id AND ref = 'dd');
-- an expired one
SELECT databuild.want(ARRAY['e'], ttl => '1 h', comment => 'e') > 0;
SET databuild.now = '2040-01-02 02:00:00+00';
SELECT expired_wants FROM databuild.tick();
SELECT split_part(pg_temp.refused(format('SELECT databuild.cancel_want(%s)', pg_temp.want('e'))), ' / ', 1);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
