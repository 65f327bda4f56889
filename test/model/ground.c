/*
 * ground.c
 *	  What the files under test stand on: memory, errors, the clock, the gate,
 *	  numbers, routes, arguments, the log; and the choices that a step makes.
 */
#include "model.h"

#include <stdarg.h>

const World *world;

/* ---- memory: what a step takes is given back at its end ---- */

#define ARENA_BYTES	(1 << 23)

static char arena[ARENA_BYTES] __attribute__((aligned(16)));
static size_t arena_used;

void
arena_reset(void)
{
	arena_used = 0;
}

void *
arena_alloc(size_t size)
{
	void	   *p = arena + arena_used;

	arena_used += (size + 15) & ~(size_t) 15;
	if (arena_used > ARENA_BYTES)
	{
		arena_used = 0;
		model_bug("a step takes more than %d bytes: it does not end", ARENA_BYTES);
	}
	return memset(p, 0, size);
}

/* ---- errors ---- */

jmp_buf		step_end;
Outcome		ended_as;
char		bug[400];

static void __attribute__((noreturn))
leave(Outcome outcome)
{
	ended_as = outcome;
	longjmp(step_end, 1);
}

void
model_refuse(void)
{
	leave(REFUSED);
}

void
model_blocked(void)
{
	leave(WAITS_FOR);
}

void
model_bug(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	vsnprintf(bug, sizeof(bug), format, args);
	va_end(args);
	leave(BUG);
}

/* ---- choices ---- */

Choices		choices;
int			skips_left;

int
choose(int n)
{
	int			i = choices.n;

	if (n <= 1)
		return 0;
	if (i == MOST_CHOICES)
		model_bug("a step makes more than %d choices", MOST_CHOICES);
	choices.n++;
	choices.of[i] = (uint8_t) n;
	if (i >= choices.given)
		choices.made[i] = 0;
	return choices.made[i];
}

bool
next_choices(void)
{
	while (choices.n > 0 && choices.made[choices.n - 1] + 1 == choices.of[choices.n - 1])
		choices.n--;
	if (choices.n == 0)
		return false;
	choices.made[choices.n - 1]++;
	choices.given = choices.n;
	choices.n = 0;
	return true;
}

/* ---- the world ---- */

int
nparts(void)
{
	return (int) strlen(world->refs);
}

const char *
part_name(int id)
{
	static char names[MOST_PARTS + 1][2];

	names[id][0] = world->refs[id - 1];
	return names[id];
}

const Job *
job_by_id(int id)
{
	for (const Job *j = world->jobs; j->id != 0; j++)
		if (j->id == id)
			return j;
	return NULL;
}

/* What may still be done of that kind. */
int
budget(Budget b)
{
	if (world->budget[b] == 0)
		return 0;
	return world->budget[b] + options.more - db->used[b];
}

/* ---- routes ---- */

const Job *
route_jobs(int *n)
{
	for (*n = 0; world->jobs[*n].id != 0; ++*n)
		;
	return world->jobs;
}

bool
route_any_inputs(void)
{
	for (int id = 1; id <= nparts(); id++)
		if (world->inputs[id] != 0)
			return true;
	return false;
}

bool
route_declares(int32 job, Declares which)
{
	return which == INPUTS ? route_any_inputs() : route_any_outputs();
}

bool
route_any_outputs(void)
{
	for (int id = 1; id <= nparts(); id++)
		if (world->outputs[id] != 0)
			return true;
	return false;
}

bool
route_any_limits(void)
{
	for (const Job *j = world->jobs; j->id != 0; j++)
		if (j->max_running != 0)
			return true;
	return false;
}

const char *
route_label(int32 job)
{
	return "job";
}

Datum
route_config(int32 job)
{
	return (Datum) 0;
}

int32
route_by_label(const char *label)
{
	return 0;
}

static int
part_by_name(const char *ref)
{
	return (int) (strchr(world->refs, ref[0]) - world->refs) + 1;
}

int32
route_ref(const char *ref, int len)
{
	return world->made_by[part_by_name(ref) - 1] - '0';
}

/* In the order of their names, which is that of their ids. */
Datum *
unknown_closure(Call *c, const Datum *refs, int n, int *nall)
{
	Datum	   *all = palloc(sizeof(Datum) * MOST_PARTS);
	int			mask = 0;
	int			before = -1;

	for (int i = 0; i < n; i++)
		mask |= BIT(part_by_name(TextDatumGetCString(refs[i])));
	while (mask != before)
	{
		before = mask;
		for EACH(id, before)
			mask |= world->inputs[id] & world->late;
	}
	*nall = 0;
	for EACH(id, mask)
		if (!is_known(id))
			all[(*nall)++] = CStringGetTextDatum(part_name(id));
	return all;
}

