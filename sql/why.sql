/* ------------------------------------------------------------------------
 * why.sql: why a partition is not there.
 *
 * reason_of() is the closed list of reasons in its fixed order: the first that
 * applies is the answer.  why() follows the reasons that are about other
 * partitions to those that are not.  All of it only reads, by index paths.
 * ------------------------------------------------------------------------ */

CREATE FUNCTION databuild.queue_place(part_id bigint, OUT ahead bigint)
	LANGUAGE plpgsql STABLE SECURITY DEFINER		-- to plan it takes longer than to run it: plpgsql keeps the plan
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
	SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
	WITH p AS (SELECT id, job_id, prio, ticket FROM databuild.partition WHERE id = part_id),
	own AS (SELECT q.rank, q.seq FROM p CROSS JOIN LATERAL (SELECT q.rank, q.seq FROM databuild.ready q WHERE q.job_id = p.job_id
		AND q.rank BETWEEN p.prio * 2 AND p.prio * 2 + 1 AND q.seq > p.ticket AND q.block = p.id >> 6 AND (q.mask >> (p.id & 63)::int) & 1 = 1
		ORDER BY q.rank DESC, q.seq LIMIT 1) AS q),
	place AS (SELECT p.id, p.job_id, coalesce(own.rank, p.prio * 2) AS rank, coalesce(own.seq, p.ticket) AS seq FROM p LEFT JOIN own ON true),
	before AS (SELECT FROM place AS p CROSS JOIN LATERAL ((SELECT q.seq, q.block, q.rank, q.mask FROM databuild.ready q
			WHERE q.job_id = p.job_id AND q.rank > p.rank LIMIT 1000)
		UNION ALL
		(SELECT q.seq, q.block, q.rank, q.mask FROM databuild.ready q WHERE q.job_id = p.job_id AND q.rank = p.rank AND q.seq <= p.seq ORDER BY q.seq LIMIT 1000)
		OFFSET 0) AS q
		CROSS JOIN LATERAL (SELECT min(b) AS least, max(b) AS greatest FROM databuild.bits(q.block, q.mask) AS b OFFSET 0) AS b
		CROSS JOIN LATERAL (SELECT FROM databuild.partition o WHERE o.id BETWEEN b.least AND b.greatest AND (q.mask >> (o.id & 63)::int) & 1 = 1
			AND o.state IN ('Q', 'R') AND o.job_id = p.job_id AND o.prio = q.rank >> 1 AND o.ticket < q.seq
			AND (q.rank > p.rank OR q.seq < p.seq OR o.id < p.id) OFFSET 0) AS o
		LIMIT 1000)
	SELECT count(*) INTO ahead FROM before;
END
$$;
COMMENT ON FUNCTION databuild.queue_place IS
'Internal: how many refs of its job''s queue come before a queued partition, counted up to 1,000.';

CREATE FUNCTION databuild.inputs_not_live(part_id bigint, OUT lacking bigint, OUT lost bigint, OUT total bigint)
	LANGUAGE plpgsql STABLE SECURITY DEFINER		-- as above
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1
	SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
	SELECT count(*) FILTER (WHERE p.state <> 'L'), count(*) FILTER (WHERE p.state IN ('F', 'X')), count(*) INTO lacking, lost, total
	FROM (SELECT DISTINCT e.upstream FROM databuild.edge e WHERE e.waiter = part_id) AS e
	CROSS JOIN LATERAL (SELECT p.state FROM databuild.partition p WHERE p.id = e.upstream OFFSET 0) AS p;
END
$$;
COMMENT ON FUNCTION databuild.inputs_not_live IS
'Internal: of the inputs that a partition waits for, how many are not live, how many are failed or upstream_failed, and how many there are.';

