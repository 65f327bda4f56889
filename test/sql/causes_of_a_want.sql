-- Someone who asks why a want is not there would be shown a thousand partitions instead of the one cause, or not all causes.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

CREATE FUNCTION pg_temp.why_want(comment text) RETURNS SETOF text LANGUAGE sql AS
	$$SELECT concat_ws('|', reason, partitions, example, regexp_replace(detail, '(Run|run) \d+', '\1 N'), regexp_replace(hint, 'run \d+', 'run N')) FROM databuild.why_want(pg_temp.want($1)) WITH ORDINALITY ORDER BY ordinality$$;
SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_job('j', ARRAY['[a-z0-9]+'], max_attempts => 2, backoff => '1 h', lease => '10 min');
SELECT databuild.define_job('p', ARRAY['p/.*']);
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.define_job('d', ARRAY['d/(.*)'], inputs => ARRAY['s/\1', 'p/\1']);
-- nothing wrong: what waits for a worker, as one row
SELECT databuild.want(ARRAY(SELECT 'n' || i FROM generate_series(1, 50) AS i), 50, comment => 'many') > 0;
SELECT * FROM pg_temp.why_want('many');
SELECT count(*) FROM pg_temp.claim(n => 20);
SELECT * FROM pg_temp.why_want('many');
SELECT databuild.fail(pg_temp.run('n1'), 'disk full', false);
SELECT databuild.fail(pg_temp.run('n10'), 'no memory', false);
SELECT databuild.fail(pg_temp.run('n11'), 'timeout');
SELECT databuild.succeed(pg_temp.run('n12'));
SELECT * FROM pg_temp.why_want('many');
-- far upstream: causes, not what only waits; each partition counts once
SELECT databuild.want(ARRAY['t1', 't2', 't3', 'd/1', 'd/2'], 60, comment => 'deep') > 0;
SELECT count(*) FROM pg_temp.claim(ARRAY['j'], 3);
SELECT databuild.miss(pg_temp.run('t1'), ARRAY['m', 'n1', 'ext/1']);
SELECT databuild.miss(pg_temp.run('t2'), ARRAY['m', 'n1', 's/1']);
SELECT databuild.miss(pg_temp.run('t3'), ARRAY['m', 'n5']);
SELECT count(*) FROM pg_temp.claim(ARRAY['j']);
SELECT databuild.miss(pg_temp.run('m'), ARRAY['root']);
SELECT databuild.pause_job('p');
SELECT * FROM pg_temp.why_want('deep');
-- a cycle, a canceled run, too many misses are causes of their own
SELECT databuild.want(ARRAY['c1', 'c2', 'x'], 70, comment => 'odd') > 0;
SELECT count(*) FROM pg_temp.claim(ARRAY['j'], 3);
SELECT databuild.miss(pg_temp.run('c1'), ARRAY['c2']);
SELECT databuild.miss(pg_temp.run('c2'), ARRAY['c1']);
SELECT databuild.cancel_run(pg_temp.run('x'), 'off');
SELECT * FROM pg_temp.why_want('odd');
-- a lease that is over
SET databuild.now = '2040-01-01 00:20:00+00';
SELECT reason, partitions FROM databuild.why_want(pg_temp.want('many')) ORDER BY 1;
-- successful
SELECT databuild.want(ARRAY['n12'], comment => 'there') > 0;
SELECT * FROM pg_temp.why_want('there');
-- no cause that why() of one of its partitions finds is left out
SELECT DISTINCT y.reason FROM databuild.wants w, databuild.want_partitions p, databuild.why(p.ref, 20, 1000) AS y WHERE w.ended_at IS NULL AND p.want_id = w.want_id
	AND y.reason NOT IN ('live', 'waiting_for_upstream', 'upstream_failed') AND y.reason NOT IN (SELECT c.reason FROM databuild.why_want(w.want_id) AS c);
SELECT pg_temp.refused($$SELECT * FROM databuild.why_want(999999)$$);
SELECT pg_temp.refused($$SELECT * FROM databuild.why_want(NULL)$$);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
