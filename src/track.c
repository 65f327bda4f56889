/*
 * track.c
 *	  track(), untrack(): from then on, whoever writes a table publishes the
 *	  refs that the changed rows name.
 *
 * No table of ours says what is tracked: the triggers do.  So pg_dump takes
 * it along with the user's table, and it goes with the table.  They are made
 * as the caller, whose rights PostgreSQL checks as for CREATE TRIGGER.
 *
 * Three triggers have transition tables, which are for one event each.  The
 * fourth is for TRUNCATE; and BEFORE UPDATE OF the columns of the template,
 * when it does nothing: a list of columns is the one thing in a trigger that
 * follows a column that is renamed, is dumped by name, and keeps a column from
 * being dropped.  The templates in the triggers' arguments name columns by
 * their place in that list, "noaa/{1}".
 */
#include "track.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_trigger.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* ---- templates ---- */

static void bad_template(const char *source, const char *what) pg_attribute_noreturn();

static void
bad_template(const char *source, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid template \"%s\": %s", shown_value(source, strlen(source)), what),
			 errhint("{column} stands for the column's value, {{ and }} for braces, all else for itself.")));
}

static void
add_piece(Template *t, StringInfo text, char *name)
{
	t->at = t->n == 0 ? palloc(sizeof(Piece)) : repalloc(t->at, sizeof(Piece) * (t->n + 1));
	t->at[t->n++] = (Piece) {.text = pstrdup(text->data), .name = name};
	resetStringInfo(text);
}

Template
template_parse(const char *source)
{
	Template	t = {0};
	StringInfoData text;

	initStringInfo(&text);
	for (const char *s = source; *s != '\0'; s++)
	{
		const char *end;

		if (*s != '{' && *s != '}')
			appendStringInfoChar(&text, *s);
		else if (s[1] == *s)
			appendStringInfoChar(&text, *s++);
		else if (*s == '}')
			bad_template(source, "a brace is closed that was not opened");
		else if ((end = strchr(s, '}')) == NULL)
			bad_template(source, "a brace is not closed");
		else if (end == s + 1)
			bad_template(source, "no column stands between the braces");
		else
		{
			add_piece(&t, &text, pnstrdup(s + 1, end - s - 1));
			s = end;
		}
	}
	add_piece(&t, &text, NULL);
	return t;
}

/* Literal text of the template, as written in templates. */
static void
append_literal(StringInfo out, const char *text)
{
	for (; *text != '\0'; text++)
	{
		if (*text == '{' || *text == '}')
			appendStringInfoChar(out, *text);
		appendStringInfoChar(out, *text);
	}
}

AttrNumber
template_column(const Piece *piece, const int16 *columns, int ncolumns)
{
	long		place = strtol(piece->name, NULL, 10);

	return place < 1 || place > ncolumns ? 0 : columns[place - 1];
}

/* ---- what may be tracked ---- */

static List *
function_name(void)
{
	return list_make2(makeString("databuild"), makeString("record_change"));
}

static void
check_table(Oid table)
{
	char		kind = get_rel_relkind(table);
	char	   *name = get_rel_name(table);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table with OID %u does not exist", table)));
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table whose rows can be tracked", name),
				 errhint("Ordinary and partitioned tables can.")));
	if (get_rel_namespace(table) == get_namespace_oid("databuild", false))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a table of databuild's own; it cannot be tracked", name)));
}

static void
check_literal(const char *source, const Template *t)
{
	int			len = 0;

	if (t->n - 1 > MAX_REF_BYTES)
		bad_template(source, psprintf("more than %d columns stand in it", MAX_REF_BYTES));
	for (int i = 0; i < t->n; i++)
		len += strlen(t->at[i].text);
	if (len == 0 && t->n == 1)
		bad_template(source, "it is empty");
	if (len > MAX_REF_BYTES)
		bad_template(source, psprintf("refs have at most %d bytes", MAX_REF_BYTES));
	for (int i = 0; i < t->n; i++)
		if (t->at[i].text[0] != '\0' && ref_fault(t->at[i].text, strlen(t->at[i].text)) != NULL)
			bad_template(source, "refs have no control characters");
}

/* ---- the triggers ---- */

typedef struct Kind
{
	char	   *name;			/* unless it has another already */
	int16		timing;
	int16		event;
	bool		old_rows;
	bool		new_rows;
} Kind;

static const Kind kinds[] = {
	{"databuild_insert", TRIGGER_TYPE_AFTER, TRIGGER_TYPE_INSERT, false, true},
	{"databuild_update", TRIGGER_TYPE_AFTER, TRIGGER_TYPE_UPDATE, true, true},
	{"databuild_delete", TRIGGER_TYPE_AFTER, TRIGGER_TYPE_DELETE, true, false},
	{"databuild_truncate", TRIGGER_TYPE_BEFORE, TRIGGER_TYPE_TRUNCATE, false, false},
};

/* The table's trigger of that kind, or NULL. */
static const Trigger *
find_trigger(Relation table, Oid function, const Kind *kind)
{
	for (int i = 0; table->trigdesc != NULL && i < table->trigdesc->numtriggers; i++)
	{
		const Trigger *t = &table->trigdesc->triggers[i];

		if (t->tgfoid == function && (t->tgtype & kind->event) != 0 &&
			(t->tgtype & TRIGGER_TYPE_BEFORE) == kind->timing)
			return t;
	}
	return NULL;
}

