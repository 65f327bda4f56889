-- A worker that is bound to some jobs could take or end the work of others, or could not do its own.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS databuild;
DROP SCHEMA IF EXISTS regress_bound CASCADE;
DROP ROLE IF EXISTS regress_a, regress_b, regress_any, regress_member, regress_apart, regress_both, regress_plain, regress_renamed;
CREATE EXTENSION databuild;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE SCHEMA regress_bound;
GRANT ALL ON SCHEMA regress_bound TO PUBLIC;
-- SQLSTATE, message, detail, hint; whoever called is the caller still
CREATE FUNCTION pg_temp.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	who name := current_user; state text; message text; detail text; hint text;
BEGIN
	EXECUTE statement;
	RETURN 'NOT REFUSED: ' || statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN CASE WHEN who <> current_user THEN 'NOW ' || current_user || ': ' ELSE '' END || state || ' ' || message || CASE detail WHEN '' THEN '' ELSE ' / ' || detail END || CASE hint WHEN '' THEN '' ELSE ' / ' || hint END;
END $$;
GRANT EXECUTE ON FUNCTION pg_temp.refused TO PUBLIC;
SELECT databuild.define_job(job, ARRAY[job || '/.*']) FROM unnest(ARRAY['a', 'b', 'c']) AS job;
SELECT databuild.want(ARRAY['a/1', 'a/2', 'a/3', 'b/1', 'b/2', 'b/3', 'c/1', 'c/2']) > 0;
CREATE ROLE regress_a;
CREATE ROLE regress_b;
CREATE ROLE regress_any;
CREATE ROLE regress_member IN ROLE regress_a;
CREATE ROLE regress_apart NOINHERIT IN ROLE regress_a;
CREATE ROLE regress_both IN ROLE regress_a, regress_b;
CREATE ROLE regress_plain;
SELECT databuild.grant_worker('regress_a', ARRAY['a', 'a']);
SELECT databuild.grant_worker('regress_b', ARRAY['b']);
SELECT databuild.grant_worker('regress_any');
SELECT role, job FROM databuild.worker_jobs ORDER BY 1, 2;

-- b/1 is another's
SELECT run_id AS other FROM databuild.claim('w', ARRAY['b']) \gset
SET ROLE regress_a;
SELECT databuild.my_jobs(), databuild.my_jobs(ARRAY['a']);
SELECT run_id AS a1, job FROM databuild.claim('w') \gset
SELECT :'job';
SELECT run_id AS a2, job FROM databuild.claim('w', ARRAY['a']) \gset
SELECT pg_temp.refused(q) FROM unnest(ARRAY['SELECT databuild.claim(''w'', ARRAY[''b''])', 'SELECT databuild.claim(''w'', ARRAY[''a'', ''b''])', 'SELECT databuild.claim(''w'', ARRAY[''no such job''])',
	'SELECT databuild.my_jobs(ARRAY[''b''])', 'SELECT databuild.finish_and_claim(''{}'', ''w'', ARRAY[''b''])', 'SELECT databuild.my_jobs(''{}'')']) AS q;
\set VERBOSITY terse
CALL databuild.wait_work(ARRAY['b'], '0');
SELECT regexp_replace(pg_temp.refused(format(q, :other, :a1)), 'run [1-9]\d*', 'run N') FROM unnest(ARRAY['SELECT databuild.succeed(%s)', 'SELECT databuild.succeed_many(ARRAY[%s])', 'SELECT databuild.succeed_many(ARRAY[%s, %s])',
	'SELECT databuild.fail(%s, ''x'')', 'SELECT databuild.miss(%s, ARRAY[''a/9''])', 'SELECT databuild.heartbeat(ARRAY[%2$s, %1$s])', 'SELECT databuild.finish_and_claim(ARRAY[%s], ''w'')', 'SELECT databuild.succeed(0)']) AS q;
-- its own it keeps and reports, and goes on to its own
SELECT state FROM databuild.heartbeat(ARRAY[:a1]);
SELECT databuild.miss(:a1, ARRAY['b/2']);
SELECT job, partitions FROM databuild.finish_and_claim(ARRAY[:a2], 'w', max_runs => 10);
-- there is work, but none for it
SELECT databuild.work_due(databuild.my_jobs(), false) IS NULL, databuild.work_due(NULL, false) IS NULL;
SELECT count(*) FROM databuild.claim('w', max_runs => 10);
RESET ROLE;
SELECT state FROM databuild.job_runs WHERE run_id = :other;
SELECT count(*) FROM databuild.partitions WHERE ref = 'a/9';

