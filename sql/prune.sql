/* ------------------------------------------------------------------------
 * prune.sql: what is old goes.
 *
 * Pruning moves the place where the fold begins: from an empty state to the
 * base, the tokens as they were after the newest event that is old enough.  A
 * step takes the next events, folds them into the base by the same evolve() as
 * everything else, and takes with them, from base and state alike, the history
 * that nobody needs any more: wants that ended, runs and publications that are
 * the newest of no ref, taints that are canceled or mark only what was replaced.
 * So state = fold(base, log) before and after each step, and a step costs what
 * is in it, however large the state is.
 *
 * Steps wait for nobody but who holds a row of that history, and nobody waits
 * for them but definitions and replay().  What was folded is only there on
 * disk; a part of the log that has nothing else is emptied by TRUNCATE, and
 * before that, lest the part that is written never gets old, it is changed for
 * an empty one now and then.  Both take a moment with nobody else at the log,
 * which is tried for one or two tenths of a second at a time, others passing in between.
 * A part is not emptied while a snapshot is open that sees it as not yet folded:
 * TRUNCATE heeds no snapshots.
 * ------------------------------------------------------------------------ */

CREATE FUNCTION databuild.prune_step(before timestamptz) RETURNS boolean
	LANGUAGE plpgsql VOLATILE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET from_collapse_limit = 1
AS $$
DECLARE
	-- so many events, and tokens in them, at a time
	most_events CONSTANT int := 5000;
	most_tokens CONSTANT int := 30000;
	settled bigint;
	base_upto bigint;
	tallied bigint;
	next bigint;
	newest timestamptz;
	touched bigint[];
	ended bigint[];
	gone bigint[];
	taints_ bigint[];
