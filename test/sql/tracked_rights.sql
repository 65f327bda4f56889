-- Who may write a table could not, or could do as databuild's owner what he may not; or a ref would depend on whose session wrote it.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
-- what was logged since the last time, but for refs that became known
DROP FUNCTION pg_temp.told;
CREATE FUNCTION pg_temp.told() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	upto_ bigint := (SELECT upto FROM seen);
BEGIN
	RETURN QUERY SELECT kind || coalesce(' ' || array_to_string(refs, ','), '') || coalesce(' ' || (body -> 'metadata' ->> 'operation') || ' ' || (body -> 'metadata' ->> 'table'), '')
		FROM databuild.events WHERE event_id > upto_ AND kind <> 'known' ORDER BY event_id;
	UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
END $$;
-- how a statement is refused: SQLSTATE, message, detail, hint
DROP FUNCTION pg_temp.refused;
CREATE FUNCTION pg_temp.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text;
BEGIN
	EXECUTE statement;
	RETURN 'NOT REFUSED: ' || statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN state || ' ' || message || CASE detail WHEN '' THEN '' ELSE ' / ' || detail END || CASE hint WHEN '' THEN '' ELSE ' / ' || hint END;
END $$;
SET client_min_messages = error;
DROP SCHEMA IF EXISTS regress_rights CASCADE;
DROP ROLE IF EXISTS regress_databuild_owner, regress_databuild_trigger, regress_databuild_writer, regress_databuild_nobody;
CREATE ROLE regress_databuild_owner;
CREATE ROLE regress_databuild_trigger;
CREATE ROLE regress_databuild_writer;
CREATE SCHEMA regress_rights;
GRANT ALL ON SCHEMA regress_rights TO PUBLIC;
GRANT EXECUTE ON FUNCTION pg_temp.told(), pg_temp.refused(text) TO PUBLIC;
GRANT ALL ON seen TO PUBLIC;
CREATE FUNCTION pg_temp.published() RETURNS text LANGUAGE sql SECURITY DEFINER AS
	$$SELECT array_to_string(refs, ',') FROM databuild.events WHERE kind = 'published' ORDER BY event_id DESC LIMIT 1$$;

SET ROLE regress_databuild_owner;
CREATE TABLE regress_rights.t (ref text, n int);
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON regress_rights.t TO regress_databuild_writer;
GRANT TRIGGER ON regress_rights.t TO regress_databuild_trigger;
-- nothing is PUBLIC's
SELECT pg_temp.refused('SELECT databuild.track(''regress_rights.t'', ''{ref}'')');
SELECT pg_temp.refused('CREATE TRIGGER a AFTER INSERT ON regress_rights.t REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION databuild.record_change(''x'', ''false'')');
RESET ROLE;
GRANT USAGE ON SCHEMA databuild TO regress_databuild_owner, regress_databuild_trigger;
GRANT EXECUTE ON FUNCTION databuild.track, databuild.untrack TO regress_databuild_owner, regress_databuild_trigger;
SET ROLE regress_databuild_owner;
SELECT pg_temp.refused('SELECT databuild.track(''regress_rights.t'', ''{ref}'')');
RESET ROLE;
GRANT EXECUTE ON FUNCTION databuild.record_change TO regress_databuild_owner, regress_databuild_trigger;
GRANT SELECT ON databuild.tracked TO regress_databuild_trigger;
-- the owner, and who may create triggers; to untrack, PostgreSQL wants the owner
SET ROLE regress_databuild_owner;
SELECT databuild.track('regress_rights.t', 'first/{ref}');
SET ROLE regress_databuild_trigger;
SELECT databuild.track('regress_rights.t', 'second/{ref}');
SELECT tbl, ref_template FROM databuild.tracked;
SELECT pg_temp.refused('SELECT databuild.untrack(''regress_rights.t'')');
-- a table on which the caller has no right
RESET ROLE;
CREATE TABLE regress_rights.his (ref text);
SET ROLE regress_databuild_owner;
SELECT pg_temp.refused('SELECT databuild.track(''regress_rights.his'', ''{ref}'')');
SELECT pg_temp.refused('SELECT databuild.untrack(''regress_rights.his'')');
SELECT pg_temp.refused('SELECT databuild.track(''databuild.event'', ''{kind}'')');
SELECT pg_temp.refused('SELECT databuild.publish(ARRAY[''x''])');

