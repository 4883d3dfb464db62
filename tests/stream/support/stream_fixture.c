#include "tests/stream/support/stream_fixture.h"

#include "base/container_of.h"
#include "base/env_uv.h"
#include "storage/counter_context.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture_poll {
    struct env_timer timer;
    struct env *env;
    const bool *done;
    uint64_t deadline_ns;
};

static void poll_again(struct env_timer *timer)
{
    struct fixture_poll *poll = CONTAINER_OF(timer, struct fixture_poll, timer);
    if (*poll->done || env_monotonic_ns(poll->env) > poll->deadline_ns)
        env_uv_stop(poll->env);
    else
        env_timer_start(poll->env, timer, 1000000, poll_again);
}

void stream_fixture_run_until(struct stream_fixture *fixture, const bool *done)
{
    struct fixture_poll poll = {.env = fixture->env, .done = done};
    poll.deadline_ns = env_monotonic_ns(fixture->env) + 30 * (uint64_t)1000000000;
    env_timer_start(fixture->env, &poll.timer, 0, poll_again);
    env_uv_run(fixture->env);
    ck_assert(*done);
}

// ---- The node's half ---------------------------------------------------------------------------

static void start(struct stream_fixture *fixture)
{
    struct error error = {.text = ""};
    char path[300];
    (void)snprintf(path, sizeof path, "%s/metadata", fixture->directory);
    const struct metadata_options metadata_options = {.directory = path};
    ck_assert_msg(metadata_open(fixture->env, &metadata_options, &fixture->metadata, &error) ==
                      STATUS_OK,
                  "%s", error.text);
    struct engine_options options = {.directory = fixture->directory,
                                     .memtable_space_max = fixture->memtable_space_max};
    const struct schema *schema = metadata_schema(fixture->metadata);
    ck_assert_msg(engine_open(fixture->env, &options, schema, &fixture->engine, &error) ==
                      STATUS_OK,
                  "%s", error.text);
    metadata_set_engine(fixture->metadata, fixture->engine);
    const struct coordinator_options coordinator_options = {.engine = fixture->engine,
                                                            .schema = schema};
    fixture->coordinator = coordinator_create(fixture->env, &coordinator_options);
}

static void set_flag(void *context)
{
    *(bool *)context = true;
}

static void stop(struct stream_fixture *fixture)
{
    bool stopped = false;
    coordinator_destroy(fixture->coordinator);
    engine_close(fixture->engine, set_flag, &stopped);
    stream_fixture_run_until(fixture, &stopped);
    metadata_close(fixture->metadata);
}

void stream_fixture_restart(struct stream_fixture *fixture)
{
    stop(fixture);
    start(fixture);
}

struct schema_wait {
    struct metadata_schema_change change;
    bool done;
};

static void schema_changed(struct metadata_schema_change *change, enum status status)
{
    ck_assert_int_eq(status, STATUS_OK);
    CONTAINER_OF(change, struct schema_wait, change)->done = true;
}

static void make_keyspace(struct stream_fixture *fixture)
{
    struct option replication[] = {
        {slice_of_text("class"), slice_of_text("org.apache.cassandra.locator.SimpleStrategy")},
        {slice_of_text("replication_factor"), slice_of_text("1")},
    };
    struct options options = {replication, 2};
    struct schema_wait wait = {.done = false};
    const struct keyspace *keyspace = keyspace_make(slice_of_text("ks"), &options, true, false);
    metadata_put_keyspace(fixture->metadata, &wait.change, keyspace, schema_changed);
    stream_fixture_run_until(fixture, &wait.done);
    keyspace_unref(keyspace);
}

static void make_table(struct stream_fixture *fixture)
{
    struct uuid id = {{1}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("t"), id);
    table_builder_set_counter(builder, true);
    table_builder_add_column(builder, slice_of_text("a"), type_of_kind(TYPE_TEXT),
                             COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("b"), type_of_kind(TYPE_TEXT),
                             COLUMN_CLUSTERING, true);
    table_builder_add_column(builder, slice_of_text("n"), type_of_kind(TYPE_COUNTER),
                             COLUMN_REGULAR, false);
    const struct table *table = table_builder_finish(builder);
    struct schema_wait wait = {.done = false};
    metadata_put_table(fixture->metadata, &wait.change, table, schema_changed);
    stream_fixture_run_until(fixture, &wait.done);
    table_unref(table);
}

