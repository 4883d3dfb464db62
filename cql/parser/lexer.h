// CQL text to tokens (Cassandra: Lexer.g).
//
// One token at a time, so that a fault is met in the order in which Cassandra's parser would meet
// it. White space and comments are tokens too, on a "hidden" channel: the parser skips them, the
// snippets of error messages count them.
#ifndef CQL_PARSER_LEXER_H
#define CQL_PARSER_LEXER_H

#include "base/slice.h"
#include "storage/schema/type.h"

#include <stdbool.h>
#include <stdint.h>

// What a keyword may be used as when it is not quoted.
enum keyword_class {
    KEYWORD_RESERVED, // Only itself.
    KEYWORD_BASIC,    // Any name (basic_unreserved_keyword).
    KEYWORD_NATIVE,   // A type; any name but a type's (native_type).
    KEYWORD_KEY,      // Any name but a function's.
    KEYWORD_SPECIAL,  // Any name but a type's or a function's.
};

// clang-format off
// Sorted by name, so that the words of one first letter stand together.
#define KEYWORD_MAP(X)                                                                             \
    X(ACCESS, BASIC) X(ADD, RESERVED) X(AGGREGATE, BASIC) X(AGGREGATES, BASIC) X(ALL, BASIC)       \
    X(ALLOW, RESERVED) X(ALTER, RESERVED) X(AND, RESERVED) X(ANN, BASIC) X(APPLY, RESERVED)        \
    X(AS, BASIC) X(ASC, RESERVED) X(ASCII, NATIVE) X(AUTHORIZE, RESERVED) X(BATCH, RESERVED)       \
    X(BEGIN, RESERVED) X(BIGINT, NATIVE) X(BLOB, NATIVE) X(BOOLEAN, NATIVE) X(BY, RESERVED)        \
    X(CALLED, BASIC) X(CAST, SPECIAL) X(CIDRS, BASIC) X(CLUSTER, BASIC) X(CLUSTERING, BASIC)       \
    X(COLUMNFAMILY, RESERVED) X(COMPACT, BASIC) X(CONTAINS, BASIC) X(COUNT, SPECIAL)               \
    X(COUNTER, NATIVE) X(CREATE, RESERVED) X(CUSTOM, BASIC) X(DATACENTERS, BASIC) X(DATE, NATIVE)  \
    X(DECIMAL, NATIVE) X(DEFAULT, BASIC) X(DELETE, RESERVED) X(DESC, RESERVED)                     \
    X(DESCRIBE, RESERVED) X(DISTINCT, SPECIAL) X(DOUBLE, NATIVE) X(DROP, RESERVED)                 \
    X(DURATION, NATIVE) X(ENTRIES, RESERVED) X(EXECUTE, RESERVED) X(EXISTS, BASIC)                 \
    X(FALSE, RESERVED) X(FILTERING, BASIC) X(FINALFUNC, BASIC) X(FLOAT, NATIVE) X(FROM, RESERVED)  \
    X(FROZEN, BASIC) X(FULL, RESERVED) X(FUNCTION, BASIC) X(FUNCTIONS, BASIC) X(GRANT, RESERVED)   \
    X(GROUP, BASIC) X(HASHED, BASIC) X(IDENTITY, BASIC) X(IF, RESERVED) X(IN, RESERVED)            \
    X(INDEX, RESERVED) X(INET, NATIVE) X(INFINITY, RESERVED) X(INITCOND, BASIC) X(INPUT, BASIC)    \
    X(INSERT, RESERVED) X(INT, NATIVE) X(INTERNALS, BASIC) X(INTO, RESERVED) X(IS, RESERVED)       \
    X(JSON, SPECIAL) X(KEY, KEY) X(KEYS, BASIC) X(KEYSPACE, RESERVED) X(KEYSPACES, BASIC)          \
    X(LANGUAGE, BASIC) X(LIKE, BASIC) X(LIMIT, RESERVED) X(LIST, BASIC) X(LOGIN, BASIC)            \
    X(MAP, BASIC) X(MASKED, BASIC) X(MATERIALIZED, RESERVED) X(MAXWRITETIME, SPECIAL)              \
    X(MBEAN, BASIC) X(MBEANS, BASIC) X(MODIFY, RESERVED) X(NAN, RESERVED) X(NOLOGIN, BASIC)        \
    X(NORECURSIVE, RESERVED) X(NOSUPERUSER, BASIC) X(NOT, RESERVED) X(NULL, RESERVED)              \
    X(OF, RESERVED) X(ON, RESERVED) X(ONLY, BASIC) X(OPTIONS, BASIC) X(OR, RESERVED)               \
    X(ORDER, RESERVED) X(PARTITION, BASIC) X(PASSWORD, BASIC) X(PER, BASIC) X(PERMISSION, BASIC)   \
    X(PERMISSIONS, BASIC) X(PRIMARY, RESERVED) X(RENAME, RESERVED) X(REPLACE, BASIC)               \
    X(RETURNS, BASIC) X(REVOKE, RESERVED) X(ROLE, BASIC) X(ROLES, BASIC) X(SCHEMA, RESERVED)       \
    X(SELECT, RESERVED) X(SELECT_MASKED, BASIC) X(SET, RESERVED) X(SFUNC, BASIC)                   \
    X(SMALLINT, NATIVE) X(STATIC, BASIC) X(STORAGE, BASIC) X(STYPE, BASIC) X(SUPERUSER, BASIC)     \
    X(TABLE, RESERVED) X(TABLES, BASIC) X(TEXT, NATIVE) X(TIME, NATIVE) X(TIMESTAMP, NATIVE)       \
    X(TIMEUUID, NATIVE) X(TINYINT, NATIVE) X(TO, RESERVED) X(TOKEN, RESERVED) X(TRIGGER, BASIC)    \
    X(TRUE, RESERVED) X(TRUNCATE, RESERVED) X(TTL, SPECIAL) X(TUPLE, BASIC) X(TYPE, BASIC)         \
    X(TYPES, BASIC) X(UNLOGGED, RESERVED) X(UNMASK, BASIC) X(UNSET, BASIC) X(UPDATE, RESERVED)     \
    X(USE, RESERVED) X(USER, BASIC) X(USERS, BASIC) X(USING, RESERVED) X(UUID, NATIVE)             \
    X(VALUES, BASIC) X(VARCHAR, NATIVE) X(VARINT, NATIVE) X(VECTOR, BASIC) X(VIEW, RESERVED)       \
    X(WHERE, RESERVED) X(WITH, RESERVED) X(WRITETIME, SPECIAL)

