// The commit log alone: order, group commit, segments and their second life, and what a replay
// makes of each kind of damage.
#include "base/container_of.h"
#include "base/env_sim.h"
#include "base/limits.h"
#include "storage/commit_log/commit_log.h"
#include "storage/commit_log/commit_log_format.h"
#include "tests/storage/support/engine_fixture.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[512];
static struct commit_log *commit_log;
static const struct uuid table_a = {{1}}, table_b = {{2}};

// What the last open replayed.
static struct {
    size_t count;
    uint64_t last_position;
    uint8_t firsts[4096]; // The first byte of each record.
    struct error error;
} replayed;

static enum status replay(void *context, uint64_t position, struct slice record,
                          struct error *error)
{
    (void)context;
    (void)error;
    ck_assert(replayed.count == 0 || position > replayed.last_position);
    ck_assert_uint_lt(replayed.count, sizeof replayed.firsts);
    replayed.firsts[replayed.count++] = record.data[0];
    replayed.last_position = position;
    return STATUS_OK;
}

static enum status try_open_with(const struct commit_log_options *more)
{
    struct commit_log_options options = *more;
    options.directory = directory;
    options.period_ns = 3600ull * 1000000000;
    memset(&replayed, 0, sizeof replayed);
    return commit_log_open(engine_fixture_env(), &options, replay, NULL, &commit_log,
                           &replayed.error);
}

static enum status try_open(enum commit_log_sync sync)
{
    return try_open_with(&(struct commit_log_options){.sync = sync});
}

static void open_log(void)
{
    enum status status = try_open(COMMIT_LOG_SYNC_GROUP);
    ck_assert_msg(status == STATUS_OK, "%s", replayed.error.text);
}

static void setup(void)
{
    engine_fixture_setup();
    (void)snprintf(directory, sizeof directory, "%s/commitlog", engine_fixture_directory());
    open_log();
}

static void teardown(void)
{
    if (commit_log != NULL) commit_log_abandon(commit_log);
    engine_fixture_teardown();
}

static uint64_t append(char first, size_t size)
{
    uint8_t *bytes = malloc(size);
    memset(bytes, 'x', size);
    bytes[0] = (uint8_t)first;
    uint64_t position;
    ck_assert_int_eq(commit_log_append_for(commit_log, table_a, slice_make(bytes, size), &position),
                     STATUS_OK);
    free(bytes);
    return position;
}

struct waiting {
    struct commit_log_waiter waiter;
    enum status status;
    bool done;
};

static void wait_done(struct commit_log_waiter *waiter, enum status status)
{
    struct waiting *waiting = CONTAINER_OF(waiter, struct waiting, waiter);
    waiting->status = status;
    waiting->done = true;
}

static enum status wait_for(uint64_t position)
{
    struct waiting waiting = {.done = false};
    commit_log_wait_durable(commit_log, &waiting.waiter, position, wait_done);
    engine_fixture_run_until(&waiting.done);
    return waiting.status;
}

// A record that is synced when this returns.
static void append_synced(char first, size_t size)
{
    ck_assert_int_eq(wait_for(append(first, size)), STATUS_OK);
}

static void crash(void)
{
    commit_log_abandon(commit_log);
    commit_log = NULL;
}

static void set_flag(void *context)
{
    *(bool *)context = true;
}

static void close_log(void)
{
    bool drained = false;
    commit_log_drain(commit_log, set_flag, &drained);
    engine_fixture_run_until(&drained);
    commit_log_close(commit_log);
    commit_log = NULL;
}

// ---- Files -------------------------------------------------------------------------------------

static size_t count_files(void)
{
    DIR *dir = opendir(directory);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += strncmp(entry->d_name, "CommitLog-", 10) == 0;
    closedir(dir);
    return count;
}

