/*
 * fuzz_json.c - feeds bytes to the JSON reader, the field finder, the parser and the writer.
 *
 * All of them must agree on what is JSON, and what the writer makes of a value must be read back as
 * an equal one. The first byte chooses which allocation fails, so error paths are fuzzed too.
 */
#include "base/mem.h"
#include "data/json.h"
#include "data/value_ops.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

static const struct leat_slice a[] = {{"a", 1}}, ab[] = {{"a", 1}, {"b", 1}}, c[] = {{"c", 1}};
static const struct leat_path paths[] = {{a, 1, 0}, {ab, 2, 1}, {c, 1, 2}, {NULL, 0, 3}};

/* What the first text taught must not change what is made of the same text again. */
static bool read_twice(struct leat_slice text, struct leat_arena *arena)
{
    const struct leat_json_plan *plan = leat_json_plan_new(paths, 4, arena);
    struct leat_json_order *order = plan ? leat_json_order_new(plan, arena) : NULL;
    struct leat_value cells[4][2], why[2] = {{0}};
    struct leat_value *columns[] = {cells[0], cells[1], cells[2], cells[3]};
    bool ok[2];

    if (!order)
        return false;
    for (uint32_t i = 0; i < 2; i++)
        ok[i] = leat_json_read(plan, order, text, arena, columns, i, &why[i]);
    if (why[0].code == LEAT_V_BUDGET || why[1].code == LEAT_V_BUDGET)
        return false;
    assert(ok[0] == ok[1]);
    for (int i = 0; ok[0] && i < 4; i++) {
        struct leat_value *v = cells[i];
        assert(v[0].tag == v[1].tag);
        if (v[0].tag == LEAT_STRING)
            assert(leat_value_equal(v[0], v[1], arena));
    }
    return ok[0];
}

static bool holds_error(struct leat_value v)
{
    size_t n = v.tag == LEAT_LIST ? v.len : v.tag == LEAT_MAP ? 2 * (size_t)v.len : 0;

    for (size_t i = 0; i < n; i++)
        if (holds_error(v.as.items[i]))
            return true;
    return v.tag == LEAT_ERROR;
}

static void write_and_read_back(struct leat_value v, struct leat_arena *arena)
{
    struct leat_bytes bytes = {.arena = arena};
    struct leat_value why;

    if (!leat_json_write(v, &bytes, &why))
        return;
    struct leat_value back = leat_json_parse(leat_bytes_slice(&bytes), arena);
    assert(leat_value_order(v, back, arena) == 0);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_arena arena = {0};

    if (size < 1 || size > 65536)
        return 0;
    char *copy = leat_mem_alloc(size); /* ends where the text ends */
    memcpy(copy, data + 1, size - 1);
    struct leat_slice text = {copy, size - 1};
    countdown = data[0];
    leat_mem_gate = gate;
    bool read = read_twice(text, &arena);
    struct leat_value v = leat_json_parse(text, &arena);
    if (countdown == 0 && data[0] == 0)
        assert(read == (v.tag != LEAT_ERROR || v.code == LEAT_V_OVERFLOW));
    struct leat_value field = leat_json_field(text, LEAT_LIT("a"), &arena);
    if (data[0] == 0 && v.tag == LEAT_MAP && field.tag != LEAT_ERROR)
        assert(leat_value_order(field, leat_value_field(v, LEAT_LIT("a"), &arena), &arena) == 0);
    if (data[0] == 0 && !holds_error(v))
        write_and_read_back(v, &arena);
    leat_mem_gate = NULL;
    leat_arena_reset(&arena);
    leat_mem_free(copy);
    return 0;
}
