// Scripts: what they can say, what the operators make of it, and what hostile ones can not do.
#include "stream/lua/lua_job.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

// Runs a script's stream over some lines; writes the cells of its outputs as "key=sum " in `cells`
// (in the order of their bytes).
struct outcome {
    struct error error;
    char cells[4096];
    uint64_t faults;
};

struct cell_text {
    char text[256];
};

struct cell_list {
    struct cell_text items[64];
    size_t count;
};

static void add_cells(void *context, struct output *output, struct slice cells)
{
    struct cell_list *list = context;
    struct cursor cursor = cursor_make(cells);
    while (cursor_left(&cursor) > 0) {
        struct cursor key = cursor_make(cursor_vint_bytes(&cursor));
        long long sum = cursor_signed_vint(&cursor);
        struct slice a = cursor_vint_bytes(&key), b = cursor_vint_bytes(&key);
        ck_assert_uint_lt(list->count, 64);
        (void)snprintf(list->items[list->count++].text, sizeof(struct cell_text),
                       "%u:%.*s,%.*s=%lld ", output->ordinal, (int)a.size, a.data, (int)b.size,
                       b.data, sum);
    }
}

static int compare_cells(const void *a, const void *b)
{
    return strcmp(((const struct cell_text *)a)->text, ((const struct cell_text *)b)->text);
}

static enum type_kind partition_key_type = TYPE_TEXT;

static enum status run_batch(struct lua_job *job, const char *lines, struct outcome *outcome)
{
    const struct output_column columns[] = {{OUTPUT_PARTITION_KEY, 0, partition_key_type},
                                            {OUTPUT_CLUSTERING, 0, TYPE_TEXT},
                                            {OUTPUT_COUNTER, 0, TYPE_COUNTER}};
    struct dstream_context *stream = lua_job_context(job);
    for (size_t i = 0; i < stream->output_count; i++)
        output_bind(stream->outputs[i], columns);
    lua_job_begin(job, 1, 1401667200000000);
    dstream_begin(stream, 1, 1401667200000000);
    enum status status = dstream_process(stream, 0, slice_of_text(lines));
    if (status == STATUS_OK) status = dstream_finish(stream);
    if (status != STATUS_OK) {
        outcome->error = stream->graph.task.error;
        return status;
    }
    static struct cell_list list;
    list.count = 0;
    for (size_t i = 0; i < stream->output_count; i++)
        output_take_parts(stream->outputs[i], 1000, add_cells, &list);
    qsort(list.items, list.count, sizeof *list.items, compare_cells);
    for (size_t i = 0; i < list.count; i++)
        strcat(outcome->cells, list.items[i].text);
    for (int i = 0; i < JSON_FAULT_COUNT; i++)
        outcome->faults += stream->graph.task.faults[i];
    return STATUS_OK;
}

static struct outcome run(const char *script, const char *lines)
{
    struct outcome outcome = {.error = {.status = STATUS_OK}};
    static const char *const arguments[] = {"first", "second"};
    struct lua_job_options options = {
        .name = "job.lua",
        .script = slice_of_text(script),
        .arguments = arguments,
        .argument_count = 2,
        .memory_max = 16 * (size_t)MIB,
    };
    struct lua_job *job = lua_job_create(&options);
    enum status status = lua_job_start(job, &outcome.error);
    if (status == STATUS_OK && lua_job_context(job) != NULL)
        status = run_batch(job, lines, &outcome);
    if (status == STATUS_OK) status = lua_job_finish(job, &outcome.error);
    outcome.error.status = status;
    lua_job_destroy(job);
    return outcome;
}

#define HEAD "local ssc = StreamingContext('t', Seconds(1)) local lines = ssc:textFileStream('x') "
#define SAVE ":saveToCassandra('k', 't', SomeColumns('a', 'b', 'n')) "
#define TAIL "ssc:start() ssc:awaitTermination()"