static void flip(int segment, long offset)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/CommitLog-%d.log", directory, segment);
    int fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    uint8_t byte;
    ck_assert_int_eq(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x10;
    ck_assert_int_eq(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

// Where record `index` of this size stands in a segment that began with a mark.
static long offset_of(int index, size_t size)
{
    return (long)(COMMIT_LOG_HEADER_SIZE + (size_t)index * commit_log_format_size(size));
}

// ---- Tests -------------------------------------------------------------------------------------

START_TEST(what_was_synced_is_replayed_in_order)
{
    for (char c = 'a'; c <= 'e'; c++)
        append_synced(c, 10 + (size_t)c);
    if (_i == 0) {
        crash();
    } else {
        close_log();
    }
    open_log();
    ck_assert_uint_eq(replayed.count, 5);
    ck_assert_mem_eq(replayed.firsts, "abcde", 5);
    ck_assert_uint_eq(commit_log_synced_position(commit_log), 5);
    ck_assert_uint_eq(append('f', 1), 6);
    close_log();
    open_log();
    ck_assert_mem_eq(replayed.firsts, "abcdef", 6);
    ck_assert_uint_eq(replayed.count, 6);
}
END_TEST

START_TEST(an_unused_log_writes_no_file)
{
    close_log();
    ck_assert_uint_eq(count_files(), 0);
    open_log();
    append_synced('a', 1);
    ck_assert_uint_eq(count_files(), 1);
}
END_TEST

START_TEST(all_that_waits_is_called_in_order_by_one_sync)
{
    struct waiting waiting[8] = {{.done = false}};
    for (int i = 0; i < 8; i++)
        commit_log_wait(commit_log, &waiting[i].waiter, append('a', 100), wait_done);
    commit_log_cancel_wait(commit_log, &waiting[3].waiter);
    commit_log_cancel_wait(commit_log, &waiting[3].waiter);
    ck_assert(!waiting[0].done);
    engine_fixture_run_until(&waiting[7].done);
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(waiting[i].done, i != 3);
        ck_assert_int_eq(waiting[i].status, STATUS_OK);
    }
    // A position that is synced already: in a later turn.
    struct waiting late = {.done = false};
    commit_log_wait(commit_log, &late.waiter, 1, wait_done);
    ck_assert(!late.done);
    engine_fixture_run_until(&late.done);
}
END_TEST

static void append_many_synced(int count)
{
    uint64_t position = 0;
    for (int i = 0; i < count; i++)
        position = append('m', 10);
    ck_assert_int_eq(wait_for(position), STATUS_OK);
}

// With many writers a write that would carry less than the one before waits a moment, but not for
// ever, and it holds nobody up who wants to stop.
START_TEST(after_a_write_of_many_a_few_wait_a_moment_for_more)
{
    uint64_t begin_ns = env_monotonic_ns(engine_fixture_env());
    append_many_synced(20);
    append_synced('a', 1);
    ck_assert_uint_ge(env_monotonic_ns(engine_fixture_env()) - begin_ns, COMMIT_LOG_GROUP_GAP_NS);
    append_many_synced(20);
    append_many_synced(30);
    (void)append('b', 1);
    close_log();
    open_log();
    ck_assert_uint_eq(replayed.count, 72);
    ck_assert_int_eq(replayed.firsts[71], 'b');
}
END_TEST

enum { LARGE = 1 << 20, MANY = 40 }; // 40 MiB of records: five segments and more.

START_TEST(clean_segments_are_used_again_and_their_old_records_never_come_back)
{
    uint64_t position = 0;
    for (int i = 0; i < MANY; i++) {
        position = append('a', LARGE);
        ck_assert_int_eq(wait_for(position), STATUS_OK);
        if (i % 4 == 3) commit_log_mark_flushed(commit_log, table_a, position);
    }
    ck_assert_uint_le(count_files(), 5);
    crash();
    open_log();
    // Only a short end of it is still there, and nothing twice.
    ck_assert_uint_lt(replayed.count, MANY / 2 + 8);
    ck_assert_uint_eq(replayed.last_position, MANY);
    ck_assert_uint_eq(append('b', 1), MANY + 1);
}
END_TEST

START_TEST(a_table_that_was_not_flushed_keeps_its_segments)
{
    uint64_t position;
    ck_assert_int_eq(commit_log_append_for(commit_log, table_b, slice_make("b", 1), &position),
                     STATUS_OK);
    for (int i = 0; i < 24; i++)
        position = append('a', LARGE);
    ck_assert_int_eq(wait_for(position), STATUS_OK);
    commit_log_mark_flushed(commit_log, table_a, position);
    struct uuid oldest;
    ck_assert(!commit_log_is_long(commit_log, &oldest));
    crash();
    open_log();
    ck_assert_uint_eq(replayed.count, 25);
    // After a replay the log is told who is in it.
    commit_log_mark_dirty(commit_log, table_b, 1, 1);
    for (int i = 0; i < 56; i++)
        position = append('a', LARGE);
    ck_assert(commit_log_is_long(commit_log, &oldest));
    ck_assert_mem_eq(&oldest, &table_b, sizeof oldest);
    ck_assert_int_eq(wait_for(position), STATUS_OK);
    commit_log_mark_flushed(commit_log, table_b, 1);
    commit_log_mark_flushed(commit_log, table_a, position);
    ck_assert(!commit_log_is_long(commit_log, &oldest));
}
END_TEST

START_TEST(the_log_is_long_when_it_is_longer_than_it_is_said_to_be)
{
    enum { RECORDS = 80, SEGMENTS = 12 }; // Seven records in a segment.
    uint64_t position = 0;
    struct uuid oldest;
    for (int i = 0; i < RECORDS; i++) {
        position = append('a', LARGE);
        if (i % 32 == 31) ck_assert_int_eq(wait_for(position), STATUS_OK);
    }
    ck_assert_int_eq(wait_for(position), STATUS_OK);
    ck_assert_uint_eq(count_files(), SEGMENTS);
    ck_assert(commit_log_is_long(commit_log, &oldest));
    crash();
    struct commit_log_options options = {.size_max = SEGMENTS * COMMIT_LOG_SEGMENT_SIZE};
    ck_assert_int_eq(try_open_with(&options), STATUS_OK);
    commit_log_mark_dirty(commit_log, table_a, 1, position);
    ck_assert(!commit_log_is_long(commit_log, &oldest));
    position = append('a', LARGE); // In a segment of this run's.
    ck_assert_int_eq(wait_for(position), STATUS_OK);
    ck_assert(commit_log_is_long(commit_log, &oldest));
    ck_assert(!commit_log_is_full(commit_log));
    // What a large flush has freed does not go all at once, while a write waits for it.
    commit_log_mark_flushed(commit_log, table_a, position);
    for (size_t files = count_files(); files > COMMIT_LOG_CLEAN_MAX + 1; files--) {
        ck_assert_uint_eq(count_files(), files);
        append_synced('a', 1);
    }
    append_synced('a', 1);
    ck_assert_uint_eq(count_files(), COMMIT_LOG_CLEAN_MAX + 1);
}
END_TEST

START_TEST(a_record_larger_than_a_segment_has_one_of_its_own)
{
    append('a', 10);
    append('b', COMMIT_LOG_SEGMENT_SIZE + 1000);
    append_synced('c', 10);
    crash();
    open_log();
    ck_assert_uint_eq(replayed.count, 3);
    ck_assert_mem_eq(replayed.firsts, "abc", 3);
}
END_TEST

START_TEST(too_much_that_waits_is_refused)
{
    uint8_t *bytes = calloc(1, MUTATION_SIZE_MAX + 1);
    uint64_t position;
    ck_assert_int_eq(
        commit_log_append(commit_log, slice_make(bytes, MUTATION_SIZE_MAX + 1), &position),
        STATUS_INVALID);
    enum status status = STATUS_OK;
    for (int i = 0; i < 5 && status == STATUS_OK; i++)
        status = commit_log_append(commit_log, slice_make(bytes, MUTATION_SIZE_MAX), &position);
    ck_assert_int_eq(status, STATUS_OVERLOADED);
    free(bytes);
    ck_assert_int_eq(wait_for(1), STATUS_OK);
}
END_TEST

START_TEST(a_torn_last_write_is_cut_and_the_log_goes_on)
{
    append_synced('a', 100);
    append_synced('b', 100);
    crash();
    flip(1, offset_of(1, 100) + 50);
    for (int again = 0; again < 2; again++) {
        open_log();
        ck_assert_uint_eq(replayed.count, 1);
        crash();
    }
    open_log();
    ck_assert_uint_eq(append('c', 100), 2);
    ck_assert_int_eq(wait_for(2), STATUS_OK);
    crash();
    open_log();
    ck_assert_uint_eq(replayed.count, 2);
    ck_assert_mem_eq(replayed.firsts, "ac", 2);
}
END_TEST

START_TEST(pages_of_the_last_write_may_be_missing_in_any_order)
{
    append_synced('a', 100);
    append('b', 100); // One write: b, c, d. Only b does not get there.
    append('c', 100);
    append_synced('d', 100);
    crash();
    flip(1, offset_of(1, 100) + 50);
    open_log();
    ck_assert_uint_eq(replayed.count, 1);
    append_synced('e', 100);
    crash();
    open_log();
    ck_assert_uint_eq(replayed.count, 2);
    ck_assert_mem_eq(replayed.firsts, "ae", 2);
}
END_TEST

START_TEST(damage_before_the_last_write_is_an_error)
{
    append_synced('a', 100);
    append_synced('b', 100);
    append_synced('c', 100);
    crash();
    flip(1, offset_of(_i, 100) + 50);
    ck_assert_int_eq(try_open(COMMIT_LOG_SYNC_GROUP), STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(replayed.error.text, "CommitLog-1.log"));
    char offset[32];
    (void)snprintf(offset, sizeof offset, "offset %ld", offset_of(_i, 100));
    ck_assert_ptr_nonnull(strstr(replayed.error.text, offset));
}
END_TEST

START_TEST(damage_is_told_with_what_is_lost_and_changes_nothing)
{
    append_synced('a', 100);
    append('b', 100); // One write: b, c, d. What is damaged of it is proven by e only,
    append('c', 100);
    append_synced('d', 100);
    crash();
    open_log();
    append_synced('e', 100); // in the next segment.
    crash();
    flip(1, offset_of(2, 100) + 50);
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(try_open(COMMIT_LOG_SYNC_GROUP), STATUS_CORRUPT);
        ck_assert_ptr_nonnull(strstr(replayed.error.text, "changes 3 to 3"));
        ck_assert_ptr_nonnull(strstr(replayed.error.text, "ignore_replay_errors"));
    }
    flip(1, offset_of(2, 100) + 50); // Healed: nothing had been cut off.
    open_log();
    ck_assert_uint_eq(replayed.count, 5);
}
END_TEST

