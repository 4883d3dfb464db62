// SELECT, INSERT, UPDATE, DELETE and BATCH.
#include "cql/parser/parser_state.h"

// ---- SELECT ------------------------------------------------------------------------------------

// JSON and DISTINCT are names of columns too. A syntactic predicate decides: `word` is the keyword
// if selectors can be read behind it.
static bool is_keyword_before_selectors(struct parser *parser, enum token_kind word)
{
    if (parser_peek(parser, 1) != word) return false;
    uint32_t index = parser->index, marker_count = parser->marker_count;
    bool was_trying = parser->is_trying;
    const struct cql_selector *selectors;
    size_t count;
    parser->is_trying = true;
    parser_skip(parser);
    if (word == K_JSON && is_keyword_before_selectors(parser, K_DISTINCT)) parser_skip(parser);
    bool is_keyword = parser_selectors(parser, &selectors, &count);
    parser->is_trying = was_trying;
    parser->index = index;
    parser->marker_count = marker_count;
    parser->failed = parser->has_error;
    return is_keyword;
}

static bool group_by(struct parser *parser, struct cql_select *select)
{
    struct parser_list list = {0};
    if (!parser_expect(parser, K_BY)) return false;
    do {
        const struct cql_term *term = parser_selector(parser);
        if (term == NULL) return false;
        *PARSER_LIST_ADD(parser, &list, const struct cql_term *) = term;
    } while (parser_take(parser, TOKEN_COMMA));
    select->group_by = list.items;
    select->group_by_count = list.count;
    return true;
}

static bool order_by(struct parser *parser, struct cql_select *select)
{
    struct parser_list list = {0};
    if (!parser_expect(parser, K_BY)) return false;
    do {
        struct cql_ordering ordering = {.descending = false};
        if (!parser_column_name(parser, &ordering.column)) return false;
        if (parser_take(parser, K_ANN)) {
            if (!parser_expect(parser, K_OF)) return false;
            ordering.ann_of = parser_term(parser);
            if (ordering.ann_of == NULL) return false;
        }
        if (parser_take(parser, K_DESC))
            ordering.descending = true;
        else
            (void)parser_take(parser, K_ASC);
        *PARSER_LIST_ADD(parser, &list, struct cql_ordering) = ordering;
    } while (parser_take(parser, TOKEN_COMMA));
    select->order_by = list.items;
    select->order_by_count = list.count;
    return true;
}

static bool integer(struct parser *parser, const struct cql_term **term)
{
    *term = parser_integer(parser);
    return *term != NULL;
}

bool parser_select(struct parser *parser, struct cql_select *select)
{
    select->is_json = is_keyword_before_selectors(parser, K_JSON);
    if (select->is_json) parser_skip(parser);
    select->is_distinct = is_keyword_before_selectors(parser, K_DISTINCT);
    if (select->is_distinct) parser_skip(parser);
    if (!parser_selectors(parser, &select->selectors, &select->selector_count) ||
        !parser_expect(parser, K_FROM) || !parser_table_name(parser, &select->table))
        return false;
    if (parser_take(parser, K_WHERE) && !parser_where(parser, &select->where)) return false;
    if (parser_take(parser, K_GROUP) && !group_by(parser, select)) return false;
    if (parser_take(parser, K_ORDER) && !order_by(parser, select)) return false;
    if (parser_take(parser, K_PER) &&
        (!parser_expect(parser, K_PARTITION) || !parser_expect(parser, K_LIMIT) ||
         !integer(parser, &select->per_partition_limit)))
        return false;
    if (parser_take(parser, K_LIMIT) && !integer(parser, &select->limit)) return false;
    select->allow_filtering = parser_take(parser, K_ALLOW);
    return !select->allow_filtering || parser_expect(parser, K_FILTERING);
}

// ---- USING -------------------------------------------------------------------------------------

static bool using_one(struct parser *parser, struct cql_using *using)
{
    if (parser_take(parser, K_TIMESTAMP)) return integer(parser, &using->timestamp);
    if (parser_take(parser, K_TTL)) return integer(parser, &using->ttl);
    return parser_fail_no_viable(parser, 1);
}

