/*
 * change.c
 *	  The trigger of a tracked table: the refs that changed rows name, each
 *	  once, are published.
 *
 * Rows are read where they are, in the transition tables, or, before a
 * TRUNCATE, in the table and all that inherit from it: no SQL is run on the
 * user's table, which might carry expressions of somebody's making.  Values
 * become text by their types' output functions, called as the user who writes
 * the table, with the settings that these depend on pinned by the SQL
 * function; only then does the call run as the extension's owner, as foreign
 * keys do it.  What is kept in memory is each ref once, not the rows.
 *
 * What a row names that is no ref stops the statement that writes it; a row
 * that goes may name what it likes, or nobody could mend it.
 */
#include "track.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

typedef struct Change
{
	Relation	table;
	Template	template;
	int16	   *columns;		/* those that the template may name */
	int			ncolumns;
	HTAB	   *refs;			/* char *, each once */
	StringInfoData ref;			/* of the row at hand */
	char	   *last;			/* the newest of refs */
	MemoryContext row;			/* for what output functions leave behind */
} Change;

static void
refuse(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("databuild.record_change() %s", what),
			 errhint("SELECT databuild.track(table, template) makes the triggers that call it.")));
}

static void
check_trigger(const TriggerData *t)
{
	bool		truncate = TRIGGER_FIRED_BY_TRUNCATE(t->tg_event);

	if (!TRIGGER_FIRED_FOR_STATEMENT(t->tg_event) || t->tg_trigger->tgnargs != TRACK_ARGS ||
		truncate != (bool) TRIGGER_FIRED_BEFORE(t->tg_event) ||
		(!truncate && !TRIGGER_FIRED_BY_INSERT(t->tg_event) && t->tg_oldtable == NULL) ||
		(!truncate && !TRIGGER_FIRED_BY_DELETE(t->tg_event) && t->tg_newtable == NULL))
		refuse("was called by a trigger that is not of track()'s making");
}

/* ---- rows ---- */

/* Where the columns of the template are in the table, or in one that inherits from it. */
static void
aim(Change *c, Relation at)
{
	for (int i = 0; i < c->template.n; i++)
	{
		Piece	   *p = &c->template.at[i];
		AttrNumber	column;
		Oid			output;
		bool		varlena;

		if (p->name == NULL)
			continue;
		column = template_column(p, c->columns, c->ncolumns);
		if (column == 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("table \"%s\" is tracked by a column that it has no more", RelationGetRelationName(c->table)),
					 errdetail("The trigger that remembers the columns of the template was dropped, perhaps with one of them."),
					 errhint("Give the table a template anew with track(), or untrack() it.")));
		p->column = get_attnum(RelationGetRelid(at), get_attname(RelationGetRelid(c->table), column, false));
		getTypeOutputInfo(TupleDescAttr(RelationGetDescr(at), p->column - 1)->atttypid, &output, &varlena);
		fmgr_info(output, &p->output);
	}
}

/* The ref that the row names; false if a column is NULL. */
static bool
read_ref(Change *c, TupleTableSlot *slot)
{
	resetStringInfo(&c->ref);
	for (int i = 0; i < c->template.n; i++)
	{
		Piece	   *p = &c->template.at[i];
		bool		isnull;
		Datum		value;

		appendStringInfoString(&c->ref, p->text);
		if (p->name == NULL)
			break;
		value = slot_getattr(slot, p->column, &isnull);
		if (isnull)
			return false;
		appendStringInfoString(&c->ref, OutputFunctionCall(&p->output, value));
	}
	return true;
}

static void
refuse_ref(const Change *c, const char *fault)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("a row of table \"%s\" names \"%s\", which can be no ref",
					RelationGetRelationName(c->table), shown_value(c->ref.data, c->ref.len)),
			 errdetail("%s", fault),
			 errhint("SELECT ref_template FROM databuild.tracked shows the template of the table.")));
}

static void
take_row(Change *c, TupleTableSlot *slot, bool written)
{
	MemoryContext outer = MemoryContextSwitchTo(c->row);
	const char *fault = NULL;
	bool		passed = true;

	if (read_ref(c, slot) && (c->last == NULL || strcmp(c->last, c->ref.data) != 0))
		(void) hash_search(c->refs, &c->ref.data, HASH_FIND, &passed);
	if (!passed)
		fault = ref_fault(c->ref.data, c->ref.len);
	if (fault != NULL && written)
		refuse_ref(c, fault);
	passed = passed || fault != NULL;
	MemoryContextSwitchTo(outer);
	MemoryContextReset(c->row);
	if (passed)
		return;
	c->last = pstrdup(c->ref.data);
	(void) hash_search(c->refs, &c->last, HASH_ENTER, &passed);
}

