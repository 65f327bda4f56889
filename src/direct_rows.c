/*
 * direct_rows.c
 *	  Rows without the executor: the relation of a statement, the rows that it
 *	  finds by an index, and their locks.
 */
#include "direct.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation_d.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

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

/* Counted, not kept apart: relations change seldom, and to look again costs little. */
static uint64 changes = 1;

static void
on_change(Datum arg, Oid relid)
{
	(void) arg;
	(void) relid;
	changes++;
}

void
direct_rows_init(void)
{
	CacheRegisterRelcacheCallback(on_change, (Datum) 0);
}

/* Whether all columns are there; of what is inserted, no others. */
static bool
find_columns(Direct *d, TupleDesc desc, Act act)
{
	Known	   *k = &d->known;
	int			nothers = desc->natts;

	for (k->ncolumns = 0; k->ncolumns < MOST_COLUMNS && d->columns[k->ncolumns].name != NULL; k->ncolumns++)
	{
		k->at[k->ncolumns] = column_number(desc, d->columns[k->ncolumns].name, k->ncolumns);
		if (k->at[k->ncolumns] == InvalidAttrNumber)
			return false;
		nothers--;
	}
	for (int i = 0; i < desc->natts; i++)
		nothers -= TupleDescAttr(desc, i)->attisdropped;
	return act != INSERTS || nothers == 0;
}

/* The table is open: no change of it is to come. */
static void
know(Direct *d, Relation table, Act act)
{
	Known	   *k = &d->known;
	const uint64 now = changes;

	if (k->changes == now)
		return;
	k->table = RelationGetRelid(table);
	k->ordinary = table->rd_rel->relkind == RELKIND_RELATION && table->rd_rules == NULL &&
		(table->trigdesc == NULL || !has_triggers(table->trigdesc, act)) &&
		find_columns(d, RelationGetDescr(table), act);
	if (k->ordinary && d->index != NULL)
		k->index = store_relation(d->index);
	k->changes = now;
}

void
direct_close(Opened *o, Act act)
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
bool
direct_open(Opened *o, Direct *d, Act act)
{
	LOCKMODE	mode = act != READS ? RowExclusiveLock : d->lock == LOCK_NONE ? AccessShareLock : RowShareLock;
	const Known *k = &d->known;

	*o = (Opened)
	{
		.table = table_open(k->changes == changes ? k->table : store_relation(d->table), mode),.at = k->at
	};
	know(d, o->table, act);
	o->ncolumns = k->ncolumns;
	if (!k->ordinary)
	{
		direct_close(o, READS);
		return false;
	}
	if (d->index != NULL)
		o->index = index_open(k->index, mode);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	o->snapshot = GetActiveSnapshot();
	return true;
}

/* ---- results ---- */

/* Room for another row; its values. */
Datum *
direct_add_row(Rows *rows, int columns, bool **nulls)
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

void
direct_add_slot(Rows *rows, const Opened *o, TupleTableSlot *slot)
{
	bool	   *nulls;
	Datum	   *values = direct_add_row(rows, o->ncolumns, &nulls);
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

int64
direct_value(const Opened *o, TupleTableSlot *slot, int column)
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

IndexScanDesc
direct_scan(const Opened *o, int nkeys)
{
	return index_beginscan(o->table, o->index, o->snapshot, nkeys, 0);
}

/* The first row, in that direction, that the keys, all those of the scan, let through. */
bool
direct_first(IndexScanDesc scan, ScanKey keys, ScanDirection direction, TupleTableSlot *slot)
{
	index_rescan(scan, keys, scan->numberOfKeys, NULL, 0);
	return index_getnext_slot(scan, direction, slot);
}

/* The key of an index's first column, which is alone. */
void
direct_key(ScanKey key, Oid type, Datum value)
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

/* The elements of an array of numbers, in order, each once. */
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
	if (*n == 0)
		return keys;
	qsort(keys, *n, sizeof(Datum), by_int64);
	for (int i = 1; i < *n; i++)
		if (keys[i] != keys[kept])
			keys[++kept] = keys[i];
	*n = kept + 1;
	return keys;
}

/*
 * Lock a row as it is now; false if it is gone, or if we do not wait and
 * somebody else holds it or has just changed it.  (SKIP LOCKED follows such a
 * change: a claim would hold what another has claimed, until its end, and the
 * report of that run would wait for it.)
 */
static bool
lock_row(const Opened *o, TupleTableSlot *slot, Lock lock)
{
	ItemPointerData row = slot->tts_tid;
	TM_FailureData failure;

	switch (table_tuple_lock(o->table, &row, o->snapshot, slot, GetCurrentCommandId(true), LockTupleNoKeyExclusive,
							 lock == LOCK_WAIT ? LockWaitBlock : LockWaitSkip,
							 lock == LOCK_WAIT ? TUPLE_LOCK_FLAG_FIND_LAST_VERSION : 0, &failure))
	{
		case TM_Ok:
			return true;
		case TM_WouldBlock:
		case TM_Deleted:
		case TM_SelfModified:
			return false;
		case TM_Updated:
			if (lock == LOCK_SKIP)
				return false;
			break;
		case TM_Invisible:
		case TM_BeingModified:
			break;
	}
	elog(ERROR, "could not lock a row of %s", RelationGetRelationName(o->table));
}

