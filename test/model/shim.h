/*
 * shim.h
 *	  PostgreSQL's names, as far as the files under test use them, in plain C.
 *
 * The explorer compiles src/call.c, look.c, tokens.c, pick.c, ... as they are.
 * Every PostgreSQL header that they include is a generated file that includes
 * this one (see the Makefile).  Memory is an arena that is emptied after each
 * step; ERROR leaves the step by longjmp; a Datum is a number or a pointer, an
 * array of whatever type is an Ids, a row id is a row's place in its table.
 */
#ifndef MODEL_SHIM_H
#define MODEL_SHIM_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct ErrorData ErrorData;
typedef int16_t int16;
typedef int32_t int32;
typedef int64_t int64;
typedef uint64_t uint64;
typedef size_t Size;
typedef uintptr_t Datum;
typedef unsigned int Oid;
typedef int64 TimestampTz;
typedef char text;

#define INT64_FORMAT	"%" PRId64
#define INT64CONST(x)	INT64_C(x)
#define UINT64CONST(x)	UINT64_C(x)
#define Min(a, b)		((a) < (b) ? (a) : (b))
#define Max(a, b)		((a) > (b) ? (a) : (b))
#define DT_NOBEGIN		INT64_MIN
#define DT_NOEND		INT64_MAX
#define TIMESTAMP_NOT_FINITE(t) ((t) == DT_NOBEGIN || (t) == DT_NOEND)
#define pg_attribute_noreturn() __attribute__((noreturn))
#define pg_unreachable() __builtin_unreachable()
#define CHECK_FOR_INTERRUPTS() ((void) 0)

/* ---- memory ---- */

extern void *arena_alloc(size_t size);

#define MCXT_ALLOC_HUGE	0
#define MCXT_ALLOC_ZERO	0
#define MemoryContextAllocExtended(context, size, flags) arena_alloc(size)
#define palloc(size)	arena_alloc(size)
#define palloc0(size)	arena_alloc(size)
#define pfree(p)		((void) (p))

typedef int MemoryContext;

#define CurrentMemoryContext	0
#define AllocSetContextCreate(parent, name, sizes) (parent)
#define MemoryContextDelete(context) ((void) (context))

static inline MemoryContext
MemoryContextSwitchTo(MemoryContext context)
{
	return context;
}

/* ---- errors ---- */

extern void model_refuse(void) __attribute__((noreturn));
extern void model_bug(const char *format,...) __attribute__((noreturn, format(printf, 1, 2)));

/* ereport is for refusals, which callers bring about; elog for what must not happen. */
#define elog(level, ...) model_bug(__VA_ARGS__)
#define ereport(level, ...) ((void) (__VA_ARGS__), model_refuse())

static inline int
shim_message(const char *format,...)
{
	return 0;
}

#define errmsg			shim_message
#define errdetail		shim_message
#define errhint			shim_message
#define errcode(code)	shim_message("")
#define timestamptz_to_str(t) ((void) (t), "then")
#define quote_literal_cstr(s) (s)

/* ---- values ---- */

#define Int64GetDatum(x)		((Datum) (int64) (x))
#define Int32GetDatum(x)		((Datum) (int64) (x))
#define Int16GetDatum(x)		((Datum) (int64) (x))
#define BoolGetDatum(x)			((Datum) (x))
#define CharGetDatum(x)			((Datum) (x))
#define TimestampTzGetDatum(x)	((Datum) (int64) (x))
#define PointerGetDatum(x)		((Datum) (x))
#define DatumGetInt64(x)		((int64) (x))
#define DatumGetInt32(x)		((int32) (x))
#define DatumGetInt16(x)		((int16) (x))
#define DatumGetBool(x)			((x) != 0)
#define DatumGetPointer(x)		((void *) (x))
#define CStringGetTextDatum(s)	((Datum) (s))
#define TextDatumGetCString(d)	((char *) (d))
#define DatumGetTextPP(d)		((text *) (d))
#define VARSIZE_ANY_EXHDR(t)	strlen(t)
#define text_to_cstring(t)		((char *) (t))
#define psprintf(format, ...)	((char *) (format))
#define PG_DETOAST_DATUM(d)		((void *) (d))

typedef struct ItemPointerData
{
	int			at;
} ItemPointerData;

typedef ItemPointerData *ItemPointer;

/* ---- SPI: rows of cells ---- */

typedef struct SPITupleTable SPITupleTable;
typedef struct HTAB HTAB;

#define SPI_datumTransfer(d, byval, len) (d)

/* ---- entry points ---- */

typedef struct Arg
{
	Datum		value;
	bool		isnull;
} Arg;

typedef struct FunctionCallInfoBaseData
{
	Arg			args[9];
	void	   *resultinfo;
} FunctionCallInfoBaseData;

typedef FunctionCallInfoBaseData *FunctionCallInfo;

#define PG_FUNCTION_ARGS		FunctionCallInfo fcinfo
#define PG_FUNCTION_INFO_V1(f)	extern Datum f(PG_FUNCTION_ARGS)
#define PG_ARGISNULL(n)			(fcinfo->args[n].isnull)
#define PG_GETARG_DATUM(n)		(fcinfo->args[n].value)
#define PG_GETARG_POINTER(n)	((void *) fcinfo->args[n].value)
#define PG_GETARG_TEXT_PP(n)	((text *) fcinfo->args[n].value)
#define PG_RETURN_VOID()		return 0
#define PG_RETURN_INT64(x)		return Int64GetDatum(x)

typedef struct ReturnSetInfo
{
	void	   *setResult;
	void	   *setDesc;
} ReturnSetInfo;

#define InitMaterializedSRF(fcinfo, flags) ((void) (fcinfo))
#define tuplestore_putvalues(store, desc, values, nulls) \
	((void) (store), (void) (desc), (void) (values), (void) (nulls))

/* ---- the text of a cycle ---- */

typedef struct StringInfoData
{
	char	   *data;
} StringInfoData;

#define initStringInfo(s) ((s)->data = (char *) "a cycle")

static inline void
appendStringInfo(StringInfoData *s, const char *format,...)
{
}

#endif							/* MODEL_SHIM_H */
