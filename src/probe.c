/*
 * probe.c
 *	  Whether a row is on the move in another transaction, for statements that
 *	  must neither wait for it nor overlook it.
 *
 * Alone here because it is the one place that looks at what no snapshot shows.
 */
#include "direct.h"

#include "access/heapam.h"
#include "storage/bufmgr.h"

/* As pgrowlocks asks it.  Takes a buffer share lock, no other. */
bool
row_in_flight(Relation rel, const ItemPointerData *tid)
{
	HeapTupleData tuple = {.t_self = *tid,.t_tableOid = RelationGetRelid(rel)};
	Buffer		buffer = ReadBuffer(rel, ItemPointerGetBlockNumber(tid));
	Page		page;
	ItemId		item;
	TM_Result	result = TM_Deleted;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	item = PageGetItemId(page, ItemPointerGetOffsetNumber(tid));
	if (ItemIdIsNormal(item))
	{
		tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
		tuple.t_len = ItemIdGetLength(item);
		result = HeapTupleSatisfiesUpdate(&tuple, GetCurrentCommandId(false), buffer);
		if (result == TM_BeingModified && !(tuple.t_data->t_infomask & HEAP_XMAX_IS_MULTI) &&
			TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmax(tuple.t_data)))
			result = TM_Ok;		/* only our own lock */
	}
	UnlockReleaseBuffer(buffer);
	return result == TM_BeingModified || result == TM_Updated || result == TM_Deleted;
}

PG_FUNCTION_INFO_V1(databuild_in_flight);

/* The same in SQL: (oid of the table, tid). */
Datum
databuild_in_flight(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), AccessShareLock);
	bool		in_flight = row_in_flight(rel, (ItemPointer) PG_GETARG_POINTER(1));

	table_close(rel, AccessShareLock);
	PG_RETURN_BOOL(in_flight);
}
