/* Tests languages/lua/sandbox.c and library.c: what scripts must not do, and what they may take. */
#include "lua_rig.h"

#include "data/json.h"
#include "leat_test.h"

#include <stdio.h>

static void a_record_that_fails_is_dropped_and_the_others_go_on(void)
{
    struct pipeline p;

    lua_out[0] = '\0';
    lua_open(&p, "drop",
             lua_op("map", "if this.x == 1 then error('one') end\n"
                           "if this.x == 2 then while true do end end\n"
                           "if this.x == 3 then local t = {} for i = 1, 1e9 do t[i] = i end end\n"
                           "if this.x == 4 then return end\n"
                           "return this.x\n"));
    lua_batch(&p, 2000, 0,
              ROWS("{\"x\":0}", "{\"x\":1}", "{\"x\":2}", "{\"x\":3}", "{\"x\":4}", "{\"x\":5}"));
    lua_batch(&p, 3000, 0, ROWS("{\"x\":6}"));
    pipeline_close(&p);
    CU_ASSERT_STRING_EQUAL(lua_out, "0\n5\n6\n");
}

/* Each would go on for ever, or take all there is. */
static const char *const endless[] = {
    "while true do end",
    "local function f() return f() end return f()",
    "local function f() return 1 + f() end return f()",
    "local s = 'x' while true do s = s .. s end",
    "local t = {} while true do t = { t } end",
    "local t = {} for i = 1, math.maxinteger do t[i] = 'x' .. i end",
    "return ('x'):rep(1 << 40)",
    "return ('x'):rep(1 << 62)",
    "return ('x'):rep(1 << 20):rep(1 << 20)",
    "for i = 1, 1 << 60 do local s = ('x'):rep(1 << 20) end",
    "for i = 1, 1 << 60 do local s = (''):rep(1 << 62) end",
    "return table.move({}, 1, math.maxinteger - 1, 1)",
    "return table.concat({}, '', 1, math.maxinteger)",
    "return { table.unpack({}, 1, 1e8) }",
    "return select('#', table.unpack({}, 1, math.maxinteger))",
    "local s = ('a'):rep(30000) return s:find('.-.-.-.-.-x')",
    "local s = ('a'):rep(30000) return s:match('(.*)(.*)(.*)(.*)x')",
    "local s = ('a'):rep(3000) return s:gsub('a*a*a*a*b', '')",
    "local s = ('('):rep(100000) for w in s:gmatch('%b()') do end",
    "return ('a'):rep(300):find(('a?'):rep(300) .. ('a'):rep(300))",
    "return ('x'):gsub('x', function() while true do end end)",
    "table.sort({ 3, 2, 1 }, function(a, b) while true do end end)",
    "local t = {} for i = 1, 1e5 do t[i] = i % 7 end while true do table.sort(t) end",
    "local a, b = ('x'):rep(1e7), ('x'):rep(1e7) while a == b do end",
    "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.insert(t, 1, 0) end",
    "local f = function(f) return (('x'):gsub('x', function() return f(f) end)) end return f(f)",
    "local t = {} for i = 1, 1e5 do t[i] = i end while true do for k in pairs(t) do end end",
    "return ('a'):rep(1000000):find('[' .. ('b'):rep(1000000) .. ']')",
    "return ('a'):rep(1000000):find('()' .. ('%1'):rep(1000000) .. 'x')",
    "return ('a'):rep(1000000):find(('%f[^b]'):rep(100000) .. ('%f[b]'):rep(100000))",
    "return ('a'):rep(1000000):gsub('[^' .. ('a'):rep(1000000) .. ']', '')",
    "local s = ('1'):rep(3e7) while true do local n = tonumber(s) end",
    "local s = ('<'):rep(3e7) while true do string.pack(s) end",
    "local s = ('a'):rep(3e7) while true do utf8.len(s) end",
    "local t = {} for i = 1, 60 do t = { t, t } end return t",
    "local t = map{} for i = 1, 60 do t = map{ a = t, b = t } end return t",
    "local s, t = ('x'):rep(1e6), {} for i = 1, 1e3 do t[i] = s end return t",
    "table.sort({ 3, 2, 1 }, function(a, b) a = a .. b return error(a) end)",
    "local f f = function() table.sort({ 2, 1 }, f) end return f()",
};

static void what_never_ends_or_takes_all_memory_is_ended(void)
{
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
        lua_run(lua_op("map", endless[i]), 0, ROWS("{}"));
        bool told = strstr(lua_out, "failed: ") && strstr(lua_out, "lua of map: ");
        if (!told)
            printf("    %s: %s\n", endless[i], lua_out);
        CU_ASSERT(told);
    }
}

