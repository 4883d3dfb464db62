#include "node/sstable_tool/verify_rows.h"

#include "base/limits.h"
#include "node/sstable_tool/verify_index.h"
#include "node/sstable_tool/verify_seen.h"
#include "storage/counter_context.h"
#include "storage/sstable/index_reader.h"
#include "storage/sstable/scan_place.h"

#include <inttypes.h>
#include <stdio.h>

// A place among the rows, kept while the next one is read.
struct kept_place {
    struct arena arena;
    struct bound bound;
    bool exists;
};

struct walking {
    struct tool_sstable *sstable;
    const struct table *table;
    struct sstable_reader *reader;
    struct verify_report *report;
    struct verify_progress *progress;
    struct verify_seen seen;
    struct verify_index index;
    struct error cause; // Of a stream or scan.
    struct stream entries, blocks, data;
    struct index_entry entry;
    bool is_damaged;            // Some partition could not be read.
    uint64_t expected_position; // Of the next partition, or UINT64_MAX: not known.
    struct arena arena;
    // Of the present partition.
    struct kept_place places[2]; // The previous and the present one, in turn.
    size_t place_index;
    struct deletion open;
    uint32_t block_index;
    bool has_block;
    struct index_block block;
    struct slice *block_values[2];
};

static void fault(struct walking *walking, uint64_t offset, const char *what)
{
    verify_report_at(walking->report, SSTABLE_DATA, offset, "%s", what);
}

static void index_fault(struct walking *walking, const char *what)
{
    verify_report_at(walking->report, SSTABLE_INDEX, walking->entry.start, "%s", what);
}

static bool same_deletion(struct deletion a, struct deletion b)
{
    return a.timestamp == b.timestamp && a.local_time == b.local_time;
}

// ---- The head of a partition --------------------------------------------------------------------

// The deletion in the index, before the number of blocks, is that of Data.db to the bit, also when
// it is none.
static bool has_deletion(struct walking *walking, struct slice deletion)
{
    const struct index_entry *entry = &walking->entry;
    struct slice bytes;
    stream_seek(&walking->blocks, entry->blocks - vint_size(entry->block_count) - deletion.size);
    return stream_peek(&walking->blocks, deletion.size, &bytes) == STATUS_OK &&
           bytes.size >= deletion.size && memcmp(bytes.data, deletion.data, deletion.size) == 0;
}

// u16 size, key, deletion: in Data.db as in the index. False: it makes no sense to go on here.
static bool check_head(struct walking *walking, uint64_t *head_size)
{
    const struct index_entry *entry = &walking->entry;
    if (walking->expected_position != UINT64_MAX && entry->position != walking->expected_position)
        verify_report_at(walking->report, SSTABLE_INDEX, walking->entry.start,
                         "the partition is said to be at %" PRIu64
                         "; the one before ends at %" PRIu64,
                         entry->position, walking->expected_position);
    stream_seek(&walking->data, entry->position);
    struct slice bytes;
    size_t wanted = 2 + entry->key.size + DELETION_SIZE;
    if (entry->position >= walking->reader->data_size) {
        index_fault(walking, "the partition is said to be behind the end of Data.db");
        return false;
    }
    if (stream_peek(&walking->data, wanted, &bytes) != STATUS_OK) {
        verify_report_error(walking->report, &walking->cause);
        return false;
    }
    struct cursor cursor = cursor_make(bytes);
    struct slice key = cursor_take(&cursor, cursor_u16(&cursor));
    const uint8_t *start = cursor.next;
    struct deletion deletion = row_decoder_plain_deletion(&walking->reader->header, &cursor);
    if (cursor.failed || !slice_equals(key, entry->key)) {
        index_fault(walking, "where it points to in Data.db there is another key");
        return false;
    }
    if (entry->block_count > 0 &&
        !has_deletion(walking, slice_make(start, (size_t)(cursor.next - start))))
        index_fault(walking, "it has another deletion of the partition than Data.db");
    *head_size = (uint64_t)(cursor.next - bytes.data);
    verify_seen_deletion(&walking->seen, deletion);
    return true;
}

// ---- Blocks of the index ------------------------------------------------------------------------

static bool same_place(const struct walking *walking, const struct bound *a, const struct bound *b)
{
    return a->kind == b->kind && a->prefix.count == b->prefix.count &&
           bound_compare(walking->table, a, b) == 0;
}

