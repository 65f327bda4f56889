-- A worker. Run as many as you like, each in a session of its own: CALL demo.worker('name', want);
--
-- It asks what to build, builds, and reports. How a job's partitions are built it learns from the job's config,
-- whose 'build' names a function: build(refs) makes the partitions of the run and returns {}, or returns what it
-- lacks and makes nothing.
--
-- A claim is committed before anything is built, so that others see that it is taken. What was built is
-- committed together with the report, so that there is never one without the other.

CREATE PROCEDURE demo.worker(worker text, want bigint)
LANGUAGE plpgsql AS $$
DECLARE
	run record;
	lacking text[];
BEGIN
	LOOP
		FOR run IN SELECT * FROM databuild.claim(worker, max_runs => 20) LOOP
			COMMIT;		-- the claim; from the second turn on, the run before
			BEGIN
				EXECUTE format('SELECT %s($1)', run.config->>'build') INTO lacking USING run.partitions;
				IF lacking = '{}' THEN
					PERFORM databuild.succeed(run.run_id);
				ELSE
					PERFORM databuild.miss(run.run_id, lacking);
				END IF;
			EXCEPTION WHEN OTHERS THEN		-- what was built is undone
				PERFORM databuild.fail(run.run_id, SQLERRM);
			END;
		END LOOP;

		IF NOT FOUND THEN	-- nothing to claim: done, or wait a little
			PERFORM databuild.tick();
			EXIT WHEN (SELECT state IN ('successful', 'failed', 'upstream_failed') FROM databuild.wants WHERE want_id = want);
			PERFORM pg_sleep(0.1);
		END IF;
		COMMIT;
	END LOOP;
END
$$;
