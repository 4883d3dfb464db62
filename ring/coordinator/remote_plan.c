// Whom a read asks (org.apache.cassandra.locator.ReplicaPlans, its forRead, forRangeRead and
// ReplicaPlanMerger): ourselves first, then our data centre, in the order of the ring.
#include "ring/coordinator/remote_piece.h"

#include "base/limits.h"

static bool is_member_of(const struct replica_plan *plan, uint16_t member)
{
    for (uint16_t i = 0; i < plan->replicas.count; i++)
        if (plan->replicas.members[i] == member) return true;
    return false;
}

// ---- Before anything is sent --------------------------------------------------------------------

static bool is_empty_range(const struct scan_range *range)
{
    return token_compare(range->start.token, range->end.token) > 0;
}

// The last token of the run that begins at `start` and has one set of replicas.
static struct token end_of_place(const struct topology *topology, const struct scan_bound *start)
{
    struct token first = start->token;
    if (slice_is_null(start->key) && !start->inclusive && first.value < INT64_MAX) first.value++;
    struct token end = topology->places[topology_find_place(topology, first)].token;
    // Behind the last place the ring goes on to its first.
    return token_compare(first, end) > 0 ? (struct token){INT64_MAX} : end;
}

static bool check_range(struct coordinator *coordinator, struct coordinator_read *read,
                        enum consistency consistency, bool *is_local)
{
    const struct topology *topology = placement_topology(coordinator->options.placement);
    struct scan_bound start = read->range.start;
    while (token_compare(start.token, read->range.end.token) <= 0) {
        struct token end = end_of_place(topology, &start);
        struct replica_plan plan;
        if (!replica_plan_make(coordinator, read->table, end, consistency, true, &plan,
                               &read->result))
            return false;
        *is_local &= plan.required == 1 && is_member_of(&plan, coordinator->self);
        if (token_compare(end, read->range.end.token) >= 0) break;
        start = (struct scan_bound){end, slice_null(), false};
    }
    return true;
}

bool remote_plan_check(struct coordinator *coordinator, struct coordinator_read *read,
                       enum consistency consistency, bool *is_local)
{
    *is_local = true;
    if (read->keys == NULL && !is_empty_range(&read->range))
        return check_range(coordinator, read, consistency, is_local);
    read->result = (struct coordinator_result){.consistency = consistency, .required = 1};
    for (size_t i = 0; i < read->key_count; i++) {
        struct replica_plan plan;
        if (!replica_plan_make(coordinator, read->table, read->keys[i].token, consistency, true,
                               &plan, &read->result))
            return false;
        *is_local &= plan.required == 1 && is_member_of(&plan, coordinator->self);
    }
    return true;
}

// ---- Pieces -------------------------------------------------------------------------------------

// Who lives but does not answer us (a cut that others bridge) comes last.
static int preference(const struct coordinator *coordinator, uint16_t member)
{
    const struct coordinator_options *options = &coordinator->options;
    if (member == coordinator->self) return 0;
    bool is_near = options->liveness == NULL || liveness_is_near(options->liveness, member);
    return (placement_is_local(options->placement, member) ? 1 : 2) + (is_near ? 0 : 2);
}

static void add_contact(struct remote_piece *piece, uint16_t member)
{
    const struct coordinator *coordinator = piece->remote->coordinator;
    uint16_t at = piece->contact_count++;
    int order = preference(coordinator, member);
    while (at > 0 && preference(coordinator, piece->contacts[at - 1].member) > order) {
        piece->contacts[at] = piece->contacts[at - 1];
        at--;
    }
    piece->contacts[at] = (struct remote_contact){
        .piece = piece,
        .member = member,
        .center = piece->is_each_quorum ? replica_plan_center(coordinator, member) : 0,
    };
}

static struct remote_piece *add_piece(struct remote_read *remote, const struct replica_plan *plan)
{
    struct remote_piece *piece = ARENA_NEW(&remote->arena, struct remote_piece);
    piece->remote = remote;
    piece->filter = remote->read->filter;
    piece->row_max = remote->read->row_max;
    piece->required = plan->required;
    piece->alive = plan->alive;
    piece->is_each_quorum = plan->is_each_quorum;
    piece->contacts =
        ARENA_NEW_ARRAY(&remote->arena, struct remote_contact, (size_t)plan->replicas.count + 1);
    for (uint16_t i = 0; i < plan->replicas.count; i++) {
        uint16_t member = plan->replicas.members[i];
        if (replica_plan_is_alive(remote->coordinator, member) &&
            replica_plan_counts(remote->coordinator, plan, member))
            add_contact(piece, member);
    }
    *remote->pieces_end = piece;
    remote->pieces_end = &piece->next;
    remote->piece_count++;
    return piece;
}

