#include "node/admin.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "cql/system/system_tables.h"
#include "node/admin_internal.h"
#include "storage/partition_key.h"
#include "storage/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_COLUMNS_MAX = 64 };

#define NS_PER_MS      UINT64_C(1000000)
#define AWAIT_MS_MAX   60000u
#define MAX_TOKEN_SPAN 18446744073709551616.0 // 2^64

// ---- Answers ------------------------------------------------------------------------------------

void admin_answer(struct admin *admin, struct message_origin origin, enum status status,
                  struct slice body)
{
    messaging_answer(admin->options.messaging, origin, status, body);
}

void admin_answer_text(struct admin *admin, struct message_origin origin, enum status status,
                       const char *text)
{
    admin_answer(admin, origin, status, slice_of_text(text));
}

struct admin_op *admin_op_begin(struct admin *admin, enum admin_kind kind,
                                struct message_origin origin)
{
    for (size_t i = 0; i < ADMIN_OPS_MAX; i++) {
        struct admin_op *op = &admin->ops[i];
        if (op->kind != 0) continue;
        *op = (struct admin_op){.admin = admin, .kind = kind, .origin = origin};
        return op;
    }
    admin_answer_text(admin, origin, STATUS_OVERLOADED, "too many tools ask this node at once");
    return NULL;
}

void admin_op_end(struct admin_op *op, enum status status, struct slice body)
{
    struct admin *admin = op->admin;
    env_timer_stop(admin->env, &op->timer);
    if (!admin->left) admin_answer(admin, op->origin, status, body);
    free(op->members);
    free(op->work);
    op->members = NULL;
    op->work = NULL;
    op->kind = 0;
}

void admin_op_end_text(struct admin_op *op, enum status status, const char *text)
{
    admin_op_end(op, status, slice_of_text(text));
}

// ---- info ---------------------------------------------------------------------------------------

static const struct topology *topology_of(const struct admin *admin)
{
    return admin->options.topology(admin->options.context);
}

static enum admin_member_state state_of(const struct admin *admin, uint16_t member)
{
    if (member == admin->options.self) return ADMIN_MEMBER_UP;
    if (!admin->listens) return ADMIN_MEMBER_UNKNOWN;
    uint64_t since_ns;
    const char *text = liveness_state_text(admin->options.liveness, member, &since_ns);
    if (strcmp(text, "up") == 0) return ADMIN_MEMBER_UP;
    if (strcmp(text, "suspect") == 0) return ADMIN_MEMBER_SUSPECT;
    if (strcmp(text, "down") == 0) return ADMIN_MEMBER_DOWN;
    return ADMIN_MEMBER_UNKNOWN;
}

// The part of the ring between a place's token and the one before it.
static double part_of_place(const struct topology *topology, size_t place)
{
    if (topology->place_count == 1) return 1;
    size_t before = place == 0 ? topology->place_count - 1 : place - 1;
    uint64_t span = (uint64_t)topology->places[place].token.value -
                    (uint64_t)topology->places[before].token.value;
    return (double)span / MAX_TOKEN_SPAN;
}

static void add_owned(const struct admin *admin, const struct keyspace *keyspace, double *owns)
{
    const struct topology *topology = topology_of(admin);
    for (size_t i = 0; i < topology->place_count; i++) {
        double part = part_of_place(topology, i);
        if (keyspace == NULL || admin->options.placement == NULL) {
            owns[topology->places[i].member] += part;
            continue;
        }
        struct replicas replicas = placement_at(admin->options.placement, keyspace, i);
        for (uint16_t j = 0; j < replicas.count; j++)
            owns[replicas.members[j]] += part;
    }
}

static bool same_options(const struct options *a, const struct options *b)
{
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (!slice_equals(a->items[i].key, b->items[i].key) ||
            !slice_equals(a->items[i].value, b->items[i].value))
            return false;
    return true;
}

