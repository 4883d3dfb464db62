// Requests of real clients are decoded, cut and mutated; Cassandra's own responses are decoded and
// encoded again, to the same bytes.
#include "cql/protocol/message.h"

#include "cql/client/answer.h"
#include "tests/cql/protocol/corpus_frames.h"

#include <check.h>

// ---- Requests ----------------------------------------------------------------------------------

static bool decode_request(uint8_t opcode, struct slice body, int version, struct arena *arena,
                           struct cql_error *error)
{
    struct message_startup startup;
    struct message_query query;
    struct message_prepare prepare;
    struct message_batch batch;
    unsigned events;
    switch (opcode) {
    case OPCODE_OPTIONS:
        return true;
    case OPCODE_STARTUP:
        return message_decode_startup(body, version, &startup, error);
    case OPCODE_REGISTER:
        return message_decode_register(body, &events, error);
    case OPCODE_QUERY:
        return message_decode_query(body, version, arena, &query, error);
    case OPCODE_EXECUTE:
        return message_decode_execute(body, version, arena, &query, error);
    case OPCODE_PREPARE:
        return message_decode_prepare(body, version, &prepare, error);
    case OPCODE_BATCH:
        return message_decode_batch(body, version, arena, &batch, error);
    default:
        return cql_error_set(error, CQL_ERROR_PROTOCOL, "not a request");
    }
}

static void check_request(void *context, const struct frame *frame)
{
    int *count = context;
    (*count)++;
    struct arena arena;
    struct cql_error error;
    arena_init(&arena, 1024);
    ck_assert_msg(decode_request(frame->opcode, frame->body, frame->version, &arena, &error),
                  "%s: %s", frame_opcode_text(frame->opcode), error.text);
    // Cut anywhere, then with noise: an answer or an error, never a read outside (sanitizers look).
    unsigned noise = 1;
    size_t step = frame->body.size < 2000 ? 1 : frame->body.size / 500;
    for (size_t size = 0; size < frame->body.size; size += step) {
        uint8_t *copy = malloc(size + 1);
        memcpy(copy, frame->body.data, size);
        (void)decode_request(frame->opcode, slice_make(copy, size), frame->version, &arena, &error);
        for (int i = 0; i < 3 && size > 0; i++) {
            noise = noise * 1103515245u + 12345;
            copy[noise / 65536 % size] = (uint8_t)(noise >> 8);
        }
        for (int version = 3; version <= 5; version++)
            (void)decode_request(frame->opcode, slice_make(copy, size), version, &arena, &error);
        free(copy);
        arena_reset(&arena);
    }
    arena_deinit(&arena);
}

START_TEST(requests_of_real_clients_are_understood)
{
    if (!corpus_is_there()) return;
    struct corpus corpus;
    corpus_read(corpus_names[_i], &corpus);
    int count = 0;
    for (size_t i = 0; i < corpus.count; i++) {
        struct corpus_mode mode = {0};
        if (corpus.sides[i].sender == 'C')
            (void)corpus_each_frame(&corpus.sides[i], &mode, 1 << 20, check_request, &count);
    }
    ck_assert_int_gt(count, 0);
    corpus_free(&corpus);
}
END_TEST

static void put_string(struct buffer *buffer, const char *text)
{
    message_put_string(buffer, slice_of_text(text));
}

