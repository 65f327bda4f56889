/*
 * databuild.c
 *	  The module: what is set up when a backend loads it.
 *
 * Each version's library has a name of its own, and its functions name it.
 * So until a database is updated its sessions use the old one, whatever else
 * is installed, and an open session meets the new one at its first call after
 * the update.  A process cannot have both: each has a state, and what one
 * calls by name may be the other's.  So the session ends, as when a server is
 * stopped, which clients and pools must stand anyway; an error would leave a
 * pool with sessions that are good for nothing.
 */
#include "databuild.h"

#include "utils/guc.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

/* Static: that of the other library must not be called in its place. */
static void
end_session_of_another_version(void)
{
	/* what nobody has defined has no flags; what a user has SET before it was is a placeholder */
	int			flags = GetConfigOptionFlags("databuild.now", true);

	if (flags != 0 && !(flags & GUC_CUSTOM_PLACEHOLDER))
		ereport(FATAL,
				(errcode(ERRCODE_ADMIN_SHUTDOWN),
				 errmsg("terminating connection because databuild is of another version now, " DATABUILD_VERSION),
				 errhint("Connect again. ALTER EXTENSION databuild UPDATE must come before all else in its session.")));
}

void
_PG_init(void)
{
	end_session_of_another_version();
	clock_init();
	direct_init();
	route_init();
	wait_init();
	ticker_init();
	MarkGUCPrefixReserved("databuild");
}
