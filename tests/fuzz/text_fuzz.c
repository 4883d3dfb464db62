// A tweet's text and date: words, hashtags, lower case, the day.
#include "stream/source/day.h"
#include "stream/source/text.h"
#include "tests/fuzz/targets.h"

FUZZ_TARGET(text)
{
    int64_t seconds;
    if (day_parse_time(input, &seconds)) {
        char day[DAY_TEXT_SIZE];
        day_format(seconds, day);
        for (int i = 0; i < DAY_TEXT_SIZE; i++)
            ASSERT(day[i] >= '0' && day[i] <= '9');
    }
    struct slice word;
    struct text_words words = text_words_of(input);
    while (text_words_next(&words, &word))
        ASSERT(word.size > 0);
    words = text_words_of(input);
    while (text_hashtags_next(&words, &word))
        ASSERT(word.size > 1 && word.data[0] == '#');
    struct buffer lower, again;
    buffer_init(&lower, 1 << 24);
    buffer_init(&again, 1 << 24);
    text_put_lower(&lower, input);
    ASSERT(text_is_utf8(input) == text_is_utf8(buffer_slice(&lower)));
    text_put_lower(&again, buffer_slice(&lower));
    ASSERT(slice_equals(buffer_slice(&lower), buffer_slice(&again)));
    buffer_deinit(&again);
    buffer_deinit(&lower);
}
