// Blocks of whole lines, from files plain and packed, from any offset, and from a stream that is
// stored on the way.
#include "stream/source/source.h"

#include "base/buffer.h"
#include "base/env_uv.h"
#include "stream/source/intake.h"

#include <arpa/inet.h>
#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

static struct env *env;
static char directory[64], path[128];

static void setup(void)
{
    struct error error;
    (void)snprintf(directory, sizeof directory, "/tmp/helenus-source-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(path, sizeof path, "%s/input", directory);
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
}

static int remove_entry(const char *entry, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(entry);
}

static void teardown(void)
{
    env_uv_destroy(env);
    (void)nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

struct reading {
    enum status status;
    struct error error;
    struct source_block block;
};

static void was_read(void *context, enum status status, const struct error *error,
                     const struct source_block *block)
{
    struct reading *reading = context;
    reading->status = status;
    reading->error = *error;
    reading->block = *block;
    env_uv_stop(env);
}

static struct reading read_block(struct source *source, uint64_t limit)
{
    struct reading reading;
    struct source_wanted wanted = {limit, SOURCE_BLOCK_SIZE, 0};
    source_read(source, &wanted, was_read, &reading);
    env_uv_run(env);
    return reading;
}

// Reads all from `from`; checks that blocks follow each other and hold whole lines.
static void read_all(struct source *source, uint64_t from, uint64_t limit, struct buffer *all,
                     uint64_t *too_long)
{
    struct reading reading;
    uint64_t at = from;
    *too_long = 0;
    do {
        reading = read_block(source, limit);
        ck_assert_msg(reading.status == STATUS_OK, "%s", reading.error.text);
        ck_assert_uint_eq(reading.block.from, at);
        at = reading.block.to;
        *too_long += reading.block.too_long;
        buffer_put(all, reading.block.lines.data, reading.block.lines.size);
    } while (!reading.block.at_end && at != limit);
    if (limit != UINT64_MAX && at > limit) ck_abort_msg("beyond the limit");
}

static void write_input(const struct buffer *bytes, bool packed, size_t members)
{
    if (!packed) {
        FILE *file = fopen(path, "wb");
        ck_assert_uint_eq(fwrite(bytes->data, 1, bytes->size, file), bytes->size);
        ck_assert_int_eq(fclose(file), 0);
        return;
    }
    (void)remove(path);
    for (size_t i = 0; i < members; i++) {
        gzFile file = gzopen(path, "ab1");
        size_t from = bytes->size * i / members, to = bytes->size * (i + 1) / members;
        ck_assert_int_eq(gzwrite(file, bytes->data + from, (unsigned)(to - from)),
                         (int)(to - from));
        ck_assert_int_eq(gzclose(file), Z_OK);
    }
}

static void make_lines(struct buffer *bytes, size_t size)
{
    for (uint64_t i = 0; bytes->size < size; i++)
        buffer_put_format(bytes, "%llu%.*s\n", (unsigned long long)i, (int)(i * i % 300),
                          "....................................................................."
                          "....................................................................."
                          "....................................................................."
                          "....................................................................."
                          ".....................................................");
}

// Standard input of this process becomes the file.
static void redirect_input(void)
{
    ck_assert_ptr_nonnull(freopen(path, "rb", stdin));
}

static struct source *open_source(const char *location, uint64_t from)
{
    struct source *source;
    struct error error = {.text = ""};
    struct uuid job = {{9}};
    ck_assert_msg(source_open(env, location, directory, &source, &error) == STATUS_OK, "%s",
                  error.text);
    ck_assert_msg(source_attach(source, job, from, from, &error) == STATUS_OK, "%s", error.text);
    return source;
}

START_TEST(a_file_comes_whole_from_any_offset)
{
    bool packed = _i > 0;
    uint64_t too_long;
    struct buffer bytes, all;
    buffer_init(&bytes, 1 << 25);
    buffer_init(&all, 1 << 25);
    make_lines(&bytes, 9000000);
    buffer_truncate(&bytes, bytes.size - 1); // The last line has no newline.
    write_input(&bytes, packed, (size_t)_i);
    const size_t offsets[] = {0, 2, SOURCE_BLOCK_SIZE, 5000001, 8999999};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        struct source *source = open_source(path, offsets[i]);
        buffer_clear(&all);
        read_all(source, offsets[i], UINT64_MAX, &all, &too_long);
        ck_assert(slice_equals(buffer_slice(&all),
                               slice_make(bytes.data + offsets[i], bytes.size - offsets[i])));
        source_destroy(source);
    }
    buffer_deinit(&bytes);
    buffer_deinit(&all);
}
END_TEST

START_TEST(a_limit_is_where_a_block_ends)
{
    uint64_t too_long;
    struct buffer bytes, all;
    buffer_init(&bytes, 1 << 24);
    buffer_init(&all, 1 << 24);
    make_lines(&bytes, 6000000);
    write_input(&bytes, _i == 1, 1);
    size_t limit = 4500000;
    while (bytes.data[limit - 1] != '\n')
        limit++;
    struct source *source = open_source(path, 0);
    read_all(source, 0, limit, &all, &too_long);
    ck_assert_uint_eq(all.size, limit);
    read_all(source, limit, UINT64_MAX, &all, &too_long);
    ck_assert(slice_equals(buffer_slice(&all), buffer_slice(&bytes)));
    source_destroy(source);
    buffer_deinit(&bytes);
    buffer_deinit(&all);
}
END_TEST

// Reads all in blocks of that size and number of lines; checks each of them.
static void read_small(const char *location, const struct buffer *bytes, size_t size,
                       uint64_t lines)
{
    struct source *source = open_source(location, 0);
    struct source_wanted wanted = {UINT64_MAX, size, lines};
    struct reading reading;
    uint64_t at = 0;
    do {
        source_read(source, &wanted, was_read, &reading);
        env_uv_run(env);
        ck_assert_msg(reading.status == STATUS_OK, "%s", reading.error.text);
        struct slice got = reading.block.lines;
        ck_assert_uint_eq(reading.block.from, at);
        ck_assert(got.size == 0 || memcmp(got.data, bytes->data + at, got.size) == 0);
        at = reading.block.to;
        if (got.size > 0) ck_assert_int_eq(got.data[got.size - 1], '\n');
        bool is_one_line = got.size > 0 && memchr(got.data, '\n', got.size - 1) == NULL;
        ck_assert(got.size <= size || is_one_line);
        uint64_t count = 0;
        (void)source_lines_size(got, UINT64_MAX, &count);
        if (lines > 0) ck_assert_uint_eq(reading.block.line_count, count);
        // Nothing less than what is wanted, but at the end, where the bytes are enough, or of a
        // live one.
        if (*location != '-' && lines > 0 && size == SOURCE_BLOCK_SIZE && at < bytes->size)
            ck_assert_uint_eq(count, lines);
    } while (!reading.block.at_end);
    ck_assert_uint_eq(at, bytes->size);
    source_finished(source);
    source_destroy(source);
}

START_TEST(blocks_are_as_small_as_wanted)
{
    static const struct {
        size_t size;
        uint64_t lines;
    } cases[] = {{SOURCE_BLOCK_SIZE, 1}, {SOURCE_BLOCK_SIZE, 7}, {SOURCE_BLOCK_SIZE, 2000}, {1, 0},
                 {64 * KIB, 0},          {64 * KIB, 100},        {SOURCE_BLOCK_SIZE, 1300}};
    struct buffer bytes;
    buffer_init(&bytes, 1 << 20);
    make_lines(&bytes, 300000);
    // A line much longer than those before it.
    memset(buffer_reserve(&bytes, 100000), 'x', 100000);
    buffer_put_format(&bytes, "\n");
    make_lines(&bytes, 500000);
    write_input(&bytes, _i == 1, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (_i == 2) redirect_input();
        bool may = _i < 2 || cases[i].size > 1; // A sync for each block.
        if (may) read_small(_i == 2 ? "-" : path, &bytes, cases[i].size, cases[i].lines);
    }
    buffer_deinit(&bytes);
}
END_TEST

START_TEST(a_line_that_is_too_long_is_skipped_and_counted)
{
    uint64_t too_long;
    struct buffer bytes, all;
    buffer_init(&bytes, 1 << 27);
    buffer_init(&all, 1 << 24);
    buffer_put(&bytes, "first\n", 6);
    memset(buffer_reserve(&bytes, 40 << 20), 'x', 40 << 20);
    buffer_put(&bytes, "\nlast\n", 6);
    write_input(&bytes, false, 1);
    struct source *source = open_source(path, 0);
    read_all(source, 0, UINT64_MAX, &all, &too_long);
    ck_assert_uint_eq(too_long, 1);
    ck_assert(slice_equals(buffer_slice(&all), slice_of_text("first\nlast\n")));
    source_destroy(source);
    buffer_deinit(&bytes);
    buffer_deinit(&all);
}
END_TEST

START_TEST(packed_data_that_is_cut_or_damaged_is_a_fault)
{
    struct buffer bytes, packed;
    buffer_init(&bytes, 1 << 24);
    buffer_init(&packed, 1 << 24);
    make_lines(&bytes, 100000);
    write_input(&bytes, true, 1);
    FILE *file = fopen(path, "rb");
    uint8_t *to = buffer_reserve(&packed, 1 << 20);
    size_t size = fread(to, 1, 1 << 20, file);
    (void)fclose(file);
    buffer_truncate(&packed, size);
    if (_i == 0)
        buffer_truncate(&packed, size / 2);
    else
        packed.data[size / 2] ^= 0x55;
    write_input(&packed, false, 1);
    struct source *source = open_source(path, 0);
    struct reading reading = read_block(source, UINT64_MAX);
    ck_assert_int_eq(reading.status, STATUS_CORRUPT);
    source_destroy(source);
    buffer_deinit(&bytes);
    buffer_deinit(&packed);
}
END_TEST

START_TEST(what_a_file_is_shows_in_its_identity)
{
    struct buffer bytes;
    buffer_init(&bytes, 1 << 24);
    make_lines(&bytes, 1000);
    write_input(&bytes, false, 1);
    struct source *source = open_source(path, 0);
    uint64_t identity = source->identity;
    source_destroy(source);
    source = open_source(path, 0);
    ck_assert_uint_eq(source->identity, identity);
    source_destroy(source);
    bytes.data[3] ^= 1;
    write_input(&bytes, false, 1);
    source = open_source(path, 0);
    ck_assert_uint_ne(source->identity, identity);
    source_destroy(source);
    buffer_deinit(&bytes);
}
END_TEST

START_TEST(standard_input_is_stored_and_can_be_read_again)
{
    uint64_t too_long;
    struct buffer bytes, all;
    buffer_init(&bytes, 1 << 25);
    buffer_init(&all, 1 << 25);
    make_lines(&bytes, 5000000);
    write_input(&bytes, false, 1);
    redirect_input();
    struct source *source = open_source("-", 0);
    read_all(source, 0, UINT64_MAX, &all, &too_long);
    ck_assert(slice_equals(buffer_slice(&all), buffer_slice(&bytes)));
    source_destroy(source);
    // Another process: what is stored comes first, from wherever it is wanted; then new input.
    size_t from = 3000000;
    while (bytes.data[from - 1] != '\n')
        from++;
    write_input(&all, false, 1);
    redirect_input();
    buffer_clear(&all);
    source = open_source("-", from);
    read_all(source, from, UINT64_MAX, &all, &too_long);
    ck_assert_uint_eq(all.size, 2 * bytes.size - from);
    ck_assert(slice_equals(slice_make(all.data, bytes.size - from),
                           slice_make(bytes.data + from, bytes.size - from)));
    source_finished(source);
    source_destroy(source);
    buffer_deinit(&bytes);
    buffer_deinit(&all);
}
END_TEST

// Other input than the file, which begins with `text`.
static void write_text(const char *text)
{
    FILE *file = fopen(path, "wb");
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    redirect_input();
}

START_TEST(what_is_stored_ends_with_a_line)
{
    uint64_t too_long;
    struct buffer all;
    struct intake *intake;
    struct error error;
    struct uuid job = {{9}};
    buffer_init(&all, 1 << 20);
    write_text("one\ntwo");
    struct source *source = open_source("-", 0);
    read_all(source, 0, UINT64_MAX, &all, &too_long);
    source_destroy(source);
    // The next worker dies when it has written half of a line.
    ck_assert_int_eq(intake_open(env, directory, job, 0, 0, &intake, &error), STATUS_OK);
    ck_assert_int_eq(intake_append(intake, slice_of_text("three\nfo"), &error), STATUS_OK);
    intake_close(intake);
    write_text("five\n");
    buffer_clear(&all);
    source = open_source("-", 0);
    read_all(source, 0, UINT64_MAX, &all, &too_long);
    source_destroy(source);
    ck_assert(slice_equals(buffer_slice(&all), slice_of_text("one\ntwo\nthree\nfive\n")));
    buffer_deinit(&all);
}
END_TEST

START_TEST(a_torn_line_goes_with_its_segments)
{
    struct intake *intake;
    struct error error;
    struct uuid job = {{5}};
    size_t size = INTAKE_SEGMENT_SIZE + 10, taken;
    uint8_t *bytes = malloc(size), first[8];
    memset(bytes, 'x', size);
    memcpy(bytes, "whole\n", 6);
    ck_assert_int_eq(intake_open(env, directory, job, 0, 0, &intake, &error), STATUS_OK);
    ck_assert_int_eq(intake_append(intake, slice_make(bytes, size), &error), STATUS_OK);
    intake_close(intake);
    for (int i = 0; i < 2; i++) { // The second time nothing is to be cut.
        ck_assert_int_eq(intake_open(env, directory, job, 0, 0, &intake, &error), STATUS_OK);
        ck_assert_uint_eq(intake_size(intake), 6);
        ck_assert_int_eq(intake_read(intake, 0, first, 8, &taken, &error), STATUS_OK);
        ck_assert(slice_equals(slice_make(first, taken), slice_of_text("whole\n")));
        intake_close(intake);
    }
    free(bytes);
}
END_TEST

START_TEST(recorded_bytes_are_all_there_or_the_store_is_not)
{
    struct intake *intake;
    struct error error;
    struct uuid job = {{6}};
    uint8_t bytes[16];
    size_t taken;
    ck_assert_int_eq(intake_open(env, directory, job, 0, 1, &intake, &error), STATUS_NOT_FOUND);
    ck_assert_int_eq(intake_open(env, directory, job, 0, 0, &intake, &error), STATUS_OK);
    ck_assert_int_eq(intake_append(intake, slice_of_text("one\ntwo"), &error), STATUS_OK);
    intake_close(intake);
    ck_assert_int_eq(intake_open(env, directory, job, 0, 8, &intake, &error), STATUS_NOT_FOUND);
    for (int i = 0; i < 2; i++) { // Half of a line behind them goes.
        ck_assert_int_eq(intake_open(env, directory, job, 0, 7, &intake, &error), STATUS_OK);
        ck_assert_int_eq(intake_read(intake, 0, bytes, sizeof bytes, &taken, &error), STATUS_OK);
        ck_assert(slice_equals(slice_make(bytes, taken), slice_of_text("one\ntwo")));
        ck_assert_int_eq(intake_append(intake, slice_of_text("thr"), &error), STATUS_OK);
        intake_close(intake);
    }
}
END_TEST

// ---- HTTP
// ----------------------------------------------------------------------------------------

// What a server says, in two writes, and what comes of it: lines, or a fault.
static const struct {
    const char *first, *second, *lines, *fault;
} answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\no", "ne\ntwo", "one\ntwo\n", NULL},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\non\r\n",
     "5;x=y\r\ne\ntwo\r\n0\r\n\r\n", "one\ntwo\n", NULL},
    {"HTTP/1.1 200 OK\r\n\r\n", "one\ntwo", "one\ntwo\n", NULL}, // To the connection's end.
    {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\none\n", "one\n",
     NULL},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\n", "one\n", "", "answered 404"},
    {"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "", "", "answered 302"},
    {"HTTP/1.1 503 Busy\r\n\r\n", "one\n", "", "answered 503"},
    {"HTTP/1.1 204 No Content\r\n\r\n", "", "", "answered 204"},
    // A connection that breaks: half a line is none.
    {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\none\n", "tw", "one\n", "no HTTP"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", "tw", "", "no HTTP"},
    // Packed lines would all be of no use.
    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n\x1f", "\x8b\x08\n\n\n\n\n\n", "", "gzip"},
};

