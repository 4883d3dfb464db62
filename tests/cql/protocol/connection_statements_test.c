// What statements give reaches the client, over real sockets: errors, rows, prepared statements,
// events, batches.
#include "tests/cql/protocol/server_peer.h"

START_TEST(errors_keyspaces_warnings_and_changes_reach_the_client)
{
    uint8_t version = (uint8_t)(3 + _i);
    struct peer peer;
    peer_start(&peer, version, false);
    check_error(peer_query(&peer, "nonsense"), CQL_ERROR_SYNTAX, "line 1:0 no viable alternative");
    check_error(peer_query(&peer, "FAIL"), CQL_ERROR_READ_TIMEOUT, "Operation timed out");
    struct answer answer = decode(peer_query(&peer, "USE some_ks"));
    ck_assert_int_eq(answer.kind, RESULT_SET_KEYSPACE);
    ck_assert(slice_equals(answer.keyspace, slice_of_text("some_ks")));
    answer = decode(peer_query(&peer, "WHERE AM I"));
    struct cursor rows = cursor_make(answer.rows);
    ck_assert(slice_equals(answer_next_cell(&rows), slice_of_text("some_ks")));
    const struct frame *frame = peer_query(&peer, "ROWS 1 WARN");
    ck_assert_int_eq(frame->flags, version >= 4 ? FRAME_FLAG_WARNING : 0);
    ck_assert_uint_eq(decode(frame).row_count, 1);
    answer = decode(peer_query(&peer, "UPDATED"));
    ck_assert_int_eq(answer.kind, RESULT_SCHEMA_CHANGE);
    ck_assert(slice_equals(answer.name, slice_of_text("t")));
    check_error(peer_query(&peer, "VOID ?"), CQL_ERROR_INVALID, "Invalid amount of bind variables");
    peer_close(&peer);
}
END_TEST

static struct answer peer_prepare(struct peer *peer, const char *text)
{
    struct buffer *body = frame_writer_begin(&peer->writer, 0, 2, OPCODE_PREPARE);
    buffer_put_u32(body, (uint32_t)strlen(text));
    buffer_put(body, text, strlen(text));
    if ((peer->writer.version & 0x7f) >= 5) buffer_put_u32(body, 0);
    ck_assert(frame_writer_end(&peer->writer));
    return decode(peer_wait(peer, peer->count + 1));
}

static void put_execute(struct peer *peer, int16_t stream, struct slice id,
                        struct slice metadata_id, int value_count, bool skip_metadata)
{
    struct buffer *body = frame_writer_begin(&peer->writer, 0, stream, OPCODE_EXECUTE);
    bool v5 = (peer->writer.version & 0x7f) >= 5;
    message_put_short_bytes(body, id);
    if (v5) message_put_short_bytes(body, metadata_id);
    buffer_put_u16(body, CONSISTENCY_ONE);
    uint32_t flags = 1u | (skip_metadata ? 2u : 0);
    if (v5)
        buffer_put_u32(body, flags);
    else
        buffer_put_u8(body, (uint8_t)flags);
    buffer_put_u16(body, (uint16_t)value_count);
    for (int i = 0; i < value_count; i++) {
        buffer_put_u32(body, 4);
        buffer_put_u32(body, (uint32_t)i);
    }
    ck_assert(frame_writer_end(&peer->writer));
}