// Where USING may stand.
static bool using(struct parser *parser, struct cql_using *using)
{
    if (!parser_take(parser, K_USING)) return true;
    do {
        if (!using_one(parser, using)) return false;
    } while (parser_take(parser, K_AND));
    return true;
}

// ---- INSERT ------------------------------------------------------------------------------------

static bool insert_json(struct parser *parser, struct cql_insert *insert)
{
    switch (parser_peek(parser, 1)) {
    case TOKEN_STRING:
        insert->json = parser_constant(parser);
        break;
    case TOKEN_QMARK:
    case TOKEN_COLON:
        insert->json = parser_marker(parser);
        break;
    default:
        return parser_fail_no_viable(parser, 1);
    }
    if (insert->json == NULL || !parser_take(parser, K_DEFAULT)) return insert->json != NULL;
    insert->json_default_unset = parser_take(parser, K_UNSET);
    if (!insert->json_default_unset && !parser_take(parser, K_NULL))
        return parser_fail_no_viable(parser, 1);
    return true;
}

static bool insert_values(struct parser *parser, struct cql_insert *insert)
{
    return parser_column_names(parser, &insert->columns) && parser_expect(parser, K_VALUES) &&
           parser_expect(parser, TOKEN_OPEN) &&
           parser_terms(parser, &insert->values, &insert->value_count) &&
           parser_expect(parser, TOKEN_CLOSE);
}

bool parser_insert(struct parser *parser, struct cql_insert *insert)
{
    if (!parser_expect(parser, K_INTO) || !parser_table_name(parser, &insert->table)) return false;
    bool is_parsed;
    if (parser_take(parser, K_JSON))
        is_parsed = insert_json(parser, insert);
    else if (parser_take(parser, TOKEN_OPEN))
        is_parsed = insert_values(parser, insert);
    else
        return parser_fail_no_viable(parser, 1);
    return is_parsed && parser_if_not_exists(parser, &insert->conditions.if_not_exists) &&
           using(parser, &insert->using);
}

// ---- UPDATE ------------------------------------------------------------------------------------

// At a name behind "x =": the column of "y + …", rather than a function.
static bool begins_column_operation(struct parser *parser, uint32_t *unexpected)
{
    *unexpected = 0;
    if (!parser_is_column_name(parser_peek(parser, 1))) return false;
    switch (parser_peek(parser, 2)) {
    case TOKEN_PLUS:
    case TOKEN_MINUS:
    case TOKEN_INTEGER:
        return true;
    case TOKEN_OPEN:
        return false;
    case TOKEN_DOT:
        if (!parser_is_function_name(parser_peek(parser, 3)))
            *unexpected = 3;
        else if (parser_peek(parser, 4) != TOKEN_OPEN)
            *unexpected = 4;
        return false;
    default:
        *unexpected = 2;
        return false;
    }
}

// "x = y + term", "x = y - term", "x = y -3".
static bool assign_column_operation(struct parser *parser, struct cql_assignment *assignment)
{
    struct slice column;
    if (!parser_column_name(parser, &column)) return false;
    bool is_same = slice_equals(column, assignment->column);
    if (parser_peek(parser, 1) == TOKEN_INTEGER) {
        assignment->kind = CQL_ASSIGN_ADD;
        assignment->value = parser_constant(parser);
        if (is_same) return true;
        return parser_fail_text(parser,
                                "Only expressions of the form X = X %c <value> are supported.",
                                assignment->value->value.data[0] == '-' ? '-' : '+');
    }
    bool is_add = parser_peek(parser, 1) == TOKEN_PLUS;
    parser_skip(parser);
    assignment->kind = is_add ? CQL_ASSIGN_ADD : CQL_ASSIGN_SUBTRACT;
    assignment->value = parser_term(parser);
    if (assignment->value == NULL) return false;
    if (is_same) return true;
    return parser_fail_text(parser, "Only expressions of the form X = X %c<value> are supported.",
                            is_add ? '+' : '-');
}