CREATE FUNCTION databuild.is_covered(part_id bigint) RETURNS boolean
	LANGUAGE plpgsql STABLE SECURITY DEFINER		-- as above
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1
	SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
	RETURN EXISTS (SELECT FROM databuild.member m
			CROSS JOIN LATERAL (SELECT FROM databuild.want w WHERE w.want_id = m.want_id AND w.state = 'A'
				AND (w.expires_at > databuild.clock()) IS NOT FALSE AND NOT (w.derivative AND w.run_id = 0) OFFSET 0) AS w
			WHERE m.block + 0 = part_id >> 6 AND (m.mask >> (part_id & 63)::int) & 1 = 1)
		OR EXISTS (SELECT FROM databuild.input i
			CROSS JOIN LATERAL (SELECT t.want_id FROM databuild.wait t WHERE t.waiter = i.part AND t.declared OFFSET 0) AS t
			CROSS JOIN LATERAL (SELECT m.mask FROM databuild.member m WHERE m.want_id = t.want_id AND m.block = i.block OFFSET 0) AS m
			WHERE i.block + 0 = part_id >> 6 AND ((i.mask & m.mask) >> (part_id & 63)::int) & 1 = 1);
END
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
		SELECT i.ref INTO last_reason FROM databuild.read d
			CROSS JOIN LATERAL (SELECT i.ref FROM databuild.partition i WHERE i.id = d.part AND i.live_run NOT IN (0, d.instance) OFFSET 0) AS i
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
		hint := format('Define a job that makes it, or publish it once it is there: SELECT databuild.publish(ARRAY[%L]).%s', p.ref,
			(SELECT format(' If run %s missed it by mistake: cancel_want() the wants on what waits for it, then want that again.', max(w.run_id))
				FROM databuild.member m CROSS JOIN LATERAL (SELECT w.run_id FROM databuild.want w WHERE w.want_id = m.want_id AND w.state = 'A' AND w.run_id <> 0 OFFSET 0) AS w
				WHERE m.block + 0 = p.id >> 6 AND (m.mask >> (p.id & 63)::int) & 1 = 1 HAVING count(*) > 0));
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
		detail := format('Run %s of worker %s makes it, attempt %s, since %s.', r.run_id, r.worker, r.attempt, to_char(r.started_at, 'YYYY-MM-DD HH24:MI:SSOF'))
			|| CASE WHEN t.changed <> 0 THEN ' Rows that name it changed meanwhile: the end of the run publishes it.' ELSE '' END;
		hint := format('Its lease holds until %s.', to_char(r.lease_at, 'YYYY-MM-DD HH24:MI:SSOF'));
		RETURN;
	END IF;
	IF p.state = 'B' THEN
		reason := 'lease_overdue';
		detail := format('The lease of run %s of worker %s ended at %s.', r.run_id, r.worker, to_char(r.lease_at, 'YYYY-MM-DD HH24:MI:SSOF'));
		hint := 'The next claim or tick() gives it up and tries again, unless the worker reports first. See whether the worker is alive.';
		RETURN;
	END IF;
	IF p.state IN ('Q', 'R') THEN
		SELECT u.run_id, b.ref INTO blocking
			FROM databuild.output o CROSS JOIN LATERAL unnest(o.outputs) AS x(id)
			CROSS JOIN LATERAL (SELECT b.id, b.ref, b.run FROM databuild.partition b WHERE b.id = x.id OFFSET 0) AS b
			LEFT JOIN LATERAL (SELECT k.run_id FROM databuild.taken k WHERE k.part = b.id OFFSET 0) AS k ON true
			CROSS JOIN LATERAL (SELECT u.run_id FROM databuild.run u WHERE u.run_id = coalesce(k.run_id, b.run) AND u.state = 'R' OFFSET 0) AS u
			WHERE o.part = p.id LIMIT 1;
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
			last_reason, to_char(t.retry_at, 'YYYY-MM-DD HH24:MI:SSOF'));
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
			CROSS JOIN LATERAL (SELECT u.ref FROM databuild.partition u WHERE u.id = b.id AND u.state <> 'L' OFFSET 0) AS u WHERE i.part = p.id LIMIT 1;
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
		CROSS JOIN LATERAL (SELECT p.id, p.ref, p.state FROM databuild.partition p WHERE p.id = e.upstream OFFSET 0) AS p
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

