/*
 * claim.c
 *	  claim() and heartbeat(): hand out runs, and keep them.
 *
 * A claim waits for no token.  It first does its share of what is due, then
 * goes through the queues of the ready set by priority, takes entries that
 * nobody else holds, locks their partitions if it can, and makes a run of each.
 * An entry whose partition is not what it was is deleted by whoever meets it.
 */
#include "store.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* Shares of what is due. */
#define AGENDA_SHARE	200
#define TIMER_SHARE		100

/* How many entries beyond those needed a window shows: other claimers' */
#define WINDOW_MARGIN	16
#define WINDOW_WIDE		4096

/* No claim hands out more, so that its event stays a row of sane size. */
#define MAX_RUNS		10000

/* A mark is moved when the queue's numbers have gone on by so much. */
#define MARK_STEP		1000

typedef struct Queue
{
	int32		job;
	int32		prio;
	int64		low;
} Queue;

typedef struct Claim
{
	Call	   *c;
	Queue	   *queues;
	int			nqueues;
	int			wanted;			/* so many runs at most */
	Ids			parts;			/* found, in order */
	Ids			lacking;		/* found, but declared inputs are not live */
	bool		sent_back;		/* those have been told */
	Marking		taken;			/* both, as a set */
	ItemPointerData *drop;		/* ready entries that are used up */
	int			ndrop;
	int			room;
} Claim;

static void
check_labels(const Datum *labels, int n)
{
	for (int i = 0; i < n; i++)
	{
		char	   *label = TextDatumGetCString(labels[i]);

		if (route_by_label(label) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("job \"%s\" does not exist", label),
					 errhint("SELECT label FROM databuild.jobs shows the jobs.")));
	}
}

static void
load_queues(Claim *k, Datum labels, bool all)
{
	Datum		args[] = {labels};
	Rows		rows = store_rows(Q_QUEUES, args, all ? "n" : NULL);

	k->queues = palloc(sizeof(Queue) * (rows.n + 1));
	k->nqueues = rows.n;
	for (int i = 0; i < rows.n; i++)
		k->queues[i] = (Queue)
	{
		rows_int32(&rows, i, 0), rows_int32(&rows, i, 1), rows_int64(&rows, i, 2)
	};
	rows_free(&rows);
}

/* The arguments that describe a window on the queues [from, to), above floor. */
static void
window_args(const Claim *k, int from, int to, int64 floor, int64 window, Datum *args)
{
	int32	   *jobs = palloc(sizeof(int32) * (to - from));
	Ids			lows = {0};

	for (int i = from; i < to; i++)
	{
		jobs[i - from] = k->queues[i].job;
		ids_add(&lows, Max(k->queues[i].low, floor));
	}
	args[0] = int32s_datum(jobs, to - from);
	args[1] = ids_datum(&lows);
	args[2] = Int16GetDatum((int16) k->queues[from].prio);
	args[3] = Int64GetDatum(window);
}

static Rows
take_entries(const Claim *k, int from, int to, int64 floor, int64 window, int64 n)
{
	Datum		args[5];

	window_args(k, from, to, floor, window, args);
	args[4] = Int64GetDatum(n);
	return store_rows(Q_READY_TAKE, args, NULL);
}

/* Whether the window was full, so that there may be more behind its end. */
static bool
next_window(const Claim *k, int from, int to, int64 *floor, int64 window)
{
	Datum		args[4];
	Rows		rows;
	bool		full;

	window_args(k, from, to, *floor, window, args);
	rows = store_rows(Q_READY_WINDOW, args, NULL);
	full = rows_int64(&rows, 0, 1) >= window;
	*floor = rows_int64(&rows, 0, 0);
	rows_free(&rows);
	return full;
}

