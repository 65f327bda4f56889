/*
 * calls.c
 *	  What can be done in a state: the calls that the world allows, work on one
 *	  entry of the agenda or one timer, time that passes, and the ends of open
 *	  transactions; and doing it, by the extension's own entry points.
 *
 * A call is made by a session of its own.  It commits at once, or it stays
 * open: then all that it read is as of now, and nobody sees what it did, nor
 * gets what it locked, until a later step commits it or rolls it back.
 */
#include "model.h"

PG_FUNCTION_INFO_V1(databuild_want);
PG_FUNCTION_INFO_V1(databuild_cancel_want);
PG_FUNCTION_INFO_V1(databuild_claim);
PG_FUNCTION_INFO_V1(databuild_finish_and_claim);
PG_FUNCTION_INFO_V1(databuild_succeed);
PG_FUNCTION_INFO_V1(databuild_fail);
PG_FUNCTION_INFO_V1(databuild_miss);
PG_FUNCTION_INFO_V1(databuild_cancel_run);
PG_FUNCTION_INFO_V1(databuild_publish);
PG_FUNCTION_INFO_V1(databuild_taint);
PG_FUNCTION_INFO_V1(databuild_cancel_taint);
PG_FUNCTION_INFO_V1(databuild_remake);
PG_FUNCTION_INFO_V1(databuild_forget);
PG_FUNCTION_INFO_V1(databuild_retry);
PG_FUNCTION_INFO_V1(databuild_retry_want);

int			want_spec;

/* ---- what there is to do ---- */

static Action *listed;
static int	nlisted;

static void
list(ActionKind kind, int a, int b, int c)
{
	if (nlisted == MOST_ACTIONS)
		model_bug("more than %d things to do", MOST_ACTIONS);
	listed[nlisted++] = (Action)
	{
		(uint8_t) kind, (uint8_t) a, (uint8_t) b, (uint8_t) c, 0
	};
}

static bool
is_declared(int spec)
{
	const Table *t = &db->t[WANTS];

	for (int i = 0; i < t->n; i++)
		if (t->rows[i].c[W_SPEC] == spec && !t->rows[i].c[W_DERIVATIVE])
			return true;
	return false;
}

/* Every call ends the wants whose time is over, unless others are at it. */
static bool
an_end_is_due(void)
{
	FOR_ROWS(n, TIMERS)
		if (n->c[N_KIND] == 'E' && n->c[N_AT] <= NOW && !held_elsewhere(n))
		return true;
	return false;
}

static void
list_wants(void)
{
	for (int spec = 0; spec < MOST_WANTS && world->wants[spec].refs != 0; spec++)
	{
		if (is_declared(spec))
		{
			if (budget(B_CANCELS) > 0)
				list(CANCEL_WANT, 1 + spec, 0, 0);
			if (budget(B_RETRIES) > 0)
				list(RETRY_WANT, 1 + spec, 0, 0);
			continue;
		}
		if (budget(B_WANTS) > 0)
			list(WANT_, spec, 0, 0);
		if (budget(B_REMAKES) > 0)
			list(REMAKE, spec, 0, 0);
	}
}

static void
list_run(const Row *r)
{
	const Ids  *outputs = outputs_of(r->c[R_OUTPUTS]);
	int			id = r->c[R_ID];

	list(SUCCEED, id, 0, 0);
	if (world->many)
		list(FINISH_AND_CLAIM, id, 0, 0);
	if (budget(B_FAILS) > 0)
	{
		list(FAIL, id, 0, 0);
		list(FAIL_FOR_GOOD, id, 0, 0);
	}
	if (budget(B_RUN_CANCELS) > 0)
		list(CANCEL_RUN, id, 0, 0);
	for (int o = 0; outputs->n > 1 && o < outputs->n; o++)
		if (budget(B_PARTIALS) > 0)
			list(SUCCEED_PARTLY, id, BIT(outputs->at[o]), 0);
	for (int k = 0; k < 2; k++)
	{
		int			missing = world->misses[outputs->at[0]][k];

		if (missing == 0 || budget(B_MISSES) <= 0)
			continue;
		list(MISS, id, missing, 0);
		for (int o = 0; outputs->n > 1 && o < outputs->n; o++)
			list(MISS_SOME, id, missing, BIT(outputs->at[o]));
	}
}

static void
list_sets(ActionKind kind, Budget b, const int *sets)
{
	for (int i = 0; i < MOST_SETS && sets[i] != 0; i++)
		if (budget(b) > 0)
			list(kind, sets[i], 0, 0);
}

