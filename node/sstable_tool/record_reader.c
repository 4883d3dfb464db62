#include "node/sstable_tool/record_reader.h"

#include "base/assert.h"
#include "base/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_SIZE = 256 * 1024, BYTE_END = -1, BYTE_FAULT = -2 };
// A mutation has to be smaller anyway.
#define RECORD_SIZE_MAX (64ull * MIB)

enum status record_reader_open(struct record_reader *reader, struct env *env, const char *path,
                               struct error *error)
{
    *reader = (struct record_reader){.path = path, .null_text = slice_make("", 0), .next_line = 1};
    if (strcmp(path, "-") != 0) {
        enum status status = env_file_open(env, path, ENV_OPEN_READ, &reader->file, error);
        if (status != STATUS_OK) return status;
    }
    reader->bytes = malloc(PIECE_SIZE);
    ASSERT(reader->bytes != NULL);
    buffer_init(&reader->record, RECORD_SIZE_MAX);
    return STATUS_OK;
}

void record_reader_close(struct record_reader *reader)
{
    if (reader->file != NULL) env_file_close(reader->file);
    free(reader->bytes);
    free(reader->fields);
    free(reader->places);
    buffer_deinit(&reader->record);
}

static int fill(struct record_reader *reader, struct error *error)
{
    if (reader->is_at_end) return BYTE_END;
    reader->at = 0;
    if (reader->file != NULL) {
        if (env_file_read(reader->file, reader->offset, reader->bytes, PIECE_SIZE, &reader->size,
                          error) != STATUS_OK)
            return BYTE_FAULT;
    } else {
        reader->size = fread(reader->bytes, 1, PIECE_SIZE, stdin);
        if (reader->size == 0 && ferror(stdin)) {
            (void)error_set(error, STATUS_IO, "standard input: %s", strerror(errno));
            return BYTE_FAULT;
        }
    }
    bool is_first = reader->offset == 0;
    reader->offset += reader->size;
    reader->is_at_end = reader->size == 0;
    // The mark that some programs put before UTF-8 is no part of the first field.
    if (is_first && reader->size >= 3 && memcmp(reader->bytes, "\xef\xbb\xbf", 3) == 0)
        reader->at = 3;
    return reader->at < reader->size ? reader->bytes[reader->at] : fill(reader, error);
}

// The next byte, which stays there.
static int look(struct record_reader *reader, struct error *error)
{
    return reader->at < reader->size ? reader->bytes[reader->at] : fill(reader, error);
}

static void move(struct record_reader *reader)
{
    if (reader->bytes[reader->at++] == '\n') reader->next_line++;
}

static enum status too_long(const struct record_reader *reader, struct error *error)
{
    return error_set(error, STATUS_INVALID, "%s:%" PRIu64 ": a record is longer than %llu MiB",
                     reader->path, reader->line, RECORD_SIZE_MAX / MIB);
}

static bool is_blank(struct slice line)
{
    for (size_t i = 0; i < line.size; i++)
        if (line.data[i] > ' ') return false;
    return true;
}

enum status record_reader_line(struct record_reader *reader, struct slice *line,
                               struct error *error)
{
    do {
        buffer_clear(&reader->record);
        reader->line = reader->next_line;
        int byte;
        while ((byte = look(reader, error)) >= 0) {
            // Up to the end of the line, or of what was read.
            const uint8_t *start = reader->bytes + reader->at;
            const uint8_t *end = memchr(start, '\n', reader->size - reader->at);
            size_t size = end == NULL ? reader->size - reader->at : (size_t)(end - start);
            buffer_put(&reader->record, start, size);
            reader->at += size;
            if (end == NULL) continue;
            move(reader);
            break;
        }
        if (byte == BYTE_FAULT) return error == NULL ? STATUS_IO : error->status;
        if (reader->record.overflow) return too_long(reader, error);
        if (byte == BYTE_END && reader->record.size == 0) return STATUS_END;
        *line = buffer_slice(&reader->record);
    } while (is_blank(*line));
    return STATUS_OK;
}

// ---- CSV ----------------------------------------------------------------------------------------

static void begin_field(struct record_reader *reader)
{
    if (reader->field_count == reader->field_capacity) {
        reader->field_capacity = reader->field_capacity == 0 ? 64 : 2 * reader->field_capacity;
        reader->fields = realloc(reader->fields, reader->field_capacity * sizeof *reader->fields);
        reader->places = realloc(reader->places, reader->field_capacity * sizeof *reader->places);
        ASSERT(reader->fields != NULL && reader->places != NULL);
    }
    reader->places[reader->field_count++] = reader->record.size;
}

// One field, up to the comma or the line's end, which stays there. `*was_quoted`: it is not null
// when it is empty.
static int take_field(struct record_reader *reader, bool *was_quoted, struct error *error)
{
    bool in_quotes = false;
    int byte;
    *was_quoted = false;
    while ((byte = look(reader, error)) >= 0) {
        if (!in_quotes && (byte == ',' || byte == '\n' || byte == '\r')) return byte;
        move(reader);
        if (byte == '\\') {
            byte = look(reader, error);
            if (byte < 0) break;
            move(reader);
            buffer_put_u8(&reader->record, (uint8_t)byte);
        } else if (byte != '"') {
            buffer_put_u8(&reader->record, (uint8_t)byte);
        } else if (in_quotes && look(reader, error) == '"') {
            move(reader);
            buffer_put_u8(&reader->record, '"');
        } else {
            in_quotes = !in_quotes;
            *was_quoted = true;
        }
    }
    if (byte == BYTE_END && in_quotes) {
        (void)error_set(error, STATUS_INVALID, "%s:%" PRIu64 ": a field in quotes does not end",
                        reader->path, reader->line);
        return BYTE_FAULT;
    }
    return byte;
}

// Blank lines between records.
static int skip_lines(struct record_reader *reader, struct error *error)
{
    int byte;
    while ((byte = look(reader, error)) == '\n' || byte == '\r')
        move(reader);
    return byte;
}

enum status record_reader_fields(struct record_reader *reader, struct error *error)
{
    buffer_clear(&reader->record);
    reader->field_count = 0;
    int byte = skip_lines(reader, error);
    reader->line = reader->next_line;
    if (byte == BYTE_END) return STATUS_END;
    while (byte >= 0) {
        bool was_quoted;
        if (reader->field_count == TABLE_COLUMNS_MAX)
            return error_set(error, STATUS_INVALID, "%s:%" PRIu64 ": more than %u fields",
                             reader->path, reader->line, TABLE_COLUMNS_MAX);
        begin_field(reader);
        byte = take_field(reader, &was_quoted, error);
        size_t place = reader->places[reader->field_count - 1];
        struct slice field = slice_make("", reader->record.size - place);
        if (field.size > 0) field.data = reader->record.data + place;
        bool is_null = !was_quoted && slice_equals(field, reader->null_text);
        reader->fields[reader->field_count - 1] =
            is_null ? slice_null() : slice_make("", field.size);
        if (byte != ',') break;
        move(reader);
    }
    if (byte == BYTE_FAULT) return error->status;
    if (reader->record.overflow) return too_long(reader, error);
    // Only now the bytes stay where they are.
    for (size_t i = 0; i < reader->field_count; i++)
        if (reader->fields[i].size > 0)
            reader->fields[i].data = reader->record.data + reader->places[i];
    if (byte == '\r') move(reader);
    if (look(reader, error) == '\n') move(reader);
    return STATUS_OK;
}
