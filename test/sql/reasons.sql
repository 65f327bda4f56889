-- Someone would ask why a partition is not there and get no answer, a wrong one, or one that leads nowhere.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_job('j', ARRAY['[a-z]+'], backoff => '1 min', lease => '5 min');
SELECT databuild.define_source('src', ARRAY['src/.*']);
SELECT databuild.want(ARRAY['live', 'building', 'failed', 'backing', 'top', 'cycle', 'gone', 'src/1', 'src/2']) > 0;
SELECT count(*) FROM databuild.claim('worker-7', max_runs => 20);
SELECT databuild.succeed(pg_temp.run('live'));
SELECT databuild.fail(pg_temp.run('failed'), 'out of memory', retry => false);
SELECT databuild.fail(pg_temp.run('backing'), 'timeout');
SELECT databuild.miss(pg_temp.run('cycle'), ARRAY['cycle']);
SELECT databuild.miss(pg_temp.run('top'), ARRAY['live', 'building', 'failed', 'blocked', 'ext/1', 'src/1', 'waits', 'queue', 'cycle']);
SELECT pg_temp.claim(n => 2);
SELECT databuild.miss(pg_temp.run('blocked'), ARRAY['cycle', 'failed']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('waits'), ARRAY['building', 'src/2']);
SELECT databuild.miss(pg_temp.run('gone'), ARRAY['unwanted']);
SELECT databuild.publish(ARRAY['gone', 'src/3']);
-- exactly one row of depth 0, about the ref asked, for each known ref and an unknown one
SELECT p.ref, count(*), min(w.partition) = p.ref AND max(w.partition) = p.ref AS asked
	FROM databuild.partitions p, databuild.why(p.ref) AS w WHERE w.depth = 0 GROUP BY p.ref HAVING count(*) <> 1 ORDER BY 1;
SELECT ref, w.state, reason, regexp_replace(regexp_replace(detail, 'Run \d+', 'Run N'), 'event \d+', 'event N') AS detail, regexp_replace(hint, 'run \d+', 'run N') AS hint, since
	FROM (SELECT ref FROM databuild.partitions UNION ALL VALUES ('nobody'), ('x/y')) AS p, databuild.why(p.ref) AS w WHERE depth = 0 ORDER BY ref COLLATE "C";
-- the run is named where there is one
SELECT ref, reason, w.run_id = pg_temp.run(ref) FROM databuild.partitions, databuild.why(ref) AS w WHERE depth = 0 AND w.run_id IS NOT NULL ORDER BY 1;
-- every chain ends in a reason that is not about another partition
SELECT ref, w.reason FROM databuild.partitions, LATERAL (SELECT reason, depth, lead(depth) OVER () AS next FROM databuild.why(ref)) AS w
	WHERE w.reason IN ('upstream_failed', 'waiting_for_upstream') AND (next IS NULL OR next <= w.depth) ORDER BY 1;
-- the tree: failed ones first, then by ref
SELECT depth, partition, reason FROM databuild.why('top');
SELECT depth, partition, reason FROM databuild.why('top', max_depth => 0);
SELECT depth, partition, reason FROM databuild.why('top', max_depth => 1, max_children => 3);
SELECT depth, partition, reason FROM databuild.why('waits');
-- the same to read
SELECT regexp_replace(explain, '(Run|event) \d+', '\1 N') FROM databuild.explain('top');
SELECT * FROM databuild.explain('nobody');
SELECT count(*) FROM databuild.explain('live');

-- later
SET databuild.now = '2040-01-01 00:05:30+00';
SELECT ref, w.state, reason FROM databuild.partitions p, databuild.why(ref) AS w WHERE depth = 0 AND ref IN ('building', 'backing', 'live') ORDER BY 1;
SELECT databuild.publish(ARRAY['src/2']);
SELECT depth, partition, reason FROM databuild.why('waits');

-- two jobs would make it
SELECT databuild.define_job('k', ARRAY['k/.*']);
SELECT databuild.define_job('l', ARRAY['k/1', 'l/.*']);
SELECT depth, partition, state, reason, detail, hint, run_id, since FROM databuild.why('k/1');
SELECT * FROM databuild.explain('k/1');
SELECT * FROM databuild.plan(ARRAY['k/1', 'k/2']);
SELECT pg_temp.refused('SELECT databuild.want(ARRAY[$$k/2$$, $$k/1$$])');
SELECT pg_temp.refused('SELECT databuild.publish(ARRAY[$$k/1$$])');
SELECT pg_temp.refused(format('SELECT databuild.miss(%s, ARRAY[$$k/1$$])', pg_temp.run('building')));

SELECT pg_temp.refused('SELECT * FROM databuild.why(NULL)');
SELECT pg_temp.refused('SELECT * FROM databuild.why($$a$$, NULL)');
SELECT pg_temp.refused('SELECT * FROM databuild.why($$a$$, 1, NULL)');
SELECT pg_temp.refused('SELECT * FROM databuild.why($$a$$, -1)');
SELECT pg_temp.refused('SELECT * FROM databuild.why($$a$$, 1, -1)');
SELECT pg_temp.refused('SELECT * FROM databuild.explain(NULL)');

-- a time is told as the session sees it
SET timezone = 'Asia/Kolkata';
SELECT detail FROM databuild.why('building');
SET timezone = 'UTC';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
