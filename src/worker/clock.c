/*
 * clock.c
 *	  Time that nobody sets, and that goes on while the machine sleeps: leases
 *	  do, too.
 */
#include "worker.h"

#include <time.h>

#ifdef CLOCK_BOOTTIME
#define CLOCK	CLOCK_BOOTTIME
#else
#define CLOCK	CLOCK_MONOTONIC
#endif

Millis
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK, &t);
	return t.tv_sec * SECOND + t.tv_nsec / 1000000;
}

Millis
earlier(Millis a, Millis b)
{
	return a < b ? a : b;
}