// Answers one request from a process of its own.
static void serve(int listener, const char *first, const char *second)
{
    char request[4096];
    int connection = accept(listener, NULL, NULL);
    bool is_sent = read(connection, request, sizeof request) > 0 &&
                   write(connection, first, strlen(first)) == (ssize_t)strlen(first);
    (void)usleep(10000);
    is_sent = is_sent && write(connection, second, strlen(second)) == (ssize_t)strlen(second);
    (void)close(connection);
    _exit(is_sent ? 0 : 1);
}

START_TEST(an_answer_gives_its_lines_or_a_fault)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    pid_t server = fork();
    if (server == 0) serve(listener, answers[_i].first, answers[_i].second);
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/tweets", ntohs(address.sin_port));
    struct buffer all;
    buffer_init(&all, 1 << 20);
    struct source *source = open_source(url, 0);
    struct reading reading;
    do {
        reading = read_block(source, UINT64_MAX);
        if (reading.status == STATUS_OK)
            buffer_put(&all, reading.block.lines.data, reading.block.lines.size);
    } while (reading.status == STATUS_OK && !reading.block.at_end);
    if (answers[_i].fault == NULL)
        ck_assert_msg(reading.status == STATUS_OK, "%s", reading.error.text);
    else
        ck_assert_msg(reading.status != STATUS_OK &&
                          strstr(reading.error.text, answers[_i].fault) != NULL,
                      "%s", reading.error.text);
    ck_assert(slice_equals(buffer_slice(&all), slice_of_text(answers[_i].lines)));
    source_destroy(source);
    (void)close(listener);
    ck_assert_int_eq(waitpid(server, NULL, 0), server);
    buffer_deinit(&all);
}
END_TEST

