/* Tests languages/lua: scripts in the place of expressions, and what they must not do. */
#include "pipeline.h"

#include "leat_test.h"

#include "expr/language.h"

#include <stdio.h>

static char out[16384], ops[8192];

#define ROWS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void indented(char *into, size_t room, const char *script)
{
    size_t len = strlen(into);

    for (const char *line = script; *line;) {
        size_t n = strcspn(line, "\n");
        len += (size_t)snprintf(into + len, room - len, "              %.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
}

/* `- OP: { lua: SCRIPT }`: the script begins in line 14 of the file. */
static const char *with(const char *op, const char *script)
{
    snprintf(ops, sizeof ops, "      - %s:\n          lua: |\n", op);
    indented(ops, sizeof ops, script);
    return ops;
}

static void open_ops(struct pipeline *p, const char *on_error, const char *text)
{
    static char yaml[16384];

    snprintf(
        yaml, sizeof yaml,
        "leat: 1\nname: t\non_error: %s\nsources:\n  in:\n    kafka: { brokers: b, topic: t }\n"
        "    format: json\nstreams:\n  s:\n    from: in\n    ops:\n%s"
        "sinks:\n  out:\n    from: s\n    memory: {}\n    format: json\n",
        on_error, text);
    pipeline_open(p, yaml, 1);
}

static void batch(struct pipeline *p, int64_t time_ms, unsigned show, const char *const *rows)
{
    size_t len = strlen(out);

    for (; *rows; rows++)
        pipeline_row(p, "in", "t/0", "k", *rows, 1000);
    if (pipeline_batch(p, time_ms, false))
        pipeline_output(p, "out", show, out + len, sizeof out - len);
    else
        snprintf(out + len, sizeof out - len, "failed: %s\n", p->error.text);
}

static const char *run(const char *text, unsigned show, const char *const *rows)
{
    struct pipeline p;

    out[0] = '\0';
    open_ops(&p, "fail", text);
    batch(&p, 2000, show, rows);
    pipeline_close(&p);
    return out;
}

/* What `return WHAT` gives for the record {"x": X}. */
static const char *value(const char *what, const char *x)
{
    char script[512], row[512];

    snprintf(script, sizeof script, "return %s\n", what);
    snprintf(row, sizeof row, "{\"x\":%s}", x);
    run(with("map", script), 0, ROWS(row));
    out[strcspn(out, "\n")] = '\0';
    return out;
}

static void same(const char *text, const char *wanted)
{
    if (strcmp(text, wanted) != 0)
        printf("    '%s' is not: %s\n", text, wanted);
    CU_ASSERT_STRING_EQUAL(text, wanted);
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        printf("    '%s' is not in: %s\n", part, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, part));
}

/* ---- values */

static void every_value_comes_back_as_it_was(void)
{
    static const char *const texts[] = {"1",
                                        "-9223372036854775808",
                                        "9223372036854775807",
                                        "9007199254740993",
                                        "18446744073709551615",
                                        "1.0",
                                        "0.1",
                                        "true",
                                        "\"\"",
                                        "\"gr\303\274n\"",
                                        "[]",
                                        "{}",
                                        "[1,[2.5,null],{}]",
                                        "{\"a\":{\"b\":[{\"c\":null}]},\"z\":1}"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        same(value("this.x", texts[i]), texts[i]);
}

static void integers_are_exact_and_division_makes_doubles(void)
{
    same(value("this.x + 1", "9007199254740992"), "9007199254740993");
    same(value("this.x // 2", "9007199254740993"), "4503599627370496");
    same(value("this.x / 2", "3"), "1.5");
    same(value("this.x + 1", "0.5"), "1.5");
    same(value("math.type(this.x)", "1.0"), "\"float\"");
    same(value("tostring(this.x)", "18446744073709551615"), "\"18446744073709551615\"");
}

static void null_is_a_value_of_its_own_and_what_is_not_there_is_nil(void)
{
    same(value("this.x == null", "null"), "true");
    same(value("this.y == nil", "null"), "true");
    same(value("default(this.x, 7)", "null"), "7");
    same(value("default(this.y, 7)", "null"), "7");
    same(value("default(this.x, 7)", "1"), "1");
    same(value("type(this.x) .. tostring(this.x)", "null"), "\"nullnull\"");
    same(value("{ null, this.x }", "null"), "[null,null]");
}

static void tables_are_lists_or_maps_and_say_it_where_it_is_open(void)
{
    same(value("{ 1, 2 }", "1"), "[1,2]");
    same(value("{ b = 1, a = { c = 2 } }", "1"), "{\"a\":{\"c\":2},\"b\":1}");
    same(value("{}", "1"), "[]");
    same(value("map{}", "1"), "{}");
    same(value("map()", "1"), "{}");
    same(value("#map{[2] = 1, a = 2}", "1"), "0");
    has(value("{ 1, a = 2 }", "1"), "neither a list (keys 1 to n) nor a map");
    has(value("{ [2] = 1 }", "1"), "neither a list");
    has(value("{ [1.5] = 1 }", "1"), "neither a list");
    has(value("list{ [2] = 1 }", "1"), "a list with holes");
    has(value("map{ [{}] = 1 }", "1"), "a map whose keys are no texts");
}

static void times_and_bytes_have_methods_and_arithmetic(void)
{
    same(value("timestamp(this.x) + duration('90m')", "\"2026-01-01T00:00:00Z\""),
         "\"2026-01-01T01:30:00Z\"");
    CU_ASSERT_STRING_EQUAL(
        value("(timestamp(this.x) - fromMillis(0)):millis()", "\"1970-01-01T00:00:01.5Z\""),
        "1500");
    same(value("duration('1s') < duration('2s')", "1"), "true");
    same(value("duration('1s') == duration('1000ms')", "1"), "true");
    same(value("type(fromMillis(this.x))", "1"), "\"timestamp\"");
    same(value("#bytes('\\xff\\0')", "1"), "2");
    same(value("bytes('a\\0'):text() == 'a\\0'", "1"), "true");
    same(value("bytes('abc')", "1"), "\"YWJj\"");
    has(value("timestamp('today')", "1"), "line 14:");
    has(value("duration('1s') < fromMillis(1)", "1"), "cannot be compared");
    has(value("fromMillis(1) + fromMillis(1)", "1"), "cannot be added");
    has(value("duration('1s') - fromMillis(1)", "1"), "cannot be taken from");
    has(value("fromMillis(1):seconds()", "1"), "seconds");
}

static void what_is_no_value_is_refused(void)
{
    has(value("nil", "1"), "the script returns nothing");
    has(value("print", "1"), "the script returns nothing");
    has(value("type", "1"), "gives a function, which is no value");
    has(value("{ f = type }", "1"), "gives a function, which is no value");
    has(value("'\\xff'", "1"), "no UTF-8");
    has(value("(function() local t = {} t[1] = t return t end)()", "1"), "nested more than 64");
}

/* ---- operators */

static void flat_map_filter_and_fields_of_map_take_scripts(void)
{
    same(run(with("flat_map", "local list = {}\n"
                              "for i = 1, this.n do list[i] = i end\n"
                              "return list\n"),
             0, ROWS("{\"n\":2}", "{\"n\":0}", "{\"n\":1}")),
         "1\n2\n1\n");
    same(run(with("filter", "return this.n > 1 and key == 'k'"), 0, ROWS("{\"n\":1}", "{\"n\":2}")),
         "{\"n\":2}\n");
    same(run("      - map: { a: n + 1, b: { c: { lua: return this.n * 2 } } }\n", PIPELINE_KEYS,
             ROWS("{\"n\":3}")),
         "k|{\"a\":4,\"b\":{\"c\":6}}\n");
    same(run("      - map_values: { lua: return key .. this.n }\n", PIPELINE_KEYS,
             ROWS("{\"n\":3}")),
         "k|\"k3\"\n");
}

static void a_script_sees_what_operators_before_it_made(void)
{
    same(run("      - set: { b: a + 1 }\n"
             "      - map: { lua: return this }\n"
             "      - set: { c: b + a }\n"
             "      - filter: { lua: return this.c == 3 }\n",
             0, ROWS("{\"a\":1}")),
         "{\"a\":1,\"b\":2,\"c\":3}\n");
}

static void update_state_by_key_keeps_what_a_script_gives_and_null_removes_it(void)
{
    struct pipeline p;

    snprintf(ops, sizeof ops,
             "      - update_state_by_key:\n          update:\n            lua: |\n");
    indented(ops, sizeof ops,
             "local s = default(state, { n = 0, last = 0 })\n"
             "for _, v in ipairs(values) do s.n = s.n + 1; s.last = v.x end\n"
             "if s.last == 0 then return null end\n"
             "return s\n");
    out[0] = '\0';
    open_ops(&p, "fail", ops);
    batch(&p, 2000, PIPELINE_KEYS, ROWS("{\"x\":5}", "{\"x\":6}"));
    batch(&p, 3000, PIPELINE_KEYS, ROWS("{\"x\":7}"));
    batch(&p, 4000, PIPELINE_KEYS, ROWS("{\"x\":0}"));
    batch(&p, 5000, PIPELINE_KEYS, ROWS("{\"x\":1}"));
    pipeline_close(&p);
    CU_ASSERT_STRING_EQUAL(
        out, "k|{\"last\":6,\"n\":2}\nk|{\"last\":7,\"n\":3}\nk|{\"last\":1,\"n\":1}\n");
}

static void map_with_state_takes_a_script_for_each_part_and_for_the_whole_update(void)
{
    struct pipeline p;

    out[0] = '\0';
    open_ops(&p, "fail",
             "      - map_with_state:\n"
             "          init: { n: 0, sum: { lua: return this.x * 100 } }\n"
             "          update: { lua: \"return { n = state.n + 1, sum = state.sum + this.x }\" }\n"
             "          when: { lua: return state.n > 1 }\n"
             "          emit: { lua: \"return { key, prev.n, state.n, state.sum }\" }\n"
             "          remove: { lua: return state.n == 3 }\n");
    batch(&p, 2000, 0, ROWS("{\"x\":1}", "{\"x\":2}"));
    batch(&p, 3000, 0, ROWS("{\"x\":3}", "{\"x\":4}"));
    pipeline_close(&p);
    CU_ASSERT_STRING_EQUAL(out, "[\"k\",1,2,103]\n[\"k\",2,3,106]\n");
}

static void an_update_of_state_gives_fields_that_init_has(void)
{
    static const char *const updates[][2] = {
        {"return { m = 1 }", "a field that the state has not"},
        {"return 1", "the function gives no fields of the state"},
        {"return { 1 }", "the function gives no fields of the state"},
        {"local x = 1", "the script returns nothing"}};

    for (size_t i = 0; i < sizeof updates / sizeof *updates; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "      - map_with_state:\n          init: { n: 0 }\n"
                 "          update: { lua: \"%s\" }\n          emit: state.n\n",
                 updates[i][0]);
        has(run(text, 0, ROWS("{\"x\":1}")), "lua of map_with_state");
        has(out, updates[i][1]);
    }
}

/* ---- what goes wrong */

static void a_script_that_gives_the_wrong_thing_fails_with_the_operators_name(void)
{
    has(run(with("filter", "return 1"), 0, ROWS("{}")),
        "lua of filter: the expression gives no bool");
    has(run(with("flat_map", "return 1"), 0, ROWS("{}")),
        "lua of flat_map: the expression gives no list");
    has(run(with("map", "local x = 1"), 0, ROWS("{}")), "lua of map: ");
    has(out, "the script returns nothing");
    has(out, "t/0, position 0");
}

static void an_error_has_the_line_of_the_file(void)
{
    has(run(with("map", "local y = 1\n\nreturn this.a.b + y\n"), 0, ROWS("{}")),
        "lua of map: line 16: attempt to index a nil value (field 'a')");
    has(run(with("map", "\n\nerror('no good')\n"), 0, ROWS("{}")), "line 16: no good");
    has(run(with("map", "error({})\n"), 0, ROWS("{}")), "an error that is no text");
    has(run(with("map", "error(nil)\n"), 0, ROWS("{}")), "an error that is no text");
}

static void a_record_that_fails_is_dropped_and_the_others_go_on(void)
{
    struct pipeline p;

    out[0] = '\0';
    open_ops(&p, "drop",
             with("map", "if this.x == 1 then error('one') end\n"
                         "if this.x == 2 then while true do end end\n"
                         "if this.x == 3 then local t = {} for i = 1, 1e9 do t[i] = i end end\n"
                         "if this.x == 4 then return end\n"
                         "return this.x\n"));
    batch(&p, 2000, 0,
          ROWS("{\"x\":0}", "{\"x\":1}", "{\"x\":2}", "{\"x\":3}", "{\"x\":4}", "{\"x\":5}"));
    batch(&p, 3000, 0, ROWS("{\"x\":6}"));
    pipeline_close(&p);
    CU_ASSERT_STRING_EQUAL(out, "0\n5\n6\n");
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
};

static void what_never_ends_or_takes_all_memory_is_ended(void)
{
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
        run(with("map", endless[i]), 0, ROWS("{}"));
        bool told = strstr(out, "failed: ") && strstr(out, "lua of map: ");
        if (!told)
            printf("    %s: %s\n", endless[i], out);
        CU_ASSERT(told);
    }
}

