#include "storage/schema/cql_name.h"

// Sorted, for bsearch by hand below.
static const char *const reserved[] = {
    "ADD",      "ALLOW",    "ALTER",        "AND",          "APPLY",  "ASC",         "AUTHORIZE",
    "BATCH",    "BEGIN",    "BY",           "COLUMNFAMILY", "CREATE", "DELETE",      "DESC",
    "DESCRIBE", "DROP",     "ENTRIES",      "EXECUTE",      "FROM",   "FULL",        "GRANT",
    "IF",       "IN",       "INDEX",        "INFINITY",     "INSERT", "INTO",        "IS",
    "KEYSPACE", "LIMIT",    "MATERIALIZED", "MODIFY",       "NAN",    "NORECURSIVE", "NOT",
    "NULL",     "OF",       "ON",           "OR",           "ORDER",  "PRIMARY",     "RENAME",
    "REVOKE",   "SCHEMA",   "SELECT",       "SET",          "TABLE",  "TO",          "TOKEN",
    "TRUNCATE", "UNLOGGED", "UPDATE",       "USE",          "USING",  "VIEW",        "WHERE",
    "WITH",
};
enum { RESERVED_COUNT = sizeof reserved / sizeof reserved[0], RESERVED_SIZE_MAX = 16 };

bool cql_name_is_reserved(struct slice word)
{
    uint8_t upper[RESERVED_SIZE_MAX];
    if (word.size > sizeof upper) return false;
    for (size_t i = 0; i < word.size; i++) {
        uint8_t c = word.data[i];
        upper[i] = c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
    }
    struct slice key = slice_make(upper, word.size);
    size_t low = 0, high = RESERVED_COUNT;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = slice_compare(key, slice_of_text(reserved[middle]));
        if (order == 0) return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

bool cql_name_needs_no_quotes(struct slice name)
{
    if (name.size == 0 || name.data[0] < 'a' || name.data[0] > 'z') return false;
    for (size_t i = 1; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        if (!plain) return false;
    }
    return !cql_name_is_reserved(name);
}

static void put_quoted(struct slice bytes, uint8_t quote, struct buffer *text)
{
    buffer_put_u8(text, quote);
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] == quote) buffer_put_u8(text, quote);
        buffer_put_u8(text, bytes.data[i]);
    }
    buffer_put_u8(text, quote);
}

void cql_name_put(struct slice name, struct buffer *text)
{
    if (cql_name_needs_no_quotes(name))
        buffer_put(text, name.data, name.size);
    else
        put_quoted(name, '"', text);
}

void cql_name_put_string(struct slice string, struct buffer *text)
{
    put_quoted(string, '\'', text);
}
