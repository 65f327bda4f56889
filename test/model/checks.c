/*
 * checks.c
 *	  What must hold in every state: section 5 of the design.
 *
 * The state is looked at as it is committed.  While a transaction is open,
 * what it will have done counts only by what others have left for later.
 */
#include "model.h"

#include <stdarg.h>

static char problem[300];

static const char *wrong(const char *format,...) __attribute__((format(printf, 1, 2)));

static const char *
wrong(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	vsnprintf(problem, sizeof(problem), format, args);
	va_end(args);
	return problem;
}

/* ---- words ---- */

static bool
is_at_rest(int id)
{
	return is_at(id, P_MISSING) || is_at(id, P_TAINTED);
}

static bool
has_maker(int id)
{
	const Job  *job = job_by_id(part(id)->c[P_JOB]);

	return job != NULL && !job->is_source;
}

/* Somebody will look at it, or at all that waits for an input of it. */
static bool
has_entry(int id)
{
	FOR_ROWS(a, AGENDA)
		if (a->c[A_HOW] == 'w' ? is_waiting(id) && has(edges_of(id), a->c[A_PART]) : a->c[A_PART] == id)
		return true;
	return false;
}

static bool
has_timer(int kind, int id)
{
	FOR_ROWS(n, TIMERS)
		if (n->c[N_KIND] == kind && n->c[N_ID] == id)
		return true;
	return false;
}

static bool
makes(const Row *run, int id)
{
	return ids_have(outputs_of(run->c[R_OUTPUTS]), id);
}

static bool
is_running(const Row *run)
{
	return run->c[R_PLACE] == R_RUNNING;
}

/* ---- one builder; no token in two places ---- */

static const char *
check_versions(TableId table, const char *what)
{
	FOR_ROWS(r, table)
		FOR_ROWS(s, table)
		if (r != s && r->c[0] == s->c[0])
		return wrong("%s %d is in two places", what, r->c[0]);
	return NULL;
}

static const char *
check_builders(void)
{
	for (int id = 1; id <= nparts(); id++)
	{
		const Row  *maker = NULL;

		FOR_ROWS(r, RUNS)
		{
			if (!is_running(r) || !makes(r, id))
				continue;
			if (maker != NULL)
				return wrong("two runs make %s", part_name(id));
			maker = r;
			if (!is_at(id, P_BUILDING) && !is_at(id, P_LIVE))
				return wrong("a run is making %s, which is %s", part_name(id), net_place_name(PARTITION, part(id)->c[P_PLACE]));
		}
		if (is_at(id, P_BUILDING) && (maker == NULL || maker->c[R_ID] != part(id)->c[P_RUN]))
			return wrong("%s is building, but no run makes it", part_name(id));
		if (part(id)->c[P_CHANGED] != 0 && maker == NULL)
			return wrong("%s changed while a run was making it, which has ended", part_name(id));
	}
	return NULL;
}

static const char *
check_limits(void)
{
	for (const Job *j = world->jobs; j->id != 0; j++)
	{
		int			n = 0;

		FOR_ROWS(r, RUNS)
			n += is_running(r) && r->c[R_JOB] == j->id;
		if (j->max_running != 0 && n > j->max_running)
			return wrong("%d runs of job %d, of which there may be %d", n, j->id, j->max_running);
	}
	FOR_ROWS(k, TAKEN)
		if (find_row(RUNS, k->c[K_RUN]) == NULL)
		return wrong("%s is taken by no running run", part_name(k->c[K_PART]));
	FOR_ROWS(p, PARTITIONS)
		if (p->c[P_PLACE] == P_UP_FOR_RETRY && p->c[P_ATTEMPTS] >= job_by_id(p->c[P_JOB])->max_attempts)
		return wrong("%s is up_for_retry, but has no attempts left", part_name(p->c[P_ID]));
	return NULL;
}

/* ---- taints ---- */

