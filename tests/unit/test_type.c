/* Tests engine/data/type.c and type_convert.c. */
#include "data/json.h"
#include "data/type.h"
#include "data/value_ops.h"
#include "leat_test.h"

#include <stdio.h>

static struct leat_arena arena;

static struct leat_value text(const char *s)
{
    return leat_string(leat_slice_str(s));
}

static struct leat_value parse(const char *json)
{
    return leat_json_parse(leat_slice_str(json), &arena);
}

static struct leat_node word(const char *s)
{
    return (struct leat_node){.kind = LEAT_NODE_SCALAR, .text = leat_slice_str(s)};
}

static const struct leat_type *type_of(const char *s)
{
    struct leat_diags diags = {.arena = &arena};
    struct leat_node *node = leat_arena_alloc(&arena, sizeof *node);

    *node = word(s);
    return leat_type_read(node, &arena, &diags);
}

static bool becomes(const char *type, struct leat_value v, const char *json)
{
    return leat_value_order(leat_type_convert(type_of(type), v, false, &arena), parse(json),
                            &arena) == 0;
}

static bool reads(const char *type, const char *cell, struct leat_value expected)
{
    struct leat_value v = leat_type_convert(type_of(type), text(cell), true, &arena);

    return v.tag == expected.tag && leat_value_order(v, expected, &arena) == 0;
}

static bool is_refused(const char *type, struct leat_value v, const char *why)
{
    struct leat_value made = leat_type_convert(type_of(type), v, false, &arena);

    if (made.tag == LEAT_ERROR && strcmp(made.as.text, why) == 0)
        return true;
    printf("    %.*s\n", made.tag == LEAT_ERROR ? (int)made.len : 0, made.as.text);
    return false;
}

static void scalars_become_what_the_schema_says(void)
{
    CU_ASSERT(becomes("double", leat_int(3), "3.0"));
    CU_ASSERT_EQUAL(leat_type_convert(type_of("double"), leat_int(3), false, &arena).tag,
                    LEAT_DOUBLE);
    CU_ASSERT_EQUAL(leat_type_convert(type_of("int"), leat_double(3), false, &arena).tag, LEAT_INT);
    CU_ASSERT_EQUAL(leat_type_convert(type_of("uint"), leat_int(3), false, &arena).tag, LEAT_UINT);
    CU_ASSERT_EQUAL(
        leat_type_convert(type_of("timestamp"), text("2026-01-01T10:00:00Z"), false, &arena).tag,
        LEAT_TIMESTAMP);
    CU_ASSERT_EQUAL(leat_type_convert(type_of("duration"), text("1h"), false, &arena).as.i, 3600);
    CU_ASSERT(leat_slice_eq(
        leat_value_text(leat_type_convert(type_of("bytes"), text("AP8Qeg=="), false, &arena)),
        LEAT_LIT("\0\xff\x10z")));
    CU_ASSERT(becomes("any", text("x"), "\"x\""));
    CU_ASSERT(is_refused("int", leat_double(1.5), "expected int, got double"));
    CU_ASSERT(is_refused("int", leat_double(1e300), "beyond the range of int"));
    CU_ASSERT(is_refused("uint", leat_int(-1), "beyond the range of uint"));
    CU_ASSERT(is_refused("double", text("abc"), "expected double, got the text 'abc'"));
    CU_ASSERT(is_refused("string", leat_int(1), "expected string, got int"));
    CU_ASSERT(is_refused("int", (struct leat_value){0}, "expected int, got null"));
    CU_ASSERT(is_refused("bytes", text("a b"), "expected bytes as base64 text"));
    leat_arena_reset(&arena);
}

static void what_is_optional_may_be_missing(void)
{
    struct leat_value absent = leat_value_fail(LEAT_V_ABSENT, "");

    CU_ASSERT(becomes("int?", absent, "null"));
    CU_ASSERT(becomes("int?", (struct leat_value){0}, "null"));
    CU_ASSERT(becomes("any?", absent, "null"));
    CU_ASSERT(is_refused("int", absent, ""));
    leat_arena_reset(&arena);
}

static void cells_of_text_become_scalars(void)
{
    CU_ASSERT(reads("int", "17", leat_int(17)));
    CU_ASSERT(reads("double", "17", leat_double(17)));
    CU_ASSERT(reads("bool", "true", leat_bool(true)));
    CU_ASSERT(reads("bool", "false", leat_bool(false)));
    CU_ASSERT(reads("string", "", text("")));
    CU_ASSERT(reads("string?", "", (struct leat_value){0}));
    CU_ASSERT(reads("int?", "", (struct leat_value){0}));
    CU_ASSERT_EQUAL(leat_type_convert(type_of("int"), text(""), true, &arena).tag, LEAT_ERROR);
    CU_ASSERT_EQUAL(leat_type_convert(type_of("int"), text("1x"), true, &arena).tag, LEAT_ERROR);
    CU_ASSERT_EQUAL(leat_type_convert(type_of("bool"), text("yes"), true, &arena).tag, LEAT_ERROR);
    CU_ASSERT_EQUAL(
        leat_type_convert(type_of("int"), text("99999999999999999999"), true, &arena).code,
        LEAT_V_OVERFLOW);
    leat_arena_reset(&arena);
}

