/*
 * evolve.c
 *	  From an event and tokens to tokens: the only code that changes a token.
 *
 * An event sends each token that it names its machine's signal; the net says
 * where the token goes, and the switches here what else about it changes.
 * Everything that evolve needs stands in the event, so that the fold of the
 * log needs no job, no clock and no table.
 */
#include "marking.h"

static bool
refused(Refusal *refusal, Machine machine, int64_t id, int place, int signal)
{
	*refusal = (Refusal) {machine, id, place, signal};
	return false;
}

/* A place where the token waits for others. */
static bool
waits_in(PartitionPlace place)
{
	return place == P_UPSTREAM_BUILDING || place == P_UPSTREAM_FAILED;
}

/* A place in which no want moves the token, so that its priority means nothing. */
static bool
at_rest(PartitionPlace place)
{
	return place == P_LIVE || place == P_MISSING || place == P_TAINTED;
}

static void
start_afresh(Partition *p)
{
	p->attempts = 0;
	p->misses = 0;
	p->cause = CAUSE_NONE;
}

static void
became_live(Partition *p, int64_t instance)
{
	p->run = instance;
	p->live_run = instance;
	start_afresh(p);
}

/* What the signal changes about the partition besides its place. */
static void
partition_changes(Partition *p, const Event *e, PartitionSignal signal, int64_t run)
{
	bool		missed = p->place == P_BUILDING;

	switch (signal)
	{
		case PS_KNOWN:
		case PS_REROUTED:
			p->job = e->job;
			p->ticket = e->id;
			break;
		case PS_QUEUED:
			p->misses += missed;
			p->ticket = e->id;
			break;
		case PS_WAITING:
			p->misses += missed;
			if (e->want != 0 && !ids_have(&p->waits, e->want))
				ids_add(&p->waits, e->want);
			break;
		case PS_BLOCKED:
			break;
		case PS_CLAIMED:
			if (p->place != P_LIVE)
				p->run = run;
			break;
		case PS_SUCCEEDED:
			became_live(p, run);
			break;
		case PS_PUBLISHED:
			became_live(p, e->id);
			p->changed = 0;
			break;
		case PS_CHANGED:
			p->changed = e->id;
			break;
		case PS_KEPT:
		case PS_UNTAINTED:
			became_live(p, p->live_run);
			break;
		case PS_BACKED_OFF:
			p->attempts++;
			p->retry_at = e->until;
			p->ticket = e->id;
			break;
		case PS_GAVE_UP:
			p->attempts += e->cause == CAUSE_ATTEMPTS || e->cause == CAUSE_NO_RETRY;
			p->misses += e->cause == CAUSE_MISSES;
			p->cause = e->cause;
			p->note = e->note;
			break;
		case PS_RETRIED:
			start_afresh(p);
			p->ticket = e->id;
			break;
		case PS_FORGOTTEN:
			p->run = 0;
			p->live_run = 0;
			start_afresh(p);
			break;
		case PS_PRIORITISED:
			p->prio = e->prio;
			p->ticket = e->id;
			break;
		case PS_FELL_BACK:
		case PS_FELL_TAINTED:
			p->attempts += e->cause == CAUSE_ATTEMPTS;
			p->misses += e->cause == CAUSE_MISSES;
			break;
		case PS_REBUILT:
			p->run = run;
			break;
		case PS_TAINTED:
		case PS_NO:
			break;
	}
}

static bool
move_partition(Marking *m, const Event *e, int64_t id, int64_t run, Refusal *refusal)
{
	Partition  *p = marking_add(m, PARTITION, id);
	PartitionSignal signal = (PartitionSignal) net_event(e->kind)->signal[PARTITION];
	int			target = net_target(PARTITION, (int) p->place, (int) signal);
	PartitionPlace from = p->place;
	int64_t		instance = p->live_run;

	if (target == NET_REFUSED)
		return refused(refusal, PARTITION, id, (int) p->place, (int) signal);
	p->dirty = true;
	partition_changes(p, e, signal, run);
	p->place = (PartitionPlace) target;
	if (p->place != from)
		p->since = e->at;
	if (from == P_LIVE && (p->place != P_LIVE || p->live_run != instance))
	{
		ids_add(&p->past, e->id);
		ids_add(&p->past, instance);
	}
	if (p->place != P_UP_FOR_RETRY)
		p->retry_at = 0;
	if (p->place != P_FAILED)
	{
		p->cause = CAUSE_NONE;
		p->note = NULL;
	}
	if (!waits_in(p->place))
		p->waits.n = 0;
	if (at_rest(p->place))
		p->prio = PRIORITY_NONE;
	else if (e->prio != PRIORITY_NONE)
		p->prio = e->prio;
	return true;
}

