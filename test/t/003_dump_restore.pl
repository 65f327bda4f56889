# pg_dump in the middle of work: the restored database has the state of the dump's snapshot, row for row, and the work
# goes on in it.
#
# DATABUILD_SEED; see test/README.md.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Databuild;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Traffic;

my $SEED = setting('SEED', int(time) % 1_000_000);

my $dir  = PostgreSQL::Test::Utils::tempdir();
my $node = cluster('dump');

$node->safe_psql('postgres', 'CREATE ROLE analyst; GRANT USAGE ON SCHEMA databuild TO analyst; GRANT SELECT ON databuild.partitions TO analyst');
define_world($node);
want_all($node);
my $control = session_of($node);
my @held = hold_runs($control);
my @sessions = map { my $number = $_;
	in_child(sub { traffic(node => $node, number => $number, seed => $SEED, book => "$dir/book.$number", over => sub { -e "$dir/over" }) }) } 1 .. 6;

sleep 2;

# One snapshot for the dump and for what it is compared with.
my (undef, $exported) = $control->ask('BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT pg_export_snapshot()');
my $snapshot = $exported->{rows}[0][0];
my $then = relations($node, begin => "BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '$snapshot'");

$node->command_ok([ 'pg_dump', '-Fc', "--snapshot=$snapshot", '-f', "$dir/dump", 'postgres' ], 'pg_dump');
$control->must('COMMIT');
isnt(some_of(1, @{ relations($node) }), '', 'the database is there still');
append_to_file("$dir/over", 'x');
is(reap(\@sessions, sub { end_prepared($control, '1 s') }), 0, 'all sessions came to their end');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM databuild.event'), '>', scalar(grep { /^events / } @$then), 'work went on after the snapshot');
sound($node, 'dumped');

$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-j2', '-d', 'restored', "$dir/dump" ], 'pg_restore');
same_relations($then, relations($node, database => 'restored'), 'the relations are those of the snapshot, row for row');
sound($node, 'restored', 'restored');
is($node->safe_psql('restored', "SELECT has_table_privilege('analyst', 'databuild.partitions', 'SELECT')"), 't', 'who might read may read');

report_held($node, 'restored', @held);
is($node->safe_psql('restored', "SELECT databuild.want(ARRAY['leaf/10'], key => 'new') > max(want_id) FROM databuild.want"), 't', 'numbers go on');
ends_well($node, 'restored');
no_crash($node, 'dump');
$node->stop;
done_testing();
