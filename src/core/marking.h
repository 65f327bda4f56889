/*
 * marking.h
 *	  Tokens, events, and the two pure functions over them: decide makes events
 *	  from a command and tokens, evolve makes tokens from an event and tokens.
 *
 * A marking holds the tokens that a call loaded, or, in a replay, all of them.
 * Times are microseconds since 2000-01-01 UTC, ids are those of the tables, 0
 * is "none".  Memory comes from core_alloc, which whoever embeds the core
 * supplies; nothing is freed here.
 */
#ifndef DATABUILD_MARKING_H
#define DATABUILD_MARKING_H

#include <stddef.h>

#include "net.h"

/* Supplied by the embedder: zeroed memory, or it does not return. */
extern void *core_alloc(size_t size);

typedef struct Ids
{
	int64_t    *at;
	int			n;
	int			room;
} Ids;

/* The priority of what no want in force covers; below every real one. */
#define PRIORITY_NONE	(-128)

/* Why a partition is failed.  Stored and logged by name. */
typedef enum Cause
{
	CAUSE_NONE,
	CAUSE_ATTEMPTS,				/* none left */
	CAUSE_NO_RETRY,				/* the worker said so */
	CAUSE_MISSES,				/* too many dependency misses */
	CAUSE_CYCLE,				/* it waits for itself */
	CAUSE_CANCELED,				/* its run was canceled */
	N_CAUSES
} Cause;

extern const char *cause_name(Cause cause);
extern Cause cause_by_name(const char *name);

/* What decide needs to know of a job; job 0 makes nothing. */
typedef struct Job
{
	int32_t		id;
	bool		is_source;
	bool		paused;
	int32_t		max_attempts;
	int32_t		max_misses;
	int64_t		backoff;		/* microseconds */
	int64_t		lease;			/* microseconds */
	int32_t		batch_size;
	int32_t		max_running;	/* 0: no limit */
} Job;

typedef struct Partition
{
	int64_t		id;
	PartitionPlace place;
	int32_t		job;			/* that makes it, or 0 */
	int32_t		prio;			/* greatest of its wants in force; kept where a
								 * want moves the token, else PRIORITY_NONE */
	int64_t		run;			/* makes or made the canonical instance */
	int64_t		live_run;		/* made the newest that became live */
	int64_t		ticket;			/* event that gave it its place in the queue */
	int64_t		since;			/* when it came to its place */
	int32_t		attempts;
	int32_t		misses;
	int64_t		retry_at;
	Cause		cause;
	const char *note;			/* more about the cause */
	int64_t		changed;		/* event by which its rows changed while a run
								 * was making it; the end of the run publishes it */
	Ids			waits;			/* derivative wants whose refs it waits for */
	Ids			past;			/* an event that ended its being live, and the
								 * instance that was; and so on.  A fold has all
								 * of them, a call those that it adds */

	/* facts: loaded for decide, no part of the state */
	int64_t		lacking;		/* an input that is not live, or 0 */
	Ids			needs;			/* all declared inputs that are not live; */
	Ids			unwanted;		/* those that no want it waits for covers */
	int64_t		taken_by;		/* it is live, and this run makes it anew */
	bool		input_lost;		/* one is failed or upstream_failed */
	int32_t		cover;			/* greatest priority of the wants in force */
	bool		sound;			/* its newest live instance has no taint */

	const char *ref;
	PartitionPlace was;			/* its place and ticket when it was loaded */
	int64_t		old_ticket;
	int32_t		old_prio;
	int64_t		put_in;			/* the ticket with which it was put into the
								 * tables as queued already, or 0 */
	bool		troubled;		/* it had a row of databuild.trouble then */
	bool		dirty;
} Partition;

typedef struct Run
{
	int64_t		id;
	RunPlace	place;
	int32_t		job;
	int32_t		attempt;
	int64_t		started;
	int64_t		finished;		/* 0 while it runs */
	Ids			outputs;
	int64_t		lease_at;		/* a promise, no part of the state: until when */
	int64_t		lease;			/* and for how long at a time */
	bool		dirty;
} Run;

