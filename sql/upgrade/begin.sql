/* ------------------------------------------------------------------------
 * begin.sql: how each update begins.
 *
 * Both gates (gate.c), in their order, as replay() takes them: no call is in
 * the middle, none begins before the update is committed, and none waits for
 * the update while the update waits for it.  While they are waited for, calls
 * wait behind it; lock_timeout sets a limit to that (doc/operations.md).
 *
 * After this comes OLD--NEW.sql: ALTER TABLE, with columns at the end of the
 * row, where tables.sql has them, too; pg_extension_config_dump for new
 * tables; DROP of what is gone and of functions and views whose columns or
 * names of arguments change; the functions of tables.sql that changed.  Then
 * every CREATE of a function or view as CREATE OR REPLACE, and the comments
 * and REVOKEs, made by the Makefile from the other files.
 * ------------------------------------------------------------------------ */

LOCK TABLE databuild.job IN EXCLUSIVE MODE;
LOCK TABLE databuild.event IN EXCLUSIVE MODE;

