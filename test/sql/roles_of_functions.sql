-- A job's function would run with the rights of whoever names a ref, or of somebody who never chose it.
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
SET ROLE NONE;
DROP SCHEMA IF EXISTS regress_functions CASCADE;
DROP ROLE IF EXISTS regress_databuild_author, regress_databuild_definer, regress_databuild_asker, regress_databuild_gone;
CREATE ROLE regress_databuild_author;	-- whose the functions are
CREATE ROLE regress_databuild_definer;	-- who defines jobs with them
CREATE ROLE regress_databuild_asker;	-- who wants something
CREATE ROLE regress_databuild_gone;
GRANT USAGE ON SCHEMA databuild TO PUBLIC;
GRANT EXECUTE ON FUNCTION databuild.define_job, databuild.want, databuild.plan, databuild.publish TO PUBLIC;
CREATE SCHEMA regress_functions;
GRANT USAGE, CREATE ON SCHEMA regress_functions TO regress_databuild_author, regress_databuild_gone;
GRANT USAGE ON SCHEMA regress_functions TO regress_databuild_definer;
CREATE TABLE regress_functions.for_definer (x text);
INSERT INTO regress_functions.for_definer VALUES ('read');
GRANT SELECT ON regress_functions.for_definer TO regress_databuild_definer;
SET ROLE regress_databuild_author;
CREATE FUNCTION regress_functions.who(ref text) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
	RETURN ARRAY['in/' || current_user || '/' || (SELECT x FROM regress_functions.for_definer)];
END $$;
REVOKE ALL ON FUNCTION regress_functions.who FROM PUBLIC;

-- who defines must be allowed to execute it
SET ROLE regress_databuild_definer;
SELECT pg_temp.refused($$SELECT databuild.define_job('j', ARRAY['j/.*'], inputs_function => 'regress_functions.who(text)')$$);
SET ROLE regress_databuild_author;
GRANT EXECUTE ON FUNCTION regress_functions.who TO regress_databuild_definer;
SET ROLE regress_databuild_definer;
SELECT databuild.define_job('j', ARRAY['j/.*'], inputs_function => 'regress_functions.who(text)');
SELECT databuild.define_job('in', ARRAY['in/.*']);
-- it runs as that role, for one who may do nothing of this
SET ROLE regress_databuild_asker;
SELECT databuild.want(ARRAY['j/1']) > 0;
SELECT ref, detail FROM databuild.plan(ARRAY['j/2']);
RESET ROLE;
SELECT ref, upstream FROM databuild.dependencies ORDER BY 1;
SELECT label, inputs_function, functions_role FROM databuild.jobs ORDER BY 1;
-- also for a superuser, who gives it nothing
SELECT databuild.want(ARRAY['j/2']) > 0;
SELECT upstream FROM databuild.dependencies WHERE ref = 'j/2';
SET ROLE regress_databuild_author;
CREATE FUNCTION regress_functions.more(ref text) RETURNS text[] LANGUAGE plpgsql AS $$ BEGIN EXECUTE substr(ref, 6); RETURN NULL; END $$;
SET ROLE regress_databuild_definer;
SELECT databuild.define_job('more', ARRAY['more/.*'], inputs_function => 'regress_functions.more(text)');
RESET ROLE;
SELECT s, left(pg_temp.refused(format('SELECT databuild.want(ARRAY[%L])', 'more/' || s)), 5) FROM (VALUES
	(1, 'SELECT pg_read_file(''PG_VERSION'')'), (2, 'SELECT lo_export(1, ''/tmp/x'')'), (3, 'COPY (SELECT 1) TO PROGRAM ''true'''), (4, 'COPY (SELECT 1) TO ''/tmp/x'''),
	(5, 'SELECT * FROM databuild.event'), (6, 'SELECT * FROM pg_authid'), (7, 'LOAD ''databuild'''), (8, 'SELECT databuild.verify()'), (9, 'SELECT databuild.makers(''j/1'')')) AS v(n, s) ORDER BY n;

-- who defines is who calls: a SECURITY DEFINER function's owner, not the superuser that happens to call that
SET ROLE regress_databuild_author;
CREATE FUNCTION regress_functions.define(label text) RETURNS void LANGUAGE sql SECURITY DEFINER AS
	$$SELECT databuild.define_job(label, ARRAY[label || '/.*'], inputs_function => 'regress_functions.who(text)')$$;
