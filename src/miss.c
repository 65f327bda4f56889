/*
 * miss.c
 *	  miss(): a run cannot go on until other partitions are live.
 *
 * The call names its run, the run's outputs and the missing refs, and locks
 * all of them; so the watch that each waiting output sets on a missing ref
 * needs no second look: whoever finishes that ref waits for our commit and
 * then sees the watch.
 */
#include "store.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

/* ---- cycles ---- */

/* The graph of what waits for what among those that wait for the outputs. */
typedef struct Graph
{
	Marking		nodes;			/* Partition.run: reached from, 0 if not */
	Ids			waiters;
	Ids			upstreams;
	Ids			reached;		/* in the order of reaching */
} Graph;

static Partition *
node(Graph *g, int64 id)
{
	return marking_token(&g->nodes, PARTITION, id);
}

static void
reach(Graph *g, int64 id, int64 from)
{
	Partition  *p = node(g, id);

	if (p == NULL || p->run != 0)
		return;
	p->run = from;
	ids_add(&g->reached, id);
}

/* Everything that the missing refs wait for, as far as it waits for the outputs. */
static void
search(Graph *g, const Ids *lacking)
{
	for (int i = 0; i < lacking->n; i++)
		reach(g, lacking->at[i], -1);
	for (int i = 0; i < g->reached.n; i++)
		for (int k = 0; k < g->waiters.n; k++)
			if (g->waiters.at[k] == g->reached.at[i])
				reach(g, g->upstreams.at[k], g->reached.at[i]);
}

/* "a waits for b waits for a", from the output that the search came to first. */
static char *
path_text(Call *c, Graph *g, const Run *r)
{
	StringInfoData text;
	Ids			path = {0};
	int64		at = 0;

	for (int i = 0; i < g->reached.n && at == 0; i++)
		if (ids_have(&r->outputs, g->reached.at[i]))
			at = g->reached.at[i];
	for (; at > 0; at = node(g, at)->run)
		ids_add(&path, at);
	initStringInfo(&text);
	appendStringInfoString(&text, ((Partition *) marking_token(&c->m, PARTITION, path.at[0]))->ref);
	for (int i = path.n - 1; i >= 0; i--)
	{
		Partition  *p = marking_token(&c->m, PARTITION, path.at[i]);

		appendStringInfo(&text, " waits for %s", p != NULL ? p->ref : "…");
	}
	return text.data;
}

static Graph
load_graph(const Ids *outputs)
{
	Graph		g = {0};
	Datum		args[] = {ids_datum(outputs)};
	Ids			downstream = store_ids(Q_DOWNSTREAM, args);
	Rows		edges;

	for (int i = 0; i < downstream.n; i++)
		marking_add(&g.nodes, PARTITION, downstream.at[i]);
	args[0] = ids_datum(&downstream);
	edges = store_rows(Q_EDGES, args, NULL);
	for (int i = 0; i < edges.n; i++)
	{
		ids_add(&g.waiters, rows_int64(&edges, i, 0));
		ids_add(&g.upstreams, rows_int64(&edges, i, 1));
	}
	rows_free(&edges);
	return g;
}

/*
 * The partitions that would wait for themselves if the run's outputs waited
 * for what is lacking: the impacted outputs, and what lies between and can be
 * had.  The rest becomes upstream_failed in consequence.
 */
static Ids
find_cycle(Call *c, const Run *r, const Ids *impacted, const Ids *lacking, char **path)
{
	Ids			on_cycle = {0};
	Ids			busy = {0};
	Graph		g;

	if (lacking->n == 0)
		return on_cycle;
	g = load_graph(&r->outputs);
	search(&g, lacking);
	if (g.reached.n == 0)
		return on_cycle;
	(void) look_take(c, &g.reached, &busy);
	for (int i = 0; i < g.reached.n; i++)
		if (marking_token(&c->m, PARTITION, g.reached.at[i]) != NULL &&
			!ids_have(&r->outputs, g.reached.at[i]))
			ids_add(&on_cycle, g.reached.at[i]);
	for (int i = 0; i < impacted->n; i++)
		ids_add(&on_cycle, impacted->at[i]);
	*path = path_text(c, &g, r);
	return on_cycle;
}

/* ---- the call ---- */

static Ids
not_live(Call *c, const Ids *ids, bool *lost)
{
	Ids			lacking = {0};

	for (int i = 0; i < ids->n; i++)
	{
		Partition  *p = marking_token(&c->m, PARTITION, ids->at[i]);

		if (p->place == P_LIVE)
			continue;
		ids_add(&lacking, p->id);
		*lost = *lost || net_place_class(PARTITION, (int) p->place) == LOST;
	}
	return lacking;
}

static void
apply_miss(Call *c, FunctionCallInfo fcinfo, const Run *r, const Ids *missing)
{
	Ids			impacted = PG_ARGISNULL(2) ? r->outputs : arg_outputs(c, fcinfo, 2, "impacted", r);
	bool		lost = false;
	Ids			lacking = not_live(c, missing, &lost);
	char	   *path = NULL;
	Ids			on_cycle = find_cycle(c, r, &impacted, &lacking, &path);

	decide_missed(&c->m, r->id, &impacted, &lacking, lost, &on_cycle,
				  gate_next_of("want_id_seq"), path, &c->events);
	c->events.at[0]->body = PG_ARGISNULL(3) ? NULL : PG_DETOAST_DATUM(PG_GETARG_DATUM(3));
	for (int i = 0; i < r->outputs.n; i++)
		((Partition *) marking_token(&c->m, PARTITION, r->outputs.at[i]))->lacking =
			lacking.n > 0 ? lacking.at[0] : 0;
	call_apply(c);
	look_watch(c, &r->outputs);
}

PG_FUNCTION_INFO_V1(databuild_miss);

Datum
databuild_miss(PG_FUNCTION_ARGS)
{
	Ids			ids = {0};
	Ids			fresh = {0};
	int			n;
	Datum	   *refs = arg_refs(fcinfo, 1, "missing", false, &n);
	Refusal		refusal;
	const Run  *r;
	Ids			missing;
	Call	   *c;

	ids_add(&ids, DatumGetInt64(arg_needed(fcinfo, 0, "run_id")));
	c = call_begin();
	missing = name_refs(c, refs, n, false);
	(void) load_named_runs(c, &ids);
	r = marking_token(&c->m, RUN, ids.at[0]);
	if (!decide_report(&c->m, RS_MISSED, &ids, &fresh, &refusal))
		call_refuse(c, &refusal);
	lock_named(c, &missing, &r->outputs);
	if (fresh.n > 0)
		apply_miss(c, fcinfo, r, &missing);
	else
		call_apply(c);
	call_end(c);
	PG_RETURN_VOID();
}