// The keyspace that tells who owns what: the one that was named, or any of the users' when they are
// all replicated alike. NULL: none.
static const struct keyspace *telling_keyspace(const struct schema *schema, const char *name)
{
    if (name[0] != '\0') return schema_find_keyspace(schema, slice_of_text(name));
    const struct keyspace *first = schema_keyspace_at(schema, 0), *other;
    for (size_t i = 1; (other = schema_keyspace_at(schema, i)) != NULL; i++)
        if (!same_options(&first->replication, &other->replication)) return NULL;
    return first;
}

static void put_keyspace_line(struct buffer *text, const struct keyspace *keyspace)
{
    const char *separator = "";
    struct slice class = slice_of_text("");
    for (size_t i = 0; i < keyspace->replication.count; i++)
        if (slice_equals(keyspace->replication.items[i].key, slice_of_text("class")))
            class = keyspace->replication.items[i].value;
    for (size_t i = class.size; i > 0; i--) {
        if (class.data[i - 1] != '.') continue;
        class = slice_make(class.data + i, class.size - i);
        break;
    }
    buffer_put_format(text, "%.*s -> Replication class: %.*s {", (int)keyspace->name.size,
                      (const char *)keyspace->name.data, (int)class.size, (const char *)class.data);
    for (size_t i = 0; i < keyspace->replication.count; i++) {
        const struct option *option = &keyspace->replication.items[i];
        if (slice_equals(option->key, slice_of_text("class"))) continue;
        buffer_put_format(text, "%s%.*s=%.*s", separator, (int)option->key.size,
                          (const char *)option->key.data, (int)option->value.size,
                          (const char *)option->value.data);
        separator = ", ";
    }
    buffer_put_format(text, "}\n");
}

static void add_load(const struct admin *admin, struct admin_info *info, struct buffer *text)
{
    const struct schema *schema = metadata_schema(admin->options.metadata);
    const struct keyspace *keyspace;
    for (size_t i = 0; (keyspace = schema_keyspace_at(schema, i)) != NULL; i++) {
        put_keyspace_line(text, keyspace);
        const struct table *table;
        for (size_t j = 0; (table = schema_table_at(schema, keyspace->name, j)) != NULL; j++) {
            struct engine_table_stats stats;
            if (!engine_table_stats(admin->options.engine, table->id, &stats)) continue;
            info->load_bytes += stats.sstable_bytes;
            info->memtable_bytes += stats.memtable_bytes;
        }
    }
}

static void info_collect(struct admin *admin, const char *keyspace_name, struct admin_info *info,
                         struct buffer *keyspaces)
{
    const struct topology *topology = topology_of(admin);
    const struct schema *schema = metadata_schema(admin->options.metadata);
    struct env_process_usage usage;
    if (env_process_usage(admin->env, 0, &usage, NULL) == STATUS_OK) {
        info->resident_bytes = usage.resident_bytes;
        info->cpu_ns = usage.cpu_ns;
    }
    (void)snprintf(info->cluster_name, sizeof info->cluster_name, "%s",
                   admin->options.cluster_name);
    (void)snprintf(info->release_version, sizeof info->release_version, "%s",
                   SYSTEM_TABLES_RELEASE_VERSION);
    info->self = admin->options.self;
    info->is_ready = admin->options.is_ready(admin->options.context);
    info->serves_clients = admin->options.serves_clients(admin->options.context);
    info->schema_version = schema_version(schema);
    info->log_number = metadata_number(admin->options.metadata);
    info->started_us = admin->started_us;
    info->wall_us = env_wall_us(admin->env);
    add_load(admin, info, keyspaces);
    const struct keyspace *keyspace = telling_keyspace(schema, keyspace_name);
    info->owns_is_effective = keyspace != NULL;
    add_owned(admin, keyspace, info->owns);
    for (uint16_t i = 0; i < topology->member_count; i++)
        info->states[i] = (uint8_t)state_of(admin, i);
}

