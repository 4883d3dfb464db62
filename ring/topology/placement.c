// Replicas of each place of the ring, worked out once for each keyspace. SimpleStrategy takes the
// next different members; NetworkTopologyStrategy the next of each data centre, from different
// racks as long as there are any (org.apache.cassandra.locator.NetworkTopologyStrategy's
// DatacenterEndpoints).
//
//     keyspace --hash of its address--> set of replicas: count, then `count` members for each place
//
// A keyspace is never changed in place: one with other options is another struct, and each set
// keeps a reference to its own, so that an address means one thing for as long as it is known here.
#include "ring/topology/placement.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "storage/schema/options.h"

#include <stdlib.h>

enum { PLACEMENT_BUCKETS = 64 };

struct placement_set {
    struct placement_set *next;
    const struct keyspace *keyspace; // With a reference.
    int factor, local_factor;
    bool is_local_strategy;
    uint16_t width;    // Replicas of each place.
    uint16_t *members; // `width` for each place.
};

struct placement {
    struct metadata *metadata;
    struct metadata_listener listener;
    uint16_t self;
    const struct topology *topology; // That the sets are made of; only compared.
    struct placement_set *buckets[PLACEMENT_BUCKETS];
    struct placement_set *last; // That was asked for.
};

// ---- Options ------------------------------------------------------------------------------------

static int placement_number(struct slice text)
{
    int number = 0;
    for (size_t i = 0; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        number = number * 10 + (text.data[i] - '0');
        if (number > TOPOLOGY_MEMBERS_MAX) return TOPOLOGY_MEMBERS_MAX;
    }
    return number;
}

static bool placement_is_class(const struct keyspace *keyspace, const char *name)
{
    struct slice value = options_find(&keyspace->replication, "class");
    struct slice wanted = slice_of_text(name);
    const char prefix[] = "org.apache.cassandra.locator.";
    size_t prefix_size = sizeof prefix - 1;
    if (value.size > prefix_size && memcmp(value.data, prefix, prefix_size) == 0)
        value = slice_make(value.data + prefix_size, value.size - prefix_size);
    return slice_equals(value, wanted);
}

// Of no member but the one that asks: LocalStrategy, and what is not stored at all.
static bool placement_is_local_strategy(const struct keyspace *keyspace)
{
    return keyspace->is_virtual || placement_is_class(keyspace, "LocalStrategy");
}

static int placement_sum_factors(const struct keyspace *keyspace)
{
    if (placement_is_local_strategy(keyspace)) return 1;
    int factor = 0;
    for (size_t i = 0; i < keyspace->replication.count; i++) {
        const struct option *option = &keyspace->replication.items[i];
        if (!slice_equals(option->key, slice_of_text("class")))
            factor += placement_number(option->value);
    }
    return factor;
}

static int placement_sum_factors_in(const struct keyspace *keyspace, const char *data_center)
{
    if (!placement_is_class(keyspace, "NetworkTopologyStrategy"))
        return placement_sum_factors(keyspace);
    return placement_number(options_find(&keyspace->replication, data_center));
}

// ---- Strategies ---------------------------------------------------------------------------------

static bool placement_has(const uint16_t *members, uint16_t count, uint16_t member)
{
    for (uint16_t i = 0; i < count; i++) {
        if (members[i] == member) return true;
    }
    return false;
}

// One data centre while its replicas are chosen.
struct placement_center {
    const char *name;
    int left;         // Replicas still to be found.
    int repeats_left; // How many of them may be of a rack that has one already.
};

static bool placement_same_rack(const struct member *a, const struct member *b)
{
    return strcmp(a->data_center, b->data_center) == 0 && strcmp(a->rack, b->rack) == 0;
}

// As many replicas as there are members at most; where there are fewer racks than replicas, each
// rack gets one at least and the first members met fill the rest.
static void placement_begin_center(const struct topology *topology, const struct option *option,
                                   struct placement_center *center)
{
    int members = 0, racks = 0;
    for (uint16_t i = 0; i < topology->member_count; i++) {
        const struct member *member = &topology->members[i];
        if (member->token_count == 0) continue;
        if (!slice_equals(slice_of_text(member->data_center), option->key)) continue;
        members++;
        bool is_new = true;
        for (uint16_t k = 0; k < i && is_new; k++)
            is_new = topology->members[k].token_count == 0 ||
                     !placement_same_rack(member, &topology->members[k]);
        if (is_new) {
            racks++;
            center->name = member->data_center;
        }
    }
    int factor = placement_number(option->value);
    center->left = factor < members ? factor : members;
    center->repeats_left = factor - racks;
}

