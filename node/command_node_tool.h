// helenus status, info, describecluster, getendpoints, flush, drain, and `helenus ring` without an
// action: what nodetool shows of a ring (org.apache.cassandra.tools.nodetool), asked of one node.
#ifndef NODE_COMMAND_NODE_TOOL_H
#define NODE_COMMAND_NODE_TOOL_H

#include "node/admin_protocol.h"

int command_status(int argc, char **argv);
int command_ring_view(int argc, char **argv);
int command_info(int argc, char **argv);
int command_describecluster(int argc, char **argv);
int command_getendpoints(int argc, char **argv);
int command_flush(int argc, char **argv);
int command_drain(int argc, char **argv);

// A ring as its nodes tell it: what one of them says, and what each other that answers adds.
struct ring_view {
    struct admin_info info;    // Of the node that was asked.
    struct admin_info *others; // By member; `topology` is NULL where none answered. Has the first.
};

// "1.5 KiB", as nodetool writes sizes.
enum { RING_VIEW_SIZE_TEXT = 32 };
void ring_view_format_size(uint64_t size, char text[static RING_VIEW_SIZE_TEXT]);
// Without the port.
void ring_view_format_host(const struct env_address *address,
                           char text[static ENV_ADDRESS_TEXT_SIZE]);

void ring_view_print_status(const struct ring_view *view);
void ring_view_print_status_json(const struct ring_view *view);
void ring_view_print_ring(const struct ring_view *view);
void ring_view_print_ring_json(const struct ring_view *view);
void ring_view_print_info(const struct ring_view *view, bool with_tokens);
void ring_view_print_info_json(const struct ring_view *view);
void ring_view_print_cluster(const struct ring_view *view);
void ring_view_print_cluster_json(const struct ring_view *view);

#endif
