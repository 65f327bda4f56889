/* ------------------------------------------------------------------------
 * grants.sql: nothing for PUBLIC.  Who is to use databuild gets USAGE on the
 * schema, EXECUTE on functions and SELECT on views (rights.sql); no one but
 * the owner touches a table.
 * ------------------------------------------------------------------------ */

REVOKE ALL ON SCHEMA databuild FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA databuild FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA databuild FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA databuild FROM PUBLIC;

COMMENT ON SCHEMA databuild IS 'databuild: a declarative build system for partitioned data';
COMMENT ON SEQUENCE databuild.serial IS 'Internal: numbers events, runs and queue entries.';
COMMENT ON SEQUENCE databuild.job_id_seq IS 'Internal: numbers jobs.';
COMMENT ON SEQUENCE databuild.partition_id_seq IS 'Internal: numbers partitions.';
COMMENT ON SEQUENCE databuild.want_id_seq IS 'Internal: numbers wants.';
COMMENT ON TABLE databuild.event IS 'Internal: the append-only log; read it as databuild.events.';
COMMENT ON TABLE databuild.base IS 'Internal: the tokens as the pruned part of the log made them.';
COMMENT ON TABLE databuild.pruned IS 'Internal: up to which event the log was folded into the base.';
COMMENT ON TABLE databuild.base_job IS 'Internal: definitions of jobs, from the pruned part of the log, as are all tables base_*.';
COMMENT ON TABLE databuild.base_member IS 'Internal: the partitions of wants.';
COMMENT ON TABLE databuild.base_declared IS 'Internal: what jobs declared for their refs.';
COMMENT ON TABLE databuild.base_read IS 'Internal: the instances of inputs that runs read.';
COMMENT ON TABLE databuild.base_once_live IS 'Internal: instances that were live no more, and the event until which they were.';
COMMENT ON TABLE databuild.base_publication IS 'Internal: instances that were published.';
COMMENT ON TABLE databuild.base_taint_part IS 'Internal: the instances that taints mark.';
COMMENT ON TABLE databuild.job IS 'Internal: read it as databuild.jobs.';
COMMENT ON TABLE databuild.worker_job IS 'Internal: which roles may work for which jobs only; read it as databuild.worker_jobs.';
COMMENT ON TABLE databuild.partition IS 'Internal: read it as databuild.partitions.';
COMMENT ON TABLE databuild.trouble IS 'Internal: attempts, misses, retries and causes of failure of the partitions that have any, and which changed while a run was making them.';
COMMENT ON TABLE databuild.run IS 'Internal: read it as databuild.job_runs.';
COMMENT ON TABLE databuild.run_note IS 'Internal: reason, metadata and partial results of the runs that have any.';
COMMENT ON TABLE databuild.publication IS 'Internal: instances that were published.';
COMMENT ON TABLE databuild.want IS 'Internal: read it as databuild.wants.';
COMMENT ON TABLE databuild.member IS 'Internal: the partitions of wants in force, as bitmaps of 64 ids.';
COMMENT ON TABLE databuild.wait IS 'Internal: which partition waits for the members of which derivative want.';
COMMENT ON TABLE databuild.read IS 'Internal: the instances of inputs that runs read.';
COMMENT ON TABLE databuild.once_live IS 'Internal: instances that are live no more, and the event until which they were.';
COMMENT ON TABLE databuild.watch IS 'Internal: which input, when it goes live, makes a waiting partition look again.';
COMMENT ON TABLE databuild.ready IS 'Internal: what may be claimed, in order.';
COMMENT ON TABLE databuild.agenda IS 'Internal: what a call had to leave for a later one.';
COMMENT ON TABLE databuild.timer IS 'Internal: leases and retries by when they are due.';
COMMENT ON TABLE databuild.mark IS 'Internal: below which number nothing is left of a queue.';
COMMENT ON SEQUENCE databuild.taint_id_seq IS 'Internal: numbers taints.';
COMMENT ON TABLE databuild.want_key IS 'Internal: the keys of wants in force.';
COMMENT ON TABLE databuild.taint IS 'Internal: read it as databuild.taints.';
COMMENT ON TABLE databuild.taint_part IS 'Internal: read it as databuild.taint_partitions.';
COMMENT ON TABLE databuild.input IS 'Internal: the inputs that jobs declare for their refs, as bitmaps of 64 ids.';
COMMENT ON TABLE databuild.output IS 'Internal: what a run of a partition makes, where that is more than itself.';
COMMENT ON TABLE databuild.taken IS 'Internal: live partitions that a running run makes anew beside others.';
COMMENT ON TABLE databuild.collision IS 'Internal: claimable partitions one of whose outputs a run is making.';
COMMENT ON TABLE databuild.slot IS 'Internal: how many runs a limited job may have, a row each, to lock.';
COMMENT ON TABLE databuild.slot_use IS 'Internal: which running run holds which slot of its job.';
COMMENT ON TABLE databuild.counted IS 'Internal: partitions by state and job, and late wants, as tick() last counted; read it as databuild.partition_counts.';
COMMENT ON TABLE databuild.tally IS 'Internal: events by kind, as tick() last counted.';
