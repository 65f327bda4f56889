-- The urgent would wait for the backfill, or who came first would be served last.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.define_job('k', ARRAY['k/[a-z]+'], config => '{"k": [1, 2]}');
-- greatest priority first, then in the order of becoming claimable
SELECT databuild.want(ARRAY['z', 'y'], -10) > 0;
SELECT databuild.want(ARRAY['m']) > 0;
SELECT databuild.want(ARRAY['a']) > 0;
SELECT databuild.want(ARRAY['k/a'], -100) > 0;
SELECT databuild.want(ARRAY['k/b', 'b'], 100) > 0;
SELECT pg_temp.claim(n => 4);
SELECT pg_temp.claim(n => 2);
SELECT pg_temp.claim(n => 10);
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs));

-- wanted more: it moves up; wanted less: it does not move down
SELECT databuild.want(ARRAY['c', 'd', 'e']) > 0;
SELECT databuild.want(ARRAY['e'], 7) > 0;
SELECT databuild.want(ARRAY['c'], -50) > 0;
SELECT ref, priority FROM databuild.partitions WHERE ref IN ('c', 'd', 'e') ORDER BY 1;
SELECT pg_temp.claim(n => 10);
-- wanted more while a run is under way: known when it comes back to the queue
SELECT databuild.want(ARRAY['d'], 60) > 0;
SELECT databuild.want(ARRAY['f'], 50) > 0;
SELECT databuild.miss(pg_temp.run('d'), ARRAY['a']);
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));

-- what is lacking is as urgent as what lacks it
SELECT databuild.want(ARRAY['top'], 30) > 0;
SELECT pg_temp.claim();
SELECT databuild.want(ARRAY['g'], 20) > 0;
SELECT databuild.want(ARRAY['h'], 10) > 0;
SELECT databuild.miss(pg_temp.run('top'), ARRAY['h', 'i']);
SELECT * FROM pg_temp.wants() WHERE kind = 'derivative';
SELECT c FROM pg_temp.claim(n => 2) AS c ORDER BY c;
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);

-- only runs of these jobs
SELECT databuild.want(ARRAY['k/c', 'k/d', 'l'], 5) > 0;
SELECT job, partitions, config FROM databuild.claim('w', ARRAY['k']);
SELECT pg_temp.claim(ARRAY['k', 'k'], 10);
SELECT pg_temp.claim(ARRAY['k'], 10);
SELECT pg_temp.claim(ARRAY['k', 'j'], 10);

-- what went through a miss is claimable anew, and so comes last among its like
SELECT databuild.want(ARRAY['p', 'q', 'r']) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('p'), ARRAY['a']);
SELECT pg_temp.claim(n => 10);
-- the extremes are allowed
SELECT databuild.want(ARRAY['s'], -100) > 0, databuild.want(ARRAY['t'], 100) > 0;
SELECT detail FROM databuild.why('s');
SELECT pg_temp.claim(n => 1);
SELECT detail FROM databuild.why('s');

-- in a long queue, too, and the greatest priority comes first though it came last
SELECT databuild.define_job('o', ARRAY['o/[0-9]+']);
SELECT count(databuild.want(ARRAY['o/' || i])) FROM generate_series(100, 1, -1) AS i;
SELECT pg_temp.claim(ARRAY['o'], 1);
SELECT pg_temp.claim(ARRAY['o'], 3);
SELECT databuild.want(ARRAY['o/101'], 1) > 0;
SELECT pg_temp.claim(ARRAY['o'], 2);
SELECT string_agg(c, ' ' ORDER BY n) FROM pg_temp.claim(ARRAY['o'], 100) WITH ORDINALITY AS u(c, n);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
-- the order is that of before after a replay
SELECT databuild.want(ARRAY['w', 'v', 'u'], 1) > 0, databuild.want(ARRAY['ua'], 1) > 0, databuild.want(ARRAY['ub'], 2) > 0;
SELECT databuild.replay() > 0;
SELECT pg_temp.claim(n => 10);
SELECT * FROM databuild.verify();
