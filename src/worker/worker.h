/*
 * worker.h
 *	  databuild-worker: claims runs whose config says what to run, runs it,
 *	  and reports.
 *
 * A program of its own that links libpq and nothing else.  JSON is read and
 * written by the server (statements.c), never here.
 *
 * One thread, one loop over poll(), and nothing in it that waits: the
 * connections are asynchronous, the pipes non-blocking.  So a report that is
 * held up, or a program that floods its output, delays no heartbeat.  Excepted
 * are what libpq does at once when it connects (names looked up), and writing
 * the files of --log-dir.
 *
 * Files, each using only those before it:
 *		clock.c			time
 *		options.c		the command line
 *		log.c			log lines
 *		statements.c	all SQL
 *		connection.c	an asynchronous connection
 *		output.c		what a run writes: its file, its last lines, its markers
 *		child.c			the process of a run
 *		run.c			a run from its claim to its end
 *		report.c		what is told about a run that has ended
 *		main.c			the loop: heartbeats, reports, claims, signals
 */
#ifndef DATABUILD_WORKER_H
#define DATABUILD_WORKER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "libpq-fe.h"

/* ---- clock.c: milliseconds since some start; goes on while the machine sleeps ---- */

typedef int64_t Millis;

#define NEVER	INT64_MAX
#define SECOND	INT64_C(1000)

extern Millis clock_ms(void);
extern Millis earlier(Millis a, Millis b);

/* ---- options.c ---- */

#define PARALLEL_MOST	256		/* see also the help */

typedef struct Options
{
	const char *conninfo;		/* or NULL: the environment's */
	char	   *jobs;			/* labels with commas, or NULL: all */
	int			parallel;
	char	   *name;
	const char *log_dir;		/* or NULL: no files */
	int64_t		log_size;		/* bytes a run */
	Millis		grace;			/* between SIGTERM and SIGKILL */
} Options;

extern Options options;

extern void options_read(int argc, char **argv);
extern void *must(void *allocated);

/* ---- log.c ---- */

typedef struct Run Run;

extern void log_line(const Run *r, const char *format,...) __attribute__((format(printf, 2, 3)));

/* ---- statements.c ---- */

/* What a program says by a marker. */
typedef enum Kind
{
	MISS, READ, MADE, METADATA
} Kind;

#define KINDS	4

extern const char *const sql_setup;
extern const char *const sql_setup_waiter;
extern const char *const sql_setup_run;
extern const char *const sql_wait;
extern const char *const sql_claim;
extern const char *const sql_heartbeat;
extern const char *const sql_fail;
extern const char *const sql_succeed;
extern const char *const sql_miss;
extern const char *sql_check(Kind kind);

/* ---- connection.c ---- */

typedef enum ConnState
{
	CONN_DOWN, CONN_CONNECTING, CONN_IDLE, CONN_BUSY
} ConnState;

typedef struct Conn Conn;

/*
 * The answer to a statement; NULL: the connection was lost, see conn->error.
 * May send the next statement, but must not free the connection.
 */
typedef void (*ConnDone) (Conn *conn, PGresult *result);

struct Conn
{
	const char *name;			/* for log lines; NULL: logs nothing, and never connects again by itself */
	const char *setup;			/* what is sent first */
	ConnDone	ready;			/* gets the answer to it */
	void	   *owner;

	/* the rest is connection.c's */
	PGconn	   *pg;
	ConnState	state;
	Millis		at;				/* down: when to connect; else: when to give up */
	int			failures;		/* since it was last ready */
	bool		polling_write;
	bool		need_flush;
	ConnDone	done;
	ConnDone	row;			/* gets each row alone, if set */
	PGresult   *last;
	char	   *error;			/* why it was lost */
};

extern void conn_keep(Conn *conn, Millis now);
extern void conn_send(Conn *conn, const char *sql, int n, const Oid *types, const char *const *values,
					  Millis limit, ConnDone done, ConnDone row);
