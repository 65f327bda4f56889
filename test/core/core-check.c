/*
 * core-check.c
 *	  The pure core, checked without PostgreSQL: every cell of the net, what
 *	  evolve changes besides the place, and every rule of decide.
 *
 * What is expected of the net is written here a second time, by signal rather
 * than by place and with the words that users see, from section 2 of the
 * design; a cell that the list does not name must refuse.  A mistake made in
 * one of the two shows as a difference.
 *
 * Prints what differs, where (the first of it), and closes with "N passed, N
 * failed".
 */
#include "marking.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND	INT64_C(1000000)
#define HOUR	(3600 * SECOND)

void *
core_alloc(size_t size)
{
	void	   *p = calloc(1, size);

	if (p == NULL)
		exit(2);
	return p;
}

/* ---- counting ---- */

static int	passed;
static int	failed;
static char where[300];

/* Of very many differences the first ones say enough. */
#define SHOWN	40

static void in(const char *format,...) __attribute__((format(printf, 1, 2)));

/* Names what is checked from here on. */
static void
in(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	vsnprintf(where, sizeof(where), format, args);
	va_end(args);
}

static void
check(bool right, const char *what, int line)
{
	if (right)
		passed++;
	else if (++failed <= SHOWN)
		printf("not so, line %d: %s: %s\n", line, where, what);
}

#define CHECK(condition) check(condition, #condition, __LINE__)

static void
equal(int64_t got, int64_t expected, const char *what, int line)
{
	if (got == expected)
		passed++;
	else if (++failed <= SHOWN)
		printf("not so, line %d: %s: %s is %lld, expected %lld\n", line, where, what,
			   (long long) got, (long long) expected);
}

#define EQUAL(got, expected) equal(got, expected, #got, __LINE__)

static void
same_text(const char *got, const char *expected, int line)
{
	if (got != NULL && strcmp(got, expected) == 0)
		passed++;
	else if (++failed <= SHOWN)
		printf("not so, line %d: %s: got \"%s\", expected \"%s\"\n", line, where,
			   got == NULL ? "(none)" : got, expected);
}

#define TEXT(got, expected) same_text(got, expected, __LINE__)

/* ------------------------------------------------------------------------
 * The net.
 * ------------------------------------------------------------------------ */

typedef struct Move
{
	Machine		machine;
	const char *signal;
	const char *moves;			/* "from>to from>to"; "=" is the repeated report */
} Move;

static const Move moves[] = {
	/* named for the first time */
	{PARTITION, "known", "new>missing"},
	/* wanted; its run missed what is live by now; what it waited for is there */
	{PARTITION, "queued", "missing>queued building>queued upstream_building>queued upstream_failed>queued tainted>queued"},
	/* wherever it says queued, but declared inputs are lacking; a dependency miss; an input recovers */
	{PARTITION, "waiting", "missing>upstream_building queued>upstream_building building>upstream_building "
	"upstream_building>upstream_building up_for_retry>upstream_building upstream_failed>upstream_building "
	"tainted>upstream_building"},
	{PARTITION, "blocked", "building>upstream_failed upstream_building>upstream_failed upstream_failed>upstream_failed"},
	/* a run takes all its outputs along; never one that another run makes */
	{PARTITION, "claimed", "missing>building queued>building upstream_building>building up_for_retry>building "
	"live>live failed>building upstream_failed>building tainted>building"},
	{PARTITION, "succeeded", "building>live live>live"},
	{PARTITION, "kept", "building>live live>live"},
	{PARTITION, "backed_off", "building>up_for_retry"},
	/* no attempts left, not retryable, canceled; or on a cycle */
	{PARTITION, "gave_up", "building>failed upstream_building>failed upstream_failed>failed"},
	{PARTITION, "fell_back", "queued>missing up_for_retry>missing upstream_building>missing upstream_failed>missing building>missing"},
	{PARTITION, "fell_tainted", "queued>tainted up_for_retry>tainted upstream_building>tainted upstream_failed>tainted building>tainted"},
	/* from every place but building */
	{PARTITION, "published", "missing>live queued>live upstream_building>live up_for_retry>live live>live failed>live "
	"upstream_failed>live tainted>live"},
	/* only what a run is making, or making anew */
	{PARTITION, "changed", "building>building live>live"},
	{PARTITION, "tainted", "live>tainted"},
	{PARTITION, "rebuilt", "tainted>building"},
	/* a canceled taint: not what is being made, nor what is forgotten */
	{PARTITION, "untainted", "queued>live upstream_building>live up_for_retry>live failed>live upstream_failed>live tainted>live"},
	{PARTITION, "retried", "up_for_retry>queued failed>queued"},
	{PARTITION, "forgotten", "live>missing failed>missing tainted>missing"},
	{PARTITION, "prioritised", "queued>queued building>building upstream_building>upstream_building up_for_retry>up_for_retry "
	"failed>failed upstream_failed>upstream_failed"},
	/* another job: a running run goes on, and what is at rest stays */
	{PARTITION, "rerouted", "missing>missing queued>queued building>building upstream_building>upstream_building up_for_retry>up_for_retry "
	"live>live failed>failed upstream_failed>upstream_failed tainted>tainted"},

	{RUN, "claimed", "new>running"},
	{RUN, "succeeded", "running>succeeded succeeded>="},
	{RUN, "failed", "running>failed failed>="},
	{RUN, "missed", "running>dep_miss dep_miss>="},
	{RUN, "canceled", "running>canceled canceled>="},
	{RUN, "lost", "running>lost lost>="},

	{WANT, "wanted", "new>active"},
	{WANT, "want_done", "active>successful successful>="},
	{WANT, "want_canceled", "active>canceled canceled>="},
	{WANT, "want_expired", "active>expired expired>="},
	{WANT, "want_prioritised", "active>active"},

	{TAINT, "tainted", "new>active"},
	{TAINT, "taint_canceled", "active>canceled canceled>="},
};

#define N_MOVES ((int) (sizeof(moves) / sizeof(moves[0])))

static const char *const place_names[] = {
	[PARTITION] = "new missing queued building upstream_building up_for_retry live failed upstream_failed tainted",
	[RUN] = "new running succeeded failed dep_miss canceled lost",
	[WANT] = "new active successful canceled expired",
	[TAINT] = "new active canceled",
};

/* What the list above says of the cell: a name, "=" or NULL. */
static const char *
expected_target(Machine machine, const char *place, const char *signal)
{
	static char target[40];

	for (int i = 0; i < N_MOVES; i++)
	{
		char		text[500];

		if (moves[i].machine != machine || strcmp(moves[i].signal, signal) != 0)
			continue;
		snprintf(text, sizeof(text), "%s", moves[i].moves);
		for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
		{
			size_t		n = strlen(place);

			if (strncmp(word, place, n) != 0 || word[n] != '>')
				continue;
			snprintf(target, sizeof(target), "%s", word + n + 1);
			return target;
		}
	}
	return NULL;
}

static void
check_cell(Machine machine, int place, int signal)
{
	const char *expected = expected_target(machine, net_place_name(machine, place), net_signal_name(machine, signal));
	int			target = net_target(machine, place, signal);

	in("net, %s %s, signal %s", net_machine_name(machine), net_place_name(machine, place),
	   net_signal_name(machine, signal));
	if (expected == NULL)
		EQUAL(target, NET_REFUSED);
	else if (strcmp(expected, "=") == 0)
		EQUAL(target, NET_SAME);
	else if (target < 0)
		TEXT(NULL, expected);
	else
		TEXT(net_place_name(machine, target), expected);
}

static bool
is_one_of(const char *words, const char *word)
{
	size_t		n = strlen(word);

	for (const char *at = words; (at = strstr(at, word)) != NULL; at += n)
		if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
			return true;
	return false;
}

static int
count_words(const char *text)
{
	int			n = 1;

	for (; *text != '\0'; text++)
		n += *text == ' ';
	return n;
}

static void
check_names(Machine machine)
{
	in("net, places of %s", net_machine_name(machine));
	EQUAL(net_places(machine), count_words(place_names[machine]));
	for (int i = 0; i < net_places(machine); i++)
	{
		const char *name = net_place_name(machine, i);

		in("net, %s place %s", net_machine_name(machine), name);
		CHECK(is_one_of(place_names[machine], name));
		for (int k = 0; k < i; k++)
		{
			CHECK(net_place_letter(machine, i) != net_place_letter(machine, k));
			CHECK(strcmp(name, net_place_name(machine, k)) != 0);
		}
		EQUAL(net_place_by_letter(machine, net_place_letter(machine, i)), i);
		EQUAL(net_place_by_name(machine, name), i);
	}
	EQUAL(net_place_by_letter(machine, '?'), -1);
	EQUAL(net_place_by_name(machine, "nowhere"), -1);
	for (int s = 0; s < net_signals(machine); s++)
	{
		bool		listed = false;

		in("net, %s signal %s", net_machine_name(machine), net_signal_name(machine, s));
		for (int i = 0; i < N_MOVES; i++)
			listed = listed || (moves[i].machine == machine && strcmp(moves[i].signal, net_signal_name(machine, s)) == 0);
		CHECK(listed);
		CHECK(net_signal_words(machine, s) != NULL && net_signal_words(machine, s)[0] != '\0');
		for (int k = 0; k < s; k++)
			CHECK(strcmp(net_signal_name(machine, s), net_signal_name(machine, k)) != 0);
	}
}

/* From new every place must be reachable. */
static void
check_reachable(Machine machine)
{
	bool		reached[20] = {false};
	bool		more = true;

	reached[net_place_by_name(machine, "new")] = true;
	while (more)
	{
		more = false;
		for (int p = 0; p < net_places(machine); p++)
			for (int s = 0; reached[p] && s < net_signals(machine); s++)
			{
				int			target = net_target(machine, p, s);

				if (target < 0 || reached[target])
					continue;
				reached[target] = true;
				more = true;
			}
	}
	for (int p = 0; p < net_places(machine); p++)
	{
		in("net, %s place %s", net_machine_name(machine), net_place_name(machine, p));
		CHECK(reached[p]);
		for (int s = 0; s < net_signals(machine); s++)
			CHECK(net_target(machine, p, s) != net_place_by_name(machine, "new"));
	}
}

/* Who waits looks when an input is live, and when it is lost or is that no more. */
static void
check_tells(Machine machine)
{
	for (int from = 0; from < net_places(machine); from++)
		for (int to = 0; to < net_places(machine); to++)
		{
			const char *a = net_place_name(machine, from);
			const char *b = net_place_name(machine, to);
			bool		was_lost = is_one_of("failed upstream_failed", a);
			bool		is_lost = is_one_of("failed upstream_failed", b);
			bool		comes = strcmp(b, "live") == 0 && strcmp(a, "live") != 0;

			in("net, tells of %s from %s to %s", net_machine_name(machine), a, b);
			EQUAL(net_tells_watchers(machine, from, to), machine == PARTITION && comes);
			EQUAL(net_tells_waiters(machine, from, to), machine == PARTITION &&
				  (was_lost != is_lost || (strcmp(a, "live") == 0 && strcmp(b, "live") != 0)));
		}
}

/* Which signals an event sends: to want, run, taint, partition. */
static const char *const event_signals[][5] = {
	{"job_defined", "", "", "", ""},
	{"job_dropped", "", "", "", ""},
	{"job_paused", "", "", "", ""},
	{"job_resumed", "", "", "", ""},
	{"known", "", "", "", "known"},
	{"rerouted", "", "", "", "rerouted"},
	{"declared", "", "", "", ""},
	{"makes", "", "", "", ""},
	{"wanted", "wanted", "", "", ""},
	{"needed", "wanted", "", "", ""},
	{"want_done", "want_done", "", "", ""},
	{"want_canceled", "want_canceled", "", "", ""},
	{"want_expired", "want_expired", "", "", ""},
	{"want_prioritised", "want_prioritised", "", "", ""},
	{"claimed", "", "claimed", "", "claimed"},
	{"succeeded", "", "succeeded", "", "succeeded"},
	{"read", "", "", "", ""},
	{"failed", "", "failed", "", ""},
	{"missed", "", "missed", "", ""},
	{"run_canceled", "", "canceled", "", ""},
	{"lost", "", "lost", "", ""},
	{"queued", "", "", "", "queued"},
	{"waiting", "", "", "", "waiting"},
	{"blocked", "", "", "", "blocked"},
	{"kept", "", "", "", "kept"},
	{"backed_off", "", "", "", "backed_off"},
	{"gave_up", "", "", "", "gave_up"},
	{"fell_back", "", "", "", "fell_back"},
	{"fell_tainted", "", "", "", "fell_tainted"},
	{"published", "", "", "", "published"},
	{"changed", "", "", "", "changed"},
	{"tainted", "", "", "tainted", "tainted"},
	{"rebuilt", "", "", "", "rebuilt"},
	{"taint_canceled", "", "", "taint_canceled", ""},
	{"untainted", "", "", "", "untainted"},
	{"retried", "", "", "", "retried"},
	{"forgotten", "", "", "", "forgotten"},
	{"prioritised", "", "", "", "prioritised"},
	{"pruned", "", "", "", ""},
};

#define N_EVENTS ((int) (sizeof(event_signals) / sizeof(event_signals[0])))

static void
check_event_kinds(void)
{
	static const Machine order[] = {WANT, RUN, TAINT, PARTITION};

	in("events");
	EQUAL(N_EVENT_KINDS, N_EVENTS);
	EQUAL(net_event_by_name("nothing"), -1);
	for (int i = 0; i < N_EVENTS; i++)
	{
		int			k = net_event_by_name(event_signals[i][0]);

		in("event %s", event_signals[i][0]);
		CHECK(k >= 0);
		if (k < 0)
			continue;
		TEXT(net_event((EventKind) k)->name, event_signals[i][0]);
		CHECK(net_event((EventKind) k)->meaning[0] != '\0');
		for (int m = 0; m < 4; m++)
		{
			int			signal = net_event((EventKind) k)->signal[order[m]];

			TEXT(signal < net_signals(order[m]) ? net_signal_name(order[m], signal) : "", event_signals[i][m + 1]);
		}
	}
}

static void
check_net(void)
{
	for (int m = 0; m < N_MACHINES; m++)
	{
		check_names((Machine) m);
		check_reachable((Machine) m);
		check_tells((Machine) m);
		for (int p = 0; p < net_places((Machine) m); p++)
			for (int s = 0; s < net_signals((Machine) m); s++)
				check_cell((Machine) m, p, s);
	}
	check_event_kinds();
}

