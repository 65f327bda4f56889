/*
 * model.h
 *	  The explorer's parts:
 *
 * The files under test are the extension's own, from the entry points down to
 * the statements; the explorer is what they stand on, and what drives them.
 * A state must fit into some hundred bytes and a step take microseconds, so
 * rows are small numbers in arrays, and sets of partitions are masks.
 *
 *		worlds.c		the small worlds: jobs, refs, who may call what how often
 *		tables.c		the tables: rows with versions, commit, the canonical state
 *		statements.c	what each statement of plans.def does to the tables
 *		ground.c		gate, clock, routes, arguments, log, memory, errors
 *		calls.c			what can be done in a state, and doing it
 *		checks.c		what must hold of a state, and of a step
 *		explore.c		the search
 */
#ifndef MODEL_H
#define MODEL_H

#include "store.h"

#include <setjmp.h>

/* ---- the tables ---- */

typedef enum TableId
{
	PARTITIONS, RUNS, WANTS, MEMBERS, WAITS, WATCHES, READY, AGENDA, TIMERS,
	COLLISIONS, TAKEN, TAINTS, TAINTED, SLOTS, SLOT_USES,
	N_TABLES
} TableId;

/* Columns.  The first of each table is what rows are found by. */
enum {P_ID, P_PLACE, P_JOB, P_PRIO, P_RUN, P_LIVE_RUN, P_TICKET, P_ATTEMPTS, P_MISSES, P_RETRY, P_CAUSE, P_CHANGED, P_KNOWN, P_COLUMNS};
enum {R_ID, R_PLACE, R_JOB, R_ATTEMPT, R_LEASE, R_OUTPUTS, R_COLUMNS};
enum {W_ID, W_PLACE, W_PRIO, W_RUN, W_DERIVATIVE, W_TOTAL, W_EXPIRES, W_SPEC, W_COLUMNS};
enum {M_WANT, M_MASK, M_COLUMNS};
enum {WT_WAITER, WT_WANT, WT_DECLARED, WT_COLUMNS};
enum {H_UPSTREAM, H_WAITER, H_COLUMNS};
enum {E_SEQ, E_PART, E_JOB, E_RANK, E_COLUMNS};
enum {A_PART, A_WANT, A_HOW, A_COLUMNS};
enum {N_KIND, N_ID, N_AT, N_COLUMNS};
enum {X_BLOCKER, X_PART, X_COLUMNS};
enum {K_PART, K_RUN, K_COLUMNS};
enum {T_ID, T_PLACE, T_COLUMNS};
enum {TP_TAINT, TP_PART, TP_RUN, TP_COLUMNS};
enum {S_JOB, S_SLOT, S_COLUMNS};
enum {U_JOB, U_SLOT, U_RUN, U_COLUMNS};

#define MOST_COLUMNS	P_COLUMNS
#define MOST_ROWS		24
#define MOST_PARTS		7		/* ids 1 to 7: masks are bytes */
#define MOST_SESSIONS	3

/*
 * A row version.  xmin and xmax are the sessions that inserted or deleted it
 * and have not ended their transaction, lock the one that holds it; 0: none.
 */
typedef struct Row
{
	uint8_t		xmin;
	uint8_t		xmax;
	uint8_t		lock;
	int16		c[MOST_COLUMNS];
} Row;

typedef struct Table
{
	int			n;
	Row			rows[MOST_ROWS];
} Table;

/* What the caller of a world may still do, by kind. */
typedef enum Budget
{
	B_WANTS, B_CANCELS, B_FAILS, B_MISSES, B_LEASES, B_RUN_CANCELS, B_PARTIALS, B_TAINTS,
	B_TAINT_CANCELS, B_REMAKES, B_PUBLISHES, B_CHANGES, B_FORGETS, B_RETRIES, B_EXPIRIES, B_OPENS,
	N_BUDGETS
} Budget;

typedef struct Db
{
	int16		serial;			/* the next number */
	int16		next_want;
	int16		next_taint;
	uint8_t		open;			/* sessions with an open transaction, as bits */
	uint8_t		used[N_BUDGETS];
	Table		t[N_TABLES];
} Db;

/* The time.  What is due is due at NOW, all else LATER. */
#define NOW		100
#define LATER	101

/* ---- the worlds ---- */

#define MOST_JOBS	4
#define MOST_WANTS	4
#define MOST_SETS	4

typedef struct WantSpec
{
	int			refs;			/* mask */
	int			prio;
	bool		expires;
} WantSpec;

typedef struct World
{
	const char *name;
	const char *about;
	const char *refs;			/* ids from 1, one letter each */
	Job			jobs[MOST_JOBS + 1];	/* up to the first with id 0 */
	const char *made_by;		/* for each ref the digit of its job */
	int			late;			/* mask: not known before a call names them */
	int			inputs[MOST_PARTS + 1];	/* masks by id */
	int			outputs[MOST_PARTS + 1];	/* all that its run makes, if more than itself */
	WantSpec	wants[MOST_WANTS];
	int			misses[MOST_PARTS + 1][2];	/* what a run whose first output is this may miss */
	int			taints[MOST_SETS];
	int			publishes[MOST_SETS];
	int			changes[MOST_SETS];
	int			forgets[MOST_SETS];
	int			retries[MOST_SETS];
	int			budget[N_BUDGETS];
	int			sessions;		/* so many transactions may be open at a time; 0: one */
	int			skips;			/* so many tokens a call finds held by somebody else */
	bool		any_input;		/* a waiter may watch any input that it lacks */
	bool		shares;			/* calls may work off the agenda on their way */
	bool		many;			/* a claim may take several runs */
} World;