static const struct {
    const char *script, *lines, *cells;
} streams[] = {
    {HEAD "lines:map(function(l) return l, 'x', 2 end)" SAVE TAIL, "a\nb\na", "0:a,x=4 0:b,x=2 "},
    {HEAD
     "lines:flatMap(words(1)):map(function(w) return {w, 'x'}, 1 end):reduceByKey(add)" SAVE TAIL,
     "a B\nb a a\n", "0:a,x=3 0:b,x=2 "},
    {HEAD "lines:flatMap(function(l) return words(l) end)"
          ":filter(function(w) return w ~= 'b' end):map(function(w) return w, 1 end)"
          ":reduceByKey(function(a, b) return a + b end)"
          ":map(function(w, n) return w, 'x', n end)" SAVE TAIL,
     "a b\nb c c", "0:a,x=1 0:c,x=2 "},
    {HEAD "lines:flatMap(hashtags()):map(columns(1, 'ALL')):countByValue()" SAVE TAIL,
     "#A b\n#a #c", "0:#a,ALL=2 0:#c,ALL=1 "},
    // Two outputs of one stream; the batch's day.
    {HEAD "local c = lines:map(function(l) return l, 1 end):reduceByKey(add) "
          "c:map(function(w, n) return w, 'ALL', n end)" SAVE
          "c:map(function(w, n) return w, today(), n end)" SAVE TAIL,
     "a\na", "0:a,ALL=2 1:a,20140602=2 "},
    // flatMap makes records of several values from tables; what a map lists is flattened to
    // columns.
    {HEAD "lines:flatMap(function(l) return {{l, 'x', 1}, {l, 'y', 5}} end)" SAVE TAIL, "a",
     "0:a,x=1 0:a,y=5 "},
    {HEAD "lines:flatMap(function(l) return nil end):map(columns(1, 'x', 1))" SAVE TAIL, "a", ""},
    // pairs goes by sorted keys; random depends on the batch alone; arguments arrive.
    {HEAD "local first, second = ... lines:map(function(l) local s = '' "
          "for k, v in pairs({b = 1, a = 2, [10] = 3, [9] = 4}) do s = s .. k .. v end "
          "return s .. arg[1] .. second, 'x', 1 end)" SAVE TAIL,
     "a", "0:94103a2b1firstsecond,x=1 "},
    // Numbers that differ are two, also where they are one as doubles.
    {"local ssc = StreamingContext('t') ssc:jsonStream{path = 'x', fields = {'id'}}:countByValue()"
     ":map(function(id, n) return 'x' .. n, 'x', 1 end)" SAVE TAIL,
     "{\"id\":850006245121695744}\n{\"id\":850006245121695745}\n{\"id\":-9223372036854775808}\n"
     "{\"id\":-9223372036854775807}\n{\"id\":9223372036854775807}\n{\"id\":9223372036854775808}\n"
     "{\"id\":1}\n{\"id\":1e0}\n{\"id\":-0}\n{\"id\":0.0}",
     "0:x1,x=6 0:x2,x=2 "},
    // An RDD of a batch: lazy, and evaluated by each action.
    {HEAD "local seen lines:foreachRDD(function(rdd, time) "
          "local pairs_ = rdd:flatMap(words(1)):map(function(w) return w, 1 end):reduceByKey(add) "
          "assert(rdd:count() == 2 and pairs_:count() == 3 and time == 1401667200) "
          "assert(#rdd:take(1) == 1 and rdd:first() == 'a b') "
          "local n = 0 pairs_:filter(function(w, c) return c > 1 end)"
          ":foreach(function(w, c) n = n + c assert(w == 'a') end) assert(n == 2) seen = true end) "
          "ssc:start() ssc:awaitTermination() assert(seen)",
     "a b\nc a\n", ""},
};

START_TEST(a_stream_gives_its_cells)
{
    struct outcome outcome = run(streams[_i].script, streams[_i].lines);
    ck_assert_msg(outcome.error.status == STATUS_OK, "%s", outcome.error.text);
    ck_assert_str_eq(outcome.cells, streams[_i].cells);
}
END_TEST