static void info_start(struct admin *admin, const struct message *message, struct cursor *body)
{
    char name[ADMIN_NAME_SIZE];
    const struct topology *topology = topology_of(admin);
    const struct schema *schema = metadata_schema(admin->options.metadata);
    if (!admin_text_get(body, name, sizeof name)) {
        admin_answer_text(admin, message->origin, STATUS_MALFORMED, "malformed request");
        return;
    }
    if (name[0] != '\0' && schema_find_keyspace(schema, slice_of_text(name)) == NULL) {
        admin_answer_text(admin, message->origin, STATUS_NOT_FOUND, "no such keyspace");
        return;
    }
    struct admin_info info = {.self = 0};
    // It is written, not changed: a copy of a borrowed pointer.
    memcpy(&info.topology, &topology, sizeof info.topology);
    info.owns = calloc(topology->member_count, sizeof *info.owns);
    info.states = calloc(topology->member_count, sizeof *info.states);
    ASSERT(info.owns != NULL && info.states != NULL);
    struct buffer keyspaces, bytes;
    buffer_init(&keyspaces, ADMIN_ANSWER_SIZE_MAX / 16);
    buffer_init(&bytes, ADMIN_ANSWER_SIZE_MAX);
    info_collect(admin, name, &info, &keyspaces);
    buffer_put_u8(&keyspaces, 0);
    static char none[] = "";
    info.keyspaces = keyspaces.overflow ? none : (char *)keyspaces.data;
    admin_info_put(&bytes, &info);
    if (bytes.overflow)
        admin_answer_text(admin, message->origin, STATUS_OVERLOADED, "the answer is too long");
    else
        admin_answer(admin, message->origin, STATUS_OK, buffer_slice(&bytes));
    buffer_deinit(&keyspaces);
    buffer_deinit(&bytes);
    free(info.owns);
    free(info.states);
}

// ---- await --------------------------------------------------------------------------------------

static void await_look(struct admin_op *op)
{
    struct admin *admin = op->admin;
    if (!admin->options.is_ready(admin->options.context)) return;
    for (uint16_t i = 0; i < op->member_count; i++)
        if (state_of(admin, op->members[i]) != ADMIN_MEMBER_UP) return;
    admin_op_end_text(op, STATUS_OK, "");
}

static void await_too_late(struct env_timer *timer)
{
    admin_op_end_text(CONTAINER_OF(timer, struct admin_op, timer), STATUS_TIMED_OUT,
                      "it is not ready, or does not see all others up");
}

static void await_start(struct admin *admin, const struct message *message, struct cursor *body)
{
    uint32_t milliseconds = cursor_u32(body);
    uint16_t count = cursor_u16(body);
    const struct topology *topology = topology_of(admin);
    if (body->failed || milliseconds > AWAIT_MS_MAX || count > topology->member_count ||
        cursor_left(body) != count * sizeof(uint16_t)) {
        admin_answer_text(admin, message->origin, STATUS_MALFORMED, "malformed request");
        return;
    }
    struct admin_op *op = admin_op_begin(admin, ADMIN_AWAIT, message->origin);
    if (op == NULL) return;
    op->members = calloc(count + 1u, sizeof *op->members);
    ASSERT(op->members != NULL);
    for (uint16_t i = 0; i < count; i++) {
        uint16_t member = cursor_u16(body);
        if (member < topology->member_count) op->members[op->member_count++] = member;
    }
    env_timer_start(admin->env, &op->timer, milliseconds * NS_PER_MS, await_too_late);
    await_look(op);
}

void admin_is_ready(struct admin *admin)
{
    for (size_t i = 0; i < ADMIN_OPS_MAX; i++)
        if (admin->ops[i].kind == ADMIN_AWAIT) await_look(&admin->ops[i]);
}

static void liveness_changed(struct liveness_listener *listener, uint16_t member, bool is_up)
{
    (void)member, (void)is_up;
    admin_is_ready(CONTAINER_OF(listener, struct admin, listener));
}

// ---- endpoints ----------------------------------------------------------------------------------

