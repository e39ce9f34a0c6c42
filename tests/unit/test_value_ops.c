/* Tests engine/data/value_ops.c, value_compare.c, value_copy.c, value_codec.c and value_print.c. */
#include "base/mem.h"
#include "data/json.h"
#include "data/value_ops.h"
#include "leat_test.h"

#include <math.h>
#include <stdio.h>

static struct leat_error err;
static struct leat_arena arena;

static struct leat_value leat_uint(uint64_t u)
{
    return (struct leat_value){.tag = LEAT_UINT, .as.u = u};
}

static struct leat_value text(const char *s)
{
    return leat_string(leat_slice_str(s));
}

static struct leat_value parse(const char *json)
{
    return leat_json_parse(leat_slice_str(json), &arena);
}

/* {"a": 1} as text with field b laid over. */
static struct leat_value record(const char *raw, struct leat_value b)
{
    struct leat_shapes shapes = {.arena = &arena};
    const struct leat_slice name = LEAT_LIT("b");
    struct leat_record *r = leat_record_new(&arena, leat_shape_intern(&shapes, &name, 1));

    r->raw = leat_slice_str(raw);
    r->fields[0] = b;
    return (struct leat_value){.tag = LEAT_RECORD, .as.record = r};
}

static bool equal(struct leat_value a, struct leat_value b)
{
    bool same = leat_value_equal(a, b, &arena);

    CU_ASSERT_EQUAL(leat_value_equal(b, a, &arena), same);
    return same;
}

static void numbers_compare_across_types_without_rounding(void)
{
    const double two_53 = 9007199254740992.0, two_63 = 9223372036854775808.0;

    CU_ASSERT_EQUAL(leat_value_compare(leat_int(1), leat_double(1.0)), 0);
    CU_ASSERT_EQUAL(leat_value_compare(leat_int(1), leat_uint(1)), 0);
    CU_ASSERT_EQUAL(leat_value_compare(leat_int(-1), leat_uint(UINT64_MAX)), -1);
    CU_ASSERT_EQUAL(leat_value_compare(leat_uint(UINT64_MAX), leat_int(-1)), 1);
    CU_ASSERT_EQUAL(leat_value_compare(leat_int(9007199254740993), leat_double(two_53)), 1);
    CU_ASSERT_EQUAL(leat_value_compare(leat_double(two_53), leat_int(9007199254740993)), -1);
    CU_ASSERT_EQUAL(leat_value_compare(leat_int(INT64_MAX), leat_double(two_63)), -1);
    CU_ASSERT_EQUAL(leat_value_compare(leat_int(INT64_MIN), leat_double(-two_63)), 0);
    CU_ASSERT_EQUAL(leat_value_compare(leat_uint(UINT64_MAX), leat_double(2 * two_63)), -1);
    CU_ASSERT_EQUAL(leat_value_compare(leat_uint(0), leat_double(-0.5)), 1);
    CU_ASSERT_EQUAL(leat_value_compare(leat_int(-1), leat_double(-1.5)), 1);
    CU_ASSERT_EQUAL(leat_value_compare(leat_int(1), leat_double(1.5)), -1);
    CU_ASSERT_EQUAL(leat_value_compare(leat_int(1), leat_double((double)NAN)), 2);
    CU_ASSERT_EQUAL(leat_value_compare(leat_double((double)NAN), leat_double(1)), 2);
    CU_ASSERT_EQUAL(leat_value_compare(leat_int(1), leat_double((double)INFINITY)), -1);
    CU_ASSERT_EQUAL(leat_value_compare(leat_int(1), text("1")), 2);
    CU_ASSERT_EQUAL(leat_value_compare(text("a"), text("ab")), -1);
    CU_ASSERT_EQUAL(leat_value_compare(text("b"), text("ab")), 1);
    CU_ASSERT_EQUAL(leat_value_compare(leat_bool(false), leat_bool(true)), -1);
    CU_ASSERT_EQUAL(leat_value_compare(parse("[]"), parse("[]")), 2);
}

