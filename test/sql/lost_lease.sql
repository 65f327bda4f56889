-- Work would be stuck for ever with a worker that died, or be done twice by one that came back.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_job('j', ARRAY['[a-z]+'], lease => '5 min', max_attempts => 2);
SELECT databuild.want(ARRAY['a', 'b', 'c', 'd']) > 0;
-- the job's lease; or the one that the claim asks for
SELECT partitions, lease_expires_at FROM databuild.claim('w', max_runs => 2);
SELECT partitions, lease_expires_at FROM databuild.claim('w', max_runs => 2, lease => '1 hour');
SELECT state, reason FROM databuild.why('a');

-- a heartbeat keeps it: by its own lease from now on, or by another, which then stays
SET databuild.now = '2040-01-01 00:04:00+00';
SELECT run_id = pg_temp.run('b'), state, lease_expires_at FROM databuild.heartbeat(ARRAY[pg_temp.run('b')]);
SELECT run_id = pg_temp.run('d'), state, lease_expires_at FROM databuild.heartbeat(ARRAY[pg_temp.run('d')], '90 min');
SELECT state, lease_expires_at FROM databuild.heartbeat(ARRAY[pg_temp.run('d')]);
SELECT partitions, lease_expires_at FROM databuild.job_runs ORDER BY run_id;
-- leases are promises, not events
SELECT count(*) FROM databuild.events WHERE recorded_at > '2040-01-01 00:00:00+00';

-- at the end of the lease nobody has noticed yet
SET databuild.now = '2040-01-01 00:06:00+00';
SELECT state, reason, detail ~ 'ended at 2040-01-01 00:05:00[+]00', hint <> '' FROM databuild.why('a');
SELECT state, reason FROM databuild.why('b');
SELECT lost_runs, expired_wants, cycles FROM databuild.tick();
SELECT lost_runs, expired_wants, cycles FROM databuild.tick();
SELECT * FROM pg_temp.states();
SELECT partitions, state, finished_at, reason FROM databuild.job_runs ORDER BY run_id;
SELECT ref, state, at FROM databuild.instances ORDER BY 1;
SELECT ref, attempts, retry_at FROM databuild.partitions ORDER BY 1;
-- the late reports are refused, each of them; the heartbeat says that it is over
SELECT state, lease_expires_at FROM databuild.heartbeat(ARRAY[pg_temp.run('a')]);
SELECT pg_temp.refused(format('SELECT databuild.succeed(%s)', pg_temp.run('a')));
SELECT pg_temp.refused(format('SELECT databuild.succeed_many(ARRAY[%s, %s])', pg_temp.run('b'), pg_temp.run('a')));
SELECT pg_temp.refused(format('SELECT databuild.fail(%s, %L)', pg_temp.run('a'), 'late'));
SELECT pg_temp.refused(format('SELECT databuild.miss(%s, ARRAY[%L])', pg_temp.run('a'), 'x'));
SELECT * FROM pg_temp.states();
DO $$
DECLARE
	detail text;
BEGIN
	PERFORM databuild.succeed((SELECT run_id FROM databuild.job_runs WHERE state = 'lost'));
EXCEPTION WHEN object_not_in_prerequisite_state THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RAISE WARNING '%', detail;
END $$;

-- a second worker takes it over; a claim notices, too, that a lease has ended
SET databuild.now = '2040-01-01 00:06:10+00';
SELECT partitions, attempt FROM databuild.claim('w2', max_runs => 10);
SET databuild.now = '2040-01-01 00:09:30+00';
SELECT pg_temp.claim();
SELECT partitions, state FROM databuild.job_runs ORDER BY run_id;
-- lost once more: no attempts left
SET databuild.now = '2040-01-01 00:30:00+00';
SELECT pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states();
SELECT state, reason, detail FROM databuild.why('a');

-- what comes after the lease's end but before anybody marked the run lost, is accepted
SELECT databuild.want(ARRAY['e', 'f', 'g', 'h']) > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 10, lease => '1 min');
SET databuild.now = '2040-01-01 01:30:00+00';
SELECT databuild.succeed(pg_temp.run('e'));
SELECT state, lease_expires_at FROM databuild.heartbeat(ARRAY[pg_temp.run('f')]);
SELECT databuild.fail(pg_temp.run('g'), 'slow');
SELECT databuild.miss(pg_temp.run('h'), ARRAY['e', 'i']);
SELECT * FROM pg_temp.states() WHERE ref >= 'e';
SELECT lost_runs FROM databuild.tick();
SELECT * FROM pg_temp.states() WHERE ref >= 'e';
-- a heartbeat may make it shorter; both ends in one call are one end
SELECT databuild.want(ARRAY['k']) > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 10, lease => '10 min');
SELECT state FROM databuild.heartbeat(ARRAY[pg_temp.run('k')], '1 min');
SET databuild.now = '2040-01-01 02:00:00+00';
SELECT lost_runs FROM databuild.tick();
SELECT ref, state, attempts FROM databuild.partitions WHERE ref = 'k';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
-- a replay leaves the leases of what runs
SELECT partitions, lease_expires_at FROM databuild.job_runs WHERE state = 'running' ORDER BY 1;
SET databuild.now = '2040-01-01 01:31:30+00';
SELECT lost_runs FROM databuild.tick();
SELECT * FROM databuild.verify();
