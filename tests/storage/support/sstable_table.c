#include "tests/storage/support/sstable_table.h"

#include "base/cursor.h"
#include "storage/sstable/compression.h"
#include "storage/sstable/file_reader.h"
#include "storage/sstable/statistics.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct slice read_component(struct env *env, const char *directory,
                                   const struct sstable_name *name,
                                   enum sstable_component component)
{
    char path[SSTABLE_PATH_SIZE];
    sstable_name_path(path, directory, name, component);
    struct slice bytes;
    if (file_reader_read_file(env, path, COMPONENT_SIZE_MAX, &bytes, NULL) != STATUS_OK)
        return slice_null();
    return bytes;
}

static void read_header(struct env *env, const char *directory, const struct sstable_name *name,
                        struct header *header, struct arena *arena)
{
    struct slice file = read_component(env, directory, name, SSTABLE_STATISTICS);
    ck_assert_ptr_nonnull(file.data);
    struct statistics_summary summary;
    struct error error = {0};
    enum status status = statistics_decode(file, name->version, arena, &summary, header, &error);
    ck_assert_msg(status == STATUS_OK, "%s: %s", directory, error.text);
    free((void *)file.data);
}

void sstable_table_read_header(struct env *env, const char *directory, uint64_t generation,
                               struct header *header, struct arena *arena)
{
    struct sstable_name name = sstable_name_of(SSTABLE_NB, generation);
    read_header(env, directory, &name, header, arena);
}

struct sstable_name sstable_table_find(const char *directory)
{
    struct sstable_name name = {0};
    DIR *files = opendir(directory);
    ck_assert_msg(files != NULL, "%s", directory);
    size_t count = 0;
    for (struct dirent *file; (file = readdir(files)) != NULL;) {
        struct sstable_name found;
        enum sstable_component component;
        if (sstable_name_parse(file->d_name, &found, &component, NULL) != STATUS_OK ||
            component != SSTABLE_DATA)
            continue;
        name = found;
        count++;
    }
    closedir(files);
    ck_assert_uint_eq(count, 1);
    return name;
}