static void equality_is_that_of_cel(void)
{
    CU_ASSERT(equal(parse("{\"a\":1,\"b\":[2]}"), parse("{\"b\":[2.0],\"a\":1}")));
    CU_ASSERT_FALSE(equal(parse("{\"a\":1}"), parse("{\"a\":1,\"b\":null}")));
    CU_ASSERT_FALSE(equal(parse("{\"a\":1,\"b\":2}"), parse("{\"a\":1,\"c\":2}")));
    CU_ASSERT_FALSE(equal(parse("[1,2]"), parse("[1]")));
    CU_ASSERT_FALSE(equal(parse("[1,2]"), parse("[1,3]")));
    CU_ASSERT_FALSE(equal(leat_double((double)NAN), leat_double((double)NAN)));
    CU_ASSERT(equal((struct leat_value){0}, (struct leat_value){0}));
    CU_ASSERT_FALSE(equal((struct leat_value){0}, leat_int(0)));
    CU_ASSERT(equal(record("{\"a\":1,\"b\":7}", leat_int(2)), parse("{\"b\":2,\"a\":1}")));
    leat_arena_reset(&arena);
}

static void great_maps_are_compared_by_name(void)
{
    char up[2000] = "{", down[2000] = "{";

    for (int i = 0; i < 100; i++) {
        sprintf(up + strlen(up), "%s\"k%d\":%d", i ? "," : "", i, i);
        sprintf(down + strlen(down), "%s\"k%d\":%d", i ? "," : "", 99 - i, 99 - i);
    }
    struct leat_value a = parse(strcat(up, "}")), b = parse(strcat(down, "}"));
    CU_ASSERT(equal(a, b));
    CU_ASSERT_EQUAL(leat_value_order(a, b, &arena), 0);
    ((struct leat_value *)b.as.items)[31] = leat_int(-5);
    CU_ASSERT_FALSE(equal(a, b));
    CU_ASSERT_EQUAL(leat_value_order(a, b, &arena), 1);
    leat_arena_reset(&arena);
}

static void order_is_total(void)
{
    const struct leat_value all[] = {{0},
                                     leat_bool(false),
                                     leat_bool(true),
                                     leat_double(-(double)INFINITY),
                                     leat_int(-1),
                                     leat_double(0.5),
                                     leat_uint(UINT64_MAX),
                                     leat_double((double)NAN),
                                     text(""),
                                     text("a"),
                                     {.tag = LEAT_BYTES},
                                     {.tag = LEAT_TIMESTAMP},
                                     {.tag = LEAT_TIMESTAMP, .len = 5},
                                     {.tag = LEAT_DURATION},
                                     parse("[]"),
                                     parse("[1]"),
                                     parse("[1,0]"),
                                     parse("[2]"),
                                     parse("{}"),
                                     parse("{\"a\":1}"),
                                     record("{\"a\":1}", leat_int(2)),
                                     parse("{\"a\":2}"),
                                     parse("{\"b\":0}"),
                                     {.tag = LEAT_TYPE, .len = 3, .as.text = "int"},
                                     leat_value_fail(LEAT_V_ABSENT, ""),
                                     leat_value_fail(LEAT_V_TYPE, "x")};
    int n = (int)(sizeof all / sizeof all[0]);

    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            CU_ASSERT_EQUAL(leat_value_order(all[i], all[k], &arena), (i > k) - (i < k));
    leat_arena_reset(&arena);
}

