-- A worker's turn; worker.sh takes one after another.
\set ON_ERROR_STOP on
SELECT run_id IS NOT NULL AS claimed, run_id, substr(partitions[1], 7) AS name
	FROM (VALUES (1)) AS one LEFT JOIN databuild.claim('psql', jobs => ARRAY['words']) ON true \gset
\if :claimed
	\setenv NAME :name
	\set there `test -e "text/$NAME" && echo 1 || echo 0`
	\if :there
		\set words `wc -w <"text/$NAME"`
		\set ON_ERROR_STOP off
		WITH built AS (INSERT INTO words VALUES (:'name', :words) ON CONFLICT (name) DO UPDATE SET words = excluded.words RETURNING 1)
			SELECT databuild.succeed(:run_id) FROM built;	-- what is built and its success: both or neither
		\set failed :ERROR
		\set ON_ERROR_STOP on
		\if :failed
			SELECT databuild.fail(:run_id, :'LAST_ERROR_MESSAGE');
		\endif
	\else
		SELECT databuild.miss(:run_id, ARRAY['text/' || :'name']);
	\endif
\endif
CALL databuild.wait_work(ARRAY['words']);	-- at once if there is more
