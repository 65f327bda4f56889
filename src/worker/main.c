/*
 * main.c
 *	  The loop: one connection for heartbeats, reports and claims, in this
 *	  order; one on which to wait for work; one a running statement.
 *
 * Heartbeats go for all runs in one call, a third of a lease after the last.
 * If that fails because of one run (its row is locked by an open transaction,
 * or the server does not know it), each run gets its own call until one comes
 * through, so that the others do not suffer.
 */
#include "worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MOST		(60 * SECOND)	/* wait_work returns after 30 s */
#define PAUSE_LEAST		INT64_C(50)
#define PAUSE_MOST		SECOND

static const char *const stopped = "the worker was stopped";

static void server_ready(Conn *conn, PGresult *result);
static void waiter_ready(Conn *conn, PGresult *result);

static Conn server = {.name = "connection"};
static Conn waiter = {.name = "connection for waiting"};

static Millis claim_at;
static int	asked;				/* how many runs the claim may bring */
static int	empties;			/* claims in a row that brought none */
static char *claim_error;		/* the last one logged */
static Millis wait_at = NEVER;
static bool may_wait = true;	/* until the server refuses wait_work() */
static Millis call_at;			/* when the call under way was made */

static volatile sig_atomic_t stops;	/* signals to stop */
static int	stage;				/* those acted upon */
static Millis give_up_at = NEVER;
static bool complete = true;	/* no run was stopped or let go */

/* ---- signals ---- */

static void
on_signal(int signal)
{
	if (signal != SIGCHLD)
		stops++;
}

