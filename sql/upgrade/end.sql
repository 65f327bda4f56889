/* ------------------------------------------------------------------------
 * end.sql: how each update ends.
 *
 * What is new is nobody's, as in a new database; then who had a function or
 * view of a name, or a class of rights in full, has what bears that name or is
 * in that class now.  What a role may still do is left alone: a GRANT or REVOKE
 * in an extension's script makes all that is granted on the object the
 * extension's own, which pg_dump leaves out.
 * ------------------------------------------------------------------------ */

DO $$
DECLARE
	held jsonb := current_setting('databuild_update.granted');
	command text;
BEGIN
	FOR command IN
		SELECT format('REVOKE ALL ON %s FROM PUBLIC', o.object)
		FROM pg_depend d
		CROSS JOIN LATERAL (
			SELECT 'ROUTINE ' || p.oid::regprocedure FROM pg_proc p WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid AND p.proacl IS NULL
			UNION ALL
			SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || c.oid::regclass
			FROM pg_class c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relacl IS NULL) AS o(object)
		WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
			AND d.refobjid = (SELECT e.oid FROM pg_extension e WHERE e.extname = 'databuild')
	LOOP
		EXECUTE command;
	END LOOP;
	FOR command IN
		WITH object AS (
				SELECT 'ROUTINE ' || p.oid::regprocedure AS object, p.proname AS name, p.proacl AS acl
				FROM pg_proc p WHERE p.pronamespace = 'databuild'::regnamespace
				UNION ALL
				SELECT 'TABLE ' || c.oid::regclass, c.relname, c.relacl
				FROM pg_class c WHERE c.relnamespace = 'databuild'::regnamespace AND c.relkind = 'v'),
			wanted AS (
				SELECT g.privilege_type, o.object, o.acl, g.grantee, g.is_grantable
				FROM jsonb_to_recordset(held -> 'names') AS g(name name, grantee oid, privilege_type text, is_grantable boolean)
				JOIN object o USING (name)
				UNION ALL
				SELECT r.privilege, o.object, o.acl, c.grantee, false
				FROM jsonb_to_recordset(held -> 'classes') AS c(class text, grantee oid)
				JOIN databuild.rights r USING (class) JOIN object o USING (object))
		SELECT DISTINCT format('GRANT %s ON %s TO %s%s', w.privilege_type, w.object,
			CASE w.grantee WHEN 0 THEN 'PUBLIC' ELSE w.grantee::regrole::text END, CASE WHEN w.is_grantable THEN ' WITH GRANT OPTION' END)
		FROM wanted w
		WHERE NOT EXISTS (SELECT FROM aclexplode(w.acl) AS a WHERE a.grantee = w.grantee AND a.privilege_type = w.privilege_type
			AND (a.is_grantable OR NOT w.is_grantable))
	LOOP
		PERFORM databuild.grant_in_update(command);
	END LOOP;
END
$$;