/* ------------------------------------------------------------------------
 * Small worlds.
 * ------------------------------------------------------------------------ */

#define JOB			1
#define SOURCE		2
#define OTHER_JOB	3

static const Job jobs[] = {
	{.id = JOB,.max_attempts = 3,.max_misses = 3,.backoff = 10 * SECOND,.lease = 300 * SECOND},
	{.id = SOURCE,.is_source = true,.max_attempts = 1,.max_misses = 1},
	{.id = OTHER_JOB,.max_attempts = 1,.max_misses = 1,.backoff = 10 * SECOND,.lease = 300 * SECOND},
};

static Marking
world(void)
{
	return (Marking) {.jobs = jobs,.njobs = 3};
}

/* A partition that is wanted with priority 0 where wants mean something. */
static Partition *
part(Marking *m, int64_t id, PartitionPlace place)
{
	Partition  *p = marking_add(m, PARTITION, id);

	p->place = place;
	p->job = JOB;
	p->prio = place == P_MISSING || place == P_LIVE || place == P_TAINTED || place == P_NEW ? PRIORITY_NONE : 0;
	p->cover = p->prio;
	return p;
}

static Run *
run(Marking *m, int64_t id, RunPlace place, int outputs,...)
{
	Run		   *r = marking_add(m, RUN, id);
	va_list		args;

	r->place = place;
	r->job = JOB;
	va_start(args, outputs);
	for (int i = 0; i < outputs; i++)
		ids_add(&r->outputs, va_arg(args, int));
	va_end(args);
	return r;
}

static Ids
ids(int n,...)
{
	Ids			list = {0};
	va_list		args;

	va_start(args, n);
	for (int i = 0; i < n; i++)
		ids_add(&list, va_arg(args, int));
	va_end(args);
	return list;
}

static bool
are(const Ids *list, int n,...)
{
	va_list		args;
	bool		same = list->n == n;

	va_start(args, n);
	for (int i = 0; i < n; i++)
	{
		int			id = va_arg(args, int);

		same = same && list->at[i] == id;
	}
	va_end(args);
	return same;
}

/* The k-th event of that kind, or NULL. */
static const Event *
nth(const Events *events, EventKind kind, int k)
{
	for (int i = 0; i < events->n; i++)
		if (events->at[i]->kind == kind && k-- == 0)
			return events->at[i];
	return NULL;
}

static const Event *
the(const Events *events, EventKind kind)
{
	return nth(events, kind, 1) == NULL ? nth(events, kind, 0) : NULL;
}

/* Exactly these kinds, in some order, e.g. "failed backed_off"; "" for none. */
static void
kinds_are(const Events *events, const char *words, int line)
{
	char		got[500] = "";

	for (int i = 0; i < events->n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i > 0 ? " " : "", net_event(events->at[i]->kind)->name);
	for (int i = 0; i < events->n; i++)
		if (!is_one_of(words, net_event(events->at[i]->kind)->name))
		{
			same_text(got, words, line);
			return;
		}
	if ((words[0] == '\0' ? 0 : count_words(words)) != events->n)
		same_text(got, words, line);
	else
		passed++;
}

#define KINDS(events, words) kinds_are(events, words, __LINE__)

static int64_t next_event = 1000;
static int64_t next_want = 500;

/*
 * What a call does with the derivative wants that decide made: each gets a
 * number wherever its placeholder stands, and names each ref once.
 */
static void
number(const Events *events, int line)
{
	for (int i = 0; i < events->n; i++)
	{
		Event	   *e = events->at[i];
		int64_t		placeholder = e->want;

		if (e->kind != EV_NEEDED)
			continue;
		check(placeholder < 0, "a derivative want comes with a placeholder", line);
		check(e->parts.n > 0, "a derivative want is on something", line);
		check(e->prio >= -100 && e->prio <= 100, "a derivative want has a priority", line);
		ids_sort(&e->parts);
		next_want++;
		for (int k = 0; k < events->n; k++)
			if (events->at[k]->want == placeholder)
			{
				check(k == i || events->at[k]->kind == EV_WAITING, "only waiting names a placeholder, and no two wants one", line);
				events->at[k]->want = next_want;
			}
	}
	for (int i = 0; i < events->n; i++)
		if (events->at[i]->want < 0)
			check(false, "a placeholder has its derivative want", line);
}

/* Whatever decide decides, the net must take. */
static void
settle(Marking *m, const Events *events, int line)
{
	number(events, line);
	for (int i = 0; i < events->n; i++)
	{
		Refusal		refusal = {0};

		events->at[i]->id = ++next_event;
		events->at[i]->at = next_event * SECOND;
		if (!evolve(m, events->at[i], &refusal))
		{
			if (++failed <= SHOWN)
				printf("not so, line %d: %s: event %s is refused by %s %s\n", line, where, net_event(events->at[i]->kind)->name,
					   net_machine_name(refusal.machine), net_place_name(refusal.machine, refusal.place));
			return;
		}
	}
	passed++;
}

#define SETTLE(m, events) settle(m, events, __LINE__)

static PartitionPlace
place_of(Marking *m, int64_t id)
{
	return ((Partition *) marking_token(m, PARTITION, id))->place;
}

static Partition *
token(Marking *m, int64_t id)
{
	return marking_token(m, PARTITION, id);
}

static bool
among(PartitionPlace place, const char *words)
{
	return is_one_of(words, net_place_name(PARTITION, (int) place));
}

#define PLACE(m, id, expected) \
	TEXT(net_place_name(PARTITION, (int) place_of(m, id)), net_place_name(PARTITION, (int) (expected)))

/* ------------------------------------------------------------------------
 * Containers.
 * ------------------------------------------------------------------------ */

static void
check_containers(void)
{
	Marking		m = world();
	Ids			list = {0};

	in("ids");
	for (int i = 0; i < 100; i++)
		ids_add(&list, (i * 37) % 50);
	ids_sort(&list);
	EQUAL(list.n, 50);
	for (int i = 0; i < list.n; i++)
		EQUAL(list.at[i], i);
	CHECK(ids_have(&list, 49));
	CHECK(!ids_have(&list, 50));

	in("marking of many tokens");
	for (int64_t id = 1; id <= 5000; id++)
		((Partition *) marking_add(&m, PARTITION, id * 64))->attempts = (int32_t) id;
	for (int64_t id = 1; id <= 5000; id++)
		if (marking_token(&m, PARTITION, id * 64) == NULL ||
			((Partition *) marking_token(&m, PARTITION, id * 64))->attempts != id)
			EQUAL(id, 0);
	EQUAL(m.map[PARTITION].n, 5000);
	CHECK(marking_token(&m, PARTITION, 63) == NULL);
	CHECK(marking_token(&m, RUN, 64) == NULL);
	CHECK(marking_add(&m, PARTITION, 64) == marking_token(&m, PARTITION, 64));
	EQUAL(m.map[PARTITION].n, 5000);
	EQUAL(((Partition *) marking_token(&m, PARTITION, 64))->prio, PRIORITY_NONE);

	in("jobs");
	CHECK(marking_job(&m, JOB) == &jobs[0]);
	CHECK(marking_job(&m, 0) == NULL);

	in("causes");
	for (int i = 0; i < N_CAUSES; i++)
		EQUAL(cause_by_name(cause_name((Cause) i)), i);
}

/* ------------------------------------------------------------------------
 * Evolve.
 * ------------------------------------------------------------------------ */

/* One partition of that place, and the event applied to it as number 77 at 99. */
static Partition
after(PartitionPlace place, Event e)
{
	Marking		m = world();
	Partition  *p = part(&m, 5, place);
	Refusal		refusal = {0};

	p->since = 11;
	p->ticket = 12;
	p->run = 21;
	p->live_run = 20;
	p->attempts = 1;
	p->misses = 2;
	if (place == P_UP_FOR_RETRY)
		p->retry_at = 555;
	if (place == P_FAILED)
	{
		p->cause = CAUSE_CYCLE;
		p->note = "round";
	}
	if (place == P_UPSTREAM_BUILDING || place == P_UPSTREAM_FAILED)
		ids_add(&p->waits, 31);
	for (int i = 0; i < e.runs.n; i++)
		run(&m, e.runs.at[i], R_RUNNING, 1, 5);
	e.id = 77;
	e.at = 99;
	ids_add(&e.parts, 5);
	CHECK(evolve(&m, &e, &refusal));
	return *p;
}

static Event
event(EventKind kind)
{
	return (Event) {.kind = kind,.prio = PRIORITY_NONE};
}

static Event
event_of_run(EventKind kind, int64_t id)
{
	Event		e = event(kind);

	ids_add(&e.runs, id);
	return e;
}

/* Place, and what may have changed: attempts, misses, ticket, since, run, live_run. */
static void
partition_is(const Partition *p, PartitionPlace place, int attempts, int misses, int64_t ticket, int64_t since,
			 int64_t canonical, int64_t live, int line)
{
	same_text(net_place_name(PARTITION, (int) p->place), net_place_name(PARTITION, (int) place), line);
	equal(p->attempts, attempts, "attempts", line);
	equal(p->misses, misses, "misses", line);
	equal(p->ticket, ticket, "ticket", line);
	equal(p->since, since, "since", line);
	equal(p->run, canonical, "run", line);
	equal(p->live_run, live, "live_run", line);
	check(p->dirty, "dirty", line);
}

#define IS(p, place, attempts, misses, ticket, since, canonical, live) \
	partition_is(&(p), place, attempts, misses, ticket, since, canonical, live, __LINE__)

static void
check_evolve_queueing(void)
{
	Event		e;
	Partition	p;

	in("evolve known");
	e = event(EV_KNOWN);
	e.job = OTHER_JOB;
	p = after(P_NEW, e);
	EQUAL(p.place, P_MISSING);
	EQUAL(p.job, OTHER_JOB);
	EQUAL(p.since, 99);
	EQUAL(p.prio, PRIORITY_NONE);

	in("evolve queued, missing");
	e = event(EV_QUEUED);
	e.prio = 7;
	p = after(P_MISSING, e);
	IS(p, P_QUEUED, 1, 2, 77, 99, 21, 20);
	EQUAL(p.prio, 7);

	in("evolve queued, building: a miss of what is live by now");
	p = after(P_BUILDING, event(EV_QUEUED));
	IS(p, P_QUEUED, 1, 3, 77, 99, 21, 20);
	EQUAL(p.prio, 0);

	in("evolve queued, upstream_building");
	p = after(P_UPSTREAM_BUILDING, event(EV_QUEUED));
	IS(p, P_QUEUED, 1, 2, 77, 99, 21, 20);
	EQUAL(p.waits.n, 0);

	in("evolve waiting, building: a miss");
	e = event(EV_WAITING);
	e.want = 32;
	p = after(P_BUILDING, e);
	IS(p, P_UPSTREAM_BUILDING, 1, 3, 12, 99, 21, 20);
	CHECK(are(&p.waits, 1, 32));

	in("evolve waiting, upstream_building: waits for more");
	p = after(P_UPSTREAM_BUILDING, e);
	IS(p, P_UPSTREAM_BUILDING, 1, 2, 12, 11, 21, 20);
	CHECK(are(&p.waits, 2, 31, 32));

	in("evolve waiting, upstream_building: for the same want again");
	e.want = 31;
	p = after(P_UPSTREAM_BUILDING, e);
	IS(p, P_UPSTREAM_BUILDING, 1, 2, 12, 11, 21, 20);
	CHECK(are(&p.waits, 1, 31));

	in("evolve waiting: declared inputs are lacking, no miss");
	e.want = 32;
	e.prio = 6;
	for (int i = 0; i < 4; i++)
	{
		static const PartitionPlace places[] = {P_MISSING, P_QUEUED, P_UP_FOR_RETRY, P_TAINTED};

		p = after(places[i], e);
		IS(p, P_UPSTREAM_BUILDING, 1, 2, 12, 99, 21, 20);
		CHECK(are(&p.waits, 1, 32));
		EQUAL(p.prio, 6);
		EQUAL(p.retry_at, 0);
	}

	in("evolve waiting, upstream_failed: an input recovers");
	p = after(P_UPSTREAM_FAILED, event(EV_WAITING));
	IS(p, P_UPSTREAM_BUILDING, 1, 2, 12, 99, 21, 20);
	CHECK(are(&p.waits, 1, 31));

	in("evolve blocked");
	p = after(P_UPSTREAM_BUILDING, event(EV_BLOCKED));
	IS(p, P_UPSTREAM_FAILED, 1, 2, 12, 99, 21, 20);
	CHECK(are(&p.waits, 1, 31));

	in("evolve prioritised");
	e = event(EV_PRIORITISED);
	e.prio = 50;
	p = after(P_QUEUED, e);
	IS(p, P_QUEUED, 1, 2, 77, 11, 21, 20);
	EQUAL(p.prio, 50);
	p = after(P_UP_FOR_RETRY, e);
	EQUAL(p.retry_at, 555);
	EQUAL(p.since, 11);

	in("evolve prioritised to none: the last want goes while a run is under way");
	p = after(P_BUILDING, event(EV_PRIORITISED));
	EQUAL(p.prio, PRIORITY_NONE);
	EQUAL(p.place, P_BUILDING);

	in("evolve rerouted");
	e = event(EV_REROUTED);
	e.job = OTHER_JOB;
	p = after(P_QUEUED, e);
	IS(p, P_QUEUED, 1, 2, 77, 11, 21, 20);
	EQUAL(p.job, OTHER_JOB);
	EQUAL(p.prio, 0);
	p = after(P_FAILED, e);
	EQUAL(p.cause, CAUSE_CYCLE);
	TEXT(p.note, "round");
	in("evolve rerouted, building: its run goes on");
	p = after(P_BUILDING, e);
	EQUAL(p.place, P_BUILDING);
	EQUAL(p.job, OTHER_JOB);
	EQUAL(p.run, 21);
	EQUAL(p.live_run, 20);
	EQUAL(p.since, 11);
	EQUAL(p.attempts, 1);
	EQUAL(p.misses, 2);
	EQUAL(p.prio, 0);
	in("evolve rerouted, to no job");
	e.job = 0;
	p = after(P_UP_FOR_RETRY, e);
	EQUAL(p.place, P_UP_FOR_RETRY);
	EQUAL(p.job, 0);
	EQUAL(p.retry_at, 555);

	in("evolve retried");
	p = after(P_FAILED, event(EV_RETRIED));
	IS(p, P_QUEUED, 0, 0, 77, 99, 21, 20);
	EQUAL(p.cause, CAUSE_NONE);
	CHECK(p.note == NULL);
	p = after(P_UP_FOR_RETRY, event(EV_RETRIED));
	IS(p, P_QUEUED, 0, 0, 77, 99, 21, 20);
	EQUAL(p.retry_at, 0);
}

