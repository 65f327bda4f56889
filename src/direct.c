/*
 * direct.c
 *	  The statements of which every claim and report is made, without the
 *	  executor.
 *
 * plans.def says what they do; this does the same by tables and indexes, in a
 * tenth of the time: for one row, setting up and taking down a plan is most of
 * what a statement costs.  So it is a second way only: whatever is out of the
 * ordinary (an isolation level above READ COMMITTED, a trigger, a column that
 * nobody thought of) goes by SQL, and databuild.direct = off sends all of it
 * there, which is how the tests compare the two.
 *
 * Each statement is a row of a table: what is done, to which relation, by which
 * index, with which columns.  Like each statement of SPI's it sees what was
 * committed before it began, and what this transaction did before.
 */
#include "store.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "compat.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation_d.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define MOST_COLUMNS	20

/* So many rows are put into a table at a time. */
#define INSERT_SHARE	1000

/* So many entries of the ready set are looked at in memory at once; SQL sorts more. */
#define READY_MOST		100000

/* Where the value of a column comes from. */
typedef enum Source
{
	EACH,						/* of row i: element i of an argument */
	SAME,						/* of all rows: an argument */
	SUM,						/* the argument, and element i of another */
	SLICE,						/* a part of an argument: from, to by two others */
	SESSION_USER,
	RUNNING,					/* what a run begins with */
	NEVER,
} Source;

typedef struct Column
{
	const char *name;
	Source		from;
	int			arg;
	int			more[2];
} Column;

typedef struct Direct Direct;
typedef bool (*Execute) (const Direct *d, Datum *args, const char *nulls, Rows *rows);

struct Direct
{
	Execute		execute;
	const char *table;
	const char *index;			/* by which rows are found */
	Lock		lock;			/* of what is fetched */
	Column		columns[MOST_COLUMNS];
};

/* A relation that is open for one statement, and where its columns are. */
typedef struct Opened
{
	Relation	table;
	Relation	index;
	Snapshot	snapshot;
	AttrNumber	at[MOST_COLUMNS];
	int			ncolumns;
} Opened;

static bool direct_setting = true;

void
direct_init(void)
{
	DefineCustomBoolVariable("databuild.direct",
							 "Lets databuild read and write its tables without the executor.",
							 "Off: all by SQL, more slowly; for tests, and in doubt.",
							 &direct_setting, true, PGC_SUSET, GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);
}

/* ---- relations ---- */

typedef enum Act
{
	READS,
	INSERTS,
	UPDATES,
	DELETES,
} Act;

static bool
has_triggers(const TriggerDesc *t, Act act)
{
	switch (act)
	{
		case READS:
			return false;
		case INSERTS:
			return t->trig_insert_before_row || t->trig_insert_after_row ||
				t->trig_insert_before_statement || t->trig_insert_after_statement;
		case UPDATES:
			return t->trig_update_before_row || t->trig_update_after_row ||
				t->trig_update_before_statement || t->trig_update_after_statement;
		case DELETES:
			return t->trig_delete_before_row || t->trig_delete_after_row ||
				t->trig_delete_before_statement || t->trig_delete_after_statement;
	}
	pg_unreachable();
}

static AttrNumber
column_number(TupleDesc desc, const char *name, int guess)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute a = TupleDescAttr(desc, (guess + i) % desc->natts);

		if (!a->attisdropped && strcmp(NameStr(a->attname), name) == 0)
			return a->attnum;
	}
	return InvalidAttrNumber;
}

/* Whether all columns are there; of what is inserted, no others. */
static bool
find_columns(Opened *o, const Direct *d, Act act)
{
	TupleDesc	desc = RelationGetDescr(o->table);
	int			nothers = desc->natts;

	for (o->ncolumns = 0; o->ncolumns < MOST_COLUMNS && d->columns[o->ncolumns].name != NULL; o->ncolumns++)
	{
		o->at[o->ncolumns] = column_number(desc, d->columns[o->ncolumns].name, o->ncolumns);
		if (o->at[o->ncolumns] == InvalidAttrNumber)
			return false;
		nothers--;
	}
	for (int i = 0; i < desc->natts; i++)
		nothers -= TupleDescAttr(desc, i)->attisdropped;
	return act != INSERTS || nothers == 0;
}

