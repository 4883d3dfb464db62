#include "tests/storage/support/engine_fixture.h"

#include "base/container_of.h"
#include "base/env_uv.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct env *env;
static char directory[256];
static const bool *awaited;

struct env *engine_fixture_env(void)
{
    return env;
}

const char *engine_fixture_directory(void)
{
    return directory;
}

void engine_fixture_make_directory(void)
{
    const char *parent = getenv("TMPDIR");
    (void)snprintf(directory, sizeof directory, "%s/helenus-test-XXXXXX",
                   parent == NULL ? "/tmp" : parent);
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

void engine_fixture_make_env(void)
{
    struct error error;
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
}

void engine_fixture_setup(void)
{
    engine_fixture_make_directory();
    engine_fixture_make_env();
}

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

void engine_fixture_teardown(void)
{
    env_uv_destroy(env);
    (void)nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

// ---- The loop ----------------------------------------------------------------------------------

static void poll_again(struct env_timer *timer)
{
    if (*awaited) {
        env_uv_stop(env);
    } else {
        env_timer_start(env, timer, 1000000, poll_again);
    }
}

void engine_fixture_run_until(const bool *done)
{
    struct env_timer timer = {0};
    awaited = done;
    env_timer_start(env, &timer, 0, poll_again);
    env_uv_run(env);
    ck_assert(*done);
}

struct waiting {
    struct commit_log_waiter waiter;
    struct engine_flush flush;
    struct engine_load load;
    struct engine_compact compact;
    enum status status;
    bool done;
};

static void set_done(struct waiting *waiting, enum status status)
{
    waiting->status = status;
    waiting->done = true;
    env_uv_stop(env);
}

static void wait_done(struct commit_log_waiter *waiter, enum status status)
{
    set_done(CONTAINER_OF(waiter, struct waiting, waiter), status);
}

static void flush_done(struct engine_flush *flush, enum status status)
{
    set_done(CONTAINER_OF(flush, struct waiting, flush), status);
}

static void load_done(struct engine_load *load, enum status status)
{
    set_done(CONTAINER_OF(load, struct waiting, load), status);
}

static void run(struct waiting *waiting)
{
    while (!waiting->done)
        env_uv_run(env);
    ck_assert_int_eq(waiting->status, STATUS_OK);
}

void engine_fixture_wait_synced(struct engine *engine, uint64_t position)
{
    struct waiting waiting = {.done = false};
    engine_wait_synced(engine, &waiting.waiter, position, wait_done);
    run(&waiting);
}

void engine_fixture_flush(struct engine *engine)
{
    struct waiting waiting = {.done = false};
    engine_flush(engine, NULL, &waiting.flush, flush_done);
    run(&waiting);
}

void engine_fixture_truncate(struct engine *engine, struct uuid table)
{
    struct waiting waiting = {.done = false};
    engine_truncate(engine, table, &waiting.flush, flush_done);
    run(&waiting);
}

void engine_fixture_load(struct engine *engine, struct read_pins *pins)
{
    struct waiting waiting = {.done = false};
    engine_load(engine, &waiting.load, pins, load_done);
    run(&waiting);
}

static void compact_done(struct engine_compact *compact, enum status status)
{
    set_done(CONTAINER_OF(compact, struct waiting, compact), status);
}

void engine_fixture_compact(struct engine *engine, struct uuid table)
{
    struct waiting waiting = {.done = false};
    engine_compact(engine, table, false, &waiting.compact, compact_done);
    run(&waiting);
}

struct settling {
    struct env_timer timer;
    struct engine *engine;
    bool done;
};

static void look_again(struct env_timer *timer)
{
    struct settling *settling = CONTAINER_OF(timer, struct settling, timer);
    settling->done = engine_is_quiet(settling->engine);
    if (settling->done) {
        env_uv_stop(env);
    } else {
        env_timer_start(env, timer, 1000000, look_again);
    }
}

void engine_fixture_settle(struct engine *engine)
{
    struct settling settling = {.engine = engine};
    env_timer_start(env, &settling.timer, 1000000, look_again);
    while (!settling.done)
        env_uv_run(env);
}

void engine_fixture_crash(struct engine *engine)
{
    (void)engine_enable_compaction(engine, NULL, false);
    (void)engine_stop_compactions(engine);
    engine_fixture_settle(engine);
    engine_abandon(engine);
}

static void stopped(void *context)
{
    set_done(context, STATUS_OK);
}

void engine_fixture_close(struct engine *engine)
{
    struct waiting waiting = {.done = false};
    engine_close(engine, stopped, &waiting);
    run(&waiting);
}

// ---- Tables ------------------------------------------------------------------------------------

static struct table_builder *begin_table(const char *name)
{
    struct uuid id = {{0}};
    (void)snprintf((char *)id.bytes, sizeof id.bytes, "%s", name);
    return table_builder_create(slice_of_text("ks"), slice_of_text(name), id);
}

const struct table *engine_fixture_table(const char *name, bool reversed)
{
    struct table_builder *builder = begin_table(name);
    const struct type *text = type_of_kind(TYPE_TEXT);
    table_builder_add_column(builder, slice_of_text("k"), type_of_kind(TYPE_BLOB),
                             COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), text, COLUMN_CLUSTERING, reversed);
    table_builder_add_column(builder, slice_of_text("s"), text, COLUMN_STATIC, false);
    table_builder_add_column(builder, slice_of_text("a"), text, COLUMN_REGULAR, false);
    table_builder_add_column(builder, slice_of_text("b"), text, COLUMN_REGULAR, false);
    table_builder_add_column(builder, slice_of_text("e"),
                             type_make_set(table_builder_arena(builder), text, false),
                             COLUMN_REGULAR, false);
    return table_builder_finish(builder);
}

const struct table *engine_fixture_counter_table(const char *name)
{
    struct table_builder *builder = begin_table(name);
    const struct type *counter = type_of_kind(TYPE_COUNTER);
    table_builder_add_column(builder, slice_of_text("k"), type_of_kind(TYPE_BLOB),
                             COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), type_of_kind(TYPE_TEXT),
                             COLUMN_CLUSTERING, false);
    table_builder_add_column(builder, slice_of_text("t"), counter, COLUMN_STATIC, false);
    table_builder_add_column(builder, slice_of_text("n"), counter, COLUMN_REGULAR, false);
    table_builder_add_column(builder, slice_of_text("m"), counter, COLUMN_REGULAR, false);
    table_builder_set_counter(builder, true);
    return table_builder_finish(builder);
}
