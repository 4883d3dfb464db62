// The globals of a script. Several names do two things: with a text they answer at once, with a
// column's number (or nothing: column 1) they give a native operator, as in flatMap(hashtags(1)).
#include "base/assert.h"
#include "stream/dataset/functions.h"
#include "stream/lua/lua_internal.h"
#include "stream/source/day.h"
#include "stream/source/text.h"

#include <math.h>
#include <string.h>

#define LUA_LIBRARY_NATIVE "native operator"

enum lua_native_kind { NATIVE_WORDS, NATIVE_HASHTAGS, NATIVE_LOWER, NATIVE_DAY, NATIVE_COLUMNS };

// A userdata; the texts of constants are kept alive by its environment table.
struct lua_native {
    enum lua_native_kind kind;
    size_t count;
    struct functions_pick picks[VALUE_ITEMS_MAX];
};

static struct lua_native *lua_library_push_native(lua_State *L, enum lua_native_kind kind)
{
    struct lua_native *native = lua_newuserdata(L, sizeof *native);
    memset(native, 0, sizeof *native);
    native->kind = kind;
    luaL_getmetatable(L, LUA_LIBRARY_NATIVE);
    lua_setmetatable(L, -2);
    return native;
}

static int lua_library_column_native(lua_State *L, enum lua_native_kind kind)
{
    lua_Number column = luaL_optnumber(L, 1, 1);
    luaL_argcheck(L, column >= 1 && column <= VALUE_ITEMS_MAX && column == floor(column), 1,
                  "a column's number, from 1");
    struct lua_native *native = lua_library_push_native(L, kind);
    native->picks[0].column = (size_t)column;
    return 1;
}

static bool lua_library_has_text(lua_State *L)
{
    return lua_type(L, 1) == LUA_TSTRING;
}

static struct slice lua_library_text(lua_State *L, int index)
{
    size_t size;
    const char *text = luaL_checklstring(L, index, &size);
    return slice_make(text, size);
}

static struct slice lua_library_lower_text(lua_State *L, struct slice text)
{
    struct buffer *scratch = &lua_job_of(L)->scratch;
    buffer_clear(scratch);
    text_put_lower(scratch, text);
    return buffer_slice(scratch);
}

static int lua_library_push_words(lua_State *L, bool (*next)(struct text_words *, struct slice *))
{
    struct text_words words = text_words_of(lua_library_text(L, 1));
    lua_newtable(L);
    struct slice word;
    for (int i = 1; next(&words, &word); i++) {
        struct slice lower = lua_library_lower_text(L, word);
        lua_pushlstring(L, (const char *)lower.data, lower.size);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

static int lua_library_words(lua_State *L)
{
    return lua_library_has_text(L) ? lua_library_push_words(L, text_words_next)
                                   : lua_library_column_native(L, NATIVE_WORDS);
}

static int lua_library_hashtags(lua_State *L)
{
    return lua_library_has_text(L) ? lua_library_push_words(L, text_hashtags_next)
                                   : lua_library_column_native(L, NATIVE_HASHTAGS);
}

static int lua_library_lower(lua_State *L)
{
    if (!lua_library_has_text(L)) return lua_library_column_native(L, NATIVE_LOWER);
    struct slice lower = lua_library_lower_text(L, lua_library_text(L, 1));
    lua_pushlstring(L, (const char *)lower.data, lower.size);
    return 1;
}

static int lua_library_push_day(lua_State *L, int64_t seconds)
{
    char day[DAY_TEXT_SIZE];
    day_format(seconds, day);
    lua_pushlstring(L, day, sizeof day);
    return 1;
}

static int lua_library_day(lua_State *L)
{
    if (!lua_library_has_text(L)) return lua_library_column_native(L, NATIVE_DAY);
    int64_t seconds;
    if (!day_parse_time(lua_library_text(L, 1), &seconds)) return 0;
    return lua_library_push_day(L, seconds);
}

// The batch's time in seconds since 1970, and its UTC day.
static int lua_library_now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)lua_job_of(L)->now_us / 1e6);
    return 1;
}

static int lua_library_today(lua_State *L)
{
    return lua_library_push_day(L, lua_job_of(L)->now_us / 1000000);
}

static int lua_library_columns(lua_State *L)
{
    int count = lua_gettop(L);
    luaL_argcheck(L, count >= 1 && count <= VALUE_ITEMS_MAX, 1, "columns' numbers and texts");
    struct lua_native *native = lua_library_push_native(L, NATIVE_COLUMNS);
    lua_createtable(L, count, 0);
    for (int i = 1; i <= count; i++) {
        struct functions_pick *pick = &native->picks[i - 1];
        if (lua_type(L, i) == LUA_TNUMBER) {
            lua_Number column = lua_tonumber(L, i);
            luaL_argcheck(L, column >= 1 && column <= VALUE_ITEMS_MAX && column == floor(column), i,
                          "a column's number, from 1");
            pick->column = (size_t)column;
        } else {
            pick->constant = value_text(lua_library_text(L, i));
            lua_pushvalue(L, i);
            lua_rawseti(L, -2, i);
        }
    }
    native->count = (size_t)count;
    lua_setfenv(L, -2);
    return 1;
}

static int lua_library_add(lua_State *L)
{
    lua_pushnumber(L, luaL_checknumber(L, 1) + luaL_checknumber(L, 2));
    return 1;
}

bool lua_library_is_add(lua_State *L, int index)
{
    return lua_tocfunction(L, index) == lua_library_add;
}

struct function *lua_library_native(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return NULL;
    luaL_getmetatable(L, LUA_LIBRARY_NATIVE);
    bool is_native = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    if (!is_native) return NULL;
    const struct lua_native *native = lua_touserdata(L, index);
    switch (native->kind) {
    case NATIVE_WORDS:
        return functions_words(native->picks[0].column);
    case NATIVE_HASHTAGS:
        return functions_hashtags(native->picks[0].column);
    case NATIVE_LOWER:
        return functions_lower(native->picks[0].column);
    case NATIVE_DAY:
        return functions_day(native->picks[0].column);
    case NATIVE_COLUMNS:
        return functions_columns(native->picks, native->count);
    }
    return NULL;
}

static int lua_library_seconds(lua_State *L)
{
    lua_pushnumber(L, luaL_checknumber(L, 1));
    return 1;
}

static int lua_library_milliseconds(lua_State *L)
{
    lua_pushnumber(L, luaL_checknumber(L, 1) / 1000);
    return 1;
}

static int lua_library_some_columns(lua_State *L)
{
    int count = lua_gettop(L);
    lua_createtable(L, count, 0);
    for (int i = 1; i <= count; i++) {
        (void)luaL_checkstring(L, i);
        lua_pushvalue(L, i);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

void lua_library_open(lua_State *L)
{
    static const luaL_Reg globals[] = {
        {"words", lua_library_words},
        {"hashtags", lua_library_hashtags},
        {"lower", lua_library_lower},
        {"day", lua_library_day},
        {"now", lua_library_now},
        {"today", lua_library_today},
        {"columns", lua_library_columns},
        {"add", lua_library_add},
        {"Seconds", lua_library_seconds},
        {"Milliseconds", lua_library_milliseconds},
        {"SomeColumns", lua_library_some_columns},
    };
    luaL_newmetatable(L, LUA_LIBRARY_NATIVE);
    lua_pushboolean(L, false); // What getmetatable() would tell, were it there.
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++) {
        lua_pushcfunction(L, globals[i].func);
        lua_setglobal(L, globals[i].name);
    }
}
