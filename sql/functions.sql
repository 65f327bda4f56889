/* ------------------------------------------------------------------------
 * functions.sql: the calls.
 *
 * A writing call is C, with a pinned search_path, VOLATILE and PARALLEL UNSAFE.
 * It is the caller's, notes who that is, and turns into the owner (caller.c).
 * None is STRICT: NULL for an argument without a NULL default is an error, not
 * silence.
 * ------------------------------------------------------------------------ */

CREATE FUNCTION databuild.define_job(label text, patterns text[], outputs text[] = NULL, inputs text[] = NULL, config jsonb = '{}',
		batch_size int = 1, max_running int = NULL, max_attempts int = 3, max_misses int = 100, backoff interval = '10 s', lease interval = '5 min',
		outputs_function regprocedure = NULL, inputs_function regprocedure = NULL) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres
	AS 'MODULE_PATHNAME', 'databuild_define_job';
COMMENT ON FUNCTION databuild.define_job IS
'Defines what makes the refs that one of the patterns (regular expressions) matches as a whole; again: replaces the definition.
outputs: templates of all that one run makes; each must match a pattern of the job. inputs: templates of what a ref needs, \1 to \9 being the pattern''s groups and \& the ref; it is not handed out before they are live.
config: opaque, handed to workers with each claim. batch_size: so many refs of equal priority may share a run. max_running: so many runs at a time.
max_attempts: failed attempts until a partition is failed; max_misses: dependency misses until it is.
backoff: before the second attempt, doubled for each further one, up to an hour. lease: how long a claimed run is its worker''s without a heartbeat.
outputs_function, inputs_function: what templates cannot say, f(ref text) RETURNS text[] says, besides them. It is asked once, when a ref is named first or the job is defined anew, about many refs in one statement; as the role that calls define_job(), to read only, and with a fixed search_path (pg_catalog, pg_temp) and forms of dates (ISO, UTC). NULL is nothing. It must not call databuild. Whoever may replace the function acts as that role.
A definition that changes nothing logs nothing. Known refs are routed anew; running runs keep what they make.
Raises 22023 (argument, or a function of another kind), 2201B (pattern), 42501 (the caller may not execute the function), 42883 (there is none), 42P17 (a known ref would have two jobs), 55000 (the label is a source), and what a function raises. Waits for all transactions that have called something that writes, and lets others pass meanwhile; holds up all writing calls while it is at work.';

CREATE FUNCTION databuild.define_source(label text, patterns text[]) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres
	AS 'MODULE_PATHNAME', 'databuild_define_source';
COMMENT ON FUNCTION databuild.define_source IS
'Defines which refs are made elsewhere and published; nobody claims them. Again: replaces the patterns.
Raises 22023, 2201B, 42P17, 55000 (the label is a job). Waits for all transactions that have called something that writes, and lets others pass meanwhile; holds up all writing calls while it is at work.';

CREATE FUNCTION databuild.drop_job(label text) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres
	AS 'MODULE_PATHNAME', 'databuild_drop_job';
COMMENT ON FUNCTION databuild.drop_job IS
'Drops a job or source. Refs that it made fall back to missing when they are queued or waiting (why: no_job) and come back when another job makes them.
Raises 22023, 42704 (unknown), 55000 (a run of it is running). Waits for all transactions that have called something that writes, and lets others pass meanwhile; holds up all writing calls while it is at work.';

CREATE FUNCTION databuild.pause_job(label text) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres
	AS 'MODULE_PATHNAME', 'databuild_pause_job';
COMMENT ON FUNCTION databuild.pause_job IS
'From now on claims pass over the job; its running runs go on. A claim at work just now may still take some. Repeating it changes nothing. Raises 22023, 42704. Waits for other definitions.';

CREATE FUNCTION databuild.resume_job(label text) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres
	AS 'MODULE_PATHNAME', 'databuild_resume_job';
COMMENT ON FUNCTION databuild.resume_job IS
'Claims take the job again. Repeating it changes nothing. Raises 22023, 42704. Waits for other definitions.';

