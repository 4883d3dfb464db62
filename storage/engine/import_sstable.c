#include "storage/engine/import_sstable.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/limits.h"
#include "storage/partition_key.h"
#include "storage/sstable/file_reader.h"
#include "storage/sstable/format.h"
#include "storage/sstable/scan_place.h"
#include "storage/sstable/statistics_change.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PIECE_SIZE = 256 * 1024, STEP_ROWS = 20000, ARENA_BLOCK_SIZE = 64 * 1024 };

#define STEP_BYTES (16 * (uint64_t)MIB)

enum stage { LOOKING, HASHING, OPENING, READING, BRINGING, READY };

struct import_sstable {
    struct env *env;
    struct import_sstable_options options;
    char *source;
    struct import_range *ranges;
    enum stage stage;
    struct sstable_check check;
    uint64_t hashed_bytes, rows_bytes, copied_bytes, total_bytes;
    // The component that is being read, or copied.
    int component;
    struct env_file *file, *target;
    uint64_t offset;
    struct checksum_xxh3 *hash;
    uint32_t crc; // Of Data.db.
    uint8_t *piece;
    // Rows.
    struct sstable_reader *reader; // Of the source; then of the new files.
    struct arena arena;
    struct scan_iterator *scan;
    struct slice *key_values; // Room for those of one key.
    struct buffer last_key;
    bool has_last_key;
    uint64_t partition_count;
    struct error scan_error;
    struct transaction_log log;
    bool has_log;
};

struct import_sstable *import_sstable_create(struct env *env,
                                             const struct import_sstable_options *options)
{
    struct import_sstable *import = calloc(1, sizeof *import);
    ASSERT(import != NULL);
    import->env = env;
    import->options = *options;
    import->source = strdup(options->source);
    import->piece = malloc(PIECE_SIZE);
    ASSERT(import->source != NULL && import->piece != NULL);
    if (options->ranges != NULL) {
        import->ranges = calloc(options->range_count + 1, sizeof *import->ranges);
        ASSERT(import->ranges != NULL);
        for (size_t i = 0; i < options->range_count; i++)
            import->ranges[i] = options->ranges[i];
    }
    import->key_values =
        calloc(options->table->column_counts[COLUMN_PARTITION_KEY], sizeof *import->key_values);
    ASSERT(import->key_values != NULL);
    arena_init(&import->arena, ARENA_BLOCK_SIZE);
    buffer_init(&import->last_key, KEY_SIZE_MAX);
    return import;
}

static void close_files(struct import_sstable *import)
{
    if (import->file != NULL) env_file_close(import->file);
    if (import->target != NULL) env_file_close(import->target);
    import->file = import->target = NULL;
}

static void close_scan(struct import_sstable *import)
{
    if (import->scan != NULL) scan_iterator_close(import->scan);
    import->scan = NULL;
    arena_reset(&import->arena);
}

void import_sstable_destroy(struct import_sstable *import)
{
    close_files(import);
    close_scan(import);
    sstable_unref(import->reader);
    if (import->has_log) transaction_log_leave(&import->log);
    if (import->hash != NULL) checksum_xxh3_destroy(import->hash);
    arena_deinit(&import->arena);
    buffer_deinit(&import->last_key);
    free(import->ranges);
    free(import->key_values);
    free(import->piece);
    free(import->source);
    free(import);
}

static void source_path(const struct import_sstable *import, int component,
                        char path[SSTABLE_PATH_SIZE])
{
    sstable_name_path(path, import->source, &import->options.name,
                      (enum sstable_component)component);
}

static void target_path(const struct import_sstable *import, int component,
                        char path[SSTABLE_PATH_SIZE])
{
    struct sstable_name name =
        sstable_name_of(import->options.name.version, import->options.generation);
    sstable_name_path(path, import->options.directory, &name, (enum sstable_component)component);
}

static enum status open_source(struct import_sstable *import, struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    source_path(import, import->component, path);
    return env_file_open(import->env, path, ENV_OPEN_READ, &import->file, error);
}

// ---- Which files there are ----------------------------------------------------------------------