const Trigger *
track_keeper(Relation table, Oid function)
{
	return find_trigger(table, function, &kinds[lengthof(kinds) - 1]);
}

static List *
transition(List *list, char *name, bool is_new)
{
	TriggerTransition *t = makeNode(TriggerTransition);

	t->name = name;
	t->isNew = is_new;
	t->isTable = true;
	return lappend(list, t);
}

/* Make one of the triggers, in the place of the one that is there. */
static void
make_trigger(Oid table, Oid function, const Kind *kind, char *name, List *args, List *columns)
{
	CreateTrigStmt *s = makeNode(CreateTrigStmt);
	ObjectAddress trigger;
	ObjectAddress extension;

	s->replace = name != NULL;
	s->funcname = function_name();	/* for messages */
	s->trigname = name != NULL ? name : kind->name;
	s->timing = kind->timing;
	s->events = kind->event | (columns != NIL ? TRIGGER_TYPE_UPDATE : 0);
	s->columns = columns;
	s->args = args;
	if (kind->old_rows)
		s->transitionRels = transition(s->transitionRels, "old_rows", false);
	if (kind->new_rows)
		s->transitionRels = transition(s->transitionRels, "new_rows", true);
	trigger = CreateTrigger(s, "", table, InvalidOid, InvalidOid, InvalidOid, function, InvalidOid,
							NULL, false, false);
	/* as ALTER TRIGGER ... DEPENDS ON EXTENSION, which pg_dump makes of it */
	ObjectAddressSet(extension, ExtensionRelationId, get_extension_oid("databuild", false));
	recordDependencyOn(&trigger, &extension, DEPENDENCY_AUTO_EXTENSION);
	CommandCounterIncrement();
}

/* The template as it is stored; the columns, as names, go to columns. */
static char *
stored_template(Relation table, const Template *t, List **columns)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < t->n; i++)
	{
		AttrNumber	column;
		String	   *name;

		append_literal(&out, t->at[i].text);
		if (t->at[i].name == NULL)
			continue;
		column = get_attnum(RelationGetRelid(table), t->at[i].name);
		if (column <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("table \"%s\" has no column \"%s\"", RelationGetRelationName(table), t->at[i].name)));
		name = makeString(t->at[i].name);
		if (!list_member(*columns, name))
			*columns = lappend(*columns, name);
		for (int k = 0; k < list_length(*columns); k++)
			if (equal(list_nth(*columns, k), name))
				appendStringInfo(&out, "{%d}", k + 1);
	}
	return out.data;
}

static void
make_triggers(Oid table_id, const Template *t, bool taint_downstream)
{
	Relation	table = table_open(table_id, ShareRowExclusiveLock);
	Oid			function = LookupFuncName(function_name(), 0, NULL, false);
	List	   *columns = NIL;
	char	   *stored = stored_template(table, t, &columns);
	List	   *args = list_make2(makeString(stored), makeString(taint_downstream ? "true" : "false"));
	char	   *names[lengthof(kinds)];

	for (int i = 0; i < (int) lengthof(kinds); i++)
	{
		const Trigger *old = find_trigger(table, function, &kinds[i]);

		names[i] = old == NULL ? NULL : pstrdup(old->tgname);
	}
	table_close(table, NoLock);
	for (int i = 0; i < (int) lengthof(kinds); i++)
		make_trigger(table_id, function, &kinds[i], names[i], args,
					 kinds[i].event == TRIGGER_TYPE_TRUNCATE ? columns : NIL);
}

PG_FUNCTION_INFO_V1(databuild_track);

Datum
databuild_track(PG_FUNCTION_ARGS)
{
	Oid			table = DatumGetObjectId(arg_needed(fcinfo, 0, "tbl"));
	char	   *source = TextDatumGetCString(arg_needed(fcinfo, 1, "ref_template"));
	bool		taint_downstream = DatumGetBool(arg_needed(fcinfo, 2, "taint_downstream"));
	Template	t = template_parse(source);

	check_literal(source, &t);
	check_table(table);
	/* CreateTrigger() says so, too, but only when it holds the lock */
	if (pg_class_aclcheck(table, GetUserId(), ACL_TRIGGER) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(table));
	make_triggers(table, &t, taint_downstream);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(databuild_untrack);

Datum
databuild_untrack(PG_FUNCTION_ARGS)
{
	Oid			table_id = DatumGetObjectId(arg_needed(fcinfo, 0, "tbl"));
	Oid			function = LookupFuncName(function_name(), 0, NULL, false);
	ObjectAddresses *triggers = new_object_addresses();
	Relation	table;
	int			n = 0;

	check_table(table_id);
	if (!owns_table(table_id, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(table_id));
	table = table_open(table_id, AccessExclusiveLock);
	for (int i = 0; table->trigdesc != NULL && i < table->trigdesc->numtriggers; i++)
	{
		ObjectAddress trigger;

		if (table->trigdesc->triggers[i].tgfoid != function)
			continue;
		ObjectAddressSet(trigger, TriggerRelationId, table->trigdesc->triggers[i].tgoid);
		add_exact_object_address(&trigger, triggers);
		n++;
	}
	table_close(table, NoLock);
	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" is not tracked", get_rel_name(table_id)),
				 errhint("SELECT tbl FROM databuild.tracked shows the tables that are.")));
	performMultipleDeletions(triggers, DROP_RESTRICT, 0);
	PG_RETURN_VOID();
}
