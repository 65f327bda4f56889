-- A job would have more runs at a time than it may, or fewer, or nobody would be told that it is full.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
DROP FUNCTION pg_temp.states;
CREATE FUNCTION pg_temp.states(OUT ref text, OUT state text, OUT attempts int) RETURNS SETOF record LANGUAGE sql AS
	'SELECT ref, state, attempts FROM databuild.partitions ORDER BY ref';
CREATE FUNCTION pg_temp.why(ref text, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text, OUT hint text) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT depth, partition, state, reason, regexp_replace(detail, '(run|Run|event|has:) \d+(, \d+)?', '\1 N', 'g'), hint FROM databuild.why($1)$$;

-- a job has as many runs as it may, in one claim and in several; others are not held up
SELECT databuild.define_job('m', ARRAY['m/.*'], max_running => 2, backoff => '0');
SELECT databuild.define_job('free', ARRAY['free/.*']);
SELECT databuild.want(ARRAY['m/1', 'm/2', 'm/3', 'm/4', 'm/5'], 1) > 0;
SELECT databuild.want(ARRAY['free/1']) > 0;
SELECT pg_temp.claim();
SELECT pg_temp.claim(n => 10);
SELECT pg_temp.claim(n => 10);
-- why() names the runs that fill it
SELECT * FROM pg_temp.why('m/3');
SELECT detail ~ format('has: %s, %s\.', pg_temp.run('m/1'), pg_temp.run('m/2')) FROM databuild.why('m/3');
SELECT reason, partitions, example FROM databuild.why_want((SELECT min(want_id) FROM databuild.wants)) ORDER BY 1;
-- whatever ends a run makes room for one, in order: what fails is tried again behind the others
SELECT databuild.succeed(pg_temp.run('m/1'));
SELECT reason FROM databuild.why('m/3');
SELECT pg_temp.claim(ARRAY['m'], 10);
SELECT databuild.fail(pg_temp.run('m/2'), 'x');
SELECT pg_temp.claim(ARRAY['m'], 10);
SELECT databuild.cancel_run(pg_temp.run('m/3'));
SELECT pg_temp.claim(ARRAY['m'], 10);
SELECT databuild.define_job('in', ARRAY['in/.*']);
SELECT databuild.miss(pg_temp.run('m/4'), ARRAY['in/1']);
SELECT pg_temp.claim(ARRAY['m'], 10);
SET databuild.now = '2100-01-01';
SELECT count(*) FROM databuild.claim('w', ARRAY['m'], 10);
SELECT count(*) FROM databuild.job_runs WHERE state = 'running' AND job = 'm';
RESET databuild.now;
-- a greater limit lets more in at once, a smaller one or none no run out
SELECT databuild.want(ARRAY(SELECT 'm/' || i FROM generate_series(11, 20) AS i)) > 0;
SELECT databuild.define_job('m', ARRAY['m/.*'], max_running => 4, backoff => '0');
SELECT count(*) FROM databuild.claim('w', ARRAY['m'], 10);
SELECT databuild.define_job('m', ARRAY['m/.*'], max_running => 1, backoff => '0');
SELECT count(*) FROM databuild.claim('w', ARRAY['m'], 10);
SELECT reason FROM databuild.why('m/20');
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running' AND job = 'm' ORDER BY 1 LIMIT 3));
SELECT count(*) FROM databuild.claim('w', ARRAY['m'], 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running' AND job = 'm'));
SELECT count(*) FROM databuild.claim('w', ARRAY['m'], 10);
SELECT databuild.define_job('m', ARRAY['m/.*'], backoff => '0');
SELECT count(*) > 4 FROM databuild.claim('w', ARRAY['m'], 100);
-- runs of the time without a limit count, too, also if there was one before
SELECT databuild.want(ARRAY['m/31', 'm/32']) > 0;
SELECT databuild.define_job('m', ARRAY['m/.*'], max_running => 4, backoff => '0');
SELECT count(*) FROM databuild.claim('w', ARRAY['m'], 10);
SELECT reason FROM databuild.why('m/31');
-- and there is nothing to wake a worker for
SELECT databuild.succeed(min(run_id)) FROM databuild.job_runs WHERE state = 'running' AND job = 'm';
SELECT clock_timestamp() AS before \gset
CALL databuild.wait_work(ARRAY['m'], timeout => '0.3 s');
SELECT clock_timestamp() - :'before' >= '0.3 s';
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running' AND job = 'm'));
SELECT count(*) FROM databuild.claim('w', ARRAY['m'], 10);
-- what is behind the work of a job that is full, or has room for less, is handed out all the same
SELECT databuild.define_job('full', ARRAY['full/.*'], max_running => 2);
SELECT databuild.want(ARRAY['full/1', 'full/2', 'full/3', 'full/4'], 90) > 0;
SELECT pg_temp.claim(ARRAY['full']);
SELECT databuild.want(ARRAY['free/2', 'free/3', 'free/4', 'free/5'], 90) > 0;
SELECT pg_temp.claim(ARRAY['full', 'free'], 3);
SELECT pg_temp.claim();
SELECT pg_temp.claim(ARRAY['full', 'free'], 2);
-- with batches it is runs that count
SELECT databuild.define_job('b', ARRAY['b/.*'], max_running => 1, batch_size => 3);
SELECT databuild.want(ARRAY['b/1', 'b/2', 'b/3', 'b/4']) > 0;
SELECT pg_temp.claim(ARRAY['b'], 10);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
