/*
 * tables.c
 *	  The tables of the extension as rows with versions, and the canonical form
 *	  of a state.
 *
 * A transaction that stays open has its changes as row versions that others do
 * not see, and its locks.  A statement sees what is committed when it begins
 * and what its own session did, as the extension's statements do at every
 * isolation level.  Steps are made one after the other, so a row can be changed
 * by one open transaction at most; a step that would have to wait for one is
 * put off (LOCK_WAIT), or, where the extension promises not to wait, a bug.
 *
 * Two states are the same if they differ in numbers only: of runs, wants,
 * taints, events and queue entries nothing counts but which is which and, for
 * tickets and entries, which is newer.  Canonical is the state with small
 * numbers given by content, without rows that can have no effect any more, and
 * sorted.
 */
#include "model.h"

Db		   *db;
int			session;

static const struct
{
	const char *name;
	int			columns;
}			tables[N_TABLES] =
{
	[PARTITIONS] = {"partition", P_COLUMNS},
	[RUNS] = {"run", R_COLUMNS},
	[WANTS] = {"want", W_COLUMNS},
	[MEMBERS] = {"member", M_COLUMNS},
	[WAITS] = {"wait", WT_COLUMNS},
	[WATCHES] = {"watch", H_COLUMNS},
	[READY] = {"ready", E_COLUMNS},
	[AGENDA] = {"agenda", A_COLUMNS},
	[TIMERS] = {"timer", N_COLUMNS},
	[COLLISIONS] = {"collision", X_COLUMNS},
	[TAKEN] = {"taken", K_COLUMNS},
	[TAINTS] = {"taint", T_COLUMNS},
	[TAINTED] = {"taint_part", TP_COLUMNS},
	[SLOTS] = {"slot", S_COLUMNS},
	[SLOT_USES] = {"slot_use", U_COLUMNS},
};

/* ---- rows ---- */

bool
visible(const Row *r)
{
	return (r->xmin == 0 || r->xmin == session) && (r->xmax == 0 || r->xmax != session);
}

Row *
next_row(TableId table, Row *after)
{
	Table	   *t = &db->t[table];

	for (Row *r = after == NULL ? t->rows : after + 1; r < t->rows + t->n; r++)
		if (visible(r))
			return r;
	return NULL;
}

Row *
find_row(TableId table, int key)
{
	FOR_ROWS(r, table)
		if (r->c[0] == key)
		return r;
	return NULL;
}

Row *
part(int id)
{
	Row		   *p = find_row(PARTITIONS, id);

	if (p == NULL)
		model_bug("no partition %d", id);
	return p;
}

PartitionPlace
place(int id)
{
	return (PartitionPlace) part(id)->c[P_PLACE];
}

bool
is_at(int id, PartitionPlace at)
{
	return place(id) == at;
}

bool
is_waiting(int id)
{
	return is_at(id, P_UPSTREAM_BUILDING) || is_at(id, P_UPSTREAM_FAILED);
}

bool
is_lost(int id)
{
	return is_at(id, P_FAILED) || is_at(id, P_UPSTREAM_FAILED);
}

bool
is_known(int id)
{
	return part(id)->c[P_KNOWN] != 0;
}

Row *
insert_row(TableId table, const int *values)
{
	Table	   *t = &db->t[table];
	Row		   *r = &t->rows[t->n];

	if ((table <= WANTS || table == TAINTS) && find_row(table, values[0]) != NULL)
		model_bug("%s %d is in two places", tables[table].name, values[0]);
	if (t->n == MOST_ROWS)
		model_bug("more than %d rows of %s: raise MOST_ROWS", MOST_ROWS, tables[table].name);
	t->n++;
	memset(r, 0, sizeof(Row));
	r->xmin = (uint8_t) session;
	for (int i = 0; i < tables[table].columns; i++)
		r->c[i] = (int16) values[i];
	return r;
}

bool
held_elsewhere(const Row *r)
{
	return (r->lock != 0 && r->lock != session) || (r->xmax != 0 && r->xmax != session);
}

void
delete_row(TableId table, Row *r)
{
	if (held_elsewhere(r))
		model_bug("a consequence would wait for another session to let go of a row of %s", tables[table].name);
	r->xmax = (uint8_t) session;
}

/* Tokens are changed by whoever has locked them, and by nobody else. */
Row *
change_row(TableId table, Row *r)
{
	int			values[MOST_COLUMNS];

	if (r->xmin == session)
		return r;
	if (r->lock != session)
		model_bug("a row of %s is changed, but not locked", tables[table].name);
	for (int i = 0; i < MOST_COLUMNS; i++)
		values[i] = r->c[i];
	delete_row(table, r);
	r = insert_row(table, values);
	r->lock = (uint8_t) session;
	return r;
}

