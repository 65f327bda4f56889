-- A role could not do what it was granted, or could do more; or what is added later would be forgotten and be nobody's, or everybody's.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS databuild;
DROP ROLE IF EXISTS "regress "" reader'; \ --", regress_worker, regress_operator, regress_app, regress_delegate;
CREATE EXTENSION databuild;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE FUNCTION pg_temp.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; hint text;
BEGIN
	EXECUTE statement;
	RETURN 'NOT REFUSED: ' || statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN state || ' ' || message || CASE hint WHEN '' THEN '' ELSE ' / ' || hint END;
END $$;
-- the newest run of a ref
CREATE FUNCTION pg_temp.run(ref text) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
	'SELECT max(run_id) FROM databuild.job_runs WHERE $1 = ANY (partitions)';
GRANT EXECUTE ON FUNCTION pg_temp.refused, pg_temp.run TO PUBLIC;

-- the extension makes no role
SELECT count(*) FROM pg_roles a WHERE EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_authid'::regclass AND d.objid = a.oid);
-- each function and each view stands in one class; a name without an object stands in none
SELECT 'ROUTINE ' || p.oid::regprocedure AS object, count(r.class) FROM pg_proc p LEFT JOIN databuild.rights r ON r.object = 'ROUTINE ' || p.oid::regprocedure
	WHERE p.pronamespace = 'databuild'::regnamespace GROUP BY 1 HAVING count(r.class) <> 1
UNION ALL SELECT 'TABLE ' || v.oid::regclass, count(r.class) FROM pg_class v LEFT JOIN databuild.rights r ON r.object = 'TABLE ' || v.oid::regclass
	WHERE v.relnamespace = 'databuild'::regnamespace AND relkind IN ('v', 'm') GROUP BY 1 HAVING count(r.class) <> 1 ORDER BY 1;
SELECT name FROM regexp_matches(pg_get_viewdef('databuild.rights'), '''\{([^}]*)\}''', 'g') AS m(names), regexp_split_to_table(names[1], ',\s*') AS name
	WHERE NOT EXISTS (SELECT FROM databuild.rights WHERE object ~ ('^(ROUTINE|TABLE) databuild\.' || name || '(\(|$)'));
-- what is said to be internal is granted to nobody, but for what views and procedures, which run as the caller, need
SELECT class, object FROM databuild.rights JOIN pg_proc p ON object = 'ROUTINE ' || p.oid::regprocedure
	WHERE class <> 'owner' AND obj_description(p.oid, 'pg_proc') LIKE 'Internal%' ORDER BY object COLLATE "C";
SELECT class, object FROM databuild.rights JOIN pg_class v ON object = 'TABLE ' || v.oid::regclass
	WHERE (class = 'owner') <> (obj_description(v.oid, 'pg_class') LIKE 'Internal%');

-- something to read: all kinds of tokens, a dropped job, a derivative want
SELECT databuild.define_job('a', ARRAY['a/.*'], inputs => ARRAY['s/x']);
SELECT databuild.define_job('b', ARRAY['b/.*']);
SELECT databuild.define_job('gone', ARRAY['gone/.*']);
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.want(ARRAY['a/1', 'b/1', 'gone/1'], sla => '0') > 0;
SELECT databuild.succeed(run_id) FROM databuild.claim('w', ARRAY['gone']);
SELECT databuild.drop_job('gone');
SELECT databuild.taint(ARRAY['gone/1'], 'x') > 0;
SELECT databuild.publish(ARRAY['s/0']);
SELECT databuild.succeed(run_id, reads => ARRAY['s/0']) FROM databuild.claim('w', ARRAY['b']);
SELECT databuild.publish(ARRAY['s/0']);
SELECT databuild.want(ARRAY['b/0']) > 0;
CREATE TEMP TABLE tracked (ref text);
SELECT databuild.track('tracked', 't/{ref}');

