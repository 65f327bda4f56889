-- A function would be asked ref by ref, so that a want of very many refs, or of one with a long chain of inputs, takes for ever.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
SET jit = off;
DROP SCHEMA IF EXISTS regress_functions CASCADE;
CREATE SCHEMA regress_functions;
-- settings that it makes last as long as the statement that asks: so it can count how often it is asked in one
CREATE FUNCTION regress_functions.count(ref text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	n int := coalesce(nullif(current_setting('regress.n', true), ''), '0')::int;
BEGIN
	PERFORM set_config('regress.n', (n + 1)::text, false);
	RETURN ARRAY['thousand/' || n / 1000];
END $$;
SELECT databuild.define_source('thousand', ARRAY['thousand/.*']);
SELECT databuild.define_job('m', ARRAY['m/.*'], inputs_function => 'regress_functions.count(text)');
SELECT databuild.want(ARRAY(SELECT 'm/' || i FROM generate_series(1, 20000) AS i)) > 0;
SELECT count(*), count(DISTINCT upstream) FROM databuild.dependencies;
SELECT min(n), max(n) FROM (SELECT count(*) AS n FROM databuild.dependencies GROUP BY upstream) AS u;
-- nobody else counts on
SELECT databuild.want(ARRAY['m/more']) > 0;
SELECT upstream FROM databuild.dependencies WHERE ref = 'm/more';
-- a definition asks about 10,000 at a time
SELECT databuild.define_job('m', ARRAY['m/.*'], config => '1', inputs_function => 'regress_functions.count(text)');
SELECT count(*), count(DISTINCT upstream) FROM databuild.dependencies;

-- inputs of inputs, 1,000 levels: a statement each, and every level with all of its refs
CREATE FUNCTION regress_functions.one_less(ref text) RETURNS text[] LANGUAGE sql IMMUTABLE AS
	$$SELECT ARRAY['deep/' || split_part(ref, '/', 2) || '/' || split_part(ref, '/', 3)::int - 1] WHERE split_part(ref, '/', 3)::int > 0$$;
SELECT databuild.define_job('deep', ARRAY['deep/.*'], inputs_function => 'regress_functions.one_less(text)');
SELECT count(*) FROM databuild.plan(ARRAY['deep/a/1000', 'deep/b/1000', 'deep/a/10']);
SELECT databuild.want(ARRAY['deep/a/1000', 'deep/b/1000', 'deep/a/10']) > 0;
SELECT state, count(*) FROM databuild.partitions WHERE job = 'deep' GROUP BY 1 ORDER BY 1;
SELECT array_agg(partitions ORDER BY partitions) FROM databuild.claim('w', max_runs => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT array_agg(partitions ORDER BY partitions) FROM databuild.claim('w', max_runs => 10);
DROP SCHEMA regress_functions CASCADE;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
