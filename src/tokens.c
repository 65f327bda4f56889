/*
 * tokens.c
 *	  Tokens out of the tables into a call's marking, and back.
 *
 * Locks: runs before partitions, each in the order of their ids.  What a call
 * names is waited for; everything else is taken with SKIP LOCKED or left.
 * Rows of side tables are read by a later statement than the one that locked.
 * A write back is one statement a table, however many tokens changed.
 */
#include "store.h"

#include "miscadmin.h"
#include "utils/memutils.h"

/* ---- loading ---- */

static Partition *
partition_of_row(Call *c, const Rows *rows, int i)
{
	Partition  *p = marking_add(&c->m, PARTITION, rows_int64(rows, i, 0));

	p->place = (PartitionPlace) net_place_by_letter(PARTITION, rows_char(rows, i, 1));
	p->job = rows_int32(rows, i, 2);
	p->prio = DatumGetInt16(rows_datum(rows, i, 3));
	p->run = rows_int64(rows, i, 4);
	p->live_run = rows_int64(rows, i, 5);
	p->ticket = rows_int64(rows, i, 6);
	p->since = rows_int64(rows, i, 7);
	p->ref = rows_text(rows, i, 8);
	p->cover = p->prio;
	p->was = p->place;
	p->old_ticket = p->ticket;
	p->old_prio = p->prio;
	p->troubled = false;
	p->dirty = false;
	return p;
}

static void
load_trouble(Call *c, const Ids *ids)
{
	Datum		args[] = {ids_datum(ids)};
	Rows		rows = store_rows(Q_TROUBLE, args, NULL);

	for (int i = 0; i < rows.n; i++)
	{
		Partition  *p = marking_token(&c->m, PARTITION, rows_int64(&rows, i, 0));

		p->attempts = rows_int32(&rows, i, 1);
		p->misses = rows_int32(&rows, i, 2);
		p->retry_at = rows_null(&rows, i, 3) ? 0 : rows_int64(&rows, i, 3);
		p->cause = rows_null(&rows, i, 4) ? CAUSE_NONE : cause_by_name(rows_text(&rows, i, 4));
		p->note = rows_text(&rows, i, 5);
		p->changed = rows_int64(&rows, i, 6);
		p->troubled = true;
	}
	rows_free(&rows);
}

/* Which of the instances no active taint but one marks. */
Ids
sound_instances(Call *c, const Ids *parts, int64 but)
{
	Ids			runs = {0};
	Datum		args[3];

	for (int i = 0; i < parts->n; i++)
		ids_add(&runs, ((Partition *) marking_token(&c->m, PARTITION, parts->at[i]))->live_run);
	args[0] = ids_datum(parts);
	args[1] = ids_datum(&runs);
	args[2] = Int64GetDatum(but);
	return store_ids(Q_SOUND, args);
}

/* What is made anew may have an instance whose taint was canceled meanwhile. */
static void
load_sound(Call *c, const Ids *ids)
{
	Ids			anew = {0};
	Ids			sound;

	for (int i = 0; i < ids->n; i++)
	{
		Partition  *p = marking_token(&c->m, PARTITION, ids->at[i]);

		p->sound = false;
		if (p->place == P_BUILDING && p->live_run != 0)
			ids_add(&anew, p->id);
	}
	if (anew.n == 0)
		return;
	sound = sound_instances(c, &anew, 0);
	for (int i = 0; i < sound.n; i++)
		((Partition *) marking_token(&c->m, PARTITION, sound.at[i]))->sound = true;
}

/* Live ones that a run makes anew. */
static void
load_taken(Call *c, const Ids *ids)
{
	Datum		args[] = {ids_datum(ids)};
	Rows		rows;

	for (int i = 0; i < ids->n; i++)
		((Partition *) marking_token(&c->m, PARTITION, ids->at[i]))->taken_by = 0;
	if (!route_any_outputs())
		return;
	rows = store_rows(Q_TAKEN, args, NULL);
	for (int i = 0; i < rows.n; i++)
		((Partition *) marking_token(&c->m, PARTITION, rows_int64(&rows, i, 0)))->taken_by = rows_int64(&rows, i, 1);
	rows_free(&rows);
}

