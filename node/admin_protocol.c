#include "node/admin_protocol.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

enum { KEYSPACES_SIZE_MAX = 1 << 20 };

static void put_text(struct buffer *bytes, const char *text)
{
    buffer_put_vint_bytes(bytes, slice_of_text(text));
}

bool admin_text_get(struct cursor *bytes, char *text, size_t size)
{
    struct slice found = cursor_vint_bytes(bytes);
    if (bytes->failed || found.size >= size || memchr(found.data, 0, found.size) != NULL)
        return false;
    memcpy(text, found.data, found.size);
    text[found.size] = '\0';
    return true;
}

void admin_fault_put(struct buffer *bytes, const struct messaging_fault *fault)
{
    buffer_put_u8(bytes, fault->blocks_out);
    buffer_put_u8(bytes, fault->blocks_in);
    buffer_put_u64(bytes, fault->delay_ns);
    buffer_put_u64(bytes, fault->jitter_ns);
    buffer_put_u16(bytes, fault->lost_per_1000);
    buffer_put_u16(bytes, fault->doubled_per_1000);
}

void admin_fault_get(struct cursor *bytes, struct messaging_fault *fault)
{
    *fault = (struct messaging_fault){0};
    fault->blocks_out = cursor_u8(bytes) != 0;
    fault->blocks_in = cursor_u8(bytes) != 0;
    fault->delay_ns = cursor_u64(bytes);
    fault->jitter_ns = cursor_u64(bytes);
    fault->lost_per_1000 = cursor_u16(bytes);
    fault->doubled_per_1000 = cursor_u16(bytes);
}

void admin_info_put(struct buffer *bytes, const struct admin_info *info)
{
    put_text(bytes, info->cluster_name);
    put_text(bytes, info->release_version);
    buffer_put_u16(bytes, info->self);
    buffer_put_u8(bytes, info->is_ready);
    buffer_put_u8(bytes, info->serves_clients);
    uuid_put(bytes, info->schema_version);
    buffer_put_u64(bytes, info->log_number);
    buffer_put_u64(bytes, (uint64_t)info->started_us);
    buffer_put_u64(bytes, (uint64_t)info->wall_us);
    buffer_put_u64(bytes, info->load_bytes);
    buffer_put_u64(bytes, info->memtable_bytes);
    buffer_put_u64(bytes, info->resident_bytes);
    buffer_put_u64(bytes, info->cpu_ns);
    buffer_put_u8(bytes, info->owns_is_effective);
    topology_put(bytes, info->topology);
    for (uint16_t i = 0; i < info->topology->member_count; i++) {
        buffer_put_f64(bytes, info->owns[i]);
        buffer_put_u8(bytes, info->states[i]);
    }
    put_text(bytes, info->keyspaces);
}

static enum status get_members(struct cursor *bytes, struct admin_info *info)
{
    if (topology_get(bytes, &info->topology, NULL) != STATUS_OK) return STATUS_MALFORMED;
    size_t count = info->topology->member_count;
    info->owns = calloc(count, sizeof *info->owns);
    info->states = calloc(count, sizeof *info->states);
    ASSERT(info->owns != NULL && info->states != NULL);
    for (size_t i = 0; i < count; i++) {
        info->owns[i] = cursor_f64(bytes);
        info->states[i] = cursor_u8(bytes);
        if (info->states[i] > ADMIN_MEMBER_DOWN) return STATUS_MALFORMED;
    }
    return bytes->failed || info->self >= count ? STATUS_MALFORMED : STATUS_OK;
}

enum status admin_info_get(struct cursor *bytes, struct admin_info *info)
{
    *info = (struct admin_info){.self = 0};
    bool good = admin_text_get(bytes, info->cluster_name, sizeof info->cluster_name) &&
                admin_text_get(bytes, info->release_version, sizeof info->release_version);
    info->self = cursor_u16(bytes);
    info->is_ready = cursor_u8(bytes) != 0;
    info->serves_clients = cursor_u8(bytes) != 0;
    info->schema_version = uuid_take(bytes);
    if (bytes->failed || !good) return STATUS_MALFORMED;
    info->log_number = cursor_u64(bytes);
    info->started_us = (int64_t)cursor_u64(bytes);
    info->wall_us = (int64_t)cursor_u64(bytes);
    info->load_bytes = cursor_u64(bytes);
    info->memtable_bytes = cursor_u64(bytes);
    info->resident_bytes = cursor_u64(bytes);
    info->cpu_ns = cursor_u64(bytes);
    info->owns_is_effective = cursor_u8(bytes) != 0;
    if (bytes->failed) return STATUS_MALFORMED;
    enum status status = get_members(bytes, info);
    struct slice keyspaces = cursor_vint_bytes(bytes);
    if (bytes->failed || keyspaces.size > KEYSPACES_SIZE_MAX ||
        memchr(keyspaces.data, 0, keyspaces.size) != NULL)
        status = STATUS_MALFORMED;
    if (status == STATUS_OK) {
        info->keyspaces = strndup((const char *)keyspaces.data, keyspaces.size);
        ASSERT(info->keyspaces != NULL);
    } else {
        admin_info_deinit(info);
    }
    return status;
}

void admin_info_deinit(struct admin_info *info)
{
    if (info->topology != NULL) topology_destroy(info->topology);
    free(info->owns);
    free(info->states);
    free(info->keyspaces);
    *info = (struct admin_info){.self = 0};
}