/* { a: double, list: [int], "in?": { x: int } } */
static const struct leat_type *record_type(struct leat_diags *diags)
{
    static struct leat_node a, list, item, in, x, map;

    a = word("double"), item = word("int"), x = word("int?");
    a.key = LEAT_LIT("a"), list.key = LEAT_LIT("list"), in.key = LEAT_LIT("in?");
    x.key = LEAT_LIT("x");
    list.kind = LEAT_NODE_LIST, list.first = &item, list.count = 1;
    in.kind = LEAT_NODE_MAP, in.first = &x, in.count = 1;
    map.kind = LEAT_NODE_MAP, map.first = &a, map.count = 3;
    a.next = &list, list.next = &in;
    return leat_type_read(&map, &arena, diags);
}

static void records_are_converted_field_by_field(void)
{
    struct leat_diags diags = {.arena = &arena};
    const struct leat_type *t = record_type(&diags);
    char name[64];

    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    CU_ASSERT_EQUAL(t->count, 3);
    CU_ASSERT(leat_type_find(t, LEAT_LIT("in"))->type->optional);
    CU_ASSERT_PTR_NULL(leat_type_find(t, LEAT_LIT("b")));
    CU_ASSERT_STRING_EQUAL(leat_type_name(t->fields[1].type, name, sizeof name), "list of int");
    struct leat_value v = parse("{\"more\":1,\"a\":2,\"list\":[1,2.0],\"in\":{}}");
    v = leat_type_convert(t, v, false, &arena);
    CU_ASSERT_EQUAL(leat_value_field(v, LEAT_LIT("a"), &arena).tag, LEAT_DOUBLE);
    CU_ASSERT_EQUAL(leat_value_field(v, LEAT_LIT("list"), &arena).as.items[1].tag, LEAT_INT);
    CU_ASSERT_EQUAL(
        leat_value_field(leat_value_field(v, LEAT_LIT("in"), &arena), LEAT_LIT("x"), &arena).tag,
        LEAT_NULL);
    CU_ASSERT_EQUAL(v.len, 4);
    v = leat_type_convert(t, parse("{\"a\":\"x\",\"list\":[]}"), false, &arena);
    CU_ASSERT_STRING_EQUAL(v.as.text, "field 'a': expected double, got the text 'x'");
    v = leat_type_convert(t, parse("{\"list\":[]}"), false, &arena);
    CU_ASSERT_STRING_EQUAL(v.as.text, "field 'a': missing");
    leat_arena_reset(&arena);
}

static void wrong_schemas_are_mistakes_of_the_file(void)
{
    struct leat_diags diags = {.arena = &arena};
    struct leat_node strnig = word("strnig?"), empty = {.kind = LEAT_NODE_LIST};

    CU_ASSERT_PTR_NULL(leat_type_read(&strnig, &arena, &diags));
    CU_ASSERT(leat_slice_eq(diags.first->text, LEAT_LIT("unknown type 'strnig'")));
    CU_ASSERT(leat_slice_eq(diags.first->hint, LEAT_LIT("did you mean 'string'?")));
    CU_ASSERT_PTR_NULL(leat_type_read(&empty, &arena, &diags));
    CU_ASSERT_EQUAL(diags.errors, 2);
    leat_arena_reset(&arena);
}

static void deep_schemas_are_refused(void)
{
    struct leat_node nodes[70] = {{0}};
    struct leat_diags diags = {.arena = &arena};

    for (int i = 0; i < 69; i++)
        nodes[i] = (struct leat_node){.kind = LEAT_NODE_LIST, .first = &nodes[i + 1], .count = 1};
    nodes[69] = word("int");
    CU_ASSERT_PTR_NULL(leat_type_read(nodes, &arena, &diags));
    CU_ASSERT_EQUAL(diags.errors, 1);
    CU_ASSERT_PTR_NOT_NULL(leat_type_read(nodes + 10, &arena, &diags));
    leat_arena_reset(&arena);
}

static void lack_of_memory_is_reported(void)
{
    LEAT_OOM_SWEEP {
        struct leat_diags diags = {.arena = &arena};
        const struct leat_type *t = record_type(&diags);
        CU_ASSERT(t || diags.errors);
        struct leat_value v = parse("{\"a\":2,\"list\":[1,2.0]}");
        if (t && v.tag == LEAT_MAP)
            v = leat_type_convert(t, v, false, &arena);
        CU_ASSERT(v.tag == LEAT_MAP || leat_oom_hit());
        leat_arena_reset(&arena);
    }
}

LEAT_TESTS("type", T(scalars_become_what_the_schema_says), T(what_is_optional_may_be_missing),
           T(cells_of_text_become_scalars), T(records_are_converted_field_by_field),
           T(wrong_schemas_are_mistakes_of_the_file), T(deep_schemas_are_refused),
           T(lack_of_memory_is_reported))
