-- A mistake in a call would pass in silence, or be refused without a word about what was wrong.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
-- how a call is refused: SQLSTATE, message, hint; numbers masked
DROP FUNCTION pg_temp.refused;
CREATE FUNCTION pg_temp.refused(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; hint text;
BEGIN
	EXECUTE call;
	RETURN 'NOT REFUSED: ' || call;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN state || ' ' || regexp_replace(message || CASE hint WHEN '' THEN '' ELSE ' / ' || hint END, '(run|run_id =) \d+', '\1 N', 'g');
END $$;

SELECT databuild.define_job('j', ARRAY['[^/]+'], lease => '10 min');
SELECT databuild.want(ARRAY['a', 'b']) > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 2);
SELECT databuild.miss(pg_temp.run('b'), ARRAY['c']);
CREATE TEMP TABLE calls (n serial, call text);

-- NULL for an argument without a NULL default
INSERT INTO calls (call) VALUES
	('define_job(NULL, ARRAY[$$x$$])'), ('define_job($$x$$, NULL)'), ('define_job($$x$$, ARRAY[$$x$$], config => NULL)'),
	('define_job($$x$$, ARRAY[$$x$$], max_attempts => NULL)'), ('define_job($$x$$, ARRAY[$$x$$], max_misses => NULL)'),
	('define_job($$x$$, ARRAY[$$x$$], backoff => NULL)'), ('define_job($$x$$, ARRAY[$$x$$], lease => NULL)'),
	('define_source(NULL, ARRAY[$$x$$])'), ('define_source($$x$$, NULL)'),
	('want(NULL)'), ('want(ARRAY[$$a$$], NULL)'),
	('claim(NULL)'), ('claim($$w$$, NULL, NULL)'),
	('heartbeat(NULL)'), ('succeed(NULL)'), ('succeed_many(NULL)'),
	('fail(NULL, $$x$$)'), ('fail(RUN, NULL)'), ('fail(RUN, $$x$$, NULL)'),
	('miss(NULL, ARRAY[$$x$$])'), ('miss(RUN, NULL)'), ('publish(NULL)');
-- lists: empty, with a NULL, of two dimensions
INSERT INTO calls (call) SELECT format(f.call, l.list || '::' || f.type) FROM
	(VALUES (1, 'define_job($$x$$, %s)', 'text[]'), (2, 'define_source($$x$$, %s)', 'text[]'), (3, 'want(%s)', 'text[]'), (4, 'claim($$w$$, %s)', 'text[]'),
		(5, 'heartbeat(%s)', 'bigint[]'), (6, 'succeed_many(%s)', 'bigint[]'), (7, 'miss(RUN, %s)', 'text[]'), (8, 'publish(%s)', 'text[]')) AS f(n, call, type),
	(VALUES (1, '$${}$$'), (2, '$${1,NULL}$$'), (3, '$${{1},{2}}$$')) AS l(n, list) ORDER BY f.n, l.n;
INSERT INTO calls (call) VALUES ('succeed(RUN, ARRAY[$$a$$, NULL])'), ('succeed(RUN, ARRAY[ARRAY[$$a$$]])'),
	('miss(RUN, ARRAY[$$x$$], ARRAY[NULL::text])'), ('miss(RUN, ARRAY[$$x$$], ARRAY[ARRAY[$$a$$]])');
-- refs: empty, of 1,025 bytes, with control characters
INSERT INTO calls (call) SELECT format(f.call, r.ref) FROM
	(VALUES (1, 'want(ARRAY[$$ok$$, %s])'), (2, 'miss(RUN, ARRAY[$$ok$$, %s])'), (3, 'publish(ARRAY[$$ok$$, %s])')) AS f(n, call),
	(VALUES (1, '$$$$'), (2, 'repeat($$x$$, 1025)'), (3, 'repeat($$ä$$, 512) || $$x$$'), (4, 'E$$a\nb$$'), (5, 'chr(1)'), (6, '$$a$$ || chr(127)'), (7, 'chr(9) || $$a$$')) AS r(n, ref) ORDER BY f.n, r.n;
