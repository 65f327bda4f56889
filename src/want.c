/*
 * want.c
 *	  want(), cancel_want(): declare that partitions should be live, and no more.
 */
#include "store.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

int32
arg_priority(FunctionCallInfo fcinfo, int n)
{
	int32		priority = DatumGetInt32(arg_needed(fcinfo, n, "priority"));

	if (priority < -100 || priority > 100)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("priority %d is out of range", priority),
				 errhint("Priorities go from -100 to 100; what is not urgent, such as a backfill, uses -10.")));
	return priority;
}

/* A ref that was named before, perhaps by a miss, and that no job makes. */
static void
refuse_no_job(const Partition *p)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("no job makes ref \"%s\"", p->ref),
			 errhint("Define a job or source with a pattern that matches the whole ref, or correct the ref.")));
}

/* A new want on partitions that the call holds; its id. */
static int64
declare(Call *c, int64 want, const Ids *parts, int32 priority, void *body, TimestampTz expires)
{
	Event	   *e;

	for (int i = 0; i < parts->n; i++)
	{
		Partition  *p = marking_token(&c->m, PARTITION, parts->at[i]);

		if (p->job == 0)
			refuse_no_job(p);
	}
	e = events_add(&c->events, EV_WANTED);
	e->want = want;
	e->prio = priority;
	e->parts = *parts;
	e->body = body;
	e->until = expires;
	decide_wanted(&c->m, parts, priority, &c->events);
	return want;
}

int64
want_parts(Call *c, const Ids *parts, int32 priority, void *body)
{
	return declare(c, gate_next_of("want_id_seq"), parts, priority, body, 0);
}

/* What the want says of itself, and when it expires (0: never). */
static void *
want_body(FunctionCallInfo fcinfo, TimestampTz now, TimestampTz *expires)
{
	Datum		args[7] = {TimestampTzGetDatum(now)};
	char		nulls[8] = "       ";
	bool		any = false;
	Rows		rows;
	void	   *body;

	*expires = 0;
	for (int i = 1; i < 7; i++)
	{
		nulls[i] = PG_ARGISNULL(i + 1) ? 'n' : ' ';
		args[i] = PG_ARGISNULL(i + 1) ? 0 : PG_GETARG_DATUM(i + 1);
		any = any || !PG_ARGISNULL(i + 1);
	}
	if (!any)
		return NULL;
	rows = store_rows(Q_WANT_BODY, args, nulls);
	if (!rows_null(&rows, 0, 0))
		*expires = rows_int64(&rows, 0, 0);
	body = DatumGetPointer(SPI_datumTransfer(rows_datum(&rows, 0, 1), false, -1));
	rows_free(&rows);
	return body;
}

/* It is in an index. */
static void
check_key(FunctionCallInfo fcinfo)
{
	int			len = PG_ARGISNULL(7) ? 0 : VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(7));

	if (len > MAX_REF_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"key\" must have at most %d bytes, not %d", MAX_REF_BYTES, len)));
}

static void
check_times(FunctionCallInfo fcinfo)
{
	if (!PG_ARGISNULL(3))
		(void) arg_interval(fcinfo, 3, "ttl");
	if (!PG_ARGISNULL(4))
		(void) arg_interval(fcinfo, 4, "sla");
}

static void
refuse_past(TimestampTz expires)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the want would have expired at %s already", timestamptz_to_str(expires)),
			 errhint("ttl counts from data_timestamp.")));
}

/* Its time has passed, though no event says so yet. */
static bool
is_over(const Call *c, const Want *w)
{
	return w->place == W_ACTIVE && w->expires != 0 && w->expires <= c->now;
}

/* ---- keys ---- */

static bool
same_members(int64 want, const Ids *parts)
{
	Datum		args[] = {Int64GetDatum(want)};
	Rows		rows = store_rows(Q_MEMBERS, args, NULL);
	Ids			members = {0};
	Ids			asked = {0};

	members_of_rows(&rows, &members);
	for (int i = 0; i < parts->n; i++)
		ids_add(&asked, parts->at[i]);
	ids_sort(&asked);
	return members.n == asked.n &&
		memcmp(members.at, asked.at, sizeof(int64) * asked.n) == 0;
}

/*
 * Take the key for a new want.  Returns 0, or the want in force that has it
 * and covers the same refs; for other refs it is an error.
 */
