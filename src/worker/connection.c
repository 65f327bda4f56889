/*
 * connection.c
 *	  An asynchronous connection: connects, sends its setup, then one statement
 *	  at a time, and hands over each answer.
 *
 * One that has a name connects again by itself when it is lost, later each
 * time it fails.  Whatever is under way has a limit, after which the connection
 * counts as lost: a network that swallows everything says nothing.
 */
#include "worker.h"

#include <stdlib.h>
#include <string.h>

#define CONNECT_MOST	(15 * SECOND)
#define BACKOFF_LEAST	100
#define BACKOFF_MOST	(5 * SECOND)

/*
 * Half of it by chance, so that the workers of a server that was restarted do
 * not come all at once.
 */
static Millis
backoff(int failures)
{
	Millis		most = failures > 10 ? BACKOFF_MOST : earlier((Millis) BACKOFF_LEAST << failures, BACKOFF_MOST);

	return most / 2 + random() % (most / 2 + 1);
}

static char *
trimmed(const char *message)
{
	char	   *copy = must(strdup(message));
	size_t		n = strlen(copy);

	while (n > 0 && (copy[n - 1] == '\n' || copy[n - 1] == ' '))
		copy[--n] = '\0';
	return copy;
}

/* The connection is gone, or given up. */
static void
lost(Conn *conn, const char *why, Millis now)
{
	ConnDone	done = conn->done;
	bool		busy = conn->state == CONN_BUSY;
	char	   *error = trimmed(why);
	Millis		again = NEVER;

	if (conn->name != NULL)
	{
		Millis		wait = backoff(conn->failures++);

		if (conn->error == NULL || strcmp(conn->error, error) != 0)
			log_line(NULL, "%s: %s, and tries again, in %.1f s at first: %s", conn->name,
					 conn->state == CONN_CONNECTING ? "cannot connect" : "connection lost", (double) wait / SECOND, error);
		again = now + wait;
	}
	conn_close(conn);
	free(conn->error);
	conn->error = error;
	conn->at = again;
	if (busy && done != NULL)
		done(conn, NULL);
}

static void
ignore_notice(void *arg, const PGresult *result)
{
	(void) arg;
	(void) result;
}

/* Values of the connection string override those before it; those after it hold. */
static void
start(Conn *conn, Millis now)
{
	const char *const names[] = {"fallback_application_name", "keepalives_idle", "keepalives_interval", "keepalives_count",
	"dbname", "client_encoding", NULL};
	const char *const values[] = {"databuild-worker", "30", "10", "3", options.conninfo, "UTF8", NULL};

	conn->state = CONN_CONNECTING;
	conn->at = now + CONNECT_MOST;
	conn->polling_write = true;
	conn->pg = must(PQconnectStartParams(names, values, 1));
	PQsetNoticeReceiver(conn->pg, ignore_notice, NULL);
	if (PQstatus(conn->pg) == CONNECTION_BAD)
		lost(conn, PQerrorMessage(conn->pg), now);
}

/* To be called each turn: connects when it is time to. */
void
conn_keep(Conn *conn, Millis now)
{
	if (conn->state == CONN_DOWN && now >= conn->at)
		start(conn, now);
}

void
conn_close(Conn *conn)
{
	if (conn->last != NULL)
		PQclear(conn->last);
	conn->last = NULL;
	if (conn->pg != NULL)
		PQfinish(conn->pg);
	conn->pg = NULL;
	conn->state = CONN_DOWN;
	conn->at = NEVER;
	conn->done = NULL;
	conn->row = NULL;
}

static void
sent(Conn *conn, int ok, Millis limit, ConnDone done, ConnDone row)
{
	Millis		now = clock_ms();

	conn->state = CONN_BUSY;
	conn->at = limit == NEVER ? NEVER : now + limit;
	conn->done = done;
	conn->row = row;
	if (ok && row != NULL)
		ok = PQsetSingleRowMode(conn->pg);
	if (ok)
		conn->need_flush = PQflush(conn->pg) > 0;
	else
		lost(conn, PQerrorMessage(conn->pg), now);
}

/*
 * Send one statement over an idle connection.  done gets the answer, row (or
 * NULL) each row alone.
 */
void
conn_send(Conn *conn, const char *sql, int n, const Oid *types, const char *const *values,
		  Millis limit, ConnDone done, ConnDone row)
{
	sent(conn, PQsendQueryParams(conn->pg, sql, n, types, values, NULL, NULL, 0), limit, done, row);
}