/* Remove rows that do not satisfy. */
static void
keep_rows(TableId table, bool (*keep) (const Row *))
{
	Table	   *t = &db->t[table];
	int			n = 0;

	for (int i = 0; i < t->n; i++)
		if (keep(&t->rows[i]))
			t->rows[n++] = t->rows[i];
	t->n = n;
}

/* ---- ends of transactions ---- */

static int	ending;

static bool
after_commit(const Row *r)
{
	return r->xmax != ending;
}

static bool
after_roll_back(const Row *r)
{
	return r->xmin != ending;
}

static void
end(int s, bool (*keep) (const Row *))
{
	ending = s;
	for (int table = 0; table < N_TABLES; table++)
	{
		Table	   *t = &db->t[table];

		keep_rows((TableId) table, keep);
		for (int i = 0; i < t->n; i++)
		{
			Row		   *r = &t->rows[i];

			if (r->xmin == s)
				r->xmin = 0;
			if (r->xmax == s)
				r->xmax = 0;
			if (r->lock == s)
				r->lock = 0;
		}
	}
	db->open &= (uint8_t) ~BIT(s);
}

void
commit(int s)
{
	end(s, after_commit);
}

void
roll_back(int s)
{
	end(s, after_roll_back);
}

/* ---- what can have no effect any more ---- */

/* Whether any version of the row with that key satisfies. */
static bool
any_version(TableId table, int key, int column, int value)
{
	const Table *t = &db->t[table];

	for (int i = 0; i < t->n; i++)
		if (t->rows[i].c[0] == key && t->rows[i].c[column] == value)
			return true;
	return false;
}

static bool
is_alive(const Row *r)
{
	return r->xmin == 0 || r->xmin != r->xmax;
}

static bool
run_counts(const Row *r)
{
	return r->xmin != 0 || r->xmax != 0 || r->c[R_PLACE] == R_RUNNING;
}

static bool
want_counts(const Row *r)
{
	return r->xmin != 0 || r->xmax != 0 || r->c[W_PLACE] == W_ACTIVE;
}

static bool
timer_counts(const Row *r)
{
	int			id = r->c[N_ID];

	return r->c[N_KIND] == 'L' ? any_version(RUNS, id, R_PLACE, R_RUNNING) :
		r->c[N_KIND] == 'R' ? any_version(PARTITIONS, id, P_PLACE, P_UP_FOR_RETRY) :
		any_version(WANTS, id, W_PLACE, W_ACTIVE);
}

/* A mark on an instance that is not the newest any more. */
static bool
mark_counts(const Row *r)
{
	return any_version(PARTITIONS, r->c[TP_PART], P_LIVE_RUN, r->c[TP_RUN]) && any_version(TAINTS, r->c[TP_TAINT], T_PLACE, T_ACTIVE);
}

static bool
taint_counts(const Row *r)
{
	const Table *t = &db->t[TAINTED];

	for (int i = 0; i < t->n; i++)
		if (t->rows[i].c[TP_TAINT] == r->c[T_ID])
			return true;
	return r->xmin != 0 || r->xmax != 0;
}

/* An entry that the next claim would throw away unread. */
static bool
entry_counts(const Row *r)
{
	const Table *t = &db->t[PARTITIONS];

	for (int i = 0; i < t->n; i++)
	{
		const int16 *p = t->rows[i].c;

		if (p[P_ID] == r->c[E_PART] && p[P_TICKET] <= r->c[E_SEQ] && p[P_JOB] == r->c[E_JOB] &&
			p[P_PRIO] == RANK_PRIORITY(r->c[E_RANK]) && (p[P_PLACE] == P_QUEUED || p[P_PLACE] == P_UP_FOR_RETRY))
			return true;
	}
	return false;
}

/* Whether somebody waits for it, or may be about to: a later one sees it as it is. */
static bool
may_have_waiters(int id)
{
	if (db->open != 0)
		return true;
	for (int w = 1; w <= nparts(); w++)
		if (has(edges_of(w), id) && is_waiting(w))
			return true;
	return false;
}

static bool
agenda_counts(const Row *r)
{
	if (r->c[A_HOW] == 'w')
		return may_have_waiters(r->c[A_PART]);
	return r->c[A_PART] != 0 || any_version(WANTS, r->c[A_WANT], W_PLACE, W_ACTIVE);
}

