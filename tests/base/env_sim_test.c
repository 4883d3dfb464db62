// env_sim: the file model, crashes, lanes, the network, and that a seed repeats a run.
#include "base/env_sim.h"

#include "base/assert.h"
#include "base/container_of.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct fixture {
    struct sim_world *world;
    struct sim_machine *machine;
    struct env *env;
    int deaths;
};

static void died(void *context, struct env *env)
{
    struct fixture *fixture = context;
    fixture->deaths++;
    sim_process_destroy(env);
    if (fixture->env == env) fixture->env = NULL;
}

static void start(struct fixture *fixture)
{
    fixture->env = sim_process_start(fixture->machine, "process", died, fixture);
}

static void begin(struct fixture *fixture, uint64_t seed, bool faults)
{
    struct sim_options options;
    sim_options_init(&options, seed);
    if (!faults) memset(options.chances, 0, sizeof options.chances);
    *fixture = (struct fixture){.world = sim_world_create(&options)};
    fixture->machine = sim_machine_create(fixture->world, "machine");
    start(fixture);
}

static void end(struct fixture *fixture)
{
    if (fixture->env != NULL) sim_process_destroy(fixture->env);
    sim_world_destroy(fixture->world);
}

static void run(struct fixture *fixture)
{
    while (sim_world_step(fixture->world)) {
    }
}

static void lose_power(struct fixture *fixture)
{
    sim_machine_crash(fixture->machine);
    run(fixture);
    ck_assert_ptr_null(fixture->env);
    start(fixture);
}

// ---- Files -------------------------------------------------------------------------------------

static enum status put(struct env *env, const char *path, const char *text, bool sync)
{
    struct env_file *file;
    enum status status =
        env_file_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE, &file, NULL);
    if (status != STATUS_OK) return status;
    status = env_file_write(file, 0, text, strlen(text), NULL);
    if (status == STATUS_OK && sync) status = env_file_sync(file, NULL);
    env_file_close(file);
    return status;
}

// "-" when it is not there.
static const char *get(struct env *env, const char *path)
{
    static char text[64];
    struct env_file *file;
    size_t size;
    if (env_file_open(env, path, ENV_OPEN_READ, &file, NULL) != STATUS_OK) return "-";
    ck_assert_int_eq(env_file_read(file, 0, text, sizeof text - 1, &size, NULL), STATUS_OK);
    env_file_close(file);
    text[size] = '\0';
    return text;
}

START_TEST(what_was_written_is_read_and_survives_a_killed_process)
{
    struct fixture fixture;
    begin(&fixture, 1, false);
    ck_assert_int_eq(env_make_dir(fixture.env, "/a", NULL), STATUS_OK);
    ck_assert_int_eq(env_make_dir(fixture.env, "/a", NULL), STATUS_EXISTS);
    ck_assert_int_eq(put(fixture.env, "/a/x", "hello", false), STATUS_OK);
    ck_assert_int_eq(put(fixture.env, "/b/x", "hello", false), STATUS_NOT_FOUND);
    ck_assert_str_eq(get(fixture.env, "/a/x"), "hello");
    ck_assert_int_eq(env_rename(fixture.env, "/a/x", "/y", NULL), STATUS_OK);
    sim_process_crash(fixture.env);
    ck_assert(!sim_process_is_alive(fixture.env));
    ck_assert_int_eq(put(fixture.env, "/z", "late", true), STATUS_IO);
    run(&fixture);
    ck_assert_int_eq(fixture.deaths, 1);
    start(&fixture);
    ck_assert_str_eq(get(fixture.env, "/y"), "hello");
    ck_assert_str_eq(get(fixture.env, "/a/x"), "-");
    ck_assert_str_eq(get(fixture.env, "/z"), "-");
    ck_assert_int_eq(env_remove_dir(fixture.env, "/a", NULL), STATUS_OK);
    end(&fixture);
}
END_TEST

