/*
 * direct_refs.c
 *	  New refs without the executor.
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

#include "miscadmin.h"
#include "utils/builtins.h"

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
