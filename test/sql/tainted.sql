-- Data that was found to be wrong would go on being used, or what nobody wants would be made again.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 1);
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.publish(ARRAY['wanted', 'unwanted', 's/wanted', 's/unwanted', 'nojob/1']);
SELECT databuild.want(ARRAY['wanted', 's/wanted', 'missing', 'building'], 3, comment => 'w') > 0;
SELECT pg_temp.claim();
SELECT * FROM pg_temp.states();
SELECT count(*) > 0 FROM pg_temp.told();
-- wanted: made again; not wanted, a source's or nobody's: tainted; what is not live is passed over
SELECT databuild.taint(ARRAY['wanted', 'unwanted', 's/wanted', 's/unwanted', 'nojob/1', 'missing', 'building'], 'wrong units') AS first \gset
SELECT * FROM pg_temp.told();
SELECT * FROM pg_temp.states();
SELECT state, reason, created_at IS NOT NULL FROM databuild.taints;
SELECT ref, run_id = (SELECT live_run_id FROM databuild.partitions p WHERE p.ref = t.ref) FROM databuild.taint_partitions t ORDER BY 1;
SELECT w.ref, r.reason, r.detail FROM databuild.taint_partitions w, databuild.why(ref) AS r ORDER BY 1;
SELECT ref, priority, live_run_id IS NOT NULL FROM databuild.partitions WHERE ref = 'wanted';
SELECT state FROM databuild.wants;
-- again, while nothing of it is live: a taint without partitions, which marks nothing
SELECT databuild.taint(ARRAY['wanted', 'unwanted'], 'again') > :first;
SELECT count(*) FROM databuild.taint_partitions;
-- wanted later, or published, or made: that ends the mark
SELECT databuild.want(ARRAY['unwanted']) > 0;
SELECT databuild.publish(ARRAY['s/unwanted', 's/wanted', 'nojob/1']);
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('wanted'));
SELECT databuild.succeed(pg_temp.run('unwanted'));
SELECT * FROM pg_temp.states();
-- the taint itself stays, of instances that are no more; canceling it changes nothing of what was made since
SELECT state FROM databuild.taints WHERE taint_id = :first;
SELECT databuild.cancel_taint(:first, 'they were right');
SELECT state FROM databuild.taints WHERE taint_id = :first;
SELECT * FROM pg_temp.states();
-- a run that was under way is not stopped; what it makes is no instance that the taint marks
SELECT databuild.succeed(pg_temp.run('building'));
SELECT pg_temp.state('building');
-- what waits for it is not handed out before it is made again
SELECT databuild.want(ARRAY['top']) > 0;
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT databuild.miss(pg_temp.run('top'), ARRAY['unwanted', 'more']);
SELECT databuild.taint(ARRAY['unwanted'], 'bad') > 0;
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('top'));
-- made again without success: failed, and the mark is there still
SELECT databuild.remake(ARRAY['top'], 'bad') > 0;
SELECT pg_temp.claim(n => 10);
SELECT databuild.fail(pg_temp.run('top'), 'x');
SELECT ref, state, run_id = live_run_id FROM databuild.partitions WHERE ref = 'top';
SELECT pg_temp.refused('SELECT databuild.taint(ARRAY[''top'', ''nobody''], ''x'')');
SELECT pg_temp.refused('SELECT databuild.taint(ARRAY[''top''], NULL)');
SELECT pg_temp.refused('SELECT databuild.taint(NULL, ''x'')');
SELECT pg_temp.refused('SELECT databuild.taint(''{}'', ''x'')');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