static void the_limits_are_named(void)
{
    has(run(with("map", "while true do end"), 0, ROWS("{}")),
        "line 14: the script takes too many steps");
    has(run(with("map", "local t = {} for i = 1, 1e9 do t[i] = i end"), 0, ROWS("{}")),
        "the script takes too much memory");
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
    "return string.format('%s', {})",
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
        run(with("map", outside[i]), 0, ROWS("{}"));
        bool told = strstr(out, "failed: ") && strstr(out, "lua of map: ");
        if (!told)
            printf("    %s: %s\n", outside[i], out);
        CU_ASSERT(told);
    }
}

static void nothing_is_kept_between_records_and_pairs_go_in_order(void)
{
    has(run(with("map", "count = 1"), 0, ROWS("{}")),
        "'count' is no local: a script keeps nothing");
    same(value("(function() local s = '' for k, v in pairs(this.x) do"
               " s = s .. k .. v end return s end)()",
               "{\"z\":1,\"a\":2,\"m\":3}"),
         "\"a2m3z1\"");
    same(value("(function() local s = '' for k in pairs{ b = 1, 7, [true] = 1,"
               " [0.5] = 2 } do s = s .. tostring(k) end return s end)()",
               "1"),
         "\"true0.51b\"");
    same(value("tostring({}) .. tostring(type)", "1"), "\"tablefunction\"");
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
    has(diags.first->text.ptr, "attempt to assign to const variable '_ENV'");
    leat_arena_reset(&arena);
}