/* A transaction is one call. */
bool
declares_here(void)
{
	return false;
}

/* As declare.c notes it; what they need is seen with the refs, see inputs_of(). */
void
declare_parts(Call *c, const Ids *parts)
{
	for (int i = 0; i < parts->n; i++)
	{
		bool		held = true;

		for EACH(id, world->inputs[parts->at[i]])
			held = held && marking_token(&c->m, PARTITION, id) != NULL;
		if (!held)
			ids_add(&c->declared, parts->at[i]);
	}
}

/* ---- clock, gate, numbers ---- */

TimestampTz
clock_now(void)
{
	return NOW;
}

void
gate_enter(void)
{
}

void
gate_enter_alone(void)
{
}

void
gate_enter_queue(void)
{
}

/* What was live when a run was claimed is not modelled: see read.c. */
int64
gate_enter_ends(void)
{
	return 0;
}

Ids
gate_ends_in_flight(void)
{
	return (Ids) {0};
}

int64
gate_next(void)
{
	return db->serial++;
}

int64
gate_next_of(const char *sequence)
{
	return strcmp(sequence, "want_id_seq") == 0 ? db->next_want++ : db->next_taint++;
}

/* Marks are hints and never move here. */
int64
gate_last(void)
{
	return 0;
}

void
library_is_present(void)
{
}

bool
gate_turn(void)
{
	return false;
}

int64
gate_horizon(bool queues)
{
	return 0;
}

/* ---- callers may do anything, ask no functions, and wait for no news ---- */

Caller
caller_enter(void)
{
	return (Caller) {0};
}

void
caller_leave(const Caller *caller)
{
}

Datum
caller_jobs(const Caller *caller, Datum asked, bool *all)
{
	return asked;
}

void
caller_reports(const Caller *caller, const Ids *runs)
{
}

void
ask_refuse_call(void)
{
}

void
wait_tell_work(int32 job)
{
}

void
wait_tell_due(TimestampTz at)
{
	(void) at;
}

void
wait_tell_moves(void)
{
}

/* ---- arguments: refs by name, ids as a list; see calls.c ---- */

Datum
arg_needed(FunctionCallInfo fcinfo, int n, const char *name)
{
	return PG_GETARG_DATUM(n);
}

Datum *
arg_refs(FunctionCallInfo fcinfo, int n, const char *name, int *count)
{
	Ids		   *ids = PG_GETARG_POINTER(n);
	Datum	   *refs = palloc(sizeof(Datum) * (size_t) (ids->n + 1));

	for (int i = 0; i < ids->n; i++)
		refs[i] = CStringGetTextDatum(part_name((int) ids->at[i]));
	*count = ids->n;
	return refs;
}

void
arg_ids(FunctionCallInfo fcinfo, int n, const char *name, bool may_be_empty, Ids *ids)
{
	(void) may_be_empty;
	*ids = *(Ids *) PG_GETARG_POINTER(n);
}

int64
arg_interval(FunctionCallInfo fcinfo, int n, const char *name)
{
	return 1;
}

int64
arg_lease(FunctionCallInfo fcinfo, int n)
{
	return 1;
}

Datum *
arg_texts(FunctionCallInfo fcinfo, int n, const char *name, int *count)
{
	*count = 0;
	return NULL;
}

Datum
refs_datum(const Datum *refs, int n)
{
	Ids		   *ids = arena_alloc(sizeof(Ids));

	for (int i = 0; i < n; i++)
		ids_add(ids, (int64) refs[i]);
	return PointerGetDatum(ids);
}

/* ---- the log: what of an event becomes a row of it ---- */

Events		step_log;

static Ids
copy(const Ids *ids)
{
	Ids			copied = {0};

	for (int i = 0; i < ids->n; i++)
		ids_add(&copied, ids->at[i]);
	return copied;
}

void
log_append(Call *c, Event *e)
{
	Event	   *row = events_add(&step_log, e->kind);

	if (e->at == 0)
		e->at = c->now;
	e->id = gate_next();
	row->id = e->id;
	row->at = e->at;
	row->want = e->want;
	row->taint = e->taint;
	row->job = e->job;
	row->prio = e->prio;
	row->until = e->until;
	row->cause = e->cause;
	row->note = e->note;
	row->runs = copy(&e->runs);
	row->parts = copy(&e->parts);
	row->sizes = copy(&e->sizes);
}
