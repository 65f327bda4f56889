\echo Use "CREATE EXTENSION databuild" to load this file. \quit
/* ------------------------------------------------------------------------
 * tables.sql: where the state, the log and the queues are kept.
 *
 * A table has a singular name and is nobody's to read or write; the plural
 * names are views for analysts (views.sql).  What stands here follows from
 * measurements:
 *
 *	- a row that changes has no NULLs, its changing columns stand side by side
 *	  and in no index, and its page has room, so that its updates are HOT;
 *	- what is rare stands in a side table (trouble, run_note);
 *	- a queue is a table of its own from which rows are only inserted and
 *	  deleted, scanned upwards from a mark below which nothing is left, so
 *	  that dead rows are not waded through while an old transaction pins them;
 *	- sets of refs are bitmaps of 64 neighbouring ids.
 * ------------------------------------------------------------------------ */

CREATE SCHEMA databuild;

/*
 * One sequence numbers events, runs and queue entries, so that a published
 * instance (numbered by its event) and a run's are never the same number, and
 * so that one horizon tells what of all of it is settled (horizon()).
 */
CREATE SEQUENCE databuild.serial AS bigint;

CREATE SEQUENCE databuild.job_id_seq AS int;
CREATE SEQUENCE databuild.partition_id_seq AS bigint;
CREATE SEQUENCE databuild.want_id_seq AS bigint;
CREATE SEQUENCE databuild.taint_id_seq AS bigint;

CREATE TABLE databuild.event
(
	event_id	bigint		NOT NULL PRIMARY KEY,
	recorded_at	timestamptz NOT NULL,
	kind		text		NOT NULL,
	actor		text		NOT NULL COLLATE "C",	-- the session user
	role		text		COLLATE "C",			-- on whose behalf, if another
	want_id		bigint,
	taint_id	bigint,
	job_id		int,
	priority	smallint,
	until		timestamptz,	-- retry_at or expires_at
	cause		text,
	note		text,			-- reason, or the worker
	runs		bigint[],
	parts		bigint[],
	sizes		bigint[],		-- outputs of each run, where not one each; of declared: how many others of each part
	others		bigint[],		-- what the parts were declared to need or to make along; of claimed: see read.c
	names		text[],			-- refs of the parts, where named the first time
	body		jsonb
);

CREATE INDEX event_want ON databuild.event (want_id) WHERE want_id IS NOT NULL;
CREATE INDEX event_job_dropped ON databuild.event (job_id) WHERE kind = 'job_dropped';

CREATE TABLE databuild.job
(
	job_id		int			NOT NULL PRIMARY KEY,
	label		text		NOT NULL UNIQUE COLLATE "C",
	patterns	text[]		NOT NULL,
	outputs		text[],
	inputs		text[],
	config		jsonb		NOT NULL,
	batch_size	int			NOT NULL,
	max_running	int,
	max_attempts int		NOT NULL,
	max_misses	int			NOT NULL,
	backoff		interval	NOT NULL,
	lease		interval	NOT NULL,
	paused		boolean		NOT NULL DEFAULT false,
	is_source	boolean		NOT NULL,
	outputs_function text,				-- by names, which a dump takes along; see ask.c
	outputs_owner text		COLLATE "C",
	inputs_function text,
	inputs_owner text		COLLATE "C",
	functions_role text		COLLATE "C"	-- who defined the job, as whom they run
);

/*
 * The jobs of workers that may not work for all.  Rights, no state: not in the
 * log.  Roles by name, so that a dump can be restored where a role is missing;
 * jobs by label, so that a job that is dropped and defined again is theirs still.
 */
CREATE TABLE databuild.worker_job
(
	role		text		NOT NULL COLLATE "C",
	job			text		NOT NULL COLLATE "C",
	PRIMARY KEY (role, job)
);

CREATE TABLE databuild.partition
(
	id			bigint		NOT NULL DEFAULT nextval('databuild.partition_id_seq') PRIMARY KEY,
	live_run	bigint		NOT NULL DEFAULT 0,
	run			bigint		NOT NULL DEFAULT 0,
	ticket		bigint		NOT NULL DEFAULT 0,
	since		timestamptz NOT NULL,
	job_id		int			NOT NULL,
	prio		smallint	NOT NULL DEFAULT -128,
	state		"char"		NOT NULL DEFAULT 'M',
	ref			text		NOT NULL UNIQUE COLLATE "C"
) WITH (fillfactor = 45);

CREATE TABLE databuild.trouble
(
	part		bigint		NOT NULL PRIMARY KEY,
	attempts	int			NOT NULL,
	misses		int			NOT NULL,
	retry_at	timestamptz,
	cause		text,
	note		text,
	changed		bigint		NOT NULL DEFAULT 0		-- event by which its rows changed while a run was making it
) WITH (fillfactor = 70);

