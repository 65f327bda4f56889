/*
 * declare.c
 *	  Declared inputs and outputs: what a job's templates and functions say that
 *	  its refs need, and what else a run of them makes.
 *
 * They are worked out once, when a ref is named for the first time or its job
 * is defined anew, and kept as rows of databuild.input and databuild.output;
 * the events "declared" and "makes" have them, so that a replay asks no
 * template and no function.  Since no call but a definition or one that names
 * new refs inserts partitions, all that a new ref needs, however indirectly, is
 * worked out before the first insert: one sorted insert, in which two sessions
 * cannot wait for each other in a circle.
 *
 * That goes level by level, and a function is asked about all refs of a level
 * at once.  What was said of a ref is kept until the call ends: a function
 * that says something else each time is not asked twice.
 */
#include "store.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* Refs, and times that one is named, of one call; beyond that jobs make ever new ones. */
#define MOST_REFS	5000000
#define MOST_NAMED	50000000

/* A ref that a call mentions, and what its job says of it once it was asked. */
typedef struct Named
{
	char	   *ref;
	int64		id;				/* 0 until it is looked up */
	int32		job;			/* 0: none that declares anything */
	bool		asked;
	bool		reached;		/* known, or about to be inserted */
	struct Named **refs[2];		/* inputs; outputs, itself included, if there are others */
	int			n[2];
	int			room[2];
} Named;

typedef struct Names
{
	HTAB	   *table;
	MemoryContext memory;
	int			sides;			/* 1: only inputs are asked for */
	int			n;
	int			named;
} Names;

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

static Names *
no_names(int sides)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "databuild refs", ALLOCSET_DEFAULT_SIZES);
	Names	   *names = MemoryContextAllocZero(memory, sizeof(Names));
	MemoryContext old = MemoryContextSwitchTo(memory);

	names->memory = memory;
	names->sides = sides;
	names->table = ref_set(sizeof(Named));
	MemoryContextSwitchTo(old);
	return names;
}

static Names *
names_of(Call *c)
{
	if (c->names == NULL)
		c->names = no_names(2);
	return c->names;
}

void
forget_names(Call *c)
{
	if (c->names != NULL)
		MemoryContextDelete(c->names->memory);
	c->names = NULL;
}

static Named *
name(Names *names, const char *ref)
{
	bool		found;
	Named	   *p = hash_search(names->table, &ref, HASH_ENTER, &found);

	if (found)
		return p;
	*p = (Named)
	{
		.ref = MemoryContextStrdup(names->memory, ref)
	};
	if (++names->n > MOST_REFS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("declared inputs name more than %d refs", MOST_REFS),
				 errhint("See whether a job's templates or function make ever new refs.")));
	return p;
}

static void
name_for(Names *names, Named *p, Declares which, const char *ref)
{
	CHECK_FOR_INTERRUPTS();
	if (++names->named > MOST_NAMED)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the refs of one call have more than %d declared inputs and outputs", MOST_NAMED),
				 errhint("Name fewer refs at a time.")));
	if (p->n[which] == p->room[which])
	{
		int			room = Max(4, 2 * p->room[which]);

		p->refs[which] = p->room[which] == 0 ? MemoryContextAlloc(names->memory, sizeof(Named *) * room) :
			repalloc(p->refs[which], sizeof(Named *) * room);
		p->room[which] = room;
	}
	p->refs[which][p->n[which]++] = name(names, ref);
}

/* ---- asking jobs ---- */

static void
ask_templates(Names *names, Named *p)
{
	char	  **refs[2];
	int			n[2];

	p->job = route_templates(p->ref, refs, n);
	for (int which = 0; which < names->sides; which++)
		for (int i = 0; i < n[which]; i++)
		{
			name_for(names, p, (Declares) which, refs[which][i]);
			pfree(refs[which][i]);
		}
}

typedef struct Question
{
	Names	   *names;
	Named	  **parts;
	Declares	which;
} Question;

static void
take_answer(void *arg, int i, const char *ref)
{
	Question   *q = arg;

	name_for(q->names, q->parts[i], q->which, ref);
}

