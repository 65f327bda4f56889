-- A table that is partitioned, altered, dumped or dropped would publish the wrong refs, or could not be written any more.
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
DROP SCHEMA IF EXISTS regress_tables CASCADE;
CREATE SCHEMA regress_tables;
SET search_path = regress_tables, public;

-- partitioned: columns stand elsewhere in the partitions; one event a statement, however many of them
CREATE TABLE sales (gone int, month text, city text, n int) PARTITION BY LIST (month);
ALTER TABLE sales DROP COLUMN gone;
CREATE TABLE sales_1 PARTITION OF sales FOR VALUES IN ('2012-01');
CREATE TABLE sales_2 (n int, gone int, city text, month text);
ALTER TABLE sales_2 DROP COLUMN gone;
ALTER TABLE sales ATTACH PARTITION sales_2 FOR VALUES IN ('2012-02');
CREATE TABLE sales_3 PARTITION OF sales FOR VALUES IN ('2012-03') PARTITION BY LIST (city);
CREATE TABLE sales_3_oslo (city text, month text, n int);
ALTER TABLE sales_3 ATTACH PARTITION sales_3_oslo DEFAULT;
SELECT databuild.track('sales', 'sales/{month}/{city}');
INSERT INTO sales VALUES ('2012-01', 'Seattle', 1), ('2012-02', 'Seattle', 1), ('2012-03', 'Oslo', 1);
UPDATE sales SET month = '2012-02' WHERE month = '2012-01';
UPDATE sales SET n = 2;
DELETE FROM sales WHERE city = 'Oslo';
COPY sales FROM stdin;
2012-02	Paris	1
2012-03	Paris	1
\.
SELECT * FROM pg_temp.told();
-- what is written to a partition by its own name, the table does not see; tracked itself, it does, once
INSERT INTO sales_2 (month, city, n) VALUES ('2012-02', 'Rome', 1);
SELECT count(*) FROM pg_temp.told();
SELECT databuild.track('sales_2', 'sales/{month}/{city}');
INSERT INTO sales_2 (month, city, n) VALUES ('2012-02', 'Bonn', 1);
INSERT INTO sales VALUES ('2012-02', 'Bonn', 1);
SELECT * FROM pg_temp.told();
SELECT databuild.untrack('sales_2');
TRUNCATE sales;
SELECT * FROM pg_temp.told();
-- inheritance of the old kind
CREATE TABLE parent (ref text, n int);
CREATE TABLE child (more int) INHERITS (parent);
SELECT databuild.track('parent', 'inherited/{ref}');
INSERT INTO parent VALUES ('a', 1);
INSERT INTO child (ref) VALUES ('b');
UPDATE parent SET n = 2;
TRUNCATE parent;
SELECT * FROM pg_temp.told();

-- renamed, of another schema, and with columns dropped before it: the template goes on to mean the same column
CREATE TABLE t (first int, "old name" text, other text, made text GENERATED ALWAYS AS ('<' || other || '>') STORED);
SELECT databuild.track('t', 't/{old name}/{made}');
SELECT tbl, ref_template FROM databuild.tracked WHERE tbl = 't'::regclass;
ALTER TABLE t DROP COLUMN first;
ALTER TABLE t RENAME COLUMN "old name" TO "new {1}";
ALTER TABLE t ADD COLUMN "old name" text DEFAULT 'wrong';
ALTER TABLE t RENAME TO moved;
ALTER TABLE moved SET SCHEMA public;
INSERT INTO moved VALUES ('right', 'x');
SELECT * FROM pg_temp.told();
SELECT tbl, ref_template FROM databuild.tracked WHERE tbl = 'moved'::regclass;
ALTER TABLE moved SET SCHEMA regress_tables;
-- such a column is neither dropped nor of another type by mistake
SELECT pg_temp.refused('ALTER TABLE moved DROP COLUMN "new {1}"');
SELECT pg_temp.refused('ALTER TABLE moved ALTER COLUMN "new {1}" TYPE varchar(10)');
-- dropped all the same: whoever writes is told, until there is another template
ALTER TABLE moved DROP COLUMN "new {1}" CASCADE;
SELECT pg_temp.refused('INSERT INTO moved VALUES (''y'')');
SELECT pg_temp.refused('DELETE FROM moved');
SELECT databuild.track('moved', 't/{other}');
INSERT INTO moved VALUES ('y');
SELECT * FROM pg_temp.told();
ALTER TABLE moved DROP COLUMN other CASCADE;
SELECT databuild.untrack('moved');
INSERT INTO moved VALUES ('y');
SELECT count(*) FROM pg_temp.told();
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'moved'::regclass;