Ids
load_partitions(Call *c, const Ids *ids, Lock lock)
{
	Ids			locked = {0};
	Datum		args[1];
	Rows		rows;

	if (ids->n == 0)
		return locked;
	args[0] = ids_datum(ids);
	rows = store_rows(lock == LOCK_WAIT ? Q_PARTITIONS_WAIT : Q_PARTITIONS_SKIP, args, NULL);
	for (int i = 0; i < rows.n; i++)
		ids_add(&locked, partition_of_row(c, &rows, i)->id);
	rows_free(&rows);
	if (locked.n > 0)
	{
		load_trouble(c, &locked);
		load_sound(c, &locked);
		load_taken(c, &locked);
	}
	return locked;
}

void
load_needs(Call *c, const Ids *ids)
{
	Datum		args[1];
	Rows		rows;

	for (int i = 0; i < ids->n; i++)
	{
		Partition  *p = marking_token(&c->m, PARTITION, ids->at[i]);

		p->needs.n = 0;
		p->unwanted.n = 0;
	}
	if (!route_any_inputs() || ids->n == 0)
		return;
	args[0] = ids_datum(ids);
	rows = store_rows(Q_NEEDS, args, NULL);
	for (int i = 0; i < rows.n; i++)
	{
		Partition  *p = marking_token(&c->m, PARTITION, rows_int64(&rows, i, 0));

		p->lacking = rows_int64(&rows, i, 1);
		ids_add(&p->needs, p->lacking);
		if (!DatumGetBool(rows_datum(&rows, i, 2)))
			ids_add(&p->unwanted, p->lacking);
	}
	rows_free(&rows);
}

Ids
load_wants(Call *c, const Ids *ids, Lock lock)
{
	Ids			locked = {0};
	Datum		args[1];
	Rows		rows;

	if (ids->n == 0)
		return locked;
	args[0] = ids_datum(ids);
	rows = store_rows(lock == LOCK_WAIT ? Q_WANTS_WAIT : lock == LOCK_SKIP ? Q_WANTS_SKIP : Q_WANTS_READ, args, NULL);
	for (int i = 0; i < rows.n; i++)
	{
		Want	   *w = marking_add(&c->m, WANT, rows_int64(&rows, i, 0));

		w->place = (WantPlace) net_place_by_letter(WANT, rows_char(&rows, i, 1));
		w->prio = DatumGetInt16(rows_datum(&rows, i, 2));
		w->run = rows_int64(&rows, i, 3);
		w->total = rows_int32(&rows, i, 4);
		w->created = rows_int64(&rows, i, 5);
		w->ended = rows_int64(&rows, i, 6);
		w->derivative = DatumGetBool(rows_datum(&rows, i, 7));
		w->expires = rows_null(&rows, i, 8) ? 0 : rows_int64(&rows, i, 8);
		w->stored = true;
		w->dirty = false;
		ids_add(&locked, w->id);
	}
	rows_free(&rows);
	return locked;
}

Ids
load_runs(Call *c, const Ids *ids, Lock lock)
{
	Ids			locked = {0};
	Datum		args[1];
	Rows		rows;

	if (ids->n == 0)
		return locked;
	args[0] = ids_datum(ids);
	rows = store_rows(lock == LOCK_WAIT ? Q_RUNS_WAIT : lock == LOCK_SKIP ? Q_RUNS_SKIP : Q_RUNS_READ, args, NULL);
	for (int i = 0; i < rows.n; i++)
	{
		Run		   *r = marking_add(&c->m, RUN, rows_int64(&rows, i, 0));

		r->place = (RunPlace) net_place_by_letter(RUN, rows_char(&rows, i, 1));
		r->job = rows_int32(&rows, i, 2);
		r->attempt = rows_int32(&rows, i, 3);
		r->started = rows_int64(&rows, i, 4);
		r->finished = rows_int64(&rows, i, 5);
		r->lease_at = rows_int64(&rows, i, 6);
		r->lease = rows_int64(&rows, i, 7);
		r->outputs.n = 0;
		rows_ids(&rows, i, 8, &r->outputs);
		ids_add(&locked, r->id);
	}
	rows_free(&rows);
	return locked;
}

