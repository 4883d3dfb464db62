// TLS over the simulator's sockets: torn, delayed, reset; with and without certificates; whoever
// does not speak it, stops amid a handshake, or changes bytes on the way.
#include "cql/protocol/tls_stream.h"

#include "base/env_ops.h"
#include "base/env_sim.h"
#include "base/limits.h"
#include "base/random.h"
#include "cql/protocol/tls_internal.h"
#include "tests/cql/protocol/tls_keys.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND_NS UINT64_C(1000000000)

enum { MESSAGE_SIZE = 300 * 1000, LOG_SIZE = 16 * 1024 };

// One end of a connection. The server's sends back what it gets.
struct end {
    struct env_stream *stream;
    bool is_server;
    bool holds; // Paused after each piece, until the test resumes.
    bool stays; // Does not close when it has got everything.
    size_t received, to_send, sent, wrong, calls, drained_count;
    bool is_connected;
    int ended_count;
    enum status ended;
};

static struct sim_world *world;
static struct sim_machine *server_machine, *client_machine;
static struct env *server_env, *client_env;
static struct env_listener *listener;
static struct tls *server_tls, *client_tls;
static struct end server, client;
static bool is_optional, sends_raw, keeps_servers;
static struct log log_of_server;
static char log_text[LOG_SIZE];

// ---- The two ends -------------------------------------------------------------------------------

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 7 + (at >> 8));
}

static void send_some(struct end *end)
{
    uint8_t bytes[20000];
    while (end->stream != NULL && end->sent < end->to_send &&
           env_stream_queued(end->stream) < 100000) {
        size_t size = end->to_send - end->sent;
        if (size > sizeof bytes) size = sizeof bytes;
        for (size_t i = 0; i < size; i++)
            bytes[i] = byte_at(end->sent + i);
        end->sent += size;
        env_stream_write(end->stream, slice_make(bytes, size));
    }
}

static void end_data(void *context, struct slice bytes)
{
    struct end *end = context;
    ck_assert_int_eq(end->ended_count, 0);
    end->calls++;
    for (size_t i = 0; i < bytes.size; i++)
        if (bytes.data[i] != byte_at(end->received + i)) end->wrong++;
    end->received += bytes.size;
    if (end->is_server) env_stream_write(end->stream, bytes);
    if (end->holds) env_stream_pause(end->stream);
    if (!end->is_server && !end->stays && end->received == end->to_send) {
        env_stream_close(end->stream, true);
        end->stream = NULL;
    }
}

static void end_drained(void *context)
{
    struct end *end = context;
    end->drained_count++;
    if (!end->is_server) send_some(end);
}

static void end_ended(void *context, enum status status)
{
    struct end *end = context;
    end->ended_count++;
    end->ended = status;
    env_stream_close(end->stream, false);
    end->stream = NULL;
}

static const struct env_stream_events end_events = {end_data, end_drained, end_ended};

static void accepted(void *context, struct env_stream *stream)
{
    (void)context;
    if (keeps_servers) {
        // Ends by itself, and nobody looks at it.
        static struct end others[8];
        static size_t count;
        struct end *other = &others[count++ % 8];
        *other = (struct end){.is_server = true};
        other->stream = tls_stream_accept(server_tls, stream, is_optional);
        env_stream_start(other->stream, &end_events, other);
        return;
    }
    if (server.stream != NULL) env_stream_close(server.stream, false);
    server = (struct end){.is_server = true, .holds = server.holds};
    server.stream = tls_stream_accept(server_tls, stream, is_optional);
    env_stream_start(server.stream, &end_events, &server);
}

static void connected(void *context, enum status status, struct env_stream *stream)
{
    struct end *end = context;
    ck_assert_int_eq(status, STATUS_OK);
    end->stream = sends_raw ? stream : tls_stream_connect(client_tls, stream);
    end->is_connected = true;
    env_stream_start(end->stream, &end_events, end);
    if (!sends_raw) send_some(end);
}

// ---- The world ----------------------------------------------------------------------------------

static void died(void *context, struct env *env)
{
    (void)context, (void)env;
    ck_abort_msg("a process died");
}

static void take_line(void *context, struct slice line)
{
    (void)context;
    size_t size = strlen(log_text);
    (void)snprintf(log_text + size, sizeof log_text - size, "%.*s", (int)line.size,
                   (const char *)line.data);
}

