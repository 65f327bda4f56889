-- What waits would be made without an input that was live, and was taken back before the others were.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
SELECT databuild.define_source('in', ARRAY['in/[0-9]+']), databuild.define_job('declared', ARRAY['declared'], inputs => ARRAY['in/1', 'in/300']),
  databuild.define_job('missed', ARRAY['missed']);
-- so many that the first is kept far from the last
SELECT databuild.publish(ARRAY(SELECT 'in/' || i FROM generate_series(1, 299) AS i));
SELECT databuild.taint(ARRAY['in/1'], 'wrong') > 0;
SELECT databuild.want(ARRAY['declared', 'missed']) > 0;
SELECT databuild.miss(pg_temp.run('missed'), ARRAY['in/1', 'in/300']) FROM databuild.claim('w');
-- both wait for the last now
SELECT databuild.publish(ARRAY['in/1']);
SELECT databuild.taint(ARRAY['in/1'], 'wrong again') > 0;
SELECT databuild.publish(ARRAY['in/300']);
SELECT ref, state FROM databuild.partitions WHERE ref !~ '^in/' OR ref IN ('in/1', 'in/300') ORDER BY ref;
SELECT databuild.publish(ARRAY['in/1']);
SELECT ref, state FROM databuild.partitions WHERE ref !~ '^in/' ORDER BY ref;
