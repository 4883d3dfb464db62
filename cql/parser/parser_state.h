// What the files of the parser share: the tokens with their lookahead, the one error, lists.
//
// Each parser_… function that parses stands on its first token and leaves the parser behind its
// last. It returns false (or NULL) after a fault; the first fault is the one that is told.
//
// ANTLR decides between alternatives with as many tokens as it takes, and its messages show how
// many: a fault met while deciding is "no viable alternative" at the token that fits no
// alternative, marked at the token where the decision began. A decision that looks at one token
// only falls through to the next expected token: "mismatched input". The functions below follow
// Parser.g decision by decision for that reason.
#ifndef CQL_PARSER_PARSER_STATE_H
#define CQL_PARSER_PARSER_STATE_H

#include "base/arena.h"
#include "cql/cql_error.h"
#include "cql/parser/ast.h"
#include "cql/parser/lexer.h"

#include <string.h>

enum {
    // Nested terms, types and relations. Cassandra's parser runs out of stack at some thousands.
    PARSER_DEPTH_MAX = 256,
    // Tokens of a statement: some hundred bytes of memory each.
    PARSER_TOKENS_MAX = 1 << 20,
    // What is compared each with each: assignments of an UPDATE, properties and entries of their
    // maps.
    PARSER_ASSIGNMENTS_MAX = 16384,
    PARSER_PROPERTIES_MAX = 4096,
    PARSER_TOKENS_INLINE = 64,
};

struct parser {
    struct slice text;
    struct arena *arena;
    struct cql_error *error;
    struct token_text *tokens; // Not the hidden ones.
    uint32_t token_count, token_capacity;
    uint32_t index;    // Of the next token to take.
    uint32_t position; // In the text, behind the last token read.
    uint32_t depth;
    bool failed;         // Some fault was met; nothing that follows counts.
    bool has_error;      // `error` is filled.
    bool is_trying;      // In a syntactic predicate: faults of the parser are not told.
    bool in_assignment;  // SET x = … : "+ x" ends the term.
    bool allows_markers; // Else they are refused.
    struct cql_marker *markers;
    uint32_t marker_count, marker_capacity;
    struct token_text inline_tokens[PARSER_TOKENS_INLINE];
};

void parser_init(struct parser *parser, struct slice text, struct arena *arena,
                 struct cql_error *error);
// Reads tokens until there are `count`. They end with EOF, which repeats.
void parser_load(struct parser *parser, uint32_t count);

// ---- Tokens

// The `k`th token from here, from 1.
static inline enum token_kind parser_peek(struct parser *parser, uint32_t k)
{
    if (parser->index + k > parser->token_count) parser_load(parser, parser->index + k);
    return parser->tokens[parser->index + k - 1].kind;
}

static inline void parser_skip(struct parser *parser)
{
    parser->index++;
}

// Takes a token of that kind if it is next.
static inline bool parser_take(struct parser *parser, enum token_kind kind)
{
    if (parser_peek(parser, 1) != kind) return false;
    parser->index++;
    return true;
}

// Takes a token of that kind, or fails: "mismatched input".
bool parser_expect(struct parser *parser, enum token_kind kind);

static inline struct slice parser_token_text(const struct parser *parser, uint32_t index)
{
    return slice_make(parser->text.data + parser->tokens[index].start, parser->tokens[index].size);
}

// The text from token `first` to the last one taken.
struct slice parser_span(const struct parser *parser, uint32_t first);
// The value of the next token, which is a string, a quoted name, a word or a number; takes it.
// Words are folded.
struct slice parser_take_value(struct parser *parser);
// The next token as it is written; takes it.
struct slice parser_take_raw(struct parser *parser);

// ---- Faults; all return false

