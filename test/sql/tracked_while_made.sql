-- A change of rows while a run makes their ref would stop the statement, or be lost with the end of the run.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
-- what was logged since the last time, but for what is known, claimed and wanted
DROP FUNCTION pg_temp.told;
CREATE FUNCTION pg_temp.told() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	upto_ bigint := (SELECT upto FROM seen);
BEGIN
	RETURN QUERY SELECT kind || coalesce(' ' || array_to_string(refs, ','), '') || coalesce(' ' || (body -> 'metadata' ->> 'operation') || ' ' || (body -> 'metadata' ->> 'table'), '')
		FROM databuild.events WHERE event_id > upto_ AND kind NOT IN ('known', 'makes', 'claimed', 'wanted', 'needed') ORDER BY event_id;
	UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
END $$;
CREATE FUNCTION pg_temp.shown(VARIADIC refs text[], OUT ref text, OUT state text, OUT instances text, OUT attempts int, OUT newest boolean) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT p.ref, p.state, (SELECT string_agg(i.state, ',' ORDER BY i.run_id) FROM databuild.instances i WHERE i.ref = p.ref), attempts,
		live_run_id = (SELECT max(run_id) FROM databuild.instances i WHERE i.ref = p.ref)
	FROM databuild.partitions p WHERE p.ref = ANY (refs) ORDER BY p.ref$$;

DROP SCHEMA IF EXISTS regress_made CASCADE;
CREATE SCHEMA regress_made;
CREATE TABLE regress_made.rows (ref text);
-- a statement changes rows of each ref
CREATE FUNCTION pg_temp.change(VARIADIC text[]) RETURNS void LANGUAGE sql AS
	'INSERT INTO regress_made.rows SELECT unnest($1)';
SELECT databuild.track('regress_made.rows', '{ref}');
SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 2, backoff => '1 hour');
SELECT databuild.want(ARRAY['succeeds', 'fails', 'failslast', 'canceled', 'misses', 'lost', 'unwanted', 'zother']) AS want_id \gset
SELECT count(*) FROM databuild.claim('w', max_runs => 7, lease => '10 s');
UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);

-- the statement goes through, and says it of those that a run makes; the others are live at once
SELECT pg_temp.change('succeeds', 'fails', 'zother', 'failslast', 'canceled', 'misses', 'lost', 'unwanted');
SELECT * FROM pg_temp.told();
SELECT * FROM pg_temp.shown('succeeds', 'zother');
SELECT detail FROM databuild.why('succeeds');
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();
-- also what a replay makes anew is published in the end
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
-- again, and rolled back
SELECT pg_temp.change('succeeds');
BEGIN;
SELECT pg_temp.change('succeeds', 'fails');
ROLLBACK;
SELECT * FROM pg_temp.told();

-- each end of a run publishes it, after what the run itself did
SELECT databuild.succeed(pg_temp.run('succeeds'));
SELECT * FROM pg_temp.told();
SELECT * FROM pg_temp.shown('succeeds');
SELECT databuild.fail(pg_temp.run('fails'), 'x');
SELECT databuild.fail(pg_temp.run('failslast'), 'x', retry => false);
SELECT databuild.cancel_run(pg_temp.run('canceled'));
SELECT databuild.miss(pg_temp.run('misses'), ARRAY['lacking']);
SELECT databuild.cancel_want(:want_id);
SELECT databuild.fail(pg_temp.run('unwanted'), 'x');
SET databuild.now = '2040-01-01 00:01:00+00';
SELECT lost_runs FROM databuild.tick();
SELECT * FROM pg_temp.told();
SELECT * FROM pg_temp.shown('fails', 'failslast', 'canceled', 'misses', 'lost', 'unwanted', 'lacking');
-- nothing waits any more, and nobody makes it again
SELECT count(*) FROM databuild.dependencies;
SET databuild.now = '2040-01-01 10:00:00+00';
SELECT count(*) FROM databuild.claim('w', max_runs => 10);
SELECT lost_runs, looked_at FROM databuild.tick();
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();

-- what waits for it goes on, also when the run failed
SELECT databuild.want(ARRAY['top', 'bottom']) > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 2);
SELECT databuild.miss(pg_temp.run('top'), ARRAY['bottom']);
UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
SELECT pg_temp.change('bottom');
SELECT databuild.fail(pg_temp.run('bottom'), 'x', retry => false);
SELECT * FROM pg_temp.told();
SELECT * FROM pg_temp.shown('top', 'bottom');
SELECT databuild.succeed(run_id) FROM databuild.claim('w');

-- a live ref that a run makes anew beside a sibling: likewise
SELECT databuild.define_job('two', ARRAY['two/(\d)/[lr]'], outputs => ARRAY['two/\1/l', 'two/\1/r'], backoff => '0');
SELECT pg_temp.change('two/1/r', 'two/2/r', 'two/3/r');
SELECT databuild.want(ARRAY['two/1/l', 'two/2/l', 'two/3/l']) > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 3);
UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
SELECT pg_temp.change('two/1/r', 'two/2/r', 'two/3/r', 'two/3/l');
SELECT * FROM pg_temp.told();
SELECT * FROM pg_temp.shown('two/1/r');
SELECT databuild.succeed(pg_temp.run('two/1/r'));
SELECT databuild.fail(pg_temp.run('two/2/r'), 'x');
SELECT databuild.succeed(pg_temp.run('two/3/r'), made => ARRAY['two/3/r']);
SELECT * FROM pg_temp.told();
SELECT * FROM pg_temp.shown('two/1/r', 'two/1/l', 'two/2/r', 'two/2/l', 'two/3/r', 'two/3/l');

-- found bad while it is made anew: what changed is published all the same
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.claim('w', max_runs => 5)));
SELECT databuild.taint(ARRAY['two/1/l'], 'bad') > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 5);
UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
SELECT pg_temp.change('two/1/r');
SELECT databuild.taint(ARRAY['two/1/r'], 'bad') > 0;
SELECT databuild.fail(pg_temp.run('two/1/r'), 'x');
SELECT * FROM pg_temp.told();
SELECT * FROM pg_temp.shown('two/1/r', 'two/1/l');

-- several runs at once, in one call; a claim along with it
SELECT databuild.remake(ARRAY['succeeds', 'fails', 'zother']) > 0;
SELECT count(*) FROM databuild.claim('w', ARRAY['j'], max_runs => 3);
SELECT pg_temp.change('succeeds', 'zother');
UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
SELECT count(*) FROM databuild.finish_and_claim(ARRAY[pg_temp.run('succeeds'), pg_temp.run('fails'), pg_temp.run('zother')], 'w', ARRAY['j']);
SELECT * FROM pg_temp.told();
-- the worker itself wrote the rows, and reports in the same transaction
SELECT databuild.remake(ARRAY['succeeds']) > 0;
BEGIN;
SELECT count(*) FROM databuild.claim('w', ARRAY['j']);
SELECT pg_temp.change('succeeds');
SELECT databuild.succeed(pg_temp.run('succeeds'));
COMMIT;
SELECT * FROM pg_temp.told();
DROP SCHEMA regress_made CASCADE;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
