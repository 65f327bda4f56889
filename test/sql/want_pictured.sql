-- The page or the drawing of a want would show what is not so, run what is written in a ref, or be too large to look at.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
-- what is not as it must be of a page: tags, attributes and references that are none of ours, tags that are not closed
CREATE FUNCTION pg_temp.ill(page text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	t text[]; open text[] := '{}'; words text := page;
BEGIN
	words := regexp_replace(words, '<style>[^<]*</style>', '');
	FOR t IN SELECT regexp_matches(words, '<(/?)([^\s>]*)((?:\s[^">]*(?:"[^"]*"[^">]*)*)?)>', 'g') LOOP
		IF t[2] NOT IN ('!DOCTYPE', 'html', 'head', 'meta', 'title', 'body', 'header', 'main', 'section', 'footer', 'h1', 'h2', 'h3', 'p', 'dl', 'dt', 'dd', 'ul', 'li', 'div', 'i',
			'bdi', 'strong', 'time', 'span', 'details', 'summary', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'figure', 'figcaption', 'svg', 'defs', 'pattern', 'rect') THEN
			RETURN NEXT 'tag ' || t[2];
		ELSIF regexp_replace(t[3], '\s(html|lang|charset|name|content|http-equiv|id|class|style|title|role|aria-label|aria-labelledby|aria-hidden|tabindex|scope|open|datetime|viewBox|preserveAspectRatio|width|height|x|y|fill|patternUnits|patternTransform)(="[^"]*")?/?', '', 'g') !~ '^/?$' THEN
			RETURN NEXT 'attributes of ' || t[2] || t[3];
		ELSIF t[1] = '/' THEN
			IF open[cardinality(open)] IS DISTINCT FROM t[2] THEN
				RETURN NEXT 'closes ' || t[2];
			END IF;
			open := trim_array(open, least(1, cardinality(open)));
		ELSIF t[2] NOT IN ('!DOCTYPE', 'meta') AND t[3] NOT LIKE '%/' THEN
			open := open || t[2];
		END IF;
	END LOOP;
	RETURN QUERY SELECT 'open ' || o FROM unnest(open) AS o;
	words := regexp_replace(words, '<[^\s>]*(?:\s[^">]*(?:"[^"]*"[^">]*)*)?>', '', 'g');
	RETURN QUERY SELECT 'bare ' || m[1] FROM regexp_matches(words, '([<>]|&(?!(?:amp|lt|gt|quot|#\d+);).{0,9}|[\x01-\x08\x0b-\x1f\x7f])', 'g') AS m;
END $$;
-- likewise of a drawing: what stands outside of its strings
CREATE FUNCTION pg_temp.drawn(dot text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT DISTINCT regexp_replace(regexp_replace(line, '"(\\.|[^"\\])*"', 'S', 'g'), '\d+', 'N', 'g') FROM regexp_split_to_table(dot, '\n') AS line ORDER BY 1
$$;
-- what is in a page, by a pattern
CREATE FUNCTION pg_temp.says(page text, pattern text) RETURNS SETOF text LANGUAGE sql AS
	$$SELECT m[1] FROM regexp_matches(page, pattern, 'g') AS m$$;
-- cells by dataset and state
CREATE FUNCTION pg_temp.cells(page text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT m[1] || ': ' || m[2] || ': ' || (SELECT string_agg(c[1], '' ORDER BY n) FROM regexp_matches(m[3], '<i class="(.)"', 'g') WITH ORDINALITY AS c(c, n))
	FROM regexp_matches(page, '<h3><bdi>(.*?)</bdi></h3><p>(.*?)</p><div class="grid"[^>]*>(.*?)</div>', 'g') AS m
$$;

SET databuild.now = '2040-01-01 00:00:00+00';
SELECT databuild.define_source('raw', ARRAY['raw/.*']);
SELECT databuild.define_job('day', ARRAY['day/(.*)'], inputs => ARRAY['raw/\1'], max_attempts => 1);
SELECT databuild.define_job('top', ARRAY['top/(.*)'], inputs => ARRAY['day/\1'], max_attempts => 1);
SELECT databuild.define_job('any', ARRAY['[^rdtz].*'], max_attempts => 1);
SELECT databuild.publish(ARRAY['raw/2039-12-01/a', 'raw/2039-12-02/a', 'raw/2039-12-03/a', 'raw/2039-12-04/a']);
SELECT databuild.want(ARRAY['top/2039-12-01/a', 'top/2039-12-02/a', 'top/2039-12-05/a', 'day/2039-12-03/a', 'day/2039-12-04/a', 'x/9', 'x/10', 'x/8'], sla => '30 min', comment => 'mixed') > 0;
SELECT databuild.publish(ARRAY['x/9']);
SET databuild.now = '2040-01-01 01:00:00+00';
SELECT run_id, partitions FROM databuild.claim('w', ARRAY['day'], 1) \gset
SET databuild.now = '2040-01-01 01:00:10+00';
SELECT databuild.succeed(:run_id);
SELECT run_id, partitions FROM databuild.claim('w', ARRAY['day'], 1) \gset
SELECT databuild.fail(:run_id, 'disk full');
SELECT count(*) FROM databuild.claim('w', ARRAY['day'], 1);
CREATE TEMP VIEW page AS SELECT databuild.report_html(pg_temp.want('mixed')) AS page;
SELECT pg_temp.ill(page) FROM page;
SELECT regexp_replace(pg_temp.says(page, '<dd>(.*?)</dd>'), '</?time[^>]*>', '', 'g') FROM page;
SELECT pg_temp.says(page, '(\d+ of \d+ partitions are live \([\d.]+ %\))') FROM page;
SELECT pg_temp.says(page, '<li><i class="(.*?)</li>') FROM page;
SELECT pg_temp.says(page, '<div class="bar" role="img" aria-label="(.*?)"') FROM page;
SELECT pg_temp.cells(page) FROM page;
SELECT pg_temp.says(page, '<li><p><strong>(.*?)</p>') FROM page;
SELECT pg_temp.says(page, '<tr><th scope="row" class="ref"><bdi>(.*?)</bdi>') FROM page;
SELECT pg_temp.says(page, '<p>(Of the newest.*?)</p>') FROM page;
-- landmarks and headings in order
SELECT pg_temp.says(page, '<(header|main|section aria-labelledby="\w+|footer|h[12])\M') FROM page;
SELECT regexp_replace(databuild.want_dot(pg_temp.want('mixed')), 'p\d+', 'p', 'g');
SELECT regexp_replace(databuild.want_dot(pg_temp.want('mixed'), 2), 'p\d+', 'p', 'g');
-- stale, downstream, and cut off
SELECT databuild.publish(ARRAY['raw/2039-12-03/a']);
SELECT regexp_replace(databuild.lineage_dot('day/2039-12-03/a'), '(p|run |read )\d+', '\1N', 'g');
SELECT regexp_replace(databuild.lineage_dot('raw/2039-12-03/a', 'downstream'), '(p|run |read )\d+', '\1N', 'g');
SELECT databuild.lineage_dot('day/2039-12-03/a', max_edges => 0) ~ 'and 1 more';

-- all is there; over
SELECT databuild.publish(ARRAY['e/1']), databuild.want(ARRAY['e/1'], comment => 'there') > 0;
SELECT pg_temp.says(databuild.report_html(pg_temp.want('there')), '(Nothing: all of it is live|No run has made any of it)');
SELECT databuild.cancel_want(pg_temp.want('there'));
SELECT pg_temp.ill(databuild.report_html(pg_temp.want('there')));
SELECT pg_temp.says(databuild.report_html(pg_temp.want('there')), '(It is canceled|1 of 1 partitions)');
SELECT pg_temp.ill(databuild.report_html(want_id)) FROM databuild.wants WHERE derivative;
SELECT count(*) FROM databuild.wants w, databuild.report_html(w.want_id) AS page WHERE w.derivative AND page ~ 'because others need it';

-- hostile refs, jobs, reasons, comments, sources, keys
CREATE TEMP TABLE evil AS SELECT v FROM unnest(ARRAY['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', ''' onmouseover=''alert(1)', '</style></title></bdi></div></svg>',
	'<!--', ']]>', '&lt;b&gt; &amp', '\N\G\L\', '\"', '"]; evil -> evil [label="', E'\u202E drawrof \u2066', '{a|b}', '%s%1$s', E'<\u0301', '$page$']) AS v;
SELECT databuild.want(array_agg('e/' || v || '/2040-01-01' || v), source => string_agg(v, ' '), comment => 'evil ' || string_agg(v, ' '), key => string_agg(v, ' ')) AS evil FROM evil \gset
SELECT databuild.define_job('z"\<b>', ARRAY['z.*'], max_attempts => 1);
SELECT databuild.want(ARRAY['z"><i onclick=x>', 'z<b>']) AS label \gset
SELECT databuild.fail(run_id, v || E'\n\t\u001b[31m\u0001' || v, v <> '<!--') FROM (SELECT v, row_number() OVER () AS n FROM evil) AS e
	JOIN (SELECT run_id, row_number() OVER () AS n FROM databuild.claim('"><b>w', ARRAY['any', 'z"\<b>'], 16)) AS r USING (n);
SELECT pg_temp.ill(databuild.report_html(:evil));
SELECT pg_temp.ill(databuild.report_html(:label));
SELECT count(*) FROM pg_temp.says(databuild.report_html(:evil), '(&lt;script&gt;alert\(1\)&lt;/script&gt;)') HAVING count(*) < 4;
SELECT * FROM pg_temp.drawn(databuild.want_dot(:evil));
SELECT * FROM pg_temp.drawn(databuild.want_dot(:label));
SELECT count(*) FROM databuild.partitions p, pg_temp.drawn(databuild.lineage_dot(p.ref)) AS d WHERE p.ref ~ '^[ez]' AND d !~ '^(}|digraph lineage \{|  rankdir=LR;|  node \[shape=box, style=S\];|  pN \[label=S \+ S, fillcolor=S, penwidth=N\];|)$';

-- 13,000 partitions: neighbours share a cell, whose state is the worst; a page and a drawing that can be looked at
SELECT databuild.want(array_agg('k/' || '2039-01-01'::date + n / 26 || '/' || chr(97 + n % 26)), comment => 'many') > 0 FROM generate_series(0, 12999) AS n;
SELECT databuild.publish(array_agg('k/' || '2039-01-01'::date + n / 26 || '/' || chr(97 + n % 26))) FROM generate_series(0, 12998) AS n;
SELECT length(page) < 1000000, page ~ '12999 of 13000 partitions are live \(99.9 %\)', pg_temp.says(page, 'title="([^"]*worst of[^"]*)">&#183;') FROM databuild.report_html(pg_temp.want('many')) AS page;
SELECT count(*), sum(length(substring(c FROM '[A-Z]+$'))) FROM pg_temp.cells(databuild.report_html(pg_temp.want('many'))) AS c;
SELECT length(databuild.want_dot(pg_temp.want('many'))) < 30000, substring(databuild.want_dot(pg_temp.want('many')) FROM 'and .* live');
-- a dataset each: by the first part of the path
SELECT databuild.want(array_agg('m/2039-01-01/' || n), comment => 'cities') > 0 FROM generate_series(1, 300) AS n;
SELECT left(pg_temp.cells(databuild.report_html(pg_temp.want('cities'))), 60);
SELECT databuild.want(array_agg('n' || n || '/2039-01-01/' || n), comment => 'datasets') > 0 FROM generate_series(1, 300) AS n;
SELECT count(*) FROM pg_temp.cells(databuild.report_html(pg_temp.want('datasets')));
SELECT pg_temp.says(databuild.report_html(pg_temp.want('datasets')), '(And \d+ more datasets[^.]*\.)');

-- all of it is live: no table of what is not
SELECT databuild.define_source('there', ARRAY['there/.*']);
SELECT databuild.want(ARRAY['there/1']) AS there \gset
SELECT databuild.report_html(:there) ~ 'Partitions that are not live';
SELECT databuild.publish(ARRAY['there/1']);
SELECT databuild.report_html(:there) ~ 'Partitions that are not live';

-- refused
\set VERBOSITY terse
SELECT databuild.report_html(NULL);
SELECT databuild.report_html(999999);
SELECT databuild.want_dot(999999);
SELECT databuild.want_dot(NULL);
SELECT databuild.want_dot(1, -1);
SELECT databuild.lineage_dot('unknown');
SELECT databuild.lineage_dot(NULL);
SELECT databuild.lineage_dot('x/9', 'sideways');
SELECT databuild.lineage_dot('x/9', max_edges => NULL);
\set VERBOSITY default
-- the tables are what the log says, and a replay finds nothing else
SELECT * FROM databuild.verify();
CREATE TEMP TABLE before_replay AS SELECT * FROM databuild.partitions;
SELECT databuild.replay() > 0;
SELECT * FROM databuild.verify();
(TABLE before_replay EXCEPT TABLE databuild.partitions) UNION ALL (TABLE databuild.partitions EXCEPT TABLE before_replay);
