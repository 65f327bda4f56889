/*
 * look.c
 *	  What a move means for tokens that the call did not name, and the queues
 *	  that carry what could not be done at once.
 *
 * Consequences wait for nobody.  A partition that must look again is taken
 * with SKIP LOCKED; if somebody else holds it, an entry on the agenda stays,
 * which a later call works off.  The agenda has no unique key, so that two
 * calls that leave the same entry do not wait for each other.  What a look
 * would leave as it is, is not locked where that can be seen without.
 *
 * Watches.  A waiting partition watches one input that is not live; only when
 * that goes live does it look for another.  If the new one is not locked by
 * this call, its finish may be under way in another session, which cannot see
 * our watch and whose result we cannot see.  So the move of a watch leaves an
 * agenda entry, too: the second look.  It is dropped only by a later
 * transaction that holds the waiter, finds the watch in place, and sees in a
 * statement begun after that that the input is neither live nor changed or
 * locked by anybody: whoever takes it from then on sees the watch.
 *
 * The tree of cases of a look itself (queue, wait, block, fall back) is in
 * decide_look().
 */
#include "store.h"

#include "miscadmin.h"


/* ---- leaving entries ---- */

/*
 * Entries for partitions or wants, and how to look at them: 'l' for what
 * somebody else held; 's', a second look, for a waiting partition of which all
 * is known but whether its input is on the move; 'd', likewise, and at all that
 * it is declared to need, which nobody could see; 'w' for what is declared to
 * need the partition; 'c' for itself, if what it collided with is over.
 */
static void
leave_entries(const Ids *parts, const Ids *wants, char how)
{
	Ids			seqs = {0};
	Ids			p = {0};
	Ids			w = {0};
	Datum		args[4];

	if (parts->n + wants->n == 0)
		return;
	gate_enter_queue();
	for (int i = 0; i < parts->n + wants->n; i++)
	{
		ids_add(&seqs, gate_next());
		ids_add(&p, i < parts->n ? parts->at[i] : 0);
		ids_add(&w, i < parts->n ? 0 : wants->at[i - parts->n]);
	}
	args[0] = ids_datum(&seqs);
	args[1] = ids_datum(&p);
	args[2] = ids_datum(&w);
	args[3] = CharGetDatum(how);
	store_do(Q_AGENDA_ADD, args, NULL);
}

static const Ids none = {0};

void
look_leave_second(const Ids *parts)
{
	leave_entries(parts, &none, 's');
}

static void
leave(const Ids *parts, const Ids *wants)
{
	leave_entries(parts, wants, 'l');
}

/* ---- looking ---- */

/* Those that the call holds already, and those that it can get now. */
Ids
look_take(Call *c, const Ids *ids, Ids *busy)
{
	Ids			others = {0};
	Ids			taken = {0};
	Ids			got;

	for (int i = 0; i < ids->n; i++)
		ids_add(marking_token(&c->m, PARTITION, ids->at[i]) != NULL ? &taken : &others, ids->at[i]);
	got = load_partitions(c, &others, LOCK_SKIP);
	for (int i = 0; i < got.n; i++)
		ids_add(&taken, got.at[i]);
	for (int i = 0; got.n < others.n && i < others.n; i++)
		if (marking_token(&c->m, PARTITION, others.at[i]) == NULL)
			ids_add(busy, others.at[i]);
	return taken;
}

static bool
is_waiting(const Partition *p)
{
	return p->place == P_UPSTREAM_BUILDING || p->place == P_UPSTREAM_FAILED;
}

/* What the waiting ones lack; starts: where to begin looking, or none. */
static void
load_inputs(Call *c, const Ids *ids, const Ids *starts, bool full)
{
	Ids			waiting = {0};
	Ids			from = {0};
	Datum		args[3];
	Rows		rows;

	for (int i = 0; i < ids->n; i++)
		if (is_waiting(marking_token(&c->m, PARTITION, ids->at[i])))
		{
			ids_add(&waiting, ids->at[i]);
			ids_add(&from, starts->n > 0 ? starts->at[i] : 0);
		}
	if (waiting.n == 0)
		return;
	args[0] = ids_datum(&waiting);
	args[1] = ids_datum(&from);
	args[2] = BoolGetDatum(full);
	rows = store_rows(Q_INPUTS, args, NULL);
	for (int i = 0; i < rows.n; i++)
	{
		Partition  *p = marking_token(&c->m, PARTITION, rows_int64(&rows, i, 0));

		p->lacking = rows_null(&rows, i, 1) ? 0 : rows_int64(&rows, i, 1);
		p->input_lost = !rows_null(&rows, i, 2) && DatumGetBool(rows_datum(&rows, i, 2));
	}
	rows_free(&rows);
}

/*
 * The greatest priority among the wants in force on each.  Returns those with
 * a want that another session may be ending or moving: it saw the partition
 * at rest and does not tell it, so it must be looked at again.
 */