START_TEST(only_synced_data_under_synced_names_is_safe_from_a_power_loss)
{
    int lost_data = 0, lost_name = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct fixture fixture;
        begin(&fixture, seed, false);
        sim_world_set_chance(fixture.world, SIM_FAULT_LOST_PAGE, 0.5);
        sim_world_set_chance(fixture.world, SIM_FAULT_LOST_NAME, 0.5);
        ck_assert_int_eq(put(fixture.env, "/safe", "safe", true), STATUS_OK);
        ck_assert_int_eq(put(fixture.env, "/data", "old", true), STATUS_OK);
        ck_assert_int_eq(env_sync_dir(fixture.env, "/", NULL), STATUS_OK);
        ck_assert_int_eq(put(fixture.env, "/data", "new", false), STATUS_OK);
        ck_assert_int_eq(put(fixture.env, "/name", "named", true), STATUS_OK);
        lose_power(&fixture);
        ck_assert_str_eq(get(fixture.env, "/safe"), "safe");
        if (strcmp(get(fixture.env, "/data"), "new") != 0) lost_data++;
        const char *name = get(fixture.env, "/name");
        if (strcmp(name, "-") == 0)
            lost_name++;
        else
            ck_assert_str_eq(name, "named");
        end(&fixture);
    }
    ck_assert_int_gt(lost_data, 5);
    ck_assert_int_lt(lost_data, 50);
    ck_assert_int_gt(lost_name, 5);
    ck_assert_int_lt(lost_name, 45);
}
END_TEST

START_TEST(a_page_may_be_torn_at_a_sector)
{
    int torn = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct fixture fixture;
        begin(&fixture, seed, false);
        sim_world_set_chance(fixture.world, SIM_FAULT_TORN_PAGE, 1);
        char old[4096], new[4096], found[4096];
        memset(old, 'o', sizeof old);
        memset(new, 'n', sizeof new);
        struct env_file *file;
        size_t size;
        ck_assert_int_eq(env_file_open(fixture.env, "/f",
                                       ENV_OPEN_READ | ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file,
                                       NULL),
                         STATUS_OK);
        ck_assert_int_eq(env_file_write(file, 0, old, sizeof old, NULL), STATUS_OK);
        sim_machine_sync(fixture.machine);
        ck_assert_int_eq(env_file_write(file, 0, new, sizeof new, NULL), STATUS_OK);
        lose_power(&fixture);
        ck_assert_int_eq(env_file_open(fixture.env, "/f", ENV_OPEN_READ, &file, NULL), STATUS_OK);
        ck_assert_int_eq(env_file_read(file, 0, found, sizeof found, &size, NULL), STATUS_OK);
        ck_assert_uint_eq(size, sizeof found);
        for (size_t i = 0; i < sizeof found; i++)
            ck_assert_int_eq(found[i], found[i / 512 * 512]);
        for (size_t i = 512; i < sizeof found; i += 512)
            if (found[i] != found[0]) torn++;
        env_file_close(file);
        end(&fixture);
    }
    ck_assert_int_gt(torn, 20);
}
END_TEST

START_TEST(a_failed_sync_loses_what_is_still_seen)
{
    int lost = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct fixture fixture;
        begin(&fixture, seed, false);
        ck_assert_int_eq(put(fixture.env, "/f", "old", true), STATUS_OK);
        ck_assert_int_eq(env_sync_dir(fixture.env, "/", NULL), STATUS_OK);
        struct env_file *file;
        ck_assert_int_eq(env_file_open(fixture.env, "/f", ENV_OPEN_WRITE, &file, NULL), STATUS_OK);
        ck_assert_int_eq(env_file_write(file, 0, "new", 3, NULL), STATUS_OK);
        sim_world_set_chance(fixture.world, SIM_FAULT_SYNC_ERROR, 1);
        ck_assert_int_eq(env_file_sync(file, NULL), STATUS_IO);
        sim_world_set_chance(fixture.world, SIM_FAULT_SYNC_ERROR, 0);
        ck_assert_int_eq(env_file_sync(file, NULL), STATUS_OK);
        env_file_close(file);
        ck_assert_str_eq(get(fixture.env, "/f"), "new");
        lose_power(&fixture);
        if (strcmp(get(fixture.env, "/f"), "old") == 0) lost++;
        end(&fixture);
    }
    ck_assert_int_gt(lost, 5);
}
END_TEST

static enum status replace(struct env *env, const char *text)
{
    enum status status = put(env, "/new", text, true);
    if (status == STATUS_OK) status = env_rename(env, "/new", "/file", NULL);
    if (status == STATUS_OK) status = env_sync_dir(env, "/", NULL);
    return status;
}

