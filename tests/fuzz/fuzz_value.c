/*
 * fuzz_value.c - feeds bytes to the decoder of values and does everything with what comes out.
 *
 * What was decoded and is encoded again must decode to the same. The first byte chooses which
 * allocation fails, so error paths are fuzzed too.
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

static void do_everything(struct leat_value v, struct leat_arena *arena, bool complete)
{
    struct leat_bytes bytes = {.arena = arena}, text = {.arena = arena};
    struct leat_value why, back, copy = leat_value_copy(v, arena);
    struct leat_error err;

    leat_value_encode(v, &bytes);
    if (complete) {
        struct leat_slice rest = leat_bytes_slice(&bytes);
        enum leat_status status = leat_value_decode(&rest, arena, &back, &err);
        assert(status == LEAT_OK && rest.len == 0);
        assert(leat_value_order(v, back, arena) == 0);
        if (copy.tag != LEAT_ERROR) /* a budget error inside is the whole copy */
            assert(leat_value_order(v, copy, arena) == 0);
    }
    leat_value_equal(v, copy, arena);
    leat_value_field(v, LEAT_LIT("a"), arena);
    leat_value_print(v, &text);
    leat_json_write(v, &text, &why);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_arena arena = {.cap = 1 << 24};
    struct leat_value v;
    struct leat_error err;

    if (size < 1 || size > 4096)
        return 0;
    struct leat_slice bytes = {(const char *)data + 1, size - 1};
    countdown = data[0];
    leat_mem_gate = gate;
    if (leat_value_decode(&bytes, &arena, &v, &err) == LEAT_OK)
        do_everything(v, &arena, data[0] == 0);
    leat_mem_gate = NULL;
    leat_arena_reset(&arena);
    return 0;
}
