-- A job that is defined anew would leave behind what was queued under the old definition, or take a run away from its worker.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
CREATE FUNCTION pg_temp.jobs(OUT ref text, OUT state text, OUT job text) RETURNS SETOF record LANGUAGE sql AS
	'SELECT ref, state, job FROM databuild.partitions ORDER BY ref';

SELECT databuild.define_job('j', ARRAY['[a-z]+'], config => '1', max_attempts => 3, backoff => '0', lease => '1 min');
SELECT label, patterns, config, max_attempts, max_misses, backoff, lease, paused, is_source FROM databuild.jobs ORDER BY 1;
-- a definition that changes nothing logs nothing
SELECT count(*) AS told FROM databuild.events \gset
SELECT databuild.define_job('j', ARRAY['[a-z]+'], config => '1', max_attempts => 3, backoff => '0', lease => '60 s');
SELECT count(*) - :told FROM databuild.events;
-- one that changes something does, and defaults count as said
SELECT databuild.define_job('j', ARRAY['[a-z]+'], config => '1', backoff => '0');
SELECT label, patterns, config, max_attempts, max_misses, backoff, lease, paused, is_source FROM databuild.jobs ORDER BY 1;
SELECT kind, job, body -> 'definition' -> 'config' FROM databuild.events ORDER BY event_id;

SELECT databuild.want(ARRAY['a', 'b', 'c', 'd', 'e']) > 0;
SELECT pg_temp.claim(n => 2);
SELECT databuild.miss(pg_temp.run('a'), ARRAY['x']);
SELECT databuild.publish(ARRAY['e']);
-- what is queued, waits or is live goes to the new job; what runs keeps its job
SELECT databuild.define_job('j', ARRAY['[xyz]'], config => '2');
SELECT * FROM pg_temp.jobs();
SELECT ref, reason FROM databuild.partitions p, databuild.why(p.ref) AS w WHERE w.depth = 0 ORDER BY 1;
SELECT * FROM pg_temp.wants();
SELECT databuild.define_job('k', ARRAY['[a-e]'], config => '3', backoff => '0');
SELECT * FROM pg_temp.jobs();
SELECT job, partitions, config FROM databuild.claim('w', max_runs => 10);
-- the run that was under way ends as if nothing had been
SELECT job, partitions, state FROM databuild.job_runs WHERE state = 'running' ORDER BY run_id;
SELECT databuild.succeed(pg_temp.run('b'));
SELECT * FROM pg_temp.states();
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT * FROM pg_temp.wants();

-- a ref that two jobs match: the definition is refused, if it is known
SELECT pg_temp.refused($$SELECT databuild.define_job('l', ARRAY['[c-z]'])$$);
SELECT label FROM databuild.jobs ORDER BY 1;
-- or, if it is not, whoever names it
SELECT databuild.define_job('l', ARRAY['[a-m]?q+']);
SELECT databuild.define_job('m', ARRAY['q+']);
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['aq', 'qq'])$$);
SELECT pg_temp.refused($$SELECT databuild.publish(ARRAY['qq'])$$);
SELECT databuild.want(ARRAY['aq']) > 0;
SELECT pg_temp.claim();
SELECT pg_temp.refused(format($$SELECT databuild.miss(%s, ARRAY['qq'])$$, pg_temp.run('aq')));
SELECT * FROM pg_temp.states() WHERE ref ~ 'q';
-- two patterns of one job are no two jobs
SELECT databuild.define_job('n', ARRAY['n+', 'n{2}']);
SELECT databuild.want(ARRAY['nn']) > 0;
-- a job is no source and no source a job
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT pg_temp.refused($$SELECT databuild.define_job('s', ARRAY['s/.*'])$$);
SELECT pg_temp.refused($$SELECT databuild.define_source('n', ARRAY['n+'])$$);
-- a job defined in a transaction that is rolled back is not there
BEGIN;
SELECT databuild.define_job('o', ARRAY['o+']);
SELECT databuild.want(ARRAY['oo']) > 0;
ROLLBACK;
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['oo'])$$);
SELECT databuild.define_job('o', ARRAY['o+']);
SELECT databuild.want(ARRAY['oo']) > 0;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
