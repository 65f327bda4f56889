# shellcheck shell=bash
# Goal 9: replay() and verify(), in token moves a second: a lifecycle of one partition has five, three of the partition
# (queued, building, live) and two of its run (running, succeeded). Linear: four times as many, at the same rate.
# replay() writes what differs: here nothing; then all partitions and runs.

goal_9()
{
	local n replayed verified

	n=$(scale 100000 10000)
	fresh few "SELECT databuild.define_job('item', ARRAY['item/.*'])"
	fresh many "SELECT databuild.define_job('item', ARRAY['item/.*'])"
	lived few "$n"
	lived many $((4 * n))
	for _ in $(rounds); do
		moves few 'SELECT count(*) FROM databuild.verify()'
		verified=$MOVES
		moves many 'SELECT count(*) FROM databuild.verify()'
		figure 'verify()' 'moves/s' "$MOVES" '>=' 200000
		figure 'verify(), four times as many' times "$(calc "$MOVES / $verified")" '>=' 0.8
		moves few 'SELECT databuild.replay() >= 0'
		replayed=$MOVES
		moves many 'SELECT databuild.replay() >= 0'
		figure 'replay()' 'moves/s' "$MOVES" '>=' 200000
		figure 'replay(), four times as many' times "$(calc "$MOVES / $replayed")" '>=' 0.8
		moves few 'SELECT databuild.replay() >= 0' 'TRUNCATE databuild.partition, databuild.run'
		figure 'replay(), partitions and runs gone' 'moves/s' "$MOVES" '>=' 200000
	done
	blocks_nobody
	dropped few many
}

# moves DATABASE STATEMENT [BEFORE]: sets MOVES, a second of the statement.
moves()
{
	local n

	n=$(succeeded "$1")
	[ -z "${3:-}" ] || sql "$1" -c "$3"
	MOVES=$(calc "5 * $n / ($(echo "$2;" | times "$1") / 1000)")
}

# Whether anybody waits for a lock of a session that does nothing but verify.
blocks_nobody()
{
	local batches verify waiting=0 n

	(clients many databuild-batches -T "$(scale 30 5)" -D batch=9) &
	batches=$!
	(PGAPPNAME=verify CLIENTS=1 clients many verify -T "$(scale 30 5)") &
	verify=$!
	while kill -0 $batches 2>/dev/null; do
		n=$(sql many -c "SELECT count(*) FROM pg_stat_activity AS a JOIN pg_stat_activity AS v
			ON v.pid = ANY (pg_blocking_pids(a.pid)) WHERE v.application_name = 'verify'")
		waiting=$((waiting + n))
		sleep 0.1
	done
	wait $batches
	wait $verify
	figure 'sessions seen waiting for verify()' '' "$waiting" '<=' 0
}
