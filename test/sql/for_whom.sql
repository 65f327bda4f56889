-- The log would not say who made a call: the session user and the role in whose name it was.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS databuild;
DROP SCHEMA IF EXISTS regress_whom CASCADE;
DROP ROLE IF EXISTS regress_login, "regress role", regress_writer;
CREATE EXTENSION databuild;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE SCHEMA regress_whom;
GRANT ALL ON SCHEMA regress_whom TO PUBLIC;
CREATE ROLE regress_login;
CREATE ROLE "regress role";
CREATE ROLE regress_writer;
GRANT USAGE ON SCHEMA databuild TO regress_login, "regress role";
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databuild TO regress_login, "regress role";
GRANT "regress role", regress_writer TO regress_login;
-- what the last call logged
CREATE FUNCTION pg_temp.told() RETURNS text LANGUAGE sql SECURITY DEFINER AS
	$$SELECT kind || ': ' || CASE actor WHEN session_user THEN 'the session user' ELSE actor END || ', ' || CASE role WHEN session_user THEN 'the session user' ELSE role END FROM databuild.events ORDER BY event_id DESC LIMIT 1$$;
GRANT EXECUTE ON FUNCTION pg_temp.told TO PUBLIC;

SELECT databuild.define_job('j', ARRAY['[a-z]+'], backoff => '0');
SELECT pg_temp.told();
-- every kind of writing call
SET ROLE "regress role";
SELECT databuild.define_job('k', ARRAY['k/.*']), pg_temp.told();
SELECT databuild.define_source('s', ARRAY['s/.*']), pg_temp.told();
SELECT databuild.pause_job('k'), pg_temp.told();
SELECT databuild.resume_job('k'), pg_temp.told();
SELECT databuild.drop_job('k'), pg_temp.told();
SELECT databuild.want(ARRAY['a', 'b', 'c', 'd', 'e']) AS want, pg_temp.told() \gset
SELECT :'told';
SELECT run_id AS run, pg_temp.told() FROM databuild.claim('w') \gset
SELECT :'told';
SELECT databuild.succeed(:run), pg_temp.told();
SELECT run_id AS run FROM databuild.claim('w') \gset
SELECT databuild.succeed_many(ARRAY[:run]), pg_temp.told();
SELECT run_id AS run FROM databuild.claim('w') \gset
SELECT databuild.miss(:run, ARRAY['s/1']), pg_temp.told();
SELECT run_id AS run FROM databuild.claim('w') \gset
SELECT databuild.fail(:run, 'x', false), pg_temp.told();
SELECT databuild.retry(ARRAY['d']), pg_temp.told();
SELECT run_id AS run FROM databuild.claim('w') \gset
SELECT databuild.cancel_run(:run), pg_temp.told();
SELECT databuild.retry_want(:want), pg_temp.told();
SELECT run_id AS run FROM databuild.claim('w') \gset
SELECT run_id AS next, pg_temp.told() FROM databuild.finish_and_claim(ARRAY[:run], 'w') \gset
SELECT :'told';
SELECT databuild.publish(ARRAY['s/1']), pg_temp.told();
SELECT databuild.taint(ARRAY['s/1'], 'x') AS taint \gset
SELECT databuild.cancel_taint(:taint), pg_temp.told();
SELECT databuild.forget(ARRAY['s/1'], 'x'), pg_temp.told();
SELECT databuild.remake(ARRAY['a']) > 0, pg_temp.told();
SELECT databuild.cancel_want(:want), pg_temp.told();
SELECT state, current_user FROM databuild.heartbeat(ARRAY[:run]);
SELECT lost_runs, current_user FROM databuild.tick();
SELECT count(*), current_user FROM databuild.claim('w', max_runs => 10);
SELECT current_user;
RESET ROLE;
-- also what followed from it
SELECT DISTINCT actor = session_user, role FROM databuild.events WHERE kind NOT LIKE 'job\_%' ORDER BY 2;
-- who writes a tracked table
CREATE TABLE regress_whom.t (ref text);
GRANT INSERT ON regress_whom.t TO regress_writer;
SELECT databuild.track('regress_whom.t', 's/{ref}');
SET ROLE regress_writer;
INSERT INTO regress_whom.t VALUES ('2');
SELECT pg_temp.told();
RESET ROLE;

-- a login, what it turns into, and a function that acts as its owner
SET SESSION AUTHORIZATION regress_login;
SELECT databuild.want(ARRAY['x']) > 0;
RESET SESSION AUTHORIZATION;
SELECT pg_temp.told();
SET SESSION AUTHORIZATION regress_login;
SET ROLE "regress role";
SELECT databuild.want(ARRAY['x']) > 0;
CREATE FUNCTION regress_whom.want(ref text) RETURNS boolean LANGUAGE sql SECURITY DEFINER AS 'SELECT databuild.want(ARRAY[ref]) > 0';
RESET SESSION AUTHORIZATION;
SELECT pg_temp.told();
SELECT regress_whom.want('x');
SELECT pg_temp.told();
SELECT kind, role FROM databuild.read_events((SELECT max(event_id) - 1 FROM databuild.events));

-- the caller is the caller again after a call, and after one that raises
SET ROLE "regress role";
SELECT databuild.want(ARRAY['x']) > 0, current_user;
DO $$
BEGIN
	PERFORM databuild.want(ARRAY['no job']);
EXCEPTION WHEN undefined_object THEN
	IF current_user <> 'regress role' THEN
		RAISE 'now it is %', current_user;
	END IF;
END $$;
SELECT databuild.succeed(0);
SELECT current_user;
-- and has no more rights meanwhile than before
SELECT count(*) FROM databuild.event;
RESET ROLE;
-- no writing call turns into the owner before it has begun
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	WHERE pronamespace = 'databuild'::regnamespace AND lanname = 'c' AND provolatile = 'v' AND prosecdef AND proname <> 'read_events';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
DROP SCHEMA regress_whom CASCADE;
DROP OWNED BY regress_login, "regress role", regress_writer;
DROP ROLE regress_login, "regress role", regress_writer;
