-- pgq: a stream of events in batches. It keeps no state for each, neither taken nor done: less than a queue does.
CREATE EXTENSION pgq;
SELECT pgq.create_queue('bench'), pgq.register_consumer('bench', 'bench');
CREATE TABLE consumed (n bigint NOT NULL);

-- The batch that ended at the last tick.
CREATE FUNCTION consume() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	batch bigint;
	found bigint := 0;
BEGIN
	batch := pgq.next_batch('bench', 'bench');
	IF batch IS NOT NULL THEN
		SELECT count(ev_data) INTO found FROM pgq.get_batch_events(batch);
		PERFORM pgq.finish_batch(batch);
		INSERT INTO consumed VALUES (found);
	END IF;
	RETURN found;
END
$$;
