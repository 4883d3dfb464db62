#include "ring/topology/topology.h"

#include "base/assert.h"

#include <stdlib.h>

enum { TOPOLOGY_ARENA_BLOCK_SIZE = 4096 };

// ---- Making one ---------------------------------------------------------------------------------

static int compare_places(const void *a, const void *b)
{
    const struct ring_place *left = a, *right = b;
    return token_compare(left->token, right->token);
}

static bool addresses_equal(const struct env_address *a, const struct env_address *b)
{
    return a->size == b->size && a->port == b->port && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static enum status check_member(const struct member *members, size_t index, struct error *error)
{
    const struct member *member = &members[index];
    if (member->token_count > TOPOLOGY_TOKENS_MAX)
        return error_set(error, STATUS_INVALID, "member %zu has %zu tokens: there may be %d", index,
                         member->token_count, TOPOLOGY_TOKENS_MAX);
    for (size_t t = 1; t < member->token_count; t++)
        if (token_compare(member->tokens[t - 1], member->tokens[t]) >= 0)
            return error_set(error, STATUS_INVALID, "the tokens of member %zu do not ascend",
                             index);
    for (size_t other = 0; other < index; other++) {
        if (uuid_equals(members[other].host_id, member->host_id))
            return error_set(error, STATUS_INVALID, "members %zu and %zu have one host id", other,
                             index);
        if (addresses_equal(&members[other].address, &member->address))
            return error_set(error, STATUS_INVALID, "members %zu and %zu have one address", other,
                             index);
    }
    return STATUS_OK;
}

static void copy_member(struct topology *topology, const struct member *from, struct member *to)
{
    *to = *from;
    to->data_center[TOPOLOGY_NAME_SIZE - 1] = to->rack[TOPOLOGY_NAME_SIZE - 1] = '\0';
    struct token *tokens = ARENA_NEW_ARRAY(&topology->arena, struct token, from->token_count + 1);
    if (from->token_count > 0) memcpy(tokens, from->tokens, from->token_count * sizeof *tokens);
    to->tokens = tokens;
}

static void make_places(struct topology *topology, size_t place_count)
{
    struct ring_place *places = ARENA_NEW_ARRAY(&topology->arena, struct ring_place, place_count);
    size_t count = 0;
    for (uint16_t m = 0; m < topology->member_count; m++)
        for (size_t t = 0; t < topology->members[m].token_count; t++)
            places[count++] = (struct ring_place){topology->members[m].tokens[t], m};
    qsort(places, count, sizeof *places, compare_places);
    topology->places = places;
    topology->place_count = count;
}

static enum status check_places(const struct topology *topology, struct error *error)
{
    for (size_t i = 1; i < topology->place_count; i++) {
        const struct ring_place *a = &topology->places[i - 1], *b = &topology->places[i];
        if (token_compare(a->token, b->token) == 0)
            return error_set(error, STATUS_INVALID, "members %u and %u have the token %lld",
                             a->member, b->member, (long long)a->token.value);
    }
    return STATUS_OK;
}

enum status topology_make(const struct member *members, size_t count, struct topology **topology,
                          struct error *error)
{
    if (count > TOPOLOGY_MEMBERS_MAX)
        return error_set(error, STATUS_INVALID, "%zu members: there may be %d", count,
                         TOPOLOGY_MEMBERS_MAX);
    size_t place_count = 0;
    for (size_t i = 0; i < count; i++) {
        enum status status = check_member(members, i, error);
        if (status != STATUS_OK) return status;
        place_count += members[i].token_count;
    }
    if (place_count == 0) return error_set(error, STATUS_INVALID, "no member has a token");
    struct topology *made = calloc(1, sizeof *made);
    ASSERT(made != NULL);
    arena_init(&made->arena, TOPOLOGY_ARENA_BLOCK_SIZE);
    struct member *copies = ARENA_NEW_ARRAY(&made->arena, struct member, count);
    for (size_t i = 0; i < count; i++)
        copy_member(made, &members[i], &copies[i]);
    made->members = copies;
    made->member_count = (uint16_t)count;
    make_places(made, place_count);
    enum status status = check_places(made, error);
    if (status == STATUS_OK)
        *topology = made;
    else
        topology_destroy(made);
    return status;
}

void topology_destroy(struct topology *topology)
{
    if (topology == NULL) return;
    arena_deinit(&topology->arena);
    free(topology);
}

// ---- Looking things up --------------------------------------------------------------------------

size_t topology_find_place(const struct topology *topology, struct token token)
{
    size_t from = 0, to = topology->place_count; // The first at or behind it lies in [from, to].
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (token_compare(topology->places[middle].token, token) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from == topology->place_count ? 0 : from;
}

uint16_t topology_find_member(const struct topology *topology, struct uuid host_id)
{
    for (uint16_t m = 0; m < topology->member_count; m++)
        if (uuid_equals(topology->members[m].host_id, host_id)) return m;
    return MEMBER_NONE;
}

uint16_t topology_find_address(const struct topology *topology, const struct env_address *address)
{
    for (uint16_t m = 0; m < topology->member_count; m++)
        if (addresses_equal(&topology->members[m].address, address)) return m;
    return MEMBER_NONE;
}

// ---- Bytes --------------------------------------------------------------------------------------
//
//     uv members, then each: 16 bytes host id | address | address for clients | vbytes data center
//     | vbytes rack | uv tokens | i64 token* address = u8 size | bytes | u16 port

static void put_address(struct buffer *bytes, const struct env_address *address)
{
    buffer_put_u8(bytes, address->size);
    buffer_put(bytes, address->bytes, address->size);
    buffer_put_u16(bytes, address->port);
}

static bool take_address(struct cursor *bytes, struct env_address *address)
{
    *address = (struct env_address){.size = cursor_u8(bytes)};
    if (address->size != 0 && address->size != 4 && address->size != 16) return false; // 0: none.
    struct slice taken = cursor_take(bytes, address->size);
    memcpy(address->bytes, taken.data, taken.size);
    address->port = cursor_u16(bytes);
    return !bytes->failed;
}

static bool take_name(struct cursor *bytes, char name[static TOPOLOGY_NAME_SIZE])
{
    struct slice taken = cursor_vint_bytes(bytes);
    if (bytes->failed || taken.size >= TOPOLOGY_NAME_SIZE) return false;
    if (memchr(taken.data, 0, taken.size) != NULL) return false;
    memcpy(name, taken.data, taken.size);
    name[taken.size] = '\0';
    return true;
}

void topology_put_member(struct buffer *bytes, const struct member *member)
{
    uuid_put(bytes, member->host_id);
    put_address(bytes, &member->address);
    put_address(bytes, &member->rpc_address);
    buffer_put_vint_bytes(bytes, slice_make(member->data_center, strlen(member->data_center)));
    buffer_put_vint_bytes(bytes, slice_make(member->rack, strlen(member->rack)));
    buffer_put_vint(bytes, member->token_count);
    for (size_t t = 0; t < member->token_count; t++)
        buffer_put_u64(bytes, (uint64_t)member->tokens[t].value);
}

bool topology_take_member(struct cursor *bytes, struct arena *arena, struct member *member)
{
    *member = (struct member){.host_id = uuid_take(bytes)};
    if (!take_address(bytes, &member->address) || !take_address(bytes, &member->rpc_address) ||
        !take_name(bytes, member->data_center) || !take_name(bytes, member->rack))
        return false;
    uint64_t token_count = cursor_vint(bytes);
    if (bytes->failed || token_count > TOPOLOGY_TOKENS_MAX ||
        token_count > cursor_left(bytes) / sizeof(uint64_t))
        return false;
    member->token_count = (size_t)token_count;
    struct token *tokens = ARENA_NEW_ARRAY(arena, struct token, member->token_count + 1);
    for (size_t t = 0; t < member->token_count; t++)
        tokens[t].value = (int64_t)cursor_u64(bytes);
    member->tokens = tokens;
    return true;
}

void topology_put(struct buffer *bytes, const struct topology *topology)
{
    buffer_put_vint(bytes, topology->member_count);
    for (uint16_t m = 0; m < topology->member_count; m++)
        topology_put_member(bytes, &topology->members[m]);
}

enum status topology_get(struct cursor *bytes, struct topology **topology, struct error *error)
{
    uint64_t count = cursor_vint(bytes);
    if (bytes->failed || count > TOPOLOGY_MEMBERS_MAX)
        return error_set(error, STATUS_CORRUPT, "the members of the ring can not be read");
    struct arena arena;
    arena_init(&arena, TOPOLOGY_ARENA_BLOCK_SIZE);
    struct member *members = ARENA_NEW_ARRAY(&arena, struct member, (size_t)count + 1);
    enum status status = STATUS_OK;
    for (size_t m = 0; m < count && status == STATUS_OK; m++)
        if (!topology_take_member(bytes, &arena, &members[m]))
            status = error_set(error, STATUS_CORRUPT, "member %zu of %zu can not be read", m,
                               (size_t)count);
    if (status == STATUS_OK) status = topology_make(members, (size_t)count, topology, error);
    arena_deinit(&arena);
    return status == STATUS_OK ? STATUS_OK : STATUS_CORRUPT;
}

// ---- Tokens -------------------------------------------------------------------------------------

// The ring is cut into member_count * num_tokens equal steps, dealt out like cards: any
// member_count places in a row are of different members. So the replicas of a range are the members
// that follow in the same circle of members, whatever the replication factor, and each member has
// the same share of each. (Other orders of the members in other rounds would vary who stands in for
// whom, but where two orders meet a member follows itself too early and some get more than others.)
// The same holds with racks when members of different racks alternate: member m in rack m % racks.
void topology_allocate_tokens(size_t member, size_t member_count, size_t num_tokens,
                              struct token *tokens)
{
    ASSERT(member < member_count && num_tokens > 0 && num_tokens <= TOPOLOGY_TOKENS_MAX);
    uint64_t step = UINT64_MAX / (member_count * num_tokens);
    for (size_t i = 0; i < num_tokens; i++) {
        // Counted from the smallest token, which itself is nobody's.
        uint64_t distance = step / 2 + step * (i * member_count + member) + 1;
        tokens[i].value = (int64_t)(distance ^ (UINT64_C(1) << 63));
    }
}
