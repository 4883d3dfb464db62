// The text of a schema that was guessed: its UDTs, the table, and what of its options shows in the
// files.
#ifndef NODE_SSTABLE_TOOL_SCHEMA_GUESS_H
#define NODE_SSTABLE_TOOL_SCHEMA_GUESS_H

#include "node/sstable_tool/tool_sstable.h"

struct schema_guess {
    struct arena *arena;
    const struct table *table; // With a reference, or NULL.
    bool has_id;
    struct uuid id;
    double filter_chance;
    const char *compressor; // "LZ4Compressor"; NULL: not compressed.
    uint32_t chunk_size;
};

void schema_guess_init(struct schema_guess *guess, struct arena *arena);
void schema_guess_deinit(struct schema_guess *guess);
// Of the newest SSTable.
MUST_USE enum status schema_guess_options(struct schema_guess *guess, struct tool_sstable *sstable,
                                          struct error *error);
// That in which the UDTs of the columns are, or null.
struct slice schema_guess_udt_keyspace(const struct header *header);

void schema_guess_put(const struct schema_guess *guess, struct buffer *text);
void schema_guess_put_json(const struct schema_guess *guess, struct buffer *text);

#endif