static Ids
load_cover(Call *c, Marking *m, const Ids *ids)
{
	Datum		args[] = {ids_datum(ids), TimestampTzGetDatum(c->now)};
	Ids			moving = {0};
	Rows		rows;

	if (ids->n == 0)
		return moving;
	for (int i = 0; i < ids->n; i++)
		((Partition *) marking_token(m, PARTITION, ids->at[i]))->cover = PRIORITY_NONE;
	rows = store_rows(Q_COVER, args, NULL);
	for (int i = 0; i < rows.n; i++)
	{
		((Partition *) marking_token(m, PARTITION, rows_int64(&rows, i, 0)))->cover = rows_int32(&rows, i, 1);
		if (DatumGetBool(rows_datum(&rows, i, 2)))
			ids_add(&moving, rows_int64(&rows, i, 0));
	}
	rows_free(&rows);
	return moving;
}

void
look_load_cover(Call *c, const Ids *ids)
{
	Ids			moving = load_cover(c, &c->m, ids);

	leave(&moving, &none);
}

/* Those of the partitions that the call does not hold and nobody else does, as they are. */
static Ids
glance(Call *c, const Ids *ids, Marking *m)
{
	Ids			others = {0};
	Ids			seen = {0};
	Datum		args[1];
	Rows		rows;

	for (int i = 0; i < ids->n; i++)
		if (marking_token(&c->m, PARTITION, ids->at[i]) == NULL)
			ids_add(&others, ids->at[i]);
	if (others.n == 0)
		return seen;
	args[0] = ids_datum(&others);
	rows = store_rows(Q_UNHELD, args, NULL);
	for (int i = 0; i < rows.n; i++)
	{
		Partition  *p = marking_add(m, PARTITION, rows_int64(&rows, i, 0));

		p->place = (PartitionPlace) net_place_by_letter(PARTITION, rows_char(&rows, i, 1));
		p->job = rows_int32(&rows, i, 2);
		p->prio = DatumGetInt16(rows_datum(&rows, i, 3));
		ids_add(&seen, p->id);
	}
	rows_free(&rows);
	return seen;
}

/*
 * Takes out of the partitions those that a look would leave as they are: seen
 * without their locks, so that a report on them need not wait for this
 * transaction.  A look at what waits for nothing and is in no queue goes by its
 * wants alone, and whoever takes it from now on sees those that are committed
 * by now.  Wants of this call he does not see: so returns those to which it
 * would matter, for a call that made such.
 */
static Ids
take_out_unmoved(Call *c, Ids *ids)
{
	Marking		m = {.jobs = c->m.jobs,.njobs = c->m.njobs};
	Marking		moved = {0};
	Marking		out = {0};
	Events		events = {0};
	Ids			seen = glance(c, ids, &m);
	Ids			moving = load_cover(c, &m, &seen);
	Ids			at_work = {0};
	Ids			rest = {0};

	decide_look(&m, &seen, &events);
	for (int i = 0; i < events.n; i++)
		for (int k = 0; k < events.at[i]->parts.n; k++)
			marking_add(&moved, PARTITION, events.at[i]->parts.at[k]);
	for (int i = 0; i < moving.n; i++)
		marking_add(&moved, PARTITION, moving.at[i]);
	for (int i = 0; i < seen.n; i++)
		if (marking_token(&moved, PARTITION, seen.at[i]) == NULL)
		{
			const Partition *p = marking_token(&m, PARTITION, seen.at[i]);

			marking_add(&out, PARTITION, p->id);
			if (p->place == P_BUILDING || p->place == P_FAILED || p->place == P_LIVE)
				ids_add(&at_work, p->id);
		}
	for (int i = 0; i < ids->n; i++)
		if (marking_token(&out, PARTITION, ids->at[i]) == NULL)
			ids_add(&rest, ids->at[i]);
	*ids = rest;
	return at_work;
}

/*
 * Those that go on waiting watch what they lack.  Returns those that are worth
 * a second look: a new watch on an input that this call does not hold.  Where
 * nothing else will wake it (rely), so is one that is left from an earlier
 * wait, when nobody looked for it, and a lost input, which may be going back to
 * work.
 */
static Ids
set_watches(Call *c, const Ids *ids, bool rely)
{
	Ids			upstreams = {0};
	Ids			waiters = {0};
	Ids			again = {0};
	Ids			moved = {0};

	for (int i = 0; i < ids->n; i++)
	{
		Partition  *p = marking_token(&c->m, PARTITION, ids->at[i]);

		if (!is_waiting(p) || p->lacking == 0)
			continue;
		if (p->input_lost && rely)
			ids_add(&again, p->id);
		if (p->input_lost)
			continue;
		ids_add(&upstreams, p->lacking);
		ids_add(&waiters, p->id);
	}
	if (waiters.n > 0)
	{
		Datum		args[] = {ids_datum(&upstreams), ids_datum(&waiters)};

		moved = store_ids(Q_WATCH_ADD, args);
	}
	if (rely)
		moved = waiters;
	for (int i = 0; i < moved.n; i++)
	{
		Partition  *p = marking_token(&c->m, PARTITION, moved.at[i]);

		if (marking_token(&c->m, PARTITION, p->lacking) == NULL)
			ids_add(&again, p->id);
	}
	return again;
}

static void
watch(Call *c, const Ids *ids, bool rely)
{
	Ids			again = set_watches(c, ids, rely);

	leave_entries(&again, &none, 's');
}

