/* ------------------------------------------------------------------------
 * feed.sql: what another database needs to follow this one.
 *
 * The leader keeps a table of its user's: a row for each ref that is or was
 * live, written in the transaction of the event.  Logical replication takes it
 * to the follower, together with the data if that is published along, and
 * there a trigger on the table of the same name publishes and taints.  The log
 * itself cannot be replicated: the follower has one of that name, and its own
 * numbers.  Who does not feed anybody pays nothing: the trigger on the log is
 * made by feed(), and goes with the table.
 * ------------------------------------------------------------------------ */

CREATE FUNCTION databuild.feed_event() RETURNS trigger
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tbl regclass := (SELECT t.tgconstrrelid FROM pg_trigger t WHERE t.tgrelid = TG_RELID AND t.tgname = TG_NAME);
	gone boolean := NEW.kind IN ('tainted', 'forgotten');
	runs bigint[];
	refs text[];
	instances bigint[];
BEGIN
	IF (SELECT count(*) FROM databuild.partition p WHERE p.id = ANY (NEW.parts)) < cardinality(NEW.parts) THEN
		RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'could not serialize access: a partition is newer than the transaction',
			HINT = 'Repeat the transaction.';
	END IF;
	runs := ARRAY(SELECT r.run FROM unnest(NEW.runs, NEW.sizes) WITH ORDINALITY AS r(run, size, k)		-- of each part
		CROSS JOIN generate_series(1, coalesce(r.size, CASE cardinality(NEW.runs) WHEN 1 THEN cardinality(NEW.parts) ELSE 1 END)) ORDER BY r.k);
	SELECT array_agg(p.ref), array_agg(CASE NEW.kind WHEN 'succeeded' THEN runs[o.n] WHEN 'published' THEN NEW.event_id ELSE p.live_run END)
	INTO refs, instances
	FROM unnest(NEW.parts) WITH ORDINALITY AS o(id, n)
	JOIN databuild.partition p ON p.id = o.id AND p.ref ~ ANY (TG_ARGV);
	EXECUTE format('INSERT INTO %s AS f (ref, instance, live, reason, changed_at)
			SELECT u.ref, u.instance, $3, $4, $5 FROM unnest($1, $2) AS u(ref, instance) ORDER BY u.ref
		ON CONFLICT (ref) DO UPDATE SET instance = excluded.instance, live = excluded.live, reason = excluded.reason, changed_at = excluded.changed_at', tbl)
		USING refs, instances, NOT gone, CASE WHEN gone THEN NEW.note END, NEW.recorded_at;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION databuild.feed_event IS
'Internal: the trigger that feed() makes: what the event makes live, or ends, is written to the table.';

CREATE FUNCTION databuild.feed(tbl regclass, patterns text[]) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	whole text[] := ARRAY(SELECT '^(?:' || p || ')$' FROM unnest(patterns) AS p);
	trigger_name name := 'databuild_feed_' || tbl::oid;
	part regclass;		-- of the log
	n bigint;
BEGIN
	IF tbl IS NULL OR patterns IS NULL OR array_ndims(patterns) IS DISTINCT FROM 1 OR EXISTS (SELECT FROM unnest(patterns) AS p WHERE p IS NULL) THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'arguments "tbl" and "patterns" must not be null or empty, or contain nulls';
	END IF;
	PERFORM '' ~ p FROM unnest(patterns) AS p;		-- each alone
	IF (SELECT c.relowner FROM pg_class c WHERE c.oid = tbl) IS DISTINCT FROM (SELECT c.relowner FROM pg_class c WHERE c.oid = 'databuild.event'::regclass) THEN
		RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('table %s is not of databuild''s owner', tbl),
			HINT = 'What is written to it is written as databuild''s owner.';
	END IF;
	PERFORM databuild.shut_gates();
	FOR part IN SELECT i.inhrelid::regclass FROM pg_inherits i WHERE i.inhparent = 'databuild.event'::regclass LOOP
		IF EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = part AND t.tgname = trigger_name) THEN
			EXECUTE format('DROP TRIGGER %I ON %s', trigger_name, part);
		END IF;
		EXECUTE format('CREATE CONSTRAINT TRIGGER %I AFTER INSERT ON %s FROM %s NOT DEFERRABLE FOR EACH ROW
			WHEN (new.kind IN (''succeeded'', ''published'', ''tainted'', ''untainted'', ''kept'', ''forgotten''))
			EXECUTE FUNCTION databuild.feed_event(%s)', trigger_name, part, tbl, (SELECT string_agg(quote_literal(w), ', ') FROM unnest(whole) AS w));
	END LOOP;
	EXECUTE format('INSERT INTO %1$s AS f (ref, instance, live, changed_at)
			SELECT p.ref, p.live_run, true, p.since FROM databuild.partition p WHERE p.state = ''L'' AND p.ref ~ ANY ($1) ORDER BY p.ref
		ON CONFLICT (ref) DO UPDATE SET instance = excluded.instance, live = true, reason = NULL, changed_at = excluded.changed_at
			WHERE NOT f.live OR f.instance <> excluded.instance', tbl) USING whole;
	EXECUTE format('UPDATE %1$s AS f SET live = false, reason = NULL, changed_at = databuild.clock()
		WHERE f.live AND f.ref ~ ANY ($1) AND NOT EXISTS (SELECT FROM databuild.partition p WHERE p.ref = f.ref AND p.state = ''L'')', tbl) USING whole;
	EXECUTE format('SELECT count(*) FROM %s WHERE live', tbl) INTO n;
	RETURN n;
END
$$;
COMMENT ON FUNCTION databuild.feed IS
'From now on the table says which of the refs that one of the patterns matches as a whole are live, and of which instance: for followers, to whom logical replication takes it. Returns how many are. Again: replaces the patterns, and sets right what is not.
tbl: (ref text COLLATE "C" PRIMARY KEY, instance bigint NOT NULL, live boolean NOT NULL, reason text, changed_at timestamptz NOT NULL), of databuild''s owner. A row is written in the transaction of its event. live is false from when the instance is tainted or forgotten (reason says why) until the ref is live again. DROP TABLE ends it.
Needs databuild''s owner. What it sets up is on the log and in no dump: after a restore, call it again. Raises 22023, 2201B (pattern), 42501, 42703, 42809, 42P01, 42P10 (a table that is not so). Waits until no transaction with a writing call is open, letting others pass meanwhile; at work, holds them up until its transaction ends; lock_timeout sets a limit.
A call in a REPEATABLE READ or SERIALIZABLE transaction that is older than a partition which it makes live may get 40001.';

CREATE FUNCTION databuild.follow_row() RETURNS trigger
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	feed text := TG_RELID::regclass;
	here record;			-- the ref's state, and of which instance of the leader's it is, if it is from there
	marks bigint[];
BEGIN
	SELECT p.state, (e.body #>> '{metadata,instance}')::bigint AS instance INTO here
	FROM databuild.partitions p JOIN databuild.events e ON e.event_id = p.live_run_id AND e.kind = 'published' AND e.body #>> '{metadata,feed}' = feed
	WHERE p.ref = NEW.ref;
	IF NEW.live AND here.instance IS DISTINCT FROM NEW.instance THEN
		PERFORM databuild.publish(ARRAY[NEW.ref], jsonb_build_object('feed', feed, 'instance', NEW.instance));
	ELSIF NEW.live THEN
		marks := ARRAY(SELECT t.taint_id FROM databuild.taints t JOIN databuild.taint_partitions o USING (taint_id)
			WHERE o.ref = NEW.ref AND t.state = 'active' AND starts_with(t.reason, feed || ': '));
		PERFORM databuild.cancel_taint(m, feed || ': live again') FROM unnest(marks) AS m;
	ELSIF here.state = 'live' THEN
		PERFORM databuild.taint(ARRAY[NEW.ref], format('%s: %s', feed, coalesce(NEW.reason, 'not live any more')), downstream => coalesce(TG_ARGV[0], 'false')::boolean);
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION databuild.follow_row IS
'The trigger of a table that a feed() of another database fills by logical replication: AFTER INSERT OR UPDATE, FOR EACH ROW, ENABLE ALWAYS. A ref that has gone live there is published here, with feed and instance as metadata; one that is tainted or forgotten there is tainted here; when that was taken back there, so it is here. Rows that come again change nothing. Its argument true: taints of what comes from there also what was made of it here, as taint(..., downstream => true).
Who writes the table, or applies the subscription, needs EXECUTE on publish, taint and cancel_taint, and grant_reader(). Raises what these raise: 55000 while a run here is making the ref, so define it as a source.';
