/*
 * call.c
 *	  The frame of every writing call: gate, decide, log, evolve, write back,
 *	  and what follows, level by level, until nothing does.
 *
 * An entry point loads and locks the tokens that it names, reads the clock,
 * lets the core decide, and calls call_apply().  That logs the events, evolves
 * the marking, writes it back in bulk, and asks look.c for the consequences,
 * whose events go the same way.  Whatever raises leaves nothing behind: all of
 * it is one statement of the caller's.
 */
#include "store.h"

#include "miscadmin.h"

/* So many agenda entries does a call work off on its way out. */
#define AGENDA_SHARE	100
#define TIMER_SHARE		100

void *
core_alloc(size_t size)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* A copy of its own: the routes may be read anew in the middle of the call. */
void
call_jobs(Call *c)
{
	const Job  *jobs = route_jobs(&c->m.njobs);
	Job		   *copy = palloc(sizeof(Job) * (c->m.njobs + 1));

	memcpy(copy, jobs, sizeof(Job) * c->m.njobs);
	c->m.jobs = copy;
}

static Call *
begin(void (*gate) (void))
{
	Call	   *c;
	Caller		caller;
	int			level;

	ask_refuse_call();
	caller = caller_enter();
	level = store_open();
	c = palloc0(sizeof(Call));
	c->caller = caller;
	c->level = level;
	c->declared_before = declares_here();
	gate();
	library_is_present();
	call_jobs(c);
	c->now = clock_now();
	return c;
}

Call *
call_begin(void)
{
	return begin(gate_enter);
}

Call *
call_begin_alone(void)
{
	return begin(gate_enter_alone);
}

void
call_now(Call *c)
{
	c->now = clock_now();
	c->reserved.n = 0;
}

void
call_reserve(Call *c, int n)
{
	call_now(c);
	while (c->reserved.n < n)
		ids_add(&c->reserved, gate_next());
}

static Ids
part_of(const Ids *ids, int from, int n)
{
	return (Ids)
	{
		ids->at + from, n, 0
	};
}

/* Part of an event: some of its partitions, and of what goes with each. */
static void
slice_parts(Events *out, const Event *e, int from, int n)
{
	Event	   *s = events_add(out, e->kind);

	*s = *e;
	s->parts = part_of(&e->parts, from, n);
	if (e->runs.n == e->parts.n)
		s->runs = part_of(&e->runs, from, n);
	if (e->others.n == e->parts.n)
		s->others = part_of(&e->others, from, n);
}

/* Part of an event: some of its runs, with their partitions. */
static void
slice_runs(Events *out, const Event *e, int from, int n, int *part)
{
	Event	   *s = events_add(out, e->kind);
	int			nparts = 0;

	*s = *e;
	s->runs = part_of(&e->runs, from, n);
	if (e->sizes.n > 0)
		s->sizes = part_of(&e->sizes, from, n);
	for (int i = from; i < from + n; i++)
		nparts += e->sizes.n > 0 ? (int) e->sizes.at[i] : e->parts.n > 0;
	s->parts = part_of(&e->parts, *part, nparts);
	*part += nparts;
}

/* Part of a declaration: some of the partitions, with what they need. */
static void
slice_declared(Events *out, const Event *e, int from, int n, int *other)
{
	Event	   *s = events_add(out, e->kind);
	int			nothers = 0;

	*s = *e;
	s->parts = part_of(&e->parts, from, n);
	s->sizes = part_of(&e->sizes, from, n);
	for (int i = from; i < from + n; i++)
		nothers += (int) e->sizes.at[i];
	s->others = part_of(&e->others, *other, nothers);
	*other += nothers;
}

/* Events with more tokens than a row should hold, cut into several. */
static Events
cut(const Events *events)
{
	Events		out = {0};

	for (int i = 0; i < events->n; i++)
	{
		const Event *e = events->at[i];
		bool		by_runs = net_event(e->kind)->signal[RUN] != RS_NO && e->runs.n > 1;
		int			n = by_runs ? e->runs.n : e->parts.n;
		int			next = 0;

		for (int from = 0; from == 0 || from < n; from += EVENT_MOST)
			if (e->kind == EV_DECLARED || e->kind == EV_MAKES)
				slice_declared(&out, e, from, Min(EVENT_MOST, n - from), &next);
			else if (by_runs)
				slice_runs(&out, e, from, Min(EVENT_MOST, n - from), &next);
			else
				slice_parts(&out, e, from, Min(EVENT_MOST, n - from));
	}
	return out;
}

