// A table's directory after a crash: Cassandra's transaction log and files of any name.
//
//     { u8 kind | … }*    0 the log: u8 size | name (of no use) | u8 size | bytes
//                         1 a file, 2 a directory: u8 size | name | u8 size | bytes
//                         3 a sound line of the log: u8 type | u8 age | u8 count | u8 size | path
//                         4 bytes of the log: u8 size | bytes
//                         5 the log ends, there is another: u8 number
//                         6 a fault: u8 kind | u8 countdown
//
// Lines have right checksums, and times that may be those of the files, so that what they say is
// reached. A recovery that did what it had to finds nothing to do when it comes again.
#include "base/buffer.h"
#include "storage/sstable/sstable.h"
#include "storage/sstable/transaction_record.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/targets.h"

#include <stdio.h>
#include <stdlib.h>

struct crashed {
    struct fuzz_sim sim;
    struct buffer log;
    enum fuzz_fault fault;
    uint8_t countdown;
};

static bool exists_at(struct fuzz_sim *sim, const char *path)
{
    bool exists;
    return env_path_exists(sim->env, path, &exists, NULL, NULL) != STATUS_OK || exists;
}

static void make_file(struct fuzz_sim *sim, struct cursor *cursor, uint8_t kind)
{
    struct slice name = fuzz_take(cursor, cursor_u8(cursor));
    struct slice bytes = fuzz_take(cursor, cursor_u8(cursor));
    char path[300];
    (void)snprintf(path, sizeof path, "/t/%.*s", (int)name.size, (const char *)name.data);
    if (strchr(path + 3, '/') != NULL || path[3] == 0 || path[3] == '.') return;
    if (kind == 0) (void)snprintf(path, sizeof path, "/t/nb_txn_flush_%d.log", 1);
    if (exists_at(sim, path)) return;
    if (kind == 2)
        (void)!env_make_dir(sim->env, path, NULL);
    else
        fuzz_sim_write(sim, path, bytes);
}

static void put_line(struct crashed *crashed, struct cursor *cursor)
{
    struct transaction_record record = {
        .type = (enum transaction_record_type)(cursor_u8(cursor) % (TRANSACTION_ABORT + 1))};
    int64_t now_ms = env_wall_us(crashed->sim.env) / 1000;
    record.time_ms = (uint64_t)now_ms - 250 * (uint64_t)cursor_u8(cursor);
    record.count = cursor_u8(cursor);
    record.path = fuzz_take(cursor, cursor_u8(cursor));
    transaction_record_format(&record, &crashed->log);
}

static void end_log(struct crashed *crashed, uint8_t number)
{
    char path[64];
    if (crashed->log.size == 0) return;
    // The last one is no log's.
    static const char *const names[] = {"nb_txn_flush", "txn_a", "cd-nb_txn_b", "x_txn_flush"};
    (void)snprintf(path, sizeof path, "/t/%s_%u.log", names[number % 4], number);
    // A file or a directory of the input may have this name.
    if (!exists_at(&crashed->sim, path))
        fuzz_sim_write(&crashed->sim, path, buffer_slice(&crashed->log));
    buffer_clear(&crashed->log);
}

static void make_next(struct crashed *crashed, struct cursor *cursor)
{
    uint8_t kind = cursor_u8(cursor) % 7;
    if (kind < 3) {
        make_file(&crashed->sim, cursor, kind);
    } else if (kind == 3) {
        put_line(crashed, cursor);
    } else if (kind == 4) {
        struct slice bytes = fuzz_take(cursor, cursor_u8(cursor));
        buffer_put(&crashed->log, bytes.data, bytes.size);
    } else if (kind == 5) {
        end_log(crashed, cursor_u8(cursor));
    } else {
        crashed->fault = (enum fuzz_fault)(cursor_u8(cursor) % FUZZ_FAULT_COUNT);
        crashed->countdown = cursor_u8(cursor);
    }
}

static void count_name(void *context, const char *name, bool is_dir)
{
    (void)name;
    (void)is_dir;
    ++*(size_t *)context;
}

static void recover(struct crashed *crashed)
{
    struct env *env = crashed->sim.env;
    struct sstable_listing listing, again;
    struct error error;
    enum status status = sstable_recover_directory(env, "/t", &listing, &error);
    fuzz_sim_fail(&crashed->sim, FUZZ_FAULT_NONE, 0);
    if (status != STATUS_OK) return;
    size_t before = 0, after = 0;
    ASSERT(env_list_dir(env, "/t", count_name, &before, NULL) == STATUS_OK);
    for (size_t i = 1; i < listing.count; i++)
        ASSERT(listing.generations[i - 1] < listing.generations[i]);
    ASSERT(sstable_recover_directory(env, "/t", &again, &error) == STATUS_OK);
    ASSERT(env_list_dir(env, "/t", count_name, &after, NULL) == STATUS_OK);
    ASSERT(before == after && again.count == listing.count);
    for (size_t i = 0; i < listing.count; i++)
        (void)!sstable_remove(env, "/t", listing.generations[i], &error);
    free(again.generations);
    free(listing.generations);
}

FUZZ_TARGET(transaction_log)
{
    struct crashed crashed = {.fault = FUZZ_FAULT_NONE};
    buffer_init(&crashed.log, 1 << 20);
    fuzz_sim_open(&crashed.sim, 0);
    struct env *env = crashed.sim.env;
    ASSERT(env_make_dir(env, "/t", NULL) == STATUS_OK);
    fuzz_sim_write(&crashed.sim, "/outside", slice_of_text("kept"));
    struct cursor cursor = cursor_make(input);
    for (int i = 0; i < 32 && fuzz_goes_on(&cursor); i++)
        make_next(&crashed, &cursor);
    end_log(&crashed, 0);
    fuzz_sim_fail(&crashed.sim, crashed.fault, crashed.countdown);
    recover(&crashed);
    fuzz_sim_fail(&crashed.sim, FUZZ_FAULT_NONE, 0);
    bool exists;
    ASSERT(env_path_exists(env, "/outside", &exists, NULL, NULL) == STATUS_OK && exists);
    fuzz_sim_close(&crashed.sim);
    buffer_deinit(&crashed.log);
}