static enum status look(struct import_sstable *import, struct error *error)
{
    for (int c = 0; c < SSTABLE_COMPONENT_COUNT; c++) {
        import->component = c;
        enum status status = open_source(import, error);
        if (status == STATUS_NOT_FOUND && c != SSTABLE_DATA && c != SSTABLE_INDEX &&
            c != SSTABLE_STATISTICS)
            continue;
        if (status == STATUS_OK)
            status = env_file_size(import->file, &import->check.sizes[c], error);
        close_files(import);
        if (status != STATUS_OK) return status;
        import->total_bytes += import->check.sizes[c];
    }
    import->component = 0;
    import->stage = HASHING;
    return STATUS_OK;
}

// ---- Checksums ----------------------------------------------------------------------------------

// Digest.crc32: decimal digits.
static enum status compare_digest(struct import_sstable *import, struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    if (import->check.sizes[SSTABLE_DIGEST] == 0 || import->options.is_quick) return STATUS_OK;
    source_path(import, SSTABLE_DIGEST, path);
    struct slice file;
    enum status status = file_reader_read_file(import->env, path, KIB, &file, error);
    if (status != STATUS_OK) return status;
    uint64_t digest = 0;
    for (size_t i = 0; i < file.size && file.data[i] >= '0' && file.data[i] <= '9' && i < 10; i++)
        digest = digest * 10 + (uint64_t)(file.data[i] - '0');
    free((void *)file.data);
    if (digest == import->crc) return STATUS_OK;
    source_path(import, SSTABLE_DATA, path);
    return error_set(error, STATUS_CORRUPT,
                     "%s: its checksum is %" PRIu32 ", not %" PRIu64 " as Digest.crc32 says", path,
                     import->crc, digest);
}

static enum status end_component(struct import_sstable *import, struct error *error)
{
    import->check.xxh3[import->component] = checksum_xxh3_value(import->hash);
    checksum_xxh3_destroy(import->hash);
    import->hash = NULL;
    close_files(import);
    import->offset = 0;
    return import->component == SSTABLE_DATA ? compare_digest(import, error) : STATUS_OK;
}

static enum status hash_piece(struct import_sstable *import, struct error *error)
{
    size_t size;
    enum status status =
        env_file_read(import->file, import->offset, import->piece, PIECE_SIZE, &size, error);
    if (status != STATUS_OK) return status;
    struct slice bytes = slice_make(import->piece, size);
    checksum_xxh3_add(import->hash, bytes);
    if (import->component == SSTABLE_DATA) import->crc = checksum_crc32_more(import->crc, bytes);
    import->offset += size;
    import->hashed_bytes += size;
    if (size == PIECE_SIZE) return STATUS_OK;
    if (import->offset != import->check.sizes[import->component])
        return error_set(error, STATUS_CORRUPT, "a file of %s changes while it is read",
                         import->source);
    return end_component(import, error);
}

static enum status hash(struct import_sstable *import, struct error *error)
{
    for (uint64_t end = import->hashed_bytes + STEP_BYTES; import->hashed_bytes < end;) {
        while (import->hash == NULL && import->component < SSTABLE_COMPONENT_COUNT &&
               import->check.sizes[import->component] == 0)
            import->component++;
        if (import->component == SSTABLE_COMPONENT_COUNT) {
            import->component = 0;
            import->stage = OPENING;
            return STATUS_OK;
        }
        enum status status = STATUS_OK;
        if (import->hash == NULL) {
            import->hash = checksum_xxh3_create(0);
            status = open_source(import, error);
        }
        if (status == STATUS_OK) status = hash_piece(import, error);
        if (status != STATUS_OK) return status;
        if (import->hash == NULL) import->component++;
    }
    return STATUS_OK;
}

// ---- Rows ---------------------------------------------------------------------------------------

static enum status open_reader(struct import_sstable *import, struct error *error)
{
    enum status status = sstable_open_named(import->env, import->source, &import->options.name,
                                            import->options.table, NULL, &import->reader, error);
    if (status == STATUS_OK)
        status = sstable_check_table(import->reader, import->options.table, error);
    if (status != STATUS_OK) return status;
    bool is_read = !import->options.is_quick || import->ranges != NULL;
    import->stage = is_read ? READING : BRINGING;
    return STATUS_OK;
}