START_TEST(all_query_options_are_read)
{
    for (int version = 3; version <= 5; version++) {
        struct buffer body;
        buffer_init(&body, 1000);
        buffer_put_u32(&body, 6);
        buffer_put(&body, "SELECT", 6);
        buffer_put_u16(&body, CONSISTENCY_LOCAL_QUORUM);
        if (version >= 5)
            buffer_put_u32(&body, 0x1ff);
        else
            buffer_put_u8(&body, 0x7f);
        buffer_put_u16(&body, 3);
        put_string(&body, "a");
        buffer_put_u32(&body, 1);
        buffer_put_u8(&body, 'x');
        put_string(&body, "b");
        buffer_put_u32(&body, (uint32_t)-1);
        put_string(&body, "c");
        buffer_put_u32(&body, (uint32_t)-2);
        buffer_put_u32(&body, 77); // Page size
        buffer_put_u32(&body, 2);  // Paging state
        buffer_put(&body, "PS", 2);
        buffer_put_u16(&body, CONSISTENCY_LOCAL_SERIAL);
        buffer_put_u64(&body, 123456789);
        if (version >= 5) {
            put_string(&body, "ks");
            buffer_put_u32(&body, UINT32_MAX); // Now
        }
        struct arena arena;
        arena_init(&arena, 1000);
        struct message_query query;
        struct cql_error error;
        ck_assert(message_decode_query(buffer_slice(&body), version, &arena, &query, &error));
        const struct query_options *options = &query.options;
        ck_assert_int_eq(options->consistency, CONSISTENCY_LOCAL_QUORUM);
        ck_assert_int_eq(options->serial_consistency, CONSISTENCY_LOCAL_SERIAL);
        ck_assert_uint_eq(options->value_count, 3);
        ck_assert(slice_equals(options->value_names[1], slice_of_text("b")));
        ck_assert(slice_equals(options->values[0].bytes, slice_of_text("x")));
        ck_assert(slice_is_null(options->values[1].bytes) && !options->values[1].unset);
        ck_assert_int_eq(options->values[2].unset, version >= 4);
        ck_assert(query.skip_metadata);
        ck_assert_int_eq(options->page_size, 77);
        ck_assert(slice_equals(options->paging_state, slice_of_text("PS")));
        ck_assert(options->has_timestamp);
        ck_assert_int_eq(options->timestamp_us, 123456789);
        ck_assert_int_eq(options->has_now, version >= 5);
        // As late as a deletion can be: one more would mean that nothing was deleted.
        if (version >= 5) ck_assert_int_eq(options->now_s, INT32_MAX - 1);
        ck_assert_int_eq(slice_is_null(options->keyspace), version < 5);
        arena_deinit(&arena);
        buffer_deinit(&body);
    }
}
END_TEST

struct bad_startup {
    const char *key, *value;
    int version;
    const char *text;
};
static const struct bad_startup bad_startups[] = {
    {"X", "y", 4, "Missing value CQL_VERSION in STARTUP message"},
    {"CQL_VERSION", "2.0.0", 4,
     "CQL version 2.0.0 is not supported by the binary protocol (supported version are >= 3.0.0)"},
    {"COMPRESSION", "zip", 4, "Unknown compression algorithm: zip"},
    {"compression", "Snappy", 5, "Snappy compression is not supported in protocol V5"},
    {"COMPRESSION", "snappy", 4, "This instance does not support Snappy compression"},
    {"CQL_VERSION", "4.0.0", 4, NULL},
    {"cql_version", "3.0.0", 4, NULL},
    {"CQL_VERSION", "2.99.0", 4, NULL},
    {"CQL_VERSION", "\xc3\x28", 4, "Cannot decode string as UTF8: 'c328'"},
};

START_TEST(startup_is_checked_with_cassandras_words)
{
    const struct bad_startup *bad = &bad_startups[_i];
    struct buffer body;
    buffer_init(&body, 1000);
    buffer_put_u16(&body, 1);
    put_string(&body, bad->key);
    put_string(&body, bad->value);
    struct message_startup startup;
    struct cql_error error;
    bool good = message_decode_startup(buffer_slice(&body), bad->version, &startup, &error);
    ck_assert_int_eq(good, bad->text == NULL);
    if (!good) ck_assert_str_eq(error.text, bad->text);
    if (!good) ck_assert_int_eq(error.code, CQL_ERROR_PROTOCOL);
    buffer_deinit(&body);
}
END_TEST

// ---- Responses ---------------------------------------------------------------------------------

static void copy_name(char to[CQL_NAME_SIZE_MAX], struct cursor *cursor)
{
    struct slice text = cursor_take(cursor, cursor_u16(cursor));
    ck_assert_uint_lt(text.size, CQL_NAME_SIZE_MAX);
    memcpy(to, text.data, text.size);
    to[text.size] = '\0';
}

static void encode_error(struct buffer *buffer, const struct answer *answer)
{
    struct cql_error error;
    cql_error_set(&error, answer->error_code, "%.*s", (int)answer->error_text.size,
                  (const char *)answer->error_text.data);
    struct cursor extras = cursor_make(answer->error_extras);
    if (error.code == CQL_ERROR_ALREADY_EXISTS) {
        copy_name(error.keyspace, &extras);
        copy_name(error.table, &extras);
    } else if (error.code == CQL_ERROR_UNPREPARED) {
        ck_assert_int_eq(cursor_u16(&extras), 16);
        memcpy(error.prepared_id, cursor_take(&extras, 16).data, 16);
    }
    message_put_error(buffer, answer->version, &error);
}