static void
check_evolve_ends(void)
{
	Event		e;
	Partition	p;

	in("evolve backed_off");
	e = event(EV_BACKED_OFF);
	e.until = 600;
	p = after(P_BUILDING, e);
	IS(p, P_UP_FOR_RETRY, 2, 2, 77, 99, 21, 20);
	EQUAL(p.retry_at, 600);

	in("evolve gave_up, attempts");
	e = event(EV_GAVE_UP);
	e.cause = CAUSE_ATTEMPTS;
	p = after(P_BUILDING, e);
	EQUAL(p.place, P_FAILED);
	EQUAL(p.attempts, 2);
	EQUAL(p.misses, 2);
	EQUAL(p.cause, CAUSE_ATTEMPTS);
	in("evolve gave_up, no_retry");
	e.cause = CAUSE_NO_RETRY;
	EQUAL(after(P_BUILDING, e).attempts, 2);
	in("evolve gave_up, misses");
	e.cause = CAUSE_MISSES;
	p = after(P_BUILDING, e);
	EQUAL(p.attempts, 1);
	EQUAL(p.misses, 3);
	in("evolve gave_up, canceled: no attempt");
	e.cause = CAUSE_CANCELED;
	EQUAL(after(P_BUILDING, e).attempts, 1);
	in("evolve gave_up, cycle");
	e.cause = CAUSE_CYCLE;
	e.note = "a waits for a";
	p = after(P_UPSTREAM_BUILDING, e);
	EQUAL(p.place, P_FAILED);
	EQUAL(p.attempts, 1);
	EQUAL(p.waits.n, 0);
	TEXT(p.note, "a waits for a");

	in("evolve succeeded");
	p = after(P_BUILDING, event_of_run(EV_SUCCEEDED, 41));
	IS(p, P_LIVE, 0, 0, 12, 99, 41, 41);
	EQUAL(p.prio, PRIORITY_NONE);
	in("evolve succeeded, live: a new instance beside a sibling");
	p = after(P_LIVE, event_of_run(EV_SUCCEEDED, 41));
	IS(p, P_LIVE, 0, 0, 12, 11, 41, 41);

	in("evolve kept: it has its instance still, no attempt counted");
	p = after(P_BUILDING, event(EV_KEPT));
	IS(p, P_LIVE, 0, 0, 12, 99, 20, 20);

	in("evolve published");
	for (int i = P_MISSING; i < N_PARTITION_PLACES; i++)
	{
		if (i == P_BUILDING)
			continue;
		in("evolve published, %s", net_place_name(PARTITION, i));
		p = after((PartitionPlace) i, event(EV_PUBLISHED));
		IS(p, P_LIVE, 0, 0, 12, i == P_LIVE ? 11 : 99, 77, 77);
		EQUAL(p.prio, PRIORITY_NONE);
		EQUAL(p.retry_at, 0);
		EQUAL(p.cause, CAUSE_NONE);
		EQUAL(p.waits.n, 0);
	}

	in("evolve changed: known by its event until it is published");
	for (int i = 0; i < 2; i++)
	{
		Marking		m = world();
		Refusal		refusal = {0};

		e = event(EV_CHANGED);
		e.id = 78;
		e.at = 99;
		ids_add(&e.parts, 5);
		part(&m, 5, i == 0 ? P_BUILDING : P_LIVE)->since = 11;
		CHECK(evolve(&m, &e, &refusal));
		EQUAL(token(&m, 5)->changed, 78);
		EQUAL(token(&m, 5)->place, i == 0 ? P_BUILDING : P_LIVE);
		EQUAL(token(&m, 5)->since, 11);
		e.kind = i == 0 ? EV_KEPT : EV_SUCCEEDED;
		CHECK(evolve(&m, &e, &refusal));
		EQUAL(token(&m, 5)->changed, 78);
		e.kind = EV_PUBLISHED;
		e.id = 79;
		CHECK(evolve(&m, &e, &refusal));
		EQUAL(token(&m, 5)->changed, 0);
		EQUAL(token(&m, 5)->live_run, 79);
	}

	in("evolve fell_back");
	p = after(P_UPSTREAM_BUILDING, event(EV_FELL_BACK));
	EQUAL(p.place, P_MISSING);
	EQUAL(p.prio, PRIORITY_NONE);
	EQUAL(p.waits.n, 0);
	EQUAL(p.attempts, 1);
	in("evolve fell_back, tainted: its run failed, which is an attempt all the same");
	e = event(EV_FELL_BACK);
	e.cause = CAUSE_ATTEMPTS;
	p = after(P_BUILDING, e);
	EQUAL(p.place, P_MISSING);
	EQUAL(p.attempts, 2);
	EQUAL(p.misses, 2);
	EQUAL(p.cause, CAUSE_NONE);
	EQUAL(p.prio, PRIORITY_NONE);
	e.kind = EV_FELL_TAINTED;
	p = after(P_BUILDING, e);
	EQUAL(p.place, P_TAINTED);
	EQUAL(p.attempts, 2);
	EQUAL(p.cause, CAUSE_NONE);
	in("evolve fell_back: its run was canceled or missed");
	EQUAL(after(P_BUILDING, event(EV_FELL_BACK)).attempts, 1);
	EQUAL(after(P_BUILDING, event(EV_FELL_TAINTED)).attempts, 1);
	in("evolve fell_tainted");
	p = after(P_UP_FOR_RETRY, event(EV_FELL_TAINTED));
	EQUAL(p.place, P_TAINTED);
	EQUAL(p.retry_at, 0);
	EQUAL(p.live_run, 20);

	in("evolve untainted");
	p = after(P_FAILED, event(EV_UNTAINTED));
	IS(p, P_LIVE, 0, 0, 12, 99, 20, 20);
	EQUAL(p.cause, CAUSE_NONE);
	in("evolve rebuilt");
	e = event(EV_REBUILT);
	e.prio = 3;
	p = after(P_TAINTED, e);
	EQUAL(p.place, P_BUILDING);
	EQUAL(p.prio, 3);
	in("evolve forgotten");
	p = after(P_LIVE, event(EV_FORGOTTEN));
	EQUAL(p.place, P_MISSING);
	EQUAL(p.run, 0);
	EQUAL(p.live_run, 0);
}

/* What is live no more, or live as another instance, is noted with the event that ended it. */
static void
check_evolve_past(void)
{
	Event		ends[] = {event(EV_TAINTED), event(EV_PUBLISHED), event(EV_FORGOTTEN), event_of_run(EV_SUCCEEDED, 41)};
	Event		others[] = {event(EV_KEPT), event(EV_REROUTED)};
	Partition	p;

	ends[0].taint = 7;
	for (int i = 0; i < 4; i++)
	{
		in("evolve %s, live: what was is past", net_event(ends[i].kind)->name);
		p = after(P_LIVE, ends[i]);
		EQUAL(p.past.n, 2);
		EQUAL(p.past.at[0], 77);
		EQUAL(p.past.at[1], 20);
	}
	for (int i = 0; i < 2; i++)
	{
		in("evolve %s, live: it still is", net_event(others[i].kind)->name);
		EQUAL(after(P_LIVE, others[i]).past.n, 0);
	}
	in("evolve published, tainted: that was past before");
	EQUAL(after(P_TAINTED, event(EV_PUBLISHED)).past.n, 0);
	in("evolve untainted");
	EQUAL(after(P_TAINTED, event(EV_UNTAINTED)).past.n, 0);
}

static void
check_evolve_claimed(void)
{
	Marking		m = world();
	Event		e = event(EV_CLAIMED);
	Refusal		refusal = {0};
	Run		   *r;

	in("evolve claimed, one output each");
	part(&m, 1, P_QUEUED);
	part(&m, 2, P_UP_FOR_RETRY)->attempts = 2;
	e.at = 5;
	e.job = JOB;
	e.runs = ids(2, 101, 102);
	e.parts = ids(2, 1, 2);
	CHECK(evolve(&m, &e, &refusal));
	r = marking_token(&m, RUN, 101);
	EQUAL(r->place, R_RUNNING);
	EQUAL(r->started, 5);
	EQUAL(r->job, JOB);
	EQUAL(r->attempt, 1);
	CHECK(are(&r->outputs, 1, 1));
	r = marking_token(&m, RUN, 102);
	EQUAL(r->attempt, 3);
	CHECK(are(&r->outputs, 1, 2));
	EQUAL(((Partition *) marking_token(&m, PARTITION, 1))->run, 101);
	EQUAL(((Partition *) marking_token(&m, PARTITION, 2))->run, 102);
	PLACE(&m, 2, P_BUILDING);

	in("evolve claimed, sizes; a live output stays live and keeps its instance");
	m = world();
	part(&m, 1, P_QUEUED);
	part(&m, 2, P_LIVE)->run = 20;
	part(&m, 3, P_FAILED)->attempts = 3;
	part(&m, 4, P_MISSING);
	e.runs = ids(2, 101, 102);
	e.parts = ids(4, 1, 2, 3, 4);
	e.sizes = ids(2, 3, 1);
	CHECK(evolve(&m, &e, &refusal));
	r = marking_token(&m, RUN, 101);
	CHECK(are(&r->outputs, 3, 1, 2, 3));
	EQUAL(r->attempt, 4);
	r = marking_token(&m, RUN, 102);
	CHECK(are(&r->outputs, 1, 4));
	EQUAL(r->attempt, 1);
	PLACE(&m, 1, P_BUILDING);
	PLACE(&m, 2, P_LIVE);
	PLACE(&m, 3, P_BUILDING);
	PLACE(&m, 4, P_BUILDING);
	EQUAL(((Partition *) marking_token(&m, PARTITION, 2))->run, 20);
	EQUAL(((Partition *) marking_token(&m, PARTITION, 3))->run, 101);
	EQUAL(((Partition *) marking_token(&m, PARTITION, 4))->run, 102);

	in("evolve succeeded, sizes with a run that made nothing");
	e = event(EV_SUCCEEDED);
	e.at = 6;
	e.runs = ids(2, 101, 102);
	e.parts = ids(1, 4);
	e.sizes = ids(2, 0, 1);
	CHECK(evolve(&m, &e, &refusal));
	EQUAL(((Partition *) marking_token(&m, PARTITION, 4))->live_run, 102);
	EQUAL(((Run *) marking_token(&m, RUN, 101))->place, R_SUCCEEDED);
	EQUAL(((Run *) marking_token(&m, RUN, 102))->finished, 6);

	in("evolve claimed: never two builders of one ref");
	m = world();
	part(&m, 1, P_BUILDING);
	e = event(EV_CLAIMED);
	e.runs = ids(1, 103);
	e.parts = ids(1, 1);
	CHECK(!evolve(&m, &e, &refusal));
	EQUAL(refusal.machine, PARTITION);
	EQUAL(refusal.id, 1);
	EQUAL(refusal.place, P_BUILDING);
	EQUAL(refusal.signal, PS_CLAIMED);
}

static void
check_evolve_wants(void)
{
	static const struct
	{
		EventKind	kind;
		WantPlace	place;
	}			ends[] = {{EV_WANT_DONE, W_SUCCESSFUL}, {EV_WANT_CANCELED, W_CANCELED}, {EV_WANT_EXPIRED, W_EXPIRED}};
	Marking		m = world();
	Event		e = event(EV_WANTED);
	Refusal		refusal = {0};
	Want	   *w;

	in("evolve wanted, in several slices");
	part(&m, 1, P_MISSING);
	e.id = 1;
	e.at = 5;
	e.want = 9;
	e.prio = -10;
	e.parts = ids(3, 1, 2, 3);
	CHECK(evolve(&m, &e, &refusal));
	e.id = 2;
	e.parts = ids(2, 4, 5);
	CHECK(evolve(&m, &e, &refusal));
	w = marking_token(&m, WANT, 9);
	EQUAL(w->place, W_ACTIVE);
	EQUAL(w->total, 5);
	EQUAL(w->prio, -10);
	EQUAL(w->created, 5);
	EQUAL(w->ended, 0);
	EQUAL(w->run, 0);
	in("evolve wanted: it is the want's event, the refs move by others");
	PLACE(&m, 1, P_MISSING);

	CHECK(!w->derivative);
	CHECK(w->dirty);

	in("evolve needed: a derivative want, because a run missed the refs");
	e.kind = EV_NEEDED;
	e.want = 10;
	e.runs = ids(1, 101);
	CHECK(evolve(&m, &e, &refusal));
	w = marking_token(&m, WANT, 10);
	EQUAL(w->place, W_ACTIVE);
	EQUAL(w->run, 101);
	EQUAL(w->total, 2);
	EQUAL(w->prio, -10);
	CHECK(w->derivative);
	CHECK(marking_token(&m, RUN, 101) == NULL);
	PLACE(&m, 1, P_MISSING);

	in("evolve needed: because declared inputs are not live");
	e.want = 11;
	e.runs = ids(0);
	CHECK(evolve(&m, &e, &refusal));
	w = marking_token(&m, WANT, 11);
	EQUAL(w->run, 0);
	CHECK(w->derivative);

	in("evolve want_prioritised");
	w->dirty = false;
	e = event(EV_WANT_PRIORITISED);
	e.want = 11;
	e.at = 7;
	e.prio = 70;
	CHECK(evolve(&m, &e, &refusal));
	EQUAL(w->place, W_ACTIVE);
	EQUAL(w->prio, 70);
	EQUAL(w->created, 5);
	EQUAL(w->ended, 0);
	EQUAL(w->total, 2);
	CHECK(w->dirty);
	CHECK(w->derivative);
	PLACE(&m, 1, P_MISSING);
	EQUAL(token(&m, 1)->prio, PRIORITY_NONE);

	for (int i = 0; i < 3; i++)
	{
		in("evolve %s", net_event(ends[i].kind)->name);
		e = event(EV_WANTED);
		e.want = 20 + i;
		CHECK(evolve(&m, &e, &refusal));
		e = event(ends[i].kind);
		e.want = 20 + i;
		e.at = 8;
		CHECK(evolve(&m, &e, &refusal));
		w = marking_token(&m, WANT, e.want);
		EQUAL(w->place, ends[i].place);
		EQUAL(w->ended, 8);
		e.at = 9;
		CHECK(evolve(&m, &e, &refusal));
		EQUAL(w->ended, 8);
		in("evolve want_prioritised after %s", net_event(ends[i].kind)->name);
		e = event(EV_WANT_PRIORITISED);
		e.want = 20 + i;
		e.prio = 3;
		CHECK(!evolve(&m, &e, &refusal));
		EQUAL(refusal.machine, WANT);
		EQUAL(refusal.id, 20 + i);
		EQUAL(refusal.place, ends[i].place);
		EQUAL(refusal.signal, WS_PRIORITISED);
		EQUAL(w->prio, PRIORITY_NONE);
		in("evolve wanted after %s", net_event(ends[i].kind)->name);
		e = event(EV_WANTED);
		e.want = 20 + i;
		CHECK(!evolve(&m, &e, &refusal));
		EQUAL(refusal.machine, WANT);
	}
}

