// A job's script: a Lua file that reads like the Scala of a Spark job, run by LuaJIT.
//
//     local ssc = StreamingContext("hashtags", Seconds(2))
//     ssc:createStream(url):flatMap(f):filter(g):map(h):reduceByKey(add)
//        :saveToCassandra("ks", "table", SomeColumns("a", "b", "n"))
//     ssc:start()
//     ssc:awaitTermination()
//
// The script runs once and builds a graph (dstream.h); awaitTermination() gives control back until
// the stream ends. Functions of it that operators call are compiled by LuaJIT as they get hot.
//
// The sandbox: no ffi, io, os, debug, package, load or bytecode; memory has a maximum; `now()` is
// the batch's time, math.random is seeded by the batch, pairs goes in the order of sorted keys. So
// what a function gives depends on its input alone (exactly-once.md, rule 3). What runs for ever
// can not be interrupted once it is compiled: who owns the process asks lua_job_calls() from
// another thread and ends it.
//
// One thread at a time uses a job.
#ifndef STREAM_LUA_JOB_H
#define STREAM_LUA_JOB_H

#include "base/limits.h"
#include "stream/dataset/dstream.h"

struct lua_job;

// Bytes that a script may hold. More is its "not enough memory".
#define LUA_JOB_MEMORY_MAX (256 * (size_t)MIB)

struct lua_job_options {
    const char *name; // For messages: "hashtags.lua".
    struct slice script;
    const char *const *arguments; // `arg` and `...` of the script.
    size_t argument_count;
    size_t memory_max; // 0: LUA_JOB_MEMORY_MAX.
};

struct lua_job *lua_job_create(const struct lua_job_options *options);
void lua_job_destroy(struct lua_job *job);
// Runs the script up to awaitTermination(). INVALID: the text says where and why.
MUST_USE enum status lua_job_start(struct lua_job *job, struct error *error);
// The rest of the script.
MUST_USE enum status lua_job_finish(struct lua_job *job, struct error *error);
// NULL when the script made none.
struct dstream_context *lua_job_context(struct lua_job *job);
// Before each batch.
void lua_job_begin(struct lua_job *job, uint64_t number, int64_t now_us);
// How many calls into Lua began or ended so far, times two, plus one while one runs: a number that
// stays odd and the same is one call that goes on. From any thread.
uint64_t lua_job_calls(const struct lua_job *job);

#endif
