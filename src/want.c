/*
 * want.c
 *	  want(): declare that partitions should be live.
 */
#include "store.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"

static int32
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

static void
add_text(JsonbParseState **state, const char *key, Datum value)
{
	JsonbValue	v;

	v.type = jbvString;
	v.val.string.val = (char *) key;
	v.val.string.len = (int) strlen(key);
	pushJsonbValue(state, WJB_KEY, &v);
	v.val.string.val = TextDatumGetCString(value);
	v.val.string.len = (int) strlen(v.val.string.val);
	pushJsonbValue(state, WJB_VALUE, &v);
}

/* {"source": ..., "comment": ...}, what there is of it; NULL if nothing. */
static Jsonb *
want_body(FunctionCallInfo fcinfo, int source, int comment)
{
	JsonbParseState *state = NULL;

	if (PG_ARGISNULL(source) && PG_ARGISNULL(comment))
		return NULL;
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (!PG_ARGISNULL(source))
		add_text(&state, "source", PG_GETARG_DATUM(source));
	if (!PG_ARGISNULL(comment))
		add_text(&state, "comment", PG_GETARG_DATUM(comment));
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
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

PG_FUNCTION_INFO_V1(databuild_want);

Datum
databuild_want(PG_FUNCTION_ARGS)
{
	int			n;
	Datum	   *refs = arg_refs(fcinfo, 0, "partitions", false, &n);
	int32		priority = arg_priority(fcinfo, 1);
	Jsonb	   *body = want_body(fcinfo, 2, 3);
	Call	   *c = call_begin();
	Ids			parts = name_refs(c, refs, n, true);
	int64		want;
	Event	   *e;

	lock_named(c, &parts, NULL);
	for (int i = 0; i < parts.n; i++)
	{
		Partition  *p = marking_token(&c->m, PARTITION, parts.at[i]);

		if (p->job == 0)
			refuse_no_job(p);
	}
	want = gate_next_of("want_id_seq");
	e = events_add(&c->events, EV_WANTED);
	e->want = want;
	e->prio = priority;
	e->parts = parts;
	e->body = body;
	decide_wanted(&c->m, &parts, priority, &c->events);
	call_apply(c);
	call_end(c);
	PG_RETURN_INT64(want);
}
