/*
 * aggregate.c - `aggregate`: a record of expressions with aggregates, per key and window.
 *
 * A partial result is the pieces of all calls, one behind the other; calls that would keep the
 * same, as sum(x) and avg(x), share one. At its end each call fills a column of the outgoing chunk,
 * and the expressions around them are evaluated over these columns.
 */
#include "op/aggregate_in.h"

static const struct leat_aggregate *of(const struct leat_group *g)
{
    return (const struct leat_aggregate *)g;
}

/* ---- rows come in */

static bool fits(enum leat_wants wants, uint8_t tag)
{
    switch (wants) {
    case LEAT_WANTS_NUMBER:
        return tag == LEAT_INT || tag == LEAT_DOUBLE || tag == LEAT_UINT;
    case LEAT_WANTS_BOOL:
        return tag == LEAT_BOOL;
    case LEAT_WANTS_ANY:
        break;
    }
    return true;
}

/* What the call cannot take becomes an error of its row, in a column that nobody else reads. */
static void check_tags(const struct leat_agg_call *c, struct leat_chunk *chunk, uint32_t *column,
                       uint32_t own)
{
    const struct leat_value *values = chunk->columns[*column];
    bool bad = false;

    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint8_t tag = values[chunk->selection[i]].tag;
        bad |= !fits(c->fn->wants, tag) && tag != LEAT_NULL && tag != LEAT_ERROR;
    }
    if (!bad)
        return;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_value v = values[row];
        if (!fits(c->fn->wants, v.tag) && v.tag != LEAT_NULL && v.tag != LEAT_ERROR)
            v = leat_value_fail(LEAT_V_TYPE, c->fn->wants == LEAT_WANTS_BOOL
                                                 ? "the value is no bool"
                                                 : "the value is no number");
        chunk->columns[own][row] = v;
    }
    *column = own;
}

/* Where the argument of a call stands for this chunk. */
static uint32_t arg_column(const struct leat_aggregate_args *args,
                           const struct leat_program *program, uint32_t own, struct leat_work *w,
                           struct leat_chunk *chunk)
{
    const struct leat_expr e = {program, args->assemble};

    return leat_expr_eval(&e, w->task, chunk, own);
}

static enum leat_status prepare(const struct leat_group_in *in, struct leat_work *w,
                                struct leat_chunk *chunk, struct leat_error *err)
{
    const struct leat_aggregate *a = of(in->group);
    const struct leat_aggregate_args *args = in->args;

    w->columns_used = 0;
    for (uint32_t k = 0; k < a->own_count; k++)
        for (uint32_t n = 0, i = a->own[k]; n < a->calls[i].args; n++) {
            uint32_t own = args->columns[i][n];
            uint32_t column = arg_column(args, args->programs[i][n], own, w, chunk);
            if (n == 0 && a->calls[i].fn->wants != LEAT_WANTS_ANY)
                check_tags(&a->calls[i], chunk, &column, own);
            w->columns[w->columns_used++] = column;
            if (leat_sweep_errors(w->task, chunk, column, a->calls[i].source, err) != LEAT_OK)
                return err->status;
        }
    return LEAT_OK;
}

