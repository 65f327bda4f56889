/*
 * options.c
 *	  The command line.
 */
#include "worker.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Options		options = {.parallel = 1,.log_size = 10 << 20,.grace = 10 * SECOND};

static const char *const help =
"databuild-worker claims job runs whose config says what to run, runs it, and reports.\n"
"\n"
"Usage: databuild-worker [OPTION]... [CONNINFO]\n"
"\n"
"  -j, --jobs=LABEL[,LABEL]...  claim runs of these jobs only; may be given again.\n"
"                               Without it, of all jobs: give it where others claim, too\n"
"  -p, --parallel=N             at most N runs at a time, 1 to 256 (default: 1)\n"
"  -n, --name=NAME              the worker's name in databuild.job_runs (default: HOST:PID)\n"
"  -l, --log-dir=DIR            keep each run's output as DIR/RUN.log\n"
"      --log-size=MB            at most so much of it a run: the older half is dropped\n"
"                               (default: 10)\n"
"  -g, --grace=SECONDS          between SIGTERM and SIGKILL to a program (default: 10)\n"
"  -h, --help                   show this, and exit\n"
"  -V, --version                show the version, and exit\n"
"\n"
"CONNINFO is a connection string of PostgreSQL, postgresql://... or 'host=... dbname=...';\n"
"what it does not say comes from the environment (PGHOST, PGDATABASE, PGUSER, ...).\n"
"\n"
"A job's config says what to run:\n"
"  {\"command\": [\"./build.sh\"], \"env\": {\"A\": \"b\"}, \"dir\": \"/srv\", \"timeout\": 600}\n"
"  {\"sql\": \"CALL build($1)\", \"timeout\": 600}\n"
"The program gets the partitions as arguments after its own, the statement as $1 (text[]).\n"
"A program reports by lines on its standard output:\n"
"  DATABUILD_MISS::[\"ref\", ...]      it needs these first; also {\"missing\": [], \"impacted\": []}\n"
"  DATABUILD_READ::[\"ref\", ...]      it read these\n"
"  DATABUILD_MADE::[\"ref\", ...]      it made just these of its partitions\n"
"  DATABUILD_METADATA::{...}         kept with the run\n"
"A run that reported a miss is a miss; else exit status 0 is a success, all else a failure.\n"
"\n"
"SIGTERM or SIGINT: claim no more, exit when the runs have ended; the second time: stop them.\n";

void *
must(void *allocated)
{
	if (allocated == NULL)
	{
		fputs("databuild-worker: out of memory\n", stderr);
		exit(1);
	}
	return allocated;
}

static void refuse(const char *what, const char *value) __attribute__((noreturn));

static void
refuse(const char *what, const char *value)
{
	fprintf(stderr, "databuild-worker: %s, not \"%s\"\nTry \"databuild-worker --help\".\n", what, value);
	exit(2);
}

static long
number(const char *value, long least, long most, const char *what)
{
	char	   *end;
	long		n = strtol(value, &end, 10);

	if (*value == '\0' || *end != '\0' || n < least || n > most)
		refuse(what, value);
	return n;
}

static void
add_jobs(const char *labels)
{
	char	   *all;

	if (*labels == '\0')
		refuse("--jobs must name a job", labels);
	if (options.jobs == NULL)
	{
		options.jobs = must(strdup(labels));
		return;
	}
	all = must(malloc(strlen(options.jobs) + strlen(labels) + 2));
	sprintf(all, "%s,%s", options.jobs, labels);
	free(options.jobs);
	options.jobs = all;
}

static char *
default_name(void)
{
	char		host[256] = "";
	char	   *name = must(malloc(sizeof(host) + 24));

	gethostname(host, sizeof(host) - 1);
	sprintf(name, "%s:%ld", host, (long) getpid());
	return name;
}

static void
check_log_dir(void)
{
	struct stat st;

	if (options.log_dir == NULL)
		return;
	if (stat(options.log_dir, &st) != 0 || !S_ISDIR(st.st_mode) || access(options.log_dir, W_OK | X_OK) != 0)
		refuse("--log-dir must be a directory that can be written to", options.log_dir);
}

void
options_read(int argc, char **argv)
{
	enum
	{
		LOG_SIZE = 256
	};
	static const struct option known[] = {
		{"jobs", required_argument, NULL, 'j'},
		{"parallel", required_argument, NULL, 'p'},
		{"name", required_argument, NULL, 'n'},
		{"log-dir", required_argument, NULL, 'l'},
		{"log-size", required_argument, NULL, LOG_SIZE},
		{"grace", required_argument, NULL, 'g'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0}
	};
	int			c;

	while ((c = getopt_long(argc, argv, "j:p:n:l:g:hV", known, NULL)) != -1)
		switch (c)
		{
			case 'j':
				add_jobs(optarg);
				break;
			case 'p':
				options.parallel = (int) number(optarg, 1, PARALLEL_MOST, "--parallel must be 1 to 256");
				break;
			case 'n':
				if (*optarg == '\0')
					refuse("--name must not be empty", optarg);
				options.name = must(strdup(optarg));
				break;
			case 'l':
				options.log_dir = optarg;
				break;
			case LOG_SIZE:
				options.log_size = (int64_t) number(optarg, 1, 1 << 20, "--log-size must be 1 to 1048576 (MB)") << 20;
				break;
			case 'g':
				options.grace = number(optarg, 0, 86400, "--grace must be 0 to 86400 (seconds)") * SECOND;
				break;
			case 'h':
				fputs(help, stdout);
				exit(0);
			case 'V':
				puts("databuild-worker " DATABUILD_VERSION);
				exit(0);
			default:
				fputs("Try \"databuild-worker --help\".\n", stderr);
				exit(2);
		}
	if (optind < argc)
		options.conninfo = argv[optind++];
	if (optind < argc)
		refuse("one connection string at most", argv[optind]);
	check_log_dir();
	if (options.name == NULL)
		options.name = default_name();
}
