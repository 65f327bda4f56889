# shellcheck shell=bash
# Goal 4: a claim, with much queued and waiting, and with ten million partitions in the tables, beside one with little.

goal_4()
{
	local n job few=1000

	n=$(scale 300000 30000)
	job="SELECT databuild.define_job('item', ARRAY['item/.*']), databuild.define_job('late', ARRAY['late/(.*)'], inputs => ARRAY['source/\\1']),
		databuild.define_source('source', ARRAY['source/.*'])"
	fresh small "$job"
	fresh large "$job"
	fill small 1 "$few"
	fill large 1 "$n"
	fill large 1 "$(scale 50000 5000)" late/
	claims small large "$n queued"
	dropped large
	need_big
	claims small big "$(scale 10 0.2) million partitions"
	dropped small
}

# claims FEW MANY NAME: claims of one run by one client, in turn. As many are queued before, so that the backlogs stay. Of a
# few hundred claims the 99th percentile is a matter of chance, so it is of four times as many; how far two that are alike
# lie apart, of half of them each, stands beside it.
claims()
{
	local n pass

	n=$(scale 500 100)
	for _ in $(rounds); do
		rm -f "$WORK"/few.* "$WORK"/many.*
		for pass in 1 2 3 4; do
			topped_up "$1" "$n"
			topped_up "$2" "$n"
			CLIENTS=1 latencies "$1" claim -t "$n" >"$WORK/few.$pass"
			CLIENTS=1 latencies "$2" claim -t "$n" >"$WORK/many.$pass"
		done
		figure "claim() with 1,000 queued, median" ms "$(calc "$(at 0.5 few)")"
		figure "claim() with $3, median" ms "$(calc "$(at 0.5 many)")"
		figure "claim() with $3 / with 1,000, median" times "$(calc "$(at 0.5 many) / $(at 0.5 few)")" '<=' 1.3
		figure "claim() with $3 / with 1,000, p99" times "$(calc "$(at 0.99 many) / $(at 0.99 few)")" '<=' 1.3
		figure 'calibration: claim() with 1,000 / with 1,000, p99' times \
			"$(calc "$(at 0.99 few 1 3) / $(at 0.99 few 2 4)")"
	done
}

# at SHARE WHICH [pass …]: of the latencies of these passes, or of all.
at()
{
	local share=$1 which=$2

	shift 2
	[ $# -gt 0 ] || set -- 1 2 3 4
	cat "${@/#/$WORK/$which.}" | quantile "$share"
}

topped_up()
{
	fill "$1" 1 "$2" "item/more/$RANDOM$RANDOM/"
}

# The large database of goals 4 and 10: most of it published, some queued, a chain of 50 that waits. Made once.
need_big()
{
	BIG=$(scale 10000000 200000)
	[ ! -e "$WORK/out/big" ] || return 0
	progress "  $BIG partitions"
	fresh big "SELECT databuild.define_job('item', ARRAY['item/.*']), databuild.define_source('source', ARRAY['source/.*']),
		databuild.define_job('chain', ARRAY['chain/(x*)x(o*)'], inputs => ARRAY['chain/\\1o\\2']), databuild.define_source('end', ARRAY['chain/o*'])"
	publish big 1 "$BIG" source/
	fill big 1 1000
	sql big -c "SELECT databuild.want(ARRAY['chain/' || repeat('x', 50)])" >/dev/null
	touch "$WORK/out/big"
}