static void
close_it(Opened *o, Act act)
{
	if (o->index != NULL)
		index_close(o->index, NoLock);
	table_close(o->table, NoLock);
	if (o->snapshot != NULL)
		PopActiveSnapshot();
	if (act != READS)
		CommandCounterIncrement();
}

/* Table and index as a statement by SQL would lock them; false if it must go by SQL. */
static bool
open_it(Opened *o, const Direct *d, Act act)
{
	LOCKMODE	mode = act != READS ? RowExclusiveLock : d->lock == LOCK_NONE ? AccessShareLock : RowShareLock;

	*o = (Opened)
	{
		.table = table_open(store_relation(d->table), mode)
	};
	if (o->table->rd_rel->relkind != RELKIND_RELATION || o->table->rd_rules != NULL ||
		(o->table->trigdesc != NULL && has_triggers(o->table->trigdesc, act)) ||
		!find_columns(o, d, act))
	{
		close_it(o, READS);
		return false;
	}
	if (d->index != NULL)
		o->index = index_open(store_relation(d->index), mode);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	o->snapshot = GetActiveSnapshot();
	return true;
}

/* ---- results ---- */

/* Room for another row; its values. */
static Datum *
add_row(Rows *rows, int columns, bool **nulls)
{
	if (rows->memory == NULL)
		rows->memory = AllocSetContextCreate(CurrentMemoryContext, "databuild rows", ALLOCSET_SMALL_SIZES);
	if (rows->n == rows->room)
	{
		int			room = rows->room * 2 + 16;
		Datum	   *values = MemoryContextAllocHuge(rows->memory, sizeof(Datum) * room * columns);
		bool	   *isnull = MemoryContextAllocHuge(rows->memory, sizeof(bool) * room * columns);

		if (rows->n > 0)
		{
			memcpy(values, rows->values, sizeof(Datum) * rows->n * columns);
			memcpy(isnull, rows->nulls, sizeof(bool) * rows->n * columns);
			pfree(rows->values);
			pfree(rows->nulls);
		}
		rows->values = values;
		rows->nulls = isnull;
		rows->room = room;
		rows->columns = columns;
	}
	*nulls = rows->nulls + rows->n * columns;
	return rows->values + rows->n++ * columns;
}

static void
add_slot(Rows *rows, const Opened *o, TupleTableSlot *slot)
{
	bool	   *nulls;
	Datum	   *values = add_row(rows, o->ncolumns, &nulls);
	MemoryContext before = MemoryContextSwitchTo(rows->memory);

	for (int i = 0; i < o->ncolumns; i++)
	{
		Form_pg_attribute a = TupleDescAttr(slot->tts_tupleDescriptor, o->at[i] - 1);

		values[i] = slot_getattr(slot, o->at[i], &nulls[i]);
		if (!nulls[i] && !a->attbyval)
			values[i] = a->attlen == -1 ? PointerGetDatum(PG_DETOAST_DATUM_COPY(values[i])) :
				datumCopy(values[i], a->attbyval, a->attlen);
	}
	MemoryContextSwitchTo(before);
}

static int64
value_of(const Opened *o, TupleTableSlot *slot, int column)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, o->at[column], &isnull);

	switch (TupleDescAttr(slot->tts_tupleDescriptor, o->at[column] - 1)->attlen)
	{
		case 2:
			return DatumGetInt16(value);
		case 4:
			return DatumGetInt32(value);
		default:
			return DatumGetInt64(value);
	}
}

/* ---- finding rows ---- */

static IndexScanDesc
begin_scan(const Opened *o, int nkeys)
{
	return index_beginscan(o->table, o->index, o->snapshot, nkeys, 0);
}

/* The first row, in that direction, that the keys, all those of the scan, let through. */
static bool
first_row(IndexScanDesc scan, ScanKey keys, ScanDirection direction, TupleTableSlot *slot)
{
	index_rescan(scan, keys, scan->numberOfKeys, NULL, 0);
	return index_getnext_slot(scan, direction, slot);
}

/* The key of an index's first column, which is alone. */
static void
equal_to(ScanKey key, Oid type, Datum value)
{
	switch (type)
	{
		case INT8OID:
			ScanKeyInit(key, 1, BTEqualStrategyNumber, F_INT8EQ, value);
			break;
		case INT4OID:
			ScanKeyInit(key, 1, BTEqualStrategyNumber, F_INT4EQ, value);
			break;
		case CHAROID:
			ScanKeyInit(key, 1, BTEqualStrategyNumber, F_CHAREQ, value);
			break;
		default:
			Assert(type == TEXTOID);
			ScanKeyEntryInitialize(key, 0, 1, BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID, F_TEXTEQ, value);
	}
}

