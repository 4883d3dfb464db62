// Writes first inputs that only this program can make: tests/fuzz/make_corpus calls it with the
// folder of the corpus.
//
// They come from a node in a simulated world that was given some statements and jobs: its commit
// log, metadata, manifests and SSTables, and the messages of a worker.
#include "base/assert.h"
#include "ring/coordinator/read_encoder.h"
#include "ring/coordinator/read_request.h"
#include "ring/coordinator/replica_increment.h"
#include "ring/metadata/metadata_state.h"
#include "ring/paxos/paxos_internal.h"
#include "storage/commit_log/commit_log_format.h"
#include "storage/engine/engine_internal.h"
#include "storage/engine/manifest.h"
#include "storage/memtable/memtable.h"
#include "storage/merge/merge.h"
#include "storage/schema/schema_codec.h"
#include "storage/sstable/statistics.h"
#include "storage/sstable/statistics_change.h"
#include "stream/job/job_protocol.h"
#include "tests/fuzz/support/fuzz_node.h"
#include "tests/fuzz/support/fuzz_sstable.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILE_SIZE_MAX = 1 << 20, SEED_SIZE_MAX = 32 * 1024 };

static const char *folder;

static void write_seed(const char *target, const char *name, int number, const struct buffer *bytes)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s/seed-%s-%d", folder, target, name, number);
    FILE *file = fopen(path, "wb");
    ASSERT(file != NULL);
    ASSERT(fwrite(bytes->data, 1, bytes->size, file) == bytes->size);
    ASSERT(fclose(file) == 0);
}

static struct slice read_file(struct env *env, const char *path)
{
    static uint8_t bytes[FILE_SIZE_MAX];
    struct env_file *file;
    if (env_file_open(env, path, ENV_OPEN_READ, &file, NULL) != STATUS_OK) return slice_null();
    size_t size;
    ASSERT(env_file_read(file, 0, bytes, sizeof bytes, &size, NULL) == STATUS_OK);
    env_file_close(file);
    return slice_make(bytes, size);
}

// ---- What members say ---------------------------------------------------------------------------

// A step of the target `member`: u8 what | u16 size | bytes. The bytes are emptied.
static void put_step(struct buffer *seed, uint8_t what, struct buffer *bytes)
{
    buffer_put_u8(seed, what);
    buffer_put_u16(seed, (uint16_t)bytes->size);
    buffer_put(seed, bytes->data, bytes->size);
    buffer_clear(bytes);
}

static void put_request(struct buffer *seed, enum verb verb, struct buffer *body)
{
    put_step(seed, (uint8_t)(verb - VERB_RING), body);
}

// A query that finds the answer `answer` to requests of `verb`.
static void put_query(struct buffer *seed, enum verb verb, struct buffer *answer, const char *text)
{
    struct buffer step;
    buffer_init(&step, SEED_SIZE_MAX);
    buffer_put_u8(&step, (uint8_t)verb);
    buffer_put_u8(&step, STATUS_OK);
    buffer_put(&step, answer->data, answer->size);
    put_step(seed, 25, &step);
    buffer_put_u8(&step, CONSISTENCY_QUORUM);
    buffer_put(&step, text, strlen(text));
    put_step(seed, 26, &step);
    buffer_clear(answer);
    buffer_deinit(&step);
}

static void put_proposal(struct buffer *body, int64_t time_us, struct slice record)
{
    struct buffer change;
    buffer_init(&change, SEED_SIZE_MAX);
    if (record.size > 0) buffer_put_vint_bytes(&change, record);
    const struct ballot ballot = {time_us, 1};
    const struct paxos_proposal proposal = {ballot, ballot, buffer_slice(&change)};
    paxos_state_put_proposal(body, &proposal);
    buffer_deinit(&change);
}