static void
tidy(void)
{
	for (int table = 0; table < N_TABLES; table++)
		keep_rows((TableId) table, is_alive);
	keep_rows(RUNS, run_counts);
	keep_rows(WANTS, want_counts);
	keep_rows(TIMERS, timer_counts);
	keep_rows(TAINTED, mark_counts);
	keep_rows(TAINTS, taint_counts);
	keep_rows(READY, entry_counts);
	keep_rows(AGENDA, agenda_counts);
}

/* ---- canonical names ---- */

/* An id and what it is known by. */
typedef struct Named
{
	int16		id;
	uint64_t	key;
} Named;

typedef struct Naming
{
	Named		ids[MOST_ROWS];
	int			n;
} Naming;

static int
by_key(const void *a, const void *b)
{
	const Named *x = a;
	const Named *y = b;

	return x->key != y->key ? (x->key < y->key ? -1 : 1) : x->id - y->id;
}

void
mix(uint64_t *key, int64 value)
{
	*key = (*key ^ (uint64_t) (value + 1000)) * UINT64_C(0x9E3779B97F4A7C15);
	*key ^= *key >> 29;
}

/* Each id of the table once; the order of rows with one id is that of their making. */
static void
collect(Naming *naming, TableId table, uint64_t (*key) (int id))
{
	const Table *t = &db->t[table];

	naming->n = 0;
	for (int i = 0; i < t->n; i++)
	{
		bool		had = false;

		for (int k = 0; k < naming->n; k++)
			had = had || naming->ids[k].id == t->rows[i].c[0];
		if (!had)
			naming->ids[naming->n++] = (Named)
		{
			t->rows[i].c[0], key(t->rows[i].c[0])
		};
	}
	qsort(naming->ids, (size_t) naming->n, sizeof(Named), by_key);
}

/* What distinguishes one version of a token: who made it and who is changing it. */
static uint64_t
versions_key(TableId table, int id, const int *columns, int ncolumns)
{
	const Table *t = &db->t[table];
	uint64_t	sum = 0;

	for (int i = 0; i < t->n; i++)
	{
		uint64_t	key = 1;

		if (t->rows[i].c[0] != id)
			continue;
		mix(&key, t->rows[i].xmin * 100 + t->rows[i].xmax * 10 + t->rows[i].lock);
		for (int k = 0; k < ncolumns; k++)
			mix(&key, t->rows[i].c[columns[k]]);
		sum += key;
	}
	return sum;
}

static uint64_t
run_key(int id)
{
	static const int columns[] = {R_PLACE, R_JOB, R_OUTPUTS};

	return versions_key(RUNS, id, columns, 3);
}

/* Sums over the rows that name the id in a column, of what another column says. */
static uint64_t
mentions(TableId table, int column, int id, int what)
{
	const Table *t = &db->t[table];
	uint64_t	sum = 0;

	for (int i = 0; i < t->n; i++)
	{
		uint64_t	key = 2;

		if (t->rows[i].c[column] != id)
			continue;
		mix(&key, t->rows[i].xmin * 100 + t->rows[i].xmax * 10 + t->rows[i].lock);
		mix(&key, t->rows[i].c[what]);
		sum += key;
	}
	return sum;
}

static bool
is_declared_by_caller(int want)
{
	return any_version(WANTS, want, W_DERIVATIVE, 0);
}

static uint64_t
want_key(int id)
{
	static const int columns[] = {W_PLACE, W_PRIO};
	uint64_t	key = versions_key(WANTS, id, columns, 2);

	if (is_declared_by_caller(id))
		return 0;				/* it has a name by what it was asked for */
	key = key * 3 + mentions(MEMBERS, M_WANT, id, M_MASK);
	key = key * 5 + mentions(WAITS, WT_WANT, id, WT_WAITER);
	key = key * 7 + mentions(AGENDA, A_WANT, id, A_HOW);
	return key * 2 + any_version(WANTS, id, W_RUN, 0);
}

static uint64_t
taint_key(int id)
{
	static const int columns[] = {T_PLACE};

	return versions_key(TAINTS, id, columns, 1) + mentions(TAINTED, TP_TAINT, id, TP_PART);
}

static int
name_of(const Naming *naming, int id, int first)
{
	for (int i = 0; i < naming->n; i++)
		if (naming->ids[i].id == id)
			return first + i;
	return 0;
}

static int
want_name(const Naming *naming, int id)
{
	const Table *t = &db->t[WANTS];

	for (int i = 0; i < t->n; i++)
		if (t->rows[i].c[W_ID] == id && t->rows[i].c[W_DERIVATIVE] == 0)
			return 1 + t->rows[i].c[W_SPEC];
	return name_of(naming, id, FIRST_DERIVATIVE);
}

