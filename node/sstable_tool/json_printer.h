// JSON as Cassandra's sstabledump lays it out (JsonTransformer.CompactIndenter): most of it
// indented, small things in one line, and the marks where it forgets which of both it is in.
//
// As Jackson's pretty printer it writes what stands between two values when it meets the second:
// whether that is a line's end or a blank depends on `object_compact` and `array_compact` then.
#ifndef NODE_SSTABLE_TOOL_JSON_PRINTER_H
#define NODE_SSTABLE_TOOL_JSON_PRINTER_H

#include "base/buffer.h"

enum { JSON_PRINTER_DEPTH_MAX = 16 };

struct json_printer {
    struct buffer *text;
    bool minimal; // No blanks at all; a line for each value that stands in nothing.
    bool object_compact, array_compact;
    uint32_t depth;
    struct {
        bool is_object;
        uint64_t count;
    } levels[JSON_PRINTER_DEPTH_MAX];
};

void json_printer_init(struct json_printer *printer, struct buffer *text, bool minimal);
void json_printer_begin_object(struct json_printer *printer);
void json_printer_end_object(struct json_printer *printer);
void json_printer_begin_array(struct json_printer *printer);
void json_printer_end_array(struct json_printer *printer);
// The name of an object's next value.
void json_printer_name(struct json_printer *printer, const char *name);
void json_printer_string(struct json_printer *printer, struct slice string);
void json_printer_number(struct json_printer *printer, int64_t number);
void json_printer_bool(struct json_printer *printer, bool value);
// The caller then puts the value into `text`.
void json_printer_raw(struct json_printer *printer);

#endif