// PREPARE, PROPOSE and COMMIT of the record; then one of our own that finds it proposed.
static void write_paxos(const struct table *table, struct slice record, int count)
{
    const int64_t ballot_us = 1700000000000000;
    struct arena arena;
    struct mutation mutation;
    struct buffer seed, body;
    arena_init(&arena, 4096);
    buffer_init(&seed, SEED_SIZE_MAX);
    buffer_init(&body, SEED_SIZE_MAX);
    ASSERT(mutation_decode(slice_make(record.data + 1, record.size - 1), table, &arena, &mutation,
                           NULL) == STATUS_OK);
    for (int verb = VERB_PAXOS_PREPARE; verb <= VERB_PAXOS_COMMIT; verb++) {
        uuid_put(&body, table->id);
        buffer_put_vint_bytes(&body, mutation.key.bytes);
        put_proposal(&body, ballot_us + count,
                     verb == VERB_PAXOS_PREPARE ? slice_make("", 0) : record);
        put_request(&seed, (enum verb)verb, &body);
    }
    write_seed("member", "paxos", count, &seed);
    buffer_put_u8(&body, 1);
    paxos_state_put_ballot(&body, (struct ballot){0});
    put_proposal(&body, ballot_us + count, record);
    put_proposal(&body, 0, slice_make("", 0));
    put_query(&seed, VERB_PAXOS_PREPARE, &body, "UPDATE ks.t SET v = 'b' WHERE k = 1 IF v = 'a'");
    write_seed("member", "if", count, &seed);
    buffer_deinit(&body);
    buffer_deinit(&seed);
    arena_deinit(&arena);
}

// The record as a write, a hint and a logged batch that is not removed; and as a file of hints.
static void write_member(struct slice record, int count)
{
    static const uint8_t batch[16] = {7};
    struct buffer seed, body;
    buffer_init(&seed, SEED_SIZE_MAX);
    buffer_init(&body, SEED_SIZE_MAX);
    buffer_put_vint_bytes(&body, record);
    put_request(&seed, VERB_WRITE, &body);
    buffer_put_u64(&body, INT64_MAX);
    buffer_put_vint_bytes(&body, record);
    put_request(&seed, VERB_HINT, &body);
    buffer_put(&body, batch, sizeof batch);
    buffer_put_u64(&body, 1700000000000000);
    buffer_put_vint_bytes(&body, record);
    put_request(&seed, VERB_BATCH_STORE, &body);
    if (count % 2 == 0) {
        buffer_put(&body, batch, sizeof batch);
        put_request(&seed, VERB_BATCH_REMOVE, &body);
    }
    write_seed("member", "write", count, &seed);
    buffer_clear(&seed);
    buffer_put(&seed, "\2\0\0", 3);
    buffer_put_u16(&seed, (uint16_t)record.size);
    buffer_put(&seed, record.data, record.size);
    buffer_put(&seed, count % 2 == 0 ? "\3\3" : "\3\0", 2);
    write_seed("hint", "file", count, &seed);
    buffer_deinit(&body);
    buffer_deinit(&seed);
}

static void write_truncations(void)
{
    struct buffer seed, body;
    buffer_init(&seed, SEED_SIZE_MAX);
    buffer_init(&body, SEED_SIZE_MAX);
    for (size_t i = 0; i < fuzz_node_table_count(); i++) {
        const struct uuid id = fuzz_node_table(i)->id;
        buffer_put(&body, id.bytes, sizeof id.bytes);
        buffer_put_u64(&body, 1700000000000000);
        put_request(&seed, VERB_TRUNCATE, &body);
        write_seed("member", "truncate", (int)i, &seed);
    }
    buffer_clear(&seed);
    buffer_put(&seed, "\1\10HLNSTRUC\1\30", 12);
    uuid_put(&seed, fuzz_node_table(0)->id);
    buffer_put_u64(&seed, 5);
    buffer_put_u8(&seed, 4);
    write_seed("hint", "truncations", 0, &seed);
    buffer_deinit(&body);
    buffer_deinit(&seed);
}

// ---- The node's files ---------------------------------------------------------------------------

