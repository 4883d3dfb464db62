// Files of hints that a life before left, opened and sent to members that are up.
//
//     { u8 what | … }*    0 record: i8 age, hours | u16 size | bytes, with a right checksum
//                         1 raw bytes: u8 size | bytes        2 the magic
//                         3 end of a file: u8 bit 0 of member 2; then a number
//                         4 end of the file "truncations": the checksum is made right
//                         5 what the members answer to hints from now on: u8 size | bytes
#include "base/checksum.h"
#include "ring/coordinator/hints_internal.h"
#include "tests/fuzz/support/fuzz_member.h"
#include "tests/fuzz/targets.h"

#include <stdio.h>

struct hint_writer {
    struct fuzz_member *member;
    struct buffer bytes;
    uint64_t number;
};

static void put_record(struct hint_writer *writer, struct cursor *input)
{
    int64_t age_us = (int64_t)(int8_t)cursor_u8(input) * 3600000000;
    struct slice record = fuzz_take(input, cursor_u16(input));
    struct buffer *bytes = &writer->bytes;
    buffer_put_u32(bytes, (uint32_t)record.size);
    size_t checksum = bytes->size;
    buffer_put_u64(bytes, 0);
    buffer_put_u64(bytes, (uint64_t)(env_wall_us(writer->member->sim.env) - age_us));
    buffer_put(bytes, record.data, record.size);
    const struct slice covered = slice_make(bytes->data + checksum + 8, 8 + record.size);
    bytes_put_u64(bytes->data + checksum, checksum_xxh3(covered, record.size));
}

static void end_file(struct hint_writer *writer, uint8_t how)
{
    char path[128];
    struct uuid host = {{(how & 1) != 0 ? 3 : 2}};
    char text[UUID_TEXT_SIZE];
    uuid_format(host, text);
    writer->number += how / 2;
    (void)snprintf(path, sizeof path, "/hints/%s-%020llu.hints", text,
                   (unsigned long long)writer->number);
    fuzz_sim_write(&writer->member->sim, path, buffer_slice(&writer->bytes));
    buffer_clear(&writer->bytes);
}

static void end_truncations(struct hint_writer *writer)
{
    struct buffer *bytes = &writer->bytes;
    buffer_put_u64(bytes, checksum_xxh3(buffer_slice(bytes), HINTS_TRUNCATIONS_MAGIC));
    fuzz_sim_write(&writer->member->sim, "/hints/truncations", buffer_slice(bytes));
    buffer_clear(bytes);
}

static void put_next(struct hint_writer *writer, struct cursor *input)
{
    struct slice raw;
    switch (cursor_u8(input) % 6) {
    case 0:
        put_record(writer, input);
        break;
    case 1:
        raw = fuzz_take(input, cursor_u8(input));
        buffer_put(&writer->bytes, raw.data, raw.size);
        break;
    case 2:
        buffer_put_u64(&writer->bytes, HINTS_MAGIC);
        break;
    case 3:
        end_file(writer, cursor_u8(input));
        break;
    case 4:
        end_truncations(writer);
        break;
    default:
        writer->member->answers[VERB_HINT] = fuzz_take(input, cursor_u8(input));
    }
}

FUZZ_TARGET(hint)
{
    struct fuzz_member member;
    struct hint_writer writer = {.member = &member, .number = 1};
    fuzz_member_prepare(&member);
    ASSERT(env_make_dir(member.sim.env, "/hints", NULL) == STATUS_OK);
    buffer_init(&writer.bytes, 1 << 24);
    struct cursor cursor = cursor_make(input);
    while (fuzz_goes_on(&cursor))
        put_next(&writer, &cursor);
    end_file(&writer, 0);
    buffer_deinit(&writer.bytes);
    fuzz_member_start(&member);
    fuzz_sim_run(&member.sim, 10, NULL);
    fuzz_member_stop(&member);
    fuzz_member_end(&member);
}
