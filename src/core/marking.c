/*
 * marking.c
 *	  The containers of the core: lists of ids, tokens by id, events to log.
 *
 * Tokens live in the order in which they came, with an open-addressing index
 * beside it: what is written back or shown follows from the input alone, never
 * from a hash.  Nothing is taken out; a call's marking lives as long as the
 * call.
 */
#include "marking.h"

#include <stdlib.h>
#include <string.h>

static const size_t token_size[] = {
	[PARTITION] = sizeof(Partition),
	[RUN] = sizeof(Run),
	[WANT] = sizeof(Want),
	[TAINT] = sizeof(Taint),
};

static const char *const cause_names[] = {
	[CAUSE_NONE] = "none",
	[CAUSE_ATTEMPTS] = "attempts",
	[CAUSE_NO_RETRY] = "no_retry",
	[CAUSE_MISSES] = "misses",
	[CAUSE_CYCLE] = "cycle",
	[CAUSE_CANCELED] = "canceled",
};

const char *
cause_name(Cause cause)
{
	return cause_names[cause];
}

Cause
cause_by_name(const char *name)
{
	for (int i = 0; i < N_CAUSES; i++)
		if (strcmp(cause_names[i], name) == 0)
			return (Cause) i;
	return CAUSE_NONE;
}

/* Room for one more in an array that grows by doubling. */
static void *
grown(void *old, int n, int *room, size_t size)
{
	void	   *bigger;

	if (n < *room)
		return old;
	*room = *room == 0 ? 8 : *room * 2;
	bigger = core_alloc((size_t) *room * size);
	if (n > 0)
		memcpy(bigger, old, (size_t) n * size);
	return bigger;
}

void
ids_add(Ids *ids, int64_t id)
{
	ids->at = grown(ids->at, ids->n, &ids->room, sizeof(int64_t));
	ids->at[ids->n++] = id;
}

static int
by_id(const void *a, const void *b)
{
	int64_t		x = *(const int64_t *) a;
	int64_t		y = *(const int64_t *) b;

	return x < y ? -1 : x > y;
}

void
ids_sort(Ids *ids)
{
	int			n = 0;

	if (ids->n == 0)
		return;
	qsort(ids->at, (size_t) ids->n, sizeof(int64_t), by_id);
	for (int i = 0; i < ids->n; i++)
		if (n == 0 || ids->at[n - 1] != ids->at[i])
			ids->at[n++] = ids->at[i];
	ids->n = n;
}

bool
ids_have(const Ids *ids, int64_t id)
{
	for (int i = 0; i < ids->n; i++)
		if (ids->at[i] == id)
			return true;
	return false;
}

static int64_t
token_id(const void *token)
{
	return *(const int64_t *) token;	/* every token begins with its id */
}

/* The slot that holds the id, or the free one where it would go. */
static int
slot_of(const TokenMap *map, int64_t id)
{
	uint64_t	h = (uint64_t) id * UINT64_C(0x9E3779B97F4A7C15);
	int			i = (int) (h >> 33) & (map->nslots - 1);

	while (map->slots[i] != 0 && token_id(map->tokens[map->slots[i] - 1]) != id)
		i = (i + 1) & (map->nslots - 1);
	return i;
}

static void
rehash(TokenMap *map)
{
	map->nslots = map->nslots == 0 ? 32 : map->nslots * 2;
	map->slots = core_alloc((size_t) map->nslots * sizeof(int));
	for (int i = 0; i < map->n; i++)
		map->slots[slot_of(map, token_id(map->tokens[i]))] = i + 1;
}

/* The token, or NULL if it is not in the marking. */
void *
marking_token(Marking *m, Machine machine, int64_t id)
{
	TokenMap   *map = &m->map[machine];
	int			slot;

	if (map->nslots == 0)
		return NULL;
	slot = map->slots[slot_of(map, id)];
	return slot == 0 ? NULL : map->tokens[slot - 1];
}

/* The token, made in its machine's place "new" if it is not there yet. */
void *
marking_add(Marking *m, Machine machine, int64_t id)
{
	TokenMap   *map = &m->map[machine];
	void	   *token = marking_token(m, machine, id);

	if (token != NULL)
		return token;
	if (map->n * 2 >= map->nslots)
		rehash(map);
	token = core_alloc(token_size[machine]);
	*(int64_t *) token = id;
	if (machine == PARTITION)
	{
		((Partition *) token)->prio = PRIORITY_NONE;
		((Partition *) token)->cover = PRIORITY_NONE;
	}
	map->tokens = grown(map->tokens, map->n, &map->room, sizeof(void *));
	map->slots[slot_of(map, id)] = map->n + 1;
	map->tokens[map->n++] = token;
	return token;
}

const Job *
marking_job(const Marking *m, int32_t id)
{
	for (int i = 0; i < m->njobs; i++)
		if (m->jobs[i].id == id)
			return &m->jobs[i];
	return NULL;
}

Event *
events_add(Events *events, EventKind kind)
{
	Event	   *e = core_alloc(sizeof(Event));

	e->kind = kind;
	e->prio = PRIORITY_NONE;
	events->at = grown(events->at, events->n, &events->room, sizeof(Event *));
	events->at[events->n++] = e;
	return e;
}

/* The event of that kind that says just this of its partitions; made if need be. */
Event *
events_group(Events *events, EventKind kind, int32_t prio, int64_t until, Cause cause)
{
	Event	   *e;

	for (int i = events->n - 1; i >= 0; i--)
	{
		e = events->at[i];
		if (e->kind == kind && e->prio == prio && e->until == until &&
			e->cause == cause && e->want == 0)
			return e;
	}
	e = events_add(events, kind);
	e->prio = prio;
	e->until = until;
	e->cause = cause;
	return e;
}
