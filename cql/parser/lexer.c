// Each scan_… function begins at `from` and returns the token; it never reads at or behind the end
// of the text, where at() gives END.
#include "cql/parser/lexer.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

enum { END = 0x100 };

struct scanner {
    const uint8_t *data;
    uint32_t size;
    struct lexer_fault *fault;
};

// ---- Characters --------------------------------------------------------------------------------

static inline unsigned at(const struct scanner *scanner, uint32_t position)
{
    return position < scanner->size ? scanner->data[position] : END;
}

static inline unsigned folded(unsigned c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static inline bool is_digit(unsigned c)
{
    return c - '0' < 10;
}

static inline bool is_letter(unsigned c)
{
    return c < END && (c | 0x20) - 'a' < 26;
}

static inline bool is_hex(unsigned c)
{
    return is_digit(c) || (c < END && (c | 0x20) - 'a' < 6);
}

static inline bool is_word(unsigned c)
{
    return is_letter(c) || is_digit(c) || c == '_';
}

static inline bool is_space(unsigned c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static uint32_t skip_digits(const struct scanner *scanner, uint32_t position)
{
    while (is_digit(at(scanner, position)))
        position++;
    return position;
}

// Up to the first byte of the character behind it.
static uint32_t skip_character(const struct scanner *scanner, uint32_t position)
{
    position++;
    while (position < scanner->size && (scanner->data[position] & 0xC0) == 0x80)
        position++;
    return position;
}

// ---- Results -----------------------------------------------------------------------------------

static struct token_text token(uint32_t start, uint32_t end, enum token_kind kind)
{
    return (struct token_text){start, end - start, kind};
}

// "what 'c'tail", as ANTLR prints characters.
static struct token_text fail(const struct scanner *scanner, uint32_t position, const char *what,
                              const char *tail)
{
    char character[8] = "<EOF>";
    if (position < scanner->size) {
        uint32_t size = skip_character(scanner, position) - position;
        if (size > 4) size = 4;
        memcpy(character, scanner->data + position, size);
        character[size] = 0;
        if (character[0] == '\n') strcpy(character, "\\n");
        if (character[0] == '\t') strcpy(character, "\\t");
        if (character[0] == '\r') strcpy(character, "\\r");
    }
    scanner->fault->position = position < scanner->size ? position : scanner->size;
    snprintf(scanner->fault->text, LEXER_FAULT_SIZE, "%s '%s'%s", what, character, tail);
    return token(position, position, TOKEN_ERROR);
}

static struct token_text fail_no_viable(const struct scanner *scanner, uint32_t position)
{
    return fail(scanner, position, "no viable alternative at character", "");
}

static struct token_text fail_mismatch(const struct scanner *scanner, uint32_t position,
                                       const char *expected)
{
    char tail[32];
    snprintf(tail, sizeof tail, " expecting %s", expected);
    return fail(scanner, position, "mismatched character", tail);
}

// ---- Words -------------------------------------------------------------------------------------

struct keyword {
    const char *name;
    uint8_t size;
    uint8_t class;
};

static const struct keyword keywords[] = {
#define X(name, class) {#name, sizeof #name - 1, KEYWORD_##class},
    KEYWORD_MAP(X)
#undef X
};
enum { KEYWORD_COUNT = sizeof keywords / sizeof keywords[0], KEYWORD_SIZE_MAX = 16 };

// The keywords of each first letter stand in [first_of_letter[c], first_of_letter[c + 1]).
enum {
    BEFORE_A = 0,
    BEFORE_B = K_BATCH - K_ACCESS,
    BEFORE_C = K_CALLED - K_ACCESS,
    BEFORE_D = K_DATACENTERS - K_ACCESS,
    BEFORE_E = K_ENTRIES - K_ACCESS,
    BEFORE_F = K_FALSE - K_ACCESS,
    BEFORE_G = K_GRANT - K_ACCESS,
    BEFORE_H = K_HASHED - K_ACCESS,
    BEFORE_I = K_IDENTITY - K_ACCESS,
    BEFORE_J = K_JSON - K_ACCESS,
    BEFORE_K = K_KEY - K_ACCESS,
    BEFORE_L = K_LANGUAGE - K_ACCESS,
    BEFORE_M = K_MAP - K_ACCESS,
    BEFORE_N = K_NAN - K_ACCESS,
    BEFORE_O = K_OF - K_ACCESS,
    BEFORE_P = K_PARTITION - K_ACCESS,
    BEFORE_R = K_RENAME - K_ACCESS,
    BEFORE_S = K_SCHEMA - K_ACCESS,
    BEFORE_T = K_TABLE - K_ACCESS,
    BEFORE_U = K_UNLOGGED - K_ACCESS,
    BEFORE_V = K_VALUES - K_ACCESS,
    BEFORE_W = K_WHERE - K_ACCESS,
};

static const uint8_t first_of_letter[27] = {
    BEFORE_A, BEFORE_B, BEFORE_C,      BEFORE_D,      BEFORE_E,      BEFORE_F,      BEFORE_G,
    BEFORE_H, BEFORE_I, BEFORE_J,      BEFORE_K,      BEFORE_L,      BEFORE_M,      BEFORE_N,
    BEFORE_O, BEFORE_P, BEFORE_R,      BEFORE_R,      BEFORE_S,      BEFORE_T,      BEFORE_U,
    BEFORE_V, BEFORE_W, KEYWORD_COUNT, KEYWORD_COUNT, KEYWORD_COUNT, KEYWORD_COUNT,
};

static enum token_kind word_kind(const uint8_t *word, uint32_t size)
{
    if (size > KEYWORD_SIZE_MAX) return TOKEN_IDENT;
    unsigned letter = (word[0] | 0x20u) - 'a';
    for (unsigned i = first_of_letter[letter]; i < first_of_letter[letter + 1]; i++) {
        if (keywords[i].size != size) continue;
        uint32_t same = 1;
        while (same < size && (word[same] == (uint8_t)keywords[i].name[same] ||
                               folded(word[same]) == folded((uint8_t)keywords[i].name[same])))
            same++;
        if (same == size) return (enum token_kind)(K_ACCESS + (int)i);
    }
    return TOKEN_IDENT;
}

static struct token_text scan_word(const struct scanner *scanner, uint32_t from)
{
    uint32_t end = from + 1;
    while (is_word(at(scanner, end)))
        end++;
    uint32_t size = end - from;
    if (size == 4 && at(scanner, end) == '(' && memcmp(scanner->data + from, "expr", 4) == 0)
        return token(from, end + 1, TOKEN_EXPR_OPEN);
    enum token_kind kind = word_kind(scanner->data + from, size);
    if (kind == K_TRUE || kind == K_FALSE) kind = TOKEN_BOOLEAN_CONSTANT;
    if (kind == K_TABLE) kind = K_COLUMNFAMILY; // One token of two spellings, as in Lexer.g.
    return token(from, end, kind);
}

// ---- Numbers -----------------------------------------------------------------------------------

// 8-4-4-4-12 hexadecimal digits. What is missing is a fault, as no other token is possible.
static struct token_text scan_uuid(const struct scanner *scanner, uint32_t from)
{
    static const uint8_t groups[] = {8, 4, 4, 4, 12};
    uint32_t position = from;
    for (size_t group = 0; group < sizeof groups; group++) {
        if (group > 0) {
            if (at(scanner, position) != '-') return fail_mismatch(scanner, position, "'-'");
            position++;
        }
        for (int i = 0; i < groups[group]; i++, position++) {
            if (!is_hex(at(scanner, position))) return fail_mismatch(scanner, position, "set null");
        }
    }
    return token(from, position, TOKEN_UUID_CONSTANT);
}

static uint32_t skip_hex(const struct scanner *scanner, uint32_t position, uint32_t count_max)
{
    uint32_t end = position;
    while (end - position < count_max && is_hex(at(scanner, end)))
        end++;
    return end;
}

static bool looks_like_uuid(const struct scanner *scanner, uint32_t from)
{
    if (skip_hex(scanner, from, 8) != from + 8 || at(scanner, from + 8) != '-') return false;
    return skip_hex(scanner, from + 9, 4) == from + 13;
}

// Bytes of a unit such as "mo", 0 if there is none.
static uint32_t duration_unit_size(const struct scanner *scanner, uint32_t position)
{
    unsigned first = folded(at(scanner, position)), second = folded(at(scanner, position + 1));
    if (first == 'm' && (second == 'o' || second == 's')) return 2;
    if ((first == 'u' || first == 'n') && second == 's') return 2;
    if (first == 0xC2 && second == 0xB5 && folded(at(scanner, position + 2)) == 's') return 3;
    return first < END && strchr("ymwdhs", (int)first) != NULL && first != 0 ? 1 : 0;
}

// The end of "12h30m" at `from`, or `from` if that is not what stands there.
static uint32_t skip_duration(const struct scanner *scanner, uint32_t from)
{
    uint32_t position = from;
    for (;;) {
        uint32_t digits_end = skip_digits(scanner, position);
        if (digits_end == position) break;
        uint32_t unit = duration_unit_size(scanner, digits_end);
        if (unit == 0) return from;
        position = digits_end + unit;
    }
    return is_word(at(scanner, position)) ? from : position;
}

// One "12Y"-like part of an ISO 8601 duration, if it stands there.
static uint32_t skip_iso_part(const struct scanner *scanner, uint32_t position, char unit)
{
    uint32_t end = skip_digits(scanner, position);
    return end > position && at(scanner, end) == (unsigned)unit ? end + 1 : position;
}

// The end of "P1Y2M3DT4H5M6S", "P2W" or "P0001-02-03T04:05:06" at `from`, or `from`.
static uint32_t skip_iso_duration(const struct scanner *scanner, uint32_t from)
{
    if (at(scanner, from) != 'P') return from;
    uint32_t position = from + 1;
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    uint32_t i = 0;
    while (form[i] != 0 && (form[i] == 'd' ? is_digit(at(scanner, position + i))
                                           : at(scanner, position + i) == (unsigned)form[i]))
        i++;
    if (form[i] == 0) return position + i;

    uint32_t weeks = skip_iso_part(scanner, position, 'W');
    if (weeks == position) {
        for (const char *unit = "YMD"; *unit != 0; unit++)
            position = skip_iso_part(scanner, position, *unit);
        if (at(scanner, position) == 'T') {
            uint32_t time = position + 1;
            for (const char *unit = "HMS"; *unit != 0; unit++)
                time = skip_iso_part(scanner, time, *unit);
            if (time > position + 1) position = time;
        }
    } else {
        position = weeks;
    }
    bool is_whole = position > from + 1 && !is_word(at(scanner, position));
    return is_whole ? position : from;
}

// The end of an exponent at `from` ("e+5"), or `from`.
static uint32_t skip_exponent(const struct scanner *scanner, uint32_t from)
{
    if (folded(at(scanner, from)) != 'e') return from;
    uint32_t digits = from + 1;
    if (at(scanner, digits) == '+' || at(scanner, digits) == '-') digits++;
    uint32_t end = skip_digits(scanner, digits);
    return end > digits ? end : from;
}

// `digits` is behind the "-", if there is one.
static struct token_text scan_number(const struct scanner *scanner, uint32_t from, uint32_t digits)
{
    bool is_negative = digits > from;
    uint32_t end = skip_digits(scanner, digits);
    unsigned next = at(scanner, end);

    if (next == '.' && at(scanner, end + 1) != '.') {
        uint32_t fraction_end = skip_digits(scanner, end + 1);
        return token(from, skip_exponent(scanner, fraction_end), TOKEN_FLOAT);
    }
    if (!is_negative && (is_letter(next) || next == '-') && looks_like_uuid(scanner, from))
        return scan_uuid(scanner, from);
    if (!is_letter(next) && next != 0xC2) return token(from, end, TOKEN_INTEGER);

    if (!is_negative && end == digits + 1 && scanner->data[digits] == '0' && folded(next) == 'x') {
        for (end++; is_hex(at(scanner, end));)
            end++;
        return token(from, end, TOKEN_HEX);
    }
    uint32_t duration_end = skip_duration(scanner, digits);
    if (duration_end > digits) return token(from, duration_end, TOKEN_DURATION_CONSTANT);
    uint32_t exponent_end = skip_exponent(scanner, end);
    if (exponent_end > end) return token(from, exponent_end, TOKEN_FLOAT);
    if (folded(next) == 'e' && !is_hex(at(scanner, end + 1)))
        return fail_no_viable(scanner, end + 1);
    if (!is_negative && is_hex(next)) return scan_uuid(scanner, from);
    return token(from, end, TOKEN_INTEGER);
}

// "-nan", "-infinity": behind "-" and their first letter ANTLR expects nothing else.
static struct token_text scan_negative_word(const struct scanner *scanner, uint32_t from,
                                            const char *word, enum token_kind kind)
{
    uint32_t position = from + 1;
    for (; *word != 0; word++, position++) {
        if (folded(at(scanner, position)) != (unsigned)*word)
            return fail_mismatch(scanner, position, "set null");
    }
    return token(from, position, kind);
}

static struct token_text scan_comment_line(const struct scanner *scanner, uint32_t from)
{
    uint32_t position = from + 2;
    while (at(scanner, position) != '\n' && at(scanner, position) != '\r') {
        if (position >= scanner->size) return fail_mismatch(scanner, position, "set null");
        position++;
    }
    return token(from, position + 1, TOKEN_HIDDEN);
}

static struct token_text scan_minus(const struct scanner *scanner, uint32_t from)
{
    unsigned next = at(scanner, from + 1);
    if (is_digit(next)) return scan_number(scanner, from, from + 1);
    switch (next) {
    case '-':
        return scan_comment_line(scanner, from);
    case '=':
        return token(from, from + 2, TOKEN_MINUS_EQUAL);
    case 'n':
    case 'N':
        return scan_negative_word(scanner, from, "nan", TOKEN_NEGATIVE_NAN);
    case 'i':
    case 'I':
        return scan_negative_word(scanner, from, "infinity", TOKEN_NEGATIVE_INFINITY);
    case 'P': {
        uint32_t end = skip_iso_duration(scanner, from + 1);
        if (end > from + 1) return token(from, end, TOKEN_DURATION_CONSTANT);
        break;
    }
    default:
        break;
    }
    return token(from, from + 1, TOKEN_MINUS);
}

// ---- Quoted texts and comments -----------------------------------------------------------------

// Between quotes, a doubled quote standing for one.
static struct token_text scan_quoted(const struct scanner *scanner, uint32_t from,
                                     enum token_kind kind)
{
    uint8_t quote = scanner->data[from];
    uint32_t position = from + 1;
    for (;;) {
        const uint8_t *found = position < scanner->size ? memchr(scanner->data + position, quote,
                                                                 scanner->size - position)
                                                        : NULL;
        if (found == NULL)
            return fail_mismatch(scanner, scanner->size, quote == '"' ? "'\"'" : "'''");
        position = (uint32_t)(found - scanner->data) + 1;
        if (at(scanner, position) != quote) return token(from, position, kind);
        position++;
    }
}

static struct token_text scan_double_quote(const struct scanner *scanner, uint32_t from)
{
    if (at(scanner, from + 1) == '"' && at(scanner, from + 2) != '"')
        return token(from, from + 2, TOKEN_EMPTY_QUOTED_NAME);
    return scan_quoted(scanner, from, TOKEN_QUOTED_NAME);
}

// "$$ … $$", which has no escapes.
static struct token_text scan_dollar(const struct scanner *scanner, uint32_t from)
{
    if (at(scanner, from + 1) != '$') return fail_mismatch(scanner, from + 1, "'$'");
    uint32_t position = from + 2;
    while (position + 1 < scanner->size &&
           !(scanner->data[position] == '$' && scanner->data[position + 1] == '$'))
        position++;
    if (at(scanner, position) != '$') return fail_mismatch(scanner, position, "'$'");
    if (at(scanner, position + 1) != '$') return fail_mismatch(scanner, position + 1, "'$'");
    return token(from, position + 2, TOKEN_STRING);
}

static struct token_text scan_slash(const struct scanner *scanner, uint32_t from)
{
    if (at(scanner, from + 1) == '/') return scan_comment_line(scanner, from);
    if (at(scanner, from + 1) != '*') return token(from, from + 1, TOKEN_SLASH);
    uint32_t position = from + 2;
    while (!(at(scanner, position) == '*' && at(scanner, position + 1) == '/')) {
        if (position >= scanner->size) return fail_mismatch(scanner, scanner->size, "'*'");
        position++;
    }
    return token(from, position + 2, TOKEN_HIDDEN);
}

static struct token_text scan_space(const struct scanner *scanner, uint32_t from)
{
    uint32_t end = from + 1;
    while (is_space(at(scanner, end)))
        end++;
    return token(from, end, TOKEN_HIDDEN);
}

// One character, or two when `second` follows.
static struct token_text one_or_two(const struct scanner *scanner, uint32_t from,
                                    enum token_kind one, unsigned second, enum token_kind two)
{
    if (at(scanner, from + 1) == second) return token(from, from + 2, two);
    return token(from, from + 1, one);
}

static struct token_text scan_other(const struct scanner *scanner, uint32_t from)
{
    switch (scanner->data[from]) {
    case ' ':
    case '\t':
    case '\n':
    case '\r':
        return scan_space(scanner, from);
    case '(':
        return token(from, from + 1, TOKEN_OPEN);
    case ')':
        return token(from, from + 1, TOKEN_CLOSE);
    case '[':
        return token(from, from + 1, TOKEN_OPEN_SQUARE);
    case ']':
        return token(from, from + 1, TOKEN_CLOSE_SQUARE);
    case '{':
        return token(from, from + 1, TOKEN_OPEN_BRACE);
    case '}':
        return token(from, from + 1, TOKEN_CLOSE_BRACE);
    case ',':
        return token(from, from + 1, TOKEN_COMMA);
    case ';':
        return token(from, from + 1, TOKEN_SEMICOLON);
    case ':':
        return token(from, from + 1, TOKEN_COLON);
    case '?':
        return token(from, from + 1, TOKEN_QMARK);
    case '*':
        return token(from, from + 1, TOKEN_STAR);
    case '%':
        return token(from, from + 1, TOKEN_PERCENT);
    case '=':
        return token(from, from + 1, TOKEN_EQUAL);
    case '.':
        return one_or_two(scanner, from, TOKEN_DOT, '.', TOKEN_RANGE);
    case '<':
        return one_or_two(scanner, from, TOKEN_LESS, '=', TOKEN_LESS_EQUAL);
    case '>':
        return one_or_two(scanner, from, TOKEN_GREATER, '=', TOKEN_GREATER_EQUAL);
    case '+':
        return one_or_two(scanner, from, TOKEN_PLUS, '=', TOKEN_PLUS_EQUAL);
    case '!':
        if (at(scanner, from + 1) != '=') return fail_mismatch(scanner, from + 1, "'='");
        return token(from, from + 2, TOKEN_NOT_EQUAL);
    case '-':
        return scan_minus(scanner, from);
    case '/':
        return scan_slash(scanner, from);
    case '\'':
        return scan_quoted(scanner, from, TOKEN_STRING);
    case '"':
        return scan_double_quote(scanner, from);
    case '$':
        return scan_dollar(scanner, from);
    default:
        return fail_no_viable(scanner, from);
    }
}

struct token_text lexer_next(struct slice text, uint32_t position, struct lexer_fault *fault)
{
    struct scanner scanner = {text.data, (uint32_t)text.size, fault};
    if (position >= scanner.size) return token(scanner.size, scanner.size, TOKEN_EOF);

    unsigned first = scanner.data[position];
    if (is_letter(first)) {
        if (is_hex(first) && looks_like_uuid(&scanner, position))
            return scan_uuid(&scanner, position);
        if (first == 'P') {
            uint32_t end = skip_iso_duration(&scanner, position);
            if (end > position) return token(position, end, TOKEN_DURATION_CONSTANT);
        }
        return scan_word(&scanner, position);
    }
    if (is_digit(first)) return scan_number(&scanner, position, position);
    return scan_other(&scanner, position);
}

// ---- What tokens are called --------------------------------------------------------------------

const char *lexer_token_name(enum token_kind kind)
{
    static const char *const names[] = {
#define X(name, text) text,
        TOKEN_MAP(X)
#undef X
#define X(name, class) "K_" #name,
            KEYWORD_MAP(X)
#undef X
    };
    ASSERT(kind < TOKEN_KIND_COUNT);
    return names[kind];
}

bool lexer_is_keyword(enum token_kind kind)
{
    return kind >= K_ACCESS;
}

enum keyword_class lexer_keyword_class(enum token_kind kind)
{
    ASSERT(lexer_is_keyword(kind));
    return (enum keyword_class)keywords[kind - K_ACCESS].class;
}

enum type_kind lexer_native_type(enum token_kind kind)
{
    switch (kind) {
    case K_ASCII:
        return TYPE_ASCII;
    case K_BIGINT:
        return TYPE_BIGINT;
    case K_BLOB:
        return TYPE_BLOB;
    case K_BOOLEAN:
        return TYPE_BOOLEAN;
    case K_COUNTER:
        return TYPE_COUNTER;
    case K_DATE:
        return TYPE_DATE;
    case K_DECIMAL:
        return TYPE_DECIMAL;
    case K_DOUBLE:
        return TYPE_DOUBLE;
    case K_DURATION:
        return TYPE_DURATION;
    case K_FLOAT:
        return TYPE_FLOAT;
    case K_INET:
        return TYPE_INET;
    case K_INT:
        return TYPE_INT;
    case K_SMALLINT:
        return TYPE_SMALLINT;
    case K_TEXT:
    case K_VARCHAR:
        return TYPE_TEXT;
    case K_TIME:
        return TYPE_TIME;
    case K_TIMESTAMP:
        return TYPE_TIMESTAMP;
    case K_TIMEUUID:
        return TYPE_TIMEUUID;
    case K_TINYINT:
        return TYPE_TINYINT;
    case K_UUID:
        return TYPE_UUID;
    case K_VARINT:
        return TYPE_VARINT;
    default:
        ASSERT(false);
        return TYPE_EMPTY;
    }
}
