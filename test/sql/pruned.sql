-- When the past is let go, the present would change, or somebody would not be told what is not known any more.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS databuild;
CREATE EXTENSION databuild;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\pset format unaligned
\pset tuples_only on
\pset null -
-- how a call is refused: SQLSTATE, message, hint; numbers masked
CREATE FUNCTION pg_temp.refused(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; hint text;
BEGIN
	EXECUTE call;
	RETURN 'NOT REFUSED: ' || call;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN state || ' ' || regexp_replace(message || CASE hint WHEN '' THEN '' ELSE ' / ' || hint END, '(after|event|run|want|taint) \d+|(read_events)\(\d+', '\1\2 N', 'g');
END $$;
-- claims one ref and makes it
CREATE FUNCTION pg_temp.make(job text, reads text[] = NULL, metadata jsonb = NULL) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT * FROM databuild.claim('w', ARRAY[job]) LOOP
		PERFORM databuild.succeed(r.run_id, NULL, reads, metadata);
		RETURN NEXT array_to_string(r.partitions, ',');
	END LOOP;
END $$;
-- all that must stay as it is: refs, what is wanted and waits, what live refs were made of
CREATE FUNCTION pg_temp.kept() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT 'partition ' || p::text FROM databuild.partitions AS p
	UNION ALL SELECT 'dependency ' || d::text FROM databuild.dependencies AS d
	UNION ALL SELECT 'want ' || w::text || ARRAY(SELECT m.ref FROM databuild.want_partitions AS m WHERE m.want_id = w.want_id ORDER BY 1)::text FROM databuild.wants AS w WHERE ended_at IS NULL
	UNION ALL SELECT 'stale ' || x::text FROM databuild.stale_partitions AS x
	UNION ALL SELECT 'job ' || j::text FROM databuild.jobs AS j
	UNION ALL SELECT 'run ' || r::text FROM databuild.job_runs AS r JOIN databuild.partitions AS p ON r.run_id IN (p.run_id, p.live_run_id)
	UNION ALL SELECT 'read ' || l::text FROM databuild.partitions AS p CROSS JOIN LATERAL databuild.lineage(p.ref, max_depth => 1) AS l
$$;

-- January: sources, retries, a miss, several outputs, a run that makes not all, a taint, a dropped job
SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_source('raw', ARRAY['raw/.*']);
SELECT databuild.define_job('clean', ARRAY['clean/(.*)'], inputs => ARRAY['raw/\1'], max_attempts => 2, backoff => '1 h');
SELECT databuild.define_job('report', ARRAY['report/.*']);
SELECT databuild.define_job('pair', ARRAY['pair/(.)/[ab]'], outputs => ARRAY['pair/\1/a', 'pair/\1/b'], max_attempts => 1);
SELECT databuild.define_job('slow', ARRAY['slow/.*'], lease => '1 year');
SELECT databuild.define_job('old', ARRAY['old/.*'], lease => '40 days');
SELECT databuild.want(ARRAY['clean/1', 'clean/2', 'clean/3'], comment => 'first', key => 'k', sla => '1 h', ttl => '30 days') AS first \gset
SELECT databuild.publish(ARRAY['raw/1', 'raw/2'], '{"by": "hand"}');
SELECT pg_temp.make('clean', metadata => '{"rows": 7}');
SELECT databuild.fail(run_id, 'disk full') FROM databuild.claim('w', ARRAY['clean']);
SELECT databuild.want(ARRAY['report/1']) > 0;
SELECT databuild.miss(run_id, ARRAY['clean/1', 'clean/4'], reads => ARRAY['clean/1']) FROM databuild.claim('w', ARRAY['report']);
SELECT databuild.want(ARRAY['pair/1/a', 'pair/1/b']) > 0;
SELECT databuild.succeed(run_id, made => ARRAY['pair/1/a']) FROM databuild.claim('w', ARRAY['pair']);
SELECT databuild.want(ARRAY['slow/1']) > 0;
SELECT run_id AS slow FROM databuild.claim('slow one', ARRAY['slow']) \gset
SELECT databuild.want(ARRAY['old/1']) AS old \gset
SELECT pg_temp.make('old');
SELECT databuild.cancel_want(:old, 'done with it');
SELECT databuild.forget(ARRAY['old/1'], 'gone');
SELECT databuild.drop_job('old');
SELECT databuild.taint(ARRAY['raw/2'], 'wrong') AS canceled \gset
SELECT databuild.cancel_taint(:canceled);
SELECT databuild.tick() IS NOT NULL;
-- February: what was made is made anew, what was wanted expires
SET databuild.now = '2040-02-05 00:00:00+00';
SELECT databuild.tick() IS NOT NULL;
SELECT databuild.want(ARRAY['clean/1', 'clean/2'], comment => 'second') AS second \gset
SELECT pg_temp.make('clean');
SELECT databuild.publish(ARRAY['raw/1']);
SELECT databuild.remake(ARRAY['clean/1']) > 0;
SELECT pg_temp.make('clean');
SELECT databuild.taint(ARRAY['clean/2'], 'units', downstream => true) AS active \gset
SELECT databuild.cancel_want(:second);
-- March
SET databuild.now = '2040-03-05 00:00:00+00';
SELECT databuild.publish(ARRAY['raw/1', 'raw/4']);
SELECT pg_temp.make('clean');
SELECT databuild.want(ARRAY['clean/9'], priority => 3, comment => 'third') AS third \gset
SELECT count(*) FROM databuild.verify();
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.kept() AS k(line);
CREATE TEMP TABLE then_ AS SELECT * FROM databuild.state_at('2040-02-20');
SELECT count(*) AS told, count(*) AS all_told, max(event_id) FILTER (WHERE recorded_at < '2040-01-15') AS january, max(event_id) FILTER (WHERE recorded_at < '2040-02-15') AS february FROM databuild.events \gset
SELECT event_id, kind, refs FROM databuild.events WHERE event_id > :february ORDER BY 1 LIMIT 1 \gset next_

-- in January nothing happened before January
CALL databuild.prune('2040-01-01');
SELECT count(*) - :told FROM databuild.events;
-- what is older than the middle of January goes, and nothing else
CALL databuild.prune('2040-01-15');
SELECT * FROM databuild.verify();
SELECT * FROM databuild.check_invariants();
(SELECT * FROM pg_temp.kept() EXCEPT ALL TABLE before) UNION ALL (TABLE before EXCEPT ALL SELECT * FROM pg_temp.kept());
SELECT min(event_id) > :january, min(recorded_at), max(kind) FILTER (WHERE kind = 'pruned') FROM databuild.events;
SELECT body ->> 'upto' = :'january', body ->> 'at', actor = session_user FROM databuild.events WHERE kind = 'pruned';
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(SELECT * FROM pg_temp.kept() EXCEPT ALL TABLE before) UNION ALL (TABLE before EXCEPT ALL SELECT * FROM pg_temp.kept());
-- again: nothing is left to do, and nothing is logged
SELECT count(*) AS told FROM databuild.events \gset
CALL databuild.prune('2040-01-15');
SELECT count(*) - :told FROM databuild.events;
CALL databuild.prune('2040-02-15');
SELECT * FROM databuild.verify();
SELECT * FROM databuild.check_invariants();
(SELECT * FROM pg_temp.kept() EXCEPT ALL TABLE before) UNION ALL (TABLE before EXCEPT ALL SELECT * FROM pg_temp.kept());

-- history: what ended, and is the newest of nothing, is gone; what is in force and what made the newest is there
SELECT want_id - :first + 1 AS n, state, comment, key FROM databuild.wants ORDER BY 1;
SELECT job, state, worker, partitions, reason, metadata FROM databuild.job_runs ORDER BY run_id;
SELECT ref, state, at FROM databuild.instances ORDER BY ref, at;
SELECT taint_id = :active, reason FROM databuild.taints;
SELECT depth, output, input, input_run_id IS NULL AS pruned, stale FROM databuild.lineage('clean/1');
SELECT pg_temp.refused('SELECT databuild.cancel_want(' || :first || ')');
SELECT pg_temp.refused('SELECT databuild.cancel_taint(' || :canceled || ')');

-- a follower is told what it has missed; one that has not, goes on
SELECT pg_temp.refused('SELECT * FROM databuild.read_events()');
SELECT pg_temp.refused(format('SELECT * FROM databuild.read_events(%s)', :january));
SELECT event_id = :next_event_id, kind, refs FROM databuild.read_events(:february, 1);
-- the past: as it was, or said to be unknown
SELECT pg_temp.refused($$SELECT * FROM databuild.state_at('2040-01-02')$$);
SELECT pg_temp.refused($$SELECT * FROM databuild.why('clean/1', at => '2040-02-01')$$);
(SELECT * FROM databuild.state_at('2040-02-20') EXCEPT TABLE then_) UNION ALL (TABLE then_ EXCEPT SELECT * FROM databuild.state_at('2040-02-20'));
SELECT depth, partition, reason, detail FROM databuild.why('report/1', at => '2040-02-20');
SELECT databuild.dropped_label(max(job_id)) FROM databuild.base_job;
SET databuild.now = '2040-03-05 00:10:00+00';
SELECT databuild.tick() IS NOT NULL;
SELECT events - :all_told, runs_succeeded FROM databuild.stats;

-- the base is the log's beginning, not the tables: what is changed there is seen, and made good
DELETE FROM databuild.read;
UPDATE databuild.partition SET ref = 'clean/x' WHERE ref = 'clean/1';
UPDATE databuild.run SET worker = 'x' WHERE run_id = :slow;
DELETE FROM databuild.publication;
UPDATE databuild.want SET comment = 'x';
DELETE FROM databuild.input;
SELECT relation, count(*) FROM databuild.verify() GROUP BY 1 ORDER BY 1;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(SELECT * FROM pg_temp.kept() EXCEPT ALL TABLE before) UNION ALL (TABLE before EXCEPT ALL SELECT * FROM pg_temp.kept());

-- work goes on: a run that was claimed in January reports what it read by the instance of then; a taint is canceled; what waited is made
SELECT databuild.succeed(:slow, reads => ARRAY['raw/1', 'clean/1']);
SELECT input, stale FROM databuild.lineage('slow/1') WHERE depth = 1;
SELECT databuild.cancel_taint(:active);
SELECT pg_temp.make('report');
SELECT ref, state FROM databuild.partitions ORDER BY 1;
SELECT databuild.cancel_want(:third);
-- leases and ends of wants whose runs and wants are gone are due, and leave nothing behind
SET databuild.now = '2042-01-01 00:00:00+00';
SELECT databuild.tick() IS NOT NULL, databuild.tick() IS NOT NULL;
SELECT kind, count(*) FROM databuild.timer GROUP BY 1;
SELECT * FROM databuild.verify();
SELECT * FROM databuild.check_invariants();

-- all of it: then the log says only that it was pruned, and its parts are empty
CALL databuild.prune('infinity');
SELECT kind, refs FROM databuild.events;
SELECT count(*) FROM databuild.event;
SELECT count(*) FROM databuild.base_once_live;
-- of what it read there is the instance, and that no more is known of it
SELECT depth, output, run_id IS NOT NULL AS run, input, input_run_id IS NOT NULL AS instance, stale FROM databuild.lineage('clean/1');
SELECT * FROM databuild.verify();
SELECT databuild.replay();
SELECT * FROM databuild.verify();
SELECT ref, state FROM databuild.partitions ORDER BY 1;
SELECT databuild.publish(ARRAY['raw/1']);
SELECT kind, refs FROM databuild.read_events((SELECT min(event_id) FROM databuild.events));

-- the parts: a new one begins when the present one reaches back a sixth of what stays; old ones are emptied; eight at most
SELECT count(*) FROM databuild.claim('w');
CREATE PROCEDURE pg_temp.year() LANGUAGE plpgsql AS $$
BEGIN
	FOR n IN 1 .. 30 LOOP
		PERFORM set_config('databuild.now', (timestamptz '2043-01-01 00:00:00+00' + n * interval '10 days')::text, false);
		PERFORM databuild.publish(ARRAY['raw/1', 'raw/2']);
		COMMIT;
		CALL databuild.prune(databuild.clock() - interval '90 days');
		IF n % 10 = 0 THEN
			RAISE WARNING '% parts, % events on disk, the log begins % before now', (SELECT count(DISTINCT tableoid) FROM databuild.event), (SELECT count(*) FROM databuild.event),
				databuild.clock() - (SELECT min(recorded_at) FROM databuild.events);
		END IF;
	END LOOP;
END $$;
CALL pg_temp.year();
SELECT * FROM databuild.verify();
SELECT count(*) FROM databuild.instances WHERE ref = 'raw/1';

-- what it refuses
\set VERBOSITY sqlstate
CALL databuild.prune(NULL);
BEGIN;
CALL databuild.prune('infinity');
ROLLBACK;
SET default_transaction_isolation = 'repeatable read';
CALL databuild.prune('infinity');
RESET default_transaction_isolation;
\set VERBOSITY default

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
