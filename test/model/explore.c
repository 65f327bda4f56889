/*
 * explore.c
 *	  Every state of a small world that calls, work on the queues and time can
 *	  bring about, breadth first, so that the first violation found is one of
 *	  the shortest.
 *
 * A state is kept as the bytes of its canonical form, with the step that led
 * to it first; nothing else of it.  The way to it is found by making these
 * steps again.
 *
 *		model-check [-j processes] [-w world] [-m most states] [-b budget more]
 *					[-o open transactions]
 *
 * Closes with "N passed, N failed", a world each.
 */
#define _POSIX_C_SOURCE 200809L

#include "model.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

Options		options = {.more = 0,.sessions = 1};

static uint32_t most_states = 4000000;

/* Every so many states, the whole log of the way to it is folded. */
#define REPLAY_EVERY	997

/* ---- states ---- */

typedef struct Step
{
	uint32_t	from;
	Action		action;
	uint8_t		nchoices;
	uint8_t		choices[MOST_CHOICES];
} Step;

/* A record: from, action, choices, length, bytes. */
static uint8_t **records;
static uint32_t nrecords;
static uint32_t room;
static uint8_t *chunk;
static size_t chunk_left;

#define CHUNK	(1 << 24)
#define NOBODY	UINT32_MAX

static uint32_t *slots;
static uint32_t nslots;

/* The state after work on the whole agenda; itself where it is empty. */
static uint32_t *worked_off;

/* Reached by a call that was alone. */
static bool *alone;

typedef struct Edge
{
	uint32_t	from;
	uint32_t	to;
	Action		action;
} Edge;

/* Work on one entry of the agenda. */
static Edge *edges;
static size_t nedges;
static size_t edge_room;

static uint64_t ntransitions;

static void *
grow(void *old, size_t size)
{
	void	   *p = realloc(old, size);

	if (p == NULL)
	{
		fprintf(stderr, "out of memory\n");
		exit(2);
	}
	return p;
}

static uint8_t *
state_bytes(uint32_t i, int *n)
{
	uint8_t    *at = records[i] + 9;
	uint16_t	length;

	at += 1 + *at;
	memcpy(&length, at, 2);
	if (n != NULL)
		*n = length;
	return at + 2;
}

static Step
step_to(uint32_t i)
{
	Step		s;

	memcpy(&s.from, records[i], 4);
	memcpy(&s.action, records[i] + 4, 5);
	s.nchoices = records[i][9];
	memcpy(s.choices, records[i] + 10, s.nchoices);
	return s;
}

static uint64_t
hash_bytes(const uint8_t *bytes, int n)
{
	uint64_t	h = UINT64_C(0xCBF29CE484222325);

	for (int i = 0; i < n; i++)
		h = (h ^ bytes[i]) * UINT64_C(0x100000001B3);
	return h ^ h >> 32;
}

static uint32_t
slot_for(const uint8_t *bytes, int n)
{
	uint32_t	i = (uint32_t) hash_bytes(bytes, n) & (nslots - 1);

	for (; slots[i] != NOBODY; i = (i + 1) & (nslots - 1))
	{
		int			have;
		const uint8_t *other = state_bytes(slots[i], &have);

		if (have == n && memcmp(other, bytes, (size_t) n) == 0)
			break;
	}
	return i;
}

static void
more_slots(void)
{
	nslots = nslots == 0 ? 1 << 16 : nslots * 2;
	slots = grow(slots, sizeof(uint32_t) * nslots);
	memset(slots, 0xff, sizeof(uint32_t) * nslots);
	for (uint32_t i = 0; i < nrecords; i++)
	{
		int			n;
		const uint8_t *bytes = state_bytes(i, &n);

		slots[slot_for(bytes, n)] = i;
	}
}

static void
more_room(void)
{
	room = room == 0 ? 1 << 16 : room * 2;
	records = grow(records, sizeof(uint8_t *) * room);
	worked_off = grow(worked_off, sizeof(uint32_t) * room);
	alone = grow(alone, sizeof(bool) * room);
}

