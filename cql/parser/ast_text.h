// Syntax trees back as text, the way Cassandra's own classes print themselves: its messages and the
// names of result columns hold this text, not what the client wrote.
#ifndef CQL_PARSER_AST_TEXT_H
#define CQL_PARSER_AST_TEXT_H

#include "base/buffer.h"
#include "cql/parser/ast.h"

// "[1, 'x']", "f(a, 2)", "(int)?", "NULL".
// Operators are calls: system."_add"(1, 2).
// Number `place` of the fields of a UDT literal, in the order in which Cassandra goes through them:
// that of a hash table.
size_t ast_text_field_at(const struct cql_term *term, size_t place);
void ast_text_put_term(const struct cql_term *term, struct buffer *text);
// In a selection operators are what they are: "a + 1", "cast(a as text)".
void ast_text_put_selector(const struct cql_term *term, struct buffer *text);
// The function behind an operator: "_add".
const char *ast_text_operation(char operator);
// "a = 1", "(c, d) > (0, 0)", "m['a'] = 1", "token(k) > 5".
void ast_text_put_relation(const struct cql_relation *relation, struct buffer *text);
// "n = n + 1", "l[0] = 1", with Cassandra's own "n = 4 - n" for a prepend.
void ast_text_put_assignment(const struct cql_assignment *assignment, struct buffer *text);
// "map<text, int>", as a message about the type has it.
void ast_text_put_type(const struct cql_type *type, struct buffer *text);
// "IN", ">=", "CONTAINS KEY".
const char *ast_text_operator(enum cql_operator operator);

#endif
