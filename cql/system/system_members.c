#include "cql/system/system_members.h"

#include "ring/coordinator/coordinator.h"
#include "ring/transport/messaging.h"

// A member, and what this node knows of it.
struct other_member {
    const struct member *member;
    uint16_t number;
    const struct coordinator_options *parts;
};

static void set_address(struct system_row *row, const struct member *member)
{
    system_row_set(row, "address", slice_make(member->address.bytes, member->address.size));
    system_row_set_int(row, "port", member->address.port);
    system_row_set_text(row, "dc", member->data_center);
    system_row_set_text(row, "rack", member->rack);
}

// What this node does not count is 0: messages are not dropped by age, and checksums that are
// wrong end a connection.
static void set_longs(struct system_row *row, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        system_row_set_long(row, names[i], 0);
}

static void fill_outbound(const struct other_member *other, struct system_row *row)
{
    static const char *const unused[] = {"error_bytes",   "error_count",        "expired_bytes",
                                         "expired_count", "overload_bytes",     "overload_count",
                                         "pending_count", "using_reserve_bytes"};
    struct messaging_traffic traffic = messaging_traffic(other->parts->messaging, other->number);
    size_t queued = messaging_queued(other->parts->messaging, other->number);
    set_address(row, other->member);
    system_row_set_long(row, "active_connections", traffic.is_connected);
    system_row_set_long(row, "connection_attempts", (int64_t)traffic.attempts);
    system_row_set_long(row, "pending_bytes", (int64_t)queued);
    system_row_set_long(row, "sent_bytes", (int64_t)traffic.sent_bytes);
    system_row_set_long(row, "sent_count", (int64_t)traffic.sent_count);
    system_row_set_long(row, "successful_connection_attempts", (int64_t)traffic.connections);
    system_row_set_long(row, "using_bytes", (int64_t)queued);
    set_longs(row, unused, sizeof unused / sizeof unused[0]);
}

static void fill_inbound(const struct other_member *other, struct system_row *row)
{
    static const char *const unused[] = {"corrupt_frames_recovered",
                                         "corrupt_frames_unrecovered",
                                         "error_bytes",
                                         "error_count",
                                         "expired_bytes",
                                         "expired_count",
                                         "scheduled_bytes",
                                         "scheduled_count",
                                         "throttled_count",
                                         "throttled_nanos",
                                         "using_bytes",
                                         "using_reserve_bytes"};
    struct messaging_traffic traffic = messaging_traffic(other->parts->messaging, other->number);
    set_address(row, other->member);
    system_row_set_long(row, "processed_bytes", (int64_t)traffic.received_bytes);
    system_row_set_long(row, "processed_count", (int64_t)traffic.received_count);
    system_row_set_long(row, "received_bytes", (int64_t)traffic.received_bytes);
    system_row_set_long(row, "received_count", (int64_t)traffic.received_count);
    set_longs(row, unused, sizeof unused / sizeof unused[0]);
}

static const char *status_of(const struct other_member *other)
{
    const struct liveness *liveness = other->parts->liveness;
    return liveness == NULL || liveness_is_up(liveness, other->number) ? "UP" : "DOWN";
}

static bool fill_hints(const struct other_member *other, struct system_row *row)
{
    struct hints_pending pending;
    const struct member *member = other->member;
    if (other->parts->hints == NULL || !hints_pending(other->parts->hints, other->number, &pending))
        return false;
    system_row_set_uuid(row, "host_id", member->host_id);
    system_row_set(row, "address", slice_make(member->address.bytes, member->address.size));
    system_row_set_text(row, "dc", member->data_center);
    system_row_set_int(row, "files", (int32_t)pending.files);
    system_row_set_long(row, "newest", pending.newest_us / 1000);
    system_row_set_long(row, "oldest", pending.oldest_us / 1000);
    system_row_set_int(row, "port", member->address.port);
    system_row_set_text(row, "rack", member->rack);
    system_row_set_text(row, "status", status_of(other));
    return true;
}

enum member_view { VIEW_OUTBOUND, VIEW_INBOUND, VIEW_HINTS, VIEW_COUNT };

static void fill_member(const struct other_member *other, enum member_view view,
                        const struct system_row *empty)
{
    struct system_row row = *empty;
    bool is_there = true;
    if (view == VIEW_OUTBOUND)
        fill_outbound(other, &row);
    else if (view == VIEW_INBOUND)
        fill_inbound(other, &row);
    else
        is_there = fill_hints(other, &row);
    if (is_there) system_row_end(&row);
}

bool system_members_fill(const struct system_views *views, const struct system_row *empty)
{
    static const char *const names[VIEW_COUNT] = {"internode_outbound", "internode_inbound",
                                                  "pending_hints"};
    const struct table *table = empty->table;
    int view = 0;
    if (!slice_equals(table->keyspace, slice_of_text("system_views"))) return false;
    while (view < VIEW_COUNT && !slice_equals(table->name, slice_of_text(names[view])))
        view++;
    if (view == VIEW_COUNT) return false;
    const struct topology *topology = metadata_topology(views->metadata);
    if (topology == NULL || views->coordinator == NULL) return true;
    struct other_member other = {.parts = coordinator_parts(views->coordinator)};
    if (other.parts->messaging == NULL) return true;
    for (; other.number < topology->member_count; other.number++) {
        other.member = &topology->members[other.number];
        if (uuid_equals(other.member->host_id, views->identity->host_id)) continue;
        fill_member(&other, (enum member_view)view, empty);
    }
    return true;
}
