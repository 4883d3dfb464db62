#include "node/sstable_tool/table_place.h"

static bool is_word(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && (c < '0' || c > '9')) return false;
    }
    return name.size > 0;
}

// The last name of a path, which is cut off; null at its beginning.
static struct slice take_last(struct slice *path)
{
    while (path->size > 0 && path->data[path->size - 1] == '/')
        path->size--;
    size_t start = path->size;
    while (start > 0 && path->data[start - 1] != '/')
        start--;
    struct slice last = slice_make(path->data + start, path->size - start);
    path->size = start;
    return last.size == 0 ? slice_null() : last;
}

// TABLE-<32 digits>
static bool split(struct slice name, struct table_place *place)
{
    if (name.size < 34 || name.data[name.size - 33] != '-') return false;
    char text[UUID_TEXT_SIZE];
    const uint8_t *digits = name.data + name.size - 32;
    size_t at = 0;
    for (size_t i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) text[at++] = '-';
        text[at++] = (char)digits[i];
    }
    struct uuid id;
    struct slice table = slice_make(name.data, name.size - 33);
    if (uuid_parse(slice_make(text, at), &id) != STATUS_OK || !is_word(table)) return false;
    place->table = table;
    place->has_id = true;
    place->id = id;
    return true;
}

struct table_place table_place_of(const char *directory, struct arena *arena)
{
    struct table_place place = {slice_null(), slice_null(), false, {{0}}};
    struct slice path = slice_of_text(arena_copy_text(arena, directory));
    struct slice name = take_last(&path), parent_path = path;
    struct slice parent = take_last(&parent_path);
    if (parent.data != NULL && slice_equals(parent, slice_of_text("snapshots"))) {
        path = parent_path;
        name = take_last(&path);
    } else if (name.data != NULL && slice_equals(name, slice_of_text("backups"))) {
        name = take_last(&path);
    }
    if (name.data == NULL) return place;
    if (split(name, &place)) {
        struct slice keyspace = take_last(&path);
        if (keyspace.data != NULL && is_word(keyspace)) place.keyspace = keyspace;
    } else if (is_word(name)) {
        place.table = name;
    }
    return place;
}
