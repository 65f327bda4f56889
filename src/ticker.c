/*
 * ticker.c
 *	  An optional background worker that ticks, where the library is preloaded.
 *
 * One process, the ticker, is attached to no database and does nothing but
 * start others: every databuild.tick_naptime, for each database that
 * databuild.tick_databases names, a worker that connects to it, calls tick()
 * once and ends.  So nothing has to be survived or cleaned up: an error ends
 * the worker that met it and is in the server's log, and the next one begins
 * afresh; no connection stands in the way of DROP DATABASE; and a database
 * without the extension, or without this name, harms no other.  A worker that
 * is still at work, because replay() keeps it waiting, is let be.
 */
#include "databuild.h"

#include "access/xact.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"
#include "utils/wait_event.h"

PGDLLEXPORT void databuild_ticker_main(Datum arg);
PGDLLEXPORT void databuild_tick_main(Datum arg);

static char *databases = NULL;
static int	naptime = 10;

/* ---- the settings ---- */

/* The names in a list, which is scribbled on; false if it is none. */
static bool
split_names(char *list, List **names)
{
	if (!SplitGUCList(list, ',', names))
		return false;
	for (int i = 0; i < list_length(*names); i++)
		if (strlen(list_nth(*names, i)) >= NAMEDATALEN)
			return false;
	return true;
}

static bool
check_databases(char **newval, void **extra, GucSource source)
{
	List	   *names;
	bool		good = split_names(pstrdup(*newval), &names);

	(void) extra;
	(void) source;
	if (!good)
		GUC_check_errdetail("It must be names of databases with commas between them.");
	return good;
}

static void
register_ticker(void)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = 5,
	};

	strlcpy(worker.bgw_name, "databuild ticker", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "databuild ticker", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "$libdir/databuild-" DATABUILD_VERSION, BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "databuild_ticker_main", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

void
ticker_init(void)
{
	DefineCustomStringVariable("databuild.tick_databases",
							   "In which databases a background worker calls tick().",
							   "Names with commas between them. Takes effect where databuild is in shared_preload_libraries.",
							   &databases, "",
							   PGC_SIGHUP, GUC_LIST_INPUT,
							   check_databases, NULL, NULL);
	DefineCustomIntVariable("databuild.tick_naptime",
							"How long the background worker rests between two calls of tick().",
							NULL,
							&naptime, 10, 1, 3600,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	if (process_shared_preload_libraries_in_progress)
		register_ticker();
}

/* ---- the ticker ---- */

/* A database, and the newest worker that was started for it. */
typedef struct Target
{
	char	   *database;
	BackgroundWorkerHandle *worker;
} Target;

static List *targets = NIL;

static Target *
target_of(const char *database)
{
	Target	   *t;

	for (int i = 0; i < list_length(targets); i++)
	{
		t = list_nth(targets, i);
		if (strcmp(t->database, database) == 0)
			return t;
	}
	t = palloc0(sizeof(Target));
	t->database = pstrdup(database);
	targets = lappend(targets, t);
	return t;
}

static void
start_tick(Target *t)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
	};
	pid_t		pid;

	if (t->worker != NULL && GetBackgroundWorkerPid(t->worker, &pid) != BGWH_STOPPED)
		return;
	if (t->worker != NULL)
		pfree(t->worker);
	t->worker = NULL;
	snprintf(worker.bgw_name, BGW_MAXLEN, "databuild tick in %s", t->database);
	strlcpy(worker.bgw_type, "databuild tick", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "$libdir/databuild-" DATABUILD_VERSION, BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "databuild_tick_main", BGW_MAXLEN);
	strlcpy(worker.bgw_extra, t->database, BGW_EXTRALEN);
	if (!RegisterDynamicBackgroundWorker(&worker, &t->worker))
		ereport(WARNING,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("no background worker is left to call tick() in database \"%s\"", t->database),
				 errhint("Raise max_worker_processes.")));
}

static void
start_ticks(void)
{
	char	   *list = pstrdup(databases);
	List	   *names;

	if (split_names(list, &names))
		for (int i = 0; i < list_length(names); i++)
			start_tick(target_of(list_nth(names, i)));
	list_free(names);
	pfree(list);
}

void
databuild_ticker_main(Datum arg)
{
	(void) arg;
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);	/* to no database: so that pg_stat_activity has it */
	MemoryContextSwitchTo(TopMemoryContext);
	while (!ShutdownRequestPending)
	{
		start_ticks();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (databases[0] != '\0' ? WL_TIMEOUT : 0),
						 naptime * 1000L, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
	/* not 0: whom somebody terminated is started again, unless the server stops */
	proc_exit(1);
}

/* ---- a tick ---- */

void
databuild_tick_main(Datum arg)
{
	const char *query = "SELECT databuild.tick()";

	(void) arg;
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(MyBgworkerEntry->bgw_extra, NULL, 0);
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (OidIsValid(get_extension_oid("databuild", true)))
	{
		pgstat_report_activity(STATE_RUNNING, query);
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		PushActiveSnapshot(GetTransactionSnapshot());
		if (SPI_execute(query, false, 0) != SPI_OK_SELECT)
			elog(ERROR, "tick() gave no row");
		SPI_finish();
		PopActiveSnapshot();
	}
	CommitTransactionCommand();
	pgstat_report_stat(true);
	proc_exit(0);
}