static const char *
check_taints(void)
{
	FOR_ROWS(p, PARTITIONS)
	{
		bool		marked = false;

		FOR_ROWS(x, TAINTED)
			marked = marked || (x->c[TP_PART] == p->c[P_ID] && x->c[TP_RUN] == p->c[P_LIVE_RUN] &&
								find_row(TAINTS, x->c[TP_TAINT])->c[T_PLACE] == T_ACTIVE);
		if (marked ? p->c[P_PLACE] == P_LIVE : p->c[P_PLACE] == P_TAINTED)
			return wrong("%s is %s, but %s taint marks it", part_name(p->c[P_ID]),
						 net_place_name(PARTITION, p->c[P_PLACE]), marked ? "a" : "no");
	}
	return NULL;
}

/* ---- the queues ---- */

static bool
has_ready(const Row *p)
{
	FOR_ROWS(q, READY)
		if (q->c[E_PART] == p->c[P_ID] && q->c[E_JOB] == p->c[P_JOB] && RANK_PRIORITY(q->c[E_RANK]) == p->c[P_PRIO] &&
			q->c[E_SEQ] > p->c[P_TICKET])
		return true;
	FOR_ROWS(x, COLLISIONS)
		if (x->c[X_PART] == p->c[P_ID] && (is_at(x->c[X_BLOCKER], P_BUILDING) || find_row(TAKEN, x->c[X_BLOCKER]) != NULL))
		return true;
	return has_entry(p->c[P_ID]);
}

static const char *
check_queues(void)
{
	FOR_ROWS(p, PARTITIONS)
	{
		int			id = p->c[P_ID];

		if (is_at(id, P_QUEUED) && !has_ready(p))
			return wrong("%s is queued, but no entry of the ready set stands for it", part_name(id));
		if (is_at(id, P_UP_FOR_RETRY) && !has_timer('R', id) && !has_ready(p))
			return wrong("%s is up_for_retry, but neither a timer nor an entry stands for it", part_name(id));
	}
	FOR_ROWS(r, RUNS)
		if (is_running(r) && !has_timer('L', r->c[R_ID]))
		return wrong("no timer stands for the lease of a run");
	FOR_ROWS(w, WANTS)
		if (w->c[W_PLACE] == W_ACTIVE && w->c[W_EXPIRES] != 0 && !has_timer('E', w->c[W_ID]))
		return wrong("no timer stands for the end of a want");
	return NULL;
}

/* ---- wants ---- */

static const char *
check_wants(void)
{
	FOR_ROWS(t, WAITS)
	{
		const Row  *w = find_row(WANTS, t->c[WT_WANT]);

		if (w == NULL || w->c[W_PLACE] != W_ACTIVE)
			return wrong("%s waits by a want that has ended", part_name(t->c[WT_WAITER]));
		if (!is_waiting(t->c[WT_WAITER]))
			return wrong("%s waits by a want, but is %s", part_name(t->c[WT_WAITER]),
						 net_place_name(PARTITION, part(t->c[WT_WAITER])->c[P_PLACE]));
	}
	FOR_ROWS(m, MEMBERS)
		if (find_row(WANTS, m->c[M_WANT]) == NULL)
		return wrong("a want that has ended has refs");
	FOR_ROWS(w, WANTS)
	{
		bool		needed = w->c[W_PLACE] != W_ACTIVE || !w->c[W_DERIVATIVE];
		bool		pending = needed;
		int			greatest = PRIORITY_NONE;

		if (members(w->c[W_ID]) == 0)
			return wrong("a want in force has no refs");
		FOR_ROWS(t, WAITS)
			if (t->c[WT_WANT] == w->c[W_ID])
		{
			needed = true;
			pending = pending || has_entry(t->c[WT_WAITER]);
			greatest = Max(greatest, part(t->c[WT_WAITER])->c[P_PRIO]);
		}
		FOR_ROWS(a, AGENDA)
			pending = pending || a->c[A_WANT] == w->c[W_ID];
		if (!needed && !pending)
			return wrong("nothing waits for a derivative want in force");
		if (!pending && greatest != w->c[W_PRIO])
			return wrong("a derivative want has priority %d, what waits for it %d", w->c[W_PRIO], greatest);
	}
	return NULL;
}

/* ---- nothing is lost ---- */

/* Whether something will move it, given those of which that is known. */
static bool
will_move(int id, int known)
{
	if (has_entry(id))
		return true;
	if (is_at_rest(id))
		return !has_maker(id);	/* publish() is the named cause */
	if (is_at(id, P_UPSTREAM_BUILDING))
	{
		for EACH(e, edges_of(id))
			if (watch_of(id, e) != NULL && !is_at(e, P_LIVE) && has(known, e))
				return true;
		return false;
	}
	if (is_at(id, P_UPSTREAM_FAILED))
	{
		for EACH(e, edges_of(id) & known)
			if (is_lost(e))
				return true;
		return false;
	}
	return true;
}

