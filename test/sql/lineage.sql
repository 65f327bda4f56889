-- Nobody could say what was made of data that turned out to be wrong, or is not the newest any more.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS databuild;
CREATE EXTENSION databuild;
\pset format unaligned
\pset tuples_only on
\pset null -
-- the newest run of a ref
CREATE FUNCTION pg_temp.run(ref text) RETURNS bigint LANGUAGE sql AS
	'SELECT max(run_id) FROM databuild.job_runs WHERE $1 = ANY (partitions)';
-- claims and says what
CREATE FUNCTION pg_temp.claim(jobs text[] = NULL, n int = 1) RETURNS SETOF text LANGUAGE sql AS
	$$SELECT array_to_string(partitions, ',') FROM databuild.claim('w', jobs, n)$$;
CREATE FUNCTION pg_temp.lineage(ref text, direction text = 'upstream', max_depth int = 10, OUT depth int, OUT output text, OUT input text, OUT stale boolean)
	RETURNS SETOF record LANGUAGE sql AS 'SELECT depth, output, input, stale FROM databuild.lineage($1, $2, $3)';
CREATE FUNCTION pg_temp.stale(OUT ref text, OUT input text) RETURNS SETOF record LANGUAGE sql AS
	'SELECT ref, input FROM databuild.stale_partitions ORDER BY 1, 2';

SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.define_job('m', ARRAY['m/(.)'], inputs => ARRAY['s/\1']);
SELECT databuild.define_job('t', ARRAY['t/.*']);
SELECT databuild.publish(ARRAY['s/1', 's/2']);
-- what the job declares counts as read, unless the report says what was
SELECT databuild.want(ARRAY['m/1', 'm/2', 't/1', 't/2'], comment => 'w') > 0;
SELECT pg_temp.claim(n => 4);
SELECT databuild.succeed_many(ARRAY[pg_temp.run('m/1'), pg_temp.run('m/2')]);
SELECT databuild.succeed(pg_temp.run('t/1'), reads => ARRAY['m/1', 's/2', 'never/live']);
SELECT * FROM pg_temp.lineage('t/1');
SELECT * FROM pg_temp.lineage('t/1', max_depth => 1);
SELECT * FROM pg_temp.lineage('s/1', 'downstream');
SELECT * FROM pg_temp.lineage('s/1');
SELECT run_id = pg_temp.run('t/1'), input_run_id = pg_temp.run('m/1') FROM databuild.lineage('t/1') WHERE input = 'm/1';
SELECT state FROM databuild.why('never/live');
SELECT * FROM pg_temp.stale();
-- made anew: what was made of the old instance is stale, and nothing else
SELECT databuild.publish(ARRAY['s/1']);
SELECT * FROM pg_temp.stale();
SELECT reason, regexp_replace(detail, '\d+', 'N'), hint FROM databuild.why('m/1');
SELECT reason FROM databuild.why('t/1');
SELECT * FROM pg_temp.lineage('t/1');
SELECT * FROM pg_temp.lineage('s/1', 'downstream');
-- it was claimed before that: what it read is the instance of then
SELECT databuild.remake(ARRAY['m/2']) > 0;
SELECT pg_temp.claim(ARRAY['m']);
SELECT databuild.succeed(pg_temp.run('m/2'));
SELECT databuild.succeed(pg_temp.run('t/2'), reads => ARRAY['m/2']);
SELECT * FROM pg_temp.stale();
-- made anew of the newest: no more stale
SELECT databuild.remake(ARRAY['m/1', 't/2']) > 0;
SELECT pg_temp.claim(n => 2);
SELECT databuild.succeed(pg_temp.run('m/1'));
SELECT databuild.succeed(pg_temp.run('t/2'), reads => ARRAY['m/2']);
SELECT * FROM pg_temp.stale();
-- a taint goes downstream by what was really read: t/1 was made of the m/1 of before
SELECT databuild.taint(ARRAY['s/2'], 'wrong units', downstream => true) AS taint \gset
SELECT ref FROM databuild.taint_partitions ORDER BY 1;
SELECT ref, state FROM databuild.partitions ORDER BY 1;
SELECT databuild.cancel_taint(:taint);
SELECT databuild.taint(ARRAY['s/1'], 'wrong units', downstream => true) AS taint \gset
SELECT ref FROM databuild.taint_partitions WHERE taint_id = :taint ORDER BY 1;
SELECT databuild.cancel_taint(:taint);
-- also if it is thought of only when the instance is tainted already
SELECT databuild.taint(ARRAY['s/2'], 'wrong units') AS first \gset
SELECT databuild.taint(ARRAY['s/2'], 'wrong units', downstream => true) AS taint \gset
SELECT ref FROM databuild.taint_partitions WHERE taint_id = :taint ORDER BY 1;
SELECT databuild.cancel_taint(:taint), databuild.cancel_taint(:first);
-- a miss may say what it read, too; repeated reports say nothing anew
SELECT databuild.want(ARRAY['t/3']) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('t/3'), ARRAY['t/4'], reads => ARRAY['s/1']);
SELECT databuild.miss(pg_temp.run('t/3'), ARRAY['t/4'], reads => ARRAY['s/2']);
SELECT kind, refs FROM databuild.events WHERE kind = 'read' ORDER BY event_id;
-- refused
\set VERBOSITY sqlstate
SELECT databuild.lineage(NULL);
SELECT databuild.lineage('t/1', 'sideways');
SELECT databuild.lineage('t/1', max_depth => -1);
SELECT databuild.lineage('nobody');
SELECT databuild.succeed(pg_temp.run('t/1'), reads => '{}');
SELECT databuild.taint(ARRAY['s/1'], 'x', NULL);
\set VERBOSITY default

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
