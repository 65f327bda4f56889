-- A partition with a failed input would show itself as on its way, because another input of it came.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

-- the inputs come in each order: one fails, one comes, one is still open
SELECT databuild.define_job('j', ARRAY['[a-z0-9]+'], max_attempts => 1);
CREATE FUNCTION pg_temp.history(top text, fails text, comes text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	inputs text[] := ARRAY[top || 'a', top || 'b', top || 'c'];
	so_far text;
BEGIN
	PERFORM databuild.want(ARRAY[top]);
	PERFORM pg_temp.claim();
	PERFORM databuild.miss(pg_temp.run(top), inputs);
	PERFORM pg_temp.claim(n => 3);
	PERFORM databuild.fail(pg_temp.run(top || fails), 'broken');
	SELECT state INTO so_far FROM pg_temp.states() WHERE ref = top;
	PERFORM databuild.succeed(pg_temp.run(top || comes));
	RETURN (SELECT so_far || ' ' || state FROM pg_temp.states() WHERE ref = top);
END $$;
SELECT f.fails, c.comes, pg_temp.history('t' || f.fails || c.comes, f.fails, c.comes)
	FROM unnest(ARRAY['a', 'b', 'c']) AS f(fails), unnest(ARRAY['a', 'b', 'c']) AS c(comes) WHERE f.fails <> c.comes ORDER BY 1, 2;
SELECT DISTINCT state, reason FROM databuild.partitions p CROSS JOIN LATERAL databuild.why(p.ref) AS w(depth, partition, s, reason)
	WHERE p.ref ~ '^t..$' AND w.depth = 0 ORDER BY 1, 2;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