static int
by_int64(const void *a, const void *b)
{
	Datum		x = *(const Datum *) a;
	Datum		y = *(const Datum *) b;

	return DatumGetInt64(x) < DatumGetInt64(y) ? -1 : DatumGetInt64(x) > DatumGetInt64(y);
}

/* The elements of an array; those of numbers in order, each once. */
static Datum *
keys_of(Datum array, Oid *type, int *n)
{
	ArrayType  *a = DatumGetArrayTypeP(array);
	Datum	   *keys;
	int			kept = 0;
	int16		length;
	bool		byval;
	char		align;

	*type = ARR_ELEMTYPE(a);
	get_typlenbyvalalign(*type, &length, &byval, &align);
	deconstruct_array(a, *type, length, byval, align, &keys, NULL, n);
	if (*type == TEXTOID || *n == 0)
		return keys;
	qsort(keys, *n, sizeof(Datum), by_int64);
	for (int i = 1; i < *n; i++)
		if (keys[i] != keys[kept])
			keys[++kept] = keys[i];
	*n = kept + 1;
	return keys;
}

/* Lock a row as it is now; false if somebody else holds it and we do not wait, or it is gone. */
static bool
lock_row(const Opened *o, TupleTableSlot *slot, Lock lock)
{
	ItemPointerData row = slot->tts_tid;
	TM_FailureData failure;

	switch (table_tuple_lock(o->table, &row, o->snapshot, slot, GetCurrentCommandId(true), LockTupleNoKeyExclusive,
							 lock == LOCK_WAIT ? LockWaitBlock : LockWaitSkip,
							 TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure))
	{
		case TM_Ok:
			return true;
		case TM_WouldBlock:
		case TM_Deleted:
		case TM_SelfModified:
			return false;
		case TM_Invisible:
		case TM_Updated:
		case TM_BeingModified:
			break;
	}
	elog(ERROR, "could not lock a row of %s", RelationGetRelationName(o->table));
}

/* Rows by their keys, and where asked for with their locks. */
static bool
fetch(const Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Opened		o;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	Datum	   *keys;
	Oid			type;
	int			n;

	if (!open_it(&o, d, READS))
		return false;
	keys = keys_of(args[0], &type, &n);
	scan = begin_scan(&o, 1);
	slot = table_slot_create(o.table, NULL);
	for (int i = 0; i < n; i++)
	{
		ScanKeyData key;

		equal_to(&key, type, keys[i]);
		if (first_row(scan, &key, ForwardScanDirection, slot) &&
			(d->lock == LOCK_NONE || lock_row(&o, slot, d->lock)))
			add_slot(rows, &o, slot);
		if (i % 1000 == 999)
			CHECK_FOR_INTERRUPTS();
	}
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	pfree(keys);
	close_it(&o, READS);
	return true;
}

/* True if there are none, which is the rule; else it is for SQL to take them. */
static bool
none_there(const Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	return fetch(d, args, nulls, rows) && rows->n == 0;
}

/* ---- putting rows in ---- */

/* What it takes to put entries into indexes. */
typedef struct Indexes
{
	EState	   *estate;
	ResultRelInfo *info;
} Indexes;

static Indexes
open_indexes(Relation table)
{
	Indexes		x = {CreateExecutorState(), makeNode(ResultRelInfo)};

	InitResultRelInfo(x.info, table, 0, NULL, 0);
	ExecOpenIndices(x.info, false);
	return x;
}

static void
close_indexes(Indexes *x)
{
	ExecCloseIndices(x->info);
	FreeExecutorState(x->estate);
	pfree(x->info);
}

/* The elements of an argument that is an array, all there. */
typedef struct Elements
{
	const char *at;
	int			n;
	int16		length;
	bool		byval;
} Elements;

