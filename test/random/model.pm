# model.pm - a second, deliberately simple model of databuild's rules, written from the design alone
#
# Plain data in memory, no log, no store, no agenda, no watches: after each call the consequences are found by
# going over everything again until nothing changes (settle). What a call may do is decided before anything is
# changed, so a call that dies has changed nothing.
#
# A call dies with the list of SQLSTATEs that are right for it: more than one if the design does not say which of
# two faults is reported. Where it leaves a result open (the numbers of wants and runs, the order of what became
# claimable in one call) the model takes the real result, once it has seen that it is among the right ones.

package model;

use strict;
use warnings;

use List::Util qw(any all first max uniq);

# Places that a partition leaves for missing when nobody wants it any more.
my %WORK_TO_DO = map { $_ => 1 } qw(queued up_for_retry upstream_building upstream_failed);
my %WAITS      = map { $_ => 1 } qw(upstream_building upstream_failed);

# Defaults of arguments that are not NULL.
my %DEFAULT = (want => { priority => 0 }, claim => { max_runs => 1 }, fail => { retry => 1 });

# What each sort of report makes of a run.
my %REPORTED = (succeed => 'succeeded', fail => 'failed', miss => 'dep_miss');

sub new
{
	my ($class, %as_real) = @_;

	return bless {
		as_real  => \%as_real,   # known differences in which to follow the real one
		now      => 0,     # seconds since the epoch that the runner chose
		step     => 0,     # how many calls were made
		jobs     => {},    # label => job
		parts    => {},    # ref => partition
		wants    => {},    # id => want of a caller
		derived  => [],    # wants that databuild made
		runs     => {},    # id => job run
		problems => [],    # what the real one returned against the rules
	}, $class;
}

# ----- calls -----------------------------------------------------------------------------------------------------

