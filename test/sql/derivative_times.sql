-- What holds up a late report would not show as late itself.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SET databuild.now = '2040-01-01 00:00:00+00';
CREATE FUNCTION pg_temp.times(OUT refs text, OUT due timestamptz, OUT expires timestamptz) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT (SELECT string_agg(ref, ',' ORDER BY ref) FROM databuild.want_partitions p WHERE p.want_id = w.want_id), due_at, expires_at
	FROM databuild.wants w WHERE derivative AND ended_at IS NULL ORDER BY want_id$$;
SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.define_job('d', ARRAY['d/(.*)'], inputs => ARRAY['i/\1']);
SELECT databuild.define_job('i', ARRAY['i/.*']);
SELECT databuild.want(ARRAY['top'], sla => '3 h', ttl => '1 day') > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('top'), ARRAY['mid']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('mid'), ARRAY['root']);
-- a derivative want has the earliest due time and the latest expiry of what stands behind it
SELECT * FROM pg_temp.times();
-- also when that changes
SELECT databuild.want(ARRAY['top'], sla => '2 h', ttl => '2 days', comment => 'second') > 0;
SELECT * FROM pg_temp.times();
SELECT databuild.cancel_want(pg_temp.want('second'));
SELECT * FROM pg_temp.times();
-- one without ttl behind it: it does not expire
SELECT databuild.want(ARRAY['mid'], comment => 'third') > 0;
SELECT * FROM pg_temp.times();
-- declared ones
SELECT databuild.want(ARRAY['d/1'], sla => '1 h', ttl => '1 day') > 0;
SELECT * FROM pg_temp.times() WHERE refs = 'i/1';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
