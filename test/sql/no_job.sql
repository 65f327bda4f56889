-- A partition that waits for something that no job makes would wait without a word, or not notice when it comes.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
CREATE FUNCTION pg_temp.why(ref text, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text) RETURNS SETOF record LANGUAGE sql AS
	'SELECT depth, partition, state, reason, detail FROM databuild.why($1)';

SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.want(ARRAY['top', 'pot']) > 0;
SELECT pg_temp.claim(n => 2);
-- a miss may name what no job makes
SELECT databuild.miss(pg_temp.run('top'), ARRAY['ext/1', 'mid', 'ext/2']);
SELECT databuild.miss(pg_temp.run('pot'), ARRAY['ext/3']);
SELECT * FROM pg_temp.states();
SELECT ref, job FROM databuild.partitions ORDER BY 1;
SELECT * FROM pg_temp.wants();
SELECT * FROM pg_temp.why('top');
SELECT regexp_replace(hint, 'run \d+', 'run N') FROM databuild.why('ext/1');
-- a want may not, whether known or not
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['ext/1'])$$);
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['mid', 'ext/9'])$$);
SELECT * FROM pg_temp.why('ext/9');
SELECT hint <> '' FROM databuild.why('ext/9');

-- it is published
SELECT databuild.publish(ARRAY['ext/1']);
SELECT * FROM pg_temp.states();
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('mid'));
SELECT * FROM pg_temp.states();
-- a job is defined later
SELECT databuild.define_job('ext', ARRAY['ext/.*'], config => '"ext"');
SELECT * FROM pg_temp.states();
SELECT ref, job FROM databuild.partitions ORDER BY 1;
SELECT partitions, config FROM databuild.claim('w', max_runs => 10);
SELECT databuild.succeed(pg_temp.run('ext/2'));
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();

-- published by someone, though no job or source makes it and nobody asked
SELECT databuild.publish(ARRAY['else/1']);
SELECT ref, state, job, run_id = live_run_id, live_at = state_since FROM databuild.partitions WHERE ref = 'else/1';
SELECT state, reason, detail ~ 'published' FROM databuild.why('else/1');

-- a run misses a ref by mistake, and the way out that why() tells
SELECT databuild.define_job('other', ARRAY['typing/.*']);
SELECT databuild.want(ARRAY['typing/1'], comment => 'mistaken') > 0;
SELECT databuild.miss(run_id, ARRAY['mispelt']) FROM databuild.claim('w', ARRAY['other']);
SELECT regexp_replace(hint, 'run \d+', 'run N') FROM databuild.why('typing/1') WHERE reason = 'no_job';
SELECT databuild.cancel_want(want_id) FROM databuild.wants WHERE comment = 'mistaken';
SELECT databuild.want(ARRAY['typing/1']) > 0;
SELECT pg_temp.claim(ARRAY['other']);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