// Punctuation and classes of text, with the names that ANTLR gives them in messages.
#define TOKEN_MAP(X)                                                                               \
    X(EOF, "EOF") X(ERROR, "") X(HIDDEN, "") X(IDENT, "IDENT") X(QUOTED_NAME, "QUOTED_NAME")       \
    X(EMPTY_QUOTED_NAME, "EMPTY_QUOTED_NAME") X(STRING, "STRING_LITERAL") X(INTEGER, "INTEGER")    \
    X(FLOAT, "FLOAT") X(BOOLEAN_CONSTANT, "BOOLEAN") X(DURATION_CONSTANT, "DURATION")              \
    X(UUID_CONSTANT, "UUID") X(HEX, "HEXNUMBER") X(NEGATIVE_NAN, "K_NEGATIVE_NAN")                 \
    X(NEGATIVE_INFINITY, "K_NEGATIVE_INFINITY") X(QMARK, "QMARK") X(EXPR_OPEN, "'expr('")          \
    X(RANGE, "RANGE") X(DOT, "'.'") X(COMMA, "','") X(SEMICOLON, "';'") X(COLON, "':'")            \
    X(OPEN, "'('") X(CLOSE, "')'") X(OPEN_SQUARE, "'['") X(CLOSE_SQUARE, "']'")                    \
    X(OPEN_BRACE, "'{'") X(CLOSE_BRACE, "'}'") X(EQUAL, "'='") X(NOT_EQUAL, "'!='")                \
    X(LESS, "'<'") X(LESS_EQUAL, "'<='") X(GREATER, "'>'") X(GREATER_EQUAL, "'>='")                \
    X(PLUS, "'+'") X(MINUS, "'-'") X(PLUS_EQUAL, "'+='") X(MINUS_EQUAL, "'-='") X(STAR, "'*'")     \
    X(SLASH, "'/'") X(PERCENT, "'%'")
// clang-format on

enum token_kind {
#define X(name, text) TOKEN_##name,
    TOKEN_MAP(X)
#undef X
#define X(name, class) K_##name,
        KEYWORD_MAP(X)
#undef X
            TOKEN_KIND_COUNT
};

struct token_text {
    uint32_t start, size; // Bytes of the text, quotes included.
    enum token_kind kind;
};

enum { LEXER_FAULT_SIZE = 64 };

// What is wrong with a character: `position` is its offset in the text.
struct lexer_fault {
    uint32_t position;
    char text[LEXER_FAULT_SIZE]; // As ANTLR says it, without "line 1:0 ".
};

// The token that begins at `position`, EOF (of size 0) at the end of `text`, or ERROR with `fault`
// filled. `text` is shorter than 2^31 bytes.
struct token_text lexer_next(struct slice text, uint32_t position, struct lexer_fault *fault);

// "K_FROM", "')'", "EOF".
const char *lexer_token_name(enum token_kind kind);
bool lexer_is_keyword(enum token_kind kind);
enum keyword_class lexer_keyword_class(enum token_kind kind);
// Only of KEYWORD_NATIVE.
enum type_kind lexer_native_type(enum token_kind kind);

#endif