static const struct {
    const char *script, *lines, *text; // Some of the message.
} faults[] = {
    {"x = = 1", "", "job.lua:1:"},
    {"error('no')", "", "job.lua:1: no"},
    {"os.execute('true')", "", "global 'os'"},
    {"io.open('/etc/passwd')", "", "global 'io'"},
    {"require('ffi')", "", "global 'require'"},
    {"debug.getinfo(1)", "", "global 'debug'"},
    {"package.loadlib('x', 'y')", "", "global 'package'"},
    {"load('return 1')", "", "global 'load'"},
    {"loadstring('return 1')", "", "global 'loadstring'"},
    {"dofile('x')", "", "global 'dofile'"},
    {"string.dump(print)", "", "field 'dump'"},
    {"getmetatable('').__index = nil", "", "global 'getmetatable'"},
    {"collectgarbage('stop')", "", "global 'collectgarbage'"},
    {"setfenv(1, {})", "", "global 'setfenv'"},
    {"math.randomseed(1)", "", "field 'randomseed'"},
    {"jit.off()", "", "global 'jit'"},
    {"\x1bLJ\2\2", "", "wrong mode"},
    {"local t = {} for i = 1, 1e9 do t[i] = {i} end", "", "not enough memory"},
    {"local s = ('x'):rep(1e9)", "", "not enough memory"},
    {"local function f() return f() + 1 end f()", "", "stack overflow"},
    {"StreamingContext('t', 0)", "", "interval"},
    {"StreamingContext('t') StreamingContext('u')", "", "one StreamingContext"},
    {"StreamingContext('t'):start()", "", "reads nothing"},
    {HEAD "ssc:start()", "", "no output operations"},
    {HEAD "ssc:awaitTermination()", "", "start() comes first"},
    {HEAD "lines:print() ssc:start() lines:print()", "", "started"},
    {HEAD "lines:map(1)", "", "function expected"},
    {HEAD "lines:filter(words(1))", "", "native operator maps"},
    {HEAD "lines.map({}, print)", "", "DStream expected"},
    {HEAD "lines:map(hashtags(0))", "", "column's number"},
    {HEAD "ssc:jsonStream{path = 'x', fields = {'a'}}", "", "at most 1 source"},
    {HEAD "lines:saveToCassandra('k', 't', {'a'})", "", "columns"},
    {HEAD "lines:map(function(l) return nosuch.x end):print() " TAIL, "a", "job.lua:1:"},
    {HEAD "lines:map(function(l) end):print() " TAIL, "a", "returned nothing"},
    {HEAD "lines:map(function(l) return print end):print() " TAIL, "a", "a record is made of"},
    {HEAD "lines:flatMap(function(l) return 1 end):print() " TAIL, "a", "not a table"},
    {HEAD "lines:map(function(l) local t = {} t[1] = t return t end):print() " TAIL, "a",
     "too deep"},
    {HEAD "lines:reduceByKey(add):print() " TAIL, "a", "needs pairs"},
    {HEAD "lines:map(function(l) return 1, l end):reduceByKey(add):print() " TAIL, "a\nb",
     "add of"},
    {HEAD "lines:map(function(l) return l, 1 end)" SAVE TAIL, "a", "2 values for the 3 columns"},
    {HEAD "lines:map(function(l) return l, 'x', 1.5 end)" SAVE TAIL, "a", "takes integers"},
    {HEAD "lines:map(function(l) return 1, 'x', 1 end)" SAVE TAIL, "a", "does not take"},
    {HEAD "local t = {} lines:map(function(l) for i = 1, 1e9 do t[i] = {i} end end):print() " TAIL,
     "a", "not enough memory"},
    {HEAD "local kept lines:foreachRDD(function(r) if kept then kept:count() end kept = r end) "
          "lines:foreachRDD(function(r) kept:count() end) " TAIL,
     "a", "lives as long"},
    {HEAD "local kept lines:foreachRDD(function(r) kept = r.source r.source = lines end) "
          "lines:foreachRDD(function(r) r.source = kept r:count() end) " TAIL,
     "a", "lives as long"},
    {HEAD "lines:foreachRDD(function(r) r:map(function() error('deep') end):collect() end) " TAIL,
     "a", "deep"},
};

START_TEST(a_fault_is_a_message_and_nothing_more)
{
    struct outcome outcome = run(faults[_i].script, faults[_i].lines);
    ck_assert_msg(outcome.error.status != STATUS_OK, "%s", faults[_i].script);
    ck_assert_msg(strstr(outcome.error.text, faults[_i].text) != NULL, "%s: %s", faults[_i].script,
                  outcome.error.text);
}
END_TEST

START_TEST(a_key_that_no_table_takes_drops_its_record_alone)
{
    struct outcome outcome =
        run(HEAD "lines:map(function(l) if l == 'long' then l = l:rep(20000) end "
                 "if l == 'empty' then l = '' end if l == 'bad' then l = '\\255' end "
                 "return l, 'x', 1 end)" SAVE TAIL,
            "a\nlong\nempty\nbad\n\xff\na\n");
    ck_assert_msg(outcome.error.status == STATUS_OK, "%s", outcome.error.text);
    ck_assert_str_eq(outcome.cells, "0:a,x=2 ");
    ck_assert_uint_eq(outcome.faults, 4);
}
END_TEST

START_TEST(a_key_that_is_no_ascii_drops_its_record_alone)
{
    partition_key_type = TYPE_ASCII;
    struct outcome outcome =
        run(HEAD "lines:map(columns(1, 'x')):countByValue()" SAVE TAIL, "a\ncaf\xc3\xa9\na\n");
    ck_assert_msg(outcome.error.status == STATUS_OK, "%s", outcome.error.text);
    ck_assert_str_eq(outcome.cells, "0:a,x=2 ");
    ck_assert_uint_eq(outcome.faults, 1);
}
END_TEST

START_TEST(the_same_batch_gives_the_same_random_numbers)
{
    const char *script =
        HEAD "lines:map(function(l) return 'r' .. math.random(1e9), 'x', 1 end)" SAVE TAIL;
    struct outcome first = run(script, "a"), second = run(script, "a");
    ck_assert_str_eq(first.cells, second.cells);
}
END_TEST

int main(void)
{
    TCase *lua = tcase_create("lua");
    tcase_set_timeout(lua, 60);
    tcase_add_loop_test(lua, a_stream_gives_its_cells, 0, sizeof streams / sizeof *streams);
    tcase_add_loop_test(lua, a_fault_is_a_message_and_nothing_more, 0,
                        sizeof faults / sizeof *faults);
    tcase_add_test(lua, a_key_that_no_table_takes_drops_its_record_alone);
    tcase_add_test(lua, a_key_that_is_no_ascii_drops_its_record_alone);
    tcase_add_test(lua, the_same_batch_gives_the_same_random_numbers);
    Suite *suite = suite_create("lua_job");
    suite_add_tcase(suite, lua);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
