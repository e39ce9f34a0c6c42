/*
 * lua.h - Lua 5.4 in the place of expressions. Private to languages/lua.
 *
 * Each worker has one Lua state, made at its first call and kept with its struct leat_eval, in
 * which every script that it runs is compiled once. Nothing in it outlives a call: a script cannot
 * write a global, and libraries cannot be written to. All that may allocate runs inside of
 * lua_pcall(), for outside of it Lua ends the process when memory is out.
 */
#ifndef LEAT_LUA_H
#define LEAT_LUA_H

#include "leat.h"

#include <lauxlib.h>
#include <lua.h>

#define LUA_STEPS        INT64_C(10000000)  /* instructions of one call */
#define LUA_STEP_EVERY   100                /* so often they are counted */
#define LUA_MEMORY       (64 * 1024 * 1024) /* of one worker */
#define LUA_SECONDS_MAX  10 /* of one call: for what is no instruction, and goes on and on */
#define LUA_MUCH         (4 * 1024 * 1024) /* more than so much memory is given back after a call */
#define LUA_DEPTH_MAX    64
#define LUA_BUDGET_PIECE (64 * 1024)

/* Names of metatables: boxes, tables that are lists, tables that are maps. */
#define LUA_BOX       "leat.box"
#define LUA_LIST_KIND "leat.list"
#define LUA_MAP_KIND  "leat.map"

struct lua_script {
    struct leat_callable callable; /* first */
    struct leat_slice head;        /* "local _ENV <const> = _ENV; local this,key=...; " */
    struct leat_slice text;
    uint32_t line; /* of the file, in which its first line stands */
};

struct lua_worker {
    lua_State *lua;
    size_t used, charged;
    struct leat_budget *budget; /* charged in pieces; NULL: nobody is */
    int64_t steps;              /* left for this call */
    int every;                  /* so many instructions are counted at once */
    size_t given;               /* memory of what this call gives */
    int64_t until_ms;           /* 0: nobody has looked at the clock yet */
    bool exhausted;             /* it has no steps left: it only comes to its end */
    bool arena_full;
    const void *list_kind, *map_kind; /* metatables of tables that say what they are */

    /* Of the call under way. */
    const struct lua_script *script;
    struct leat_arena *arena;
    const struct leat_value *args;
    uint32_t count;
    struct leat_value result;
};

static inline struct lua_worker *lua_worker_of(lua_State *lua)
{
    return *(struct lua_worker **)lua_getextraspace(lua);
}

/* sandbox.c: the state and its limits. NULL: out of memory. */
struct lua_worker *lua_worker_new(struct leat_budget *budget);
void lua_worker_free(void *worker);
/* Behind a call: what it left behind is no memory that the job lacks until the next one. */
void lua_worker_tidy(struct lua_worker *w);
/* Work that is no instruction; does not come back when there is none left. */
void lua_charge(lua_State *lua, size_t steps);
/* Compile it and leave the function on the stack, or an error; a status of Lua's. */
int lua_script_load(lua_State *lua, const struct lua_script *script);

/* values.c: both raise a Lua error. */
void lua_values_open(lua_State *lua);
void lua_value_push(lua_State *lua, struct leat_value v, uint32_t depth);
struct leat_value lua_value_take(lua_State *lua, int at);
/* A value that Lua has no type for, with methods: bytes, timestamp, duration, uint. */
void lua_box_push(lua_State *lua, struct leat_value v);
/* NULL: it is none, or not of this kind (LEAT_NULL: any). */
const struct leat_value *lua_box_at(lua_State *lua, int at, enum leat_tag tag);

/* library.c: what a script sees. Run once per state; leaves the environment on the stack. */
void lua_library_open(lua_State *lua);

/* sort.c: table.sort. */
int lua_sort(lua_State *lua);

/* pattern.c: Lua's patterns, that count their steps. */
#define LUA_CAPTURES         32
#define LUA_CAPTURE_POSITION (-2)
#define LUA_CAPTURE_OPEN     (-1)
struct lua_match {
    lua_State *lua;
    const char *text, *text_end, *pattern_end;
    int depth, level;
    struct {
        const char *at;
        ptrdiff_t len;
    } captures[LUA_CAPTURES];
};
/* The end of the match at `text`, or NULL. */
const char *lua_match_at(struct lua_match *m, const char *text, const char *pattern);
/* Replace find, match, gmatch and gsub in the table on top of the stack (pattern_library.c). */
void lua_pattern_library(lua_State *lua);

#endif
