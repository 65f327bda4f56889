/*
 * net.h
 *	  The net as C sees it: enums made from net.def, and questions to it.
 *
 * Nothing here knows of PostgreSQL: src/core is a plain C11 program's library,
 * so that tests can walk every cell and every interleaving of small worlds.
 */
#ifndef DATABUILD_NET_H
#define DATABUILD_NET_H

#include <stdbool.h>
#include <stdint.h>

typedef enum Machine
{
	PARTITION,
	RUN,
	WANT,
	TAINT
} Machine;

#define N_MACHINES	(TAINT + 1)

typedef enum PartitionPlace
{
#define PARTITION_PLACE(p, ...) P_##p,
#include "net.def"
#undef PARTITION_PLACE
	N_PARTITION_PLACES
} PartitionPlace;

typedef enum RunPlace
{
#define RUN_PLACE(p, ...) R_##p,
#include "net.def"
#undef RUN_PLACE
	N_RUN_PLACES
} RunPlace;

typedef enum WantPlace
{
#define WANT_PLACE(p, ...) W_##p,
#include "net.def"
#undef WANT_PLACE
	N_WANT_PLACES
} WantPlace;

typedef enum TaintPlace
{
#define TAINT_PLACE(p, ...) T_##p,
#include "net.def"
#undef TAINT_PLACE
	N_TAINT_PLACES
} TaintPlace;

typedef enum PartitionSignal
{
#define PARTITION_SIGNAL(s, ...) PS_##s,
#include "net.def"
#undef PARTITION_SIGNAL
	PS_NO						/* how many there are; in an event: none */
} PartitionSignal;

typedef enum RunSignal
{
#define RUN_SIGNAL(s, ...) RS_##s,
#include "net.def"
#undef RUN_SIGNAL
	RS_NO
} RunSignal;

typedef enum WantSignal
{
#define WANT_SIGNAL(s, ...) WS_##s,
#include "net.def"
#undef WANT_SIGNAL
	WS_NO
} WantSignal;

typedef enum TaintSignal
{
#define TAINT_SIGNAL(s, ...) TS_##s,
#include "net.def"
#undef TAINT_SIGNAL
	TS_NO
} TaintSignal;

typedef enum EventKind
{
#define EVENT(k, ...) EV_##k,
#include "net.def"
#undef EVENT
	N_EVENT_KINDS
} EventKind;

/* What a token that waits for this one makes of its place. */
typedef enum Class
{
	OPEN,
	DONE,
	LOST
} Class;

/* Targets that are no places. */
#define NET_REFUSED		(-1)
#define NET_SAME		(-2)

/* The signals an event sends: one a machine, or that machine's *_NO. */
typedef struct EventRow
{
	const char *name;
	int			signal[N_MACHINES];
	const char *meaning;
} EventRow;

extern const char *net_machine_name(Machine machine);
extern int	net_places(Machine machine);
extern int	net_signals(Machine machine);
extern const char *net_place_name(Machine machine, int place);
extern char net_place_letter(Machine machine, int place);
extern Class net_place_class(Machine machine, int place);
extern const char *net_signal_name(Machine machine, int signal);

/* The words after "cannot" when the signal is refused. */
extern const char *net_signal_words(Machine machine, int signal);

/* The place where the signal moves a token to, NET_REFUSED or NET_SAME. */
extern int	net_target(Machine machine, int place, int signal);

extern const EventRow *net_event(EventKind kind);

/* The place of that letter or name, the event kind of that name; -1 if there is none. */
extern int	net_place_by_letter(Machine machine, char letter);
extern int	net_place_by_name(Machine machine, const char *name);
extern int	net_event_by_name(const char *name);

/*
 * Whom a move from place to target tells without naming them: watchers look
 * again when the token is there, waiters when it is lost or was, or is there
 * no more.
 */
extern bool net_tells_watchers(Machine machine, int place, int target);
extern bool net_tells_waiters(Machine machine, int place, int target);

#endif							/* DATABUILD_NET_H */
