-- A function that says what is no ref would leave half a want, or an error that does not say whose it is.
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

-- what cannot be asked is no function of a job's: kinds, arguments, results
CREATE FUNCTION regress_functions.two(ref text, more int DEFAULT 1) RETURNS text[] LANGUAGE sql AS 'SELECT ARRAY[$1]';
CREATE FUNCTION regress_functions.name(ref name) RETURNS text[] LANGUAGE sql AS 'SELECT ARRAY[$1::text]';
CREATE FUNCTION regress_functions.none() RETURNS text[] LANGUAGE sql AS 'SELECT ARRAY[''x'']';
CREATE FUNCTION regress_functions.one(ref text) RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION regress_functions.many(ref text) RETURNS SETOF text[] LANGUAGE sql AS 'SELECT ARRAY[$1]';
CREATE FUNCTION regress_functions.list(VARIADIC refs text[]) RETURNS text[] LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION regress_functions.any(ref anyelement) RETURNS anyarray LANGUAGE sql AS 'SELECT ARRAY[$1]';
CREATE PROCEDURE regress_functions.call(ref text) LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE regress_functions.all(text) (SFUNC = array_append, STYPE = text[]);
CREATE FUNCTION pg_temp.mine(ref text) RETURNS text[] LANGUAGE sql AS 'SELECT ARRAY[$1]';
CREATE TEMP TABLE functions (n serial, f text);
INSERT INTO functions (f) VALUES ('two(text, int)'), ('name(name)'), ('none()'), ('one(text)'), ('many(text)'), ('list(text[])'), ('any(anyelement)'),
	('call(text)'), ('all(text)'), ('gone(text)');
SELECT pg_temp.refused(format('SELECT databuild.define_job(''j'', ARRAY[''x''], inputs_function => ''regress_functions.%s'')', f)) FROM functions ORDER BY n;
SELECT pg_temp.refused($$SELECT databuild.define_job('j', ARRAY['x'], outputs_function => 'regress_functions.one(text)')$$);
SELECT regexp_replace(pg_temp.refused($$SELECT databuild.define_job('j', ARRAY['x'], inputs_function => 'pg_temp.mine(text)')$$), 'pg_temp_\d+', 'pg_temp');
SELECT pg_temp.refused($$SELECT databuild.define_job('j', ARRAY['x'], inputs_function => 4294967295::oid)$$);
SELECT pg_temp.refused($$SELECT databuild.define_job('j', ARRAY['x'], inputs_function => '-')$$);
SELECT count(*) FROM databuild.jobs;
SELECT count(*) FROM databuild.events;
-- an OUT argument is a result
CREATE FUNCTION regress_functions.result(ref text, OUT needs text[]) LANGUAGE sql AS 'SELECT ARRAY[]::text[]';
SELECT databuild.define_job('result', ARRAY['result'], inputs_function => 'regress_functions.result(text)');
SELECT databuild.want(ARRAY['result']) > 0;

-- what it answers, by the ref that it is asked about: nothing at all is fine, most else is not
CREATE FUNCTION regress_functions.answers(ref text) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
	RETURN CASE substr(ref, 3)
		WHEN 'null' THEN NULL
		WHEN 'empty' THEN '{}'
		WHEN 'nulls' THEN ARRAY['in/1', NULL]
		WHEN 'empty ref' THEN ARRAY['in/1', '']
		WHEN 'long' THEN ARRAY[repeat('x', 1025)]
		WHEN 'longest' THEN ARRAY[repeat('x', 1024)]
		WHEN 'control' THEN ARRAY[E'in/\t']
		WHEN 'flat' THEN ARRAY[['in/1', 'in/2'], ['in/3', 'in/4']]
		WHEN 'from 5' THEN '[5:6]={in/1,in/2}'::text[]
		WHEN 'itself' THEN ARRAY[ref]
		WHEN 'error' THEN ARRAY[(1 / (length(ref) - 7))::text]
		WHEN 'two jobs' THEN ARRAY['p/1']
		WHEN 'no job' THEN ARRAY['nobody/1']
		END;
END $$;
SELECT databuild.define_job('a', ARRAY['a/.*'], inputs_function => 'regress_functions.answers(text)');
SELECT databuild.define_job('in', ARRAY['in/.*', 'x+']);
SELECT databuild.define_job('p1', ARRAY['p/.*']);
SELECT databuild.define_job('p2', ARRAY['p/1']);
SELECT count(*) AS told FROM databuild.events \gset
CREATE TEMP TABLE asked (n serial, ref text);
INSERT INTO asked (ref) VALUES ('nulls'), ('empty ref'), ('long'), ('control'), ('flat'), ('error'), ('two jobs');
-- each with one before and one after it that is answered well; nothing of the want is left
SELECT pg_temp.refused(format('SELECT databuild.want(ARRAY[%L, %L, %L])', 'a/ before', 'a/' || ref, 'a/~ after')) FROM asked ORDER BY n;
SELECT pg_temp.refused($$SELECT databuild.plan(ARRAY['a/error'])$$);
SELECT count(*) - :told FROM databuild.events;
SELECT count(*) FROM databuild.partitions WHERE ref <> 'result';
SELECT databuild.want(ARRAY['a/null', 'a/empty', 'a/longest', 'a/from 5', 'a/no job']) > 0;
SELECT databuild.want(ARRAY['a/itself']) > 0;
SELECT left(ref, 20), state FROM databuild.partitions ORDER BY 1;
SELECT ref, left(upstream, 20) FROM databuild.dependencies ORDER BY 1, 2;
-- whoever names a ref for the first time asks: publish, miss, a definition; nothing is half done
SELECT pg_temp.refused($$SELECT databuild.publish(ARRAY['a/nulls'])$$);
SELECT run_id FROM databuild.claim('w', ARRAY['in']) \gset
SELECT pg_temp.refused(format($$SELECT databuild.miss(%s, ARRAY['a/nulls'])$$, :run_id));
SELECT databuild.define_job('b', ARRAY['b/.*']);
SELECT databuild.publish(ARRAY['b/nulls', 'b/null']);
SELECT count(*) AS told FROM databuild.events \gset
SELECT pg_temp.refused($$SELECT databuild.define_job('b', ARRAY['b/.*'], inputs_function => 'regress_functions.answers(text)')$$);
SELECT count(*) - :told FROM databuild.events;
SELECT state FROM databuild.job_runs;

-- one that never ends can be canceled
CREATE FUNCTION regress_functions.slow(ref text) RETURNS text[] LANGUAGE plpgsql AS $$ BEGIN LOOP PERFORM pg_sleep(0.01); END LOOP; END $$;
SELECT databuild.define_job('slow', ARRAY['slow/.*'], inputs_function => 'regress_functions.slow(text)');
SET statement_timeout = '200 ms';
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['slow/1', 'slow/2'])$$);
RESET statement_timeout;
SELECT databuild.want(ARRAY['in/after']) > 0;
DROP SCHEMA regress_functions CASCADE;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