BEGIN
	IF before IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'argument "before" must not be null';
	END IF;
	IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
		RAISE EXCEPTION USING ERRCODE = '25001', MESSAGE = 'prune() needs READ COMMITTED',
			HINT = 'An older snapshot does not show all that is settled.';
	END IF;
	LOCK TABLE databuild.job IN ROW SHARE MODE;
	LOCK TABLE ONLY databuild.event IN ROW EXCLUSIVE MODE;
	settled := databuild.horizon();
	INSERT INTO databuild.pruned (upto, at, told) SELECT 0, '-infinity', 0
		WHERE NOT EXISTS (SELECT FROM databuild.pruned) ON CONFLICT DO NOTHING;
	SELECT n.upto INTO base_upto FROM databuild.pruned n FOR UPDATE;
	SELECT max(e.event_id), max(e.recorded_at) INTO next, newest
		FROM (SELECT e.event_id, e.recorded_at, sum(e.tokens) OVER w - e.tokens AS tokens_before, bool_and(e.recorded_at < before) OVER w AS old
			FROM (SELECT e.event_id, e.recorded_at, coalesce(cardinality(e.parts), 0) + coalesce(cardinality(e.others), 0) + coalesce(cardinality(e.runs), 0) AS tokens
				FROM databuild.event e WHERE e.event_id > base_upto AND e.event_id <= settled ORDER BY e.event_id LIMIT most_events) AS e
			WINDOW w AS (ORDER BY e.event_id)) AS e
		WHERE e.old AND e.tokens_before < most_tokens;
	IF next IS NULL THEN
		RETURN false;
	END IF;

	-- what tick() has not counted yet; it passes meanwhile
	tallied := coalesce((SELECT max(t.upto) FROM databuild.tally t), 0);
	IF tallied < next THEN
		INSERT INTO databuild.counted (chunk, at) SELECT -1, '-infinity' WHERE NOT EXISTS (SELECT FROM databuild.counted c WHERE c.chunk = -1) ON CONFLICT DO NOTHING;
		PERFORM FROM databuild.counted c WHERE c.chunk = -1 FOR UPDATE;
		tallied := coalesce((SELECT max(t.upto) FROM databuild.tally t), 0);
		INSERT INTO databuild.tally AS t (kind, events, runs, upto)
			SELECT e.kind, count(*), coalesce(sum(cardinality(e.runs)), 0), max(e.event_id)
			FROM databuild.event e WHERE e.event_id > tallied AND e.event_id <= next GROUP BY e.kind ORDER BY e.kind
			ON CONFLICT (kind) DO UPDATE SET events = t.events + excluded.events, runs = t.runs + excluded.runs, upto = excluded.upto;
	END IF;

	-- the instances that these events may have made the newest no more, and those that they are about
	touched := ARRAY(
		SELECT u.id FROM databuild.event e CROSS JOIN LATERAL unnest(e.runs) AS u(id)
			WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind IN ('claimed', 'succeeded', 'failed', 'missed', 'run_canceled', 'lost')
		UNION
		SELECT e.event_id FROM databuild.event e WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind = 'published'
		UNION
		SELECT i.id FROM (SELECT DISTINCT u.part FROM databuild.event e CROSS JOIN LATERAL unnest(e.parts) AS u(part)
				WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind NOT IN ('known', 'wanted', 'needed', 'declared', 'makes', 'read', 'missed') OFFSET 0) AS p
			CROSS JOIN LATERAL (SELECT b.run_id, b.live_run FROM databuild.base b WHERE b.machine = 'p' AND b.id = p.part OFFSET 0) AS b
			CROSS JOIN LATERAL (VALUES (b.run_id), (b.live_run)) AS i(id) WHERE i.id <> 0);
	ended := ARRAY(SELECT e.want_id FROM databuild.event e WHERE e.event_id > base_upto AND e.event_id <= next
		AND e.kind IN ('want_done', 'want_canceled', 'want_expired') ORDER BY 1);

	-- the tokens
	WITH f AS MATERIALIZED (SELECT * FROM databuild.fold(next, false)),
	l AS (INSERT INTO databuild.base_once_live (event_id, part, instance)
		SELECT f.past[i], f.id, f.past[i + 1] FROM f CROSS JOIN LATERAL generate_series(1, cardinality(f.past), 2) AS i WHERE f.machine = 'partition'),
	s AS (SELECT 'partition' AS machine, u.part AS id, u.name, NULL::bigint[] AS others, NULL::text AS reason, NULL::jsonb AS body
		FROM databuild.event e CROSS JOIN LATERAL unnest(e.parts, e.names) AS u(part, name) WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind = 'known'
		UNION ALL
		SELECT 'run', u.id, e.note, e.others, NULL, NULL
		FROM databuild.event e CROSS JOIN LATERAL unnest(e.runs) AS u(id) WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind = 'claimed'
		UNION ALL
		(SELECT DISTINCT ON (e.want_id) 'want', e.want_id, NULL, NULL, NULL, e.body
		FROM databuild.event e WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind IN ('wanted', 'needed') ORDER BY e.want_id, e.event_id)
		UNION ALL
		(SELECT DISTINCT ON (e.taint_id) 'taint', e.taint_id, NULL, NULL, e.note, NULL
		FROM databuild.event e WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind = 'tainted' ORDER BY e.taint_id, e.event_id))
	INSERT INTO databuild.base AS b (id, live_run, run_id, total, changed, since, until, job_id, prio, attempts, misses, machine, state, cause, note, ids,
			name, others, reason, body)
		SELECT f.id, f.live_run, f.run_id, f.total, f.changed, f.since, f.until, f.job_id, f.prio, f.attempts, f.misses, left(f.machine, 1)::"char", f.state, f.cause,
			f.note, f.ids, s.name, s.others, s.reason, s.body
		FROM f LEFT JOIN s ON s.machine = f.machine AND s.id = f.id WHERE NOT (f.machine = 'want' AND f.state <> 'A')
		ON CONFLICT (machine, id) DO UPDATE SET live_run = excluded.live_run, run_id = excluded.run_id, total = excluded.total, changed = excluded.changed,
			since = excluded.since, until = excluded.until, job_id = excluded.job_id, prio = excluded.prio, attempts = excluded.attempts, misses = excluded.misses,
			state = excluded.state, cause = excluded.cause, note = excluded.note, ids = excluded.ids;
	UPDATE databuild.base b SET reason = n.note, body = n.body, made = n.made
		FROM (SELECT e.run_id, e.note, e.body, CASE WHEN e.kind = 'succeeded' AND e.alone AND e.parts IS DISTINCT FROM c.ids THEN coalesce(e.parts, '{}') END AS made
			FROM (SELECT u.run_id, e.note, e.body, e.kind, e.parts, cardinality(e.runs) = 1 AS alone
				FROM databuild.event e CROSS JOIN LATERAL unnest(e.runs) AS u(run_id)
				WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind IN ('succeeded', 'failed', 'missed', 'run_canceled', 'lost') OFFSET 0) AS e
			CROSS JOIN LATERAL (SELECT b.ids FROM databuild.base b WHERE b.machine = 'r' AND b.id = e.run_id OFFSET 0) AS c OFFSET 0) AS n
		WHERE b.machine = 'r' AND b.id = n.run_id AND (n.note IS NOT NULL OR n.body IS NOT NULL OR n.made IS NOT NULL);

	-- what else the events say
	INSERT INTO databuild.base_member (want_id, event_id, parts)
		SELECT e.want_id, e.event_id, e.parts FROM databuild.event e
		WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind IN ('wanted', 'needed') AND e.want_id <> ALL (ended);
	INSERT INTO databuild.base_declared (part, kind, others)
		SELECT DISTINCT ON (s.part, e.kind) s.part, e.kind, coalesce(e.others[s.upto - s.n::int + 1 : s.upto], '{}')
		FROM databuild.event e
		CROSS JOIN LATERAL (SELECT a.part, a.n, (sum(a.n) OVER (ORDER BY a.i))::int AS upto
			FROM unnest(e.parts, e.sizes) WITH ORDINALITY AS a(part, n, i)) AS s
		WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind IN ('declared', 'makes') ORDER BY s.part, e.kind, e.event_id DESC
		ON CONFLICT (part, kind) DO UPDATE SET others = excluded.others;
	INSERT INTO databuild.base_read (run_id, part, instance)
		SELECT u.run_id, u.part, u.instance FROM databuild.event e CROSS JOIN LATERAL unnest(e.runs, e.parts, e.others) AS u(run_id, part, instance)
		WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind = 'read';
	INSERT INTO databuild.base_publication (event_id, at, parts, metadata)
		SELECT e.event_id, e.recorded_at, e.parts, e.body FROM databuild.event e WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind = 'published';
	INSERT INTO databuild.base_taint_part (taint_id, part, run)
		SELECT e.taint_id, u.part, u.run FROM databuild.event e CROSS JOIN LATERAL unnest(e.parts, e.runs) AS u(part, run)
		WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind = 'tainted';
	INSERT INTO databuild.base_job (job_id, kind, definition)
		SELECT DISTINCT ON (e.job_id) e.job_id, e.kind, e.body FROM databuild.event e
		WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind IN ('job_defined', 'job_paused', 'job_resumed', 'job_dropped') ORDER BY e.job_id, e.event_id DESC
		ON CONFLICT (job_id) DO UPDATE SET kind = excluded.kind, definition = excluded.definition;
	UPDATE databuild.pruned SET upto = next, at = greatest(at, newest);

	-- wants that ended
	PERFORM FROM databuild.want w WHERE w.want_id = ANY (ended) ORDER BY w.want_id FOR UPDATE;
	DELETE FROM databuild.base b WHERE b.machine = 'w' AND b.id = ANY (ended);
	DELETE FROM databuild.base_member m WHERE m.want_id = ANY (ended);
	DELETE FROM databuild.want w WHERE w.want_id = ANY (ended);

	-- runs that ended, and publications, that are no ref's newest
	gone := ARRAY(SELECT b.id FROM unnest(touched) AS t(id)
		CROSS JOIN LATERAL (SELECT b.id, b.ids FROM databuild.base b WHERE b.machine = 'r' AND b.id = t.id AND b.state <> 'R' OFFSET 0) AS b
		WHERE NOT EXISTS (SELECT FROM (SELECT u.part FROM unnest(b.ids) AS u(part) OFFSET 0) AS u
			CROSS JOIN LATERAL (SELECT p.run_id, p.live_run FROM databuild.base p WHERE p.machine = 'p' AND p.id = u.part OFFSET 0) AS p WHERE b.id IN (p.run_id, p.live_run))
		ORDER BY 1);
	PERFORM FROM databuild.run r WHERE r.run_id = ANY (gone) ORDER BY r.run_id FOR UPDATE;
	DELETE FROM databuild.base b WHERE b.machine = 'r' AND b.id = ANY (gone);
	DELETE FROM databuild.base_read d WHERE d.run_id = ANY (gone);
	DELETE FROM databuild.read d WHERE d.run_id = ANY (gone);
	DELETE FROM databuild.run_note n WHERE n.run_id = ANY (gone);
	DELETE FROM databuild.run r WHERE r.run_id = ANY (gone);
	gone := ARRAY(SELECT b.event_id FROM unnest(touched) AS t(id)
		CROSS JOIN LATERAL (SELECT b.event_id, b.parts FROM databuild.base_publication b WHERE b.event_id = t.id OFFSET 0) AS b
		WHERE NOT EXISTS (SELECT FROM (SELECT u.part FROM unnest(b.parts) AS u(part) OFFSET 0) AS u
			CROSS JOIN LATERAL (SELECT p.run_id, p.live_run FROM databuild.base p WHERE p.machine = 'p' AND p.id = u.part OFFSET 0) AS p WHERE b.event_id IN (p.run_id, p.live_run)));
	DELETE FROM databuild.base_publication b WHERE b.event_id = ANY (gone);
	DELETE FROM databuild.publication b WHERE b.event_id = ANY (gone);

	-- marks of taints on what is not the newest, and taints that mark nothing or were canceled; not what was canceled since
	WITH x AS (DELETE FROM databuild.base_taint_part x USING (
			SELECT x.taint_id, x.part FROM (SELECT DISTINCT u.part FROM databuild.event e CROSS JOIN LATERAL unnest(e.parts) AS u(part)
				WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind NOT IN ('known', 'wanted', 'needed', 'declared', 'makes', 'read', 'missed') OFFSET 0) AS p
			CROSS JOIN LATERAL (SELECT x.taint_id, x.part, x.run FROM databuild.base_taint_part x WHERE x.part = p.part OFFSET 0) AS x
			CROSS JOIN LATERAL (SELECT b.live_run FROM databuild.base b WHERE b.machine = 'p' AND b.id = x.part OFFSET 0) AS b
			WHERE b.live_run <> x.run OFFSET 0) AS o
		WHERE x.part = o.part AND x.taint_id = o.taint_id RETURNING x.taint_id, x.part),
	y AS (DELETE FROM databuild.taint_part y USING x WHERE y.taint_id = x.taint_id AND y.part = x.part RETURNING y.taint_id)
	SELECT array_agg(DISTINCT y.taint_id) INTO taints_ FROM y;
	taints_ := ARRAY(SELECT n.taint_id FROM databuild.taint n JOIN databuild.base b ON b.machine = 't' AND b.id = n.taint_id
		WHERE n.taint_id = ANY (taints_ || ARRAY(SELECT e.taint_id FROM databuild.event e WHERE e.event_id > base_upto AND e.event_id <= next AND e.kind = 'taint_canceled'))
			AND (b.state <> 'A' OR n.state = 'A' AND NOT EXISTS (SELECT FROM databuild.taint_part x WHERE x.taint_id = n.taint_id))
		ORDER BY n.taint_id FOR UPDATE OF n);
	DELETE FROM databuild.base b WHERE b.machine = 't' AND b.id = ANY (taints_);
	DELETE FROM databuild.base_taint_part x WHERE x.taint_id = ANY (taints_);
	DELETE FROM databuild.taint_part x WHERE x.taint_id = ANY (taints_);
	DELETE FROM databuild.taint n WHERE n.taint_id = ANY (taints_);
	RETURN true;
