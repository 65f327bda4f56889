/*
 * statements.c
 *	  store.c over tables in memory: what each statement of plans.def does.
 *
 * Written beside plans.def, in its order and with its names; a statement that
 * is not here stops the step that runs it.  Where SQL leaves the result open
 * (LIMIT 1 without an order; what SKIP LOCKED passes over; which entries of the
 * ready set other claims hold) a choice is made, and all of them are tried.
 */
#include "model.h"

/* ---- rows ---- */

#define MOST_CELLS	16
#define SQL_NULL	((Datum) INT64_C(0x5BADC0DE5BADC0DE))

/* A row of the result, from numbers. */
static void
put(Rows *rows, const int64 *cells, int n)
{
	SPITupleTable *t = rows->table;

	if (t->n == t->room)
	{
		Datum		(*bigger)[MOST_CELLS] = arena_alloc(sizeof(*bigger) * (size_t) (t->room * 2 + 8));

		if (t->n > 0)
			memcpy(bigger, t->cells, sizeof(*bigger) * (size_t) t->n);
		t->cells = bigger;
		t->room = t->room * 2 + 8;
	}
	for (int i = 0; i < n; i++)
		t->cells[t->n][i] = (Datum) cells[i];
	rows->n = ++t->n;
}

#define PUT(rows, ...) \
	put(rows, (int64[]) {__VA_ARGS__}, (int) (sizeof((int64[]) {__VA_ARGS__}) / sizeof(int64)))

static int64
pointer(const void *p)
{
	return (int64) (intptr_t) p;
}

static const Ids *
ids(const Datum *args, int n)
{
	return DatumGetPointer(args[n]);
}

static int
number(const Datum *args, int n)
{
	return (int) DatumGetInt64(args[n]);
}

static int64
row_id(TableId table, const Row *r)
{
	ItemPointerData *id = arena_alloc(sizeof(ItemPointerData));

	id->at = (int) (r - db->t[table].rows);
	return pointer(id);
}

Datum
rows_datum(const Rows *rows, int row, int column)
{
	if (rows->table->cells[row][column] == SQL_NULL)
		model_bug("unexpected null in column %d", column);
	return rows->table->cells[row][column];
}

bool
rows_null(const Rows *rows, int row, int column)
{
	return rows->table->cells[row][column] == SQL_NULL;
}

int64
rows_int64(const Rows *rows, int row, int column)
{
	return DatumGetInt64(rows_datum(rows, row, column));
}

int32
rows_int32(const Rows *rows, int row, int column)
{
	return DatumGetInt32(rows_datum(rows, row, column));
}

char
rows_char(const Rows *rows, int row, int column)
{
	return (char) rows_datum(rows, row, column);
}

char *
rows_text(const Rows *rows, int row, int column)
{
	return rows_null(rows, row, column) ? NULL : DatumGetPointer(rows_datum(rows, row, column));
}

void
rows_ids(const Rows *rows, int row, int column, Ids *into)
{
	const Ids  *from = DatumGetPointer(rows_datum(rows, row, column));

	for (int i = 0; i < from->n; i++)
		ids_add(into, from->at[i]);
}

void
rows_free(Rows *rows)
{
	rows->table = NULL;
}

Datum
ids_datum(const Ids *from)
{
	Ids		   *copied = arena_alloc(sizeof(Ids));

	for (int i = 0; i < from->n; i++)
		ids_add(copied, from->at[i]);
	return PointerGetDatum(copied);
}

typedef const char *Text;

#define ARRAY_DATUM(name, type) \
Datum \
name(const type *values, int n) \
{ \
	Ids		   *copied = arena_alloc(sizeof(Ids)); \
 \
	for (int i = 0; i < n; i++) \
		ids_add(copied, (int64) values[i]); \
	return PointerGetDatum(copied); \
}

ARRAY_DATUM(int32s_datum, int32)
ARRAY_DATUM(int16s_datum, int16)
ARRAY_DATUM(chars_datum, char)
ARRAY_DATUM(times_datum, int64)
ARRAY_DATUM(texts_datum, Text)

Datum
tids_datum(const ItemPointerData *rows, int n)
{
	Ids		   *copied = arena_alloc(sizeof(Ids));

	for (int i = 0; i < n; i++)
		ids_add(copied, rows[i].at);
	return PointerGetDatum(copied);
}

Datum
text_datum(const char *value)
{
	return (Datum) value;
}

/* ---- masks and locks ---- */

/* What the statement does with rows that another session holds. */
static enum How
{
	READING, WAITING, SKIPPING
}			how;

static int
mask_of(const Ids *from)
{
	int			mask = 0;

	for (int i = 0; i < from->n; i++)
		mask |= BIT(from->at[i]);
	return mask;
}

/* False if another session holds it. */
static bool
lock_row(Row *r)
{
	if (held_elsewhere(r))
		return false;
	r->lock = (uint8_t) session;
	return true;
}

/* Likewise or, for the sake of it, as if one did. */
static bool
lock_or_skip(Row *r)
{
	if (held_elsewhere(r))
		return false;
	if (r->lock != session && skips_left > 0 && choose(2) == 1)
	{
		skips_left--;
		return false;
	}
	return lock_row(r);
}

static void
lock_or_wait(Row *r)
{
	if (!lock_row(r))
		model_blocked();
}

static bool
may_have(Row *r)
{
	if (how == WAITING)
		lock_or_wait(r);
	return how != SKIPPING || lock_or_skip(r);
}

