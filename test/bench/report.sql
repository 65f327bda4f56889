-- The table and the JSON, from figures (a file) and circumstances (stdin).
CREATE TEMP TABLE line (nr int GENERATED ALWAYS AS IDENTITY, goal int, name text, unit text, value numeric, op text, target numeric, nothing text);
CREATE TEMP TABLE circumstance (nr int GENERATED ALWAYS AS IDENTITY, key text, value text);
\set copy '\\copy line (goal, name, unit, value, op, target, nothing) FROM ' :'figures' ' WITH (NULL \'\')'
:copy
\copy circumstance (key, value) FROM pstdin

CREATE TEMP VIEW figure AS
	SELECT goal, min(nr) AS nr, name, unit, array_agg(value ORDER BY nr) AS "values", op, target,
		(percentile_disc(0.5) WITHIN GROUP (ORDER BY value)) AS median, min(value) AS least, max(value) AS greatest,
		CASE WHEN op IS NULL THEN NULL WHEN count(value) = 0 THEN false
			WHEN op = '<=' THEN percentile_disc(0.5) WITHIN GROUP (ORDER BY value) <= target
			ELSE percentile_disc(0.5) WITHIN GROUP (ORDER BY value) >= target END AS met
	FROM line GROUP BY goal, name, unit, op, target;

SELECT format('%s: %s', key, value) FROM circumstance WHERE value <> '' ORDER BY nr;
SELECT '';
SELECT '| # | figure | median | least to greatest | goal | |';
SELECT '|---|---|---|---|---|---|';
SELECT format('| %s | %s | %s | %s | %s | %s |', goal, name, coalesce(median || ' ' || coalesce(unit, ''), unit),
	CASE WHEN cardinality("values") > 1 THEN least || ' to ' || greatest END, op || ' ' || target,
	CASE WHEN met THEN 'met' WHEN NOT met THEN 'not met' END)
FROM figure ORDER BY goal, nr;
SELECT '';
SELECT json_build_object('circumstances', (SELECT json_object_agg(key, value ORDER BY nr) FROM circumstance),
	'figures', (SELECT json_agg(json_build_object('goal', goal, 'name', name, 'unit', unit, 'values', "values", 'median', median,
		'least', least, 'greatest', greatest, 'operator', op, 'target', target, 'met', met) ORDER BY goal, nr) FROM figure));