static bool placement_center_takes(const struct topology *topology, struct placement_center *center,
                                   uint16_t candidate, const uint16_t *members, uint16_t count)
{
    const struct member *member = &topology->members[candidate];
    if (center->left == 0 || strcmp(center->name, member->data_center) != 0) return false;
    bool is_new_rack = true;
    for (uint16_t i = 0; i < count && is_new_rack; i++)
        is_new_rack = !placement_same_rack(member, &topology->members[members[i]]);
    if (!is_new_rack) {
        if (center->repeats_left <= 0) return false;
        center->repeats_left--;
    }
    center->left--;
    return true;
}

// The next member round the ring for which `centers` has a use; all of them, one after the other.
static uint16_t placement_walk(const struct topology *topology, size_t place,
                               struct placement_center *centers, size_t center_count,
                               uint16_t *members)
{
    uint16_t count = 0;
    for (size_t i = 0; i < topology->place_count; i++) {
        size_t at =
            place + i < topology->place_count ? place + i : place + i - topology->place_count;
        uint16_t member = topology->places[at].member;
        if (placement_has(members, count, member)) continue;
        bool is_taken = false, is_over = true;
        for (size_t k = 0; k < center_count; k++) {
            is_taken =
                is_taken || placement_center_takes(topology, &centers[k], member, members, count);
            is_over = is_over && centers[k].left == 0;
        }
        if (is_taken) members[count++] = member;
        if (is_over) break;
    }
    return count;
}

static uint16_t placement_simple(const struct topology *topology, const struct keyspace *keyspace,
                                 size_t place, uint16_t *members)
{
    int factor = placement_sum_factors(keyspace);
    uint16_t count = 0;
    for (size_t i = 0; i < topology->place_count && count < factor; i++) {
        size_t at =
            place + i < topology->place_count ? place + i : place + i - topology->place_count;
        uint16_t member = topology->places[at].member;
        if (!placement_has(members, count, member)) members[count++] = member;
    }
    return count;
}

uint16_t placement_choose(const struct topology *topology, const struct keyspace *keyspace,
                          size_t place, uint16_t *members)
{
    if (!placement_is_class(keyspace, "NetworkTopologyStrategy"))
        return placement_simple(topology, keyspace, place, members);
    struct arena arena;
    arena_init(&arena, 1024);
    struct placement_center *centers =
        ARENA_NEW_ARRAY(&arena, struct placement_center, keyspace->replication.count + 1);
    size_t count = 0;
    for (size_t i = 0; i < keyspace->replication.count; i++) {
        const struct option *option = &keyspace->replication.items[i];
        if (slice_equals(option->key, slice_of_text("class"))) continue;
        // A name that came twice counts once, or the number would depend on the place.
        if (i > 0 && slice_equals(option->key, option[-1].key)) continue;
        placement_begin_center(topology, option, &centers[count]);
        if (centers[count].left > 0) count++;
    }
    uint16_t found = count == 0 ? 0 : placement_walk(topology, place, centers, count, members);
    arena_deinit(&arena);
    return found;
}

// ---- Sets ---------------------------------------------------------------------------------------

static struct placement_set **placement_bucket(struct placement *placement,
                                               const struct keyspace *keyspace)
{
    uint64_t address = (uint64_t)(uintptr_t)keyspace;
    return &placement->buckets[(address >> 4 ^ address >> 12) % PLACEMENT_BUCKETS];
}

static void placement_forget_set(struct placement_set *set)
{
    keyspace_unref(set->keyspace);
    free(set->members);
    free(set);
}

static void placement_forget_all(struct placement *placement)
{
    for (size_t i = 0; i < PLACEMENT_BUCKETS; i++) {
        while (placement->buckets[i] != NULL) {
            struct placement_set *set = placement->buckets[i];
            placement->buckets[i] = set->next;
            placement_forget_set(set);
        }
    }
    placement->last = NULL;
}

static void placement_fill(struct placement *placement, struct placement_set *set)
{
    const struct topology *topology = placement->topology;
    if (set->is_local_strategy || topology == NULL || topology->place_count == 0) {
        set->is_local_strategy = true; // A ring of one has a copy of everything, if there is any.
        set->width = set->factor > 0;
        return;
    }
    uint16_t members[TOPOLOGY_MEMBERS_MAX];
    for (size_t place = 0; place < topology->place_count; place++) {
        uint16_t count = placement_choose(topology, set->keyspace, place, members);
        if (place == 0) {
            set->width = count;
            set->members = calloc(topology->place_count * (size_t)count + 1, sizeof *members);
            ASSERT(set->members != NULL);
        }
        ASSERT(count == set->width); // It depends on the members alone, not on where one begins.
        memcpy(set->members + place * count, members, count * sizeof *members);
    }
}

