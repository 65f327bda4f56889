/*
 * worlds.c
 *	  The small worlds, each about one thing, with what may be done how often.
 *
 * Several small worlds instead of a large one, since what can be done together
 * multiplies: a world has only what its promise needs.  The budgets make it
 * finite: attempts and misses of a partition end by its job's limits, all else
 * by these.  All worlds together take less than a minute on two cores; -b
 * makes all budgets larger.
 */
#include "model.h"

/* A job: its number, attempts, refs a run, and whatever else. */
#define JOB(number, attempts, batch, ...) \
	{.id = number,.max_attempts = attempts,.max_misses = 2,.backoff = 1,.lease = 1,.batch_size = batch, __VA_ARGS__}

#define A	BIT(1)
#define B	BIT(2)
#define C	BIT(3)
#define D	BIT(4)

const World worlds[] = {
	{
		.name = "chain",
		.about = "c misses b, b misses a; wants overlap and are canceled, runs fail and are lost",
		.refs = "abc",
		.made_by = "111",
		.jobs = {JOB(1, 2, 1)},
		.wants = {{C}, {B,.prio = 1}},
		.misses = {[3] = {B},[2] = {A}},
		.budget = {[B_WANTS] = 2,[B_CANCELS] = 1,[B_FAILS] = 1,[B_MISSES] = 2,[B_LEASES] = 1,[B_OPENS] = 1},
	},
	{
		.name = "skips",
		.about = "the same, where any token that a consequence concerns may be held by somebody else for a moment",
		.refs = "abc",
		.made_by = "111",
		.jobs = {JOB(1, 1, 1)},
		.wants = {{C}, {B,.prio = 1}},
		.misses = {[3] = {B},[2] = {A}},
		.budget = {[B_WANTS] = 3,[B_CANCELS] = 2,[B_FAILS] = 1,[B_MISSES] = 2},
		.skips = 3,
	},
	{
		.name = "three",
		.about = "b misses a, while two transactions stay open",
		.refs = "ab",
		.made_by = "11",
		.jobs = {JOB(1, 1, 1)},
		.wants = {{B}, {A}},
		.misses = {[2] = {A}},
		.taints = {A},
		.budget = {[B_WANTS] = 2,[B_CANCELS] = 1,[B_FAILS] = 1,[B_MISSES] = 1,[B_TAINTS] = 1,[B_OPENS] = 3},
		.sessions = 2,
	},
	{
		.name = "diamond",
		.about = "d misses b and c, which miss a: a watch moves while its input is being finished",
		.refs = "abcd",
		.made_by = "1111",
		.jobs = {JOB(1, 1, 1)},
		.wants = {{D}, {C}},
		.misses = {[4] = {B | C},[2] = {A},[3] = {A}},
		.budget = {[B_WANTS] = 2,[B_CANCELS] = 1,[B_FAILS] = 1,[B_MISSES] = 3,[B_OPENS] = 1},
		.any_input = true,
	},
	{
		.name = "declared",
		.about = "d is declared to need b and c, these a; one is canceled",
		.refs = "abcd",
		.made_by = "1111",
		.jobs = {JOB(1, 1, 1)},
		.inputs = {[4] = B | C,[2] = A,[3] = A},
		.wants = {{D}, {C,.prio = 1}},
		.budget = {[B_WANTS] = 2,[B_CANCELS] = 2,[B_FAILS] = 1,[B_OPENS] = 1},
		.any_input = true,
	},
	{
		.name = "collision",
		.about = "a run of a makes b along, one of b makes c along",
		.refs = "abc",
		.made_by = "111",
		.jobs = {JOB(1, 2, 1)},
		.outputs = {[1] = A | B,[2] = B | C},
		.wants = {{A}, {B}, {C}},
		.budget = {[B_WANTS] = 3,[B_CANCELS] = 1,[B_FAILS] = 1,[B_PARTIALS] = 1,[B_LEASES] = 1,[B_OPENS] = 1},
	},
	{
		.name = "cycle",
		.about = "a misses b, b misses c, c misses a",
		.refs = "abc",
		.made_by = "111",
		.jobs = {JOB(1, 1, 1)},
		.wants = {{A}, {B}, {C}},
		.misses = {[1] = {B},[2] = {C},[3] = {A}},
		.retries = {A | B | C},
		.budget = {[B_WANTS] = 2,[B_CANCELS] = 1,[B_FAILS] = 1,[B_MISSES] = 4,[B_RETRIES] = 1,[B_OPENS] = 1},
	},
	{
		.name = "together",
		.about = "a misses b, b c, c d, d a, so that two misses which name nothing in common may close the cycle",
		.refs = "abcd",
		.made_by = "1111",
		.jobs = {JOB(1, 1, 1)},
		.wants = {{A | B | C | D}},
		.misses = {[1] = {B},[2] = {C},[3] = {D},[4] = {A}},
		.budget = {[B_WANTS] = 1,[B_MISSES] = 4,[B_OPENS] = 1},
	},
	{
		.name = "declared_cycle",
		.about = "a is declared to need b, b c, and c a; d needs a",
		.refs = "abcd",
		.made_by = "1111",
		.jobs = {JOB(1, 1, 1)},
		.inputs = {[1] = B,[2] = C,[3] = A,[4] = A},
		.wants = {{A}, {C}, {D,.prio = 1}},
		.publishes = {B},
		.retries = {A | B | C},
		.budget = {[B_WANTS] = 3,[B_CANCELS] = 1,[B_PUBLISHES] = 1,[B_RETRIES] = 1,[B_OPENS] = 1},
	},
	{
		.name = "taint",
		.about = "b misses a; a is tainted, the taint canceled, made anew beside its sibling s",
		.refs = "asb",
		.made_by = "111",
		.jobs = {JOB(1, 2, 1)},
		.outputs = {[1] = A | B,[2] = A | B},
		.wants = {{C}, {A}},
		.misses = {[3] = {A}},
		.taints = {A, A | B},
		.budget = {[B_WANTS] = 2,[B_CANCELS] = 1,[B_FAILS] = 1,[B_MISSES] = 1,[B_TAINTS] = 2,[B_TAINT_CANCELS] = 1,[B_REMAKES] = 1,[B_OPENS] = 1},
	},
	{
		.name = "source",
		.about = "b is declared to need the source a, and c b; a is published, tainted, forgotten",
		.refs = "abc",
		.made_by = "211",
		.jobs = {JOB(1, 2, 1), JOB(2, 1, 1,.is_source = true)},
		.inputs = {[2] = A,[3] = B},
		.wants = {{C}, {B}},
		.taints = {A, B},
		.publishes = {A, B},
		.forgets = {A, B},
		.budget = {[B_WANTS] = 2,[B_CANCELS] = 1,[B_FAILS] = 1,[B_TAINTS] = 1,[B_PUBLISHES] = 2,[B_FORGETS] = 1,[B_OPENS] = 1},
	},
	{
		.name = "changed",
		.about = "rows of a and its sibling s change, also while a run makes them; b is declared to need a",
		.refs = "asb",
		.made_by = "111",
		.jobs = {JOB(1, 2, 1)},
		.outputs = {[1] = A | B,[2] = A | B},
		.inputs = {[3] = A},
		.wants = {{C}, {B}},
		.changes = {A, A | B},
		.taints = {A},
		.budget = {[B_WANTS] = 2,[B_FAILS] = 1,[B_PARTIALS] = 1,[B_TAINTS] = 1,[B_CHANGES] = 2,[B_OPENS] = 1},
	},
	{
		.name = "mixed",
		.about = "three jobs: c and d are declared to need a, which a run makes along with b; d also misses b",
		.refs = "abcd",
		.made_by = "1123",
		.jobs = {JOB(1, 2, 1), JOB(2, 1, 1), JOB(3, 1, 1)},
		.outputs = {[1] = A | B,[2] = A | B},
		.inputs = {[3] = A,[4] = A},
		.wants = {{C | D}, {D,.prio = 1}},
		.misses = {[4] = {B}},
		.taints = {A},
		.budget = {[B_WANTS] = 2,[B_CANCELS] = 1,[B_FAILS] = 1,[B_MISSES] = 1,[B_PARTIALS] = 1,[B_TAINTS] = 1,[B_OPENS] = 1},
	},
	{
		.name = "limit",
		.about = "one run of a job at a time, two refs a run",
		.refs = "abc",
		.made_by = "111",
		.jobs = {JOB(1, 2, 2,.max_running = 1)},
		.wants = {{A | B}, {B | C}},
		.budget = {[B_WANTS] = 2,[B_CANCELS] = 1,[B_FAILS] = 1,[B_PARTIALS] = 1,[B_RUN_CANCELS] = 1,[B_LEASES] = 1,[B_OPENS] = 1},
		.many = true,
	},
	{
		.name = "failures",
		.about = "c misses b, b misses a, which fails for good and is retried; wants expire",
		.refs = "abc",
		.made_by = "111",
		.jobs = {JOB(1, 2, 1)},
		.wants = {{C,.expires = true}, {B}},
		.misses = {[3] = {B},[2] = {A}},
		.retries = {A, B},
		.publishes = {A},
		.budget = {[B_WANTS] = 2,[B_FAILS] = 2,[B_RUN_CANCELS] = 1,[B_MISSES] = 2,[B_RETRIES] = 2,[B_PUBLISHES] = 1,[B_EXPIRIES] = 1,[B_OPENS] = 1},
	},
};

const int	nworlds = sizeof(worlds) / sizeof(worlds[0]);
