# Traffic.pm - sessions that make calls at random, write down what they were told, and can be held to it
#
# A small world of jobs in which everything meets: declared inputs, several outputs, limits, batches, short leases,
# circles, refs that no job makes. Each transaction makes one call under a tag of its own (after a savepoint that is
# rolled back perhaps another, under the tag "never"), and each session writes a book: a line a call, with ok, no, or
# maybe if the connection broke before the answer. broken_promises() compares the books with the log.
#
# The seed gives the calls, not their interleaving.

package Traffic;

use strict;
use warnings;

use Databuild;
use Exporter 'import';
use List::Util qw(min shuffle);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(define_world want_all traffic hold_runs report_held end_prepared books never_worked broken_promises ends_well chance some);

# Several definitions of each job, the first being the one that work goes on with in the end.
my %DEFINITIONS = (
	src  => ["define_source('src', ARRAY['src/\\d'])"],
	leaf => [
		"define_job('leaf', ARRAY['leaf/(\\d+)'], batch_size => 3, backoff => '30 ms', lease => '700 ms')",
		"define_job('leaf', ARRAY['leaf/(\\d+)'], batch_size => 1, backoff => '0', lease => '2 s')",
		"define_job('leaf', ARRAY['leaf/(1\\d+)'], batch_size => 3, backoff => '30 ms', lease => '700 ms')" ],
	mid => [
		"define_job('mid', ARRAY['mid/(\\d)(\\d)'], inputs => ARRAY['leaf/\\1', 'leaf/1\\2', 'src/\\1'], max_running => 3, backoff => '20 ms', lease => '500 ms')",
		"define_job('mid', ARRAY['mid/(\\d)(\\d)'], inputs => ARRAY['leaf/1\\1'], max_running => 2, backoff => '20 ms', lease => '500 ms')" ],
	pair => [
		"define_job('pair', ARRAY['pair/(\\d)/(?:x|y)'], outputs => ARRAY['pair/\\1/x', 'pair/\\1/y'], inputs => ARRAY['leaf/\\1'], backoff => '20 ms', lease => '500 ms')",
		"define_job('pair', ARRAY['pair/(\\d)/(?:x|y)'], outputs => ARRAY['pair/\\1/x', 'pair/\\1/y'], batch_size => 2, backoff => '50 ms', lease => '500 ms')",
		"define_job('pair', ARRAY['pair/(\\d)/(?:x|y)'], inputs => ARRAY['leaf/\\1', 'src/\\1'], max_running => 2, backoff => '50 ms', lease => '500 ms')" ],
	hub => [
		"define_job('hub', ARRAY['hub/(\\d)', 'spoke/(\\d)-\\d'], outputs => ARRAY['\\&', 'hub/\\1'], batch_size => 2, backoff => '20 ms', lease => '600 ms')",
		"define_job('hub', ARRAY['hub/(\\d)', 'spoke/(\\d)-\\d'], outputs => ARRAY['\\&', 'hub/\\1'], max_running => 1, backoff => '20 ms', lease => '600 ms')" ],
	top => ["define_job('top', ARRAY['top/(\\d)'], inputs => ARRAY['pair/\\1/x', 'spoke/\\1-1', 'mid/\\1\\1'], max_attempts => 2, backoff => '10 ms', lease => '1 s')"],
	ring => ["define_job('ring', ARRAY['ring/\\d'], max_running => 1, max_misses => 8, backoff => '10 ms', lease => '1 s')"],
	bulk => ["define_job('bulk', ARRAY['bulk/\\d+'], batch_size => 40, backoff => '10 ms', lease => '1 s')"],
	gone => [
		"define_job('gone', ARRAY['gone/\\d'], backoff => '10 ms', lease => '300 ms')",
		"define_job('gone', ARRAY['gone/[0-4]'], backoff => '10 ms', lease => '300 ms')" ],
);
my @JOBS = sort keys %DEFINITIONS;
my $LIMITS = "('mid', 3), ('ring', 1)";	# the greatest max_running of each

