#include "tests/fuzz/support/fuzz_member.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/container_of.h"
#include "base/cursor.h"
#include "node/members.h"
#include "node/node.h"
#include "ring/metadata/metadata.h"
#include "ring/paxos/paxos_state.h"
#include "ring/transport/transport_link.h"
#include "tests/fuzz/support/fuzz_node.h"

#include <stdio.h>
#include <stdlib.h>

enum { HELLO_SIZE = 24, FRAME_HEAD_SIZE = 21, FILES_MAX = 8, FILE_SIZE_MAX = 1 << 20 };

static const uint8_t hello[8] = {'H', 'L', 'N', 'S', 0, 2, 0, 0};

// ---- The directory ------------------------------------------------------------------------------

// What a ring of three that made ks has in DIR/metadata, at its first member.
struct kept_file {
    char path[128];
    struct buffer bytes;
};
static struct kept_file kept_files[FILES_MAX];
static size_t kept_count;

static struct topology *make_topology(void)
{
    struct member members[FUZZ_MEMBERS];
    struct token tokens[FUZZ_MEMBERS];
    for (uint8_t i = 0; i < FUZZ_MEMBERS; i++) {
        tokens[i].value = INT64_MIN / 2 + (int64_t)i * (INT64_MAX / 2);
        members[i] = (struct member){
            .address = {.bytes = {127, 0, 0, (uint8_t)(i + 1)}, .size = 4, .port = 7000},
            .data_center = "datacenter1",
            .rack = "rack1",
            .tokens = &tokens[i],
            .token_count = 1};
        members[i].rpc_address = members[i].address;
        members[i].rpc_address.port = 9042;
        members[i].host_id.bytes[0] = (uint8_t)(i + 1);
    }
    struct topology *topology;
    ASSERT(topology_make(members, FUZZ_MEMBERS, &topology, NULL) == STATUS_OK);
    return topology;
}

// One of three logs that agree on the schema.
struct log_maker {
    struct topology *topology;
    struct metadata *metadata;
    struct messaging *messaging;
};

static const struct topology *maker_topology(void *context)
{
    return ((struct log_maker *)context)->topology;
}

static uint64_t maker_number(void *context)
{
    return metadata_number(((struct log_maker *)context)->metadata);
}

static void maker_behind(void *context, uint16_t member, uint64_t number)
{
    metadata_catch_up(((struct log_maker *)context)->metadata, member, number);
}

static void maker_open(struct log_maker *maker, struct fuzz_sim *sim, uint16_t number)
{
    char directory[32];
    (void)snprintf(directory, sizeof directory, "/%u", number);
    const struct metadata_options options = {
        .directory = directory, .topology = maker->topology, .self = number};
    ASSERT(metadata_open(sim->env, &options, &maker->metadata, NULL) == STATUS_OK);
    const struct messaging_options messaging_options = {
        .listen = maker->topology->members[number].address,
        .self = number,
        .topology = maker_topology,
        .log_number = maker_number,
        .behind = maker_behind,
        .context = maker};
    ASSERT(messaging_create(sim->env, &messaging_options, &maker->messaging, NULL) == STATUS_OK);
    metadata_join(maker->metadata, maker->messaging, NULL);
}

struct maker_step {
    struct metadata_schema_change change;
    bool is_done;
};

static void step_done(struct metadata_schema_change *change, enum status status)
{
    ASSERT(status == STATUS_OK);
    CONTAINER_OF(change, struct maker_step, change)->is_done = true;
}

static void make_schema(struct metadata *metadata, struct fuzz_sim *sim)
{
    struct option items[] = {
        {slice_of_text("class"), slice_of_text("org.apache.cassandra.locator.SimpleStrategy")},
        {slice_of_text("replication_factor"), slice_of_text("3")}};
    const struct options replication = {items, 2};
    const struct keyspace *keyspace = keyspace_make(slice_of_text("ks"), &replication, true, false);
    struct maker_step step = {0};
    metadata_put_keyspace(metadata, &step.change, keyspace, step_done);
    fuzz_sim_run(sim, 60, &step.is_done);
    ASSERT(step.is_done);
    keyspace_unref(keyspace);
    for (size_t i = 0; i < fuzz_node_table_count(); i++) {
        step = (struct maker_step){0};
        metadata_put_table(metadata, &step.change, fuzz_node_table(i), step_done);
        fuzz_sim_run(sim, 60, &step.is_done);
        ASSERT(step.is_done);
    }
}

