# Who schedules ticks and pruning as doc/operations.md says would find that neither happens.
#
# DATABUILD_CRON (on: pg_cron calls in background workers instead of connections); see test/README.md.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Databuild;
use PostgreSQL::Test::Utils;
use Test::More;

my $WORKERS = setting('CRON', 'off');

my $document = slurp_file("$FindBin::RealBin/../../doc/operations.md");
my ($pg_config) = $ENV{PG_CONFIG} // 'pg_config';
my $library = `$pg_config --pkglibdir` =~ s/\n//r . '/pg_cron.so';
my $cron = -e $library;
my $node = cluster('cron', bare => 1);

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_cron'\ncron.database_name = 'postgres'\ncron.host = '" . $node->host . "'\ncron.use_background_workers = $WORKERS\n") if $cron;
$node->start;

# The block of that language.
sub block
{
	my ($language) = @_;

	return $document =~ /^```\Q$language\E\n(.*?)^```$/ms ? $1 : die "doc/operations.md has no block $language\n";
}

# A database with a run whose lease has ended, in which something is older than 90 days.
sub app
{
	$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS app');
	$node->safe_psql('postgres', 'CREATE DATABASE app');
	$node->safe_psql('app', <<'SQL');
CREATE EXTENSION databuild;
SELECT set_config('databuild.now', (now() - interval '100 days')::text, false);
SELECT databuild.define_job('j', ARRAY['j/.*'], max_attempts => 1, lease => '1 s');
SELECT databuild.want(ARRAY['j/1']);
RESET databuild.now;
SELECT databuild.claim('w');
SELECT pg_sleep(1.1);
SQL
	return;
}

my $DONE = "SELECT (SELECT state FROM databuild.partitions WHERE ref = 'j/1') = 'failed' AND (SELECT count(*) FROM databuild.events WHERE kind = 'pruned') > 0";

# cron: what each line runs. Its times are five fields, and in cron a % would be the end of it.
app();
local $ENV{PGHOST} = $node->host;
local $ENV{PGPORT} = $node->port;
delete local $ENV{PGUSER};
foreach my $line (split /\n/, block('crontab'))
{
	like($line, qr/^(?:[\d*]+ +){5}postgres +psql [^%]+$/, 'a line of a crontab');
	my ($command) = $line =~ /^(?:\S+ +){6}(.*)/;
	my $said = `sh -c '@{[ $command =~ s|'|'\\''|gr ]}' 2>&1`;

	is("$? $said", '0 ', "it works and says nothing: $command");
}
is($node->safe_psql('app', $DONE), 't', 'cron: ticked and pruned');
sound($node, 'cron', 'app');

SKIP:
{
	skip "$library is not there: install postgresql-NN-cron to try pg_cron", 5 if !$cron;
	app();
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron');
	# at the next minute, not at night
	$node->safe_psql('postgres', block('sql pg_cron') =~ s/'30 3 /'* * /r);
	is($node->safe_psql('postgres', 'SELECT count(*) FROM cron.job WHERE active'), 2, 'pg_cron: two jobs');
	ok($node->poll_query_until('app', $DONE), 'pg_cron: ticked and pruned');
	ok($node->poll_query_until('postgres', "SELECT count(*) >= 2 AND bool_and(status = 'succeeded') FROM cron.job_run_details"), 'pg_cron: both succeeded')
		or diag($node->safe_psql('postgres', 'SELECT * FROM cron.job_run_details'));
	sound($node, 'pg_cron', 'app');
}
$node->stop;
done_testing();
