/*
 * retry.c
 *	  retry(), retry_want(): the way back from failed.
 */
#include "store.h"

/* The partitions of refs, all of which must be known. */
Ids
known_partitions(Call *c, const Datum *refs, int n)
{
	Ids			ids = find_refs(refs, n);

	(void) load_partitions(c, &ids, LOCK_WAIT);
	load_needs(c, &ids);
	call_now(c);
	return ids;
}

/* How many went back to work: one may be wanted only by another that did. */
static int64
retry(Call *c, const Ids *parts)
{
	Ids			stuck = {0};
	int64		n = 0;

	for (int i = 0; i < parts->n; i++)
	{
		const Partition *p = marking_token(&c->m, PARTITION, parts->at[i]);

		if (p->place == P_FAILED || p->place == P_UP_FOR_RETRY)
			ids_add(&stuck, p->id);
	}
	look_load_cover(c, parts);
	decide_retried(&c->m, parts, &c->events);
	call_apply(c);
	for (int i = 0; i < stuck.n; i++)
	{
		const Partition *p = marking_token(&c->m, PARTITION, stuck.at[i]);

		n += p->place != P_FAILED && p->place != P_MISSING && p->place != P_TAINTED;
	}
	call_end(c);
	return n;
}

PG_FUNCTION_INFO_V1(databuild_retry);

Datum
databuild_retry(PG_FUNCTION_ARGS)
{
	int			n;
	Datum	   *refs = arg_refs(fcinfo, 0, "partitions", &n);
	Call	   *c = call_begin();
	Ids			parts = known_partitions(c, refs, n);

	PG_RETURN_INT64(retry(c, &parts));
}

PG_FUNCTION_INFO_V1(databuild_retry_want);

Datum
databuild_retry_want(PG_FUNCTION_ARGS)
{
	Datum		want = arg_needed(fcinfo, 0, "want_id");
	Call	   *c = call_begin();
	Ids			failed;

	(void) load_named_want(c, DatumGetInt64(want), LOCK_WAIT);
	failed = store_ids(Q_FAILED_BELOW, &want);
	(void) load_partitions(c, &failed, LOCK_WAIT);
	load_needs(c, &failed);
	call_now(c);
	PG_RETURN_INT64(retry(c, &failed));
}
