-- A partition that finds more than its job declared would forget the one kind of inputs for the other.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
CREATE FUNCTION pg_temp.why(ref text, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT depth, partition, state, reason, regexp_replace(regexp_replace(detail, '(Run|event|run) \d+', '\1 N'), ', since .*', '') FROM databuild.why($1)$$;

SELECT databuild.define_job('in', ARRAY['[a-f]/\d']);
SELECT databuild.define_job('t', ARRAY['t/(\d)'], inputs => ARRAY['a/\1'], max_misses => 3);
SELECT databuild.want(ARRAY['t/1'], comment => 'one') > 0;
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('a/1'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.miss(pg_temp.run('t/1'), ARRAY['b/1', 'c/1', 'a/1']);
SELECT ref, upstream, run_id IS NOT NULL FROM databuild.dependencies ORDER BY 1, 2;
SELECT * FROM pg_temp.why('t/1');
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('b/1'));
SELECT databuild.succeed(pg_temp.run('c/1'));
-- all there: but the declared one is tainted before the claim
SELECT pg_temp.state('t/1');
SELECT databuild.taint(ARRAY['a/1'], 'bad') > 0;
SELECT pg_temp.claim(n => 10);
SELECT ref, upstream, run_id IS NOT NULL FROM databuild.dependencies ORDER BY 1, 2;
SELECT databuild.succeed(pg_temp.run('a/1'));
SELECT pg_temp.claim(n => 10);
-- it misses what is live by now, while a declared input is not: it waits for that
SELECT databuild.taint(ARRAY['a/1'], 'bad') > 0;
SELECT databuild.miss(pg_temp.run('t/1'), ARRAY['b/1']);
SELECT * FROM pg_temp.states();
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('a/1'));
SELECT pg_temp.claim(n => 10);
-- what was sent back is no miss: this is the third
SELECT databuild.miss(pg_temp.run('t/1'), ARRAY['b/1']);
SELECT state, reason, regexp_replace(detail, 'run \d+', 'run N') AS detail, run_id = (SELECT max(run_id) FROM databuild.job_runs) AS the_last FROM databuild.why('t/1');
SELECT databuild.retry(ARRAY['t/1']);
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('t/1'));
-- it misses its declared input by name, when that is tainted while it runs
SELECT databuild.want(ARRAY['t/2'], comment => 'two') > 0;
SELECT databuild.publish(ARRAY['a/2']);
SELECT pg_temp.claim(n => 10);
SELECT databuild.taint(ARRAY['a/2'], 'bad') > 0;
SELECT databuild.miss(pg_temp.run('t/2'), ARRAY['a/2', 'd/2']);
SELECT DISTINCT ref, upstream FROM databuild.dependencies ORDER BY 1, 2;
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('d/2'));
SELECT pg_temp.state('t/2');
SELECT databuild.succeed(pg_temp.run('a/2'));
SELECT pg_temp.claim(n => 10);
-- canceled while it waits for both kinds: all of it falls back
SELECT databuild.taint(ARRAY['a/2'], 'bad') > 0;
SELECT databuild.miss(pg_temp.run('t/2'), ARRAY['e/2', 'a/2']);
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/2';
SELECT databuild.cancel_want(pg_temp.want('two'));
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/2';
SELECT refs, kind, state FROM pg_temp.wants();
-- a failed one of either kind blocks, until both are mended
SELECT databuild.want(ARRAY['t/3'], 9, comment => 'three') > 0;
SELECT databuild.publish(ARRAY['a/3']);
SELECT pg_temp.claim(n => 10);
SELECT databuild.taint(ARRAY['a/3'], 'bad') > 0;
SELECT databuild.miss(pg_temp.run('t/3'), ARRAY['f/3', 'a/3']);
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT databuild.fail(pg_temp.run('f/3'), 'x', false), databuild.fail(pg_temp.run('a/3'), 'x', false);
SELECT * FROM pg_temp.why('t/3');
SELECT databuild.retry(ARRAY['f/3']);
SELECT pg_temp.state('t/3');
SELECT databuild.retry_want(pg_temp.want('three'));
SELECT pg_temp.state('t/3');
SELECT databuild.publish(ARRAY['f/3', 'a/3']);
SELECT pg_temp.claim(n => 10);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