// "no viable alternative" at the `k`th token, the decision having begun here.
bool parser_fail_no_viable(struct parser *parser, uint32_t k);
bool parser_fail_mismatch(struct parser *parser, enum token_kind expected);
bool parser_fail_text(struct parser *parser, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// What is no fault of syntax, but found by Cassandra's parser: INVALID.
bool parser_fail_invalid(struct parser *parser, const char *text);
// What a Java exception inside of Cassandra's parser comes out as.
bool parser_fail_exception(struct parser *parser, const char *exception);
// False when it is too deep. Each true one needs a parser_leave().
bool parser_enter(struct parser *parser);
static inline void parser_leave(struct parser *parser)
{
    parser->depth--;
}

// ---- Lists in the arena

struct parser_list {
    void *items;
    size_t count, capacity;
};

// A new item at the end, all zero. The items move; the last ones stay where they are only until the
// next call.
void *parser_list_add(struct parser *parser, struct parser_list *list, size_t item_size);
#define PARSER_LIST_ADD(parser, list, type)                                                        \
    ((type *)parser_list_add((parser), (list), sizeof(type)))

// ---- Names (parser_name.c)

bool parser_is_name(enum token_kind kind);          // noncol_ident
bool parser_is_column_name(enum token_kind kind);   // cident: also ""
bool parser_is_type_name(enum token_kind kind);     // non_type_ident
bool parser_is_function_name(enum token_kind kind); // allowedFunctionName

bool parser_name(struct parser *parser, struct slice *name);
bool parser_column_name(struct parser *parser, struct slice *name);
// "a, b)", behind the "(".
bool parser_column_names(struct parser *parser, struct cql_names *names);
bool parser_keyspace_name(struct parser *parser, struct slice *name);
bool parser_table_name(struct parser *parser, struct cql_qualified_name *name);
bool parser_user_type_name(struct parser *parser, struct cql_qualified_name *name);
bool parser_function_name(struct parser *parser, struct cql_qualified_name *name);
bool parser_role_name(struct parser *parser, struct slice *name);
bool parser_if_exists(struct parser *parser, bool *if_exists);
bool parser_if_not_exists(struct parser *parser, bool *if_not_exists);

// ---- Types (parser_type.c)

const struct cql_type *parser_type(struct parser *parser);
const struct cql_type *parser_native_type(struct parser *parser);
// The number of the token behind a type that begins at the `k`th, or 0 if none does.
uint32_t parser_type_lookahead(struct parser *parser, uint32_t k);

// ---- Terms (parser_term.c)

bool parser_is_term_start(enum token_kind kind);
const struct cql_term *parser_term(struct parser *parser);
const struct cql_term *parser_simple_term(struct parser *parser); // Without operators.
const struct cql_term *parser_constant(struct parser *parser);    // The next token is one.
bool parser_is_constant(enum token_kind kind);
const struct cql_term *parser_marker(struct parser *parser); // "?" or ":name"
// intValue: an integer or a marker.
const struct cql_term *parser_integer(struct parser *parser);
const struct cql_term *parser_term_make(struct parser *parser, struct cql_term term,
                                        uint32_t first);
// "a, b" up to but without `close`, at least one.
bool parser_terms(struct parser *parser, const struct cql_term *const **items, size_t *count);

// ---- Selectors (parser_selector.c)

const struct cql_term *parser_selector(struct parser *parser); // Without AS.
// "*" gives none.
bool parser_selectors(struct parser *parser, const struct cql_selector **items, size_t *count);

// ---- WHERE and IF (parser_relation.c)

bool parser_where(struct parser *parser, struct cql_relations *relations);
// Behind IF, of UPDATE and DELETE.
bool parser_conditions(struct parser *parser, struct cql_conditions *conditions);

// ---- Statements: each stands behind its first word(s), which the dispatcher has taken.

bool parser_select(struct parser *parser, struct cql_select *select);
bool parser_insert(struct parser *parser, struct cql_insert *insert);
bool parser_update(struct parser *parser, struct cql_update *update);
bool parser_delete(struct parser *parser, struct cql_delete *statement);
bool parser_batch(struct parser *parser, struct cql_batch *batch);

// "name = value AND …"
bool parser_properties(struct parser *parser, struct cql_properties *properties);
// "{'a': 'b', …}"
bool parser_property_map(struct parser *parser, struct cql_property *property);
bool parser_create(struct parser *parser, struct cql_statement_ast *statement);
bool parser_alter(struct parser *parser, struct cql_statement_ast *statement);
bool parser_drop(struct parser *parser, struct cql_statement_ast *statement);
bool parser_create_table(struct parser *parser, struct cql_create_table *create);
bool parser_alter_table(struct parser *parser, struct cql_alter_table *alter);
bool parser_table_options(struct parser *parser, struct cql_table_options *options);
bool parser_create_view(struct parser *parser, struct cql_create_view *create);

bool parser_create_role(struct parser *parser, struct cql_role_statement *role);
bool parser_alter_role(struct parser *parser, struct cql_role_statement *role);
bool parser_create_user(struct parser *parser, struct cql_role_statement *role);
bool parser_alter_user(struct parser *parser, struct cql_role_statement *role);
bool parser_user_name(struct parser *parser, struct slice *name);
bool parser_grant(struct parser *parser, struct cql_statement_ast *statement);
bool parser_revoke(struct parser *parser, struct cql_statement_ast *statement);
bool parser_list(struct parser *parser, struct cql_statement_ast *statement);
bool parser_identity(struct parser *parser, struct cql_statement_ast *statement, bool is_add);
bool parser_describe(struct parser *parser, struct cql_describe *describe);

#endif
