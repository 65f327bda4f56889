/*
 * pick.c
 *	  Finding work: from the queues of the ready set to runs that could be.
 *
 * The queues are gone through by priority, and of one priority first those of
 * what has collided before.  Entries and their partitions are looked at without
 * a lock first, and no more are locked then than there is room for, so that a
 * claim holds next to nothing that it does not hand out.  All that a run would
 * make is locked or the run is not: first the lowest output of each, then, for
 * those that got it, the others.  So of claimers who want overlapping sets, one gets all of
 * its own.  What collides with a running run leaves the ready set, with a row
 * that the end of that run finds; and since that end may be under way, with a
 * second look on the agenda.
 */
#include "claim.h"

#include "miscadmin.h"

/* When others hold what was looked at, so many times more is looked at next, up to so much. */
#define WINDOW_GROWTH	4
#define WINDOW_WIDE		4096

/* Up to so many refs more than there is room for are looked at together: others may hold some. */
#define LOOK_MORE		15

/* How many: twice as many as could not be had the last time. */
static int	look_more = LOOK_MORE;

/* A ref of a ready entry, with the entry's number. */
typedef struct Entry
{
	Place		place;
	int64		seq;
	int32		job;
} Entry;

/* One that seems good, with all that its run would make. */
typedef struct Candidate
{
	Entry		entry;
	Ids			outputs;		/* ascending */
	bool		out;			/* it has collided, or is somebody else's */
} Candidate;

/* Whether the entry stands for what the partition is now. */
static bool
entry_counts(const Partition *p, const Entry *e, int32 rank)
{
	return (p->place == P_QUEUED || p->place == P_UP_FOR_RETRY) &&
		p->job == e->job && p->prio == RANK_PRIORITY(rank) && p->ticket <= e->seq;
}

static void
load_queues(Pick *k, Datum labels, bool all)
{
	Datum		args[] = {labels};
	Rows		rows = store_rows(Q_QUEUES, args, all ? "n" : NULL);

	k->queues = palloc(sizeof(Queue) * (rows.n + 1));
	k->nqueues = rows.n;
	for (int i = 0; i < rows.n; i++)
	{
		int32		job = rows_int32(&rows, i, 0);

		k->queues[i] = (Queue)
		{
			job, rows_int32(&rows, i, 1), rows_int64(&rows, i, 2),
			ids_have(&k->full, job) ? 0 : rows_null(&rows, i, 3) ? INT32_MAX : rows_int32(&rows, i, 3)
		};
	}
	rows_free(&rows);
}

/* How many runs of the job there are among those picked. */
static int
picked_of(const Pick *k, int32 job)
{
	int			n = 0;

	for (int i = 0; i < k->nruns; i++)
		n += k->runs[i].job == job;
	return n;
}

static bool
is_full(const Pick *k, const Queue *q)
{
	return q->free != INT32_MAX && picked_of(k, q->job) >= q->free;
}

/* A run of the job that others of the priority may share. */
static PickedRun *
open_run(const Pick *k, const Job *job, int32 prio)
{
	for (int i = k->nruns - 1; i >= 0; i--)
	{
		PickedRun  *r = &k->runs[i];

		if (r->job == job->id && r->prio == prio && !r->alone && r->members < job->batch_size)
			return r;
	}
	return NULL;
}

/*
 * The arguments that describe a window on the queues [from, to), above floor.
 * Those that can give nothing more are left out: what can may be behind them.
 */
static void
window_args(const Pick *k, int from, int to, int64 floor, int64 window, Datum *args)
{
	int32	   *jobs = palloc(sizeof(int32) * (to - from));
	Ids			lows = {0};

	for (int i = from; i < to; i++)
	{
		const Queue *q = &k->queues[i];

		if (is_full(k, q) && open_run(k, marking_job(&k->c->m, q->job), RANK_PRIORITY(q->rank)) == NULL)
			continue;
		jobs[lows.n] = q->job;
		ids_add(&lows, Max(q->low, floor));
	}
	args[0] = int32s_datum(jobs, lows.n);
	args[1] = ids_datum(&lows);
	args[2] = Int16GetDatum((int16) k->queues[from].rank);
	args[3] = Int64GetDatum(window);
}

