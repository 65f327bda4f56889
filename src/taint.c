/*
 * taint.c
 *	  taint(), cancel_taint(), remake(), forget(): what was live is so no more.
 *
 * A taint marks instances, not refs: making the ref anew ends the mark, and
 * canceling the taint brings back only what still is the newest instance.
 */
#include "store.h"

#include "utils/builtins.h"

static char *
text_or_null(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static Ids
at_place(Call *c, const Ids *parts, PartitionPlace place)
{
	Ids			there = {0};

	for (int i = 0; i < parts->n; i++)
		if (((Partition *) marking_token(&c->m, PARTITION, parts->at[i]))->place == place)
			ids_add(&there, parts->at[i]);
	return there;
}

int64
taint_parts(Call *c, const Ids *parts, const char *reason)
{
	int64		id = gate_next_of("taint_id_seq");
	Ids			live = at_place(c, parts, P_LIVE);

	decide_tainted(&c->m, &live, id, reason, &c->events);
	call_write(c);				/* some may need others */
	look_load_cover(c, &live);
	load_needs(c, &live);
	decide_rebuilt(&c->m, &live, &c->events);
	decide_requeued(&c->m, &live, &c->events);
	return id;
}

/* The refs, with what was made from them: locked together, in order. */
static Ids
known_and_made_from(Call *c, const Datum *refs, int n)
{
	Ids			named = find_refs(refs, n);
	Datum		args[] = {ids_datum(&named)};
	Ids			all = store_ids(Q_MADE_FROM, args);

	(void) load_partitions(c, &all, LOCK_WAIT);
	call_now(c);
	return all;
}

PG_FUNCTION_INFO_V1(databuild_taint);

Datum
databuild_taint(PG_FUNCTION_ARGS)
{
	int			n;
	Datum	   *refs = arg_refs(fcinfo, 0, "partitions", &n);
	char	   *reason = TextDatumGetCString(arg_needed(fcinfo, 1, "reason"));
	bool		downstream = DatumGetBool(arg_needed(fcinfo, 2, "downstream"));
	Call	   *c = call_begin();
	Ids			parts = downstream ? known_and_made_from(c, refs, n) : known_partitions(c, refs, n);
	int64		id = taint_parts(c, &parts, reason);

	call_apply(c);
	call_end(c);
	PG_RETURN_INT64(id);
}

/* Marked instances that are the newest still, and marked by no other taint. */
static Ids
to_bring_back(Call *c, int64 taint_id)
{
	Datum		args[] = {Int64GetDatum(taint_id)};
	Ids			parts = store_ids(Q_TAINT_PARTS, args);
	Ids			newest;
	Ids			sound;
	Ids			back = {0};

	(void) load_partitions(c, &parts, LOCK_WAIT);
	newest = store_ids(Q_TAINT_NEWEST, args);
	sound = sound_instances(c, &newest, taint_id);
	for (int i = 0; i < sound.n; i++)
	{
		const Partition *p = marking_token(&c->m, PARTITION, sound.at[i]);

		if (p->place != P_LIVE && p->place != P_BUILDING)
			ids_add(&back, p->id);
	}
	return back;
}

PG_FUNCTION_INFO_V1(databuild_cancel_taint);

Datum
databuild_cancel_taint(PG_FUNCTION_ARGS)
{
	Datum		id = arg_needed(fcinfo, 0, "taint_id");
	char	   *reason = text_or_null(fcinfo, 1);
	Call	   *c = call_begin();
	Rows		rows = store_rows(Q_TAINT_WAIT, &id, NULL);
	Taint	   *t;
	Event	   *e;
	Ids			back;

	if (rows.n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("taint " INT64_FORMAT " does not exist", DatumGetInt64(id)),
				 errhint("SELECT taint_id, reason FROM databuild.taints shows the taints.")));
	t = marking_add(&c->m, TAINT, DatumGetInt64(id));
	t->place = (TaintPlace) net_place_by_letter(TAINT, rows_char(&rows, 0, 0));
	t->created = rows_int64(&rows, 0, 1);
	rows_free(&rows);
	if (t->place == T_ACTIVE)
	{
		back = to_bring_back(c, t->id);
		call_now(c);
		e = events_add(&c->events, EV_TAINT_CANCELED);
		e->taint = t->id;
		e->note = reason;
		if (back.n > 0)
			events_add(&c->events, EV_UNTAINTED)->parts = back;
		call_apply(c);
	}
	call_end(c);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(databuild_remake);

Datum
databuild_remake(PG_FUNCTION_ARGS)
{
	int			n;
	Datum	   *refs = arg_refs(fcinfo, 0, "partitions", &n);
	char	   *reason = text_or_null(fcinfo, 1);
	int32		priority = arg_priority(fcinfo, 2);
	Call	   *c = call_begin();
	Ids			parts = name_refs(c, refs, n, true);
	int64		want;

	lock_named(c, &parts, NULL);
	(void) taint_parts(c, &parts, reason);
	call_write(c);
	load_needs(c, &parts);
	want = want_parts(c, &parts, priority, NULL);
	call_apply(c);
	call_end(c);
	PG_RETURN_INT64(want);
}

/* ---- forget ---- */

static void
refuse_forgetting(const Partition *p)
{
	if (p->taken_by != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("partition \"%s\" is being made anew by run " INT64_FORMAT "; it cannot be forgotten",
						p->ref, p->taken_by),
				 errhint("Wait until that run has ended.")));
	if (net_target(PARTITION, (int) p->place, PS_FORGOTTEN) == NET_REFUSED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("partition \"%s\" is %s; it cannot be forgotten", p->ref,
						net_place_name(PARTITION, (int) p->place)),
				 errhint("Cancel the wants that cover it, and wait until no run makes it.")));
	if (p->cover != PRIORITY_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("partition \"%s\" is wanted; it cannot be forgotten", p->ref),
				 errhint("Cancel the wants that cover it: SELECT want_id FROM databuild.want_partitions WHERE ref = %s.",
						 quote_literal_cstr(p->ref))));
}

PG_FUNCTION_INFO_V1(databuild_forget);

Datum
databuild_forget(PG_FUNCTION_ARGS)
{
	int			n;
	Datum	   *refs = arg_refs(fcinfo, 0, "partitions", &n);
	char	   *reason = TextDatumGetCString(arg_needed(fcinfo, 1, "reason"));
	Call	   *c = call_begin();
	Ids			parts = known_partitions(c, refs, n);
	Ids			there = {0};
	Event	   *e;

	look_load_cover(c, &parts);
	for (int i = 0; i < parts.n; i++)
	{
		const Partition *p = marking_token(&c->m, PARTITION, parts.at[i]);

		if (p->place == P_MISSING)
			continue;
		refuse_forgetting(p);
		ids_add(&there, p->id);
	}
	if (there.n > 0)
	{
		e = events_add(&c->events, EV_FORGOTTEN);
		e->parts = there;
		e->note = reason;
		call_apply(c);
	}
	call_end(c);
	PG_RETURN_INT64(there.n);
}
