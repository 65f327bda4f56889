# shellcheck shell=bash
# Goal 8: one want beside eight; many claimers; a million lifecycles without a deadlock.

goal_8()
{
	local r deadlocks

	fresh many "SELECT databuild.define_job('item', ARRAY['item/.*'])"
	LAST=0                # the number of the newest ref, see singles
	for r in $(rounds); do
		one_want "$r"
		many_claimers
	done
	deadlocks=$(deadlocks many)
	lived many "$(scale 1000000 20000)"
	figure "deadlocks in $(succeeded many) lifecycles" '' $(($(deadlocks many) - deadlocks)) '<=' 0
	dropped many
}

deadlocks()
{
	sql "$1" -c 'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()'
}

# one_want ROUND
one_want()
{
	local n wants
	local -A rates

	n=$(($(scale 1000 200) * CLIENTS))
	for wants in $(in_turn "$1" 8 1); do
		fill many $((LAST + 1)) $((LAST + n)) item/ $((n / wants))
		clients many databuild-single -t $((n / CLIENTS))
		LAST=$((LAST + n))
		rates[$wants]=$RATE
	done
	figure '8 clients on one want / on 8 wants' times "$(calc "${rates[1]} / ${rates[8]}")" '>=' 0.9
}

# Sessions have been there for a while: a session's first calls, which plan their statements, cost 20 ms.
many_claimers()
{
	local c seconds was all peak=0 peak_at

	seconds=$(scale 12 5)
	for c in $(scale '4 8 16 32 64 256' '8 32 256'); do
		top_up many $((seconds * 12000))
		was=$(succeeded many)
		CLIENTS=$c clients many databuild-single -T "$seconds" -P 1
		expect "$c claimers" $(($(succeeded many) - was)) "$TRANSACTIONS"
		RATE=$(steady)
		figure "claim() and succeed(), $c clients" '/s' "$(calc "$RATE")"
		if awk "BEGIN { exit !($RATE > $peak) }"; then
			peak=$RATE
			peak_at=$c
		fi
	done
	all=$RATE
	CLIENTS=256 clients calibration ceiling-twice -T "$(scale 5 2)"
	figure 'calibration: pairs of commits, 256 clients' '/s' "$(calc "$RATE")"
	figure "256 claimers / the peak" times "$(calc "$all / $peak")" '>=' 0.8
	progress "  the peak was at $peak_at clients"
}

# top_up DATABASE N: so many are queued.
top_up()
{
	local queued

	queued=$(sql "$1" -c "SELECT count(*) FROM databuild.partitions WHERE state = 'queued'")
	[ "$queued" -ge "$2" ] || fill "$1" $((LAST + 1)) $((LAST + $2 - queued))
	[ "$queued" -ge "$2" ] || LAST=$((LAST + $2 - queued))
}

# The rate of the last run's seconds, but for the first third of them.
steady()
{
	sed -n 's/^progress: [0-9.]* s, \([0-9.]*\) tps.*/\1/p' "$WORK/out/pgbench" | awk '{ at[NR] = $1 } END { for (i = int(NR / 3) + 1; i <= NR; i++) print at[i] }' | median
}
