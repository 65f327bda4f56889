-- A worker's failure would be tried again at once and without end, or never.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
CREATE FUNCTION pg_temp.attempts(OUT ref text, OUT state text, OUT attempts int, OUT retry_at timestamptz) RETURNS SETOF record LANGUAGE sql AS
	'SELECT ref, state, attempts, retry_at FROM databuild.partitions ORDER BY ref';

SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 4, backoff => '10 s');
SELECT databuild.want(ARRAY['a']) > 0;
SELECT pg_temp.claim();
SELECT databuild.fail(pg_temp.run('a'), 'disk full', metadata => '{"disk": 1}');
SELECT * FROM pg_temp.attempts();
SELECT state, reason, detail FROM databuild.why('a');
SELECT pg_temp.claim();
SET databuild.now = '2040-01-01 00:00:09+00';
SELECT pg_temp.claim();
-- claimable at the very moment, a second attempt; why() still says what went wrong, whatever it waits for now
SET databuild.now = '2040-01-01 00:00:10+00';
SELECT state, reason, detail FROM databuild.why('a');
SELECT databuild.pause_job('j');
SELECT state, reason, detail FROM databuild.why('a');
SELECT databuild.resume_job('j');
SELECT partitions, attempt FROM databuild.claim('w');
SELECT databuild.fail(pg_temp.run('a'), 'disk full');
-- the backoff doubles
SELECT * FROM pg_temp.attempts();
SET databuild.now = '2040-01-01 00:00:30+00';
SELECT looked_at FROM databuild.tick();
SELECT partitions, attempt FROM databuild.claim('w');
SELECT databuild.fail(pg_temp.run('a'), 'disk still full');
SELECT * FROM pg_temp.attempts();
SET databuild.now = '2040-01-01 00:01:10+00';
SELECT partitions, attempt FROM databuild.claim('w');
SELECT databuild.fail(pg_temp.run('a'), 'disk burnt');
-- the last one
SELECT * FROM pg_temp.attempts();
SELECT state, reason, detail, hint <> '' FROM databuild.why('a');
SELECT state, reason, metadata, attempt FROM databuild.job_runs ORDER BY run_id;
SELECT ref, state FROM databuild.instances ORDER BY run_id;
SET databuild.now = '2040-01-02 00:00:00+00';
SELECT pg_temp.claim();
-- a new want on it is failed at once and starts nothing
SELECT databuild.want(ARRAY['a'], 5) > 0;
SELECT state FROM databuild.wants ORDER BY want_id;
SELECT pg_temp.claim();
-- published: as new, with all its attempts
SELECT databuild.publish(ARRAY['a']);
SELECT * FROM pg_temp.attempts();

-- not worth another attempt
SELECT databuild.want(ARRAY['b']) > 0;
SELECT pg_temp.claim();
SELECT databuild.fail(pg_temp.run('b'), 'no such file', retry => false);
SELECT * FROM pg_temp.attempts() WHERE ref = 'b';
SELECT state, reason, detail FROM databuild.why('b');

-- an attempt succeeds: what failed before is forgotten
SELECT databuild.want(ARRAY['c']) > 0;
SELECT pg_temp.claim();
SELECT databuild.fail(pg_temp.run('c'), 'once');
SET databuild.now = '2040-01-02 00:00:10+00';
SELECT partitions, attempt FROM databuild.claim('w');
SELECT databuild.succeed(pg_temp.run('c'));
SELECT * FROM pg_temp.attempts() WHERE ref = 'c';

