// INSERT, UPDATE and DELETE bound to their table (org.apache.cassandra.cql3.statements
// .ModificationStatement.Parsed, org.apache.cassandra.cql3.Operation).
#include "base/limits.h"
#include "cql/statement/plan.h"
#include "cql/system/system_definitions.h"

static bool modification_refuse(struct analysis *analysis, const char *text)
{
    return cql_error_set(analysis->error, CQL_ERROR_INVALID, "%s", text);
}

static bool modification_find_table(struct analysis *analysis,
                                    const struct cql_qualified_name *name,
                                    struct modification_plan *plan)
{
    plan->table = analysis_find_table(analysis, name);
    if (plan->table == NULL) return false;
    analysis->table = plan->table;
    return true;
}

// Found last, since Cassandra only finds it when it executes. What is stored of the
// system's own is the node's to write.
static bool modification_check_stored(struct analysis *analysis,
                                      const struct modification_plan *plan)
{
    return (!plan->table->is_virtual && !system_definitions_has_keyspace(plan->table->keyspace)) ||
           cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "Modification is not supported by table %.*s.%.*s",
                         SLICE_TEXT(plan->table->keyspace), SLICE_TEXT(plan->table->name));
}

// ---- USING and IF -------------------------------------------------------------------------------

static bool modification_prepare_using(struct analysis *analysis, const struct cql_using *using,
                                       struct modification_plan *plan)
{
    struct column_spec spec = {plan->table->keyspace, plan->table->name,
                               slice_of_text("[timestamp]"), type_of_kind(TYPE_BIGINT)};
    if (using->timestamp != NULL &&
        !term_prepare(analysis, using->timestamp, &spec, &plan->timestamp))
        return false;
    spec.name = slice_of_text("[ttl]");
    spec.type = type_of_kind(TYPE_INT);
    return using->ttl == NULL || term_prepare(analysis, using->ttl, &spec, &plan->ttl);
}

static bool modification_has_conditions(const struct cql_conditions *conditions)
{
    return conditions->if_exists || conditions->if_not_exists || conditions->conditions.count > 0;
}

static bool modification_prepare_conditions(struct analysis *analysis,
                                            const struct cql_conditions *conditions,
                                            struct modification_plan *plan)
{
    plan->is_conditional = modification_has_conditions(conditions);
    plan->if_exists = conditions->if_exists;
    plan->if_not_exists = conditions->if_not_exists;
    size_t count = conditions->conditions.count;
    struct condition *made = ARENA_NEW_ARRAY(analysis->arena, struct condition, count + 1);
    for (size_t i = 0; i < count; i++)
        if (!condition_prepare(analysis, &conditions->conditions.items[i], &made[i])) return false;
    plan->conditions = made;
    plan->condition_count = count;
    return true;
}

// Some condition is on a regular column: then a row has to be named, whatever is changed.
static bool modification_asks_row(const struct modification_plan *plan)
{
    for (size_t i = 0; i < plan->condition_count; i++)
        if (plan->conditions[i].column->kind == COLUMN_REGULAR) return true;
    return false;
}

static bool modification_check_conditions(struct analysis *analysis, struct modification_plan *plan)
{
    if (!plan->is_conditional) return true;
    if (plan->table->is_counter)
        return modification_refuse(analysis,
                                   "Conditional updates are not supported on counter tables");
    if (plan->timestamp != NULL)
        return modification_refuse(analysis,
                                   "Cannot provide custom timestamp for conditional updates");
    plan->is_of_static_row = !plan->changes_rows && !modification_asks_row(plan);
    return true;
}

// ModificationStatement.validate(): behind all else, also behind what is wrong with a batch.
static bool modification_validate(struct analysis *analysis, const struct modification_plan *plan)
{
    if (!plan->table->is_counter) return true;
    if (plan->timestamp != NULL)
        return modification_refuse(analysis, "Cannot provide custom timestamp for counter updates");
    if (plan->ttl != NULL)
        return modification_refuse(analysis, "Cannot provide custom TTL for counter updates");
    return true;
}

