-- What needs data from elsewhere would not wait for it, or not notice when it comes.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
CREATE FUNCTION pg_temp.why(ref text, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT depth, partition, state, reason, regexp_replace(regexp_replace(detail, '(Run|event|run) \d+', '\1 N'), ', since .*', '') FROM databuild.why($1)$$;

SELECT databuild.define_source('noaa', ARRAY['noaa/.*']);
SELECT databuild.define_job('day', ARRAY['day/(\d+)'], inputs => ARRAY['noaa/\1', 'ext/\1']);
SELECT databuild.define_job('top', ARRAY['top/(\d+)'], inputs => ARRAY['day/\1', 'noaa/all']);
SELECT databuild.want(ARRAY['top/1']) > 0;
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
SELECT * FROM pg_temp.why('top/1');
SELECT pg_temp.claim(n => 10);
-- an input that no job makes may be declared, too; a want on it may not
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['ext/1'])$$);
SELECT databuild.publish(ARRAY['noaa/1', 'noaa/all']);
SELECT * FROM pg_temp.states();
SELECT databuild.publish(ARRAY['ext/1']);
SELECT * FROM pg_temp.states();
SELECT pg_temp.claim(n => 10);
-- tainted at the source: what waits for it, waits till it is published again; what runs, runs
SELECT databuild.taint(ARRAY['noaa/all', 'noaa/1'], 'wrong') > 0;
SELECT databuild.succeed(pg_temp.run('day/1'));
SELECT pg_temp.claim(n => 10);
SELECT * FROM pg_temp.why('top/1');
SELECT databuild.publish(ARRAY['noaa/all']);
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('top/1'));
-- a job is defined for what was declared and nobody made
SELECT databuild.want(ARRAY['day/2']) > 0;
SELECT databuild.publish(ARRAY['noaa/2']);
SELECT reason FROM databuild.why('ext/2');
SELECT databuild.define_job('ext', ARRAY['ext/.*']);
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('ext/2'));
SELECT pg_temp.claim(n => 10);
-- published before anybody wants what needs it
SELECT databuild.publish(ARRAY['noaa/3', 'ext/3']);
SELECT databuild.want(ARRAY['day/3']) > 0;
SELECT pg_temp.claim(n => 10);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
