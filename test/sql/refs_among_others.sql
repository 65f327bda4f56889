-- A want would leave out refs that are known, where others lie between them.
\getenv test PG_ABS_SRCDIR
\set preamble :test '/sql/preamble.psql'
\i :preamble
SELECT databuild.define_source('x', ARRAY['x/[0-9]+']);
SELECT databuild.publish(ARRAY(SELECT 'x/' || i FROM generate_series(1000, 1999) AS i));
-- side by side; every third; every fiftieth; some of them new, at the begin, between and at the end
SELECT databuild.want(ARRAY(SELECT 'x/' || i FROM generate_series(1000, 1999) AS i)) > 0;
SELECT databuild.want(ARRAY(SELECT 'x/' || i FROM generate_series(1000, 1999, 3) AS i)) > 0;
SELECT databuild.want(ARRAY(SELECT 'x/' || i FROM generate_series(1000, 1999, 50) AS i)) > 0;
SELECT databuild.want(ARRAY(SELECT 'x/' || i FROM generate_series(900, 2100, 100) AS i)) > 0;
SELECT databuild.want(ARRAY(SELECT 'x/' || i FROM generate_series(1990, 2009) AS i)) > 0;
SELECT databuild.want(ARRAY['x/1500', 'x/15000', 'x/15001', 'x/1501', 'x/1999', 'x/19990']) > 0;
SELECT total, live FROM databuild.wants ORDER BY want_id;
SELECT state, count(*) FROM databuild.partitions GROUP BY state ORDER BY state;
-- and a call that names them
SELECT databuild.publish(ARRAY(SELECT 'x/' || i FROM generate_series(900, 2100, 100) AS i));
SELECT count(*) FROM databuild.instances;
