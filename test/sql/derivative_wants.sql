-- Inputs would go on being built though what needed them is there already, or be dropped though someone else wants them.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 1);
SELECT databuild.want(ARRAY['top', 'other']) > 0;
SELECT pg_temp.claim(n => 2);
SELECT databuild.miss(pg_temp.run('top'), ARRAY['mid', 'asked', 'common']);
SELECT databuild.miss(pg_temp.run('other'), ARRAY['common']);
SELECT databuild.want(ARRAY['asked'], -20) > 0;
SELECT databuild.publish(ARRAY['done']);
SELECT c FROM pg_temp.claim(n => 3) AS c ORDER BY c;
SELECT databuild.miss(pg_temp.run('mid'), ARRAY['running', 'waiting', 'broken', 'done']);
SELECT databuild.succeed(pg_temp.run('common'));
SELECT c FROM pg_temp.claim(n => 10) AS c ORDER BY c;
SELECT databuild.fail(pg_temp.run('broken'), 'x');
SELECT databuild.miss(pg_temp.run('waiting'), ARRAY['root']);
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();

-- what it was made for waits no more: published instead
SELECT databuild.publish(ARRAY['top']);
SELECT * FROM pg_temp.wants() WHERE kind = 'asked';
SELECT count(*) FROM databuild.wants WHERE run_id IS NOT NULL AND ended_at IS NULL;
-- what nobody else wants falls back, all the way up; failed stays as a record; a run that is under way goes on
SELECT * FROM pg_temp.states();
SELECT ref, state, priority FROM databuild.partitions WHERE ref IN ('asked', 'running', 'broken') ORDER BY 1;
SELECT pg_temp.claim(n => 10);

-- that run succeeds: fine; it fails, and nobody wants its output: that falls back and is not tried again
SELECT databuild.want(ARRAY['again']) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('again'), ARRAY['slow']);
SELECT pg_temp.claim();
SELECT databuild.publish(ARRAY['again']);
SELECT databuild.fail(pg_temp.run('slow'), 'x', retry => false);
SELECT * FROM pg_temp.states() WHERE ref = 'slow';
SELECT databuild.succeed(pg_temp.run('running'));
SELECT databuild.fail(pg_temp.run('asked'), 'x');
SELECT * FROM pg_temp.states() WHERE ref IN ('running', 'asked');
SELECT state, reason FROM databuild.why('slow');
-- wanted once more, they are made
SELECT databuild.want(ARRAY['slow', 'mid']) > 0;
SELECT partitions FROM databuild.claim('w', max_runs => 10) ORDER BY 1;

-- a miss while nobody wants the output any more: it falls back and wants nothing
SELECT databuild.want(ARRAY['third']) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('third'), ARRAY['orphan']);
SELECT pg_temp.claim();
SELECT databuild.publish(ARRAY['third']);
SELECT databuild.miss(pg_temp.run('orphan'), ARRAY['lonely']);
SELECT * FROM pg_temp.states() WHERE ref IN ('orphan', 'lonely');
SELECT * FROM pg_temp.wants() WHERE refs = 'lonely';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
