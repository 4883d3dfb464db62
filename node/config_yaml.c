// The configuration's YAML, event by event: key, value, key, value … A key of a map below another
// is told as one key with a dot between them.
#include "node/config_internal.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 4 };

struct place {
    struct config *config;
    const char *path;
    char key[CONFIG_TEXT_SIZE];    // Of the value that comes next, with those above.
    size_t starts[DEPTH_MAX];      // Where the names of each map begin in it.
    int depth;                     // Maps that are open.
    bool has_key, is_list;         // A value is next; values of a list are.
    char values[CONFIG_TEXT_SIZE]; // Of the list, so far.
    bool is_too_long;
};

static bool has_list(const char *key)
{
    return strcmp(key, "client_encryption_options.accepted_protocols") == 0 ||
           strcmp(key, "client_encryption_options.cipher_suites") == 0 ||
           strncmp(key, "server_encryption_options.", 26) == 0;
}

static bool has_map(const char *key)
{
    static const char *const keys[] = {
        "client_encryption_options",
        "client_encryption_options.ssl_context_factory",
        "client_encryption_options.ssl_context_factory.parameters",
        "server_encryption_options",
        "server_encryption_options.ssl_context_factory",
        "server_encryption_options.ssl_context_factory.parameters",
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(key, keys[i]) == 0) return true;
    return false;
}

static enum status refuse(const struct place *place, size_t line, struct error *error)
{
    return error_set(error, STATUS_INVALID, "%s:%zu: %s takes one value, no list or map",
                     place->path, line, place->key);
}

static enum status begin_map(struct place *place, size_t line, struct error *error)
{
    if (place->depth > 0) {
        bool fits = place->has_key && !place->is_list && has_map(place->key);
        if (!fits || place->depth == DEPTH_MAX) return refuse(place, line, error);
        size_t length = strlen(place->key);
        ASSERT(length + 1 < sizeof place->key); // Of the names above.
        (void)snprintf(place->key + length, sizeof place->key - length, ".");
    }
    place->starts[place->depth++] = strlen(place->key);
    place->has_key = false;
    return STATUS_OK;
}

static void end_map(struct place *place)
{
    place->depth--;
    place->has_key = false;
    size_t start = place->depth > 0 ? place->starts[place->depth - 1] : 0;
    place->key[start] = '\0';
}

static enum status begin_list(struct place *place, size_t line, struct error *error)
{
    if (place->depth == 0 || !place->has_key || place->is_list || !has_list(place->key))
        return refuse(place, line, error);
    place->is_list = true;
    place->is_too_long = false;
    place->values[0] = '\0';
    return STATUS_OK;
}

static enum status set(struct place *place, size_t line, const char *value, struct error *error)
{
    struct error inner;
    enum status status = config_set(place->config, place->key, value, &inner);
    if (status != STATUS_OK)
        (void)error_set(error, status, "%s:%zu: %.400s", place->path, line, inner.text);
    place->key[place->starts[place->depth - 1]] = '\0';
    place->has_key = false;
    return status;
}

static enum status end_list(struct place *place, size_t line, struct error *error)
{
    place->is_list = false;
    if (place->is_too_long)
        return error_set(error, STATUS_INVALID, "%s:%zu: %s: longer than %d bytes", place->path,
                         line, place->key, CONFIG_TEXT_SIZE - 1);
    return set(place, line, place->values, error);
}

static enum status take_scalar(struct place *place, size_t line, const char *text,
                               struct error *error)
{
    if (place->depth == 0)
        return error_set(error, STATUS_INVALID, "%s:%zu: lines are 'key: value'", place->path,
                         line);
    if (place->is_list) {
        size_t size = strlen(place->values);
        int more = snprintf(place->values + size, sizeof place->values - size, "%s%s",
                            size == 0 ? "" : ",", text);
        if ((size_t)more >= sizeof place->values - size) place->is_too_long = true;
        return STATUS_OK;
    }
    if (place->has_key) return set(place, line, text, error);
    size_t start = place->starts[place->depth - 1];
    (void)snprintf(place->key + start, sizeof place->key - start, "%s", text);
    place->has_key = true;
    return STATUS_OK;
}

static enum status take_event(struct place *place, const yaml_event_t *event, struct error *error)
{
    size_t line = event->start_mark.line + 1;
    switch (event->type) {
    case YAML_MAPPING_START_EVENT:
        return begin_map(place, line, error);
    case YAML_MAPPING_END_EVENT:
        end_map(place);
        return STATUS_OK;
    case YAML_SEQUENCE_START_EVENT:
        return begin_list(place, line, error);
    case YAML_SEQUENCE_END_EVENT:
        return end_list(place, line, error);
    case YAML_SCALAR_EVENT:
        return take_scalar(place, line, (const char *)event->data.scalar.value, error);
    case YAML_ALIAS_EVENT:
        return refuse(place, line, error);
    default:
        return STATUS_OK;
    }
}

enum status config_yaml_read(yaml_parser_t *parser, struct config *config, const char *path,
                             struct error *error)
{
    struct place place = {.config = config, .path = path};
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return error_set(error, STATUS_INVALID, "%s:%zu: not YAML: %s", path,
                             parser->problem_mark.line + 1, parser->problem);
        bool ended = event.type == YAML_STREAM_END_EVENT;
        enum status status = take_event(&place, &event, error);
        yaml_event_delete(&event);
        if (status != STATUS_OK || ended) return status;
    }
}