static void write_file(struct env *env, const char *path, const char *text)
{
    struct env_file *file;
    ck_assert_int_eq(
        env_file_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE, &file, NULL),
        STATUS_OK);
    ck_assert_int_eq(env_file_write(file, 0, text, strlen(text), NULL), STATUS_OK);
    env_file_close(file);
}

static void open_world(uint64_t seed, double segmented)
{
    struct sim_options options = {.seed = seed};
    options.chances[SIM_FAULT_SEGMENTED] = segmented;
    world = sim_world_create(&options);
    server_machine = sim_machine_create(world, "server");
    client_machine = sim_machine_create(world, "client");
    server_env = sim_process_start(server_machine, "server", died, NULL);
    client_env = sim_process_start(client_machine, "client", died, NULL);
    write_file(server_env, "/server.pem", TLS_KEYS_SERVER);
    write_file(server_env, "/authority.pem", TLS_KEYS_AUTHORITY);
    write_file(client_env, "/client.pem", TLS_KEYS_CLIENT);
    write_file(client_env, "/other.pem", TLS_KEYS_OTHER_SERVER);
    write_file(client_env, "/authority.pem", TLS_KEYS_AUTHORITY);
    write_file(client_env, "/other-authority.pem", TLS_KEYS_OTHER_AUTHORITY);
    log_init(&log_of_server, server_env, LOG_INFO);
    log_of_server.write = take_line;
    log_text[0] = '\0';
    server = client = (struct end){0};
    is_optional = sends_raw = keeps_servers = false;
    server_tls = client_tls = NULL;
    listener = NULL;
}

static void open_server_at(const char *text, const struct tls_server_options *given)
{
    struct tls_server_options options = *given;
    struct env_address address;
    struct error error;
    options.log = &log_of_server;
    ck_assert_msg(tls_create_server(server_env, &options, &server_tls, &error) == STATUS_OK, "%s",
                  error.text);
    ck_assert_int_eq(env_address_parse(text, 9042, &address), STATUS_OK);
    ck_assert_int_eq(env_listen(server_env, &address, accepted, NULL, &listener, NULL), STATUS_OK);
}

static void open_server(void)
{
    const struct tls_server_options options = {.keystore = "/server.pem"};
    open_server_at("10.0.0.1", &options);
}

static void open_client(const char *trusted, const char *keystore)
{
    const struct tls_client_options options = {.trusted = trusted, .keystore = keystore};
    struct error error;
    ck_assert_msg(tls_create_client(client_env, &options, &client_tls, &error) == STATUS_OK, "%s",
                  error.text);
}

static void connect_client(size_t to_send)
{
    struct env_address address = env_listener_address(listener);
    client = (struct end){.to_send = to_send};
    env_connect(client_env, &address, SECOND_NS, connected, &client);
}

static bool is_over;

static void time_is_over(struct sim_call *call)
{
    (void)call;
    is_over = true;
}

static void run(uint64_t duration_ns)
{
    struct sim_call call = {0};
    is_over = false;
    sim_world_call(world, &call, duration_ns, time_is_over);
    while (!is_over)
        ck_assert(sim_world_step(world));
}

static void close_world(void)
{
    if (server.stream != NULL) env_stream_close(server.stream, false);
    if (client.stream != NULL) env_stream_close(client.stream, false);
    if (listener != NULL) env_listener_close(listener);
    run(30 * SECOND_NS);
    tls_destroy(server_tls);
    tls_destroy(client_tls);
    sim_process_destroy(server_env);
    sim_process_destroy(client_env);
    sim_world_destroy(world);
}

// ---- Tests --------------------------------------------------------------------------------------

START_TEST(bytes_arrive_whole_and_in_order_in_any_pieces)
{
    for (uint64_t seed = 0; seed < 6; seed++) {
        open_world(seed, 0.5);
        if (seed % 2 == 1)
            sim_network_slow(client_machine, server_machine, 5 * 1000000, 20 * 1000000, 0);
        is_optional = seed % 3 == 0;
        open_server();
        open_client("/authority.pem", NULL);
        connect_client(MESSAGE_SIZE);
        run(300 * SECOND_NS);
        ck_assert_uint_eq(client.received, MESSAGE_SIZE);
        ck_assert_uint_eq(client.wrong + server.wrong, 0);
        ck_assert_int_eq(server.ended_count, 1);
        ck_assert_int_eq(server.ended, STATUS_CLOSED);
        ck_assert_str_eq(log_text, "");
        close_world();
    }
}
END_TEST

