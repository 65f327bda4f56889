/*
 * wait.c
 *	  wait_work(), wait_want(): asleep until another session's commit may have
 *	  brought what is waited for.
 *
 * Who waits holds a lock that all who wait for the same share: for moves, or
 * for work of a job.  Who commits something of the kind asks afterwards who
 * holds it, and sets their latches: nothing is written, nothing is sent, and
 * where nobody waits it is a look in one hash table.  The lock is taken before the first look, so nothing comes
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
#include "common/hashfn.h"
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
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

/* See gate.c for what keeps our keys apart. */
#define WAIT_CLASS		0xDF

/* What is waited for: moves, or work of some jobs. */
typedef enum News
{
	NEWS_MOVES,
	NEWS_WORK,					/* all who wait for work hold its lock */
	NEWS_WORK_OF_ALL,			/* those who wait for that of all jobs */
	NEWS_WORK_OF_JOB,			/* those who wait for that of this one */
} News;

/* News of more jobs than that are for all. */
#define MOST_JOBS		32

/* The jobs are told apart by what their labels hash to: that stays when one is dropped and defined anew. */
static void
set_tag(LOCKTAG *tag, News what, uint32 job)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, job, (uint32) what, WAIT_CLASS);
}

static uint32
job_hash(const char *label)
{
	return hash_bytes((const unsigned char *) label, (int) strlen(label));
}

/* ---- who commits ---- */

/* What this transaction has to tell. */
static struct
{
	bool		moves;
	bool		work;
	TimestampTz due;			/* the first of the timers that it made; 0: none */
	bool		nested;			/* which may have been rolled back */
	int			njobs;
	int32		jobs[MOST_JOBS];
	uint32		hashes[MOST_JOBS];
}			news;

/* When all who wait for work look again, at the latest, since this session told them of a timer. */
static TimestampTz told_due;

void
wait_tell_moves(void)
{
	news.moves = true;
}

void
wait_tell_work(int32 job)
{
	if (news.work)
		return;
	for (int i = news.njobs - 1; i >= 0; i--)
		if (news.jobs[i] == job)
			return;
	if (job == 0 || news.njobs == MOST_JOBS)
	{
		news.work = true;
		return;
	}
	news.jobs[news.njobs] = job;
	news.hashes[news.njobs++] = job_hash(route_label(job));
}

void
wait_tell_due(TimestampTz at)
{
	if (news.due == 0 || at < news.due)
		news.due = at;
	if (GetCurrentTransactionNestLevel() > 1)
		news.nested = true;
}

/*
 * Whether they might sleep for too long: not if they look again of themselves
 * before, nor if they do so because of an earlier timer that we told them of.
 * So a session that claims with short leases has them look once a lease.
 */
static bool
is_due_unseen(void)
{
	TimestampTz now = clock_now();

	if (news.due == 0 || news.due >= now + WAIT_LOOK_EACH * INT64CONST(1000) || (told_due > now && told_due <= news.due))
		return false;
	told_due = news.nested ? 0 : news.due;
	return true;
}

static void
wake(News what, uint32 job)
{
	LOCKTAG		tag;
	VirtualTransactionId *holders;
	int			n;

	set_tag(&tag, what, job);
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
	{
		if (is_due_unseen())
			news.work = true;
		if (news.moves)
			wake(NEWS_MOVES, 0);
		if (news.work)
			wake(NEWS_WORK, 0);
		else if (news.njobs > 0)
			wake(NEWS_WORK_OF_ALL, 0);
		for (int i = 0; !news.work && i < news.njobs; i++)
			wake(NEWS_WORK_OF_JOB, news.hashes[i]);
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
	{
		news.moves = news.work = news.nested = false;
		news.due = 0;
		news.njobs = 0;
	}
}

void
wait_init(void)
{
	RegisterXactCallback(at_end, NULL);
}

/* ---- who waits ---- */

typedef struct Wait
{
	LOCKTAG    *tags;			/* the locks by which whoever brings it finds us */
	int			ntags;
	const char *query;			/* how many milliseconds to sleep before the
								 * next look, or NULL if what is waited for is
								 * there; what was seen, for the next look */
	Oid			type;			/* of its first parameter; the second is what
								 * the last look saw, 0 at first */
	Datum		value;
	bool		isnull;
	TimestampTz deadline;		/* DT_NOEND: none */
} Wait;

typedef struct Look
{
	const Wait *w;
	int64		seen;			/* by the last look; by this one */
	bool		there;
	long		sleep;			/* else so many milliseconds */
} Look;

/* With a snapshot of its own, which goes with the subtransaction. */
static bool
ask(void *arg)
{
	Look	   *l = arg;
	Oid			types[] = {l->w->type, INT8OID};
	Datum		values[] = {l->w->value, Int64GetDatum(l->seen)};
	bool		nothing;

	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_execute_with_args(l->w->query, 2, types, values, l->w->isnull ? "n " : "  ", true, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not look at what is waited for");
	l->sleep = (long) DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &l->there));
	l->seen = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &nothing));
	if (nothing)
		l->seen = 0;
	PopActiveSnapshot();
	return false;
}