static void
check_evolve_runs_and_taints(void)
{
	static const struct
	{
		EventKind	kind;
		RunPlace	place;
	}			ends[] = {{EV_SUCCEEDED, R_SUCCEEDED}, {EV_FAILED, R_FAILED}, {EV_MISSED, R_DEP_MISS},
	{EV_RUN_CANCELED, R_CANCELED}, {EV_LOST, R_LOST}};
	Marking		m = world();
	Refusal		refusal = {0};
	Event		e;

	for (int i = 0; i < 5; i++)
	{
		Run		   *r = run(&m, 100 + i, R_RUNNING, 0);

		in("evolve %s of a run", net_event(ends[i].kind)->name);
		e = event_of_run(ends[i].kind, r->id);
		e.at = 44;
		CHECK(evolve(&m, &e, &refusal));
		EQUAL(r->place, ends[i].place);
		EQUAL(r->finished, 44);
		e.at = 45;
		CHECK(evolve(&m, &e, &refusal));
		EQUAL(r->finished, 44);
		for (int k = 0; k < 5; k++)
		{
			if (k == i)
				continue;
			in("evolve %s of a run that is %s", net_event(ends[k].kind)->name, net_place_name(RUN, ends[i].place));
			e = event_of_run(ends[k].kind, r->id);
			CHECK(!evolve(&m, &e, &refusal));
			EQUAL(refusal.machine, RUN);
			EQUAL(refusal.id, r->id);
		}
	}

	in("evolve missed: the refs that it names do not move by it");
	part(&m, 1, P_MISSING);
	run(&m, 110, R_RUNNING, 0);
	e = event_of_run(EV_MISSED, 110);
	e.parts = ids(1, 1);
	CHECK(evolve(&m, &e, &refusal));
	PLACE(&m, 1, P_MISSING);

	in("evolve tainted, in slices");
	part(&m, 2, P_LIVE);
	part(&m, 3, P_LIVE);
	e = event(EV_TAINTED);
	e.at = 50;
	e.taint = 7;
	e.parts = ids(1, 2);
	CHECK(evolve(&m, &e, &refusal));
	e.at = 50;
	e.parts = ids(1, 3);
	CHECK(evolve(&m, &e, &refusal));
	EQUAL(((Taint *) marking_token(&m, TAINT, 7))->place, T_ACTIVE);
	EQUAL(((Taint *) marking_token(&m, TAINT, 7))->created, 50);
	PLACE(&m, 2, P_TAINTED);
	PLACE(&m, 3, P_TAINTED);
	in("evolve taint_canceled");
	e = event(EV_TAINT_CANCELED);
	e.taint = 7;
	e.at = 60;
	CHECK(evolve(&m, &e, &refusal));
	EQUAL(((Taint *) marking_token(&m, TAINT, 7))->place, T_CANCELED);
	EQUAL(((Taint *) marking_token(&m, TAINT, 7))->created, 50);
	in("evolve taint_canceled, of a taint that there is not");
	e.taint = 8;
	CHECK(!evolve(&m, &e, &refusal));
	EQUAL(refusal.machine, TAINT);
	in("evolve tainted, after it was canceled");
	e = event(EV_TAINTED);
	e.taint = 7;
	CHECK(!evolve(&m, &e, &refusal));
	EQUAL(refusal.machine, TAINT);
}

/* What moves no token: definitions, and what a job declares of its refs. */
static void
check_evolve_records(void)
{
	static const EventKind kinds[] = {EV_JOB_DEFINED, EV_JOB_DROPPED, EV_JOB_PAUSED, EV_JOB_RESUMED, EV_DECLARED};

	for (int i = 0; i < 5; i++)
	{
		Marking		m = world();
		Event		e = event(kinds[i]);
		Refusal		refusal = {0};
		Partition	before;

		in("evolve %s", net_event(kinds[i])->name);
		before = *part(&m, 1, P_QUEUED);
		e.id = 77;
		e.at = 99;
		e.job = OTHER_JOB;
		e.parts = ids(2, 1, 2);
		e.sizes = ids(2, 1, 1);
		e.others = ids(2, 8, 9);
		CHECK(evolve(&m, &e, &refusal));
		CHECK(memcmp(&before, token(&m, 1), sizeof(before)) == 0);
		EQUAL(m.map[PARTITION].n, 1);
		EQUAL(m.map[WANT].n + m.map[RUN].n + m.map[TAINT].n, 0);
	}
}

/* ------------------------------------------------------------------------
 * Decide.
 * ------------------------------------------------------------------------ */

static void
check_wanted(void)
{
	for (int place = P_MISSING; place < N_PARTITION_PLACES; place++)
		for (int job = 0; job <= SOURCE; job++)
			for (int prio = -1; prio <= 1; prio++)
			{
				Marking		m = world();
				Ids			list = ids(1, 1);
				Events		out = {0};
				bool		idle = place == P_MISSING || place == P_TAINTED;

				in("wanted with priority %d: %s, job %d", prio, net_place_name(PARTITION, place), job);
				part(&m, 1, (PartitionPlace) place)->job = job;
				decide_wanted(&m, &list, prio, &out);
				if (idle && job == JOB)
				{
					KINDS(&out, "queued");
					EQUAL(out.at[0]->prio, prio);
				}
				else if (idle || place == P_LIVE || prio <= 0)
					KINDS(&out, "");
				else
				{
					KINDS(&out, "prioritised");
					EQUAL(out.at[0]->prio, prio);
				}
				SETTLE(&m, &out);
				if (idle && job == JOB)
					PLACE(&m, 1, P_QUEUED);
				else
					PLACE(&m, 1, (PartitionPlace) place);
			}
}

static void
check_claim(void)
{
	Marking		m = world();
	Events		out = {0};
	Ids			parts = ids(3, 1, 2, 3);
	Ids			ones = ids(3, 1, 1, 1);
	Ids			runs = ids(3, 101, 102, 103);
	const Event *e;

	in("claim");
	part(&m, 1, P_QUEUED);
	part(&m, 2, P_QUEUED)->job = OTHER_JOB;
	part(&m, 3, P_UP_FOR_RETRY);
	decide_claim(&m, &runs, &ones, &parts, "w1", &out);
	KINDS(&out, "claimed claimed");
	e = nth(&out, EV_CLAIMED, 0);
	EQUAL(e->job, JOB);
	CHECK(are(&e->runs, 2, 101, 103));
	CHECK(are(&e->parts, 2, 1, 3));
	TEXT(e->note, "w1");
	e = nth(&out, EV_CLAIMED, 1);
	EQUAL(e->job, OTHER_JOB);
	CHECK(are(&e->runs, 1, 102));
	CHECK(are(&e->parts, 1, 2));
	SETTLE(&m, &out);
	for (int i = 1; i <= 3; i++)
	{
		PLACE(&m, i, P_BUILDING);
		EQUAL(((Partition *) marking_token(&m, PARTITION, i))->run, 100 + i);
	}
}

/* Runs with several outputs: siblings come along from wherever they are. */
static void
check_claim_together(void)
{
	Marking		m = world();
	Events		out = {0};
	Ids			parts = ids(5, 1, 2, 3, 4, 5);
	Ids			sizes = ids(2, 3, 2);
	Ids			runs = ids(2, 101, 102);
	const Event *e;

	in("claim together");
	part(&m, 1, P_QUEUED);
	part(&m, 2, P_MISSING);
	part(&m, 3, P_LIVE);
	part(&m, 4, P_UP_FOR_RETRY);
	part(&m, 5, P_FAILED);
	decide_claim(&m, &runs, &sizes, &parts, "w1", &out);
	KINDS(&out, "claimed");
	e = nth(&out, EV_CLAIMED, 0);
	CHECK(are(&e->runs, 2, 101, 102));
	CHECK(are(&e->sizes, 2, 3, 2));
	CHECK(are(&e->parts, 5, 1, 2, 3, 4, 5));
	SETTLE(&m, &out);
	PLACE(&m, 1, P_BUILDING);
	PLACE(&m, 2, P_BUILDING);
	PLACE(&m, 3, P_LIVE);
	PLACE(&m, 4, P_BUILDING);
	PLACE(&m, 5, P_BUILDING);
	EQUAL(((Partition *) marking_token(&m, PARTITION, 2))->run, 101);
	EQUAL(((Partition *) marking_token(&m, PARTITION, 5))->run, 102);
	EQUAL(((Run *) marking_token(&m, RUN, 101))->outputs.n, 3);
	EQUAL(((Run *) marking_token(&m, RUN, 102))->outputs.n, 2);
}

static void
check_report(void)
{
	static const RunSignal signals[] = {RS_SUCCEEDED, RS_FAILED, RS_MISSED, RS_CANCELED, RS_LOST};
	static const RunPlace places[] = {R_SUCCEEDED, R_FAILED, R_DEP_MISS, R_CANCELED, R_LOST};

	for (int s = 0; s < 5; s++)
		for (int p = 0; p < 5; p++)
		{
			Marking		m = world();
			Ids			list = ids(2, 101, 102);
			Ids			fresh = {0};
			Refusal		refusal = {0};
			bool		accepted;

			in("report %s on a run that is %s", net_signal_name(RUN, (int) signals[s]), net_place_name(RUN, (int) places[p]));
			run(&m, 101, R_RUNNING, 0);
			run(&m, 102, places[p], 0);
			accepted = decide_report(&m, signals[s], &list, &fresh, &refusal);
			EQUAL(accepted, s == p);
			if (s == p)
				CHECK(are(&fresh, 1, 101));
			else
			{
				EQUAL(refusal.machine, RUN);
				EQUAL(refusal.id, 102);
				EQUAL(refusal.place, places[p]);
				EQUAL(refusal.signal, signals[s]);
			}
		}
}

static void
check_succeeded(void)
{
	Marking		m = world();
	Events		out = {0};
	Ids			list = ids(2, 101, 102);
	Ids			made = ids(1, 2);
	const Event *e;

	in("succeeded, one output each");
	part(&m, 1, P_BUILDING);
	part(&m, 2, P_BUILDING);
	run(&m, 101, R_RUNNING, 1, 1);
	run(&m, 102, R_RUNNING, 1, 2);
	decide_succeeded(&m, &list, NULL, 0, &out);
	KINDS(&out, "succeeded");
	e = the(&out, EV_SUCCEEDED);
	CHECK(are(&e->runs, 2, 101, 102));
	CHECK(are(&e->parts, 2, 1, 2));
	EQUAL(e->sizes.n, 0);
	SETTLE(&m, &out);
	EQUAL(((Partition *) marking_token(&m, PARTITION, 1))->live_run, 101);
	EQUAL(((Partition *) marking_token(&m, PARTITION, 2))->live_run, 102);

	in("succeeded, several outputs");
	m = world();
	memset(&out, 0, sizeof(out));
	for (int i = 1; i <= 3; i++)
		part(&m, i, P_BUILDING);
	run(&m, 101, R_RUNNING, 2, 1, 2);
	run(&m, 102, R_RUNNING, 1, 3);
	decide_succeeded(&m, &list, NULL, 0, &out);
	CHECK(are(&the(&out, EV_SUCCEEDED)->sizes, 2, 2, 1));
	SETTLE(&m, &out);
	EQUAL(((Partition *) marking_token(&m, PARTITION, 2))->live_run, 101);
	EQUAL(((Partition *) marking_token(&m, PARTITION, 3))->live_run, 102);

	in("succeeded, made some: each other one is a failed attempt, as its own state says");
	m = world();
	memset(&out, 0, sizeof(out));
	list = ids(1, 101);
	for (int i = 1; i <= 7; i++)
		part(&m, i, P_BUILDING);
	((Partition *) marking_token(&m, PARTITION, 3))->attempts = 2;
	((Partition *) marking_token(&m, PARTITION, 4))->sound = true;
	((Partition *) marking_token(&m, PARTITION, 4))->live_run = 20;
	((Partition *) marking_token(&m, PARTITION, 5))->prio = PRIORITY_NONE;
	((Partition *) marking_token(&m, PARTITION, 6))->prio = PRIORITY_NONE;
	((Partition *) marking_token(&m, PARTITION, 6))->live_run = 20;
	part(&m, 7, P_LIVE)->live_run = 20;
	run(&m, 101, R_RUNNING, 7, 1, 2, 3, 4, 5, 6, 7);
	decide_succeeded(&m, &list, &made, 1000 * SECOND, &out);
	KINDS(&out, "succeeded backed_off gave_up kept fell_back fell_tainted");
	CHECK(are(&the(&out, EV_SUCCEEDED)->parts, 1, 2));
	CHECK(are(&the(&out, EV_BACKED_OFF)->parts, 1, 1));
	EQUAL(the(&out, EV_BACKED_OFF)->until, 1010 * SECOND);
	CHECK(are(&the(&out, EV_GAVE_UP)->parts, 1, 3));
	EQUAL(the(&out, EV_GAVE_UP)->cause, CAUSE_ATTEMPTS);
	SETTLE(&m, &out);
	PLACE(&m, 1, P_UP_FOR_RETRY);
	PLACE(&m, 2, P_LIVE);
	PLACE(&m, 3, P_FAILED);
	PLACE(&m, 4, P_LIVE);
	PLACE(&m, 5, P_MISSING);
	PLACE(&m, 6, P_TAINTED);
	PLACE(&m, 7, P_LIVE);
	EQUAL(((Partition *) marking_token(&m, PARTITION, 1))->attempts, 1);
	EQUAL(((Partition *) marking_token(&m, PARTITION, 4))->attempts, 0);
	EQUAL(((Partition *) marking_token(&m, PARTITION, 7))->live_run, 20);
	EQUAL(token(&m, 5)->attempts, 1);
	EQUAL(token(&m, 6)->attempts, 1);
	EQUAL(((Run *) marking_token(&m, RUN, 101))->place, R_SUCCEEDED);

	in("succeeded, made nothing");
	m = world();
	memset(&out, 0, sizeof(out));
	made.n = 0;
	part(&m, 1, P_BUILDING);
	run(&m, 101, R_RUNNING, 1, 1);
	decide_succeeded(&m, &list, &made, 0, &out);
	SETTLE(&m, &out);
	PLACE(&m, 1, P_UP_FOR_RETRY);
}