/* A place in which nobody looks at it. */
static bool
is_at_rest(int id)
{
	return place(id) == P_LIVE || place(id) == P_MISSING || place(id) == P_TAINTED;
}

static char
letter(Machine machine, int at)
{
	return net_place_letter(machine, at);
}

/* ---- edges ---- */

int
members(int want)
{
	const Row  *m = find_row(MEMBERS, want);

	return m == NULL ? 0 : m->c[M_MASK];
}

/* What it is declared to need; of a ref that the session does not know, nothing. */
int
inputs_of(int id)
{
	return is_known(id) ? world->inputs[id] : 0;
}

/* What it waits for, or is declared to need. */
int
edges_of(int id)
{
	int			mask = inputs_of(id);

	FOR_ROWS(t, WAITS)
		if (t->c[WT_WAITER] == id && !t->c[WT_DECLARED])
		mask |= members(t->c[WT_WANT]);
	return mask;
}

/* Who waits for it: by a miss, or as declared; or, where they count, may be about to. */
static int
waiters_of(int id, bool in_flight)
{
	int			mask = 0;

	FOR_ROWS(m, MEMBERS)
		if (has(m->c[M_MASK], id))
		FOR_ROWS(t, WAITS)
			if (t->c[WT_WANT] == m->c[M_WANT] && !t->c[WT_DECLARED])
		mask |= BIT(t->c[WT_WAITER]);
	for (int w = 1; w <= nparts(); w++)
		if (has(inputs_of(w), id) && (is_waiting(w) || (in_flight && held_elsewhere(part(w)))))
			mask |= BIT(w);
	return mask;
}

/* ---- jobs, limits ---- */

static void
st_slots_take(const Datum *args, Rows *rows)
{
	FOR_ROWS(s, SLOTS)
	{
		bool		used = false;

		if (s->c[S_JOB] != number(args, 0) || s->c[S_SLOT] > number(args, 1) || rows->n == number(args, 2))
			continue;
		FOR_ROWS(u, SLOT_USES)
			used = used || (u->c[U_JOB] == s->c[S_JOB] && u->c[U_SLOT] == s->c[S_SLOT]);
		if (!used && lock_row(s))
			PUT(rows, s->c[S_SLOT]);
	}
}

static void
st_slots_used(const Datum *args, Rows *rows)
{
	FOR_ROWS(u, SLOT_USES)
		if (u->c[U_JOB] == number(args, 0))
		PUT(rows, u->c[U_SLOT]);
}

static void
st_slots_use(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 1)->n; i++)
		(void) insert_row(SLOT_USES, (int[]) {number(args, 0), (int) ids(args, 1)->at[i], (int) ids(args, 2)->at[i]});
}

static void
st_slots_free(const Datum *args, Rows *rows)
{
	FOR_ROWS(u, SLOT_USES)
		if (ids_have(ids(args, 0), u->c[U_RUN]))
		delete_row(SLOT_USES, u);
}

/* ---- outputs and collisions ---- */

static void
st_outputs(const Datum *args, Rows *rows)
{
	for EACH(id, mask_of(ids(args, 0)))
		if (world->outputs[id] != 0)
		{
			Ids		   *all = arena_alloc(sizeof(Ids));

			for EACH(o, world->outputs[id])
				ids_add(all, o);
			PUT(rows, id, pointer(all));
		}
}

static bool
is_taken(int id)
{
	return find_row(TAKEN, id) != NULL;
}

static void
st_being_made(const Datum *args, Rows *rows)
{
	for EACH(id, mask_of(ids(args, 0)))
		if (place(id) == P_BUILDING || is_taken(id))
			PUT(rows, id);
}

static void
st_taken(const Datum *args, Rows *rows)
{
	FOR_ROWS(k, TAKEN)
		if (ids_have(ids(args, 0), k->c[K_PART]))
		PUT(rows, k->c[K_PART], k->c[K_RUN]);
}

static void
st_taken_add(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
	{
		/* a primary key: with another session's uncommitted row it would wait */
		for (int k = 0; k < db->t[TAKEN].n; k++)
			if (db->t[TAKEN].rows[k].c[K_PART] == ids(args, 0)->at[i] && db->t[TAKEN].rows[k].xmax != session)
				model_bug("two runs take %s", part_name((int) ids(args, 0)->at[i]));
		(void) insert_row(TAKEN, (int[]) {(int) ids(args, 0)->at[i], (int) ids(args, 1)->at[i]});
	}
}

static void
st_taken_drop(const Datum *args, Rows *rows)
{
	FOR_ROWS(k, TAKEN)
		if (ids_have(ids(args, 0), k->c[K_RUN]))
		delete_row(TAKEN, k);
}

static void
st_collision_add(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
		(void) insert_row(COLLISIONS, (int[]) {(int) ids(args, 0)->at[i], (int) ids(args, 1)->at[i]});
}

static void
st_collision_take(const Datum *args, Rows *rows)
{
	FOR_ROWS(x, COLLISIONS)
		if (ids_have(ids(args, 0), x->c[X_BLOCKER]) && !held_elsewhere(x))
	{
		PUT(rows, x->c[X_PART]);
		delete_row(COLLISIONS, x);
	}
}

static void
st_collided(const Datum *args, Rows *rows)
{
	int			mask = 0;

	FOR_ROWS(x, COLLISIONS)
		mask |= BIT(x->c[X_PART]);
	for EACH(id, mask & mask_of(ids(args, 0)))
		PUT(rows, id);
}