static void patterns_mean_what_luas_manual_says(void)
{
    static const char *const cases[][2] = {
        {"('key = value'):match('^(%w+)%s*=%s*(%w+)$')", "\"key\""},
        {"('hello'):find('l')", "3"},
        {"('a.b'):find('.', 1, true)", "2"},
        {"('abc'):find('')", "1"},
        {"('abc'):find('', 10) == nil", "true"},
        {"('abc'):find('b', -1) == nil", "true"},
        {"('abc'):match('()b')", "2"},
        {"('THE (quick) fox'):find('%((%a+)%)')", "5"},
        {"('f(a(b)c)d'):match('%b()')", "\"(a(b)c)\""},
        {"('THE (quick) fox'):gsub('%f[%a]%a+', string.lower)", "\"the (quick) fox\""},
        {"('hello world'):gsub('o', '0', 1)", "\"hell0 world\""},
        {"('hello'):gsub('', '-')", "\"-h-e-l-l-o-\""},
        {"('abc'):gsub('%w', '%0%0')", "\"aabbcc\""},
        {"('a b'):gsub('(%w) (%w)', '%2 %1')", "\"b a\""},
        {"('$name'):gsub('%$(%w+)', { name = 'leat' })", "\"leat\""},
        {"('abc'):gsub('b*', 'x')", "\"xaxcx\""},
        {"('say \"x\"'):match('([\"\\'])(.-)%1')", "\"\\\"\""},
        {"('x^y'):match('[%^x]+')", "\"x^\""},
        {"('a-z'):match('[a%-]+')", "\"a-\""},
        {"('0x1F'):match('%x+$')", "\"1F\""},
        {"('a]b'):match('[]]')", "\"]\""},
        {"('aab'):match('^a-b')", "\"aab\""},
        {"('ab'):match('a?b?c?')", "\"ab\""},
        {"('A1'):match('%u%d') .. ('A1'):match('%U')", "\"A11\""},
    };
    static const char *const wrong[] = {"'%'",  "'['",  "'(a'", "'a)'",
                                        "'%1'", "'%b'", "'%f'", "'[a-'"};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char what[256];
        snprintf(what, sizeof what, "(%s)", cases[i][0]);
        same(value(what, "1"), cases[i][1]);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char what[256];
        snprintf(what, sizeof what, "('a'):match(%s)", wrong[i]);
        has(value(what, "1"), "pattern");
    }
}

