#include "storage/sstable/transaction_record.h"

#include "base/checksum.h"
#include "storage/whole_file.h"

#include <inttypes.h>
#include <strings.h>

enum { LOG_SIZE_MAX = 16 * 1024 * 1024, NAME_SIZE_MIN = 5 };

static const char *const type_names[] = {
    [TRANSACTION_ADD] = "ADD",
    [TRANSACTION_REMOVE] = "REMOVE",
    [TRANSACTION_COMMIT] = "COMMIT",
    [TRANSACTION_ABORT] = "ABORT",
};
enum { TYPE_COUNT = sizeof type_names / sizeof *type_names };

// LogRecord.computeChecksum(): the time's halves are ints, the lower one first.
static uint32_t checksum_of(const struct transaction_record *record)
{
    uint8_t numbers[12];
    bytes_put_u32(numbers, (uint32_t)record->time_ms);
    bytes_put_u32(numbers + 4, (uint32_t)(record->time_ms >> 32));
    bytes_put_u32(numbers + 8, record->count);
    uint32_t crc = checksum_crc32(record->path);
    crc = checksum_crc32_more(crc, slice_of_text(type_names[record->type]));
    return checksum_crc32_more(crc, slice_make(numbers, sizeof numbers));
}

void transaction_record_format(const struct transaction_record *record, struct buffer *line)
{
    buffer_put_format(line, "%s:[", type_names[record->type]);
    buffer_put(line, record->path.data, record->path.size);
    buffer_put_format(line, ",%" PRIu64 ",%" PRIu32 "][%" PRIu32 "]\n", record->time_ms,
                      record->count, checksum_of(record));
}

// ---- Reading ------------------------------------------------------------------------------------

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

static const uint8_t *find_last(struct slice text, uint8_t byte)
{
    return text.size == 0 ? NULL : memrchr(text.data, byte, text.size);
}

// The number between the last `byte` and the end, which are cut off.
static bool take_last_number(struct slice *line, uint8_t byte, uint64_t *number)
{
    const uint8_t *at = find_last(*line, byte);
    if (at == NULL) return false;
    size_t before = (size_t)(at - line->data);
    if (!parse_number(slice_make(at + 1, line->size - before - 1), number)) return false;
    line->size = before;
    return true;
}

static bool take_last_byte(struct slice *line, uint8_t byte)
{
    if (line->size == 0 || line->data[line->size - 1] != byte) return false;
    line->size--;
    return true;
}

static bool parse_type(struct slice text, enum transaction_record_type *type)
{
    for (int i = 0; i < TYPE_COUNT; i++) {
        if (text.size != strlen(type_names[i]) ||
            strncasecmp((const char *)text.data, type_names[i], text.size) != 0)
            continue;
        *type = (enum transaction_record_type)i;
        return true;
    }
    return false;
}

static bool parse_line(struct slice line, struct transaction_record *record)
{
    struct transaction_record parsed = {.type = TRANSACTION_ADD};
    uint64_t checksum, count;
    if (!take_last_byte(&line, ']') || !take_last_number(&line, '[', &checksum) ||
        !take_last_byte(&line, ']') || !take_last_number(&line, ',', &count) ||
        !take_last_number(&line, ',', &parsed.time_ms) || count > INT32_MAX)
        return false;
    const uint8_t *colon = line.size == 0 ? NULL : memchr(line.data, ':', line.size);
    if (colon == NULL) return false;
    size_t type_size = (size_t)(colon - line.data);
    if (type_size + 1 == line.size || colon[1] != '[' ||
        !parse_type(slice_make(line.data, type_size), &parsed.type))
        return false;
    parsed.path = slice_make(colon + 2, line.size - type_size - 2);
    parsed.count = (uint32_t)count;
    if (checksum != checksum_of(&parsed)) return false;
    *record = parsed;
    return true;
}

bool transaction_record_next(struct slice *text, struct transaction_record *record)
{
    const uint8_t *end = memchr(text->data, '\n', text->size);
    size_t size = end == NULL ? text->size : (size_t)(end - text->data);
    struct slice line = slice_make(text->data, size);
    size_t used = end == NULL ? size : size + 1;
    *text = slice_make(text->data + used, text->size - used);
    return parse_line(line, record);
}

struct slice transaction_record_name(const struct transaction_record *record)
{
    const uint8_t *slash = find_last(record->path, '/');
    size_t before = slash == NULL ? 0 : (size_t)(slash - record->path.data) + 1;
    size_t size = record->path.size - before;
    return size < NAME_SIZE_MIN ? slice_null() : slice_make(record->path.data + before, size);
}

enum status transaction_record_read_file(struct env *env, const char *path, struct buffer *text,
                                         struct error *error)
{
    buffer_init(text, LOG_SIZE_MAX);
    enum status status = whole_file_read(env, path, text, error);
    if (status != STATUS_OK) buffer_deinit(text);
    return status;
}
