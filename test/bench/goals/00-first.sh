# shellcheck shell=bash
# Goal 0: the first hour. With 100,000 partitions queued and statistics never gathered: a want of 10,000 new refs in
# 250 ms, a claim and a report of 100 runs in 20 ms each. After ANALYZE the same: plans must not depend on it. It is the
# time that a client waits, commit included; each want is the first call of its connection.

goal_0()
{
	local queued wants claims when

	queued=$(scale 100000 20000)
	wants=$(scale 11 5)
	claims=$(scale 100 30)
	sql postgres -c 'ALTER SYSTEM SET autovacuum = off' -c 'SELECT pg_reload_conf()' >/dev/null
	fresh first "SELECT databuild.define_job('day', ARRAY['day/.*'])"
	fill first 1 "$queued" day/
	LAST=$queued
	commits "$claims" | figures "calibration: a commit of one row" ms
	for when in 'without statistics' 'after ANALYZE'; do
		first_hour "$wants" "$claims" "$when"
		sql first -c ANALYZE
	done
	expect 'goal 0' "$(succeeded first)" $((2 * claims * 100))
	expect 'verify()' "$(sql first -c 'SELECT count(*) FROM databuild.verify()')" 0
	sql postgres -c 'ALTER SYSTEM RESET autovacuum' -c 'SELECT pg_reload_conf()' >/dev/null
	dropped first
}

commits()
{
	local i

	sql first -c 'CREATE TABLE one_row (n int)'
	for ((i = 0; i < $1; i++)); do
		echo 'INSERT INTO one_row VALUES (1);'
	done | times first
}

first_hour()
{
	local i wants=$1 claims=$2

	for ((i = 0; i < wants; i++)); do
		printf "SELECT databuild.want(ARRAY(SELECT 'day/' || i FROM generate_series(%s, %s) AS i));\n" \
			$((LAST + 1)) $((LAST + 10000)) | times first
		LAST=$((LAST + 10000))
	done >"$WORK/wants"
	for ((i = 0; i < claims; i++)); do
		printf "SELECT array_agg(run_id) AS runs FROM databuild.claim('bench', max_runs => 100) \\\\gset\n"
		printf "SELECT databuild.succeed_many(:'runs');\n"
	done | times first >"$WORK/claims"
	figures "$3: a want of 10,000 refs" ms '<=' 250 <"$WORK/wants"
	sed -n 'p; n' "$WORK/claims" | figures "$3: a claim of 100 runs" ms '<=' 20
	sed -n 'n; p' "$WORK/claims" | figures "$3: succeed_many() of 100 runs" ms '<=' 20
}