// Records a to f of 100 bytes, one in a write, in two segments of three.
static void make_two_segments(void)
{
    for (char c = 'a'; c <= 'f'; c++) {
        if (c == 'd') {
            crash();
            open_log();
        }
        append_synced(c, 100);
    }
    crash();
}

static void open_skipping(void)
{
    enum status status = try_open_with(&(struct commit_log_options){.skips_damage = true});
    ck_assert_msg(status == STATUS_OK, "%s", replayed.error.text);
}

// What can be read is there, at each later start too, and the log goes on.
static void expect_left(const char *left, size_t place_count, uint64_t change_count)
{
    open_skipping();
    ck_assert_uint_eq(replayed.count, strlen(left));
    ck_assert_mem_eq(replayed.firsts, left, strlen(left));
    ck_assert_uint_eq(commit_log_loss(commit_log)->place_count, place_count);
    ck_assert_uint_eq(commit_log_loss(commit_log)->change_count, change_count);
    append_synced('x', 100);
    crash();
    open_log();
    ck_assert_uint_eq(replayed.count, strlen(left) + 1);
    ck_assert_mem_eq(replayed.firsts, left, strlen(left));
    ck_assert_uint_eq(replayed.last_position, 7);
    ck_assert_uint_eq(commit_log_loss(commit_log)->place_count, 0);
}