/* How many different values, other than 0, of the part's column lie below the value. */
static int
rank(int part, int column, int value, bool or_equal)
{
	const Table *t = &db->t[PARTITIONS];
	int			seen[MOST_ROWS];
	int			n = 0;

	for (int i = 0; i < t->n; i++)
	{
		int			v = t->rows[i].c[column];
		bool		had = t->rows[i].c[P_ID] != part || !(v < value || (or_equal && v == value));

		for (int k = 0; k < n; k++)
			had = had || seen[k] == v;
		if (!had)
			seen[n++] = v;
	}
	return n;
}

static int
later(int at)
{
	return at > NOW ? LATER : at;
}

static Naming runs;
static Naming wants;
static Naming taints;

/* The row with canonical numbers. */
static void
rename_row(TableId table, Row *r)
{
	int16	   *c = r->c;

	switch (table)
	{
		case PARTITIONS:
			{
				int			live = c[P_LIVE_RUN] == 0 ? 0 : 1 + rank(c[P_ID], P_LIVE_RUN, c[P_LIVE_RUN], false);
				int			ticket = 16 * rank(c[P_ID], P_TICKET, c[P_TICKET], false);

				c[P_RUN] = (int16) (c[P_PLACE] == P_BUILDING ? name_of(&runs, c[P_RUN], FIRST_RUN) : 0);
				c[P_LIVE_RUN] = (int16) live;
				c[P_TICKET] = (int16) ticket;
				c[P_RETRY] = (int16) later(c[P_RETRY]);
				c[P_CHANGED] = c[P_CHANGED] != 0;
				break;
			}
		case RUNS:
			c[R_ID] = (int16) name_of(&runs, c[R_ID], FIRST_RUN);
			c[R_ATTEMPT] = 0;
			c[R_LEASE] = (int16) later(c[R_LEASE]);
			break;
		case WANTS:
			c[W_ID] = (int16) want_name(&wants, c[W_ID]);
			c[W_RUN] = c[W_RUN] != 0;
			c[W_TOTAL] = 0;
			break;
		case MEMBERS:
			c[M_WANT] = (int16) want_name(&wants, c[M_WANT]);
			break;
		case WAITS:
			c[WT_WANT] = (int16) want_name(&wants, c[WT_WANT]);
			break;
		case READY:
			c[E_SEQ] = (int16) (16 * rank(c[E_PART], P_TICKET, c[E_SEQ], true) - 8 + c[E_PART]);
			break;
		case AGENDA:
			c[A_WANT] = (int16) (c[A_WANT] == 0 ? 0 : want_name(&wants, c[A_WANT]));
			break;
		case TIMERS:
			if (c[N_KIND] == 'L')
				c[N_ID] = (int16) name_of(&runs, c[N_ID], FIRST_RUN);
			else if (c[N_KIND] == 'E')
				c[N_ID] = (int16) want_name(&wants, c[N_ID]);
			c[N_AT] = (int16) later(c[N_AT]);
			break;
		case TAKEN:
			c[K_RUN] = (int16) name_of(&runs, c[K_RUN], FIRST_RUN);
			break;
		case TAINTS:
			c[T_ID] = (int16) name_of(&taints, c[T_ID], FIRST_TAINT);
			break;
		case TAINTED:
			c[TP_TAINT] = (int16) name_of(&taints, c[TP_TAINT], FIRST_TAINT);
			c[TP_RUN] = (int16) (1 + rank(c[TP_PART], P_LIVE_RUN, c[TP_RUN], false));
			break;
		case SLOT_USES:
			c[U_RUN] = (int16) name_of(&runs, c[U_RUN], FIRST_RUN);
			break;
		case WATCHES:
		case COLLISIONS:
		case SLOTS:
		case N_TABLES:
			break;
	}
}

typedef struct Renamed
{
	Row			as;
	Row			is;
} Renamed;

static int	sorting;

static int
by_columns(const void *a, const void *b)
{
	const Row  *x = &((const Renamed *) a)->as;
	const Row  *y = &((const Renamed *) b)->as;

	for (int i = 0; i < sorting; i++)
		if (x->c[i] != y->c[i])
			return x->c[i] - y->c[i];
	if (x->xmin != y->xmin)
		return x->xmin - y->xmin;
	if (x->xmax != y->xmax)
		return x->xmax - y->xmax;
	return x->lock - y->lock;
}

static void
arrange(TableId table, Renamed *rows, bool rename)
{
	Table	   *t = &db->t[table];
	int			n = 0;

	sorting = tables[table].columns;
	qsort(rows, (size_t) t->n, sizeof(Renamed), by_columns);
	for (int i = 0; i < t->n; i++)
		if (i == 0 || by_columns(&rows[i - 1], &rows[i]) != 0)
			t->rows[n++] = rename ? rows[i].as : rows[i].is;
	t->n = n;
}

