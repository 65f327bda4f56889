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

void
publish_changes(const Datum *refs, int n, void *body, bool taint_downstream)
{
	Call	   *c = call_begin();
	Ids			parts = name_refs(c, refs, n, false);

	lock_named(c, &parts, NULL);
	/* here the old instances are the newest still: what was made from them would be tainted */
	if (taint_downstream)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("taint_downstream is not supported yet")));
	decide_changed(&c->m, &parts, &c->events);
	for (int i = 0; i < c->events.n; i++)
		c->events.at[i]->body = body;
	call_apply(c);
	call_end(c);
}
