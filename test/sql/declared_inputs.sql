-- A partition would be handed out before what its job says that it needs is there, or never.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
CREATE FUNCTION pg_temp.why(ref text, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT depth, partition, state, reason, regexp_replace(regexp_replace(detail, '(Run|event|run) \d+', '\1 N'), ', since .*', '') FROM databuild.why($1)$$;

SELECT databuild.define_job('raw', ARRAY['raw/(\d+)/(\w+)']);
SELECT databuild.define_job('day', ARRAY['day/(\d+)/(\w+)', 'tag/(\d+)/(\w+)'], inputs => ARRAY['raw/\1/\2', 'raw/\1/all']);
SELECT databuild.define_job('top', ARRAY['top/(\d+)'], inputs => ARRAY['day/\1/a', 'day/\1/b', 'day/\1/a']);
SELECT databuild.define_job('same', ARRAY['same(/?)(x*)'], inputs => ARRAY['of:\&', 'g\1\2\\']);
SELECT databuild.define_job('other', ARRAY['of:.*|g.*']);
SELECT label, inputs FROM databuild.jobs ORDER BY 1;
-- no run is spent on finding out: inputs first, of inputs too, in the order of becoming claimable
SELECT databuild.want(ARRAY['top/1'], 4, comment => 'w') > 0;
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
SELECT ref, upstream, run_id FROM databuild.dependencies ORDER BY 1, 2;
SELECT * FROM pg_temp.told();
SELECT refs, body -> 'inputs', body -> 'counts' FROM databuild.events WHERE kind = 'declared' ORDER BY event_id;
SELECT * FROM pg_temp.why('top/1');
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('raw/1/a'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('raw/1/all'));
SELECT * FROM pg_temp.states();
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('raw/1/b'));
SELECT databuild.succeed(pg_temp.run('day/1/a'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('day/1/b'));
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('top/1'));
-- one run each, and every want is over or successful
SELECT job, count(*), count(DISTINCT partitions) FROM databuild.job_runs GROUP BY 1 ORDER BY 1;
SELECT kind, state, count(*) FROM pg_temp.wants() GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) FROM databuild.dependencies;
-- the second pattern's groups; all inputs live already: queued at once, no derivative want
SELECT databuild.want(ARRAY['tag/1/a']) > 0;
SELECT pg_temp.state('tag/1/a');
SELECT databuild.want(ARRAY['tag/1/c']) > 0;
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/c';
SELECT * FROM pg_temp.wants() WHERE kind = 'derivative' AND state NOT IN ('successful');
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT pg_temp.claim(n => 10);
-- the whole ref, a backslash, a group that took no part
SELECT databuild.want(ARRAY['same', 'same/xx']) > 0;
SELECT ref, upstream FROM databuild.dependencies ORDER BY 1, 2;
SELECT databuild.publish(ARRAY['of:same', E'g\\', 'of:same/xx', E'g/xx\\']);
SELECT * FROM pg_temp.states() WHERE ref LIKE 'same%';
-- an input fails: blocked, and recovers
SELECT databuild.want(ARRAY['day/2/x'], 9) > 0;
SELECT pg_temp.claim(n => 2);
SELECT databuild.fail(pg_temp.run('raw/2/x'), 'x', false);
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/2/%';
SELECT * FROM pg_temp.why('day/2/x');
SELECT databuild.succeed(pg_temp.run('raw/2/all'));
SELECT databuild.want(ARRAY['day/2/x', 'top/2']) > 0;
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/2%';
SELECT databuild.retry(ARRAY['raw/2/x']);
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/2%';
-- what waits and is retried, published or canceled
SELECT databuild.retry(ARRAY['day/2/x']);
SELECT databuild.publish(ARRAY['day/2/a']);
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/2%';
SELECT databuild.want(ARRAY['day/3/x'], comment => 'three') > 0;
SELECT databuild.cancel_want(pg_temp.want('three'));
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/3/%';
-- shared by two that wait; the one goes, the other has it still
SELECT databuild.want(ARRAY['day/4/x'], comment => 'x') > 0, databuild.want(ARRAY['day/4/y'], comment => 'y') > 0;
SELECT databuild.cancel_want(pg_temp.want('x'));
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/4/%';
-- by remake() and by taint(): an input that is not live now is waited for
SELECT databuild.remake(ARRAY['top/1', 'day/1/a'], 'new code') > 0;
SELECT * FROM pg_temp.states() WHERE ref IN ('top/1', 'day/1/a', 'raw/1/a');
SELECT databuild.taint(ARRAY['raw/1/a'], 'bad') > 0;
SELECT * FROM pg_temp.states() WHERE ref IN ('top/1', 'day/1/a', 'raw/1/a');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
