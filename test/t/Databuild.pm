# Databuild.pm - what the TAP tests share: clusters, sessions, processes, and the checks that end every test
#
# A session is one psql with pipes to it: a call costs a round trip, not a process. What happens at once happens in
# processes of their own (in_child), each with sessions of its own.

package Databuild;

use strict;
use warnings;

use Exporter 'import';
use IO::Handle;
use IPC::Open3;
use POSIX qw(:sys_wait_h);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

our @EXPORT = qw(cluster setting session_of in_child reap some_of none sound relations same_relations drain stuck no_crash);

# A broken connection shows as an answer.
$SIG{PIPE} = 'IGNORE';

# A parameter from the environment, DATABUILD_NAME, which is printed.
sub setting
{
	my ($name, $default) = @_;
	my $value = $ENV{"DATABUILD_$name"} // $default;

	note("DATABUILD_$name=$value");
	return $value;
}

# What the tests need of a server besides what PostgreSQL::Test::Cluster sets. That has fsync off: a commit that was
# acknowledged survives an immediate stop all the same, since the operating system goes on.
my $CONF = <<'EOC';
log_statement = none
log_replication_commands = off
log_min_messages = warning
max_connections = 60
max_prepared_transactions = 30
shared_buffers = 64MB
synchronous_commit = on
full_page_writes = off
deadlock_timeout = 200ms
autovacuum_naptime = 5s
jit = off
EOC

