# CREATE EXTENSION runs nothing of what others have put where it might look, and DROP EXTENSION leaves nothing behind.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Databuild;
use Test::More;
use Traffic;

my $node = cluster('extension', bare => 1);

$node->start;

# ----- nothing is left behind ------------------------------------------------------------------------------------

# How many rows each catalog has, but for what analyze and the extension's own settings write.
sub catalogs
{
	my @names = split /\n/, $node->safe_psql('postgres',
		"SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relnamespace = 'pg_catalog'::regnamespace AND relname !~ 'statistic' ORDER BY 1");

	return [ split /\n/, $node->safe_psql('postgres', join ' UNION ALL ', map { "SELECT '$_', count(*) FROM $_" } @names) ];
}

my $control = session_of($node);
my $user = session_of($node);
my $empty = catalogs();

foreach my $round (1, 2)
{
	$control->must('CREATE EXTENSION databuild');
	is_deeply(relations($node), [], "round $round: a new one knows nothing");
	is($user->ask("SELECT databuild.want(ARRAY['leaf/1'])")->{state}, '42704', "round $round: no job of an old one makes anything, in an old session, too");
	define_world($node);
	want_all($node);
	cmp_ok(scalar $user->must("SELECT count(*) FROM databuild.claim('w', max_runs => 10)"), '>', 0, "round $round: an old session works in the new one");
	note('drained: ' . drain($node) . ' runs');
	sound($node, "round $round");
	$control->must('DROP EXTENSION databuild');
	same_relations($empty, catalogs(), "round $round: nothing is left behind");
}

# ----- nothing of others is run ----------------------------------------------------------------------------------

# What stands in public there comes first, in every session, and says so when it is used: an operator and a function
# for nearly each that PostgreSQL has (for polymorphic ones those with plain types, which match better wherever they
# stand in the path), tables and types with names that the extension's script uses.
$node->safe_psql('postgres', 'CREATE DATABASE hostile');
$node->safe_psql('hostile', <<'SQL');
SET client_min_messages = error;
ALTER DATABASE hostile SET search_path = public, pg_catalog;
SET search_path = pg_catalog;
CREATE FUNCTION public.lie(anyelement, anyelement) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile operator'; END $$;
CREATE FUNCTION pg_temp.plain(list text, type text) RETURNS text LANGUAGE sql AS
	$$SELECT regexp_replace(regexp_replace(list, '\many(compatible)?array\M', type || '[]', 'g'), '\many(compatible|element|nonarray)\M', type, 'g')$$;
DO $do$
DECLARE
	f record;
BEGIN
	FOR f IN SELECT DISTINCT p.proname, pg_temp.plain(p.arguments, t.name) AS arguments,
			pg_temp.plain(p.result, t.name) AS result
		FROM (SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result
			FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind IN ('f', 'a') AND p.provariadic = 0
			AND p.prorettype NOT IN ('internal'::regtype, 'trigger'::regtype, 'event_trigger'::regtype)) AS p,
			unnest(ARRAY['bigint', 'text', 'int', 'jsonb', 'boolean']) AS t(name) LOOP
		BEGIN
			EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', f.proname, f.arguments, f.result,
				format('BEGIN RAISE EXCEPTION %L; END', 'hostile function ' || f.proname));
		EXCEPTION WHEN OTHERS THEN NULL;	-- its types are for C only
		END;
	END LOOP;
	FOR f IN SELECT o.oprname, o.oprleft::regtype AS l, o.oprright::regtype AS r FROM pg_operator o
		WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprleft <> 0 AND o.oprresult = 'boolean'::regtype LOOP
		BEGIN
			EXECUTE format('CREATE FUNCTION public.lie(%s, %s) RETURNS boolean LANGUAGE plpgsql AS %L', f.l, f.r,
				'BEGIN RAISE EXCEPTION ''hostile operator''; END');
		EXCEPTION WHEN duplicate_function THEN NULL;
		END;
		EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.lie)', f.oprname, f.l, f.r);
	END LOOP;
	FOR f IN SELECT unnest(ARRAY['event', 'job', 'partition', 'run', 'want', 'pg_class', 'pg_namespace', 'pg_proc']) AS name LOOP
		EXECUTE format('CREATE TABLE public.%I (hostile int)', f.name);
	END LOOP;
	FOR f IN SELECT unnest(ARRAY['text', 'int8', 'int4', 'bool', 'jsonb', 'timestamptz', 'interval']) AS name LOOP
		EXECUTE format('CREATE DOMAIN public.%I AS pg_catalog.varchar CHECK (pg_catalog.length(VALUE) < 0)', f.name);
	END LOOP;
