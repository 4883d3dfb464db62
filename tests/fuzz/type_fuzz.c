// A Java type text, and after a NUL a value of it: validated, compared, written as text.
#include "storage/schema/type.h"
#include "storage/value.h"
#include "tests/fuzz/targets.h"

static void check_text(const struct type *type, bool reversed, struct arena *arena)
{
    struct buffer text, again;
    buffer_init(&text, 1 << 22);
    buffer_init(&again, 1 << 22);
    type_put_cql(type, &text);
    buffer_clear(&text);
    type_put_java(type, reversed, &text);
    const struct type *same;
    bool same_reversed;
    struct error error;
    if (!text.overflow) {
        ASSERT(type_parse_java(arena, buffer_slice(&text), &same, &same_reversed, &error) ==
               STATUS_OK);
        ASSERT(same_reversed == reversed && type_equals(type, same));
        type_put_java(same, reversed, &again);
        ASSERT(slice_equals(buffer_slice(&text), buffer_slice(&again)));
    }
    buffer_deinit(&again);
    buffer_deinit(&text);
}

FUZZ_TARGET(type)
{
    const uint8_t *end = input.size == 0 ? NULL : memchr(input.data, 0, input.size);
    struct slice name =
        slice_make(input.data, end == NULL ? input.size : (size_t)(end - input.data));
    struct slice value =
        end == NULL ? slice_make("", 0) : slice_make(end + 1, input.size - name.size - 1);
    struct arena arena;
    arena_init(&arena, 4096);
    const struct type *type;
    bool reversed;
    struct error error;
    if (type_parse_java(&arena, name, &type, &reversed, &error) == STATUS_OK) {
        check_text(type, reversed, &arena);
        ASSERT(type_equals(type, type_copy(&arena, type)));
        ASSERT(type_contains_kind(type, type->kind));
        (void)!type_validate(type, value, &error);
        struct slice half = slice_make(value.data, value.size / 2);
        int order = type_compare(type, value, half), back = type_compare(type, half, value);
        ASSERT((order > 0) == (back < 0) && (order < 0) == (back > 0));
        struct buffer text;
        buffer_init(&text, 1 << 20);
        value_put_cql(type, value, &text);
        value_put_cast(type, value, &text);
        value_put_json(type, value, &text);
        buffer_deinit(&text);
    }
    arena_deinit(&arena);
}
