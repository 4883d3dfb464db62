// Calls from operators into the script. Emitting a record may call the next function while the
// present one's results are on the stack: each call leaves the stack as it found it.
#include "base/assert.h"
#include "base/container_of.h"
#include "stream/lua/lua_internal.h"

#include <stdlib.h>

struct lua_function {
    struct function function;
    enum lua_function_kind kind;
    lua_State *L;
    int ref;
};

static struct lua_function *lua_function_of(struct function *function)
{
    return CONTAINER_OF(function, struct lua_function, function);
}

static enum status lua_function_fault(struct lua_function *self, struct dataset *at, int top)
{
    const char *text = lua_gettop(self->L) > top ? lua_tostring(self->L, -1) : "stack overflow";
    enum status status =
        dataset_fail(at, STATUS_INVALID, "%s", text == NULL ? "an error without a text" : text);
    lua_settop(self->L, top);
    return status;
}

// One call. Pushing can run out of memory as the function can, so all of it happens inside one
// protected call of lua_function_enter(), which finds this struct as a light userdata.
struct lua_function_call {
    struct lua_function *self;
    const struct value *values[2]; // Of a record: all in [0]; of a reduce: one each.
    size_t count;
    struct slice records; // Of an RDD.
    size_t record_count;
};

static int lua_function_enter_for_each(lua_State *L, const struct lua_function_call *call)
{
    struct lua_rdd_source *source = lua_rdd_push(L, call->records, call->record_count);
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->self->ref);
    lua_pushvalue(L, 2);
    lua_pushnumber(L, (lua_Number)lua_job_of(L)->now_us / 1e6);
    int failed = lua_pcall(L, 2, 0, 0);
    lua_rdd_end(source);
    if (failed != 0) return lua_error(L);
    return 0;
}

static int lua_function_enter(lua_State *L)
{
    const struct lua_function_call *call = lua_touserdata(L, 1);
    lua_settop(L, 0);
    if (call->self->kind == LUA_FUNCTION_FOR_EACH) return lua_function_enter_for_each(L, call);
    luaL_checkstack(L, (int)call->count + 8, "record");
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->self->ref);
    if (call->self->kind == LUA_FUNCTION_REDUCE) {
        lua_value_push(L, call->values[0]);
        lua_value_push(L, call->values[1]);
    } else {
        for (size_t i = 0; i < call->count; i++)
            lua_value_push(L, &call->values[0][i]);
    }
    lua_call(L, (int)call->count, call->self->kind == LUA_FUNCTION_MAP ? LUA_MULTRET : 1);
    return lua_gettop(L);
}

