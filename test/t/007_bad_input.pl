# Whatever a caller hands in, he gets a right result, or an error with an SQLSTATE that the function's COMMENT names;
# never a crash, never half a change, and the session works as before.
#
# DATABUILD_CALLS, DATABUILD_REFS, DATABUILD_MB, DATABUILD_SEED; see test/README.md.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Databuild;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $CALLS = setting('CALLS', 1500);
my $REFS  = setting('REFS', 20_000);
my $MB    = setting('MB', 50);
my $SEED  = setting('SEED', int(time) % 1_000_000);

srand $SEED;

my $node = cluster('bad_input', conf => "statement_timeout = '60 s'\nlog_min_messages = fatal\n");
my $session = session_of($node);
my $began = time;

sub lap
{
	return note(sprintf '%s: %.1f s', $_[0], time - $began);
}

# ----- a world in which each argument can be right ---------------------------------------------------------------

$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION answers(ref text) RETURNS text[] LANGUAGE sql AS 'SELECT ARRAY[''leaf/2'']';
CREATE FUNCTION breaks(ref text) RETURNS text[] LANGUAGE plpgsql AS 'BEGIN RETURN ARRAY[''leaf/2'', NULL]; END';
CREATE TABLE rows_of (a text, b int);
CREATE TABLE parts (a text) PARTITION BY LIST (a);
CREATE VIEW a_view AS SELECT 1 AS a;
CREATE ROLE bound LOGIN;
CREATE ROLE nobody LOGIN;
SELECT databuild.track('rows_of', 'src/{b}');
SELECT databuild.define_source('src', ARRAY['src/.*']);
SELECT databuild.define_job('leaf', ARRAY['leaf/(.*)'], batch_size => 3, lease => '1 h', max_attempts => 100);
SELECT databuild.define_job('mid', ARRAY['mid/(.*)'], inputs => ARRAY['leaf/\1', 'src/1'], lease => '1 h');
SELECT databuild.define_job('pair', ARRAY['pair/(.*)/[xy]'], outputs => ARRAY['pair/\1/x', 'pair/\1/y'], max_running => 2, lease => '1 h');
SELECT databuild.define_job('old', ARRAY['old/.*'], inputs_function => 'answers(text)');
SELECT databuild.want(ARRAY(SELECT 'leaf/' || i FROM generate_series(1, 40) AS i));
SELECT databuild.want(ARRAY['mid/1', 'mid/99', 'pair/1/x', 'pair/2/y'], key => 'taken');
SELECT databuild.publish(ARRAY['src/1', 'src/2']);
SELECT databuild.claim('w', max_runs => 6);
SELECT databuild.succeed(min(run_id)) FROM databuild.job_runs WHERE state = 'running';
SELECT databuild.fail(min(run_id), 'no') FROM databuild.job_runs WHERE state = 'running';
SELECT databuild.miss(min(run_id), ARRAY['none/1']) FROM databuild.job_runs WHERE state = 'running';
SELECT databuild.taint(ARRAY['src/2'], 'bad');
SELECT databuild.grant_worker('bound', ARRAY['mid']);
SQL