static Elements
elements(Datum array)
{
	ArrayType  *a = DatumGetArrayTypeP(array);
	Elements	e = {ARR_DATA_PTR(a), ArrayGetNItems(ARR_NDIM(a), ARR_DIMS(a))};
	char		align;

	get_typlenbyvalalign(ARR_ELEMTYPE(a), &e.length, &e.byval, &align);
	Assert(e.byval && !ARR_HASNULL(a));
	return e;
}

static Datum
element(const Elements *e, int i)
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
prepare_columns(Columns *s, const Opened *o, const Direct *d, Datum *args, const char *nulls)
{
	*s = (Columns)
	{
		.o = o,.column = d->columns,.args = args,.nulls = nulls
	};
	for (int i = 0; i < o->ncolumns; i++)
	{
		const Column *c = &d->columns[i];

		if (c->from == EACH || c->from == SLICE)
			s->of[i] = elements(args[c->arg]);
		if (c->from == SUM)
			s->of[i] = elements(args[c->more[0]]);
		for (int k = 0; c->from == SLICE && k < 2; k++)
			s->ends[i][k] = elements(args[c->more[k]]);
	}
}

static Datum
slice(const Columns *s, int column, int row)
{
	const int64 *all = (const int64 *) s->of[column].at;
	int			first = DatumGetInt32(element(&s->ends[column][0], row));
	int			last = DatumGetInt32(element(&s->ends[column][1], row));
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
			return element(&s->of[column], row);
		case SAME:
			*isnull = s->nulls != NULL && s->nulls[c->arg] == 'n';
			return s->args[c->arg];
		case SUM:
			return Int64GetDatum(DatumGetInt64(s->args[c->arg]) + DatumGetInt64(element(&s->of[column], row)));
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

/* As many rows as there are slots filled. */
static void
insert_slots(const Opened *o, Indexes *x, TupleTableSlot **slots, int n)
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
	for (int i = 0; i < n; i++)
	{
		insert_index_entries(x->info, slots[i], x->estate, false, UPDATES_ALL_INDEXES);
		ResetPerTupleExprContext(x->estate);
	}
}