// As nodetool: the columns of a composite key are separated by colons.
static enum status parse_key(const struct table *table, const char *text, struct arena *arena,
                             struct partition_key *key, struct error *error)
{
    struct slice parts[KEY_COLUMNS_MAX];
    uint16_t count = table->column_counts[COLUMN_PARTITION_KEY];
    if (count > KEY_COLUMNS_MAX) return error_set(error, STATUS_INVALID, "too many key columns");
    for (uint16_t i = 0; i < count; i++) {
        const char *colon = i + 1 < count ? strchr(text, ':') : NULL;
        if (i + 1 < count && colon == NULL)
            return error_set(error, STATUS_INVALID,
                             "the key has %u columns: write them with colons between them", count);
        struct slice part =
            colon == NULL ? slice_of_text(text) : slice_make(text, (size_t)(colon - text));
        enum status status = value_from_text(table->columns[COLUMN_PARTITION_KEY][i].type, part,
                                             arena, &parts[i], error);
        if (status != STATUS_OK) return status;
        if (colon != NULL) text = colon + 1;
    }
    return partition_key_build(parts, count, arena, key, error);
}

static enum status find_endpoints(const struct admin *admin, const char *names[static 3],
                                  struct buffer *bytes, struct error *error)
{
    const struct schema *schema = metadata_schema(admin->options.metadata);
    const struct keyspace *keyspace = schema_find_keyspace(schema, slice_of_text(names[0]));
    const struct table *table =
        schema_find_table(schema, slice_of_text(names[0]), slice_of_text(names[1]));
    if (keyspace == NULL) return error_set(error, STATUS_NOT_FOUND, "no keyspace '%s'", names[0]);
    if (table == NULL)
        return error_set(error, STATUS_NOT_FOUND, "no table '%s' in keyspace '%s'", names[1],
                         names[0]);
    struct arena arena;
    arena_init(&arena, 4096);
    struct partition_key key;
    enum status status = parse_key(table, names[2], &arena, &key, error);
    if (status == STATUS_OK && admin->options.placement != NULL) {
        struct replicas replicas = placement_find(admin->options.placement, keyspace, key.token);
        buffer_put_u16(bytes, replicas.count);
        for (uint16_t i = 0; i < replicas.count; i++)
            buffer_put_u16(bytes, replicas.members[i]);
    } else if (status == STATUS_OK) {
        buffer_put_u16(bytes, 1);
        buffer_put_u16(bytes, admin->options.self);
    }
    arena_deinit(&arena);
    return status;
}

static void endpoints_start(struct admin *admin, const struct message *message, struct cursor *body)
{
    enum { KEY_TEXT_SIZE = 4096 };
    char keyspace[ADMIN_NAME_SIZE], table[ADMIN_NAME_SIZE], key[KEY_TEXT_SIZE];
    if (!admin_text_get(body, keyspace, sizeof keyspace) ||
        !admin_text_get(body, table, sizeof table) || !admin_text_get(body, key, sizeof key)) {
        admin_answer_text(admin, message->origin, STATUS_MALFORMED,
                          "a name or the key is too long");
        return;
    }
    struct buffer bytes;
    buffer_init(&bytes, ADMIN_ANSWER_SIZE_MAX);
    struct error error;
    const char *names[3] = {keyspace, table, key};
    enum status status = find_endpoints(admin, names, &bytes, &error);
    if (status == STATUS_OK)
        admin_answer(admin, message->origin, STATUS_OK, buffer_slice(&bytes));
    else
        admin_answer_text(admin, message->origin, status, error.text);
    buffer_deinit(&bytes);
}

// ---- flush, drain -------------------------------------------------------------------------------

static void flushed(struct engine_flush *flush, enum status status)
{
    admin_op_end_text(CONTAINER_OF(flush, struct admin_op, flush), status, status_text(status));
}

