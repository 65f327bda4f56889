/*
 * databuild.h
 *	  What the files of the extension share.
 *
 * The layers, each calling only those below it:
 *
 *		entry points	define.c want.c claim.c finish.c miss.c publish.c retry.c
 *						taint.c tick.c track.c change.c wait.c show.c
 *						update.c
 *		a call			call.c: log, evolve, write back, then what follows
 *		consequences	look.c: watches, agenda, timers, marks, second looks
 *		the core		core/: decide, evolve, the net
 *		the store		store.c, plans.def: statements and tokens; direct.c and
 *						direct_*.c: the same without the executor; probe.c
 *		ground			caller.c, gate.c, clock.c, route.c, ask.c, args.c, log.c,
 *						subxact.c
 */
#ifndef DATABUILD_H
#define DATABUILD_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "core/marking.h"

/* ---- databuild.c ---- */

/* Asked behind the gate; ends the session if an update has put another version's library in the place of this one. */
extern void library_is_present(void);

/* ---- subxact.c ---- */

/*
 * Does it in a subtransaction, which stays if act says so, and is rolled back
 * if not, or if it raises; what it raised, to be raised again or freed, or NULL.
 */
extern ErrorData *subxact_try(bool (*act) (void *arg), void *arg);

/* ---- clock.c ---- */

extern void clock_init(void);

/* The time, microseconds since 2000-01-01 UTC: the only clock there is. */
extern TimestampTz clock_now(void);

/* ---- direct.c ---- */

extern void direct_init(void);

/* ---- args.c ---- */

#define MAX_REF_BYTES	1024

/* An argument without a NULL default: the Datum, or 22023. */
extern Datum arg_needed(FunctionCallInfo fcinfo, int n, const char *name);

/* text[] of refs: one dimension, no NULL, valid refs; sorted, each once. */
extern Datum *arg_refs(FunctionCallInfo fcinfo, int n, const char *name, int *count);

/* A ref in what is called kind "name"; 22023 if it cannot be one. */
extern void ref_check(const char *kind, const char *name, const char *ref, int len);

/* bigint[] of run ids, sorted, each once. */
extern void arg_ids(FunctionCallInfo fcinfo, int n, const char *name, bool may_be_empty, Ids *ids);

/* An interval in microseconds, not negative; a lease is longer than nothing. */
extern int64 arg_interval(FunctionCallInfo fcinfo, int n, const char *name);
extern int64 arg_lease(FunctionCallInfo fcinfo, int n);

/* An array of texts, no NULLs inside, not empty. */
extern int32 arg_priority(FunctionCallInfo fcinfo, int n);
extern Datum *arg_texts(FunctionCallInfo fcinfo, int n, const char *name, int *count);

/* Refs as outputs of a run that the call holds; naming another is an error. */
struct Call;
extern Ids	arg_outputs(struct Call *c, FunctionCallInfo fcinfo, int n, const char *name, const Run *r);

/* In the order of their bytes. */
extern void sort_refs(Datum *refs, int n);

extern Datum refs_datum(const Datum *refs, int n);

/* What is wrong with a ref, as a sentence; NULL if nothing. */
extern const char *ref_fault(const char *ref, int len);

/* As much of a value as fits in a message, control characters escaped. */
extern char *shown_value(const char *value, int len);

/* ---- caller.c ---- */

typedef struct Caller
{
	Oid			role;			/* whose right to execute the call was checked */
	int			context;
} Caller;

/* Act as the owner of the log, and as the caller again. */
extern Caller caller_enter(void);
extern void caller_leave(const Caller *caller);

/* His name, for the log; NULL if he is the session user. */
extern const char *caller_role(const Caller *caller);

/*
 * The labels that a claim may go by: a text[], what was asked unless *all, or,
 * with *all reset, what the caller is bound to.  42501 if one asked for is not
 * his, or there is none.
 */
extern Datum caller_jobs(const Caller *caller, Datum asked, bool *all);

/* 42501 if one of the runs is of a job that the caller may not work for; locks nothing. */
extern void caller_reports(const Caller *caller, const Ids *runs);

/* ---- gate.c ---- */

/* Every writing call passes here first; definitions pass alone. */
extern void gate_enter(void);
extern void gate_enter_alone(void);

/* A relation of ours. */
extern Oid	store_relation(const char *name);

/* A new number of the one sequence. */
extern int64 gate_next(void);