static bool
move_run(Marking *m, const Event *e, int64_t id, Refusal *refusal)
{
	Run		   *r = marking_add(m, RUN, id);
	RunSignal	signal = (RunSignal) net_event(e->kind)->signal[RUN];
	int			target = net_target(RUN, (int) r->place, (int) signal);

	if (target == NET_REFUSED)
		return refused(refusal, RUN, id, (int) r->place, (int) signal);
	if (target == NET_SAME)
		return true;
	r->place = (RunPlace) target;
	r->dirty = true;
	switch (signal)
	{
		case RS_CLAIMED:
			r->job = e->job;
			r->started = e->at;
			break;
		case RS_SUCCEEDED:
		case RS_FAILED:
		case RS_MISSED:
		case RS_CANCELED:
		case RS_LOST:
			r->finished = e->at;
			break;
		case RS_NO:
			break;
	}
	return true;
}

static bool
move_want(Marking *m, const Event *e, Refusal *refusal)
{
	Want	   *w = marking_add(m, WANT, e->want);
	WantSignal	signal = (WantSignal) net_event(e->kind)->signal[WANT];
	int			target = net_target(WANT, (int) w->place, (int) signal);

	/* a want of very many refs is declared by several events */
	if (signal == WS_WANTED && w->place == W_ACTIVE)
	{
		w->total += e->parts.n;
		return true;
	}
	if (target == NET_REFUSED)
		return refused(refusal, WANT, w->id, (int) w->place, (int) signal);
	if (target == NET_SAME)
		return true;
	w->place = (WantPlace) target;
	w->dirty = true;
	switch (signal)
	{
		case WS_WANTED:
			w->prio = e->prio;
			w->created = e->at;
			w->total = e->parts.n;
			w->derivative = e->kind == EV_NEEDED;
			w->run = e->runs.n > 0 ? e->runs.at[0] : 0;
			break;
		case WS_DONE:
		case WS_CANCELED:
		case WS_EXPIRED:
			w->ended = e->at;
			break;
		case WS_PRIORITISED:
			w->prio = e->prio;
			break;
		case WS_NO:
			break;
	}
	return true;
}

static bool
move_taint(Marking *m, const Event *e, Refusal *refusal)
{
	Taint	   *t = marking_add(m, TAINT, e->taint);
	TaintSignal signal = (TaintSignal) net_event(e->kind)->signal[TAINT];
	int			target = net_target(TAINT, (int) t->place, (int) signal);

	if (target == NET_REFUSED && !(signal == TS_TAINTED && t->place == T_ACTIVE))
		return refused(refusal, TAINT, t->id, (int) t->place, (int) signal);
	if (target < 0)
		return true;
	t->place = (TaintPlace) target;
	t->dirty = true;
	if (signal == TS_TAINTED)
		t->created = e->at;
	return true;
}

/* The runs that an event claims get their outputs and number of attempt. */
static void
attach_outputs(Marking *m, const Event *e)
{
	int			next = 0;

	for (int i = 0; i < e->runs.n; i++)
	{
		Run		   *r = marking_token(m, RUN, e->runs.at[i]);
		int			n = e->sizes.n > 0 ? (int) e->sizes.at[i] : 1;

		for (int k = 0; k < n; k++, next++)
		{
			Partition  *p = marking_token(m, PARTITION, e->parts.at[next]);

			ids_add(&r->outputs, p->id);
			if (p->attempts + 1 > r->attempt)
				r->attempt = p->attempts + 1;
		}
	}
}

/* The run that the event's k-th partition is told of, with i as cursor. */
static int64_t
run_of_part(const Event *e, int k, int *i, int *left)
{
	if (e->runs.n == 0)
		return 0;
	if (e->sizes.n == 0)
		return e->runs.n == 1 ? e->runs.at[0] : e->runs.at[k];
	while (*left == 0)
		*left = (int) e->sizes.at[++*i];
	--*left;
	return e->runs.at[*i];
}

/*
 * Apply the event.  True, or false with the refusal: then the log and the
 * tokens do not belong together, and the marking is not to be used any more.
 */
bool
evolve(Marking *m, const Event *e, Refusal *refusal)
{
	const EventRow *row = net_event(e->kind);
	int			run = -1;
	int			left = 0;

	if (row->signal[WANT] != WS_NO && !move_want(m, e, refusal))
		return false;
	if (row->signal[TAINT] != TS_NO && !move_taint(m, e, refusal))
		return false;
	if (row->signal[RUN] != RS_NO)
		for (int i = 0; i < e->runs.n; i++)
			if (!move_run(m, e, e->runs.at[i], refusal))
				return false;
	if (row->signal[PARTITION] != PS_NO)
		for (int k = 0; k < e->parts.n; k++)
			if (!move_partition(m, e, e->parts.at[k],
								run_of_part(e, k, &run, &left), refusal))
				return false;
	if (e->kind == EV_CLAIMED)
		attach_outputs(m, e);
	return true;
}
