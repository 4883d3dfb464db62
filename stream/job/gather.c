#include "stream/job/gather.h"

#include "base/assert.h"

#include <inttypes.h>

void gather_init(struct gather *gather)
{
    *gather = (struct gather){.number = 0};
    for (size_t i = 0; i < OUTPUTS_MAX; i++)
        combine_init(&gather->sums[i]);
}

void gather_deinit(struct gather *gather)
{
    for (size_t i = 0; i < OUTPUTS_MAX; i++)
        combine_deinit(&gather->sums[i]);
}

void gather_clear(struct gather *gather)
{
    for (size_t i = 0; i < OUTPUTS_MAX; i++)
        combine_clear(&gather->sums[i]);
    gather->number = gather->cut = gather->part_count = 0;
    memset(gather->seen, 0, sizeof gather->seen);
}

// Every cell of a part can be read: else nothing of it is added.
static bool gather_part_is_sound(struct slice cells)
{
    struct cursor cursor = cursor_make(cells);
    while (cursor_left(&cursor) > 0 && !cursor.failed) {
        struct slice key = cursor_vint_bytes(&cursor);
        (void)cursor_signed_vint(&cursor);
        if (key.size == 0) return false;
    }
    return !cursor.failed;
}

static size_t gather_size(const struct gather *gather)
{
    size_t size = 0;
    for (size_t i = 0; i < OUTPUTS_MAX; i++)
        size += combine_size(&gather->sums[i]);
    return size;
}

enum status gather_add(struct gather *gather, const struct job_part *part, struct error *error)
{
    if (part->output >= OUTPUTS_MAX || part->map_index >= GATHER_PARTS_MAX || part->number == 0 ||
        !gather_part_is_sound(part->cells))
        return error_set(error, STATUS_INVALID, "a part of a batch that makes no sense");
    if (!uuid_equals(gather->job, part->job) || gather->number != part->number ||
        gather->cut != part->cut) {
        gather_clear(gather);
        gather->job = part->job;
        gather->number = part->number;
        gather->cut = part->cut;
    }
    uint8_t *seen = &gather->seen[part->map_index / 8];
    uint8_t bit = (uint8_t)(1u << part->map_index % 8);
    if ((*seen & bit) != 0) return STATUS_OK;
    if (gather_size(gather) + part->cells.size > GATHER_SIZE_MAX)
        return error_set(error, STATUS_OVERLOADED,
                         "batch %" PRIu64 " changes too many cells; make batches smaller",
                         part->number);
    struct cursor cursor = cursor_make(part->cells);
    while (cursor_left(&cursor) > 0) {
        bool is_new;
        struct value *sum =
            combine_find(&gather->sums[part->output], cursor_vint_bytes(&cursor), &is_new);
        if (is_new) *sum = value_integer(0);
        struct value more = value_integer(cursor_signed_vint(&cursor));
        if (!value_add(sum, &more, sum)) ASSERT(false);
    }
    *seen |= bit;
    gather->part_count++;
    return STATUS_OK;
}

bool gather_is_whole(const struct gather *gather, const struct job_task *task)
{
    if (task->part_count == 0) return true; // A batch that changes no cell.
    if (!uuid_equals(gather->job, task->job) || gather->number != task->number ||
        gather->cut != task->cut || gather->part_count != task->part_count)
        return false;
    for (uint64_t i = 0; i < task->part_count; i++)
        if ((gather->seen[i / 8] & 1u << i % 8) == 0) return false;
    return true;
}
