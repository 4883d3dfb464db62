#include "tests/fuzz/support/fuzz_sstable.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "storage/sstable/compression.h"
#include "storage/sstable/format.h"
#include "storage/sstable/header_table.h"
#include "storage/sstable/statistics.h"
#include "tests/fuzz/support/fuzz_node.h"

#include <stdio.h>
#include <stdlib.h>

enum { SSTABLES_MAX = 24, FILE_SIZE_MAX = 1 << 20 };

static struct fuzz_sstable sstables[SSTABLES_MAX];
static size_t sstable_count;

// ---- Making them --------------------------------------------------------------------------------

static void run_format(struct fuzz_node *node, const char *format, int number)
{
    char text[512];
    (void)snprintf(text, sizeof text, format, number, number, number, number);
    fuzz_node_run(node, text);
}

static void fill(struct fuzz_node *node)
{
    static const char *const statements[] = {
        "DELETE FROM ks.w WHERE k = 'a' AND c > 5 AND c < 9",
        "DELETE FROM ks.w WHERE k = 'b'",
        "DELETE v FROM ks.w WHERE k = 'a' AND c = 2 AND d = 'x2'",
        "INSERT INTO ks.w (k, c, d, v) VALUES ('c', 1, '', 'ttl') USING TTL 1000",
        "DELETE FROM ks.t WHERE k = 3",
        "INSERT INTO ks.collections (k, c, l, s, m, f, t, g, ss) VALUES (1, 1, ['a', 'b'], "
        "{1, 2}, {'a': 1}, [1, 2], (1, 'x'), {'a': [1]}, {'s'})",
        "UPDATE ks.collections SET l = l + ['c'], m['b'] = 2, s = s - {1} WHERE k = 1 AND c = 2",
        "DELETE m['a'] FROM ks.collections WHERE k = 1 AND c = 1",
        "INSERT INTO ks.types (a, b, c1, c2, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, "
        "x13, x14, x15, x16) VALUES (1, 'a', 0, 00000000-0000-0000-0000-000000000000, 'x', 1, "
        "0xff, true, '2020-01-01', 1.5, 2.5, 1d, 3.5, '::1', 4, '10:00:00', "
        "13814000-1dd2-11b2-8000-000000000000, 5, 6, [1, 2])",
        "INSERT INTO ks.types (a, b, c1, c2, x1) VALUES (2, '', 5, "
        "00000000-0000-0000-0000-000000000001, '')",
    };
    for (int i = 0; i < 20; i++) {
        run_format(node, "INSERT INTO ks.t (k, v) VALUES (%d, 'v%d')", i);
        run_format(
            node, "INSERT INTO ks.w (k, c, d, s, v, n) VALUES ('a', %d, 'x%d', 's', 'v%d', %d)", i);
        run_format(
            node, "UPDATE ks.counters SET n = n + %d, m = m - %d WHERE a = 'a%d' AND b = 'ALL'", i);
    }
    // One that has blocks in its index.
    for (int i = 0; i < 800; i++)
        run_format(node,
                   "INSERT INTO ks.w (k, c, d, v) VALUES ('wide', %d, "
                   "'%0100d', '%0100d') USING TIMESTAMP %d",
                   i + 1);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        fuzz_node_run(node, statements[i]);
    fuzz_node_flush(node);
}

static struct slice read_file(struct env *env, const char *path)
{
    struct env_file *file;
    if (env_file_open(env, path, ENV_OPEN_READ, &file, NULL) != STATUS_OK) return slice_null();
    uint8_t *bytes = malloc(FILE_SIZE_MAX);
    size_t size;
    ASSERT(bytes != NULL);
    ASSERT(env_file_read(file, 0, bytes, FILE_SIZE_MAX, &size, NULL) == STATUS_OK);
    env_file_close(file);
    return slice_make(bytes, size);
}

// A table's directory, "<name>-<id>".
static void add_directory(void *context, const char *name, bool is_dir)
{
    struct env *env = context;
    const char *dash = strchr(name, '-');
    if (!is_dir || dash == NULL || sstable_count == SSTABLES_MAX) return;
    struct fuzz_sstable *sstable = &sstables[sstable_count];
    sstable->name = sstable_name_of(SSTABLE_NB, 1);
    for (size_t i = 0; i < fuzz_node_table_count(); i++) {
        const struct table *table = fuzz_node_table(i);
        if (slice_equals(table->name, slice_make(name, (size_t)(dash - name))))
            sstable->table = table;
    }
    char directory[1024], path[SSTABLE_PATH_SIZE];
    (void)snprintf(directory, sizeof directory, "/data/ks/%s", name);
    struct sstable_listing listing;
    ASSERT(sstable_recover_directory(env, directory, &listing, NULL) == STATUS_OK);
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT && listing.count > 0; i++) {
        sstable_path(path, directory, listing.generations[0], (enum sstable_component)i);
        sstable->files[i] = read_file(env, path);
    }
    free(listing.generations);
    if (sstable->table != NULL && !slice_is_null(sstable->files[SSTABLE_DATA])) sstable_count++;
}

