// A damaged metadata log: it opens or says CORRUPT, and what it opened once it opens again, the
// same.
//
//     u8 how | bytes      how 0: they are the whole file
//     else                u16 size | state | { u8 kind << 6 | lag | u16 size | entry }*, with right
//                         checksums;
//                         bit 1 of how: the state is there (the file is not the first one)
#include "base/checksum.h"
#include "ring/metadata/metadata.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/targets.h"

static void put_log(struct buffer *file, struct cursor *input, uint64_t number)
{
    struct slice state = fuzz_take(input, cursor_u16(input));
    buffer_put_u64(file, UINT64_C(0x48454c4d45544131));
    buffer_put_u64(file, number);
    buffer_put_u64(file, checksum_xxh3(state, number));
    buffer_put_u32(file, (uint32_t)state.size);
    buffer_put(file, state.data, state.size);
    while (fuzz_goes_on(input)) {
        uint8_t lag = cursor_u8(input);
        uint64_t kind = lag >> 6;
        lag &= 63;
        struct slice record = fuzz_take(input, cursor_u16(input));
        number++;
        uint64_t synced = number > lag ? number - lag : 0;
        uint64_t seed = number * UINT64_C(0x9E3779B97F4A7C15) ^ synced ^ kind << 56;
        buffer_put_u32(file, (uint32_t)kind << 28 | (uint32_t)record.size);
        buffer_put_u64(file, number);
        buffer_put_u64(file, synced);
        buffer_put_u64(file, checksum_xxh3(record, seed));
        buffer_put(file, record.data, record.size);
    }
}

struct opened {
    struct uuid version;
    uint64_t roles;
};

// What is known of roles; whom each inherits from has an end, and is no more than there are.
static uint64_t look_at_roles(const struct roles *roles)
{
    size_t count = 0, inherited;
    const struct role *role;
    while (roles_at(roles, count) != NULL)
        count++;
    for (size_t i = 0; (role = roles_at(roles, i)) != NULL; i++) {
        (void)roles_inherited(role, &inherited);
        ASSERT(inherited >= 1 && inherited <= count);
    }
    struct buffer bytes;
    buffer_init(&bytes, 1 << 26);
    roles_put_all(&bytes, roles);
    uint64_t hash = checksum_xxh3(buffer_slice(&bytes), 0);
    buffer_deinit(&bytes);
    return hash;
}

// False: CORRUPT.
static bool open_metadata(struct fuzz_sim *sim, struct opened *opened)
{
    struct metadata *metadata;
    struct error error;
    enum status status = metadata_open(
        sim->env, &(struct metadata_options){.directory = "/metadata"}, &metadata, &error);
    ASSERT(status == STATUS_OK || status == STATUS_CORRUPT);
    if (status != STATUS_OK) return false;
    *opened = (struct opened){schema_version(metadata_schema(metadata)),
                              look_at_roles(metadata_roles(metadata))};
    for (size_t i = 0; jobs_at(metadata_jobs(metadata), i) != NULL; i++)
        ASSERT(jobs_at(metadata_jobs(metadata), i)->batch_count <= JOB_BATCHES_MAX);
    metadata_close(metadata);
    return true;
}

FUZZ_TARGET(metadata)
{
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, 0);
    ASSERT(env_make_dir(sim.env, "/metadata", NULL) == STATUS_OK);
    struct buffer file;
    buffer_init(&file, 1 << 26);
    struct cursor cursor = cursor_make(input);
    uint8_t how = cursor_u8(&cursor);
    if (how == 0)
        buffer_put(&file, cursor.next, cursor_left(&cursor));
    else
        put_log(&file, &cursor, (how & 2) != 0);
    fuzz_sim_write(&sim, (how & 2) != 0 ? "/metadata/log-1" : "/metadata/log-0",
                   buffer_slice(&file));
    struct opened opened, again;
    if (open_metadata(&sim, &opened)) {
        ASSERT(open_metadata(&sim, &again));
        ASSERT(uuid_equals(opened.version, again.version) && opened.roles == again.roles);
    }
    buffer_deinit(&file);
    fuzz_sim_close(&sim);
}
