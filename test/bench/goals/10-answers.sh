# shellcheck shell=bash
# Goal 10: what people ask, at ten million partitions.

goal_10()
{
	local n

	need_big
	n=$(scale 50 20)
	for _ in $(rounds); do
		figure 'why() of what is live' ms "$(answers "$n" "SELECT count(*) FROM databuild.why('source/' || (random() * $BIG)::int + 1)")" '<=' 2
		figure 'why() of what is queued' ms "$(answers "$n" "SELECT count(*) FROM databuild.why('item/' || (random() * 999)::int + 1)")" '<=' 2
		figure 'explain() of a chain of 50' ms "$(answers "$n" "SELECT count(*) FROM databuild.explain('chain/' || repeat('x', 50))")" '<=' 50
		figure 'counts by state and job' ms "$(answers 2 'SELECT job, state, count(*) FROM databuild.partitions GROUP BY job, state')" '<=' 5
	done
}

# answers N STATEMENT: the median.
answers()
{
	local i

	for ((i = 0; i <= $1; i++)); do
		echo "$2;"
	done | times big | tail -n +2 | median
}
