# shellcheck shell=bash
# Goal 7: one for whom 10,000 wait goes live; the last of 10,000 that one waits for does; a chain of 1,000. The
# connections have called before.

goal_7()
{
	local r

	for r in $(rounds); do
		fan_out "$r"
		fan_in
		chain
	done
	dropped fan
}

# fan_out ROUND
fan_out()
{
	local n=10000

	fresh fan "SELECT databuild.define_source('one', ARRAY['one', 'other']), databuild.define_job('leaf', ARRAY['leaf/.*'], inputs => ARRAY['one'])"
	fill fan 1 $n leaf/
	expect 'fan-out, before' "$(states fan 'leaf/%')" "upstream_building $n"
	figure 'an input of 10,000 goes live' ms "$(published other one)" '<=' 500
	expect 'fan-out, after' "$(states fan 'leaf/%')" "queued $n"
}

# published FIRST REF: the milliseconds of the second.
published()
{
	printf "SELECT databuild.publish(ARRAY['%s']);\n" "$1" "$2" | times fan | tail -n 1
}

fan_in()
{
	local n=10000

	fresh fan "SELECT databuild.define_source('leaf', ARRAY['leaf/.*']), databuild.define_job('sum', ARRAY['sum'])"
	sql fan -c "SELECT databuild.want(ARRAY['sum'])" >/dev/null
	sql fan -c "SELECT databuild.miss((SELECT run_id FROM databuild.claim('bench')), ARRAY(SELECT 'leaf/' || i FROM generate_series(1, $n) AS i))" >/dev/null
	publish fan 1 $((n - 1)) leaf/
	expect 'fan-in, before' "$(states fan sum)" 'upstream_building 1'
	figure 'the last of 10,000 inputs goes live' ms "$(published leaf/0 "leaf/$n")" '<=' 10
	expect 'fan-in, after' "$(states fan sum)" 'queued 1'
}

# Each step is a claim and a report; refs are equally long, chain/xxx needs chain/xxo, and that chain/xoo.
chain()
{
	local n i hundred

	n=$(scale 1000 300)
	hundred=$((n / 10))
	fresh fan "SELECT databuild.define_source('end', ARRAY['chain/o*']), databuild.define_job('chain', ARRAY['chain/(x*)x(o*)'], inputs => ARRAY['chain/\\1o\\2'])"
	figure "a want of a chain of $n" ms "$(echo "SELECT databuild.want(ARRAY['chain/' || repeat('x', $n)])" | times fan)"
	sql fan -c "SELECT databuild.publish(ARRAY['chain/' || repeat('o', $n)])" >/dev/null
	for ((i = 0; i < n; i++)); do
		printf "SELECT run_id FROM databuild.claim('bench') \\\\gset\nSELECT databuild.succeed(:run_id);\n"
	done | times fan | paste -d+ - - | sed 's/$//' | awk -F+ '{ print $1 + $2 }' >"$WORK/steps"
	expect 'a chain' "$(states fan 'chain/%')" "live $((n + 1))"
	figure 'a step of a chain, at its start' ms "$(head -n $hundred "$WORK/steps" | median)"
	figure 'a step of a chain, at its end' ms "$(tail -n $hundred "$WORK/steps" | median)"
	figure 'a step of a chain, at its end / at its start' times \
		"$(calc "$(tail -n $hundred "$WORK/steps" | median) / $(head -n $hundred "$WORK/steps" | median)")" '<=' 1.25
}
