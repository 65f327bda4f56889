-- What was made of the newest data would be called stale, or what was not would pass for fresh.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
-- which instance of u it was made of, of those that became live in their order
CREATE FUNCTION pg_temp.read(ref text) RETURNS text LANGUAGE sql AS
	$$SELECT 'instance ' || n || CASE WHEN l.stale THEN ', stale' ELSE '' END FROM databuild.lineage($1) AS l
	JOIN (SELECT run_id, row_number() OVER (ORDER BY at, run_id) AS n FROM databuild.instances WHERE ref = 'u' AND state = 'live') AS i ON i.run_id = l.input_run_id$$;
-- claims it
CREATE FUNCTION pg_temp.claim(ref text) RETURNS text LANGUAGE sql AS
	$$SELECT databuild.want(ARRAY[$1]); SELECT array_to_string(partitions, ',') FROM databuild.claim('w', ARRAY['t'])$$;
CREATE FUNCTION pg_temp.done(ref text) RETURNS text LANGUAGE sql AS
	$$SELECT databuild.succeed(pg_temp.run($1), reads => ARRAY['u']); SELECT pg_temp.read($1)$$;

SELECT databuild.define_source('s', ARRAY['u']);
SELECT databuild.define_job('t', ARRAY['t/.*']);
-- published anew after the claim: the one before
SELECT databuild.publish(ARRAY['u']);
SELECT pg_temp.claim('t/1');
SELECT databuild.publish(ARRAY['u']);
SELECT pg_temp.done('t/1');
-- twice: still the one of the claim
SELECT pg_temp.claim('t/2');
SELECT databuild.publish(ARRAY['u']);
SELECT databuild.publish(ARRAY['u']);
SELECT pg_temp.done('t/2');
-- tainted after the claim, and made anew: the one of the claim
SELECT pg_temp.claim('t/3');
SELECT databuild.taint(ARRAY['u'], 'x') > 0;
SELECT databuild.publish(ARRAY['u']);
SELECT pg_temp.done('t/3');
-- tainted at the claim, so that it was not live: the first since
SELECT databuild.taint(ARRAY['u'], 'x') > 0;
SELECT pg_temp.claim('t/4');
SELECT databuild.publish(ARRAY['u']);
SELECT pg_temp.done('t/4');
-- the same, published once more since: the first of both
SELECT databuild.taint(ARRAY['u'], 'x') > 0;
SELECT pg_temp.claim('t/5');
SELECT databuild.publish(ARRAY['u']);
SELECT databuild.publish(ARRAY['u']);
SELECT pg_temp.done('t/5');
-- tainted at the claim and live again since, the same instance
SELECT databuild.taint(ARRAY['u'], 'x') AS taint \gset
SELECT pg_temp.claim('t/6');
SELECT databuild.cancel_taint(:taint);
SELECT pg_temp.done('t/6');
-- forgotten before the claim: the first since; forgotten after it: the one of the claim
SELECT databuild.forget(ARRAY['u'], 'x');
SELECT pg_temp.claim('t/7');
SELECT databuild.publish(ARRAY['u']);
SELECT pg_temp.claim('t/8');
SELECT databuild.forget(ARRAY['u'], 'x');
SELECT databuild.publish(ARRAY['u']);
SELECT pg_temp.done('t/7');
SELECT pg_temp.done('t/8');

-- rows of a tracked table change: as if they were published
CREATE TEMP TABLE rows (n int);
SELECT databuild.track('rows', 'u');
SELECT pg_temp.claim('t/9');
INSERT INTO rows VALUES (1);
SELECT pg_temp.claim('t/10');
SELECT pg_temp.done('t/9');
SELECT pg_temp.done('t/10');
-- while a run makes it, live no more: the change counts when that run has ended; the first since is what that run made
SELECT databuild.drop_job('s');
SELECT databuild.define_job('s', ARRAY['u'], backoff => '0');
SELECT databuild.remake(ARRAY['u']) > 0;
SELECT count(*) FROM databuild.claim('w', ARRAY['s']);
SELECT pg_temp.claim('t/11');
INSERT INTO rows VALUES (2);
SELECT databuild.succeed(pg_temp.run('u'));
SELECT pg_temp.claim('t/12');
SELECT pg_temp.done('t/11');
SELECT pg_temp.done('t/12');
-- likewise, and that run fails: the first since is what is published then
SELECT databuild.remake(ARRAY['u']) > 0;
SELECT count(*) FROM databuild.claim('w', ARRAY['s']);
SELECT pg_temp.claim('t/13');
INSERT INTO rows VALUES (3);
SELECT databuild.fail(pg_temp.run('u'), 'x');
SELECT pg_temp.done('t/13');
-- while a run makes it anew beside a sibling, so that it stays live: the one of the claim
SELECT databuild.define_job('s', ARRAY['u', 'v'], outputs => ARRAY['u', 'v'], backoff => '0');
SELECT databuild.want(ARRAY['v']) > 0;
SELECT array_to_string(partitions, ',') FROM databuild.claim('w', ARRAY['s']);
SELECT pg_temp.claim('t/14');
INSERT INTO rows VALUES (4);
SELECT pg_temp.claim('t/15');
SELECT databuild.succeed(pg_temp.run('u'));
SELECT pg_temp.done('t/14');
SELECT pg_temp.done('t/15');
-- likewise, and it is kept
SELECT databuild.remake(ARRAY['v']) > 0;
SELECT array_to_string(partitions, ',') FROM databuild.claim('w', ARRAY['s']);
SELECT pg_temp.claim('t/16');
INSERT INTO rows VALUES (5);
SELECT databuild.fail(pg_temp.run('u'), 'x');
SELECT pg_temp.claim('t/17');
SELECT pg_temp.done('t/16');
SELECT pg_temp.done('t/17');
SELECT databuild.untrack('rows');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