/* None of the log by then: 0, the empty state, unless the log was pruned. */
CREATE FUNCTION databuild.last_event(at timestamptz) RETURNS bigint
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n databuild.pruned%ROWTYPE;
	last bigint := (SELECT e.event_id FROM databuild.log e WHERE e.recorded_at <= $1 ORDER BY e.event_id DESC LIMIT 1);
BEGIN
	SELECT * INTO n FROM databuild.pruned;
	IF last IS NULL AND n.at > $1 THEN
		RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('what was so at %s was pruned', $1),
			HINT = format('The log tells what was so since %s.', n.at);
	END IF;
	RETURN coalesce(last, n.upto, 0);
END
$$;
COMMENT ON FUNCTION databuild.last_event IS 'Internal: the last event recorded by then; 0: none. Raises 55000 if it was pruned with later ones.';

/*
 * The same for a time in the past, from nothing but the log: state by the
 * fold, edges and wants by the events up to then.  No hints: it is over.
 * Nothing is known of how many rows a fold has: no nested loop, where another
 * join can do it.
 */
CREATE FUNCTION databuild.why_then(asked text, max_depth int, max_children int, at timestamptz)
	RETURNS TABLE (depth int, partition text, state text, reason text, detail text, hint text, run_id bigint, since timestamptz)
	LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 20
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_nestloop = off
AS $$
DECLARE
	asked_id bigint := (SELECT p.id FROM databuild.partition p WHERE p.ref = asked);
	last_event bigint;