static Rows
take_entries(const Pick *k, int from, int to, int64 floor, int64 window)
{
	Datum		args[4];

	window_args(k, from, to, floor, window, args);
	return store_rows(Q_READY_TAKE, args, NULL);
}

static void
use_up(Pick *k, const Place *place)
{
	Places	   *list = &k->used;

	if (list->n == list->room)
	{
		Place	   *bigger = palloc(sizeof(Place) * (list->room * 2 + 64));

		if (list->n > 0)
			memcpy(bigger, list->at, sizeof(Place) * list->n);
		list->at = bigger;
		list->room = list->room * 2 + 64;
	}
	list->at[list->n++] = *place;
}

/*
 * The refs that look as if they could be claimed; those that cannot are used
 * up, and those that somebody else is at stay.
 * Nothing is locked: what requeues a partition gives it a new ticket and a new
 * entry.
 */
static Candidate *
sift_unlocked(Pick *k, const Entry *entries, int n, int *ngood)
{
	Candidate  *good = palloc0(sizeof(Candidate) * (n + 1));
	Ids			parts = {0};
	Marking		there = {0};
	Datum		args[1];
	Rows		rows;

	for (int i = 0; i < n; i++)
		ids_add(&parts, entries[i].place.part);
	args[0] = ids_datum(&parts);
	rows = store_rows(Q_READY_LOOK, args, NULL);
	for (int i = 0; i < rows.n; i++)
	{
		Partition  *p = marking_add(&there, PARTITION, rows_int64(&rows, i, 0));

		p->place = (PartitionPlace) net_place_by_letter(PARTITION, rows_char(&rows, i, 1));
		p->ticket = rows_int64(&rows, i, 2);
	}
	rows_free(&rows);
	*ngood = 0;
	for (int i = 0; i < n; i++)
	{
		const Partition *p = marking_token(&there, PARTITION, entries[i].place.part);

		if (p == NULL)
			continue;
		if ((p->place == P_QUEUED || p->place == P_UP_FOR_RETRY) && p->ticket <= entries[i].seq)
			good[(*ngood)++].entry = entries[i];
		else
			use_up(k, &entries[i].place);
	}
	look_more = Min(LOOK_MORE, 1 + 2 * (n - *ngood));
	return good;
}

/* ---- outputs and collisions ---- */

static void
load_outputs(Candidate *cands, int n)
{
	Ids			parts = {0};
	Marking		several = {0};
	Datum		args[1];
	Rows		rows;

	for (int i = 0; i < n; i++)
		ids_add(&parts, cands[i].entry.place.part);
	if (route_any_outputs() && n > 0)
	{
		args[0] = ids_datum(&parts);
		rows = store_rows(Q_OUTPUTS, args, NULL);
		for (int i = 0; i < rows.n; i++)
			rows_ids(&rows, i, 1, &((Partition *) marking_add(&several, PARTITION, rows_int64(&rows, i, 0)))->needs);
		rows_free(&rows);
	}
	for (int i = 0; i < n; i++)
	{
		const Partition *p = marking_token(&several, PARTITION, cands[i].entry.place.part);

		if (p != NULL)
			cands[i].outputs = p->needs;
		else
			ids_add(&cands[i].outputs, cands[i].entry.place.part);
	}
}

static void
collide(Pick *k, Candidate *cand, int64 blocker)
{
	ids_add(&k->blockers, blocker);
	ids_add(&k->collided, cand->entry.place.part);
	use_up(k, &cand->entry.place);
	cand->out = true;
}

/* Those that a run is in the way of, seen without a lock. */
static void
find_collisions(Pick *k, Candidate *cands, int n)
{
	Ids			siblings = {0};
	Marking		busy = {0};
	Ids			made;
	Datum		args[1];

	for (int i = 0; i < n; i++)
		for (int o = 0; cands[i].outputs.n > 1 && o < cands[i].outputs.n; o++)
			ids_add(&siblings, cands[i].outputs.at[o]);
	if (siblings.n == 0)
		return;
	args[0] = ids_datum(&siblings);
	made = store_ids(Q_BEING_MADE, args);
	for (int i = 0; i < made.n; i++)
		marking_add(&busy, PARTITION, made.at[i]);
	for (int i = 0; i < n; i++)
		for (int o = 0; cands[i].outputs.n > 1 && !cands[i].out && o < cands[i].outputs.n; o++)
			if (marking_token(&busy, PARTITION, cands[i].outputs.at[o]) != NULL)
				collide(k, &cands[i], cands[i].outputs.at[o]);
}

