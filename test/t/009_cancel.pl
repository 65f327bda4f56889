# A call that is canceled, or times out, at any point leaves nothing behind: not in the tables, not in the session.
#
# DATABUILD_REFS, DATABUILD_POINTS; see test/README.md.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Databuild;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $REFS   = setting('REFS', 10_000);
my $POINTS = setting('POINTS', 4);

my $node = cluster('cancel', conf => "autovacuum = off\n");
my $session = session_of($node);
my $other = session_of($node);

# ----- a cancel at each statement that writes --------------------------------------------------------------------

# Triggers on all tables count what writes them, and the N-th cancels its own statement there and then.
$session->must($_) foreach <<'SQL',
CREATE FUNCTION count_down() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	left_over int := coalesce(nullif(current_setting('test.countdown', true), ''), '0')::int - 1;
BEGIN
	PERFORM set_config('test.countdown', left_over::text, false);
	IF left_over = 0 THEN
		PERFORM pg_cancel_backend(pg_backend_pid());
		PERFORM pg_sleep(5);
	END IF;
	RETURN NULL;
END $$
SQL
	<<'SQL', <<'SQL', <<'SQL';
DO $$
DECLARE
	t regclass;
	at text;
BEGIN
	FOREACH at IN ARRAY ARRAY['BEFORE', 'AFTER'] LOOP
		FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'databuild'::regnamespace AND relkind = 'r' LOOP
			EXECUTE format('CREATE TRIGGER count_%s %s INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT EXECUTE FUNCTION count_down()', at, at, t);
		END LOOP;
	END LOOP;
END $$
SQL
CREATE FUNCTION also(ref text) RETURNS text[] LANGUAGE sql AS 'SELECT ARRAY[''src/9'']'
SQL
CREATE TABLE tracked (a text); SELECT databuild.track('tracked', 'src/{a}', true)
SQL
$session->must("SELECT databuild.$_") foreach "define_source('src', ARRAY['src/.*'])", "define_job('leaf', ARRAY['leaf/(.*)'], batch_size => 2, lease => '1 day')",
	"define_job('mid', ARRAY['mid/(.*)'], inputs => ARRAY['leaf/\\1', 'src/1'], inputs_function => 'also(text)', lease => '1 day')",
	"define_job('pair', ARRAY['pair/(.)/[xy]'], outputs => ARRAY['pair/\\1/x', 'pair/\\1/y'], max_running => 2, lease => '1 day')",
	"define_job('ring', ARRAY['ring/.'], lease => '1 day')", "define_job('short', ARRAY['short/.*'], lease => '1 ms')",
	"want(ARRAY['leaf/1', 'leaf/2', 'leaf/3', 'leaf/4', 'leaf/5', 'leaf/6', 'mid/7', 'pair/1/x', 'pair/2/x', 'ring/1', 'ring/2'], key => 'one')", "want(ARRAY['short/1'], ttl => '1 s')",
	"publish(ARRAY['src/1', 'src/2', 'src/3', 'src/9'])", "claim('w', ARRAY['leaf'], 3)", "claim('w', ARRAY['pair'], 2)", "claim('w', ARRAY['ring'], 2)", "claim('w', ARRAY['short'])";

my @run = map { $_->[0] } $session->must("SELECT run_id FROM databuild.job_runs WHERE job IN ('leaf', 'pair', 'ring') ORDER BY job, run_id");

$session->must("SELECT databuild.$_") foreach "succeed($run[0], reads => ARRAY['src/2'])", "fail($run[1], 'x', false)", "miss($run[5], ARRAY['ring/2'])", "taint(ARRAY['src/3'], 'x')";
my $failed = $session->must("SELECT partitions[1] FROM databuild.job_runs WHERE run_id = $run[1]");
my $taint = $session->must('SELECT max(taint_id) FROM databuild.taints');
my $idle = $session->must("SELECT databuild.want(ARRAY['src/77'])");

# Time stands still; a lease has ended, and a want is over, but nobody has looked.
$session->must("SET databuild.now = '" . $session->must("SELECT now() + interval '2 hours'") . "'");

