/* ------------------------------------------------------------------------
 * rights.sql: who may do what.
 *
 * The extension makes no roles; it grants to yours.  What a class of role may
 * call and read is data, in one place; each function and each view stands
 * there once.  What the functions of views need is the reader's, since
 * PostgreSQL asks the reader's rights on these.
 * ------------------------------------------------------------------------ */

CREATE FUNCTION databuild.any_job() RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS 'SELECT true';
COMMENT ON FUNCTION databuild.any_job IS
'Does nothing: who may execute it may work for every job, also if he is bound to some.';

CREATE FUNCTION databuild.bound_to_jobs() RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS 'SELECT true';
COMMENT ON FUNCTION databuild.bound_to_jobs IS
'Does nothing: who may execute it may work only for the jobs that databuild.worker_jobs has for him.';

CREATE FUNCTION databuild.my_jobs(jobs text[] = NULL) RETURNS text[]
	LANGUAGE C STABLE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_my_jobs';
COMMENT ON FUNCTION databuild.my_jobs IS
'The jobs by which claim(jobs) goes for the caller: those, or, without any, all that he is bound to; NULL: every job. Raises 22023, 42501 (he may not work for one of them, or for none).';

CREATE VIEW databuild.worker_jobs AS SELECT role, job FROM databuild.worker_job;
COMMENT ON VIEW databuild.worker_jobs IS 'The jobs that workers are bound to by grant_worker(). A role that is not here may work for every job.';

CREATE VIEW databuild.rights AS
	WITH c(class, names) AS (VALUES
		('reader', '{why,why_want,explain,lineage,plan,state_at,read_events,net,net_dot,lineage_dot,want_dot,report_html,event_kinds}'::name[]),
		('reader', '{place_name,dropped_label,ended_parts,behind,counts_of,clock,bits,at_work}'),		-- for the views
		('reader', '{jobs,partitions,stale_partitions,wants,want_partitions,late_wants,job_runs,instances,dependencies,taints,
			taint_partitions,tracked,events,stats,job_stats,partition_counts,worker_jobs,rights}'),
		('worker', '{claim,heartbeat,succeed,succeed_many,fail,miss,finish_and_claim,wait_work,my_jobs,work_due,work_left}'),
		('any job', '{any_job}'),
		('some jobs', '{bound_to_jobs}'),
		('application', '{want,cancel_want,remake,wait_want,want_due,publish,track,untrack,record_change,follow_row}'),
		('operator', '{define_job,define_source,drop_job,pause_job,resume_job,cancel_run,retry,retry_want,taint,cancel_taint,forget,
			tick,verify,check_invariants,prune,prune_step,prune_instances,prune_told,prune_part}'),
		('owner', '{replay,feed,feed_event,grant_reader,grant_worker,grant_operator,revoke_role,grant_classes,grant_in_update}'),
		('owner', '{shut_gates,horizon,fold,nth,in_flight,event_guard,makers,inputs_of,queue_place,inputs_not_live,is_covered,reason_of,causes_of,
			why_tree,why_then,last_event,count_some,dot_text,html_text,html_time,html_grid,html_runs}'),
		('owner', '{counted_all,state_look,queue,agenda_left,timer_left,declared_wait,cover,zero,want_part,edge,log,name_fold,claim_fold,run_note_fold,wanted_fold,want_fold,declared_fold,input_fold,output_fold,taint_fold,
			taint_part_fold,read_fold,publication_fold,defined_fold,job_fold}'))
	SELECT c.class, 'EXECUTE' AS privilege, 'ROUTINE ' || p.oid::regprocedure AS object
	FROM c JOIN pg_proc p ON p.proname = ANY (c.names) AND p.pronamespace = 'databuild'::regnamespace
	UNION ALL
	SELECT c.class, 'SELECT', 'TABLE ' || v.oid::regclass
	FROM c JOIN pg_class v ON v.relname = ANY (c.names) AND v.relnamespace = 'databuild'::regnamespace AND v.relkind = 'v';
COMMENT ON VIEW databuild.rights IS 'What each class of role may do. reader: grant_reader(); worker, with any job or some jobs: grant_worker(); reader, application and operator: grant_operator(); application: yours to GRANT; owner: nobody else.';

CREATE FUNCTION databuild.grant_classes(role text, classes text[]) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	r record;
BEGIN
	IF $1 IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'argument "role" must not be null';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = 'databuild' AND pg_has_role(n.nspowner, 'USAGE')) THEN
		RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'only databuild''s owner may grant and revoke its rights';
	END IF;
	LOCK TABLE databuild.worker_job IN SHARE ROW EXCLUSIVE MODE;	-- two GRANTs on one object fail
	IF NOT EXISTS (SELECT FROM pg_roles a WHERE a.rolname = $1) THEN
		IF classes = '{}' AND EXISTS (SELECT FROM databuild.worker_job b WHERE b.role = $1) THEN
			RETURN;		-- it was dropped: only that is left
		END IF;
		RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('role "%s" does not exist', $1),
			HINT = 'CREATE ROLE makes roles; databuild makes none.';
	END IF;
	IF classes = '{}' THEN
		EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA databuild FROM %I', $1);
		EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA databuild FROM %I', $1);
		EXECUTE format('REVOKE ALL ON SCHEMA databuild FROM %I', $1);
		RETURN;
	END IF;
	EXECUTE format('GRANT USAGE ON SCHEMA databuild TO %I', $1);
	FOR r IN SELECT g.privilege, g.object FROM databuild.rights g WHERE g.class = ANY (classes) LOOP
		EXECUTE format('GRANT %s ON %s TO %I', r.privilege, r.object, $1);
	END LOOP;
