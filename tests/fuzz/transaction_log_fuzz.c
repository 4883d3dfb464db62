// A table's directory after a crash: Cassandra's transaction log and files of any name.
//
//     { u8 kind | u8 size | name | u8 size | bytes }*      kind 0: the log, 1 a file, 2 a directory
#include "storage/sstable/sstable.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/targets.h"

#include <stdio.h>
#include <stdlib.h>

static void make_file(struct fuzz_sim *sim, struct cursor *cursor)
{
    uint8_t kind = cursor_u8(cursor) % 3;
    struct slice name = fuzz_take(cursor, cursor_u8(cursor));
    struct slice bytes = fuzz_take(cursor, cursor_u8(cursor));
    char path[300];
    (void)snprintf(path, sizeof path, "/t/%.*s", (int)name.size, (const char *)name.data);
    if (strchr(path + 3, '/') != NULL || path[3] == 0 || path[3] == '.') return;
    if (kind == 0) (void)snprintf(path, sizeof path, "/t/nb_txn_flush_%d.log", 1);
    bool exists;
    if (env_path_exists(sim->env, path, &exists, NULL, NULL) != STATUS_OK || exists) return;
    if (kind == 2)
        (void)!env_make_dir(sim->env, path, NULL);
    else
        fuzz_sim_write(sim, path, bytes);
}

FUZZ_TARGET(transaction_log)
{
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, 0);
    ASSERT(env_make_dir(sim.env, "/t", NULL) == STATUS_OK);
    fuzz_sim_write(&sim, "/outside", slice_of_text("kept"));
    struct cursor cursor = cursor_make(input);
    for (int i = 0; i < 16 && fuzz_goes_on(&cursor); i++)
        make_file(&sim, &cursor);
    struct sstable_listing listing;
    struct error error;
    if (sstable_recover_directory(sim.env, "/t", &listing, &error) == STATUS_OK) {
        for (size_t i = 1; i < listing.count; i++)
            ASSERT(listing.generations[i - 1] < listing.generations[i]);
        free(listing.generations);
    }
    bool exists;
    ASSERT(env_path_exists(sim.env, "/outside", &exists, NULL, NULL) == STATUS_OK && exists);
    fuzz_sim_close(&sim);
}