/* Lock what the candidates would make, lowest first; got has what was locked. */
static void
lock_outputs(Pick *k, Candidate *cands, int n, Marking *got)
{
	Ids			firsts = {0};
	Ids			others = {0};
	Ids			locked;

	for (int i = 0; i < n; i++)
		if (!cands[i].out)
			ids_add(&firsts, cands[i].outputs.at[0]);
	ids_sort(&firsts);
	locked = load_partitions(k->c, &firsts, LOCK_SKIP);
	for (int i = 0; i < locked.n; i++)
		marking_add(got, PARTITION, locked.at[i]);
	for (int i = 0; i < n; i++)
	{
		if (cands[i].out)
			continue;
		if (marking_token(got, PARTITION, cands[i].outputs.at[0]) == NULL)
			cands[i].out = true;	/* somebody else is at it: the entry stays */
		for (int o = 1; !cands[i].out && o < cands[i].outputs.n; o++)
			if (marking_token(got, PARTITION, cands[i].outputs.at[o]) == NULL)
				ids_add(&others, cands[i].outputs.at[o]);
	}
	ids_sort(&others);
	locked = load_partitions(k->c, &others, LOCK_SKIP);
	for (int i = 0; i < locked.n; i++)
		marking_add(got, PARTITION, locked.at[i]);
}

/* Whether all of it was locked; if a run has come in the way, it has collided. */
static bool
outputs_free(Pick *k, Candidate *cand, Marking *got)
{
	for (int o = 0; o < cand->outputs.n; o++)
		if (marking_token(got, PARTITION, cand->outputs.at[o]) == NULL)
			return false;
	for (int o = 0; o < cand->outputs.n; o++)
	{
		const Partition *p = marking_token(&k->c->m, PARTITION, cand->outputs.at[o]);

		if (p->id == cand->entry.place.part)
			continue;
		if (p->place == P_BUILDING || p->taken_by != 0 ||
			marking_token(&k->making, PARTITION, p->id) != NULL)
		{
			collide(k, cand, p->id);
			return false;
		}
	}
	return true;
}

/* ---- runs ---- */

static PickedRun *
new_run(Pick *k, const Job *job, int32 prio, bool alone)
{
	PickedRun  *r;

	if (k->nruns == k->most)
		return NULL;
	for (int i = 0; i < k->nqueues; i++)
		if (k->queues[i].job == job->id && is_full(k, &k->queues[i]))
			return NULL;
	r = &k->runs[k->nruns++];
	*r = (PickedRun)
	{
		.job = job->id,.prio = prio,.alone = alone
	};
	r->places = palloc(sizeof(Place) * job->batch_size);
	return r;
}

/* Something that the run would make has failed before: it must not fail others. */
static bool
has_failed(const Pick *k, const Candidate *cand)
{
	for (int o = 0; o < cand->outputs.n; o++)
		if (((Partition *) marking_token(&k->c->m, PARTITION, cand->outputs.at[o]))->attempts > 0)
			return true;
	return false;
}

/* Put it into a run that has room, or a new one; false if there is none. */
static bool
place_in_run(Pick *k, const Candidate *cand, const Partition *p)
{
	const Job  *job = marking_job(&k->c->m, p->job);
	bool		alone = has_failed(k, cand);
	PickedRun  *r = NULL;

	if (!alone && job->batch_size > 1)
		r = open_run(k, job, p->prio);
	if (r == NULL)
		r = new_run(k, job, p->prio, alone);
	if (r == NULL)
		return false;
	r->places[r->members++] = cand->entry.place;
	ids_add(&r->outputs, p->id);
	marking_add(&k->making, PARTITION, p->id);
	for (int o = 0; o < cand->outputs.n; o++)
		if (marking_token(&k->making, PARTITION, cand->outputs.at[o]) == NULL)
		{
			marking_add(&k->making, PARTITION, cand->outputs.at[o]);
			ids_add(&r->outputs, cand->outputs.at[o]);
		}
	return true;
}