my @CALLS = map { "SELECT databuild.$_" } (
	"define_job('new', ARRAY['new/.*'], max_running => 3)", "define_job('leaf', ARRAY['leaf/(.*)'], inputs => ARRAY['src/\\1'])", "define_job('mid', ARRAY['mid/(.*)'], inputs => ARRAY['leaf/x\\1'], inputs_function => 'also(text)')",
	"define_source('src', ARRAY['src/.*', 'other/.*'])", "drop_job('mid')", "pause_job('leaf')",
	"want(ARRAY['mid/8', 'mid/9', 'pair/3/x', 'leaf/1', 'leaf/x'], 5, ttl => '1 h', key => 'two')", 'cancel_want(1)', "remake(ARRAY['leaf/1', 'leaf/2', 'mid/3'])",
	"claim('w', max_runs => 10)", "heartbeat(ARRAY[$run[2], $run[3]], '2 h')", "succeed($run[3], ARRAY['pair/1/x'], ARRAY['src/1', 'new/ref'], '{}')", "succeed_many(ARRAY[$run[2], $run[3], $run[4]])",
	"fail($run[2], 'no', metadata => '[]')", "miss($run[2], ARRAY['leaf/20', 'none/1', 'mid/6'])", "miss($run[6], ARRAY['ring/1'])", "finish_and_claim(ARRAY[$run[2]], 'w', max_runs => 5)",
	"cancel_run($run[3], 'x')", "retry(ARRAY['$failed'])", 'retry_want(1)', "publish(ARRAY['src/1', 'src/4'], '{}')", "taint(ARRAY['src/2', 'leaf/1'], 'x', true)", "cancel_taint($taint)",
	"forget(ARRAY['src/3'], 'x')", 'tick()', 'replay()', "grant_worker(current_user, ARRAY['leaf'])");

push @CALLS, "INSERT INTO tracked VALUES ('1'), ('5')";

# All relations, and whatever else the session has.
my $ALL = join ' UNION ALL ', map { "SELECT '$_ ' || v::text FROM databuild.$_ AS v" } map { $_->[0] } $session->must(
	"SELECT viewname FROM pg_views WHERE schemaname = 'databuild' AND viewname NOT IN ('rights', 'stats', 'job_stats', 'partition_counts') AND obj_description(format('databuild.%I', viewname)::regclass) NOT LIKE 'Internal%' ORDER BY 1");
my $STATE = "SELECT md5(string_agg(line, E'\\n' ORDER BY line COLLATE \"C\")), current_user, current_setting('search_path'), current_setting('enable_seqscan'), current_setting('row_security'), "
	. "current_setting('transaction_read_only'), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) FROM ($ALL) AS all_of_it(line)";

sub state_of { return join '|', map { @$_ } @{ (scalar $session->ask($STATE))->{rows} } }

my $before = state_of();
my @wrong;
my $points = 0;

foreach my $call (@CALLS)
{
	for (my $n = 1; $n < 300; $n++)
	{
		my @answers = $session->ask("SET test.countdown = $n", 'BEGIN', $call, 'ROLLBACK');
		my ($state) = $answers[2]{state};
		my $after = state_of();

		push @wrong, "$call at $n: $answers[2]{state} $answers[2]{error}" if $state !~ /^(57014|00000)$/;
		push @wrong, "$call at $n left behind: $after instead of $before" if $after ne $before;
		last if $state ne '57014' || @wrong > 10;
		$points++;
	}
}
is(some_of(10, @wrong), '', 'canceled at any statement that writes, calls leave nothing behind');
note("$points points in " . @CALLS . ' calls');
cmp_ok($points, '>', 8 * @CALLS, 'there are many points');

# And a savepoint is enough to go on in the same transaction: it is as if there had been no call.
$session->ask('SET test.countdown = 0', 'BEGIN');
foreach my $call (@CALLS)
{
	foreach my $n (1, 3, 5, 8)
	{
		$session->ask('SAVEPOINT a', "SET LOCAL test.countdown = $n", $call, 'ROLLBACK TO a');
	}
}
my $in_transaction = state_of();
$session->ask('COMMIT');
is($in_transaction, $before, 'nor in a transaction that goes on after a savepoint');

# ----- lock_timeout: what each call waits for --------------------------------------------------------------------

# In the order in which they are taken; what a call does not wait for makes no difference to it.
my @LOCKS = ('LOCK TABLE databuild.event IN SHARE MODE', 'SELECT FROM databuild.want FOR UPDATE', 'SELECT FROM databuild.run FOR UPDATE',
	'SELECT FROM databuild.partition FOR UPDATE', 'LOCK TABLE databuild.partition IN SHARE MODE', 'LOCK TABLE databuild.ready IN SHARE MODE', 'LOCK TABLE databuild.job IN ACCESS EXCLUSIVE MODE');
my %waited;

