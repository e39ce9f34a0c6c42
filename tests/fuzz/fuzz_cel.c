/*
 * fuzz_cel.c - compiles arbitrary text and runs what compiles over a few columns.
 *
 * The first byte chooses which allocation fails, the second whether the text is an expression, one
 * that is not checked beforehand, a template, or one with aggregates. Files in corpus/cel/ run as
 * ordinary tests in every build; a crash that is found goes there.
 */
#include "base/mem.h"
#include "expr/expr.h"

#include <assert.h>

#define ROWS 4

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

static const char *const names[] = {"a", "b", "c", "s", "xs", "m", "this"};

#define NAMES (sizeof names / sizeof *names)

static enum leat_found resolve(struct leat_names *self, const struct leat_slice *path, size_t count,
                               struct leat_ref *ref)
{
    (void)self;
    assert(count > 0);
    for (uint32_t i = 0; i < NAMES; i++)
        if (leat_slice_eq(path[0], leat_slice_str(names[i]))) {
            *ref = (struct leat_ref){LEAT_COL_PATHS + i, 1, NULL};
            return LEAT_FOUND;
        }
    return LEAT_FOUND_NOTHING;
}

/* Every aggregate is column a. */
static enum leat_found aggregate(struct leat_names *self, const struct leat_aggregate_call *call,
                                 struct leat_ref *ref)
{
    (void)self;
    for (size_t i = 0; i < call->count; i++)
        assert(leat_program_type(call->args[i]) && leat_program_source(call->args[i]).len);
    if (leat_slice_eq(call->name, LEAT_LIT("top")))
        return LEAT_FOUND_NOTHING;
    *ref = (struct leat_ref){.column = LEAT_COL_PATHS, .used = 1};
    return LEAT_FOUND;
}

static void see_column(uint32_t column, void *arg)
{
    (void)arg;
    assert(column >= LEAT_COL_PATHS && column < LEAT_COL_PATHS + NAMES);
}

static void fill(struct leat_chunk *chunk, struct leat_value *scratch)
{
    struct leat_value text = leat_string(LEAT_LIT("p\xc3\xa4id 2026-01-01T10:00:00Z"));

    scratch[0] = leat_string(LEAT_LIT("k"));
    scratch[1] = leat_int(7);
    scratch[2] = leat_double(-1.5);
    scratch[3] = text;
    for (uint32_t row = 0; row < ROWS; row++) {
        leat_chunk_add(chunk, &(struct leat_row){.time_ms = LEAT_NO_TIME});
        struct leat_value values[NAMES] = {
            leat_int(row == 1 ? INT64_MIN : row),
            leat_double(row * 0.5),
            row == 2 ? (struct leat_value){0} : leat_bool(row & 1),
            text,
            {.tag = LEAT_LIST, .len = row, .as.items = scratch},
            {.tag = LEAT_MAP, .len = row ? 1 : 0, .as.items = scratch},
            leat_value_fail(LEAT_V_ABSENT, "absent"),
        };
        for (uint32_t i = 0; i < NAMES; i++)
            chunk->columns[LEAT_COL_PATHS + i][row] = values[i];
    }
}

static void run(const struct leat_program *p, struct leat_arena *arena)
{
    struct leat_arena made = {.cap = 4 << 20};
    struct leat_value scratch[4];
    struct leat_chunk chunk;
    struct leat_error err;
    const uint32_t out = LEAT_COL_PATHS + NAMES;

    countdown = 0; /* from here on there is memory, but `made` has an end */
    struct leat_eval *ev = leat_eval_new();
    assert(ev && leat_chunk_init(&chunk, arena, out + 1, &err) == LEAT_OK);
    fill(&chunk, scratch);
    chunk.arena = &made;
    leat_eval_chunk(p, ev, &chunk, out);
    for (uint32_t row = 0; row < ROWS; row++)
        assert(chunk.columns[out][row].tag <= LEAT_TYPE &&
               (chunk.columns[out][row].flags & 0xc0) == 0);
    struct leat_value again = leat_eval_row(p, ev, &chunk, 1), constant;
    uint32_t column;
    assert(again.tag == chunk.columns[out][1].tag);
    if (leat_program_is_column(p, &column))
        see_column(column, NULL);
    assert(!leat_program_is_constant(p, &constant) || constant.tag == again.tag);
    leat_program_columns(p, see_column, NULL);
    leat_eval_free(ev);
    leat_arena_reset(&made);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_arena arena = {.cap = 64 << 20};
    struct leat_diags diags = {.arena = &arena};
    struct leat_names row = {.resolve = resolve}, all = {.resolve = resolve};

    if (size < 2 || size > 8192)
        return 0;
    struct leat_node node = {.text = {(const char *)data + 2, size - 2}, .mark = {1, 1, 1}};
    struct leat_compile c = {
        .names = &all, .arena = &arena, .diags = &diags, .unchecked = data[1] % 8 == 1};
    if (data[1] % 8 == 5) {
        all.row = &row;
        all.aggregate = aggregate;
    }
    countdown = data[0];
    leat_mem_gate = gate;
    const struct leat_program *p =
        data[1] % 8 >= 2 && data[1] % 8 <= 4
            ? leat_compile_template(&c, &node, (enum leat_template_rules)(data[1] % 8 - 2))
            : leat_compile(&c, &node);
    assert(p || diags.errors > 0);
    if (p)
        run(p, &arena);
    leat_mem_gate = NULL;
    leat_arena_reset(&arena);
    return 0;
}
