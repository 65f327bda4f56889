/*
 * track.h
 *	  Between track.c, which makes the triggers of a tracked table, and
 *	  change.c, which is what they do.
 */
#ifndef DATABUILD_TRACK_H
#define DATABUILD_TRACK_H

#include "store.h"

#include "utils/rel.h"

/* A text, then what stands in braces; NULL after the last text. */
typedef struct Piece
{
	char	   *text;
	char	   *name;
	AttrNumber	column;			/* that the name means in the table read now */
	FmgrInfo	output;
} Piece;

typedef struct Template
{
	Piece	   *at;
	int			n;
} Template;

/* 22023 if it is none. */
extern Template template_parse(const char *source);

/* The arguments of the triggers: the stored template, and taint_downstream. */
#define TRACK_ARGS	2

/*
 * In a stored template braces hold the place, from 1, of a column in a list
 * of columns: that column, or 0.
 */
extern AttrNumber template_column(const Piece *piece, const int16 *columns, int ncolumns);

/* The trigger that keeps the list of columns: the one for TRUNCATE; or NULL. */
extern const Trigger *track_keeper(Relation table, Oid function);

#endif							/* DATABUILD_TRACK_H */