-- whose, what, and of which role
CREATE ROLE "regress "" reader'; \ --";
CREATE ROLE regress_worker;
CREATE ROLE regress_operator;
CREATE ROLE regress_app;
CREATE ROLE regress_delegate;
SELECT databuild.grant_reader('regress " reader''; \ --');
SELECT databuild.grant_worker('regress_operator', ARRAY['b']);
SELECT databuild.revoke_role('regress_operator');
SELECT databuild.grant_worker('regress_worker');
SELECT databuild.grant_operator('regress_operator');
GRANT USAGE ON SCHEMA databuild TO regress_app;
GRANT EXECUTE ON FUNCTION databuild.want TO regress_app;
-- granted are the classes that the role is to have, as a whole, and nothing else
SELECT a.rolname, r.class, count(*) FILTER (WHERE p) = count(*) AS all, count(*) FILTER (WHERE p) > 0 AS any
	FROM pg_roles a, databuild.rights r, LATERAL (SELECT CASE r.privilege WHEN 'EXECUTE' THEN has_function_privilege(a.rolname, substr(r.object, 9), 'EXECUTE')
		ELSE has_table_privilege(a.rolname, substr(r.object, 7), 'SELECT') END AS p) AS p
	WHERE a.rolname LIKE 'regress%' GROUP BY 1, 2 HAVING count(*) FILTER (WHERE p) > 0 ORDER BY 1, 2;