START_TEST(damage_can_be_skipped)
{
    make_two_segments();
    flip(1, offset_of(1, 100) + 50);
    expect_left("acdef", 1, 1);
}
END_TEST

START_TEST(a_damaged_beginning_and_a_damaged_end_can_be_skipped)
{
    make_two_segments();
    flip(1, offset_of(2, 100) + 50); // The last of the first,
    flip(2, 8);                      // the mark of the second,
    flip(2, offset_of(0, 100) + 10); // and its first.
    expect_left("abef", 1, 2);
}
END_TEST

START_TEST(a_missing_segment_can_be_skipped)
{
    make_two_segments();
    open_log();
    append_synced('g', 100);
    crash();
    char path[600];
    (void)snprintf(path, sizeof path, "%s/CommitLog-2.log", directory);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(try_open(COMMIT_LOG_SYNC_GROUP), STATUS_CORRUPT);
    open_skipping();
    ck_assert_uint_eq(replayed.count, 4);
    ck_assert_mem_eq(replayed.firsts, "abcg", 4);
    ck_assert_uint_eq(commit_log_loss(commit_log)->change_count, 3);
    crash();
    open_log();
    ck_assert_uint_eq(replayed.count, 4);
}
END_TEST

START_TEST(a_log_that_ends_too_early_can_be_skipped)
{
    append_synced('a', 100);
    crash();
    struct commit_log_options options = {.position_min = 41};
    ck_assert_int_eq(try_open_with(&options), STATUS_CORRUPT);
    options.skips_damage = true;
    ck_assert_int_eq(try_open_with(&options), STATUS_OK);
    ck_assert_uint_eq(commit_log_loss(commit_log)->change_count, 40);
    ck_assert_uint_eq(append('b', 100), 42);
    ck_assert_int_eq(wait_for(42), STATUS_OK);
    crash();
    options.skips_damage = false;
    ck_assert_int_eq(try_open_with(&options), STATUS_OK);
    ck_assert_uint_eq(replayed.count, 2);
}
END_TEST

