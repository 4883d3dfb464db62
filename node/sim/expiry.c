#include "node/sim/expiry.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct write {
    uint64_t stamp;
    struct expiry_span over;
    bool is_refused;
};

struct cell {
    uint64_t floor;
    struct write *writes; // By stamp.
    size_t count, capacity;
};

struct expiry {
    struct cell cells[EXPIRY_PARTITIONS * EXPIRY_ROWS];
};

struct expiry *expiry_create(void)
{
    struct expiry *expiry = calloc(1, sizeof *expiry);
    ASSERT(expiry != NULL);
    return expiry;
}

void expiry_destroy(struct expiry *expiry)
{
    for (size_t i = 0; i < EXPIRY_PARTITIONS * EXPIRY_ROWS; i++)
        free(expiry->cells[i].writes);
    free(expiry);
}

static struct cell *cell_at(struct expiry *expiry, size_t partition, size_t row)
{
    ASSERT(partition < EXPIRY_PARTITIONS && row < EXPIRY_ROWS);
    return &expiry->cells[partition * EXPIRY_ROWS + row];
}

static struct write *find(struct cell *cell, uint64_t stamp)
{
    for (size_t i = cell->count; i-- > 0;)
        if (cell->writes[i].stamp == stamp) return &cell->writes[i];
    return NULL;
}

// ---- Writes ------------------------------------------------------------------------------------

void expiry_write(struct expiry *expiry, size_t partition, size_t row, uint64_t stamp)
{
    struct cell *cell = cell_at(expiry, partition, row);
    if (cell->count == cell->capacity) {
        cell->capacity = cell->capacity == 0 ? 16 : 2 * cell->capacity;
        cell->writes = realloc(cell->writes, cell->capacity * sizeof *cell->writes);
        ASSERT(cell->writes != NULL);
    }
    cell->writes[cell->count++] = (struct write){.stamp = stamp, .over = {INT64_MIN, INT64_MAX}};
}

void expiry_written(struct expiry *expiry, size_t partition, size_t row, uint64_t stamp,
                    struct expiry_span over, bool is_certain)
{
    struct cell *cell = cell_at(expiry, partition, row);
    struct write *write = find(cell, stamp);
    ASSERT(write != NULL);
    write->over = over;
    if (is_certain && stamp > cell->floor) cell->floor = stamp;
}

void expiry_refuse(struct expiry *expiry, size_t partition, size_t row, uint64_t stamp)
{
    struct write *write = find(cell_at(expiry, partition, row), stamp);
    ASSERT(write != NULL);
    write->is_refused = true;
}

uint64_t expiry_floor(const struct expiry *expiry, size_t partition, size_t row)
{
    ASSERT(partition < EXPIRY_PARTITIONS && row < EXPIRY_ROWS);
    return expiry->cells[partition * EXPIRY_ROWS + row].floor;
}

// ---- Reads -------------------------------------------------------------------------------------

// Some write from the floor on may be the newest, and over.
static bool may_be_over(const struct cell *cell, uint64_t floor, struct expiry_span now)
{
    for (size_t i = 0; i < cell->count; i++) {
        const struct write *write = &cell->writes[i];
        if (write->stamp >= floor && !write->is_refused && now.last_s >= write->over.first_s)
            return true;
    }
    return false;
}

const char *expiry_read(struct expiry *expiry, size_t partition, size_t row, uint64_t stamp,
                        uint64_t floor, struct expiry_span now, bool is_strong,
                        char message[static 512])
{
    struct cell *cell = cell_at(expiry, partition, row);
    if (stamp == 0) {
        if (!is_strong || floor == 0 || may_be_over(cell, floor, now)) return NULL;
        (void)snprintf(message, 512, "nothing was read, but write %" PRIu64 " is certain and lives",
                       floor);
        return message;
    }
    const struct write *write = find(cell, stamp);
    if (write == NULL || write->is_refused) {
        (void)snprintf(message, 512, "write %" PRIu64 " was read, which was refused or never made",
                       stamp);
        return message;
    }
    if (now.first_s >= write->over.last_s) {
        (void)snprintf(message, 512,
                       "write %" PRIu64 " was read at second %" PRId64
                       " or later, and was over at %" PRId64 " at the latest",
                       stamp, now.first_s, write->over.last_s);
        return message;
    }
    if (!is_strong) return NULL;
    if (stamp < floor) {
        (void)snprintf(message, 512, "write %" PRIu64 " was read, but write %" PRIu64 " is certain",
                       stamp, floor);
        return message;
    }
    if (stamp > cell->floor) cell->floor = stamp;
    return NULL;
}
