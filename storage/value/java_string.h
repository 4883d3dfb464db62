// Values as Cassandra's tools and logs print them (AbstractType.getString): text as it is, blobs,
// counters and collections as hexadecimal digits, tuples with colons between their fields.
#ifndef STORAGE_VALUE_JAVA_STRING_H
#define STORAGE_VALUE_JAVA_STRING_H

#include "base/buffer.h"
#include "storage/schema/type.h"

// What is no value of the type is printed as its bytes; null and an empty number as nothing.
void java_string_put(const struct type *type, struct slice value, struct buffer *text);
// The key of several columns: each as above, with colons between (CompositeType.getString). Of one:
// just the value.
void java_string_put_key(const struct type *const *types, size_t count, struct slice key,
                         struct buffer *text);

#endif
