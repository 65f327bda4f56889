/*
 * define.c
 *	  define_job(), define_source(), drop_job(), pause_job(), resume_job(): what
 *	  makes which refs.
 *
 * Definitions pass the gate alone, so that no call routes a ref by the old
 * patterns while it is defined anew.  Refs that are known already are routed
 * again, all of them: a definition is rare.  To pause a job changes no route,
 * and waits for nobody.
 */
#include "store.h"

#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

/* So many refs are routed at a time. */
#define BATCH	10000

/* A label is a short name that a worker can be told on a command line. */
static char *
arg_label(FunctionCallInfo fcinfo, int n)
{
	char	   *label = TextDatumGetCString(arg_needed(fcinfo, n, "label"));

	if (label[0] == '\0' || strlen(label) > 200)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a label must have 1 to 200 bytes, not %d", (int) strlen(label))));
	for (const char *p = label; *p != '\0'; p++)
		if ((unsigned char) *p < 0x20 || *p == 0x7f)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a label must not contain control characters")));
	return label;
}

static Datum
arg_patterns(FunctionCallInfo fcinfo, int n)
{
	int			count;
	Datum	   *patterns = arg_texts(fcinfo, n, "patterns", &count);

	for (int i = 0; i < count; i++)
		route_check_pattern(TextDatumGetCString(patterns[i]));
	return PG_GETARG_DATUM(n);
}

/* Templates, checked against all patterns; nulls[n] says whether there are any. */
static Datum
arg_templates(FunctionCallInfo fcinfo, int n, const char *name, int patterns_arg, char *null)
{
	int			count;
	int			npatterns;
	Datum	   *templates;
	Datum	   *texts = arg_texts(fcinfo, patterns_arg, "patterns", &npatterns);
	char	  **patterns = palloc(sizeof(char *) * npatterns);

	*null = PG_ARGISNULL(n) ? 'n' : ' ';
	if (PG_ARGISNULL(n))
		return (Datum) 0;
	for (int i = 0; i < npatterns; i++)
		patterns[i] = TextDatumGetCString(texts[i]);
	templates = arg_texts(fcinfo, n, name, &count);
	for (int i = 0; i < count; i++)
		route_check_template(TextDatumGetCString(templates[i]), patterns, npatterns);
	return PG_GETARG_DATUM(n);
}

static Datum
arg_at_least_one(FunctionCallInfo fcinfo, int n, const char *name)
{
	int32		value = DatumGetInt32(arg_needed(fcinfo, n, name));

	if (value < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be at least 1, not %d", name, value)));
	return Int32GetDatum(value);
}

static const Job *
job_of(Call *c, int32 id)
{
	call_jobs(c);
	return marking_job(&c->m, id);
}

/* The event, whose body is the definition as it now stands. */
static void
log_definition(Call *c, EventKind kind, int32 job)
{
	Datum		args[] = {Int32GetDatum(job)};
	Rows		rows = store_rows(Q_JOB_BODY, args, NULL);
	Event	   *e = events_add(&c->events, kind);

	e->job = job;
	e->body = DatumGetPointer(SPI_datumTransfer(rows_datum(&rows, 0, 0), false, -1));
	rows_free(&rows);
	wait_tell_work(0);		/* it may have been resumed, or its limit raised */
}

static Event *
rerouted_event(Call *c, int32 job)
{
	for (int i = 0; i < c->events.n; i++)
		if (c->events.at[i]->kind == EV_REROUTED && c->events.at[i]->job == job)
			return c->events.at[i];
	{
		Event	   *e = events_add(&c->events, EV_REROUTED);

		e->job = job;
		return e;
	}
}

/* Those of the rows that another job makes now, or the one that was defined. */
static Ids
changed_routes(const Rows *rows, int32 defined, Ids *routes)
{
	Ids			changed = {0};

	for (int i = 0; i < rows->n; i++)
	{
		char	   *ref = rows_text(rows, i, 1);
		int32		job = route_ref(ref, strlen(ref));

		CHECK_FOR_INTERRUPTS();
		if (job != rows_int32(rows, i, 2) || (job == defined && job != 0))
		{
			ids_add(&changed, rows_int64(rows, i, 0));
			ids_add(routes, job);
		}
		pfree(ref);
	}
	return changed;
}

/* Those that wait for what their job says that they need. */
static Ids
wait_as_declared(const Ids *parts)
{
	Datum		args[] = {ids_datum(parts)};

	return store_ids(Q_WAIT_AS_DECLARED, args);
}

/* The refs that change hands, or whose job is another now. */
static void
reroute_batch(Call *c, const Ids *changed, const Ids *routes)
{
	Ids			moved = {0};
	Ids			anew;

	forget_names(c);
	(void) load_partitions(c, changed, LOCK_WAIT);
	name_inputs(c, changed);
	call_now(c);
	call_log(c);
	for (int i = 0; i < changed->n; i++)
	{
		Partition  *p = marking_token(&c->m, PARTITION, changed->at[i]);

		if (p->job != (int32) routes->at[i])
			ids_add(&rerouted_event(c, (int32) routes->at[i])->parts, p->id);
		ids_add(&moved, p->id);
	}
	anew = declare_anew(c, changed);
	anew = wait_as_declared(&anew);
	decide_redeclared(&c->m, &anew, &c->events);
	call_write(c);				/* what they wait for anew is not to fall back before */
	look_again(c, &moved);
	call_apply(c);
}

/* Route the known refs anew; defined is the job that was defined. */
static void
reroute(Call *c, int32 defined)
{
	Ids			newest = store_ids(Q_PARTITION_LAST, NULL);
	int64		last = 0;
	int			n;

	if (newest.n == 0)
		return;
	do
	{
		/* what a batch names is routed and declared as it is named */
		Datum		args[] = {Int64GetDatum(last), Int64GetDatum(newest.at[0]), Int32GetDatum(BATCH)};
		Rows		rows = store_rows(Q_ROUTED, args, NULL);
		Ids			routes = {0};
		Ids			changed = changed_routes(&rows, defined, &routes);

		n = rows.n;
		if (n > 0)
			last = rows_int64(&rows, n - 1, 0);
		rows_free(&rows);
		if (changed.n > 0)
			reroute_batch(c, &changed, &routes);
	} while (n == BATCH);
}

static void
refuse_kind(const char *label, bool is_source)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("\"%s\" is a %s; it cannot be defined as a %s", label,
					is_source ? "source" : "job", is_source ? "job" : "source"),
			 errhint("Choose another label.")));
}

