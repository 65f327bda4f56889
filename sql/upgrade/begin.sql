/* ------------------------------------------------------------------------
 * begin.sql: how each update begins.
 *
 * Both gates (gate.c), in their order, as replay() takes them: no call is in
 * the middle, none begins before the update is committed, and none waits for
 * the update while the update waits for it.  While they are waited for, calls
 * wait behind it; lock_timeout sets a limit to that (doc/operations.md).
 *
 * After this comes OLD--NEW.sql: ALTER TABLE, with columns at the end of the
 * row, where tables.sql has them, too; what else of tables.sql is no function,
 * with its pg_extension_config_dump; DROP of what is gone, of functions whose
 * arguments or columns change, and of views that lose columns.  Then every
 * CREATE of a function or view as CREATE OR REPLACE, and the comments, made by
 * the Makefile from the other files; then end.sql.
 *
 * Before anything is dropped, who may do what: each right by name, and which
 * classes of databuild.rights a role has in full.
 * ------------------------------------------------------------------------ */

LOCK TABLE databuild.job IN EXCLUSIVE MODE;
LOCK TABLE databuild.event IN EXCLUSIVE MODE;

SELECT pg_catalog.set_config('databuild_update.granted', (
	WITH granted AS (
			SELECT 'ROUTINE ' || p.oid::pg_catalog.regprocedure AS object, p.proname AS name, a.*
			FROM pg_catalog.pg_proc p CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) AS a
			WHERE p.pronamespace = 'databuild'::pg_catalog.regnamespace AND a.grantee <> p.proowner
			UNION ALL
			SELECT 'TABLE ' || c.oid::pg_catalog.regclass, c.relname, a.*
			FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
			WHERE c.relnamespace = 'databuild'::pg_catalog.regnamespace AND c.relkind = 'v' AND a.grantee <> c.relowner),
		class AS (
			SELECT r.class, g.grantee FROM databuild.rights r JOIN granted g ON g.object = r.object AND g.privilege_type = r.privilege
			GROUP BY 1, 2
			HAVING pg_catalog.count(DISTINCT r.object) = (SELECT pg_catalog.count(*) FROM databuild.rights o WHERE o.class = r.class))
	SELECT pg_catalog.jsonb_build_object(
		'names', (SELECT coalesce(pg_catalog.jsonb_agg(DISTINCT pg_catalog.to_jsonb(g) - '{object,grantor}'::text[]), '[]') FROM granted g),
		'classes', (SELECT coalesce(pg_catalog.jsonb_agg(c), '[]') FROM class c)))::text, true);

