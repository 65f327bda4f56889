-- Data that is gone would go on being called live, or data that is in use be called gone.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 2, backoff => '1 h');
SELECT databuild.publish(ARRAY['live', 'tainted', 'second']);
SELECT databuild.want(ARRAY['failed', 'missing', 'building', 'waits', 'blocked', 'retry', 'queued'], comment => 'w') > 0;
SELECT count(*) FROM pg_temp.claim(n => 7);
SELECT databuild.taint(ARRAY['tainted'], 'bad') AS taint \gset
SELECT databuild.fail(pg_temp.run('failed'), 'x', false);
SELECT databuild.fail(pg_temp.run('retry'), 'x');
SELECT databuild.miss(pg_temp.run('waits'), ARRAY['in']);
SELECT databuild.miss(pg_temp.run('blocked'), ARRAY['failed']);
SELECT databuild.miss(pg_temp.run('queued'), ARRAY['live']);
-- refused while it is wanted or being made: all of it
SELECT databuild.publish(ARRAY['wanted']);
SELECT databuild.want(ARRAY['wanted', 'tw'], comment => 'tw') > 0;
SELECT ref, pg_temp.refused(format('SELECT databuild.forget(ARRAY[''live'', %L], ''gone'')', ref)) FROM databuild.partitions WHERE ref NOT IN ('live', 'tainted', 'second', 'missing') ORDER BY ref;
SELECT * FROM pg_temp.states();
SELECT databuild.cancel_run(pg_temp.run('missing'));
SELECT databuild.cancel_want(pg_temp.want('w'));
SELECT * FROM pg_temp.states();
SELECT count(*) > 0 FROM pg_temp.told();
-- from live, tainted and failed to missing; of what was not there it says nothing
SELECT databuild.forget(ARRAY['live', 'tainted', 'failed', 'retry', 'live'], 'disk lost');
SELECT * FROM pg_temp.told();
SELECT ref, state, run_id IS NOT NULL AS run, live_run_id, live_at FROM databuild.partitions WHERE ref IN ('live', 'tainted', 'failed', 'retry') ORDER BY 1;
SELECT reason FROM databuild.why('live');
-- the instances stay, as history
SELECT ref, state FROM databuild.instances WHERE ref IN ('live', 'tainted') ORDER BY 1;
-- repeated
SELECT databuild.forget(ARRAY['live'], 'disk lost');
SELECT * FROM pg_temp.told();
-- a taint on an instance that is gone brings nothing back
SELECT databuild.cancel_taint(:taint);
SELECT pg_temp.state('tainted');
-- one that was not wanted but is being made, still
SELECT pg_temp.refused('SELECT databuild.forget(ARRAY[''building''], ''gone'')');
SELECT databuild.succeed(pg_temp.run('building'));
SELECT databuild.forget(ARRAY['building'], 'gone');
-- wanted again, it is made again; missed, it is made, not taken for there
SELECT databuild.want(ARRAY['live']) > 0;
SELECT pg_temp.claim(n => 2);
SELECT databuild.miss(pg_temp.run('live'), ARRAY['tainted']);
SELECT * FROM pg_temp.states() WHERE ref IN ('live', 'tainted');
-- after its taint, and falling back, it is not tainted: there is nothing
SELECT databuild.forget(ARRAY['second'], 'gone');
SELECT databuild.want(ARRAY['second'], comment => 's') > 0;
SELECT databuild.cancel_want(pg_temp.want('s'));
SELECT pg_temp.state('second');
SELECT pg_temp.refused('SELECT databuild.forget(ARRAY[''live'', ''nobody''], ''x'')');
SELECT pg_temp.refused('SELECT databuild.forget(ARRAY[''live''], NULL)');
SELECT pg_temp.refused('SELECT databuild.forget(NULL, ''x'')');
SELECT pg_temp.refused('SELECT databuild.forget(''{}'', ''x'')');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
