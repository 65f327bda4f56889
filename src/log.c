/*
 * log.c
 *	  The append-only log: how an event becomes a row, and what guards the rows.
 *
 * An event gets its number and time when it is appended: after the locks of
 * all tokens that it names are held, so that events on a common token are
 * numbered in the order in which they took effect.  The guard is a trigger
 * that fires under every session_replication_role; logical replication's
 * apply fires it too.
 */
#include "store.h"

#include "access/xlog.h"
#include "funcapi.h"
#include "utils/memutils.h"

static Datum
or_null(char *null, bool present, Datum value)
{
	*null = present ? ' ' : 'n';
	return present ? value : (Datum) 0;
}

/* The refs that a "known" event names for the first time. */
static Datum
names_of(Call *c, const Event *e)
{
	const char **names = palloc(sizeof(char *) * e->parts.n);

	for (int i = 0; i < e->parts.n; i++)
		names[i] = ((Partition *) marking_token(&c->m, PARTITION, e->parts.at[i]))->ref;
	return texts_datum(names, e->parts.n);
}

/* Who claims meanwhile sees the instance live still, and notes that. */
static bool
ends_an_instance(Call *c, const Event *e)
{
	if (e->kind != EV_SUCCEEDED && e->kind != EV_PUBLISHED && e->kind != EV_TAINTED && e->kind != EV_FORGOTTEN)
		return false;
	for (int i = 0; i < e->parts.n; i++)
		if (((Partition *) marking_token(&c->m, PARTITION, e->parts.at[i]))->place == P_LIVE)
			return true;
	return false;
}

/* The next of those that were drawn before, or a new one. */
static int64
number_of(Call *c, const Event *e)
{
	int64		number;

	if (c->reserved.n == 0)
	{
		if (ends_an_instance(c, e))
			(void) gate_enter_ends();
		return gate_next();
	}
	number = c->reserved.at[0];
	memmove(c->reserved.at, c->reserved.at + 1, sizeof(int64) * --c->reserved.n);
	return number;
}

static void
append_row(Call *c, Event *e)
{
	char		nulls[18] = "                 ";
	Datum		args[17];
	bool		named = e->kind == EV_KNOWN;
	const char *role = caller_role(&c->caller);

	if (e->at == 0)
		e->at = c->now;
	e->id = number_of(c, e);
	args[0] = Int64GetDatum(e->id);
	args[1] = TimestampTzGetDatum(e->at);
	args[2] = text_datum(net_event(e->kind)->name);
	args[3] = or_null(&nulls[3], e->want != 0, Int64GetDatum(e->want));
	args[4] = or_null(&nulls[4], e->taint != 0, Int64GetDatum(e->taint));
	args[5] = or_null(&nulls[5], e->job != 0, Int32GetDatum(e->job));
	args[6] = or_null(&nulls[6], e->prio != PRIORITY_NONE || e->kind == EV_PRIORITISED,
					  Int16GetDatum((int16) e->prio));
	args[7] = or_null(&nulls[7], e->until != 0, TimestampTzGetDatum(e->until));
	args[8] = or_null(&nulls[8], e->cause != CAUSE_NONE, 0);
	if (e->cause != CAUSE_NONE)
		args[8] = text_datum(cause_name(e->cause));
	args[9] = or_null(&nulls[9], e->note != NULL, 0);
	if (e->note != NULL)
		args[9] = text_datum(e->note);
	args[10] = or_null(&nulls[10], e->runs.n > 0, ids_datum(&e->runs));
	args[11] = or_null(&nulls[11], e->parts.n > 0, ids_datum(&e->parts));
	args[12] = or_null(&nulls[12], e->sizes.n > 0, ids_datum(&e->sizes));
	args[13] = or_null(&nulls[13], named, named ? names_of(c, e) : 0);
	args[14] = or_null(&nulls[14], e->body != NULL, PointerGetDatum(e->body));
	args[15] = or_null(&nulls[15], e->others.n > 0 || e->kind == EV_DECLARED || e->kind == EV_MAKES, ids_datum(&e->others));
	args[16] = or_null(&nulls[16], role != NULL, role == NULL ? 0 : text_datum(role));
	store_do(Q_EVENT_APPEND, args, nulls);
}

/* A want of a million refs makes hundreds of events: nothing but the rows is left of each. */
void
log_append(Call *c, Event *e)
{
	MemoryContext row = AllocSetContextCreate(CurrentMemoryContext, "databuild event", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(row);

	append_row(c, e);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(row);
}

PG_FUNCTION_INFO_V1(databuild_event_guard);

Datum
databuild_event_guard(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the event log is append-only"),
			 errdetail("Rows of databuild.event cannot be updated, deleted or truncated.")));
	PG_RETURN_NULL();
}

/* Rows as they come, into the result. */
static void
put_rows(const Rows *rows, ReturnSetInfo *result)
{
	int			n = result->setDesc->natts;
	Datum	   *values = palloc(sizeof(Datum) * n);
	bool	   *nulls = palloc(sizeof(bool) * n);

	for (int i = 0; i < rows->n; i++)
	{
		heap_deform_tuple(rows->table->vals[i], rows->table->tupdesc, values, nulls);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* What comes next after one that is gone is not known; asked after the rows were read, so that none of them is missing. */
static void
check_pruned(int64 after)
{
	Rows		rows = store_rows(Q_BASE_UPTO, NULL, NULL);
	int64		upto = rows.n > 0 ? rows_int64(&rows, 0, 0) : 0;

	if (after < upto && upto > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the events after " INT64_FORMAT " were pruned, up to event " INT64_FORMAT, after, upto),
				 errhint("Read the state from the views, then SELECT * FROM databuild.read_events(" INT64_FORMAT ") and on.", upto)));
	rows_free(&rows);
}

PG_FUNCTION_INFO_V1(databuild_read_events);

/* The horizon first, then the snapshot: what is settled then is visible. */
Datum
databuild_read_events(PG_FUNCTION_ARGS)
{
	Datum		args[3] = {arg_needed(fcinfo, 0, "after"), 0, arg_needed(fcinfo, 1, "max")};
	Rows		rows;
	int			level;

	if (DatumGetInt32(args[2]) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"max\" must not be negative")));
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a standby cannot tell which events are settled"),
				 errhint("Read events from the primary, or SELECT from databuild.events for what is visible here.")));
	InitMaterializedSRF(fcinfo, 0);
	level = store_open();
	args[1] = Int64GetDatum(gate_horizon(false));
	rows = store_rows(Q_EVENTS_SHOWN, args, NULL);
	put_rows(&rows, (ReturnSetInfo *) fcinfo->resultinfo);
	rows_free(&rows);
	check_pruned(DatumGetInt64(args[0]));
	store_close(level);
	return (Datum) 0;
}
