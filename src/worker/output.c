/*
 * output.c
 *	  What a run writes: kept in a file of bounded size, its last lines for the
 *	  reason of a failure, and the markers among the lines of its standard
 *	  output.
 *
 * However much a program writes, memory is bounded: a line is kept only while
 * it may be a marker, and all markers of a run together have a limit.
 */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* All markers of a run. */
#define SAID_MOST		(16 << 20)

/* The name of a marker with its "::" ends before this. */
#define MARKER_MOST		64

/* Of the last lines, so many and so much goes into a reason. */
#define REASON_LINES	10
#define REASON_BYTES	1000

static const char prefix[] = "DATABUILD_";
static const char *const kind_names[KINDS] = {
	[MISS] = "DATABUILD_MISS",[READ] = "DATABUILD_READ",[MADE] = "DATABUILD_MADE",[METADATA] = "DATABUILD_METADATA"
};

const char *
kind_name(Kind kind)
{
	return kind_names[kind];
}

/* ---- the file ---- */

static void
file_lost(Output *o, const char *what)
{
	log_line(NULL, "cannot %s %s: %s; the run goes on without it", what, o->path, strerror(errno));
	if (o->file >= 0)
		close(o->file);
	o->file = -1;
}

static void
file_open(Output *o)
{
	struct stat st;

	o->file = open(o->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (o->file < 0 || fstat(o->file, &st) != 0)
		file_lost(o, "open");
	else
		o->written = st.st_size;	/* a database made anew begins with run 1 again */
}

/* The file becomes FILE.1, in place of the one before. */
static void
file_rotate(Output *o)
{
	char	   *old = must(malloc(strlen(o->path) + 3));

	sprintf(old, "%s.1", o->path);
	close(o->file);
	o->file = -1;
	if (rename(o->path, old) != 0)
		file_lost(o, "rename");
	else
		file_open(o);
	free(old);
}

static void
file_write(Output *o, const char *bytes, size_t n)
{
	while (n > 0 && o->file >= 0)
	{
		int64_t		room = options.log_size / 2 - o->written;
		ssize_t		w;

		if (room <= 0)
		{
			file_rotate(o);
			continue;
		}
		w = write(o->file, bytes, n < (size_t) room ? n : (size_t) room);
		if (w < 0)
		{
			file_lost(o, "write");
			return;
		}
		o->written += w;
		o->midline = bytes[w - 1] != '\n';
		bytes += w;
		n -= (size_t) w;
	}
}

/* ---- the last lines ---- */

static void
tail_add(Tail *t, const char *bytes, size_t n)
{
	size_t		kept;

	if (n > TAIL_BYTES)
	{
		bytes += n - TAIL_BYTES;
		n = TAIL_BYTES;
		t->cut = true;
	}
	kept = t->n < TAIL_BYTES - n ? t->n : TAIL_BYTES - n;
	t->cut |= kept < t->n;
	memmove(t->bytes, t->bytes + t->n - kept, kept);
	memcpy(t->bytes + kept, bytes, n);
	t->n = kept + n;
}

/* How many bytes the character of UTF-8 has that begins here; 0: it is none. */
static size_t
utf8_length(const unsigned char *s, size_t n)
{
	size_t		length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (length > n)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

/*
 * Any bytes as text that the server takes: what is no UTF-8 (or, if wanted, no
 * ASCII) becomes "?", control characters become blanks.  To be freed.
 */
char *
clean_text(const char *bytes, size_t n, bool ascii)
{
	char	   *text = must(malloc(n + 1));
	size_t		to = 0;

	for (size_t i = 0; i < n;)
	{
		const unsigned char *s = (const unsigned char *) bytes + i;
		size_t		length = utf8_length(s, n - i);

		if (length == 1)
			text[to++] = s[0] < 0x20 || s[0] == 0x7f ? ' ' : (char) s[0];
		else if (length == 0 || ascii)
			text[to++] = '?';
		else
		{
			memcpy(text + to, s, length);
			to += length;
		}
		i += length == 0 ? 1 : length;
	}
	text[to] = '\0';
	return text;
}

/* The beginning of the last lines that are to be shown. */
static size_t
last_lines(const Tail *t, size_t end)
{
	size_t		from = end;
	int			lines = 0;

	while (from > 0 && end - from < REASON_BYTES)
	{
		if (t->bytes[from - 1] == '\n' && ++lines == REASON_LINES)
			return from;
		from--;
	}
	/* not in the middle of a character */
	while (from > 0 && from < end && ((unsigned char) t->bytes[from] & 0xc0) == 0x80)
		from++;
	return from;
}

/* The last lines of standard error, else of standard output, in one line; to be freed. */
char *
output_tail(const Output *o)
{
	const Tail *t = &o->tail[o->tail[ERR].n > 0 ? ERR : OUT];
	size_t		end = t->n;
	size_t		from;
	char	   *text = NULL;
	size_t		n;
	FILE	   *out = must(open_memstream(&text, &n));

	while (end > 0 && (t->bytes[end - 1] == '\n' || t->bytes[end - 1] == '\r' || t->bytes[end - 1] == ' '))
		end--;
	from = last_lines(t, end);
	if (from > 0 || t->cut)
		fputs("… ", out);
	while (from < end)
	{
		const char *newline = memchr(t->bytes + from, '\n', end - from);
		size_t		to = newline == NULL ? end : (size_t) (newline - t->bytes);
		char	   *line = clean_text(t->bytes + from, to - from, false);

		fputs(line, out);
		if (newline != NULL)
			fputs(" | ", out);
		free(line);
		from = newline == NULL ? end : to + 1;
	}
	fclose(out);
	return text;
}

/* ---- markers ---- */

static void
not_understood(Output *o, const char *why, const char *line, size_t n)
{
	char	   *shown;

	if (o->wrong != NULL)
		return;
	shown = clean_text(line, n < 60 ? n : 60, false);
	o->wrong = must(malloc(strlen(why) + strlen(shown) + 8));
	sprintf(o->wrong, "%s: %s%s", why, shown, n > 60 ? "…" : "");
	free(shown);
}

static void
said_add(Said *s, const char *text, size_t n)
{
	if (s->n + n + 2 > s->room)
	{
		s->room = 2 * (s->n + n + 2);
		s->text = must(realloc(s->text, s->room));
	}
	if (s->n > 0)
		s->text[s->n++] = '\n';
	memcpy(s->text + s->n, text, n);
	s->n += n;
	s->text[s->n] = '\0';
	/* what would end the text early is no JSON anyway, and stays none */
	for (char *c = s->text + s->n - n; c < s->text + s->n; c++)
		if (*c == '\0')
			*c = '\001';
}

/* The length of "DATABUILD_NAME" in a line that begins so and goes on with "::"; 0: it does not. */
static size_t
marker_length(const char *line, size_t n)
{
	size_t		i = sizeof(prefix) - 1;

	if (n < i || memcmp(line, prefix, i) != 0)
		return 0;
	while (i < n && i < MARKER_MOST && ((line[i] >= 'A' && line[i] <= 'Z') || line[i] == '_'))
		i++;
	return i + 1 < n && line[i] == ':' && line[i + 1] == ':' ? i : 0;
}

/* Whether the beginning of a line may become a marker's. */
static bool
may_be_marker(const char *line, size_t n)
{
	size_t		known = n < sizeof(prefix) - 1 ? n : sizeof(prefix) - 1;

	if (memcmp(line, prefix, known) != 0)
		return false;
	return n < MARKER_MOST || marker_length(line, n) > 0;
}

static const char *const too_much = "its markers are more than 16 MB";

static void
line_ended(Output *o)
{
	size_t		name = o->passing ? 0 : marker_length(o->line, o->line_n);
	int			kind = 0;

	if (name > 0)
	{
		while (kind < KINDS && (strlen(kind_names[kind]) != name || memcmp(kind_names[kind], o->line, name) != 0))
			kind++;
		if (kind == KINDS)
			not_understood(o, "no such marker", o->line, o->line_n);
		else if (o->said_bytes + o->line_n > SAID_MOST)
			not_understood(o, too_much, o->line, o->line_n);
		else
		{
			said_add(&o->said[kind], o->line + name + 2, o->line_n - name - 2);
			o->said_bytes += o->line_n;
		}
	}
	o->line_n = 0;
	o->passing = false;
}

static void
line_keep(Output *o, const char *bytes, size_t n)
{
	o->line = must(realloc(o->line, o->line_n + n + 1));
	memcpy(o->line + o->line_n, bytes, n);
	o->line_n += n;
}

/* More of the present line: first so much that it is known whether it is a marker. */
static void
line_add(Output *o, const char *bytes, size_t n)
{
	if (!o->passing && o->line_n < MARKER_MOST)
	{
		size_t		first = n < MARKER_MOST - o->line_n ? n : MARKER_MOST - o->line_n;

		line_keep(o, bytes, first);
		o->passing = !may_be_marker(o->line, o->line_n);
		bytes += first;
		n -= first;
	}
	if (o->passing || n == 0)
		return;
	if (o->said_bytes + o->line_n + n > SAID_MOST)
	{
		not_understood(o, too_much, o->line, o->line_n);
		o->passing = true;
		return;
	}
	line_keep(o, bytes, n);
}

static void
scan(Output *o, const char *bytes, size_t n)
{
	while (n > 0)
	{
		const char *newline = memchr(bytes, '\n', n);
		size_t		length = newline == NULL ? n : (size_t) (newline - bytes);

		line_add(o, bytes, length);
		if (newline == NULL)
			return;
		line_ended(o);
		bytes += length + 1;
		n -= length + 1;
	}
}

/* ---- all of it ---- */

void
output_open(Output *o, const Run *r)
{
	o->file = -1;
	if (options.log_dir == NULL)
		return;
	o->path = must(malloc(strlen(options.log_dir) + strlen(r->id) + 8));
	sprintf(o->path, "%s/%s.log", options.log_dir, r->id);
	file_open(o);
}

/* A line of the worker's own, in the file only. */
void
output_note(Output *o, const char *text)
{
	if (o->midline)
		file_write(o, "\n", 1);
	file_write(o, "databuild-worker: ", 18);
	file_write(o, text, strlen(text));
	file_write(o, "\n", 1);
}

void
output_add(Output *o, Source source, const char *bytes, size_t n)
{
	file_write(o, bytes, n);
	tail_add(&o->tail[source], bytes, n);
	if (source == OUT)
		scan(o, bytes, n);
}

/* Nothing comes any more: a last line without its newline counts, too. */
void
output_end(Output *o)
{
	if (o->line_n > 0)
		line_ended(o);
	free(o->line);
	o->line = NULL;
}

void
output_forget(Output *o, Kind kind)
{
	free(o->said[kind].text);
	o->said[kind] = (Said) {0};
}

void
output_close(Output *o)
{
	for (int kind = 0; kind < KINDS; kind++)
		output_forget(o, (Kind) kind);
	free(o->line);
	free(o->wrong);
	free(o->path);
	if (o->file >= 0)
		close(o->file);
}