// ---- Operations ---------------------------------------------------------------------------------

static struct column_spec modification_part_spec(struct analysis *analysis, const char *part,
                                                 const struct column *column,
                                                 const struct type *type)
{
    struct column_spec spec = analysis_spec_of_column(analysis->table, column);
    spec.name =
        slice_of_text(arena_format(analysis->arena, "%s(%.*s)", part, SLICE_TEXT(column->name)));
    spec.type = type;
    return spec;
}

static bool modification_prepare_value(struct analysis *analysis, const struct column *column,
                                       const struct cql_term *raw, struct operation *operation)
{
    struct column_spec spec = analysis_spec_of_column(analysis->table, column);
    return term_prepare(analysis, raw, &spec, &operation->value);
}

static bool modification_prepare_set(struct analysis *analysis, const struct column *column,
                                     const struct cql_term *raw, struct operation *operation)
{
    if (!modification_prepare_value(analysis, column, raw, operation)) return false;
    // Elsewhere a tuple may stand for a user type; here Cassandra stumbles over it.
    if (column->type->kind == TYPE_UDT && raw->kind == CQL_TERM_TUPLE)
        return cql_error_set(analysis->error, CQL_ERROR_SERVER, "java.lang.ClassCastException");
    if (column->type->kind == TYPE_COUNTER)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot set the value of counter column %.*s (counters can only be "
                             "incremented/decremented, not set)",
                             SLICE_TEXT(column->name));
    operation->kind = type_is_multi_cell(column->type) ? OPERATION_SET_COLLECTION : OPERATION_SET;
    return true;
}

static bool modification_invalid_operation(struct analysis *analysis,
                                           const struct cql_assignment *assignment,
                                           const char *what)
{
    return cql_error_set(analysis->error, CQL_ERROR_INVALID, "Invalid operation (%s) for %s %.*s",
                         analysis_assignment_text(analysis, assignment), what,
                         SLICE_TEXT(assignment->column));
}

// A set or map operand may be of another type than the column; then the text says what it must be.
static bool modification_prepare_operand(struct analysis *analysis,
                                         const struct cql_assignment *assignment,
                                         const struct column *column, bool subtract,
                                         struct operation *operation)
{
    struct column_spec spec = analysis_spec_of_column(analysis->table, column);
    if (column->type->kind == TYPE_MAP && subtract)
        spec.type = type_make_set(analysis->arena, column->type->parameters[0], true);
    if (column->type->kind != TYPE_MAP)
        return term_prepare(analysis, assignment->value, &spec, &operation->value);
    // Whatever is wrong with it.
    struct cql_error *error = analysis_ignore_errors(analysis);
    bool is_ok = term_prepare(analysis, assignment->value, &spec, &operation->value);
    analysis->error = error;
    return is_ok || cql_error_set(error, CQL_ERROR_INVALID,
                                  "Value for a map %s has to be a %s, but was: '%s'",
                                  subtract ? "substraction" : "addition", subtract ? "set" : "map",
                                  analysis_term_text(analysis, assignment->value));
}

static bool modification_prepare_addition(struct analysis *analysis,
                                          const struct cql_assignment *assignment,
                                          const struct column *column, struct operation *operation)
{
    bool subtract = assignment->kind == CQL_ASSIGN_SUBTRACT;
    if (column->type->kind == TYPE_COUNTER) {
        operation->kind = OPERATION_INCREMENT;
        operation->negative = subtract;
        return modification_prepare_value(analysis, column, assignment->value, operation);
    }
    if (column->type->kind == TYPE_UDT || column->type->kind == TYPE_TUPLE)
        return modification_invalid_operation(analysis, assignment, "tuple column");
    if (!type_is_collection(column->type))
        return modification_invalid_operation(analysis, assignment, "non counter column");
    if (column->type->frozen)
        return modification_invalid_operation(analysis, assignment, "frozen collection column");
    operation->kind = subtract ? OPERATION_REMOVE : OPERATION_APPEND;
    return modification_prepare_operand(analysis, assignment, column, subtract, operation);
}

