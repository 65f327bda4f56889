/*
 * publish.c
 *	  publish(): refs that are made elsewhere are there.
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
