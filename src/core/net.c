/*
 * net.c
 *	  The matrices made from net.def, and the answers to questions about them.
 *
 * The matrices are built here and nowhere else.  Every cell is written out in
 * net.def, so that the compiler counts them: a row of the wrong length is a
 * macro with the wrong number of arguments.
 */
#include "net.h"

#include <string.h>

typedef struct PlaceRow
{
	const char *name;
	char		letter;
	Class		class;
} PlaceRow;

typedef struct SignalRow
{
	const char *name;
	const char *words;
} SignalRow;

#define _		NET_REFUSED
#define SAME_	NET_SAME

/* ---- partition ---- */

#define M P_MISSING
#define Q P_QUEUED
#define B P_BUILDING
#define U P_UPSTREAM_BUILDING
#define R P_UP_FOR_RETRY
#define L P_LIVE
#define F P_FAILED
#define X P_UPSTREAM_FAILED
#define T P_TAINTED

static const SignalRow partition_signals[] = {
#define PARTITION_SIGNAL(s, name, words) {name, words},
#include "net.def"
#undef PARTITION_SIGNAL
};

static const PlaceRow partition_places[] = {
#define PARTITION_PLACE(p, letter, name, class, ...) {name, letter, class},
#include "net.def"
#undef PARTITION_PLACE
};