static void the_limits_are_named(void)
{
    lua_has(lua_run(lua_op("map", "while true do end"), 0, ROWS("{}")),
            "line 14: the script takes too many steps");
    lua_has(lua_run(lua_op("map", "local t = {} for i = 1, 1e9 do t[i] = i end"), 0, ROWS("{}")),
            "the script takes too much memory");
}

/* A script with a map of many keys, which takes so many steps besides and then gives `what`. */
static const char *with_many_keys(int64_t steps, const char *what)
{
    char script[300];

    snprintf(script, sizeof script,
             "local m = map{} for i = 1, 20000 do m['k' .. i] = i end "
             "for i = 1, %lld do end return %s",
             (long long)steps, what);
    return lua_run(lua_op("filter", script), 0, ROWS("{}"));
}

static void sorting_the_keys_of_a_map_that_is_given_takes_steps(void)
{
    int64_t enough = 0, too_many = 10000000;

    while (too_many - enough > 5000) {
        int64_t middle = (enough + too_many) / 2;
        if (strstr(with_many_keys(middle, "true"), "too many steps"))
            too_many = middle;
        else
            enough = middle;
    }
    CU_ASSERT(enough > 10000000 / 2);
    lua_has(with_many_keys(enough - 1000, "m"), "too many steps");
    lua_has(with_many_keys(0, "m"), "gives no bool"); /* it came so far */
}

/* Each is not there, or refuses. */
static const char *const outside[] = {
    "return io.open('/etc/passwd')",
    "return os.getenv('HOME')",
    "return load('return 1')()",
    "return loadstring('return 1')()",
    "return dofile('/etc/passwd')",
    "return require('os')",
    "return package.path",
    "return debug.getinfo(1).source",
    "return string.dump(function() end)",
    "return collectgarbage('count')",
    "return pcall(error)",
    "return xpcall(error, error)",
    "return coroutine.wrap(function() return 1 end)()",
    "return setmetatable({}, { __gc = function() while true do end end })",
    "return getmetatable('').__index",
    "return rawset(string, 'x', 1)",
    "return math.random()",
    "return _G.x.y",
    "x = 1 return x",
    "function f() return 1 end return f()",
    "string.upper = 1 return 1",
    "math.pi = 3 return 1",
    "null = 1 return 1",
    "local s = 'x' s.y = 1 return 1",
    "fromMillis(1).x = 1 return 1",
    "null.x = 1 return 1",
    "return null.x",
    "return string.format('%p', 'x')",
    "return string.format('\\0%p', 'x')",
    "return string.format('%s', {})",
    "local x <close> = {} return 1",
    "local x <close> = fromMillis(1) return 1",
    "return ('x'):format({})",
    "return next({})",
    "local _ENV = {} return x.y",
    "_ENV.x = 1 return 1",
    "list(string) return 1",
    "map(_ENV) return 1",
    "table.insert(math, 1) return 1",
    "table.move({ 1 }, 1, 1, 1, _ENV) return 1",
    "return string",
};

static void nothing_outside_can_be_reached_and_nothing_shared_be_written(void)
{
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        lua_run(lua_op("map", outside[i]), 0, ROWS("{}"));
        bool told = strstr(lua_out, "failed: ") && strstr(lua_out, "lua of map: ");
        if (!told)
            printf("    %s: %s\n", outside[i], lua_out);
        CU_ASSERT(told);
    }
}

static void the_environment_cannot_be_exchanged(void)
{
    struct leat_arena arena = {0};
    struct leat_diags diags = {.arena = &arena};
    struct leat_node node = {.text = LEAT_LIT("_ENV = { n = 1 } return n"), .mark = {.line = 7}};
    static const char *const none[] = {"this", NULL};

    CU_ASSERT_PTR_NULL(
        leat_module_find_language("lua")->language->compile(&node, none, 1, &arena, &diags));
    CU_ASSERT_PTR_NOT_NULL_FATAL(diags.first);
    lua_has(diags.first->text.ptr, "attempt to assign to const variable '_ENV'");
    leat_arena_reset(&arena);
}

