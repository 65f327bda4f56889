/*
 * route.c
 *	  Which job makes a ref: the jobs and their compiled patterns, kept in the
 *	  backend.
 *
 * PostgreSQL's own cache of compiled patterns holds 32; ours holds all of
 * them until a definition changes in any session.  A definition sends a
 * relcache invalidation of the job table, which reaches a backend at the
 * latest when it passes the gate, before it can use an old pattern.
 *
 * A pattern must match the whole ref.  It is compiled alone first, so that one
 * like "a)|(b" is refused, and then within "^(?:" and ")$"; leading options
 * such as (?i) are put in front of these.  What the engine can tell of a
 * literal prefix is compared first: with 1,000 jobs and a want of 10,000 refs
 * that leaves ten thousand runs of patterns instead of ten million.
 */
#include "databuild.h"

#include "access/genam.h"
#include "lib/stringinfo.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "regex/regex.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "store.h"

/* Far beyond what the engine takes if it is more than a list of names. */
#define MAX_PATTERN_BYTES	100000

typedef struct Pattern
{
	int32		job;
	int			at;				/* its place among the jobs */
	regex_t		re;
	pg_wchar   *prefix;			/* each match begins so */
	int			nprefix;
} Pattern;

/* Everything below lives in this context and goes with it. */
static MemoryContext routes = NULL;
static bool routes_valid = false;
static bool routes_changed = false;	/* since they began to be loaded */
static Oid	routes_relid = InvalidOid;
static Job *jobs;
static char **labels;
static Datum *configs;
static int	njobs;
/* Of each job, its templates and functions: of inputs, and of outputs. */
static char ***templates[2];
static int *ntemplates[2];
static JobFunction *functions[2];
static bool any_declared[2];
static bool any_limits;

static Pattern *patterns;
static int	npatterns;

static void
on_inval(Datum arg, Oid relid)
{
	(void) arg;
	if (relid == InvalidOid || relid == routes_relid)
	{
		routes_valid = false;
		routes_changed = true;
	}
}

void
route_init(void)
{
	CacheRegisterRelcacheCallback(on_inval, (Datum) 0);
}

static Oid
job_table(void)
{
	return get_relname_relid("job", get_namespace_oid("databuild", false));
}

void
route_changed(void)
{
	CacheInvalidateRelcacheByRelid(job_table());
	routes_valid = false;
}

static pg_wchar *
wide(const char *text, int len, int *nwide)
{
	pg_wchar   *w = palloc(sizeof(pg_wchar) * (len + 1));

	*nwide = pg_mb2wchar_with_len(text, w, len);
	return w;
}

static void
regex_error(int code, regex_t *re, const char *pattern)
{
	char		message[200];

	CHECK_FOR_INTERRUPTS();
	pg_regerror(code, re, message, sizeof(message));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_REGULAR_EXPRESSION),
			 errmsg("invalid pattern \"%s\": %s", shown_value(pattern, strlen(pattern)), message)));
}

static void
compile(regex_t *re, const char *text, const char *pattern)
{
	int			nwide;
	pg_wchar   *w = wide(text, strlen(text), &nwide);
	int			code = pg_regcomp(re, w, nwide, REG_ADVANCED, DEFAULT_COLLATION_OID);

	pfree(w);
	if (code != REG_OKAY)
		regex_error(code, re, pattern);
}

/* The pattern, made to match the whole of a ref. */
static char *
whole(const char *pattern)
{
	const char *end = pattern;
	bool		expanded = false;

	if (pattern[0] == '(' && pattern[1] == '?' && pattern[2] >= 'a' && pattern[2] <= 'z')
	{
		end = strchr(pattern, ')') + 1;
		expanded = memchr(pattern, 'x', end - pattern) != NULL;
	}
	return psprintf("%.*s^(?:%s%s)$", (int) (end - pattern), pattern, end,
					expanded ? "\n" : "");
}

void
route_check_pattern(const char *pattern)
{
	regex_t		re;

	if (strlen(pattern) > MAX_PATTERN_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_REGULAR_EXPRESSION),
				 errmsg("invalid pattern \"%s\": it has more than %d bytes", shown_value(pattern, strlen(pattern)), MAX_PATTERN_BYTES)));
	if (strncmp(pattern, "***", 3) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_REGULAR_EXPRESSION),
				 errmsg("invalid pattern \"%s\": directors are not allowed", shown_value(pattern, strlen(pattern))),
				 errhint("Write the pattern as an advanced regular expression without \"***\".")));
	if (strncmp(pattern, "(?", 2) == 0 && strspn(pattern + 2, "abcdefghijklmnopqrstuvwxyz") > 0 &&
		strcspn(pattern + 2, "beq") < strspn(pattern + 2, "abcdefghijklmnopqrstuvwxyz"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_REGULAR_EXPRESSION),
				 errmsg("invalid pattern \"%s\": options b, e and q are not allowed", shown_value(pattern, strlen(pattern))),
				 errhint("Write the pattern as an advanced regular expression.")));
	compile(&re, pattern, pattern);
	pg_regfree(&re);
	compile(&re, whole(pattern), pattern);
	pg_regfree(&re);
}

