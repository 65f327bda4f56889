/*
 * declare.c
 *	  Declared inputs and outputs: what a job's templates say that its refs need,
 *	  and what else a run of them makes.
 *
 * They are worked out once, when a ref is named for the first time or its job
 * is defined anew, and kept as rows of databuild.input and databuild.output;
 * the events "declared" and "makes" have them, so that a replay asks no
 * template.  Since no call but a definition
 * or one that names new refs inserts partitions, all that a new ref needs,
 * however indirectly, is worked out before the first insert: one sorted
 * insert, in which two sessions cannot wait for each other in a circle.
 */
#include "store.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"

/* Inputs of inputs of one call; beyond that the templates make ever new refs. */
#define MOST_REFS	5000000

static uint32
hash_ref(const void *key, Size size)
{
	const char *ref = *(const char *const *) key;

	(void) size;
	return hash_bytes((const unsigned char *) ref, strlen(ref));
}

static int
match_ref(const void *a, const void *b, Size size)
{
	(void) size;
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

HTAB *
ref_set(Size entry)
{
	HASHCTL		ctl = {
		.keysize = sizeof(char *),
		.entrysize = entry,
		.hash = hash_ref,
		.match = match_ref,
		.hcxt = CurrentMemoryContext,
	};

	return hash_create("databuild refs", 1024, &ctl, HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

/* Refs as texts, in the order of their bytes. */
static Datum *
sorted_refs(char **refs, int n)
{
	Datum	   *datums = palloc(sizeof(Datum) * (n + 1));

	for (int i = 0; i < n; i++)
		datums[i] = CStringGetTextDatum(refs[i]);
	sort_refs(datums, n);
	return datums;
}

/* What the refs of a level need, and make, and nobody has mentioned yet. */
static Datum *
next_level(HTAB *seen, const Datum *level, int n, int *nnext)
{
	int			room = 64;
	char	  **fresh = palloc(sizeof(char *) * room);
	int			nfresh = 0;

	for (int i = 0; i < n; i++)
	{
		char	   *ref = TextDatumGetCString(level[i]);
		int			n[2];
		char	  **refs[2] = {route_inputs(ref, &n[0]), route_outputs(ref, &n[1])};

		CHECK_FOR_INTERRUPTS();
		for (int w = 0; w < 2; w++)
			for (int k = 0; k < n[w]; k++)
			{
				bool		found;

				hash_search(seen, &refs[w][k], HASH_ENTER, &found);
				if (found)
					continue;
				if (nfresh == room)
					fresh = repalloc(fresh, sizeof(char *) * (room *= 2));
				fresh[nfresh++] = refs[w][k];
			}
	}
	*nnext = nfresh;
	return sorted_refs(fresh, nfresh);
}

/*
 * The refs, none of which is known, and everything unknown that they need,
 * however indirectly; sorted.
 */
Datum *
unknown_closure(const Datum *refs, int n, int *nall)
{
	HTAB	   *seen;
	Datum	   *all = palloc(sizeof(Datum) * (n + 1));
	const Datum *level = refs;
	int			nlevel = n;

	memcpy(all, refs, sizeof(Datum) * n);
	*nall = n;
	if (!route_any_inputs() && !route_any_outputs())
		return all;
	seen = ref_set(sizeof(char *));
	for (int i = 0; i < n; i++)
	{
		char	   *ref = TextDatumGetCString(refs[i]);

		hash_search(seen, &ref, HASH_ENTER, NULL);
	}
	while (nlevel > 0)
	{
		int			nmentioned;
		Datum	   *mentioned = next_level(seen, level, nlevel, &nmentioned);

		level = filter_unknown(mentioned, nmentioned, &nlevel);
		if (*nall + nlevel > MOST_REFS)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("declared inputs name more than %d new refs", MOST_REFS),
					 errhint("See whether a job's inputs template makes ever new refs.")));
		all = repalloc(all, sizeof(Datum) * (*nall + nlevel + 1));
		memcpy(all + *nall, level, sizeof(Datum) * nlevel);
		*nall += nlevel;
	}
	sort_refs(all, *nall);
	return all;
}

/* ---- rows and event ---- */

typedef struct RefId
{
	char	   *ref;
	int64		id;
} RefId;

typedef struct Declared
{
	Ids			parts;			/* that have inputs */
	Ids			sizes;
	Ids			others;			/* one after the other */
} Declared;

/* One more partition, with what it was declared to need or to make along. */
static void
declare(Declared *d, int64 part, const Ids *others)
{
	ids_add(&d->parts, part);
	ids_add(&d->sizes, others == NULL ? 0 : others->n);
	for (int i = 0; others != NULL && i < others->n; i++)
		ids_add(&d->others, others->at[i]);
}

static void
add_bits(Ids *parts, Ids *blocks, Ids *masks, int64 part, Ids *inputs)
{
	ids_sort(inputs);
	for (int i = 0; i < inputs->n; i++)
	{
		int64		block = inputs->at[i] >> 6;

		if (i == 0 || blocks->at[blocks->n - 1] != block)
		{
			ids_add(parts, part);
			ids_add(blocks, block);
			ids_add(masks, 0);
		}
		masks->at[masks->n - 1] |= (int64) (UINT64CONST(1) << (inputs->at[i] & 63));
	}
}

static void
write_inputs(const Declared *d)
{
	Ids			parts = {0};
	Ids			blocks = {0};
	Ids			masks = {0};
	int			next = 0;

	for (int i = 0; i < d->parts.n; i++)
	{
		Ids			inputs = {0};

		for (int k = 0; k < d->sizes.at[i]; k++)
			ids_add(&inputs, d->others.at[next++]);
		add_bits(&parts, &blocks, &masks, d->parts.at[i], &inputs);
	}
	if (parts.n > 0)
	{
		Datum		args[] = {ids_datum(&parts), ids_datum(&blocks), ids_datum(&masks)};

		store_do(Q_INPUT_ADD, args, NULL);
	}
}

/* The ids of all that the partitions' refs mention. */
static HTAB *
mentioned_ids(char ***inputs, const int *ninputs, int n)
{
	HTAB	   *ids = ref_set(sizeof(RefId));
	int			room = 64;
	int			count = 0;
	char	  **refs = palloc(sizeof(char *) * room);

	for (int i = 0; i < n; i++)
		for (int k = 0; k < ninputs[i]; k++)
		{
			bool		found;

			hash_search(ids, &inputs[i][k], HASH_ENTER, &found);
			if (found)
				continue;
			if (count == room)
				refs = repalloc(refs, sizeof(char *) * (room *= 2));
			refs[count++] = inputs[i][k];
		}
	if (count > 0)
	{
		Datum		args[] = {refs_datum(sorted_refs(refs, count), count)};
		Rows		rows = store_rows(Q_REFS_KNOWN, args, NULL);

		for (int i = 0; i < rows.n; i++)
		{
			char	   *ref = rows_text(&rows, i, 0);
			RefId	   *entry = hash_search(ids, &ref, HASH_FIND, NULL);

			entry->id = rows_int64(&rows, i, 1);
		}
		rows_free(&rows);
	}
	return ids;
}

static void
write_outputs(const Declared *d)
{
	int32	   *firsts = palloc(sizeof(int32) * (d->parts.n + 1));
	int32	   *lasts = palloc(sizeof(int32) * (d->parts.n + 1));
	Ids			parts = {0};
	int			next = 0;

	for (int i = 0; i < d->parts.n; i++)
	{
		if (d->sizes.at[i] == 0)
			continue;
		firsts[parts.n] = next + 1;
		next += (int) d->sizes.at[i];
		lasts[parts.n] = next;
		ids_add(&parts, d->parts.at[i]);
	}
	if (parts.n > 0)
	{
		Datum		args[] = {ids_datum(&parts), ids_datum(&d->others), int32s_datum(firsts, parts.n), int32s_datum(lasts, parts.n)};

		store_do(Q_OUTPUT_ADD, args, NULL);
	}
}

/* What the templates say of each of the partitions that they say something of, by ids. */
static Declared
work_out(Call *c, const Ids *parts, char **(*ask) (const char *, int *))
{
	char	 ***refs = palloc(sizeof(char **) * (parts->n + 1));
	int		   *nrefs = palloc(sizeof(int) * (parts->n + 1));
	Declared	d = {0};
	HTAB	   *ids;

	for (int i = 0; i < parts->n; i++)
		refs[i] = ask(((Partition *) marking_token(&c->m, PARTITION, parts->at[i]))->ref, &nrefs[i]);
	ids = mentioned_ids(refs, nrefs, parts->n);
	for (int i = 0; i < parts->n; i++)
	{
		Ids			own = {0};

		for (int k = 0; k < nrefs[i]; k++)
			ids_add(&own, ((RefId *) hash_search(ids, &refs[i][k], HASH_FIND, NULL))->id);
		ids_sort(&own);
		if (own.n > 0)
			declare(&d, parts->at[i], &own);
	}
	return d;
}

static void
log_declared(Call *c, EventKind kind, const Declared *d)
{
	Event	   *e;

	if (d->parts.n == 0)
		return;
	e = events_add(&c->events, kind);
	e->parts = d->parts;
	e->sizes = d->sizes;
	e->others = d->others;
}

/*
 * Work out, write and log the inputs and outputs of partitions in the marking,
 * all of which are new.
 */
void
declare_parts(Call *c, const Ids *parts)
{
	Declared	d;

	if (route_any_inputs())
	{
		d = work_out(c, parts, route_inputs);
		write_inputs(&d);
		log_declared(c, EV_DECLARED, &d);
	}
	if (route_any_outputs())
	{
		d = work_out(c, parts, route_outputs);
		write_outputs(&d);
		log_declared(c, EV_MAKES, &d);
	}
}

/* ---- declared anew ---- */

/* What is in the tables now, in the form of work_out(): of all the partitions. */
static Declared
declared_now(const Ids *parts, Statement query, void (*members) (const Rows *rows, int i, Ids *out))
{
	Datum		args[] = {ids_datum(parts)};
	Rows		rows = store_rows(query, args, NULL);
	Marking		of = {0};		/* Partition.needs: what it has */
	Declared	d = {0};

	for (int i = 0; i < rows.n; i++)
		members(&rows, i, &((Partition *) marking_add(&of, PARTITION, rows_int64(&rows, i, 0)))->needs);
	rows_free(&rows);
	for (int i = 0; i < parts->n; i++)
	{
		const Partition *p = marking_token(&of, PARTITION, parts->at[i]);

		declare(&d, parts->at[i], p == NULL ? NULL : &p->needs);
	}
	return d;
}

static void
members_of_input(const Rows *rows, int i, Ids *out)
{
	add_members(rows_int64(rows, i, 1), (uint64) rows_int64(rows, i, 2), out);
}

static void
members_of_output(const Rows *rows, int i, Ids *out)
{
	rows_ids(rows, i, 1, out);
}

/* Of two declarations of the same partitions, the new one where they differ. */
static Declared
difference(const Declared *before, const Declared *after)
{
	Declared	d = {0};
	int			b = 0;
	int			a = 0;

	for (int i = 0; i < after->parts.n; i++)
	{
		Ids			had = {before->others.at + b, (int) before->sizes.at[i], 0};
		Ids			has = {after->others.at + a, (int) after->sizes.at[i], 0};

		b += had.n;
		a += has.n;
		if (had.n != has.n || (had.n > 0 && memcmp(had.at, has.at, sizeof(int64) * had.n) != 0))
			declare(&d, after->parts.at[i], &has);
	}
	return d;
}

/* All partitions have an entry, those without any others, too. */
static Declared
work_out_all(Call *c, const Ids *parts, char **(*ask) (const char *, int *))
{
	Declared	some = work_out(c, parts, ask);
	Declared	d = {0};
	int			next = 0;
	int			k = 0;

	for (int i = 0; i < parts->n; i++)
	{
		Ids			own = {0};

		if (k < some.parts.n && some.parts.at[k] == parts->at[i])
		{
			own = (Ids) {some.others.at + next, (int) some.sizes.at[k], 0};
			next += own.n;
			k++;
		}
		declare(&d, parts->at[i], &own);
	}
	return d;
}

/*
 * Likewise for partitions whose job is defined anew: what changes is written
 * and logged.  Returns those that need something else than before; what they
 * needed is told that they do not.
 */
Ids
declare_anew(Call *c, const Ids *parts)
{
	Declared	before = declared_now(parts, Q_INPUTS_DECLARED, members_of_input);
	Declared	after = work_out_all(c, parts, route_inputs);
	Declared	inputs = difference(&before, &after);
	Declared	outputs;
	Datum		args[1];

	args[0] = ids_datum(&inputs.parts);
	look_uncover_inputs(c, &inputs.parts);
	if (inputs.parts.n > 0)
		store_do(Q_INPUT_DROP, args, NULL);
	write_inputs(&inputs);
	log_declared(c, EV_DECLARED, &inputs);

	before = declared_now(parts, Q_OUTPUTS, members_of_output);
	after = work_out_all(c, parts, route_outputs);
	outputs = difference(&before, &after);
	args[0] = ids_datum(&outputs.parts);
	if (outputs.parts.n > 0)
		store_do(Q_OUTPUT_DROP, args, NULL);
	write_outputs(&outputs);
	log_declared(c, EV_MAKES, &outputs);
	return inputs.parts;
}

/* The refs that these partitions' jobs say they need, named. */
void
name_inputs(Call *c, const Ids *parts)
{
	HTAB	   *seen = ref_set(sizeof(char *));
	Datum	   *refs = palloc(sizeof(Datum) * (parts->n + 1));
	Datum	   *mentioned;
	int			n;

	for (int i = 0; i < parts->n; i++)
		refs[i] = CStringGetTextDatum(((Partition *) marking_token(&c->m, PARTITION, parts->at[i]))->ref);
	mentioned = next_level(seen, refs, parts->n, &n);
	(void) name_refs(c, mentioned, n, false);
}