// Before the unfiltered at `offset` from the partition's start.
static void enter_block(struct walking *walking, uint64_t offset, const struct bound *place)
{
    if (walking->has_block || walking->block_index >= walking->entry.block_count) return;
    enum status status =
        index_reader_block(&walking->blocks, &walking->entry, walking->block_index,
                           walking->block_values[0], walking->block_values[1], &walking->block);
    walking->has_block = true;
    if (status != STATUS_OK) {
        verify_report_error(walking->report, &walking->cause);
        walking->block_index = UINT32_MAX;
        return;
    }
    char what[96];
    if (walking->block.offset != offset) {
        (void)snprintf(what, sizeof what,
                       "block %" PRIu32 " is said to begin %" PRIu64
                       " bytes from the partition's start, not %" PRIu64,
                       walking->block_index, walking->block.offset, offset);
        index_fault(walking, what);
        walking->block_index = UINT32_MAX;
    } else if (!same_place(walking, place, &walking->block.first)) {
        (void)snprintf(what, sizeof what, "block %" PRIu32 " begins with another row",
                       walking->block_index);
        index_fault(walking, what);
    }
}

// Behind the unfiltered that ends at `offset`.
static void leave_block(struct walking *walking, uint64_t offset, const struct bound *place)
{
    if (!walking->has_block || walking->block_index == UINT32_MAX) return;
    const struct index_block *block = &walking->block;
    uint64_t end = block->offset + block->width;
    // The byte that ends the partition counts to the last block.
    bool is_end = end == offset || end == offset + 1;
    char what[96];
    if (!is_end && end > offset) return;
    if (!is_end) {
        (void)snprintf(what, sizeof what, "block %" PRIu32 " ends inside of a row",
                       walking->block_index);
        index_fault(walking, what);
        walking->block_index = UINT32_MAX;
        return;
    }
    if (!same_place(walking, place, &block->last) || !same_deletion(block->open, walking->open)) {
        (void)snprintf(what, sizeof what, "block %" PRIu32 " ends with another row or deletion",
                       walking->block_index);
        index_fault(walking, what);
    }
    walking->block_index++;
    walking->has_block = false;
}

static void end_blocks(struct walking *walking)
{
    if (walking->block_index != UINT32_MAX &&
        (walking->block_index != walking->entry.block_count || walking->has_block))
        index_fault(walking, "there are more blocks than rows, or the last one is too long");
}

// ---- Rows ---------------------------------------------------------------------------------------

static void check_value(struct walking *walking, uint64_t offset, const struct type *type,
                        struct slice value, const char *what, struct slice name)
{
    struct error cause;
    if (value.data == NULL || type_validate(type, value, &cause) == STATUS_OK) return;
    verify_report_at(walking->report, SSTABLE_DATA, offset, "%s '%.*s': %s", what,
                     (int)(name.size > 100 ? 100 : name.size), (const char *)name.data, cause.text);
}

static const struct type *path_type(const struct type *type)
{
    return type->kind == TYPE_LIST  ? type_of_kind(TYPE_TIMEUUID)
           : type->kind == TYPE_UDT ? type_of_kind(TYPE_SMALLINT)
                                    : type->parameters[0];
}

// NULL: the field of a UDT that there is not.
static const struct type *value_type(const struct type *type, struct slice path)
{
    if (!type_is_multi_cell(type)) return type;
    if (type->kind == TYPE_LIST) return type->parameters[0];
    if (type->kind == TYPE_MAP) return type->parameters[1];
    if (type->kind == TYPE_SET) return type_of_kind(TYPE_EMPTY);
    uint16_t field = path.size == 2 ? bytes_get_u16(path.data) : UINT16_MAX;
    return field < type->parameter_count ? type->parameters[field] : NULL;
}

static void check_cells(struct walking *walking, uint64_t offset, const struct row *row,
                        bool is_static)
{
    const struct column *columns =
        walking->table->columns[is_static ? COLUMN_STATIC : COLUMN_REGULAR];
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];
        const struct column *column = &columns[cell->column];
        bool is_multi_cell = type_is_multi_cell(column->type);
        if (is_multi_cell)
            check_value(walking, offset, path_type(column->type), cell->path, "key in column",
                        column->name);
        const struct type *type = value_type(column->type, cell->path);
        if (type == NULL) {
            fault(walking, offset, "a field that its type does not have");
        } else if (type->kind == TYPE_COUNTER) {
            if (!cell_is_tombstone(cell) && !counter_context_is_valid(cell->value))
                fault(walking, offset, "the context of a counter makes no sense");
        } else if (!cell_is_tombstone(cell)) {
            check_value(walking, offset, type, cell->value, "column", column->name);
        }
        if (is_multi_cell && i > 0 && cell->column == row->cells[i - 1].column &&
            type_compare(path_type(column->type), row->cells[i - 1].path, cell->path) >= 0)
            fault(walking, offset, "cells of a column are not in order");
    }
}

static struct bound place_of(const struct unfiltered *unfiltered)
{
    if (unfiltered->is_marker) return unfiltered->marker->bound;
    return (struct bound){BOUND_CLUSTERING, unfiltered->row->clustering};
}

