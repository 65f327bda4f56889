# What doc/ has for Prometheus and Grafana asks for what is not there, or shows another thing than it says.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Databuild;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $DOC = "$FindBin::RealBin/../../doc";
my $node = cluster('dashboards');

# A little of everything that is shown: late, failed, lost, waiting, queued, running, ended in each way.
$node->safe_psql('postgres', <<'SQL');
SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_source('raw', ARRAY['raw/.*']);
SELECT databuild.define_job('clean', ARRAY['clean/(.*)'], inputs => ARRAY['raw/\1'], max_attempts => 1);
SELECT databuild.define_job('report', ARRAY['report/(.*)'], inputs => ARRAY['clean/\1'], max_running => 5);
SELECT databuild.define_job('paused', ARRAY['paused/.*']);
SELECT databuild.pause_job('paused');
SELECT databuild.publish(array_agg('raw/' || n)) FROM generate_series(1, 9) AS n;
SELECT databuild.want(array_agg('report/' || n), sla => '1 min', comment => 'for nine o''clock') FROM generate_series(1, 10) AS n;
SELECT databuild.want(ARRAY['paused/1']);
SELECT databuild.fail(run_id, 'disk full') FROM databuild.claim('w');
SELECT databuild.succeed(run_id) FROM databuild.claim('w');
SELECT databuild.miss(run_id, ARRAY['raw/x']) FROM databuild.claim('w');
SELECT databuild.cancel_run(run_id) FROM databuild.claim('w');
SELECT count(*) FROM databuild.claim('w', lease => '1 s');
SET databuild.now = '2040-01-01 00:10:00+00';
SELECT databuild.tick();
SELECT count(*) FROM databuild.claim('w', lease => '1 s');
SET databuild.now = '2040-01-01 00:20:00+00';
SELECT databuild.tick();
CREATE ROLE dashboard LOGIN;
SELECT databuild.grant_reader('dashboard');
SQL

# The rows of a query as the role that asks, each a hash.
sub rows
{
	my ($query) = @_;
	my ($code, $out, $error) = $node->psql('postgres', "SET databuild.now = '2040-01-01 00:20:30+00'; SET ROLE dashboard; SELECT to_json(q) FROM ($query) AS q");

	return $code == 0 ? map { decode_json($_) } split /\n/, $out : { error => $error };
}

# postgres_exporter.yaml: of each name its query and its metrics. No more of YAML than the file uses.
sub exported
{
	my (%query, %usage, $name);

	foreach (split /\n/, slurp_file("$DOC/postgres_exporter.yaml"))
	{
		$name = $1 if /^(\w+):$/;
		$query{$name} .= "$1\n" if /^    (\S.*|  \S.*)$/ && !/^    - /;
		push @{ $usage{$name} }, [$1] if /^    - (\w+):$/;
		$usage{$name}[-1][1] = $1 if /^        usage: "(\w+)"$/;
		ok(0, "postgres_exporter.yaml: $_") if !/^(\w+:|  query: \||  metrics:|    (?:  )?\S.*|    - \w+:|        (?:usage|description): ".*"|#.*|)$/;
	}
	return map { $_ => { query => $query{$_}, usage => { map { @$_ } @{ $usage{$_} } } } } keys %query;
}

my %exported = exported();
my %metrics;

is(join(' ', sort keys %exported), 'databuild databuild_job databuild_state', 'the exporter has three queries');
foreach my $name (sort keys %exported)
{
	my ($query, $usage) = @{ $exported{$name} }{qw(query usage)};
	my @rows = rows($query);

	cmp_ok(scalar @rows, '>', 0, "$name: the query returns rows");
	is(join(' ', sort keys %{ $rows[0] }), join(' ', sort keys %$usage), "$name: its columns are the metrics");
	is(join(' ', grep { my $column = $_; $usage->{$column} ne 'LABEL' && grep { ($_->{$column} // 0) !~ /^-?\d+(\.\d+)?$/ } @rows } sort keys %$usage), '', "$name: they are numbers");
	my @labels = grep { $usage->{$_} eq 'LABEL' } sort keys %$usage;
	my %seen;

	$seen{ join '|', map { $_ // 'NULL' } @$_{@labels} }++ foreach @rows;
	is(join(' ', grep { $seen{$_} > 1 || /NULL/ } sort keys %seen), '', "$name: a row for each of its labels (@labels)");
	$metrics{"${name}_$_"} = $usage->{$_} foreach grep { $usage->{$_} ne 'LABEL' } keys %$usage;
}
my ($stats) = rows($exported{databuild}{query});

is("$stats->{late_wants} $stats->{failed} $stats->{paused_jobs} $stats->{last_tick_seconds}", '1 4 1 30', 'what they say is so');
is(join(' ', grep { !$stats->{$_} } grep { $_ !~ /agenda|overdue|running/ } sort keys %$stats), '', 'and nothing is shown that never is');

# grafana.json
my $dashboard = decode_json(slurp_file("$DOC/grafana.json"));
my @panels = @{ $dashboard->{panels} };
my %source = map { ("\${$_->{name}}" => $_->{query}) } @{ $dashboard->{templating}{list} };
my (%ids, %at, %asked);

cmp_ok(scalar @panels, '>', 10, 'the dashboard has panels');
foreach my $panel (@panels)
{
	my ($title, $pos) = @$panel{qw(title gridPos)};

	ok(!$ids{ $panel->{id} }++, "$title: a number of its own");
	foreach my $x ($pos->{x} .. $pos->{x} + $pos->{w} - 1)
	{
		$at{"$x $_"}++ foreach $pos->{y} .. $pos->{y} + $pos->{h} - 1;
	}
	foreach my $target (@{ $panel->{targets} })
	{
		is($source{ $target->{datasource}{uid} }, $target->{datasource}{type}, "$title: a source that can be chosen");
		if ($target->{rawSql})
		{
			my @rows = rows($target->{rawSql});

			$asked{sql}++;
			ok(@rows && !$rows[0]{error}, "$title: the query returns rows") or diag($rows[0]{error} // 'none');
			is(scalar keys %{ $rows[0] }, 1, "$title: one value") if $panel->{type} eq 'stat';
			next;
		}
		my $bare = $target->{expr} =~ s/\{[^}]*\}|by \([^)]*\)|\[\w+\]//gr;

		foreach my $metric ($bare =~ /\b(databuild\w*)/g)
		{
			$asked{prometheus}++;
			ok($metrics{$metric}, "$title: the exporter has $metric");
			is($metrics{$metric}, $target->{expr} =~ /rate\($metric\[/ ? 'COUNTER' : 'GAUGE', "$title: $metric is asked as what it is");
		}
	}
}
is(join(' ', grep { $at{$_} > 1 || /^(\d+)/ && $1 > 23 } keys %at), '', 'no panel is on another, or beyond the edge');
cmp_ok($asked{sql}, '>', 5, 'some ask the database');
cmp_ok($asked{prometheus}, '>', 5, 'some ask Prometheus');
$node->stop;
done_testing();
