// A row of a system table in the making: columns by name, then one mutation of a memtable.
//
//     system_row_begin(&row, table, memtable, &arena, timestamp);
//     system_row_set_text(&row, "key", "local");
//     …
//     system_row_end(&row);
//
// Columns that are not set are null. Values are copied or outlive system_row_end().
#ifndef CQL_SYSTEM_SYSTEM_ROW_H
#define CQL_SYSTEM_SYSTEM_ROW_H

#include "base/arena.h"
#include "storage/memtable/memtable.h"
#include "storage/uuid.h"

struct system_row {
    const struct table *table;
    struct memtable *memtable;
    struct arena *arena; // For values; the caller's, reset when it likes.
    int64_t timestamp;
    int32_t ttl; // TTL_NONE, unless it is set after system_row_begin(): seconds from `timestamp`.
    struct slice partition_key[4], clustering[5];
    struct cell *cells;
    uint32_t cell_count, cell_capacity;
};

void system_row_begin(struct system_row *row, const struct table *table, struct memtable *memtable,
                      struct arena *arena, int64_t timestamp);
// All columns of the primary key have been set.
void system_row_end(struct system_row *row);

// The row instead, which lives as long as the arena: for a mutation of several rows of the same
// partition, whose key this gives too.
struct row system_row_take(struct system_row *row, struct partition_key *key);

// The bytes of a value. A column that the table lacks is a bug.
void system_row_set(struct system_row *row, const char *column, struct slice value);
void system_row_set_text(struct system_row *row, const char *column, const char *text);
void system_row_set_bool(struct system_row *row, const char *column, bool value);
void system_row_set_int(struct system_row *row, const char *column, int32_t value);
void system_row_set_long(struct system_row *row, const char *column, int64_t value);
void system_row_set_double(struct system_row *row, const char *column, double value);
void system_row_set_uuid(struct system_row *row, const char *column, struct uuid value);
// A frozen<map<text, text>>.
void system_row_set_options(struct system_row *row, const char *column,
                            const struct options *options);
// A frozen<set<text>> or frozen<list<text>>.
void system_row_set_texts(struct system_row *row, const char *column, const struct slice *texts,
                          size_t count);
// An element of a set that is not frozen.
void system_row_add_element(struct system_row *row, const char *column, struct slice element);
// An entry of a map that is not frozen. In the order of its keys.
void system_row_add_entry(struct system_row *row, const char *column, struct slice key,
                          struct slice value);

#endif