/* What is on the move, or a record of a failure, or waits for such, however indirectly. */
static int
causes(void)
{
	int			known = 0;
	int			before = -1;

	while (known != before)
	{
		before = known;
		for (int id = 1; id <= nparts(); id++)
			if (will_move(id, before))
				known |= BIT(id);
	}
	return known;
}

/* A want whose time is over covers it, and the next call will end that. */
static bool
is_over(int id)
{
	FOR_ROWS(w, WANTS)
		if (w->c[W_PLACE] == W_ACTIVE && w->c[W_EXPIRES] == NOW && has(members(w->c[W_ID]), id))
		return true;
	return false;
}

/* A derivative want that covers it will be looked at. */
static bool
has_entry_by_want(int id)
{
	FOR_ROWS(a, AGENDA)
		if (a->c[A_WANT] != 0 && has(members(a->c[A_WANT]), id))
		return true;
	return false;
}

static const char *
check_lost(void)
{
	int			known = causes();

	for (int id = 1; id <= nparts(); id++)
	{
		const Row  *p = part(id);
		bool		wanted = cover_of(id) != PRIORITY_NONE;

		if (has_entry(id) || is_over(id))
			continue;
		if (is_at_rest(id) && has_maker(id) && wanted)
			return wrong("%s is wanted and a job makes it, but it is %s", part_name(id), net_place_name(PARTITION, p->c[P_PLACE]));
		if (is_waiting(id) && !has(known, id))
			return wrong("%s is %s for ever: nothing that it waits for moves", part_name(id), net_place_name(PARTITION, p->c[P_PLACE]));
		if (has_entry_by_want(id))
			continue;
		if (!wanted && (is_waiting(id) || is_at(id, P_QUEUED) || is_at(id, P_UP_FOR_RETRY)))
			return wrong("nobody wants %s, but it is %s", part_name(id), net_place_name(PARTITION, p->c[P_PLACE]));
		if (!is_at_rest(id) && !is_at(id, P_LIVE) && cover_of(id) != p->c[P_PRIO])
			return wrong("%s is %s with priority %d, its wants in force have %d", part_name(id),
						 net_place_name(PARTITION, p->c[P_PLACE]), p->c[P_PRIO], cover_of(id));
	}
	return NULL;
}

static const char *
check_blocked(void)
{
	for (int id = 1; id <= nparts(); id++)
	{
		bool		lost = false;

		if (!is_waiting(id) || has_entry(id))
			continue;
		for EACH(e, edges_of(id))
			lost = lost || is_lost(e);
		if (lost != is_at(id, P_UPSTREAM_FAILED))
			return wrong("%s is %s, but %s input of it is failed or upstream_failed", part_name(id),
						 net_place_name(PARTITION, part(id)->c[P_PLACE]), lost ? "an" : "no");
	}
	return NULL;
}

/* What it is declared to need, and is not live, a want that it waits for covers. */
static const char *
check_needs(void)
{
	for (int id = 1; id <= nparts(); id++)
	{
		int			covered = 0;

		if (!is_at(id, P_UPSTREAM_BUILDING) || has_entry(id))
			continue;
		FOR_ROWS(t, WAITS)
			if (t->c[WT_WAITER] == id)
			covered |= members(t->c[WT_WANT]);
		for EACH(e, inputs_of(id) & ~covered)
			if (!is_at(e, P_LIVE))
				return wrong("%s does not want %s, which it is declared to need", part_name(id), part_name(e));
	}
	return NULL;
}

const char *
check_state(void)
{
	const char *found;

	session = 0;
	if ((found = check_versions(PARTITIONS, "partition")) != NULL ||
		(found = check_versions(RUNS, "run")) != NULL ||
		(found = check_versions(WANTS, "want")) != NULL ||
		(found = check_versions(TAINTS, "taint")) != NULL ||
		(found = check_builders()) != NULL ||
		(found = check_limits()) != NULL ||
		(found = check_taints()) != NULL ||
		(found = check_queues()) != NULL ||
		(found = check_wants()) != NULL ||
		(found = check_blocked()) != NULL ||
		(found = check_needs()) != NULL)
		return found;
	return check_lost();
}

