-- State made anew from the log in the middle of things would lose what waits, what is queued or what runs.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
SELECT databuild.define_job('j', ARRAY['[a-z]+'], config => '7', max_attempts => 1);
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.want(ARRAY['top', 'dead', 'loner']) > 0;
SELECT c FROM pg_temp.claim(n => 2) AS c ORDER BY c;
SELECT databuild.miss(pg_temp.run('dead'), ARRAY['bad', 'good']);
SELECT pg_temp.claim(n => 3);
SELECT databuild.fail(pg_temp.run('bad'), 'x');
SELECT databuild.miss(pg_temp.run('top'), ARRAY['mid', 's/1', 'good']);
SELECT databuild.miss(pg_temp.run('loner'), ARRAY['ext/1']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('mid'), ARRAY['s/1', 's/2']);
SELECT databuild.want(ARRAY['late', 'later'], 9) > 0;
-- replayed after each step, everything goes on as if it had not been
CREATE FUNCTION pg_temp.again() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	views text[] := ARRAY['partitions', 'wants', 'want_partitions', 'job_runs', 'instances', 'dependencies', 'jobs', 'events'];
	v text; differs text := ''; n bigint;
BEGIN
	FOREACH v IN ARRAY views LOOP
		EXECUTE format('CREATE TEMP TABLE was_%1$s AS SELECT * FROM databuild.%1$s', v);
	END LOOP;
	IF databuild.replay() <> (SELECT count(*) FROM databuild.events) THEN differs := ' count'; END IF;
	FOREACH v IN ARRAY views LOOP
		EXECUTE format('SELECT count(*) FROM ((TABLE was_%1$s EXCEPT ALL TABLE databuild.%1$s) UNION ALL (TABLE databuild.%1$s EXCEPT ALL TABLE was_%1$s)) AS d', v) INTO n;
		IF n > 0 THEN differs := differs || ' ' || v; END IF;
		EXECUTE format('DROP TABLE was_%s', v);
	END LOOP;
	RETURN (SELECT count(*) FROM databuild.verify()) || differs;
END $$;
SELECT pg_temp.again();
SELECT * FROM pg_temp.states();
SELECT databuild.publish(ARRAY['s/1']);
SELECT * FROM pg_temp.states() WHERE ref IN ('top', 'mid');
SELECT pg_temp.again();
SELECT databuild.publish(ARRAY['s/2']);
SELECT * FROM pg_temp.states() WHERE ref IN ('top', 'mid');
SELECT pg_temp.again();
-- the order is the same
SELECT pg_temp.claim(n => 1);
SELECT pg_temp.again();
SELECT pg_temp.claim(n => 9);
SELECT pg_temp.again();
-- a run that was under way reports
SELECT databuild.succeed(pg_temp.run('mid'), metadata => '{"m": 1}');
SELECT pg_temp.again();
SELECT databuild.succeed(pg_temp.run('good'));
SELECT * FROM pg_temp.states();
SELECT pg_temp.again();
-- and what was blocked recovers
SELECT databuild.publish(ARRAY['bad']);
SELECT pg_temp.again();
SELECT partitions, config, attempt FROM databuild.claim('w', max_runs => 9);
SELECT databuild.define_job('ext', ARRAY['ext/.*']);
SELECT pg_temp.again();
SELECT pg_temp.claim(n => 9);
SELECT databuild.fail(pg_temp.run('ext/1'), 'nothing came');
SELECT pg_temp.again();
SELECT databuild.succeed(run_id) FROM databuild.job_runs WHERE state = 'running' ORDER BY run_id;
SELECT pg_temp.again();
SELECT * FROM pg_temp.states();
SELECT * FROM pg_temp.wants();
-- new things get new numbers
SELECT databuild.want(ARRAY['fresh']) > 0;
SELECT pg_temp.claim();
SELECT count(*), count(DISTINCT run_id) FROM databuild.job_runs;
SELECT pg_temp.again();
-- leases end after a replay, too
SET databuild.now = '2040-01-01';
SELECT lost_runs FROM databuild.tick();
SELECT * FROM pg_temp.states() WHERE ref = 'fresh';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
