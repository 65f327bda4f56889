# shellcheck shell=bash
# What the goals share: databases, clients, what is counted beside a rate, and the report.
#
# A figure is recorded once a round; the report shows the median of its rounds, the least and the greatest. What is
# compared is measured in turn, and the ratio is taken within the round, since machines have better and worse hours.

QUICK=                # set: everything is smaller
GOAL=                 # the number of the present one
CLIENTS=8

### Figures

progress()
{
	printf '%6d s  %s\n' "$SECONDS" "$*" >&2
}

# scale FULL QUICK: the one that applies.
scale()
{
	if [ -n "$QUICK" ]; then echo "$2"; else echo "$1"; fi
}

rounds()
{
	seq "$(scale 5 3)"
}

# in_turn ROUND WHAT …: in every second round the other way round.
in_turn()
{
	local r=$1

	shift
	if [ $((r % 2)) -eq 1 ]; then printf '%s\n' "$@"; else printf '%s\n' "$@" | tac; fi
}

# figure NAME UNIT VALUE [OPERATOR GOAL]: one round's; OPERATOR is <= or >=.
figure()
{
	printf '%s\t' "$GOAL" "$1" "$2" "$3" "${4:-}" "${5:-}" >>"$WORK/figures"
	echo >>"$WORK/figures"
	progress "  $1: $3 $2${4:+ (goal $4 $5)}"
}

# figures NAME UNIT [OPERATOR GOAL]: many rounds' at once, one a line.
figures()
{
	local value

	while read -r value; do
		figure "$1" "$2" "$value" "${@:3}" 2>/dev/null
	done
	progress "  $1${3:+ (goal $3 $4)}"
}

# absent NAME OPERATOR GOAL WHY: a figure that cannot be had.
absent()
{
	printf '%s\t' "$GOAL" "$1" "$4" '' "$2" "$3" >>"$WORK/figures"
	echo >>"$WORK/figures"
	progress "  $1: $4"
}

# calc EXPRESSION: three digits that count, or all before the point.
calc()
{
	awk "BEGIN { x = $1; if (x >= 100 || x <= -100) printf \"%.0f\", x; else printf \"%.3g\", x }"
}

# Of numbers, one a line: the share P of them is not greater.
quantile()
{
	sort -n | awk -v p="$1" '{ at[NR] = $1 } END { i = int(p * NR); if (i < p * NR) i++; print at[i < 1 ? 1 : i] }'
}

median()
{
	quantile 0.5
}

### Databases

# sql DATABASE [argument …]
sql()
{
	local database=$1

	shift
	"$PGBIN/psql" -X -q -At -v ON_ERROR_STOP=1 -d "$database" "$@"
}

# fresh DATABASE [statement …]: a new one with databuild, and the calibration's tables.
fresh()
{
	local database=$1 statement

	shift
	sql postgres -c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database TEMPLATE empty"
	for statement; do
		sql "$database" -c "$statement" >/dev/null
	done
}

dropped()
{
	local database

	for database; do
		sql postgres -c "DROP DATABASE IF EXISTS $database"
	done
}

# fill DATABASE FIRST LAST [PREFIX [MOST]]: wants PREFIX and these numbers, MOST to a want.
fill()
{
	local i most=${5:-10000}

	for ((i = $2; i <= $3; i += most)); do
		printf "SELECT databuild.want(ARRAY(SELECT '%s' || i FROM generate_series(%s, %s) AS i));\n" \
			"${4:-item/}" "$i" $((i + most - 1 < $3 ? i + most - 1 : $3))
	done | sql "$1" >/dev/null
}

# publish DATABASE FIRST LAST PREFIX
publish()
{
	local i

	for ((i = $2; i <= $3; i += 10000)); do
		printf "SELECT databuild.publish(ARRAY(SELECT '%s' || i FROM generate_series(%s, %s) AS i));\n" \
			"$4" "$i" $((i + 9999 < $3 ? i + 9999 : $3))
	done | sql "$1" >/dev/null
}

# succeeded DATABASE: how many runs did. Nothing counts that was not done.
succeeded()
{
	sql "$1" -c "SELECT count(*) FROM databuild.job_runs WHERE state = 'succeeded'"
}

# states DATABASE PATTERN: how many partitions are in which state.
states()
{
	sql "$1" -v pattern="$2" <<<"SELECT string_agg(state || ' ' || n, ', ' ORDER BY state)
		FROM (SELECT state, count(*) AS n FROM databuild.partitions WHERE ref LIKE :'pattern' GROUP BY state) AS s"
}

# expect WHAT FOUND EXPECTED
expect()
{
	[ "$2" = "$3" ] || die "$1: expected $3, found $2"
}

# pin DATABASE, unpin: a transaction that is open and idle, and holds a snapshot.
pin()
{
	coproc PIN { "$PGBIN/psql" -X -q -At -d "$1" 2>&1; }
	echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM databuild.jobs;" >&"${PIN[1]}"
	read -r _ <&"${PIN[0]}"
}