/* Of another one: want_id_seq, job_id_seq. */
extern int64 gate_next_of(const char *sequence);

/* The newest number drawn. */
extern int64 gate_last(void);

/*
 * A mark is moved when its queue's numbers have gone on by so much: while a
 * transaction stays open anywhere, claims pass by all that has left the queue
 * since.
 */
#define MARK_STEP	300

/* Of more queues each is moved less often, so that a call does not move hundreds. */
#define MARK_QUEUES	16

/*
 * Whether it is this session's turn to move the marks: once for each MARK_STEP
 * numbers, for whoever drew one of them, whatever for, so that many sessions
 * do not do it all at once.
 */
extern bool gate_turn(void);

/* Before it draws numbers for entries of queues. */
extern void gate_enter_queue(void);

/* Before it draws the number of an event that ends an instance's being live; the key, less than that number. */
extern int64 gate_enter_ends(void);

/* The keys of other transactions that did so and have not ended. */
extern Ids	gate_ends_in_flight(void);

/* All numbers (of queue entries, or of events) up to here are drawn by transactions that have ended. */
extern int64 gate_horizon(bool queues);

/* ---- wait.c ---- */

/* Milliseconds between looks that no news brought: what is due sooner is news. */
#define WAIT_LOOK_EACH	20000

extern void wait_init(void);

/*
 * Who waits for it is woken when this transaction commits: something of the
 * job may be claimed that could not be (0: of any); something is due at a
 * time; a partition or a want moved.
 */
extern void wait_tell_work(int32 job);
extern void wait_tell_due(TimestampTz at);
extern void wait_tell_moves(void);

/* ---- ticker.c ---- */

/* Its settings, and, if the library is being preloaded, the ticker. */
extern void ticker_init(void);

/* ---- ask.c ---- */

typedef enum Declares
{
	INPUTS,
	OUTPUTS
} Declares;

/* A function of a user's, as the job table has it: by names, which a dump takes along. */
typedef struct JobFunction
{
	Declares	which;
	char	   *job;			/* label */
	char	   *function;		/* schema.name(text), or NULL */
	char	   *owner;			/* whose it was when the job was defined */
	char	   *role;			/* that defined the job: it runs as that */
} JobFunction;

/* Takes one of the refs that the function returned for the i-th; in memory that is gone afterwards. */
typedef void (*Answer) (void *arg, int i, const char *ref);

/*
 * Ask the function about all the refs, in one statement.  Nothing but the
 * answers is left of it.  Raises what the function raises; 42704 and 42883 if
 * the role or the function is gone, 42501 if it may not be executed any more
 * or is another's now, 22023 for answers that are no refs.
 */
extern void ask_function(const JobFunction *f, const char *const *refs, int n, Answer answer, void *arg);

/*
 * Whether the caller may have the function asked: 42883, 22023, 42501.  Its
 * names, for the job table.
 */
extern void ask_check(Oid function, Declares which, JobFunction *f);

/* ERROR 55000 while a function is being asked: the call around it is at work. */
extern void ask_refuse_call(void);

/* ---- route.c ---- */

extern void route_init(void);

/* Called by definitions: every backend reads the jobs again. */
extern void route_changed(void);

/* The job that makes the ref, 0 for none; ERROR 42P17 if there are two. */
extern int32 route_ref(const char *ref, int len);

/* The jobs, for decide. */
extern const Job *route_jobs(int *n);

/* Whether any job declares inputs. */
extern bool route_any_inputs(void);

/* Whether any job may have several outputs, or has a limit of runs. */
extern bool route_any_outputs(void);
extern bool route_any_limits(void);

/* Whether this job declares any. */
extern bool route_declares(int32 job, Declares which);

/*
 * What the templates of the ref's job make of it: its inputs and outputs.
 * Returns the job, 0 for one that declares nothing.
 */
extern int32 route_templates(const char *ref, char **refs[2], int n[2]);

/* The function that says more, in the caller's memory; false if there is none. */
extern bool route_function(int32 job, Declares which, JobFunction *f);

/* Checks a template against the patterns that it is to be used with; ERROR 22023. */
extern void route_check_template(const char *template, char **patterns, int npatterns);

/* The label of a job, for messages. */
extern const char *route_label(int32 job);
extern int32 route_by_label(const char *label);

/* What the job's workers are given, a jsonb. */
extern Datum route_config(int32 job);

