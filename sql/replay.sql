/* ------------------------------------------------------------------------
 * replay.sql: state = fold(log), compared and made.
 *
 * Moving columns come from fold(), which evolves every event in C; columns
 * that never change come from the events themselves.  Both begin with the
 * base where the log was pruned.
 * ------------------------------------------------------------------------ */

CREATE VIEW databuild.name_fold AS
	SELECT b.id AS part, b.name FROM databuild.base b WHERE b.machine = 'p'
	UNION ALL
	SELECT u.part, u.name FROM databuild.log e, unnest(e.parts, e.names) AS u(part, name) WHERE e.kind = 'known';
COMMENT ON VIEW databuild.name_fold IS 'Internal: the refs, as the log says them.';

CREATE VIEW databuild.claim_fold AS
	SELECT b.id AS run_id, b.name AS worker FROM databuild.base b WHERE b.machine = 'r'
	UNION ALL
	SELECT u.run_id, e.note FROM databuild.log e, unnest(e.runs) AS u(run_id) WHERE e.kind = 'claimed';
COMMENT ON VIEW databuild.claim_fold IS 'Internal: who claimed which run, as the log says it.';

CREATE VIEW databuild.run_note_fold AS
	SELECT b.id AS run_id, b.reason, b.body AS metadata, b.made
	FROM databuild.base b WHERE b.machine = 'r' AND (b.reason IS NOT NULL OR b.body IS NOT NULL OR b.made IS NOT NULL)
	UNION ALL
	SELECT u.run_id, e.note, e.body,
		CASE WHEN e.kind = 'succeeded' AND e.parts IS DISTINCT FROM c.outputs AND cardinality(e.runs) = 1 THEN coalesce(e.parts, '{}') END
	FROM databuild.log e
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
	FROM databuild.wanted_fold e ORDER BY e.want_id, e.event_id;
COMMENT ON VIEW databuild.want_fold IS 'Internal: what of wants never changes, as the log says it.';

/* What jobs declared for each part, the newest with the greatest event. o: decompressed once an event, not once a slice. */
CREATE VIEW databuild.declared_fold AS
	SELECT 0::bigint AS event_id, b.kind, b.part, b.others FROM databuild.base_declared b
	UNION ALL
	SELECT e.event_id, e.kind, s.part, o.ids[s.upto - s.n::int + 1 : s.upto]
	FROM databuild.log e
	CROSS JOIN LATERAL (SELECT e.others || '{}' AS ids OFFSET 0) AS o
	CROSS JOIN LATERAL (SELECT a.part, a.n, (sum(a.n) OVER (ORDER BY a.i))::int AS upto
		FROM unnest(e.parts, e.sizes) WITH ORDINALITY AS a(part, n, i)) AS s
	WHERE e.kind IN ('declared', 'makes');
COMMENT ON VIEW databuild.declared_fold IS 'Internal: declared inputs and outputs, as the log says them, older ones included.';

CREATE VIEW databuild.input_fold AS
	SELECT d.part, u.input
	FROM (SELECT DISTINCT ON (s.part) s.part, s.others FROM databuild.declared_fold s WHERE s.kind = 'declared' ORDER BY s.part, s.event_id DESC) AS d
	CROSS JOIN LATERAL unnest(d.others) AS u(input);
COMMENT ON VIEW databuild.input_fold IS 'Internal: declared inputs, as the log says them.';

CREATE VIEW databuild.output_fold AS
	SELECT d.part, d.outputs
	FROM (SELECT DISTINCT ON (s.part) s.part, s.others AS outputs FROM databuild.declared_fold s WHERE s.kind = 'makes' ORDER BY s.part, s.event_id DESC) AS d
	WHERE cardinality(d.outputs) > 0;
COMMENT ON VIEW databuild.output_fold IS 'Internal: what else runs of the partitions make, as the log says it.';

CREATE VIEW databuild.taint_fold AS
	SELECT DISTINCT ON (t.taint_id) t.taint_id, t.reason
	FROM (SELECT b.id AS taint_id, 0::bigint AS event_id, b.reason FROM databuild.base b WHERE b.machine = 't'
		UNION ALL SELECT e.taint_id, e.event_id, e.note FROM databuild.log e WHERE e.kind = 'tainted') AS t
	ORDER BY t.taint_id, t.event_id;