static void
st_collision_over(const Datum *args, Rows *rows)
{
	FOR_ROWS(x, COLLISIONS)
	{
		int			blocker = x->c[X_BLOCKER];
		bool		moving = held_elsewhere(part(blocker));

		if (ids_have(ids(args, 0), x->c[X_PART]) && (moving || (place(blocker) != P_BUILDING && !is_taken(blocker))))
			PUT(rows, x->c[X_PART], moving, blocker);
	}
}

/* ---- refs and partitions ---- */

static void
st_refs_known(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
		for (int id = 1; id <= nparts(); id++)
			if (strcmp((char *) (intptr_t) ids(args, 0)->at[i], part_name(id)) == 0 && is_known(id))
				PUT(rows, pointer(part_name(id)), id);
}

/* Who inserts a ref that somebody else is inserting waits for him. */
static void
st_refs_insert(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
		for (int id = 1; id <= nparts(); id++)
			if (strcmp((char *) (intptr_t) ids(args, 0)->at[i], part_name(id)) == 0)
			{
				lock_or_wait(part(id));
				change_row(PARTITIONS, part(id))->c[P_KNOWN] = 1;
				PUT(rows, id, pointer(part_name(id)), ids(args, 1)->at[i]);
			}
}

static void
st_refs_of(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
		PUT(rows, ids(args, 0)->at[i], pointer(part_name((int) ids(args, 0)->at[i])));
}

static void
st_partitions(const Datum *args, Rows *rows)
{
	for EACH(id, mask_of(ids(args, 0)))
	{
		Row		   *p = part(id);

		if (may_have(p))
			PUT(rows, id, letter(PARTITION, p->c[P_PLACE]), p->c[P_JOB], p->c[P_PRIO], p->c[P_RUN], p->c[P_LIVE_RUN],
				p->c[P_TICKET], NOW, pointer(part_name(id)));
	}
}

static void
st_trouble(const Datum *args, Rows *rows)
{
	for EACH(id, mask_of(ids(args, 0)))
	{
		const int16 *c = part(id)->c;

		if (c[P_ATTEMPTS] != 0 || c[P_MISSES] != 0 || c[P_RETRY] != 0 || c[P_CAUSE] != CAUSE_NONE || c[P_CHANGED] != 0)
			PUT(rows, id, c[P_ATTEMPTS], c[P_MISSES], c[P_RETRY] == 0 ? (int64) SQL_NULL : c[P_RETRY],
				c[P_CAUSE] == CAUSE_NONE ? (int64) SQL_NULL : pointer(cause_name((Cause) c[P_CAUSE])), (int64) SQL_NULL,
				c[P_CHANGED]);
	}
}

static void
st_partitions_write(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
	{
		Row		   *p = change_row(PARTITIONS, part((int) ids(args, 0)->at[i]));

		p->c[P_PLACE] = (int16) net_place_by_letter(PARTITION, (char) ids(args, 1)->at[i]);
		p->c[P_JOB] = (int16) ids(args, 2)->at[i];
		p->c[P_PRIO] = (int16) ids(args, 3)->at[i];
		p->c[P_RUN] = (int16) ids(args, 4)->at[i];
		p->c[P_LIVE_RUN] = (int16) ids(args, 5)->at[i];
		p->c[P_TICKET] = (int16) ids(args, 6)->at[i];
	}
	rows->n = ids(args, 0)->n;
}

static void
st_trouble_write(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
	{
		Row		   *p = change_row(PARTITIONS, part((int) ids(args, 0)->at[i]));
		const char *cause = (const char *) (intptr_t) ids(args, 4)->at[i];

		p->c[P_ATTEMPTS] = (int16) ids(args, 1)->at[i];
		p->c[P_MISSES] = (int16) ids(args, 2)->at[i];
		p->c[P_RETRY] = (int16) ids(args, 3)->at[i];
		p->c[P_CAUSE] = (int16) (cause == NULL ? CAUSE_NONE : cause_by_name(cause));
		p->c[P_CHANGED] = (int16) ids(args, 6)->at[i];
	}
}

static void
st_trouble_clear(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
	{
		Row		   *p = change_row(PARTITIONS, part((int) ids(args, 0)->at[i]));

		p->c[P_ATTEMPTS] = p->c[P_MISSES] = p->c[P_RETRY] = p->c[P_CAUSE] = p->c[P_CHANGED] = 0;
	}
}

/* ---- runs ---- */

/* Outputs are kept in their order, as octal digits, the last one first. */
Ids *
outputs_of(int digits)
{
	Ids		   *all = arena_alloc(sizeof(Ids));

	for (; digits != 0; digits >>= 3)
		ids_add(all, digits & 7);
	return all;
}

static int
digits_of(const Ids *all, int first, int last)
{
	int			digits = 0;

	for (int i = last; i >= first; i--)
		digits = digits << 3 | (int) all->at[i];
	return digits;
}

static void
st_runs(const Datum *args, Rows *rows)
{
	FOR_ROWS(r, RUNS)
	{
		const int16 *c = r->c;

		if (ids_have(ids(args, 0), c[R_ID]) && (how == SKIPPING ? lock_row(r) : may_have(r)))
			PUT(rows, c[R_ID], letter(RUN, c[R_PLACE]), c[R_JOB], c[R_ATTEMPT], NOW,
				c[R_PLACE] == R_RUNNING ? DT_NOEND : NOW, c[R_LEASE], 1, pointer(outputs_of(c[R_OUTPUTS])));
	}
}