static bool is_owned(const struct import_sstable *import, struct token token)
{
    for (size_t i = 0; i < import->options.range_count; i++) {
        const struct import_range *range = &import->ranges[i];
        bool is_behind = token_compare(token, range->after) > 0;
        bool is_before = token_compare(token, range->up_to) <= 0;
        bool goes_around = token_compare(range->up_to, range->after) <= 0;
        if (goes_around ? is_behind || is_before : is_behind && is_before) return true;
    }
    return false;
}

static bool key_is_of_table(struct slice *values, const struct table *table, struct slice key)
{
    uint16_t count = table->column_counts[COLUMN_PARTITION_KEY];
    if (partition_key_split(key, count, values) != STATUS_OK) return false;
    for (uint16_t i = 0; i < count; i++)
        if (!type_fits(table->columns[COLUMN_PARTITION_KEY][i].type, values[i])) return false;
    return true;
}

static enum status check_key(struct import_sstable *import, const struct partition_key *key,
                             uint64_t place, struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    source_path(import, SSTABLE_DATA, path);
    if (import->has_last_key) {
        struct partition_key last = partition_key_make(buffer_slice(&import->last_key));
        if (partition_key_compare(&last, key) >= 0)
            return error_set(error, STATUS_CORRUPT,
                             "%s: offset %" PRIu64 ": partitions are not in order", path, place);
    }
    if (!key_is_of_table(import->key_values, import->options.table, key->bytes))
        return error_set(error, STATUS_CORRUPT,
                         "%s: offset %" PRIu64 ": the key is none of the table's", path, place);
    buffer_clear(&import->last_key);
    buffer_put(&import->last_key, key->bytes.data, key->bytes.size);
    import->has_last_key = true;
    if (import->ranges != NULL && !is_owned(import, key->token))
        return error_set(error, STATUS_INVALID,
                         "%s: offset %" PRIu64 ": a key of token %" PRId64
                         " is not of this node's; --no-tokens takes it all the same",
                         path, place, key->token.value);
    return STATUS_OK;
}

static struct bound place_of(const struct unfiltered *unfiltered)
{
    if (unfiltered->is_marker) return unfiltered->marker->bound;
    return (struct bound){BOUND_CLUSTERING, unfiltered->row->clustering};
}

// Copies of two places are kept in turn.
struct last_place {
    struct arena arena;
    struct bound bound;
    bool exists;
};

static void keep_place(struct last_place *last, const struct bound *place)
{
    arena_reset(&last->arena);
    struct slice *values = ARENA_NEW_ARRAY(&last->arena, struct slice, place->prefix.count + 1u);
    for (uint16_t i = 0; i < place->prefix.count; i++)
        values[i] = arena_copy(&last->arena, place->prefix.values[i]);
    last->bound = (struct bound){place->kind, {place->prefix.count, values}};
    last->exists = true;
}

