-- What pgbench does meanwhile, each statement in a transaction of its own.
\set n random(1, 1000000000)
SELECT databuild.want(ARRAY['top/' || :n]);
SELECT databuild.succeed(run_id) FROM databuild.claim('traffic', max_runs => 3);
SELECT count(*) FROM databuild.why('top/' || :n);
SELECT state FROM databuild.partitions WHERE ref = 'top/' || :n;
