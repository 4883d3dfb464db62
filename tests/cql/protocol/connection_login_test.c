// Logins, byte by byte: what is refused before one, wrong ones, right ones, in each version;
// clients that go away while their password is looked at.
#include "cql/auth/auth.h"
#include "tests/cql/protocol/server_peer.h"

static struct auth auth;

static void setup_roles(void)
{
    setup();
    fake_roles = roles_create();
    auth = (struct auth){.env = env, .authorizes = true};
    processor.auth = &auth;
}

static void teardown_roles(void)
{
    roles_destroy(fake_roles);
    teardown();
}

static void create(const char *name, bool can_login)
{
    struct buffer record;
    buffer_init(&record, 4096);
    roles_put_change(&record,
                     &(struct role_change){.kind = ROLE_CREATE,
                                           .role = slice_of_text(name),
                                           .other = slice_make("", 0),
                                           .has_login = true,
                                           .can_login = can_login,
                                           // Of the word "cassandra".
                                           .hash = slice_of_text(roles_at(fake_roles, 0)->hash)});
    struct cursor cursor = cursor_make(buffer_slice(&record));
    ck_assert_int_eq(roles_apply(fake_roles, &cursor), STATUS_OK);
    buffer_deinit(&record);
}

static void put_token(struct peer *peer, const char *token, size_t size)
{
    struct buffer *body = frame_writer_begin(&peer->writer, 0, 3, OPCODE_AUTH_RESPONSE);
    message_put_bytes(body, slice_make(token, size));
    ck_assert(frame_writer_end(&peer->writer));
}

#define PUT_TOKEN(peer, token) put_token(peer, token, sizeof(token) - 1)

// STARTUP, which asks for a login.
static void peer_begin(struct peer *peer, uint8_t version, bool lz4)
{
    peer_open(peer, version);
    put_startup(peer, lz4);
    const struct frame *asked = peer_wait(peer, 1);
    ck_assert_int_eq(asked->opcode, OPCODE_AUTHENTICATE);
    struct cursor body = cursor_make(asked->body);
    ck_assert(slice_equals(cursor_take(&body, cursor_u16(&body)),
                           slice_of_text(AUTH_AUTHENTICATOR_CLASS)));
    peer->count = 0;
    struct corpus_mode mode = {lz4, version};
    corpus_switch(&peer->reader, &mode);
    if (version >= 5)
        frame_writer_set_segmented(&peer->writer, lz4);
    else if (lz4)
        frame_writer_set_lz4(&peer->writer);
}

START_TEST(a_right_password_opens_the_connection)
{
    struct peer peer;
    peer_begin(&peer, (uint8_t)(3 + _i / 2), _i % 2 == 1);
    check_error(peer_query(&peer, "VOID"), CQL_ERROR_PROTOCOL,
                "Unexpected message QUERY, expecting SASL_RESPONSE");
    put_message(&peer, 5, OPCODE_OPTIONS, slice_make("", 0));
    check_error(peer_wait(&peer, 2), CQL_ERROR_PROTOCOL,
                "Unexpected message OPTIONS, expecting SASL_RESPONSE");
    // What comes behind waits until the password was looked at.
    PUT_TOKEN(&peer, "\0cassandra\0cassandra");
    put_query(&peer, 5, "VOID");
    ck_assert_int_eq(decode(peer_wait(&peer, 4)).kind, RESULT_VOID);
    const struct frame *success = &peer.frames[2].frame;
    ck_assert_int_eq(success->opcode, OPCODE_AUTH_SUCCESS);
    ck_assert_int_eq(success->stream, 3);
    ck_assert(slice_equals(success->body, slice_make("\xff\xff\xff\xff", 4)));
    PUT_TOKEN(&peer, "\0cassandra\0cassandra");
    check_error(peer_wait(&peer, 5), CQL_ERROR_PROTOCOL,
                "Unexpected message AUTH_RESPONSE, the connection is already initialized");
    peer_close(&peer);
}
END_TEST

START_TEST(whatever_is_wrong_has_its_words)
{
    static const struct {
        const char *token;
        size_t size;
        const char *text;
    } wrong[] = {
        {"\0cassandra\0wrong", 16, "Provided username cassandra and/or password are incorrect"},
        {"\0nobody\0cassandra", 17, "Provided username nobody and/or password are incorrect"},
        {"\0idle\0cassandra", 15, "idle is not permitted to log in"},
        {"\0idle\0wrong", 11, "Provided username idle and/or password are incorrect"},
        {"", 0, "Password must not be null"},
        {"\0cassandra\0", 11, "Password must not be null"},
        {"\0\0x", 3, "Authentication ID must not be null"},
        {"cassandra\0cassandra", 19, "Authentication ID must not be null"},
        {"a\0b\0c\0d", 7,
         "Credential format error: username or password is empty or contains NUL(\\0) character"},
    };
    create("idle", false);
    struct peer peer;
    peer_begin(&peer, 4, false);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        put_token(&peer, wrong[i].token, wrong[i].size);
        check_error(peer_wait(&peer, i + 1), CQL_ERROR_BAD_CREDENTIALS, wrong[i].text);
    }
    PUT_TOKEN(&peer, "other\0cassandra\0cassandra");
    ck_assert_int_eq(peer_wait(&peer, peer.count + 1)->opcode, OPCODE_AUTH_SUCCESS);
    peer_close(&peer);
}
END_TEST

START_TEST(a_client_may_go_while_its_password_is_looked_at)
{
    struct peer peer, other;
    peer_begin(&peer, 4, false);
    PUT_TOKEN(&peer, "\0cassandra\0cassandra");
    peer_flush(&peer);
    peer_close(&peer);
    peer_begin(&other, 4, false);
    PUT_TOKEN(&other, "\0cassandra\0cassandra");
    ck_assert_int_eq(peer_wait(&other, 1)->opcode, OPCODE_AUTH_SUCCESS);
    peer_close(&other);
    ck_assert_uint_eq(auth.waiting, 0);
}
END_TEST

START_TEST(too_many_logins_are_told_so)
{
    struct peer peer;
    peer_begin(&peer, 4, false);
    auth.waiting = AUTH_PASSWORDS_WAITING_MAX;
    PUT_TOKEN(&peer, "\0cassandra\0cassandra");
    check_error(peer_wait(&peer, 1), CQL_ERROR_OVERLOADED, "Too many logins wait for their turn");
    auth.waiting = 0;
    PUT_TOKEN(&peer, "\0cassandra\0cassandra");
    ck_assert_int_eq(peer_wait(&peer, 2)->opcode, OPCODE_AUTH_SUCCESS);
    peer_close(&peer);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("connection_login");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup_roles, teardown_roles);
    tcase_add_loop_test(tests, a_right_password_opens_the_connection, 0, 6);
    tcase_add_test(tests, whatever_is_wrong_has_its_words);
    tcase_add_test(tests, a_client_may_go_while_its_password_is_looked_at);
    tcase_add_test(tests, too_many_logins_are_told_so);

    Suite *suite = suite_create("connection_login");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
