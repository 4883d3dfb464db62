#include "node/ring_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROW_SIZE = 512, COLUMNS_MAX = 8, CELL_SIZE = 80 };

void ring_view_format_size(uint64_t size, char text[static RING_VIEW_SIZE_TEXT])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)size;
    size_t unit = 0;
    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    (void)snprintf(text, RING_VIEW_SIZE_TEXT, unit == 0 ? "%.0f %s" : "%.2f %s", value,
                   units[unit]);
}

void ring_view_format_host(const struct env_address *address,
                           char text[static ENV_ADDRESS_TEXT_SIZE])
{
    char with_port[ENV_ADDRESS_TEXT_SIZE];
    env_address_format(address, with_port);
    char *colon = strrchr(with_port, ':'), *begin = with_port;
    if (colon != NULL) *colon = '\0';
    size_t size = strlen(begin);
    if (begin[0] == '[' && size > 1) {
        begin[size - 1] = '\0';
        begin++;
    }
    (void)snprintf(text, ENV_ADDRESS_TEXT_SIZE, "%s", begin);
}

static uint16_t member_count(const struct ring_view *view)
{
    return view->info.topology->member_count;
}

static const struct member *member_at(const struct ring_view *view, uint16_t member)
{
    return &view->info.topology->members[member];
}

// What the member says of itself; NULL when it does not answer.
static const struct admin_info *own_words(const struct ring_view *view, uint16_t member)
{
    if (view->others == NULL || view->others[member].topology == NULL) return NULL;
    return &view->others[member];
}

static bool is_up(const struct ring_view *view, uint16_t member)
{
    return view->info.states[member] == ADMIN_MEMBER_UP ||
           view->info.states[member] == ADMIN_MEMBER_SUSPECT;
}

static void format_load(const struct ring_view *view, uint16_t member,
                        char text[static RING_VIEW_SIZE_TEXT])
{
    const struct admin_info *info = own_words(view, member);
    if (info == NULL)
        (void)snprintf(text, RING_VIEW_SIZE_TEXT, "?");
    else
        ring_view_format_size(info->load_bytes, text);
}

// Calls `each` once for each data centre, with its first member.
static void each_data_center(const struct ring_view *view,
                             void (*each)(const struct ring_view *view, const char *name))
{
    for (uint16_t i = 0; i < member_count(view); i++) {
        bool is_first = true;
        const char *name = member_at(view, i)->data_center;
        for (uint16_t j = 0; j < i && is_first; j++)
            is_first = strcmp(member_at(view, j)->data_center, name) != 0;
        if (is_first) each(view, name);
    }
}

static void print_json_text(const char *text)
{
    (void)putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            printf("\\u%04x", (unsigned char)*text);
        else
            (void)putchar(*text);
    }
    (void)putchar('"');
}

// ---- Tables -------------------------------------------------------------------------------------

// Cells of equal width in each column, two spaces between them (TableBuilder).
struct grid {
    char (*cells)[COLUMNS_MAX][CELL_SIZE];
    size_t row_count, columns;
};

static void grid_print(const struct grid *grid)
{
    int widths[COLUMNS_MAX] = {0};
    for (size_t i = 0; i < grid->row_count; i++)
        for (size_t j = 0; j < grid->columns; j++) {
            int width = (int)strlen(grid->cells[i][j]);
            if (width > widths[j]) widths[j] = width;
        }
    for (size_t i = 0; i < grid->row_count; i++) {
        for (size_t j = 0; j < grid->columns; j++)
            printf("%-*s%s", widths[j], grid->cells[i][j], j + 1 < grid->columns ? "  " : "\n");
    }
}

static void set_cell(struct grid *grid, size_t column, const char *text)
{
    (void)snprintf(grid->cells[grid->row_count][column], CELL_SIZE, "%s", text);
}

