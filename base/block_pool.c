#include "base/block_pool.h"

#include "base/assert.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

// What lies in the pool belongs to nobody: the sanitizer shall find whoever still looks at it.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BLOCK_POOL_WATCHES 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define BLOCK_POOL_WATCHES 1
#endif
#ifdef BLOCK_POOL_WATCHES
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)   ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

struct block_pool {
    uint32_t references;
    size_t kept_max;
    void *places[BLOCK_POOL_KEPT_MAX];
};

struct block_pool *block_pool_create(size_t kept_max)
{
    struct block_pool *pool = calloc(1, sizeof *pool);
    ASSERT(pool != NULL);
    pool->references = 1;
    pool->kept_max = kept_max < BLOCK_POOL_KEPT_MAX ? kept_max : BLOCK_POOL_KEPT_MAX;
    return pool;
}

void block_pool_ref(struct block_pool *pool)
{
    (void)__atomic_fetch_add(&pool->references, 1, __ATOMIC_RELAXED);
}

static void free_block(void *block)
{
    ASAN_UNPOISON_MEMORY_REGION(block, BLOCK_POOL_BLOCK_SIZE);
    free(block);
}

void block_pool_unref(struct block_pool *pool)
{
    if (pool == NULL) return;
    if (__atomic_fetch_sub(&pool->references, 1, __ATOMIC_ACQ_REL) > 1) return;
    for (size_t i = 0; i < pool->kept_max; i++) {
        if (pool->places[i] != NULL) free_block(pool->places[i]);
    }
    free(pool);
}

static void *take_from_system(void)
{
    void *block = aligned_alloc(BLOCK_POOL_BLOCK_SIZE, BLOCK_POOL_BLOCK_SIZE);
    ASSERT(block != NULL);
    // A wish: without huge pages it is memory like any other.
    (void)madvise(block, BLOCK_POOL_BLOCK_SIZE, MADV_HUGEPAGE);
    return block;
}

void *block_pool_take(struct block_pool *pool)
{
    for (size_t i = 0; pool != NULL && i < pool->kept_max; i++) {
        if (__atomic_load_n(&pool->places[i], __ATOMIC_RELAXED) == NULL) continue;
        void *block = __atomic_exchange_n(&pool->places[i], NULL, __ATOMIC_ACQUIRE);
        if (block == NULL) continue; // Another thread was faster.
        ASAN_UNPOISON_MEMORY_REGION(block, BLOCK_POOL_BLOCK_SIZE);
        return block;
    }
    return take_from_system();
}

void block_pool_give(struct block_pool *pool, void *block)
{
    ASAN_POISON_MEMORY_REGION(block, BLOCK_POOL_BLOCK_SIZE);
    for (size_t i = 0; pool != NULL && i < pool->kept_max; i++) {
        void *nothing = NULL;
        if (__atomic_compare_exchange_n(&pool->places[i], &nothing, block, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
            return;
    }
    free_block(block);
}

size_t block_pool_kept(const struct block_pool *pool)
{
    size_t count = 0;
    for (size_t i = 0; i < pool->kept_max; i++)
        count += __atomic_load_n(&pool->places[i], __ATOMIC_RELAXED) != NULL;
    return count;
}
