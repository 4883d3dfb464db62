#include "storage/sstable/hyperloglog.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/cursor.h"

#include <math.h>
#include <stdlib.h>

enum { P = 13, SP = 25, REGISTER_BITS = 5, REGISTERS_PER_INT = 6 };

// MurmurHash2, 64 bits, seed 0, as stream-lib has it: its tail bytes are sign-extended.
static uint64_t hash_key(struct slice key)
{
    const uint64_t m = 0xc6a4a7935bd1e995u;
    uint64_t h = m * key.size;
    size_t block_count = key.size / 8;
    for (size_t i = 0; i < block_count; i++) {
        uint64_t k = bytes_get_u64_le(key.data + 8 * i);
        k *= m;
        k ^= k >> 47;
        k *= m;
        h ^= k;
        h *= m;
    }
    size_t rest = key.size - 8 * block_count;
    for (size_t i = rest; i-- > 0;)
        h ^= (uint64_t)(int64_t)(int8_t)key.data[8 * block_count + i] << (8 * i);
    if (rest > 0) h *= m;
    h ^= h >> 47;
    h *= m;
    h ^= h >> 47;
    return h;
}

// Ones behind which the register's index ends, so that it is never all zeros.
static uint32_t run_of(uint64_t x)
{
    return (uint32_t)__builtin_clzll(x << P | 1u << (P - 1)) + 1;
}

static uint32_t encode_sparse(uint64_t x)
{
    uint32_t index = (uint32_t)(x >> (64 - SP));
    if ((index & ((1u << (SP - P)) - 1)) != 0) return index << 1;
    return (index << 6 | (run_of(x) ^ 63)) << 1 | 1;
}

static uint32_t index_of(uint32_t value)
{
    return value & 1 ? value >> 7 : value >> 1;
}

static int compare_values(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    uint32_t x_index = index_of(x), y_index = index_of(y);
    if (x_index != y_index) return x_index < y_index ? -1 : 1;
    return (x > y) - (x < y);
}

// The set and the sorted buffer become one set; of one index the smaller value stays. As in
// stream-lib the two are merged by their values as signed numbers, though both are sorted by index:
// those with a run and a high index come before what they should follow.
static void merge_buffer(struct hyperloglog *log)
{
    qsort(log->buffered, log->buffered_count, sizeof *log->buffered, compare_values);
    size_t total = log->set_count + log->buffered_count;
    ASSERT(total <= sizeof log->set / sizeof *log->set);
    // From the end of the array to its front, where as much room as the buffer needs is free.
    size_t left = log->buffered_count, right = 0, kept = 0;
    memmove(log->set + left, log->set, log->set_count * sizeof *log->set);
    while (left < total || right < log->buffered_count) {
        const uint32_t *old = left < total ? &log->set[left] : NULL;
        const uint32_t *new = right < log->buffered_count ? &log->buffered[right] : NULL;
        bool same = old != NULL && new != NULL &&index_of(*old) == index_of(*new);
        bool takes_old = new == NULL || (old != NULL && (int32_t)*old < (int32_t) * new);
        uint32_t value = takes_old ? *old : *new;
        if (same || takes_old) left++;
        if (same || !takes_old) {
            uint32_t index = index_of(log->buffered[right]);
            while (right < log->buffered_count && index_of(log->buffered[right]) == index)
                right++;
        }
        log->set[kept++] = value;
    }
    log->set_count = kept;
    log->buffered_count = 0;
}

static void raise_register(struct hyperloglog *log, uint32_t index, uint32_t run)
{
    if (log->registers[index] < run) log->registers[index] = (uint8_t)run;
}

static void raise_register_of(struct hyperloglog *log, uint32_t value)
{
    uint32_t index = index_of(value) >> (SP - P);
    // A value that is even has a one among the 12 bits below the register's index.
    uint32_t run = value & 1 ? ((value >> 1) & 63) ^ 63
                             : (uint32_t)__builtin_clz(value << (31 - (SP - P))) + 1;
    raise_register(log, index, run);
}

static void convert_to_registers(struct hyperloglog *log)
{
    for (size_t i = 0; i < log->set_count; i++)
        raise_register_of(log, log->set[i]);
    log->sparse = false;
}

static void add_sparse(struct hyperloglog *log, uint32_t value)
{
    log->buffered[log->buffered_count++] = value;
    if (log->buffered_count <= HYPERLOGLOG_BUFFER_MAX) return;
    merge_buffer(log);
    if (log->set_count > HYPERLOGLOG_SPARSE_MAX) convert_to_registers(log);
}

void hyperloglog_init(struct hyperloglog *log)
{
    log->sparse = true;
    log->buffered_count = 0;
    log->set_count = 0;
    memset(log->registers, 0, sizeof log->registers);
}

void hyperloglog_add(struct hyperloglog *log, struct slice key)
{
    uint64_t x = hash_key(key);
    if (!log->sparse) {
        raise_register(log, (uint32_t)(x >> (64 - P)), run_of(x));
        return;
    }
    add_sparse(log, encode_sparse(x));
}

