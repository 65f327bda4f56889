/*
 * direct_ready.c
 *	  The ready set without the executor: the next refs from the marks on, and
 *	  entries that go.
 *
 * An entry has up to 64 refs and is not changed when one of them is claimed:
 * that would be a row which all claimers wait for, and whose dead versions pile
 * up.  What counts is the partition; the entry goes with the last of its refs.
 * So that a claim does not look at all that others have claimed before, each
 * session remembers of the entries that it met which refs count no more.  What
 * counts no more never does again, since what is queued anew gets a new entry:
 * but for what this transaction did, if it is rolled back or prepared.  Then
 * all is forgotten; so it is when there is another table.
 */
#include "direct.h"

#include "port/pg_bitutils.h"
#include "utils/fmgroids.h"

/* So many entries of the ready set are looked at in memory at once; SQL sorts more. */
#define READY_MOST		100000

/* As neighbours count those whose numbers are so close. */
#define NEAR			16

/* So many entries are remembered, each in the one place where its number may stand. */
#define GONE_MOST		256

typedef struct Gone
{
	int64		seq;
	uint64		refs;
} Gone;

static Gone gone[GONE_MOST];
static Oid	gone_of = InvalidOid;

static void
forget_gone(void)
{
	memset(gone, 0, sizeof(gone));
}

static void
on_end(XactEvent event, void *arg)
{
	(void) arg;
	switch (event)
	{
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PREPARE:
			forget_gone();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			break;
	}
}

static void
on_subxact_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	(void) mine;
	(void) parent;
	(void) arg;
	if (event == SUBXACT_EVENT_ABORT_SUB)
		forget_gone();
}

void
direct_ready_init(void)
{
	RegisterXactCallback(on_end, NULL);
	RegisterSubXactCallback(on_subxact_end, NULL);
}

/* Where what is known of the entry stands, or may stand. */
static Gone *
gone_from(const Opened *o, int64 seq)
{
	Gone	   *g = &gone[seq % GONE_MOST];

	if (gone_of != RelationGetRelid(o->table))
		forget_gone();
	gone_of = RelationGetRelid(o->table);
	if (g->seq != seq)
		*g = (Gone)
	{
		seq, 0
	};
	return g;
}

/* ---- the next refs ---- */

/* An entry, with those of its refs that may count. */
typedef struct Ready
{
	int64		seq;
	int64		block;
	uint64		refs;
	int32		job;
	ItemPointerData row;
} Ready;

static int
by_seq(const void *a, const void *b)
{
	const Ready *x = a;
	const Ready *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* If none is left that may count, whoever met the last did not delete the entry: all are looked at again. */
static Ready
ready_of(const Opened *o, TupleTableSlot *slot, int32 job)
{
	Ready		r = {direct_value(o, slot, 0), direct_value(o, slot, 1), (uint64) direct_value(o, slot, 2), job, slot->tts_tid};
	Gone	   *g = gone_from(o, r.seq);

	if ((r.refs & ~g->refs) == 0)
		g->refs = 0;
	r.refs &= ~g->refs;
	return r;
}

/* Entries of a queue above low, up to high, that nobody is taking, until there are enough refs. */
static int
entries_between(const Opened *o, IndexScanDesc scan, TupleTableSlot *slot, int32 job, Datum rank, int64 low, int64 high, Ready *into, int *least)
{
	ScanKeyData keys[4];
	int			n = 0;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(job));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT2EQ, rank);
	ScanKeyInit(&keys[2], 3, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(low));
	ScanKeyInit(&keys[3], 3, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(high));
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	while (*least > 0 && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		if (slot_in_flight(o->table, slot))
			continue;
		into[n] = ready_of(o, slot, job);
		*least -= pg_popcount64(into[n++].refs);
	}
	return n;
}

/*
 * The first entries of a queue, at least so many refs; how many entries.  A
 * scan reads all on a page of the index that its keys let through before it
 * gives the first: so the neighbours of what came first the last time are
 * asked for alone, and the others if they are not enough.
 */
static int
first_entries(const Opened *o, IndexScanDesc scan, TupleTableSlot *slot, int32 job, Datum rank, int64 low, Ready *into, int least)
{
	static int64 first = 0;
	int64		near = Max(first, low) + NEAR;
	int			n = entries_between(o, scan, slot, job, rank, low, near, into, &least);

	if (least > 0)
		n += entries_between(o, scan, slot, job, rank, near, PG_INT64_MAX, into + n, &least);
	if (n > 0)
		first = into[0].seq;
	return n;
}

/* A row for each ref that may count; how many. */
static int
add_refs(Rows *rows, const Ready *r)
{
	ItemPointer row = NULL;
	int			n = 0;

	for (int bit = 0; bit < 64; bit++)
	{
		bool	   *isnull;
		Datum	   *values;

		if ((r->refs >> bit & 1) == 0)
			continue;
		values = direct_add_row(rows, 4, &isnull);
		if (row == NULL)
		{
			row = MemoryContextAlloc(rows->memory, sizeof(ItemPointerData));
			*row = r->row;
		}
		values[0] = PointerGetDatum(row);
		values[1] = Int64GetDatum(r->seq);
		values[2] = Int64GetDatum((r->block << 6) + bit);
		values[3] = Int32GetDatum(r->job);
		memset(isnull, 0, sizeof(bool) * 4);
		n++;
	}
	return n;
}

bool
direct_ready_take(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Elements	jobs = direct_elements(args[0]);
	Elements	lows = direct_elements(args[1]);
	int			window = (int) Min(DatumGetInt64(args[3]), READY_MOST + 1);
	Ready	   *found;
	int			n = 0;
	int			refs = 0;
	Opened		o;
	IndexScanDesc scan;
	TupleTableSlot *slot;

	if ((int64) window * jobs.n > READY_MOST || !direct_open(&o, d, READS))
		return false;
	found = palloc(sizeof(Ready) * (window * jobs.n + 1));
	scan = direct_scan(&o, 4);
	slot = table_slot_create(o.table, NULL);
	for (int i = 0; i < jobs.n; i++)
		n += first_entries(&o, scan, slot, DatumGetInt32(direct_element(&jobs, i)), args[2],
						   DatumGetInt64(direct_element(&lows, i)), found + n, window);
	qsort(found, n, sizeof(Ready), by_seq);
	for (int i = 0; i < n && refs < window; i++)
		refs += add_refs(rows, &found[i]);
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	pfree(found);
	direct_close(&o, READS);
	return true;
}

/* ---- entries that go ---- */

/* Where any ref is left, the session remembers those that are not; what somebody else is deleting goes without us. */
bool
direct_ready_drop(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	ArrayType  *array = DatumGetArrayTypeP(args[0]);
	ItemPointer places = (ItemPointer) ARR_DATA_PTR(array);
	Elements	used = direct_elements(args[1]);
	Opened		o;
	TupleTableSlot *slot;

	if (!direct_open(&o, d, DELETES))
		return false;
	slot = table_slot_create(o.table, NULL);
	for (int i = 0; i < used.n; i++)
	{
		Gone	   *g;

		if (!table_tuple_fetch_row_version(o.table, &places[i], o.snapshot, slot))
			continue;
		g = gone_from(&o, direct_value(&o, slot, 0));
		g->refs |= (uint64) DatumGetInt64(direct_element(&used, i));
		if (((uint64) direct_value(&o, slot, 2) & ~g->refs) == 0 && direct_delete(&o, &places[i]))
			rows->n++;
	}
	ExecDropSingleTupleTableSlot(slot);
	direct_close(&o, DELETES);
	return true;
}