-- who writes needs no right on databuild, and gets none
SET ROLE regress_databuild_writer;
SELECT has_schema_privilege('databuild', 'USAGE');
INSERT INTO regress_rights.t VALUES ('a', 1);
UPDATE regress_rights.t SET n = 2;
SELECT current_user;
DO $$ BEGIN
	INSERT INTO regress_rights.t VALUES (E'bad\n', 2);
EXCEPTION WHEN OTHERS THEN
	RAISE EXCEPTION '% after %', current_user, SQLSTATE;
END $$;
SELECT current_user;
SELECT pg_temp.refused('SELECT * FROM databuild.partition');
SELECT pg_temp.published();
RESET ROLE;
-- the log names who it was
SET SESSION AUTHORIZATION regress_databuild_writer;
DELETE FROM regress_rights.t;
RESET SESSION AUTHORIZATION;
SELECT actor = session_user, kind, refs, body -> 'metadata' ->> 'operation' FROM databuild.events WHERE kind = 'published' ORDER BY event_id;
-- within a function that runs as somebody else
SET ROLE regress_databuild_writer;
CREATE FUNCTION regress_rights.write() RETURNS name LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO regress_rights.t VALUES ('definer', 1); RETURN current_user; END $$;
RESET ROLE;
SELECT regress_rights.write(), current_user = session_user;
SELECT pg_temp.published();

