-- What a run makes along would be made once more, or be lost when the run makes only some of it.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
DROP FUNCTION pg_temp.states;
CREATE FUNCTION pg_temp.states(OUT ref text, OUT state text, OUT attempts int) RETURNS SETOF record LANGUAGE sql AS
	'SELECT ref, state, attempts FROM databuild.partitions ORDER BY ref';
CREATE FUNCTION pg_temp.why(ref text, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text, OUT hint text) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT depth, partition, state, reason, regexp_replace(detail, '(run|Run|event|has:) \d+(, \d+)?', '\1 N', 'g'), hint FROM databuild.why($1)$$;

-- all of a run's outputs are taken in the claim; wants on any of them see the same run
SELECT databuild.define_job('pair', ARRAY['l/(\d+)', 'r/(\d+)'], outputs => ARRAY['l/\1', 'r/\1'], backoff => '0', max_attempts => 2);
SELECT databuild.want(ARRAY['r/1'], comment => 'right') > 0;
SELECT * FROM pg_temp.states();
SELECT pg_temp.claim();
SELECT * FROM pg_temp.states();
SELECT databuild.want(ARRAY['l/1'], comment => 'left') > 0;
SELECT comment, state FROM databuild.wants ORDER BY want_id;
SELECT pg_temp.claim(n => 10);
SELECT pg_temp.refused($$SELECT databuild.publish(ARRAY['l/1'])$$);
SELECT databuild.succeed(pg_temp.run('l/1'));
SELECT * FROM pg_temp.states();
SELECT comment, state FROM databuild.wants ORDER BY want_id;
SELECT ref, state FROM databuild.instances ORDER BY 1;
-- wanted both before the claim: one run
SELECT databuild.want(ARRAY['l/2', 'r/2'], comment => 'both') > 0;
SELECT pg_temp.claim(n => 10);
-- not all was made: a failed attempt of what was not, and of nothing else
SELECT databuild.succeed(pg_temp.run('l/2'), made => ARRAY['l/2', 'l/2']);
SELECT * FROM pg_temp.states() WHERE ref ~ '2';
SELECT ref, state FROM databuild.instances WHERE ref ~ '2' ORDER BY 1;
-- the rest is made with its live sibling beside, which stays live and becomes a new instance
SELECT pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states() WHERE ref ~ '2';
SELECT pg_temp.refused($$SELECT databuild.publish(ARRAY['l/2'])$$);
SELECT pg_temp.refused($$SELECT databuild.forget(ARRAY['l/2'], 'x')$$);
SELECT databuild.succeed(pg_temp.run('l/2'));
SELECT ref, state, attempts, live_run_id = pg_temp.run('r/2') FROM databuild.partitions WHERE ref ~ '2' ORDER BY 1;
-- made without the ref that was wanted: no attempts left
SELECT databuild.want(ARRAY['l/3']) > 0;
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('l/3'), made => ARRAY['r/3']);
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('l/3'), made => ARRAY['r/3']);
SELECT * FROM pg_temp.states() WHERE ref ~ '3';
SELECT * FROM pg_temp.why('l/3');
-- what no want covers falls back when the run ends without it, the attempt counted; a live one stays
SELECT databuild.want(ARRAY['l/4']) > 0;
SELECT pg_temp.claim();
SELECT databuild.fail(pg_temp.run('l/4'), 'x');
SELECT * FROM pg_temp.states() WHERE ref ~ '4';
-- a live sibling that is tainted while a run makes it anew is being built, and tainted again if that fails
SELECT databuild.publish(ARRAY['r/5']);
SELECT databuild.want(ARRAY['l/5']) > 0;
SELECT pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states() WHERE ref ~ '5';
SELECT databuild.taint(ARRAY['r/5'], 'bad') > 0;
SELECT * FROM pg_temp.states() WHERE ref ~ '5';
SELECT databuild.fail(pg_temp.run('l/5'), 'x', retry => false);
SELECT * FROM pg_temp.states() WHERE ref ~ '5';
-- a miss that impacts one output: the other is queued again, and not lost
SELECT databuild.define_job('in', ARRAY['in/.*']);
SELECT databuild.want(ARRAY['l/6', 'r/6']) > 0;
SELECT pg_temp.claim(ARRAY['pair']) FROM generate_series(1, 3);
SELECT databuild.miss(pg_temp.run('l/6'), ARRAY['in/6', 'in/7'], impacted => ARRAY['l/6']);
SELECT * FROM pg_temp.states() WHERE ref ~ '[67]';
SELECT want_id IS NOT NULL, total, live FROM databuild.wants WHERE derivative;
-- what a template or function says of outputs must be the job's own
SELECT databuild.define_job('stray', ARRAY['stray/.*'], outputs => ARRAY['\&', 'elsewhere']);
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['stray/1'])$$);
SELECT databuild.define_job('stray', ARRAY['stray/.*'], outputs => ARRAY['\&', 'in/1']);
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['stray/1'])$$);
SELECT count(*) FROM databuild.partitions WHERE ref ~ 'stray|elsewhere';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
