// Lines of JSON as a job's source reads them, and the texts of its fields.
#include "stream/source/json.h"
#include "stream/source/text.h"
#include "tests/fuzz/targets.h"

static struct json_reader *reader;
static size_t path_count;

static void make_reader(void)
{
    static const char *const paths[] = {"text", "created_at", "user.screen_name", "a.b.c", "id"};
    reader = json_reader_create();
    for (path_count = 0; path_count < sizeof paths / sizeof *paths; path_count++)
        ASSERT(json_reader_add_path(reader, paths[path_count], NULL) == STATUS_OK);
}

FUZZ_TARGET(json)
{
    if (reader == NULL) make_reader();
    struct json_value values[JSON_PATHS_MAX];
    // At the end of an allocation, so that a read behind the line is seen.
    enum json_fault fault = json_reader_read(reader, input, values);
    struct buffer text;
    buffer_init(&text, SIZE_MAX / 2);
    for (size_t i = 0; fault == JSON_FAULT_NONE && i < path_count; i++) {
        if (values[i].kind != JSON_STRING) continue;
        struct slice string = json_string(&values[i], &text);
        ASSERT(text_is_utf8(string));
        ASSERT(string.size <= values[i].raw.size);
    }
    buffer_deinit(&text);
}
