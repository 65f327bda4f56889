# shellcheck shell=bash
# Goal 6: a want of 100,000 partitions whose declared inputs are live, until all of them can be claimed; and ten times
# as many. A database each round, since a want's refs are to be new.

goal_6()
{
	local r n few many

	n=$(scale 100000 10000)
	for r in $(rounds); do
		inserts
		fresh wants "SELECT databuild.define_source('in', ARRAY['in/.*']), databuild.define_job('out', ARRAY['out/(.*)'], inputs => ARRAY['in/\\1'])"
		publish wants 1 $((n * 11)) in/
		few=$(wanted 1 "$n")
		figure "a want of $n with live inputs" s "$(calc "$few")" '<=' "$(scale 5 0.5)"
		# the large one not in every round: it takes long
		if [ "$r" -le 3 ]; then
			many=$(wanted $((n + 1)) $((n * 11)))
			figure "a want of $((n * 10)) with live inputs" s "$(calc "$many")"
			figure "a ref of $((n * 10)) / one of $n" times "$(calc "$many / $few / 10")" '<=' 1.25
		fi
	done
	dropped wants
}

# wanted FIRST LAST: the seconds of a want; then all of it is queued.
wanted()
{
	printf "SELECT databuild.want(ARRAY(SELECT 'out/' || i FROM generate_series(%s, %s) AS i));\n" "$1" "$2" |
		times wants | awk '{ print $1 / 1000 }'
	expect 'goal 6' "$(states wants 'out/%')" "queued $2"
}
