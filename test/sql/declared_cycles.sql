-- Jobs that need each other's data would wait for ever, and nobody would be told.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
CREATE FUNCTION pg_temp.why(ref text, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT depth, partition, state, reason, regexp_replace(regexp_replace(detail, '(Run|event|run) \d+', '\1 N'), ', since .*', '') FROM databuild.why($1)$$;

SELECT databuild.define_job('a', ARRAY['a/(\d)'], inputs => ARRAY['b/\1']);
SELECT databuild.define_job('b', ARRAY['b/(\d)'], inputs => ARRAY['c/\1', 'd/\1']);
SELECT databuild.define_job('c', ARRAY['c/(\d)'], inputs => ARRAY['a/\1']);
SELECT databuild.define_job('d', ARRAY['[de]/(\d)']);
SELECT databuild.define_job('self', ARRAY['self/(\d)'], inputs => ARRAY['\&']);
SELECT databuild.define_job('top', ARRAY['top/(\d)'], inputs => ARRAY['a/\1', 'e/\1']);
-- found by the call that wants it; what only leads to it has a failed input
SELECT databuild.want(ARRAY['top/1']) > 0;
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.why('top/1');
SELECT pg_temp.claim(n => 10);
-- of one
SELECT databuild.want(ARRAY['self/1']) > 0;
SELECT * FROM pg_temp.why('self/1');
SELECT hint FROM databuild.why('self/1');
-- retried without being mended: the same again
SELECT databuild.retry(ARRAY['self/1', 'a/1']);
SELECT * FROM pg_temp.states();
-- mended: it goes on
SELECT databuild.define_job('c', ARRAY['c/(\d)']);
SELECT databuild.define_job('self', ARRAY['self/(\d)']);
SELECT * FROM pg_temp.states();
SELECT databuild.retry(ARRAY['a/1', 'b/1', 'c/1', 'self/1']);
SELECT * FROM pg_temp.states();
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
-- what is live is no link of a cycle, until it is tainted
SELECT databuild.define_job('c', ARRAY['c/(\d)'], inputs => ARRAY['a/\1']);
SELECT databuild.publish(ARRAY['c/2', 'd/2']);
SELECT databuild.want(ARRAY['a/2']) > 0;
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/2';
SELECT databuild.remake(ARRAY['c/2']) > 0;
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/2';
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/2';
-- published, it is cut
SELECT databuild.publish(ARRAY['c/2']);
SELECT databuild.retry(ARRAY['a/2', 'b/2']) > 0;
SELECT count(*) FROM pg_temp.claim(n => 10) AS c WHERE c = 'b/2';
-- closed by a definition, for what waits already
SELECT databuild.define_job('p', ARRAY['p/(\d)'], inputs => ARRAY['q/\1']);
SELECT databuild.define_job('q', ARRAY['q/(\d)'], inputs => ARRAY['r/\1']);
SELECT databuild.define_job('r', ARRAY['r/(\d)']);
SELECT databuild.want(ARRAY['p/1']) > 0;
SELECT * FROM pg_temp.states() WHERE ref ~ '^[pqr]';
SELECT databuild.define_job('r', ARRAY['r/(\d)'], inputs => ARRAY['p/\1']);
SELECT count(*) FROM pg_temp.claim(ARRAY['p', 'q', 'r'], 10);
SELECT * FROM pg_temp.states() WHERE ref ~ '^[pqr]';
SELECT reason, detail FROM databuild.why('p/1') WHERE depth = 0;
-- by a miss of something that is declared to need it
SELECT databuild.define_job('m', ARRAY['m/(\d)']);
SELECT databuild.define_job('n', ARRAY['n/(\d)'], inputs => ARRAY['m/\1']);
SELECT databuild.want(ARRAY['m/1']) > 0;
SELECT pg_temp.claim(ARRAY['m']);
SELECT databuild.miss(pg_temp.run('m/1'), ARRAY['n/1']);
SELECT * FROM pg_temp.why('m/1');
SELECT * FROM pg_temp.states() WHERE ref ~ '^[mn]';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
