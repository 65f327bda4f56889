-- Nobody could say in the morning why the report was not there at three.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
-- at that hour
CREATE FUNCTION pg_temp.why(ref text, hour int, OUT depth int, OUT partition text, OUT state text, OUT reason text, OUT detail text) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT depth, partition, state, reason, regexp_replace(detail, '(Run|Instance) \d+', '\1 N') FROM databuild.why($1, at => '2040-01-01 00:30:00+00'::timestamptz + $2 * interval '1 hour')$$;
CREATE FUNCTION pg_temp.hour(int) RETURNS text LANGUAGE sql AS
	$$SELECT set_config('databuild.now', ('2040-01-01 00:00:00+00'::timestamptz + $1 * interval '1 hour')::text, false)$$;

SELECT pg_temp.hour(1);
SELECT databuild.define_source('s', ARRAY['s/.*']);
SELECT databuild.define_job('d', ARRAY['d/(.*)'], inputs => ARRAY['s/\1'], backoff => '2 h', max_attempts => 2, lease => '1 day');
SELECT databuild.define_job('r', ARRAY['r/.*'], lease => '1 day');
SELECT databuild.want(ARRAY['r/1'], comment => 'w') AS want_id \gset
SELECT pg_temp.hour(2);
SELECT pg_temp.claim();
SELECT pg_temp.hour(3);
SELECT databuild.miss(pg_temp.run('r/1'), ARRAY['d/1', 'd/2']);
SELECT pg_temp.hour(4);
SELECT databuild.publish(ARRAY['s/1', 's/2']);
SELECT pg_temp.hour(5);
SELECT pg_temp.claim(n => 2);
SELECT databuild.fail(pg_temp.run('d/1'), 'disk full');
SELECT databuild.succeed(pg_temp.run('d/2'));
SELECT pg_temp.hour(8);
SELECT pg_temp.claim();
SELECT databuild.fail(pg_temp.run('d/1'), 'disk full again');
SELECT pg_temp.hour(9);
SELECT databuild.retry(ARRAY['d/1']);
SELECT databuild.pause_job('d');
SELECT pg_temp.hour(10);
SELECT databuild.resume_job('d');
SELECT databuild.cancel_want(:want_id);
SELECT pg_temp.hour(11);
SELECT databuild.publish(ARRAY['r/1']);
SELECT pg_temp.hour(12);
SELECT databuild.drop_job('r');
SELECT databuild.replay() > 0;
-- each hour as it was
SELECT * FROM pg_temp.why('r/1', 0);
SELECT * FROM pg_temp.why('r/1', 1);
SELECT * FROM pg_temp.why('r/1', 2);
SELECT * FROM pg_temp.why('r/1', 3);
SELECT * FROM pg_temp.why('r/1', 4);
SELECT * FROM pg_temp.why('r/1', 5);
SELECT * FROM pg_temp.why('r/1', 8);
SELECT * FROM pg_temp.why('r/1', 9);
SELECT * FROM pg_temp.why('r/1', 10);
SELECT * FROM pg_temp.why('r/1', 11);
SELECT * FROM pg_temp.why('d/1', 10);
SELECT * FROM pg_temp.why('nobody', 5);
-- now is as without it
SELECT (SELECT array_agg(w.state || w.reason ORDER BY w.depth) FROM databuild.why(p.ref) AS w) = (SELECT array_agg(w.state || w.reason ORDER BY w.depth) FROM databuild.why(p.ref, at => 'infinity') AS w)
	FROM databuild.partitions p ORDER BY ref;
\set VERBOSITY sqlstate
SELECT databuild.why(NULL, at => now());
SELECT databuild.why('r/1', -1, at => now());