START_TEST(an_intake_forgets_segments_and_keeps_the_rest)
{
    struct intake *intake;
    struct error error;
    struct uuid job = {{4}};
    size_t size = 40 << 20, taken;
    uint8_t *bytes = malloc(size), *again = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    bytes[size - 1] = '\n';
    ck_assert_int_eq(intake_open(env, directory, job, 0, 0, &intake, &error), STATUS_OK);
    for (int i = 0; i < 4; i++) // 160 MiB: two segments and a half.
        ck_assert_int_eq(intake_append(intake, slice_make(bytes, size), &error), STATUS_OK);
    intake_forget(intake, 100 << 20);
    intake_close(intake);
    ck_assert_int_eq(intake_open(env, directory, job, 100 << 20, 100 << 20, &intake, &error),
                     STATUS_OK);
    ck_assert_uint_eq(intake_size(intake), 160 << 20);
    ck_assert_int_eq(intake_read(intake, 120 << 20, again, size, &taken, &error), STATUS_OK);
    ck_assert_uint_eq(taken, size);
    ck_assert(memcmp(bytes, again, size) == 0);
    intake_forget(intake, UINT64_MAX);
    intake_close(intake);
    ck_assert_int_eq(intake_open(env, directory, job, 1, 1, &intake, &error), STATUS_NOT_FOUND);
    free(bytes);
    free(again);
}
END_TEST

