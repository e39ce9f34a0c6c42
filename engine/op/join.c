/*
 * join.c - rows of joins and of cogroup, on their way in and out.
 *
 * Rows of several streams that have the same key come together within a batch, a window, or
 * (within: join_near.c) when their times are close. Each stream crosses the exchange by itself,
 * with a combiner for each of its branches; partial results know to which stream they belong.
 *
 * Behind a window, under event time, results of one source may come in an earlier batch than those
 * of the other for the same window. They *wait*: the grouping is over panes as long as the windows'
 * slide, of which each holds the end of exactly one window, and fires when both sources have come
 * that far.
 */
#include "op/join.h"

#include "op/shape.h"

/* ---- rows come in */

static enum leat_status prepare(const struct leat_group_in *in, struct leat_work *w,
                                struct leat_chunk *chunk, struct leat_error *err)
{
    uint32_t column = leat_assemble(in->value, chunk);

    if (column == LEAT_NO_COLUMN)
        return leat_arena_failed(chunk->arena, err);
    return leat_sweep_errors(w->task, chunk, column, LEAT_LIT("decoding"), err);
}

static enum leat_status add(const struct leat_group_in *in, struct leat_work *w,
                            const struct leat_chunk *chunk, const uint16_t *rows,
                            void *const *partials, uint32_t count, struct leat_error *err)
{
    const struct leat_value *values = chunk->columns[leat_assemble_column(in->value)];
    const struct leat_join_in *args = in->args;

    for (uint32_t i = 0; i < count; i++) {
        struct leat_kept_list *sides = partials[i];
        const struct leat_kept_row row = {
            .value = values[rows[i]],
            .order = leat_order_of(in->group, w, chunk, rows[i]),
            .time_ms = chunk->times_ms[rows[i]],
        };
        if (!leat_kept_add(&sides[args->side], w, &row))
            return leat_arena_failed(w->pool->arena, err);
    }
    return LEAT_OK;
}

static enum leat_status merge(const struct leat_group *g, struct leat_work *w, void *into,
                              const void *from, struct leat_error *err)
{
    struct leat_kept_list *to = into;
    const struct leat_kept_list *more = from;

    for (uint32_t i = 0; i < leat_join_of(g)->sides; i++)
        if (more[i].count && !leat_kept_append(&to[i], w, &more[i]))
            return leat_arena_failed(w->pool->arena, err);
    return LEAT_OK;
}

static void release(const struct leat_group *g, struct leat_work *w, void *partial)
{
    struct leat_kept_list *sides = partial;

    for (uint32_t i = 0; i < leat_join_of(g)->sides; i++)
        leat_kept_release(&sides[i], w);
}

static void encode(const struct leat_group *g, const void *partial, struct leat_bytes *into)
{
    const struct leat_kept_list *sides = partial;

    for (uint32_t i = 0; i < leat_join_of(g)->sides; i++)
        leat_kept_encode(&sides[i], into);
}

static enum leat_status decode(const struct leat_group *g, struct leat_work *w,
                               struct leat_slice *from, void *partial, struct leat_error *err)
{
    struct leat_kept_list *sides = partial;

    for (uint32_t i = 0; i < leat_join_of(g)->sides; i++)
        if (leat_kept_decode(&sides[i], w, from, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static void shape(const struct leat_group *g, struct leat_bytes *text)
{
    for (size_t i = 0; i < leat_join_of(g)->with.count; i++)
        leat_shape_say(text, "with %s; ", leat_join_of(g)->with.list[i]);
}

/* ---- results go out */

const struct leat_kept **leat_join_sorted(struct leat_work *w, const struct leat_kept_list *l)
{
    return leat_kept_sorted(l, w->scratch, leat_kept_by_order, NULL);
}

enum leat_status leat_join_row(const struct leat_join *j, struct leat_work *w,
                               const struct leat_result *r, const struct leat_held *left,
                               const struct leat_held *right, struct leat_error *err)
{
    struct leat_chunk *out = w->task->out;
    uint32_t row;

    if (leat_group_row(&j->group, w, r, &row, err) != LEAT_OK)
        return err->status;
    out->columns[j->columns[LEAT_LEFT]][row] =
        left ? leat_held_take(left, out->arena) : (struct leat_value){0};
    out->columns[j->columns[LEAT_RIGHT]][row] =
        right ? leat_held_take(right, out->arena) : (struct leat_value){0};
    return LEAT_OK;
}

static enum leat_status emit_pairs(const struct leat_join *j, struct leat_work *w,
                                   const struct leat_result *r, const struct leat_kept_list *sides,
                                   struct leat_error *err)
{
    const struct leat_kept **left = leat_join_sorted(w, &sides[LEAT_LEFT]),
                           **right = leat_join_sorted(w, &sides[LEAT_RIGHT]);
    /* An absent side is one row of nothing, if the other side may come alone. */
    uint32_t lefts = sides[LEAT_LEFT].count, rights = sides[LEAT_RIGHT].count;

    if (!left || !right)
        return leat_arena_failed(w->scratch, err);
    if ((lefts == 0 && !j->outer[LEAT_RIGHT]) || (rights == 0 && !j->outer[LEAT_LEFT]))
        return LEAT_OK;
    for (uint32_t i = 0; i < (lefts ? lefts : 1); i++)
        for (uint32_t k = 0; k < (rights ? rights : 1); k++)
            if (leat_join_row(j, w, r, lefts ? &left[i]->value : NULL,
                              rights ? &right[k]->value : NULL, err) != LEAT_OK)
                return err->status;
    return LEAT_OK;
}

static enum leat_status put_list(struct leat_work *w, const struct leat_kept_list *l,
                                 struct leat_value *into, struct leat_error *err)
{
    struct leat_arena *arena = w->task->out->arena;
    const struct leat_kept **sorted = leat_join_sorted(w, l);
    struct leat_value *items = leat_arena_array(arena, l->count + 1, sizeof *items);

    if (!sorted)
        return leat_arena_failed(w->scratch, err);
    if (!items)
        return leat_arena_failed(arena, err);
    for (uint32_t i = 0; i < l->count; i++)
        items[i] = leat_held_take(&sorted[i]->value, arena);
    *into = (struct leat_value){.tag = LEAT_LIST, .len = l->count, .as.items = items};
    return LEAT_OK;
}

static enum leat_status emit_lists(const struct leat_join *j, struct leat_work *w,
                                   const struct leat_result *r, const struct leat_kept_list *sides,
                                   struct leat_error *err)
{
    uint32_t row;

    if (leat_group_row(&j->group, w, r, &row, err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < j->sides; i++)
        if (put_list(w, &sides[i], &w->task->out->columns[j->columns[i]][row], err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status emit(const struct leat_group *g, struct leat_work *w,
                             const struct leat_result *result, const void *partial,
                             struct leat_error *err)
{
    const struct leat_join *j = leat_join_of(g);
    struct leat_result r = *result;

    if (g->beyond)
        return leat_near_meet(j, w, r.key, partial, err);
    if (j->waits)
        r.window.start_ms = leat_grid_start(&j->windows, r.window.end_ms);
    return j->is_cogroup ? emit_lists(j, w, &r, partial, err) : emit_pairs(j, w, &r, partial, err);
}

const struct leat_aggregator leat_join_lists = {
    .keep = LEAT_KEEP_PANES,
    .prepare = prepare,
    .add = add,
    .merge = merge,
    .release = release,
    .encode = encode,
    .decode = decode,
    .shape = shape,
    .emit = emit,
};
