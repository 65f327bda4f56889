/*
 * decide.c
 *	  From a command and tokens to events: every rule of the semantics that is
 *	  not a cell of the net.
 *
 * The functions here read tokens and their facts and append events; they
 * change nothing.  Whoever calls them has loaded the tokens that the command
 * names, and logs and evolves what comes out.
 */
#include "marking.h"

#define MAX_BACKOFF	(INT64_C(3600) * 1000000)

static Partition *
partition(Marking *m, int64_t id)
{
	return marking_token(m, PARTITION, id);
}

/* Whether a worker can make it: a job, and not a source, takes its ref. */
static bool
has_maker(const Marking *m, const Partition *p)
{
	const Job  *job = marking_job(m, p->job);

	return job != NULL && !job->is_source;
}

int64_t
decide_backoff(int64_t backoff, int32_t attempts)
{
	int64_t		wait = backoff;

	for (int i = 1; i < attempts && wait < MAX_BACKOFF; i++)
		wait *= 2;
	return wait < MAX_BACKOFF ? wait : (backoff > MAX_BACKOFF ? backoff : MAX_BACKOFF);
}

/*
 * Nobody wants it any more, or nobody makes it.  What was live once and is not
 * now, is tainted.  A failed attempt counts all the same (the cause).
 */
static void
fall_back(const Partition *p, Cause cause, Events *out)
{
	EventKind	kind = p->live_run != 0 ? EV_FELL_TAINTED : EV_FELL_BACK;

	ids_add(&events_group(out, kind, PRIORITY_NONE, 0, cause)->parts, p->id);
}

static void
give_up(const Partition *p, Cause cause, Events *out)
{
	ids_add(&events_group(out, EV_GAVE_UP, PRIORITY_NONE, 0, cause)->parts, p->id);
}

/*
 * To wait for these declared inputs, with a derivative want on all that the
 * partitions of one priority need.
 */
static void
need(const Partition *p, const Ids *inputs, int32_t urgency, Events *out)
{
	Event	   *needed = NULL;
	Event	   *waiting = NULL;

	for (int i = 0; i + 1 < out->n && waiting == NULL; i++)
		if (out->at[i]->kind == EV_NEEDED && out->at[i]->runs.n == 0 && out->at[i]->prio == urgency)
		{
			needed = out->at[i];
			waiting = out->at[i + 1];
		}
	if (waiting == NULL)
	{
		needed = events_add(out, EV_NEEDED);
		needed->prio = urgency;
		needed->want = -out->n;
		waiting = events_add(out, EV_WAITING);
		waiting->prio = urgency;
		waiting->want = needed->want;
	}
	for (int i = 0; i < inputs->n; i++)
		ids_add(&needed->parts, inputs->at[i]);
	ids_add(&waiting->parts, p->id);
}

/* To the queue; or, if declared inputs are not live, to wait for them. */
static void
queue(const Partition *p, int32_t prio, Events *out)
{
	if (p->needs.n == 0)
		ids_add(&events_group(out, EV_QUEUED, prio, 0, CAUSE_NONE)->parts, p->id);
	else
		need(p, &p->needs, prio != PRIORITY_NONE ? prio : p->prio, out);
}

static void
prioritise(const Partition *p, int32_t prio, Events *out)
{
	ids_add(&events_group(out, EV_PRIORITISED, prio, 0, CAUSE_NONE)->parts, p->id);
}

/*
 * True if the end of the run that did not make it leaves nothing to decide.
 * cause: what is counted even if nobody wants it: ATTEMPTS, MISSES or NONE.
 */
static bool
settled_without(Marking *m, const Partition *p, Cause cause, Events *out)
{
	if (p->place == P_LIVE)
		return true;
	if (p->sound)
	{
		ids_add(&events_group(out, EV_KEPT, PRIORITY_NONE, 0, CAUSE_NONE)->parts, p->id);
		return true;
	}
	if (p->prio == PRIORITY_NONE || !has_maker(m, p))
	{
		fall_back(p, cause, out);
		return true;
	}
	return false;
}

