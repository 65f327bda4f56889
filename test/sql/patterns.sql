-- A job would be asked for refs that it does not make, or not for those that it does.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
-- which job makes the ref
CREATE FUNCTION pg_temp.job(ref text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM databuild.want(ARRAY[$1]);
	RETURN (SELECT p.job FROM databuild.partitions p WHERE p.ref = $1);
EXCEPTION WHEN undefined_object THEN
	RETURN '(none)';
END $$;

SELECT databuild.define_job('alternatives', ARRAY['a|b/c']);
SELECT databuild.define_job('several', ARRAY['s1/.*', 's2/[0-9]{4}']);
SELECT databuild.define_job('dot', ARRAY['d.t']);
SELECT databuild.define_job('anchored', ARRAY['^anchored$']);
SELECT databuild.define_job('groups', ARRAY['g/(\d+)/\1', 'h/(?:x|y)(?=z).*']);
SELECT databuild.define_job('insensitive', ARRAY['(?i)case/[a-z]+']);
SELECT databuild.define_job('expanded', ARRAY['(?x) e / \d+   # a comment']);
SELECT databuild.define_job('lazy', ARRAY['l/.*?']);
SELECT databuild.define_job('bytes', ARRAY['ü/[äö]+']);
SELECT ref, pg_temp.job(ref) FROM unnest(ARRAY['a', 'b/c', 'ab/c', 'a/c', 'aa', 's1/', 's1/x/y', 's1', 's2/2012', 's2/20123', 'xs2/2012', 'dot', 'd.t', 'dt', 'dott',
	'anchored', 'anchored2', 'g/12/12', 'g/12/13', 'h/xz', 'h/xy', 'case/a', 'CASE/B', 'CASE/1', 'e/1', 'e / 1', 'l/', 'l/long/one', 'ü/äö', 'ü/a']) WITH ORDINALITY AS u(ref, n) ORDER BY n;

-- 40 jobs, more than any cache of patterns holds
SELECT count(databuild.define_job('n' || i, ARRAY['n' || i || '/.*'])) FROM generate_series(1, 40) AS i;
SELECT count(*), count(*) FILTER (WHERE pg_temp.job('n' || i || '/x') = 'n' || i) FROM generate_series(1, 40) AS i;

-- why() says of a ref that nobody has named which job would make it
SELECT ref, (SELECT detail FROM databuild.why(ref)) FROM unnest(ARRAY['case/z', 'CASE/Y', 'e/7', 'xs1/x', 's1/z']) AS u(ref) ORDER BY ref COLLATE "C";

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
