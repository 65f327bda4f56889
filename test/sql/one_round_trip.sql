-- A worker that reports and asks in one call would get something else than one that makes two calls.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

-- the same history twice: a/ by two calls, b/ by one
SELECT databuild.define_job('a', ARRAY['a/.*'], backoff => '0', config => '{"x": 1}');
SELECT databuild.define_job('b', ARRAY['b/.*'], backoff => '0', config => '{"x": 1}');
CREATE FUNCTION pg_temp.two(ids bigint[], n int) RETURNS TABLE (job text, partitions text[], config jsonb, attempt int, leased boolean) LANGUAGE plpgsql AS $$
BEGIN
	IF ids <> '{}' THEN PERFORM databuild.succeed_many(ids); END IF;
	RETURN QUERY SELECT c.job, c.partitions, c.config, c.attempt, c.lease_expires_at > clock_timestamp() + interval '50 min' FROM databuild.claim('w', ARRAY['a'], n, '1 h') AS c;
END $$;
CREATE FUNCTION pg_temp.one(ids bigint[], n int) RETURNS TABLE (job text, partitions text[], config jsonb, attempt int, leased boolean) LANGUAGE sql AS
	$$SELECT c.job, c.partitions, c.config, c.attempt, c.lease_expires_at > clock_timestamp() + interval '50 min' FROM databuild.finish_and_claim(ids, 'w', ARRAY['b'], n, '1 h') AS c$$;
CREATE FUNCTION pg_temp.running(job text) RETURNS bigint[] LANGUAGE sql AS
	$$SELECT coalesce(array_agg(run_id ORDER BY run_id), '{}') FROM databuild.job_runs r WHERE state = 'running' AND r.job = $1$$;
SELECT databuild.want(ARRAY['a/1', 'a/2', 'a/3', 'a/4'], 1) > 0, databuild.want(ARRAY['a/5'], 2) > 0;
SELECT databuild.want(ARRAY['b/1', 'b/2', 'b/3', 'b/4'], 1) > 0, databuild.want(ARRAY['b/5'], 2) > 0;
SELECT * FROM pg_temp.two('{}', 3);
SELECT * FROM pg_temp.one('{}', 3);
SELECT databuild.miss(pg_temp.run('a/1'), ARRAY['a/6', 'a/5']), databuild.miss(pg_temp.run('b/1'), ARRAY['b/6', 'b/5']);
-- what the report frees is handed out by the same call
SELECT * FROM pg_temp.two(ARRAY[pg_temp.run('a/2')], 1);
SELECT * FROM pg_temp.one(ARRAY[pg_temp.run('b/2')], 1);
SELECT * FROM pg_temp.two(pg_temp.running('a'), 2);
SELECT * FROM pg_temp.one(pg_temp.running('b'), 2);
SELECT * FROM pg_temp.two(pg_temp.running('a'), 5);
SELECT * FROM pg_temp.one(pg_temp.running('b'), 5);
SELECT * FROM pg_temp.states() WHERE ref LIKE 'a/%';
SELECT * FROM pg_temp.states() WHERE ref LIKE 'b/%';
SELECT * FROM pg_temp.two(pg_temp.running('a'), 5);
SELECT * FROM pg_temp.one(pg_temp.running('b'), 5);
-- the log tells the same of both
SELECT count(*) FROM (
	(SELECT kind, replace(refs::text, 'a/', 'x/') FROM databuild.events WHERE refs::text LIKE '%a/%' EXCEPT ALL SELECT kind, replace(refs::text, 'b/', 'x/') FROM databuild.events WHERE refs::text LIKE '%b/%')
	UNION ALL (SELECT kind, replace(refs::text, 'b/', 'x/') FROM databuild.events WHERE refs::text LIKE '%b/%' EXCEPT ALL SELECT kind, replace(refs::text, 'a/', 'x/') FROM databuild.events WHERE refs::text LIKE '%a/%')) AS d;
-- repeated: the report changes nothing, the claim is one more
SELECT databuild.want(ARRAY['b/7', 'b/8']) > 0;
SELECT partitions FROM databuild.finish_and_claim(ARRAY[pg_temp.run('b/1'), pg_temp.run('b/1')], 'w');
SELECT partitions FROM databuild.finish_and_claim(ARRAY[pg_temp.run('b/1'), pg_temp.run('b/7')], 'w', max_runs => 5);
-- nothing to report, nothing to do
SELECT count(*) FROM databuild.finish_and_claim(ARRAY[pg_temp.run('b/8')], 'w', max_runs => 5);
SELECT count(*) FROM databuild.finish_and_claim('{}', 'w', max_runs => 5);
-- all or nothing: a contradicting report claims nothing, a refused claim reports nothing
SELECT databuild.want(ARRAY['b/9', 'b/10', 'b/11']) > 0;
SELECT pg_temp.claim(n => 2);
SELECT databuild.fail(pg_temp.run('b/11'), 'x', false);
SELECT pg_temp.refused(format('SELECT * FROM databuild.finish_and_claim(ARRAY[%s, %s], ''w'')', pg_temp.run('b/10'), pg_temp.run('b/11')));
SELECT pg_temp.refused(format('SELECT * FROM databuild.finish_and_claim(ARRAY[%s], ''w'', ARRAY[''nix''])', pg_temp.run('b/10')));
SELECT pg_temp.refused(format('SELECT * FROM databuild.finish_and_claim(ARRAY[%s, 999999], ''w'')', pg_temp.run('b/10')));
SELECT pg_temp.refused($$SELECT * FROM databuild.finish_and_claim(NULL, 'w')$$);
SELECT pg_temp.refused($$SELECT * FROM databuild.finish_and_claim(ARRAY[1, NULL], 'w')$$);
SELECT pg_temp.refused($$SELECT * FROM databuild.finish_and_claim(ARRAY[[1], [2]], 'w')$$);
SELECT pg_temp.refused($$SELECT * FROM databuild.finish_and_claim('{}', NULL)$$);
SELECT pg_temp.refused($$SELECT * FROM databuild.finish_and_claim('{}', '')$$);
SELECT pg_temp.refused($$SELECT * FROM databuild.finish_and_claim('{}', 'w', max_runs => 0)$$);
SELECT pg_temp.refused($$SELECT * FROM databuild.finish_and_claim('{}', 'w', lease => '0')$$);
SELECT pg_temp.refused($$SELECT * FROM databuild.finish_and_claim('{}', 'w', '{}')$$);
SELECT * FROM pg_temp.states() WHERE ref IN ('b/9', 'b/10', 'b/11');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
