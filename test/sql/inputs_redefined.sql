-- What waits by an old definition would wait for what it does not need any more, or not for what it needs now.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
CREATE FUNCTION pg_temp.why(ref text, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT depth, partition, state, reason, regexp_replace(regexp_replace(detail, '(Run|event|run) \d+', '\1 N'), ', since .*', '') FROM databuild.why($1)$$;

SELECT databuild.define_job('in', ARRAY['[a-f]/.*']);
SELECT databuild.define_job('t', ARRAY['t/(.)'], inputs => ARRAY['a/\1', 'b/\1']);
SELECT databuild.define_job('plain', ARRAY['plain/(.)']);
SELECT databuild.publish(ARRAY['a/2', 'b/2', 'a/3', 'b/3']);
SELECT databuild.want(ARRAY['t/1', 't/2', 't/3', 'plain/1'], 5, comment => 'w') > 0;
SELECT pg_temp.claim(ARRAY['t']);
SELECT databuild.publish(ARRAY['t/3']);
SELECT * FROM pg_temp.states();
SELECT count(*) > 0 FROM pg_temp.told();
-- the same again: nothing
SELECT databuild.define_job('t', ARRAY['t/(.)'], inputs => ARRAY['a/\1', 'b/\1']);
SELECT * FROM pg_temp.told();
-- one input less: what waits only for it is queued when that is all; and what nobody needs any more falls back
SELECT databuild.define_job('t', ARRAY['t/(.)'], inputs => ARRAY['a/\1']);
SELECT * FROM pg_temp.told();
SELECT ref, upstream FROM databuild.dependencies ORDER BY 1, 2;
SELECT pg_temp.claim(ARRAY['in']);
SELECT databuild.succeed(pg_temp.run('a/1'));
SELECT pg_temp.state('t/1');
-- none: it is queued at once
SELECT databuild.define_job('u', ARRAY['u/(.)'], inputs => ARRAY['a/\1']);
SELECT databuild.want(ARRAY['u/4'], 5) > 0;
SELECT pg_temp.state('u/4');
SELECT databuild.define_job('u', ARRAY['u/(.)']);
SELECT * FROM pg_temp.states() WHERE ref IN ('u/4', 'a/4');
SELECT * FROM pg_temp.wants() WHERE refs = 'a/4';
-- a running run goes on without them, and is not made of the new ones
SELECT databuild.define_job('t', ARRAY['t/(.)'], inputs => ARRAY['a/\1', 'c/\1']);
SELECT * FROM pg_temp.states() WHERE ref IN ('t/1', 't/2', 't/3', 'c/1', 'c/2', 'c/3');
SELECT databuild.succeed(pg_temp.run('t/2'));
-- what was queued is not handed out before the new inputs are there
SELECT pg_temp.claim(ARRAY['t'], 10);
SELECT * FROM pg_temp.states() WHERE ref IN ('t/1', 'c/1');
SELECT count(*) FROM pg_temp.claim(ARRAY['in'], 10);
SELECT databuild.succeed(pg_temp.run('c/1'));
SELECT pg_temp.claim(ARRAY['t'], 10);
-- what waits gets a want on the new ones
SELECT databuild.want(ARRAY['t/5'], 5) > 0;
SELECT databuild.define_job('t', ARRAY['t/(.)'], inputs => ARRAY['d/\1']);
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/5';
SELECT ref, upstream FROM databuild.dependencies WHERE ref = 't/5';
SELECT looked_at >= 0 FROM databuild.tick();
SELECT count(*) FROM pg_temp.claim(ARRAY['in'], 10) AS c WHERE c = 'd/5';
SELECT databuild.succeed(pg_temp.run('d/5'));
SELECT pg_temp.claim(ARRAY['t'], 10);
-- one that had none
SELECT databuild.define_job('plain', ARRAY['plain/(.)'], inputs => ARRAY['e/\1']);
SELECT pg_temp.claim(ARRAY['plain'], 10);
SELECT * FROM pg_temp.states() WHERE ref IN ('plain/1', 'e/1');
-- refs change hands, and with that their inputs
SELECT databuild.define_job('plain', ARRAY['nothing']);
SELECT pg_temp.state('plain/1');
SELECT databuild.define_job('heir', ARRAY['plain/(.)'], inputs => ARRAY['f/\1']);
SELECT * FROM pg_temp.states() WHERE ref IN ('plain/1', 'e/1', 'f/1');
SELECT ref, upstream FROM databuild.dependencies WHERE ref = 'plain/1';
-- blocked by an input that is needed no more
SELECT databuild.define_job('v', ARRAY['v/(.)'], inputs => ARRAY['a/\1', 'b/\1']);
SELECT databuild.want(ARRAY['v/6'], 9) > 0;
SELECT pg_temp.claim();
SELECT databuild.fail(pg_temp.run('a/6'), 'x', false);
SELECT pg_temp.state('v/6');
SELECT databuild.define_job('v', ARRAY['v/(.)'], inputs => ARRAY['b/\1']);
SELECT * FROM pg_temp.why('v/6');
-- by new ones that are failed already
SELECT databuild.define_job('v', ARRAY['v/(.)'], inputs => ARRAY['a/\1']);
SELECT * FROM pg_temp.why('v/6');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
