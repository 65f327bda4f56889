-- The inputs of a report that is not urgent any more would still go before everything else, or those of an urgent one wait.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

CREATE FUNCTION pg_temp.priorities() RETURNS text LANGUAGE sql AS
	$$SELECT string_agg(ref || ' ' || coalesce(priority::text, '-'), ', ' ORDER BY ref) FROM databuild.partitions$$;
SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.define_job('d', ARRAY['d/(.*)'], inputs => ARRAY['i/\1']);
SELECT databuild.define_job('i', ARRAY['i/(.*)'], inputs => ARRAY['b/\1']);
SELECT databuild.define_job('b', ARRAY['b/.*']);
SELECT databuild.want(ARRAY['top'], -10, comment => 'low') > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('top'), ARRAY['mid']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('mid'), ARRAY['root']);
SELECT databuild.want(ARRAY['other'], comment => 'other') > 0;
SELECT pg_temp.priorities();
-- raised, all the way down
SELECT databuild.want(ARRAY['top'], 50, comment => 'high') > 0;
SELECT pg_temp.priorities();
SELECT * FROM pg_temp.wants();
-- and lowered again when that want goes
SELECT databuild.cancel_want(pg_temp.want('high'));
SELECT pg_temp.priorities();
SELECT * FROM pg_temp.wants();
SELECT pg_temp.claim();
-- in the middle: what is above is not touched
SELECT databuild.want(ARRAY['mid'], 20, comment => 'mid') > 0;
SELECT pg_temp.priorities();
SELECT pg_temp.claim();
SELECT databuild.cancel_want(pg_temp.want('mid'));
SELECT pg_temp.priorities();
-- a second waiter that is more urgent, and goes
SELECT databuild.want(ARRAY['sec'], 30, comment => 'sec') > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('sec'), ARRAY['root']);
SELECT pg_temp.priorities();
SELECT databuild.cancel_want(pg_temp.want('sec'));
SELECT pg_temp.priorities();
-- it expires
SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.want(ARRAY['top'], 60, ttl => '1 h', comment => 'ttl') > 0;
SELECT pg_temp.priorities();
SET databuild.now = '2040-01-01 01:00:00+00';
SELECT expired_wants FROM databuild.tick();
SELECT pg_temp.priorities();
-- a run's own priority, while it makes it, is known when it misses more
SELECT databuild.want(ARRAY['late'], comment => 'late') > 0;
SELECT pg_temp.claim();
SELECT databuild.want(ARRAY['late'], 70) > 0;
SELECT databuild.miss(pg_temp.run('late'), ARRAY['lateinput']);
SELECT ref, priority FROM databuild.partitions WHERE ref LIKE 'late%' ORDER BY 1;
SELECT pg_temp.claim();

-- through declared inputs
SELECT databuild.want(ARRAY['d/1'], -5, comment => 'd low') > 0;
SELECT ref, state, priority FROM databuild.partitions WHERE ref LIKE '%/1' ORDER BY 1;
SELECT databuild.want(ARRAY['d/1'], 80, comment => 'd high') > 0;
SELECT ref, state, priority FROM databuild.partitions WHERE ref LIKE '%/1' ORDER BY 1;
SELECT pg_temp.claim();
SELECT databuild.cancel_want(pg_temp.want('d high'));
SELECT ref, state, priority FROM databuild.partitions WHERE ref LIKE '%/1' ORDER BY 1;
SELECT databuild.succeed(pg_temp.run('b/1'));
SELECT ref, state, priority FROM databuild.partitions WHERE ref LIKE '%/1' ORDER BY 1;
SELECT databuild.cancel_want(pg_temp.want('d low'));
SELECT ref, state, priority FROM databuild.partitions WHERE ref LIKE '%/1' ORDER BY 1;
-- several of one priority share a derivative want, those of another have their own
SELECT databuild.want(ARRAY['d/2', 'd/3'], 1, comment => 'd') > 0, databuild.want(ARRAY['d/4'], 2) > 0;
SELECT * FROM pg_temp.wants() WHERE refs ~ '/[234]';
SELECT databuild.want(ARRAY['d/3'], 3, comment => 'three') > 0;
SELECT ref, state, priority FROM databuild.partitions WHERE ref ~ '/[234]' ORDER BY 1;
SELECT databuild.cancel_want(pg_temp.want('three'));
SELECT ref, state, priority FROM databuild.partitions WHERE ref ~ '/[234]' ORDER BY 1;
-- of the outputs of a run that wait together, the most urgent ceases to wait
SELECT databuild.define_job('pair', ARRAY['[lr]/(.*)'], outputs => ARRAY['l/\1', 'r/\1']);
SELECT databuild.want(ARRAY['l/6'], 90, comment => 'left') > 0, databuild.want(ARRAY['r/6'], 5) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('l/6'), ARRAY['six']);
SELECT ref, state, priority FROM databuild.partitions WHERE ref ~ '/6|six' ORDER BY 1;
SELECT databuild.cancel_want(pg_temp.want('left'));
SELECT ref, state, priority FROM databuild.partitions WHERE ref ~ '/6|six' ORDER BY 1;
-- the lowest there is
SELECT databuild.want(ARRAY['d/5'], -100) > 0;
SELECT ref, state, priority FROM databuild.partitions WHERE ref ~ '/5' ORDER BY 1;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
