/*
 * claim.h
 *	  Between claim.c, which hands out runs, and pick.c, which finds the work.
 */
#ifndef DATABUILD_CLAIM_H
#define DATABUILD_CLAIM_H

#include "store.h"

/* A ref in an entry of the ready set. */
typedef struct Place
{
	ItemPointerData row;
	int64		part;
} Place;

/* A run to be: what it makes, and the places in the ready set that it uses up. */
typedef struct PickedRun
{
	int32		job;
	int32		prio;
	bool		alone;			/* a ref that failed before shares no run */
	int			members;		/* refs that were claimable */
	Ids			outputs;		/* the first is a member */
	Place	   *places;			/* one a member */
	int64		slot;			/* of a limited job, or 0 */
} PickedRun;

typedef struct Queue
{
	int32		job;
	int32		rank;			/* see store.h */
	int64		low;
	int32		free;			/* slots that its job has left, INT32_MAX without a limit */
} Queue;

/* Those that nothing stands for any more. */
typedef struct Places
{
	Place	   *at;
	int			n;
	int			room;
} Places;

typedef struct Pick
{
	Call	   *c;
	int			most;			/* so many runs at most */
	Queue	   *queues;
	int			nqueues;
	PickedRun  *runs;
	int			nruns;
	Ids			full;			/* jobs whose slots others were quicker to take */
	Marking		making;			/* what the runs make */
	Ids			lacking;		/* found, but declared inputs are not live */
	bool		sent_back;		/* those have been told */
	Ids			blockers;		/* of each that collided, */
	Ids			collided;		/* pair by pair */
	Places		used;
} Pick;

/* Find work for at most so many runs; labels: of these jobs only, or all. */
extern void pick_runs(Pick *k, Datum labels, bool all);

/* After the runs are logged: what the search leaves in the queues. */
extern void pick_finish(Pick *k);

#endif							/* DATABUILD_CLAIM_H */
