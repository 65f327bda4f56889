/*
 * caller.c
 *	  On whose behalf a call is made, and for which jobs he may work.
 *
 * A writing call is a function of the caller's that turns into the owner of
 * the log as soon as it begins.  Were it SECURITY DEFINER, PostgreSQL would
 * have turned already, and would tell only the role outside of all such
 * functions: an index function of a worker's would act as the superuser who
 * analyses the table.  So it is the role whose right to EXECUTE was checked
 * that the log names and whose jobs count.
 *
 * Whoever may execute bound_to_jobs() is bound to jobs, unless he may execute
 * any_job(), too: rights like others, which are inherited, dumped and revoked
 * as PostgreSQL does it, and cost a look at an ACL.  Who is bound works for the
 * jobs that databuild.worker_job has for a role whose rights are his; if the
 * rows are lost, for none.
 */
#include "store.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static Oid
owner_of_log(void)
{
	Oid			log = get_relname_relid("event", get_namespace_oid("databuild", false));
	HeapTuple	row = SearchSysCache1(RELOID, ObjectIdGetDatum(log));
	Oid			owner;

	if (!HeapTupleIsValid(row))
		elog(ERROR, "relation databuild.event is missing");
	owner = ((Form_pg_class) GETSTRUCT(row))->relowner;
	ReleaseSysCache(row);
	return owner;
}

/* After an error the abort makes him the caller again. */
Caller
caller_enter(void)
{
	Caller		caller;

	GetUserIdAndSecContext(&caller.role, &caller.context);
	SetUserIdAndSecContext(owner_of_log(), caller.context | SECURITY_LOCAL_USERID_CHANGE);
	return caller;
}

void
caller_leave(const Caller *caller)
{
	SetUserIdAndSecContext(caller->role, caller->context);
}

const char *
caller_role(const Caller *caller)
{
	return caller->role == GetSessionUserId() ? NULL : GetUserNameFromId(caller->role, false);
}

static bool
may_call(const Caller *caller, const char *name)
{
	Oid			function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name),
										   PointerGetDatum(buildoidvector(NULL, 0)),
										   ObjectIdGetDatum(get_namespace_oid("databuild", false)));

	return OidIsValid(function) && may_execute(function, caller->role);
}

static bool
may_do_any_job(const Caller *caller)
{
	return may_call(caller, "any_job") || !may_call(caller, "bound_to_jobs");
}

/* The labels, ascending, of the jobs that some role of the caller's is bound to. */
static const char **
bound_to(const Caller *caller, int *n)
{
	Rows		rows = store_rows(Q_BOUND, NULL, NULL);
	const char **labels = palloc(sizeof(char *) * (rows.n + 1));

	*n = 0;
	for (int i = 0; i < rows.n; i++)
	{
		char	   *label = rows_text(&rows, i, 0);
		Oid			role = get_role_oid(rows_text(&rows, i, 1), true);

		if (OidIsValid(role) && has_privs_of_role(caller->role, role) &&
			(*n == 0 || strcmp(labels[*n - 1], label) != 0))
			labels[(*n)++] = label;
	}
	rows_free(&rows);
	return labels;
}

static bool
among(const char *label, const char **labels, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(labels[i], label) == 0)
			return true;
	return false;
}

static void refuse(const Caller *caller, int64 run, const char *label, const char **labels, int n) pg_attribute_noreturn();

/* The run (0: none) is of the job, or a claim names it; NULL: the claim names none. */
static void
refuse(const Caller *caller, int64 run, const char *label, const char **labels, int n)
{
	const char *role = GetUserNameFromId(caller->role, false);
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < n; i++)
		appendStringInfo(&list, "%s\"%s\"", i == 0 ? "" : ", ", labels[i]);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 label == NULL ? errmsg("role \"%s\" may work for no job", role) :
			 run == 0 ? errmsg("role \"%s\" may not work for job \"%s\"", role, label) :
			 errmsg("role \"%s\" may not report on run " INT64_FORMAT ", which is of job \"%s\"", role, run, label),
			 n == 0 ? 0 : errdetail("It may work for %s.", list.data),
			 errhint("Databuild's owner says with databuild.grant_worker(role, jobs) for which jobs a role may work.")));
}

Datum
caller_jobs(const Caller *caller, Datum asked, bool *all)
{
	const char **labels;
	int			n;
	Datum	   *wanted;
	int			nwanted;

	if (may_do_any_job(caller))
		return asked;
	labels = bound_to(caller, &n);
	if (*all && n == 0)
		refuse(caller, 0, NULL, labels, n);
	if (*all)
	{
		*all = false;
		return texts_datum(labels, n);
	}
	deconstruct_array(DatumGetArrayTypeP(asked), TEXTOID, -1, false, TYPALIGN_INT, &wanted, NULL, &nwanted);
	for (int i = 0; i < nwanted; i++)
		if (!among(TextDatumGetCString(wanted[i]), labels, n))
			refuse(caller, 0, TextDatumGetCString(wanted[i]), labels, n);
	return asked;
}

void
caller_reports(const Caller *caller, const Ids *runs)
{
	Datum		args[] = {ids_datum(runs)};
	const char **labels;
	int			n;
	Rows		rows;

	if (may_do_any_job(caller))
		return;
	labels = bound_to(caller, &n);
	rows = store_rows(Q_LABELS_OF_RUNS, args, NULL);
	for (int i = 0; i < rows.n; i++)
	{
		char	   *label = rows_text(&rows, i, 1);

		if (!among(label, labels, n))
			refuse(caller, rows_int64(&rows, i, 0), label, labels, n);
	}
	rows_free(&rows);
}

PG_FUNCTION_INFO_V1(databuild_my_jobs);

/* What a claim that asks for these jobs (NULL: for none by name) may get. */
Datum
databuild_my_jobs(PG_FUNCTION_ARGS)
{
	bool		all = PG_ARGISNULL(0);
	Datum		jobs = 0;
	Caller		caller;
	int			level;
	int			n;

	if (!all)
		(void) arg_texts(fcinfo, 0, "jobs", &n);
	caller = caller_enter();
	level = store_open();
	jobs = caller_jobs(&caller, all ? (Datum) 0 : PG_GETARG_DATUM(0), &all);
	if (!all)
		jobs = SPI_datumTransfer(jobs, false, -1);
	store_close(level);
	caller_leave(&caller);
	if (all)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(jobs);
}