/* A transition table, in the form of the trigger's table also where its rows are of others. */
static void
take_transition(Change *c, Tuplestorestate *rows, bool written)
{
	TupleTableSlot *slot;

	if (rows == NULL)
		return;
	slot = MakeSingleTupleTableSlot(RelationGetDescr(c->table), &TTSOpsMinimalTuple);
	aim(c, c->table);
	/* other readers have pointers of their own */
	tuplestore_select_read_pointer(rows, tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND));
	tuplestore_rescan(rows);
	while (tuplestore_gettupleslot(rows, true, false, slot))
	{
		CHECK_FOR_INTERRUPTS();
		take_row(c, slot, written);
	}
	ExecDropSingleTupleTableSlot(slot);
}

static void
take_table(Change *c, Relation table)
{
	TupleTableSlot *slot = table_slot_create(table, NULL);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(table, snapshot, 0, NULL);

	aim(c, table);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		take_row(c, slot, false);
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
}

/* All rows that a TRUNCATE is about to remove; those of foreign tables are not ours to read. */
static void
take_tables(Change *c)
{
	List	   *tables = find_all_inheritors(RelationGetRelid(c->table), AccessShareLock, NULL);

	for (int i = 0; i < list_length(tables); i++)
	{
		Relation	table = table_open(list_nth_oid(tables, i), NoLock);

		if (table->rd_rel->relkind == RELKIND_RELATION && !RELATION_IS_OTHER_TEMP(table))
			take_table(c, table);
		table_close(table, NoLock);
	}
}

/* ---- what comes of it ---- */

static Datum *
sorted(Change *c, int *n)
{
	Datum	   *refs = palloc(sizeof(Datum) * (hash_get_num_entries(c->refs) + 1));
	HASH_SEQ_STATUS all;
	char	  **ref;

	*n = 0;
	hash_seq_init(&all, c->refs);
	while ((ref = hash_seq_search(&all)) != NULL)
		refs[(*n)++] = CStringGetTextDatum(*ref);
	sort_refs(refs, *n);
	return refs;
}

static const char *
full_name(Relation table)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(table)), RelationGetRelationName(table));
}

/* {"table": "public.noaa", "operation": "INSERT"} */
static void *
body(const TriggerData *t)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"table\": ");
	escape_json(&json, full_name(t->tg_relation));
	appendStringInfo(&json, ", \"operation\": \"%s\"}",
					 TRIGGER_FIRED_BY_INSERT(t->tg_event) ? "INSERT" :
					 TRIGGER_FIRED_BY_UPDATE(t->tg_event) ? "UPDATE" :
					 TRIGGER_FIRED_BY_DELETE(t->tg_event) ? "DELETE" : "TRUNCATE");
	return DatumGetPointer(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}

static void
publish(Change *c, const TriggerData *t)
{
	int			n;
	Datum	   *refs = sorted(c, &n);
	const char *taint_reason = NULL;

	if (n == 0)
		return;
	if (strcmp(t->tg_trigger->tgargs[1], "true") == 0)
		taint_reason = psprintf("rows of %s changed", full_name(t->tg_relation));
	publish_changes(refs, n, body(t), taint_reason);
}

PG_FUNCTION_INFO_V1(databuild_record_change);

Datum
databuild_record_change(PG_FUNCTION_ARGS)
{
	const TriggerData *t = (const TriggerData *) fcinfo->context;
	Oid			function = fcinfo->flinfo->fn_oid;
	Change		c = {0};
	const Trigger *keeper;

	if (!CALLED_AS_TRIGGER(fcinfo))
		refuse("was not called by a trigger");
	if (TRIGGER_FIRED_BEFORE(t->tg_event) && TRIGGER_FIRED_BY_UPDATE(t->tg_event) &&
		TRIGGER_FIRED_FOR_STATEMENT(t->tg_event))
		return PointerGetDatum(NULL);	/* it only remembers columns */
	check_trigger(t);
	c.table = t->tg_relation;
	c.template = template_parse(t->tg_trigger->tgargs[0]);
	keeper = track_keeper(c.table, function);
	if (keeper != NULL && keeper->tgnattr > 0)
	{
		c.ncolumns = keeper->tgnattr;
		c.columns = palloc(sizeof(int16) * c.ncolumns);
		memcpy(c.columns, keeper->tgattr, sizeof(int16) * c.ncolumns);
	}
	c.refs = ref_set(sizeof(char *));
	c.row = AllocSetContextCreate(CurrentMemoryContext, "databuild row", ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&c.ref);
	if (TRIGGER_FIRED_BY_TRUNCATE(t->tg_event))
		take_tables(&c);
	take_transition(&c, t->tg_oldtable, false);
	take_transition(&c, t->tg_newtable, true);
	publish(&c, t);
	return PointerGetDatum(NULL);
}
