// A ring as its nodes tell it, printed for people line by line as nodetool does
// (org.apache.cassandra.tools.nodetool: Status, Ring, Info, DescribeCluster), and for programs.
#ifndef NODE_RING_VIEW_H
#define NODE_RING_VIEW_H

#include "node/admin_protocol.h"

// What one of them says, and what each other that answers adds.
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
