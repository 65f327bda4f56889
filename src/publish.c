/*
 * publish.c
 *	  publish(), and what a change of tracked rows does: refs that are made
 *	  elsewhere are there.
 */
#include "store.h"

PG_FUNCTION_INFO_V1(databuild_publish);

Datum
databuild_publish(PG_FUNCTION_ARGS)
{
	int			n;
	Datum	   *refs = arg_refs(fcinfo, 0, "partitions", &n);
	Call	   *c = call_begin();
	Ids			parts = name_refs(c, refs, n, false);
	Refusal		refusal;

	lock_named(c, &parts, NULL);
	for (int i = 0; i < parts.n; i++)
	{
		const Partition *p = marking_token(&c->m, PARTITION, parts.at[i]);

		if (p->taken_by != 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("partition \"%s\" is being made anew by run " INT64_FORMAT "; it cannot be published",
							p->ref, p->taken_by),
					 errhint("Wait until that run has ended.")));
	}
	if (!decide_published(&c->m, &parts, &c->events, &refusal))
		call_refuse(c, &refusal);
	c->events.at[0]->body = PG_ARGISNULL(1) ? NULL : PG_DETOAST_DATUM(PG_GETARG_DATUM(1));
	call_apply(c);
	call_end(c);
	PG_RETURN_VOID();
}

/* What was made of the newest instances of the partitions, but for these themselves. */
static Ids
made_from(const Ids *parts)
{
	Datum		args[] = {ids_datum(parts)};
	Ids			all = store_ids(Q_MADE_FROM, args);
	Marking		named = {0};
	Ids			others = {0};

	for (int i = 0; i < parts->n; i++)
		(void) marking_add(&named, PARTITION, parts->at[i]);
	for (int i = 0; i < all.n; i++)
		if (marking_token(&named, PARTITION, all.at[i]) == NULL)
			ids_add(&others, all.at[i]);
	return others;
}

static bool
any_live(Call *c, const Ids *parts)
{
	for (int i = 0; i < parts->n; i++)
		if (((Partition *) marking_token(&c->m, PARTITION, parts->at[i]))->place == P_LIVE)
			return true;
	return false;
}

void
publish_changes(const Datum *refs, int n, void *body, const char *taint_reason)
{
	Call	   *c = call_begin();
	Ids			parts = name_refs(c, refs, n, false);
	Ids			downstream = {0};

	if (taint_reason != NULL)
		downstream = made_from(&parts);	/* while the old instances are the newest */
	lock_named(c, &parts, &downstream);
	decide_changed(&c->m, &parts, &c->events);
	for (int i = 0; i < c->events.n; i++)
		c->events.at[i]->body = body;
	if (any_live(c, &downstream))
		(void) taint_parts(c, &downstream, taint_reason);
	call_apply(c);
	call_end(c);
}