static bool modification_prepare_prepend(struct analysis *analysis,
                                         const struct cql_assignment *assignment,
                                         const struct column *column, struct operation *operation)
{
    if (!modification_prepare_value(analysis, column, assignment->value, operation)) return false;
    if (column->type->kind != TYPE_LIST)
        return modification_invalid_operation(analysis, assignment, "non list column");
    if (column->type->frozen)
        return modification_invalid_operation(analysis, assignment, "frozen list column");
    operation->kind = OPERATION_PREPEND;
    return true;
}

// The element of a list (its index), a map (its key) or a set (itself).
static bool modification_prepare_key(struct analysis *analysis, const struct column *column,
                                     const struct cql_term *raw, struct operation *operation)
{
    const struct type *type =
        column->type->kind == TYPE_LIST ? type_of_kind(TYPE_INT) : column->type->parameters[0];
    const char *part = column->type->kind == TYPE_LIST  ? "idx"
                       : column->type->kind == TYPE_MAP ? "key"
                                                        : "value";
    struct column_spec spec = modification_part_spec(analysis, part, column, type);
    return term_prepare(analysis, raw, &spec, &operation->key);
}

static bool modification_prepare_element(struct analysis *analysis,
                                         const struct cql_assignment *assignment,
                                         const struct column *column, struct operation *operation)
{
    const struct type *type = column->type;
    if (!type_is_collection(type))
        return modification_invalid_operation(analysis, assignment, "non collection column");
    if (type->frozen)
        return modification_invalid_operation(analysis, assignment, "frozen collection column");
    if (type->kind == TYPE_SET)
        return modification_invalid_operation(analysis, assignment, "set column");
    operation->kind = OPERATION_PUT_ELEMENT;
    if (!modification_prepare_key(analysis, column, assignment->element, operation)) return false;
    struct column_spec spec = modification_part_spec(
        analysis, "value", column, type->parameters[type->kind == TYPE_MAP ? 1 : 0]);
    return term_prepare(analysis, assignment->value, &spec, &operation->value);
}

// Puts where in the column the field is.
static bool modification_find_field(struct analysis *analysis, const struct column *column,
                                    struct slice field, struct operation *operation)
{
    int index = user_types_field(column->type, field);
    if (index < 0)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "UDT column %.*s does not have a field named %.*s",
                             SLICE_TEXT(column->name), SLICE_TEXT(field));
    operation->kind = OPERATION_PUT_FIELD;
    operation->field = (uint16_t)index;
    return true;
}

static bool modification_prepare_field(struct analysis *analysis,
                                       const struct cql_assignment *assignment,
                                       const struct column *column, struct operation *operation)
{
    if (column->type->kind != TYPE_UDT)
        return modification_invalid_operation(analysis, assignment, "non-UDT column");
    if (column->type->frozen)
        return modification_invalid_operation(analysis, assignment, "frozen UDT column");
    if (!modification_find_field(analysis, column, assignment->field, operation)) return false;
    struct column_spec spec = analysis_spec_of_column(analysis->table, column);
    spec = term_field_spec(analysis, &spec, operation->field);
    return term_prepare(analysis, assignment->value, &spec, &operation->value);
}

static bool modification_prepare_assignment(struct analysis *analysis,
                                            const struct cql_assignment *assignment,
                                            struct operation *operation)
{
    const struct column *column = analysis_find_column(analysis, assignment->column);
    if (column == NULL) return false;
    if (column->kind < COLUMN_STATIC)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "PRIMARY KEY part %.*s found in SET part", SLICE_TEXT(column->name));
    *operation = (struct operation){.column = column};
    switch (assignment->kind) {
    case CQL_ASSIGN:
        return modification_prepare_set(analysis, column, assignment->value, operation);
    case CQL_ASSIGN_ADD:
    case CQL_ASSIGN_SUBTRACT:
        return modification_prepare_addition(analysis, assignment, column, operation);
    case CQL_ASSIGN_PREPEND:
        return modification_prepare_prepend(analysis, assignment, column, operation);
    case CQL_ASSIGN_ELEMENT:
        return modification_prepare_element(analysis, assignment, column, operation);
    case CQL_ASSIGN_FIELD:
        return modification_prepare_field(analysis, assignment, column, operation);
    }
    return false;
}

