// What foreachRDD's function gets: one batch's records, with Spark's lazy operators and actions.
//
// map, flatMap, filter, reduceByKey and countByValue only note what is to be done; an action
// (collect, count, take, first, foreach, print) builds a graph of its own from the notes, pushes
// the records through and looks at what comes out. A second action runs it all again, as Spark does
// without cache().
//
//     { source = userdata, parent = rdd or nil, kind = n, fn = function }      an RDD is this table
#include "stream/dataset/operators.h"
#include "stream/lua/lua_internal.h"

#include "base/assert.h"
#include "base/container_of.h"

#include <stdio.h>
#include <stdlib.h>

#define LUA_RDD "RDD"

enum lua_rdd_kind {
    LUA_RDD_SOURCE,
    LUA_RDD_MAP,
    LUA_RDD_FLAT_MAP,
    LUA_RDD_FILTER,
    LUA_RDD_REDUCE,
    LUA_RDD_COUNT
};

enum { LUA_RDD_CHAIN_MAX = 64 };

// The batch's records. Ended: `records` is null.
struct lua_rdd_source {
    struct slice records;
    size_t count;
};

static void lua_rdd_push_table(lua_State *L, enum lua_rdd_kind kind)
{
    lua_createtable(L, 0, 4);
    lua_pushnumber(L, kind);
    lua_setfield(L, -2, "kind");
    luaL_getmetatable(L, LUA_RDD);
    lua_setmetatable(L, -2);
}

struct lua_rdd_source *lua_rdd_push(lua_State *L, struct slice records, size_t count)
{
    struct lua_rdd_source *source = lua_newuserdata(L, sizeof *source);
    *source = (struct lua_rdd_source){records, count};
    luaL_getmetatable(L, "RDD source");
    lua_setmetatable(L, -2);
    lua_rdd_push_table(L, LUA_RDD_SOURCE);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "source");
    return source;
}

void lua_rdd_end(struct lua_rdd_source *source)
{
    source->records = slice_null();
}

static int lua_rdd_derive(lua_State *L, enum lua_rdd_kind kind)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    lua_rdd_push_table(L, kind);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "parent");
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "fn");
    return 1;
}

static int lua_rdd_map(lua_State *L)
{
    return lua_rdd_derive(L, LUA_RDD_MAP);
}

static int lua_rdd_flat_map(lua_State *L)
{
    return lua_rdd_derive(L, LUA_RDD_FLAT_MAP);
}

static int lua_rdd_filter(lua_State *L)
{
    return lua_rdd_derive(L, LUA_RDD_FILTER);
}

static int lua_rdd_reduce_by_key(lua_State *L)
{
    return lua_rdd_derive(L, LUA_RDD_REDUCE);
}

static int lua_rdd_count_by_value(lua_State *L)
{
    return lua_rdd_derive(L, LUA_RDD_COUNT);
}

// ---- Actions -----------------------------------------------------------------------------------

// The last dataset of an action's graph: keeps what reaches it.
struct lua_rdd_sink {
    struct dataset dataset;
    struct buffer records;
    size_t count;
};

static enum status lua_rdd_sink_process(struct dataset *dataset, const struct record *record)
{
    struct lua_rdd_sink *sink = CONTAINER_OF(dataset, struct lua_rdd_sink, dataset);
    dataset_put_record(&sink->records, record);
    sink->count++;
    if (!sink->records.overflow) return STATUS_OK;
    return dataset_fail(dataset, STATUS_OVERLOADED, "too many records in one batch");
}

static void lua_rdd_sink_destroy(struct dataset *dataset)
{
    struct lua_rdd_sink *sink = CONTAINER_OF(dataset, struct lua_rdd_sink, dataset);
    buffer_deinit(&sink->records);
    free(sink);
}

// An action's graph: freed by the collector too, should an error pass it by.
struct lua_rdd_run {
    struct dataset_graph graph;
    struct lua_rdd_sink *sink; // NULL: there is no graph.
    bool sink_is_added;        // Then it ends with the graph.
};