-- no table, no sequence, no right to write or to grant
SELECT a.rolname, c.relname FROM pg_roles a, pg_class c WHERE a.rolname LIKE 'regress%' AND c.relnamespace = 'databuild'::regnamespace AND (
	relkind IN ('r', 'v') AND has_table_privilege(a.rolname, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER, SELECT WITH GRANT OPTION')
	OR relkind = 'r' AND has_any_column_privilege(a.rolname, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
	OR relkind = 'S' AND has_sequence_privilege(a.rolname, c.oid, 'USAGE, SELECT, UPDATE'));
SELECT a.rolname, has_schema_privilege(a.rolname, 'databuild', 'USAGE'), has_schema_privilege(a.rolname, 'databuild', 'CREATE, USAGE WITH GRANT OPTION') FROM pg_roles a WHERE a.rolname LIKE 'regress%' ORDER BY 1;

-- the reader reads every view, whatever it calls, and asks every question
SET ROLE "regress "" reader'; \ --";
CREATE FUNCTION pg_temp.rows_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	n bigint := 0;
	r record;
BEGIN
	FOR r IN EXECUTE query LOOP
		n := n + 1;
	END LOOP;
	RETURN (n > 0)::text;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT relname, pg_temp.rows_of('SELECT * FROM databuild.' || relname) FROM pg_class WHERE relnamespace = 'databuild'::regnamespace AND relkind = 'v'
	AND obj_description(oid, 'pg_class') NOT LIKE 'Internal%' ORDER BY 1;
SELECT q, pg_temp.rows_of('SELECT * FROM databuild.' || q) FROM unnest(ARRAY['why(''a/1'')', 'why(''a/1'', at => now())', 'why_want(1)', 'explain(''a/1'')', 'lineage(''b/1'')', 'plan(ARRAY[''a/2''])',
	'state_at(clock_timestamp())', 'read_events()', 'net()', 'net_dot()', 'event_kinds()']) AS q;
-- that was all of them
SELECT object FROM databuild.rights WHERE class = 'reader' AND privilege = 'EXECUTE' AND object !~ '\.(why|why_want|explain|lineage|plan|state_at|read_events|net|net_dot|event_kinds)\(' ORDER BY object COLLATE "C";
SELECT pg_temp.refused(q) FROM unnest(ARRAY['SELECT databuild.want(ARRAY[''b/2''])', 'SELECT databuild.claim(''w'')', 'SELECT databuild.verify()', 'SELECT databuild.retry(ARRAY[''b/1''])',
	'TABLE databuild.job', 'TABLE databuild.edge', 'SELECT databuild.fold(NULL)']) AS q;
RESET ROLE;

-- the worker
SET ROLE regress_worker;
SELECT run_id AS run, partitions FROM databuild.claim('w') \gset
SELECT :'partitions';
SELECT state FROM databuild.heartbeat(ARRAY[:run]);
SELECT databuild.miss(:run, ARRAY['s/y']);
CALL databuild.wait_work(timeout => '0');
SELECT pg_temp.refused(q) FROM unnest(ARRAY['SELECT databuild.want(ARRAY[''b/2''])', 'SELECT databuild.publish(ARRAY[''s/x''])', 'TABLE databuild.partitions', 'SELECT databuild.why(''a/1'')',
	'SELECT databuild.cancel_run(1)', 'SELECT databuild.define_job(''x'', ARRAY[''x''])', 'SELECT databuild.grant_worker(''regress_worker'')']) AS q;
RESET ROLE;

-- the operator
SET ROLE regress_operator;
SELECT databuild.publish(ARRAY['s/x', 's/y']);
SELECT databuild.want(ARRAY['b/2'], key => 'k') AS want \gset
SELECT databuild.pause_job('b');
SELECT databuild.resume_job('b');
SELECT databuild.define_job('c', ARRAY['c/.*']);
SELECT databuild.define_source('t', ARRAY['t/.*']);
SELECT databuild.drop_job('c');
SELECT databuild.retry(ARRAY['b/2']), databuild.retry_want(:want);
CALL databuild.wait_want(:want, '0');
SELECT databuild.cancel_want(:want);
SELECT databuild.remake(ARRAY['b/2']) > 0;
SELECT databuild.taint(ARRAY['s/y'], 'x') AS taint \gset
SELECT databuild.cancel_taint(:taint);
SELECT databuild.forget(ARRAY['s/y'], 'x');
SELECT lost_runs FROM databuild.tick();
SELECT count(*) FROM databuild.verify();
SELECT count(*) FROM databuild.check_invariants();
SELECT state FROM databuild.partitions WHERE ref = 'a/1';
CREATE TEMP TABLE mine (ref text);
SELECT databuild.track('mine', 't/{ref}');
INSERT INTO mine VALUES ('1');
SELECT databuild.untrack('mine');
SELECT pg_temp.refused(q) FROM unnest(ARRAY['SELECT databuild.claim(''w'')', 'SELECT databuild.succeed(1)', 'SELECT databuild.replay()', 'SELECT databuild.grant_reader(''regress_app'')',
	'SELECT databuild.revoke_role(''regress_app'')', 'DELETE FROM databuild.event']) AS q;
RESET ROLE;
-- stops the run of a worker
SELECT run_id AS run FROM databuild.claim('w', ARRAY['a']) \gset
SET ROLE regress_operator;
SELECT databuild.cancel_run(:run);
RESET ROLE;
-- an application has what it was given
SET ROLE regress_app;
SELECT databuild.want(ARRAY['b/3']) > 0;
SELECT pg_temp.refused('SELECT databuild.claim(''w'')');
RESET ROLE;

-- only the owner grants, also where somebody else may call
SELECT pg_temp.refused(q) FROM unnest(ARRAY['SELECT databuild.grant_reader(NULL)', 'SELECT databuild.grant_reader(''regress nobody'')', 'SELECT databuild.grant_reader(''public'')', 'SELECT databuild.grant_worker(''regress_app'', ''{}'')',
	'SELECT databuild.grant_worker(''regress_app'', ARRAY[''b'', NULL])', 'SELECT databuild.grant_worker(''regress_app'', ARRAY[''b'', ''nope''])', 'SELECT databuild.revoke_role(NULL)', 'SELECT databuild.revoke_role(''regress nobody'')']) AS q;
SELECT has_function_privilege('regress_app', 'databuild.claim(text, text[], int, interval)', 'EXECUTE');
GRANT USAGE ON SCHEMA databuild TO regress_delegate;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databuild TO regress_delegate;
SET ROLE regress_delegate;
SELECT pg_temp.refused(q) FROM unnest(ARRAY['SELECT databuild.grant_reader(''regress_app'')', 'SELECT databuild.grant_worker(''regress_delegate'', ARRAY[''b''])', 'SELECT databuild.revoke_role(''regress_app'')']) AS q;
RESET ROLE;

-- the way back: nothing is left, and the role can be dropped
SELECT databuild.grant_worker('regress " reader''; \ --', ARRAY['b']);
SELECT * FROM databuild.worker_jobs;
SELECT databuild.revoke_role(rolname) FROM pg_roles WHERE rolname LIKE 'regress%';
SELECT a.grantee::regrole, 'function' FROM pg_proc, aclexplode(proacl) AS a WHERE pronamespace = 'databuild'::regnamespace AND a.grantee <> proowner
UNION ALL SELECT a.grantee::regrole, 'relation' FROM pg_class, aclexplode(relacl) AS a WHERE relnamespace = 'databuild'::regnamespace AND a.grantee <> relowner
UNION ALL SELECT a.grantee::regrole, 'schema' FROM pg_namespace, aclexplode(nspacl) AS a WHERE nspname = 'databuild' AND a.grantee <> nspowner;
SELECT * FROM databuild.worker_jobs;
DROP TABLE tracked, mine;
DROP OWNED BY "regress "" reader'; \ --";	-- a function of this test
DROP ROLE "regress "" reader'; \ --", regress_worker, regress_operator, regress_app, regress_delegate;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
