// StreamingContext and its streams, as the script sees them: userdata that point to the graph.
#include "stream/dataset/operators.h"
#include "stream/lua/lua_internal.h"

#include <stdlib.h>
#include <string.h>

#define LUA_STREAM_CONTEXT "StreamingContext"
#define LUA_STREAM_DSTREAM "DStream"

static struct dstream_context *lua_stream_check_context(lua_State *L)
{
    (void)luaL_checkudata(L, 1, LUA_STREAM_CONTEXT);
    struct dstream_context *context = lua_job_of(L)->context;
    if (context->is_started) luaL_error(L, "the stream has started: build it before ssc:start()");
    return context;
}

static struct dataset *lua_stream_check(lua_State *L)
{
    struct dataset *const *dataset = luaL_checkudata(L, 1, LUA_STREAM_DSTREAM);
    if (lua_job_of(L)->context->is_started)
        luaL_error(L, "the stream has started: build it before ssc:start()");
    return *dataset;
}

static int lua_stream_push(lua_State *L, struct dataset *dataset)
{
    struct dataset **place = lua_newuserdata(L, sizeof(struct dataset *));
    *place = dataset;
    luaL_getmetatable(L, LUA_STREAM_DSTREAM);
    lua_setmetatable(L, -2);
    return 1;
}

static int lua_stream_made(lua_State *L, enum status status, struct dataset *dataset,
                           const struct error *error)
{
    if (status != STATUS_OK) return luaL_error(L, "%s", error->text);
    return lua_stream_push(L, dataset);
}

static struct slice lua_stream_text(lua_State *L, int index)
{
    size_t size;
    const char *text = luaL_checklstring(L, index, &size);
    if (strlen(text) != size) luaL_argerror(L, index, "a text with a NUL");
    return slice_make(text, size);
}

// ---- StreamingContext --------------------------------------------------------------------------

static int lua_stream_context(lua_State *L)
{
    struct lua_job *job = lua_job_of(L);
    struct slice name = lua_stream_text(L, 1);
    double interval = luaL_optnumber(L, 2, 1);
    luaL_argcheck(L, name.size > 0 && name.size <= DSTREAM_NAME_SIZE_MAX, 1, "a name");
    luaL_argcheck(L, interval >= 0.001 && interval <= 86400, 2, "an interval of 1 ms to a day");
    if (job->context != NULL) return luaL_error(L, "a script has one StreamingContext");
    job->context = dstream_create(name, interval);
    (void)lua_newuserdata(L, 1);
    luaL_getmetatable(L, LUA_STREAM_CONTEXT);
    lua_setmetatable(L, -2);
    return 1;
}

static int lua_stream_text_file(lua_State *L)
{
    struct dstream_context *context = lua_stream_check_context(L);
    struct dataset *made = NULL;
    struct error error;
    enum status status =
        dstream_add_source(context, DSTREAM_TEXT, lua_stream_text(L, 2), NULL, 0, &made, &error);
    return lua_stream_made(L, status, made, &error);
}

// ssc:createStream(location): tweets, as records (text, created_at).
static int lua_stream_create_stream(lua_State *L)
{
    static const char *const fields[] = {"text", "created_at"};
    struct dstream_context *context = lua_stream_check_context(L);
    struct dataset *made = NULL;
    struct error error;
    enum status status =
        dstream_add_source(context, DSTREAM_JSON, lua_stream_text(L, 2), fields, 2, &made, &error);
    return lua_stream_made(L, status, made, &error);
}

