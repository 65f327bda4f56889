/*
 * direct_refs.c
 *	  Refs, known and new, without the executor.
 *
 * What a call names lies side by side more often than not: so refs are looked
 * for in order, along the index, which says of all that are not there at once
 * that they are not; where too many others lie between, one by one.
 *
 * ON CONFLICT looks before it inserts each row, and tells the log twice of
 * it.  Here the rows are put into the table together, and then one by one, in
 * order, into the indexes.  The index of refs says whether somebody else has,
 * or is about to have, the same; then all is taken back, and SQL does it,
 * waiting where it must.  It is taken back by the end of a subtransaction, not
 * by deletes: who comes upon a deleted row of a transaction that goes on waits
 * for that, and two who have both given way to a third, which is then rolled
 * back, would wait for each other.  Within a savepoint SQL does it: who waits
 * for a subtransaction that has ended well waits for the whole transaction,
 * though the savepoint be rolled back.
 */
#include "direct.h"

#include "catalog/pg_collation_d.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

/* So many entries that were not asked for are passed over. */
#define PASSED_OVER		8

static int
by_bytes(Datum a, Datum b)
{
	return DatumGetInt32(DirectFunctionCall2Coll(bttextcmp, C_COLLATION_OID, a, b));
}

static bool
in_order(const Datum *refs, int n)
{
	for (int i = 1; i < n; i++)
		if (by_bytes(refs[i - 1], refs[i]) > 0)
			return false;
	return true;
}

/* Along the index, as long as that pays; how many of the refs are done. */
static int
known_along(const Opened *o, const Datum *refs, int n, TupleTableSlot *slot, Rows *rows)
{
	IndexScanDesc scan = direct_scan(o, 2);
	ScanKeyData keys[2];
	int			others = 0;
	int			i = 0;

	ScanKeyEntryInitialize(&keys[0], 0, 1, BTGreaterEqualStrategyNumber, InvalidOid, C_COLLATION_OID, F_TEXT_GE, refs[0]);
	ScanKeyEntryInitialize(&keys[1], 0, 1, BTLessEqualStrategyNumber, InvalidOid, C_COLLATION_OID, F_TEXT_LE, refs[n - 1]);
	scan->xs_want_itup = true;
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	while (others < PASSED_OVER)
	{
		bool		isnull;
		Datum		ref;

		CHECK_FOR_INTERRUPTS();
		if (index_getnext_tid(scan, ForwardScanDirection) == NULL)
		{
			i = n;
			break;
		}
		ref = index_getattr(scan->xs_itup, 1, scan->xs_itupdesc, &isnull);
		while (by_bytes(refs[i], ref) < 0)
			i++;
		if (by_bytes(refs[i], ref) != 0)
			others++;
		else if (index_fetch_heap(scan, slot))
			direct_add_slot(rows, o, slot);
	}
	index_endscan(scan);
	return i;
}

