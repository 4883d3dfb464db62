// What tests of the engine and its parts have in common: a directory of their own, a loop that runs
// until something is done, tables, mutations in one line.
#ifndef TESTS_STORAGE_SUPPORT_ENGINE_FIXTURE_H
#define TESTS_STORAGE_SUPPORT_ENGINE_FIXTURE_H

#include "base/env.h"
#include "storage/engine/engine.h"
#include "storage/merge/live_rows.h"
#include "storage/mutation.h"

// A real env and an empty directory, removed with all in it at the end.
struct env *engine_fixture_env(void);
const char *engine_fixture_directory(void);
void engine_fixture_setup(void);
// The two halves of that: a directory, and an env.
void engine_fixture_make_directory(void);
void engine_fixture_make_env(void);
void engine_fixture_teardown(void);

// Runs the loop until `*done` is set.
void engine_fixture_run_until(const bool *done);

// k blob, c text (c DESC if `reversed`), static s text, regular a text, b text, e set<text>.
const struct table *engine_fixture_table(const char *name, bool reversed);
// k blob, c text, counters: static t, regular n and m.
const struct table *engine_fixture_counter_table(const char *name);

// Waits for the position; fails the test if it does not get durable.
void engine_fixture_wait_synced(struct engine *engine, uint64_t position);
void engine_fixture_flush(struct engine *engine);
void engine_fixture_truncate(struct engine *engine, struct uuid table);
void engine_fixture_close(struct engine *engine);
// Ends it as a crash does, once no thread works for it.
void engine_fixture_crash(struct engine *engine);
void engine_fixture_compact(struct engine *engine, struct uuid table);
// Runs the loop until nothing goes on behind it.
void engine_fixture_settle(struct engine *engine);
// Loads what a read missed.
void engine_fixture_load(struct engine *engine, struct read_pins *pins);

#endif