static void keep_file(void *context, const char *name, bool is_dir)
{
    struct fuzz_sim *sim = context;
    char path[128];
    if (is_dir) return;
    ASSERT(kept_count < FILES_MAX);
    struct kept_file *kept = &kept_files[kept_count++];
    (void)snprintf(path, sizeof path, "/0/%.64s", name);
    (void)snprintf(kept->path, sizeof kept->path, "/metadata/%.64s", name);
    struct env_file *file;
    uint64_t size;
    size_t read;
    ASSERT(env_file_open(sim->env, path, ENV_OPEN_READ, &file, NULL) == STATUS_OK);
    ASSERT(env_file_size(file, &size, NULL) == STATUS_OK && size <= FILE_SIZE_MAX);
    buffer_init(&kept->bytes, FILE_SIZE_MAX);
    uint8_t *bytes = buffer_reserve(&kept->bytes, size);
    ASSERT(env_file_read(file, 0, bytes, size, &read, NULL) == STATUS_OK && read == size);
    env_file_close(file);
}

static void set_true(void *context)
{
    *(bool *)context = true;
}

static void keep_files(struct topology *topology)
{
    struct fuzz_sim sim;
    struct log_maker makers[FUZZ_MEMBERS];
    (void)fuzz_node_table(0);
    fuzz_sim_open(&sim, 0);
    for (uint16_t i = 0; i < FUZZ_MEMBERS; i++) {
        makers[i] = (struct log_maker){.topology = topology};
        maker_open(&makers[i], &sim, i);
    }
    make_schema(makers[0].metadata, &sim);
    fuzz_sim_run(&sim, 1, NULL);
    for (uint16_t i = 0; i < FUZZ_MEMBERS; i++) {
        metadata_join(makers[i].metadata, NULL, NULL);
        messaging_close(makers[i].messaging);
    }
    for (uint16_t i = 0; i < FUZZ_MEMBERS; i++) {
        bool is_drained = false;
        metadata_drain(makers[i].metadata, set_true, &is_drained);
        fuzz_sim_run(&sim, 60, &is_drained);
        ASSERT(is_drained);
        metadata_close(makers[i].metadata);
    }
    ASSERT(env_list_dir(sim.env, "/0", keep_file, &sim, NULL) == STATUS_OK);
    fuzz_sim_run(&sim, 60, NULL);
    fuzz_sim_close(&sim);
}

// ---- The others' ears ---------------------------------------------------------------------------

// What one says who is well, knows nothing and agrees to all. None: an empty answer.
static struct slice good_answer(uint8_t verb, struct buffer *bytes)
{
    const struct paxos_proposal nothing = {.change = {(const uint8_t *)"", 0}};
    buffer_put_u8(bytes, STATUS_OK);
    if (verb == VERB_PING || verb == VERB_PING_REQUEST) {
        buffer_put_u64(bytes, 1); // Its incarnation.
        buffer_put_u8(bytes, 0);
    } else if (verb >= VERB_PAXOS_PREPARE && verb <= VERB_PAXOS_COMMIT) {
        buffer_put_u8(bytes, 1);
        paxos_state_put_ballot(bytes, nothing.ballot);
        if (verb != VERB_PAXOS_PREPARE) return buffer_slice(bytes);
        paxos_state_put_proposal(bytes, &nothing);
        paxos_state_put_proposal(bytes, &nothing);
    } else if (verb == VERB_INCREMENT) {
        buffer_put(bytes, "\0\1\1\3\0", 5);
    }
    return buffer_slice(bytes);
}

// A read that asks for a digest gets that of the data that another would get.
static struct slice digest_of(struct slice answer, struct slice request, struct buffer *bytes)
{
    struct cursor cursor = cursor_make(request);
    (void)cursor_vint(&cursor);
    bool wants_digest = (cursor_u8(&cursor) & 1) != 0;
    if (!wants_digest || answer.size < 2) return answer;
    uint8_t digest[CHECKSUM_XXH128_SIZE];
    checksum_xxh128(slice_make(answer.data + 1, answer.size - 1), digest);
    buffer_put_u8(bytes, answer.data[0]);
    buffer_put(bytes, digest, sizeof digest);
    return buffer_slice(bytes);
}