static bool
anything_ready(void)
{
	FOR_ROWS(q, READY)
		if (!held_elsewhere(q))
		return true;
	return false;
}

static bool
may_pass(const Row *timer)
{
	if (timer->c[N_AT] <= NOW)
		return false;
	return timer->c[N_KIND] == 'R' || budget(timer->c[N_KIND] == 'L' ? B_LEASES : B_EXPIRIES) > 0;
}

static void
list_queues(void)
{
	int			entries = 0;

	FOR_ROWS(a, AGENDA)
		if (!held_elsewhere(a))
	{
		list(LOOK, a->c[A_PART], a->c[A_WANT], a->c[A_HOW]);
		entries++;
	}
	if (entries > 0)
		list(LOOK_AT_ALL, 0, 0, 0);
	FOR_ROWS(n, TIMERS)
		if (n->c[N_AT] <= NOW && !held_elsewhere(n))
		list(TIMER_WORK, n->c[N_KIND], n->c[N_ID], 0);
}

/* Calls that may stay open do it, too, if another transaction may be open. */
static void
list_open(void)
{
	int			n = nlisted;
	int			open = 0;

	for (int s = 1; s <= MOST_SESSIONS; s++)
		open += has(db->open, s);
	if (open >= Max(options.sessions, world->sessions) || budget(B_OPENS) <= 0)
		return;
	for (int i = 0; i < n; i++)
	{
		list((ActionKind) listed[i].kind, listed[i].a, listed[i].b, listed[i].c);
		listed[nlisted - 1].stays_open = 1;
	}
}

int
list_actions(Action *actions)
{
	listed = actions;
	nlisted = 0;
	session = 0;
	list_wants();
	FOR_ROWS(r, RUNS)
		if (r->c[R_PLACE] == R_RUNNING)
		list_run(r);
	if (anything_ready())
		list(CLAIM, 1, 0, 0);
	list_sets(PUBLISH, B_PUBLISHES, world->publishes);
	list_sets(CHANGE, B_CHANGES, world->changes);
	list_sets(TAINT_, B_TAINTS, world->taints);
	list_sets(FORGET, B_FORGETS, world->forgets);
	list_sets(RETRY, B_RETRIES, world->retries);
	if (budget(B_TAINT_CANCELS) > 0)
		FOR_ROWS(t, TAINTS)
			list(CANCEL_TAINT, t->c[T_ID], 0, 0);
	list_queues();
	list_open();
	FOR_ROWS(n, TIMERS)
		if (may_pass(n))
		list(TIME_OUT, n->c[N_KIND], n->c[N_ID], 0);
	for (int s = 1; s <= MOST_SESSIONS; s++)
		if (has(db->open, s))
		{
			list(COMMIT, s, 0, 0);
			list(ROLL_BACK, s, 0, 0);
		}
	return nlisted;
}

/* ---- doing it ---- */

static FunctionCallInfoBaseData info;
static ReturnSetInfo result;

/* So many arguments are given; the others are NULL. */
static FunctionCallInfo
with(int n, const Datum *values)
{
	for (int i = 0; i < (int) (sizeof(info.args) / sizeof(info.args[0])); i++)
		info.args[i] = (Arg)
	{
		i < n ? values[i] : 0, i >= n
	};
	info.resultinfo = &result;
	return &info;
}

#define CALL(function, ...) \
	(void) function(with((int) (sizeof((Datum[]) {__VA_ARGS__}) / sizeof(Datum)), (Datum[]) {__VA_ARGS__}))

static Datum
set(int mask)
{
	Ids		   *all = arena_alloc(sizeof(Ids));

	for EACH(id, mask)
		ids_add(all, id);
	return PointerGetDatum(all);
}

static Datum
one(int64 id)
{
	Ids		   *all = arena_alloc(sizeof(Ids));

	ids_add(all, id);
	return PointerGetDatum(all);
}

static Datum
word(const char *s)
{
	return CStringGetTextDatum(s);
}

/* As tick() does. */
static void
tick(void)
{
	Call	   *c = call_begin();

	(void) look_timers(c, 10000, false);
	(void) look_agenda(c, 10000);
	call_close(c);
}

static void
declare(int spec)
{
	const WantSpec *w = &world->wants[spec];

	with(2, (Datum[]) {set(w->refs), Int64GetDatum(w->prio)});
	if (w->expires)
		info.args[3] = (Arg)
	{
		1, false
	};
	(void) databuild_want(&info);
}