RESET ROLE;
SELECT regress_functions.define('w');
SELECT label, functions_role FROM databuild.jobs WHERE label = 'w';
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['w/1'])$$);
-- an index makes a superuser who maintains a table call functions of its owner's
SET ROLE regress_databuild_author;
CREATE FUNCTION regress_functions.trap(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF session_user <> 'regress_databuild_author' AND current_setting('regress.trap', true) = 'set' THEN
		PERFORM databuild.define_job('trap', ARRAY['trap/.*'], inputs_function => 'regress_functions.who(text)');
	END IF;
	RETURN x;
END $$;
CREATE TABLE regress_functions.trapped (x int);
INSERT INTO regress_functions.trapped VALUES (1);
CREATE INDEX trapped_x ON regress_functions.trapped (regress_functions.trap(x));
RESET ROLE;
SET regress.trap = 'set';
REINDEX TABLE regress_functions.trapped;
RESET regress.trap;
SELECT label, functions_role FROM databuild.jobs WHERE label = 'trap';

-- the same definition by another role is another one, if there is a function; else it is not
GRANT EXECUTE ON FUNCTION regress_functions.who TO regress_databuild_gone;
SELECT count(*) AS told FROM databuild.events \gset
SET ROLE regress_databuild_gone;
SELECT databuild.define_job('in', ARRAY['in/.*']);
RESET ROLE;
SELECT count(*) - :told FROM databuild.events;
SET ROLE regress_databuild_gone;
SELECT pg_temp.refused($$SELECT databuild.define_job('j', ARRAY['j/.*'], inputs_function => 'regress_functions.who(text)')$$);
RESET ROLE;
GRANT SELECT ON regress_functions.for_definer TO regress_databuild_gone;
SET ROLE regress_databuild_gone;
SELECT databuild.define_job('j', ARRAY['j/.*'], inputs_function => 'regress_functions.who(text)');
RESET ROLE;
SELECT kind, body -> 'definition' ->> 'functions_role' FROM databuild.events WHERE event_id > 0 AND kind = 'job_defined' ORDER BY event_id DESC LIMIT 1;
SELECT ref, upstream FROM databuild.dependencies WHERE ref = 'j/1';

-- a right that is gone later: on the function, on its schema, on what it reads
SET ROLE regress_databuild_definer;
SELECT databuild.define_job('j', ARRAY['j/.*'], inputs_function => 'regress_functions.who(text)');
SET ROLE regress_databuild_author;
REVOKE EXECUTE ON FUNCTION regress_functions.who FROM regress_databuild_definer;
SET ROLE regress_databuild_asker;
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['j/3'])$$);
SET ROLE regress_databuild_author;
GRANT EXECUTE ON FUNCTION regress_functions.who TO regress_databuild_definer;
RESET ROLE;
REVOKE USAGE ON SCHEMA regress_functions FROM regress_databuild_definer;
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['j/3'])$$);
GRANT USAGE ON SCHEMA regress_functions TO regress_databuild_definer;
REVOKE SELECT ON regress_functions.for_definer FROM regress_databuild_definer;
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['j/3'])$$);
GRANT SELECT ON regress_functions.for_definer TO regress_databuild_definer;
SELECT databuild.want(ARRAY['j/3']) > 0;
-- what is known already is not asked about
REVOKE USAGE ON SCHEMA regress_functions FROM regress_databuild_definer;
SELECT databuild.want(ARRAY['j/3']) > 0;
GRANT USAGE ON SCHEMA regress_functions TO regress_databuild_definer;

-- the function is dropped; one of that name that is another's is not trusted, the old owner's is
DROP FUNCTION regress_functions.who;
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['j/4'])$$);
SET ROLE regress_databuild_gone;
CREATE FUNCTION regress_functions.who(ref text) RETURNS text[] LANGUAGE sql AS $$SELECT ARRAY['in/' || current_user]$$;
RESET ROLE;
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['j/4'])$$);
SET ROLE regress_databuild_definer;
SELECT databuild.define_job('j', ARRAY['j/.*'], inputs_function => 'regress_functions.who(text)');
RESET ROLE;
SELECT databuild.want(ARRAY['j/4']) > 0;
DROP FUNCTION regress_functions.who;
SET ROLE regress_databuild_gone;
CREATE FUNCTION regress_functions.who(ref text) RETURNS text[] LANGUAGE sql AS $$SELECT ARRAY['in/again/' || current_user]$$;
RESET ROLE;
SELECT databuild.want(ARRAY['j/5']) > 0;
SELECT ref, upstream FROM databuild.dependencies WHERE ref ~ 'j/[345]' ORDER BY 1;
DROP FUNCTION regress_functions.who;
CREATE FUNCTION regress_functions.who(ref text) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$;
ALTER FUNCTION regress_functions.who OWNER TO regress_databuild_gone;
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['j/6'])$$);
-- the role is dropped
ALTER ROLE regress_databuild_definer RENAME TO regress_databuild_renamed;
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['j/6'])$$);
SELECT pg_temp.refused($$SELECT databuild.plan(ARRAY['j/6'])$$);
DROP OWNED BY regress_databuild_renamed;
DROP ROLE regress_databuild_renamed;
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['in/fine', 'j/6'])$$);
SELECT databuild.want(ARRAY['in/fine', 'j/5']) > 0;
SELECT * FROM databuild.check_invariants();
REVOKE USAGE ON SCHEMA databuild FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION databuild.define_job, databuild.want, databuild.plan, databuild.publish FROM PUBLIC;
DROP SCHEMA regress_functions CASCADE;
DROP ROLE regress_databuild_author, regress_databuild_asker, regress_databuild_gone;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