static bool
insert(const Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Opened		o;
	Indexes		x;
	Columns		s;
	TupleTableSlot **slots;
	int			room;

	if (!open_it(&o, d, INSERTS))
		return false;
	prepare_columns(&s, &o, d, args, nulls);
	rows->n = rows_to_insert(&s);
	room = Min(rows->n, INSERT_SHARE);
	slots = palloc(sizeof(TupleTableSlot *) * (room + 1));
	for (int i = 0; i < room; i++)
		slots[i] = MakeSingleTupleTableSlot(RelationGetDescr(o.table), &TTSOpsVirtual);
	x = open_indexes(o.table);
	for (int from = 0; from < rows->n; from += room)
	{
		int			n = Min(room, rows->n - from);

		for (int i = 0; i < n; i++)
			fill_slot(&s, from + i, slots[i]);
		insert_slots(&o, &x, slots, n);
		CHECK_FOR_INTERRUPTS();
	}
	close_indexes(&x);
	for (int i = 0; i < room; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
	pfree(slots);
	close_it(&o, INSERTS);
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
static bool
insert_timers(const Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Elements	times = elements(args[1]);
	Elements	ids = elements(args[2]);
	Due		   *due = palloc(sizeof(Due) * (times.n + 1));
	Ids			at = {0};
	Ids			in_order = {0};
	int32	   *firsts = palloc(sizeof(int32) * (times.n + 1));
	int32	   *lasts = palloc(sizeof(int32) * (times.n + 1));

	for (int i = 0; i < times.n; i++)
		due[i] = (Due)
	{
		DatumGetInt64(element(&times, i)), DatumGetInt64(element(&ids, i))
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

		return insert(d, grouped, NULL, rows);
	}
}

/* ---- changing and taking out rows that the call holds ---- */

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
		*x = open_indexes(o->table);
	insert_index_entries(x->info, becomes, x->estate, true, updated);
	ResetPerTupleExprContext(x->estate);
}

/* The first column is the key, the others get new values. */
static bool
update(const Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Opened		o;
	Columns		s;
	Indexes		x = {0};
	IndexScanDesc scan;
	TupleTableSlot *was;
	TupleTableSlot *becomes;

	if (!open_it(&o, d, UPDATES))
		return false;
	prepare_columns(&s, &o, d, args, nulls);
	scan = begin_scan(&o, 1);
	was = table_slot_create(o.table, NULL);
	becomes = MakeSingleTupleTableSlot(RelationGetDescr(o.table), &TTSOpsVirtual);
	for (int row = 0; row < s.of[0].n; row++)
	{
		ScanKeyData key;

		equal_to(&key, INT8OID, element(&s.of[0], row));
		if (!first_row(scan, &key, ForwardScanDirection, was))
			continue;
		slot_getallattrs(was);
		memcpy(becomes->tts_values, was->tts_values, sizeof(Datum) * was->tts_nvalid);
		memcpy(becomes->tts_isnull, was->tts_isnull, sizeof(bool) * was->tts_nvalid);
		fill_slot(&s, row, becomes);
		update_row(&o, was, becomes, &x);
		rows->n++;
		if (row % 1000 == 999)
			CHECK_FOR_INTERRUPTS();
	}
	ExecDropSingleTupleTableSlot(becomes);
	ExecDropSingleTupleTableSlot(was);
	index_endscan(scan);
	if (x.estate != NULL)
		close_indexes(&x);
	close_it(&o, UPDATES);
	return true;
}

/* Rows by their places, but for those that somebody else is deleting. */
static bool
delete(const Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	ArrayType  *array = DatumGetArrayTypeP(args[0]);
	ItemPointer places = (ItemPointer) ARR_DATA_PTR(array);
	int			n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	Opened		o;

	if (!open_it(&o, d, DELETES))
		return false;
	for (int i = 0; i < n; i++)
	{
		TM_FailureData failure;

		if (table_tuple_delete(o.table, &places[i], GetCurrentCommandId(true), o.snapshot,
							   InvalidSnapshot, false, &failure, false) == TM_Ok)
			rows->n++;
	}
	close_it(&o, DELETES);
	return true;
}

/* ---- the queues ---- */

/* The mark of a queue that is one for all jobs: the last row that begins with its letter. */
static bool
mark(const Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Opened		o;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	ScanKeyData key;

	if (!open_it(&o, d, READS))
		return false;
	scan = begin_scan(&o, 1);
	slot = table_slot_create(o.table, NULL);
	equal_to(&key, CHAROID, args[0]);
	if (first_row(scan, &key, BackwardScanDirection, slot))
		add_slot(rows, &o, slot);
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	close_it(&o, READS);
	return true;
}

/* True if nothing is in the index from low on, nor up to high if that is given. */
static bool
none_between(const Direct *d, Datum low, const Datum *high)
{
	bool		times = high != NULL;
	Opened		o;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	ScanKeyData keys[2];
	bool		none;

	if (!open_it(&o, d, READS))
		return false;
	ScanKeyInit(&keys[0], 1, times ? BTGreaterEqualStrategyNumber : BTGreaterStrategyNumber,
				times ? F_TIMESTAMPTZ_GE : F_INT8GT, low);
	if (times)
		ScanKeyInit(&keys[1], 1, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE, *high);
	scan = begin_scan(&o, times ? 2 : 1);
	slot = table_slot_create(o.table, NULL);
	none = !first_row(scan, keys, ForwardScanDirection, slot);
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	close_it(&o, READS);
	return none;
}

static bool
no_timers(const Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	return none_between(d, args[0], &args[1]);
}

static bool
no_agenda(const Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Datum		queue = CharGetDatum('a');
	Rows		low = store_rows(Q_MARK, &queue, NULL);
	int64		from = low.n == 0 ? DatumGetInt64(args[0]) : Max(DatumGetInt64(args[0]), rows_int64(&low, 0, 0));

	rows_free(&low);
	return none_between(d, Int64GetDatum(from), NULL);
}

/* A queue of the ready set, as its mark says it. */
typedef struct Marked
{
	int32		job;
	int32		rank;
	int64		low;
} Marked;

static int
by_rank(const void *a, const void *b)
{
	const Marked *x = a;
	const Marked *y = b;

	return x->rank > y->rank ? -1 : x->rank < y->rank ? 1 : x->job < y->job ? -1 : x->job > y->job;
}

/* The greatest mark of each queue, from the last job and rank down to the first. */
static Marked *
marked_queues(const Opened *o, int *n)
{
	int			room = 16;
	Marked	   *queues = palloc(sizeof(Marked) * room);
	IndexScanDesc scan = begin_scan(o, 3);
	TupleTableSlot *slot = table_slot_create(o->table, NULL);
	ScanKeyData keys[3];
	bool		same_job = false;

	*n = 0;
	equal_to(&keys[0], CHAROID, CharGetDatum('r'));
	ScanKeyInit(&keys[1], 2, BTLessEqualStrategyNumber, F_INT4LE, Int32GetDatum(PG_INT32_MAX));
	ScanKeyInit(&keys[2], 3, BTLessEqualStrategyNumber, F_INT2LE, Int16GetDatum(PG_INT16_MAX));
	for (;;)
	{
		if (first_row(scan, keys, BackwardScanDirection, slot))
		{
			Marked		m = {value_of(o, slot, 0), value_of(o, slot, 1), value_of(o, slot, 2)};

			if (*n == room)
				queues = repalloc(queues, sizeof(Marked) * (room *= 2));
			queues[(*n)++] = m;
			ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(m.job));
			ScanKeyInit(&keys[2], 3, BTLessStrategyNumber, F_INT2LT, Int16GetDatum((int16) m.rank));
			same_job = true;
		}
		else if (same_job)
		{
			ScanKeyInit(&keys[1], 2, BTLessStrategyNumber, F_INT4LT, Int32GetDatum(queues[*n - 1].job));
			ScanKeyInit(&keys[2], 3, BTLessEqualStrategyNumber, F_INT2LE, Int16GetDatum(PG_INT16_MAX));
			same_job = false;
		}
		else
			break;
	}
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	qsort(queues, *n, sizeof(Marked), by_rank);
	return queues;
}

