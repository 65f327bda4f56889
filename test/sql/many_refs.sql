-- A want or miss of very many partitions would be cut short, or its event too large.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
SET jit = off;
SELECT databuild.define_job('n', ARRAY['n/[0-9]+'], config => '{"n": 1}');
SELECT databuild.define_job('top', ARRAY['top']);
SELECT databuild.want(ARRAY(SELECT 'n/' || i FROM generate_series(1, 25000) AS i), 3) > 0;
SELECT count(*), count(DISTINCT ref) FROM databuild.want_partitions;
SELECT state, total, live, priority FROM databuild.wants;
SELECT state, count(*) FROM databuild.partitions GROUP BY 1 ORDER BY 1;
-- no event names more than 10,000 tokens
SELECT kind, count(*), max(cardinality(refs)) <= 10000, sum(cardinality(refs)) FROM databuild.events WHERE refs IS NOT NULL GROUP BY 1 ORDER BY 1;
-- a claim hands out no more than so many
SELECT count(*), count(DISTINCT run_id), count(DISTINCT partitions), min(config::text) FROM databuild.claim('w', max_runs => 20000);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs));
SELECT state, total, live FROM databuild.wants;
SELECT databuild.publish(ARRAY(SELECT 'n/' || i FROM generate_series(1, 25000) AS i));
SELECT state, total, live FROM databuild.wants;
SELECT count(*) FROM databuild.instances;
SELECT count(*) FROM databuild.claim('w', max_runs => 20000);
-- a miss of many: a run waits for all of them
SELECT databuild.want(ARRAY['top']) > 0;
SELECT count(*) FROM databuild.claim('w');
SELECT databuild.miss(pg_temp.run('top'), ARRAY(SELECT 'n/' || i FROM generate_series(24001, 37000) AS i));
SELECT count(*) FROM databuild.dependencies;
SELECT state, total, live, run_id IS NOT NULL FROM databuild.wants ORDER BY want_id;
SELECT count(*) FROM databuild.why('top', max_children => 5);
SELECT databuild.publish(ARRAY(SELECT 'n/' || i FROM generate_series(25001, 36999) AS i));
SELECT state FROM databuild.partitions WHERE ref = 'top';
SELECT depth, partition, reason FROM databuild.why('top');
SELECT databuild.publish(ARRAY['n/37000']);
SELECT state FROM databuild.partitions WHERE ref = 'top';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
