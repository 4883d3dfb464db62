// SELECT from tables that are made for each read: steps follow each other at once.
#include "base/limits.h"
#include "cql/execution/execution_select.h"
#include "cql/system/system_tables.h"
#include "storage/partition_key.h"

#include <stdlib.h>

enum { VIRTUAL_KEY_COLUMNS_MAX = 8 };

static enum status select_consume_memtable(struct select_work *work)
{
    struct coordinator_read *read = &work->read;
    bool enough = false;
    for (size_t i = 0; i < read->key_count && !enough; i++) {
        struct partition_iterator *partition = memtable_read(
            work->memtable, read->table, &read->keys[i], &read->filter, &read->arena, NULL);
        if (partition == NULL) continue;
        enum status status = select_consume(read, partition, &enough);
        partition_iterator_close(partition);
        if (status != STATUS_OK) return status;
    }
    if (read->keys != NULL) return STATUS_OK;
    struct scan_iterator *scan =
        memtable_scan(work->memtable, read->table, &read->range, &read->filter, &read->arena, NULL);
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !enough) {
        struct partition_iterator *partition;
        status = scan_iterator_next(scan, &partition);
        if (status != STATUS_OK) break;
        status = select_consume(read, partition, &enough);
        partition_iterator_close(partition);
    }
    scan_iterator_close(scan);
    return status == STATUS_END ? STATUS_OK : status;
}

static int select_compare_keys(const void *a, const void *b, void *context)
{
    const struct table *table = context;
    const struct partition_key *keys[2] = {a, b};
    uint16_t count = table->column_counts[COLUMN_PARTITION_KEY];
    struct slice parts[2][VIRTUAL_KEY_COLUMNS_MAX];
    for (size_t i = 0; i < 2; i++)
        if (count > VIRTUAL_KEY_COLUMNS_MAX ||
            partition_key_split(keys[i]->bytes, count, parts[i]) != STATUS_OK)
            return partition_key_compare(keys[0], keys[1]);
    int order = 0;
    for (uint16_t i = 0; i < count && order == 0; i++)
        order =
            type_compare(table->columns[COLUMN_PARTITION_KEY][i].type, parts[0][i], parts[1][i]);
    return order;
}

// A virtual keyspace has no tokens to go by: its partitions are read in the order of their keys.
static void select_list_keys(struct select_work *work)
{
    struct arena *arena = &work->execution->arena;
    const struct table *table = work->plan->table;
    size_t count = memtable_partition_count(work->memtable);
    struct partition_key *keys = ARENA_NEW_ARRAY(arena, struct partition_key, count + 1);
    struct partition_filter nothing = {NULL, 0, false, false};
    struct scan_iterator *scan =
        memtable_scan(work->memtable, table, &work->scan, &nothing, arena, NULL);
    struct partition_iterator *partition;
    while (work->key_count < count && scan_iterator_next(scan, &partition) == STATUS_OK) {
        keys[work->key_count++] = partition_key_make(arena_copy(arena, partition->key.bytes));
        partition_iterator_close(partition);
    }
    scan_iterator_close(scan);
    qsort_r(keys, work->key_count, sizeof *keys, select_compare_keys, (void *)(uintptr_t)table);
    work->keys = keys;
    if (slice_is_null(work->progress.key)) return;
    struct partition_key place = partition_key_make(work->progress.key);
    while (work->next_key < work->key_count &&
           select_compare_keys(&keys[work->next_key], &place, (void *)(uintptr_t)table) <= 0)
        work->next_key++;
}

void select_run_virtual(struct select_work *work)
{
    struct query_processor *processor = work->execution->processor;
    work->memtable = memtable_create(work->plan->table);
    system_tables_fill(processor->system_tables, work->plan->table, work->memtable);
    if (work->plan->is_of_virtual_keyspace && work->keys == NULL && !work->scan_is_over)
        select_list_keys(work);
    bool is_over = false;
    while (!is_over && select_next_read(work)) {
        select_save(work);
        arena_init(&work->read.arena, 16 * KIB);
        enum status status = select_consume_memtable(work);
        arena_deinit(&work->read.arena);
        if (status != STATUS_OK) {
            cql_error_set(&work->execution->error, CQL_ERROR_SERVER, "%s", status_text(status));
            work->progress.failed = true;
        }
        select_move_on(work);
        is_over = work->progress.failed || work->progress.is_full;
        if (!is_over) select_carry(work);
    }
    memtable_unref(work->memtable);
    select_finish(work);
}
