#include "ring/paxos/paxos_state.h"

#include "base/assert.h"
#include "base/limits.h"
#include "ring/paxos/internal_tables.h"
#include "storage/merge/live_rows.h"

enum { BLOB_VERSION = 1, BLOB_HEAD_SIZE = 1 + 8 + 10, TTL_MIN_S = 3 * 3600 };

// ---- Bytes --------------------------------------------------------------------------------------

void paxos_state_put_ballot(struct buffer *bytes, struct ballot ballot)
{
    buffer_put_u64(bytes, (uint64_t)ballot.time_us);
    buffer_put_u16(bytes, ballot.member);
}

struct ballot paxos_state_get_ballot(struct cursor *bytes)
{
    struct ballot ballot = {.time_us = (int64_t)cursor_u64(bytes)};
    ballot.member = cursor_u16(bytes);
    return ballot;
}

void paxos_state_put_proposal(struct buffer *bytes, const struct paxos_proposal *proposal)
{
    paxos_state_put_ballot(bytes, proposal->ballot);
    paxos_state_put_ballot(bytes, proposal->origin);
    buffer_put_vint_bytes(bytes, proposal->change);
}

struct paxos_proposal paxos_state_get_proposal(struct cursor *bytes)
{
    struct paxos_proposal proposal;
    proposal.ballot = paxos_state_get_ballot(bytes);
    proposal.origin = paxos_state_get_ballot(bytes);
    proposal.change = cursor_vint_bytes(bytes);
    return proposal;
}

// A ballot as a timeuuid: the member is its node.
static struct slice state_ballot_cell(struct ballot ballot, struct arena *arena)
{
    struct uuid uuid = uuid_make_time_us(ballot.time_us, 0, 0, ballot.member);
    return arena_copy(arena, slice_make(uuid.bytes, sizeof uuid.bytes));
}

static struct ballot state_read_ballot(struct slice value)
{
    if (value.size != sizeof(struct uuid)) return (struct ballot){0};
    struct uuid uuid = uuid_from_bytes(value.data);
    return (struct ballot){uuid_unix_us(uuid), bytes_get_u16(uuid.bytes + 14)};
}

static struct slice state_blob_cell(const struct paxos_proposal *proposal, uint64_t position,
                                    struct arena *arena)
{
    size_t size = BLOB_HEAD_SIZE + proposal->change.size;
    uint8_t *blob = arena_alloc(arena, size);
    blob[0] = BLOB_VERSION;
    bytes_put_u64(blob + 1, position);
    bytes_put_u64(blob + 9, (uint64_t)proposal->origin.time_us);
    bytes_put_u16(blob + 17, proposal->origin.member);
    if (proposal->change.size > 0)
        memcpy(blob + BLOB_HEAD_SIZE, proposal->change.data, proposal->change.size);
    return slice_make(blob, size);
}

// One from before the table's truncation changes nothing any more.
static void state_read_blob(struct slice value, struct ballot ballot, uint64_t truncated_position,
                            struct arena *arena, struct paxos_proposal *proposal)
{
    struct cursor bytes = cursor_make(value);
    if (value.size < BLOB_HEAD_SIZE || cursor_u8(&bytes) != BLOB_VERSION) return;
    uint64_t position = cursor_u64(&bytes);
    proposal->ballot = ballot;
    proposal->origin = paxos_state_get_ballot(&bytes);
    struct slice change = cursor_take(&bytes, cursor_left(&bytes));
    proposal->change =
        position > truncated_position ? arena_copy(arena, change) : slice_make("", 0);
}

// ---- Loading ------------------------------------------------------------------------------------

struct state_cells {
    struct slice promised, proposal_ballot, proposal, commit_ballot, commit;
};

static struct slice state_cell(const struct table *table, const struct live_row *row,
                               const char *name)
{
    const struct column *column = table_find_column(table, slice_of_text(name));
    ASSERT(column != NULL);
    const struct cell *cells;
    return live_row_cells(row, column->index, &cells) == 0 ? slice_null() : cells[0].value;
}

static void state_of_row(const struct paxos_place *place, const struct live_row *row,
                         uint64_t truncated_position, struct arena *arena,
                         struct paxos_state *state)
{
    const struct table *table = place->paxos;
    state->promised = state_read_ballot(state_cell(table, row, "in_progress_ballot"));
    struct ballot ballot = state_read_ballot(state_cell(table, row, "proposal_ballot"));
    if (ballot_compare(ballot, state->promised) > 0) state->promised = ballot;
    state_read_blob(state_cell(table, row, "proposal"), ballot, truncated_position, arena,
                    &state->accepted);
    ballot = state_read_ballot(state_cell(table, row, "most_recent_commit_at"));
    if (ballot_compare(ballot, state->promised) > 0) state->promised = ballot;
    state_read_blob(state_cell(table, row, "most_recent_commit"), ballot, truncated_position, arena,
                    &state->committed);
    if (ballot_compare(state->accepted.ballot, state->committed.ballot) <= 0)
        state->accepted = (struct paxos_proposal){0};
}