/* Anew also where the session's transactions keep a snapshot. */
static bool
look(Look *l)
{
	ErrorData  *error;

	SPI_commit();
	(void) set_config_option("transaction_isolation", "read committed", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	error = subxact_try(ask, l);
	if (error != NULL)
		ReThrowError(error);
	InvalidateCatalogSnapshot();
	return !l->there;
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
	Look		l = {.w = w};

	while (look(&l))
	{
		long		left = w->deadline == DT_NOEND ? WAIT_LOOK_EACH :
			TimestampDifferenceMilliseconds(GetCurrentTimestamp(), w->deadline);

		if (left <= 0)
			return;
		doze(Min(Min(l.sleep, left), WAIT_LOOK_EACH));
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
	volatile int held = 0;

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	PG_TRY();
	{
		for (; held < w->ntags; held++)
			(void) LockAcquire(&w->tags[held], ShareLock, true, false);
		look_and_doze(w);
	}
	PG_FINALLY();
	{
		while (held > 0)
			(void) LockRelease(&w->tags[--held], ShareLock, true);
	}
	PG_END_TRY();
	SPI_finish();
}

/* Those of a session that waits for work of these jobs; none, or too many to take a lock for each: of all. */
static void
set_work_tags(Wait *w, const Datum *labels, int n)
{
	if (n > MOST_JOBS)
		n = 0;
	w->tags = palloc(sizeof(LOCKTAG) * (n + 2));
	set_tag(&w->tags[w->ntags++], NEWS_WORK, 0);
	if (n == 0)
		set_tag(&w->tags[w->ntags++], NEWS_WORK_OF_ALL, 0);
	for (int i = 0; i < n; i++)
		set_tag(&w->tags[w->ntags++], NEWS_WORK_OF_JOB, job_hash(TextDatumGetCString(labels[i])));
}

PG_FUNCTION_INFO_V1(databuild_wait_work);

Datum
databuild_wait_work(PG_FUNCTION_ARGS)
{
	Wait		w = {.query = "SELECT databuild.work_due(databuild.my_jobs($1), l.seq = $2), l.seq FROM databuild.work_left() AS l(seq)",.type = TEXTARRAYOID};
	Datum	   *labels = NULL;
	int			n = 0;

	check_may_commit(fcinfo);
	(void) arg_needed(fcinfo, 1, "timeout");
	w.isnull = PG_ARGISNULL(0);
	w.value = w.isnull ? (Datum) 0 : PG_GETARG_DATUM(0);
	if (!w.isnull)
		labels = arg_texts(fcinfo, 0, "jobs", &n);
	set_work_tags(&w, labels, n);
	w.deadline = arg_deadline(fcinfo, 1);
	wait_for(&w);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(databuild_wait_want);

Datum
databuild_wait_want(PG_FUNCTION_ARGS)
{
	LOCKTAG		tag;
	Wait		w = {.tags = &tag,.ntags = 1,.query = "SELECT databuild.want_due($1, $2 <> 0), 1::bigint",.type = INT8OID};

	check_may_commit(fcinfo);
	set_tag(&tag, NEWS_MOVES, 0);
	w.value = arg_needed(fcinfo, 0, "want_id");
	w.deadline = arg_deadline(fcinfo, 1);
	wait_for(&w);
	return (Datum) 0;
}
