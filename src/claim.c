/*
 * claim.c
 *	  claim(), finish_and_claim(), heartbeat(): hand out runs, and keep them.
 *
 * A claim waits for no token.  It first does its share of what is due, then
 * lets pick.c find the work, and makes runs of it.
 */
#include "claim.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* Shares of what is due. */
#define AGENDA_SHARE	200
#define TIMER_SHARE		100
#define ENDS_SHARE		10000

/* No claim hands out more, so that its event stays a row of sane size. */
#define MAX_RUNS		10000

static void
check_labels(const Datum *labels, int n)
{
	for (int i = 0; i < n; i++)
	{
		char	   *label = TextDatumGetCString(labels[i]);

		if (route_by_label(label) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("job \"%s\" does not exist", label),
					 errhint("SELECT label FROM databuild.jobs shows the jobs.")));
	}
}

/* The rows of the runs that the claim logged, and a timer for their leases. */
static void
insert_runs(Call *c, const Ids *run_ids, Datum worker, int64 lease)
{
	int			n = run_ids->n;
	int32	   *jobs = palloc(sizeof(int32) * n);
	int32	   *attempts = palloc(sizeof(int32) * n);
	int32	   *firsts = palloc(sizeof(int32) * n);
	int32	   *lasts = palloc(sizeof(int32) * n);
	Ids			leases = {0};
	Ids			times = {0};
	Ids			outputs = {0};
	Datum		args[9];

	for (int i = 0; i < n; i++)
	{
		Run		   *r = marking_token(&c->m, RUN, run_ids->at[i]);

		r->lease = lease > 0 ? lease : marking_job(&c->m, r->job)->lease;
		r->lease_at = c->now + r->lease;
		jobs[i] = r->job;
		attempts[i] = r->attempt;
		firsts[i] = outputs.n + 1;
		for (int o = 0; o < r->outputs.n; o++)
			ids_add(&outputs, r->outputs.at[o]);
		lasts[i] = outputs.n;
		ids_add(&leases, r->lease);
		ids_add(&times, r->lease_at);
	}
	args[0] = ids_datum(run_ids);
	args[1] = int32s_datum(jobs, n);
	args[2] = int32s_datum(attempts, n);
	args[3] = ids_datum(&leases);
	args[4] = ids_datum(&outputs);
	args[5] = int32s_datum(firsts, n);
	args[6] = int32s_datum(lasts, n);
	args[7] = TimestampTzGetDatum(c->now);
	args[8] = worker;
	store_do(Q_RUNS_INSERT, args, NULL);
	timer_add('L', &times, run_ids);
}