static struct clustering_range state_range(const struct paxos_place *place, struct arena *arena)
{
    struct slice *value = ARENA_NEW(arena, struct slice);
    *value = arena_copy(arena, slice_make(place->table.bytes, sizeof place->table.bytes));
    struct clustering prefix = {1, value};
    return (struct clustering_range){{BOUND_INCL_START, prefix}, {BOUND_INCL_END, prefix}};
}

enum status paxos_state_load(struct engine *engine, const struct paxos_place *place, int32_t now_s,
                             struct read_pins *pins, struct arena *arena, struct paxos_state *state,
                             uint64_t *position)
{
    struct partition_key key = partition_key_make(place->key);
    struct clustering_range range = state_range(place, arena);
    struct partition_filter filter = {.ranges = &range, .range_count = 1};
    struct partition_iterator *partition = NULL;
    struct paxos_state loaded = {{0}, {{0}, {0}, {0}}, {{0}, {0}, {0}}};
    enum status status =
        engine_read(engine, place->paxos, &key, &filter, pins, arena, &partition, position);
    if (status != STATUS_OK) return status;
    if (partition != NULL) {
        struct live_rows rows;
        live_rows_init(&rows, partition, now_s, arena);
        const struct live_row *row;
        status = live_rows_next(&rows, &row);
        if (status == STATUS_OK)
            state_of_row(place, row, engine_truncated_position(engine, place->table), arena,
                         &loaded);
        live_rows_deinit(&rows);
    }
    if (status != STATUS_OK && status != STATUS_END) return status;
    *state = loaded;
    return STATUS_OK;
}

// ---- Storing ------------------------------------------------------------------------------------

struct state_row {
    struct row row;
    struct cell cells[2];
    int64_t timestamp;
    int32_t ttl, expires_s;
};

static void state_add_cell(struct state_row *made, const struct table *table, const char *name,
                           struct slice value)
{
    const struct column *column = table_find_column(table, slice_of_text(name));
    ASSERT(column != NULL);
    struct cell cell = {.column = column->index,
                        .ttl = made->ttl,
                        .local_time = made->expires_s,
                        .timestamp = made->timestamp,
                        .value = value,
                        .path = slice_null()};
    // By column, which is by name.
    uint32_t place = made->row.cell_count++;
    for (; place > 0 && made->cells[place - 1].column > cell.column; place--)
        made->cells[place] = made->cells[place - 1];
    made->cells[place] = cell;
}

enum status paxos_state_store(struct engine *engine, const struct paxos_place *place,
                              enum paxos_part part, const struct paxos_proposal *proposal,
                              int32_t now_s, int32_t gc_grace_s, struct arena *arena,
                              uint64_t *position)
{
    uint64_t next = engine_last_position(engine) + 1;
    int32_t ttl = gc_grace_s < TTL_MIN_S ? TTL_MIN_S : gc_grace_s;
    struct state_row made = {.timestamp = (int64_t)next, .ttl = ttl};
    made.expires_s = now_s < LOCAL_TIME_MAX - ttl ? now_s + ttl : LOCAL_TIME_MAX;
    made.row = (struct row){.clustering = state_range(place, arena).start.prefix,
                            .liveness = LIVENESS_NONE,
                            .deletion = DELETION_NONE,
                            .cells = made.cells};
    struct slice ballot = state_ballot_cell(proposal->ballot, arena);
    switch (part) {
    case PAXOS_PART_PROMISE:
        state_add_cell(&made, place->paxos, "in_progress_ballot", ballot);
        break;
    case PAXOS_PART_PROPOSAL:
        state_add_cell(&made, place->paxos, "proposal_ballot", ballot);
        state_add_cell(&made, place->paxos, "proposal", state_blob_cell(proposal, next, arena));
        break;
    case PAXOS_PART_COMMIT:
        state_add_cell(&made, place->paxos, "most_recent_commit_at", ballot);
        state_add_cell(&made, place->paxos, "most_recent_commit",
                       state_blob_cell(proposal, next, arena));
        break;
    }
    struct mutation mutation = {.table = place->paxos,
                                .key = partition_key_make(place->key),
                                .deletion = DELETION_NONE,
                                .rows = &made.row,
                                .row_count = 1};
    return engine_apply(engine, &mutation, position);
}
