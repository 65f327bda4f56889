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
 */
#include "databuild.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

/*
 * The fields that keep our keys apart from pg_advisory_lock()'s 1 and 2.  The
 * numbers of queue entries have keys of their own, taken only by who makes
 * such entries: a worker that keeps the transaction of its claim open does not
 * hold up the marks of the queues.
 */
#define KEY_CLASS		0xDB
#define QUEUE_KEY_CLASS	0xDC

static Oid
relation(const char *name)
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

static void
hold_key(Key *key, uint16 class)
{
	int64		last;

	if (key->holder == MY_LXID && lock_held_by_me(&key->tag, ShareLock))
		return;
	last = gate_last();
	SET_LOCKTAG_ADVISORY(key->tag, MyDatabaseId, (uint32) (last >> 32), (uint32) last, class);
	(void) LockAcquire(&key->tag, ShareLock, false, false);
	key->holder = MY_LXID;
}

static void
hold_event_key(void)
{
	static Key	key;

	hold_key(&key, KEY_CLASS);
}

void
gate_enter_queue(void)
{
	static Key	key;

	hold_key(&key, QUEUE_KEY_CLASS);
}

void
gate_enter(void)
{
	LockRelationOid(relation("job"), RowShareLock);
	LockRelationOid(relation("event"), RowExclusiveLock);
	hold_event_key();
}

void
gate_enter_alone(void)
{
	LockRelationOid(relation("job"), ExclusiveLock);
	LockRelationOid(relation("event"), RowExclusiveLock);
	hold_event_key();
}

int64
gate_next(void)
{
	return nextval_internal(relation("serial"), false);
}

int64
gate_next_of(const char *sequence)
{
	return nextval_internal(relation(sequence), false);
}

int64
gate_last(void)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum		last;

	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = ObjectIdGetDatum(relation("serial"));
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
		const LOCKTAG *tag = &locks->locks[i].locktag;
		int64		key = (int64) (((uint64) tag->locktag_field2 << 32) | tag->locktag_field3);

		if (is_key(&locks->locks[i], queues ? QUEUE_KEY_CLASS : KEY_CLASS) && key < horizon)
			horizon = key;
	}
	return horizon;
}

PG_FUNCTION_INFO_V1(databuild_horizon);

Datum
databuild_horizon(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_INT64(gate_horizon(false));
}