static bool modification_prepare_field_deletion(struct analysis *analysis, struct slice field,
                                                struct operation *operation)
{
    const struct column *column = operation->column;
    if (column->type->kind != TYPE_UDT)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Invalid field deletion operation for non-UDT column %.*s",
                             SLICE_TEXT(column->name));
    if (column->type->frozen)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Frozen UDT column %.*s does not support field deletions",
                             SLICE_TEXT(column->name));
    return modification_find_field(analysis, column, field, operation);
}

static bool modification_prepare_deletion(struct analysis *analysis,
                                          const struct cql_deletion *deletion,
                                          struct operation *operation)
{
    const struct column *column = analysis_find_column(analysis, deletion->column);
    if (column == NULL) return false;
    struct cql_error *error = analysis->error;
    if (column->kind < COLUMN_STATIC)
        return cql_error_set(error, CQL_ERROR_INVALID,
                             "Invalid identifier %.*s for deletion (should not be a PRIMARY KEY "
                             "part)",
                             SLICE_TEXT(column->name));
    *operation = (struct operation){.kind = OPERATION_DELETE, .column = column};
    if (!slice_is_null(deletion->field))
        return modification_prepare_field_deletion(analysis, deletion->field, operation);
    if (deletion->element == NULL) return true;
    if (!type_is_collection(column->type))
        return cql_error_set(error, CQL_ERROR_INVALID,
                             "Invalid deletion operation for non collection column %.*s",
                             SLICE_TEXT(column->name));
    if (column->type->frozen)
        return cql_error_set(error, CQL_ERROR_INVALID,
                             "Invalid deletion operation for frozen collection column %.*s",
                             SLICE_TEXT(column->name));
    operation->kind = OPERATION_DELETE_ELEMENT;
    return modification_prepare_key(analysis, column, deletion->element, operation);
}

static bool modification_comes_before(const struct operation *a, const struct operation *b)
{
    if (a->column->kind != b->column->kind) return a->column->kind < b->column->kind;
    return a->column->index < b->column->index;
}

// Sorts so that cells come out in the order of a row, and sums up what the statement does.
static void modification_finish_operations(struct modification_plan *plan,
                                           struct operation *operations, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct operation moved = operations[i];
        size_t place = i;
        for (; place > 0 && modification_comes_before(&moved, &operations[place - 1]); place--)
            operations[place] = operations[place - 1];
        operations[place] = moved;
    }
    plan->operations = operations;
    plan->operation_count = count;
    for (size_t i = 0; i < count; i++) {
        const struct operation *operation = &operations[i];
        if (operation->column->kind == COLUMN_STATIC) plan->static_count++;
        if (operation->kind == OPERATION_INCREMENT) plan->is_increment = true;
        bool is_list = operation->column->type->kind == TYPE_LIST;
        if (is_list &&
            (operation->kind == OPERATION_PUT_ELEMENT ||
             operation->kind == OPERATION_DELETE_ELEMENT || operation->kind == OPERATION_REMOVE))
            plan->list_reads++;
    }
    plan->reads_lists = plan->list_reads > 0;
}

// Each looks at the list with all that those before it did.
static bool modification_check_lists(struct analysis *analysis,
                                     const struct modification_plan *plan)
{
    return plan->list_reads <= LIST_READS_MAX ||
           cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "A statement can not change lists by index or by value more than %u times",
                         LIST_READS_MAX);
}

// ---- INSERT -------------------------------------------------------------------------------------