void lua_function_open(lua_State *L)
{
    lua_pushcfunction(L, lua_function_enter);
    lua_job_of(L)->enter_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

// The results, or an error's text, are on the stack above `top`.
static bool lua_function_run(struct lua_function_call *call)
{
    lua_State *L = call->self->L;
    struct lua_job *job = lua_job_of(L);
    if (!lua_checkstack(L, VALUE_ITEMS_MAX + 8)) return false;
    lua_job_begin_call(job);
    lua_rawgeti(L, LUA_REGISTRYINDEX, job->enter_ref);
    lua_pushlightuserdata(L, call);
    int failed = lua_pcall(L, 1, LUA_MULTRET, 0);
    lua_job_end_call(job);
    return failed == 0;
}

static enum status lua_function_map(struct lua_function *self, struct dataset *at, int top)
{
    lua_State *L = self->L;
    size_t count = (size_t)(lua_gettop(L) - top);
    if (count == 0) return dataset_fail(at, STATUS_INVALID, "the function returned nothing");
    if (count > VALUE_ITEMS_MAX)
        return dataset_fail(at, STATUS_INVALID, "more than %d values", VALUE_ITEMS_MAX);
    struct value values[VALUE_ITEMS_MAX];
    for (size_t i = 0; i < count; i++) {
        const char *fault =
            lua_value_read(L, top + 1 + (int)i, &dataset_task(at)->arena, &values[i]);
        if (fault != NULL) return dataset_fail(at, STATUS_INVALID, "%s", fault);
    }
    return dataset_emit(at, &(struct record){values, count});
}

// A table of records: each a value, or a table of values.
static enum status lua_function_flat_map(struct lua_function *self, struct dataset *at, int top)
{
    lua_State *L = self->L;
    if (lua_isnil(L, top + 1)) return STATUS_OK;
    if (!lua_istable(L, top + 1))
        return dataset_fail(at, STATUS_INVALID, "flatMap's function returned a %s, not a table",
                            luaL_typename(L, top + 1));
    size_t count = lua_objlen(L, top + 1);
    for (size_t i = 1; i <= count; i++) {
        struct value value;
        lua_rawgeti(L, top + 1, (int)i);
        const char *fault = lua_value_read(L, top + 2, &dataset_task(at)->arena, &value);
        if (fault != NULL) return dataset_fail(at, STATUS_INVALID, "%s", fault);
        struct record record = value.kind == VALUE_TUPLE
                                   ? (struct record){value.tuple.items, value.tuple.count}
                                   : (struct record){&value, 1};
        enum status status = dataset_emit(at, &record);
        if (status != STATUS_OK) return status;
        lua_settop(L, top + 1);
    }
    return STATUS_OK;
}

static enum status lua_function_apply(struct function *function, struct dataset *at,
                                      const struct record *record)
{
    struct lua_function *self = lua_function_of(function);
    int top = lua_gettop(self->L);
    struct lua_function_call call = {self, {record->values}, record->count, {NULL, 0}, 0};
    if (!lua_function_run(&call)) return lua_function_fault(self, at, top);
    enum status status = self->kind == LUA_FUNCTION_MAP ? lua_function_map(self, at, top)
                                                        : lua_function_flat_map(self, at, top);
    lua_settop(self->L, top);
    return status;
}

static enum status lua_function_test(struct function *function, struct dataset *at,
                                     const struct record *record, bool *keep)
{
    struct lua_function *self = lua_function_of(function);
    int top = lua_gettop(self->L);
    struct lua_function_call call = {self, {record->values}, record->count, {NULL, 0}, 0};
    if (!lua_function_run(&call)) return lua_function_fault(self, at, top);
    *keep = lua_toboolean(self->L, top + 1);
    lua_settop(self->L, top);
    return STATUS_OK;
}

static enum status lua_function_reduce(struct function *function, struct dataset *at,
                                       const struct value *a, const struct value *b,
                                       struct value *result)
{
    struct lua_function *self = lua_function_of(function);
    int top = lua_gettop(self->L);
    struct lua_function_call call = {self, {a, b}, 2, {NULL, 0}, 0};
    if (!lua_function_run(&call)) return lua_function_fault(self, at, top);
    // A text that leaves the stack lives until Lua runs again: longer than the caller needs it.
    const char *fault = lua_value_read(self->L, top + 1, &dataset_task(at)->arena, result);
    lua_settop(self->L, top);
    return fault == NULL ? STATUS_OK : dataset_fail(at, STATUS_INVALID, "%s", fault);
}

static enum status lua_function_consume(struct function *function, struct dataset *at,
                                        struct slice records, size_t count)
{
    struct lua_function *self = lua_function_of(function);
    int top = lua_gettop(self->L);
    struct lua_function_call call = {self, {NULL}, 0, records, count};
    if (!lua_function_run(&call)) return lua_function_fault(self, at, top);
    lua_settop(self->L, top);
    return STATUS_OK;
}

static void lua_function_destroy(struct function *function)
{
    struct lua_function *self = lua_function_of(function);
    luaL_unref(self->L, LUA_REGISTRYINDEX, self->ref);
    free(self);
}

struct function *lua_function_create(lua_State *L, enum lua_function_kind kind)
{
    static const struct function_ops ops = {.apply = lua_function_apply,
                                            .test = lua_function_test,
                                            .reduce = lua_function_reduce,
                                            .consume = lua_function_consume,
                                            .destroy = lua_function_destroy};
    int ref = luaL_ref(L, LUA_REGISTRYINDEX);
    struct lua_function *self = calloc(1, sizeof *self);
    ASSERT(self != NULL);
    self->function.ops = &ops;
    self->kind = kind;
    self->L = lua_job_of(L)->state;
    self->ref = ref;
    return &self->function;
}