static int64
take_key(Call *c, Datum key, int64 want, const Ids *parts)
{
	Datum		args[] = {key, Int64GetDatum(want)};

	while (store_do(Q_KEY_TAKE, args, NULL) == 0)
	{
		Ids			holder = store_ids(Q_KEY_WANT, args);
		const Want *w;

		CHECK_FOR_INTERRUPTS();
		if (load_wants(c, &holder, LOCK_WAIT).n == 0)
			continue;			/* it has just been given back */
		call_now(c);
		w = marking_token(&c->m, WANT, holder.at[0]);
		if (w->place != W_ACTIVE)
			continue;
		if (is_over(c, w))
		{
			look_expire(c, w);
			call_apply(c);
			continue;
		}
		if (same_members(w->id, parts))
			return w->id;
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("key \"%s\" belongs to want " INT64_FORMAT ", which covers other refs",
						TextDatumGetCString(key), w->id),
				 errhint("Cancel that want first, or use another key.")));
	}
	return 0;
}

PG_FUNCTION_INFO_V1(databuild_want);

/* partitions, priority, data_timestamp, ttl, sla, source, comment, key */
Datum
databuild_want(PG_FUNCTION_ARGS)
{
	int			n;
	Datum	   *refs = arg_refs(fcinfo, 0, "partitions", &n);
	int32		priority = arg_priority(fcinfo, 1);
	TimestampTz expires;
	int64		want;
	int64		holder = 0;
	void	   *body;
	Ids			parts;
	Call	   *c;

	check_times(fcinfo);
	check_key(fcinfo);
	c = call_begin();
	want = gate_next_of("want_id_seq");
	parts = name_wanted(c, refs, n, priority);
	if (!PG_ARGISNULL(7))
		holder = take_key(c, PG_GETARG_DATUM(7), want, &parts);
	if (holder == 0)
	{
		lock_named(c, &parts, NULL);
		body = want_body(fcinfo, c->now, &expires);
		if (expires != 0 && expires <= c->now)
			refuse_past(expires);
		(void) declare(c, want, &parts, priority, body, expires);
		call_apply(c);
		if (expires != 0 && !TIMESTAMP_NOT_FINITE(expires))
		{
			Ids			at = {0};
			Ids			ids = {0};

			ids_add(&at, expires);
			ids_add(&ids, want);
			timer_add('E', &at, &ids);
		}
	}
	call_end(c);
	PG_RETURN_INT64(holder != 0 ? holder : want);
}

/* ---- canceling ---- */

/* The want that a caller names; 42704 if it is not there. */
Want *
load_named_want(Call *c, int64 id, Lock lock)
{
	Ids			ids = {0};

	ids_add(&ids, id);
	if (load_wants(c, &ids, lock).n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("want " INT64_FORMAT " does not exist", id),
				 errhint("SELECT want_id, comment FROM databuild.wants shows the wants.")));
	return marking_token(&c->m, WANT, id);
}

static void
refuse_cancel(Call *c, const Want *w)
{
	Refusal		refusal = {WANT, w->id, is_over(c, w) ? W_EXPIRED : (int) w->place, WS_CANCELED};

	if (w->derivative && w->place == W_ACTIVE)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("want " INT64_FORMAT " is derivative; it cannot be canceled", w->id),
				 w->run != 0 ? errdetail("A dependency miss of run " INT64_FORMAT " made it.", w->run) :
				 errdetail("Partitions that need its refs made it."),
				 errhint("It ends by itself when what waits for it is wanted no more: cancel that want.")));
	if (net_target(WANT, refusal.place, WS_CANCELED) == NET_REFUSED)
		call_refuse(c, &refusal);
}

PG_FUNCTION_INFO_V1(databuild_cancel_want);

Datum
databuild_cancel_want(PG_FUNCTION_ARGS)
{
	int64		id = DatumGetInt64(arg_needed(fcinfo, 0, "want_id"));
	char	   *reason = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	Call	   *c = call_begin();
	Want	   *w = load_named_want(c, id, LOCK_WAIT);
	Event	   *e;

	call_now(c);
	refuse_cancel(c, w);
	if (w->place == W_ACTIVE)
	{
		e = events_add(&c->events, EV_WANT_CANCELED);
		e->want = id;
		e->note = reason;
		call_apply(c);
	}
	call_end(c);
	PG_RETURN_VOID();
}
