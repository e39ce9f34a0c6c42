/* Tests languages/lua: what scripts in the place of expressions see and give. */
#include "lua_rig.h"

#include "leat_test.h"

#include <stdio.h>

static char ops[8192];

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
        lua_same(lua_value("this.x", texts[i]), texts[i]);
}

static void integers_are_exact_and_division_makes_doubles(void)
{
    lua_same(lua_value("this.x + 1", "9007199254740992"), "9007199254740993");
    lua_same(lua_value("this.x // 2", "9007199254740993"), "4503599627370496");
    lua_same(lua_value("this.x / 2", "3"), "1.5");
    lua_same(lua_value("this.x + 1", "0.5"), "1.5");
    lua_same(lua_value("math.type(this.x)", "1.0"), "\"float\"");
    lua_same(lua_value("tostring(this.x)", "18446744073709551615"), "\"18446744073709551615\"");
}

static void arithmetic_is_that_of_luas_integers_and_floats(void)
{
    static const char *const cases[][2] = {
        {"this.x + 1", "-9223372036854775808"},
        {"this.x + 0.0", "9.223372036854776e18"},
        {"this.x // -1", "-9223372036854775807"},
        {"this.x < this.x + 0.0", "true"},
        {"this.x == 9223372036854775807.0", "false"},
        {"math.tointeger(2^53)", "9007199254740992"},
        {"2^53 + 1", "9007199254740992.0"},
        {"'10' + 1", "11"},
        {"'9223372036854775808' + 0", "9.223372036854776e18"},
        {"'0x10' + 0", "16"},
        {"-0.0", "-0.0"},
        {"0/0 ~= 0/0", "true"},
        {"(1/0 > this.x)", "true"},
        {"math.mininteger // -1", "-9223372036854775808"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        lua_same(lua_value(cases[i][0], "9223372036854775807"), cases[i][1]);
    lua_has(lua_value("1 // 0", "1"), "attempt to divide by zero");
    lua_has(lua_value("1 % 0", "1"), "'n%0'");
    lua_has(lua_value("2^63 | 0", "1"), "no integer representation");
    lua_has(lua_value("'a' + 1", "1"), "line 14:");
    lua_has(lua_value("this.x + 1", "18446744073709551615"), "line 14:");
    lua_has(lua_value("(function() local t = {} t[0/0] = 1 return t end)()", "1"),
            "table index is NaN");
    lua_has(lua_value("map{ [0.5] = 1 }", "1"), "a map whose keys are no texts");
    lua_has(lua_value("map{ ['\\xff'] = 1 }", "1"), "no UTF-8");
}

static void sort_leaves_what_is_equal_in_its_order(void)
{
    lua_same(lua_run(lua_op("map", "local t = {}\n"
                                   "for i = 1, 1000 do t[i] = { k = i * 7919 % 10, i = i } end\n"
                                   "table.sort(t, function(a, b) return a.k > b.k end)\n"
                                   "for i = 2, 1000 do\n"
                                   "  local a, b = t[i - 1], t[i]\n"
                                   "  if a.k < b.k or a.k == b.k and a.i > b.i then return i end\n"
                                   "end\n"
                                   "return #t\n"),
                     0, ROWS("{}")),
             "1000\n");
    lua_same(lua_value("(function() table.sort(this.x) return this.x end)()", "[5,3,1,4,2.5,0,1]"),
             "[0,1,1,2.5,3,4,5]");
    lua_same(lua_value("(function() table.sort(this.x) return this.x end)()", "[]"), "[]");
    lua_same(lua_value("(function() table.sort(this.x, function() return true end)"
                       " return #this.x end)()",
                       "[1,2,3,4,5]"),
             "5");
    lua_has(lua_value("table.sort(this.x)", "[1,\"a\"]"), "attempt to compare");
    lua_has(lua_value("table.sort(this.x, 1)", "[1,2]"), "function expected");
}

static void null_is_a_value_of_its_own_and_what_is_not_there_is_nil(void)
{
    lua_same(lua_value("this.x == null", "null"), "true");
    lua_same(lua_value("this.y == nil", "null"), "true");
    lua_same(lua_value("default(this.x, 7)", "null"), "7");
    lua_same(lua_value("default(this.y, 7)", "null"), "7");
    lua_same(lua_value("default(this.x, 7)", "1"), "1");
    lua_same(lua_value("type(this.x) .. tostring(this.x)", "null"), "\"nullnull\"");
    lua_same(lua_value("{ null, this.x }", "null"), "[null,null]");
}

static void tables_are_lists_or_maps_and_say_it_where_it_is_open(void)
{
    lua_same(lua_value("{ 1, 2 }", "1"), "[1,2]");
    lua_same(lua_value("{ b = 1, a = { c = 2 } }", "1"), "{\"a\":{\"c\":2},\"b\":1}");
    lua_same(lua_value("{}", "1"), "[]");
    lua_same(lua_value("map{}", "1"), "{}");
    lua_same(lua_value("map()", "1"), "{}");
    lua_same(lua_value("#map{[2] = 1, a = 2}", "1"), "0");
    lua_has(lua_value("{ 1, a = 2 }", "1"), "neither a list (keys 1 to n) nor a map");
    lua_has(lua_value("{ [2] = 1 }", "1"), "neither a list");
    lua_has(lua_value("{ [1.5] = 1 }", "1"), "neither a list");
    lua_has(lua_value("list{ [2] = 1 }", "1"), "a list with holes");
    lua_has(lua_value("map{ [{}] = 1 }", "1"), "a map whose keys are no texts");
}

static void times_and_bytes_have_methods_and_arithmetic(void)
{
    lua_same(lua_value("timestamp(this.x) + duration('90m')", "\"2026-01-01T00:00:00Z\""),
             "\"2026-01-01T01:30:00Z\"");
    CU_ASSERT_STRING_EQUAL(
        lua_value("(timestamp(this.x) - fromMillis(0)):millis()", "\"1970-01-01T00:00:01.5Z\""),
        "1500");
    lua_same(lua_value("duration('1s') < duration('2s')", "1"), "true");
    lua_same(lua_value("duration('1s') == duration('1000ms')", "1"), "true");
    lua_same(lua_value("type(fromMillis(this.x))", "1"), "\"timestamp\"");
    lua_same(lua_value("#bytes('\\xff\\0')", "1"), "2");
    lua_same(lua_value("bytes('a\\0'):text() == 'a\\0'", "1"), "true");
    lua_same(lua_value("bytes('abc')", "1"), "\"YWJj\"");
    lua_has(lua_value("timestamp('today')", "1"), "line 14:");
    lua_has(lua_value("duration('1s') < fromMillis(1)", "1"), "cannot be compared");
    lua_has(lua_value("fromMillis(1) + fromMillis(1)", "1"), "cannot be added");
    lua_has(lua_value("duration('1s') - fromMillis(1)", "1"), "cannot be taken from");
    lua_has(lua_value("fromMillis(1):seconds()", "1"), "seconds");
}

static void what_is_no_value_is_refused(void)
{
    lua_has(lua_value("nil", "1"), "the script returns nothing");
    lua_has(lua_value("print", "1"), "the script returns nothing");
    lua_has(lua_value("type", "1"), "gives a function, which is no value");
    lua_has(lua_value("{ f = type }", "1"), "gives a function, which is no value");
    lua_has(lua_value("'\\xff'", "1"), "no UTF-8");
    lua_has(lua_value("(function() local t = {} t[1] = t return t end)()", "1"),
            "nested more than 64");
}

/* ---- operators */

static void flat_map_filter_and_fields_of_map_take_scripts(void)
{
    lua_same(lua_run(lua_op("flat_map", "local list = {}\n"
                                        "for i = 1, this.n do list[i] = i end\n"
                                        "return list\n"),
                     0, ROWS("{\"n\":2}", "{\"n\":0}", "{\"n\":1}")),
             "1\n2\n1\n");
    lua_same(lua_run(lua_op("filter", "return this.n > 1 and key == 'k'"), 0,
                     ROWS("{\"n\":1}", "{\"n\":2}")),
             "{\"n\":2}\n");
    lua_same(lua_run("      - map: { a: n + 1, b: { c: { lua: return this.n * 2 } } }\n",
                     PIPELINE_KEYS, ROWS("{\"n\":3}")),
             "k|{\"a\":4,\"b\":{\"c\":6}}\n");
    lua_same(lua_run("      - map_values: { lua: return key .. this.n }\n", PIPELINE_KEYS,
                     ROWS("{\"n\":3}")),
             "k|\"k3\"\n");
}

static void a_script_sees_what_operators_before_it_made(void)
{
    lua_same(lua_run("      - set: { b: a + 1 }\n"
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
    lua_indented(ops, sizeof ops,
                 "local s = default(state, { n = 0, last = 0 })\n"
                 "for _, v in ipairs(values) do s.n = s.n + 1; s.last = v.x end\n"
                 "if s.last == 0 then return null end\n"
                 "return s\n");
    lua_out[0] = '\0';
    lua_open(&p, "fail", ops);
    lua_batch(&p, 2000, PIPELINE_KEYS, ROWS("{\"x\":5}", "{\"x\":6}"));
    lua_batch(&p, 3000, PIPELINE_KEYS, ROWS("{\"x\":7}"));
    lua_batch(&p, 4000, PIPELINE_KEYS, ROWS("{\"x\":0}"));
    lua_batch(&p, 5000, PIPELINE_KEYS, ROWS("{\"x\":1}"));
    pipeline_close(&p);
    CU_ASSERT_STRING_EQUAL(
        lua_out, "k|{\"last\":6,\"n\":2}\nk|{\"last\":7,\"n\":3}\nk|{\"last\":1,\"n\":1}\n");
}

static void map_with_state_takes_a_script_for_each_part_and_for_the_whole_update(void)
{
    struct pipeline p;

    lua_out[0] = '\0';
    lua_open(&p, "fail",
             "      - map_with_state:\n"
             "          init: { n: 0, sum: { lua: return this.x * 100 } }\n"
             "          update: { lua: \"return { n = state.n + 1, sum = state.sum + this.x }\" }\n"
             "          when: { lua: return state.n > 1 }\n"
             "          emit: { lua: \"return { key, prev.n, state.n, state.sum }\" }\n"
             "          remove: { lua: return state.n == 3 }\n");
    lua_batch(&p, 2000, 0, ROWS("{\"x\":1}", "{\"x\":2}"));
    lua_batch(&p, 3000, 0, ROWS("{\"x\":3}", "{\"x\":4}"));
    pipeline_close(&p);
    CU_ASSERT_STRING_EQUAL(lua_out, "[\"k\",1,2,103]\n[\"k\",2,3,106]\n");
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
        lua_has(lua_run(text, 0, ROWS("{\"x\":1}")), "lua of map_with_state");
        lua_has(lua_out, updates[i][1]);
    }
}

/* ---- what goes wrong */

static void a_script_that_gives_the_wrong_thing_fails_with_the_operators_name(void)
{
    lua_has(lua_run(lua_op("filter", "return 1"), 0, ROWS("{}")),
            "lua of filter: the expression gives no bool");
    lua_has(lua_run(lua_op("flat_map", "return 1"), 0, ROWS("{}")),
            "lua of flat_map: the expression gives no list");
    lua_has(lua_run(lua_op("map", "local x = 1"), 0, ROWS("{}")), "lua of map: ");
    lua_has(lua_out, "the script returns nothing");
    lua_has(lua_out, "t/0, position 0");
}

static void an_error_has_the_line_of_the_file(void)
{
    lua_has(lua_run(lua_op("map", "local y = 1\n\nreturn this.a.b + y\n"), 0, ROWS("{}")),
            "lua of map: line 16: attempt to index a nil value (field 'a')");
    lua_has(lua_run(lua_op("map", "\n\nerror('no good')\n"), 0, ROWS("{}")), "line 16: no good");
    lua_has(lua_run(lua_op("map", "error({})\n"), 0, ROWS("{}")), "an error that is no text");
    lua_has(lua_run(lua_op("map", "error(nil)\n"), 0, ROWS("{}")), "an error that is no text");
}

static void nothing_is_kept_between_records_and_pairs_go_in_order(void)
{
    lua_has(lua_run(lua_op("map", "count = 1"), 0, ROWS("{}")),
            "'count' is no local: a script keeps nothing");
    lua_same(lua_value("(function() local s = '' for k, v in pairs(this.x) do"
                       " s = s .. k .. v end return s end)()",
                       "{\"z\":1,\"a\":2,\"m\":3}"),
             "\"a2m3z1\"");
    lua_same(lua_value("(function() local s = '' for k in pairs{ b = 1, 7, [true] = 1,"
                       " [0.5] = 2 } do s = s .. tostring(k) end return s end)()",
                       "1"),
             "\"true0.51b\"");
    lua_same(lua_value("tostring({}) .. tostring(type)", "1"), "\"tablefunction\"");
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
        lua_same(lua_value(what, "1"), cases[i][1]);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char what[256];
        snprintf(what, sizeof what, "('a'):match(%s)", wrong[i]);
        lua_has(lua_value(what, "1"), "pattern");
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
    pipeline_output(&p, "out", 0, lua_out, sizeof lua_out);
    for (const char *s = lua_out; (s = strstr(s, "20\n")); s++)
        sum++;
    CU_ASSERT_EQUAL(sum, 4000);
    pipeline_close(&p);
}

LEAT_TESTS("lua", T(every_value_comes_back_as_it_was),
           T(integers_are_exact_and_division_makes_doubles),
           T(arithmetic_is_that_of_luas_integers_and_floats),
           T(sort_leaves_what_is_equal_in_its_order),
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
           T(nothing_is_kept_between_records_and_pairs_go_in_order),
           T(patterns_mean_what_luas_manual_says), T(the_same_script_runs_on_several_workers))