END
$$;
COMMENT ON FUNCTION databuild.prune_step IS
'Internal: folds the next events recorded before that time into the base; false: there are none.';

/*
 * By which number an instance's end may still be asked for is told by the runs
 * under way, and by the transactions that were in flight when they were claimed.
 */
CREATE FUNCTION databuild.prune_instances() RETURNS boolean
	LANGUAGE plpgsql VOLATILE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1
AS $$
DECLARE
	keep_from bigint;
	seen bigint;
BEGIN
	LOCK TABLE databuild.job IN ROW SHARE MODE;
	LOCK TABLE ONLY databuild.event IN ROW EXCLUSIVE MODE;
	SELECT n.upto + 1 INTO keep_from FROM databuild.pruned n FOR UPDATE;
	IF NOT EXISTS (SELECT FROM databuild.base_once_live o WHERE o.event_id < keep_from) THEN
		RETURN false;
	END IF;
	keep_from := least(keep_from, (SELECT min(k.key)
		FROM (SELECT DISTINCT u.run_id FROM databuild.timer n CROSS JOIN LATERAL unnest(n.ids) AS u(run_id) WHERE n.kind = 'L') AS u
		CROSS JOIN LATERAL (SELECT r.run_id FROM databuild.run r WHERE r.run_id = u.run_id AND r.state = 'R' OFFSET 0) AS r
		CROSS JOIN LATERAL (SELECT o.others FROM (SELECT b.others FROM databuild.base b WHERE b.machine = 'r' AND b.id = r.run_id
			UNION ALL (SELECT e.others FROM databuild.event e WHERE e.event_id > r.run_id AND e.kind = 'claimed' AND r.run_id = ANY (e.runs) ORDER BY e.event_id LIMIT 1)) AS o LIMIT 1) AS c
		CROSS JOIN LATERAL (SELECT min(k) AS key FROM unnest(r.run_id || c.others) AS k) AS k));
	WITH o AS (DELETE FROM databuild.base_once_live b USING (SELECT o.event_id, o.part FROM databuild.base_once_live o WHERE o.event_id < keep_from
			ORDER BY o.event_id, o.part LIMIT 20000) AS o
		WHERE b.event_id = o.event_id AND b.part = o.part RETURNING b.event_id, b.part),
	d AS (DELETE FROM databuild.once_live l USING o WHERE l.part = o.part AND l.event_id = o.event_id)
	SELECT count(*) INTO seen FROM o;
	RETURN seen > 0;
