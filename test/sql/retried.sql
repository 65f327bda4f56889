-- What was mended by a person would not be tried again, or with the attempts of before.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 2, max_misses => 2, backoff => '1 h');
SELECT databuild.want(ARRAY['live', 'failed', 'backing', 'missed', 'waits', 'building', 'queued'], 4, comment => 'all') > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 10);
SELECT databuild.succeed(pg_temp.run('live'));
SELECT databuild.fail(pg_temp.run('failed'), 'x', false);
SELECT databuild.fail(pg_temp.run('backing'), 'x');
SELECT databuild.miss(pg_temp.run('waits'), ARRAY['failed', 'fine']);
SELECT databuild.publish(ARRAY['fine']);
SELECT databuild.miss(pg_temp.run('missed'), ARRAY['live']);
SELECT databuild.miss(pg_temp.run('queued'), ARRAY['live']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('missed'), ARRAY['live']);
SELECT * FROM pg_temp.states();
SELECT count(*) > 0 FROM pg_temp.told();
-- a new want starts nothing, retry does
SELECT databuild.want(ARRAY['failed'], 9, comment => 'nine') > 0;
SELECT pg_temp.state('failed');
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.retry(ARRAY['failed', 'backing', 'missed', 'live', 'waits', 'building', 'queued', 'failed']);
SELECT * FROM pg_temp.told();
SELECT ref, state, attempts, priority, retry_at FROM databuild.partitions ORDER BY 1;
SELECT partitions, attempt FROM databuild.claim('w', max_runs => 10);
-- attempts and misses count from the beginning
SELECT databuild.fail(pg_temp.run('backing'), 'x');
SELECT databuild.miss(pg_temp.run('missed'), ARRAY['live']);
SELECT databuild.fail(pg_temp.run('failed'), 'x');
SELECT ref, state, attempts, retry_at FROM databuild.partitions WHERE ref IN ('backing', 'missed', 'failed') ORDER BY 1;
-- on others it does nothing, and logs nothing
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.retry(ARRAY['live', 'queued', 'waits']);
SELECT * FROM pg_temp.told();
-- retried while it backs off: claimable at once, and when the old time comes nothing is left of it
SELECT databuild.retry(ARRAY['backing']);
SELECT partitions, attempt FROM databuild.claim('w', max_runs => 10);
SET databuild.now = '2040-01-01 02:00:00+00';
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('failed'));
SELECT pg_temp.state('waits');
-- nobody wants it any more: it falls back, and did not go back to work
SELECT databuild.want(ARRAY['x', 'y'], comment => 'xy') > 0;
SELECT count(*) FROM pg_temp.claim(n => 10) AS c WHERE c IN ('x', 'y');
SELECT databuild.fail(pg_temp.run('x'), 'x', false);
SELECT databuild.fail(pg_temp.run('y'), 'x', false);
SELECT databuild.cancel_want(pg_temp.want('xy'));
SELECT pg_temp.state('x');
SELECT databuild.retry(ARRAY['x']);
SELECT ref, state, attempts FROM databuild.partitions WHERE ref = 'x';
-- nor what no job makes any more
SELECT databuild.want(ARRAY['y'], comment => 'y') > 0;
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT databuild.drop_job('j');
SELECT databuild.retry(ARRAY['y']);
SELECT pg_temp.state('y');
SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT pg_temp.state('y');
-- a cycle that was mended
SELECT databuild.want(ARRAY['self']) > 0;
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT databuild.miss(pg_temp.run('self'), ARRAY['self']);
SELECT reason FROM databuild.why('self');
SELECT databuild.retry(ARRAY['self']);
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('self'));
-- one that was live and tainted, and failed; nobody wants it: tainted
SELECT databuild.publish(ARRAY['t']);
SELECT databuild.want(ARRAY['t'], comment => 't') > 0;
SELECT databuild.taint(ARRAY['t'], 'bad') > 0;
SELECT pg_temp.claim();
SELECT databuild.fail(pg_temp.run('t'), 'x', false);
SELECT databuild.cancel_want(pg_temp.want('t'));
SELECT databuild.retry(ARRAY['t']);
SELECT pg_temp.state('t');
-- refused
SELECT pg_temp.refused('SELECT databuild.retry(ARRAY[''nobody'', ''x''])');
SELECT pg_temp.refused('SELECT databuild.retry(NULL)');
SELECT pg_temp.refused('SELECT databuild.retry(''{}'')');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
