/*
 * reduce.c - two values become one, again and again: reduce, reduce_by_key, and over windows.
 *
 * The expression sees the values as `a` (what there is) and `b` (what comes). With an inverse, a
 * window's result is carried on: what leaves is taken away, and a key without rows keeps speaking,
 * with what is then left, unless `filter` says no, as in Spark. Results over floating point drift
 * so, and are made anew from their panes now and then.
 */
#include "base/module.h"
#include "expr/callable.h"
#include "op/group_build.h"
#include "op/held.h"
#include "op/shape.h"
#include "op/window.h"

struct reduce {
    struct leat_group group; /* first */
    struct leat_small_expr expr, undo, filter;
    struct leat_slice text;

    struct leat_window_options window;
    struct leat_expression reduce, inverse, filtered;
};

static const struct reduce *of(const struct leat_group *g)
{
    return (const struct reduce *)g;
}

static enum leat_status prepare(const struct leat_group_in *in, struct leat_work *w,
                                struct leat_chunk *chunk, struct leat_error *err)
{
    uint32_t column = leat_assemble(in->value, chunk);

    if (column == LEAT_NO_COLUMN)
        return leat_arena_failed(chunk->arena, err);
    return leat_sweep_errors(w->task, chunk, column, LEAT_LIT("decoding"), err);
}

static enum leat_status apply(const struct leat_group *g, struct leat_work *w,
                              const struct leat_small_expr *e, struct leat_held *into,
                              struct leat_value b, struct leat_error *err)
{
    struct leat_value v = b;
    int64_t sum;

    if (into->set && e->is_sum && b.tag == LEAT_INT && into->v.tag == LEAT_INT &&
        !__builtin_add_overflow(into->v.as.i, b.as.i, &sum)) {
        into->v.as.i = sum;
        return LEAT_OK;
    }
    if (into->set) {
        const struct leat_value values[2] = {leat_held_get(into, w->scratch), b};
        v = leat_small_expr_eval(e, w, w->scratch, values, 2);
    }
    if (v.tag == LEAT_ERROR)
        return leat_group_bad(w, v, leat_program_source(e->program), err);
    (void)g;
    return leat_held_set(into, w->pool, w->scratch, v) ? LEAT_OK
                                                       : leat_arena_failed(w->pool->arena, err);
}

/* add() with a function. It is asked for and what it gives is kept without what only expressions,
 * texts and lists need. */
static enum leat_status add_called(struct leat_calls *calls, struct leat_work *w,
                                   const struct leat_value *values, const uint16_t *rows,
                                   void *const *partials, uint32_t count, struct leat_error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        struct leat_held *into = partials[i];
        struct leat_value v = values[rows[i]];
        if (into->set) {
            const struct leat_value two[2] = {
                leat_held_is_plain(into->v) ? into->v : leat_held_get(into, w->scratch), v};
            v = two[0].tag == LEAT_ERROR ? two[0] : leat_calls_one(calls, two, 2);
        }
        if (v.tag == LEAT_ERROR) {
            if (leat_group_bad(w, v, calls->watched->what, err) != LEAT_OK)
                return err->status;
        } else if (leat_held_is_plain(v) && leat_held_is_plain(into->v)) {
            *into = (struct leat_held){v, true};
        } else if (!leat_held_set(into, w->pool, w->scratch, v)) {
            return leat_arena_failed(w->pool->arena, err);
        }
    }
    leat_work_tidy(w);
    return LEAT_OK;
}

static enum leat_status add(const struct leat_group_in *in, struct leat_work *w,
                            const struct leat_chunk *chunk, const uint16_t *rows,
                            void *const *partials, uint32_t count, struct leat_error *err)
{
    const struct leat_value *values = chunk->columns[leat_assemble_column(in->value)];
    struct leat_calls calls;

    if (leat_calls_begin(&calls, of(in->group)->expr.program, w->task->eval, w->scratch))
        return add_called(&calls, w, values, rows, partials, count, err);
    for (uint32_t i = 0; i < count; i++)
        if (apply(in->group, w, &of(in->group)->expr, partials[i], values[rows[i]], err) != LEAT_OK)
            return err->status;
    leat_work_tidy(w);
    return LEAT_OK;
}