END
$$;
COMMENT ON FUNCTION databuild.prune_instances IS
'Internal: a share of what is known of instances that are live no more, and that no run may have read; false: there is none.';

CREATE FUNCTION databuild.prune_told() RETURNS void
	LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'databuild_prune_told';
COMMENT ON FUNCTION databuild.prune_told IS
'Internal: logs up to which event the log was pruned.';

CREATE FUNCTION databuild.prune_part(before timestamptz, OUT done boolean, OUT busy boolean)
	LANGUAGE plpgsql VOLATILE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET lock_timeout = '100ms'
AS $$
DECLARE
	base_upto bigint := (SELECT n.upto FROM databuild.pruned n);
	part text;
	empty text;
	last bigint;
	since timestamptz;
BEGIN
	busy := false;
	done := false;
	FOREACH part IN ARRAY ARRAY['event_1', 'event_2', 'event_3', 'event_4', 'event_5', 'event_6', 'event_7'] LOOP
		EXECUTE format('SELECT max(e.event_id) FROM databuild.%I e', part) INTO last;
		IF last IS NULL THEN
			empty := part;
		ELSIF last <= base_upto THEN
			BEGIN
				EXECUTE format('LOCK TABLE databuild.%I IN ACCESS EXCLUSIVE MODE', part);
				IF EXISTS (SELECT FROM pg_stat_activity a, databuild.pruned n WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
					AND age(a.backend_xmin) >= age(n.xmin))
				THEN
					RAISE lock_not_available;		-- lets go of the table
				END IF;
				EXECUTE format('ALTER TABLE databuild.%I DISABLE TRIGGER event_append_only_truncate', part);
				EXECUTE format('TRUNCATE databuild.%I', part);
				EXECUTE format('ALTER TABLE databuild.%I ENABLE ALWAYS TRIGGER event_append_only_truncate', part);
				RETURN;
			EXCEPTION WHEN lock_not_available THEN
				busy := true;
			END;
		END IF;
	END LOOP;

	-- the one that is written: its oldest event, when it reaches back more than a sixth of what is to stay, or is folded wholly
	SELECT e.recorded_at INTO since FROM databuild.event_0 e ORDER BY e.event_id LIMIT 1;
	SELECT max(e.event_id) INTO last FROM databuild.event_0 e;
	IF empty IS NOT NULL AND (last <= base_upto OR CASE WHEN isfinite(before) THEN (databuild.clock() - since) * 6 >= databuild.clock() - before
			ELSE since < before END) THEN
		BEGIN
			LOCK TABLE databuild.job IN EXCLUSIVE MODE;
			LOCK TABLE databuild.event_0 IN ACCESS EXCLUSIVE MODE;
			EXECUTE format('LOCK TABLE databuild.%I IN ACCESS EXCLUSIVE MODE', empty);
			ALTER TABLE databuild.event_0 RENAME TO event_;
			EXECUTE format('ALTER TABLE databuild.%I RENAME TO event_0', empty);
			EXECUTE format('ALTER TABLE databuild.event_ RENAME TO %I', empty);
			RETURN;
		EXCEPTION WHEN lock_not_available THEN
			busy := true;
		END;
	END IF;
	done := NOT busy;
