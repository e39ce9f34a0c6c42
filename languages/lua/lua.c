/*
 * lua.c - the language `lua`: the body of a function in Lua 5.4, in the place of an expression.
 *
 * The text is compiled when the plan is made, to find its mistakes, and again by each worker at its
 * first call. What goes wrong in a call is an error value, which on_error deals with; the state is
 * good afterwards. Thread: call() on a worker, with the Lua state of that worker.
 */
#include "lua.h"

#include <inttypes.h>
#include <stdio.h>

static const char owner; /* its address names our place in struct leat_eval */

#define LINE_PREFIX "line:"

/* ---- a call */

static void push_script(lua_State *lua, const struct lua_script *script)
{
    if (lua_rawgetp(lua, LUA_REGISTRYINDEX, script) == LUA_TFUNCTION)
        return;
    lua_pop(lua, 1);
    if (lua_script_load(lua, script) != LUA_OK)
        lua_error(lua);
    lua_pushvalue(lua, -1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, script);
}

/* What expanding the arguments takes of the arena is given back: Lua has copies. */
static int run(lua_State *lua)
{
    struct lua_worker *w = lua_worker_of(lua);
    struct leat_arena_mark mark = leat_arena_mark(w->arena);

    push_script(lua, w->script);
    for (uint32_t i = 0; i < w->count; i++)
        lua_value_push(lua, w->args[i], 0);
    leat_arena_rewind(w->arena, mark);
    lua_call(lua, (int)w->count, 1);
    w->result = lua_value_take(lua, -1);
    return 0;
}

/* "line:47: text" becomes "line 47: text". */
static struct leat_value failure(struct lua_worker *w, enum leat_value_error code, const char *text,
                                 size_t len)
{
    size_t prefix = sizeof LINE_PREFIX - 1;
    struct leat_value v = leat_call_error(w->arena, code, (struct leat_slice){text, len});

    if (v.len > prefix && memcmp(v.as.text, LINE_PREFIX, prefix) == 0)
        ((char *)(uintptr_t)v.as.text)[prefix - 1] = ' ';
    return v;
}

/* What lua_pcall() left on the stack: nothing is converted, for that could need memory. */
static struct leat_value failed(struct lua_worker *w, int status)
{
    enum leat_value_error code = w->exhausted ? LEAT_V_BUDGET : LEAT_V_ARGUMENT;
    size_t len;

    if (w->arena_full)
        return leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
    if (status == LUA_ERRMEM)
        return w->exhausted ? leat_value_fail(LEAT_V_BUDGET, "the script takes too many steps")
                            : leat_value_fail(LEAT_V_BUDGET, "the script takes too much memory");
    if (lua_type(w->lua, -1) != LUA_TSTRING)
        return leat_value_fail(code, "the script failed with an error that is no text");
    const char *text = lua_tolstring(w->lua, -1, &len);
    return failure(w, code, text, len);
}

static struct lua_worker *worker_of(struct leat_call *call)
{
    void **kept = leat_eval_kept(call->ev, &owner, lua_worker_free);

    if (kept && !*kept)
        *kept = lua_worker_new(call->arena->budget);
    return kept ? *kept : NULL;
}

static struct leat_value call_script(const struct leat_callable *self, struct leat_call *call,
                                     const struct leat_value *args, uint32_t count)
{
    struct lua_worker *w = worker_of(call);

    if (!w)
        return leat_value_fail(LEAT_V_BUDGET, "there is no memory for Lua");
    w->script = (const struct lua_script *)(const void *)self;
    w->arena = call->arena;
    w->args = args;
    w->count = count;
    w->steps = LUA_STEPS;
    w->until_ms = 0;
    w->given = 0;
    w->exhausted = w->arena_full = false;
    lua_pushcfunction(w->lua, run);
    int status = lua_pcall(w->lua, 0, 0, 0);
    struct leat_value v = status == LUA_OK ? w->result : failed(w, status);
    lua_settop(w->lua, 0);
    lua_worker_tidy(w);
    return v;
}

/* ---- compiling, for its mistakes */

static int try_load(lua_State *lua)
{
    struct lua_worker *w = lua_worker_of(lua);

    if (lua_script_load(lua, w->script) != LUA_OK)
        lua_error(lua);
    return 0;
}

/* Bytes [*at, *at + *len) of the text are the line that stands in that line of the file. */
static void find_line(const struct lua_script *s, uint32_t line, size_t *at, size_t *len)
{
    struct leat_slice rest = s->text, head;

    for (uint32_t i = s->line; i < line && rest.len; i++)
        leat_slice_cut(rest, '\n', &head, &rest);
    *at = rest.len ? (size_t)(rest.ptr - s->text.ptr) : 0;
    leat_slice_cut(rest, '\n', &head, &rest);
    *len = head.len;
    while (*len && (s->text.ptr[*at] == ' ' || s->text.ptr[*at] == '\t'))
        ++*at, --*len;
}

static void say_mistake(struct lua_worker *w, int status, const struct leat_node *node,
                        struct leat_diags *diags)
{
    uint32_t line = w->script->line;
    int prefix = 0;
    size_t at, len;

    if (status == LUA_ERRMEM || lua_type(w->lua, -1) != LUA_TSTRING) {
        leat_diag_error(diags, node, "the script takes too much memory");
        return;
    }
    const char *text = lua_tolstring(w->lua, -1, &len);
    if (sscanf(text, LINE_PREFIX "%" SCNu32 ": %n", &line, &prefix) == 1 && prefix)
        text += prefix;
    find_line(w->script, line, &at, &len);
    leat_diag_error_at(diags, node, at, len ? len : 1, "Lua: %s", text);
}

static struct leat_slice head_for(const char *const *names, struct leat_arena *arena)
{
    static const char env[] = "local _ENV <const> = _ENV; ";
    struct leat_bytes text = {.arena = arena};

    /* What a script does to its environment would still be there at the next call. */
    leat_bytes_put(&text, env, sizeof env - 1);
    for (uint32_t i = 0; names[i]; i++) {
        leat_bytes_put(&text, i ? "," : "local ", i ? 1 : 6);
        leat_bytes_put(&text, names[i], strlen(names[i]));
    }
    leat_bytes_put(&text, "=...; ", 6);
    return text.failed ? (struct leat_slice){0} : leat_bytes_slice(&text);
}

static const struct leat_callable *compile(const struct leat_node *node, const char *const *names,
                                           uint32_t needed, struct leat_arena *arena,
                                           struct leat_diags *diags)
{
    struct lua_script *s = leat_arena_alloc(arena, sizeof *s);
    struct lua_worker *w = lua_worker_new(NULL);
    bool good = false;
    struct leat_slice head = head_for(names, arena);

    if (!s || !w || !head.ptr) {
        leat_diag_error(diags, node, "out of memory");
    } else {
        *s =
            (struct lua_script){.callable = {.names = names, .needed = needed, .call = call_script},
                                .head = head,
                                .text = node->text,
                                .line = node->mark.line ? node->mark.line : 1};
        w->script = s;
        w->steps = LUA_STEPS;
        lua_pushcfunction(w->lua, try_load);
        int status = lua_pcall(w->lua, 0, 0, 0);
        good = status == LUA_OK;
        if (!good)
            say_mistake(w, status, node, diags);
    }
    lua_worker_free(w);
    return good ? &s->callable : NULL;
}

static const struct leat_language language = {.compile = compile};

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "lua",
    .summary = "Lua 5.4: the body of a function in the place of an expression",
    .language = &language,
};

LEAT_MODULE(module);
