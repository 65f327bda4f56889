-- Two runs would make the same data, or work that is in the way of other work would be lost or never be told.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
DROP FUNCTION pg_temp.states;
CREATE FUNCTION pg_temp.states(OUT ref text, OUT state text, OUT attempts int) RETURNS SETOF record LANGUAGE sql AS
	'SELECT ref, state, attempts FROM databuild.partitions ORDER BY ref';
CREATE FUNCTION pg_temp.why(ref text, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text, OUT hint text) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT depth, partition, state, reason, regexp_replace(detail, '(run|Run|event|has:) \d+(, \d+)?', '\1 N', 'g'), hint FROM databuild.why($1)$$;

-- x/11 makes {x/11, y/1}, x/12 makes {x/12, y/1}: overlapping, and not equal
SELECT databuild.define_job('x', ARRAY['x/(\d)\d', 'y/(\d)'], outputs => ARRAY['\&', 'y/\1'], backoff => '0', max_attempts => 5);
SELECT databuild.want(ARRAY['x/11', 'x/12', 'x/21'], comment => 'some') > 0;
SELECT pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states();
-- why() names the run, and what it makes
SELECT * FROM pg_temp.why('x/12');
SELECT run_id = pg_temp.run('x/11') FROM databuild.why('x/12');
SELECT reason, partitions, example FROM databuild.why_want((SELECT want_id FROM databuild.wants WHERE comment = 'some')) ORDER BY 1;
-- what collides is in nobody's way, and is not handed out again and again
SELECT pg_temp.claim(n => 10);
-- when that run ends, the other goes: y/1 is live, but x/12 cannot be made without it
SELECT databuild.succeed(pg_temp.run('x/11'));
SELECT reason FROM databuild.why('x/12');
SELECT pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states();
SELECT databuild.succeed_many(ARRAY[pg_temp.run('x/12'), pg_temp.run('x/21')]);
SELECT ref, count(*) FROM databuild.instances GROUP BY 1 ORDER BY 1;
SELECT state FROM databuild.wants;
-- nothing is made twice without need: who wants y alone gets what is there
SELECT databuild.want(ARRAY['y/1', 'y/2']) > 0;
SELECT pg_temp.claim(n => 10);
-- y wanted while x makes it: the same run; and when y itself is claimed first, x waits for it
SELECT databuild.want(ARRAY['x/31']) > 0;
SELECT pg_temp.claim(n => 10);
SELECT databuild.want(ARRAY['y/3', 'y/4']) > 0;
SELECT pg_temp.claim(n => 10);
SELECT databuild.want(ARRAY['x/41', 'x/42'], 5) > 0;
SELECT pg_temp.claim(n => 10);
SELECT partition, reason FROM databuild.why('x/41') UNION ALL SELECT partition, reason FROM databuild.why('x/42');
-- why() names the run before a claim has met what collides, too
SELECT databuild.want(ARRAY['x/43']) > 0;
SELECT reason, run_id = pg_temp.run('y/4') FROM databuild.why('x/43');
SELECT databuild.cancel_want(max(want_id)) FROM databuild.wants;
-- each way in which the run in the way can end lets one of them go
SELECT databuild.fail(pg_temp.run('y/4'), 'no');
SELECT pg_temp.claim(n => 10);
SELECT databuild.cancel_run(pg_temp.run('x/41'));
SELECT * FROM pg_temp.states() WHERE ref ~ '4';
SELECT pg_temp.claim(n => 10);
SELECT databuild.retry(ARRAY['x/41', 'y/4']);
SELECT pg_temp.claim(n => 10);
SELECT partition, reason FROM databuild.why('x/41') UNION ALL SELECT partition, reason FROM databuild.why('y/4');
SET databuild.now = '2100-01-01';
SELECT lost_runs FROM databuild.tick();
SELECT * FROM pg_temp.states() WHERE ref ~ '4';
SELECT pg_temp.claim(n => 10);
RESET databuild.now;
-- a miss ends it, too
SELECT databuild.define_job('in', ARRAY['in/.*']);
SELECT databuild.want(ARRAY['x/51', 'x/52']) > 0;
SELECT pg_temp.claim(ARRAY['x'], 10);
SELECT databuild.miss(pg_temp.run('x/51'), ARRAY['in/5']);
SELECT pg_temp.claim(ARRAY['x'], 10);
-- nobody wants what collided any more: it is not left behind
SELECT databuild.want(ARRAY['x/61', 'x/62'], comment => 'sixty') > 0;
SELECT pg_temp.claim(ARRAY['x'], 10);
SELECT databuild.cancel_want((SELECT want_id FROM databuild.wants WHERE comment = 'sixty'));
SELECT * FROM pg_temp.states() WHERE ref ~ '6';
SELECT databuild.succeed(pg_temp.run('x/61'));
SELECT pg_temp.claim(ARRAY['x'], 10);
SELECT * FROM pg_temp.states() WHERE ref ~ '6';
-- a job that is defined anew, and makes nothing along any more, is in nobody's way, though its run goes on
SELECT databuild.define_job('along', ARRAY['al/.*'], outputs => ARRAY['al/shared']);
SELECT databuild.want(ARRAY['al/1', 'al/2']) > 0;
SELECT pg_temp.claim(ARRAY['along'], 2);
SELECT databuild.define_job('along', ARRAY['al/.*']);
SELECT reason FROM databuild.why('al/2');
SELECT pg_temp.claim(ARRAY['along'], 2);
-- many on one output: one at a time, all come through, in order
SELECT databuild.want(ARRAY(SELECT 'x/7' || i FROM generate_series(0, 9) AS i)) > 0;
DO $$
DECLARE
	n int;
BEGIN
	FOR i IN 1 .. 11 LOOP
		SELECT count(*) INTO n FROM databuild.claim('w', ARRAY['x'], 10);
		RAISE WARNING '%', n;
		PERFORM databuild.succeed(run_id) FROM databuild.job_runs WHERE state = 'running' AND 'y/7' = ANY (partitions);
	END LOOP;
END $$;
SELECT count(*) FROM databuild.partitions WHERE ref LIKE 'x/7%' AND state = 'live';
SELECT ref, count(*) FROM databuild.instances WHERE ref LIKE '_/7%' GROUP BY 1 HAVING count(*) > 1 ORDER BY 1;
-- what had its turn and collided is not passed over by what is wanted later, again and again
SELECT databuild.want(ARRAY['x/80', 'x/81', 'x/82']) > 0;
DO $$
DECLARE
	made text;
BEGIN
	FOR i IN 3 .. 6 LOOP
		SELECT partitions[1] INTO made FROM databuild.claim('w', ARRAY['x']);
		-- who meets the others now finds that they collide
		PERFORM databuild.claim('w', ARRAY['x'], 10);
		PERFORM databuild.want(ARRAY['x/8' || i]);
		RAISE WARNING '%', made;
		PERFORM databuild.succeed(run_id) FROM databuild.job_runs WHERE state = 'running' AND 'y/8' = ANY (partitions);
	END LOOP;
END $$;
-- what is more urgent goes first
SELECT pg_temp.claim(ARRAY['x'], 10);
SELECT databuild.want(ARRAY['x/88'], 5) > 0;
SELECT databuild.succeed(pg_temp.run('y/8'));
SELECT pg_temp.claim(ARRAY['x']);
SELECT databuild.succeed(pg_temp.run('y/8'));
SELECT pg_temp.claim(ARRAY['x']);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
