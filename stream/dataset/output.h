// saveToCassandra: adds each record's counter to a cell of a table
// (com.datastax.spark.connector's DStreamFunctions.saveToCassandra).
//
// The last reduce of a batch is by target cell (rule 4 of the exactly-once protocol): whatever
// operators stood before, one sum for each cell leaves the worker. A record's tuples are flattened,
// so that ((tag, day), n) fits three columns.
//
//     cell key = vbytes partition key | vbytes of each clustering value
//     cell     = vbytes key | zv sum
#ifndef STREAM_OUTPUT_H
#define STREAM_OUTPUT_H

#include "storage/schema/schema.h"
#include "stream/dataset/dataset.h"

enum { OUTPUT_COLUMNS_MAX = 32, OUTPUTS_MAX = 16 };

// Where one of the job's columns goes, as the ring's schema says.
enum output_role { OUTPUT_PARTITION_KEY, OUTPUT_CLUSTERING, OUTPUT_COUNTER };
struct output_column {
    enum output_role role;
    uint16_t index;      // Of the key's columns.
    enum type_kind type; // A scalar.
};

struct output {
    struct dataset dataset;
    uint32_t ordinal; // Of the saves in the job: counter ids are made from it.
    char *keyspace, *table;
    char *names[OUTPUT_COLUMNS_MAX]; // SomeColumns, in the order of the record's values.
    struct output_column columns[OUTPUT_COLUMNS_MAX];
    size_t column_count;
    bool is_bound;
    struct combine cells;
    struct buffer key;
};

// INVALID: too many columns. The slices are copied.
MUST_USE enum status output_create(struct dataset *parent, uint32_t ordinal, struct slice keyspace,
                                   struct slice table, const struct slice *columns,
                                   size_t column_count, struct output **made, struct error *error);

// Finds the role of each name in a table of the ring: all of its primary key and one counter.
// INVALID says what does not fit.
MUST_USE enum status output_roles(const struct table *table, const struct slice *names,
                                  size_t count, struct output_column *columns, struct error *error);
// Before the first batch.
void output_bind(struct output *output, const struct output_column *columns);

// What the batch's cells cost, here and at a reducer that has all of them.
size_t output_size(const struct output *output);
// The batch's cells in pieces of about `size` bytes: calls `part` for each.
void output_take_parts(struct output *output, size_t size,
                       void (*part)(void *context, struct output *output, struct slice cells),
                       void *context);

#endif
