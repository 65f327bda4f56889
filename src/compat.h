/*
 * compat.h
 *	  What differs between the PostgreSQL versions that databuild runs on.
 */
#ifndef DATABUILD_COMPAT_H
#define DATABUILD_COMPAT_H

#include "postgres.h"

#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"

#if PG_VERSION_NUM >= 170000
#define lock_held_by_me(tag, mode)	LockHeldByMe(tag, mode, false)
#else
#define lock_held_by_me(tag, mode)	LockHeldByMe(tag, mode)
#endif

/* The number of the transaction among those of this backend. */
#if PG_VERSION_NUM >= 170000
#define MY_LXID		(MyProc->vxid.lxid)
#else
#define MY_LXID		(MyProc->lxid)
#endif

/* Who holds a lock, as GetLockConflicts() says it; NULL if it is gone or prepared. */
#if PG_VERSION_NUM >= 170000
#define VXID_PROC(vxid)		((vxid).procNumber == INVALID_PROC_NUMBER ? NULL : ProcNumberGetProc((vxid).procNumber))
#else
#define VXID_PROC(vxid)		((vxid).backendId == InvalidBackendId ? NULL : BackendIdGetProc((vxid).backendId))
#endif

/* Whether a role may execute a function. */
#if PG_VERSION_NUM >= 160000
#define may_execute(function, role) \
	(object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE) == ACLCHECK_OK)
#else
#define may_execute(function, role) \
	(pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK)
#endif

/* Which indexes an update left behind, and the entries for them. */
#if PG_VERSION_NUM >= 160000
#define UpdatedIndexes			TU_UpdateIndexes
#define UPDATES_NO_INDEX		TU_None
#define UPDATES_ALL_INDEXES		TU_All
#define insert_index_entries(info, slot, estate, is_update, updated) \
	((void) ExecInsertIndexTuples(info, slot, estate, is_update, false, NULL, NIL, (updated) == TU_Summarizing))
#define insert_index_entries_unless(info, slot, estate, conflict, arbiters) \
	((void) ExecInsertIndexTuples(info, slot, estate, false, true, conflict, arbiters, false))
#else
#define UpdatedIndexes			bool
#define UPDATES_NO_INDEX		false
#define UPDATES_ALL_INDEXES		true
#define insert_index_entries(info, slot, estate, is_update, updated) \
	((void) ExecInsertIndexTuples(info, slot, estate, is_update, false, NULL, NIL))
#define insert_index_entries_unless(info, slot, estate, conflict, arbiters) \
	((void) ExecInsertIndexTuples(info, slot, estate, false, true, conflict, arbiters))
#endif

/* Memory that the settings own. */
#if PG_VERSION_NUM < 160000
#define guc_malloc(elevel, size)	malloc(size)
#endif

/* What pg_regprefix() hands out. */
#if PG_VERSION_NUM < 160000
#define free_regprefix(p)	free(p)
#else
#define free_regprefix(p)	pfree(p)
#endif

/* Whether the role may do what only a table's owner may. */
#if PG_VERSION_NUM >= 160000
#define owns_table(relid, role)	object_ownercheck(RelationRelationId, relid, role)
#else
#define owns_table(relid, role)	pg_class_ownercheck(relid, role)
#endif

#endif							/* DATABUILD_COMPAT_H */
