/*
 * cycle.c
 *	  Partitions that wait for each other in a circle: strongly connected
 *	  components of what waits for what.
 *
 * A circle is closed by a partition that begins to wait, so it goes through
 * one of those that began in this call: only what waits for them, however
 * indirectly, is searched.  Two sessions that close a circle together do not
 * see each other's part; so a partition that begins to wait for one that
 * waits itself leaves an agenda entry, and is searched again by a transaction
 * that began after its own commit.
 *
 * What a run missed, all its outputs wait for: the want stands between them as
 * a vertex of its own, under its negative number, so that there are as many
 * edges as outputs and refs, and not as their product.
 */
#include "store.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"

typedef struct Vertex
{
	int64		id;
	int			first;			/* its edges in Graph.target */
	int			nedges;
	int			index;			/* Tarjan's; 0: not visited */
	int			low;
	bool		on_stack;
	int			from;			/* for the path: whence it was reached */
} Vertex;

typedef struct Graph
{
	Marking		numbers;		/* Partition.run: number of the vertex + 1 */
	Vertex	   *nodes;
	int			n;
	int		   *target;
} Graph;

static int
number(Graph *g, int64 id)
{
	Partition  *p = marking_token(&g->numbers, PARTITION, id);

	return p == NULL ? -1 : (int) p->run - 1;
}

static void
add_vertex(Graph *g, int64 id)
{
	Partition  *p = marking_add(&g->numbers, PARTITION, id);

	if (p->run != 0)
		return;
	p->run = ++g->n;
	g->nodes[g->n - 1].id = id;
}

/* The partitions, and the wants by which they wait. */
static void
load_vertices(Graph *g, const Ids *ids, const Rows *edges)
{
	g->nodes = palloc0(sizeof(Vertex) * (ids->n + edges->n + 1));
	for (int i = 0; i < ids->n; i++)
		add_vertex(g, ids->at[i]);
	for (int i = 0; i < edges->n; i++)
		if (rows_int64(edges, i, 0) < 0)
			add_vertex(g, rows_int64(edges, i, 0));
}

static void
load_graph(Graph *g, const Ids *ids)
{
	Datum		args[] = {ids_datum(ids)};
	Rows		rows = store_rows(Q_EDGES, args, NULL);
	int			next = 0;

	load_vertices(g, ids, &rows);
	g->target = palloc(sizeof(int) * (rows.n + 1));
	for (int i = 0; i < rows.n; i++)
		if (number(g, rows_int64(&rows, i, 1)) >= 0)
			g->nodes[number(g, rows_int64(&rows, i, 0))].nedges++;
	for (int k = 0; k < g->n; k++)
	{
		g->nodes[k].first = next;
		next += g->nodes[k].nedges;
		g->nodes[k].nedges = 0;
	}
	for (int i = 0; i < rows.n; i++)
	{
		int			to = number(g, rows_int64(&rows, i, 1));
		Vertex	   *from = &g->nodes[number(g, rows_int64(&rows, i, 0))];

		if (to >= 0)
			g->target[from->first + from->nedges++] = to;
	}
	rows_free(&rows);
}

/* A component, if it is a circle. */
static bool
is_circle(const Graph *g, const int *members, int n)
{
	const Vertex *only = &g->nodes[members[0]];

	if (n > 1)
		return true;
	for (int i = 0; i < only->nedges; i++)
		if (g->target[only->first + i] == members[0])
			return true;
	return false;
}

/* "a waits for b waits for a": the shortest way back to the first partition. */
static char *
path_text(Graph *g, const int *members, int n)
{
	int		   *queue = palloc(sizeof(int) * (n + 1));
	int			tail = 0;
	int			start = -1;
	int			last = -1;
	Ids			path = {0};
	Ids			shown = {0};
	StringInfoData text;

	for (int i = n - 1; i >= 0; i--)
	{
		g->nodes[members[i]].from = -2;	/* may be walked */
		if (g->nodes[members[i]].id > 0)
			start = members[i];
	}
	queue[tail++] = start;
	for (int head = 0; head < tail && last < 0; head++)
	{
		Vertex	   *at = &g->nodes[queue[head]];

		for (int i = 0; i < at->nedges && last < 0; i++)
		{
			int			to = g->target[at->first + i];

			if (to == start)
				last = queue[head];
			else if (g->nodes[to].from == -2)
			{
				g->nodes[to].from = queue[head];
				queue[tail++] = to;
			}
		}
	}
	for (int at = last; at != start; at = g->nodes[at].from)
		if (g->nodes[at].id > 0)
			ids_add(&path, g->nodes[at].id);
	ids_add(&shown, g->nodes[start].id);
	for (int i = path.n - 1; i >= 0; i--)
		ids_add(&shown, path.at[i]);
	ids_add(&shown, g->nodes[start].id);
	initStringInfo(&text);
	for (int i = 0; i < shown.n; i++)
	{
		Ids			one = {0};
		Datum		args[1];
		Rows		rows;

		/* a path is short; one that is not is cut in the middle */
		if (shown.n > 20 && i == 10)
		{
			appendStringInfo(&text, " waits for %d others", shown.n - 20);
			i = shown.n - 10;
		}
		ids_add(&one, shown.at[i]);
		args[0] = ids_datum(&one);
		rows = store_rows(Q_REFS_OF, args, NULL);
		appendStringInfo(&text, "%s%s", i == 0 ? "" : " waits for ", rows_text(&rows, 0, 1));
		rows_free(&rows);
	}
	return text.data;
}