static int lua_rdd_run_collect(lua_State *L)
{
    struct lua_rdd_run *run = lua_touserdata(L, 1);
    if (run->sink == NULL) return 0;
    if (!run->sink_is_added) lua_rdd_sink_destroy(&run->sink->dataset);
    dataset_graph_deinit(&run->graph);
    run->sink = NULL;
    return 0;
}

static struct function *lua_rdd_function(lua_State *L, struct lua_rdd_run *run, int rdd,
                                         enum lua_function_kind kind)
{
    lua_getfield(L, rdd, "fn");
    struct function *function = lua_library_native(L, lua_gettop(L));
    bool is_native = function != NULL;
    if (is_native)
        lua_pop(L, 1);
    else if (lua_isfunction(L, -1))
        function = lua_function_create(L, kind);
    else
        luaL_error(L, "an RDD's operator wants a function");
    dataset_graph_own(&run->graph, function);
    if (is_native && kind != LUA_FUNCTION_MAP && kind != LUA_FUNCTION_FLAT_MAP)
        luaL_error(L, "a native operator maps; this wants a function");
    return function;
}

// Adds the operator that the RDD at `rdd` notes.
static enum status lua_rdd_add(lua_State *L, struct lua_rdd_run *run, int rdd,
                               struct dataset *parent, struct dataset **made, struct error *error)
{
    lua_getfield(L, rdd, "kind");
    int kind = (int)lua_tonumber(L, -1);
    lua_pop(L, 1);
    switch (kind) {
    case LUA_RDD_MAP:
        return operators_apply(parent, lua_rdd_function(L, run, rdd, LUA_FUNCTION_MAP), made,
                               error);
    case LUA_RDD_FLAT_MAP:
        return operators_apply(parent, lua_rdd_function(L, run, rdd, LUA_FUNCTION_FLAT_MAP), made,
                               error);
    case LUA_RDD_FILTER:
        return operators_filter(parent, lua_rdd_function(L, run, rdd, LUA_FUNCTION_FILTER), made,
                                error);
    case LUA_RDD_REDUCE: {
        lua_getfield(L, rdd, "fn");
        bool is_add = lua_library_is_add(L, lua_gettop(L));
        lua_pop(L, 1);
        struct function *function =
            is_add ? NULL : lua_rdd_function(L, run, rdd, LUA_FUNCTION_REDUCE);
        return operators_reduce_by_key(parent, function, made, error);
    }
    case LUA_RDD_COUNT:
        return operators_count_by_value(parent, made, error);
    default:
        return error_set(error, STATUS_INVALID, "this is no RDD");
    }
}

// Runs the RDD at index 1; the run's userdata is pushed and holds the result.
static struct lua_rdd_run *lua_rdd_evaluate(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    struct lua_rdd_run *run = lua_newuserdata(L, sizeof *run);
    run->sink = NULL;
    run->sink_is_added = false;
    luaL_getmetatable(L, "RDD run");
    lua_setmetatable(L, -2);
    int run_index = lua_gettop(L);
    luaL_checkstack(L, LUA_RDD_CHAIN_MAX + 8, "RDD");
    int chain = lua_gettop(L) + 1;
    lua_pushvalue(L, 1);
    for (;;) { // From the RDD to its source.
        lua_getfield(L, -1, "parent");
        if (!lua_istable(L, -1)) break;
        if (lua_gettop(L) - chain >= LUA_RDD_CHAIN_MAX) luaL_error(L, "too long a chain of RDDs");
    }
    lua_pop(L, 1);
    lua_getfield(L, -1, "source");
    struct lua_rdd_source *source = luaL_checkudata(L, -1, "RDD source");
    lua_pop(L, 1);
    if (slice_is_null(source->records)) luaL_error(L, "an RDD lives as long as its batch");

    dataset_graph_init(&run->graph);
    run->sink = calloc(1, sizeof *run->sink);
    ASSERT(run->sink != NULL);
    static const struct dataset_ops ops = {"RDD", lua_rdd_sink_process, NULL, NULL,
                                           lua_rdd_sink_destroy};
    run->sink->dataset.ops = &ops;
    buffer_init(&run->sink->records, DATASET_HELD_MAX);
    struct error error;
    struct dataset *first, *last;
    enum status status = operators_source(&run->graph, &first, &error);
    last = first;
    for (int rdd = lua_gettop(L) - 1; rdd >= chain && status == STATUS_OK; rdd--)
        status = lua_rdd_add(L, run, rdd, last, &last, &error);
    if (status == STATUS_OK) status = dataset_add(&run->sink->dataset, &run->graph, last, &error);
    if (status != STATUS_OK) luaL_error(L, "%s", error.text);
    run->sink_is_added = true;
    lua_settop(L, run_index);

    struct cursor cursor = cursor_make(source->records);
    struct record record;
    struct arena arena;
    arena_init(&arena, 4096);
    while (status == STATUS_OK && dataset_take_record(&cursor, &arena, &record)) {
        status = dataset_emit(first, &record);
        arena_reset(&arena);
        arena_reset(&run->graph.task.arena);
    }
    arena_deinit(&arena);
    if (status == STATUS_OK) status = dataset_graph_finish(&run->graph);
    if (status != STATUS_OK) luaL_error(L, "%s", run->graph.task.error.text);
    return run;
}