static const Direct job_by_id = {fetch, "job", "job_pkey", LOCK_NONE, {{"job_id"}, {"label"}, {"paused"}, {"max_running"}}};

static bool
is_among(Datum label, Datum labels)
{
	ArrayType  *a = DatumGetArrayTypeP(labels);
	Datum	   *one;
	int			n;

	deconstruct_array(a, TEXTOID, -1, false, TYPALIGN_INT, &one, NULL, &n);
	for (int i = 0; i < n; i++)
		if (strcmp(TextDatumGetCString(one[i]), TextDatumGetCString(label)) == 0)
			return true;
	return false;
}

/* The jobs of these queues, with what job_by_id tells. */
static bool
load_jobs(const Marked *marked, int n, Rows *jobs)
{
	int32	   *ids = palloc(sizeof(int32) * (n + 1));
	Datum		args[1];

	for (int i = 0; i < n; i++)
		ids[i] = marked[i].job;
	args[0] = int32s_datum(ids, n);
	return fetch(&job_by_id, args, NULL, jobs);
}

/* The row of the queue, if its job is there, is not paused, and is one of those asked for. */
static void
add_queue(Rows *rows, const Marked *m, const Rows *jobs, const Datum *labels)
{
	Datum		job = Int32GetDatum(m->job);
	Datum	   *values;
	bool	   *isnull;
	int			at = 0;

	while (at < jobs->n && rows_int32(jobs, at, 0) != m->job)
		at++;
	if (at == jobs->n || DatumGetBool(rows_datum(jobs, at, 2)) ||
		(labels != NULL && !is_among(rows_datum(jobs, at, 1), *labels)))
		return;
	values = add_row(rows, 4, &isnull);
	values[0] = job;
	values[1] = Int32GetDatum(m->rank);
	values[2] = Int64GetDatum(m->low);
	isnull[0] = isnull[1] = isnull[2] = false;
	isnull[3] = rows_null(jobs, at, 3);
	if (!isnull[3])
		values[3] = Int32GetDatum(rows_int32(jobs, at, 3) - store_ids(Q_SLOTS_USED, &job).n);
}

static bool
queues(const Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Opened		o;
	Marked	   *marked;
	Rows		jobs = {0};
	int			n;

	if (!open_it(&o, d, READS))
		return false;
	marked = marked_queues(&o, &n);
	close_it(&o, READS);
	if (!load_jobs(marked, n, &jobs))
		return false;
	for (int i = 0; i < n; i++)
		add_queue(rows, &marked[i], &jobs, nulls != NULL && nulls[0] == 'n' ? NULL : &args[0]);
	return true;
}

/* An entry of the ready set. */
typedef struct Ready
{
	int64		seq;
	int64		part;
	int32		job;
	ItemPointerData row;
} Ready;