UPDATE calls SET call = replace(replace(call, 'E$$', 'E'''), 'b$$])', 'b''])') WHERE call LIKE '%E$$%';
-- numbers and intervals out of range
INSERT INTO calls (call) VALUES
	('want(ARRAY[$$a$$], 101)'), ('want(ARRAY[$$a$$], -101)'), ('want(ARRAY[$$a$$], 2147483647)'),
	('claim($$w$$, max_runs => 0)'), ('claim($$w$$, max_runs => -1)'), ('claim($$$$)'), ('claim($$w$$, lease => $$-1 s$$)'),
	('heartbeat(ARRAY[RUN], $$-1 s$$)'),
	('define_job($$x$$, ARRAY[$$x$$], max_attempts => 0)'), ('define_job($$x$$, ARRAY[$$x$$], max_misses => 0)'),
	('define_job($$x$$, ARRAY[$$x$$], backoff => $$-1 s$$)'), ('define_job($$x$$, ARRAY[$$x$$], lease => $$-1 s$$)'), ('define_job($$x$$, ARRAY[$$x$$], lease => $$0$$)'),
	('define_job($$$$, ARRAY[$$x$$])'), ('define_job(repeat($$x$$, 201), ARRAY[$$x$$])'), ('define_job(chr(10), ARRAY[$$x$$])'), ('define_source($$$$, ARRAY[$$x$$])');
