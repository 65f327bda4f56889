/*
 * fold.c
 *	  The left fold of the log: state made from nothing but events, by the same
 *	  evolve() that live calls use.
 *
 * fold() hands out the tokens as rows; verify() and replay(), in SQL, compare
 * the tables with them or make the tables from them.  It reads with the
 * snapshot of the statement that calls it, takes no lock and writes nothing,
 * so that it runs on a standby, too.
 *
 * Where the log was pruned, the fold begins with the base: the tokens as they
 * were after the last event that is gone.  prune() moves the base forward, for
 * which it needs, of the fold up to an event, only the tokens that the events
 * since the base name; so these are loaded as they are met, and the rest is
 * left alone.
 */
#include "store.h"

#include "funcapi.h"
#include "miscadmin.h"

/* Events are read in portions. */
#define BATCH	1000

static int64
time_or_none(const Rows *rows, int i, int column)
{
	return rows_null(rows, i, column) ? 0 : rows_int64(rows, i, column);
}

static Event
event_of_row(const Rows *rows, int i)
{
	char	   *kind = rows_text(rows, i, 2);
	char	   *cause = rows_text(rows, i, 8);
	Event		e = {
		.id = rows_int64(rows, i, 0),
		.at = rows_int64(rows, i, 1),
		.want = time_or_none(rows, i, 3),
		.taint = time_or_none(rows, i, 4),
		.job = rows_null(rows, i, 5) ? 0 : rows_int32(rows, i, 5),
		.prio = rows_null(rows, i, 6) ? PRIORITY_NONE : DatumGetInt16(rows_datum(rows, i, 6)),
		.until = time_or_none(rows, i, 7),
		.cause = cause == NULL ? CAUSE_NONE : cause_by_name(cause),
		.note = rows_text(rows, i, 9),
	};
	int			k = net_event_by_name(kind);

	if (k < 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("event " INT64_FORMAT " is of unknown kind \"%s\"", e.id, kind),
				 errhint("The log was written by another version of databuild.")));
	e.kind = (EventKind) k;
	rows_ids(rows, i, 10, &e.runs);
	rows_ids(rows, i, 11, &e.parts);
	rows_ids(rows, i, 12, &e.sizes);
	return e;
}

static void
apply(Marking *m, const Event *e)
{
	Refusal		refusal;

	if (!evolve(m, e, &refusal))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("event " INT64_FORMAT " (%s) does not fit %s " INT64_FORMAT ", which is %s",
						e->id, net_event(e->kind)->name, net_machine_name(refusal.machine),
						refusal.id, net_place_name(refusal.machine, refusal.place)),
				 errdetail("The log is damaged, or was not written by databuild alone.")));
}

/* ---- the base ---- */

/* As BASE_COLUMNS has them, which are those of fold(). */
static int64
token_of_row(Marking *m, Machine machine, const Rows *rows, int i)
{
	int64		id = rows_int64(rows, i, 1);
	void	   *token = marking_add(m, machine, id);
	int			place = net_place_by_letter(machine, rows_char(rows, i, 2));

	switch (machine)
	{
		case PARTITION:
			{
				Partition  *p = token;
				char	   *cause = rows_text(rows, i, 11);

				p->place = (PartitionPlace) place;
				p->job = rows_int32(rows, i, 3);
				p->prio = rows_int32(rows, i, 4);
				p->run = rows_int64(rows, i, 5);
				p->live_run = rows_int64(rows, i, 6);
				p->since = rows_int64(rows, i, 7);
				p->retry_at = time_or_none(rows, i, 8);
				p->attempts = rows_int32(rows, i, 9);
				p->misses = rows_int32(rows, i, 10);
				p->cause = cause == NULL ? CAUSE_NONE : cause_by_name(cause);
				p->note = rows_text(rows, i, 12);
				rows_ids(rows, i, 13, &p->waits);
				p->ticket = rows_int64(rows, i, 14);
				p->changed = rows_int64(rows, i, 15);
				break;
			}
		case RUN:
			{
				Run		   *r = token;

				r->place = (RunPlace) place;
				r->job = rows_int32(rows, i, 3);
				r->started = rows_int64(rows, i, 7);
				r->finished = time_or_none(rows, i, 8);
				r->attempt = rows_int32(rows, i, 9);
				rows_ids(rows, i, 13, &r->outputs);
				break;
			}
		case WANT:
			{
				Want	   *w = token;

				w->place = (WantPlace) place;
				w->prio = rows_int32(rows, i, 4);
				w->run = rows_int64(rows, i, 5);
				w->created = rows_int64(rows, i, 7);
				w->ended = time_or_none(rows, i, 8);
				w->derivative = rows_int32(rows, i, 9) != 0;
				w->total = rows_int64(rows, i, 14);
				break;
			}
		case TAINT:
			{
				Taint	   *t = token;

				t->place = (TaintPlace) place;
				t->created = rows_int64(rows, i, 7);
				break;
			}
	}
	return id;
}