/* One output with so many attempts behind it ends in that way. */
static const Event *
ended(EventKind kind, bool retry, int attempts, PartitionPlace expected, int attempts_then)
{
	Marking		m = world();
	Events		out = {0};
	Ids			list = ids(1, 101);

	in("%s%s after %d attempts", net_event(kind)->name, retry ? "" : ", no retry", attempts);
	part(&m, 1, P_BUILDING)->attempts = attempts;
	run(&m, 101, R_RUNNING, 1, 1);
	decide_ended(&m, kind, &list, retry, "so", 1000 * SECOND, &out);
	EQUAL(out.n, 2);
	CHECK(out.at[0]->kind == kind);
	TEXT(out.at[0]->note, "so");
	SETTLE(&m, &out);
	PLACE(&m, 1, expected);
	EQUAL(((Partition *) marking_token(&m, PARTITION, 1))->attempts, attempts_then);
	return out.at[1];
}

static void
check_ended(void)
{
	static const EventKind kinds[] = {EV_FAILED, EV_LOST, EV_RUN_CANCELED};

	EQUAL(ended(EV_FAILED, true, 0, P_UP_FOR_RETRY, 1)->until, 1010 * SECOND);
	EQUAL(ended(EV_FAILED, true, 1, P_UP_FOR_RETRY, 2)->until, 1020 * SECOND);
	EQUAL(ended(EV_FAILED, true, 2, P_FAILED, 3)->cause, CAUSE_ATTEMPTS);
	EQUAL(ended(EV_FAILED, false, 0, P_FAILED, 1)->cause, CAUSE_NO_RETRY);
	EQUAL(ended(EV_LOST, true, 0, P_UP_FOR_RETRY, 1)->until, 1010 * SECOND);
	EQUAL(ended(EV_LOST, true, 2, P_FAILED, 3)->cause, CAUSE_ATTEMPTS);
	EQUAL(ended(EV_RUN_CANCELED, true, 0, P_FAILED, 0)->cause, CAUSE_CANCELED);

	for (int i = 0; i < 3; i++)
	{
		Marking		m = world();
		Events		out = {0};
		Ids			list = ids(2, 101, 102);

		in("%s: kept, live beside a sibling, wanted by nobody", net_event(kinds[i])->name);
		part(&m, 1, P_BUILDING)->sound = true;
		part(&m, 2, P_LIVE);
		part(&m, 3, P_BUILDING)->prio = PRIORITY_NONE;
		part(&m, 4, P_BUILDING)->prio = PRIORITY_NONE;
		((Partition *) marking_token(&m, PARTITION, 4))->live_run = 20;
		run(&m, 101, R_RUNNING, 2, 1, 2);
		run(&m, 102, R_RUNNING, 2, 3, 4);
		decide_ended(&m, kinds[i], &list, true, NULL, 0, &out);
		EQUAL(out.n, 4);
		CHECK(are(&out.at[0]->runs, 2, 101, 102));
		SETTLE(&m, &out);
		PLACE(&m, 1, P_LIVE);
		PLACE(&m, 2, P_LIVE);
		PLACE(&m, 3, P_MISSING);
		PLACE(&m, 4, P_TAINTED);
		EQUAL(token(&m, 1)->attempts, 0);
		EQUAL(token(&m, 2)->attempts, 0);
		EQUAL(token(&m, 3)->attempts, kinds[i] == EV_RUN_CANCELED ? 0 : 1);
		EQUAL(token(&m, 4)->attempts, kinds[i] == EV_RUN_CANCELED ? 0 : 1);

		in("%s: no job makes it any more", net_event(kinds[i])->name);
		m = world();
		memset(&out, 0, sizeof(out));
		list = ids(1, 101);
		part(&m, 1, P_BUILDING)->job = 0;
		part(&m, 2, P_BUILDING)->job = SOURCE;
		run(&m, 101, R_RUNNING, 2, 1, 2);
		decide_ended(&m, kinds[i], &list, true, NULL, 0, &out);
		SETTLE(&m, &out);
		PLACE(&m, 1, P_MISSING);
		PLACE(&m, 2, P_MISSING);

		in("%s: another job makes it now, and that one has no attempts left", net_event(kinds[i])->name);
		m = world();
		memset(&out, 0, sizeof(out));
		part(&m, 1, P_BUILDING)->job = OTHER_JOB;
		run(&m, 101, R_RUNNING, 1, 1);
		decide_ended(&m, kinds[i], &list, true, NULL, 0, &out);
		SETTLE(&m, &out);
		PLACE(&m, 1, P_FAILED);
	}
}

static void
check_backoff(void)
{
	in("backoff");
	EQUAL(decide_backoff(10 * SECOND, 1), 10 * SECOND);
	EQUAL(decide_backoff(10 * SECOND, 2), 20 * SECOND);
	EQUAL(decide_backoff(10 * SECOND, 3), 40 * SECOND);
	EQUAL(decide_backoff(10 * SECOND, 9), 2560 * SECOND);
	EQUAL(decide_backoff(10 * SECOND, 10), HOUR);
	EQUAL(decide_backoff(10 * SECOND, 1000000), HOUR);
	EQUAL(decide_backoff(HOUR, 1), HOUR);
	EQUAL(decide_backoff(HOUR, 5), HOUR);
	in("backoff that is longer than the cap");
	EQUAL(decide_backoff(2 * HOUR, 1), 2 * HOUR);
	EQUAL(decide_backoff(2 * HOUR, 7), 2 * HOUR);
	in("no backoff");
	EQUAL(decide_backoff(0, 1), 0);
	EQUAL(decide_backoff(0, 100), 0);
}

/* ---- missed ---- */

static const Ids nobody = {0};

static void
check_missed(void)
{
	Marking		m = world();
	Events		out = {0};
	Ids			all = ids(2, 1, 2);
	Ids			lacking = ids(3, 8, 9, 7);
	Ids			one = ids(1, 1);
	const Event *e;
	int64_t		want;

	in("missed: all outputs wait; what is lacking is wanted with the greatest priority");
	part(&m, 1, P_BUILDING)->prio = -10;
	part(&m, 2, P_BUILDING)->prio = 40;
	part(&m, 7, P_MISSING)->job = SOURCE;
	part(&m, 8, P_MISSING);
	part(&m, 9, P_QUEUED);
	run(&m, 101, R_RUNNING, 2, 1, 2);
	decide_missed(&m, 101, &all, &lacking, false, &out);
	KINDS(&out, "missed waiting needed queued prioritised");
	CHECK(out.at[0] == the(&out, EV_MISSED));
	e = the(&out, EV_MISSED);
	CHECK(are(&e->runs, 1, 101));
	CHECK(are(&e->parts, 3, 8, 9, 7));
	e = the(&out, EV_NEEDED);
	want = e->want;
	CHECK(want < 0);
	EQUAL(e->prio, 40);
	CHECK(are(&e->runs, 1, 101));
	CHECK(are(&e->parts, 3, 8, 9, 7));
	e = the(&out, EV_WAITING);
	EQUAL(e->want, want);
	CHECK(are(&e->parts, 2, 1, 2));
	SETTLE(&m, &out);
	want = the(&out, EV_NEEDED)->want;
	PLACE(&m, 1, P_UPSTREAM_BUILDING);
	PLACE(&m, 2, P_UPSTREAM_BUILDING);
	PLACE(&m, 7, P_MISSING);
	PLACE(&m, 8, P_QUEUED);
	PLACE(&m, 9, P_QUEUED);
	EQUAL(token(&m, 8)->prio, 40);
	EQUAL(token(&m, 9)->prio, 40);
	EQUAL(token(&m, 1)->prio, -10);
	EQUAL(token(&m, 2)->prio, 40);
	EQUAL(token(&m, 1)->misses, 1);
	EQUAL(token(&m, 1)->attempts, 0);
	CHECK(are(&token(&m, 1)->waits, 1, (int) want));
	EQUAL(((Run *) marking_token(&m, RUN, 101))->place, R_DEP_MISS);
	EQUAL(((Want *) marking_token(&m, WANT, want))->total, 3);
	EQUAL(((Want *) marking_token(&m, WANT, want))->run, 101);
	CHECK(((Want *) marking_token(&m, WANT, want))->derivative);

	in("missed: all live by now");
	m = world();
	memset(&out, 0, sizeof(out));
	part(&m, 1, P_BUILDING);
	run(&m, 101, R_RUNNING, 1, 1);
	decide_missed(&m, 101, &one, &nobody, false, &out);
	KINDS(&out, "missed queued");
	SETTLE(&m, &out);
	PLACE(&m, 1, P_QUEUED);
	EQUAL(token(&m, 1)->misses, 1);
	EQUAL(token(&m, 1)->prio, 0);
	EQUAL(m.map[WANT].n, 0);

	in("missed: all live by now, but a declared input is not");
	m = world();
	memset(&out, 0, sizeof(out));
	part(&m, 1, P_BUILDING)->prio = 3;
	token(&m, 1)->needs = ids(1, 9);
	part(&m, 9, P_TAINTED);
	run(&m, 101, R_RUNNING, 1, 1);
	decide_missed(&m, 101, &one, &nobody, false, &out);
	KINDS(&out, "missed needed waiting");
	EQUAL(the(&out, EV_NEEDED)->prio, 3);
	SETTLE(&m, &out);
	PLACE(&m, 1, P_UPSTREAM_BUILDING);
	EQUAL(token(&m, 1)->misses, 1);
	EQUAL(token(&m, 1)->prio, 3);

	in("missed: something of it is failed");
	m = world();
	memset(&out, 0, sizeof(out));
	lacking = ids(2, 8, 9);
	part(&m, 1, P_BUILDING);
	part(&m, 8, P_FAILED);
	part(&m, 9, P_MISSING);
	run(&m, 101, R_RUNNING, 1, 1);
	decide_missed(&m, 101, &one, &lacking, true, &out);
	KINDS(&out, "missed waiting blocked needed queued");
	SETTLE(&m, &out);
	PLACE(&m, 1, P_UPSTREAM_FAILED);
	PLACE(&m, 8, P_FAILED);
	PLACE(&m, 9, P_QUEUED);
	CHECK(are(&token(&m, 1)->waits, 1, (int) the(&out, EV_NEEDED)->want));
	EQUAL(token(&m, 1)->misses, 1);

	in("missed: only one output is impacted, the other is queued again, a third is live");
	m = world();
	memset(&out, 0, sizeof(out));
	lacking = ids(1, 9);
	part(&m, 1, P_BUILDING)->prio = 2;
	part(&m, 2, P_BUILDING)->prio = 90;
	part(&m, 3, P_LIVE);
	part(&m, 9, P_MISSING);
	run(&m, 101, R_RUNNING, 3, 1, 2, 3);
	decide_missed(&m, 101, &one, &lacking, false, &out);
	KINDS(&out, "missed waiting needed queued queued");
	SETTLE(&m, &out);
	PLACE(&m, 1, P_UPSTREAM_BUILDING);
	PLACE(&m, 2, P_QUEUED);
	PLACE(&m, 3, P_LIVE);
	PLACE(&m, 9, P_QUEUED);
	EQUAL(token(&m, 2)->prio, 90);
	EQUAL(token(&m, 9)->prio, 2);

	in("missed: the output that is not impacted lacks a declared input");
	m = world();
	memset(&out, 0, sizeof(out));
	part(&m, 1, P_BUILDING);
	part(&m, 2, P_BUILDING);
	token(&m, 2)->needs = ids(1, 8);
	part(&m, 8, P_QUEUED);
	part(&m, 9, P_MISSING);
	run(&m, 101, R_RUNNING, 2, 1, 2);
	decide_missed(&m, 101, &one, &lacking, false, &out);
	SETTLE(&m, &out);
	PLACE(&m, 1, P_UPSTREAM_BUILDING);
	PLACE(&m, 2, P_UPSTREAM_BUILDING);
	EQUAL(m.map[WANT].n, 2);
	EQUAL(token(&m, 1)->waits.n, 1);
	EQUAL(token(&m, 2)->waits.n, 1);
	CHECK(token(&m, 1)->waits.at[0] != token(&m, 2)->waits.at[0]);
	EQUAL(((Want *) marking_token(&m, WANT, token(&m, 1)->waits.at[0]))->run, 101);
	EQUAL(((Want *) marking_token(&m, WANT, token(&m, 2)->waits.at[0]))->run, 0);

	in("missed: what is lacking has declared inputs itself");
	m = world();
	memset(&out, 0, sizeof(out));
	part(&m, 1, P_BUILDING)->prio = 4;
	part(&m, 8, P_LIVE);
	part(&m, 9, P_MISSING)->needs = ids(2, 6, 7);
	part(&m, 6, P_MISSING);
	part(&m, 7, P_MISSING)->job = 0;
	run(&m, 101, R_RUNNING, 1, 1);
	decide_missed(&m, 101, &one, &lacking, false, &out);
	KINDS(&out, "missed needed waiting needed waiting");
	SETTLE(&m, &out);
	PLACE(&m, 1, P_UPSTREAM_BUILDING);
	PLACE(&m, 9, P_UPSTREAM_BUILDING);
	EQUAL(token(&m, 9)->prio, 4);
	EQUAL(m.map[WANT].n, 2);
	EQUAL(((Want *) marking_token(&m, WANT, token(&m, 9)->waits.at[0]))->prio, 4);
	EQUAL(((Want *) marking_token(&m, WANT, token(&m, 9)->waits.at[0]))->total, 2);

	in("missed: an output is kept, another is wanted by nobody: neither waits, so nothing is wanted");
	m = world();
	memset(&out, 0, sizeof(out));
	all = ids(2, 1, 2);
	part(&m, 1, P_BUILDING)->sound = true;
	part(&m, 2, P_BUILDING)->prio = PRIORITY_NONE;
	part(&m, 9, P_MISSING);
	run(&m, 101, R_RUNNING, 2, 1, 2);
	decide_missed(&m, 101, &all, &lacking, false, &out);
	KINDS(&out, "missed kept fell_back");
	SETTLE(&m, &out);
	PLACE(&m, 1, P_LIVE);
	PLACE(&m, 2, P_MISSING);
	PLACE(&m, 9, P_MISSING);
	EQUAL(token(&m, 2)->attempts, 0);
}