foreach my $lock (@LOCKS)
{
	my @locked = $other->ask('BEGIN', $lock);

	is($locked[1]{error}, '', $lock);
	foreach my $call (@CALLS)
	{
		my @answers = $session->ask('BEGIN', "SET LOCAL lock_timeout = '10 ms'", $call, 'ROLLBACK');

		$waited{$lock}++ if $answers[2]{state} eq '55P03';
		push @wrong, "$call under $lock: $answers[2]{state} $answers[2]{error}" if $answers[2]{state} !~ /^(55P03|00000)$/;
	}
	$other->ask('ROLLBACK');
	my $after = state_of();

	push @wrong, "after $lock: $after instead of $before" if $after ne $before;
}
is(some_of(10, @wrong), '', 'a lock_timeout leaves nothing behind');
is(join(', ', grep { !$waited{$_} } @LOCKS), '', 'there was one at each lock');

# Waiting: no lock of the session's stays.
my $now = $session->must('SHOW databuild.now');

$session->must("SET databuild.now = '2001-01-01'");
foreach my $wait ("wait_work(ARRAY['mid'])", "wait_want($idle)")
{
	is($session->ask("SET statement_timeout = '30 ms'", "CALL databuild.$wait")->{state}, '57014', "$wait times out");
}
$session->ask('RESET statement_timeout', "SET databuild.now = '$now'");
is(state_of(), $before, 'and leaves nothing behind');

# In the end each of them works.
$session->must('SET test.countdown = 0');
foreach my $call (@CALLS)
{
	my @answers = $session->ask('BEGIN', $call, 'ROLLBACK');

	push @wrong, "$call: $answers[1]{error}" if $answers[1]{state} ne '00000';
}
is(some_of(10, @wrong), '', 'afterwards all calls work in the same session');
sound($node, 'after small calls');

# ----- long calls: how soon ---------------------------------------------------------------------------------------

$session->must("DROP FUNCTION count_down CASCADE");
$session->must("CREATE TEMP TABLE many AS SELECT ARRAY(SELECT 'leaf/' || i FROM generate_series(1, $REFS) AS i) AS leaf, ARRAY(SELECT 'mid/' || i FROM generate_series(1, $REFS) AS i) AS mid,"
	. " ARRAY(SELECT 'src/' || i FROM generate_series(1, $REFS) AS i) AS src, ARRAY(SELECT 'none/' || i FROM generate_series(1, $REFS) AS i) AS none");
$session->must('SELECT databuild.want(leaf) FROM many');
$session->must('SELECT databuild.publish(src) FROM many');
$session->must("SELECT count(*) FROM databuild.claim('w', ARRAY['leaf'], 10000)");

my $backend = $session->must('SELECT pg_backend_pid()');
my $want = $session->must("SELECT max(want_id) FROM databuild.wants");
my $running = "(SELECT array_agg(run_id) FROM databuild.job_runs WHERE state = 'running')";
my @LONG = ('want(mid) FROM many', 'want(leaf, 7) FROM many', 'publish(none) FROM many', 'taint(src, $$x$$, true) FROM many', "cancel_want($want)", "succeed_many($running)", "miss($run[2], none) FROM many",
	"define_job('leaf', ARRAY['leaf/(.*)'], inputs => ARRAY['src/\\1'])", 'replay()', "plan(mid) FROM many");

sub cpu
{
	my @stat = split / /, slurp_file("/proc/$backend/stat");

	return ($stat[13] + $stat[14]) / 100;
}

my $longest = 0;

foreach my $call (@LONG)
{
	my $started = time;
	my ($answer) = ($session->ask('BEGIN', "SELECT databuild.$call", 'ROLLBACK'))[1];
	my $whole = time - $started;
	my $met = 0;

	is($answer->{error}, '', sprintf 'databuild.%s takes %.2f s', $call, $whole);
	foreach my $i (1 .. $POINTS)
	{
		my $timeout = 1 + int 1000 * $whole * ($i - 0.5) / $POINTS;
		my $at = cpu();
		my @answers = $session->ask('BEGIN', "SET LOCAL statement_timeout = '$timeout ms'", "SELECT databuild.$call", 'ROLLBACK');
		my $more = cpu() - $at - $timeout / 1000;

		# which the timeout may have met, too
		$session->ask('ROLLBACK') if $answers[3]{state} ne '00000';
		$longest = $more if $more > $longest;
		push @wrong, "$call: $answers[2]{error}" if $answers[2]{state} !~ /^(57014|00000)$/;
	}
}
is(some_of(10, @wrong), '', 'long calls are canceled, or done');
cmp_ok($longest, '<', 0.2 + $REFS * 0.8e-6, sprintf 'soon, with a million refs within a second: after %.2f s of CPU time at most', $longest);
sound($node, 'in the end');
no_crash($node, 'in the end');
$_->hang_up foreach $session, $other;
$node->stop;
done_testing();
