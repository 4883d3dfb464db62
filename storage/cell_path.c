#include "storage/cell_path.h"

int cell_path_compare(const struct type *type, struct slice a, struct slice b)
{
    if (!type_is_multi_cell(type)) return 0;
    switch (type->kind) {
    case TYPE_MAP:
    case TYPE_SET:
        return type_compare(type->parameters[0], a, b);
    case TYPE_LIST:
        return type_compare(type_of_kind(TYPE_TIMEUUID), a, b);
    default: // A UDT: its fields' indexes, big-endian and never negative.
        return slice_compare(a, b);
    }
}
