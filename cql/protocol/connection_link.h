// Queues of connections that need neither memory nor search: a ring through them, whose end lies in
// what they share.
//
//     end ──newer──▶ first ──newer──▶ … ──newer──▶ last ──newer──▶ end
#ifndef CQL_PROTOCOL_CONNECTION_LINK_H
#define CQL_PROTOCOL_CONNECTION_LINK_H

#include <stdbool.h>
#include <stddef.h>

// A place in a queue. All zero: in none.
struct connection_link {
    struct connection_link *older, *newer;
};

static inline void connection_link_init_end(struct connection_link *end)
{
    *end = (struct connection_link){end, end};
}

static inline bool connection_link_is_in(const struct connection_link *link)
{
    return link->newer != NULL;
}

// NULL: nobody waits.
static inline struct connection_link *connection_link_first(struct connection_link *end)
{
    return end->newer == end ? NULL : end->newer;
}

// The last of all, unless it is in already.
static inline void connection_link_add(struct connection_link *end, struct connection_link *link)
{
    if (connection_link_is_in(link)) return;
    link->newer = end;
    link->older = end->older;
    link->older->newer = link;
    end->older = link;
}

static inline void connection_link_remove(struct connection_link *link)
{
    if (!connection_link_is_in(link)) return;
    link->newer->older = link->older;
    link->older->newer = link->newer;
    *link = (struct connection_link){NULL, NULL};
}

#endif
