"""Planted bugs: what a simulator is accepted by. Each is an edit of one file (or of several: then file, old and new
are tuples); the old text occurs once there.

A planted bug that the simulator does not find within SEEDS_MAX seeds of its world is a failure of the simulator. Where
the world is the name of a test program, no world comes to it often enough, and that program fails.
"""
import collections

SEEDS_MAX = 200

Mutant = collections.namedtuple("Mutant", "name world file old new")

MUTANTS = [
    # -- Durability ---------------------------------------------------------------------------------
    Mutant("acknowledge_before_sync", "node", "ring/coordinator/coordinator_write.c",
           "engine_wait_synced(coordinator->engine, &write->waiter, position, write_synced);",
           "write->result.received = 1, env_task_post(coordinator->env, &write->task, write_task_run);"),
    Mutant("acknowledge_increment_before_sync", "storage", "ring/coordinator/coordinator_increment.c",
           "engine_wait_synced(coordinator->engine, &increment->waiter, increment->position,\n"
           "                           increment_synced);",
           "env_task_post(coordinator->env, &increment->task, increment_task_run);"),
    Mutant("read_does_not_wait_for_sync", "storage", "ring/coordinator/coordinator_read.c",
           "if (read->position > engine_synced_position(coordinator->engine)) {", "if (false) {"),
    Mutant("failed_sync_is_forgotten", "storage", "storage/commit_log/commit_log.c",
           "log->failed = log->job_status;", ""),
    Mutant("commit_log_name_not_synced", "storage", "storage/commit_log/commit_log.c",
           "return directory_changed ? env_sync_dir(log->env, log->directory, error) : STATUS_OK;",
           "return STATUS_OK;"),
    Mutant("recycled_segment_overwritten_before_its_name", "node", "storage/commit_log/commit_log_segment.c",
           "if (status == STATUS_OK) status = env_sync_dir(env, directory, error);", ""),
    Mutant("replay_shows_what_a_failed_sync_lost", "storage", "storage/commit_log/commit_log_replay.c",
           "if (unproven.size > 0) {", "if (false) {"),
    Mutant("sstable_names_not_synced", "storage", "storage/sstable/sstable_writer.c",
           "return env_sync_dir(writer->env, writer->options.directory, error);", "return STATUS_OK;"),
    Mutant("small_files_names_not_synced", "node", "storage/whole_file.c",
           "if (status == STATUS_OK) status = env_sync_dir(env, directory, error);", ""),
    Mutant("metadata_acknowledged_before_sync", "node", "ring/metadata/metadata_journal.c",
           "if (journal->job_status == STATUS_OK)\n"
           "        journal->job_status = env_file_sync(journal->file, &journal->job_error);", ""),
    Mutant("metadata_file_name_not_synced", "node", "ring/metadata/metadata_journal.c",
           "if (status == STATUS_OK) status = env_sync_dir(env, journal->directory, error);", ""),
    Mutant("metadata_shown_before_sync", "node", "ring/metadata/metadata_journal.c",
           "if (status == STATUS_OK) status = settle(journal, buffer_slice(&bytes), error);",
           "if (status == STATUS_OK && journal->file_size < bytes.size)\n"
           "        status = env_file_truncate(journal->file, journal->file_size, error);"),
    # -- Flush and replay ---------------------------------------------------------------------------
    Mutant("log_marked_flushed_too_early", "storage", "storage/engine/engine_flush.c",
           "env_mark(engine->env, ENV_MARK_FLUSH_STARTED);",
           "commit_log_mark_flushed(engine->log, table->table->id, background->flushing->log_position);"),
    Mutant("replay_skips_one_record_after_a_flush", "storage", "storage/engine/engine_replay.c",
           "position <= table->manifest.flushed_position ||",
           "(table->manifest.flushed_position > 0 && position <= table->manifest.flushed_position + 1) ||"),
    Mutant("flush_removes_what_the_manifest_may_name", "storage", "storage/engine/engine_flush.c",
           "background->manifest_failed = status != STATUS_OK;\n        if (status == STATUS_OK) back_up(engine);\n        return status;",
           "if (status == STATUS_OK) return status;"),
    Mutant("import_before_sync", "storage", "storage/engine/import_sstable.c",
           "enum status status = env_sync_dir(import->env, import->options.directory, error);",
           "enum status status = STATUS_OK;"),
    Mutant("truncation_is_not_replayed", "storage", "storage/engine/engine_replay.c",
           "if (table == NULL || position <= table->truncated_position) return;", "return;"),
    Mutant("frozen_memtables_are_not_read", "storage", "storage/engine/engine_read.c",
           "if (f->log_position > table->truncated_position)\n            add_partition(", "if (false)\n            add_partition("),
    # -- Merging ------------------------------------------------------------------------------------
    Mutant("partition_deletion_is_not_merged", "storage", "storage/merge/merge.c",
           "if (deletion_supersedes(sources[i]->deletion, merge->base.deletion))", "if (i == 0)"),
    Mutant("counters_merge_by_count", "storage", "storage/counter_context.c",
           "if (a->clock != b->clock) return a->clock > b->clock ? *a : *b;",
           "if (a->count != b->count) return a->count < b->count ? *a : *b;"),
    # -- Counters -----------------------------------------------------------------------------------
    Mutant("stale_shard_in_the_cache", "storage", "storage/engine/engine_counter.c",
           "    for (size_t i = 0; i < count; i++)\n        counter_cache_put(",
           "    for (size_t i = 0; i < count; i++)\n        if (!planned[i].found) counter_cache_put("),
    # The sync stays: the names of the store's directories become durable by it.
    Mutant("counter_id_kept_after_a_crash", "storage.engine.counter_id_test", "storage/engine/counter_id.c",
           "if (has_last && has_mark && uuid_equals(last.id, mark.id) &&\n        mark.log_position == log_position) {",
           "if (has_last && (mark = last, env_sync_dir(env, directory, error) == STATUS_OK)) {"),
    Mutant("periodic_write_whose_time_passed_is_not_begun", "storage.commit_log.commit_log_test",
           "storage/commit_log/commit_log.c",
           "(log->gathering->part_count > 0 && !env_timer_is_started(&log->timer))", "false"),
    Mutant("stop_forgets_what_waits_behind_a_failed_flush", "storage.engine.engine_truncate_test",
           "storage/engine/engine.c", "    engine_background_hurry(engine);\n", ""),
    Mutant("table_comes_back_before_its_former_life_is_over", "storage.engine.engine_truncate_test",
           "storage/engine/engine_table.c", "if (engine_await_return(engine, table)) return STATUS_OK;", ""),
    # -- CQL ----------------------------------------------------------------------------------------
    Mutant("page_begins_after_the_next_partition", "node", "cql/execution/execution_select_rows.c",
           "progress->inclusive = inclusive;", "progress->inclusive = true;"),
    # -- Jobs ---------------------------------------------------------------------------------------
    Mutant("reducer_adds_to_a_found_shard", "job", "stream/job/reducer.c",
           "if (cell->total.clock < number) {", "if (true) {"),
    Mutant("totals_taken_for_complete_after_a_restart", "job", "stream/job/reducer.c",
           "reducer->complete = number == 1;", "reducer->complete = true;"),
    Mutant("recorded_batches_are_not_run_again", "job", "stream/job/driver.c",
           "driver->replay_count = job->batch_count;", "driver->replay_count = 0;"),
    Mutant("batch_reported_before_its_sync", "job", "ring/coordinator/coordinator_write.c",
           "engine_wait_synced(coordinator->engine, &write->waiter, position, write_synced);",
           "write->result.received = 1, env_task_post(coordinator->env, &write->task, write_task_run);"),
    # -- Jobs: the holes of the protocol that members that stay can show (the protocol's names: H1, H2 …) ----
    # Others of them have their bugs elsewhere: H8 batch_reported_before_its_sync and replica_acknowledges_before_sync;
    # H11 recorded_batches_are_not_run_again (records stand one ahead at most, so "only the last" is all); H13 also
    # reducer_adds_to_a_found_shard; I1, I3, I4 leader_keeps_its_id_after_a_crash; I5 doubled_increment_counts_twice;
    # R1 read_repair_not_waited_for and read_repair_not_sent; R2 and I2's reading replica_shows_what_is_not_synced.
    # None can show: H8b, for no reducer leaves a write out, whatever replies showed; I2 by itself, for the new id after
    # a crash covers it; H12's new id without a seal and at the done mark, for no job goes on under a new id; I8, for
    # counters that were deleted are not counted on in these worlds (engine_counter_test's clocks above all clocks).
    # A shard found at the batch's own clock is taken for settled: it may be on one replica.
    Mutant("h1_found_shard_is_not_written_back", "job", ("stream/job/reducer.c",) * 2,
           ("            cell->total.clock = number;\n        }\n",
            "    reducer_write(slice);\n}\n\n// ---- Reading totals"),
           ("            cell->total.clock = number;\n        } else\n            cell->is_known = false;\n",
            "    size_t kept = 0;\n"
            "    for (size_t i = 0; i < slice->count; i++)\n"
            "        if (slice->cells[i].is_known) slice->cells[kept++] = slice->cells[i];\n"
            "    slice->count = kept;\n"
            "    if (kept == 0)\n        reducer_end_slice(slice);\n    else\n        reducer_write(slice);\n"
            "}\n\n// ---- Reading totals")),
    # Totals of batch n - 2 and before are used in batch n.
    Mutant("h2_totals_used_after_a_gap", "job", "stream/job/reducer.c",
           "if (reducer->valid_through != number - 1 || !same_ranges) {", "if (!same_ranges) {"),
    # The test of rule 6 for a node, not for its ranges.
    Mutant("h2b_totals_kept_for_other_ranges", "job", "stream/job/reducer.c",
           "bool same_ranges = reducer_has_same_ranges(reducer, task);",
           "bool same_ranges = reducer->ranges.size > 0 || reducer_has_same_ranges(reducer, task);"),
    # A task that comes twice adds twice to what is in memory.
    Mutant("h2c_totals_without_their_clocks", "job", "stream/job/reducer.c",
           "cell->is_known = is_held || reducer->complete;",
           "cell->is_known = is_held || reducer->complete;\n        if (is_held) cell->total.clock = 0;"),
    # Batch n + 1 runs when n is under way to a quorum.
    Mutant("h3_next_batch_before_a_quorum", "job", ("stream/job/reducer.c",) * 2,
           ("reducer_fail(slice->reducer, STATUS_TIMED_OUT, \"too few replicas answered in time\");",
            "reducer_fail(slice->reducer, STATUS_TIMED_OUT, \"too few replicas are alive for QUORUM\");"),
           ("", "")),
    # Some cells at a quorum are enough for the report.
    Mutant("h4_one_output_at_a_quorum_is_enough", "job", "stream/job/reducer.c",
           "    if (reducer->status == STATUS_OK) { // Rule 11.",
           "    if (reducer->sum.cells > 0) reducer->status = STATUS_OK;\n"
           "    if (reducer->status == STATUS_OK) { // Rule 11."),
    # The report of batch n is taken for that of n + 1.
    Mutant("h5_report_of_another_batch", "job", ("stream/job/reducer.c",) * 2,
           ("reducer->reported == task->number &&", "if (!reducer_has_reported(reducer, gather)) reducer_break(reducer);"),
           ("", "(void)reducer_has_reported;")),
    # A reducer that reads slowly finds a shard of a later batch, and adds to it.
    Mutant("h6_at_the_clock_and_not_beyond", "stream.job.reducer_test", "stream/job/reducer.c",
           "        if (cell->total.clock < number) {", "        if (cell->total.clock != number) {"),
    Mutant("h7_reducer_reads_at_one", "job", "stream/job/reducer.c",
           "coordinator_read_start(reducer->coordinator, &slice->read, CONSISTENCY_QUORUM,",
           "coordinator_read_start(reducer->coordinator, &slice->read, CONSISTENCY_ONE,"),
    Mutant("h7_reducer_writes_at_one", "job", "stream/job/reducer.c",
           "                            CONSISTENCY_QUORUM, reducer_written);",
           "                            CONSISTENCY_ONE, reducer_written);"),
    # Two owners record a batch of one number: the later record replaces the earlier one.
    Mutant("h10_record_is_a_plain_write", "job", "ring/metadata/jobs.c",
           "        !batch_follows(&known->job, &batch, source_count, done_through, depth))\n"
           "        return STATUS_CONFLICT;\n",
           "        !batch_follows(&known->job, &batch, source_count, done_through, depth)) {\n"
           "        if (known == NULL || batch.number != known->job.last_batch || known->job.batch_count == 0)\n"
           "            return STATUS_CONFLICT;\n"
           "        known->job.batch_count--;\n    }\n"),
    # … or both are kept.
    Mutant("h10_record_without_its_number", "job", "ring/metadata/jobs.c",
           ("    if (batch->number != job->last_batch + 1 || done_through > job->last_batch) return false;\n"
            "    int64_t last_us = job->last_timestamp_us;"),
           "    if (job->batch_count > 0) return batch->number == job->last_batch;\n"
           "    int64_t last_us = job->last_timestamp_us;"),
    # A batch that is run again begins where the file does.
    Mutant("h10_record_holds_only_its_end", "job", "stream/job/driver.c",
           "uint64_t from = job->batch_count > 0 ? job->batches[0].offsets[0].from : job->last_to[0];",
           "uint64_t from = job->batch_count > 0 ? 0 : job->last_to[0];"),
    # A submission that comes again after the job's end, for its answer was lost, makes another job.
    Mutant("h12_submitted_again_after_a_lost_answer", "job",
           ("ring/metadata/jobs.c", "stream/job/job_submit.c"),
           ("if (uuid_is(&jobs->items[i]->job.submission_id, &job.submission_id)) return STATUS_OK;",
            "if (uuid_equals(job->submission_id, submission_id)) return job;"),
           ("if (uuid_is(&jobs->items[i]->job.submission_id, &job.submission_id) &&\n"
            "            jobs->items[i]->job.state == JOB_OPEN) return STATUS_OK;",
            "if (uuid_equals(job->submission_id, submission_id) && job->state == JOB_OPEN) return job;")),
    # Who resumed a job by its name, and lost the answer that it is finished, makes another job of that name.
    Mutant("h12_resumed_job_asked_for_by_its_name", "job", "stream/job/worker_link.c",
           "    if (link->was_submitted) submission.id = link->job.submission_id;\n", ""),
    # Shards of the parts that are here.
    Mutant("h13_shard_before_all_parts", "job", ("stream/job/gather.c",) * 2 + ("stream/job/shuffle.c",) * 2,
           ("        gather->cut != task->cut || gather->part_count != task->part_count)",
            "        if ((gather->seen[i / 8] & 1u << i % 8) == 0) return false;",
            "i < SHUFFLE_WINDOW && member->next_part != NULL",
            "    if (member->next_part != NULL)\n        shuffle_send_part(member, slot);\n    else if"),
           ("        gather->cut != task->cut)", "", "i < 1 && member->next_part != NULL", "    if")),
    Mutant("h13_part_counted_twice", "job", "stream/job/gather.c",
           "if ((*seen & bit) != 0) return STATUS_OK;", "if ((*seen & bit) != 0) gather->part_count--;"),
    # A row goes between two batches.
    Mutant("h14_delete_between_batches", "job", "cql/execution/job_guard.c",
           "return job == NULL || job_guard_refuse(job, table, what, error);", "return true || job == NULL;"),
    Mutant("task_does_not_wait_for_the_log", "job", "stream/job/job_tasks.c",
           "        task.log_number > metadata_number(service->options.metadata)) {", "        false) {"),
    # Two increments from one reading: the shard of the disk is taken though the memory has a newer one by now.
    Mutant("i6_read_and_written_in_two_steps", "storage", ("storage/engine/engine_counter.c",) * 2,
           ("    memtables_find_shard(table, key, planned);\n    // What", "if (cache_find_shard(table, planned)) return STATUS_OK;"),
           ("    if (pins->count == 0) memtables_find_shard(table, key, planned);\n    // What",
            "if (pins->count == 0 && cache_find_shard(table, planned)) return STATUS_OK;")),
    # -- A ring: writes -----------------------------------------------------------------------------
    Mutant("replica_acknowledges_before_sync", "ring", "ring/coordinator/replica_write.c",
           "engine_wait_synced(coordinator->engine, &ack->waiter, result->position, replica_ack_synced);",
           "replica_ack_synced(&ack->waiter, STATUS_OK);"),
    Mutant("own_copy_counts_before_sync", "ring", "ring/coordinator/delivery.c",
           "engine_wait_synced(coordinator->engine, &delivery->waiter, order->position,\n"
           "                           delivery_synced);",
           "engine_wait_synced(coordinator->engine, &delivery->waiter, 0, delivery_synced);"),
    Mutant("one_replica_is_enough", "ring", "ring/coordinator/delivery.c",
           "return delivery->result.received >= delivery->result.required;",
           "return delivery->result.received >= 1;"),
    Mutant("hint_lost_with_its_answer", "ring", "ring/coordinator/hints_replay.c",
           "if (status == STATUS_OK && !hints_must_repeat(answer)) {", "if (true) {"),
    Mutant("hint_replayed_after_a_truncation", "ring",
           ("ring/coordinator/hints_replay.c", "ring/coordinator/replica_write.c"),
           ("if (hints_is_void(hints, member->files->number, id)) {",
            "return made_us <= replica_truncations_time(&coordinator->replica_truncations, id);"),
           ("if (false) {", "return false;")),
    Mutant("hint_acknowledged_before_sync", "ring", "ring/coordinator/hints.c",
           "if (wait->position <= hints->durable_position)", "if ((hints->durable_position = wait->position, true))"),
    Mutant("truncation_that_comes_twice_truncates_twice", "ring.coordinator.coordinator_write_test",
           "ring/coordinator/replica_truncate.c",
           "    if (is_doubled(all, table, message->from, time_us)) return; // The first one is answered.\n",
           "    (void)is_doubled;\n"),
    Mutant("truncation_of_one_member", "ring", "ring/coordinator/coordinator_truncate.c",
           "if (member_count > 1) truncate_send(truncate, member_count, time_us);",
           "if (member_count > 64) truncate_send(truncate, member_count, time_us);"),
    Mutant("batch_not_stored_first", "ring", "ring/coordinator/coordinator_batch.c",
           "if (!is_here) {\n        logged_store(batch);", "if (!is_here) {\n        logged_write(batch);"),
    Mutant("batch_stored_before_sync", "ring", "ring/coordinator/batch_log.c",
           "replica_write_answer_synced(batch_log->coordinator, message->origin, position);",
           "messaging_answer(handler->messaging, message->origin, STATUS_OK, slice_make(\"\", 0));"),
    Mutant("batch_carried_out_before_sync", "ring.coordinator.coordinator_batch_test",
           "ring/coordinator/batch_log_replay.c",
           "    else if (status == STATUS_OK)\n        replay_sync(batch_log);",
           "    else if (status == STATUS_OK)\n        (void)replay_sync, replay_write(batch_log);"),
    Mutant("batch_removed_though_not_written", "ring", "ring/coordinator/coordinator_batch.c",
           "if (told.outcome == COORDINATOR_OK) {\n        logged_remove(batch);",
           "if (true) {\n        logged_remove(batch);"),
    # -- A ring: counters ---------------------------------------------------------------------------
    Mutant("doubled_increment_counts_twice", "ring", "ring/coordinator/replica_increment.c",
           "if (seen_requests_add(&all->seen, name)) {", "if (false) {"),
    Mutant("lost_increment_called_done", "ring", "ring/coordinator/replica_increment.c",
           "result.outcome = COORDINATOR_TIMED_OUT; // Nobody knows.", "result.outcome = COORDINATOR_OK;"),
    Mutant("lost_increment_called_unavailable", "ring", "ring/coordinator/replica_increment.c",
           "result.outcome = COORDINATOR_TIMED_OUT; // Nobody knows.", "result.outcome = COORDINATOR_UNAVAILABLE;"),
    Mutant("shard_stays_with_its_leader", "ring", "ring/coordinator/coordinator_increment.c",
           "if (plan->replicas.count == 1) {", "if (true) {"),
    Mutant("leader_keeps_its_id_after_a_crash", "ring", "storage/engine/counter_id.c",
           "if (has_last && has_mark && uuid_equals(last.id, mark.id) &&\n        mark.log_position == log_position) {",
           "if (has_last && (mark = last, env_sync_dir(env, directory, error) == STATUS_OK)) {"),
    Mutant("shards_merge_by_count", "ring", "storage/counter_context.c",
           "if (a->clock != b->clock) return a->clock > b->clock ? *a : *b;",
           "if (a->count != b->count) return a->count < b->count ? *a : *b;"),
    # -- A ring: reads ------------------------------------------------------------------------------
    Mutant("digest_mismatch_ignored", "ring", "ring/coordinator/remote_piece.c",
           "if (memcmp(contact->digest, digest, sizeof digest) != 0) return false;", ""),
    Mutant("read_repair_not_waited_for", "ring", "ring/coordinator/remote_piece.c",
           "if (remote_plan_suffices(piece, IS_EQUAL)) {", "if (remote_plan_suffices(piece, IS_EQUAL | SENT_REPAIR)) {"),
    Mutant("read_repair_not_sent", "ring", "ring/coordinator/remote_piece.c",
           "if (body->size == 0 || !is_repaired) {", "if (true) {"),
    Mutant("replica_shows_what_is_not_synced", "ring", "ring/coordinator/replica_read.c",
           "if (read->position <= engine_synced_position(engine)) return true;", "return true;"),
    Mutant("read_counts_one_answer", "ring", "ring/coordinator/remote_plan.c",
           "if (remote_plan_count(piece, answers) < piece->required) return false;",
           "if (remote_plan_count(piece, answers) < 1) return false;"),
    Mutant("range_read_counts_one_answer", "ring", "ring/coordinator/remote_plan.c",
           "if (remote_plan_count(piece, answers) < piece->required) return false;",
           "if (remote_plan_count(piece, answers) < (piece->is_scan ? 1 : piece->required)) return false;"),
    Mutant("merge_leaves_a_replica_out", "ring", "ring/coordinator/remote_piece.c",
           "read_repair_merge(&repair, sources, count, &merged, &piece->reach);",
           "read_repair_merge(&repair, sources, 1, &merged, &piece->reach);"),
    # A replica says by its own clock what is over.
    Mutant("now_not_sent", "ring", ("ring/coordinator/replica_read.c", "ring/coordinator/read_encoder.c"),
           ("                      read->request.now_s);",
            "        else\n            put_row(encoder->bytes, unfiltered.row);"),
           ("                      (int32_t)(env_wall_us(env) / 1000000));",
            "        else if (unfiltered.row->liveness.ttl == TTL_NONE || row_is_live(unfiltered.row, encoder->now_s))\n"
            "            put_row(encoder->bytes, unfiltered.row);")),
    # Replicas stop at so many rows: what another has deleted of them is missing behind, in the next partitions …
    Mutant("short_scan_is_taken_for_whole", "ring", "ring/coordinator/read_decoder.c",
           "return tag == READ_TAG_END ? STATUS_END : STATUS_WOULD_BLOCK;", "return STATUS_END;"),
    # … and in the same one.
    Mutant("short_partition_is_taken_for_whole", "ring", "ring/coordinator/read_decoder.c",
           "        decoder->cursor.next--; // Whoever asks again comes here again.\n"
           "        return STATUS_WOULD_BLOCK;",
           "        decoder->cursor.next--;\n        decoder->in_partition = false;\n        return STATUS_END;"),
    Mutant("expired_cell_becomes_a_tombstone_at_once", "ring", "storage/compaction/purge.c",
           "if (!cell_is_expiring(cell) || cell_is_live(cell, partition->expired_until_s)) return true;",
           "if (!cell_is_expiring(cell)) return true;"),
    Mutant("partition_deletion_not_repaired", "ring", "ring/coordinator/read_repair.c",
           "if (!deletion_equals(merged->deletion, own)) difference->mutation.deletion = merged->deletion;", ""),
    # An hour of seeds came to it once.
    Mutant("repair_ends_with_the_last_row_of_the_merge", "ring.coordinator.read_repair_test",
           "ring/coordinator/read_repair.c",
           "while (status == STATUS_OK && source->has_next) {", "while (false) {"),
    # -- A ring: Paxos of a partition ---------------------------------------------------------------
    Mutant("paxos_promise_not_synced", "paxos", "ring/paxos/paxos_acceptor.c",
           "engine_wait_durable(engine, &acceptance->waiter, acceptance->position, acceptor_synced);",
           "if (acceptance->verb != VERB_PAXOS_PREPARE)\n"
           "            engine_wait_durable(engine, &acceptance->waiter, acceptance->position, acceptor_synced);\n"
           "        else\n            acceptor_end_later(acceptance, STATUS_OK);"),
    Mutant("paxos_accept_not_synced", "paxos", "ring/paxos/paxos_acceptor.c",
           "engine_wait_durable(engine, &acceptance->waiter, acceptance->position, acceptor_synced);",
           "if (acceptance->verb != VERB_PAXOS_PROPOSE)\n"
           "            engine_wait_durable(engine, &acceptance->waiter, acceptance->position, acceptor_synced);\n"
           "        else\n            acceptor_end_later(acceptance, STATUS_OK);"),
    Mutant("paxos_accepts_below_its_promise", "ring", "ring/paxos/paxos_acceptor.c",
           "*yes = ballot_may_accept(state->promised, ballot);", "*yes = true;"),
    Mutant("paxos_in_progress_not_finished", "ring", "ring/paxos/paxos_cas.c",
           "if (ballot_compare(attempt->accepted.ballot, attempt->committed.ballot) > 0 &&\n"
           "        attempt->accepted.change.size > 0) {", "if (false) {"),
    Mutant("paxos_own_proposal_forgotten", "ring", "ring/paxos/paxos_cas.c",
           "if (attempt_look_for_own(attempt)) return;", ""),
    # What became of its own proposal it can not know, and says no.
    Mutant("paxos_proposal_that_comes_twice_is_refused", "ring.paxos.paxos_acceptor_test", "ring/paxos/paxos_acceptor.c",
           "return acceptance->is_message && acceptance->verb != VERB_PAXOS_COMMIT &&", "return false &&"),
    Mutant("paxos_unknown_is_taken_for_no", "paxos", "ring/paxos/paxos_cas.c",
           "    if (ballot_compare(attempt->committed.ballot, attempt->own_origins[0]) > 0) {\n"
           "        attempt_time_out(attempt);\n        return true;\n    }",
           "    if (ballot_compare(attempt->committed.ballot, attempt->own_origins[0]) > 0) attempt->own_count = 0;"),
    Mutant("paxos_refuses_before_the_promise_is_durable", "ring.paxos.paxos_acceptor_test", "ring/paxos/paxos_acceptor.c",
           "    if (!yes) env_mark(paxos->env, ENV_MARK_PAXOS_REFUSED);\n",
           "    if (!yes) {\n        env_mark(paxos->env, ENV_MARK_PAXOS_REFUSED);\n"
           "        acceptor_end_later(acceptance, STATUS_OK);\n        return;\n    }\n"),
    Mutant("paxos_missing_commit_not_repaired", "paxos", "ring/paxos/paxos_cas.c",
           "attempt->committed_count < attempt->required) {", "attempt->committed_count < 1) {"),
    # -- A ring: the metadata log -------------------------------------------------------------------
    Mutant("log_promise_not_synced", "ring", "ring/metadata/metadata_acceptor.c",
           "metadata_journal_put(pending->log->journal, &pending->entry, kind,\n"
           "                         buffer_slice(&pending->bytes), promise_is_durable);",
           "promise_is_durable(&pending->entry, STATUS_OK);\n    (void)kind;"),
    Mutant("log_accepts_below_its_promise", "ring", "ring/metadata/metadata_acceptor.c",
           "if (!ballot_may_accept(slot->promised, ballot)) {", "if (false) {"),
    Mutant("log_forgets_what_was_accepted", "ring", "ring/metadata/metadata_proposer.c",
           "if (ballot_compare(accepted, proposer->adopted) > 0) {", "if (false) {"),
    Mutant("log_minority_decides", "ring", "ring/metadata/metadata_log_state.h",
           "return (uint16_t)(log->member_count / 2 + 1);", "return (uint16_t)((log->member_count + 1) / 2);"),
    Mutant("log_always_without_prepare", "ring", "ring/metadata/metadata_proposer.c",
           "bool is_fast = proposer->own != NULL && proposer->fast_number == proposer->number;",
           "bool is_fast = proposer->own != NULL;"),
    Mutant("log_applied_before_sync", "ring", "ring/metadata/metadata_log.c",
           "metadata_journal_put(log->journal, &pending->entry, LOG_ENTRY_CHOSEN,\n"
           "                         buffer_slice(&pending->bytes), chosen_is_durable);",
           "chosen_is_durable(&pending->entry, STATUS_OK);"),
    Mutant("log_commit_takes_any_value", "ring.metadata.metadata_ring_test", "ring/metadata/metadata_catch_up.c",
           "ballot_compare(slot->accepted, ballot) == 0)\n        log_learn", "true)\n        log_learn"),
    Mutant("ddl_done_at_a_majority", "ring", "ring/metadata/metadata_log.c",
           "if (m != log->self && !peer->is_down && peer->acknowledged < append->number) return false;", "(void)peer;"),
    # -- All kinds of data in one engine --------------------------------------------------------------
    Mutant("purge_forgets_the_memtable", "engine", "storage/compaction/purge.c",
           "bool is_elsewhere = purge->memory_min_timestamp != INT64_MAX;\n"
           "    *max_timestamp = purge->memory_min_timestamp;",
           "bool is_elsewhere = false;\n    *max_timestamp = INT64_MAX;"),
    Mutant("purge_forgets_other_sstables", "engine", "storage/compaction/purge.c",
           "for (size_t i = 0; i < purge->other_count; i++) {",
           "for (size_t i = purge->other_count; i < purge->other_count; i++) {"),
    Mutant("dropped_cells_come_back", "engine", "storage/sstable/row_decoder.c",
           "if (column->known && cell.timestamp > column->dropped_time_us)", "if (column->known)"),
    Mutant("compaction_hides_a_truncation", "engine", "storage/engine/engine_install.c",
           "table->truncated_position > compaction->truncated_position;", "(compaction == NULL);"),
    Mutant("compaction_commits_before_sync", "engine", "storage/sstable/transaction_log.c",
           "if (status == STATUS_OK) status = env_file_sync(log->file, error);\n    if (status == STATUS_OK) {\n        log->size",
           "if (status == STATUS_OK && record->type != TRANSACTION_COMMIT)\n        status = env_file_sync(log->file, error);\n    if (status == STATUS_OK) {\n        log->size"),
    # No world comes to it often enough: a truncation while a flush waits for the log.
    Mutant("manifest_has_a_truncation_before_its_record", "storage.engine.engine_truncate_test",
           "storage/engine/engine_flush.c",
           "if (position > commit_log_synced_position(engine->log)) {", "if (false) {"),
    Mutant("manifest_forgets_what_is_added", "engine", "storage/engine/engine_install.c",
           "background->status = store(engine, &compaction->error);\n",
           "background->status = STATUS_OK;\n"),
    Mutant("inputs_removed_before_commit", "engine", "storage/compaction/compaction_task.c",
           "    if (status == STATUS_OK) status = transaction_log_commit(&task->log, error);\n",
           "    for (size_t i = 0; i < task->options.input_count && status == STATUS_OK; i++)\n"
           "        status = sstable_remove(task->env, task->options.directory,\n"
           "                                sstable_generation(task->options.inputs[i]), error);\n"
           "    if (status == STATUS_OK) status = transaction_log_commit(&task->log, error);\n"),
    Mutant("gc_grace_ignored", "engine", "storage/engine/engine_compactor.c",
           "wall_s(table->engine) - table->table->params.gc_grace_seconds;", "wall_s(table->engine) + 1;"),
    Mutant("expired_sstables_go_whatever_they_hide", "engine", "storage/compaction/compaction_strategy.c",
           "if (candidate->max_timestamp < min_timestamp) {", "if (true) {"),
    Mutant("merge_forgets_deletions_of_collections", "engine", "storage/merge/merge_row.c",
           "struct deletion active = has_own ? row->complex_deletions[complex].deletion : row_active;",
           "struct deletion active = row_active;\n        (void)has_own;"),
    Mutant("lists_are_ordered_by_bytes", "engine", "storage/cell_path.c",
           "return type_compare(type_of_kind(TYPE_TIMEUUID), a, b);", "return slice_compare(a, b);"),
    Mutant("drops_are_not_finished_at_the_start", "engine", "storage/engine/engine_open.c",
           "engine_find_table(engine, table->id)->is_dropped = true;", "(void)table;"),
    Mutant("row_is_known_too_soon", "engine", "storage/merge/known_row.c",
           "if (known->cells[i] <= max_timestamp) return false;", "(void)i;"),
    Mutant("counts_of_a_job_wait_for_no_disk", "ring.coordinator.coordinator_write_test", "ring/coordinator/coordinator.c",
           "return !engine_waits_for_disk(coordinator->engine) && metadata != NULL &&", "return false && metadata != NULL &&"),
    # -- Input that can not be read twice -----------------------------------------------------------
    Mutant("input_goes_before_the_log_knows_that_it_is_done", "stream.job.driver_test", "stream/job/driver.c",
           "source_done(driver->source, batch->record.offsets[0].from);",
           "source_done(driver->source, batch->record.offsets[0].to);"),
    Mutant("begun_segment_forgets_the_adoption", "stream.job.intake_test", "stream/job/intake_copy.c",
           "        copy_put_begin(bytes, &copy->own);\n",
           "        copy_put_head(bytes, copy->own.number, COPY_BEGIN, 0, slice_make(\"\", 0)), (void)copy_put_begin;\n"),
    Mutant("recorded_input_that_nobody_has_is_left_out", "stream.job.intake_ring_test", "stream/job/intake_ring.c",
           "    if (intake->copy_end < intake->options.required) intake->copy_end = intake->options.required;\n", ""),
    # -- Secondary indexes --------------------------------------------------------------------------
    Mutant("index_entry_is_removed_for_good", "node", "storage/engine/engine_index.c",
           ".deletion = {next_number(engine), (int32_t)(env_wall_us(engine->env) / 1000000)},",
           ".deletion = {next_number(engine) + 1000000, (int32_t)(env_wall_us(engine->env) / 1000000)},"),
    Mutant("index_of_one_replica_is_believed", "ring", "cql/execution/execution_select.c",
           "is_done = coordinator_read_try(coordinator, &work->read, consistency, select_read_done);",
           "is_done = coordinator_read_try(coordinator, &work->read, select_index_is_looking(work) ?\n"
           "                                       CONSISTENCY_ONE : consistency, select_read_done);"),
]