/* The state's number; new says whether it was not there. */
static uint32_t
add_state(const uint8_t *bytes, int n, const Step *step, bool *new)
{
	uint32_t	slot;
	uint16_t	length = (uint16_t) n;
	size_t		size = 10 + (size_t) step->nchoices + 2 + (size_t) n;
	uint8_t    *at;

	if (nrecords * 2 >= nslots)
		more_slots();
	slot = slot_for(bytes, n);
	*new = slots[slot] == NOBODY;
	if (!*new)
		return slots[slot];
	if (nrecords == room)
		more_room();
	if (chunk_left < size)
	{
		chunk = grow(NULL, CHUNK);
		chunk_left = CHUNK;
	}
	at = records[nrecords] = chunk;
	chunk += size;
	chunk_left -= size;
	memcpy(at, &step->from, 4);
	memcpy(at + 4, &step->action, 5);
	at[9] = step->nchoices;
	memcpy(at + 10, step->choices, step->nchoices);
	memcpy(at + 10 + step->nchoices, &length, 2);
	memcpy(at + 12 + step->nchoices, bytes, (size_t) n);
	worked_off[nrecords] = NOBODY;
	alone[nrecords] = false;
	slots[slot] = nrecords;
	return nrecords++;
}

static void
add_edge(uint32_t from, uint32_t to, const Action *a)
{
	if (nedges == edge_room)
	{
		edge_room = edge_room == 0 ? 1 << 16 : edge_room * 2;
		edges = grow(edges, sizeof(Edge) * edge_room);
	}
	edges[nedges++] = (Edge)
	{
		from, to, *a
	};
}

/* ---- a step ---- */

static Db	before;
static Db	work;

static bool
is_call(const Action *a)
{
	return a->kind < COMMIT && a->kind != TIME_OUT;
}

/* Copy what is used of a state. */
static void
copy_db(Db *to, const Db *from)
{
	memcpy(to, from, offsetof(Db, t));
	for (int i = 0; i < N_TABLES; i++)
	{
		to->t[i].n = from->t[i].n;
		memcpy(to->t[i].rows, from->t[i].rows, sizeof(Row) * (size_t) from->t[i].n);
	}
}

/*
 * Make the step in db, from what it is now.  found says what is wrong with it,
 * or stays NULL.
 */
static Outcome
step(const Action *a, const Names *names, const char **found)
{
	Marking		marking;
	Outcome		outcome;

	*found = NULL;
	arena_reset();
	if (is_call(a))
	{
		for (session = 1; has(db->open, session); session++)
			;
		load_marking(&marking);
	}
	outcome = act(a, names);
	if (outcome == BUG)
		*found = bug;
	if (outcome != FINISHED || !is_call(a))
		return outcome;
	*found = check_fold(&marking, &step_log, true);
	if (!a->stays_open)
		commit(session);
	return outcome;
}

/* ---- the way to a state ---- */

/* What a session has logged and not committed. */
typedef struct Logged
{
	Event		e;
	int			session;
} Logged;

static Logged *logged;
static int	nlogged;
static int	logged_room;

static void
keep_ids(Ids *ids)
{
	int64	   *at = grow(NULL, sizeof(int64) * (size_t) (ids->n + 1));

	if (ids->n > 0)
		memcpy(at, ids->at, sizeof(int64) * (size_t) ids->n);
	ids->at = at;
}

static void
keep_log(int by)
{
	for (int i = 0; i < step_log.n; i++)
	{
		Event	   *e;

		if (nlogged == logged_room)
			logged = grow(logged, sizeof(Logged) * (size_t) (logged_room = logged_room * 2 + 64));
		logged[nlogged] = (Logged)
		{
			*step_log.at[i], by
		};
		e = &logged[nlogged++].e;
		keep_ids(&e->runs);
		keep_ids(&e->parts);
		keep_ids(&e->sizes);
	}
}

static void
end_log(int s, bool committed)
{
	int			n = 0;

	for (int i = 0; i < nlogged; i++)
	{
		if (logged[i].session == s && !committed)
			continue;
		logged[n] = logged[i];
		if (logged[n].session == s)
			logged[n].session = 0;
		n++;
	}
	nlogged = n;
}

static void
forget_log(void)
{
	for (int i = 0; i < nlogged; i++)
	{
		free(logged[i].e.runs.at);
		free(logged[i].e.parts.at);
		free(logged[i].e.sizes.at);
	}
	nlogged = 0;
}