static void
fail_circle(Call *c, Graph *g, const int *members, int n)
{
	Ids			ids = {0};
	Ids			busy = {0};
	Ids			taken;

	for (int i = 0; i < n; i++)
		if (g->nodes[members[i]].id > 0)
			ids_add(&ids, g->nodes[members[i]].id);
	taken = look_take(c, &ids, &busy);
	decide_cycle(&c->m, &taken, path_text(g, members, n), &c->events);
	c->cycles++;
}

/* Tarjan's algorithm from one node, without recursion. */
static void
visit(Call *c, Graph *g, int root, int *counter, int *stack, int *nstack, int *walk, int *edge)
{
	int			nwalk = 0;

	walk[nwalk++] = root;
	edge[root] = 0;
	while (nwalk > 0)
	{
		int			v = walk[nwalk - 1];
		Vertex	   *node = &g->nodes[v];

		if (node->index == 0)
		{
			node->index = node->low = ++*counter;
			node->on_stack = true;
			stack[(*nstack)++] = v;
		}
		if (edge[v] < node->nedges)
		{
			Vertex	   *to = &g->nodes[g->target[node->first + edge[v]]];

			if (to->index == 0)
			{
				walk[nwalk++] = g->target[node->first + edge[v]];
				edge[walk[nwalk - 1]] = 0;
				edge[v]++;
				continue;
			}
			if (to->on_stack && to->index < node->low)
				node->low = to->index;
			edge[v]++;
			continue;
		}
		nwalk--;
		if (nwalk > 0 && node->low < g->nodes[walk[nwalk - 1]].low)
			g->nodes[walk[nwalk - 1]].low = node->low;
		if (node->low == node->index)
		{
			int			from = *nstack;

			do
			{
				from--;
				g->nodes[stack[from]].on_stack = false;
			} while (stack[from] != v);
			if (is_circle(g, stack + from, *nstack - from))
				fail_circle(c, g, stack + from, *nstack - from);
			*nstack = from;
		}
	}
}

/* Those of the partitions that wait for one that waits itself. */
static Ids
doubly_waiting(const Ids *ids)
{
	Datum		args[] = {ids_datum(ids)};
	Rows		edges = store_rows(Q_EDGES, args, NULL);
	Marking		wants = {0};	/* with a member that waits, by negative number */
	Ids			found = {0};

	for (int i = 0; i < edges.n; i++)
		if (rows_int64(&edges, i, 0) < 0)
			(void) marking_add(&wants, PARTITION, rows_int64(&edges, i, 0));
	for (int i = 0; i < edges.n; i++)
	{
		int64		to = rows_int64(&edges, i, 1);

		if (rows_int64(&edges, i, 0) > 0 && (to > 0 || marking_token(&wants, PARTITION, to) != NULL))
			ids_add(&found, rows_int64(&edges, i, 0));
	}
	rows_free(&edges);
	ids_sort(&found);
	return found;
}

/*
 * Search for circles through the partitions; what is on one fails.  Returns
 * those that wait for one that waits itself.
 */
Ids
cycle_search(Call *c, const Ids *began)
{
	Ids			waiting = doubly_waiting(began);
	Datum		args[1];
	Ids			downstream;
	Graph		g = {0};
	int		   *work;
	int			counter = 0;
	int			nstack = 0;

	if (waiting.n == 0)
		return waiting;
	args[0] = ids_datum(&waiting);
	downstream = store_ids(Q_DOWNSTREAM, args);
	load_graph(&g, &downstream);
	work = palloc(sizeof(int) * 3 * (g.n + 1));
	for (int i = 0; i < g.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (g.nodes[i].index == 0)
			visit(c, &g, i, &counter, work, &nstack, work + g.n, work + 2 * g.n);
	}
	return waiting;
}
