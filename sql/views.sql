/* ------------------------------------------------------------------------
 * views.sql: what analysts read.  Names and columns are stable.
 *
 * They are planned by whoever reads them, with whatever ANALYZE left.  If it
 * came while the rows of a large call were not committed, it took the tables
 * for empty, and then reading an index from end to end seems as cheap as
 * looking one row up: any join may become the square.  So nothing here is left
 * to join as the planner likes: what belongs to a row is looked up for it, in
 * a subquery of its own, which costs nothing where its column is not asked for;
 * or LATERAL ... OFFSET 0, where there are several.
 * ------------------------------------------------------------------------ */

CREATE VIEW databuild.jobs AS
	SELECT label, patterns, outputs, inputs, config, batch_size, max_running, max_attempts, max_misses, backoff, lease, paused, is_source,
		outputs_function, inputs_function, functions_role
	FROM databuild.job;
COMMENT ON VIEW databuild.jobs IS 'Jobs and sources: what makes which refs. functions_role: who defined the job, and as whom its functions run, if it has any.';

CREATE VIEW databuild.partitions AS
	SELECT p.ref, databuild.place_name('partition', p.state) AS state,
		(SELECT j.label FROM databuild.job j WHERE j.job_id = p.job_id) AS job,
		nullif(p.run, 0) AS run_id, nullif(p.live_run, 0) AS live_run_id,
		coalesce((SELECT t.attempts FROM databuild.trouble t WHERE t.part = p.id), 0) AS attempts, nullif(p.prio, -128)::int AS priority,
		(SELECT t.retry_at FROM databuild.trouble t WHERE t.part = p.id) AS retry_at, p.since AS state_since,
		coalesce((SELECT r.finished_at FROM databuild.run r WHERE r.run_id = p.live_run),
			(SELECT b.at FROM databuild.publication b WHERE b.event_id = p.live_run)) AS live_at
	FROM databuild.partition p;
COMMENT ON VIEW databuild.partitions IS 'Every known partition and its state: missing, queued (waits for a worker), building, upstream_building (waits for inputs), up_for_retry (backs off until retry_at), live, failed (stays so until retry() or publish()), upstream_failed (an input failed), tainted (was live, is invalid, and nobody makes it anew). run_id makes or made the canonical instance, live_run_id the newest that became live; priority is that of its wants while one is at work on it.';

/* The log as it is since it was pruned, of which event may still have more. */
CREATE VIEW databuild.log AS
	SELECT e.event_id, e.recorded_at, e.kind, e.actor, e.role, e.want_id, e.taint_id, e.job_id, e.priority, e.until, e.cause, e.note, e.runs, e.parts,
		e.sizes, e.others, e.names, e.body
	FROM databuild.event e WHERE e.event_id > coalesce((SELECT n.upto FROM databuild.pruned n), 0);
COMMENT ON VIEW databuild.log IS 'Internal: the events that were not pruned.';

CREATE FUNCTION databuild.dropped_label(job_id int) RETURNS text
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT d.body ->> 'label' FROM (SELECT b.definition AS body FROM databuild.base_job b WHERE b.kind = 'job_dropped' AND b.job_id = $1
		UNION ALL SELECT e.body FROM databuild.event e WHERE e.kind = 'job_dropped' AND e.job_id = $1) AS d LIMIT 1
$$;
COMMENT ON FUNCTION databuild.dropped_label IS 'Internal: the label that a dropped job had.';

CREATE VIEW databuild.job_runs AS
	SELECT r.run_id, coalesce((SELECT j.label FROM databuild.job j WHERE j.job_id = r.job_id), databuild.dropped_label(r.job_id)) AS job,
		databuild.place_name('run', r.state) AS state, r.worker, r.attempt,
		ARRAY(SELECT (SELECT p.ref FROM databuild.partition p WHERE p.id = o.id) FROM unnest(r.outputs) WITH ORDINALITY AS o(id, n) ORDER BY o.n) AS partitions,
		r.started_at, nullif(r.finished_at, 'infinity') AS finished_at,
		CASE WHEN r.state = 'R' THEN r.lease_at END AS lease_expires_at,
		(SELECT n.reason FROM databuild.run_note n WHERE n.run_id = r.run_id) AS reason,
		(SELECT n.metadata FROM databuild.run_note n WHERE n.run_id = r.run_id) AS metadata
	FROM databuild.run r;
COMMENT ON VIEW databuild.job_runs IS 'Every run that was not pruned: one attempt of one worker to make its partitions. state: running, succeeded, failed, dep_miss (inputs were lacking), canceled or lost (its lease ended).';

