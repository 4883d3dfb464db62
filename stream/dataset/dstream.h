// A streaming job: what a script builds with StreamingContext
// (org.apache.spark.streaming.StreamingContext), and what the driver runs batch by batch.
//
// It knows nothing of files, sockets and nodes: bytes of its sources come in, cells of its outputs
// go out.
#ifndef STREAM_DSTREAM_H
#define STREAM_DSTREAM_H

#include "stream/dataset/dataset.h"
#include "stream/dataset/output.h"

enum { DSTREAM_SOURCES_MAX = 1, DSTREAM_NAME_SIZE_MAX = 255 };

enum dstream_source_kind {
    DSTREAM_TEXT, // A record is a line.
    DSTREAM_JSON, // A record is some fields of a line.
};

struct dstream_source {
    enum dstream_source_kind kind;
    char *location; // A path, "-" or "http://…".
    struct dataset *dataset;
    struct json_reader *reader; // JSON.
    size_t field_count;
    struct buffer texts[JSON_PATHS_MAX]; // Unescaped fields of the present line.
};

struct dstream_context {
    struct dataset_graph graph;
    char *name;
    double interval_s;
    struct dstream_source sources[DSTREAM_SOURCES_MAX];
    size_t source_count;
    struct output *outputs[OUTPUTS_MAX];
    size_t output_count;
    bool is_started; // ssc:start()
};

struct dstream_context *dstream_create(struct slice name, double interval_s);
void dstream_destroy(struct dstream_context *context);

// Fields, for JSON, are paths (json.h): a record has one value for each. INVALID, OVERLOADED.
MUST_USE enum status dstream_add_source(struct dstream_context *context,
                                        enum dstream_source_kind kind, struct slice location,
                                        const char *const *fields, size_t field_count,
                                        struct dataset **made, struct error *error);
MUST_USE enum status dstream_save(struct dstream_context *context, struct dataset *parent,
                                  struct slice keyspace, struct slice table,
                                  const struct slice *columns, size_t column_count,
                                  struct error *error);

// A batch: begin, any number of blocks of whole lines for each source, finish; then the outputs
// hold its cells. A fault's text is in the graph's task.
void dstream_begin(struct dstream_context *context, uint64_t number, int64_t now_us);
MUST_USE enum status dstream_process(struct dstream_context *context, size_t source,
                                     struct slice lines);
MUST_USE enum status dstream_finish(struct dstream_context *context);

#endif
