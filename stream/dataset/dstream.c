#include "stream/dataset/dstream.h"

#include "base/assert.h"
#include "base/limits.h"
#include "stream/dataset/operators.h"
#include "stream/source/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *dstream_copy_text(struct slice text)
{
    char *copy = strndup((const char *)text.data, text.size);
    ASSERT(copy != NULL);
    return copy;
}

struct dstream_context *dstream_create(struct slice name, double interval_s)
{
    struct dstream_context *context = calloc(1, sizeof *context);
    ASSERT(context != NULL);
    context->name = dstream_copy_text(name);
    context->interval_s = interval_s;
    dataset_graph_init(&context->graph);
    return context;
}

static void dstream_source_deinit(struct dstream_source *source)
{
    for (size_t i = 0; i < source->field_count; i++)
        buffer_deinit(&source->texts[i]);
    json_reader_destroy(source->reader);
    free(source->location);
}

void dstream_destroy(struct dstream_context *context)
{
    if (context == NULL) return;
    dataset_graph_deinit(&context->graph);
    for (size_t i = 0; i < context->source_count; i++)
        dstream_source_deinit(&context->sources[i]);
    free(context->name);
    free(context);
}

static enum status dstream_add_fields(struct dstream_source *source, const char *const *fields,
                                      size_t count, struct error *error)
{
    source->reader = json_reader_create();
    for (size_t i = 0; i < count; i++) {
        enum status status = json_reader_add_path(source->reader, fields[i], error);
        if (status != STATUS_OK) return status;
        buffer_init(&source->texts[i], 4 * (size_t)STREAM_LINE_SIZE_MAX);
        source->field_count++;
    }
    return STATUS_OK;
}

enum status dstream_add_source(struct dstream_context *context, enum dstream_source_kind kind,
                               struct slice location, const char *const *fields, size_t field_count,
                               struct dataset **made, struct error *error)
{
    if (context->source_count == DSTREAM_SOURCES_MAX)
        return error_set(error, STATUS_OVERLOADED, "a job has at most %d source",
                         DSTREAM_SOURCES_MAX);
    struct dstream_source *source = &context->sources[context->source_count];
    *source = (struct dstream_source){.kind = kind};
    enum status status = STATUS_OK;
    if (kind == DSTREAM_JSON) status = dstream_add_fields(source, fields, field_count, error);
    if (status == STATUS_OK) status = operators_source(&context->graph, &source->dataset, error);
    if (status != STATUS_OK) {
        dstream_source_deinit(source);
        return status;
    }
    source->location = dstream_copy_text(location);
    *made = source->dataset;
    context->source_count++;
    return STATUS_OK;
}

enum status dstream_save(struct dstream_context *context, struct dataset *parent,
                         struct slice keyspace, struct slice table, const struct slice *columns,
                         size_t column_count, struct error *error)
{
    if (context->output_count == OUTPUTS_MAX)
        return error_set(error, STATUS_OVERLOADED, "a job has at most %d saves", OUTPUTS_MAX);
    struct output *output;
    enum status status = output_create(parent, (uint32_t)context->output_count, keyspace, table,
                                       columns, column_count, &output, error);
    if (status == STATUS_OK) context->outputs[context->output_count++] = output;
    return status;
}

void dstream_begin(struct dstream_context *context, uint64_t number, int64_t now_us)
{
    dataset_graph_begin(&context->graph, number, now_us);
}

static double dstream_parse_number(struct slice digits)
{
    char text[400];
    if (digits.size >= sizeof text) return digits.data[0] == '-' ? -HUGE_VAL : HUGE_VAL;
    memcpy(text, digits.data, digits.size);
    text[digits.size] = '\0';
    return strtod(text, NULL);
}

// Exact where a double is not: an id of a tweet has 18 digits.
static struct value dstream_number(struct slice digits)
{
    bool is_negative = digits.data[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + is_negative, number = 0;
    for (size_t i = is_negative; i < digits.size; i++) {
        unsigned digit = digits.data[i] - (unsigned)'0';
        if (digit > 9 || number > (limit - digit) / 10)
            return value_number(dstream_parse_number(digits));
        number = number * 10 + digit;
    }
    return value_integer((int64_t)(is_negative ? -number : number));
}

static struct value dstream_value_of(const struct json_value *field, struct buffer *text)
{
    switch (field->kind) {
    case JSON_STRING:
        return value_text(json_string(field, text));
    case JSON_NUMBER:
        return dstream_number(field->raw);
    case JSON_TRUE:
    case JSON_FALSE:
        return value_boolean(field->kind == JSON_TRUE);
    case JSON_ARRAY:
    case JSON_OBJECT:
        return value_text(field->raw); // As JSON.
    case JSON_NULL:
    case JSON_MISSING:
        break;
    }
    return value_null();
}

static enum status dstream_process_json(struct dstream_context *context,
                                        struct dstream_source *source, struct slice line)
{
    struct json_value fields[JSON_PATHS_MAX];
    struct value values[JSON_PATHS_MAX];
    enum json_fault fault = json_reader_read(source->reader, line, fields);
    for (size_t i = 0; i < source->field_count && fault == JSON_FAULT_NONE; i++) {
        if (fields[i].kind == JSON_MISSING) fault = JSON_FAULT_MISSING_FIELD;
    }
    if (fault != JSON_FAULT_NONE) {
        context->graph.task.faults[fault]++;
        return STATUS_OK;
    }
    for (size_t i = 0; i < source->field_count; i++)
        values[i] = dstream_value_of(&fields[i], &source->texts[i]);
    return dataset_emit(source->dataset, &(struct record){values, source->field_count});
}

static enum status dstream_process_text(struct dstream_context *context,
                                        struct dstream_source *source, struct slice line)
{
    if (line.size > 0 && line.data[line.size - 1] == '\r') line.size--;
    if (!text_is_utf8(line)) {
        context->graph.task.faults[JSON_FAULT_NOT_UTF8]++;
        return STATUS_OK;
    }
    struct value value = value_text(line);
    return dataset_emit(source->dataset, &(struct record){&value, 1});
}

enum status dstream_process(struct dstream_context *context, size_t index, struct slice lines)
{
    struct dstream_source *source = &context->sources[index];
    struct task *task = &context->graph.task;
    const uint8_t *at = lines.data, *end = at + lines.size;
    while (at < end) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        const uint8_t *line_end = newline == NULL ? end : newline;
        struct slice line = slice_make(at, (size_t)(line_end - at));
        arena_reset(&task->arena);
        task->records++;
        enum status status = source->kind == DSTREAM_JSON
                                 ? dstream_process_json(context, source, line)
                                 : dstream_process_text(context, source, line);
        if (status != STATUS_OK) return status;
        at = line_end + 1;
    }
    return STATUS_OK;
}

enum status dstream_finish(struct dstream_context *context)
{
    return dataset_graph_finish(&context->graph);
}
