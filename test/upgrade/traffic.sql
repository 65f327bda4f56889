-- What pgbench does meanwhile, each statement in a transaction of its own, which also writes down what it was told.
\set n random(1, 1000000000)
INSERT INTO public.asked SELECT databuild.want(ARRAY['top/' || :n]);
INSERT INTO public.made SELECT run_id FROM (SELECT run_id, databuild.succeed(run_id) FROM databuild.claim('traffic', max_runs => 3) OFFSET 0) AS c;
SELECT count(*) FROM databuild.why('top/' || :n);
SELECT state FROM databuild.partitions WHERE ref = 'top/' || :n;
INSERT INTO public.rain VALUES ('of ' || :client_id || '/' || :n % 100, 1);