static bool modification_check_names(struct analysis *analysis, const struct cql_insert *insert)
{
    if (insert->columns.count != insert->value_count)
        return modification_refuse(analysis, "Unmatched column names/values");
    // More names than a table can have columns: one of the first is there twice, or unknown.
    for (size_t i = 0; i < insert->columns.count && i <= TABLE_COLUMNS_MAX; i++)
        for (size_t k = 0; k < i; k++)
            if (slice_equals(insert->columns.items[i], insert->columns.items[k]))
                return modification_refuse(analysis, "The column names contains duplicates");
    return true;
}

static bool modification_refuse_missing(struct analysis *analysis, const char *what,
                                        enum column_kind kind,
                                        const struct restriction *const *bound)
{
    const struct table *table = analysis->table;
    struct buffer names;
    buffer_init(&names, CQL_ERROR_TEXT_SIZE);
    for (uint16_t i = 0; i < table->column_counts[kind]; i++)
        if (bound[i] == NULL)
            buffer_put_format(&names, "%s%.*s", names.size == 0 ? "" : ", ",
                              SLICE_TEXT(table->columns[kind][i].name));
    cql_error_set(analysis->error, CQL_ERROR_INVALID, "Some %s are missing: %.*s", what,
                  (int)names.size, names.data == NULL ? "" : (const char *)names.data);
    buffer_deinit(&names);
    return false;
}

// An EQ restriction, as if WHERE had said it.
static struct restriction *modification_equals(struct analysis *analysis,
                                               const struct column *column,
                                               const struct term *value)
{
    const struct column **columns = ARENA_NEW(analysis->arena, const struct column *);
    struct restriction *restriction = ARENA_NEW(analysis->arena, struct restriction);
    columns[0] = column;
    *restriction = (struct restriction){
        .kind = RESTRICTION_EQ, .columns = columns, .column_count = 1, .value = value};
    return restriction;
}

static bool modification_bind_key_column(struct analysis *analysis, const struct column *column,
                                         const struct cql_term *raw, struct modification_plan *plan)
{
    const struct restriction **place = column->kind == COLUMN_PARTITION_KEY
                                           ? &plan->restrictions.keys[column->index]
                                           : &plan->restrictions.clustering[column->index];
    struct column_spec spec = analysis_spec_of_column(analysis->table, column);
    struct restriction *restriction = modification_equals(analysis, column, NULL);
    *place = restriction;
    return term_prepare(analysis, raw, &spec, &restriction->value);
}

static bool modification_finish_insert(struct analysis *analysis, struct modification_plan *plan)
{
    const struct table *table = plan->table;
    struct restrictions *restrictions = &plan->restrictions;
    uint16_t key_count = table->column_counts[COLUMN_PARTITION_KEY];
    uint16_t clustering_count = table->column_counts[COLUMN_CLUSTERING];
    size_t bound = 0;
    for (uint16_t i = 0; i < key_count; i++)
        if (restrictions->keys[i] == NULL)
            return modification_refuse_missing(analysis, "partition key parts",
                                               COLUMN_PARTITION_KEY, restrictions->keys);
    for (uint16_t i = 0; i < clustering_count; i++)
        if (restrictions->clustering[i] != NULL) bound++;
    // Without a clustering it can only be about static columns.
    bool only_static =
        bound == 0 && plan->static_count > 0 && plan->static_count == plan->operation_count;
    plan->changes_rows = clustering_count == 0 || !only_static;
    if (plan->changes_rows && bound < clustering_count)
        return modification_refuse_missing(analysis, "clustering keys", COLUMN_CLUSTERING,
                                           restrictions->clustering);
    restrictions->table = table;
    restrictions->keys_are_complete = true;
    restrictions->clustering_count = plan->changes_rows ? clustering_count : 0;
    restrictions->clustering_bound_count = clustering_count;
    restrictions->has_clustering = bound > 0;
    return true;
}

