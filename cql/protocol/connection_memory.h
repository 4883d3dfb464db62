// What all connections of a server hold together, and who leaves when it is too much.
//
//     input    messages that are not whole yet, or that wait for room among the requests
//     output   answers that clients did not take yet
//
// Each connection has bounds of its own (connection.h), but ten thousand may each keep half a
// message of 16 MiB, or ask for what they never read. At the limit of all together the one goes
// whose unfinished message, or whose unread output, began first: whoever sends or reads as it
// should is soon done, and others take the place. Nothing is counted twice and nothing is searched.
//
// Where we differ: Cassandra counts whole requests alone.
#ifndef CQL_PROTOCOL_CONNECTION_MEMORY_H
#define CQL_PROTOCOL_CONNECTION_MEMORY_H

#include "cql/protocol/connection_link.h"

struct connection;
struct connection_shared;

struct connection_memory {
    size_t input_size, output_size; // As they are counted in those of all.
    struct connection_link unfinished, unread;
};

struct connections_memory {
    size_t input_size, output_size;
    size_t input_size_max, output_size_max;    // limits.h
    struct connection_link unfinished, unread; // The ends of rings.
    size_t closed_count;                       // Those that had to leave.
};

void connections_memory_init(struct connections_memory *memory);
// What it reads may have become another size: it was parked (frame.h). The connection may be the
// one that leaves (connection_shed()).
void connection_memory_count_input(struct connection *connection);
// Likewise what it did not read. It has a stream.
void connection_memory_count_output(struct connection *connection);
// It holds nothing any more.
void connection_memory_forget(struct connection *connection);

#endif