static void a_copy_borrows_nothing(void)
{
    static const char json[] = "{\"a\":[1,\"x\",{\"y\":null}],\"b\":\"text\"}";
    struct leat_arena source = {0};
    struct leat_slice s =
        leat_arena_copy(&source, LEAT_LIT("{\"a\":[1,\"x\",{\"y\":null}],\"b\":\"text\"}"));
    struct leat_value map = leat_value_copy(leat_json_parse(s, &source), &arena);
    struct leat_bytes bytes = {.arena = &source};
    struct leat_value made, overlaid;

    leat_value_encode(record(json, leat_int(5)), &bytes);
    struct leat_slice rest = leat_bytes_slice(&bytes);
    OK(leat_value_decode(&rest, &source, &made, &err));
    overlaid = leat_value_copy(made, &arena);
    leat_arena_reset(&source);
    CU_ASSERT(equal(map, parse(json)));
    CU_ASSERT(equal(overlaid, record(json, leat_int(5))));
    leat_arena_reset(&arena);
}

/* A list in a list in a list ... */
static struct leat_value nested(int depth)
{
    struct leat_value v = leat_int(1);

    for (int i = 0; i < depth; i++) {
        struct leat_value *item = leat_arena_alloc(&arena, sizeof *item);
        *item = v;
        v = (struct leat_value){.tag = LEAT_LIST, .len = 1, .as.items = item};
    }
    return v;
}

static void encoded_values_come_back_as_they_were(void)
{
    struct leat_value all[] = {{0},
                               leat_bool(true),
                               leat_bool(false),
                               leat_int(0),
                               leat_int(INT64_MIN),
                               leat_int(INT64_MAX),
                               leat_int(-64),
                               leat_uint(1),
                               leat_uint(UINT64_MAX),
                               leat_double(1.0),
                               leat_double(-0.0),
                               text(""),
                               text("caf\xc3\xa9"),
                               {.tag = LEAT_BYTES, .len = 2, .as.text = "\0\xff"},
                               {.tag = LEAT_TIMESTAMP, .len = 999999999, .as.i = -62135596800},
                               {.tag = LEAT_DURATION, .len = 1, .as.i = -1},
                               parse("[1,[2,{\"a\":null}]]"),
                               parse("{}"),
                               parse("[]"),
                               record("{\"a\":1.10}", text("x")),
                               nested(64),
                               leat_value_fail(LEAT_V_DIVIDE, "division by zero"),
                               {.tag = LEAT_TYPE, .len = 3, .as.text = "int"}};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct leat_bytes bytes = {.arena = &arena};
        struct leat_value back;
        leat_value_encode(all[i], &bytes);
        struct leat_slice rest = leat_bytes_slice(&bytes);
        OK(leat_value_decode(&rest, &arena, &back, &err));
        CU_ASSERT_EQUAL(rest.len, 0);
        CU_ASSERT_EQUAL(back.tag, all[i].tag);
        CU_ASSERT_EQUAL(leat_value_order(all[i], back, &arena), 0);
        for (size_t cut = 0; cut < bytes.len; cut++) {
            rest = (struct leat_slice){bytes.ptr, cut};
            CU_ASSERT_EQUAL(leat_value_decode(&rest, &arena, &back, &err), LEAT_E_CORRUPT);
            CU_ASSERT_EQUAL(rest.len, cut);
        }
    }
    leat_arena_reset(&arena);
}

static void what_is_too_deep_becomes_an_error(void)
{
    struct leat_bytes bytes = {.arena = &arena};
    struct leat_value v = nested(65), back;

    CU_ASSERT_EQUAL(leat_value_copy(v, &arena).code, LEAT_V_BUDGET);
    leat_value_encode(v, &bytes);
    struct leat_slice rest = leat_bytes_slice(&bytes);
    OK(leat_value_decode(&rest, &arena, &back, &err));
    CU_ASSERT_NOT_EQUAL(leat_value_order(v, back, &arena), 0);
    leat_arena_reset(&arena);
}