typedef struct Want
{
	int64_t		id;
	WantPlace	place;
	int32_t		prio;
	bool		derivative;
	int64_t		run;			/* whose miss made it, or 0 */
	int64_t		created;
	int64_t		ended;			/* 0 while it is in force */
	int64_t		expires;		/* for decisions by the clock, no part of the
								 * state; 0: never */
	int64_t		total;			/* how many refs */
	bool		stored;			/* it has a row */
	bool		ending;			/* an event that ends it is decided */
	bool		dirty;
} Want;

typedef struct Taint
{
	int64_t		id;
	TaintPlace	place;
	int64_t		created;
	bool		dirty;
} Taint;

/* A growing map from id to token, in order of arrival; see marking.c. */
typedef struct TokenMap
{
	void	  **tokens;
	int			n;
	int			room;
	int		   *slots;
	int			nslots;
} TokenMap;

typedef struct Marking
{
	TokenMap	map[N_MACHINES];
	const Job  *jobs;
	int			njobs;
} Marking;

typedef struct Event
{
	EventKind	kind;
	int64_t		id;				/* both are set when it is logged, */
	int64_t		at;				/* after the locks are held */
	int64_t		want;			/* negative: the call gives it a number */
	int64_t		taint;
	int32_t		job;
	int32_t		prio;			/* PRIORITY_NONE: leaves it */
	int64_t		until;			/* retry_at, or expires_at */
	Cause		cause;
	const char *note;			/* reason, or the worker's name */
	Ids			runs;
	Ids			parts;
	Ids			sizes;			/* outputs of each run; empty: one each */
	Ids			others;			/* of declared: what, sizes[i] for each part */
	void	   *body;			/* what only the embedder reads */
} Event;

typedef struct Events
{
	Event	  **at;
	int			n;
	int			room;
} Events;

/* What evolve says of a move that the net refuses. */
typedef struct Refusal
{
	Machine		machine;
	int64_t		id;
	int			place;
	int			signal;
} Refusal;

/* marking.c */
extern void ids_add(Ids *ids, int64_t id);
extern void ids_sort(Ids *ids);	/* ascending, each once */
extern bool ids_have(const Ids *ids, int64_t id);
extern void *marking_token(Marking *m, Machine machine, int64_t id);
extern void *marking_add(Marking *m, Machine machine, int64_t id);
extern const Job *marking_job(const Marking *m, int32_t id);
extern Event *events_add(Events *events, EventKind kind);
extern Event *events_group(Events *events, EventKind kind, int32_t prio, int64_t until, Cause cause);

/* evolve.c */
extern bool evolve(Marking *m, const Event *e, Refusal *refusal);

/* decide.c */
extern void decide_wanted(Marking *m, const Ids *parts, int32_t prio, Events *out);
extern void decide_claim(Marking *m, const Ids *run_ids, const Ids *sizes, const Ids *outputs, const char *worker, Events *out);
extern bool decide_report(Marking *m, RunSignal signal, const Ids *run_ids, Ids *fresh, Refusal *refusal);
extern void decide_succeeded(Marking *m, const Ids *run_ids, const Ids *made, int64_t now, Events *out);
extern void decide_ended(Marking *m, EventKind kind, const Ids *run_ids, bool retry, const char *note, int64_t now, Events *out);
extern void decide_missed(Marking *m, int64_t run, const Ids *impacted, const Ids *lacking, bool lost, Events *out);
extern void decide_cycle(Marking *m, const Ids *parts, const char *path, Events *out);
extern void decide_redeclared(Marking *m, const Ids *parts, Events *out);
extern void decide_sent_back(Marking *m, const Ids *parts, Events *out);
extern void decide_changed(Marking *m, const Ids *parts, Events *out);
extern bool decide_published(Marking *m, const Ids *parts, Events *out, Refusal *refusal);
extern void decide_retried(Marking *m, const Ids *parts, Events *out);
extern void decide_tainted(Marking *m, const Ids *parts, int64_t taint, const char *reason, Events *out);
extern void decide_rebuilt(Marking *m, const Ids *parts, Events *out);
extern void decide_requeued(Marking *m, const Ids *parts, Events *out);
extern void decide_look(Marking *m, const Ids *parts, Events *out);

/* How long to back off after so many failed attempts. */
extern int64_t decide_backoff(int64_t backoff, int32_t attempts);

#endif							/* DATABUILD_MARKING_H */
