#include "stream/lua/lua_internal.h"

void lua_value_push(lua_State *L, const struct value *value)
{
    switch (value->kind) {
    case VALUE_NULL:
        lua_pushnil(L);
        break;
    case VALUE_BOOLEAN:
        lua_pushboolean(L, value->boolean);
        break;
    case VALUE_INTEGER:
        lua_pushnumber(L, (lua_Number)value->integer);
        break;
    case VALUE_NUMBER:
        lua_pushnumber(L, value->number);
        break;
    case VALUE_TEXT:
        lua_pushlstring(L, (const char *)value->text.data, value->text.size);
        break;
    case VALUE_TUPLE:
        luaL_checkstack(L, 2, "tuple");
        lua_createtable(L, (int)value->tuple.count, 0);
        for (size_t i = 0; i < value->tuple.count; i++) {
            lua_value_push(L, &value->tuple.items[i]);
            lua_rawseti(L, -2, (int)i + 1);
        }
        break;
    }
}

static const char *lua_value_read_table(lua_State *L, int index, struct arena *arena, int depth,
                                        struct value *value);

static const char *lua_value_read_at_depth(lua_State *L, int index, struct arena *arena, int depth,
                                           struct value *value)
{
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        *value = value_null();
        return NULL;
    case LUA_TBOOLEAN:
        *value = value_boolean(lua_toboolean(L, index));
        return NULL;
    case LUA_TNUMBER:
        *value = value_number(lua_tonumber(L, index));
        return NULL;
    case LUA_TSTRING: {
        size_t size;
        const char *text = lua_tolstring(L, index, &size);
        *value = value_text(slice_make(text, size));
        return NULL;
    }
    case LUA_TTABLE:
        return lua_value_read_table(L, index, arena, depth, value);
    default:
        return "a record is made of strings, numbers, booleans and tables of these";
    }
}

// The items stay in the table, which keeps their texts alive when they leave the stack.
static const char *lua_value_read_table(lua_State *L, int index, struct arena *arena, int depth,
                                        struct value *value)
{
    size_t count = lua_objlen(L, index);
    if (count > VALUE_ITEMS_MAX) return "a tuple of too many values";
    if (depth == VALUE_DEPTH_MAX || !lua_checkstack(L, 2)) return "tables too deep in each other";
    struct value *items = ARENA_NEW_ARRAY(arena, struct value, count);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, index, (int)i + 1);
        const char *fault = lua_value_read_at_depth(L, lua_gettop(L), arena, depth + 1, &items[i]);
        lua_pop(L, 1);
        if (fault != NULL) return fault;
    }
    *value = value_tuple(items, count);
    return NULL;
}

const char *lua_value_read(lua_State *L, int index, struct arena *arena, struct value *value)
{
    return lua_value_read_at_depth(L, index, arena, 0, value);
}
