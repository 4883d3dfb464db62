#include "cql/client/answer.h"

#include "cql/protocol/message.h"

// Types inside types: nothing real comes near it, and a hostile server gets no deep recursion.
enum { DEPTH_MAX = 32 };

static struct slice read_string(struct cursor *cursor)
{
    return cursor_take(cursor, cursor_u16(cursor));
}

static struct slice read_bytes(struct cursor *cursor)
{
    int32_t size = (int32_t)cursor_u32(cursor);
    return size < 0 ? slice_null() : cursor_take(cursor, (size_t)size);
}

struct slice answer_next_cell(struct cursor *rows)
{
    return read_bytes(rows);
}

// ---- Types -------------------------------------------------------------------------------------

static const struct type *read_type(struct cursor *cursor, struct arena *arena, int depth);

static const struct type *read_custom_type(struct cursor *cursor, struct arena *arena)
{
    struct slice java = read_string(cursor);
    const struct type *type;
    bool reversed;
    if (cursor->failed) return NULL;
    return type_parse_java(arena, java, &type, &reversed, NULL) == STATUS_OK ? type : NULL;
}

static const struct type *read_composite_type(struct cursor *cursor, struct arena *arena,
                                              enum type_kind kind, int depth)
{
    struct type *type = ARENA_NEW(arena, struct type);
    type->kind = kind;
    type->frozen = kind == TYPE_TUPLE;
    if (kind == TYPE_UDT) {
        type->keyspace = read_string(cursor);
        type->name = read_string(cursor);
    }
    type->parameter_count = kind == TYPE_MAP ? 2 : 1;
    if (kind == TYPE_UDT || kind == TYPE_TUPLE) type->parameter_count = cursor_u16(cursor);
    const size_t parameter_size_min = 2;
    if (cursor->failed || cursor_left(cursor) < type->parameter_count * parameter_size_min)
        return NULL;
    const struct type **parameters =
        ARENA_NEW_ARRAY(arena, const struct type *, type->parameter_count);
    struct slice *names = ARENA_NEW_ARRAY(arena, struct slice, type->parameter_count);
    for (uint16_t i = 0; i < type->parameter_count; i++) {
        if (kind == TYPE_UDT) names[i] = read_string(cursor);
        parameters[i] = read_type(cursor, arena, depth + 1);
        if (parameters[i] == NULL) return NULL;
    }
    type->parameters = parameters;
    type->field_names = kind == TYPE_UDT ? names : NULL;
    return type;
}

static const struct type *read_type(struct cursor *cursor, struct arena *arena, int depth)
{
    uint16_t id = cursor_u16(cursor);
    if (cursor->failed || depth > DEPTH_MAX) return NULL;
    switch (id) {
    case 0:
        return read_custom_type(cursor, arena);
    case 0x20:
        return read_composite_type(cursor, arena, TYPE_LIST, depth);
    case 0x21:
        return read_composite_type(cursor, arena, TYPE_MAP, depth);
    case 0x22:
        return read_composite_type(cursor, arena, TYPE_SET, depth);
    case 0x30:
        return read_composite_type(cursor, arena, TYPE_UDT, depth);
    case 0x31:
        return read_composite_type(cursor, arena, TYPE_TUPLE, depth);
    default:
        break;
    }
    static const struct {
        uint16_t id;
        enum type_kind kind;
    } kinds[] = {
#define X(kind, cql, java, id, size) {id, TYPE_##kind},
        TYPE_MAP(X)
#undef X
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].id == id) return type_of_kind(kinds[i].kind);
    return NULL;
}

const struct type *answer_read_type(struct cursor *cursor, struct arena *arena)
{
    return read_type(cursor, arena, 0);
}

// ---- RESULT ------------------------------------------------------------------------------------

enum {
    METADATA_GLOBAL_TABLE = 1,
    METADATA_MORE_PAGES = 2,
    METADATA_NONE = 4,
    METADATA_CHANGED = 8,
};

static bool read_columns(struct cursor *cursor, struct arena *arena, uint32_t flags,
                         struct answer_columns *columns)
{
    const size_t column_size_min = 4;
    if (cursor->failed || columns->count > cursor_left(cursor) / column_size_min) return false;
    struct slice keyspace = slice_make("", 0), table = keyspace;
    columns->have_one_table = (flags & METADATA_GLOBAL_TABLE) != 0;
    if (columns->have_one_table) {
        keyspace = read_string(cursor);
        table = read_string(cursor);
    }
    struct column_spec *items = ARENA_NEW_ARRAY(arena, struct column_spec, columns->count + 1);
    for (uint32_t i = 0; i < columns->count; i++) {
        items[i].keyspace = columns->have_one_table ? keyspace : read_string(cursor);
        items[i].table = columns->have_one_table ? table : read_string(cursor);
        items[i].name = read_string(cursor);
        items[i].type = answer_read_type(cursor, arena);
        if (items[i].type == NULL) return false;
    }
    columns->items = items;
    return true;
}

// Of ROWS, and of the result of a PREPARED statement.
static bool read_result_metadata(struct cursor *cursor, struct arena *arena, struct answer *answer)
{
    uint32_t flags = cursor_u32(cursor);
    answer->columns = (struct answer_columns){.count = cursor_u32(cursor)};
    answer->paging_state = answer->new_metadata_id = slice_null();
    if ((flags & METADATA_MORE_PAGES) != 0) answer->paging_state = read_bytes(cursor);
    if ((flags & METADATA_CHANGED) != 0) answer->new_metadata_id = read_string(cursor);
    if ((flags & METADATA_NONE) != 0) return !cursor->failed;
    return read_columns(cursor, arena, flags, &answer->columns);
}