static void flush_start(struct admin *admin, const struct message *message, struct cursor *body)
{
    char keyspace[ADMIN_NAME_SIZE], name[ADMIN_NAME_SIZE];
    if (!admin_text_get(body, keyspace, sizeof keyspace) ||
        !admin_text_get(body, name, sizeof name)) {
        admin_answer_text(admin, message->origin, STATUS_MALFORMED, "a name is too long");
        return;
    }
    const struct schema *schema = metadata_schema(admin->options.metadata);
    const struct table *table =
        schema_find_table(schema, slice_of_text(keyspace), slice_of_text(name));
    if (keyspace[0] != '\0' && schema_find_keyspace(schema, slice_of_text(keyspace)) == NULL) {
        admin_answer_text(admin, message->origin, STATUS_NOT_FOUND, "no such keyspace");
        return;
    }
    if (name[0] != '\0' && table == NULL) {
        admin_answer_text(admin, message->origin, STATUS_NOT_FOUND, "no such table");
        return;
    }
    struct admin_op *op = admin_op_begin(admin, ADMIN_FLUSH, message->origin);
    if (op == NULL) return;
    // A keyspace without a table: all is flushed, which is more, and never wrong.
    engine_flush(admin->options.engine, table == NULL ? NULL : &table->id, &op->flush, flushed);
}

static void drain_start(struct admin *admin, const struct message *message)
{
    struct admin_op *op = admin_op_begin(admin, ADMIN_DRAIN, message->origin);
    if (op == NULL) return;
    if (!admin->options.drain(admin->options.context))
        admin_op_end_text(op, STATUS_CONFLICT, "it is drained already, or being stopped");
}

void admin_drained(struct admin *admin, enum status status)
{
    const char *text = status == STATUS_OK ? ""
                                           : "its clients are let go, but what it has in memory "
                                             "could not be flushed: its log says why; 'helenus "
                                             "flush' tries again";
    for (size_t i = 0; i < ADMIN_OPS_MAX; i++)
        if (admin->ops[i].kind == ADMIN_DRAIN) admin_op_end_text(&admin->ops[i], status, text);
}

// ---- What tests do ------------------------------------------------------------------------------

static void set_fault(struct messaging *messaging, uint16_t member, uint8_t parts,
                      const struct messaging_fault *given)
{
    struct messaging_fault fault = *given, present = messaging_get_fault(messaging, member);
    if ((parts & ADMIN_FAULT_BLOCKS) == 0) {
        fault.blocks_out = present.blocks_out;
        fault.blocks_in = present.blocks_in;
    }
    if ((parts & ADMIN_FAULT_DELAYS) == 0) {
        fault.delay_ns = present.delay_ns;
        fault.jitter_ns = present.jitter_ns;
        fault.lost_per_1000 = present.lost_per_1000;
        fault.doubled_per_1000 = present.doubled_per_1000;
    }
    messaging_set_fault(messaging, member, &fault);
}

static void fault_start(struct admin *admin, const struct message *message, struct cursor *body)
{
    uint16_t member = cursor_u16(body), count = topology_of(admin)->member_count;
    uint8_t parts = cursor_u8(body);
    struct messaging_fault fault;
    admin_fault_get(body, &fault);
    if (body->failed || (member != MEMBER_NONE && member >= count)) {
        admin_answer_text(admin, message->origin, STATUS_INVALID, "no such member");
        return;
    }
    for (uint16_t i = 0; i < count; i++)
        if (i != admin->options.self && (member == i || member == MEMBER_NONE))
            set_fault(admin->options.messaging, i, parts, &fault);
    admin_answer_text(admin, message->origin, STATUS_OK, "");
}

static void skew_start(struct admin *admin, const struct message *message, struct cursor *body)
{
    int64_t offset_us = (int64_t)cursor_u64(body);
    if (body->failed) {
        admin_answer_text(admin, message->origin, STATUS_MALFORMED, "malformed request");
        return;
    }
    env_shift_wall(admin->env, offset_us);
    admin_answer_text(admin, message->origin, STATUS_OK, "");
}

static void stall_start(struct admin *admin, const struct message *message, struct cursor *body)
{
    uint32_t duration_ms = cursor_u32(body);
    if (body->failed) {
        admin_answer_text(admin, message->origin, STATUS_MALFORMED, "malformed request");
        return;
    }
    env_stall_lanes(admin->env, (uint64_t)duration_ms * 1000000);
    admin_answer_text(admin, message->origin, STATUS_OK, "");
}

// ---- All ----------------------------------------------------------------------------------------

