// Snapshots of a node, for `helenus snapshot`, `listsnapshots` and `clearsnapshot`.
#include "base/assert.h"
#include "base/container_of.h"
#include "node/admin_internal.h"
#include "storage/engine/engine_snapshot.h"

#include <stdlib.h>

enum { KEYSPACES_MAX = 1024 };

// ---- Taking one ---------------------------------------------------------------------------------

struct snapshot_op {
    struct admin_op *op;
    struct engine_snapshot snapshot;
};

static void snapshot_taken(struct engine_snapshot *snapshot, enum status status,
                           const struct error *error)
{
    struct snapshot_op *work = CONTAINER_OF(snapshot, struct snapshot_op, snapshot);
    admin_op_end_text(work->op, status, status == STATUS_OK ? "" : error->text);
}

static void choose_keyspace(const struct schema *schema, struct slice keyspace,
                            struct admin_tables *chosen)
{
    const struct table *table;
    for (size_t i = 0; (table = schema_table_at(schema, keyspace, i)) != NULL; i++)
        if (!table->is_virtual && chosen->count < ADMIN_TABLES_MAX)
            chosen->ids[chosen->count++] = table->id;
}

// One keyspace, or one table of it.
static enum status choose(const struct schema *schema, const char *keyspace, const char *name,
                          struct admin_tables *chosen, struct error *error)
{
    if (schema_find_keyspace(schema, slice_of_text(keyspace)) == NULL)
        return error_set(error, STATUS_NOT_FOUND, "Keyspace %s does not exist", keyspace);
    if (name[0] == '\0') {
        choose_keyspace(schema, slice_of_text(keyspace), chosen);
        return STATUS_OK;
    }
    const struct table *table =
        schema_find_table(schema, slice_of_text(keyspace), slice_of_text(name));
    if (table == NULL)
        return error_set(error, STATUS_NOT_FOUND, "Unknown keyspace/cf pair (%s.%s)", keyspace,
                         name);
    if (chosen->count < ADMIN_TABLES_MAX) chosen->ids[chosen->count++] = table->id;
    return STATUS_OK;
}

enum status admin_choose_tables(const struct schema *schema, struct cursor *body,
                                struct admin_tables *chosen, struct error *error)
{
    uint16_t count = cursor_u16(body);
    const struct keyspace *keyspace;
    for (size_t i = 0; count == 0 && (keyspace = schema_keyspace_at(schema, i)) != NULL; i++)
        choose_keyspace(schema, keyspace->name, chosen);
    for (uint16_t i = 0; i < count; i++) {
        char name[ADMIN_NAME_SIZE], table[ADMIN_NAME_SIZE];
        if (!admin_text_get(body, name, sizeof name) || !admin_text_get(body, table, sizeof table))
            return error_set(error, STATUS_MALFORMED, "a name is too long");
        enum status status = choose(schema, name, table, chosen, error);
        if (status != STATUS_OK) return status;
    }
    return body->failed ? error_set(error, STATUS_MALFORMED, "malformed request") : STATUS_OK;
}

void admin_snapshot_start(struct admin *admin, const struct message *message, struct cursor *body)
{
    char tag[SNAPSHOT_TAG_SIZE];
    struct error error;
    if (!admin_text_get(body, tag, sizeof tag)) {
        admin_answer_text(admin, message->origin, STATUS_MALFORMED, "the name is too long");
        return;
    }
    struct engine_snapshot_options options = {.tag = tag, .skips_flush = cursor_u8(body) != 0};
    options.ttl_s = cursor_u64(body);
    struct admin_tables chosen = {calloc(ADMIN_TABLES_MAX, sizeof *chosen.ids), 0};
    ASSERT(chosen.ids != NULL);
    enum status status =
        admin_choose_tables(metadata_schema(admin->options.metadata), body, &chosen, &error);
    if (status != STATUS_OK) {
        admin_answer_text(admin, message->origin, status, error.text);
        free(chosen.ids);
        return;
    }
    options.tables = chosen.ids;
    options.table_count = chosen.count;
    struct admin_op *op = admin_op_begin(admin, ADMIN_SNAPSHOT, message->origin);
    if (op != NULL) {
        struct snapshot_op *work = calloc(1, sizeof *work);
        ASSERT(work != NULL);
        work->op = op;
        op->work = work;
        engine_snapshot_take(admin->options.engine, &options, &work->snapshot, snapshot_taken);
    }
    free(chosen.ids);
}

// ---- What there is ------------------------------------------------------------------------------

struct list_op {
    struct admin_op *op;
    struct engine_snapshot_list list;
};

static bool exists(const struct schema *schema, const struct snapshot_info *info)
{
    return schema_find_table(schema, slice_of_text(info->keyspace), slice_of_text(info->table)) !=
           NULL;
}

