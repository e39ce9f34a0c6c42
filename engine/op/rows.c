/*
 * rows.c - operators that keep whole rows: group_by_key, sort_by, distinct, and `rows`.
 *
 * `rows` is the planner's own: the rows of a window of batches, for a sink. Under event time kept
 * rows come out by time, source, partition and position, however the stream was cut; else as they
 * came.
 */
#include "base/module.h"
#include "op/group_build.h"
#include "op/kept.h"
#include "op/shape.h"
#include "op/window.h"

#include <inttypes.h>

enum what { GROUP, SORT, ROWS, DISTINCT };

struct rows {
    struct leat_group group; /* first */
    enum what what;
    uint32_t most; /* 0: all */
    bool descending;
    const struct leat_shape *key_shape; /* of the rows' own key; NULL: it is no record */

    struct leat_window_options window;
    int64_t max, limit;
    struct leat_expression by;
    struct leat_choice order;
    struct leat_duration within;
};

/* Of one input. */
struct rows_in {
    struct leat_expr by;
    uint32_t by_column, key_column;
};

static const struct rows *of(const struct leat_group *g)
{
    return (const struct rows *)g;
}

static int compare(const struct leat_kept *a, const struct leat_kept *b, void *arg)
{
    const struct leat_work *w = ((void **)arg)[0];
    const struct rows *p = ((void **)arg)[1];
    int order;

    if (p->what != SORT)
        return leat_order_compare(&a->order, &b->order);
    order = leat_value_order(leat_held_get(&a->by, w->scratch), leat_held_get(&b->by, w->scratch),
                             w->scratch);
    if (order == 0)
        return leat_order_compare(&a->order, &b->order);
    return p->descending ? -order : order;
}

static enum leat_status trim(const struct rows *p, struct leat_work *w, struct leat_kept_list *l,
                             struct leat_error *err)
{
    void *arg[2] = {w, (void *)(uintptr_t)p};

    return leat_kept_trim(l, w, p->most, compare, arg) ? LEAT_OK
                                                       : leat_arena_failed(w->pool->arena, err);
}

static enum leat_status prepare(const struct leat_group_in *in, struct leat_work *w,
                                struct leat_chunk *chunk, struct leat_error *err)
{
    const struct rows_in *args = in->args;
    uint32_t column = leat_assemble(in->value, chunk);

    if (column == LEAT_NO_COLUMN)
        return leat_arena_failed(chunk->arena, err);
    if (leat_sweep_errors(w->task, chunk, column, LEAT_LIT("decoding"), err) != LEAT_OK)
        return err->status;
    w->columns[0] = LEAT_NO_COLUMN;
    if (!args->by.program)
        return LEAT_OK;
    w->columns[0] = leat_expr_eval(&args->by, w->task, chunk, args->by_column);
    return leat_sweep_errors(w->task, chunk, w->columns[0], leat_program_source(args->by.program),
                             err);
}

/* A record key is kept as key bytes, for its fields are those of a shape and none of a JSON text.
 */
static enum leat_status key_to_keep(const struct rows *p, struct leat_work *w,
                                    struct leat_value *key, struct leat_error *err)
{
    struct leat_bytes bytes = {.arena = w->scratch};

    if (!p->key_shape || key->tag != LEAT_RECORD)
        return LEAT_OK;
    if (leat_key_encode(*key, &bytes, err) != LEAT_OK)
        return err->status;
    *key = (struct leat_value){.tag = LEAT_BYTES, .len = (uint32_t)bytes.len, .as.text = bytes.ptr};
    return LEAT_OK;
}

static enum leat_status kept_key(const struct rows *p, const struct leat_kept *k,
                                 struct leat_arena *arena, struct leat_value *key,
                                 struct leat_error *err)
{
    *key = leat_held_take(&k->key, arena);
    if (!p->key_shape || key->tag != LEAT_BYTES)
        return LEAT_OK;
    return leat_key_decode(leat_value_text(*key), p->key_shape, arena, key, err);
}

