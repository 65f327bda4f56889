-- What happened could be changed afterwards, and nobody would know.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.want(ARRAY['a', 'b']) > 0;
CREATE TEMP TABLE told AS SELECT * FROM databuild.events;
CREATE TEMP TABLE roles (role text);
INSERT INTO roles VALUES ('origin'), ('replica'), ('local');
CREATE FUNCTION pg_temp.under(role text, call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('session_replication_role', role, true);
	RETURN pg_temp.refused(call);
END $$;
SELECT role, call, pg_temp.under(role, call) FROM roles, unnest(ARRAY['UPDATE databuild.event SET note = $$x$$', 'DELETE FROM databuild.event',
	'TRUNCATE databuild.event', 'INSERT INTO databuild.event SELECT * FROM databuild.event LIMIT 1 ON CONFLICT (event_id) DO UPDATE SET note = $$x$$',
	'MERGE INTO databuild.event e USING (VALUES (1)) AS v(x) ON true WHEN MATCHED THEN DELETE']) WITH ORDINALITY AS c(call, n) ORDER BY role, n;
SET session_replication_role = replica;
DELETE FROM databuild.event;
UPDATE databuild.event SET actor = 'nobody' WHERE kind = 'wanted';
TRUNCATE databuild.event;
RESET session_replication_role;
-- nor through the view
\set VERBOSITY sqlstate
UPDATE databuild.events SET kind = 'x';
DELETE FROM databuild.events;
(TABLE told EXCEPT TABLE databuild.events) UNION ALL (TABLE databuild.events EXCEPT TABLE told);
\set VERBOSITY default
-- it is written to all the same
SELECT databuild.publish(ARRAY['c']);
SELECT count(*) - (SELECT count(*) FROM told) > 0 FROM databuild.events;
-- numbers go up, and nothing is older than what is before it here
SELECT count(*) FROM (SELECT event_id, recorded_at, lag(event_id) OVER w AS id_before, lag(recorded_at) OVER w AS at_before FROM databuild.events WINDOW w AS (ORDER BY event_id)) AS e
	WHERE event_id <= id_before OR recorded_at < at_before;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