/* The runs asked for, all of them; 42704 for one that is not there. */
Ids
load_named_runs(Call *c, const Ids *ids)
{
	Ids			got = load_runs(c, ids, LOCK_WAIT);

	for (int i = 0; got.n < ids->n && i < ids->n; i++)
		if (marking_token(&c->m, RUN, ids->at[i]) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("run " INT64_FORMAT " does not exist", ids->at[i]),
					 errhint("If it was claimed just now, commit the claim first: others see it only then.")));
	return got;
}

/* ---- writing back ---- */

static int
by_token_id(const void *a, const void *b)
{
	int64		x = **(int64 *const *) a;
	int64		y = **(int64 *const *) b;

	return x < y ? -1 : x > y;
}

/* The tokens of a machine, ascending, since updates find their values by nth(). */
static TokenMap
ascending(const TokenMap *map)
{
	TokenMap	sorted = *map;

	if (map->n == 0)
		return sorted;
	sorted.tokens = palloc(sizeof(void *) * map->n);
	memcpy(sorted.tokens, map->tokens, sizeof(void *) * map->n);
	qsort(sorted.tokens, map->n, sizeof(void *), by_token_id);
	return sorted;
}

/* The columns of the dirty partitions, as arrays. */
typedef struct Columns
{
	int			n;
	Ids			ids;
	char	   *states;
	int32	   *jobs;
	int16	   *prios;
	Ids			runs;
	Ids			live_runs;
	Ids			tickets;
	int64	   *since;
} Columns;

static void
write_partitions(const TokenMap *unsorted)
{
	TokenMap	sorted = ascending(unsorted);
	const TokenMap *map = &sorted;
	Columns		u = {
		.states = palloc(map->n + 1),
		.jobs = palloc(sizeof(int32) * (map->n + 1)),
		.prios = palloc(sizeof(int16) * (map->n + 1)),
		.since = palloc(sizeof(int64) * (map->n + 1)),
	};
	Datum		args[8];

	for (int i = 0; i < map->n; i++)
	{
		Partition  *p = map->tokens[i];
		bool		is_there = p->put_in != 0 && p->place == P_QUEUED && p->ticket == p->put_in;

		p->put_in = 0;
		if (!p->dirty || is_there)
			continue;
		ids_add(&u.ids, p->id);
		u.states[u.n] = net_place_letter(PARTITION, (int) p->place);
		u.jobs[u.n] = p->job;
		u.prios[u.n] = (int16) p->prio;
		ids_add(&u.runs, p->run);
		ids_add(&u.live_runs, p->live_run);
		ids_add(&u.tickets, p->ticket);
		u.since[u.n++] = p->since;
	}
	if (u.n == 0)
		return;
	args[0] = ids_datum(&u.ids);
	args[1] = chars_datum(u.states, u.n);
	args[2] = int32s_datum(u.jobs, u.n);
	args[3] = int16s_datum(u.prios, u.n);
	args[4] = ids_datum(&u.runs);
	args[5] = ids_datum(&u.live_runs);
	args[6] = ids_datum(&u.tickets);
	args[7] = times_datum(u.since, u.n);
	if (store_do(Q_PARTITIONS_WRITE, args, NULL) != u.n)
		elog(ERROR, "partitions vanished under their locks");
}

static bool
in_trouble(const Partition *p)
{
	return p->attempts != 0 || p->misses != 0 || p->retry_at != 0 || p->cause != CAUSE_NONE || p->changed != 0;
}

