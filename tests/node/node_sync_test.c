// What a ring's tools say they have done is so after a power loss as well.
#include "base/env_sim.h"
#include "node/ring_directory.h"
#include "node/sstable_tool/tool_output.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct fixture {
    struct sim_world *world;
    struct sim_machine *machine;
    struct env *env;
};

static void died(void *context, struct env *env)
{
    struct fixture *fixture = context;
    sim_process_destroy(env);
    fixture->env = NULL;
}

// Every page and name that is not synced is lost at a power loss.
static void begin(struct fixture *fixture)
{
    struct sim_options options = {.seed = 1};
    options.chances[SIM_FAULT_LOST_PAGE] = 1;
    options.chances[SIM_FAULT_LOST_NAME] = 1;
    fixture->world = sim_world_create(&options);
    fixture->machine = sim_machine_create(fixture->world, "machine");
    fixture->env = sim_process_start(fixture->machine, "process", died, fixture);
}

static void lose_power(struct fixture *fixture)
{
    sim_machine_crash(fixture->machine);
    while (fixture->env != NULL)
        ck_assert(sim_world_step(fixture->world));
    fixture->env = sim_process_start(fixture->machine, "process", died, fixture);
}

static void end(struct fixture *fixture)
{
    sim_process_destroy(fixture->env);
    sim_world_destroy(fixture->world);
}

static void add_name(void *context, const char *name, bool is_dir)
{
    char *names = context;
    size_t length = strlen(names);
    (void)snprintf(names + length, 256 - length, "%s%s ", name, is_dir ? "/" : "");
}

static void expect_names(struct fixture *fixture, const char *path, const char *expected)
{
    char names[256] = "";
    ck_assert_int_eq(env_list_dir(fixture->env, path, add_name, names, NULL), STATUS_OK);
    ck_assert_str_eq(names, expected);
}

static void form(struct fixture *fixture, struct ring_directory *ring, size_t count)
{
    struct config first;
    config_set_defaults(&first);
    *ring = (struct ring_directory){.path = "/below/ring"};
    struct error error = {0};
    ck_assert_int_eq(ring_make_directories(fixture->env, ring->path, &error), STATUS_OK);
    ck_assert_msg(ring_directory_form(fixture->env, ring, count, &first, &error) == STATUS_OK, "%s",
                  error.text);
}

// What a node keeps is below its directory: if that had no name its data would be gone, synced or
// not.
START_TEST(the_nodes_of_a_ring_keep_their_directories)
{
    struct fixture fixture;
    struct ring_directory ring;
    begin(&fixture);
    form(&fixture, &ring, 3);
    lose_power(&fixture);
    expect_names(&fixture, "/below", "ring/ ");
    expect_names(&fixture, "/below/ring", "node1/ node2/ node3/ ");
    end(&fixture);
}
END_TEST

static void put_file(struct fixture *fixture, const char *path)
{
    struct env_file *file;
    unsigned flags = ENV_OPEN_WRITE | ENV_OPEN_CREATE;
    ck_assert_int_eq(env_file_open(fixture->env, path, flags, &file, NULL), STATUS_OK);
    ck_assert_int_eq(env_file_write(file, 0, "rows", 4, NULL), STATUS_OK);
    ck_assert_int_eq(env_file_sync(file, NULL), STATUS_OK);
    env_file_close(file);
}

// Some of the old files beside those of a new beginning would be neither the one store nor the
// other.
START_TEST(a_node_that_was_emptied_stays_empty)
{
    struct fixture fixture;
    struct ring_directory ring;
    const char *node = "/below/ring/node1";
    begin(&fixture);
    form(&fixture, &ring, 1);
    ck_assert_int_eq(env_make_dir(fixture.env, "/below/ring/node1/data", NULL), STATUS_OK);
    put_file(&fixture, "/below/ring/node1/data/one");
    put_file(&fixture, "/below/ring/node1/manifest");
    ck_assert_int_eq(env_sync_dir(fixture.env, "/below/ring/node1/data", NULL), STATUS_OK);
    ck_assert_int_eq(env_sync_dir(fixture.env, node, NULL), STATUS_OK);
    lose_power(&fixture);
    expect_names(&fixture, "/below/ring/node1/data", "one ");
    ck_assert_int_eq(ring_node_empty(fixture.env, &ring.nodes[0], NULL), STATUS_OK);
    lose_power(&fixture);
    char names[256] = "";
    ck_assert_int_eq(env_list_dir(fixture.env, node, add_name, names, NULL), STATUS_OK);
    ck_assert_msg(strstr(names, "data") == NULL && strstr(names, "manifest") == NULL, "%s", names);
    end(&fixture);
}
END_TEST

START_TEST(what_a_tool_has_written_is_there)
{
    struct fixture fixture;
    struct tool_output output;
    begin(&fixture);
    ck_assert_int_eq(env_make_dir(fixture.env, "/d", NULL), STATUS_OK);
    ck_assert_int_eq(env_sync_dir(fixture.env, "/", NULL), STATUS_OK);
    ck_assert_int_eq(tool_output_begin(&output, fixture.env, "/d/rows.csv", NULL), STATUS_OK);
    buffer_put(&output.text, "a,b\n", 4);
    ck_assert_int_eq(tool_output_end(&output, STATUS_OK, NULL), STATUS_OK);
    lose_power(&fixture);
    struct env_file *file;
    char found[16];
    size_t size = 0;
    ck_assert_int_eq(env_file_open(fixture.env, "/d/rows.csv", ENV_OPEN_READ, &file, NULL),
                     STATUS_OK);
    ck_assert_int_eq(env_file_read(file, 0, found, sizeof found, &size, NULL), STATUS_OK);
    env_file_close(file);
    ck_assert_uint_eq(size, 4);
    ck_assert_mem_eq(found, "a,b\n", 4);
    end(&fixture);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("node_sync");
    tcase_add_test(tests, the_nodes_of_a_ring_keep_their_directories);
    tcase_add_test(tests, a_node_that_was_emptied_stays_empty);
    tcase_add_test(tests, what_a_tool_has_written_is_there);

    Suite *suite = suite_create("node_sync");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
