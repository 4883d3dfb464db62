// A table's manifest: as it is, and with a checksum that is right. What is read is written the
// same.
#include "base/checksum.h"
#include "storage/engine/manifest.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/targets.h"

static void check(struct fuzz_sim *sim, struct slice bytes)
{
    struct manifest manifest;
    struct error error;
    fuzz_sim_write(sim, "/manifest", bytes);
    if (manifest_load(sim->env, "/manifest", &manifest, &error) != STATUS_OK) return;
    ASSERT(manifest_store(sim->env, "/", "/again", &manifest, &error) == STATUS_OK);
    manifest_deinit(&manifest);
    ASSERT(manifest_load(sim->env, "/again", &manifest, &error) == STATUS_OK);
    manifest_deinit(&manifest);
}

FUZZ_TARGET(manifest)
{
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, 0);
    check(&sim, input);
    struct buffer bytes;
    buffer_init(&bytes, 1 << 26);
    buffer_put(&bytes, input.data, input.size);
    buffer_put_u64(&bytes, checksum_xxh3(input, 0));
    check(&sim, buffer_slice(&bytes));
    buffer_deinit(&bytes);
    fuzz_sim_close(&sim);
}
