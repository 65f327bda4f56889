-- All that the extension has, as lines that are the same wherever it is the same, each with the object's name before it.

SET search_path = pg_catalog;
WITH RECURSIVE member AS (
		SELECT d.classid, d.objid FROM pg_depend d
		WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'databuild') AND d.deptype = 'e'),
	part AS (			-- with what goes with them: indexes, defaults, constraints, rules, triggers, row types
		SELECT classid, objid FROM member
		UNION
		SELECT d.classid, d.objid FROM pg_depend d JOIN part p ON d.refclassid = p.classid AND d.refobjid = p.objid AND d.deptype IN ('a', 'i', 'P', 'S')),
	known AS (
		SELECT classid, objid, type || ' ' || identity AS name FROM part CROSS JOIN LATERAL pg_identify_object(classid, objid, 0) AS i
		WHERE i.schema IS DISTINCT FROM 'pg_toast'),
	line(name, what, line) AS (
		SELECT k.name, 'member', coalesce(shobj_description(k.objid, k.classid::regclass::name), obj_description(k.objid, k.classid::regclass::name), '-') FROM known k JOIN member USING (classid, objid)
		UNION ALL
		SELECT k.name, 'definition', pg_get_functiondef(p.oid) FROM known k JOIN pg_proc p ON p.oid = k.objid AND k.classid = 'pg_proc'::regclass
		UNION ALL
		SELECT k.name, 'acl', format('%s of %s', p.proacl, p.proowner::regrole) FROM known k JOIN pg_proc p ON p.oid = k.objid AND k.classid = 'pg_proc'::regclass
		UNION ALL
		SELECT k.name, 'acl', format('%s of %s', n.nspacl, n.nspowner::regrole) FROM known k JOIN pg_namespace n ON n.oid = k.objid AND k.classid = 'pg_namespace'::regclass
		UNION ALL
		SELECT k.name, 'relation', format('%s acl %s of %s, %s, options %s, %s, %s, row security %s', c.relkind, c.relacl, c.relowner::regrole, c.relpersistence,
				c.reloptions, (SELECT t.reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid), (SELECT a.amname FROM pg_am a WHERE a.oid = c.relam), c.relrowsecurity)
			FROM known k JOIN pg_class c ON c.oid = k.objid AND k.classid = 'pg_class'::regclass
		UNION ALL
		SELECT k.name, 'view', pg_get_viewdef(c.oid) FROM known k JOIN pg_class c ON c.oid = k.objid AND k.classid = 'pg_class'::regclass AND c.relkind = 'v'
		UNION ALL
		SELECT k.name, 'column', format('%s %s %s %s %s %s %s %s %s %s', row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum), a.attname,
				format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attcollation::regcollation, a.attacl, a.attstorage, a.attcompression, ARRAY(SELECT o FROM unnest(a.attoptions) AS o WHERE o NOT LIKE 'pg\_attver=%'),	-- which some servers note themselves
				 pg_get_expr(d.adbin, d.adrelid))
			FROM known k JOIN pg_attribute a ON a.attrelid = k.objid AND k.classid = 'pg_class'::regclass AND a.attnum > 0 AND NOT a.attisdropped
			LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		UNION ALL
		SELECT k.name, 'column comment', format('%s %s', a.attname, d.description)
			FROM known k JOIN pg_description d ON d.objoid = k.objid AND d.classoid = k.classid AND d.objsubid > 0 JOIN pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid
		UNION ALL
		SELECT k.name, 'index', format('%s %s %s', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered) FROM known k JOIN pg_index i ON i.indexrelid = k.objid AND k.classid = 'pg_class'::regclass
		UNION ALL
		SELECT k.name, 'constraint', format('%s %s', pg_get_constraintdef(n.oid), n.convalidated) FROM known k JOIN pg_constraint n ON n.oid = k.objid AND k.classid = 'pg_constraint'::regclass
		UNION ALL
		SELECT k.name, 'trigger', format('%s %s', pg_get_triggerdef(t.oid), t.tgenabled) FROM known k JOIN pg_trigger t ON t.oid = k.objid AND k.classid = 'pg_trigger'::regclass
		UNION ALL
		SELECT k.name, 'sequence', format('%s %s %s %s %s %s %s', s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle) FROM known k JOIN pg_sequence s ON s.seqrelid = k.objid AND k.classid = 'pg_class'::regclass
		UNION ALL
		SELECT k.name, 'type', format('%s %s %s %s', t.typtype, t.typcategory, pg_catalog.format_type(t.typbasetype, t.typtypmod), ARRAY(SELECT e.enumlabel FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder))
			FROM known k JOIN pg_type t ON t.oid = k.objid AND k.classid = 'pg_type'::regclass
		UNION ALL
		SELECT k.name, 'rights of the extension''s own, which are not dumped', ARRAY(SELECT a.item FROM unnest(i.initprivs) AS a(item) ORDER BY a.item::text)::text
			FROM known k JOIN pg_init_privs i ON i.objoid = k.objid AND i.classoid = k.classid
		UNION ALL
		SELECT DISTINCT k.name, 'depends on', format('%s %s', i.type || ' ' || i.identity, d.deptype)
			FROM known k JOIN pg_depend d ON d.classid = k.classid AND d.objid = k.objid CROSS JOIN LATERAL pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) AS i
		UNION ALL
		SELECT k.name, 'dumped', e.extcondition[t.n]
			FROM pg_extension e CROSS JOIN LATERAL unnest(e.extconfig) WITH ORDINALITY AS t(id, n) JOIN known k ON k.objid = t.id AND k.classid = 'pg_class'::regclass WHERE e.extname = 'databuild'
		UNION ALL
		SELECT 'extension', '', format('%s %s %s', extversion, extrelocatable, extnamespace::regnamespace) FROM pg_extension WHERE extname = 'databuild')
SELECT l.name || ': ' || l.what || ': ' || t.line
FROM line l CROSS JOIN LATERAL regexp_split_to_table(l.line, E'\n') WITH ORDINALITY AS t(line, n)
ORDER BY l.name COLLATE "C", l.what COLLATE "C", l.line COLLATE "C", t.n;
