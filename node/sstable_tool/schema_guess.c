#include "node/sstable_tool/schema_guess.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "storage/schema/cql_name.h"
#include "storage/sstable/file_reader.h"
#include "storage/value.h"
#include "storage/value/real.h"

#include <stdlib.h>

enum { UDTS_MAX = 256, CHUNK_SIZE_USUAL = 16 * 1024 };
#define FILTER_CHANCE_USUAL 0.01

struct udts {
    const struct type *items[UDTS_MAX];
    size_t count;
};

void schema_guess_init(struct schema_guess *guess, struct arena *arena)
{
    *guess = (struct schema_guess){.arena = arena, .filter_chance = FILTER_CHANCE_USUAL};
}

void schema_guess_deinit(struct schema_guess *guess)
{
    table_unref(guess->table);
}

// utf class, i32 n, n × { utf key, utf value }, i32 chunk length
enum status schema_guess_options(struct schema_guess *guess, struct tool_sstable *sstable,
                                 struct error *error)
{
    if (sstable->statistics.has_validation)
        guess->filter_chance = sstable->statistics.filter_chance;
    char path[SSTABLE_PATH_SIZE];
    tool_input_path(path, sstable->input, SSTABLE_COMPRESSION_INFO);
    struct slice file;
    enum status status =
        file_reader_read_file(sstable->env, path, COMPONENT_SIZE_MAX, &file, error);
    if (status == STATUS_NOT_FOUND) return STATUS_OK;
    if (status != STATUS_OK) return status;
    struct cursor cursor = cursor_make(file);
    struct slice name = cursor_take(&cursor, cursor_u16(&cursor));
    uint32_t count = cursor_u32(&cursor);
    for (uint32_t i = 0; i < count && !cursor.failed; i++) {
        (void)cursor_take(&cursor, cursor_u16(&cursor));
        (void)cursor_take(&cursor, cursor_u16(&cursor));
    }
    guess->chunk_size = cursor_u32(&cursor);
    if (cursor.failed)
        status = error_set(error, STATUS_CORRUPT, "%s: offset %zu: the file ends", path, file.size);
    else
        guess->compressor =
            arena_format(guess->arena, "%.*s", (int)name.size, (const char *)name.data);
    free((void *)file.data);
    return status;
}

// ---- UDTs ---------------------------------------------------------------------------------------

// Those inside first, each once. Not frozen is better: within a frozen one all is frozen.
static void gather(struct udts *udts, const struct type *type)
{
    for (uint16_t i = 0; i < type->parameter_count; i++)
        gather(udts, type->parameters[i]);
    if (type->kind != TYPE_UDT) return;
    for (size_t i = 0; i < udts->count; i++) {
        if (!slice_equals(udts->items[i]->name, type->name)) continue;
        if (!type->frozen || type->parameter_count > udts->items[i]->parameter_count)
            udts->items[i] = type;
        return;
    }
    if (udts->count < UDTS_MAX) udts->items[udts->count++] = type;
}

static void gather_of_table(struct udts *udts, const struct table *table)
{
    udts->count = 0;
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        for (uint16_t i = 0; i < table->column_counts[kind]; i++)
            gather(udts, table->columns[kind][i].type);
}

struct slice schema_guess_udt_keyspace(const struct header *header)
{
    struct udts udts = {.count = 0};
    for (int kind = 0; kind < ROWS_KIND_COUNT; kind++)
        for (size_t i = 0; i < header->columns[kind].count; i++)
            gather(&udts, header->columns[kind].items[i].type);
    return udts.count > 0 ? udts.items[0]->keyspace : slice_null();
}

// ---- The text -----------------------------------------------------------------------------------

static void put(struct buffer *text, const char *literal)
{
    buffer_put(text, literal, strlen(literal));
}

static void put_type(const struct table *table, const struct type *udt, struct buffer *text)
{
    put(text, "CREATE TYPE ");
    cql_name_put(table->keyspace, text);
    put(text, ".");
    cql_name_put(udt->name, text);
    put(text, " (");
    for (uint16_t i = 0; i < udt->parameter_count; i++) {
        put(text, i == 0 ? "\n    " : ",\n    ");
        cql_name_put(udt->field_names[i], text);
        put(text, " ");
        type_put_cql(udt->parameters[i], text);
    }
    put(text, "\n);\n\n");
}

static void put_names(const struct table *table, enum column_kind kind, const char *before,
                      struct buffer *text)
{
    for (uint16_t i = 0; i < table->column_counts[kind]; i++) {
        put(text, i == 0 ? before : ", ");
        cql_name_put(table->columns[kind][i].name, text);
    }
}

