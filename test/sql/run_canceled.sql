-- A run that was called off would go on for its worker as if nothing were, or its work be tried again at once.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 2, backoff => '0');
SELECT databuild.want(ARRAY['a', 'b', 'c'], comment => 'abc') > 0;
SELECT pg_temp.claim(n => 3);
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.cancel_run(pg_temp.run('a'), 'wrong input');
SELECT * FROM pg_temp.told();
SELECT ref, state, attempts, retry_at FROM databuild.partitions ORDER BY 1;
SELECT state, reason, finished_at IS NOT NULL, lease_expires_at FROM databuild.job_runs WHERE run_id = pg_temp.run('a');
SELECT state FROM databuild.instances WHERE ref = 'a';
SELECT reason, detail, hint FROM databuild.why('a');
SELECT state FROM databuild.wants;
SELECT pg_temp.claim(n => 10);
-- repeated: nothing; the worker's reports are refused, a heartbeat tells it
SELECT databuild.cancel_run(pg_temp.run('a'), 'once more');
SELECT * FROM pg_temp.told();
SELECT state, lease_expires_at FROM databuild.heartbeat(ARRAY[pg_temp.run('a')]);
SELECT pg_temp.refused(format('SELECT databuild.succeed(%s)', pg_temp.run('a')));
SELECT pg_temp.refused(format('SELECT databuild.fail(%s, ''x'')', pg_temp.run('a')));
SELECT pg_temp.refused(format('SELECT databuild.miss(%s, ARRAY[''x''])', pg_temp.run('a')));
SELECT pg_temp.refused(format('SELECT databuild.succeed_many(ARRAY[%s, %s])', pg_temp.run('b'), pg_temp.run('a')));
SELECT pg_temp.state('b');
-- back to work by retry(), without a reason given
SELECT databuild.retry(ARRAY['a']);
SELECT partitions, attempt FROM databuild.claim('w');
SELECT databuild.cancel_run(pg_temp.run('a'));
SELECT detail FROM databuild.why('a');
-- or by publish()
SELECT databuild.publish(ARRAY['a']);
-- what waits for it
SELECT databuild.miss(pg_temp.run('b'), ARRAY['in']);
SELECT pg_temp.claim();
SELECT databuild.cancel_run(pg_temp.run('in'), 'off');
SELECT * FROM pg_temp.states();
SELECT databuild.retry(ARRAY['in']);
SELECT * FROM pg_temp.states();
-- nobody wants it any more: it falls back
SELECT databuild.cancel_want(pg_temp.want('abc'));
SELECT * FROM pg_temp.states();
SELECT databuild.cancel_run(pg_temp.run('c'));
SELECT * FROM pg_temp.states();
-- one that was live and tainted: failed if wanted, else tainted again
SELECT databuild.remake(ARRAY['a'], 'bad') > 0;
SELECT pg_temp.claim();
SELECT databuild.cancel_run(pg_temp.run('a'), 'off');
SELECT pg_temp.state('a');
SELECT databuild.publish(ARRAY['e']);
SELECT databuild.taint(ARRAY['e'], 'bad') > 0;
SELECT databuild.want(ARRAY['e'], comment => 'e') > 0;
SELECT pg_temp.claim();
SELECT databuild.cancel_want(pg_temp.want('e'));
SELECT databuild.cancel_run(pg_temp.run('e'), 'off');
SELECT pg_temp.state('e');
-- its taint was canceled meanwhile: it has its instance still
SELECT databuild.want(ARRAY['f'], comment => 'f') > 0;
SELECT databuild.publish(ARRAY['f']);
SELECT databuild.taint(ARRAY['f'], 'bad') AS taint \gset
SELECT pg_temp.claim();
SELECT databuild.cancel_taint(:taint);
SELECT pg_temp.state('f');
SELECT databuild.cancel_run(pg_temp.run('f'));
SELECT ref, state, attempts, run_id = live_run_id FROM databuild.partitions WHERE ref = 'f';
SELECT state FROM databuild.instances WHERE ref = 'f' ORDER BY run_id;
-- what ended otherwise
SELECT databuild.want(ARRAY['g', 'h', 'k', 'l']) > 0;
SELECT pg_temp.claim(n => 4);
SELECT databuild.succeed(pg_temp.run('g'));
SELECT databuild.fail(pg_temp.run('h'), 'x', false);
SELECT databuild.miss(pg_temp.run('k'), ARRAY['m']);
SELECT pg_temp.refused(format('SELECT databuild.cancel_run(%s)', pg_temp.run(r))) FROM unnest(ARRAY['g', 'h', 'k']) AS r;
SET databuild.now = '2040-01-01';
SELECT lost_runs FROM databuild.tick();
SELECT pg_temp.refused(format('SELECT databuild.cancel_run(%s)', pg_temp.run('l')));
SELECT pg_temp.refused('SELECT databuild.cancel_run(999999)');
SELECT pg_temp.refused('SELECT databuild.cancel_run(NULL)');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
