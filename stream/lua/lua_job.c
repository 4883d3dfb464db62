#include "stream/lua/lua_job.h"

#include "base/assert.h"
#include "base/limits.h"
#include "stream/lua/lua_internal.h"

#include <stdlib.h>

struct lua_job *lua_job_of(lua_State *L)
{
    void *job;
    (void)lua_getallocf(L, &job);
    return job;
}

static void *lua_job_allocate(void *context, void *old, size_t old_size, size_t new_size)
{
    struct lua_job *job = context;
    if (old == NULL) old_size = 0;
    if (new_size == 0) {
        free(old);
        job->memory_used -= old_size;
        return NULL;
    }
    size_t rest = job->memory_used - old_size;
    if (new_size > old_size && new_size > job->options.memory_max - rest) return NULL;
    void *memory = realloc(old, new_size);
    if (memory != NULL) job->memory_used = rest + new_size;
    return memory;
}

// ---- The sandbox -------------------------------------------------------------------------------

// pairs in an order that depends on the table's contents alone: keys by type, then by value.
// LuaJIT's own order depends on a random seed.
static const char lua_job_prelude[] =
    "local type, sort, raw, error = type, table.sort, next, error\n"
    "local rank = {number = 1, string = 2, boolean = 3}\n"
    "local function before(a, b)\n"
    "  local x, y = type(a), type(b)\n"
    "  if x ~= y then return (rank[x] or 9) < (rank[y] or 9) end\n"
    "  if x == 'boolean' then return not a and b end\n"
    "  return a < b\n"
    "end\n"
    "function pairs(t)\n"
    "  local keys, n = {}, 0\n"
    "  for k in raw, t do\n"
    "    if not rank[type(k)] then error('pairs: a key that is a ' .. type(k), 2) end\n"
    "    n = n + 1\n"
    "    keys[n] = k\n"
    "  end\n"
    "  sort(keys, before)\n"
    "  local i = 0\n"
    "  return function()\n"
    "    i = i + 1\n"
    "    local k = keys[i]\n"
    "    if k ~= nil then return k, t[k] end\n"
    "  end, t, nil\n"
    "end\n";

static void lua_job_open_library(lua_State *L, lua_CFunction open, const char *name)
{
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 0);
}