/* The bytes are part of the state format: they can never change. */
static void the_encoding_never_changes(void)
{
    struct leat_bytes bytes = {.arena = &arena};

    leat_value_encode(parse("{\"a\":[1,-1,300,true,null,1.5,\"x\"]}"), &bytes);
    CU_ASSERT(leat_slice_eq(leat_bytes_slice(&bytes),
                            LEAT_LIT("\x0b\x01\x06\x01"
                                     "a\x0a\x07\x03\x02\x03\x01\x03\xd8\x04\x02\x00\x05\0\0\0\0\0\0"
                                     "\xf8\x3f\x06\x01x")));
    leat_arena_reset(&arena);
}

static bool prints(struct leat_value v, const char *expected)
{
    struct leat_bytes bytes = {.arena = &arena};

    leat_value_print(v, &bytes);
    return leat_slice_eq(leat_bytes_slice(&bytes), leat_slice_str(expected));
}

static void values_print_as_spark_shows_them(void)
{
    CU_ASSERT(prints(text("a \"b\""), "a \"b\""));
    CU_ASSERT(prints(leat_double(1), "1.0"));
    CU_ASSERT(prints(leat_uint(UINT64_MAX), "18446744073709551615"));
    CU_ASSERT(prints(parse("[1,\"x\",[null]]"), "List(1, x, List(null))"));
    CU_ASSERT(prints(parse("{\"a\":\"x\"}"), "{\"a\":\"x\"}"));
    CU_ASSERT(prints(leat_bool(true), "true"));
    CU_ASSERT(prints((struct leat_value){.tag = LEAT_DURATION, .as.i = 90}, "90s"));
    CU_ASSERT(
        prints(leat_value_fail(LEAT_V_DIVIDE, "division by zero"), "error: division by zero"));
    leat_arena_reset(&arena);
}

static void fields_are_found_in_maps_and_records(void)
{
    struct leat_value r = record("{\"a\":1,\"b\":2}", text("over"));

    CU_ASSERT_EQUAL(leat_value_field(r, LEAT_LIT("a"), &arena).as.i, 1);
    CU_ASSERT_EQUAL(leat_value_field(r, LEAT_LIT("b"), &arena).tag, LEAT_STRING);
    CU_ASSERT_EQUAL(leat_value_field(r, LEAT_LIT("c"), &arena).code, LEAT_V_ABSENT);
    CU_ASSERT_EQUAL(leat_value_field(parse("{\"a\":1}"), LEAT_LIT("a"), &arena).as.i, 1);
    CU_ASSERT_EQUAL(leat_value_field(parse("null"), LEAT_LIT("a"), &arena).code, LEAT_V_ABSENT);
    CU_ASSERT_EQUAL(leat_value_field(leat_int(1), LEAT_LIT("a"), &arena).code, LEAT_V_TYPE);
    leat_arena_reset(&arena);
}

static void lack_of_memory_is_an_error_value(void)
{
    LEAT_OOM_SWEEP {
        struct leat_value v = parse("{\"a\":[1,\"x\"],\"b\":\"y\"}"), back;
        struct leat_bytes bytes = {.arena = &arena};
        struct leat_value copy = leat_value_copy(v, &arena);
        CU_ASSERT(copy.tag == LEAT_MAP || leat_oom_hit());
        leat_value_encode(v, &bytes);
        struct leat_slice rest = leat_bytes_slice(&bytes);
        if (!bytes.failed && leat_value_decode(&rest, &arena, &back, &err) != LEAT_OK)
            CU_ASSERT(leat_oom_hit() && err.status == LEAT_E_NOMEM);
        leat_arena_reset(&arena);
    }
}

LEAT_TESTS("value_ops", T(numbers_compare_across_types_without_rounding),
           T(equality_is_that_of_cel), T(great_maps_are_compared_by_name), T(order_is_total),
           T(a_copy_borrows_nothing), T(encoded_values_come_back_as_they_were),
           T(what_is_too_deep_becomes_an_error), T(the_encoding_never_changes),
           T(values_print_as_spark_shows_them), T(fields_are_found_in_maps_and_records),
           T(lack_of_memory_is_an_error_value))
