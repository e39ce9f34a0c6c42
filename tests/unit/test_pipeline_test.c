/* Tests config/pipeline_test.c and yaml_value.c. */
#include "leat_test.h"
#include "pipeline_text.h"

#include <math.h>

static struct pipeline_text p;

static struct leat_value value_of(const char *yaml)
{
    char text[300];

    snprintf(text, sizeof text, "x-v: %s\n", yaml);
    pipeline_text_read(&p, text, strlen(text));
    const struct leat_node *node = leat_node_find(p.file.root, "x-v");
    CU_ASSERT_PTR_NOT_NULL_FATAL(node);
    return config_node_value(node, &p.arena, &p.diags);
}

static bool is_int(const char *yaml, int64_t i)
{
    struct leat_value v = value_of(yaml);

    pipeline_text_fini(&p);
    return v.tag == LEAT_INT && v.as.i == i;
}

static bool is_double(const char *yaml, double d)
{
    struct leat_value v = value_of(yaml);

    pipeline_text_fini(&p);
    return v.tag == LEAT_DOUBLE && (v.as.d == d || (isnan(d) && isnan(v.as.d)));
}

static bool is_text(const char *yaml, const char *text)
{
    struct leat_value v = value_of(yaml);
    bool same = v.tag == LEAT_STRING && leat_slice_eq(leat_value_text(v), leat_slice_str(text));

    pipeline_text_fini(&p);
    return same;
}

static void plain_scalars_have_the_types_of_the_core_schema(void)
{
    CU_ASSERT(is_int("12", 12));
    CU_ASSERT(is_int("-7", -7));
    CU_ASSERT(is_int("+7", 7));
    CU_ASSERT(is_int("007", 7));
    CU_ASSERT(is_int("0x1F", 31));
    CU_ASSERT(is_int("0o17", 15));
    CU_ASSERT(is_int("-9223372036854775808", INT64_MIN));
    CU_ASSERT(is_double("1.0", 1));
    CU_ASSERT(is_double("1.", 1));
    CU_ASSERT(is_double("-.5", -0.5));
    CU_ASSERT(is_double("6.02e23", 6.02e23));
    CU_ASSERT(is_double("1e3", 1000));
    CU_ASSERT(is_double("-.inf", -INFINITY));
    CU_ASSERT(is_double(".nan", NAN));
    CU_ASSERT(is_double("18446744073709551616", 18446744073709551616.0));
    CU_ASSERT_EQUAL(value_of("18446744073709551615").tag, LEAT_UINT);
    pipeline_text_fini(&p);
    CU_ASSERT_EQUAL(value_of("true").tag, LEAT_BOOL);
    pipeline_text_fini(&p);
    CU_ASSERT_EQUAL(value_of("~").tag, LEAT_NULL);
    pipeline_text_fini(&p);
    CU_ASSERT_EQUAL(value_of("").tag, LEAT_NULL);
    pipeline_text_fini(&p);
}

static void everything_else_is_text(void)
{
    CU_ASSERT(is_text("'12'", "12"));
    CU_ASSERT(is_text("\"true\"", "true"));
    CU_ASSERT(is_text("''", ""));
    CU_ASSERT(is_text("True", "True"));
    CU_ASSERT(is_text("yes", "yes"));
    CU_ASSERT(is_text("1_000", "1_000"));
    CU_ASSERT(is_text("1e", "1e"));
    CU_ASSERT(is_text(".", "."));
    CU_ASSERT(is_text("0x", "0x"));
    CU_ASSERT(is_text("0x0x1", "0x0x1"));
    CU_ASSERT(is_text("2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z"));
    CU_ASSERT(is_text("${env:NOPE:-12}", "12"));
    CU_ASSERT(is_text("|\n  a\n  b", "a\nb\n"));
}