// Records and increments as members send them.
static void write_replica(struct slice record, int count)
{
    struct buffer seed;
    buffer_init(&seed, SEED_SIZE_MAX);
    buffer_put_u8(&seed, 0);
    buffer_put(&seed, record.data, record.size);
    if (!seed.overflow) write_seed("replica", "record", count, &seed);
    buffer_deinit(&seed);
}

static void write_increment(void)
{
    const struct table *table = NULL;
    for (size_t i = 0; i < fuzz_node_table_count() && table == NULL; i++)
        if (fuzz_node_table(i)->is_counter) table = fuzz_node_table(i);
    struct slice value = slice_of_text("b");
    struct clustering clustering = {1, &value};
    struct counter_increment increments[2] = {{&clustering, 0, 5}, {&clustering, 1, -1}};
    struct counter_update update = {.table = table,
                                    .key = partition_key_make(slice_of_text("a")),
                                    .increments = increments,
                                    .increment_count = 2,
                                    .timestamp_us = 1000};
    struct buffer seed;
    buffer_init(&seed, SEED_SIZE_MAX);
    buffer_put_u8(&seed, 1);
    replica_increment_encode(&update, CONSISTENCY_QUORUM, &seed);
    write_seed("replica", "increment", 0, &seed);
    struct buffer step;
    buffer_init(&step, SEED_SIZE_MAX);
    buffer_put_u64(&step, 1714521600000000); // Its name.
    buffer_put_vint(&step, 1);
    replica_increment_encode(&update, CONSISTENCY_QUORUM, &step);
    buffer_clear(&seed);
    put_request(&seed, VERB_INCREMENT, &step);
    write_seed("member", "increment", 0, &seed);
    buffer_deinit(&step);
    buffer_deinit(&seed);
}

// What a replica that has this mutation alone is asked and answers: twice the same.
static void write_read(uint8_t number, struct slice bytes, int count)
{
    const struct table *table = fuzz_node_table(number);
    const struct clustering_range all = CLUSTERING_RANGE_ALL;
    struct read_request request = {.table = table->id,
                                   .layout_hash = table->layout_hash,
                                   .is_scan = count % 2 == 0,
                                   .row_max = 10,
                                   .range = SCAN_RANGE_ALL,
                                   .filter = {&all, 1, count % 3 == 0, true}};
    struct arena arena;
    struct buffer seed, answer;
    arena_init(&arena, 4096);
    buffer_init(&seed, SEED_SIZE_MAX);
    buffer_init(&answer, SEED_SIZE_MAX);
    struct mutation mutation;
    ASSERT(mutation_decode(bytes, table, &arena, &mutation, NULL) == STATUS_OK);
    request.key = mutation.key;
    buffer_put_u8(&seed, number);
    read_request_put(&request, &seed);
    write_seed("read_request", "log", count, &seed);
    struct memtable *memtable = memtable_create(table);
    memtable_apply(memtable, &mutation, 1);
    struct scan_iterator *scan =
        memtable_scan(memtable, table, &request.range, &request.filter, &arena, NULL);
    scan = merge_scans(&scan, 1, request.filter.reversed, &arena);
    struct read_encoder encoder;
    read_encoder_init(&encoder, &answer, table, 0, 0);
    ASSERT(read_encoder_put_scan(&encoder, scan, false) == STATUS_OK);
    scan_iterator_close(scan);
    memtable_unref(memtable);
    buffer_clear(&seed);
    buffer_put_u8(&seed, number);
    buffer_put_u8(&seed, request.filter.reversed);
    buffer_put_u16(&seed, (uint16_t)answer.size);
    buffer_put(&seed, answer.data, answer.size);
    buffer_put(&seed, answer.data, answer.size);
    write_seed("read_answer", "log", count, &seed);
    struct buffer step;
    buffer_init(&step, SEED_SIZE_MAX);
    buffer_clear(&seed);
    buffer_put_vint(&step, bytes.size + 1); // The record: its kind, and the mutation.
    buffer_put_u8(&step, ENGINE_RECORD_MUTATION);
    buffer_put(&step, bytes.data, bytes.size);
    put_request(&seed, VERB_WRITE, &step);
    put_step(&seed, 28, &step);
    read_request_put(&request, &step);
    put_request(&seed, VERB_READ, &step);
    char text[128];
    (void)snprintf(text, sizeof text, "SELECT * FROM ks.%.*s", (int)table->name.size,
                   (const char *)table->name.data);
    put_query(&seed, VERB_READ, &answer, text);
    buffer_put_u8(&step, CONSISTENCY_QUORUM);
    buffer_put_format(&step, "UPDATE ks.t SET v = 'b' WHERE k = 1 IF v = 'a'");
    put_step(&seed, 26, &step);
    write_seed("member", "read", count, &seed);
    buffer_deinit(&step);
    buffer_deinit(&seed);
    buffer_deinit(&answer);
    arena_deinit(&arena);
}

