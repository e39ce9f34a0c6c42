/*
 * fuzz_join_state.c - feeds bytes to the readers of what joins remember: rows that may still meet
 * one, and windows of two streams.
 *
 * The first byte chooses which allocation fails, the second the operator and how it joins. What
 * could be read is written again, which must succeed and be readable.
 */
#include "base/module.h"
#include "base/node.h"
#include "op/group.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

static void read_state(const struct leat_group *g, struct leat_slice bytes)
{
    struct leat_arena arena = {.cap = 1 << 22}, other = {.cap = 1 << 22}, out = {0};
    void *memory = calloc(1, leat_group_state.size), *again = calloc(1, leat_group_state.size);
    struct leat_bytes all = {.arena = &out};
    struct leat_error err;

    if (leat_group_state.open(g, memory, &arena, &err) == LEAT_OK &&
        leat_group_state.open(g, again, &other, &err) == LEAT_OK &&
        leat_group_state.read(g, memory, bytes, &err) == LEAT_OK &&
        leat_group_state.snapshot(g, memory, &all, &err) == LEAT_OK &&
        leat_group_state.read(g, again, leat_bytes_slice(&all), &err) != LEAT_OK)
        assert(err.status == LEAT_E_NOMEM || err.status == LEAT_E_FULL);
    leat_arena_reset(&arena);
    leat_arena_reset(&other);
    leat_arena_reset(&out);
    free(memory);
    free(again);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const char *const names[] = {"join", "full_outer_join"};
    static const uint32_t sides[] = {0, 1};
    struct leat_arena arena = {0};
    struct leat_segment segments[2] = {{.columns = LEAT_COL_PATHS}, {.columns = LEAT_COL_PATHS}};
    struct leat_view in[2], out;
    struct leat_diags diags = {.arena = &arena};
    struct leat_shapes shapes = {.arena = &arena};
    struct leat_group_in combiner[2] = {{0}};
    void *combiners[] = {&combiner[0], &combiner[1]};
    struct leat_node within = {.key = LEAT_LIT("within"), .text = LEAT_LIT("50ms")};
    struct leat_node with = {.key = LEAT_LIT("with"), .text = LEAT_LIT("other"), .next = &within};
    struct leat_node arg = {.kind = LEAT_NODE_MAP, .first = &with, .count = 2};

    if (size < 2 || size > 65536)
        return 0;
    const struct leat_module *module = leat_module_find_op(names[data[1] & 1]);
    assert(module);
    for (int i = 0; i < 2; i++)
        in[i] = (struct leat_view){.kind = LEAT_VIEW_VALUE,
                                   .segment = &segments[i],
                                   .column = LEAT_COL_THIS,
                                   .type = leat_type_of_kind(LEAT_T_STRING),
                                   .has_key = true,
                                   .key_type = leat_type_of_kind(LEAT_T_STRING),
                                   .event_time = true};
    if (data[1] & 2) {
        in[0].window =
            (struct leat_window_spec){LEAT_WINDOW_SLIDING, .size_ms = 1000, .slide_ms = 300};
        with.next = NULL;
        arg.count = 1;
    }
    out = in[0];
    struct leat_build build = {.arena = &arena,
                               .diags = &diags,
                               .shapes = &shapes,
                               .name = leat_slice_str(module->name),
                               .node = &arg,
                               .arg = &arg,
                               .in = in,
                               .in_count = 2,
                               .sides = sides,
                               .combiner_plans = combiners,
                               .out = &out};
    void *plan = calloc(1, module->self_size);
    module->op->build(plan, &build);
    assert(diags.errors == 0);
    countdown = data[0];
    leat_mem_gate = gate;
    read_state(plan, (struct leat_slice){(const char *)data + 2, size - 2});
    leat_mem_gate = NULL;
    leat_arena_reset(&arena);
    free(plan);
    return 0;
}
