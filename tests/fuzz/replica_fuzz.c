// What other members send to be written: u8 kind, the bytes. An engine's record is applied as a
// replica does it, an increment is counted as its leader does it; then all is flushed.
#include "ring/coordinator/replica_increment.h"
#include "tests/fuzz/support/fuzz_node.h"
#include "tests/fuzz/targets.h"

static void apply(struct fuzz_node *node, struct slice record)
{
    uint64_t position;
    if (engine_apply_record(node->engine, record, &position) == STATUS_OK) fuzz_node_flush(node);
}

static void count(struct fuzz_node *node, struct slice bytes)
{
    struct arena arena;
    struct read_pins pins;
    struct counter_update update, again;
    enum consistency consistency, consistency_again;
    const struct schema *schema = metadata_schema(node->metadata);
    arena_init(&arena, 4096);
    read_pins_init(&pins);
    if (replica_increment_decode(bytes, schema, &arena, &update, &consistency) == STATUS_OK) {
        struct buffer encoded;
        buffer_init(&encoded, 1 << 24);
        replica_increment_encode(&update, consistency, &encoded);
        ASSERT(replica_increment_decode(buffer_slice(&encoded), schema, &arena, &again,
                                        &consistency_again) == STATUS_OK);
        ASSERT(again.increment_count == update.increment_count);
        ASSERT(consistency_again == consistency);
        buffer_deinit(&encoded);
        uint64_t position;
        if (engine_increment(node->engine, &update, &pins, &arena, NULL, &position) == STATUS_OK)
            fuzz_node_flush(node);
    }
    read_pins_release(&pins);
    arena_deinit(&arena);
}

FUZZ_TARGET(replica)
{
    struct cursor cursor = cursor_make(input);
    struct fuzz_node node;
    bool is_increment = cursor_u8(&cursor) % 2 == 1;
    fuzz_node_open(&node, 0);
    if (is_increment)
        count(&node, fuzz_rest(&cursor));
    else
        apply(&node, fuzz_rest(&cursor));
    fuzz_node_close(&node);
}
