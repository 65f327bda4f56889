/*
 * direct.c
 *	  The statements of which every claim and report is made, without the
 *	  executor.
 *
 * plans.def says what they do; this does the same by tables and indexes, in a
 * tenth of the time: for one row, setting up and taking down a plan is most of
 * what a statement costs.  So it is a second way only: whatever is out of the
 * ordinary (an isolation level above READ COMMITTED, a trigger, a column that
 * nobody thought of) goes by SQL, and databuild.direct = off sends all of it
 * there, which is how the tests compare the two.
 *
 * Each statement is a row of a table: what is done (in one of the files
 * direct_*.c), to which relation, by which index, with which columns.  Like each
 * statement of SPI's it sees what was committed before it began, and what this
 * transaction did before.
 */
#include "direct.h"

#include "utils/guc.h"

static bool direct_setting = true;

void
direct_init(void)
{
	DefineCustomBoolVariable("databuild.direct",
							 "Lets databuild read and write its tables without the executor.",
							 "Off: all by SQL, more slowly; for tests, and in doubt.",
							 &direct_setting, true, PGC_SUSET, GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);
	direct_rows_init();
	direct_ready_init();
}

#define PARTITION_COLUMNS	{{"id"}, {"state"}, {"job_id"}, {"prio"}, {"run"}, {"live_run"}, {"ticket"}, {"since"}, {"ref"}}
#define RUN_COLUMNS			{{"run_id"}, {"state"}, {"job_id"}, {"attempt"}, {"started_at"}, {"finished_at"}, {"lease_at"}, {"lease"}, {"outputs"}}

