-- A want that fails for a reason far upstream could not be brought back without knowing all that failed.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 1);
SELECT databuild.define_job('d', ARRAY['d/(.*)'], inputs => ARRAY['e/\1', 'f/\1']);
SELECT databuild.define_job('e', ARRAY['[ef]/.*'], max_attempts => 1);
SELECT databuild.want(ARRAY['top', 'failed', 'fine', 'd/1'], comment => 'w') > 0;
SELECT databuild.want(ARRAY['elsewhere'], comment => 'other') > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 10);
SELECT databuild.fail(pg_temp.run('failed'), 'x');
SELECT databuild.fail(pg_temp.run('elsewhere'), 'x');
SELECT databuild.fail(pg_temp.run('e/1'), 'x');
SELECT databuild.succeed(pg_temp.run('f/1'));
SELECT databuild.miss(pg_temp.run('top'), ARRAY['left', 'right', 'failed']);
SELECT pg_temp.claim(n => 2);
SELECT databuild.miss(pg_temp.run('left'), ARRAY['deep', 'ok']);
SELECT databuild.miss(pg_temp.run('right'), ARRAY['deep']);
SELECT pg_temp.claim(n => 2);
SELECT databuild.succeed(pg_temp.run('ok'));
SELECT databuild.miss(pg_temp.run('deep'), ARRAY['root']);
SELECT pg_temp.claim(n => 2);
SELECT databuild.fail(pg_temp.run('root'), 'x');
SELECT * FROM pg_temp.states();
SELECT state FROM databuild.wants WHERE comment = 'w';
SELECT count(*) > 0 FROM pg_temp.told();
-- each once, however many ways lead to it; what others want is left alone
SELECT databuild.retry_want(pg_temp.want('w'));
SELECT * FROM pg_temp.told();
SELECT * FROM pg_temp.states();
SELECT state FROM databuild.wants WHERE comment = 'w';
-- again: there is nothing left to do
SELECT databuild.retry_want(pg_temp.want('w'));
SELECT * FROM pg_temp.told();
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT state, live, total FROM databuild.wants WHERE comment = 'w';
SELECT databuild.retry_want(pg_temp.want('w'));
-- a want that is over
SELECT databuild.cancel_want(pg_temp.want('other'));
SELECT databuild.retry_want(pg_temp.want('other'));
SELECT state FROM databuild.partitions WHERE ref = 'elsewhere';
SELECT pg_temp.refused('SELECT databuild.retry_want(999999)');
SELECT pg_temp.refused('SELECT databuild.retry_want(NULL)');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