-- who has the rights of a bound role is bound; who has to SET ROLE has them only then; of two, both; who is unbound besides is not bound
SET ROLE regress_member;
SELECT databuild.my_jobs();
RESET ROLE;
GRANT USAGE ON SCHEMA databuild TO regress_apart;
GRANT EXECUTE ON FUNCTION databuild.my_jobs TO regress_apart;
SET ROLE regress_apart;
SELECT databuild.my_jobs();
SET ROLE regress_both;
SELECT databuild.my_jobs();
SELECT pg_temp.refused('SELECT databuild.my_jobs(ARRAY[''c''])');
SET ROLE regress_any;
SELECT databuild.my_jobs(), databuild.my_jobs(ARRAY['c']);
RESET ROLE;
SELECT databuild.my_jobs();
GRANT regress_any TO regress_both;
SET ROLE regress_both;
SELECT databuild.my_jobs(), count(*) FROM databuild.claim('w', ARRAY['c']);
RESET ROLE;
REVOKE regress_any FROM regress_both;
-- who may claim by a plain GRANT is bound to nothing
GRANT USAGE ON SCHEMA databuild TO regress_plain;
GRANT EXECUTE ON FUNCTION databuild.my_jobs TO regress_plain;
SET ROLE regress_plain;
SELECT databuild.my_jobs(), databuild.my_jobs(ARRAY['c']);
RESET ROLE;
-- but who is bound, and has no row any more, may work for none
GRANT EXECUTE ON FUNCTION databuild.bound_to_jobs TO regress_plain;
SET ROLE regress_plain;
SELECT pg_temp.refused('SELECT databuild.my_jobs()'), pg_temp.refused('SELECT databuild.my_jobs(ARRAY[''c''])');
RESET ROLE;
-- a change is seen at once, by sessions that asked before; the last one counts
SELECT databuild.grant_worker('regress_a');
SET ROLE regress_a;
SELECT databuild.my_jobs();
RESET ROLE;
SELECT databuild.grant_worker('regress_a', ARRAY['c', 'a']);
SET ROLE regress_a;
SELECT databuild.my_jobs();
RESET ROLE;
SELECT databuild.grant_worker('regress_a', ARRAY['a']);

-- it is the role whose function it is that is bound, whoever's session it runs in: a worker cannot use a superuser's
SET ROLE regress_a;
CREATE FUNCTION regress_bound.claim_as_a(jobs text[]) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM databuild.claim(''w'', jobs)';
RESET ROLE;
SELECT pg_temp.refused('SELECT regress_bound.claim_as_a(ARRAY[''c''])');
-- nor an index of it that a superuser makes anew
SET ROLE regress_a;
CREATE FUNCTION regress_bound.of_row(job text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN job; END';
CREATE TABLE regress_bound.t (job text);
CREATE INDEX ON regress_bound.t (regress_bound.of_row(job));
INSERT INTO regress_bound.t VALUES ('c');
CREATE OR REPLACE FUNCTION regress_bound.of_row(job text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM databuild.claim('w', ARRAY[job]); RETURN job; END $$;
RESET ROLE;
SELECT pg_temp.refused('REINDEX TABLE regress_bound.t');
-- and the other way: what an unbound role lends it, it may
SET ROLE regress_any;
CREATE FUNCTION regress_bound.claim_as_any(jobs text[]) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM databuild.claim(''w'', jobs)';
SET ROLE regress_a;
SELECT regress_bound.claim_as_any(ARRAY['b']);
RESET ROLE;

-- a job that is dropped and defined again is theirs still, and so are the reports of its runs meanwhile
SELECT databuild.cancel_run(run_id) FROM databuild.job_runs WHERE state = 'running' AND job = 'a';
SELECT databuild.drop_job('a');
SET ROLE regress_a;
SELECT databuild.succeed(:a2);
SELECT databuild.my_jobs(), count(*) FROM databuild.claim('w');
SELECT pg_temp.refused('SELECT databuild.claim(''w'', ARRAY[''a''])');
RESET ROLE;
SELECT databuild.define_job('a', ARRAY['a/.*']);
SELECT databuild.want(ARRAY['a/8']) > 0;
SET ROLE regress_a;
SELECT job, partitions FROM databuild.claim('w', max_runs => 10) WHERE partitions = '{a/8}';
RESET ROLE;

-- bindings are rights, not state: a replay leaves them alone
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
SELECT role, job FROM databuild.worker_jobs ORDER BY 1, 2;

-- a role that is renamed, or dropped with all it owns, leaves what breaks nothing and opens nothing
ALTER ROLE regress_b RENAME TO regress_renamed;
SET ROLE regress_renamed;
SELECT pg_temp.refused('SELECT databuild.my_jobs()');
SET ROLE regress_both;
SELECT databuild.my_jobs();
RESET ROLE;
DROP SCHEMA regress_bound CASCADE;
DROP OWNED BY regress_a, regress_any, regress_apart, regress_plain;
DROP ROLE regress_a, regress_any, regress_member, regress_apart, regress_both, regress_plain;
SET ROLE regress_renamed;
SELECT pg_temp.refused('SELECT databuild.claim(''w'')');
RESET ROLE;
SELECT databuild.revoke_role(role) FROM databuild.worker_jobs;
SELECT databuild.revoke_role('regress_renamed');
TABLE databuild.worker_jobs;
DROP ROLE regress_renamed;