BEGIN
	IF asked IS NULL OR max_depth IS NULL OR max_children IS NULL OR max_depth < 0 OR max_children < 0 THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'why() needs a partition, and a depth and number of children that are not negative';
	END IF;
	last_event := databuild.last_event($4);
	RETURN QUERY
	WITH RECURSIVE f AS MATERIALIZED (SELECT f.* FROM databuild.fold(last_event) AS f),
	j AS MATERIALIZED (SELECT DISTINCT ON (e.job_id) e.job_id, e.kind, e.definition ->> 'label' AS label, (e.definition ->> 'is_source')::boolean AS is_source,
			(e.definition ->> 'paused')::boolean AS paused, (e.definition ->> 'max_attempts')::int AS max_attempts
		FROM databuild.defined_fold e WHERE e.event_id <= last_event
		ORDER BY e.job_id, e.event_id DESC),
	declared AS MATERIALIZED (SELECT d.part, u.input
		FROM (SELECT DISTINCT ON (s.part) s.part, s.others AS inputs FROM databuild.declared_fold s
			WHERE s.kind = 'declared' AND s.event_id <= last_event ORDER BY s.part, s.event_id DESC) AS d
		CROSS JOIN LATERAL unnest(d.inputs) AS u(input)),
	-- wants in force then, and what they cover; one that waiters share, as far as they need it
	w AS MATERIALIZED (SELECT f.id, f.attempts = 1 AND f.run_id = 0 AS shared, e.parts
		FROM f JOIN databuild.wanted_fold e ON e.want_id = f.id AND e.event_id <= last_event
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
	cause AS MATERIALIZED (SELECT o.id AS waiter, u.id, CASE WHEN u.letter IN ('F', 'X') THEN '0' ELSE '1' END || u.ref AS step,
			row_number() OVER (PARTITION BY o.id ORDER BY u.letter NOT IN ('F', 'X'), u.ref COLLATE "C") AS nth
		FROM edge JOIN p AS o ON o.id = edge.waiter JOIN p AS u ON u.id = edge.upstream
		WHERE CASE o.letter WHEN 'X' THEN u.letter IN ('F', 'X') ELSE u.letter <> 'L' END),
	tree AS (
		SELECT 0 AS depth, asked_id AS id, ARRAY[]::text[] COLLATE "C" AS path, ARRAY[asked_id] AS above
		UNION ALL
		SELECT t.depth + 1, c.id, t.path || c.step, t.above || c.id
		FROM tree t JOIN cause c ON c.waiter = t.id AND c.nth <= max_children
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
				coalesce(n.reason, 'no reason was given'), to_char(p.until, 'YYYY-MM-DD HH24:MI:SSOF'))
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
			WHEN p.letter = 'U' THEN CASE WHEN p.id IN (SELECT c.waiter FROM cause c)
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
at: why it was not live at that time, from the log up to then, which is read from its start; what the log does not hold (leases, collisions, how full a job was, how many came before it) is not told. 55000 if the log of then was pruned.
The reason is the first that applies of: stale, live, ambiguous_job, unknown, not_wanted, no_job, waiting_for_publish, cycle, failed, building, lease_overdue, collision, backing_off, upstream_failed, waiting_for_upstream, settling (the next call or tick moves it), job_paused, job_full, waiting_for_worker, tainted; the README says more of each. A chain ends in one that is not about another partition.
Reads only. Raises 22023.';

CREATE FUNCTION databuild.why_want(want_id bigint)
	RETURNS TABLE (reason text, partitions bigint, example text, detail text, hint text)
	LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 20
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1
AS $$
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
		SELECT m.part FROM databuild.want_part m
			CROSS JOIN LATERAL (SELECT FROM databuild.partition p WHERE p.id = m.part AND p.state <> 'L' OFFSET 0) AS p WHERE m.want_id = asked
		UNION
		SELECT e.upstream FROM n
			CROSS JOIN LATERAL (SELECT FROM databuild.partition w WHERE w.id = n.id AND w.state IN ('U', 'X') OFFSET 0) AS w
			CROSS JOIN LATERAL (SELECT e.upstream FROM databuild.edge e WHERE e.waiter = n.id OFFSET 0) AS e
			CROSS JOIN LATERAL (SELECT FROM databuild.partition p WHERE p.id = e.upstream AND p.state <> 'L' OFFSET 0) AS p),
	leaf AS (
		SELECT p.id, p.ref, p.state, p.job_id, p.run, t.cause, t.retry_at > now_ AS later
		FROM n CROSS JOIN LATERAL (SELECT * FROM databuild.partition p WHERE p.id = n.id OFFSET 0) AS p
		LEFT JOIN LATERAL (SELECT t.cause, t.retry_at FROM databuild.trouble t WHERE t.part = n.id OFFSET 0) AS t ON true
		WHERE p.state NOT IN ('U', 'X') OR (SELECT i.lacking = 0 FROM databuild.inputs_not_live(p.id) AS i)),
	kind AS (
		SELECT count(*) AS partitions, (array_agg(l.id ORDER BY l.ref COLLATE "C"))[1] AS example
		FROM leaf l LEFT JOIN LATERAL (SELECT r.lease_at FROM databuild.run r WHERE r.run_id = l.run AND l.state = 'B' OFFSET 0) AS r ON true
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
			SELECT x.depth + 1, x.part, d.run_id, d.part, d.instance
				FROM x CROSS JOIN LATERAL (SELECT * FROM databuild.read d WHERE d.run_id = x.instance OFFSET 0) AS d WHERE x.depth < max_depth)
		SELECT x.depth, o.ref, x.run_id, i.ref, x.instance, i.live_run <> x.instance
		FROM x CROSS JOIN LATERAL (SELECT o.ref FROM databuild.partition o WHERE o.id = x.made OFFSET 0) AS o
		CROSS JOIN LATERAL (SELECT i.ref, i.live_run FROM databuild.partition i WHERE i.id = x.part OFFSET 0) AS i
		UNION
		SELECT x.depth + 1, i.ref, x.instance, NULL, NULL, NULL
		FROM x CROSS JOIN LATERAL (SELECT i.ref FROM databuild.partition i WHERE i.id = x.part OFFSET 0) AS i
		WHERE x.depth < max_depth AND (SELECT true FROM databuild.run r WHERE r.run_id = x.instance) IS NULL
			AND (SELECT true FROM databuild.publication b WHERE b.event_id = x.instance) IS NULL
		ORDER BY 1, 2, 3, 4;
	ELSE
		RETURN QUERY WITH RECURSIVE x AS (
			SELECT 1 AS depth, m.id AS made, d.run_id, asked.id AS part, asked.live_run AS instance
				FROM databuild.read d CROSS JOIN LATERAL (SELECT r.outputs FROM databuild.run r WHERE r.run_id = d.run_id AND r.state = 'S' OFFSET 0) AS r
				LEFT JOIN LATERAL (SELECT n.made FROM databuild.run_note n WHERE n.run_id = d.run_id OFFSET 0) AS n ON true CROSS JOIN LATERAL unnest(coalesce(n.made, r.outputs)) AS m(id)
				WHERE d.part = asked.id AND d.instance = asked.live_run AND max_depth > 0
			UNION
			SELECT x.depth + 1, m.id, d.run_id, x.made, x.run_id
				FROM x CROSS JOIN LATERAL (SELECT d.run_id FROM databuild.read d WHERE d.part = x.made AND d.instance = x.run_id OFFSET 0) AS d
				CROSS JOIN LATERAL (SELECT r.outputs FROM databuild.run r WHERE r.run_id = d.run_id AND r.state = 'S' OFFSET 0) AS r
				LEFT JOIN LATERAL (SELECT n.made FROM databuild.run_note n WHERE n.run_id = d.run_id OFFSET 0) AS n ON true CROSS JOIN LATERAL unnest(coalesce(n.made, r.outputs)) AS m(id)
				WHERE x.depth < max_depth)
		SELECT x.depth, o.ref, x.run_id, i.ref, x.instance, i.live_run <> x.instance
		FROM x CROSS JOIN LATERAL (SELECT o.ref FROM databuild.partition o WHERE o.id = x.made OFFSET 0) AS o
		CROSS JOIN LATERAL (SELECT i.ref, i.live_run FROM databuild.partition i WHERE i.id = x.part OFFSET 0) AS i
		ORDER BY x.depth, i.ref, x.run_id, o.ref;
	END IF;
