/*
 * report.c
 *	  What is told about a run that has ended.
 *
 * First the server reads what the run said by markers, a kind at a time; then
 * one call reports it.  A report may be repeated without harm, so whatever may
 * pass (a lost connection, a lock that somebody holds) is met by repeating it.
 * A report that the server refuses becomes a failure with the refusal as its
 * reason; if that is refused, too, the lease is let go.
 */
#include "worker.h"

#include <stdlib.h>
#include <string.h>

/* Before a report is repeated that somebody held up. */
#define AGAIN	SECOND

/* Whether an error may be another one, or none, the next time. */
bool
passes(const char *code)
{
	static const char *const classes[] = {"08", "25", "40", "53", "57", "58"};

	if (*code == '\0' || strcmp(code, "55P03") == 0)
		return true;
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strncmp(code, classes[i], 2) == 0)
			return true;
	return false;
}

/* To be logged once. */
void
held_up(Run *r, const char *why)
{
	if (!r->held)
		log_line(r, "a call about it is held up, and repeated: %s", why);
	r->held = true;
}

/* ---- reading the markers ---- */

/* The run fails because of what it said, of which nothing is reported then. */
static void
unclear(Run *r, char *why)
{
	run_fail(r, why);
	r->unclear = true;
	for (int kind = 0; kind < KINDS; kind++)
		output_forget(&r->output, (Kind) kind);
}

static const char *
shape(Kind kind)
{
	switch (kind)
	{
		case MISS:
			return "must be a list of refs, or an object of such lists with \"missing\" and perhaps \"impacted\", neither empty";
		case READ:
		case MADE:
			return "must be a list of refs";
		case METADATA:
			return "must be an object";
	}
	return "";
}

static void
checked(Conn *conn, PGresult *result)
{
	Run		   *r = conn->owner;
	Kind		kind = (Kind) r->checked;
	Said	   *said = &r->output.said[kind];

	if (!result_ok(result) && passes(result_code(result)))
	{
		r->report_at = clock_ms() + (result == NULL ? 0 : AGAIN);
		return;
	}
	r->checked++;
	if (!result_ok(result))
	{
		char	   *why = result_message(conn, result);
		const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);

		unclear(r, text("%s does not parse: %s%s%.200s", kind_name(kind), why, context ? " " : "", context ? context : ""));
		free(why);
	}
	else if (PQgetisnull(result, 0, 0))
	{
		char	   *shown = clean_text(said->text, strnlen(said->text, 100), false);

		unclear(r, text("%s %s, not %s", kind_name(kind), shape(kind), shown));
		free(shown);
	}
	else
	{
		free(said->text);
		said->text = must(strdup(PQgetvalue(result, 0, 0)));
	}
}

/* ---- reporting ---- */

static double
seconds(const Run *r)
{
	return r->started == 0 ? 0 : (double) (clock_ms() - r->started) / SECOND;
}

static void
done(Run *r, char *how)
{
	log_line(r, "%s", how);
	output_note(&r->output, how);
	free(how);
	r->phase = DONE;
}

static char *
how_it_ended(const Run *r)
{
	if (r->output.said[MISS].text != NULL)
		return text("missed after %.1f s: %.300s", seconds(r), r->output.said[MISS].text);
	if (r->failure != NULL)
		return text("failed after %.1f s: %s", seconds(r), r->failure);
	return text("succeeded after %.1f s", seconds(r));
}

static void
refused(Run *r, const char *why)
{
	if (r->failure == NULL || r->output.said[MISS].text != NULL)
		unclear(r, text("the report was refused: %s", why));
	else if (!r->refused)
	{
		char	   *plain = clean_text(r->failure, strlen(r->failure), true);

		log_line(r, "the report of its failure was refused: %s", why);
		r->refused = true;
		free(r->failure);
		r->failure = plain;
		output_forget(&r->output, METADATA);
	}
	else
		done(r, text("let go until its lease ends, since it cannot be reported: %s; its failure was: %s", why, r->failure));
}

static void
reported(Conn *conn, PGresult *result)
{
	Run		   *r = conn->owner;
	const char *code = result_code(result);
	char	   *why;

	if (result_ok(result))
	{
		done(r, how_it_ended(r));
		return;
	}
	why = result_message(conn, result);
	if (strcmp(code, "55000") == 0 || strcmp(code, "42704") == 0)
		done(r, text("has ended otherwise: %s", why));
	else if (passes(code))
	{
		if (result != NULL)
			held_up(r, why);
		r->report_at = clock_ms() + (result == NULL ? 0 : AGAIN);
	}
	else
		refused(r, why);
	free(why);
}

/* Send the next statement about a run that has ended, over the idle connection. */
void
report_send(Conn *conn, Run *r)
{
	const Said *said = r->output.said;
	const char *values[4] = {r->id, NULL, said[READ].text, said[METADATA].text};
	const char *sql = sql_succeed;

	conn->owner = r;
	while (r->checked < KINDS && said[r->checked].text == NULL)
		r->checked++;
	if (r->checked < KINDS)
	{
		const char *lines[] = {said[r->checked].text};

		conn_send(conn, sql_check((Kind) r->checked), 1, NULL, lines, ANSWER_MOST, checked, NULL);
		return;
	}
	if (said[MISS].text != NULL && !r->unclear)
	{
		sql = sql_miss;
		values[1] = said[MISS].text;
	}
	else if (r->failure != NULL)
	{
		sql = sql_fail;
		values[1] = r->failure;
		values[2] = r->invalid ? "false" : "true";
	}
	else
		values[1] = said[MADE].text;
	conn_send(conn, sql, 4, NULL, values, ANSWER_MOST, reported, NULL);
}
