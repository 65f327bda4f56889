-- What the marks of the queues save a claim is measured elsewhere; here, that they move, and that no claim goes past work.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
SELECT databuild.define_job('j', ARRAY['j/.*'], batch_size => 1000);
SELECT databuild.define_job('k', ARRAY['k/.*']);
-- whoever draws numbers moves the marks, though it never claims
SELECT count(databuild.want(ARRAY['j/a'])) FROM generate_series(1, 1);
SELECT count(databuild.succeed(run_id)) FROM databuild.claim('w');
SELECT count(databuild.want(ARRAY['k/' || g])) FROM generate_series(1, 700) AS g;
SELECT queue, max(low) >= 300 AS moved FROM databuild.mark k LEFT JOIN databuild.job j USING (job_id) WHERE label = 'j' OR queue IN ('a', 't') GROUP BY 1 ORDER BY 1;
SELECT cardinality(partitions) FROM databuild.claim('w', NULL, 1);
-- a claim of more than it can sort in memory leaves nothing urgent for what is less so
SELECT databuild.want(ARRAY(SELECT 'j/' || g FROM generate_series(1, 100500) AS g), priority => 10) IS NOT NULL AS wanted;
SELECT databuild.want(ARRAY['j/last']) IS NOT NULL AS wanted;
SELECT count(*), sum(cardinality(partitions)), count(*) FILTER (WHERE 'j/last' = ANY (partitions)) AS of_last FROM databuild.claim('w', ARRAY['j'], 101);
SELECT count(*), sum(cardinality(partitions)), count(*) FILTER (WHERE 'j/last' = ANY (partitions)) AS of_last FROM databuild.claim('w', ARRAY['j'], 101);
SELECT * FROM databuild.check_invariants();
