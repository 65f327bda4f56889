-- A look at wants, partitions or the like would take hours, if ANALYZE came while the rows of a large want were not committed and took the tables for empty.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS databuild;
CREATE EXTENSION databuild;
\pset format unaligned
\pset tuples_only on
-- what such an ANALYZE leaves: many pages, next to no rows
CREATE FUNCTION pg_temp.take_for_empty() RETURNS void LANGUAGE sql AS
	$$UPDATE pg_class SET reltuples = 1, relpages = 100000 WHERE relnamespace = 'databuild'::regnamespace AND relkind = 'r'$$;
CREATE FUNCTION pg_temp.read_so_far() RETURNS TABLE (relname name, n bigint) LANGUAGE sql AS
	$$SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE schemaname = 'databuild'$$;
-- the tables of which a statement reads more than 500 rows for each of 2,000 refs
CREATE FUNCTION pg_temp.much_read(statement text) RETURNS TABLE (relname name, each bigint) LANGUAGE plpgsql AS $$
DECLARE
	before jsonb := (SELECT jsonb_object_agg(r.relname, r.n) FROM pg_temp.read_so_far() AS r);
BEGIN
	EXECUTE statement;
	RETURN QUERY SELECT r.relname, (r.n - (before ->> r.relname)::bigint) / 2000 FROM pg_temp.read_so_far() AS r
		WHERE r.n - (before ->> r.relname)::bigint > 500 * 2000 ORDER BY 1;
END $$;
SELECT databuild.define_source('in', ARRAY['in/.*']);
SELECT databuild.define_job('all', ARRAY['all/.*']);
SELECT databuild.define_job('one', ARRAY['one/(.*)'], batch_size => 500);
SELECT databuild.define_job('two', ARRAY['two/(.*)'], inputs => ARRAY['one/\1', 'in/all']);
-- live ones that read others, tainted, waiting and missed ones, wants that are over
SELECT databuild.publish(ARRAY(SELECT 'in/' || i FROM generate_series(1, 2000) AS i));
SELECT databuild.want(ARRAY(SELECT 'one/' || i FROM generate_series(1, 2000) AS i), sla => '0 s', key => 'k') > 0;
SELECT count(databuild.succeed(run_id, reads => ARRAY(SELECT replace(u, 'one', 'in') FROM unnest(partitions) AS u))) FROM databuild.claim('w', max_runs => 3);
SELECT databuild.want(ARRAY['all/1', 'all/2']) > 0;
SELECT count(databuild.miss(run_id, ARRAY(SELECT 'in/missed/' || i FROM generate_series(1, 1000) AS i))) FROM databuild.claim('w', ARRAY['all'], 2);
SELECT databuild.want(ARRAY(SELECT 'two/' || i FROM generate_series(1, 2000) AS i)) > 0;
SELECT databuild.want(ARRAY(SELECT 'one/' || i FROM generate_series(1, 2000) AS i)) AS extra \gset
SELECT databuild.cancel_want(:extra);
SELECT databuild.taint(ARRAY(SELECT 'one/' || i FROM generate_series(1, 1000) AS i), 'wrong') > 0;
SELECT databuild.publish(ARRAY(SELECT 'in/' || i FROM generate_series(1, 2000) AS i));
SELECT FROM databuild.tick();
SELECT pg_temp.take_for_empty();
-- that much time the square would need, and more
SET statement_timeout = '3min';

-- whatever readers may read, every column of it
SELECT v.object, m.relname, m.each FROM databuild.rights v
	CROSS JOIN LATERAL pg_temp.much_read(format('SELECT count(x::text) FROM %s AS x', substr(v.object, 7))) AS m
	WHERE v.class = 'reader' AND v.object LIKE 'TABLE %' ORDER BY 1, 2;
SELECT count(*) > 15 FROM databuild.rights v WHERE v.class = 'reader' AND v.object LIKE 'TABLE %';
-- and ask
SELECT q.statement, m.relname, m.each FROM (VALUES
	($$SELECT count(*) FROM databuild.why('two/1')$$),
	($$SELECT count(*) FROM databuild.why('all/1', max_children => 500)$$),
	($$SELECT count(*) FROM databuild.why('two/1', at => clock_timestamp())$$),
	($$SELECT count(w::text) FROM databuild.wants v CROSS JOIN LATERAL databuild.why_want(v.want_id) AS w$$),
	($$SELECT count(*) FROM databuild.lineage('in/7', 'downstream')$$),
	($$SELECT count(*) FROM databuild.plan(ARRAY(SELECT 'two/' || i FROM generate_series(1, 2000) AS i))$$),
	($$SELECT max(databuild.want_dot(want_id)) FROM databuild.wants$$),
	($$SELECT max(databuild.report_html(want_id)) FROM databuild.wants$$)) AS q(statement)
	CROSS JOIN LATERAL pg_temp.much_read(q.statement) AS m ORDER BY 1, 2;

-- one ref, one want, one taint: a small table is read at most, and once
CREATE FUNCTION pg_temp.found(statement text) RETURNS TABLE (rows_read bigint) LANGUAGE plpgsql AS $$
DECLARE
	before bigint := (SELECT sum(r.n) FROM pg_temp.read_so_far() AS r);
BEGIN
	EXECUTE statement;
	RETURN QUERY SELECT (sum(r.n) - before)::bigint FROM pg_temp.read_so_far() AS r;
END $$;
SELECT q.statement, f.rows_read < 2000 FROM (VALUES
	($$SELECT x::text FROM databuild.partitions AS x WHERE ref = 'one/7'$$),
	($$SELECT x::text FROM databuild.stale_partitions AS x WHERE ref = 'one/7'$$),
	($$SELECT x::text FROM databuild.dependencies AS x WHERE ref = 'two/7'$$),
	($$SELECT x::text FROM databuild.taint_partitions AS x WHERE ref = 'one/7'$$),
	($$SELECT x::text FROM databuild.taint_partitions AS x WHERE taint_id = 0$$),
	($$SELECT x::text FROM databuild.want_partitions AS x WHERE want_id = 0$$)) AS q(statement)
	CROSS JOIN LATERAL pg_temp.found(q.statement) AS f;

RESET statement_timeout;
-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