START_TEST(a_reset_at_any_time_ends_both_ends_once)
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        open_world(seed, 0.5);
        open_server();
        open_client(NULL, NULL);
        connect_client(MESSAGE_SIZE);
        for (uint64_t i = 0; i < 3 + seed * 2; i++)
            (void)sim_world_step(world);
        bool was_accepted = server.stream != NULL;
        sim_network_reset(client_machine, server_machine);
        run(60 * SECOND_NS);
        if (client.is_connected && was_accepted && client.received < MESSAGE_SIZE) {
            ck_assert_int_eq(client.ended_count, 1);
            ck_assert_int_eq(server.ended_count, 1);
        }
        ck_assert_uint_eq(client.wrong + server.wrong, 0);
        close_world();
    }
}
END_TEST

START_TEST(a_paused_owner_gets_nothing_until_it_goes_on)
{
    open_world(7, 0.2);
    open_server();
    open_client("/authority.pem", NULL);
    server.holds = true;
    connect_client(MESSAGE_SIZE);
    run(SECOND_NS);
    ck_assert_uint_eq(server.calls, 1);
    for (size_t calls = 1; server.received < MESSAGE_SIZE; calls++) {
        ck_assert_uint_eq(server.calls, calls);
        ck_assert_uint_lt(calls, 100000);
        env_stream_resume(server.stream);
        ck_assert_uint_eq(server.calls, calls); // Not inside the call.
        run(SECOND_NS / 100);
    }
    server.holds = false;
    env_stream_resume(server.stream);
    run(SECOND_NS);
    ck_assert_uint_eq(client.received, MESSAGE_SIZE);
    ck_assert_uint_eq(client.wrong + server.wrong, 0);
    close_world();
}
END_TEST

START_TEST(much_for_a_slow_reader_is_queued_and_told_when_it_is_gone)
{
    open_world(8, 0);
    open_server();
    open_client("/authority.pem", NULL);
    connect_client(1000);
    client.stays = true;
    run(SECOND_NS);
    static uint8_t bytes[5 * 1000 * 1000];
    sim_network_cut(server_machine, client_machine, true);
    env_stream_write(server.stream, slice_make(bytes, sizeof bytes));
    ck_assert_uint_eq(server.drained_count, 0);
    ck_assert_uint_ge(env_stream_queued(server.stream), sizeof bytes / 2);
    ck_assert_uint_le(env_stream_queued(server.stream), sizeof bytes + sizeof bytes / 50);
    close_world();
}
END_TEST

static void check_refused(const char *words)
{
    ck_assert_uint_eq(server.calls, 0);
    ck_assert_int_eq(server.ended_count, 1);
    ck_assert_msg(strstr(log_text, words) != NULL, "'%s' is not in '%s'", words, log_text);
    ck_assert_ptr_nonnull(strstr(log_text, "WARN  TLS: "));
}

START_TEST(whoever_stops_amid_a_handshake_is_closed_in_time)
{
    open_world(9, 0);
    open_server();
    sends_raw = true;
    connect_client(0);
    run(SECOND_NS);
    static const uint8_t hello[] = {0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3};
    client.stays = true;
    env_stream_write(client.stream, slice_make(hello, sizeof hello));
    run(5 * SECOND_NS);
    ck_assert_int_eq(client.ended_count, 0);
    run(6 * SECOND_NS);
    ck_assert_int_eq(client.ended_count, 1);
    check_refused("no handshake: it was not done in time");
    ck_assert_int_eq(server.ended, STATUS_TIMED_OUT);
    close_world();
}
END_TEST

START_TEST(plain_bytes_are_told_and_closed)
{
    open_world(10, 0);
    open_server();
    sends_raw = true;
    connect_client(0);
    run(SECOND_NS);
    static const uint8_t options[] = {4, 0, 0, 0, 5, 0, 0, 0, 0};
    client.stays = true;
    env_stream_write(client.stream, slice_make(options, sizeof options));
    run(SECOND_NS);
    check_refused("the client does not speak TLS");
    ck_assert_int_eq(client.ended_count, 1);
    close_world();
}
END_TEST