static void keep_place(struct kept_place *kept, const struct bound *place)
{
    arena_reset(&kept->arena);
    struct slice *values = ARENA_NEW_ARRAY(&kept->arena, struct slice, place->prefix.count);
    for (uint16_t i = 0; i < place->prefix.count; i++)
        values[i] = arena_copy(&kept->arena, place->prefix.values[i]);
    kept->bound = (struct bound){place->kind, {place->prefix.count, values}};
    kept->exists = true;
}

static void check_covered(struct walking *walking, uint64_t offset, const struct bound *place)
{
    const struct statistics_full *statistics = &walking->sstable->statistics;
    if (bound_is_boundary(place->kind)) return;
    if ((statistics->min_clustering.prefix.count > 0 &&
         bound_compare(walking->table, place, &statistics->min_clustering) < 0) ||
        (statistics->max_clustering.prefix.count > 0 &&
         bound_compare(walking->table, place, &statistics->max_clustering) > 0))
        verify_report_at(walking->report, SSTABLE_STATISTICS, 0,
                         "a row lies outside of the clusterings it tells of (Data.db: %" PRIu64 ")",
                         offset);
}

static void check_marker(struct walking *walking, uint64_t offset, const struct marker *marker)
{
    if (!same_deletion(marker->closes, walking->open))
        fault(walking, offset,
              deletion_is_live(walking->open) ? "a range tombstone ends that did not begin"
                                              : "a range tombstone does not end as it began");
    walking->open = marker->opens;
    verify_seen_deletion(&walking->seen, marker->closes);
    verify_seen_deletion(&walking->seen, marker->opens);
}

static void check_row(struct walking *walking, uint64_t offset, const struct row *row)
{
    const struct column *columns = walking->table->columns[COLUMN_CLUSTERING];
    for (uint16_t i = 0; i < row->clustering.count; i++)
        check_value(walking, offset, columns[i].type, row->clustering.values[i],
                    "clustering value of", slice_make("the row", 7));
    check_cells(walking, offset, row, false);
    verify_seen_row(&walking->seen, row, walking->table, false);
}

static void check_unfiltered(struct walking *walking, const struct unfiltered *unfiltered,
                             uint64_t offset, uint64_t end)
{
    struct bound place = place_of(unfiltered);
    struct kept_place *previous = &walking->places[walking->place_index];
    uint64_t start = walking->entry.position;
    if (previous->exists && bound_compare(walking->table, &previous->bound, &place) >= 0)
        fault(walking, offset, "rows are not in order");
    if (!previous->exists) check_covered(walking, offset, &place);
    enter_block(walking, offset - start, &place);
    if (unfiltered->is_marker)
        check_marker(walking, offset, unfiltered->marker);
    else
        check_row(walking, offset, unfiltered->row);
    leave_block(walking, end - start, &place);
    walking->place_index ^= 1;
    keep_place(&walking->places[walking->place_index], &place);
}

// ---- Partitions ---------------------------------------------------------------------------------

static enum status walk_partition(struct walking *walking, struct partition_iterator *partition)
{
    walking->open = DELETION_NONE;
    walking->block_index = 0;
    walking->has_block = false;
    walking->places[0].exists = walking->places[1].exists = false;
    uint64_t start = scan_place_of_partition(partition);
    if (partition->static_row != NULL && !row_is_empty(partition->static_row)) {
        check_cells(walking, start, partition->static_row, true);
        verify_seen_row(&walking->seen, partition->static_row, walking->table, true);
    }
    struct unfiltered unfiltered;
    enum status status;
    uint64_t offset = scan_place_behind(partition), last = offset;
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
        uint64_t end = scan_place_behind(partition);
        check_unfiltered(walking, &unfiltered, offset, end);
        last = offset;
        offset = end;
        verify_progress_step(walking->progress, "rows", offset, walking->reader->data_size);
        if (verify_report_is_full(walking->report)) return STATUS_OK;
    }
    if (status != STATUS_END) return status;
    const struct kept_place *place = &walking->places[walking->place_index];
    if (place->exists) check_covered(walking, last, &place->bound);
    if (!deletion_is_live(walking->open))
        fault(walking, offset, "a range tombstone is open at the end of the partition");
    end_blocks(walking);
    walking->expected_position = offset + 1;
    return STATUS_OK;
}

