/*
 * store.h
 *	  Statements, kept as plans, and tokens in and out of the tables.
 */
#ifndef DATABUILD_STORE_H
#define DATABUILD_STORE_H

#include "databuild.h"

#include "executor/spi.h"
#include "utils/hsearch.h"

typedef enum Statement
{
#define QUERY(q, ...) Q_##q,
#include "plans.def"
#undef QUERY
	N_QUERIES
} Statement;

/* The rows of a SELECT or RETURNING; columns count from 0. */
typedef struct Rows
{
	SPITupleTable *table;		/* or, where direct.c found them, */
	int			n;
	MemoryContext memory;		/* in which they are */
	Datum	   *values;			/* row by row */
	bool	   *nulls;
	int			columns;
	int			room;
} Rows;

/* ---- direct.c ---- */

/* Like store_rows(), but false if the statement must go by SQL. */
extern bool direct_execute(Statement query, Datum *args, const char *nulls, Rows *rows);

/* ---- store.c ---- */

/* Connect, with a planner that does not depend on statistics; the level to close. */
extern int	store_open(void);
extern void store_close(int level);
extern void store_usual_planner(void);

/* The settings are made by the first statement that needs them; now, if a subtransaction is to begin before. */
extern void store_planner(void);
extern void store_planner_is_back(void);

/*
 * Execute a kept plan.  Arguments by position, nulls as for SPI ('n' is NULL),
 * NULL for none.  Each statement sees all that was committed before it began,
 * at every isolation level.
 */
extern int	store_do(Statement query, Datum *args, const char *nulls);
extern Rows store_rows(Statement query, Datum *args, const char *nulls);

/* Read with the snapshot of the caller's statement. */
extern Rows store_read(Statement query, Datum *args, const char *nulls);

extern Datum rows_datum(const Rows *rows, int row, int column);
extern bool rows_null(const Rows *rows, int row, int column);
extern int64 rows_int64(const Rows *rows, int row, int column);
extern int32 rows_int32(const Rows *rows, int row, int column);
extern char rows_char(const Rows *rows, int row, int column);
extern char *rows_text(const Rows *rows, int row, int column);
extern void rows_ids(const Rows *rows, int row, int column, Ids *ids);
extern void rows_free(Rows *rows);

/* Sets of ids are bitmaps: of 64 neighbours, which are a block, a bit each. */
#define MEMBER_BLOCK(id)	((id) >> 6)
#define MEMBER_BIT(id)		((int64) (UINT64CONST(1) << ((id) & 63)))

/* The ids of a bitmap; those of all bitmaps in columns 0 and 1, then the rows are freed. */
extern void add_members(int64 block, uint64 mask, Ids *parts);
extern void members_of_rows(Rows *rows, Ids *parts);

/* Every first column of the rows. */
extern Ids	store_ids(Statement query, Datum *args);

/* Arrays for arguments. */
extern Datum ids_datum(const Ids *ids);
extern Datum int32s_datum(const int32 *values, int n);
extern Datum int16s_datum(const int16 *values, int n);
extern Datum chars_datum(const char *values, int n);
extern Datum times_datum(const int64 *values, int n);
extern Datum texts_datum(const char *const *values, int n);
extern Datum text_datum(const char *value);
extern Datum tids_datum(const ItemPointerData *rows, int n);

/* ---- tokens.c ---- */

typedef enum Lock
{
	LOCK_WAIT,					/* for tokens that the call names */
	LOCK_SKIP,					/* for all others */
	LOCK_NONE					/* to read only */
} Lock;

/* Lock the partitions in order and load them; what was locked. */
extern Ids	load_partitions(Call *c, const Ids *ids, Lock lock);

/* Likewise wants, and runs. */
extern Ids	load_wants(Call *c, const Ids *ids, Lock lock);
extern Ids	load_runs(Call *c, const Ids *ids, Lock lock);

/* Of the newest live instances of partitions, those without an active taint but one. */
extern Ids	sound_instances(Call *c, const Ids *parts, int64 but);

/* Load which declared inputs of the partitions are not live. */
extern void load_needs(Call *c, const Ids *ids);

/* The place of a queue of the ready set among those of its job: what collided before goes before what did not. */
#define RANK(prio, collided)	((prio) * 2 + ((collided) ? 1 : 0))
#define RANK_PRIORITY(rank)		(((rank) - ((rank) & 1)) / 2)

