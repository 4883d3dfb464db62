// What the files of the Lua binding share.
#ifndef STREAM_LUA_INTERNAL_H
#define STREAM_LUA_INTERNAL_H

#include "stream/lua/lua_job.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdatomic.h>

struct lua_job {
    lua_State *state; // Of the functions.
    lua_State *main;  // The script's coroutine.
    struct lua_job_options options;
    size_t memory_used;
    struct dstream_context *context;
    int64_t now_us;
    _Atomic uint64_t calls;
    unsigned call_depth; // A call may lead to others: foreachRDD's function to those of its RDD.
    bool is_running;     // The script has not come to its end.
    int seed_ref;        // math.randomseed, which scripts do not see.
    int enter_ref;       // lua_function.c: what each call goes through.
    struct buffer scratch;
};

// What a Lua function is called as.
enum lua_function_kind {
    LUA_FUNCTION_MAP,
    LUA_FUNCTION_FLAT_MAP,
    LUA_FUNCTION_FILTER,
    LUA_FUNCTION_REDUCE,
    LUA_FUNCTION_FOR_EACH
};

struct lua_job *lua_job_of(lua_State *L);
// A call into Lua begins or ends: for lua_job_calls().
static inline void lua_job_mark_call(struct lua_job *job, unsigned depth)
{
    uint64_t calls = atomic_load_explicit(&job->calls, memory_order_relaxed);
    atomic_store_explicit(&job->calls, ((calls >> 1) + 1) << 1 | (depth > 0), memory_order_relaxed);
}

static inline void lua_job_begin_call(struct lua_job *job)
{
    lua_job_mark_call(job, ++job->call_depth);
}

static inline void lua_job_end_call(struct lua_job *job)
{
    lua_job_mark_call(job, --job->call_depth);
}

// ---- lua_value.c --------------------------------------------------------------------------------
void lua_value_push(lua_State *L, const struct value *value);
// The value at `index`; texts belong to Lua, items are in the arena. NULL, or why it is no value.
const char *lua_value_read(lua_State *L, int index, struct arena *arena, struct value *value);

// ---- lua_function.c -----------------------------------------------------------------------------
// The Lua function at the top of the stack, which it pops.
struct function *lua_function_create(lua_State *L, enum lua_function_kind kind);
void lua_function_open(lua_State *L);

// ---- lua_library.c ------------------------------------------------------------------------------
// The globals of a script but StreamingContext: hashtags, words, lower, day, columns, add, now, …
void lua_library_open(lua_State *L);
// The native function that the argument stands for, such as hashtags(1); NULL if it is none.
struct function *lua_library_native(lua_State *L, int index);
bool lua_library_is_add(lua_State *L, int index);

// ---- lua_stream.c -------------------------------------------------------------------------------
// StreamingContext and the methods of streams.
void lua_stream_open(lua_State *L);

// ---- lua_rdd.c ----------------------------------------------------------------------------------
void lua_rdd_open(lua_State *L);
// Pushes where an RDD's encoded records are, which the script can not take away from the stack, and
// the RDD, for the time of one call of foreachRDD's function.
struct lua_rdd_source *lua_rdd_push(lua_State *L, struct slice records, size_t count);
// That time is over: the RDD may stay in a variable but can not be used.
void lua_rdd_end(struct lua_rdd_source *source);

#endif
