-- A want of very many refs would take hours, if ANALYZE came while the rows of another one were not committed and took the tables for empty.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS databuild;
CREATE EXTENSION databuild;
\pset format unaligned
\pset tuples_only on
-- what such an ANALYZE leaves: many pages, next to no rows
CREATE FUNCTION pg_temp.take_for_empty() RETURNS void LANGUAGE sql AS
	$$UPDATE pg_class SET reltuples = 1, relpages = 100000 WHERE relnamespace = 'databuild'::regnamespace AND relkind = 'r'$$;
-- the tables of which more than so many rows were read for each of 2,000 refs; 64 at a time share a block
CREATE FUNCTION pg_temp.much_read(a_ref int) RETURNS TABLE (relname name, each bigint) LANGUAGE sql AS
	$$SELECT relname, idx_tup_fetch / 2000 FROM pg_stat_xact_user_tables WHERE schemaname = 'databuild' AND idx_tup_fetch > a_ref * 2000 ORDER BY 1$$;
SELECT databuild.define_source('in', ARRAY['in/.*']);
SELECT databuild.define_job('out', ARRAY['out/(.*)'], inputs => ARRAY['in/\1', 'in/all']);
SELECT pg_temp.take_for_empty();
BEGIN;
SELECT databuild.want(ARRAY(SELECT 'out/' || i FROM generate_series(1, 2000) AS i)) > 0;
SELECT * FROM pg_temp.much_read(500);
COMMIT;
-- as their inputs become live
BEGIN;
SELECT databuild.publish(ARRAY(SELECT 'in/' || i FROM generate_series(1, 2000) AS i));
SELECT * FROM pg_temp.much_read(500);
COMMIT;
BEGIN;
SELECT databuild.publish(ARRAY['in/all']);
SELECT * FROM pg_temp.much_read(500);
COMMIT;
SELECT state, count(*) FROM databuild.partitions GROUP BY 1 ORDER BY 1;
BEGIN;
SELECT databuild.cancel_want(1);
SELECT * FROM pg_temp.much_read(500);
COMMIT;
SELECT state, count(*) FROM databuild.partitions GROUP BY 1 ORDER BY 1;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
