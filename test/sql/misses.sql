-- A worker that goes on missing what is there, or never stops finding more, would go round for ever.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+'], max_misses => 3, max_attempts => 2);
SELECT databuild.publish(ARRAY['in']);
SELECT databuild.want(ARRAY['top']) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('top'), ARRAY['in']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('top'), ARRAY['in']);
SELECT * FROM pg_temp.states();
SELECT pg_temp.claim();
-- the third is one too many
SELECT databuild.miss(pg_temp.run('top'), ARRAY['in', 'more']);
SELECT * FROM pg_temp.states();
SELECT state, reason, detail ~ '^3 ', hint <> '' FROM databuild.why('top');
-- the log says what they missed, though it was live
SELECT refs FROM databuild.events WHERE kind = 'missed' ORDER BY event_id;
SELECT ref, attempts FROM databuild.partitions WHERE ref = 'top';
SELECT * FROM pg_temp.wants();
-- it waits for nothing, so nothing is wanted for it
SELECT pg_temp.claim(n => 10);
-- once it was live they count from the beginning
SELECT databuild.publish(ARRAY['top']);
SELECT databuild.want(ARRAY['second']) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('second'), ARRAY['a']);
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('a'));
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('second'), ARRAY['b']);
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('b'));
SELECT pg_temp.claim();
SELECT databuild.succeed(pg_temp.run('second'));
SELECT * FROM pg_temp.states();
-- a miss that nobody waits for counts, too
SELECT databuild.want(ARRAY['third'], comment => 'third') > 0;
SELECT pg_temp.claim();
SELECT databuild.cancel_want(want_id) FROM databuild.wants WHERE comment = 'third';
SELECT databuild.miss(pg_temp.run('third'), ARRAY['a']);
SELECT databuild.want(ARRAY['third']) > 0;
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('third'), ARRAY['a']);
SELECT pg_temp.claim();
SELECT databuild.miss(pg_temp.run('third'), ARRAY['a']);
SELECT state, reason, detail ~ '^3 ' FROM databuild.why('third');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