/* A failed attempt of one output. */
static void
attempt_failed(Marking *m, const Partition *p, bool retry, int64_t now, Events *out)
{
	const Job  *job = marking_job(m, p->job);
	int32_t		attempts = p->attempts + 1;

	if (settled_without(m, p, CAUSE_ATTEMPTS, out))
		return;
	if (!retry)
		give_up(p, CAUSE_NO_RETRY, out);
	else if (job == NULL || attempts >= job->max_attempts)
		give_up(p, CAUSE_ATTEMPTS, out);
	else
		ids_add(&events_group(out, EV_BACKED_OFF, PRIORITY_NONE,
							  now + decide_backoff(job->backoff, attempts),
							  CAUSE_NONE)->parts, p->id);
}

/*
 * A want of that priority is new on the partitions: what nobody worked on and
 * a job makes is queued, what waits further back moves up.
 */
void
decide_wanted(Marking *m, const Ids *parts, int32_t prio, Events *out)
{
	for (int i = 0; i < parts->n; i++)
	{
		Partition  *p = partition(m, parts->at[i]);

		switch (p->place)
		{
			case P_MISSING:
			case P_TAINTED:
				if (has_maker(m, p))
					queue(p, prio > p->cover ? prio : p->cover, out);
				break;
			case P_QUEUED:
			case P_BUILDING:
			case P_UPSTREAM_BUILDING:
			case P_UP_FOR_RETRY:
			case P_FAILED:
			case P_UPSTREAM_FAILED:
				if (prio > p->prio)
					prioritise(p, prio, out);
				break;
			case P_NEW:
			case P_LIVE:
			case N_PARTITION_PLACES:
				break;
		}
	}
}

static Event *
claim_event(Events *out, int32_t job, const char *worker)
{
	Event	   *e;

	for (int i = 0; i < out->n; i++)
		if (out->at[i]->kind == EV_CLAIMED && out->at[i]->job == job)
			return out->at[i];
	e = events_add(out, EV_CLAIMED);
	e->job = job;
	e->note = worker;
	return e;
}

/*
 * Runs of claimable partitions: sizes says how many of outputs each makes, of
 * which the first is one that was claimable.  An event a job.
 */
void
decide_claim(Marking *m, const Ids *run_ids, const Ids *sizes, const Ids *outputs, const char *worker, Events *out)
{
	int			next = 0;

	for (int i = 0; i < run_ids->n; i++)
	{
		Event	   *e = claim_event(out, partition(m, outputs->at[next])->job, worker);

		ids_add(&e->runs, run_ids->at[i]);
		ids_add(&e->sizes, sizes->at[i]);
		for (int k = 0; k < sizes->at[i]; k++)
			ids_add(&e->parts, outputs->at[next++]);
	}
	for (int i = 0; i < out->n; i++)
		if (out->at[i]->kind == EV_CLAIMED && out->at[i]->parts.n == out->at[i]->runs.n)
			out->at[i]->sizes.n = 0;	/* one each */
}

/*
 * A report on runs: those that it moves go to fresh, a repeated report is
 * passed over, a contradicting one refused (false, and the first such run).
 */
bool
decide_report(Marking *m, RunSignal signal, const Ids *run_ids, Ids *fresh, Refusal *refusal)
{
	for (int i = 0; i < run_ids->n; i++)
	{
		Run		   *r = marking_token(m, RUN, run_ids->at[i]);
		int			target = net_target(RUN, (int) r->place, (int) signal);

		if (target == NET_REFUSED)
		{
			*refusal = (Refusal) {RUN, r->id, (int) r->place, (int) signal};
			return false;
		}
		if (target != NET_SAME)
			ids_add(fresh, r->id);
	}
	return true;
}

/*
 * The runs succeeded.  With made (for a single run), only these of its outputs
 * are there; each other one is a failed attempt.
 */
void
decide_succeeded(Marking *m, const Ids *run_ids, const Ids *made, int64_t now, Events *out)
{
	Event	   *e = events_add(out, EV_SUCCEEDED);
	bool		one_each = true;

	for (int i = 0; i < run_ids->n; i++)
	{
		Run		   *r = marking_token(m, RUN, run_ids->at[i]);
		int			n = 0;

		ids_add(&e->runs, r->id);
		for (int k = 0; k < r->outputs.n; k++)
		{
			if (made != NULL && !ids_have(made, r->outputs.at[k]))
			{
				attempt_failed(m, partition(m, r->outputs.at[k]), true, now, out);
				continue;
			}
			ids_add(&e->parts, r->outputs.at[k]);
			n++;
		}
		ids_add(&e->sizes, n);
		one_each = one_each && n == 1;
	}
	if (one_each)
		e->sizes.n = 0;
}