/* All tokens of the base. */
static void
load_base(Marking *m)
{
	for (int machine = 0; machine < N_MACHINES; machine++)
	{
		int64		after = 0;
		int			n;

		do
		{
			Datum		args[] = {CharGetDatum(net_machine_name((Machine) machine)[0]), Int64GetDatum(after), Int32GetDatum(BATCH)};
			Rows		rows = store_read(Q_BASE_NEXT, args, NULL);

			CHECK_FOR_INTERRUPTS();
			n = rows.n;
			for (int i = 0; i < n; i++)
				after = token_of_row(m, (Machine) machine, &rows, i);
			rows_free(&rows);
		} while (n == BATCH);
	}
}

/* Of the tokens that the events move, those of the base that the marking has not yet. */
static void
load_named(Marking *m, const Event *events, int n)
{
	Ids			named[N_MACHINES] = {{0}};

	for (int i = 0; i < n; i++)
	{
		const Event *e = &events[i];

		for (int k = 0; k < e->parts.n; k++)
			ids_add(&named[PARTITION], e->parts.at[k]);
		for (int k = 0; k < e->runs.n; k++)
			ids_add(&named[RUN], e->runs.at[k]);
		if (e->want != 0)
			ids_add(&named[WANT], e->want);
		if (e->taint != 0)
			ids_add(&named[TAINT], e->taint);
	}
	for (int machine = 0; machine < N_MACHINES; machine++)
	{
		Ids			lacking = {0};
		Datum		args[2] = {CharGetDatum(net_machine_name((Machine) machine)[0])};
		Rows		rows;

		ids_sort(&named[machine]);
		for (int i = 0; i < named[machine].n; i++)
			if (marking_token(m, (Machine) machine, named[machine].at[i]) == NULL)
				ids_add(&lacking, named[machine].at[i]);
		if (lacking.n == 0)
			continue;
		args[1] = ids_datum(&lacking);
		rows = store_read(Q_BASE_SOME, args, NULL);
		for (int i = 0; i < rows.n; i++)
			(void) token_of_row(m, (Machine) machine, &rows, i);
		rows_free(&rows);
	}
}

static int64
base_upto(void)
{
	Rows		rows = store_read(Q_BASE_UPTO, NULL, NULL);
	int64		upto = rows.n > 0 ? rows_int64(&rows, 0, 0) : 0;

	rows_free(&rows);
	return upto;
}

/* With all: every token, else those that the events since the base name. */
static void
fold_events(Marking *m, int64 upto, bool all)
{
	int64		base = base_upto();
	int64		after = base;
	Event	   *events = palloc(sizeof(Event) * BATCH);
	int			n;

	if (base > 0 && all)
		load_base(m);
	do
	{
		Datum		args[] = {Int64GetDatum(after), Int64GetDatum(upto), Int32GetDatum(BATCH)};
		Rows		rows = store_read(Q_EVENTS_READ, args, NULL);

		CHECK_FOR_INTERRUPTS();
		n = rows.n;
		for (int i = 0; i < n; i++)
			events[i] = event_of_row(&rows, i);
		rows_free(&rows);
		if (base > 0 && !all)
			load_named(m, events, n);
		for (int i = 0; i < n; i++)
			apply(m, &events[i]);
		if (n > 0)
			after = events[n - 1].id;
	} while (n == BATCH);
}