static void
st_runs_running(const Datum *args, Rows *rows)
{
	FOR_ROWS(r, RUNS)
		if (ids_have(ids(args, 0), r->c[R_ID]) && r->c[R_PLACE] == R_RUNNING)
			PUT(rows, r->c[R_ID], letter(RUN, R_RUNNING));
}

static void
st_runs_insert(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
	{
		Row		   *r = insert_row(RUNS, (int[])
								   {
									   (int) ids(args, 0)->at[i], R_RUNNING, (int) ids(args, 1)->at[i], (int) ids(args, 2)->at[i],
									   number(args, 7) + (int) ids(args, 3)->at[i],
									   digits_of(ids(args, 4), (int) ids(args, 5)->at[i] - 1, (int) ids(args, 6)->at[i] - 1)
								   });

		r->lock = (uint8_t) session;
	}
}

static void
st_runs_write(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
		change_row(RUNS, find_row(RUNS, (int) ids(args, 0)->at[i]))->c[R_PLACE] =
			(int16) net_place_by_letter(RUN, (char) ids(args, 1)->at[i]);
}

/* What changes no state. */
static void
st_nothing(const Datum *args, Rows *rows)
{
}

/* ---- wants, what waits for them, what watches ---- */

static void
st_want_body(const Datum *args, Rows *rows)
{
	PUT(rows, LATER, pointer("expires"));
}

static void
st_want_insert(const Datum *args, Rows *rows)
{
	bool		derivative = DatumGetBool(args[6]);
	Row		   *w = insert_row(WANTS, (int[])
							   {
								   number(args, 0), W_ACTIVE, number(args, 4), number(args, 2), derivative, number(args, 3),
								   !derivative && world->wants[want_spec].expires ? LATER : 0, derivative ? 0 : want_spec
							   });

	w->lock = (uint8_t) session;
}

static void
st_wants(const Datum *args, Rows *rows)
{
	FOR_ROWS(w, WANTS)
	{
		const int16 *c = w->c;

		if (ids_have(ids(args, 0), c[W_ID]) && may_have(w))
			PUT(rows, c[W_ID], letter(WANT, c[W_PLACE]), c[W_PRIO], c[W_RUN], c[W_TOTAL], NOW,
				c[W_PLACE] == W_ACTIVE ? DT_NOEND : NOW, c[W_DERIVATIVE],
				c[W_EXPIRES] == 0 ? (int64) SQL_NULL : c[W_EXPIRES]);
	}
}

static void
st_wants_write(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
	{
		Row		   *w = change_row(WANTS, find_row(WANTS, (int) ids(args, 0)->at[i]));

		w->c[W_PLACE] = (int16) net_place_by_letter(WANT, (char) ids(args, 1)->at[i]);
		w->c[W_PRIO] = (int16) ids(args, 3)->at[i];
	}
}

static void
st_members(const Datum *args, Rows *rows)
{
	if (find_row(MEMBERS, number(args, 0)) != NULL)
		PUT(rows, 0, members(number(args, 0)));
}

static void
st_failed_below(const Datum *args, Rows *rows)
{
	int			below = members(number(args, 0));
	int			before = 0;

	while (below != before)
	{
		before = below;
		for EACH(id, before)
			if (place(id) == P_UPSTREAM_BUILDING || is_lost(id))
				below |= edges_of(id);
	}
	for EACH(id, below)
		if (place(id) == P_FAILED)
			PUT(rows, id);
}

static void
st_wait_priorities(const Datum *args, Rows *rows)
{
	FOR_ROWS(w, WANTS)
	{
		int			greatest = PRIORITY_NONE;
		bool		asked = false;

		FOR_ROWS(t, WAITS)
			if (t->c[WT_WANT] == w->c[W_ID])
		{
			asked = asked || ids_have(ids(args, 0), t->c[WT_WAITER]);
			greatest = Max(greatest, part(t->c[WT_WAITER])->c[P_PRIO]);
		}
		if (asked)
			PUT(rows, w->c[W_ID], greatest);
	}
}

static void
st_less_urgent(const Datum *args, Rows *rows)
{
	FOR_ROWS(w, WANTS)
	{
		int			greatest = PRIORITY_NONE;
		int			waiter = 0;

		FOR_ROWS(t, WAITS)
			if (t->c[WT_WANT] == w->c[W_ID])
		{
			waiter = waiter == 0 ? t->c[WT_WAITER] : waiter;
			greatest = Max(greatest, part(t->c[WT_WAITER])->c[P_PRIO]);
		}
		if (ids_have(ids(args, 0), w->c[W_ID]) && waiter != 0 && greatest < w->c[W_PRIO])
			PUT(rows, waiter);
	}
}

/* ---- taints ---- */

static void
st_taint_insert(const Datum *args, Rows *rows)
{
	if (find_row(TAINTS, number(args, 0)) == NULL)
		insert_row(TAINTS, (int[]) {number(args, 0), T_ACTIVE})->lock = (uint8_t) session;
}

static void
st_taint_parts_insert(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 1)->n; i++)
		(void) insert_row(TAINTED, (int[]) {number(args, 0), (int) ids(args, 1)->at[i], (int) ids(args, 2)->at[i]});
}

static void
st_taint_wait(const Datum *args, Rows *rows)
{
	Row		   *t = find_row(TAINTS, number(args, 0));

	if (t == NULL)
		return;
	lock_or_wait(t);
	PUT(rows, letter(TAINT, t->c[T_PLACE]), NOW);
}

static void
st_taint_write(const Datum *args, Rows *rows)
{
	change_row(TAINTS, find_row(TAINTS, number(args, 0)))->c[T_PLACE] = (int16) net_place_by_letter(TAINT, (char) args[1]);
}

