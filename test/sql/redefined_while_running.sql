-- A partition whose run fails after its job was defined anew would for ever go to the old job's workers.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
CREATE FUNCTION pg_temp.jobs(OUT ref text, OUT state text, OUT job text) RETURNS SETOF record LANGUAGE sql AS
	'SELECT ref, state, job FROM databuild.partitions ORDER BY ref';

SELECT databuild.define_job('old', ARRAY['[a-z]'], backoff => '0');
SELECT databuild.want(ARRAY['f', 'm', 'n', 's']) > 0;
SELECT pg_temp.claim(n => 4);
SELECT databuild.define_job('old', ARRAY['[xyz]'], backoff => '0');
SELECT databuild.define_job('new', ARRAY['[fms]'], backoff => '0');
-- running runs keep their outputs
SELECT * FROM pg_temp.jobs();
SELECT databuild.fail(pg_temp.run('f'), 'x');
SELECT databuild.miss(pg_temp.run('m'), ARRAY['x']);
SELECT databuild.succeed(pg_temp.run('s'));
-- this one no job makes any more
SELECT databuild.fail(pg_temp.run('n'), 'x');
SELECT * FROM pg_temp.jobs();
SELECT reason FROM databuild.why('n');
SELECT job, partitions FROM databuild.claim('w', max_runs => 10) ORDER BY 2;

-- a run gives back the slot that it has, though its job is not limited any more
SELECT databuild.define_job('limited', ARRAY['l\d'], max_running => 1);
SELECT databuild.want(ARRAY['l1', 'l2']) > 0;
SELECT pg_temp.claim(ARRAY['limited'], 5);
SELECT databuild.define_job('limited', ARRAY['l\d']);
SELECT databuild.succeed(pg_temp.run('l1'));
SELECT databuild.define_job('limited', ARRAY['l\d'], max_running => 1);
SELECT pg_temp.claim(ARRAY['limited'], 5);
-- and what it was making along stays its own until it ends
SELECT databuild.define_job('both', ARRAY['[pq]\d'], outputs => ARRAY['p1', 'q1']);
SELECT databuild.want(ARRAY['p1', 'q1']) > 0;
SELECT databuild.publish(ARRAY['q1']);
SELECT pg_temp.claim(ARRAY['both'], 5);
SELECT databuild.define_job('both', ARRAY['[pq]\d']);
DO $$BEGIN PERFORM databuild.publish(ARRAY['q1']); EXCEPTION WHEN object_not_in_prerequisite_state THEN RAISE WARNING '%', regexp_replace(SQLERRM, '\d+;', 'N;'); END$$;
SELECT databuild.succeed(pg_temp.run('p1'));
SELECT databuild.publish(ARRAY['q1']);
SELECT count(*) FROM databuild.instances WHERE ref = 'q1';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