static int
by_event_id(const void *a, const void *b)
{
	int64		x = ((const Logged *) a)->e.id;
	int64		y = ((const Logged *) b)->e.id;

	return x < y ? -1 : x > y;
}

/* The fold of the whole log is what is committed, and what is committed is the state. */
static const char *
check_replay(uint32_t i)
{
	Marking		m = {0};
	Events		events = {0};
	static Db	canonical;
	uint8_t		bytes[MOST_BYTES];
	int			n;
	int			have;
	const uint8_t *known = state_bytes(i, &have);
	const char *found;

	arena_reset();
	qsort(logged, (size_t) nlogged, sizeof(Logged), by_event_id);
	for EACH(id, ~world->late)
	{
		Event	   *e = events_add(&events, EV_KNOWN);

		e->job = world->made_by[id - 1] - '0';
		ids_add(&e->parts, id);
	}
	for (int k = 0; k < nlogged; k++)
		*events_add(&events, logged[k].e.kind) = logged[k].e;
	session = 0;
	if (db->open == 0 && (found = check_fold(&m, &events, false)) != NULL)
		return found;
	copy_db(&canonical, db);
	db = &canonical;
	canonicalise(NULL, true);
	n = encode(bytes);
	db = &work;
	return n == have && memcmp(bytes, known, (size_t) n) == 0 ? NULL : "made again with other numbers, the way leads to another state";
}

/*
 * Make the steps again, with the numbers that come; print them, or nothing.
 * last: one more, or NULL.
 */
static const char *
go(uint32_t i, const Step *last, FILE *to)
{
	static Step steps[1000];
	int			n = 0;
	Names		names;
	const char *found = NULL;

	if (last != NULL)
		steps[n++] = *last;
	for (uint32_t k = i; step_to(k).from != NOBODY; k = step_to(k).from)
		steps[n++] = step_to(k);
	db = &work;
	first_state();
	for (int k = n - 1; k >= 0; k--)
	{
		const Step *s = &steps[k];

		canonicalise(&names, false);
		if (to != NULL)
		{
			Db			shown;

			copy_db(&shown, db);
			db = &shown;
			canonicalise(NULL, true);
			fprintf(to, "%4d. ", n - k);
			print_action(to, &s->action);
			db = &work;
		}
		choices.n = 0;
		choices.given = s->nchoices;
		memcpy(choices.made, s->choices, s->nchoices);
		arena_reset();
		if (act(&s->action, &names) != FINISHED && k > 0)
		{
			found = "the way cannot be gone again";
			break;
		}
		if (to != NULL)
		{
			fputs("\n        ", to);
			for (int e = 0; e < step_log.n; e++)
			{
				fputs(e == 0 ? "" : "; ", to);
				print_event(to, step_log.at[e]);
			}
			fputs("\n", to);
		}
		if (is_call(&s->action))
			keep_log(session);
		if (is_call(&s->action) && !s->action.stays_open)
		{
			commit(session);
			end_log(session, true);
		}
		else if (s->action.kind == COMMIT || s->action.kind == ROLL_BACK)
			end_log(s->action.a, s->action.kind == COMMIT);
		if (to != NULL)
		{
			fputs("        ", to);
			print_state(to);
			fputs("\n", to);
		}
	}
	if (found == NULL && to == NULL)
		found = check_replay(i);
	forget_log();
	return found;
}

static void
report(uint32_t i, const Step *last, const char *found, FILE *to)
{
	static char text[500];

	snprintf(text, sizeof(text), "%s", found);
	fprintf(to, "        %s\n", text);
	(void) go(i, last, to);
}

/* ---- the search ---- */

static bool
agenda_empty(const Db *d)
{
	return d->t[AGENDA].n == 0;
}

/* Where the step led: what is to be checked when all states are known. */
static void
note(uint32_t from, uint32_t to, const Action *a)
{
	bool		made_choices = false;

	if (before.open != 0 || a->stays_open)
		return;
	for (int i = 0; i < choices.n; i++)
		made_choices = made_choices || choices.made[i] != 0;
	if (a->kind == LOOK)
		add_edge(from, to, a);
	else if (a->kind == LOOK_AT_ALL && !made_choices)
		worked_off[from] = to;
	else if (is_call(a) && a->kind != LOOK_AT_ALL && agenda_empty(&before) && skips_left == world->skips)
		alone[to] = true;
}