// Keyspaces that are replicated differently have no common answer to who owns how much.
static bool owns_nothing_certain(const struct ring_view *view)
{
    return !view->info.owns_is_effective && view->info.keyspaces[0] != '\0';
}

static void format_owns(const struct ring_view *view, uint16_t member, int digits,
                        char text[static CELL_SIZE])
{
    if (owns_nothing_certain(view))
        (void)snprintf(text, CELL_SIZE, "?");
    else
        (void)snprintf(text, CELL_SIZE, "%.*f%%", digits, 100 * view->info.owns[member]);
}

// ---- status -------------------------------------------------------------------------------------

static void add_status_row(const struct ring_view *view, uint16_t member, struct grid *grid)
{
    char text[CELL_SIZE], load[RING_VIEW_SIZE_TEXT], host[ENV_ADDRESS_TEXT_SIZE],
        host_id[UUID_TEXT_SIZE];
    const struct member *about = member_at(view, member);
    const struct admin_info *info = own_words(view, member);
    (void)snprintf(text, sizeof text, "%c%c", is_up(view, member) ? 'U' : 'D',
                   info != NULL && !info->is_ready ? 'J' : 'N');
    set_cell(grid, 0, text);
    ring_view_format_host(&about->address, host);
    set_cell(grid, 1, host);
    format_load(view, member, load);
    set_cell(grid, 2, load);
    (void)snprintf(text, sizeof text, "%zu", about->token_count);
    set_cell(grid, 3, text);
    format_owns(view, member, 1, text);
    set_cell(grid, 4, text);
    uuid_format(about->host_id, host_id);
    set_cell(grid, 5, host_id);
    set_cell(grid, 6, about->rack);
    grid->row_count++;
}

static void print_data_center_title(const char *name)
{
    int length = printf("Datacenter: %s", name);
    printf("\n");
    for (; length > 0; length--)
        printf("=");
    printf("\n");
}

static void print_status_of(const struct ring_view *view, const char *data_center)
{
    static const char *const titles[] = {"--", "Address", "Load", "Tokens",
                                         NULL, "Host ID", "Rack"};
    struct grid grid = {.columns = 7};
    grid.cells = calloc(member_count(view) + 1u, sizeof *grid.cells);
    if (grid.cells == NULL) return;
    for (size_t i = 0; i < grid.columns; i++)
        set_cell(&grid, i,
                 titles[i] != NULL              ? titles[i]
                 : view->info.owns_is_effective ? "Owns (effective)"
                                                : "Owns");
    grid.row_count++;
    for (uint16_t i = 0; i < member_count(view); i++)
        if (strcmp(member_at(view, i)->data_center, data_center) == 0)
            add_status_row(view, i, &grid);
    print_data_center_title(data_center);
    printf("Status=Up/Down\n|/ State=Normal/Leaving/Joining/Moving\n");
    grid_print(&grid);
    printf("\n");
    free(grid.cells);
}

static void print_note(const struct ring_view *view, const char *indent)
{
    if (!owns_nothing_certain(view)) return;
    printf("%sNote: Non-system keyspaces don't have the same replication settings, effective "
           "ownership information is meaningless\n",
           indent);
}

void ring_view_print_status(const struct ring_view *view)
{
    each_data_center(view, print_status_of);
    print_note(view, "");
}

static void print_member_json(const struct ring_view *view, uint16_t member)
{
    static const char *const states[] = {"UNKNOWN", "UP", "SUSPECT", "DOWN"};
    char address[ENV_ADDRESS_TEXT_SIZE], rpc[ENV_ADDRESS_TEXT_SIZE], host_id[UUID_TEXT_SIZE];
    const struct member *about = member_at(view, member);
    const struct admin_info *info = own_words(view, member);
    env_address_format(&about->address, address);
    env_address_format(&about->rpc_address, rpc);
    uuid_format(about->host_id, host_id);
    printf("{\"node\": %u, \"address\": \"%s\", \"native_address\": \"%s\", \"state\": \"%s\", "
           "\"host_id\": \"%s\", \"data_center\": ",
           member + 1u, address, rpc, states[view->info.states[member]], host_id);
    print_json_text(about->data_center);
    printf(", \"rack\": ");
    print_json_text(about->rack);
    printf(", \"tokens\": %zu, \"owns\": %.6f, \"load_bytes\": ", about->token_count,
           view->info.owns[member]);
    if (info == NULL)
        printf("null, \"ready\": null}");
    else
        printf("%" PRIu64 ", \"ready\": %s}", info->load_bytes, info->is_ready ? "true" : "false");
}

