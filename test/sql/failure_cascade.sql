-- Someone would look at what waits for a failed input and not be told so, or not be told what failed; or the work would not go on after it is mended.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
CREATE FUNCTION pg_temp.why(ref text, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text) RETURNS SETOF record LANGUAGE sql AS
	'SELECT depth, partition, state, reason, detail FROM databuild.why($1)';

SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 1);
SELECT databuild.want(ARRAY['top']) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('top'), ARRAY['mid']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('mid'), ARRAY['root', 'fine']);
SELECT pg_temp.claim(n => 2);
SELECT databuild.succeed(pg_temp.run('fine'));
SELECT databuild.fail(pg_temp.run('root'), 'disk full');
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
SELECT * FROM pg_temp.why('top');

-- who comes later meets it at once
SELECT databuild.want(ARRAY['late', 'top', 'root']) > 0;
SELECT pg_temp.claim(n => 10);
SELECT databuild.miss(pg_temp.run('late'), ARRAY['mid']);
SELECT * FROM pg_temp.states() WHERE ref = 'late';
SELECT * FROM pg_temp.wants();
SELECT * FROM pg_temp.why('late');

-- mended: everything goes on
SELECT databuild.publish(ARRAY['root']);
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('mid'));
SELECT pg_temp.claim(n => 2);
SELECT databuild.succeed_many(ARRAY[pg_temp.run('top'), pg_temp.run('late')]);
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();

-- two inputs failed: only when both are mended
SELECT databuild.want(ARRAY['both']) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('both'), ARRAY['x', 'y']);
SELECT pg_temp.claim(n => 2);
SELECT databuild.fail(pg_temp.run('x'), 'x broke');
SELECT databuild.fail(pg_temp.run('y'), 'y broke');
SELECT * FROM pg_temp.why('both');
SELECT databuild.publish(ARRAY['x']);
SELECT * FROM pg_temp.states() WHERE ref = 'both';
SELECT databuild.publish(ARRAY['y']);
SELECT * FROM pg_temp.states() WHERE ref = 'both';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
