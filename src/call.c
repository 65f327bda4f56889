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

/* No event row names more tokens than this; a larger one becomes several. */
#define EVENT_MOST		10000

void *
core_alloc(size_t size)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static Call *
begin(void (*gate) (void))
{
	Call	   *c;
	int			level = store_open();

	c = palloc0(sizeof(Call));
	c->level = level;
	gate();
	c->m.jobs = route_jobs(&c->m.njobs);
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
}

/* Part of an event: some of its partitions, with the rest of it as it is. */
static Event *
slice(Events *out, const Event *e, int from, int n)
{
	Event	   *s = events_add(out, e->kind);

	*s = *e;
	s->parts.at = e->parts.at + from;
	s->parts.n = n;
	s->parts.room = 0;
	if (e->runs.n == e->parts.n)	/* they go together */
	{
		s->runs.at = e->runs.at + from;
		s->runs.n = n;
		s->runs.room = 0;
	}
	return s;
}

/*
 * Events with more tokens than a row should hold, cut into several.  Those
 * that pair runs with partitions are cut by their callers' limits instead.
 */
static Events
cut(const Events *events)
{
	Events		out = {0};

	for (int i = 0; i < events->n; i++)
	{
		Event	   *e = events->at[i];
		bool		may_cut = net_event(e->kind)->signal[RUN] == RS_NO;

		if (!may_cut || e->parts.n <= EVENT_MOST)
			slice(&out, e, 0, e->parts.n);
		else
			for (int from = 0; from < e->parts.n; from += EVENT_MOST)
				slice(&out, e, from, Min(EVENT_MOST, e->parts.n - from));
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

void
call_log(Call *c)
{
	Events		events = cut(&c->events);

	memset(&c->events, 0, sizeof(c->events));
	for (int i = 0; i < events.n; i++)
	{
		log_and_evolve(c, events.at[i]);
		*events_add(&c->logged, events.at[i]->kind) = *events.at[i];
	}
}

void
call_apply(Call *c)
{
	do
	{
		call_log(c);
		write_back(c, &c->logged);
		memset(&c->logged, 0, sizeof(c->logged));
	} while (look_consequences(c) || c->events.n > 0);
}

void
call_end(Call *c)
{
	look_agenda(c, AGENDA_SHARE);
	store_close(c->level);
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
			 errdetail("It ended at %s%s.", timestamptz_to_str(r->finished),
					   r->place == R_LOST ? " because its lease had run out" : ""),
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

void
call_refuse(Call *c, const Refusal *refusal)
{
	if (refusal->machine == RUN)
		refuse_run(c, refusal);
	if (refusal->machine == PARTITION)
		refuse_partition(c, refusal);
	elog(ERROR, "%s " INT64_FORMAT " is %s; it cannot %s",
		 net_machine_name(refusal->machine), refusal->id,
		 net_place_name(refusal->machine, refusal->place),
		 net_signal_words(refusal->machine, refusal->signal));
	pg_unreachable();
}
