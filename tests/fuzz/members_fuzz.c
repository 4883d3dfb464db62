// DIR/members with any text; what is taken is written and read again.
#include "node/members.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/targets.h"

FUZZ_TARGET(members)
{
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, 0);
    fuzz_sim_write(&sim, "/members", input);
    struct topology *topology, *again;
    struct error error;
    uint16_t self, same;
    if (members_read(sim.env, "/", &topology, &self, &error) == STATUS_OK) {
        ASSERT(topology != NULL && self < topology->member_count);
        if (members_write(sim.env, "/", topology, self, &error) == STATUS_OK) {
            ASSERT(members_read(sim.env, "/", &again, &same, &error) == STATUS_OK);
            ASSERT(self == same && again->place_count == topology->place_count);
            topology_destroy(again);
        }
        topology_destroy(topology);
    }
    fuzz_sim_close(&sim);
}