CREATE FUNCTION databuild.want(partitions text[], priority int = 0, data_timestamp timestamptz = NULL, ttl interval = NULL,
		sla interval = NULL, source text = NULL, comment text = NULL, key text = NULL) RETURNS bigint
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_want';
COMMENT ON FUNCTION databuild.want IS
'Declares that the partitions should be live, in force until it is canceled or expires; returns the want''s id. Refs not known yet become known.
priority: -100 to 100, greater first; what is not urgent, such as a backfill, uses -10. ttl: when it expires, sla: when it is late, both counted from data_timestamp or from now. source, comment: for people.
key: while a want with that key is in force, the same key with the same refs returns its id and makes none.
Raises 22023 (argument, or the ttl has passed), 42704 (no job or source for a ref), 42P17 (two jobs), 55000 (the key belongs to a want on other refs), and what a job''s function raises that is asked about a new ref. Locks the partitions.';

CREATE FUNCTION databuild.cancel_want(want_id bigint, reason text = NULL) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_cancel_want';
COMMENT ON FUNCTION databuild.cancel_want IS
'The want is in force no more. What only it covered falls back, unless it is live or a run makes it: no run is stopped. Repeating it changes nothing.
Raises 22023, 42704 (unknown want), 55000 (it has expired, or is derivative: those end by themselves). Locks the want.';

CREATE FUNCTION databuild.remake(partitions text[], reason text = NULL, priority int = 0) RETURNS bigint
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_remake';
COMMENT ON FUNCTION databuild.remake IS
'Taints what is live of the partitions, and wants all of them: returns the want''s id. Raises as want(). Locks the partitions.';

CREATE FUNCTION databuild.claim(worker text, jobs text[] = NULL, max_runs int = 1, lease interval = NULL,
		OUT run_id bigint, OUT job text, OUT partitions text[], OUT config jsonb, OUT attempt int, OUT lease_expires_at timestamptz)
	RETURNS SETOF record
	LANGUAGE C VOLATILE ROWS 10 SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_claim';
COMMENT ON FUNCTION databuild.claim IS
'Hands out up to max_runs (at most 10,000) job runs: greatest priority first, then in the order of becoming claimable. No row: nothing to do now.
worker: a name for people. jobs: only runs of these; without them, of all that the caller may work for. lease: instead of the job''s. Commit before you build, so that others see the claim.
First does a share of what is due: ended leases, retries, the agenda. Raises 22023 (argument), 42501 (a job that the caller may not work for), 42704 (unknown job). Waits for nobody: what others hold is passed over.';

CREATE FUNCTION databuild.heartbeat(run_ids bigint[], lease interval = NULL,
		OUT run_id bigint, OUT state text, OUT lease_expires_at timestamptz)
	RETURNS SETOF record
	LANGUAGE C VOLATILE ROWS 10 SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_heartbeat';
COMMENT ON FUNCTION databuild.heartbeat IS
'Renews the leases of running runs, from now, by their lease or a new one. Returns each run with its state: one that is not running any more should be stopped.
Raises 22023, 42501 (a run of a job that the caller may not work for), 42704 (unknown run). Locks the runs. Leases are promises, not events: nothing is logged.';

CREATE FUNCTION databuild.succeed(run_id bigint, made text[] = NULL, reads text[] = NULL, metadata jsonb = NULL) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_succeed';
COMMENT ON FUNCTION databuild.succeed IS
'The run succeeded and made its outputs, or just those in made; each other one is a failed attempt. reads: the refs that it really read (NULL: the inputs that its job declares), recorded with the instance that was live when the run was claimed, else the first since. metadata: kept with the run.
Repeating it changes nothing. Raises 22023 (made names no output), 42501 (a run of a job that the caller may not work for), 42704 (unknown run), 55000 (the run ended otherwise). Locks the run and its outputs.';

CREATE FUNCTION databuild.succeed_many(run_ids bigint[]) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_succeed_many';
COMMENT ON FUNCTION databuild.succeed_many IS
'Many runs succeeded, all their outputs are made: succeed() for each, in one step and one event. All or none.
Raises 22023, 42501, 42704 (unknown run), 55000 (one of them ended otherwise). Locks the runs and their outputs.';