extern const World worlds[];
extern const int nworlds;

#define BIT(id) (1 << (id))

static inline bool
has(int mask, int id)
{
	return (mask >> id & 1) != 0;
}

/* for EACH(id, mask) ...: every partition in the mask. */
#define EACH(id, mask) \
	(int id = 1; id <= nparts(); id++) \
		if (has(mask, id))

/* ---- one world at a time ---- */

typedef struct Options
{
	int			more;			/* added to every budget */
	int			sessions;		/* so many transactions may be open at a time */
} Options;

extern const World *world;
extern Options options;

extern int	nparts(void);
extern const char *part_name(int id);
extern const Job *job_by_id(int id);
extern int	budget(Budget b);

/* ---- tables.c ---- */

extern Db  *db;					/* what the step works on */
extern int	session;			/* and for whom; 0: as it is committed */

extern bool visible(const Row *r);
extern Row *next_row(TableId table, Row *after);	/* that is visible; NULL: from the first */
extern Row *find_row(TableId table, int key);
extern Row *insert_row(TableId table, const int *values);
extern void delete_row(TableId table, Row *r);
extern Row *change_row(TableId table, Row *r);	/* the version to change */
extern bool held_elsewhere(const Row *r);

/* The partition as the session sees it. */
extern Row *part(int id);
extern PartitionPlace place(int id);
extern bool is_at(int id, PartitionPlace place);
extern bool is_waiting(int id);
extern bool is_lost(int id);
extern bool is_known(int id);

#define FOR_ROWS(r, table) for (Row *r = NULL; (r = next_row(table, r)) != NULL;)

/* Into a hash. */
extern void mix(uint64_t *hash, int64 value);

extern void commit(int s);
extern void roll_back(int s);

#define FIRST_RUN			40
#define FIRST_DERIVATIVE	20
#define FIRST_TAINT			1

/* From canonical ids to those of the tables. */
typedef struct Names
{
	int16		runs[MOST_ROWS];
	int16		wants[FIRST_DERIVATIVE + MOST_ROWS];
	int16		taints[MOST_ROWS];
} Names;

extern void canonicalise(Names *names, bool rename);
extern int	encode(uint8_t *bytes);
extern void decode(const uint8_t *bytes);
extern void first_state(void);

#define MOST_BYTES	1200

/* ---- statements.c ---- */

struct SPITupleTable
{
	int			n;
	int			room;
	Datum		(*cells)[16];
};


/* What statements say, for checks. */
extern int	members(int want);
extern int	inputs_of(int id);
extern int	edges_of(int id);
extern int	cover_of(int id);
extern Row *watch_of(int waiter, int upstream);
extern Ids *outputs_of(int digits);

/* What of the queues the step may take: entries that somebody holds are passed over. */
typedef struct Filter
{
	bool		agenda;
	bool		timers;
	bool		ends;
	const Row  *only;			/* just this entry, or timer */
} Filter;

extern Filter filter;

/* ---- ground.c ---- */

typedef enum Outcome
{
	FINISHED,					/* it came to its end */
	REFUSED,					/* it raised an error */
	WAITS_FOR,					/* it waits for another session */
	BUG							/* it did what must not happen */
} Outcome;

extern jmp_buf step_end;
extern Outcome ended_as;
extern char bug[400];

extern void model_blocked(void) __attribute__((noreturn));

/* One of n ways to go on; all are tried. */
extern int	choose(int n);

#define MOST_CHOICES	24

typedef struct Choices
{
	int			n;				/* made */
	int			given;			/* prescribed */
	uint8_t		made[MOST_CHOICES];
	uint8_t		of[MOST_CHOICES];
} Choices;

extern Choices choices;
extern int	skips_left;
extern bool next_choices(void);	/* false: all were tried */

extern Events step_log;			/* what the step logged */
extern int	want_spec;			/* which want the call declares */

extern void arena_reset(void);

/* ---- calls.c ---- */

typedef enum ActionKind
{
	WANT_, CANCEL_WANT, CLAIM, SUCCEED, SUCCEED_PARTLY, FAIL, FAIL_FOR_GOOD, MISS, MISS_SOME, CANCEL_RUN,
	FINISH_AND_CLAIM, PUBLISH, CHANGE, TAINT_, CANCEL_TAINT, REMAKE, FORGET, RETRY, RETRY_WANT,
	LOOK, LOOK_AT_ALL, TIME_OUT, TIMER_WORK, COMMIT, ROLL_BACK,
	N_ACTIONS
} ActionKind;

typedef struct Action
{
	uint8_t		kind;
	uint8_t		a;
	uint8_t		b;
	uint8_t		c;
	uint8_t		stays_open;
} Action;

/* All that can be tried in the present, canonical state. */
extern int	list_actions(Action *actions);

#define MOST_ACTIONS	400

/* Make a step, once, with the present choices; the session is chosen. */
extern Outcome act(const Action *a, const Names *names);

extern void print_action(FILE *to, const Action *a);
extern void print_event(FILE *to, const Event *e);
extern void print_state(FILE *to);

/* ---- checks.c ---- */

/* NULL, or what does not hold in the state as committed. */
extern const char *check_state(void);

/* All tokens that the session sees. */
extern void load_marking(Marking *m);

/* NULL, or how the tokens that the session sees differ from the marking with the events. */
extern const char *check_fold(Marking *before, const Events *events, bool one_step);

/* What must not depend on the order in which the agenda is worked off. */
extern uint64_t outcome_hash(void);

#endif							/* MODEL_H */