static void
forget_routes(void)
{
	for (int i = 0; i < npatterns; i++)
		pg_regfree(&patterns[i].re);
	npatterns = 0;
	njobs = 0;
	any_declared[INPUTS] = any_declared[OUTPUTS] = false;
	any_limits = false;
	if (routes != NULL)
		MemoryContextReset(routes);
	else
		routes = AllocSetContextCreate(CacheMemoryContext, "databuild routes",
									   ALLOCSET_DEFAULT_SIZES);
}

static int
count_patterns(const Rows *rows)
{
	int			n = 0;

	for (int i = 0; i < rows->n; i++)
		n += ArrayGetNItems(1, ARR_DIMS(DatumGetArrayTypeP(rows_datum(rows, i, 2))));
	return n;
}

static void
find_prefix(Pattern *p)
{
	pg_wchar   *prefix;
	size_t		n;
	int			code = pg_regprefix(&p->re, &prefix, &n);

	p->nprefix = 0;
	if (code != REG_PREFIX && code != REG_EXACT)
		return;
	p->prefix = palloc(sizeof(pg_wchar) * (n + 1));
	memcpy(p->prefix, prefix, sizeof(pg_wchar) * n);
	p->nprefix = (int) n;
	free_regprefix(prefix);
}

static void
add_templates(const Rows *rows, int i, Declares which, int column)
{
	Datum	   *texts;
	int			n = 0;

	if (!rows_null(rows, i, column))
		deconstruct_array(DatumGetArrayTypeP(rows_datum(rows, i, column)), TEXTOID, -1, false,
						  TYPALIGN_INT, &texts, NULL, &n);
	ntemplates[which][i] = n;
	templates[which][i] = palloc(sizeof(char *) * (n + 1));
	for (int k = 0; k < n; k++)
		templates[which][i][k] = TextDatumGetCString(texts[k]);
	any_declared[which] = any_declared[which] || n > 0;
}

/* In two columns, the function and its owner. */
static void
add_function(const Rows *rows, int i, Declares which, int column)
{
	functions[which][i] = (JobFunction)
	{
		which, labels[i], rows_text(rows, i, column), rows_text(rows, i, column + 1), rows_text(rows, i, 17)
	};
	any_declared[which] = any_declared[which] || functions[which][i].function != NULL;
}

static void
add_job(const Rows *rows, int i)
{
	Datum	   *texts;
	int			n;

	jobs[i] = (Job)
	{
		.id = rows_int32(rows, i, 0),
			.is_source = DatumGetBool(rows_datum(rows, i, 3)),
			.paused = DatumGetBool(rows_datum(rows, i, 4)),
			.max_attempts = rows_int32(rows, i, 5),
			.max_misses = rows_int32(rows, i, 6),
			.backoff = rows_int64(rows, i, 7),
			.lease = rows_int64(rows, i, 8),
			.batch_size = rows_int32(rows, i, 11),
			.max_running = rows_null(rows, i, 12) ? 0 : rows_int32(rows, i, 12),
	};
	labels[i] = TextDatumGetCString(rows_datum(rows, i, 1));
	configs[i] = PointerGetDatum(PG_DETOAST_DATUM_COPY(rows_datum(rows, i, 18)));
	njobs = i + 1;
	add_templates(rows, i, INPUTS, 9);
	add_templates(rows, i, OUTPUTS, 10);
	add_function(rows, i, OUTPUTS, 13);
	add_function(rows, i, INPUTS, 15);
	any_limits = any_limits || jobs[i].max_running > 0;
	deconstruct_array(DatumGetArrayTypeP(rows_datum(rows, i, 2)), TEXTOID, -1, false,
					  TYPALIGN_INT, &texts, NULL, &n);
	for (int k = 0; k < n; k++)
	{
		char	   *pattern = TextDatumGetCString(texts[k]);

		patterns[npatterns].job = jobs[i].id;
		patterns[npatterns].at = i;
		compile(&patterns[npatterns].re, whole(pattern), pattern);
		find_prefix(&patterns[npatterns]);
		npatterns++;
	}
}

/*
 * A run keeps what it holds when its job is defined anew without limits or
 * outputs.  Definitions wait for all writing calls, so that nothing is added
 * to what is held afterwards.
 */
static void
add_held(void)
{
	Rows		rows = store_rows(Q_HELD, NULL, NULL);

	any_limits = any_limits || DatumGetBool(rows_datum(&rows, 0, 0));
	any_declared[OUTPUTS] = any_declared[OUTPUTS] || DatumGetBool(rows_datum(&rows, 0, 1));
	rows_free(&rows);
}

