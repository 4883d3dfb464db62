// Values as text: CQL literals, casts, JSON, and back (TypeSerializer.toCQLLiteral,
// AbstractType.toJSONString, AbstractType.fromString).
//
// Values come from files and clients: whatever bytes they are, something is written. Null (a slice
// of NULL) is "null".
#ifndef STORAGE_VALUE_H
#define STORAGE_VALUE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "storage/schema/type.h"

// As a statement would have it: 'it''s', 0xff, '2020-01-01', [1, 2], {a: 1}.
void value_put_cql(const struct type *type, struct slice value, struct buffer *text);
// As CAST(… AS text) gives it: the literal without its outer quotes.
void value_put_cast(const struct type *type, struct slice value, struct buffer *text);
// As SELECT JSON and toJson() give it.
void value_put_json(const struct type *type, struct slice value, struct buffer *text);

// Reads what a string constant (or a number, or hexadecimal digits without 0x for a blob) may say
// for a value of this type. INVALID with Cassandra's text, such as "Unable to make int from 'x'".
// An empty text is an empty value for most types. A time without a zone is in UTC.
MUST_USE enum status value_from_text(const struct type *type, struct slice text,
                                     struct arena *arena, struct slice *value, struct error *error);
// The same, and 'now' is a timestamp too: `now_ms` milliseconds since 1970.
MUST_USE enum status value_from_text_at(const struct type *type, struct slice text, int64_t now_ms,
                                        struct arena *arena, struct slice *value,
                                        struct error *error);

#endif