static void
write_trouble(const TokenMap *map)
{
	Ids			cleared = {0};
	Ids			ids = {0};
	int32	   *attempts = palloc(sizeof(int32) * (map->n + 1));
	int32	   *misses = palloc(sizeof(int32) * (map->n + 1));
	int64	   *retry_at = palloc(sizeof(int64) * (map->n + 1));
	const char **causes = palloc(sizeof(char *) * (map->n + 1));
	const char **notes = palloc(sizeof(char *) * (map->n + 1));
	Ids			changed = {0};

	for (int i = 0; i < map->n; i++)
	{
		Partition  *p = map->tokens[i];

		if (!p->dirty)
			continue;
		if (in_trouble(p))
		{
			attempts[ids.n] = p->attempts;
			misses[ids.n] = p->misses;
			retry_at[ids.n] = p->retry_at;
			causes[ids.n] = p->cause == CAUSE_NONE ? NULL : cause_name(p->cause);
			notes[ids.n] = p->note;
			ids_add(&changed, p->changed);
			ids_add(&ids, p->id);
		}
		else if (p->troubled)
			ids_add(&cleared, p->id);
		p->troubled = in_trouble(p);
	}
	if (cleared.n > 0)
	{
		Datum		args[] = {ids_datum(&cleared)};

		store_do(Q_TROUBLE_CLEAR, args, NULL);
	}
	if (ids.n > 0)
	{
		Datum		args[] = {ids_datum(&ids), int32s_datum(attempts, ids.n), int32s_datum(misses, ids.n),
		times_datum(retry_at, ids.n), texts_datum(causes, ids.n), texts_datum(notes, ids.n), ids_datum(&changed)};

		store_do(Q_TROUBLE_WRITE, args, NULL);
	}
}

/* Marks for queues (job and rank in one number) that have none yet. */
static void
add_queues(Ids *queues)
{
	Ids			jobs = {0};
	Ids			ranks = {0};
	Datum		args[2];

	ids_sort(queues);
	for (int i = 0; i < queues->n; i++)
	{
		ids_add(&jobs, queues->at[i] >> 16);
		ids_add(&ranks, (queues->at[i] & 65535) + RANK(PRIORITY_NONE, false));
	}
	args[0] = ids_datum(&jobs);
	args[1] = ids_datum(&ranks);
	store_do(Q_QUEUE_ADD, args, NULL);
}

/* Entries of the ready set to be: their columns. */
typedef struct Entries
{
	Ids			seqs;
	Ids			blocks;
	Ids			masks;
	int32	   *jobs;
	int16	   *ranks;
	int64		last;			/* the ref that came last */
} Entries;

/* Whether the ref may share the last entry: it comes next, of the same block and queue. */
static bool
shares_entry(const Entries *e, int64 part, int32 job, int16 rank)
{
	int			last = e->seqs.n - 1;

	return last >= 0 && e->jobs[last] == job && e->ranks[last] == rank && part > e->last &&
		e->blocks.at[last] == MEMBER_BLOCK(part) && !route_declares(job, OUTPUTS);
}

/*
 * Entries of the ready set, with new numbers in the order given.  Neighbours
 * share one; not those that may collide, since what collides must leave alone.
 */
void
ready_add(Call *c, const Ids *parts, bool collided)
{
	Entries		e = {
		.jobs = palloc(sizeof(int32) * (parts->n + 1)),
		.ranks = palloc(sizeof(int16) * (parts->n + 1)),
	};
	Ids			queues = {0};

	if (parts->n == 0)
		return;
	gate_enter_queue();
	for (int i = 0; i < parts->n; i++)
	{
		const Partition *p = marking_token(&c->m, PARTITION, parts->at[i]);
		int16		rank = (int16) RANK(p->prio, collided);

		if (!shares_entry(&e, p->id, p->job, rank))
		{
			e.jobs[e.seqs.n] = p->job;
			e.ranks[e.seqs.n] = rank;
			ids_add(&e.seqs, gate_next());
			ids_add(&e.blocks, MEMBER_BLOCK(p->id));
			ids_add(&e.masks, 0);
			ids_add(&queues, ((int64) p->job << 16) + (rank - RANK(PRIORITY_NONE, false)));
			wait_tell_work(p->job);
		}
		e.masks.at[e.masks.n - 1] |= MEMBER_BIT(p->id);
		e.last = p->id;
	}
	add_queues(&queues);
	{
		Datum		args[] = {ids_datum(&e.seqs), ids_datum(&e.blocks), int32s_datum(e.jobs, e.seqs.n),
		int16s_datum(e.ranks, e.seqs.n), ids_datum(&e.masks)};

		store_do(Q_READY_ADD, args, NULL);
	}
}

