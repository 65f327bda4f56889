-- A program that calls databuild or reads its relations would break because a name, an argument, a default or a column is another one.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS databuild;
CREATE EXTENSION databuild;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = postgres;
SET search_path = pg_catalog;
\pset format unaligned
\pset tuples_only on
\pset null -
-- the calls: names, arguments in order, defaults, results; w: they write, p: procedures
SELECT CASE prokind WHEN 'p' THEN 'p' ELSE CASE provolatile WHEN 'v' THEN 'w' ELSE '' END END,
	regexp_replace(proname || '(' || pg_get_function_arguments(p.oid) || ')', 'timestamp with time zone', 'timestamptz', 'g'),
	regexp_replace(pg_get_function_result(p.oid), 'timestamp with time zone', 'timestamptz', 'g')
	FROM pg_proc p WHERE pronamespace = 'databuild'::regnamespace AND obj_description(p.oid, 'pg_proc') NOT LIKE 'Internal%' ORDER BY proname COLLATE "C";
-- the relations: columns in order
SELECT relname || '(' || string_agg(attname || CASE format_type(atttypid, NULL) WHEN 'text' THEN '' WHEN 'timestamp with time zone' THEN ' timestamptz' ELSE ' ' || format_type(atttypid, NULL) END, ', ' ORDER BY attnum) || ')'
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0
	WHERE relnamespace = 'databuild'::regnamespace AND relkind = 'v' AND obj_description(c.oid, 'pg_class') NOT LIKE 'Internal%' GROUP BY relname ORDER BY relname COLLATE "C";
-- what read_events() returns is what the view has
SELECT (SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'databuild.events'::regclass AND attnum > 0)
	= (SELECT proargnames[3:] FROM pg_proc WHERE oid = 'databuild.read_events'::regproc);
-- a comment on a call says by which SQLSTATEs it refuses
SELECT proname FROM pg_proc p WHERE pronamespace = 'databuild'::regnamespace AND obj_description(p.oid, 'pg_proc') NOT LIKE 'Internal%'
	AND pronargs > 0 AND obj_description(p.oid, 'pg_proc') !~ '22023|Raises as' ORDER BY 1;
-- the comments name every state and every reason; and there are so many reasons
SELECT machine, place FROM databuild.net() JOIN (VALUES ('partition', 'partitions'), ('run', 'job_runs'), ('want', 'wants'), ('taint', 'taints')) AS v(machine, view) USING (machine)
	WHERE place <> 'new' AND obj_description(('databuild.' || view)::regclass, 'pg_class') !~ ('\m' || place || '\M') GROUP BY 1, 2 ORDER BY 1, 2;
CREATE TEMP VIEW reasons AS SELECT DISTINCT m[1] AS reason FROM pg_proc, regexp_matches(prosrc, 'reason := ''(\w+)''', 'g') AS m
	WHERE pronamespace = 'databuild'::regnamespace AND proname IN ('reason_of', 'why_tree');
SELECT count(*), count(*) FILTER (WHERE obj_description('databuild.why'::regproc, 'pg_proc') ~ ('\m' || reason || '\M')) FROM reasons;
