/*
 * ask.c
 *	  Functions of users' that say what refs need, or what is made along with
 *	  them: f(ref text) RETURNS text[].
 *
 * Whoever calls want() knows nothing of these functions, and they know nothing
 * of him: a function is asked as the role that defined the job, in a
 * security-restricted operation, in a subtransaction that is rolled back in
 * any case.  So nothing is left of it but its answers: no setting, role,
 * cursor, notification or lock (but for advisory locks of the session, which
 * no rollback gives back).  It may read what its role may read; what it would
 * write is refused, since it would be lost.  It must not call databuild, which
 * is in the middle of a call.  Its answers must not depend on whose session it
 * is, nor its statements mean something else there: search_path, the forms of
 * values and the planner's settings are always the same.
 *
 * The job table has names, not oids, which a dump or pg_upgrade would not take
 * along.  A name may come to stand for something else: so a function must
 * belong to whom it belonged when the job was defined.
 */
#include "store.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "tcop/dest.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

typedef struct Asking
{
	DestReceiver receiver;
	const JobFunction *f;
	Oid			role;
	const char *const *refs;
	int			n;
	int			done;			/* so many have been answered */
	Answer		answer;
	void	   *arg;
	MemoryContext memory;		/* for one answer */
} Asking;

/* What is being asked now. */
static const JobFunction *asked = NULL;

static const char *
argument_of(Declares which)
{
	return which == INPUTS ? "inputs_function" : "outputs_function";
}

void
ask_refuse_call(void)
{
	if (asked != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("function %s of job \"%s\" must not call databuild", asked->function, asked->job),
				 errdetail("It is called by databuild, in the middle of a call.")));
}

/* ---- which function ---- */

static void
refuse_kind(const char *function, Declares which, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("function %s cannot be an %s: %s", function, argument_of(which), what),
			 errhint("It takes one text, the ref, and returns text[].")));
}

/* The function must be one that can be asked; 22023. Its owner. */
static Oid
check_kind(Oid function, const char *name, Declares which)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc proc;
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	owner = proc->proowner;
	if (proc->prokind != PROKIND_FUNCTION)
		refuse_kind(name, which, "it is no plain function");
	if (proc->proretset)
		refuse_kind(name, which, "it returns a set");
	if (proc->pronargs != 1 || proc->proargtypes.values[0] != TEXTOID)
		refuse_kind(name, which, "it does not take one text");
	if (proc->prorettype != TEXTARRAYOID)
		refuse_kind(name, which, "it does not return text[]");
	if (isAnyTempNamespace(proc->pronamespace))
		refuse_kind(name, which, "it is temporary");
	ReleaseSysCache(tuple);
	return owner;
}

static char *
qualified_name(Oid function)
{
	return quote_qualified_identifier(get_namespace_name(get_func_namespace(function)), get_func_name(function));
}

/* By the name that the job table has, as the present user sees it; or none. */
static Oid
find_function(const char *name)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum		function;

	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = CStringGetTextDatum(name);
	fcinfo->args[0].isnull = false;
	function = to_regprocedure(fcinfo);
	return fcinfo->isnull ? InvalidOid : DatumGetObjectId(function);
}

void
ask_check(Oid function, Declares which, JobFunction *f)
{
	if (get_func_name(function) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function with OID %u does not exist", function)));
	f->owner = GetUserNameFromId(check_kind(function, format_procedure(function), which), false);
	f->function = psprintf("%s(text)", qualified_name(function));
	f->role = GetUserNameFromId(GetUserId(), false);
	if (find_function(f->function) != function)
		elog(ERROR, "function %s is not found by its name", f->function);
	if (!may_execute(function, GetUserId()))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, f->function);
}

/* The function of a job, as long as it is what it was when the job was defined. */
static Oid
present_function(const JobFunction *f)
{
	Oid			function = find_function(f->function);
	char	   *owner;

	if (!OidIsValid(function))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function %s of job \"%s\" does not exist", f->function, f->job),
				 errhint("Create it again, or define the job with another %s.", argument_of(f->which))));
	owner = GetUserNameFromId(check_kind(function, f->function, f->which), false);
	if (strcmp(owner, f->owner) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("function %s of job \"%s\" belongs to role \"%s\"", f->function, f->job, owner),
				 errdetail("It belonged to role \"%s\" when the job was defined.", f->owner),
				 errhint("If it is to be trusted, define the job again.")));
	return function;
}

static Oid
present_role(const JobFunction *f)
{
	Oid			role = get_role_oid(f->role, true);

	if (!OidIsValid(role))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\", as which function %s of job \"%s\" runs, does not exist", f->role, f->function, f->job),
				 errhint("Define the job again: its functions run as the role that does so.")));
	return role;
}