-- expressions of the owner's on the table are not evaluated by whoever databuild runs as
SET ROLE regress_databuild_owner;
CREATE FUNCTION regress_rights.hostile(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
	IF current_user NOT LIKE 'regress%' THEN RAISE EXCEPTION 'hostile function runs as %', current_user; END IF;
	RETURN $1;
END $$;
CREATE DOMAIN regress_rights.checked AS text CHECK (regress_rights.hostile(1) = 1);
CREATE TABLE regress_rights.trap (ref regress_rights.checked, made int GENERATED ALWAYS AS (regress_rights.hostile(7)) STORED, CHECK (regress_rights.hostile(1) = 1)) PARTITION BY RANGE (ref);
CREATE TABLE regress_rights.trap_1 PARTITION OF regress_rights.trap DEFAULT;
CREATE INDEX ON regress_rights.trap ((made + regress_rights.hostile(1))) WHERE regress_rights.hostile(2) = 2;
ALTER TABLE regress_rights.trap ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON regress_rights.trap USING (regress_rights.hostile(1) = 1);
SELECT databuild.track('regress_rights.trap', 'trap/{ref}/{made}');
INSERT INTO regress_rights.trap VALUES ('x');
UPDATE regress_rights.trap SET ref = 'y';
SELECT pg_temp.published();
TRUNCATE regress_rights.trap;
SELECT pg_temp.published();

-- names that want to be something else
CREATE TABLE regress_rights."x'; DROP TABLE t; --""" ("'); SELECT 1; --""\ ä" text, "%s %I {1" text, "1" text, "a}b" text);
SELECT databuild.track('regress_rights."x''; DROP TABLE t; --"""', E'%s''"\\/{''); SELECT 1; --"\\ ä}/{%s %I {1}/{1}');
INSERT INTO regress_rights."x'; DROP TABLE t; --""" VALUES ('v''"{1}', '{2}', E'c\\$1%s', 'brace');
SELECT pg_temp.published();
-- a brace in a name cannot be said
SELECT pg_temp.refused('SELECT databuild.track(''regress_rights."x''''; DROP TABLE t; --"""'', ''{a}b}'')');
SELECT pg_temp.refused('SELECT databuild.track(''regress_rights."x''''; DROP TABLE t; --"""'', ''{a}}b}'')');
RESET ROLE;
SELECT tbl, ref_template FROM databuild.tracked WHERE tbl::text ~ 'DROP';
SELECT body FROM databuild.events WHERE kind = 'published' ORDER BY event_id DESC LIMIT 1;

-- a search_path on which everything is somebody else's
CREATE TYPE regress_rights.mood AS ENUM ('glad', 'sad "quoted"');
CREATE TYPE regress_rights.pair AS (a int, b text);
CREATE TYPE regress_rights.span AS RANGE (subtype = date);
CREATE DOMAIN regress_rights.word AS regress_rights.mood[];
CREATE FUNCTION regress_rights.lie(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile operator used on text'; END $$;
CREATE FUNCTION regress_rights.lie(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile operator used on bigint'; END $$;
CREATE OPERATOR regress_rights.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_rights.lie);
CREATE OPERATOR regress_rights.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = regress_rights.lie);
CREATE FUNCTION regress_rights.unnest(anyarray) RETURNS SETOF anyelement LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile unnest'; END $$;
CREATE TABLE regress_rights.partition (id bigint);
GRANT INSERT, SELECT ON ALL TABLES IN SCHEMA regress_rights TO regress_databuild_writer;
\c -
SET client_min_messages = error;
CREATE FUNCTION pg_temp.published() RETURNS text LANGUAGE sql SECURITY DEFINER AS
	$$SELECT array_to_string(refs, ',') FROM databuild.events WHERE kind = 'published' ORDER BY event_id DESC LIMIT 1$$;
SET ROLE regress_databuild_writer;
SET search_path = regress_rights, pg_catalog;
INSERT INTO t VALUES ('path', 1);
RESET search_path;
RESET ROLE;
SELECT pg_temp.published();

-- the same value is the same text, whatever the session likes
CREATE TABLE regress_rights.kinds (flag boolean, day date, at timestamptz, local timestamp, span interval, bytes bytea, real float8, number numeric, cost money,
	mood regress_rights.mood, pair regress_rights.pair, days regress_rights.span, list int[], words regress_rights.word, padded char(4), rel regclass, js jsonb, null_ text);
SELECT databuild.track('regress_rights.kinds', (SELECT string_agg('{' || attname || '}', '|' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'regress_rights.kinds'::regclass AND attnum > 0 AND attname <> 'null_'));
PREPARE kinds AS INSERT INTO regress_rights.kinds VALUES (true, '2012-03-01', '2012-03-01 12:00+00', '2012-03-01 12:00', '-1 day 02:03', '\x00ff', 0.1::float8 + 0.2, 1.50, 1::money,
	'sad "quoted"', (1, 'a b'), '[2012-03-01,2012-03-02)', '{1,2}', '{glad,glad}', 'ab', 'regress_rights.t', '{"b": 1, "a": [2]}');
SET timezone = 'UTC';
SET datestyle = 'ISO';
EXECUTE kinds;
SELECT pg_temp.published();
SET timezone = 'Australia/Sydney';
SET datestyle = 'German, DMY';
SET intervalstyle = iso_8601;
SET bytea_output = escape;
SET extra_float_digits = -10;
SET search_path = regress_rights, public;
INSERT INTO regress_rights.kinds TABLE regress_rights.kinds;
SHOW datestyle;
SELECT count(*) FROM databuild.partitions WHERE ref LIKE '%quoted%';
RESET ALL;
-- long values, kept out of line
CREATE TABLE regress_rights.long (ref text, filler text);
ALTER TABLE regress_rights.long ALTER filler SET STORAGE EXTERNAL;
SELECT databuild.track('regress_rights.long', '{ref}');
INSERT INTO regress_rights.long VALUES (repeat('long', 250), repeat('x', 100000));
SELECT length(pg_temp.published());

SET client_min_messages = error;
DROP SCHEMA regress_rights CASCADE;
DROP OWNED BY regress_databuild_owner, regress_databuild_trigger, regress_databuild_writer;
DROP ROLE regress_databuild_owner, regress_databuild_trigger, regress_databuild_writer;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
