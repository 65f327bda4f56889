-- A follower would not learn that something is live, or of which instance, or would go on with what is not any more.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS databuild;
CREATE EXTENSION databuild;
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE TABLE leader (ref text COLLATE "C" PRIMARY KEY, instance bigint NOT NULL, live boolean NOT NULL, reason text, changed_at timestamptz NOT NULL);
CREATE TABLE follower (LIKE leader INCLUDING ALL);
-- what the table says, unless that is not what the partitions are
CREATE FUNCTION pg_temp.fed() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT f.ref || CASE WHEN f.live THEN '' ELSE ' is not live: ' || coalesce(f.reason, '-') END
		|| CASE WHEN f.live AND f.instance IS DISTINCT FROM p.live_run_id THEN ', of another instance' ELSE '' END
		|| CASE WHEN f.live <> (p.state = 'live') THEN ', but ' || p.state ELSE '' END
	FROM leader f LEFT JOIN databuild.partitions p USING (ref) ORDER BY 1
$$;
-- refused
\set VERBOSITY terse
SELECT databuild.feed('leader', NULL);
SELECT databuild.feed('leader', '{}');
SELECT databuild.feed('leader', ARRAY['a', NULL]);
SELECT databuild.feed('leader', ARRAY['a)|(b']);
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_databuild_feeder;
CREATE ROLE regress_databuild_feeder;
SET client_min_messages = warning;
ALTER TABLE leader OWNER TO regress_databuild_feeder;
SELECT databuild.feed('leader', ARRAY['a']);
ALTER TABLE leader OWNER TO CURRENT_USER;
DROP ROLE regress_databuild_feeder;
\set VERBOSITY default
-- what is live before, of the refs that match as a whole
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.define_job('d', ARRAY['d/.*'], batch_size => 3, max_attempts => 1);
SELECT databuild.define_job('pair', ARRAY['(p\d+)/[xy]'], outputs => ARRAY['\1/x', '\1/y']);
SELECT databuild.publish(ARRAY['s/1', 's/2', 's/10']);
SELECT databuild.feed('leader', ARRAY['s/1|s/3', 'd/.*', 'p.*']);
SELECT * FROM pg_temp.fed();
-- published; made by runs of several refs each, and of several outputs; not all of them
SELECT databuild.publish(ARRAY['s/1', 's/2', 's/3']);
SELECT databuild.want(ARRAY['d/1', 'd/2', 'd/3', 'd/4', 'd/5', 'p1/x', 'p2/x']);
SELECT databuild.succeed_many(array_agg(run_id)) FROM databuild.claim('w', ARRAY['d'], max_runs => 5);
SELECT databuild.succeed(run_id, made => ARRAY['p1/x']) FROM databuild.claim('w', ARRAY['pair']);
SELECT databuild.succeed(run_id) FROM databuild.claim('w', ARRAY['pair']);
SELECT * FROM pg_temp.fed();
-- rolled back
BEGIN;
SELECT databuild.publish(ARRAY['s/1']);
ROLLBACK;
SELECT count(*) FROM pg_temp.fed() AS f WHERE f LIKE '%of another instance%';
-- tainted and taken back, also while it is being made anew; made anew; forgotten
SELECT databuild.taint(ARRAY['d/1', 'd/2', 's/3'], 'wrong units') AS taint_id \gset
SELECT * FROM pg_temp.fed() WHERE fed LIKE '%not live%';
SELECT run_id FROM databuild.claim('w', ARRAY['d']) \gset
SELECT databuild.cancel_taint(:taint_id);
SELECT * FROM pg_temp.fed() WHERE fed LIKE '%not live%';
SELECT databuild.fail(:run_id, 'no');
SELECT * FROM pg_temp.fed() WHERE fed LIKE '%not live%';
SELECT databuild.remake(ARRAY['d/4'], 'better');
SELECT databuild.succeed(run_id) FROM databuild.claim('w', ARRAY['d']);
SELECT databuild.forget(ARRAY['s/1'], 'the disk is gone');
SELECT * FROM pg_temp.fed();
-- other patterns: what has been written meanwhile by hand is set right
DELETE FROM leader WHERE ref = 'd/1';
UPDATE leader SET live = true WHERE ref = 's/1';
SELECT databuild.feed('leader', ARRAY['s/.*', 'd/.*']);
SELECT databuild.publish(ARRAY['s/4', 'p9/x']);
SELECT * FROM pg_temp.fed();
-- the follower, whom replication would reach as this does; twice is once
CREATE TRIGGER follow AFTER INSERT OR UPDATE ON follower FOR EACH ROW EXECUTE FUNCTION databuild.follow_row();
ALTER TABLE follower ENABLE ALWAYS TRIGGER follow;
CREATE FUNCTION pg_temp.told(ref text, instance bigint, live boolean, reason text = NULL) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	upto bigint := (SELECT max(event_id) FROM databuild.events);
BEGIN
	INSERT INTO follower AS f VALUES ($1, $2, $3, $4, now()) ON CONFLICT ON CONSTRAINT follower_pkey DO UPDATE SET instance = $2, live = $3, reason = $4;
	RETURN QUERY SELECT kind || ' ' || coalesce(array_to_string(refs, ','), '') || ' ' || coalesce(body ->> 'reason', body ->> 'metadata', '')
		FROM databuild.events WHERE event_id > upto AND kind <> 'known' ORDER BY event_id;
END $$;
SET session_replication_role = replica;
SELECT pg_temp.told('f/1', 7, false, 'never there');
SELECT pg_temp.told('f/1', 8, true);
SELECT pg_temp.told('f/1', 8, true);
SELECT pg_temp.told('f/1', 8, false, 'bad');
SELECT pg_temp.told('f/1', 8, false, 'bad');
SELECT pg_temp.told('f/1', 8, true);
SELECT pg_temp.told('f/1', 8, true);
SELECT pg_temp.told('f/1', 9, true);
TRUNCATE follower;
SELECT pg_temp.told('f/1', 9, true);
SELECT pg_temp.told('f/1', 12, false, 'bad');
SELECT pg_temp.told('f/1', 12, true);
RESET session_replication_role;
-- by hand here: not the leader's to taint
SELECT databuild.publish(ARRAY['f/1']);
SELECT pg_temp.told('f/1', 12, false, 'bad');
SELECT pg_temp.told('f/1', 13, true);
-- without the table nothing is fed, and all goes on
DROP TABLE leader;
SELECT databuild.publish(ARRAY['s/1']);
SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'databuild_feed%';
SELECT * FROM databuild.verify();
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
SELECT * FROM databuild.check_invariants();
DROP TABLE follower;
