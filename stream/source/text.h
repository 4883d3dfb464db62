// Words, hashtags and lower case, as the job's rule has them.
//
// A word is a run of bytes between ASCII white space (space, \t, \n, \v, \f, \r). A hashtag is a
// word that begins with '#' and is longer than that. Lower case is Unicode's simple mapping, code
// point by code point (U+0130 becomes "i"), so that it depends on no language and no neighbours.
#ifndef STREAM_TEXT_H
#define STREAM_TEXT_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

// A place in a text whose words are taken one by one. Words point into the text.
struct text_words {
    const uint8_t *next, *end;
};

struct text_words text_words_of(struct slice text);
// False behind the last.
bool text_words_next(struct text_words *words, struct slice *word);
// The same, only words that are hashtags.
bool text_hashtags_next(struct text_words *words, struct slice *hashtag);

// Appends the lower case of a UTF-8 text. Bytes that are not UTF-8 are copied.
void text_put_lower(struct buffer *out, struct slice text);

bool text_is_utf8(struct slice text);

#endif