static void encode_prepared(struct buffer *buffer, const struct answer *answer)
{
    struct statement statement = {
        .markers = answer->markers.items,
        .marker_count = (uint16_t)answer->markers.count,
        .partition_key_markers = answer->partition_key_markers,
        .partition_key_marker_count = (uint16_t)answer->partition_key_marker_count,
        .result_columns = answer->columns.items,
        .result_column_count = (uint16_t)answer->columns.count,
    };
    message_put_prepared(buffer, answer->version, &statement, answer->id.data,
                         answer->metadata_id.data);
}

static void encode_result(struct buffer *buffer, const struct answer *answer)
{
    char change[64], target[64];
    (void)snprintf(change, sizeof change, "%.*s", (int)answer->change.size,
                   (const char *)answer->change.data);
    (void)snprintf(target, sizeof target, "%.*s", (int)answer->target.size,
                   (const char *)answer->target.data);
    struct result result = {
        .kind = answer->kind,
        .columns = answer->columns.items,
        .column_count = (uint16_t)answer->columns.count,
        .row_count = answer->row_count,
        .paging_state = answer->paging_state,
        .keyspace = answer->keyspace,
        .change = change,
        .target = target,
        .name = answer->name,
    };
    result.rows.data = (uint8_t *)(uintptr_t)answer->rows.data;
    result.rows.size = answer->rows.size;
    enum message_metadata metadata = answer->columns.items == NULL ? MESSAGE_METADATA_NONE
                                     : slice_is_null(answer->new_metadata_id)
                                         ? MESSAGE_METADATA_FULL
                                         : MESSAGE_METADATA_CHANGED;
    message_put_result(buffer, answer->version, &result, metadata, answer->new_metadata_id.data);
}

static void check_response(void *context, const struct frame *frame)
{
    int *count = context;
    struct arena arena;
    struct error error;
    struct answer answer = {0};
    arena_init(&arena, 4096);
    if (frame->flags == FRAME_FLAG_COMPRESSED && frame->opcode == OPCODE_READY) return;
    ck_assert_msg(answer_decode(frame, &arena, &answer, &error) == STATUS_OK, "%s", error.text);
    struct buffer again;
    buffer_init(&again, 1 << 24);
    if (answer.warnings.size > 0) buffer_put(&again, answer.warnings.data, answer.warnings.size);
    if (answer.opcode == OPCODE_ERROR) encode_error(&again, &answer);
    if (answer.opcode == OPCODE_RESULT && answer.kind == RESULT_PREPARED)
        encode_prepared(&again, &answer);
    else if (answer.opcode == OPCODE_RESULT)
        encode_result(&again, &answer);
    if (answer.opcode == OPCODE_EVENT) {
        ck_assert(slice_equals(answer.event, slice_of_text("SCHEMA_CHANGE")));
        char change[16] = {0}, target[16] = {0};
        memcpy(change, answer.change.data, answer.change.size);
        memcpy(target, answer.target.data, answer.target.size);
        message_put_schema_change_event(&again, change, target, answer.keyspace, answer.name);
    }
    // Cassandra tells "one table" even where it leaves the columns out; nobody can use it.
    if (answer.opcode == OPCODE_RESULT && answer.kind == RESULT_ROWS &&
        answer.columns.items == NULL)
        again.data[7] |= frame->body.data[7] & 1;
    if (answer.opcode != OPCODE_SUPPORTED) {
        ck_assert_uint_eq(again.size, frame->body.size);
        ck_assert_mem_eq(again.data == NULL ? (const uint8_t *)"" : again.data, frame->body.data,
                         again.size);
        (*count)++;
    }
    // Cut short, it is malformed or something shorter; the sanitizers look.
    size_t step = frame->body.size < 2000 ? 1 : frame->body.size / 200;
    for (size_t size = 0; size < frame->body.size; size += step) {
        uint8_t *copy = malloc(size + 1);
        memcpy(copy, frame->body.data, size);
        struct frame cut = *frame;
        cut.body = slice_make(copy, size);
        enum status status = answer_decode(&cut, &arena, &answer, &error);
        ck_assert(status == STATUS_OK || status == STATUS_MALFORMED);
        free(copy);
        arena_reset(&arena);
    }
    buffer_deinit(&again);
    arena_deinit(&arena);
}

