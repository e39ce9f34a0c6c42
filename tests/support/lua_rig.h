/*
 * lua_rig.h - scripts in pipelines, for the tests of languages/lua.
 *
 * The source is `in`, the operators those of one stream, and what comes out is JSON in lua_out.
 */
#ifndef LEAT_TEST_LUA_RIG_H
#define LEAT_TEST_LUA_RIG_H

#include "pipeline.h"

#include "expr/language.h"

#define ROWS(...) ((const char *const[]){__VA_ARGS__, NULL})

extern char lua_out[16384]; /* what came out, or "failed: ..." */

/* `- OP: { lua: SCRIPT }`: the script begins in line 14 of the file. Valid until the next call. */
const char *lua_op(const char *op, const char *script);
void lua_indented(char *into, size_t room, const char *script);

void lua_open(struct pipeline *p, const char *on_error, const char *ops);
/* Rows of the key "k", then a batch; what comes out is put behind lua_out. */
void lua_batch(struct pipeline *p, int64_t time_ms, unsigned show, const char *const *rows);
/* One batch, from a new pipeline. */
const char *lua_run(const char *ops, unsigned show, const char *const *rows);
/* What `return WHAT` of map gives for the record {"x": X}. */
const char *lua_value(const char *what, const char *x);

void lua_same(const char *text, const char *wanted);
void lua_has(const char *text, const char *part);

/* The function alone, which gets this and key. NULL: diagnosed, or out of memory. */
const struct leat_callable *lua_compile(struct leat_arena *arena, const char *script);

#endif
