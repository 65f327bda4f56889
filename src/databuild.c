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
 * pool with sessions that are good for nothing.  A call that waited at the gate
 * while the update went on has the old library and the new tables: it ends, too.
 */
#include "databuild.h"

#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/syscache.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

/* Static: those of the other library must not be called in their place. */
static void
end_session(const char *now)
{
	ereport(FATAL,
			(errcode(ERRCODE_ADMIN_SHUTDOWN),
			 errmsg("terminating connection because databuild is of another version now, %s", now),
			 errhint("Connect again. ALTER EXTENSION databuild UPDATE must come before all else in its session.")));
}

static void
end_session_of_another_version(void)
{
	/* what nobody has defined has no flags; what a user has SET before it was is a placeholder */
	int			flags = GetConfigOptionFlags("databuild.now", true);

	if (flags != 0 && !(flags & GUC_CUSTOM_PLACEHOLDER))
		end_session(DATABUILD_VERSION);
}

/*
 * To be asked behind the gate: ends the session if what SQL has by now is
 * another library's.
 */
void
library_is_present(void)
{
	HeapTuple	clock = SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum("clock"), PointerGetDatum(buildoidvector(NULL, 0)),
									ObjectIdGetDatum(get_namespace_oid("databuild", false)));
	bool		isnull;
	char	   *file;
	char	   *version;

	if (!HeapTupleIsValid(clock))
		elog(ERROR, "function databuild.clock() is missing");
	file = TextDatumGetCString(SysCacheGetAttr(PROCNAMEARGSNSP, clock, Anum_pg_proc_probin, &isnull));
	ReleaseSysCache(clock);
	version = strrchr(file, '-');
	if (version == NULL || strcmp(version + 1, DATABUILD_VERSION) != 0)
		end_session(version == NULL ? file : version + 1);
	pfree(file);
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
