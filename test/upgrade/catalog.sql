-- All that the extension has, as lines that are the same wherever it is the same.

SET search_path = pg_catalog;
WITH object AS (SELECT classid, objid FROM pg_depend
		WHERE refclassid = 'pg_extension'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'databuild') AND deptype = 'e'),
	line(line) AS (
		SELECT 'member ' || pg_describe_object(classid, objid, 0) || E'\ncomment ' || coalesce(obj_description(objid, classid::regclass::name), '-') FROM object
		UNION ALL
		SELECT pg_get_functiondef(p.oid) || coalesce(p.proacl::text, '-') FROM pg_proc p JOIN object o ON o.objid = p.oid AND o.classid = 'pg_proc'::regclass
		UNION ALL
		SELECT format('%s %s %s %s %s', c.oid::regclass, c.relkind, c.relacl, c.reloptions, CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) END)
			FROM pg_class c JOIN object o ON o.objid = c.oid AND o.classid = 'pg_class'::regclass
		UNION ALL
		SELECT format('%s column %s %s %s %s %s %s %s', a.attrelid::regclass, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum), a.attname,
				format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attcollation::regcollation, a.attacl, pg_get_expr(d.adbin, d.adrelid))
			FROM pg_attribute a JOIN object o ON o.objid = a.attrelid AND o.classid = 'pg_class'::regclass
			LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
			WHERE a.attnum > 0 AND NOT a.attisdropped
		UNION ALL
		SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN object o ON o.objid = i.indrelid AND o.classid = 'pg_class'::regclass
		UNION ALL
		SELECT format('%s %s %s', n.conrelid::regclass, n.conname, pg_get_constraintdef(n.oid)) FROM pg_constraint n JOIN object o ON o.objid = n.conrelid AND o.classid = 'pg_class'::regclass
		UNION ALL
		SELECT format('%s %s', pg_get_triggerdef(t.oid), t.tgenabled) FROM pg_trigger t JOIN object o ON o.objid = t.tgrelid AND o.classid = 'pg_class'::regclass WHERE NOT t.tgisinternal
		UNION ALL
		SELECT format('sequence %s %s %s %s', s.seqrelid::regclass, s.seqtypid::regtype, s.seqincrement, s.seqmax) FROM pg_sequence s JOIN object o ON o.objid = s.seqrelid AND o.classid = 'pg_class'::regclass
		UNION ALL
		SELECT format('dumped %s %s', t.id::regclass, e.extcondition[t.n]) FROM pg_extension e CROSS JOIN LATERAL unnest(e.extconfig) WITH ORDINALITY AS t(id, n) WHERE e.extname = 'databuild'
		UNION ALL
		SELECT format('extension %s %s %s', extversion, extrelocatable, extnamespace::regnamespace) FROM pg_extension WHERE extname = 'databuild'
		UNION ALL
		SELECT 'schema ' || nspacl::text FROM pg_namespace WHERE nspname = 'databuild')
SELECT line FROM line ORDER BY line COLLATE "C";
