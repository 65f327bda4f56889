-- What comes from elsewhere would be handed to a worker, or its arrival would wake nobody.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_source('noaa', ARRAY['noaa/[0-9-]+']);
SELECT databuild.define_job('daily', ARRAY['daily/.+']);
SELECT label, patterns, is_source FROM databuild.jobs ORDER BY 1;
-- nobody claims it
SELECT databuild.want(ARRAY['noaa/2012-01', 'daily/a']) > 0;
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
SELECT state, reason, detail, hint FROM databuild.why('noaa/2012-01');
SELECT pg_temp.claim(n => 10);
SELECT pg_temp.claim(ARRAY['noaa'], 10);
SELECT databuild.miss(pg_temp.run('daily/a'), ARRAY['noaa/2012-01', 'noaa/2012-02']);
SELECT depth, partition, state, reason FROM databuild.why('daily/a');
SELECT databuild.publish(ARRAY['noaa/2012-02'], '{"rows": 29}');
SELECT * FROM pg_temp.states();
SELECT databuild.publish(ARRAY['noaa/2012-01']);
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('daily/a'));
SELECT * FROM pg_temp.wants();

-- a source takes over from a job: what is queued waits for publish now; and a job from a source
SELECT databuild.want(ARRAY['daily/b', 'noaa/2013-01']) > 0;
SELECT databuild.define_job('daily', ARRAY['daily/[0-9]+']);
SELECT databuild.define_source('others', ARRAY['daily/[a-z]+']);
SELECT ref, state, job FROM databuild.partitions ORDER BY 1;
SELECT state, reason, detail FROM databuild.why('daily/b');
SELECT pg_temp.claim();
SELECT databuild.define_source('noaa', ARRAY['noaa/2012-.*']);
SELECT databuild.define_job('fetch', ARRAY['noaa/2013-.*']);
SELECT ref, state, job FROM databuild.partitions ORDER BY 1;
SELECT pg_temp.claim();
SELECT databuild.publish(ARRAY['daily/b']);
SELECT pg_temp.refused($$SELECT databuild.publish(ARRAY['noaa/2013-01'])$$);
-- a definition that changes nothing logs nothing
SELECT count(*) AS told FROM databuild.events \gset
SELECT databuild.define_source('noaa', ARRAY['noaa/2012-.*']);
SELECT count(*) - :told FROM databuild.events;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