static void
st_taint_parts(const Datum *args, Rows *rows)
{
	FOR_ROWS(x, TAINTED)
		if (x->c[TP_TAINT] == number(args, 0))
		PUT(rows, x->c[TP_PART]);
}

static void
st_sound(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
	{
		bool		marked = false;

		FOR_ROWS(x, TAINTED)
			if (x->c[TP_PART] == ids(args, 0)->at[i] && x->c[TP_RUN] == ids(args, 1)->at[i] && x->c[TP_TAINT] != number(args, 2) &&
				find_row(TAINTS, x->c[TP_TAINT])->c[T_PLACE] == T_ACTIVE)
			marked = true;
		if (!marked)
			PUT(rows, ids(args, 0)->at[i]);
	}
}

static void
st_taint_newest(const Datum *args, Rows *rows)
{
	FOR_ROWS(x, TAINTED)
		if (x->c[TP_TAINT] == number(args, 0) && part(x->c[TP_PART])->c[P_LIVE_RUN] == x->c[TP_RUN])
		PUT(rows, x->c[TP_PART]);
}

/* ---- what waits ---- */

static void
st_wants_done(const Datum *args, Rows *rows)
{
	FOR_ROWS(w, WANTS)
	{
		bool		waited_for = false;

		FOR_ROWS(t, WAITS)
			waited_for = waited_for || t->c[WT_WANT] == w->c[W_ID];
		if (ids_have(ids(args, 0), w->c[W_ID]) && w->c[W_PLACE] == W_ACTIVE && w->c[W_DERIVATIVE] && !waited_for)
			PUT(rows, w->c[W_ID]);
	}
}

static void
st_member_add(const Datum *args, Rows *rows)
{
	(void) insert_row(MEMBERS, (int[]) {number(args, 0), (int) ids(args, 2)->at[0]});
}

static void
st_member_drop(const Datum *args, Rows *rows)
{
	FOR_ROWS(m, MEMBERS)
		if (ids_have(ids(args, 0), m->c[M_WANT]))
	{
		PUT(rows, 0, m->c[M_MASK]);
		delete_row(MEMBERS, m);
	}
}

/* Whether the waiter waits by declaration for a want that covers it. */
static bool
waits_as_declared(int waiter, int id)
{
	FOR_ROWS(t, WAITS)
		if (t->c[WT_WAITER] == waiter && t->c[WT_DECLARED] && has(members(t->c[WT_WANT]), id))
		return true;
	return false;
}

/* In force on it, and not shared by those that wait as declared. */
static bool
covers(const Row *w, int id)
{
	return w->c[W_PLACE] == W_ACTIVE && !(w->c[W_DERIVATIVE] && w->c[W_RUN] == 0) && has(members(w->c[W_ID]), id) &&
		(w->c[W_EXPIRES] == 0 || w->c[W_EXPIRES] > NOW);
}

/* The greatest priority of the wants in force on it, and of what is declared to need it and waits. */
int
cover_of(int id)
{
	int			greatest = PRIORITY_NONE;

	FOR_ROWS(w, WANTS)
		if (covers(w, id))
		greatest = Max(greatest, w->c[W_PRIO]);
	for (int n = 1; n <= nparts(); n++)
		if (has(inputs_of(n), id) && waits_as_declared(n, id))
			greatest = Max(greatest, part(n)->c[P_PRIO]);
	return greatest;
}

static void
st_cover(const Datum *args, Rows *rows)
{
	for EACH(id, mask_of(ids(args, 0)))
		if (cover_of(id) != PRIORITY_NONE)
		{
			bool		moving = false;

			FOR_ROWS(w, WANTS)
				moving = moving || (covers(w, id) && held_elsewhere(w));
			for (int n = 1; n <= nparts(); n++)
				moving = moving || (has(inputs_of(n), id) && waits_as_declared(n, id) && held_elsewhere(part(n)));
			PUT(rows, id, cover_of(id), moving);
		}
}

static void
st_unheld(const Datum *args, Rows *rows)
{
	for EACH(id, mask_of(ids(args, 0)))
	{
		const Row  *p = part(id);

		if ((is_at_rest(id) || place(id) == P_BUILDING || place(id) == P_FAILED) && !held_elsewhere(p))
			PUT(rows, id, letter(PARTITION, p->c[P_PLACE]), p->c[P_JOB], p->c[P_PRIO]);
	}
}

static void
st_not_live(const Datum *args, Rows *rows)
{
	for EACH(id, mask_of(ids(args, 0)))
		if (place(id) != P_LIVE)
			PUT(rows, id);
}

static void
st_at_work(const Datum *args, Rows *rows)
{
	for EACH(id, mask_of(ids(args, 0)))
		if (!is_at_rest(id) || held_elsewhere(part(id)))
			PUT(rows, id);
}

static void
st_wait_add(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
		(void) insert_row(WAITS, (int[]) {(int) ids(args, 0)->at[i], number(args, 1), DatumGetBool(args[2])});
}

/* A want that it waits for covers the input. */
static bool
wants_input(int id, int input)
{
	FOR_ROWS(t, WAITS)
		if (t->c[WT_WAITER] == id && has(members(t->c[WT_WANT]), input))
			return true;
	return false;
}

static void
st_needs(const Datum *args, Rows *rows)
{
	for EACH(id, mask_of(ids(args, 0)))
		for EACH(i, inputs_of(id))
			if (place(i) != P_LIVE)
				PUT(rows, id, i, wants_input(id, i));
}

