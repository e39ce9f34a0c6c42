/* Tests engine/data/json_scan.c, json_read.c, json_parse.c and json_write.c. */
#include "base/mem.h"
#include "data/json.h"
#include "data/value_ops.h"
#include "leat_test.h"

#include <jansson.h>
#include <stdio.h>

static struct leat_arena arena;

/* A copy that ends where its memory ends, so that a sanitizer sees every byte read behind it. */
static struct leat_slice exact(const char *text, size_t len)
{
    char *copy = leat_mem_alloc(len ? len : 1);

    memcpy(copy, text, len);
    return (struct leat_slice){copy, len};
}

static bool is_json(const char *text, size_t len)
{
    const struct leat_json_plan *plan = leat_json_plan_new(NULL, 0, &arena);
    struct leat_slice s = exact(text, len);
    struct leat_value why;
    bool read = leat_json_read(plan, NULL, s, &arena, NULL, 0, &why);
    bool parsed = leat_json_parse(s, &arena).tag != LEAT_ERROR;

    leat_mem_free((char *)s.ptr);
    CU_ASSERT_EQUAL(read, parsed);
    return read;
}

#define IS(text) is_json(text, sizeof(text) - 1)

static void accepts_what_rfc_8259_says(void)
{
    CU_ASSERT(IS("{}"));
    CU_ASSERT(IS("[]"));
    CU_ASSERT(IS(" [ ] "));
    CU_ASSERT(IS("\t{\n}\r"));
    CU_ASSERT(IS("0"));
    CU_ASSERT(IS("-0"));
    CU_ASSERT(IS("-0.0"));
    CU_ASSERT(IS("1e5"));
    CU_ASSERT(IS("1E+5"));
    CU_ASSERT(IS("1.25e-5"));
    CU_ASSERT(IS("123456789012345678901234567890.5"));
    CU_ASSERT(IS("\"\""));
    CU_ASSERT(IS("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\""));
    CU_ASSERT(IS("\"\\ud834\\udd1e\""));
    CU_ASSERT(IS("\"\\ud834\"")); /* the grammar allows a lone half */
    CU_ASSERT(IS("\"\\u0000\""));
    CU_ASSERT(IS("\"\x7f\""));
    CU_ASSERT(IS("\"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\""));
    CU_ASSERT(IS("\"\xf4\x8f\xbf\xbf\""));
    CU_ASSERT(IS("true"));
    CU_ASSERT(IS("false"));
    CU_ASSERT(IS("null"));
    CU_ASSERT(IS("[1,2,[3,[4]],{\"a\":{}}]"));
    CU_ASSERT(IS("{\"a\":1,\"a\":2}"));
    CU_ASSERT(IS("{\"\":0}"));
    CU_ASSERT(IS("{ \"a\" : [ 1 , 2 ] , \"b\" : null }"));
    CU_ASSERT(IS("\"a string that is longer than one step of sixteen bytes, twice and more\""));
    leat_arena_reset(&arena);
}

