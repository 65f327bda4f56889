# shellcheck shell=bash
# Goal 5: bytes of WAL for a lifecycle in batches of 100, the log included, without full-page images.

goal_5()
{
	local r

	fresh databuild "SELECT databuild.define_job('item', ARRAY['item/.*'])"
	fresh queue
	for r in $(rounds); do
		before databuild
		CLIENTS=1 clients databuild databuild-batches -t "$(scale 200 30)" -D "batch=$r"
		after databuild databuild $((TRANSACTIONS * 100))
		figure 'WAL a lifecycle' bytes "$WAL" '<=' 1000
		sql queue -f "$BENCH/peers/queue.sql"
		before queue
		CLIENTS=1 clients queue queue-batches -t "$(scale 200 30)" -D "batch=$r"
		after queue queue $((TRANSACTIONS * 100))
	done
	expect 'goal 5' "$(succeeded databuild)" $(($(rounds | wc -l) * TRANSACTIONS * 100))
	dropped databuild queue
}
