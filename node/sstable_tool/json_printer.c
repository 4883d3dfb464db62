#include "node/sstable_tool/json_printer.h"

#include "base/assert.h"
#include "storage/value.h"

#include <inttypes.h>

void json_printer_init(struct json_printer *printer, struct buffer *text, bool minimal)
{
    *printer = (struct json_printer){.text = text, .minimal = minimal};
}

static void put_text(struct json_printer *printer, const char *text)
{
    buffer_put(printer->text, text, strlen(text));
}

static void indent(struct json_printer *printer, bool compact)
{
    if (printer->minimal) return;
    if (compact) {
        put_text(printer, " ");
        return;
    }
    put_text(printer, "\n");
    for (uint32_t i = 0; i < printer->depth; i++)
        put_text(printer, "  ");
}

// What stands before a value.
static void before_value(struct json_printer *printer)
{
    uint64_t count = printer->levels[printer->depth].count++;
    if (printer->depth == 0) {
        if (count > 0) put_text(printer, printer->minimal ? "\n" : " ");
    } else if (!printer->levels[printer->depth].is_object) {
        if (count > 0) put_text(printer, ",");
        indent(printer, printer->array_compact);
    }
}

static void begin(struct json_printer *printer, bool is_object)
{
    before_value(printer);
    put_text(printer, is_object ? "{" : "[");
    ASSERT(printer->depth + 1 < JSON_PRINTER_DEPTH_MAX);
    printer->depth++;
    printer->levels[printer->depth].is_object = is_object;
    printer->levels[printer->depth].count = 0;
}

static void end(struct json_printer *printer, bool is_object)
{
    ASSERT(printer->depth > 0 && printer->levels[printer->depth].is_object == is_object);
    uint64_t count = printer->levels[printer->depth--].count;
    if (count > 0)
        indent(printer, is_object ? printer->object_compact : printer->array_compact);
    else if (!printer->minimal)
        put_text(printer, " ");
    put_text(printer, is_object ? "}" : "]");
}

void json_printer_begin_object(struct json_printer *printer)
{
    begin(printer, true);
}

void json_printer_end_object(struct json_printer *printer)
{
    end(printer, true);
}

void json_printer_begin_array(struct json_printer *printer)
{
    begin(printer, false);
}

void json_printer_end_array(struct json_printer *printer)
{
    end(printer, false);
}

void json_printer_name(struct json_printer *printer, const char *name)
{
    if (printer->levels[printer->depth].count > 0) put_text(printer, ",");
    indent(printer, printer->object_compact);
    buffer_put_format(printer->text, "\"%s\"%s", name, printer->minimal ? ":" : " : ");
}

void json_printer_string(struct json_printer *printer, struct slice string)
{
    before_value(printer);
    value_put_json(type_of_kind(TYPE_TEXT), string, printer->text);
}

void json_printer_number(struct json_printer *printer, int64_t number)
{
    before_value(printer);
    buffer_put_format(printer->text, "%" PRId64, number);
}

void json_printer_bool(struct json_printer *printer, bool value)
{
    before_value(printer);
    put_text(printer, value ? "true" : "false");
}

void json_printer_raw(struct json_printer *printer)
{
    before_value(printer);
}
