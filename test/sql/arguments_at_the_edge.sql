-- An argument just beyond what makes sense would get into the tables, or be refused in words of PostgreSQL's insides.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
-- how a call is refused: SQLSTATE, message, detail
DROP FUNCTION pg_temp.refused;
CREATE PROCEDURE pg_temp.refused(call text) LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text;
BEGIN
	EXECUTE call;
	RAISE WARNING 'NOT REFUSED: %', call;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RAISE WARNING '% % %', state, message, detail;
END $$;
\set VERBOSITY terse
SELECT databuild.define_job('j', ARRAY['j(/.*)?']);
SELECT databuild.want(ARRAY['j']) > 0;
SELECT count(*) AS told FROM databuild.events \gset

-- intervals that lead out of the calendar, and back into it
CALL pg_temp.refused($$SELECT databuild.want(ARRAY['j'], ttl => '-178000000 years')$$);
CALL pg_temp.refused($$SELECT databuild.want(ARRAY['j'], sla => '178000000 years')$$);
CALL pg_temp.refused($$SELECT databuild.want(ARRAY['j'], ttl => '-2147483648 days')$$);
CALL pg_temp.refused($$SELECT databuild.want(ARRAY['j'], ttl => '-2562047788 hours')$$);
CALL pg_temp.refused($$SELECT databuild.want(ARRAY['j'], ttl => '1 month -32 days')$$);
CALL pg_temp.refused($$SELECT databuild.define_job('k', ARRAY['k'], lease => '-178000000 years')$$);
CALL pg_temp.refused($$SELECT databuild.define_job('k', ARRAY['k'], backoff => '1001 years')$$);
CALL pg_temp.refused($$SELECT databuild.claim('w', lease => '-178000000 years')$$);
SELECT 'waiting';
CALL databuild.wait_work(timeout => '-1 microsecond');
CALL databuild.wait_work(timeout => '-178000000 years');
CALL databuild.wait_work(timeout => '178000000 years');
CALL databuild.wait_want(1, '-1 s');

-- templates that would make what is no ref
CALL pg_temp.refused($$SELECT databuild.define_job('k', ARRAY['k'], inputs => ARRAY[E'a\nb'])$$);
CALL pg_temp.refused($$SELECT databuild.define_job('k', ARRAY['k'], outputs => ARRAY['\&', E'k\x7f'])$$);
CALL pg_temp.refused($$SELECT databuild.define_job('k', ARRAY['k'], inputs => ARRAY[repeat('x', 2049)])$$);
CALL pg_temp.refused($$SELECT databuild.define_job('k', ARRAY['(k?)'], inputs => ARRAY[repeat('\1', 1025)])$$);
-- a key that fits in no index; lists without end
CALL pg_temp.refused($$SELECT databuild.want(ARRAY['j'], key => repeat('k', 1025))$$);
CALL pg_temp.refused($$SELECT databuild.define_job('k', ARRAY(SELECT i::text FROM generate_series(1, 10001) AS i))$$);
CALL pg_temp.refused($$SELECT databuild.define_job('k', ARRAY['k'], inputs => ARRAY(SELECT i::text FROM generate_series(1, 10001) AS i))$$);
CALL pg_temp.refused($$SELECT databuild.grant_worker('x', ARRAY[ARRAY['j']])$$);
CALL pg_temp.refused($$SELECT * FROM databuild.plan(ARRAY[ARRAY['j']])$$);
-- what is long is not repeated whole
CALL pg_temp.refused($$SELECT databuild.define_job('k', ARRAY[repeat('(', 1000)])$$);
CALL pg_temp.refused($$SELECT databuild.define_job('k', ARRAY[repeat('k', 100001)])$$);
CALL pg_temp.refused($$SELECT databuild.define_job('k', ARRAY['***=' || repeat('x', 1000)])$$);
CALL pg_temp.refused($$SELECT databuild.define_job('k', ARRAY['(?q)' || repeat('x', 1000)])$$);
CALL pg_temp.refused($$SELECT databuild.define_job('k', ARRAY[repeat('k', 1000)], inputs => ARRAY['\1' || repeat('x', 1000)])$$);
-- the template of a table is read in one go, however long
CREATE TEMP TABLE t (a text);
SET statement_timeout = '10 s';
CALL pg_temp.refused($$SELECT databuild.track('t', repeat('a', 3000000))$$);
CALL pg_temp.refused($$SELECT databuild.track('t', repeat('{', 3000000))$$);
CALL pg_temp.refused($$SELECT databuild.track('t', repeat('{', 3000001))$$);
CALL pg_temp.refused($$SELECT databuild.track('t', repeat('{a}', 1025))$$);
RESET statement_timeout;

-- none of it left anything behind
SELECT count(*) - :told FROM databuild.events;
SELECT label FROM databuild.jobs;

-- what is just allowed
SELECT databuild.want(ARRAY['j'], key => repeat('k', 1024), ttl => '1000 years', sla => '1000 years') > 0;
SELECT databuild.want(ARRAY['j'], key => repeat('k', 1024)) = max(want_id) FROM databuild.wants;
SELECT databuild.want(ARRAY['j'], ttl => '1 day', data_timestamp => 'infinity') > 0;
SELECT expires_at, due_at FROM databuild.wants ORDER BY want_id DESC LIMIT 1;
SELECT databuild.define_job('k', ARRAY['k/(.*)'], inputs => ARRAY['j/' || repeat('x', 1022), '\1' || repeat('\1', 1023)], lease => '1000 years', backoff => '1000 years');
SELECT databuild.want(ARRAY['k/j']);
SELECT octet_length(ref), state FROM databuild.partitions ORDER BY ref COLLATE "C";

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
