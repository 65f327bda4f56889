/*
 * miss.c
 *	  miss(): a run cannot go on until other partitions are live.
 *
 * The call names its run, the run's outputs and the missing refs, and locks
 * all of them; so the watch that each waiting output sets on a missing ref
 * needs no second look: whoever finishes that ref waits for our commit and
 * then sees the watch.
 */
#include "store.h"

#include "utils/builtins.h"

static Ids
not_live(Call *c, const Ids *ids, bool *lost)
{
	Ids			lacking = {0};

	for (int i = 0; i < ids->n; i++)
	{
		Partition  *p = marking_token(&c->m, PARTITION, ids->at[i]);

		if (p->place == P_LIVE)
			continue;
		ids_add(&lacking, p->id);
		*lost = *lost || net_place_class(PARTITION, (int) p->place) == LOST;
	}
	return lacking;
}

static void
apply_miss(Call *c, FunctionCallInfo fcinfo, const Run *r, const Ids *missing, const Ids *reads)
{
	Ids			run = {0};
	Ids			impacted = PG_ARGISNULL(2) ? r->outputs : arg_outputs(c, fcinfo, 2, "impacted", r);
	bool		lost = false;
	Ids			lacking = not_live(c, missing, &lost);

	decide_missed(&c->m, r->id, &impacted, &lacking, lost, &c->events);
	c->events.at[0]->parts = *missing;	/* what was live by then, too: people ask what it was */
	c->events.at[0]->body = PG_ARGISNULL(4) ? NULL : PG_DETOAST_DATUM(PG_GETARG_DATUM(4));
	ids_add(&run, r->id);
	read_by(c, &run, reads);
	call_apply(c);
}

PG_FUNCTION_INFO_V1(databuild_miss);

Datum
databuild_miss(PG_FUNCTION_ARGS)
{
	Ids			ids = {0};
	Ids			fresh = {0};
	int			n;
	Datum	   *refs = arg_refs(fcinfo, 1, "missing", &n);
	Refusal		refusal;
	const Run  *r;
	Ids			missing;
	const Ids  *reads;
	Call	   *c;

	ids_add(&ids, DatumGetInt64(arg_needed(fcinfo, 0, "run_id")));
	c = call_begin();
	caller_reports(&c->caller, &ids);
	/* a run that has ended stays so: then nothing is to be named */
	(void) load_runs(c, &ids, LOCK_NONE);
	r = marking_token(&c->m, RUN, ids.at[0]);
	if (r != NULL && r->place == R_DEP_MISS)
	{
		call_end(c);
		PG_RETURN_VOID();
	}
	reads = arg_reads(c, fcinfo, 3);
	missing = name_refs(c, refs, n, false);
	(void) load_named_runs(c, &ids);
	r = marking_token(&c->m, RUN, ids.at[0]);
	if (!decide_report(&c->m, RS_MISSED, &ids, &fresh, &refusal))
		call_refuse(c, &refusal);
	lock_named(c, &missing, &r->outputs);
	if (fresh.n > 0)
		apply_miss(c, fcinfo, r, &missing, reads);
	else
		call_apply(c);
	call_end(c);
	PG_RETURN_VOID();
}