/* What of the candidates can be claimed now, found under the locks. */
static void
sift(Pick *k, Candidate *cands, int n, int32 rank)
{
	Marking		got = {0};
	Ids			members = {0};

	load_outputs(cands, n);
	find_collisions(k, cands, n);
	lock_outputs(k, cands, n, &got);
	for (int i = 0; i < n; i++)
		if (marking_token(&got, PARTITION, cands[i].entry.place.part) != NULL)
			ids_add(&members, cands[i].entry.place.part);
	ids_sort(&members);
	load_needs(k->c, &members);
	call_now(k->c);
	for (int i = 0; i < n; i++)
	{
		const Partition *p;

		if (cands[i].out || marking_token(&k->making, PARTITION, cands[i].entry.place.part) != NULL)
			continue;			/* picked before, perhaps in vain: the entry stays */
		if (!outputs_free(k, &cands[i], &got))
			continue;
		p = marking_token(&k->c->m, PARTITION, cands[i].entry.place.part);
		if (!entry_counts(p, &cands[i].entry, rank))
			use_up(k, &cands[i].entry.place);
		else if (p->place == P_UP_FOR_RETRY && p->retry_at > k->c->now)
			continue;			/* the clock went back: the entry stays */
		else if (p->needs.n == 0)
			(void) place_in_run(k, &cands[i], p);
		else if (!k->sent_back)	/* else the next claim does it */
		{
			marking_add(&k->making, PARTITION, p->id);
			ids_add(&k->lacking, p->id);
			use_up(k, &cands[i].entry.place);
		}
	}
}

static Entry *
copy_entries(Rows *rows)
{
	Entry	   *entries = palloc(sizeof(Entry) * (rows->n + 1));

	for (int i = 0; i < rows->n; i++)
		entries[i] = (Entry)
	{
		{*(ItemPointer) DatumGetPointer(rows_datum(rows, i, 0)), rows_int64(rows, i, 2)},
			rows_int64(rows, i, 1), rows_int32(rows, i, 3)
	};
	rows_free(rows);
	return entries;
}

/* How many more refs may find room. */
static int64
room(const Pick *k, int from, int to)
{
	int32		batch = 1;
	int64		left = 0;

	for (int i = from; i < to; i++)
	{
		const Job  *job = marking_job(&k->c->m, k->queues[i].job);

		if (job != NULL && job->batch_size > batch)
			batch = job->batch_size;
	}
	for (int i = 0; i < k->nruns; i++)
	{
		const Job  *job = marking_job(&k->c->m, k->runs[i].job);

		if (k->runs[i].prio == RANK_PRIORITY(k->queues[from].rank) && !k->runs[i].alone)
			left += job->batch_size - k->runs[i].members;
	}
	return left + (int64) (k->most - k->nruns) * batch;
}

/* What can be claimed of these entries, as long as there is room. */
static void
take_some(Pick *k, const Entry *entries, int nentries, int from, int to)
{
	int			n;
	Candidate  *cands = sift_unlocked(k, entries, nentries, &n);
	int64		need;

	for (int i = 0; i < n && (need = room(k, from, to)) > 0; i += need)
	{
		CHECK_FOR_INTERRUPTS();
		need = Min(need, n - i);
		sift(k, cands + i, (int) need, k->queues[from].rank);
	}
}

/*
 * Take from the queues [from, to), which have one rank.  No more partitions are
 * locked at a time than there is room for; those that others hold are passed
 * over.
 */
static void
take_rank(Pick *k, int from, int to)
{
	int64		floor = 0;
	int64		window = 0;
	int64		need;

	while ((need = room(k, from, to)) > 0)
	{
		Rows		rows;
		Entry	   *entries;
		int			nentries;
		int			looked;

		window = Max(need, Min(window * WINDOW_GROWTH, WINDOW_WIDE));
		rows = take_entries(k, from, to, floor, window);
		nentries = rows.n;
		entries = copy_entries(&rows);
		for (int at = 0; at < nentries && (need = room(k, from, to)) > 0; at += looked)
		{
			looked = (int) Min(need + look_more, nentries - at);
			take_some(k, entries + at, looked, from, to);
		}
		if (nentries < window)
			break;
		floor = entries[nentries - 1].seq;
	}
}