static enum leat_status merge(const struct leat_group *g, struct leat_work *w, void *into,
                              const void *from, struct leat_error *err)
{
    const struct leat_held *b = from;

    if (!b->set)
        return LEAT_OK;
    return apply(g, w, &of(g)->expr, into, leat_held_get(b, w->scratch), err);
}

static enum leat_status inverse(const struct leat_group *g, struct leat_work *w, void *into,
                                const void *from, struct leat_error *err)
{
    const struct leat_held *b = from;

    if (!b->set)
        return LEAT_OK;
    return apply(g, w, &of(g)->undo, into, leat_held_get(b, w->scratch), err);
}

static void release(const struct leat_group *g, struct leat_work *w, void *partial)
{
    (void)g;
    leat_held_free(partial, w->pool);
}

static void encode(const struct leat_group *g, const void *partial, struct leat_bytes *into)
{
    (void)g;
    leat_held_encode(partial, into);
}

static enum leat_status decode(const struct leat_group *g, struct leat_work *w,
                               struct leat_slice *from, void *partial, struct leat_error *err)
{
    (void)g;
    return leat_held_decode(partial, w, from, err);
}

static void shape(const struct leat_group *g, struct leat_bytes *text)
{
    leat_shape_program(text, "reduce", of(g)->expr.program);
    leat_shape_program(text, "inverse", of(g)->undo.program);
}

/* Does `filter` want it? A bool, or an error. */
static struct leat_value wanted(const struct leat_group *g, struct leat_work *w,
                                struct leat_slice key, const struct leat_held *h)
{
    struct leat_value values[3] = {leat_held_get(h, w->scratch)};
    struct leat_error err;

    if (!of(g)->filter.program)
        return leat_bool(true);
    values[1] = values[0];
    if (leat_key_decode(key, g->key_shape, w->scratch, &values[2], &err) != LEAT_OK)
        return leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
    struct leat_value v = leat_small_expr_eval(&of(g)->filter, w, w->scratch, values, 3);
    return v.tag == LEAT_BOOL || v.tag == LEAT_ERROR
               ? v
               : leat_value_fail(LEAT_V_TYPE, "the filter gives no bool");
}

static enum leat_status emit(const struct leat_group *g, struct leat_work *w,
                             const struct leat_result *r, const void *partial,
                             struct leat_error *err)
{
    const struct leat_held *h = partial;
    uint32_t row;

    if (!h->set)
        return LEAT_OK;
    struct leat_value yes = wanted(g, w, r->key, h);
    if (yes.tag == LEAT_ERROR)
        return leat_group_bad(w, yes, leat_program_source(of(g)->filter.program), err);
    if (!yes.as.b)
        return LEAT_OK;
    if (leat_group_row(g, w, r, &row, err) != LEAT_OK)
        return err->status;
    struct leat_chunk *out = w->task->out;
    out->columns[LEAT_COL_THIS][row] = leat_held_take(h, out->arena);
    return LEAT_OK;
}

static bool stays(const struct leat_group *g, struct leat_work *w, struct leat_slice key,
                  const void *partial)
{
    const struct leat_held *h = partial;

    if (!h->set)
        return false;
    struct leat_value yes = wanted(g, w, key, h); /* an error: nothing is left of this key */
    return yes.tag == LEAT_BOOL && yes.as.b;
}

/* clang-format off */
#define REDUCE \
    .prepare = prepare, .add = add, .merge = merge, .release = release, .encode = encode, \
    .decode = decode, .shape = shape, .emit = emit
/* clang-format on */
static const struct leat_aggregator merged = {.keep = LEAT_KEEP_MERGED, REDUCE};
static const struct leat_aggregator running = {
    .keep = LEAT_KEEP_RUNNING, .drifts = true, .inverse = inverse, .stays = stays, REDUCE};

/* ---- build */

static const char *const names[] = {"a", "b"};
static const char *const filter_names[] = {"value", "this", "key"};

