#include "cql/statement/json_insert.h"

#include "cql/statement/json_value.h"

size_t json_insert_column_count(const struct table *table)
{
    size_t count = 0;
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        count += table->column_counts[kind];
    return count;
}

// ---- A literal ----------------------------------------------------------------------------------

static bool json_insert_prepare_literal(struct analysis *analysis, const struct cql_insert *insert,
                                        const struct term **terms)
{
    const struct table *table = analysis->table;
    struct bound_value *values =
        ARENA_NEW_ARRAY(analysis->arena, struct bound_value, json_insert_column_count(table));
    if (!json_value_read_columns(analysis->processor, table, insert->json->value, analysis->arena,
                                 values, analysis->error))
        return false;
    size_t at = 0;
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        for (uint16_t i = 0; i < table->column_counts[kind]; i++, at++) {
            const struct column *column = &table->columns[kind][i];
            bool is_left = values[at].unset && insert->json_default_unset;
            if (is_left && kind < COLUMN_STATIC)
                return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                     "Invalid unset value for column %.*s",
                                     SLICE_TEXT(column->name));
            terms[at] = is_left
                            ? NULL
                            : term_make_constant(analysis->arena, column->type, values[at].bytes);
        }
    return true;
}

// ---- A marker -----------------------------------------------------------------------------------

static bool json_insert_prepare_marker(struct analysis *analysis, const struct cql_insert *insert,
                                       const struct term **terms)
{
    const struct table *table = analysis->table;
    struct column_spec spec = {table->keyspace, table->name, slice_of_text("[json]"),
                               type_of_kind(TYPE_TEXT)};
    const struct term *text;
    if (!term_prepare(analysis, insert->json, &spec, &text)) return false;
    size_t count = json_insert_column_count(table);
    if (analysis->value_count + count > UINT16_MAX)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID, "Too many columns in batch");
    struct json_insert *made = ARENA_NEW(analysis->arena, struct json_insert);
    *made = (struct json_insert){table, text->marker, (uint16_t)analysis->value_count,
                                 insert->json_default_unset, analysis->json_inserts};
    analysis->json_inserts = made;
    analysis->value_count += count;
    size_t at = 0;
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        for (uint16_t i = 0; i < table->column_counts[kind]; i++, at++) {
            struct term *term = ARENA_NEW(analysis->arena, struct term);
            *term = (struct term){.kind = TERM_MARKER,
                                  .type = table->columns[kind][i].type,
                                  .marker = (uint16_t)(made->first + at)};
            terms[at] = term;
        }
    return true;
}

bool json_insert_prepare(struct analysis *analysis, const struct cql_insert *insert,
                         const struct term **terms)
{
    return insert->json->kind == CQL_TERM_MARKER
               ? json_insert_prepare_marker(analysis, insert, terms)
               : json_insert_prepare_literal(analysis, insert, terms);
}

static bool json_insert_bind_text(const struct json_insert *insert, const struct binding *binding,
                                  const struct bound_value *given, struct bound_value *values)
{
    // What is unset is read as Cassandra reads it: as a text without anything.
    struct slice text = given->unset ? slice_of_text("") : given->bytes;
    if (slice_is_null(text))
        return cql_error_set(binding->error, CQL_ERROR_INVALID, "Got null for INSERT JSON values");
    struct error error;
    if (type_validate(type_of_kind(TYPE_TEXT), text, &error) != STATUS_OK)
        return cql_error_set(binding->error, CQL_ERROR_INVALID, "%s", error.text);
    if (!json_value_read_columns(binding->processor, insert->table, text, binding->arena, values,
                                 binding->error))
        return false;
    size_t count = json_insert_column_count(insert->table);
    for (size_t i = 0; i < count && !insert->default_unset; i++)
        values[i].unset = false;
    return true;
}

bool json_insert_bind(const struct json_insert *inserts, uint16_t marker_count,
                      struct binding *binding)
{
    // The newest is the one furthest behind.
    size_t count = inserts->first + json_insert_column_count(inserts->table);
    struct bound_value *values = ARENA_NEW_ARRAY(binding->arena, struct bound_value, count);
    memcpy(values, binding->values, marker_count * sizeof *values);
    for (const struct json_insert *at = inserts; at != NULL; at = at->next)
        if (!json_insert_bind_text(at, binding, &values[at->marker], &values[at->first]))
            return false;
    binding->values = values;
    return true;
}
