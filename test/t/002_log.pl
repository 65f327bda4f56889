# The log is a linearisation: what sixteen sessions made of it, a replay makes again, row for row; and who follows it
# with read_events gets every event once and in order, however late and out of order the sessions commit.
#
# DATABUILD_EVENTS, DATABUILD_SESSIONS, DATABUILD_SEED; see test/README.md.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Databuild;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use Traffic;

my $EVENTS   = setting('EVENTS', 100_000);
my $SESSIONS = setting('SESSIONS', 16);
my $SEED     = setting('SEED', int(time) % 1_000_000);

my $dir  = PostgreSQL::Test::Utils::tempdir();
my $node = cluster('log');

sub over
{
	return -e "$dir/over";
}

# Many events in one transaction that stays open for a while, so that others with greater numbers commit before it;
# some are rolled back, and some wait prepared.
sub bulk
{
	my ($session) = @_;
	my $many = 20 + int rand 60;
	my $name = 'x/' . int rand 1_000_000_000;
	my ($end) = some(1, ('COMMIT') x 8, 'ROLLBACK', 'PREPARE');
	my @last = $end eq 'PREPARE' ? ("PREPARE TRANSACTION '$name'", sprintf('SELECT pg_sleep(%.3f)', rand 0.2), "COMMIT PREPARED '$name'") : ($end);

	$session->ask('BEGIN', "SELECT databuild.publish(ARRAY['$name/' || i]) FROM generate_series(1, $many) AS i",
		(chance(50) ? sprintf('SELECT pg_sleep(%.3f)', rand 0.2) : ()), @last);
	return;
}

# A reader: at most so many events at a time.
sub read_all
{
	my ($name, $most) = @_;
	my $reader = session_of($node, name => $name);
	my $after = 0;

	open my $out, '>', "$dir/$name" or die;
	while (getppid() > 1)
	{
		my $over = -e "$dir/read_to_the_end";
		my @ids = map { $_->[0] } $reader->must("SELECT event_id FROM databuild.read_events($after, " . (1 + int rand $most) . ')');

		print {$out} map { "$_\n" } @ids;
		$after = $ids[-1] if @ids;
		last if $over && !@ids;
		sleep 0.01 if !@ids;
	}
	close $out or die;
	return;
}

define_world($node);
my %readers = (small => 200, large => 10_000);
my @readers = map { my $name = $_; in_child(sub { read_all($name, $readers{$name}) }) } sort keys %readers;
my @sessions = map { my $number = $_;
	in_child(sub { traffic(node => $node, number => $number, seed => $SEED, book => "$dir/book.$number", over => \&over, breath => 0, between => \&bulk) }) } 1 .. $SESSIONS;

# Late commits: at some moments a greater number is settled while a smaller one is not.
my $control = session_of($node);
my $late = 0;
my $count = 0;

while ($count < $EVENTS)
{
	$late += $control->must('SELECT databuild.horizon() < max(event_id) FROM databuild.event') eq 't';
	$count = $control->must('SELECT count(*) FROM databuild.event');
	sleep 0.2;
}
append_to_file("$dir/over", 'x');
is(reap(\@sessions, sub { end_prepared($control, '1 s') }), 0, 'all sessions came to their end');
append_to_file("$dir/read_to_the_end", 'x');
is(reap(\@readers), 0, 'both readers came to the end');
cmp_ok($late, '>', 0, "events with greater numbers were committed before others ($late times seen)");

my $wrong = books($node, $dir, map { "$dir/book.$_" } 1 .. $SESSIONS);

is($wrong, '', 'no errors but those that may be');
foreach my $name (sort keys %readers)
{
	$node->safe_psql('postgres', "CREATE TABLE $name (n serial, event_id bigint); COPY $name (event_id) FROM '$dir/$name'");
	none($node, "read_events, at most $readers{$name} at a time, skipped nothing, doubled nothing, and kept the order", <<"SQL");
SELECT * FROM $name AS f FULL JOIN (SELECT row_number() OVER (ORDER BY event_id) AS n, event_id FROM databuild.event) AS e ON e.event_id = f.event_id
WHERE f.n IS DISTINCT FROM e.n
SQL
}

sound($node, 'afterwards');
my $before = relations($node);

cmp_ok($node->safe_psql('postgres', 'SELECT databuild.replay()'), '>=', $EVENTS, 'as many events as were asked for');
same_relations($before, relations($node), 'after a replay the relations are the same, row for row');
sound($node, 'replayed');
no_crash($node, 'log');
$node->stop;
done_testing();