int main(void)
{
    TCase *source = tcase_create("source");
    tcase_set_timeout(source, 60);
    tcase_add_checked_fixture(source, setup, teardown);
    tcase_add_loop_test(source, a_file_comes_whole_from_any_offset, 0, 4); // Packed in 1 to 3.
    tcase_add_loop_test(source, a_limit_is_where_a_block_ends, 0, 2);
    tcase_add_loop_test(source, blocks_are_as_small_as_wanted, 0, 3); // Plain, packed, live.
    tcase_add_test(source, a_line_that_is_too_long_is_skipped_and_counted);
    tcase_add_loop_test(source, packed_data_that_is_cut_or_damaged_is_a_fault, 0, 2);
    tcase_add_test(source, what_a_file_is_shows_in_its_identity);
    tcase_add_test(source, standard_input_is_stored_and_can_be_read_again);
    tcase_add_test(source, what_is_stored_ends_with_a_line);
    tcase_add_test(source, a_torn_line_goes_with_its_segments);
    tcase_add_test(source, recorded_bytes_are_all_there_or_the_store_is_not);
    tcase_add_loop_test(source, an_answer_gives_its_lines_or_a_fault, 0,
                        sizeof answers / sizeof *answers);
    tcase_add_test(source, an_intake_forgets_segments_and_keeps_the_rest);
    Suite *suite = suite_create("source");
    suite_add_tcase(suite, source);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