static void
check_missed_too_often(void)
{
	Ids			one = ids(1, 1);
	Ids			lacking = ids(1, 9);

	for (int misses = 0; misses <= 2; misses++)
		for (int live = 0; live <= 1; live++)
		{
			Marking		m = world();
			Events		out = {0};

			in("missed after %d misses, of at most 3%s", misses, live ? ", all live" : "");
			part(&m, 1, P_BUILDING)->misses = misses;
			part(&m, 9, live ? P_LIVE : P_MISSING);
			run(&m, 101, R_RUNNING, 1, 1);
			decide_missed(&m, 101, &one, live ? &nobody : &lacking, false, &out);
			SETTLE(&m, &out);
			PLACE(&m, 1, misses == 2 ? P_FAILED : live ? P_QUEUED : P_UPSTREAM_BUILDING);
			EQUAL(token(&m, 1)->misses, misses + 1);
			if (misses == 2)
			{
				EQUAL(the(&out, EV_GAVE_UP)->cause, CAUSE_MISSES);
				CHECK(the(&out, EV_NEEDED) == NULL);
			}
		}
}

/*
 * A run names one of its own outputs as missing for another.  Whatever becomes
 * of that one when the run ends, it is wanted from then on.
 */
static void
check_missed_siblings(void)
{
	static const struct
	{
		const char *what;
		int			prio;		/* of the sibling */
		int			live_run;
		bool		sound;
		const char *then;		/* where it may be */
	}			siblings[] = {
		{"wanted", 0, 0, false, "queued"},
		{"wanted less", -50, 0, false, "queued"},
		{"wanted more", 50, 0, false, "queued"},
		{"wanted by nobody", PRIORITY_NONE, 0, false, "queued"},
		{"wanted by nobody, was live", PRIORITY_NONE, 20, false, "queued"},
		{"has its instance still", 0, 20, true, "live"},
		{"has its instance still, wanted by nobody", PRIORITY_NONE, 20, true, "live"},
	};

	for (int i = 0; i < (int) (sizeof(siblings) / sizeof(siblings[0])); i++)
	{
		Marking		m = world();
		Events		out = {0};
		Ids			one = ids(1, 1);
		Ids			lacking = ids(1, 2);
		Partition  *sibling;

		in("missed: one output lacks another, which is not impacted: %s", siblings[i].what);
		part(&m, 1, P_BUILDING);
		sibling = part(&m, 2, P_BUILDING);
		sibling->prio = siblings[i].prio;
		sibling->cover = siblings[i].prio;
		sibling->live_run = siblings[i].live_run;
		sibling->sound = siblings[i].sound;
		run(&m, 101, R_RUNNING, 2, 1, 2);
		decide_missed(&m, 101, &one, &lacking, false, &out);
		SETTLE(&m, &out);
		CHECK(among(place_of(&m, 1), siblings[i].sound ? "queued upstream_building" : "upstream_building"));
		CHECK(among(sibling->place, siblings[i].then));
		if (!siblings[i].sound)
			EQUAL(sibling->prio, siblings[i].prio > 0 ? siblings[i].prio : 0);
	}
}

/* ---- cycles ---- */

static void
check_cycle(void)
{
	Marking		m = world();
	Events		out = {0};
	Ids			one = ids(1, 1);
	Ids			circle = ids(3, 8, 1, 7);

	in("cycle: a run misses its own output");
	part(&m, 1, P_BUILDING);
	run(&m, 101, R_RUNNING, 1, 1);
	decide_missed(&m, 101, &one, &one, false, &out);
	SETTLE(&m, &out);
	PLACE(&m, 1, P_UPSTREAM_BUILDING);
	memset(&out, 0, sizeof(out));
	decide_cycle(&m, &one, "a waits for a", &out);
	KINDS(&out, "gave_up");
	SETTLE(&m, &out);
	PLACE(&m, 1, P_FAILED);
	EQUAL(token(&m, 1)->cause, CAUSE_CYCLE);
	TEXT(token(&m, 1)->note, "a waits for a");
	EQUAL(token(&m, 1)->attempts, 0);
	EQUAL(token(&m, 1)->misses, 1);
	EQUAL(token(&m, 1)->waits.n, 0);

	in("cycle of three");
	m = world();
	memset(&out, 0, sizeof(out));
	for (int i = 0; i < 3; i++)
	{
		ids_add(&part(&m, circle.at[i], P_UPSTREAM_BUILDING)->waits, 31);
		token(&m, circle.at[i])->prio = i;
	}
	part(&m, 9, P_UPSTREAM_BUILDING);
	decide_cycle(&m, &circle, "a waits for b waits for c waits for a", &out);
	KINDS(&out, "gave_up");
	CHECK(are(&the(&out, EV_GAVE_UP)->parts, 3, 8, 1, 7));
	SETTLE(&m, &out);
	for (int i = 0; i < 3; i++)
	{
		PLACE(&m, circle.at[i], P_FAILED);
		EQUAL(token(&m, circle.at[i])->cause, CAUSE_CYCLE);
		TEXT(token(&m, circle.at[i])->note, "a waits for b waits for c waits for a");
		EQUAL(token(&m, circle.at[i])->prio, i);
	}
	PLACE(&m, 9, P_UPSTREAM_BUILDING);

	for (int place = P_MISSING; place < N_PARTITION_PLACES; place++)
	{
		in("cycle: one of it waits no more, it is %s", net_place_name(PARTITION, place));
		m = world();
		memset(&out, 0, sizeof(out));
		part(&m, 1, (PartitionPlace) place);
		decide_cycle(&m, &one, "a waits for a", &out);
		KINDS(&out, place == P_UPSTREAM_BUILDING || place == P_UPSTREAM_FAILED ? "gave_up" : "");
		SETTLE(&m, &out);
		PLACE(&m, 1, place == P_UPSTREAM_BUILDING || place == P_UPSTREAM_FAILED ? P_FAILED : (PartitionPlace) place);
	}
}

/* ---- sent back ---- */

static void
check_sent_back(void)
{
	static const PartitionPlace places[] = {P_QUEUED, P_UP_FOR_RETRY};

	for (int i = 0; i < 2; i++)
	{
		Marking		m = world();
		Events		out = {0};
		Ids			list = ids(3, 1, 2, 3);
		Want	   *w;

		in("sent back, %s", net_place_name(PARTITION, (int) places[i]));
		for (int k = 1; k <= 3; k++)
		{
			Partition  *p = part(&m, k, places[i]);

			p->attempts = 1;
			p->misses = 1;
			p->prio = k == 3 ? 60 : 20;
			p->retry_at = places[i] == P_UP_FOR_RETRY ? 555 : 0;
			p->needs = k == 1 ? ids(2, 9, 8) : ids(1, 9);
		}
		part(&m, 8, P_MISSING);
		part(&m, 9, P_TAINTED);
		decide_sent_back(&m, &list, &out);
		KINDS(&out, "needed waiting needed waiting");
		SETTLE(&m, &out);
		for (int k = 1; k <= 3; k++)
		{
			PLACE(&m, k, P_UPSTREAM_BUILDING);
			EQUAL(token(&m, k)->prio, k == 3 ? 60 : 20);
			EQUAL(token(&m, k)->attempts, 1);
			EQUAL(token(&m, k)->misses, 1);
			EQUAL(token(&m, k)->retry_at, 0);
			EQUAL(token(&m, k)->waits.n, 1);
			w = marking_token(&m, WANT, token(&m, k)->waits.at[0]);
			CHECK(w->derivative);
			EQUAL(w->run, 0);
			EQUAL(w->prio, k == 3 ? 60 : 20);
			EQUAL(w->total, k == 3 ? 1 : 2);
		}
	}
}

static void
check_published(void)
{
	for (int place = P_MISSING; place < N_PARTITION_PLACES; place++)
	{
		Marking		m = world();
		Events		out = {0};
		Ids			two = ids(2, 1, 2);
		Refusal		refusal = {0};
		bool		accepted;

		in("published, %s", net_place_name(PARTITION, place));
		part(&m, 1, P_MISSING);
		part(&m, 2, (PartitionPlace) place);
		accepted = decide_published(&m, &two, &out, &refusal);
		EQUAL(accepted, place != P_BUILDING);
		if (!accepted)
		{
			EQUAL(refusal.machine, PARTITION);
			EQUAL(refusal.id, 2);
			EQUAL(refusal.place, P_BUILDING);
			continue;
		}
		KINDS(&out, "published");
		SETTLE(&m, &out);
		PLACE(&m, 1, P_LIVE);
		PLACE(&m, 2, P_LIVE);
	}
}

static void
check_changed(void)
{
	for (int place = P_MISSING; place < N_PARTITION_PLACES; place++)
	{
		Marking		m = world();
		Events		out = {0};
		Ids			two = ids(2, 1, 2);

		in("changed, %s", net_place_name(PARTITION, place));
		part(&m, 1, P_BUILDING);
		part(&m, 2, (PartitionPlace) place);
		decide_changed(&m, &two, &out);
		if (place == P_BUILDING)
			KINDS(&out, "changed");
		else
			KINDS(&out, "changed published");
		SETTLE(&m, &out);
		PLACE(&m, 1, P_BUILDING);
		PLACE(&m, 2, place == P_BUILDING ? P_BUILDING : P_LIVE);
	}
	{
		Marking		m = world();
		Events		out = {0};
		Ids			one = ids(1, 1);

		in("changed, live, and a run makes it anew");
		part(&m, 1, P_LIVE)->taken_by = 7;
		decide_changed(&m, &one, &out);
		KINDS(&out, "changed");
		SETTLE(&m, &out);
		PLACE(&m, 1, P_LIVE);
		CHECK(token(&m, 1)->changed != 0);
	}
}

/* ---- look ---- */

typedef struct Look
{
	PartitionPlace place;
	int			job;
	int			cover;			/* of the wants in force; prio is 0 where it means something */
	int			lacking;		/* an input is not live */
	bool		lost;			/* one is failed or upstream_failed */
	int64_t		live_run;
	const char *event;			/* "" for none */
	PartitionPlace then;
} Look;

#define NOBODY PRIORITY_NONE

static const Look looks[] = {
	/* waits: ready, still waits, blocked, recovers */
	{P_UPSTREAM_BUILDING, JOB, 0, 0, false, 0, "queued", P_QUEUED},
	{P_UPSTREAM_BUILDING, JOB, 0, 9, false, 0, "", P_UPSTREAM_BUILDING},
	{P_UPSTREAM_BUILDING, JOB, 5, 9, false, 0, "prioritised", P_UPSTREAM_BUILDING},
	{P_UPSTREAM_BUILDING, JOB, 0, 9, true, 0, "blocked", P_UPSTREAM_FAILED},
	{P_UPSTREAM_FAILED, JOB, 0, 9, true, 0, "", P_UPSTREAM_FAILED},
	{P_UPSTREAM_FAILED, JOB, -5, 9, true, 0, "prioritised", P_UPSTREAM_FAILED},
	{P_UPSTREAM_FAILED, JOB, 0, 9, false, 0, "waiting", P_UPSTREAM_BUILDING},
	{P_UPSTREAM_FAILED, JOB, 0, 0, false, 0, "queued", P_QUEUED},
	/* waits, and nobody wants it or makes it any more */
	{P_UPSTREAM_BUILDING, JOB, NOBODY, 9, false, 0, "fell_back", P_MISSING},
	{P_UPSTREAM_BUILDING, JOB, NOBODY, 0, false, 0, "fell_back", P_MISSING},
	{P_UPSTREAM_BUILDING, JOB, NOBODY, 9, true, 20, "fell_tainted", P_TAINTED},
	{P_UPSTREAM_FAILED, JOB, NOBODY, 9, true, 0, "fell_back", P_MISSING},
	{P_UPSTREAM_BUILDING, 0, 0, 9, false, 0, "fell_back", P_MISSING},
	{P_UPSTREAM_FAILED, SOURCE, 0, 9, true, 0, "fell_back", P_MISSING},
	/* queued or backing off */
	{P_QUEUED, JOB, 0, 0, false, 0, "", P_QUEUED},
	{P_QUEUED, JOB, 3, 0, false, 0, "prioritised", P_QUEUED},
	{P_QUEUED, JOB, -3, 0, false, 0, "prioritised", P_QUEUED},
	{P_QUEUED, JOB, NOBODY, 0, false, 0, "fell_back", P_MISSING},
	{P_QUEUED, JOB, NOBODY, 0, false, 20, "fell_tainted", P_TAINTED},
	{P_QUEUED, 0, 0, 0, false, 0, "fell_back", P_MISSING},
	{P_QUEUED, SOURCE, 0, 0, false, 0, "fell_back", P_MISSING},
	{P_UP_FOR_RETRY, JOB, 0, 0, false, 0, "", P_UP_FOR_RETRY},
	{P_UP_FOR_RETRY, JOB, 3, 0, false, 0, "prioritised", P_UP_FOR_RETRY},
	{P_UP_FOR_RETRY, JOB, NOBODY, 0, false, 0, "fell_back", P_MISSING},
	{P_UP_FOR_RETRY, 0, 0, 0, false, 20, "fell_tainted", P_TAINTED},
	/* a run makes it, or it is failed: it stays, whoever wants it */
	{P_BUILDING, JOB, 0, 0, false, 0, "", P_BUILDING},
	{P_BUILDING, JOB, 3, 0, false, 0, "prioritised", P_BUILDING},
	{P_BUILDING, JOB, NOBODY, 0, false, 0, "prioritised", P_BUILDING},
	{P_FAILED, JOB, 0, 0, false, 0, "", P_FAILED},
	{P_FAILED, JOB, NOBODY, 0, false, 0, "prioritised", P_FAILED},
	/* idle: a job defined later makes it */
	{P_MISSING, JOB, NOBODY, 0, false, 0, "", P_MISSING},
	{P_MISSING, JOB, 4, 0, false, 0, "queued", P_QUEUED},
	{P_MISSING, SOURCE, 4, 0, false, 0, "", P_MISSING},
	{P_MISSING, 0, 4, 0, false, 0, "", P_MISSING},
	{P_TAINTED, JOB, 4, 0, false, 20, "queued", P_QUEUED},
	{P_TAINTED, SOURCE, 4, 0, false, 20, "", P_TAINTED},
	{P_TAINTED, JOB, NOBODY, 0, false, 20, "", P_TAINTED},
	{P_LIVE, JOB, 4, 0, false, 20, "", P_LIVE},
	{P_LIVE, JOB, NOBODY, 0, false, 20, "", P_LIVE},
};