static const char file[] = PIPELINE_HEAD
    "streams:\n"
    "  s: { from: in, ops: [ { window: { size: 1m, late: gone } }, count ] }\n"
    "  t: { from: [ s, gone ] }\n"
    "tables: { r: { file: { path: x }, key: id } }\n"
    "tests:\n"
    "  - name: one\n"
    "    clock: 2026-01-01T10:00:00.5Z\n"
    "    batches:\n"
    "      - in:\n"
    "          - { city: Paris, n: 10 }\n"
    "          - { key: k, value: null, time: 1970-01-01T00:00:01Z, headers: { h: x } }\n"
    "          - { key: k, value: v, more: 1 }\n"
    "          - { value: 5 }\n"
    "      - advance: 12m\n"
    "      - {}\n"
    "    tables: { r: [ { id: 1 } ] }\n"
    "    expect:\n"
    "      out: [ { n: 1 } ]\n"
    "      s: { where: n > 1, contains: [ { n: 2 }, 5 ], exact: true }\n"
    "      gone: { count: 3, errors: 0 }\n"
    "      t: { unordered: [] }\n"
    "  - { name: two, expect: { out: [] } }\n";

static void a_test_is_read_with_its_places(void)
{
    pipeline_text_read(&p, file, sizeof file - 1);
    printf("%s", p.diags.errors ? p.messages : "");
    CU_ASSERT_EQUAL(p.diags.errors, 0);
    const struct config_test *t = p.tests;
    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    CU_ASSERT(leat_slice_eq(t->name, LEAT_LIT("one")));
    CU_ASSERT_EQUAL(t->clock_ms, INT64_C(1767261600500));
    CU_ASSERT_EQUAL_FATAL(t->steps->feeds->rows.count, 4);
    const struct config_test_row *row = t->steps->feeds->rows.first;
    CU_ASSERT_EQUAL(row->node->mark.line, 16);
    CU_ASSERT_EQUAL(row->value.tag, LEAT_MAP);
    CU_ASSERT_EQUAL(row->value.len, 2);
    CU_ASSERT_EQUAL(row->value.as.items[3].as.i, 10);
    CU_ASSERT_FALSE(row->has_key);
    row = row->next;
    CU_ASSERT(row->has_key && row->has_time && row->value.tag == LEAT_NULL);
    CU_ASSERT_EQUAL(row->time_ms, 1000);
    CU_ASSERT_EQUAL(row->headers.len, 1);
    CU_ASSERT_FALSE(row->next->has_key); /* a record of its own */
    CU_ASSERT_EQUAL(row->next->next->value.tag, LEAT_MAP);
    CU_ASSERT_EQUAL(t->steps->next->advance_ms, 720000);
    CU_ASSERT_PTR_NULL(t->steps->next->next->feeds);
    CU_ASSERT_EQUAL(t->steps->next->next->advance_ms, 0);
    CU_ASSERT_PTR_NULL(t->steps->next->next->next);
    CU_ASSERT_EQUAL(t->tables->rows.count, 1);
    pipeline_text_fini(&p);
}

static void expectations_say_how_rows_are_compared(void)
{
    pipeline_text_read(&p, file, sizeof file - 1);
    const struct config_test_expect *e = p.tests->expects;
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    CU_ASSERT(e->match == CONFIG_TEST_ORDERED && e->rows.count == 1 && e->count == -1);
    e = e->next;
    CU_ASSERT(e->match == CONFIG_TEST_CONTAINS && e->rows.count == 2 && e->exact && e->where);
    e = e->next;
    CU_ASSERT(e->match == CONFIG_TEST_ANY && e->count == 3 && e->errors == 0);
    e = e->next;
    CU_ASSERT(e->match == CONFIG_TEST_UNORDERED && e->rows.count == 0 && !e->next);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p.tests->next);
    CU_ASSERT_EQUAL(p.tests->next->clock_ms, INT64_C(946684800000));
    CU_ASSERT_PTR_NULL(p.tests->next->next);
    pipeline_text_fini(&p);
}

LEAT_TESTS("pipeline_test", T(plain_scalars_have_the_types_of_the_core_schema),
           T(everything_else_is_text), T(a_test_is_read_with_its_places),
           T(expectations_say_how_rows_are_compared))
