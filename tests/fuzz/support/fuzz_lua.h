// Lua that ends: nothing is compiled, and an error is raised after some instructions.
//
// A job's states are made deep inside of it, so the linker gives us its lua_newthread()
// (--wrap=lua_newthread in CMakeLists.txt).
#ifndef TESTS_FUZZ_SUPPORT_FUZZ_LUA_H
#define TESTS_FUZZ_SUPPORT_FUZZ_LUA_H

// Until the next call, about so many instructions.
void fuzz_lua_begin(long instructions);

#endif