void ring_view_print_status_json(const struct ring_view *view)
{
    printf("[");
    for (uint16_t i = 0; i < member_count(view); i++) {
        if (i > 0) printf(",\n ");
        print_member_json(view, i);
    }
    printf("]\n");
}

// ---- ring ---------------------------------------------------------------------------------------

static void print_ring_of(const struct ring_view *view, const char *data_center)
{
    const struct topology *topology = view->info.topology;
    const struct ring_place *last = NULL;
    for (size_t i = 0; i < topology->place_count; i++)
        if (strcmp(member_at(view, topology->places[i].member)->data_center, data_center) == 0)
            last = &topology->places[i];
    int width = (int)strlen("Address");
    for (uint16_t i = 0; i < member_count(view); i++) {
        char host[ENV_ADDRESS_TEXT_SIZE];
        ring_view_format_host(&member_at(view, i)->address, host);
        if ((int)strlen(host) > width) width = (int)strlen(host);
    }
    printf("Datacenter: %s\n==========\n", data_center);
    printf("%-*s  %-12s%-7s%-8s%-16s%-20s%-44s\n", width, "Address", "Rack", "Status", "State",
           "Load", "Owns", "Token");
    // The ring is a ring: the last token stands before the first.
    if (last != NULL) printf("%-*s%-44" PRId64 "\n", width + 65, "", last->token.value);
    for (size_t i = 0; i < topology->place_count; i++) {
        const struct ring_place *place = &topology->places[i];
        const struct member *member = member_at(view, place->member);
        if (strcmp(member->data_center, data_center) != 0) continue;
        char host[ENV_ADDRESS_TEXT_SIZE], load[RING_VIEW_SIZE_TEXT], owns[CELL_SIZE];
        ring_view_format_host(&member->address, host);
        format_load(view, place->member, load);
        format_owns(view, place->member, 2, owns);
        printf("%-*s  %-12s%-7s%-8s%-16s%-20s%-44" PRId64 "\n", width, host, member->rack,
               is_up(view, place->member) ? "Up" : "Down", "Normal", load, owns,
               place->token.value);
    }
    printf("\n");
}

void ring_view_print_ring(const struct ring_view *view)
{
    printf("\n");
    each_data_center(view, print_ring_of);
    printf("\n");
    print_note(view, "  ");
}

void ring_view_print_ring_json(const struct ring_view *view)
{
    const struct topology *topology = view->info.topology;
    printf("[");
    for (size_t i = 0; i < topology->place_count; i++) {
        char address[ENV_ADDRESS_TEXT_SIZE];
        env_address_format(&member_at(view, topology->places[i].member)->address, address);
        printf("%s{\"token\": %" PRId64 ", \"node\": %u, \"address\": \"%s\", \"state\": \"%s\"}",
               i == 0 ? "" : ",\n ", topology->places[i].token.value,
               topology->places[i].member + 1u, address,
               is_up(view, topology->places[i].member) ? "UP" : "DOWN");
    }
    printf("]\n");
}

// ---- info ---------------------------------------------------------------------------------------