START_TEST(a_file_replaced_in_good_order_is_old_or_new_after_a_crash_at_each_step)
{
    bool seen_old = false, seen_new = false;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct fixture fixture;
        begin(&fixture, seed, false);
        sim_world_set_chance(fixture.world, SIM_FAULT_LOST_PAGE, 0.5);
        sim_world_set_chance(fixture.world, SIM_FAULT_LOST_NAME, 0.5);
        ck_assert_int_eq(replace(fixture.env, "old"), STATUS_OK);
        sim_process_crash_at(fixture.env, seed % 6 + 1, seed % 2 == 0);
        enum status status = replace(fixture.env, "new");
        if (sim_process_is_alive(fixture.env)) sim_process_crash(fixture.env);
        run(&fixture);
        start(&fixture);
        const char *text = get(fixture.env, "/file");
        seen_old = seen_old || strcmp(text, "old") == 0;
        seen_new = seen_new || strcmp(text, "new") == 0;
        ck_assert_msg(strcmp(text, "new") == 0 || (status != STATUS_OK && strcmp(text, "old") == 0),
                      "seed %d: status %d, found '%s'", (int)seed, (int)status, text);
        end(&fixture);
    }
    ck_assert(seen_old && seen_new);
}
END_TEST

START_TEST(a_full_disk_takes_no_new_pages)
{
    struct fixture fixture;
    begin(&fixture, 1, false);
    ck_assert_int_eq(put(fixture.env, "/f", "there", true), STATUS_OK);
    sim_machine_set_full(fixture.machine, true);
    ck_assert_int_eq(put(fixture.env, "/g", "more", true), STATUS_NO_SPACE);
    struct env_file *file;
    char page[8192] = {0};
    uint64_t space;
    ck_assert_int_eq(env_free_space(fixture.env, "/", &space, NULL), STATUS_OK);
    ck_assert_uint_eq(space, 0);
    ck_assert_int_eq(env_file_open(fixture.env, "/f", ENV_OPEN_WRITE, &file, NULL), STATUS_OK);
    ck_assert_int_eq(env_file_write(file, 0, "again", 5, NULL), STATUS_OK);
    ck_assert_int_eq(env_file_write(file, 0, page, sizeof page, NULL), STATUS_NO_SPACE);
    env_file_close(file);
    sim_machine_set_full(fixture.machine, false);
    ck_assert_int_eq(put(fixture.env, "/g", "more", true), STATUS_OK);
    end(&fixture);
}
END_TEST

START_TEST(a_lock_ends_with_its_process)
{
    struct fixture fixture;
    begin(&fixture, 1, false);
    struct env_lock *lock, *other;
    ck_assert_int_eq(env_lock(fixture.env, "/lock", &lock, NULL), STATUS_OK);
    ck_assert_int_eq(env_lock(fixture.env, "/lock", &other, NULL), STATUS_IN_USE);
    sim_process_crash(fixture.env);
    run(&fixture);
    start(&fixture);
    ck_assert_int_eq(env_lock(fixture.env, "/lock", &lock, NULL), STATUS_OK);
    env_unlock(lock);
    ck_assert_int_eq(env_lock(fixture.env, "/lock", &lock, NULL), STATUS_OK);
    end(&fixture);
}
END_TEST

static void list(void *context, const char *name, bool is_dir)
{
    char *text = context;
    (void)sprintf(text + strlen(text), "%s%s ", name, is_dir ? "/" : "");
}

START_TEST(directories_are_listed_in_order)
{
    struct fixture fixture;
    begin(&fixture, 1, false);
    char text[64] = "";
    ck_assert_int_eq(put(fixture.env, "/b", "", false), STATUS_OK);
    ck_assert_int_eq(put(fixture.env, "/ab", "", false), STATUS_OK);
    ck_assert_int_eq(env_make_dir(fixture.env, "/a", NULL), STATUS_OK);
    ck_assert_int_eq(put(fixture.env, "/c", "", false), STATUS_OK);
    ck_assert_int_eq(env_remove(fixture.env, "/b", NULL), STATUS_OK);
    ck_assert_int_eq(env_list_dir(fixture.env, "/", list, text, NULL), STATUS_OK);
    ck_assert_str_eq(text, "a/ ab c ");
    ck_assert_int_eq(env_list_dir(fixture.env, "/d", list, text, NULL), STATUS_NOT_FOUND);
    end(&fixture);
}
END_TEST

