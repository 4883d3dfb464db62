// What a table holds, said in the plainest way: of each cell the newest version, of each place the
// newest deletion. The simulator's engine world compares every answer of an engine with it.
//
//     places: the rows that a partition can have, in clustering order; a bound is a cut between
//     versions: (timestamp, ttl, value); a deletion is a timestamp, and stays for ever
//
// Nothing is ever purged, merged or flushed here, so it is right for as long as nobody writes with
// timestamps older than gc_grace_seconds.
#ifndef NODE_SIM_TABLE_MODEL_H
#define NODE_SIM_TABLE_MODEL_H

#include "base/buffer.h"
#include "base/random.h"
#include "storage/partition_iterator.h"

enum {
    TABLE_MODEL_KEYS = 8,
    TABLE_MODEL_PLACES = 24,
    TABLE_MODEL_STATIC = TABLE_MODEL_PLACES, // The row behind all places.
    TABLE_MODEL_ROWS,
    TABLE_MODEL_COLUMNS = 12,
    TABLE_MODEL_ELEMENTS = 4, // Of a set, a map, or fields of a user-defined type.
    TABLE_MODEL_SLOTS = 8,    // Of a list: elements in no order, also some that are gone.
};

// A cell, or a row's marker (without a value).
struct table_model_version {
    int64_t timestamp; // TIMESTAMP_NONE: there is none.
    int32_t ttl, local_time;
    bool is_tombstone;
    int64_t path;   // Of a list's element: where it stands. Another one is another element.
    uint64_t stamp; // Its value: table_model_put_value(). Of a counter: the sum.
};

struct table_model_column {
    int64_t deleted; // Of many cells: their newest deletion.
    // Of one cell only the first.
    struct table_model_version cells[TABLE_MODEL_SLOTS];
};

struct table_model_row {
    int64_t deleted; // By the row, a range or the partition.
    struct table_model_version marker;
    struct table_model_column columns[TABLE_MODEL_COLUMNS];
};

struct table_model {
    struct table_model_row rows[TABLE_MODEL_KEYS][TABLE_MODEL_ROWS];
};

// What of a column the model must know beside its cells.
struct table_shape_column {
    const char *name;
    bool is_there, is_static;
    enum {
        SHAPE_TEXT,
        SHAPE_INT,
        SHAPE_TUPLE,  // tuple<int, text>, at times without a text
        SHAPE_VECTOR, // vector<float, 3>
        SHAPE_SET,
        SHAPE_MAP,
        SHAPE_UDT, // Of texts.
        SHAPE_LIST,
        SHAPE_COUNTER
    } type;
    int64_t dropped_us; // TIMESTAMP_NONE: never. Cells up to then are nothing any more.
};

// Of many cells.
static inline bool table_shape_is_complex(const struct table_shape_column *column)
{
    return column->type == SHAPE_SET || column->type == SHAPE_MAP || column->type == SHAPE_UDT ||
           column->type == SHAPE_LIST;
}

struct table_shape {
    bool counts;
    uint16_t clustering_count; // 0, 1 or 2.
    uint32_t inner;            // Places of each value of the first clustering column.
    bool reversed[2];
    struct table_shape_column columns[TABLE_MODEL_COLUMNS];
};

// How many places a partition has.
size_t table_shape_places(const struct table_shape *shape);

enum table_change_kind {
    CHANGE_CELL,
    CHANGE_MARKER,
    CHANGE_PLACES_GONE, // [place, place_end)
    CHANGE_PARTITION_GONE,
    CHANGE_COLUMN_GONE, // All its elements.
    CHANGE_INCREMENT,
    CHANGE_TRUNCATION,
};

struct table_change {
    enum table_change_kind kind;
    size_t key, place, place_end, column, element; // Of a list: the slot.
    struct table_model_version version;            // Of a deletion: its timestamp.
};

void table_model_clear(struct table_model *model);
void table_model_apply(struct table_model *model, const struct table_shape *shape,
                       const struct table_change *change);

// What an answer must be, as text: the rows of a partition in [place, place_end), as live_rows of
// them are printed by table_model_put_live().
void table_model_put_partition(const struct table_model *model, const struct table_shape *shape,
                               size_t key, int32_t now_s, struct buffer *text);
void table_model_put_static(const struct table_model *model, const struct table_shape *shape,
                            size_t key, int32_t now_s, struct buffer *text);
void table_model_put_row(const struct table_model *model, const struct table_shape *shape,
                         size_t key, size_t place, int32_t now_s, struct buffer *text);

// The slots of a list's elements that are alive, in its order; and those that a new element may
// have, which is newer than `deleted`, too. At most TABLE_MODEL_SLOTS.
size_t table_model_list(const struct table_model_row *row, const struct table_shape *shape,
                        size_t column, int32_t now_s, size_t *slots);
size_t table_model_free_slots(const struct table_model_row *row, const struct table_shape *shape,
                              size_t column, int64_t deleted, size_t *slots);

// The path of a cell; and what of it stands before the value in an answer's text.
void table_model_put_path(const struct table_shape_column *column, size_t element, int64_t path,
                          struct buffer *bytes);
void table_model_put_path_text(const struct table_shape_column *column, struct slice path,
                               struct buffer *text);
// A list's path of this microsecond; `turn` orders those of the same one.
enum { TABLE_MODEL_TURNS = 4 };
int64_t table_model_list_path(int64_t us, size_t turn);

// Bytes of a value; how many depends on the stamp alone: mostly few, sometimes many.
void table_model_put_value(const struct table_shape_column *column, uint64_t stamp,
                           struct buffer *value);

#endif
