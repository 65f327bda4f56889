-- The pipeline: daily -> trailing -> compare -> report, from the source noaa. To be run by a superuser.

CREATE EXTENSION databuild;

-- Who works needs no more than this: functions to call, relations to read, a schema for its own data.
CREATE ROLE demo_worker LOGIN;
GRANT USAGE ON SCHEMA databuild TO demo_worker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databuild TO demo_worker;
GRANT SELECT ON databuild.partitions, databuild.wants, databuild.want_partitions, databuild.job_runs TO demo_worker;
CREATE SCHEMA demo AUTHORIZATION demo_worker;

SELECT databuild.define_source('noaa', ARRAY['noaa/\d{4}-\d\d']);
-- A day needs its month, and says so: no run is tried before that is there.
SELECT databuild.define_job('daily', ARRAY['daily/(\d{4}-\d\d)-\d\d/[^/]+'], inputs => ARRAY['noaa/\1'],
	config => '{"build": "demo.build_daily"}');
-- What these need, their runs find out. A run makes the last week and the last four weeks in one go.
SELECT databuild.define_job('trailing', ARRAY['trailing_[14]w/(\d{4}-\d\d-\d\d/[^/]+)'],
	outputs => ARRAY['trailing_1w/\1', 'trailing_4w/\1'],
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

-- What is loaded of it: rows of a month publish that month.
CREATE TABLE demo.noaa (month text NOT NULL, LIKE demo.csv, PRIMARY KEY (date, location));
SELECT databuild.track('demo.noaa', 'noaa/{month}');

CREATE PROCEDURE demo.load(month text)
LANGUAGE sql AS $$
	INSERT INTO demo.noaa SELECT month, c.* FROM demo.csv AS c WHERE to_char(c.date, 'YYYY-MM') = month
$$;

-- A table for what each job makes.
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

-- Which of these are not live. (Written so that it is an index scan whatever the statistics say.)
CREATE FUNCTION demo.lacking(needed text[]) RETURNS text[]
LANGUAGE sql AS $$
	SELECT ARRAY(SELECT unnest(needed)
				 EXCEPT
				 SELECT ref FROM databuild.partitions WHERE ref = ANY (needed) AND state = 'live')
$$;

-- daily/2012-03-01/Seattle: the day's middle temperature, and its rain.
CREATE FUNCTION demo.build_daily(refs text[]) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
	this_day date := split_part(refs[1], '/', 2);
	this_city text := split_part(refs[1], '/', 3);
BEGIN
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

-- trailing_1w/2012-03-01/Seattle and trailing_4w/…: the 7 and 28 days that end with this one, or as many as the
-- record has.
CREATE FUNCTION demo.build_trailing(refs text[]) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
	this_day date := split_part(refs[1], '/', 2);
	this_city text := split_part(refs[1], '/', 3);
	first_day date := greatest(this_day - 27, date '2012-01-01');
	lacking text[] := demo.lacking(ARRAY(
		SELECT format('daily/%s/%s', first_day + i, this_city) FROM generate_series(0, this_day - first_day) AS i));
BEGIN
	IF lacking <> '{}' THEN
		RETURN lacking;
	END IF;
	DELETE FROM demo.trailing WHERE day = this_day AND city = this_city;
	INSERT INTO demo.trailing
		SELECT weeks, this_day, this_city, round(avg(temp), 2), sum(rain)
		FROM unnest('{1, 4}'::int[]) AS weeks JOIN demo.daily ON day > this_day - 7 * weeks
		WHERE city = this_city AND day BETWEEN first_day AND this_day
		GROUP BY weeks;
	RETURN '{}';
END
$$;

-- compare/2012-03-01: a row for each city, and by how much its last week was warmer than the other's.
CREATE FUNCTION demo.build_compare(refs text[]) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
	this_day date := split_part(refs[1], '/', 2);
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
CREATE FUNCTION demo.build_report(refs text[]) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
	this_month text := split_part(refs[1], '/', 2);
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