/* The setup was answered. */
static void
set_up(Conn *conn, PGresult *result)
{
	if (!result_ok(result))
	{
		if (result != NULL)
		{
			char	   *why = result_message(conn, result);

			conn->done = NULL;
			lost(conn, why, clock_ms());
			free(why);
		}
		return;
	}
	if (conn->name != NULL && conn->error != NULL)
		log_line(NULL, "%s: connected again", conn->name);
	free(conn->error);
	conn->error = NULL;
	conn->failures = 0;
	conn->ready(conn, result);
}

static void
connecting(Conn *conn, Millis now)
{
	switch (PQconnectPoll(conn->pg))
	{
		case PGRES_POLLING_OK:
			PQsetnonblocking(conn->pg, 1);
			sent(conn, PQsendQuery(conn->pg, conn->setup), ANSWER_MOST, set_up, NULL);
			break;
		case PGRES_POLLING_FAILED:
			lost(conn, PQerrorMessage(conn->pg), now);
			break;
		case PGRES_POLLING_WRITING:
			conn->polling_write = true;
			break;
		case PGRES_POLLING_READING:
		case PGRES_POLLING_ACTIVE:
			conn->polling_write = false;
			break;
	}
}

static void
answered(Conn *conn)
{
	PGresult   *result = conn->last;
	ConnDone	done = conn->done;

	conn->last = NULL;
	conn->done = NULL;
	conn->row = NULL;
	conn->state = CONN_IDLE;
	conn->at = NEVER;
	if (done != NULL)
		done(conn, result);
	PQclear(result);
}

/* COPY waits for data that nobody has. */
static bool
is_copy(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

static void
receive(Conn *conn, Millis now)
{
	while (conn->state == CONN_BUSY && !PQisBusy(conn->pg))
	{
		PGresult   *result = PQgetResult(conn->pg);

		if (result == NULL)
		{
			answered(conn);
			return;
		}
		if (is_copy(result))
		{
			PQclear(result);
			lost(conn, "the statement must not be COPY from or to the client", now);
			return;
		}
		if (conn->row != NULL && PQresultStatus(result) == PGRES_SINGLE_TUPLE)
		{
			conn->row(conn, result);
			PQclear(result);
			continue;
		}
		PQclear(conn->last);
		conn->last = result;
		if (PQstatus(conn->pg) == CONNECTION_BAD)
		{
			lost(conn, PQresultErrorMessage(result), now);
			return;
		}
	}
}

static void
working(Conn *conn, short revents, Millis now)
{
	if (conn->need_flush)
	{
		int			left = PQflush(conn->pg);

		if (left < 0)
		{
			lost(conn, PQerrorMessage(conn->pg), now);
			return;
		}
		conn->need_flush = left > 0;
	}
	if (!(revents & (POLLIN | POLLHUP | POLLERR)))
		return;
	if (!PQconsumeInput(conn->pg) && conn->state == CONN_IDLE)
	{
		lost(conn, PQerrorMessage(conn->pg), now);
		return;
	}
	receive(conn, now);
}

/* What to poll for; false: nothing. */
bool
conn_fd(const Conn *conn, struct pollfd *fd)
{
	if (conn->state == CONN_DOWN || PQsocket(conn->pg) < 0)
		return false;
	fd->fd = PQsocket(conn->pg);
	fd->events = POLLIN;
	if (conn->state == CONN_CONNECTING)
		fd->events = conn->polling_write ? POLLOUT : POLLIN;
	else if (conn->need_flush)
		fd->events |= POLLOUT;
	return true;
}

Millis
conn_wakes(const Conn *conn)
{
	return conn->at;
}

/* To be called each turn: deals with what poll() saw, and with what took too long. */
void
conn_turn(Conn *conn, short revents, Millis now)
{
	if (conn->state == CONN_DOWN)
		return;
	if (now >= conn->at)
	{
		lost(conn, "no answer", now);
		return;
	}
	if (revents == 0)
		return;
	if (conn->state == CONN_CONNECTING)
		connecting(conn, now);
	else
		working(conn, revents, now);
}

bool
result_ok(const PGresult *result)
{
	return result != NULL && (PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK);
}

/* The SQLSTATE; "" if the answer came from no server. */
const char *
result_code(const PGresult *result)
{
	const char *code = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return code == NULL ? "" : code;
}

/* An error's message and detail; to be freed. */
char *
result_message(const Conn *conn, const PGresult *result)
{
	const char *primary = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	char	   *message = NULL;
	size_t		n;
	FILE	   *out;

	if (primary == NULL)
		return trimmed(result != NULL ? PQresultErrorMessage(result) : conn->error != NULL ? conn->error : "connection lost");
	out = must(open_memstream(&message, &n));
	fputs(primary, out);
	if (detail != NULL)
		fprintf(out, ". %s", detail);
	fclose(out);
	return message;
}
