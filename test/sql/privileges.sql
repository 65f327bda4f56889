-- Anybody could use or read databuild, or who may use it could change its tables.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
-- nothing of PUBLIC's: schema, relations, columns, functions, types by default
SELECT 'schema', nspname FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) AS a WHERE nspname = 'databuild' AND a.grantee = 0;
SELECT 'relation', relname, a.privilege_type FROM pg_class c, aclexplode(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))) AS a
	WHERE relnamespace = 'databuild'::regnamespace AND relkind IN ('r', 'v', 'S', 'm', 'p', 'f') AND a.grantee = 0;
SELECT 'column', attrelid::regclass, attname FROM pg_attribute, aclexplode(attacl) AS a WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'databuild'::regnamespace) AND a.grantee = 0;
SELECT 'function', p.oid::regprocedure FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS a WHERE pronamespace = 'databuild'::regnamespace AND a.grantee = 0;

-- every function that runs as the owner has its search_path pinned, with pg_temp last
SELECT p.oid::regprocedure, proconfig FROM pg_proc p WHERE pronamespace = 'databuild'::regnamespace AND prosecdef
	AND NOT coalesce(proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false) ORDER BY 1;
-- and so has every one that is not C
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = prolang WHERE pronamespace = 'databuild'::regnamespace AND lanname <> 'c'
	AND NOT coalesce(proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false) AND prokind <> 'p' ORDER BY 1;
-- a procedure that commits can have neither: it is the caller's, and qualifies all that it names
SELECT p.oid::regprocedure, prosecdef FROM pg_proc p WHERE pronamespace = 'databuild'::regnamespace AND prokind = 'p' ORDER BY 1;
-- no call is STRICT: NULL would be silence
SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'databuild'::regnamespace AND proisstrict
	AND proname NOT IN ('place_name', 'in_flight', 'nth', 'bits', 'makers') ORDER BY 1;
-- what writes is neither STABLE nor PARALLEL SAFE
SELECT p.oid::regprocedure, provolatile, proparallel FROM pg_proc p WHERE pronamespace = 'databuild'::regnamespace
	AND proname IN ('define_job', 'define_source', 'want', 'claim', 'heartbeat', 'succeed', 'succeed_many', 'fail', 'miss', 'publish', 'tick', 'replay')
	AND (provolatile <> 'v' OR proparallel <> 'u') ORDER BY 1;

