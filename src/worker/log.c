/*
 * log.c
 *	  Lines on standard error: time, run and job, what happened.
 */
#include "worker.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

static void
put_time(FILE *out)
{
	struct timeval now;
	char		day[32];
	char		zone[8];
	struct tm	local;

	gettimeofday(&now, NULL);
	localtime_r(&now.tv_sec, &local);
	strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &local);
	strftime(zone, sizeof(zone), "%z", &local);
	fprintf(out, "%s.%03d%s", day, (int) (now.tv_usec / 1000), zone);
}

/* One write a line, so that the lines of several workers in one file do not mix. */
void
log_line(const Run *r, const char *format,...)
{
	char	   *line = NULL;
	size_t		n = 0;
	FILE	   *out = must(open_memstream(&line, &n));
	va_list		args;

	put_time(out);
	if (r != NULL)
		fprintf(out, " run %s (%s):", r->id, r->job);
	fputc(' ', out);
	va_start(args, format);
	vfprintf(out, format, args);
	va_end(args);
	fclose(out);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char) line[i] < 0x20 || line[i] == 0x7f)
			line[i] = ' ';
	fprintf(stderr, "%s\n", line);
	free(line);
}
