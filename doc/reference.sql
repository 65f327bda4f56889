-- Makes doc/reference.md from what databuild says of itself: psql -XAtqf doc/reference.sql >doc/reference.md
-- What stands in no section below comes at the end under "Other".

\set ON_ERROR_STOP on
SET intervalstyle = postgres;

CREATE FUNCTION pg_temp.markdown(words text) RETURNS text LANGUAGE sql AS
	$$ SELECT regexp_replace(words, '[\\*<|]', '\\\&', 'g') $$;

CREATE FUNCTION pg_temp.type_name(type oid) RETURNS text LANGUAGE sql AS
	$$ SELECT replace(format_type(type, NULL), 'timestamp with time zone', 'timestamptz') $$;

CREATE TEMP TABLE section (n int GENERATED ALWAYS AS IDENTITY, title text, names text[]);
INSERT INTO section (title, names) VALUES
	('Definitions', '{define_job,define_source,drop_job,pause_job,resume_job}'),
	('Wants', '{want,cancel_want,wait_want,remake}'),
	('Workers', '{claim,heartbeat,succeed,succeed_many,fail,miss,finish_and_claim,wait_work,my_jobs}'),
	('What is made elsewhere', '{publish,track,untrack,record_change,feed,follow_row}'),
	('Mending', '{retry,retry_want,cancel_run,taint,cancel_taint,forget}'),
	('Questions', '{why,explain,why_want,plan,lineage,state_at,read_events,event_kinds,net,net_dot,lineage_dot,want_dot,report_html}'),
	('Upkeep', '{tick,prune,verify,check_invariants,replay}'),
	('Rights', '{grant_reader,grant_worker,grant_operator,revoke_role,any_job,bound_to_jobs}');
INSERT INTO section (title, names)
	SELECT 'Other', array_agg(p.proname ORDER BY p.proname) FROM pg_proc p
	WHERE p.pronamespace = 'databuild'::regnamespace AND obj_description(p.oid, 'pg_proc') NOT LIKE 'Internal%'
		AND NOT EXISTS (SELECT FROM section s WHERE p.proname = ANY (s.names))
	HAVING count(*) > 0;

CREATE TEMP VIEW argument AS
	SELECT p.oid, a.n, a.mode IN ('i', 'b', 'v') AS is_input,
		concat_ws(' ', p.proargnames[a.n], pg_temp.type_name(a.type))
			|| coalesce(' = ' || regexp_replace(pg_get_function_arg_default(p.oid, a.n::int), '::[a-z \[\]]+$', ''), '') AS words
	FROM pg_proc p CROSS JOIN LATERAL unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]),
		coalesce(p.proargmodes, array_fill('i'::"char", ARRAY[p.pronargs::int]))) WITH ORDINALITY AS a(type, mode, n)
	WHERE p.pronamespace = 'databuild'::regnamespace;

CREATE TEMP VIEW signature AS
	SELECT p.oid, CASE WHEN p.prokind = 'p' THEN 'CALL ' ELSE '' END || 'databuild.' || p.proname
			|| CASE WHEN i.length > 100 THEN E'(\n    ' || replace(i.words, E'\n', E',\n    ') || ')' ELSE '(' || replace(i.words, E'\n', ', ') || ')' END
		|| CASE WHEN p.prokind = 'p' THEN ''
			WHEN (SELECT count(*) FROM argument a WHERE a.oid = p.oid AND NOT a.is_input) > 0 THEN
				E'\n    → ' || CASE WHEN p.proretset THEN 'rows of ' ELSE '' END
				|| (SELECT '(' || string_agg(a.words, ', ' ORDER BY a.n) || ')' FROM argument a WHERE a.oid = p.oid AND NOT a.is_input)
			ELSE ' → ' || CASE WHEN p.proretset THEN 'rows of ' ELSE '' END || pg_temp.type_name(p.prorettype) END AS words
	FROM pg_proc p
	CROSS JOIN LATERAL (SELECT coalesce(string_agg(a.words, E'\n' ORDER BY a.n), '') AS words, sum(length(a.words)) AS length
		FROM argument a WHERE a.oid = p.oid AND a.is_input) AS i
	WHERE p.pronamespace = 'databuild'::regnamespace;

\qecho '# Reference'
\qecho
\qecho 'Every function and view of databuild, made from the comments that `\\df+ databuild.*` and `\\dv+ databuild.*` show, too. After'
\qecho 'a change of these it is made again, and put into `doc/`; a test compares:'
\qecho
\qecho '```sql'
\qecho 'CREATE EXTENSION databuild;'
\qecho '```'
\qecho '```sh'
\qecho 'psql -XAtqf doc/reference.sql >reference.md'
\qecho '```'
\qecho
\qecho 'No function is STRICT: NULL for an argument without a default is an error. A call works wholly, or raises and changes'
\qecho 'nothing. Each error has one of these codes, names the thing, and has a hint where there is a next step:'
\qecho
\qecho '| code | |'
\qecho '|---|---|'
\qecho '| `22023` | an argument cannot be: NULL, an empty list, a ref that is none, out of range |'
\qecho '| `2201B` | a pattern is no regular expression |'
\qecho '| `42501` | the caller may not |'
\qecho '| `42704` | there is no such job, want, run, taint or partition, or no job makes a ref |'
\qecho '| `42P17` | two jobs make a ref |'
\qecho '| `55000` | not possible in the present state |'
\qecho '| `40P01`, `40001` | a deadlock, or (REPEATABLE READ, SERIALIZABLE) a conflict with another session: nothing was changed, repeat the transaction. Who makes one call a transaction never gets the first |'
\qecho
\qecho 'A ref has 1 to 1,024 bytes and no control characters. The class of a function says who may call it: see the view `rights`,'
\qecho 'and `grant_reader()`, `grant_worker()` and `grant_operator()`, which grant by class. The views are of class reader.'

SELECT E'\n## ' || s.title || E'\n' || string_agg(
	format(E'\n### %s\n\n```\n%s\n```\n\nClass: %s\n\n%s', p.proname, g.words,
		(SELECT r.class FROM databuild.rights r WHERE r.object = 'ROUTINE ' || p.oid::regprocedure),
		replace(pg_temp.markdown(obj_description(p.oid, 'pg_proc')), E'\n', E'\n\n')), E'\n' ORDER BY array_position(s.names, p.proname::text), g.words)
FROM section s JOIN pg_proc p ON p.proname = ANY (s.names) AND p.pronamespace = 'databuild'::regnamespace JOIN signature g ON g.oid = p.oid
GROUP BY s.n, s.title ORDER BY s.n;

\qecho
\qecho '## Views'
\qecho
\qecho 'Their names and columns are stable.'
SELECT format(E'\n### %s\n\n%s\n\n| column | type |\n|---|---|\n%s', c.relname, pg_temp.markdown(obj_description(c.oid, 'pg_class')),
	(SELECT string_agg(format('| `%s` | %s |', a.attname, pg_temp.type_name(a.atttypid)), E'\n' ORDER BY a.attnum)
		FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0))
FROM pg_class c
WHERE c.relnamespace = 'databuild'::regnamespace AND c.relkind = 'v' AND obj_description(c.oid, 'pg_class') NOT LIKE 'Internal%'
ORDER BY c.relname COLLATE "C";

\qecho
\qecho '## Kinds of events'
\qecho
\qecho '| kind | it says | and moves |'
\qecho '|---|---|---|'
SELECT format('| `%s` | %s | %s |', e.kind, pg_temp.markdown(e.meaning), array_to_string(e.tells, ', ')) FROM databuild.event_kinds() AS e;