// Each record is a mutation too: u8 kind | mutation.
static void write_log(struct fuzz_node *node)
{
    struct slice file = read_file(node->sim.env, "/commitlog/CommitLog-1.log");
    ASSERT(file.size > 0);
    struct buffer log, mutation;
    buffer_init(&log, SEED_SIZE_MAX);
    buffer_init(&mutation, SEED_SIZE_MAX);
    struct commit_log_record record;
    int count = 0;
    for (uint64_t at = 0; commit_log_format_get(file, 1, at, &record); at += record.size) {
        if (record.kind != COMMIT_LOG_RECORD) continue;
        buffer_put_u8(&log, 0);
        buffer_put_u8(&log, (uint8_t)(count % 3));
        buffer_put_u8(&log, 1);
        buffer_put_u16(&log, (uint16_t)record.bytes.size);
        buffer_put(&log, record.bytes.data, record.bytes.size);
        write_replica(record.bytes, count);
        write_member(record.bytes, count);
        for (size_t i = 0; i < fuzz_node_table_count(); i++) {
            struct uuid id;
            struct slice bytes = slice_make(record.bytes.data + 1, record.bytes.size - 1);
            if (mutation_decode_table_id(bytes, &id) != STATUS_OK ||
                memcmp(&id, &fuzz_node_table(i)->id, sizeof id) != 0)
                continue;
            buffer_clear(&mutation);
            buffer_put_u8(&mutation, (uint8_t)i);
            buffer_put(&mutation, bytes.data, bytes.size);
            write_seed("mutation", "log", count, &mutation);
            write_read((uint8_t)i, bytes, count);
            if (!fuzz_node_table(i)->is_counter)
                write_paxos(fuzz_node_table(i), record.bytes, count);
        }
        if (++count % 5 == 0) {
            write_seed("commit_log", "log", count, &log);
            buffer_clear(&log);
        }
    }
    buffer_deinit(&mutation);
    buffer_deinit(&log);
}

static void write_metadata(struct fuzz_node *node)
{
    struct slice file = read_file(node->sim.env, "/metadata/log-0");
    struct buffer seed;
    buffer_init(&seed, SEED_SIZE_MAX);
    buffer_put_u8(&seed, 0);
    buffer_put(&seed, file.data, file.size);
    write_seed("metadata", "file", 0, &seed);
    buffer_clear(&seed);
    buffer_put_u8(&seed, 1);
    buffer_put_u16(&seed, 0);
    struct cursor cursor = cursor_make(file);
    (void)cursor_take(&cursor, 28);
    while (cursor_left(&cursor) >= 28) {
        uint32_t size = cursor_u32(&cursor);
        (void)cursor_take(&cursor, 24);
        struct slice record = cursor_take(&cursor, size);
        buffer_put_u8(&seed, 1);
        buffer_put_u16(&seed, (uint16_t)record.size);
        buffer_put(&seed, record.data, record.size);
        write_seed("metadata", "records", (int)seed.size, &seed);
    }
    buffer_deinit(&seed);
}