static void add_column(struct table_builder *builder, const char *name, struct slice type_text,
                       enum column_kind kind)
{
    const struct type *type;
    bool reversed;
    struct error error = {0};
    enum status status =
        type_parse_java(table_builder_arena(builder), type_text, &type, &reversed, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    table_builder_add_column(builder, slice_of_text(name), type, kind, reversed);
}

// Names of key columns: the caller's, or "k0", "c1".
struct key_names {
    const char *const *next; // Null: there are none.
    char made[16];
};

static const char *name_of_key(struct key_names *names, char kind, size_t index)
{
    if (names->next != NULL) return *names->next++;
    snprintf(names->made, sizeof names->made, "%c%u", kind, (unsigned)(index & 0xffff));
    return names->made;
}

// CompositeType(A,B,…) or one type.
static void add_key(struct table_builder *builder, struct slice text, struct key_names *names)
{
    static const char prefix[] = "org.apache.cassandra.db.marshal.CompositeType(";
    size_t size = sizeof prefix - 1;
    if (text.size <= size || memcmp(text.data, prefix, size) != 0) {
        add_column(builder, name_of_key(names, 'k', 0), text, COLUMN_PARTITION_KEY);
        return;
    }
    size_t start = size, depth = 0;
    unsigned count = 0;
    for (size_t i = size; i < text.size; i++) {
        uint8_t c = text.data[i];
        if ((c == ',' || c == ')') && depth == 0) {
            add_column(builder, name_of_key(names, 'k', count++),
                       slice_make(text.data + start, i - start), COLUMN_PARTITION_KEY);
            start = i + 1;
        }
        if (c == '(') depth++;
        if (c == ')' && depth > 0) depth--;
    }
}

static void set_compression(struct env *env, const char *directory, const struct sstable_name *name,
                            struct table_builder *builder)
{
    struct slice file = read_component(env, directory, name, SSTABLE_COMPRESSION_INFO);
    struct arena *arena = table_builder_arena(builder);
    struct option *items = ARENA_NEW_ARRAY(arena, struct option, 2);
    struct options *options = &table_builder_params(builder)->compression;
    *options = (struct options){items, 1};
    if (file.data == NULL) {
        items[0] = (struct option){slice_of_text("enabled"), slice_of_text("false")};
        return;
    }
    struct compression_info info;
    struct error error = {0};
    enum status status = compression_info_decode(&info, file, arena, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    const char *size = arena_format(arena, "%u", info.compression.chunk_size / 1024);
    items[0] = (struct option){slice_of_text("chunk_length_in_kb"), slice_of_text(size)};
    if (info.compression.max_compressed_size != INT32_MAX) {
        const char *ratio = arena_format(arena, "%.17g",
                                         (double)info.compression.chunk_size /
                                             (double)info.compression.max_compressed_size);
        items[1] = (struct option){slice_of_text("min_compress_ratio"), slice_of_text(ratio)};
        options->count = 2;
    }
    free((void *)file.data);
}

// VALIDATION comes first: u16 length and name of the partitioner, f64 chance.
static double filter_chance(struct env *env, const char *directory, const struct sstable_name *name)
{
    struct slice file = read_component(env, directory, name, SSTABLE_STATISTICS);
    ck_assert(file.size > 0x2c + 2);
    struct cursor cursor = cursor_make(slice_make(file.data + 0x2c, file.size - 0x2c));
    (void)cursor_take(&cursor, cursor_u16(&cursor));
    double chance = cursor_f64(&cursor);
    free((void *)file.data);
    return chance;
}

const struct table *sstable_table_of_files(struct env *env, const char *directory,
                                           uint64_t generation)
{
    return sstable_table_with_keys(env, directory, generation, NULL);
}

const struct table *sstable_table_with_keys(struct env *env, const char *directory,
                                            uint64_t generation, const char *const *key_names)
{
    struct sstable_name name = sstable_name_of(SSTABLE_NB, generation);
    return sstable_table_named(env, directory, &name, key_names);
}

const struct table *sstable_table_named(struct env *env, const char *directory,
                                        const struct sstable_name *name,
                                        const char *const *key_names)
{
    struct key_names names = {.next = key_names};
    struct arena arena;
    arena_init(&arena, KIB);
    struct header header;
    read_header(env, directory, name, &header, &arena);
    struct uuid id = {{1}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("t"), id);
    add_key(builder, header.key_type, &names);
    for (size_t i = 0; i < header.clustering_count; i++)
        add_column(builder, name_of_key(&names, 'c', i), header.clustering_types[i],
                   COLUMN_CLUSTERING);
    bool is_counter = false;
    for (int kind = 0; kind < ROWS_KIND_COUNT; kind++) {
        for (size_t i = 0; i < header.columns[kind].count; i++) {
            const struct header_column *column = &header.columns[kind].items[i];
            if (column->type->kind == TYPE_COUNTER) is_counter = true;
            table_builder_add_column(builder, column->name, column->type,
                                     kind == ROWS_STATIC ? COLUMN_STATIC : COLUMN_REGULAR, false);
        }
    }
    table_builder_set_counter(builder, is_counter);
    set_compression(env, directory, name, builder);
    table_builder_params(builder)->bloom_filter_fp_chance = filter_chance(env, directory, name);
    const struct table *table = table_builder_finish(builder);
    arena_deinit(&arena);
    return table;
}

void sstable_table_content(const struct table *table, const struct header *header,
                           uint64_t partition_count, struct sstable_content *content)
{
    *content = (struct sstable_content){
        .min_timestamp = header->min_timestamp,
        .min_local_time = header->min_local_time,
        .min_ttl = header->min_ttl,
        .partition_count = partition_count,
    };
    for (uint16_t i = 0; i < table->column_counts[COLUMN_STATIC]; i++)
        content->static_columns[i / 64] |= (uint64_t)1 << (i % 64);
    for (uint16_t i = 0; i < table->column_counts[COLUMN_REGULAR]; i++)
        content->regular_columns[i / 64] |= (uint64_t)1 << (i % 64);
}

const char *sstable_table_golden(void)
{
    static const char path[] = "tests/golden";
    ck_assert_msg(access(path, R_OK) == 0, "no %s: run from the project's root", path);
    return path;
}

void sstable_table_make_directory(char path[static 64])
{
    snprintf(path, 64, "/tmp/helenus-sstable-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
}

void sstable_table_remove_directory(const char *path)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    ck_assert_int_eq(system(command), 0);
}
