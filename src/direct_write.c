/*
 * direct_write.c
 *	  Rows without the executor: put in, many at a time, changed where the
 *	  call holds them, and deleted where nobody else is doing so.
 */
#include "direct.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* ---- putting rows in ---- */

Indexes
direct_open_indexes(Relation table)
{
	Indexes		x = {CreateExecutorState(), makeNode(ResultRelInfo)};

	InitResultRelInfo(x.info, table, 0, NULL, 0);
	ExecOpenIndices(x.info, false);
	return x;
}

void
direct_close_indexes(Indexes *x)
{
	ExecCloseIndices(x->info);
	FreeExecutorState(x->estate);
	pfree(x->info);
}

/* The elements of an argument that is an array, all there. */
Elements
direct_elements(Datum array)
{
	ArrayType  *a = DatumGetArrayTypeP(array);
	Elements	e = {ARR_DATA_PTR(a), ArrayGetNItems(ARR_NDIM(a), ARR_DIMS(a))};
	char		align;

	get_typlenbyvalalign(ARR_ELEMTYPE(a), &e.length, &e.byval, &align);
	Assert(e.byval && !ARR_HASNULL(a));
	return e;
}

Datum
direct_element(const Elements *e, int i)
{
	return fetch_att(e->at + (Size) i * e->length, e->byval, e->length);
}

/* The columns of a statement with what they come from, ready to be asked for row by row. */
typedef struct Columns
{
	const Opened *o;
	const Column *column;
	Datum	   *args;
	const char *nulls;
	Elements	of[MOST_COLUMNS];
	Elements	ends[MOST_COLUMNS][2];
} Columns;

static void
prepare_columns(Columns *s, const Opened *o, Direct *d, Datum *args, const char *nulls)
{
	*s = (Columns)
	{
		.o = o,.column = d->columns,.args = args,.nulls = nulls
	};
	for (int i = 0; i < o->ncolumns; i++)
	{
		const Column *c = &d->columns[i];

		if (c->from == EACH || c->from == SLICE)
			s->of[i] = direct_elements(args[c->arg]);
		if (c->from == SUM)
			s->of[i] = direct_elements(args[c->more[0]]);
		for (int k = 0; c->from == SLICE && k < 2; k++)
			s->ends[i][k] = direct_elements(args[c->more[k]]);
	}
}

static Datum
slice(const Columns *s, int column, int row)
{
	const int64 *all = (const int64 *) s->of[column].at;
	int			first = DatumGetInt32(direct_element(&s->ends[column][0], row));
	int			last = DatumGetInt32(direct_element(&s->ends[column][1], row));
	Ids			part = {(int64 *) all + first - 1, last - first + 1, 0};

	return ids_datum(&part);
}

static Datum
column_value(const Columns *s, int column, int row, bool *isnull)
{
	const Column *c = &s->column[column];

	*isnull = false;
	switch (c->from)
	{
		case EACH:
			return direct_element(&s->of[column], row);
		case SAME:
			*isnull = s->nulls != NULL && s->nulls[c->arg] == 'n';
			return s->args[c->arg];
		case SUM:
			return Int64GetDatum(DatumGetInt64(s->args[c->arg]) + DatumGetInt64(direct_element(&s->of[column], row)));
		case SLICE:
			return slice(s, column, row);
		case SESSION_USER:
			return CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
		case RUNNING:
			return CharGetDatum(net_place_letter(RUN, R_RUNNING));
		case NEVER:
			return TimestampTzGetDatum(DT_NOEND);
	}
	pg_unreachable();
}

/* How many rows: as many as the first array has elements, or one. */
static int
rows_to_insert(const Columns *s)
{
	for (int i = 0; i < s->o->ncolumns; i++)
		if (s->column[i].from == EACH)
			return s->of[i].n;
	return 1;
}

static void
fill_slot(const Columns *s, int row, TupleTableSlot *slot)
{
	ExecClearTuple(slot);
	for (int i = 0; i < s->o->ncolumns; i++)
	{
		int			at = s->o->at[i] - 1;

		slot->tts_values[at] = column_value(s, i, row, &slot->tts_isnull[at]);
	}
	ExecStoreVirtualTuple(slot);
}

/* Into the table alone, not its indexes. */
void
direct_insert_slots(const Opened *o, Indexes *x, TupleTableSlot **slots, int n)
{
	MemoryContext before;

	for (int i = 0; i < n; i++)
		if (RelationGetDescr(o->table)->constr != NULL)
			ExecConstraints(x->info, slots[i], x->estate);
	before = MemoryContextSwitchTo(GetPerTupleMemoryContext(x->estate));
	if (n == 1)
		table_tuple_insert(o->table, slots[0], GetCurrentCommandId(true), 0, NULL);
	else
		table_multi_insert(o->table, slots, n, GetCurrentCommandId(true), 0, NULL);
	MemoryContextSwitchTo(before);
	ResetPerTupleExprContext(x->estate);
}

/* As many rows as there are slots filled. */
static void
insert_slots(const Opened *o, Indexes *x, TupleTableSlot **slots, int n)
{
	direct_insert_slots(o, x, slots, n);
	for (int i = 0; i < n; i++)
	{
		insert_index_entries(x->info, slots[i], x->estate, false, UPDATES_ALL_INDEXES);
		ResetPerTupleExprContext(x->estate);
	}
}

