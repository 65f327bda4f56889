/*
 * update.c
 *	  What the script of ALTER EXTENSION UPDATE cannot do in SQL.
 */
#include "databuild.h"

#include "commands/extension.h"
#include "executor/spi.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(databuild_grant_in_update);

/*
 * What is granted while an extension's script runs counts as the extension's
 * own, and pg_dump leaves it out.  So the script is not running for a moment.
 */
Datum
databuild_grant_in_update(PG_FUNCTION_ARGS)
{
	char	   *command = TextDatumGetCString(arg_needed(fcinfo, 0, "command"));
	bool		usual = creating_extension;

	creating_extension = false;
	PG_TRY();
	{
		if (SPI_connect() != SPI_OK_CONNECT || SPI_execute(command, false, 0) != SPI_OK_UTILITY || SPI_finish() != SPI_OK_FINISH)
			elog(ERROR, "could not execute %s", command);
	}
	PG_FINALLY();
	{
		creating_extension = usual;
	}
	PG_END_TRY();
	PG_RETURN_VOID();
}