// Changes of roles as records, and then the state that they make.
static void write_roles(void)
{
    static const struct {
        enum role_change_kind kind;
        const char *role, *other;
    } changes[] = {
        {ROLE_CREATE, "a", "cassandra"}, {ROLE_CREATE, "b", "a"},       {ROLE_GRANT, "a", "b"},
        {ROLE_PERMIT, "a", "data/ks/t"}, {ROLE_ADD_IDENTITY, "a", "x"}, {ROLE_ALTER, "b", ""},
        {ROLE_FORBID, "a", "data/ks/t"}, {ROLE_REVOKE, "a", "b"},       {ROLE_DROP, "b", ""},
    };
    struct roles *roles = roles_create();
    struct buffer seed, record, state;
    buffer_init(&seed, SEED_SIZE_MAX);
    buffer_init(&record, SEED_SIZE_MAX);
    buffer_init(&state, SEED_SIZE_MAX);
    buffer_put_u8(&seed, 1);
    buffer_put_u16(&seed, 0);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        const struct role_change change = {.kind = changes[i].kind,
                                           .role = slice_of_text(changes[i].role),
                                           .other = slice_of_text(changes[i].other),
                                           .has_login = true,
                                           .hash = slice_of_text("hash"),
                                           .permissions = ROLE_MAY_ALL};
        buffer_clear(&record);
        buffer_put_u8(&record, RECORD_CHANGE_ROLE);
        roles_put_change(&record, &change);
        struct cursor cursor = cursor_make(slice_make(record.data + 1, record.size - 1));
        ASSERT(roles_apply(roles, &cursor) == STATUS_OK);
        buffer_put_u8(&seed, 1);
        buffer_put_u16(&seed, (uint16_t)record.size);
        buffer_put(&seed, record.data, record.size);
        if (i == 4) {
            struct jobs *jobs = jobs_create();
            buffer_put_u64(&state, 0);
            buffer_put_vint(&state, 0);
            jobs_put_all(&state, jobs);
            roles_put_all(&state, roles);
            jobs_destroy(jobs);
        }
    }
    write_seed("metadata", "role_records", 0, &seed);
    buffer_clear(&seed);
    buffer_put_u8(&seed, 3);
    buffer_put_u16(&seed, (uint16_t)state.size);
    buffer_put(&seed, state.data, state.size);
    write_seed("metadata", "role_state", 0, &seed);
    buffer_deinit(&seed);
    buffer_deinit(&record);
    buffer_deinit(&state);
    roles_destroy(roles);
}

static void write_manifest(void *context, const char *name, bool is_dir)
{
    struct fuzz_node *node = context;
    char path[128];
    static int number;
    (void)snprintf(path, sizeof path, "/manifest/%.64s", name);
    if (is_dir) return;
    struct slice file = read_file(node->sim.env, path);
    struct buffer seed;
    buffer_init(&seed, SEED_SIZE_MAX);
    if (file.size > 8) buffer_put(&seed, file.data, file.size - 8);
    write_seed("manifest", "node", number++, &seed);
    buffer_deinit(&seed);
}

// Of so many keys that their count is no list any more.
static void write_statistics(void)
{
    struct statistics_collector *collector = malloc(sizeof *collector);
    ASSERT(collector != NULL);
    const struct fuzz_sstable *base = fuzz_sstable_at(0);
    statistics_collector_init(collector, base->table);
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t key[4];
        bytes_put_u32(key, i);
        statistics_add_partition(collector, slice_make(key, 4), i, 1);
        statistics_add_local_time(collector, (int32_t)(1500000000 + 3600 * (i % 90)));
    }
    struct arena arena;
    struct header header;
    struct sstable_content content = {.min_timestamp = 0};
    struct buffer seed, file;
    arena_init(&arena, 4096);
    buffer_init(&seed, 1 << 20);
    buffer_init(&file, 1 << 20);
    header_make(&header, base->table, &content, &arena);
    statistics_encode(collector, &header, 0.01, &file);
    buffer_put_u8(&seed, 0); // As nb.
    buffer_put(&seed, file.data, file.size);
    write_seed("sstable_parts", "keys", 0, &seed);
    buffer_deinit(&file);
    buffer_deinit(&seed);
    arena_deinit(&arena);
    statistics_collector_deinit(collector);
    free(collector);
}