END
$$;
COMMENT ON FUNCTION databuild.lineage IS
'From what the newest instance of the partition was made, by what its run really read (upstream), or what was made from it (downstream), a row a run and input, to a depth. input_run_id: the instance that was read (a run, or the event of a publication); stale: there is a newer one, or it was forgotten. A row without input: what is known of that instance, which was replaced, was pruned. Reads only.
Raises 22023, 42704 (a ref that is not known).';

/* ---- the dry plan ---- */

CREATE FUNCTION databuild.plan(partitions text[])
	RETURNS TABLE (ref text, outcome text, detail text)
	LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	-- the refs, and what those that are not live are declared to need, known or not
	WITH i AS MATERIALIZED (SELECT i.ref, i.input FROM databuild.inputs_of(partitions) AS i),
	n AS (SELECT u.ref COLLATE "C" AS ref FROM unnest(partitions) AS u(ref) UNION SELECT i.input COLLATE "C" FROM i),
	needs AS (
		SELECT i.ref COLLATE "C" AS ref, array_agg(DISTINCT i.input) AS lacking
		FROM i LEFT JOIN LATERAL (SELECT q.state FROM databuild.partition q WHERE q.ref = i.input COLLATE "C" OFFSET 0) AS q ON true
		WHERE q.state IS DISTINCT FROM 'L' GROUP BY 1),
	known AS MATERIALIZED (
		SELECT n.ref, p.state, databuild.makers(n.ref) AS makers, needs.lacking
		FROM n LEFT JOIN LATERAL (SELECT p.state FROM databuild.partition p WHERE p.ref = n.ref OFFSET 0) AS p ON true LEFT JOIN needs ON needs.ref = n.ref)
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
