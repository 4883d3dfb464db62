#include "cql/statement/statement.h"

#include "base/assert.h"
#include "base/limits.h"
#include "cql/parser/parser.h"
#include "cql/statement/plan.h"
#include "cql/system/table_figures.h"

#include <stdlib.h>

enum { STATEMENT_ARENA_BLOCK_SIZE = 2048, TABLES_MAX = 64 };

static struct statement *statement_create(void)
{
    struct statement *statement = calloc(1, sizeof *statement);
    ASSERT(statement != NULL);
    statement->references = 1;
    arena_init(&statement->arena, STATEMENT_ARENA_BLOCK_SIZE);
    return statement;
}

void statement_ref(struct statement *statement)
{
    statement->references++;
}

void statement_unref(struct statement *statement)
{
    if (statement == NULL) return;
    ASSERT(statement->references > 0);
    if (--statement->references > 0) return;
    for (size_t i = 0; i < statement->table_count; i++)
        table_unref(statement->tables[i]);
    arena_deinit(&statement->arena);
    free(statement);
}

static bool statement_same_key(const struct table *a, const struct table *b)
{
    uint16_t count = a->column_counts[COLUMN_PARTITION_KEY];
    if (count != b->column_counts[COLUMN_PARTITION_KEY]) return false;
    for (uint16_t i = 0; i < count; i++) {
        const struct column *left = &a->columns[COLUMN_PARTITION_KEY][i];
        const struct column *right = &b->columns[COLUMN_PARTITION_KEY][i];
        if (!slice_equals(left->name, right->name) || !type_equals(left->type, right->type))
            return false;
    }
    return true;
}

static bool statement_same_indexes(const struct table *a, const struct table *b)
{
    if (a->index_count != b->index_count) return false;
    for (size_t i = 0; i < a->index_count; i++)
        if (!uuid_equals(a->indexes[i].id, b->indexes[i].id)) return false;
    return true;
}

static const struct table *statement_present_table(const struct query_processor *processor,
                                                   const struct table *table)
{
    return analysis_lookup_table(processor, table->keyspace, table->name);
}

bool statement_is_stale(const struct statement *statement, const struct query_processor *processor)
{
    for (size_t i = 0; i < statement->table_count; i++) {
        const struct table *table = statement->tables[i];
        if (table->is_virtual) continue;
        const struct table *present = statement_present_table(processor, table);
        if (present == table) continue;
        if (present == NULL || !uuid_equals(present->id, table->id) ||
            present->layout_hash != table->layout_hash || !statement_same_key(present, table) ||
            !statement_same_indexes(present, table))
            return true;
    }
    return false;
}

bool statement_is_outdated(const struct statement *statement,
                           const struct query_processor *processor)
{
    for (size_t i = 0; i < statement->table_count; i++) {
        const struct table *table = statement->tables[i];
        if (!table->is_virtual && statement_present_table(processor, table) != table) return true;
    }
    return false;
}

// ---- What a client learns from PREPARE ----------------------------------------------------------

static void statement_add_table(struct statement *statement, const struct table *table)
{
    for (size_t i = 0; i < statement->table_count; i++)
        if (statement->tables[i] == table) return;
    table_ref(table);
    statement->tables[statement->table_count++] = table;
}

// A batch may name as many tables as it has parts.
static void statement_add_tables(struct statement *statement)
{
    struct statement_plan *plan = statement->plan;
    size_t room = statement->kind == STATEMENT_BATCH ? plan->batch.part_count : 1;
    statement->tables = ARENA_NEW_ARRAY(&statement->arena, const struct table *, room + 1);
    switch (statement->kind) {
    case STATEMENT_SELECT:
        statement_add_table(statement, plan->select.table);
        break;
    case STATEMENT_MODIFICATION:
        statement_add_table(statement, plan->modification.table);
        break;
    case STATEMENT_TRUNCATE:
        statement_add_table(statement, plan->truncate);
        break;
    case STATEMENT_BATCH:
        for (size_t i = 0; i < plan->batch.part_count; i++)
            statement_add_table(statement, plan->batch.parts[i]->table);
        break;
    default:
        break;
    }
}

