# The background worker that ticks: it ticks where it should, survives what goes wrong there, and stops when told to.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Databuild;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

# The library is named after its version.
my ($version) = slurp_file("$FindBin::RealBin/../../databuild.control") =~ /default_version = '(.*)'/;
my $node = cluster('ticker', conf => "shared_preload_libraries = '\$libdir/databuild-$version'\ndatabuild.tick_naptime = 1\n");

sub sql
{
	my ($database, @texts) = @_;

	return $node->safe_psql($database, join ';', @texts);
}

sub prepare
{
	my ($database) = @_;

	return sql($database, 'CREATE EXTENSION IF NOT EXISTS databuild', "SELECT databuild.define_job('j', ARRAY['j/.*'], max_attempts => 1)");
}

# A run whose lease has ended; nobody but the ticker can have given it up then.
my $number = 0;

sub lose
{
	my ($database) = @_;
	my $ref = 'j/' . ++$number;

	sql($database, "SELECT databuild.want(ARRAY['$ref'])", "SELECT * FROM databuild.claim('w', lease => '0.1 s')");
	return $ref;
}

sub given_up
{
	my ($database, $ref, $what) = @_;

	return ok($node->poll_query_until($database, "SELECT state = 'failed' FROM databuild.partitions WHERE ref = '$ref'"), $what);
}

sub kept
{
	my ($database, $ref, $what) = @_;

	sleep 2.5;
	return is(sql($database, "SELECT state FROM databuild.partitions WHERE ref = '$ref'"), 'building', $what);
}

sub settings
{
	my (%settings) = @_;

	sql('postgres', "ALTER SYSTEM SET databuild.$_ = '$settings{$_}'") foreach sort keys %settings;
	$node->reload;
	return;
}

sub ticker
{
	return sql('postgres', "SELECT coalesce(string_agg(pid::text, ' '), 'none') FROM pg_stat_activity WHERE backend_type = 'databuild ticker'");
}

sql('postgres', "CREATE DATABASE $_") foreach qw(other bare), '"Odd, name"';
prepare($_) foreach qw(postgres other);
kept('postgres', lose('postgres'), 'off by default, also where it is preloaded');

# on, at SIGHUP: in databases with the extension, without it, and that are not there
settings(tick_databases => 'postgres, other, bare, missing, "Odd, name"');
prepare('Odd, name');
given_up($_, lose($_), "it ticks in $_") foreach 'postgres', 'other', 'Odd, name';
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = \'databuild ticker\''), 'one process starts the ticks');
sql('postgres', 'CREATE DATABASE missing');
prepare('missing');
given_up('missing', lose('missing'), 'and in one that is made later');

# an error in the middle
sql('other', 'ALTER TABLE databuild.counted RENAME TO gone');
my $ref = lose('other');

given_up('postgres', lose('postgres'), 'where a tick fails in one database, others have theirs');
kept('other', $ref, 'the one that fails has done nothing');
like(slurp_file($node->logfile), qr/relation "databuild\.counted" does not exist/, 'the log of the server says why');
sql('other', 'ALTER TABLE databuild.gone RENAME TO counted');
given_up('other', $ref, 'once it is mended it goes on');
sql('other', 'DROP EXTENSION databuild');
given_up('postgres', lose('postgres'), 'the extension is dropped in one');
prepare('other');
given_up('other', lose('other'), 'and made again');

# one that is kept waiting
my $session = session_of($node, database => 'other');

$session->must($_) foreach 'BEGIN', 'LOCK TABLE databuild.job IN EXCLUSIVE MODE';
given_up('postgres', lose('postgres'), 'where one is kept waiting, others go on');
sleep 2;
is(sql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'databuild tick' AND datname = 'other'"), 1, 'there is one that waits, no more');
$session->must('COMMIT');
given_up('other', lose('other'), 'and it goes on');
$session->hang_up;

# other settings; a list that is none
settings(tick_databases => 'other');
sleep 1.5;
kept('postgres', lose('postgres'), 'a database that is taken from the list gets no more ticks');
given_up('other', lose('other'), 'one that is left does');
my ($code, undef, $error) = $node->psql('postgres', q(ALTER SYSTEM SET databuild.tick_databases = 'a, "b'));

like($error, qr/names of databases with commas/, 'a list that is none is refused');
$node->psql('postgres', 'DROP DATABASE missing');
is(sql('postgres', "SELECT count(*) FROM pg_database WHERE datname = 'missing'"), 0, 'a database can be dropped');

# who ends the ticker, gets a new one; the server does not
my $pid = ticker();

sql('postgres', "SELECT pg_terminate_backend($pid)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'databuild ticker' AND pid <> $pid"), 'it is started again');
given_up('other', lose('other'), 'and ticks');
sound($node, $_, $_) foreach qw(postgres other);
my $began = time;

$node->stop('fast');
cmp_ok(time - $began, '<', 5, 'the server stops');

# neither is there where it is not preloaded
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->start;
is(ticker(), 'none', 'no process where it is not preloaded');
kept('other', lose('other'), 'nor a tick');
no_crash($node, 'in the end');
$node->stop;
done_testing();
