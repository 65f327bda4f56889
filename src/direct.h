/*
 * direct.h
 *	  Between direct.c, the table of the statements that go without the
 *	  executor, and what does them: direct_rows.c opens relations, finds rows
 *	  and locks them, direct_write.c puts rows in, changes and deletes them,
 *	  direct_refs.c finds refs and puts new ones in, direct_inputs.c finds what
 *	  waiters lack, direct_queue.c reads the queues and takes what is due,
 *	  direct_ready.c has the ready set.
 */
#ifndef DATABUILD_DIRECT_H
#define DATABUILD_DIRECT_H

#include "store.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define MOST_COLUMNS	20

/* Where the value of a column comes from. */
typedef enum Source
{
	EACH,						/* of row i: element i of an argument */
	SAME,						/* of all rows: an argument */
	SUM,						/* the argument, and element i of another */
	SLICE,						/* a part of an argument: from, to by two others */
	SESSION_USER,
	RUNNING,					/* what a run begins with */
	NEVER,
} Source;

typedef struct Column
{
	const char *name;
	Source		from;
	int			arg;
	int			more[2];
} Column;

/* What a statement found out about its relations.  It counts until any relation changes. */
typedef struct Known
{
	uint64		changes;		/* so many had there been */
	Oid			table;
	Oid			index;
	bool		ordinary;		/* if not, it goes by SQL */
	AttrNumber	at[MOST_COLUMNS];
	int			ncolumns;
} Known;

typedef struct Direct Direct;
typedef bool (*Execute) (Direct *d, Datum *args, const char *nulls, Rows *rows);

struct Direct
{
	Execute		execute;
	const char *table;
	const char *index;			/* by which rows are found */
	Lock		lock;			/* of what is fetched */
	Column		columns[MOST_COLUMNS];
	Known		known;
};

/* A relation that is open for one statement, and where its columns are. */
typedef struct Opened
{
	Relation	table;
	Relation	index;
	Snapshot	snapshot;
	const AttrNumber *at;
	int			ncolumns;
} Opened;

/* What a statement does to a relation. */
typedef enum Act
{
	READS,
	INSERTS,
	UPDATES,
	DELETES,
} Act;

extern void direct_rows_init(void);
extern bool direct_open(Opened *o, Direct *d, Act act);
extern void direct_close(Opened *o, Act act);

extern Datum *direct_add_row(Rows *rows, int columns, bool **nulls);
extern void direct_add_slot(Rows *rows, const Opened *o, TupleTableSlot *slot);
extern int64 direct_value(const Opened *o, TupleTableSlot *slot, int column);

/* The column state, if it is the second. */
extern char direct_state(const Opened *o, TupleTableSlot *slot);

extern IndexScanDesc direct_scan(const Opened *o, int nkeys);
extern bool direct_first(IndexScanDesc scan, ScanKey keys, ScanDirection direction, TupleTableSlot *slot);
extern void direct_key(ScanKey key, Oid type, Datum value);

/* Rows by the keys of an index that is unique: those that lie side by side are found by one descent. */
typedef struct Scans
{
	IndexScanDesc by[2];		/* one key, or from one to another; NULL if not needed so far */
} Scans;

extern void direct_end_scans(Scans *s);

/* Begins the scan for the first of the keys, and as many more as follow upon it; how many these are. */
extern IndexScanDesc direct_side_by_side(const Opened *o, Scans *s, const Datum *keys, int n, Oid type, int *many);

/* What it takes to put entries into indexes. */
typedef struct Indexes
{
	EState	   *estate;
	ResultRelInfo *info;
} Indexes;

extern Indexes direct_open_indexes(Relation table);
extern void direct_close_indexes(Indexes *x);
extern void direct_insert_slots(const Opened *o, Indexes *x, TupleTableSlot **slots, int n);
extern bool direct_delete(const Opened *o, ItemPointer row);

/* So many rows are put into a table at a time. */
#define INSERT_SHARE	1000

/* The elements of an argument that is an array, all there. */
typedef struct Elements
{
	const char *at;
	int			n;
	int16		length;
	bool		byval;
} Elements;

extern Elements direct_elements(Datum array);
extern Datum direct_element(const Elements *e, int i);

/*
 * What a statement does: true, with the rows, or false if it must go by SQL,
 * and nothing was done.
 */
extern bool direct_fetch(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_not_live(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_at_work(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_running(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_at_rest(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_unheld(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_none(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_inputs(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_insert(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_refs_known(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_insert_refs(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_insert_timers(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_update(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_mark(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_timers_take(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_no_agenda(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_queues(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_ready_take(Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_ready_drop(Direct *d, Datum *args, const char *nulls, Rows *rows);

/* ---- direct_ready.c ---- */

extern void direct_ready_init(void);

/* ---- probe.c ---- */

/* Whether another transaction holds or has changed the row version that the statement sees. */
extern bool slot_in_flight(Relation rel, const TupleTableSlot *slot);

#endif