// For each column of the partition key the last marker that is for it; none unless all have one.
static void statement_find_key_markers(struct statement *statement, const struct analysis *analysis)
{
    const struct table *table = analysis->table;
    if (table == NULL || statement->table_count != 1) return;
    uint16_t count = table->column_counts[COLUMN_PARTITION_KEY];
    uint16_t *markers = ARENA_NEW_ARRAY(&statement->arena, uint16_t, count);
    for (uint16_t i = 0; i < count; i++) {
        const struct column *column = &table->columns[COLUMN_PARTITION_KEY][i];
        bool found = false;
        for (uint16_t k = 0; k < statement->marker_count; k++) {
            if (!slice_equals(analysis->marker_columns[k], column->name) ||
                statement->markers[k].type != column->type)
                continue;
            markers[i] = k;
            found = true;
        }
        if (!found) return;
    }
    statement->partition_key_markers = markers;
    statement->partition_key_marker_count = count;
}

// ---- Kinds --------------------------------------------------------------------------------------

static bool statement_prepare_truncate(struct analysis *analysis,
                                       const struct cql_statement_ast *ast,
                                       struct statement_plan *plan)
{
    plan->truncate = analysis_find_table(analysis, &ast->truncate);
    analysis->table = plan->truncate;
    return plan->truncate != NULL;
}

// The name whose keyspace a schema statement is about; NULL when it is about a keyspace itself.
static const struct cql_qualified_name *statement_schema_name(const struct cql_statement_ast *ast)
{
    switch (ast->kind) {
    case CQL_AST_CREATE_TABLE:
        return &ast->create_table.table;
    case CQL_AST_ALTER_TABLE:
        return &ast->alter_table.table;
    case CQL_AST_DROP_TABLE:
    case CQL_AST_DROP_TYPE:
    case CQL_AST_DROP_INDEX:
    case CQL_AST_DROP_VIEW:
        return &ast->drop.name;
    case CQL_AST_CREATE_TYPE:
        return &ast->create_type.name;
    case CQL_AST_ALTER_TYPE:
        return &ast->alter_type.name;
    case CQL_AST_CREATE_INDEX:
        return &ast->create_index.table;
    case CQL_AST_CREATE_VIEW:
        return &ast->create_view.name;
    case CQL_AST_ALTER_VIEW:
        return &ast->alter_view.name;
    case CQL_AST_CREATE_FUNCTION:
        return &ast->create_function.name;
    case CQL_AST_CREATE_AGGREGATE:
        return &ast->create_aggregate.name;
    case CQL_AST_DROP_FUNCTION:
    case CQL_AST_DROP_AGGREGATE:
        return &ast->drop_function.name;
    case CQL_AST_CREATE_TRIGGER:
    case CQL_AST_DROP_TRIGGER:
        return &ast->trigger.table;
    default:
        return NULL;
    }
}

static bool statement_prepare_schema(struct analysis *analysis, struct statement *statement,
                                     const struct cql_statement_ast *ast)
{
    const struct cql_qualified_name *name = statement_schema_name(ast);
    if (name == NULL) return true;
    if (!analysis_keyspace_of(analysis, name, &statement->keyspace)) return false;
    statement->table = name->name;
    return true;
}

