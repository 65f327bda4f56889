-- A paused job would be handed out, or stay paused after it was resumed.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['j/.*']);
SELECT databuild.define_job('k', ARRAY['k/.*']);
SELECT databuild.want(ARRAY['j/1', 'j/2', 'k/1'], 1) > 0;
SELECT pg_temp.claim(ARRAY['j']);
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.pause_job('j');
SELECT label, paused FROM databuild.jobs ORDER BY 1;
SELECT kind, job, body -> 'definition' -> 'paused' FROM databuild.events ORDER BY event_id DESC LIMIT 1;
SELECT state, reason, detail, hint FROM databuild.why('j/2');
SELECT pg_temp.claim(n => 10);
SELECT pg_temp.claim(ARRAY['j'], 10);
-- its running runs go on; what is new waits
SELECT databuild.succeed(pg_temp.run('j/1'));
SELECT databuild.want(ARRAY['j/3'], 2) > 0;
SELECT pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states();
SELECT state FROM databuild.wants ORDER BY want_id;
-- repeated: nothing
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.pause_job('j');
SELECT * FROM pg_temp.told();
-- a definition leaves it paused, whether it changes something or not
SELECT databuild.define_job('j', ARRAY['j/.*']);
SELECT * FROM pg_temp.told();
SELECT databuild.define_job('j', ARRAY['j/.*'], config => '1');
SELECT paused FROM databuild.jobs WHERE label = 'j';
SELECT pg_temp.claim(n => 10);
-- so does a replay
SELECT databuild.replay() > 0;
SELECT paused FROM databuild.jobs WHERE label = 'j';
SELECT pg_temp.claim(n => 10);
SELECT count(*) > 0 FROM pg_temp.told();
SELECT databuild.resume_job('j');
SELECT databuild.resume_job('j');
SELECT * FROM pg_temp.told();
SELECT label, paused FROM databuild.jobs ORDER BY 1;
SELECT reason FROM databuild.why('j/2');
SELECT pg_temp.claim(n => 10);
-- a paused job that fails goes on backing off; its attempt ends as any
SELECT databuild.pause_job('j');
SELECT databuild.fail(pg_temp.run('j/2'), 'x');
SET databuild.now = '2040-01-01';
SELECT databuild.heartbeat(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running')) IS NOT NULL;
SELECT pg_temp.claim(n => 10);
SELECT reason FROM databuild.why('j/2');
SELECT databuild.resume_job('j');
SELECT pg_temp.claim(n => 10);
-- dropped while paused, defined again: it is not paused
SELECT databuild.pause_job('k');
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT databuild.drop_job('k');
SELECT databuild.define_job('k', ARRAY['k/.*']);
SELECT label, paused FROM databuild.jobs ORDER BY 1;
-- a transaction that is rolled back
BEGIN;
SELECT databuild.pause_job('j');
ROLLBACK;
SELECT databuild.want(ARRAY['j/4']) > 0;
SELECT pg_temp.claim(n => 10);
-- a source can be paused as well; nobody claims of it anyway
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.pause_job('s');
SELECT databuild.want(ARRAY['s/1']) > 0;
SELECT reason FROM databuild.why('s/1');
SELECT databuild.publish(ARRAY['s/1']);
SELECT pg_temp.state('s/1');
SELECT pg_temp.refused($$SELECT databuild.pause_job('nix')$$);
SELECT pg_temp.refused($$SELECT databuild.resume_job('nix')$$);
SELECT pg_temp.refused($$SELECT databuild.pause_job(NULL)$$);
SELECT pg_temp.refused($$SELECT databuild.resume_job(NULL)$$);

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
