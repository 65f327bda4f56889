-- What was made of rows that have changed since would pass for good, although its table was tracked to have it tainted.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS databuild;
CREATE EXTENSION databuild;
\pset format unaligned
\pset tuples_only on
\pset null -
-- the newest run of a ref
CREATE FUNCTION pg_temp.run(ref text) RETURNS bigint LANGUAGE sql AS
	'SELECT max(run_id) FROM databuild.job_runs WHERE $1 = ANY (partitions)';
-- wants it, makes it, and says of what
CREATE FUNCTION pg_temp.make(ref text, VARIADIC reads text[]) RETURNS text LANGUAGE sql AS
	$$SELECT databuild.want(ARRAY[$1]); SELECT databuild.claim('w'); SELECT databuild.succeed(pg_temp.run($1), reads => $2);
	SELECT p.state FROM databuild.partitions p WHERE p.ref = $1$$;
CREATE FUNCTION pg_temp.states() RETURNS SETOF text LANGUAGE sql AS
	$$SELECT ref || ' ' || state FROM databuild.partitions ORDER BY ref$$;
-- what was logged since the last time, but for what is known, claimed and wanted
CREATE TEMP TABLE seen AS SELECT coalesce(max(event_id), 0) AS upto FROM databuild.events;
CREATE FUNCTION pg_temp.told() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	upto_ bigint := (SELECT upto FROM seen);
BEGIN
	RETURN QUERY SELECT kind || coalesce(' ' || array_to_string(refs, ','), '')
		FROM databuild.events WHERE event_id > upto_ AND kind NOT IN ('known', 'makes', 'claimed', 'wanted', 'needed') ORDER BY event_id;
	UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
END $$;

DROP SCHEMA IF EXISTS regress_downstream CASCADE;
CREATE SCHEMA regress_downstream;
CREATE TABLE regress_downstream.rows (ref text, n int);
SELECT databuild.track('regress_downstream.rows', 's/{ref}', taint_downstream => true);
SELECT tbl, ref_template, taint_downstream FROM databuild.tracked;
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.define_job('t', ARRAY['[at]/.*'], backoff => '0');
SELECT databuild.define_job('d', ARRAY['d/(.*)'], inputs => ARRAY['s/\1']);

-- published for the first time: nothing to taint, and no taint
INSERT INTO regress_downstream.rows VALUES ('1', 0), ('2', 0);
SELECT count(*) FROM databuild.taints;
SELECT pg_temp.make('t/1', 's/1');
SELECT pg_temp.make('t/2', 's/2');
SELECT pg_temp.make('t/other', 't/2');
SELECT pg_temp.make('t/both', 's/1', 's/2');
SELECT pg_temp.make('t/far', 't/1');
SELECT pg_temp.make('t/farther', 't/far');
SELECT pg_temp.make('d/1', 's/1');
SELECT count(*) FROM pg_temp.told() WHERE told ~ 'taint';
-- changed: all levels, in the same event, and back to work since it is wanted; what was made of others is not touched
BEGIN;
UPDATE regress_downstream.rows SET n = 1 WHERE ref = '1';
SELECT * FROM pg_temp.told();
SELECT * FROM pg_temp.states();
SELECT reason, state FROM databuild.taints;
-- again before anything is made anew: published, and nothing is left to taint
UPDATE regress_downstream.rows SET n = 2 WHERE ref = '1';
SELECT * FROM pg_temp.told();
-- rolled back with the statement, it never was
ROLLBACK;
SELECT count(*) FROM databuild.taints;
SELECT string_agg(DISTINCT substr(states, length(states) - 3), ',') FROM pg_temp.states();
SELECT databuild.tick();
SELECT * FROM databuild.claim('w');
SELECT * FROM databuild.verify();
UPDATE regress_downstream.rows SET n = 1 WHERE ref = '1';
SELECT * FROM pg_temp.told();
SELECT ref FROM databuild.stale_partitions ORDER BY 1;
-- canceled like any other: it was no change that matters; what was not made anew is live
SELECT pg_temp.make('t/1', 's/1');
SELECT databuild.cancel_taint((SELECT max(taint_id) FROM databuild.taints), 'only a comment');
SELECT * FROM pg_temp.states();
SELECT DISTINCT ref FROM databuild.stale_partitions ORDER BY 1;
SELECT * FROM databuild.check_invariants();
-- of the newest instances: what was made of one before is not made of these
UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
DELETE FROM regress_downstream.rows WHERE ref = '1';
SELECT * FROM pg_temp.told();

SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.claim('w')));

-- a ref that changes itself and was made of another that changes: published, not tainted
CREATE TABLE regress_downstream.made (ref text);
SELECT databuild.track('regress_downstream.made', '{ref}', taint_downstream => true);
INSERT INTO regress_downstream.made VALUES ('a/1'), ('s/3');
SELECT pg_temp.make('a/2', 'a/1');
SELECT pg_temp.make('a/3', 'a/2');
UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
INSERT INTO regress_downstream.made VALUES ('a/1'), ('a/2');
SELECT * FROM pg_temp.told();
SELECT ref, state FROM databuild.partitions WHERE ref LIKE 'a/%' ORDER BY 1;
-- tainted already: not again; unwanted: it stays tainted
SELECT databuild.cancel_want(want_id) FROM databuild.wants WHERE state <> 'canceled';
SELECT databuild.taint(ARRAY['a/2'], 'bad') > 0;
SELECT pg_temp.make('a/4', 'a/1');
SELECT databuild.cancel_want(want_id) FROM databuild.wants WHERE state <> 'canceled';
UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
INSERT INTO regress_downstream.made VALUES ('a/1');
SELECT * FROM pg_temp.told();
INSERT INTO regress_downstream.made VALUES ('a/2');
SELECT * FROM pg_temp.told();
SELECT ref, state FROM databuild.partitions WHERE ref LIKE 'a/%' ORDER BY 1;

-- a run is making the ref: what was made of its instance before is tainted now, the ref published when the run ends
SELECT pg_temp.make('a/5', 's/3');
SELECT pg_temp.make('t/5', 'a/5');
SELECT databuild.remake(ARRAY['a/5']) > 0;
SELECT count(*) FROM databuild.claim('w');
UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
INSERT INTO regress_downstream.made VALUES ('a/5');
SELECT * FROM pg_temp.told();
SELECT databuild.fail(pg_temp.run('a/5'), 'x');
SELECT * FROM pg_temp.told();
SELECT ref, state FROM databuild.partitions WHERE ref IN ('a/5', 't/5') ORDER BY 1;
-- likewise a live ref that a run makes anew beside a sibling
SELECT databuild.define_job('two', ARRAY['two/[lr]'], outputs => ARRAY['two/l', 'two/r']);
INSERT INTO regress_downstream.made VALUES ('two/r');
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.claim('w')));
SELECT pg_temp.make('t/two', 'two/r');
SELECT databuild.want(ARRAY['two/l']) > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 2);
UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
INSERT INTO regress_downstream.made VALUES ('two/r');
SELECT * FROM pg_temp.told();
SELECT databuild.succeed(pg_temp.run('two/l'));
SELECT * FROM pg_temp.told();
SELECT databuild.cancel_want(max(want_id)) FROM databuild.want_partitions WHERE ref = 't/two';
-- a run is making what was made of it: its report stands, and is of the instance of its claim
SELECT databuild.want(ARRAY['a/6']) > 0;
SELECT array_agg(partitions ORDER BY partitions) FROM databuild.claim('w', max_runs => 2);
INSERT INTO regress_downstream.made VALUES ('a/5');
SELECT databuild.succeed(pg_temp.run('a/6'), reads => ARRAY['a/5']);
SELECT p.state, s.input FROM databuild.partitions p JOIN databuild.stale_partitions s USING (ref) WHERE ref = 'a/6';
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();

-- a declared input that is tainted itself: what needs it waits for no more than that it is published
SELECT databuild.want(ARRAY['d/7']) > 0;
INSERT INTO regress_downstream.rows VALUES ('7', 0);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.claim('w', ARRAY['d'])));
SELECT databuild.taint(ARRAY['s/7'], 'bad') > 0;
UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
UPDATE regress_downstream.rows SET n = 1 WHERE ref = '7';
SELECT * FROM pg_temp.told();
-- the template alone again: no more taints
SELECT databuild.track('regress_downstream.rows', 's/{ref}');
SELECT tbl, taint_downstream FROM databuild.tracked ORDER BY tbl::text;
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.claim('w', ARRAY['d'])));
UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
TRUNCATE regress_downstream.rows;
SELECT * FROM pg_temp.told();
DROP SCHEMA regress_downstream CASCADE;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
