// The intake's directory as a crash or a hand left it: { u8 number | u8 kind | u8 size | bytes }*.
#include "stream/source/intake.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/targets.h"

#include <stdio.h>

FUZZ_TARGET(intake)
{
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, 0);
    ASSERT(env_make_dir(sim.env, "/intake", NULL) == STATUS_OK);
    struct uuid job = {{1}};
    char id[UUID_TEXT_SIZE], path[128];
    uuid_format(job, id);
    struct cursor cursor = cursor_make(input);
    uint64_t done = cursor_u64(&cursor);
    for (int i = 0; i < 8 && fuzz_goes_on(&cursor); i++) {
        unsigned number = cursor_u8(&cursor);
        uint8_t kind = cursor_u8(&cursor) % 3;
        struct slice bytes = fuzz_take(&cursor, cursor_u8(&cursor));
        if (kind == 2)
            (void)snprintf(path, sizeof path, "/intake/%s-%u%.*s", id, number,
                           (int)(bytes.size < 8 ? bytes.size : 8), (const char *)bytes.data);
        else
            (void)snprintf(path, sizeof path, "/intake/%s-%06u", id, number);
        if (kind == 2 && strchr(path + 8, '/') != NULL) continue;
        bool exists;
        ASSERT(env_path_exists(sim.env, path, &exists, NULL, NULL) == STATUS_OK);
        if (exists) continue;
        if (kind == 1)
            (void)!env_make_dir(sim.env, path, NULL);
        else
            fuzz_sim_write(&sim, path, bytes);
    }
    struct intake *intake;
    struct error error;
    if (intake_open(sim.env, "/intake", job, done, done, &intake, &error) == STATUS_OK) {
        uint64_t size = intake_size(intake);
        uint8_t bytes[64];
        size_t read_size;
        if (intake_append(intake, slice_of_text("more\n"), &error) == STATUS_OK) {
            ASSERT(intake_size(intake) == size + 5);
            ASSERT(intake_read(intake, size, bytes, 5, &read_size, &error) == STATUS_OK);
            ASSERT(read_size == 5 && memcmp(bytes, "more\n", 5) == 0);
        }
        intake_forget(intake, size);
        intake_close(intake);
    }
    fuzz_sim_close(&sim);
}