// What a compaction of the later version writes.
#define SLICE(text)                                                                                \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static const struct options compressions[] = {
    {(const struct option[]){{SLICE("class"), SLICE("LZ4Compressor")},
                             {SLICE("lz4_compressor_type"), SLICE("high")},
                             {SLICE("lz4_high_compressor_level"), SLICE("3")}},
     3},
    {(const struct option[]){{SLICE("class"), SLICE("ZstdCompressor")},
                             {SLICE("compression_level"), SLICE("1")},
                             {SLICE("chunk_length_in_kb"), SLICE("4")}},
     3},
    {(const struct option[]){{SLICE("enabled"), SLICE("false")}}, 1},
    {(const struct option[]){{SLICE("class"), SLICE("SnappyCompressor")},
                             {SLICE("chunk_length_kb"), SLICE("1")}},
     2},
    {(const struct option[]){{SLICE("class"), SLICE("DeflateCompressor")},
                             {SLICE("min_compress_ratio"), SLICE("1.3")}},
     2},
    {(const struct option[]){{SLICE("sstable_compression"), SLICE("NoopCompressor")}}, 1},
    {(const struct option[]){{SLICE("class"), SLICE("ZstdCompressor")}}, 1},
    {(const struct option[]){{SLICE("class"), SLICE("LZ4Compressor")},
                             {SLICE("min_compress_ratio"), SLICE("1.01")}},
     2},
};
enum { COMPRESSION_COUNT = sizeof compressions / sizeof *compressions };

static const struct table *make_later(const struct table *table, size_t index)
{
    struct table_builder *builder = table_builder_copy(table);
    struct table_params *params = table_builder_params(builder);
    params->compression = compressions[index % COMPRESSION_COUNT];
    params->crc_check_chance = (double)(index % 3) / 4;
    params->min_index_interval = index % 4 < 3 ? 8 : 128;
    params->bloom_filter_fp_chance = (const double[]){1.0, 0.1, 0.9}[index % 3];
    uint16_t count = table->column_counts[COLUMN_REGULAR];
    // Some of its cells are younger than the drop, as if the column had come back.
    if (count > 1)
        table_builder_drop_column(builder, table->columns[COLUMN_REGULAR][count - 1].name, 400);
    return table_builder_finish(builder);
}

static const struct type *other_type(const struct column *column, size_t how)
{
    bool is_clustering = column->kind == COLUMN_CLUSTERING;
    bool is_cell = column->kind == COLUMN_REGULAR || column->kind == COLUMN_STATIC;
    bool is_multi_cell = type_is_multi_cell(column->type);
    enum type_kind number = column->type->kind == TYPE_INT ? TYPE_BIGINT : TYPE_INT;
    if (how == 0 && is_cell && !is_multi_cell) return type_of_kind(number);
    if (how == 1 && is_clustering) return type_of_kind(number);
    if (how == 3 && is_multi_cell) return type_of_kind(TYPE_TEXT);
    if (how == 4 && (is_cell || is_clustering) && type_fixed_size(column->type) != 0)
        return type_of_kind(TYPE_BLOB);
    return column->type;
}

static const struct table *make_other(const struct table *table, size_t how)
{
    struct table_builder *builder = table_builder_create(table->keyspace, table->name, table->id);
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++) {
        for (size_t i = 0; i < table->column_counts[kind]; i++) {
            const struct column *column = &table->columns[kind][i];
            bool is_turned = how == 2 && kind == COLUMN_CLUSTERING;
            table_builder_add_column(builder, column->name, other_type(column, how), column->kind,
                                     column->reversed != is_turned);
        }
    }
    return table_builder_finish(builder);
}

// ---- Cassandra's --------------------------------------------------------------------------------