static struct placement_set *placement_make_set(struct placement *placement,
                                                const struct keyspace *keyspace)
{
    struct placement_set *set = calloc(1, sizeof *set);
    ASSERT(set != NULL);
    keyspace_ref(keyspace);
    set->keyspace = keyspace;
    set->is_local_strategy = placement_is_local_strategy(keyspace);
    set->factor = placement_sum_factors(keyspace);
    const struct topology *topology = placement->topology;
    set->local_factor =
        topology == NULL || placement->self >= topology->member_count
            ? set->factor
            : placement_sum_factors_in(keyspace, topology->members[placement->self].data_center);
    placement_fill(placement, set);
    struct placement_set **bucket = placement_bucket(placement, keyspace);
    set->next = *bucket;
    *bucket = set;
    return set;
}

static struct placement_set *placement_find_set(struct placement *placement,
                                                const struct keyspace *keyspace)
{
    const struct topology *topology = metadata_topology(placement->metadata);
    if (topology != placement->topology) {
        placement_forget_all(placement);
        placement->topology = topology;
    }
    struct placement_set *set = placement->last;
    if (set != NULL && set->keyspace == keyspace) return set;
    set = *placement_bucket(placement, keyspace);
    while (set != NULL && set->keyspace != keyspace)
        set = set->next;
    if (set == NULL) set = placement_make_set(placement, keyspace);
    placement->last = set;
    return set;
}

// Members move, or a keyspace has other options: few sets, and they are made again when asked for.
static void placement_changed(struct metadata_listener *listener,
                              const struct metadata_change *change)
{
    struct placement *placement = CONTAINER_OF(listener, struct placement, listener);
    if (change->target != METADATA_TABLE) {
        placement_forget_all(placement);
        placement->topology = NULL;
    }
}

// ---- Asking -------------------------------------------------------------------------------------

struct placement *placement_create(struct metadata *metadata, uint16_t self)
{
    struct placement *placement = calloc(1, sizeof *placement);
    ASSERT(placement != NULL);
    placement->metadata = metadata;
    placement->self = self;
    placement->listener.changed = placement_changed;
    metadata_listen(metadata, &placement->listener);
    return placement;
}

void placement_destroy(struct placement *placement)
{
    if (placement == NULL) return;
    metadata_unlisten(placement->metadata, &placement->listener);
    placement_forget_all(placement);
    free(placement);
}

uint16_t placement_self(const struct placement *placement)
{
    return placement->self;
}

const struct topology *placement_topology(const struct placement *placement)
{
    return metadata_topology(placement->metadata);
}

static struct replicas placement_of_set(const struct placement *placement,
                                        const struct placement_set *set, size_t place)
{
    if (set->is_local_strategy) return (struct replicas){&placement->self, set->width};
    ASSERT(place < placement->topology->place_count);
    return (struct replicas){set->members + place * set->width, set->width};
}

struct replicas placement_find(struct placement *placement, const struct keyspace *keyspace,
                               struct token token)
{
    const struct placement_set *set = placement_find_set(placement, keyspace);
    size_t place = set->is_local_strategy ? 0 : topology_find_place(placement->topology, token);
    return placement_of_set(placement, set, place);
}

struct replicas placement_at(struct placement *placement, const struct keyspace *keyspace,
                             size_t place)
{
    return placement_of_set(placement, placement_find_set(placement, keyspace), place);
}

int placement_factor(struct placement *placement, const struct keyspace *keyspace)
{
    return placement_find_set(placement, keyspace)->factor;
}

int placement_local_factor(struct placement *placement, const struct keyspace *keyspace)
{
    return placement_find_set(placement, keyspace)->local_factor;
}

int placement_factor_in(const struct placement *placement, const struct keyspace *keyspace,
                        const char *data_center)
{
    (void)placement;
    return placement_sum_factors_in(keyspace, data_center);
}

bool placement_is_local(const struct placement *placement, uint16_t member)
{
    const struct topology *topology = metadata_topology(placement->metadata);
    if (member == placement->self || topology == NULL) return true;
    if (member >= topology->member_count || placement->self >= topology->member_count) return false;
    return strcmp(topology->members[member].data_center,
                  topology->members[placement->self].data_center) == 0;
}
