/*
 * store.c
 *	  Kept plans and their execution: the only way from C to the tables.
 *
 * Plans are prepared once a backend and kept.  They may be planned again at
 * any execution, so the settings that keep them on their index paths are set
 * around all of them: a plan must not depend on statistics, which a fresh
 * database does not have.  search_path is pinned by the SQL function through
 * which every caller comes.
 *
 * A statement runs with the newest snapshot also under REPEATABLE READ and
 * SERIALIZABLE, as foreign keys do it: with the transaction's snapshot a
 * finish would not see a watch committed after it, and nobody would wake.
 */
#include "store.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

typedef struct StatementRow
{
	const char *name;
	int			expected;		/* SPI's code */
	int			nargs;
	Oid			types[20];
	const char *sql;
} StatementRow;

#define I8		INT8OID
#define I4		INT4OID
#define I2		INT2OID
#define BOOL_	BOOLOID
#define TEXT_	TEXTOID
#define TIME_	TIMESTAMPTZOID
#define JSON_	JSONBOID
#define CHAR_	CHAROID
#define I8S		INT8ARRAYOID
#define I4S		INT4ARRAYOID
#define I2S		INT2ARRAYOID
#define TEXTS	TEXTARRAYOID
#define CHARS	CHARARRAYOID
#define TIMES	TIMESTAMPTZARRAYOID
#define TIDS	TIDARRAYOID
#define TYPES(...) sizeof((Oid[]) {InvalidOid, ##__VA_ARGS__}) / sizeof(Oid) - 1, {__VA_ARGS__}

static const StatementRow queries[] = {
#define QUERY(q, code, types, sql) [Q_##q] = {#q, code, types, sql},
#include "plans.def"
#undef QUERY
};

static SPIPlanPtr plans[N_QUERIES];

static const char *const settings[][2] = {
	{"enable_indexscan", "on"},
	{"enable_indexonlyscan", "on"},
	{"enable_tidscan", "on"},
	{"enable_nestloop", "on"},
	{"enable_sort", "on"},
	{"join_collapse_limit", "1"},	/* joins as they are written */
	{"from_collapse_limit", "1"},
	{"enable_seqscan", "off"},
	{"enable_hashjoin", "off"},
	{"enable_mergejoin", "off"},
	{"enable_bitmapscan", "off"},
	{"enable_material", "off"},
	{"enable_memoize", "off"},
	{"jit", "off"},
	{"plan_cache_mode", "force_generic_plan"},
};

/* Whether the settings are those of this call: one that needs no plan does without. */
static bool planner_set;

int
store_open(void)
{
	int			level = NewGUCNestLevel();

	planner_set = false;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	return level;
}

void
store_planner(void)
{
	for (int i = 0; !planner_set && i < (int) lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	planner_set = true;
}

/* After that subtransaction was rolled back. */
void
store_planner_is_back(void)
{
	planner_set = true;
}

/* For statements that are not ours: the planner as the session has it, until the subtransaction ends. */
void
store_usual_planner(void)
{
	for (int i = 0; i < (int) lengthof(settings); i++)
		(void) set_config_option(settings[i][0], GetConfigOptionResetString(settings[i][0]), PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

/* After an error there is nothing to close: the abort takes both back. */
void
store_close(int level)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	AtEOXact_GUC(true, level);
}

static SPIPlanPtr
plan(Statement query)
{
	const StatementRow *row = &queries[query];

	if (plans[query] == NULL)
	{
		SPIPlanPtr	made = SPI_prepare(row->sql, row->nargs, (Oid *) row->types);

		if (made == NULL || SPI_keepplan(made) != 0)
			elog(ERROR, "could not prepare %s: %s", row->name, SPI_result_code_string(SPI_result));
		plans[query] = made;
	}
	return plans[query];
}

static void
execute(Statement query, Datum *args, const char *nulls)
{
	SPIPlanPtr	prepared = plan(query);
	int			code;

	store_planner();
	if (!IsolationUsesXactSnapshot())
		code = SPI_execute_plan(prepared, args, nulls, false, 0);
	else
	{
		PushActiveSnapshot(GetLatestSnapshot());
		code = SPI_execute_snapshot(prepared, args, nulls, GetActiveSnapshot(),
									InvalidSnapshot, false, true, 0);
		PopActiveSnapshot();
	}
	if (code != queries[query].expected)
		elog(ERROR, "%s gave %s", queries[query].name, SPI_result_code_string(code));
}

int
store_do(Statement query, Datum *args, const char *nulls)
{
	Rows		rows;

	if (direct_execute(query, args, nulls, &rows))
		return rows.n;
	execute(query, args, nulls);
	if (SPI_tuptable != NULL)
		SPI_freetuptable(SPI_tuptable);
	return (int) SPI_processed;
}

Rows
store_rows(Statement query, Datum *args, const char *nulls)
{
	Rows		rows;

	if (direct_execute(query, args, nulls, &rows))
		return rows;
	execute(query, args, nulls);
	return (Rows) {.table = SPI_tuptable,.n = (int) SPI_processed};
}

Rows
store_read(Statement query, Datum *args, const char *nulls)
{
	int			code;

	store_planner();
	code = SPI_execute_plan(plan(query), args, nulls, true, 0);
	if (code != queries[query].expected)
		elog(ERROR, "%s gave %s", queries[query].name, SPI_result_code_string(code));
	return (Rows) {.table = SPI_tuptable,.n = (int) SPI_processed};
}

static Datum
value_at(const Rows *rows, int row, int column, bool *isnull)
{
	if (rows->table != NULL)
		return SPI_getbinval(rows->table->vals[row], rows->table->tupdesc, column + 1, isnull);
	*isnull = rows->nulls[row * rows->columns + column];
	return rows->values[row * rows->columns + column];
}

Datum
rows_datum(const Rows *rows, int row, int column)
{
	bool		isnull;
	Datum		value = value_at(rows, row, column, &isnull);

	if (isnull)
		elog(ERROR, "unexpected null in column %d", column);
	return value;
}

bool
rows_null(const Rows *rows, int row, int column)
{
	bool		isnull;

	(void) value_at(rows, row, column, &isnull);
	return isnull;
}

int64
rows_int64(const Rows *rows, int row, int column)
{
	return DatumGetInt64(rows_datum(rows, row, column));
}

int32
rows_int32(const Rows *rows, int row, int column)
{
	return DatumGetInt32(rows_datum(rows, row, column));
}

char
rows_char(const Rows *rows, int row, int column)
{
	return DatumGetChar(rows_datum(rows, row, column));
}

/* NULL for NULL. */
char *
rows_text(const Rows *rows, int row, int column)
{
	return rows_null(rows, row, column) ? NULL :
		TextDatumGetCString(rows_datum(rows, row, column));
}

void
rows_ids(const Rows *rows, int row, int column, Ids *ids)
{
	ArrayType  *array;

	if (rows_null(rows, row, column))
		return;
	array = DatumGetArrayTypeP(rows_datum(rows, row, column));
	for (int i = 0; i < ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)); i++)
		ids_add(ids, ((int64 *) ARR_DATA_PTR(array))[i]);
}

