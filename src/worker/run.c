/*
 * run.c
 *	  A run from its claim to its end: WORKING, then ENDED (to be reported), then
 *	  DONE.
 *
 * What ends a run's work: its program or statement ends; its time is up; the
 * server says that it is running no more; its lease ends without a heartbeat
 * that came through, since somebody else may have the work by then; or the
 * worker is stopped.  In all but the first its program is told (SIGTERM) and
 * then killed.  A statement's connection is closed, which the server notices
 * within a second.
 */
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define TEXTOID			25
#define TEXTARRAYOID	1009
#define INT8OID			20

Run		   *runs[PARALLEL_MOST];
int			nruns;

/* To be freed. */
char *
text(const char *format,...)
{
	char	   *s = NULL;
	size_t		n;
	FILE	   *out = must(open_memstream(&s, &n));
	va_list		args;

	va_start(args, format);
	vfprintf(out, format, args);
	va_end(args);
	fclose(out);
	return s;
}

/* ---- what a claim hands out ---- */

static void
list_add(char ***list, int *n, const char *value)
{
	*list = must(realloc(*list, sizeof(char *) * (size_t) (*n + 1)));
	(*list)[(*n)++] = must(strdup(value));
}

static void
env_add(Run *r, const char *name, const char *value)
{
	r->env = must(realloc(r->env, sizeof(Setting) * (size_t) (r->nenv + 1)));
	r->env[r->nenv++] = (Setting) {must(strdup(name)), must(strdup(value))};
}

/* One row of sql_claim about a run. */
static void
told(Run *r, const char *kind, const char *name, const char *value, Millis now)
{
	if (strcmp(kind, "job") == 0)
		r->job = must(strdup(value));
	else if (strcmp(kind, "attempt") == 0)
		r->attempt = must(strdup(value));
	else if (strcmp(kind, "array") == 0)
		r->array = must(strdup(value));
	else if (strcmp(kind, "json") == 0)
		r->json = must(strdup(value));
	else if (strcmp(kind, "sql") == 0)
		r->sql = must(strdup(value));
	else if (strcmp(kind, "dir") == 0)
		r->dir = must(strdup(value));
	else if (strcmp(kind, "ref") == 0)
		list_add(&r->refs, &r->nrefs, value);
	else if (strcmp(kind, "arg") == 0)
		list_add(&r->args, &r->nargs, value);
	else if (strcmp(kind, "env") == 0)
		env_add(r, name, value);
	else if (strcmp(kind, "timeout") == 0)
		r->timeout = (Millis) (strtod(value, NULL) * SECOND);
	else if (strcmp(kind, "lease") == 0)
	{
		r->expires = now + strtoll(value, NULL, 10);
		r->beat_at = now + strtoll(value, NULL, 10) / 3;
	}
	else if (strcmp(kind, "wrong") == 0)
	{
		r->invalid = true;
		run_fail(r, must(strdup(value)));
	}
}

/* New runs from the answer to sql_claim, which was sent at that time; how many. */
int
runs_claimed(const PGresult *result, Millis now)
{
	int			before = nruns;

	for (int i = 0; i < PQntuples(result); i++)
	{
		const char *id = PQgetvalue(result, i, 0);
		Run		   *r = nruns > before ? runs[nruns - 1] : NULL;

		if (r == NULL || strcmp(r->id, id) != 0)
		{
			r = must(calloc(1, sizeof(Run)));
			r->id = must(strdup(id));
			r->output.file = -1;
			r->child.fds[OUT] = r->child.fds[ERR] = -1;
			r->timeout_at = r->kill_at = r->conn.at = NEVER;
			runs[nruns++] = r;
		}
		told(r, PQgetvalue(result, i, 1), PQgetvalue(result, i, 2), PQgetvalue(result, i, 3), now);
	}
	return nruns - before;
}