# shellcheck disable=SC2153
unpin()
{
	local pid=$PIN_PID

	echo 'ROLLBACK;' >&"${PIN[1]}"
	eval "exec ${PIN[1]}>&-"
	wait "$pid" || true
}

### Clients

# clients DATABASE SCRIPT [pgbench option …]: sets TRANSACTIONS, RATE (transactions a second) and MS (latency).
clients()
{
	local database=$1 script=$2 log=$WORK/out/pgbench

	shift 2
	"$PGBIN/pgbench" -n -M prepared -D n=0 -j 2 -c "$CLIENTS" -f "$BENCH/scripts/$script.pgb" "$@" "$database" >"$log" 2>&1 </dev/null ||
		{ tail -n 40 "$log" >&2; die "$script did not come to its end"; }
	TRANSACTIONS=$(sed -n 's|^number of transactions actually processed: \([0-9]*\).*|\1|p' "$log")
	RATE=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$log")
	MS=$(sed -n 's/^latency average = \([0-9.]*\) ms.*/\1/p' "$log")
}

# latencies DATABASE SCRIPT [pgbench option …]: the milliseconds of each transaction, one a line.
latencies()
{
	rm -f "$WORK"/out/latency.*
	clients "$@" --log --log-prefix="$WORK/out/latency"
	cat "$WORK"/out/latency.* | awk '{ print $3 / 1000 }'
}

# times DATABASE: the milliseconds of each statement of a script, as a client waits, commit included.
times()
{
	sql "$1" -c '\timing on' -f - | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'
}

### Calibration: what this machine commits and inserts, beside each figure

calibration()
{
	sql postgres -c 'CREATE DATABASE calibration'
	sql calibration -c 'CREATE TABLE one (id int PRIMARY KEY, n int NOT NULL) WITH (fillfactor = 50)' \
		-c 'INSERT INTO one SELECT i, 0 FROM generate_series(0, 299) AS i' \
		-c 'CREATE TABLE many (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ref text NOT NULL UNIQUE)'
}

# Commits of one updated row a second.
ceiling()
{
	clients calibration ceiling -T "$(scale 5 1)"
	figure "calibration: commits of one updated row, $CLIENTS clients" '/s' "$(calc "$RATE")"
}

# Rows a second into a table with a unique text, 100 a transaction.
inserts()
{
	clients calibration inserts -T "$(scale 5 1)" -D "batch=$RANDOM$RANDOM"
	figure "calibration: rows inserted by 100, $CLIENTS clients" '/s' "$(calc "$RATE * 100")"
}

calibrate()
{
	ceiling
	inserts
}

### Beside a rate: WAL and dead versions

# before DATABASE … after DATABASE NAME LIFECYCLES: records, for one lifecycle, the bytes of WAL without full-page images,
# and the row versions that were made dead.
before()
{
	LSN=$(sql "$1" -c 'SELECT pg_current_wal_flush_lsn()')
	DEAD=$(dead_versions "$1")
}

after()
{
	local lsn dead

	lsn=$(sql "$1" -c 'SELECT pg_current_wal_flush_lsn()')
	dead=$(dead_versions "$1")
	WAL=$(calc "$(as_user "$PGBIN/pg_waldump" -p "$WORK/data/pg_wal" --stats -s "$LSN" -e "$lsn" 2>/dev/null |
		awk '/^Total/ { print $3 }') / $3")
	figure "$2: WAL a lifecycle" bytes "$WAL"
	figure "$2: dead row versions a lifecycle" '' "$(calc "($dead - $DEAD) / $3")"
}

dead_versions()
{
	sql "$1" -c 'SELECT coalesce(sum(n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables'
}

# dead_tuples DATABASE NAME: those that are there now, by table.
dead_tuples()
{
	local table n

	while IFS='|' read -r table n; do
		figure "$2: dead tuples in $table" '' "$n"
	done < <(sql "$1" -c 'SELECT relname, n_dead_tup FROM pg_stat_user_tables WHERE n_dead_tup > 0 ORDER BY 2 DESC')
}

### The report

load()
{
	cut -d ' ' -f 1 /proc/loadavg
}

# Each a line `key<tab>value`.
circumstances()
{
	printf '%s\t%s\n' \
		date "$(date -u +%F)" \
		quick "${QUICK:+yes}" \
		machine "$(nproc) CPUs ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)), $(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo) GB, data on $(stat -f -c %T "$WORK")" \
		'load before and after' "$(paste -sd ' ' "$WORK/load")" \
		PostgreSQL "$("$PGBIN/postgres" --version | sed 's/.*) //; s/^ *//')" \
		databuild "$(git -C "$TREE" describe --always --dirty 2>/dev/null || echo unknown)" \
		settings "fsync, synchronous_commit and full_page_writes on; $(printf '%s; ' "${SETTINGS[@]}")else as they come"
	cat "$WORK/out/versions" 2>/dev/null || true
}

report()
{
	circumstances >"$WORK/circumstances"
	sql postgres -v figures="$WORK/figures" -f "$BENCH/report.sql" <"$WORK/circumstances"
}
