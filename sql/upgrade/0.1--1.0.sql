/*
 * 0.1 to 1.0.  The log is in parts (prune.sql): the table that had all of it
 * becomes the one that is written.  A rank takes the place of the priority in
 * the queues.
 */
ALTER TABLE databuild.event RENAME TO event_0;
ALTER INDEX databuild.event_pkey RENAME TO event_0_pkey;
ALTER INDEX databuild.event_want RENAME TO event_0_want_id_idx;
ALTER INDEX databuild.event_job_dropped RENAME TO event_0_job_id_idx;
CREATE TABLE databuild.event (LIKE databuild.event_0, PRIMARY KEY (event_id));
CREATE INDEX event_want ON databuild.event (want_id) WHERE want_id IS NOT NULL;
CREATE INDEX event_job_dropped ON databuild.event (job_id) WHERE kind = 'job_dropped';
ALTER TABLE databuild.event_0 INHERIT databuild.event;
CREATE TRIGGER event_append_only BEFORE INSERT OR UPDATE OR DELETE ON databuild.event
	FOR EACH ROW EXECUTE FUNCTION databuild.event_guard();
CREATE TRIGGER event_append_only_truncate BEFORE TRUNCATE ON databuild.event
	FOR EACH STATEMENT EXECUTE FUNCTION databuild.event_guard();
ALTER TABLE databuild.event ENABLE ALWAYS TRIGGER event_append_only;
ALTER TABLE databuild.event ENABLE ALWAYS TRIGGER event_append_only_truncate;
SELECT pg_catalog.pg_extension_config_dump('databuild.event', '');

DO $$
BEGIN
	SET LOCAL client_min_messages = warning;
	FOR n IN 0 .. 7 LOOP
		IF n > 0 THEN
			EXECUTE pg_catalog.format('CREATE TABLE databuild.event_%s (LIKE databuild.event INCLUDING INDEXES) INHERITS (databuild.event)', n);
			EXECUTE pg_catalog.format('CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE ON databuild.event_%s FOR EACH ROW EXECUTE FUNCTION databuild.event_guard()', n);
			EXECUTE pg_catalog.format('CREATE TRIGGER event_append_only_truncate BEFORE TRUNCATE ON databuild.event_%s FOR EACH STATEMENT EXECUTE FUNCTION databuild.event_guard()', n);
			EXECUTE pg_catalog.format('ALTER TABLE databuild.event_%s ENABLE ALWAYS TRIGGER event_append_only', n);
			EXECUTE pg_catalog.format('ALTER TABLE databuild.event_%s ENABLE ALWAYS TRIGGER event_append_only_truncate', n);
			PERFORM pg_catalog.pg_extension_config_dump(pg_catalog.format('databuild.event_%s', n)::pg_catalog.regclass, '');
		END IF;
		EXECUTE pg_catalog.format('COMMENT ON TABLE databuild.event_%s IS %L', n, 'Internal: a part of the log; event_0 is the one that is written.');
	END LOOP;
END
$$;

CREATE TABLE databuild.base
(
	id			bigint		NOT NULL,
	live_run	bigint,
	run_id		bigint,
	total		bigint,
	changed		bigint,
	since		timestamptz NOT NULL,
	until		timestamptz,
	job_id		int,
	prio		int,
	attempts	int,
	misses		int,
	machine		"char"		NOT NULL,		-- the first letter of its name
	state		"char"		NOT NULL,
	name		text,
	cause		text,
	note		text,
	ids			bigint[],
	others		bigint[],
	reason		text,
	made		bigint[],
	body		jsonb,
	PRIMARY KEY (machine, id)
) WITH (fillfactor = 70);

CREATE TABLE databuild.pruned
(
	one			boolean		NOT NULL DEFAULT true PRIMARY KEY CHECK (one),
	upto		bigint		NOT NULL,
	at			timestamptz NOT NULL,
	told		bigint		NOT NULL
);

CREATE TABLE databuild.base_job
(
	job_id		int			NOT NULL PRIMARY KEY,
	kind		text		NOT NULL,
	definition	jsonb
);

CREATE TABLE databuild.base_member
(
	want_id		bigint		NOT NULL,
	event_id	bigint		NOT NULL,
	parts		bigint[],
	PRIMARY KEY (want_id, event_id)
);

CREATE TABLE databuild.base_declared
(
	part		bigint		NOT NULL,
	kind		text		NOT NULL,
	others		bigint[]	NOT NULL,
	PRIMARY KEY (part, kind)
);

CREATE TABLE databuild.base_read (run_id bigint NOT NULL, part bigint NOT NULL, instance bigint NOT NULL, PRIMARY KEY (run_id, part));
CREATE TABLE databuild.base_once_live (event_id bigint NOT NULL, part bigint NOT NULL, instance bigint NOT NULL, PRIMARY KEY (event_id, part));
CREATE TABLE databuild.base_publication (event_id bigint NOT NULL PRIMARY KEY, at timestamptz NOT NULL, parts bigint[] NOT NULL, metadata jsonb);
CREATE TABLE databuild.base_taint_part (taint_id bigint NOT NULL, part bigint NOT NULL, run bigint NOT NULL, PRIMARY KEY (part, taint_id));
CREATE INDEX base_taint_part_taint ON databuild.base_taint_part (taint_id);

SELECT pg_catalog.pg_extension_config_dump('databuild.base', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.pruned', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.base_job', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.base_member', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.base_declared', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.base_read', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.base_once_live', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.base_publication', '');
SELECT pg_catalog.pg_extension_config_dump('databuild.base_taint_part', '');

ALTER TABLE databuild.partition SET (fillfactor = 33);

ALTER TABLE databuild.ready RENAME prio TO rank;
ALTER TABLE databuild.mark RENAME prio TO rank;
DROP INDEX databuild.ready_queue, databuild.mark_queue;		-- a column of an index keeps its name
CREATE INDEX ready_queue ON databuild.ready (job_id, rank, seq);
CREATE INDEX mark_queue ON databuild.mark (queue, job_id, rank, low);
ALTER TABLE databuild.ready RENAME part TO block;
ALTER TABLE databuild.ready ADD COLUMN mask bigint;
UPDATE databuild.ready SET rank = rank * 2, block = block >> 6, mask = 1::bigint << (block & 63)::int;
ALTER TABLE databuild.ready ALTER COLUMN mask SET NOT NULL;
UPDATE databuild.mark SET rank = rank * 2 WHERE queue = 'r';

DROP FUNCTION databuild.fold(bigint);