CREATE TABLE databuild.run
(
	run_id		bigint		NOT NULL PRIMARY KEY,
	started_at	timestamptz NOT NULL,
	lease_at	timestamptz NOT NULL,
	finished_at	timestamptz NOT NULL DEFAULT 'infinity',
	lease		bigint		NOT NULL,				-- microseconds
	job_id		int			NOT NULL,
	attempt		int			NOT NULL,
	state		"char"		NOT NULL DEFAULT 'R',
	worker		text		NOT NULL,
	outputs		bigint[]	NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE databuild.run_note
(
	run_id		bigint		NOT NULL PRIMARY KEY,
	reason		text,
	metadata	jsonb,
	made		bigint[]		-- where not all outputs were
);

/* An instance without a run, numbered by its event. */
CREATE TABLE databuild.publication
(
	event_id	bigint		NOT NULL PRIMARY KEY,
	at			timestamptz NOT NULL,
	parts		bigint[]	NOT NULL,
	metadata	jsonb
);

CREATE TABLE databuild.want
(
	want_id		bigint		NOT NULL PRIMARY KEY,
	created_at	timestamptz NOT NULL,
	ended_at	timestamptz NOT NULL DEFAULT 'infinity',
	run_id		bigint		NOT NULL DEFAULT 0,		-- whose miss made it
	derivative	boolean		NOT NULL DEFAULT false,
	total		int			NOT NULL,
	prio		smallint	NOT NULL,
	state		"char"		NOT NULL DEFAULT 'A',
	data_timestamp timestamptz,
	due_at		timestamptz,
	expires_at	timestamptz,
	source		text,
	comment		text,
	key			text
) WITH (fillfactor = 70);

/* The keys of wants in force. */
CREATE TABLE databuild.want_key
(
	key			text		NOT NULL PRIMARY KEY COLLATE "C",
	want_id		bigint		NOT NULL
);

CREATE INDEX want_key_want ON databuild.want_key (want_id);

/* The refs of wants in force; those of ended ones are in the log. */
CREATE TABLE databuild.member
(
	want_id		bigint		NOT NULL,
	block		bigint		NOT NULL,				-- id >> 6
	mask		bigint		NOT NULL,				-- bit id & 63
	PRIMARY KEY (want_id, block)
);

/*
 * On an expression, so that what names want and block fits the primary key
 * only.  ANALYZE counts rows that are not committed as dead: while a large
 * want is under way it leaves many pages with next to no rows, and for those
 * the planner found any index as good, even to read it from end to end.
 */
CREATE INDEX member_block ON databuild.member ((block + 0));

/* The inputs that a partition's job declares for it, as bitmaps. */
CREATE TABLE databuild.input
(
	part		bigint		NOT NULL,
	block		bigint		NOT NULL,
	mask		bigint		NOT NULL,
	PRIMARY KEY (part, block)
);

CREATE INDEX input_block ON databuild.input ((block + 0));	-- as member_block

/* What a run of the partition makes, itself included, where that is more than itself. */
CREATE TABLE databuild.output
(
	part		bigint		NOT NULL PRIMARY KEY,
	outputs		bigint[]	NOT NULL
);

/* Live partitions that a running run makes anew beside others. */
CREATE TABLE databuild.taken
(
	part		bigint		NOT NULL PRIMARY KEY,
	run_id		bigint		NOT NULL
);

CREATE INDEX taken_run ON databuild.taken (run_id);

/* Claimable but for one of its outputs, which a run is making: not in the ready set. */
CREATE TABLE databuild.collision
(
	blocker		bigint		NOT NULL,
	part		bigint		NOT NULL
);

CREATE INDEX collision_blocker ON databuild.collision (blocker);
CREATE INDEX collision_part ON databuild.collision (part);

/* A never updated row for each run that a limited job may have at a time, to lock. */
CREATE TABLE databuild.slot
(
	job_id		int			NOT NULL,
	slot		int			NOT NULL,
	PRIMARY KEY (job_id, slot)
);

CREATE TABLE databuild.slot_use
(
	job_id		int			NOT NULL,
	slot		int			NOT NULL,
	run_id		bigint		NOT NULL PRIMARY KEY
);

CREATE INDEX slot_use_slot ON databuild.slot_use (job_id, slot);

/*
 * The waiter waits for the members of that derivative want; or, if it is a
 * declared one, which many waiters share, for its own declared inputs.
 */
CREATE TABLE databuild.wait
(
	waiter		bigint		NOT NULL,
	want_id		bigint		NOT NULL,
	declared	boolean		NOT NULL
);

CREATE INDEX wait_waiter ON databuild.wait (waiter);
CREATE INDEX wait_want ON databuild.wait (want_id);

CREATE TABLE databuild.taint
(
	taint_id	bigint		NOT NULL PRIMARY KEY,
	created_at	timestamptz NOT NULL,
	state		"char"		NOT NULL DEFAULT 'A',
	reason		text
);

/* The instances that a taint marks. */
CREATE TABLE databuild.taint_part
(
	taint_id	bigint		NOT NULL,
	part		bigint		NOT NULL,
	run			bigint		NOT NULL,
	PRIMARY KEY (taint_id, part)
);

CREATE INDEX taint_part_part ON databuild.taint_part (part);

/* What a run read: the instances that were there when it was claimed. */
CREATE TABLE databuild.read
(
	run_id		bigint		NOT NULL,
	part		bigint		NOT NULL,
	instance	bigint		NOT NULL,
	PRIMARY KEY (run_id, part)
);

CREATE INDEX read_instance ON databuild.read (part, instance);

/* Instances that are live no more, and the event until which they were: replaced, tainted, forgotten. */
CREATE TABLE databuild.once_live
(
	part		bigint		NOT NULL,
	event_id	bigint		NOT NULL,
	instance	bigint		NOT NULL,
	ends_key	bigint		NOT NULL,		-- of the transaction, see gate.c; no part of the state
	PRIMARY KEY (part, event_id)
);

/* When upstream goes live, the waiter looks again: one row a waiter. */
CREATE TABLE databuild.watch
(
	upstream	bigint		NOT NULL,
	waiter		bigint		NOT NULL
);

CREATE INDEX watch_upstream ON databuild.watch (upstream, waiter);

/*
 * What may be claimed, in order.  An entry counts while its partition is
 * queued or up_for_retry with this job and priority and a ticket that is not
 * newer; others are deleted by the claim that meets them.
 */
CREATE TABLE databuild.ready
(
	seq			bigint		NOT NULL,
	part		bigint		NOT NULL,
	job_id		int			NOT NULL,
	prio		smallint	NOT NULL
);

CREATE INDEX ready_queue ON databuild.ready (job_id, prio, seq);

/* What a call could not do because somebody else held the token. */
CREATE TABLE databuild.agenda
(
	seq			bigint		NOT NULL,
	by			xid8		NOT NULL,
	part		bigint		NOT NULL,				-- look at this partition, or
	want_id		bigint		NOT NULL,				-- at whether this want is done
	how			"char"		NOT NULL				-- 'l' at it; 's' only whether its input is on the move; 'w' at what is declared to need it
);

CREATE INDEX agenda_seq ON databuild.agenda (seq);

/*
 * What is due at a time: 'L' leases of runs, 'R' retries of partitions,
 * 'E' ends of wants.
 */
CREATE TABLE databuild.timer
(
	at			timestamptz NOT NULL,
	kind		"char"		NOT NULL,
	ids			bigint[]	NOT NULL
);

CREATE INDEX timer_at ON databuild.timer (at);
CREATE INDEX timer_end ON databuild.timer (at) WHERE kind = 'E';

/*
 * Marks: nothing is left of the queue below low.  Only inserted, the greatest
 * counts; tick() removes the others.  'r' ready by job and priority, 'a' the
 * agenda, 't' the timers (low in microseconds).
 */
CREATE TABLE databuild.mark
(
	low			bigint		NOT NULL,
	job_id		int			NOT NULL,
	prio		smallint	NOT NULL,
	queue		"char"		NOT NULL
);

CREATE INDEX mark_queue ON databuild.mark (queue, job_id, prio, low);

/* For the views of monitoring, by tick(): partitions by chunks of 65,536 ids (-1: when it last did), a place each by job and state. */
CREATE TABLE databuild.counted
(
	chunk		bigint		NOT NULL PRIMARY KEY,
	at			timestamptz NOT NULL,
	jobs		int[],
	states		text,				-- a letter each
	parts		bigint[],
	since		timestamptz[],		-- of the oldest
	late		bigint[]			-- late wants on those that are not live
) WITH (fillfactor = 50);

/* Events by kind, and the runs in them, up to an event; the greatest counts for all kinds. */
CREATE TABLE databuild.tally
(
	kind		text		NOT NULL PRIMARY KEY COLLATE "C",
	events		bigint		NOT NULL,
	runs		bigint		NOT NULL,
	upto		bigint		NOT NULL
) WITH (fillfactor = 50);

/* The place of an id in an ascending array. */
CREATE FUNCTION databuild.nth(ids bigint[], id bigint) RETURNS int
	LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'databuild_nth';

/* The ids of a bitmap. */
CREATE FUNCTION databuild.bits(block bigint, mask bigint) RETURNS SETOF bigint
	LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE ROWS 8
	AS 'MODULE_PATHNAME', 'databuild_bits';

/* Whether another transaction has changed or locked that row of the table. */
CREATE FUNCTION databuild.in_flight(relation oid, row_id tid) RETURNS boolean
	LANGUAGE C STRICT VOLATILE
	AS 'MODULE_PATHNAME', 'databuild_in_flight';

/* ---- protection of the log; see log.c ---- */

CREATE FUNCTION databuild.event_guard() RETURNS trigger
	LANGUAGE C SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_event_guard';

CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE ON databuild.event
	FOR EACH ROW EXECUTE FUNCTION databuild.event_guard();
CREATE TRIGGER event_append_only_truncate BEFORE TRUNCATE ON databuild.event
	FOR EACH STATEMENT EXECUTE FUNCTION databuild.event_guard();

ALTER TABLE databuild.event ENABLE ALWAYS TRIGGER event_append_only;
ALTER TABLE databuild.event ENABLE ALWAYS TRIGGER event_append_only_truncate;

/* ---- what pg_dump takes along: everything but what was counted; marks were safe in its snapshot ---- */

SELECT pg_catalog.pg_extension_config_dump('databuild.serial', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.job_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.partition_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.want_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.taint_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.event', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.job', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.worker_job', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.partition', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.trouble', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.run', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.run_note', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.publication', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.want', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.want_key', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.member', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.input', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.output', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.taken', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.collision', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.slot', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.slot_use', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.wait', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.taint', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.taint_part', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.read', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.once_live', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.watch', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.ready', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.agenda', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.timer', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.mark', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.counted', 'WHERE false');
SELECT pg_catalog.pg_extension_config_dump('databuild.tally', 'WHERE false');
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
downstream: also what runs made from these instances, however indirectly, by what they really read.
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
Raises 22023, 55000 (on a standby, which cannot tell what is settled). Waits for nobody.';

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
 * have another run, something due, or, for who has waited once, something
 * left on the agenda, which may be held up by somebody still.
 */
CREATE FUNCTION databuild.work_due(jobs text[], patient boolean) RETURNS bigint
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
	unknown text;
	next_at timestamptz;
	left_over boolean := EXISTS (SELECT FROM databuild.agenda a);
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
	IF patient AND left_over OR EXISTS (SELECT FROM databuild.job j CROSS JOIN LATERAL (SELECT k.prio, max(k.low) AS low FROM databuild.mark k
				WHERE k.queue = 'r' AND k.job_id = j.job_id GROUP BY k.prio OFFSET 0) AS k
			WHERE NOT j.paused AND NOT j.is_source AND (jobs IS NULL OR j.label = ANY (jobs))
				AND EXISTS (SELECT FROM databuild.ready q WHERE q.job_id = j.job_id AND q.prio = k.prio AND q.seq > k.low)
				AND (j.max_running IS NULL OR j.max_running > (SELECT count(*) FROM databuild.slot_use u WHERE u.job_id = j.job_id AND u.slot <= j.max_running)))
	THEN
		RETURN NULL;
	END IF;
	next_at := (SELECT n.at FROM databuild.timer n ORDER BY n.at LIMIT 1);
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
'Waits until there may be something to claim of these jobs (NULL: of any that the caller may work for), or the timeout has passed: then claim(). Sleeps until another session commits such work or something is due, and sees what COMMIT PREPARED brought within 20 seconds. Commits while it waits, so that it holds no snapshot; not for use inside a transaction.
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

CREATE FUNCTION databuild.fold(upto bigint, OUT machine text, OUT id bigint, OUT state "char", OUT job_id int, OUT prio int,
		OUT run_id bigint, OUT live_run bigint, OUT since timestamptz, OUT until timestamptz, OUT attempts int, OUT misses int,
		OUT cause text, OUT note text, OUT ids bigint[], OUT total bigint, OUT past bigint[], OUT changed bigint)
	RETURNS SETOF record
	LANGUAGE C STABLE ROWS 100000 SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_fold';
COMMENT ON FUNCTION databuild.fold IS
'Internal: the state made from the log up to an event (NULL: all of it), a row a token. Takes no lock.';

COMMENT ON FUNCTION databuild.nth IS
'Internal: the place of an id in an ascending array, from 1.';
COMMENT ON FUNCTION databuild.bits IS
'Internal: the ids that a bitmap of 64 neighbouring ones stands for.';
COMMENT ON FUNCTION databuild.in_flight IS
'Internal: whether another transaction has changed or locked that row version of a table.';
COMMENT ON FUNCTION databuild.event_guard IS
'Internal: the trigger that keeps the log append-only.';
/* ------------------------------------------------------------------------
 * views.sql: what analysts read.  Names and columns are stable.
 * ------------------------------------------------------------------------ */

CREATE VIEW databuild.jobs AS
	SELECT label, patterns, outputs, inputs, config, batch_size, max_running, max_attempts, max_misses, backoff, lease, paused, is_source,
		outputs_function, inputs_function, functions_role
	FROM databuild.job;
COMMENT ON VIEW databuild.jobs IS 'Jobs and sources: what makes which refs. functions_role: who defined the job, and as whom its functions run, if it has any.';

CREATE VIEW databuild.partitions AS
	SELECT p.ref, databuild.place_name('partition', p.state) AS state, j.label AS job,
		nullif(p.run, 0) AS run_id, nullif(p.live_run, 0) AS live_run_id,
		coalesce(t.attempts, 0) AS attempts, nullif(p.prio, -128)::int AS priority, t.retry_at, p.since AS state_since,
		coalesce(r.finished_at, b.at) AS live_at
	FROM databuild.partition p
	LEFT JOIN databuild.job j ON j.job_id = p.job_id
	LEFT JOIN databuild.trouble t ON t.part = p.id
	LEFT JOIN databuild.run r ON r.run_id = p.live_run
	LEFT JOIN databuild.publication b ON b.event_id = p.live_run;
COMMENT ON VIEW databuild.partitions IS 'Every known partition and its state: missing, queued (waits for a worker), building, upstream_building (waits for inputs), up_for_retry (backs off until retry_at), live, failed (stays so until retry() or publish()), upstream_failed (an input failed), tainted (was live, is invalid, and nobody makes it anew). run_id makes or made the canonical instance, live_run_id the newest that became live; priority is that of its wants while one is at work on it.';

CREATE FUNCTION databuild.dropped_label(job_id int) RETURNS text
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT e.body ->> 'label' FROM databuild.event e WHERE e.kind = 'job_dropped' AND e.job_id = $1
$$;
COMMENT ON FUNCTION databuild.dropped_label IS 'Internal: the label that a dropped job had.';

CREATE VIEW databuild.job_runs AS
	SELECT r.run_id, coalesce(j.label, databuild.dropped_label(r.job_id)) AS job, databuild.place_name('run', r.state) AS state, r.worker, r.attempt,
		ARRAY(SELECT p.ref FROM unnest(r.outputs) WITH ORDINALITY AS o(id, n)
			JOIN databuild.partition p ON p.id = o.id ORDER BY o.n) AS partitions,
		r.started_at, nullif(r.finished_at, 'infinity') AS finished_at,
		CASE WHEN r.state = 'R' THEN r.lease_at END AS lease_expires_at, n.reason, n.metadata
	FROM databuild.run r
	LEFT JOIN databuild.job j ON j.job_id = r.job_id
	LEFT JOIN databuild.run_note n ON n.run_id = r.run_id;
COMMENT ON VIEW databuild.job_runs IS 'Every run: one attempt of one worker to make its partitions. state: running, succeeded, failed, dep_miss (inputs were lacking), canceled or lost (its lease ended).';

CREATE VIEW databuild.instances AS
	SELECT p.ref, r.run_id,
		CASE r.state WHEN 'R' THEN 'building' WHEN 'D' THEN 'missed' WHEN 'C' THEN 'canceled' WHEN 'L' THEN 'lost' WHEN 'F' THEN 'failed'
			ELSE CASE WHEN o.id = ANY (coalesce(n.made, r.outputs)) THEN 'live' ELSE 'failed' END END AS state,
		CASE WHEN r.state = 'R' THEN r.started_at ELSE r.finished_at END AS at
	FROM databuild.run r
	LEFT JOIN databuild.run_note n ON n.run_id = r.run_id
	CROSS JOIN LATERAL unnest(r.outputs) AS o(id)
	JOIN databuild.partition p ON p.id = o.id
	UNION ALL
	SELECT p.ref, b.event_id, 'live', b.at
	FROM databuild.publication b
	CROSS JOIN LATERAL unnest(b.parts) AS o(id)
	JOIN databuild.partition p ON p.id = o.id;
COMMENT ON VIEW databuild.instances IS 'Every build of every partition: by a run, or published (then run_id is the number of the event). state: building, live, missed, failed, canceled or lost.';

CREATE VIEW databuild.declared_wait AS
	SELECT t.want_id, t.waiter, i.block, i.mask & m.mask AS mask
	FROM databuild.wait t
	JOIN databuild.input i ON i.part = t.waiter
	JOIN databuild.member m ON m.want_id = t.want_id AND m.block = i.block
	WHERE t.declared AND i.mask & m.mask <> 0;
COMMENT ON VIEW databuild.declared_wait IS 'Internal: for which of its declared inputs, as bitmaps, a partition waits by which derivative want.';

/*
 * In force: the bitmaps; ended: the log.  A derivative want that waiters share
 * covers what those of them need that still wait for it.
 */
CREATE VIEW databuild.want_part AS
	SELECT m.want_id, b AS part
	FROM databuild.member m CROSS JOIN databuild.bits(m.block, m.mask) AS b
	WHERE NOT EXISTS (SELECT FROM databuild.wait t WHERE t.want_id = m.want_id AND t.declared)
	UNION ALL
	SELECT DISTINCT d.want_id, b
	FROM databuild.declared_wait d CROSS JOIN databuild.bits(d.block, d.mask) AS b
	UNION ALL
	SELECT w.want_id, u.part
	FROM databuild.want w
	JOIN databuild.event e ON e.want_id = w.want_id AND e.kind IN ('wanted', 'needed')
	CROSS JOIN LATERAL unnest(e.parts) AS u(part)
	WHERE w.state <> 'A';
COMMENT ON VIEW databuild.want_part IS 'Internal: the partitions of wants, by id.';

CREATE VIEW databuild.want_partitions AS
	SELECT m.want_id, p.ref
	FROM databuild.want_part m JOIN databuild.partition p ON p.id = m.part;
COMMENT ON VIEW databuild.want_partitions IS 'The refs of each want.';

/*
 * The callers' wants for which a derivative want was made, however indirectly:
 * upwards from it to what waits for it, and to the wants on that.
 */
CREATE FUNCTION databuild.behind(want_id bigint, OUT due_at timestamptz, OUT expires_at timestamptz)
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1
AS $$
	WITH RECURSIVE b(want_id) AS (
		SELECT $1
		UNION
		SELECT m.want_id FROM b JOIN databuild.wait t ON t.want_id = b.want_id
			JOIN databuild.member m ON m.block + 0 = t.waiter >> 6 AND (m.mask >> (t.waiter & 63)::int) & 1 = 1)
	SELECT min(w.due_at), CASE WHEN bool_and(w.expires_at IS NOT NULL) THEN max(w.expires_at) END
	FROM b JOIN databuild.want w ON w.want_id = b.want_id
	WHERE w.state = 'A' AND NOT w.derivative
$$;
COMMENT ON FUNCTION databuild.behind IS
'Internal: the earliest due time and the latest expiry (NULL: one does not expire) of the wants that stand behind a derivative one.';

CREATE VIEW databuild.wants AS
	SELECT w.want_id,
		CASE WHEN w.state <> 'A' THEN databuild.place_name('want', w.state)
			WHEN w.expires_at <= databuild.clock() THEN 'expired'
			WHEN s.failed > 0 THEN 'failed'
			WHEN s.upstream_failed > 0 THEN 'upstream_failed'
			WHEN s.live = s.total THEN 'successful'
			WHEN s.building > 0 THEN 'building'
			WHEN s.upstream_building > 0 THEN 'upstream_building'
			ELSE 'idle' END AS state,
		s.total::int AS total, s.live::int AS live, w.prio::int AS priority, w.data_timestamp,
		CASE WHEN w.derivative AND w.state = 'A' THEN (SELECT b.due_at FROM databuild.behind(w.want_id) AS b) ELSE w.due_at END AS due_at,
		CASE WHEN w.derivative AND w.state = 'A' THEN (SELECT b.expires_at FROM databuild.behind(w.want_id) AS b) ELSE w.expires_at END AS expires_at,
		w.source, w.comment, w.key, w.created_at, nullif(w.ended_at, 'infinity') AS ended_at,
		w.derivative, nullif(w.run_id, 0) AS run_id
	FROM databuild.want w
	CROSS JOIN LATERAL (SELECT count(*) AS total, count(*) FILTER (WHERE p.state = 'L') AS live,
			count(*) FILTER (WHERE p.state = 'F') AS failed,
			count(*) FILTER (WHERE p.state = 'X') AS upstream_failed,
			count(*) FILTER (WHERE p.state = 'B') AS building,
			count(*) FILTER (WHERE p.state = 'U') AS upstream_building
		FROM databuild.want_part m JOIN databuild.partition p ON p.id = m.part
		WHERE m.want_id = w.want_id) AS s;
COMMENT ON VIEW databuild.wants IS 'Every want. state: canceled, expired, for a derivative one successful; of one that is still active the first that applies to its partitions: failed, upstream_failed (any is), successful (all are live), building, upstream_building (any is), idle. A derivative one was made by databuild, because a run missed its refs (run_id) or they are declared inputs; its due time and expiry are those of the wants behind it: the earliest, the latest.';

CREATE VIEW databuild.edge AS
	SELECT t.waiter, b AS upstream, nullif(w.run_id, 0) AS run_id
	FROM databuild.wait t
	JOIN databuild.want w ON w.want_id = t.want_id
	JOIN databuild.member m ON m.want_id = t.want_id
	CROSS JOIN databuild.bits(m.block, m.mask) AS b
	WHERE NOT t.declared
	UNION ALL
	SELECT i.part, b, NULL
	FROM databuild.input i CROSS JOIN databuild.bits(i.block, i.mask) AS b;
COMMENT ON VIEW databuild.edge IS 'Internal: what a waiting partition waits for, and what any partition is declared to need.';

CREATE VIEW databuild.late_wants AS
	SELECT want_id, state, due_at, databuild.clock() - due_at AS late_by, total, live, priority, source, comment, key
	FROM databuild.wants
	WHERE due_at <= databuild.clock() AND state NOT IN ('successful', 'canceled', 'expired')
	ORDER BY due_at;
COMMENT ON VIEW databuild.late_wants IS 'Wants in force whose sla has passed while not all of their partitions are live, the most urgent first.';

CREATE VIEW databuild.taints AS
	SELECT taint_id, databuild.place_name('taint', state) AS state, reason, created_at FROM databuild.taint;
COMMENT ON VIEW databuild.taints IS 'Every taint, active or canceled. An active one still marks what was not made anew since.';

CREATE VIEW databuild.taint_partitions AS
	SELECT x.taint_id, p.ref, x.run AS run_id
	FROM databuild.taint_part x JOIN databuild.partition p ON p.id = x.part;
COMMENT ON VIEW databuild.taint_partitions IS 'The instances (ref, run) that each taint marks.';

CREATE VIEW databuild.stale_partitions AS
	SELECT p.ref, p.live_run AS run_id, i.ref AS input, d.instance AS read_run_id, i.live_run AS input_run_id
	FROM databuild.partition p
	JOIN databuild.read d ON d.run_id = p.live_run
	JOIN databuild.partition i ON i.id = d.part AND i.live_run NOT IN (0, d.instance)
	WHERE p.state = 'L';
COMMENT ON VIEW databuild.stale_partitions IS 'Live partitions that were made from an instance of an input (read_run_id) that is not its newest any more (input_run_id).';

CREATE VIEW databuild.dependencies AS
	SELECT d.ref, u.ref AS upstream, e.run_id
	FROM databuild.edge e
	JOIN databuild.partition d ON d.id = e.waiter AND d.state IN ('U', 'X')
	JOIN databuild.partition u ON u.id = e.upstream;
COMMENT ON VIEW databuild.dependencies IS 'What waits for what now, and the run whose miss said so.';

/*
 * A table is tracked by triggers; the one for TRUNCATE has the columns, by
 * whose places the template in its arguments names them.  Arguments are texts,
 * each with a zero behind it.
 */
CREATE VIEW databuild.tracked AS
	SELECT t.tgrelid::regclass AS tbl,
		(SELECT string_agg(coalesce('{' || c.attname || '}', p.piece[1]), '' ORDER BY p.n)
			FROM regexp_matches(convert_from(substring(t.tgargs FROM 1 FOR a.n - 1), getdatabaseencoding()), '\{\{|\}\}|\{\d{1,4}\}|[^{}]+', 'g') WITH ORDINALITY AS p(piece, n)
			LEFT JOIN pg_attribute c ON c.attrelid = t.tgrelid AND c.attnum = t.tgattr[substring(p.piece[1] FROM '^\{(\d+)\}$')::int - 1]) AS ref_template,
		substring(t.tgargs FROM a.n + 1) = '\x7472756500'::bytea AS taint_downstream
	FROM pg_trigger t CROSS JOIN LATERAL position('\x00'::bytea IN t.tgargs) AS a(n)
	WHERE t.tgfoid = 'databuild.record_change'::regproc AND t.tgtype & 32 <> 0 AND t.tgnargs = 2;
COMMENT ON VIEW databuild.tracked IS 'The tables whose rows name refs; see track().';

CREATE VIEW databuild.events AS
	SELECT e.event_id, e.recorded_at, e.kind, e.actor,
		CASE WHEN cardinality(e.runs) = 1 THEN e.runs[1] END AS run_id,
		e.want_id, e.taint_id, coalesce(j.label, databuild.dropped_label(e.job_id)) AS job,
		CASE WHEN e.parts IS NOT NULL THEN coalesce(e.names, ARRAY(SELECT p.ref FROM unnest(e.parts) WITH ORDINALITY AS o(id, n)
			JOIN databuild.partition p ON p.id = o.id ORDER BY o.n)) END AS refs,
		jsonb_strip_nulls(jsonb_build_object(
			'runs', CASE WHEN cardinality(e.runs) > 1 THEN to_jsonb(e.runs) END,
			'outputs', CASE WHEN e.kind NOT IN ('declared', 'makes') THEN to_jsonb(e.sizes) END,
			'inputs', CASE WHEN e.kind = 'declared' THEN (SELECT jsonb_agg(p.ref ORDER BY o.n) FROM unnest(e.others) WITH ORDINALITY AS o(id, n)
				JOIN databuild.partition p ON p.id = o.id) END,
			'makes', CASE WHEN e.kind = 'makes' THEN (SELECT jsonb_agg(p.ref ORDER BY o.n) FROM unnest(e.others) WITH ORDINALITY AS o(id, n)
				JOIN databuild.partition p ON p.id = o.id) END,
			'instances', CASE WHEN e.kind = 'read' THEN to_jsonb(e.others) END,
			'counts', CASE WHEN e.kind IN ('declared', 'makes') THEN to_jsonb(e.sizes) END,
			'priority', e.priority,
			CASE e.kind WHEN 'backed_off' THEN 'retry_at' ELSE 'until' END, e.until,
			'cause', e.cause,
			CASE e.kind WHEN 'claimed' THEN 'worker' ELSE 'reason' END, e.note))
			|| CASE WHEN e.kind LIKE 'job\_%' THEN jsonb_build_object('definition', e.body)
				WHEN e.kind = 'wanted' THEN coalesce(e.body, '{}')
				WHEN e.body IS NULL THEN '{}' ELSE jsonb_build_object('metadata', e.body) END AS body,
		coalesce(e.role, e.actor) AS role
	FROM databuild.event e
	LEFT JOIN databuild.job j ON j.job_id = e.job_id;
COMMENT ON VIEW databuild.events IS 'The log. actor is the session user, role on whose behalf the call was made: what SET ROLE or a SECURITY DEFINER function said. An event on several runs has run_id NULL and body.runs. The kinds are in event_kinds.';

CREATE FUNCTION databuild.event_kinds(OUT kind text, OUT meaning text, OUT tells text[])
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE ROWS 40 PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_event_kinds';
COMMENT ON FUNCTION databuild.event_kinds IS 'The kinds of events, what each says, and the signals that it sends.';
/* ------------------------------------------------------------------------
 * why.sql: why a partition is not there.
 *
 * reason_of() is the closed list of reasons in its fixed order: the first that
 * applies is the answer.  why() follows the reasons that are about other
 * partitions to those that are not.  All of it only reads, by index paths.
 * ------------------------------------------------------------------------ */

CREATE FUNCTION databuild.queue_place(part_id bigint, OUT ahead bigint)
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
	WITH p AS (SELECT id, job_id, prio, ticket FROM databuild.partition WHERE id = part_id),
	own AS (SELECT q.seq FROM p JOIN databuild.ready q ON q.job_id = p.job_id AND q.prio = p.prio AND q.seq > p.ticket
		WHERE q.part = p.id ORDER BY q.seq LIMIT 1)
	SELECT count(*) FROM (SELECT FROM p JOIN databuild.ready q ON q.job_id = p.job_id AND q.prio >= p.prio
		WHERE q.prio > p.prio OR q.seq < coalesce((SELECT seq FROM own), p.ticket) LIMIT 1000) AS before
$$;
COMMENT ON FUNCTION databuild.queue_place IS
'Internal: how many entries of its job''s queue come before a queued partition, counted up to 1,000.';

CREATE FUNCTION databuild.inputs_not_live(part_id bigint, OUT lacking bigint, OUT lost bigint, OUT total bigint)
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1
AS $$
	SELECT count(*) FILTER (WHERE p.state <> 'L'), count(*) FILTER (WHERE p.state IN ('F', 'X')), count(*)
	FROM (SELECT DISTINCT e.upstream FROM databuild.edge e WHERE e.waiter = part_id) AS e
	JOIN databuild.partition p ON p.id = e.upstream
$$;
COMMENT ON FUNCTION databuild.inputs_not_live IS
'Internal: of the inputs that a partition waits for, how many are not live, how many are failed or upstream_failed, and how many there are.';

CREATE FUNCTION databuild.is_covered(part_id bigint) RETURNS boolean
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1
AS $$
	SELECT EXISTS (SELECT FROM databuild.member m JOIN databuild.want w ON w.want_id = m.want_id AND w.state = 'A'
		WHERE m.block + 0 = part_id >> 6 AND (m.mask >> (part_id & 63)::int) & 1 = 1 AND (w.expires_at > databuild.clock()) IS NOT FALSE
			AND NOT (w.derivative AND w.run_id = 0))
		OR EXISTS (SELECT FROM databuild.declared_wait d WHERE d.block + 0 = part_id >> 6 AND (d.mask >> (part_id & 63)::int) & 1 = 1)
$$;
COMMENT ON FUNCTION databuild.is_covered IS 'Internal: whether a want in force covers the partition, or one that waits by a shared derivative want is declared to need it.';

CREATE FUNCTION databuild.reason_of(part_id bigint, OUT ref text, OUT state text, OUT reason text, OUT detail text, OUT hint text,
		OUT run_id bigint, OUT since timestamptz)
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1
AS $$
DECLARE
	p databuild.partition%ROWTYPE;
	j databuild.job%ROWTYPE;
	t databuild.trouble%ROWTYPE;
	r databuild.run%ROWTYPE;
	inputs record;
	blocking record;
	last_reason text;
	tried text := '';
	ahead bigint;
	now_ timestamptz := databuild.clock();
BEGIN
	SELECT * INTO p FROM databuild.partition WHERE id = part_id;
	SELECT * INTO j FROM databuild.job WHERE job_id = p.job_id;
	SELECT * INTO t FROM databuild.trouble WHERE part = part_id;
	ref := p.ref;
	state := databuild.place_name('partition', p.state);
	since := p.since;
	IF p.state IN ('B', 'F', 'R') AND p.run <> 0 THEN
		SELECT * INTO r FROM databuild.run WHERE databuild.run.run_id = p.run;
		SELECT n.reason INTO last_reason FROM databuild.run_note n WHERE n.run_id = p.run;
		last_reason := coalesce(last_reason, CASE r.state WHEN 'S' THEN 'its run succeeded without making it' ELSE 'no reason was given' END);
		run_id := r.run_id;
	END IF;
	IF p.state = 'R' THEN
		tried := format(' Attempt %s of %s failed (%s).', t.attempts, j.max_attempts, last_reason);
	END IF;

	IF p.state = 'L' THEN
		reason := 'live';
		run_id := p.live_run;
		detail := CASE WHEN EXISTS (SELECT FROM databuild.run WHERE databuild.run.run_id = p.live_run)
			THEN format('Run %s made it.', p.live_run) ELSE format('It was published in event %s.', p.live_run) END;
		SELECT i.ref INTO last_reason FROM databuild.read d JOIN databuild.partition i ON i.id = d.part AND i.live_run NOT IN (0, d.instance)
			WHERE d.run_id = p.live_run ORDER BY i.ref LIMIT 1;
		IF FOUND THEN
			reason := 'stale';
			detail := format('Run %s made it from an instance of %s that is not the newest any more.', p.live_run, last_reason);
			hint := format('SELECT databuild.remake(ARRAY[%L]) makes it anew.', p.ref);
		END IF;
		RETURN;
	END IF;
	IF p.state IN ('M', 'T') AND NOT databuild.is_covered(p.id) THEN
		reason := 'not_wanted';
		detail := CASE WHEN p.live_run <> 0 THEN 'It was live, is tainted, and no want in force covers it.'
			ELSE 'No want in force covers it.' END;
		hint := format('SELECT databuild.want(ARRAY[%L]) asks for it.', p.ref);
		RETURN;
	END IF;
	IF p.state IN ('Q', 'R', 'U', 'X') AND NOT databuild.is_covered(p.id) THEN
		reason := 'not_wanted';
		detail := 'No want in force covers it any more.';
		hint := 'The next call or tick() lets it fall back.';
		RETURN;
	END IF;
	IF j.job_id IS NULL AND p.state <> 'B' THEN
		reason := 'no_job';
		detail := 'No job or source has a pattern that matches it.';
		hint := format('Define a job that makes it, or publish it once it is there: SELECT databuild.publish(ARRAY[%L]).', p.ref);
		RETURN;
	END IF;
	IF j.is_source AND p.state NOT IN ('B', 'F') THEN
		reason := 'waiting_for_publish';
		detail := format('It comes from source "%s", which has not published it%s.', j.label,
			CASE WHEN p.live_run <> 0 THEN ' again since it was tainted' ELSE '' END);
		hint := format('Once it is there: SELECT databuild.publish(ARRAY[%L]).', p.ref);
		RETURN;
	END IF;
	IF p.state = 'F' AND t.cause = 'cycle' THEN
		reason := 'cycle';
		detail := t.note;
		hint := format('Mend what the job of one of these says that it needs, then SELECT databuild.retry(ARRAY[%L]).', p.ref);
		RETURN;
	END IF;
	IF p.state = 'F' THEN
		reason := 'failed';
		detail := CASE t.cause
			WHEN 'attempts' THEN format('%s of %s attempts failed; the last: %s', t.attempts, j.max_attempts, last_reason)
			WHEN 'no_retry' THEN format('Attempt %s failed and the worker asked for no other: %s', t.attempts, last_reason)
			WHEN 'misses' THEN format('%s runs missed dependencies without success, which is as many as may; the last was run %s.', t.misses, r.run_id)
			ELSE format('Its run was canceled: %s', last_reason) END;
		hint := format('Mend the cause, then SELECT databuild.retry(ARRAY[%L]).', p.ref);
		RETURN;
	END IF;
	IF p.state = 'B' AND r.lease_at >= now_ THEN
		reason := 'building';
		detail := format('Run %s of worker %s makes it, attempt %s, since %s.', r.run_id, r.worker, r.attempt, to_char(r.started_at, 'YYYY-MM-DD HH24:MI:SS'))
			|| CASE WHEN t.changed <> 0 THEN ' Rows that name it changed meanwhile: the end of the run publishes it.' ELSE '' END;
		hint := format('Its lease holds until %s.', to_char(r.lease_at, 'YYYY-MM-DD HH24:MI:SS'));
		RETURN;
	END IF;
	IF p.state = 'B' THEN
		reason := 'lease_overdue';
		detail := format('The lease of run %s of worker %s ended at %s.', r.run_id, r.worker, to_char(r.lease_at, 'YYYY-MM-DD HH24:MI:SS'));
		hint := 'The next claim or tick() gives it up and tries again, unless the worker reports first. See whether the worker is alive.';
		RETURN;
	END IF;
	IF p.state IN ('Q', 'R') THEN
		SELECT u.run_id, b.ref INTO blocking
			FROM databuild.collision x JOIN databuild.partition b ON b.id = x.blocker
			LEFT JOIN databuild.taken k ON k.part = b.id
			JOIN databuild.run u ON u.run_id = coalesce(k.run_id, b.run) AND u.state = 'R'
			WHERE x.part = p.id LIMIT 1;
		IF FOUND THEN
			reason := 'collision';
			run_id := blocking.run_id;
			detail := format('A run of it would make %s, too, which run %s is making.', blocking.ref, blocking.run_id);
			hint := 'When that run ends, it is claimable again.';
			RETURN;
		END IF;
	END IF;
	IF p.state = 'R' AND t.retry_at > now_ THEN
		reason := 'backing_off';
		detail := format('Attempt %s of %s failed (%s); claimable again at %s.', t.attempts, j.max_attempts,
			last_reason, to_char(t.retry_at, 'YYYY-MM-DD HH24:MI:SS'));
		RETURN;
	END IF;
	IF p.state IN ('U', 'X') THEN
		SELECT * INTO inputs FROM databuild.inputs_not_live(p.id);
		IF p.state = 'X' THEN
			reason := 'upstream_failed';
			detail := format('%s of its %s inputs %s failed.', inputs.lost, inputs.total, CASE inputs.lost WHEN 1 THEN 'has' ELSE 'have' END);
			hint := 'Mend what failed at the end of this chain.';
		ELSIF inputs.lacking > 0 THEN
			reason := 'waiting_for_upstream';
			detail := format('%s of its %s inputs %s not live.', inputs.lacking, inputs.total, CASE inputs.lacking WHEN 1 THEN 'is' ELSE 'are' END);
		ELSE
			reason := 'settling';
			detail := 'Everything that it waited for is live.';
			hint := 'The next call or tick() moves it.';
		END IF;
		RETURN;
	END IF;
	IF j.paused THEN
		reason := 'job_paused';
		detail := format('Job "%s" is paused.', j.label) || tried;
		hint := format('SELECT databuild.resume_job(%L) lets claims take it again.', j.label);
		RETURN;
	END IF;
	IF p.state IN ('Q', 'R') AND j.max_running <= (SELECT count(*) FROM databuild.slot_use u WHERE u.job_id = j.job_id) THEN
		reason := 'job_full';
		detail := format('Job "%s" may have %s runs at a time, and has: %s.', j.label, j.max_running,
			(SELECT string_agg(u.run_id::text, ', ' ORDER BY u.run_id) FROM (SELECT u.run_id FROM databuild.slot_use u WHERE u.job_id = j.job_id ORDER BY 1 LIMIT 10) AS u)) || tried;
		hint := 'When one of these runs ends, it is claimable again.';
		RETURN;
	END IF;
	IF p.state IN ('Q', 'R') THEN
		SELECT u.ref INTO blocking FROM databuild.input i CROSS JOIN LATERAL databuild.bits(i.block, i.mask) AS b(id)
			JOIN databuild.partition u ON u.id = b.id WHERE i.part = p.id AND u.state <> 'L' LIMIT 1;
		IF FOUND THEN
			reason := 'settling';
			detail := format('It was claimable, but its input %s is not live any more.', blocking.ref);
			hint := 'The next claim lets it wait for that.';
			RETURN;
		END IF;
		ahead := databuild.queue_place(p.id);
		reason := 'waiting_for_worker';
		detail := format('It is claimable; %s before it in the queue of job "%s".',
			CASE WHEN ahead >= 1000 THEN '1,000 or more come' WHEN ahead = 1 THEN '1 comes' ELSE ahead || ' come' END, j.label)
			|| tried;
		hint := format('A worker of job "%s" takes it with databuild.claim(). If nothing moves, see whether one is running.', j.label);
		RETURN;
	END IF;
	hint := 'The next call or tick() moves it.';
	IF p.state = 'T' THEN
		reason := 'tainted';
		detail := 'Its newest instance is marked invalid.';
	ELSE
		reason := 'settling';
		detail := 'It is wanted, and was held by another session when it was to be queued.';
	END IF;
END
$$;
COMMENT ON FUNCTION databuild.reason_of IS
'Internal: the state of a known partition and the first reason, in the documented order, that applies to it.';

CREATE FUNCTION databuild.causes_of(part_id bigint, max_children int) RETURNS bigint[]
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1
AS $$
	SELECT array_agg(id ORDER BY lost DESC, ref) FROM (
		SELECT p.id, p.ref, p.state IN ('F', 'X') AS lost
		FROM databuild.partition w
		CROSS JOIN LATERAL (SELECT DISTINCT e.upstream FROM databuild.edge e WHERE e.waiter = w.id OFFSET 0) AS e
		JOIN databuild.partition p ON p.id = e.upstream
		WHERE w.id = part_id
			AND CASE w.state WHEN 'X' THEN p.state IN ('F', 'X') WHEN 'U' THEN p.state <> 'L' ELSE false END
		ORDER BY 3 DESC, 2 LIMIT max_children) AS c
$$;
COMMENT ON FUNCTION databuild.causes_of IS
'Internal: the inputs because of which a partition waits, failed ones first, then by ref.';

/* The tree; why() itself only gives it the names that it must have. */
CREATE FUNCTION databuild.why_tree(asked text, max_depth int, max_children int)
	RETURNS TABLE (depth int, partition text, state text, reason text, detail text, hint text, run_id bigint, since timestamptz)
	LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 20
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	stack bigint[];				-- to visit, the next one last
	depths int[];
	seen bigint[] := '{}';
	causes bigint[];
	this bigint;
	shown int := 0;
	labels text[];
BEGIN
	IF asked IS NULL OR max_depth IS NULL OR max_children IS NULL OR max_depth < 0 OR max_children < 0 THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'why() needs a partition, and a depth and number of children that are not negative';
	END IF;
	SELECT p.id INTO this FROM databuild.partition p WHERE p.ref = asked;
	IF NOT FOUND THEN
		labels := databuild.makers(asked);
		depth := 0; partition := asked;
		IF cardinality(labels) > 1 THEN
			reason := 'ambiguous_job';
			detail := format('No call or run has named this ref, and two jobs would make it: "%s" and "%s".', labels[1], labels[2]);
			hint := 'Narrow the patterns of one of them with define_job().';
		ELSIF cardinality(labels) = 1 THEN
			reason := 'unknown';
			SELECT format('No call or run has named this ref; %s "%s" would make it.', CASE WHEN j.is_source THEN 'source' ELSE 'job' END, j.label),
				CASE WHEN j.is_source THEN format('Once it is there: SELECT databuild.publish(ARRAY[%L]).', asked)
					ELSE format('SELECT databuild.want(ARRAY[%L]) asks for it.', asked) END
				INTO detail, hint FROM databuild.job j WHERE j.label = labels[1];
		ELSE
			reason := 'unknown';
			detail := 'No call or run has named this ref, and no job makes it.';
			hint := 'See whether the ref is right: databuild.jobs shows the patterns.';
		END IF;
		RETURN NEXT;
		RETURN;
	END IF;
	stack := ARRAY[this];
	depths := ARRAY[0];
	WHILE cardinality(stack) > 0 AND shown < 1000 LOOP
		this := stack[cardinality(stack)];
		depth := depths[cardinality(depths)];
		stack := trim_array(stack, 1);
		depths := trim_array(depths, 1);
		SELECT r.ref, r.state, r.reason, r.detail, r.hint, r.run_id, r.since
			INTO partition, state, reason, detail, hint, run_id, since
			FROM databuild.reason_of(this) AS r;
		shown := shown + 1;
		IF this = ANY (seen) AND reason IN ('upstream_failed', 'waiting_for_upstream') THEN
			detail := detail || ' See above.';
		ELSIF depth < max_depth AND reason IN ('upstream_failed', 'waiting_for_upstream') THEN
			seen := seen || this;
			causes := databuild.causes_of(this, max_children);
			FOR i IN REVERSE coalesce(cardinality(causes), 0) .. 1 LOOP
				stack := stack || causes[i];
				depths := depths || depth + 1;
			END LOOP;
		END IF;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION databuild.why_tree IS 'Internal: the rows of why().';

/*
 * The same for a time in the past, from nothing but the log: state by the
 * fold, edges and wants by the events up to then.  No hints: it is over.
 */
CREATE FUNCTION databuild.why_then(asked text, max_depth int, max_children int, at timestamptz)
	RETURNS TABLE (depth int, partition text, state text, reason text, detail text, hint text, run_id bigint, since timestamptz)
	LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 20
	SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	asked_id bigint := (SELECT p.id FROM databuild.partition p WHERE p.ref = asked);
	last_event bigint := coalesce((SELECT e.event_id FROM databuild.event e WHERE e.recorded_at <= at ORDER BY e.event_id DESC LIMIT 1), 0);
BEGIN
	IF asked IS NULL OR max_depth IS NULL OR max_children IS NULL OR max_depth < 0 OR max_children < 0 THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'why() needs a partition, and a depth and number of children that are not negative';
	END IF;
	RETURN QUERY
	WITH RECURSIVE f AS MATERIALIZED (SELECT f.* FROM databuild.fold(last_event) AS f),
	j AS MATERIALIZED (SELECT DISTINCT ON (e.job_id) e.job_id, e.kind, e.body ->> 'label' AS label, (e.body ->> 'is_source')::boolean AS is_source,
			(e.body ->> 'paused')::boolean AS paused, (e.body ->> 'max_attempts')::int AS max_attempts
		FROM databuild.event e WHERE e.kind IN ('job_defined', 'job_dropped', 'job_paused', 'job_resumed') AND e.event_id <= last_event
		ORDER BY e.job_id, e.event_id DESC),
	declared AS MATERIALIZED (SELECT d.part, u.input
		FROM (SELECT DISTINCT ON (s.part) s.part, e.others[s.upto - s.n::int + 1 : s.upto] AS inputs
			FROM databuild.event e CROSS JOIN LATERAL (SELECT a.part, a.n, (sum(a.n) OVER (ORDER BY a.i))::int AS upto
				FROM unnest(e.parts, e.sizes) WITH ORDINALITY AS a(part, n, i)) AS s
			WHERE e.kind = 'declared' AND e.event_id <= last_event ORDER BY s.part, e.event_id DESC) AS d
		CROSS JOIN LATERAL unnest(d.inputs) AS u(input)),
	-- wants in force then, and what they cover; one that waiters share, as far as they need it
	w AS MATERIALIZED (SELECT f.id, f.attempts = 1 AND f.run_id = 0 AS shared, e.parts
		FROM f JOIN databuild.event e ON e.want_id = f.id AND e.kind IN ('wanted', 'needed') AND e.event_id <= last_event
		WHERE f.machine = 'want' AND f.state = 'A' AND ((e.body ->> 'expires_at')::timestamptz > at) IS NOT FALSE),
	edge AS MATERIALIZED (SELECT DISTINCT p.id AS waiter, u.part AS upstream
		FROM f AS p CROSS JOIN LATERAL unnest(p.ids) AS x(want_id) JOIN w ON w.id = x.want_id AND NOT w.shared CROSS JOIN LATERAL unnest(w.parts) AS u(part)
		WHERE p.machine = 'partition' AND p.state IN ('U', 'X')
		UNION
		SELECT p.id, d.input FROM f AS p JOIN declared d ON d.part = p.id WHERE p.machine = 'partition' AND p.state IN ('U', 'X')),
	covered AS MATERIALIZED (SELECT u.part FROM w CROSS JOIN LATERAL unnest(w.parts) AS u(part) WHERE NOT w.shared
		UNION SELECT edge.upstream FROM edge),
	p AS MATERIALIZED (SELECT f.id, n.ref, f.state AS letter, databuild.place_name('partition', f.state) AS state, f.run_id, f.live_run, f.since, f.until,
			f.attempts, f.misses, f.cause, f.note, j.label, j.is_source, j.paused, j.max_attempts, coalesce(j.kind, 'job_dropped') <> 'job_dropped' AS has_job
		FROM f JOIN databuild.partition n ON n.id = f.id LEFT JOIN j ON j.job_id = f.job_id WHERE f.machine = 'partition'),
	tree AS (
		SELECT 0 AS depth, asked_id AS id, ARRAY[]::text[] COLLATE "C" AS path, ARRAY[asked_id] AS above
		UNION ALL
		SELECT t.depth + 1, c.id, t.path || c.step, t.above || c.id
		FROM tree t CROSS JOIN LATERAL (
			SELECT u.id, CASE WHEN u.letter IN ('F', 'X') THEN '0' ELSE '1' END || u.ref AS step
			FROM p AS o JOIN edge ON edge.waiter = o.id JOIN p AS u ON u.id = edge.upstream
			WHERE o.id = t.id AND CASE o.letter WHEN 'X' THEN u.letter IN ('F', 'X') ELSE u.letter <> 'L' END
			ORDER BY u.letter NOT IN ('F', 'X'), u.ref COLLATE "C" LIMIT max_children) AS c
		WHERE t.depth < max_depth AND c.id <> ALL (t.above))
	SELECT t.depth, coalesce(p.ref, asked), p.state, y.reason,
		CASE y.reason
			WHEN 'unknown' THEN 'No call or run had named this ref then.'
			WHEN 'live' THEN format('Instance %s was there.', p.live_run)
			WHEN 'not_wanted' THEN 'No want in force covered it.'
			WHEN 'no_job' THEN 'No job or source had a pattern that matches it.'
			WHEN 'waiting_for_publish' THEN format('It comes from source "%s", which had not published it.', p.label)
			WHEN 'cycle' THEN p.note
			WHEN 'failed' THEN format('It had failed (%s) after %s attempts and %s misses; the last reason: %s', p.cause, p.attempts, p.misses, coalesce(n.reason, 'none was given'))
			WHEN 'building' THEN format('Run %s of worker %s was making it.', p.run_id, r.worker)
			WHEN 'backing_off' THEN format('Attempt %s of %s had failed (%s); claimable again at %s.', p.attempts, p.max_attempts,
				coalesce(n.reason, 'no reason was given'), to_char(p.until, 'YYYY-MM-DD HH24:MI:SS'))
			WHEN 'upstream_failed' THEN 'An input of it had failed.'
			WHEN 'waiting_for_upstream' THEN 'Inputs of it were not live.'
			WHEN 'settling' THEN CASE p.letter WHEN 'M' THEN 'It was wanted, and not queued yet.' ELSE 'Everything that it waited for was live.' END
			WHEN 'job_paused' THEN format('Job "%s" was paused.', p.label)
			WHEN 'waiting_for_worker' THEN format('It was claimable; no worker of job "%s" took it.', p.label)
			ELSE 'Its newest instance was marked invalid.' END,
		NULL::text, CASE WHEN p.letter = 'L' THEN p.live_run WHEN p.letter IN ('B', 'F', 'R') THEN nullif(p.run_id, 0) END, p.since
	FROM tree t LEFT JOIN p ON p.id = t.id
	CROSS JOIN LATERAL (SELECT CASE
			WHEN p.id IS NULL THEN 'unknown'
			WHEN p.letter = 'L' THEN 'live'
			WHEN p.letter IN ('M', 'T') AND p.id NOT IN (SELECT c.part FROM covered c) THEN 'not_wanted'
			WHEN NOT p.has_job AND p.letter <> 'B' THEN 'no_job'
			WHEN p.is_source AND p.letter NOT IN ('B', 'F') THEN 'waiting_for_publish'
			WHEN p.letter = 'F' THEN CASE p.cause WHEN 'cycle' THEN 'cycle' ELSE 'failed' END
			WHEN p.letter = 'B' THEN 'building'
			WHEN p.letter = 'R' AND p.until > at THEN 'backing_off'
			WHEN p.letter = 'X' THEN 'upstream_failed'
			WHEN p.letter = 'U' THEN CASE WHEN EXISTS (SELECT FROM edge JOIN p AS u ON u.id = edge.upstream AND u.letter <> 'L' WHERE edge.waiter = p.id)
				THEN 'waiting_for_upstream' ELSE 'settling' END
			WHEN p.paused THEN 'job_paused'
			WHEN p.letter IN ('Q', 'R') THEN 'waiting_for_worker'
			WHEN p.letter = 'M' THEN 'settling'
			ELSE 'tainted' END AS reason) AS y
	LEFT JOIN databuild.run r ON r.run_id = p.run_id
	LEFT JOIN databuild.run_note n ON n.run_id = p.run_id
	ORDER BY t.path LIMIT 1000;
END
$$;
COMMENT ON FUNCTION databuild.why_then IS 'Internal: the rows of why() for a time in the past.';

CREATE FUNCTION databuild.why(partition text, max_depth int = 10, max_children int = 10, at timestamptz = NULL)
	RETURNS TABLE (depth int, partition text, state text, reason text, detail text, hint text, run_id bigint, since timestamptz)
	LANGUAGE sql STABLE SECURITY DEFINER ROWS 20
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT w.depth, w.partition, w.state, w.reason, w.detail, w.hint, w.run_id, w.since
	FROM databuild.why_tree($1, $2, $3) AS w WHERE $4 IS NULL
	UNION ALL
	SELECT w.depth, w.partition, w.state, w.reason, w.detail, w.hint, w.run_id, w.since
	FROM databuild.why_then($1, $2, $3, $4) AS w WHERE $4 IS NOT NULL
$$;
COMMENT ON FUNCTION databuild.why IS
'Why the partition is not live, down to the causes: one row of depth 0 about it, then what it waits for, failed ones first, as a tree in reading order.
max_depth: how far to follow; max_children: how many inputs of each to show; 1,000 rows at most.
at: why it was not live at that time, from the log up to then, which is read from its start; what the log does not hold (leases, collisions, how full a job was, how many came before it) is not told.
The reason is the first that applies of: stale, live, ambiguous_job, unknown, not_wanted, no_job, waiting_for_publish, cycle, failed, building, lease_overdue, collision, backing_off, upstream_failed, waiting_for_upstream, settling (the next call or tick moves it), job_paused, job_full, waiting_for_worker, tainted; the README says more of each. A chain ends in one that is not about another partition.
Reads only. Raises 22023.';

CREATE FUNCTION databuild.why_want(want_id bigint)
	RETURNS TABLE (reason text, partitions bigint, example text, detail text, hint text)
	LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 20
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1
AS $$
#variable_conflict use_column
DECLARE
	asked ALIAS FOR $1;
	now_ timestamptz := databuild.clock();
BEGIN
	IF asked IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'argument "want_id" must not be null';
	END IF;
	IF NOT EXISTS (SELECT FROM databuild.want w WHERE w.want_id = asked) THEN
		RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('want %s does not exist', asked),
			HINT = 'SELECT want_id, comment FROM databuild.wants shows the wants.';
	END IF;
	-- one example of all that have the same reason; what only waits is left to what it waits for
	RETURN QUERY
	WITH RECURSIVE n(id) AS (
		SELECT m.part FROM databuild.want_part m JOIN databuild.partition p ON p.id = m.part WHERE m.want_id = asked AND p.state <> 'L'
		UNION
		SELECT e.upstream FROM n JOIN databuild.partition w ON w.id = n.id AND w.state IN ('U', 'X')
			JOIN databuild.edge e ON e.waiter = n.id JOIN databuild.partition p ON p.id = e.upstream WHERE p.state <> 'L'),
	leaf AS (
		SELECT p.id, p.ref, p.state, p.job_id, p.run, t.cause, t.retry_at > now_ AS later
		FROM n JOIN databuild.partition p ON p.id = n.id LEFT JOIN databuild.trouble t ON t.part = p.id
		WHERE p.state NOT IN ('U', 'X') OR (SELECT i.lacking = 0 FROM databuild.inputs_not_live(p.id) AS i)),
	kind AS (
		SELECT count(*) AS partitions, (array_agg(l.id ORDER BY l.ref COLLATE "C"))[1] AS example
		FROM leaf l LEFT JOIN databuild.run r ON r.run_id = l.run AND l.state = 'B'
		GROUP BY l.state, l.job_id, l.cause, l.later, r.lease_at < now_)
	SELECT r.reason, k.partitions, r.ref, r.detail, r.hint
	FROM kind k CROSS JOIN LATERAL databuild.reason_of(k.example) AS r
	ORDER BY r.reason NOT IN ('failed', 'cycle', 'no_job'), k.partitions DESC, r.ref COLLATE "C";
END
$$;
COMMENT ON FUNCTION databuild.why_want IS
'What keeps the want from success: for each root cause how many partitions have it, anywhere upstream, with an example. Failures first. Reads only. Raises 22023, 42704.';

CREATE FUNCTION databuild.explain(partition text) RETURNS SETOF text
	LANGUAGE sql STABLE SECURITY DEFINER ROWS 20
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT repeat('  ', w.depth) || w.partition || coalesce(' is ' || w.state, ' is not known')
		|| CASE WHEN w.reason IN ('live', 'failed', 'building', 'tainted', 'upstream_failed', 'unknown') THEN '' ELSE ' (' || w.reason || ')' END
		|| coalesce(': ' || w.detail, '') || coalesce(' → ' || w.hint, '')
	FROM databuild.why($1) WITH ORDINALITY AS w(depth, partition, state, reason, detail, hint, run_id, since, n) ORDER BY w.n
$$;
COMMENT ON FUNCTION databuild.explain IS
'why() as an indented tree to read. Reads only. Raises 22023.';

/* ---- lineage ---- */

CREATE FUNCTION databuild.lineage(partition text, direction text = 'upstream', max_depth int = 10,
		OUT depth int, OUT output text, OUT run_id bigint, OUT input text, OUT input_run_id bigint, OUT stale boolean)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1
AS $$
#variable_conflict use_column
DECLARE
	asked databuild.partition%ROWTYPE;
BEGIN
	IF $1 IS NULL OR direction IS NULL OR direction NOT IN ('upstream', 'downstream') OR max_depth IS NULL OR max_depth < 0 THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'lineage() needs a partition, a depth that is not negative, and a direction',
			HINT = 'The directions are upstream and downstream.';
	END IF;
	SELECT * INTO asked FROM databuild.partition p WHERE p.ref = $1;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('partition "%s" is not known', $1),
			HINT = 'A ref is known once a call or a run has named it.';
	END IF;
	IF direction = 'upstream' THEN
		RETURN QUERY WITH RECURSIVE x AS (
			SELECT 1 AS depth, asked.id AS made, d.run_id, d.part, d.instance FROM databuild.read d WHERE d.run_id = asked.live_run AND max_depth > 0
			UNION
			SELECT x.depth + 1, x.part, d.run_id, d.part, d.instance FROM x JOIN databuild.read d ON d.run_id = x.instance WHERE x.depth < max_depth)
		SELECT x.depth, o.ref, x.run_id, i.ref, x.instance, i.live_run <> x.instance
		FROM x JOIN databuild.partition o ON o.id = x.made JOIN databuild.partition i ON i.id = x.part
		ORDER BY x.depth, o.ref, x.run_id, i.ref;
	ELSE
		RETURN QUERY WITH RECURSIVE x AS (
			SELECT 1 AS depth, m.id AS made, d.run_id, asked.id AS part, asked.live_run AS instance
				FROM databuild.read d JOIN databuild.run r ON r.run_id = d.run_id AND r.state = 'S'
				LEFT JOIN databuild.run_note n ON n.run_id = d.run_id CROSS JOIN LATERAL unnest(coalesce(n.made, r.outputs)) AS m(id)
				WHERE d.part = asked.id AND d.instance = asked.live_run AND max_depth > 0
			UNION
			SELECT x.depth + 1, m.id, d.run_id, x.made, x.run_id
				FROM x JOIN databuild.read d ON d.part = x.made AND d.instance = x.run_id
				JOIN databuild.run r ON r.run_id = d.run_id AND r.state = 'S'
				LEFT JOIN databuild.run_note n ON n.run_id = d.run_id CROSS JOIN LATERAL unnest(coalesce(n.made, r.outputs)) AS m(id)
				WHERE x.depth < max_depth)
		SELECT x.depth, o.ref, x.run_id, i.ref, x.instance, i.live_run <> x.instance
		FROM x JOIN databuild.partition o ON o.id = x.made JOIN databuild.partition i ON i.id = x.part
		ORDER BY x.depth, i.ref, x.run_id, o.ref;
	END IF;
END
$$;
COMMENT ON FUNCTION databuild.lineage IS
'From what the newest instance of the partition was made, by what its run really read (upstream), or what was made from it (downstream), a row a run and input, to a depth. input_run_id: the instance that was read (a run, or the event of a publication); stale: there is a newer one, or it was forgotten. Reads only.
Raises 22023, 42704 (a ref that is not known).';

/* ---- the dry plan ---- */

CREATE FUNCTION databuild.plan(partitions text[])
	RETURNS TABLE (ref text, outcome text, detail text)
	LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	-- the refs, and what those that are not live are declared to need, known or not
	WITH i AS MATERIALIZED (SELECT i.ref, i.input FROM databuild.inputs_of(partitions) AS i),
	n AS (SELECT u.ref COLLATE "C" AS ref FROM unnest(partitions) AS u(ref) UNION SELECT i.input COLLATE "C" FROM i),
	needs AS (
		SELECT i.ref COLLATE "C" AS ref, array_agg(DISTINCT i.input) AS lacking
		FROM i LEFT JOIN databuild.partition q ON q.ref = i.input COLLATE "C" WHERE q.state IS DISTINCT FROM 'L' GROUP BY 1),
	known AS MATERIALIZED (
		SELECT n.ref, p.state, databuild.makers(n.ref) AS makers, needs.lacking
		FROM n LEFT JOIN databuild.partition p ON p.ref = n.ref LEFT JOIN needs ON needs.ref = n.ref)
	SELECT k.ref, CASE
			WHEN k.state = 'L' THEN 'live'
			WHEN cardinality(k.makers) = 0 THEN 'no_job'
			WHEN cardinality(k.makers) > 1 THEN 'ambiguous_job'
			WHEN j.is_source THEN 'waiting_for_publish'
			WHEN k.state IN ('Q', 'B', 'R', 'U', 'F', 'X') THEN databuild.place_name('partition', k.state)
			WHEN k.lacking IS NOT NULL THEN 'upstream_building'
			ELSE 'queued' END,
		CASE
			WHEN k.state = 'L' THEN 'It is there.'
			WHEN cardinality(k.makers) = 0 THEN 'No job or source makes it; want() would refuse it.'
			WHEN cardinality(k.makers) > 1 THEN format('Two jobs make it: "%s" and "%s".', k.makers[1], k.makers[2])
			WHEN j.is_source THEN format('Source "%s" has to publish it.', j.label)
			WHEN k.state IN ('Q', 'B', 'R', 'U', 'F', 'X') THEN format('That is its state now; job "%s" makes it.', j.label)
			WHEN k.lacking IS NOT NULL THEN format('It would wait for %s.', array_to_string(k.lacking[1:5], ', ') || CASE WHEN cardinality(k.lacking) > 5 THEN format(' and %s others', cardinality(k.lacking) - 5) ELSE '' END)
			ELSE format('Job "%s" would make it.', j.label) END
	FROM known k LEFT JOIN databuild.job j ON j.label = k.makers[1]
	ORDER BY k.ref;
END
$$;
COMMENT ON FUNCTION databuild.plan IS
'What a want on the partitions would meet, with their declared inputs, however indirect: which are live, would be queued, would wait for what, or no job makes. Changes nothing. What runs find out that they need is not foreseen. Raises 22023.';
/* ------------------------------------------------------------------------
 * replay.sql: state = fold(log), compared and made.
 *
 * Moving columns come from fold(), which evolves every event in C; columns
 * that never change come from the events themselves.
 * ------------------------------------------------------------------------ */

CREATE VIEW databuild.run_note_fold AS
	SELECT u.run_id, e.note AS reason, e.body AS metadata,
		CASE WHEN e.kind = 'succeeded' AND e.parts IS DISTINCT FROM c.outputs AND cardinality(e.runs) = 1 THEN coalesce(e.parts, '{}') END AS made
	FROM databuild.event e
	CROSS JOIN LATERAL unnest(e.runs) AS u(run_id)
	LEFT JOIN databuild.run c ON c.run_id = u.run_id
	WHERE e.kind IN ('succeeded', 'failed', 'missed', 'run_canceled', 'lost')
		AND (e.note IS NOT NULL OR e.body IS NOT NULL
			OR (e.kind = 'succeeded' AND cardinality(e.runs) = 1 AND e.parts IS DISTINCT FROM c.outputs));
COMMENT ON VIEW databuild.run_note_fold IS 'Internal: run_note as the log says it.';

CREATE VIEW databuild.want_fold AS
	SELECT DISTINCT ON (e.want_id) e.want_id, (e.body ->> 'data_timestamp')::timestamptz AS data_timestamp,
		(e.body ->> 'due_at')::timestamptz AS due_at, (e.body ->> 'expires_at')::timestamptz AS expires_at,
		e.body ->> 'source' AS source, e.body ->> 'comment' AS comment, e.body ->> 'key' AS key
	FROM databuild.event e WHERE e.kind IN ('wanted', 'needed') ORDER BY e.want_id, e.event_id;
COMMENT ON VIEW databuild.want_fold IS 'Internal: what of wants never changes, as the log says it.';

/* Of each part the newest declaration. */
CREATE VIEW databuild.input_fold AS
	SELECT d.part, u.input
	FROM (SELECT DISTINCT ON (s.part) s.part, e.others[s.upto - s.n::int + 1 : s.upto] AS inputs
		FROM databuild.event e
		CROSS JOIN LATERAL (SELECT a.part, a.n, (sum(a.n) OVER (ORDER BY a.i))::int AS upto
			FROM unnest(e.parts, e.sizes) WITH ORDINALITY AS a(part, n, i)) AS s
		WHERE e.kind = 'declared' ORDER BY s.part, e.event_id DESC) AS d
	CROSS JOIN LATERAL unnest(d.inputs) AS u(input);
COMMENT ON VIEW databuild.input_fold IS 'Internal: declared inputs, as the log says them.';

CREATE VIEW databuild.output_fold AS
	SELECT d.part, d.outputs
	FROM (SELECT DISTINCT ON (s.part) s.part, e.others[s.upto - s.n::int + 1 : s.upto] AS outputs
		FROM databuild.event e
		CROSS JOIN LATERAL (SELECT a.part, a.n, (sum(a.n) OVER (ORDER BY a.i))::int AS upto
			FROM unnest(e.parts, e.sizes) WITH ORDINALITY AS a(part, n, i)) AS s
		WHERE e.kind = 'makes' ORDER BY s.part, e.event_id DESC) AS d
	WHERE cardinality(d.outputs) > 0;
COMMENT ON VIEW databuild.output_fold IS 'Internal: what else runs of the partitions make, as the log says it.';

CREATE VIEW databuild.taint_fold AS
	SELECT DISTINCT ON (e.taint_id) e.taint_id, e.note AS reason
	FROM databuild.event e WHERE e.kind = 'tainted' ORDER BY e.taint_id, e.event_id;
COMMENT ON VIEW databuild.taint_fold IS 'Internal: what of taints never changes, as the log says it.';

CREATE VIEW databuild.taint_part_fold AS
	SELECT e.taint_id, u.part, u.run
	FROM databuild.event e CROSS JOIN LATERAL unnest(e.parts, e.runs) AS u(part, run)
	WHERE e.kind = 'tainted';
COMMENT ON VIEW databuild.taint_part_fold IS 'Internal: the instances that taints mark, as the log says it.';

CREATE VIEW databuild.read_fold AS
	SELECT u.run_id, u.part, u.instance
	FROM databuild.event e CROSS JOIN LATERAL unnest(e.runs, e.parts, e.others) AS u(run_id, part, instance)
	WHERE e.kind = 'read';
COMMENT ON VIEW databuild.read_fold IS 'Internal: what runs read, as the log says it.';

CREATE VIEW databuild.job_fold AS
	SELECT d.job_id, d.definition
	FROM (SELECT DISTINCT ON (job_id) job_id, kind, body AS definition FROM databuild.event
		WHERE kind IN ('job_defined', 'job_paused', 'job_resumed', 'job_dropped') ORDER BY job_id, event_id DESC) AS d
	WHERE d.kind <> 'job_dropped';
COMMENT ON VIEW databuild.job_fold IS 'Internal: the definitions of jobs, as the log says them.';

CREATE FUNCTION databuild.verify()
	RETURNS TABLE (relation text, key text, stored jsonb, replayed jsonb)
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres SET jit = off
AS $$
	WITH f AS MATERIALIZED (SELECT * FROM databuild.fold(NULL)),
	names AS (SELECT u.part, u.name FROM databuild.event e, unnest(e.parts, e.names) AS u(part, name) WHERE e.kind = 'known'),
	partition AS (
		SELECT 'partition', coalesce(s.id, r.id)::text, to_jsonb(s), to_jsonb(r)
		FROM (SELECT p.id, p.ref, p.state, p.job_id, p.prio, p.run, p.live_run, p.ticket, p.since, coalesce(t.attempts, 0) AS attempts,
				coalesce(t.misses, 0) AS misses, t.retry_at, t.cause, t.note, coalesce(t.changed, 0) AS changed,
				ARRAY(SELECT w.want_id FROM databuild.wait w WHERE w.waiter = p.id ORDER BY 1) AS waits
			FROM databuild.partition p LEFT JOIN databuild.trouble t ON t.part = p.id) AS s
		FULL JOIN (SELECT f.id, n.name COLLATE "C" AS ref, f.state, f.job_id, f.prio::smallint AS prio, f.run_id AS run, f.live_run, f.total AS ticket, f.since,
				f.attempts, f.misses, f.until AS retry_at, f.cause, f.note, f.changed, f.ids AS waits
			FROM f LEFT JOIN names n ON n.part = f.id WHERE f.machine = 'partition') AS r ON r.id = s.id
		WHERE s IS DISTINCT FROM r),
	run AS (
		SELECT 'run', coalesce(s.run_id, r.run_id)::text, to_jsonb(s), to_jsonb(r)
		FROM (SELECT run_id, job_id, state, attempt, started_at, finished_at, worker, outputs FROM databuild.run) AS s
		FULL JOIN (SELECT f.id AS run_id, f.job_id, f.state, f.attempts AS attempt, f.since AS started_at,
				coalesce(f.until, 'infinity') AS finished_at, c.worker, f.ids AS outputs
			FROM f LEFT JOIN (SELECT u.id, e.note AS worker FROM databuild.event e, unnest(e.runs) AS u(id) WHERE e.kind = 'claimed') AS c ON c.id = f.id
			WHERE f.machine = 'run') AS r ON r.run_id = s.run_id
		WHERE s IS DISTINCT FROM r),
	run_note AS (
		SELECT 'run_note', coalesce(s.run_id, r.run_id)::text, to_jsonb(s), to_jsonb(r)
		FROM databuild.run_note AS s FULL JOIN databuild.run_note_fold AS r ON r.run_id = s.run_id
		WHERE (s.run_id, s.reason, s.metadata, s.made) IS DISTINCT FROM (r.run_id, r.reason, r.metadata, r.made)),
	want AS (
		SELECT 'want', coalesce(s.want_id, r.want_id)::text, to_jsonb(s), to_jsonb(r)
		FROM (SELECT want_id, state, prio::int, run_id, derivative, total, created_at, ended_at, data_timestamp, due_at, expires_at, source, comment, key FROM databuild.want) AS s
		FULL JOIN (SELECT f.id AS want_id, f.state, f.prio, f.run_id, f.attempts = 1 AS derivative, f.total::int AS total, f.since AS created_at,
				coalesce(f.until, 'infinity') AS ended_at, b.data_timestamp, b.due_at, b.expires_at, b.source, b.comment, b.key
			FROM f LEFT JOIN databuild.want_fold AS b ON b.want_id = f.id
			WHERE f.machine = 'want') AS r ON r.want_id = s.want_id
		WHERE s IS DISTINCT FROM r),
	member AS (
		SELECT 'member', coalesce(s.want_id, r.want_id) || ':' || coalesce(s.part, r.part), to_jsonb(s), to_jsonb(r)
		FROM (SELECT m.want_id, b AS part FROM databuild.member m CROSS JOIN databuild.bits(m.block, m.mask) AS b) AS s
		FULL JOIN (SELECT e.want_id, u.part FROM databuild.event e CROSS JOIN unnest(e.parts) AS u(part)
			JOIN f ON f.machine = 'want' AND f.id = e.want_id AND f.state = 'A' WHERE e.kind IN ('wanted', 'needed')) AS r
			ON r.want_id = s.want_id AND r.part = s.part
		WHERE s IS DISTINCT FROM r),
	publication AS (
		SELECT 'publication', coalesce(s.event_id, r.event_id)::text, to_jsonb(s), to_jsonb(r)
		FROM databuild.publication AS s
		FULL JOIN (SELECT event_id, recorded_at AS at, parts, body AS metadata FROM databuild.event WHERE kind = 'published') AS r ON r.event_id = s.event_id
		WHERE (s.event_id, s.at, s.parts, s.metadata) IS DISTINCT FROM (r.event_id, r.at, r.parts, r.metadata)),
	taint AS (
		SELECT 'taint', coalesce(s.taint_id, r.taint_id)::text, to_jsonb(s), to_jsonb(r)
		FROM (SELECT taint_id, state, created_at, reason FROM databuild.taint) AS s
		FULL JOIN (SELECT f.id AS taint_id, f.state, f.since AS created_at, b.reason
			FROM f LEFT JOIN databuild.taint_fold AS b ON b.taint_id = f.id WHERE f.machine = 'taint') AS r ON r.taint_id = s.taint_id
		WHERE s IS DISTINCT FROM r),
	taint_part AS (
		SELECT 'taint_part', coalesce(s.taint_id, r.taint_id) || ':' || coalesce(s.part, r.part), to_jsonb(s), to_jsonb(r)
		FROM databuild.taint_part AS s
		FULL JOIN databuild.taint_part_fold AS r ON r.taint_id = s.taint_id AND r.part = s.part
		WHERE s.run IS DISTINCT FROM r.run),
	input AS (
		SELECT 'input', coalesce(s.part, r.part) || ':' || coalesce(s.input, r.input), to_jsonb(s), to_jsonb(r)
		FROM (SELECT i.part, b AS input FROM databuild.input i CROSS JOIN databuild.bits(i.block, i.mask) AS b) AS s
		FULL JOIN databuild.input_fold AS r ON r.part = s.part AND r.input = s.input
		WHERE s.part IS NULL OR r.part IS NULL),
	output AS (
		SELECT 'output', coalesce(s.part, r.part)::text, to_jsonb(s), to_jsonb(r)
		FROM databuild.output AS s FULL JOIN databuild.output_fold AS r ON r.part = s.part
		WHERE s.outputs IS DISTINCT FROM r.outputs),
	read AS (
		SELECT 'read', coalesce(s.run_id, r.run_id) || ':' || coalesce(s.part, r.part), to_jsonb(s), to_jsonb(r)
		FROM databuild.read AS s FULL JOIN databuild.read_fold AS r ON r.run_id = s.run_id AND r.part = s.part
		WHERE s.instance IS DISTINCT FROM r.instance),
	once_live AS (
		SELECT 'once_live', coalesce(s.part, r.part) || ':' || coalesce(s.event_id, r.event_id), to_jsonb(s), to_jsonb(r)
		FROM (SELECT part, event_id, instance FROM databuild.once_live) AS s
		FULL JOIN (SELECT f.id AS part, f.past[i] AS event_id, f.past[i + 1] AS instance FROM f CROSS JOIN LATERAL generate_series(1, cardinality(f.past), 2) AS i
			WHERE f.machine = 'partition') AS r ON r.part = s.part AND r.event_id = s.event_id
		WHERE s.instance IS DISTINCT FROM r.instance),
	want_key AS (
		SELECT 'want_key', coalesce(s.key, r.key), to_jsonb(s), to_jsonb(r)
		FROM databuild.want_key AS s
		FULL JOIN (SELECT w.key COLLATE "C" AS key, w.want_id FROM databuild.want w WHERE w.key IS NOT NULL AND w.state = 'A') AS r ON r.key = s.key
		WHERE s.want_id IS DISTINCT FROM r.want_id),
	job AS (
		SELECT 'job', coalesce(s.job_id, r.job_id)::text, s.definition, r.definition
		FROM (SELECT j.job_id, to_jsonb(j) - 'job_id' AS definition FROM databuild.job j) AS s
		FULL JOIN databuild.job_fold AS r ON r.job_id = s.job_id
		WHERE s.definition IS DISTINCT FROM r.definition)
	SELECT * FROM partition UNION ALL SELECT * FROM run UNION ALL SELECT * FROM run_note UNION ALL SELECT * FROM want
	UNION ALL SELECT * FROM member UNION ALL SELECT * FROM taint UNION ALL SELECT * FROM taint_part UNION ALL SELECT * FROM input UNION ALL SELECT * FROM output UNION ALL SELECT * FROM read UNION ALL SELECT * FROM once_live UNION ALL SELECT * FROM want_key UNION ALL SELECT * FROM publication UNION ALL SELECT * FROM job
$$;
COMMENT ON FUNCTION databuild.verify IS
'Folds the whole log and compares: a row for each difference between the tables and the fold; none: state = fold(log). One snapshot, no lock; runs on a standby, too.';

CREATE FUNCTION databuild.replay() RETURNS bigint
	LANGUAGE plpgsql VOLATILE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres SET jit = off
AS $$
DECLARE
	events bigint;
	running bigint[];
	leases bigint[];
	lease_ats timestamptz[];
BEGIN
	LOCK TABLE databuild.job IN EXCLUSIVE MODE;
	LOCK TABLE databuild.event IN EXCLUSIVE MODE;
	SELECT count(*) INTO events FROM databuild.event;
	-- leases are promises, not events: those of running runs stay
	SELECT array_agg(run_id), array_agg(lease), array_agg(lease_at) INTO running, leases, lease_ats
		FROM databuild.run WHERE state = 'R';
	DELETE FROM databuild.partition;
	DELETE FROM databuild.trouble;
	DELETE FROM databuild.wait;
	DELETE FROM databuild.input;
	DELETE FROM databuild.output;
	DELETE FROM databuild.taken;
	DELETE FROM databuild.collision;
	DELETE FROM databuild.watch;
	DELETE FROM databuild.ready;
	DELETE FROM databuild.agenda;
	DELETE FROM databuild.timer;
	DELETE FROM databuild.mark;
	DELETE FROM databuild.run;
	DELETE FROM databuild.run_note;
	DELETE FROM databuild.want;
	DELETE FROM databuild.want_key;
	DELETE FROM databuild.taint;
	DELETE FROM databuild.taint_part;
	DELETE FROM databuild.member;
	DELETE FROM databuild.read;
	DELETE FROM databuild.publication;
	DELETE FROM databuild.job;
	DELETE FROM databuild.counted;

	INSERT INTO databuild.job SELECT (jsonb_populate_record(NULL::databuild.job, d.definition || jsonb_build_object('job_id', d.job_id))).*
		FROM databuild.job_fold AS d;

	-- one fold; each table takes its share of it
	WITH f AS MATERIALIZED (SELECT * FROM databuild.fold(NULL)),
	a AS (INSERT INTO databuild.partition (id, ref, state, job_id, prio, run, live_run, ticket, since)
		SELECT f.id, n.name, f.state, f.job_id, f.prio, f.run_id, f.live_run, f.total, f.since
		FROM f JOIN (SELECT u.part, u.name FROM databuild.event e, unnest(e.parts, e.names) AS u(part, name) WHERE e.kind = 'known') AS n ON n.part = f.id
		WHERE f.machine = 'partition'),
	b AS (INSERT INTO databuild.trouble (part, attempts, misses, retry_at, cause, note, changed)
		SELECT id, attempts, misses, until, cause, note, changed FROM f
		WHERE machine = 'partition' AND (attempts <> 0 OR misses <> 0 OR until IS NOT NULL OR cause IS NOT NULL OR changed <> 0)),
	c AS (INSERT INTO databuild.wait (waiter, want_id, declared)
		SELECT f.id, u.want_id, w.run_id = 0 FROM f, unnest(f.ids) AS u(want_id)
		JOIN (SELECT id, run_id FROM f AS w WHERE w.machine = 'want') AS w ON w.id = u.want_id WHERE f.machine = 'partition'),
	d AS (INSERT INTO databuild.ready (seq, part, job_id, prio)
		SELECT nextval('databuild.serial'), id, job_id, prio FROM
			(SELECT * FROM f WHERE machine = 'partition' AND state = 'Q' ORDER BY total, id) AS q),
	e AS (INSERT INTO databuild.timer (at, kind, ids)
		SELECT until, 'R', array_agg(id) FROM f WHERE machine = 'partition' AND state = 'R' GROUP BY until),
	g AS (INSERT INTO databuild.want (want_id, created_at, ended_at, run_id, derivative, total, prio, state, data_timestamp, due_at, expires_at, source, comment, key)
		SELECT f.id, f.since, coalesce(f.until, 'infinity'), f.run_id, f.attempts = 1, f.total, f.prio, f.state,
			w.data_timestamp, w.due_at, w.expires_at, w.source, w.comment, w.key
		FROM f JOIN databuild.want_fold AS w ON w.want_id = f.id WHERE f.machine = 'want'),
	o AS (DELETE FROM databuild.once_live RETURNING part, event_id, ends_key),
	l AS (INSERT INTO databuild.once_live (part, event_id, instance, ends_key)
		SELECT f.id, f.past[i], f.past[i + 1], coalesce(o.ends_key, f.past[i]) FROM f CROSS JOIN LATERAL generate_series(1, cardinality(f.past), 2) AS i
		LEFT JOIN o ON o.part = f.id AND o.event_id = f.past[i] WHERE f.machine = 'partition'),
	i AS (INSERT INTO databuild.taint (taint_id, created_at, state, reason)
		SELECT f.id, f.since, f.state, t.reason FROM f JOIN databuild.taint_fold AS t ON t.taint_id = f.id WHERE f.machine = 'taint'),
	h AS (INSERT INTO databuild.member (want_id, block, mask)
		SELECT e.want_id, u.part >> 6, bit_or(1::bigint << (u.part & 63)::int)
		FROM databuild.event e CROSS JOIN LATERAL unnest(e.parts) AS u(part)
		JOIN f ON f.machine = 'want' AND f.id = e.want_id AND f.state = 'A'
		WHERE e.kind IN ('wanted', 'needed') GROUP BY 1, 2)
	INSERT INTO databuild.run (run_id, started_at, lease_at, finished_at, lease, job_id, attempt, state, worker, outputs)
		SELECT f.id, f.since, coalesce(l.lease_at, f.since), coalesce(f.until, 'infinity'), coalesce(l.lease, 300000000), f.job_id, f.attempts, f.state, c.worker, f.ids
		FROM f JOIN (SELECT u.id, e.note AS worker FROM databuild.event e, unnest(e.runs) AS u(id) WHERE e.kind = 'claimed') AS c ON c.id = f.id
		LEFT JOIN unnest(running, leases, lease_ats) AS l(run_id, lease, lease_at) ON l.run_id = f.id
		WHERE f.machine = 'run';

	INSERT INTO databuild.input (part, block, mask) SELECT part, input >> 6, bit_or(1::bigint << (input & 63)::int) FROM databuild.input_fold GROUP BY 1, 2;
	INSERT INTO databuild.output (part, outputs) SELECT part, outputs FROM databuild.output_fold;
	INSERT INTO databuild.want_key (key, want_id) SELECT key, want_id FROM databuild.want WHERE key IS NOT NULL AND state = 'A';
	INSERT INTO databuild.taint_part (taint_id, part, run) SELECT taint_id, part, run FROM databuild.taint_part_fold;
	INSERT INTO databuild.timer (at, kind, ids) SELECT expires_at, 'E', array_agg(want_id) FROM databuild.want
		WHERE state = 'A' AND isfinite(expires_at) GROUP BY expires_at;
	INSERT INTO databuild.taken (part, run_id) SELECT p.id, r.run_id FROM databuild.run r CROSS JOIN LATERAL unnest(r.outputs) AS u(id)
		JOIN databuild.partition p ON p.id = u.id AND p.state = 'L' WHERE r.state = 'R';
	INSERT INTO databuild.read SELECT * FROM databuild.read_fold;
	INSERT INTO databuild.run_note SELECT * FROM databuild.run_note_fold;
	INSERT INTO databuild.publication SELECT event_id, recorded_at, parts, body FROM databuild.event WHERE kind = 'published';
	INSERT INTO databuild.timer (at, kind, ids) SELECT lease_at, 'L', array_agg(run_id) FROM databuild.run WHERE state = 'R' GROUP BY lease_at;
	INSERT INTO databuild.mark (low, job_id, prio, queue) SELECT DISTINCT 0, job_id, prio, 'r'::"char" FROM databuild.ready;
	-- who waits, looks: that sets the watches
	INSERT INTO databuild.agenda (seq, by, part, want_id, how)
		SELECT nextval('databuild.serial'), '0', id, 0, 'l' FROM databuild.partition WHERE state IN ('U', 'X');
	RETURN events;
END
$$;
COMMENT ON FUNCTION databuild.replay IS
'Makes the state anew from the log; returns how many events there were. Leases of running runs stay. For disaster and doubt: verify() says whether it is needed.
Waits for all writing calls to end, and holds them up.';

/* ------------------------------------------------------------------------
 * What must hold of the tables among themselves.
 * ------------------------------------------------------------------------ */

CREATE FUNCTION databuild.check_invariants()
	RETURNS TABLE (invariant text, key text, detail text)
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH making AS (SELECT r.run_id, u.id AS part FROM databuild.run r CROSS JOIN LATERAL unnest(r.outputs) AS u(id) WHERE r.state = 'R'),
	entered AS (SELECT q.part, q.job_id, q.prio, q.seq FROM databuild.ready q),
	left_over AS (SELECT a.part FROM databuild.agenda a WHERE a.part <> 0 AND a.how <> 'w'
		UNION ALL SELECT i.part FROM databuild.agenda a JOIN databuild.input i ON i.block + 0 = a.part >> 6 AND (i.mask >> (a.part & 63)::int) & 1 = 1 WHERE a.how = 'w'),
	due AS (SELECT n.kind, u.id FROM databuild.timer n CROSS JOIN LATERAL unnest(n.ids) AS u(id)),
	cover AS (SELECT u.part, max(u.prio) AS prio, bool_or(u.over) AS over
		FROM (SELECT b AS part, w.prio, w.expires_at <= databuild.clock() AS over FROM databuild.member m CROSS JOIN databuild.bits(m.block, m.mask) AS b
				JOIN databuild.want w ON w.want_id = m.want_id AND w.state = 'A' AND NOT (w.derivative AND w.run_id = 0)
			UNION ALL
			SELECT b, p.prio, NULL FROM databuild.declared_wait d CROSS JOIN databuild.bits(d.block, d.mask) AS b
				JOIN databuild.partition p ON p.id = d.waiter) AS u GROUP BY u.part),
	p AS (SELECT p.*, c.prio AS cover, c.over IS TRUE AS over, t.attempts, t.retry_at, t.changed, j.job_id IS NOT NULL AND NOT j.is_source AS has_maker,
			EXISTS (SELECT FROM left_over l WHERE l.part = p.id) AS to_be_looked_at
		FROM databuild.partition p LEFT JOIN cover c ON c.part = p.id
		LEFT JOIN databuild.trouble t ON t.part = p.id LEFT JOIN databuild.job j ON j.job_id = p.job_id)
	SELECT 'one_builder', p.ref, format('runs %s make it at once', string_agg(m.run_id::text, ', ' ORDER BY m.run_id))
		FROM making m JOIN databuild.partition p ON p.id = m.part GROUP BY p.ref HAVING count(*) > 1
	UNION ALL
	SELECT 'building_has_run', p.ref, format('run %s is not running', p.run)
		FROM p WHERE p.state = 'B' AND NOT EXISTS (SELECT FROM making m WHERE m.part = p.id AND m.run_id = p.run)
	UNION ALL
	SELECT 'run_makes', r.part::text, format('run %s is running, but it is %s', r.run_id, databuild.place_name('partition', p.state))
		FROM making r JOIN databuild.partition p ON p.id = r.part WHERE p.state NOT IN ('B', 'L')
	UNION ALL
	SELECT 'change_is_awaited', p.ref, format('event %s noted a change of its rows, but no run is making it', p.changed)
		FROM p WHERE p.changed <> 0 AND NOT EXISTS (SELECT FROM making m WHERE m.part = p.id)
	UNION ALL
	SELECT 'queued_is_ready', p.ref, 'no entry of the ready set stands for it'
		FROM p WHERE p.state = 'Q' AND NOT EXISTS (SELECT FROM entered q WHERE q.part = p.id AND q.job_id = p.job_id AND q.prio = p.prio AND q.seq > p.ticket)
			AND NOT EXISTS (SELECT FROM databuild.collision x JOIN making m ON m.part = x.blocker WHERE x.part = p.id) AND NOT p.to_be_looked_at
	UNION ALL
	SELECT 'retry_is_due', p.ref, 'neither a timer nor an entry of the ready set stands for it'
		FROM p WHERE p.state = 'R' AND NOT EXISTS (SELECT FROM due d WHERE d.kind = 'R' AND d.id = p.id)
			AND NOT EXISTS (SELECT FROM entered q WHERE q.part = p.id AND q.job_id = p.job_id AND q.prio = p.prio AND q.seq > p.ticket)
			AND NOT EXISTS (SELECT FROM databuild.collision x JOIN making m ON m.part = x.blocker WHERE x.part = p.id) AND NOT p.to_be_looked_at
	UNION ALL
	SELECT 'run_has_timer', r.run_id::text, 'no timer stands for its lease'
		FROM databuild.run r WHERE r.state = 'R' AND NOT EXISTS (SELECT FROM due d WHERE d.kind = 'L' AND d.id = r.run_id)
	UNION ALL
	SELECT 'want_has_timer', w.want_id::text, 'no timer stands for its end'
		FROM databuild.want w WHERE w.state = 'A' AND isfinite(w.expires_at) AND NOT EXISTS (SELECT FROM due d WHERE d.kind = 'E' AND d.id = w.want_id)
	UNION ALL
	SELECT 'waiting_watches', p.ref, 'it watches no input that is not live, and nobody will look at it'
		FROM p WHERE p.state = 'U' AND NOT p.to_be_looked_at AND NOT EXISTS (SELECT FROM databuild.edge e
			JOIN databuild.watch h ON h.upstream = e.upstream AND h.waiter = p.id JOIN databuild.partition u ON u.id = e.upstream AND u.state <> 'L' WHERE e.waiter = p.id)
	UNION ALL
	SELECT 'blocked_by_input', p.ref, CASE p.state WHEN 'X' THEN 'no input of it is failed or upstream_failed' ELSE 'an input of it is failed or upstream_failed' END
		FROM p WHERE p.state IN ('U', 'X') AND NOT p.to_be_looked_at AND (p.state = 'X') <> EXISTS (SELECT FROM databuild.edge e
			JOIN databuild.partition u ON u.id = e.upstream AND u.state IN ('F', 'X') WHERE e.waiter = p.id)
	UNION ALL
	SELECT 'inputs_are_wanted', p.ref, format('no want that it waits for covers its declared input %s', u.ref)
		FROM p JOIN databuild.input i ON i.part = p.id CROSS JOIN databuild.bits(i.block, i.mask) AS b JOIN databuild.partition u ON u.id = b AND u.state <> 'L'
		WHERE p.state = 'U' AND NOT p.to_be_looked_at AND NOT EXISTS (SELECT FROM databuild.wait t JOIN databuild.member m ON m.want_id = t.want_id
			AND m.block = u.id >> 6 AND (m.mask >> (u.id & 63)::int) & 1 = 1 WHERE t.waiter = p.id)
	UNION ALL
	SELECT 'nothing_is_lost', p.ref, 'it is wanted and a job makes it, but nobody works on it'
		FROM p WHERE p.state IN ('M', 'T') AND p.has_maker AND p.cover IS NOT NULL AND NOT p.over AND NOT p.to_be_looked_at
	UNION ALL
	SELECT 'priority_of_wants', p.ref, format('it has priority %s, its wants in force have %s', nullif(p.prio, -128), p.cover)
		FROM p WHERE p.state NOT IN ('L', 'M', 'T') AND NOT p.over AND NOT p.to_be_looked_at AND nullif(p.prio, -128) IS DISTINCT FROM p.cover
	UNION ALL
	SELECT 'derivative_is_needed', w.want_id::text, 'nothing waits for it'
		FROM databuild.want w WHERE w.state = 'A' AND w.derivative AND NOT EXISTS (SELECT FROM databuild.wait t WHERE t.want_id = w.want_id)
			AND NOT EXISTS (SELECT FROM databuild.agenda a WHERE a.want_id = w.want_id)
$$;
COMMENT ON FUNCTION databuild.check_invariants IS
'A row for each thing that must hold of the tables and does not; none: all is well. Reads everything: for tests and doubt. One snapshot, no lock.';

/* ---- the past ---- */

CREATE FUNCTION databuild.state_at(at timestamptz)
	RETURNS TABLE (ref text, state text, job text, run_id bigint, live_run_id bigint, attempts int, priority int, retry_at timestamptz, state_since timestamptz)
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	IF at IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'argument "at" must not be null';
	END IF;
	RETURN QUERY
	WITH upto AS (SELECT coalesce((SELECT e.event_id FROM databuild.event e WHERE e.recorded_at <= at ORDER BY e.event_id DESC LIMIT 1), 0) AS event_id),
	f AS MATERIALIZED (SELECT f.* FROM upto, databuild.fold(upto.event_id) AS f WHERE f.machine = 'partition')
	SELECT p.ref, databuild.place_name('partition', f.state), j.label, nullif(f.run_id, 0), nullif(f.live_run, 0), f.attempts, nullif(f.prio, -128), f.until, f.since
	FROM f JOIN databuild.partition p ON p.id = f.id
	LEFT JOIN (SELECT DISTINCT ON (e.job_id) e.job_id, e.body ->> 'label' AS label FROM databuild.event e, upto
		WHERE e.kind = 'job_defined' AND e.event_id <= upto.event_id ORDER BY e.job_id, e.event_id DESC) AS j ON j.job_id = f.job_id;
END
$$;
COMMENT ON FUNCTION databuild.state_at IS
'The partitions as they were at that time: the fold of the log up to the last event recorded by then. Reads the log from its start. Raises 22023.';
/* ------------------------------------------------------------------------
 * stats.sql: what monitoring asks every few seconds.
 *
 * Two kinds of figures.  What changes fast and stands in a small table is read
 * there, upwards from the marks: queues, runs under way, the agenda.  The
 * rest, of which nothing small knows, tick() counts about once a minute, a
 * share at a time, and says as of when.  No call keeps a counter: a row that
 * each finish updates is one that all wait for, and whose dead versions an
 * old transaction pins.  Here a row is updated once a minute.
 *
 * What was counted is neither state nor log: no dump takes it along, and the
 * next ticks count anew.
 * ------------------------------------------------------------------------ */

CREATE FUNCTION databuild.count_some() RETURNS void
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1
AS $$
DECLARE
	now_ timestamptz := databuild.clock();
	fresh_from timestamptz := now_ - interval '50 s';
	enough timestamptz := clock_timestamp() + interval '200 ms';
	settled bigint := databuild.horizon();
	after bigint;
	next_chunk bigint;
	seen bigint;
BEGIN
	-- an older snapshot would be counted as of now, or meet what another tick counted since
	IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
		RETURN;
	END IF;
	-- the row of no chunk is there once for all; who has it locked is the one who counts
	IF NOT EXISTS (SELECT FROM databuild.counted c WHERE c.chunk = -1) THEN
		INSERT INTO databuild.counted (chunk, at) VALUES (-1, '-infinity') ON CONFLICT DO NOTHING;
	END IF;
	PERFORM FROM databuild.counted c WHERE c.chunk = -1 AND c.at NOT BETWEEN fresh_from AND now_ FOR UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	UPDATE databuild.counted SET at = now_ WHERE chunk = -1;

	-- the log, from where the last tick stopped
	after := coalesce((SELECT max(t.upto) FROM databuild.tally t), 0);
	LOOP
		WITH e AS (SELECT e.event_id, e.kind, cardinality(e.runs) AS runs FROM databuild.event e
				WHERE e.event_id > after AND e.event_id <= settled ORDER BY e.event_id LIMIT 10000),
		k AS (INSERT INTO databuild.tally AS t (kind, events, runs, upto)
			SELECT e.kind, count(*), coalesce(sum(e.runs), 0), max(e.event_id) FROM e GROUP BY e.kind ORDER BY e.kind
			ON CONFLICT (kind) DO UPDATE SET events = t.events + excluded.events, runs = t.runs + excluded.runs, upto = excluded.upto)
		SELECT count(*), coalesce(max(e.event_id), after) INTO seen, after FROM e;
		EXIT WHEN seen < 10000 OR clock_timestamp() > enough - interval '100 ms';
	END LOOP;

	-- the partitions, by chunks of 65,536 ids, those first that were not counted for longest
	LOOP
		SELECT g.chunk INTO next_chunk
		FROM generate_series(0, (SELECT p.id >> 16 FROM databuild.partition p ORDER BY p.id DESC LIMIT 1)) AS g(chunk)
		LEFT JOIN databuild.counted c ON c.chunk = g.chunk
		WHERE (c.at BETWEEN fresh_from AND now_) IS NOT TRUE ORDER BY c.at NULLS FIRST, g.chunk LIMIT 1;
		EXIT WHEN NOT FOUND;
		WITH p AS MATERIALIZED (SELECT p.id, p.job_id, p.state, p.since FROM databuild.partition p
				WHERE p.id >= next_chunk << 16 AND p.id < (next_chunk + 1) << 16),
		n AS (SELECT p.job_id, p.state, count(*) AS parts, min(p.since) AS since FROM p GROUP BY 1, 2),
		-- from what is not live to the wants on it: what is done costs nothing
		b AS (SELECT p.id >> 6 AS block, bit_or(1::bigint << (p.id & 63)::int) AS mask FROM p WHERE p.state <> 'L' GROUP BY 1),
		w AS (SELECT DISTINCT m.want_id FROM b JOIN databuild.member m ON m.block + 0 = b.block WHERE m.mask & b.mask <> 0)
		INSERT INTO databuild.counted AS c (chunk, at, jobs, states, parts, since, late)
			SELECT next_chunk, now_, array_agg(n.job_id), string_agg(n.state::text, ''), array_agg(n.parts), array_agg(n.since),
				ARRAY(SELECT w.want_id FROM w JOIN databuild.want x ON x.want_id = w.want_id
					WHERE x.state = 'A' AND NOT x.derivative AND x.due_at <= now_ AND (x.expires_at > now_) IS NOT FALSE)
			FROM n
			ON CONFLICT (chunk) DO UPDATE SET at = excluded.at, jobs = excluded.jobs, states = excluded.states, parts = excluded.parts,
				since = excluded.since, late = excluded.late;
		EXIT WHEN clock_timestamp() > enough;
	END LOOP;
END
$$;
COMMENT ON FUNCTION databuild.count_some IS
'Internal: counts, for the views of monitoring, what was not counted for about a minute: partitions by state and job, late wants, events. About 0.2 s of it at a time; one session does, others pass. Does nothing under REPEATABLE READ and SERIALIZABLE.';

CREATE VIEW databuild.counted_all AS
	SELECT min(c.at) AS at FROM databuild.counted c WHERE c.chunk >= 0
	HAVING count(*) > (SELECT p.id >> 16 FROM databuild.partition p ORDER BY p.id DESC LIMIT 1);
COMMENT ON VIEW databuild.counted_all IS 'Internal: when the chunk of partitions was counted that was not for longest; no row: one has never been.';

CREATE VIEW databuild.partition_counts AS
	SELECT j.label AS job, databuild.place_name('partition', s.state::"char") AS state, sum(s.parts)::bigint AS partitions, min(s.since) AS oldest_since,
		(SELECT a.at FROM databuild.counted_all a) AS counted_at
	FROM (SELECT u.job_id, u.state, sum(u.parts) AS parts, min(u.since) AS since
		FROM databuild.counted c CROSS JOIN LATERAL unnest(c.jobs, string_to_array(c.states, NULL), c.parts, c.since) AS u(job_id, state, parts, since)
		WHERE c.chunk >= 0 GROUP BY 1, 2) AS s
	LEFT JOIN databuild.job j ON j.job_id = s.job_id
	GROUP BY 1, 2;
COMMENT ON VIEW databuild.partition_counts IS
'How many partitions each job (NULL: none) has in each state, and since when the oldest of them is in it, as tick() last counted: at counted_at (NULL: not all were counted yet) or later. As exact as then; tick() counts about once a minute, of millions of partitions a share each time.';

/*
 * What is in the queues, up to 1,000 refs of each; entries that count no more
 * are passed over, up to 100,000.  Runs are found by the timers of leases, up
 * to 20,000, of which one is left behind by each run that ended early.
 */
CREATE FUNCTION databuild.at_work(OUT job_id int, OUT queued bigint, OUT more_queued boolean, OUT oldest_queued_at timestamptz,
		OUT running bigint, OUT more_running boolean, OUT overdue bigint)
	RETURNS SETOF record
	LANGUAGE sql STABLE SECURITY DEFINER ROWS 100
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
	SET join_collapse_limit = 1
AS $$
	WITH q AS (SELECT k.job_id, count(DISTINCT f.part) AS parts, min(f.since) AS since, bool_or(f.n = 100000 OR f.nth = 1000) IS TRUE AS more
		FROM (SELECT k.job_id, k.prio, max(k.low) AS low FROM databuild.mark k WHERE k.queue = 'r' GROUP BY 1, 2) AS k
		LEFT JOIN LATERAL (SELECT e.n, p.part, p.since, row_number() OVER () AS nth
			FROM (SELECT row_number() OVER (ORDER BY e.seq) AS n, e.part, e.seq FROM databuild.ready e
				WHERE e.job_id = k.job_id AND e.prio = k.prio AND e.seq > k.low ORDER BY e.seq LIMIT 100000) AS e
			LEFT JOIN LATERAL (SELECT p.id AS part, p.since FROM databuild.partition p WHERE p.id = e.part AND p.state IN ('Q', 'R')
				AND p.job_id = k.job_id AND p.prio = k.prio AND p.ticket < e.seq OFFSET 0) AS p ON true
			WHERE p.part IS NOT NULL OR e.n = 100000 LIMIT 1000) AS f ON true
		GROUP BY 1),
	u AS MATERIALIZED (SELECT u.run_id FROM databuild.timer n CROSS JOIN LATERAL unnest(n.ids) AS u(run_id)
		WHERE n.kind = 'L' AND n.at >= coalesce((SELECT '2000-01-01 00:00:00+00'::timestamptz + k.low * interval '1 us'
			FROM databuild.mark k WHERE k.queue = 't' ORDER BY k.job_id DESC, k.prio DESC, k.low DESC LIMIT 1), '-infinity')
		ORDER BY n.at LIMIT 20000),
	r AS (SELECT r.job_id, count(*) AS runs, count(*) FILTER (WHERE r.lease_at < databuild.clock()) AS overdue
		FROM (SELECT DISTINCT u.run_id FROM u) AS u
		CROSS JOIN LATERAL (SELECT r.job_id, r.lease_at FROM databuild.run r WHERE r.run_id = u.run_id AND r.state = 'R' OFFSET 0) AS r
		GROUP BY 1)
	SELECT j.job_id, coalesce(q.parts, 0), coalesce(q.more, false), q.since, coalesce(r.runs, 0), (SELECT count(*) = 20000 FROM u), coalesce(r.overdue, 0)
	FROM databuild.job j LEFT JOIN q ON q.job_id = j.job_id LEFT JOIN r ON r.job_id = j.job_id
$$;
COMMENT ON FUNCTION databuild.at_work IS
'Internal: of each job what is claimable, since when, and the runs under way, from the small tables alone; whether there may be more than it looked at.';

CREATE VIEW databuild.job_stats AS
	SELECT j.label AS job, j.paused, j.max_running,
		CASE WHEN a.more_queued THEN greatest(a.queued, c.queued) ELSE a.queued END AS queued, a.oldest_queued_at,
		CASE WHEN a.more_running THEN greatest(a.running, c.building) ELSE a.running END AS running, a.overdue,
		coalesce(c.up_for_retry, 0) AS up_for_retry, coalesce(c.upstream_building, 0) AS upstream_building, coalesce(c.live, 0) AS live,
		coalesce(c.failed, 0) AS failed, coalesce(c.upstream_failed, 0) AS upstream_failed,
		(SELECT a.at FROM databuild.counted_all a) AS counted_at
	FROM databuild.at_work() AS a JOIN databuild.job j ON j.job_id = a.job_id AND NOT j.is_source
	LEFT JOIN (SELECT n.job, max(n.partitions) FILTER (WHERE n.state = 'queued') AS queued, max(n.partitions) FILTER (WHERE n.state = 'building') AS building,
			max(n.partitions) FILTER (WHERE n.state = 'up_for_retry') AS up_for_retry, max(n.partitions) FILTER (WHERE n.state = 'upstream_building') AS upstream_building,
			max(n.partitions) FILTER (WHERE n.state = 'live') AS live, max(n.partitions) FILTER (WHERE n.state = 'failed') AS failed,
			max(n.partitions) FILTER (WHERE n.state = 'upstream_failed') AS upstream_failed
		FROM databuild.partition_counts n GROUP BY 1) AS c ON c.job = j.label;
COMMENT ON VIEW databuild.job_stats IS
'For monitoring, a row a job: as of now, partitions that a worker could claim (queued) and since when the oldest of them waits, runs under way, and those of them whose lease has ended (overdue). What goes beyond 1,000 queued, or 20,000 leases, is as tick() last counted, and so are the other columns: see partition_counts.';

CREATE VIEW databuild.stats AS
	SELECT databuild.clock() AS at, j.paused_jobs, j.queued, j.oldest_queued_at, j.running, j.overdue,
		(SELECT count(*) FROM (SELECT FROM databuild.agenda a WHERE a.seq > coalesce((SELECT max(k.low) FROM databuild.mark k WHERE k.queue = 'a'), 0)
			ORDER BY a.seq LIMIT 10000) AS a) AS agenda,
		coalesce(n.live, 0)::bigint AS live, coalesce(n.failed, 0)::bigint AS failed, coalesce(n.upstream_failed, 0)::bigint AS upstream_failed,
		coalesce(n.partitions, 0)::bigint AS partitions,
		(SELECT count(DISTINCT u.want_id) FROM databuild.counted c CROSS JOIN LATERAL unnest(c.late) AS u(want_id)) AS late_wants,
		t.runs_succeeded, t.runs_failed, t.runs_missed, t.runs_lost, t.runs_canceled, t.events,
		pg_total_relation_size('databuild.event') AS log_bytes,
		(SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c
			WHERE c.relnamespace = 'databuild'::regnamespace AND c.relkind = 'r' AND c.relname <> 'event') AS state_bytes,
		(SELECT c.at FROM databuild.counted c WHERE c.chunk = -1) AS last_tick_at,
		(SELECT a.at FROM databuild.counted_all a) AS counted_at
	FROM (SELECT count(*) FILTER (WHERE s.paused) AS paused_jobs, coalesce(sum(s.queued), 0)::bigint AS queued, min(s.oldest_queued_at) AS oldest_queued_at,
			coalesce(sum(s.running), 0)::bigint AS running, coalesce(sum(s.overdue), 0)::bigint AS overdue FROM databuild.job_stats s) AS j,
		(SELECT sum(n.partitions) AS partitions, sum(n.partitions) FILTER (WHERE n.state = 'live') AS live,
			sum(n.partitions) FILTER (WHERE n.state = 'failed') AS failed, sum(n.partitions) FILTER (WHERE n.state = 'upstream_failed') AS upstream_failed
		FROM databuild.partition_counts n) AS n,
		(SELECT coalesce(sum(t.runs) FILTER (WHERE t.kind = 'succeeded'), 0)::bigint AS runs_succeeded,
			coalesce(sum(t.runs) FILTER (WHERE t.kind = 'failed'), 0)::bigint AS runs_failed,
			coalesce(sum(t.runs) FILTER (WHERE t.kind = 'missed'), 0)::bigint AS runs_missed,
			coalesce(sum(t.runs) FILTER (WHERE t.kind = 'lost'), 0)::bigint AS runs_lost,
			coalesce(sum(t.runs) FILTER (WHERE t.kind = 'run_canceled'), 0)::bigint AS runs_canceled,
			coalesce(sum(t.events), 0)::bigint AS events FROM databuild.tally t) AS t;
COMMENT ON VIEW databuild.stats IS
'For monitoring, one row. As of now: paused jobs, the sums of job_stats, what calls left for later ones (agenda, counted up to 10,000), sizes of the log and of the rest. As tick() last counted: partitions and how many are live, failed, upstream_failed, and late wants (at counted_at or later; see partition_counts); runs by how they ended and events, since the beginning of the log, so that what grows between two looks is what happened between them. last_tick_at: when tick() counted last, which it does about once a minute; NULL: never.';
/* ------------------------------------------------------------------------
 * pictures.sql: drawings for Graphviz, and a want as a page to read.
 *
 * All three are bounded: they show what matters most of a large want, and how
 * much they left out.  Whatever came from callers (refs, labels, reasons,
 * comments) passes dot_text() or html_text(); the numbers do not.  No state is
 * told by its colour alone.
 * ------------------------------------------------------------------------ */

CREATE FUNCTION databuild.dot_text(words text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT '"' || replace(replace(regexp_replace(words, '[\x01-\x1f\x7f]', ' ', 'g'), '\', '\\'), '"', '\"') || '"'
$$;
COMMENT ON FUNCTION databuild.dot_text IS 'Internal: words as a string in the language of Graphviz, where they stand for nothing but themselves.';

CREATE FUNCTION databuild.html_text(words text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT replace(replace(replace(replace(replace(regexp_replace(words, '[\x01-\x08\x0b-\x1f\x7f]', '?', 'g'),
		'&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;')
$$;
COMMENT ON FUNCTION databuild.html_text IS 'Internal: words as text in HTML, also within quotes, where they stand for nothing but themselves.';

CREATE FUNCTION databuild.html_time(at timestamptz) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN isfinite($1) THEN format('<time datetime="%sZ">%s UTC</time>', to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS'), to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')) END
$$;
COMMENT ON FUNCTION databuild.html_time IS 'Internal: a time in HTML.';

/* The states of partitions, what matters most first: how they look. */
CREATE VIEW databuild.state_look AS
	SELECT v.letter::"char" AS letter, v.rank, databuild.place_name('partition', v.letter::"char") AS state, v.sign, v.fill
	FROM (VALUES ('F', 1, '&#10007;', '#ff9c96'), ('X', 2, '!', '#ffc9a3'), ('R', 3, '&#8635;', '#ffe08a'), ('U', 4, '&#8230;', '#dccff7'),
		('T', 5, '~', '#f3b6dc'), ('M', 6, '&#9675;', '#ffffff'), ('Q', 7, '&#183;', '#e3e7ee'), ('B', 8, '&#9656;', '#a8d5ff'),
		('L', 9, '&#10003;', '#b7e4c7')) AS v(letter, rank, sign, fill);
COMMENT ON VIEW databuild.state_look IS 'Internal: the states of partitions as pictures show them.';

/* ---- drawings ---- */

CREATE FUNCTION databuild.lineage_dot(partition text, direction text = 'upstream', max_depth int = 10, max_edges int = 500) RETURNS text
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	IF max_edges IS NULL OR max_edges < 0 THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'argument "max_edges" must not be null or negative';
	END IF;
	RETURN (
		WITH l AS MATERIALIZED (SELECT l.output, l.run_id, l.input, l.input_run_id, bool_or(l.stale) AS stale, min(l.n) AS n
				FROM databuild.lineage($1, $2, $3) WITH ORDINALITY AS l(depth, output, run_id, input, input_run_id, stale, n) GROUP BY 1, 2, 3, 4),
		e AS MATERIALIZED (SELECT * FROM l ORDER BY l.n LIMIT max_edges),
		r AS (SELECT $1 AS ref UNION SELECT e.output FROM e UNION SELECT e.input FROM e),
		n AS MATERIALIZED (SELECT 'p' || p.id AS node, p.ref, s.state, s.fill FROM r JOIN databuild.partition p ON p.ref = r.ref
			JOIN databuild.state_look s ON s.letter = p.state)
		SELECT E'digraph lineage {\n  rankdir=LR;\n  node [shape=box, style="rounded,filled"];\n'
			|| (SELECT string_agg(format(E'  %s [label=%s, fillcolor="%s"%s];\n', n.node, databuild.dot_text(n.ref) || ' + "\n' || n.state || '"', n.fill,
				CASE WHEN n.ref = $1 THEN ', penwidth=3' ELSE '' END), '' ORDER BY n.ref COLLATE "C") FROM n)
			|| coalesce((SELECT string_agg(format(E'  %s -> %s [label="run %s"%s];\n', i.node, o.node, e.run_id,
				CASE WHEN e.stale THEN format(' + "\nread %s: stale", style=dashed', e.input_run_id) ELSE '' END), '' ORDER BY e.n)
				FROM e JOIN n AS o ON o.ref = e.output JOIN n AS i ON i.ref = e.input), '')
			|| coalesce((SELECT format(E'  more [label="and %s more", shape=plaintext, style=""];\n', count(*) - max_edges) FROM l HAVING count(*) > max_edges), '')
			|| E'}\n');
END
$$;
COMMENT ON FUNCTION databuild.lineage_dot IS
'lineage() as a drawing in the language of Graphviz, with the state of each ref; what was read and is not the newest any more is dashed: psql -XAtc "SELECT databuild.lineage_dot(''report/1'')" | dot -Tsvg >lineage.svg
max_edges: so many arrows, nearest first. Reads only. Raises 22023, 42704 (a ref that is not known).';

CREATE FUNCTION databuild.want_dot(want_id bigint, max_refs int = 100) RETURNS text
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1
AS $$
#variable_conflict use_column
DECLARE
	asked ALIAS FOR $1;
BEGIN
	IF asked IS NULL OR max_refs IS NULL OR max_refs < 0 THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'want_dot() needs a want, and a number of refs that is not negative';
	END IF;
	IF NOT EXISTS (SELECT FROM databuild.want w WHERE w.want_id = asked) THEN
		RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('want %s does not exist', asked),
			HINT = 'SELECT want_id, comment FROM databuild.wants shows the wants.';
	END IF;
	RETURN (
		WITH RECURSIVE m AS MATERIALIZED (SELECT m.part AS id FROM databuild.want_part m WHERE m.want_id = asked),
		n(id) AS (
			SELECT m.id FROM m
			UNION
			SELECT e.upstream FROM n JOIN databuild.partition w ON w.id = n.id AND w.state IN ('U', 'X')
				JOIN databuild.edge e ON e.waiter = n.id JOIN databuild.partition p ON p.id = e.upstream WHERE p.state <> 'L'),
		a AS MATERIALIZED (SELECT p.id, p.ref, p.state AS letter, j.label, s.state, s.fill, row_number() OVER (ORDER BY s.rank, p.ref COLLATE "C") AS nth
			FROM n JOIN databuild.partition p ON p.id = n.id LEFT JOIN databuild.job j ON j.job_id = p.job_id
			JOIN databuild.state_look s ON s.letter = p.state),
		c AS MATERIALIZED (SELECT a.* FROM a WHERE a.nth <= max_refs)
		SELECT E'digraph want {\n  rankdir=LR;\n  node [shape=box, style="rounded,filled"];\n'
			|| (SELECT format(E'  want [label=%s, shape=ellipse, fillcolor=white, penwidth=2];\n',
				databuild.dot_text(format('want %s', asked) || coalesce(': ' || w.comment, '')) || format(' + "\n%s: %s of %s live"', w.state, w.live, w.total))
				FROM databuild.wants w WHERE w.want_id = asked)
			|| coalesce((SELECT string_agg(format(E'  p%s [label=%s, fillcolor="%s"];\n', c.id,
				databuild.dot_text(c.ref) || ' + "\n' || c.state || '"' || coalesce(' + " by " + ' || databuild.dot_text(c.label), ''), c.fill), '' ORDER BY c.nth) FROM c), '')
			|| coalesce((SELECT string_agg(format(E'  p%s -> p%s;\n', u.id, c.id), '' ORDER BY u.nth, c.nth)
				FROM c CROSS JOIN LATERAL (SELECT DISTINCT e.upstream FROM databuild.edge e WHERE e.waiter = c.id OFFSET 0) AS e JOIN c AS u ON u.id = e.upstream
				WHERE c.letter IN ('U', 'X')), '')
			|| coalesce((SELECT string_agg(format(E'  p%s -> want;\n', c.id), '' ORDER BY c.nth) FROM c JOIN m ON m.id = c.id), '')
			|| coalesce((SELECT format(E'  more [label="and %s more:%s", style="rounded,dashed"];\n  more -> want [style=dashed];\n', sum(k.n),
				string_agg(format('\n%s %s', k.n, k.state), '' ORDER BY k.first))
				FROM (SELECT a.state, count(*) AS n, min(a.nth) AS first FROM a WHERE a.nth > max_refs GROUP BY 1) AS k HAVING count(*) > 0), '')
			|| E'}\n');
END
$$;
COMMENT ON FUNCTION databuild.want_dot IS
'The want as a drawing in the language of Graphviz: its partitions, and what keeps them waiting, however far upstream, each with its state and job: psql -XAtc "SELECT databuild.want_dot(7)" | dot -Tsvg >want.svg
max_refs: so many, failures first, live ones last; of the others, how many there are in each state. Reads only. Raises 22023, 42704 (unknown want).';

/* ---- the page ---- */

/*
 * The grid: a ref is a dataset and a key in it.  The key is the first date in
 * the ref, the dataset the rest; without a date, the last part of the path is
 * the key.  Where that makes too many datasets, the first part of the path is
 * the dataset.  Where there are too many keys, neighbours share a cell.
 */
CREATE FUNCTION databuild.html_grid(parts bigint[]) RETURNS text
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET join_collapse_limit = 1
AS $$
	WITH p AS MATERIALIZED (
		SELECT p.ref, s.rank, s.state, substring(p.ref FROM '\d{4}-\d\d(?:-\d\d)?(?:[T ]\d\d(?::?\d\d)?)?') AS date
		FROM unnest($1) AS u(id) CROSS JOIN LATERAL (SELECT p.ref, p.state FROM databuild.partition p WHERE p.id = u.id OFFSET 0) AS p
		JOIN databuild.state_look s ON s.letter = p.state),
	d AS MATERIALIZED (SELECT p.ref, p.rank, p.state, p.date, CASE WHEN p.date IS NULL THEN coalesce(substring(p.ref FROM '^(.*)/'), '')
		ELSE left(p.ref, position(p.date IN p.ref) - 1) || '*' || substr(p.ref, position(p.date IN p.ref) + length(p.date)) END AS set FROM p),
	many AS (SELECT count(DISTINCT d.set) > 200 AS so FROM d),
	k AS MATERIALIZED (SELECT d.rank, d.state,
			CASE WHEN many.so THEN split_part(d.ref, '/', 1) ELSE d.set END AS set,
			CASE WHEN many.so THEN coalesce(substring(d.ref FROM '/(.*)'), '') WHEN d.date IS NOT NULL THEN d.date ELSE substring(d.ref FROM '[^/]*$') END AS key
		FROM d CROSS JOIN many),
	-- 10 after 9; as many neighbours to a cell as keep the page small
	o AS (SELECT k.set, k.key, k.rank, row_number() OVER (PARTITION BY k.set ORDER BY regexp_replace(k.key, '\d+$', '') COLLATE "C", length(k.key), k.key COLLATE "C") AS nth,
			greatest(1, ceil(count(*) OVER () / 12000.0)::int) AS size FROM k),
	c AS MATERIALIZED (SELECT o.set, (o.nth - 1) / o.size AS cell, count(*) AS n, min(o.rank) AS rank, (array_agg(o.key ORDER BY o.nth))[1] AS first,
			(array_agg(o.key ORDER BY o.nth DESC))[1] AS last FROM o GROUP BY 1, 2),
	t AS (SELECT x.set, string_agg(x.n || ' ' || x.state, ', ' ORDER BY x.rank) AS told, min(x.rank) AS rank
		FROM (SELECT k.set, k.state, k.rank, count(*) AS n FROM k GROUP BY 1, 2, 3) AS x GROUP BY 1),
	s AS (SELECT t.*, row_number() OVER (ORDER BY t.rank, t.set COLLATE "C") AS nth FROM t)
	SELECT coalesce((SELECT string_agg(format('<h3><bdi>%s</bdi></h3><p>%s, %s</p><div class="grid" role="img" aria-label="%s">%s</div>',
			CASE WHEN s.set = '' THEN '(no path)' ELSE databuild.html_text(s.set) END,
			CASE WHEN g.first = g.last THEN format('<bdi>%s</bdi>', databuild.html_text(left(g.first, 100)))
				ELSE format('<bdi>%s</bdi> to <bdi>%s</bdi>', databuild.html_text(left(g.first, 100)), databuild.html_text(left(g.last, 100))) END,
			s.told, databuild.html_text(left(s.set, 200)) || ': ' || s.told, g.cells), E'\n' ORDER BY regexp_replace(s.set, '\d+$', '') COLLATE "C", length(s.set), s.set COLLATE "C")
		FROM s CROSS JOIN LATERAL (
			SELECT string_agg(format('<i class="%s" title="%s: %s">%s</i>', l.letter,
					databuild.html_text(left(c.first, 100)) || CASE WHEN c.n > 1 THEN ' to ' || databuild.html_text(left(c.last, 100)) ELSE '' END,
					l.state || CASE WHEN c.n > 1 THEN format(' is the worst of %s', c.n) ELSE '' END, l.sign), '' ORDER BY c.cell) AS cells,
				(array_agg(c.first ORDER BY c.cell))[1] AS first, (array_agg(c.last ORDER BY c.cell DESC))[1] AS last
			FROM c JOIN databuild.state_look l ON l.rank = c.rank WHERE c.set = s.set) AS g
		WHERE s.nth <= 200), '')
	|| coalesce((SELECT format(E'\n<p>And %s more datasets, the worst of which are %s.</p>', count(*), (SELECT l.state FROM databuild.state_look l WHERE l.rank = min(s.rank)))
		FROM s WHERE s.nth > 200 HAVING count(*) > 0), '')
$$;
COMMENT ON FUNCTION databuild.html_grid IS 'Internal: the states of partitions by dataset and date, in HTML.';

/* The newest run of each of the partitions, in 48 steps from the first to the last. */
CREATE FUNCTION databuild.html_runs(parts bigint[], since timestamptz) RETURNS text
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET join_collapse_limit = 1
AS $$
	WITH r AS MATERIALIZED (SELECT r.run_id, r.state, r.started_at, nullif(r.finished_at, 'infinity') AS finished_at
		FROM (SELECT DISTINCT i.run_id FROM unnest($1) AS u(id)
			CROSS JOIN LATERAL (SELECT p.run, p.live_run FROM databuild.partition p WHERE p.id = u.id OFFSET 0) AS p
			CROSS JOIN LATERAL (VALUES (p.run), (p.live_run)) AS i(run_id)) AS i
		CROSS JOIN LATERAL (SELECT r.* FROM databuild.run r WHERE r.run_id = i.run_id OFFSET 0) AS r
		WHERE r.finished_at >= $2),
	b AS MATERIALIZED (SELECT min(r.finished_at) AS first, max(r.finished_at) AS last,
			greatest(extract(epoch FROM max(r.finished_at) - min(r.finished_at)) / 48, 1)::float8 AS step,
			count(*) FILTER (WHERE r.state = 'R') AS running, count(r.finished_at) AS ended,
			count(*) FILTER (WHERE r.state = 'S') AS succeeded, count(*) FILTER (WHERE r.state = 'D') AS missed,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM r.finished_at - r.started_at)::float8) FILTER (WHERE r.state = 'S') AS median,
			max(extract(epoch FROM r.finished_at - r.started_at)::float8) FILTER (WHERE r.state = 'S') AS longest FROM r),
	x AS (SELECT least(47, floor(extract(epoch FROM r.finished_at - b.first)::float8 / b.step)::int) AS bin,
			count(*) FILTER (WHERE r.state = 'S') AS good, count(*) FILTER (WHERE r.state = 'D') AS missed, count(*) FILTER (WHERE r.state IN ('F', 'L', 'C')) AS bad
		FROM r CROSS JOIN b WHERE r.finished_at IS NOT NULL GROUP BY 1),
	h AS MATERIALIZED (SELECT x.*, 100.0 / max(x.good + x.missed + x.bad) OVER () AS unit, max(x.good + x.missed + x.bad) OVER () AS most FROM x)
	SELECT format('<p>%s</p>', CASE WHEN b.ended + b.running = 0 THEN 'No run has made any of it since it was wanted.'
			ELSE format('Of the newest runs of its partitions %s succeeded, %s failed or were lost or canceled, %s found inputs lacking, and %s %s under way.',
				b.succeeded, b.ended - b.succeeded - b.missed, b.missed, b.running, CASE b.running WHEN 1 THEN 'is' ELSE 'are' END)
			|| coalesce(format(' A successful one took %s s in the median, the longest %s s.', round(b.median::numeric, 1), round(b.longest::numeric, 1)), '') END)
		|| CASE WHEN b.ended = 0 THEN '' ELSE
			format('<figure><svg class="runs" viewBox="0 0 480 100" preserveAspectRatio="none" role="img" aria-label="Runs that ended, over time; the table below has the numbers.">'
				'<defs><pattern id="bad" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="4" height="4" fill="#ff9c96"/><rect width="1.5" height="4" fill="#8f1d14"/></pattern></defs>%s</svg>',
				(SELECT string_agg(
					CASE WHEN h.good > 0 THEN format('<rect x="%s" y="%s" width="9" height="%s" fill="#2f7d4f"/>', h.bin * 10, round(100 - h.good * h.unit, 1), round(h.good * h.unit, 1)) ELSE '' END
					|| CASE WHEN h.missed > 0 THEN format('<rect x="%s" y="%s" width="9" height="%s" fill="#b9a3e8"/>', h.bin * 10, round(100 - (h.good + h.missed) * h.unit, 1), round(h.missed * h.unit, 1)) ELSE '' END
					|| CASE WHEN h.bad > 0 THEN format('<rect x="%s" y="%s" width="9" height="%s" fill="url(#bad)"/>', h.bin * 10, round(100 - (h.good + h.missed + h.bad) * h.unit, 1), round(h.bad * h.unit, 1)) ELSE '' END,
					'' ORDER BY h.bin) FROM h))
			|| format('<figcaption><span>%s</span><span>%s</span></figcaption></figure>', databuild.html_time(b.first), databuild.html_time(b.last))
			|| format('<p>The highest bar is %s. <span class="key" style="background:#2f7d4f"></span> succeeded <span class="key" style="background:#b9a3e8"></span> inputs lacking '
				'<span class="key hatched"></span> failed, lost or canceled</p>', (SELECT max(h.most) FROM h))
			|| format('<details><summary>The numbers</summary><div class="wide" tabindex="0" role="region" aria-label="Runs over time"><table><thead><tr><th scope="col">From</th><th scope="col">Succeeded</th><th scope="col">Inputs lacking</th><th scope="col">Failed, lost, canceled</th></tr></thead><tbody>%s</tbody></table></div></details>',
				(SELECT string_agg(format('<tr><th scope="row">%s</th><td>%s</td><td>%s</td><td>%s</td></tr>', databuild.html_time(b.first + h.bin * b.step * interval '1 s'), h.good, h.missed, h.bad), E'\n' ORDER BY h.bin) FROM h)) END
	FROM b
$$;
COMMENT ON FUNCTION databuild.html_runs IS 'Internal: the newest runs of partitions over time, in HTML.';

CREATE FUNCTION databuild.report_html(want_id bigint) RETURNS text
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET join_collapse_limit = 1
AS $$
#variable_conflict use_column
DECLARE
	asked ALIAS FOR $1;
	w record;
	now_ timestamptz := databuild.clock();
	parts bigint[];
	head text;
	progress text;
	blocks text;
	lacking text;
BEGIN
	IF asked IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'argument "want_id" must not be null';
	END IF;
	SELECT * INTO w FROM databuild.wants x WHERE x.want_id = asked;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('want %s does not exist', asked),
			HINT = 'SELECT want_id, comment FROM databuild.wants shows the wants.';
	END IF;
	parts := ARRAY(SELECT m.part FROM databuild.want_part m WHERE m.want_id = asked);

	SELECT string_agg(format('<dt>%s</dt><dd>%s</dd>', d.term, d.told), '' ORDER BY d.n) INTO head
	FROM (VALUES (1, 'State', format('<strong>%s</strong>', w.state)),
		(2, 'Wanted', databuild.html_time(w.created_at)),
		(3, 'Due', databuild.html_time(w.due_at) || CASE WHEN w.due_at <= now_ AND w.state NOT IN ('successful', 'canceled', 'expired') THEN ' <strong>late</strong>' ELSE '' END),
		(4, 'Expires', databuild.html_time(w.expires_at)),
		(5, 'Ended', databuild.html_time(w.ended_at)),
		(6, 'Data of', databuild.html_time(w.data_timestamp)),
		(7, 'Priority', w.priority::text),
		(8, 'Source', format('<bdi>%s</bdi>', databuild.html_text(left(nullif(w.source, ''), 500)))),
		(9, 'Key', format('<bdi>%s</bdi>', databuild.html_text(left(nullif(w.key, ''), 500)))),
		(10, 'Made by', CASE WHEN w.derivative THEN 'databuild, because others need it' END)) AS d(n, term, told)
	WHERE d.told IS NOT NULL AND d.told <> '<bdi></bdi>';

	SELECT format('<p>%s of %s partitions are live (%s %%).</p><div class="bar" role="img" aria-label="%s">%s</div><ul class="legend">%s</ul>',
			w.live, w.total, trunc(100.0 * w.live / greatest(w.total, 1), 1), string_agg(c.n || ' ' || s.state, ', ' ORDER BY s.rank DESC),
			string_agg(format('<i class="%s" style="flex:%s">%s</i>', s.letter, c.n, CASE WHEN c.n * 25 >= w.total THEN s.sign ELSE '' END), '' ORDER BY s.rank DESC),
			string_agg(format('<li><i class="%s" aria-hidden="true">%s</i> %s %s</li>', s.letter, s.sign, c.n, s.state), E'\n' ORDER BY s.rank DESC))
		INTO progress
	FROM (SELECT p.state, count(*) AS n FROM unnest(parts) AS u(id)
		CROSS JOIN LATERAL (SELECT p.state FROM databuild.partition p WHERE p.id = u.id OFFSET 0) AS p GROUP BY 1) AS c
	JOIN databuild.state_look s ON s.letter = c.state;

	SELECT string_agg(format('<li><p><strong>%s</strong>: %s %s, such as <bdi class="ref">%s</bdi></p><p><bdi>%s</bdi></p>%s</li>', y.reason, y.partitions,
			CASE y.partitions WHEN 1 THEN 'partition' ELSE 'partitions' END, databuild.html_text(y.example), databuild.html_text(left(y.detail, 2000)),
			coalesce(format('<p>&#8594; <bdi>%s</bdi></p>', databuild.html_text(left(y.hint, 2000))), '')), E'\n' ORDER BY y.n) FILTER (WHERE y.n <= 50)
		|| CASE WHEN count(*) > 50 THEN format('<li>And %s more causes.</li>', count(*) - 50) ELSE '' END
		INTO blocks
	FROM databuild.why_want(asked) WITH ORDINALITY AS y(reason, partitions, example, detail, hint, n)
	WHERE w.state NOT IN ('canceled', 'expired');

	SELECT string_agg(format('<tr><th scope="row" class="ref"><bdi>%s</bdi></th><td>%s&#160;%s</td><td>%s</td><td><bdi>%s</bdi></td></tr>',
			databuild.html_text(x.ref), x.sign, x.state, databuild.html_time(x.since), coalesce(databuild.html_text(left(x.reason, 500)), '')), E'\n' ORDER BY x.nth)
		INTO lacking
	FROM (SELECT p.ref, p.since, s.state, s.sign, coalesce(n.reason, t.note, t.cause) AS reason, row_number() OVER (ORDER BY s.rank, p.ref COLLATE "C") AS nth
		FROM unnest(parts) AS u(id) CROSS JOIN LATERAL (SELECT p.* FROM databuild.partition p WHERE p.id = u.id OFFSET 0) AS p
		JOIN databuild.state_look s ON s.letter = p.state
		LEFT JOIN databuild.trouble t ON t.part = p.id LEFT JOIN databuild.run_note n ON n.run_id = p.run AND p.state IN ('F', 'R')
		WHERE p.state <> 'L' ORDER BY s.rank, p.ref COLLATE "C" LIMIT 100) AS x;

	RETURN format($page$<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Want %1$s: %2$s</title>
<style>
:root { color-scheme: light }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; font: 1rem/1.45 system-ui, sans-serif; color: #1b1b1b; background: #fff; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin: .5rem 0 } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem } h3 { font-size: 1rem; margin: 1rem 0 0 }
p { margin: .25rem 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .5rem 0 } dd { margin: 0 } dt { color: #4a4f57 }
i { font-style: normal; text-align: center; color: #1b1b1b }
.bar { display: flex; height: 2rem; border: 1px solid #4a4f57; overflow: hidden } .bar i { line-height: 2rem; min-width: 2px }
.bar i + i { border-left: 1px solid #4a4f57 }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem } .legend i, .grid i { display: inline-block; width: 1.25rem; height: 1.25rem; line-height: 1.15rem; font-size: .85rem; border: 1px solid #767c86 }
.grid { display: flex; flex-wrap: wrap; gap: 1px; margin: .25rem 0 }
.blocks { padding-left: 1.2rem } .blocks li { margin-bottom: .75rem }
.ref { font-family: ui-monospace, monospace; font-size: .9em }
.wide { overflow-x: auto } table { border-collapse: collapse; width: 100%% } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #c5c9d0; font-weight: normal; min-width: 6rem } thead th { font-weight: bold }
th.ref { min-width: 12rem }
figure { margin: .5rem 0 } .runs { display: block; width: 100%%; height: 8rem; border-bottom: 2px solid #4a4f57 } figcaption { display: flex; justify-content: space-between; gap: 1rem; font-size: .9rem }
.key { display: inline-block; width: 1em; height: 1em; vertical-align: -.1em; border: 1px solid #4a4f57; margin-left: .5em } .hatched { background: repeating-linear-gradient(45deg, #ff9c96 0 3px, #8f1d14 3px 5px) }
summary { cursor: pointer } footer { margin-top: 2rem; color: #4a4f57 }
%3$s
</style></head>
<body>
<header><h1>Want %1$s: <bdi>%2$s</bdi></h1>
<dl>%4$s</dl></header>
<main>
<section aria-labelledby="progress"><h2 id="progress">Progress</h2>
%5$s</section>
<section aria-labelledby="blocks"><h2 id="blocks">What blocks it</h2>
%6$s</section>
<section aria-labelledby="grid"><h2 id="grid">Its partitions</h2>
%7$s
%8$s</section>
<section aria-labelledby="runs"><h2 id="runs">Runs over time</h2>
%9$s</section>
</main>
<footer><p>As of %10$s. Made by databuild %11$s.</p></footer>
</body></html>$page$,
		asked, coalesce(databuild.html_text(left(nullif(w.comment, ''), 500)), format('%s partitions', w.total)),
		(SELECT string_agg(format('i.%s { background: %s }', s.letter, s.fill), ' ' ORDER BY s.rank) FROM databuild.state_look s),
		head, coalesce(progress, '<p>It covers nothing any more.</p>'),
		CASE WHEN w.state IN ('canceled', 'expired') THEN format('<p>It is %s.</p>', w.state)
			ELSE coalesce('<ul class="blocks">' || blocks || '</ul>', '<p>Nothing: all of it is live.</p>') END,
		databuild.html_grid(parts),
		coalesce(format('<details%s><summary>%s</summary><div class="wide" tabindex="0" role="region" aria-label="Partitions that are not live"><table><thead><tr><th scope="col">Partition</th><th scope="col">State</th><th scope="col">Since</th><th scope="col">Reason</th></tr></thead><tbody>%s</tbody></table></div></details>',
			CASE WHEN w.total - w.live <= 10 THEN ' open' ELSE '' END,
			CASE WHEN w.total - w.live > 100 THEN format('The first 100 of %s that are not live', w.total - w.live) ELSE 'What is not live' END, lacking), ''),
		databuild.html_runs(parts, w.created_at),
		databuild.html_time(now_), (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'databuild'));
END
$$;
COMMENT ON FUNCTION databuild.report_html IS
'The want as one page of HTML that needs nothing else, no script either: its progress, what blocks it, the state of its partitions by dataset and date, the first 100 that are not live, and their newest runs over time: psql -XAtc "SELECT databuild.report_html(7)" >want.html
A ref''s date is the first in it, its dataset the rest; without a date, the last part of the path stands for it. Reads only. Raises 22023, 42704 (unknown want).';
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
		('reader', '{place_name,dropped_label,behind,clock,bits,at_work}'),		-- for the views
		('reader', '{jobs,partitions,stale_partitions,wants,want_partitions,late_wants,job_runs,instances,dependencies,taints,
			taint_partitions,tracked,events,stats,job_stats,partition_counts,worker_jobs,rights}'),
		('worker', '{claim,heartbeat,succeed,succeed_many,fail,miss,finish_and_claim,wait_work,my_jobs,work_due}'),
		('any job', '{any_job}'),
		('some jobs', '{bound_to_jobs}'),
		('application', '{want,cancel_want,remake,wait_want,want_due,publish,track,untrack,record_change}'),
		('operator', '{define_job,define_source,drop_job,pause_job,resume_job,cancel_run,retry,retry_want,taint,cancel_taint,forget,
			tick,verify,check_invariants}'),
		('owner', '{replay,grant_reader,grant_worker,grant_operator,revoke_role,grant_classes}'),
		('owner', '{horizon,fold,nth,in_flight,event_guard,makers,inputs_of,queue_place,inputs_not_live,is_covered,reason_of,causes_of,
			why_tree,why_then,count_some,dot_text,html_text,html_time,html_grid,html_runs}'),
		('owner', '{counted_all,state_look,declared_wait,want_part,edge,run_note_fold,want_fold,input_fold,output_fold,taint_fold,taint_part_fold,read_fold,job_fold}'))
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

/* ------------------------------------------------------------------------
 * grants.sql: nothing for PUBLIC.  Who is to use databuild gets USAGE on the
 * schema, EXECUTE on functions and SELECT on views (rights.sql); no one but
 * the owner touches a table.
 * ------------------------------------------------------------------------ */

REVOKE ALL ON SCHEMA databuild FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA databuild FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA databuild FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA databuild FROM PUBLIC;

COMMENT ON SCHEMA databuild IS 'databuild: a declarative build system for partitioned data';
COMMENT ON SEQUENCE databuild.serial IS 'Internal: numbers events, runs and queue entries.';
COMMENT ON SEQUENCE databuild.job_id_seq IS 'Internal: numbers jobs.';
COMMENT ON SEQUENCE databuild.partition_id_seq IS 'Internal: numbers partitions.';
COMMENT ON SEQUENCE databuild.want_id_seq IS 'Internal: numbers wants.';
COMMENT ON TABLE databuild.event IS 'Internal: the append-only log; read it as databuild.events.';
COMMENT ON TABLE databuild.job IS 'Internal: read it as databuild.jobs.';
COMMENT ON TABLE databuild.worker_job IS 'Internal: which roles may work for which jobs only; read it as databuild.worker_jobs.';
COMMENT ON TABLE databuild.partition IS 'Internal: read it as databuild.partitions.';
COMMENT ON TABLE databuild.trouble IS 'Internal: attempts, misses, retries and causes of failure of the partitions that have any, and which changed while a run was making them.';
COMMENT ON TABLE databuild.run IS 'Internal: read it as databuild.job_runs.';
COMMENT ON TABLE databuild.run_note IS 'Internal: reason, metadata and partial results of the runs that have any.';
COMMENT ON TABLE databuild.publication IS 'Internal: instances that were published.';
COMMENT ON TABLE databuild.want IS 'Internal: read it as databuild.wants.';
COMMENT ON TABLE databuild.member IS 'Internal: the partitions of wants in force, as bitmaps of 64 ids.';
COMMENT ON TABLE databuild.wait IS 'Internal: which partition waits for the members of which derivative want.';
COMMENT ON TABLE databuild.read IS 'Internal: the instances of inputs that runs read.';
COMMENT ON TABLE databuild.once_live IS 'Internal: instances that are live no more, and the event until which they were.';
COMMENT ON TABLE databuild.watch IS 'Internal: which input, when it goes live, makes a waiting partition look again.';
COMMENT ON TABLE databuild.ready IS 'Internal: what may be claimed, in order.';
COMMENT ON TABLE databuild.agenda IS 'Internal: what a call had to leave for a later one.';
COMMENT ON TABLE databuild.timer IS 'Internal: leases and retries by when they are due.';
COMMENT ON TABLE databuild.mark IS 'Internal: below which number nothing is left of a queue.';
COMMENT ON SEQUENCE databuild.taint_id_seq IS 'Internal: numbers taints.';
COMMENT ON TABLE databuild.want_key IS 'Internal: the keys of wants in force.';
COMMENT ON TABLE databuild.taint IS 'Internal: read it as databuild.taints.';
COMMENT ON TABLE databuild.taint_part IS 'Internal: read it as databuild.taint_partitions.';
COMMENT ON TABLE databuild.input IS 'Internal: the inputs that jobs declare for their refs, as bitmaps of 64 ids.';
COMMENT ON TABLE databuild.output IS 'Internal: what a run of a partition makes, where that is more than itself.';
COMMENT ON TABLE databuild.taken IS 'Internal: live partitions that a running run makes anew beside others.';
COMMENT ON TABLE databuild.collision IS 'Internal: claimable partitions one of whose outputs a run is making.';
COMMENT ON TABLE databuild.slot IS 'Internal: how many runs a limited job may have, a row each, to lock.';
COMMENT ON TABLE databuild.slot_use IS 'Internal: which running run holds which slot of its job.';
COMMENT ON TABLE databuild.counted IS 'Internal: partitions by state and job, and late wants, as tick() last counted; read it as databuild.partition_counts.';
COMMENT ON TABLE databuild.tally IS 'Internal: events by kind, as tick() last counted.';