void ring_view_print_info(const struct ring_view *view, bool with_tokens)
{
    const struct admin_info *info = &view->info;
    const struct member *self = member_at(view, info->self);
    char host_id[UUID_TEXT_SIZE], load[RING_VIEW_SIZE_TEXT];
    uuid_format(self->host_id, host_id);
    ring_view_format_size(info->load_bytes, load);
    printf("%-23s: %s\n", "ID", host_id);
    printf("%-23s: %s\n", "Gossip active", "true");
    printf("%-23s: %s\n", "Native Transport active", info->serves_clients ? "true" : "false");
    printf("%-23s: %s\n", "Load", load);
    printf("%-23s: %" PRId64 "\n", "Generation No", info->started_us / 1000000);
    printf("%-23s: %" PRId64 "\n", "Uptime (seconds)",
           (info->wall_us - info->started_us) / 1000000);
    // There is no heap of Java's: what the process takes in memory, and what memtables do of it.
    printf("%-23s: %.2f\n", "Resident Memory (MB)", (double)info->resident_bytes / (1 << 20));
    printf("%-23s: %.2f\n", "Memtables (MB)", (double)info->memtable_bytes / (1 << 20));
    printf("%-23s: %.2f\n", "CPU (seconds)", (double)info->cpu_ns / 1e9);
    printf("%-23s: %s\n", "Data Center", self->data_center);
    printf("%-23s: %s\n", "Rack", self->rack);
    printf("%-23s: %" PRIu64 "\n", "Metadata log", info->log_number);
    if (!with_tokens && self->token_count > 1) {
        printf("%-23s: (invoke with --tokens to see all %zu tokens)\n", "Token", self->token_count);
        return;
    }
    for (size_t i = 0; i < self->token_count; i++)
        printf("%-23s: %" PRId64 "\n", "Token", self->tokens[i].value);
}

void ring_view_print_info_json(const struct ring_view *view)
{
    const struct admin_info *info = &view->info;
    const struct member *self = member_at(view, info->self);
    char host_id[UUID_TEXT_SIZE], version[UUID_TEXT_SIZE];
    uuid_format(self->host_id, host_id);
    uuid_format(info->schema_version, version);
    printf("{\"node\": %u, \"host_id\": \"%s\", \"ready\": %s, \"native_transport\": %s, "
           "\"load_bytes\": %" PRIu64 ", \"memtable_bytes\": %" PRIu64
           ", \"resident_bytes\": %" PRIu64 ", \"cpu_ns\": %" PRIu64 ", \"started_us\": %" PRId64
           ", \"wall_us\": %" PRId64 ", \"schema_version\": \"%s\", \"log_number\": %" PRIu64
           ", \"data_center\": ",
           info->self + 1u, host_id, info->is_ready ? "true" : "false",
           info->serves_clients ? "true" : "false", info->load_bytes, info->memtable_bytes,
           info->resident_bytes, info->cpu_ns, info->started_us, info->wall_us, version,
           info->log_number);
    print_json_text(self->data_center);
    printf(", \"rack\": ");
    print_json_text(self->rack);
    printf(", \"tokens\": [");
    for (size_t i = 0; i < self->token_count; i++)
        printf("%s%" PRId64, i == 0 ? "" : ", ", self->tokens[i].value);
    printf("]}\n");
}

// ---- describecluster ----------------------------------------------------------------------------

static bool is_first_of_version(const struct ring_view *view, uint16_t member)
{
    for (uint16_t i = 0; i < member; i++)
        if (own_words(view, i) != NULL && uuid_equals(own_words(view, i)->schema_version,
                                                      own_words(view, member)->schema_version))
            return false;
    return true;
}

// "[127.0.0.1, 127.0.0.2]" of those that say this version; of those that say nothing, if NULL.
static void print_hosts(const struct ring_view *view, const struct uuid *version)
{
    const char *separator = "";
    printf("[");
    for (uint16_t i = 0; i < member_count(view); i++) {
        const struct admin_info *info = own_words(view, i);
        bool is_one = info == NULL ? version == NULL
                                   : version != NULL && uuid_equals(info->schema_version, *version);
        if (!is_one) continue;
        char host[ENV_ADDRESS_TEXT_SIZE];
        ring_view_format_host(&member_at(view, i)->address, host);
        printf("%s%s", separator, host);
        separator = ", ";
    }
    printf("]\n");
}