static void write_way(size_t table, uint8_t flags, uint8_t ways, uint8_t fault, uint8_t countdown)
{
    static int count;
    struct buffer seed;
    buffer_init(&seed, SEED_SIZE_MAX);
    buffer_put_u8(&seed, (uint8_t)table);
    buffer_put_u8(&seed, 128 | flags);
    buffer_put_u8(&seed, ways);
    buffer_put_u8(&seed, fault);
    buffer_put_u8(&seed, countdown);
    // A patch of Data.db's rows, if it is not compressed.
    if (fault == 0 && (ways & 1) != 0) buffer_put(&seed, "\xc0\0\0\x30\2\1\2", 7);
    write_seed("sstable", "way", ++count, &seed);
    buffer_deinit(&seed);
}

// Every table in many ways, and every fault at many places.
static void write_sstable_ways(void)
{
    static const uint8_t ways[] = {1,  4,     1 | 4 | 128, 4 | 32, 64,     64 | 8 | 32, 64 | 128,
                                   65, 2 | 8, 2 | 16,      32,     1 | 36, 0,           2 | 4};
    for (size_t i = 0; i < fuzz_sstable_count(); i++)
        for (size_t w = 0; w < sizeof ways; w++)
            write_way(i, (uint8_t)(1 | (w % 3) << 1 | ((i + w) % 2) << 4), ways[w], 0, w % 2);
    for (uint8_t fault = 1; fault < FUZZ_FAULT_COUNT; fault++)
        for (uint8_t countdown = 1; countdown <= 40; countdown++)
            write_way(countdown % 2 * 4, countdown % 8, countdown % 2 == 0 ? 4 : 64, fault,
                      countdown);
}

// Imported from a level, and repaired: its Statistics.db is to be changed.
static void write_leveled(void)
{
    struct buffer seed;
    buffer_init(&seed, 1 << 20);
    for (size_t i = 0; i < fuzz_sstable_count(); i++) {
        const struct fuzz_sstable *base = fuzz_sstable_at(i);
        struct slice file = base->files[SSTABLE_STATISTICS];
        buffer_clear(&seed);
        buffer_put(&seed, (const uint8_t[]){(uint8_t)i, 128, 64, 0, 0, SSTABLE_STATISTICS}, 6);
        buffer_put_u16(&seed, (uint16_t)file.size);
        buffer_put(&seed, file.data, file.size);
        ASSERT(statistics_change(seed.data + 8, file.size, base->name.version, 3, 1600000000000,
                                 NULL) == STATUS_OK);
        write_seed("sstable", "leveled", (int)i, &seed);
    }
    buffer_deinit(&seed);
}

// One whole component each, and one patch.
static void write_sstables(void)
{
    struct buffer seed;
    buffer_init(&seed, 1 << 20);
    for (size_t i = 0; i < fuzz_sstable_count(); i++) {
        for (int c = 0; c < SSTABLE_COMPONENT_COUNT; c++) {
            struct slice file = fuzz_sstable_at(i)->files[c];
            buffer_clear(&seed);
            buffer_put_u8(&seed, (uint8_t)i);
            uint8_t flags = (uint8_t)(1 + c % 3 + (i % 2) * 4 + (unsigned)(c % 2) * 16);
            buffer_put_u8(&seed, flags);
            buffer_put_u8(&seed, (uint8_t)(0x80 | c));
            buffer_put_u16(&seed, 16);
            buffer_put_u8(&seed, 2);
            buffer_put(&seed, "\1\2", 2);
            write_seed("sstable", "patch", (int)i * 10 + c, &seed);
            seed.data[1] = 8; // Another manifest.
            write_seed("sstable", "other", (int)i * 10 + c, &seed);
            seed.data[1] = flags;
            if (file.size == 0 || file.size > SEED_SIZE_MAX) continue;
            buffer_truncate(&seed, 2);
            buffer_put_u8(&seed, (uint8_t)c);
            buffer_put_u16(&seed, (uint16_t)file.size);
            buffer_put(&seed, file.data, file.size);
            write_seed("sstable", "file", (int)i * 10 + c, &seed);
        }
    }
    buffer_deinit(&seed);
}

