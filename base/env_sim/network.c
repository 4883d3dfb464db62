// The network between machines: cuts and slow links, each direction for itself.
#include "base/assert.h"
#include "base/env_sim/internal.h"

static struct sim_link *link_of(const struct sim_machine *from, const struct sim_machine *to)
{
    return &from->world->links[from->index][to->index];
}

bool sim_network_is_cut(const struct sim_machine *from, const struct sim_machine *to)
{
    return link_of(from, to)->is_cut;
}

uint64_t sim_network_delay(struct sim_world *world, const struct sim_machine *from,
                           const struct sim_machine *to, size_t size)
{
    struct sim_link *link = link_of(from, to);
    if (link->delay_ns == 0 && link->bytes_per_s == 0) return 0;
    uint64_t delay_ns = link->delay_ns + sim_world_between(world, 0, link->jitter_ns);
    if (link->bytes_per_s == 0) return delay_ns;
    if (link->free_ns < world->now_ns) link->free_ns = world->now_ns;
    link->free_ns += size * NS_PER_S / link->bytes_per_s;
    return delay_ns + (link->free_ns - world->now_ns);
}

void sim_network_cut(struct sim_machine *from, struct sim_machine *to, bool both_ways)
{
    sim_world_count(from->world, both_ways ? SIM_FAULT_CUT : SIM_FAULT_CUT_ONE_WAY);
    sim_world_event(from->world, "cut", to->name, from->index, both_ways);
    link_of(from, to)->is_cut = true;
    if (both_ways) link_of(to, from)->is_cut = true;
    // A piece that is about to arrive is held too: streams look when they are
    // armed.
    for (struct sim_process *process = to->processes; process != NULL; process = process->next)
        sim_streams_arm(process);
    for (struct sim_process *process = from->processes; process != NULL; process = process->next)
        sim_streams_arm(process);
}

void sim_network_slow(struct sim_machine *from, struct sim_machine *to, uint64_t delay_ns,
                      uint64_t jitter_ns, uint64_t bytes_per_s)
{
    struct sim_link *link = link_of(from, to);
    sim_world_count(from->world, SIM_FAULT_SLOW_LINK);
    link->delay_ns = delay_ns;
    link->jitter_ns = jitter_ns;
    link->bytes_per_s = bytes_per_s;
}

void sim_network_heal(struct sim_machine *a, struct sim_machine *b)
{
    sim_world_event(a->world, "heal", b->name, a->index, 0);
    *link_of(a, b) = *link_of(b, a) = (struct sim_link){0};
    for (struct sim_process *process = a->processes; process != NULL; process = process->next)
        sim_streams_arm(process);
    for (struct sim_process *process = b->processes; process != NULL; process = process->next)
        sim_streams_arm(process);
}

void sim_network_reset(struct sim_machine *a, struct sim_machine *b)
{
    // The other ends are reset with these.
    for (struct sim_process *process = a->processes; process != NULL; process = process->next)
        sim_streams_reset(process, b);
}