static void voice_answer(struct fuzz_voice *voice, uint8_t type, uint64_t id, struct slice request)
{
    static const uint8_t head[1] = {0}; // As one who knows nothing of the metadata log.
    if (type <= VERB_ANSWER || type >= VERB_COUNT) return;
    struct slice answer = voice->member->answers[type];
    struct buffer frame, good;
    buffer_init(&frame, 1 << 26);
    buffer_init(&good, 256);
    if (answer.size == 0)
        answer = good_answer(type, &good);
    else if (type == VERB_READ)
        answer = digest_of(answer, request, &good);
    transport_link_put_frame(&frame, VERB_ANSWER, id, slice_make(head, 1), answer);
    env_stream_write(voice->stream, buffer_slice(&frame));
    buffer_deinit(&frame);
    buffer_deinit(&good);
}

static void voice_data(void *context, struct slice bytes)
{
    struct fuzz_voice *voice = context;
    buffer_put(&voice->heard, bytes.data, bytes.size);
    struct cursor cursor = cursor_make(buffer_slice(&voice->heard));
    size_t done = 0;
    if (!voice->has_greeted && cursor_left(&cursor) >= HELLO_SIZE) {
        (void)cursor_take(&cursor, HELLO_SIZE);
        voice->has_greeted = true;
        done = HELLO_SIZE;
    }
    while (voice->has_greeted && cursor_left(&cursor) >= FRAME_HEAD_SIZE) {
        uint32_t size = cursor_u32(&cursor);
        uint8_t type = cursor_u8(&cursor);
        uint64_t id = cursor_u64(&cursor);
        (void)cursor_u64(&cursor);
        if (cursor_left(&cursor) < size) break;
        struct slice request = cursor_take(&cursor, size);
        done += FRAME_HEAD_SIZE + size;
        voice_answer(voice, type, id, request);
    }
    size_t left = voice->heard.size - done;
    memmove(voice->heard.data, voice->heard.data + done, left);
    buffer_truncate(&voice->heard, left);
}

static void voice_drained(void *context)
{
    (void)context;
}

static void voice_forget(struct fuzz_voice *voice)
{
    if (voice->stream != NULL) env_stream_close(voice->stream, false);
    voice->stream = NULL;
    voice->has_greeted = false;
    buffer_clear(&voice->heard);
}

static void voice_ended(void *context, enum status status)
{
    (void)status;
    voice_forget(context);
}

static void put_hello(struct buffer *wire, uint16_t number)
{
    buffer_put(wire, hello, sizeof hello);
    buffer_put(wire, (uint8_t[16]){number == MEMBER_NONE ? 0 : (uint8_t)(number + 1)}, 16);
}

static void voice_accepted(void *context, struct env_stream *stream)
{
    static const struct env_stream_events events = {voice_data, voice_drained, voice_ended};
    struct fuzz_voice *voice = context;
    voice_forget(voice);
    voice->stream = stream;
    env_stream_start(stream, &events, voice);
    struct buffer wire;
    buffer_init(&wire, HELLO_SIZE);
    put_hello(&wire, voice->number);
    env_stream_write(stream, buffer_slice(&wire));
    buffer_deinit(&wire);
}

static void voice_open(struct fuzz_member *member, uint16_t number)
{
    struct fuzz_voice *voice = &member->voices[number];
    const struct env_address address = {
        .bytes = {127, 0, 0, (uint8_t)(number + 1)}, .size = 4, .port = 7000};
    *voice = (struct fuzz_voice){.member = member, .number = number};
    buffer_init(&voice->heard, 1 << 26);
    ASSERT(env_listen(member->sim.env, &address, voice_accepted, voice, &voice->listener, NULL) ==
           STATUS_OK);
}

static void voice_hang_up(struct fuzz_voice *voice)
{
    if (voice->is_connected) fuzz_peer_close(&voice->peer);
    voice->is_connected = false;
}

// ---- The node -----------------------------------------------------------------------------------

void fuzz_member_prepare(struct fuzz_member *member)
{
    struct topology *topology = make_topology();
    if (kept_count == 0) keep_files(topology);
    *member = (struct fuzz_member){0};
    fuzz_sim_open(&member->sim, 0);
    config_set_defaults(&member->config);
    ASSERT(members_write(member->sim.env, "/", topology, 0, NULL) == STATUS_OK);
    topology_destroy(topology);
    ASSERT(env_make_dir(member->sim.env, "/metadata", NULL) == STATUS_OK);
    for (size_t i = 0; i < kept_count; i++)
        fuzz_sim_write(&member->sim, kept_files[i].path, buffer_slice(&kept_files[i].bytes));
    for (uint16_t i = 0; i < FUZZ_MEMBERS; i++) {
        if (i > 0) voice_open(member, i);
        member->voices[i].number = i == 0 ? MEMBER_NONE : i;
    }
}

