/*
 * direct_queue.c
 *	  The queues without the executor: their marks, what is due by the clock,
 *	  and the agenda.
 */
#include "direct.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/memutils.h"

/*
 * The mark of a queue that is one for all jobs, the greatest that begins with
 * its letter.  Marks only rise, but for replay(), and tick() takes the others
 * away from time to time only: so the search begins where it ended the last
 * time.
 */
bool
direct_mark(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	static int64 found[2] = {PG_INT64_MIN, PG_INT64_MIN};
	int64	   *from = &found[DatumGetChar(args[0]) == 'a'];
	Opened		o;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	ScanKeyData keys[4];

	if (!direct_open(&o, d, READS))
		return false;
	scan = direct_scan(&o, lengthof(keys));
	slot = table_slot_create(o.table, NULL);
	direct_key(&keys[0], CHAROID, args[0]);
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(0));
	ScanKeyInit(&keys[2], 3, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(0));
	for (;;)
	{
		ScanKeyInit(&keys[3], 4, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(*from));
		if (direct_first(scan, keys, BackwardScanDirection, slot))
		{
			direct_add_slot(rows, &o, slot);
			*from = direct_value(&o, slot, 0);
			break;
		}
		if (*from == PG_INT64_MIN)
			break;
		*from = PG_INT64_MIN;
	}
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	direct_close(&o, READS);
	return true;
}

/* Deletes what is due, up to so many; what somebody else is taking is his. */
bool
direct_timers_take(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Opened		o;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	ScanKeyData keys[2];

	if (!direct_open(&o, d, DELETES))
		return false;
	ScanKeyInit(&keys[0], 1, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE, args[0]);
	ScanKeyInit(&keys[1], 1, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE, args[1]);
	scan = direct_scan(&o, lengthof(keys));
	slot = table_slot_create(o.table, NULL);
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	while (rows->n < DatumGetInt64(args[2]) && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		if (direct_delete(&o, &slot->tts_tid))
			direct_add_slot(rows, &o, slot);
		CHECK_FOR_INTERRUPTS();
	}
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	direct_close(&o, DELETES);
	return true;
}

/* True if the agenda is empty, which is the rule; else it is for SQL to take what is there. */
bool
direct_no_agenda(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Datum		queue = CharGetDatum('a');
	Rows		low = store_rows(Q_MARK, &queue, NULL);
	int64		from = low.n == 0 ? DatumGetInt64(args[0]) : Max(DatumGetInt64(args[0]), rows_int64(&low, 0, 0));
	Opened		o;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	ScanKeyData key;
	bool		none;

	rows_free(&low);
	if (!direct_open(&o, d, READS))
		return false;
	ScanKeyInit(&key, 1, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(from));
	scan = direct_scan(&o, 1);
	slot = table_slot_create(o.table, NULL);
	none = !direct_first(scan, &key, ForwardScanDirection, slot);
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	direct_close(&o, READS);
	return none;
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
	IndexScanDesc scan = direct_scan(o, 3);
	TupleTableSlot *slot = table_slot_create(o->table, NULL);
	ScanKeyData keys[3];
	bool		same_job = false;

	*n = 0;
	direct_key(&keys[0], CHAROID, CharGetDatum('r'));
	ScanKeyInit(&keys[1], 2, BTLessEqualStrategyNumber, F_INT4LE, Int32GetDatum(PG_INT32_MAX));
	ScanKeyInit(&keys[2], 3, BTLessEqualStrategyNumber, F_INT2LE, Int16GetDatum(PG_INT16_MAX));
	for (;;)
	{
		if (direct_first(scan, keys, BackwardScanDirection, slot))
		{
			Marked		m = {direct_value(o, slot, 0), direct_value(o, slot, 1), direct_value(o, slot, 2)};

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

static bool
is_among(const char *label, Datum labels)
{
	ArrayType  *a = DatumGetArrayTypeP(labels);
	Datum	   *one;
	int			n;

	deconstruct_array(a, TEXTOID, -1, false, TYPALIGN_INT, &one, NULL, &n);
	for (int i = 0; i < n; i++)
		if (strcmp(TextDatumGetCString(one[i]), label) == 0)
			return true;
	return false;
}

/* The row of the queue, if its job is there, is not paused, and is one of those asked for. */
static void
add_queue(Rows *rows, const Marked *m, const Job *jobs, int njobs, const Datum *labels)
{
	Datum		id = Int32GetDatum(m->job);
	Datum	   *values;
	bool	   *isnull;
	const Job  *job = jobs;

	while (job < jobs + njobs && job->id != m->job)
		job++;
	if (job == jobs + njobs || job->paused || (labels != NULL && !is_among(route_label(m->job), *labels)))
		return;
	values = direct_add_row(rows, 4, &isnull);
	values[0] = id;
	values[1] = Int32GetDatum(m->rank);
	values[2] = Int64GetDatum(m->low);
	isnull[0] = isnull[1] = isnull[2] = false;
	isnull[3] = job->max_running == 0;
	if (!isnull[3])
		values[3] = Int32GetDatum(job->max_running - store_ids(Q_SLOTS_USED, &id).n);
}

bool
direct_queues(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Opened		o;
	Marked	   *marked;
	const Job  *jobs;
	int			n;
	int			njobs;

	if (!direct_open(&o, d, READS))
		return false;
	marked = marked_queues(&o, &n);
	direct_close(&o, READS);
	/* who claims for the second time in a transaction may have passed the gate before a job was paused */
	AcceptInvalidationMessages();
	jobs = route_jobs(&njobs);
	for (int i = 0; i < n; i++)
		add_queue(rows, &marked[i], jobs, njobs, nulls != NULL && nulls[0] == 'n' ? NULL : &args[0]);
	return true;
}