/* The runs ended without making anything: failed, lost or canceled. */
void
decide_ended(Marking *m, EventKind kind, const Ids *run_ids, bool retry, const char *note, int64_t now, Events *out)
{
	Event	   *e = events_add(out, kind);

	e->note = note;
	for (int i = 0; i < run_ids->n; i++)
	{
		Run		   *r = marking_token(m, RUN, run_ids->at[i]);

		ids_add(&e->runs, r->id);
		for (int k = 0; k < r->outputs.n; k++)
		{
			Partition  *p = partition(m, r->outputs.at[k]);

			if (kind != EV_RUN_CANCELED)
				attempt_failed(m, p, retry, now, out);
			else if (!settled_without(m, p, CAUSE_NONE, out))
				give_up(p, CAUSE_CANCELED, out);
		}
	}
}

/* An output that the miss holds up: it waits, or has missed once too often. */
static void
hold_up(Marking *m, const Partition *p, const Ids *lacking, Ids *waiters, Events *out)
{
	const Job  *job = marking_job(m, p->job);

	if (job != NULL && p->misses + 1 >= job->max_misses)
		give_up(p, CAUSE_MISSES, out);
	else if (lacking->n == 0)
		queue(p, PRIORITY_NONE, out);
	else
		ids_add(waiters, p->id);
}

/*
 * What is lacking is wanted.  An output of the run itself has been moved by an
 * earlier event of this call, which its token does not show yet.
 */
static void
want_missing(Marking *m, const Run *r, const Ids *lacking, int32_t prio, Events *out)
{
	Ids			others = {0};

	for (int i = 0; i < lacking->n; i++)
	{
		const Partition *p = partition(m, lacking->at[i]);

		if (!ids_have(&r->outputs, p->id))
			ids_add(&others, p->id);
		else if (p->place == P_LIVE || p->sound || !has_maker(m, p))
			continue;
		else if (p->prio == PRIORITY_NONE)
			queue(p, prio, out);
		else if (prio > p->prio)
			prioritise(p, prio, out);
	}
	decide_wanted(m, &others, prio, out);
}

/* The outputs wait for what is lacking, on which there is a derivative want. */
static void
wait_for(Marking *m, int64_t run, const Ids *waiters, const Ids *lacking, bool lost, Events *out)
{
	Event	   *needed = events_add(out, EV_NEEDED);
	Event	   *waiting = events_add(out, EV_WAITING);
	int32_t		prio = PRIORITY_NONE;

	for (int i = 0; i < waiters->n; i++)
		if (partition(m, waiters->at[i])->prio > prio)
			prio = partition(m, waiters->at[i])->prio;
	needed->want = -out->n;
	needed->prio = prio;
	needed->parts = *lacking;
	ids_add(&needed->runs, run);
	waiting->want = needed->want;
	waiting->parts = *waiters;
	if (lost)
		events_add(out, EV_BLOCKED)->parts = *waiters;
	want_missing(m, marking_token(m, RUN, run), lacking, prio, out);
}

/*
 * The run missed dependencies.
 *
 * impacted: its outputs that lack them; lacking: the missing refs that are not
 * live; lost: one of these is failed or upstream_failed.
 */
void
decide_missed(Marking *m, int64_t run, const Ids *impacted, const Ids *lacking, bool lost, Events *out)
{
	Run		   *r = marking_token(m, RUN, run);
	Event	   *e = events_add(out, EV_MISSED);
	Ids			waiters = {0};

	ids_add(&e->runs, run);
	for (int i = 0; i < lacking->n; i++)
		ids_add(&e->parts, lacking->at[i]);
	for (int k = 0; k < r->outputs.n; k++)
	{
		Partition  *p = partition(m, r->outputs.at[k]);

		if (settled_without(m, p, CAUSE_MISSES, out))
			continue;
		if (ids_have(impacted, p->id))
			hold_up(m, p, lacking, &waiters, out);
		else
			queue(p, PRIORITY_NONE, out);
	}
	if (waiters.n > 0)
		wait_for(m, run, &waiters, lacking, lost, out);
}

