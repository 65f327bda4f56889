/*
 * statements.c
 *	  All SQL that the worker sends.
 *
 * The server reads the JSON: a job's config comes with its claim as rows of
 * kind, name and value, so that a claim is one statement and cannot fail on a
 * bad config; a program's markers are read by one statement each kind.
 *
 * Paths are strict, since lax ones look into nested lists by themselves.
 */
#include "worker.h"

/*
 * Waits for locks are short: one report that waits for somebody's open
 * transaction must not keep the others from being made.  It is repeated.
 */
const char *const sql_setup =
"SET search_path = pg_catalog, pg_temp;"
"SET lock_timeout = '500ms'; SET statement_timeout = '20s';"
"SET idle_session_timeout = 0; SET default_transaction_isolation = 'read committed'";

const char *const sql_setup_waiter =
"SET search_path = pg_catalog, pg_temp;"
"SET statement_timeout = 0; SET idle_session_timeout = 0; SET client_connection_check_interval = '1s'";

/* A statement whose worker is gone is stopped by the server, which looks once a second. */
const char *const sql_setup_run =
"SET client_connection_check_interval = '1s'; SET idle_session_timeout = 0;"
"SET application_name = 'databuild-worker run %s'; SET statement_timeout = %lld";

/* jobs */
const char *const sql_wait =
"CALL databuild.wait_work(jobs => string_to_array($1, ','), timeout => '30 s')";

#define EITHER \
"CASE WHEN jsonb_typeof(r.config) <> 'object' OR (r.config ? 'command') = (r.config ? 'sql')" \
"	THEN 'it must be an object with either \"command\" or \"sql\"'" \
" WHEN r.config ? 'command' AND (jsonb_typeof(r.config->'command') <> 'array' OR r.config->'command' = '[]'" \
"	OR jsonb_path_exists(r.config, 'strict $.command[*] ? (@.type() != \"string\")', silent => true))" \
"	THEN '\"command\" must be a list of strings, the program first'" \
" WHEN r.config ? 'sql' AND jsonb_typeof(r.config->'sql') <> 'string' THEN '\"sql\" must be a string'" \
" WHEN r.config ? 'sql' AND r.config ?| '{env,dir}' THEN '\"env\" and \"dir\" go with \"command\" only'" \
" WHEN r.config ? 'env' AND (jsonb_typeof(r.config->'env') <> 'object'" \
"	OR jsonb_path_exists(r.config, 'strict $.env.* ? (@.type() != \"string\")', silent => true)" \
"	OR EXISTS (SELECT FROM jsonb_object_keys(CASE jsonb_typeof(r.config->'env') WHEN 'object' THEN r.config->'env' ELSE '{}' END) AS k" \
"		WHERE k = '' OR k LIKE '%=%'))" \
"	THEN '\"env\" must be an object of strings, whose names are not empty and have no \"=\"'" \
" WHEN r.config ? 'dir' AND jsonb_typeof(r.config->'dir') <> 'string' THEN '\"dir\" must be a string'" \
" WHEN r.config ? 'timeout' AND NOT jsonb_path_exists(r.config," \
"	'strict $.timeout ? (@.type() == \"number\" && @ >= 0.001 && @ <= 1000000)', silent => true)" \
"	THEN '\"timeout\" must be a number of seconds, 0.001 to 1000000' END"

/* worker, jobs, max_runs */
const char *const sql_claim =
"SELECT r.run_id, v.kind, v.name, v.value"
" FROM databuild.claim(worker => $1, jobs => string_to_array($2, ','), max_runs => $3::int)"
"	WITH ORDINALITY AS r (run_id, job, partitions, config, attempt, lease_expires_at, n)"
" CROSS JOIN LATERAL ("
"	SELECT 1 AS part, 0::bigint AS i, 'job' AS kind, NULL AS name, r.job AS value"
"	UNION ALL SELECT 2, 0, 'attempt', NULL, r.attempt::text"
"	UNION ALL SELECT 2, 0, 'lease', NULL, (extract(epoch FROM r.lease_expires_at - clock_timestamp()) * 1000)::bigint::text"
"	UNION ALL SELECT 2, 0, 'array', NULL, r.partitions::text"
"	UNION ALL SELECT 2, 0, 'json', NULL, to_jsonb(r.partitions)::text"
"	UNION ALL SELECT 2, u.i, 'ref', NULL, u.ref FROM unnest(r.partitions) WITH ORDINALITY AS u (ref, i)"
"	UNION ALL SELECT 2, 0, 'wrong', NULL, 'the job''s config is not for databuild-worker: ' || " EITHER " || ', not ' || left(r.config::text, 200)"
"	UNION ALL SELECT 2, a.i, 'arg', NULL, a.arg"
"		FROM jsonb_array_elements_text(CASE jsonb_typeof(r.config->'command') WHEN 'array' THEN r.config->'command' END) WITH ORDINALITY AS a (arg, i)"
"	UNION ALL SELECT 2, 0, 'env', e.key, e.value"
"		FROM jsonb_each_text(CASE jsonb_typeof(r.config->'env') WHEN 'object' THEN r.config->'env' END) AS e"
"	UNION ALL SELECT 2, 0, k, NULL, r.config->>k FROM unnest('{sql,dir,timeout}'::text[]) AS k"
" ) AS v"
" WHERE v.value IS NOT NULL"
" ORDER BY r.n, v.part, v.i";

