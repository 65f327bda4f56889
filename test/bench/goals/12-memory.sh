# shellcheck shell=bash
# Goal 12: memory of one session: a million calls; a want of a million refs. It is the session's own (RssAnon), without
# the buffers that it shares.

goal_12()
{
	local calls refs

	calls=$(scale 1000000 10000)
	refs=$(scale 1000000 100000)
	fresh memory "SELECT databuild.define_job('item', ARRAY['item/.*'])"
	PGOPTIONS='-c synchronous_commit=off -c client_min_messages=warning' PGAPPNAME=calls \
		sampled calls sql_calls "$calls"
	figure "growth from $((calls / 10)) to $calls calls" MB \
		"$(awk '{ at[NR] = $1 } END { print int((at[NR] - at[int(NR / 10) + 1]) / 1024) }' "$WORK/memory")" '<=' 1
	PGAPPNAME=refs sampled refs fill memory 1 "$refs" item/large/ "$refs"
	figure "a want of $refs refs" MB "$(sort -n "$WORK/memory" | awk 'END { print int($1 / 1024) }')" '<=' "$(scale 1024 102)"
	dropped memory
}

# A round is a want, a claim, a heartbeat, a report and why(): five calls.
sql_calls()
{
	CLIENTS=1 clients memory calls -t $(($1 / 5))
}

# sampled NAME command …: the kB of the session of that name while the command runs, one a line.
sampled()
{
	local name=$1 job pid=

	shift
	"$@" &
	job=$!
	: >"$WORK/memory"
	while kill -0 $job 2>/dev/null; do
		[ -n "$pid" ] || pid=$(PGOPTIONS='' PGAPPNAME='' sql postgres -c "SELECT pid FROM pg_stat_activity WHERE application_name = '$name' AND datname = 'memory'")
		[ -z "$pid" ] || awk '/^RssAnon/ { print $2 }' "/proc/$pid/status" >>"$WORK/memory" 2>/dev/null || true
		sleep 0.1
	done
	wait $job
}