/* Those of the rows that a statement means. */
typedef bool (*Meant) (const Opened *o, TupleTableSlot *slot);

/* How many keys from the first on are one more than the one before. */
static int
side_by_side(const Datum *keys, int n, Oid type)
{
	int			i = 1;

	while (type == INT8OID && i < n && DatumGetInt64(keys[i]) == DatumGetInt64(keys[0]) + i)
		i++;
	return i;
}

void
direct_end_scans(Scans *s)
{
	for (int i = 0; i < 2; i++)
		if (s->by[i] != NULL)
			index_endscan(s->by[i]);
}

IndexScanDesc
direct_side_by_side(const Opened *o, Scans *s, const Datum *keys, int n, Oid type, int *many)
{
	ScanKeyData key[2];
	int			nkeys = 1;

	*many = side_by_side(keys, n, type);
	if (*many == 1)
		direct_key(&key[0], type, keys[0]);
	else
	{
		nkeys = 2;
		ScanKeyInit(&key[0], 1, BTGreaterEqualStrategyNumber, F_INT8GE, keys[0]);
		ScanKeyInit(&key[1], 1, BTLessEqualStrategyNumber, F_INT8LE, keys[*many - 1]);
	}
	if (s->by[nkeys - 1] == NULL)
		s->by[nkeys - 1] = direct_scan(o, nkeys);
	index_rescan(s->by[nkeys - 1], key, nkeys, NULL, 0);
	return s->by[nkeys - 1];
}

static bool
fetch(Direct *d, Datum *args, Rows *rows, Meant meant)
{
	Opened		o;
	Scans		scans = {0};
	TupleTableSlot *slot;
	Datum	   *keys;
	Oid			type;
	int			n;
	int			many;

	if (!direct_open(&o, d, READS))
		return false;
	keys = keys_of(args[0], &type, &n);
	slot = table_slot_create(o.table, NULL);
	for (int i = 0; i < n; i += many)
	{
		IndexScanDesc scan = direct_side_by_side(&o, &scans, keys + i, n - i, type, &many);
		int			left = many;

		while (left-- > 0 && index_getnext_slot(scan, ForwardScanDirection, slot))
		{
			if ((meant == NULL || meant(&o, slot)) && (d->lock == LOCK_NONE || lock_row(&o, slot, d->lock)))
				direct_add_slot(rows, &o, slot);
			CHECK_FOR_INTERRUPTS();
		}
	}
	ExecDropSingleTupleTableSlot(slot);
	direct_end_scans(&scans);
	pfree(keys);
	direct_close(&o, READS);
	return true;
}

/* Rows by their keys, and where asked for with their locks. */
bool
direct_fetch(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	return fetch(d, args, rows, NULL);
}

/* By where it lies in the row: a slot would have all columns before it taken apart. */
char
direct_state(const Opened *o, TupleTableSlot *slot)
{
	bool		isnull;

	return DatumGetChar(heap_getattr(ExecFetchSlotHeapTuple(slot, false, NULL), o->at[1], RelationGetDescr(o->table), &isnull));
}

static bool
is_not_live(const Opened *o, TupleTableSlot *slot)
{
	return direct_state(o, slot) != 'L';
}

bool
direct_not_live(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	return fetch(d, args, rows, is_not_live);
}

static bool
is_at_work(const Opened *o, TupleTableSlot *slot)
{
	return strchr("LMT", direct_state(o, slot)) == NULL || slot_in_flight(o->table, slot);
}

bool
direct_at_work(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	return fetch(d, args, rows, is_at_work);
}

static bool
is_running(const Opened *o, TupleTableSlot *slot)
{
	return direct_state(o, slot) == net_place_letter(RUN, R_RUNNING);
}

bool
direct_running(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	return fetch(d, args, rows, is_running);
}

static bool
is_at_rest(const Opened *o, TupleTableSlot *slot)
{
	return !slot_in_flight(o->table, slot);
}

bool
direct_at_rest(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	return fetch(d, args, rows, is_at_rest);
}

static bool
is_unheld(const Opened *o, TupleTableSlot *slot)
{
	return strchr("MBLFT", direct_state(o, slot)) != NULL && is_at_rest(o, slot);
}

bool
direct_unheld(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	return fetch(d, args, rows, is_unheld);
}

/* True if there are none, which is the rule; else it is for SQL to take them. */
bool
direct_none(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	return direct_fetch(d, args, nulls, rows) && rows->n == 0;
}
