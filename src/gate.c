/*
 * gate.c
 *	  The gate that every writing call passes, and the horizon behind which all
 *	  numbers are settled.
 *
 * Two gates, taken before all other locks and in this order: the job table
 * (definitions and replay alone, everybody else together) and the event table
 * (replay alone).  They are table locks of the modes that a writer takes
 * anyway, so they cost nothing and pg_locks shows them as what they are.
 *
 * All numbers (events, runs, queue entries) come from one sequence.  Before it
 * draws the first, a transaction takes a shared lock in an advisory class of
 * our own, with the sequence's present value as key; all that it draws is
 * greater.  So the smallest key held says what may still be in flight: a
 * reader reads the sequence's value, then the keys.  A writer that it does not
 * see among the keys draws after that, and so beyond the value read.  Numbers
 * up to the lesser of both belong to transactions that have ended.  Unlike a
 * horizon of transaction ids, this one does not stand still because some
 * transaction elsewhere stays open.
 *
 * A transaction that ends an instance's being live takes two more keys first:
 * one of its own, as above, and one that all such transactions share.  So a
 * claim, which must know whether it sees live what another session is just
 * replacing, asks for the holders of one lock; only if there are any does it
 * look for their keys.
 */
#include "databuild.h"

#include "catalog/namespace.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/*
 * The fields that keep our keys apart from pg_advisory_lock()'s 1 and 2.  The
 * numbers of queue entries have keys of their own, taken only by who makes
 * such entries: a worker that keeps the transaction of its claim open does not
 * hold up the marks of the queues.
 */
#define KEY_CLASS		0xDB
#define QUEUE_KEY_CLASS	0xDC
#define ENDS_KEY_CLASS	0xDD
#define ENDS_CLASS		0xDE	/* the shared one */

/* How a definition or replay waits for the gates, in milliseconds: see wait_politely(). */
#define TRY_MS			100
#define REST_MS			400
#define TRIES_LONG		10

Oid
store_relation(const char *name)
{
	Oid			oid = get_relname_relid(name, get_namespace_oid("databuild", false));

	if (!OidIsValid(oid))
		elog(ERROR, "relation databuild.%s is missing", name);
	return oid;
}

/* One key a transaction, unless a savepoint took it along when it was rolled back. */
typedef struct Key
{
	LOCKTAG		tag;
	LocalTransactionId holder;
} Key;

/* False if it was held already. */
static bool
hold_key(Key *key, uint16 class)
{
	int64		last;

	if (key->holder == MY_LXID && lock_held_by_me(&key->tag, ShareLock))
		return false;
	last = gate_last();
	SET_LOCKTAG_ADVISORY(key->tag, MyDatabaseId, (uint32) (last >> 32), (uint32) last, class);
	(void) LockAcquire(&key->tag, ShareLock, false, false);
	key->holder = MY_LXID;
	return true;
}

static int64
number_of(const LOCKTAG *tag)
{
	return (int64) (((uint64) tag->locktag_field2 << 32) | tag->locktag_field3);
}

static void
hold_event_key(void)
{
	static Key	key;

	(void) hold_key(&key, KEY_CLASS);
}

void
gate_enter_queue(void)
{
	static Key	key;

	(void) hold_key(&key, QUEUE_KEY_CLASS);
}

static void
set_ends_tag(LOCKTAG *tag)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, 0, 0, ENDS_CLASS);
}

int64
gate_enter_ends(void)
{
	static Key	key;
	LOCKTAG		all;

	if (hold_key(&key, ENDS_KEY_CLASS))
	{
		set_ends_tag(&all);
		(void) LockAcquire(&all, ShareLock, false, false);
	}
	return number_of(&key.tag);
}

void
gate_enter(void)
{
	LockRelationOid(store_relation("job"), RowShareLock);
	LockRelationOid(store_relation("event"), RowExclusiveLock);
	hold_event_key();
}

typedef struct Gates
{
	const Oid  *oids;
	int			n;
	int			wait;
	bool		passed;
} Gates;

static bool
lock_gates(void *arg)
{
	Gates	   *gates = arg;

	LockTimeout = gates->wait;
	for (int i = 0; i < gates->n; i++)
		LockRelationOid(gates->oids[i], ExclusiveLock);
	return gates->passed = true;
}

