// Records of a file or of standard input, one after the other, whatever its size: a line of JSON,
// or of CSV the fields of a line (which may go over several, in quotes).
//
// CSV is cqlsh's: quotes " around a field, \ before a quote inside; "" is a quote too. A field that
// is `null_text` (empty, unless changed) and has no quotes is null.
#ifndef NODE_SSTABLE_TOOL_RECORD_READER_H
#define NODE_SSTABLE_TOOL_RECORD_READER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/env.h"

struct record_reader {
    const char *path; // For messages.
    struct slice null_text;
    struct env_file *file; // NULL: standard input.
    uint64_t offset;       // Of what is read next.
    uint8_t *bytes;        // Read and not yet used: [at, size).
    size_t at, size;
    bool is_at_end;
    uint64_t line; // Of the record that was read last, from 1 on.
    uint64_t next_line;
    struct buffer record;
    struct slice *fields; // Of CSV; null or with bytes in `record`.
    size_t *places;       // Where each begins in `record`.
    size_t field_count, field_capacity;
};

// "-": standard input.
MUST_USE enum status record_reader_open(struct record_reader *reader, struct env *env,
                                        const char *path, struct error *error);
void record_reader_close(struct record_reader *reader);
// The next line that is not blank; valid until the next one. END, IO, INVALID (too long).
MUST_USE enum status record_reader_line(struct record_reader *reader, struct slice *line,
                                        struct error *error);
// The next line's fields, in `fields`, as long. END, IO, INVALID.
MUST_USE enum status record_reader_fields(struct record_reader *reader, struct error *error);

#endif