/* The row of a queue that is meant, free and committed. */
static const Row *
entry(TableId table, int a, int b, int c)
{
	FOR_ROWS(r, table)
		if (r->c[0] == a && r->c[1] == b && (table == TIMERS ? r->c[2] <= NOW : r->c[2] == c) && !held_elsewhere(r))
		return r;
	model_bug("the entry to work on is not there");
}

/* It is later than the timer, for the token, too. */
static void
pass_time(int kind, int id)
{
	for (int i = 0; i < db->t[TIMERS].n; i++)
	{
		int16	   *c = db->t[TIMERS].rows[i].c;

		if (c[N_KIND] == kind && c[N_ID] == id)
			c[N_AT] = NOW;
	}
	for (int i = 0; kind == 'R' && i < db->t[PARTITIONS].n; i++)
	{
		int16	   *c = db->t[PARTITIONS].rows[i].c;

		if (c[P_ID] == id && c[P_RETRY] > NOW)
			c[P_RETRY] = NOW;
	}
	for (int i = 0; kind == 'L' && i < db->t[RUNS].n; i++)
		if (db->t[RUNS].rows[i].c[R_ID] == id)
			db->t[RUNS].rows[i].c[R_LEASE] = NOW;
	for (int i = 0; kind == 'E' && i < db->t[WANTS].n; i++)
		if (db->t[WANTS].rows[i].c[W_ID] == id)
			db->t[WANTS].rows[i].c[W_EXPIRES] = NOW;
}

static void
use(Budget b)
{
	db->used[b]++;
}

/* The number of what the action is about: the canonical one, or the tables' own. */
static int
number_of(const Action *a, const Names *names)
{
	bool		of_queue = a->kind == LOOK || a->kind == TIMER_WORK || a->kind == TIME_OUT;
	int			id = of_queue ? a->b : a->a;
	bool		of_run = (a->kind >= SUCCEED && a->kind <= FINISH_AND_CLAIM) || (of_queue && a->a == 'L');
	bool		of_want = a->kind == CANCEL_WANT || a->kind == RETRY_WANT || (of_queue && a->a == 'E') ||
		(a->kind == LOOK && id != 0);

	if (names == NULL)
		return id;
	return of_run ? names->runs[id - FIRST_RUN] : of_want ? names->wants[id] :
		a->kind == CANCEL_TAINT ? names->taints[id - FIRST_TAINT] : id;
}

static void
call(const Action *a, int id)
{
	Datum		d = Int64GetDatum(id);

	switch ((ActionKind) a->kind)
	{
		case WANT_:
			use(B_WANTS);
			want_spec = a->a;
			declare(a->a);
			break;
		case CANCEL_WANT:
			use(B_CANCELS);
			CALL(databuild_cancel_want, d);
			break;
		case CLAIM:
			CALL(databuild_claim, word("w"), 0, Int64GetDatum(world->many ? 2 : 1));
			break;
		case SUCCEED:
			CALL(databuild_succeed, d);
			break;
		case SUCCEED_PARTLY:
			use(B_PARTIALS);
			CALL(databuild_succeed, d, set(a->b));
			break;
		case FAIL:
		case FAIL_FOR_GOOD:
			use(B_FAILS);
			CALL(databuild_fail, d, word("broken"), BoolGetDatum(a->kind == FAIL));
			break;
		case MISS:
			use(B_MISSES);
			CALL(databuild_miss, d, set(a->b));
			break;
		case MISS_SOME:
			use(B_MISSES);
			CALL(databuild_miss, d, set(a->b), set(a->c));
			break;
		case CANCEL_RUN:
			use(B_RUN_CANCELS);
			CALL(databuild_cancel_run, d);
			break;
		case FINISH_AND_CLAIM:
			CALL(databuild_finish_and_claim, one(id), word("w"), 0, Int64GetDatum(1));
			break;
		case PUBLISH:
			use(B_PUBLISHES);
			CALL(databuild_publish, set(a->a));
			break;
		case CHANGE:
			{
				int			n;
				Datum	   *refs;

				use(B_CHANGES);
				with(1, (Datum[]) {set(a->a)});
				refs = arg_refs(&info, 0, "partitions", &n);
				publish_changes(refs, n, NULL, NULL);
				break;
			}
		case TAINT_:
			use(B_TAINTS);
			CALL(databuild_taint, set(a->a), word("bad"), BoolGetDatum(false));
			break;
		case CANCEL_TAINT:
			use(B_TAINT_CANCELS);
			CALL(databuild_cancel_taint, d);
			break;
		case REMAKE:
			use(B_REMAKES);
			want_spec = a->a;
			CALL(databuild_remake, set(world->wants[a->a].refs), word("bad"), Int64GetDatum(world->wants[a->a].prio));
			break;
		case FORGET:
			use(B_FORGETS);
			CALL(databuild_forget, set(a->a), word("gone"));
			break;
		case RETRY:
			use(B_RETRIES);
			CALL(databuild_retry, set(a->a));
			break;
		case RETRY_WANT:
			use(B_RETRIES);
			CALL(databuild_retry_want, d);
			break;
		case LOOK:
			filter = (Filter)
			{
				.agenda = true,.only = entry(AGENDA, a->a, id, a->c)
			};
			tick();
			break;
		case LOOK_AT_ALL:
			filter.agenda = true;
			tick();
			break;
		case TIMER_WORK:
			filter = (Filter)
			{
				.timers = true,.only = entry(TIMERS, a->a, id, 0)
			};
			tick();
			break;
		case TIME_OUT:
			if (a->a != 'R')
				use(a->a == 'L' ? B_LEASES : B_EXPIRIES);
			pass_time(a->a, id);
			break;
		case COMMIT:
			commit(a->a);
			break;
		case ROLL_BACK:
			roll_back(a->a);
			break;
		case N_ACTIONS:
			break;
	}
}