/* How many arguments JOB_UPDATE takes. */
#define DEFINED	17

/*
 * args from 1 on as JOB_UPDATE takes them (patterns, outputs, inputs, config,
 * batch_size, max_running, ... functions_role), and which of them are NULL.
 */
static void
define(const char *label, Datum *args, char *nulls)
{
	Call	   *c = call_begin_alone();
	bool		is_source = DatumGetBool(args[11]);
	int32		id = route_by_label(label);

	if (id == 0)
	{
		Datum		insert[DEFINED + 1];
		char		insert_nulls[DEFINED + 1] = {' ', ' '};

		id = (int32) gate_next_of("job_id_seq");
		insert[0] = Int32GetDatum(id);
		insert[1] = text_datum(label);
		memcpy(&insert[2], &args[1], sizeof(Datum) * (DEFINED - 1));
		memcpy(&insert_nulls[2], &nulls[1], DEFINED - 1);
		store_do(Q_JOB_INSERT, insert, insert_nulls);
	}
	else
	{
		if (job_of(c, id)->is_source != is_source)
			refuse_kind(label, !is_source);
		args[0] = Int32GetDatum(id);
		if (store_do(Q_JOB_UPDATE, args, nulls) == 0)
		{
			call_end(c);
			return;
		}
	}
	args[0] = Int32GetDatum(id);
	store_do(Q_SLOTS_ADD, args, NULL);
	store_do(Q_SLOTS_GIVE, args, NULL);
	route_changed();
	(void) job_of(c, id);
	log_definition(c, EV_JOB_DEFINED, id);
	reroute(c, id);
	call_apply(c);
	call_end(c);
}