static void
use_up(Claim *k, const ItemPointerData *row)
{
	if (k->ndrop == k->room)
	{
		ItemPointerData *bigger = palloc(sizeof(ItemPointerData) * (k->room * 2 + 64));

		if (k->ndrop > 0)
			memcpy(bigger, k->drop, sizeof(ItemPointerData) * k->ndrop);
		k->drop = bigger;
		k->room = k->room * 2 + 64;
	}
	k->drop[k->ndrop++] = *row;
}

/* A ready entry that was taken. */
typedef struct Entry
{
	ItemPointerData row;
	int64		seq;
	int64		part;
	int32		job;
} Entry;

/* Whether the entry stands for what the partition is now. */
static bool
entry_counts(const Partition *p, const Entry *e, int32 prio)
{
	return (p->place == P_QUEUED || p->place == P_UP_FOR_RETRY) &&
		p->job == e->job && p->prio == prio && p->ticket <= e->seq;
}

/*
 * The partitions of the entries that look as if they could be claimed; the
 * entries of the others are used up.  Nothing is locked: what requeues a
 * partition gives it a new ticket and a new entry.
 */
static Ids
sift_unlocked(Claim *k, const Entry *entries, int n)
{
	Ids			parts = {0};
	Marking		there = {0};
	Ids			good = {0};
	Datum		args[1];
	Rows		rows;

	for (int i = 0; i < n; i++)
		ids_add(&parts, entries[i].part);
	args[0] = ids_datum(&parts);
	rows = store_rows(Q_READY_LOOK, args, NULL);
	for (int i = 0; i < rows.n; i++)
	{
		Partition  *p = marking_add(&there, PARTITION, rows_int64(&rows, i, 0));

		p->place = (PartitionPlace) net_place_by_letter(PARTITION, rows_char(&rows, i, 1));
		p->ticket = rows_int64(&rows, i, 2);
	}
	rows_free(&rows);
	for (int i = 0; i < n; i++)
	{
		const Partition *p = marking_token(&there, PARTITION, entries[i].part);

		if ((p->place == P_QUEUED || p->place == P_UP_FOR_RETRY) && p->ticket <= entries[i].seq)
			ids_add(&good, p->id);
		else
			use_up(k, &entries[i].row);
	}
	return good;
}

/* What of the entries can be claimed now, found under the locks. */
static void
sift(Claim *k, const Entry *entries, int n, int32 prio)
{
	Ids			good = sift_unlocked(k, entries, n);
	Ids			locked = load_partitions(k->c, &good, LOCK_SKIP);
	Marking		got = {0};

	load_needs(k->c, &locked);
	call_now(k->c);
	for (int i = 0; i < locked.n; i++)
		marking_add(&got, PARTITION, locked.at[i]);
	for (int i = 0; i < n; i++)
	{
		const Partition *p;

		if (marking_token(&got, PARTITION, entries[i].part) == NULL)
			continue;			/* used up, or somebody else is at it: the entry stays */
		p = marking_token(&k->c->m, PARTITION, entries[i].part);
		if (entry_counts(p, &entries[i], prio) && p->place == P_UP_FOR_RETRY && p->retry_at > k->c->now)
			continue;			/* the clock went back: the entry stays */
		if (p->needs.n > 0 && k->sent_back)
			continue;			/* the next claim sends it back */
		if (entry_counts(p, &entries[i], prio) && marking_token(&k->taken, PARTITION, p->id) == NULL)
		{
			marking_add(&k->taken, PARTITION, p->id);
			ids_add(p->needs.n > 0 ? &k->lacking : &k->parts, p->id);
		}
		use_up(k, &entries[i].row);
	}
}

static Entry *
copy_entries(Rows *rows)
{
	Entry	   *entries = palloc(sizeof(Entry) * (rows->n + 1));

	for (int i = 0; i < rows->n; i++)
		entries[i] = (Entry)
	{
		*(ItemPointer) DatumGetPointer(rows_datum(rows, i, 0)), rows_int64(rows, i, 1),
			rows_int64(rows, i, 2), rows_int32(rows, i, 3)
	};
	rows_free(rows);
	return entries;
}

