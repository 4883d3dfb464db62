// DIR/identity with any text.
#include "node/identity.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/targets.h"

FUZZ_TARGET(identity)
{
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, 0);
    fuzz_sim_write(&sim, "/identity", input);
    static struct identity identity;
    struct error error;
    if (identity_open(sim.env, "/", 16, &identity, &error) == STATUS_OK) {
        ASSERT(identity.token_count >= 1 && identity.token_count <= IDENTITY_TOKENS_MAX);
        for (size_t i = 1; i < identity.token_count; i++)
            ASSERT(identity.tokens[i - 1].value < identity.tokens[i].value);
    }
    fuzz_sim_close(&sim);
}