// A segment of three records with these positions, each synced before the next.
static struct slice make_segment(uint8_t *bytes, const uint64_t positions[3])
{
    size_t offset = 0;
    for (size_t i = 0; i < 3; i++) {
        commit_log_format_put(bytes + offset, 1, offset, positions[i], positions[i] - 1,
                              COMMIT_LOG_RECORD, slice_make(&"abc"[i], 1));
        offset += commit_log_format_size(1);
    }
    return slice_make(bytes, offset);
}

// The second is not whole, though the third says that it had been synced; or the third comes before
// the others.
static struct slice make_damaged_segment(uint8_t *bytes, bool has_gap)
{
    struct slice segment =
        make_segment(bytes, has_gap ? (uint64_t[]){1, 2, 3} : (uint64_t[]){5, 6, 4});
    if (has_gap) bytes[commit_log_format_size(1)]++;
    return segment;
}

static void put_segment(struct env *env, struct slice bytes)
{
    struct env_file *file;
    ck_assert_int_eq(env_make_dir(env, "/log", NULL), STATUS_OK);
    ck_assert_int_eq(
        env_file_open(env, "/log/CommitLog-1.log", ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file, NULL),
        STATUS_OK);
    ck_assert_int_eq(env_file_write(file, 0, bytes.data, bytes.size, NULL), STATUS_OK);
    ck_assert_int_eq(env_file_sync(file, NULL), STATUS_OK);
    env_file_close(file);
    ck_assert_int_eq(env_sync_dir(env, "/log", NULL), STATUS_OK);
    ck_assert_int_eq(env_sync_dir(env, "/", NULL), STATUS_OK);
}

static struct commit_log *expect_opened(struct env *env, bool skips_damage, const char *firsts)
{
    struct commit_log_options options = {.directory = "/log", .skips_damage = skips_damage};
    struct commit_log *opened;
    memset(&replayed, 0, sizeof replayed);
    enum status status = commit_log_open(env, &options, replay, NULL, &opened, &replayed.error);
    ck_assert_msg(status == STATUS_OK, "%s", replayed.error.text);
    ck_assert_uint_eq(replayed.count, strlen(firsts));
    ck_assert_mem_eq(replayed.firsts, firsts, strlen(firsts));
    return opened;
}

static void go_on_with(struct sim_world *world, struct commit_log *opened, const char *text)
{
    uint64_t position;
    struct waiting waiting = {.done = false};
    ck_assert_int_eq(commit_log_append_for(opened, table_a, slice_of_text(text), &position),
                     STATUS_OK);
    commit_log_wait_durable(opened, &waiting.waiter, position, wait_done);
    while (!waiting.done)
        ck_assert(sim_world_step(world));
    ck_assert_int_eq(waiting.status, STATUS_OK);
}

static void died(void *context, struct env *env)
{
    sim_process_destroy(env);
    *(struct env **)context = NULL;
}

