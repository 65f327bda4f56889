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

/*
 * The parts of the log, of which event itself is the whole and has no rows of
 * its own.  Calls write event_0 by its name.  Now and then prune() lets an
 * empty one take that name, and empties the older ones when all that is in
 * them was folded into the base.  They are so few and always the same, so that
 * a dump finds them where it is restored; they inherit and have no bounds, so
 * that a call pays for none of this.
 */
DO $$
BEGIN
	SET LOCAL client_min_messages = warning;
	FOR n IN 0 .. 7 LOOP
		EXECUTE pg_catalog.format('CREATE TABLE databuild.event_%s (LIKE databuild.event INCLUDING INDEXES) INHERITS (databuild.event)', n);
		EXECUTE pg_catalog.format('COMMENT ON TABLE databuild.event_%s IS %L', n, 'Internal: a part of the log; event_0 is the one that is written.');
		PERFORM pg_catalog.pg_extension_config_dump(pg_catalog.format('databuild.event_%s', n)::pg_catalog.regclass, '');
	END LOOP;
END
$$;

/* ---- the base: what the log begins with, since prune() ---- */

/*
 * The fold of all events up to one, so that the state is the fold of the base
 * and of the events after that.  What stands here of tokens are the columns of
 * fold() and those that never change: name is a partition's ref or a run's
 * worker, reason and body are a run's note or say what a want or taint is,
 * others are of a run's claim (read.c).  Ended wants, and runs that made no
 * instance which was the newest then, are not kept.
 */
CREATE TABLE databuild.base
(
	id			bigint		NOT NULL,
	live_run	bigint,
	run_id		bigint,
	total		bigint,
	changed		bigint,
	since		timestamptz NOT NULL,
	until		timestamptz,
	job_id		int,
	prio		int,
	attempts	int,
	misses		int,
	machine		"char"		NOT NULL,		-- the first letter of its name
	state		"char"		NOT NULL,
	name		text,
	cause		text,
	note		text,
	ids			bigint[],
	others		bigint[],
	reason		text,
	made		bigint[],
	body		jsonb,
	PRIMARY KEY (machine, id)
) WITH (fillfactor = 70);

/* Which event that is, and the greatest time of what was folded; told: up to which event the log says so.  A row at most. */
CREATE TABLE databuild.pruned
(
	one			boolean		NOT NULL DEFAULT true PRIMARY KEY CHECK (one),
	upto		bigint		NOT NULL,
	at			timestamptz NOT NULL,
	told		bigint		NOT NULL
);

CREATE TABLE databuild.base_job
(
	job_id		int			NOT NULL PRIMARY KEY,
	kind		text		NOT NULL,
	definition	jsonb
);

CREATE TABLE databuild.base_member
(
	want_id		bigint		NOT NULL,
	event_id	bigint		NOT NULL,
	parts		bigint[],
	PRIMARY KEY (want_id, event_id)
);

CREATE TABLE databuild.base_declared
(
	part		bigint		NOT NULL,
	kind		text		NOT NULL,
	others		bigint[]	NOT NULL,
	PRIMARY KEY (part, kind)
);

CREATE TABLE databuild.base_read (run_id bigint NOT NULL, part bigint NOT NULL, instance bigint NOT NULL, PRIMARY KEY (run_id, part));
CREATE TABLE databuild.base_once_live (event_id bigint NOT NULL, part bigint NOT NULL, instance bigint NOT NULL, PRIMARY KEY (event_id, part));
CREATE TABLE databuild.base_publication (event_id bigint NOT NULL PRIMARY KEY, at timestamptz NOT NULL, parts bigint[] NOT NULL, metadata jsonb);
CREATE TABLE databuild.base_taint_part (taint_id bigint NOT NULL, part bigint NOT NULL, run bigint NOT NULL, PRIMARY KEY (part, taint_id));
CREATE INDEX base_taint_part_taint ON databuild.base_taint_part (taint_id);

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

/*
 * A row is put in, claimed and made: a page has room for all three versions of
 * each, so that no index is touched though nobody can prune in between.
 */
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
) WITH (fillfactor = 33);

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
 * What may be claimed, in order: a queue for each job and rank, which is twice
 * the priority, and one more for what had its turn and collided: else newer
 * work would always come before it.  An entry counts while its partition is
 * queued or up_for_retry with this job and priority and a ticket that is not
 * newer; others are deleted by the claim that meets them.  Neighbours that
 * became claimable together share an entry, which goes with the last of them.
 */
CREATE TABLE databuild.ready
(
	seq			bigint		NOT NULL,
	block		bigint		NOT NULL,				-- id >> 6
	job_id		int			NOT NULL,
	rank		smallint	NOT NULL,
	mask		bigint		NOT NULL				-- bit id & 63
);

CREATE INDEX ready_queue ON databuild.ready (job_id, rank, seq);

/* What a call could not do because somebody else held the token. */
CREATE TABLE databuild.agenda
(
	seq			bigint		NOT NULL,
	by			xid8		NOT NULL,
	part		bigint		NOT NULL,				-- look at this partition, or
	want_id		bigint		NOT NULL,				-- at whether this want is done
	how			"char"		NOT NULL				-- 'l' at it; 'c' what it collided with is over; 's' only whether its input is on the move; 'd' likewise, and at all that it is declared to need; 'w' at what is declared to need it
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
 * counts; tick() removes the others.  'r' ready by job and rank, 'a' the
 * agenda, 't' the timers (low in microseconds).
 */
CREATE TABLE databuild.mark
(
	low			bigint		NOT NULL,
	job_id		int			NOT NULL,
	rank		smallint	NOT NULL,
	queue		"char"		NOT NULL
);

CREATE INDEX mark_queue ON databuild.mark (queue, job_id, rank, low);

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

CREATE TRIGGER event_append_only BEFORE INSERT OR UPDATE OR DELETE ON databuild.event
	FOR EACH ROW EXECUTE FUNCTION databuild.event_guard();
CREATE TRIGGER event_append_only_truncate BEFORE TRUNCATE ON databuild.event
	FOR EACH STATEMENT EXECUTE FUNCTION databuild.event_guard();

ALTER TABLE databuild.event ENABLE ALWAYS TRIGGER event_append_only;
ALTER TABLE databuild.event ENABLE ALWAYS TRIGGER event_append_only_truncate;

DO $$
BEGIN
	FOR n IN 0 .. 7 LOOP
		EXECUTE pg_catalog.format('CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE ON databuild.event_%s FOR EACH ROW EXECUTE FUNCTION databuild.event_guard()', n);
		EXECUTE pg_catalog.format('CREATE TRIGGER event_append_only_truncate BEFORE TRUNCATE ON databuild.event_%s FOR EACH STATEMENT EXECUTE FUNCTION databuild.event_guard()', n);
		EXECUTE pg_catalog.format('ALTER TABLE databuild.event_%s ENABLE ALWAYS TRIGGER event_append_only', n);
		EXECUTE pg_catalog.format('ALTER TABLE databuild.event_%s ENABLE ALWAYS TRIGGER event_append_only_truncate', n);
	END LOOP;
END
$$;

/* ---- what pg_dump takes along: everything but what was counted; marks were safe in its snapshot ---- */

SELECT pg_catalog.pg_extension_config_dump('databuild.serial', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.job_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.partition_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.want_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.taint_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.event', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.base', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.pruned', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.base_job', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.base_member', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.base_declared', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.base_read', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.base_once_live', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.base_publication', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.base_taint_part', '');
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
