-- A worker without work would ask again and again, or sleep while there is some.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS databuild;
CREATE EXTENSION databuild;
\pset format unaligned
\pset tuples_only on
\pset null -
-- how long it waited: at once, or until the timeout
CREATE TEMP TABLE began (at timestamptz);
CREATE FUNCTION pg_temp.waited() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	took interval := clock_timestamp() - (SELECT max(at) FROM began);
BEGIN
	INSERT INTO began VALUES (clock_timestamp());
	RETURN CASE WHEN took < '0.3 s' THEN 'at once' ELSE 'timeout' END;
END $$;
SELECT databuild.define_job('a', ARRAY['a/.*']);
SELECT databuild.define_job('b', ARRAY['b/.*'], backoff => '0.5 s');
SELECT databuild.define_source('s', ARRAY['s/.*']);
INSERT INTO began VALUES (clock_timestamp());
-- nothing to do
CALL databuild.wait_work(timeout => '0.4 s');
SELECT pg_temp.waited();
-- work of one job is none for those who wait for the other, and none while it is paused
SELECT databuild.want(ARRAY['a/1', 's/1']) > 0;
SELECT pg_temp.waited() IS NOT NULL;
CALL databuild.wait_work();
SELECT pg_temp.waited();
CALL databuild.wait_work(ARRAY['a']);
SELECT pg_temp.waited();
CALL databuild.wait_work(ARRAY['b'], '0.4 s');
SELECT pg_temp.waited();
SELECT databuild.pause_job('a');
CALL databuild.wait_work(timeout => '0.4 s');
SELECT pg_temp.waited();
SELECT databuild.resume_job('a');
-- what is claimed is not to be claimed
SELECT run_id FROM databuild.claim('w') \gset
SELECT pg_temp.waited() IS NOT NULL;
CALL databuild.wait_work(timeout => '0.4 s');
SELECT pg_temp.waited();
-- what backs off is waited for
SELECT databuild.want(ARRAY['b/1']) > 0;
SELECT run_id AS b FROM databuild.claim('w', ARRAY['b']) \gset
SELECT databuild.fail(:b, 'x');
CALL databuild.wait_work(ARRAY['b']);
SELECT count(*) FROM databuild.claim('w', ARRAY['b']);
-- refused
\set VERBOSITY sqlstate
CALL databuild.wait_work(ARRAY['c']);
CALL databuild.wait_work('{}');
CALL databuild.wait_work(ARRAY[NULL]);
CALL databuild.wait_work(timeout => NULL);
CALL databuild.wait_work(timeout => '-1 s');
BEGIN;
CALL databuild.wait_work(ARRAY['b'], '0 s');
ROLLBACK;
SELECT * FROM databuild.verify();