COMMENT ON VIEW databuild.taint_fold IS 'Internal: what of taints never changes, as the log says it.';

CREATE VIEW databuild.taint_part_fold AS
	SELECT b.taint_id, b.part, b.run FROM databuild.base_taint_part b
	UNION ALL
	SELECT e.taint_id, u.part, u.run
	FROM databuild.log e CROSS JOIN LATERAL unnest(e.parts, e.runs) AS u(part, run)
	WHERE e.kind = 'tainted';
COMMENT ON VIEW databuild.taint_part_fold IS 'Internal: the instances that taints mark, as the log says it.';

CREATE VIEW databuild.read_fold AS
	SELECT b.run_id, b.part, b.instance FROM databuild.base_read b
	UNION ALL
	SELECT u.run_id, u.part, u.instance
	FROM databuild.log e CROSS JOIN LATERAL unnest(e.runs, e.parts, e.others) AS u(run_id, part, instance)
	WHERE e.kind = 'read';
COMMENT ON VIEW databuild.read_fold IS 'Internal: what runs read, as the log says it.';

CREATE VIEW databuild.publication_fold AS
	SELECT b.event_id, b.at, b.parts, b.metadata FROM databuild.base_publication b
	UNION ALL
	SELECT e.event_id, e.recorded_at, e.parts, e.body FROM databuild.log e WHERE e.kind = 'published';
COMMENT ON VIEW databuild.publication_fold IS 'Internal: publications, as the log says them.';

/* Of each job what was said of it, the newest with the greatest event. */
CREATE VIEW databuild.defined_fold AS
	SELECT 0::bigint AS event_id, b.job_id, b.kind, b.definition FROM databuild.base_job b
	UNION ALL
	SELECT e.event_id, e.job_id, e.kind, e.body FROM databuild.log e WHERE e.kind IN ('job_defined', 'job_paused', 'job_resumed', 'job_dropped');
COMMENT ON VIEW databuild.defined_fold IS 'Internal: the definitions of jobs, as the log says them, older ones included.';

CREATE VIEW databuild.job_fold AS
	SELECT d.job_id, d.definition
	FROM (SELECT DISTINCT ON (job_id) job_id, kind, definition FROM databuild.defined_fold ORDER BY job_id, event_id DESC) AS d
	WHERE d.kind <> 'job_dropped';
COMMENT ON VIEW databuild.job_fold IS 'Internal: the definitions of jobs, as the log says them.';