-- a dependency miss is no attempt, and keeps those that there were
SELECT databuild.want(ARRAY['d']) > 0;
SELECT pg_temp.claim();
SELECT databuild.fail(pg_temp.run('d'), 'once');
SET databuild.now = '2040-01-02 00:00:20+00';
SELECT partitions, attempt FROM databuild.claim('w');
SELECT databuild.miss(pg_temp.run('d'), ARRAY['dd']);
SELECT * FROM pg_temp.attempts() WHERE ref = 'd';
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('dd'));
SELECT partitions, attempt FROM databuild.claim('w');
SELECT databuild.fail(pg_temp.run('d'), 'twice');
SELECT * FROM pg_temp.attempts() WHERE ref = 'd';
-- wanted more while it backs off: no sooner for that
SELECT databuild.want(ARRAY['d'], 90) > 0;
SELECT pg_temp.claim();
SET databuild.now = '2040-01-02 00:00:40+00';
SELECT partitions, attempt FROM databuild.claim('w');

-- success without all that it was to make is a failed attempt of the rest
SELECT databuild.define_job('pair', ARRAY['pair/[ab]'], outputs => ARRAY['pair/a', 'pair/b']);
SELECT databuild.want(ARRAY['pair/a', 'pair/b']) > 0;
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('pair/b'), made => ARRAY['pair/a']);
SELECT * FROM pg_temp.attempts() WHERE ref LIKE 'pair/%';
SELECT state, attempt FROM databuild.job_runs WHERE run_id = pg_temp.run('pair/b');
SELECT ref, state FROM databuild.instances WHERE ref LIKE 'pair/%' ORDER BY ref;
SET databuild.now = '2040-01-02 00:00:50+00';
SELECT partitions, attempt FROM databuild.claim('w');
SELECT databuild.succeed(pg_temp.run('pair/b'), made => ARRAY['pair/b']);
SELECT * FROM pg_temp.attempts() WHERE ref LIKE 'pair/%';
-- nothing at all is no success
SELECT databuild.want(ARRAY['e']) > 0;
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('e'), made => '{}');
SELECT * FROM pg_temp.attempts() WHERE ref = 'e';
SELECT databuild.succeed(pg_temp.run('e'), made => ARRAY['e']);

-- the backoff grows to an hour and no further; without one it is claimable at once
SELECT databuild.define_job('long', ARRAY['long/.*'], max_attempts => 10, backoff => '25 min');
SELECT databuild.define_job('none', ARRAY['none/.*'], max_attempts => 3, backoff => '0');
SELECT databuild.want(ARRAY['long/1', 'none/1']) > 0;
SELECT pg_temp.claim(ARRAY['long']);
SELECT databuild.fail(pg_temp.run('long/1'), 'x');
SET databuild.now = '2040-01-02 01:00:00+00';
SELECT pg_temp.claim(ARRAY['long']);
SELECT databuild.fail(pg_temp.run('long/1'), 'x');
SET databuild.now = '2040-01-02 02:00:00+00';
SELECT pg_temp.claim(ARRAY['long']);
SELECT databuild.fail(pg_temp.run('long/1'), 'x');
SET databuild.now = '2040-01-02 03:00:00+00';
SELECT pg_temp.claim(ARRAY['long']);
SELECT databuild.fail(pg_temp.run('long/1'), 'x');
SELECT until - recorded_at FROM (SELECT (body ->> 'retry_at')::timestamptz AS until, recorded_at, event_id FROM databuild.events
	WHERE kind = 'backed_off' AND refs = ARRAY['long/1']) AS e ORDER BY event_id;
SELECT partitions, attempt FROM databuild.claim('w', ARRAY['none']);
SELECT databuild.fail(pg_temp.run('none/1'), 'x');
SELECT partitions, attempt FROM databuild.claim('w', ARRAY['none']);
SELECT databuild.fail(pg_temp.run('none/1'), 'x');
SELECT partitions, attempt FROM databuild.claim('w', ARRAY['none']);
SELECT databuild.fail(pg_temp.run('none/1'), 'x');
SELECT * FROM pg_temp.attempts() WHERE ref = 'none/1';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
-- what backs off goes on backing off after a replay, and is claimable when its time has come
SELECT pg_temp.claim(ARRAY['long']);
SET databuild.now = '2040-01-02 04:00:00+00';
SELECT partitions, attempt FROM databuild.claim('w', ARRAY['long']);
SELECT * FROM databuild.verify();