/* Signals come only while the loop waits.  What nohup or a shell's & has made ignored stays so. */
static void
catch_signals(void)
{
	static const int signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal};
	struct sigaction before;
	sigset_t	set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
	{
		sigaction(signals[i], &action, &before);
		if (before.sa_handler == SIG_IGN && (signals[i] == SIGHUP || signals[i] == SIGINT))
			sigaction(signals[i], &before, NULL);
		sigaddset(&set, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Nothing that is opened later is to be taken for one of the standard files. */
static void
open_standard_files(void)
{
	int			fd;

	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
		;
	close(fd);
}

static void give_up(void) __attribute__((noreturn));

static void
give_up(void)
{
	for (int i = 0; i < nruns; i++)
	{
		child_signal(&runs[i]->child, SIGKILL);
		log_line(runs[i], "killed, or not reported; its lease is let go");
	}
	exit(1);
}

/* Whoever stops does not wait for a server to come back when nobody waits for the report any more. */
static void
let_go(Millis now)
{
	for (int i = 0; i < nruns; i++)
		if (runs[i]->phase == ENDED && now >= runs[i]->expires)
		{
			log_line(runs[i], "not reported; its lease has ended, too");
			runs[i]->phase = DONE;
			complete = false;
		}
}

static void
stop_by_stages(Millis now)
{
	if (stops > stage && stage == 0)
	{
		stage = 1;
		log_line(NULL, "stopping: claims no more, waits for %d runs; the next signal stops them", nruns);
		conn_close(&waiter);
	}
	if (stops > stage && stage == 1)
	{
		stage = 2;
		complete = false;
		log_line(NULL, "stopping %d runs", nruns);
		give_up_at = now + options.grace + 10 * SECOND;
		for (int i = 0; i < nruns; i++)
			run_stop(runs[i], text("%s", stopped));
	}
	if (stops > stage || now >= give_up_at)
		give_up();
	if (stage > 0 && server.state == CONN_DOWN)
		let_go(now);
}

/* ---- heartbeats ---- */

static bool
beats(const Run *r)
{
	return !r->over && r->phase != DONE;
}

static void
beaten(PGresult *result)
{
	for (int i = 0; i < PQntuples(result); i++)
		for (int k = 0; k < nruns; k++)
		{
			Run		   *r = runs[k];

			if (strcmp(r->id, PQgetvalue(result, i, 0)) != 0)
				continue;
			if (strcmp(PQgetvalue(result, i, 1), "running") == 0)
			{
				Millis		lease = strtoll(PQgetvalue(result, i, 2), NULL, 10);

				r->expires = call_at + lease;
				r->beat_at = call_at + lease / 3;
			}
			else
				run_over(r, PQgetvalue(result, i, 1));
		}
}

static void
beaten_together(Conn *conn, PGresult *result)
{
	if (result_ok(result))
		beaten(result);
	else if (result != NULL)
	{
		char	   *why = result_message(conn, result);

		log_line(NULL, "a heartbeat for all runs is tried for each alone: %s", why);
		free(why);
		for (int i = 0; i < nruns; i++)
			runs[i]->beat_alone = true;
	}
}

/*
 * Whoever holds the run's row decides what becomes of it, and until then
 * nobody else can take it: no reason to stop it.
 */
static void
beaten_alone(Conn *conn, PGresult *result)
{
	Run		   *r = conn->owner;
	char	   *why;

	if (result == NULL)
		return;
	if (result_ok(result))
	{
		r->beat_alone = r->held = false;
		beaten(result);
		return;
	}
	if (strcmp(result_code(result), "42704") == 0)
	{
		run_over(r, "unknown to the server");
		return;
	}
	why = result_message(conn, result);
	held_up(r, why);
	free(why);
	r->beat_alone = true;
	r->beat_at = clock_ms() + SECOND;
	if (strcmp(result_code(result), "55P03") == 0 && r->expires < r->beat_at + 10 * SECOND)
		r->expires = r->beat_at + 10 * SECOND;
}

static void
heartbeat_alone(Run *r)
{
	char	   *ids = text("{%s}", r->id);
	const char *values[] = {ids};

	server.owner = r;
	conn_send(&server, sql_heartbeat, 1, NULL, values, ANSWER_MOST, beaten_alone, NULL);
	free(ids);
}

static void
heartbeat_together(void)
{
	char	   *ids = NULL;
	size_t		n;
	FILE	   *out = must(open_memstream(&ids, &n));
	const char *comma = "{";
	const char *values[1];

	for (int i = 0; i < nruns; i++)
		if (beats(runs[i]) && !runs[i]->beat_alone)
		{
			fprintf(out, "%s%s", comma, runs[i]->id);
			comma = ",";
		}
	fputc('}', out);
	fclose(out);
	values[0] = ids;
	conn_send(&server, sql_heartbeat, 1, NULL, values, ANSWER_MOST, beaten_together, NULL);
	free(ids);
}

/* Whether one was sent. */
static bool
heartbeat(Millis now)
{
	Run		   *due = NULL;

	for (int i = 0; i < nruns; i++)
		if (beats(runs[i]) && runs[i]->beat_at <= now && (due == NULL || due->beat_alone))
			due = runs[i];
	if (due == NULL)
		return false;
	call_at = now;
	if (due->beat_alone || nruns == 1)
		heartbeat_alone(due);
	else
		heartbeat_together();
	return true;
}

/* ---- claims ---- */

static Millis
pause_after(int n)
{
	return n <= 0 ? 0 : n > 5 ? PAUSE_MOST : earlier(PAUSE_LEAST << (n - 1), PAUSE_MOST);
}

/* There was not enough to claim: wait for more, by wait_work() or by asking again and again. */
static void
wait_for_work(Millis now)
{
	if (may_wait && (waiter.state == CONN_IDLE || waiter.state == CONN_BUSY))
	{
		claim_at = now + WAIT_MOST;
		wait_at = waiter.state == CONN_IDLE ? now + pause_after(empties - 1) : NEVER;
	}
	else
		claim_at = now + pause_after(empties + 1);
}

static void
claim_now(void)
{
	empties = 0;
	claim_at = 0;
}

/* What to do about a claim that is refused, in the server's words or, where it has none, in ours; NULL: nothing. */
static const char *
next_step(const PGresult *result)
{
	const char *hint = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

	if (hint != NULL)
		return hint;
	if (strcmp(result_code(result), "3F000") == 0)
		return "CREATE EXTENSION databuild in this database, or name another with dbname=.";
	if (strcmp(result_code(result), "42501") == 0)
		return "Databuild's owner lets the role work with databuild.grant_worker(role).";
	return NULL;
}

static void
claim_failed(Conn *conn, PGresult *result, Millis now)
{
	char	   *why = result_message(conn, result);
	const char *hint = next_step(result);

	claim_at = now + pause_after(++empties) * 5;
	if (claim_error == NULL || strcmp(claim_error, why) != 0)
	{
		log_line(NULL, "cannot claim, and tries again: %s%s%s", why, hint == NULL ? "" : ". ", hint == NULL ? "" : hint);
		free(claim_error);
		claim_error = why;
	}
	else
		free(why);
}

static void
claimed(Conn *conn, PGresult *result)
{
	Millis		now = clock_ms();
	int			before = nruns;
	int			n;

	if (!result_ok(result))
	{
		claim_failed(conn, result, now);
		return;
	}
	free(claim_error);
	claim_error = NULL;
	n = runs_claimed(result, call_at);
	for (int i = before; i < nruns; i++)
		if (stage < 2)
			run_start(runs[i]);
		else
		{
			run_fail(runs[i], text("%s", stopped));
			runs[i]->phase = ENDED;
		}
	empties = n > 0 ? 0 : empties + 1;
	if (n < asked)
		wait_for_work(now);
}

static void
claim(Millis now)
{
	char	   *most;
	const char *values[3] = {options.name, options.jobs, NULL};

	asked = options.parallel - nruns;
	most = text("%d", asked);
	values[2] = most;
	call_at = now;
	claim_at = NEVER;
	conn_send(&server, sql_claim, 3, NULL, values, ANSWER_MOST, claimed, NULL);
	free(most);
}

static void
waited(Conn *conn, PGresult *result)
{
	if (result_ok(result))
	{
		claim_at = 0;
		return;
	}
	if (result != NULL)
	{
		char	   *why = result_message(conn, result);

		log_line(NULL, "cannot wait for work, and asks for it instead: %s", why);
		free(why);
		may_wait = passes(result_code(result));
	}
	claim_at = clock_ms() + PAUSE_MOST;
}

static void
wait_send(void)
{
	const char *values[] = {options.jobs};

	wait_at = NEVER;
	conn_send(&waiter, sql_wait, 1, NULL, values, WAIT_MOST, waited, NULL);
}

/* ---- the connections ---- */

/* The first thing to know is which of the runs still hold. */
static void
server_ready(Conn *conn, PGresult *result)
{
	static bool before;

	(void) result;
	may_wait = true;
	if (!before)
		log_line(NULL, "connected to database %s as %s", PQdb(conn->pg), PQuser(conn->pg));
	before = true;
	for (int i = 0; i < nruns; i++)
		runs[i]->beat_at = 0;
	claim_now();
}

static void
waiter_ready(Conn *conn, PGresult *result)
{
	(void) conn;
	(void) result;
	claim_at = 0;
}

static Run *
next_report(Millis now)
{
	for (int i = 0; i < nruns; i++)
		if (runs[i]->phase == ENDED && runs[i]->report_at <= now)
			return runs[i];
	return NULL;
}

/* Give the idle connections the most urgent thing to do. */
static void
give_work(Millis now)
{
	Run		   *r;

	if (server.state == CONN_IDLE && !heartbeat(now))
	{
		if ((r = next_report(now)) != NULL)
			report_send(&server, r);
		else if (stage == 0 && nruns < options.parallel && claim_at <= now)
			claim(now);
	}
	if (waiter.state == CONN_IDLE && stage == 0 && wait_at <= now)
		wait_send();
}

/* When the idle connections have something to do. */
static Millis
work_wakes(void)
{
	Millis		at = NEVER;

	if (server.state == CONN_IDLE)
	{
		if (stage == 0 && nruns < options.parallel)
			at = claim_at;
		for (int i = 0; i < nruns; i++)
		{
			if (beats(runs[i]))
				at = earlier(at, runs[i]->beat_at);
			if (runs[i]->phase == ENDED)
				at = earlier(at, runs[i]->report_at);
		}
	}
	if (waiter.state == CONN_IDLE && stage == 0)
		at = earlier(at, wait_at);
	return at;
}

/* ---- the loop ---- */

typedef struct Target
{
	Conn	   *conn;			/* or */
	Run		   *run;
	Source		source;
} Target;

#define TARGETS_MOST	(2 + 3 * PARALLEL_MOST)

static struct pollfd fds[TARGETS_MOST];
static Target targets[TARGETS_MOST];

static int
add_conn(int n, Conn *conn)
{
	targets[n] = (Target) {.conn = conn};
	fds[n] = (struct pollfd) {.fd = -1};
	(void) conn_fd(conn, &fds[n]);
	return n + 1;
}

static int
add_pipe(int n, Run *r, Source source)
{
	targets[n] = (Target) {.run = r,.source = source};
	fds[n] = (struct pollfd) {.fd = r->child.fds[source],.events = POLLIN};
	return n + 1;
}

static Millis
next_wake(void)
{
	Millis		at = earlier(give_up_at, earlier(conn_wakes(&server), work_wakes()));

	if (stage == 0)
		at = earlier(at, conn_wakes(&waiter));
	for (int i = 0; i < nruns; i++)
		at = earlier(at, earlier(run_wakes(runs[i]), conn_wakes(&runs[i]->conn)));
	return at;
}

/* Wait until something happens or is due; only here are signals let in. */
static void
wait_and_see(void)
{
	Millis		at = next_wake();
	Millis		now = clock_ms();
	Millis		pause = at <= now ? 0 : earlier(at - now, 60 * SECOND);
	struct timespec t = {.tv_sec = pause / SECOND,.tv_nsec = pause % SECOND * 1000000};
	sigset_t	none;
	int			n = add_conn(add_conn(0, &server), &waiter);

	for (int i = 0; i < nruns; i++)
	{
		n = add_pipe(n, runs[i], OUT);
		n = add_pipe(n, runs[i], ERR);
		n = add_conn(n, &runs[i]->conn);
	}
	sigemptyset(&none);
	if (ppoll(fds, (nfds_t) n, &t, &none) < 0)
		for (int i = 0; i < n; i++)
			fds[i].revents = 0;
	now = clock_ms();
	for (int i = 0; i < n; i++)
		if (targets[i].conn != NULL)
			conn_turn(targets[i].conn, fds[i].revents, now);
		else if (fds[i].revents != 0)
			child_read(targets[i].run, targets[i].source);
}

static bool
turn(void)
{
	Millis		now = clock_ms();
	int			before;

	stop_by_stages(now);
	before = nruns;
	runs_turn(now);
	if (nruns < before)
		claim_now();
	if (stage > 0 && nruns == 0 && server.state != CONN_BUSY)
		return false;
	conn_keep(&server, now);
	if (stage == 0)
		conn_keep(&waiter, now);
	give_work(now);
	wait_and_see();
	return true;
}

int
main(int argc, char **argv)
{
	open_standard_files();
	options_read(argc, argv);
	setvbuf(stderr, NULL, _IOLBF, 0);
	srandom((unsigned) getpid() ^ (unsigned) clock_ms());
	catch_signals();
	server.setup = sql_setup;
	server.ready = server_ready;
	waiter.setup = sql_setup_waiter;
	waiter.ready = waiter_ready;
	log_line(NULL, "databuild-worker " DATABUILD_VERSION ", as \"%s\", for %s%s, at most %d at a time", options.name,
			 options.jobs == NULL ? "all jobs" : "job ", options.jobs == NULL ? "" : options.jobs, options.parallel);
	while (turn())
		;
	log_line(NULL, "stopped");
	return complete ? 0 : 1;
}