/*
 * Take from the queues [from, to), which have one priority.  A window that
 * others hold is passed over, and the next one is wider.
 */
static void
take_priority(Claim *k, int from, int to)
{
	int64		floor = 0;
	int64		window = k->wanted + WINDOW_MARGIN;

	while (k->parts.n < k->wanted)
	{
		int64		need = k->wanted - k->parts.n;
		Rows		rows = take_entries(k, from, to, floor, window, need);
		int			n = rows.n;
		Entry	   *entries = copy_entries(&rows);

		CHECK_FOR_INTERRUPTS();
		if (n > 0)
			sift(k, entries, n, k->queues[from].prio);
		if (n >= need)
			floor = entries[n - 1].seq;
		else if (!next_window(k, from, to, &floor, window))
			break;
		else
			window = WINDOW_WIDE;
	}
}

static void
take_entries_by_priority(Claim *k)
{
	int			to;

	for (int from = 0; from < k->nqueues && k->parts.n < k->wanted; from = to)
	{
		for (to = from + 1; to < k->nqueues; to++)
			if (k->queues[to].prio != k->queues[from].prio)
				break;
		take_priority(k, from, to);
	}
}

static void
drop_used(const Claim *k)
{
	Datum		args[1];

	if (k->ndrop == 0)
		return;
	args[0] = tids_datum(k->drop, k->ndrop);
	store_do(Q_READY_DROP, args, NULL);
}

/* The marks of the queues follow what is gone, now and then. */
static void
advance_queues(const Claim *k)
{
	static int64 tried = 0;
	int64		last = gate_last();
	int64		horizon;

	if (last - tried < MARK_STEP)
		return;
	tried = last;
	horizon = gate_horizon(true);
	for (int i = 0; i < k->nqueues; i++)
	{
		const Queue *q = &k->queues[i];
		Datum		args[4] = {Int32GetDatum(q->job), Int16GetDatum((int16) q->prio), Int64GetDatum(q->low)};
		Ids			first;
		int64		low = horizon;

		if (horizon - q->low < MARK_STEP)
			continue;
		first = store_ids(Q_READY_FIRST, args);
		if (first.n > 0 && first.at[0] - 1 < low)
			low = first.at[0] - 1;
		if (low - q->low >= MARK_STEP)
			mark_add('r', q->job, q->prio, low);
	}
}

/* The rows of the runs that the claim logged, and a timer for their leases. */
static void
insert_runs(Claim *k, const Ids *run_ids, Datum worker, int64 lease)
{
	int			n = run_ids->n;
	int32	   *jobs = palloc(sizeof(int32) * n);
	int32	   *attempts = palloc(sizeof(int32) * n);
	int32	   *firsts = palloc(sizeof(int32) * n);
	int32	   *lasts = palloc(sizeof(int32) * n);
	Ids			leases = {0};
	Ids			times = {0};
	Ids			outputs = {0};
	Datum		args[9];

	for (int i = 0; i < n; i++)
	{
		Run		   *r = marking_token(&k->c->m, RUN, run_ids->at[i]);

		r->lease = lease > 0 ? lease : marking_job(&k->c->m, r->job)->lease;
		r->lease_at = k->c->now + r->lease;
		jobs[i] = r->job;
		attempts[i] = r->attempt;
		firsts[i] = outputs.n + 1;
		for (int o = 0; o < r->outputs.n; o++)
			ids_add(&outputs, r->outputs.at[o]);
		lasts[i] = outputs.n;
		ids_add(&leases, r->lease);
		ids_add(&times, r->lease_at);
	}
	args[0] = ids_datum(run_ids);
	args[1] = int32s_datum(jobs, n);
	args[2] = int32s_datum(attempts, n);
	args[3] = ids_datum(&leases);
	args[4] = ids_datum(&outputs);
	args[5] = int32s_datum(firsts, n);
	args[6] = int32s_datum(lasts, n);
	args[7] = TimestampTzGetDatum(k->c->now);
	args[8] = worker;
	store_do(Q_RUNS_INSERT, args, NULL);
	timer_add('L', &times, run_ids);
}