START_TEST(an_optional_server_passes_plain_bytes_on)
{
    open_world(11, 0.5);
    open_server();
    is_optional = true;
    sends_raw = true;
    connect_client(MESSAGE_SIZE);
    run(60 * SECOND_NS); // Longer than a handshake may take.
    ck_assert_int_eq(client.ended_count, 0);
    const char *protocol, *cipher;
    send_some(&client);
    run(60 * SECOND_NS);
    ck_assert_uint_eq(client.received, MESSAGE_SIZE);
    ck_assert_uint_eq(client.wrong + server.wrong, 0);
    close_world();

    open_world(11, 0.5);
    open_server();
    is_optional = true;
    open_client("/authority.pem", NULL);
    connect_client(MESSAGE_SIZE);
    client.stays = true;
    run(SECOND_NS);
    ck_assert(tls_stream_describe(server.stream, &protocol, &cipher));
    ck_assert_str_eq(protocol, "TLSv1.3");
    ck_assert_str_eq(cipher, "TLS_AES_256_GCM_SHA384");
    close_world();
}
END_TEST

// Bytes that somebody else put in, at many places.
START_TEST(what_was_changed_on_the_way_ends_the_connection)
{
    open_world(12, 0);
    open_server();
    open_client("/authority.pem", NULL);
    connect_client(1000);
    client.stays = true;
    run(SECOND_NS);
    ck_assert_uint_eq(server.received, 1000);
    ck_assert(env_stream_queued(server.stream) == 0);
    close_world();
    static const uint8_t garbage[] = {0x17, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
    for (size_t size = 1; size <= sizeof garbage; size++) {
        open_world(12, 0);
        open_server();
        sends_raw = true;
        connect_client(0);
        client.stays = true;
        run(SECOND_NS);
        env_stream_write(client.stream, slice_make(garbage, size));
        run(20 * SECOND_NS);
        check_refused("the client does not speak TLS");
        close_world();
    }
    // A hello whose length is right and whose content is none.
    struct random random;
    random_init(&random, 5);
    for (int i = 0; i < 20; i++) {
        uint8_t hello[5 + 64] = {0x16, 3, 1, 0, 64};
        for (size_t k = 5; k < sizeof hello; k++)
            hello[k] = (uint8_t)random_u64(&random);
        open_world(12, 0);
        open_server();
        sends_raw = true;
        connect_client(0);
        client.stays = true;
        run(SECOND_NS);
        env_stream_write(client.stream, slice_make(hello, sizeof hello));
        run(20 * SECOND_NS);
        check_refused("no handshake: ");
        close_world();
    }
}
END_TEST

START_TEST(clients_need_a_certificate_where_it_is_wanted)
{
    static const struct {
        const char *keystore, *words;
    } cases[] = {
        {"/client.pem", NULL},
        {NULL, "peer did not return a certificate"},
        {"/other.pem", "unable to get local issuer certificate"},
    };
    for (size_t i = 0; i < 3; i++) {
        open_world(13 + i, 0.3);
        const struct tls_server_options options = {.keystore = "/server.pem",
                                                   .truststore = "/authority.pem",
                                                   .requires_certificate = true};
        open_server_at("10.0.0.1", &options);
        open_client("/authority.pem", cases[i].keystore);
        connect_client(1000);
        run(20 * SECOND_NS);
        if (cases[i].words == NULL) {
            ck_assert_uint_eq(client.received, 1000);
            ck_assert_str_eq(log_text, "");
        } else {
            check_refused(cases[i].words);
            ck_assert_int_eq(client.ended_count, 1);
            ck_assert_uint_eq(client.received, 0);
        }
        close_world();
    }
}
END_TEST

START_TEST(certificates_between_ours_and_the_root_are_sent)
{
    open_world(19, 0.3);
    write_file(server_env, "/server.pem", TLS_KEYS_CHAIN);
    open_server();
    open_client("/authority.pem", NULL);
    connect_client(1000);
    run(20 * SECOND_NS);
    ck_assert_uint_eq(client.received, 1000);
    close_world();
}
END_TEST

START_TEST(a_client_knows_a_wrong_server)
{
    for (int i = 0; i < 3; i++) {
        open_world(20, 0);
        const struct tls_server_options options = {.keystore = "/server.pem"};
        open_server_at(i == 1 ? "10.0.0.9" : "10.0.0.1", &options);
        open_client(i == 2 ? "/other-authority.pem" : "/authority.pem", NULL);
        connect_client(1000);
        run(20 * SECOND_NS);
        ck_assert_uint_eq(client.received, i == 0 ? 1000 : 0);
        ck_assert_int_eq(client.ended_count, i == 0 ? 0 : 1);
        if (i > 0) ck_assert_int_eq(client.ended, STATUS_REFUSED);
        close_world();
    }
}
END_TEST

START_TEST(new_certificates_are_used_when_the_file_has_changed)
{
    open_world(21, 0);
    open_server();
    open_client("/other-authority.pem", NULL);
    connect_client(1000);
    run(SECOND_NS);
    ck_assert_int_eq(client.ended, STATUS_REFUSED);
    run(TLS_REFRESH_NS);
    // Half a file: what was there is used on, and it is told.
    write_file(server_env, "/server.pem", "-----BEGIN PRIVATE KEY-----\nMIGH");
    connect_client(1000);
    run(SECOND_NS);
    ck_assert_int_eq(client.ended, STATUS_REFUSED);
    ck_assert_ptr_nonnull(strstr(log_text, "ERROR TLS: new certificates are not used"));
    write_file(server_env, "/server.pem", TLS_KEYS_OTHER_SERVER);
    connect_client(1000);
    run(SECOND_NS);
    ck_assert_int_eq(client.ended, STATUS_REFUSED); // Not looked at again so soon.
    run(TLS_REFRESH_NS);
    connect_client(1000);
    run(SECOND_NS);
    ck_assert_uint_eq(client.received, 1000);
    ck_assert_ptr_nonnull(strstr(log_text, "INFO  TLS: new certificates: /server.pem"));
    close_world();
}
END_TEST

START_TEST(what_can_not_be_used_is_said_with_what_to_do)
{
    static const char jks[] = "\xFE\xED\xFE\xED and more", pkcs12[] = "\x30\x82\x0A\x35";
    static const struct {
        const char *keystore, *password, *truststore, *ciphers, *protocols, *words;
        enum status status;
    } cases[] = {
        {"", NULL, NULL, NULL, NULL, "keystore: name a PEM file", STATUS_INVALID},
        {"/none.pem", NULL, NULL, NULL, NULL, "keystore: /none.pem", STATUS_NOT_FOUND},
        {"/jks", NULL, NULL, NULL, NULL, "keytool -importkeystore", STATUS_INVALID},
        {"/p12", NULL, NULL, NULL, NULL, "openssl pkcs12 -in /p12 -nodes -out s.pem",
         STATUS_INVALID},
        {"/server.pem", NULL, "/p12", NULL, NULL, "openssl pkcs12 -in /p12 -nokeys",
         STATUS_INVALID},
        {"/authority.pem", NULL, NULL, NULL, NULL, "no private key in it", STATUS_INVALID},
        {"/key.pem", NULL, NULL, NULL, NULL, "no certificate in it", STATUS_INVALID},
        {"/mixed.pem", NULL, NULL, NULL, NULL, "key values mismatch", STATUS_INVALID},
        {"/locked.pem", NULL, NULL, NULL, NULL, "no private key in it that keystore_password",
         STATUS_INVALID},
        {"/locked.pem", "sesame-8", NULL, NULL, NULL, "no private key in it that keystore_password",
         STATUS_INVALID},
        {"/locked.pem", "sesame-7", NULL, NULL, NULL, NULL, STATUS_OK},
        {"/server.pem", NULL, "/key.pem", NULL, NULL, "truststore: /key.pem: no certificate",
         STATUS_INVALID},
        {"/server.pem", NULL, NULL, "NONE_SUCH", NULL, "cipher_suites: 'NONE_SUCH'",
         STATUS_INVALID},
        {"/server.pem", NULL, NULL,
         "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "
         "TLS_AES_128_GCM_SHA256,ECDHE-RSA-AES256-GCM-SHA384",
         "TLSv1.2", NULL, STATUS_OK},
        {"/server.pem", NULL, NULL, NULL, "TLSv1.1", "not 'TLSv1.1'", STATUS_INVALID},
        {"/server.pem", NULL, NULL, NULL, "TLSv1.3", NULL, STATUS_OK},
        {"/server.pem", NULL, NULL, NULL, "TLS", NULL, STATUS_OK},
    };
    open_world(22, 0);
    write_file(server_env, "/jks", jks);
    write_file(server_env, "/p12", pkcs12);
    write_file(server_env, "/locked.pem", TLS_KEYS_LOCKED);
    char key[2048], mixed[4096];
    const char *certificate = strstr(TLS_KEYS_SERVER, "-----BEGIN CERTIFICATE");
    const char *other = strstr(TLS_KEYS_CLIENT, "-----BEGIN CERTIFICATE");
    (void)snprintf(key, sizeof key, "%.*s", (int)(certificate - TLS_KEYS_SERVER), TLS_KEYS_SERVER);
    (void)snprintf(mixed, sizeof mixed, "%s%s", key, other);
    write_file(server_env, "/key.pem", key);
    write_file(server_env, "/mixed.pem", mixed);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct tls_server_options options = {
            .keystore = cases[i].keystore,
            .keystore_password = cases[i].password,
            .truststore = cases[i].truststore,
            .cipher_suites = cases[i].ciphers,
            .protocols = cases[i].protocols,
        };
        struct error error = {0};
        struct tls *tls = NULL;
        enum status status = tls_create_server(server_env, &options, &tls, &error);
        ck_assert_msg(status == cases[i].status, "%zu: %s", i, error.text);
        if (cases[i].words != NULL)
            ck_assert_msg(strstr(error.text, cases[i].words) != NULL, "%zu: %s", i, error.text);
        ck_assert_ptr_null(strstr(error.text, "sesame"));
        tls_destroy(tls);
    }
    const struct tls_server_options options = {.keystore = "/server.pem",
                                               .requires_certificate = true};
    struct error error;
    ck_assert_int_eq(tls_create_server(server_env, &options, &server_tls, &error), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "truststore: name a PEM file"));
    close_world();
}
END_TEST