bool
direct_refs_known(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Opened		o;
	TupleTableSlot *slot;
	IndexScanDesc scan;
	ScanKeyData key;
	Datum	   *refs;
	int			n;
	int			done = 0;

	if (!direct_open(&o, d, READS))
		return false;
	deconstruct_array(DatumGetArrayTypeP(args[0]), TEXTOID, -1, false, TYPALIGN_INT, &refs, NULL, &n);
	slot = table_slot_create(o.table, NULL);
	scan = direct_scan(&o, 1);
	if (n > 1 && in_order(refs, n))
		done = known_along(&o, refs, n, slot, rows);
	for (int i = done; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		direct_key(&key, TEXTOID, refs[i]);
		if (direct_first(scan, &key, ForwardScanDirection, slot))
			direct_add_slot(rows, &o, slot);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	pfree(refs);
	direct_close(&o, READS);
	return true;
}

/* ---- new ones ---- */

typedef struct Refs
{
	Datum	   *refs;
	Elements	jobs;
	int			n;
	const Datum *same;			/* since, state, prio, ticket of all */
	Direct	   *d;
	Rows	   *rows;			/* what was put in */
	bool		alone;			/* nobody else has any of them */
} Refs;

/* In the order of the columns in direct.c. */
static void
fill_slot(const Opened *o, const Refs *r, int i, TupleTableSlot *slot)
{
	const Datum values[] = {
		Int64GetDatum(gate_next_of("partition_id_seq")), r->refs[i], direct_element(&r->jobs, i),
		r->same[0], r->same[1], r->same[2], r->same[3], Int64GetDatum(0), Int64GetDatum(0)
	};

	Assert(o->ncolumns == lengthof(values));
	ExecClearTuple(slot);
	for (int c = 0; c < o->ncolumns; c++)
	{
		slot->tts_values[o->at[c] - 1] = values[c];
		slot->tts_isnull[o->at[c] - 1] = false;
	}
	ExecStoreVirtualTuple(slot);
}

/* False if somebody has the ref, or is inserting it. */
static bool
insert_entries(const Opened *o, Indexes *x, TupleTableSlot *slot)
{
	bool		conflict = false;

	insert_index_entries_unless(x->info, slot, x->estate, &conflict, list_make1_oid(RelationGetRelid(o->index)));
	ResetPerTupleExprContext(x->estate);
	return !conflict;
}

static void
add_row(Rows *rows, Datum id, Datum ref, Datum job)
{
	bool	   *isnull;
	Datum	   *values = direct_add_row(rows, 3, &isnull);

	values[0] = id;
	values[1] = PointerGetDatum(MemoryContextAlloc(rows->memory, VARSIZE_ANY(DatumGetPointer(ref))));
	memcpy(DatumGetPointer(values[1]), DatumGetPointer(ref), VARSIZE_ANY(DatumGetPointer(ref)));
	values[2] = job;
	memset(isnull, 0, sizeof(bool) * 3);
}

/* False if one of them is in the way of somebody else's. */
static bool
insert_share(const Opened *o, Indexes *x, const Refs *r, int from, TupleTableSlot **slots, int n, Rows *rows)
{
	const int	id = o->at[0] - 1;

	for (int i = 0; i < n; i++)
		fill_slot(o, r, from + i, slots[i]);
	direct_insert_slots(o, x, slots, n);
	for (int i = 0; i < n; i++)
	{
		if (!insert_entries(o, x, slots[i]))
			return false;
		add_row(rows, slots[i]->tts_values[id], r->refs[from + i], direct_element(&r->jobs, from + i));
	}
	return true;
}

/* REINDEX CONCURRENTLY has a second index of refs beside the first; SQL knows what to do then. */
static bool
all_valid(const Indexes *x)
{
	for (int i = 0; i < x->info->ri_NumIndices; i++)
		if (!x->info->ri_IndexRelationDescs[i]->rd_index->indisvalid)
			return false;
	return true;
}

/* In a subtransaction. */
static bool
insert_all(void *arg)
{
	Refs	   *r = arg;
	Opened		o;
	Indexes		x;
	TupleTableSlot **slots;
	const int	room = Min(r->n, INSERT_SHARE);
	bool		alone;

	if (!direct_open(&o, r->d, INSERTS))
		return false;
	slots = palloc(sizeof(TupleTableSlot *) * (room + 1));
	for (int i = 0; i < room; i++)
		slots[i] = MakeSingleTupleTableSlot(RelationGetDescr(o.table), &TTSOpsVirtual);
	x = direct_open_indexes(o.table);
	alone = all_valid(&x);
	for (int from = 0; from < r->n && alone; from += room)
	{
		CHECK_FOR_INTERRUPTS();
		alone = insert_share(&o, &x, r, from, slots, Min(room, r->n - from), r->rows);
	}
	direct_close_indexes(&x);
	for (int i = 0; i < room; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
	pfree(slots);
	direct_close(&o, INSERTS);
	return r->alone = alone;
}

bool
direct_insert_refs(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Refs		r = {.d = d,.jobs = direct_elements(args[1]),.same = args + 2,.rows = rows};
	ErrorData  *error;

	if (GetCurrentTransactionNestLevel() > 1)
		return false;
	deconstruct_array(DatumGetArrayTypeP(args[0]), TEXTOID, -1, false, TYPALIGN_INT, &r.refs, NULL, &r.n);
	error = subxact_try(insert_all, &r);
	if (error != NULL)
		ReThrowError(error);
	pfree(r.refs);
	if (!r.alone)
		rows_free(rows);
	return r.alone;
}