/* The functions of one job, about all of its refs. */
static void
ask_functions(Names *names, Named **parts, int n)
{
	const char **refs = palloc(sizeof(char *) * n);

	for (int i = 0; i < n; i++)
		refs[i] = parts[i]->ref;
	for (int which = 0; which < names->sides; which++)
	{
		Question	q = {names, parts, (Declares) which};
		JobFunction f;

		if (route_function(parts[0]->job, q.which, &f))
			ask_function(&f, refs, n, take_answer, &q);
	}
	pfree(refs);
}

/* Each is the job's own; the ref itself belongs to them, and alone is none. */
static void
complete_outputs(Names *names, Named *p)
{
	int			n = 0;

	for (int i = 0; i < p->n[OUTPUTS]; i++)
	{
		Named	   *output = p->refs[OUTPUTS][i];

		if (output == p)
			continue;
		if (route_ref(output->ref, strlen(output->ref)) != p->job)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("output \"%s\" of ref \"%s\" does not match its own job \"%s\"", output->ref, p->ref, route_label(p->job)),
					 errhint("Every output of a job needs a pattern of that job.")));
		p->refs[OUTPUTS][n++] = output;
	}
	p->n[OUTPUTS] = n;
	if (n > 0)
		name_for(names, p, OUTPUTS, p->ref);
}

static int
by_job(const void *a, const void *b)
{
	const Named *x = *(Named *const *) a;
	const Named *y = *(Named *const *) b;

	return x->job != y->job ? (x->job < y->job ? -1 : 1) : strcmp(x->ref, y->ref);
}

/* The refs, with what their jobs say of them. */
static Named **
ask(Names *names, const Datum *refs, int n)
{
	Named	  **all = palloc(sizeof(Named *) * (n + 1));
	Named	  **fresh = palloc(sizeof(Named *) * (n + 1));
	int			nfresh = 0;
	int			upto;

	for (int i = 0; i < n; i++)
	{
		char	   *ref = TextDatumGetCString(refs[i]);

		CHECK_FOR_INTERRUPTS();
		all[i] = name(names, ref);
		pfree(ref);
		if (all[i]->asked)
			continue;
		all[i]->asked = true;
		ask_templates(names, all[i]);
		if (all[i]->job != 0)
			fresh[nfresh++] = all[i];
	}
	qsort(fresh, nfresh, sizeof(Named *), by_job);
	for (int from = 0; from < nfresh; from = upto)
	{
		for (upto = from + 1; upto < nfresh && fresh[upto]->job == fresh[from]->job;)
			upto++;
		ask_functions(names, fresh + from, upto - from);
	}
	for (int i = 0; i < nfresh; i++)
		complete_outputs(names, fresh[i]);
	pfree(fresh);
	return all;
}

/* What these need, and make, and nobody has reached yet; sorted. */
static Datum *
reach(Named **parts, int n, int *nreached)
{
	int			room = 64;
	Datum	   *refs = palloc(sizeof(Datum) * room);

	*nreached = 0;
	for (int i = 0; i < n; i++)
		for (int which = 0; which < 2; which++)
			for (int k = 0; k < parts[i]->n[which]; k++)
			{
				Named	   *p = parts[i]->refs[which][k];

				CHECK_FOR_INTERRUPTS();
				if (p->reached)
					continue;
				p->reached = true;
				if (*nreached == room)
					refs = repalloc(refs, sizeof(Datum) * (room *= 2));
				refs[(*nreached)++] = CStringGetTextDatum(p->ref);
			}
	sort_refs(refs, *nreached);
	return refs;
}

/*
 * The refs, none of which is known, and everything unknown that they need,
 * however indirectly; sorted.
 */
