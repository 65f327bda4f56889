-- The reports of the wanted months once more, straight from the file, in one query; the rows that differ.

WITH observed AS (
	SELECT location AS city, date AS day, (temp_max + temp_min) / 2 AS temp, precipitation AS rain FROM demo.csv
), windows AS (
	SELECT city, day, round(avg(temp) OVER one, 2) AS temp_1w, round(avg(temp) OVER four, 2) AS temp_4w,
		   sum(rain) OVER one AS rain_1w, sum(rain) OVER four AS rain_4w
	FROM observed
	WINDOW one AS (PARTITION BY city ORDER BY day RANGE BETWEEN interval '6 days' PRECEDING AND CURRENT ROW),
		   four AS (PARTITION BY city ORDER BY day RANGE BETWEEN interval '27 days' PRECEDING AND CURRENT ROW)
), compared AS (
	SELECT *, 2 * temp_1w - sum(temp_1w) OVER (PARTITION BY day) AS ahead FROM windows
), expected AS (
	SELECT to_char(day, 'YYYY-MM') AS month, city, count(*), round(avg(temp_1w), 2), round(avg(temp_4w), 2),
		   max(rain_1w), max(rain_4w), sum((ahead > 0)::int), max(ahead), min(day) FILTER (WHERE ahead = highest)
	FROM (SELECT *, max(ahead) OVER (PARTITION BY city, to_char(day, 'YYYY-MM')) AS highest FROM compared) AS c
	GROUP BY 1, 2
)
SELECT e AS expected, r AS built
FROM (SELECT * FROM expected WHERE month = ANY (:'months')) AS e
	 FULL JOIN demo.report AS r ON (r.month, r.city) = (e.month, e.city)
WHERE e IS DISTINCT FROM r;
