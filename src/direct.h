/*
 * direct.h
 *	  Between direct.c, the table of the statements that go without the
 *	  executor, and what does them: direct_rows.c opens relations, finds rows
 *	  and locks them, direct_write.c puts rows in and changes them,
 *	  direct_refs.c puts new refs in, direct_queue.c reads the queues,
 *	  direct_ready.c the ready set.
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

typedef struct Direct Direct;
typedef bool (*Execute) (const Direct *d, Datum *args, const char *nulls, Rows *rows);

struct Direct
{
	Execute		execute;
	const char *table;
	const char *index;			/* by which rows are found */
	Lock		lock;			/* of what is fetched */
	Column		columns[MOST_COLUMNS];
};

/* A relation that is open for one statement, and where its columns are. */
typedef struct Opened
{
	Relation	table;
	Relation	index;
	Snapshot	snapshot;
	AttrNumber	at[MOST_COLUMNS];
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

extern bool direct_open(Opened *o, const Direct *d, Act act);
extern void direct_close(Opened *o, Act act);

extern Datum *direct_add_row(Rows *rows, int columns, bool **nulls);
extern void direct_add_slot(Rows *rows, const Opened *o, TupleTableSlot *slot);
extern int64 direct_value(const Opened *o, TupleTableSlot *slot, int column);

extern IndexScanDesc direct_scan(const Opened *o, int nkeys);
extern bool direct_first(IndexScanDesc scan, ScanKey keys, ScanDirection direction, TupleTableSlot *slot);
extern void direct_key(ScanKey key, Oid type, Datum value);

/* Rows by the keys of an index that is unique: those that lie side by side are found by one descent. */
typedef struct Scans
{
	IndexScanDesc one;
	IndexScanDesc range;
} Scans;

extern Scans direct_scans(const Opened *o);
extern void direct_end_scans(Scans *s);

/* Begins the scan for the first of the keys, and as many more as follow upon it; how many these are. */
extern IndexScanDesc direct_side_by_side(const Scans *s, const Datum *keys, int n, Oid type, int *many);

/* What it takes to put entries into indexes. */
typedef struct Indexes
{
	EState	   *estate;
	ResultRelInfo *info;
} Indexes;

extern Indexes direct_open_indexes(Relation table);
extern void direct_close_indexes(Indexes *x);
extern void direct_insert_slots(const Opened *o, Indexes *x, TupleTableSlot **slots, int n);

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
extern bool direct_fetch(const Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_not_live(const Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_at_work(const Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_at_rest(const Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_unheld(const Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_none(const Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_insert(const Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_insert_refs(const Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_insert_timers(const Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_update(const Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_mark(const Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_no_timers(const Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_no_agenda(const Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_queues(const Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_ready_take(const Direct *d, Datum *args, const char *nulls, Rows *rows);
extern bool direct_ready_drop(const Direct *d, Datum *args, const char *nulls, Rows *rows);

/* ---- direct_ready.c ---- */

extern void direct_ready_init(void);

/* ---- probe.c ---- */

/* Whether another transaction holds or has changed the row version that the statement sees. */
extern bool row_in_flight(Relation rel, const ItemPointerData *tid);

#endif