START_TEST(a_file_has_the_time_of_its_last_change)
{
    struct fixture fixture;
    begin(&fixture, 1, false);
    int64_t first_us, second_us;
    ck_assert_int_eq(put(fixture.env, "/a", "x", true), STATUS_OK);
    ck_assert_int_eq(env_path_time(fixture.env, "/a", &first_us, NULL), STATUS_OK);
    ck_assert_int_eq(first_us, env_wall_us(fixture.env));
    sim_machine_jump_clock(sim_process_machine(fixture.env), 5000000);
    ck_assert_int_eq(env_rename(fixture.env, "/a", "/b", NULL), STATUS_OK);
    ck_assert_int_eq(env_path_time(fixture.env, "/b", &second_us, NULL), STATUS_OK);
    ck_assert_int_eq(first_us, second_us);
    ck_assert_int_eq(put(fixture.env, "/b", "y", true), STATUS_OK);
    ck_assert_int_eq(env_path_time(fixture.env, "/b", &second_us, NULL), STATUS_OK);
    ck_assert_int_eq(first_us + 5000000, second_us);
    ck_assert_int_eq(env_path_time(fixture.env, "/a", &second_us, NULL), STATUS_NOT_FOUND);
    end(&fixture);
}
END_TEST

// ---- Time, tasks, jobs -------------------------------------------------------------------------

struct order {
    char text[64];
    struct env *env;
    struct env_timer timers[2];
    struct env_task task;
    struct env_job jobs[3];
};
static struct order *order_now;

static void note(char letter)
{
    size_t size = strlen(order_now->text);
    order_now->text[size] = letter;
    order_now->text[size + 1] = '\0';
}

static void fire(struct env_timer *timer)
{
    note(timer == &order_now->timers[0] ? 'a' : 'b');
}

static void run_task(struct env_task *task)
{
    (void)task;
    note('t');
}

static void work(struct env_job *job)
{
    note((char)('1' + (job - order_now->jobs)));
}

static void done(struct env_job *job)
{
    note((char)('x' + (job - order_now->jobs)));
}

START_TEST(tasks_come_before_timers_and_timers_by_deadline)
{
    struct fixture fixture;
    struct order order = {0};
    order_now = &order;
    begin(&fixture, 1, false);
    env_timer_start(fixture.env, &order.timers[1], 2000000, fire);
    env_timer_start(fixture.env, &order.timers[0], 1000000, fire);
    env_task_post(fixture.env, &order.task, run_task);
    env_task_post(fixture.env, &order.task, run_task);
    run(&fixture);
    ck_assert_str_eq(order.text, "tab");
    ck_assert_uint_eq(env_monotonic_ns(fixture.env), 2000000);
    env_timer_start(fixture.env, &order.timers[0], 1000000, fire);
    env_timer_stop(fixture.env, &order.timers[0]);
    run(&fixture);
    ck_assert_str_eq(order.text, "tab");
    end(&fixture);
}
END_TEST

START_TEST(a_lane_keeps_its_order_and_a_dead_process_gets_no_call)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct fixture fixture;
        struct order order = {0};
        order_now = &order;
        begin(&fixture, seed, false);
        for (int i = 0; i < 3; i++)
            env_offload(fixture.env, &order.jobs[i], ENV_LANE_LOG, work, done);
        ck_assert_str_eq(order.text, "");
        run(&fixture);
        char works[4] = "", dones[4] = "";
        size_t work_count = 0, done_count = 0;
        for (const char *c = order.text; *c != '\0'; c++) {
            if (*c < 'x')
                works[work_count++] = *c;
            else
                dones[done_count++] = *c;
        }
        ck_assert_str_eq(works, "123");
        ck_assert_str_eq(dones, "xyz");
        for (int i = 0; i < 3; i++)
            env_offload(fixture.env, &order.jobs[i], ENV_LANE_LOG, work, done);
        env_timer_start(fixture.env, &order.timers[0], 1, fire);
        env_task_post(fixture.env, &order.task, run_task);
        sim_process_crash(fixture.env);
        order.text[0] = '\0';
        run(&fixture);
        ck_assert_str_eq(order.text, "");
        start(&fixture);
        end(&fixture);
    }
}
END_TEST