/* Lua's compiler calls itself; what is nested too deep is a mistake in the file. */
static void a_text_that_is_nested_without_end_is_a_mistake(void)
{
    static const char *const pieces[] = {
        "(",    "{",  "x[",  "-(", "not(", "a..",        "a^",
        "f{f=", "f(", "do ", "[[", "a=a ", "if 1 then ", "return function() "};
    static const char *const none[] = {"this", NULL};

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct leat_arena arena = {0};
        struct leat_diags diags = {.arena = &arena};
        struct leat_bytes text = {.arena = &arena};
        leat_bytes_put(&text, "return ", strchr(pieces[i], ' ') ? 0 : 7);
        for (int n = 0; n < 100000; n++)
            leat_bytes_put(&text, pieces[i], strlen(pieces[i]));
        struct leat_node node = {.text = leat_bytes_slice(&text), .mark = {.line = 7}};
        const struct leat_language *lua = leat_module_find_language("lua")->language;
        const struct leat_callable *c = lua->compile(&node, none, 1, &arena, &diags);
        CU_ASSERT(!c == (diags.errors == 1));
        CU_ASSERT(!c || strcmp(pieces[i], "a=a ") == 0);
        leat_arena_reset(&arena);
    }
}

/* It may hold what a record does. */
static void an_error_is_one_line_of_text(void)
{
    lua_has(lua_run(lua_op("map", "error('a\\nb\\0\\27[2J\\xff')"), 0, ROWS("{}")),
            "line 14: a b  [2J?;");
    lua_has(lua_run(lua_op("map", "error('gr\\u{fc}n')"), 0, ROWS("{}")), "line 14: gr\303\274n;");
    lua_run(lua_op("map", "error(('\\u{20ac}'):rep(1000))"), 0, ROWS("{}"));
    CU_ASSERT(leat_utf8_valid(lua_out, lua_out + strlen(lua_out)));
    lua_has(lua_out, "\342\202\254;");
}

/* ---- memory */

static void compiling_and_calling_without_memory_ends_clean(void)
{
    LEAT_OOM_SWEEP {
        struct leat_arena plan = {0}, batch_arena = {0};
        const struct leat_callable *c = lua_compile(
            &plan, "local t = {} for i = 1, 50 do t[i] = { this, 'x' .. i } end return t");
        struct leat_eval *ev = leat_eval_new();
        if (c && ev) {
            struct leat_call call = {.arena = &batch_arena, .ev = ev};
            struct leat_value args[2] = {leat_string(LEAT_LIT("text"))};
            struct leat_value v = c->call(c, &call, args, 2);
            CU_ASSERT(v.tag == LEAT_LIST || (v.tag == LEAT_ERROR && v.code == LEAT_V_BUDGET));
            CU_ASSERT(v.tag == LEAT_LIST || leat_oom_hit());
            v = c->call(c, &call, args, 2);
            CU_ASSERT(v.tag == LEAT_LIST || leat_oom_hit());
        }
        leat_eval_free(ev);
        leat_arena_reset(&batch_arena);
        leat_arena_reset(&plan);
    }
}