static bool add_key(struct remote_read *remote)
{
    struct coordinator_read *read = remote->read;
    struct replica_plan plan;
    const struct partition_key *key = &read->keys[remote->next_key];
    if (!replica_plan_make(remote->coordinator, read->table, key->token, remote->consistency, true,
                           &plan, &read->result))
        return false;
    struct remote_piece *piece = add_piece(remote, &plan);
    piece->key = *key;
    piece->in_partition = true;
    remote->next_key++;
    remote->is_planned = remote->next_key == read->key_count;
    return true;
}

// Keeps the contacts that are replicas of the next run too, if these suffice for both.
static bool merge_run(struct remote_piece *piece, const struct replica_plan *plan)
{
    if (piece->is_each_quorum || plan->is_each_quorum || plan->required != piece->required)
        return false;
    uint16_t count = 0;
    for (uint16_t i = 0; i < piece->contact_count; i++)
        count = (uint16_t)(count + is_member_of(plan, piece->contacts[i].member));
    // We would not give up our own copy, nor one that could stand in for a lost one.
    bool was_first = piece->contacts[0].member == piece->remote->coordinator->self;
    if (count < piece->required || (count < piece->contact_count && count == piece->required) ||
        (was_first && !is_member_of(plan, piece->contacts[0].member)))
        return false;
    uint16_t kept = 0;
    for (uint16_t i = 0; i < piece->contact_count; i++)
        if (is_member_of(plan, piece->contacts[i].member))
            piece->contacts[kept++] = piece->contacts[i];
    piece->contact_count = kept;
    if (kept < piece->alive) piece->alive = kept;
    return true;
}

static bool add_range(struct remote_read *remote)
{
    struct coordinator_read *read = remote->read;
    const struct topology *topology = placement_topology(remote->coordinator->options.placement);
    struct remote_piece *piece = NULL;
    while (!remote->is_planned) {
        struct token end = end_of_place(topology, &remote->next_start);
        struct replica_plan plan;
        if (!replica_plan_make(remote->coordinator, read->table, end, remote->consistency, true,
                               &plan, &read->result))
            return false;
        if (piece == NULL) {
            piece = add_piece(remote, &plan);
            piece->is_scan = true;
            piece->range.start = remote->next_start;
        } else if (!merge_run(piece, &plan)) {
            return true;
        }
        remote->is_planned = token_compare(end, read->range.end.token) >= 0;
        piece->range.end =
            remote->is_planned ? read->range.end : (struct scan_bound){end, slice_null(), true};
        remote->next_start = (struct scan_bound){end, slice_null(), false};
    }
    return true;
}

bool remote_plan_add_pieces(struct remote_read *remote, size_t count)
{
    for (size_t i = 0; i < count && !remote->is_planned; i++)
        if (!(remote->read->keys != NULL ? add_key(remote) : add_range(remote))) return false;
    return true;
}

// ---- Whom of them -------------------------------------------------------------------------------

static bool has_answer(const struct remote_contact *contact, unsigned answers)
{
    return (answers & REMOTE_BIT(contact->answer)) != 0;
}

int remote_plan_count(const struct remote_piece *piece, unsigned answers)
{
    int count = 0;
    for (uint16_t i = 0; i < piece->contact_count; i++)
        count += has_answer(&piece->contacts[i], answers);
    return count;
}

static int count_in(const struct remote_piece *piece, uint16_t center, unsigned answers)
{
    int count = 0;
    for (uint16_t i = 0; i < piece->contact_count; i++)
        count += piece->contacts[i].center == center && has_answer(&piece->contacts[i], answers);
    return count;
}

static int required_in(const struct remote_piece *piece, uint16_t center)
{
    const struct remote_read *remote = piece->remote;
    const struct keyspace *keyspace =
        coordinator_find_keyspace(remote->coordinator, remote->read->table->keyspace);
    return keyspace == NULL ? 1 : replica_plan_required_in(remote->coordinator, keyspace, center);
}

bool remote_plan_suffices(const struct remote_piece *piece, unsigned answers)
{
    if (remote_plan_count(piece, answers) < piece->required) return false;
    for (uint16_t i = 0; piece->is_each_quorum && i < piece->contact_count; i++) {
        uint16_t center = piece->contacts[i].center;
        if (count_in(piece, center, answers) < required_in(piece, center)) return false;
    }
    return true;
}

struct remote_contact *remote_plan_next_contact(const struct remote_piece *piece, unsigned answers)
{
    for (uint16_t i = 0; i < piece->contact_count; i++) {
        struct remote_contact *contact = &piece->contacts[i];
        if (contact->answer != REMOTE_NOT_ASKED) continue;
        bool is_wanted = !piece->is_each_quorum || count_in(piece, contact->center, answers) <
                                                       required_in(piece, contact->center);
        if (is_wanted && replica_plan_is_alive(piece->remote->coordinator, contact->member))
            return contact;
    }
    return NULL;
}
