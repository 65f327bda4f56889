/*
 * direct_inputs.c
 *	  What waiters lack, without the executor.
 *
 * When the last of many inputs goes live, all of them are looked at before the
 * waiter is let go; so what is done for each of them is what that costs.
 */
#include "direct.h"

#include "miscadmin.h"
#include "utils/fmgroids.h"

/* Besides the partitions. */
typedef enum Edge
{
	WAITS,						/* for the members of a want */
	MEMBERS,
	DECLARED,
} Edge;

#define EDGES	(DECLARED + 1)

static Direct edges[EDGES] = {
	[WAITS] = {NULL, "wait", "wait_waiter", LOCK_NONE, {{"waiter"}, {"want_id"}, {"declared"}}},
	[MEMBERS] = {NULL, "member", "member_pkey", LOCK_NONE, {{"want_id"}, {"block"}, {"mask"}}},
	[DECLARED] = {NULL, "input", "input_pkey", LOCK_NONE, {{"part"}, {"block"}, {"mask"}}},
};

typedef struct Lookout
{
	Opened		parts;
	Opened		edge[EDGES];
	int			nopen;
	IndexScanDesc scan[EDGES];
	TupleTableSlot *slot[EDGES];
	Scans		scans;
	TupleTableSlot *found;		/* an input that is not live */
} Lookout;

static void
close_tables(Lookout *x)
{
	while (x->nopen > 0)
		direct_close(&x->edge[--x->nopen], READS);
	direct_close(&x->parts, READS);
}

static bool
open_tables(Lookout *x, Direct *d)
{
	if (!direct_open(&x->parts, d, READS))
		return false;
	for (; x->nopen < EDGES; x->nopen++)
		if (!direct_open(&x->edge[x->nopen], &edges[x->nopen], READS))
		{
			close_tables(x);
			return false;
		}
	return true;
}

/* All of them by one snapshot. */
static void
begin_scans(Lookout *x)
{
	const Snapshot snapshot = x->parts.snapshot;

	for (int i = 0; i < EDGES; i++)
	{
		x->edge[i].snapshot = snapshot;
		x->scan[i] = direct_scan(&x->edge[i], i == WAITS ? 1 : 3);
		x->slot[i] = table_slot_create(x->edge[i].table, NULL);
	}
	x->found = table_slot_create(x->parts.table, NULL);
}

static void
end_scans(Lookout *x)
{
	for (int i = 0; i < EDGES; i++)
	{
		index_endscan(x->scan[i]);
		ExecDropSingleTupleTableSlot(x->slot[i]);
	}
	direct_end_scans(&x->scans);
	ExecDropSingleTupleTableSlot(x->found);
}

/* Whether one of the partitions of the bitmap is not live. */
static bool
find_among(Lookout *x, int64 block, uint64 mask)
{
	Datum		keys[64];
	int			n = 0;
	int			many;

	for (int b = 0; b < 64; b++)
		if (mask >> b & 1)
			keys[n++] = Int64GetDatum((block << 6) + b);
	for (int i = 0; i < n; i += many)
	{
		IndexScanDesc scan = direct_side_by_side(&x->parts, &x->scans, keys + i, n - i, INT8OID, &many);

		for (int left = many; left > 0 && index_getnext_slot(scan, ForwardScanDirection, x->found); left--)
			if (direct_state(&x->parts, x->found) != net_place_letter(PARTITION, P_LIVE))
				return true;
	}
	return false;
}

/* Likewise of the bitmaps of that want or waiter, from a block to another. */
static bool
find_in(Lookout *x, Edge edge, int64 of, int64 from, int64 to)
{
	const Opened *o = &x->edge[edge];
	ScanKeyData keys[3];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(of));
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(from));
	ScanKeyInit(&keys[2], 2, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(to));
	index_rescan(x->scan[edge], keys, lengthof(keys), NULL, 0);
	while (index_getnext_slot(x->scan[edge], ForwardScanDirection, x->slot[edge]))
	{
		CHECK_FOR_INTERRUPTS();
		if (find_among(x, direct_value(o, x->slot[edge], 1), (uint64) direct_value(o, x->slot[edge], 2)))
			return true;
	}
	return false;
}

/* Likewise of all that the waiter waits for or is declared to need. */
static bool
find(Lookout *x, int64 waiter, int64 from, int64 to)
{
	const Opened *o = &x->edge[WAITS];
	ScanKeyData key;

	direct_key(&key, INT8OID, Int64GetDatum(waiter));
	index_rescan(x->scan[WAITS], &key, 1, NULL, 0);
	while (index_getnext_slot(x->scan[WAITS], ForwardScanDirection, x->slot[WAITS]))
	{
		const bool	declared = direct_value(o, x->slot[WAITS], 2) != 0;

		if (!declared && find_in(x, MEMBERS, direct_value(o, x->slot[WAITS], 1), from, to))
			return true;
	}
	return find_in(x, DECLARED, waiter, from, to);
}

static void
add_row(Rows *rows, const Lookout *x, int64 waiter, bool found)
{
	bool	   *isnull;
	Datum	   *values = direct_add_row(rows, 3, &isnull);
	const char	state = found ? direct_state(&x->parts, x->found) : '\0';

	values[0] = Int64GetDatum(waiter);
	values[1] = found ? Int64GetDatum(direct_value(&x->parts, x->found, 0)) : 0;
	values[2] = BoolGetDatum(state == net_place_letter(PARTITION, P_FAILED) || state == net_place_letter(PARTITION, P_UPSTREAM_FAILED));
	isnull[0] = false;
	isnull[1] = isnull[2] = !found;
}

/* Whether any is lost, which few ask for, is for SQL to find out. */
bool
direct_inputs(Direct *d, Datum *args, const char *nulls, Rows *rows)
{
	Lookout		x = {0};
	const Elements waiters = direct_elements(args[0]);
	const Elements starts = direct_elements(args[1]);

	if (DatumGetBool(args[2]) || !open_tables(&x, d))
		return false;
	begin_scans(&x);
	for (int i = 0; i < waiters.n; i++)
	{
		const int64 waiter = DatumGetInt64(direct_element(&waiters, i));
		const int64 start = DatumGetInt64(direct_element(&starts, i)) >> 6;

		CHECK_FOR_INTERRUPTS();
		add_row(rows, &x, waiter, find(&x, waiter, start, PG_INT64_MAX) || find(&x, waiter, 0, start - 1));
	}
	end_scans(&x);
	close_tables(&x);
	return true;
}
