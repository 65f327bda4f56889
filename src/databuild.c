/*
 * databuild.c
 *	  The module: what is set up when a backend loads it.
 */
#include "databuild.h"

#include "utils/guc.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	clock_init();
	direct_init();
	route_init();
	wait_init();
	MarkGUCPrefixReserved("databuild");
}