/* Compiles the pattern alone; ERROR 2201B if it is none. */
extern void route_check_pattern(const char *pattern);

/* ---- call.c ---- */

/* No event row names more tokens than this; a larger one becomes several. */
#define EVENT_MOST	10000

typedef struct Call
{
	Marking		m;
	Events		events;			/* decided, not yet logged */
	Events		logged;			/* logged, not yet written back */
	TimestampTz now;
	Ids			to_live;		/* partitions that became live: tell watchers */
	Ids			lost;			/* that became lost or are it no more: tell waiters */
	Ids			freed;			/* derivative wants that something moved on from */
	Ids			dropped;		/* that something nobody wants waited for */
	Ids			ended;			/* wants that are in force no more */
	Ids			moved_wants;	/* whose priority changed */
	Ids			moved_waiters;	/* waiting partitions whose priority changed */
	Ids			released;		/* outputs of runs that ended */
	Ids			changed;		/* those that changed meanwhile: publish them */
	Ids			uncovered;		/* partitions that lost a want */
	Ids			covered;		/* that got one that does not name them */
	Ids			began_to_wait;	/* must watch, and be no cycle */
	Ids			declared;		/* new ones with an input that others may move meanwhile */
	bool		declared_before;	/* an earlier call of the transaction had such */
	Ids			may_circle;		/* to be searched for cycles */
	Ids			circled_once;	/* likewise, for the second time */
	int64		runs_lost;		/* for tick */
	int64		wants_expired;
	int64		cycles;
	struct Names *names;		/* what jobs said of refs: they are asked once a call */
	Ids			reserved;		/* numbers for the first events, see call_reserve() */
	int			level;			/* of settings, to close */
	Caller		caller;
} Call;

/* Act as the owner; open SPI, the gate and a marking; every writing entry point begins so. */
extern Call *call_begin(void);
extern Call *call_begin_alone(void);

/* Read the jobs, again after a definition. */
extern void call_jobs(Call *c);

/* Read the clock: after the locks are held. */
extern void call_now(Call *c);

/*
 * Read the clock and draw the numbers of the next events, which must be about
 * nothing but what this call puts into the tables: nobody else can have an
 * event on it before, so that they need not be drawn after the locks.  Given
 * back by call_now(), and when events have been written.
 */
extern void call_reserve(Call *c, int n);

/* Log and evolve what was decided; the tables follow with call_apply(). */
extern void call_log(Call *c);

/* Log, evolve and write back what was decided; what follows waits for call_apply(). */
extern void call_write(Call *c);

/* Log, evolve and write back what was decided, and all that follows from it. */
extern void call_apply(Call *c);

/* Work off a share of the agenda, and close; or only close. */
extern void call_end(Call *c);
extern void call_close(Call *c);

/* ERROR 55000 for a refusal of the net. */
extern void call_refuse(Call *c, const Refusal *refusal) pg_attribute_noreturn();

/* ---- look.c ---- */

/* What follows from the last write back; false if nothing does. */
extern bool look_consequences(Call *c);

/* Those of the partitions that the call holds or can get without waiting. */
extern Ids	look_take(Call *c, const Ids *ids, Ids *busy);

/* A second look at partitions, by a later call. */
extern void look_leave_second(const Ids *parts);

/* Work off at most so many entries of the agenda, or due timers. */
extern int64 look_agenda(Call *c, int limit);

/* The mark spares a scan what is gone; without it nothing is ever overlooked. */
extern int64 look_timers(Call *c, int limit, bool from_mark);

/* The declared inputs of the partitions, which began or ceased to need them, look at what wants them. */
extern void look_uncover_inputs(Call *c, const Ids *parts);

/* Wants whose time is over end with the next call, whatever it is. */
extern void look_ends(Call *c, int limit);

/* At the end of a call: if it is its turn, the marks follow what is gone. */
extern void look_marks(void);

/* The want, which the call holds, has expired. */
extern void look_expire(Call *c, const Want *w);

/* Load the greatest priority of the wants in force on each; one whose time is over is not. */
extern void look_load_cover(Call *c, const Ids *ids);

/* Look at inputs and wants of partitions that the call holds. */
extern void look_again(Call *c, const Ids *ids);

/* ---- log.c ---- */

/* Number the event, stamp it with the call's time and append it. */
extern void log_append(Call *c, Event *e);

#endif							/* DATABUILD_H */
