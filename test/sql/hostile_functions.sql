-- A job's function could do more than its role may, change databuild in the middle of a call, or leave something behind in the caller's session.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
-- how a call is refused: SQLSTATE, message, detail, hint, and what was being asked
DROP FUNCTION pg_temp.refused;
CREATE FUNCTION pg_temp.refused(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text; context text;
BEGIN
	EXECUTE call;
	RETURN 'NOT REFUSED: ' || call;
EXCEPTION WHEN OTHERS OR query_canceled THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
		context = PG_EXCEPTION_CONTEXT;
	RETURN state || ' ' || message || CASE detail WHEN '' THEN '' ELSE ' / ' || detail END || CASE hint WHEN '' THEN '' ELSE ' / ' || hint END
		|| coalesce(' / ' || substring(context from 'function [^\n]*, asked about ref "[^"\n]*"'), '');
END $$;
DROP SCHEMA IF EXISTS regress_functions CASCADE;
CREATE SCHEMA regress_functions;
CREATE TABLE regress_functions.t (x text);
CREATE SEQUENCE regress_functions.s;
CREATE TEMP TABLE of_the_session (x text);
GRANT ALL ON of_the_session TO PUBLIC;
-- it runs the rest of the ref as a statement, and returns what that gives
CREATE FUNCTION regress_functions.obey(ref text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE substr(ref, 6) INTO result;
	RETURN ARRAY['in/' || result];
END $$;
-- the same, and keeps errors to itself
CREATE FUNCTION regress_functions.hush(ref text) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE substr(ref, 6);
	RETURN ARRAY['in/done'];
EXCEPTION WHEN OTHERS THEN
	RETURN ARRAY['in/' || SQLSTATE];
END $$;
-- a superuser's
SELECT databuild.define_job('obey', ARRAY['obey/.*'], inputs_function => 'regress_functions.obey(text)');
SELECT databuild.define_job('hush', ARRAY['hush/.*'], inputs_function => 'regress_functions.hush(text)');
SELECT databuild.define_job('in', ARRAY['in/.*']);
SELECT databuild.define_job('plain', ARRAY['[a-z]*']);
SELECT databuild.want(ARRAY['plain']) > 0;
SELECT run_id FROM databuild.claim('w') \gset
CREATE ROLE regress_databuild_other;
GRANT USAGE ON SCHEMA databuild TO regress_databuild_other;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databuild TO regress_databuild_other;

CREATE TEMP TABLE statements (n serial, s text);
INSERT INTO statements (s) VALUES
	-- another role, settings that say who it is
	('SET ROLE regress_databuild_other'), ('SET LOCAL ROLE regress_databuild_other'), ('RESET ROLE'), ('SET SESSION AUTHORIZATION regress_databuild_other'),
	('RESET SESSION AUTHORIZATION'), ('SELECT set_config(''role'', ''regress_databuild_other'', false)'), ('RESET ALL'),
	-- writing, in any form
	('INSERT INTO regress_functions.t VALUES (1)'), ('DELETE FROM databuild.event'), ('UPDATE databuild.partition SET state = ''L'' RETURNING ref'),
	('TRUNCATE databuild.want'), ('SELECT nextval(''regress_functions.s'')'), ('CREATE TABLE regress_functions.u (x int)'), ('CREATE TEMP TABLE mine (x int)'),
	('CREATE OPERATOR public.= (LEFTARG = bigint, RIGHTARG = text, FUNCTION = texteq)'), ('DROP FUNCTION regress_functions.obey(text)'),
	('SELECT 1 FROM databuild.partition FOR UPDATE'), ('COPY regress_functions.t FROM ''/dev/null'''), ('ALTER ROLE regress_databuild_other SUPERUSER'),
	('SET transaction_read_only = off'), ('SET TRANSACTION READ WRITE'), ('SELECT databuild.replay()'),
	-- databuild, which is in the middle of a call
	('SELECT databuild.want(ARRAY[''a''])'), ('SELECT databuild.claim(''thief'')'), ('SELECT databuild.tick()'), ('SELECT databuild.define_job(''more'', ARRAY[''more''])'),
	('SELECT databuild.define_source(''more'', ARRAY[''more''])'), ('SELECT databuild.publish(ARRAY[''a''])'), ('SELECT databuild.taint(ARRAY[''plain''], '''')'),
	('SELECT databuild.plan(ARRAY[''hush/x''])'), ('SELECT databuild.inputs_of(ARRAY[''plain''])'), ('SELECT databuild.succeed(<run>)'), ('SELECT databuild.heartbeat(ARRAY[<run>])'),
	-- what would last longer than the call
	('PREPARE mine AS SELECT 1'), ('DEALLOCATE ALL'), ('DISCARD ALL'), ('DECLARE mine CURSOR WITH HOLD FOR SELECT 1'), ('LISTEN mine'), ('UNLISTEN *'),
	('COMMIT'), ('SAVEPOINT s'), ('CALL databuild.wait_want(1)');
CREATE FUNCTION pg_temp.obeyed(job text, s text, run_id text) RETURNS text LANGUAGE sql AS
	$$SELECT substring(pg_temp.refused(format('SELECT databuild.want(ARRAY[%L])', job || '/' || replace(s, '<run>', run_id))) FROM '^[^/]*')$$;
SELECT count(*) AS told FROM databuild.events \gset
SELECT s, pg_temp.obeyed('obey', s, :'run_id') FROM statements ORDER BY n;
SELECT count(*) - :told FROM databuild.events;
-- one that knows how to go on after an error gets no further
SELECT count(databuild.want(ARRAY['hush/' || replace(s, '<run>', :'run_id')])) FROM statements;
SELECT s, upstream FROM statements, databuild.dependencies WHERE ref = 'hush/' || replace(s, '<run>', :'run_id') ORDER BY n;
SELECT string_agg(ref, ', ') FROM databuild.partitions WHERE ref !~ '/';
SELECT count(*) FROM databuild.job_runs;

-- what is allowed and would be left behind is taken back
SELECT databuild.want(ARRAY[
	'hush/SET work_mem = ''1234kB''', 'hush/SET LOCAL enable_sort = off', 'hush/SELECT set_config(''regress.x'', ''left'', false)', 'hush/SET search_path = regress_functions',
	'hush/SET statement_timeout = 1', 'hush/SET timezone = ''Asia/Tokyo''', 'hush/DECLARE mine CURSOR FOR SELECT 1', 'hush/NOTIFY regress_functions',
	'hush/INSERT INTO of_the_session VALUES (1)', 'hush/SELECT pg_advisory_xact_lock(4711)', 'hush/LOCK TABLE regress_functions.t IN ACCESS SHARE MODE']) > 0;
SELECT body -> 'inputs' FROM databuild.events WHERE 'hush/NOTIFY regress_functions' = ANY (refs) AND kind = 'declared';
BEGIN;
SELECT databuild.want(ARRAY['hush/SELECT pg_advisory_xact_lock(4712)', 'hush/DECLARE mine CURSOR FOR SELECT 2', 'hush/LOCK TABLE regress_functions.t IN ACCESS SHARE MODE  ']) > 0;
SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND (locktype = 'advisory' AND objid IN (4711, 4712) OR relation = 'regress_functions.t'::regclass);
SELECT name FROM pg_cursors;
SHOW transaction_read_only;
COMMIT;
SHOW work_mem;
SHOW enable_sort;
SELECT current_setting('regress.x', true) IS DISTINCT FROM 'left';
SHOW search_path;
SHOW statement_timeout;
SHOW timezone;
SHOW client_min_messages;
SELECT count(*) FROM of_the_session;
SELECT current_user = session_user;
SELECT count(*) FROM regress_functions.t;

-- it sees the same settings, whatever the caller's are
SET search_path = regress_functions, public;
SET intervalstyle = 'sql_standard';
SET timezone = 'Asia/Tokyo';
SET enable_seqscan = off;
SET extra_float_digits = 0;
SET bytea_output = 'escape';
SET row_security = off;
SET standard_conforming_strings = off;
SELECT databuild.want(ARRAY['obey/SHOW search_path', 'obey/SHOW datestyle', 'obey/SHOW intervalstyle', 'obey/SHOW timezone', 'obey/SHOW enable_hashjoin', 'obey/SHOW enable_seqscan',
	'obey/SHOW plan_cache_mode', 'obey/SHOW transaction_read_only', 'obey/SHOW extra_float_digits', 'obey/SHOW bytea_output', 'obey/SHOW row_security',
	'obey/SHOW standard_conforming_strings']) > 0;
SELECT ref, upstream FROM databuild.dependencies WHERE ref ~ '^obey/SHOW' ORDER BY 1;
RESET search_path;
RESET intervalstyle;
RESET timezone;
RESET enable_seqscan;
RESET extra_float_digits;
RESET bytea_output;
RESET row_security;
RESET standard_conforming_strings;
-- and may read, also databuild; within a call of databuild's or of nobody's
SELECT databuild.want(ARRAY['obey/SELECT state FROM databuild.partitions WHERE ref = ''plain''', 'obey/SELECT reason FROM databuild.why(''plain'')']) > 0;
SELECT ref, upstream FROM databuild.dependencies WHERE ref ~ '^obey/SELECT' ORDER BY 1;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT databuild.want(ARRAY['obey/SELECT 1', 'hush/SELECT 1/0 ']) > 0;
COMMIT;
BEGIN;
SAVEPOINT a;
SELECT pg_temp.obeyed('obey', 'SELECT 1/0', '');
SELECT databuild.want(ARRAY['obey/SELECT 2']) > 0;
ROLLBACK TO a;
SELECT databuild.want(ARRAY['obey/SELECT 3']) > 0;
COMMIT;
SELECT ref, upstream FROM databuild.dependencies WHERE ref ~ '^obey/SELECT \d' ORDER BY 1;
SELECT * FROM databuild.check_invariants();
DROP SCHEMA regress_functions CASCADE;
DROP OWNED BY regress_databuild_other;
DROP ROLE regress_databuild_other;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