Datum *
unknown_closure(Call *c, const Datum *refs, int n, int *nall)
{
	Datum	   *all = palloc(sizeof(Datum) * (n + 1));
	const Datum *level = refs;
	int			nlevel = n;

	memcpy(all, refs, sizeof(Datum) * n);
	*nall = n;
	if (!route_any_inputs() && !route_any_outputs())
		return all;
	for (int i = 0; i < n; i++)
		name(names_of(c), TextDatumGetCString(refs[i]))->reached = true;
	while (nlevel > 0)
	{
		int			nmentioned;
		Datum	   *mentioned = reach(ask(names_of(c), level, nlevel), nlevel, &nmentioned);

		level = filter_unknown(mentioned, nmentioned, &nlevel);
		if (nlevel == 0)
			break;
		all = repalloc(all, sizeof(Datum) * (*nall + nlevel));
		memcpy(all + *nall, level, sizeof(Datum) * nlevel);
		*nall += nlevel;
	}
	sort_refs(all, *nall);
	return all;
}

/* ---- rows and event ---- */

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

/* Look up the ids of all that the refs need, or make, which is known. */
static void
find_ids(Names *names, Named **parts, int n, Declares which)
{
	int			room = 64;
	int			count = 0;
	Datum	   *refs = palloc(sizeof(Datum) * room);

	for (int i = 0; i < n; i++)
		for (int k = 0; k < parts[i]->n[which]; k++)
		{
			Named	   *p = parts[i]->refs[which][k];

			CHECK_FOR_INTERRUPTS();
			if (p->id != 0)
				continue;
			p->id = -1;
			if (count == room)
				refs = repalloc(refs, sizeof(Datum) * (room *= 2));
			refs[count++] = CStringGetTextDatum(p->ref);
		}
	sort_refs(refs, count);
	if (count > 0)
	{
		Datum		args[] = {refs_datum(refs, count)};
		Rows		rows = store_rows(Q_REFS_KNOWN, args, NULL);

		if (rows.n != count)
			elog(ERROR, "%d of %d declared refs are known", rows.n, count);
		for (int i = 0; i < rows.n; i++)
			name(names, rows_text(&rows, i, 0))->id = rows_int64(&rows, i, 1);
		rows_free(&rows);
	}
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

static Named **
ask_parts(Call *c, const Ids *parts)
{
	Datum	   *refs = palloc(sizeof(Datum) * (parts->n + 1));

	for (int i = 0; i < parts->n; i++)
		refs[i] = CStringGetTextDatum(((Partition *) marking_token(&c->m, PARTITION, parts->at[i]))->ref);
	return ask(names_of(c), refs, parts->n);
}

/* What the jobs say of each of the partitions, by ids; of those of which they say nothing, too, if all are asked for. */
static Declared
work_out(Call *c, const Ids *parts, bool all, Declares which)
{
	Named	  **said = ask_parts(c, parts);
	Declared	d = {0};

	find_ids(names_of(c), said, parts->n, which);
	for (int i = 0; i < parts->n; i++)
	{
		Ids			own = {0};

		CHECK_FOR_INTERRUPTS();
		for (int k = 0; k < said[i]->n[which]; k++)
			ids_add(&own, said[i]->refs[which][k]->id);
		ids_sort(&own);
		if (own.n > 0 || all)
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

/* The transaction that has declared what others cannot see. */
static TransactionId declaring = InvalidTransactionId;

bool
declares_here(void)
{
	return TransactionIdIsValid(declaring) && declaring == GetTopTransactionIdIfAny();
}

/* Those that need what this call does not hold: whoever moves that does not see them yet. */
static void
note_declared(Call *c, const Declared *d)
{
	int			next = 0;

	for (int i = 0; i < d->parts.n; i++)
	{
		int			held = 0;

		for (int k = 0; k < d->sizes.at[i]; k++)
			held += marking_token(&c->m, PARTITION, d->others.at[next++]) != NULL;
		if (held < d->sizes.at[i])
			ids_add(&c->declared, d->parts.at[i]);
	}
	if (c->declared.n > 0)
		declaring = GetTopTransactionId();
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
		d = work_out(c, parts, false, INPUTS);
		write_inputs(&d);
		log_declared(c, EV_DECLARED, &d);
		note_declared(c, &d);
	}
	if (route_any_outputs())
	{
		d = work_out(c, parts, false, OUTPUTS);
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

/*
 * Likewise for partitions whose job is defined anew: what changes is written
 * and logged.  Returns those that need something else than before; what they
 * needed is told that they do not.
 */
Ids
declare_anew(Call *c, const Ids *parts)
{
	Declared	before = declared_now(parts, Q_INPUTS_DECLARED, members_of_input);
	Declared	after = work_out(c, parts, true, INPUTS);
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
	after = work_out(c, parts, true, OUTPUTS);
	outputs = difference(&before, &after);
	args[0] = ids_datum(&outputs.parts);
	if (outputs.parts.n > 0)
		store_do(Q_OUTPUT_DROP, args, NULL);
	write_outputs(&outputs);
	log_declared(c, EV_MAKES, &outputs);
	if (outputs.parts.n > 0)
	{
		/* what collided may do so no more: it tries again, as if what was in the way had ended */
		Ids			blockers = store_ids(Q_BLOCKERS, args);

		for (int i = 0; i < blockers.n; i++)
			ids_add(&c->released, blockers.at[i]);
	}
	return inputs.parts;
}

/* The refs that these partitions' jobs say they need, named. */
void
name_inputs(Call *c, const Ids *parts)
{
	int			n;
	Datum	   *mentioned = reach(ask_parts(c, parts), parts->n, &n);

	(void) name_refs(c, mentioned, n, false);
}

/* ---- what a want would meet ---- */

/* Of the refs of a level, those that nobody asked about yet; the others have their inputs from the tables. */
static Datum *
not_declared(Names *names, const Datum *level, int n, int *nasked)
{
	Datum		args[] = {refs_datum(level, n)};
	Rows		rows = store_read(Q_INPUTS_STORED, args, NULL);
	Datum	   *unknown = palloc(sizeof(Datum) * (n + 1));

	*nasked = 0;
	for (int i = 0; i < rows.n; i++)
	{
		Named	   *p = name(names, rows_text(&rows, i, 0));
		Datum	   *inputs;
		int			ninputs;

		if (!DatumGetBool(rows_datum(&rows, i, 1)))
			unknown[(*nasked)++] = CStringGetTextDatum(p->ref);
		else
			p->asked = true;
		if (rows_null(&rows, i, 2))
			continue;
		deconstruct_array(DatumGetArrayTypeP(rows_datum(&rows, i, 2)), TEXTOID, -1, false, TYPALIGN_INT, &inputs, NULL, &ninputs);
		for (int k = 0; k < ninputs; k++)
			name_for(names, p, INPUTS, TextDatumGetCString(inputs[k]));
	}
	rows_free(&rows);
	return unknown;
}

static void
put_inputs(ReturnSetInfo *result, Named **parts, int n)
{
	bool		nulls[2] = {false};

	for (int i = 0; i < n; i++)
		for (int k = 0; k < parts[i]->n[INPUTS]; k++)
		{
			Datum		values[2] = {text_datum(parts[i]->ref), text_datum(parts[i]->refs[INPUTS][k]->ref)};

			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		}
}

PG_FUNCTION_INFO_V1(databuild_inputs_of);

Datum
databuild_inputs_of(PG_FUNCTION_ARGS)
{
	Datum	   *level;
	int			n;
	int			level_of_settings;
	Names	   *names;

	ask_refuse_call();
	level = arg_refs(fcinfo, 0, "partitions", &n);
	InitMaterializedSRF(fcinfo, 0);
	level_of_settings = store_open();
	names = no_names(1);
	for (int i = 0; i < n; i++)
		name(names, TextDatumGetCString(level[i]))->reached = true;
	while (n > 0)
	{
		int			nunknown;
		Datum	   *unknown = not_declared(names, level, n, &nunknown);
		Named	  **parts;

		(void) ask(names, unknown, nunknown);
		parts = ask(names, level, n);
		put_inputs((ReturnSetInfo *) fcinfo->resultinfo, parts, n);
		level = reach(parts, n, &n);
	}
	store_close(level_of_settings);
	return (Datum) 0;
}
