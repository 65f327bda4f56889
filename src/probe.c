/*
 * probe.c
 *	  Whether a row is on the move in another transaction, for statements that
 *	  must neither wait for it nor overlook it.
 *
 * Alone here because it is the one place that looks at what no snapshot shows.
 */
#include "direct.h"

#include "access/heapam.h"
#include "access/multixact.h"
#include "storage/bufmgr.h"
#include "storage/procarray.h"

/* Whether somebody else among them is at it; who but refers to the row, by a foreign key, changes nothing. */
static bool
others_in(MultiXactId multi, bool only_locks)
{
	MultiXactMember *members;
	int			n = GetMultiXactIdMembers(multi, &members, false, only_locks);
	bool		any = false;

	for (int i = 0; i < n; i++)
		any = any || (members[i].status != MultiXactStatusForKeyShare &&
					  !TransactionIdIsCurrentTransactionId(members[i].xid) &&
					  TransactionIdIsInProgress(members[i].xid));
	if (n > 0)
		pfree(members);
	return any;
}

/* Of a row that is being modified, or locked. */
static bool
by_others(TransactionId xmax, uint16 infomask)
{
	bool		only_locks = HEAP_XMAX_IS_LOCKED_ONLY(infomask);

	if (infomask & HEAP_XMAX_IS_MULTI)
		return others_in(xmax, only_locks);
	return !TransactionIdIsCurrentTransactionId(xmax) && !(only_locks && HEAP_XMAX_IS_KEYSHR_LOCKED(infomask));
}

/* As pgrowlocks asks it.  The buffer is pinned; takes a share lock on it, no other. */
static bool
in_flight(Relation rel, Buffer buffer, const ItemPointerData *tid)
{
	HeapTupleData tuple = {.t_self = *tid,.t_tableOid = RelationGetRelid(rel)};
	Page		page;
	ItemId		item;
	TM_Result	result = TM_Deleted;
	TransactionId xmax = InvalidTransactionId;
	uint16		infomask = 0;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	item = PageGetItemId(page, ItemPointerGetOffsetNumber(tid));
	if (ItemIdIsNormal(item))
	{
		tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
		tuple.t_len = ItemIdGetLength(item);
		result = HeapTupleSatisfiesUpdate(&tuple, GetCurrentCommandId(false), buffer);
		xmax = HeapTupleHeaderGetRawXmax(tuple.t_data);
		infomask = tuple.t_data->t_infomask;
	}
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	if (result == TM_BeingModified)
		return by_others(xmax, infomask);
	return result == TM_Updated || result == TM_Deleted;
}

/* A row that was just found lies in the buffer that its slot has pinned. */
bool
slot_in_flight(Relation rel, const TupleTableSlot *slot)
{
	Assert(TTS_IS_BUFFERTUPLE(slot));
	return in_flight(rel, ((const BufferHeapTupleTableSlot *) slot)->buffer, &slot->tts_tid);
}

PG_FUNCTION_INFO_V1(databuild_in_flight);

/* The same in SQL: (oid of the table, tid). */
Datum
databuild_in_flight(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), AccessShareLock);
	ItemPointer tid = (ItemPointer) PG_GETARG_POINTER(1);
	Buffer		buffer = ReadBuffer(rel, ItemPointerGetBlockNumber(tid));
	bool		found = in_flight(rel, buffer, tid);

	ReleaseBuffer(buffer);
	table_close(rel, AccessShareLock);
	PG_RETURN_BOOL(found);
}
