-- What is wanted for the first time could be queued in the tables and not in the log, or by numbers of events that are another's.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
SELECT databuild.define_job('j', ARRAY['j/.*']);
SELECT databuild.define_job('k', ARRAY['k/.*']);
SELECT databuild.define_source('s', ARRAY['s/.*']);
-- nothing but new refs of one job: put in as queued, and not changed
BEGIN;
SELECT databuild.want(ARRAY['j/1', 'j/2'], priority => 3) IS NOT NULL AS wanted;
SELECT ref, state, prio, ctid FROM databuild.partition ORDER BY ref;
SELECT * FROM pg_temp.told();
SELECT count(*) FROM databuild.partition p JOIN databuild.events e ON e.event_id = p.ticket AND e.kind = 'queued' AND e.recorded_at = p.since;
COMMIT;
SELECT * FROM databuild.verify();
-- some are known, or of other jobs, or nobody makes them by a run
SELECT databuild.want(ARRAY['j/2', 'j/3'], priority => 4) IS NOT NULL AS wanted;
SELECT databuild.want(ARRAY['j/4', 'k/1']) IS NOT NULL AS wanted;
SELECT databuild.want(ARRAY['s/1']) IS NOT NULL AS wanted;
SELECT databuild.want(ARRAY['j/5', 's/2']) IS NOT NULL AS wanted;
SELECT * FROM pg_temp.told();
SELECT * FROM databuild.verify();
-- by SQL alone: in a savepoint, or at other levels
BEGIN;
SAVEPOINT a;
SELECT databuild.want(ARRAY['j/6']) IS NOT NULL AS wanted;
RELEASE a;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT databuild.want(ARRAY['j/7', 'j/8']) IS NOT NULL AS wanted;
COMMIT;
SELECT * FROM pg_temp.told();
SELECT * FROM databuild.verify();
-- a want that is refused leaves nothing
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['j/9'], ttl => '1 s', data_timestamp => '2001-01-01')$$);
SELECT databuild.want(ARRAY['j/10'], key => 'a') = databuild.want(ARRAY['j/10'], key => 'a') AS same;
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['j/11'], key => 'a')$$);
SELECT ref FROM databuild.partitions WHERE ref IN ('j/9', 'j/11');
-- when it began is when its time counts from
SELECT databuild.want(ARRAY['j/12'], sla => '1 h', comment => 'late') IS NOT NULL AS wanted;
SELECT due_at - created_at FROM databuild.wants WHERE comment = 'late';
-- more than an event has room for
SELECT count(*) FROM pg_temp.told() WHERE true;
SELECT databuild.want(ARRAY(SELECT 'j/many/' || g FROM generate_series(1, 10001) AS g), priority => -1) IS NOT NULL AS wanted;
SELECT kind, cardinality(refs) FROM databuild.events WHERE event_id > (SELECT upto FROM seen) ORDER BY event_id;
-- what declares inputs waits; what does not is queued as before
SELECT databuild.define_job('d', ARRAY['d/(.*)'], inputs => ARRAY['s/\1']);
SELECT databuild.want(ARRAY['d/1']) IS NOT NULL AS wanted;
SELECT databuild.want(ARRAY['j/13']) IS NOT NULL AS wanted;
SELECT ref, state FROM databuild.partitions WHERE ref IN ('d/1', 'j/13') ORDER BY ref;
SELECT * FROM databuild.verify();
SELECT * FROM databuild.check_invariants();
SELECT string_agg(r, ' ') FROM pg_temp.claim(NULL, 13) AS r;