/* Entries of the ready set for claimable partitions of the marking, in the order given. */
extern void ready_add(Call *c, const Ids *parts, bool collided);

/* Nothing is left of that queue up to low; see tables.sql. */
extern void mark_add(char queue, int32 job, int32 rank, int64 low);

/* Timers: 'L' leases of runs, 'R' retries of partitions, 'E' ends of wants. */
extern void timer_add(char kind, const Ids *times, const Ids *ids);

/* All the runs that a caller names; 42704 for one that is not there. */
extern Ids	load_named_runs(Call *c, const Ids *ids);

/* Write back all dirty tokens and collect whom their moves tell. */
extern void write_back(Call *c, const Events *events);

/* ---- names.c ---- */

/*
 * The ids of refs, which are sorted; those that nobody named before are put
 * into the tables.  With needed, a ref that no job makes is an error.
 */
extern Ids	name_refs(Call *c, const Datum *refs, int n, bool needed);

/* Likewise, needed, for a want of that priority, of which the next events are. */
extern Ids	name_wanted(Call *c, const Datum *refs, int n, int32 priority);

/* The ids of refs that must be known; 42704 for one that is not. */
extern Ids	find_refs(const Datum *refs, int n);

/* Those of sorted refs that are not known. */
extern Datum *filter_unknown(const Datum *refs, int n, int *nunknown);

/* Lock them (and more, if given) in order, log those that are new. */
extern void lock_named(Call *c, const Ids *named, const Ids *more);

/* ---- read.c ---- */

/* The refs that a report names as read; NULL if it names none. */
extern Ids *arg_reads(Call *c, FunctionCallInfo fcinfo, int n);

/* Say what the runs, which the call holds, read: these refs, or their declared inputs. */
extern void read_by(Call *c, const Ids *runs, const Ids *named);

/* ---- declare.c ---- */

/* Unknown refs and all that they need and is unknown, sorted. */
extern Datum *unknown_closure(Call *c, const Datum *refs, int n, int *nall);

/* Write and log the declared inputs and outputs of new partitions. */
extern void declare_parts(Call *c, const Ids *parts);

/* Whether a call of this transaction has declared what needs something that it does not hold. */
extern bool declares_here(void);

/* Likewise of known ones, where they changed; those whose inputs did. */
extern Ids	declare_anew(Call *c, const Ids *parts);

/* Name what the partitions need. */
extern void name_inputs(Call *c, const Ids *parts);

/* Forget what jobs said of refs, of which one call can keep so much only. */
extern void forget_names(Call *c);

/* A set of refs (char *), as first field of entries of that size. */
extern HTAB *ref_set(Size entry);

/* ---- cycle.c ---- */

/* What waits in a circle through one of these fails; those that wait for a waiting one. */
extern Ids	cycle_search(Call *c, const Ids *began);

/* ---- publish.c ---- */

/*
 * A whole call: rows that name the refs (sorted, each once) have changed.
 * Those are live anew, or will be when the run that is making them has ended.
 * body: a jsonb for the events.  With a taint_reason, what is live and was made
 * of their newest instances until now, however indirectly, is tainted in the
 * same call.  Locks the partitions, and those.
 */
extern void publish_changes(const Datum *refs, int n, void *body, const char *taint_reason);

/* ---- retry.c, want.c, taint.c, finish.c: shared by entry points ---- */

/* The partitions of refs that must be known, locked; the clock is read. */
extern Ids	known_partitions(Call *c, const Datum *refs, int n);

/* The want that a caller names; 42704 if it is not there. */
extern Want *load_named_want(Call *c, int64 id, Lock lock);

/* Declare a want on partitions that the call holds; its id. */
extern int64 want_parts(Call *c, const Ids *parts, int32 priority, void *body);

/*
 * Taint what is live of partitions that the call holds; the taint's id.  What
 * was decided before is written back first; whether what is tainted goes back
 * to work is decided, and left to call_apply().
 */
extern int64 taint_parts(Call *c, const Ids *parts, const char *reason);

/* Lock reported runs and their outputs; those that the report moves. */
extern Ids	reported(Call *c, const Ids *ids, RunSignal signal);

#endif							/* DATABUILD_STORE_H */