# Makes one call. $got is what the real one did: { state, rows }, rows being arrays of columns; it is looked at
# only if the call must work. Returns (SQLSTATEs that are right, problems with what was returned).
sub call
{
	my ($self, $name, $arg, $got) = @_;
	my $method = "call_$name";

	$self->{step}++;
	$self->{problems} = [];
	eval { $self->$method({ %{ $DEFAULT{$name} // {} }, %$arg }, $got); 1 } or do
	{
		die $@ unless ref $@ eq 'ARRAY';
		return ($@, []);
	};
	return (['00000'], []) if !agreed($got);
	$self->settle;
	return (['00000'], $self->{problems});
}

# Each call ends its checks with this: if the real one refused the call there is a difference already, and
# nothing to take from its result.
sub agreed
{
	my ($got) = @_;

	return $got->{state} eq '00000';
}

sub refuse
{
	my (@states) = @_;

	die \@states;
}

sub wrong
{
	my ($self, $text) = @_;

	push @{ $self->{problems} }, $text;
	return;
}

# The superuser's setting, forward only.
sub call_clock
{
	my ($self, $arg) = @_;

	$self->{now} = $arg->{at};
	return;
}

sub call_define_job
{
	my ($self, $arg, $got) = @_;

	$self->define({
		label        => $arg->{label},
		patterns     => patterns($arg->{patterns}),
		config       => $arg->{config},
		max_attempts => at_least(1, $arg->{max_attempts}),
		max_misses   => at_least(1, $arg->{max_misses}),
		backoff      => at_least(0, $arg->{backoff}),
		lease        => at_least(0, $arg->{lease}),
		is_source    => 0,
	}, $got);
	return;
}

sub call_define_source
{
	my ($self, $arg, $got) = @_;

	$self->define({ label => $arg->{label}, patterns => patterns($arg->{patterns}), is_source => 1 }, $got);
	return;
}

# What is queued or waiting is routed anew; what no job makes any more is missing. A running run keeps its
# outputs, config and lease.
sub define
{
	my ($self, $job, $got) = @_;
	my %jobs = (%{ $self->{jobs} }, $job->{label} => $job);

	foreach my $ref (keys %{ $self->{parts} })
	{
		refuse('42P17') if labels_of($ref, \%jobs) > 1;
	}
	return if !agreed($got);
	$self->{jobs} = \%jobs;
	foreach my $part (values %{ $self->{parts} })
	{
		my $old = $part->{job};
		my ($new) = labels_of($part->{ref}, \%jobs);

		next if $part->{state} eq 'building';
		$part->{job} = $new;
		next if !$WORK_TO_DO{ $part->{state} };
		if (!$self->makeable($part->{ref}))
		{
			$self->stop_waiting($part, 'successful');
			$part->{state} = 'missing';
		}
		elsif ($old ne $new && $part->{order})
		{
			$part->{order}[1] = $self->{step};
		}
	}
	return;
}

sub call_want
{
	my ($self, $arg, $got) = @_;
	my $refs = refs($arg->{partitions});

	at_least(-100, $arg->{priority});
	refuse('22023') if $arg->{priority} > 100;
	my @states = uniq(map { $self->route_problem($_) } @$refs);
	refuse(@states) if @states;
	return if !agreed($got);

	my $id = $got->{rows}[0][0];
	$self->wrong("want() returned $id, which is another want") if $self->{wants}{$id};
	$self->know($_) foreach @$refs;
	$self->{wants}{$id} = { id => $id, refs => $refs, priority => $arg->{priority}, ended => undef };
	return;
}

sub call_publish
{
	my ($self, $arg, $got) = @_;
	my $refs = refs($arg->{partitions});
	my @states;

	push @states, '42P17' if any { labels_of($_, $self->{jobs}) > 1 } @$refs;
	push @states, '55000' if any { $self->state_of($_) eq 'building' } @$refs;
	refuse(@states) if @states;
	return if !agreed($got);
	foreach my $ref (@$refs)
	{
		my $part = $self->know($ref);

		push @{ $part->{instances} }, { run => undef, state => 'live' };
		$self->go_live($part, undef);
	}
	return;
}

# Lost leases and due retries first, then the greatest priority, then the order of becoming claimable.
sub call_claim
{
	my ($self, $arg, $got) = @_;
	my ($labels, %picked, @rows);

	refuse('22023') if !defined $arg->{worker};
	at_least(1, $arg->{max_runs});
	at_least(0, $arg->{lease}) if defined $arg->{lease};
	if (defined $arg->{jobs})
	{
		$labels = list($arg->{jobs});
		refuse('42704') if any { !$self->{jobs}{$_} } @$labels;
	}
	return if !agreed($got);

	$self->work_off;
	$self->settle;
	my %wished = map { $_ => 1 } @{ $labels // [ keys %{ $self->{jobs} } ] };
	my %ready = map { $_->{ref} => $_ } grep { $wished{ $_->{job} // '' } && $self->claimable($_) }
		values %{ $self->{parts} };
	my $due = List::Util::min($arg->{max_runs}, scalar keys %ready);

	@rows = @{ $got->{rows} };
	$self->wrong('claim() returned ' . @rows . " runs instead of $due") if @rows != $due;
	foreach my $row (@rows)
	{
		my ($id, $label, $partitions, $config, $attempt, $lease_at) = @$row;
		my $part = $ready{$partitions};

		if (!$part)
		{
			$self->wrong("claim() returned $partitions, which is not claimable");
			next;
		}
		delete $ready{$partitions};
		foreach my $other (sort keys %ready)
		{
			$self->wrong("claim() returned $partitions before $other") if $self->is_before($ready{$other}, $part);
		}

		my $job = $self->{jobs}{ $part->{job} };
		my $lease = $arg->{lease} // $job->{lease};
		my $run = {
			id       => $id,
			job      => $part->{job},
			outputs  => [ $part->{ref} ],
			state    => 'running',
			worker   => $arg->{worker},
			attempt  => $part->{attempts} + 1,
			lease    => $lease,
			lease_at => $self->{now} + $lease,
		};
		my $expected = join '|', $run->{job}, $job->{config}, $run->{attempt}, seconds($run->{lease_at});
		my $returned = join '|', $label, $config, $attempt, $lease_at;

		$self->wrong("claim() returned $returned for $partitions instead of $expected") if $returned ne $expected;
		$self->wrong("claim() returned run $id twice") if $self->{runs}{$id};
		$self->{runs}{$id} = $run;
		push @{ $part->{instances} }, { run => $id, state => 'building' };
		$part->{state}    = 'building';
		$part->{run}      = $id;
		$part->{order}    = undef;
		$part->{retry_at} = undef;
	}
	return;
}

sub call_heartbeat
{
	my ($self, $arg, $got) = @_;
	my $ids = ids($arg->{run_ids});
	my @expected;

	at_least(0, $arg->{lease}) if defined $arg->{lease};
	refuse('42704') if any { !$self->{runs}{$_} } @$ids;
	return if !agreed($got);
	foreach my $run (map { $self->{runs}{$_} } @$ids)
	{
		if ($run->{state} eq 'running')
		{
			# The design does not say so, but a lease given here is the run's from then on.
			$run->{lease} = $arg->{lease} // $run->{lease};
			$run->{lease_at} = $self->{now} + $run->{lease};
			push @expected, join '|', $run->{id}, $run->{state}, seconds($run->{lease_at});
		}
		else
		{
			push @expected, join '|', $run->{id}, $run->{state};
		}
	}
	# What the lease of an ended run is, the design does not say.
	my @returned = map { my @row = @$_; pop @row if $row[1] ne 'running'; join '|', @row } @{ $got->{rows} };
	my ($expected, $returned) = map { join "\n", sort @$_ } \@expected, \@returned;

	$self->wrong("heartbeat() returned\n$returned\ninstead of\n$expected") if $expected ne $returned;
	return;
}

sub call_succeed
{
	my ($self, $arg, $got) = @_;
	my $run = $self->reported('succeed', $arg, [ $arg->{made} ]);

	return if !agreed($got) || !$run;
	my %made = map { $_ => 1 } @{ defined $arg->{made} ? refs($arg->{made}) : $run->{outputs} };

	$run->{state} = 'succeeded';
	foreach my $part (map { $self->{parts}{$_} } @{ $run->{outputs} })
	{
		if ($made{ $part->{ref} })
		{
			$self->instance($part, $run, 'live');
			$self->go_live($part, $run->{id});
		}
		else
		{
			$self->instance($part, $run, 'failed');
			$self->attempt_failed($part, 1);
		}
	}
	return;
}

sub call_succeed_many
{
	my ($self, $arg, $got) = @_;
	my $ids = ids($arg->{run_ids});
	my @states;

	push @states, '42704' if any { !$self->{runs}{$_} } @$ids;
	push @states, '55000' if any { $self->{runs}{$_} && $self->{runs}{$_}{state} !~ /^(running|succeeded)$/ } @$ids;
	refuse(uniq @states) if @states;
	return if !agreed($got);
	$self->call_succeed({ run_id => $_ }, $got) foreach @$ids;
	return;
}

sub call_fail
{
	my ($self, $arg, $got) = @_;

	refuse('22023') if !defined $arg->{reason} || !defined $arg->{retry};
	my $run = $self->reported('fail', $arg, []);

	return if !agreed($got) || !$run;
	$self->end_badly($run, 'failed', $arg->{retry});
	return;
}

# The refs that it names are known from here on; those that are not live get one derivative want.
sub call_miss
{
	my ($self, $arg, $got) = @_;
	my $missing = refs($arg->{missing});
	my $run = $self->reported('miss', $arg, [ $arg->{impacted} ], $missing);

	return if !agreed($got) || !$run;
	my @lacking = grep { $self->know($_)->{state} ne 'live' } @$missing;
	my %impacted = map { $_ => 1 } @{ defined $arg->{impacted} ? refs($arg->{impacted}) : $run->{outputs} };
	my @waiters;

	$run->{state} = 'dep_miss';
	foreach my $part (map { $self->{parts}{$_} } @{ $run->{outputs} })
	{
		$self->instance($part, $run, 'missed');
		$part->{misses}++;
		if (!$self->makeable($part->{ref}))
		{
			$part->{state} = 'missing';
		}
		elsif (@lacking && $impacted{ $part->{ref} })
		{
			$part->{state} = 'upstream_building';
			push @waiters, $part;
		}
		elsif ($part->{misses} >= $self->{jobs}{ $part->{job} }{max_misses})
		{
			$part->{state} = $self->is_wanted($part->{ref}) ? 'failed' : 'missing';
			$part->{why}   = 'failed';
		}
		else
		{
			$self->enqueue($part);
		}
	}
	# The design does not say whether there is a want if nothing waits after all, or nobody wants what waits: there
	# is none.
	@waiters = grep { $self->is_wanted($_->{ref}) || !($_->{state} = 'missing') } @waiters;
	if (@waiters)
	{
		my $want = { refs => \@lacking, made_for => [ map { $_->{ref} } @waiters ], ended => undef };

		$_->{waits} = $want foreach @waiters;
		$self->fail_cycles($_) foreach @waiters;
		foreach my $part (grep { $_->{waits} && $_->{misses} >= $self->{jobs}{ $_->{job} }{max_misses} } @waiters)
		{
			$self->stop_waiting($part, 'successful');
			@$part{qw(state why)} = qw(failed failed);
		}
		push @{ $self->{derived} }, $want if any { $_->{waits} } @waiters;
	}
	return;
}

sub call_tick
{
	my ($self, $arg, $got) = @_;

	return if !agreed($got);
	my $lost = $self->work_off;

	$self->wrong("tick() lost $got->{rows}[0][0] runs instead of $lost") if $got->{rows}[0][0] != $lost;
	return;
}

# ----- rules -----------------------------------------------------------------------------------------------------

# The run that a report is about, undef if the same was reported before. The other arguments are looked at here,
# since a report refused is a report not made.
sub reported
{
	my ($self, $sort, $arg, $outputs, $missing) = @_;
	my @states;

	refuse('22023') if !defined $arg->{run_id};
	# The design does not say what comes first: that a list is bad, or that there is no such run or no need to look.
	my $known = $self->{runs}{ $arg->{run_id} };
	my @bad = !$known ? '42704' : $known->{state} eq $REPORTED{$sort} ? '00000' : ();
	my @named = map { my $refs = eval { refs($_) } // refuse('22023', @bad); @$refs } grep { defined } @$outputs;
	my $ambiguous = any { labels_of($_, $self->{jobs}) > 1 } @{ $missing // [] };
	my $run = $self->{runs}{ $arg->{run_id} } or refuse('42704', $ambiguous ? '42P17' : ());
	my $again = $run->{state} eq $REPORTED{$sort};

	foreach my $ref (@named)
	{
		push @states, '22023' if !grep { $_ eq $ref } @{ $run->{outputs} };
	}
	push @states, '00000' if @states && $again;
	push @states, '55000' if $run->{state} ne 'running' && !$again;
	push @states, '42P17' if $ambiguous;
	push @states, '00000' if $again && @states;
	refuse(uniq @states) if @states;
	return $again ? undef : $run;
}

# Leases that ended: the run is lost, an attempt failed. Retries that are due become claimable in this call, if
# not by the clock before.
sub work_off
{
	my ($self) = @_;
	my $lost = 0;

	foreach my $run (values %{ $self->{runs} })
	{
		next if $run->{state} ne 'running' || $run->{lease_at} > $self->{now};
		$self->end_badly($run, 'lost', 1);
		$lost++;
	}
	foreach my $part (values %{ $self->{parts} })
	{
		$part->{order}[1] //= $self->{step} if $part->{order} && $self->claimable($part);
	}
	return $lost;
}

sub end_badly
{
	my ($self, $run, $state, $retry) = @_;

	$run->{state} = $state;
	foreach my $part (map { $self->{parts}{$_} } @{ $run->{outputs} })
	{
		$self->instance($part, $run, $state);
		$self->attempt_failed($part, $retry);
	}
	return;
}

sub attempt_failed
{
	my ($self, $part, $retry) = @_;
	my $job = $self->{jobs}{ $part->{job} // '' };

	$part->{attempts}++ if $self->is_wanted($part->{ref}) || !$self->{as_real}{unwanted_attempts};
	if (!$self->makeable($part->{ref}) || !$self->is_wanted($part->{ref}))
	{
		$part->{state} = 'missing';
	}
	elsif (!$retry || $part->{attempts} >= $job->{max_attempts})
	{
		$part->{state} = 'failed';
		$part->{why}   = 'failed';
	}
	else
	{
		$part->{state}    = 'up_for_retry';
		$part->{retry_at} = $self->{now} + $job->{backoff} * 2**($part->{attempts} - 1);   # the design says backoff only
		$part->{order}    = [ $self->{step}, undef ];
	}
	return;
}

sub go_live
{
	my ($self, $part, $run) = @_;

	$self->stop_waiting($part, 'successful');
	@$part{qw(state run live_run attempts misses retry_at order why)} = ('live', $run, $run // 'published', 0, 0);
	return;
}

# The partitions on any cycle that goes through this one fail: those that it waits for, directly or not, and that
# wait for it. One that is upstream_failed stays so: it has no transition for this, and waits for one that failed.
sub fail_cycles
{
	my ($self, $part) = @_;
	my %upstream = map { $_ => 1 } $self->all_upstream($part->{ref});

	return if !$upstream{ $part->{ref} };
	my @cycle = grep { my $ref = $_; any { $_ eq $part->{ref} } $self->all_upstream($ref) }
		grep { $self->state_of($_) ne 'upstream_failed' } keys %upstream;
	my @wanted = grep { $self->is_wanted($_) } @cycle;

	foreach my $ref (@cycle)
	{
		my $it = $self->{parts}{$ref};

		$self->stop_waiting($it, 'successful');
		$it->{state} = 'missing';
	}
	foreach my $ref (@wanted)
	{
		@{ $self->{parts}{$ref} }{qw(state why)} = ('failed', 'cycle');
	}
	return;
}

# All the consequences, by going over everything until nothing changes.
sub settle
{
	my ($self) = @_;
	my $changed = 1;

	while ($changed)
	{
		$changed = 0;
		foreach my $part (values %{ $self->{parts} })
		{
			my $before = $part->{state};

			$self->settle_partition($part);
			$changed = 1 if $part->{state} ne $before;
		}
		foreach my $want (@{ $self->{derived} })
		{
			next if $want->{ended};
			$changed = 1 if $self->end_want($want);
		}
	}
	return;
}

sub settle_partition
{
	my ($self, $part) = @_;
	my $ref = $part->{ref};
	my $wanted = $self->is_wanted($ref);

	if ($WORK_TO_DO{ $part->{state} } && !$wanted)
	{
		$self->stop_waiting($part, 'canceled');
		@$part{qw(state order retry_at)} = ('missing');
	}
	elsif ($part->{state} eq 'missing' && $wanted && $self->makeable($ref))
	{
		$self->enqueue($part);
	}
	elsif ($WAITS{ $part->{state} })
	{
		my @states = map { $self->state_of($_) } @{ $part->{waits}{refs} };

		if (any { /^(failed|upstream_failed)$/ } @states)
		{
			$part->{state} = 'upstream_failed';
		}
		elsif (all { $_ eq 'live' } @states)
		{
			$self->stop_waiting($part, 'successful');
			$self->enqueue($part);
		}
		else
		{
			$part->{state} = 'upstream_building';
		}
	}
	return;
}

# A derivative want ends when nothing that it was made for waits any more. Returns whether it did.
sub end_want
{
	my ($self, $want) = @_;

	return 0 if any { ($self->{parts}{$_}{waits} // '') eq $want } @{ $want->{made_for} };
	$want->{ended} = $self->{as_real}{canceled} ? 'successful' : $want->{left} // 'successful';
	return 1;
}

sub stop_waiting
{
	my ($self, $part, $how) = @_;
	my $want = delete $part->{waits} or return;

	$want->{left} = $how;
	$self->end_want($want);
	return;
}

sub enqueue
{
	my ($self, $part) = @_;

	$part->{state} = 'queued';
	$part->{order} = [ $self->{step}, $self->{step} ];
	return;
}

# A job makes it, nothing lacks, nobody holds it. A partition up for retry is claimable by the clock.
sub claimable
{
	my ($self, $part) = @_;

	return 0 if !$self->makeable($part->{ref});
	return 1 if $part->{state} eq 'queued';
	return $part->{state} eq 'up_for_retry' && $part->{retry_at} <= $self->{now};
}

# A replay that keeps no order among what is claimable.
sub forget_order
{
	my ($self) = @_;

	foreach my $part (grep { $self->claimable($_) } values %{ $self->{parts} })
	{
		$part->{order} = [ 0, $part->{state} eq 'queued' ? $self->{step} : undef ];
	}
	return;
}

# Claim order, where the design determines it. What became claimable in one call has no order; what the clock
# made claimable did so between two calls: [first, last].
sub is_before
{
	my ($self, $one, $other) = @_;
	my ($one_prio, $other_prio) = map { $self->priority($_->{ref}) } $one, $other;

	return $one_prio > $other_prio if $one_prio != $other_prio;
	return ($one->{order}[1] // $self->{step}) < $other->{order}[0];
}

# In force: a caller's want that has not ended; a derivative one while a wanted partition waits by it.
sub wants_on
{
	my ($self, $ref) = @_;

	return grep { !$_->{ended} && any { $_ eq $ref } @{ $_->{refs} } } values %{ $self->{wants} },
		@{ $self->{derived} };
}

sub is_wanted
{
	my ($self, $ref) = @_;
	my %seen;
	my @todo = ($ref);

	while (defined(my $next = shift @todo))
	{
		next if $seen{$next}++;
		foreach my $want ($self->wants_on($next))
		{
			return 1 if !$want->{made_for};
			push @todo, @{ $want->{made_for} };
		}
	}
	return 0;
}

# The greatest of all that stands behind it, undef if nothing does.
sub priority
{
	my ($self, $ref) = @_;
	my %seen;
	my @todo = ($ref);
	my $greatest;

	while (defined(my $next = shift @todo))
	{
		next if $seen{$next}++;
		foreach my $want ($self->wants_on($next))
		{
			if ($want->{made_for})
			{
				push @todo, @{ $want->{made_for} };
			}
			else
			{
				$greatest = max(grep { defined } $greatest, $want->{priority});
			}
		}
	}
	return $greatest;
}

sub all_upstream
{
	my ($self, $ref) = @_;
	my %seen;
	my @todo = ($ref);

	while (defined(my $next = shift @todo))
	{
		my $want = $self->{parts}{$next}{waits} or next;

		push @todo, grep { !$seen{$_}++ } @{ $want->{refs} };
	}
	return keys %seen;
}

# ----- partitions and jobs ---------------------------------------------------------------------------------------

sub know
{
	my ($self, $ref) = @_;
	my ($job) = labels_of($ref, $self->{jobs});

	return $self->{parts}{$ref} //= {
		ref       => $ref,
		state     => 'missing',
		job       => $job,
		attempts  => 0,
		misses    => 0,
		instances => [],
	};
}

sub state_of
{
	my ($self, $ref) = @_;

	return $self->{parts}{$ref} ? $self->{parts}{$ref}{state} : 'unknown';
}

sub instance
{
	my ($self, $part, $run, $state) = @_;

	$_->{state} = $state foreach grep { ($_->{run} // '') eq $run->{id} } @{ $part->{instances} };
	($part->{job}) = labels_of($part->{ref}, $self->{jobs});   # which the run kept
	return;
}

sub labels_of
{
	my ($ref, $jobs) = @_;

	return grep { any { $ref =~ /^(?:$_)$/ } @{ $jobs->{$_}{patterns} } } sort keys %$jobs;
}

sub makeable
{
	my ($self, $ref) = @_;
	my $label = $self->{parts}{$ref}{job};

	return defined $label && !$self->{jobs}{$label}{is_source};
}

sub route_problem
{
	my ($self, $ref) = @_;
	my $count = () = labels_of($ref, $self->{jobs});

	return $count == 0 ? '42704' : $count > 1 ? '42P17' : ();
}

# ----- arguments -------------------------------------------------------------------------------------------------

# Lists are arrays, undef is NULL; { sql => … } is some list that no call takes.
sub list
{
	my ($list) = @_;

	refuse('22023') if ref $list ne 'ARRAY' || !@$list || any { !defined } @$list;
	return [ uniq @$list ];
}

sub refs
{
	my ($list) = @_;
	my $refs = list($list);

	refuse('22023') if any { $_ eq '' || length > 1024 || /[\x00-\x1f\x7f]/ } @$refs;
	return $refs;
}

sub ids
{
	my ($list) = @_;

	return list($list);
}

sub patterns
{
	my ($list) = @_;
	my $patterns = list($list);

	foreach my $pattern (@$patterns)
	{
		refuse('2201B') if !eval { qr/$pattern/; 1 };
	}
	return $patterns;
}

sub at_least
{
	my ($least, $number) = @_;

	refuse('22023') if !defined $number || $number < $least;
	return $number;
}

sub seconds
{
	my ($seconds) = @_;

	return sprintf '%.3f', $seconds;
}

# ----- what the relations show -----------------------------------------------------------------------------------

sub want_state
{
	my ($self, $want) = @_;

	return $want->{ended} if $want->{ended};
	my @states = map { $self->state_of($_) } @{ $want->{refs} };

	return 'failed'          if any { $_ eq 'failed' } @states;
	return 'upstream_failed' if any { $_ eq 'upstream_failed' } @states;
	return 'successful'      if all { $_ eq 'live' } @states;
	foreach my $state (qw(building upstream_building))
	{
		return $state if any { $_ eq $state } @states;
	}
	return 'idle';
}

# Lines of columns, in the words of the query in `run`.
sub relations
{
	my ($self) = @_;
	my @lines;

	foreach my $part (values %{ $self->{parts} })
	{
		my $moved = $part->{state} !~ /^(missing|live|tainted)$/;
		my $priority = $moved ? $self->priority($part->{ref}) : undef;
		my $retry_at = $part->{state} eq 'up_for_retry' ? seconds($part->{retry_at}) : undef;

		push @lines, line('partition', $part->{ref}, $part->{state}, $part->{job}, $part->{attempts}, $priority,
			$retry_at, $part->{live_run});
		push @lines, line('instance', $part->{ref}, $_->{run} // 'published', $_->{state})
			foreach @{ $part->{instances} };
		next if !$part->{waits};
		push @lines, line('dependency', $part->{ref}, $_) foreach @{ $part->{waits}{refs} };
	}
	foreach my $want (values %{ $self->{wants} }, @{ $self->{derived} })
	{
		my $priority = $want->{made_for} ? max(-101, map { $self->priority($_) // -101 } @{ $want->{made_for} })
			: $want->{priority};

		push @lines, line('want', $want->{id} // 'derivative', join(',', sort @{ $want->{refs} }),
			$self->want_state($want), scalar @{ $want->{refs} },
			scalar(grep { $self->state_of($_) eq 'live' } @{ $want->{refs} }), $want->{ended} ? undef : $priority);
	}
	foreach my $run (values %{ $self->{runs} })
	{
		push @lines, line('run', $run->{id}, $run->{job}, $run->{state}, $run->{worker}, $run->{attempt},
			join(',', @{ $run->{outputs} }), $run->{state} eq 'running' ? seconds($run->{lease_at}) : undef);
	}
	foreach my $job (values %{ $self->{jobs} })
	{
		push @lines, line('job', $job->{label}, join(' ', @{ $job->{patterns} }), $job->{is_source} ? 't' : 'f');
	}
	return sort @lines;
}

sub line
{
	my (@columns) = @_;

	return join '|', map { $_ // '' } @columns;
}

# The reasons of depth 0 that fit the state. What nobody wants is not_wanted first of all; of a run that goes on
# for nobody both are true.
sub reasons
{
	my ($self, $ref) = @_;
	my $part = $self->{parts}{$ref};
	my $wanted = $self->is_wanted($ref);

	return ('live') if $part->{state} eq 'live';
	return ('not_wanted', $part->{state} eq 'missing' ? () : @{ $self->reasons_of_work($part) }) if !$wanted;
	return @{ $self->reasons_of_work($part) };
}

sub reasons_of_work
{
	my ($self, $part) = @_;

	if ($part->{state} eq 'building')
	{
		return [ $self->{runs}{ $part->{run} }{lease_at} > $self->{now} ? 'building' : 'lease_overdue' ];
	}
	return ['no_job']               if !defined $part->{job};
	return ['waiting_for_publish']  if $part->{state} eq 'missing';
	return [ $part->{why} ]         if $part->{state} eq 'failed';
	return ['upstream_failed']      if $part->{state} eq 'upstream_failed';
	return ['waiting_for_upstream'] if $part->{state} eq 'upstream_building';
	return [ $self->claimable($part) ? 'waiting_for_worker' : 'backing_off' ];
}

1;