static enum leat_status add_rows(const struct leat_group_in *in, const struct leat_agg_call *c,
                                 struct leat_work *w, const struct leat_chunk *chunk,
                                 const uint32_t *columns, const uint16_t *rows,
                                 void *const *partials, uint32_t count, struct leat_error *err)
{
    struct leat_order order = {0};

    for (uint32_t i = 0; i < count; i++) {
        struct leat_value values[LEAT_AGGREGATE_ARGS];
        bool null = false;
        for (uint32_t n = 0; n < c->args; n++) {
            values[n] = chunk->columns[columns[n]][rows[i]];
            null = null || values[n].tag == LEAT_NULL;
        }
        if (null)
            continue;
        if (c->fn->ordered)
            order = leat_order_of(in->group, w, chunk, rows[i]);
        if (c->fn->add(c, w, (char *)partials[i] + c->offset, values, &order, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status add(const struct leat_group_in *in, struct leat_work *w,
                            const struct leat_chunk *chunk, const uint16_t *rows,
                            void *const *partials, uint32_t count, struct leat_error *err)
{
    const struct leat_aggregate *a = of(in->group);
    const uint32_t *columns = w->columns;

    for (uint32_t i = 0; i < a->own_count; i++) {
        const struct leat_agg_call *c = leat_aggregate_own(a, i);
        if (c->fn->add_run)
            c->fn->add_run(c, c->args ? chunk->columns[columns[0]] : NULL, rows, partials, count);
        else if (add_rows(in, c, w, chunk, columns, rows, partials, count, err) != LEAT_OK)
            return err->status;
        columns += c->args;
    }
    return LEAT_OK;
}

/* ---- partial results */

static enum leat_status merge(const struct leat_group *g, struct leat_work *w, void *into,
                              const void *from, struct leat_error *err)
{
    const struct leat_aggregate *a = of(g);

    for (uint32_t i = 0; i < a->own_count; i++) {
        const struct leat_agg_call *c = leat_aggregate_own(a, i);
        if (c->fn->merge(c, w, (char *)into + c->offset, (const char *)from + c->offset, err) !=
            LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status inverse(const struct leat_group *g, struct leat_work *w, void *into,
                                const void *from, struct leat_error *err)
{
    const struct leat_aggregate *a = of(g);

    (void)w, (void)err;
    for (uint32_t i = 0; i < a->own_count; i++) {
        const struct leat_agg_call *c = leat_aggregate_own(a, i);
        c->fn->inverse(c, (char *)into + c->offset, (const char *)from + c->offset);
    }
    return LEAT_OK;
}

static void release(const struct leat_group *g, struct leat_work *w, void *partial)
{
    const struct leat_aggregate *a = of(g);

    for (uint32_t i = 0; i < a->own_count; i++) {
        const struct leat_agg_call *c = leat_aggregate_own(a, i);
        if (c->fn->release)
            c->fn->release(c, w, (char *)partial + c->offset);
    }
}

static void encode(const struct leat_group *g, const void *partial, struct leat_bytes *into)
{
    const struct leat_aggregate *a = of(g);

    for (uint32_t i = 0; i < a->own_count; i++) {
        const struct leat_agg_call *c = leat_aggregate_own(a, i);
        c->fn->encode(c, (const char *)partial + c->offset, into);
    }
}

static enum leat_status decode(const struct leat_group *g, struct leat_work *w,
                               struct leat_slice *from, void *partial, struct leat_error *err)
{
    const struct leat_aggregate *a = of(g);

    for (uint32_t i = 0; i < a->own_count; i++) {
        const struct leat_agg_call *c = leat_aggregate_own(a, i);
        if (c->fn->decode(c, w, from, (char *)partial + c->offset, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static void shape(const struct leat_group *g, struct leat_bytes *text)
{
    const struct leat_aggregate *a = of(g);

    for (uint32_t i = 0; i < a->own_count; i++) {
        const struct leat_agg_call *c = leat_aggregate_own(a, i);
        leat_bytes_put(text, c->source.ptr, c->source.len);
        leat_bytes_put(text, "; ", 2);
    }
}

/* ---- results go out */

static struct leat_value time_value(int64_t ms)
{
    int64_t rest = ms % 1000 < 0 ? ms % 1000 + 1000 : ms % 1000;

    return (struct leat_value){
        .tag = LEAT_TIMESTAMP, .len = (uint32_t)rest * 1000000, .as.i = (ms - rest) / 1000};
}

static bool put_window(const struct leat_aggregate *a, struct leat_chunk *out, uint32_t row,
                       const struct leat_window *window)
{
    struct leat_value start = time_value(window->start_ms), end = time_value(window->end_ms);

    if (a->start_column != LEAT_NO_COLUMN)
        out->columns[a->start_column][row] = start;
    if (a->end_column != LEAT_NO_COLUMN)
        out->columns[a->end_column][row] = end;
    if (a->final_column != LEAT_NO_COLUMN)
        out->columns[a->final_column][row] = leat_bool(window->final);
    if (a->window_column == LEAT_NO_COLUMN)
        return true;
    struct leat_record *record = leat_record_new(out->arena, a->window_shape);
    if (!record)
        return false;
    record->fields[0] = start;
    record->fields[1] = end;
    record->fields[2] = leat_bool(window->final);
    out->columns[a->window_column][row] =
        (struct leat_value){.tag = LEAT_RECORD, .as.record = record};
    return true;
}

static enum leat_status emit(const struct leat_group *g, struct leat_work *w,
                             const struct leat_result *r, const void *partial,
                             struct leat_error *err)
{
    const struct leat_aggregate *a = of(g);
    struct leat_chunk *out = w->task->out;
    uint32_t row;

    if (leat_group_row(g, w, r, &row, err) != LEAT_OK)
        return err->status;
    if (g->windows_out && !put_window(a, out, row, &r->window))
        return leat_arena_failed(out->arena, err);
    struct leat_value key = out->columns[LEAT_COL_KEY][row];
    for (uint32_t i = 0; a->key_columns && key.tag == LEAT_RECORD && i < g->key_shape->count; i++)
        if (a->key_columns[i] != LEAT_NO_COLUMN)
            out->columns[a->key_columns[i]][row] = key.as.record->fields[i];
    for (uint32_t i = 0; i < a->count; i++) {
        const struct leat_agg_call *c = &a->calls[i];
        out->columns[c->column][row] =
            c->fn->result(c, (const char *)partial + c->offset, out->arena);
    }
    return LEAT_OK;
}

static enum leat_status seal(const struct leat_group *g, struct leat_work *w,
                             struct leat_chunk *out, struct leat_error *err)
{
    return leat_exprs_eval(&of(g)->exprs, w->task, out, err);
}

/* clang-format off */
#define AGGREGATE \
    .prepare = prepare, .add = add, .merge = merge, .release = release, .encode = encode, \
    .decode = decode, .shape = shape, .emit = emit, .seal = seal
/* clang-format on */
const struct leat_aggregator leat_aggregate_merged = {.keep = LEAT_KEEP_MERGED, AGGREGATE};
const struct leat_aggregator leat_aggregate_by_panes = {.keep = LEAT_KEEP_PANES, AGGREGATE};
const struct leat_aggregator leat_aggregate_running = {
    .keep = LEAT_KEEP_RUNNING, .inverse = inverse, AGGREGATE};
