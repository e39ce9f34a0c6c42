/* Tests connectors/http/split.c: bodies of requests as records, and what is said of wrong ones. */
#include "../../connectors/http/split.h"

#include "leat_test.h"

#include <stdio.h>

static struct leat_arena arena;

/* The records, each in < >, or the status and text of the refusal. */
static const char *split(const char *body, enum http_form form, bool lines, size_t max_record)
{
    static char out[2048];
    const struct leat_json_plan *plan = leat_json_plan_new(NULL, 0, &arena);
    struct http_verdict verdict;
    struct leat_slice record;
    struct http_split s;
    const char *why;
    size_t len = 0;

    out[0] = '\0';
    http_split_init(&s, leat_slice_str(body), form, lines);
    http_split_check(s, plan, max_record, &arena, &verdict);
    if (verdict.status) {
        snprintf(out, sizeof out, "%u %s", verdict.status, verdict.text);
        return out;
    }
    while (http_split_next(&s, &record, &why))
        len += (size_t)snprintf(out + len, sizeof out - len, "<%.*s>", LEAT_FMT(record));
    CU_ASSERT_PTR_NULL(why);
    CU_ASSERT_EQUAL(s.records, verdict.records);
    return out;
}

#define IS(body, form, lines, expected)                                                            \
    CU_ASSERT_STRING_EQUAL(split(body, form, lines, 100), expected)

static void one_json_value_is_one_record(void)
{
    IS(" {\"a\": 1}\n", HTTP_JSON, false, "<{\"a\": 1}>");
    IS("7", HTTP_JSON, false, "<7>");
    IS("", HTTP_JSON, false, "400 the body: nothing stands where a JSON value should");
    IS("{\"a\":1}\n{\"a\":2}", HTTP_JSON, false,
       "400 the body: not JSON at byte 8: something behind the value");
}

static void an_array_is_a_record_per_element(void)
{
    IS("[1,2 , {\"a\":[1,{}]},\"x,]\\\"\" ]", HTTP_JSON, false,
       "<1><2><{\"a\":[1,{}]}><\"x,]\\\"\">");
    IS(" [ ] ", HTTP_JSON, false, "");
    IS("[[1],[2]]", HTTP_JSON, false, "<[1]><[2]>");
    IS("[\n]", HTTP_JSON, false, "");
}

static void a_malformed_array_is_refused_as_a_whole(void)
{
    IS("[1,]", HTTP_JSON, false, "400 record 2: nothing stands where a JSON value should");
    IS("[,1]", HTTP_JSON, false, "400 record 1: nothing stands where a JSON value should");
    IS("[1,2", HTTP_JSON, false, "400 behind record 1: the array has no end");
    IS("[", HTTP_JSON, false, "400 behind record 0: the array has no end");
    IS("[1] 2", HTTP_JSON, false,
       "400 behind record 1: something stands behind the end of the array");
    IS("[] []", HTTP_JSON, false,
       "400 behind record 0: something stands behind the end of the array");
    IS("[\"a]", HTTP_JSON, false, "400 behind record 0: the array has no end");
    IS("[\"a\\", HTTP_JSON, false, "400 behind record 0: the array has no end");
    CU_ASSERT_PTR_NOT_NULL(strstr(split("[1,{\"a\"]}]", HTTP_JSON, false, 0), "400 "));
    CU_ASSERT_PTR_NOT_NULL(strstr(split("[1}]", HTTP_JSON, false, 0), "400 record 1: not JSON"));
    CU_ASSERT_PTR_NOT_NULL(strstr(split("[1 2]", HTTP_JSON, false, 0), "400 record 1: not JSON"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(split("[\"\xff\"]", HTTP_JSON, false, 0), "400 record 1: not JSON"));
}

static void json_lines_are_checked_and_empty_ones_passed_over(void)
{
    IS("{\"a\":1}\r\n\n  \n [2] ", HTTP_JSON, true, "<{\"a\":1}><[2]>");
    CU_ASSERT_PTR_NOT_NULL(strstr(split("1\n{\n2", HTTP_JSON, true, 0), "400 record 2: not JSON"));
    IS("\n\n", HTTP_JSON, true, "");
}

static void other_bodies_are_not_looked_at(void)
{
    IS("a\r\n\n[b", HTTP_LINES, false, "<a><><[b>");
    IS("[1,\n2", HTTP_ONE, true, "<[1,\n2>");
    IS("", HTTP_ONE, false, "<>");
    IS("", HTTP_LINES, false, "");
}

static void a_record_that_is_too_long_is_named(void)
{
    CU_ASSERT_STRING_EQUAL(split("[1,\"23456789\"]", HTTP_JSON, false, 9),
                           "413 record 2: 10 bytes, the most that is taken is 9");
    CU_ASSERT_STRING_EQUAL(split("ab\nabc", HTTP_LINES, false, 2),
                           "413 record 2: 3 bytes, the most that is taken is 2");
}

/* A million brackets cost a million steps, and no memory. */
static void depth_and_memory_are_bounded(void)
{
    static char deep[1000003];
    size_t before = arena.bytes;

    memset(deep, '[', sizeof deep - 1);
    CU_ASSERT_STRING_EQUAL(split(deep, HTTP_JSON, false, 0),
                           "400 behind record 0: the array has no end");
    memset(deep + 500001, ']', 500001);
    CU_ASSERT_PTR_NOT_NULL(strstr(split(deep, HTTP_JSON, false, 0), "400 record 1: not JSON"));
    CU_ASSERT(arena.bytes <= before + 65536);
}

int main(void)
{
    int result = leat_test_main(
        "http_split",
        (CU_TestInfo[]){T(one_json_value_is_one_record), T(an_array_is_a_record_per_element),
                        T(a_malformed_array_is_refused_as_a_whole),
                        T(json_lines_are_checked_and_empty_ones_passed_over),
                        T(other_bodies_are_not_looked_at), T(a_record_that_is_too_long_is_named),
                        T(depth_and_memory_are_bounded), CU_TEST_INFO_NULL});
    leat_arena_reset(&arena);
    return result;
}