/* Events of kind blocked or waiting move a token that goes on to watch. */
static void
look_at(Call *c, const Ids *ids, const Ids *starts, bool full, bool cover)
{
	for (int i = 0; i < ids->n; i++)
	{
		Partition  *p = marking_token(&c->m, PARTITION, ids->at[i]);

		p->cover = p->prio;
		full = full || p->place == P_UPSTREAM_FAILED;
	}
	load_needs(c, ids);
	load_inputs(c, ids, starts, full);
	if (cover)
		look_load_cover(c, ids);
	decide_look(&c->m, ids, &c->events);
}

static void
look(Call *c, const Ids *ids, const Ids *starts, bool full, bool cover)
{
	look_at(c, ids, starts, full, cover);
	watch(c, ids, false);
}

/* ---- consequences ---- */

static int
by_ticket(const void *a, const void *b)
{
	const Partition *x = *(Partition *const *) a;
	const Partition *y = *(Partition *const *) b;

	return x->ticket < y->ticket ? -1 : x->ticket > y->ticket ? 1 : x->id < y->id ? -1 : x->id > y->id;
}

/* What collided and can be claimed has entries of the ready set again, those first that were queued first. */
static void
requeue(Call *c, const Ids *parts)
{
	const Partition **claimable = palloc(sizeof(Partition *) * (parts->n + 1));
	int			n = 0;
	Ids			ids = {0};

	for (int i = 0; i < parts->n; i++)
	{
		const Partition *p = marking_token(&c->m, PARTITION, parts->at[i]);

		if (p->place == P_QUEUED || (p->place == P_UP_FOR_RETRY && p->retry_at <= c->now))
			claimable[n++] = p;
	}
	qsort(claimable, n, sizeof(Partition *), by_ticket);
	for (int i = 0; i < n; i++)
		ids_add(&ids, claimable[i]->id);
	ready_add(c, &ids, true);
}

/*
 * What changed while runs were making it that have ended.  The call that ends
 * a run holds all its outputs, and whoever noted the change held them, too: so
 * it is seen here, and nobody waits and nothing is left for later.
 */
static void
publish_late(Call *c)
{
	Ids			changed = c->changed;
	Refusal		refusal;

	memset(&c->changed, 0, sizeof(Ids));
	ids_sort(&changed);
	if (!decide_published(&c->m, &changed, &c->events, &refusal))
		call_refuse(c, &refusal);
}

/* Outputs of runs that ended: what collided with them may try again. */
static void
tell_collided(Call *c)
{
	Datum		args[] = {ids_datum(&c->released)};
	Ids			parts = store_ids(Q_COLLISION_TAKE, args);
	Ids			busy = {0};
	Ids			taken;

	memset(&c->released, 0, sizeof(Ids));
	ids_sort(&parts);
	taken = look_take(c, &parts, &busy);
	requeue(c, &taken);
	leave_entries(&busy, &none, 'c');
}

/* Each waiter once, with the input that told it. */
static Ids
watchers_of(const Ids *live, Ids *starts)
{
	Datum		args[] = {ids_datum(live)};
	Rows		rows = store_rows(Q_WATCH_TAKE, args, NULL);
	Marking		seen = {0};
	Ids			waiters = {0};

	for (int i = 0; i < rows.n; i++)
	{
		int64		waiter = rows_int64(&rows, i, 0);

		if (marking_token(&seen, PARTITION, waiter) != NULL)
			continue;
		marking_add(&seen, PARTITION, waiter);
		ids_add(&waiters, waiter);
		ids_add(starts, rows_int64(&rows, i, 1));
	}
	rows_free(&rows);
	return waiters;
}

static void
tell_watchers(Call *c)
{
	Ids			live = c->to_live;
	Ids			starts = {0};
	Ids			busy = {0};
	Ids			waiters;
	Ids			taken;
	Marking		start_of = {0};
	Ids			from = {0};

	memset(&c->to_live, 0, sizeof(Ids));
	if (live.n == 0)
		return;
	waiters = watchers_of(&live, &starts);
	if (waiters.n == 0)
		return;
	for (int i = 0; i < waiters.n; i++)
		((Partition *) marking_add(&start_of, PARTITION, waiters.at[i]))->run = starts.at[i];
	taken = look_take(c, &waiters, &busy);
	for (int i = 0; i < taken.n; i++)
		ids_add(&from, ((Partition *) marking_token(&start_of, PARTITION, taken.at[i]))->run);
	look_at(c, &taken, &from, false, false);
	watch(c, &taken, true);
	leave(&busy, &none);
}

static void
tell_waiters(Call *c, const Ids *lost)
{
	Datum		args[] = {ids_datum(lost)};
	Ids			busy = {0};
	Ids			waiters;
	Ids			taken;

	if (lost->n == 0)
		return;
	waiters = store_ids(Q_WAITERS, args);
	taken = look_take(c, &waiters, &busy);
	look(c, &taken, &none, true, false);
	leave(&busy, &none);
}

/*
 * Who begins to wait in another session reads its declared inputs as they were
 * before this call, and is not seen to wait by it: so they are told again.
 * Nor is it seen what is declared in a transaction that is still open, so that
 * goes for all.
 */
static void
tell_lost(Call *c)
{
	Ids			lost = c->lost;

	memset(&c->lost, 0, sizeof(Ids));
	tell_waiters(c, &lost);
	if (route_any_inputs())
		leave_entries(&lost, &none, 'w');
}