void
mark_add(char queue, int32 job, int32 rank, int64 low)
{
	Datum		args[] = {CharGetDatum(queue), Int32GetDatum(job), Int16GetDatum((int16) rank), Int64GetDatum(low)};

	store_do(Q_MARK_ADD, args, NULL);
}

/* Timers of one kind: an id and a time each. */
void
timer_add(char kind, const Ids *times, const Ids *ids)
{
	Datum		args[] = {CharGetDatum(kind), times_datum(times->at, times->n), ids_datum(ids)};

	if (ids->n == 0)
		return;
	store_do(Q_TIMER_ADD, args, NULL);
	for (int i = 0; i < times->n; i++)
		wait_tell_due(times->at[i]);
}

/*
 * Places in the queues for what became claimable, and timers for what backs
 * off: with each new ticket, since the clock of whoever worked off the timer
 * for the last one may be ahead of ours.
 */
static void
write_ready(Call *c)
{
	const TokenMap *map = &c->m.map[PARTITION];
	Ids			parts = {0};
	Ids			times = {0};
	Ids			backing_off = {0};

	for (int i = 0; i < map->n; i++)
	{
		Partition  *p = map->tokens[i];

		if (!p->dirty || p->ticket == p->old_ticket)
			continue;
		if (p->place == P_QUEUED || (p->place == P_UP_FOR_RETRY && p->retry_at <= c->now))
			ids_add(&parts, p->id);
		else if (p->place == P_UP_FOR_RETRY)
		{
			ids_add(&times, p->retry_at);
			ids_add(&backing_off, p->id);
		}
	}
	ready_add(c, &parts, false);
	timer_add('R', &times, &backing_off);
}

/* What changed while they made it is published now. */
static void
find_changed(Call *c, const Run *r)
{
	for (int k = 0; k < r->outputs.n; k++)
		if (((Partition *) marking_token(&c->m, PARTITION, r->outputs.at[k]))->changed != 0)
			ids_add(&c->changed, r->outputs.at[k]);
}

/* What runs that ended held besides their outputs; who collided may try again. */
static void
release(Call *c, const Ids *ended)
{
	Datum		args[] = {ids_datum(ended)};

	for (int i = 0; i < ended->n; i++)
		find_changed(c, marking_token(&c->m, RUN, ended->at[i]));
	if (route_any_limits() && store_do(Q_SLOTS_FREE, args, NULL) > 0)
		for (int i = 0; i < ended->n; i++)
			wait_tell_work(((Run *) marking_token(&c->m, RUN, ended->at[i]))->job);
	if (!route_any_outputs())
		return;
	store_do(Q_TAKEN_DROP, args, NULL);
	for (int i = 0; i < ended->n; i++)
	{
		const Run  *r = marking_token(&c->m, RUN, ended->at[i]);

		for (int k = 0; k < r->outputs.n; k++)
			ids_add(&c->released, r->outputs.at[k]);
	}
}

