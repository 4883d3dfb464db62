// Functions that jobs need often, as compiled code. Columns of a record count from 1, as in Lua.
#ifndef STREAM_FUNCTIONS_H
#define STREAM_FUNCTIONS_H

#include "stream/dataset/dataset.h"

// For each word, hashtag (text.h) in column `column`: the record with the word in that place, in
// lower case. A column that is no text is a line of WRONG_TYPE.
struct function *functions_words(size_t column);
struct function *functions_hashtags(size_t column);
// The column's text in lower case.
struct function *functions_lower(size_t column);
// The column's date (day.h) as "yyyyMMdd". A line whose column is no date is of WRONG_TYPE.
struct function *functions_day(size_t column);

// A record of some columns and constants.
struct functions_pick {
    size_t column; // 0: the constant.
    struct value constant;
};
struct function *functions_columns(const struct functions_pick *picks, size_t count);

#endif
