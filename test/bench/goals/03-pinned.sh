# shellcheck shell=bash
# Goal 3: an idle REPEATABLE READ transaction pins the xmin horizon. Horizons are a database's own: so two databases
# alike, of which one is pinned, are measured in turn. Then so many seconds of a steady stream on the pinned one. The
# hand-written queue goes along, for comparison.

goal_3()
{
	local n seconds

	n=$(scale 60000 6000)
	fresh clean "SELECT databuild.define_job('item', ARRAY['item/.*'])"
	fresh pinned "SELECT databuild.define_job('item', ARRAY['item/.*'])"
	fresh queue_clean
	fresh queue_pinned
	sql queue_clean -f "$BENCH/peers/queue.sql"
	sql queue_pinned -f "$BENCH/peers/queue.sql"
	pin pinned
	pin_queue
	# shellcheck disable=SC2034
	LAST=0                # the number of the newest ref, see singles
	lived clean "$n"
	lived pinned "$n"
	pinned_rounds "after $n lifecycles"
	dead_tuples pinned "pinned"
	seconds=$(scale 600 15)
	stream "$seconds"
	pinned_rounds "after $seconds s of 1,000 a second"
	dead_tuples pinned "pinned"
	pinned_queue
	unpin_queue
	unpin
	dropped clean pinned queue_clean queue_pinned
}

# lived DATABASE N: so many more lifecycles, in batches.
lived()
{
	clients "$1" databuild-batches -t $(($2 / CLIENTS / 100 + 1)) -D "batch=1$RANDOM$RANDOM"
}

# pinned_rounds WHEN: in short turns, ten of each a round, since the machine is not as fast from one ten seconds to the next.
pinned_rounds()
{
	local r turn database
	local -A rates

	for r in $(rounds); do
		ceiling
		rm -f "$WORK"/turns.*
		for turn in {1..10}; do
			for database in $(in_turn $((r + turn)) clean pinned); do
				EACH=$(scale 600 60) singles "$database" databuild-single
				echo "$RATE" >>"$WORK/turns.$database"
			done
		done
		for database in clean pinned; do
			# of equally many at each rate
			rates[$database]=$(awk '{ seconds += 1 / $1 } END { print NR / seconds }' "$WORK/turns.$database")
			figure "$1: $database" '/s' "$(calc "${rates[$database]}")"
		done
		figure "$1: pinned / clean" times "$(calc "${rates[pinned]} / ${rates[clean]}")" '>=' 0.95
	done
}

# stream SECONDS: on both at a time.
stream()
{
	local was other

	was=$(succeeded pinned)
	(clients clean databuild-tens -R 100 -T "$1" -D "batch=2$RANDOM$RANDOM") &
	other=$!
	(clients pinned databuild-tens -R 100 -T "$1" -D "batch=2$RANDOM$RANDOM")
	wait $other
	figure 'the stream, pinned' '/s' "$(calc "($(succeeded pinned) - $was) / $1")"
}

# A second pin, for the queue's database.
pin_queue()
{
	mkfifo "$WORK/pin"
	"$PGBIN/psql" -X -q -At -d queue_pinned <"$WORK/pin" >/dev/null 2>&1 &
	QUEUE_PIN=$!
	exec 7>"$WORK/pin"
	echo 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM queue;' >&7
}

unpin_queue()
{
	exec 7>&-
	wait "$QUEUE_PIN" || true
	rm "$WORK/pin"
}

pinned_queue()
{
	local r database seconds
	local -A rates

	seconds=$(scale 20 5)
	for database in queue_clean queue_pinned; do
		sql "$database" -c "INSERT INTO queue (ref) SELECT 'item/' || i FROM generate_series(1, $(scale 1000000 100000)) AS i"
		clients "$database" queue-single -T "$seconds"
	done
	for r in $(rounds); do
		for database in $(in_turn "$r" queue_clean queue_pinned); do
			clients "$database" queue-single -T "$(scale 5 1)"
			rates[$database]=$RATE
		done
		figure "the hand-written queue, after $seconds s: pinned / clean" times "$(calc "${rates[queue_pinned]} / ${rates[queue_clean]}")"
	done
	dead_tuples queue_pinned 'the hand-written queue, pinned'
}
