-- What databuild says of its own states would not be what it does, or leave something out.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
-- every place of every machine with every signal of it, once
SELECT machine, count(DISTINCT place), count(DISTINCT signal), count(*) = count(DISTINCT place) * count(DISTINCT signal) AS total, count(*) = count(DISTINCT (place, signal)) AS once
	FROM databuild.net() GROUP BY 1 ORDER BY 1;
SELECT machine, string_agg(DISTINCT place, ' ' ORDER BY place) FROM databuild.net() GROUP BY 1 ORDER BY 1;
-- every target is a place, a repeated report, or a refusal
SELECT DISTINCT n.target FROM databuild.net() AS n WHERE target <> '(same)' AND NOT EXISTS (SELECT FROM databuild.net() AS p WHERE p.machine = n.machine AND p.place = n.target);
SELECT machine, place, signal FROM databuild.net() WHERE target = '(same)' ORDER BY 1, 2, 3;
-- no place of no return but the ends; none that nothing leads to
SELECT machine, place FROM databuild.net() GROUP BY 1, 2 HAVING bool_and(target IS NULL OR target IN (place, '(same)')) ORDER BY 1, 2;
SELECT machine, place FROM databuild.net() AS n WHERE place <> 'new' GROUP BY 1, 2
	HAVING NOT EXISTS (SELECT FROM databuild.net() AS f WHERE f.machine = n.machine AND f.target = n.place AND f.place <> n.place);
-- the partition's table of the design
SELECT place, string_agg(signal || '>' || target, ' ' ORDER BY signal COLLATE "C") FROM databuild.net() WHERE machine = 'partition' AND target IS NOT NULL GROUP BY 1 ORDER BY place COLLATE "C";
SELECT machine, place, string_agg(signal || '>' || target, ' ' ORDER BY signal COLLATE "C") FROM databuild.net() WHERE machine <> 'partition' AND target IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2;
-- whom a move tells: who claims or finishes a run its outputs; what is live its watchers, what is lost or recovers its waiters; a refusal nobody
SELECT machine, signal, tells, count(*) FROM databuild.net() WHERE tells <> '{}' GROUP BY 1, 2, 3 ORDER BY machine, signal COLLATE "C", tells::text COLLATE "C";
SELECT count(*) FROM databuild.net() WHERE target IS NULL AND tells <> '{}';
-- the drawing: one graph, each machine in it, all braces closed
SELECT split_part(net_dot, ' ', 1), net_dot ~ E'}\n$', length(net_dot) - length(replace(net_dot, '{', '')) = length(net_dot) - length(replace(net_dot, '}', '')) FROM databuild.net_dot();
SELECT count(*) FROM (SELECT DISTINCT machine, place, target FROM databuild.net() WHERE target <> place AND target <> '(same)') AS arrow,
	databuild.net_dot() WHERE net_dot !~ format('%1$s_%2$s -> %1$s_%3$s ', machine, place, target);
-- the kinds of events are all documented, and each says what it sends
SELECT kind, meaning <> '' AS meant, tells FROM databuild.event_kinds() ORDER BY kind COLLATE "C";

-- what the tables show are places of the net
SELECT databuild.define_job('j', ARRAY['[a-z]+']);
SELECT databuild.want(ARRAY['a', 'b']) > 0;
SELECT pg_temp.claim(n => 2);
SELECT databuild.miss(pg_temp.run('a'), ARRAY['c']);
SELECT DISTINCT state FROM databuild.partitions WHERE state NOT IN (SELECT place FROM databuild.net() WHERE machine = 'partition');
SELECT DISTINCT state FROM databuild.job_runs WHERE state NOT IN (SELECT place FROM databuild.net() WHERE machine = 'run');

-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
