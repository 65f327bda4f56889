/*
 * tick.c
 *	  tick(): a bounded share of what is due, for those who want it done at
 *	  once rather than by the next claims, and what monitoring wants counted.
 */
#include "store.h"

#include "access/htup_details.h"
#include "funcapi.h"

#define TIMER_SHARE		10000
#define AGENDA_SHARE	10000
#define MARK_SHARE		1000

PG_FUNCTION_INFO_V1(databuild_tick);

Datum
databuild_tick(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[4] = {0};
	bool		nulls[4] = {false};
	Datum		share[] = {Int64GetDatum(MARK_SHARE)};
	Call	   *c;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	c = call_begin();
	(void) look_timers(c, TIMER_SHARE, false);
	values[2] = Int64GetDatum(look_agenda(c, AGENDA_SHARE));
	store_do(Q_MARKS_TIDY, share, NULL);
	store_do(Q_COUNT_SOME, NULL, NULL);
	values[0] = Int64GetDatum(c->runs_lost);
	values[1] = Int64GetDatum(c->wants_expired);
	values[3] = Int64GetDatum(c->cycles);
	call_close(c);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
