/*
 * prune.c
 *	  That the log was pruned, in the log.
 *
 * Pruning itself is SQL (prune.sql): it changes no token, only where the fold
 * begins.
 */
#include "store.h"

PG_FUNCTION_INFO_V1(databuild_prune_told);

/* Log up to where it was pruned, unless it says so already. */
Datum
databuild_prune_told(PG_FUNCTION_ARGS)
{
	Call	   *c = call_begin();
	Rows		rows = store_rows(Q_PRUNED_TELL, NULL, NULL);

	(void) fcinfo;
	if (rows.n > 0)
	{
		events_add(&c->events, EV_PRUNED)->body = DatumGetPointer(rows_datum(&rows, 0, 0));
		call_apply(c);
	}
	call_close(c);
	PG_RETURN_VOID();
}
