/*
 * fuzz.c
 *	  What reads text of users' without PostgreSQL's help, under libFuzzer: the
 *	  templates of tracked tables, the templates of jobs, refs, and values shown
 *	  in messages.
 *
 * The sources themselves are included, so that their static functions are here;
 * below is as much of a server as these need.  What else they call is left
 * unresolved and never called.  An ERROR ends an input; its memory goes with it.
 *
 * The first byte of an input says what it is for.  Besides the sanitizers,
 * promises are checked: what is shown has no control characters, a template
 * says the same when it is written and read again, a template that was taken
 * makes refs or is refused.
 */
#include "../../src/track.c"

#define bad_template bad_job_template
#include "../../src/route.c"
#undef bad_template

#include <setjmp.h>
#include <stdio.h>

/* The C library's, not PostgreSQL's. */
#undef fprintf
#undef vsnprintf

/* ---- as much of a server as is needed ---- */

typedef struct Chunk
{
	struct Chunk *next;
	struct Chunk *before;
} Chunk;

static Chunk chunks = {&chunks, &chunks};
static jmp_buf refused;

MemoryContext CurrentMemoryContext;
volatile sig_atomic_t InterruptPending;

static Chunk *
linked(Chunk *c)
{
	c->next = chunks.next;
	c->before = &chunks;
	c->next->before = c->before->next = c;
	return c;
}

static Chunk *
unlinked(void *p)
{
	Chunk	   *c = (Chunk *) p - 1;

	c->next->before = c->before;
	c->before->next = c->next;
	return c;
}

void *
palloc(Size size)
{
	return linked(malloc(sizeof(Chunk) + size)) + 1;
}

void *
repalloc(void *p, Size size)
{
	return linked(realloc(unlinked(p), sizeof(Chunk) + size)) + 1;
}

void
pfree(void *p)
{
	free(unlinked(p));
}

