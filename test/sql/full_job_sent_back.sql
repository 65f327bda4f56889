-- What found its job full in a claim that sent something else back to wait would never be handed out again.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS databuild;
CREATE EXTENSION databuild;
\pset format unaligned
\pset tuples_only on

SELECT databuild.define_source('in', ARRAY['in/.*']);
SELECT databuild.define_job('limited', ARRAY['limited/(\d)'], inputs => ARRAY['in/\1'], max_running => 2);
SELECT databuild.publish(ARRAY['in/1', 'in/2', 'in/3', 'in/4']);
SELECT databuild.want(ARRAY['limited/1', 'limited/2', 'limited/3', 'limited/4']) > 0;
SELECT run_id AS first, partitions FROM databuild.claim('w') \gset
SELECT databuild.taint(ARRAY['in/3'], 'wrong') > 0;
-- the first two runs fill the job, and the third one's input is not live any more
SELECT partitions FROM databuild.claim('w', max_runs => 3);
SELECT ref, state FROM databuild.partitions ORDER BY ref;
SELECT * FROM databuild.check_invariants();
SELECT databuild.succeed(:first);
SELECT partitions FROM databuild.claim('w', max_runs => 3);

SELECT * FROM databuild.verify();
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
SELECT * FROM databuild.check_invariants();
