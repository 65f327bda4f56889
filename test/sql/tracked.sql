-- Rows would change, and what is built from them would never learn of it; or a rolled back change would count.
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

SELECT databuild.define_source('noaa', ARRAY['noaa/.*']);
SELECT databuild.define_job('report', ARRAY['report/(.*)'], inputs => ARRAY['noaa/\1']);
DROP SCHEMA IF EXISTS regress_tracked CASCADE;
CREATE SCHEMA regress_tracked;
SET search_path = regress_tracked, public;
CREATE TABLE noaa (month text, day int, rain real);
SELECT databuild.track('noaa', 'noaa/{month}');
SELECT tbl, ref_template, taint_downstream FROM databuild.tracked;
SELECT databuild.want(ARRAY['report/2012-03', 'report/2012-04']) > 0;
SELECT ref, state FROM databuild.partitions ORDER BY 1;
UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);

-- many rows, two months: one event, and what waits for one of them goes on
INSERT INTO noaa SELECT '2012-0' || 3 + d % 2 * 2, d, 0 FROM generate_series(1, 1000) AS d;
SELECT * FROM pg_temp.told();
SELECT ref, state FROM databuild.partitions ORDER BY 1;
-- live already: a new instance
INSERT INTO noaa VALUES ('2012-03', 1, 0), ('2012-03', 2, 0);
SELECT * FROM pg_temp.told();
SELECT count(*), max(run_id) = (SELECT live_run_id FROM databuild.partitions WHERE ref = 'noaa/2012-03') FROM databuild.instances WHERE ref = 'noaa/2012-03';
-- rows that move: the refs that they leave, and those that they come to
UPDATE noaa SET month = '2012-04' WHERE month = '2012-05';
SELECT * FROM pg_temp.told();
-- of any column
UPDATE noaa SET rain = 1 WHERE month = '2012-04';
DELETE FROM noaa WHERE month = '2012-04' AND day < 10;
SELECT * FROM pg_temp.told();
COPY noaa FROM stdin;
2012-06	1	0
2012-06	2	0
2012-07	1	0
\.
SELECT * FROM pg_temp.told();
-- what changes no row, or names nothing, is no event
UPDATE noaa SET rain = 2 WHERE month = 'none';
DELETE FROM noaa WHERE false;
INSERT INTO noaa SELECT 'none', 1 WHERE false;
INSERT INTO noaa VALUES (NULL, 1, 0);
UPDATE noaa SET rain = 1 WHERE month IS NULL;
SELECT count(*) FROM pg_temp.told();
-- rows of which some have no month
UPDATE noaa SET month = '2012-08' WHERE month IS NULL;
SELECT * FROM pg_temp.told();
-- a statement that does several things is an event each
CREATE UNIQUE INDEX noaa_day ON noaa (month, day) WHERE month >= '2012-06';
INSERT INTO noaa VALUES ('2012-06', 1, 3), ('2012-09', 1, 3) ON CONFLICT (month, day) WHERE month >= '2012-06' DO UPDATE SET rain = 3;
SELECT * FROM pg_temp.told();
INSERT INTO noaa VALUES ('2012-06', 1, 4) ON CONFLICT (month, day) WHERE month >= '2012-06' DO NOTHING;
SELECT count(*) FROM pg_temp.told();
MERGE INTO noaa USING (VALUES ('2012-06', 1), ('2012-07', 1), ('2012-10', 1)) AS n(month, day) ON noaa.month = n.month AND noaa.day = n.day
	WHEN MATCHED AND n.month = '2012-06' THEN DELETE
	WHEN MATCHED THEN UPDATE SET rain = 5
	WHEN NOT MATCHED THEN INSERT VALUES (n.month, n.day, 5);
SELECT * FROM pg_temp.told();
WITH gone AS (DELETE FROM noaa WHERE month = '2012-10' RETURNING *) INSERT INTO noaa SELECT '2012-11', day FROM gone;
SELECT * FROM pg_temp.told();
DROP INDEX noaa_day;
-- prepared, and with a cursor
PREPARE one (text) AS INSERT INTO noaa VALUES ($1, 100, 0);
EXECUTE one('2013-01');
EXECUTE one('2013-02');
EXECUTE one('2013-02');
EXECUTE one('2013-01');
EXECUTE one('2013-02');
EXECUTE one('2013-01');
EXECUTE one('2013-01');
SELECT * FROM pg_temp.told();
DO $$
DECLARE
	c CURSOR FOR SELECT * FROM noaa WHERE month = '2013-01' FOR UPDATE;
BEGIN
	FOR r IN c LOOP
		UPDATE noaa SET rain = 1 WHERE CURRENT OF c;
	END LOOP;
END $$;
SELECT kind, count FROM (SELECT told AS kind, count(*) FROM pg_temp.told() GROUP BY 1) AS t;

-- rolled back, all of it or to a savepoint, it never was
BEGIN;
INSERT INTO noaa VALUES ('rolled', 1, 0);
ROLLBACK;
BEGIN;
INSERT INTO noaa VALUES ('first', 1, 0);
SAVEPOINT s;
INSERT INTO noaa VALUES ('rolled', 2, 0), ('first', 1, 0);
ROLLBACK TO s;
SAVEPOINT s;
INSERT INTO noaa VALUES ('third', 1, 0);
RELEASE s;
DO $$ BEGIN
	INSERT INTO noaa VALUES ('rolled', 3, 0);
	PERFORM 1 / 0;
EXCEPTION WHEN division_by_zero THEN
	INSERT INTO noaa VALUES ('caught', 3, 0);
END $$;
SELECT * FROM pg_temp.told();
COMMIT;
SELECT ref FROM databuild.partitions WHERE ref IN ('noaa/rolled', 'noaa/first', 'noaa/third', 'noaa/caught') ORDER BY 1;
SELECT * FROM pg_temp.told();

-- TRUNCATE publishes what the rows named
DELETE FROM noaa WHERE month > '2012-09';
SELECT count(*) FROM pg_temp.told();
TRUNCATE noaa;
SELECT * FROM pg_temp.told();
TRUNCATE noaa;
SELECT count(*) FROM pg_temp.told();
-- no longer tracked: nothing
SELECT databuild.untrack('noaa');
INSERT INTO noaa VALUES ('2012-03', 1, 0);
TRUNCATE noaa;
SELECT count(*) FROM pg_temp.told();
SELECT count(*) FROM databuild.tracked;

-- several columns, braces, none at all; tracked again, a table has the new template only
CREATE TABLE station (city text, "Year" int, note text);
SELECT databuild.track('station', 'old/{note}');
SELECT databuild.track('station', '{{{city}}}/{Year}/{city}.csv');
SELECT ref_template FROM databuild.tracked;
INSERT INTO station VALUES ('Seattle', 2012, 'x'), ('Oslo {}', 2013, NULL), (NULL, 2013, 'y'), ('Oslo', NULL, 'z');
SELECT * FROM pg_temp.told();
SELECT databuild.track('station', 'stations');
SELECT ref_template FROM databuild.tracked;
UPDATE station SET note = 'w';
TRUNCATE station;
INSERT INTO station VALUES (NULL, NULL, NULL);
SELECT * FROM pg_temp.told();
DROP SCHEMA regress_tracked CASCADE;
SELECT count(*) FROM databuild.tracked;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