/* ---- state = fold(log) ---- */

void
load_marking(Marking *m)
{
	memset(m, 0, sizeof(Marking));
	FOR_ROWS(r, PARTITIONS)
	{
		Partition  *p;

		if (r->c[P_KNOWN] == 0)
			continue;
		p = marking_add(m, PARTITION, r->c[P_ID]);
		p->place = (PartitionPlace) r->c[P_PLACE];
		p->job = r->c[P_JOB];
		p->prio = r->c[P_PRIO];
		p->run = r->c[P_RUN];
		p->live_run = r->c[P_LIVE_RUN];
		p->ticket = r->c[P_TICKET];
		p->attempts = r->c[P_ATTEMPTS];
		p->misses = r->c[P_MISSES];
		p->retry_at = r->c[P_RETRY];
		p->cause = (Cause) r->c[P_CAUSE];
		p->changed = r->c[P_CHANGED];
		FOR_ROWS(t, WAITS)
			if (t->c[WT_WAITER] == p->id)
			ids_add(&p->waits, t->c[WT_WANT]);
	}
	FOR_ROWS(r, RUNS)
	{
		Run		   *run = marking_add(m, RUN, r->c[R_ID]);

		run->place = (RunPlace) r->c[R_PLACE];
		run->job = r->c[R_JOB];
		run->attempt = r->c[R_ATTEMPT];
		run->outputs = *outputs_of(r->c[R_OUTPUTS]);
	}
	FOR_ROWS(r, WANTS)
	{
		Want	   *w = marking_add(m, WANT, r->c[W_ID]);

		w->place = (WantPlace) r->c[W_PLACE];
		w->prio = r->c[W_PRIO];
		w->run = r->c[W_RUN];
		w->derivative = r->c[W_DERIVATIVE] != 0;
		w->total = r->c[W_TOTAL];
	}
	FOR_ROWS(r, TAINTS)
		((Taint *) marking_add(m, TAINT, r->c[T_ID]))->place = (TaintPlace) r->c[T_PLACE];
}

static bool
same_ids(Ids *a, Ids *b)
{
	ids_sort(a);
	ids_sort(b);
	return a->n == b->n && (a->n == 0 || memcmp(a->at, b->at, sizeof(int64) * (size_t) a->n) == 0);
}

static bool
same_partition(Partition *a, Partition *b)
{
	return a->place == b->place && a->job == b->job && a->prio == b->prio && a->run == b->run && a->live_run == b->live_run &&
		a->ticket == b->ticket && a->attempts == b->attempts && a->misses == b->misses &&
		(a->retry_at == 0) == (b->retry_at == 0) && a->cause == b->cause && a->changed == b->changed && same_ids(&a->waits, &b->waits);
}

static bool
same_run(Run *a, Run *b)
{
	return a->place == b->place && a->job == b->job && a->attempt == b->attempt && a->outputs.n == b->outputs.n &&
		memcmp(a->outputs.at, b->outputs.at, sizeof(int64) * (size_t) a->outputs.n) == 0;
}

static bool
same_want(const Want *a, const Want *b)
{
	return a->place == b->place && a->prio == b->prio && a->run == b->run && a->derivative == b->derivative && a->total == b->total;
}

/* The refs of a want in force, and the instances of a taint, are those of their events. */
static const char *
check_lists(Marking *m, const Event *e)
{
	if (e->kind == EV_WANTED || e->kind == EV_NEEDED)
	{
		int			mask = 0;

		for (int i = 0; i < e->parts.n; i++)
			mask |= BIT(e->parts.at[i]);
		if (((Want *) marking_token(m, WANT, e->want))->place == W_ACTIVE && members(e->want) != mask)
			return wrong("a want covers other refs than its event says");
	}
	for (int i = 0; e->kind == EV_TAINTED && i < e->parts.n; i++)
	{
		bool		marked = false;

		FOR_ROWS(x, TAINTED)
			marked = marked || (x->c[TP_TAINT] == e->taint && x->c[TP_PART] == e->parts.at[i] && x->c[TP_RUN] == e->runs.at[i]);
		if (!marked)
			return wrong("a taint marks other instances than its event says");
	}
	return NULL;
}