static void
st_inputs_at_work(const Datum *args, Rows *rows)
{
	int			mask = 0;

	for EACH(id, mask_of(ids(args, 0)))
		mask |= inputs_of(id);
	for EACH(i, mask)
		if (!is_at_rest(i))
			PUT(rows, i);
}

static void
st_wait_drop(const Datum *args, Rows *rows)
{
	FOR_ROWS(t, WAITS)
		if (ids_have(ids(args, 0), t->c[WT_WAITER]))
	{
		PUT(rows, t->c[WT_WANT], t->c[WT_WAITER]);
		delete_row(WAITS, t);
	}
}

static void
st_waiters(const Datum *args, Rows *rows)
{
	int			mask = 0;

	for EACH(id, mask_of(ids(args, 0)))
		mask |= waiters_of(id, true);
	for EACH(w, mask)
		PUT(rows, w);
}

static void
st_waiters_of(const Datum *args, Rows *rows)
{
	int			mask = 0;

	FOR_ROWS(t, WAITS)
		if (ids_have(ids(args, 0), t->c[WT_WANT]))
		mask |= BIT(t->c[WT_WAITER]);
	for EACH(w, mask)
		PUT(rows, w);
}

static void
st_inputs(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
	{
		int			id = (int) ids(args, 0)->at[i];
		bool		lost = false;
		int			lacking[MOST_PARTS];
		int			n = 0;
		int			first;

		for EACH(e, edges_of(id))
			if (place(e) != P_LIVE)
			{
				lacking[n++] = e;
				lost = lost || is_lost(e);
			}
		if (n == 0)
		{
			PUT(rows, id, (int64) SQL_NULL, DatumGetBool(args[2]) ? lost : (int64) SQL_NULL);
			continue;
		}
		first = lacking[world->any_input ? choose(n) : 0];
		PUT(rows, id, first, DatumGetBool(args[2]) ? lost : is_lost(first));
	}
}

static void
st_watch_take(const Datum *args, Rows *rows)
{
	FOR_ROWS(h, WATCHES)
		if (ids_have(ids(args, 0), h->c[H_UPSTREAM]))
	{
		PUT(rows, h->c[H_WAITER], h->c[H_UPSTREAM]);
		delete_row(WATCHES, h);
	}
}

Row *
watch_of(int waiter, int upstream)
{
	FOR_ROWS(h, WATCHES)
		if (h->c[H_WAITER] == waiter && h->c[H_UPSTREAM] == upstream)
		return h;
	return NULL;
}

static void
st_watch_add(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
	{
		int			upstream = (int) ids(args, 0)->at[i];
		int			waiter = (int) ids(args, 1)->at[i];

		if (watch_of(waiter, upstream) != NULL)
			continue;
		(void) insert_row(WATCHES, (int[]) {upstream, waiter});
		PUT(rows, waiter);
	}
}

/* It watches an input that is neither live nor lost nor on the move. */
static bool
is_settled(int id)
{
	for EACH(e, edges_of(id))
		if (watch_of(id, e) != NULL && place(e) != P_LIVE && !is_lost(e) && !held_elsewhere(part(e)))
			return place(id) == P_UPSTREAM_BUILDING;
	return false;
}

static void
st_settled(const Datum *args, Rows *rows)
{
	for EACH(id, mask_of(ids(args, 0)))
		if (is_settled(id))
			PUT(rows, id);
}

static void
st_settled_wholly(const Datum *args, Rows *rows)
{
	for EACH(id, mask_of(ids(args, 0)))
	{
		bool		wholly = is_settled(id);

		for EACH(e, inputs_of(id))
			wholly = wholly && (place(e) == P_LIVE || (!is_lost(e) && wants_input(id, e)));
		if (wholly)
			PUT(rows, id);
	}
}

static void
st_in_flight(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
	{
		int			id = (int) ids(args, 0)->at[i];

		if (place(id) == P_LIVE || is_lost(id) || held_elsewhere(part(id)))
			PUT(rows, ids(args, 1)->at[i]);
	}
}

static void
st_lost_in_flight(const Datum *args, Rows *rows)
{
	for EACH(id, mask_of(ids(args, 0)))
	{
		bool		moving = false;

		for EACH(e, edges_of(id))
			moving = moving || (is_lost(e) && held_elsewhere(part(e)));
		if (moving)
			PUT(rows, id);
	}
}

static void
st_downstream(const Datum *args, Rows *rows)
{
	int			mask = mask_of(ids(args, 0));
	int			before = 0;

	while (mask != before)
	{
		before = mask;
		for EACH(id, before)
			mask |= waiters_of(id, false);
	}
	for EACH(id, mask)
		PUT(rows, id);
}

static void
st_edges(const Datum *args, Rows *rows)
{
	int			mask = mask_of(ids(args, 0));

	for EACH(id, mask)
		for EACH(e, inputs_of(id))
			if (is_waiting(e))
				PUT(rows, id, e);
	FOR_ROWS(w, WANTS)
	{
		bool		waited_by = false;

		FOR_ROWS(t, WAITS)
			if (t->c[WT_WANT] == w->c[W_ID] && !t->c[WT_DECLARED] && has(mask, t->c[WT_WAITER]))
		{
			PUT(rows, t->c[WT_WAITER], -w->c[W_ID]);
			waited_by = true;
		}
		for EACH(e, waited_by ? members(w->c[W_ID]) : 0)
			if (is_waiting(e))
				PUT(rows, -w->c[W_ID], e);
	}
}

