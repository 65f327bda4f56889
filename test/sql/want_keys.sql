-- A client that asks again because it got no answer would order the same thing twice.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.want(ARRAY['a', 'b'], key => 'daily') AS first \gset
SELECT count(*) > 0 FROM pg_temp.told();
-- the same key with the same refs, in whatever order, is the same want; nothing else of it changes
SELECT databuild.want(ARRAY['b', 'a', 'b'], key => 'daily') = :first;
SELECT databuild.want(ARRAY['a', 'b'], 50, key => 'daily', comment => 'urgent', ttl => '1 h') = :first;
SELECT * FROM pg_temp.told();
SELECT priority, comment, expires_at, key FROM databuild.wants;
-- with other refs it is an error, and nothing is left of the call
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['a'], key => 'daily')$$);
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['a', 'b', 'c'], key => 'daily')$$);
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['x', 'y'], key => 'daily')$$);
SELECT * FROM pg_temp.told();
SELECT count(*) FROM databuild.partitions;
-- another key, and none, are other wants
SELECT databuild.want(ARRAY['a', 'b'], key => 'Daily') > :first, databuild.want(ARRAY['a', 'b']) > :first;
-- it is the same while it is successful
SELECT count(*) FROM pg_temp.claim(n => 2);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs));
SELECT databuild.want(ARRAY['a', 'b'], key => 'daily') = :first;
-- after a cancel the key is free, for other refs too
SELECT databuild.cancel_want(:first);
SELECT databuild.want(ARRAY['c'], key => 'daily') AS second \gset
SELECT :second > :first;
SELECT databuild.want(ARRAY['c'], key => 'daily') = :second;
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['a', 'b'], key => 'daily')$$);
-- after a replay it is taken still
SELECT databuild.replay() > 0;
SELECT databuild.want(ARRAY['c'], key => 'daily') = :second;
-- a call that is rolled back takes none, and gives none back
BEGIN;
SELECT databuild.cancel_want(:second);
SELECT databuild.want(ARRAY['d'], key => 'daily') > :second;
ROLLBACK;
SELECT databuild.want(ARRAY['c'], key => 'daily') = :second;
BEGIN;
SELECT databuild.want(ARRAY['d'], key => 'other') > :second;
ROLLBACK;
SELECT databuild.want(ARRAY['e'], key => 'other') > :second;
-- after it expired, at once
SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.want(ARRAY['f'], ttl => '1 h', key => 'short') AS third \gset
SET databuild.now = '2040-01-01 00:59:59+00';
SELECT databuild.want(ARRAY['f'], key => 'short') = :third;
SET databuild.now = '2040-01-01 01:00:00+00';
SELECT databuild.want(ARRAY['f'], key => 'short') > :third;
SELECT refs, state FROM pg_temp.wants() WHERE refs = 'f';
SELECT databuild.want(ARRAY['g'], ttl => '1 h', key => 'shorter') > 0;
SET databuild.now = '2040-01-01 02:00:00+00';
SELECT databuild.want(ARRAY['h'], key => 'shorter') > 0;
-- an empty key, and a long one, are keys
SELECT databuild.want(ARRAY['a'], key => '') AS empty \gset
SELECT databuild.want(ARRAY['a'], key => '') = :empty;
SELECT databuild.want(ARRAY['a'], key => repeat('k', 1000)) > :empty;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