/*
 * Tokens that the log knows and the tables do not have any more must have
 * come to their end: canonical states have no others.
 */
const char *
check_fold(Marking *before, const Events *events, bool one_step)
{
	Marking		now;
	Refusal		refusal;
	int			places[N_MACHINES] = {0};

	for (int i = 0; i < events->n; i++)
		if (!evolve(before, events->at[i], &refusal))
			return wrong("event %s of the log does not fit", net_event(events->at[i]->kind)->name);
	load_marking(&now);
	for (int i = 0; i < now.map[PARTITION].n; i++)
	{
		Partition  *p = now.map[PARTITION].tokens[i];
		Partition  *q = marking_token(before, PARTITION, p->id);

		if (q == NULL || !same_partition(p, q))
			return wrong("%s is not what the log says: %s, by the log %s", part_name((int) p->id),
						 net_place_name(PARTITION, (int) p->place), q == NULL ? "unknown" : net_place_name(PARTITION, (int) q->place));
	}
	for (int i = 0; i < now.map[RUN].n; i++)
	{
		Run		   *r = now.map[RUN].tokens[i];
		Run		   *s = marking_token(before, RUN, r->id);

		if (s == NULL || !same_run(r, s))
			return wrong("a run is not what the log says");
		places[RUN] += r->place == R_RUNNING;
	}
	for (int i = 0; i < now.map[WANT].n; i++)
	{
		Want	   *w = now.map[WANT].tokens[i];
		Want	   *v = marking_token(before, WANT, w->id);

		if (v == NULL || !same_want(w, v))
			return wrong("a want is not what the log says");
		places[WANT] += w->place == W_ACTIVE;
	}
	for (int i = 0; i < now.map[TAINT].n; i++)
	{
		Taint	   *t = now.map[TAINT].tokens[i];
		Taint	   *u = marking_token(before, TAINT, t->id);

		if (u == NULL || u->place != t->place)
			return wrong("a taint is not what the log says");
	}
	for (int i = 0; i < before->map[RUN].n; i++)
		places[RUN] -= ((Run *) before->map[RUN].tokens[i])->place == R_RUNNING;
	for (int i = 0; i < before->map[WANT].n; i++)
		places[WANT] -= ((Want *) before->map[WANT].tokens[i])->place == W_ACTIVE;
	if (places[RUN] != 0 || places[WANT] != 0)
		return wrong("the log knows runs or wants that the tables do not have");
	for (int i = 0; one_step && i < events->n; i++)
	{
		const char *found = check_lists(before, events->at[i]);

		if (found != NULL)
			return found;
	}
	return NULL;
}

/* ---- what callers see ---- */

uint64_t
outcome_hash(void)
{
	uint64_t	hash = 1;
	uint64_t	sum = 0;

	session = 0;
	for (int id = 1; id <= nparts(); id++)
	{
		const int16 *c = part(id)->c;
		int			waits_for = 0;

		if (is_waiting(id))
			for EACH(e, edges_of(id))
				if (!is_at(e, P_LIVE))
					waits_for |= BIT(e);
		mix(&hash, c[P_PLACE]);
		mix(&hash, c[P_PRIO]);
		mix(&hash, c[P_LIVE_RUN]);
		mix(&hash, c[P_ATTEMPTS] * 100 + c[P_MISSES]);
		mix(&hash, c[P_CAUSE] * 1000 + c[P_RETRY]);
		mix(&hash, cover_of(id));
		mix(&hash, waits_for);
	}
	FOR_ROWS(r, RUNS)
	{
		uint64_t	one = 1;

		mix(&one, r->c[R_OUTPUTS]);
		sum += one;
	}
	FOR_ROWS(w, WANTS)
		if (!w->c[W_DERIVATIVE])
	{
		uint64_t	one = 2;

		mix(&one, w->c[W_SPEC]);
		sum += one;
	}
	FOR_ROWS(x, TAINTED)
	{
		uint64_t	one = 3;

		mix(&one, x->c[TP_PART]);
		sum += one;
	}
	mix(&hash, (int64) sum);
	return hash;
}
