// What tools ask a node, and what a node answers to a tool.
//
//     u8 how | bytes     how bit 0: the bytes are an answer (admin_info_get()); else requests that
//     a
//                        node of the world gets, { u8 type | u8 id | u16 size | payload }*. Bit 1:
//                        CQL, cut into statements.
#include "node/admin_protocol.h"
#include "node/cql_script.h"
#include "node/node.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/support/fuzz_transport.h"
#include "tests/fuzz/targets.h"

static void look_at_answer(struct slice bytes)
{
    struct cursor cursor = cursor_make(bytes);
    struct admin_info info;
    if (admin_info_get(&cursor, &info) != STATUS_OK) return;
    ASSERT(info.self < info.topology->member_count);
    admin_info_deinit(&info);
}

static void look_at_script(struct slice text)
{
    struct slice statement;
    size_t line = 1;
    while (cql_script_next(&text, &statement, &line))
        ASSERT(statement.size > 0);
}

static void stopped(void *context)
{
    *(bool *)context = true;
}

static void ask_node(struct cursor *requests)
{
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, 0);
    struct config config;
    config_set_defaults(&config);
    struct node *node;
    ASSERT(node_start(sim.env, "/", &config, &node, NULL) == STATUS_OK);
    struct env_address address;
    ASSERT(env_address_parse(config.listen_address, (uint16_t)config.storage_port, &address) ==
           STATUS_OK);
    struct fuzz_peer peer;
    fuzz_peer_connect(&peer, &sim, address);
    struct buffer wire;
    buffer_init(&wire, 1 << 26);
    fuzz_transport_put(&wire, requests);
    fuzz_peer_send(&peer, buffer_slice(&wire));
    fuzz_sim_run(&sim, 2, NULL);
    buffer_deinit(&wire);
    bool is_stopped = false;
    node_stop(node, stopped, &is_stopped);
    fuzz_sim_run(&sim, 120, &is_stopped);
    ASSERT(is_stopped);
    fuzz_peer_close(&peer);
    fuzz_sim_run(&sim, 30, NULL);
    fuzz_sim_close(&sim);
}

FUZZ_TARGET(admin)
{
    struct cursor cursor = cursor_make(input);
    uint8_t how = cursor_u8(&cursor);
    if ((how & 1) != 0)
        look_at_answer(cursor_take(&cursor, cursor_left(&cursor)));
    else if ((how & 2) != 0)
        look_at_script(cursor_take(&cursor, cursor_left(&cursor)));
    else
        ask_node(&cursor);
}