// What was said to be skipped does not come back as damage after a power loss: the node went on.
START_TEST(what_is_skipped_is_marked_and_stays_skipped)
{
    bool has_gap = _i % 2 == 0;
    struct sim_options options = {.seed = (uint64_t)_i + 1}; // A lost cut comes back by chance.
    options.chances[SIM_FAULT_LOST_PAGE] = 1;
    struct sim_world *world = sim_world_create(&options);
    struct sim_machine *machine = sim_machine_create(world, "a");
    struct env *env = sim_process_start(machine, "node", died, &env);
    uint8_t room[200];
    crash();
    put_segment(env, make_damaged_segment(room, has_gap));
    struct commit_log *opened = expect_opened(env, true, has_gap ? "ac" : "ab");
    ck_assert_uint_eq(sim_world_marks(world, ENV_MARK_LOG_DAMAGE_SKIPPED), 1);
    go_on_with(world, opened, "d");
    commit_log_abandon(opened);
    sim_machine_crash(machine);
    while (env != NULL)
        ck_assert(sim_world_step(world));
    env = sim_process_start(machine, "node", died, &env);
    commit_log_abandon(expect_opened(env, false, has_gap ? "acd" : "abd"));
    sim_process_destroy(env);
    sim_world_destroy(world);
}
END_TEST

// ---- The archive -------------------------------------------------------------------------------

static void open_archiving(const char *command)
{
    enum status status = try_open_with(&(struct commit_log_options){.archive_command = command});
    ck_assert_msg(status == STATUS_OK, "%s", replayed.error.text);
}

static size_t count_archived(void)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/archive", engine_fixture_directory());
    DIR *dir = opendir(path);
    if (dir == NULL) return 0;
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += strncmp(entry->d_name, "CommitLog-", 10) == 0;
    closedir(dir);
    return count;
}

static bool has_all_archived;
static size_t archived_wanted;

static void look_at_archive(struct env_timer *timer)
{
    has_all_archived = count_archived() >= archived_wanted;
    if (!has_all_archived) env_timer_start(engine_fixture_env(), timer, 1000000, look_at_archive);
}

static void await_archived(size_t count)
{
    struct env_timer timer = {0};
    archived_wanted = count;
    has_all_archived = false;
    env_timer_start(engine_fixture_env(), &timer, 0, look_at_archive);
    engine_fixture_run_until(&has_all_archived);
}

START_TEST(complete_segments_are_archived_before_they_go)
{
    char command[1200];
    (void)snprintf(command, sizeof command, "mkdir -p '%s/archive'; ln %%path '%s/archive/'%%name",
                   engine_fixture_directory(), engine_fixture_directory());
    append_synced('a', 100); // Of an earlier run.
    crash();
    open_archiving(command);
    await_archived(1);
    for (int i = 0; i < 8; i++) {
        append_synced('b', 7 * LARGE);
        commit_log_mark_flushed(commit_log, table_a, commit_log_synced_position(commit_log));
    }
    await_archived(8);
    append_synced('c', 100);
    append_synced('d', 100);
    ck_assert_uint_le(count_files(), 3);
    close_log();
    // What is in the archive is a log: nothing was written over it.
    char restored[600];
    (void)snprintf(restored, sizeof restored, "%s/archive", engine_fixture_directory());
    memset(&replayed, 0, sizeof replayed);
    struct commit_log_options options = {.directory = restored};
    ck_assert_int_eq(
        commit_log_open(engine_fixture_env(), &options, replay, NULL, &commit_log, &replayed.error),
        STATUS_OK);
    ck_assert_uint_ge(replayed.count, 8);
}
END_TEST

START_TEST(what_is_not_archived_stays)
{
    crash();
    open_archiving("false %path");
    for (int i = 0; i < 8; i++) {
        append_synced('a', 7 * LARGE);
        commit_log_mark_flushed(commit_log, table_a, commit_log_synced_position(commit_log));
    }
    ck_assert_uint_eq(count_files(), 8);
    close_log();
}
END_TEST

START_TEST(a_stop_does_not_wait_for_a_command)
{
    append_synced('a', 100);
    crash();
    open_archiving("sleep 1000 # %path");
    append_synced('a', 7 * LARGE);
    append_synced('a', 7 * LARGE);
    close_log();
}
END_TEST