// The partition of the present entry, which the scan comes to next. END: the scan must begin anew.
static enum status check_partition(struct walking *walking, struct scan_iterator *scan)
{
    uint64_t head_size;
    bool has_head = check_head(walking, &head_size);
    walking->expected_position = UINT64_MAX;
    if (!has_head) return STATUS_END;
    struct partition_iterator *partition;
    enum status status = scan_iterator_next(scan, &partition);
    if (status == STATUS_OK) {
        const struct index_entry *entry = &walking->entry;
        bool has_static = walking->reader->header.columns[ROWS_STATIC].count > 0;
        if (has_static) head_size = scan_place_behind(partition) - entry->position;
        if (entry->block_count > 0 && entry->header_size != head_size) {
            index_fault(walking, "the size of the partition's head is another in Data.db");
            status = STATUS_END;
        } else {
            status = walk_partition(walking, partition);
        }
        partition_iterator_close(partition);
    }
    if (status == STATUS_CORRUPT) verify_report_error(walking->report, &walking->cause);
    return status == STATUS_CORRUPT ? STATUS_END : status;
}

// Of what lies behind the key.
static enum status begin_scan(struct walking *walking, struct slice key,
                              struct scan_iterator **scan)
{
    struct scan_range range = SCAN_RANGE_ALL;
    range.start = (struct scan_bound){partition_key_make(key).token, key, false};
    arena_reset(&walking->arena);
    return tool_sstable_scan(walking->sstable, &range, &walking->arena, scan, &walking->cause);
}

static enum status walk_all(struct walking *walking)
{
    struct scan_iterator *scan = NULL;
    struct arena key_arena;
    arena_init(&key_arena, KIB);
    enum status status = tool_sstable_scan(walking->sstable, &SCAN_RANGE_ALL, &walking->arena,
                                           &scan, &walking->cause);
    while (status == STATUS_OK && !verify_report_is_full(walking->report)) {
        status = index_reader_entry(&walking->entries, &walking->entry);
        if (status != STATUS_OK) break;
        verify_index_add(&walking->index, walking->entry.key, walking->entry.start);
        walking->seen.partitions++;
        status = check_partition(walking, scan);
        if (status == STATUS_END) {
            // Damage: what comes behind this partition is looked at too.
            walking->is_damaged = true;
            scan_iterator_close(scan);
            scan = NULL;
            arena_reset(&key_arena);
            struct slice key = arena_copy(&key_arena, walking->entry.key);
            status = begin_scan(walking, key, &scan);
        }
        index_reader_advance(&walking->entries, &walking->entry);
    }
    scan_iterator_close(scan);
    arena_deinit(&key_arena);
    return status;
}

static void finish(struct walking *walking)
{
    if (verify_report_is_full(walking->report)) return;
    verify_index_end(&walking->index);
    uint64_t size = walking->reader->data_size;
    if (walking->expected_position != UINT64_MAX && walking->expected_position != size)
        verify_report_at(walking->report, SSTABLE_DATA, walking->expected_position,
                         "bytes up to %" PRIu64 " are in no partition", size);
    // With partitions that could not be read the sums would be wrong for that alone.
    if (!walking->is_damaged)
        verify_seen_compare(&walking->seen, &walking->sstable->statistics, walking->report);
}

enum status verify_rows(struct tool_sstable *sstable, struct verify_report *report,
                        struct verify_progress *progress, struct error *error)
{
    struct walking walking = {
        .sstable = sstable,
        .table = sstable->table,
        .reader = sstable->reader,
        .report = report,
        .progress = progress,
    };
    arena_init(&walking.arena, 64 * KIB);
    arena_init(&walking.places[0].arena, KIB);
    arena_init(&walking.places[1].arena, KIB);
    struct stream_access access = {.error = &walking.cause};
    stream_init(&walking.entries, walking.reader, access, SSTABLE_INDEX);
    stream_init(&walking.blocks, walking.reader, access, SSTABLE_INDEX);
    stream_init(&walking.data, walking.reader, access, SSTABLE_DATA);
    for (int i = 0; i < 2; i++)
        walking.block_values[i] = ARENA_NEW_ARRAY(&sstable->arena, struct slice,
                                                  walking.reader->header.clustering_count + 1);
    enum status status = verify_index_begin(&walking.index, sstable->env, report, error);
    if (status == STATUS_OK) {
        status = walk_all(&walking);
        if (status == STATUS_END) {
            finish(&walking);
            status = STATUS_OK;
        } else if (status == STATUS_CORRUPT) {
            verify_report_error(report, &walking.cause);
            status = STATUS_OK;
        } else if (status != STATUS_OK) {
            *error = walking.cause;
        }
    }
    report->partitions = walking.seen.partitions;
    report->rows = walking.seen.rows;
    verify_index_deinit(&walking.index);
    stream_deinit(&walking.entries);
    stream_deinit(&walking.blocks);
    stream_deinit(&walking.data);
    arena_deinit(&walking.arena);
    arena_deinit(&walking.places[0].arena);
    arena_deinit(&walking.places[1].arena);
    return status;
}
