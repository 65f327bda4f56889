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
		WITH e AS (SELECT e.event_id, e.kind, cardinality(e.runs) AS runs FROM databuild.log e
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
	SELECT (SELECT j.label FROM databuild.job j WHERE j.job_id = s.job_id) AS job, databuild.place_name('partition', s.state::"char") AS state, sum(s.parts)::bigint AS partitions, min(s.since) AS oldest_since,
		(SELECT a.at FROM databuild.counted_all a) AS counted_at
	FROM (SELECT u.job_id, u.state, sum(u.parts) AS parts, min(u.since) AS since
		FROM databuild.counted c CROSS JOIN LATERAL unnest(c.jobs, string_to_array(c.states, NULL), c.parts, c.since) AS u(job_id, state, parts, since)
		WHERE c.chunk >= 0 GROUP BY 1, 2) AS s
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
		FROM databuild.queue k
		LEFT JOIN LATERAL (SELECT e.n, p.part, p.since, row_number() OVER () AS nth
			FROM (SELECT row_number() OVER () AS n, b.part, e.seq FROM (SELECT e.seq, e.block, e.mask FROM databuild.ready e
				WHERE e.job_id = k.job_id AND e.rank = k.rank AND e.seq > k.low ORDER BY e.seq) AS e
				CROSS JOIN LATERAL databuild.bits(e.block, e.mask) AS b(part) LIMIT 100000) AS e
			LEFT JOIN LATERAL (SELECT p.id AS part, p.since FROM databuild.partition p WHERE p.id = e.part AND p.state IN ('Q', 'R')
				AND p.job_id = k.job_id AND p.prio = k.rank >> 1 AND p.ticket < e.seq OFFSET 0) AS p ON true
			WHERE p.part IS NOT NULL OR e.n = 100000 LIMIT 1000) AS f ON true
		GROUP BY 1),
	u AS MATERIALIZED (SELECT u.run_id FROM databuild.timer_left n CROSS JOIN LATERAL unnest(n.ids) AS u(run_id)
		WHERE n.kind = 'L' ORDER BY n.at LIMIT 20000),
	r AS (SELECT r.job_id, count(*) AS runs, count(*) FILTER (WHERE r.lease_at < databuild.clock()) AS overdue
		FROM (SELECT DISTINCT u.run_id FROM u) AS u
		CROSS JOIN LATERAL (SELECT r.job_id, r.lease_at FROM databuild.run r WHERE r.run_id = u.run_id AND r.state = 'R' OFFSET 0) AS r
		GROUP BY 1)
	SELECT j.job_id, coalesce(q.parts, 0), coalesce(q.more, false), q.since, coalesce(r.runs, 0), (SELECT count(*) = 20000 FROM u), coalesce(r.overdue, 0)
	FROM databuild.job j LEFT JOIN q ON q.job_id = j.job_id LEFT JOIN r ON r.job_id = j.job_id
$$;
COMMENT ON FUNCTION databuild.at_work IS
'Internal: of each job what is claimable, since when, and the runs under way, from the small tables alone; whether there may be more than it looked at.';

/* What a count is of which there is nothing: unknown as long as nobody has counted. */
CREATE VIEW databuild.zero AS
	SELECT CASE WHEN EXISTS (SELECT FROM databuild.counted c WHERE c.chunk = -1) THEN 0::bigint END AS zero;
COMMENT ON VIEW databuild.zero IS 'Internal: 0, or NULL if tick() has never counted.';

CREATE VIEW databuild.job_stats AS
	SELECT j.label AS job, j.paused, j.max_running,
		CASE WHEN a.more_queued THEN greatest(a.queued, c.queued) ELSE a.queued END AS queued, a.oldest_queued_at,
		CASE WHEN a.more_running THEN greatest(a.running, c.building) ELSE a.running END AS running, a.overdue,
		coalesce(c.up_for_retry, n.zero) AS up_for_retry, coalesce(c.upstream_building, n.zero) AS upstream_building, coalesce(c.live, n.zero) AS live,
		coalesce(c.failed, n.zero) AS failed, coalesce(c.upstream_failed, n.zero) AS upstream_failed,
		(SELECT a.at FROM databuild.counted_all a) AS counted_at
	FROM databuild.at_work() AS a JOIN databuild.job j ON j.job_id = a.job_id AND NOT j.is_source
	CROSS JOIN databuild.zero AS n
	LEFT JOIN (SELECT n.job, max(n.partitions) FILTER (WHERE n.state = 'queued') AS queued, max(n.partitions) FILTER (WHERE n.state = 'building') AS building,
			max(n.partitions) FILTER (WHERE n.state = 'up_for_retry') AS up_for_retry, max(n.partitions) FILTER (WHERE n.state = 'upstream_building') AS upstream_building,
			max(n.partitions) FILTER (WHERE n.state = 'live') AS live, max(n.partitions) FILTER (WHERE n.state = 'failed') AS failed,
			max(n.partitions) FILTER (WHERE n.state = 'upstream_failed') AS upstream_failed
		FROM databuild.partition_counts n GROUP BY 1) AS c ON c.job = j.label;
COMMENT ON VIEW databuild.job_stats IS
'For monitoring, a row a job: as of now, partitions that a worker could claim (queued) and since when the oldest of them waits, runs under way, and those of them whose lease has ended (overdue). What goes beyond 1,000 queued, or 20,000 leases, is as tick() last counted, and so are the other columns (NULL: it never did): see partition_counts.';

CREATE VIEW databuild.stats AS
	SELECT databuild.clock() AS at, j.paused_jobs, j.queued, j.oldest_queued_at, j.running, j.overdue,
		(SELECT count(*) FROM (SELECT FROM databuild.agenda_left a ORDER BY a.seq LIMIT 10000) AS a) AS agenda,
		coalesce(n.live, z.zero)::bigint AS live, coalesce(n.failed, z.zero)::bigint AS failed, coalesce(n.upstream_failed, z.zero)::bigint AS upstream_failed,
		coalesce(n.partitions, z.zero)::bigint AS partitions,
		z.zero + (SELECT count(DISTINCT u.want_id) FROM databuild.counted c CROSS JOIN LATERAL unnest(c.late) AS u(want_id)) AS late_wants,
		z.zero + t.runs_succeeded AS runs_succeeded, z.zero + t.runs_failed AS runs_failed, z.zero + t.runs_missed AS runs_missed,
		z.zero + t.runs_lost AS runs_lost, z.zero + t.runs_canceled AS runs_canceled, z.zero + t.events AS events,
		(SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c
			WHERE c.relnamespace = 'databuild'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^(event|base)(_|$)') AS log_bytes,
		(SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c
			WHERE c.relnamespace = 'databuild'::regnamespace AND c.relkind = 'r' AND c.relname !~ '^(event|base)(_|$)') AS state_bytes,
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
			coalesce(sum(t.events), 0)::bigint AS events FROM databuild.tally t) AS t,
		databuild.zero AS z;
COMMENT ON VIEW databuild.stats IS
'For monitoring, one row. As of now: paused jobs, the sums of job_stats, what calls left for later ones (agenda, counted up to 10,000), sizes of the log and of the rest. As tick() last counted: partitions and how many are live, failed, upstream_failed, and late wants (at counted_at or later; see partition_counts); runs by how they ended and events, since the beginning of the log, so that what grows between two looks is what happened between them. last_tick_at: when tick() counted last, which it does about once a minute; NULL: never, and so is what it counts.';