/* As they are now. */
static void
read_routes(void)
{
	Rows		rows;
	MemoryContext old;

	forget_routes();
	routes_relid = job_table();
	routes_changed = false;
	rows = store_rows(Q_JOBS, NULL, NULL);
	old = MemoryContextSwitchTo(routes);
	jobs = palloc0(sizeof(Job) * Max(rows.n, 1));
	labels = palloc0(sizeof(char *) * Max(rows.n, 1));
	configs = palloc0(sizeof(Datum) * Max(rows.n, 1));
	for (int k = 0; k < 2; k++)
	{
		templates[k] = palloc0(sizeof(char **) * Max(rows.n, 1));
		ntemplates[k] = palloc0(sizeof(int) * Max(rows.n, 1));
		functions[k] = palloc0(sizeof(JobFunction) * Max(rows.n, 1));
	}
	patterns = palloc0(sizeof(Pattern) * Max(count_patterns(&rows), 1));
	for (int i = 0; i < rows.n; i++)
		add_job(&rows, i);
	MemoryContextSwitchTo(old);
	rows_free(&rows);
	add_held();
}

/* Who looks without the gate may be told of a definition while reading the ones before. */
static void
load_routes(void)
{
	if (routes_valid)
		return;
	do
		read_routes();
	while (routes_changed);
	routes_valid = true;
}

/* Whether the pattern matches; groups (ten, or NULL) get what its groups do. */
static bool
matches(Pattern *p, const pg_wchar *ref, int len, regmatch_t *groups)
{
	int			code;

	if (len < p->nprefix || (p->nprefix > 0 && memcmp(ref, p->prefix, sizeof(pg_wchar) * p->nprefix) != 0))
		return false;
	code = pg_regexec(&p->re, ref, len, 0, NULL, groups == NULL ? 0 : 10, groups, 0);
	if (code != REG_OKAY && code != REG_NOMATCH)
		regex_error(code, &p->re, route_label(p->job));
	return code == REG_OKAY;
}

const Job *
route_jobs(int *n)
{
	load_routes();
	*n = njobs;
	return jobs;
}

const char *
route_label(int32 job)
{
	load_routes();
	for (int i = 0; i < njobs; i++)
		if (jobs[i].id == job)
			return labels[i];
	return NULL;
}

Datum
route_config(int32 job)
{
	load_routes();
	for (int i = 0; i < njobs; i++)
		if (jobs[i].id == job)
			return configs[i];
	elog(ERROR, "there is no job %d", job);
}

int32
route_by_label(const char *label)
{
	load_routes();
	for (int i = 0; i < njobs; i++)
		if (strcmp(labels[i], label) == 0)
			return jobs[i].id;
	return 0;
}

int32
route_ref(const char *ref, int len)
{
	int			nwide;
	pg_wchar   *w = wide(ref, len, &nwide);
	int32		job = 0;

	CHECK_FOR_INTERRUPTS();
	load_routes();
	for (int i = 0; i < npatterns; i++)
	{
		if (patterns[i].job == job || !matches(&patterns[i], w, nwide, NULL))
			continue;
		if (job != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("two jobs make ref \"%.*s\": \"%s\" and \"%s\"", len, ref,
							route_label(job), route_label(patterns[i].job)),
					 errhint("Narrow the patterns of one of them with define_job().")));
		job = patterns[i].job;
	}
	pfree(w);
	return job;
}

/* ---- templates: \1 to \9 and \& as in regexp_replace, \\ is a backslash ---- */

static void
bad_template(const char *template, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid template \"%s\": %s", shown_value(template, strlen(template)), what),
			 errhint("\\1 to \\9 are the pattern's groups, \\& is the whole ref, \\\\ is a backslash.")));
}

void
route_check_template(const char *template, char **texts, int ntexts)
{
	if (template[0] == '\0')
		bad_template(template, "it is empty");
	/* two bytes make one at least, or nothing */
	if (strlen(template) > 2 * MAX_REF_BYTES)
		bad_template(template, psprintf("it has more than %d bytes", 2 * MAX_REF_BYTES));
	for (const char *t = template; *t != '\0'; t++)
	{
		if (ref_fault(t, 1) != NULL)
			bad_template(template, "refs have no control characters");
		if (*t != '\\')
			continue;
		t++;
		if (*t == '\0')
			bad_template(template, "a backslash stands at the end");
		if (*t == '&' || *t == '\\')
			continue;
		if (*t < '1' || *t > '9')
			bad_template(template, "a backslash stands before something else");
		for (int i = 0; i < ntexts; i++)
		{
			regex_t		re;
			size_t		groups;

			compile(&re, whole(texts[i]), texts[i]);
			groups = re.re_nsub;
			pg_regfree(&re);
			if ((size_t) (*t - '0') > groups)
				bad_template(template, psprintf("pattern \"%s\" has no group %c", shown_value(texts[i], strlen(texts[i])), *t));
		}
	}
}

