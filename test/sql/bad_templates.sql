-- A job whose templates make no sense would be taken, and then no ref of it be wanted without an error.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

CREATE TEMP TABLE calls (n serial, patterns text, inputs text);
INSERT INTO calls (patterns, inputs) VALUES
	('{"x/(.)"}', '{"\\2"}'), ('{"x/(.)","y/.*"}', '{"a/\\1"}'), ('{"x/(?:.)"}', '{"\\1"}'), ('{"(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)"}', '{"\\0"}'),
	('{"x"}', '{"a\\"}'), ('{"x"}', '{"a\\q"}'), ('{"x"}', '{"a\\n"}'), ('{"x"}', '{""}'), ('{"x"}', '{}'), ('{"x"}', '{NULL}'), ('{"x"}', '{"a",NULL}'), ('{"x"}', '{{"a"},{"b"}}'),
	('{"x"}', '{"a","b\\1"}');
SELECT patterns, inputs, pg_temp.refused(format('SELECT databuild.define_job(%L, %L, inputs => %L)', 'j', patterns::text[], inputs)) FROM calls ORDER BY n;
SELECT count(*) FROM databuild.jobs;
SELECT count(*) FROM databuild.events;
-- what is allowed
SELECT databuild.define_job('j', ARRAY['(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)'], inputs => ARRAY['\9\1', '\\', '\&\&', 'é', ' ']);
SELECT databuild.define_job('any', ARRAY['..?', 'é', ' ', '.{20}', '\\']);
SELECT databuild.want(ARRAY['abcdefghij']) > 0;
SELECT upstream FROM databuild.dependencies ORDER BY 1;
-- what a template makes of a ref: too long, or nothing; the want is refused, and nothing is left of it
SELECT databuild.define_job('long', ARRAY['long/(.*)'], inputs => ARRAY['\1\1\1']);
SELECT databuild.define_job('none', ARRAY['none/(.*)'], inputs => ARRAY['\1']);
SELECT count(*) AS told FROM databuild.events \gset
SELECT pg_temp.refused(format('SELECT databuild.want(ARRAY[%L])', 'long/' || repeat('x', 400)));
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['none/', 'none/ab'])$$);
SELECT count(*) - :told FROM databuild.events;
SELECT count(*) FROM databuild.partitions WHERE ref ~ '^(long|none)';
-- one that always makes new refs
SELECT databuild.define_job('deep', ARRAY['deep(/.*)?'], inputs => ARRAY['\&/x']);
SELECT regexp_replace(pg_temp.refused($$SELECT databuild.want(ARRAY['deep'])$$), 'ref of \d+ bytes', 'ref of N bytes');
SELECT count(*) FROM databuild.partitions WHERE ref ~ '^deep';
-- an input that two jobs make; the same if the definition would make it so for known refs
SELECT databuild.define_job('p', ARRAY['amb/1']);
SELECT databuild.define_job('q', ARRAY['amb/.']);
SELECT databuild.define_job('r', ARRAY['r/(.)'], inputs => ARRAY['amb/\1']);
SELECT pg_temp.refused($$SELECT databuild.want(ARRAY['r/1'])$$);
SELECT databuild.want(ARRAY['r/2']) > 0;
SELECT databuild.define_job('known', ARRAY['known/(.)']);
SELECT databuild.publish(ARRAY['known/1']);
SELECT pg_temp.refused($$SELECT databuild.define_job('known', ARRAY['known/(.)'], inputs => ARRAY['amb/\1'])$$);
SELECT left(pg_temp.refused($$SELECT databuild.define_job('known', ARRAY['known/(.)'], inputs => ARRAY['amb/\1', '\1\1\1\1\1\1' || repeat('x', 1020)])$$), 60);
SELECT inputs FROM databuild.jobs WHERE label = 'known';
SELECT count(*) FROM databuild.partitions WHERE ref = 'amb/1';

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
