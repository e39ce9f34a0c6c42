/*
 * fuzz_http_body.c - feeds bodies of requests to the splitter of the connector `http`.
 *
 * Of a body that it lets through as an array, the whole must be JSON by the reader of records, and
 * what the reader takes as an array the splitter must take; every record lies in the body, behind
 * the one before. The first byte chooses form and media type, the second which allocation fails.
 */
#include "../../connectors/http/split.h"

#include <assert.h>

#define FORMS 3

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

static void walk(struct http_split s, const struct http_verdict *verdict)
{
    const char *at = s.body.ptr, *why;
    struct leat_slice record;
    uint64_t records = 0;

    while (http_split_next(&s, &record, &why)) {
        assert(record.ptr >= at && record.ptr + record.len <= s.body.ptr + s.body.len);
        at = record.ptr + record.len;
        records++;
    }
    assert(!why && records == verdict->records);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_arena arena = {0};
    struct leat_value wrong;
    struct http_verdict verdict;
    struct http_split s;

    if (size < 2 || size > 65536)
        return 0;
    struct leat_slice body = {(const char *)data + 2, size - 2};
    const struct leat_json_plan *plan = leat_json_plan_new(NULL, 0, &arena);
    countdown = data[1];
    leat_mem_gate = gate;
    http_split_init(&s, body, (enum http_form)(data[0] % FORMS), data[0] & 0x80);
    http_split_check(s, plan, data[0] & 0x40 ? 16 : 0, &arena, &verdict);
    leat_mem_gate = NULL;
    assert(verdict.status == 0 || strlen(verdict.text) > 0);
    if (verdict.status == 0)
        walk(s, &verdict);
    if (s.shape == HTTP_SHAPE_ARRAY && verdict.status == 0 && verdict.records > 0) {
        bool is_json = leat_json_read(plan, NULL, body, &arena, NULL, 0, &wrong);
        assert(is_json ||
               strstr(wrong.as.text, "deep")); /* an element may be as deep as a record */
    } else if (s.shape == HTTP_SHAPE_ARRAY && verdict.status == 400) {
        assert(!leat_json_read(plan, NULL, body, &arena, NULL, 0, &wrong));
    }
    assert(arena.bytes <= 4 * 65536);
    leat_arena_reset(&arena);
    return 0;
}