// ---- A worker's messages ------------------------------------------------------------------------

// For job_protocol (which | bytes), and after one another for job_service.
struct messages {
    struct buffer wire, one;
};

static void add_message(struct messages *messages, uint8_t which, uint8_t type)
{
    struct buffer seed;
    buffer_init(&seed, SEED_SIZE_MAX);
    buffer_put_u8(&seed, which);
    buffer_put(&seed, messages->one.data, messages->one.size);
    static int count;
    write_seed("job_protocol", "message", ++count, &seed);
    buffer_deinit(&seed);
    buffer_put_u8(&messages->wire, type);
    buffer_put_u8(&messages->wire, type);
    buffer_put_u16(&messages->wire, (uint16_t)messages->one.size);
    buffer_put(&messages->wire, messages->one.data, messages->one.size);
    write_seed("job_service", "messages", count, &messages->wire);
    buffer_clear(&messages->one);
}

static void write_messages(void)
{
    struct messages messages;
    buffer_init(&messages.wire, SEED_SIZE_MAX);
    buffer_init(&messages.one, SEED_SIZE_MAX);
    static struct job_submission submission;
    submission = (struct job_submission){.id = {{7}},
                                         .name = slice_of_text("job"),
                                         .code_hash = 1,
                                         .source_count = 1,
                                         .source_hash = 2,
                                         .target_count = 1};
    struct job_target *target = &submission.targets[0];
    *target =
        (struct job_target){.keyspace = slice_of_text("ks"),
                            .table = slice_of_text("counters"),
                            .columns = {slice_of_text("a"), slice_of_text("b"), slice_of_text("n")},
                            .column_count = 3};
    job_put_submission(&messages.one, &submission);
    add_message(&messages, 0, JOB_SUBMIT);
    submission.id = (struct uuid){{8}};
    submission.name = slice_of_text("scripted");
    const struct job_script script = {.file_name = slice_of_text("a.lua"),
                                      .text = slice_of_text("print(1)"),
                                      .directory = slice_of_text("/"),
                                      .arguments = slice_of_text("\1a"),
                                      .batch_size = 1};
    submission.script = &script;
    job_put_submission(&messages.one, &submission);
    add_message(&messages, 0, JOB_SUBMIT);
    submission.id = (struct uuid){{7}};
    const struct uuid job = submission.id; // Which job it means (job_service_fuzz.c).
    struct job_batch batch = {.number = 1, .timestamp_us = 1600000000000000, .offsets = {{0, 10}}};
    struct buffer bare;
    buffer_init(&bare, SEED_SIZE_MAX);
    job_put_batch(&bare, &batch, 1);
    uuid_put(&messages.one, job);
    buffer_put(&messages.one, bare.data, bare.size);
    buffer_put_vint(&messages.one, 0);
    buffer_put_u64(&messages.one, 0);
    buffer_put_vint(&messages.one, 2);
    add_message(&messages, 1, JOB_BATCH);
    buffer_clear(&bare);
    buffer_put_vint_bytes(&bare, slice_of_text("\5\1\1a\1b"));
    buffer_put_signed_vint(&bare, 5);
    const struct job_part part = {.job = job, .number = 1, .cut = 1, .cells = buffer_slice(&bare)};
    job_put_part(&messages.one, &part);
    add_message(&messages, 3, JOB_PART);
    struct job_task task = {
        .job = job, .number = 1, .cut = 1, .timestamp_us = batch.timestamp_us, .part_count = 1};
    job_put_task(&messages.one, &task);
    job_put_targets(&messages.one, submission.targets, 1);
    add_message(&messages, 2, JOB_TASK);
    // Two intervals, the first of which goes round the end of the ring.
    uint8_t ranges[2 * JOB_RANGE_SIZE] = {[0] = 0x40, [8] = 0x80, [17] = 1, [24] = 0x20};
    task.ranges = slice_make(ranges, sizeof ranges);
    job_put_task(&messages.one, &task);
    job_put_targets(&messages.one, submission.targets, 1);
    add_message(&messages, 2, JOB_TASK);
    uuid_put(&messages.one, job);
    buffer_put_vint(&messages.one, 1);
    buffer_put_u64(&messages.one, 0); // The total, and the hash of the sums.
    buffer_put_u64(&messages.one, 0);
    buffer_put_u8(&messages.one, JOB_OPEN);
    add_message(&messages, 4, JOB_DONE);
    uuid_put(&messages.one, job);
    add_message(&messages, 6, JOB_FETCH);
    add_message(&messages, 6, JOB_RING);
    for (int type = JOB_LIST; type <= JOB_AUDIT; type++) {
        if (type == JOB_FETCH || type == JOB_RING) continue;
        buffer_put_vint_bytes(&messages.one, slice_of_text(type == JOB_LIST ? "" : "job"));
        add_message(&messages, 6, (uint8_t)type);
    }
    job_put_answer(&messages.one, STATUS_INVALID, "no such table");
    add_message(&messages, 5, JOB_ANSWER);
    buffer_deinit(&bare);
    buffer_deinit(&messages.one);
    buffer_deinit(&messages.wire);
}