static void the_same_script_runs_on_several_workers(void)
{
    struct pipeline p;
    static char yaml[4096];
    uint32_t sum = 0;

    snprintf(
        yaml, sizeof yaml,
        "leat: 1\nname: t\nsources:\n  in:\n    kafka: { brokers: b, topic: t }\n    format: json\n"
        "streams:\n  s:\n    from: in\n    ops:\n"
        "      - map: { lua: \"local s = '' for i = 1, 20 do s = s .. this.n end return #s\" }\n"
        "sinks:\n  out: { from: s, memory: {}, format: json }\n");
    pipeline_open(&p, yaml, 4);
    for (int i = 0; i < 4000; i++) {
        char part[16];
        snprintf(part, sizeof part, "t/%d", i % 8);
        pipeline_row(&p, "in", part, "k", "{\"n\":5}", 1000);
    }
    CU_ASSERT_FATAL(pipeline_batch(&p, 2000, false));
    pipeline_output(&p, "out", 0, out, sizeof out);
    for (const char *s = out; (s = strstr(s, "20\n")); s++)
        sum++;
    CU_ASSERT_EQUAL(sum, 4000);
    pipeline_close(&p);
}

/* ---- without memory */

static const char *const names[] = {"this", "key", NULL};

static const struct leat_callable *compile(struct leat_arena *arena, const char *script)
{
    struct leat_diags diags = {.arena = arena};
    struct leat_node *node = leat_arena_alloc(arena, sizeof *node);

    if (!node)
        return NULL;
    node->text = leat_slice_str(script);
    node->mark.line = 100;
    const struct leat_language *lua = leat_module_find_language("lua")->language;
    const struct leat_callable *c = lua->compile(node, names, 1, arena, &diags);
    CU_ASSERT(c || diags.errors == 1);
    return c;
}