# A new server that runs, with the extension in the database postgres. init: for PostgreSQL::Test::Cluster->init;
# conf: more settings; bare: not started, no extension.
sub cluster
{
	my ($name, %how) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%{ $how{init} // {} }, extra => [ '--no-locale', '-E', 'UTF8' ]);
	$node->append_conf('postgresql.conf', $CONF . ($how{conf} // ''));
	return $node if $how{bare};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION databuild');
	return $node;
}

# ----- a session -------------------------------------------------------------------------------------------------

sub session_of
{
	my ($node, %how) = @_;

	return bless { connstr => $node->connstr($how{database} // 'postgres') . ' application_name=' . ($how{name} // 'test') }, 'Databuild';
}

sub connected
{
	my ($self) = @_;

	return 1 if $self->{pid};
	local $ENV{PGOPTIONS} = '-c client_min_messages=error';
	local $ENV{PGCONNECT_TIMEOUT} = 10;

	open my $null, '>>', '/dev/null' or die;
	$self->{pid} = open3($self->{to}, $self->{from}, '>&' . fileno($null), 'psql', '-XAtq', '-F', "\t", '-d', $self->{connstr});
	binmode $self->{$_}, ':utf8' foreach qw(to from);
	$self->ask('SELECT 1');
	return $self->{pid};
}

# For each SQL text an answer, { state, error, rows }. The state is "gone" if the connection broke before it came.
sub ask
{
	my ($self, @texts) = @_;
	my @answers;

	if ($self->connected)
	{
		print { $self->{to} } map { "$_;\n\\echo \@\@\@ :SQLSTATE :LAST_ERROR_MESSAGE\n" } @texts;
		$self->{to}->flush;
		push @answers, $self->one_answer foreach @texts;
		$self->hang_up if $answers[-1]{state} eq 'gone';
	}
	push @answers, { state => 'gone', error => 'no connection', rows => [] } while @answers < @texts;
	return wantarray ? @answers : $answers[-1];
}

sub one_answer
{
	my ($self) = @_;
	my @rows;

	while (defined(my $line = readline $self->{from}))
	{
		chomp $line;
		return { state => $1, error => $1 eq '00000' ? '' : $2, rows => \@rows }
			if $line =~ /^\@\@\@ (\S+) ?(.*)/;
		push @rows, [ split /\t/, $line, -1 ];
	}
	return { state => 'gone', error => 'the connection broke', rows => [] };
}

# One text that must work; its rows, or in scalar context the first column of the first.
sub must
{
	my ($self, $text) = @_;
	my $answer = $self->ask($text);

	die "$text: $answer->{state} $answer->{error}\n" if $answer->{state} ne '00000';
	return wantarray ? @{ $answer->{rows} } : ($answer->{rows}[0] // [])->[0];
}

sub hang_up
{
	my ($self) = @_;

	return if !$self->{pid};
	print { $self->{to} } "\\q\n";			# the end of the input is not seen while a child has the pipe, too
	close $self->{to};
	close $self->{from};
	waitpid $self->{pid}, 0;
	delete @$self{qw(pid to from)};
	return;
}

# ----- processes -------------------------------------------------------------------------------------------------

my %children;

# Runs the code in a process of its own, which ends without touching what belongs to the test.
sub in_child
{
	my ($code) = @_;
	my $pid = fork // die "cannot fork: $!";

	if ($pid == 0)
	{
		%children = ();
		$SIG{$_} = 'DEFAULT' foreach qw(INT TERM HUP __DIE__);
		my $worked = eval { $code->(); 1 };

		print {*STDERR} "child: $@" if !$worked;
		POSIX::_exit($worked ? 0 : 1);
	}
	$children{$pid} = 1;
	return $pid;
}

# Waits for the children, and does something now and then meanwhile; how many went wrong.
sub reap
{
	my ($pids, $meanwhile) = @_;
	my @left = @$pids;
	my $wrong = 0;

	while (@left)
	{
		foreach my $pid (@left)
		{
			next if waitpid($pid, WNOHANG) == 0;
			$wrong++ if $? != 0;
			delete $children{$pid};
		}
		@left = grep { $children{$_} } @left;
		$meanwhile->() if $meanwhile;
		sleep 0.05 if @left;
	}
	return $wrong;
}

END
{
	my $status = $?;

	kill 'KILL', keys %children if %children;
	$? = $status;
}

# ----- checks ----------------------------------------------------------------------------------------------------

sub some_of
{
	my ($most, @lines) = @_;

	return join "\n", @lines > $most ? (@lines[ 0 .. $most - 1 ], '... ' . @lines . ' in all') : @lines;
}

# A query that finds what must not be finds nothing.
sub none
{
	my ($node, $what, $sql, $database) = @_;

	return is(some_of(10, split /\n/, $node->safe_psql($database // 'postgres', $sql)), '', $what);
}

# State = fold(log), and the tables agree among themselves. True if so.
sub sound
{
	my ($node, $what, $database) = @_;

	return 2 == grep { none($node, "$what: $_() is empty", "SELECT * FROM databuild.$_()", $database) } qw(verify check_invariants);
}

# Everything that analysts see (but what was counted, which is no state), as lines, at a time of databuild's clock when all that ends has ended. begin: a
# statement before, such as one that takes a snapshot.
sub relations
{
	my ($node, %how) = @_;
	my $database = $how{database} // 'postgres';
	my @views = split /\n/, $node->safe_psql($database, <<'SQL');
SELECT viewname FROM pg_views WHERE schemaname = 'databuild' AND viewname NOT IN ('rights', 'stats', 'job_stats', 'partition_counts')
AND obj_description(format('databuild.%I', viewname)::regclass) NOT LIKE 'Internal%' ORDER BY 1
SQL
	my $all = join ' UNION ALL ', map { "SELECT '$_ ' || v::text FROM databuild.$_ AS v" } @views;

	die "no views\n" if @views < 10;
	return [ sort split /\n/, $node->safe_psql($database,
		($how{begin} // '') . "; SET TimeZone = 'UTC'; SET databuild.now = '2100-01-01 00:00:00+00'; $all") ];
}

sub same_relations
{
	my ($before, $after, $what) = @_;
	my %count;

	$count{$_}++ foreach @$before;
	$count{$_}-- foreach @$after;
	return is(some_of(20, map { ($count{$_} > 0 ? '- ' : '+ ') . $_ } sort grep { $count{$_} != 0 } keys %count), '',
		"$what (" . @$before . ' rows)');
}

# Works until there is nothing to do, with the clock set forward until nothing backs off. Returns how many runs.
sub drain
{
	my ($node, $database) = @_;
	my $session = session_of($node, database => $database);
	my $idle = 0;
	my $runs = 0;
	my $hours = 1;

	while ($idle < 3)
	{
		$session->must("SET databuild.now = '" . $session->must("SELECT now() + interval '$hours h'") . "'");
		my $moved = $session->must('SELECT lost_runs + expired_wants + cycles FROM databuild.tick()');
		my @run_ids = map { $_->[0] } $session->must("SELECT run_id FROM databuild.claim('drain', max_runs => 1000)");

		$session->must('SELECT databuild.succeed_many(ARRAY[' . join(',', @run_ids) . ']::bigint[])') if @run_ids;
		$runs += @run_ids;
		$idle = @run_ids || $moved ? 0 : $idle + 1;
		$hours += 2 if !@run_ids;
		die "there is always more to do\n" if $hours > 1000;
	}
	$session->hang_up;
	return $runs;
}

# After draining: what is wanted and not live must have, in why(), one of the causes that no worker mends.
sub stuck
{
	my ($node, $what, $database) = @_;
	my $causes = "'failed', 'cycle', 'no_job', 'waiting_for_publish'";

	return none($node, "$what: what is wanted and not live has a cause that is not about another partition", <<"SQL", $database);
SELECT p.ref, p.state, w.depth, w.partition, w.reason, w.detail
FROM (SELECT DISTINCT m.ref FROM databuild.want_partitions m JOIN databuild.wants w USING (want_id) WHERE w.ended_at IS NULL) AS m
JOIN databuild.partitions p ON p.ref = m.ref AND p.state <> 'live'
CROSS JOIN LATERAL (SELECT w.*, bool_or(w.reason IN ($causes)) OVER () AS has_cause FROM databuild.why(p.ref, 100, 1000) AS w) AS w
WHERE NOT w.has_cause OR w.reason NOT IN ($causes, 'waiting_for_upstream', 'upstream_failed')
SQL
}

# Neither a crash nor a deadlock in the server's log.
sub no_crash
{
	my ($node, $what) = @_;

	return is(some_of(10, grep { /PANIC|TRAP:|deadlock detected|terminated by signal (?!9:)/ } split /\n/, slurp_file($node->logfile)),
		'', "$what: no crash and no deadlock in the server's log");
}

1;