/* All that can be done in the state; false if something is wrong with it. */
static bool
expand(uint32_t i, FILE *to)
{
	static Action actions[MOST_ACTIONS];
	uint8_t		bytes[MOST_BYTES];
	int			n;

	db = &before;
	decode(state_bytes(i, NULL));
	if (agenda_empty(&before))
		worked_off[i] = i;
	n = list_actions(actions);
	for (int a = 0; a < n; a++)
	{
		memset(&choices, 0, sizeof(choices));
		do
		{
			Step		s = {.from = i,.action = actions[a]};
			const char *found;
			bool		new = false;
			uint32_t	next;
			Outcome		outcome;

			copy_db(&work, &before);
			db = &work;
			outcome = step(&actions[a], NULL, &found);
			s.nchoices = (uint8_t) choices.n;
			memcpy(s.choices, choices.made, sizeof(s.choices));
			if (found != NULL)
			{
				report(i, &s, found, to);
				return false;
			}
			if (outcome != FINISHED)
				continue;
			ntransitions++;
			arena_reset();
			canonicalise(NULL, true);
			next = add_state(bytes, encode(bytes), &s, &new);
			note(i, next, &actions[a]);
			if (new && (found = check_state()) != NULL)
			{
				report(next, NULL, found, to);
				return false;
			}
			if (new && next % REPLAY_EVERY == 0 && (found = go(next, NULL, NULL)) != NULL)
			{
				report(next, NULL, found, to);
				return false;
			}
		} while (next_choices());
	}
	return true;
}

/* The state in which nothing is left on the agenda, or NOBODY if there is none. */
static uint32_t
quiet(uint32_t i)
{
	int			steps = 0;

	while (i != NOBODY && worked_off[i] != i && steps++ < 100)
		i = worked_off[i];
	return i != NOBODY && worked_off[i] == i ? i : NOBODY;
}

static uint64_t
outcome_of(uint32_t i)
{
	db = &work;
	decode(state_bytes(i, NULL));
	arena_reset();
	return outcome_hash();
}

/* No want is over without an event that says so. */
static bool
is_comparable(uint32_t i)
{
	bool		over = false;

	db = &work;
	decode(state_bytes(i, NULL));
	session = 0;
	FOR_ROWS(n, TIMERS)
		over = over || (n->c[N_KIND] == 'E' && n->c[N_AT] <= NOW);
	return !over;
}

/* What backs off does so no more if the last want on it goes before the next comes; both are right. */
static int
backing_off(uint32_t i)
{
	int			mask = 0;

	db = &work;
	decode(state_bytes(i, NULL));
	session = 0;
	FOR_ROWS(p, PARTITIONS)
		if (p->c[P_PLACE] == P_UP_FOR_RETRY)
		mask |= BIT(p->c[P_ID]);
	return mask;
}

static void
report_order(const Edge *e, FILE *to)
{
	Step		one = {.from = e->from,.action = e->action};

	report(e->from, &one, "the order of work on the agenda decides: if the last step comes first, the end is", to);
	(void) outcome_of(quiet(e->to));
	fputs("        ", to);
	print_state(to);
	fputs("\n        and if all is done at once\n        ", to);
	(void) outcome_of(quiet(e->from));
	print_state(to);
	fputs("\n", to);
}