CREATE FUNCTION databuild.fail(run_id bigint, reason text, retry boolean = true, metadata jsonb = NULL) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_fail';
COMMENT ON FUNCTION databuild.fail IS
'The run failed, for the reason given, which why() shows. Its outputs are tried again after the job''s backoff while attempts remain; with retry => false they are failed at once.
Repeating it changes nothing. Raises 22023, 42501, 42704 (unknown run), 55000 (the run ended otherwise). Locks the run and its outputs.';

CREATE FUNCTION databuild.miss(run_id bigint, missing text[], impacted text[] = NULL, reads text[] = NULL, metadata jsonb = NULL) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_miss';
COMMENT ON FUNCTION databuild.miss IS
'The run cannot go on until the missing partitions are live: not a failure. A derivative want is made on those that are not; the impacted outputs (default: all) wait for them and are queued again after that, the other outputs at once.
reads: as for succeed(). A missing ref that no job makes waits for publish(). A run that waits for itself, however indirectly, makes what is on the cycle failed.
Repeating it changes nothing. Raises 22023, 42501, 42704 (unknown run), 42P17 (two jobs for a ref), 55000 (the run ended otherwise). Locks the run, its outputs and the missing partitions.';

CREATE FUNCTION databuild.finish_and_claim(run_ids bigint[], worker text, jobs text[] = NULL, max_runs int = 1, lease interval = NULL,
		OUT run_id bigint, OUT job text, OUT partitions text[], OUT config jsonb, OUT attempt int, OUT lease_expires_at timestamptz)
	RETURNS SETOF record
	LANGUAGE C VOLATILE ROWS 10 SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_finish_and_claim';
COMMENT ON FUNCTION databuild.finish_and_claim IS
'succeed_many() and then claim(), in one call and transaction, with the results of both; an empty run_ids is fine.
Raises as these do. Locks the runs and their outputs.';

CREATE FUNCTION databuild.cancel_run(run_id bigint, reason text = NULL) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_cancel_run';
COMMENT ON FUNCTION databuild.cancel_run IS
'The run is canceled and its outputs are failed, or fall back if nobody wants them. Its reports are refused from now on; what it writes is not: heartbeat() tells its worker. Repeating it changes nothing.
Raises 22023, 42704 (unknown run), 55000 (it ended otherwise). Locks the run and its outputs.';

CREATE FUNCTION databuild.retry(partitions text[]) RETURNS bigint
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_retry';
COMMENT ON FUNCTION databuild.retry IS
'Sends failed and backing off partitions back to work, attempts and misses 0; what nobody wants falls back, on others it does nothing. Returns how many went back to work.
Raises 22023, 42704 (a ref that is not known). Locks the partitions.';

CREATE FUNCTION databuild.retry_want(want_id bigint) RETURNS bigint
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_retry_want';
COMMENT ON FUNCTION databuild.retry_want IS
'retry() for every failed partition that keeps the want from success, however far upstream. Returns how many went back to work.
Raises 22023, 42704 (unknown want). Locks these partitions.';

CREATE FUNCTION databuild.publish(partitions text[], metadata jsonb = NULL) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_publish';
COMMENT ON FUNCTION databuild.publish IS
'The partitions are live without a run: they were made elsewhere. Each gets a new instance, numbered by the event. What waits for them is queued when nothing else is lacking.
Raises 22023, 42P17, 55000 (a running run makes one of them). Locks the partitions.';

/*
 * Of a tracked table.  It runs as whoever writes the table, so that values
 * become text with no more rights than he has, and turns into the owner only
 * then.  The settings are those on which the text of a value depends.
 */
CREATE FUNCTION databuild.record_change() RETURNS trigger
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	SET datestyle = 'ISO, YMD' SET intervalstyle = postgres SET timezone = 'UTC' SET bytea_output = hex SET extra_float_digits = 1 SET lc_monetary = 'C'
	AS 'MODULE_PATHNAME', 'databuild_record_change';