/* The result: a row a run, in claim order. */
static void
show_runs(Call *c, const Ids *run_ids, ReturnSetInfo *result)
{
	for (int i = 0; i < run_ids->n; i++)
	{
		Run		   *r = marking_token(&c->m, RUN, run_ids->at[i]);
		const char **refs = palloc(sizeof(char *) * r->outputs.n);
		Datum		values[6];
		bool		nulls[6] = {false};

		for (int o = 0; o < r->outputs.n; o++)
			refs[o] = ((Partition *) marking_token(&c->m, PARTITION, r->outputs.at[o]))->ref;
		values[0] = Int64GetDatum(r->id);
		values[1] = text_datum(route_label(r->job));
		values[2] = texts_datum(refs, r->outputs.n);
		values[3] = route_config(r->job);
		values[4] = Int32GetDatum(r->attempt);
		values[5] = TimestampTzGetDatum(r->lease_at);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* The slots of limited jobs, and the live outputs that are made anew. */
static void
hold(Call *c, const Pick *k, const Ids *run_ids)
{
	Ids			parts = {0};
	Ids			runs = {0};

	for (int i = 0; i < k->nruns; i++)
	{
		const PickedRun *r = &k->runs[i];
		Ids			slot = {0};
		Ids			run = {0};

		for (int o = 0; o < r->outputs.n; o++)
			if (((Partition *) marking_token(&c->m, PARTITION, r->outputs.at[o]))->place == P_LIVE)
			{
				ids_add(&parts, r->outputs.at[o]);
				ids_add(&runs, run_ids->at[i]);
			}
		if (r->slot > 0)
		{
			Datum		args[] = {Int32GetDatum(r->job), 0, 0};

			ids_add(&slot, r->slot);
			ids_add(&run, run_ids->at[i]);
			args[1] = ids_datum(&slot);
			args[2] = ids_datum(&run);
			store_do(Q_SLOTS_USE, args, NULL);
		}
	}
	if (parts.n > 0)
	{
		Datum		args[] = {ids_datum(&parts), ids_datum(&runs)};

		store_do(Q_TAKEN_ADD, args, NULL);
	}
}

/* The runs have their numbers: what is being ended just now they see live. */
static void
note_ends_in_flight(Events *events)
{
	Ids			noted = gate_ends_in_flight();

	for (int i = 0; i < events->n; i++)
		if (events->at[i]->kind == EV_CLAIMED)
			events->at[i]->others = noted;
}

/* Find work, make runs of it, say which. */
static void
claim(Call *c, Datum worker, Datum labels, bool all, int max_runs, int64 lease, ReturnSetInfo *result)
{
	Pick		k = {.c = c,.most = Min(max_runs, MAX_RUNS)};
	Ids			run_ids = {0};
	Ids			sizes = {0};
	Ids			outputs = {0};

	pick_runs(&k, labels, all);
	if (k.lacking.n > 0)
	{
		/* what these lack may be the work to hand out */
		decide_sent_back(&c->m, &k.lacking, &c->events);
		call_apply(c);
		k.sent_back = true;
		pick_runs(&k, labels, all);
	}
	for (int i = 0; i < k.nruns; i++)
	{
		ids_add(&run_ids, gate_next());
		ids_add(&sizes, k.runs[i].outputs.n);
		for (int o = 0; o < k.runs[i].outputs.n; o++)
			ids_add(&outputs, k.runs[i].outputs.at[o]);
	}
	if (run_ids.n > 0)
	{
		call_now(c);
		decide_claim(&c->m, &run_ids, &sizes, &outputs, TextDatumGetCString(worker), &c->events);
		note_ends_in_flight(&c->events);
		hold(c, &k, &run_ids);
		call_log(c);
		insert_runs(c, &run_ids, worker, lease);
		call_apply(c);
		show_runs(c, &run_ids, result);
	}
	pick_finish(&k);
}

static Datum
arg_worker(FunctionCallInfo fcinfo, int n)
{
	Datum		worker = arg_needed(fcinfo, n, "worker");

	if (VARSIZE_ANY_EXHDR(DatumGetTextPP(worker)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"worker\" must not be empty"),
				 errhint("Give a name by which people find the worker, such as host and process.")));
	return worker;
}

/* What a claim is asked: arguments worker, jobs, max_runs, lease from n on. */
typedef struct Asked
{
	Datum		worker;
	bool		all;
	Datum	   *labels;
	int			nlabels;
	Datum		jobs;
	int32		max_runs;
	int64		lease;
} Asked;

static Asked
arg_claim(FunctionCallInfo fcinfo, int n)
{
	Asked		a = {.worker = arg_worker(fcinfo, n),.all = PG_ARGISNULL(n + 1)};

	if (!a.all)
	{
		a.labels = arg_texts(fcinfo, n + 1, "jobs", &a.nlabels);
		a.jobs = PG_GETARG_DATUM(n + 1);
	}
	a.max_runs = DatumGetInt32(arg_needed(fcinfo, n + 2, "max_runs"));
	a.lease = PG_ARGISNULL(n + 3) ? 0 : arg_lease(fcinfo, n + 3);
	if (a.max_runs < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"max_runs\" must be at least 1, not %d", a.max_runs)));
	return a;
}