static void refuses_everything_else(void)
{
    CU_ASSERT_FALSE(IS(""));
    CU_ASSERT_FALSE(IS(" "));
    CU_ASSERT_FALSE(IS("\xef\xbb\xbf{}")); /* byte order mark */
    CU_ASSERT_FALSE(IS("{} x"));
    CU_ASSERT_FALSE(IS("{}{}"));
    CU_ASSERT_FALSE(IS("[1,]"));
    CU_ASSERT_FALSE(IS("[,1]"));
    CU_ASSERT_FALSE(IS("[1 2]"));
    CU_ASSERT_FALSE(IS("[1"));
    CU_ASSERT_FALSE(IS("1]"));
    CU_ASSERT_FALSE(IS("{\"a\":1,}"));
    CU_ASSERT_FALSE(IS("{,\"a\":1}"));
    CU_ASSERT_FALSE(IS("{\"a\" 1}"));
    CU_ASSERT_FALSE(IS("{\"a\":}"));
    CU_ASSERT_FALSE(IS("{\"a\"}"));
    CU_ASSERT_FALSE(IS("{a:1}"));
    CU_ASSERT_FALSE(IS("{'a':1}"));
    CU_ASSERT_FALSE(IS("{1:1}"));
    CU_ASSERT_FALSE(IS("{\"a\":1"));
    CU_ASSERT_FALSE(IS("{\"a\":1]"));
    CU_ASSERT_FALSE(IS("{"));
    CU_ASSERT_FALSE(IS("01"));
    CU_ASSERT_FALSE(IS("-01"));
    CU_ASSERT_FALSE(IS("-"));
    CU_ASSERT_FALSE(IS("+1"));
    CU_ASSERT_FALSE(IS("1."));
    CU_ASSERT_FALSE(IS(".5"));
    CU_ASSERT_FALSE(IS("1.e5"));
    CU_ASSERT_FALSE(IS("1e"));
    CU_ASSERT_FALSE(IS("1e+"));
    CU_ASSERT_FALSE(IS("0x10"));
    CU_ASSERT_FALSE(IS("1 000"));
    CU_ASSERT_FALSE(IS("NaN"));
    CU_ASSERT_FALSE(IS("Infinity"));
    CU_ASSERT_FALSE(IS("-Infinity"));
    CU_ASSERT_FALSE(IS("nul"));
    CU_ASSERT_FALSE(IS("True"));
    CU_ASSERT_FALSE(IS("tru e"));
    CU_ASSERT_FALSE(IS("\""));
    CU_ASSERT_FALSE(IS("\"abc"));
    CU_ASSERT_FALSE(IS("\"a string without an end that goes on beyond sixteen bytes"));
    CU_ASSERT_FALSE(IS("\"\\\""));
    CU_ASSERT_FALSE(IS("\"\\"));
    CU_ASSERT_FALSE(IS("\"\\a\""));
    CU_ASSERT_FALSE(IS("\"\\x41\""));
    CU_ASSERT_FALSE(IS("\"\\u12\""));
    CU_ASSERT_FALSE(IS("\"\\u123g\""));
    CU_ASSERT_FALSE(IS("\"\\u12"));
    CU_ASSERT_FALSE(IS("\"\n\""));
    CU_ASSERT_FALSE(IS("\"\0\""));
    CU_ASSERT_FALSE(IS("\"\x1f\""));
    CU_ASSERT_FALSE(IS("\"\xff\""));
    CU_ASSERT_FALSE(IS("\"\x80\""));
    CU_ASSERT_FALSE(IS("\"\xc3\""));
    CU_ASSERT_FALSE(IS("\"\xc0\x80\"")); /* overlong */
    CU_ASSERT_FALSE(IS("\"\xe0\x80\x80\""));
    CU_ASSERT_FALSE(IS("\"\xf0\x80\x80\x80\""));
    CU_ASSERT_FALSE(IS("\"\xed\xa0\x80\""));     /* half of a pair as UTF-8 */
    CU_ASSERT_FALSE(IS("\"\xf4\x90\x80\x80\"")); /* beyond U+10FFFF */
    CU_ASSERT_FALSE(IS("{\"\xff\":1}"));
    CU_ASSERT_FALSE(IS("/* no */1"));
    CU_ASSERT_FALSE(IS("\xc2\xa0"
                       "1"));
    CU_ASSERT_FALSE(IS("\f1"));
    leat_arena_reset(&arena);
}

static void nesting_ends_at_64(void)
{
    char text[2 * 65];

    for (size_t n = 63; n <= 65; n++) {
        memset(text, '[', n);
        memset(text + n, ']', n);
        CU_ASSERT_EQUAL(is_json(text, 2 * n), n <= LEAT_JSON_DEPTH);
    }
    leat_arena_reset(&arena);
}

/* --- differential --- */

static uint64_t seed = 42;