# By an argument's name or type, as SQL. {run} and {ended} are ids of runs.
my %GOOD = (
	label => "'leaf'", patterns => "'{leaf/(.*)}'::text[]", partitions => "'{leaf/1,leaf/2}'::text[]", partition => "'leaf/1'",
	worker => "'w'", jobs => "'{leaf}'::text[]", run_id => '{run}', run_ids => 'ARRAY[{run}]::bigint[]', missing => "'{none/2}'::text[]",
	want_id => '1', taint_id => '(SELECT min(taint_id) FROM databuild.taints)', reason => "'because'", tbl => "'rows_of'::regclass",
	ref_template => "'src/{b}'", direction => "'upstream'", role => "'bound'", timeout => "'1 ms'", at => 'now()', priority => '0',
	backoff => "'1 s'", lease => "'1 h'", classes => "'{}'::text[]", asked => "'leaf/1'", max_runs => '3',
	text => "'leaf/1'", 'text[]' => "'{leaf/1}'::text[]", bigint => '1', 'bigint[]' => "'{1,2}'::bigint[]", integer => '3',
	boolean => 'true', interval => "'1 s'", 'timestamp with time zone' => 'now()', jsonb => "'{}'", regprocedure => 'NULL',
	regclass => "'rows_of'", '"char"' => "'L'", oid => "'rows_of'::regclass", tid => "'(0,1)'",
);
my @LISTS = map { "($_)::text[]" } (
	'NULL', "'{}'", "'{NULL}'", "'{leaf/1,NULL}'", "'{{leaf/1},{leaf/2}}'", "'{{{{{{a}}}}}}'", "'[5:6]={leaf/1,leaf/2}'", "'[-2147483648:-2147483647]={leaf/1,leaf/3}'",
	"'{\"\"}'", "'{leaf/1,leaf/1,leaf/1}'", "ARRAY[repeat('x', 1025)]", "ARRAY['leaf/' || repeat('x', 1019)]", "ARRAY[repeat('ü', 512) || 'x']", "ARRAY[repeat('x', 1000000)]",
	"ARRAY[E'leaf/\\n']", "ARRAY[chr(127)]", "'{x}'", "ARRAY[chr(x'10FFFF'::int), chr(x'FEFF'::int), 'leaf/' || chr(x'202E'::int)]", "'{pair/1/x,mid/1}'", "'{mid/2,src/1,old/1}'",
	"ARRAY(SELECT 'leaf/' || i FROM generate_series(1, 2000) AS i)", "ARRAY(SELECT i::text FROM generate_series(1, 20000) AS i)",
	# as patterns and templates
	"'{(,leaf/.*}'", "'{a)|(b}'", "'{***=x}'", "'{(?q)x}'", "'{(?i)LEAF/.*}'", "'{(?x)leaf/.* # (}'", "'{(?}'", "'{(?i}'", "ARRAY[repeat('(', 3000) || repeat(')', 3000)]", "'{\"((x{1,255}){1,255}){1,255}\"}'",
	"'{\"\\\\\\\\\"}'", "ARRAY['\\']", "ARRAY['\\0']", "ARRAY['\\9']", "ARRAY['\\1\\1\\1\\1']", "ARRAY['\\&/x']", "ARRAY[repeat('\\&', 1024)]", "ARRAY[E'\\x01\\\\1']", "'{.*}'", "'{(.*)}'", "'{\"[[:<:]]\"}'", "ARRAY['\\y\\m\\M\\A\\Z']",
);
my %BAD = (
	text => [ 'NULL', "''", "' '", "repeat('x', 201)", "repeat('x', 1025)", "repeat('y', 5000000)", "E'a\\nb'", "chr(127)", "'\\'", "'{'", "'}'", "'{b'", "'{}'", "'{b}{nix}'", "'{{{b}}}'", "repeat('{b}', 2000)", "repeat('a', 500000)", "'%s%n%1000000d'", "chr(x'10FFFF'::int)",
		"'leaf'", "'src'", "'upstream'", "'downstream'", "'taken'", "'postgres'", "'nobody'", "'\"bound\"'", "\$\$'; DROP TABLE x; --\$\$", "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 300) AS i)" ],
	'text[]' => \@LISTS,
	bigint => [ 'NULL', '0', '-1', '1', '9223372036854775807', '-9223372036854775808', '4294967296', '{ended}', '{run}' ],
	'bigint[]' => [ map { "($_)::bigint[]" } 'NULL', "'{}'", "'{NULL}'", "'{{1},{2}}'", "'[-5:-4]={1,2}'", "'{-1,0,9223372036854775807,-9223372036854775808}'", 'ARRAY[{run},{run},{run}]', 'ARRAY[{ended},{run}]', "ARRAY(SELECT generate_series(1, 20000))" ],
	integer => [ 'NULL', '0', '-1', '1', '101', '-101', '1001', '10001', '2147483647', '-2147483648' ],
	boolean => [ 'NULL', 'true', 'false' ],
	interval => [ 'NULL', map { "'$_'" } '0', '1 microsecond', '-1 microsecond', '-178000000 years', '178000000 years', '2147483647 days', '-2147483648 days', '2562047788 hours', '-2562047788 hours', '1 month -31 days', '-1 month 31 days', '1000 years', '1001 years', '-12000 months 365000 days' ],
	'timestamp with time zone' => [ 'NULL', map { "'$_'" } 'infinity', '-infinity', '4714-11-24 00:00 BC', '294276-12-31', 'epoch', '2100-01-01' ],
	jsonb => [ 'NULL', "'null'", "'[]'", "'\"x\"'", "jsonb_build_object('', '')", "(repeat('[', 3000) || repeat(']', 3000))::jsonb", "to_jsonb(repeat('x', 2000000))" ],
	regprocedure => [ 'NULL', "'answers(text)'", "'breaks(text)'", "'length(text)'", "'regexp_split_to_array(text,text)'", "'regexp_split_to_table(text,text)'", "'count(\"any\")'", '0::regprocedure', '4294967295::regprocedure' ],
	regclass => [ 'NULL', '0::regclass', '4294967295::regclass', "'pg_class'", "'databuild.event'", "'databuild.partitions'", "'a_view'", "'parts'", "'pg_class_oid_index'", "'databuild.event_id_seq'" ],
	'"char"' => [ 'NULL', "''", "'x'", '(-1)::"char"' ],
	oid => [ 'NULL', '0', '4294967295', "'a_view'::regclass", "'pg_class_oid_index'::regclass" ],
	tid => [ 'NULL', "'(4294967295,65535)'", "'(0,0)'", "'(1000,1)'" ],
);

