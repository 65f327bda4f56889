# shellcheck shell=bash
# Goal 11: from the moment when a want's client knows that it has committed to that when a worker, who waited in
# wait_work(), knows that its claim has; what waiting workers cost others; and what they cost when nothing happens. Leases
# are short, so that they come to their end while others claim, as they do where that has gone on for longer than a lease.

goal_11()
{
	local r

	fresh waking "SELECT databuild.define_job('item', ARRAY['item/.*'], lease => '5 s'), databuild.define_job('never', ARRAY['never/.*'])" \
		'CREATE TABLE wanted (ref text, at timestamptz)' 'CREATE TABLE held (ref text, at timestamptz)'
	idle_pool
	for r in $(rounds); do
		woken "$r"
		loss "$r"
	done
	dropped waking
}

# woken ROUND
woken()
{
	local worker

	now_and_then | quantile 0.99 | figures 'calibration: a commit now and then, p99' ms
	sql waking -c 'TRUNCATE wanted, held'
	(CLIENTS=1 clients waking worker -T "$(scale 48 13)") &
	worker=$!
	sleep 1
	(CLIENTS=1 clients waking wanter -T "$(scale 40 8)" -D "batch=$1")
	wait $worker
	sql waking -c 'SELECT extract(epoch FROM h.at - w.at) * 1000 FROM wanted AS w JOIN held AS h USING (ref)' >"$WORK/woken"
	expect 'goal 11' "$(wc -l <"$WORK/woken")" "$(sql waking -c 'SELECT count(*) FROM wanted')"
	figure 'from want to run, median' ms "$(calc "$(median <"$WORK/woken")")"
	figure 'from want to run, p99' ms "$(calc "$(quantile 0.99 <"$WORK/woken")")" '<=' 6
}

# The milliseconds of as many commits of one row as there are wants, with a rest before each.
now_and_then()
{
	local i n

	n=$(scale 200 40)
	for ((i = 0; i < n; i++)); do
		printf '\\timing off\nSELECT pg_sleep(0.04) \\g /dev/null\n\\timing on\nINSERT INTO wanted DEFAULT VALUES;\n'
	done | times waking
}

# waiters SCRIPT [pgbench option …]: 16 sessions for a job that has nothing to do.
waiters()
{
	(CLIENTS=16 clients waking "$@") &
	WAITERS=$!
}

# loss ROUND: batches with 16 workers waiting, and without before and after, since each finds larger tables than the one
# before: how far these two lie apart stands beside it. That the workers begin takes a second of a processor, and is waited
# for. They claim when they wake, as they do by the last leases of the batches, when nobody else claims any more.
loss()
{
	local how
	local -A rates batches=([before]=1000 [with]=2000 [after]=3000)

	for how in before with after; do
		if [ "$how" == with ]; then
			waiters waiting -T "$(scale 11 5)"
			sleep 3
		fi
		clients waking databuild-batches -T "$(scale 8 2)" -D "batch=${batches[$how]}$1"
		rates[$how]=$RATE
		[ "$how" != with ] || wait "$WAITERS"
	done
	figure 'calibration: batches without, after / before' times "$(calc "${rates[after]} / ${rates[before]}")"
	figure 'batches with 16 workers waiting / without' times "$(calc "${rates[with]} / sqrt(${rates[before]} * ${rates[after]})")" '>=' 0.95
}

# A session reports its transactions when its call is over: so a long wait, less a short one.
idle_pool()
{
	local seconds short

	seconds=$(scale 60 10)
	short=$(transactions 1)
	figure '16 idle workers' 'transactions/s' "$(calc "($(transactions $((seconds + 1))) - $short) / $seconds")" '<=' 1
}

# transactions SECONDS: of 16 workers that wait so long.
transactions()
{
	local count="SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'waking'" was

	was=$(sql postgres -c "$count")
	waiters idle -t 1 -D "wait=$1 s"
	wait "$WAITERS"
	sleep 1
	echo $(($(sql postgres -c "$count") - was))
}