// Behind "x =".
static bool assign_normal(struct parser *parser, struct cql_assignment *assignment)
{
    uint32_t unexpected;
    if (begins_column_operation(parser, &unexpected))
        return assign_column_operation(parser, assignment);
    if (unexpected > 0) return parser_fail_no_viable(parser, unexpected);

    assignment->kind = CQL_ASSIGN;
    parser->in_assignment = true;
    assignment->value = parser_term(parser);
    parser->in_assignment = false;
    if (assignment->value == NULL || !parser_take(parser, TOKEN_PLUS))
        return assignment->value != NULL;
    struct slice column;
    assignment->kind = CQL_ASSIGN_PREPEND;
    if (!parser_column_name(parser, &column)) return false;
    if (slice_equals(column, assignment->column)) return true;
    return parser_fail_text(parser, "Only expressions of the form X = <value> + X are supported.");
}

static bool assign_value(struct parser *parser, struct cql_assignment *assignment)
{
    assignment->value = parser_term(parser);
    return assignment->value != NULL;
}

static bool assignment_here(struct parser *parser, struct cql_assignment *assignment)
{
    if (!parser_column_name(parser, &assignment->column)) return false;
    enum token_kind kind = parser_peek(parser, 1);
    if (kind == TOKEN_EOF || parser->failed) return parser_fail_no_viable(parser, 1);
    switch (kind) {
    case TOKEN_EQUAL:
        parser_skip(parser);
        return assign_normal(parser, assignment);
    case TOKEN_PLUS_EQUAL:
    case TOKEN_MINUS_EQUAL:
        parser_skip(parser);
        assignment->kind = kind == TOKEN_PLUS_EQUAL ? CQL_ASSIGN_ADD : CQL_ASSIGN_SUBTRACT;
        return assign_value(parser, assignment);
    case TOKEN_OPEN_SQUARE:
        parser_skip(parser);
        assignment->kind = CQL_ASSIGN_ELEMENT;
        assignment->element = parser_term(parser);
        return assignment->element != NULL && parser_expect(parser, TOKEN_CLOSE_SQUARE) &&
               parser_expect(parser, TOKEN_EQUAL) && assign_value(parser, assignment);
    case TOKEN_DOT:
        parser_skip(parser);
        assignment->kind = CQL_ASSIGN_FIELD;
        return parser_name(parser, &assignment->field) && parser_expect(parser, TOKEN_EQUAL) &&
               assign_value(parser, assignment);
    default:
        return parser_fail_no_viable(parser, 1);
    }
}

// Operation.RawUpdate.isCompatibleWith().
static bool are_compatible(const struct cql_assignment *a, const struct cql_assignment *b)
{
    if (a->kind == CQL_ASSIGN || b->kind == CQL_ASSIGN) return false;
    return a->kind != CQL_ASSIGN_FIELD || b->kind != CQL_ASSIGN_FIELD ||
           !slice_equals(a->field, b->field);
}

static bool assignments(struct parser *parser, struct cql_update *update)
{
    struct parser_list list = {0};
    do {
        uint32_t first = parser->index;
        struct cql_assignment assignment = {.kind = CQL_ASSIGN};
        if (!assignment_here(parser, &assignment)) return false;
        assignment.text = parser_span(parser, first);
        if (list.count == PARSER_ASSIGNMENTS_MAX)
            return parser_fail_text(parser, "More than %d assignments", PARSER_ASSIGNMENTS_MAX);
        const struct cql_assignment *items = list.items;
        for (size_t i = 0; i < list.count; i++) {
            if (!slice_equals(items[i].column, assignment.column)) continue;
            if (are_compatible(&items[i], &assignment)) continue;
            return parser_fail_text(parser, "Multiple incompatible setting of column %.*s",
                                    (int)assignment.column.size,
                                    (const char *)assignment.column.data);
        }
        *PARSER_LIST_ADD(parser, &list, struct cql_assignment) = assignment;
    } while (parser_take(parser, TOKEN_COMMA));
    update->assignments = list.items;
    update->assignment_count = list.count;
    return true;
}

// WHERE … and IF …
static bool where_and_if(struct parser *parser, struct cql_relations *where,
                         struct cql_conditions *conditions)
{
    if (!parser_expect(parser, K_WHERE) || !parser_where(parser, where)) return false;
    return !parser_take(parser, K_IF) || parser_conditions(parser, conditions);
}