/* Those of the wants that the call holds or can get are in the marking. */
static void
take_wants(Call *c, const Ids *ids, Ids *busy)
{
	Ids			others = {0};

	for (int i = 0; i < ids->n; i++)
		if (marking_token(&c->m, WANT, ids->at[i]) == NULL)
			ids_add(&others, ids->at[i]);
	(void) load_wants(c, &others, LOCK_SKIP);
	for (int i = 0; i < others.n; i++)
		if (marking_token(&c->m, WANT, others.at[i]) == NULL)
			ids_add(busy, others.at[i]);
}

void
add_members(int64 block, uint64 mask, Ids *parts)
{
	for (int b = 0; b < 64; b++)
		if (mask >> b & 1)
			ids_add(parts, (block << 6) + b);
}

/* Every partition of bitmaps in columns 0 (block) and 1 (mask), then free them. */
void
members_of_rows(Rows *rows, Ids *parts)
{
	for (int i = 0; i < rows->n; i++)
		add_members(rows_int64(rows, i, 0), (uint64) rows_int64(rows, i, 1), parts);
	rows_free(rows);
}

/* The refs that the ended wants covered have lost a want, the keys are free. */
static void
uncover(Call *c)
{
	Datum		args[] = {ids_datum(&c->ended)};
	Rows		rows = store_rows(Q_MEMBER_DROP, args, NULL);

	store_do(Q_KEYS_DROP, args, NULL);
	members_of_rows(&rows, &c->uncovered);
	memset(&c->ended, 0, sizeof(Ids));
}

/* The refs of derivative wants with another priority, likewise. */
static void
recover(Call *c)
{
	Ids			moved = c->moved_wants;

	memset(&c->moved_wants, 0, sizeof(Ids));
	for (int i = 0; i < moved.n; i++)
	{
		Datum		args[] = {Int64GetDatum(moved.at[i])};
		Rows		rows = store_rows(Q_MEMBERS, args, NULL);

		members_of_rows(&rows, &c->uncovered);
	}
}

/* What the partitions are declared to need is wanted otherwise than before. */
void
look_uncover_inputs(Call *c, const Ids *parts)
{
	Datum		args[] = {ids_datum(parts)};
	Ids			inputs;

	if (!route_any_inputs() || parts->n == 0)
		return;
	inputs = store_ids(Q_INPUTS_AT_WORK, args);
	for (int i = 0; i < inputs.n; i++)
		ids_add(&c->uncovered, inputs.at[i]);
}

/* A derivative want has the priority of what waits for it. */
static void
move_wants(Call *c)
{
	Datum		args[] = {ids_datum(&c->moved_waiters)};
	Rows		rows = store_rows(Q_WAIT_PRIORITIES, args, NULL);
	Ids			ids = {0};
	Ids			busy = {0};

	look_uncover_inputs(c, &c->moved_waiters);
	memset(&c->moved_waiters, 0, sizeof(Ids));
	for (int i = 0; i < rows.n; i++)
		ids_add(&ids, rows_int64(&rows, i, 0));
	take_wants(c, &ids, &busy);
	for (int i = 0; i < rows.n; i++)
	{
		const Want *w = marking_token(&c->m, WANT, rows_int64(&rows, i, 0));
		int32		prio = rows_int32(&rows, i, 1);

		if (w != NULL && w->place == W_ACTIVE && w->prio != prio && prio != PRIORITY_NONE)
		{
			Event	   *e = events_add(&c->events, EV_WANT_PRIORITISED);

			e->want = w->id;
			e->prio = prio;
		}
	}
	rows_free(&rows);
	leave(&none, &busy);
}

/*
 * Derivative wants that nothing waits for end: done, or, where all that waited
 * is wanted no more, canceled.
 */
static void
end_wants(Call *c, bool from_agenda)
{
	Marking		freed = {0};
	Ids			ids = {0};
	Ids			busy = {0};
	Ids			rest = {0};
	Ids			done;
	Datum		args[1];

	for (int i = 0; i < c->freed.n; i++)
	{
		marking_add(&freed, WANT, c->freed.at[i]);
		ids_add(&ids, c->freed.at[i]);
	}
	for (int i = 0; i < c->dropped.n; i++)
		ids_add(&ids, c->dropped.at[i]);
	memset(&c->freed, 0, sizeof(Ids));
	memset(&c->dropped, 0, sizeof(Ids));
	ids_sort(&ids);
	take_wants(c, &ids, &busy);
	args[0] = ids_datum(&ids);
	done = store_ids(Q_WANTS_DONE, args);
	for (int i = 0; i < done.n; i++)
	{
		Want	   *w = marking_token(&c->m, WANT, done.at[i]);
		bool		moved_on = marking_token(&freed, WANT, done.at[i]) != NULL;

		if (w == NULL || w->place != W_ACTIVE)
			continue;
		events_add(&c->events, moved_on ? EV_WANT_DONE : EV_WANT_CANCELED)->want = w->id;
		w->ending = true;
	}
	/*
	 * Others wait for the rest still, maybe less urgently, or are ending their
	 * waiting in another session, which cannot see ours: the later of both
	 * finds this entry.
	 */
	for (int i = 0; i < ids.n && !from_agenda; i++)
	{
		Want	   *w = marking_token(&c->m, WANT, ids.at[i]);

		if (w != NULL && w->place == W_ACTIVE && w->derivative && !w->ending)
			ids_add(&rest, w->id);
	}
	for (int i = 0; i < rest.n; i++)
		ids_add(&busy, rest.at[i]);
	leave(&none, &busy);
	if (rest.n == 0)
		return;
	args[0] = ids_datum(&rest);
	rest = store_ids(Q_LESS_URGENT, args);
	for (int i = 0; i < rest.n; i++)
		ids_add(&c->moved_waiters, rest.at[i]);
}

