# shellcheck shell=bash
# Goal 1: want, claim, succeed in batches of 100, beside other queues, in turn. Rates are lifecycles a second that came
# to their end.

goal_1()
{
	local r peer
	local -a peers=(databuild queue queue_lean)

	fresh databuild "SELECT databuild.define_job('item', ARRAY['item/.*'])"
	fresh queue
	fresh queue_lean
	for peer in graphile_worker pg_boss pgq; do
		if "prepare_$peer"; then
			peers+=("$peer")
		fi
	done
	for r in $(rounds); do
		calibrate
		declare -A RATES=()
		for peer in $(in_turn "$r" "${peers[@]}"); do
			case $peer in queue*) fresh_queue "$peer" ;; esac
			before "$peer"
			"batches_$peer" "$r"
			figure "$peer: lifecycles in batches of 100" '/s' "$(calc "${RATES[$peer]}")"
			after "$peer" "$peer" "$DONE"
		done
		compare queue 1.25
		compare queue_lean ''
		compare graphile_worker 2
		compare pg_boss 5
		compare pgq ''
	done
	dropped databuild queue queue_lean graphile_worker pg_boss pgq
}

# compare PEER GOAL
compare()
{
	if [ -n "${RATES[$1]:-}" ]; then
		figure "databuild / $1" times "$(calc "${RATES[databuild]} / ${RATES[$1]}")" "${2:+>=}" "$2"
	elif [ "$r" -eq 1 ]; then
		absent "databuild / $1" "${2:+>=}" "$2" 'could not be installed'
	fi
}

# What was DONE in the time that so many transactions took.
rate()
{
	RATES[$1]=$(calc "$DONE * $RATE / $TRANSACTIONS")
}

batches_databuild()
{
	local was

	was=$(succeeded databuild)
	clients databuild databuild-batches -t "$(scale 150 15)" -D "batch=$1"
	DONE=$(($(succeeded databuild) - was))
	rate databuild
}

# The lean one has no index on what is queued: the primary key's order is enough while little is running.
fresh_queue()
{
	sql "$1" -f "$BENCH/peers/queue.sql"
	[ "$1" != queue_lean ] || sql "$1" -c 'DROP INDEX queued'
}

batches_queue()
{
	clients "${2:-queue}" queue-batches -t "$(scale 150 15)" -D "batch=$1"
	DONE=$(sql "${2:-queue}" -c 'SELECT count(*) FROM done')
	rate "${2:-queue}"
}

batches_queue_lean()
{
	batches_queue "$1" queue_lean
}

prepare_graphile_worker()
{
	npm_peers && fresh graphile_worker && drive graphile-worker 1 graphile_worker >/dev/null
}

batches_graphile_worker()
{
	DONE=$(scale 100000 10000)
	RATES[graphile_worker]=$(drive graphile-worker "$DONE" graphile_worker)
}

prepare_pg_boss()
{
	npm_peers && fresh pg_boss && drive pg-boss 1 pg_boss >/dev/null
}

batches_pg_boss()
{
	DONE=$(scale 50000 5000)
	RATES[pg_boss]=$(drive pg-boss "$DONE" pg_boss)
}

prepare_pgq()
{
	pgq_package && fresh pgq && sql pgq -f "$BENCH/peers/pgq.sql" >/dev/null
}

# The first client consumes, the others produce; what is left is consumed at the end.
batches_pgq()
{
	local was drained

	was=$(sql pgq -c 'SELECT coalesce(sum(n), 0) FROM consumed')
	clients pgq pgq-batches -T "$(scale 10 2)"
	drained=$(for _ in 1 2 3; do printf "SELECT pgq.force_tick('bench');\nSELECT pgq.ticker('bench');\nSELECT consume();\n"; done | times pgq | awk '{ s += $1 } END { print s / 1000 }')
	DONE=$(($(sql pgq -c 'SELECT coalesce(sum(n), 0) FROM consumed') - was))
	RATES[pgq]=$(calc "$DONE / ($TRANSACTIONS / $RATE + $drained)")
}