/* run_ids */
const char *const sql_heartbeat =
"SELECT run_id, state, (extract(epoch FROM lease_expires_at - clock_timestamp()) * 1000)::bigint"
" FROM databuild.heartbeat(run_ids => $1::bigint[])";

/* run, made, reads, metadata; the last three as JSON or NULL; succeed() takes no empty reads */
const char *const sql_succeed =
"SELECT databuild.succeed(run_id => $1::bigint,"
" made => CASE WHEN $2::text IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text($2::jsonb)) END,"
" reads => nullif(ARRAY(SELECT jsonb_array_elements_text($3::jsonb)), '{}'), metadata => $4::jsonb)";

/* run, {"missing": [], "impacted": []}, reads, metadata */
const char *const sql_miss =
"SELECT databuild.miss(run_id => $1::bigint, missing => ARRAY(SELECT jsonb_array_elements_text($2::jsonb->'missing')),"
" impacted => CASE WHEN $2::jsonb ? 'impacted' THEN ARRAY(SELECT jsonb_array_elements_text($2::jsonb->'impacted')) END,"
" reads => nullif(ARRAY(SELECT jsonb_array_elements_text($3::jsonb)), '{}'), metadata => $4::jsonb)";

/* run, reason, retry, metadata */
const char *const sql_fail =
"SELECT databuild.fail(run_id => $1::bigint, reason => $2, retry => $3::boolean, metadata => $4::jsonb)";

#define SAID \
"WITH said (j, n) AS (SELECT line::jsonb, n FROM string_to_table($1, E'\\n') WITH ORDINALITY AS l (line, n)) "

/*
 * What the lines of one kind say, as one value; NULL if one of them has the
 * wrong shape.  Raises if one is no JSON.
 */
const char *
sql_check(Kind kind)
{
	switch (kind)
	{
		case MISS:
			return
				"WITH said (j) AS (SELECT CASE jsonb_typeof(line::jsonb) WHEN 'object' THEN line::jsonb"
				"		ELSE jsonb_build_object('missing', line::jsonb) END"
				"	FROM string_to_table($1, E'\\n') AS l (line)) "
				"SELECT CASE WHEN NOT EXISTS (SELECT FROM said"
				"		WHERE j - '{missing,impacted}'::text[] <> '{}'"
				"			OR coalesce(j->'missing', '[]') = '[]' OR jsonb_typeof(j->'missing') <> 'array'"
				"			OR jsonb_path_exists(j, 'strict $.missing[*] ? (@.type() != \"string\")', silent => true)"
				"			OR j->'impacted' = '[]' OR jsonb_typeof(j->'impacted') <> 'array'"
				"			OR jsonb_path_exists(j, 'strict $.impacted[*] ? (@.type() != \"string\")', silent => true))"
				"	THEN jsonb_build_object('missing', (SELECT jsonb_agg(e) FROM said, jsonb_array_elements(j->'missing') AS e))"
				"		|| CASE WHEN (SELECT bool_and(j ? 'impacted') FROM said)"
				"			THEN jsonb_build_object('impacted', (SELECT jsonb_agg(e) FROM said, jsonb_array_elements(j->'impacted') AS e))"
				"			ELSE '{}' END"
				"	END";
		case READ:
		case MADE:
			return SAID
				"SELECT CASE WHEN NOT EXISTS (SELECT FROM said WHERE jsonb_typeof(j) <> 'array'"
				"		OR jsonb_path_exists(j, 'strict $[*] ? (@.type() != \"string\")'))"
				"	THEN (SELECT coalesce(jsonb_agg(e ORDER BY n), '[]') FROM said, jsonb_array_elements(j) AS e) END";
		case METADATA:
			return SAID
				"SELECT CASE WHEN NOT EXISTS (SELECT FROM said WHERE jsonb_typeof(j) <> 'object')"
				"	THEN (SELECT coalesce(jsonb_object_agg(e.key, e.value ORDER BY n), '{}') FROM said, jsonb_each(j) AS e) END";
	}
	return NULL;
}
