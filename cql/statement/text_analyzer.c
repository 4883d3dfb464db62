#include "cql/statement/text_analyzer.h"

#include "storage/schema/options.h"

static bool text_analyzer_is_set(const struct options *options, const char *key, const char *value)
{
    struct slice given = options_find(options, key);
    return !slice_is_null(given) && slice_equals(given, slice_of_text(value));
}

// Letters of two bytes of UTF-8: Latin-1 and Latin Extended-A, Greek, Cyrillic.
static unsigned text_analyzer_lower(unsigned letter)
{
    if (letter < 0x80) return letter >= 'A' && letter <= 'Z' ? letter + 32 : letter;
    if (letter >= 0xc0 && letter <= 0xde && letter != 0xd7) return letter + 32;
    bool is_pair_even = (letter >= 0x100 && letter <= 0x137 && letter != 0x130) ||
                        (letter >= 0x14a && letter <= 0x177);
    bool is_pair_odd = (letter >= 0x139 && letter <= 0x148) || (letter >= 0x179 && letter <= 0x17e);
    if (is_pair_even) return letter | 1;
    if (is_pair_odd) return letter % 2 == 1 ? letter + 1 : letter;
    if (letter >= 0x391 && letter <= 0x3a9 && letter != 0x3a2) return letter + 32;
    if (letter >= 0x410 && letter <= 0x42f) return letter + 32;
    if (letter >= 0x400 && letter <= 0x40f) return letter + 80;
    return letter;
}

// Latin-1's letters without their accents; 0: there is none.
static char text_analyzer_plain(unsigned letter)
{
    static const char letters[] =
        "AAAAAA?CEEEEIIII?NOOOOO?OUUUUY??aaaaaa?ceeeeiiii?nooooo?ouuuuy?y";
    if (letter < 0xc0 || letter > 0xff) return 0;
    char plain = letters[letter - 0xc0];
    return plain == '?' ? 0 : plain;
}

struct slice text_analyzer_apply(const struct options *options, struct slice text,
                                 struct arena *arena)
{
    bool folds = text_analyzer_is_set(options, "case_sensitive", "false");
    bool to_ascii = text_analyzer_is_set(options, "ascii", "true");
    if ((!folds && !to_ascii) || text.size == 0) return text;
    uint8_t *made = arena_alloc(arena, text.size);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        bool is_pair = (byte & 0xe0) == 0xc0 && i + 1 < text.size;
        unsigned letter = is_pair ? ((byte & 0x1fu) << 6) | (text.data[i + 1] & 0x3fu) : byte;
        if (!is_pair && byte >= 0x80) {
            made[size++] = byte; // Of a longer sequence.
            continue;
        }
        i += is_pair;
        if (to_ascii && text_analyzer_plain(letter) != 0)
            letter = (uint8_t)text_analyzer_plain(letter);
        if (folds) letter = text_analyzer_lower(letter);
        if (letter >= 0x80) {
            made[size++] = (uint8_t)(0xc0 | letter >> 6);
            made[size++] = (uint8_t)(0x80 | (letter & 0x3f));
        } else {
            made[size++] = (uint8_t)letter;
        }
    }
    return slice_make(made, size);
}