END
$$;
COMMENT ON FUNCTION databuild.grant_classes IS
'Internal: grants what these classes of databuild.rights have; none: revokes all.';

CREATE FUNCTION databuild.grant_in_update(command text) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_grant_in_update';
COMMENT ON FUNCTION databuild.grant_in_update IS
'Internal: a GRANT, as the caller, which pg_dump takes along also when it is made by an update of the extension.';

CREATE FUNCTION databuild.grant_reader(role text) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
	AS $$SELECT databuild.grant_classes($1, '{reader}')$$;
COMMENT ON FUNCTION databuild.grant_reader IS
'The role may read all views and ask why(), explain(), plan(), lineage(), state_at(), read_events() and the like.
Needs databuild''s owner. Raises 22023, 42501, 42704 (no such role).';

CREATE FUNCTION databuild.grant_operator(role text) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
	AS $$SELECT databuild.grant_classes($1, '{reader,application,operator}')$$;
COMMENT ON FUNCTION databuild.grant_operator IS
'The role may do all but claim and report, replay and grant: read, want, publish, define and drop jobs, retry, taint, cancel, verify.
Needs databuild''s owner. Raises 22023, 42501, 42704 (no such role).';

CREATE FUNCTION databuild.grant_worker(role text, jobs text[] = NULL) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	unknown text;
BEGIN
	IF array_ndims(jobs) > 1 THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'argument "jobs" must have one dimension';
	END IF;
	IF cardinality(jobs) = 0 OR array_position(jobs, NULL) IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'argument "jobs" must not be empty or contain nulls';
	END IF;
	PERFORM databuild.grant_classes($1, ARRAY['worker', CASE WHEN jobs IS NULL THEN 'any job' ELSE 'some jobs' END]);
	SELECT u.label INTO unknown FROM unnest(jobs) AS u(label)
		WHERE NOT EXISTS (SELECT FROM databuild.job j WHERE j.label = u.label) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('job "%s" does not exist', unknown),
			HINT = 'SELECT label FROM databuild.jobs shows the jobs.';
	END IF;
	EXECUTE format('REVOKE ALL ON FUNCTION databuild.%s() FROM %I', CASE WHEN jobs IS NULL THEN 'bound_to_jobs' ELSE 'any_job' END, $1);
	DELETE FROM databuild.worker_job b WHERE b.role = $1;
	INSERT INTO databuild.worker_job (role, job) SELECT DISTINCT $1, u.label FROM unnest(jobs) AS u(label);
END
$$;
COMMENT ON FUNCTION databuild.grant_worker IS
'The role, and who has its rights, may claim, keep and report runs: of these jobs, NULL: of every job. The last call counts. A role that is bound and has the rights of one that is not is not bound; of two that are bound it has the jobs of both.
Needs databuild''s owner. Raises 22023, 42501, 42704 (no such role or job). Binding is a right, no state: it is dumped, but not in the log.';

CREATE FUNCTION databuild.revoke_role(role text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM databuild.grant_classes($1, '{}');
	DELETE FROM databuild.worker_job b WHERE b.role = $1;
END
$$;
COMMENT ON FUNCTION databuild.revoke_role IS
'Takes back all that the role was granted in schema databuild, by these functions or by hand, and what it is bound to; then it can be dropped. What it has of other roles stays.
Needs databuild''s owner. Raises 22023, 42501, 42704 (no such role).';

