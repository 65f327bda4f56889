# pg_upgrade in the middle of work, between two clusters of the version at hand: the new cluster has the same relations,
# row for row, and the work goes on in it.
#
# DATABUILD_SEED; see test/README.md.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Databuild;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use Traffic;

my $SEED = setting('SEED', int(time) % 1_000_000);

my $dir = PostgreSQL::Test::Utils::tempdir();
my $old = cluster('old');
my $new = cluster('new', bare => 1);
my $bin = $old->config_data('--bindir');

define_world($old);
want_all($old);
my $control = session_of($old);
my @held = hold_runs($control);
my $until = time + 3;
my @sessions = map { my $number = $_;
	in_child(sub { traffic(node => $old, number => $number, seed => $SEED, book => "$dir/book.$number", over => sub { time >= $until }) }) } 1 .. 6;

# pg_upgrade takes no cluster with prepared transactions
is(reap(\@sessions, sub { end_prepared($control, '1 s') }), 0, 'all sessions came to their end');
end_prepared($control, '0 s');
my $then = relations($old);

$control->hang_up;
$old->stop;
chdir $dir or die;
command_ok([ 'pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $bin, '-B', $bin, '-s', $new->host, '-p', $old->port, '-P', $new->port ], 'pg_upgrade');
$new->start;
same_relations($then, relations($new), 'the relations are those of the old cluster, row for row');
sound($new, 'upgraded');
report_held($new, 'postgres', @held);
ends_well($new);
no_crash($new, 'upgraded');
$new->stop;
done_testing();
