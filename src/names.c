/*
 * names.c
 *	  From refs to partitions: known ones are found, new ones are put into the
 *	  tables, and all are locked, without two callers waiting for each other in
 *	  a circle.
 *
 * New refs are inserted first, with everything new that they are declared to
 * need, in the order of their bytes; an insert waits
 * for another session that is inserting the same ref, and both go in the same
 * order.  Only then are the ones that existed locked, in the order of their
 * ids.
 *
 * Where it is clear what becomes of new refs, they are put in as that, so that
 * they need not be changed at once: a want of nothing but new refs of one job
 * that declares nothing has them queued.  The numbers of its events are drawn
 * before, since a ticket is one of them.
 */
#include "store.h"

#include "utils/builtins.h"

typedef struct Known
{
	char	   *ref;
	int64		id;
} Known;

static int
by_ref(const void *a, const void *b)
{
	return strcmp(((const Known *) a)->ref, ((const Known *) b)->ref);
}

/* Those of the refs that are in the table, sorted. */
static Known *
known_refs(const Datum *refs, int n, int *nknown)
{
	Datum		args[] = {refs_datum(refs, n)};
	Rows		rows = store_rows(Q_REFS_KNOWN, args, NULL);
	Known	   *known = palloc(sizeof(Known) * (rows.n + 1));

	for (int i = 0; i < rows.n; i++)
		known[i] = (Known)
	{
		rows_text(&rows, i, 0), rows_int64(&rows, i, 1)
	};
	*nknown = rows.n;
	rows_free(&rows);
	pfree(DatumGetPointer(args[0]));
	qsort(known, *nknown, sizeof(Known), by_ref);
	return known;
}

/* A call may name a million refs: what it has no use for any more is given back. */
static void
forget_known(Known *known, int n)
{
	for (int i = 0; i < n; i++)
		pfree(known[i].ref);
	pfree(known);
}

/* The refs that are not among the known ones, in order. */
static Datum *
unknown_refs(const Datum *refs, int n, Known *known, int nknown, int *nunknown)
{
	Datum	   *unknown = palloc(sizeof(Datum) * (n + 1));

	*nunknown = 0;
	for (int i = 0; i < n; i++)
	{
		Known		key = {TextDatumGetCString(refs[i]), 0};

		if (bsearch(&key, known, nknown, sizeof(Known), by_ref) == NULL)
			unknown[(*nunknown)++] = refs[i];
		pfree(key.ref);
	}
	return unknown;
}

Datum *
filter_unknown(const Datum *refs, int n, int *nunknown)
{
	int			nknown;
	Known	   *known;

	*nunknown = 0;
	if (n == 0)
		return NULL;
	known = known_refs(refs, n, &nknown);
	return unknown_refs(refs, n, known, nknown, nunknown);
}

Ids
find_refs(const Datum *refs, int n)
{
	int			nknown;
	int			nunknown;
	Known	   *known = known_refs(refs, n, &nknown);
	Datum	   *unknown = unknown_refs(refs, n, known, nknown, &nunknown);
	Ids			ids = {0};

	if (nunknown > 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("partition \"%s\" is not known", TextDatumGetCString(unknown[0])),
				 errhint("A ref is known once a call or a run has named it.")));
	for (int i = 0; i < nknown; i++)
		ids_add(&ids, known[i].id);
	return ids;
}

static int32
route(Datum ref, bool needed)
{
	char	   *name = TextDatumGetCString(ref);
	int32		job = route_ref(name, strlen(name));

	if (job == 0 && needed)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no job makes ref \"%s\"", name),
				 errhint("Define a job or source with a pattern that matches the whole ref, or correct the ref.")));
	pfree(name);
	return job;
}

static int32 *
routes_of(const Datum *refs, int n, bool needed)
{
	int32	   *jobs = palloc(sizeof(int32) * (n + 1));

	for (int i = 0; i < n; i++)
		jobs[i] = route(refs[i], needed);
	return jobs;
}

/* The event that says which job makes the new refs. */
static Event *
known_event(Call *c, int32 job)
{
	Event	   *e;

	for (int i = 0; i < c->events.n; i++)
		if (c->events.at[i]->kind == EV_KNOWN && c->events.at[i]->job == job)
			return c->events.at[i];
	e = events_add(&c->events, EV_KNOWN);
	e->job = job;
	e->at = c->now;
	return e;
}

/* Whether a want of these refs has nothing to do but to queue them. */
static bool
all_queued(const Call *c, const int32 *jobs, int n)
{
	const Job  *job = marking_job(&c->m, jobs[0]);

	if (job == NULL || job->is_source || n > EVENT_MOST || route_declares(job->id, INPUTS) || route_declares(job->id, OUTPUTS))
		return false;
	for (int i = 1; i < n; i++)
		if (jobs[i] != jobs[0])
			return false;
	return true;
}