/* ---- the queues ---- */

Filter		filter;

/*
 * A row for each ref, though one entry may have several: an entry goes with its
 * last ref there, here each by itself, but what stands for nothing any more has
 * no effect either way.
 */
static void
st_ready_add(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 0)->n; i++)
		for EACH(id, (int) ids(args, 4)->at[i])
		(void) insert_row(READY, (int[])
						  {
							  (int) ids(args, 0)->at[i], id, (int) ids(args, 2)->at[i], (int) ids(args, 3)->at[i]
						  });
}

/* A queue for each job and rank that has entries, the most urgent first. */
static void
st_queues(const Datum *args, Rows *rows)
{
	for (int rank = RANK(100, true); rank >= RANK(-100, false); rank--)
		for (const Job *j = world->jobs; j->id != 0; j++)
		{
			bool		any = false;
			int			used = 0;

			FOR_ROWS(q, READY)
				any = any || (q->c[E_JOB] == j->id && q->c[E_RANK] == rank);
			FOR_ROWS(u, SLOT_USES)
				used += u->c[U_JOB] == j->id;
			if (any)
				PUT(rows, j->id, rank, 0, j->max_running > 0 ? j->max_running - used : (int64) SQL_NULL);
		}
}

static bool
in_window(const Datum *args, const Row *q)
{
	return q->c[E_RANK] == number(args, 2) && ids_have(ids(args, 0), q->c[E_JOB]);
}

/*
 * All of them, beginning with any: their order is not in the state.  What lies
 * behind a window is therefore nothing.
 */
static void
st_ready_take(const Datum *args, Rows *rows)
{
	Row		   *found[MOST_ROWS];
	int			n = 0;
	int			which;

	for (int i = 0; i < ids(args, 1)->n; i++)
		if (ids(args, 1)->at[i] != 0)
			return;
	FOR_ROWS(q, READY)
		if (in_window(args, q))
		found[n++] = q;
	which = choose(n);
	for (int i = 0; i < n; i++)
	{
		const Row  *q = found[(which + i) % n];

		PUT(rows, row_id(READY, q), q->c[E_SEQ], q->c[E_PART], q->c[E_JOB]);
	}
}

static void
st_ready_look(const Datum *args, Rows *rows)
{
	for EACH(id, mask_of(ids(args, 0)))
		if (!held_elsewhere(part(id)))
			PUT(rows, id, letter(PARTITION, part(id)->c[P_PLACE]), part(id)->c[P_TICKET]);
}

static void
drop(TableId table, const Ids *which)
{
	for (int i = 0; i < which->n; i++)
		if (visible(&db->t[table].rows[which->at[i]]) && !held_elsewhere(&db->t[table].rows[which->at[i]]))
			delete_row(table, &db->t[table].rows[which->at[i]]);
}

static void
st_ready_drop(const Datum *args, Rows *rows)
{
	drop(READY, ids(args, 0));
}

static void
st_agenda_add(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 1)->n; i++)
		(void) insert_row(AGENDA, (int[])
						  {
							  (int) ids(args, 1)->at[i], (int) ids(args, 2)->at[i], number(args, 3)
						  });
}

static void
st_agenda_take(const Datum *args, Rows *rows)
{
	FOR_ROWS(a, AGENDA)
		if (a->xmin != session && filter.agenda && (filter.only == NULL || filter.only == a) && lock_row(a))
		PUT(rows, row_id(AGENDA, a), a - db->t[AGENDA].rows + 1, a->c[A_PART], a->c[A_WANT], a->c[A_HOW]);
}

static void
st_agenda_drop(const Datum *args, Rows *rows)
{
	drop(AGENDA, ids(args, 0));
}

static void
st_timer_add(const Datum *args, Rows *rows)
{
	for (int i = 0; i < ids(args, 1)->n; i++)
		(void) insert_row(TIMERS, (int[]) {number(args, 0), (int) ids(args, 2)->at[i], (int) ids(args, 1)->at[i]});
}

static void
take_timers(Rows *rows, bool ends)
{
	FOR_ROWS(n, TIMERS)
		if (n->c[N_AT] <= NOW && (ends ? filter.ends && n->c[N_KIND] == 'E' : filter.timers) &&
			(filter.only == NULL || filter.only == n) && lock_row(n))
	{
		Ids		   *one = arena_alloc(sizeof(Ids));

		ids_add(one, n->c[N_ID]);
		PUT(rows, n->c[N_KIND], pointer(one));
		delete_row(TIMERS, n);
	}
}

static void
st_timers_take(const Datum *args, Rows *rows)
{
	take_timers(rows, false);
}

static void
st_ends_take(const Datum *args, Rows *rows)
{
	take_timers(rows, true);
}

/* ---- by query ---- */

