-- A worker whose connection broke at commit could not ask again, or would change something by it; or two contradicting reports would both count.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble

SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.want(ARRAY['f', 'm', 'r', 's']) > 0;
SELECT pg_temp.claim(n => 4);
SELECT databuild.succeed(pg_temp.run('s'), metadata => '{"n": 1}');
SELECT databuild.fail(pg_temp.run('f'), 'why not');
SELECT databuild.miss(pg_temp.run('m'), ARRAY['x'], metadata => '{"n": 2}');
CREATE TEMP TABLE told AS SELECT * FROM databuild.events;
CREATE TEMP TABLE ended AS SELECT * FROM databuild.job_runs;

-- once more, and with other words: nothing changes
SELECT databuild.succeed(pg_temp.run('s'), metadata => '{"n": 1}');
SELECT databuild.succeed(pg_temp.run('s'), made => ARRAY['s']);
SELECT databuild.succeed_many(ARRAY[pg_temp.run('s'), pg_temp.run('s')]);
SELECT databuild.fail(pg_temp.run('f'), 'why not');
SELECT databuild.fail(pg_temp.run('f'), 'another reason', retry => false, metadata => '{}');
SELECT databuild.miss(pg_temp.run('m'), ARRAY['x'], metadata => '{"n": 2}');
SELECT databuild.miss(pg_temp.run('m'), ARRAY['r', 'x'], impacted => ARRAY['m']);
SELECT count(*) FROM databuild.events WHERE event_id NOT IN (SELECT event_id FROM told);
(TABLE ended EXCEPT TABLE databuild.job_runs) UNION ALL (TABLE databuild.job_runs EXCEPT TABLE ended);
SELECT * FROM pg_temp.states();

-- contradicting ones are refused, each in each state, and change nothing
SELECT r.ref, pg_temp.refused(format(c.call, pg_temp.run(r.ref))) FROM
	unnest(ARRAY['f', 'm', 's']) AS r(ref),
	unnest(ARRAY['SELECT databuild.succeed(%s)', 'SELECT databuild.succeed_many(ARRAY[%s])', 'SELECT databuild.fail(%s, ''x'')', 'SELECT databuild.miss(%s, ARRAY[''y''])'])
		WITH ORDINALITY AS c(call, n)
	WHERE (r.ref, c.n) NOT IN (('f', 3), ('m', 4), ('s', 1), ('s', 2)) ORDER BY r.ref, c.n;
-- all or none: one of the two could succeed
SELECT pg_temp.refused(format('SELECT databuild.succeed_many(ARRAY[%s, %s])', pg_temp.run('r'), pg_temp.run('f')));
SELECT count(*) FROM databuild.events WHERE event_id NOT IN (SELECT event_id FROM told);
SELECT * FROM pg_temp.states();
-- together with one that succeeded already, the other does
SELECT databuild.succeed_many(ARRAY[pg_temp.run('r'), pg_temp.run('s')]);
SELECT * FROM pg_temp.states();
SELECT kind, refs FROM databuild.events WHERE event_id NOT IN (SELECT event_id FROM told) ORDER BY event_id;

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
