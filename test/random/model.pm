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
my %DEFAULT = (want => { priority => 0 }, remake => { priority => 0 }, claim => { max_runs => 1 },
	finish_and_claim => { max_runs => 1 }, fail => { retry => 1 });

# What each sort of report makes of a run.
my %REPORTED = (succeed => 'succeeded', fail => 'failed', miss => 'dep_miss', cancel => 'canceled');

sub new
{
	my ($class) = @_;

	return bless {
		now      => 0,     # seconds since the epoch that the runner chose
		step     => 0,     # how many calls were made
		jobs     => {},    # label => job
		parts    => {},    # ref => partition
		wants    => {},    # id => want of a caller
		derived  => [],    # wants that databuild made
		taints   => {},    # id => taint
		tags     => {},    # what the runner calls wants and taints => id
		runs     => {},    # id => job run
		made_of  => {},    # instance => what it was made of: { ref => instance }
		tracked  => undef, # whether the table whose rows name refs taints what was made of them; undef: it is not tracked
		rows     => [],    # the refs that its rows name
		problems => [],    # what the real one returned against the rules
	}, $class;
}

# ----- calls -----------------------------------------------------------------------------------------------------

# Makes one call. $got is what the real one did: { state, rows }, rows being arrays of columns, and real: the states
# after it, { partition => { ref => state }, want => { id => state }, taint => { id => [state, refs] } }. They are
# looked at only if the call must work. Returns (SQLSTATEs that are right, problems with what was returned).
sub call
{
	my ($self, $name, $arg, $got) = @_;
	my $method = "call_$name";

	$self->{step}++;
	$self->{problems} = [];
	$self->{real} = $got->{real};
	$self->{blocked} = { map { $_->{ref} => 1 } grep { $name ne 'define_job' && $_->{state} eq 'upstream_failed' } values %{ $self->{parts} } };
	eval { $self->$method({ %{ $DEFAULT{$name} // {} }, %$arg }, $got); 1 } or do
	{
		die $@ unless ref $@ eq 'ARRAY';
		return ($@, []);
	};
	return ([ $got->{state} eq '42P17' && $self->has_ambiguous_inputs($arg) ? '42P17' : '00000' ], []) if !agreed($got);
	$self->expire_as_real;
	$self->settle;
	$self->know_as_real;
	$self->drop_short_wants($got->{real}{derivative});
	return (['00000'], $self->{problems});
}

# Is there a ref that two jobs make among the inputs that are declared?
sub has_ambiguous_inputs
{
	my ($self, $arg) = @_;
	local $self->{jobs} = { %{ $self->{jobs} }, $arg->{label} => { %$arg,
		map { $_ => $arg->{$_} // $arg->{"_$_"} // [] } qw(inputs outputs) } }
		if defined $arg->{label} && ref $arg->{patterns} eq 'ARRAY';
	my @todo = (keys %{ $self->{parts} }, map { ref $_ eq 'ARRAY' ? @$_ : () } @$arg{qw(partitions missing refs)}, grep { defined } $arg->{to});
	my %seen;

	while (defined(my $ref = shift @todo))
	{
		next if $seen{$ref}++;
		return 1 if labels_of($ref, $self->{jobs}) > 1;
		push @todo, $self->inputs_of($ref), $self->outputs_of($ref);
	}
	return 0;
}

# The inputs that a known ref declares, and what is made along: the design does not say when they become known.
sub know_as_real
{
	my ($self) = @_;
	my @new;

	do
	{
		my %inputs = map { $_ => 1 } map { $self->inputs_of($_), $self->outputs_of($_) } keys %{ $self->{parts} };

		@new = grep { $inputs{$_} && !$self->{parts}{$_} } keys %{ $self->{real}{partition} };
		$self->know($_) foreach @new;
	} while @new;
	return;
}

# A derivative want that would be made and ended in one call: the design does not say whether it is made.
sub drop_short_wants
{
	my ($self, $real) = @_;
	my (@kept, %count);

	foreach my $want (@{ $self->{derived} })
	{
		my ($other) = map { { %$want, ended => $_ } } grep { $_ ne ($want->{ended} // '') } qw(successful canceled);
		my ($line, $other_line) = map { $self->want_line($_) } $want, $other;
		my $short = $want->{ended} && ($want->{step} == $self->{step}
			# Nor, of one that all that it wants went live for, whether what waited for that was still wanted.
			|| ($want->{ended_in} // -1) == $self->{step} && all { $self->state_of($_) eq 'live' } @{ $want->{refs} }
			# Nor, if it was made for several outputs that ceased to wait for different reasons, which counts.
			|| ($want->{ended_in} // -1) == $self->{step} && keys %{ $want->{hows} // {} } > 1);

		if ($short && ($real->{$line} // 0) <= ($count{$line} // 0))
		{
			next if ($real->{$other_line} // 0) <= ($count{$other_line} // 0);
			($want, $line) = ($other, $other_line);
		}
		$count{$line}++;
		push @kept, $want;
	}
	$self->{derived} = \@kept;
	return;
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
		batch_size   => at_least(1, exists $arg->{batch_size} ? $arg->{batch_size} : 1),
		max_running  => defined $arg->{max_running} ? at_least(1, $arg->{max_running}) : undef,
		backoff      => at_least(0, $arg->{backoff}),
		lease        => at_least(0, $arg->{lease}),
		inputs       => defined $arg->{inputs} ? templates($arg->{inputs}, $arg->{patterns}) : $arg->{_inputs} // [],
		outputs      => defined $arg->{outputs} ? templates($arg->{outputs}, $arg->{patterns}) : $arg->{_outputs} // [],
		paused       => ($self->{jobs}{ $arg->{label} } // {})->{paused} // 0,
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
	$self->reroute(\%jobs);
	return;
}

sub reroute
{
	my ($self, $jobs) = @_;
	my %made_with = map { $_ => "@{[ $self->outputs_of($_) ]}" } keys %{ $self->{parts} };

	$self->{jobs} = $jobs;
	foreach my $part (values %{ $self->{parts} })
	{
		my $old = $part->{job};
		my ($new) = labels_of($part->{ref}, $jobs);

		$part->{job} = $new;
		next if !$WORK_TO_DO{ $part->{state} };
		if (!$self->makeable($part->{ref}))
		{
			$self->stop_waiting($part, 'canceled');
			$self->fall_back($part);
		}
		elsif (defined $part->{declared} && $part->{declared} ne "@{[ sort $self->inputs_of($part->{ref}) ]}")
		{
			$self->stop_waiting($part, 'successful');
			$self->enqueue($part);
		}
		elsif ($part->{order} && ($old ne $new || $made_with{ $part->{ref} } ne "@{[ $self->outputs_of($part->{ref}) ]}"))
		{
			$part->{order}[1] = $self->{step} if defined $part->{order}[1];
		}
	}
	return;
}

# Refused while a run of it is running.
sub call_drop_job
{
	my ($self, $arg, $got) = @_;
	my $label = $self->known_job($arg->{label});

	refuse('55000') if any { $_->{state} eq 'running' && $_->{job} eq $label } values %{ $self->{runs} };
	return if !agreed($got);
	my %jobs = %{ $self->{jobs} };

	delete $jobs{$label};
	$self->reroute(\%jobs);
	return;
}

sub call_pause_job
{
	my ($self, $arg, $got) = @_;
	my $label = $self->known_job($arg->{label});

	$self->{jobs}{$label}{paused} = 1 if agreed($got);
	return;
}

sub call_resume_job
{
	my ($self, $arg, $got) = @_;
	my $label = $self->known_job($arg->{label});

	$self->{jobs}{$label}{paused} = 0 if agreed($got);
	return;
}

sub known_job
{
	my ($self, $label) = @_;

	refuse('22023') if !defined $label;
	refuse('42704') if !$self->{jobs}{$label};
	return $label;
}

sub call_want
{
	my ($self, $arg, $got) = @_;
	my $refs = refs($arg->{partitions});

	at_least(-100, $arg->{priority});
	refuse('22023') if $arg->{priority} > 100;
	refuse('22023') if any { defined && $_ < 0 } @$arg{qw(ttl sla)};
	my $from = $arg->{data_timestamp} // $self->{now};
	my $expires = defined $arg->{ttl} ? $from + $arg->{ttl} : undef;
	my @states = uniq(map { $self->route_problem($_) } @$refs);

	push @states, '22023' if defined $expires && $expires <= $self->{now};
	my ($same) = grep { !$_->{ended} && defined $_->{key} && defined $arg->{key} && $_->{key} eq $arg->{key} }
		values %{ $self->{wants} };

	# The design does not say whether the clock alone frees a key.
	my $over = $same && defined $same->{expires} && $same->{expires} <= $self->{now};
	my $differ = $same && "@{[ sort @$refs ]}" ne "@{[ sort @{ $same->{refs} } ]}";

	push @states, '55000' if $differ && (!$over || !agreed($got));
	push @states, '00000' if $same && !$differ && @states;
	push @states, '42P17' if @states && $self->has_ambiguous_inputs($arg);
	refuse(uniq @states) if @states;
	return if !agreed($got);

	my $id = $got->{rows}[0][0];
	$self->{tags}{ $arg->{_tag} } = $id if defined $arg->{_tag};
	return if $same && $same->{id} eq $id && !$differ;
	$self->wrong("want() returned $id instead of $same->{id}, which has the key") if $same && !$over;
	$self->make_want($id, $refs, $arg, $expires);
	return;
}

sub make_want
{
	my ($self, $id, $refs, $arg, $expires) = @_;
	my $from = $arg->{data_timestamp} // $self->{now};

	$self->wrong("want() returned $id, which is another want") if $self->{wants}{$id};
	$self->know($_) foreach @$refs;
	$self->{wants}{$id} = { id => $id, refs => $refs, priority => $arg->{priority}, ended => undef,
		key => $arg->{key}, expires => $expires, due => defined $arg->{sla} ? $from + $arg->{sla} : undef };
	return;
}

sub call_cancel_want
{
	my ($self, $arg, $got) = @_;
	my $id = $arg->{want_id};

	refuse('22023') if !defined $id;
	my $want = $self->{wants}{$id};

	# A derivative one; if it is canceled there is nothing to do.
	refuse('55000', '00000') if !$want && $self->{real}{want}{$id} && $self->{real}{want}{$id} eq 'canceled';
	refuse('55000') if !$want && $self->{real}{want}{$id};
	refuse('42704') if !$want;
	refuse('55000') if ($want->{ended} // '') eq 'expired';
	# The design does not say whether the clock alone ends a want.
	refuse('55000', '00000') if !$want->{ended} && is_over($self, $want) && !agreed($got);
	$want->{ended} //= 'canceled' if agreed($got);
	return;
}

# Taint what is live, and want it.
sub call_remake
{
	my ($self, $arg, $got) = @_;
	my $refs = refs($arg->{partitions});

	at_least(-100, $arg->{priority});
	refuse('22023') if $arg->{priority} > 100;
	my @states = map { $self->route_problem($_) } @$refs;

	push @states, '42P17' if @states && $self->has_ambiguous_inputs($arg);
	refuse(uniq @states) if @states;
	return if !agreed($got);

	my $id = $got->{rows}[0][0];
	my @live = grep { $self->state_of($_) eq 'live' } @$refs;
	my @made = grep { !$self->{taints}{$_} } keys %{ $self->{real}{taint} };

	$self->wrong('remake() made ' . @made . ' taints of ' . @live . ' live ones') if @made > 1 || @live && !@made;
	$self->mark($made[0], \@live) if @made;
	$self->{tags}{ $arg->{_tag} } = $id if defined $arg->{_tag};
	$self->make_want($id, $refs, $arg, undef);
	return;
}

sub call_taint
{
	my ($self, $arg, $got) = @_;
	my $refs = refs($arg->{partitions});

	refuse('22023') if !defined $arg->{reason};
	refuse('42704') if any { !$self->{parts}{$_} } @$refs;
	return if !agreed($got);
	my $id = $got->{rows}[0][0];

	$self->wrong("taint() returned $id, which is another taint") if $self->{taints}{$id};
	$self->{tags}{ $arg->{_tag} } = $id if defined $arg->{_tag};
	my @live = grep { $self->state_of($_) eq 'live' } @$refs;

	return $self->mark($id, \@live) if !$arg->{downstream};
	# what was made of an instance that is tainted already was made of it all the same
	$self->mark_downstream($id, \@live, $refs);
	return;
}

sub mark
{
	my ($self, $id, $refs) = @_;

	$self->{taints}{$id} = { id => $id, state => 'active', refs => $refs };
	foreach my $part (map { $self->{parts}{$_} } @$refs)
	{
		$part->{taint} = $id;
		$part->{state} = $self->taken_by($part->{ref}) ? 'building' : 'tainted';   # and on from there when it settles
	}
	return;
}

# What was made of the newest instances of refs, however indirectly: what surely was, and what may have been. That is
# what the design does not say: whether what a run read it read for each of its outputs, and whether what was made of
# an older instance of something in between counts.
sub made_from
{
	my ($self, @refs) = @_;
	my (%sure, %maybe);

	foreach my $found (\%sure, \%maybe)
	{
		my %from = map { $_ => $self->{parts}{$_}{instance} } grep { defined $self->{parts}{$_}{instance} } @refs;
		my %instances = map { $_ => 1 } values %from;
		my $more = 1;

		while ($more)
		{
			$more = 0;
			foreach my $id (keys %{ $self->{made_of} })
			{
				my $it = $self->{made_of}{$id};

				next if $instances{$id} || $found == \%sure && ($self->{parts}{ $it->{ref} }{instance} // 0) != $id;
				my $read = $found == \%sure ? $it->{read} : { %{ $it->{read_along} }, %{ $it->{read} } };

				next if !any { $instances{$_} } values %$read;
				$instances{$id} = $more = 1;
				$found->{ $it->{ref} } = 1 if $self->state_of($it->{ref}) eq 'live' && $self->{parts}{ $it->{ref} }{instance} == $id;
			}
		}
		delete @$found{@refs};
	}
	return (\%sure, \%maybe);
}

# Taints the refs, and downstream what was made of these others. It takes which that is, if it is right.
sub mark_downstream
{
	my ($self, $id, $refs, $from) = @_;
	my ($sure, $maybe) = $self->made_from(@$from);
	my %named = map { $_ => 1 } @$refs;
	my @real = grep { !$named{$_} } @{ $self->{real}{taint}{ $id // '' } // [] };
	my %real = map { $_ => 1 } @real;

	$self->wrong("it did not taint $_") foreach grep { !$real{$_} } sort keys %$sure;
	$self->wrong("it tainted $_") foreach grep { !$maybe->{$_} && !$sure->{$_} } @real;
	$self->mark($id, [ @$refs, grep { $self->state_of($_) eq 'live' } @real ]) if defined $id;
	return;
}

# From then on what is written to the table publishes the refs that its rows name.
sub call_track
{
	my ($self, $arg, $got) = @_;

	$self->{tracked} = $arg->{taint_downstream} ? 1 : 0 if agreed($got);
	return;
}

sub call_untrack
{
	my ($self, $arg, $got) = @_;

	refuse('42704') if !defined $self->{tracked};
	$self->{tracked} = undef if agreed($got);
	return;
}

# A statement that writes the table.
sub call_write
{
	my ($self, $arg, $got) = @_;
	my %meant = map { $_ // '' => 1 } @{ $arg->{refs} };
	my @before = $arg->{how} eq 'insert' ? () : grep { defined && ($arg->{how} eq 'truncate' || $meant{$_}) } @{ $self->{rows} };
	my @after = $arg->{how} eq 'insert' ? @{ $arg->{refs} } : $arg->{how} eq 'rename' ? (map { $arg->{to} } @before)
		: $arg->{how} eq 'touch' ? @before : ();
	my @refs = uniq(grep { defined } @before, @after);

	if (defined $self->{tracked})
	{
		my @states = ((any { defined && $_ eq '' } @after) ? '22023' : (),
			(any { labels_of($_, $self->{jobs}) > 1 } @refs) ? '42P17' : ());

		push @states, '42P17' if $got->{state} eq '42P17' && any { labels_of($_, $self->{jobs}) > 1 } map { $self->outputs_of($_) } @refs;
		refuse(@states) if @states;
	}
	return if !agreed($got);
	@{ $self->{rows} } = grep { !defined || $arg->{how} ne 'truncate' && !$meant{$_} } @{ $self->{rows} } if @before;
	@{ $self->{rows} } = () if $arg->{how} eq 'truncate';
	push @{ $self->{rows} }, @after;
	$self->changed(@refs) if defined $self->{tracked} && @refs;
	return;
}

# Published at once, or when the run has ended that makes it.
sub changed
{
	my ($self, @refs) = @_;

	if ($self->{tracked})
	{
		my @made = grep { !$self->{taints}{$_} } keys %{ $self->{real}{taint} };

		$self->wrong('the statement made ' . @made . ' taints') if @made > 1;
		$self->mark_downstream($made[0], [], [ grep { $self->{parts}{$_} } @refs ]);
	}
	foreach my $part (map { $self->know($_) } @refs)
	{
		if ($self->taken_by($part->{ref}))
		{
			$part->{changed} = 1;
			next;
		}
		$self->be_published($part);
	}
	return;
}

sub be_published
{
	my ($self, $part) = @_;

	$part->{changed} = 0;
	push @{ $part->{instances} }, { run => undef, state => 'live' };
	$self->go_live($part, undef);
	return;
}

sub publish_late
{
	my ($self, $run) = @_;

	$self->be_published($_) foreach grep { $_->{changed} } map { $self->{parts}{$_} } @{ $run->{outputs} };
	return;
}

# Each ref it marked that was not made since and is not being made becomes live again.
sub call_cancel_taint
{
	my ($self, $arg, $got) = @_;

	refuse('22023') if !defined $arg->{taint_id};
	my $taint = $self->{taints}{ $arg->{taint_id} } or refuse('42704');
	return if !agreed($got) || $taint->{state} eq 'canceled';
	$taint->{state} = 'canceled';
	foreach my $part (map { $self->{parts}{$_} } @{ $taint->{refs} })
	{
		next if ($part->{taint} // '') ne $taint->{id};
		$part->{taint} = undef;
		$self->be_live($part) if $part->{state} ne 'building';
	}
	return;
}

# The data is gone.
sub call_forget
{
	my ($self, $arg, $got) = @_;
	my $refs = refs($arg->{partitions});

	refuse('22023') if !defined $arg->{reason};
	refuse('42704') if any { !$self->{parts}{$_} } @$refs;
	my @not_missing = grep { $self->state_of($_) ne 'missing' } @$refs;

	# Whether it is refused if there is nothing to forget, the design leaves to reading.
	refuse('55000') if !agreed($got) && any { $self->is_wanted($_) } @$refs;
	refuse('55000') if any { $self->taken_by($_) } @not_missing;
	if (any { $self->is_wanted($_) } @not_missing)
	{
		# The design does not say whether the clock alone ends a want.
		refuse('55000') if !agreed($got) || !any { is_over($self, $_) } values %{ $self->{wants} };
		$self->expire;
		refuse('55000') if any { $self->is_wanted($_) } @$refs;
	}
	return if !agreed($got);
	my @there = grep { $self->state_of($_) ne 'missing' } @$refs;

	foreach my $part (map { $self->{parts}{$_} } @there)
	{
		@$part{qw(state live_run instance is_there taint why attempts misses maybe_misses)}
			= ('missing', undef, undef, 0, undef, undef, 0, 0, 0);
	}
	$self->wrong("forget() returned $got->{rows}[0][0] instead of " . @there) if $got->{rows}[0][0] != @there;
	return;
}

sub call_retry
{
	my ($self, $arg, $got) = @_;
	my $refs = refs($arg->{partitions});

	refuse('42704') if any { !$self->{parts}{$_} } @$refs;
	$self->retry($refs, 'retry', $got) if agreed($got);
	return;
}

# Every failed partition that keeps the want from success, however far upstream.
sub call_retry_want
{
	my ($self, $arg, $got) = @_;

	refuse('22023') if !defined $arg->{want_id};
	my $want = $self->{wants}{ $arg->{want_id} } or refuse('42704');
	refuse('55000', '00000') if ($want->{ended} || is_over($self, $want)) && !agreed($got);
	return if !agreed($got);
	my %seen;
	my @todo = @{ $want->{refs} };

	# However far upstream: a failed one may have declared inputs that failed, too.
	while (defined(my $ref = shift @todo))
	{
		next if $seen{$ref}++;
		push @todo, $self->state_of($ref) eq 'failed' ? $self->lacks($ref) : @{ ($self->{parts}{$ref} // {})->{lacking} // [] };
	}
	my @refs = grep { $self->state_of($_) eq 'failed' } sort keys %seen;

	# Nor what it does for a want that has ended.
	@refs = grep { $self->{real}{partition}{$_} ne 'failed' } @refs if $want->{ended} || is_over($self, $want);
	$self->retry(\@refs, 'retry_want', $got);
	return;
}

sub retry
{
	my ($self, $refs, $name, $got) = @_;
	my @parts = grep { $_->{state} =~ /^(failed|up_for_retry)$/ } map { $self->{parts}{$_} } @$refs;

	foreach my $part (@parts)
	{
		@$part{qw(attempts misses maybe_misses why retry_at order)} = (0, 0, 0);
		if ($self->makeable($part->{ref}) && $self->is_wanted($part->{ref}))
		{
			$self->enqueue($part);
		}
		else
		{
			$self->fall_back($part);
		}
	}
	$self->settle;
	my $count = grep { $_->{state} !~ /^(failed|missing|tainted)$/ } @parts;

	$self->wrong("$name() returned $got->{rows}[0][0] instead of $count") if $got->{rows}[0][0] != $count;
	return;
}

sub call_publish
{
	my ($self, $arg, $got) = @_;
	my $refs = refs($arg->{partitions});
	my @states;

	push @states, '42P17' if any { labels_of($_, $self->{jobs}) > 1 } @$refs;
	push @states, '55000' if any { $self->taken_by($_) } @$refs;
	push @states, '42P17' if @states && $self->has_ambiguous_inputs($arg);
	refuse(uniq @states) if @states;
	return if !agreed($got);
	foreach my $ref (@$refs)
	{
		$self->be_published($self->know($ref));
	}
	return;
}

# Lost leases and due retries first, then the greatest priority, then the order of becoming claimable.
sub call_claim
{
	my ($self, $arg, $got) = @_;
	my ($labels, @rows);

	refuse('22023') if !defined $arg->{worker};
	at_least(1, $arg->{max_runs});
	at_least(0, $arg->{lease}) if defined $arg->{lease};
	if (defined $arg->{jobs})
	{
		$labels = list($arg->{jobs});
		refuse('42704') if any { !$self->{jobs}{$_} } @$labels;
	}
	return if !agreed($got);
	# What lacks an input makes that more urgent only when the claim meets it; others may have been taken before.
	local $self->{began} = { map { $_->{ref} => $_->{priority} // -101 } values %{ $self->{parts} } };

	$self->work_off;
	$self->expire;
	$self->settle;
	my %wished = map { $_ => 1 } @{ $labels // [ keys %{ $self->{jobs} } ] };
	my $ready = sub { return grep { $wished{ $_->{job} // '' } && $self->claimable($_) } values %{ $self->{parts} } };
	# what a claim takes along may make other work less urgent, but this claim has seen it as it was
	local $self->{urgency} = { map { $_ => $self->priority($_) } keys %{ $self->{parts} } };

	@rows = @{ $got->{rows} };
	$self->wrong('claim() returned ' . @rows . " runs instead of $arg->{max_runs}") if @rows > $arg->{max_runs};
	foreach my $row (@rows)
	{
		my ($id, $label, $partitions, $config, $attempt, $lease_at) = @$row;
		my @outputs = split /,/, $partitions;
		my @ready = $ready->();
		my @batches = $self->batches(\@ready, @outputs);

		if (!@batches)
		{
			$self->wrong("claim() returned $partitions, which is not claimable");
			next;
		}
		my @leads = uniq(map { @$_ } @batches);
		my @before = grep { defined } map { my $lead = $_; first { $self->is_before($_, $lead) } @ready } @leads;

		$self->wrong("claim() returned $partitions before $before[0]{ref}") if @before == @leads;
		my $job = $self->{jobs}{ $leads[0]{job} };
		my $lease = $arg->{lease} // $job->{lease};
		# The design does not say whose attempt it is, if they have failed differently often.
		my @attempts = uniq(map { $_->{attempts} + 1 } @leads, map { $self->{parts}{$_} } @outputs);
		my $run = {
			id       => $id,
			job      => $leads[0]{job},
			outputs  => \@outputs,
			state    => 'running',
			worker   => $arg->{worker},
			attempt  => (first { $_ == $attempt } @attempts) // $attempts[0],
			lease    => $lease,
			lease_at => $self->{now} + $lease,
			claimed_at => ++$self->{lived},
			saw => { map { $_->{ref} => $_->{instance} } grep { $_->{state} eq 'live' } values %{ $self->{parts} } },
		};
		my $expected = join '|', $run->{job}, $job->{config}, $run->{attempt}, seconds($run->{lease_at});
		my $returned = join '|', $label, $config, $attempt, $lease_at;

		$self->wrong("claim() returned $returned for $partitions instead of $expected") if $returned ne $expected;
		$self->wrong("claim() returned run $id twice") if $self->{runs}{$id};
		$self->take($run);
	}
	# For those that are new the next claim is soon enough; what only something wanted that is made now, nobody needs.
	my @left = grep { !$self->is_new($_) && $self->is_wanted($_->{ref}) } $ready->();

	$self->wrong("claim() did not return $left[0]{ref}") if @left && @rows < $arg->{max_runs};
	return;
}

# Which of the claimable ones may share a run that makes just these outputs: of one job and equal priority, as many as
# it says, and no other than co-outputs with what has failed.
sub batches
{
	my ($self, $ready, @outputs) = @_;
	my %asked = map { $_ => 1 } @outputs;
	my $failed = any { ($self->{parts}{$_} // { attempts => 0 })->{attempts} > 0 } @outputs;
	my @able = grep { !any { !$asked{$_} } $self->outputs_of($_->{ref}) } @$ready;
	my @found;
	my @todo = map { [$_] } 0 .. $#able;

	while (my $some = shift @todo)
	{
		my @members = @able[@$some];
		my %made = map { $_ => 1 } map { $self->outputs_of($_->{ref}) } @members;

		push @found, \@members if keys %made == keys %asked;
		next if $failed || @members >= $self->{jobs}{ $members[0]{job} }{batch_size};
		push @todo, map { [ @$some, $_ ] } grep { $able[$_]{job} eq $members[0]{job}
			&& $self->as_urgent($able[$_], $members[0]) } $some->[-1] + 1 .. $#able;
	}
	return @found;
}

# Now, or when the claim began.
sub as_urgent
{
	my ($self, $one, $other) = @_;
	my @began = map { $self->{began}{ $_->{ref} } // -101 } $one, $other;

	return ($one->{priority} // -101) == ($other->{priority} // -101) || $began[0] == $began[1];
}

# All its outputs are taken along; what is live stays so.
sub take
{
	my ($self, $run) = @_;

	$self->{runs}{ $run->{id} } = $run;
	foreach my $part (map { $self->know($_) } @{ $run->{outputs} })
	{
		push @{ $part->{instances} }, { run => $run->{id}, state => 'building' };
		next if $part->{state} eq 'live';
		$self->stop_waiting($part, 'successful');
		@$part{qw(state order retry_at)} = ('building');
	}
	return;
}

# Both with the arguments of both; an empty run_ids is fine.
sub call_finish_and_claim
{
	my ($self, $arg, $got) = @_;
	my $none = { state => 'none' };
	my @states;

	refuse('22023') if ref $arg->{run_ids} ne 'ARRAY';
	foreach my $part (@{ $arg->{run_ids} } ? 'succeed_many' : (), 'claim')
	{
		my $method = "call_$part";

		eval { $self->$method($arg, $none); 1 } or push @states, ref $@ ? @{$@} : die $@;
	}
	refuse(uniq @states) if @states;
	return if !agreed($got);
	$self->call_succeed_many($arg, $got) if @{ $arg->{run_ids} };
	$self->settle;
	$self->call_claim($arg, $got);
	return;
}

sub call_cancel_run
{
	my ($self, $arg, $got) = @_;
	my $run = $self->reported('cancel', $arg, []);

	return if !agreed($got) || !$run;
	$self->end_run($run, 'canceled');
	foreach my $part (map { $self->{parts}{$_} } @{ $run->{outputs} })
	{
		$self->instance($part, $run, 'canceled');
		next if $self->keeps($part);
		if (!$self->makeable($part->{ref}) || !$self->is_wanted($part->{ref}))
		{
			$self->fall_back($part);
		}
		else
		{
			@$part{qw(state why)} = ('failed', 'failed');
		}
	}
	$self->publish_late($run);
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
	my $run = $self->reported('succeed', $arg, [ $arg->{made} ], $arg->{reads});

	return if !agreed($got) || !$run;
	my %made = map { $_ => 1 } @{ defined $arg->{made} ? refs($arg->{made}) : $run->{outputs} };

	$run->{reads} = refs($arg->{reads}) if defined $arg->{reads};

	$self->end_run($run, 'succeeded');
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
	$self->publish_late($run);
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
	my @impacted = defined $arg->{impacted} ? @{ refs($arg->{impacted}) } : @{ $run->{outputs} };
	my $want = @lacking ? { refs => \@lacking, made_for => \@impacted, ended => undef, step => $self->{step} } : undef;

	# What a cycle raised for a moment may have lost its place.
	if (any { $self->on_cycle($self->{parts}{$_}, @lacking) } @impacted)
	{
		$_->{order}[1] = $self->{step} foreach grep { $_->{order} && defined $_->{order}[1] } map { $self->{parts}{$_} }
			uniq(@lacking, map { $self->all_upstream($_) } @lacking);
	}
	# An output that nobody wants falls back, also if a sibling is what wants it from now on.
	my %wanted = map { $_ => $self->is_wanted($_) } @{ $run->{outputs} };

	push @{ $self->{derived} }, $want if $want;
	$self->end_run($run, 'dep_miss');
	foreach my $ref (@{ $run->{outputs} })
	{
		my $impacted = any { $_ eq $ref } @impacted;

		$self->instance($self->{parts}{$ref}, $run, 'missed');
		$self->missed($self->{parts}{$ref}, $wanted{$ref}, $impacted, $impacted && $want, @lacking);
	}
	$self->publish_late($run);
	$self->end_want($want) if $want;
	return;
}

# What becomes of an output: it waits by the want, if there is one.
sub missed
{
	my ($self, $part, $wanted, $impacted, $want, @lacking) = @_;

	$want->{hows}{successful} = 1 if $want;
	return if $self->keeps($part);
	# The design does not say whether a miss counts for the outputs that lack nothing.
	$part->{ $impacted ? 'misses' : 'maybe_misses' }++;
	my $max = $self->makeable($part->{ref}) ? $self->{jobs}{ $part->{job} }{max_misses} : undef;
	my $many = defined $max && ($impacted && $part->{misses} >= $max || $part->{misses} + ($part->{maybe_misses} // 0) >= $max
		&& ($self->{real}{partition}{ $part->{ref} } // '') eq 'failed');

	if (!$self->makeable($part->{ref}) || !$wanted)
	{
		$self->fall_back($part);
		@$want{qw(left hows)} = ('canceled', { %{ $want->{hows} }, canceled => 1 }) if $want;
	}
	elsif ($want && (!$many || $self->found_on_cycle($part, @lacking)))
	{
		$part->{waits} = [$want];
		$part->{lacking} = [@lacking];
		$part->{state} = 'upstream_building';
		$part->{many} = $many;
	}
	elsif ($many)
	{
		@$part{qw(state why)} = ('failed', 'failed');
	}
	else
	{
		$self->enqueue($part);
	}
	return;
}

# The design does not say whether a miss too many is seen first, or the cycle that it closes.
sub found_on_cycle
{
	my ($self, $part, @refs) = @_;

	my @others = grep { $_ ne $part->{ref} } @refs;

	return 0 if any { $self->makeable($_) && $self->{real}{partition}{$_} eq 'missing' } @others;
	return $self->on_cycle($part, @refs) && all { ($self->{real}{partition}{$_} // '') eq 'failed' } grep { $self->on_cycle($part, $_) } @others;
}

# Would it wait for itself?
sub on_cycle
{
	my ($self, $part, @refs) = @_;

	return any { $_ eq $part->{ref} } map { ($_, $self->all_upstream($_)) } @refs;
}

sub call_tick
{
	my ($self, $arg, $got) = @_;

	return if !agreed($got);
	my $lost = $self->work_off;

	$self->expire;
	$self->wrong("tick() lost $got->{rows}[0][0] runs instead of $lost") if $got->{rows}[0][0] != $lost;
	return;
}

# What a want would meet, and what that is declared to need, however indirectly, as far as it is not live.
sub call_plan
{
	my ($self, $arg, $got) = @_;
	my @todo = @{ refs($arg->{partitions}) };
	my %returned = map { @$_[ 0, 1 ] } @{ $got->{rows} };
	my $ambiguous = $self->has_ambiguous_inputs($arg);   # what such a ref needs, nobody knows
	my %expected;

	return if !agreed($got);
	while (defined(my $ref = shift @todo))
	{
		next if $expected{$ref};
		$expected{$ref} = [ $self->outcomes($ref) ];
		push @todo, $self->inputs_of($ref) if $self->state_of($ref) ne 'live';
	}
	foreach my $ref (sort keys %expected)
	{
		next if !defined $returned{$ref} && $ambiguous;
		$self->wrong("plan() returned $ref " . ($returned{$ref} // 'not') . " instead of @{ $expected{$ref} }")
			if !grep { $_ eq ($returned{$ref} // '') } @{ $expected{$ref} };
	}
	$self->wrong("plan() returned $_") foreach grep { !$expected{$_} && !$ambiguous } sort keys %returned;
	$self->wrong('plan() returned a ref twice') if keys %returned != @{ $got->{rows} };
	return;
}

sub outcomes
{
	my ($self, $ref) = @_;
	my $state = $self->state_of($ref);
	my @labels = labels_of($ref, $self->{jobs});
	my @now = $state =~ /^(unknown|missing|tainted)$/ ? () : $state;

	return 'live' if $state eq 'live';
	return ('no_job', @now) if !@labels;
	return ('ambiguous_job', @now) if @labels > 1;
	return ('waiting_for_publish', @now) if $self->{jobs}{ $labels[0] }{is_source};
	return @now if @now;
	# Whether it says of what waits for what failed that it waits, the design leaves to reading.
	return $self->lacks($ref) ? ('upstream_building', 'upstream_failed') : 'queued';
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
	my @bad = !$known ? '42704' : $known->{state} eq $REPORTED{$sort} ? '00000' : $known->{state} ne 'running' ? '55000' : ();
	my @named = map { my $refs = eval { refs($_) } // refuse('22023', @bad); @$refs } grep { defined } @$outputs;
	my $ambiguous = (any { labels_of($_, $self->{jobs}) > 1 } @{ $missing // [] })
		|| $missing && $self->has_ambiguous_inputs($arg);
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

# What it was in the way of comes first among its priority if a claim has met it meanwhile; the design does not say
# what a claim meets, so its place is open.
sub end_run
{
	my ($self, $run, $state) = @_;
	my %made = map { $_ => 1 } @{ $run->{outputs} };

	$run->{state} = $state;
	foreach my $part (grep { $_->{order} && defined $_->{order}[1] } values %{ $self->{parts} })
	{
		$part->{order} = [ 0, $self->{step} ] if any { $made{$_} } $self->outputs_of($part->{ref});
	}
	return;
}

sub end_badly
{
	my ($self, $run, $state, $retry) = @_;

	$self->end_run($run, $state);
	foreach my $part (map { $self->{parts}{$_} } @{ $run->{outputs} })
	{
		$self->instance($part, $run, $state);
		$self->attempt_failed($part, $retry);
	}
	$self->publish_late($run);
	return;
}

sub attempt_failed
{
	my ($self, $part, $retry) = @_;
	my $job = $self->{jobs}{ $part->{job} // '' };

	return if $self->keeps($part);
	$part->{attempts}++;
	if (!$self->makeable($part->{ref}) || !$self->is_wanted($part->{ref}))
	{
		$self->fall_back($part);
	}
	elsif (!$retry || $part->{attempts} >= $job->{max_attempts})
	{
		@$part{qw(state why)} = ('failed', 'failed');
	}
	else
	{
		$part->{state}    = 'up_for_retry';
		$part->{retry_at} = $self->{now} + $job->{backoff} * 2**($part->{attempts} - 1);   # the design says backoff only
		$part->{order}    = [ $self->{step}, undef ];
	}
	return;
}

# A run ended without making it, but it has a valid instance: its taint was canceled meanwhile.
sub keeps
{
	my ($self, $part) = @_;

	return 0 if !$part->{is_there} || defined $part->{taint};
	$self->be_live($part);
	return 1;
}

sub fall_back
{
	my ($self, $part) = @_;

	@$part{qw(state order retry_at)} = ($part->{is_there} && defined $part->{taint} ? 'tainted' : 'missing');
	return;
}

sub go_live
{
	my ($self, $part, $run) = @_;

	@$part{qw(live_run is_there taint)} = ($run // 'published', 1, undef);
	$part->{instance} = ++$self->{lived};
	$part->{read} = defined $run ? $self->read_by($self->{runs}{$run}, $part->{ref}) : {};
	$part->{read_along} = defined $run ? $self->read_by($self->{runs}{$run}, @{ $self->{runs}{$run}{outputs} }) : {};
	$self->{made_of}{ $part->{instance} } = { map { $_ => $part->{$_} } qw(ref read read_along) };
	$self->be_live($part);
	return;
}

sub be_live
{
	my ($self, $part) = @_;

	$self->stop_waiting($part, 'successful');
	@$part{qw(state attempts misses maybe_misses retry_at order why)} = ('live', 0, 0, 0);
	push @{ $part->{lives} }, [ ++$self->{lived}, $part->{instance} ];
	return;
}

# Of each input, those that the run named or those declared, the instance that was live when the run was claimed, or the first since, or the newest.
sub read_by
{
	my ($self, $run, @refs) = @_;
	my %read;

	foreach my $input (map { $self->{parts}{$_} // {} } $run->{reads} ? @{ $run->{reads} } : map { $self->inputs_of($_) } @refs)
	{
		my ($since) = grep { $_->[0] > $run->{claimed_at} } @{ $input->{lives} // [] };
		my $instance = $run->{saw}{ $input->{ref} // '' } // ($since // [ 0, $input->{instance} ])->[1];

		$read{ $input->{ref} } = $instance if defined $instance;
	}
	return \%read;
}

# Is there a newer instance of what it was made from?
sub is_stale
{
	my ($self, $part, $which) = @_;
	my $read = $part->{ $which // 'read' } // {};

	return any { ($self->{parts}{$_}{instance} // 0) > $read->{$_} } keys %$read;
}

# Wants whose time is over: a claim and a tick see it, other calls may.
sub is_over
{
	my ($self, $want) = @_;

	return !$want->{ended} && defined $want->{expires} && $want->{expires} <= $self->{now};
}

sub expire
{
	my ($self) = @_;

	$_->{ended} = 'expired' foreach grep { is_over($self, $_) } values %{ $self->{wants} };
	return;
}

sub expire_as_real
{
	my ($self) = @_;

	foreach my $want (grep { is_over($self, $_) } values %{ $self->{wants} })
	{
		$want->{ended} = 'expired' if ($self->{real}{want}{ $want->{id} } // '') eq 'expired';
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
		foreach my $part (map { $self->{parts}{$_} } sort keys %{ $self->{parts} })
		{
			my $before = "$part->{state} @{ $part->{lacking} // [] }";

			$self->settle_partition($part);
			$changed = 1 if "$part->{state} @{ $part->{lacking} // [] }" ne $before;
		}
		foreach my $want (@{ $self->{derived} })
		{
			next if $want->{ended};
			$changed = 1 if $self->end_want($want);
		}
		next if $changed;
		foreach my $part (map { $self->{parts}{$_} } sort keys %{ $self->{parts} })
		{
			last if $changed = $self->fail_cycle($part);
		}
	}
	foreach my $part (values %{ $self->{parts} })
	{
		my $before = $part->{priority};

		# Another priority: behind what is claimable at that one already, but for what a run was in the way of till now.
		$part->{priority} = $WORK_TO_DO{ $part->{state} } ? $self->priority($part->{ref}) : undef;
		next if !$part->{order} || !defined $part->{order}[1] || !defined $before || $before == $part->{priority};
		$part->{order} = [ $part->{order}[0] == 0 && $part->{order}[1] == $self->{step} ? 0 : $self->{step}, $self->{step} ];
	}
	return;
}

sub settle_partition
{
	my ($self, $part) = @_;
	my $ref = $part->{ref};
	my $wanted = $self->is_wanted($ref);
	my $real = $self->{real}{partition}{$ref} // '';

	if ($WORK_TO_DO{ $part->{state} } && !$wanted)
	{
		my $cycle = $WAITS{ $part->{state} } && $real eq 'failed' && $self->would_cycle($ref);

		$self->stop_waiting($part, 'canceled');
		$self->fall_back($part);
		@$part{qw(state why)} = ('failed', 'cycle') if $cycle;
	}
	elsif ($part->{state} =~ /^(missing|tainted)$/ && $wanted && $self->makeable($ref))
	{
		$self->enqueue($part);
	}
	elsif ($part->{state} =~ /^(missing|tainted)$/ && $real eq 'failed' && $self->makeable($ref) && $self->would_cycle($ref))
	{
		# Nor whether a cycle is seen before what wanted it falls back.
		@$part{qw(state why)} = ('failed', 'cycle');
	}
	elsif ($WAITS{ $part->{state} })
	{
		if (any { $self->state_of($_) ne 'live' } @{ $part->{lacking} })
		{
			my $lost = $self->is_lost($ref);

			$part->{state} = $lost ? 'upstream_failed' : 'upstream_building';

			# What stays blocked asks for no more. The design does not say whether what waits by a miss, and is blocked,
			# looks again when it is defined anew.
			$self->wait_for_more($part) if !$lost || !$self->{blocked}{$ref} && any { $self->{real}{waits}{$ref}{$_} } $self->lacks($ref);
		}
		elsif ($self->lacks($ref) && any { $self->{real}{waits}{$ref}{$_} } @{ $part->{lacking} })
		{
			# All is there that it missed, but not what it is declared to need by now. The design does not say
			# whether it goes on waiting or begins anew.
			$self->wait_for_more($part);
		}
		else
		{
			$self->stop_waiting($part, 'successful');
			$self->enqueue($part);
		}
	}
	elsif ($part->{state} =~ /^(queued|up_for_retry)$/ && $real ne $part->{state} && $self->lacks($ref))
	{
		# Met by a claim, or seen before that.
		$self->wait_for_declared($part);
	}
	return;
}

# Did something fail that it waits for or is declared to need, or what that waits for or is declared to need?
sub is_lost
{
	my ($self, $ref) = @_;
	my (@todo, %seen) = ($ref);

	while (defined(my $next = shift @todo))
	{
		my $part = $self->{parts}{$next} // next;

		return 1 if $part->{state} eq 'failed';
		push @todo, grep { !$seen{$_}++ } $self->lacks($next), @{ $part->{lacking} // [] } if $WAITS{ $part->{state} };
	}
	return 0;
}

# The partitions on a cycle fail: those that it waits for, directly or not, and that wait for it.
sub fail_cycle
{
	my ($self, $part) = @_;

	return 0 if !$WAITS{ $part->{state} };
	my @upstream = $self->all_upstream($part->{ref});

	# The design does not say whether one is found that would wait for itself if it did not wait for a failed one.
	if (!grep { $_ eq $part->{ref} } @upstream)
	{
		my @cycle = grep { $WAITS{ $_->{state} } && ($self->{real}{partition}{ $_->{ref} } // '') eq 'failed'
			&& $self->would_cycle($_->{ref}) } values %{ $self->{parts} };

		return 0 if $part->{state} ne 'upstream_failed' || !grep { $_ == $part } @cycle;
		foreach my $it (@cycle)
		{
			$self->stop_waiting($it, 'successful');
			@$it{qw(state why)} = ('failed', 'cycle');
		}
		return 1;
	}
	my @cycle = grep { my $ref = $_; any { $_ eq $part->{ref} } $self->all_upstream($ref) } @upstream;

	foreach my $it (map { $self->{parts}{$_} } @cycle)
	{
		$self->stop_waiting($it, 'successful');
		@$it{qw(state why)} = ('failed', 'cycle');
		$it->{order} = undef;
	}
	return scalar @cycle;
}

sub would_cycle
{
	my ($self, $ref) = @_;
	my %seen;
	my @todo = ($ref);

	while (defined(my $next = shift @todo))
	{
		my @next = uniq($self->lacks($next), @{ ($self->{parts}{$next} // {})->{lacking} // [] });

		return 1 if any { $_ eq $ref } @next;
		push @todo, grep { !$seen{$_}++ } @next;
	}
	return 0;
}

# A derivative want ends when nothing that it was made for waits any more. Returns whether it did.
sub end_want
{
	my ($self, $want) = @_;

	return 0 if $self->waiting_by($want);
	# what went live in the call in which nothing waited for it any more, did so first
	my $live = all { $self->state_of($_) eq 'live' } @{ $want->{refs} };

	@$want{qw(ended ended_in)} = ($live ? 'successful' : $want->{left} // 'successful', $self->{step});
	return 1;
}

sub stop_waiting
{
	my ($self, $part, $how) = @_;
	my $wants = delete $part->{waits} or return;

	delete @$part{qw(lacking declared)};
	foreach my $want (@$wants)
	{
		$want->{left} = $how;
		$want->{hows}{$how} = 1;
		$self->end_want($want);
	}
	return;
}

# To the queue, or to wait for the declared inputs that are not live.
sub enqueue
{
	my ($self, $part) = @_;

	return $self->wait_for_declared($part) if $self->lacks($part->{ref});
	$part->{state} = 'queued';
	$part->{order} = [ $self->{step}, $self->{step} ];
	$part->{priority} = undef;
	return;
}

sub wait_for_declared
{
	my ($self, $part) = @_;
	my @lacking = $self->lacks($part->{ref});
	my $want = { refs => \@lacking, made_for => [ $part->{ref} ], ended => undef, step => $self->{step} };

	$self->know($_) foreach @lacking;
	push @{ $self->{derived} }, $want;
	$part->{waits} = [$want];
	$part->{lacking} = \@lacking;
	$part->{declared} = "@{[ sort $self->inputs_of($part->{ref}) ]}";
	@$part{qw(state order retry_at)} = ('upstream_building');
	return;
}

# Declared inputs that were live when it began to wait, and are so no more.
sub wait_for_more
{
	my ($self, $part) = @_;
	my %waited = map { $_ => 1 } @{ $part->{lacking} };
	my @more = grep { !$waited{$_} } $self->lacks($part->{ref}) or return;

	# The design does not say whether what waits only until a cycle is seen, and is blocked then, wants more meanwhile.
	@more = grep { $self->has_derivative($_) } @more or return
		if ($self->{real}{partition}{ $part->{ref} } // '') eq 'upstream_failed';
	my $want = { refs => \@more, made_for => [ $part->{ref} ], ended => undef, step => $self->{step} };

	$self->know($_) foreach @more;
	push @{ $self->{derived} }, $want;
	push @{ $part->{waits} }, $want;
	$part->{lacking} = [ @{ $part->{lacking} }, @more ];
	$part->{declared} //= "@{[ sort $self->inputs_of($part->{ref}) ]}";
	return;
}

# More wants cover it in the real relations than callers have in force.
sub has_derivative
{
	my ($self, $ref) = @_;
	my $asked = grep { !$_->{ended} && any { $_ eq $ref } @{ $_->{refs} } } values %{ $self->{wants} };

	return ($self->{real}{covered}{$ref} // 0) > $asked;
}

# Its declared inputs that are not live.
sub lacks
{
	my ($self, $ref) = @_;

	return grep { $self->state_of($_) ne 'live' } $self->inputs_of($ref);
}

sub inputs_of
{
	my ($self, $ref) = @_;

	return $self->expanded($ref, 'inputs');
}

# What its run makes: itself, and what the job says.
sub outputs_of
{
	my ($self, $ref) = @_;

	return uniq($ref, $self->expanded($ref, 'outputs'));
}

sub expanded
{
	my ($self, $ref, $which) = @_;
	my ($label) = labels_of($ref, $self->{jobs});
	my $job = $self->{jobs}{ $label // '' } or return;
	my @refs;

	foreach my $pattern (@{ $job->{patterns} })
	{
		my @groups = $ref =~ /^(?:$pattern)$/ or next;

		foreach my $template (@{ $job->{$which} // [] })
		{
			push @refs, $template =~ s{\\([1-9&])}{ $1 eq '&' ? $ref : $groups[ $1 - 1 ] // '' }ger;
		}
		last;
	}
	return uniq @refs;
}

# The running run that makes it.
sub taken_by
{
	my ($self, $ref) = @_;

	return first { $_->{state} eq 'running' && any { $_ eq $ref } @{ $_->{outputs} } } values %{ $self->{runs} };
}

# A job makes it, nothing lacks, nobody holds it. A partition up for retry is claimable by the clock.
sub claimable
{
	my ($self, $part) = @_;

	return 0 if !$self->makeable($part->{ref}) || $self->{jobs}{ $part->{job} }{paused} || $self->lacks($part->{ref});
	return 0 if $self->collides($part) || $self->is_full($part->{job});
	return 1 if $part->{state} eq 'queued';
	return $part->{state} eq 'up_for_retry' && $part->{retry_at} <= $self->{now};
}

# Has it as many runs as it may?
sub is_full
{
	my ($self, $label) = @_;
	my $running = grep { $_->{state} eq 'running' && $_->{job} eq $label } values %{ $self->{runs} };

	return defined $self->{jobs}{$label}{max_running} && $running >= $self->{jobs}{$label}{max_running};
}

sub collides
{
	my ($self, $part) = @_;

	return any { $self->taken_by($_) } $self->outputs_of($part->{ref});
}

# A replay does not keep the place of a due retry.
sub replayed
{
	my ($self) = @_;

	foreach my $part (grep { $_->{state} eq 'up_for_retry' } values %{ $self->{parts} })
	{
		$part->{order} = [ 0, undef ];
	}
	return;
}

# Queued in this call because what the claim met lacks it.
sub is_new
{
	my ($self, $part) = @_;

	return $part->{order} && ($part->{order}[1] // 0) == $self->{step} && any { $part->{ref} eq $_ }
		map { @{ $_->{lacking} // [] } } grep { defined $_->{declared} } values %{ $self->{parts} };
}

# Claim order, where the design determines it. What became claimable in one call has no order; what the clock
# made claimable did so between two calls: [first, last].
sub is_before
{
	my ($self, $one, $other) = @_;
	my ($one_prio, $other_prio) = map { $self->{urgency}{ $_->{ref} } } $one, $other;

	return 0 if $self->is_new($one) || !defined $one_prio || !defined $other_prio;
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

	return scalar $self->behind($ref);
}

# Of what a derivative want was made for, what waits by it still.
sub waiting_by
{
	my ($self, $want) = @_;

	return grep { any { $_ eq $want } @{ $self->{parts}{$_}{waits} // [] } } @{ $want->{made_for} };
}

# The callers' wants that stand behind refs.
sub behind
{
	my ($self, @todo) = @_;
	my (%seen, %behind);

	while (defined(my $next = shift @todo))
	{
		next if $seen{$next}++;
		foreach my $want ($self->wants_on($next))
		{
			push @todo, $self->waiting_by($want) if $want->{made_for};
			$behind{ $want->{id} } = $want if !$want->{made_for};
		}
	}
	return values %behind;
}

# The greatest of all that stands behind it, undef if nothing does.
sub priority
{
	my ($self, $ref) = @_;

	return max(map { $_->{priority} } $self->behind($ref));
}

sub all_upstream
{
	my ($self, $ref) = @_;
	my %seen;
	my @todo = ($ref);

	while (defined(my $next = shift @todo))
	{
		push @todo, grep { !$seen{$_}++ } @{ ($self->{parts}{$next} // {})->{lacking} // [] };
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
	my $label = ($self->{parts}{$ref} // {})->{job};

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

# Each group that one of them names is in every pattern.
sub templates
{
	my ($list, $patterns) = @_;
	my $templates = list($list);

	foreach my $pattern (@$patterns)
	{
		'' =~ /|(?:$pattern)/;
		my $groups = $#+;

		refuse('22023') if any { my $template = $_; any { $_ > $groups } $template =~ /\\([1-9])/g } @$templates;
	}
	return $templates;
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
	return 'expired' if is_over($self, $want);
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

# What waits because of a miss may show the declared inputs that it lacks, too.
sub may_show
{
	my ($self, $ref, $upstream) = @_;

	return ($self->{parts}{$ref} // {})->{waits} && any { $_ eq $upstream } $self->inputs_of($ref);
}

sub want_line
{
	my ($self, $want) = @_;
	my @behind = $want->{made_for} ? $self->behind($self->waiting_by($want)) : $want;
	my $priority = max(map { $_->{priority} } @behind) // -101;
	my $expires = (any { !defined $_->{expires} } @behind) ? undef : max(map { $_->{expires} } @behind);
	my $due = List::Util::min(grep { defined } map { $_->{due} } @behind);

	return line('want', $want->{id} // 'derivative', join(',', sort @{ $want->{refs} }),
		$self->want_state($want), scalar @{ $want->{refs} },
		scalar(grep { $self->state_of($_) eq 'live' } @{ $want->{refs} }), $want->{ended} ? ('', '', '')
		: ($priority, map { defined ? seconds($_) : '' } $expires, $due));
}

# Lines of columns, in the words of the query in `run`. Derivative wants for declared inputs may be grouped
# otherwise, so of them, if there are any, only what they cover.
sub relations
{
	my ($self, $declared) = @_;
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
		push @lines, map { line('dependency', $part->{ref}, $_) } @{ $part->{lacking} // [] };
	}
	foreach my $want (values %{ $self->{wants} }, @{ $self->{derived} })
	{
		next if $want->{made_for} && $declared;
		push @lines, $self->want_line($want);
	}
	if ($declared)
	{
		push @lines, map { "covered|$_" } uniq(map { @{ $_->{refs} } } grep { !$_->{ended} } @{ $self->{derived} });
	}
	foreach my $run (values %{ $self->{runs} })
	{
		push @lines, line('run', $run->{id}, $run->{job}, $run->{state}, $run->{worker}, $run->{attempt},
			join(',', sort @{ $run->{outputs} }), $run->{state} eq 'running' ? seconds($run->{lease_at}) : undef);
	}
	foreach my $job (values %{ $self->{jobs} })
	{
		push @lines, line('job', $job->{label}, join(' ', @{ $job->{patterns} }), 
			map { $_ ? 't' : 'f' } @$job{qw(is_source paused)});
	}
	push @lines, map { line('taint', $_->{id}, $_->{state}, join ',', sort @{ $_->{refs} }) } values %{ $self->{taints} };
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
	my $over = any { is_over($self, $_) } values %{ $self->{wants} };   # then both may be said

	# The design does not say whether what a run read it read for each of its outputs.
	return $self->is_stale($part) ? 'stale' : ('live', $self->is_stale($part, 'read_along') ? 'stale' : ())
		if $part->{state} eq 'live';
	return $part->{state} eq 'missing' && $part->{job} && $self->makeable($ref) ? 'not_wanted'
		: ('not_wanted', $self->reasons_of_work($part)) if $over;
	return ('not_wanted', $part->{state} eq 'tainted' ? 'tainted' : (),
		$part->{state} =~ /^(missing|tainted)$/ ? () : $self->reasons_of_work($part)) if !$wanted;
	return $self->reasons_of_work($part);
}

sub reasons_of_work
{
	my ($self, $part) = @_;
	my $job = $self->{jobs}{ $part->{job} // '' };

	if ($part->{state} eq 'building')
	{
		my $run = $self->taken_by($part->{ref});

		return ($run->{lease_at} > $self->{now} ? 'building' : 'lease_overdue', $job ? () : 'no_job');
	}
	return $part->{state} eq 'failed' ? ('no_job', $part->{why}) : 'no_job' if !$job;
	return 'waiting_for_publish' if $part->{state} =~ /^(missing|tainted)$/;
	return ($part->{why}, $part->{many} ? 'failed' : (), $job->{is_source} ? 'waiting_for_publish' : ())
		if $part->{state} eq 'failed';
	return 'collision' if $part->{state} =~ /^(queued|up_for_retry)$/ && $self->collides($part);
	return ('upstream_failed', $self->collides($part) ? 'collision' : ()) if $part->{state} eq 'upstream_failed';
	return ('waiting_for_upstream', $self->collides($part) ? 'collision' : (), $self->on_cycle($part, $part->{ref}) ? 'cycle' : ())
		if $part->{state} eq 'upstream_building';
	return 'waiting_for_upstream', 'settling', 'job_paused', 'job_full', 'waiting_for_worker', 'backing_off'
		if $self->lacks($part->{ref});
	return 'backing_off' if $part->{state} eq 'up_for_retry' && $part->{retry_at} > $self->{now};
	return $job->{paused} ? 'job_paused' : $self->is_full($part->{job}) ? 'job_full' : 'waiting_for_worker';
}

1;