CREATE VIEW databuild.instances AS
	SELECT (SELECT p.ref FROM databuild.partition p WHERE p.id = o.id) AS ref, r.run_id,
		CASE r.state WHEN 'R' THEN 'building' WHEN 'D' THEN 'missed' WHEN 'C' THEN 'canceled' WHEN 'L' THEN 'lost' WHEN 'F' THEN 'failed'
			ELSE CASE WHEN n.made IS NULL OR o.id = ANY (n.made) THEN 'live' ELSE 'failed' END END AS state,
		CASE WHEN r.state = 'R' THEN r.started_at ELSE r.finished_at END AS at
	FROM databuild.run r
	LEFT JOIN LATERAL (SELECT n.made FROM databuild.run_note n WHERE n.run_id = r.run_id OFFSET 0) AS n ON true
	CROSS JOIN LATERAL unnest(r.outputs) AS o(id)
	UNION ALL
	SELECT (SELECT p.ref FROM databuild.partition p WHERE p.id = o.id), b.event_id, 'live', b.at
	FROM databuild.publication b
	CROSS JOIN LATERAL unnest(b.parts) AS o(id);
COMMENT ON VIEW databuild.instances IS 'Every build of every partition that was not pruned: by a run, or published (then run_id is the number of the event). state: building, live, missed, failed, canceled or lost.';

/* The queues of the ready set, each with its newest mark: of marks that tick() has not removed, or that are dead but pinned, none is looked at. */
CREATE VIEW databuild.queue AS
WITH RECURSIVE k AS ((SELECT m.job_id, m.rank, m.low FROM databuild.mark m WHERE m.queue = 'r'
		ORDER BY m.job_id DESC, m.rank DESC, m.low DESC LIMIT 1)
	UNION ALL SELECT n.* FROM k, LATERAL (SELECT m.job_id, m.rank, m.low FROM databuild.mark m
		WHERE m.queue = 'r' AND (m.job_id, m.rank) < (k.job_id, k.rank)
		ORDER BY m.job_id DESC, m.rank DESC, m.low DESC LIMIT 1) AS n)
SELECT job_id, rank, low FROM k;
COMMENT ON VIEW databuild.queue IS 'Internal: the queues of the ready set, by job and rank, and below which number nothing is left of each.';

CREATE VIEW databuild.agenda_left AS
	SELECT a.seq FROM databuild.agenda a
	WHERE a.seq > coalesce((SELECT k.low FROM databuild.mark k WHERE k.queue = 'a' ORDER BY k.job_id DESC, k.rank DESC, k.low DESC LIMIT 1), 0);
COMMENT ON VIEW databuild.agenda_left IS 'Internal: what is on the agenda, none of which is below its mark.';

CREATE VIEW databuild.timer_left AS
	SELECT n.at, n.kind, n.ids FROM databuild.timer n
	WHERE n.at >= coalesce((SELECT '2000-01-01 00:00:00+00'::timestamptz + k.low * interval '1 us'
		FROM databuild.mark k WHERE k.queue = 't' ORDER BY k.job_id DESC, k.rank DESC, k.low DESC LIMIT 1), '-infinity');
COMMENT ON VIEW databuild.timer_left IS 'Internal: the timers, none of which is below their mark.';

CREATE VIEW databuild.declared_wait AS
	SELECT t.want_id, t.waiter, i.block, i.mask & m.mask AS mask
	FROM databuild.wait t
	CROSS JOIN LATERAL (SELECT i.block, i.mask FROM databuild.input i WHERE i.part = t.waiter OFFSET 0) AS i
	CROSS JOIN LATERAL (SELECT m.mask FROM databuild.member m WHERE m.want_id = t.want_id AND m.block = i.block OFFSET 0) AS m
	WHERE t.declared AND i.mask & m.mask <> 0;
COMMENT ON VIEW databuild.declared_wait IS 'Internal: for which of its declared inputs, as bitmaps, a partition waits by which derivative want.';

/* The refs of each want, by the events that said so. */
CREATE VIEW databuild.wanted_fold AS
	SELECT m.want_id, m.event_id, m.parts, b.body
	FROM databuild.base_member m JOIN databuild.base b ON b.machine = 'w' AND b.id = m.want_id
	UNION ALL
	SELECT e.want_id, e.event_id, e.parts, e.body FROM databuild.log e WHERE e.kind IN ('wanted', 'needed');
COMMENT ON VIEW databuild.wanted_fold IS 'Internal: what of wants never changes, and their refs, as the log says it.';