static void handle(struct message_handler *handler, const struct message *message)
{
    struct admin *admin = CONTAINER_OF(handler, struct admin, handler);
    struct cursor body = cursor_make(message->body);
    uint8_t kind = cursor_u8(&body);
    if (kind >= ADMIN_FAULT && kind <= ADMIN_STALL && !admin->options.is_loopback) {
        admin_answer_text(admin, message->origin, STATUS_REFUSED,
                          "tests may do this only to a node on a loopback address");
        return;
    }
    switch (kind) {
    case ADMIN_INFO:
        info_start(admin, message, &body);
        break;
    case ADMIN_AWAIT:
        await_start(admin, message, &body);
        break;
    case ADMIN_ENDPOINTS:
        endpoints_start(admin, message, &body);
        break;
    case ADMIN_FLUSH:
        flush_start(admin, message, &body);
        break;
    case ADMIN_DRAIN:
        drain_start(admin, message);
        break;
    case ADMIN_FAULT:
        fault_start(admin, message, &body);
        break;
    case ADMIN_SKEW:
        skew_start(admin, message, &body);
        break;
    case ADMIN_STALL:
        stall_start(admin, message, &body);
        break;
    case ADMIN_SNAPSHOT:
        admin_snapshot_start(admin, message, &body);
        break;
    case ADMIN_SNAPSHOT_LIST:
        admin_snapshot_list(admin, message);
        break;
    case ADMIN_SNAPSHOT_CLEAR:
        admin_snapshot_clear(admin, message, &body, 0);
        break;
    case ADMIN_SNAPSHOT_CLEAR_OLD:
        admin_snapshot_clear(admin, message, &body, cursor_u64(&body));
        break;
    case ADMIN_IMPORT:
        admin_import_start(admin, message, &body);
        break;
    case ADMIN_IMPORT_PROGRESS:
        admin_import_progress(admin, message);
        break;
    case ADMIN_COMPACT:
        admin_compact_start(admin, message, &body);
        break;
    case ADMIN_COMPACTION_STATS:
        admin_compaction_stats(admin, message);
        break;
    case ADMIN_COMPACTION_SET:
        admin_compaction_set(admin, message, &body);
        break;
    case ADMIN_COMPACTION_STOP:
        admin_compaction_stop(admin, message);
        break;
    case ADMIN_COMPACTION_ENABLE:
        admin_compaction_enable(admin, message, &body);
        break;
    case ADMIN_TABLE_STATS:
        admin_table_stats(admin, message, &body);
        break;
    case ADMIN_TRACE_PROBABILITY:
        admin_trace_probability(admin, message, &body);
        break;
    case ADMIN_POOLS:
        admin_pools(admin, message);
        break;
    case ADMIN_TABLE_HISTOGRAMS:
        admin_table_histograms(admin, message, &body);
        break;
    default:
        admin_answer_text(admin, message->origin, STATUS_UNSUPPORTED, "no such request");
    }
}

struct admin *admin_create(struct env *env, const struct admin_options *options)
{
    struct admin *admin = calloc(1, sizeof *admin);
    ASSERT(admin != NULL);
    admin->env = env;
    admin->options = *options;
    admin->started_us = env_wall_us(env);
    admin->handler.handle = handle;
    messaging_handle(options->messaging, VERB_ADMIN, &admin->handler);
    if (options->liveness != NULL) {
        admin->listener.changed = liveness_changed;
        liveness_listen(options->liveness, &admin->listener);
        admin->listens = true;
    }
    return admin;
}

void admin_leave(struct admin *admin)
{
    if (admin->listens) liveness_unlisten(admin->options.liveness, &admin->listener);
    admin->listens = false;
    admin->left = true;
    for (size_t i = 0; i < ADMIN_OPS_MAX; i++)
        if (admin->ops[i].kind == ADMIN_AWAIT) admin_op_end_text(&admin->ops[i], STATUS_CLOSED, "");
}

void admin_destroy(struct admin *admin)
{
    for (size_t i = 0; i < ADMIN_OPS_MAX; i++) {
        env_timer_stop(admin->env, &admin->ops[i].timer);
        free(admin->ops[i].members);
        free(admin->ops[i].work);
    }
    free(admin);
}