static enum leat_status add(const struct leat_group_in *in, struct leat_work *w,
                            const struct leat_chunk *chunk, const uint16_t *rows,
                            void *const *partials, uint32_t count, struct leat_error *err)
{
    const struct rows *p = of(in->group);
    const struct rows_in *args = in->args;
    const struct leat_value *values = chunk->columns[leat_assemble_column(in->value)];
    const struct leat_value *keys =
        args->key_column == LEAT_NO_COLUMN ? NULL : chunk->columns[args->key_column];
    const struct leat_value *bys =
        w->columns[0] == LEAT_NO_COLUMN ? NULL : chunk->columns[w->columns[0]];

    for (uint32_t i = 0; i < count; i++) {
        const struct leat_kept_list *l = partials[i];
        uint16_t row = rows[i];
        /* As they come is the order: there are enough. */
        if (p->most && l->count >= p->most && p->what != SORT && !in->group->event_time)
            continue;
        struct leat_value key = keys ? keys[row] : (struct leat_value){0};
        if (key_to_keep(p, w, &key, err) != LEAT_OK)
            return err->status;
        const struct leat_kept_row kept = {
            .value = values[row],
            .key = keys ? &key : NULL,
            .by = bys ? &bys[row] : NULL,
            .order = leat_order_of(in->group, w, chunk, row),
            .time_ms = chunk->times_ms[row],
        };
        if (!leat_kept_add(partials[i], w, &kept))
            return leat_arena_failed(w->pool->arena, err);
        if (trim(p, w, partials[i], err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status merge(const struct leat_group *g, struct leat_work *w, void *into,
                              const void *from, struct leat_error *err)
{
    if (!leat_kept_append(into, w, from))
        return leat_arena_failed(w->pool->arena, err);
    return trim(of(g), w, into, err);
}

static void release(const struct leat_group *g, struct leat_work *w, void *partial)
{
    (void)g;
    leat_kept_release(partial, w);
}

static void encode(const struct leat_group *g, const void *partial, struct leat_bytes *into)
{
    (void)g;
    leat_kept_encode(partial, into);
}

static enum leat_status decode(const struct leat_group *g, struct leat_work *w,
                               struct leat_slice *from, void *partial, struct leat_error *err)
{
    (void)g;
    return leat_kept_decode(partial, w, from, err);
}

static void shape(const struct leat_group *g, struct leat_bytes *text)
{
    const struct rows *p = of(g);

    if (p->most)
        leat_shape_say(text, "the first %" PRIu32 "; ", p->most);
    if (p->key_shape && p->what != GROUP)
        leat_shape_say(text, "rows with ");
    for (uint32_t i = 0; p->key_shape && p->what != GROUP && i < p->key_shape->count; i++)
        leat_shape_say(text, "key.%.*s; ", LEAT_FMT(p->key_shape->names[i]));
    if (p->what != SORT)
        return;
    leat_shape_say(text, "%s ", p->descending ? "desc" : "asc");
    leat_shape_node(text, p->by.node);
    leat_shape_say(text, "; ");
}

static enum leat_status emit_list(const struct leat_group *g, struct leat_work *w,
                                  const struct leat_result *r, const struct leat_kept **sorted,
                                  uint32_t count, struct leat_error *err)
{
    struct leat_chunk *out = w->task->out;
    uint32_t row;

    if (leat_group_row(g, w, r, &row, err) != LEAT_OK)
        return err->status;
    struct leat_value *items = leat_arena_array(out->arena, count + 1, sizeof *items);
    if (!items)
        return leat_arena_failed(out->arena, err);
    for (uint32_t i = 0; i < count; i++)
        items[i] = leat_held_take(&sorted[i]->value, out->arena);
    out->columns[LEAT_COL_THIS][row] =
        (struct leat_value){.tag = LEAT_LIST, .len = count, .as.items = items};
    return LEAT_OK;
}

static enum leat_status emit(const struct leat_group *g, struct leat_work *w,
                             const struct leat_result *r, const void *partial,
                             struct leat_error *err)
{
    const struct rows *p = of(g);
    const struct leat_kept_list *l = partial;
    void *arg[2] = {w, (void *)(uintptr_t)p};
    const struct leat_kept **sorted = leat_kept_sorted(l, w->scratch, compare, arg);
    struct leat_chunk *out = w->task->out;
    uint32_t count = p->most && p->most < l->count ? p->most : l->count, row;

    if (!sorted)
        return leat_arena_failed(w->scratch, err);
    if (p->what == GROUP)
        return emit_list(g, w, r, sorted, count, err);
    for (uint32_t i = 0; i < count; i++) {
        struct leat_result one = *r;
        bool pass;
        int64_t time_ms = g->event_time ? sorted[i]->time_ms
                                        : w->task->batch->time_ms - w->task->batch->interval_ms;
        if (leat_group_passes(g, w, r->key, time_ms, &pass, err) != LEAT_OK)
            return err->status;
        if (!pass)
            continue;
        if (!g->windows_out)
            one.time_ms = sorted[i]->time_ms;
        if (leat_group_row(g, w, &one, &row, err) != LEAT_OK)
            return err->status;
        if (kept_key(p, sorted[i], out->arena, &out->columns[LEAT_COL_KEY][row], err) != LEAT_OK)
            return err->status;
        out->columns[LEAT_COL_THIS][row] = leat_held_take(&sorted[i]->value, out->arena);
    }
    return LEAT_OK;
}

/* clang-format off */
#define KEPT \
    .prepare = prepare, .add = add, .merge = merge, .release = release, .encode = encode, \
    .decode = decode, .shape = shape, .emit = emit
/* clang-format on */
static const struct leat_aggregator lists = {.keep = LEAT_KEEP_PANES, KEPT};

/* ---- build */

static bool build_inputs(struct rows *p, struct leat_build *b, const struct leat_node *by)
{
    leat_group_keep_value(b);
    for (uint32_t i = 0; i < b->in_count; i++) {
        struct rows_in *args = leat_arena_alloc(b->arena, sizeof *args);
        if (!args)
            return false;
        leat_group_input(b, i)->args = args;
        args->key_column =
            b->in[i].has_key && p->what != GROUP ? b->in[i].key_column : LEAT_NO_COLUMN;
        if (!by)
            continue;
        args->by = leat_build_expr(b, &b->in[i], by, NULL, 0);
        args->by_column = leat_view_column(&b->in[i]);
    }
    return true;
}

static void build(struct rows *p, struct leat_build *b, enum leat_group_key key,
                  const struct leat_node *by, const struct leat_window_spec *window)
{
    const struct leat_view in = b->in[0];

    p->group.agg = &lists;
    p->group.partial_size = sizeof(struct leat_kept_list);
    p->key_shape = in.key_shape;
    if (!build_inputs(p, b, by))
        return;
    leat_group_build(&p->group, b, key, window);
    leat_group_out_value(b, p->what == GROUP ? leat_type_of_kind(LEAT_T_LIST) : NULL);
    if (p->what == GROUP)
        return;
    /* Rows keep their own key. */
    b->out->has_key = in.has_key;
    b->out->key_type = in.key_type;
    b->out->key_shape = in.key_shape;
    b->out->key_name = in.key_name;
}

static const struct leat_opt group_options[] = {
    LEAT_OPT(struct rows, max, .def = "0", .min = 0, .max = 1 << 30,
             .help = "The first so many values of each key; 0: all."),
    {0},
};

static void group_by_key_build(void *plan, struct leat_build *b)
{
    struct rows *p = plan;

    p->what = GROUP;
    leat_build_options(b, group_options, p);
    p->most = (uint32_t)p->max;
    build(p, b, LEAT_KEY_STREAM, NULL, NULL);
}

static const struct leat_opt group_window_options[] = {
    LEAT_WINDOW_OPTS(struct rows),
    LEAT_OPT(struct rows, max, .def = "0", .min = 0, .max = 1 << 30,
             .help = "The first so many values of each key; 0: all."),
    {0},
};

static void group_by_key_and_window_build(void *plan, struct leat_build *b)
{
    struct rows *p = plan;
    uint32_t errors = b->diags->errors;

    p->what = GROUP;
    if (leat_build_need_arg(b, "a size: { size: 10m, slide: 1m }"))
        return;
    leat_build_options(b, group_window_options, p);
    p->most = (uint32_t)p->max;
    struct leat_window_spec spec = b->diags->errors > errors ? (struct leat_window_spec){0}
                                                             : leat_window_spec_of(b, &p->window);
    build(p, b, LEAT_KEY_STREAM, NULL, &spec);
}

static const char *const directions[] = {"asc", "desc", NULL};

static const struct leat_opt sort_options[] = {
    LEAT_OPT(struct rows, by, .help = "What to sort by."),
    LEAT_OPT(struct rows, order, .def = "asc", .choices = directions, .help = "asc or desc."),
    LEAT_OPT(struct rows, limit, .def = "0", .min = 0, .max = 1 << 30,
             .help = "At most so many; 0: all."),
    {0},
};

static void sort_by_build(void *plan, struct leat_build *b)
{
    struct rows *p = plan;

    p->what = SORT;
    if (leat_build_need_arg(b, "what to sort by: { by: amount, order: desc }"))
        return;
    leat_build_options(b, sort_options, p);
    p->most = (uint32_t)p->limit;
    p->descending = p->order.index == 1;
    build(p, b, LEAT_KEY_NONE, p->by.node, NULL);
}

static void rows_build(void *plan, struct leat_build *b)
{
    struct rows *p = plan;

    p->what = ROWS;
    build(p, b, LEAT_KEY_NONE, NULL, NULL);
}

static const struct leat_opt distinct_options[] = {
    LEAT_OPT(struct rows, by, .optional = true, .help = "What must differ; default: the value."),
    LEAT_OPT(
        struct rows, within, .def = "0ms", .max = LEAT_OPT_NO_MAX,
        .help = "Once in so long, in whatever order rows come; 0ms: once per batch or window. What "
                "passed is forgotten when the watermark is that much later."),
    {0},
};

/* The first row of each value: a list of one, under the value (or `by`) as key. */
static void distinct_build(void *plan, struct leat_build *b)
{
    struct rows *p = plan;

    p->what = DISTINCT;
    p->most = 1;
    if (b->arg && !b->arg->is_null)
        leat_build_options(b, distinct_options, p);
    build(p, b, p->by.node ? LEAT_KEY_NONE : LEAT_KEY_VALUE, NULL, NULL);
    p->group.within_ms = p->within.ms;
    p->group.beyond = p->within.ms ? &leat_seen : NULL;
    if (p->within.ms && p->group.event_time)
        p->most = 0; /* a batch may hold rows that are further apart than that */
    if (p->within.ms && (p->group.over != LEAT_OVER_BATCH || p->group.windowed_in)) {
        p->group.within_ms = 0;
        p->group.beyond = NULL;
        leat_diag_hint(b->diags, leat_build_error(b, "'distinct' with 'within' in a window"),
                       "put it before the window");
    }
    if (!p->by.node)
        return;
    p->group.keyed = true;
    p->group.key_text = p->by.node->text;
    b->partitions = 0;
    for (uint32_t i = 0; i < b->in_count; i++) {
        struct leat_group_in *in = leat_group_input(b, i);
        in->key_expr = leat_build_expr(b, &b->in[i], p->by.node, NULL, 0);
        in->eval_column = leat_view_column(&b->in[i]);
        if (in->key_expr.program)
            in->key_text = leat_program_source(in->key_expr.program);
    }
}

#define ROWS_MODULE(id, options_are, scope_is, is_internal, takes, text)                           \
    static const struct leat_op id##_op = LEAT_GROUP_OP(scope_is, .internal = (is_internal),       \
                                                        .argument = (takes), .build = id##_build); \
    static const struct leat_module id##_module = {.abi = LEAT_MODULE_ABI,                         \
                                                   .name = #id,                                    \
                                                   .summary = text,                                \
                                                   .self_size = sizeof(struct rows),               \
                                                   .opts = options_are,                            \
                                                   .op = &id##_op};                                \
    LEAT_MODULE_AS(id, id##_module)

ROWS_MODULE(group_by_key, group_options, LEAT_SCOPE_KEY, false, "– or { max: N }",
            "per key the list of its values");
ROWS_MODULE(group_by_key_and_window, group_window_options, LEAT_SCOPE_KEY, false,
            "{ size, slide, max }", "per key the list of its values in a window");
ROWS_MODULE(sort_by, sort_options, LEAT_SCOPE_BATCH, false,
            "{ by: EXPR, order: asc|desc, limit: N }", "the batch or window in this order");
ROWS_MODULE(distinct, distinct_options, LEAT_SCOPE_KEY, false,
            "–, { by: EXPR } or { by: EXPR, within: 1h }",
            "the first of equal values, per batch, per window, or in a while");
ROWS_MODULE(rows, NULL, LEAT_SCOPE_BATCH, true, NULL, "the rows of a window of batches");