static void put_columns(const struct table *table, struct buffer *text)
{
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++) {
        for (uint16_t i = 0; i < table->column_counts[kind]; i++) {
            put(text, "\n    ");
            cql_name_put(table->columns[kind][i].name, text);
            put(text, " ");
            type_put_cql(table->columns[kind][i].type, text);
            put(text, kind == COLUMN_STATIC ? " static," : ",");
        }
    }
    put(text, "\n    PRIMARY KEY (");
    bool is_one = table->column_counts[COLUMN_PARTITION_KEY] == 1;
    put_names(table, COLUMN_PARTITION_KEY, is_one ? "" : "(", text);
    if (!is_one) put(text, ")");
    put_names(table, COLUMN_CLUSTERING, ", ", text);
    put(text, ")\n)");
}

// Before each option: WITH once, then AND.
static void put_and(bool *has_option, struct buffer *text)
{
    put(text, *has_option ? "\n    AND " : " WITH ");
    *has_option = true;
}

static void put_order(const struct table *table, bool *has_option, struct buffer *text)
{
    bool is_reversed = false;
    for (uint16_t i = 0; i < table->column_counts[COLUMN_CLUSTERING]; i++)
        is_reversed = is_reversed || table->columns[COLUMN_CLUSTERING][i].reversed;
    if (!is_reversed) return;
    put_and(has_option, text);
    put(text, "CLUSTERING ORDER BY (");
    for (uint16_t i = 0; i < table->column_counts[COLUMN_CLUSTERING]; i++) {
        if (i > 0) put(text, ", ");
        cql_name_put(table->columns[COLUMN_CLUSTERING][i].name, text);
        put(text, table->columns[COLUMN_CLUSTERING][i].reversed ? " DESC" : " ASC");
    }
    put(text, ")");
}

static void put_options(const struct schema_guess *guess, struct buffer *text)
{
    bool has_option = false;
    if (guess->has_id) {
        char id[UUID_TEXT_SIZE];
        uuid_format(guess->id, id);
        put_and(&has_option, text);
        buffer_put_format(text, "ID = %s", id);
    }
    put_order(guess->table, &has_option, text);
    if (guess->filter_chance != FILTER_CHANCE_USUAL) {
        put_and(&has_option, text);
        put(text, "bloom_filter_fp_chance = ");
        real_put_double(guess->filter_chance, text);
    }
    if (guess->compressor == NULL) {
        put_and(&has_option, text);
        put(text, "compression = {'enabled': 'false'}");
    } else if (strcmp(guess->compressor, "LZ4Compressor") != 0 ||
               guess->chunk_size != CHUNK_SIZE_USUAL) {
        put_and(&has_option, text);
        buffer_put_format(text, "compression = {'class': '%s', 'chunk_length_in_kb': '%u'}",
                          guess->compressor, guess->chunk_size / 1024);
    }
}

void schema_guess_put(const struct schema_guess *guess, struct buffer *text)
{
    const struct table *table = guess->table;
    struct udts udts;
    gather_of_table(&udts, table);
    for (size_t i = 0; i < udts.count; i++)
        put_type(table, udts.items[i], text);
    put(text, "CREATE TABLE ");
    cql_name_put(table->keyspace, text);
    put(text, ".");
    cql_name_put(table->name, text);
    put(text, " (");
    put_columns(table, text);
    put_options(guess, text);
    put(text, ";\n");
}

// ---- JSON ---------------------------------------------------------------------------------------

static void put_json_text(struct buffer *text, struct slice string)
{
    value_put_json(type_of_kind(TYPE_TEXT), string, text);
}

static void put_json_type(struct buffer *text, const struct type *type)
{
    struct buffer name;
    buffer_init(&name, COMPONENT_SIZE_MAX);
    type_put_cql(type, &name);
    put_json_text(text, buffer_slice(&name));
    buffer_deinit(&name);
}

void schema_guess_put_json(const struct schema_guess *guess, struct buffer *text)
{
    static const char *const kinds[] = {"partition_key", "clustering", "static", "regular"};
    const struct table *table = guess->table;
    put(text, "{\"keyspace\": ");
    put_json_text(text, table->keyspace);
    put(text, ", \"table\": ");
    put_json_text(text, table->name);
    put(text, ", \"columns\": [");
    bool is_first = true;
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++) {
        for (uint16_t i = 0; i < table->column_counts[kind]; i++) {
            const struct column *column = &table->columns[kind][i];
            put(text, is_first ? "{\"name\": " : ", {\"name\": ");
            is_first = false;
            put_json_text(text, column->name);
            buffer_put_format(text, ", \"kind\": \"%s\", \"type\": ", kinds[kind]);
            put_json_type(text, column->type);
            put(text, column->reversed ? ", \"order\": \"DESC\"}" : "}");
        }
    }
    put(text, "], \"cql\": ");
    struct buffer cql;
    buffer_init(&cql, COMPONENT_SIZE_MAX);
    schema_guess_put(guess, &cql);
    put_json_text(text, buffer_slice(&cql));
    buffer_deinit(&cql);
    put(text, "}\n");
}
