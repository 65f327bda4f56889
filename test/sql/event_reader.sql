-- A follower of the log would miss what happened, see it twice, or not see what it is about.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

CREATE FUNCTION pg_temp.all_ids(step int) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
	last bigint := 0; got bigint[]; ids bigint[] := '{}';
BEGIN
	LOOP
		got := ARRAY(SELECT event_id FROM databuild.read_events(last, step));
		EXIT WHEN got = '{}';
		ids := ids || got;
		last := got[cardinality(got)];
	END LOOP;
	RETURN ids;
END $$;
SELECT count(*) FROM databuild.read_events();
SELECT databuild.define_job('j', ARRAY['[a-z]+'], config => '{"c": 1}');
SELECT databuild.want(ARRAY['a', 'b', 'c'], 4, comment => 'hello', source => 'test') > 0;
SELECT count(*) FROM pg_temp.claim(n => 3);
SELECT databuild.succeed_many(ARRAY[pg_temp.run('a'), pg_temp.run('b')]);
SELECT databuild.miss(pg_temp.run('c'), ARRAY['d'], metadata => '{"m": 2}');
SELECT databuild.taint(ARRAY['a'], 'bad') > 0;
SELECT databuild.cancel_taint(max(taint_id), 'good') FROM databuild.taints;
-- as the view shows them, in the order of their numbers
SELECT count(*) > 10, bool_and(event_id > before) FROM (SELECT event_id, lag(event_id, 1, 0::bigint) OVER () AS before FROM databuild.read_events()) AS e;
(SELECT * FROM databuild.read_events() EXCEPT TABLE databuild.events) UNION ALL (TABLE databuild.events EXCEPT SELECT * FROM databuild.read_events());
SELECT kind, run_id IS NOT NULL AS run, want_id IS NOT NULL AS want, taint_id IS NOT NULL AS taint, job, refs,
	CASE WHEN body ? 'runs' THEN jsonb_build_object('runs', jsonb_array_length(body -> 'runs')) || body - 'runs' - 'definition' ELSE body - 'definition' END FROM databuild.read_events() ORDER BY event_id;
SELECT actor = session_user, count(*) > 0 FROM databuild.read_events() GROUP BY 1;
-- each once, by whatever steps
SELECT pg_temp.all_ids(1) = ARRAY(SELECT event_id FROM databuild.events ORDER BY 1), pg_temp.all_ids(2) = pg_temp.all_ids(1), pg_temp.all_ids(1000) = pg_temp.all_ids(1);
SELECT count(*) FROM databuild.read_events(max => 3);
SELECT count(*) FROM databuild.read_events((SELECT max(event_id) FROM databuild.events));
SELECT count(*) FROM databuild.read_events(9223372036854775807);
SELECT count(*) = (SELECT count(*) FROM databuild.events) FROM databuild.read_events(-1);
-- as of the numbers behind it, not of those that the sequence gave to others
SELECT max(event_id) AS last FROM databuild.read_events() \gset
SELECT databuild.publish(ARRAY['e']);
SELECT kind, refs FROM databuild.read_events(:last) ORDER BY event_id;
-- what it did itself, in the same transaction, it may see or not; not before what it does not see
BEGIN;
SELECT databuild.publish(ARRAY['f']);
SELECT count(*) IN (0, 2) FROM databuild.read_events((SELECT max(event_id) FROM databuild.events WHERE refs = ARRAY['e']));
ROLLBACK;
-- whatever the isolation level
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) = (SELECT count(*) FROM databuild.events) FROM databuild.read_events();
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT count(*) = (SELECT count(*) FROM databuild.events) FROM databuild.read_events();
COMMIT;
-- a dropped job's events are there still
SELECT databuild.define_job('k', ARRAY['k/.*']);
SELECT databuild.drop_job('k');
SELECT kind, body -> 'definition' ->> 'label' FROM databuild.read_events(:last) WHERE kind LIKE 'job%' ORDER BY event_id;
SELECT pg_temp.refused($$SELECT * FROM databuild.read_events(NULL)$$);
SELECT pg_temp.refused($$SELECT * FROM databuild.read_events(0, NULL)$$);
SELECT pg_temp.refused($$SELECT * FROM databuild.read_events(0, 0)$$);
SELECT pg_temp.refused($$SELECT * FROM databuild.read_events(0, -1)$$);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
