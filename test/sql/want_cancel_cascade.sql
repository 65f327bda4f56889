-- Someone would cancel a report, and its inputs, that nobody else asked for, would go on being built.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS databuild;
CREATE EXTENSION databuild;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\pset format unaligned
\pset tuples_only on
\pset null -
-- the newest run of a ref
CREATE FUNCTION pg_temp.run(ref text) RETURNS bigint LANGUAGE sql AS
	'SELECT max(run_id) FROM databuild.job_runs WHERE $1 = ANY (partitions)';
-- claims and says what
CREATE FUNCTION pg_temp.claim(jobs text[] = NULL, n int = 1) RETURNS SETOF text LANGUAGE sql AS
	$$SELECT array_to_string(partitions, ',') FROM databuild.claim('w', jobs, n)$$;
CREATE FUNCTION pg_temp.states(OUT ref text, OUT state text) RETURNS SETOF record LANGUAGE sql AS
	'SELECT ref, state FROM databuild.partitions ORDER BY ref';
-- wants by what they cover
CREATE FUNCTION pg_temp.wants(OUT refs text, OUT kind text, OUT state text, OUT live text, OUT priority int) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT (SELECT string_agg(ref, ',' ORDER BY ref) FROM databuild.want_partitions p WHERE p.want_id = w.want_id),
		CASE WHEN derivative THEN 'derivative' ELSE 'asked' END, state, live || '/' || total, priority
	FROM databuild.wants w ORDER BY want_id$$;
-- the want with that comment
CREATE FUNCTION pg_temp.want(comment text) RETURNS bigint LANGUAGE sql AS
	'SELECT want_id FROM databuild.wants w WHERE w.comment = $1';
-- what was logged since the last time
CREATE TEMP TABLE seen AS SELECT coalesce(max(event_id), 0) AS upto FROM databuild.events;
CREATE FUNCTION pg_temp.told() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	upto_ bigint := (SELECT upto FROM seen);
BEGIN
	RETURN QUERY SELECT kind || coalesce(' ' || array_to_string(refs, ','), '') || coalesce(' ' || (body ->> 'reason'), '')
		FROM databuild.events WHERE event_id > upto_ ORDER BY event_id;
	UPDATE seen SET upto = (SELECT max(event_id) FROM databuild.events);
END $$;

SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.want(ARRAY['top'], comment => 'top') > 0;
SELECT databuild.want(ARRAY['other'], comment => 'other') > 0;
SELECT pg_temp.claim(n => 2);
SELECT databuild.miss(pg_temp.run('top'), ARRAY['mid', 'shared']);
SELECT databuild.miss(pg_temp.run('other'), ARRAY['shared']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('mid'), ARRAY['low', 'running']);
SELECT databuild.want(ARRAY['running'], 50, comment => 'running') > 0;
SELECT pg_temp.claim();
SELECT databuild.cancel_want(pg_temp.want('running'));
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
SELECT count(*) > 0 FROM pg_temp.told();
-- all the way down, in the same call; what is being built goes on, what others wait for stays
SELECT databuild.cancel_want(pg_temp.want('top'), 'not needed');
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
SELECT * FROM pg_temp.told();
SELECT ref, upstream FROM databuild.dependencies ORDER BY 1, 2;
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('running'));
SELECT databuild.succeed(pg_temp.run('shared'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('other'));
SELECT * FROM pg_temp.states();

-- a failure far below, then the want above goes: what failed stays as a record, what waited falls back
SELECT databuild.want(ARRAY['a'], comment => 'a') > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('a'), ARRAY['b']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('b'), ARRAY['c', 'd']);
SELECT pg_temp.claim();
SELECT databuild.fail(pg_temp.run('c'), 'x', false);
SELECT * FROM pg_temp.states() WHERE length(ref) = 1;
SELECT databuild.cancel_want(pg_temp.want('a'));
SELECT * FROM pg_temp.states() WHERE length(ref) = 1;
SELECT refs, kind, state FROM pg_temp.wants() WHERE refs ~ '^[a-d](,|$)';

-- wanted again: it begins again, and finds what is there
SELECT databuild.want(ARRAY['top'], comment => 'again') > 0;
SELECT pg_temp.claim(n => 10);
SELECT databuild.miss(pg_temp.run('top'), ARRAY['mid', 'shared']);
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('mid'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('top'));
SELECT refs, kind, state FROM pg_temp.wants() WHERE state NOT IN ('successful', 'canceled');

-- two wants on the same top: the first cancel changes nothing below, the second ends it
SELECT databuild.want(ARRAY['two'], comment => 'two one') > 0, databuild.want(ARRAY['two'], comment => 'two two') > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('two'), ARRAY['below']);
SELECT databuild.cancel_want(pg_temp.want('two one'));
SELECT * FROM pg_temp.states() WHERE ref IN ('two', 'below');
SELECT databuild.cancel_want(pg_temp.want('two two'));
SELECT * FROM pg_temp.states() WHERE ref IN ('two', 'below');
SELECT pg_temp.claim(n => 10);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