/* ---- rows: machine, id, state, job, prio, run, live_run, since, until,
 *	attempts, misses, cause, note, ids, total, past, changed ---- */

#define COLUMNS 17

static void
put(ReturnSetInfo *result, Datum *values, bool *nulls, Machine machine, int64 id, int place)
{
	values[0] = text_datum(net_machine_name(machine));
	values[1] = Int64GetDatum(id);
	values[2] = CharGetDatum(net_place_letter(machine, place));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static Datum
time_datum(bool *null, int64 at)
{
	*null = at == 0;
	return TimestampTzGetDatum(at);
}

static void
put_partition(ReturnSetInfo *result, Partition *p)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {false};

	values[3] = Int32GetDatum(p->job);
	values[4] = Int32GetDatum(p->prio);
	values[5] = Int64GetDatum(p->run);
	values[6] = Int64GetDatum(p->live_run);
	values[7] = TimestampTzGetDatum(p->since);
	values[8] = time_datum(&nulls[8], p->retry_at);
	values[9] = Int32GetDatum(p->attempts);
	values[10] = Int32GetDatum(p->misses);
	nulls[11] = p->cause == CAUSE_NONE;
	values[11] = text_datum(cause_name(p->cause));
	nulls[12] = p->note == NULL;
	values[12] = p->note == NULL ? 0 : text_datum(p->note);
	ids_sort(&p->waits);
	values[13] = ids_datum(&p->waits);
	values[14] = Int64GetDatum(p->ticket);
	values[15] = ids_datum(&p->past);
	values[16] = Int64GetDatum(p->changed);
	put(result, values, nulls, PARTITION, p->id, (int) p->place);
}

static void
put_run(ReturnSetInfo *result, const Run *r)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 1};

	values[3] = Int32GetDatum(r->job);
	values[7] = TimestampTzGetDatum(r->started);
	values[8] = time_datum(&nulls[8], r->finished);
	values[9] = Int32GetDatum(r->attempt);
	values[13] = ids_datum(&r->outputs);
	put(result, values, nulls, RUN, r->id, (int) r->place);
}

static void
put_want(ReturnSetInfo *result, const Want *w)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 0, 1, 1};

	values[4] = Int32GetDatum(w->prio);
	values[5] = Int64GetDatum(w->run);
	values[7] = TimestampTzGetDatum(w->created);
	values[8] = time_datum(&nulls[8], w->ended);
	values[9] = Int32GetDatum(w->derivative);
	values[14] = Int64GetDatum(w->total);
	put(result, values, nulls, WANT, w->id, (int) w->place);
}

static void
put_taint(ReturnSetInfo *result, const Taint *t)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {0, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1};

	values[7] = TimestampTzGetDatum(t->created);
	put(result, values, nulls, TAINT, t->id, (int) t->place);
}

static void
put_all(ReturnSetInfo *result, const Marking *m)
{
	for (int i = 0; i < m->map[PARTITION].n; i++)
		put_partition(result, m->map[PARTITION].tokens[i]);
	for (int i = 0; i < m->map[RUN].n; i++)
		put_run(result, m->map[RUN].tokens[i]);
	for (int i = 0; i < m->map[TAINT].n; i++)
		put_taint(result, m->map[TAINT].tokens[i]);
	for (int i = 0; i < m->map[WANT].n; i++)
		put_want(result, m->map[WANT].tokens[i]);
}

PG_FUNCTION_INFO_V1(databuild_fold);

/* The fold up to an event, or, for NULL, of the whole log. */
Datum
databuild_fold(PG_FUNCTION_ARGS)
{
	int64		upto = PG_ARGISNULL(0) ? PG_INT64_MAX : PG_GETARG_INT64(0);
	Marking		m = {0};
	int			level;

	InitMaterializedSRF(fcinfo, 0);
	level = store_open();
	fold_events(&m, upto, PG_GETARG_BOOL(1));
	put_all((ReturnSetInfo *) fcinfo->resultinfo, &m);
	store_close(level);
	return (Datum) 0;
}
