// CQL text to syntax tree (Cassandra: Lexer.g and Parser.g of org.apache.cassandra.cql3).
//
// Recursive descent with one token of lookahead, and more where the grammar needs it. It takes what
// Cassandra 5.0 takes, and refuses the rest with code SYNTAX and, nearly always, ANTLR's own text.
// It never looks at a schema.
#ifndef CQL_PARSER_PARSER_H
#define CQL_PARSER_PARSER_H

#include "base/arena.h"
#include "cql/cql_error.h"
#include "cql/parser/ast.h"

// One statement, with or without a ";" behind it. `text` and `arena` must outlive the tree; `text`
// is the only memory that it borrows. False: `error` says why, and `*statement` is untouched.
bool cql_parse(struct slice text, struct arena *arena, const struct cql_statement_ast **statement,
               struct cql_error *error);

// A type alone, such as "frozen<map<text, int>>".
bool cql_parse_type(struct slice text, struct arena *arena, const struct cql_type **type,
                    struct cql_error *error);

// A term alone, such as the INITCOND of an aggregate. Markers are refused.
bool cql_parse_term(struct slice text, struct arena *arena, const struct cql_term **term,
                    struct cql_error *error);

#endif