COMMENT ON FUNCTION databuild.record_change IS
'The trigger of a tracked table; track() makes the triggers that call it. Who writes the table needs no right on it.
Raises 22023 (a row that is written names no ref), 42703 (a column of the template is gone), 42P17 (two jobs make a ref), 39P01 (a trigger of other making).';

CREATE FUNCTION databuild.track(tbl regclass, ref_template text, taint_downstream boolean = false) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_track';
COMMENT ON FUNCTION databuild.track IS
'From now on a statement that inserts, updates or deletes rows of the table, or truncates it, publishes the refs that these rows name, before and after, in its own transaction: one event a statement.
ref_template: such as noaa/{month}: {column} stands for the column''s value as its type writes it, with DateStyle ISO and in UTC; {{ and }} for braces. A row with a NULL there names nothing. Again: replaces the template.
A ref that a run is making is published when that run has ended. taint_downstream: what is live at the statement and was made of the newest instances of these refs, however indirectly, is tainted in the same transaction, one taint a statement, as by taint(..., downstream => true); the refs themselves are not. What is made of the old instances later, by runs that are under way, is stale.
Not seen: what logical replication applies, or who sets session_replication_role to replica, writes; rows written to a partition by its own name.
Needs the right to create triggers on the table, and EXECUTE on databuild.record_change. Raises 22023 (template), 42703 (no such column), 42P01 (no such table), 42809 (no ordinary or partitioned table, or one of databuild''s own), 42501. Locks the table as CREATE TRIGGER does.';

CREATE FUNCTION databuild.untrack(tbl regclass) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_untrack';
COMMENT ON FUNCTION databuild.untrack IS
'Writing the table publishes nothing any more. Needs the owner of the table. Raises 22023, 42501, 42704 (it is not tracked), 42P01, 42809. Locks the table as DROP TRIGGER does.';

CREATE FUNCTION databuild.taint(partitions text[], reason text, downstream boolean = false) RETURNS bigint
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_taint';
COMMENT ON FUNCTION databuild.taint IS
'Marks the live instances of the partitions invalid, and passes over those that are not live; returns the taint''s id. What is wanted is made anew; making it ends the mark.
downstream: also what runs made from the newest instances of the partitions, live or tainted before, however indirectly, by what they really read.
Raises 22023, 42704 (a ref that is not known). Locks the partitions.';

CREATE FUNCTION databuild.cancel_taint(taint_id bigint, reason text = NULL) RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_cancel_taint';
COMMENT ON FUNCTION databuild.cancel_taint IS
'Each ref that the taint marked becomes live again if no other taint marks it, it was not made since, and no run is making it. Repeating it changes nothing.
Raises 22023, 42704 (unknown taint). Locks the taint and the partitions.';

CREATE FUNCTION databuild.forget(partitions text[], reason text) RETURNS bigint
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_forget';
COMMENT ON FUNCTION databuild.forget IS
'The data of the partitions is gone: they are missing. Returns how many were there. Raises 22023, 42704 (a ref that is not known), 55000 (wanted, or being made). Locks the partitions.';

CREATE FUNCTION databuild.tick(OUT lost_runs bigint, OUT expired_wants bigint, OUT looked_at bigint, OUT cycles bigint)
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_tick';
COMMENT ON FUNCTION databuild.tick IS
'Does a bounded share of what is due: gives up runs whose lease ended, makes claimable what has backed off, works off the agenda. Claims do so, too; a ticker only makes it prompt where nobody claims. About once a minute it also counts for stats, job_stats and partition_counts, for about 0.2 s.
Returns how many runs were lost, wants expired, agenda entries looked at, and cycles found. Safe at any time, from any session; waits for nobody.';

CREATE FUNCTION databuild.net(OUT machine text, OUT place text, OUT signal text, OUT target text, OUT tells text[])
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE ROWS 300 PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_net';
COMMENT ON FUNCTION databuild.net IS
'The net itself: for every place of every machine and every signal, where the token goes; NULL: refused; (same): a repeated report, which changes nothing. tells: whom the move tells what.';

