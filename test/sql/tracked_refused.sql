-- A mistake in track(), or a row that names no ref, would be swallowed, or said in words that help nobody.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
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
DROP SCHEMA IF EXISTS regress_refused CASCADE;
CREATE SCHEMA regress_refused;
SET search_path = regress_refused, public;
CREATE TABLE t (month text, n int, gone int);
ALTER TABLE t DROP COLUMN gone;

-- arguments
SELECT pg_temp.refused(format('SELECT databuild.track(%L, %L)', tbl, template)) FROM (VALUES (1, 't', NULL), (2, NULL, 'x'), (3, 't', ''),
	(4, 't', 'a/{'), (5, 't', 'a/{month'), (6, 't', 'a/}'), (7, 't', 'a/{}'), (8, 't', 'a/{month}}'), (9, 't', '{{{month}}'), (10, 't', 'a/{month}/{nobody}'), (11, 't', '{Month}'), (12, 't', '{ month}'),
	(13, 't', '{gone}'), (14, 't', '{ctid}'), (15, 't', '{tableoid}'), (16, 't', E'a\n{month}'), (17, 't', repeat('x', 1025)), (18, 't', repeat('x', 600) || '{month}' || repeat('y', 600))) AS v(n, tbl, template) ORDER BY n;
SELECT pg_temp.refused('SELECT databuild.track(''t'', ''a'', NULL)');
SELECT pg_temp.refused('SELECT databuild.untrack(NULL)');
SELECT pg_temp.refused('SELECT databuild.untrack(''t'')');
-- what is no table of the user's
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE s;
CREATE INDEX i ON t (month);
CREATE TYPE c AS (a int);
CREATE FOREIGN DATA WRAPPER regress_refused;
CREATE SERVER regress_refused FOREIGN DATA WRAPPER regress_refused;
CREATE FOREIGN TABLE f (a int) SERVER regress_refused;
SELECT pg_temp.refused(format('SELECT databuild.track(%L, %L)', tbl, 'x')) FROM unnest(ARRAY['v', 'm', 's', 'i', 'c', 'f', 'databuild.event', 'databuild.partition', 'databuild.partitions', 'pg_class', 'none']) WITH ORDINALITY AS u(tbl, n) ORDER BY n;
SELECT pg_temp.refused('SELECT databuild.track(1::oid::regclass, ''x'')');
SELECT pg_temp.refused('SELECT databuild.untrack(''databuild.event'')');
SELECT count(*) FROM databuild.tracked;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass;
DROP FOREIGN DATA WRAPPER regress_refused CASCADE;

-- as long as may be
SELECT databuild.track('t', repeat('x', 1024));
SELECT length(ref_template) FROM databuild.tracked;

-- rows whose ref is none: nothing of the statement stays, and the value is named
SELECT databuild.track('t', '{month}');
SELECT pg_temp.refused(format('INSERT INTO t VALUES (%L), (%L)', 'ok', month)) FROM (VALUES (1, ''), (2, E'line\nfeed'), (3, chr(127)), (4, repeat('x', 1025)), (5, repeat('ä', 513))) AS v(n, month) ORDER BY n;
INSERT INTO t VALUES (repeat('x', 1024)), (repeat('ä', 512)), (' '), ('x\y');
SELECT pg_temp.refused('UPDATE t SET month = '''' WHERE month = '' ''');
SELECT count(*), count(*) FILTER (WHERE kind = 'published') FROM databuild.events WHERE kind <> 'known';
-- a row that came before the table was tracked can be mended, deleted and truncated
SELECT databuild.untrack('t');
INSERT INTO t VALUES (''), (E'\t'), (repeat('x', 2000));
SELECT databuild.track('t', '{month}');
UPDATE t SET month = 'mended' WHERE month = '';
DELETE FROM t WHERE month = E'\t';
TRUNCATE t;
SELECT cardinality(refs) FROM databuild.events WHERE kind = 'published' ORDER BY event_id;
-- two jobs make it
SELECT databuild.define_job('one', ARRAY['one/.*']);
SELECT databuild.define_job('two', ARRAY['.*/two']);
SELECT pg_temp.refused('INSERT INTO t VALUES (''one/two'')');
SELECT count(*) FROM t;

-- the trigger's function does nothing for a trigger of other making
SELECT pg_temp.refused('SELECT databuild.record_change()');
CREATE TABLE own (month text, n int);
CREATE TRIGGER a AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION databuild.record_change('{1}', 'false');
SELECT pg_temp.refused('INSERT INTO own VALUES (''x'')');
DROP TRIGGER a ON own;
CREATE TRIGGER a BEFORE INSERT ON own FOR EACH ROW EXECUTE FUNCTION databuild.record_change('{1}', 'false');
SELECT pg_temp.refused('INSERT INTO own VALUES (''x'')');
DROP TRIGGER a ON own;
CREATE TRIGGER a BEFORE UPDATE ON own FOR EACH ROW EXECUTE FUNCTION databuild.record_change('{1}', 'false');
INSERT INTO own VALUES ('x');
SELECT pg_temp.refused('UPDATE own SET n = 1');
DROP TRIGGER a ON own;
CREATE TRIGGER a AFTER INSERT ON own FOR EACH STATEMENT EXECUTE FUNCTION databuild.record_change('{1}', 'false');
SELECT pg_temp.refused('INSERT INTO own VALUES (''x'')');
DROP TRIGGER a ON own;
CREATE TRIGGER a AFTER TRUNCATE ON own FOR EACH STATEMENT EXECUTE FUNCTION databuild.record_change('{1}', 'false');
SELECT pg_temp.refused('TRUNCATE own');
DROP TRIGGER a ON own;
CREATE TRIGGER a AFTER UPDATE ON own REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION databuild.record_change('{1}', 'false');
SELECT pg_temp.refused('UPDATE own SET n = 1');
DROP TRIGGER a ON own;
CREATE TRIGGER a AFTER INSERT ON own REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION databuild.record_change();
SELECT pg_temp.refused('INSERT INTO own VALUES (''x'')');
DROP TRIGGER a ON own;
CREATE TRIGGER b BEFORE TRUNCATE OR UPDATE OF n ON own FOR EACH STATEMENT EXECUTE FUNCTION databuild.record_change('{9}', 'false');
SELECT pg_temp.refused(format('CREATE TRIGGER a AFTER INSERT ON own REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION databuild.record_change(%L, %L); INSERT INTO own VALUES (''x'')', template, taint))
	FROM (VALUES (1, '{2}', 'false'), (2, '{0}', 'false'), (3, '{-1}', 'false'), (4, '{99999999999999}', 'false'), (5, '{month}', 'false'), (6, '{', 'false'), (7, '', 'false')) AS v(n, template, taint) ORDER BY n;
SELECT pg_temp.refused('TRUNCATE own');
SELECT count(*) FROM databuild.tracked WHERE tbl = 'own'::regclass AND ref_template IS NOT NULL;
SELECT count(*) FROM own;
SET client_min_messages = error;
DROP SCHEMA regress_refused CASCADE;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