// A record as Lua has it: one value, or a table of several.
static void lua_rdd_push_record(lua_State *L, const struct record *record)
{
    if (record->count == 1) {
        lua_value_push(L, &record->values[0]);
        return;
    }
    struct value tuple = value_tuple(record->values, record->count);
    lua_value_push(L, &tuple);
}

static int lua_rdd_push_records(lua_State *L, struct lua_rdd_run *run, size_t limit)
{
    struct cursor cursor = cursor_make(buffer_slice(&run->sink->records));
    struct record record;
    lua_newtable(L);
    for (size_t i = 1; i <= limit && dataset_take_record(&cursor, &run->graph.task.arena, &record);
         i++) {
        lua_rdd_push_record(L, &record);
        lua_rawseti(L, -2, (int)i);
    }
    return 1;
}

static int lua_rdd_collect(lua_State *L)
{
    return lua_rdd_push_records(L, lua_rdd_evaluate(L), SIZE_MAX);
}

static int lua_rdd_take(lua_State *L)
{
    lua_Number count = luaL_checknumber(L, 2);
    luaL_argcheck(L, count >= 0 && count <= 1e9, 2, "how many records");
    return lua_rdd_push_records(L, lua_rdd_evaluate(L), (size_t)count);
}

static int lua_rdd_first(lua_State *L)
{
    (void)lua_rdd_push_records(L, lua_rdd_evaluate(L), 1);
    lua_rawgeti(L, -1, 1);
    return 1;
}

static int lua_rdd_count(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)lua_rdd_evaluate(L)->sink->count);
    return 1;
}

static int lua_rdd_for_each(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    struct lua_rdd_run *run = lua_rdd_evaluate(L);
    struct cursor cursor = cursor_make(buffer_slice(&run->sink->records));
    struct record record;
    luaL_checkstack(L, VALUE_ITEMS_MAX + 4, "record");
    while (dataset_take_record(&cursor, &run->graph.task.arena, &record)) {
        lua_pushvalue(L, 2);
        for (size_t i = 0; i < record.count; i++)
            lua_value_push(L, &record.values[i]);
        lua_call(L, (int)record.count, 0);
    }
    return 0;
}

void lua_rdd_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"map", lua_rdd_map},
        {"flatMap", lua_rdd_flat_map},
        {"filter", lua_rdd_filter},
        {"reduceByKey", lua_rdd_reduce_by_key},
        {"countByValue", lua_rdd_count_by_value},
        {"collect", lua_rdd_collect},
        {"take", lua_rdd_take},
        {"first", lua_rdd_first},
        {"count", lua_rdd_count},
        {"foreach", lua_rdd_for_each},
    };
    luaL_newmetatable(L, LUA_RDD);
    lua_newtable(L);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        lua_pushcfunction(L, methods[i].func);
        lua_setfield(L, -2, methods[i].name);
    }
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newmetatable(L, "RDD source");
    lua_pop(L, 1);
    luaL_newmetatable(L, "RDD run");
    lua_pushcfunction(L, lua_rdd_run_collect);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}
