// A paging state that a client sends back: damaged as it is, and with a hash that is right.
#include "base/checksum.h"
#include "cql/execution/paging_state.h"
#include "tests/fuzz/targets.h"

static void check(struct slice bytes, struct uuid table)
{
    struct arena arena;
    arena_init(&arena, 1024);
    struct paging_state state;
    if (paging_state_decode(bytes, table, &arena, &state) == STATUS_OK) {
        struct slice again = paging_state_encode(&state, table, &arena);
        struct paging_state same;
        ASSERT(paging_state_decode(again, table, &arena, &same) == STATUS_OK);
        ASSERT(slice_equals(state.key, same.key));
        ASSERT(state.clustering.count == same.clustering.count);
    }
    arena_deinit(&arena);
}

FUZZ_TARGET(paging_state)
{
    struct uuid table = {{1, 2, 3}};
    check(input, table);
    struct buffer bytes;
    buffer_init(&bytes, 1 << 24);
    buffer_put_u8(&bytes, 1);
    buffer_put_u32(&bytes, (uint32_t)checksum_xxh3(input, bytes_get_u64(table.bytes)));
    buffer_put(&bytes, input.data, input.size);
    check(buffer_slice(&bytes), table);
    buffer_deinit(&bytes);
}