// The columns that INSERT names, with their values: those of the key behind the others, as a WHERE
// stands behind SET.
static bool modification_prepare_values(struct analysis *analysis, const struct cql_insert *insert,
                                        struct modification_plan *plan)
{
    if (!modification_check_names(analysis, insert)) return false;
    size_t total = insert->columns.count, count = 0;
    struct operation *operations = ARENA_NEW_ARRAY(analysis->arena, struct operation, total);
    const struct column **columns = ARENA_NEW_ARRAY(analysis->arena, const struct column *, total);
    for (size_t i = 0; i < total; i++) {
        columns[i] = analysis_find_column(analysis, insert->columns.items[i]);
        if (columns[i] == NULL) return false;
        if (columns[i]->kind < COLUMN_STATIC) continue;
        operations[count] = (struct operation){.column = columns[i]};
        if (!modification_prepare_set(analysis, columns[i], insert->values[i], &operations[count]))
            return false;
        count++;
    }
    for (size_t i = 0; i < total; i++)
        if (columns[i]->kind < COLUMN_STATIC &&
            !modification_bind_key_column(analysis, columns[i], insert->values[i], plan))
            return false;
    modification_finish_operations(plan, operations, count);
    return true;
}

// All columns of the table, but those that INSERT JSON leaves as they are.
static bool modification_prepare_json(struct analysis *analysis, const struct cql_insert *insert,
                                      struct modification_plan *plan)
{
    const struct table *table = plan->table;
    size_t total = json_insert_column_count(table);
    const struct term **terms = ARENA_NEW_ARRAY(analysis->arena, const struct term *, total);
    struct operation *operations = ARENA_NEW_ARRAY(analysis->arena, struct operation, total);
    if (!json_insert_prepare(analysis, insert, terms)) return false;
    size_t at = 0, count = 0;
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        for (uint16_t i = 0; i < table->column_counts[kind]; i++, at++) {
            const struct column *column = &table->columns[kind][i];
            if (terms[at] == NULL) continue;
            if (kind == COLUMN_PARTITION_KEY)
                plan->restrictions.keys[i] = modification_equals(analysis, column, terms[at]);
            else if (kind == COLUMN_CLUSTERING)
                plan->restrictions.clustering[i] = modification_equals(analysis, column, terms[at]);
            else
                operations[count++] = (struct operation){
                    .kind =
                        type_is_multi_cell(column->type) ? OPERATION_SET_COLLECTION : OPERATION_SET,
                    .column = column,
                    .value = terms[at],
                };
        }
    modification_finish_operations(plan, operations, count);
    return true;
}

static bool modification_prepare_insert(struct analysis *analysis, const struct cql_insert *insert,
                                        struct modification_plan *plan)
{
    *plan = (struct modification_plan){.kind = MODIFICATION_INSERT};
    if (!modification_find_table(analysis, &insert->table, plan)) return false;
    const struct table *table = plan->table;
    if (table->is_counter)
        return modification_refuse(
            analysis, "INSERT statements are not allowed on counter tables, use UPDATE instead");
    plan->restrictions.keys = ARENA_NEW_ARRAY(analysis->arena, const struct restriction *,
                                              table->column_counts[COLUMN_PARTITION_KEY]);
    plan->restrictions.clustering =
        ARENA_NEW_ARRAY(analysis->arena, const struct restriction *,
                        (size_t)table->column_counts[COLUMN_CLUSTERING] + 1);
    if (!modification_prepare_using(analysis, &insert->using, plan)) return false;
    if (insert->json != NULL ? !modification_prepare_json(analysis, insert, plan)
                             : !modification_prepare_values(analysis, insert, plan))
        return false;
    if (!modification_finish_insert(analysis, plan)) return false;
    return modification_prepare_conditions(analysis, &insert->conditions, plan) &&
           modification_check_conditions(analysis, plan);
}

// ---- UPDATE and DELETE --------------------------------------------------------------------------

static bool modification_only_static(const struct modification_plan *plan)
{
    return plan->operation_count > 0 && plan->static_count == plan->operation_count;
}

