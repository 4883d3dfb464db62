// CQL types (org.apache.cassandra.db.marshal.AbstractType): what a column's bytes mean.
//
// A type is an immutable tree. The scalars are constants (type_of_kind()); parameterised types live
// in the arena that their maker gave. A column's DESC is not part of its type: see schema.h.
#ifndef STORAGE_TYPE_H
#define STORAGE_TYPE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>

// clang-format off
//    kind        CQL name     marshal class     protocol id  fixed size in files (0: variable)
#define TYPE_MAP(X)                                               \
    X(ASCII,      "ascii",     "AsciiType",         0x01, 0)      \
    X(BIGINT,     "bigint",    "LongType",          0x02, 8)      \
    X(BLOB,       "blob",      "BytesType",         0x03, 0)      \
    X(BOOLEAN,    "boolean",   "BooleanType",       0x04, 1)      \
    X(COUNTER,    "counter",   "CounterColumnType", 0x05, 0)      \
    X(DECIMAL,    "decimal",   "DecimalType",       0x06, 0)      \
    X(DOUBLE,     "double",    "DoubleType",        0x07, 8)      \
    X(FLOAT,      "float",     "FloatType",         0x08, 4)      \
    X(INT,        "int",       "Int32Type",         0x09, 4)      \
    X(TIMESTAMP,  "timestamp", "TimestampType",     0x0B, 8)      \
    X(UUID,       "uuid",      "UUIDType",          0x0C, 16)     \
    X(TEXT,       "text",      "UTF8Type",          0x0D, 0)      \
    X(VARINT,     "varint",    "IntegerType",       0x0E, 0)      \
    X(TIMEUUID,   "timeuuid",  "TimeUUIDType",      0x0F, 16)     \
    X(INET,       "inet",      "InetAddressType",   0x10, 0)      \
    X(DATE,       "date",      "SimpleDateType",    0x11, 0)      \
    X(TIME,       "time",      "TimeType",          0x12, 0)      \
    X(SMALLINT,   "smallint",  "ShortType",         0x13, 0)      \
    X(TINYINT,    "tinyint",   "ByteType",          0x14, 0)      \
    X(DURATION,   "duration",  "DurationType",      0x15, 0)      \
    X(LIST,       "list",      "ListType",          0x20, 0)      \
    X(MAP,        "map",       "MapType",           0x21, 0)      \
    X(SET,        "set",       "SetType",           0x22, 0)      \
    X(UDT,        "",          "UserType",          0x30, 0)      \
    X(TUPLE,      "tuple",     "TupleType",         0x31, 0)      \
    X(VECTOR,     "vector",    "VectorType",        0x00, 0)      \
    X(EMPTY,      "empty",     "EmptyType",         0x00, 0)      \
    X(CUSTOM,     "",          "",                  0x00, 0)
// clang-format on

enum type_kind {
#define X(kind, cql, java, id, size) TYPE_##kind,
    TYPE_MAP(X)
#undef X
        TYPE_KIND_COUNT
};

// How deep types may nest: what is deeper is malformed.
enum { TYPE_DEPTH_MAX = 64 };

struct type {
    enum type_kind kind;
    bool frozen;              // LIST, SET, MAP, UDT: one cell instead of many. Tuples always are.
    uint16_t parameter_count; // LIST, SET, VECTOR: 1; MAP: 2; TUPLE, UDT: any.
    uint16_t dimension;       // VECTOR: elements.
    const struct type *const *parameters;
    struct slice keyspace, name;     // UDT: where it is defined. CUSTOM: `name` is the Java text.
    const struct slice *field_names; // UDT: one for each parameter.
};

static inline bool type_is_collection(const struct type *type)
{
    return type->kind == TYPE_LIST || type->kind == TYPE_SET || type->kind == TYPE_MAP;
}

// A scalar's type.
const struct type *type_of_kind(enum type_kind kind);
// In the arena. `frozen` as in the field; then what is inside is made frozen too.
const struct type *type_make_list(struct arena *arena, const struct type *element, bool frozen);
const struct type *type_make_set(struct arena *arena, const struct type *element, bool frozen);
const struct type *type_make_map(struct arena *arena, const struct type *key,
                                 const struct type *value, bool frozen);
const struct type *type_make_tuple(struct arena *arena, const struct type *const *elements,
                                   uint16_t count);
// A UDT's type; names and fields are not copied.
const struct type *type_make_udt(struct arena *arena, struct slice keyspace, struct slice name,
                                 const struct slice *field_names,
                                 const struct type *const *field_types, uint16_t count,
                                 bool frozen);
const struct type *type_make_vector(struct arena *arena, const struct type *element,
                                    uint16_t dimension);
// A class that we do not know, by its Java text: ordered by bytes, any bytes are valid.
const struct type *type_make_custom(struct arena *arena, struct slice java_text);
// `type` with itself and all inside it frozen, as it is within frozen<...>: a UDT or collection
// that is frozen freezes what it holds (AbstractType.freeze()). May be `type` itself.
const struct type *type_freeze(struct arena *arena, const struct type *type);
// The same tree in another arena.
const struct type *type_copy(struct arena *arena, const struct type *type);

// Is, or holds somewhere, this kind.
bool type_contains_kind(const struct type *type, enum type_kind kind);
bool type_equals(const struct type *a, const struct type *b);
// Many cells in a row: a LIST, SET, MAP or UDT that is not frozen ("complex" in sstable-nb).
bool type_is_multi_cell(const struct type *type);
// Bytes of each value that is not empty in a file, or 0 when a length stands before it (§2.4:
// tinyint, smallint, date and time are variable; a vector is fixed when its element is).
size_t type_fixed_size(const struct type *type);
// The value is empty, null or of that size: any other would damage what follows it in a file.
bool type_fits(const struct type *type, struct slice value);

// Order of two values as stored, §2.10: negative, zero, positive. Ascending: see schema.h for DESC.
// Any bytes are taken; what is no value of the type is ordered by bytes.
int type_compare(const struct type *type, struct slice a, struct slice b);
// INVALID with Cassandra's text, e.g. "Expected 4 or 0 byte int (3)".
MUST_USE enum status type_validate(const struct type *type, struct slice value,
                                   struct error *error);

// "map<text, frozen<list<int>>>", as system_schema.columns and DESCRIBE have it.
void type_put_cql(const struct type *type, struct buffer *text);
// "org.apache.cassandra.db.marshal.MapType(...)", §8.6; inside ReversedType(...) if `reversed`.
void type_put_java(const struct type *type, bool reversed, struct buffer *text);
// Reads what type_put_java() writes. MALFORMED. A class that is not known becomes CUSTOM.
MUST_USE enum status type_parse_java(struct arena *arena, struct slice text,
                                     const struct type **type, bool *reversed, struct error *error);

#endif
