# The past goes while everybody works: nobody waits for longer than a moment, nobody's call fails, the state stays what
# the log says, and what is left can be dumped, restored and replayed.
#
# DATABUILD_PRUNED (events to prune at least), DATABUILD_SEED; see test/README.md.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Databuild;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Traffic;

my $PRUNED = setting('PRUNED', 1_000_000);
my $SEED   = setting('SEED', int(time) % 1_000_000);
my $STALL  = 1;     # seconds that a call may take

my $dir  = PostgreSQL::Test::Utils::tempdir();
my $node = cluster('prune');

# Of the year's events, those that are on disk.
sub on_disk
{
	return $node->safe_psql('postgres', "SELECT count(*) FROM databuild.event WHERE recorded_at < '2021-01-01'");
}

# A year: each day of it a session publishes and builds, so that there is a log of which most is old. A month is
# pruned at its end, to begin with a part of the log for each.
$node->safe_psql('postgres', <<'SQL');
SET databuild.now = '2020-01-01';
SELECT databuild.define_source('feed', ARRAY['feed/.*']);
SELECT databuild.define_source('watch', ARRAY['watch/.*']);
SELECT databuild.define_job('daily', ARRAY['daily/(.*)'], inputs => ARRAY['feed/\1']);
CREATE PROCEDURE month(m int, days int, runs int) LANGUAGE plpgsql AS $$
DECLARE
	ids bigint[];
BEGIN
	FOR d IN 1 .. days LOOP
		PERFORM set_config('databuild.now', (timestamptz '2020-01-01' + (m * 30 + d) * interval '1 day')::text, false);
		PERFORM databuild.publish(ARRAY['feed/' || n % 20]) FROM generate_series(1, runs) AS n;
		PERFORM databuild.want(array_agg('daily/' || n % 20 || '/' || m)) FROM generate_series(1, 20) AS n;
		PERFORM databuild.publish(array_agg('feed/' || n % 20 || '/' || m)) FROM generate_series(1, 20) AS n;
		PERFORM databuild.succeed(run_id) FROM databuild.claim('w', max_runs => 1000);
		COMMIT;
	END LOOP;
END $$;
SQL
my $per_day = int($PRUNED / 330) + 1;
my $began = time;

# As many parts as there can be come of prunes that keep a year.
foreach my $month (0 .. 10)
{
	$node->safe_psql('postgres', "CALL month($month, 30, $per_day)");
	$node->safe_psql('postgres', "SET databuild.now = '2020-12-31'; CALL databuild.prune('2020-01-01')") if $month % 2;
}
my $events = on_disk();
note(sprintf '%d events in %.0f s', $events, time - $began);
cmp_ok($events, '>=', $PRUNED, 'there is a log');
cmp_ok($node->safe_psql('postgres', 'SELECT count(DISTINCT tableoid) FROM databuild.event'), '>', 3, 'in several parts');

# Sessions at work, as they are everywhere, and one that measures how long a small call takes.
define_world($node);
want_all($node);
my @sessions = map { my $number = $_;
	in_child(sub { traffic(node => $node, number => $number, seed => $SEED, book => "$dir/book.$number", over => sub { -e "$dir/over" }) }) } 1 .. 4;
push @sessions, in_child(sub {
	my $session = session_of($node, name => 'stopwatch');
	my $longest = 0;

	open my $out, '>', "$dir/stopwatch" or die;
	for (my $n = 0; !-e "$dir/over"; $n++)
	{
		my $at = time;

		$session->must("SELECT databuild.want(ARRAY['watch/$n'])") if $n % 3 == 0;
		$session->must('SELECT databuild.tick()') if $n % 3 == 1;
		$session->must("SELECT databuild.publish(ARRAY['feed/watch'])") if $n % 3 == 2;
		print {$out} time - $at, "\n";
		sleep 0.005;
	}
	close $out or die;
});
sleep 1;

# In the middle of it verify() is empty, too, whatever step has just been made.
my $prune = in_child(sub { $node->safe_psql('postgres', "CALL databuild.prune('2020-12-01')"); append_to_file("$dir/pruned", 'x') });
my (@wrong, $looked);
my $control = session_of($node);

$began = time;
while (!-e "$dir/pruned" && time < $began + 600)
{
	my $answer = $control->ask('SELECT * FROM databuild.verify() LIMIT 3');

	push @wrong, $answer->{error} || (), map { "@$_" } @{ $answer->{rows} };
	$looked++;
	sleep 1;
}
note(sprintf 'pruned in %.1f s, verified %d times meanwhile', time - $began, $looked);
is(reap([$prune]), 0, 'prune() came to its end');
is(some_of(10, @wrong), '', "verify() was empty meanwhile ($looked times)");
sleep 1;
append_to_file("$dir/over", 'x');
is(reap(\@sessions, sub { end_prepared($control, '1 s') }), 0, 'all sessions came to their end');

my $wrong = books($node, $dir, map { "$dir/book.$_" } 1 .. 4);
my @times = sort { $a <=> $b } split /\n/, slurp_file("$dir/stopwatch");

is($wrong, '', 'no errors but those that may be');
note(sprintf '%d calls, the longest took %.0f ms, 99 %% less than %.0f ms', scalar @times, $times[-1] * 1000, $times[ int(@times * 0.99) ] * 1000);
cmp_ok($times[-1], '<', $STALL, 'no call took longer than a second');
sound($node, 'pruned');
cmp_ok($node->safe_psql('postgres', 'SELECT max(upto) FROM databuild.pruned'), '>', 0, 'it says up to where');
is($node->safe_psql('postgres', "SELECT count(*) FROM databuild.events WHERE recorded_at < '2020-12-01'"), 0, 'nothing older is in the log');
cmp_ok($events - $node->safe_psql('postgres', "SELECT count(*) FROM databuild.events WHERE recorded_at < '2021-01-01'"), '>=', $PRUNED * 0.9, 'nearly all events of the year went');

# What could not be emptied while the sessions' snapshots were there is emptied now.
$node->safe_psql('postgres', "CALL databuild.prune('2020-12-01')");
cmp_ok(on_disk(), '<', $events / 5, 'most of what was pruned is gone from the disk, too');
my ($code, undef, $error) = $node->psql('postgres', 'SELECT * FROM databuild.read_events()');

like($error, qr/were pruned, up to event/, 'a follower from before it is told so');

# What is left can be replayed, dumped and restored, and pruned there.
my $then = relations($node);

$node->safe_psql('postgres', 'SELECT databuild.replay()');
same_relations($then, relations($node), 'after a replay the relations are the same, row for row');
sound($node, 'replayed');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump", 'postgres' ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'restored', "$dir/dump" ], 'pg_restore');
same_relations($then, relations($node, database => 'restored'), 'the restored relations are the same, row for row');
sound($node, 'restored', 'restored');
$node->safe_psql('restored', "SELECT databuild.publish(array_agg(ref)) FROM databuild.partitions WHERE ref LIKE 'watch/%'");
ends_well($node, 'restored');
$node->safe_psql('restored', "CALL databuild.prune('infinity')");
is($node->safe_psql('restored', 'SELECT kind FROM databuild.event'), 'pruned', 'all of it can be pruned there');
sound($node, 'restored and pruned', 'restored');
no_crash($node, 'in the end');
$node->stop;
done_testing();
