// The job of examples/hashtags.lua over real tweets, against counts made the slow, plain way. No
// node: the cells that would go to it are looked at.
#include "stream/dataset/output.h"
#include "stream/lua/lua_job.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

static const char *shared_path(void)
{
    const char *path = getenv("HELENUS_SHARED");
    return path == NULL ? "../shared" : path;
}

static bool shared_is_there(void)
{
    if (access(shared_path(), R_OK) == 0) return true;
    const char *ci = getenv("CI");
    ck_assert_msg(ci == NULL || strcmp(ci, "true") != 0, "no %s", shared_path());
    printf("skipped: no %s\n", shared_path());
    return false;
}

static void read_packed(const char *path, struct buffer *bytes)
{
    gzFile file = gzopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    static uint8_t piece[65536];
    int size;
    while ((size = gzread(file, piece, sizeof piece)) > 0)
        buffer_put(bytes, piece, (size_t)size);
    ck_assert_int_eq(gzclose(file), Z_OK);
    ck_assert(!bytes->overflow);
}

// "tag TAB interval" -> mentions
static void add_line(struct combine *counts, struct slice tag, struct slice interval, int64_t count)
{
    struct buffer key;
    buffer_init(&key, 1 << 20);
    buffer_put(&key, tag.data, tag.size);
    buffer_put_u8(&key, '\t');
    buffer_put(&key, interval.data, interval.size);
    bool is_new;
    struct value *value = combine_find(counts, buffer_slice(&key), &is_new);
    *value = value_integer(is_new ? count : value->integer + count);
    buffer_deinit(&key);
}

static void add_cells(void *context, struct output *output, struct slice cells)
{
    (void)output;
    struct cursor cursor = cursor_make(cells);
    while (cursor_left(&cursor) > 0) {
        struct cursor key = cursor_make(cursor_vint_bytes(&cursor));
        int64_t count = cursor_signed_vint(&cursor);
        struct slice tag = cursor_vint_bytes(&key), interval = cursor_vint_bytes(&key);
        ck_assert(!key.failed && cursor_left(&key) == 0);
        add_line(context, tag, interval, count);
    }
    ck_assert(!cursor.failed);
}

static void read_truth(const char *path, struct combine *truth)
{
    struct buffer bytes;
    buffer_init(&bytes, 64 << 20);
    read_packed(path, &bytes); // A plain file is read as it is.
    const char *at = (const char *)bytes.data, *end = at + bytes.size;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        const char *first = memchr(at, '\t', (size_t)(line_end - at));
        const char *second = memchr(first + 1, '\t', (size_t)(line_end - first - 1));
        add_line(truth, slice_make(at, (size_t)(first - at)),
                 slice_make(first + 1, (size_t)(second - first - 1)), atoll(second + 1));
        at = line_end + 1;
    }
    buffer_deinit(&bytes);
}

static void assert_same(struct combine *counts, struct combine *truth)
{
    ck_assert_uint_eq(counts->count, truth->count);
    for (size_t i = 0; i < truth->capacity; i++) {
        struct slice key = truth->slots[i].key;
        if (slice_is_null(key)) continue;
        const struct value *found = combine_get(counts, key);
        ck_assert_msg(found != NULL && found->integer == truth->slots[i].value.integer, "%.*s",
                      (int)key.size, key.data);
    }
}

static const struct {
    const char *tweets, *counts;
    uint64_t records, wrong;
} data_sets[] = {
    {"data/usql/status.jsonl.gz", "data/usql/counts.tsv", 18120, 0},
    {"data/btc/tweets.jsonl.gz", "data/btc/counts.tsv", 7551, 7},
    {"data/mayweather/tweets.jsonl.gz", "data/mayweather/counts.tsv", 12118, 0},
    {"data/es/status.jsonl.gz", "data/es/counts.tsv", 42604, 0},
};

static void count_tweets(struct lua_job *job, struct slice tweets, struct combine *counts)
{
    static const struct output_column columns[] = {{OUTPUT_PARTITION_KEY, 0, TYPE_TEXT},
                                                   {OUTPUT_CLUSTERING, 0, TYPE_TEXT},
                                                   {OUTPUT_COUNTER, 0, TYPE_COUNTER}};
    struct error error;
    ck_assert_msg(lua_job_start(job, &error) == STATUS_OK, "%s", error.text);
    struct dstream_context *stream = lua_job_context(job);
    ck_assert_uint_eq(stream->output_count, 2);
    output_bind(stream->outputs[0], columns);
    output_bind(stream->outputs[1], columns);
    lua_job_begin(job, 1, 1);
    dstream_begin(stream, 1, 1);
    ck_assert_int_eq(dstream_process(stream, 0, tweets), STATUS_OK);
    ck_assert_int_eq(dstream_finish(stream), STATUS_OK);
    output_take_parts(stream->outputs[0], 65536, add_cells, counts);
    output_take_parts(stream->outputs[1], 65536, add_cells, counts);
}

START_TEST(real_tweets_give_the_true_counts)
{
    if (!shared_is_there()) return;
    char path[4096];
    struct buffer tweets, script;
    struct combine counts, truth;
    buffer_init(&tweets, 512 << 20);
    buffer_init(&script, 1 << 20);
    combine_init(&counts);
    combine_init(&truth);
    (void)snprintf(path, sizeof path, "%s/%s", shared_path(), data_sets[_i].tweets);
    read_packed(path, &tweets);
    (void)snprintf(path, sizeof path, "%s/%s", shared_path(), data_sets[_i].counts);
    read_truth(path, &truth);
    read_packed("examples/hashtags.lua", &script);

    struct lua_job_options options = {.name = "hashtags.lua", .script = buffer_slice(&script)};
    struct lua_job *job = lua_job_create(&options);
    count_tweets(job, buffer_slice(&tweets), &counts);
    const struct task *task = &lua_job_context(job)->graph.task;
    ck_assert_uint_eq(task->records, data_sets[_i].records);
    ck_assert_uint_eq(task->faults[JSON_FAULT_WRONG_TYPE], data_sets[_i].wrong);
    assert_same(&counts, &truth);

    lua_job_destroy(job);
    combine_deinit(&counts);
    combine_deinit(&truth);
    buffer_deinit(&tweets);
    buffer_deinit(&script);
}
END_TEST

int main(void)
{
    TCase *data = tcase_create("data sets");
    tcase_set_timeout(data, 120); // Under sanitizers, on a busy machine.
    tcase_add_loop_test(data, real_tweets_give_the_true_counts, 0,
                        sizeof data_sets / sizeof *data_sets);
    Suite *suite = suite_create("data_sets");
    suite_add_tcase(suite, data);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
