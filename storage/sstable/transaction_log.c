#include "storage/sstable/transaction_log.h"

#include "base/buffer.h"
#include "base/checksum.h"
#include "storage/sstable/file_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOG_SIZE_MAX = 16 * 1024 * 1024, FIELD_COUNT = 4 };

// LogRecord.computeChecksum(): the time's halves are ints, the lower one first.
static uint32_t record_checksum(struct slice type, struct slice path, uint64_t time, uint32_t count)
{
    uint8_t numbers[12];
    bytes_put_u32(numbers, (uint32_t)time);
    bytes_put_u32(numbers + 4, (uint32_t)(time >> 32));
    bytes_put_u32(numbers + 8, count);
    uint32_t crc = checksum_crc32_more(checksum_crc32(path), type);
    return checksum_crc32_more(crc, slice_make(numbers, sizeof numbers));
}

static enum status append_record(struct transaction_log *log, const char *type, const char *path,
                                 uint32_t count, struct error *error)
{
    struct buffer line;
    buffer_init(&line, 2 * SSTABLE_PATH_SIZE);
    uint32_t crc = record_checksum(slice_of_text(type), slice_of_text(path), 0, count);
    buffer_put_format(&line, "%s:[%s,0,%" PRIu32 "][%" PRIu32 "]\n", type, path, count, crc);
    enum status status = env_file_write(log->file, log->size, line.data, line.size, error);
    log->size += line.size;
    buffer_deinit(&line);
    if (status != STATUS_OK) return status;
    return env_file_sync(log->file, error);
}

enum status transaction_log_begin(struct transaction_log *log, struct env *env,
                                  const char *directory, uint64_t generation, unsigned file_count,
                                  struct error *error)
{
    *log = (struct transaction_log){.env = env};
    uint64_t node = env_random_u64(env);
    struct uuid id = uuid_make_time_us(env_wall_us(env), 0, (uint16_t)(node >> 48), node);
    char id_text[UUID_TEXT_SIZE], prefix[SSTABLE_PATH_SIZE];
    uuid_format(id, id_text);
    snprintf(prefix, sizeof prefix, "%s/nb-%" PRIu64 "-big-", directory, generation);
    snprintf(log->path, sizeof log->path, "%s/nb_txn_flush_%s.log", directory, id_text);
    enum status status = env_file_open(
        env, log->path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE, &log->file, error);
    if (status != STATUS_OK) return status;
    status = append_record(log, "ADD", prefix, file_count, error);
    if (status == STATUS_OK) status = env_sync_dir(env, directory, error);
    if (status == STATUS_OK) return STATUS_OK;
    // It is of no use; what it names does not exist, so whether it goes does not matter.
    (void)!transaction_log_end(log, NULL);
    return status;
}

enum status transaction_log_commit(struct transaction_log *log, struct error *error)
{
    return append_record(log, "COMMIT", "", 0, error);
}

enum status transaction_log_end(struct transaction_log *log, struct error *error)
{
    env_file_close(log->file);
    log->file = NULL;
    return env_remove(log->env, log->path, error);
}

bool transaction_log_is_name(const char *name)
{
    size_t size = strlen(name);
    return strncmp(name, "nb_txn_", 7) == 0 && size > 4 && strcmp(name + size - 4, ".log") == 0;
}

// ---- Reading ------------------------------------------------------------------------------------

struct record {
    struct slice type, path;
    uint64_t time;
    uint32_t count;
};

static bool parse_number(struct slice text, uint64_t *number)
{
    if (text.size == 0 || text.size > 19) return false;
    *number = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        *number = *number * 10 + (uint64_t)(text.data[i] - '0');
    }
    return true;
}

static struct slice part(const uint8_t *start, const uint8_t *end)
{
    return slice_make(start, (size_t)(end - start));
}

static const uint8_t *find_last(struct slice text, uint8_t byte)
{
    return text.size == 0 ? NULL : memrchr(text.data, byte, text.size);
}

// TYPE:[path,time,count][checksum]; false for anything else, or with a wrong checksum.
static bool parse_record(struct slice line, struct record *record)
{
    if (line.size == 0 || line.data[line.size - 1] != ']') return false;
    line.size--;
    uint64_t checksum, count;
    const uint8_t *at = find_last(line, '[');
    if (at == NULL || !parse_number(part(at + 1, line.data + line.size), &checksum)) return false;
    line = part(line.data, at);
    if (line.size == 0 || line.data[line.size - 1] != ']') return false;
    line.size--;
    at = find_last(line, ',');
    if (at == NULL || !parse_number(part(at + 1, line.data + line.size), &count)) return false;
    line = part(line.data, at);
    at = find_last(line, ',');
    if (at == NULL || !parse_number(part(at + 1, line.data + line.size), &record->time))
        return false;
    line = part(line.data, at);
    at = line.size == 0 ? NULL : memchr(line.data, ':', line.size);
    if (at == NULL || at + 1 == line.data + line.size || at[1] != '[') return false;
    record->type = part(line.data, at);
    record->path = part(at + 2, line.data + line.size);
    record->count = (uint32_t)count;
    return checksum == record_checksum(record->type, record->path, record->time, record->count);
}

static bool is_type(const struct record *record, const char *type)
{
    return slice_equals(record->type, slice_of_text(type));
}

// Calls `remove` for the records of this type, up to the first that is damaged.
static void report(struct slice text, const char *type,
                   void (*remove)(void *context, struct slice prefix), void *context)
{
    while (text.size > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        if (end == NULL) end = text.data + text.size;
        struct record record;
        if (!parse_record(part(text.data, end), &record)) return;
        if (is_type(&record, type)) {
            const uint8_t *slash = find_last(record.path, '/');
            const uint8_t *path_end = record.path.data + record.path.size;
            struct slice prefix = slash == NULL ? record.path : part(slash + 1, path_end);
            // Any shorter text would be the beginning of too many names.
            if (prefix.size > 4) remove(context, prefix);
        }
        size_t used = (size_t)(end - text.data);
        if (used < text.size) used++;
        text = slice_make(text.data + used, text.size - used);
    }
}

// Whether all records are whole and the last says COMMIT.
static bool is_committed(struct slice text)
{
    if (text.size == 0) return false;
    if (text.data[text.size - 1] == '\n') text.size--;
    const uint8_t *start = find_last(text, '\n');
    start = start == NULL ? text.data : start + 1;
    struct record record;
    return parse_record(part(start, text.data + text.size), &record) && is_type(&record, "COMMIT");
}

enum status transaction_log_replay(struct env *env, const char *path,
                                   void (*remove)(void *context, struct slice prefix),
                                   void *context, struct error *error)
{
    struct slice text;
    enum status status = file_reader_read_file(env, path, LOG_SIZE_MAX, &text, error);
    if (status != STATUS_OK) return status;
    report(text, is_committed(text) ? "REMOVE" : "ADD", remove, context);
    free((void *)text.data);
    return STATUS_OK;
}