/* The result: a row a run, in claim order. */
static void
show_runs(Claim *k, const Ids *run_ids, ReturnSetInfo *result)
{
	Rows		configs = store_rows(Q_CONFIGS, NULL, NULL);

	for (int i = 0; i < run_ids->n; i++)
	{
		Run		   *r = marking_token(&k->c->m, RUN, run_ids->at[i]);
		const char **refs = palloc(sizeof(char *) * r->outputs.n);
		Datum		values[6];
		bool		nulls[6] = {false};

		for (int o = 0; o < r->outputs.n; o++)
			refs[o] = ((Partition *) marking_token(&k->c->m, PARTITION, r->outputs.at[o]))->ref;
		values[0] = Int64GetDatum(r->id);
		values[1] = text_datum(route_label(r->job));
		values[2] = texts_datum(refs, r->outputs.n);
		values[3] = (Datum) 0;
		for (int c = 0; c < configs.n; c++)
			if (rows_int32(&configs, c, 0) == r->job)
				values[3] = rows_datum(&configs, c, 1);
		values[4] = Int32GetDatum(r->attempt);
		values[5] = TimestampTzGetDatum(r->lease_at);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	rows_free(&configs);
}

/* Find work, make runs of it, say which. */
static void
claim(Call *c, Datum worker, Datum labels, bool all, int max_runs, int64 lease, ReturnSetInfo *result)
{
	Claim		k = {.c = c,.wanted = Min(max_runs, MAX_RUNS)};
	Ids			run_ids = {0};

	load_queues(&k, labels, all);
	take_entries_by_priority(&k);
	if (k.lacking.n > 0)
	{
		/* what these lack may be the work to hand out */
		decide_sent_back(&c->m, &k.lacking, &c->events);
		call_apply(c);
		k.sent_back = true;
		load_queues(&k, labels, all);
		take_entries_by_priority(&k);
	}
	for (int i = 0; i < k.parts.n; i++)
		ids_add(&run_ids, gate_next());
	if (run_ids.n > 0)
	{
		call_now(c);
		decide_claim(&c->m, &k.parts, &run_ids, TextDatumGetCString(worker), &c->events);
		call_log(c);
		insert_runs(&k, &run_ids, worker, lease);
		call_apply(c);
		show_runs(&k, &run_ids, result);
	}
	drop_used(&k);
	advance_queues(&k);
}

static Datum
arg_worker(FunctionCallInfo fcinfo, int n)
{
	Datum		worker = arg_needed(fcinfo, n, "worker");

	if (VARSIZE_ANY_EXHDR(DatumGetTextPP(worker)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"worker\" must not be empty"),
				 errhint("Give a name by which people find the worker, such as host and process.")));
	return worker;
}

/* What a claim is asked: arguments worker, jobs, max_runs, lease from n on. */
typedef struct Asked
{
	Datum		worker;
	bool		all;
	Datum	   *labels;
	int			nlabels;
	Datum		jobs;
	int32		max_runs;
	int64		lease;
} Asked;

static Asked
arg_claim(FunctionCallInfo fcinfo, int n)
{
	Asked		a = {.worker = arg_worker(fcinfo, n),.all = PG_ARGISNULL(n + 1)};

	if (!a.all)
	{
		a.labels = arg_texts(fcinfo, n + 1, "jobs", &a.nlabels);
		a.jobs = PG_GETARG_DATUM(n + 1);
	}
	a.max_runs = DatumGetInt32(arg_needed(fcinfo, n + 2, "max_runs"));
	a.lease = PG_ARGISNULL(n + 3) ? 0 : arg_lease(fcinfo, n + 3);
	if (a.max_runs < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"max_runs\" must be at least 1, not %d", a.max_runs)));
	return a;
}

