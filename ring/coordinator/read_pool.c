#include "ring/coordinator/read_pool.h"

#include "base/assert.h"
#include "base/limits.h"
#include "ring/coordinator/remote_read.h"

#include <stdlib.h>

struct read_pool *read_pool_create(struct coordinator *coordinator)
{
    struct read_pool *pool = calloc(1, sizeof *pool);
    ASSERT(pool != NULL);
    pool->coordinator = coordinator;
    pool->handler.handle = replica_read_handle;
    buffer_init(&pool->scratch, TRANSPORT_ANSWER_SIZE_MAX - KIB);
    buffer_init(&pool->body, TRANSPORT_MESSAGE_SIZE_MAX - KIB);
    read_latency_init(&pool->latency);
    if (coordinator->options.messaging != NULL)
        messaging_handle(coordinator->options.messaging, VERB_READ, &pool->handler);
    return pool;
}

static void free_replica_reads(struct replica_read *read)
{
    while (read != NULL) {
        struct replica_read *next = read->next;
        replica_read_free(read);
        read = next;
    }
}

static void free_remote_reads(struct remote_read *remote)
{
    while (remote != NULL) {
        struct remote_read *next = remote->next;
        remote_read_free(remote);
        remote = next;
    }
}

void read_pool_destroy(struct read_pool *pool)
{
    free_remote_reads(pool->remote_reads);
    free_remote_reads(pool->free_remote_reads);
    free_replica_reads(pool->replica_reads);
    free_replica_reads(pool->free_replica_reads);
    buffer_deinit(&pool->scratch);
    buffer_deinit(&pool->body);
    free(pool);
}
