#include "tests/fuzz/support/fuzz_lua.h"

#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>

enum { HOOK_INSTRUCTIONS = 1000 };

static long hooks_left;

lua_State *__real_lua_newthread(lua_State *L);
lua_State *__wrap_lua_newthread(lua_State *L);

static void hook(lua_State *L, lua_Debug *debug)
{
    (void)debug;
    if (--hooks_left < 0) (void)luaL_error(L, "it goes on for too long");
}

lua_State *__wrap_lua_newthread(lua_State *L)
{
    (void)luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    (void)lua_sethook(L, hook, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
    return __real_lua_newthread(L);
}

void fuzz_lua_begin(long instructions)
{
    hooks_left = instructions / HOOK_INSTRUCTIONS;
}