/*
 * Wait at most so many milliseconds for each of the gates; false if they were
 * not enough, or *error if it is something else.
 */
static bool
try_alone(const Oid *oids, int n, int wait, ErrorData **error)
{
	Gates		gates = {oids, n, wait};
	const int	usual = LockTimeout;

	*error = subxact_try(lock_gates, &gates);
	LockTimeout = usual;
	return gates.passed;
}

/*
 * Behind a call in a transaction that stays open, a definition or replay that
 * simply waited would hold up all calls after it, heartbeats among them.  So
 * it waits a little, lets them pass, and tries again; now and then for so long
 * that deadlocks are found.
 */
static void
wait_politely(const Oid *gates, int n)
{
	TimestampTz began = GetCurrentTimestamp();

	for (int i = 1;; i++)
	{
		int			wait = i % TRIES_LONG == 0 ? DeadlockTimeout + TRY_MS : TRY_MS;
		ErrorData  *error = NULL;

		if (try_alone(gates, n, wait, &error))
			return;
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE ||
			(LockTimeout > 0 && TimestampDifferenceExceeds(began, GetCurrentTimestamp(), LockTimeout)))
			ReThrowError(error);
		FreeErrorData(error);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, REST_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

void
gate_enter_alone(void)
{
	const Oid	gates[] = {store_relation("job")};

	wait_politely(gates, lengthof(gates));
	LockRelationOid(store_relation("event"), RowExclusiveLock);
	hold_event_key();
}

PG_FUNCTION_INFO_V1(databuild_shut_gates);

Datum
databuild_shut_gates(PG_FUNCTION_ARGS)
{
	const Oid	gates[] = {store_relation("job"), store_relation("event")};

	(void) fcinfo;
	wait_politely(gates, lengthof(gates));
	PG_RETURN_VOID();
}

/* This session has drawn a number that tells it to move the marks. */
static bool turn = false;

int64
gate_next(void)
{
	int64		number = nextval_internal(store_relation("serial"), false);

	turn = turn || number % MARK_STEP == 0;
	return number;
}

bool
gate_turn(void)
{
	bool		taken = turn;

	turn = false;
	return taken;
}

int64
gate_next_of(const char *sequence)
{
	return nextval_internal(store_relation(sequence), false);
}

int64
gate_last(void)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum		last;

	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = ObjectIdGetDatum(store_relation("serial"));
	fcinfo->args[0].isnull = false;
	last = pg_sequence_last_value(fcinfo);
	return fcinfo->isnull ? 0 : DatumGetInt64(last);
}

/* A key of another transaction, in this database. */
static bool
is_key(const LockInstanceData *lock, uint16 class)
{
	return lock->locktag.locktag_type == LOCKTAG_ADVISORY &&
		lock->locktag.locktag_field1 == MyDatabaseId &&
		lock->locktag.locktag_field4 == class &&
		lock->holdMask != 0 && lock->pid != MyProcPid;
}

int64
gate_horizon(bool queues)
{
	int64		horizon = gate_last();
	LockData   *locks = GetLockStatusData();

	for (int i = 0; i < locks->nelements; i++)
	{
		int64		key = number_of(&locks->locks[i].locktag);

		if (is_key(&locks->locks[i], queues ? QUEUE_KEY_CLASS : KEY_CLASS) && key < horizon)
			horizon = key;
	}
	return horizon;
}

Ids
gate_ends_in_flight(void)
{
	Ids			keys = {0};
	LOCKTAG		all;
	LockData   *locks;
	int			n;

	set_ends_tag(&all);
	(void) GetLockConflicts(&all, ExclusiveLock, &n);
	if (n == 0)
		return keys;
	locks = GetLockStatusData();
	for (int i = 0; i < locks->nelements; i++)
		if (is_key(&locks->locks[i], ENDS_KEY_CLASS))
			ids_add(&keys, number_of(&locks->locks[i].locktag));
	return keys;
}

PG_FUNCTION_INFO_V1(databuild_horizon);

Datum
databuild_horizon(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_INT64(gate_horizon(false));
}
