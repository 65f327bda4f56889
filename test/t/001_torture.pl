# Sixteen sessions make calls at random while backends die, statements are canceled and the server stops at once: no
# update is lost, nothing is built twice, no event is skipped, nothing is stuck.
#
# DATABUILD_SECONDS, DATABUILD_SESSIONS, DATABUILD_SEED; see test/README.md.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Databuild;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Traffic;

my $SECONDS  = setting('SECONDS', 12);
my $SESSIONS = setting('SESSIONS', 16);
my $SEED     = setting('SEED', int(time) % 1_000_000);

my $dir   = PostgreSQL::Test::Utils::tempdir();
my $node  = cluster('torture');
my $until = time + $SECONDS;
my @books = map { "$dir/book.$_" } 1 .. $SESSIONS;
my %done  = map { $_ => 0 } qw(terminate cancel crashes resolved verified);

# Follows the log, also through crashes, until it has been told that all is over and finds nothing more.
sub follow
{
	my $reader = session_of($node, name => 'follower');
	my $after = 0;

	open my $out, '>', "$dir/followed" or die;
	while (getppid() > 1)
	{
		my $over = -e "$dir/over";
		my $answer = $reader->ask("SELECT event_id FROM databuild.read_events($after, " . (1 + int rand 1000) . ')');
		my @ids = map { $_->[0] } @{ $answer->{rows} };

		sleep 0.02 if !@ids;
		next if $answer->{state} ne '00000';
		print {$out} map { "$_\n" } @ids;
		$after = $ids[-1] if @ids;
		last if $over && !@ids;
	}
	close $out or die;
	return;
}

sub harass
{
	my ($control) = @_;
	my $what = chance(40) ? 'terminate' : 'cancel';
	my $hit = $control->ask("SELECT pg_${what}_backend(pid) FROM pg_stat_activity WHERE application_name = 'traffic' AND state <> 'idle' ORDER BY random() LIMIT 1");

	$done{$what}++ if @{ $hit->{rows} };
	return;
}

# State = fold(log) in every snapshot, also in the middle of it all; and what holds of the tables does so, too.
sub verify_meanwhile
{
	my ($control) = @_;

	$done{verified}++;
	return map { ($_->{error} || (), map { "@$_" } @{ $_->{rows} }) } $control->ask(map { "SELECT * FROM databuild.$_() LIMIT 3" } qw(verify check_invariants));
}

# The time is over, and on a machine that is busy otherwise, as much has happened as else, and each call has worked: or
# five times the time is over.
sub enough
{
	my ($control) = @_;
	my $over = time >= $until + 4 * $SECONDS;

	return 0 if time < $until;
	$over ||= ($control->ask('SELECT count(*) FROM databuild.event')->{rows}[0][0] // 0) > 100 * $SECONDS && never_worked(@books) eq '';
	append_to_file("$dir/enough", 'x') if $over;
	return $over;
}

sub torment
{
	my $control = session_of($node, name => 'control');
	my $next_crash = time + $SECONDS / 5;
	my $next_verify = time + $SECONDS / 6;
	my @wrong;

	while (!enough($control))
	{
		harass($control) if chance(80);
		$done{resolved} += end_prepared($control, '0.4 s');
		if (time > $next_verify)
		{
			push @wrong, verify_meanwhile($control);
			$next_verify = time + $SECONDS / 6;
		}
		if (time > $next_crash && time < $until - 2)
		{
			$control->hang_up;
			$node->stop('immediate');
			sleep rand 0.3;
			$node->start;
			$done{crashes}++;
			$next_crash = time + $SECONDS / 5;
		}
		sleep 0.1;
	}
	return @wrong;
}

define_world($node);
my @follower = in_child(\&follow);
my @sessions = map { my $number = $_;
	in_child(sub { traffic(node => $node, number => $number, seed => $SEED, book => $books[ $number - 1 ], over => sub { -e "$dir/enough" }) }) } 1 .. $SESSIONS;
my @meanwhile = torment();
my $control = session_of($node);

is(reap(\@sessions, sub { end_prepared($control, '0 s') }), 0, 'all sessions came to their end');
end_prepared($control, '0 s');
append_to_file("$dir/over", 'x');
is(reap(\@follower), 0, 'so did the follower');
note(join ' ', map { "$_ $done{$_}" } sort keys %done);
is(some_of(10, @meanwhile), '', 'verify() and check_invariants() were empty in the middle of it, too');

is(books($node, $dir, @books), '', 'no errors but those that may be');
is(never_worked(@books), '', 'every call has worked');
no_crash($node, 'torture');
if (!sound($node, 'afterwards'))
{
	diag('the rest is not tried, so that the state can be looked at: start a server in ' . $node->data_dir);
	$node->stop;
	done_testing();
	exit;
}
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM databuild.event'), '>', 100 * $SECONDS, 'much has happened');
broken_promises($node);
$node->safe_psql('postgres', "CREATE TABLE followed (n serial, event_id bigint); COPY followed (event_id) FROM '$dir/followed'");
none($node, 'read_events skipped nothing, doubled nothing, and kept the order', <<'SQL');
SELECT * FROM followed AS f FULL JOIN (SELECT row_number() OVER (ORDER BY event_id) AS n, event_id FROM databuild.event) AS e ON e.event_id = f.event_id
WHERE f.n IS DISTINCT FROM e.n
SQL

my $before = relations($node);

$node->safe_psql('postgres', 'SELECT databuild.replay()');
same_relations($before, relations($node), 'after a replay the relations are the same, row for row');
sound($node, 'replayed');

ends_well($node);
no_crash($node, 'in the end');
$node->stop;
done_testing();
