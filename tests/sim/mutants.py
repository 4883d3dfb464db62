"""Planted bugs: what a simulator is accepted by. Each is an edit of one file; the old text occurs once there.

A planted bug that the simulator does not find within SEEDS_MAX seeds of its world is a failure of the simulator.
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
    Mutant("sstable_names_not_synced", "storage", "storage/sstable/writer.c",
           "return env_sync_dir(writer->env, writer->options->directory, writer->error);", "return STATUS_OK;"),
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
    Mutant("log_marked_flushed_too_early", "node", "storage/engine/engine_flush.c",
           "env_mark(engine->env, ENV_MARK_FLUSH_STARTED);",
           "commit_log_mark_flushed(engine->log, table->table->id, background->flushing->log_position);"),
    Mutant("replay_skips_one_record_after_a_flush", "storage", "storage/engine/engine_open.c",
           "position <= table->manifest.flushed_position ||",
           "(table->manifest.flushed_position > 0 && position <= table->manifest.flushed_position + 1) ||"),
    Mutant("flush_removes_what_the_manifest_may_name", "storage", "storage/engine/engine_flush.c",
           "background->manifest_failed = status != STATUS_OK;\n        return status;",
           "if (status == STATUS_OK) return status;"),
    Mutant("truncation_is_not_replayed", "storage", "storage/engine/engine_open.c",
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
    Mutant("counter_id_kept_after_a_crash", "storage", "storage/engine/counter_id.c",
           "if (has_last && has_mark && uuid_equals(last.id, mark.id) &&\n        mark.log_position == log_position) {",
           "if (has_last && (mark = last, true)) {"),
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
    Mutant("a_lost_answer_begins_the_job_anew", "job", "stream/job/worker_link.c",
           "if (link->was_submitted) submission.id = link->job.submission_id;", ""),
    Mutant("batch_reported_before_its_sync", "job", "ring/coordinator/coordinator_write.c",
           "engine_wait_synced(coordinator->engine, &write->waiter, position, write_synced);",
           "write->result.received = 1, env_task_post(coordinator->env, &write->task, write_task_run);"),
]
