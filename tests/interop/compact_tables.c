// Compacts random tables that interop.write_tables wrote, for tests/interop/compactions.
//
//     interop.compact_tables DIRECTORY SEED COUNT FIRST GC_BEFORE HOST_ID
//
// All SSTables of each table NAME in DIRECTORY become DIRECTORY/NAME.helenus/nb-100-big-*, if
// anything is left of them.
#include "base/env_uv.h"
#include "base/limits.h"
#include "storage/compaction/compaction_task.h"
#include "storage/sstable/format.h"
#include "tests/storage/support/random_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct env *env;
static const char *root;
static struct uuid host_id;

static void demand(enum status status, const struct error *error)
{
    if (status == STATUS_OK || status == STATUS_END) return;
    fprintf(stderr, "%s: %s\n", status_text(status), error->text);
    exit(1);
}

static void run(struct compaction_task *task)
{
    struct error error = {0};
    enum status status;
    while ((status = compaction_task_step(task, MIB, &error)) == STATUS_OK) {
    }
    demand(status, &error);
    demand(compaction_task_commit(task, &error), &error);
    compaction_task_remove_inputs(task);
}

static void compact_table(uint64_t number, uint64_t seed, int32_t gc_before)
{
    char name[32], directory[1024], command[4096];
    snprintf(name, sizeof name, "t%05" PRIu64, number);
    snprintf(directory, sizeof directory, "%s/%s.helenus", root, name);
    snprintf(command, sizeof command, "cp -a '%s/%s' '%s'", root, name, directory);
    if (system(command) != 0) exit(1);
    struct random_table made;
    random_table_make(&made, seed * 1000003 + number,
                      (enum random_shape)(number % RANDOM_SHAPE_COUNT), "interop", name);
    struct error error = {0};
    struct sstable_listing listing;
    demand(sstable_recover_directory(env, directory, &listing, &error), &error);
    struct sstable_reader *readers[RANDOM_MEMTABLES_MAX];
    for (size_t i = 0; i < listing.count; i++)
        demand(sstable_open(env, directory, listing.generations[i], made.table, NULL, &readers[i],
                            &error),
               &error);
    struct compaction_task_options options = {
        .directory = directory,
        .table = made.table,
        .inputs = readers,
        .input_count = listing.count,
        .purge = {.now_s = (int32_t)(env_wall_us(env) / 1000000),
                  .gc_before = gc_before,
                  .memory_min_timestamp = INT64_MAX},
        .generation = 100,
        .generation_step = 1,
        .column_index_size = made.column_index_size,
        .host_id = &host_id,
        .with_table_compressor = true,
    };
    struct compaction_task *task = compaction_task_create(env, &options);
    run(task);
    compaction_task_destroy(task);
    for (size_t i = 0; i < listing.count; i++)
        sstable_unref(readers[i]);
    free(listing.generations);
    random_table_deinit(&made);
}

int main(int argc, char **argv)
{
    if (argc != 7 || uuid_parse(slice_of_text(argv[6]), &host_id) != STATUS_OK) {
        fprintf(stderr, "usage: %s DIRECTORY SEED COUNT FIRST GC_BEFORE HOST_ID\n", argv[0]);
        return 2;
    }
    root = realpath(argv[1], NULL);
    if (root == NULL || env_uv_create(&env, NULL) != STATUS_OK) return 2;
    uint64_t count = strtoull(argv[3], NULL, 10), first = strtoull(argv[4], NULL, 10);
    for (uint64_t i = first; i < first + count; i++)
        compact_table(i, strtoull(argv[2], NULL, 10), (int32_t)strtol(argv[5], NULL, 10));
    env_uv_destroy(env);
    free((void *)root);
    return 0;
}
