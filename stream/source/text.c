#include "stream/source/text.h"

#include <string.h>
#include <utf8proc.h>

static bool text_is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

struct text_words text_words_of(struct slice text)
{
    return (struct text_words){text.data, text.size == 0 ? text.data : text.data + text.size};
}

static struct slice text_word_at(struct text_words *words, const uint8_t *start)
{
    const uint8_t *at = start;
    while (at < words->end && !text_is_space(*at))
        at++;
    words->next = at;
    return slice_make(start, (size_t)(at - start));
}

bool text_words_next(struct text_words *words, struct slice *word)
{
    const uint8_t *at = words->next;
    while (at < words->end && text_is_space(*at))
        at++;
    if (at == words->end) return false;
    *word = text_word_at(words, at);
    return true;
}

bool text_hashtags_next(struct text_words *words, struct slice *hashtag)
{
    // Most texts have few '#': jump to each and see whether a word begins there. `next` is the
    // start of the text or the end of a word, so the byte before it never matters.
    const uint8_t *start = words->next;
    while (words->next < words->end) {
        const uint8_t *at = memchr(words->next, '#', (size_t)(words->end - words->next));
        if (at == NULL) break;
        words->next = at + 1;
        if (at > start && !text_is_space(at[-1])) continue;
        *hashtag = text_word_at(words, at);
        if (hashtag->size > 1) return true;
    }
    words->next = words->end;
    return false;
}

// Appends one code point of `text` in lower case and returns how many bytes of `text` it took.
static size_t text_put_lower_code_point(struct buffer *out, struct slice text)
{
    utf8proc_int32_t code;
    utf8proc_ssize_t size = utf8proc_iterate(text.data, (utf8proc_ssize_t)text.size, &code);
    if (size <= 0) {
        buffer_put_u8(out, text.data[0]);
        return 1;
    }
    uint8_t lower[4];
    utf8proc_ssize_t lower_size = utf8proc_encode_char(utf8proc_tolower(code), lower);
    buffer_put(out, lower, (size_t)lower_size);
    return (size_t)size;
}

void text_put_lower(struct buffer *out, struct slice text)
{
    for (size_t at = 0; at < text.size;) {
        size_t ascii = at;
        while (ascii < text.size && text.data[ascii] < 0x80)
            ascii++;
        uint8_t *to = ascii == at ? NULL : buffer_reserve(out, ascii - at);
        for (size_t i = at; to != NULL && i < ascii; i++) {
            uint8_t byte = text.data[i];
            *to++ = (uint8_t)((unsigned)byte - (unsigned)'A' < 26u ? byte | 0x20 : byte);
        }
        at = ascii;
        if (at < text.size)
            at += text_put_lower_code_point(out, slice_make(text.data + at, text.size - at));
    }
}

bool text_is_utf8(struct slice text)
{
    for (size_t at = 0; at < text.size;) {
        if (text.data[at] < 0x80) {
            at++;
            continue;
        }
        utf8proc_int32_t code;
        utf8proc_ssize_t size =
            utf8proc_iterate(text.data + at, (utf8proc_ssize_t)(text.size - at), &code);
        if (size <= 0) return false;
        at += (size_t)size;
    }
    return true;
}