static void
tell_uncovered(Call *c)
{
	Ids			uncovered = c->uncovered;
	Ids			busy = {0};
	Ids			at_work;
	Ids			taken;
	Datum		args[1];

	memset(&c->uncovered, 0, sizeof(Ids));
	if (uncovered.n == 0)
		return;
	args[0] = ids_datum(&uncovered);
	at_work = store_ids(Q_AT_WORK, args);
	(void) take_out_unmoved(c, &at_work);	/* others see that these wants are on the move */
	if (at_work.n == 0)
		return;
	taken = look_take(c, &at_work, &busy);
	look(c, &taken, &none, false, true);
	leave(&busy, &none);
}

/* Those of the ids that are among the others, or those that are not; both in order. */
static Ids
among(const Ids *ids, const Ids *others, bool wanted)
{
	Ids			some = {0};
	int			k = 0;

	for (int i = 0; i < ids->n; i++)
	{
		while (k < others->n && others->at[k] < ids->at[i])
			k++;
		if ((k < others->n && others->at[k] == ids->at[i]) == wanted)
			ids_add(&some, ids->at[i]);
	}
	return some;
}

/* Partitions that got a derivative want, of which nobody has told them. */
static void
tell_covered(Call *c)
{
	Ids			covered = c->covered;
	Ids			busy = {0};
	Ids			not_live;
	Ids			went_live;
	Ids			unmoved;
	Ids			taken;
	Datum		args[1];

	memset(&c->covered, 0, sizeof(Ids));
	ids_sort(&covered);
	args[0] = ids_datum(&covered);
	not_live = store_ids(Q_NOT_LIVE, args);
	ids_sort(&not_live);
	went_live = among(&covered, &not_live, false);
	unmoved = take_out_unmoved(c, &not_live);
	taken = look_take(c, &not_live, &busy);
	look(c, &taken, &none, true, true);
	leave(&busy, &none);
	leave(&unmoved, &none);
	leave(&went_live, &none);	/* who takes it back before we commit does not see that it is wanted */
}

/* What began to wait looks at its inputs, and watches one. */
static void
tell_began(Call *c)
{
	Ids			began = c->began_to_wait;
	Ids			unseen;
	Ids			again;

	memset(&c->began_to_wait, 0, sizeof(Ids));
	look_at(c, &began, &none, true, false);
	again = set_watches(c, &began, true);
	ids_sort(&again);
	ids_sort(&began);
	ids_sort(&c->declared);
	/* others cannot see what these are declared to need: this call has put them in, or one before it */
	unseen = c->declared_before ? began : among(&began, &c->declared, true);
	again = among(&again, &unseen, false);
	leave_entries(&again, &none, 's');
	leave_entries(&unseen, &none, 'd');
}

/* One search at a time: what it finds is written before the next reads. */
static void
search_circles(Call *c)
{
	bool		first = c->may_circle.n > 0;
	Ids		   *from = first ? &c->may_circle : &c->circled_once;
	Ids			parts = *from;
	Ids			again;

	memset(from, 0, sizeof(Ids));
	again = cycle_search(c, &parts);
	if (first)
		leave_entries(&again, &none, 's');
}

bool
look_consequences(Call *c)
{
	CHECK_FOR_INTERRUPTS();
	if (c->changed.n > 0)
		publish_late(c);
	else if (c->to_live.n > 0)
		tell_watchers(c);
	else if (c->released.n > 0)
		tell_collided(c);
	else if (c->freed.n > 0 || c->dropped.n > 0)
		end_wants(c, false);
	else if (c->ended.n > 0)
		uncover(c);
	else if (c->moved_waiters.n > 0)
		move_wants(c);
	else if (c->moved_wants.n > 0)
		recover(c);
	else if (c->uncovered.n > 0)
		tell_uncovered(c);
	else if (c->covered.n > 0)
		tell_covered(c);
	else if (c->began_to_wait.n > 0)
		tell_began(c);
	else if (c->may_circle.n > 0 || c->circled_once.n > 0)
		search_circles(c);
	else if (c->lost.n > 0)
		tell_lost(c);			/* last: in a circle failures would go round for ever */
	else
		return false;
	return true;
}

void
look_again(Call *c, const Ids *ids)
{
	look(c, ids, &none, true, true);
}

/* ---- the agenda ---- */

typedef struct Entries
{
	Ids			parts;			/* to be looked at with their locks */
	Ids			collided;		/* those of them that collided with what is over */
	Ids			declared;		/* those whose declared inputs nobody could see */
	Ids			seconds;		/* for a second look */
	Ids			needed;			/* whose waiters are to be told */
	Ids			wants;
	ItemPointerData *rows;
	int64	   *part_of;		/* which partition, or 0, of each row */
	int			n;
	int64		last;
} Entries;