static void
list_free(char **list, int n)
{
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

static void
run_free(Run *r)
{
	output_close(&r->output);
	conn_close(&r->conn);
	free(r->conn.error);
	list_free(r->refs, r->nrefs);
	list_free(r->args, r->nargs);
	for (int i = 0; i < r->nenv; i++)
	{
		free(r->env[i].name);
		free(r->env[i].value);
	}
	free(r->env);
	free(r->id);
	free(r->job);
	free(r->attempt);
	free(r->array);
	free(r->json);
	free(r->sql);
	free(r->setup);
	free(r->dir);
	free(r->failure);
	free(r);
}

/* ---- how it ends ---- */

/* One reason more why the run failed; takes the text over. */
void
run_fail(Run *r, char *why)
{
	if (r->failure != NULL)
	{
		char	   *both = text("%s; %s", r->failure, why);

		free(r->failure);
		free(why);
		why = both;
	}
	r->failure = why;
}

static void
ended(Run *r)
{
	conn_close(&r->conn);
	output_end(&r->output);
	if (r->output.wrong != NULL)
	{
		run_fail(r, text("its report was not understood: %s", r->output.wrong));
		r->unclear = true;
	}
	r->phase = r->over ? DONE : ENDED;
	r->timeout_at = r->kill_at = NEVER;
}

/* Stop its work; why (taken over) is the failure, NULL if nobody is to be told. */
void
run_stop(Run *r, char *why)
{
	if (r->phase != WORKING || r->stopping)
	{
		free(why);
		return;
	}
	r->stopping = true;
	if (why != NULL)
	{
		log_line(r, "stopping it: %s", why);
		output_note(&r->output, why);
		run_fail(r, why);
	}
	r->timeout_at = NEVER;
	if (r->child.pid > 0)
	{
		child_signal(&r->child, SIGTERM);
		r->kill_at = clock_ms() + options.grace;
	}
	else
		ended(r);
}

/* The server says that it is running no more. */
void
run_over(Run *r, const char *state)
{
	if (r->over)
		return;
	r->over = true;
	log_line(r, "it is %s%s", state, r->phase == WORKING ? "; stopping it" : "");
	output_note(&r->output, state);
	if (r->phase == ENDED)
		r->phase = DONE;
	run_stop(r, NULL);
}

/* ---- programs ---- */

static void
program_ended(Run *r, int status)
{
	char	   *tail = output_tail(&r->output);
	const char *colon = *tail != '\0' ? ": " : "";

	if (WIFSIGNALED(status))
		run_fail(r, text("killed by signal %d (%s)%s%s", WTERMSIG(status), strsignal(WTERMSIG(status)), colon, tail));
	else if (WEXITSTATUS(status) != 0)
		run_fail(r, text("exit status %d%s%s", WEXITSTATUS(status), colon, tail));
	free(tail);
	ended(r);
}

/* ---- statements ---- */

static void
statement_row(Conn *conn, PGresult *row)
{
	Run		   *r = conn->owner;

	for (int i = 0; i < PQnfields(row); i++)
	{
		if (i > 0)
			output_add(&r->output, OUT, "\t", 1);
		output_add(&r->output, OUT, PQgetvalue(row, 0, i), (size_t) PQgetlength(row, 0, i));
	}
	output_add(&r->output, OUT, "\n", 1);
}

static void
statement_ended(Conn *conn, PGresult *result)
{
	Run		   *r = conn->owner;

	if (!result_ok(result))
	{
		char	   *why = result_message(conn, result);

		if (r->timeout > 0 && strcmp(result_code(result), "57014") == 0 && clock_ms() - r->started >= r->timeout)
			run_fail(r, text("no end after %g s, its timeout", (double) r->timeout / SECOND));
		else
			run_fail(r, text("%s%s%s", result_code(result), *result_code(result) != '\0' ? ": " : "", why));
		output_note(&r->output, why);
		free(why);
	}
	ended(r);
}

/* RAISE NOTICE says something as a program does by a line. */
static void
statement_notice(void *arg, const PGresult *result)
{
	Run		   *r = arg;
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (message == NULL)
		return;
	output_add(&r->output, OUT, message, strlen(message));
	output_add(&r->output, OUT, "\n", 1);
}

static void
statement_ready(Conn *conn, PGresult *result)
{
	static const Oid types[] = {TEXTARRAYOID, INT8OID};
	Run		   *r = conn->owner;
	const char *values[] = {r->array, r->id};

	(void) result;
	PQsetNoticeReceiver(conn->pg, statement_notice, r);
	conn_send(conn, r->sql, 2, types, values, NEVER, statement_ended, statement_row);
}

static void
statement_start(Run *r)
{
	r->setup = text(sql_setup_run, r->id, (long long) r->timeout);
	r->conn = (Conn) {.ready = statement_ready,.owner = r,.setup = r->setup};
	conn_keep(&r->conn, r->started);
}

/* ---- all of it ---- */

/* Begin the work on a run that was claimed. */
void
run_start(Run *r)
{
	log_line(r, "claimed, attempt %s: %.300s%s", r->attempt, r->json, strlen(r->json) > 300 ? "…" : "");
	r->started = clock_ms();
	if (r->invalid)
	{
		r->phase = ENDED;
		return;
	}
	output_open(&r->output, r);
	output_note(&r->output, r->json);
	if (r->sql != NULL)
		statement_start(r);
	else if (!child_start(r))
	{
		run_fail(r, text("cannot start a program: %s", strerror(errno)));
		ended(r);
	}
	else if (r->timeout > 0)
		r->timeout_at = r->started + r->timeout;
}

static void
run_turn(Run *r, Millis now)
{
	int			status;

	if (r->phase != WORKING)
		return;
	if (r->sql != NULL && r->conn.state == CONN_DOWN && r->phase == WORKING)
	{
		run_fail(r, text("no connection for its statement: %s", r->conn.error));
		ended(r);
	}
	else if (child_reap(r, &status))
		program_ended(r, status);
	else if (now >= r->timeout_at)
		run_stop(r, text("no end after %g s, its timeout", (double) r->timeout / SECOND));
	else if (now >= r->expires && !r->over)
		run_stop(r, text("its lease ended without a heartbeat that came through"));
	else if (now >= r->kill_at)
	{
		child_signal(&r->child, SIGKILL);
		r->kill_at = NEVER;
	}
}

/* To be called each turn; frees what is done. */
void
runs_turn(Millis now)
{
	int			left = 0;

	for (int i = 0; i < nruns; i++)
		run_turn(runs[i], now);
	for (int i = 0; i < nruns; i++)
		if (runs[i]->phase == DONE)
			run_free(runs[i]);
		else
			runs[left++] = runs[i];
	nruns = left;
}

/* When a turn is due although nothing happens. */
Millis
run_wakes(const Run *r)
{
	if (r->phase != WORKING)
		return NEVER;
	return earlier(r->stopping ? NEVER : r->expires, earlier(r->timeout_at, r->kill_at));
}