# All functions that can be called by name, with what their COMMENT says that they raise.
my @FUNCTIONS;
my %raises;

foreach ($session->must(<<'SQL'))
SELECT p.proname, p.prokind, replace(replace(obj_description(p.oid), E'\n', ' '), E'\t', ' '),
	(SELECT string_agg(p.proargnames[i] || '|' || format_type(p.proargtypes[i - 1], NULL), ';' ORDER BY i) FROM generate_series(1, p.pronargs) AS i)
FROM pg_proc p WHERE p.pronamespace = 'databuild'::regnamespace AND p.prorettype <> 'trigger'::regtype ORDER BY 1
SQL
{
	my ($name, $kind, $comment, $args) = @$_;
	my @args = map { [ split /\|/ ] } split /;/, $args;

	push @FUNCTIONS, { name => $name, kind => $kind, internal => scalar($comment =~ /^Internal/), args => \@args };
	$raises{$name}{$_} = 1 foreach $comment =~ /\b([0-9][0-9A-Z]{4})\b/g;
}
cmp_ok(scalar @FUNCTIONS, '>', 60, 'there are functions');

# What they raise by way of others, and what each may: a limit of PostgreSQL's, a time that is none, canceled, no right.
my %AS = (remake => ['want'], finish_and_claim => [ 'succeed_many', 'claim' ]);
my %ANY = map { $_ => 1 } qw(54000 22008 57014 42501);