static Entries
take_entries(int64 after, int limit)
{
	Datum		args[] = {Int64GetDatum(after), Int64GetDatum(limit)};
	Rows		rows = store_rows(Q_AGENDA_TAKE, args, NULL);
	Entries		e = {.n = rows.n};

	e.rows = palloc(sizeof(ItemPointerData) * (rows.n + 1));
	e.part_of = palloc(sizeof(int64) * (rows.n + 1));
	for (int i = 0; i < rows.n; i++)
	{
		int64		part = rows_int64(&rows, i, 2);
		char		how = rows_char(&rows, i, 4);

		e.rows[i] = *(ItemPointer) DatumGetPointer(rows_datum(&rows, i, 0));
		e.last = rows_int64(&rows, i, 1);
		e.part_of[i] = part;
		if (part == 0)
			ids_add(&e.wants, rows_int64(&rows, i, 3));
		else
			ids_add(how == 's' ? &e.seconds : how == 'd' ? &e.declared : how == 'w' ? &e.needed : &e.parts, part);
		if (how == 'c')
			ids_add(&e.collided, part);
	}
	rows_free(&rows);
	ids_sort(&e.parts);
	ids_sort(&e.collided);
	ids_sort(&e.seconds);
	ids_sort(&e.declared);
	ids_sort(&e.needed);
	return e;
}

static Ids
those_among(const Ids *ids, const Ids *others)
{
	Ids			both = {0};

	for (int i = 0; others->n > 0 && i < ids->n; i++)
		if (ids_have(others, ids->at[i]))
			ids_add(&both, ids->at[i]);
	return both;
}

/*
 * Second looks at what collided: whether the run in the way ended while the
 * row for it was not to be seen yet.
 */
static void
second_collisions(Call *c, Entries *e, Ids *keep)
{
	Datum		args[] = {ids_datum(&e->seconds)};
	Ids			collided;
	Marking		is_one = {0};
	Ids			others = {0};
	Rows		rows;

	if (e->seconds.n == 0 || !route_any_outputs())
		return;
	collided = store_ids(Q_COLLIDED, args);
	for (int i = 0; i < collided.n; i++)
		marking_add(&is_one, PARTITION, collided.at[i]);
	for (int i = 0; i < e->seconds.n; i++)
		if (marking_token(&is_one, PARTITION, e->seconds.at[i]) == NULL)
			ids_add(&others, e->seconds.at[i]);
	rows = store_rows(Q_COLLISION_OVER, args, NULL);
	for (int i = 0; i < rows.n; i++)
		if (DatumGetBool(rows_datum(&rows, i, 1)))
			ids_add(keep, rows_int64(&rows, i, 0));
		else
			ids_add(&c->released, rows_int64(&rows, i, 2));
	rows_free(&rows);
	e->seconds = others;
}

/* Of these looks, those that the query does not show to be over are to be made under a lock. */
static void
settle(Call *c, Entries *e, const Ids *looks, Statement query)
{
	Datum		args[] = {ids_datum(looks)};
	Ids			settled;
	Marking		over = {0};

	if (looks->n == 0)
		return;
	settled = store_ids(query, args);
	for (int i = 0; i < settled.n; i++)
	{
		marking_add(&over, PARTITION, settled.at[i]);
		ids_add(&c->circled_once, settled.at[i]);
	}
	for (int i = 0; i < looks->n; i++)
		if (marking_token(&over, PARTITION, looks->at[i]) == NULL)
			ids_add(&e->parts, looks->at[i]);
	ids_sort(&e->parts);
}

/*
 * Second looks that are over without a lock: one snapshot shows the watch in
 * place and the input neither live nor held by anybody.  Whoever finishes the
 * input from then on sees the watch.  Likewise those at what nobody could see
 * to need its inputs, if all that are not live are wanted, and none is lost:
 * whoever moves one and has not committed yet leaves an entry for those who
 * need it, which is worked off by somebody who sees them.  The others are
 * looked at like all.
 */
static void
second_looks(Call *c, Entries *e)
{
	settle(c, e, &e->seconds, Q_SETTLED);
	settle(c, e, &e->declared, Q_SETTLED_WHOLLY);
}

/*
 * Of the partitions that go on waiting, those whose input has moved since it
 * was looked at, or may be on the move; if some are lost, one of these.
 */
static Ids
unsettled(Call *c, const Ids *ids)
{
	Ids			upstreams = {0};
	Ids			waiters = {0};
	Ids			blocked = {0};
	Ids			moving = {0};

	for (int i = 0; i < ids->n; i++)
	{
		Partition  *p = marking_token(&c->m, PARTITION, ids->at[i]);

		if (!is_waiting(p) || p->lacking == 0)
			continue;
		if (p->input_lost)
		{
			ids_add(&blocked, p->id);
			continue;
		}
		ids_add(&upstreams, p->lacking);
		ids_add(&waiters, p->id);
	}
	if (waiters.n > 0)
	{
		Datum		args[] = {ids_datum(&upstreams), ids_datum(&waiters)};

		moving = store_ids(Q_IN_FLIGHT, args);
	}
	if (blocked.n > 0)
	{
		Datum		args[] = {ids_datum(&blocked)};
		Ids			more = store_ids(Q_LOST_IN_FLIGHT, args);

		for (int i = 0; i < more.n; i++)
			ids_add(&moving, more.at[i]);
	}
	return moving;
}

