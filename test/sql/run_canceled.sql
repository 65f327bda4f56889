-- A run that was called off would go on for its worker as if nothing were, or its work be tried again at once.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS databuild;
CREATE EXTENSION databuild;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\pset format unaligned
\pset tuples_only on
\pset null -
-- the newest run of a ref
CREATE FUNCTION pg_temp.run(ref text) RETURNS bigint LANGUAGE sql AS
	'SELECT max(run_id) FROM databuild.job_runs WHERE $1 = ANY (partitions)';
-- claims and says what
CREATE FUNCTION pg_temp.claim(jobs text[] = NULL, n int = 1) RETURNS SETOF text LANGUAGE sql AS
	$$SELECT array_to_string(partitions, ',') FROM databuild.claim('w', jobs, n)$$;
CREATE FUNCTION pg_temp.state(ref text) RETURNS text LANGUAGE sql AS
	'SELECT state FROM databuild.partitions p WHERE p.ref = $1';
CREATE FUNCTION pg_temp.states(OUT ref text, OUT state text) RETURNS SETOF record LANGUAGE sql AS
	'SELECT ref, state FROM databuild.partitions ORDER BY ref';
-- the want with that comment
CREATE FUNCTION pg_temp.want(comment text) RETURNS bigint LANGUAGE sql AS
	'SELECT want_id FROM databuild.wants w WHERE w.comment = $1';
-- how a call is refused: SQLSTATE, message, detail, hint; numbers and times masked
CREATE FUNCTION pg_temp.refused(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text;
BEGIN
	EXECUTE call;
	RETURN 'NOT REFUSED: ' || call;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN state || ' ' || regexp_replace(regexp_replace(message || CASE detail WHEN '' THEN '' ELSE ' / ' || detail END || CASE hint WHEN '' THEN '' ELSE ' / ' || hint END,
		'(run|Run|run_id =|want|taint) \d+', '\1 N', 'g'), '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?', 'T', 'g');
END $$;
-- what was logged since the last time
CREATE TEMP TABLE seen AS SELECT coalesce(max(event_id), 0) AS upto FROM databuild.events;
CREATE FUNCTION pg_temp.told() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	upto_ bigint := (SELECT upto FROM seen);
BEGIN
	RETURN QUERY SELECT kind || coalesce(' ' || array_to_string(refs, ','), '') || coalesce(' ' || (body ->> 'reason'), '')
		FROM databuild.events WHERE event_id > upto_ ORDER BY event_id;
	UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
END $$;

SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 2, backoff => '0');
SELECT databuild.want(ARRAY['a', 'b', 'c'], comment => 'abc') > 0;
SELECT pg_temp.claim(n => 3);
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.cancel_run(pg_temp.run('a'), 'wrong input');
SELECT * FROM pg_temp.told();
SELECT ref, state, attempts, retry_at FROM databuild.partitions ORDER BY 1;
SELECT state, reason, finished_at IS NOT NULL, lease_expires_at FROM databuild.job_runs WHERE run_id = pg_temp.run('a');
SELECT state FROM databuild.instances WHERE ref = 'a';
SELECT reason, detail, hint FROM databuild.why('a');
SELECT state FROM databuild.wants;
SELECT pg_temp.claim(n => 10);
-- repeated: nothing; the worker's reports are refused, a heartbeat tells it
SELECT databuild.cancel_run(pg_temp.run('a'), 'once more');
SELECT * FROM pg_temp.told();
SELECT state, lease_expires_at FROM databuild.heartbeat(ARRAY[pg_temp.run('a')]);
SELECT pg_temp.refused(format('SELECT databuild.succeed(%s)', pg_temp.run('a')));
SELECT pg_temp.refused(format('SELECT databuild.fail(%s, ''x'')', pg_temp.run('a')));
SELECT pg_temp.refused(format('SELECT databuild.miss(%s, ARRAY[''x''])', pg_temp.run('a')));
SELECT pg_temp.refused(format('SELECT databuild.succeed_many(ARRAY[%s, %s])', pg_temp.run('b'), pg_temp.run('a')));
SELECT pg_temp.state('b');
-- back to work by retry(), without a reason given
SELECT databuild.retry(ARRAY['a']);
SELECT partitions, attempt FROM databuild.claim('w');
SELECT databuild.cancel_run(pg_temp.run('a'));
SELECT detail FROM databuild.why('a');
-- or by publish()
SELECT databuild.publish(ARRAY['a']);
-- what waits for it
SELECT databuild.miss(pg_temp.run('b'), ARRAY['in']);
SELECT pg_temp.claim();
SELECT databuild.cancel_run(pg_temp.run('in'), 'off');
SELECT * FROM pg_temp.states();
SELECT databuild.retry(ARRAY['in']);
SELECT * FROM pg_temp.states();
-- nobody wants it any more: it falls back
SELECT databuild.cancel_want(pg_temp.want('abc'));
SELECT * FROM pg_temp.states();
SELECT databuild.cancel_run(pg_temp.run('c'));
SELECT * FROM pg_temp.states();
-- one that was live and tainted: failed if wanted, else tainted again
SELECT databuild.remake(ARRAY['a'], 'bad') > 0;
SELECT pg_temp.claim();
SELECT databuild.cancel_run(pg_temp.run('a'), 'off');
SELECT pg_temp.state('a');
SELECT databuild.publish(ARRAY['e']);
SELECT databuild.taint(ARRAY['e'], 'bad') > 0;
SELECT databuild.want(ARRAY['e'], comment => 'e') > 0;
SELECT pg_temp.claim();
SELECT databuild.cancel_want(pg_temp.want('e'));
SELECT databuild.cancel_run(pg_temp.run('e'), 'off');
SELECT pg_temp.state('e');
-- its taint was canceled meanwhile: it has its instance still
SELECT databuild.want(ARRAY['f'], comment => 'f') > 0;
SELECT databuild.publish(ARRAY['f']);
SELECT databuild.taint(ARRAY['f'], 'bad') AS taint \gset
SELECT pg_temp.claim();
SELECT databuild.cancel_taint(:taint);
SELECT pg_temp.state('f');
SELECT databuild.cancel_run(pg_temp.run('f'));
SELECT ref, state, attempts, run_id = live_run_id FROM databuild.partitions WHERE ref = 'f';
SELECT state FROM databuild.instances WHERE ref = 'f' ORDER BY run_id;
-- what ended otherwise
SELECT databuild.want(ARRAY['g', 'h', 'k', 'l']) > 0;
SELECT pg_temp.claim(n => 4);
SELECT databuild.succeed(pg_temp.run('g'));
SELECT databuild.fail(pg_temp.run('h'), 'x', false);
SELECT databuild.miss(pg_temp.run('k'), ARRAY['m']);
SELECT pg_temp.refused(format('SELECT databuild.cancel_run(%s)', pg_temp.run(r))) FROM unnest(ARRAY['g', 'h', 'k']) AS r;
SET databuild.now = '2040-01-01';
SELECT lost_runs FROM databuild.tick();
SELECT pg_temp.refused(format('SELECT databuild.cancel_run(%s)', pg_temp.run('l')));
SELECT pg_temp.refused('SELECT databuild.cancel_run(999999)');
SELECT pg_temp.refused('SELECT databuild.cancel_run(NULL)');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