CREATE FUNCTION databuild.net_dot() RETURNS text
	LANGUAGE C IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_net_dot';
COMMENT ON FUNCTION databuild.net_dot IS
'The net as a drawing in the language of Graphviz: psql -XAtc "SELECT databuild.net_dot()" | dot -Tsvg >net.svg';

CREATE FUNCTION databuild.read_events(after bigint = 0, max int = 1000, OUT event_id bigint, OUT recorded_at timestamptz, OUT kind text,
		OUT actor text, OUT run_id bigint, OUT want_id bigint, OUT taint_id bigint, OUT job text, OUT refs text[], OUT body jsonb, OUT role text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE ROWS 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_read_events';
COMMENT ON FUNCTION databuild.read_events IS
'The next events after one, in order, at most max: for followers. Never skips an event that commits late: it stops before what is not settled, whatever the isolation level.
Raises 22023, 55000 (on a standby, which cannot tell what is settled; or what comes next was pruned: the hint says from where on there are events). Waits for nobody.';

/*
 * What wait_want() and wait_work() ask: in how many milliseconds to look
 * again; NULL if there is nothing to wait for any more.
 */
CREATE FUNCTION databuild.want_due(want_id bigint, patient boolean) RETURNS bigint
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	state text;
BEGIN
	SELECT w.state INTO state FROM databuild.wants w WHERE w.want_id = $1;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('want %s does not exist', $1),
			HINT = 'SELECT want_id, comment FROM databuild.wants shows the wants.';
	END IF;
	RETURN CASE WHEN state NOT IN ('successful', 'failed', 'upstream_failed', 'canceled', 'expired') THEN 1000 END;
END
$$;
COMMENT ON FUNCTION databuild.want_due IS
'Internal: when wait_want() looks again; NULL: the want is successful, failed, canceled or expired.';

CREATE PROCEDURE databuild.wait_want(want_id bigint, timeout interval = NULL)
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'databuild_wait_want';
COMMENT ON PROCEDURE databuild.wait_want IS
'Waits until the want is successful, failed or over, or the timeout has passed: look at databuild.wants then. Commits while it waits, so that it holds no snapshot; not for use inside a transaction.
Raises 22023, 42704 (unknown want).';

/*
 * Something to wait for no longer is an entry of the ready set whose job may
 * have another run, something that is due, or something left on the agenda,
 * which may be held up by somebody still.  While runs go by thousands a second
 * something is due at each moment, and something may be left, and those who
 * claim work it off: they have a moment for what is due, which is another for each
 * of those who wait, lest all come at once; and for the agenda as long as
 * work_left() moves between two looks of ours (else we are patient).
 */
CREATE FUNCTION databuild.work_left() RETURNS bigint
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
BEGIN
	RETURN (SELECT a.seq FROM databuild.agenda_left a ORDER BY a.seq LIMIT 1);
END
$$;
COMMENT ON FUNCTION databuild.work_left IS 'Internal: the first entry of the agenda; NULL: none.';

CREATE FUNCTION databuild.work_due(jobs text[], patient boolean) RETURNS bigint
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	unknown text;
	next_at timestamptz;
	left_over boolean := EXISTS (SELECT FROM databuild.agenda_left);
BEGIN
	IF cardinality(jobs) = 0 OR array_position(jobs, NULL) IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'argument "jobs" must not be empty or contain nulls';
	END IF;
	SELECT u.label INTO unknown FROM unnest(jobs) AS u(label)
		WHERE NOT EXISTS (SELECT FROM databuild.job j WHERE j.label = u.label) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('job "%s" does not exist', unknown),
			HINT = 'SELECT label FROM databuild.jobs shows the jobs.';
	END IF;
	IF patient AND left_over OR EXISTS (SELECT FROM databuild.queue k JOIN databuild.job j ON j.job_id = k.job_id
			WHERE NOT j.paused AND NOT j.is_source AND (jobs IS NULL OR j.label = ANY (jobs))
				AND EXISTS (SELECT FROM databuild.ready q WHERE q.job_id = j.job_id AND q.rank = k.rank AND q.seq > k.low)
				AND (j.max_running IS NULL OR j.max_running > (SELECT count(*) FROM databuild.slot_use u WHERE u.job_id = j.job_id)))
	THEN
		RETURN NULL;
	END IF;
	next_at := (SELECT n.at + interval '1 s' * (0.1 + random()) FROM databuild.timer_left n ORDER BY n.at LIMIT 1);
	RETURN CASE WHEN next_at <= databuild.clock() THEN NULL
		ELSE least(CASE WHEN left_over THEN 1000 ELSE 3600000 END, ceil(extract(epoch FROM next_at - databuild.clock()) * 1000)) END;
END
$$;
COMMENT ON FUNCTION databuild.work_due IS
'Internal: when wait_work() looks again; NULL: a claim of these jobs might get something or move something.';

CREATE PROCEDURE databuild.wait_work(jobs text[] = NULL, timeout interval = '30 s')
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'databuild_wait_work';
COMMENT ON PROCEDURE databuild.wait_work IS
'Waits until there may be something to claim of these jobs (NULL: of any that the caller may work for), or the timeout has passed: then claim(). Sleeps until another session commits such work, or something has been due for 0.1 to 1.1 seconds (what is due is left to those who claim anyway), and sees what COMMIT PREPARED brought within 20 seconds. Commits while it waits, so that it holds no snapshot; not for use inside a transaction.
Raises 22023, 42501, 42704 (unknown job).';

/* ---- for the views and for why() ---- */

CREATE FUNCTION databuild.place_name(machine text, letter "char") RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'databuild_place_name';
COMMENT ON FUNCTION databuild.place_name IS
'Internal: the name of a machine''s place by the letter that the tables store; NULL if there is none.';

CREATE FUNCTION databuild.makers(ref text) RETURNS text[]
	LANGUAGE C STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_makers';
COMMENT ON FUNCTION databuild.makers IS
'Internal: the labels of all jobs and sources with a pattern that matches the ref.';

CREATE FUNCTION databuild.inputs_of(refs text[], OUT ref text, OUT input text) RETURNS SETOF record
	LANGUAGE C STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_inputs_of';
COMMENT ON FUNCTION databuild.inputs_of IS
'Internal: what the refs are declared to need, and what that needs, however indirectly, down to what is live: from the tables for refs that are known, else as their jobs say now. Refuses what want() refuses as partitions.';

CREATE FUNCTION databuild.clock() RETURNS timestamptz
	LANGUAGE C VOLATILE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'databuild_clock';
COMMENT ON FUNCTION databuild.clock IS
'Internal: databuild''s time: the clock, or what a superuser set as databuild.now for a test.';

CREATE FUNCTION databuild.horizon() RETURNS bigint
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_horizon';
COMMENT ON FUNCTION databuild.horizon IS
'Internal: all events with a number up to this one belong to transactions that have ended.';

CREATE FUNCTION databuild.fold(upto bigint, whole boolean = true, OUT machine text, OUT id bigint, OUT state "char", OUT job_id int, OUT prio int,
		OUT run_id bigint, OUT live_run bigint, OUT since timestamptz, OUT until timestamptz, OUT attempts int, OUT misses int,
		OUT cause text, OUT note text, OUT ids bigint[], OUT total bigint, OUT past bigint[], OUT changed bigint)
	RETURNS SETOF record
	LANGUAGE C STABLE ROWS 100000 SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_fold';
COMMENT ON FUNCTION databuild.fold IS
'Internal: the state made from the log up to an event (NULL: all of it), a row a token; whole => false: only of tokens that events since the log was pruned name. Takes no lock.';

COMMENT ON FUNCTION databuild.nth IS
'Internal: the place of an id in an ascending array, from 1.';
COMMENT ON FUNCTION databuild.bits IS
'Internal: the ids that a bitmap of 64 neighbouring ones stands for.';
COMMENT ON FUNCTION databuild.in_flight IS
'Internal: whether another transaction has changed or locked that row version of a table.';
COMMENT ON FUNCTION databuild.event_guard IS
'Internal: the trigger that keeps the log append-only.';
