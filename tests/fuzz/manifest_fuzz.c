// A table's manifest: as it is, and with a checksum that is right. What is read is written the
// same, also when each of its entries was taken out and put in again.
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
    struct manifest copy;
    manifest_copy(&copy, &manifest);
    ASSERT(manifest_position(&copy) == manifest_position(&manifest));
    for (size_t i = 0; i < manifest.count; i++) {
        struct manifest_entry entry = *manifest_find(&copy, manifest.entries[i].generation);
        manifest_remove(&copy, entry.generation);
        manifest_add(&copy, &entry);
    }
    manifest_remove(&copy, UINT64_MAX);
    ASSERT(copy.count == manifest.count || manifest_find(&manifest, UINT64_MAX) != NULL);
    manifest_deinit(&copy);
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
    // A file that can not be read, or goes while it is.
    struct manifest manifest;
    struct error error;
    for (int fault = FUZZ_FAULT_OPEN; fault <= FUZZ_FAULT_READ; fault++) {
        fuzz_sim_fail(&sim, (enum fuzz_fault)fault, 1);
        ASSERT(manifest_load(sim.env, "/manifest", &manifest, &error) == STATUS_IO ||
               !fuzz_sim_has_failed());
    }
    buffer_deinit(&bytes);
    fuzz_sim_close(&sim);
}
