# Who waits in wait_work() or wait_want() knows at once what another session commits, and is in nobody's way meanwhile.
#
# What no commit tells is looked for each second by wait_want(), each 20 seconds by wait_work(): so a wake-up that is
# forgotten shows as a delay. DATABUILD_ROUNDS; see test/README.md.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Databuild;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $ROUNDS = setting('ROUNDS', 1500);

my $node = cluster('wakeups');
my $session = session_of($node);

$session->must("SELECT databuild.$_") foreach "define_job('a', ARRAY['a/.*'])", "define_job('down', ARRAY['down/.*'], inputs => ARRAY['a/0'])",
	"define_job('one', ARRAY['one/.*'], max_running => 1)", "define_job('once', ARRAY['once/.*'], max_attempts => 1)", "define_job('later', ARRAY['later/.*'], backoff => '1 s')",
	"define_source('src', ARRAY['src/.*'])";

# ----- who waits ---------------------------------------------------------------------------------------------------

# A session that waits, for certain: it sleeps in the latch. It is in $waiter, its answer to be read.
my ($waiter, $backend);

sub waits
{
	my ($call, %how) = @_;

	$waiter = session_of($node, name => 'waiter');
	$waiter->must("SET $_") foreach @{ $how{settings} // [] };
	$backend = $waiter->must('SELECT pg_backend_pid()');
	print { $waiter->{to} } "CALL databuild.$call;\n\\echo \@\@\@ :SQLSTATE :LAST_ERROR_MESSAGE\n";
	$waiter->{to}->flush;
	return asleep();
}

sub asleep
{
	my $until = time + 10;

	while (time < $until)
	{
		return 1 if $session->must("SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $backend") eq 't';
		sleep 0.01;
	}
	die "it does not wait\n";
}

# How long it goes on waiting, and what it answers then.
sub comes_back
{
	my $began = time;
	my $answer = $waiter->one_answer;

	$waiter->hang_up;
	return (time - $began, $answer->{state});
}

sub wakes
{
	my ($what, $call, $by, %how) = @_;

	waits($call, %how);
	ref $by ? $by->() : $session->must("SELECT databuild.$by");
	my ($took, $state) = comes_back();

	return ok($state eq '00000' && $took < 5, sprintf '%s wakes %s: %.3f s', $what, $call =~ s/\(.*//r, $took);
}

sub claimed
{
	my ($job) = @_;

	my $run_id;

	foreach (1 .. 10)
	{
		$session->must("CALL databuild.wait_work(ARRAY['$job'], '2 s')");
		$run_id = $session->must("SELECT run_id FROM databuild.claim('w', ARRAY['$job'])");
		return $run_id if $run_id;
	}
	die "nothing of $job to claim\n";
}

# ----- wait_work() -------------------------------------------------------------------------------------------------

my $long = "timeout => '60 s'";
my ($run_id, $other);

wakes('a want', "wait_work($long)", "want(ARRAY['a/0', 'down/1'])");
$run_id = claimed('a');
wakes('a success that what waits was waiting for', "wait_work(ARRAY['down'], $long)", "succeed($run_id)");
$run_id = claimed('down');
$session->must("SELECT databuild.want(ARRAY['src/1'])");
$session->must("SELECT databuild.miss($run_id, ARRAY['src/1'])");
wakes('what is published', "wait_work(ARRAY['down'], $long)", "publish(ARRAY['src/1'])");
$run_id = claimed('down');
wakes('a miss of what can be made', "wait_work($long)", "miss($run_id, ARRAY['a/2'])");
$run_id = claimed('a');
$session->must("SELECT databuild.want(ARRAY['later/1'])");
$other = claimed('later');
wakes('a failure that can be tried again', "wait_work(ARRAY['later'], $long)", "fail($other, 'x')");
$session->must('SELECT databuild.succeed(' . claimed('later') . ')');
$session->must("SELECT databuild.want(ARRAY['later/2']), databuild.tick()");
wakes('a lease that ends', "wait_work(ARRAY['down'], $long)", "claim('w', ARRAY['later'], lease => '1 s')");
$session->must('SELECT databuild.tick()');
$session->must('SELECT databuild.succeed(' . claimed('later') . ')');
$session->must("SELECT databuild.succeed($run_id)");
wakes('a taint of what is wanted', "wait_work(ARRAY['a'], $long)", "taint(ARRAY['a/0'], 'x')");
$session->must('SELECT databuild.succeed(' . claimed('a') . ')');

$session->must("SELECT databuild.want(ARRAY['once/1'])");
$session->must('SELECT databuild.fail(' . claimed('once') . ", 'x')");
wakes('retry()', "wait_work(ARRAY['once'], $long)", "retry(ARRAY['once/1'])");
$session->must("SELECT databuild.pause_job('once')");
wakes('resume_job()', "wait_work(ARRAY['once'], $long)", "resume_job('once')");
$session->must('SELECT databuild.succeed(' . claimed('once') . ')');
$session->must("SELECT databuild.want(ARRAY['one/1', 'one/2', 'one/3'])");
$run_id = claimed('one');
wakes('a run that ends of a job that had no more', "wait_work(ARRAY['one'], $long)", "cancel_run($run_id)");
$run_id = claimed('one');
wakes('a greater max_running', "wait_work(ARRAY['one'], $long)", "define_job('one', ARRAY['one/.*'], max_running => 2)");
$session->must('SELECT databuild.succeed_many(ARRAY[' . claimed('one') . ", $run_id])");
# Several calls in a transaction, of which a savepoint takes back the last.
wakes('a want before a savepoint that was rolled back', "wait_work(ARRAY['a'], $long)", sub {
	$session->must($_) foreach 'BEGIN', "SELECT databuild.want(ARRAY['a/3'])", 'SAVEPOINT s', "SELECT databuild.want(ARRAY['a/4'])", 'ROLLBACK TO s', 'COMMIT';
});
$session->must('SELECT databuild.succeed(' . claimed('a') . ')');
$session->must('SET default_transaction_isolation = serializable');
wakes('a want of a serializable session', "wait_work(ARRAY['a'], $long)", "want(ARRAY['a/5'])", settings => ["default_transaction_isolation = 'repeatable read'"]);
$session->must('RESET default_transaction_isolation');
$session->must('SELECT databuild.succeed(' . claimed('a') . ')');

# Work of other jobs wakes nobody: each look begins a transaction.
sub looked
{
	return $session->must("SELECT xact_start FROM pg_stat_activity WHERE pid = $backend");
}

waits("wait_work(ARRAY['a', 'once'], $long)");
{
	my $before = looked();

	$session->must("SELECT databuild.pause_job('later')");
	$session->must("SELECT databuild.resume_job('later')");
	asleep();
	isnt(looked(), $before, 'what may be of any job wakes who waits for some');
	sleep 0.5;
	$before = looked();
	foreach (1 .. 3)
	{
		$session->must("SELECT databuild.want(ARRAY['later/x$_'])");
		$session->must('SELECT databuild.succeed(' . claimed('later') . ')');
	}
	sleep 0.5;
	is(looked(), $before, 'and what is of other jobs does not');
	$session->must("SELECT databuild.want(ARRAY['once/9'])");
	my ($took, $state) = comes_back();
	ok($state eq '00000' && $took < 5, sprintf 'what is of one of its jobs does: %.3f s', $took);
	$session->must('SELECT databuild.succeed(' . claimed('once') . ')');
}

# While others claim, the clock wakes nobody: they work off what is due, and all the leases that they leave end sometime.
waits("wait_work(ARRAY['once'], $long)");
{
	my ($runs, %looks) = (0);
	my $until = time + 4;

	while (time < $until)
	{
		$session->must("SELECT databuild.want(ARRAY['a/leased/$runs'])");
		$session->must("SELECT databuild.succeed(run_id) FROM databuild.claim('w', ARRAY['a'], lease => '1 s')");
		$looks{ looked() } = 1;
		$runs++;
	}
	cmp_ok(scalar keys %looks, '<=', 15, 'looks of who waits while others end ' . $runs . ' runs with short leases: ' . keys %looks);
	is($session->must("SELECT wait_event_type FROM pg_stat_activity WHERE pid = $backend"), 'Extension', 'it waits still');
	$session->must("SELECT databuild.want(ARRAY['once/10'])");
	comes_back();
	$session->must('SELECT databuild.succeed(' . claimed('once') . ')');
	sleep 1;
	$session->must('SELECT databuild.tick()');
}
$session->must("SELECT databuild.want(ARRAY['later/3'])");
wakes('a lease that ends, after a shorter one that was rolled back,', "wait_work(ARRAY['a'], $long)", sub {
	my $claim = "SELECT count(*) FROM databuild.claim('w', ARRAY['later'], lease =>";

	$session->must($_) foreach 'BEGIN', 'SAVEPOINT s', "$claim '1 s')", 'ROLLBACK TO s', 'COMMIT';
	$session->must("$claim '2 s')");
});
$session->must('SELECT databuild.tick()');
$session->must('SELECT databuild.succeed(' . claimed('later') . ')');

# Who would wake is terminated: nothing was committed. The next one wakes.
{
	my $gone = session_of($node);

	waits("wait_work(ARRAY['a'], $long)");
	$gone->must('BEGIN');
	$gone->must("SELECT databuild.want(ARRAY['a/6'])");
	$session->must('SELECT pg_terminate_backend(' . $gone->must('SELECT pg_backend_pid()') . ', 5000)');
	is($gone->ask('COMMIT')->{state}, 'gone', 'a session is terminated before it commits');
	asleep();
	$session->must("SELECT databuild.want(ARRAY['a/7'])");
	my ($took, $state) = comes_back();
	ok($state eq '00000' && $took < 5, sprintf 'a want after one that was terminated wakes: %.3f s', $took);

	# Who has claimed is terminated before he commits: what he claimed goes to who waits.
	$gone = session_of($node);
	$gone->must('BEGIN');
	is($gone->must("SELECT count(*) FROM databuild.claim('gone', ARRAY['a'])"), 1, 'a claim that will not be committed');
	$session->must('SELECT pg_terminate_backend(' . $gone->must('SELECT pg_backend_pid()') . ', 5000)');
	$waiter = session_of($node);
	$waiter->must("CALL databuild.wait_work(ARRAY['a'], $long)");
	is($waiter->must("SELECT count(*) FROM databuild.claim('w', ARRAY['a'])"), 1, 'what it had claimed is there for others');
	$waiter->must("SELECT databuild.succeed((SELECT run_id FROM databuild.job_runs WHERE state = 'running' AND job = 'a'))");
	$waiter->hang_up;

	# One of several who wait is terminated: the others wake.
	waits("wait_work(ARRAY['a'], $long)");
	my ($first, $pid) = ($waiter, $backend);
	waits("wait_work(ARRAY['a'], $long)");
	$session->must("SELECT pg_terminate_backend($pid, 5000)");
	$session->must("SELECT databuild.want(ARRAY['a/8'])");
	($took, $state) = comes_back();
	ok($state eq '00000' && $took < 5, sprintf 'the other one wakes when one who waits was terminated: %.3f s', $took);
	$first->hang_up;
	$session->must('SELECT databuild.succeed(' . claimed('a') . ')');
}

# ----- wait_want() -------------------------------------------------------------------------------------------------

# It looks each second; so here it is the median that shows.
sub wakes_want
{
	my ($what, $by) = @_;
	my @took;

	foreach my $i (1 .. 5)
	{
		my $want_id = $session->must("SELECT databuild.want(ARRAY['once/$what/$i'])");
		my $run_id = claimed('once');

		waits("wait_want($want_id)");
		$session->must('SELECT databuild.' . $by->($run_id, $want_id));
		my ($took, $state) = comes_back();
		push @took, $state eq '00000' ? $took : 99;
		$session->must("SELECT databuild.cancel_run($run_id)") if $what eq 'cancel';
	}
	my $median = (sort { $a <=> $b } @took)[2];

	return ok($median < 0.4, sprintf '%s wakes wait_want: %.3f s', $what, $median);
}

wakes_want('success', sub { "succeed($_[0])" });
wakes_want('failure', sub { "fail($_[0], 'x')" });
wakes_want('cancel', sub { "cancel_want($_[1])" });

# ----- in nobody's way ---------------------------------------------------------------------------------------------

$other = $session->must("SELECT databuild.want(ARRAY['src/2'])");
foreach my $call ("wait_work(ARRAY['a'], $long)", "wait_want($other)")
{
	foreach my $isolation ('read committed', 'repeatable read', 'serializable')
	{
		waits($call, settings => ["default_transaction_isolation = '$isolation'"]);
		# once more, since the first look is not like the others
		$session->must("SELECT databuild.publish(ARRAY['src/3'])");
		sleep 0.2;
		asleep();
		is($session->must("SELECT concat(backend_xmin, backend_xid) FROM pg_stat_activity WHERE pid = $backend") // '', '', "$call holds neither snapshot nor xid ($isolation)");
		is($session->must("SELECT string_agg(coalesce(relation::regclass::text, locktype), ' ' ORDER BY 1) FROM pg_locks WHERE pid = $backend AND locktype NOT IN ('virtualxid', 'advisory')") // '', '', '... nor any lock but its own');
		$session->must("SELECT pg_cancel_backend($backend)");
		is((comes_back())[1], '57014', '... and heeds a cancel');
	}
}
none($node, 'nobody is registered who waits no more', "SELECT * FROM pg_locks WHERE locktype = 'advisory'");

# ----- without a break ---------------------------------------------------------------------------------------------

# Who waits falls asleep just when another commits, again and again.
$session->must($_) foreach <<'SQL',
CREATE PROCEDURE work(rounds int) LANGUAGE plpgsql AS $$
DECLARE
	done int := 0;
	run record;
BEGIN
	WHILE done < rounds LOOP
		CALL databuild.wait_work(ARRAY['a'], '60 s');
		FOR run IN SELECT run_id FROM databuild.claim('w', ARRAY['a']) LOOP
			PERFORM databuild.succeed(run.run_id);
			done := done + 1;
		END LOOP;
		COMMIT;
	END LOOP;
END $$
SQL
	<<'SQL',
CREATE PROCEDURE ask(rounds int) LANGUAGE plpgsql AS $$
DECLARE
	want_id bigint;
BEGIN
	FOR i IN 1 .. rounds LOOP
		want_id := databuild.want(ARRAY['a/many/' || i]);
		COMMIT;
		CALL databuild.wait_want(want_id);
		PERFORM pg_sleep(random() / 1000);
		COMMIT;
	END LOOP;
END $$
SQL
	"CREATE VIEW delay AS SELECT ref, extract(epoch FROM r.started_at - w.created_at)::numeric(9, 3) AS late
	FROM databuild.wants AS w JOIN databuild.want_partitions USING (want_id) JOIN databuild.job_runs AS r ON r.partitions = ARRAY[ref] WHERE ref LIKE 'a/many/%'";
{
	my @pids = map { my $who = $_; in_child(sub { session_of($node)->must("CALL $who($ROUNDS)") }) } qw(work ask);

	is(reap(\@pids), 0, "$ROUNDS wants, each made before the next one");
	my ($count, $median, $most) = @{ ($session->must("SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY late), max(late) FROM delay"))[0] };
	is($count, $ROUNDS, 'all were made');
	cmp_ok($most, '<', 5, "none waited longer than that (the median $median s)");
}

sound($node, 'in the end');
no_crash($node, 'in the end');
$node->stop;
done_testing();
