-- Whether the tables agree with the log would depend on how a session shows dates and intervals, or how it plans.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+'], backoff => '1 day 2 hours', lease => '1 month');
SET intervalstyle = 'sql_standard';
SELECT databuild.define_job('k', ARRAY['k/.*'], backoff => '0 00:10:00.5');
SET datestyle = 'German, DMY';
SET timezone = 'Asia/Kathmandu';
SELECT databuild.want(ARRAY['a', 'b']) > 0;
SELECT pg_temp.claim(n => 2);
SELECT databuild.fail(pg_temp.run('a'), 'x');
SELECT databuild.miss(pg_temp.run('b'), ARRAY['c']);
SELECT relation, key FROM databuild.verify();
SET intervalstyle = 'iso_8601';
SELECT relation, key FROM databuild.verify();
SET intervalstyle = 'postgres';
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET extra_float_digits = 0;
SET bytea_output = 'escape';
SET standard_conforming_strings = off;
SET lc_messages = 'C';
SELECT relation, key FROM databuild.verify();
-- the same definition in other words is no new definition
SELECT count(*) AS told FROM databuild.events \gset
SELECT databuild.define_job('j', ARRAY['[a-z]+'], backoff => 'P1DT2H', lease => '1 mon');
SELECT count(*) - :told FROM databuild.events;
-- a replay under other settings
SET intervalstyle = 'sql_standard';
SELECT databuild.replay() > 0;
SET intervalstyle = 'postgres';
SELECT relation, key FROM databuild.verify();
SELECT label, backoff, lease FROM databuild.jobs ORDER BY 1;
-- nor on the planner's
SET enable_indexscan = off;
SET enable_nestloop = off;
SET row_security = off;
SET default_transaction_read_only = off;
SET plan_cache_mode = force_custom_plan;
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('c'));
SELECT ref, state FROM databuild.partitions ORDER BY 1;
-- a call leaves the session's settings as they were
SELECT current_setting('enable_seqscan'), current_setting('enable_hashjoin'), current_setting('plan_cache_mode'), current_setting('enable_nestloop'), current_setting('jit') = boot_val FROM pg_settings WHERE name = 'jit';
SELECT databuild.want(NULL) > 0;
SELECT current_setting('enable_seqscan'), current_setting('enable_hashjoin'), current_setting('plan_cache_mode'), current_setting('enable_nestloop');

RESET enable_indexscan;
RESET enable_nestloop;
-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