my @SOURCES = map { "src/$_" } 0 .. 5;
my @MADE = (
	(map { "leaf/$_" } 0 .. 19), (map { ("mid/$_$_", "mid/0$_", "mid/${_}3") } 0 .. 4), (map { ("pair/$_/x", "pair/$_/y") } 0 .. 4),
	(map { "hub/$_" } 0 .. 3), (map { my $hub = $_; map { "spoke/$hub-$_" } 0 .. 3 } 0 .. 3), (map { "top/$_" } 0 .. 4),
	(map { "ring/$_" } 0 .. 7));
my @REFS = (@MADE, @SOURCES, map { "gone/$_" } 0 .. 9);
my @UNMADE = ('nojob/1', 'nojob/2');

sub define_world
{
	my ($node, $database) = @_;

	$node->safe_psql($database // 'postgres', join ';', map { ("SELECT databuild.$DEFINITIONS{$_}[0]", "SELECT databuild.resume_job('$_')") } @JOBS);
	return;
}

# So that there is something to do.
sub want_all
{
	my ($node, $database) = @_;

	$node->safe_psql($database // 'postgres', 'SELECT databuild.remake(' . texts(@MADE) . ", 'once more')");
	return;
}

sub some
{
	my ($most, @from) = @_;

	return map { $from[ rand @from ] } 1 .. 1 + int rand $most;
}

sub texts
{
	return 'ARRAY[' . join(',', map { "'$_'" } @_) . ']::text[]';
}

sub ids
{
	return 'ARRAY[' . join(',', @_) . ']::bigint[]';
}

sub chance
{
	my ($of_hundred) = @_;

	return rand(100) < $of_hundred;
}

# ----- calls -----------------------------------------------------------------------------------------------------

# What the session knows: runs that it holds { id, refs }, wants, taints, and run ids of others.
my ($session, %mine);

# The calls, each with how often. A call is { op, sql, about (ids of what it names), ends (it is a report on runs),
# keep (what to do with its rows; gives what the book says of them) }.
my @CALLS = (
	[  20, \&claim ],
	[  14, sub { report('succeed') } ],
	[   5, sub { my @ids = map { $_->{id} } runs(4); { op => 'succeed_many', sql => 'succeed_many(' . ids(@ids) . ')', ends => 1, about => \@ids } } ],
	[   5, sub { report('fail') } ],
	[   8, sub { report('miss') } ],
	[   6, \&finish_and_claim ],
	[   3, sub { { op => 'heartbeat', sql => 'heartbeat(' . ids(map { $_->{id} } runs(3)) . ')' } } ],
	[   2, sub { report('cancel_run') } ],
	[  11, \&want ],
	[   1, sub { { op => 'want_key', sql => 'want(' . texts(map { "leaf/$_" } 1 .. 3) . ", key => '" . (chance(50) ? 'one' : 'two') . "', ttl => '1 s')" } } ],
	[   8, sub { on_one('wants', 'cancel_want') } ],
	[   1, sub { { op => 'retry_want', sql => 'retry_want(' . ($mine{wants}[ rand @{ $mine{wants} } ] // 1) . ')' } } ],
	[   3, sub { { op => 'retry', sql => 'retry(' . texts(some(6, @REFS)) . ')' } } ],
	[   5, sub { { op => 'taint', sql => 'taint(' . texts(some(5, @REFS)) . ', TAG, ' . (chance(20) ? 'true' : 'false') . ')', keep => sub { keep('taints', @_) } } } ],
	[   3, sub { on_one('taints', 'cancel_taint') } ],
	[   3, sub { { op => 'remake', sql => 'remake(' . texts(some(4, @MADE)) . ', TAG)', keep => sub { keep('wants', @_) } } } ],
	[   5, sub { { op => 'publish', sql => 'publish(' . texts(some(3, chance(80) ? @SOURCES : (@REFS, @UNMADE))) . ", jsonb_build_object('tag', TAG))" } } ],
	[   3, sub { { op => 'forget', sql => 'forget(' . texts(some(1, @REFS, (@SOURCES) x 10)) . ', TAG)' } } ],
	[   4, sub { { op => 'tick', sql => 'tick()' } } ],
	[ 0.5, sub { my $all = $DEFINITIONS{ $JOBS[ rand @JOBS ] }; { op => 'define', sql => $all->[ rand @$all ] } } ],
	[ 0.5, sub { { op => 'pause', sql => (chance(30) ? 'pause' : 'resume') . "_job('$JOBS[ rand @JOBS ]')" } } ],
	[ 0.2, sub { { op => 'drop', sql => "drop_job('gone')" } } ],
	[   3, sub { my ($ref) = some(1, @REFS); { op => 'read', sql => (chance(50) ? "why('$ref')" : chance(50) ? "explain('$ref')" : 'plan(' . texts($ref) . ')') } } ],
);
my $WEIGHTS = 0;

$WEIGHTS += $_->[0] foreach @CALLS;

sub pick_call
{
	my $at = rand $WEIGHTS;

	foreach my $call (@CALLS)
	{
		$at -= $call->[0];
		return $call->[1]->() if $at < 0;
	}
	return $CALLS[0][1]->();
}

# Some runs: mostly the session's own.
sub runs
{
	my ($most) = @_;
	my @own = shuffle @{ $mine{runs} };

	return @own[ 0 .. min($#own, $most - 1) ] if @own && chance(90);
	@{ $mine{others} } = map { $_->[0] } @{ $session->ask(q(SELECT run_id FROM databuild.job_runs WHERE worker <> 'held' ORDER BY run_id DESC LIMIT 40))->{rows} }
		if !@{ $mine{others} } || chance(20);
	return ({ id => $mine{others}[ rand @{ $mine{others} } ] // 1 });
}

sub report
{
	my ($op) = @_;
	my ($run) = runs(1);
	my @outputs = @{ $run->{refs} // [] };
	my $part = @outputs > 1 && chance(40) ? texts($outputs[0]) : 'NULL';
	my %arguments = (
		succeed    => "made => $part, metadata => jsonb_build_object('tag', TAG)",
		fail       => 'TAG, retry => ' . (chance(90) ? 'true' : 'false'),
		miss       => texts(some(3, @REFS, @UNMADE, @outputs)) . ", impacted => $part",
		cancel_run => 'TAG',
	);

	return { op => $op, sql => "$op($run->{id}, $arguments{$op})", ends => 1, about => [ $run->{id} ] };
}

sub claim_arguments
{
	return 'TAG' . (chance(30) ? ', jobs => ' . texts(some(3, grep { !/gone|src/ } @JOBS)) : '') . ', max_runs => ' . (1 + int rand 4)
		. (chance(20) ? ", lease => '" . (100 + int rand 2000) . " ms'" : '');
}

# What is claimed is kept, but for the share of a worker that dies.
sub keep_runs
{
	my @rows = @_;

	push @{ $mine{runs} }, map { { id => $_->[0], refs => [ split /,/, $_->[2] =~ tr/{}//dr ] } } grep { !chance(15) } @rows;
	splice @{ $mine{runs} }, 0, @{ $mine{runs} } - 12 if @{ $mine{runs} } > 12;
	return join ' ', map { $_->[0] } @rows;
}

sub claim
{
	return { op => 'claim', sql => 'claim(' . claim_arguments() . ')', keep => \&keep_runs };
}

sub finish_and_claim
{
	my @ids = chance(80) ? map { $_->{id} } runs(3) : ();

	return { op => 'finish_and_claim', sql => 'finish_and_claim(' . ids(@ids) . ', ' . claim_arguments() . ')', keep => \&keep_runs, ends => 1, about => \@ids };
}

sub keep
{
	my ($which, $row) = @_;

	push @{ $mine{$which} }, $row->[0];
	return $row->[0];
}

sub on_one
{
	my ($which, $op) = @_;
	my $id = shift @{ $mine{$which} } // 1;

	return { op => $op, sql => "$op($id, TAG)", about => [$id] };
}

sub want
{
	my @refs = chance(8) ? map { 'bulk/' . int rand 400 } 1 .. 150 : some(6, @REFS);
	my ($priority) = some(1, -10, 0, 0, 0, 5, 100);

	return on_one('wants', 'cancel_want') if @{ $mine{wants} } > 6;
	return { op => 'want', keep => sub { keep('wants', @_) },
		sql => 'want(' . texts(@refs) . ", comment => TAG, priority => $priority" . (chance(25) ? ", ttl => '" . (20 + int rand 3000) . " ms')" : ')') };
}

# ----- transactions ----------------------------------------------------------------------------------------------

sub pause
{
	my ($most) = @_;

	return sprintf 'SELECT pg_sleep(%.4f)', rand $most;
}

# The statements of a transaction that makes the call, and which of them is the call.
sub statements
{
	my ($sql, $tag, $no_timeouts) = @_;
	my $level = chance(50) ? 'REPEATABLE READ' : 'SERIALIZABLE';
	my $how = rand($no_timeouts ? 94 : 100);

	return (0, $sql) if $how < 45;
	return (1, 'BEGIN', $sql, pause(0.04), 'COMMIT') if $how < 68;
	return (3, "BEGIN ISOLATION LEVEL $level", 'SELECT count(*) FROM databuild.jobs', pause(0.02), $sql, pause(0.02), 'COMMIT') if $how < 76;
	return (1, 'BEGIN', $sql, pause(0.03), 'ROLLBACK') if $how < 80;
	return (4, 'BEGIN', 'SAVEPOINT s', statement(pick_call(), 'never'), 'ROLLBACK TO s', $sql, pause(0.02), 'COMMIT') if $how < 87;
	return (1, 'BEGIN', $sql, "PREPARE TRANSACTION '$tag'", pause(0.05), (chance(80) ? 'COMMIT' : 'ROLLBACK') . " PREPARED '$tag'") if $how < 94;
	return (2, 'BEGIN', 'SET LOCAL ' . (chance(70) ? 'statement' : 'lock') . '_timeout = ' . (1 + int rand 15), $sql, 'COMMIT');
}

sub statement
{
	my ($call, $tag) = @_;

	return "SELECT * FROM databuild.$call->{sql}" =~ s/\bTAG\b/'$tag'/gr;
}

# Whether a connection ended, so that nobody was told.
my %BROKEN = map { $_ => 1 } qw(gone 57P01 57P02 57P03 08006 08003);

# ok, no or maybe: whether what was asked for has happened.
sub outcome
{
	my ($at, $statements, $answers) = @_;
	my @states = map { $_->{state} } @$answers;
	my $last = $#states;
	my $end = $statements->[$last];
	my $final = $states[$last] eq '00000' ? 'ok' : $BROKEN{ $states[$last] } ? 'maybe' : 'no';

	return $final if $last == 0;
	return 'no' if $end eq 'ROLLBACK' || $states[$at] ne '00000';
	if ($end =~ /PREPARED/)
	{
		return 'no' if $states[2] ne '00000' && !$BROKEN{ $states[2] };
		return $states[$last] ne '00000' ? 'maybe' : $end =~ /^COMMIT/ ? 'ok' : 'no';
	}
	return 'no' if grep { $states[$_] ne '00000' && !($_ == 2 && $statements->[1] =~ /^SAVEPOINT/) } 0 .. $last - 1;
	return $final;
}

# Errors that a call may meet: a state that does not fit, an unknown thing, what was done to it, and a transaction or
# savepoint that is gone because of that. Serialisation failures are for transactions that asked for more than READ
# COMMITTED.
my %FINE = map { $_ => 1 } qw(00000 25P02 3B001 55000 42704 57014 55P03);

sub wrong
{
	my ($statements, $answers) = @_;
	my $strict = grep { /ISOLATION/ } @$statements;

	return map { "$answers->[$_]{state} $answers->[$_]{error}: $statements->[$_]" }
		grep { my $state = $answers->[$_]{state}; !$FINE{$state} && !$BROKEN{$state} && !($strict && $state eq '40001') } 0 .. $#$answers;
}

sub one_call
{
	my ($book, $tag, $no_timeouts) = @_;
	my $call = pick_call();
	my ($at, @statements) = statements(statement($call, $tag), $tag, $no_timeouts);
	my @answers = $session->ask(@statements);
	my $outcome = outcome($at, \@statements, \@answers);
	my $told = $outcome eq 'ok' && $call->{keep} && @{ $answers[$at]{rows} } ? $call->{keep}->(@{ $answers[$at]{rows} }) : '';
	my @about = @{ $call->{about} // [] };

	if ($call->{ends} && ($outcome eq 'ok' || $answers[$at]{state} eq '55000'))
	{
		my %ended = map { $_ => 1 } @about;

		@{ $mine{runs} } = grep { !$ended{ $_->{id} } } @{ $mine{runs} };
	}
	print {$book} join("\t", $tag, $call->{op}, $outcome, $answers[$at]{state}, "@about", $told), "\n";
	print {$book} "wrong\t$_\n" foreach wrong(\@statements, \@answers);
	sleep 0.1 if $answers[-1]{state} eq 'gone';
	return;
}

# One session: calls until over() says so. how: node, number, seed, book (a file), over; breath: seconds between
# calls at most; no_timeouts: no statement_timeout; between: what to do after each call.
sub traffic
{
	my (%how) = @_;
	my $count = 0;

	srand($how{seed} + $how{number});
	$session = session_of($how{node}, name => 'traffic');
	%mine = (runs => [], wants => [], taints => [], others => []);
	open my $book, '>', $how{book} or die;
	$book->autoflush(1);
	while (!$how{over}->() && getppid() > 1)
	{
		one_call($book, "t$how{number}-" . ++$count, $how{no_timeouts});
		$how{between}->($session) if $how{between};
		sleep(rand() * ($how{breath} // 0.02));
	}
	$session->hang_up;
	return;
}

# Claims a few runs that the traffic does not touch, to be reported later; their ids.
sub hold_runs
{
	my ($control) = @_;

	$control->must("SELECT databuild.define_job('held', ARRAY['held/.*'])");
	$control->must("SELECT databuild.want(ARRAY['held/1', 'held/2', 'held/3'])");
	return map { $_->[0] } $control->must("SELECT run_id FROM databuild.claim('held', jobs => ARRAY['held'], max_runs => 3, lease => '1 day')");
}

# They are reported: the day has not passed, or nobody has noticed.
sub report_held
{
	my ($node, $database, @ids) = @_;

	$node->safe_psql($database, 'SELECT databuild.succeed_many(' . ids(@ids) . ')');
	return is($node->safe_psql($database, "SELECT count(*) FROM databuild.partitions WHERE ref LIKE 'held/%' AND state = 'live'"), 3,
		'runs that were claimed before are reported after');
}

# Prepared transactions whose session died are somebody else's to end. How many.
sub end_prepared
{
	my ($control, $age) = @_;
	my $old = $control->ask("SELECT gid FROM pg_prepared_xacts WHERE prepared < clock_timestamp() - interval '$age'");

	return scalar grep { $control->ask((chance(50) ? 'COMMIT' : 'ROLLBACK') . " PREPARED '$_->[0]'")->{state} eq '00000' } @{ $old->{rows} };
}

# ----- what they were told, and what the log says ----------------------------------------------------------------

# What the books say: the lines, and how often each call had which outcome, and which SQLSTATE there was.
sub said_in
{
	my @lines = map { split /\n/, slurp_file($_) } @_;
	my %outcomes;
	my %states;

	foreach my $line (grep { !/^wrong/ } @lines)
	{
		my (undef, $op, $outcome, $state) = split /\t/, $line;

		$outcomes{$op}{ $outcome // '' }++;
		$states{ $state // '' }++;
	}
	return (\@lines, \%outcomes, \%states);
}

# Which calls were made and never worked, by books that may be written just now; not drop_job(), which what is wanted
# keeps from it.
sub never_worked
{
	my (undef, $outcomes) = said_in(@_);

	return join ' ', grep { $_ ne 'drop' && !$outcomes->{$_}{ok} } sort keys %$outcomes;
}

# The books into a table, with notes on what was done. Returns what went wrong that must not.
sub books
{
	my ($node, $dir, @files) = @_;
	my ($lines, $outcomes, $states) = said_in(@files);

	foreach my $op (sort keys %$outcomes)
	{
		note(sprintf '%-16s %s', $op, join ' ', map { "$_ " . ($outcomes->{$op}{$_} // 0) } qw(ok no maybe));
	}
	note('states: ' . join ' ', map { "$_ $states->{$_}" } sort keys %$states);
	append_to_file("$dir/told", join '', map { "$_\n" } grep { !/^wrong/ } @$lines);
	$node->safe_psql('postgres', <<"SQL");
CREATE TABLE told (tag text PRIMARY KEY, op text, outcome text, state text, about text, result text);
COPY told FROM '$dir/told';
SQL
	return some_of(10, map { /^wrong\t(.*)/ ? $1 : () } @$lines);
}

# What was acknowledged has happened, what was refused has not, and nothing was made by two at any time: from the
# events, not from the state at the end.
sub broken_promises
{
	my ($node) = @_;

	$node->safe_psql('postgres', <<'SQL');
CREATE VIEW tagged AS SELECT event_id, kind, want_id, runs, coalesce(
	CASE kind WHEN 'wanted' THEN body ->> 'comment' WHEN 'published' THEN body ->> 'tag' WHEN 'succeeded' THEN body ->> 'tag' ELSE note END, '') AS tag
	FROM databuild.event;
-- what each run makes, from its first event to its last
CREATE TABLE span AS
SELECT c.run_id, c.job_id, c.event_id AS began, e.event_id AS ended, c.parts
FROM (SELECT u.run_id, e.job_id, e.event_id, e.parts[s.upto - s.n + 1 : s.upto] AS parts
	FROM databuild.event e CROSS JOIN LATERAL unnest(e.runs) WITH ORDINALITY AS u(run_id, i)
	CROSS JOIN LATERAL (SELECT coalesce(e.sizes[u.i], 1)::int AS n, coalesce((SELECT sum(n) FROM unnest(e.sizes[1:u.i]) AS n), u.i)::int AS upto) AS s
	WHERE e.kind = 'claimed') AS c
FULL JOIN (SELECT unnest(runs) AS run_id, event_id FROM databuild.event WHERE kind IN ('succeeded', 'failed', 'missed', 'run_canceled', 'lost')) AS e
	ON e.run_id = c.run_id;
SQL
	none($node, 'what was acknowledged is in the log, once', <<'SQL');
SELECT t.*, x.n FROM told t CROSS JOIN LATERAL (SELECT count(*) AS n FROM tagged g WHERE g.tag = t.tag AND g.kind = CASE t.op
	WHEN 'want' THEN 'wanted' WHEN 'publish' THEN 'published' END) AS x
WHERE t.op IN ('want', 'publish') AND (t.outcome = 'ok' AND x.n <> 1 OR x.n > 1)
SQL
	none($node, 'a want has the id that was told', <<'SQL');
SELECT t.*, g.want_id FROM told t JOIN tagged g ON g.tag = t.tag AND g.kind = 'wanted' WHERE t.op = 'want' AND t.outcome = 'ok' AND g.want_id::text <> t.result
SQL
	none($node, 'the runs that were handed out are in the log, and only they', <<'SQL');
SELECT t.*, x.runs FROM told t CROSS JOIN LATERAL (SELECT coalesce(string_agg(u.id::text, ' ' ORDER BY u.id), '') AS runs
	FROM tagged g CROSS JOIN LATERAL unnest(g.runs) AS u(id) WHERE g.tag = t.tag AND g.kind = 'claimed') AS x
WHERE t.op IN ('claim', 'finish_and_claim') AND t.outcome = 'ok'
	AND x.runs <> (SELECT coalesce(string_agg(r::text, ' ' ORDER BY r), '') FROM unnest(string_to_array(t.result, ' ')::bigint[]) AS r)
SQL
	none($node, 'nothing that was refused, canceled or rolled back is in the log', <<'SQL');
SELECT g.* FROM tagged g LEFT JOIN told t ON t.tag = g.tag WHERE g.tag = 'never' OR t.outcome = 'no'
SQL
	none($node, 'a run is as the report that was acknowledged said', <<'SQL');
SELECT t.*, r.state FROM told t CROSS JOIN LATERAL unnest(string_to_array(t.about, ' ')::bigint[]) AS u(id) LEFT JOIN databuild.job_runs r ON r.run_id = u.id
WHERE t.outcome = 'ok' AND t.op IN ('succeed', 'succeed_many', 'finish_and_claim', 'fail', 'miss', 'cancel_run') AND r.state IS DISTINCT FROM
	CASE t.op WHEN 'fail' THEN 'failed' WHEN 'miss' THEN 'dep_miss' WHEN 'cancel_run' THEN 'canceled' ELSE 'succeeded' END
SQL
	none($node, 'a want or taint that was canceled is so', <<'SQL');
SELECT t.*, w.state, x.state FROM told t LEFT JOIN databuild.wants w ON t.op = 'cancel_want' AND w.want_id = t.about::bigint
LEFT JOIN databuild.taints x ON t.op = 'cancel_taint' AND x.taint_id = t.about::bigint
WHERE t.outcome = 'ok' AND t.op IN ('cancel_want', 'cancel_taint') AND coalesce(w.state, x.state) IS DISTINCT FROM 'canceled'
SQL
	none($node, 'each run began once and ended at most once, in this order', <<'SQL');
SELECT * FROM (SELECT *, count(*) OVER (PARTITION BY run_id) AS n FROM span) AS s WHERE began IS NULL OR ended < began OR n > 1
SQL
	none($node, 'no ref was being made by two runs, at any time', <<'SQL');
SELECT * FROM (SELECT u.part, run_id, began, ended, lead(began) OVER (PARTITION BY u.part ORDER BY began) AS next FROM span, unnest(parts) AS u(part)) AS s
WHERE next < coalesce(ended, 'infinity'::float8)
SQL
	return none($node, 'no job had more runs than it may have, at any time', <<"SQL");
SELECT * FROM (SELECT j.label, most, x.event_id, sum(x.step) OVER (PARTITION BY j.label ORDER BY x.event_id) AS running
	FROM span s JOIN databuild.job j ON j.job_id = s.job_id JOIN (VALUES $LIMITS) AS l(label, most) ON l.label = j.label
	CROSS JOIN LATERAL (VALUES (s.began, 1), (s.ended, -1)) AS x(event_id, step) WHERE x.event_id IS NOT NULL) AS s WHERE running > most
SQL
}

# What comes from outside is published, what has failed is tried again. How many.
sub mend
{
	my ($node, $database) = @_;
	my @counts = split /\n/, $node->safe_psql($database // 'postgres', <<'SQL');
SELECT coalesce(sum(n), 0) FROM (SELECT databuild.publish(array_agg(ref)), count(*) AS n FROM databuild.partitions
	WHERE state <> 'live' AND (ref LIKE 'src/%' OR ref LIKE 'nojob/%') HAVING count(*) > 0) AS p;
SELECT coalesce(sum(n), 0) FROM (SELECT databuild.retry(array_agg(ref)) AS n FROM databuild.partitions WHERE state = 'failed' HAVING count(*) > 0) AS r;
SQL

	return $counts[0] + $counts[1];
}

# In the end: everything is wanted once more and worked off, nothing is stuck; what had failed or comes from outside is
# mended and published, and then all wants are successful. What is mended may then wait in a circle, if something that
# it needs had missed it meanwhile: so it is mended until there is no more, which each time takes a miss away.
sub ends_well
{
	my ($node, $database) = @_;
	my $rounds = 0;

	define_world($node, $database);
	want_all($node, $database);
	note('drained: ' . drain($node, $database) . ' runs');
	stuck($node, 'drained', $database);
	sound($node, 'drained', $database);
	while ($rounds < 10 && mend($node, $database) > 0)
	{
		$rounds++;
		note('mended, and drained: ' . drain($node, $database) . ' runs');
		stuck($node, 'mended', $database);
	}
	none($node, 'once the causes are mended everything that is wanted gets live',
		"SELECT want_id, state, total, live FROM databuild.wants WHERE ended_at IS NULL AND state <> 'successful'", $database);
	return sound($node, 'in the end', $database);
}

1;