/* A function, so that the parts of the log are not in the plan of whoever asks for wants. */
CREATE FUNCTION databuild.ended_parts(want_id bigint) RETURNS SETOF bigint
	LANGUAGE sql STABLE SECURITY DEFINER ROWS 10
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off
AS $$
	SELECT u.part FROM databuild.wanted_fold e CROSS JOIN LATERAL unnest(e.parts) AS u(part) WHERE e.want_id = $1
$$;
COMMENT ON FUNCTION databuild.ended_parts IS 'Internal: the partitions of a want, by id, as the log says them.';

/*
 * In force: the bitmaps; ended: the log.  A derivative want that waiters share
 * covers what those of them need that still wait for it.
 */
CREATE VIEW databuild.want_part AS
	SELECT w.want_id, b AS part
	FROM databuild.want w
	CROSS JOIN LATERAL (SELECT m.block, m.mask FROM databuild.member m WHERE m.want_id = w.want_id
		AND NOT EXISTS (SELECT FROM databuild.wait t WHERE t.want_id = w.want_id AND t.declared) OFFSET 0) AS m
	CROSS JOIN databuild.bits(m.block, m.mask) AS b
	UNION ALL
	SELECT DISTINCT d.want_id, b
	FROM databuild.declared_wait d CROSS JOIN databuild.bits(d.block, d.mask) AS b
	UNION ALL
	SELECT w.want_id, u.part
	FROM databuild.want w CROSS JOIN LATERAL databuild.ended_parts(w.want_id) AS u(part)
	WHERE w.state <> 'A';
COMMENT ON VIEW databuild.want_part IS 'Internal: the partitions of wants, by id.';

CREATE VIEW databuild.want_partitions AS
	SELECT m.want_id, (SELECT p.ref FROM databuild.partition p WHERE p.id = m.part) AS ref
	FROM databuild.want_part m;
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
		SELECT m.want_id FROM b
			CROSS JOIN LATERAL (SELECT t.waiter FROM databuild.wait t WHERE t.want_id = b.want_id OFFSET 0) AS t
			CROSS JOIN LATERAL (SELECT m.want_id, m.mask FROM databuild.member m WHERE m.block + 0 = t.waiter >> 6 OFFSET 0) AS m
			WHERE (m.mask >> (t.waiter & 63)::int) & 1 = 1)
	SELECT min(w.due_at), CASE WHEN bool_and(w.expires_at IS NOT NULL) THEN max(w.expires_at) END
	FROM b CROSS JOIN LATERAL (SELECT * FROM databuild.want w WHERE w.want_id = b.want_id OFFSET 0) AS w
	WHERE w.state = 'A' AND NOT w.derivative
$$;
COMMENT ON FUNCTION databuild.behind IS
'Internal: the earliest due time and the latest expiry (NULL: one does not expire) of the wants that stand behind a derivative one.';

/* A function, so that the whole of wants is not so dear in the planner's eyes that each look at it is compiled first (jit). */
CREATE FUNCTION databuild.counts_of(want_id bigint, OUT total bigint, OUT live bigint, OUT failed bigint, OUT upstream_failed bigint,
		OUT building bigint, OUT upstream_building bigint)
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off
AS $$
	SELECT count(*), count(*) FILTER (WHERE p.state = 'L'), count(*) FILTER (WHERE p.state = 'F'), count(*) FILTER (WHERE p.state = 'X'),
		count(*) FILTER (WHERE p.state = 'B'), count(*) FILTER (WHERE p.state = 'U')
	FROM databuild.want_part m CROSS JOIN LATERAL (SELECT p.state FROM databuild.partition p WHERE p.id = m.part OFFSET 0) AS p
	WHERE m.want_id = $1
$$;
COMMENT ON FUNCTION databuild.counts_of IS 'Internal: how many partitions a want has, and how many of them are in which state.';

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
	CROSS JOIN LATERAL databuild.counts_of(w.want_id) AS s;
COMMENT ON VIEW databuild.wants IS 'Every want that was not pruned. state: canceled, expired, for a derivative one successful; of one that is still active the first that applies to its partitions: failed, upstream_failed (any is), successful (all are live), building, upstream_building (any is), idle. A derivative one was made by databuild, because a run missed its refs (run_id) or they are declared inputs; its due time and expiry are those of the wants behind it: the earliest, the latest.';

CREATE VIEW databuild.edge AS
	SELECT t.waiter, b AS upstream, (SELECT nullif(w.run_id, 0) FROM databuild.want w WHERE w.want_id = t.want_id) AS run_id
	FROM databuild.wait t
	CROSS JOIN LATERAL (SELECT m.block, m.mask FROM databuild.member m WHERE m.want_id = t.want_id OFFSET 0) AS m
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
COMMENT ON VIEW databuild.taints IS 'Every taint that was not pruned, active or canceled. An active one still marks what was not made anew since.';