static uint32_t next_random(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

/* jansson refuses these two although the grammar has them, and takes raw text twice as deep. */
static bool is_jansson_stricter(const json_error_t *e)
{
    return strstr(e->text, "u0000") || strstr(e->text, "nvalid Unicode") ||
           strstr(e->text, "too big") || strstr(e->text, "overflow");
}

static void agrees_with_another_reader_on_damaged_texts(void)
{
    static const char *const seeds[] = {
        ("{\"user\":\"u-17\",\"n\":-12.5e3,\"ok\":true,\"tags\":[\"a\",\"\\u00e9\\n\",null],"
         "\"deep\":{\"x\":{}}}"),
        "[0,1,-1,1.5,1e10,\"\xc3\xa9\xe2\x82\xac\",{\"k\":[],\"l\":{}}]",
        " { \"a\" : 1 , \"b\" : [ true , false , null ] } ",
    };
    static const char bytes[] = "{}[]\",:\\u0019-+.eE truefalsn\n\t\x01\x80\xc3\xff";
    int told_apart = 0, valid = 0;

    for (int round = 0; round < 60000; round++) {
        char text[160];
        const char *from = seeds[next_random(3)];
        size_t len = strlen(from);
        memcpy(text, from, len);
        for (uint32_t i = 0, n = 1 + next_random(3); i < n && len > 1; i++) {
            uint32_t at = next_random((uint32_t)len);
            switch (next_random(3)) {
            case 0:
                text[at] = bytes[next_random(sizeof bytes - 1)];
                break;
            case 1:
                memmove(text + at, text + at + 1, --len - at);
                break;
            default:
                memmove(text + at + 1, text + at, len++ - at);
                text[at] = bytes[next_random(sizeof bytes - 1)];
            }
        }
        json_error_t e;
        json_t *theirs = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
        bool ours = is_json(text, len);
        valid += ours;
        if (ours != (theirs != NULL) && !(ours && is_jansson_stricter(&e))) {
            told_apart++;
            printf("    %.*s (%s)\n", (int)len, text, theirs ? "valid" : e.text);
        }
        json_decref(theirs);
        if (round % 1000 == 0)
            leat_arena_reset(&arena);
    }
    CU_ASSERT_EQUAL(told_apart, 0);
    CU_ASSERT(valid > 1000);
    leat_arena_reset(&arena);
}

/* --- values --- */

static bool text_is(struct leat_value v, const char *text)
{
    return v.tag == LEAT_STRING && leat_slice_eq(leat_value_text(v), leat_slice_str(text));
}

static bool fails_as(struct leat_value v, enum leat_value_error code)
{
    return v.tag == LEAT_ERROR && v.code == code;
}

static struct leat_value parse(const char *text)
{
    return leat_json_parse(leat_slice_str(text), &arena);
}

static const char *written(struct leat_value v)
{
    struct leat_bytes b = {.arena = &arena};
    struct leat_value why;

    if (!leat_json_write(v, &b, &why))
        return why.as.text;
    leat_bytes_put(&b, "", 1);
    return b.ptr;
}

static void numbers_are_ints_uints_or_doubles(void)
{
    CU_ASSERT_EQUAL(parse("-0").tag, LEAT_INT);
    CU_ASSERT_EQUAL(parse("9223372036854775807").as.i, INT64_MAX);
    CU_ASSERT_EQUAL(parse("-9223372036854775808").as.i, INT64_MIN);
    CU_ASSERT_EQUAL(parse("9223372036854775808").tag, LEAT_UINT);
    CU_ASSERT_EQUAL(parse("18446744073709551615").as.u, UINT64_MAX);
    CU_ASSERT(fails_as(parse("[18446744073709551616]").as.items[0], LEAT_V_OVERFLOW));
    CU_ASSERT(fails_as(parse("[-9223372036854775809]").as.items[0], LEAT_V_OVERFLOW));
    CU_ASSERT(fails_as(parse("[99999999999999999999999]").as.items[0], LEAT_V_OVERFLOW));
    CU_ASSERT(fails_as(parse("[1e999]").as.items[0], LEAT_V_OVERFLOW));
    CU_ASSERT_EQUAL(parse("1.0").tag, LEAT_DOUBLE);
    CU_ASSERT_EQUAL(parse("1e2").as.d, 100.0);
    leat_arena_reset(&arena);
}

static void escapes_become_text(void)
{
    CU_ASSERT(text_is(parse("\"\\u0041\\u00e9\\u20ac\\ud834\\udd1e\""),
                      "A\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e"));
    CU_ASSERT(text_is(parse("\"x\\ud834y\""), "x\xef\xbf\xbdy"));
    CU_ASSERT(text_is(parse("\"\\udd1e\\ud834\\u0041\""), "\xef\xbf\xbd\xef\xbf\xbd"
                                                          "A"));
    CU_ASSERT(text_is(parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "\"\\/\b\f\n\r\t"));
    leat_arena_reset(&arena);
}

static void of_equal_names_the_last_one_wins(void)
{
    char text[40 * 16] = "{";
    struct leat_value v = parse("{\"a\":1,\"b\":2,\"a\":3}");

    CU_ASSERT_EQUAL(v.len, 2);
    CU_ASSERT_EQUAL(leat_value_field(v, LEAT_LIT("a"), &arena).as.i, 3);
    for (int i = 0; i < 40; i++)
        sprintf(text + strlen(text), "%s\"k%d\":%d", i ? "," : "", i % 30, i);
    v = parse(strcat(text, "}"));
    CU_ASSERT_EQUAL(v.len, 30);
    CU_ASSERT_EQUAL(leat_value_field(v, LEAT_LIT("k9"), &arena).as.i, 39);
    CU_ASSERT_EQUAL(leat_value_field(v, LEAT_LIT("k10"), &arena).as.i, 10);
    leat_arena_reset(&arena);
}

static void a_field_is_found_in_raw_text(void)
{
    struct leat_slice object = LEAT_LIT("{\"a\":1,\"n\\u0061me\":{\"x\":[1,{\"y\":2}]},\"a\":2}");
    struct leat_value v = leat_json_field(object, LEAT_LIT("name"), &arena);

    CU_ASSERT_EQUAL_FATAL(v.tag, LEAT_RECORD);
    CU_ASSERT_STRING_EQUAL(written(v), "{\"x\":[1,{\"y\":2}]}");
    v = leat_value_field(v, LEAT_LIT("x"), &arena);
    CU_ASSERT_EQUAL_FATAL(v.tag, LEAT_LIST);
    CU_ASSERT_EQUAL(v.as.items[1].tag, LEAT_RECORD);
    CU_ASSERT_EQUAL(leat_json_field(object, LEAT_LIT("a"), &arena).as.i, 2);
    CU_ASSERT(fails_as(leat_json_field(object, LEAT_LIT("b"), &arena), LEAT_V_ABSENT));
    CU_ASSERT(fails_as(leat_json_field(LEAT_LIT("[1]"), LEAT_LIT("b"), &arena), LEAT_V_ABSENT));
    leat_arena_reset(&arena);
}

/* --- wanted paths --- */

enum { USER, CITY, STREET, WHOLE, ADDRESS, PATHS };

static struct leat_value cells[PATHS];
static struct leat_value *columns[PATHS] = {&cells[0], &cells[1], &cells[2], &cells[3], &cells[4]};

static const struct leat_json_plan *five_paths(void)
{
    static const struct leat_slice user[] = {{"user", 4}}, city[] = {{"address", 7}, {"city", 4}},
                                   street[] = {{"address", 7}, {"street", 6}, {"name", 4}};
    static const struct leat_path paths[] = {{user, 1, USER},
                                             {city, 2, CITY},
                                             {street, 3, STREET},
                                             {NULL, 0, WHOLE},
                                             {city, 1, ADDRESS}};

    return leat_json_plan_new(paths, PATHS, &arena);
}

static bool read_with(struct leat_json_order *order, const struct leat_json_plan *plan,
                      const char *text)
{
    struct leat_value why;

    return leat_json_read(plan, order, leat_slice_str(text), &arena, columns, 0, &why);
}

static void wanted_paths_reach_their_columns(void)
{
    const struct leat_json_plan *plan = five_paths();

    CU_ASSERT(read_with(NULL, plan,
                        "{\"x\":[{}],\"user\":\"ann\",\"address\":{\"street\":{\"name\":\"Rue\","
                        "\"no\":1},\"city\":\"Paris\"}}"));
    CU_ASSERT(text_is(cells[USER], "ann"));
    CU_ASSERT(text_is(cells[CITY], "Paris"));
    CU_ASSERT(text_is(cells[STREET], "Rue"));
    CU_ASSERT_EQUAL(cells[WHOLE].tag, LEAT_RECORD);
    CU_ASSERT_STRING_EQUAL(written(cells[ADDRESS]),
                           "{\"street\":{\"name\":\"Rue\",\"no\":1},\"city\":\"Paris\"}");

    CU_ASSERT(
        read_with(NULL, plan, "{\"address\":{\"city\":\"Paris\"},\"address\":{\"street\":null}}"));
    CU_ASSERT(fails_as(cells[USER], LEAT_V_ABSENT));
    CU_ASSERT(fails_as(cells[CITY], LEAT_V_ABSENT));
    CU_ASSERT(fails_as(cells[STREET], LEAT_V_ABSENT));
    CU_ASSERT(read_with(NULL, plan, "{\"address\":{\"city\":\"Paris\"},\"address\":5}"));
    CU_ASSERT(fails_as(cells[CITY], LEAT_V_TYPE));
    CU_ASSERT_EQUAL(cells[ADDRESS].as.i, 5);
    CU_ASSERT(read_with(NULL, plan, " [1, 2] "));
    CU_ASSERT_EQUAL(cells[WHOLE].tag, LEAT_LIST);
    CU_ASSERT(fails_as(cells[USER], LEAT_V_TYPE));
    leat_arena_reset(&arena);
}

static void what_was_learnt_never_changes_the_result(void)
{
    static const char *const texts[] = {
        "{\"a\":1,\"user\":\"ann\",\"b\":2,\"address\":{\"city\":\"Paris\"}}",
        "{\"a\":1,\"user\":\"ann\",\"address\":{\"city\":\"Paris\"}}",
        "{\"user\":\"ann\",\"a\":1}",
        "{,\"user\":\"ann\"}",
        "{\"a\": 1,\"user\":  \"ann\",\"b\":\n2}",
        "{\"a\":1\"user\":\"ann\"}",
        "{ \"a\": 1, \"user\": \"ann\", \"b\": 2 }",
        "{\"us\\u0065r\":\"ann\",\"a\":{},\"c\":[]}",
        "{\"a\":1,\"user\":}",
        "{\"a\":1,\"user\":\"ann\",\"a name that is longer than what can be learnt\":1,\"b\":2}",
        "{}",
        "{\"a\":1,",
    };
    const struct leat_json_plan *plan = five_paths();
    struct leat_json_order *order = leat_json_order_new(plan, &arena);

    for (int round = 0; round < 5000; round++) {
        const char *text = texts[next_random(sizeof texts / sizeof texts[0])];
        struct leat_value learnt[PATHS];
        bool ok = read_with(order, plan, text);
        memcpy(learnt, cells, sizeof cells);
        CU_ASSERT_EQUAL(read_with(NULL, plan, text), ok);
        for (int i = 0; ok && i < PATHS; i++)
            CU_ASSERT(fails_as(cells[i], LEAT_V_ABSENT)
                          ? fails_as(learnt[i], LEAT_V_ABSENT)
                          : leat_value_equal(cells[i], learnt[i], &arena));
    }
    leat_arena_reset(&arena);
}

static void a_refusal_says_where_and_why(void)
{
    struct leat_value why;

    CU_ASSERT_FALSE(
        leat_json_read(five_paths(), NULL, LEAT_LIT("{\"a\":tru}"), &arena, columns, 0, &why));
    CU_ASSERT(fails_as(why, LEAT_V_SYNTAX));
    CU_ASSERT_STRING_EQUAL(why.as.text, "not JSON at byte 5: expected a value");
    leat_arena_reset(&arena);
}

/* --- writing --- */

static void values_are_written_as_json(void)
{
    struct leat_value bytes = {.tag = LEAT_BYTES, .len = 4, .as.text = "\x00\xff\x10z"};
    struct leat_value time = {.tag = LEAT_TIMESTAMP, .len = 250000000, .as.i = 0};
    struct leat_value pair[] = {leat_int(1), time, leat_bool(true), bytes};

    CU_ASSERT_STRING_EQUAL(
        written(parse("[1,-2,18446744073709551615,1.5,true,null,\"a\\n\\u0001\\\"\\\\\\u00e9\"]")),
        "[1,-2,18446744073709551615,1.5,true,null,\"a\\n\\u0001\\\"\\\\\xc3\xa9\"]");
    CU_ASSERT_STRING_EQUAL(
        written((struct leat_value){.tag = LEAT_MAP, .len = 2, .as.items = pair}),
        "{\"1\":\"1970-01-01T00:00:00.250Z\",\"true\":\"AP8Qeg==\"}");
    CU_ASSERT_STRING_EQUAL(written(leat_double(1e300 * 1e10)), "JSON has no infinite numbers");
    CU_ASSERT_STRING_EQUAL(written(leat_string(LEAT_LIT("\xff"))),
                           "a string that is not UTF-8 cannot be written as JSON");
    leat_arena_reset(&arena);
}

static void fields_are_laid_over_raw_text(void)
{
    struct leat_shapes shapes = {.arena = &arena};
    const struct leat_slice names[] = {LEAT_LIT("b"), LEAT_LIT("new"), LEAT_LIT("c"),
                                       LEAT_LIT("gone")};
    struct leat_record *r = leat_record_new(&arena, leat_shape_intern(&shapes, names, 4));
    struct leat_value v = {.tag = LEAT_RECORD, .as.record = r};

    r->raw = LEAT_LIT("{\"a\": 1.10,\n \"b\":2, \"c\":3, \"b\":4, \"d\":\"x\\ny \\\\\"}");
    r->fields[0] = leat_string(LEAT_LIT("B"));
    r->fields[1] = leat_int(5);
    r->fields[2] = leat_value_fail(LEAT_V_ABSENT, "");
    r->fields[3] = leat_value_fail(LEAT_V_ABSENT, "");
    CU_ASSERT_STRING_EQUAL(written(v), "{\"a\": 1.10,\"b\":\"B\",\"d\":\"x\\ny \\\\\",\"new\":5}");
    struct leat_value map = leat_value_expand(v, &arena);
    CU_ASSERT_STRING_EQUAL(written(map), "{\"a\":1.1,\"b\":\"B\",\"d\":\"x\\ny \\\\\",\"new\":5}");
    CU_ASSERT(leat_value_equal(v, map, &arena));
    r->raw = (struct leat_slice){0};
    CU_ASSERT_STRING_EQUAL(written(v), "{\"b\":\"B\",\"new\":5}");
    leat_arena_reset(&arena);
}

static void line_breaks_of_raw_text_are_not_written(void)
{
    static const struct leat_shape none;
    struct leat_record *r = leat_record_new(&arena, &none);

    r->raw = LEAT_LIT("{\n  \"a b\" : [ 1,\r\n 2 ],\n  \"c\": \"x \\\" y\"\n}");
    CU_ASSERT_STRING_EQUAL(written((struct leat_value){.tag = LEAT_RECORD, .as.record = r}),
                           "{\"a b\":[1,2],\"c\":\"x \\\" y\"}");
    leat_arena_reset(&arena);
}

static void reading_and_writing_report_lack_of_memory(void)
{
    LEAT_OOM_SWEEP {
        struct leat_value v = parse("{\"a\":[1,2,{\"b\\n\":\"c\\n\"}],\"d\":4}");
        CU_ASSERT(v.tag == LEAT_MAP || fails_as(v, LEAT_V_BUDGET));
        const struct leat_json_plan *plan = five_paths();
        if (plan && !read_with(leat_json_order_new(plan, &arena), plan,
                               "{\"user\":[{}],\"address\":{\"city\":\"\\n\"}}"))
            CU_ASSERT(leat_oom_hit());
        if (v.tag == LEAT_MAP)
            CU_ASSERT(strcmp(written(v), "out of memory") == 0 || written(v)[0] == '{');
        leat_arena_reset(&arena);
    }
}

LEAT_TESTS("json", T(accepts_what_rfc_8259_says), T(refuses_everything_else), T(nesting_ends_at_64),
           T(agrees_with_another_reader_on_damaged_texts), T(numbers_are_ints_uints_or_doubles),
           T(escapes_become_text), T(of_equal_names_the_last_one_wins),
           T(a_field_is_found_in_raw_text), T(wanted_paths_reach_their_columns),
           T(what_was_learnt_never_changes_the_result), T(a_refusal_says_where_and_why),
           T(values_are_written_as_json), T(fields_are_laid_over_raw_text),
           T(line_breaks_of_raw_text_are_not_written), T(reading_and_writing_report_lack_of_memory))