START_TEST(segments_begun_while_much_is_in_flight_are_replayed_after_those_before_are_gone)
{
    uint64_t position = 0;
    for (int i = 0; i < 60; i++) {
        position = append('a', LARGE / 2);
        if (i % 10 == 9) ck_assert_int_eq(wait_for(position), STATUS_OK);
        commit_log_mark_flushed(commit_log, table_a, commit_log_synced_position(commit_log));
    }
    crash();
    open_log();
    ck_assert_uint_eq(replayed.last_position, 60);
    ck_assert_uint_lt(replayed.count, 60);
}
END_TEST

START_TEST(damage_at_the_very_beginning_is_an_error)
{
    append_synced('a', 100);
    append_synced('b', 100);
    crash();
    flip(1, _i == 0 ? 8 : offset_of(0, 100) + 50);
    ck_assert_int_eq(try_open(COMMIT_LOG_SYNC_GROUP), STATUS_CORRUPT);
}
END_TEST

START_TEST(damage_in_an_earlier_segment_is_an_error)
{
    append_synced('a', 100);
    crash();
    open_log();
    append_synced('b', 100);
    crash();
    flip(1, offset_of(0, 100) + 50);
    ck_assert_int_eq(try_open(COMMIT_LOG_SYNC_GROUP), STATUS_CORRUPT);
}
END_TEST

START_TEST(a_clean_stop_proves_the_last_record_too)
{
    append_synced('a', 100);
    close_log();
    flip(1, offset_of(0, 100) + 50);
    ck_assert_int_eq(try_open(COMMIT_LOG_SYNC_GROUP), STATUS_CORRUPT);
}
END_TEST

static void keep_line(void *context, struct slice line)
{
    (void)snprintf(context, 1024, "%.*s", (int)line.size, (const char *)line.data);
}

START_TEST(a_failed_write_is_final)
{
    char said[1024] = "";
    struct log log;
    log_init(&log, engine_fixture_env(), LOG_INFO);
    log.write = keep_line;
    log.context = said;
    close_log();
    ck_assert_int_eq(try_open_with(&(struct commit_log_options){.log = &log}), STATUS_OK);
    ck_assert_int_eq(rmdir(directory), 0);
    uint64_t position = append('a', 1);
    ck_assert_int_eq(wait_for(position), STATUS_IO);
    ck_assert_int_eq(commit_log_append(commit_log, slice_make("b", 1), &position), STATUS_IO);
    ck_assert_int_eq(wait_for(1), STATUS_IO);
    ck_assert_uint_eq(commit_log_synced_position(commit_log), 0);
    // Whoever runs the node is told why.
    ck_assert_ptr_nonnull(strstr(said, "CommitLog-1.log: cannot"));
    ck_assert_ptr_nonnull(strstr(said, "No such file or directory: nothing is written any more"));
}
END_TEST

START_TEST(periodic_mode_does_not_wait_but_can)
{
    close_log();
    ck_assert_int_eq(try_open(COMMIT_LOG_SYNC_PERIODIC), STATUS_OK);
    struct waiting waiting = {.done = false};
    uint64_t position = append('a', 1);
    commit_log_wait(commit_log, &waiting.waiter, position, wait_done);
    engine_fixture_run_until(&waiting.done);
    ck_assert_uint_eq(commit_log_synced_position(commit_log), 0);
    ck_assert_int_eq(wait_for(position), STATUS_OK);
    ck_assert_uint_eq(commit_log_synced_position(commit_log), position);
}
END_TEST

