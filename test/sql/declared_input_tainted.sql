-- A partition would be made of inputs that are known to be bad, or wait for ever for one that nobody makes again.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
CREATE FUNCTION pg_temp.why(ref text, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT depth, partition, state, reason, regexp_replace(regexp_replace(detail, '(Run|event|run) \d+', '\1 N'), ', since .*', '') FROM databuild.why($1)$$;

SELECT databuild.define_job('in', ARRAY['[ab]/(\d+)|x/.*']);
SELECT databuild.define_job('top', ARRAY['top/(\d+)'], inputs => ARRAY['a/\1', 'b/\1'], backoff => '0');
-- queued, and then an input is tainted: the claim hands out the input instead, in the same call
SELECT databuild.publish(ARRAY['a/1', 'b/1']);
SELECT databuild.want(ARRAY['top/1'], 3) > 0;
SELECT pg_temp.state('top/1');
SELECT databuild.taint(ARRAY['a/1'], 'bad') > 0;
SELECT state, reason, detail, hint FROM databuild.why('top/1');
SELECT pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('a/1'));
SELECT pg_temp.claim(n => 10);
-- while it is being made: the run goes on; if it fails it is not tried again before the input is made
SELECT databuild.taint(ARRAY['b/1'], 'bad') > 0;
SELECT databuild.fail(pg_temp.run('top/1'), 'bad input');
SELECT pg_temp.claim(n => 10);
SELECT ref, state, attempts FROM databuild.partitions ORDER BY 1;
SELECT databuild.succeed(pg_temp.run('b/1'));
SELECT partitions, attempt FROM databuild.claim('w', max_runs => 10);
SELECT databuild.succeed(pg_temp.run('top/1'));
-- what is live stays so
SELECT databuild.taint(ARRAY['a/1'], 'bad') > 0;
SELECT pg_temp.state('top/1');
-- forgotten, likewise
SELECT databuild.publish(ARRAY['a/2', 'b/2']);
SELECT databuild.want(ARRAY['top/2']) > 0;
SELECT databuild.forget(ARRAY['b/2'], 'gone');
SELECT pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/2';
SELECT databuild.succeed(pg_temp.run('b/2'));
SELECT pg_temp.claim(n => 10);
-- a taint that is canceled before anybody claims
SELECT databuild.publish(ARRAY['a/3', 'b/3']);
SELECT databuild.want(ARRAY['top/3']) > 0;
SELECT databuild.taint(ARRAY['a/3'], 'bad') AS t \gset
SELECT databuild.cancel_taint(:t);
SELECT pg_temp.claim(n => 10);
-- or after it was sent back
SELECT databuild.publish(ARRAY['a/4', 'b/4']);
SELECT databuild.want(ARRAY['top/4']) > 0;
SELECT databuild.taint(ARRAY['a/4'], 'bad') AS t \gset
SELECT pg_temp.claim(ARRAY['top'], 10);
SELECT pg_temp.state('top/4');
SELECT databuild.cancel_taint(:t);
SELECT pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/4';
-- while it waits for another: it is made again, too
SELECT databuild.publish(ARRAY['a/5']);
SELECT databuild.want(ARRAY['top/5']) > 0;
SELECT databuild.taint(ARRAY['a/5'], 'bad') > 0;
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('b/5'));
SELECT looked_at >= 0 FROM databuild.tick();
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/5';
SELECT * FROM pg_temp.why('top/5');
-- while it waits for what it missed: likewise
SELECT databuild.publish(ARRAY['a/6', 'b/6']);
SELECT databuild.want(ARRAY['top/6']) > 0;
SELECT pg_temp.claim(n => 10);
SELECT databuild.miss(pg_temp.run('top/6'), ARRAY['x/6']);
SELECT databuild.taint(ARRAY['a/6'], 'bad') > 0;
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('x/6'));
SELECT looked_at >= 0 FROM databuild.tick();
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/6';
SELECT * FROM pg_temp.why('top/6');
-- forgotten while it waits for another
SELECT databuild.publish(ARRAY['a/7']);
SELECT databuild.want(ARRAY['top/7']) > 0;
SELECT databuild.forget(ARRAY['a/7'], 'gone');
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('b/7'));
SELECT looked_at >= 0 FROM databuild.tick();
SELECT count(*) FROM pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/7';
-- the only want on an input goes while others wait for it
SELECT databuild.want(ARRAY['a/8'], comment => 'a8') > 0;
SELECT databuild.want(ARRAY['top/8']) > 0;
SELECT databuild.cancel_want(pg_temp.want('a8'));
SELECT * FROM pg_temp.states() WHERE ref LIKE '%/8';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