static bool
left_a_trace(int s)
{
	for (int table = 0; table < N_TABLES; table++)
		for (int i = 0; i < db->t[table].n; i++)
		{
			const Row  *r = &db->t[table].rows[i];

			if (r->xmin == s || r->xmax == s || r->lock == s)
				return true;
		}
	return false;
}

static bool
agenda_is_empty(void)
{
	FOR_ROWS(a, AGENDA)
		if (!held_elsewhere(a))
		return false;
	return true;
}

static Action acting;
static int	acting_on;

/* What must not return by longjmp stays out of here. */
static Outcome
attempt(void)
{
	if (setjmp(step_end) != 0)
		return ended_as;
	if (world->shares && acting.kind < LOOK && !agenda_is_empty())
		filter.agenda = choose(2) == 1;
	if (acting.kind < LOOK && an_end_is_due())
	{
		filter.ends = choose(2) == 0;
		skips_left -= !filter.ends;
	}
	call(&acting, acting_on);
	return FINISHED;
}

Outcome
act(const Action *action, const Names *names)
{
	Outcome		outcome;

	acting = *action;
	acting_on = number_of(action, names);
	memset(&filter, 0, sizeof(filter));
	memset(&step_log, 0, sizeof(step_log));
	skips_left = world->skips;
	for (session = 1; has(db->open, session); session++)
		;
	outcome = attempt();
	if (outcome == WAITS_FOR && (acting.kind == CLAIM || acting.kind >= LOOK))
	{
		snprintf(bug, sizeof(bug), "what must wait for no token would wait for another session");
		return BUG;
	}
	if (outcome != FINISHED || !acting.stays_open)
		return outcome;
	if (!left_a_trace(session))
		return REFUSED;
	use(B_OPENS);
	db->open |= (uint8_t) BIT(session);
	return FINISHED;
}

/* ---- for people ---- */

static void
print_set(FILE *to, int mask)
{
	fputc('[', to);
	for EACH(id, mask)
		fputs(part_name(id), to);
	fputc(']', to);
}

static void
print_ids(FILE *to, const Ids *parts)
{
	fputc('[', to);
	for (int i = 0; i < parts->n; i++)
		fputs(part_name((int) parts->at[i]), to);
	fputc(']', to);
}

static const char *const action_names[] = {
	[WANT_] = "want",[CANCEL_WANT] = "cancel_want",[CLAIM] = "claim",[SUCCEED] = "succeed",
	[SUCCEED_PARTLY] = "succeed, made only",[FAIL] = "fail",[FAIL_FOR_GOOD] = "fail(retry => false)",
	[MISS] = "miss",[MISS_SOME] = "miss",[CANCEL_RUN] = "cancel_run",[FINISH_AND_CLAIM] = "finish_and_claim",
	[PUBLISH] = "publish",[CHANGE] = "change of the rows of",[TAINT_] = "taint",[CANCEL_TAINT] = "cancel_taint",[REMAKE] = "remake",
	[FORGET] = "forget",[RETRY] = "retry",[RETRY_WANT] = "retry_want",[LOOK] = "work on the agenda's entry for",
	[LOOK_AT_ALL] = "work on the whole agenda",[TIME_OUT] = "time passes:",[TIMER_WORK] = "work on the timer of",
	[COMMIT] = "commit of session",[ROLL_BACK] = "rollback of session",
};