// ssc:jsonStream{path = …, fields = {"text", "user.name"}}
static int lua_stream_json(lua_State *L)
{
    struct dstream_context *context = lua_stream_check_context(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_getfield(L, 2, "path");
    if (lua_isnil(L, 3)) {
        lua_pop(L, 1);
        lua_getfield(L, 2, "url");
    }
    if (!lua_isstring(L, 3)) return luaL_error(L, "jsonStream: path or url is missing");
    lua_getfield(L, 2, "fields");
    size_t count = lua_istable(L, 4) ? lua_objlen(L, 4) : 0;
    if (count == 0 || count > JSON_PATHS_MAX)
        return luaL_error(L, "jsonStream: fields = {…} names 1 to %d fields", JSON_PATHS_MAX);
    const char *fields[JSON_PATHS_MAX];
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 4, (int)i + 1); // Kept alive by the table.
        if (lua_type(L, -1) != LUA_TSTRING) return luaL_error(L, "jsonStream: fields are texts");
        fields[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    struct dataset *made = NULL;
    struct error error;
    enum status status = dstream_add_source(context, DSTREAM_JSON, lua_stream_text(L, 3), fields,
                                            count, &made, &error);
    return lua_stream_made(L, status, made, &error);
}

static int lua_stream_start(lua_State *L)
{
    struct dstream_context *context = lua_stream_check_context(L);
    if (context->source_count == 0) return luaL_error(L, "start: the job reads nothing");
    bool has_action = false;
    for (struct dataset *at = context->graph.first; at != NULL; at = at->next)
        has_action = has_action || (at->child_count == 0 && at->ops->finish != NULL);
    if (context->output_count == 0 && !has_action)
        return luaL_error(L, "start: no output operations; nothing would be executed");
    context->is_started = true;
    return 0;
}

static int lua_stream_await(lua_State *L)
{
    (void)luaL_checkudata(L, 1, LUA_STREAM_CONTEXT);
    if (!lua_job_of(L)->context->is_started)
        return luaL_error(L, "awaitTermination: ssc:start() comes first");
    return lua_yield(L, 0);
}

// ---- Streams -----------------------------------------------------------------------------------

// The function in argument 2, native or Lua, is the graph's from now on.
static struct function *lua_stream_function(lua_State *L, enum lua_function_kind kind)
{
    struct dataset_graph *graph = &lua_job_of(L)->context->graph;
    struct function *function = lua_library_native(L, 2);
    if (function == NULL) {
        luaL_checktype(L, 2, LUA_TFUNCTION);
        lua_pushvalue(L, 2);
        dataset_graph_own(graph, function = lua_function_create(L, kind));
        return function;
    }
    dataset_graph_own(graph, function);
    if (kind != LUA_FUNCTION_MAP && kind != LUA_FUNCTION_FLAT_MAP)
        luaL_argerror(L, 2, "a native operator maps; this wants a function");
    return function;
}

static int lua_stream_apply(lua_State *L, enum lua_function_kind kind)
{
    struct dataset *parent = lua_stream_check(L), *made = NULL;
    struct error error;
    enum status status = operators_apply(parent, lua_stream_function(L, kind), &made, &error);
    return lua_stream_made(L, status, made, &error);
}

static int lua_stream_map(lua_State *L)
{
    return lua_stream_apply(L, LUA_FUNCTION_MAP);
}

static int lua_stream_flat_map(lua_State *L)
{
    return lua_stream_apply(L, LUA_FUNCTION_FLAT_MAP);
}

static int lua_stream_filter(lua_State *L)
{
    struct dataset *parent = lua_stream_check(L), *made = NULL;
    struct error error;
    enum status status =
        operators_filter(parent, lua_stream_function(L, LUA_FUNCTION_FILTER), &made, &error);
    return lua_stream_made(L, status, made, &error);
}

static int lua_stream_reduce_by_key(lua_State *L)
{
    struct dataset *parent = lua_stream_check(L), *made = NULL;
    struct error error;
    struct function *function =
        lua_library_is_add(L, 2) ? NULL : lua_stream_function(L, LUA_FUNCTION_REDUCE);
    enum status status = operators_reduce_by_key(parent, function, &made, &error);
    return lua_stream_made(L, status, made, &error);
}

static int lua_stream_count_by_value(lua_State *L)
{
    struct dataset *parent = lua_stream_check(L), *made = NULL;
    struct error error;
    enum status status = operators_count_by_value(parent, &made, &error);
    return lua_stream_made(L, status, made, &error);
}

static int lua_stream_for_each(lua_State *L)
{
    struct dataset *parent = lua_stream_check(L), *made = NULL;
    struct error error;
    enum status status =
        operators_for_each(parent, lua_stream_function(L, LUA_FUNCTION_FOR_EACH), &made, &error);
    return status == STATUS_OK ? 0 : luaL_error(L, "%s", error.text);
}

static int lua_stream_print(lua_State *L)
{
    struct dataset *parent = lua_stream_check(L), *made = NULL;
    lua_Number count = luaL_optnumber(L, 2, 10);
    luaL_argcheck(L, count >= 0 && count <= 1e6, 2, "how many records");
    struct error error;
    enum status status = operators_print(parent, (size_t)count, &made, &error);
    return status == STATUS_OK ? 0 : luaL_error(L, "%s", error.text);
}

static int lua_stream_save(lua_State *L)
{
    struct dataset *parent = lua_stream_check(L);
    struct slice keyspace = lua_stream_text(L, 2), table = lua_stream_text(L, 3);
    luaL_checktype(L, 4, LUA_TTABLE);
    struct slice columns[OUTPUT_COLUMNS_MAX];
    size_t count = lua_objlen(L, 4);
    if (count > OUTPUT_COLUMNS_MAX) return luaL_argerror(L, 4, "too many columns");
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 4, (int)i + 1);
        if (lua_type(L, -1) != LUA_TSTRING) return luaL_argerror(L, 4, "SomeColumns of texts");
        columns[i] = lua_stream_text(L, -1);
        lua_pop(L, 1);
    }
    struct error error;
    if (dstream_save(lua_job_of(L)->context, parent, keyspace, table, columns, count, &error) !=
        STATUS_OK)
        return luaL_error(L, "%s", error.text);
    return 0;
}

static void lua_stream_add_class(lua_State *L, const char *name, const luaL_Reg *methods,
                                 size_t count)
{
    luaL_newmetatable(L, name);
    lua_createtable(L, 0, (int)count);
    for (size_t i = 0; i < count; i++) {
        lua_pushcfunction(L, methods[i].func);
        lua_setfield(L, -2, methods[i].name);
    }
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void lua_stream_open(lua_State *L)
{
    static const luaL_Reg context[] = {
        {"createStream", lua_stream_create_stream},
        {"textFileStream", lua_stream_text_file},
        {"jsonStream", lua_stream_json},
        {"start", lua_stream_start},
        {"awaitTermination", lua_stream_await},
    };
    static const luaL_Reg stream[] = {
        {"map", lua_stream_map},
        {"flatMap", lua_stream_flat_map},
        {"filter", lua_stream_filter},
        {"reduceByKey", lua_stream_reduce_by_key},
        {"countByValue", lua_stream_count_by_value},
        {"foreachRDD", lua_stream_for_each},
        {"print", lua_stream_print},
        {"saveToCassandra", lua_stream_save},
    };
    lua_stream_add_class(L, LUA_STREAM_CONTEXT, context, sizeof context / sizeof *context);
    lua_stream_add_class(L, LUA_STREAM_DSTREAM, stream, sizeof stream / sizeof *stream);
    lua_pushcfunction(L, lua_stream_context);
    lua_setglobal(L, "StreamingContext");
}
