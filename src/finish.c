/*
 * finish.c
 *	  succeed(), succeed_many(), fail(), cancel_run(): how a run ends.
 *
 * A report locks its runs and then their outputs.  It may be repeated: what
 * the runs have done already changes nothing; a report that contradicts is
 * refused with what happened instead.
 */
#include "store.h"

#include "utils/builtins.h"

/* Lock the runs; those that the report moves, with their outputs locked, too. */
Ids
reported(Call *c, const Ids *ids, RunSignal signal)
{
	Ids			fresh = {0};
	Ids			outputs = {0};
	Refusal		refusal;

	(void) load_named_runs(c, ids);
	if (!decide_report(&c->m, signal, ids, &fresh, &refusal))
		call_refuse(c, &refusal);
	for (int i = 0; i < fresh.n; i++)
	{
		const Run  *r = marking_token(&c->m, RUN, fresh.at[i]);

		for (int k = 0; k < r->outputs.n; k++)
			ids_add(&outputs, r->outputs.at[k]);
	}
	ids_sort(&outputs);
	(void) load_partitions(c, &outputs, LOCK_WAIT);
	call_now(c);
	return fresh;
}

/* The refs as outputs of the run; naming one that is none is an error. */
Ids
arg_outputs(Call *c, FunctionCallInfo fcinfo, int n, const char *name, const Run *r)
{
	int			count;
	Datum	   *refs = arg_refs(fcinfo, n, name, &count);
	Ids			ids = {0};

	for (int i = 0; i < count; i++)
	{
		char	   *ref = TextDatumGetCString(refs[i]);
		int64		id = 0;

		for (int k = 0; k < r->outputs.n; k++)
		{
			Partition  *p = marking_token(&c->m, PARTITION, r->outputs.at[k]);

			if (strcmp(p->ref, ref) == 0)
				id = p->id;
		}
		if (id == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"%s\" is no output of run " INT64_FORMAT, ref, r->id),
					 errhint("SELECT partitions FROM databuild.job_runs WHERE run_id = " INT64_FORMAT " shows them.", r->id)));
		ids_add(&ids, id);
	}
	return ids;
}

static void *
arg_metadata(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : PG_DETOAST_DATUM(PG_GETARG_DATUM(n));
}

PG_FUNCTION_INFO_V1(databuild_succeed);

Datum
databuild_succeed(PG_FUNCTION_ARGS)
{
	Ids			ids = {0};
	Ids			made = {0};
	Ids			fresh;
	bool		all = PG_ARGISNULL(1);
	const Ids  *reads;
	Call	   *c;

	ids_add(&ids, DatumGetInt64(arg_needed(fcinfo, 0, "run_id")));
	c = call_begin();
	caller_reports(&c->caller, &ids);
	reads = arg_reads(c, fcinfo, 2);
	fresh = reported(c, &ids, RS_SUCCEEDED);
	if (fresh.n > 0)
	{
		if (!all)
			made = arg_outputs(c, fcinfo, 1, "made", marking_token(&c->m, RUN, ids.at[0]));
		decide_succeeded(&c->m, &fresh, all ? NULL : &made, c->now, &c->events);
		c->events.at[0]->body = arg_metadata(fcinfo, 3);
		read_by(c, &fresh, reads);
		call_apply(c);
	}
	call_end(c);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(databuild_succeed_many);

Datum
databuild_succeed_many(PG_FUNCTION_ARGS)
{
	Ids			ids = {0};
	Ids			fresh;
	Call	   *c;

	arg_ids(fcinfo, 0, "run_ids", false, &ids);
	c = call_begin();
	caller_reports(&c->caller, &ids);
	fresh = reported(c, &ids, RS_SUCCEEDED);
	if (fresh.n > 0)
	{
		decide_succeeded(&c->m, &fresh, NULL, c->now, &c->events);
		read_by(c, &fresh, NULL);
		call_apply(c);
	}
	call_end(c);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(databuild_fail);

Datum
databuild_fail(PG_FUNCTION_ARGS)
{
	Ids			ids = {0};
	char	   *reason = TextDatumGetCString(arg_needed(fcinfo, 1, "reason"));
	bool		retry = DatumGetBool(arg_needed(fcinfo, 2, "retry"));
	Ids			fresh;
	Call	   *c;

	ids_add(&ids, DatumGetInt64(arg_needed(fcinfo, 0, "run_id")));
	c = call_begin();
	caller_reports(&c->caller, &ids);
	fresh = reported(c, &ids, RS_FAILED);
	if (fresh.n > 0)
	{
		decide_ended(&c->m, EV_FAILED, &fresh, retry, reason, c->now, &c->events);
		c->events.at[0]->body = arg_metadata(fcinfo, 3);
		call_apply(c);
	}
	call_end(c);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(databuild_cancel_run);

Datum
databuild_cancel_run(PG_FUNCTION_ARGS)
{
	Ids			ids = {0};
	char	   *reason = PG_ARGISNULL(1) ? NULL : TextDatumGetCString(PG_GETARG_DATUM(1));
	Ids			fresh;
	Call	   *c;

	ids_add(&ids, DatumGetInt64(arg_needed(fcinfo, 0, "run_id")));
	c = call_begin();
	fresh = reported(c, &ids, RS_CANCELED);
	if (fresh.n > 0)
	{
		decide_ended(&c->m, EV_RUN_CANCELED, &fresh, false, reason, c->now, &c->events);
		call_apply(c);
	}
	call_end(c);
	PG_RETURN_VOID();
}