static void
check_look(void)
{
	for (int i = 0; i < (int) (sizeof(looks) / sizeof(looks[0])); i++)
	{
		const Look *l = &looks[i];
		Marking		m = world();
		Ids			one = ids(1, 1);
		Events		out = {0};
		Partition  *p = part(&m, 1, l->place);

		in("look %d: %s, job %d, wants %d, lacks %d%s", i, net_place_name(PARTITION, (int) l->place), l->job, l->cover,
		   l->lacking, l->lost ? ", lost" : "");
		p->job = l->job;
		p->cover = l->cover;
		p->lacking = l->lacking;
		p->input_lost = l->lost;
		p->live_run = l->live_run;
		if (l->place == P_UPSTREAM_BUILDING || l->place == P_UPSTREAM_FAILED)
			ids_add(&p->waits, 55);
		decide_look(&m, &one, &out);
		KINDS(&out, l->event);
		SETTLE(&m, &out);
		PLACE(&m, 1, l->then);
		if (l->then != P_MISSING && l->then != P_TAINTED && l->then != P_LIVE)
			EQUAL(p->prio, l->cover);
		EQUAL(p->attempts, 0);
		EQUAL(p->misses, 0);
	}
}

/* A declared input that no want it waits for covers: it gets one, unless another input is lost. */
static void
check_look_unwanted(void)
{
	for (int lost = 0; lost < 2; lost++)
		for (int blocked = 0; blocked < 2; blocked++)
		{
			Marking		m = world();
			Ids			one = ids(1, 1);
			Events		out = {0};
			Partition  *p = part(&m, 1, blocked ? P_UPSTREAM_FAILED : P_UPSTREAM_BUILDING);

			in("look: an unwanted input%s%s", blocked ? ", blocked" : "", lost ? ", lost" : "");
			p->job = JOB;
			p->prio = p->cover = 7;
			p->lacking = 9;
			p->input_lost = lost;
			p->needs = ids(2, 8, 9);
			p->unwanted = ids(1, 9);
			ids_add(&p->waits, 55);
			decide_look(&m, &one, &out);
			KINDS(&out, !lost ? "needed waiting" : blocked ? "" : "blocked");
			if (!lost)
			{
				CHECK(are(&the(&out, EV_NEEDED)->parts, 1, 9));
				EQUAL(the(&out, EV_NEEDED)->prio, 7);
				EQUAL(the(&out, EV_NEEDED)->want, the(&out, EV_WAITING)->want);
			}
			SETTLE(&m, &out);
			PLACE(&m, 1, lost ? P_UPSTREAM_FAILED : P_UPSTREAM_BUILDING);
			EQUAL(p->waits.n, lost ? 1 : 2);
		}
}

/* ---- declared inputs that are not live ---- */

/* The partition waits, by one derivative want of that priority, on so many refs. */
static void
waits_for(Marking *m, const Events *events, int64_t id, int prio, int n, int line)
{
	const Partition *p = token(m, id);
	const Want *w = p->waits.n > 0 ? marking_token(m, WANT, p->waits.at[p->waits.n - 1]) : NULL;
	Ids			covered = {0};

	same_text(net_place_name(PARTITION, (int) p->place), "upstream_building", line);
	equal(p->prio, prio, "priority of what waits", line);
	if (w == NULL)
	{
		check(false, "it waits for a want", line);
		return;
	}
	check(w->derivative, "the want is derivative", line);
	equal(w->place, W_ACTIVE, "the want's place", line);
	equal(w->prio, prio, "the want's priority", line);
	equal(w->run, 0, "the want's run", line);
	equal(w->total, n, "how many refs the want covers", line);
	for (int i = 0; i < events->n; i++)
		if (events->at[i]->kind == EV_NEEDED && events->at[i]->want == w->id)
			covered = events->at[i]->parts;
	for (int i = 0; i < p->needs.n; i++)
		check(ids_have(&covered, p->needs.at[i]), "the want covers what is needed", line);
}

#define WAITS_FOR(m, events, id, prio, n) waits_for(m, events, id, prio, n, __LINE__)

static void
check_needs(void)
{
	static const PartitionPlace idle[] = {P_MISSING, P_TAINTED};
	Marking		m;
	Events		out;
	Ids			list;

	for (int i = 0; i < 2; i++)
	{
		in("wanted, %s, declared inputs are lacking", net_place_name(PARTITION, (int) idle[i]));
		m = world();
		memset(&out, 0, sizeof(out));
		list = ids(1, 1);
		part(&m, 1, idle[i])->needs = ids(2, 9, 8);
		token(&m, 1)->live_run = idle[i] == P_TAINTED ? 20 : 0;
		decide_wanted(&m, &list, -7, &out);
		KINDS(&out, "needed waiting");
		EQUAL(the(&out, EV_NEEDED)->runs.n, 0);
		EQUAL(the(&out, EV_WAITING)->want, the(&out, EV_NEEDED)->want);
		SETTLE(&m, &out);
		WAITS_FOR(&m, &out, 1, -7, 2);
		EQUAL(token(&m, 1)->misses, 0);

		in("looked at, %s, a job makes it now, declared inputs are lacking", net_place_name(PARTITION, (int) idle[i]));
		m = world();
		memset(&out, 0, sizeof(out));
		part(&m, 1, idle[i])->needs = ids(1, 9);
		token(&m, 1)->cover = 12;
		decide_look(&m, &list, &out);
		KINDS(&out, "needed waiting");
		SETTLE(&m, &out);
		WAITS_FOR(&m, &out, 1, 12, 1);

		in("requeued, %s, declared inputs are lacking", net_place_name(PARTITION, (int) idle[i]));
		m = world();
		memset(&out, 0, sizeof(out));
		part(&m, 1, idle[i])->needs = ids(1, 9);
		token(&m, 1)->cover = 13;
		decide_requeued(&m, &list, &out);
		KINDS(&out, "needed waiting");
		SETTLE(&m, &out);
		WAITS_FOR(&m, &out, 1, 13, 1);
	}

	in("wanted: nobody makes it, declared inputs or not");
	for (int job = 0; job <= SOURCE; job += SOURCE)
	{
		m = world();
		memset(&out, 0, sizeof(out));
		part(&m, 1, P_MISSING)->job = job;
		token(&m, 1)->needs = ids(1, 9);
		decide_wanted(&m, &list, 0, &out);
		KINDS(&out, "");
	}

	in("wanted: several together, some lack the same input, one nothing");
	m = world();
	memset(&out, 0, sizeof(out));
	list = ids(4, 1, 2, 3, 9);
	part(&m, 1, P_MISSING)->needs = ids(2, 8, 9);
	part(&m, 2, P_TAINTED)->needs = ids(2, 9, 7);
	part(&m, 3, P_MISSING);
	part(&m, 9, P_MISSING);
	decide_wanted(&m, &list, 5, &out);
	KINDS(&out, "needed waiting queued");
	SETTLE(&m, &out);
	WAITS_FOR(&m, &out, 1, 5, 3);
	WAITS_FOR(&m, &out, 2, 5, 3);
	PLACE(&m, 3, P_QUEUED);
	PLACE(&m, 9, P_QUEUED);
	EQUAL(m.map[WANT].n, 1);

	in("wanted: it was wanted more already when nobody made it");
	m = world();
	memset(&out, 0, sizeof(out));
	list = ids(2, 1, 2);
	part(&m, 1, P_MISSING)->needs = ids(1, 9);
	part(&m, 2, P_MISSING);
	token(&m, 1)->cover = 30;
	token(&m, 2)->cover = 30;
	decide_wanted(&m, &list, 5, &out);
	SETTLE(&m, &out);
	WAITS_FOR(&m, &out, 1, 30, 1);
	PLACE(&m, 2, P_QUEUED);
	EQUAL(token(&m, 2)->prio, 30);

	in("requeued: of several priorities; each one's inputs get its own");
	m = world();
	memset(&out, 0, sizeof(out));
	list = ids(3, 1, 2, 3);
	for (int i = 1; i <= 3; i++)
	{
		part(&m, i, P_TAINTED)->needs = ids(1, i == 3 ? 8 : 9);
		token(&m, i)->cover = i == 2 ? 50 : 0;
	}
	decide_requeued(&m, &list, &out);
	SETTLE(&m, &out);
	WAITS_FOR(&m, &out, 1, 0, 2);
	WAITS_FOR(&m, &out, 2, 50, 1);
	WAITS_FOR(&m, &out, 3, 0, 2);

	for (int lost = 0; lost <= 1; lost++)
	{
		PartitionPlace place = lost ? P_UPSTREAM_FAILED : P_UPSTREAM_BUILDING;

		in("looked at, %s: all that it missed is live, a declared input is not", net_place_name(PARTITION, (int) place));
		m = world();
		memset(&out, 0, sizeof(out));
		list = ids(1, 1);
		ids_add(&part(&m, 1, place)->waits, 31);
		token(&m, 1)->cover = 6;
		token(&m, 1)->needs = ids(1, 9);
		token(&m, 1)->misses = 2;
		decide_look(&m, &list, &out);
		KINDS(&out, "needed waiting");
		SETTLE(&m, &out);
		WAITS_FOR(&m, &out, 1, 6, 1);
		EQUAL(token(&m, 1)->misses, 2);

		in("looked at, %s: wanted by nobody, a declared input is lacking", net_place_name(PARTITION, (int) place));
		m = world();
		memset(&out, 0, sizeof(out));
		part(&m, 1, place)->needs = ids(1, 9);
		token(&m, 1)->cover = PRIORITY_NONE;
		decide_look(&m, &list, &out);
		KINDS(&out, "fell_back");
		SETTLE(&m, &out);
		PLACE(&m, 1, P_MISSING);
	}
}

/* ---- retried ---- */

static void
check_retried(void)
{
	for (int place = P_MISSING; place < N_PARTITION_PLACES; place++)
		for (int job = 0; job <= SOURCE; job++)
			for (int wanted = 0; wanted <= 1; wanted++)
				for (int was_live = 0; was_live <= 1; was_live++)
					for (int needs = 0; needs <= 1; needs++)
					{
						Marking		m = world();
						Events		out = {0};
						Ids			one = ids(1, 1);
						Partition  *p = part(&m, 1, (PartitionPlace) place);
						bool		stopped = place == P_FAILED || place == P_UP_FOR_RETRY;
						bool		works = stopped && wanted && job == JOB;

						in("retried, %s, job %d%s%s%s", net_place_name(PARTITION, place), job, wanted ? ", wanted" : "",
						   was_live ? ", was live" : "", needs ? ", lacks an input" : "");
						p->job = job;
						p->cover = wanted ? 8 : PRIORITY_NONE;
						p->live_run = was_live ? 20 : 0;
						p->attempts = 2;
						p->misses = 1;
						p->retry_at = place == P_UP_FOR_RETRY ? 555 : 0;
						p->cause = place == P_FAILED ? CAUSE_ATTEMPTS : CAUSE_NONE;
						if (needs)
							p->needs = ids(1, 9);
						decide_retried(&m, &one, &out);
						if (!stopped)
						{
							KINDS(&out, "");
							continue;
						}
						SETTLE(&m, &out);
						EQUAL(p->attempts, 0);
						EQUAL(p->misses, 0);
						EQUAL(p->retry_at, 0);
						EQUAL(p->cause, CAUSE_NONE);
						if (!works)
							PLACE(&m, 1, was_live ? P_TAINTED : P_MISSING);
						else if (needs)
							WAITS_FOR(&m, &out, 1, 8, 1);
						else
						{
							PLACE(&m, 1, P_QUEUED);
							EQUAL(p->prio, 8);
						}
					}

	{
		Marking		m = world();
		Events		out = {0};
		Ids			list = ids(6, 1, 2, 3, 4, 5, 6);

		in("retried, several");
		part(&m, 1, P_FAILED)->cover = 4;
		part(&m, 2, P_FAILED)->cover = PRIORITY_NONE;
		part(&m, 3, P_LIVE);
		part(&m, 4, P_UP_FOR_RETRY)->cover = -4;
		part(&m, 5, P_FAILED)->cover = 4;
		token(&m, 5)->needs = ids(1, 1);
		part(&m, 6, P_UPSTREAM_FAILED);
		decide_retried(&m, &list, &out);
		SETTLE(&m, &out);
		PLACE(&m, 1, P_QUEUED);
		PLACE(&m, 2, P_MISSING);
		PLACE(&m, 3, P_LIVE);
		PLACE(&m, 4, P_QUEUED);
		WAITS_FOR(&m, &out, 5, 4, 1);
		PLACE(&m, 6, P_UPSTREAM_FAILED);
		EQUAL(token(&m, 1)->prio, 4);
		EQUAL(token(&m, 2)->prio, PRIORITY_NONE);
		EQUAL(token(&m, 4)->prio, -4);
	}
}

/* ---- tainted, and what follows ---- */