/* From a taint or from a ref: each side can be looked up from the other, but neither be read in the other's order. */
CREATE VIEW databuild.taint_partitions AS
	SELECT x.taint_id, p.ref, x.run AS run_id
	FROM databuild.taint_part x JOIN databuild.partition p ON p.id = ANY (ARRAY[x.part]) AND x.part = ANY (ARRAY[p.id]);
COMMENT ON VIEW databuild.taint_partitions IS 'The instances (ref, run) that each taint marks.';

CREATE VIEW databuild.stale_partitions AS
	SELECT p.ref, p.live_run AS run_id, i.ref AS input, d.instance AS read_run_id, i.live_run AS input_run_id
	FROM databuild.partition p
	CROSS JOIN LATERAL (SELECT d.part, d.instance FROM databuild.read d WHERE d.run_id = p.live_run OFFSET 0) AS d
	CROSS JOIN LATERAL (SELECT i.ref, i.live_run FROM databuild.partition i WHERE i.id = d.part AND i.live_run NOT IN (0, d.instance) OFFSET 0) AS i
	WHERE p.state = 'L';
COMMENT ON VIEW databuild.stale_partitions IS 'Live partitions that were made from an instance of an input (read_run_id) that is not its newest any more (input_run_id).';

CREATE VIEW databuild.dependencies AS
	SELECT d.ref, (SELECT u.ref FROM databuild.partition u WHERE u.id = e.upstream) AS upstream, e.run_id
	FROM databuild.partition d
	CROSS JOIN LATERAL (SELECT e.upstream, e.run_id FROM databuild.edge e WHERE e.waiter = d.id OFFSET 0) AS e
	WHERE d.state IN ('U', 'X');
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
		e.want_id, e.taint_id, coalesce((SELECT j.label FROM databuild.job j WHERE j.job_id = e.job_id), CASE WHEN e.job_id IS NOT NULL THEN databuild.dropped_label(e.job_id) END) AS job,
		CASE WHEN e.parts IS NOT NULL THEN coalesce(e.names, ARRAY(SELECT (SELECT p.ref FROM databuild.partition p WHERE p.id = o.id)
			FROM unnest(e.parts) WITH ORDINALITY AS o(id, n) ORDER BY o.n)) END AS refs,
		jsonb_strip_nulls(jsonb_build_object(
			'runs', CASE WHEN cardinality(e.runs) > 1 THEN to_jsonb(e.runs) END,
			'outputs', CASE WHEN e.kind NOT IN ('declared', 'makes') THEN to_jsonb(e.sizes) END,
			'inputs', CASE WHEN e.kind = 'declared' THEN (SELECT jsonb_agg((SELECT p.ref FROM databuild.partition p WHERE p.id = o.id) ORDER BY o.n)
				FROM unnest(e.others) WITH ORDINALITY AS o(id, n)) END,
			'makes', CASE WHEN e.kind = 'makes' THEN (SELECT jsonb_agg((SELECT p.ref FROM databuild.partition p WHERE p.id = o.id) ORDER BY o.n)
				FROM unnest(e.others) WITH ORDINALITY AS o(id, n)) END,
			'instances', CASE WHEN e.kind = 'read' THEN to_jsonb(e.others) END,
			'counts', CASE WHEN e.kind IN ('declared', 'makes') THEN to_jsonb(e.sizes) END,
			'priority', e.priority,
			CASE e.kind WHEN 'backed_off' THEN 'retry_at' ELSE 'until' END, e.until,
			'cause', e.cause,
			CASE e.kind WHEN 'claimed' THEN 'worker' ELSE 'reason' END, e.note))
			|| CASE WHEN e.kind LIKE 'job\_%' THEN jsonb_build_object('definition', e.body)
				WHEN e.kind IN ('wanted', 'pruned') THEN coalesce(e.body, '{}')
				WHEN e.body IS NULL THEN '{}' ELSE jsonb_build_object('metadata', e.body) END AS body,
		coalesce(e.role, e.actor) AS role
	FROM databuild.log e;
COMMENT ON VIEW databuild.events IS 'The log, from where it was pruned. actor is the session user, role on whose behalf the call was made: what SET ROLE or a SECURITY DEFINER function said. An event on several runs has run_id NULL and body.runs. The kinds are in event_kinds.';

CREATE FUNCTION databuild.event_kinds(OUT kind text, OUT meaning text, OUT tells text[])
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE ROWS 40 PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_event_kinds';
COMMENT ON FUNCTION databuild.event_kinds IS 'The kinds of events, what each says, and the signals that it sends.';