sub may_raise
{
	my ($name, $state) = @_;

	return $ANY{$state} || grep { $raises{$_}{$state} } $name, @{ $AS{$name} // [] };
}

sub value
{
	my ($sql) = @_;
	my %id = (run => 'running', ended => 'dep_miss');

	$sql =~ s/\{(run|ended)\}/(SELECT min(run_id) FROM databuild.job_runs WHERE state = '$id{$1}')/g;
	return $sql;
}

# CALL takes no subqueries: their values then.
sub literal
{
	my ($sql) = @_;

	return $sql if $sql !~ /SELECT/;
	my $type = $sql =~ /::(\w+\[\])$/ ? $1 : 'bigint';
	return "'" . $session->must("SELECT ($sql)::text") . "'::$type";
}

sub call
{
	my ($function, @values) = @_;
	my $is_procedure = $function->{kind} eq 'p';
	my $args = join ', ', map { my $sql = value($values[$_]); "$function->{args}[$_][0] => " . ($is_procedure ? literal($sql) : $sql) } 0 .. $#values;

	return $is_procedure ? "CALL databuild.$function->{name}($args)" : "SELECT count(*) FROM databuild.$function->{name}($args)";
}

sub good { my ($arg) = @_; return $GOOD{ $arg->[0] } // $GOOD{ $arg->[1] } // die "no value for $arg->[0] $arg->[1]\n" }
sub bad { my ($arg) = @_; return $BAD{ $arg->[1] } // die "no bad values of type $arg->[1]\n" }

# The CPU time that the session's backend has taken.
my $backend = $session->must('SELECT pg_backend_pid()');

sub cpu
{
	my @stat = split / /, slurp_file("/proc/$backend/stat");

	return ($stat[13] + $stat[14]) / 100;
}

# The state after a call must be one that is documented; else it is told.
my %seen;

sub wrong
{
	my ($function, $call, $answer) = @_;
	my $state = $answer->{state};

	$seen{$state}++;
	return if $state eq '00000' || may_raise($function->{name}, $state);
	# what is internal need only not crash
	return if $function->{internal} && $state ne 'gone';
	return "$function->{name}: $state $answer->{error} by " . substr($call, 0, 300);
}

my $NO_REFS = q{SELECT left(ref, 80) FROM databuild.partitions WHERE ref ~ '[\x01-\x1f\x7f]' OR octet_length(ref) NOT BETWEEN 1 AND 1024};

# What a session has besides its data; and whether it works.
my $SELF = "SELECT current_user, current_setting('search_path'), current_setting('enable_seqscan'), current_setting('jit'), pg_backend_pid(), "
	. "(SELECT max(event_id) FROM databuild.events), (SELECT string_agg(label, ',' ORDER BY label) FROM databuild.jobs)";

# ----- every argument of every function, one bad at a time -------------------------------------------------------

my @wrong;
my $calls = 0;
my ($self) = map { join '|', @$_ } $session->must($SELF);

foreach my $function (@FUNCTIONS)
{
	my @good = map { good($_) } @{ $function->{args} };
	my @texts = (call($function, @good));

	foreach my $i (0 .. $#good)
	{
		push @texts, map { my @values = @good; $values[$i] = $_; call($function, @values) } @{ bad($function->{args}[$i]) };
	}
	foreach my $text (@texts)
	{
		my $is_procedure = $function->{kind} eq 'p';
		my $before = cpu();
		my @answers = $session->ask("SET statement_timeout = '" . ($is_procedure ? '200 ms' : '500 ms') . "'",
			$is_procedure ? $text : ('BEGIN', 'SAVEPOINT a', $text, "SELECT databuild.want('{leaf/new}')", $NO_REFS, 'ROLLBACK TO a', 'COMMIT'));
		my ($answer) = @answers[ $is_procedure ? 1 : 3 ];
		my $took = $answer->{state} eq 'gone' ? 0 : cpu() - $before;

		$calls++;
		push @wrong, wrong($function, $text, $answer) // ();
		push @wrong, "after that there is a ref \"$answers[5]{rows}[0][0]\": $text" if !$is_procedure && @{ $answers[5]{rows} };
		push @wrong, sprintf 'took %.1f s with a statement_timeout of half a second: %s', $took, substr $text, 0, 300 if $took > 1.5;
	}
	my ($after) = map { join '|', @{ $_->{rows}[0] // ['gone'] } } scalar $session->ask($SELF);

	# who prunes the log finds another newest event there
	$self =~ s/^((?:[^|]*\|){5})\d*/$1 . (split m{[|]}, $after)[5]/e if $function->{name} eq 'prune';
	push @wrong, "$function->{name} left behind: $after instead of $self" if $after ne $self;
	$self = $after;
}
note("$calls calls: " . join ', ', map { "$_ $seen{$_}" } sort keys %seen);
is(some_of(100, @wrong), '', 'each bad argument of each function is taken, or refused as documented');
cmp_ok($seen{'22023'}, '>', 300, 'many were refused');
lap('arguments');
sound($node, 'after bad arguments');

# ----- random calls, any number of arguments bad -----------------------------------------------------------------

# Some are rolled back with their savepoint, all others stay; some sessions are of roles with few rights.
my @public = grep { !$_->{internal} && $_->{kind} eq 'f' && $_->{name} !~ /^(replay|verify|check_invariants|net|net_dot|event_kinds|clock|grant_\w+|revoke_role)$/ } @FUNCTIONS;

%seen = ();
@wrong = ();
foreach my $n (1 .. $CALLS)
{
	my $function = $public[ rand @public ];
	my @values = map { my @bad = @{ bad($_) }; rand > 0.35 ? good($_) : $bad[ rand @bad ] } @{ $function->{args} };
	my $text = call($function, @values);
	my @role = rand > 0.15 ? () : ('SET LOCAL ROLE ' . (rand > 0.3 ? 'bound' : 'nobody'));
	my @around = rand > 0.3 ? ('BEGIN', @role, 'SAVEPOINT a') : ('BEGIN ISOLATION LEVEL ' . (rand > 0.5 ? 'SERIALIZABLE' : 'REPEATABLE READ'), @role, 'SAVEPOINT a');
	my @answers = $session->ask("SET statement_timeout = '1 s'", @around, $text, rand > 0.2 ? 'RELEASE a' : 'ROLLBACK TO a', 'ROLLBACK TO a', 'COMMIT');

	push @wrong, wrong($function, $text, $answers[ 1 + @around ]) // ();
	last if $answers[-1]{state} eq 'gone';
}
lap('random');
note("$CALLS random calls: " . join ', ', map { "$_ $seen{$_}" } sort keys %seen);
is(some_of(40, @wrong), '', 'random calls are taken, or refused as documented');
cmp_ok($seen{'00000'} // 0, '>', $CALLS / 20, 'many were taken');
$session->ask('ROLLBACK');
is(scalar $session->must('SELECT current_user'), $session->must('SELECT session_user'), 'the session is who it was');
sound($node, 'after random calls');
none($node, 'nothing is known that is no ref', $NO_REFS);
no_crash($node, 'bad arguments');

# ----- a new world: what is right at the edge --------------------------------------------------------------------

$session->must("SET client_min_messages = error; DROP EXTENSION databuild CASCADE; CREATE EXTENSION databuild; SET statement_timeout = '60 s'");

# Every character that is no control character, in refs of up to 1,024 bytes, through all of a build.
$session->must("SELECT databuild.define_job('u', ARRAY['u/(.*)'], inputs => ARRAY['t/\\1'], batch_size => 1000)");
$session->must("SELECT databuild.define_source('t', ARRAY['t/.*'])");
$session->must(<<'SQL');
CREATE TABLE unicode AS SELECT 'u/' || string_agg(chr(i), '' ORDER BY i) AS ref FROM generate_series(1, 1114111) AS i
WHERE i >= 32 AND i <> 127 AND i NOT BETWEEN 55296 AND 57343 GROUP BY i / 255
SQL
my $refs = 'ARRAY(SELECT ref FROM unicode)';
my $known = 'SELECT count(*) FROM databuild.partitions p JOIN unicode u ON p.ref = u.ref COLLATE "C" WHERE p.state =';
my $many = $session->must('SELECT count(*) FROM unicode');

is($session->must('SELECT sum(length(ref) - 2) FROM unicode'), 1_112_031, 'all of Unicode');
$session->must("SELECT databuild.want($refs)");
is($session->must("$known 'upstream_building'"), $many, '... is wanted');
$session->must("SELECT databuild.publish(ARRAY(SELECT 't' || substr(ref, 2) FROM unicode))");
is($session->must("$known 'queued'"), $many, '... goes through templates');
is($session->must("SELECT count(*) FROM databuild.claim('w', max_runs => 100) c, unnest(c.partitions) AS p(ref) JOIN unicode u ON u.ref = p.ref COLLATE \"C\""), $many, '... is claimed');
$session->must("SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'))");
is($session->must("$known 'live'"), $many, '... and made');
$session->must('DELETE FROM unicode WHERE left(md5(ref), 2) <> $$07$$ AND ref !~ $$\\\\$$');
$many = $session->must('SELECT count(*) FROM unicode');
is($session->must('SELECT count(*) FROM unicode u, databuild.why(u.ref) AS w WHERE w.partition = u.ref AND w.reason = $$live$$'), $many, 'why() knows it');
$session->must(q{SELECT databuild.define_job('q', ARRAY(SELECT regexp_replace('q' || substr(ref, 2), '([][(){}.*+?^$|\\\\#])', '\\\\\\1', 'g') FROM unicode))});
is($session->must("SELECT count(*) FROM databuild.plan(ARRAY(SELECT 'q' || substr(ref, 2) FROM unicode)) AS p WHERE p.outcome = 'queued'"), $many, 'patterns take it');

lap('unicode');
# Runs of others.
$session->must($_) foreach "SELECT databuild.define_job('a', ARRAY['a/.*'])", "SELECT databuild.define_job('b', ARRAY['b/.*'])",
	"SELECT databuild.grant_worker('bound', ARRAY['a'])", "SELECT databuild.want(ARRAY['a/1', 'b/1'])", "SELECT databuild.claim('w', ARRAY['b'])";
my $run = $session->must("SELECT max(run_id) FROM databuild.job_runs WHERE job = 'b'");
my $bound = session_of($node);

$bound->must('SET ROLE bound');
foreach my $report ("succeed($run)", "succeed($run, ARRAY['b/1'])", "succeed_many(ARRAY[$run])", "finish_and_claim(ARRAY[$run], 'w')", "fail($run, 'x')", "miss($run, ARRAY['a/1'])", "heartbeat(ARRAY[$run])",
	"claim('w', ARRAY['b'])", "cancel_run($run)", "want(ARRAY['b/2'])", "taint(ARRAY['b/1'], 'x')", "forget(ARRAY['b/1'], 'x')", "define_job('a', ARRAY['x'])")
{
	is($bound->ask("SELECT databuild.$report")->{state}, '42501', "$report is not for a worker of another job");
}
is($session->must("SELECT state FROM databuild.job_runs WHERE run_id = $run"), 'running', 'and the run goes on');

lap('others');
# What cannot be told by a look at a regular expression.
$session->must("SELECT databuild.define_job('c', ARRAY['(c*)(c*)(c*)(c*)(c*)d\\1\\2\\3\\4\\5!?c'])");
foreach my $timeout ('SELECT 1', "SET statement_timeout = '300 ms'")
{
	my ($before, $started) = (cpu(), time);
	my $other = fork;

	if (defined $other && $other == 0)
	{
		select undef, undef, undef, 0.3;
		$node->safe_psql('postgres', "SELECT pg_cancel_backend($backend)") if $timeout eq 'SELECT 1';
		POSIX::_exit(0);
	}
	is($session->ask($timeout, "SELECT databuild.want(ARRAY[repeat('c', 300) || 'd' || repeat('c', 300)])")->{state}, '57014', "a regular expression without end can be canceled ($timeout)");
	waitpid $other, 0;
	cmp_ok(cpu() - $before, '<', 1.3, sprintf '... within a second (%.2f s)', time - $started);
}
$session->must('SET statement_timeout = 0');

lap('regex');
# jsonb of many megabytes, and more than it can have.
my $big = "jsonb_build_object('x', repeat('ab', $MB * 500000))";

$session->must("SELECT databuild.define_job('big', ARRAY['big/.*'], config => $big)");
$session->must("SELECT databuild.want(ARRAY['big/1', 'big/2', 'big/3'])");
is($session->must("SELECT count(*) FROM databuild.claim('w', ARRAY['big'], 3) AS c WHERE length(c.config ->> 'x') = $MB * 1000000"), 3, "a config of $MB MB is handed out");
my @runs = map { $_->[0] } $session->must("SELECT run_id FROM databuild.job_runs WHERE job = 'big' ORDER BY 1");

$session->must("SELECT databuild.$_") foreach "succeed($runs[0], metadata => $big)", "fail($runs[1], 'x', metadata => '{}')", "miss($runs[2], ARRAY['none/1'], metadata => '[]')", "publish(ARRAY['t/big'], $big)";
is_deeply([ $session->must("SELECT length(metadata ->> 'x'), metadata ->> 'y' FROM databuild.job_runs WHERE run_id IN (" . join(',', @runs) . ') ORDER BY run_id') ],
	[ [ $MB * 1_000_000, '' ], [ '', '' ], [ '', '' ] ], 'metadata of as many are kept');
foreach my $call ("want(ARRAY['a/2'], comment => repeat('x', 270000000))", "define_job('big', ARRAY['big/.*', repeat('x', 270000000)])", "want(ARRAY['a/2'], key => repeat('x', 270000000))")
{
	my $answer = $session->ask("SELECT databuild.$call");

	like($answer->{state}, qr/^(54000|22023|2201B)$/, "270 MB are refused: $call");
	cmp_ok(length $answer->{error}, '<', 400, '... in few words');
}
is($session->must("SELECT count(*) FROM databuild.partitions WHERE ref = 'a/2'"), 0, 'nothing is left of it');

lap('jsonb');
# Very many refs.
my $list = "ARRAY(SELECT 'a/' || i FROM generate_series(1, $REFS) AS i)";

$session->must("SELECT databuild.want($list)");
is($session->must("SELECT total FROM databuild.wants ORDER BY want_id DESC LIMIT 1"), $REFS, "a want of $REFS refs");
is($session->must("SELECT count(*) FROM databuild.events WHERE cardinality(refs) > 10000"), 0, 'no event names more than 10,000');
$session->must("SELECT databuild.publish($list)");
is($session->must("SELECT state FROM databuild.wants ORDER BY want_id DESC LIMIT 1"), 'successful', '... is published');
is($session->ask("SELECT databuild.heartbeat(ARRAY(SELECT generate_series(1, $REFS))::bigint[])")->{state}, '42704', "$REFS runs");
is($session->ask("SELECT databuild.want($list || ''::text)")->{state}, '22023', 'one bad ref at the end of many');
lap('refs');
sound($node, 'in the end');
no_crash($node, 'in the end');
$_->hang_up foreach $session, $bound;
$node->stop;
done_testing();