static bool read_rows(struct cursor *cursor, struct arena *arena, struct answer *answer)
{
    if (!read_result_metadata(cursor, arena, answer)) return false;
    answer->row_count = cursor_u32(cursor);
    answer->rows = slice_make(cursor->next, cursor_left(cursor));
    if (cursor->failed) return false;
    // A cell has four bytes at least, so a count that lies would cost more than its bytes.
    uint32_t columns = answer->columns.count;
    return answer->row_count == 0 ||
           (columns > 0 && answer->row_count <= answer->rows.size / 4 / columns);
}

static bool read_prepared(struct cursor *cursor, struct arena *arena, struct answer *answer)
{
    answer->id = read_string(cursor);
    answer->metadata_id = answer->version >= 5 ? read_string(cursor) : slice_null();
    uint32_t flags = cursor_u32(cursor);
    answer->markers = (struct answer_columns){.count = cursor_u32(cursor)};
    answer->partition_key_markers = NULL;
    answer->partition_key_marker_count = 0;
    if (answer->version >= 4) {
        uint32_t count = cursor_u32(cursor);
        if (cursor->failed || count > cursor_left(cursor) / 2) return false;
        uint16_t *indexes = ARENA_NEW_ARRAY(arena, uint16_t, count + 1);
        for (uint32_t i = 0; i < count; i++)
            indexes[i] = cursor_u16(cursor);
        answer->partition_key_markers = indexes;
        answer->partition_key_marker_count = count;
    }
    return read_columns(cursor, arena, flags, &answer->markers) &&
           read_result_metadata(cursor, arena, answer);
}

static bool read_schema_change(struct cursor *cursor, struct answer *answer)
{
    answer->change = read_string(cursor);
    answer->target = read_string(cursor);
    answer->keyspace = read_string(cursor);
    bool has_name = !slice_equals(answer->target, slice_of_text("KEYSPACE"));
    answer->name = has_name ? read_string(cursor) : slice_make("", 0);
    return !cursor->failed;
}

static bool read_result(struct cursor *cursor, struct arena *arena, struct answer *answer)
{
    uint32_t kind = cursor_u32(cursor);
    if (cursor->failed) return false;
    switch (kind) {
    case RESULT_VOID:
        answer->kind = RESULT_VOID;
        return true;
    case RESULT_ROWS:
        answer->kind = RESULT_ROWS;
        return read_rows(cursor, arena, answer);
    case RESULT_SET_KEYSPACE:
        answer->kind = RESULT_SET_KEYSPACE;
        answer->keyspace = read_string(cursor);
        return !cursor->failed;
    case RESULT_PREPARED:
        answer->kind = RESULT_PREPARED;
        return read_prepared(cursor, arena, answer);
    case RESULT_SCHEMA_CHANGE:
        answer->kind = RESULT_SCHEMA_CHANGE;
        return read_schema_change(cursor, answer);
    default:
        return false;
    }
}

// ---- Whole answers -----------------------------------------------------------------------------

static bool read_event(struct cursor *cursor, struct answer *answer)
{
    answer->event = read_string(cursor);
    if (slice_equals(answer->event, slice_of_text("SCHEMA_CHANGE")))
        return read_schema_change(cursor, answer);
    answer->change = read_string(cursor);
    return !cursor->failed;
}

static bool read_error(struct cursor *cursor, struct answer *answer)
{
    answer->error_code = (enum cql_error_code)cursor_u32(cursor);
    answer->error_text = read_string(cursor);
    answer->error_extras = slice_make(cursor->next, cursor_left(cursor));
    return !cursor->failed;
}

// What may stand before the message: tracing id, warnings, custom payload.
static bool read_prefixes(struct cursor *cursor, uint8_t flags, struct answer *answer)
{
    answer->warnings = slice_make("", 0);
    if ((flags & FRAME_FLAG_TRACING) != 0) (void)cursor_take(cursor, 16);
    if ((flags & FRAME_FLAG_WARNING) != 0) {
        const uint8_t *from = cursor->next;
        for (uint32_t count = cursor_u16(cursor); count > 0 && !cursor->failed; count--)
            (void)read_string(cursor);
        if (cursor->failed) return false;
        answer->warnings = slice_make(from, (size_t)(cursor->next - from));
    }
    if ((flags & FRAME_FLAG_CUSTOM_PAYLOAD) != 0) {
        for (uint32_t count = cursor_u16(cursor); count > 0 && !cursor->failed; count--) {
            (void)read_string(cursor);
            (void)read_bytes(cursor);
        }
    }
    return !cursor->failed;
}

static bool read_message(struct cursor *cursor, struct arena *arena, struct answer *answer)
{
    switch (answer->opcode) {
    case OPCODE_ERROR:
        return read_error(cursor, answer);
    case OPCODE_RESULT:
        return read_result(cursor, arena, answer);
    case OPCODE_EVENT:
        return read_event(cursor, answer);
    default:
        return !frame_opcode_is_request(answer->opcode) &&
               frame_opcode_text(answer->opcode) != NULL;
    }
}

enum status answer_decode(const struct frame *frame, struct arena *arena, struct answer *answer,
                          struct error *error)
{
    struct cursor cursor = cursor_make(frame->body);
    answer->opcode = frame->opcode;
    answer->version = frame->version;
    if (read_prefixes(&cursor, frame->flags, answer) && read_message(&cursor, arena, answer))
        return STATUS_OK;
    return error_set(error, STATUS_MALFORMED, "a response of opcode %d makes no sense",
                     (int)frame->opcode);
}