static void
log_and_evolve(Call *c, Event *e)
{
	Refusal		refusal;

	log_append(c, e);
	if (!evolve(&c->m, e, &refusal))
		elog(ERROR, "event %s does not fit %s " INT64_FORMAT ", which is %s",
			 net_event(e->kind)->name, net_machine_name(refusal.machine), refusal.id,
			 net_place_name(refusal.machine, refusal.place));
}

/* Derivative wants that decide made get their numbers. */
static void
number_wants(Events *events)
{
	for (int i = 0; i < events->n; i++)
	{
		int64		id;

		if (events->at[i]->kind != EV_NEEDED || events->at[i]->want > 0)
			continue;
		ids_sort(&events->at[i]->parts);
		id = gate_next_of("want_id_seq");
		for (int k = events->n - 1; k >= 0; k--)
			if (k != i && events->at[k]->want == events->at[i]->want)
				events->at[k]->want = id;
		events->at[i]->want = id;
	}
}

void
call_log(Call *c)
{
	Events		events;

	number_wants(&c->events);
	events = cut(&c->events);

	memset(&c->events, 0, sizeof(c->events));
	for (int i = 0; i < events.n; i++)
	{
		log_and_evolve(c, events.at[i]);
		*events_add(&c->logged, events.at[i]->kind) = *events.at[i];
	}
}

void
call_write(Call *c)
{
	call_log(c);
	c->reserved.n = 0;
	write_back(c, &c->logged);
	memset(&c->logged, 0, sizeof(c->logged));
}

void
call_apply(Call *c)
{
	do
		call_write(c);
	while (look_consequences(c) || c->events.n > 0);
}

void
call_end(Call *c)
{
	look_ends(c, TIMER_SHARE);
	look_agenda(c, AGENDA_SHARE);
	call_close(c);
}

/* The call's memory goes with SPI. */
void
call_close(Call *c)
{
	Caller		caller = c->caller;

	look_marks();
	store_close(c->level);
	caller_leave(&caller);
}

/* Why a run has ended, after when: "" if nobody said. */
static const char *
reason_of_end(const Run *r)
{
	Datum		args[] = {Int64GetDatum(r->id)};
	Rows		rows;

	if (r->place == R_LOST)
		return " because its lease had run out";
	rows = store_rows(Q_RUN_REASON, args, NULL);
	return rows.n > 0 ? psprintf(": %s", rows_text(&rows, 0, 0)) : "";
}

/* "run 7 is lost; it cannot succeed", with when and why. */
static void
refuse_run(Call *c, const Refusal *refusal)
{
	Run		   *r = marking_token(&c->m, RUN, refusal->id);
	const char *hint = "Claim again: the work went back to the queue if it is still wanted.";

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("run " INT64_FORMAT " is %s; it cannot %s", refusal->id,
					net_place_name(RUN, refusal->place),
					net_signal_words(RUN, refusal->signal)),
			 errdetail("It ended at %s%s.", timestamptz_to_str(r->finished), reason_of_end(r)),
			 r->place == R_LOST ? errhint("%s", hint) : 0));
}

static void
refuse_partition(Call *c, const Refusal *refusal)
{
	Partition  *p = marking_token(&c->m, PARTITION, refusal->id);

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("partition \"%s\" is %s; it cannot %s", p->ref,
					net_place_name(PARTITION, refusal->place),
					net_signal_words(PARTITION, refusal->signal)),
			 errdetail("Run " INT64_FORMAT " is making it.", p->run),
			 errhint("Wait until that run has ended.")));
}

static void
refuse_want(Call *c, const Refusal *refusal)
{
	const Want *w = marking_token(&c->m, WANT, refusal->id);

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("want " INT64_FORMAT " is %s; it cannot %s", refusal->id,
					net_place_name(WANT, refusal->place),
					net_signal_words(WANT, refusal->signal)),
			 errdetail("It ended at %s.", timestamptz_to_str(w->place == W_ACTIVE ? w->expires : w->ended))));
}

void
call_refuse(Call *c, const Refusal *refusal)
{
	if (refusal->machine == RUN)
		refuse_run(c, refusal);
	if (refusal->machine == WANT)
		refuse_want(c, refusal);
	if (refusal->machine == PARTITION)
		refuse_partition(c, refusal);
	elog(ERROR, "%s " INT64_FORMAT " is %s; it cannot %s",
		 net_machine_name(refusal->machine), refusal->id,
		 net_place_name(refusal->machine, refusal->place),
		 net_signal_words(refusal->machine, refusal->signal));
	pg_unreachable();
}