static void compiling_and_calling_without_memory_ends_clean(void)
{
    LEAT_OOM_SWEEP {
        struct leat_arena plan = {0}, batch_arena = {0};
        const struct leat_callable *c =
            compile(&plan, "local t = {} for i = 1, 50 do t[i] = { this, 'x' .. i } end return t");
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
        const struct leat_callable *c = compile(&plan, script);
        CU_ASSERT_FATAL(c && len < (int)sizeof script);
        struct leat_value v = c->call(c, &call, text, 2);
        CU_ASSERT(v.tag == LEAT_LIST || v.tag == LEAT_ERROR);
    }
    const struct leat_callable *c =
        compile(&plan, "return ('x'):upper() .. string.rep('y', 2) .. math.type(table.pack(1).n)");
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
        compile(&plan, "local t = {} for i = 1, this do t[i] = i end return #t");

    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    CU_ASSERT_EQUAL(c->call(c, &call, args, 2).as.i, 1);
    CU_ASSERT(atomic_load(&budget.used) > 0);
    args[0] = leat_int(1000000);
    struct leat_value v = c->call(c, &call, args, 2);
    CU_ASSERT(v.tag == LEAT_ERROR && v.code == LEAT_V_BUDGET);
    CU_ASSERT(atomic_load(&budget.used) <= budget.cap);
    args[0] = leat_int(3);
    CU_ASSERT_EQUAL(c->call(c, &call, args, 2).as.i, 3);
    leat_eval_free(ev);
    leat_arena_reset(&batch_arena);
    CU_ASSERT_EQUAL(atomic_load(&budget.used), 0);
    leat_arena_reset(&plan);
}

LEAT_TESTS("lua", T(every_value_comes_back_as_it_was),
           T(integers_are_exact_and_division_makes_doubles),
           T(null_is_a_value_of_its_own_and_what_is_not_there_is_nil),
           T(tables_are_lists_or_maps_and_say_it_where_it_is_open),
           T(times_and_bytes_have_methods_and_arithmetic), T(what_is_no_value_is_refused),
           T(flat_map_filter_and_fields_of_map_take_scripts),
           T(a_script_sees_what_operators_before_it_made),
           T(update_state_by_key_keeps_what_a_script_gives_and_null_removes_it),
           T(map_with_state_takes_a_script_for_each_part_and_for_the_whole_update),
           T(an_update_of_state_gives_fields_that_init_has),
           T(a_script_that_gives_the_wrong_thing_fails_with_the_operators_name),
           T(an_error_has_the_line_of_the_file),
           T(a_record_that_fails_is_dropped_and_the_others_go_on),
           T(what_never_ends_or_takes_all_memory_is_ended), T(the_limits_are_named),
           T(nothing_outside_can_be_reached_and_nothing_shared_be_written),
           T(nothing_is_kept_between_records_and_pairs_go_in_order),
           T(the_environment_cannot_be_exchanged), T(patterns_mean_what_luas_manual_says),
           T(the_same_script_runs_on_several_workers),
           T(compiling_and_calling_without_memory_ends_clean),
           T(every_function_ends_whatever_its_arguments_are),
           T(what_lua_takes_is_charged_to_the_job_and_given_back))