static bool modification_prepare_update(struct analysis *analysis, const struct cql_update *update,
                                        struct modification_plan *plan)
{
    *plan = (struct modification_plan){.kind = MODIFICATION_UPDATE};
    if (!modification_find_table(analysis, &update->table, plan)) return false;
    if (!modification_prepare_using(analysis, &update->using, plan) ||
        !modification_prepare_conditions(analysis, &update->conditions, plan))
        return false;
    struct operation *operations =
        ARENA_NEW_ARRAY(analysis->arena, struct operation, update->assignment_count);
    for (size_t i = 0; i < update->assignment_count; i++)
        if (!modification_prepare_assignment(analysis, &update->assignments[i], &operations[i]))
            return false;
    modification_finish_operations(plan, operations, update->assignment_count);
    bool only_static = modification_only_static(plan);
    struct restrictions_options options = {RESTRICTIONS_UPDATE, false,
                                           only_static && !modification_asks_row(plan), false};
    if (!restrictions_prepare(analysis, &update->where, &options, &plan->restrictions))
        return false;
    plan->changes_rows = !only_static;
    return modification_check_conditions(analysis, plan) &&
           modification_check_lists(analysis, plan);
}

static bool modification_prepare_delete(struct analysis *analysis,
                                        const struct cql_delete *deletion,
                                        struct modification_plan *plan)
{
    *plan = (struct modification_plan){.kind = MODIFICATION_DELETE};
    if (!modification_find_table(analysis, &deletion->table, plan)) return false;
    if (!modification_prepare_using(analysis, &deletion->using, plan) ||
        !modification_prepare_conditions(analysis, &deletion->conditions, plan))
        return false;
    struct operation *operations =
        ARENA_NEW_ARRAY(analysis->arena, struct operation, deletion->deletion_count + 1);
    for (size_t i = 0; i < deletion->deletion_count; i++)
        if (!modification_prepare_deletion(analysis, &deletion->deletions[i], &operations[i]))
            return false;
    modification_finish_operations(plan, operations, deletion->deletion_count);
    bool only_static = modification_only_static(plan);
    struct restrictions_options options = {RESTRICTIONS_DELETE, false,
                                           only_static && !modification_asks_row(plan), false};
    if (!restrictions_prepare(analysis, &deletion->where, &options, &plan->restrictions))
        return false;
    plan->changes_rows = !only_static;
    plan->deletes_rows = deletion->deletion_count == 0;
    bool names_rows = plan->restrictions.clustering_bound_count ==
                          plan->table->column_counts[COLUMN_CLUSTERING] &&
                      !plan->restrictions.clustering_has_slice;
    if (plan->is_conditional && plan->timestamp == NULL && !names_rows &&
        (!only_static || modification_asks_row(plan)))
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "DELETE statements must restrict all PRIMARY KEY columns with "
                             "equality relations in order to %s non static columns",
                             only_static ? "use IF condition on" : "delete");
    if (!modification_check_conditions(analysis, plan) || !modification_check_lists(analysis, plan))
        return false;
    if (plan->changes_rows && !plan->deletes_rows && !names_rows)
        return modification_refuse(analysis,
                                   "Range deletions are not supported for specific columns");
    plan->deletes_ranges =
        plan->deletes_rows && (!names_rows || plan->table->column_counts[COLUMN_CLUSTERING] == 0);
    return true;
}

bool modification_analysis_insert(struct analysis *analysis, const struct cql_insert *insert,
                                  struct modification_plan *plan)
{
    return modification_prepare_insert(analysis, insert, plan) &&
           modification_check_stored(analysis, plan) && modification_validate(analysis, plan);
}

bool modification_analysis_update(struct analysis *analysis, const struct cql_update *update,
                                  struct modification_plan *plan)
{
    return modification_prepare_update(analysis, update, plan) &&
           modification_check_stored(analysis, plan) && modification_validate(analysis, plan);
}

