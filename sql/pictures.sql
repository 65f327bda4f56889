/* ------------------------------------------------------------------------
 * pictures.sql: drawings for Graphviz, and a want as a page to read.
 *
 * All three are bounded: they show what matters most of a large want, and how
 * much they left out.  Whatever came from callers (refs, labels, reasons,
 * comments) passes dot_text() or html_text(); the numbers do not.  No state is
 * told by its colour alone.
 * ------------------------------------------------------------------------ */

CREATE FUNCTION databuild.dot_text(words text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT '"' || replace(replace(regexp_replace(words, '[\x01-\x1f\x7f]', ' ', 'g'), '\', '\\'), '"', '\"') || '"'
$$;
COMMENT ON FUNCTION databuild.dot_text IS 'Internal: words as a string in the language of Graphviz, where they stand for nothing but themselves.';

CREATE FUNCTION databuild.html_text(words text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT replace(replace(replace(replace(replace(regexp_replace(words, '[\x01-\x08\x0b-\x1f\x7f]', '?', 'g'),
		'&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;')
$$;
COMMENT ON FUNCTION databuild.html_text IS 'Internal: words as text in HTML, also within quotes, where they stand for nothing but themselves.';

CREATE FUNCTION databuild.html_time(at timestamptz) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN isfinite($1) THEN format('<time datetime="%sZ">%s UTC</time>', to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS'), to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')) END
$$;
COMMENT ON FUNCTION databuild.html_time IS 'Internal: a time in HTML.';

/* The states of partitions, what matters most first: how they look. */
CREATE VIEW databuild.state_look AS
	SELECT v.letter::"char" AS letter, v.rank, databuild.place_name('partition', v.letter::"char") AS state, v.sign, v.fill
	FROM (VALUES ('F', 1, '&#10007;', '#ff9c96'), ('X', 2, '!', '#ffc9a3'), ('R', 3, '&#8635;', '#ffe08a'), ('U', 4, '&#8230;', '#dccff7'),
		('T', 5, '~', '#f3b6dc'), ('M', 6, '&#9675;', '#ffffff'), ('Q', 7, '&#183;', '#e3e7ee'), ('B', 8, '&#9656;', '#a8d5ff'),
		('L', 9, '&#10003;', '#b7e4c7')) AS v(letter, rank, sign, fill);
COMMENT ON VIEW databuild.state_look IS 'Internal: the states of partitions as pictures show them.';

/* ---- drawings ---- */

CREATE FUNCTION databuild.lineage_dot(partition text, direction text = 'upstream', max_depth int = 10, max_edges int = 500) RETURNS text
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF max_edges IS NULL OR max_edges < 0 THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'argument "max_edges" must not be null or negative';
	END IF;
	RETURN (
		WITH l AS MATERIALIZED (SELECT l.output, l.run_id, l.input, l.input_run_id, bool_or(l.stale) AS stale, min(l.n) AS n
				FROM databuild.lineage($1, $2, $3) WITH ORDINALITY AS l(depth, output, run_id, input, input_run_id, stale, n) WHERE l.input IS NOT NULL GROUP BY 1, 2, 3, 4),
		e AS MATERIALIZED (SELECT * FROM l ORDER BY l.n LIMIT max_edges),
		r AS (SELECT $1 AS ref UNION SELECT e.output FROM e UNION SELECT e.input FROM e),
		n AS MATERIALIZED (SELECT 'p' || p.id AS node, p.ref, s.state, s.fill FROM r JOIN databuild.partition p ON p.ref = r.ref
			JOIN databuild.state_look s ON s.letter = p.state)
		SELECT E'digraph lineage {\n  rankdir=LR;\n  node [shape=box, style="rounded,filled"];\n'
			|| (SELECT string_agg(format(E'  %s [label=%s, fillcolor="%s"%s];\n', n.node, databuild.dot_text(n.ref) || ' + "\n' || n.state || '"', n.fill,
				CASE WHEN n.ref = $1 THEN ', penwidth=3' ELSE '' END), '' ORDER BY n.ref COLLATE "C") FROM n)
			|| coalesce((SELECT string_agg(format(E'  %s -> %s [label="run %s"%s];\n', i.node, o.node, e.run_id,
				CASE WHEN e.stale THEN format(' + "\nread %s: stale", style=dashed', e.input_run_id) ELSE '' END), '' ORDER BY e.n)
				FROM e JOIN n AS o ON o.ref = e.output JOIN n AS i ON i.ref = e.input), '')
			|| coalesce((SELECT format(E'  more [label="and %s more", shape=plaintext, style=""];\n', count(*) - max_edges) FROM l HAVING count(*) > max_edges), '')
			|| E'}\n');
END
$$;
COMMENT ON FUNCTION databuild.lineage_dot IS
'lineage() as a drawing in the language of Graphviz, with the state of each ref; what was read and is not the newest any more is dashed: psql -XAtc "SELECT databuild.lineage_dot(''report/1'')" | dot -Tsvg >lineage.svg
max_edges: so many arrows, nearest first. Reads only. Raises 22023, 42704 (a ref that is not known).';

CREATE FUNCTION databuild.want_dot(want_id bigint, max_refs int = 100) RETURNS text
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1
AS $$
DECLARE
	asked ALIAS FOR $1;
BEGIN
	IF asked IS NULL OR max_refs IS NULL OR max_refs < 0 THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'want_dot() needs a want, and a number of refs that is not negative';
	END IF;
	IF NOT EXISTS (SELECT FROM databuild.want w WHERE w.want_id = asked) THEN
		RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('want %s does not exist', asked),
			HINT = 'SELECT want_id, comment FROM databuild.wants shows the wants.';
	END IF;
	RETURN (
		WITH RECURSIVE m AS MATERIALIZED (SELECT m.part AS id FROM databuild.want_part m WHERE m.want_id = asked),
		n(id) AS (
			SELECT m.id FROM m
			UNION
			SELECT e.upstream FROM n
				CROSS JOIN LATERAL (SELECT FROM databuild.partition w WHERE w.id = n.id AND w.state IN ('U', 'X') OFFSET 0) AS w
				CROSS JOIN LATERAL (SELECT e.upstream FROM databuild.edge e WHERE e.waiter = n.id OFFSET 0) AS e
				CROSS JOIN LATERAL (SELECT FROM databuild.partition p WHERE p.id = e.upstream AND p.state <> 'L' OFFSET 0) AS p),
		a AS MATERIALIZED (SELECT p.id, p.ref, p.state AS letter, j.label, s.state, s.fill, row_number() OVER (ORDER BY s.rank, p.ref COLLATE "C") AS nth
			FROM n CROSS JOIN LATERAL (SELECT * FROM databuild.partition p WHERE p.id = n.id OFFSET 0) AS p
			LEFT JOIN LATERAL (SELECT j.label FROM databuild.job j WHERE j.job_id = p.job_id OFFSET 0) AS j ON true
			JOIN databuild.state_look s ON s.letter = p.state),
		c AS MATERIALIZED (SELECT a.* FROM a WHERE a.nth <= max_refs)
		SELECT E'digraph want {\n  rankdir=LR;\n  node [shape=box, style="rounded,filled"];\n'
			|| (SELECT format(E'  want [label=%s, shape=ellipse, fillcolor=white, penwidth=2];\n',
				databuild.dot_text(format('want %s', asked) || coalesce(': ' || w.comment, '')) || format(' + "\n%s: %s of %s live"', w.state, w.live, w.total))
				FROM databuild.wants w WHERE w.want_id = asked)
			|| coalesce((SELECT string_agg(format(E'  p%s [label=%s, fillcolor="%s"];\n', c.id,
				databuild.dot_text(c.ref) || ' + "\n' || c.state || '"' || coalesce(' + " by " + ' || databuild.dot_text(c.label), ''), c.fill), '' ORDER BY c.nth) FROM c), '')
			|| coalesce((SELECT string_agg(format(E'  p%s -> p%s;\n', u.id, c.id), '' ORDER BY u.nth, c.nth)
				FROM c CROSS JOIN LATERAL (SELECT DISTINCT e.upstream FROM databuild.edge e WHERE e.waiter = c.id OFFSET 0) AS e JOIN c AS u ON u.id = e.upstream
				WHERE c.letter IN ('U', 'X')), '')
			|| coalesce((SELECT string_agg(format(E'  p%s -> want;\n', c.id), '' ORDER BY c.nth) FROM c JOIN m ON m.id = c.id), '')
			|| coalesce((SELECT format(E'  more [label="and %s more:%s", style="rounded,dashed"];\n  more -> want [style=dashed];\n', sum(k.n),
				string_agg(format('\n%s %s', k.n, k.state), '' ORDER BY k.first))
				FROM (SELECT a.state, count(*) AS n, min(a.nth) AS first FROM a WHERE a.nth > max_refs GROUP BY 1) AS k HAVING count(*) > 0), '')
			|| E'}\n');
END
$$;
COMMENT ON FUNCTION databuild.want_dot IS
'The want as a drawing in the language of Graphviz: its partitions, and what keeps them waiting, however far upstream, each with its state and job: psql -XAtc "SELECT databuild.want_dot(7)" | dot -Tsvg >want.svg
max_refs: so many, failures first, live ones last; of the others, how many there are in each state. Reads only. Raises 22023, 42704 (unknown want).';

/* ---- the page ---- */

/*
 * The grid: a ref is a dataset and a key in it.  The key is the first date in
 * the ref, the dataset the rest; without a date, the last part of the path is
 * the key.  Where that makes too many datasets, the first part of the path is
 * the dataset.  Where there are too many keys, neighbours share a cell.
 */
CREATE FUNCTION databuild.html_grid(parts bigint[]) RETURNS text
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET join_collapse_limit = 1
AS $$
	WITH p AS MATERIALIZED (
		SELECT p.ref, s.rank, s.state, substring(p.ref FROM '\d{4}-\d\d(?:-\d\d)?(?:[T ]\d\d(?::?\d\d)?)?') AS date
		FROM unnest($1) AS u(id) CROSS JOIN LATERAL (SELECT p.ref, p.state FROM databuild.partition p WHERE p.id = u.id OFFSET 0) AS p
		JOIN databuild.state_look s ON s.letter = p.state),
	d AS MATERIALIZED (SELECT p.ref, p.rank, p.state, p.date, CASE WHEN p.date IS NULL THEN coalesce(substring(p.ref FROM '^(.*)/'), '')
		ELSE left(p.ref, position(p.date IN p.ref) - 1) || '*' || substr(p.ref, position(p.date IN p.ref) + length(p.date)) END AS set FROM p),
	many AS (SELECT count(DISTINCT d.set) > 200 AS so FROM d),
	k AS MATERIALIZED (SELECT d.rank, d.state,
			CASE WHEN many.so THEN split_part(d.ref, '/', 1) ELSE d.set END AS set,
			CASE WHEN many.so THEN coalesce(substring(d.ref FROM '/(.*)'), '') WHEN d.date IS NOT NULL THEN d.date ELSE substring(d.ref FROM '[^/]*$') END AS key
		FROM d CROSS JOIN many),
	-- 10 after 9; as many neighbours to a cell as keep the page small
	o AS (SELECT k.set, k.key, k.rank, row_number() OVER (PARTITION BY k.set ORDER BY regexp_replace(k.key, '\d+$', '') COLLATE "C", length(k.key), k.key COLLATE "C") AS nth,
			greatest(1, ceil(count(*) OVER () / 12000.0)::int) AS size FROM k),
	c AS MATERIALIZED (SELECT o.set, (o.nth - 1) / o.size AS cell, count(*) AS n, min(o.rank) AS rank, (array_agg(o.key ORDER BY o.nth))[1] AS first,
			(array_agg(o.key ORDER BY o.nth DESC))[1] AS last FROM o GROUP BY 1, 2),
	t AS (SELECT x.set, string_agg(x.n || ' ' || x.state, ', ' ORDER BY x.rank) AS told, min(x.rank) AS rank
		FROM (SELECT k.set, k.state, k.rank, count(*) AS n FROM k GROUP BY 1, 2, 3) AS x GROUP BY 1),
	s AS (SELECT t.*, row_number() OVER (ORDER BY t.rank, t.set COLLATE "C") AS nth FROM t)
	SELECT coalesce((SELECT string_agg(format('<h3><bdi>%s</bdi></h3><p>%s, %s</p><div class="grid" role="img" aria-label="%s">%s</div>',
			CASE WHEN s.set = '' THEN '(no path)' ELSE databuild.html_text(s.set) END,
			CASE WHEN g.first = g.last THEN format('<bdi>%s</bdi>', databuild.html_text(left(g.first, 100)))
				ELSE format('<bdi>%s</bdi> to <bdi>%s</bdi>', databuild.html_text(left(g.first, 100)), databuild.html_text(left(g.last, 100))) END,
			s.told, databuild.html_text(left(s.set, 200)) || ': ' || s.told, g.cells), E'\n' ORDER BY regexp_replace(s.set, '\d+$', '') COLLATE "C", length(s.set), s.set COLLATE "C")
		FROM s CROSS JOIN LATERAL (
			SELECT string_agg(format('<i class="%s" title="%s: %s">%s</i>', l.letter,
					databuild.html_text(left(c.first, 100)) || CASE WHEN c.n > 1 THEN ' to ' || databuild.html_text(left(c.last, 100)) ELSE '' END,
					l.state || CASE WHEN c.n > 1 THEN format(' is the worst of %s', c.n) ELSE '' END, l.sign), '' ORDER BY c.cell) AS cells,
				(array_agg(c.first ORDER BY c.cell))[1] AS first, (array_agg(c.last ORDER BY c.cell DESC))[1] AS last
			FROM c JOIN databuild.state_look l ON l.rank = c.rank WHERE c.set = s.set) AS g
		WHERE s.nth <= 200), '')
	|| coalesce((SELECT format(E'\n<p>And %s more datasets, the worst of which are %s.</p>', count(*), (SELECT l.state FROM databuild.state_look l WHERE l.rank = min(s.rank)))
		FROM s WHERE s.nth > 200 HAVING count(*) > 0), '')
$$;
COMMENT ON FUNCTION databuild.html_grid IS 'Internal: the states of partitions by dataset and date, in HTML.';

/* The newest run of each of the partitions, in 48 steps from the first to the last. */
CREATE FUNCTION databuild.html_runs(parts bigint[], since timestamptz) RETURNS text
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET join_collapse_limit = 1
AS $$
	WITH r AS MATERIALIZED (SELECT r.run_id, r.state, r.started_at, nullif(r.finished_at, 'infinity') AS finished_at
		FROM (SELECT DISTINCT i.run_id FROM unnest($1) AS u(id)
			CROSS JOIN LATERAL (SELECT p.run, p.live_run FROM databuild.partition p WHERE p.id = u.id OFFSET 0) AS p
			CROSS JOIN LATERAL (VALUES (p.run), (p.live_run)) AS i(run_id)) AS i
		CROSS JOIN LATERAL (SELECT r.* FROM databuild.run r WHERE r.run_id = i.run_id OFFSET 0) AS r
		WHERE r.finished_at >= $2),
	b AS MATERIALIZED (SELECT min(r.finished_at) AS first, max(r.finished_at) AS last,
			greatest(extract(epoch FROM max(r.finished_at) - min(r.finished_at)) / 48, 1)::float8 AS step,
			count(*) FILTER (WHERE r.state = 'R') AS running, count(r.finished_at) AS ended,
			count(*) FILTER (WHERE r.state = 'S') AS succeeded, count(*) FILTER (WHERE r.state = 'D') AS missed,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM r.finished_at - r.started_at)::float8) FILTER (WHERE r.state = 'S') AS median,
			max(extract(epoch FROM r.finished_at - r.started_at)::float8) FILTER (WHERE r.state = 'S') AS longest FROM r),
	x AS (SELECT least(47, floor(extract(epoch FROM r.finished_at - b.first)::float8 / b.step)::int) AS bin,
			count(*) FILTER (WHERE r.state = 'S') AS good, count(*) FILTER (WHERE r.state = 'D') AS missed, count(*) FILTER (WHERE r.state IN ('F', 'L', 'C')) AS bad
		FROM r CROSS JOIN b WHERE r.finished_at IS NOT NULL GROUP BY 1),
	h AS MATERIALIZED (SELECT x.*, 100.0 / max(x.good + x.missed + x.bad) OVER () AS unit, max(x.good + x.missed + x.bad) OVER () AS most FROM x)
	SELECT format('<p>%s</p>', CASE WHEN b.ended + b.running = 0 THEN 'No run has made any of it since it was wanted.'
			ELSE format('Of the newest runs of its partitions %s succeeded, %s failed or were lost or canceled, %s found inputs lacking, and %s %s under way.',
				b.succeeded, b.ended - b.succeeded - b.missed, b.missed, b.running, CASE b.running WHEN 1 THEN 'is' ELSE 'are' END)
			|| coalesce(format(' A successful one took %s s in the median, the longest %s s.', round(b.median::numeric, 1), round(b.longest::numeric, 1)), '') END)
		|| CASE WHEN b.ended = 0 THEN '' ELSE
			format('<figure><svg class="runs" viewBox="0 0 480 100" preserveAspectRatio="none" role="img" aria-label="Runs that ended, over time; the table below has the numbers.">'
				'<defs><pattern id="bad" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="4" height="4" fill="#ff9c96"/><rect width="1.5" height="4" fill="#8f1d14"/></pattern></defs>%s</svg>',
				(SELECT string_agg(
					CASE WHEN h.good > 0 THEN format('<rect x="%s" y="%s" width="9" height="%s" fill="#2f7d4f"/>', h.bin * 10, round(100 - h.good * h.unit, 1), round(h.good * h.unit, 1)) ELSE '' END
					|| CASE WHEN h.missed > 0 THEN format('<rect x="%s" y="%s" width="9" height="%s" fill="#b9a3e8"/>', h.bin * 10, round(100 - (h.good + h.missed) * h.unit, 1), round(h.missed * h.unit, 1)) ELSE '' END
					|| CASE WHEN h.bad > 0 THEN format('<rect x="%s" y="%s" width="9" height="%s" fill="url(#bad)"/>', h.bin * 10, round(100 - (h.good + h.missed + h.bad) * h.unit, 1), round(h.bad * h.unit, 1)) ELSE '' END,
					'' ORDER BY h.bin) FROM h))
			|| format('<figcaption><span>%s</span><span>%s</span></figcaption></figure>', databuild.html_time(b.first), databuild.html_time(b.last))
			|| format('<p>The highest bar is %s. <span class="key" style="background:#2f7d4f"></span> succeeded <span class="key" style="background:#b9a3e8"></span> inputs lacking '
				'<span class="key hatched"></span> failed, lost or canceled</p>', (SELECT max(h.most) FROM h))
			|| format('<details><summary>The numbers</summary><div class="wide" tabindex="0" role="region" aria-label="Runs over time"><table><thead><tr><th scope="col">From</th><th scope="col">Succeeded</th><th scope="col">Inputs lacking</th><th scope="col">Failed, lost, canceled</th></tr></thead><tbody>%s</tbody></table></div></details>',
				(SELECT string_agg(format('<tr><th scope="row">%s</th><td>%s</td><td>%s</td><td>%s</td></tr>', databuild.html_time(b.first + h.bin * b.step * interval '1 s'), h.good, h.missed, h.bad), E'\n' ORDER BY h.bin) FROM h)) END
	FROM b
$$;
COMMENT ON FUNCTION databuild.html_runs IS 'Internal: the newest runs of partitions over time, in HTML.';

CREATE FUNCTION databuild.report_html(want_id bigint) RETURNS text
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET join_collapse_limit = 1
AS $$
DECLARE
	asked ALIAS FOR $1;
	w record;
	now_ timestamptz := databuild.clock();
	parts bigint[];
	head text;
	progress text;
	blocks text;
	lacking text;
BEGIN
	IF asked IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'argument "want_id" must not be null';
	END IF;
	SELECT * INTO w FROM databuild.wants x WHERE x.want_id = asked;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('want %s does not exist', asked),
			HINT = 'SELECT want_id, comment FROM databuild.wants shows the wants.';
	END IF;
	parts := ARRAY(SELECT m.part FROM databuild.want_part m WHERE m.want_id = asked);

	SELECT string_agg(format('<dt>%s</dt><dd>%s</dd>', d.term, d.told), '' ORDER BY d.n) INTO head
	FROM (VALUES (1, 'State', format('<strong>%s</strong>', w.state)),
		(2, 'Wanted', databuild.html_time(w.created_at)),
		(3, 'Due', databuild.html_time(w.due_at) || CASE WHEN w.due_at <= now_ AND w.state NOT IN ('successful', 'canceled', 'expired') THEN ' <strong>late</strong>' ELSE '' END),
		(4, 'Expires', databuild.html_time(w.expires_at)),
		(5, 'Ended', databuild.html_time(w.ended_at)),
		(6, 'Data of', databuild.html_time(w.data_timestamp)),
		(7, 'Priority', w.priority::text),
		(8, 'Source', format('<bdi>%s</bdi>', databuild.html_text(left(nullif(w.source, ''), 500)))),
		(9, 'Key', format('<bdi>%s</bdi>', databuild.html_text(left(nullif(w.key, ''), 500)))),
		(10, 'Made by', CASE WHEN w.derivative THEN 'databuild, because others need it' END)) AS d(n, term, told)
	WHERE d.told IS NOT NULL AND d.told <> '<bdi></bdi>';

	SELECT format('<p>%s of %s partitions are live (%s %%).</p><div class="bar" role="img" aria-label="%s">%s</div><ul class="legend">%s</ul>',
			w.live, w.total, trunc(100.0 * w.live / greatest(w.total, 1), 1), string_agg(c.n || ' ' || s.state, ', ' ORDER BY s.rank DESC),
			string_agg(format('<i class="%s" style="flex:%s">%s</i>', s.letter, c.n, CASE WHEN c.n * 25 >= w.total THEN s.sign ELSE '' END), '' ORDER BY s.rank DESC),
			string_agg(format('<li><i class="%s" aria-hidden="true">%s</i> %s %s</li>', s.letter, s.sign, c.n, s.state), E'\n' ORDER BY s.rank DESC))
		INTO progress
	FROM (SELECT p.state, count(*) AS n FROM unnest(parts) AS u(id)
		CROSS JOIN LATERAL (SELECT p.state FROM databuild.partition p WHERE p.id = u.id OFFSET 0) AS p GROUP BY 1) AS c
	JOIN databuild.state_look s ON s.letter = c.state;

	SELECT string_agg(format('<li><p><strong>%s</strong>: %s %s, such as <bdi class="ref">%s</bdi></p><p><bdi>%s</bdi></p>%s</li>', y.reason, y.partitions,
			CASE y.partitions WHEN 1 THEN 'partition' ELSE 'partitions' END, databuild.html_text(y.example), databuild.html_text(left(y.detail, 2000)),
			coalesce(format('<p>&#8594; <bdi>%s</bdi></p>', databuild.html_text(left(y.hint, 2000))), '')), E'\n' ORDER BY y.n) FILTER (WHERE y.n <= 50)
		|| CASE WHEN count(*) > 50 THEN format('<li>And %s more causes.</li>', count(*) - 50) ELSE '' END
		INTO blocks
	FROM databuild.why_want(asked) WITH ORDINALITY AS y(reason, partitions, example, detail, hint, n)
	WHERE w.state NOT IN ('canceled', 'expired');

	SELECT string_agg(format('<tr><th scope="row" class="ref"><bdi>%s</bdi></th><td>%s&#160;%s</td><td>%s</td><td><bdi>%s</bdi></td></tr>',
			databuild.html_text(x.ref), x.sign, x.state, databuild.html_time(x.since), coalesce(databuild.html_text(left(x.reason, 500)), '')), E'\n' ORDER BY x.nth)
		INTO lacking
	FROM (SELECT p.ref, p.since, s.state, s.sign, coalesce(n.reason, t.note, t.cause) AS reason, row_number() OVER (ORDER BY s.rank, p.ref COLLATE "C") AS nth
		FROM unnest(parts) AS u(id) CROSS JOIN LATERAL (SELECT p.* FROM databuild.partition p WHERE p.id = u.id OFFSET 0) AS p
		JOIN databuild.state_look s ON s.letter = p.state
		LEFT JOIN LATERAL (SELECT t.note, t.cause FROM databuild.trouble t WHERE t.part = p.id OFFSET 0) AS t ON true
		LEFT JOIN LATERAL (SELECT n.reason FROM databuild.run_note n WHERE n.run_id = p.run AND p.state IN ('F', 'R') OFFSET 0) AS n ON true
		WHERE p.state <> 'L' ORDER BY s.rank, p.ref COLLATE "C" LIMIT 100) AS x;

	RETURN format($page$<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Want %1$s: %2$s</title>
<style>
:root { color-scheme: light }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; font: 1rem/1.45 system-ui, sans-serif; color: #1b1b1b; background: #fff; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin: .5rem 0 } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem } h3 { font-size: 1rem; margin: 1rem 0 0 }
p { margin: .25rem 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .5rem 0 } dd { margin: 0 } dt { color: #4a4f57 }
i { font-style: normal; text-align: center; color: #1b1b1b }
.bar { display: flex; height: 2rem; border: 1px solid #4a4f57; overflow: hidden } .bar i { line-height: 2rem; min-width: 2px }
.bar i + i { border-left: 1px solid #4a4f57 }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem } .legend i, .grid i { display: inline-block; width: 1.25rem; height: 1.25rem; line-height: 1.15rem; font-size: .85rem; border: 1px solid #767c86 }
.grid { display: flex; flex-wrap: wrap; gap: 1px; margin: .25rem 0 }
.blocks { padding-left: 1.2rem } .blocks li { margin-bottom: .75rem }
.ref { font-family: ui-monospace, monospace; font-size: .9em }
.wide { overflow-x: auto } table { border-collapse: collapse; width: 100%% } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #c5c9d0; font-weight: normal; min-width: 6rem } thead th { font-weight: bold }
th.ref { min-width: 12rem }
figure { margin: .5rem 0 } .runs { display: block; width: 100%%; height: 8rem; border-bottom: 2px solid #4a4f57 } figcaption { display: flex; justify-content: space-between; gap: 1rem; font-size: .9rem }
.key { display: inline-block; width: 1em; height: 1em; vertical-align: -.1em; border: 1px solid #4a4f57; margin-left: .5em } .hatched { background: repeating-linear-gradient(45deg, #ff9c96 0 3px, #8f1d14 3px 5px) }
summary { cursor: pointer } footer { margin-top: 2rem; color: #4a4f57 }
%3$s
</style></head>
<body>
<header><h1>Want %1$s: <bdi>%2$s</bdi></h1>
<dl>%4$s</dl></header>
<main>
<section aria-labelledby="progress"><h2 id="progress">Progress</h2>
%5$s</section>
<section aria-labelledby="blocks"><h2 id="blocks">What blocks it</h2>
%6$s</section>
<section aria-labelledby="grid"><h2 id="grid">Its partitions</h2>
%7$s
%8$s</section>
<section aria-labelledby="runs"><h2 id="runs">Runs over time</h2>
%9$s</section>
</main>
<footer><p>As of %10$s. Made by databuild %11$s.</p></footer>
</body></html>$page$,
		asked, coalesce(databuild.html_text(left(nullif(w.comment, ''), 500)), format('%s partitions', w.total)),
		(SELECT string_agg(format('i.%s { background: %s }', s.letter, s.fill), ' ' ORDER BY s.rank) FROM databuild.state_look s),
		head, coalesce(progress, '<p>It covers nothing any more.</p>'),
		CASE WHEN w.state IN ('canceled', 'expired') THEN format('<p>It is %s.</p>', w.state)
			ELSE coalesce('<ul class="blocks">' || blocks || '</ul>', '<p>Nothing: all of it is live.</p>') END,
		databuild.html_grid(parts),
		CASE WHEN w.live < w.total THEN format('<details%s><summary>%s</summary><div class="wide" tabindex="0" role="region" aria-label="Partitions that are not live"><table><thead><tr><th scope="col">Partition</th><th scope="col">State</th><th scope="col">Since</th><th scope="col">Reason</th></tr></thead><tbody>%s</tbody></table></div></details>',
			CASE WHEN w.total - w.live <= 10 THEN ' open' ELSE '' END,
			CASE WHEN w.total - w.live > 100 THEN format('The first 100 of %s that are not live', w.total - w.live) ELSE 'What is not live' END, lacking) ELSE '' END,
		databuild.html_runs(parts, w.created_at),
		databuild.html_time(now_), (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'databuild'));
END
$$;
COMMENT ON FUNCTION databuild.report_html IS
'The want as one page of HTML that needs nothing else, no script either: its progress, what blocks it, the state of its partitions by dataset and date, the first 100 that are not live, and their newest runs over time: psql -XAtc "SELECT databuild.report_html(7)" >want.html
A ref''s date is the first in it, its dataset the rest; without a date, the last part of the path stands for it. Reads only. Raises 22023, 42704 (unknown want).';