static void
write_runs(Call *c)
{
	TokenMap	sorted = ascending(&c->m.map[RUN]);
	const TokenMap *map = &sorted;
	Ids			ids = {0};
	char	   *states = palloc(map->n + 1);
	int64	   *finished = palloc(sizeof(int64) * (map->n + 1));

	for (int i = 0; i < map->n; i++)
	{
		Run		   *r = map->tokens[i];

		if (!r->dirty || r->place == R_RUNNING)
			continue;
		states[ids.n] = net_place_letter(RUN, (int) r->place);
		finished[ids.n] = r->finished;
		ids_add(&ids, r->id);
		r->dirty = false;
	}
	if (ids.n > 0)
	{
		Datum		args[] = {ids_datum(&ids), chars_datum(states, ids.n), times_datum(finished, ids.n)};

		store_do(Q_RUNS_WRITE, args, NULL);
		release(c, &ids);
	}
}

/* Whether the run that succeeded did not make all its outputs. */
static bool
made_less(Call *c, const Event *e)
{
	const Run  *r = marking_token(&c->m, RUN, e->runs.at[0]);

	return e->parts.n < r->outputs.n;
}

/* Reason, metadata and, if not all outputs were made, what was. */
static void
write_notes(Call *c, const Events *events)
{
	for (int i = 0; i < events->n; i++)
	{
		const Event *e = events->at[i];
		bool		ends = net_event(e->kind)->signal[RUN] != RS_NO && e->kind != EV_CLAIMED;
		bool		partial = e->kind == EV_SUCCEEDED && e->runs.n == 1 && made_less(c, e);
		Datum		args[4] = {0};
		char		nulls[4] = "  n";

		if (i > 0 && events->at[i - 1]->kind == EV_MISSED && e->kind == EV_MISSED)
			continue;			/* of the same run, cut for its size */
		if (!ends || (e->note == NULL && e->body == NULL && !partial))
			continue;
		args[0] = ids_datum(&e->runs);
		nulls[1] = e->note == NULL ? 'n' : ' ';
		args[1] = e->note == NULL ? 0 : text_datum(e->note);
		nulls[2] = e->body == NULL ? 'n' : ' ';
		args[2] = PointerGetDatum(e->body);
		nulls[3] = partial ? ' ' : 'n';
		args[3] = partial ? ids_datum(&e->parts) : 0;
		store_do(Q_RUN_NOTE, args, nulls);
	}
}

static void
write_publications(const Events *events)
{
	for (int i = 0; i < events->n; i++)
	{
		const Event *e = events->at[i];

		if (e->kind == EV_PUBLISHED)
		{
			Datum		args[] = {Int64GetDatum(e->id), TimestampTzGetDatum(e->at),
			ids_datum(&e->parts), PointerGetDatum(e->body)};

			store_do(Q_PUBLICATION, args, e->body == NULL ? "   n" : NULL);
		}
	}
}

/* The wants that have rows; those that ended let go of what they covered. */
static void
write_wants(Call *c)
{
	TokenMap	sorted = ascending(&c->m.map[WANT]);
	const TokenMap *map = &sorted;
	Ids			ids = {0};
	Ids			ended = {0};
	char	   *states = palloc(map->n + 1);
	int16	   *prios = palloc(sizeof(int16) * (map->n + 1));

	for (int i = 0; i < map->n; i++)
	{
		Want	   *w = map->tokens[i];

		if (!w->dirty || !w->stored)
			continue;
		states[ids.n] = net_place_letter(WANT, (int) w->place);
		prios[ids.n] = (int16) w->prio;
		ids_add(&ended, w->place == W_ACTIVE ? DT_NOEND : w->ended);
		ids_add(&ids, w->id);
		if (w->place != W_ACTIVE)
			ids_add(&c->ended, w->id);
		else
			ids_add(&c->moved_wants, w->id);
		w->dirty = false;
	}
	if (ids.n > 0)
	{
		Datum		args[] = {ids_datum(&ids), chars_datum(states, ids.n), times_datum(ended.at, ended.n), int16s_datum(prios, ids.n)};

		store_do(Q_WANTS_WRITE, args, NULL);
	}
}