END
$$;
COMMENT ON FUNCTION databuild.prune_part IS
'Internal: empties a part of the log that is folded wholly, or begins a new one when it is time. done: nothing is left to do; busy: somebody was in the way.';

CREATE PROCEDURE databuild.prune(before timestamptz)
	LANGUAGE plpgsql
AS $$
DECLARE
	done boolean;
	busy boolean;
BEGIN
	WHILE databuild.prune_step(before) LOOP
		COMMIT;
	END LOOP;
	COMMIT;
	WHILE databuild.prune_instances() LOOP
		COMMIT;
	END LOOP;
	COMMIT;
	FOR n IN 1 .. 10 LOOP
		LOOP
			SELECT p.done, p.busy INTO done, busy FROM databuild.prune_part(before) AS p;
			COMMIT;
			EXIT WHEN done OR busy;
		END LOOP;
		EXIT WHEN done;
		PERFORM pg_catalog.pg_sleep(0.4);
	END LOOP;
	PERFORM databuild.prune_told();
	IF NOT done THEN
		RAISE NOTICE USING MESSAGE = 'a part of the log could not be emptied or changed yet',
			DETAIL = 'Somebody reads the log, or has a snapshot from before it was pruned.', HINT = 'The next CALL databuild.prune() will do it.';
	END IF;
END
$$;
COMMENT ON PROCEDURE databuild.prune IS
'Forgets how what was so before that time came about: folds the events recorded before it, in steps that commit, into what the log begins with; state, verify() and replay() stay as they are.
With them goes the history that ended then: wants, canceled taints, runs and publications that are the newest instance of no ref. What a live ref was made of, by its run''s reads, stays; lineage() says where it goes no further.
Space is given back when a whole part of the log is old: calls of prune() begin a new part when the present one reaches back a sixth of what is to stay; the log has up to eight.
Calls go on meanwhile, and wait one or two tenths of a second at most at a time; definitions and replay() wait for a step. Not for use inside a transaction. Repeat it if it is interrupted: nothing is half done.
Raises 22023, 25001 (default_transaction_isolation is not read committed), 2D000 (inside a transaction).';
