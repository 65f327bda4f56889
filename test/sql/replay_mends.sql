-- A replay would leave damage, or write what is as the log says.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_job('x', ARRAY['x/.*'], lease => '1 day');
SELECT databuild.want(ARRAY(SELECT 'x/' || i FROM generate_series(10, 29) AS i)) > 0;
SELECT count(*) FROM databuild.claim('w', max_runs => 10);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs ORDER BY run_id LIMIT 5));
CREATE TEMP TABLE part_before AS SELECT ctid AS place, * FROM databuild.partition;
CREATE TEMP TABLE run_before AS SELECT ctid AS place, * FROM databuild.run;
-- what is told apart: written, and how it is now
CREATE FUNCTION pg_temp.written() RETURNS TABLE (relation text, n bigint) LANGUAGE sql AS $$
	SELECT 'partition', count(*) FROM databuild.partition p LEFT JOIN part_before b ON (b.place, b.id) = (p.ctid, p.id) WHERE b.id IS NULL
	UNION ALL SELECT 'run', count(*) FROM databuild.run r LEFT JOIN run_before b ON (b.place, b.run_id) = (r.ctid, r.run_id) WHERE b.run_id IS NULL $$;
CREATE FUNCTION pg_temp.differs() RETURNS TABLE (relation text, n bigint) LANGUAGE sql AS $$
	SELECT 'partition', count(*) FROM (SELECT id, live_run, run, ticket, since, job_id, prio, state, ref FROM part_before EXCEPT SELECT * FROM databuild.partition) AS p
	UNION ALL SELECT 'run', count(*) FROM (SELECT run_id, started_at, lease_at, finished_at, lease, job_id, attempt, state, worker, outputs FROM run_before
		EXCEPT SELECT * FROM databuild.run) AS r $$;
-- nothing differs, nothing is written
SELECT databuild.replay() > 0;
SELECT * FROM pg_temp.written();
SELECT * FROM pg_temp.differs();
-- each column of a partition; two that changed refs, one that is gone, one too many with the ref of a third
WITH p AS (SELECT id, row_number() OVER (ORDER BY ref) AS i FROM databuild.partition)
UPDATE databuild.partition q SET live_run = CASE i WHEN 1 THEN 99 ELSE live_run END, run = CASE i WHEN 2 THEN 99 ELSE run END,
	ticket = CASE i WHEN 3 THEN 99 ELSE ticket END, since = CASE i WHEN 4 THEN '2000-01-01' ELSE since END,
	job_id = CASE i WHEN 5 THEN 99 ELSE job_id END, prio = CASE i WHEN 11 THEN 9 ELSE prio END, state = CASE i WHEN 12 THEN 'F' ELSE state END
	FROM p WHERE p.id = q.id AND (i <= 5 OR i IN (11, 12));
UPDATE databuild.partition SET ref = 'swap' WHERE ref = 'x/22';
UPDATE databuild.partition SET ref = 'x/22' WHERE ref = 'x/23';
UPDATE databuild.partition SET ref = 'x/23' WHERE ref = 'swap';
DELETE FROM databuild.partition WHERE ref = 'x/24';
UPDATE databuild.partition SET id = 9999999 WHERE ref = 'x/25';
INSERT INTO databuild.partition (since, job_id, ref) VALUES ('2040-01-01', 1, 'no');
-- and of a run; one of those at work is gone, one is too many
WITH r AS (SELECT run_id, row_number() OVER (ORDER BY run_id) AS i FROM databuild.run)
UPDATE databuild.run q SET job_id = CASE i WHEN 1 THEN 99 ELSE job_id END, state = CASE i WHEN 2 THEN 'F' ELSE state END,
	attempt = CASE i WHEN 3 THEN 99 ELSE attempt END, started_at = CASE i WHEN 4 THEN '2000-01-01' ELSE started_at END,
	finished_at = CASE i WHEN 5 THEN '2000-01-01' ELSE finished_at END, worker = CASE i WHEN 6 THEN 'v' ELSE worker END,
	outputs = CASE i WHEN 7 THEN '{}' ELSE outputs END
	FROM r WHERE r.run_id = q.run_id AND i <= 7;
DELETE FROM databuild.run WHERE run_id = (SELECT max(run_id) FROM databuild.run);
INSERT INTO databuild.run (run_id, started_at, lease_at, lease, job_id, attempt, worker, outputs)
	VALUES (9999999, '2040-01-01', '2040-01-02', 1, 1, 1, 'v', '{}');
SELECT * FROM pg_temp.differs();
SELECT relation, count(*) FROM databuild.verify() GROUP BY 1 ORDER BY 1;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
SELECT * FROM databuild.check_invariants();
-- what was damaged was written, and no more; what is gone had a lease that nobody knows
SELECT * FROM pg_temp.written();
SELECT * FROM pg_temp.differs();
SELECT count(*), min(lease_at), max(lease_at) FROM databuild.run WHERE state = 'R';
-- work goes on
SET databuild.now = '2040-01-01 12:00:00+00';
SELECT databuild.tick() IS NOT NULL;
SELECT state, count(*) FROM databuild.partitions GROUP BY state ORDER BY state;
SELECT count(*) FROM databuild.claim('w', max_runs => 100);
SELECT databuild.succeed_many(ARRAY(SELECT run_id FROM databuild.job_runs WHERE state = 'running'));
SELECT state, count(*) FROM databuild.partitions GROUP BY state ORDER BY state;
SELECT * FROM databuild.verify();
SELECT * FROM databuild.check_invariants();