static void snapshots_listed(struct engine_snapshot_list *list, enum status status,
                             const struct error *error)
{
    struct list_op *work = CONTAINER_OF(list, struct list_op, list);
    if (status != STATUS_OK) {
        admin_op_end_text(work->op, status, error->text);
        return;
    }
    const struct schema *schema = metadata_schema(work->op->admin->options.metadata);
    struct buffer bytes;
    buffer_init(&bytes, ADMIN_ANSWER_SIZE_MAX);
    uint64_t total_size = 0;
    for (size_t i = 0; i < list->count; i++)
        if (exists(schema, &list->infos[i])) total_size += list->infos[i].true_components_size;
    buffer_put_u64(&bytes, total_size);
    buffer_put_u32(&bytes, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct snapshot_info *info = &list->infos[i];
        buffer_put_vint_bytes(&bytes, slice_of_text(info->tag));
        buffer_put_vint_bytes(&bytes, slice_of_text(info->keyspace));
        buffer_put_vint_bytes(&bytes, slice_of_text(info->table));
        buffer_put_u64(&bytes, info->true_size);
        buffer_put_u64(&bytes, info->size_on_disk);
        buffer_put_u64(&bytes, (uint64_t)info->times.created_ms);
        buffer_put_u64(&bytes, (uint64_t)info->times.expires_ms);
        buffer_put_u8(&bytes, info->is_whole);
    }
    if (bytes.overflow)
        admin_op_end_text(work->op, STATUS_OVERLOADED, "there are too many snapshots to list");
    else
        admin_op_end(work->op, STATUS_OK, buffer_slice(&bytes));
    buffer_deinit(&bytes);
}

void admin_snapshot_list(struct admin *admin, const struct message *message)
{
    struct admin_op *op = admin_op_begin(admin, ADMIN_SNAPSHOT_LIST, message->origin);
    if (op == NULL) return;
    struct list_op *work = calloc(1, sizeof *work);
    ASSERT(work != NULL);
    work->op = op;
    op->work = work;
    engine_snapshot_list(admin->options.engine, &work->list, snapshots_listed);
}

// ---- Clearing -----------------------------------------------------------------------------------

struct clear_op {
    struct admin_op *op;
    struct engine_snapshot_clear clear;
    char tag[SNAPSHOT_TAG_SIZE];
    int64_t created_before_ms;
    char (*keyspaces)[ADMIN_NAME_SIZE]; // Behind the struct.
    uint16_t count, next;
    uint32_t removed_count;
};

static void clear_next(struct clear_op *work);

static void snapshots_cleared(struct engine_snapshot_clear *clear, enum status status,
                              const struct error *error)
{
    struct clear_op *work = CONTAINER_OF(clear, struct clear_op, clear);
    work->removed_count += (uint32_t)clear->count;
    if (status != STATUS_OK) {
        admin_op_end_text(work->op, status, error->text);
    } else if (work->next < work->count) {
        clear_next(work);
    } else {
        uint8_t bytes[4];
        bytes_put_u32(bytes, work->removed_count);
        admin_op_end(work->op, STATUS_OK, slice_make(bytes, sizeof bytes));
    }
}

static void clear_next(struct clear_op *work)
{
    const struct engine_snapshot_choice choice = {
        .keyspace = work->count == 0 ? "" : work->keyspaces[work->next],
        .tag = work->tag,
        .created_before_ms = work->created_before_ms};
    work->next++;
    engine_snapshot_clear(work->op->admin->options.engine, &choice, &work->clear,
                          snapshots_cleared);
}

void admin_snapshot_clear(struct admin *admin, const struct message *message, struct cursor *body,
                          uint64_t created_before_ms)
{
    char tag[SNAPSHOT_TAG_SIZE];
    bool is_good = admin_text_get(body, tag, sizeof tag);
    uint16_t count = cursor_u16(body);
    if (count > KEYSPACES_MAX || created_before_ms > INT64_MAX) is_good = false;
    struct clear_op *work =
        calloc(1, sizeof *work + (is_good ? count : 0) * sizeof work->keyspaces[0]);
    ASSERT(work != NULL);
    work->keyspaces = (char(*)[ADMIN_NAME_SIZE])(work + 1);
    for (uint16_t i = 0; i < count && is_good; i++)
        is_good = admin_text_get(body, work->keyspaces[i], ADMIN_NAME_SIZE);
    if (!is_good || body->failed) {
        free(work);
        admin_answer_text(admin, message->origin, STATUS_MALFORMED, "malformed request");
        return;
    }
    struct admin_op *op = admin_op_begin(admin, ADMIN_SNAPSHOT_CLEAR, message->origin);
    if (op == NULL) {
        free(work);
        return;
    }
    memcpy(work->tag, tag, sizeof tag);
    work->op = op;
    work->count = count;
    work->created_before_ms = (int64_t)created_before_ms;
    op->work = work;
    clear_next(work);
}
