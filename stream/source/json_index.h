// The marks of a JSON text, found by simdjson's first stage at several bytes a cycle: where each
// bracket, colon and comma outside of strings stands, and where each string and each other scalar
// begins. It also checks that the text is UTF-8, that its strings are closed and hold no control
// characters. All the rest is json.c's.
//
// This is the one C++ part of the program, because simdjson has no C interface.
#ifndef STREAM_JSON_INDEX_H
#define STREAM_JSON_INDEX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct json_index;

enum json_index_result { JSON_INDEX_OK, JSON_INDEX_NOT_JSON, JSON_INDEX_NOT_UTF8 };

struct json_index *json_index_create(void);
void json_index_destroy(struct json_index *index);

// `*marks` are the `*count` places in rising order, followed by one mark at `size`; valid until the
// next call. No byte behind `size` is read.
enum json_index_result json_index_find(struct json_index *index, const uint8_t *text, size_t size,
                                       const uint32_t **marks, size_t *count);

#ifdef __cplusplus
}
#endif

#endif
