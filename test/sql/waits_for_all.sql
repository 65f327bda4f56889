-- A partition would be built before all of its inputs are there, or a second want on it would not see that it waits.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.want(ARRAY['top']) > 0;
SELECT pg_temp.claim();
-- a second want on what is building: both see the same build
SELECT databuild.want(ARRAY['top', 'other']) > 0;
SELECT * FROM pg_temp.wants();
SELECT databuild.miss(pg_temp.run('top'), ARRAY['a', 'b', 'a']);
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
SELECT ref, upstream FROM databuild.dependencies ORDER BY 1, 2;

-- one of two is there: not yet
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('b'));
SELECT * FROM pg_temp.states() WHERE ref = 'top';
SELECT pg_temp.claim(n => 10);
-- both are: at once
SELECT databuild.succeed(pg_temp.run('a'));
SELECT * FROM pg_temp.states() WHERE ref = 'top';
SELECT count(*) FROM databuild.dependencies;
SELECT pg_temp.claim(n => 10);

-- it finds out bit by bit: a run a finding, and what is live already is no reason to wait
SELECT databuild.miss(pg_temp.run('top'), ARRAY['a', 'c']);
SELECT ref, upstream FROM databuild.dependencies ORDER BY 1, 2;
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('c'));
SELECT pg_temp.claim();
-- everything that it misses is live by now: queued again at once
SELECT databuild.miss(pg_temp.run('top'), ARRAY['a', 'b', 'c']);
SELECT * FROM pg_temp.states() WHERE ref = 'top';
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('top'));
SELECT databuild.succeed(pg_temp.run('other'));
SELECT * FROM pg_temp.wants();
SELECT state, count(*) FROM databuild.instances WHERE ref = 'top' GROUP BY 1 ORDER BY 1;

-- many inputs, far apart in the tables, made in the order opposite to that in which they were named
SELECT databuild.define_job('n', ARRAY['n/[0-9]+']);
SELECT databuild.want(ARRAY(SELECT 'n/' || i FROM generate_series(1, 300) AS i), -1) > 0;
SELECT databuild.want(ARRAY['wide']) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('wide'), ARRAY(SELECT 'n/' || i FROM generate_series(1, 300, 3) AS i));
SELECT count(*) FROM databuild.dependencies WHERE ref = 'wide';
SELECT count(*) FROM databuild.claim('w', max_runs => 1000);
SELECT count(databuild.succeed(pg_temp.run('n/' || i))) FROM generate_series(298, 4, -3) AS i;
SELECT * FROM pg_temp.states() WHERE ref = 'wide';
SELECT databuild.succeed(pg_temp.run('n/1'));
SELECT * FROM pg_temp.states() WHERE ref = 'wide';

-- many wait for one
SELECT databuild.want(ARRAY['wa', 'wb', 'wc', 'wd', 'wide'], 5) > 0;
SELECT pg_temp.claim(n => 5);
SELECT databuild.miss(pg_temp.run(r), ARRAY['one']) FROM unnest(ARRAY['wa', 'wb', 'wc', 'wd']) AS r;
SELECT databuild.succeed(pg_temp.run('wide'));
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('one'));
SELECT pg_temp.claim(n => 5);
SELECT count(*) FROM databuild.wants WHERE run_id IS NOT NULL AND state <> 'successful';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