void
rows_free(Rows *rows)
{
	if (rows->table != NULL)
		SPI_freetuptable(rows->table);
	rows->table = NULL;
	if (rows->memory != NULL)
		MemoryContextDelete(rows->memory);
	rows->memory = NULL;
}

Ids
store_ids(Statement query, Datum *args)
{
	Rows		rows = store_rows(query, args, NULL);
	Ids			ids = {0};

	for (int i = 0; i < rows.n; i++)
		ids_add(&ids, rows_int64(&rows, i, 0));
	rows_free(&rows);
	return ids;
}

/* An array of a fixed-length type straight from memory. */
static Datum
array_datum(const void *values, int n, int size, Oid type)
{
	Size		bytes = ARR_OVERHEAD_NONULLS(1) + (Size) n * size;
	ArrayType  *array;

	if (n == 0)
		return PointerGetDatum(construct_empty_array(type));
	array = palloc0(bytes);
	SET_VARSIZE(array, bytes);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = type;
	ARR_DIMS(array)[0] = n;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), values, (Size) n * size);
	return PointerGetDatum(array);
}

Datum
ids_datum(const Ids *ids)
{
	return array_datum(ids->at, ids->n, sizeof(int64), INT8OID);
}

Datum
int32s_datum(const int32 *values, int n)
{
	return array_datum(values, n, sizeof(int32), INT4OID);
}

Datum
int16s_datum(const int16 *values, int n)
{
	return array_datum(values, n, sizeof(int16), INT2OID);
}

Datum
chars_datum(const char *values, int n)
{
	return array_datum(values, n, 1, CHAROID);
}

Datum
times_datum(const int64 *values, int n)
{
	return array_datum(values, n, sizeof(int64), TIMESTAMPTZOID);
}

Datum
text_datum(const char *value)
{
	return CStringGetTextDatum(value);
}

/* An array of row ids. */
Datum
tids_datum(const ItemPointerData *rows, int n)
{
	return array_datum(rows, n, sizeof(ItemPointerData), TIDOID);
}

/* NULL elements become NULLs. */
Datum
texts_datum(const char *const *values, int n)
{
	Datum	   *datums = palloc0(sizeof(Datum) * Max(n, 1));
	bool	   *nulls = palloc0(sizeof(bool) * Max(n, 1));
	int			dims[1] = {n};
	int			lbs[1] = {1};
	ArrayType  *array;

	if (n == 0)
		return PointerGetDatum(construct_empty_array(TEXTOID));
	for (int i = 0; i < n; i++)
	{
		nulls[i] = values[i] == NULL;
		if (!nulls[i])
			datums[i] = text_datum(values[i]);
	}
	array = construct_md_array(datums, nulls, 1, dims, lbs, TEXTOID, -1, false, TYPALIGN_INT);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			pfree(DatumGetPointer(datums[i]));
	pfree(datums);
	pfree(nulls);
	return PointerGetDatum(array);
}