/* The run as the set of its outputs; canonical numbers. */
static void
print_run(FILE *to, int run)
{
	const Row  *r = find_row(RUNS, run);

	fprintf(to, " the run of ");
	if (r != NULL)
		print_ids(to, outputs_of(r->c[R_OUTPUTS]));
}

static void
print_want(FILE *to, int want)
{
	if (want < FIRST_DERIVATIVE)
		fprintf(to, " want %d ", want);
	else
		fprintf(to, " the derivative want on ");
	print_set(to, members(want));
}

static void
print_timer(FILE *to, const Action *a)
{
	if (a->a == 'L')
	{
		fprintf(to, " the lease of");
		print_run(to, a->b);
	}
	else if (a->a == 'R')
		fprintf(to, " the retry of %s", part_name(a->b));
	else
	{
		fprintf(to, " the end of");
		print_want(to, a->b);
	}
}

/* What the entry is for; see leave_entries(). */
static const char *
how_name(int how)
{
	return how == 's' ? " (second look)" : how == 'd' ? " (all inputs)" : how == 'w' ? " (its waiters)" : "";
}

/* In the canonical state before the step. */
void
print_action(FILE *to, const Action *a)
{
	session = 0;
	fputs(action_names[a->kind], to);
	switch ((ActionKind) a->kind)
	{
		case WANT_:
		case REMAKE:
			fprintf(to, " %d ", 1 + a->a);
			print_set(to, world->wants[a->a].refs);
			fprintf(to, " priority %d", world->wants[a->a].prio);
			break;
		case CANCEL_WANT:
		case RETRY_WANT:
			print_want(to, a->a);
			break;
		case SUCCEED:
		case FAIL:
		case FAIL_FOR_GOOD:
		case CANCEL_RUN:
		case FINISH_AND_CLAIM:
			print_run(to, a->a);
			break;
		case SUCCEED_PARTLY:
			fputc(' ', to);
			print_set(to, a->b);
			fputs(" of", to);
			print_run(to, a->a);
			break;
		case MISS:
		case MISS_SOME:
			fputc(' ', to);
			print_set(to, a->b);
			fputs(" by", to);
			print_run(to, a->a);
			if (a->kind == MISS_SOME)
			{
				fputs(", impacted ", to);
				print_set(to, a->c);
			}
			break;
		case PUBLISH:
		case CHANGE:
		case TAINT_:
		case FORGET:
		case RETRY:
			fputc(' ', to);
			print_set(to, a->a);
			break;
		case LOOK:
			if (a->a != 0)
				fprintf(to, " %s%s", part_name(a->a), how_name(a->c));
			else
				print_want(to, a->b);
			break;
		case TIME_OUT:
		case TIMER_WORK:
			print_timer(to, a);
			break;
		case CANCEL_TAINT:
		case COMMIT:
		case ROLL_BACK:
			fprintf(to, " %d", a->a);
			break;
		case CLAIM:
		case LOOK_AT_ALL:
		case N_ACTIONS:
			break;
	}
	if (a->stays_open)
		fputs("; its transaction stays open", to);
}

void
print_event(FILE *to, const Event *e)
{
	fputs(net_event(e->kind)->name, to);
	if (e->parts.n > 0)
	{
		fputc(' ', to);
		print_ids(to, &e->parts);
	}
	if (e->cause != CAUSE_NONE)
		fprintf(to, " (%s)", cause_name(e->cause));
}

/* What is committed, and who holds what. */
void
print_state(FILE *to)
{
	session = 0;
	for (int id = 1; id <= nparts(); id++)
	{
		const Row  *p = find_row(PARTITIONS, id);

		fprintf(to, "%s%s %s", id == 1 ? "" : ", ", part_name(id), net_place_name(PARTITION, p->c[P_PLACE]));
		if (p->lock != 0)
			fprintf(to, " (held by %d)", p->lock);
	}
	FOR_ROWS(a, AGENDA)
	{
		if (a->c[A_PART] != 0)
			fprintf(to, "; entry %s%s", part_name(a->c[A_PART]), how_name(a->c[A_HOW]));
		else
			fprintf(to, "; entry for a want");
		if (a->lock != 0)
			fprintf(to, " (held by %d)", a->lock);
	}
	FOR_ROWS(h, WATCHES)
		fprintf(to, "; %s watches", part_name(h->c[H_WAITER])), fprintf(to, " %s", part_name(h->c[H_UPSTREAM]));
}
