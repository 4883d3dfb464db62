#include "storage/compaction/compaction_input.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "storage/merge/merge.h"
#include "storage/sstable/scan_place.h"

#include <stdlib.h>

enum { SCAN_BLOCK_SIZE = 16 * 1024 };

// SSTables that follow each other on the ring, of which one is open at a time.
struct compaction_source {
    struct scan_iterator base;
    struct partition_iterator partition; // What is given out for `opened`.
    struct compaction_input *input;
    struct sstable_reader **readers; // Ascending.
    size_t reader_count, next;
    struct scan_iterator *scan; // Of the one before `next`, or NULL.
    struct arena arena;         // The scan's.
    struct partition_iterator *opened;
    uint64_t position; // In Data.db.
    struct error *error;
};

static bool is_paused(const struct compaction_source *source)
{
    return source->input->progress->read_bytes >= source->input->pause_at;
}

static void count_bytes(struct compaction_source *source, uint64_t position)
{
    source->input->progress->read_bytes += position - source->position;
    source->position = position;
}

// ---- Partitions of a source ---------------------------------------------------------------------

static enum status next_unfiltered(struct partition_iterator *iterator,
                                   struct unfiltered *unfiltered)
{
    struct compaction_source *source = CONTAINER_OF(iterator, struct compaction_source, partition);
    if (is_paused(source)) return STATUS_WOULD_BLOCK;
    enum status status = partition_iterator_next(source->opened, unfiltered);
    if (status != STATUS_OK) return status;
    count_bytes(source, scan_place_behind(source->opened));
    source->input->progress->rows_read += !unfiltered->is_marker;
    return STATUS_OK;
}

static void close_partition(struct partition_iterator *iterator)
{
    struct compaction_source *source = CONTAINER_OF(iterator, struct compaction_source, partition);
    partition_iterator_close(source->opened);
    source->opened = NULL;
}

static const struct partition_iterator_ops partition_ops = {next_unfiltered, close_partition};

static void close_scan(struct compaction_source *source)
{
    scan_iterator_close(source->scan);
    source->scan = NULL;
    arena_reset(&source->arena);
}

static enum status next_partition(struct scan_iterator *iterator,
                                  struct partition_iterator **partition)
{
    struct compaction_source *source = (struct compaction_source *)iterator;
    for (;;) {
        enum status status;
        if (is_paused(source)) return STATUS_WOULD_BLOCK;
        if (source->scan == NULL) {
            if (source->next == source->reader_count) return STATUS_END;
            status = sstable_scan_apart(source->readers[source->next], iterator->table,
                                        &source->arena, &source->scan, source->error);
            if (status != STATUS_OK) return status;
            source->next++;
            source->position = 0;
        }
        status = scan_iterator_next(source->scan, &source->opened);
        if (status == STATUS_OK) break;
        if (status != STATUS_END) return status;
        count_bytes(source, sstable_uncompressed_size(source->readers[source->next - 1]));
        close_scan(source);
    }
    count_bytes(source, scan_place_behind(source->opened));
    source->input->progress->partitions_read++;
    source->partition = *source->opened;
    source->partition.ops = &partition_ops;
    *partition = &source->partition;
    return STATUS_OK;
}

static void close_source(struct scan_iterator *iterator)
{
    struct compaction_source *source = (struct compaction_source *)iterator;
    if (source->scan != NULL) close_scan(source);
    arena_deinit(&source->arena);
}

static const struct scan_iterator_ops source_ops = {next_partition, close_source};

// ---- Which SSTables make a source ---------------------------------------------------------------

static int compare_first_keys(const void *left, const void *right)
{
    struct sstable_reader *const *a = left, *const *b = right;
    struct partition_key a_key = sstable_first_key(*a), b_key = sstable_first_key(*b);
    return partition_key_compare(&a_key, &b_key);
}

static bool may_follow(const struct compaction_source *source, const struct sstable_reader *reader)
{
    struct partition_key last = sstable_last_key(source->readers[source->reader_count - 1]);
    struct partition_key first = sstable_first_key(reader);
    return partition_key_compare(&last, &first) < 0;
}

static void begin_source(struct compaction_input *input, size_t reader_count, struct arena *arena,
                         struct error *error)
{
    struct compaction_source *source = &input->sources[input->source_count++];
    source->base = (struct scan_iterator){&source_ops, input->base.table};
    source->input = input;
    source->error = error;
    source->readers = ARENA_NEW_ARRAY(arena, struct sstable_reader *, reader_count);
    arena_init(&source->arena, SCAN_BLOCK_SIZE);
}

// Each goes to the first source whose last one ends before it begins.
static void make_sources(struct compaction_input *input, struct sstable_reader *const *readers,
                         size_t count, struct arena *arena, struct error *error)
{
    struct sstable_reader **sorted = ARENA_NEW_ARRAY(arena, struct sstable_reader *, count);
    for (size_t i = 0; i < count; i++)
        sorted[i] = readers[i];
    qsort(sorted, count, sizeof *sorted, compare_first_keys);
    input->sources = ARENA_NEW_ARRAY(arena, struct compaction_source, count);
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < input->source_count && !may_follow(&input->sources[at], sorted[i]))
            at++;
        if (at == input->source_count) begin_source(input, count - i, arena, error);
        struct compaction_source *source = &input->sources[at];
        source->readers[source->reader_count++] = sorted[i];
    }
}

// ---- All of them --------------------------------------------------------------------------------

// How many sources have this partition: those whose partition of this key is open.
static size_t count_sources(const struct compaction_input *input, const struct partition_key *key)
{
    size_t count = 0;
    for (size_t i = 0; i < input->source_count; i++) {
        const struct compaction_source *source = &input->sources[i];
        count += source->opened != NULL && partition_key_compare(&source->partition.key, key) == 0;
    }
    return count;
}

static enum status next_merged(struct scan_iterator *iterator,
                               struct partition_iterator **partition)
{
    struct compaction_input *input = (struct compaction_input *)iterator;
    enum status status = scan_iterator_next(input->merged, partition);
    if (status != STATUS_OK) return status;
    enum { COUNTS = sizeof input->progress->merged_counts / sizeof(uint64_t) };
    size_t count = count_sources(input, &(*partition)->key);
    ASSERT(count > 0);
    input->progress->merged_counts[count <= COUNTS ? count - 1 : COUNTS - 1]++;
    return STATUS_OK;
}

static void close_input(struct scan_iterator *iterator)
{
    scan_iterator_close(((struct compaction_input *)iterator)->merged);
}

static const struct scan_iterator_ops input_ops = {next_merged, close_input};

void compaction_input_init(struct compaction_input *input, const struct table *table,
                           struct sstable_reader *const *readers, size_t count,
                           struct compaction_progress *progress, struct arena *arena,
                           struct error *error)
{
    *input = (struct compaction_input){.base = {&input_ops, table}, .progress = progress};
    make_sources(input, readers, count, arena, error);
    struct scan_iterator **scans = ARENA_NEW_ARRAY(arena, struct scan_iterator *, count);
    for (size_t i = 0; i < input->source_count; i++)
        scans[i] = &input->sources[i].base;
    input->merged = merge_scans(scans, input->source_count, false, arena);
}