bool
route_any_inputs(void)
{
	load_routes();
	return any_declared[INPUTS];
}

bool
route_any_outputs(void)
{
	load_routes();
	return any_declared[OUTPUTS];
}

bool
route_declares(int32 job, Declares which)
{
	load_routes();
	for (int i = 0; any_declared[which] && i < njobs; i++)
		if (jobs[i].id == job)
			return ntemplates[which][i] > 0 || functions[which][i].function != NULL;
	return false;
}

bool
route_any_limits(void)
{
	load_routes();
	return any_limits;
}

/* Part of the ref, from character from to character to. */
static void
append_group(StringInfo out, const pg_wchar *ref, regmatch_t group)
{
	char	   *bytes;

	if (group.rm_so < 0)
		return;					/* the group took no part in the match */
	bytes = palloc((group.rm_eo - group.rm_so) * MAX_MULTIBYTE_CHAR_LEN + 1);
	bytes[pg_wchar2mb_with_len(ref + group.rm_so, bytes, group.rm_eo - group.rm_so)] = '\0';
	appendStringInfoString(out, bytes);
	pfree(bytes);
}

static char *
expand(const char *template, const pg_wchar *ref, const regmatch_t *groups, const char *label)
{
	StringInfoData out;

	initStringInfo(&out);
	for (const char *t = template; *t != '\0'; t++)
	{
		if (*t != '\\')
			appendStringInfoChar(&out, *t);
		else if (*++t == '&')
			append_group(&out, ref, groups[0]);
		else if (*t == '\\')
			appendStringInfoChar(&out, '\\');
		else
			append_group(&out, ref, groups[*t - '0']);
	}
	if (out.len == 0 || out.len > MAX_REF_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("template \"%s\" of job \"%s\" makes a ref of %d bytes",
						shown_value(template, strlen(template)), label, out.len),
				 errdetail("Refs have 1 to %d bytes.", MAX_REF_BYTES)));
	return out.data;
}

/* Whether the job has templates or functions. */
static bool
declares(int job)
{
	return ntemplates[INPUTS][job] > 0 || ntemplates[OUTPUTS][job] > 0 ||
		functions[INPUTS][job].function != NULL || functions[OUTPUTS][job].function != NULL;
}

int32
route_templates(const char *ref, char **refs[2], int n[2])
{
	int			nwide;
	pg_wchar   *w = wide(ref, strlen(ref), &nwide);
	regmatch_t	groups[10];
	int32		job = 0;

	load_routes();
	n[INPUTS] = n[OUTPUTS] = 0;
	for (int i = 0; i < npatterns && job == 0; i++)
	{
		int			at = patterns[i].at;

		if (!declares(at) || !matches(&patterns[i], w, nwide, groups))
			continue;
		job = patterns[i].job;
		for (int which = 0; which < 2; which++)
		{
			refs[which] = palloc(sizeof(char *) * (ntemplates[which][at] + 1));
			while (n[which] < ntemplates[which][at])
			{
				refs[which][n[which]] = expand(templates[which][at][n[which]], w, groups, labels[at]);
				n[which]++;
			}
		}
	}
	pfree(w);
	return job;
}

bool
route_function(int32 job, Declares which, JobFunction *f)
{
	load_routes();
	for (int i = 0; i < njobs; i++)
	{
		const JobFunction *of = &functions[which][i];

		if (jobs[i].id != job || of->function == NULL)
			continue;
		*f = (JobFunction)
		{
			which, pstrdup(of->job), pstrdup(of->function), pstrdup(of->owner), pstrdup(of->role)
		};
		return true;
	}
	return false;
}

PG_FUNCTION_INFO_V1(databuild_makers);

/* The labels of all jobs and sources whose patterns match the ref. */
Datum
databuild_makers(PG_FUNCTION_ARGS)
{
	text	   *ref = PG_GETARG_TEXT_PP(0);
	int			level = store_open();
	const char **found;
	int			n = 0;
	int			nwide;
	pg_wchar   *w = wide(VARDATA_ANY(ref), VARSIZE_ANY_EXHDR(ref), &nwide);
	Datum		result;

	load_routes();
	found = palloc(sizeof(char *) * (npatterns + 1));
	for (int i = 0; i < npatterns; i++)
		if (matches(&patterns[i], w, nwide, NULL) &&
			(n == 0 || found[n - 1] != route_label(patterns[i].job)))
			found[n++] = route_label(patterns[i].job);
	result = SPI_datumTransfer(texts_datum(found, n), false, -1);
	store_close(level);
	PG_RETURN_DATUM(result);
}
