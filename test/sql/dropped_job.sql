-- A job that is gone would be handed out all the same, or take the work of others along.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
CREATE FUNCTION pg_temp.why(ref text, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT depth, partition, state, reason, regexp_replace(regexp_replace(detail, '(Run|event|run) \d+', '\1 N'), ', since .*', '') FROM databuild.why($1)$$;

CREATE FUNCTION pg_temp.jobs(OUT ref text, OUT state text, OUT job text) RETURNS SETOF record LANGUAGE sql AS
	'SELECT ref, state, job FROM databuild.partitions ORDER BY ref';
SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_job('j', ARRAY['[a-z]+'], backoff => '1 h');
SELECT databuild.define_job('k', ARRAY['k/(.)'], inputs => ARRAY['\1']);
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.publish(ARRAY['live', 'tainted', 's/live']);
SELECT databuild.want(ARRAY['live', 'failed', 'retry', 'waits', 'blocked', 'running', 's/missing', 'queued', 'k/x'], 2, comment => 'w') > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 6);
SELECT databuild.fail(pg_temp.run('failed'), 'x', false);
SELECT databuild.fail(pg_temp.run('retry'), 'x');
SELECT databuild.miss(pg_temp.run('waits'), ARRAY['in', 's/missing']);
SELECT databuild.miss(pg_temp.run('blocked'), ARRAY['failed']);
SELECT databuild.miss(pg_temp.run('queued'), ARRAY['live']);
SELECT databuild.taint(ARRAY['tainted'], 'bad') > 0;
-- refused while a run of it is running
SELECT pg_temp.refused($$SELECT databuild.drop_job('j')$$);
SELECT label FROM databuild.jobs ORDER BY 1;
SELECT databuild.miss(pg_temp.run('running'), ARRAY['live']);
SELECT * FROM pg_temp.jobs();
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.drop_job('j');
SELECT label FROM databuild.jobs ORDER BY 1;
SELECT * FROM pg_temp.told();
SELECT * FROM pg_temp.jobs();
SELECT * FROM pg_temp.wants();
SELECT w.* FROM databuild.partitions p, pg_temp.why(p.ref) AS w WHERE p.state <> 'live' AND w.depth = 0 ORDER BY p.ref;
SELECT pg_temp.claim(n => 10);
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['queued'])$$);
SELECT pg_temp.refused($$SELECT * FROM databuild.claim('w', ARRAY['j'])$$);
SELECT pg_temp.refused($$SELECT databuild.drop_job('j')$$);
-- another job makes them: what is wanted comes back
SELECT databuild.define_job('new', ARRAY['[a-z]{1,6}'], config => '"new"');
SELECT * FROM pg_temp.jobs();
SELECT job, partitions, attempt FROM databuild.claim('w', max_runs => 10);
SELECT * FROM pg_temp.why('k/x');
-- a source, too, while nobody publishes
SELECT databuild.drop_job('s');
SELECT * FROM pg_temp.jobs() WHERE ref LIKE 's/%';
SELECT reason FROM databuild.why('s/missing');
SELECT databuild.publish(ARRAY['s/missing']);
-- one whose label comes again is a new one
SELECT databuild.define_job('s', ARRAY['s/.*']);
SELECT * FROM pg_temp.jobs() WHERE ref LIKE 's/%';
SELECT databuild.remake(ARRAY['s/live']) > 0;
SELECT job, partitions FROM databuild.claim('w', ARRAY['s']);
SELECT pg_temp.refused($$SELECT databuild.drop_job('s')$$);
SELECT databuild.cancel_run(pg_temp.run('s/live'));
SELECT databuild.drop_job('s');
SELECT state, reason FROM databuild.why('s/live');
-- its runs keep being shown
SELECT job, state FROM databuild.job_runs WHERE run_id = pg_temp.run('s/live');
SELECT pg_temp.refused($$SELECT databuild.drop_job(NULL)$$);
SELECT pg_temp.refused($$SELECT databuild.drop_job('')$$);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
