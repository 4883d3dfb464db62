// A scalar's value as text: what is taken is valid, and its literal is taken again as the same.
#include "storage/value.h"
#include "stream/source/text.h"
#include "tests/fuzz/targets.h"

// Its cast is read as the same value again. That of a blob has an 0x, that of a text doubled
// quotes, and of a time before the year 1 Java writes another year.
static bool can_be_read(enum type_kind kind, struct slice value)
{
    if (kind == TYPE_TIMESTAMP && value.size == 8)
        return (int64_t)bytes_get_u64(value.data) >= -62135596800000;
    return value.size > 0 && kind != TYPE_BLOB && kind != TYPE_ASCII && kind != TYPE_TEXT;
}

FUZZ_TARGET(value)
{
    struct cursor cursor = cursor_make(input);
    enum type_kind kind = cursor_u8(&cursor) % (TYPE_DURATION + 1u);
    if (!text_is_utf8(fuzz_rest(&cursor))) return; // No other comes through message.h.
    if (kind == TYPE_COUNTER) kind = TYPE_DURATION;
    const struct type *type = type_of_kind(kind);
    struct arena arena;
    arena_init(&arena, 4096);
    struct slice value, again;
    struct error error;
    struct buffer text;
    buffer_init(&text, 1 << 22);
    if (value_from_text_at(type, fuzz_rest(&cursor), 1600000000000, &arena, &value, &error) ==
        STATUS_OK) {
        // Cassandra too makes an empty duration of an empty text, which it then refuses.
        ASSERT(value.size == 0 || type_validate(type, value, &error) == STATUS_OK);
        value_put_cql(type, value, &text);
        buffer_clear(&text);
        value_put_json(type, value, &text);
        buffer_clear(&text);
        value_put_cast(type, value, &text);
        if (!text.overflow && text.size > 0 && can_be_read(kind, value)) {
            // A double is written so that the same one is read.
            enum status status = value_from_text(type, buffer_slice(&text), &arena, &again, &error);
            if (status == STATUS_OK) ASSERT(type_compare(type, value, again) == 0);
        }
    }
    buffer_deinit(&text);
    arena_deinit(&arena);
}