void stream_fixture_setup(struct stream_fixture *fixture)
{
    struct error error;
    *fixture = (struct stream_fixture){.directory = "/tmp/helenus-stream-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(fixture->directory));
    ck_assert_int_eq(env_uv_create(&fixture->env, &error), STATUS_OK);
    start(fixture);
    make_keyspace(fixture);
    make_table(fixture);
}

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

void stream_fixture_teardown(struct stream_fixture *fixture)
{
    stop(fixture);
    env_uv_destroy(fixture->env);
    (void)nftw(fixture->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *stream_fixture_write(struct stream_fixture *fixture, const char *name, const char *text)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

// ---- Reading -----------------------------------------------------------------------------------

struct fixture_read {
    struct coordinator_read read;
    struct slice row; // The clustering value that is looked for; null: any.
    int64_t total;
    size_t count;
    bool done;
};

static void read_restart(struct coordinator_read *read)
{
    struct fixture_read *self = CONTAINER_OF(read, struct fixture_read, read);
    self->total = 0;
    self->count = 0;
}

static enum status read_consume(struct coordinator_read *read, struct partition_iterator *partition,
                                bool *enough)
{
    struct fixture_read *self = CONTAINER_OF(read, struct fixture_read, read);
    struct unfiltered unfiltered;
    enum status status;
    (void)enough;
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
        if (unfiltered.is_marker || unfiltered.row->cell_count == 0) continue;
        struct slice place = unfiltered.row->clustering.values[0];
        if (!slice_is_null(self->row) && !slice_equals(place, self->row)) continue;
        self->count++;
        self->total += counter_context_total(unfiltered.row->cells[0].value);
    }
    return status == STATUS_END ? STATUS_OK : status;
}

static void read_done(struct coordinator_read *read, const struct coordinator_result *result)
{
    ck_assert_int_eq(result->outcome, COORDINATOR_OK);
    CONTAINER_OF(read, struct fixture_read, read)->done = true;
}

static void run_read(struct stream_fixture *fixture, struct fixture_read *self,
                     const struct partition_key *key)
{
    struct clustering_range all = CLUSTERING_RANGE_ALL;
    self->read.restart = read_restart;
    self->read.consume = read_consume;
    self->read.table = schema_find_table(metadata_schema(fixture->metadata), slice_of_text("ks"),
                                         slice_of_text("t"));
    self->read.keys = key;
    self->read.key_count = key == NULL ? 0 : 1;
    self->read.range = SCAN_RANGE_ALL;
    self->read.filter = (struct partition_filter){.ranges = &all, .range_count = 1};
    self->read.now_s = 1700000000;
    coordinator_read_start(fixture->coordinator, &self->read, CONSISTENCY_QUORUM, read_done);
    stream_fixture_run_until(fixture, &self->done);
}

int64_t stream_fixture_read(struct stream_fixture *fixture, const char *a, const char *b)
{
    struct partition_key key = partition_key_make(slice_of_text(a));
    struct fixture_read self = {.row = slice_of_text(b)};
    run_read(fixture, &self, &key);
    return self.total;
}

size_t stream_fixture_count(struct stream_fixture *fixture)
{
    struct fixture_read self = {.row = slice_null()};
    run_read(fixture, &self, NULL);
    return self.count;
}

// ---- Jobs --------------------------------------------------------------------------------------

struct job_wait {
    struct metadata_job_change change;
    bool done;
};

static void job_changed(struct metadata_job_change *change, enum status status)
{
    ck_assert_int_eq(status, STATUS_OK);
    CONTAINER_OF(change, struct job_wait, change)->done = true;
}

struct uuid stream_fixture_submit(struct stream_fixture *fixture)
{
    struct job job = {.source_count = 1, .output_count = 1};
    job.outputs[0].table = (struct uuid){{1}};
    env_random_bytes(fixture->env, job.id.bytes, sizeof job.id.bytes);
    job.submission_id = job.id;
    struct job_wait wait = {.done = false};
    metadata_submit_job(fixture->metadata, &wait.change, &job, job_changed);
    stream_fixture_run_until(fixture, &wait.done);
    return job.id;
}

void stream_fixture_record(struct stream_fixture *fixture, struct uuid job, uint64_t number,
                           uint64_t done_through)
{
    struct job_batch batch = {.number = number, .timestamp_us = (int64_t)number * 10};
    batch.offsets[0] = (struct job_offset){(number - 1) * 10, number * 10};
    struct job_wait wait = {.done = false};
    metadata_record_batch(fixture->metadata, &wait.change, job, &batch, 1, done_through, 0, 64,
                          job_changed);
    stream_fixture_run_until(fixture, &wait.done);
}
