/*
 * read.c
 *	  What runs read: by instance, so that it can be told later what was made
 *	  of data that is not the newest any more.
 *
 * A worker reads an input some time between claim and report; that input may
 * have been made anew meanwhile.  What counts is the instance that was live
 * when the run was claimed, else the first since.  Numbers of runs and events
 * come from one sequence, and databuild.once_live has the event that ended an
 * instance's being live: the first such event with a greater number than the
 * run's tells it, and if there is none, the instance is the newest.  Inputs
 * are only read, never locked.
 *
 * An event with a smaller number may be of a transaction that was in flight at
 * the claim: a load that took an hour.  So the claim's event has the keys of
 * such transactions (gate.c), and a row of once_live has its own.
 */
#include "store.h"

/* The refs that a report names as read, known from here on; NULL: none named. */
Ids *
arg_reads(Call *c, FunctionCallInfo fcinfo, int n)
{
	int			count;
	Datum	   *refs;
	Ids		   *reads;

	if (PG_ARGISNULL(n))
		return NULL;
	refs = arg_refs(fcinfo, n, "reads", &count);
	reads = palloc(sizeof(Ids));
	*reads = name_refs(c, refs, count, false);
	call_log(c);
	return reads;
}

/*
 * The event that says what the runs read: what is named, else what their jobs
 * declare as inputs.  A ref that was never live was not read.
 */
void
read_by(Call *c, const Ids *runs, const Ids *named)
{
	Datum		args[2] = {ids_datum(runs)};
	Rows		rows;
	Event	   *e = NULL;

	if (named == NULL && !route_any_inputs())
		return;
	if (named != NULL)
		args[1] = ids_datum(named);
	rows = store_rows(named != NULL ? Q_READS_NAMED : Q_READS_DECLARED, args, NULL);
	for (int i = 0; i < rows.n; i++)
	{
		if (rows_int64(&rows, i, 2) == 0)
			continue;
		if (e == NULL)
			e = events_add(&c->events, EV_READ);
		ids_add(&e->runs, rows_int64(&rows, i, 0));
		ids_add(&e->parts, rows_int64(&rows, i, 1));
		ids_add(&e->others, rows_int64(&rows, i, 2));
	}
	rows_free(&rows);
}
