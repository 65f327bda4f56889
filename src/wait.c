/*
 * wait.c
 *	  wait_work(), wait_want(): asleep until another session's commit may have
 *	  brought what is waited for.
 *
 * Who waits holds a lock that all who wait for the same share.  Who commits
 * something of the kind asks afterwards who holds it, and sets their latches:
 * nothing is written, nothing is sent, and where nobody waits it is a look in
 * one hash table.  The lock is taken before the first look, so nothing comes
 * between the two unseen.
 *
 * They are procedures, since between two looks there must be no snapshot: each
 * look begins with a new transaction.  The lock is the session's therefore.
 * But PostgreSQL does not say who holds a lock while his transaction ends, so
 * none may end between a look and the sleep after it: he would not be woken.
 * What a look takes, its snapshot and its locks, goes with a subtransaction.
 *
 * What no commit of a live backend tells is found by looking again: what is
 * due by the clock, COMMIT PREPARED, and what is left on the agenda.
 */
#include "databuild.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

/* See gate.c for what keeps our keys apart. */
#define WAIT_CLASS		0xDF

/* ---- who commits ---- */

static bool news[N_NEWS];

void
wait_tell(News what)
{
	news[what] = true;
}

static void
set_tag(LOCKTAG *tag, News what)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, 0, (uint32) what, WAIT_CLASS);
}

static void
wake(News what)
{
	LOCKTAG		tag;
	VirtualTransactionId *holders;
	int			n;

	set_tag(&tag, what);
	holders = GetLockConflicts(&tag, ExclusiveLock, &n);
	for (int i = 0; i < n; i++)
	{
		PGPROC	   *holder = VXID_PROC(holders[i]);

		if (holder != NULL)
			SetLatch(&holder->procLatch);
	}
}

static void
at_end(XactEvent event, void *arg)
{
	(void) arg;
	if (event == XACT_EVENT_COMMIT)
		for (int i = 0; i < N_NEWS; i++)
			if (news[i])
				wake((News) i);
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		memset(news, 0, sizeof(news));
}

void
wait_init(void)
{
	RegisterXactCallback(at_end, NULL);
}

/* ---- who waits ---- */

typedef struct Wait
{
	News		what;
	const char *query;			/* its only value is how many milliseconds to
								 * sleep before the next look, or NULL if what
								 * is waited for is there */
	Oid			type;			/* of its first parameter */
	Datum		value;
	bool		isnull;
	TimestampTz deadline;		/* DT_NOEND: none */
} Wait;

/* False if it is there; patient: not for the first time. */
static bool
ask(const Wait *w, bool patient, long *sleep)
{
	Oid			types[] = {w->type, BOOLOID};
	Datum		values[] = {w->value, BoolGetDatum(patient)};
	bool		there;

	if (SPI_execute_with_args(w->query, 2, types, values, w->isnull ? "n " : "  ", true, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not look at what is waited for");
	*sleep = (long) DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &there));
	return !there;
}

static bool
look_with_snapshot(const Wait *w, bool patient, long *sleep)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	volatile bool waits = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		waits = ask(w, patient, sleep);
		PopActiveSnapshot();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(memory);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
	if (error != NULL)
		ReThrowError(error);
	InvalidateCatalogSnapshot();
	return waits;
}

/* Anew also where the session's transactions keep a snapshot. */
static bool
look(const Wait *w, bool patient, long *sleep)
{
	SPI_commit();
	(void) set_config_option("transaction_isolation", "read committed", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	return look_with_snapshot(w, patient, sleep);
}

static void
doze(long milliseconds)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static void
look_and_doze(const Wait *w)
{
	bool		patient = false;
	long		sleep;

	while (look(w, patient, &sleep))
	{
		long		left = w->deadline == DT_NOEND ? WAIT_LOOK_EACH :
			TimestampDifferenceMilliseconds(GetCurrentTimestamp(), w->deadline);

		if (left <= 0)
			return;
		doze(Min(Min(sleep, left), WAIT_LOOK_EACH));
		patient = true;
	}
}

static void
check_may_commit(FunctionCallInfo fcinfo)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) || castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("cannot wait inside a transaction"),
				 errhint("CALL it by itself, outside of BEGIN … COMMIT: it would hold a snapshot, and see nothing new.")));
}

/* When the waiting ends; NULL: never. */
static TimestampTz
arg_deadline(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? DT_NOEND : GetCurrentTimestamp() + arg_interval(fcinfo, n, "timeout");
}

static void
wait_for(const Wait *w)
{
	LOCKTAG		tag;

	set_tag(&tag, w->what);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	(void) LockAcquire(&tag, ShareLock, true, false);
	PG_TRY();
	{
		look_and_doze(w);
	}
	PG_FINALLY();
	{
		(void) LockRelease(&tag, ShareLock, true);
	}
	PG_END_TRY();
	SPI_finish();
}

PG_FUNCTION_INFO_V1(databuild_wait_work);

Datum
databuild_wait_work(PG_FUNCTION_ARGS)
{
	Wait		w = {NEWS_WORK, "SELECT databuild.work_due(databuild.my_jobs($1), $2)", TEXTARRAYOID};

	check_may_commit(fcinfo);
	(void) arg_needed(fcinfo, 1, "timeout");
	w.isnull = PG_ARGISNULL(0);
	w.value = w.isnull ? (Datum) 0 : PG_GETARG_DATUM(0);
	w.deadline = arg_deadline(fcinfo, 1);
	wait_for(&w);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(databuild_wait_want);

Datum
databuild_wait_want(PG_FUNCTION_ARGS)
{
	Wait		w = {NEWS_MOVES, "SELECT databuild.want_due($1, $2)", INT8OID};

	check_may_commit(fcinfo);
	w.value = arg_needed(fcinfo, 0, "want_id");
	w.deadline = arg_deadline(fcinfo, 1);
	wait_for(&w);
	return (Datum) 0;
}