static void
drop_entries(const Entries *e, const Ids *keep)
{
	ItemPointerData *drop = palloc(sizeof(ItemPointerData) * (e->n + 1));
	Marking		kept = {0};
	int			n = 0;

	for (int i = 0; i < keep->n; i++)
		marking_add(&kept, PARTITION, keep->at[i]);
	for (int i = 0; i < e->n; i++)
		if (e->part_of[i] == 0 || marking_token(&kept, PARTITION, e->part_of[i]) == NULL)
			drop[n++] = e->rows[i];
	if (n > 0)
	{
		Datum		args[] = {tids_datum(drop, n)};

		store_do(Q_AGENDA_DROP, args, NULL);
	}
}

static int64
mark_of(char queue)
{
	Datum		args[] = {CharGetDatum(queue)};
	Ids			low = store_ids(Q_MARK, args);

	return low.n == 0 ? 0 : low.at[0];
}

/* A derivative want is looked at again: whether it is done, and how urgent. */
static void
look_at_wants(Call *c, const Ids *wants)
{
	Datum		args[] = {ids_datum(wants)};
	Ids			waiters;

	if (wants->n == 0)
		return;
	for (int i = 0; i < wants->n; i++)
		ids_add(&c->freed, wants->at[i]);
	end_wants(c, true);
	waiters = store_ids(Q_WAITERS_OF, args);
	for (int i = 0; i < waiters.n; i++)
		ids_add(&c->moved_waiters, waiters.at[i]);
}

/*
 * Work off a share.  Entries that must stay do not keep those behind them
 * from their turn: the next share of this backend begins behind them.
 */
int64
look_agenda(Call *c, int limit)
{
	static int64 cursor = 0;
	Entries		e = take_entries(cursor, limit);
	Ids			keep = {0};
	Ids			taken;
	Ids			again;
	Ids			moving;
	Ids			uncertain;

	cursor = e.n < limit ? 0 : e.last;
	if (e.n == 0)
		return 0;
	second_collisions(c, &e, &keep);
	second_looks(c, &e);
	(void) take_out_unmoved(c, &e.parts);
	taken = look_take(c, &e.parts, &keep);
	again = those_among(&taken, &e.collided);
	requeue(c, &again);
	load_needs(c, &taken);
	load_inputs(c, &taken, &none, true);
	uncertain = load_cover(c, &c->m, &taken);
	moving = unsettled(c, &taken);
	for (int i = 0; i < moving.n; i++)
		ids_add(&keep, moving.at[i]);
	for (int i = 0; i < uncertain.n; i++)
		ids_add(&keep, uncertain.at[i]);
	decide_look(&c->m, &taken, &c->events);
	watch(c, &taken, false);
	drop_entries(&e, &keep);
	for (int i = 0; i < taken.n; i++)
		if (is_waiting(marking_token(&c->m, PARTITION, taken.at[i])))
			ids_add(&c->circled_once, taken.at[i]);
	look_at_wants(c, &e.wants);
	call_apply(c);
	if (e.needed.n > 0)
	{
		tell_waiters(c, &e.needed);
		call_apply(c);
	}
	return e.n;
}

/* ---- timers ---- */

/* All outputs of the run, if the call can get them. */
static bool
take_outputs(Call *c, const Run *r)
{
	Ids			busy = {0};

	(void) look_take(c, &r->outputs, &busy);
	return busy.n == 0;
}

/* Almost all have ended long ago, which needs no lock. */
static void
leases_due(Call *c, const Ids *ids)
{
	Datum		args[] = {ids_datum(ids)};
	Ids			running = store_ids(Q_RUNS_RUNNING, args);
	Ids			again = {0};
	Ids			times = {0};
	Ids			lost = {0};

	(void) load_runs(c, &running, LOCK_SKIP);
	for (int i = 0; i < running.n; i++)
	{
		Run		   *r = marking_token(&c->m, RUN, running.at[i]);

		if (r != NULL && r->place != R_RUNNING)
			continue;
		if (r != NULL && r->lease_at <= c->now && take_outputs(c, r))
		{
			ids_add(&lost, r->id);
			continue;
		}
		ids_add(&again, running.at[i]);
		ids_add(&times, r != NULL && r->lease_at > c->now ? r->lease_at : c->now);
	}
	timer_add('L', &times, &again);
	if (lost.n > 0)
		decide_ended(&c->m, EV_LOST, &lost, true, "the lease ran out", c->now, &c->events);
	c->runs_lost += lost.n;
}

/* What has backed off long enough goes to the ready set; its place is new. */
static void
retries_due(Call *c, const Ids *ids)
{
	Ids			busy = {0};
	Ids			taken = look_take(c, ids, &busy);
	Ids			times = {0};
	Ids			parts = {0};

	for (int i = 0; i < busy.n; i++)
		ids_add(&times, c->now);
	for (int i = 0; i < taken.n; i++)
	{
		Partition  *p = marking_token(&c->m, PARTITION, taken.at[i]);

		if (p->place == P_UP_FOR_RETRY && p->retry_at > c->now)
		{
			ids_add(&busy, p->id);
			ids_add(&times, p->retry_at);
		}
		else if (p->place == P_UP_FOR_RETRY)
			ids_add(&parts, p->id);
	}
	timer_add('R', &times, &busy);
	ready_add(c, &parts, false);
}