static int
by_seq(const void *a, const void *b)
{
	const Ready *x = a;
	const Ready *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq ? 1 : x->part < y->part ? -1 : x->part > y->part;
}

/* The first entries of a queue above low, at most so many; how many there are. */
static int
first_entries(const Opened *o, IndexScanDesc scan, TupleTableSlot *slot, int32 job, Datum rank, Datum low, Ready *into, int most)
{
	ScanKeyData keys[3];
	int			n = 0;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(job));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT2EQ, rank);
	ScanKeyInit(&keys[2], 3, BTGreaterStrategyNumber, F_INT8GT, low);
	index_rescan(scan, keys, 3, NULL, 0);
	while (n < most && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		into[n] = (Ready)
		{
			value_of(o, slot, 1), value_of(o, slot, 2), job, slot->tts_tid
		};
		n++;
	}
	return n;
}

static void
add_entry(Rows *rows, const Ready *r)
{
	bool	   *isnull;
	Datum	   *values = add_row(rows, 4, &isnull);
	ItemPointer row = MemoryContextAlloc(rows->memory, sizeof(ItemPointerData));

	*row = r->row;
	values[0] = PointerGetDatum(row);
	values[1] = Int64GetDatum(r->seq);
	values[2] = Int64GetDatum(r->part);
	values[3] = Int32GetDatum(r->job);
	memset(isnull, 0, sizeof(bool) * 4);
}

static bool
ready_take(const Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Elements	jobs = elements(args[0]);
	Elements	lows = elements(args[1]);
	int			window = (int) Min(DatumGetInt64(args[3]), READY_MOST);
	int			room = window * jobs.n;
	Ready	   *found;
	int			n = 0;
	Opened		o;
	IndexScanDesc scan;
	TupleTableSlot *slot;

	if ((int64) window * jobs.n > READY_MOST || !open_it(&o, d, READS))
		return false;
	found = palloc(sizeof(Ready) * (room + 1));
	scan = begin_scan(&o, 3);
	slot = table_slot_create(o.table, NULL);
	for (int i = 0; i < jobs.n; i++)
		n += first_entries(&o, scan, slot, DatumGetInt32(element(&jobs, i)), args[2], element(&lows, i), found + n, window);
	qsort(found, n, sizeof(Ready), by_seq);
	for (int i = 0; i < Min(n, window); i++)
		add_entry(rows, &found[i]);
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	pfree(found);
	close_it(&o, READS);
	return true;
}

/* ---- the statements ---- */

#define PARTITION_COLUMNS	{{"id"}, {"state"}, {"job_id"}, {"prio"}, {"run"}, {"live_run"}, {"ticket"}, {"since"}, {"ref"}}
#define RUN_COLUMNS			{{"run_id"}, {"state"}, {"job_id"}, {"attempt"}, {"started_at"}, {"finished_at"}, {"lease_at"}, {"lease"}, {"outputs"}}