/*
 * Those of the refs, which are in order, that nobody else has put in; likewise.
 * jobs: who makes each; priority: of a want that names all of them and no
 * others, or PRIORITY_NONE.
 */
static Known *
insert_refs(Call *c, const Datum *refs, const int32 *jobs, int n, int32 priority, int *nfresh)
{
	Known	   *known = palloc(sizeof(Known) * (n + 1));
	Ids			fresh = {0};
	int64		ticket = 0;
	Datum		args[6];
	Rows		rows;

	if (priority != PRIORITY_NONE && all_queued(c, jobs, n))
	{
		call_reserve(c, 3);		/* known, wanted, queued */
		ticket = c->reserved.at[2];
	}
	args[0] = refs_datum(refs, n);
	args[1] = int32s_datum(jobs, n);
	args[2] = TimestampTzGetDatum(c->now);
	args[3] = CharGetDatum(net_place_letter(PARTITION, ticket != 0 ? P_QUEUED : P_MISSING));
	args[4] = Int16GetDatum((int16) (ticket != 0 ? priority : PRIORITY_NONE));
	args[5] = Int64GetDatum(ticket);
	rows = store_rows(Q_REFS_INSERT, args, NULL);
	for (int i = 0; i < rows.n; i++)
	{
		Partition  *p = marking_add(&c->m, PARTITION, rows_int64(&rows, i, 0));
		char	   *ref = rows_text(&rows, i, 1);

		p->ref = ref;
		p->was = P_MISSING;
		p->put_in = ticket;
		ids_add(&known_event(c, rows_int32(&rows, i, 2))->parts, p->id);
		ids_add(&fresh, p->id);
		known[i] = (Known)
		{
			ref, p->id
		};
	}
	*nfresh = rows.n;
	if (rows.n < n)
		c->reserved.n = 0;
	rows_free(&rows);
	pfree(DatumGetPointer(args[0]));
	pfree(DatumGetPointer(args[1]));
	declare_parts(c, &fresh);
	return known;
}

/* Both in the order of their refs. */
static Ids
ids_of_both(const Known *a, int na, const Known *b, int nb)
{
	Ids			ids = {0};

	for (int i = 0, k = 0; i < na || k < nb;)
		ids_add(&ids, k == nb || (i < na && by_ref(&a[i], &b[k]) < 0) ? a[i++].id : b[k++].id);
	return ids;
}

static Ids
name(Call *c, const Datum *refs, int n, bool needed, int32 priority)
{
	int			nknown;
	int			nlacking;
	int			nunknown;
	int			nfresh = 0;
	Ids			ids = {0};
	Known	   *known;
	Known	   *fresh = NULL;
	Datum	   *unknown;
	int32	   *jobs;

	if (n == 0)
		return ids;
	known = known_refs(refs, n, &nknown);
	if (nknown < n)
	{
		unknown = unknown_refs(refs, n, known, nknown, &nlacking);
		jobs = routes_of(unknown, nlacking, needed);
		unknown = unknown_closure(c, unknown, nlacking, &nunknown);
		if (nunknown > nlacking)
		{
			pfree(jobs);
			jobs = routes_of(unknown, nunknown, false);
		}
		fresh = insert_refs(c, unknown, jobs, nunknown, nknown == 0 ? priority : PRIORITY_NONE, &nfresh);
		pfree(unknown);
		pfree(jobs);
		/* unless others were in it, or put in besides, these are what was lacking */
		if (nfresh < nunknown || nknown + nfresh > n)
		{
			nfresh = 0;
			forget_known(known, nknown);
			known = known_refs(refs, n, &nknown);
		}
	}
	ids = ids_of_both(known, nknown, fresh, nfresh);
	if (fresh != NULL)
		pfree(fresh);
	forget_known(known, nknown);
	return ids;
}

Ids
name_refs(Call *c, const Datum *refs, int n, bool needed)
{
	return name(c, refs, n, needed, PRIORITY_NONE);
}

Ids
name_wanted(Call *c, const Datum *refs, int n, int32 priority)
{
	return name(c, refs, n, true, priority);
}

void
lock_named(Call *c, const Ids *named, const Ids *more)
{
	Ids			others = {0};

	for (int i = 0; i < named->n; i++)
		if (marking_token(&c->m, PARTITION, named->at[i]) == NULL)
			ids_add(&others, named->at[i]);
	for (int i = 0; more != NULL && i < more->n; i++)
		ids_add(&others, more->at[i]);
	ids_sort(&others);
	(void) load_partitions(c, &others, LOCK_WAIT);
	if (c->reserved.n == 0)
		call_now(c);
	call_log(c);
	load_needs(c, named);
	if (more != NULL)
		load_needs(c, more);
}
