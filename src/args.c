/*
 * args.c
 *	  What callers hand in, checked: each refusal is 22023 and names the
 *	  argument and the value.
 *
 * Lists come out sorted and without doubles.  Refs are sorted by their bytes,
 * as COLLATE "C" does it, since that is the order in which they are inserted.
 */
#include "databuild.h"

#include "catalog/pg_type.h"
#include "lib/qunique.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* No interval is longer: times stay what PostgreSQL can show. */
#define MOST_YEARS	1000

/* Of one job; every session that routes keeps 16 kB for each pattern. */
#define MOST_TEXTS	10000

static void bad_argument(const char *name, const char *what) pg_attribute_noreturn();

static void
bad_argument(const char *name, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"%s\" %s", name, what)));
}

Datum
arg_needed(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		bad_argument(name, "must not be null");
	return PG_GETARG_DATUM(n);
}

/* The elements of an array of one dimension without NULLs. */
static Datum *
elements(FunctionCallInfo fcinfo, int n, const char *name, Oid type, int *count)
{
	ArrayType  *array = DatumGetArrayTypeP(arg_needed(fcinfo, n, name));
	Datum	   *values;

	if (ARR_NDIM(array) > 1)
		bad_argument(name, "must have one dimension");
	if (array_contains_nulls(array))
		bad_argument(name, "must not contain nulls");
	if (type == TEXTOID)
		deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, NULL, count);
	else
		deconstruct_array(array, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values, NULL, count);
	return values;
}

static bool
is_control(char byte)
{
	return (unsigned char) byte < 0x20 || byte == 0x7f;
}

char *
shown_value(const char *value, int len)
{
	int			most = pg_mbcliplen(value, len, 80);
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < most; i++)
		if (is_control(value[i]))
			appendStringInfo(&out, "\\x%02x", (unsigned char) value[i]);
		else
			appendStringInfoChar(&out, value[i]);
	if (most < len)
		appendStringInfoString(&out, "…");
	return out.data;
}

const char *
ref_fault(const char *ref, int len)
{
	if (len == 0)
		return "It is empty.";
	if (len > MAX_REF_BYTES)
		return psprintf("It has %d bytes; at most %d are allowed.", len, MAX_REF_BYTES);
	for (int i = 0; i < len; i++)
		if (is_control(ref[i]))
			return psprintf("Byte %d of it is the control character 0x%02x.", i + 1, (unsigned char) ref[i]);
	return NULL;
}

void
ref_check(const char *kind, const char *name, const char *ref, int len)
{
	const char *fault = ref_fault(ref, len);

	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s \"%s\" must not contain ref \"%s\"", kind, name, shown_value(ref, len)),
				 errdetail("%s", fault)));
}

static int
by_bytes(const void *a, const void *b)
{
	const text *x = (const text *) DatumGetPointer(*(const Datum *) a);
	const text *y = (const text *) DatumGetPointer(*(const Datum *) b);
	int			nx = VARSIZE_ANY_EXHDR(x);
	int			ny = VARSIZE_ANY_EXHDR(y);
	int			d = memcmp(VARDATA_ANY(x), VARDATA_ANY(y), Min(nx, ny));

	return d != 0 ? d : nx - ny;
}

void
sort_refs(Datum *refs, int n)
{
	qsort(refs, n, sizeof(Datum), by_bytes);
}

Datum *
arg_refs(FunctionCallInfo fcinfo, int n, const char *name, int *count)
{
	Datum	   *refs = elements(fcinfo, n, name, TEXTOID, count);

	if (*count == 0)
		bad_argument(name, "must not be empty");
	for (int i = 0; i < *count; i++)
	{
		text	   *ref = DatumGetTextPP(refs[i]);

		CHECK_FOR_INTERRUPTS();
		ref_check("argument", name, VARDATA_ANY(ref), VARSIZE_ANY_EXHDR(ref));
		refs[i] = PointerGetDatum(ref);
	}
	sort_refs(refs, *count);
	*count = (int) qunique(refs, *count, sizeof(Datum), by_bytes);
	return refs;
}

Datum *
arg_texts(FunctionCallInfo fcinfo, int n, const char *name, int *count)
{
	Datum	   *texts = elements(fcinfo, n, name, TEXTOID, count);

	if (*count == 0)
		bad_argument(name, "must not be empty");
	if (*count > MOST_TEXTS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must have at most %d elements, not %d", name, MOST_TEXTS, *count)));
	return texts;
}

void
arg_ids(FunctionCallInfo fcinfo, int n, const char *name, bool may_be_empty, Ids *ids)
{
	int			count;
	Datum	   *values = elements(fcinfo, n, name, INT8OID, &count);

	if (count == 0 && !may_be_empty)
		bad_argument(name, "must not be empty");
	for (int i = 0; i < count; i++)
		ids_add(ids, DatumGetInt64(values[i]));
	ids_sort(ids);
}

static void
refuse_negative(const char *name, Datum interval)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"%s\" must not be negative", name),
			 errdetail("It is %s.", DatumGetCString(DirectFunctionCall1(interval_out, interval)))));
}

int64
arg_interval(FunctionCallInfo fcinfo, int n, const char *name)
{
	Datum		interval = arg_needed(fcinfo, n, name);
	const Interval *span = DatumGetIntervalP(interval);
	TimestampTz now = clock_now();
	TimestampTz then;

	if (span->month < -MOST_YEARS * 12 || span->day < -MOST_YEARS * 366 ||
		span->time < -MOST_YEARS * 366 * USECS_PER_DAY)
		refuse_negative(name, interval);	/* now plus that might be no time */
	if (span->month > MOST_YEARS * 12 || span->day > MOST_YEARS * 366 ||
		span->time > MOST_YEARS * 366 * USECS_PER_DAY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be longer than %d years", name, MOST_YEARS)));
	then = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												   TimestampTzGetDatum(now), interval));
	if (then < now)
		refuse_negative(name, interval);
	return then - now;
}

int64
arg_lease(FunctionCallInfo fcinfo, int n)
{
	int64		lease = arg_interval(fcinfo, n, "lease");

	if (lease == 0)
		bad_argument("lease", "must be longer than nothing");
	return lease;
}

Datum
refs_datum(const Datum *refs, int n)
{
	return PointerGetDatum(construct_array((Datum *) refs, n, TEXTOID, -1, false, TYPALIGN_INT));
}
