-- Who may create objects in some schema could make databuild's calls do what he likes, as its owner.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
DROP SCHEMA IF EXISTS regress_hostile CASCADE;
CREATE SCHEMA regress_hostile;
-- operators, functions and tables that are nearer than the real ones, and say so when they are used
CREATE FUNCTION regress_hostile.lie(anyelement, anyelement) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'hostile operator used on %', pg_typeof($1);
END $$;
CREATE FUNCTION regress_hostile.lie(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile operator used on text'; END $$;
CREATE FUNCTION regress_hostile.lie(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile operator used on bigint'; END $$;
CREATE FUNCTION regress_hostile.lie(int, int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile operator used on int'; END $$;
CREATE FUNCTION regress_hostile.lie("char", "char") RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile operator used on char'; END $$;
CREATE FUNCTION regress_hostile.unnest(anyarray) RETURNS SETOF anyelement LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile unnest'; END $$;
CREATE FUNCTION regress_hostile.nextval(text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile nextval'; END $$;
CREATE FUNCTION regress_hostile.count(anyelement) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile count'; END $$;
CREATE FUNCTION regress_hostile.format(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile format'; END $$;
DO $$
DECLARE
	o text; t text;
BEGIN
	FOREACH o IN ARRAY ARRAY['=', '<>', '<', '>', '>=', '<='] LOOP
		FOREACH t IN ARRAY ARRAY['text', 'bigint', 'int', '"char"'] LOOP
			EXECUTE format('CREATE OPERATOR regress_hostile.%s (LEFTARG = %s, RIGHTARG = %2$s, FUNCTION = regress_hostile.lie)', o, t);
		END LOOP;
	END LOOP;
END $$;
CREATE TABLE regress_hostile.partition (id bigint, ref text, state "char");
CREATE TEMP TABLE partition (id bigint, ref text, state "char");
CREATE TEMP TABLE event (event_id bigint, kind text);
-- such a path is hostile indeed
SET search_path = regress_hostile, pg_catalog, public;
SELECT 1 = 1;

-- everything works as ever, from the first call of a session on
SELECT databuild.define_job('j', ARRAY['[a-z]+'], backoff => '0', max_attempts => 2);
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.want(ARRAY['top', 'other', 'third', 'lose']) OPERATOR(pg_catalog.>) 0;
SELECT run_id AS lose FROM databuild.claim('w', lease => '1 microsecond') \gset
SELECT run_id AS other FROM databuild.claim('w') \gset
SELECT run_id AS third FROM databuild.claim('w') \gset
SELECT run_id AS top FROM databuild.claim('w') \gset
SELECT state FROM databuild.heartbeat(ARRAY[:top]);
SELECT databuild.miss(:top, ARRAY['in', 's/a', 'ext/a']);
SELECT databuild.fail(:other, 'x', retry => false);
SELECT databuild.succeed(:third, made => ARRAY['third']);
SELECT expired_wants, cycles FROM databuild.tick();
SELECT databuild.publish(ARRAY['s/a']);
SELECT databuild.succeed_many(ARRAY[:third]);
SELECT depth, partition, state, reason FROM databuild.why('top');
SELECT pg_catalog.left(explain, 30) FROM databuild.explain('top');
SELECT relation, key FROM databuild.verify();
SELECT databuild.replay() OPERATOR(pg_catalog.>) 0;
SELECT relation, key FROM databuild.verify();
SELECT ref, state, job FROM databuild.partitions ORDER BY 1;
SELECT state, total, live FROM databuild.wants ORDER BY want_id;
SELECT ref, upstream FROM databuild.dependencies ORDER BY 1, 2;
SELECT job, state FROM databuild.job_runs ORDER BY run_id;
SELECT ref, state FROM databuild.instances ORDER BY 1, 2;
RESET search_path;
DROP SCHEMA regress_hostile CASCADE;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
