// The configuration file.
#include "node/config.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/targets.h"

FUZZ_TARGET(config)
{
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, 0);
    fuzz_sim_write(&sim, "/helenus.yaml", input);
    struct config config;
    struct error error;
    config_set_defaults(&config);
    if (config_read_file(sim.env, &config, "/helenus.yaml", &error) == STATUS_OK) {
        size_t count;
        const struct config_key *keys = config_keys(&count);
        for (size_t i = 0; i < count; i++) {
            if (!keys[i].is_number) continue;
            int64_t value;
            memcpy(&value, (const char *)&config + keys[i].offset, sizeof value);
            ASSERT(value >= keys[i].min && value <= keys[i].max);
        }
        (void)config_commit_log_sync(&config);
    }
    fuzz_sim_close(&sim);
}
