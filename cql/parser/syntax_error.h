// The words of a syntax error, as ANTLR and Cassandra's ErrorCollector put them (cql-server.md
// §5.5):
//
//     line 1:9 mismatched input 'FORM' expecting K_FROM (SELECT * [FORM]...)
//
// Lines count from 1, columns from 0 in UTF-16 units. The snippet runs from ten tokens before the
// offending one to two behind it, white space counted, but not past the last token that the parser
// had asked for. Its marks stand where the token's *value* begins and ends, so a string, whose
// value lacks its quotes, is marked a little short; and an end of input inside the snippet drops
// it.
#ifndef CQL_PARSER_SYNTAX_ERROR_H
#define CQL_PARSER_SYNTAX_ERROR_H

#include "base/slice.h"
#include "cql/cql_error.h"
#include "cql/parser/lexer.h"

struct syntax_error {
    struct slice text;           // The whole statement.
    struct token_text found;     // Named in the message.
    struct token_text offending; // Marked in the snippet: where the decision began.
    struct token_text last;      // The furthest token that was looked at.
    const char *expected;        // NULL: "no viable alternative".
};

// Both return false.
bool syntax_error_set(const struct syntax_error *syntax_error, struct cql_error *error);
bool syntax_error_set_from_lexer(struct slice text, const struct lexer_fault *fault,
                                 struct cql_error *error);

// What a token stands for: its text without quotes, doubled quotes made one, cut at `size`.
// Returns the bytes of the whole value; `value` may be NULL when `size` is 0.
size_t syntax_error_token_value(struct slice text, struct token_text token, char *value,
                                size_t size);

#endif