extern void conn_close(Conn *conn);
extern bool conn_fd(const Conn *conn, struct pollfd *fd);
extern Millis conn_wakes(const Conn *conn);
extern void conn_turn(Conn *conn, short revents, Millis now);
extern bool result_ok(const PGresult *result);
extern const char *result_code(const PGresult *result);
extern char *result_message(const Conn *conn, const PGresult *result);

/* ---- output.c ---- */

#define TAIL_BYTES		4096

typedef enum Source
{
	OUT, ERR
} Source;

typedef struct Tail
{
	char		bytes[TAIL_BYTES];
	size_t		n;
	bool		cut;
} Tail;

typedef struct Said
{
	char	   *text;			/* the JSON of each line, with newlines between, or what the server made of it */
	size_t		n;
	size_t		room;
} Said;

typedef struct Output
{
	int			file;			/* -1: none */
	char	   *path;
	int64_t		written;
	bool		midline;		/* the file does not end with a newline */
	Tail		tail[2];
	char	   *line;			/* the present line of standard output, while it may be a marker */
	size_t		line_n;
	bool		passing;		/* the present line is none */
	Said		said[KINDS];
	size_t		said_bytes;
	char	   *wrong;			/* what was not understood, or NULL */
} Output;

extern void output_open(Output *o, const Run *r);
extern void output_note(Output *o, const char *text);
extern void output_add(Output *o, Source source, const char *bytes, size_t n);
extern void output_end(Output *o);
extern void output_forget(Output *o, Kind kind);
extern void output_close(Output *o);
extern char *output_tail(const Output *o);
extern char *clean_text(const char *bytes, size_t n, bool ascii);
extern const char *kind_name(Kind kind);

/* ---- child.c ---- */

typedef struct Child
{
	pid_t		pid;			/* 0: none */
	int			fds[2];			/* by Source; -1: closed */
} Child;

extern bool child_start(Run *r);
extern void child_read(Run *r, Source source);
extern void child_signal(const Child *c, int signal);
extern bool child_reap(Run *r, int *status);

/* ---- run.c ---- */

typedef enum Phase
{
	WORKING,					/* its program or statement is under way */
	ENDED,						/* to be reported */
	DONE						/* to be freed */
} Phase;

typedef struct Setting
{
	char	   *name;
	char	   *value;
} Setting;

struct Run
{
	char	   *id;
	char	   *job;
	char	   *attempt;
	char	   *array;			/* its partitions as an array's text */
	char	   *json;			/* and as JSON */
	char	  **refs;
	int			nrefs;
	char	  **args;			/* of the program, or */
	int			nargs;
	char	   *sql;
	char	   *setup;			/* of the statement's connection */
	char	   *dir;
	Setting    *env;
	int			nenv;
	Millis		timeout;		/* how long it may take, or 0 */

	Phase		phase;
	bool		over;			/* the server says that it is running no more */
	bool		stopping;
	bool		invalid;		/* its config is */
	bool		unclear;		/* its markers are, or the server refused what they say */
	char	   *failure;		/* why it failed, or NULL */
	Child		child;
	Conn		conn;			/* of the statement */
	Output		output;

	Millis		started;
	Millis		expires;		/* its lease */
	Millis		beat_at;		/* when to renew it */
	bool		beat_alone;		/* not together with others */
	bool		held;			/* a lock held a call about it up, which was logged */
	Millis		timeout_at;
	Millis		kill_at;

	int			checked;		/* kinds of markers that the server has read */
	bool		refused;		/* so was the report of its failure */
	Millis		report_at;
};

extern Run *runs[];
extern int	nruns;

extern char *text(const char *format,...) __attribute__((format(printf, 1, 2)));
extern int	runs_claimed(const PGresult *result, Millis now);
extern void run_start(Run *r);
extern void run_fail(Run *r, char *why);
extern void run_stop(Run *r, char *why);
extern void run_over(Run *r, const char *state);
extern void runs_turn(Millis now);
extern Millis run_wakes(const Run *r);

/* ---- report.c ---- */

extern void report_send(Conn *conn, Run *r);
extern bool passes(const char *code);
extern void held_up(Run *r, const char *why);

/* No answer after that long: the connection is given up.  The server gives up earlier, see statements.c. */
#define ANSWER_MOST		(25 * SECOND)

#endif