static enum status read_rows(struct import_sstable *import, struct partition_iterator *partition,
                             uint64_t *row_count, struct error *error)
{
    struct last_place last = {.exists = false};
    arena_init(&last.arena, KIB);
    enum status status;
    for (;;) {
        struct unfiltered unfiltered;
        status = partition_iterator_next(partition, &unfiltered);
        if (status != STATUS_OK) break;
        struct bound place = place_of(&unfiltered);
        if (last.exists && bound_compare(import->options.table, &last.bound, &place) >= 0) {
            char path[SSTABLE_PATH_SIZE];
            source_path(import, SSTABLE_DATA, path);
            status =
                error_set(error, STATUS_CORRUPT, "%s: offset %" PRIu64 ": rows are not in order",
                          path, scan_place_behind(partition));
            break;
        }
        keep_place(&last, &place);
        ++*row_count;
    }
    arena_deinit(&last.arena);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status end_rows(struct import_sstable *import, struct error *error)
{
    close_scan(import);
    if (import->partition_count != sstable_partition_count(import->reader)) {
        char path[SSTABLE_PATH_SIZE];
        source_path(import, SSTABLE_DATA, path);
        return error_set(error, STATUS_CORRUPT,
                         "%s: has %" PRIu64 " partitions, and Index.db %" PRIu64, path,
                         import->partition_count, sstable_partition_count(import->reader));
    }
    import->stage = BRINGING;
    return STATUS_OK;
}

static enum status read_some(struct import_sstable *import, struct error *error)
{
    enum status status = STATUS_OK;
    if (import->scan == NULL)
        status = sstable_scan_apart(import->reader, import->options.table, &import->arena,
                                    &import->scan, &import->scan_error);
    uint64_t row_count = 0;
    uint64_t end = import->rows_bytes + STEP_BYTES;
    while (status == STATUS_OK && row_count < STEP_ROWS && import->rows_bytes < end) {
        struct partition_iterator *partition;
        status = scan_iterator_next(import->scan, &partition);
        if (status == STATUS_END) return end_rows(import, error);
        if (status != STATUS_OK) break;
        import->partition_count++;
        row_count++;
        status = check_key(import, &partition->key, scan_place_of_partition(partition), error);
        if (status == STATUS_OK && !import->options.is_quick)
            status = read_rows(import, partition, &row_count, error);
        import->rows_bytes = scan_place_behind(partition);
        partition_iterator_close(partition);
    }
    // What a scan finds, it tells in the error that it was opened with.
    if (status != STATUS_OK && import->scan_error.status == status) *error = import->scan_error;
    return status;
}

// ---- Under our own name -------------------------------------------------------------------------

static bool needs_change(const struct import_sstable *import)
{
    return (sstable_level(import->reader) != 0 && !import->options.keeps_level) ||
           (sstable_repaired_at(import->reader) != 0 && !import->options.keeps_repaired);
}

static enum status write_whole(struct import_sstable *import, struct slice bytes,
                               struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    target_path(import, import->component, path);
    enum status status =
        env_file_open(import->env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE,
                      &import->target, error);
    if (status == STATUS_OK)
        status = env_file_write(import->target, 0, bytes.data, bytes.size, error);
    if (status == STATUS_OK) status = env_file_sync(import->target, error);
    close_files(import);
    return status;
}

static enum status bring_statistics(struct import_sstable *import, struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    source_path(import, SSTABLE_STATISTICS, path);
    struct slice file;
    enum status status = file_reader_read_file(import->env, path, COMPONENT_SIZE_MAX, &file, error);
    if (status != STATUS_OK) return status;
    uint8_t *bytes = (uint8_t *)(uintptr_t)file.data;
    status = statistics_change(
        bytes, file.size, import->options.name.version,
        import->options.keeps_level ? sstable_level(import->reader) : 0,
        import->options.keeps_repaired ? sstable_repaired_at(import->reader) : 0, error);
    if (status == STATUS_OK) status = write_whole(import, file, error);
    if (status == STATUS_OK) {
        import->check.xxh3[SSTABLE_STATISTICS] = checksum_xxh3(file, 0);
        import->component++;
    }
    free(bytes);
    return status;
}

// Whoever wrote the file need not have synced it.
static enum status sync_link(struct import_sstable *import, const char *path, struct error *error)
{
    enum status status =
        env_file_open(import->env, path, ENV_OPEN_READ | ENV_OPEN_WRITE, &import->target, error);
    if (status == STATUS_OK) status = env_file_sync(import->target, error);
    close_files(import);
    return status;
}

static enum status copy_piece(struct import_sstable *import, struct error *error)
{
    size_t size;
    enum status status =
        env_file_read(import->file, import->offset, import->piece, PIECE_SIZE, &size, error);
    if (status == STATUS_OK && size > 0)
        status = env_file_write(import->target, import->offset, import->piece, size, error);
    if (status != STATUS_OK) return status;
    import->offset += size;
    import->copied_bytes += size;
    if (size == PIECE_SIZE) return STATUS_OK;
    status = env_file_sync(import->target, error);
    close_files(import);
    import->offset = 0;
    import->component++;
    return status;
}

// A link; where that is not possible (another file system), a copy.
static enum status begin_component(struct import_sstable *import, struct error *error)
{
    char from[SSTABLE_PATH_SIZE], to[SSTABLE_PATH_SIZE];
    if (import->component == SSTABLE_STATISTICS && needs_change(import))
        return bring_statistics(import, error);
    source_path(import, import->component, from);
    target_path(import, import->component, to);
    if (env_link(import->env, from, to, NULL) == STATUS_OK) {
        enum status status = sync_link(import, to, error);
        import->component++;
        return status;
    }
    enum status status = open_source(import, error);
    if (status == STATUS_OK)
        status =
            env_file_open(import->env, to, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE,
                          &import->target, error);
    return status;
}

static enum status begin_log(struct import_sstable *import, struct error *error)
{
    unsigned file_count = 0;
    for (int c = 0; c < SSTABLE_COMPONENT_COUNT; c++)
        if (import->check.sizes[c] > 0) file_count++;
    if (import->options.generation > INT32_MAX)
        return error_set(error, STATUS_OVERLOADED, "%s: no more SSTables can be numbered",
                         import->options.directory);
    enum status status = transaction_log_begin(&import->log, import->env, import->options.directory,
                                               TRANSACTION_FLUSH, error);
    if (status != STATUS_OK) return status;
    import->has_log = true;
    struct sstable_name name =
        sstable_name_of(import->options.name.version, import->options.generation);
    return transaction_log_add_named(&import->log, &name, file_count, error);
}

// Its names are durable, and it opens where it is now.
static enum status end_bringing(struct import_sstable *import, struct error *error)
{
    enum status status = env_sync_dir(import->env, import->options.directory, error);
    sstable_unref(import->reader);
    import->reader = NULL;
    import->check.is_foreign = true;
    if (status == STATUS_OK)
        status = sstable_open(import->env, import->options.directory, import->options.generation,
                              import->options.table, &import->check, &import->reader, error);
    if (status == STATUS_OK) import->stage = READY;
    return status;
}

static enum status bring(struct import_sstable *import, struct error *error)
{
    enum status status = STATUS_OK;
    if (!import->has_log) status = begin_log(import, error);
    for (uint64_t end = import->copied_bytes + STEP_BYTES;
         status == STATUS_OK && import->copied_bytes < end;) {
        while (import->file == NULL && import->component < SSTABLE_COMPONENT_COUNT &&
               import->check.sizes[import->component] == 0)
            import->component++;
        if (import->component == SSTABLE_COMPONENT_COUNT) return end_bringing(import, error);
        status = import->file == NULL ? begin_component(import, error) : copy_piece(import, error);
    }
    return status;
}

enum status import_sstable_step(struct import_sstable *import, struct error *error)
{
    switch (import->stage) {
    case LOOKING:
        return look(import, error);
    case HASHING:
        return hash(import, error);
    case OPENING:
        return open_reader(import, error);
    case READING:
        return read_some(import, error);
    case BRINGING:
        return bring(import, error);
    default:
        return STATUS_END;
    }
}

uint64_t import_sstable_done_bytes(const struct import_sstable *import)
{
    uint64_t bytes = import->hashed_bytes;
    if (import->stage == READING)
        bytes +=
            import->rows_bytes < import->total_bytes ? import->rows_bytes : import->total_bytes;
    return import->stage > READING ? 2 * import->total_bytes : bytes;
}

uint64_t import_sstable_total_bytes(const struct import_sstable *import)
{
    return 2 * import->total_bytes;
}

// ---- The end ------------------------------------------------------------------------------------

uint64_t import_sstable_generation(const struct import_sstable *import)
{
    return import->options.generation;
}

struct sstable_check import_sstable_check(const struct import_sstable *import)
{
    return import->check;
}

enum status import_sstable_commit(struct import_sstable *import, struct error *error)
{
    return transaction_log_commit(&import->log, error);
}

struct sstable_reader *import_sstable_take_reader(struct import_sstable *import)
{
    struct sstable_reader *reader = import->reader;
    import->reader = NULL;
    return reader;
}

void import_sstable_finish(struct import_sstable *import)
{
    // What is left of the log is removed by the next start.
    (void)!transaction_log_finish(&import->log, NULL);
    import->has_log = false;
}

bool import_sstable_undo(struct import_sstable *import)
{
    bool is_undecided = false;
    close_files(import);
    close_scan(import);
    sstable_unref(import->reader);
    import->reader = NULL;
    if (import->has_log) (void)!transaction_log_undo(&import->log, &is_undecided, NULL);
    import->has_log = false;
    return is_undecided;
}

enum status import_sstable_remove_source(struct import_sstable *import, struct error *error)
{
    for (int c = 0; c < SSTABLE_COMPONENT_COUNT; c++) {
        char path[SSTABLE_PATH_SIZE];
        source_path(import, c, path);
        enum status status = env_remove(import->env, path, error);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
    }
    return STATUS_OK;
}
