/*
 * child.c
 *	  The process of a run: started in a process group of its own, its output
 *	  read without waiting, stopped as a group.
 *
 * A run ends when the program ends that was started.  What that has left behind
 * in its group is killed then: an output that is complete and a partition that
 * something is still writing to do not go together.
 */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

/* A pipe holds no more than this after the program has ended, unless somebody else writes on. */
#define PIPE_MOST	(1 << 20)

static void
set(const char *name, const char *value)
{
	if (setenv(name, value, 1) != 0)
		_exit(127);
}

static void cannot(const char *what, const char *name) __attribute__((noreturn));

/* To standard error, which is the run's: the last lines are the reason of its failure. */
static void
cannot(const char *what, const char *name)
{
	int			why = errno;

	fprintf(stderr, "databuild-worker: cannot %s \"%s\": %s%s\n", what, name, strerror(why),
			why == E2BIG ? "; its partitions are too many for arguments: see batch_size of the job" : "");
	_exit(127);
}

static void become(const Run *r, int pipes[2][2], pid_t worker) __attribute__((noreturn));

/* In the new process. */
static void
become(const Run *r, int pipes[2][2], pid_t worker)
{
	char	  **argv = must(calloc((size_t) (r->nargs + r->nrefs + 1), sizeof(char *)));
	sigset_t	none;

	setpgid(0, 0);
	for (int s = OUT; s <= ERR; s++)
		dup2(pipes[s][1], s == OUT ? STDOUT_FILENO : STDERR_FILENO);
#ifdef __linux__
	/* a worker that is killed takes the program along */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != worker)
		_exit(127);
#endif
	(void) worker;
	close(STDIN_FILENO);
	open("/dev/null", O_RDONLY);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);

	for (int i = 0; i < r->nenv; i++)
		set(r->env[i].name, r->env[i].value);
	set("DATABUILD_RUN_ID", r->id);
	set("DATABUILD_JOB", r->job);
	set("DATABUILD_ATTEMPT", r->attempt);
	set("DATABUILD_PARTITIONS", r->json);
	if (r->dir != NULL && chdir(r->dir) != 0)
		cannot("change to directory", r->dir);
	memcpy(argv, r->args, sizeof(char *) * (size_t) r->nargs);
	memcpy(argv + r->nargs, r->refs, sizeof(char *) * (size_t) r->nrefs);
	execvp(argv[0], argv);
	cannot("run", argv[0]);
}

static void
close_pipes(int pipes[2][2], int end)
{
	for (int s = OUT; s <= ERR; s++)
		if (pipes[s][end] >= 0)
			close(pipes[s][end]);
}

/* Start the program; false: errno says why not. */
bool
child_start(Run *r)
{
	int			pipes[2][2] = {{-1, -1}, {-1, -1}};
	pid_t		worker = getpid();
	pid_t		pid = -1;

	if (pipe2(pipes[OUT], O_CLOEXEC) == 0 && pipe2(pipes[ERR], O_CLOEXEC) == 0)
		pid = fork();
	if (pid == 0)
		become(r, pipes, worker);
	if (pid < 0)
	{
		int			why = errno;

		close_pipes(pipes, 0);
		close_pipes(pipes, 1);
		errno = why;
		return false;
	}
	setpgid(pid, pid);
	close_pipes(pipes, 1);
	r->child.pid = pid;
	for (int s = OUT; s <= ERR; s++)
	{
		r->child.fds[s] = pipes[s][0];
		fcntl(pipes[s][0], F_SETFL, O_NONBLOCK);
	}
	return true;
}

static void
close_source(Child *c, Source source)
{
	if (c->fds[source] >= 0)
		close(c->fds[source]);
	c->fds[source] = -1;
}

/* One piece of what there is; how much, 0 if nothing is now or any more. */
static size_t
read_piece(Run *r, Source source)
{
	char		buffer[65536];
	ssize_t		n = read(r->child.fds[source], buffer, sizeof(buffer));

	if (n > 0)
		output_add(&r->output, source, buffer, (size_t) n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_source(&r->child, source);
	return n > 0 ? (size_t) n : 0;
}

void
child_read(Run *r, Source source)
{
	if (r->child.fds[source] >= 0)
		(void) read_piece(r, source);
}

void
child_signal(const Child *c, int signal)
{
	if (c->pid > 0)
		kill(-c->pid, signal);
}

/*
 * Has it ended?  Then its group is killed, while its own process still keeps
 * the number from being given to others, and what it wrote is read.
 */
bool
child_reap(Run *r, int *status)
{
	Child	   *c = &r->child;
	siginfo_t	info = {0};

	if (c->pid == 0 || waitid(P_PID, (id_t) c->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
		return false;
	child_signal(c, SIGKILL);
	while (waitpid(c->pid, status, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	for (int s = OUT; s <= ERR; s++)
	{
		for (size_t n = 0, more = 1; c->fds[s] >= 0 && more > 0 && n < PIPE_MOST; n += more)
			more = read_piece(r, (Source) s);
		close_source(c, (Source) s);
	}
	return true;
}
