/*
 * caller.c
 *	  On whose behalf a call is made.
 *
 * A writing call is a function of the caller's that turns into the owner of
 * the log as soon as it begins.  Were it SECURITY DEFINER, PostgreSQL would
 * have turned already, and would tell only the role outside of all such
 * functions: an index function of a worker's would act as the superuser who
 * analyses the table.  So it is the role whose right to EXECUTE was checked
 * that the log names.
 */
#include "store.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
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
