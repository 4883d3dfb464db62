// A job's file, packed or not, read block by block and again from the middle: u8 flags | bytes.
#include "stream/source/source.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/targets.h"

struct reading {
    enum status status;
    struct source_block block;
    bool is_done;
};

static void was_read(void *context, enum status status, const struct error *error,
                     const struct source_block *block)
{
    struct reading *reading = context;
    (void)error;
    reading->status = status;
    if (status == STATUS_OK) reading->block = *block;
    reading->is_done = true;
}

// The middle of what was read.
static uint64_t read_all(struct fuzz_sim *sim, const char *path, uint64_t from,
                         const struct source_wanted *wanted)
{
    struct source *source;
    struct error error;
    if (source_file_open(sim->env, path, &source, &error) != STATUS_OK) return 0;
    uint64_t at = from, middle = 0;
    if (source_attach(source, (struct uuid){{1}}, from, from, &error) == STATUS_OK) {
        for (int i = 0; i < 1000; i++) {
            struct reading reading = {0};
            source_read(source, wanted, was_read, &reading);
            fuzz_sim_run(sim, 60, &reading.is_done);
            ASSERT(reading.is_done);
            if (reading.status != STATUS_OK) break;
            ASSERT(reading.block.from == at && reading.block.to >= at + reading.block.lines.size);
            if (i == 0) middle = reading.block.to / 2;
            at = reading.block.to;
            if (reading.block.at_end) break;
        }
    }
    source_destroy(source);
    return middle;
}

FUZZ_TARGET(source)
{
    struct cursor cursor = cursor_make(input);
    uint8_t flags = cursor_u8(&cursor);
    const char *path = (flags & 1) != 0 ? "/lines.jsonl.gz" : "/lines.jsonl";
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, 0);
    fuzz_sim_write(&sim, path, fuzz_rest(&cursor));
    struct source_wanted wanted = {UINT64_MAX, SOURCE_BLOCK_SIZE, 0};
    uint64_t middle = read_all(&sim, path, 0, &wanted);
    (void)read_all(&sim, path, UINT64_MAX, &wanted);
    wanted = (struct source_wanted){middle * 2, 1 + (size_t)flags, (flags >> 4) % 3};
    (void)read_all(&sim, path, middle, &wanted);
    fuzz_sim_close(&sim);
}