void
look_expire(Call *c, const Want *w)
{
	events_add(&c->events, EV_WANT_EXPIRED)->want = w->id;
	c->wants_expired++;
}

static void
ends_due(Call *c, const Ids *ids)
{
	Ids			busy = {0};
	Ids			times = {0};
	Datum		args[1];

	take_wants(c, ids, &busy);
	/* of what prune() took, timers are left */
	args[0] = ids_datum(&busy);
	busy = busy.n == 0 ? busy : store_ids(Q_WANTS_READ, args);
	for (int i = 0; i < busy.n; i++)
		ids_add(&times, c->now);
	timer_add('E', &times, &busy);
	for (int i = 0; i < ids->n; i++)
	{
		const Want *w = marking_token(&c->m, WANT, ids->at[i]);

		if (w != NULL && w->place == W_ACTIVE)
			look_expire(c, w);
	}
}

/* Microseconds of a settled time; see the mark of the timers. */
static void
advance_timers(void)
{
	int64		low;
	int64		settled;
	Ids			first;
	Datum		args[1];

	low = mark_of('t');
	args[0] = Int64GetDatum(gate_horizon(false));
	first = store_ids(Q_SETTLED_TIME, args);
	if (first.n == 0)
		return;
	settled = first.at[0];
	args[0] = TimestampTzGetDatum(low);
	first = store_ids(Q_TIMER_FIRST, args);
	if (first.n > 0 && first.at[0] < settled)
		settled = first.at[0];
	if (settled <= low)
		return;
	mark_add('t', 0, 0, settled);
}

/* Timers that are due, of the kinds that the query takes; how many there were. */
static int64
work_off_timers(Call *c, Statement query, TimestampTz from, int limit)
{
	Datum		args[] = {TimestampTzGetDatum(from), TimestampTzGetDatum(c->now), Int64GetDatum(limit)};
	Rows		rows = store_rows(query, args, NULL);
	Ids			leases = {0};
	Ids			retries = {0};
	Ids			ends = {0};
	int			n = rows.n;

	for (int i = 0; i < n; i++)
		rows_ids(&rows, i, 1, rows_char(&rows, i, 0) == 'L' ? &leases : rows_char(&rows, i, 0) == 'R' ? &retries : &ends);
	rows_free(&rows);
	if (n == 0)
		return 0;
	/* a run has several if a heartbeat asked for a shorter lease */
	ids_sort(&leases);
	ids_sort(&retries);
	ids_sort(&ends);
	if (leases.n > 0)
		leases_due(c, &leases);
	if (retries.n > 0)
		retries_due(c, &retries);
	if (ends.n > 0)
		ends_due(c, &ends);
	call_apply(c);
	return n;
}

int64
look_timers(Call *c, int limit, bool from_mark)
{
	TimestampTz from = from_mark ? mark_of('t') : DT_NOBEGIN;

	/* whoever does not rely on the mark moves it, too: it may be alone with the timers */
	if (!from_mark)
		advance_timers();
	return work_off_timers(c, Q_TIMERS_TAKE, from, limit);
}

void
look_ends(Call *c, int limit)
{
	(void) work_off_timers(c, Q_ENDS_TAKE, mark_of('t'), limit);
}

/* ---- marks ---- */

/* Up to what is settled and gone; first is the first entry above the old mark. */
static int64
settled_below(const Ids *first, int64 horizon)
{
	return first->n > 0 ? Min(first->at[0] - 1, horizon) : horizon;
}

static void
advance_agenda(int64 horizon)
{
	int64		low = mark_of('a');
	Datum		args[] = {Int64GetDatum(low)};
	Ids			first = store_ids(Q_AGENDA_FIRST, args);
	int64		settled = settled_below(&first, horizon);

	if (settled - low >= MARK_STEP)
		mark_add('a', 0, 0, settled);
}

static void
advance_queue(int32 job, int32 rank, int64 low, int64 horizon, int64 step)
{
	Datum		args[] = {Int32GetDatum(job), Int16GetDatum((int16) rank), Int64GetDatum(low)};
	Ids			first;
	int64		settled;

	if (horizon - low < step)
		return;
	first = store_ids(Q_READY_FIRST, args);
	settled = settled_below(&first, horizon);
	if (settled - low >= step)
		mark_add('r', job, rank, settled);
}

void
look_marks(void)
{
	Datum		all[1] = {(Datum) 0};
	int64		horizon;
	Rows		queues;

	if (!gate_turn())
		return;
	horizon = gate_horizon(true);
	advance_timers();
	advance_agenda(horizon);
	queues = store_rows(Q_QUEUES, all, "n");
	for (int i = 0; i < queues.n; i++)
		advance_queue(rows_int32(&queues, i, 0), rows_int32(&queues, i, 1), rows_int64(&queues, i, 2), horizon,
					  MARK_STEP * (1 + queues.n / MARK_QUEUES));
	rows_free(&queues);
}
