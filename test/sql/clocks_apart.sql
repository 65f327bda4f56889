-- The clock of whoever puts a partition that backed off into the queue again is ahead of that of whoever changes its
-- priority after that: it is claimable all the same.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SET databuild.now = '2030-01-01 00:00:00+00';
SELECT databuild.define_job('j', ARRAY['[a-z]+'], backoff => '1 h');
SELECT databuild.want(ARRAY['a']) > 0;
SELECT pg_temp.claim();
SELECT databuild.fail(pg_temp.run('a'), 'once');
SET databuild.now = '2030-01-01 02:00:00+00';
SELECT lost_runs FROM databuild.tick();
SET databuild.now = '2030-01-01 00:30:00+00';
SELECT databuild.want(ARRAY['a'], priority => 5) > 0;
SELECT * FROM databuild.check_invariants();
SELECT pg_temp.claim();
SET databuild.now = '2030-01-01 02:00:00+00';
SELECT pg_temp.claim(n => 10);
-- nor does the timer that is left over do harm
SELECT lost_runs FROM databuild.tick();
SELECT pg_temp.claim(n => 10);
SELECT databuild.succeed(pg_temp.run('a'));
SELECT * FROM pg_temp.states();
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();