static const struct
{
	void		(*execute) (const Datum *args, Rows *rows);
	enum How	how;
}			statements[N_QUERIES] =
{
	[Q_SLOTS_TAKE] = {st_slots_take}, [Q_SLOTS_USED] = {st_slots_used}, [Q_SLOTS_USE] = {st_slots_use},
	[Q_SLOTS_FREE] = {st_slots_free}, [Q_OUTPUTS] = {st_outputs}, [Q_BEING_MADE] = {st_being_made},
	[Q_TAKEN] = {st_taken}, [Q_TAKEN_ADD] = {st_taken_add}, [Q_TAKEN_DROP] = {st_taken_drop},
	[Q_COLLISION_ADD] = {st_collision_add}, [Q_COLLISION_TAKE] = {st_collision_take},
	[Q_COLLIDED] = {st_collided}, [Q_COLLISION_OVER] = {st_collision_over},
	[Q_REFS_KNOWN] = {st_refs_known}, [Q_REFS_INSERT] = {st_refs_insert}, [Q_PARTITIONS_WAIT] = {st_partitions, WAITING},
	[Q_PARTITIONS_SKIP] = {st_partitions, SKIPPING}, [Q_TROUBLE] = {st_trouble},
	[Q_PARTITIONS_WRITE] = {st_partitions_write}, [Q_TROUBLE_WRITE] = {st_trouble_write},
	[Q_TROUBLE_CLEAR] = {st_trouble_clear}, [Q_RUNS_WAIT] = {st_runs, WAITING},
	[Q_RUNS_SKIP] = {st_runs, SKIPPING}, [Q_RUNS_READ] = {st_runs}, [Q_RUNS_RUNNING] = {st_runs_running}, [Q_RUNS_INSERT] = {st_runs_insert},
	[Q_RUNS_WRITE] = {st_runs_write}, [Q_RUN_NOTE] = {st_nothing}, [Q_PUBLICATION] = {st_nothing},
	[Q_WANT_BODY] = {st_want_body}, [Q_WANT_INSERT] = {st_want_insert}, [Q_WANTS_WAIT] = {st_wants, WAITING},
	[Q_WANTS_SKIP] = {st_wants, SKIPPING}, [Q_WANTS_READ] = {st_wants}, [Q_WANTS_WRITE] = {st_wants_write},
	[Q_KEYS_DROP] = {st_nothing}, [Q_MEMBERS] = {st_members}, [Q_FAILED_BELOW] = {st_failed_below},
	[Q_WAIT_PRIORITIES] = {st_wait_priorities}, [Q_LESS_URGENT] = {st_less_urgent}, [Q_READS_DECLARED] = {st_nothing},
	[Q_ONCE_LIVE_ADD] = {st_nothing}, [Q_TAINT_INSERT] = {st_taint_insert},
	[Q_TAINT_PARTS_INSERT] = {st_taint_parts_insert}, [Q_TAINT_WAIT] = {st_taint_wait},
	[Q_TAINT_WRITE] = {st_taint_write}, [Q_TAINT_PARTS] = {st_taint_parts}, [Q_SOUND] = {st_sound},
	[Q_TAINT_NEWEST] = {st_taint_newest}, [Q_WANTS_DONE] = {st_wants_done}, [Q_MEMBER_ADD] = {st_member_add},
	[Q_MEMBER_DROP] = {st_member_drop}, [Q_COVER] = {st_cover}, [Q_UNHELD] = {st_unheld}, [Q_NOT_LIVE] = {st_not_live},
	[Q_AT_WORK] = {st_at_work}, [Q_WAIT_ADD] = {st_wait_add}, [Q_NEEDS] = {st_needs},
	[Q_INPUTS_AT_WORK] = {st_inputs_at_work}, [Q_WAIT_DROP] = {st_wait_drop}, [Q_WAITERS] = {st_waiters},
	[Q_WAITERS_OF] = {st_waiters_of}, [Q_INPUTS] = {st_inputs}, [Q_WATCH_TAKE] = {st_watch_take},
	[Q_WATCH_ADD] = {st_watch_add}, [Q_SETTLED] = {st_settled}, [Q_SETTLED_WHOLLY] = {st_settled_wholly}, [Q_IN_FLIGHT] = {st_in_flight},
	[Q_LOST_IN_FLIGHT] = {st_lost_in_flight}, [Q_DOWNSTREAM] = {st_downstream}, [Q_EDGES] = {st_edges},
	[Q_REFS_OF] = {st_refs_of}, [Q_READY_ADD] = {st_ready_add}, [Q_QUEUE_ADD] = {st_nothing},
	[Q_QUEUES] = {st_queues}, [Q_READY_TAKE] = {st_ready_take}, 
	[Q_READY_LOOK] = {st_ready_look}, [Q_READY_DROP] = {st_ready_drop}, [Q_AGENDA_ADD] = {st_agenda_add},
	[Q_AGENDA_TAKE] = {st_agenda_take}, [Q_AGENDA_DROP] = {st_agenda_drop}, [Q_TIMER_ADD] = {st_timer_add},
	[Q_TIMERS_TAKE] = {st_timers_take}, [Q_ENDS_TAKE] = {st_ends_take},
	[Q_MARK] = {st_nothing}, [Q_SETTLED_TIME] = {st_nothing},
};

Rows
store_rows(Statement query, Datum *args, const char *nulls)
{
	static const char *const names[] = {
#define QUERY(q, ...) #q,
#include "plans.def"
#undef QUERY
	};
	Rows		rows = {arena_alloc(sizeof(SPITupleTable)), 0};

	if (statements[query].execute == NULL)
		model_bug("statement %s is not modelled", names[query]);
	how = statements[query].how;
	statements[query].execute(args, &rows);
	return rows;
}

int
store_do(Statement query, Datum *args, const char *nulls)
{
	return store_rows(query, args, nulls).n;
}

Ids
store_ids(Statement query, Datum *args)
{
	Rows		rows = store_rows(query, args, NULL);
	Ids			all = {0};

	for (int i = 0; i < rows.n; i++)
		ids_add(&all, rows_int64(&rows, i, 0));
	return all;
}

int
store_open(void)
{
	return 0;
}

void
store_close(int level)
{
}