static void
claim_asked(Call *c, const Asked *a, ReturnSetInfo *result)
{
	bool		all = a->all;
	Datum		jobs = caller_jobs(&c->caller, a->jobs, &all);

	check_labels(a->labels, a->nlabels);
	/* what nobody wants any more is not to be handed out, though many wants end at once */
	if (look_timers(c, TIMER_SHARE, true) == TIMER_SHARE)
		look_ends(c, ENDS_SHARE);
	look_agenda(c, AGENDA_SHARE);
	claim(c, a->worker, jobs, all, a->max_runs, a->lease, result);
}

PG_FUNCTION_INFO_V1(databuild_claim);

Datum
databuild_claim(PG_FUNCTION_ARGS)
{
	Asked		a = arg_claim(fcinfo, 0);
	Call	   *c;

	InitMaterializedSRF(fcinfo, 0);
	c = call_begin();
	claim_asked(c, &a, (ReturnSetInfo *) fcinfo->resultinfo);
	call_close(c);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(databuild_finish_and_claim);

/* succeed_many() and then claim(), in one call. */
Datum
databuild_finish_and_claim(PG_FUNCTION_ARGS)
{
	Ids			ids = {0};
	Ids			fresh;
	Asked		a;
	Call	   *c;

	arg_ids(fcinfo, 0, "run_ids", true, &ids);
	a = arg_claim(fcinfo, 1);
	InitMaterializedSRF(fcinfo, 0);
	c = call_begin();
	caller_reports(&c->caller, &ids);
	fresh = reported(c, &ids, RS_SUCCEEDED);
	if (fresh.n > 0)
	{
		decide_succeeded(&c->m, &fresh, NULL, c->now, &c->events);
		read_by(c, &fresh, NULL);
		call_apply(c);
	}
	claim_asked(c, &a, (ReturnSetInfo *) fcinfo->resultinfo);
	call_close(c);
	return (Datum) 0;
}

/* ---- heartbeat ---- */

static void
extend_leases(Call *c, const Ids *ids, int64 lease)
{
	Ids			running = {0};
	Ids			times = {0};
	Ids			leases = {0};
	Ids			sooner = {0};	/* those that a timer would find too late */
	Ids			sooner_at = {0};

	for (int i = 0; i < ids->n; i++)
	{
		Run		   *r = marking_token(&c->m, RUN, ids->at[i]);
		TimestampTz before = r->lease_at;

		if (r->place != R_RUNNING)
			continue;
		if (lease > 0)
			r->lease = lease;
		r->lease_at = c->now + r->lease;
		if (r->lease_at < before)
		{
			ids_add(&sooner, r->id);
			ids_add(&sooner_at, r->lease_at);
		}
		ids_add(&running, r->id);
		ids_add(&times, r->lease_at);
		ids_add(&leases, r->lease);
	}
	if (running.n > 0)
	{
		Datum		args[] = {ids_datum(&running), times_datum(times.at, times.n), ids_datum(&leases)};

		store_do(Q_RUNS_LEASE, args, NULL);
		timer_add('L', &sooner_at, &sooner);
	}
}

PG_FUNCTION_INFO_V1(databuild_heartbeat);

Datum
databuild_heartbeat(PG_FUNCTION_ARGS)
{
	Ids			ids = {0};
	int64		lease = PG_ARGISNULL(1) ? 0 : arg_lease(fcinfo, 1);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Call	   *c;

	arg_ids(fcinfo, 0, "run_ids", false, &ids);
	InitMaterializedSRF(fcinfo, 0);
	c = call_begin();
	caller_reports(&c->caller, &ids);
	(void) load_named_runs(c, &ids);
	call_now(c);
	extend_leases(c, &ids, lease);
	for (int i = 0; i < ids.n; i++)
	{
		const Run  *r = marking_token(&c->m, RUN, ids.at[i]);
		Datum		values[3] = {Int64GetDatum(r->id), text_datum(net_place_name(RUN, (int) r->place)),
		TimestampTzGetDatum(r->lease_at)};
		bool		nulls[3] = {false, false, r->place != R_RUNNING};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	call_close(c);
	return (Datum) 0;
}