static bool statement_prepare_kind(struct analysis *analysis, struct statement *statement,
                                   const struct cql_statement_ast *ast)
{
    struct statement_plan *plan = statement->plan;
    switch (ast->kind) {
    case CQL_AST_SELECT:
        statement->kind = STATEMENT_SELECT;
        return select_analysis_prepare(analysis, &ast->select, &plan->select);
    case CQL_AST_INSERT:
        statement->kind = STATEMENT_MODIFICATION;
        return modification_analysis_insert(analysis, &ast->insert, &plan->modification);
    case CQL_AST_UPDATE:
        statement->kind = STATEMENT_MODIFICATION;
        return modification_analysis_update(analysis, &ast->update, &plan->modification);
    case CQL_AST_DELETE:
        statement->kind = STATEMENT_MODIFICATION;
        return modification_analysis_delete(analysis, &ast->delete_, &plan->modification);
    case CQL_AST_BATCH:
        statement->kind = STATEMENT_BATCH;
        return batch_analysis_prepare(analysis, &ast->batch, &plan->batch);
    case CQL_AST_USE:
        statement->kind = STATEMENT_USE;
        return true;
    case CQL_AST_TRUNCATE:
        statement->kind = STATEMENT_TRUNCATE;
        return statement_prepare_truncate(analysis, ast, plan);
    case CQL_AST_DESCRIBE:
        statement->kind = STATEMENT_DESCRIBE;
        return true;
    default:
        break;
    }
    if (ast->kind >= CQL_AST_CREATE_ROLE && ast->kind <= CQL_AST_DROP_IDENTITY) {
        statement->kind = STATEMENT_ROLE;
        analysis->has_unqualified_names = true; // GRANT … ON t: another one in each keyspace.
        return true;
    }
    statement->kind = STATEMENT_SCHEMA;
    return statement_prepare_schema(analysis, statement, ast);
}

static bool statement_analyse(struct query_processor *processor, struct statement *statement,
                              struct slice text, struct slice keyspace, struct cql_error *error)
{
    struct arena *arena = &statement->arena;
    const struct cql_statement_ast *ast;
    text = statement->text = arena_copy(arena, text);
    statement->current_keyspace = arena_copy(arena, keyspace);
    if (!cql_parse(text, arena, &ast, error)) return false;
    struct column_spec *markers =
        ARENA_NEW_ARRAY(arena, struct column_spec, (size_t)ast->marker_count + 1);
    struct analysis analysis = {
        .processor = processor,
        .arena = arena,
        .keyspace = statement->current_keyspace,
        .markers = markers,
        .marker_columns = ARENA_NEW_ARRAY(arena, struct slice, (size_t)ast->marker_count + 1),
        .value_count = ast->marker_count,
        .error = error,
    };
    statement->plan = ARENA_NEW(arena, struct statement_plan);
    statement->plan->ast = ast;
    statement->plan->keyspace = analysis.keyspace;
    bool is_ok = statement_prepare_kind(&analysis, statement, ast);
    if (analysis.is_too_deep) return analysis_refuse_depth(&analysis);
    if (!is_ok) return false;
    statement->plan->json_inserts = analysis.json_inserts;
    statement->markers = markers;
    statement->marker_count = ast->marker_count;
    statement->names_keyspaces = !analysis.has_unqualified_names;
    statement_add_tables(statement);
    if (analysis.table != NULL) {
        statement->keyspace = analysis.table->keyspace;
        statement->table = analysis.table->name;
    }
    statement_find_key_markers(statement, &analysis);
    if (statement->kind == STATEMENT_SELECT) {
        statement->result_columns = statement->plan->select.selection.columns;
        statement->result_column_count = statement->plan->select.selection.column_count;
    }
    return true;
}

bool statement_prepare(struct query_processor *processor, struct slice text, struct slice keyspace,
                       struct statement **statement, struct cql_error *error)
{
    struct statement *made = statement_create();
    cql_error_clear(error);
    if (!statement_analyse(processor, made, text, keyspace, error)) {
        statement_unref(made);
        if (!cql_error_is_set(error))
            cql_error_set(error, CQL_ERROR_INVALID, "The type of a term is not known");
        return false;
    }
    bool is_counted = made->kind == STATEMENT_SELECT || made->kind == STATEMENT_MODIFICATION;
    if (processor->figures != NULL && is_counted && made->table_count > 0 &&
        !made->tables[0]->is_virtual)
        made->figures = table_figures_of(processor->figures, made->tables[0]->id);
    *statement = made;
    return true;
}