static Datum
arg_at_most(FunctionCallInfo fcinfo, int n, const char *name, int32 most)
{
	int32		value = DatumGetInt32(arg_at_least_one(fcinfo, n, name));

	if (value > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be at most %d, not %d", name, most, value)));
	return Int32GetDatum(value);
}

/* A function's name and owner, and the role that names it, into args from at on and the last. */
static void
arg_function(FunctionCallInfo fcinfo, int n, Declares which, int at, Datum *args, char *nulls)
{
	JobFunction f;

	if (PG_ARGISNULL(n))
		return;
	ask_check(DatumGetObjectId(PG_GETARG_DATUM(n)), which, &f);
	args[at] = text_datum(f.function);
	args[at + 1] = text_datum(f.owner);
	args[DEFINED - 1] = text_datum(f.role);
	nulls[at] = nulls[at + 1] = nulls[DEFINED - 1] = ' ';
}

PG_FUNCTION_INFO_V1(databuild_define_job);

/*
 * label, patterns, outputs, inputs, config, batch_size, max_running,
 * max_attempts, max_misses, backoff, lease, outputs_function, inputs_function
 */
Datum
databuild_define_job(PG_FUNCTION_ARGS)
{
	char	   *label = arg_label(fcinfo, 0);
	Datum		args[DEFINED] = {0};
	char		nulls[] = "            nnnnn";

	args[1] = arg_patterns(fcinfo, 1);
	args[2] = arg_templates(fcinfo, 2, "outputs", 1, &nulls[2]);
	args[3] = arg_templates(fcinfo, 3, "inputs", 1, &nulls[3]);
	args[4] = arg_needed(fcinfo, 4, "config");
	args[5] = arg_at_most(fcinfo, 5, "batch_size", 1000);
	nulls[6] = PG_ARGISNULL(6) ? 'n' : ' ';
	args[6] = PG_ARGISNULL(6) ? (Datum) 0 : arg_at_most(fcinfo, 6, "max_running", 10000);
	args[7] = arg_at_least_one(fcinfo, 7, "max_attempts");
	args[8] = arg_at_least_one(fcinfo, 8, "max_misses");
	(void) arg_interval(fcinfo, 9, "backoff");
	args[9] = PG_GETARG_DATUM(9);
	(void) arg_lease(fcinfo, 10);
	args[10] = PG_GETARG_DATUM(10);
	args[11] = BoolGetDatum(false);
	arg_function(fcinfo, 11, OUTPUTS, 12, args, nulls);
	arg_function(fcinfo, 12, INPUTS, 14, args, nulls);
	define(label, args, nulls);
	PG_RETURN_VOID();
}

static Datum
interval_of(const char *text)
{
	return DirectFunctionCall3(interval_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

PG_FUNCTION_INFO_V1(databuild_define_source);

Datum
databuild_define_source(PG_FUNCTION_ARGS)
{
	char	   *label = arg_label(fcinfo, 0);
	Datum		args[DEFINED] = {0};
	char		nulls[] = "  nn  n     nnnnn";

	args[1] = arg_patterns(fcinfo, 1);
	args[4] = DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"));
	args[5] = Int32GetDatum(1);
	args[7] = Int32GetDatum(1);
	args[8] = Int32GetDatum(1);
	args[9] = interval_of("0");
	args[10] = interval_of("5 min");
	args[11] = BoolGetDatum(true);
	define(label, args, nulls);
	PG_RETURN_VOID();
}

/* ---- drop, pause, resume ---- */

static int32
job_by_label(const char *label)
{
	int32		id = route_by_label(label);

	if (id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("job \"%s\" does not exist", label),
				 errhint("SELECT label FROM databuild.jobs shows the jobs.")));
	return id;
}

PG_FUNCTION_INFO_V1(databuild_drop_job);

Datum
databuild_drop_job(PG_FUNCTION_ARGS)
{
	char	   *label = arg_label(fcinfo, 0);
	Call	   *c = call_begin_alone();
	int32		id = job_by_label(label);
	Datum		args[] = {Int32GetDatum(id)};
	Ids			running = store_ids(Q_JOB_RUNNING, args);

	if (running.n > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("job \"%s\" cannot be dropped while run " INT64_FORMAT " is running", label, running.at[0]),
				 errhint("Pause the job, and wait for its runs or cancel them.")));
	log_definition(c, EV_JOB_DROPPED, id);
	store_do(Q_JOB_DELETE, args, NULL);
	route_changed();
	call_jobs(c);
	reroute(c, 0);
	call_apply(c);
	call_end(c);
	PG_RETURN_VOID();
}

static void
set_paused(FunctionCallInfo fcinfo, bool paused)
{
	char	   *label = arg_label(fcinfo, 0);
	Call	   *c = call_begin();
	int32		id = job_by_label(label);
	Datum		args[] = {Int32GetDatum(id), BoolGetDatum(paused)};

	if (store_do(Q_JOB_PAUSE, args, NULL) > 0)
	{
		route_changed();
		log_definition(c, paused ? EV_JOB_PAUSED : EV_JOB_RESUMED, id);
		call_apply(c);
	}
	call_end(c);
}

PG_FUNCTION_INFO_V1(databuild_pause_job);

Datum
databuild_pause_job(PG_FUNCTION_ARGS)
{
	set_paused(fcinfo, true);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(databuild_resume_job);

Datum
databuild_resume_job(PG_FUNCTION_ARGS)
{
	set_paused(fcinfo, false);
	PG_RETURN_VOID();
}