static struct slice read_golden(const char *directory, const struct sstable_name *name,
                                enum sstable_component component)
{
    char path[SSTABLE_PATH_SIZE];
    sstable_name_path(path, directory, name, component);
    FILE *file = fopen(path, "rb");
    if (file == NULL) return slice_null();
    uint8_t *bytes = malloc(FILE_SIZE_MAX);
    ASSERT(bytes != NULL);
    size_t size = fread(bytes, 1, FILE_SIZE_MAX, file);
    (void)fclose(file);
    return slice_make(bytes, size);
}

static const struct table *table_of(const struct fuzz_sstable *sstable)
{
    struct arena arena;
    arena_init(&arena, 4096);
    struct statistics_summary summary;
    struct header header;
    struct error error;
    const struct table *table = NULL;
    struct header_table_names names = {.keyspace = slice_of_text("ks"),
                                       .table = slice_of_text("golden")};
    ASSERT(statistics_decode(sstable->files[SSTABLE_STATISTICS], sstable->name.version, &arena,
                             &summary, &header, &error) == STATUS_OK);
    ASSERT(header_table_make(&header, &names, &table, &error) == STATUS_OK);
    arena_deinit(&arena);
    return table;
}

static void add_golden(enum sstable_version version, const char *table, int generation)
{
    char directory[256];
    (void)snprintf(directory, sizeof directory, "tests/golden/%s/%s",
                   version == SSTABLE_OA ? "oa" : "tables", table);
    struct fuzz_sstable *sstable = &sstables[sstable_count];
    ASSERT(sstable_count < SSTABLES_MAX);
    *sstable = (struct fuzz_sstable){.name = sstable_name_of(version, (uint64_t)generation)};
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++)
        sstable->files[i] = read_golden(directory, &sstable->name, (enum sstable_component)i);
    // They are not there when a target runs elsewhere than in the project's folder.
    if (slice_is_null(sstable->files[SSTABLE_STATISTICS])) return;
    sstable->table = table_of(sstable);
    sstable_count++;
}

// Never freed.
static struct slice decompress(const struct slice files[SSTABLE_COMPONENT_COUNT])
{
    struct slice data = files[SSTABLE_DATA];
    if (slice_is_null(files[SSTABLE_COMPRESSION_INFO])) return data;
    struct arena arena;
    arena_init(&arena, 4096);
    struct compression_info info;
    ASSERT(compression_info_decode(&info, files[SSTABLE_COMPRESSION_INFO], &arena, NULL) ==
           STATUS_OK);
    uint8_t *plain = malloc(info.data_size);
    ASSERT(plain != NULL);
    size_t chunk = info.compression.chunk_size;
    for (size_t i = 0; i * chunk < info.data_size; i++) {
        uint64_t begin = bytes_get_u64(info.offsets + 8 * i);
        uint64_t end =
            i + 1 < info.chunk_count ? bytes_get_u64(info.offsets + 8 * (i + 1)) : data.size;
        size_t left = info.data_size - i * chunk;
        struct slice stored = slice_make(data.data + begin, end - begin - 4);
        ASSERT(compression_decompress(&info.compression, stored, plain + i * chunk,
                                      left < chunk ? left : chunk) == STATUS_OK);
    }
    struct slice bytes = slice_make(plain, info.data_size);
    arena_deinit(&arena);
    return bytes;
}

static void make_all(void)
{
    struct fuzz_node node;
    fuzz_node_open(&node, 0);
    fill(&node);
    ASSERT(env_list_dir(node.sim.env, "/data/ks", add_directory, node.sim.env, NULL) == STATUS_OK);
    fuzz_node_close(&node);
    ASSERT(sstable_count == fuzz_node_table_count());
    static const char *const flushed[] = {"shapes", "deleted", "counters", "columns", "expiring"};
    for (size_t i = 0; i < sizeof flushed / sizeof *flushed; i++)
        add_golden(SSTABLE_OA, flushed[i], 1);
    static const char *const compacted[] = {"c_zstd", "c_snappy", "c_deflate", "c_none"};
    for (size_t i = 0; i < sizeof compacted / sizeof *compacted; i++)
        add_golden(SSTABLE_OA, compacted[i], 3);
    add_golden(SSTABLE_OA, "wide", 1);
    add_golden(SSTABLE_NB, "many_columns", 1);
    add_golden(SSTABLE_OA, "c_high", 3);
    add_golden(SSTABLE_OA, "c_raw", 3);
    add_golden(SSTABLE_NB, "every_type", 1);
    for (size_t i = 0; i < sstable_count; i++) {
        sstables[i].later = make_later(sstables[i].table, i);
        for (size_t how = 0; how < FUZZ_SSTABLE_OTHERS; how++)
            sstables[i].others[how] = make_other(sstables[i].table, how);
        sstables[i].plain = decompress(sstables[i].files);
    }
}

