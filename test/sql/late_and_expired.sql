-- A want that is too late would not be seen, or one that nobody waits for any more still be built.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_job('j', ARRAY['[a-z]+']);
-- both count from now, or from data_timestamp; the log has the times that come out
SELECT databuild.want(ARRAY['a'], ttl => '2 h', sla => '1 h', comment => 'now') > 0;
SELECT databuild.want(ARRAY['b'], data_timestamp => '2039-12-31 23:30:00+00', ttl => '2 h', sla => '1 h', comment => 'data') > 0;
SELECT databuild.want(ARRAY['c'], data_timestamp => '2040-01-01 12:00:00+00', sla => '1 month', comment => 'later') > 0;
SELECT databuild.want(ARRAY['d'], sla => '0', comment => 'at once') > 0;
SELECT databuild.want(ARRAY['e'], comment => 'neither') > 0;
SELECT comment, data_timestamp, due_at, expires_at FROM databuild.wants ORDER BY want_id;
SELECT body FROM databuild.events WHERE kind = 'wanted' ORDER BY event_id;
-- late: in force, due, and not all there
SELECT comment, late_by, state, live, total FROM databuild.late_wants;
SET databuild.now = '2040-01-01 00:29:59+00';
SELECT comment, late_by FROM databuild.late_wants;
SET databuild.now = '2040-01-01 00:30:00+00';
SELECT comment, late_by FROM databuild.late_wants;
SET databuild.now = '2040-01-01 01:15:00+00';
SELECT comment, late_by, state, live, total, priority FROM databuild.late_wants;
SELECT databuild.publish(ARRAY['b']);
SELECT comment FROM databuild.late_wants;
SELECT databuild.taint(ARRAY['b'], 'bad') > 0;
SELECT comment FROM databuild.late_wants;
SELECT databuild.cancel_want(pg_temp.want('at once'));
SELECT comment FROM databuild.late_wants;
-- expired: seen at once by who looks, and nothing of it is handed out any more
SELECT count(*) > 0 FROM pg_temp.told();
SET databuild.now = '2040-01-01 01:30:00+00';
SELECT comment, state, ended_at FROM databuild.wants ORDER BY want_id;
SELECT comment FROM databuild.late_wants;
SELECT expired_wants FROM databuild.tick();
SELECT * FROM pg_temp.told();
SELECT * FROM pg_temp.states();
SELECT comment, state, ended_at FROM databuild.wants ORDER BY want_id;
SET databuild.now = '2040-01-01 02:00:00+00';
SELECT pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states();
SELECT expired_wants FROM databuild.tick();
-- a run is not stopped by it; what others want is kept
SELECT databuild.want(ARRAY['f', 'g'], 9, ttl => '1 h', comment => 'short') > 0;
SELECT databuild.want(ARRAY['g', 'h'], 3, ttl => '1 day', comment => 'long') > 0;
SELECT pg_temp.claim();
SET databuild.now = '2040-01-01 03:00:00+00';
SELECT state FROM databuild.heartbeat(ARRAY[pg_temp.run('f')]);
SELECT expired_wants FROM databuild.tick();
SELECT ref, state, priority FROM databuild.partitions WHERE ref IN ('f', 'g', 'h') ORDER BY 1;
SELECT databuild.fail(pg_temp.run('f'), 'x');
SELECT pg_temp.state('f');
-- what was made for it ends with it
SELECT databuild.want(ARRAY['top'], 10, ttl => '1 h', comment => 'top') > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('top'), ARRAY['in']);
SET databuild.now = '2040-01-01 04:00:00+00';
SELECT pg_temp.claim(n => 10);
SELECT * FROM pg_temp.states() WHERE ref IN ('top', 'in');
SELECT refs, kind, state FROM pg_temp.wants() WHERE refs IN ('top', 'in');
-- at work on it at the moment it expires: each call sees that it is over
SELECT databuild.want(ARRAY['t', 'r', 'q'], 10, ttl => '1 h', comment => 'calls') > 0;
SELECT databuild.publish(ARRAY['t']);
SELECT pg_temp.claim(n => 1);
SELECT databuild.fail(pg_temp.run('q'), 'x', false);
SET databuild.now = '2040-01-01 05:00:00+00';
SELECT databuild.taint(ARRAY['t'], 'bad') > 0;
SELECT pg_temp.state('t');
SELECT databuild.retry(ARRAY['q']);
SELECT pg_temp.state('q');
SELECT databuild.forget(ARRAY['t'], 'gone');
SELECT databuild.tick() IS NOT NULL;
-- canceled after it expired, before anybody noticed
SELECT databuild.want(ARRAY['u'], ttl => '1 h', comment => 'late cancel') > 0;
SET databuild.now = '2040-01-01 06:00:00+00';
SELECT split_part(pg_temp.refused(format('SELECT databuild.cancel_want(%s)', pg_temp.want('late cancel'))), ' / ', 1);
SELECT state FROM databuild.wants WHERE comment = 'late cancel';
SELECT databuild.tick() IS NOT NULL;
-- refused
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['a'], ttl => '0')$$);
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['a'], ttl => '-1 s')$$);
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['a'], sla => '-1 s')$$);
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['a'], data_timestamp => '2039-12-31 00:00:00+00', ttl => '1 day')$$);
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['a'], ttl => '2000 years')$$);
-- an sla that has passed is none that is refused: it is late
SELECT databuild.want(ARRAY['a'], data_timestamp => '2039-12-31 00:00:00+00', sla => '1 day', comment => 'late from the start') > 0;
SELECT comment, late_by FROM databuild.late_wants;
-- a replay knows when they end
SELECT databuild.want(ARRAY['v'], ttl => '1 h', comment => 'replayed') > 0;
SELECT databuild.replay() > 0;
SET databuild.now = '2040-01-01 07:00:00+00';
SELECT expired_wants FROM databuild.tick();
SELECT pg_temp.state('v');

-- many that end at once: none of it is handed out, and why() knows it before
SELECT count(databuild.want(ARRAY['many' || repeat('x', n)], ttl => '1 h')) FROM generate_series(1, 400) AS n;
SET databuild.now = '2040-01-01 09:00:00+00';
SELECT state, reason, detail, hint FROM databuild.why('many' || repeat('x', 400));
SELECT count(*) FROM databuild.claim('w', max_runs => 500) AS r WHERE r.partitions[1] LIKE 'many%';
SELECT state, reason FROM databuild.why('many' || repeat('x', 400));
-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