END $do$;
-- somebody records what is done
CREATE TABLE public.seen (tag varchar, object varchar);
CREATE FUNCTION public.see() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	INSERT INTO public.seen SELECT c.command_tag, c.object_identity FROM pg_event_trigger_ddl_commands() AS c;
END $$;
CREATE EVENT TRIGGER see ON ddl_command_end EXECUTE FUNCTION public.see();
SQL
my $hostile = session_of($node, database => 'hostile');

is($hostile->ask('SELECT 1 = 1')->{error}, 'hostile operator', 'the database is hostile: operators');
is($hostile->ask("SELECT length('a'::pg_catalog.text)")->{error}, 'hostile function length', 'the database is hostile: functions');
cmp_ok($node->safe_psql('hostile', "SET search_path = pg_catalog; SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"), '>', 1500, 'in all ways');

# Before it is there, somebody makes the schema, to own what comes into it.
$node->safe_psql('hostile', 'CREATE SCHEMA databuild');
is($hostile->ask('CREATE EXTENSION databuild')->{state}, '42P06', 'a schema that is there already is not taken over');
$node->safe_psql('hostile', 'DROP SCHEMA databuild');

is($hostile->ask('CREATE EXTENSION databuild')->{error}, '', 'CREATE EXTENSION runs nothing of it');
cmp_ok($node->safe_psql('hostile', "SET search_path = pg_catalog; SELECT count(*) FROM public.seen WHERE object LIKE 'databuild.%'"), '>', 100,
	'an event trigger saw all of it');
none($node, 'nothing of the extension depends on anything in public', <<'SQL', 'hostile');
SET search_path = pg_catalog;
SELECT pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
FROM pg_depend d, LATERAL pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) AS o
WHERE o.schema = 'public' AND d.objid IN (
	SELECT oid FROM pg_class WHERE relnamespace = 'databuild'::regnamespace UNION ALL SELECT oid FROM pg_proc WHERE pronamespace = 'databuild'::regnamespace
	UNION ALL SELECT r.oid FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class AND c.relnamespace = 'databuild'::regnamespace
	UNION ALL SELECT a.oid FROM pg_attrdef a JOIN pg_class c ON c.oid = a.adrelid AND c.relnamespace = 'databuild'::regnamespace)
SQL
is($hostile->ask("SELECT databuild.define_job('j', ARRAY['[a-z]'])")->{error}, '', 'it can be worked with: define_job()');
is($hostile->ask("SELECT databuild.want(ARRAY['a'])")->{error}, '', 'want()');
is_deeply($hostile->ask("SELECT partitions FROM databuild.claim('w')")->{rows}, [ ['{a}'] ], 'claim()');
is($hostile->ask("SELECT databuild.$_")->{error}, '', $_) foreach qw(verify() check_invariants() replay());
is_deeply($hostile->ask("SELECT state FROM databuild.partitions")->{rows}, [ ['building'] ], 'relations');
is($hostile->ask('DROP EXTENSION databuild')->{error}, '', 'and dropped');
$_->hang_up foreach $control, $user, $hostile;
$node->stop;
done_testing();
