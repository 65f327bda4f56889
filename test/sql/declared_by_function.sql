-- A partition would be handed out before what a function says that it needs is there, or the function be asked again and say something else.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
DROP SCHEMA IF EXISTS regress_functions CASCADE;
CREATE SCHEMA regress_functions;
-- how often it was called; the server counts on, so what counts is the difference in a transaction
SET track_functions = 'all';
CREATE FUNCTION pg_temp.calls(name text) RETURNS bigint LANGUAGE sql AS
	$$SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_xact_user_functions WHERE schemaname = 'regress_functions' AND funcname = name$$;

-- the seven days before, as far as there are any
CREATE FUNCTION regress_functions.days_before(ref text) RETURNS text[] LANGUAGE sql STABLE AS $$
	SELECT array_agg('day/' || d::date) FROM generate_series(
		greatest(right(ref, 10)::date - 7, date '2012-01-01'), right(ref, 10)::date - 1, '1 day') AS d
$$;
SELECT databuild.define_source('calendar', ARRAY['calendar']);
SELECT databuild.define_job('day', ARRAY['day/\d{4}-\d\d-\d\d']);
SELECT databuild.define_job('trailing', ARRAY['trailing/.*'], inputs_function => 'regress_functions.days_before(text)');
SELECT label, inputs, inputs_function, outputs_function, functions_role = current_user FROM databuild.jobs ORDER BY 1;
-- what a want would meet, in whatever form the session likes its dates; nothing is named by that
SET datestyle = 'SQL, DMY';
SELECT * FROM databuild.plan(ARRAY['trailing/2012-01-03', 'trailing/2012-01-01']);
SELECT count(*) FROM databuild.partitions;
SELECT databuild.want(ARRAY['trailing/2012-03-05', 'trailing/2012-01-03', 'trailing/2012-01-01']) > 0;
SET datestyle = 'ISO';
SELECT ref, array_agg(upstream ORDER BY upstream) FROM databuild.dependencies GROUP BY 1 ORDER BY 1;
-- the first day has none before it
SELECT * FROM pg_temp.states() WHERE ref LIKE 'trailing%';
SELECT pg_temp.claim(ARRAY['day'], 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT * FROM pg_temp.states() WHERE ref LIKE 'trailing%';

-- templates and function, both count; the ref itself, doubles and what is known already are no harm
CREATE FUNCTION regress_functions.more(ref text) RETURNS text[] LANGUAGE sql IMMUTABLE AS
	$$SELECT ARRAY['calendar', 'day/2012-01-01', 'both/b', 'both/b']$$;
SELECT databuild.define_job('both', ARRAY['both/(.*)'], inputs => ARRAY['of/\1', 'calendar'], inputs_function => 'regress_functions.more(text)');
SELECT databuild.define_job('of', ARRAY['of/.*']);
SELECT databuild.want(ARRAY['both/a']) > 0;
SELECT refs, body -> 'inputs' FROM databuild.events WHERE kind = 'declared' ORDER BY event_id DESC LIMIT 1;
SELECT * FROM pg_temp.states() WHERE ref LIKE 'both%';
SELECT reason, partition FROM databuild.why('both/b');

-- outputs: the ref itself belongs to them whether it is said or not; alone it is none
CREATE FUNCTION regress_functions.halves(ref text) RETURNS text[] LANGUAGE sql IMMUTABLE AS
	$$SELECT CASE WHEN ref LIKE '%/whole' THEN ARRAY[ref] ELSE ARRAY[split_part(ref, '/', 1) || '/left', split_part(ref, '/', 1) || '/right'] END$$;
CREATE FUNCTION regress_functions.elsewhere(ref text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$SELECT ARRAY['day/2012-01-09']$$;
SELECT databuild.define_job('half', ARRAY['(\w)/(left|right|whole)'], outputs_function => 'regress_functions.halves(text)', inputs_function => 'regress_functions.elsewhere(text)');
SELECT databuild.want(ARRAY['x/left', 'y/whole', 'z/left', 'z/right']) > 0;
SELECT refs, body - 'counts' FROM databuild.events WHERE kind IN ('makes', 'declared') ORDER BY event_id DESC LIMIT 2;
SELECT databuild.publish(ARRAY['day/2012-01-09']);
SELECT pg_temp.claim(ARRAY['half'], 10);
-- an output of another job's is refused, and nothing is left of the want
SELECT databuild.define_job('other', ARRAY['other/.*'], outputs_function => 'regress_functions.elsewhere(text)');
\set VERBOSITY sqlstate
SELECT databuild.want(ARRAY['other/1']);
\set VERBOSITY default
SELECT count(*) FROM databuild.partitions WHERE ref LIKE 'other%';

-- each is asked once, when a ref is named first: not by later wants, claims, reports or plans, and not by a replay
CREATE FUNCTION regress_functions.chance(ref text) RETURNS text[] LANGUAGE sql VOLATILE AS
	$$SELECT ARRAY['day/2013-01-0' || substr(ref, 8, 1), 'chance/' || random()::text] WHERE ref LIKE 'chance/%asked'$$;
SELECT databuild.define_job('chance', ARRAY['chance/.*'], inputs_function => 'regress_functions.chance(text)');
BEGIN;
SELECT pg_temp.calls('chance') AS calls \gset
SELECT databuild.want(ARRAY['chance/1/asked', 'chance/2/asked']) > 0;
SELECT pg_temp.calls('chance') - :calls;
COMMIT;
CREATE TEMP TABLE said AS SELECT * FROM databuild.input;
SELECT count(*) FROM databuild.dependencies WHERE ref LIKE 'chance%';
BEGIN;
SELECT pg_temp.calls('chance') AS calls \gset
SELECT databuild.want(ARRAY['chance/1/asked', 'chance/2/asked']) > 0;
SELECT count(*) FROM databuild.plan(ARRAY['chance/1/asked']);
SELECT count(*) FROM databuild.claim('w', ARRAY['chance', 'day'], 10);
SELECT databuild.miss(min(run_id), ARRAY['chance/1/asked']) FROM databuild.job_runs WHERE state = 'running' AND job = 'day';
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT databuild.replay() > 0;
SELECT count(*) FROM databuild.verify();
SELECT pg_temp.calls('chance') - :calls;
COMMIT;
(TABLE said EXCEPT TABLE databuild.input) UNION ALL (TABLE databuild.input EXCEPT TABLE said);
-- a redefinition asks anew, about each ref once, those that it names by the way too
BEGIN;
SELECT pg_temp.calls('chance') AS calls \gset
SELECT databuild.define_job('chance', ARRAY['chance/.*'], config => '1', inputs_function => 'regress_functions.chance(text)');
SELECT count(*), pg_temp.calls('chance') - :calls FROM databuild.partitions WHERE job = 'chance';
COMMIT;

-- a definition that changes nothing logs nothing and asks nothing; another function does
SELECT count(*) AS told FROM databuild.events \gset
BEGIN;
SELECT pg_temp.calls('days_before') AS calls \gset
SELECT databuild.define_job('trailing', ARRAY['trailing/.*'], inputs_function => 'regress_functions.days_before(text)');
SELECT count(*) - :told, pg_temp.calls('days_before') - :calls FROM databuild.events;
COMMIT;
CREATE FUNCTION regress_functions."Day before"(ref text) RETURNS text[] LANGUAGE sql IMMUTABLE AS
	$$SELECT ARRAY['day/' || right(ref, 10)::date - 1]$$;
SELECT databuild.define_job('trailing', ARRAY['trailing/.*'], inputs_function => 'regress_functions."Day before"(text)');
SELECT inputs_function FROM databuild.jobs WHERE label = 'trailing';
SELECT refs, body -> 'inputs' FROM databuild.events WHERE kind = 'declared' ORDER BY event_id DESC LIMIT 1;
SELECT * FROM databuild.verify();
SELECT databuild.define_job('trailing', ARRAY['trailing/.*']);
SELECT label, inputs_function, outputs_function, functions_role FROM databuild.jobs WHERE label = 'trailing';
SELECT refs, body -> 'inputs' FROM databuild.events WHERE kind = 'declared' ORDER BY event_id DESC LIMIT 1;
SELECT * FROM databuild.check_invariants();
-- what is gone is in the log
DROP SCHEMA regress_functions CASCADE;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