static void lua_job_forget(lua_State *L, const char *table, const char *name)
{
    if (table == NULL) {
        lua_pushnil(L);
        lua_setglobal(L, name);
        return;
    }
    lua_getglobal(L, table);
    lua_pushnil(L);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

static void lua_job_close_sandbox(lua_State *L)
{
    // What loads code or files, what reaches around the sandbox, what tells of addresses.
    static const char *const globals[] = {
        "dofile", "loadfile", "load",    "loadstring", "require",      "module", "collectgarbage",
        "gcinfo", "getfenv",  "setfenv", "newproxy",   "getmetatable", "jit",    "package",
        "rawlen", "next",     "_VERSION"};
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        lua_job_forget(L, NULL, globals[i]);
    lua_job_forget(L, "string", "dump");
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_job_of(L)->seed_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
    lua_job_forget(L, "math", "randomseed");
}

static void lua_job_push_arguments(lua_State *L, const struct lua_job_options *options)
{
    lua_createtable(L, (int)options->argument_count, 1);
    lua_pushstring(L, options->name);
    lua_rawseti(L, -2, 0);
    for (size_t i = 0; i < options->argument_count; i++) {
        lua_pushstring(L, options->arguments[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setglobal(L, "arg");
}

// Sets up all and leaves the script's coroutine, ready to run, on the stack. Protected.
static int lua_job_prepare(lua_State *L)
{
    struct lua_job *job = lua_job_of(L);
    lua_settop(L, 0);
    lua_job_open_library(L, luaopen_base, "");
    lua_job_open_library(L, luaopen_table, LUA_TABLIBNAME);
    lua_job_open_library(L, luaopen_string, LUA_STRLIBNAME);
    lua_job_open_library(L, luaopen_math, LUA_MATHLIBNAME);
    lua_job_open_library(L, luaopen_bit, LUA_BITLIBNAME);
    lua_job_open_library(L, luaopen_jit, LUA_JITLIBNAME);
    if (luaL_loadbuffer(L, lua_job_prelude, sizeof lua_job_prelude - 1, "=prelude") != 0)
        return lua_error(L);
    lua_call(L, 0, 0);
    lua_job_close_sandbox(L);
    lua_function_open(L);
    lua_library_open(L);
    lua_stream_open(L);
    lua_rdd_open(L);
    lua_job_push_arguments(L, &job->options);
    // "@name" makes messages begin with "name:line:". Mode "t": no bytecode.
    lua_pushfstring(L, "@%s", job->options.name);
    job->main = lua_newthread(L);
    (void)luaL_ref(L, LUA_REGISTRYINDEX);
    if (luaL_loadbufferx(job->main, (const char *)job->options.script.data,
                         job->options.script.size, lua_tostring(L, -1), "t") != 0) {
        lua_xmove(job->main, L, 1);
        return lua_error(L);
    }
    luaL_checkstack(job->main, (int)job->options.argument_count + 1, "arguments");
    for (size_t i = 0; i < job->options.argument_count; i++)
        lua_pushstring(job->main, job->options.arguments[i]);
    return 0;
}

// ---- Running -----------------------------------------------------------------------------------

struct lua_job *lua_job_create(const struct lua_job_options *options)
{
    struct lua_job *job = calloc(1, sizeof *job);
    ASSERT(job != NULL);
    job->options = *options;
    if (job->options.memory_max == 0) job->options.memory_max = LUA_JOB_MEMORY_MAX;
    buffer_init(&job->scratch, 4 * (size_t)STREAM_LINE_SIZE_MAX);
    return job;
}

void lua_job_destroy(struct lua_job *job)
{
    if (job == NULL) return;
    dstream_destroy(job->context);
    if (job->state != NULL) lua_close(job->state);
    buffer_deinit(&job->scratch);
    free(job);
}

static enum status lua_job_fault(lua_State *L, struct error *error)
{
    const char *text = lua_tostring(L, -1);
    return error_set(error, STATUS_INVALID, "%s",
                     text == NULL ? "the script failed without a text" : text);
}

static enum status lua_job_resume(struct lua_job *job, int argument_count, struct error *error)
{
    int result = lua_resume(job->main, argument_count);
    if (result != 0 && result != LUA_YIELD) return lua_job_fault(job->main, error);
    job->is_running = result == LUA_YIELD;
    return STATUS_OK;
}

enum status lua_job_start(struct lua_job *job, struct error *error)
{
    ASSERT(job->state == NULL);
    job->state = lua_newstate(lua_job_allocate, job);
    if (job->state == NULL)
        return error_set(error, STATUS_OVERLOADED, "not enough memory for the script");
    if (lua_cpcall(job->state, lua_job_prepare, NULL) != 0) return lua_job_fault(job->state, error);
    lua_job_begin_call(job);
    enum status status = lua_job_resume(job, (int)job->options.argument_count, error);
    lua_job_end_call(job);
    return status;
}

enum status lua_job_finish(struct lua_job *job, struct error *error)
{
    enum status status = STATUS_OK;
    // One call, however often it yields, so that one that never ends is noticed.
    lua_job_begin_call(job);
    while (job->is_running && status == STATUS_OK) {
        lua_settop(job->main, 0);
        status = lua_job_resume(job, 0, error);
    }
    lua_job_end_call(job);
    return status;
}

struct dstream_context *lua_job_context(struct lua_job *job)
{
    return job->context;
}

void lua_job_begin(struct lua_job *job, uint64_t number, int64_t now_us)
{
    job->now_us = now_us;
    // Numbers stay exact below 2^53; the seed depends on the recorded batch alone.
    lua_rawgeti(job->state, LUA_REGISTRYINDEX, job->seed_ref);
    lua_pushnumber(job->state, (lua_Number)((number * 0x9e3779b97f4a7c15u) >> 12));
    if (lua_pcall(job->state, 1, 0, 0) != 0) lua_pop(job->state, 1);
}

uint64_t lua_job_calls(const struct lua_job *job)
{
    return atomic_load_explicit(&((struct lua_job *)(uintptr_t)job)->calls, memory_order_relaxed);
}