START_TEST(of_too_many_handshakes_the_oldest_ends)
{
    enum { COUNT = 3 };
    open_world(24, 0);
    open_server();
    server_tls->handshakes_max = COUNT - 1;
    sends_raw = keeps_servers = true;
    static const uint8_t hello[] = {0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3};
    static struct end clients[COUNT];
    struct env_address address = env_listener_address(listener);
    for (size_t i = 0; i < COUNT; i++) {
        clients[i] = (struct end){.stays = true};
        env_connect(client_env, &address, SECOND_NS, connected, &clients[i]);
        run(SECOND_NS / 10);
        env_stream_write(clients[i].stream, slice_make(hello, sizeof hello));
        run(SECOND_NS / 10);
    }
    ck_assert_int_eq(clients[0].ended_count, 1);
    ck_assert_int_eq(clients[1].ended_count, 0);
    ck_assert_uint_eq(server_tls->handshake_count, COUNT - 1);
    ck_assert_ptr_nonnull(strstr(log_text, ":49152: no handshake: too many others have begun"));
    run(15 * SECOND_NS); // Then the others have ended too.
    ck_assert_uint_eq(server_tls->handshake_count, 0);
    ck_assert_int_eq(clients[1].ended_count + clients[2].ended_count, 2);
    close_world();
}
END_TEST