// ---- The network -------------------------------------------------------------------------------

enum { MESSAGE_SIZE = 500000 };

struct peer {
    struct env_stream *stream;
    uint64_t received, sent, wrong;
    enum status ended;
    bool echoes;
};
struct net {
    struct fixture fixture;
    struct env *client;
    struct env_listener *listener;
    struct peer server_side, client_side;
    enum status connected;
};

static void send_more(struct peer *peer)
{
    uint8_t bytes[1000];
    while (peer->sent < MESSAGE_SIZE && env_stream_queued(peer->stream) == 0) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)((peer->sent + i) * 7);
        peer->sent += sizeof bytes;
        env_stream_write(peer->stream, slice_make(bytes, sizeof bytes));
    }
}

static void peer_data(void *context, struct slice bytes)
{
    struct peer *peer = context;
    for (size_t i = 0; i < bytes.size; i++)
        if (bytes.data[i] != (uint8_t)((peer->received + i) * 7)) peer->wrong++;
    peer->received += bytes.size;
    if (peer->echoes) env_stream_write(peer->stream, bytes);
    if (!peer->echoes && peer->received == MESSAGE_SIZE) {
        env_stream_close(peer->stream, true);
        peer->stream = NULL;
    }
}

static void peer_drained(void *context)
{
    struct peer *peer = context;
    if (!peer->echoes) send_more(peer);
}

static void peer_ended(void *context, enum status status)
{
    struct peer *peer = context;
    peer->ended = status;
    env_stream_close(peer->stream, false);
    peer->stream = NULL;
}

static const struct env_stream_events peer_events = {peer_data, peer_drained, peer_ended};

static void accepted(void *context, struct env_stream *stream)
{
    struct net *net = context;
    net->server_side = (struct peer){.stream = stream, .echoes = true};
    env_stream_start(stream, &peer_events, &net->server_side);
}

static void connected(void *context, enum status status, struct env_stream *stream)
{
    struct net *net = context;
    net->connected = status;
    if (status != STATUS_OK) return;
    net->client_side = (struct peer){.stream = stream};
    env_stream_start(stream, &peer_events, &net->client_side);
    send_more(&net->client_side);
}

static void net_begin(struct net *net, uint64_t seed, bool faults)
{
    struct env_address address;
    begin(&net->fixture, seed, faults);
    sim_world_set_chance(net->fixture.world, SIM_FAULT_RESET, 0);
    sim_world_set_chance(net->fixture.world, SIM_FAULT_REFUSED, 0);
    net->client = sim_process_start(sim_machine_create(net->fixture.world, "client"), "client",
                                    died, &net->fixture);
    ck_assert_int_eq(env_address_parse("10.0.0.1", 9042, &address), STATUS_OK);
    ck_assert_int_eq(env_listen(net->fixture.env, &address, accepted, net, &net->listener, NULL),
                     STATUS_OK);
    struct env_listener *second;
    ck_assert_int_eq(env_listen(net->fixture.env, &address, accepted, net, &second, NULL),
                     STATUS_IN_USE);
    net->connected = STATUS_WOULD_BLOCK;
    env_connect(net->client, &address, 1000000000, connected, net);
    ck_assert_int_eq(net->connected, STATUS_WOULD_BLOCK);
}

START_TEST(bytes_arrive_whole_and_in_order_in_any_pieces)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct net net = {0};
        net_begin(&net, seed, true);
        run(&net.fixture);
        ck_assert_int_eq(net.connected, STATUS_OK);
        ck_assert_uint_eq(net.client_side.received, MESSAGE_SIZE);
        ck_assert_uint_eq(net.client_side.wrong + net.server_side.wrong, 0);
        ck_assert_int_eq(net.server_side.ended, STATUS_CLOSED);
        ck_assert_uint_gt(sim_world_faults(net.fixture.world, SIM_FAULT_SEGMENTED), 0);
        sim_process_destroy(net.client);
        end(&net.fixture);
    }
}
END_TEST

