// Imports of a node, for `helenus import`.
#include "base/assert.h"
#include "base/container_of.h"
#include "node/admin_internal.h"
#include "storage/engine/engine_import.h"

#include <stdlib.h>

enum { PATH_SIZE = 4096 };

struct import_op {
    struct admin_op *op;
    struct engine_import import;
};

static void imported(struct engine_import *import, enum status status, const struct error *error)
{
    struct import_op *work = CONTAINER_OF(import, struct import_op, import);
    if (status != STATUS_OK) {
        admin_op_end_text(work->op, status, error->text);
        return;
    }
    struct buffer bytes;
    buffer_init(&bytes, ADMIN_ANSWER_SIZE_MAX);
    buffer_put_u32(&bytes, (uint32_t)import->sstable_count);
    buffer_put_u32(&bytes, (uint32_t)import->imported_count);
    buffer_put_u32(&bytes, (uint32_t)import->fault_count);
    for (size_t i = 0; i < import->fault_count && i < ENGINE_IMPORT_FAULTS_MAX; i++)
        buffer_put_vint_bytes(&bytes, slice_of_text(import->faults[i]));
    admin_op_end(work->op, STATUS_OK, buffer_slice(&bytes));
    buffer_deinit(&bytes);
}

// What of the ring this node holds copies of. NULL: all.
static struct import_range *find_ranges(const struct admin *admin, const struct keyspace *keyspace,
                                        size_t *count)
{
    const struct topology *topology = admin->options.topology(admin->options.context);
    *count = 0;
    if (admin->options.placement == NULL || topology->place_count < 2) return NULL;
    struct import_range *ranges = calloc(topology->place_count, sizeof *ranges);
    ASSERT(ranges != NULL);
    for (size_t i = 0; i < topology->place_count; i++) {
        struct replicas replicas = placement_at(admin->options.placement, keyspace, i);
        size_t before = i == 0 ? topology->place_count - 1 : i - 1;
        for (uint16_t r = 0; r < replicas.count; r++)
            if (replicas.members[r] == admin->options.self)
                ranges[(*count)++] = (struct import_range){topology->places[before].token,
                                                           topology->places[i].token};
    }
    return ranges;
}

void admin_import_start(struct admin *admin, const struct message *message, struct cursor *body)
{
    char names[2][ADMIN_NAME_SIZE], directory[PATH_SIZE];
    if (!admin_text_get(body, names[0], sizeof names[0]) ||
        !admin_text_get(body, names[1], sizeof names[1]) ||
        !admin_text_get(body, directory, sizeof directory)) {
        admin_answer_text(admin, message->origin, STATUS_MALFORMED, "a name is too long");
        return;
    }
    uint32_t flags = cursor_u32(body);
    const struct schema *schema = metadata_schema(admin->options.metadata);
    const struct keyspace *keyspace = schema_find_keyspace(schema, slice_of_text(names[0]));
    const struct table *table =
        schema_find_table(schema, slice_of_text(names[0]), slice_of_text(names[1]));
    struct error error;
    if (body->failed || directory[0] != '/' || table == NULL || table->is_virtual) {
        if (table == NULL)
            (void)error_set(&error, STATUS_NOT_FOUND, "Unknown keyspace/cf pair (%s.%s)", names[0],
                            names[1]);
        else
            (void)error_set(&error, STATUS_INVALID,
                            "an absolute path is wanted, of a stored table");
        admin_answer_text(admin, message->origin, error.status, error.text);
        return;
    }
    struct admin_op *op = admin_op_begin(admin, ADMIN_IMPORT, message->origin);
    if (op == NULL) return;
    struct import_op *work = calloc(1, sizeof *work);
    ASSERT(work != NULL);
    work->op = op;
    op->work = work;
    struct engine_import_options options = {
        .table = table->id,
        .directory = directory,
        .copies = (flags & ADMIN_IMPORT_COPIES) != 0,
        .is_quick = (flags & ADMIN_IMPORT_QUICK) != 0,
        .keeps_level = (flags & ADMIN_IMPORT_KEEPS_LEVEL) != 0,
        .keeps_repaired = (flags & ADMIN_IMPORT_KEEPS_REPAIRED) != 0,
    };
    struct import_range *ranges = (flags & ADMIN_IMPORT_ANY_TOKENS) != 0
                                      ? NULL
                                      : find_ranges(admin, keyspace, &options.range_count);
    options.ranges = ranges;
    engine_import(admin->options.engine, &options, &work->import, imported);
    free(ranges);
}

void admin_import_progress(struct admin *admin, const struct message *message)
{
    struct buffer bytes;
    buffer_init(&bytes, ADMIN_ANSWER_SIZE_MAX);
    for (size_t i = 0; i < ADMIN_OPS_MAX; i++) {
        const struct admin_op *op = &admin->ops[i];
        if (op->kind != ADMIN_IMPORT || op->work == NULL) continue;
        const struct engine_import *import = &((const struct import_op *)op->work)->import;
        buffer_put_u32(&bytes, (uint32_t)import->sstable_count);
        buffer_put_u32(&bytes, (uint32_t)import->imported_count);
        buffer_put_u64(&bytes, import->done_bytes);
        buffer_put_u64(&bytes, import->total_bytes);
    }
    admin_answer(admin, message->origin, STATUS_OK, buffer_slice(&bytes));
    buffer_deinit(&bytes);
}