static void
claim_asked(Call *c, const Asked *a, ReturnSetInfo *result)
{
	check_labels(a->labels, a->nlabels);
	look_timers(c, TIMER_SHARE, true);
	look_agenda(c, AGENDA_SHARE);
	claim(c, a->worker, a->jobs, a->all, a->max_runs, a->lease, result);
}

PG_FUNCTION_INFO_V1(databuild_claim);

Datum
databuild_claim(PG_FUNCTION_ARGS)
{
	Asked		a = arg_claim(fcinfo, 0);
	Call	   *c;

	InitMaterializedSRF(fcinfo, 0);
	c = call_begin();
	claim_asked(c, &a, (ReturnSetInfo *) fcinfo->resultinfo);
	store_close(c->level);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(databuild_finish_and_claim);

/* succeed_many() and then claim(), in one call. */
Datum
databuild_finish_and_claim(PG_FUNCTION_ARGS)
{
	Ids			ids = {0};
	Ids			fresh;
	Asked		a;
	Call	   *c;

	arg_ids(fcinfo, 0, "run_ids", true, &ids);
	a = arg_claim(fcinfo, 1);
	InitMaterializedSRF(fcinfo, 0);
	c = call_begin();
	fresh = reported(c, &ids, RS_SUCCEEDED);
	if (fresh.n > 0)
	{
		decide_succeeded(&c->m, &fresh, NULL, c->now, &c->events);
		call_apply(c);
	}
	claim_asked(c, &a, (ReturnSetInfo *) fcinfo->resultinfo);
	store_close(c->level);
	return (Datum) 0;
}

/* ---- heartbeat ---- */

static void
extend_leases(Call *c, const Ids *ids, int64 lease)
{
	Ids			running = {0};
	Ids			times = {0};
	Ids			leases = {0};
	Ids			sooner = {0};	/* those that a timer would find too late */
	Ids			sooner_at = {0};

	for (int i = 0; i < ids->n; i++)
	{
		Run		   *r = marking_token(&c->m, RUN, ids->at[i]);
		TimestampTz before = r->lease_at;

		if (r->place != R_RUNNING)
			continue;
		if (lease > 0)
			r->lease = lease;
		r->lease_at = c->now + r->lease;
		if (r->lease_at < before)
		{
			ids_add(&sooner, r->id);
			ids_add(&sooner_at, r->lease_at);
		}
		ids_add(&running, r->id);
		ids_add(&times, r->lease_at);
		ids_add(&leases, r->lease);
	}
	if (running.n > 0)
	{
		Datum		args[] = {ids_datum(&running), times_datum(times.at, times.n), ids_datum(&leases)};

		store_do(Q_RUNS_LEASE, args, NULL);
		timer_add('L', &sooner_at, &sooner);
	}
}

PG_FUNCTION_INFO_V1(databuild_heartbeat);

Datum
databuild_heartbeat(PG_FUNCTION_ARGS)
{
	Ids			ids = {0};
	int64		lease = PG_ARGISNULL(1) ? 0 : arg_lease(fcinfo, 1);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Call	   *c;

	arg_ids(fcinfo, 0, "run_ids", false, &ids);
	InitMaterializedSRF(fcinfo, 0);
	c = call_begin();
	(void) load_named_runs(c, &ids);
	call_now(c);
	extend_leases(c, &ids, lease);
	for (int i = 0; i < ids.n; i++)
	{
		const Run  *r = marking_token(&c->m, RUN, ids.at[i]);
		Datum		values[3] = {Int64GetDatum(r->id), text_datum(net_place_name(RUN, (int) r->place)),
		TimestampTzGetDatum(r->lease_at)};
		bool		nulls[3] = {false, false, r->place != R_RUNNING};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	store_close(c->level);
	return (Datum) 0;
}
