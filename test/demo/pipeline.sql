-- The pipeline: daily -> trailing -> compare -> report, from the source noaa. To be run by a superuser.

CREATE EXTENSION databuild;

-- Who works needs no more than this: functions to call, relations to read, a schema for its own data.
CREATE ROLE demo_worker LOGIN;
GRANT USAGE ON SCHEMA databuild TO demo_worker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databuild TO demo_worker;
GRANT SELECT ON databuild.partitions, databuild.wants, databuild.want_partitions, databuild.job_runs TO demo_worker;
CREATE SCHEMA demo AUTHORIZATION demo_worker;

SELECT databuild.define_source('noaa', ARRAY['noaa/\d{4}-\d\d']);
SELECT databuild.define_job('daily', ARRAY['daily/\d{4}-\d\d-\d\d/[^/]+'],
	config => '{"build": "demo.build_daily"}');
SELECT databuild.define_job('trailing', ARRAY['trailing_1w/\d{4}-\d\d-\d\d/[^/]+', 'trailing_4w/\d{4}-\d\d-\d\d/[^/]+'],
	config => '{"build": "demo.build_trailing"}');
SELECT databuild.define_job('compare', ARRAY['compare/\d{4}-\d\d-\d\d'],
	config => '{"build": "demo.build_compare"}');
SELECT databuild.define_job('report', ARRAY['report/\d{4}-\d\d'],
	config => '{"build": "demo.build_report"}');

SET ROLE demo_worker;

-- The file as it is. Only loading a month reads it, and the comparison at the end.
CREATE TABLE demo.csv (
	location text, date date, precipitation numeric, temp_max numeric, temp_min numeric, wind numeric, weather text
);

-- What is loaded of it, and a table for what each job makes.
CREATE TABLE demo.noaa (LIKE demo.csv, PRIMARY KEY (date, location));
CREATE TABLE demo.daily (day date, city text, temp numeric, rain numeric, PRIMARY KEY (city, day));
CREATE TABLE demo.trailing (
	weeks int, day date, city text, temp numeric, rain numeric, PRIMARY KEY (day, city, weeks)
);
CREATE TABLE demo.compare (
	day date, city text, temp_1w numeric, temp_4w numeric, rain_1w numeric, rain_4w numeric, ahead numeric,
	PRIMARY KEY (day, city)
);
CREATE TABLE demo.report (
	month text, city text, days bigint, temp_1w numeric, temp_4w numeric, wettest_week numeric,
	wettest_4_weeks numeric, warmer_days bigint, most_ahead numeric, most_ahead_on date,
	PRIMARY KEY (month, city)
);

-- A source's partition becomes live together with its rows.
CREATE PROCEDURE demo.load(month text)
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO demo.noaa SELECT * FROM demo.csv WHERE to_char(date, 'YYYY-MM') = month;
	PERFORM databuild.publish(ARRAY['noaa/' || month]);
END
$$;

-- Which of these are not live. (Written so that it is an index scan whatever the statistics say.)
CREATE FUNCTION demo.lacking(needed text[]) RETURNS text[]
LANGUAGE sql AS $$
	SELECT ARRAY(SELECT unnest(needed)
				 EXCEPT
				 SELECT ref FROM databuild.partitions WHERE ref = ANY (needed) AND state = 'live')
$$;

-- daily/2012-03-01/Seattle: the day's middle temperature, and its rain.
CREATE FUNCTION demo.build_daily(ref text) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
	this_day date := split_part(ref, '/', 2);
	this_city text := split_part(ref, '/', 3);
	lacking text[] := demo.lacking(ARRAY['noaa/' || to_char(this_day, 'YYYY-MM')]);
BEGIN
	IF lacking <> '{}' THEN
		RETURN lacking;
	END IF;
	DELETE FROM demo.daily WHERE day = this_day AND city = this_city;
	INSERT INTO demo.daily
		SELECT date, location, (temp_max + temp_min) / 2, precipitation
		FROM demo.noaa WHERE date = this_day AND location = this_city;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'no observation in % on %', this_city, this_day;
	END IF;
	RETURN '{}';
END
$$;

-- trailing_4w/2012-03-01/Seattle: the 28 days that end with this one, or as many as the record has.
CREATE FUNCTION demo.build_trailing(ref text) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
	this_many int := substring(ref from '^trailing_(\d)w/');
	this_day date := split_part(ref, '/', 2);
	this_city text := split_part(ref, '/', 3);
	first_day date := greatest(this_day - 7 * this_many + 1, date '2012-01-01');
	lacking text[] := demo.lacking(ARRAY(
		SELECT format('daily/%s/%s', first_day + i, this_city) FROM generate_series(0, this_day - first_day) AS i));
BEGIN
	IF lacking <> '{}' THEN
		RETURN lacking;
	END IF;
	DELETE FROM demo.trailing WHERE day = this_day AND city = this_city AND weeks = this_many;
	INSERT INTO demo.trailing
		SELECT this_many, this_day, this_city, round(avg(temp), 2), sum(rain)
		FROM demo.daily WHERE city = this_city AND day BETWEEN first_day AND this_day;
	RETURN '{}';
END
$$;

-- compare/2012-03-01: a row for each city, and by how much its last week was warmer than the other's.
CREATE FUNCTION demo.build_compare(ref text) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
	this_day date := split_part(ref, '/', 2);
	lacking text[] := demo.lacking(ARRAY(
		SELECT format('trailing_%sw/%s/%s', weeks, this_day, city)
		FROM unnest('{1, 4}'::int[]) AS weeks, unnest('{Seattle, New York}'::text[]) AS city));
BEGIN
	IF lacking <> '{}' THEN
		RETURN lacking;
	END IF;
	DELETE FROM demo.compare WHERE day = this_day;
	INSERT INTO demo.compare
		SELECT day, w1.city, w1.temp, w4.temp, w1.rain, w4.rain, w1.temp - other.temp
		FROM demo.trailing AS w1 JOIN demo.trailing AS w4 USING (day, city) JOIN demo.trailing AS other USING (day)
		WHERE day = this_day AND w1.weeks = 1 AND w4.weeks = 4 AND other.weeks = 1 AND other.city <> w1.city;
	RETURN '{}';
END
$$;

-- report/2012-03: a row for each city.
CREATE FUNCTION demo.build_report(ref text) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
	this_month text := split_part(ref, '/', 2);
	first_day date := this_month || '-01';
	last_day date := first_day + interval '1 month - 1 day';
	lacking text[] := demo.lacking(ARRAY(
		SELECT format('compare/%s', first_day + i) FROM generate_series(0, last_day - first_day) AS i));
BEGIN
	IF lacking <> '{}' THEN
		RETURN lacking;
	END IF;
	DELETE FROM demo.report WHERE month = this_month;
	INSERT INTO demo.report
		SELECT this_month, city, count(*), round(avg(temp_1w), 2), round(avg(temp_4w), 2), max(rain_1w), max(rain_4w),
			   count(*) FILTER (WHERE ahead > 0), max(ahead), (array_agg(day ORDER BY ahead DESC, day))[1]
		FROM demo.compare WHERE day BETWEEN first_day AND last_day
		GROUP BY city;
	RETURN '{}';
END
$$;
