# A database follows another, with the commands of the README: what is live there is a source here, with its rows, and what is
# lacking here is wanted there; also when connections break and both servers stop in the middle.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Databuild;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $logical = "wal_retrieve_retry_interval = 200ms\nlog_min_messages = fatal\n";
my $north = cluster('north', init => { allows_streaming => 'logical' }, conf => $logical);
my $south = cluster('south', init => { allows_streaming => 'logical' }, conf => $logical);
my %here = (leader => $north, follower => $south);
my ($host, $port) = ($north->host, $north->port);

# The blocks of the README, in their order, with where this test's leader is.
sub readme
{
	my $text = slurp_file("$FindBin::RealBin/../../README.md");
	my @blocks;

	push @blocks, { node => $here{$1}, sql => $2 } while $text =~ /^```sql (leader|follower)\n(.*?)^```$/msg;
	foreach my $block (@blocks)
	{
		$block->{sql} =~ s/host=north dbname=app/host=$host port=$port dbname=postgres/;
		$block->{sql} =~ s/\(host 'north', dbname 'app'\)/(host '$host', port '$port', dbname 'postgres')/;
	}
	return @blocks;
}

sub run
{
	my ($block) = @_;

	return $block->{node}->safe_psql('postgres', $block->{sql});
}

# In the follower, before long.
sub comes
{
	my ($sql, $wanted, $what) = @_;

	return ok($south->poll_query_until('postgres', $sql, $wanted), $what)
		|| diag(join "\n", map { join ' ', @$_ } session_of($south)->must('SELECT ref, state FROM databuild.partitions ORDER BY 1'));
}

# A worker of the leader's makes what is wanted, rows and report in one transaction.
sub north_works
{
	my ($session) = @_;

	$session->must('BEGIN');
	my @runs = $session->must("SELECT run_id, partitions[1] FROM databuild.claim('n', max_runs => 20)");
	foreach my $run (@runs)
	{
		my ($day) = $run->[1] =~ /(\d+)$/;

		$session->must("INSERT INTO daily VALUES ('Seattle', date '2012-01-01' + $day, 1) ON CONFLICT (city, day) DO UPDATE SET rain = daily.rain + 1");
		$session->must("SELECT databuild.succeed($run->[0])");
	}
	$session->must('COMMIT');
	return scalar @runs;
}

my ($lead, $follow, $wants) = readme();
my $n = session_of($north);
my $s = session_of($south);

# ----- what is live before anybody follows -------------------------------------------------------------------------

run($lead);
$n->must("SELECT databuild.publish(ARRAY['daily/0', 'daily/bad', 'hourly/0'])");
$n->must("SELECT databuild.taint(ARRAY['daily/bad'], 'wrong from the beginning')");
run($follow);
comes("SELECT string_agg(ref || ' ' || state, ', ') FROM databuild.partitions", 'daily/0 live', 'what was live is, and nothing else');
comes("SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel", 't', 'all is copied');

# ----- a want goes there, and wakes who waits here -----------------------------------------------------------------

$s->must("SELECT databuild.define_job('report', ARRAY['report/(.*)'], inputs => ARRAY['daily/\\1'])");
$s->must("SELECT databuild.want(ARRAY['report/1', 'report/2'])");
is(run($wants), 2, 'what is lacking here is wanted there');
is($s->must('SELECT public.ask_north()'), 2, 'and again');
is_deeply([ $n->must('SELECT key, total FROM databuild.wants ORDER BY 1') ], [ [ 'south/daily/1', 1 ], [ 'south/daily/2', 1 ] ], 'but once');
is($s->must("SELECT count(*) FROM databuild.claim('s')"), 0, 'nothing can be made before it is there');

my $dir = PostgreSQL::Test::Utils::tempdir();
my $sleeper = in_child(sub
{
	my $session = session_of($south);
	my $began = time;

	$session->must("CALL databuild.wait_work(ARRAY['report'], '100 s')");
	append_to_file("$dir/woken", time - $began);
});