static void build(struct reduce *p, struct leat_build *b, enum leat_group_key key,
                  const struct leat_node *expr, const struct leat_window_spec *window)
{
    const struct leat_type *type;

    p->group.agg = &merged;
    p->group.partial_size = sizeof(struct leat_held);
    leat_group_keep_value(b);
    leat_group_build(&p->group, b, key, window);
    leat_warn_hidden(b, expr, names, 2);
    if (expr)
        p->expr = leat_small_expr_build(b, expr, names, 2);
    type = p->expr.program ? leat_program_type(p->expr.program) : NULL;
    leat_group_out_value(b, type);
}

static void build_plain(struct reduce *p, struct leat_build *b, enum leat_group_key key)
{
    if (leat_build_need_arg(b, "an expression over a and b: a + b"))
        return;
    build(p, b, key, b->arg, NULL);
}

static void reduce_build(void *plan, struct leat_build *b)
{
    build_plain(plan, b, LEAT_KEY_NONE);
}

static void reduce_by_key_build(void *plan, struct leat_build *b)
{
    build_plain(plan, b, LEAT_KEY_STREAM);
}

static const struct leat_opt window_options[] = {
    LEAT_WINDOW_OPTS(struct reduce),
    LEAT_OPT(struct reduce, reduce, .help = "Expression over a and b."),
    LEAT_OPT(struct reduce, inverse, .optional = true,
             .help = "Expression over a and b that takes b away again."),
    {.name = "filter",
     .kind = LEAT_OPT_EXPR,
     .offset = offsetof(struct reduce, filtered),
     .optional = true,
     .help = "With inverse: keys whose value does not pass are dropped; sees key and value."},
    {0},
};

static void build_window(struct reduce *p, struct leat_build *b, enum leat_group_key key)
{
    uint32_t errors = b->diags->errors;

    if (leat_build_need_arg(b, "{ size: 10m, slide: 1m, reduce: a + b }"))
        return;
    leat_build_options(b, window_options, p);
    struct leat_window_spec spec = b->diags->errors > errors ? (struct leat_window_spec){0}
                                                             : leat_window_spec_of(b, &p->window);
    build(p, b, key, p->reduce.node, &spec);
    if (p->inverse.node) {
        p->group.agg = &running;
        p->undo = leat_small_expr_build(b, p->inverse.node, names, 2);
    }
    if (p->filtered.node)
        p->filter = leat_small_expr_build(b, p->filtered.node, filter_names, 3);
    if (p->filtered.node && !p->inverse.node)
        leat_diag_hint(b->diags,
                       leat_diag_error(b->diags, p->filtered.node, "'filter' belongs to 'inverse'"),
                       "put a filter operator behind");
}

static void reduce_by_window_build(void *plan, struct leat_build *b)
{
    build_window(plan, b, LEAT_KEY_NONE);
}

static void reduce_by_key_and_window_build(void *plan, struct leat_build *b)
{
    build_window(plan, b, LEAT_KEY_STREAM);
}

#define REDUCE_MODULE(id, options_are, scope_is, takes, text)                                      \
    static const struct leat_op id##_op =                                                          \
        LEAT_GROUP_OP(scope_is, .argument = (takes), .build = id##_build);                         \
    static const struct leat_module id##_module = {.abi = LEAT_MODULE_ABI,                         \
                                                   .name = #id,                                    \
                                                   .summary = text,                                \
                                                   .self_size = sizeof(struct reduce),             \
                                                   .opts = options_are,                            \
                                                   .op = &id##_op};                                \
    LEAT_MODULE_AS(id, id##_module)

REDUCE_MODULE(reduce, NULL, LEAT_SCOPE_BATCH, "EXPR over a, b", "all values become one");
REDUCE_MODULE(reduce_by_key, NULL, LEAT_SCOPE_KEY, "EXPR over a, b",
              "per key all values become one");
REDUCE_MODULE(reduce_by_window, window_options, LEAT_SCOPE_BATCH,
              "{ size, slide, reduce, inverse, filter }", "all values of a window become one");
REDUCE_MODULE(reduce_by_key_and_window, window_options, LEAT_SCOPE_KEY,
              "{ size, slide, reduce, inverse, filter }",
              "per key all values of a window become one");