const struct fuzz_sstable *fuzz_sstable_at(size_t index)
{
    if (sstable_count == 0) make_all();
    return &sstables[index % sstable_count];
}

size_t fuzz_sstable_count(void)
{
    (void)fuzz_sstable_at(0);
    return sstable_count;
}

// ---- Checksums ----------------------------------------------------------------------------------

static uint8_t *writable(struct slice *bytes, struct arena *arena)
{
    *bytes = arena_copy(arena, *bytes);
    return (uint8_t *)(uintptr_t)bytes->data;
}

static void fix_chunks(struct slice files[SSTABLE_COMPONENT_COUNT], struct arena *arena)
{
    struct compression_info info;
    struct error error;
    if (compression_info_decode(&info, files[SSTABLE_COMPRESSION_INFO], arena, &error) != STATUS_OK)
        return;
    uint8_t *data = writable(&files[SSTABLE_DATA], arena);
    uint64_t size = files[SSTABLE_DATA].size;
    for (size_t i = 0; i < info.chunk_count; i++) {
        uint64_t begin = bytes_get_u64(info.offsets + 8 * i);
        uint64_t end = i + 1 < info.chunk_count ? bytes_get_u64(info.offsets + 8 * (i + 1)) : size;
        if (end > size || begin > end || end - begin < 4) return;
        bytes_put_u32(data + end - 4, checksum_crc32(slice_make(data + begin, end - begin - 4)));
    }
}

static void fix_plain(struct slice files[SSTABLE_COMPONENT_COUNT], struct arena *arena)
{
    struct slice data = files[SSTABLE_DATA];
    if (files[SSTABLE_CRC].size < 4) return;
    uint8_t *crc = writable(&files[SSTABLE_CRC], arena);
    size_t chunk = bytes_get_u32(crc), count = (files[SSTABLE_CRC].size - 4) / 4;
    for (size_t i = 0; i < count && chunk > 0 && i * chunk < data.size; i++) {
        size_t left = data.size - i * chunk;
        struct slice bytes = slice_make(data.data + i * chunk, left < chunk ? left : chunk);
        bytes_put_u32(crc + 4 + 4 * i, checksum_crc32(bytes));
    }
}

void fuzz_sstable_make_plain(const struct fuzz_sstable *sstable,
                             struct slice files[SSTABLE_COMPONENT_COUNT], struct arena *arena)
{
    enum { CHUNK_SIZE = 4096 };
    size_t chunks = sstable->plain.size / CHUNK_SIZE + 1;
    uint8_t *crc = arena_alloc_zero(arena, 4 + 4 * chunks);
    bytes_put_u32(crc, CHUNK_SIZE);
    files[SSTABLE_DATA] = sstable->plain;
    files[SSTABLE_COMPRESSION_INFO] = slice_null();
    files[SSTABLE_CRC] = slice_make(crc, 4 + 4 * chunks);
    fix_plain(files, arena);
}

static void fix_statistics(struct slice *file, struct arena *arena)
{
    if (file->size < 12) return;
    uint8_t *bytes = writable(file, arena);
    uint64_t count = bytes_get_u32(bytes), size = file->size, head = 8 + 8 * count;
    if (count > 4 || head + 4 > size) return;
    uint32_t crc = checksum_crc32(slice_make(bytes, 4));
    bytes_put_u32(bytes + 4, crc);
    bytes_put_u32(bytes + head, checksum_crc32_more(crc, slice_make(bytes + 8, 8 * count)));
    for (uint64_t i = 0; i < count; i++) {
        uint64_t begin = bytes_get_u32(bytes + 8 + 8 * i + 4);
        uint64_t end = i + 1 < count ? bytes_get_u32(bytes + 8 + 8 * (i + 1) + 4) : size;
        if (end > size || begin > end || end - begin < 4) continue;
        bytes_put_u32(bytes + end - 4, checksum_crc32(slice_make(bytes + begin, end - begin - 4)));
    }
}

void fuzz_sstable_fix(struct slice files[SSTABLE_COMPONENT_COUNT], struct arena *arena)
{
    if (slice_is_null(files[SSTABLE_COMPRESSION_INFO]))
        fix_plain(files, arena);
    else
        fix_chunks(files, arena);
    fix_statistics(&files[SSTABLE_STATISTICS], arena);
}