-- dumped and restored: a table whose columns have other numbers now
CREATE TABLE dumped (a text, b text, month text, n int);
ALTER TABLE dumped DROP COLUMN a, DROP COLUMN b;
SELECT databuild.track('dumped', 'dump''ed/{n}\{{{month}}}');
CREATE TABLE restored (month text, n int);
SELECT replace(pg_get_triggerdef(oid), 'regress_tables.dumped', 'regress_tables.restored') FROM pg_trigger WHERE tgrelid = 'dumped'::regclass ORDER BY tgname \gexec
SELECT tbl, ref_template FROM databuild.tracked WHERE tbl = 'restored'::regclass;
DROP TABLE dumped;
INSERT INTO restored VALUES ('right', 7);
TRUNCATE restored;
SELECT * FROM pg_temp.told();
-- and tracked with a new template
SELECT databuild.track('restored', 'anew/{month}');
INSERT INTO restored VALUES ('m', 7);
SELECT * FROM pg_temp.told();

-- triggers of the user's: their names stay theirs, and ours may have others
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TABLE own (ref text);
CREATE TRIGGER databuild_update AFTER UPDATE ON own FOR EACH STATEMENT EXECUTE FUNCTION nothing();
SELECT pg_temp.refused('SELECT databuild.track(''own'', ''{ref}'')');
SELECT tgname, tgfoid::regproc FROM pg_trigger WHERE tgrelid = 'own'::regclass ORDER BY 1;
ALTER TRIGGER databuild_update ON own RENAME TO mine;
SELECT databuild.track('own', 'own/{ref}');
ALTER TRIGGER databuild_insert ON own RENAME TO his;
SELECT databuild.track('own', 'again/{ref}');
SELECT tgname, tgfoid::regproc FROM pg_trigger WHERE tgrelid = 'own'::regclass ORDER BY 1;
INSERT INTO own VALUES ('a');
SELECT * FROM pg_temp.told();
-- switched off, and on again by track()
ALTER TABLE own DISABLE TRIGGER ALL;
INSERT INTO own VALUES ('b');
SELECT count(*) FROM pg_temp.told();
SELECT databuild.track('own', 'again/{ref}');
INSERT INTO own VALUES ('b');
SELECT * FROM pg_temp.told();
SET session_replication_role = replica;
INSERT INTO own VALUES ('c');
RESET session_replication_role;
SELECT count(*) FROM pg_temp.told();

-- nothing dangles
SELECT tbl FROM databuild.tracked ORDER BY tbl::text;
DROP TABLE parent, child, moved, restored;
SELECT tbl, ref_template FROM databuild.tracked ORDER BY tbl::text;
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();
-- the extension goes without CASCADE, with its triggers and nothing else; the tables stay
DROP EXTENSION databuild;
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2;
INSERT INTO own VALUES ('b');
INSERT INTO sales VALUES ('2012-01', 'Seattle', 1);
TRUNCATE sales, own;
CREATE EXTENSION databuild;
SELECT databuild.track('own', 'own/{ref}');
INSERT INTO own VALUES ('b');
SELECT ref, state FROM databuild.partitions;
DROP SCHEMA regress_tables CASCADE;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
