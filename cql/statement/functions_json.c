// to_json() and from_json() (org.apache.cassandra.cql3.functions.ToJsonFct, FromJsonFct).
#include "cql/statement/functions_native.h"
#include "cql/statement/json_value.h"
#include "storage/value.h"

enum { JSON_MESSAGE_MAX = 1 << 20 };

bool functions_to_json(const struct function_call *call, const struct slice *arguments,
                       struct slice *result)
{
    const struct type *type = call->function->arguments[0];
    struct slice value = arguments[0];
    // A number, a uuid, … of no bytes is a null to functions; SELECT JSON shows "".
    bool may_be_empty =
        type->kind == TYPE_TEXT || type->kind == TYPE_ASCII || type->kind == TYPE_BLOB;
    if (value.size == 0 && !may_be_empty) value = slice_null();
    struct buffer text;
    buffer_init(&text, 1u << 28);
    value_put_json(type, value, &text);
    *result = arena_copy(call->arena, buffer_slice(&text));
    buffer_deinit(&text);
    return true;
}

static bool functions_from_json_fail(const struct function_call *call, struct slice json,
                                     struct slice message)
{
    functions_set_failure(call, call->function->name);
    return cql_error_set_text(call->error,
                              "execution of 'system.%s[text]' failed: Could not decode JSON string "
                              "'%.*s': %.*s",
                              call->function->name, SLICE_TEXT(json), SLICE_TEXT(message));
}

static bool functions_from_json_read(const struct function_call *call, const struct json *json,
                                     struct buffer *message, struct slice *result)
{
    int64_t now_ms = env_wall_us(call->processor->env) / 1000;
    struct json_value_context context = {call->arena, now_ms, message, false};
    if (json_value_read(&context, call->function->result, json, result)) return true;
    struct slice text = buffer_slice(message);
    if (context.is_bare)
        return cql_error_set(call->error, CQL_ERROR_INVALID, "%.*s", SLICE_TEXT(text));
    functions_set_failure(call, call->function->name);
    return cql_error_set_text(
        call->error, "org.apache.cassandra.serializers.MarshalException: %.*s", SLICE_TEXT(text));
}

bool functions_from_json(const struct function_call *call, const struct slice *arguments,
                         struct slice *result)
{
    *result = slice_null();
    if (slice_is_null(arguments[0])) return true;
    struct buffer message;
    const struct json *json;
    size_t ignored;
    buffer_init(&message, JSON_MESSAGE_MAX);
    bool is_ok = json_parse(arguments[0], call->arena, &json, &message, &ignored);
    if (!is_ok)
        functions_from_json_fail(call, arguments[0], buffer_slice(&message));
    else if (json->kind != JSON_NULL)
        is_ok = functions_from_json_read(call, json, &message, result);
    buffer_deinit(&message);
    return is_ok;
}