/* ---- limits ---- */

/* Slots that no run has, nor this claim has given to one already: its own locks do not keep it out. */
static Ids
free_slots(Pick *k, const Job *job, int n)
{
	Datum		args[] = {Int32GetDatum(job->id), Int32GetDatum(job->max_running), Int64GetDatum(n)};
	Ids			slots = store_ids(Q_SLOTS_TAKE, args);
	Ids			used = store_ids(Q_SLOTS_USED, args);
	Ids			free = {0};

	for (int i = 0; i < k->nruns; i++)
		if (k->runs[i].job == job->id && k->runs[i].slot > 0)
			ids_add(&used, k->runs[i].slot);
	for (int i = 0; i < slots.n && free.n < job->max_running - used.n; i++)
		if (!ids_have(&used, slots.at[i]))
			ids_add(&free, slots.at[i]);
	return free;
}

/* Runs of limited jobs need a slot each; those that get none are not.  Whether there were such. */
static bool
take_slots(Pick *k)
{
	int			had = k->nruns;
	int			kept = 0;

	if (!route_any_limits())
		return false;
	for (int i = 0; i < k->nruns; i++)
	{
		const Job  *job = marking_job(&k->c->m, k->runs[i].job);
		Ids			slots;
		int			next = 0;

		if (job->max_running == 0 || k->runs[i].slot != 0)
			continue;
		slots = free_slots(k, job, picked_of(k, job->id));
		for (int r = i; r < k->nruns; r++)
			if (k->runs[r].job == job->id && k->runs[r].slot == 0)
				k->runs[r].slot = next < slots.n ? slots.at[next++] : -1;
	}
	for (int i = 0; i < k->nruns; i++)
	{
		if (k->runs[i].slot >= 0)
			k->runs[kept++] = k->runs[i];
		else
			ids_add(&k->full, k->runs[i].job);
	}
	k->nruns = kept;
	return kept < had;
}

/* ---- the whole ---- */

void
pick_runs(Pick *k, Datum labels, bool all)
{
	int			to;

	if (k->runs == NULL)
		k->runs = palloc(sizeof(PickedRun) * k->most);
	do
	{
		load_queues(k, labels, all);
		for (int from = 0; from < k->nqueues && k->nruns < k->most; from = to)
		{
			for (to = from + 1; to < k->nqueues; to++)
				if (k->queues[to].rank != k->queues[from].rank)
					break;
			take_rank(k, from, to);
		}
	} while (take_slots(k));
}

static int
by_row(const void *a, const void *b)
{
	return memcmp(&((const Place *) a)->row, &((const Place *) b)->row, sizeof(ItemPointerData));
}

/* Entries go when nothing stands for any ref in them. */
static void
drop_used(Places *used)
{
	ItemPointerData *rows = palloc(sizeof(ItemPointerData) * (used->n + 1));
	Ids			masks = {0};
	Datum		args[2];

	qsort(used->at, used->n, sizeof(Place), by_row);
	for (int i = 0; i < used->n; i++)
	{
		if (i == 0 || by_row(&used->at[i - 1], &used->at[i]) != 0)
		{
			rows[masks.n] = used->at[i].row;
			ids_add(&masks, 0);
		}
		masks.at[masks.n - 1] |= MEMBER_BIT(used->at[i].part);
	}
	args[0] = tids_datum(rows, masks.n);
	args[1] = ids_datum(&masks);
	store_do(Q_READY_DROP, args, NULL);
}

void
pick_finish(Pick *k)
{
	for (int i = 0; i < k->nruns; i++)
		for (int m = 0; m < k->runs[i].members; m++)
			use_up(k, &k->runs[i].places[m]);
	if (k->used.n > 0)
		drop_used(&k->used);
	if (k->collided.n > 0)
	{
		Datum		args[] = {ids_datum(&k->blockers), ids_datum(&k->collided)};

		store_do(Q_COLLISION_ADD, args, NULL);
		look_leave_second(&k->collided);
	}
}
