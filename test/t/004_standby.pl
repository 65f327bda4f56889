# A standby answers why(), explain() and all relations as the primary does, while it writes nothing; and when the
# primary stops at once in the middle of work, it takes over with nothing lost that anybody was told.
#
# DATABUILD_SEED; see test/README.md.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Databuild;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Traffic;

my $SEED = setting('SEED', int(time) % 1_000_000);

my $dir     = PostgreSQL::Test::Utils::tempdir();
my $primary = cluster('primary', init => { allows_streaming => 1 }, conf => "max_standby_streaming_delay = -1\n");
my $standby = PostgreSQL::Test::Cluster->new('standby');

define_world($primary);
want_all($primary);
$primary->backup('base');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
# who is told of a commit can rely on the standby's having it
$primary->safe_psql('postgres', q(ALTER SYSTEM SET synchronous_standby_names = '*'; SELECT pg_reload_conf()));

# What is asked and only read, but for the relations themselves.
my %QUESTIONS = (
	why       => 'SELECT p.ref, w.* FROM databuild.partitions p CROSS JOIN LATERAL databuild.why(p.ref) AS w',
	why_then  => "SELECT p.ref, w.* FROM databuild.partitions p CROSS JOIN LATERAL databuild.why(p.ref, at => (SELECT max(recorded_at) FROM databuild.events)) AS w WHERE p.ref LIKE 'top/%'",
	explain   => 'SELECT p.ref, e FROM databuild.partitions p CROSS JOIN LATERAL databuild.explain(p.ref) AS e',
	why_want  => 'SELECT w.want_id, y.* FROM databuild.wants w CROSS JOIN LATERAL databuild.why_want(w.want_id) AS y WHERE w.ended_at IS NULL',
	lineage   => "SELECT p.ref, l.* FROM databuild.partitions p CROSS JOIN LATERAL (SELECT * FROM databuild.lineage(p.ref) UNION ALL SELECT * FROM databuild.lineage(p.ref, 'downstream')) AS l",
	plan      => 'SELECT l.* FROM (SELECT array_agg(ref) AS refs FROM databuild.partitions) AS p CROSS JOIN LATERAL databuild.plan(p.refs) AS l',
	state_at  => 'SELECT * FROM databuild.state_at((SELECT max(recorded_at) FROM databuild.events))',
);

sub answers
{
	my ($node, $question) = @_;

	return [ split /\n/, $node->safe_psql('postgres', "SET TimeZone = 'UTC'; SET databuild.now = '2100-01-01 00:00:00+00'; $QUESTIONS{$question}") ];
}

sub work_from
{
	my ($first, $over) = @_;

	return map { my $number = $_;
		in_child(sub { traffic(node => $primary, number => $number, seed => $SEED, book => "$dir/book.$number", over => sub { -e $over }, no_timeouts => 1) }) } $first .. $first + 5;
}

# In the middle of work the standby is sound at any moment.
my @sessions = work_from(1, "$dir/over");
my $looker = session_of($standby);
my @wrong;
my $looked = 0;
my $until = time + 3;

while (time < $until)
{
	push @wrong, map { ($_->{error} || (), map { "@$_" } @{ $_->{rows} }) } $looker->ask(map { "SELECT * FROM databuild.$_() LIMIT 3" } qw(verify check_invariants));
	$looked++;
	sleep 0.1;
}
is(some_of(10, @wrong), '', "verify() and check_invariants() were empty on the standby in the middle of work ($looked times)");
append_to_file("$dir/over", 'x');
my $control = session_of($primary);

is(reap(\@sessions, sub { end_prepared($control, '1 s') }), 0, 'all sessions came to their end');
$primary->wait_for_catchup('standby', 'replay', $primary->lsn('insert'));
same_relations(relations($primary), relations($standby), 'the standby has the relations of the primary, row for row');
foreach my $question (sort keys %QUESTIONS)
{
	my $answers = answers($primary, $question);

	cmp_ok(scalar @$answers, '>', 0, "$question has something to say");
	same_relations($answers, answers($standby, $question), "the standby answers $question as the primary does");
}
sound($standby, 'standby');
is($looker->ask('SELECT databuild.read_events()')->{state}, '55000', 'the standby refuses read_events()');
is($looker->ask("SELECT databuild.$_")->{state}, '25006', "the standby refuses $_") foreach "want(ARRAY['leaf/1'])", "claim('w')", 'tick()';

# The primary stops in the middle of work; its sessions go on in vain for a while.
@sessions = work_from(7, "$dir/over2");
sleep 2;
$primary->stop('immediate');
$looker->hang_up;
$standby->promote;
append_to_file("$dir/over2", 'x');
is(reap(\@sessions), 0, 'all sessions came to their end, some of them in the middle of a call');
$control = session_of($standby);
end_prepared($control, '0 s');

my $errors = books($standby, $dir, map { "$dir/book.$_" } 1 .. 12);

is($errors, '', 'no errors but those that may be');
sound($standby, 'promoted');
broken_promises($standby);
ends_well($standby);
no_crash($standby, 'promoted');
$standby->stop;
done_testing();
