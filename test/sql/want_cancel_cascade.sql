-- Someone would cancel a report, and its inputs, that nobody else asked for, would go on being built.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.want(ARRAY['top'], comment => 'top') > 0;
SELECT databuild.want(ARRAY['other'], comment => 'other') > 0;
SELECT pg_temp.claim(n => 2);
SELECT databuild.miss(pg_temp.run('top'), ARRAY['mid', 'shared']);
SELECT databuild.miss(pg_temp.run('other'), ARRAY['shared']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('mid'), ARRAY['low', 'running']);
SELECT databuild.want(ARRAY['running'], 50, comment => 'running') > 0;
SELECT pg_temp.claim();
SELECT databuild.cancel_want(pg_temp.want('running'));
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
SELECT count(*) > 0 FROM pg_temp.told();
-- all the way down, in the same call; what is being built goes on, what others wait for stays
SELECT databuild.cancel_want(pg_temp.want('top'), 'not needed');
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
SELECT * FROM pg_temp.told();
SELECT ref, upstream FROM databuild.dependencies ORDER BY 1, 2;
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('running'));
SELECT databuild.succeed(pg_temp.run('shared'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('other'));
SELECT * FROM pg_temp.states();

-- a failure far below, then the want above goes: what failed stays as a record, what waited falls back
SELECT databuild.want(ARRAY['a'], comment => 'a') > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('a'), ARRAY['b']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('b'), ARRAY['c', 'd']);
SELECT pg_temp.claim();
SELECT databuild.fail(pg_temp.run('c'), 'x', false);
SELECT * FROM pg_temp.states() WHERE length(ref) = 1;
SELECT databuild.cancel_want(pg_temp.want('a'));
SELECT * FROM pg_temp.states() WHERE length(ref) = 1;
SELECT refs, kind, state FROM pg_temp.wants() WHERE refs ~ '^[a-d](,|$)';

-- wanted again: it begins again, and finds what is there
SELECT databuild.want(ARRAY['top'], comment => 'again') > 0;
SELECT pg_temp.claim(n => 10);
SELECT databuild.miss(pg_temp.run('top'), ARRAY['mid', 'shared']);
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('mid'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('top'));
SELECT refs, kind, state FROM pg_temp.wants() WHERE state NOT IN ('successful', 'canceled');

-- two wants on the same top: the first cancel changes nothing below, the second ends it
SELECT databuild.want(ARRAY['two'], comment => 'two one') > 0, databuild.want(ARRAY['two'], comment => 'two two') > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('two'), ARRAY['below']);
SELECT databuild.cancel_want(pg_temp.want('two one'));
SELECT * FROM pg_temp.states() WHERE ref IN ('two', 'below');
SELECT databuild.cancel_want(pg_temp.want('two two'));
SELECT * FROM pg_temp.states() WHERE ref IN ('two', 'below');
SELECT pg_temp.claim(n => 10);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
