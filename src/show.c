/*
 * show.c
 *	  The net for people: as rows, and as a drawing for Graphviz.
 */
#include "store.h"

#include "funcapi.h"
#include "lib/stringinfo.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"

/* Signals of other machines that come in the same event. */
static void
add_event_tells(Machine machine, int signal, const char **tells, int *n)
{
	for (int k = 0; k < N_EVENT_KINDS; k++)
	{
		const EventRow *e = net_event((EventKind) k);

		if (e->signal[machine] != signal)
			continue;
		for (int other = 0; other < N_MACHINES; other++)
			if (other != (int) machine && e->signal[other] < net_signals((Machine) other))
				tells[(*n)++] = psprintf("%s: %s", net_machine_name((Machine) other),
										 net_signal_name((Machine) other, e->signal[other]));
	}
}

static Datum
tells_of(Machine machine, int place, int signal, int target)
{
	const char *tells[N_EVENT_KINDS + 2];
	int			n = 0;

	if (target >= 0)
	{
		add_event_tells(machine, signal, tells, &n);
		if (net_tells_watchers(machine, place, target))
			tells[n++] = "watchers: look";
		if (net_tells_waiters(machine, place, target))
			tells[n++] = "waiters: look";
	}
	return texts_datum(tells, n);
}

static const char *
target_name(Machine machine, int target)
{
	if (target == NET_REFUSED)
		return NULL;
	return target == NET_SAME ? "(same)" : net_place_name(machine, target);
}

static void
put_cell(ReturnSetInfo *result, Machine machine, int place, int signal)
{
	int			target = net_target(machine, place, signal);
	const char *name = target_name(machine, target);
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = text_datum(net_machine_name(machine));
	values[1] = text_datum(net_place_name(machine, place));
	values[2] = text_datum(net_signal_name(machine, signal));
	nulls[3] = name == NULL;
	values[3] = name == NULL ? 0 : text_datum(name);
	values[4] = tells_of(machine, place, signal, target);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(databuild_net);

Datum
databuild_net(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	for (int m = 0; m < N_MACHINES; m++)
		for (int p = 0; p < net_places((Machine) m); p++)
			for (int s = 0; s < net_signals((Machine) m); s++)
				put_cell((ReturnSetInfo *) fcinfo->resultinfo, (Machine) m, p, s);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(databuild_nth);

/* The place (from 1) of an id in an ascending array; NULL if it is not there. */
Datum
databuild_nth(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	const int64 *ids = (const int64 *) ARR_DATA_PTR(array);
	int64		id = PG_GETARG_INT64(1);
	int			low = 0;
	int			high = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) || ids[low] != id)
		PG_RETURN_NULL();
	PG_RETURN_INT32(low + 1);
}

PG_FUNCTION_INFO_V1(databuild_bits);

/* The ids of a bitmap, one a call; the rest of the mask is the state. */
Datum
databuild_bits(PG_FUNCTION_ARGS)
{
	FuncCallContext *context;
	uint64		left;
	int			bit;

	if (SRF_IS_FIRSTCALL())
	{
		context = SRF_FIRSTCALL_INIT();
		context->user_fctx = MemoryContextAlloc(context->multi_call_memory_ctx, sizeof(uint64));
		*(uint64 *) context->user_fctx = (uint64) PG_GETARG_INT64(1);
	}
	context = SRF_PERCALL_SETUP();
	left = *(uint64 *) context->user_fctx;
	if (left == 0)
		SRF_RETURN_DONE(context);
	bit = pg_rightmost_one_pos64(left);
	*(uint64 *) context->user_fctx = left & (left - 1);
	SRF_RETURN_NEXT(context, Int64GetDatum((PG_GETARG_INT64(0) << 6) + bit));
}

/* One arrow for each target of a place, with the signals that lead there. */
static void
draw_arrow(StringInfo dot, Machine machine, int place, int target)
{
	const char *separator = "";

	for (int s = 0; s < net_signals(machine); s++)
	{
		if (net_target(machine, place, s) != target)
			continue;
		if (separator[0] == '\0')
			appendStringInfo(dot, "    %s_%s -> %s_%s [label=\"",
							 net_machine_name(machine), net_place_name(machine, place),
							 net_machine_name(machine), net_place_name(machine, target));
		appendStringInfo(dot, "%s%s", separator, net_signal_name(machine, s));
		separator = "\\n";
	}
	if (separator[0] != '\0')
		appendStringInfoString(dot, "\"];\n");
}

static void
draw_machine(StringInfo dot, Machine machine)
{
	appendStringInfo(dot, "  subgraph cluster_%s {\n    label=\"%s\";\n",
					 net_machine_name(machine), net_machine_name(machine));
	for (int p = 0; p < net_places(machine); p++)
		appendStringInfo(dot, "    %s_%s [label=\"%s\"];\n", net_machine_name(machine),
						 net_place_name(machine, p), net_place_name(machine, p));
	for (int p = 0; p < net_places(machine); p++)
		for (int t = 0; t < net_places(machine); t++)
			if (t != p)
				draw_arrow(dot, machine, p, t);
	appendStringInfoString(dot, "  }\n");
}

PG_FUNCTION_INFO_V1(databuild_net_dot);

Datum
databuild_net_dot(PG_FUNCTION_ARGS)
{
	StringInfoData dot;

	(void) fcinfo;
	initStringInfo(&dot);
	appendStringInfoString(&dot, "digraph databuild {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n");
	for (int m = 0; m < N_MACHINES; m++)
		draw_machine(&dot, (Machine) m);
	appendStringInfoString(&dot, "}\n");
	PG_RETURN_TEXT_P(cstring_to_text_with_len(dot.data, dot.len));
}

PG_FUNCTION_INFO_V1(databuild_place_name);

/* The name of a place by the letter that the tables store. */
Datum
databuild_place_name(PG_FUNCTION_ARGS)
{
	char	   *machine = text_to_cstring(PG_GETARG_TEXT_PP(0));

	for (int m = 0; m < N_MACHINES; m++)
		if (strcmp(net_machine_name((Machine) m), machine) == 0)
		{
			int			place = net_place_by_letter((Machine) m, PG_GETARG_CHAR(1));

			if (place >= 0)
				PG_RETURN_TEXT_P(cstring_to_text(net_place_name((Machine) m, place)));
		}
	PG_RETURN_NULL();
}

static void
put_event(ReturnSetInfo *result, const EventRow *e)
{
	const char *tells[N_MACHINES];
	int			n = 0;
	Datum		values[3] = {text_datum(e->name), text_datum(e->meaning)};
	bool		nulls[3] = {false};

	for (int m = 0; m < N_MACHINES; m++)
		if (e->signal[m] < net_signals((Machine) m))
			tells[n++] = psprintf("%s: %s", net_machine_name((Machine) m),
								  net_signal_name((Machine) m, e->signal[m]));
	values[2] = texts_datum(tells, n);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(databuild_event_kinds);

Datum
databuild_event_kinds(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	for (int k = 0; k < N_EVENT_KINDS; k++)
		put_event((ReturnSetInfo *) fcinfo->resultinfo, net_event((EventKind) k));
	return (Datum) 0;
}
