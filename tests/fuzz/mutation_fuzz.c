// An encoded mutation, as the commit log and other nodes have it: u8 table, the bytes.
#include "storage/memtable.h"
#include "storage/mutation.h"
#include "tests/fuzz/support/fuzz_node.h"
#include "tests/fuzz/targets.h"

FUZZ_TARGET(mutation)
{
    struct cursor cursor = cursor_make(input);
    const struct table *table = fuzz_node_table(cursor_u8(&cursor));
    struct arena arena;
    arena_init(&arena, 4096);
    struct uuid id;
    struct mutation mutation;
    struct error error;
    (void)!mutation_decode_table_id(fuzz_rest(&cursor), &id);
    if (mutation_decode(fuzz_rest(&cursor), table, &arena, &mutation, &error) == STATUS_OK) {
        struct buffer bytes;
        buffer_init(&bytes, 1 << 24);
        mutation_encode(&mutation, &bytes);
        struct mutation again;
        ASSERT(mutation_decode(buffer_slice(&bytes), table, &arena, &again, &error) == STATUS_OK);
        ASSERT(again.row_count == mutation.row_count);
        struct memtable *memtable = memtable_create(table);
        memtable_apply(memtable, &mutation, 1);
        memtable_unref(memtable);
        buffer_deinit(&bytes);
    }
    arena_deinit(&arena);
}