static Direct directs[N_QUERIES] = {
	[Q_PARTITIONS_WAIT] = {direct_fetch, "partition", "partition_pkey", LOCK_WAIT, PARTITION_COLUMNS},
	[Q_PARTITIONS_SKIP] = {direct_fetch, "partition", "partition_pkey", LOCK_SKIP, PARTITION_COLUMNS},
	[Q_PARTITIONS_WRITE] = {direct_update, "partition", "partition_pkey", LOCK_NONE,
		{{"id", EACH, 0}, {"state", EACH, 1}, {"job_id", EACH, 2}, {"prio", EACH, 3}, {"run", EACH, 4},
	{"live_run", EACH, 5}, {"ticket", EACH, 6}, {"since", EACH, 7}}},
	[Q_NOT_LIVE] = {direct_not_live, "partition", "partition_pkey", LOCK_NONE, {{"id"}, {"state"}}},
	[Q_AT_WORK] = {direct_at_work, "partition", "partition_pkey", LOCK_NONE, {{"id"}, {"state"}}},
	[Q_UNHELD] = {direct_unheld, "partition", "partition_pkey", LOCK_NONE, {{"id"}, {"state"}, {"job_id"}, {"prio"}}},
	[Q_READY_LOOK] = {direct_at_rest, "partition", "partition_pkey", LOCK_NONE, {{"id"}, {"state"}, {"ticket"}}},
	[Q_REFS_KNOWN] = {direct_refs_known, "partition", "partition_ref_key", LOCK_NONE, {{"ref"}, {"id"}}},
	[Q_REFS_INSERT] = {direct_insert_refs, "partition", "partition_ref_key", LOCK_NONE,
	{{"id"}, {"ref"}, {"job_id"}, {"since"}, {"state"}, {"prio"}, {"ticket"}, {"run"}, {"live_run"}}},
	[Q_TROUBLE] = {direct_fetch, "trouble", "trouble_pkey", LOCK_NONE,
	{{"part"}, {"attempts"}, {"misses"}, {"retry_at"}, {"cause"}, {"note"}, {"changed"}}},
	[Q_OUTPUTS] = {direct_fetch, "output", "output_pkey", LOCK_NONE, {{"part"}, {"outputs"}}},
	[Q_TAKEN] = {direct_fetch, "taken", "taken_pkey", LOCK_NONE, {{"part"}, {"run_id"}}},

	[Q_RUNS_WAIT] = {direct_fetch, "run", "run_pkey", LOCK_WAIT, RUN_COLUMNS},
	[Q_RUNS_SKIP] = {direct_fetch, "run", "run_pkey", LOCK_SKIP, RUN_COLUMNS},
	[Q_RUNS_READ] = {direct_fetch, "run", "run_pkey", LOCK_NONE, RUN_COLUMNS},
	[Q_RUNS_RUNNING] = {direct_running, "run", "run_pkey", LOCK_NONE, {{"run_id"}, {"state"}}},
	[Q_RUNS_INSERT] = {direct_insert, "run", NULL, LOCK_NONE,
		{{"run_id", EACH, 0}, {"started_at", SAME, 7}, {"lease_at", SUM, 7, {3}}, {"finished_at", NEVER}, {"lease", EACH, 3},
			{"job_id", EACH, 1}, {"attempt", EACH, 2}, {"state", RUNNING}, {"worker", SAME, 8}, {"outputs", SLICE, 4, {5, 6}}}},
	[Q_RUNS_WRITE] = {direct_update, "run", "run_pkey", LOCK_NONE, {{"run_id", EACH, 0}, {"state", EACH, 1}, {"finished_at", EACH, 2}}},
	[Q_RUNS_LEASE] = {direct_update, "run", "run_pkey", LOCK_NONE, {{"run_id", EACH, 0}, {"lease_at", EACH, 1}, {"lease", EACH, 2}}},

	[Q_MEMBER_ADD] = {direct_insert, "member", NULL, LOCK_NONE, {{"want_id", SAME, 0}, {"block", EACH, 1}, {"mask", EACH, 2}}},
	[Q_INPUTS] = {direct_inputs, "partition", "partition_pkey", LOCK_NONE, {{"id"}, {"state"}}},
	[Q_WATCH_TAKE] = {direct_none, "watch", "watch_upstream", LOCK_NONE, {{"upstream"}}},

	[Q_EVENT_APPEND] = {direct_insert, "event_0", NULL, LOCK_NONE,
		{{"event_id", SAME, 0}, {"recorded_at", SAME, 1}, {"kind", SAME, 2}, {"actor", SESSION_USER}, {"role", SAME, 16},
			{"want_id", SAME, 3}, {"taint_id", SAME, 4}, {"job_id", SAME, 5}, {"priority", SAME, 6}, {"until", SAME, 7},
			{"cause", SAME, 8}, {"note", SAME, 9}, {"runs", SAME, 10}, {"parts", SAME, 11}, {"sizes", SAME, 12},
			{"others", SAME, 15}, {"names", SAME, 13}, {"body", SAME, 14}}},

	[Q_READY_ADD] = {direct_insert, "ready", NULL, LOCK_NONE,
		{{"seq", EACH, 0}, {"block", EACH, 1}, {"job_id", EACH, 2}, {"rank", EACH, 3}, {"mask", EACH, 4}}},
	[Q_READY_TAKE] = {direct_ready_take, "ready", "ready_queue", LOCK_NONE, {{"seq"}, {"block"}, {"mask"}}},
	[Q_READY_DROP] = {direct_ready_drop, "ready", NULL, LOCK_NONE, {{"seq"}, {"block"}, {"mask"}}},
	[Q_QUEUES] = {direct_queues, "mark", "mark_queue", LOCK_NONE, {{"job_id"}, {"rank"}, {"low"}}},
	[Q_MARK] = {direct_mark, "mark", "mark_queue", LOCK_NONE, {{"low"}}},
	[Q_TIMER_ADD] = {direct_insert_timers, "timer", NULL, LOCK_NONE, {{"at", EACH, 1}, {"kind", SAME, 0}, {"ids", SLICE, 2, {3, 4}}}},
	[Q_AGENDA_TAKE] = {direct_no_agenda, "agenda", "agenda_seq", LOCK_NONE, {{"seq"}}},
	[Q_TIMERS_TAKE] = {direct_timers_take, "timer", "timer_at", LOCK_NONE, {{"kind"}, {"ids"}}},
	[Q_ENDS_TAKE] = {direct_timers_take, "timer", "timer_end", LOCK_NONE, {{"kind"}, {"ids"}}},
};

bool
direct_execute(Statement query, Datum *args, const char *nulls, Rows *rows)
{
	Direct *d = &directs[query];

	*rows = (Rows)
	{
		0
	};
	return d->execute != NULL && direct_setting && !IsolationUsesXactSnapshot() &&
		!XactReadOnly && !IsInParallelMode() && d->execute(d, args, nulls, rows);
}