/* The partitions wait for each other in a circle. */
void
decide_cycle(Marking *m, const Ids *parts, const char *path, Events *out)
{
	Event	   *e = NULL;

	for (int i = 0; i < parts->n; i++)
	{
		const Partition *p = partition(m, parts->at[i]);

		if (p->place != P_UPSTREAM_BUILDING && p->place != P_UPSTREAM_FAILED)
			continue;
		if (e == NULL)
		{
			e = events_add(out, EV_GAVE_UP);
			e->cause = CAUSE_CYCLE;
			e->note = path;
		}
		ids_add(&e->parts, p->id);
	}
}

/*
 * What their job says that they need has changed: those that wait begin anew,
 * from the queue, whence they wait for what they need now.
 */
void
decide_redeclared(Marking *m, const Ids *parts, Events *out)
{
	for (int i = 0; i < parts->n; i++)
	{
		const Partition *p = partition(m, parts->at[i]);

		if ((p->place == P_UPSTREAM_BUILDING || p->place == P_UPSTREAM_FAILED) &&
			p->prio != PRIORITY_NONE && has_maker(m, p))
			ids_add(&events_group(out, EV_QUEUED, PRIORITY_NONE, 0, CAUSE_NONE)->parts, p->id);
	}
}

/* Found claimable, but declared inputs are not live any more: they wait again. */
void
decide_sent_back(Marking *m, const Ids *parts, Events *out)
{
	for (int i = 0; i < parts->n; i++)
		queue(partition(m, parts->at[i]), partition(m, parts->at[i])->prio, out);
}

/*
 * Rows that name the partitions changed: these are live anew; where a run is
 * making one, it is only noted, and the end of that run publishes it.
 */
void
decide_changed(Marking *m, const Ids *parts, Events *out)
{
	Event	   *published = NULL;
	Event	   *changed = NULL;

	for (int i = 0; i < parts->n; i++)
	{
		const Partition *p = partition(m, parts->at[i]);
		bool		made = p->place == P_BUILDING || p->taken_by != 0;
		Event	  **e = made ? &changed : &published;

		if (*e == NULL)
			*e = events_add(out, made ? EV_CHANGED : EV_PUBLISHED);
		ids_add(&(*e)->parts, p->id);
	}
}

/* Live without a run; refused (false) for what a run is making. */
bool
decide_published(Marking *m, const Ids *parts, Events *out, Refusal *refusal)
{
	Event	   *e = events_add(out, EV_PUBLISHED);

	for (int i = 0; i < parts->n; i++)
	{
		Partition  *p = partition(m, parts->at[i]);

		if (net_target(PARTITION, (int) p->place, PS_PUBLISHED) == NET_REFUSED)
		{
			*refusal = (Refusal) {PARTITION, p->id, (int) p->place, PS_PUBLISHED};
			return false;
		}
		ids_add(&e->parts, p->id);
	}
	return true;
}

/*
 * A person sends failed and backing off partitions back to work; what nobody
 * wants falls back.
 */
void
decide_retried(Marking *m, const Ids *parts, Events *out)
{
	for (int i = 0; i < parts->n; i++)
	{
		Partition  *p = partition(m, parts->at[i]);
		bool		works = p->cover != PRIORITY_NONE && has_maker(m, p);

		if (p->place != P_FAILED && p->place != P_UP_FOR_RETRY)
			continue;
		ids_add(&events_group(out, EV_RETRIED, works ? p->cover : PRIORITY_NONE, 0, CAUSE_NONE)->parts, p->id);
	}
	for (int i = 0; i < parts->n; i++)
	{
		Partition  *p = partition(m, parts->at[i]);

		if (p->place != P_FAILED && p->place != P_UP_FOR_RETRY)
			continue;
		if (p->cover == PRIORITY_NONE || !has_maker(m, p))
			fall_back(p, CAUSE_NONE, out);
		else if (p->needs.n > 0)
			queue(p, p->cover, out);
	}
}

