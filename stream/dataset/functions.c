#include "stream/dataset/functions.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "stream/source/day.h"
#include "stream/source/text.h"

#include <stdlib.h>

struct functions_column {
    struct function function;
    size_t column; // From 0.
    struct buffer lower;
    // day: the last date and its day; dates come in runs.
    uint8_t date[64];
    size_t date_size;
    char day[DAY_TEXT_SIZE];
};

static void functions_column_destroy(struct function *function)
{
    struct functions_column *self = CONTAINER_OF(function, struct functions_column, function);
    buffer_deinit(&self->lower);
    free(self);
}

static struct function *functions_column_create(const struct function_ops *ops, size_t column)
{
    ASSERT(column > 0);
    struct functions_column *self = calloc(1, sizeof *self);
    ASSERT(self != NULL);
    self->function.ops = ops;
    self->column = column - 1;
    buffer_init(&self->lower, 4 * (size_t)STREAM_LINE_SIZE_MAX);
    return &self->function;
}

static const struct value *functions_text_of(const struct functions_column *self,
                                             const struct record *record)
{
    if (self->column >= record->count) return NULL;
    const struct value *value = &record->values[self->column];
    return value->kind == VALUE_TEXT ? value : NULL;
}

// Emits the record with another text in the function's column.
static enum status functions_emit_with(const struct functions_column *self, struct dataset *at,
                                       const struct record *record, struct slice text)
{
    struct value values[VALUE_ITEMS_MAX];
    memcpy(values, record->values, record->count * sizeof *values);
    values[self->column] = value_text(text);
    return dataset_emit(at, &(struct record){values, record->count});
}

static enum status functions_emit_words(struct function *function, struct dataset *at,
                                        const struct record *record,
                                        bool (*next)(struct text_words *, struct slice *))
{
    struct functions_column *self = CONTAINER_OF(function, struct functions_column, function);
    const struct value *text = functions_text_of(self, record);
    if (text == NULL) return dataset_drop(at, JSON_FAULT_WRONG_TYPE);
    struct text_words words = text_words_of(text->text);
    struct slice word;
    while (next(&words, &word)) {
        buffer_clear(&self->lower);
        text_put_lower(&self->lower, word);
        enum status status = functions_emit_with(self, at, record, buffer_slice(&self->lower));
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static enum status functions_words_apply(struct function *function, struct dataset *at,
                                         const struct record *record)
{
    return functions_emit_words(function, at, record, text_words_next);
}

struct function *functions_words(size_t column)
{
    static const struct function_ops ops = {.apply = functions_words_apply,
                                            .destroy = functions_column_destroy};
    return functions_column_create(&ops, column);
}

static enum status functions_hashtags_apply(struct function *function, struct dataset *at,
                                            const struct record *record)
{
    return functions_emit_words(function, at, record, text_hashtags_next);
}

struct function *functions_hashtags(size_t column)
{
    static const struct function_ops ops = {.apply = functions_hashtags_apply,
                                            .destroy = functions_column_destroy};
    return functions_column_create(&ops, column);
}

static enum status functions_lower_apply(struct function *function, struct dataset *at,
                                         const struct record *record)
{
    struct functions_column *self = CONTAINER_OF(function, struct functions_column, function);
    const struct value *text = functions_text_of(self, record);
    if (text == NULL) return dataset_drop(at, JSON_FAULT_WRONG_TYPE);
    buffer_clear(&self->lower);
    text_put_lower(&self->lower, text->text);
    return functions_emit_with(self, at, record, buffer_slice(&self->lower));
}

struct function *functions_lower(size_t column)
{
    static const struct function_ops ops = {.apply = functions_lower_apply,
                                            .destroy = functions_column_destroy};
    return functions_column_create(&ops, column);
}

static enum status functions_day_apply(struct function *function, struct dataset *at,
                                       const struct record *record)
{
    struct functions_column *self = CONTAINER_OF(function, struct functions_column, function);
    const struct value *text = functions_text_of(self, record);
    if (text == NULL) return dataset_drop(at, JSON_FAULT_WRONG_TYPE);
    struct slice date = text->text;
    if (date.size == 0 || date.size > sizeof self->date)
        return dataset_drop(at, JSON_FAULT_WRONG_TYPE);
    if (date.size != self->date_size || memcmp(date.data, self->date, date.size) != 0) {
        int64_t seconds;
        if (!day_parse_time(date, &seconds)) return dataset_drop(at, JSON_FAULT_WRONG_TYPE);
        memcpy(self->date, date.data, date.size);
        self->date_size = date.size;
        day_format(seconds, self->day);
    }
    return functions_emit_with(self, at, record, slice_make(self->day, DAY_TEXT_SIZE));
}

struct function *functions_day(size_t column)
{
    static const struct function_ops ops = {.apply = functions_day_apply,
                                            .destroy = functions_column_destroy};
    return functions_column_create(&ops, column);
}

struct functions_columns {
    struct function function;
    struct arena arena; // Of the constants.
    size_t count;
    struct functions_pick picks[VALUE_ITEMS_MAX];
};

static enum status functions_columns_apply(struct function *function, struct dataset *at,
                                           const struct record *record)
{
    struct functions_columns *self = CONTAINER_OF(function, struct functions_columns, function);
    struct value values[VALUE_ITEMS_MAX];
    for (size_t i = 0; i < self->count; i++) {
        size_t column = self->picks[i].column;
        if (column > record->count)
            return dataset_fail(at, STATUS_INVALID, "no column %zu in a record of %zu", column,
                                record->count);
        values[i] = column == 0 ? self->picks[i].constant : record->values[column - 1];
    }
    return dataset_emit(at, &(struct record){values, self->count});
}

static void functions_columns_destroy(struct function *function)
{
    struct functions_columns *self = CONTAINER_OF(function, struct functions_columns, function);
    arena_deinit(&self->arena);
    free(self);
}

struct function *functions_columns(const struct functions_pick *picks, size_t count)
{
    static const struct function_ops ops = {.apply = functions_columns_apply,
                                            .destroy = functions_columns_destroy};
    ASSERT(count <= VALUE_ITEMS_MAX);
    struct functions_columns *self = calloc(1, sizeof *self);
    ASSERT(self != NULL);
    self->function.ops = &ops;
    self->count = count;
    arena_init(&self->arena, 256);
    for (size_t i = 0; i < count; i++) {
        self->picks[i] = picks[i];
        self->picks[i].constant = value_copy(&self->arena, &picks[i].constant);
    }
    return &self->function;
}