START_TEST(cassandras_responses_come_out_as_they_went_in)
{
    if (!corpus_is_there()) return;
    struct corpus corpus;
    corpus_read(corpus_names[_i], &corpus);
    int count = 0;
    for (size_t i = 0; i < corpus.count; i++)
        if (corpus.sides[i].sender == 'S')
            (void)corpus_each_response(&corpus, &corpus.sides[i], 1 << 20, check_response, &count);
    ck_assert_int_gt(count, 0);
    corpus_free(&corpus);
}
END_TEST

START_TEST(errors_carry_their_fields_in_each_version)
{
    struct cql_error error;
    memset(&error, 0, sizeof error);
    cql_error_set(&error, CQL_ERROR_READ_FAILURE, "x");
    error.result = (struct coordinator_result){
        .consistency = CONSISTENCY_QUORUM, .required = 2, .received = 1, .failures = 1};
    error.data_present = true;
    static const char *const expected[] = {
        "\x00\x00\x12\x00\x00\x01x\x00\x04\x00\x00\x00\x01\x00\x00\x00\x02\x01",
        "\x00\x00\x13\x00\x00\x01x\x00\x04\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x01\x01",
        ("\x00\x00\x13\x00\x00\x01x\x00\x04\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x01"
         "\x04\x00\x00\x00\x00\x00\x00\x01"),
    };
    static const size_t expected_sizes[] = {18, 22, 29};
    for (int version = 3; version <= 5; version++) {
        struct buffer buffer;
        buffer_init(&buffer, 1000);
        message_put_error(&buffer, version, &error);
        ck_assert_uint_eq(buffer.size, expected_sizes[version - 3]);
        ck_assert_mem_eq(buffer.data, expected[version - 3], buffer.size);
        buffer_deinit(&buffer);
    }
    // Those whose names are known are told with them, and why.
    error.result.fault_count = 1;
    error.result.faults[0] = (struct coordinator_fault){7, 3};
    ck_assert_int_eq(env_address_parse("127.0.0.7", 7000, &error.fault_addresses[0]), STATUS_OK);
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    message_put_error(&buffer, 5, &error);
    ck_assert_uint_eq(buffer.size, 29);
    ck_assert_mem_eq(buffer.data + 21, "\x04\x7f\x00\x00\x07\x00\x03\x01", 8);
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(types_go_by_their_class_where_a_version_has_no_number)
{
    static const struct {
        enum type_kind kind;
        int first_version; // That has a number for it.
    } kinds[] = {{TYPE_DATE, 4},     {TYPE_TIME, 4}, {TYPE_SMALLINT, 4}, {TYPE_TINYINT, 4},
                 {TYPE_DURATION, 5}, {TYPE_INT, 3},  {TYPE_TEXT, 3}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (int version = 3; version <= 5; version++) {
            struct buffer buffer;
            struct arena arena;
            arena_init(&arena, 1000);
            buffer_init(&buffer, 1000);
            message_put_type(&buffer, version, type_of_kind(kinds[i].kind));
            ck_assert_int_eq(buffer.size > 2, version < kinds[i].first_version);
            struct cursor cursor = cursor_make(buffer_slice(&buffer));
            const struct type *type = answer_read_type(&cursor, &arena);
            ck_assert_ptr_nonnull(type);
            ck_assert_int_eq(type->kind, kinds[i].kind);
            arena_deinit(&arena);
            buffer_deinit(&buffer);
        }
    }
}
END_TEST

int main(void)
{
    TCase *message = tcase_create("message");
    tcase_set_timeout(message, 60);
    tcase_add_loop_test(message, requests_of_real_clients_are_understood, 0, CORPUS_COUNT);
    tcase_add_test(message, all_query_options_are_read);
    tcase_add_loop_test(message, startup_is_checked_with_cassandras_words, 0,
                        sizeof bad_startups / sizeof bad_startups[0]);
    tcase_add_loop_test(message, cassandras_responses_come_out_as_they_went_in, 0, CORPUS_COUNT);
    tcase_add_test(message, errors_carry_their_fields_in_each_version);
    tcase_add_test(message, types_go_by_their_class_where_a_version_has_no_number);

    Suite *suite = suite_create("message");
    suite_add_tcase(suite, message);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