START_TEST(the_other_side_of_a_killed_process_hears_of_it)
{
    struct net net = {0};
    net_begin(&net, 3, false);
    while (net.client_side.received < MESSAGE_SIZE / 2)
        ck_assert(sim_world_step(net.fixture.world));
    sim_process_crash(net.fixture.env);
    run(&net.fixture);
    ck_assert_int_eq(net.client_side.ended, STATUS_IO);
    struct env_address address;
    ck_assert_int_eq(env_address_parse("10.0.0.1", 9042, &address), STATUS_OK);
    env_connect(net.client, &address, 1000000000, connected, &net);
    run(&net.fixture);
    ck_assert_int_eq(net.connected, STATUS_REFUSED);
    sim_process_destroy(net.client);
    end(&net.fixture);
}
END_TEST

static struct sim_machine *client_machine(const struct net *net)
{
    return sim_process_machine(net->client);
}

static void net_end(struct net *net)
{
    sim_process_destroy(net->client);
    end(&net->fixture);
}

// Until half of it is back.
static void net_run_half(struct net *net)
{
    while (net->client_side.received < MESSAGE_SIZE / 2)
        ck_assert(sim_world_step(net->fixture.world));
}

START_TEST(a_cut_holds_bytes_back_until_it_heals)
{
    for (int way = 0; way < 3; way++) {
        struct net net = {0};
        net_begin(&net, 5, false);
        net_run_half(&net);
        struct sim_machine *server = net.fixture.machine, *client = client_machine(&net);
        sim_network_cut(way == 0 ? server : client, way == 0 ? client : server, way == 2);
        ck_assert_int_eq(sim_network_is_cut(server, client), way != 1);
        run(&net.fixture);
        uint64_t received = net.client_side.received;
        ck_assert_uint_lt(received, MESSAGE_SIZE);
        ck_assert_ptr_nonnull(net.client_side.stream);
        sim_network_heal(server, client);
        run(&net.fixture);
        ck_assert_uint_eq(net.client_side.received, MESSAGE_SIZE);
        ck_assert_uint_eq(net.client_side.wrong + net.server_side.wrong, 0);
        net_end(&net);
    }
}
END_TEST

START_TEST(a_reset_is_heard_of_through_a_cut_and_new_connections_time_out)
{
    struct net net = {0};
    net_begin(&net, 6, false);
    net_run_half(&net);
    struct sim_machine *server = net.fixture.machine, *client = client_machine(&net);
    sim_network_cut(server, client, true);
    sim_network_reset(server, client);
    run(&net.fixture);
    ck_assert_int_eq(net.client_side.ended, STATUS_IO);
    ck_assert_int_eq(net.server_side.ended, STATUS_IO);
    struct env_address address;
    ck_assert_int_eq(env_address_parse("10.0.0.1", 9042, &address), STATUS_OK);
    uint64_t begin_ns = sim_world_now(net.fixture.world);
    env_connect(net.client, &address, 1000000000, connected, &net);
    run(&net.fixture);
    ck_assert_int_eq(net.connected, STATUS_TIMED_OUT);
    ck_assert_uint_eq(sim_world_now(net.fixture.world), begin_ns + 1000000000);
    sim_network_heal(server, client);
    env_connect(net.client, &address, 1000000000, connected, &net);
    run(&net.fixture);
    ck_assert_int_eq(net.connected, STATUS_OK);
    net_end(&net);
}
END_TEST

// At any time: before the other side hears of it, and when the answer is on its way back.
START_TEST(who_gives_up_connecting_is_not_called)
{
    uint64_t accepted_count = 0;
    for (int steps = 0; steps < 4; steps++) {
        struct net net = {0};
        net_begin(&net, 8, false);
        run(&net.fixture);
        net.connected = STATUS_WOULD_BLOCK;
        net.server_side = (struct peer){.ended = STATUS_WOULD_BLOCK};
        struct env_address address;
        ck_assert_int_eq(env_address_parse("10.0.0.1", 9042, &address), STATUS_OK);
        struct env_connect *connect =
            env_connect(net.client, &address, 1000000000, connected, &net);
        for (int i = 0; i < steps && net.connected == STATUS_WOULD_BLOCK; i++)
            ck_assert(sim_world_step(net.fixture.world));
        if (net.connected == STATUS_WOULD_BLOCK) {
            env_connect_cancel(connect);
            run(&net.fixture);
            ck_assert_int_eq(net.connected, STATUS_WOULD_BLOCK);
        }
        if (net.server_side.stream != NULL || net.server_side.ended != STATUS_WOULD_BLOCK)
            accepted_count++;
        net_end(&net);
    }
    ck_assert_uint_gt(accepted_count, 0);
}
END_TEST

