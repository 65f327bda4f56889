-- Small work would take a run each, or one bad ref would fail all that shared a run with it.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
DROP FUNCTION pg_temp.states;
CREATE FUNCTION pg_temp.states(OUT ref text, OUT state text, OUT attempts int) RETURNS SETOF record LANGUAGE sql AS
	'SELECT ref, state, attempts FROM databuild.partitions ORDER BY ref';
CREATE FUNCTION pg_temp.why(ref text, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text, OUT hint text) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT depth, partition, state, reason, regexp_replace(detail, '(run|Run|event|has:) \d+(, \d+)?', '\1 N', 'g'), hint FROM databuild.why($1)$$;

-- so many refs of one job and equal priority share a run
SELECT databuild.define_job('b', ARRAY['b/.*'], batch_size => 3, backoff => '0', max_attempts => 3);
SELECT databuild.define_job('c', ARRAY['c/.*'], batch_size => 3);
SELECT databuild.want(ARRAY['b/1', 'b/2', 'b/3', 'b/4', 'c/1'], comment => 'low') > 0;
SELECT databuild.want(ARRAY['b/5', 'b/6'], 5) > 0;
SELECT pg_temp.claim(n => 2);
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('b/5'));
SELECT * FROM pg_temp.states();
-- one poisoned ref must not fail its batch: what has failed is made alone
SELECT databuild.fail(pg_temp.run('b/1'), 'one of these is bad');
SELECT databuild.want(ARRAY['b/7', 'b/8']) > 0;
SELECT attempt, partitions FROM databuild.claim('w', max_runs => 10) ORDER BY partitions;
SELECT databuild.succeed_many(ARRAY[pg_temp.run('b/2'), pg_temp.run('b/3'), pg_temp.run('b/7')]);
SELECT databuild.fail(pg_temp.run('b/1'), 'me');
SELECT attempt, partitions FROM databuild.claim('w', max_runs => 10);
SELECT databuild.fail(pg_temp.run('b/1'), 'me again');
SELECT * FROM pg_temp.states() WHERE ref IN ('b/1', 'b/2', 'b/3', 'b/7', 'b/8');
-- a batch that lost its lease likewise; a miss is no attempt, these may share a run again
SELECT databuild.succeed(run_id) FROM databuild.job_runs WHERE state = 'running';
SELECT databuild.define_job('in', ARRAY['in/.*']);
SELECT databuild.want(ARRAY['b/11', 'b/12']) > 0;
SELECT pg_temp.claim(ARRAY['b']);
SELECT databuild.miss(pg_temp.run('b/11'), ARRAY['in/1'], impacted => ARRAY['b/11']);
SELECT databuild.publish(ARRAY['in/1']);
SELECT pg_temp.claim(ARRAY['b'], 10);
SET databuild.now = '2100-01-01';
SELECT lost_runs FROM databuild.tick();
SELECT attempt, partitions FROM databuild.claim('w', ARRAY['b'], 10);
RESET databuild.now;
-- and with retry() the attempts are gone
SELECT databuild.fail(run_id, 'x', retry => false) FROM databuild.job_runs WHERE state = 'running';
SELECT databuild.retry(ARRAY['b/11', 'b/12']);
SELECT attempt, partitions FROM databuild.claim('w', ARRAY['b'], 10);
-- co-outputs come along, though they have attempts, and do not count as members
SELECT databuild.define_job('p', ARRAY['p/(\d)', 'q/(\d)'], outputs => ARRAY['p/\1', 'q/\1'], batch_size => 2, backoff => '0');
SELECT databuild.want(ARRAY['p/1', 'p/2', 'p/3', 'q/3']) > 0;
SELECT partitions FROM databuild.claim('w', ARRAY['p'], 10);
SELECT databuild.fail(pg_temp.run('p/3'), 'x');
SELECT attempt, partitions FROM databuild.claim('w', ARRAY['p'], 10);
-- a co-output that failed before keeps others out, also when it is its sibling that is claimed
SELECT databuild.define_job('p', ARRAY['p/(\d)', 'q/(\d)'], outputs => ARRAY['p/\1', 'q/\1'], batch_size => 2, backoff => '1 hour');
SELECT databuild.succeed(pg_temp.run('p/3'), made => ARRAY['p/3']);
SELECT databuild.want(ARRAY['p/4']) > 0;
SELECT databuild.taint(ARRAY['p/3'], 'bad') > 0;
SELECT databuild.want(ARRAY['p/5']) > 0;
SELECT attempt, partitions FROM databuild.claim('w', ARRAY['p'], 10);
-- not all of a batch was made
SELECT databuild.want(ARRAY['c/2', 'c/3']) > 0;
SELECT pg_temp.claim(ARRAY['c'], 10);
SELECT databuild.succeed(pg_temp.run('c/2'), made => ARRAY['c/2']);
SELECT * FROM pg_temp.states() WHERE ref LIKE 'c/%';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
