/*
 * direct_queue.c
 *	  The queues without the executor: their marks, what is due by the clock,
 *	  and the agenda.
 */
#include "direct.h"

#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

/* The mark of a queue that is one for all jobs: the last row that begins with its letter. */
bool
direct_mark(const Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Opened		o;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	ScanKeyData key;

	if (!direct_open(&o, d, READS))
		return false;
	scan = direct_scan(&o, 1);
	slot = table_slot_create(o.table, NULL);
	direct_key(&key, CHAROID, args[0]);
	if (direct_first(scan, &key, BackwardScanDirection, slot))
		direct_add_slot(rows, &o, slot);
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	direct_close(&o, READS);
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

	if (!direct_open(&o, d, READS))
		return false;
	ScanKeyInit(&keys[0], 1, times ? BTGreaterEqualStrategyNumber : BTGreaterStrategyNumber,
				times ? F_TIMESTAMPTZ_GE : F_INT8GT, low);
	if (times)
		ScanKeyInit(&keys[1], 1, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE, *high);
	scan = direct_scan(&o, times ? 2 : 1);
	slot = table_slot_create(o.table, NULL);
	none = !direct_first(scan, keys, ForwardScanDirection, slot);
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	direct_close(&o, READS);
	return none;
}

bool
direct_no_timers(const Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	return none_between(d, args[0], &args[1]);
}

bool
direct_no_agenda(const Direct *d, Datum *args, const char *nulls, Rows *rows)
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

static const Direct job_by_id = {direct_fetch, "job", "job_pkey", LOCK_NONE, {{"job_id"}, {"label"}, {"paused"}, {"max_running"}}};

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
	return direct_fetch(&job_by_id, args, NULL, jobs);
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
	values = direct_add_row(rows, 4, &isnull);
	values[0] = job;
	values[1] = Int32GetDatum(m->rank);
	values[2] = Int64GetDatum(m->low);
	isnull[0] = isnull[1] = isnull[2] = false;
	isnull[3] = rows_null(jobs, at, 3);
	if (!isnull[3])
		values[3] = Int32GetDatum(rows_int32(jobs, at, 3) - store_ids(Q_SLOTS_USED, &job).n);
}

bool
direct_queues(const Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Opened		o;
	Marked	   *marked;
	Rows		jobs = {0};
	int			n;

	if (!direct_open(&o, d, READS))
		return false;
	marked = marked_queues(&o, &n);
	direct_close(&o, READS);
	if (!load_jobs(marked, n, &jobs))
		return false;
	for (int i = 0; i < n; i++)
		add_queue(rows, &marked[i], &jobs, nulls != NULL && nulls[0] == 'n' ? NULL : &args[0]);
	return true;
}