static void print_data_center_counts(const struct ring_view *view, const char *name)
{
    unsigned count = 0, down = 0;
    for (uint16_t i = 0; i < member_count(view); i++) {
        if (strcmp(member_at(view, i)->data_center, name) != 0) continue;
        count++;
        down += !is_up(view, i);
    }
    printf("\t%s #Nodes: %u #Down: %u\n", name, count, down);
}

static void print_schema_versions(const struct ring_view *view)
{
    bool any_silent = false;
    printf("\tSchema versions:\n");
    for (uint16_t i = 0; i < member_count(view); i++) {
        const struct admin_info *info = own_words(view, i);
        any_silent = any_silent || info == NULL;
        if (info == NULL || !is_first_of_version(view, i)) continue;
        char version[UUID_TEXT_SIZE];
        uuid_format(info->schema_version, version);
        printf("\t\t%s: ", version);
        print_hosts(view, &info->schema_version);
        printf("\n");
    }
    if (!any_silent) return;
    printf("\t\tUNREACHABLE: ");
    print_hosts(view, NULL);
    printf("\n");
}

void ring_view_print_cluster(const struct ring_view *view)
{
    unsigned up = 0;
    const char *separator = "";
    for (uint16_t i = 0; i < member_count(view); i++)
        up += is_up(view, i);
    printf("Cluster Information:\n\tName: %s\n"
           "\tSnitch: org.apache.cassandra.locator.SimpleSnitch\n"
           "\tDynamicEndPointSnitch: enabled\n"
           "\tPartitioner: org.apache.cassandra.dht.Murmur3Partitioner\n",
           view->info.cluster_name);
    print_schema_versions(view);
    printf("Stats for all nodes:\n\tLive: %u\n\tJoining: 0\n\tMoving: 0\n\tLeaving: 0\n"
           "\tUnreachable: %u\n\nData Centers: \n",
           up, member_count(view) - up);
    each_data_center(view, print_data_center_counts);
    printf("\nDatabase versions:\n\t%s: [", view->info.release_version);
    for (uint16_t i = 0; i < member_count(view); i++) {
        char address[ENV_ADDRESS_TEXT_SIZE];
        if (own_words(view, i) == NULL) continue;
        env_address_format(&member_at(view, i)->address, address);
        printf("%s%s", separator, address);
        separator = ", ";
    }
    printf("]\n\nKeyspaces:\n");
    for (const char *line = view->info.keyspaces; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        printf("\t%.*s\n", (int)size, line);
        line += size + (line[size] == '\n');
    }
}

void ring_view_print_cluster_json(const struct ring_view *view)
{
    printf("{\"name\": ");
    print_json_text(view->info.cluster_name);
    printf(", \"partitioner\": \"org.apache.cassandra.dht.Murmur3Partitioner\", "
           "\"release_version\": \"%s\", \"nodes\": [",
           view->info.release_version);
    for (uint16_t i = 0; i < member_count(view); i++) {
        char host[ENV_ADDRESS_TEXT_SIZE], version[UUID_TEXT_SIZE];
        const struct admin_info *info = own_words(view, i);
        ring_view_format_host(&member_at(view, i)->address, host);
        if (info != NULL) uuid_format(info->schema_version, version);
        printf("%s{\"address\": \"%s\", \"up\": %s, \"schema_version\": %s%s%s, \"log_number\": ",
               i == 0 ? "" : ",\n ", host, is_up(view, i) ? "true" : "false",
               info == NULL ? "" : "\"", info == NULL ? "null" : version, info == NULL ? "" : "\"");
        if (info == NULL)
            printf("null}");
        else
            printf("%" PRIu64 "}", info->log_number);
    }
    printf("]}\n");
}