CREATE FUNCTION databuild.verify()
	RETURNS TABLE (relation text, key text, stored jsonb, replayed jsonb)
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres SET jit = off SET work_mem = '64MB'
AS $$
	WITH f AS MATERIALIZED (SELECT * FROM databuild.fold(NULL)),
	partition AS (
		SELECT 'partition', coalesce(s.id, r.id)::text, to_jsonb(s), to_jsonb(r)
		FROM (SELECT p.id, p.ref, p.state, p.job_id, p.prio, p.run, p.live_run, p.ticket, p.since, coalesce(t.attempts, 0) AS attempts,
				coalesce(t.misses, 0) AS misses, t.retry_at, t.cause, t.note, coalesce(t.changed, 0) AS changed,
				ARRAY(SELECT w.want_id FROM databuild.wait w WHERE w.waiter = p.id ORDER BY 1) AS waits
			FROM databuild.partition p LEFT JOIN databuild.trouble t ON t.part = p.id) AS s
		FULL JOIN (SELECT f.id, n.name COLLATE "C" AS ref, f.state, f.job_id, f.prio::smallint AS prio, f.run_id AS run, f.live_run, f.total AS ticket, f.since,
				f.attempts, f.misses, f.until AS retry_at, f.cause, f.note, f.changed, f.ids AS waits
			FROM f LEFT JOIN databuild.name_fold n ON n.part = f.id WHERE f.machine = 'partition') AS r ON r.id = s.id
		WHERE s IS DISTINCT FROM r),
	run AS (
		SELECT 'run', coalesce(s.run_id, r.run_id)::text, to_jsonb(s), to_jsonb(r)
		FROM (SELECT run_id, job_id, state, attempt, started_at, finished_at, worker, outputs FROM databuild.run) AS s
		FULL JOIN (SELECT f.id AS run_id, f.job_id, f.state, f.attempts AS attempt, f.since AS started_at,
				coalesce(f.until, 'infinity') AS finished_at, c.worker, f.ids AS outputs
			FROM f LEFT JOIN databuild.claim_fold c ON c.run_id = f.id
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
		FULL JOIN (SELECT e.want_id, u.part FROM databuild.wanted_fold e CROSS JOIN unnest(e.parts) AS u(part)
			JOIN f ON f.machine = 'want' AND f.id = e.want_id AND f.state = 'A') AS r
			ON r.want_id = s.want_id AND r.part = s.part
		WHERE s IS DISTINCT FROM r),
	publication AS (
		SELECT 'publication', coalesce(s.event_id, r.event_id)::text, to_jsonb(s), to_jsonb(r)
		FROM databuild.publication AS s
		FULL JOIN databuild.publication_fold AS r ON r.event_id = s.event_id
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
		FULL JOIN (SELECT b.part, b.event_id, b.instance FROM databuild.base_once_live b
			UNION ALL SELECT f.id, f.past[i], f.past[i + 1] FROM f CROSS JOIN LATERAL generate_series(1, cardinality(f.past), 2) AS i
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

CREATE VIEW databuild.cover AS
	SELECT u.part, max(u.prio) AS prio, bool_or(u.over) AS over
	FROM (SELECT b AS part, w.prio, w.expires_at <= databuild.clock() AS over FROM databuild.member m CROSS JOIN databuild.bits(m.block, m.mask) AS b
			JOIN databuild.want w ON w.want_id = m.want_id AND w.state = 'A' AND NOT (w.derivative AND w.run_id = 0)
		UNION ALL
		SELECT b, p.prio, NULL FROM databuild.declared_wait d CROSS JOIN databuild.bits(d.block, d.mask) AS b
			JOIN databuild.partition p ON p.id = d.waiter) AS u GROUP BY u.part;
COMMENT ON VIEW databuild.cover IS 'Internal: the greatest priority of the wants on each partition that has any, and whether one of them is past its end.';

CREATE FUNCTION databuild.shut_gates() RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_shut_gates';
COMMENT ON FUNCTION databuild.shut_gates IS
'Internal: waits until no transaction with a writing call is open, letting others pass meanwhile; then keeps them out until the transaction ends. Raises 55P03 after lock_timeout.';

CREATE FUNCTION databuild.replay() RETURNS bigint
	LANGUAGE plpgsql VOLATILE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres SET jit = off SET work_mem = '64MB'
AS $$
DECLARE
	events bigint;
BEGIN
	PERFORM databuild.shut_gates();
	SELECT count(*) INTO events FROM databuild.log;
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
	-- partitions and runs are many: only what differs is written; what goes, first, as refs may have been exchanged: the count sees to that
	partition AS MATERIALIZED (
		SELECT s.id AS stored, r.*
		FROM (SELECT id, ref, state, job_id, prio, run, live_run, ticket, since FROM databuild.partition) AS s
		FULL JOIN (SELECT f.id, n.name COLLATE "C" AS ref, f.state, f.job_id, f.prio::smallint AS prio, f.run_id AS run, f.live_run, f.total AS ticket, f.since
			FROM f JOIN databuild.name_fold n ON n.part = f.id WHERE f.machine = 'partition') AS r ON r.id = s.id
		WHERE s IS DISTINCT FROM r),
	partition_gone AS (DELETE FROM databuild.partition p USING partition WHERE p.id = partition.stored RETURNING p.id),
	a AS (INSERT INTO databuild.partition (id, ref, state, job_id, prio, run, live_run, ticket, since)
		SELECT id, ref, state, job_id, prio, run, live_run, ticket, since FROM partition
		WHERE id IS NOT NULL AND (SELECT count(*) FROM partition_gone) >= 0),
	b AS (INSERT INTO databuild.trouble (part, attempts, misses, retry_at, cause, note, changed)
		SELECT id, attempts, misses, until, cause, note, changed FROM f
		WHERE machine = 'partition' AND (attempts <> 0 OR misses <> 0 OR until IS NOT NULL OR cause IS NOT NULL OR changed <> 0)),
	c AS (INSERT INTO databuild.wait (waiter, want_id, declared)
		SELECT f.id, u.want_id, w.run_id = 0 FROM f, unnest(f.ids) AS u(want_id)
		JOIN (SELECT id, run_id FROM f AS w WHERE w.machine = 'want') AS w ON w.id = u.want_id WHERE f.machine = 'partition'),
	d AS (INSERT INTO databuild.ready (seq, block, job_id, rank, mask)
		SELECT nextval('databuild.serial'), q.block, q.job_id, q.prio * 2, q.mask FROM
			(SELECT f.id >> 6 AS block, f.job_id, f.prio, bit_or(1::bigint << (f.id & 63)::int) AS mask
				FROM f LEFT JOIN databuild.job j ON j.job_id = f.job_id WHERE f.machine = 'partition' AND f.state = 'Q'
				GROUP BY f.total, 1, 2, 3, CASE WHEN j.outputs IS NOT NULL OR j.outputs_function IS NOT NULL THEN f.id END
				ORDER BY f.total, min(f.id)) AS q),
	e AS (INSERT INTO databuild.timer (at, kind, ids)
		SELECT until, 'R', array_agg(id) FROM f WHERE machine = 'partition' AND state = 'R' GROUP BY until),
	g AS (INSERT INTO databuild.want (want_id, created_at, ended_at, run_id, derivative, total, prio, state, data_timestamp, due_at, expires_at, source, comment, key)
		SELECT f.id, f.since, coalesce(f.until, 'infinity'), f.run_id, f.attempts = 1, f.total, f.prio, f.state,
			w.data_timestamp, w.due_at, w.expires_at, w.source, w.comment, w.key
		FROM f JOIN databuild.want_fold AS w ON w.want_id = f.id WHERE f.machine = 'want'),
	o AS (DELETE FROM databuild.once_live RETURNING part, event_id, ends_key),
	l AS (INSERT INTO databuild.once_live (part, event_id, instance, ends_key)
		SELECT r.part, r.event_id, r.instance, coalesce(o.ends_key, r.event_id)
		FROM (SELECT b.part, b.event_id, b.instance FROM databuild.base_once_live b
			UNION ALL SELECT f.id, f.past[i], f.past[i + 1] FROM f CROSS JOIN LATERAL generate_series(1, cardinality(f.past), 2) AS i
			WHERE f.machine = 'partition') AS r LEFT JOIN o ON o.part = r.part AND o.event_id = r.event_id),
	i AS (INSERT INTO databuild.taint (taint_id, created_at, state, reason)
		SELECT f.id, f.since, f.state, t.reason FROM f JOIN databuild.taint_fold AS t ON t.taint_id = f.id WHERE f.machine = 'taint'),
	h AS (INSERT INTO databuild.member (want_id, block, mask)
		SELECT e.want_id, u.part >> 6, bit_or(1::bigint << (u.part & 63)::int)
		FROM databuild.wanted_fold e CROSS JOIN LATERAL unnest(e.parts) AS u(part)
		JOIN f ON f.machine = 'want' AND f.id = e.want_id AND f.state = 'A' GROUP BY 1, 2),
	run AS MATERIALIZED (
		SELECT s.run_id AS stored, r.*
		FROM (SELECT run_id, job_id, state, attempt, started_at, finished_at, worker, outputs FROM databuild.run) AS s
		FULL JOIN (SELECT f.id AS run_id, f.job_id, f.state, f.attempts AS attempt, f.since AS started_at,
				coalesce(f.until, 'infinity') AS finished_at, c.worker, f.ids AS outputs
			FROM f JOIN databuild.claim_fold c ON c.run_id = f.id WHERE f.machine = 'run') AS r ON r.run_id = s.run_id
		WHERE s IS DISTINCT FROM r),
	run_gone AS (DELETE FROM databuild.run r USING run WHERE r.run_id = run.stored RETURNING r.run_id, r.lease, r.lease_at)
	-- leases are promises, not events: they stay
	INSERT INTO databuild.run (run_id, started_at, lease_at, finished_at, lease, job_id, attempt, state, worker, outputs)
		SELECT run.run_id, run.started_at, coalesce(g.lease_at, run.started_at), run.finished_at, coalesce(g.lease, 300000000),
			run.job_id, run.attempt, run.state, run.worker, run.outputs
		FROM run LEFT JOIN run_gone AS g ON g.run_id = run.run_id WHERE run.run_id IS NOT NULL;

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
	INSERT INTO databuild.publication SELECT event_id, at, parts, metadata FROM databuild.publication_fold;
	INSERT INTO databuild.timer (at, kind, ids) SELECT lease_at, 'L', array_agg(run_id) FROM databuild.run WHERE state = 'R' GROUP BY lease_at;
	INSERT INTO databuild.mark (low, job_id, rank, queue) SELECT DISTINCT 0, job_id, rank, 'r'::"char" FROM databuild.ready;
	-- who waits, looks: that sets the watches; and what calls had left for later ones is left again
	INSERT INTO databuild.agenda (seq, by, part, want_id, how)
		SELECT nextval('databuild.serial'), pg_current_xact_id(), p.id, 0, 'l' FROM databuild.partition p LEFT JOIN databuild.cover c ON c.part = p.id
		WHERE CASE WHEN p.state IN ('U', 'X') THEN true WHEN p.state IN ('M', 'T') THEN c.part IS NOT NULL
			ELSE p.state <> 'L' AND nullif(p.prio, -128) IS DISTINCT FROM c.prio END;
	INSERT INTO databuild.agenda (seq, by, part, want_id, how)
		SELECT nextval('databuild.serial'), pg_current_xact_id(), 0, w.want_id, 'l' FROM databuild.want w
		WHERE w.state = 'A' AND w.derivative AND w.prio IS DISTINCT FROM
			(SELECT max(p.prio) FROM databuild.wait t JOIN databuild.partition p ON p.id = t.waiter WHERE t.want_id = w.want_id);
	RETURN events;
END
$$;
COMMENT ON FUNCTION databuild.replay IS
'Makes the state anew from the log; returns how many events there were. Rows of partitions and runs that are as the log says are not written; leases of running runs stay. For disaster and doubt: verify() says whether it is needed.
Waits until no transaction with a writing call is open, letting others pass meanwhile; at work, holds them up until its transaction ends.';

/* ------------------------------------------------------------------------
 * What must hold of the tables among themselves.
 * ------------------------------------------------------------------------ */

CREATE FUNCTION databuild.check_invariants()
	RETURNS TABLE (invariant text, key text, detail text)
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH making AS (SELECT r.run_id, u.id AS part FROM databuild.run r CROSS JOIN LATERAL unnest(r.outputs) AS u(id) WHERE r.state = 'R'),
	entered AS (SELECT b.part, q.job_id, q.rank >> 1 AS prio, q.seq FROM databuild.ready q CROSS JOIN databuild.bits(q.block, q.mask) AS b(part)),
	left_over AS (SELECT a.part FROM databuild.agenda a WHERE a.part <> 0 AND a.how <> 'w'
		UNION ALL SELECT i.part FROM databuild.agenda a JOIN databuild.input i ON i.block + 0 = a.part >> 6 AND (i.mask >> (a.part & 63)::int) & 1 = 1 WHERE a.how = 'w'),
	due AS (SELECT n.kind, u.id FROM databuild.timer n CROSS JOIN LATERAL unnest(n.ids) AS u(id)),
	p AS (SELECT p.*, c.prio AS cover, c.over IS TRUE AS over, t.attempts, t.retry_at, t.changed, j.job_id IS NOT NULL AND NOT j.is_source AS has_maker,
			EXISTS (SELECT FROM left_over l WHERE l.part = p.id) AS to_be_looked_at
		FROM databuild.partition p LEFT JOIN databuild.cover c ON c.part = p.id
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
DECLARE
	last_event bigint;
BEGIN
	IF at IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'argument "at" must not be null';
	END IF;
	last_event := databuild.last_event($1);
	RETURN QUERY
	WITH f AS MATERIALIZED (SELECT f.* FROM databuild.fold(last_event) AS f WHERE f.machine = 'partition')
	SELECT p.ref, databuild.place_name('partition', f.state), j.label, nullif(f.run_id, 0), nullif(f.live_run, 0), f.attempts, nullif(f.prio, -128), f.until, f.since
	FROM f JOIN databuild.partition p ON p.id = f.id
	LEFT JOIN (SELECT DISTINCT ON (e.job_id) e.job_id, e.definition ->> 'label' AS label FROM databuild.defined_fold e
		WHERE e.event_id <= last_event ORDER BY e.job_id, e.event_id DESC) AS j ON j.job_id = f.job_id;
END
$$;
COMMENT ON FUNCTION databuild.state_at IS
'The partitions as they were at that time: the fold of the log up to the last event recorded by then. Reads the log from its start. Raises 22023, 55000 (what was so then was pruned).';
