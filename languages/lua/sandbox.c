/*
 * sandbox.c - a Lua state with limits: memory, instructions, time.
 *
 * Every allocation is charged against the worker's memory and, in pieces, against the job's, and
 * takes steps too, so that what copies megabytes in one instruction comes to its end as well. What
 * neither allocates nor counts (comparing long texts) is ended by the clock, looked at whenever
 * instructions are counted. That is more often when there is much memory: an instruction on a text
 * of many megabytes takes its time.
 */
#include "lua.h"

#include <time.h>

static int64_t clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool take_budget(struct lua_worker *w, size_t used)
{
    while (w->budget && w->charged < used) {
        if (!leat_budget_take(w->budget, LUA_BUDGET_PIECE))
            return false;
        w->charged += LUA_BUDGET_PIECE;
    }
    return true;
}

static void give_budget(struct lua_worker *w)
{
    while (w->budget && w->charged >= w->used + 2 * (size_t)LUA_BUDGET_PIECE) {
        leat_budget_give(w->budget, LUA_BUDGET_PIECE);
        w->charged -= LUA_BUDGET_PIECE;
    }
}

static void *grow(struct lua_worker *w, void *old, size_t had, size_t wanted)
{
    size_t used = w->used - had + wanted;

    if (wanted > had) {
        w->steps -= (int64_t)(wanted / 64);
        if (w->steps < 0)
            w->exhausted = true;
        if (used > LUA_MEMORY || w->steps < 0 || !take_budget(w, used))
            return NULL;
    }
    void *p = leat_mem_alloc_raw(wanted);
    if (!p && wanted > had)
        return NULL;
    w->used = used;
    if (!p)
        return old; /* Lua relies on what shrinks */
    if (old)
        memcpy(p, old, had < wanted ? had : wanted);
    leat_mem_free(old);
    return p;
}

/* `had` is a type and no size where there is no old block. */
static void *allocate(void *worker, void *old, size_t had, size_t wanted)
{
    struct lua_worker *w = worker;

    had = old ? had : 0;
    if (wanted)
        return grow(w, old, had, wanted);
    leat_mem_free(old);
    w->used -= had;
    give_budget(w);
    return NULL;
}

/* The message needs some memory: nothing else runs any more, for no script can catch an error. The
 * line is that of the running function, level 0, or of the one that called it. */
static void end_it(lua_State *lua, int level, const char *why)
{
    lua_worker_of(lua)->exhausted = true;
    lua_worker_of(lua)->steps = 1000;
    luaL_where(lua, level);
    lua_pushfstring(lua, "the script takes %s", why);
    lua_concat(lua, 2);
    lua_error(lua);
}

static void charge(lua_State *lua, size_t steps, int level)
{
    struct lua_worker *w = lua_worker_of(lua);

    w->steps -= (int64_t)(steps < LUA_STEPS ? steps : LUA_STEPS);
    if (w->steps < 0)
        end_it(lua, level, "too many steps");
}

void lua_charge(lua_State *lua, size_t steps)
{
    charge(lua, steps, 1);
}

static void count(lua_State *lua, lua_Debug *at);

static void count_every(struct lua_worker *w, int instructions)
{
    if (w->every == instructions)
        return;
    w->every = instructions;
    lua_sethook(w->lua, count, LUA_MASKCOUNT, instructions);
}

static void count(lua_State *lua, lua_Debug *at)
{
    struct lua_worker *w = lua_worker_of(lua);
    int64_t now_ms = clock_ms();

    (void)at;
    if (!w->until_ms)
        w->until_ms = now_ms + LUA_SECONDS_MAX * 1000;
    if (now_ms > w->until_ms)
        end_it(lua, 0, "too much time");
    charge(lua, (size_t)w->every, 0);
    count_every(w, w->used > LUA_MUCH ? LUA_STEP_EVERY / 10 : LUA_STEP_EVERY);
}

static int open_all(lua_State *lua)
{
    lua_values_open(lua);
    lua_library_open(lua);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, lua_worker_of(lua));
    return 0;
}

struct lua_worker *lua_worker_new(struct leat_budget *budget)
{
    struct lua_worker *w = leat_mem_alloc(sizeof *w);

    if (!w)
        return NULL;
    w->budget = budget;
    w->steps = LUA_STEPS;
    w->lua = lua_newstate(allocate, w);
    if (w->lua) {
        *(struct lua_worker **)lua_getextraspace(w->lua) = w;
        lua_pushcfunction(w->lua, open_all);
        if (lua_pcall(w->lua, 0, 0, 0) == LUA_OK) {
            count_every(w, LUA_STEP_EVERY);
            return w;
        }
    }
    lua_worker_free(w);
    return NULL;
}

void lua_worker_free(void *worker)
{
    struct lua_worker *w = worker;

    if (!w)
        return;
    if (w->lua)
        lua_close(w->lua);
    if (w->budget)
        leat_budget_give(w->budget, w->charged);
    leat_mem_free(w);
}

void lua_worker_tidy(struct lua_worker *w)
{
    if (w->used > LUA_MUCH)
        lua_gc(w->lua, LUA_GCCOLLECT);
}

/* ---- loading */

/* Newlines, so that Lua counts lines as the file does; the names as locals; the text. */
struct reading {
    const struct lua_script *script;
    uint32_t line;
    int piece;
};

static const char *read_piece(lua_State *lua, void *arg, size_t *len)
{
    static const char lines[] = "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n";
    struct reading *r = arg;
    size_t more = r->script->line - r->line;

    (void)lua;
    if (more) {
        *len = more < sizeof lines - 1 ? more : sizeof lines - 1;
        r->line += (uint32_t)*len;
        return lines;
    }
    struct leat_slice s = r->piece == 0 ? r->script->head : r->script->text;
    *len = r->piece++ < 2 ? s.len : 0;
    return s.ptr;
}

/* The only upvalue of a chunk is its environment. */
int lua_script_load(lua_State *lua, const struct lua_script *script)
{
    struct reading r = {.script = script, .line = 1};
    int status = lua_load(lua, read_piece, &r, "=line", "t");

    if (status != LUA_OK)
        return status;
    lua_rawgetp(lua, LUA_REGISTRYINDEX, lua_worker_of(lua));
    lua_setupvalue(lua, -2, 1);
    return LUA_OK;
}