bool parser_update(struct parser *parser, struct cql_update *update)
{
    return parser_table_name(parser, &update->table) && using(parser, &update->using) &&
           parser_expect(parser, K_SET) && assignments(parser, update) &&
           where_and_if(parser, &update->where, &update->conditions);
}

// ---- DELETE ------------------------------------------------------------------------------------

static bool deletion(struct parser *parser, struct cql_deletion *deletion)
{
    if (!parser_is_column_name(parser_peek(parser, 1))) return parser_fail_no_viable(parser, 1);
    enum token_kind second = parser_peek(parser, 2);
    if (second != TOKEN_OPEN_SQUARE && second != TOKEN_DOT && second != TOKEN_COMMA &&
        second != K_FROM)
        return parser_fail_no_viable(parser, 2);
    if (!parser_column_name(parser, &deletion->column)) return false;
    if (parser_take(parser, TOKEN_DOT)) return parser_name(parser, &deletion->field);
    if (!parser_take(parser, TOKEN_OPEN_SQUARE)) return true;
    deletion->element = parser_term(parser);
    return deletion->element != NULL && parser_expect(parser, TOKEN_CLOSE_SQUARE);
}

static bool deletions(struct parser *parser, struct cql_delete *statement)
{
    struct parser_list list = {0};
    do {
        uint32_t first = parser->index;
        struct cql_deletion item = {.column = slice_null()};
        if (!deletion(parser, &item)) return false;
        item.text = parser_span(parser, first);
        *PARSER_LIST_ADD(parser, &list, struct cql_deletion) = item;
    } while (parser_take(parser, TOKEN_COMMA));
    statement->deletions = list.items;
    statement->deletion_count = list.count;
    return true;
}

bool parser_delete(struct parser *parser, struct cql_delete *statement)
{
    if (parser_is_column_name(parser_peek(parser, 1)) && !deletions(parser, statement))
        return false;
    if (!parser_expect(parser, K_FROM) || !parser_table_name(parser, &statement->table))
        return false;
    if (parser_take(parser, K_USING) &&
        (!parser_expect(parser, K_TIMESTAMP) || !integer(parser, &statement->using.timestamp)))
        return false;
    return where_and_if(parser, &statement->where, &statement->conditions);
}

// ---- BATCH -------------------------------------------------------------------------------------

// Takes INSERT, UPDATE or DELETE if one is next.
static bool batch_part(struct parser *parser, struct cql_statement_ast *part)
{
    uint32_t first = parser->index;
    bool is_parsed;
    if (parser_take(parser, K_INSERT)) {
        part->kind = CQL_AST_INSERT;
        is_parsed = parser_insert(parser, &part->insert);
    } else if (parser_take(parser, K_UPDATE)) {
        part->kind = CQL_AST_UPDATE;
        is_parsed = parser_update(parser, &part->update);
    } else {
        parser_skip(parser);
        part->kind = CQL_AST_DELETE;
        is_parsed = parser_delete(parser, &part->delete_);
    }
    part->text = parser_span(parser, first);
    return is_parsed;
}

static bool begins_batch_part(enum token_kind kind)
{
    return kind == K_INSERT || kind == K_UPDATE || kind == K_DELETE;
}

bool parser_batch(struct parser *parser, struct cql_batch *batch)
{
    struct parser_list list = {0};
    if (parser_take(parser, K_UNLOGGED))
        batch->type = CQL_BATCH_UNLOGGED;
    else if (parser_take(parser, K_COUNTER))
        batch->type = CQL_BATCH_COUNTER;
    if (!parser_expect(parser, K_BATCH) || !using(parser, &batch->using)) return false;
    while (begins_batch_part(parser_peek(parser, 1))) {
        struct cql_statement_ast *part = ARENA_NEW(parser->arena, struct cql_statement_ast);
        if (!batch_part(parser, part)) return false;
        *PARSER_LIST_ADD(parser, &list, const struct cql_statement_ast *) = part;
        (void)parser_take(parser, TOKEN_SEMICOLON);
    }
    batch->statements = list.items;
    batch->statement_count = list.count;
    return parser_expect(parser, K_APPLY) && parser_expect(parser, K_BATCH);
}