bool
direct_insert(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Opened		o;
	Indexes		x;
	Columns		s;
	TupleTableSlot **slots;
	int			room;

	if (!direct_open(&o, d, INSERTS))
		return false;
	prepare_columns(&s, &o, d, args, nulls);
	rows->n = rows_to_insert(&s);
	room = Min(rows->n, INSERT_SHARE);
	slots = palloc(sizeof(TupleTableSlot *) * (room + 1));
	for (int i = 0; i < room; i++)
		slots[i] = MakeSingleTupleTableSlot(RelationGetDescr(o.table), &TTSOpsVirtual);
	x = direct_open_indexes(o.table);
	for (int from = 0; from < rows->n; from += room)
	{
		int			n = Min(room, rows->n - from);

		for (int i = 0; i < n; i++)
			fill_slot(&s, from + i, slots[i]);
		insert_slots(&o, &x, slots, n);
		CHECK_FOR_INTERRUPTS();
	}
	direct_close_indexes(&x);
	for (int i = 0; i < room; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
	pfree(slots);
	direct_close(&o, INSERTS);
	return true;
}

/* A time and an id in a timer. */
typedef struct Due
{
	int64		at;
	int64		id;
} Due;

static int
by_time(const void *a, const void *b)
{
	const Due  *x = a;
	const Due  *y = b;

	return x->at < y->at ? -1 : x->at > y->at ? 1 : x->id < y->id ? -1 : x->id > y->id;
}

/* Timers: a row for each time, with all its ids. */
bool
direct_insert_timers(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Elements	times = direct_elements(args[1]);
	Elements	ids = direct_elements(args[2]);
	Due		   *due = palloc(sizeof(Due) * (times.n + 1));
	Ids			at = {0};
	Ids			in_order = {0};
	int32	   *firsts = palloc(sizeof(int32) * (times.n + 1));
	int32	   *lasts = palloc(sizeof(int32) * (times.n + 1));

	for (int i = 0; i < times.n; i++)
		due[i] = (Due)
	{
		DatumGetInt64(direct_element(&times, i)), DatumGetInt64(direct_element(&ids, i))
	};
	qsort(due, times.n, sizeof(Due), by_time);
	for (int i = 0; i < times.n; i++)
	{
		if (i == 0 || due[i].at != due[i - 1].at)
		{
			firsts[at.n] = i + 1;
			ids_add(&at, due[i].at);
		}
		ids_add(&in_order, due[i].id);
		lasts[at.n - 1] = i + 1;
	}
	{
		Datum		grouped[] = {args[0], ids_datum(&at), ids_datum(&in_order), int32s_datum(firsts, at.n), int32s_datum(lasts, at.n)};

		return direct_insert(d, grouped, NULL, rows);
	}
}

/* ---- changing rows that the call holds ---- */

static void
update_row(const Opened *o, TupleTableSlot *was, TupleTableSlot *becomes, Indexes *x)
{
	TM_FailureData failure;
	LockTupleMode mode;
	UpdatedIndexes updated;

	if (table_tuple_update(o->table, &was->tts_tid, becomes, GetCurrentCommandId(true), o->snapshot,
						   InvalidSnapshot, true, &failure, &mode, &updated) != TM_Ok)
		elog(ERROR, "a row of %s changed under its lock", RelationGetRelationName(o->table));
	if (updated == UPDATES_NO_INDEX)
		return;
	if (x->estate == NULL)
		*x = direct_open_indexes(o->table);
	insert_index_entries(x->info, becomes, x->estate, true, updated);
	ResetPerTupleExprContext(x->estate);
}

/* The rows that the scan finds, of which the first is that of element row. */
static void
update_rows(const Opened *o, const Columns *s, Indexes *x, IndexScanDesc scan, int row, TupleTableSlot *was, TupleTableSlot *becomes, Rows *rows)
{
	const int64 first = DatumGetInt64(direct_element(&s->of[0], row));

	while (index_getnext_slot(scan, ForwardScanDirection, was))
	{
		slot_getallattrs(was);
		memcpy(becomes->tts_values, was->tts_values, sizeof(Datum) * was->tts_nvalid);
		memcpy(becomes->tts_isnull, was->tts_isnull, sizeof(bool) * was->tts_nvalid);
		fill_slot(s, row + (int) (direct_value(o, was, 0) - first), becomes);
		update_row(o, was, becomes, x);
		rows->n++;
	}
}

/* The first column is the key, the others get new values. */
bool
direct_update(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Opened		o;
	Columns		s;
	Indexes		x = {0};
	Scans		scans = {0};
	TupleTableSlot *was;
	TupleTableSlot *becomes;
	int			many;

	if (!direct_open(&o, d, UPDATES))
		return false;
	prepare_columns(&s, &o, d, args, nulls);
	was = table_slot_create(o.table, NULL);
	becomes = MakeSingleTupleTableSlot(RelationGetDescr(o.table), &TTSOpsVirtual);
	for (int row = 0; row < s.of[0].n; row += many)
	{
		IndexScanDesc scan = direct_side_by_side(&o, &scans, (const Datum *) s.of[0].at + row, s.of[0].n - row, INT8OID, &many);

		update_rows(&o, &s, &x, scan, row, was, becomes, rows);
		CHECK_FOR_INTERRUPTS();
	}
	ExecDropSingleTupleTableSlot(becomes);
	ExecDropSingleTupleTableSlot(was);
	direct_end_scans(&scans);
	if (x.estate != NULL)
		direct_close_indexes(&x);
	direct_close(&o, UPDATES);
	return true;
}

/* ---- deleting rows ---- */

/* False if somebody else has deleted the row, or is about to. */
bool
direct_delete(const Opened *o, ItemPointer row)
{
	TM_FailureData failure;

	return table_tuple_delete(o->table, row, GetCurrentCommandId(true), o->snapshot, InvalidSnapshot, false, &failure, false) == TM_Ok;
}