ok($south->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'CALL databuild.wait_work%' AND wait_event = 'Extension'"), 'a worker sleeps');
my $made = time;

is(north_works($n), 2, 'made there');
is(reap([$sleeper]), 0, 'the sleeper woke');
note(sprintf 'it woke %.2f s after the work was done there', time - $made);
cmp_ok(slurp_file("$dir/woken"), '<', 60, 'long before its time was over');
is($s->must("SELECT count(*) FROM daily d, databuild.partitions p WHERE p.state = 'live' AND p.ref = 'daily/' || (d.day - date '2012-01-01')"), 2, 'its rows are here, too');
is($s->must("SELECT count(databuild.succeed(run_id)) FROM databuild.claim('s', max_runs => 10)"), 2, 'what waited for it is made');
is($s->must('SELECT public.ask_north()'), 0, 'nothing is lacking');

# ----- made anew, tainted, taken back, forgotten -------------------------------------------------------------------

my $known = "SELECT e.body -> 'metadata' ->> 'instance' FROM databuild.partitions p JOIN databuild.events e ON e.event_id = p.live_run_id WHERE p.ref = 'daily/1'";
my $old = $s->must($known);

is($old, $n->must("SELECT live_run_id FROM databuild.partitions WHERE ref = 'daily/1'"), 'it is known of which instance of the leader it is');
$n->must("SELECT databuild.remake(ARRAY['daily/1'], 'better')");
comes("SELECT reason || ' ' || t.state FROM databuild.taints t JOIN databuild.taint_partitions USING (taint_id) WHERE ref = 'daily/1'",
	'public.north: better active', 'tainted there, tainted here, with the reason');
is($s->must("SELECT state FROM databuild.partitions WHERE ref = 'daily/1'"), 'tainted', 'it waits for the leader');
is($s->must("SELECT state FROM databuild.partitions WHERE ref = 'report/1'"), 'live', 'what was made of it is not tainted unless asked for');
north_works($n);
comes("SELECT string_agg(ref || ' ' || input, ', ') FROM databuild.stale_partitions", 'report/1 daily/1', 'made anew there: a new instance, and what was made of the old one is stale');
isnt($s->must($known), $old, 'of another instance');

my $instance = $s->must("SELECT live_run_id FROM databuild.partitions WHERE ref = 'daily/2'");
my $taint = $n->must("SELECT databuild.taint(ARRAY['daily/2'], 'wrong units')");

comes("SELECT state FROM databuild.partitions WHERE ref = 'daily/2'", 'tainted', 'tainted again');
$n->must("SELECT databuild.cancel_taint($taint)");
comes("SELECT state || live_run_id FROM databuild.partitions WHERE ref = 'daily/2'", "live$instance", 'taken back there: the same instance is live here');
$n->must("SELECT databuild.forget(ARRAY['daily/0'], 'disk lost')");
comes("SELECT p.state || ', ' || t.reason FROM databuild.partitions p JOIN databuild.taint_partitions USING (ref) JOIN databuild.taints t USING (taint_id) WHERE p.ref = 'daily/0'",
	'tainted, public.north: disk lost', 'forgotten there, tainted here');

$s->must("DROP TRIGGER follow ON north");
$s->must("CREATE TRIGGER follow AFTER INSERT OR UPDATE ON north FOR EACH ROW EXECUTE FUNCTION databuild.follow_row('true')");
$s->must('ALTER TABLE north ENABLE ALWAYS TRIGGER follow');
$taint = $n->must("SELECT databuild.taint(ARRAY['daily/2'], 'wrong units')");
comes("SELECT string_agg(state, ' ') FROM databuild.partitions WHERE ref IN ('daily/2', 'report/2') GROUP BY state <> 'live'", 'tainted upstream_building',
	'with the argument true, what was made of it is tainted along, and waits, since it is wanted');
$n->must("SELECT databuild.cancel_taint($taint)");
comes("SELECT state FROM databuild.partitions WHERE ref = 'daily/2'", 'live', 'taken back');

# ----- what the role may ---------------------------------------------------------------------------------------------

my $role = session_of($north);

$role->must('SET ROLE south');
is($role->ask($_)->{state}, '42501', "the follower's role may not: $_") foreach 'SELECT * FROM databuild.partitions', "SELECT databuild.publish(ARRAY['daily/1'])",
	"SELECT databuild.cancel_want(1)", "SELECT databuild.claim('x')", 'DELETE FROM north', "INSERT INTO daily VALUES ('x', '2012-01-01')";
$role->hang_up;

# ----- everything breaks ---------------------------------------------------------------------------------------------

my $over = time + 12;
my $worker = in_child(sub
{
	my $session = session_of($north);
	my $day = 100;

	while (time < $over)
	{
		my $refs = join ',', map { "'daily/" . ($day + $_) . "'" } 0 .. 9;

		# acknowledged or not, what counts is what is in the leader in the end
		eval { $session->must("SELECT databuild.remake(ARRAY[$refs])"); north_works($session); $day = 100 + ($day + 7) % 200; 1 }
			or do { $session->ask('ROLLBACK'); sleep 0.2; };
	}
});

sleep 1.5;
$n->hang_up;
$s->hang_up;
$south->stop('immediate');
sleep 1;
$south->start;
sleep 1;
$north->safe_psql('postgres', 'SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
sleep 1;
$north->stop('immediate');
sleep 0.5;
$north->start;
sleep 1;
$south->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE 'logical replication%'");
sleep 1;
$north->restart;
is(reap([$worker]), 0, 'the worker went on');
$n->must("SELECT databuild.succeed(run_id) FROM databuild.claim('last', max_runs => 100)");
$n->must("SELECT databuild.publish(ARRAY['daily/last'])");
comes("SELECT state FROM databuild.partitions WHERE ref = 'daily/last'", 'live', 'what came last is there');

sub instances
{
	return [ $n->must("SELECT ref, run_id FROM databuild.instances WHERE state = 'live' AND ref ~ '^daily/' AND ref <> 'daily/bad' ORDER BY 1, 2") ];
}

sub published
{
	return [ $s->must("SELECT refs[1], body -> 'metadata' ->> 'instance' FROM databuild.events WHERE kind = 'published' ORDER BY 1, (body -> 'metadata' ->> 'instance')::bigint") ];
}

my $all = instances();

cmp_ok(scalar @$all, '>', 200, 'there was much (' . @$all . ' instances)');
is_deeply(published(), $all, 'each instance came, and once');

sub live_of
{
	my ($session) = @_;

	return [ $session->must("SELECT ref FROM databuild.partitions WHERE ref ~ '^daily/' AND state = 'live' ORDER BY 1") ];
}

is_deeply(live_of($s), live_of($n), 'the same are live');
is_deeply([ $s->must('SELECT * FROM daily ORDER BY 1, 2') ], [ $n->must('SELECT * FROM daily ORDER BY 1, 2') ], 'with the same rows');

# ----- a subscription made anew, after changes that it missed --------------------------------------------------------

$s->must('DROP SUBSCRIPTION from_north');
$n->must("SELECT databuild.taint(ARRAY['daily/last'], 'missed')");
$n->must("SELECT databuild.publish(ARRAY['daily/0', 'daily/new'])");
$s->must('TRUNCATE north, daily');
$s->must($follow->{sql} =~ /^(CREATE SUBSCRIPTION .*);$/m);
comes("SELECT string_agg(state, ' ' ORDER BY ref) FROM databuild.partitions WHERE ref IN ('daily/0', 'daily/last', 'daily/new')", 'live tainted live', 'what was missed is made up for');
is_deeply(published(), instances(), 'and nothing was published twice');

sound($north, 'leader');
sound($south, 'follower');
$north->safe_psql('postgres', 'DROP TABLE north CASCADE');
$north->safe_psql('postgres', "SELECT databuild.publish(ARRAY['daily/after'])");
pass('without the table, the leader goes on');
no_crash($_, $_->name) foreach $north, $south;
$_->hang_up foreach $n, $s;
$south->stop('immediate');
$north->stop;
done_testing();
