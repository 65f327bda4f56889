-- Refs that share an entry of the ready set could be lost with it, handed out twice, or out of turn.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
SELECT databuild.define_job('e', ARRAY['e/.*'], backoff => '0 s');
SELECT databuild.want(ARRAY(SELECT 'e/' || to_char(g, 'FM000') FROM generate_series(1, 200) AS g), comment => 'all') IS NOT NULL AS wanted;
SELECT count(*) BETWEEN 4 AND 5 AS entries, sum(bit_count(mask::bit(64))) AS refs FROM databuild.ready;
-- in order, one at a time or more, across entries
SELECT * FROM pg_temp.claim();
SELECT * FROM pg_temp.claim();
SELECT count(*), min(r), max(r) FROM pg_temp.claim(NULL, 70) AS r;
-- the numbers of a new extension begin anew: nothing is known of its entries
DROP EXTENSION databuild;
CREATE EXTENSION databuild;
SELECT databuild.define_job('e', ARRAY['e/.*'], backoff => '0 s');
SELECT databuild.want(ARRAY(SELECT 'e/' || to_char(g, 'FM000') FROM generate_series(1, 200) AS g), comment => 'all') IS NOT NULL AS wanted;
SELECT count(*), min(r), max(r) FROM pg_temp.claim(NULL, 72) AS r;
-- what is rolled back is there again, for this session, too
BEGIN;
SAVEPOINT a;
SELECT * FROM pg_temp.claim(NULL, 2);
ROLLBACK TO a;
SELECT * FROM pg_temp.claim();
ROLLBACK;
SELECT * FROM pg_temp.claim();
BEGIN;
SELECT * FROM pg_temp.claim();
PREPARE TRANSACTION 'shared_entries';
SELECT * FROM pg_temp.claim();
ROLLBACK PREPARED 'shared_entries';
SELECT * FROM pg_temp.claim();
-- what leaves the queue in the middle of an entry does not come, and comes once if it is queued anew, in its new turn
SELECT databuild.publish(ARRAY['e/076']);
SELECT databuild.want(ARRAY['e/079'], priority => 5) IS NOT NULL AS wanted;
SELECT databuild.cancel_want(pg_temp.want('all'));
SELECT databuild.want(ARRAY['e/077', 'e/080', 'e/081']) IS NOT NULL AS wanted;
SELECT * FROM pg_temp.claim(NULL, 2);
SELECT databuild.fail(pg_temp.run('e/077'), 'once');
SELECT * FROM pg_temp.claim(NULL, 100);
SELECT count(*) AS left_over FROM databuild.ready;
SELECT * FROM pg_temp.claim(NULL, 100);
-- why() counts those that come before, and no others
SELECT databuild.want(ARRAY['e/101', 'e/102', 'e/103', 'e/104', 'e/105', 'e/199']) IS NOT NULL AS wanted;
SELECT databuild.want(ARRAY['e/106'], priority => 5) IS NOT NULL AS wanted;
SELECT databuild.publish(ARRAY['e/102']);
SELECT * FROM pg_temp.claim(NULL, 2);
SELECT detail FROM databuild.why('e/104');
SELECT detail FROM databuild.why('e/199');
-- the tables are what the log says, and a replay finds the same work
SELECT * FROM databuild.check_invariants();
SELECT * FROM databuild.verify();
SELECT databuild.replay() > 0 AS replayed;
SELECT * FROM pg_temp.claim(NULL, 100);
SELECT * FROM databuild.check_invariants();
-- what has several outputs may collide, and has an entry of its own
SELECT databuild.define_job('s', ARRAY['s/(\d+)/[ab]'], outputs => ARRAY['s/\1/a', 's/\1/b']);
SELECT databuild.want(ARRAY['s/1/a', 's/2/a', 's/3/a']) IS NOT NULL AS wanted;
SELECT count(*) FROM databuild.ready q JOIN databuild.job j USING (job_id) WHERE j.label = 's';
