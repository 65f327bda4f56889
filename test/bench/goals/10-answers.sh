# shellcheck shell=bash
# Goal 10: what people ask, at ten million partitions.

goal_10()
{
	local n

	need_big
	count_all big
	n=$(scale 50 20)
	for _ in $(rounds); do
		figure 'why() of what is live' ms "$(answers "$n" "SELECT count(*) FROM databuild.why('source/' || (random() * $BIG)::int + 1)")" '<=' 2
		figure 'why() of what is queued' ms "$(answers "$n" "SELECT count(*) FROM databuild.why('item/' || (random() * 999)::int + 1)")" '<=' 2
		figure 'explain() of a chain of 50' ms "$(answers "$n" "SELECT count(*) FROM databuild.explain('chain/' || repeat('x', 50))")" '<=' 50
		figure 'counts by state and job, as of the last tick' ms "$(answers "$n" 'SELECT job, state, partitions, counted_at FROM databuild.partition_counts')" '<=' 5
	done
}

# count_all DATABASE: tick() counts a share a minute, so the clock is set forward till all are counted.
count_all()
{
	local minute=0

	while [ -z "$(sql "$1" -c 'SELECT counted_at FROM databuild.stats')" ]; do
		minute=$((minute + 1))
		[ $minute -le 600 ] || die "tick() does not come to the end of counting"
		sql "$1" -c "SET databuild.now = '$(date -d "$minute minutes" '+%F %T%:z')'" -c 'SELECT lost_runs FROM databuild.tick()' >/dev/null
	done
	progress "  tick() had counted all after $minute minutes"
}

# answers N STATEMENT: the median.
answers()
{
	local i

	for ((i = 0; i <= $1; i++)); do
		echo "$2;"
	done | times big | tail -n +2 | median
}
