-- Partitions that wait for each other would wait for ever, and nobody would be told.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
CREATE FUNCTION pg_temp.why(ref text, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text) RETURNS SETOF record LANGUAGE sql AS
	'SELECT depth, partition, state, reason, detail FROM databuild.why($1)';

SELECT databuild.define_job('j', ARRAY['[a-z0-9]+']);
-- of one
SELECT databuild.want(ARRAY['self']) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('self'), ARRAY['self']);
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.why('self');
SELECT hint <> '' FROM databuild.why('self');
SELECT * FROM pg_temp.wants();
SELECT state FROM databuild.job_runs ORDER BY 1;
SELECT pg_temp.claim(n => 10);

-- of two; and what only waits for one of them has a failed input
SELECT databuild.want(ARRAY['a2', 'z2']) > 0;
SELECT pg_temp.claim(n => 2);
SELECT databuild.miss(pg_temp.run('a2'), ARRAY['b2', 'c2']);
SELECT databuild.miss(pg_temp.run('z2'), ARRAY['a2']);
SELECT pg_temp.claim(n => 2);
SELECT databuild.miss(pg_temp.run('b2'), ARRAY['a2']);
SELECT * FROM pg_temp.states() WHERE ref LIKE '%2';
SELECT * FROM pg_temp.why('z2');
SELECT * FROM pg_temp.why('b2');
SELECT ref, attempts FROM databuild.partitions WHERE ref IN ('a2', 'b2') ORDER BY 1;
-- what they needed is not wanted by them any more, but its run goes on
SELECT databuild.succeed(pg_temp.run('c2'));
SELECT * FROM pg_temp.states() WHERE ref LIKE '%2';

-- of three, closed from the middle, with a way round that is no cycle
SELECT databuild.want(ARRAY['a3', 'd3']) > 0;
SELECT pg_temp.claim(n => 2);
SELECT databuild.miss(pg_temp.run('a3'), ARRAY['b3', 'd3']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('b3'), ARRAY['c3', 'd3']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('c3'), ARRAY['d3', 'a3']);
SELECT * FROM pg_temp.states() WHERE ref LIKE '%3';
SELECT * FROM pg_temp.why('a3');
SELECT DISTINCT detail FROM databuild.why('b3') UNION SELECT DISTINCT detail FROM databuild.why('c3');
SELECT databuild.succeed(pg_temp.run('d3'));

-- a diamond is no cycle
SELECT databuild.want(ARRAY['top']) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('top'), ARRAY['left', 'right']);
SELECT pg_temp.claim(n => 2);
SELECT databuild.miss(pg_temp.run('left'), ARRAY['base']);
SELECT databuild.miss(pg_temp.run('right'), ARRAY['base', 'left']);
SELECT pg_temp.claim(n => 9);
SELECT databuild.succeed(pg_temp.run('base'));
SELECT pg_temp.claim(n => 9);
SELECT databuild.succeed(pg_temp.run('left'));
SELECT pg_temp.claim(n => 9);
SELECT databuild.succeed(pg_temp.run('right'));
SELECT pg_temp.claim(n => 9);
SELECT databuild.succeed(pg_temp.run('top'));
SELECT * FROM pg_temp.states() WHERE ref IN ('top', 'left', 'right', 'base');

-- published, one of a cycle is there; the other stays as a record until someone does something about it
SELECT databuild.publish(ARRAY['a2']);
SELECT * FROM pg_temp.states() WHERE ref LIKE '%2';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