static const Direct directs[N_QUERIES] = {
	[Q_PARTITIONS_WAIT] = {fetch, "partition", "partition_pkey", LOCK_WAIT, PARTITION_COLUMNS},
	[Q_PARTITIONS_SKIP] = {fetch, "partition", "partition_pkey", LOCK_SKIP, PARTITION_COLUMNS},
	[Q_PARTITIONS_WRITE] = {update, "partition", "partition_pkey", LOCK_NONE,
		{{"id", EACH, 0}, {"state", EACH, 1}, {"job_id", EACH, 2}, {"prio", EACH, 3}, {"run", EACH, 4},
	{"live_run", EACH, 5}, {"ticket", EACH, 6}, {"since", EACH, 7}}},
	[Q_READY_LOOK] = {fetch, "partition", "partition_pkey", LOCK_NONE, {{"id"}, {"state"}, {"ticket"}}},
	[Q_REFS_KNOWN] = {fetch, "partition", "partition_ref_key", LOCK_NONE, {{"ref"}, {"id"}}},
	[Q_TROUBLE] = {fetch, "trouble", "trouble_pkey", LOCK_NONE,
	{{"part"}, {"attempts"}, {"misses"}, {"retry_at"}, {"cause"}, {"note"}, {"changed"}}},
	[Q_OUTPUTS] = {fetch, "output", "output_pkey", LOCK_NONE, {{"part"}, {"outputs"}}},
	[Q_TAKEN] = {fetch, "taken", "taken_pkey", LOCK_NONE, {{"part"}, {"run_id"}}},

	[Q_RUNS_WAIT] = {fetch, "run", "run_pkey", LOCK_WAIT, RUN_COLUMNS},
	[Q_RUNS_SKIP] = {fetch, "run", "run_pkey", LOCK_SKIP, RUN_COLUMNS},
	[Q_RUNS_READ] = {fetch, "run", "run_pkey", LOCK_NONE, RUN_COLUMNS},
	[Q_RUNS_INSERT] = {insert, "run", NULL, LOCK_NONE,
		{{"run_id", EACH, 0}, {"started_at", SAME, 7}, {"lease_at", SUM, 7, {3}}, {"finished_at", NEVER}, {"lease", EACH, 3},
			{"job_id", EACH, 1}, {"attempt", EACH, 2}, {"state", RUNNING}, {"worker", SAME, 8}, {"outputs", SLICE, 4, {5, 6}}}},
	[Q_RUNS_WRITE] = {update, "run", "run_pkey", LOCK_NONE, {{"run_id", EACH, 0}, {"state", EACH, 1}, {"finished_at", EACH, 2}}},
	[Q_RUNS_LEASE] = {update, "run", "run_pkey", LOCK_NONE, {{"run_id", EACH, 0}, {"lease_at", EACH, 1}, {"lease", EACH, 2}}},

	[Q_MEMBER_ADD] = {insert, "member", NULL, LOCK_NONE, {{"want_id", SAME, 0}, {"block", EACH, 1}, {"mask", EACH, 2}}},
	[Q_WATCH_TAKE] = {none_there, "watch", "watch_upstream", LOCK_NONE, {{"upstream"}}},

	[Q_EVENT_APPEND] = {insert, "event_0", NULL, LOCK_NONE,
		{{"event_id", SAME, 0}, {"recorded_at", SAME, 1}, {"kind", SAME, 2}, {"actor", SESSION_USER}, {"role", SAME, 16},
			{"want_id", SAME, 3}, {"taint_id", SAME, 4}, {"job_id", SAME, 5}, {"priority", SAME, 6}, {"until", SAME, 7},
			{"cause", SAME, 8}, {"note", SAME, 9}, {"runs", SAME, 10}, {"parts", SAME, 11}, {"sizes", SAME, 12},
			{"others", SAME, 15}, {"names", SAME, 13}, {"body", SAME, 14}}},

	[Q_READY_ADD] = {insert, "ready", NULL, LOCK_NONE, {{"seq", EACH, 0}, {"part", EACH, 1}, {"job_id", EACH, 2}, {"rank", EACH, 3}}},
	[Q_READY_TAKE] = {ready_take, "ready", "ready_queue", LOCK_NONE, {{"job_id"}, {"seq"}, {"part"}}},
	[Q_READY_DROP] = {delete, "ready", NULL, LOCK_NONE, {{"seq"}}},
	[Q_QUEUES] = {queues, "mark", "mark_queue", LOCK_NONE, {{"job_id"}, {"rank"}, {"low"}}},
	[Q_MARK] = {mark, "mark", "mark_queue", LOCK_NONE, {{"low"}}},
	[Q_CONFIGS] = {fetch, "job", "job_pkey", LOCK_NONE, {{"job_id"}, {"config"}}},
	[Q_TIMER_ADD] = {insert_timers, "timer", NULL, LOCK_NONE, {{"at", EACH, 1}, {"kind", SAME, 0}, {"ids", SLICE, 2, {3, 4}}}},
	[Q_AGENDA_TAKE] = {no_agenda, "agenda", "agenda_seq", LOCK_NONE, {{"seq"}}},
	[Q_TIMERS_TAKE] = {no_timers, "timer", "timer_at", LOCK_NONE, {{"at"}}},
	[Q_ENDS_TAKE] = {no_timers, "timer", "timer_end", LOCK_NONE, {{"at"}}},
};

bool
direct_execute(Statement query, Datum *args, const char *nulls, Rows *rows)
{
	const Direct *d = &directs[query];

	*rows = (Rows)
	{
		0
	};
	return d->execute != NULL && direct_setting && !IsolationUsesXactSnapshot() &&
		!XactReadOnly && !IsInParallelMode() && d->execute(d, args, nulls, rows);
}