-- patterns
INSERT INTO calls (call) SELECT format(f.call, p.pattern) FROM
	(VALUES (1, 'define_job($$x$$, ARRAY[$$x$$, $$%s$$])'), (2, 'define_source($$x$$, ARRAY[$$%s$$])')) AS f(n, call),
	(VALUES (1, 'a)|(b'), (2, '('), (3, '[z-a]'), (4, '*'), (5, 'a{2,1}'), (6, '\')) AS p(n, pattern) ORDER BY f.n, p.n;
-- what does not exist
INSERT INTO calls (call) VALUES
	('claim($$w$$, ARRAY[$$nix$$])'), ('claim($$w$$, ARRAY[$$j$$, $$nix$$])'), ('want(ARRAY[$$a$$, $$a/b$$])'),
	('heartbeat(ARRAY[RUN, 999999999])'), ('succeed(999999999)'), ('succeed(-1)'), ('succeed_many(ARRAY[RUN, 999999999])'),
	('fail(999999999, $$x$$)'), ('miss(999999999, ARRAY[$$x$$])'),
	('succeed(RUN, ARRAY[$$a$$, $$b$$])'), ('succeed(RUN, ARRAY[$$nix$$])'), ('miss(RUN, ARRAY[$$x$$], ARRAY[$$b$$])');
-- the same for the other calls
INSERT INTO calls (call) SELECT format(f.call, 'NULL') FROM
	(VALUES (1, 'drop_job(%s)'), (2, 'pause_job(%s)'), (3, 'resume_job(%s)'), (4, 'cancel_want(%s)'), (5, 'remake(%s)'), (6, 'remake(ARRAY[$$a$$], NULL, %s)'),
		(7, 'finish_and_claim(%s, $$w$$)'), (8, 'finish_and_claim($${}$$, %s)'), (9, 'finish_and_claim($${}$$, $$w$$, NULL, %s)'), (10, 'cancel_run(%s)'),
		(11, 'retry(%s)'), (12, 'retry_want(%s)'), (13, 'taint(%s, $$x$$)'), (14, 'taint(ARRAY[$$a$$], %s)'), (15, 'taint(ARRAY[$$a$$], $$x$$, %s)'),
		(16, 'cancel_taint(%s)'), (17, 'forget(%s, $$x$$)'), (18, 'forget(ARRAY[$$a$$], %s)'), (19, 'why_want(%s)'), (20, 'explain(%s)'),
		(21, 'lineage(%s)'), (22, 'lineage($$a$$, %s)'), (23, 'lineage($$a$$, max_depth => %s)'), (24, 'plan(%s)'), (25, 'state_at(%s)'),
		(26, 'read_events(%s)'), (27, 'read_events(0, %s)'), (28, 'define_job($$x$$, ARRAY[$$x$$], batch_size => %s)')) AS f(n, call) ORDER BY f.n;
INSERT INTO calls (call) SELECT format(f.call, l.list || '::' || f.type) FROM
	(VALUES (1, 'remake(%s)', 'text[]'), (2, 'retry(%s)', 'text[]'), (3, 'taint(%s, $$x$$)', 'text[]'), (4, 'forget(%s, $$x$$)', 'text[]'), (5, 'plan(%s)', 'text[]'),
		(6, 'finish_and_claim(ARRAY[RUN], $$w$$, %s)', 'text[]'), (7, 'define_job($$x$$, ARRAY[$$x$$], %s)', 'text[]')) AS f(n, call, type),
	(VALUES (1, '$${}$$'), (2, '$${1,NULL}$$'), (3, '$${{1},{2}}$$')) AS l(n, list) ORDER BY f.n, l.n;
INSERT INTO calls (call) VALUES ('finish_and_claim(ARRAY[RUN, NULL], $$w$$)'), ('finish_and_claim(ARRAY[ARRAY[RUN]], $$w$$)'),
	('plan(ARRAY[$$a$$, $$$$])'), ('plan(ARRAY[repeat($$x$$, 1025)])'), ('plan(ARRAY[chr(10)])'), ('remake(ARRAY[$$$$])'), ('retry(ARRAY[chr(10)])'), ('succeed(RUN, reads => ARRAY[$$$$])'),
	('remake(ARRAY[$$a$$], priority => 101)'), ('finish_and_claim(ARRAY[RUN], $$w$$, max_runs => 0)'), ('finish_and_claim(ARRAY[RUN], $$$$)'), ('finish_and_claim(ARRAY[RUN], $$w$$, lease => $$-1 s$$)'),
	('define_job($$x$$, ARRAY[$$x$$], batch_size => 0)'), ('define_job($$x$$, ARRAY[$$x$$], batch_size => 1001)'), ('define_job($$x$$, ARRAY[$$x$$], max_running => 0)'), ('define_job($$x$$, ARRAY[$$x$$], max_running => 10001)'),
	('want(ARRAY[$$a$$], ttl => $$-1 s$$)'), ('want(ARRAY[$$a$$], sla => $$-1 s$$)'), ('want(ARRAY[$$a$$], ttl => $$2000 years$$)'),
	('lineage($$a$$, $$sideways$$)'), ('lineage($$a$$, max_depth => -1)'), ('read_events(0, -1)'),
	('drop_job($$nix$$)'), ('pause_job($$nix$$)'), ('resume_job($$nix$$)'), ('cancel_want(999999999)'), ('retry_want(999999999)'), ('why_want(999999999)'), ('cancel_run(999999999)'), ('cancel_taint(999999999)'),
	('finish_and_claim(ARRAY[RUN, 999999999], $$w$$)'), ('finish_and_claim(ARRAY[RUN], $$w$$, ARRAY[$$nix$$])'), ('remake(ARRAY[$$a$$, $$a/b$$])'),
	('retry(ARRAY[$$a$$, $$nix$$])'), ('taint(ARRAY[$$a$$, $$nix$$], $$x$$)'), ('taint(ARRAY[$$nix$$], $$x$$, true)'), ('forget(ARRAY[$$nix$$], $$x$$)'), ('lineage($$nix$$)');

SELECT count(*) AS told FROM databuild.events \gset
SELECT call, '=> ' || pg_temp.refused('SELECT * FROM databuild.' || replace(call, 'RUN', pg_temp.run('a')::text)) FROM calls ORDER BY n;
-- none of it left anything behind
SELECT count(*) - :told FROM databuild.events;
SELECT ref, state FROM databuild.partitions ORDER BY 1;
SELECT label FROM databuild.jobs;

-- what is just allowed
SELECT databuild.want(ARRAY[repeat('x', 1024), repeat('ä', 512), ' ', 'a b', '"', '\', '%', 'é{},']) > 0;
SELECT octet_length(ref), state FROM databuild.partitions ORDER BY ref;
SELECT databuild.define_job(repeat('l', 200), ARRAY['l/.*', 'l/1'], max_attempts => 1, max_misses => 1, backoff => '0', lease => '1 microsecond');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