START_TEST(of_many_failures_a_line_a_second_is_told)
{
    open_world(23, 0);
    open_server();
    sends_raw = true;
    static const uint8_t options[] = {4, 0, 0, 0, 5, 0, 0, 0, 0};
    for (int i = 0; i < 30; i++) {
        connect_client(0);
        run(SECOND_NS / 20);
        client.stays = true;
        env_stream_write(client.stream, slice_make(options, sizeof options));
        run(SECOND_NS / 20);
    }
    size_t lines = 0;
    for (const char *at = log_text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    ck_assert_uint_ge(lines, 3);
    ck_assert_uint_le(lines, 4);
    ck_assert_ptr_nonnull(strstr(log_text, " more before it)"));
    close_world();
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("tls_stream");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, bytes_arrive_whole_and_in_order_in_any_pieces);
    tcase_add_test(all, a_reset_at_any_time_ends_both_ends_once);
    tcase_add_test(all, a_paused_owner_gets_nothing_until_it_goes_on);
    tcase_add_test(all, much_for_a_slow_reader_is_queued_and_told_when_it_is_gone);
    tcase_add_test(all, whoever_stops_amid_a_handshake_is_closed_in_time);
    tcase_add_test(all, plain_bytes_are_told_and_closed);
    tcase_add_test(all, an_optional_server_passes_plain_bytes_on);
    tcase_add_test(all, what_was_changed_on_the_way_ends_the_connection);
    tcase_add_test(all, clients_need_a_certificate_where_it_is_wanted);
    tcase_add_test(all, certificates_between_ours_and_the_root_are_sent);
    tcase_add_test(all, a_client_knows_a_wrong_server);
    tcase_add_test(all, new_certificates_are_used_when_the_file_has_changed);
    tcase_add_test(all, what_can_not_be_used_is_said_with_what_to_do);
    tcase_add_test(all, of_too_many_handshakes_the_oldest_ends);
    tcase_add_test(all, of_many_failures_a_line_a_second_is_told);
    suite_add_tcase(suite, all);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
