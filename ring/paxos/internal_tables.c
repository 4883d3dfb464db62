#include "ring/paxos/internal_tables.h"

#include "base/assert.h"

struct internal_column {
    const char *name;
    enum type_kind type; // LIST: of blobs.
    enum column_kind kind;
};

// Names, ids and columns are Cassandra's.
static const struct internal_column paxos_columns[] = {
    {"row_key", TYPE_BLOB, COLUMN_PARTITION_KEY},
    {"cf_id", TYPE_UUID, COLUMN_CLUSTERING},
    {"in_progress_ballot", TYPE_TIMEUUID, COLUMN_REGULAR},
    {"in_progress_read_ballot", TYPE_TIMEUUID, COLUMN_REGULAR},
    {"most_recent_commit", TYPE_BLOB, COLUMN_REGULAR},
    {"most_recent_commit_at", TYPE_TIMEUUID, COLUMN_REGULAR},
    {"most_recent_commit_version", TYPE_INT, COLUMN_REGULAR},
    {"proposal", TYPE_BLOB, COLUMN_REGULAR},
    {"proposal_ballot", TYPE_TIMEUUID, COLUMN_REGULAR},
    {"proposal_version", TYPE_INT, COLUMN_REGULAR},
};

static const struct internal_column batches_columns[] = {
    {"id", TYPE_TIMEUUID, COLUMN_PARTITION_KEY},
    {"mutations", TYPE_LIST, COLUMN_REGULAR},
    {"version", TYPE_INT, COLUMN_REGULAR},
};

static const struct table *internal_tables_make(const char *name, const char *id,
                                                const struct internal_column *columns, size_t count)
{
    struct uuid uuid;
    enum status status = uuid_parse(slice_of_text(id), &uuid);
    ASSERT(status == STATUS_OK);
    struct table_builder *builder =
        table_builder_create(slice_of_text("system"), slice_of_text(name), uuid);
    table_builder_params(builder)->gc_grace_seconds = 0;
    for (size_t i = 0; i < count; i++) {
        const struct type *type =
            columns[i].type == TYPE_LIST
                ? type_make_list(table_builder_arena(builder), type_of_kind(TYPE_BLOB), false)
                : type_of_kind(columns[i].type);
        table_builder_add_column(builder, slice_of_text(columns[i].name), type, columns[i].kind,
                                 false);
    }
    return table_builder_finish(builder);
}

void internal_tables_init(struct internal_tables *tables)
{
    tables->tables[INTERNAL_TABLE_PAXOS] =
        internal_tables_make("paxos", "b7b7f0c2-fd0a-3410-8c05-3ef614bb7c2d", paxos_columns,
                             sizeof paxos_columns / sizeof paxos_columns[0]);
    tables->tables[INTERNAL_TABLE_BATCHES] =
        internal_tables_make("batches", "919a4bc5-7a33-3573-b03e-13fc3f68b465", batches_columns,
                             sizeof batches_columns / sizeof batches_columns[0]);
}

void internal_tables_deinit(struct internal_tables *tables)
{
    for (size_t i = 0; i < INTERNAL_TABLE_COUNT; i++) {
        table_unref(tables->tables[i]);
        tables->tables[i] = NULL;
    }
}
