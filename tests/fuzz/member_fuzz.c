// What the other members of a ring send to a whole node that has tables and data: writes, hints,
// increments, truncations, logged batches, reads, Paxos, the metadata log, probes; and what they
// answer to whatever it asks them while clients' statements are at work. Then it stops, and opens
// again with all that it was made to write.
//
//     { u8 what | u16 size | bytes }*    what & 31 < 24: a request of that verb, of member 1 (of
//                                        member 2 with bit 7)
//                                        24 a worker's or a tool's request: u8 type | payload
//                                        25 u8 verb | u8 status | body: so are its requests of this
//                                           verb answered from now on
//                                        26 u8 consistency | text: a client's statement
//                                        27 time: u16 ms     28 memtables become SSTables
#include "node/node.h"
#include "storage/engine/engine.h"
#include "tests/fuzz/support/fuzz_member.h"
#include "tests/fuzz/targets.h"

enum { DO_TOOL = 24, DO_ANSWER, DO_QUERY, DO_WAIT, DO_FLUSH, STEPS_MAX = 24 };

static void flushed(struct engine_flush *flush, enum status status)
{
    ASSERT(status == STATUS_OK);
    flush->waits_for = SIZE_MAX;
}

static void flush_all(struct fuzz_member *member)
{
    struct engine_flush flush = {0};
    engine_flush(node_engine(member->node), NULL, &flush, flushed);
    while (flush.waits_for != SIZE_MAX)
        ASSERT(sim_world_step(member->sim.world));
}

static void step(struct fuzz_member *member, uint8_t what, uint64_t id, struct slice bytes)
{
    struct cursor cursor = cursor_make(bytes);
    uint16_t from = (what & 0x80) != 0 ? 2 : 1;
    what &= 31;
    if (what < DO_TOOL) {
        fuzz_member_request(member, from, (enum verb)(VERB_RING + what), id, bytes);
    } else if (what == DO_TOOL) {
        uint8_t type = cursor_u8(&cursor);
        fuzz_member_ask(member, MEMBER_NONE, type, id, fuzz_rest(&cursor));
    } else if (what == DO_ANSWER) {
        uint8_t verb = cursor_u8(&cursor);
        if (verb < VERB_COUNT) member->answers[verb] = fuzz_rest(&cursor);
    } else if (what == DO_QUERY) {
        uint8_t consistency = cursor_u8(&cursor);
        (void)fuzz_member_query(member, consistency, fuzz_rest(&cursor));
    } else if (what == DO_FLUSH) {
        flush_all(member);
    } else {
        fuzz_sim_run(&member->sim, (double)cursor_u16(&cursor) / 1000, NULL);
        return;
    }
    fuzz_sim_run(&member->sim, 0.05, NULL);
}

FUZZ_TARGET(member)
{
    struct fuzz_member member;
    fuzz_member_prepare(&member);
    fuzz_member_start(&member);
    fuzz_sim_run(&member.sim, 1, NULL);
    struct cursor cursor = cursor_make(input);
    for (uint64_t id = 1; fuzz_goes_on(&cursor) && id < STEPS_MAX; id++) {
        uint8_t what = cursor_u8(&cursor);
        step(&member, what, id, fuzz_take(&cursor, cursor_u16(&cursor)));
    }
    fuzz_sim_run(&member.sim, 12, NULL);
    fuzz_member_stop(&member);
    fuzz_member_start(&member);
    fuzz_sim_run(&member.sim, 4, NULL);
    fuzz_member_stop(&member);
    fuzz_member_end(&member);
}
