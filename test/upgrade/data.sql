-- What a database has in it after a while: all places, queues, roles, tracked tables.

\set ON_ERROR_STOP on
CREATE TABLE public.rain (month text, mm int);
CREATE FUNCTION public.before(ref text) RETURNS text[] STABLE RETURN ARRAY['leaf/' || right(ref, 1)];
CREATE ROLE dashboard;
CREATE ROLE builder;
CREATE ROLE helper;
CREATE ROLE oncall;
CREATE ROLE loader;

SELECT databuild.define_source('src', ARRAY['src/.*']);
SELECT databuild.define_job('leaf', ARRAY['leaf/(.*)'], inputs => ARRAY['src/\1'], max_attempts => 2, backoff => '1 h', lease => '1 day');
SELECT databuild.define_job('mid', ARRAY['mid/.*'], batch_size => 2, lease => '1 day');
SELECT databuild.define_job('pair', ARRAY['pair/(.)/[xy]'], outputs => ARRAY['pair/\1/x', 'pair/\1/y'], max_running => 1);
SELECT databuild.define_job('top', ARRAY['top/(.)(.*)'], inputs => ARRAY['mid/\1', 'mid/\1\2']);
SELECT databuild.define_job('after', ARRAY['after/.*'], inputs_function => 'public.before(text)');
SELECT databuild.define_job('gone', ARRAY['gone/.*']);
SELECT databuild.drop_job('gone');
SELECT databuild.pause_job('after');
SELECT databuild.track('public.rain', 'src/{month}', taint_downstream => true);

SELECT databuild.grant_reader('dashboard');
SELECT databuild.grant_worker('builder', jobs => ARRAY['leaf', 'pair']);
SELECT databuild.grant_worker('helper');
SELECT databuild.grant_operator('oncall');
GRANT USAGE ON SCHEMA databuild TO loader;
GRANT EXECUTE ON FUNCTION databuild.publish, databuild.want TO loader WITH GRANT OPTION;
GRANT SELECT ON databuild.partitions TO PUBLIC;

INSERT INTO public.rain VALUES ('1', 3), ('2', 0), ('3', 8), ('4', 1), ('5', 1);
SELECT databuild.want(ARRAY['leaf/1', 'leaf/2', 'leaf/3', 'leaf/4', 'leaf/5', 'leaf/6'], priority => 5, sla => '1 h', comment => 'all leaves');
SELECT databuild.want(ARRAY['after/5', 'after/6'], key => 'after', ttl => '3 days');
SELECT databuild.want(ARRAY['pair/1/x'], source => 'by hand');
SELECT databuild.want(ARRAY['pair/2/y', 'pair/3/x']);
SELECT databuild.want(ARRAY['top/a1', 'top/b1', 'top/c1', 'top/d1']) AS tops \gset
SELECT databuild.want(ARRAY['mid/no']) AS unwanted \gset
SELECT databuild.cancel_want(:unwanted, 'a mistake');

-- live, and one made anew of newer data; backing off; failed; canceled; building
SELECT databuild.succeed(run_id, metadata => '{"rows": 3}') FROM databuild.claim('w1', jobs => ARRAY['leaf'], max_runs => 2);
SELECT databuild.fail(run_id, 'disk full') FROM databuild.claim('w2', jobs => ARRAY['leaf']);
SELECT databuild.fail(run_id, 'no use', retry => false) FROM databuild.claim('w2', jobs => ARRAY['leaf']);
SELECT databuild.cancel_run(run_id, 'wrong machine') FROM databuild.claim('w3', jobs => ARRAY['leaf']);
UPDATE public.rain SET mm = 4 WHERE month = '1';
SELECT databuild.succeed(run_id) FROM databuild.claim('w1', jobs => ARRAY['leaf']);
-- misses of what is to be made, of what has failed, and of what nobody makes
SELECT databuild.miss(run_id, ARRAY['leaf/2', 'leaf/7', 'nobody/1']) FROM databuild.claim('w4', jobs => ARRAY['mid']);
SELECT databuild.miss(run_id, ARRAY['leaf/4']) FROM databuild.claim('w4', jobs => ARRAY['mid']);
SELECT count(*) FROM databuild.claim('w5', jobs => ARRAY['mid']);
SELECT databuild.succeed(run_id, made => ARRAY[partitions[1]]) FROM databuild.claim('w6', jobs => ARRAY['pair']);
SELECT count(*) FROM databuild.claim('w6', jobs => ARRAY['pair']);
SELECT databuild.taint(ARRAY['leaf/2'], 'wrong units') AS taint_id \gset
SELECT databuild.cancel_taint(:taint_id, 'they were right');
SELECT databuild.taint(ARRAY['src/2', 'src/3'], 'wrong year', downstream => true);
