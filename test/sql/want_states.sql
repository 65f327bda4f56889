-- Someone would look at a want and see another state than that of its partitions.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 2, backoff => '0');
SELECT databuild.define_source('s', ARRAY['s/.*']);
-- one partition in each state, and a want on each pair of them: the first of this order that any of the two is in
SELECT databuild.want(ARRAY['live', 'failed', 'building', 'retry', 'ub', 'uf', 'queued', 's/missing']) AS base \gset
SELECT count(*) FROM databuild.claim('w', max_runs => 10);
SELECT databuild.succeed(pg_temp.run('live'));
SELECT databuild.fail(pg_temp.run('failed'), 'x', false);
SELECT databuild.miss(pg_temp.run('ub'), ARRAY['s/missing']);
SELECT databuild.miss(pg_temp.run('uf'), ARRAY['failed']);
SELECT databuild.miss(pg_temp.run('queued'), ARRAY['live']);
SELECT databuild.fail(pg_temp.run('retry'), 'x');
SELECT * FROM pg_temp.states();
CREATE TEMP TABLE pair AS SELECT a.ref AS a, b.ref AS b, databuild.want(ARRAY[a.ref, b.ref]) AS want_id FROM databuild.partitions a, databuild.partitions b WHERE a.ref <= b.ref;
SELECT a, b, state, live || '/' || total FROM pair JOIN databuild.wants USING (want_id) ORDER BY 1, 2;
-- it follows its partitions, back and forth
SELECT databuild.publish(ARRAY['failed', 's/missing', 'retry', 'uf', 'queued']);
SELECT databuild.succeed(pg_temp.run('building'));
SELECT state, live, total FROM databuild.wants WHERE want_id = :base;
SELECT * FROM pg_temp.states();
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('ub'));
SELECT state, live, total, ended_at FROM databuild.wants WHERE want_id = :base;
SELECT DISTINCT state FROM databuild.wants;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