/* The live ones of the partitions are invalid. */
void
decide_tainted(Marking *m, const Ids *parts, int64_t taint, const char *reason, Events *out)
{
	Event	   *e = events_add(out, EV_TAINTED);

	e->taint = taint;
	e->note = reason;
	for (int i = 0; i < parts->n; i++)
		if (partition(m, parts->at[i])->place == P_LIVE)
		{
			ids_add(&e->parts, parts->at[i]);
			ids_add(&e->runs, partition(m, parts->at[i])->live_run);
		}
}

/* Of the partitions that were tainted, those that a run is making anew already. */
void
decide_rebuilt(Marking *m, const Ids *parts, Events *out)
{
	Event	   *e = NULL;

	for (int i = 0; i < parts->n; i++)
	{
		const Partition *p = partition(m, parts->at[i]);

		if (p->place != P_TAINTED || p->taken_by == 0)
			continue;
		for (int k = 0; k < out->n && e == NULL; k++)
			if (out->at[k]->kind == EV_REBUILT && out->at[k]->prio == p->cover)
				e = out->at[k];
		if (e == NULL || e->prio != p->cover)
		{
			e = events_add(out, EV_REBUILT);
			e->prio = p->cover;
		}
		ids_add(&e->parts, p->id);
		ids_add(&e->runs, p->taken_by);
	}
}

/* What came to rest and is wanted goes back to work. */
void
decide_requeued(Marking *m, const Ids *parts, Events *out)
{
	for (int i = 0; i < parts->n; i++)
	{
		Partition  *p = partition(m, parts->at[i]);

		if ((p->place == P_MISSING || p->place == P_TAINTED) && p->taken_by == 0 &&
			p->cover != PRIORITY_NONE && has_maker(m, p))
			queue(p, p->cover, out);
	}
}

/*
 * A partition that waits looks at its inputs.  A declared one that was live
 * when it began to wait, and is so no more, gets a derivative want, too.
 */
static void
look_at_inputs(Marking *m, const Partition *p, Events *out)
{
	if (!has_maker(m, p))
		fall_back(p, CAUSE_NONE, out);
	else if (p->lacking == 0)
		queue(p, p->cover, out);
	else if (p->input_lost && p->place == P_UPSTREAM_BUILDING)
		ids_add(&events_group(out, EV_BLOCKED, p->cover, 0, CAUSE_NONE)->parts, p->id);
	else if (!p->input_lost && p->unwanted.n > 0)
		need(p, &p->unwanted, p->cover, out);
	else if (!p->input_lost && p->place == P_UPSTREAM_FAILED)
		ids_add(&events_group(out, EV_WAITING, p->cover, 0, CAUSE_NONE)->parts, p->id);
	else if (p->cover != p->prio)
		prioritise(p, p->cover, out);
}

/*
 * Something that the partitions depend on has changed, their inputs or their
 * wants: whatever follows for them.  Their facts must be loaded.
 */
void
decide_look(Marking *m, const Ids *parts, Events *out)
{
	for (int i = 0; i < parts->n; i++)
	{
		Partition  *p = partition(m, parts->at[i]);

		switch (p->place)
		{
			case P_UPSTREAM_BUILDING:
			case P_UPSTREAM_FAILED:
				if (p->cover == PRIORITY_NONE)
					fall_back(p, CAUSE_NONE, out);
				else
					look_at_inputs(m, p, out);
				break;
			case P_QUEUED:
			case P_UP_FOR_RETRY:
				if (p->cover == PRIORITY_NONE || !has_maker(m, p))
					fall_back(p, CAUSE_NONE, out);
				else if (p->place == P_QUEUED && p->needs.n > 0)
					queue(p, p->cover, out);
				else if (p->cover != p->prio)
					prioritise(p, p->cover, out);
				break;
			case P_BUILDING:
			case P_FAILED:
				if (p->cover != p->prio)
					prioritise(p, p->cover, out);
				break;
			case P_MISSING:
			case P_TAINTED:
				if (p->cover != PRIORITY_NONE && has_maker(m, p))
					queue(p, p->cover, out);
				break;
			case P_NEW:
			case P_LIVE:
			case N_PARTITION_PLACES:
				break;
		}
	}
}