static void
check_tainted(void)
{
	Marking		m = world();
	Events		out = {0};
	Ids			list = {0};
	const Event *e;

	in("tainted: what is live");
	for (int place = P_MISSING; place < N_PARTITION_PLACES; place++)
	{
		part(&m, place, (PartitionPlace) place)->live_run = 100 + place;
		ids_add(&list, place);
	}
	part(&m, 90, P_LIVE)->live_run = 190;
	ids_add(&list, 90);
	decide_tainted(&m, &list, 7, "wrong units", &out);
	KINDS(&out, "tainted");
	e = the(&out, EV_TAINTED);
	EQUAL(e->taint, 7);
	TEXT(e->note, "wrong units");
	CHECK(are(&e->parts, 2, P_LIVE, 90));
	SETTLE(&m, &out);
	for (int place = P_MISSING; place < N_PARTITION_PLACES; place++)
	{
		PLACE(&m, place, place == P_LIVE ? P_TAINTED : (PartitionPlace) place);
		EQUAL(token(&m, place)->live_run, 100 + place);
	}
	PLACE(&m, 90, P_TAINTED);
	EQUAL(token(&m, 90)->live_run, 190);
	EQUAL(token(&m, 90)->prio, PRIORITY_NONE);
	EQUAL(((Taint *) marking_token(&m, TAINT, 7))->place, T_ACTIVE);

	in("tainted: nothing is live; the taint is made all the same");
	m = world();
	memset(&out, 0, sizeof(out));
	list = ids(1, 1);
	part(&m, 1, P_QUEUED);
	decide_tainted(&m, &list, 8, "wrong units", &out);
	SETTLE(&m, &out);
	PLACE(&m, 1, P_QUEUED);
	EQUAL(((Taint *) marking_token(&m, TAINT, 8))->place, T_ACTIVE);

	in("tainted, then requeued: wanted, of a source, of no job, wanted by nobody, lacking an input");
	m = world();
	memset(&out, 0, sizeof(out));
	list = ids(5, 1, 2, 3, 4, 5);
	for (int i = 1; i <= 5; i++)
	{
		part(&m, i, P_LIVE)->live_run = 20;
		token(&m, i)->cover = i == 4 ? PRIORITY_NONE : 10;
	}
	token(&m, 2)->job = SOURCE;
	token(&m, 3)->job = 0;
	token(&m, 5)->needs = ids(1, 1);
	decide_tainted(&m, &list, 9, "wrong units", &out);
	SETTLE(&m, &out);
	memset(&out, 0, sizeof(out));
	decide_requeued(&m, &list, &out);
	SETTLE(&m, &out);
	PLACE(&m, 1, P_QUEUED);
	PLACE(&m, 2, P_TAINTED);
	PLACE(&m, 3, P_TAINTED);
	PLACE(&m, 4, P_TAINTED);
	WAITS_FOR(&m, &out, 5, 10, 1);
	EQUAL(token(&m, 1)->prio, 10);
	EQUAL(token(&m, 1)->live_run, 20);
}

static void
check_requeued(void)
{
	for (int place = P_MISSING; place < N_PARTITION_PLACES; place++)
		for (int job = 0; job <= SOURCE; job++)
			for (int wanted = 0; wanted <= 1; wanted++)
			{
				Marking		m = world();
				Events		out = {0};
				Ids			one = ids(1, 1);
				bool		works = (place == P_MISSING || place == P_TAINTED) && job == JOB && wanted;

				in("requeued, %s, job %d%s", net_place_name(PARTITION, place), job, wanted ? ", wanted" : "");
				part(&m, 1, (PartitionPlace) place)->job = job;
				token(&m, 1)->cover = wanted ? -3 : PRIORITY_NONE;
				decide_requeued(&m, &one, &out);
				KINDS(&out, works ? "queued" : "");
				SETTLE(&m, &out);
				PLACE(&m, 1, works ? P_QUEUED : (PartitionPlace) place);
				if (works)
					EQUAL(token(&m, 1)->prio, -3);
			}
}

/* ------------------------------------------------------------------------
 * What holds whatever the tokens are: the net takes what decide decides, what
 * is wanted and makeable is not left lying, nothing goes to the queue that
 * lacks a declared input, what nobody wants is at no work.
 * ------------------------------------------------------------------------ */

typedef struct Facts
{
	PartitionPlace place;
	int			job;
	int			prio;
	int			cover;
	int			live_run;
	bool		sound;
	bool		needs;			/* 9, a declared input, is not live */
	int			lacking;		/* it waits for 9 by a want */
	bool		lost;
	int			attempts;
} Facts;

static Partition *
set(Marking *m, int64_t id, const Facts *f)
{
	Partition  *p = part(m, id, f->place);

	p->job = f->job;
	if (!among(f->place, "live missing tainted"))
		p->prio = f->prio;
	p->cover = f->cover;
	p->live_run = f->live_run;
	p->sound = f->sound;
	p->lacking = f->lacking;
	p->input_lost = f->lost;
	p->attempts = f->attempts;
	p->misses = f->attempts;
	if (f->needs)
		p->needs = ids(1, 9);
	if (among(f->place, "upstream_building upstream_failed"))
		ids_add(&p->waits, 31);
	return p;
}

enum
{
	BY_WANTED, BY_LOOK, BY_REQUEUED, BY_RETRIED, BY_FAILED, BY_GIVEN_UP, BY_LOST, BY_CANCELED, BY_NOT_MADE, BY_MADE, BY_MISSED,
	BY_MISSED_LIVE, BY_MISSED_LOST, BY_MISSED_ELSEWHERE, N_BY
};

static const char *const by_names[] = {"wanted", "look", "requeued", "retried", "failed", "given up", "lost", "canceled",
"not made", "made", "missed", "missed, all live", "missed, lost", "missed, not impacted"};

static void
decide_by(Marking *m, int by, Events *out)
{
	Ids			one = ids(1, 1);
	Ids			nine = ids(1, 9);
	Ids			runs = ids(1, 101);

	if (by >= BY_FAILED)
		run(m, 101, R_RUNNING, 1, 1);
	switch (by)
	{
		case BY_WANTED:
			decide_wanted(m, &one, 0, out);
			break;
		case BY_LOOK:
			decide_look(m, &one, out);
			break;
		case BY_REQUEUED:
			decide_requeued(m, &one, out);
			break;
		case BY_RETRIED:
			decide_retried(m, &one, out);
			break;
		case BY_FAILED:
			decide_ended(m, EV_FAILED, &runs, true, "so", 0, out);
			break;
		case BY_GIVEN_UP:
			decide_ended(m, EV_FAILED, &runs, false, "so", 0, out);
			break;
		case BY_LOST:
			decide_ended(m, EV_LOST, &runs, true, "so", 0, out);
			break;
		case BY_CANCELED:
			decide_ended(m, EV_RUN_CANCELED, &runs, true, "so", 0, out);
			break;
		case BY_NOT_MADE:
			decide_succeeded(m, &runs, &nobody, 0, out);
			break;
		case BY_MADE:
			decide_succeeded(m, &runs, NULL, 0, out);
			break;
		case BY_MISSED:
			decide_missed(m, 101, &one, &nine, false, out);
			break;
		case BY_MISSED_LIVE:
			decide_missed(m, 101, &one, &nobody, false, out);
			break;
		case BY_MISSED_LOST:
			decide_missed(m, 101, &one, &nine, true, out);
			break;
		default:
			decide_missed(m, 101, &nobody, &nine, false, out);
			break;
	}
}

/* From building, by the end of its run: where design section 2 says it goes. */
static const char *
after_run(const Facts *f, int by)
{
	if (f->place == P_LIVE || f->sound || by == BY_MADE)
		return "live";
	if (f->prio == PRIORITY_NONE || f->job != JOB)
		return f->live_run != 0 ? "tainted" : "missing";
	switch (by)
	{
		case BY_FAILED:
		case BY_LOST:
		case BY_NOT_MADE:
			return f->attempts < 2 ? "up_for_retry" : "failed";
		case BY_GIVEN_UP:
		case BY_CANCELED:
			return "failed";
		case BY_MISSED_ELSEWHERE:
			return f->needs ? "upstream_building" : "queued";
		default:
			if (f->attempts >= 2)
				return "failed";
			if (by == BY_MISSED_LOST)
				return "upstream_failed";
			return by == BY_MISSED_LIVE && !f->needs ? "queued" : "upstream_building";
	}
}

static void
check_one(const Facts *f, int by)
{
	Marking		m = world();
	Events		out = {0};
	Partition  *p = set(&m, 1, f);
	bool		makeable = f->job == JOB;
	bool		wanted = f->cover != PRIORITY_NONE;

	in("%s: %s, job %d, priority %d, wants %d, instance %d%s%s%s%s, attempts %d", by_names[by],
	   net_place_name(PARTITION, (int) f->place), f->job, f->prio, f->cover, f->live_run, f->sound ? ", sound" : "",
	   f->needs ? ", needs" : "", f->lacking ? ", lacks" : "", f->lost ? ", lost" : "", f->attempts);
	part(&m, 9, f->lost ? P_FAILED : P_MISSING);
	decide_by(&m, by, &out);
	SETTLE(&m, &out);
	if (by >= BY_FAILED)
	{
		bool		missed = by >= BY_MISSED;
		bool		live = among(p->place, "live");
		bool		failed_attempt = !missed && by != BY_CANCELED;

		TEXT(net_place_name(PARTITION, (int) p->place), after_run(f, by));
		if (f->place != P_LIVE)
			EQUAL(p->attempts, live ? 0 : f->attempts + failed_attempt);
		return;
	}
	if (f->needs && f->place != P_QUEUED)
		CHECK(p->place != P_QUEUED);
	if (p->place != f->place && f->needs && by != BY_RETRIED && p->place == P_UPSTREAM_BUILDING && f->lacking == 0)
		WAITS_FOR(&m, &out, 1, by == BY_WANTED && f->cover < 0 ? 0 : f->cover, 1);
	if (by == BY_LOOK || by == BY_REQUEUED)
	{
		if (wanted && makeable)
			CHECK(by == BY_REQUEUED || !among(p->place, "missing tainted"));
		else
			CHECK(by == BY_REQUEUED || !among(p->place, "queued upstream_building upstream_failed up_for_retry"));
		if (by == BY_LOOK && !among(p->place, "missing tainted live"))
			EQUAL(p->prio, f->cover);
		EQUAL(p->attempts, f->attempts);
	}
	if (by == BY_WANTED && makeable)
		CHECK(!among(p->place, "missing tainted"));
	if (among(p->place, "missing tainted live"))
		EQUAL(p->prio, PRIORITY_NONE);
}

static void
check_alone(void)
{
	static const int prios[] = {PRIORITY_NONE, -5, 5};

	for (int by = 0; by < N_BY; by++)
		for (int place = P_MISSING; place < N_PARTITION_PLACES; place++)
			for (int job = 0; job <= SOURCE; job++)
				for (int i = 0; i < 9; i++)
					for (int bits = 0; bits < 32; bits++)
						for (int attempts = 0; attempts <= 2; attempts++)
						{
							Facts		f = {
								.place = (PartitionPlace) place,.job = job,.prio = prios[i % 3],.cover = prios[i / 3],
								.live_run = bits & 1 ? 20 : 0,.sound = bits & 2,.needs = bits & 4,
								.lacking = bits & 8 ? 9 : 0,.lost = bits & 16,.attempts = attempts
							};

							/* what cannot be */
							if ((f.sound && (f.live_run == 0 || place != P_BUILDING)) || (place == P_TAINTED && f.live_run == 0) ||
								(place == P_MISSING && f.live_run != 0))
								continue;
							if (f.lost && f.lacking == 0)
								continue;
							if (f.lacking != 0 && !among(f.place, "upstream_building upstream_failed"))
								continue;
							if (f.prio == PRIORITY_NONE && among(f.place, "queued upstream_building upstream_failed up_for_retry"))
								continue;
							if (f.prio != PRIORITY_NONE && among(f.place, "missing live tainted"))
								continue;
							if (by >= BY_FAILED && place != P_BUILDING && place != P_LIVE)
								continue;
							check_one(&f, by);
						}
}

/*
 * A run of two outputs misses any of: its outputs, a third ref.  Nothing is
 * refused, no output stays with the run, and what a waiting output waits for
 * is at work if a job makes it.
 */
static void
check_pair(const Facts *a, const Facts *b, const Facts *third, int impacted, int lacking)
{
	Marking		m = world();
	Events		out = {0};
	Ids			impact = {0};
	Ids			lack = {0};
	const Facts *facts[] = {a, b, third};
	bool		lost = false;
	bool		waits = false;

	in("missed by two: %s %d%s and %s %d%s, third %s %d; impacted %d, lacking %d", net_place_name(PARTITION, (int) a->place), a->prio,
	   a->sound ? " sound" : "", net_place_name(PARTITION, (int) b->place), b->prio, b->sound ? " sound" : "",
	   net_place_name(PARTITION, (int) third->place), third->prio, impacted, lacking);
	for (int i = 0; i < 3; i++)
	{
		set(&m, i + 1, facts[i]);
		if (impacted & 1 << i)
			ids_add(&impact, i + 1);
		if (lacking & 1 << i && facts[i]->place != P_LIVE)
		{
			ids_add(&lack, i + 1);
			lost = lost || among(facts[i]->place, "failed upstream_failed");
		}
	}
	run(&m, 101, R_RUNNING, 2, 1, 2);
	decide_missed(&m, 101, &impact, &lack, lost, &out);
	SETTLE(&m, &out);
	for (int i = 1; i <= 2; i++)
	{
		CHECK(place_of(&m, i) != P_BUILDING);
		waits = waits || among(place_of(&m, i), "upstream_building upstream_failed");
	}
	for (int i = 0; waits && i < lack.n; i++)
		CHECK(!among(place_of(&m, lack.at[i]), "missing tainted"));
}

static void
check_pairs(void)
{
	static const Facts outputs[] = {
		{P_BUILDING, JOB, 0, 0, 0, false, false, 0, false, 0},
		{P_BUILDING, JOB, 9, 9, 20, false, false, 0, false, 2},
		{P_BUILDING, JOB, 9, 9, 20, true, false, 0, false, 0},
		{P_BUILDING, JOB, PRIORITY_NONE, PRIORITY_NONE, 0, false, false, 0, false, 0},
		{P_BUILDING, JOB, PRIORITY_NONE, PRIORITY_NONE, 20, false, false, 0, false, 0},
		{P_BUILDING, JOB, PRIORITY_NONE, PRIORITY_NONE, 20, true, false, 0, false, 0},
		{P_LIVE, JOB, PRIORITY_NONE, PRIORITY_NONE, 20, false, false, 0, false, 0},
	};

	for (int a = 0; a < 7; a++)
		for (int b = 0; b < 7; b++)
			for (int place = P_MISSING; place < N_PARTITION_PLACES; place++)
				for (int impacted = 0; impacted < 4; impacted++)
					for (int lacking = 1; lacking < 8; lacking++)
					{
						Facts		third = {(PartitionPlace) place, JOB, -3, -3, place == P_TAINTED ? 20 : 0, false, false, 0, false, 0};

						check_pair(&outputs[a], &outputs[b], &third, impacted, lacking);
					}
}

int
main(void)
{
	check_net();
	check_containers();
	check_evolve_queueing();
	check_evolve_ends();
	check_evolve_past();
	check_evolve_claimed();
	check_evolve_wants();
	check_evolve_runs_and_taints();
	check_evolve_records();
	check_wanted();
	check_needs();
	check_claim();
	check_claim_together();
	check_report();
	check_succeeded();
	check_ended();
	check_backoff();
	check_missed();
	check_missed_too_often();
	check_missed_siblings();
	check_cycle();
	check_sent_back();
	check_published();
	check_changed();
	check_retried();
	check_tainted();
	check_requeued();
	check_look();
	check_look_unwanted();
	check_alone();
	check_pairs();
	printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}