void fuzz_member_start(struct fuzz_member *member)
{
    struct error error;
    enum status status = node_start(member->sim.env, "/", &member->config, &member->node, &error);
    if (status != STATUS_OK) printf("%s\n", error.text);
    ASSERT(status == STATUS_OK);
}

void fuzz_member_stop(struct fuzz_member *member)
{
    bool is_stopped = false;
    node_stop(member->node, set_true, &is_stopped);
    fuzz_sim_run(&member->sim, 600, &is_stopped);
    ASSERT(is_stopped);
    member->node = NULL;
    for (uint16_t i = 0; i < FUZZ_MEMBERS; i++)
        voice_hang_up(&member->voices[i]);
    if (member->has_client) fuzz_peer_close(&member->client);
    member->has_client = false;
}

void fuzz_member_end(struct fuzz_member *member)
{
    for (uint16_t i = 1; i < FUZZ_MEMBERS; i++) {
        env_listener_close(member->voices[i].listener);
        voice_forget(&member->voices[i]);
        buffer_deinit(&member->voices[i].heard);
    }
    fuzz_sim_run(&member->sim, 60, NULL);
    fuzz_sim_close(&member->sim);
}

// ---- What it is told ----------------------------------------------------------------------------

void fuzz_member_ask(struct fuzz_member *member, uint16_t from, uint8_t type, uint64_t id,
                     struct slice payload)
{
    struct fuzz_voice *voice = &member->voices[from == MEMBER_NONE ? 0 : from];
    struct buffer wire;
    buffer_init(&wire, 1 << 26);
    if (voice->is_connected && voice->peer.has_ended) voice_hang_up(voice);
    if (!voice->is_connected) {
        struct env_address address;
        ASSERT(env_address_parse(member->config.listen_address,
                                 (uint16_t)member->config.storage_port, &address) == STATUS_OK);
        fuzz_peer_connect(&voice->peer, &member->sim, address);
        voice->is_connected = true;
        put_hello(&wire, from);
    }
    transport_link_put_frame(&wire, type, id, slice_make("", 0), payload);
    fuzz_peer_send(&voice->peer, buffer_slice(&wire));
    buffer_deinit(&wire);
}

void fuzz_member_request(struct fuzz_member *member, uint16_t from, enum verb verb, uint64_t id,
                         struct slice body)
{
    struct buffer payload;
    buffer_init(&payload, 1 << 26);
    buffer_put_vint(&payload, 0); // As one who knows nothing of the metadata log.
    buffer_put(&payload, body.data, body.size);
    fuzz_member_ask(member, from, (uint8_t)verb, id, buffer_slice(&payload));
    buffer_deinit(&payload);
}

static void put_envelope(struct buffer *wire, uint8_t opcode, struct slice body)
{
    buffer_put(wire, (const uint8_t[]){4, 0, 0, opcode, opcode}, 5);
    buffer_put_u32(wire, (uint32_t)body.size);
    buffer_put(wire, body.data, body.size);
}

bool fuzz_member_query(struct fuzz_member *member, uint16_t consistency, struct slice text)
{
    static const uint8_t startup[] = "\0\1\0\13CQL_VERSION\0\0053.4.7";
    struct env_address address;
    struct buffer wire, body;
    if (!node_is_ready(member->node)) return false;
    buffer_init(&wire, 1 << 26);
    buffer_init(&body, 1 << 26);
    if (member->has_client && member->client.has_ended) {
        fuzz_peer_close(&member->client);
        member->has_client = false;
    }
    if (!member->has_client) {
        ASSERT(env_address_parse(member->config.listen_address,
                                 (uint16_t)member->config.native_transport_port,
                                 &address) == STATUS_OK);
        fuzz_peer_connect(&member->client, &member->sim, address);
        member->has_client = true;
        put_envelope(&wire, 1, slice_make(startup, sizeof startup - 1));
    }
    buffer_put_u32(&body, (uint32_t)text.size);
    buffer_put(&body, text.data, text.size);
    buffer_put_u16(&body, consistency);
    buffer_put_u8(&body, 0);
    put_envelope(&wire, 7, buffer_slice(&body));
    fuzz_peer_send(&member->client, buffer_slice(&wire));
    buffer_deinit(&body);
    buffer_deinit(&wire);
    return true;
}
