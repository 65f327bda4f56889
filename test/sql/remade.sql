-- Someone would ask for data to be made anew, and get what is there already.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.publish(ARRAY['live', 's/live']);
SELECT databuild.want(ARRAY['building', 'failed', 'queued'], 1) > 0;
SELECT pg_temp.claim(n => 2);
SELECT databuild.fail(pg_temp.run('failed'), 'x', false);
SELECT count(*) > 0 FROM pg_temp.told();
-- tainted what is live, wanted all of it, also what nobody had named
SELECT databuild.remake(ARRAY['live', 's/live', 'building', 'failed', 'queued', 'fresh'], 'new code', 8) > 0;
SELECT * FROM pg_temp.told();
SELECT ref, state, priority FROM databuild.partitions ORDER BY 1;
SELECT * FROM pg_temp.wants();
SELECT reason FROM databuild.taints;
SELECT ref FROM databuild.taint_partitions ORDER BY 1;
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('live'));
SELECT ref, count(*) FROM databuild.instances WHERE ref = 'live' GROUP BY 1;
SELECT pg_temp.claim(n => 10);
-- without a reason, with the priority of all
SELECT databuild.remake(ARRAY['live']) > 0;
SELECT ref, state, priority FROM databuild.partitions WHERE ref = 'live';
SELECT reason FROM databuild.taints ORDER BY taint_id DESC LIMIT 1;
-- what is made with it as input is not made again by that
SELECT databuild.define_job('k', ARRAY['k/(.)'], inputs => ARRAY['\1']);
SELECT databuild.publish(ARRAY['k/x', 'x']);
SELECT databuild.remake(ARRAY['x']) > 0;
SELECT pg_temp.state('k/x');
SELECT databuild.remake(ARRAY['k/x', 'x']) > 0;
SELECT * FROM pg_temp.states() WHERE ref IN ('x', 'k/x');
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('x'));
SELECT pg_temp.claim(n => 10);
SELECT pg_temp.refused('SELECT databuild.remake(ARRAY[''live'', ''no/job''])');
SELECT pg_temp.refused('SELECT databuild.remake(ARRAY[''live''], ''x'', 101)');
SELECT pg_temp.refused('SELECT databuild.remake(ARRAY[''live''], ''x'', NULL)');
SELECT pg_temp.refused('SELECT databuild.remake(NULL)');
SELECT pg_temp.refused('SELECT databuild.remake(''{}'')');
SELECT pg_temp.state('live');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