/* ---- the answers, as they come ---- */

static void
refuse_answer(const JobFunction *f, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("answer of function \"%s\" %s", f->function, what)));
}

static void
take_refs(Asking *a, ArrayType *array)
{
	Datum	   *refs;
	int			n;

	if (ARR_NDIM(array) > 1)
		refuse_answer(a->f, "must have one dimension");
	if (array_contains_nulls(array))
		refuse_answer(a->f, "must not contain nulls");
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &refs, NULL, &n);
	for (int k = 0; k < n; k++)
	{
		char	   *ref = TextDatumGetCString(refs[k]);

		CHECK_FOR_INTERRUPTS();
		ref_check("answer of function", a->f->function, ref, strlen(ref));
		a->answer(a->arg, a->done, ref);
		pfree(ref);
	}
}

/* A row: what the function said of the next ref; NULL is nothing. */
static bool
receive(TupleTableSlot *slot, DestReceiver *receiver)
{
	Asking	   *a = (Asking *) receiver;
	MemoryContext old = MemoryContextSwitchTo(a->memory);
	bool		isnull;
	Datum		refs = slot_getattr(slot, 1, &isnull);

	if (!isnull)
		take_refs(a, DatumGetArrayTypeP(refs));
	a->done++;
	MemoryContextSwitchTo(old);
	MemoryContextReset(a->memory);
	return true;
}

static void
start(DestReceiver *receiver, int operation, TupleDesc desc)
{
}

static void
nothing(DestReceiver *receiver)
{
}

static void
say_which(void *arg)
{
	const Asking *a = arg;

	if (a->done < a->n)
		errcontext("function %s of job \"%s\", asked about ref \"%s\"", a->f->function, a->f->job, a->refs[a->done]);
}

/* ---- asking ---- */

/* The rows come in the order of the refs: a scan of one function's result has no other. */
static void
run_statement(Asking *a, Oid function)
{
	Oid			types[] = {TEXTARRAYOID};
	SPIPlanPtr	plan = SPI_prepare(psprintf("SELECT %s(u.ref) FROM pg_catalog.unnest($1) AS u(ref)", qualified_name(function)),
								   1, types);
	SPIExecuteOptions options = {.params = makeParamList(1), .dest = &a->receiver};
	int			code;

	if (plan == NULL)
		elog(ERROR, "could not prepare a question: %s", SPI_result_code_string(SPI_result));
	options.params->params[0] = (ParamExternData)
	{
		texts_datum(a->refs, a->n), false, 0, TEXTARRAYOID
	};
	code = SPI_execute_plan_extended(plan, &options);
	if (code != SPI_OK_SELECT || a->done != a->n)
		elog(ERROR, "asking function %s gave %s", a->f->function, SPI_result_code_string(code));
	SPI_freeplan(plan);
}

/* Within the subtransaction, which takes all of this back. */
static bool
ask_as(void *arg)
{
	Asking	   *a = arg;
	static const char *const pinned[][2] = {
		{"search_path", "pg_catalog, pg_temp"},
		{"datestyle", "ISO, YMD"},
		{"intervalstyle", "postgres"},
		{"timezone", "UTC"},
		{"extra_float_digits", "1"},
		{"bytea_output", "hex"},
		{"standard_conforming_strings", "on"},
		{"row_security", "on"},
		{"max_parallel_workers_per_gather", "0"},
	};
	ErrorContextCallback context = {error_context_stack, say_which, a};
	Oid			user;
	int			security;

	asked = a->f;
	error_context_stack = &context;
	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(a->role, security | SECURITY_RESTRICTED_OPERATION);
	XactReadOnly = true;
	store_usual_planner();
	for (int i = 0; i < (int) lengthof(pinned); i++)
		(void) set_config_option(pinned[i][0], pinned[i][1], PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	run_statement(a, present_function(a->f));
	error_context_stack = context.previous;
	return false;
}

void
ask_function(const JobFunction *f, const char *const *refs, int n, Answer answer, void *arg)
{
	ErrorData  *error;
	Asking		a = {
		.receiver = {receive, start, nothing, nothing, DestTuplestore},
		.f = f,
		.role = present_role(f),
		.refs = refs,
		.n = n,
		.answer = answer,
		.arg = arg,
		.memory = AllocSetContextCreate(CurrentMemoryContext, "databuild answer", ALLOCSET_DEFAULT_SIZES),
	};

	store_planner();
	error = subxact_try(ask_as, &a);
	asked = NULL;
	store_planner_is_back();
	if (error != NULL)
		ReThrowError(error);
	MemoryContextDelete(a.memory);
}
