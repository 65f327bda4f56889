# shellcheck shell=bash
# Goal 2: one claim and one report a transaction, beside as many commits of one updated row; and both in one.

goal_2()
{
	local twice single

	fresh single "SELECT databuild.define_job('item', ARRAY['item/.*'])"
	LAST=0                # the number of the newest ref, see singles
	for _ in $(rounds); do
		clients calibration ceiling-twice -T "$(scale 10 2)"
		twice=$RATE
		figure "calibration: pairs of commits, $CLIENTS clients" '/s' "$(calc "$twice")"
		before single
		singles single databuild-single
		single=$RATE
		figure 'claim() and succeed()' '/s' "$(calc "$single")"
		after single 'claim() and succeed(), the want included' "$DONE"
		figure 'claim() and succeed() / pairs of commits' times "$(calc "$single / $twice")" '>=' 0.9
		singles single databuild-joined -D 'runs={}'
		figure 'finish_and_claim()' '/s' "$(calc "$RATE")"
		figure 'finish_and_claim() / claim() and succeed()' times "$(calc "$RATE / $single")" '>=' 1.7
		# what its clients claimed last
		sql single -c "SELECT databuild.succeed_many(array_agg(run_id)) FROM databuild.job_runs WHERE state = 'running'" >/dev/null
	done
	dropped single
}

# singles DATABASE SCRIPT [option …]: sets RATE and DONE, of as many lifecycles as there are queued, EACH for a client.
singles()
{
	local database=$1 was n

	n=$((${EACH:-$(scale 2500 250)} * CLIENTS))
	was=$(succeeded "$database")
	fill "$database" $((LAST + 1)) $((LAST + n))
	LAST=$((LAST + n))
	clients "$@" -t $((n / CLIENTS))
	DONE=$(($(succeeded "$database") - was))
	[ "$DONE" -ge $((n - CLIENTS)) ] || die "$2: of $n lifecycles $DONE came to their end"
}