static void
tell_names(Names *names)
{
	memset(names, 0, sizeof(Names));
	for (int i = 0; i < runs.n; i++)
		names->runs[i] = runs.ids[i].id;
	for (int i = 0; i < taints.n; i++)
		names->taints[i] = taints.ids[i].id;
	for (int i = 0; i < wants.n; i++)
		names->wants[want_name(&wants, wants.ids[i].id)] = wants.ids[i].id;
}

/*
 * Give the state its canonical form; without rename its own numbers stay, but
 * the rows are those, and in the order, of the canonical form.
 */
void
canonicalise(Names *names, bool rename)
{
	static Renamed rows[N_TABLES][MOST_ROWS];

	tidy();
	collect(&runs, RUNS, run_key);
	collect(&wants, WANTS, want_key);
	collect(&taints, TAINTS, taint_key);
	if (names != NULL)
		tell_names(names);
	for (int table = 0; table < N_TABLES; table++)
		for (int i = 0; i < db->t[table].n; i++)
		{
			rows[table][i].is = rows[table][i].as = db->t[table].rows[i];
			rename_row((TableId) table, &rows[table][i].as);
		}
	for (int table = 0; table < N_TABLES; table++)
		arrange((TableId) table, rows[table], rename);
	if (rename)
	{
		db->serial = 1000;
		db->next_want = 1000;
		db->next_taint = 1000;
	}
}

/* ---- as bytes ---- */

static void
put(uint8_t **at, int value)
{
	if (value < -128 || value > 127)
		model_bug("a canonical state has the number %d", value);
	*(*at)++ = (uint8_t) value;
}

int
encode(uint8_t *bytes)
{
	uint8_t    *at = bytes;

	put(&at, db->open);
	for (int i = 0; i < N_BUDGETS; i++)
		put(&at, db->used[i]);
	for (int table = 0; table < N_TABLES; table++)
	{
		const Table *t = &db->t[table];

		put(&at, t->n);
		for (int i = 0; i < t->n; i++)
		{
			const Row  *r = &t->rows[i];

			put(&at, r->xmin | r->xmax << 2 | r->lock << 4);
			for (int k = 0; k < tables[table].columns; k++)
				if (table == RUNS && k == R_OUTPUTS)
				{
					put(&at, r->c[k] & 63);
					put(&at, r->c[k] >> 6 & 63);
					put(&at, r->c[k] >> 12);
				}
				else
					put(&at, r->c[k]);
		}
	}
	return (int) (at - bytes);
}

static int
get(const uint8_t **at)
{
	return (int8_t) *(*at)++;
}

void
decode(const uint8_t *bytes)
{
	const uint8_t *at = bytes;

	db->serial = 1000;
	db->next_want = 1000;
	db->next_taint = 1000;
	db->open = (uint8_t) get(&at);
	for (int i = 0; i < N_BUDGETS; i++)
		db->used[i] = (uint8_t) get(&at);
	for (int table = 0; table < N_TABLES; table++)
	{
		Table	   *t = &db->t[table];

		t->n = get(&at);
		for (int i = 0; i < t->n; i++)
		{
			Row		   *r = &t->rows[i];
			int			who = get(&at);

			r->xmin = who & 3;
			r->xmax = who >> 2 & 3;
			r->lock = who >> 4 & 3;
			for (int k = 0; k < tables[table].columns; k++)
			{
				r->c[k] = (int16) get(&at);
				if (table == RUNS && k == R_OUTPUTS)
				{
					r->c[k] = (int16) (r->c[k] | get(&at) << 6);
					r->c[k] = (int16) (r->c[k] | get(&at) << 12);
				}
			}
		}
	}
}

/* All refs but late ones are known and missing; nobody wants anything. */
void
first_state(void)
{
	memset(db, 0, sizeof(Db));
	session = 0;
	for (int id = 1; id <= nparts(); id++)
	{
		int			p[P_COLUMNS] = {[P_ID] = id,[P_PLACE] = P_MISSING,[P_JOB] = world->made_by[id - 1] - '0',[P_PRIO] = PRIORITY_NONE,[P_KNOWN] = !has(world->late, id)};

		(void) insert_row(PARTITIONS, p);
	}
	for (const Job *j = world->jobs; j->id != 0; j++)
		for (int s = 1; s <= j->max_running; s++)
			(void) insert_row(SLOTS, (int[]) {j->id, s});
	canonicalise(NULL, true);
}
