#include "node/ring_table.h"

#include "base/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct env_process_usage usage_of(struct env *env, const struct ring_node *node)
{
    struct env_process_usage usage = {0};
    if (!node->runs || env_process_usage(env, node->pid, &usage, NULL) != STATUS_OK)
        return (struct env_process_usage){0};
    return usage;
}

static void print_json(struct env *env, const struct ring_directory *ring)
{
    printf("[");
    for (size_t i = 0; i < ring->node_count; i++) {
        const struct ring_node *node = &ring->nodes[i];
        struct env_process_usage usage = usage_of(env, node);
        char address[ENV_ADDRESS_TEXT_SIZE];
        env_address_format(&node->address, address);
        printf("%s{\"node\": %" PRId64 ", \"address\": \"%s\", \"state\": \"%s\", \"pid\": %d, "
               "\"resident_bytes\": %" PRIu64 ", \"cpu_ns\": %" PRIu64 "}",
               i == 0 ? "" : ",\n ", node->number, address, node->runs ? "UP" : "DOWN", node->pid,
               usage.resident_bytes, usage.cpu_ns);
    }
    printf("]\n");
}

void ring_table_print(struct env *env, const struct ring_directory *ring, bool json)
{
    if (json) {
        print_json(env, ring);
        return;
    }
    printf("%-5s %-22s %-6s %8s %12s %10s\n", "NODE", "CQL", "STATE", "PID", "MEMORY", "CPU");
    for (size_t i = 0; i < ring->node_count; i++) {
        const struct ring_node *node = &ring->nodes[i];
        struct env_process_usage usage = usage_of(env, node);
        char address[ENV_ADDRESS_TEXT_SIZE];
        env_address_format(&node->address, address);
        if (node->runs)
            printf("%-5" PRId64 " %-22s %-6s %8d %8.1f MiB %8.2f s\n", node->number, address, "UP",
                   node->pid, (double)usage.resident_bytes / MIB, (double)usage.cpu_ns / 1e9);
        else
            printf("%-5" PRId64 " %-22s %-6s %8s %12s %10s\n", node->number, address, "DOWN", "-",
                   "-", "-");
    }
}
