-- A call would leave half of its work behind, or promise less in a stricter transaction.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_attempts => 1);
-- rolled back: nothing was
BEGIN;
SELECT databuild.want(ARRAY['a', 'b']) > 0;
SELECT pg_temp.claim();
ROLLBACK;
SELECT count(*) FROM databuild.partitions;
SELECT count(*) FROM databuild.events WHERE kind <> 'job_defined';
-- nor by a savepoint; what is done after it, counts
BEGIN;
SELECT databuild.want(ARRAY['a']) > 0;
SAVEPOINT s;
SELECT databuild.want(ARRAY['b']) > 0;
SELECT pg_temp.claim(n => 2);
ROLLBACK TO s;
SELECT * FROM pg_temp.states();
SELECT pg_temp.claim(n => 2);
SAVEPOINT s;
SELECT databuild.succeed(-7);
ROLLBACK TO s;
SELECT databuild.miss(pg_temp.run('a'), ARRAY['c']);
COMMIT;
SELECT * FROM pg_temp.states();
-- several calls in one transaction, at each isolation level: each sees what was done before it, and all that follows from it happens at once
CREATE FUNCTION pg_temp.chain(top text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM databuild.want(ARRAY[top], 50);
	RETURN NEXT 'claim ' || pg_temp.claim();
	PERFORM databuild.miss(pg_temp.run(top), ARRAY[top || 'x', top || 'y']);
	RETURN NEXT 'claim ' || (SELECT string_agg(c, ' ' ORDER BY c) FROM pg_temp.claim(n => 2) AS c);
	PERFORM databuild.succeed(pg_temp.run(top || 'x'));
	RETURN NEXT (SELECT state FROM databuild.partitions WHERE ref = top);
	PERFORM databuild.succeed(pg_temp.run(top || 'y'));
	RETURN NEXT (SELECT state FROM databuild.partitions WHERE ref = top);
	RETURN NEXT 'claim ' || pg_temp.claim();
	PERFORM databuild.succeed(pg_temp.run(top));
	RETURN NEXT (SELECT string_agg(ref || ' ' || state, ', ' ORDER BY ref) FROM databuild.partitions WHERE ref LIKE top || '%');
END $$;
SELECT pg_temp.chain('rc');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM databuild.jobs;
SELECT pg_temp.chain('rr');
SELECT count(*) FROM databuild.verify();
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM databuild.jobs;
SELECT pg_temp.chain('se');
SELECT count(*) FROM databuild.verify();
COMMIT;
-- a failure cascade in one transaction
BEGIN;
SELECT databuild.want(ARRAY['top'], 60) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('top'), ARRAY['mid']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('mid'), ARRAY['root']);
SELECT pg_temp.claim();
SELECT databuild.fail(pg_temp.run('root'), 'x');
SELECT * FROM pg_temp.states() WHERE ref IN ('top', 'mid', 'root');
SELECT databuild.publish(ARRAY['root']);
SELECT * FROM pg_temp.states() WHERE ref IN ('top', 'mid', 'root');
COMMIT;
-- a read-only transaction may look
\set VERBOSITY sqlstate
BEGIN READ ONLY;
SELECT count(*) FROM databuild.verify();
SELECT reason FROM databuild.why('top') WHERE depth = 0;
SELECT databuild.want(ARRAY['x']) > 0;
ROLLBACK;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