bool modification_analysis_delete(struct analysis *analysis, const struct cql_delete *deletion,
                                  struct modification_plan *plan)
{
    return modification_prepare_delete(analysis, deletion, plan) &&
           modification_check_stored(analysis, plan) && modification_validate(analysis, plan);
}

// ---- BATCH --------------------------------------------------------------------------------------

bool batch_analysis_check(enum cql_batch_type type, bool has_timestamp,
                          const struct modification_plan *const *parts, size_t count,
                          struct cql_error *error)
{
    bool has_counter = false, has_other = false, sets_timestamp = false;
    bool is_conditional = false, is_one_table = true;
    for (size_t i = 0; i < count; i++) {
        if (parts[i]->is_conditional) is_conditional = true;
        if (!uuid_equals(parts[i]->table->id, parts[0]->table->id)) is_one_table = false;
        if (parts[i]->table->is_counter)
            has_counter = true;
        else
            has_other = true;
        if (parts[i]->timestamp != NULL) sets_timestamp = true;
    }
    const char *text = NULL;
    if (has_timestamp && type == CQL_BATCH_COUNTER)
        text = "Cannot provide custom timestamp for counter BATCH";
    else if (has_timestamp && sets_timestamp)
        text = "Timestamp must be set either on BATCH or individual statements";
    else if (has_timestamp && has_counter)
        text = "Cannot provide custom timestamp for a BATCH containing counters";
    else if (has_timestamp && is_conditional)
        text = "Cannot provide custom timestamp for conditional BATCH";
    else if (type == CQL_BATCH_COUNTER && has_other)
        text = "Cannot include non-counter statement in a counter batch";
    else if (has_counter && has_other)
        text = "Counter and non-counter mutations cannot exist in the same batch";
    else if (type == CQL_BATCH_LOGGED && has_counter)
        text = "Cannot include a counter statement in a logged batch";
    else if (is_conditional && !is_one_table)
        text = "Batch with conditions cannot span multiple tables";
    return text == NULL || cql_error_set(error, CQL_ERROR_INVALID, "%s", text);
}

bool batch_analysis_prepare(struct analysis *analysis, const struct cql_batch *batch,
                            struct batch_plan *plan)
{
    *plan = (struct batch_plan){.type = batch->type};
    const struct modification_plan **parts = ARENA_NEW_ARRAY(
        analysis->arena, const struct modification_plan *, batch->statement_count + 1);
    const struct table *first = NULL;
    for (size_t i = 0; i < batch->statement_count; i++) {
        const struct cql_statement_ast *part = batch->statements[i];
        struct modification_plan *made = ARENA_NEW(analysis->arena, struct modification_plan);
        bool is_ok = part->kind == CQL_AST_INSERT
                         ? modification_prepare_insert(analysis, &part->insert, made)
                     : part->kind == CQL_AST_UPDATE
                         ? modification_prepare_update(analysis, &part->update, made)
                         : modification_prepare_delete(analysis, &part->delete_, made);
        if (!is_ok || !modification_check_stored(analysis, made)) return false;
        if (first == NULL) first = made->table;
        if (made->is_conditional) plan->is_conditional = true;
        parts[i] = made;
    }
    plan->parts = parts;
    plan->part_count = batch->statement_count;
    analysis->table = first;
    if (batch->using.ttl != NULL)
        return modification_refuse(analysis, "Global TTL on the BATCH statement is not supported.");
    struct column_spec spec = {slice_null(), slice_null(), slice_of_text("[timestamp]"),
                               type_of_kind(TYPE_BIGINT)};
    if (first != NULL) {
        spec.keyspace = first->keyspace;
        spec.table = first->name;
    }
    if (batch->using.timestamp != NULL &&
        !term_prepare(analysis, batch->using.timestamp, &spec, &plan->timestamp))
        return false;
    if (!batch_analysis_check(batch->type, plan->timestamp != NULL, parts, plan->part_count,
                              analysis->error))
        return false;
    for (size_t i = 0; i < plan->part_count; i++)
        if (!modification_validate(analysis, parts[i])) return false;
    return true;
}