START_TEST(a_paused_process_takes_connections_and_does_nothing)
{
    struct net net = {0};
    net_begin(&net, 7, false);
    sim_process_pause(net.fixture.env, 3000000000);
    while (net.connected == STATUS_WOULD_BLOCK)
        ck_assert(sim_world_step(net.fixture.world));
    ck_assert_int_eq(net.connected, STATUS_OK);
    ck_assert_uint_lt(sim_world_now(net.fixture.world), 1000000000);
    ck_assert_ptr_null(net.server_side.stream);
    while (net.client_side.received == 0)
        ck_assert(sim_world_step(net.fixture.world));
    ck_assert_uint_ge(sim_world_now(net.fixture.world), 3000000000);
    run(&net.fixture);
    ck_assert_uint_eq(net.client_side.received, MESSAGE_SIZE);
    net_end(&net);
}
END_TEST

START_TEST(a_slow_link_takes_its_time)
{
    struct net net = {0};
    net_begin(&net, 8, false);
    sim_network_slow(net.fixture.machine, client_machine(&net), 1000000, 1000000, 100000);
    run(&net.fixture);
    ck_assert_uint_eq(net.client_side.received, MESSAGE_SIZE);
    ck_assert_uint_ge(sim_world_now(net.fixture.world), UINT64_C(5000000000));
    net_end(&net);
}
END_TEST

// ---- Repeating ---------------------------------------------------------------------------------

static uint64_t hash_of_run(uint64_t seed)
{
    struct net net = {0};
    net_begin(&net, seed, true);
    sim_process_crash_at(net.fixture.env, 200, false);
    for (int i = 0; i < 20; i++) {
        char path[16];
        (void)sprintf(path, "/%d", i);
        (void)put(net.fixture.env, path, "text", i % 2 == 0);
    }
    run(&net.fixture);
    uint64_t hash = sim_world_hash(net.fixture.world);
    sim_process_destroy(net.client);
    end(&net.fixture);
    return hash;
}

START_TEST(the_same_seed_gives_the_same_run)
{
    ck_assert_uint_eq(hash_of_run(7), hash_of_run(7));
    ck_assert_uint_ne(hash_of_run(7), hash_of_run(8));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("env_sim");
    TCase *tests = tcase_create("env_sim");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, what_was_written_is_read_and_survives_a_killed_process);
    tcase_add_test(tests, only_synced_data_under_synced_names_is_safe_from_a_power_loss);
    tcase_add_test(tests, a_page_may_be_torn_at_a_sector);
    tcase_add_test(tests, a_failed_sync_loses_what_is_still_seen);
    tcase_add_test(tests, a_file_replaced_in_good_order_is_old_or_new_after_a_crash_at_each_step);
    tcase_add_test(tests, a_full_disk_takes_no_new_pages);
    tcase_add_test(tests, a_lock_ends_with_its_process);
    tcase_add_test(tests, directories_are_listed_in_order);
    tcase_add_test(tests, a_file_has_the_time_of_its_last_change);
    tcase_add_test(tests, tasks_come_before_timers_and_timers_by_deadline);
    tcase_add_test(tests, a_lane_keeps_its_order_and_a_dead_process_gets_no_call);
    tcase_add_test(tests, bytes_arrive_whole_and_in_order_in_any_pieces);
    tcase_add_test(tests, the_other_side_of_a_killed_process_hears_of_it);
    tcase_add_test(tests, a_cut_holds_bytes_back_until_it_heals);
    tcase_add_test(tests, a_reset_is_heard_of_through_a_cut_and_new_connections_time_out);
    tcase_add_test(tests, who_gives_up_connecting_is_not_called);
    tcase_add_test(tests, a_paused_process_takes_connections_and_does_nothing);
    tcase_add_test(tests, a_slow_link_takes_its_time);
    tcase_add_test(tests, the_same_seed_gives_the_same_run);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