static void
write_taints(Call *c, const Events *events)
{
	for (int i = 0; i < events->n; i++)
	{
		const Event *e = events->at[i];
		Ids			runs = {0};

		if (e->kind == EV_TAINT_CANCELED)
		{
			Datum		args[] = {Int64GetDatum(e->taint), CharGetDatum(net_place_letter(TAINT, T_CANCELED))};

			store_do(Q_TAINT_WRITE, args, NULL);
		}
		if (e->kind != EV_TAINTED)
			continue;
		for (int k = 0; k < e->parts.n; k++)
			ids_add(&runs, ((Partition *) marking_token(&c->m, PARTITION, e->parts.at[k]))->live_run);
		{
			Datum		taint[] = {Int64GetDatum(e->taint), TimestampTzGetDatum(e->at), e->note == NULL ? 0 : text_datum(e->note)};
			Datum		parts[] = {Int64GetDatum(e->taint), ids_datum(&e->parts), ids_datum(&runs)};

			store_do(Q_TAINT_INSERT, taint, e->note == NULL ? "  n" : NULL);
			store_do(Q_TAINT_PARTS_INSERT, parts, NULL);
		}
	}
}

static void
write_reads(const Events *events)
{
	for (int i = 0; i < events->n; i++)
	{
		const Event *e = events->at[i];

		if (e->kind == EV_READ)
		{
			Datum		args[] = {ids_datum(&e->runs), ids_datum(&e->parts), ids_datum(&e->others)};

			store_do(Q_READ_ADD, args, NULL);
		}
	}
}

/* Instances that are live no more; rare, since most refs are made once. */
static void
write_past(const TokenMap *map)
{
	Ids			parts = {0};
	Ids			events = {0};
	Ids			instances = {0};

	for (int i = 0; i < map->n; i++)
	{
		Partition  *p = map->tokens[i];

		for (int k = 0; k < p->past.n; k += 2)
		{
			ids_add(&parts, p->id);
			ids_add(&events, p->past.at[k]);
			ids_add(&instances, p->past.at[k + 1]);
		}
		p->past.n = 0;
	}
	if (parts.n > 0)
	{
		Datum		args[] = {ids_datum(&parts), ids_datum(&events), ids_datum(&instances), Int64GetDatum(gate_enter_ends())};

		store_do(Q_ONCE_LIVE_ADD, args, NULL);
	}
}

/* The want's members as bitmaps of 64 neighbouring ids. */
static void
write_members(int64 want, Ids *members)
{
	Ids			blocks = {0};
	Ids			masks = {0};
	Datum		args[3];

	ids_sort(members);
	for (int i = 0; i < members->n; i++)
	{
		if (blocks.n == 0 || blocks.at[blocks.n - 1] != MEMBER_BLOCK(members->at[i]))
		{
			ids_add(&blocks, MEMBER_BLOCK(members->at[i]));
			ids_add(&masks, 0);
		}
		masks.at[masks.n - 1] |= MEMBER_BIT(members->at[i]);
	}
	args[0] = Int64GetDatum(want);
	args[1] = ids_datum(&blocks);
	args[2] = ids_datum(&masks);
	store_do(Q_MEMBER_ADD, args, NULL);
}

/* A new want; one of very many refs comes in several events, one after the other. */
static void
write_new_want(Call *c, const Events *events, int i)
{
	const Event *e = events->at[i];
	Want	   *w = marking_token(&c->m, WANT, e->want);
	Ids			members = {0};
	Datum		args[] = {Int64GetDatum(w->id), TimestampTzGetDatum(w->created), Int64GetDatum(w->run),
	Int32GetDatum((int32) w->total), Int16GetDatum((int16) w->prio), PointerGetDatum(e->body), BoolGetDatum(w->derivative)};

	if (i > 0 && events->at[i - 1]->kind == e->kind && events->at[i - 1]->want == e->want)
		return;
	store_do(Q_WANT_INSERT, args, e->body == NULL ? "     n " : NULL);
	w->stored = true;
	w->dirty = false;
	for (; i < events->n && events->at[i]->kind == e->kind && events->at[i]->want == e->want; i++)
		for (int k = 0; k < events->at[i]->parts.n; k++)
			ids_add(&members, events->at[i]->parts.at[k]);
	write_members(w->id, &members);
	for (int k = 0; w->derivative && w->run == 0 && k < members.n; k++)
		ids_add(&c->covered, members.at[k]);
}