-- every object has a comment
SELECT 'schema' WHERE obj_description('databuild'::regnamespace, 'pg_namespace') IS NULL
UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'databuild'::regnamespace AND relkind IN ('r', 'v', 'S', 'm', 'p', 'f') AND obj_description(oid, 'pg_class') IS NULL
UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'databuild'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL
UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'databuild'::regnamespace AND typtype IN ('e', 'd', 'b') AND typelem = 0 AND obj_description(oid, 'pg_type') IS NULL
UNION ALL SELECT 'extension' FROM pg_extension WHERE extname = 'databuild' AND obj_description(oid, 'pg_extension') IS NULL;
-- all of it belongs to the extension, and goes with it
SELECT relname FROM pg_class c WHERE relnamespace = 'databuild'::regnamespace AND relkind IN ('r', 'v', 'S') AND NOT EXISTS
	(SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e');
SELECT nspname FROM pg_namespace n WHERE nspname = 'databuild' AND EXISTS (SELECT FROM pg_depend d WHERE d.objid = n.oid AND d.classid = 'pg_namespace'::regclass AND d.deptype = 'e');
-- a dump takes all tables and sequences along
SELECT relname FROM pg_class c WHERE relnamespace = 'databuild'::regnamespace AND relkind IN ('r', 'S')
	AND NOT c.oid = ANY (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'databuild');

-- a role with nothing
\set VERBOSITY terse
DROP ROLE IF EXISTS regress_databuild_worker;
DROP ROLE IF EXISTS regress_databuild_nobody;
CREATE ROLE regress_databuild_nobody;
CREATE ROLE regress_databuild_worker;
SET ROLE regress_databuild_nobody;
SELECT databuild.want(ARRAY['a']) > 0;
SELECT count(*) FROM databuild.partitions;
RESET ROLE;

-- a role that may only execute does its work
GRANT USAGE ON SCHEMA databuild TO regress_databuild_worker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databuild TO regress_databuild_worker;
SET ROLE regress_databuild_worker;
SELECT databuild.define_job('j', ARRAY['[a-z]+'], backoff => '0');
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.want(ARRAY['top', 'other', 'third', 's/1']) > 0;
SELECT run_id AS top, partitions, attempt FROM databuild.claim('w') \gset
SELECT run_id AS other, partitions, attempt FROM databuild.claim('w') \gset
SELECT run_id AS third, partitions, attempt FROM databuild.claim('w') \gset
SELECT state FROM databuild.heartbeat(ARRAY[:top]);
SELECT databuild.miss(:top, ARRAY['in', 's/1']);
SELECT databuild.fail(:other, 'x');
SELECT databuild.succeed(:third);
SELECT databuild.publish(ARRAY['s/1', 'in']);
SELECT lost_runs FROM databuild.tick();
SELECT count(*) FROM databuild.claim('w', max_runs => 10);
SELECT count(*) > 0 FROM databuild.why('top');
SELECT count(*) > 0 FROM databuild.explain('top');
SELECT count(*) FROM databuild.verify();
SELECT count(*) > 0 FROM databuild.net();
SELECT count(*) > 0 FROM databuild.event_kinds();
-- and touches no table, view or sequence
CREATE FUNCTION pg_temp.touched(call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE call;
	RETURN call;
EXCEPTION WHEN insufficient_privilege THEN
	RETURN NULL;
END $$;
SELECT t FROM pg_class, unnest(ARRAY['SELECT FROM databuild.%I', 'DELETE FROM databuild.%I', 'TRUNCATE databuild.%I', 'LOCK TABLE databuild.%I IN ACCESS SHARE MODE']) AS f(format),
	pg_temp.touched(format(f.format, relname)) AS t
	WHERE relnamespace = 'databuild'::regnamespace AND (relkind = 'r' OR relkind = 'v' AND f.format !~ 'TRUNCATE|DELETE') AND t IS NOT NULL ORDER BY 1;
SELECT t FROM pg_class, unnest(ARRAY['SELECT nextval(%L)', 'SELECT setval(%L, 1)', 'SELECT currval(%L)']) AS f(format),
	pg_temp.touched(format(f.format, 'databuild.' || relname)) AS t WHERE relnamespace = 'databuild'::regnamespace AND relkind = 'S' AND t IS NOT NULL ORDER BY 1;
SELECT pg_temp.touched('SELECT * FROM databuild.fold(NULL)');
-- nor the clock
SET databuild.now = '2040-01-01';
SELECT databuild.clock() < '2040-01-01';
-- the log names who it was
RESET ROLE;
SET SESSION AUTHORIZATION regress_databuild_worker;
SELECT databuild.want(ARRAY['mine']) > 0;
RESET SESSION AUTHORIZATION;
SELECT DISTINCT actor FROM databuild.events WHERE refs = ARRAY['mine'] ORDER BY 1;

-- an analyst reads the views
GRANT SELECT ON databuild.jobs, databuild.partitions, databuild.wants, databuild.want_partitions, databuild.job_runs, databuild.instances,
	databuild.dependencies, databuild.events TO regress_databuild_worker;
SET ROLE regress_databuild_worker;
SELECT (SELECT count(*) FROM databuild.jobs) > 0, (SELECT count(*) FROM databuild.partitions WHERE state = 'live') > 0, (SELECT count(*) FROM databuild.wants) > 0, (SELECT count(*) FROM databuild.want_partitions) > 0,
	(SELECT count(*) FROM databuild.job_runs WHERE state = 'running') > 0, (SELECT count(*) FROM databuild.instances) > 0, (SELECT count(*) FROM databuild.dependencies) >= 0, (SELECT count(*) FROM databuild.events) > 0;
RESET ROLE;
DROP OWNED BY regress_databuild_worker;
DROP ROLE regress_databuild_worker;
DROP ROLE regress_databuild_nobody;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
