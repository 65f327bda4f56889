-- The queue that one would write by hand, with SKIP LOCKED, and a history.
DROP TABLE IF EXISTS queue, done;
CREATE TABLE queue (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ref text NOT NULL, state text NOT NULL DEFAULT 'queued',
	worker text, queued_at timestamptz NOT NULL DEFAULT clock_timestamp(), started_at timestamptz) WITH (fillfactor = 50);
CREATE INDEX queued ON queue (id) WHERE state = 'queued';
CREATE TABLE done (id bigint PRIMARY KEY, ref text NOT NULL, worker text, queued_at timestamptz, started_at timestamptz, finished_at timestamptz);