/* Every function of the library, with arguments that nobody means: it gives a value or an error. */
static void every_function_ends_whatever_its_arguments_are(void)
{
    static const char *const functions[] = {"assert",
                                            "error",
                                            "ipairs",
                                            "select",
                                            "tonumber",
                                            "pairs",
                                            "tostring",
                                            "type",
                                            "default",
                                            "list",
                                            "map",
                                            "bytes",
                                            "timestamp",
                                            "fromMillis",
                                            "duration",
                                            "string.byte",
                                            "string.char",
                                            "string.format",
                                            "string.len",
                                            "string.lower",
                                            "string.rep",
                                            "string.pack",
                                            "string.reverse",
                                            "string.sub",
                                            "string.unpack",
                                            "string.packsize",
                                            "string.upper",
                                            "string.find",
                                            "string.match",
                                            "string.gmatch",
                                            "string.gsub",
                                            "table.concat",
                                            "table.insert",
                                            "table.move",
                                            "table.pack",
                                            "table.remove",
                                            "table.sort",
                                            "table.unpack",
                                            "math.abs",
                                            "math.ceil",
                                            "math.floor",
                                            "math.fmod",
                                            "math.max",
                                            "math.modf",
                                            "math.tointeger",
                                            "math.ult",
                                            "utf8.char",
                                            "utf8.codepoint",
                                            "utf8.codes",
                                            "utf8.len",
                                            "utf8.offset",
                                            "bytes('x').text",
                                            "bytes('x').millis"};
    static const char *const args[] = {"nil",
                                       "null",
                                       "0",
                                       "-1",
                                       "3",
                                       "math.mininteger",
                                       "math.maxinteger",
                                       "0.5",
                                       "0/0",
                                       "1e308",
                                       "''",
                                       "'a%'",
                                       "'%b'",
                                       "'[a-'",
                                       "'(.-)(.-)(.-)$'",
                                       "'%99.99f'",
                                       "'!16i16'",
                                       "('x'):rep(50000)",
                                       "'\\xff\\0'",
                                       "{}",
                                       "{ 3, 1, 2 }",
                                       "map{ a = 1 }",
                                       "list{ 1, nil, 2 }",
                                       "bytes('x')",
                                       "fromMillis(0)",
                                       "duration('1s')",
                                       "type",
                                       "function() return 1 end",
                                       "this",
                                       "string"};
    const uint32_t count = sizeof args / sizeof *args;
    uint64_t seed = 88172645463325252;
    struct leat_arena plan = {0}, batch_arena = {0};
    struct leat_eval *ev = leat_eval_new();
    struct leat_call call = {.arena = &batch_arena, .ev = ev};
    struct leat_value text[2] = {leat_string(LEAT_LIT("text"))};

    for (size_t i = 0; i < 25 * (sizeof functions / sizeof *functions); i++) {
        char script[512];
        const char *pick[4];
        for (int k = 0; k < 4; k++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            pick[k] = args[seed % count];
        }
        int len = snprintf(script, sizeof script,
                           "local a, b = %s(%s, %s, %s, %s) return { default(a, 0) }",
                           functions[i / 25], pick[0], pick[1], pick[2], pick[3]);
        const struct leat_callable *c = lua_compile(&plan, script);
        CU_ASSERT_FATAL(c && len < (int)sizeof script);
        struct leat_value v = c->call(c, &call, text, 2);
        CU_ASSERT(v.tag == LEAT_LIST || v.tag == LEAT_ERROR);
    }
    const struct leat_callable *c = lua_compile(
        &plan, "return ('x'):upper() .. string.rep('y', 2) .. math.type(table.pack(1).n)");
    struct leat_value v = c->call(c, &call, text, 2);
    CU_ASSERT(v.tag == LEAT_STRING && leat_slice_eq(leat_value_text(v), LEAT_LIT("Xyyinteger")));
    leat_eval_free(ev);
    leat_arena_reset(&batch_arena);
    leat_arena_reset(&plan);
}

static void what_lua_takes_is_charged_to_the_job_and_given_back(void)
{
    struct leat_budget budget = {.cap = 2 << 20};
    struct leat_arena plan = {0}, batch_arena = {.budget = &budget};
    struct leat_eval *ev = leat_eval_new();
    struct leat_call call = {.arena = &batch_arena, .ev = ev};
    struct leat_value args[2] = {leat_int(1)};
    const struct leat_callable *c =
        lua_compile(&plan, "local t = {} for i = 1, this do t[i] = i end return #t");

    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    CU_ASSERT_EQUAL(c->call(c, &call, args, 2).as.i, 1);
    CU_ASSERT(atomic_load(&budget.used) > 0);
    args[0] = leat_int(1000000);
    struct leat_value v = c->call(c, &call, args, 2);
    CU_ASSERT(v.tag == LEAT_ERROR && v.code == LEAT_V_BUDGET);
    CU_ASSERT(atomic_load(&budget.used) <= budget.cap);
    args[0] = leat_int(3);
    CU_ASSERT_EQUAL(c->call(c, &call, args, 2).as.i, 3);
    budget.cap = 64 << 20;
    args[0] = leat_int(400000);
    CU_ASSERT_EQUAL(c->call(c, &call, args, 2).as.i, 400000);
    CU_ASSERT(atomic_load(&budget.used) < 1 << 20); /* garbage is not kept until the next call */
    leat_eval_free(ev);
    leat_arena_reset(&batch_arena);
    CU_ASSERT_EQUAL(atomic_load(&budget.used), 0);
    leat_arena_reset(&plan);
}

LEAT_TESTS("lua_limits", T(a_record_that_fails_is_dropped_and_the_others_go_on),
           T(what_never_ends_or_takes_all_memory_is_ended), T(the_limits_are_named),
           T(sorting_the_keys_of_a_map_that_is_given_takes_steps),
           T(nothing_outside_can_be_reached_and_nothing_shared_be_written),
           T(the_environment_cannot_be_exchanged),
           T(a_text_that_is_nested_without_end_is_a_mistake), T(an_error_is_one_line_of_text),
           T(compiling_and_calling_without_memory_ends_clean),
           T(every_function_ends_whatever_its_arguments_are),
           T(what_lua_takes_is_charged_to_the_job_and_given_back))