// Seven bits a byte, the lowest first: not Cassandra's vint.
static void put_varint(struct buffer *bytes, uint32_t value)
{
    while (value >= 0x80) {
        buffer_put_u8(bytes, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    buffer_put_u8(bytes, (uint8_t)value);
}

void hyperloglog_encode(struct hyperloglog *log, struct buffer *bytes)
{
    if (log->sparse) merge_buffer(log);
    buffer_put_u32(bytes, (uint32_t)-2); // The version.
    put_varint(bytes, P);
    put_varint(bytes, SP);
    put_varint(bytes, log->sparse);
    if (log->sparse) {
        put_varint(bytes, (uint32_t)log->set_count);
        uint32_t previous = 0;
        for (size_t i = 0; i < log->set_count; i++) {
            put_varint(bytes, log->set[i] - previous);
            previous = log->set[i];
        }
        return;
    }
    // Six registers of five bits in each int.
    uint32_t int_count = (HYPERLOGLOG_REGISTERS + REGISTERS_PER_INT - 1) / REGISTERS_PER_INT;
    put_varint(bytes, 4 * int_count);
    for (uint32_t i = 0; i < int_count; i++) {
        uint32_t packed = 0;
        for (uint32_t j = 0; j < REGISTERS_PER_INT; j++) {
            uint32_t index = i * REGISTERS_PER_INT + j;
            if (index < HYPERLOGLOG_REGISTERS)
                packed |= (uint32_t)log->registers[index] << (REGISTER_BITS * j);
        }
        buffer_put_u32(bytes, packed);
    }
}

// ---- Union --------------------------------------------------------------------------------------

uint32_t hyperloglog_take_varint(struct cursor *cursor)
{
    uint32_t value = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint8_t byte = cursor_u8(cursor);
        value |= (uint32_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) return value;
    }
    cursor->failed = true;
    return 0;
}

static void become_registers(struct hyperloglog *log)
{
    if (!log->sparse) return;
    merge_buffer(log);
    convert_to_registers(log);
}

static bool add_encoded_registers(struct hyperloglog *log, struct cursor *cursor)
{
    struct slice ints = cursor_take(cursor, hyperloglog_take_varint(cursor));
    if (cursor->failed ||
        ints.size < 4 * (HYPERLOGLOG_REGISTERS + REGISTERS_PER_INT - 1) / REGISTERS_PER_INT)
        return false;
    become_registers(log);
    for (uint32_t i = 0; i < HYPERLOGLOG_REGISTERS; i++) {
        uint32_t packed = bytes_get_u32(ints.data + (size_t)(i / REGISTERS_PER_INT) * 4);
        raise_register(log, i, packed >> (REGISTER_BITS * (i % REGISTERS_PER_INT)) & 31);
    }
    return true;
}

bool hyperloglog_add_encoded(struct hyperloglog *log, struct slice bytes)
{
    struct cursor cursor = cursor_make(bytes);
    if (cursor_u32(&cursor) != (uint32_t)-2 || hyperloglog_take_varint(&cursor) != P ||
        hyperloglog_take_varint(&cursor) != SP || cursor.failed)
        return false;
    if (hyperloglog_take_varint(&cursor) == 0) return add_encoded_registers(log, &cursor);
    uint32_t count = hyperloglog_take_varint(&cursor), value = 0;
    for (uint32_t i = 0; i < count; i++) {
        value += hyperloglog_take_varint(&cursor);
        if (cursor.failed || index_of(value) >> SP != 0) return false;
        // An even value has a one among these bits; all zero would be a run without an end.
        if ((value & 1) == 0 && (value >> 1 & ((1u << (SP - P)) - 1)) == 0) return false;
        if (log->sparse) {
            add_sparse(log, value);
        } else {
            raise_register_of(log, value);
        }
    }
    return !cursor.failed;
}

double hyperloglog_linear_count(double places, double empty)
{
    return places * log(places / empty);
}

// What registers that are full, and those that are still zero, contribute: Ertl's algorithms 5, 6.
static double ertl_tau(double x)
{
    if (x <= 0 || x >= 1) return 0;
    double y = 1, z = 1 - x, before;
    do {
        x = sqrt(x);
        before = z;
        y /= 2;
        z -= (1 - x) * (1 - x) * y;
    } while (before != z);
    return z / 3;
}

static double ertl_sigma(double x)
{
    if (x >= 1) return INFINITY;
    double y = 1, z = x, before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (before != z && isfinite(z));
    return z;
}

double hyperloglog_estimate(const double *counts, unsigned longest, double registers,
                            double linear_max)
{
    if (counts[0] > 0) {
        double linear = hyperloglog_linear_count(registers, counts[0]);
        if (linear < linear_max) return linear;
    }
    double z = registers * ertl_tau(1 - counts[longest] / registers);
    for (unsigned k = longest - 1; k >= 1; k--)
        z = 0.5 * (z + counts[k]);
    z += registers * ertl_sigma(counts[0] / registers);
    return registers * registers / (2 * log(2)) / z;
}

static double count_by_registers(const struct hyperloglog *counted)
{
    enum { LONGEST = 31 };
    double counts[LONGEST + 1] = {0};
    for (size_t i = 0; i < HYPERLOGLOG_REGISTERS; i++)
        counts[counted->registers[i] < LONGEST ? counted->registers[i] : LONGEST]++;
    return hyperloglog_estimate(counts, LONGEST, HYPERLOGLOG_REGISTERS, HYPERLOGLOG_LINEAR_MAX);
}

// Of different ones: as stream-lib's, the set may have some twice.
static size_t count_indexes(struct hyperloglog *log)
{
    qsort(log->set, log->set_count, sizeof *log->set, compare_values);
    size_t count = 0;
    for (size_t i = 0; i < log->set_count; i++)
        count += i == 0 || index_of(log->set[i]) != index_of(log->set[i - 1]);
    return count;
}

uint64_t hyperloglog_count(struct hyperloglog *log)
{
    if (log->sparse) merge_buffer(log);
    double count = log->sparse
                       ? hyperloglog_linear_count((double)(1u << SP),
                                                  (double)(1u << SP) - (double)count_indexes(log))
                       : count_by_registers(log);
    return (uint64_t)llround(count);
}
