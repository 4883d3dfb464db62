#include "cql/protocol/request_trace.h"

#include "ring/consistency.h"
#include "storage/value.h"

#include <stdio.h>
#include <strings.h>

struct trace *request_trace_begin(struct connection *connection, bool is_asked)
{
    struct query_processor *processor = connection->shared->processor;
    if (!is_asked && !tracing_is_due(processor->sampling)) return NULL;
    if (processor->tracing == NULL || connection->stream == NULL) return NULL;
    struct env_address client = env_stream_peer(connection->stream);
    return tracing_begin(processor->tracing, tracing_next_session(processor->tracing), &client);
}

static void set_options(struct trace *trace, const struct query_options *options)
{
    tracing_set_parameter(trace, "consistency_level",
                          slice_of_text(consistency_text(options->consistency)));
    tracing_set_parameter(trace, "serial_consistency_level",
                          slice_of_text(consistency_text(options->serial_consistency)));
    if (options->page_size <= 0) return;
    char text[16];
    (void)snprintf(text, sizeof text, "%d", options->page_size);
    tracing_set_parameter(trace, "page_size", slice_of_text(text));
}

// A text that names a password ends there (PasswordObfuscator).
static struct slice without_password(struct trace *trace, struct slice text)
{
    static const char word[] = "password";
    size_t size = sizeof word - 1;
    if (text.size > TRACING_VALUE_SIZE_MAX) text.size = TRACING_VALUE_SIZE_MAX;
    for (size_t i = 0; i + size <= text.size; i++)
        if (strncasecmp((const char *)text.data + i, word, size) == 0)
            return slice_of_text(arena_format(&trace->arena, "%.*s *******", (int)(i + size),
                                              (const char *)text.data));
    return text;
}

static void set_text(struct trace *trace, struct slice text)
{
    tracing_set_parameter(trace, "query", without_password(trace, text));
}

static void tell_preparation(struct trace *trace, struct slice text)
{
    text = without_password(trace, text);
    trace_add(trace, TRACE_THREAD_REQUEST, "Parsing %.*s", TRACE_NAME(text));
    trace_add(trace, TRACE_THREAD_REQUEST, "Preparing statement");
}

void request_trace_query(struct trace *trace, const struct message_query *query)
{
    tracing_set_request(trace, "Execute CQL3 query");
    set_options(trace, &query->options);
    set_text(trace, query->text);
    tell_preparation(trace, query->text);
}

void request_trace_prepare(struct trace *trace, struct slice text)
{
    tracing_set_request(trace, "Preparing CQL3 query");
    set_text(trace, text);
    tell_preparation(trace, text);
}

// A value as CQL has it, as far as it fits.
static void set_value(struct trace *trace, size_t index, const struct column_spec *marker,
                      const struct bound_value *value)
{
    enum { NAME_SIZE = 96 };
    char name[NAME_SIZE];
    (void)snprintf(name, sizeof name, "bound_var_%zu_%.*s", index, TRACE_NAME(marker->name));
    struct buffer text;
    buffer_init(&text, TRACING_VALUE_SIZE_MAX);
    if (value->unset || slice_is_null(value->bytes))
        buffer_put(&text, "null", 4);
    else
        value_put_cql(marker->type, value->bytes, &text);
    tracing_set_parameter(trace, name, buffer_slice(&text));
    buffer_deinit(&text);
}

void request_trace_execute(struct trace *trace, const struct statement *statement,
                           const struct message_query *query)
{
    tracing_set_request(trace, "Execute CQL3 prepared query");
    set_options(trace, &query->options);
    set_text(trace, statement->text);
    for (size_t i = 0; i < query->options.value_count && i < statement->marker_count; i++) {
        if (query->options.value_names == NULL)
            set_value(trace, i, &statement->markers[i], &query->options.values[i]);
    }
}

void request_trace_batch(struct trace *trace, const struct query_options *options)
{
    tracing_set_request(trace, "Execute batch of CQL3 queries");
    set_options(trace, options);
}
