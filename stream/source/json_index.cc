#include "stream/source/json_index.h"

#include <simdjson.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

// simdjson's own front ends build a tape or walk lazily. The first copies every string, the second
// does not check what it skips; a line with damage behind the wanted fields must not count, so we
// take the first stage alone and walk its marks ourselves. The stage is a public member of the
// library, made for its front ends.
struct json_index {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> stage;
    size_t capacity = 0;
};

extern "C" struct json_index *json_index_create(void)
{
    return new json_index;
}

extern "C" void json_index_destroy(struct json_index *index)
{
    delete index;
}

static bool json_index_grow(struct json_index *index, size_t size)
{
    const size_t capacity_min = 16 * 1024;
    size_t capacity = std::max(capacity_min, size + size / 2);
    if (index->stage != nullptr)
        return index->stage->set_capacity(capacity) == simdjson::SUCCESS &&
               (index->capacity = capacity) != 0;
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(
            capacity, 1, index->stage) != simdjson::SUCCESS)
        return false;
    index->capacity = capacity;
    return true;
}

extern "C" enum json_index_result json_index_find(struct json_index *index, const uint8_t *text,
                                                  size_t size, const uint32_t **marks,
                                                  size_t *count)
{
    if (size == 0) return JSON_INDEX_NOT_JSON;
    if (size > index->capacity && !json_index_grow(index, size)) std::abort(); // Out of memory.
    switch (index->stage->stage1(text, size, simdjson::stage1_mode::regular)) {
    case simdjson::SUCCESS:
        *marks = index->stage->structural_indexes.get();
        *count = index->stage->n_structural_indexes;
        return JSON_INDEX_OK;
    case simdjson::UTF8_ERROR:
        return JSON_INDEX_NOT_UTF8;
    default:
        return JSON_INDEX_NOT_JSON;
    }
}
