#include "node/sstable_tool/tool_merge.h"

#include "base/assert.h"
#include "base/limits.h"
#include "node/sstable_tool/table_union.h"
#include "storage/merge/merge.h"

#include <stdlib.h>

enum { KEY_NAMES_MAX = 256 };

enum status tool_merge_table(struct env *env, const struct tool_inputs *inputs, const char *keys,
                             const struct table **table, struct error *error)
{
    struct table_union whole;
    table_union_init(&whole);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < inputs->count && status == STATUS_OK; i++) {
        struct tool_sstable sstable;
        status = tool_sstable_begin(&sstable, env, &inputs->items[i], NULL, error);
        if (status != STATUS_OK) break;
        status = table_union_add(&whole, &sstable, error);
        tool_sstable_close(&sstable);
    }
    struct slice names[KEY_NAMES_MAX];
    struct header_table_names all = {slice_of_text("ks"), slice_of_text("t"), names,
                                     header_table_split_names(keys, names, KEY_NAMES_MAX)};
    if (status == STATUS_OK) status = header_table_make(&whole.header, &all, table, error);
    table_union_deinit(&whole);
    return status;
}

enum status tool_merge_open(struct tool_merge *merge, struct env *env,
                            const struct tool_inputs *inputs, const struct table *table,
                            struct error *error)
{
    *merge = (struct tool_merge){.env = env, .table = table};
    table_ref(table);
    arena_init(&merge->arena, 64 * KIB);
    merge->readers = calloc(inputs->count, sizeof *merge->readers);
    ASSERT(merge->readers != NULL);
    for (size_t i = 0; i < inputs->count; i++) {
        enum status status =
            sstable_open_named(env, inputs->items[i].directory, &inputs->items[i].name, table, NULL,
                               &merge->readers[i], error);
        if (status != STATUS_OK) {
            tool_merge_close(merge);
            return status;
        }
        merge->count++;
    }
    return STATUS_OK;
}

enum status tool_merge_scan(struct tool_merge *merge, struct error *error)
{
    struct scan_iterator **scans =
        ARENA_NEW_ARRAY(&merge->arena, struct scan_iterator *, merge->count);
    for (size_t i = 0; i < merge->count; i++) {
        enum status status =
            sstable_scan_apart(merge->readers[i], merge->table, &merge->arena, &scans[i], error);
        if (status != STATUS_OK) {
            while (i-- > 0)
                scan_iterator_close(scans[i]);
            return status;
        }
    }
    merge->scan = merge_scans(scans, merge->count, false, &merge->arena);
    return STATUS_OK;
}

void tool_merge_close(struct tool_merge *merge)
{
    scan_iterator_close(merge->scan);
    for (size_t i = 0; i < merge->count; i++)
        sstable_unref(merge->readers[i]);
    free(merge->readers);
    table_unref(merge->table);
    arena_deinit(&merge->arena);
}