// The time of a record comes while the disk is still at the one before, and nothing comes behind
// it.
START_TEST(periodic_mode_writes_what_came_during_a_long_write)
{
    struct sim_options options = {.seed = 1};
    struct sim_world *world = sim_world_create(&options);
    struct sim_machine *machine = sim_machine_create(world, "a");
    struct env *env = sim_process_start(machine, "node", died, &env);
    const struct commit_log_options wanted = {
        .directory = "/log", .sync = COMMIT_LOG_SYNC_PERIODIC, .period_ns = 1000};
    struct commit_log *opened;
    memset(&replayed, 0, sizeof replayed);
    ck_assert_int_eq(commit_log_open(env, &wanted, replay, NULL, &opened, &replayed.error),
                     STATUS_OK);
    sim_machine_set_slow(machine, UINT64_C(1000000000));
    uint64_t position;
    ck_assert_int_eq(commit_log_append_for(opened, table_a, slice_of_text("a"), &position),
                     STATUS_OK);
    while (sim_world_marks(world, ENV_MARK_LOG_WRITE) == 0)
        ck_assert(sim_world_step(world));
    ck_assert_int_eq(commit_log_append_for(opened, table_a, slice_of_text("b"), &position),
                     STATUS_OK);
    while (sim_world_step(world))
        continue;
    ck_assert_uint_eq(commit_log_synced_position(opened), position);
    commit_log_abandon(opened);
    sim_process_crash(env);
    while (env != NULL)
        ck_assert(sim_world_step(world));
    sim_world_destroy(world);
}
END_TEST

START_TEST(positions_of_before_are_not_given_again)
{
    crash();
    struct commit_log_options options = {.directory = directory, .position_min = 41};
    ck_assert_int_eq(
        commit_log_open(engine_fixture_env(), &options, replay, NULL, &commit_log, &replayed.error),
        STATUS_OK);
    ck_assert_uint_eq(append('a', 1), 42);
    ck_assert_int_eq(wait_for(42), STATUS_OK);
    crash();
    options.position_min = 43;
    ck_assert_int_eq(
        commit_log_open(engine_fixture_env(), &options, replay, NULL, &commit_log, &replayed.error),
        STATUS_CORRUPT);
}
END_TEST

int main(void)
{
    TCase *log = tcase_create("commit_log");
    tcase_add_checked_fixture(log, setup, teardown);
    tcase_set_timeout(log, 60);
    tcase_add_loop_test(log, what_was_synced_is_replayed_in_order, 0, 2);
    tcase_add_test(log, an_unused_log_writes_no_file);
    tcase_add_test(log, all_that_waits_is_called_in_order_by_one_sync);
    tcase_add_test(log, after_a_write_of_many_a_few_wait_a_moment_for_more);
    tcase_add_test(log, clean_segments_are_used_again_and_their_old_records_never_come_back);
    tcase_add_test(log, a_table_that_was_not_flushed_keeps_its_segments);
    tcase_add_test(log, the_log_is_long_when_it_is_longer_than_it_is_said_to_be);
    tcase_add_test(log, a_record_larger_than_a_segment_has_one_of_its_own);
    tcase_add_test(log, too_much_that_waits_is_refused);
    tcase_add_test(log, a_torn_last_write_is_cut_and_the_log_goes_on);
    tcase_add_test(log, pages_of_the_last_write_may_be_missing_in_any_order);
    tcase_add_loop_test(log, damage_before_the_last_write_is_an_error, 0, 2);
    tcase_add_test(log,
                   segments_begun_while_much_is_in_flight_are_replayed_after_those_before_are_gone);
    tcase_add_loop_test(log, damage_at_the_very_beginning_is_an_error, 0, 2);
    tcase_add_test(log, damage_in_an_earlier_segment_is_an_error);
    tcase_add_test(log, a_clean_stop_proves_the_last_record_too);
    tcase_add_test(log, damage_is_told_with_what_is_lost_and_changes_nothing);
    tcase_add_test(log, damage_can_be_skipped);
    tcase_add_loop_test(log, what_is_skipped_is_marked_and_stays_skipped, 0, 16);
    tcase_add_test(log, a_damaged_beginning_and_a_damaged_end_can_be_skipped);
    tcase_add_test(log, a_missing_segment_can_be_skipped);
    tcase_add_test(log, a_log_that_ends_too_early_can_be_skipped);
    tcase_add_test(log, complete_segments_are_archived_before_they_go);
    tcase_add_test(log, what_is_not_archived_stays);
    tcase_add_test(log, a_stop_does_not_wait_for_a_command);
    tcase_add_test(log, a_failed_write_is_final);
    tcase_add_test(log, periodic_mode_does_not_wait_but_can);
    tcase_add_test(log, periodic_mode_writes_what_came_during_a_long_write);
    tcase_add_test(log, positions_of_before_are_not_given_again);
    Suite *suite = suite_create("commit_log");
    suite_add_tcase(suite, log);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
