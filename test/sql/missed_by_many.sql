-- A run of a hundred outputs that misses fifty thousand refs would hold its call up for half a minute: outputs times refs.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS databuild;
CREATE EXTENSION databuild;
\pset format unaligned
\pset tuples_only on
-- whether the transaction has read more than sixty rows of any table for each output and each ref
CREATE FUNCTION pg_temp.much_read(outputs_and_refs int) RETURNS TABLE (relname name, each bigint) LANGUAGE sql AS
	$$SELECT relname, idx_tup_fetch / outputs_and_refs FROM pg_stat_xact_user_tables WHERE schemaname = 'databuild' AND idx_tup_fetch > 60 * outputs_and_refs ORDER BY 1$$;
CREATE FUNCTION pg_temp.states() RETURNS TABLE (kind text, state text, n bigint) LANGUAGE sql AS
	$$SELECT split_part(ref, '/', 1), state, count(*) FROM databuild.partitions GROUP BY 1, 2 ORDER BY 1, 2$$;
SELECT databuild.define_source('in', ARRAY['in/.*']);
SELECT databuild.define_job('mid', ARRAY['mid/.*'], batch_size => 1000);
SELECT databuild.define_job('out', ARRAY['out/.*'], batch_size => 100);
SELECT databuild.define_job('bad', ARRAY['bad/.*'], batch_size => 1000, max_attempts => 1);
SELECT databuild.define_job('late', ARRAY['late/.*'], batch_size => 100);
SELECT databuild.want(ARRAY(SELECT 'out/' || i FROM generate_series(1, 100) AS i)) > 0;
SELECT run_id FROM databuild.claim('w') \gset
-- what is missing waits for nothing
BEGIN;
SELECT databuild.miss(:run_id, ARRAY(SELECT 'mid/' || i FROM generate_series(1, 1000) AS i));
SELECT * FROM pg_temp.much_read(1100);
COMMIT;
-- what waits is missed itself: then who waits for it is searched for circles
SELECT run_id FROM databuild.claim('w', ARRAY['mid']) \gset
BEGIN;
SELECT databuild.miss(:run_id, ARRAY['in/1']);
SELECT * FROM pg_temp.much_read(1100);
COMMIT;
SELECT * FROM pg_temp.states();
-- a circle of all of them
SELECT databuild.publish(ARRAY['in/1']);
SELECT run_id FROM databuild.claim('w', ARRAY['mid']) \gset
BEGIN;
SELECT databuild.miss(:run_id, ARRAY(SELECT 'out/' || i FROM generate_series(1, 100) AS i), ARRAY['mid/7']);
SELECT * FROM pg_temp.much_read(1100);
COMMIT;
SELECT * FROM pg_temp.states();
SELECT detail FROM databuild.why('mid/7');
-- all that was missed fails at once
SELECT databuild.want(ARRAY(SELECT 'late/' || i FROM generate_series(1, 100) AS i)) > 0;
SELECT run_id FROM databuild.claim('w', ARRAY['late']) \gset
SELECT databuild.miss(:run_id, ARRAY(SELECT 'bad/' || i FROM generate_series(1, 1000) AS i));
SELECT run_id FROM databuild.claim('w', ARRAY['bad']) \gset
BEGIN;
SELECT databuild.fail(:run_id, 'disk full');
SELECT * FROM pg_temp.much_read(1100);
COMMIT;
SELECT * FROM pg_temp.states();
SELECT * FROM databuild.check_invariants();

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