/* True if all that can be said only now holds; exhausted: all states are known. */
static bool
check_quiet(bool exhausted, FILE *to)
{
	for (uint32_t i = 0; exhausted && i < nrecords; i++)
	{
		uint32_t	end;

		db = &work;
		decode(state_bytes(i, NULL));
		if (work.open != 0)
			continue;
		end = quiet(i);
		if (end == NOBODY || (end == i && !agenda_empty(&work)))
		{
			report(i, NULL, "work on the agenda does not come to an end", to);
			return false;
		}
		if (alone[i] && outcome_of(i) != outcome_of(end) && is_comparable(i))
		{
			report(i, NULL, "alone is not at once: work on the agenda brings more about, namely", to);
			report(end, NULL, "this", to);
			return false;
		}
	}
	for (size_t e = 0; e < nedges; e++)
	{
		uint32_t	x = quiet(edges[e].from);
		uint32_t	y = quiet(edges[e].to);

		if (x == NOBODY || y == NOBODY || x == y || outcome_of(x) == outcome_of(y) ||
			!is_comparable(edges[e].from) || backing_off(x) != backing_off(y))
			continue;
		report_order(&edges[e], to);
		return false;
	}
	return true;
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static int
depth_of(uint32_t i)
{
	int			depth = 0;

	for (; step_to(i).from != NOBODY; i = step_to(i).from)
		depth++;
	return depth;
}

typedef struct Tally
{
	uint64_t	states;
	uint64_t	transitions;
	bool		right;
} Tally;

static Tally
explore(FILE *to)
{
	Step		none = {.from = NOBODY};
	uint8_t		bytes[MOST_BYTES];
	double		began = seconds();
	bool		new;
	bool		right = true;
	uint32_t	next = 0;

	db = &work;
	first_state();
	add_state(bytes, encode(bytes), &none, &new);
	while (right && next < nrecords && nrecords < most_states)
		right = expand(next++, to);
	right = right && check_quiet(next == nrecords, to);
	if (!right)
		fprintf(to, "        in this world: %s\n", world->about);
	fprintf(to, "%s  %s: %u states, %" PRIu64 " transitions, depth %d%s  (%.1f s)\n", right ? "ok    " : "FAILED", world->name,
			nrecords, ntransitions, depth_of(nrecords - 1), right && next < nrecords ? ", not all states" : "", seconds() - began);
	return (Tally)
	{
		nrecords, ntransitions, right
	};
}

/* ---- worlds, each in a process of its own ---- */

typedef struct Worker
{
	pid_t		pid;
	FILE	   *output;
	int			tally[2];
} Worker;

static void
start(Worker *w, int i)
{
	w->output = tmpfile();
	if (w->output == NULL || pipe(w->tally) != 0 || (w->pid = fork()) < 0)
	{
		perror("model-check");
		exit(2);
	}
	if (w->pid == 0)
	{
		Tally		tally;

		world = &worlds[i];
		tally = explore(w->output);
		fflush(w->output);
		if (write(w->tally[1], &tally, sizeof(tally)) != (ssize_t) sizeof(tally))
			_exit(2);
		_exit(0);
	}
	close(w->tally[1]);
}

static Tally
finish(Worker *w)
{
	Tally		tally = {0};
	int			status;
	int			c;

	if (read(w->tally[0], &tally, sizeof(tally)) != (ssize_t) sizeof(tally))
		printf("FAILED  a world ended without saying how\n");
	waitpid(w->pid, &status, 0);
	rewind(w->output);
	while ((c = getc(w->output)) != EOF)
		putchar(c);
	fclose(w->output);
	close(w->tally[0]);
	fflush(stdout);
	return tally;
}

static int
number(const char *argument)
{
	return (int) strtol(argument, NULL, 10);
}

int
main(int argc, char **argv)
{
	Worker		workers[100];
	int			which[100];
	int			n = 0;
	int			at_once = 2;
	int			started = 0;
	int			passed = 0;
	Tally		sum = {0};
	const char *only = NULL;
	int			option;

	while ((option = getopt(argc, argv, "j:w:m:b:o:")) != -1)
		switch (option)
		{
			case 'j':
				at_once = number(optarg);
				break;
			case 'w':
				only = optarg;
				break;
			case 'm':
				most_states = (uint32_t) number(optarg);
				break;
			case 'b':
				options.more = number(optarg);
				break;
			case 'o':
				options.sessions = number(optarg);
				break;
			default:
				fprintf(stderr, "usage: model-check [-j processes] [-w world] [-m most states] [-b budget more] [-o open transactions]\n");
				return 2;
		}
	for (int i = 0; i < nworlds; i++)
		if (only == NULL || strcmp(worlds[i].name, only) == 0)
			which[n++] = i;
	for (int i = 0; i < n; i++)
	{
		Tally		tally;

		while (started < n && started < i + at_once)
		{
			start(&workers[started], which[started]);
			started++;
		}
		tally = finish(&workers[i]);
		sum.states += tally.states;
		sum.transitions += tally.transitions;
		passed += tally.right;
	}
	printf("%" PRIu64 " states, %" PRIu64 " transitions\n%d passed, %d failed\n", sum.states, sum.transitions, passed, n - passed);
	return passed == n && n > 0 ? 0 : 1;
}