char *
pnstrdup(const char *text, Size len)
{
	char	   *copy = palloc(len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *
pstrdup(const char *text)
{
	return pnstrdup(text, strlen(text));
}

char *
psprintf(const char *format,...)
{
	char		text[20000];
	va_list		args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return pstrdup(text);
}

void
initStringInfo(StringInfo s)
{
	s->maxlen = 16;
	s->data = palloc(s->maxlen);
	resetStringInfo(s);
}

void
resetStringInfo(StringInfo s)
{
	s->len = 0;
	s->data[0] = '\0';
}

static void
append(StringInfo s, const char *bytes, int len)
{
	while (s->len + len >= s->maxlen)
		s->data = repalloc(s->data, s->maxlen *= 2);
	memcpy(s->data + s->len, bytes, len);
	s->data[s->len += len] = '\0';
}

void
appendStringInfoChar(StringInfo s, char byte)
{
	append(s, &byte, 1);
}

void
appendStringInfoString(StringInfo s, const char *text)
{
	append(s, text, strlen(text));
}

void
appendStringInfo(StringInfo s, const char *format,...)
{
	char		text[1000];
	va_list		args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	appendStringInfoString(s, text);
}

/* How many bytes the character has; what is no UTF-8 does not come from a database. */
static int
width(const char *text)
{
	unsigned char byte = *text;

	return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

int
pg_mbcliplen(const char *text, int len, int limit)
{
	int			clip = 0;

	while (clip < len && text[clip] != '\0' && clip + width(text + clip) <= Min(len, limit))
		clip += width(text + clip);
	return clip;
}

int
pg_mb2wchar_with_len(const char *from, pg_wchar *to, int len)
{
	int			n = 0;

	for (int i = 0; i < len; i += width(from + i))
	{
		to[n] = 0;
		memcpy(&to[n++], from + i, width(from + i));
	}
	to[n] = 0;
	return n;
}

int
pg_wchar2mb_with_len(const pg_wchar *from, char *to, int len)
{
	char	   *at = to;

	for (int i = 0; i < len; i++)
	{
		memcpy(at, &from[i], width((const char *) &from[i]));
		at += width((const char *) &from[i]);
	}
	*at = '\0';
	return at - to;
}

bool
errstart(int level, const char *domain)
{
	return level >= ERROR;
}

bool
errstart_cold(int level, const char *domain)
{
	return errstart(level, domain);
}

void
errfinish(const char *file, int line, const char *function)
{
	longjmp(refused, 1);
}

int
errcode(int code)
{
	return 0;
}

/* Arguments of messages are read, as they would be. */
static int
say(const char *format, va_list args)
{
	char		text[20000];

	vsnprintf(text, sizeof(text), format, args);
	return 0;
}

#define SAYS(function) \
int \
function(const char *format,...) \
{ \
	va_list		args; \
	va_start(args, format); \
	say(format, args); \
	va_end(args); \
	return 0; \
}

SAYS(errmsg)
SAYS(errmsg_internal)
SAYS(errdetail)
SAYS(errhint)

/* ---- what is promised ---- */

static void
promise(bool kept, const char *what)
{
	if (!kept)
	{
		fprintf(stderr, "broken: %s\n", what);
		abort();
	}
}

static bool
is_ref(const char *text)
{
	return ref_fault(text, strlen(text)) == NULL;
}

static void
check_shown(const char *text, int len)
{
	const char *shown = shown_value(text, len);

	promise(strlen(shown) <= 4 * 80 + 3, "what is shown is short");
	promise(shown[0] == '\0' || strpbrk(shown, "\n\r\t\x1b\x7f") == NULL, "what is shown has no control characters");
}

/* Written as it is stored, with a name for each column, the template is the same again. */
static void
check_table_template(const char *source)
{
	Template	t = template_parse(source);
	Template	again;
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < t.n; i++)
	{
		append_literal(&out, t.at[i].text);
		if (t.at[i].name != NULL)
			appendStringInfoString(&out, psprintf("{%s}", t.at[i].name));
	}
	again = template_parse(out.data);
	promise(again.n == t.n, "as many columns");
	for (int i = 0; i < t.n; i++)
	{
		promise(strcmp(again.at[i].text, t.at[i].text) == 0, "the same text");
		promise((again.at[i].name == NULL) == (i == t.n - 1), "the last text has no column");
		promise(again.at[i].name == NULL || strcmp(again.at[i].name, t.at[i].name) == 0, "the same columns");
		if (t.at[i].name != NULL)
		{
			const int16 columns[] = {3, 1, 2};

			(void) template_column(&t.at[i], columns, lengthof(columns));
		}
	}
	check_literal(source, &t);
}

/* A template that is taken makes a ref of any ref and groups, or is refused for its length. */
static void
check_job_template(const char *template, const uint8_t *groups, const char *ref)
{
	int			nwide;
	pg_wchar   *w = wide(ref, strlen(ref), &nwide);
	regmatch_t	g[10];

	route_check_template(template, NULL, 0);
	if (!is_ref(ref))
		return;
	for (int i = 0; i < 10; i++)
	{
		int			from = groups[2 * i] % (nwide + 1);

		g[i].rm_so = groups[2 * i] == 255 ? -1 : from;
		g[i].rm_eo = from + groups[2 * i + 1] % (nwide - from + 1);
	}
	g[0].rm_so = 0;
	g[0].rm_eo = nwide;
	promise(is_ref(expand(template, w, g, "label")), "a template makes refs");
}

/* A pattern that the engine took: its options, if any, are closed. */
static void
check_whole(const char *pattern)
{
	if (strncmp(pattern, "(?", 2) == 0 && strchr(pattern, ')') == NULL)
		return;
	promise(strlen(whole(pattern)) <= strlen(pattern) + 8, "a pattern stays what it is");
}

static bool
is_utf8(const char *text, int len)
{
	for (int i = 0; i < len;)
	{
		int			n = width(text + i);

		if ((text[i] & 0xc0) == 0x80 || (unsigned char) text[i] >= 0xf8 || i + n > len)
			return false;
		for (int k = 1; k < n; k++)
			if ((text[i + k] & 0xc0) != 0x80)
				return false;
		i += n;
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text;
	int			len;

	if (size < 21)
		return 0;
	if (setjmp(refused) == 0)
	{
		/* one byte, twenty for groups, the text, and after a NUL another one */
		text = pnstrdup((const char *) data + 21, size - 21);
		len = strlen(text);
		if (is_utf8(text, len) && is_utf8(text + Min(len + 1, (int) size - 21), strlen(text + Min(len + 1, (int) size - 21))))
			switch (data[0] % 4)
			{
				case 0:
					check_table_template(text);
					break;
				case 1:
					check_job_template(text, data + 1, text + Min(len + 1, (int) size - 21));
					break;
				case 2:
					check_shown(text, len);
					(void) ref_fault(text, len);
					break;
				case 3:
					check_whole(text);
					break;
			}
	}
	while (chunks.next != &chunks)
		pfree(chunks.next + 1);
	return 0;
}
