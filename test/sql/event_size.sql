-- One call with very many refs would write an event that is too large for a row.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
SET jit = off;
SELECT databuild.define_job('n', ARRAY['n/[0-9]+']);
SELECT databuild.define_job('top', ARRAY['top']);
SELECT databuild.want(ARRAY(SELECT 'n/' || i FROM generate_series(1, 10100) AS i)) > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 10000);
SELECT count(*) FROM databuild.claim('w', max_runs => 10000);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs));
SELECT databuild.want(ARRAY['top']) > 0;
SELECT count(*) FROM databuild.claim('w');
SELECT databuild.miss(pg_temp.run('top'), ARRAY(SELECT 'n/' || i FROM generate_series(10001, 20200) AS i));
-- at most 10,000 tokens an event
SELECT kind, max(cardinality(refs)) FROM databuild.events GROUP BY 1 HAVING max(cardinality(refs)) > 10000 ORDER BY 1;
SELECT kind, max(jsonb_array_length(body -> 'runs')) FROM databuild.events GROUP BY 1 HAVING max(jsonb_array_length(body -> 'runs')) > 10000 ORDER BY 1;
SELECT count(*) FROM databuild.dependencies;
SELECT state, count(*) FROM databuild.partitions GROUP BY 1 ORDER BY 1;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