static void check_id(struct slice id, const char *expected)
{
    char hex[33] = "";
    ck_assert_uint_eq(id.size, 16);
    for (size_t i = 0; i < 16; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", id.data[i]);
    ck_assert_str_eq(hex, expected);
}

// MD5 of the text as md5sum prints it, with the keyspace before it where it matters.
START_TEST(prepared_statements_have_cassandras_ids)
{
    struct peer peer;
    peer_start(&peer, 4, false);
    check_id(peer_prepare(&peer, "ROWS 1").id, "c22179a4fd5f148ca5874a560648dcd9");
    (void)peer_query(&peer, "USE some_ks");
    check_id(peer_prepare(&peer, "ROWS 1").id, "03fa154f53d203afddc68e0cb017caf1");
    check_id(peer_prepare(&peer, "ROWS 1").id, "03fa154f53d203afddc68e0cb017caf1");
    // It names its keyspace, so the current one does not matter.
    check_id(peer_prepare(&peer, "ROWS 1 ks.t").id, "2be9452a49bb51df4da196d842d9a70f");
    (void)peer_query(&peer, "USE other");
    check_id(peer_prepare(&peer, "ROWS 1 ks.t").id, "2be9452a49bb51df4da196d842d9a70f");
    ck_assert_uint_eq(peer_prepare(&peer, "ROWS 1").id.size, 16);
    struct cql_server_statistics statistics;
    cql_server_statistics(server, &statistics);
    ck_assert_uint_eq(statistics.prepared_statements, 4);
    peer_close(&peer);
}
END_TEST

START_TEST(metadata_is_left_out_when_the_client_has_it)
{
    uint8_t version = (uint8_t)(4 + _i);
    struct peer peer;
    peer_start(&peer, version, false);
    struct answer prepared = peer_prepare(&peer, "ROWS 3 ?");
    ck_assert_uint_eq(prepared.markers.count, 1);
    ck_assert_uint_eq(prepared.partition_key_marker_count, 1);
    put_execute(&peer, 1, prepared.id, prepared.metadata_id, 1, true);
    struct answer answer = decode(peer_wait(&peer, peer.count + 1));
    ck_assert_ptr_null(answer.columns.items);
    ck_assert_uint_eq(answer.row_count, 3);
    put_execute(&peer, 1, prepared.id, prepared.metadata_id, 1, false);
    answer = decode(peer_wait(&peer, peer.count + 1));
    ck_assert_uint_eq(answer.columns.count, 1);
    if (version == 5) {
        ck_assert_uint_eq(prepared.metadata_id.size, 16);
        put_execute(&peer, 1, prepared.id, slice_of_text("0123456789abcdef"), 1, true);
        answer = decode(peer_wait(&peer, peer.count + 1));
        ck_assert(slice_equals(answer.new_metadata_id, prepared.metadata_id));
        ck_assert_ptr_nonnull(answer.columns.items);
    }
    put_execute(&peer, 1, prepared.id, prepared.metadata_id, 2, true);
    check_error(peer_wait(&peer, peer.count + 1), CQL_ERROR_INVALID,
                "there were 1 markers(?) in CQL but 2 bound variables");
    peer_close(&peer);
}
END_TEST

START_TEST(stale_statements_are_unprepared_and_changes_are_told)
{
    struct peer peer, deaf;
    peer_start(&peer, 4, false);
    peer_start(&deaf, 4, false);
    struct answer prepared = peer_prepare(&peer, "VOID");
    struct buffer *body = frame_writer_begin(&peer.writer, 0, 2, OPCODE_REGISTER);
    buffer_put_u16(body, 2);
    message_put_string(body, slice_of_text("SCHEMA_CHANGE"));
    message_put_string(body, slice_of_text("STATUS_CHANGE"));
    ck_assert(frame_writer_end(&peer.writer));
    ck_assert_int_eq(peer_wait(&peer, 2)->opcode, OPCODE_READY);

    fake_all_are_stale = true;
    const struct metadata_change change = {.change = METADATA_UPDATED,
                                           .target = METADATA_TABLE,
                                           .keyspace = slice_of_text("ks"),
                                           .table = slice_of_text("t")};
    fake_listener->changed(fake_listener, &change);
    const struct frame *event = peer_wait(&peer, 3);
    ck_assert_int_eq(event->stream, -1);
    struct answer answer = decode(event);
    ck_assert(slice_equals(answer.event, slice_of_text("SCHEMA_CHANGE")));
    ck_assert(slice_equals(answer.change, slice_of_text("UPDATED")));
    ck_assert(slice_equals(answer.name, slice_of_text("t")));

    put_execute(&peer, 3, prepared.id, slice_null(), 0, false);
    answer = decode(peer_wait(&peer, 4));
    ck_assert_int_eq(answer.error_code, CQL_ERROR_UNPREPARED);
    struct cursor extras = cursor_make(answer.error_extras);
    ck_assert_int_eq(cursor_u16(&extras), 16);
    ck_assert(slice_equals(cursor_take(&extras, 16), prepared.id));
    ck_assert_uint_eq(deaf.count, 0);
    peer_close(&peer);
    peer_close(&deaf);
}
END_TEST

START_TEST(members_that_come_go_and_move_are_told)
{
    struct peer peer, deaf;
    peer_start(&peer, 4, false);
    peer_start(&deaf, 4, false);
    struct buffer *body = frame_writer_begin(&peer.writer, 0, 2, OPCODE_REGISTER);
    buffer_put_u16(body, 2);
    message_put_string(body, slice_of_text("TOPOLOGY_CHANGE"));
    message_put_string(body, slice_of_text("STATUS_CHANGE"));
    ck_assert(frame_writer_end(&peer.writer));
    ck_assert_int_eq(peer_wait(&peer, 1)->opcode, OPCODE_READY);

    struct member members[2] = {{.rack = "r"}, {.rack = "r"}};
    ck_assert_int_eq(env_address_parse("127.0.0.7", 9042, &members[1].rpc_address), STATUS_OK);
    fake_topology.members = members;
    fake_topology.member_count = 2;
    const struct metadata_change change = {
        .change = METADATA_UPDATED, .target = METADATA_MEMBER, .member = 1};
    fake_listener->changed(fake_listener, &change);
    cql_server_announce_status(server, &members[1].rpc_address, false);
    cql_server_announce_status(server, &members[1].rpc_address, true);
    static const char *const expected[][2] = {
        {"TOPOLOGY_CHANGE", "NEW_NODE"}, {"STATUS_CHANGE", "DOWN"}, {"STATUS_CHANGE", "UP"}};
    (void)peer_wait(&peer, 4);
    for (int i = 0; i < 3; i++) {
        const struct frame *event = &peer.frames[1 + i].frame;
        struct cursor cursor = cursor_make(event->body);
        ck_assert_int_eq(event->stream, -1);
        ck_assert_int_eq(event->opcode, OPCODE_EVENT);
        for (int j = 0; j < 2; j++) {
            uint16_t size = cursor_u16(&cursor);
            ck_assert(slice_equals(cursor_take(&cursor, size), slice_of_text(expected[i][j])));
        }
        ck_assert_int_eq(cursor_u8(&cursor), 4);
        ck_assert(slice_equals(cursor_take(&cursor, 4), slice_make("\x7f\0\0\x07", 4)));
        ck_assert_uint_eq(cursor_u32(&cursor), 9042);
        ck_assert(!cursor.failed && cursor_left(&cursor) == 0);
    }
    ck_assert_uint_eq(deaf.count, 0);
    fake_topology = (struct topology){.member_count = 0};
    peer_close(&peer);
    peer_close(&deaf);
}
END_TEST

static size_t frames_before_serving;
static const struct peer *held_peer;

static void serve_now(struct env_timer *timer)
{
    (void)timer;
    frames_before_serving = held_peer->count;
    cql_server_serve(server);
}

START_TEST(a_held_server_answers_when_it_serves)
{
    struct peer peer;
    struct env_timer timer = {0};
    cql_server_hold(server);
    peer_open(&peer, 4);
    held_peer = &peer;
    frames_before_serving = 1;
    put_startup(&peer, false);
    env_timer_start(env, &timer, 10 * 1000 * 1000, serve_now);
    ck_assert_int_eq(peer_wait(&peer, 1)->opcode, OPCODE_READY);
    ck_assert_uint_eq(frames_before_serving, 0);
    peer_close(&peer);
}
END_TEST

START_TEST(batches_are_checked_entry_by_entry)
{
    struct peer peer;
    peer_start(&peer, 4, false);
    struct answer prepared = peer_prepare(&peer, "VOID ?");
    static const struct {
        const char *text;
        int value_count;
        const char *error;
    } batches[] = {
        {NULL, 1, NULL},
        {"VOID", 0, NULL},
        {"ROWS 1", 0,
         "Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed."},
        {"VOID ?", 0, "There were 1 markers(?) in CQL but 0 bound variables"},
    };
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        struct buffer *body = frame_writer_begin(&peer.writer, 0, 2, OPCODE_BATCH);
        buffer_put_u8(body, 1);
        buffer_put_u16(body, 1);
        buffer_put_u8(body, batches[i].text == NULL);
        if (batches[i].text == NULL) {
            message_put_short_bytes(body, prepared.id);
        } else {
            buffer_put_u32(body, (uint32_t)strlen(batches[i].text));
            buffer_put(body, batches[i].text, strlen(batches[i].text));
        }
        buffer_put_u16(body, (uint16_t)batches[i].value_count);
        for (int value = 0; value < batches[i].value_count; value++)
            buffer_put_u32(body, (uint32_t)-1);
        buffer_put_u16(body, CONSISTENCY_ONE);
        buffer_put_u8(body, 0);
        ck_assert(frame_writer_end(&peer.writer));
        const struct frame *frame = peer_wait(&peer, peer.count + 1);
        if (batches[i].error == NULL)
            ck_assert_int_eq(decode(frame).kind, RESULT_VOID);
        else
            check_error(frame, CQL_ERROR_INVALID, batches[i].error);
    }
    // An empty one is legal.
    put_message(&peer, 2, OPCODE_BATCH, slice_make("\x00\x00\x00\x00\x01\x00", 6));
    ck_assert_int_eq(decode(peer_wait(&peer, peer.count + 1)).kind, RESULT_VOID);
    peer_close(&peer);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("connection_statements");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, errors_keyspaces_warnings_and_changes_reach_the_client, 0, 3);
    tcase_add_test(tests, prepared_statements_have_cassandras_ids);
    tcase_add_loop_test(tests, metadata_is_left_out_when_the_client_has_it, 0, 2);
    tcase_add_test(tests, stale_statements_are_unprepared_and_changes_are_told);
    tcase_add_test(tests, members_that_come_go_and_move_are_told);
    tcase_add_test(tests, a_held_server_answers_when_it_serves);
    tcase_add_test(tests, batches_are_checked_entry_by_entry);

    Suite *suite = suite_create("connection_statements");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
