# A session does not grow, however many calls it makes; a call on very many refs stays within bounds.
#
# DATABUILD_ROUNDS, DATABUILD_WANTED; see test/README.md.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Databuild;
use PostgreSQL::Test::Utils;
use List::Util qw(sum);
use Test::More;

my $ROUNDS = setting('ROUNDS', 400);
my $WANTED = setting('WANTED', 100_000);

my $node = cluster('memory', conf => "shared_buffers = 16MB\n");
my $session = session_of($node);

# ----- many calls ------------------------------------------------------------------------------------------------

$session->must("SELECT databuild.$_") foreach "define_source('src', ARRAY['src/.*'])", "define_job('leaf', ARRAY['leaf/(\\d+)[+]?'], outputs => ARRAY['leaf/\\1', 'leaf/\\1+'], batch_size => 10, max_running => 100, backoff => '0')",
	"define_job('mid', ARRAY['mid/(.*)'], inputs => ARRAY['leaf/\\1', 'src/1'])", "publish(ARRAY['src/1'])";
$session->must(<<'SQL');
CREATE FUNCTION also(ref text) RETURNS text[] LANGUAGE plpgsql AS $$ BEGIN RETURN ARRAY['src/1']; END $$;
SELECT databuild.define_job('asked', ARRAY['asked/.*'], inputs_function => 'also(text)');
CREATE TABLE tracked (a int);
SELECT databuild.track('tracked', 'src/{a}', true);
CREATE FUNCTION refused(call text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE call;
	RAISE 'not refused: %', call USING ERRCODE = 'XX000';
EXCEPTION WHEN internal_error THEN RAISE;
	WHEN OTHERS THEN NULL;
END $$;
-- 29 calls a time, of which 8 are refused, and two for each run; the refs stay the same.
CREATE PROCEDURE some_calls(times int) LANGUAGE plpgsql AS $body$
DECLARE
	run record;
	want_id bigint;
	taint_id bigint;
BEGIN
	FOR i IN 1 .. times LOOP
		want_id := databuild.want(ARRAY['mid/1', 'mid/2', 'leaf/3', 'asked/1', 'asked/2'], i % 100, ttl => '1 h', key => 'k', comment => repeat('x', 1000));
		taint_id := databuild.taint(ARRAY['leaf/3', 'mid/1'], 'again', true);
		FOR j IN 1 .. 4 LOOP
			FOR run IN SELECT * FROM databuild.claim('w', max_runs => 3) LOOP
				PERFORM databuild.heartbeat(ARRAY[run.run_id]);
				IF j = 1 THEN PERFORM databuild.fail(run.run_id, 'once more');
				ELSIF j = 2 THEN PERFORM databuild.miss(run.run_id, ARRAY['src/2', 'leaf/4']);
				ELSE PERFORM databuild.succeed(run.run_id, reads => ARRAY['src/1'], metadata => jsonb_build_object('x', repeat('y', 1000)));
				END IF;
			END LOOP;
			PERFORM databuild.publish(ARRAY['src/2', 'leaf/4', 'leaf/4+']);
		END LOOP;
		PERFORM databuild.retry_want(want_id), databuild.tick();
		PERFORM databuild.why('mid/1'), databuild.explain('mid/2'), databuild.lineage('mid/1'), databuild.plan(ARRAY['mid/5', 'asked/5']), databuild.why_want(want_id);
		INSERT INTO tracked VALUES (i % 3);
		DELETE FROM tracked;
		PERFORM refused('SELECT databuild.want(ARRAY[$x$a$x$, NULL])'), refused('SELECT databuild.want(ARRAY[$x$nix$x$])'), refused('SELECT databuild.succeed(-1)'),
			refused('SELECT databuild.define_job($x$bad$x$, ARRAY[$x$(($x$])'), refused('SELECT databuild.define_job($x$bad$x$, ARRAY[$x$leaf/.*$x$])'), refused('SELECT databuild.forget(ARRAY[$x$mid/1$x$], $x$x$x$)'),
			refused('SELECT databuild.track($x$tracked$x$, $x${$x$)'), refused('SELECT databuild.define_job($x$bad$x$, ARRAY[$x$bad$x$], inputs => ARRAY[$x$\9$x$])');
		IF i % 10 = 0 THEN
			PERFORM databuild.define_job('leaf', ARRAY['leaf/(\d+)[+]?'], outputs => ARRAY['leaf/\1', 'leaf/\1+'], batch_size => 1 + i % 7, max_running => 100, backoff => '0');
		END IF;
		PERFORM databuild.cancel_taint(taint_id), databuild.cancel_want(want_id);
		COMMIT;
	END LOOP;
END $body$;
SQL

my $backend = $session->must('SELECT pg_backend_pid()');

# Of memory contexts, kB; and of the process without what it shares, since regular expressions are not in contexts.
sub in_contexts { return int($session->must('SELECT sum(total_bytes) FROM pg_backend_memory_contexts') / 1024) }
sub of_process { return slurp_file("/proc/$backend/status") =~ /^RssAnon:\s*(\d+)/m ? $1 : die "no RssAnon\n" }

# What the tables' growth and autovacuum have planned anew comes once; what calls leave behind comes with each part.
sub median { return (sort { $a <=> $b } @_)[ @_ / 2 ] }

my $each = $ROUNDS < 100 ? 10 : int($ROUNDS / 10);

$session->must('CALL some_calls(' . 2 * $each . ')');
my @contexts = in_contexts();
my @process = of_process();
foreach (1 .. 8)
{
	$session->must("CALL some_calls($each)");
	push @contexts, in_contexts();
	push @process, of_process();
}
my $calls = 29 * 10 * $each + $session->must('SELECT 2 * count(*) FROM databuild.job_runs');
note("$calls calls; contexts: @contexts kB; process: @process kB");
cmp_ok($contexts[8] - $contexts[0], '<', 300, 'the memory contexts of a session do not grow');
my @steps = sort { $a <=> $b } map { $process[$_] - $process[ $_ - 1 ] } 1 .. 8;
my $greatest = pop @steps;
cmp_ok(median(@steps), '<', 30, 'nor does its process');
# Autovacuum, whenever it comes, has all statements planned anew: once, and what that took stays with the process.
cmp_ok($greatest, '<', 30000, 'not by much at once, either');
cmp_ok(sum(@steps), '<', 3000, 'and not twice');
sound($node, 'after many calls');
$session->hang_up;

# ----- very many refs --------------------------------------------------------------------------------------------

# What the README states: 1 kB a ref of 40 bytes, and a half more where any job declares anything. The lists stand in a
# table: making one in the same statement takes memory of its own.
$session = session_of($node);
$session->must('DROP EXTENSION databuild CASCADE');
$session->must('CREATE EXTENSION databuild');
$session->must("CREATE TABLE many AS SELECT ARRAY(SELECT 'leaf/2020-01-01/some/longer/path/' || i FROM generate_series(1, $WANTED) AS i) AS leaf, ARRAY(SELECT 'src/2020-01-01/some/longer/path/' || i FROM generate_series(1, $WANTED) AS i) AS src");
$session->must("SELECT databuild.define_job('leaf', ARRAY['leaf/(.*)'])");
$session->hang_up;

# The most that the session had, without what it shares with others.
sub most
{
	my $status = slurp_file("/proc/$backend/status");
	my ($most, $shared, $files) = map { $status =~ /^$_:\s*(\d+)/m } qw(VmHWM RssShmem RssFile);

	return $most - $shared - $files;
}

foreach ([ 'want(leaf)', 1 ], [ 'cancel_want((SELECT max(want_id) FROM databuild.want))', 1 ], [ 'publish(src)', 1.5, "define_job('other', ARRAY['other/(.*)'], inputs => ARRAY['src/\\1'], outputs => ARRAY['other/\\1', 'other/\\1+'])" ])
{
	my ($call, $most, $define) = @$_;
	my $one = session_of($node);

	$one->must('SELECT databuild.' . ($define // 'tick()'));
	$backend = $one->must('SELECT pg_backend_pid()');
	my $before = most();

	$one->must("SELECT databuild.$call FROM many");
	my $took = most() - $before;

	cmp_ok($took, '<', 2000 + $most * $WANTED, "$WANTED refs take less than $most kB each: " . $call =~ s/\(.*//r . " takes $took kB");
	$one->hang_up;
}
no_crash($node, 'in the end');
$node->stop;
done_testing();