int main(int argc, char **argv)
{
    if (argc != 2) return EXIT_FAILURE;
    folder = argv[1];
    write_sstables();
    write_sstable_ways();
    write_leveled();
    write_statistics();
    struct fuzz_node node;
    fuzz_node_open(&node, 0);
    static const char *const statements[] = {
        "INSERT INTO ks.t (k, v) VALUES (1, 'a')",
        "INSERT INTO ks.w (k, c, d, s, v, n) VALUES ('a', 1, 'x', 's', 'v', 5)",
        "DELETE FROM ks.w WHERE k = 'a' AND c > 5 AND c < 9",
        "DELETE FROM ks.w WHERE k = 'b'",
        "UPDATE ks.counters SET n = n + 5, m = m - 1 WHERE a = 'a' AND b = 'ALL'",
        "INSERT INTO ks.collections (k, c, l, s, m, f, t, g) VALUES (1, 1, ['a'], {1}, {'a': 1}, "
        "[1], (1, 'x'), {'a': [1]})",
        "UPDATE ks.collections SET l = l + ['c'], m['b'] = 2, s = s - {1} WHERE k = 1 AND c = 2",
        "INSERT INTO ks.types (a, b, c1, c2, x1, x6, x8, x10, x15, x16) VALUES (1, 'a', 0, "
        "00000000-0000-0000-0000-000000000000, 'x', 1.5, 1d, '::1', 6, [1, 2])",
        "INSERT INTO ks.t (k, v) VALUES (2, 'ttl') USING TTL 100",
        "DELETE v FROM ks.t WHERE k = 1",
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        fuzz_node_run(&node, statements[i]);
    write_log(&node);
    write_increment();
    write_truncations();
    write_metadata(&node);
    write_roles();
    fuzz_node_flush(&node);
    ASSERT(env_list_dir(node.sim.env, "/manifest", write_manifest, &node, NULL) == STATUS_OK);
    fuzz_node_close(&node);
    write_messages();
    return EXIT_SUCCESS;
}
