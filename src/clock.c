/*
 * clock.c
 *	  The one source of time, so that a test can set it.
 *
 * databuild.now is a superuser's setting: whoever can change the clock can
 * end any lease.
 */
#include "databuild.h"

#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"

static char *clock_setting = NULL;

static bool
check_clock(char **newval, void **extra, GucSource source)
{
	TimestampTz *when;

	(void) source;
	if ((*newval)[0] == '\0')
		return true;
	when = guc_malloc(ERROR, sizeof(TimestampTz));
	*when = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
													CStringGetDatum(*newval),
													ObjectIdGetDatum(InvalidOid),
													Int32GetDatum(-1)));
	*extra = when;
	return true;
}

static TimestampTz set_to = 0;

static void
assign_clock(const char *newval, void *extra)
{
	(void) newval;
	set_to = extra == NULL ? 0 : *(TimestampTz *) extra;
}

void
clock_init(void)
{
	DefineCustomStringVariable("databuild.now",
							   "Sets databuild's clock, for tests.",
							   "Empty: the real time.",
							   &clock_setting, "",
							   PGC_SUSET, GUC_NOT_IN_SAMPLE,
							   check_clock, assign_clock, NULL);
}

TimestampTz
clock_now(void)
{
	return set_to != 0 ? set_to : GetCurrentTimestamp();
}

PG_FUNCTION_INFO_V1(databuild_clock);

/* The clock for SQL: what why() and the views compare with. */
Datum
databuild_clock(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_TIMESTAMPTZ(clock_now());
}