static const signed char partition_net[N_PARTITION_PLACES][PS_NO] = {
#define PARTITION_PLACE(p, letter, name, class, kno, que, wai, blo, cla, suc, kep, bac, gav, fel, feT, pub, cha, tai, reb, unt, ret, forg, pri, rer) \
	[P_##p] = {kno, que, wai, blo, cla, suc, kep, bac, gav, fel, feT, pub, cha, tai, reb, unt, ret, forg, pri, rer},
#include "net.def"
#undef PARTITION_PLACE
};

_Static_assert(PS_NO == 20, "partition rows and signals differ in number");

#undef M
#undef Q
#undef B
#undef U
#undef R
#undef L
#undef F
#undef X
#undef T

/* ---- run ---- */

static const SignalRow run_signals[] = {
#define RUN_SIGNAL(s, name, words) {name, words},
#include "net.def"
#undef RUN_SIGNAL
};

static const PlaceRow run_places[] = {
#define RUN_PLACE(p, letter, name, class, ...) {name, letter, class},
#include "net.def"
#undef RUN_PLACE
};

#define RUNNING		R_RUNNING
#define SUCCEEDED	R_SUCCEEDED
#define FAILED		R_FAILED
#define DEP_MISS	R_DEP_MISS
#define CANCELED	R_CANCELED

static const signed char run_net[N_RUN_PLACES][RS_NO] = {
#define LOST R_LOST
#define RUN_PLACE(p, letter, name, class, cla, suc, fai, mis, can, los) \
	[R_##p] = {cla, suc, fai, mis, can, los},
#include "net.def"
#undef RUN_PLACE
#undef LOST
};

_Static_assert(RS_NO == 6, "run rows and signals differ in number");

#undef RUNNING
#undef SUCCEEDED
#undef FAILED
#undef DEP_MISS
#undef CANCELED

/* ---- want ---- */

static const SignalRow want_signals[] = {
#define WANT_SIGNAL(s, name, words) {name, words},
#include "net.def"
#undef WANT_SIGNAL
};

static const PlaceRow want_places[] = {
#define WANT_PLACE(p, letter, name, class, ...) {name, letter, class},
#include "net.def"
#undef WANT_PLACE
};

#define ACTIVE		W_ACTIVE
#define SUCCESSFUL	W_SUCCESSFUL
#define CANCELED	W_CANCELED
#define EXPIRED		W_EXPIRED

static const signed char want_net[N_WANT_PLACES][WS_NO] = {
#define WANT_PLACE(p, letter, name, class, wan, don, can, exp, pri) \
	[W_##p] = {wan, don, can, exp, pri},
#include "net.def"
#undef WANT_PLACE
};

_Static_assert(WS_NO == 5, "want rows and signals differ in number");

#undef ACTIVE
#undef SUCCESSFUL
#undef CANCELED
#undef EXPIRED

/* ---- taint ---- */

static const SignalRow taint_signals[] = {
#define TAINT_SIGNAL(s, name, words) {name, words},
#include "net.def"
#undef TAINT_SIGNAL
};

static const PlaceRow taint_places[] = {
#define TAINT_PLACE(p, letter, name, class, ...) {name, letter, class},
#include "net.def"
#undef TAINT_PLACE
};

#define ACTIVE		T_ACTIVE
#define CANCELED	T_CANCELED

static const signed char taint_net[N_TAINT_PLACES][TS_NO] = {
#define TAINT_PLACE(p, letter, name, class, tai, can) \
	[T_##p] = {tai, can},
#include "net.def"
#undef TAINT_PLACE
};

_Static_assert(TS_NO == 2, "taint rows and signals differ in number");

#undef ACTIVE
#undef CANCELED
#undef _
#undef SAME_

/* ---- events ---- */

static const EventRow events[] = {
#define EVENT(k, name, w, r, t, p, meaning) \
	[EV_##k] = {name, {[PARTITION] = PS_##p, [RUN] = RS_##r, [WANT] = WS_##w, [TAINT] = TS_##t}, meaning},
#include "net.def"
#undef EVENT
};

_Static_assert(sizeof(events) / sizeof(events[0]) == N_EVENT_KINDS, "events");

/* ---- the four of them behind one face ---- */

typedef struct MachineRow
{
	const char *name;
	const PlaceRow *places;
	int			nplaces;
	const SignalRow *signals;
	int			nsignals;
	const signed char *cells;
} MachineRow;

static const MachineRow machines[] = {
	[PARTITION] = {"partition", partition_places, N_PARTITION_PLACES,
	partition_signals, PS_NO, &partition_net[0][0]},
	[RUN] = {"run", run_places, N_RUN_PLACES, run_signals, RS_NO, &run_net[0][0]},
	[WANT] = {"want", want_places, N_WANT_PLACES, want_signals, WS_NO, &want_net[0][0]},
	[TAINT] = {"taint", taint_places, N_TAINT_PLACES, taint_signals, TS_NO, &taint_net[0][0]},
};

const char *
net_machine_name(Machine machine)
{
	return machines[machine].name;
}

int
net_places(Machine machine)
{
	return machines[machine].nplaces;
}

int
net_signals(Machine machine)
{
	return machines[machine].nsignals;
}

const char *
net_place_name(Machine machine, int place)
{
	return machines[machine].places[place].name;
}

char
net_place_letter(Machine machine, int place)
{
	return machines[machine].places[place].letter;
}

int
net_place_by_letter(Machine machine, char letter)
{
	for (int i = 0; i < machines[machine].nplaces; i++)
		if (machines[machine].places[i].letter == letter)
			return i;
	return -1;
}

Class
net_place_class(Machine machine, int place)
{
	return machines[machine].places[place].class;
}

const char *
net_signal_name(Machine machine, int signal)
{
	return machines[machine].signals[signal].name;
}

const char *
net_signal_words(Machine machine, int signal)
{
	return machines[machine].signals[signal].words;
}

int
net_target(Machine machine, int place, int signal)
{
	const MachineRow *m = &machines[machine];

	return m->cells[place * m->nsignals + signal];
}

const EventRow *
net_event(EventKind kind)
{
	return &events[kind];
}

int
net_place_by_name(Machine machine, const char *name)
{
	for (int i = 0; i < machines[machine].nplaces; i++)
		if (strcmp(machines[machine].places[i].name, name) == 0)
			return i;
	return -1;
}

int
net_event_by_name(const char *name)
{
	for (int i = 0; i < N_EVENT_KINDS; i++)
		if (strcmp(events[i].name, name) == 0)
			return i;
	return -1;
}

bool
net_tells_watchers(Machine machine, int place, int target)
{
	return machine == PARTITION &&
		net_place_class(machine, place) != DONE &&
		net_place_class(machine, target) == DONE;
}

bool
net_tells_waiters(Machine machine, int place, int target)
{
	return machine == PARTITION &&
		((net_place_class(machine, place) == LOST) != (net_place_class(machine, target) == LOST) ||
		 (net_place_class(machine, place) == DONE && net_place_class(machine, target) != DONE));
}