static bool
waits(PartitionPlace place)
{
	return place == P_UPSTREAM_BUILDING || place == P_UPSTREAM_FAILED;
}

/* What began to wait, and what does so no more. */
static void
write_waits(Call *c, const Events *events)
{
	const TokenMap *map = &c->m.map[PARTITION];
	Ids			freed = {0};

	for (int i = 0; i < map->n; i++)
	{
		const Partition *p = map->tokens[i];

		if (p->dirty && waits(p->was) && !waits(p->place))
			ids_add(&freed, p->id);
	}
	if (freed.n > 0)
	{
		Datum		args[] = {ids_datum(&freed)};
		Rows		rows = store_rows(Q_WAIT_DROP, args, NULL);

		for (int i = 0; i < rows.n; i++)
		{
			const Partition *p = marking_token(&c->m, PARTITION, rows_int64(&rows, i, 1));
			bool		fell = p->place == P_MISSING || p->place == P_TAINTED;

			ids_add(fell ? &c->dropped : &c->freed, rows_int64(&rows, i, 0));
		}
		rows_free(&rows);
		look_uncover_inputs(c, &freed);
	}
	for (int i = 0; i < events->n; i++)
	{
		const Event *e = events->at[i];

		if (e->kind == EV_WANTED || e->kind == EV_NEEDED)
			write_new_want(c, events, i);
		for (int k = 0; e->kind == EV_WAITING && k < e->parts.n; k++)
		{
			ids_add(&c->began_to_wait, e->parts.at[k]);
			ids_add(&c->may_circle, e->parts.at[k]);
		}
		if (e->kind == EV_WAITING && e->want != 0)
		{
			const Want *w = marking_token(&c->m, WANT, e->want);
			Datum		args[] = {ids_datum(&e->parts), Int64GetDatum(e->want), BoolGetDatum(w->run == 0)};

			store_do(Q_WAIT_ADD, args, NULL);
		}
	}
}

/* The moves that tell others, and the marking as it stands in the tables. */
static void
settle_partitions(Call *c)
{
	const TokenMap *map = &c->m.map[PARTITION];

	for (int i = 0; i < map->n; i++)
	{
		Partition  *p = map->tokens[i];

		if (!p->dirty)
			continue;
		if (net_tells_watchers(PARTITION, (int) p->was, (int) p->place))
			ids_add(&c->to_live, p->id);
		if (net_tells_waiters(PARTITION, (int) p->was, (int) p->place))
			ids_add(&c->lost, p->id);
		if (waits(p->place) && p->prio != p->old_prio)
			ids_add(&c->moved_waiters, p->id);
		p->was = p->place;
		p->old_ticket = p->ticket;
		p->old_prio = p->prio;
		p->dirty = false;
	}
}

/* What needs nothing but arrays, which of a million partitions take more than their tokens: gone afterwards. */
static void
write_columns(Call *c)
{
	MemoryContext arrays = AllocSetContextCreate(CurrentMemoryContext, "databuild columns", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(arrays);

	write_partitions(&c->m.map[PARTITION]);
	write_trouble(&c->m.map[PARTITION]);
	write_ready(c);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(arrays);
}

void
write_back(Call *c, const Events *events)
{
	CHECK_FOR_INTERRUPTS();
	if (events->n > 0)
		wait_tell_moves();
	write_columns(c);
	write_runs(c);
	write_notes(c, events);
	write_publications(events);
	write_wants(c);
	write_taints(c, events);
	write_reads(events);
	write_past(&c->m.map[PARTITION]);
	write_waits(c, events);
	settle_partitions(c);
}
