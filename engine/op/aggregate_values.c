/*
 * aggregate_values.c - aggregates that keep values: min, max, first, last, min_by, max_by.
 */
#include "op/aggregate.h"

/* One value, and what makes it the one. */
struct chosen {
    struct leat_held value, by;
    struct leat_order order;
};

static void chosen_release(const struct leat_agg_call *c, struct leat_work *w, void *piece)
{
    struct chosen *p = piece;

    (void)c;
    leat_held_free(&p->value, w->pool);
    leat_held_free(&p->by, w->pool);
    leat_order_free(&p->order, w->pool);
}

/* Values of different kinds have an order too: a window must not depend on what comes first. */
static int compare(struct leat_value a, struct leat_value b, struct leat_arena *scratch)
{
    if (a.tag == LEAT_INT && b.tag == LEAT_INT)
        return (a.as.i > b.as.i) - (a.as.i < b.as.i);
    return leat_value_order(a, b, scratch);
}

static enum leat_status failed(const struct leat_work *w, struct leat_error *err)
{
    return leat_arena_failed(w->pool->arena, err);
}

/* ---- min, max */

static enum leat_status best(struct leat_work *w, struct leat_held *into, struct leat_value v,
                             int sign, struct leat_error *err)
{
    if (into->set && compare(v, leat_held_get(into, w->scratch), w->scratch) * sign <= 0)
        return LEAT_OK;
    return leat_held_set(into, w->pool, w->scratch, v) ? LEAT_OK : failed(w, err);
}

static enum leat_status min_add(const struct leat_agg_call *c, struct leat_work *w, void *piece,
                                const struct leat_value *args, const struct leat_order *order,
                                struct leat_error *err)
{
    (void)c, (void)order;
    return best(w, piece, args[0], -1, err);
}

static enum leat_status max_add(const struct leat_agg_call *c, struct leat_work *w, void *piece,
                                const struct leat_value *args, const struct leat_order *order,
                                struct leat_error *err)
{
    (void)c, (void)order;
    return best(w, piece, args[0], 1, err);
}

static enum leat_status min_merge(const struct leat_agg_call *c, struct leat_work *w, void *into,
                                  const void *from, struct leat_error *err)
{
    const struct leat_held *h = from;

    (void)c;
    return h->set ? best(w, into, leat_held_get(h, w->scratch), -1, err) : LEAT_OK;
}

static enum leat_status max_merge(const struct leat_agg_call *c, struct leat_work *w, void *into,
                                  const void *from, struct leat_error *err)
{
    const struct leat_held *h = from;

    (void)c;
    return h->set ? best(w, into, leat_held_get(h, w->scratch), 1, err) : LEAT_OK;
}

static void held_release(const struct leat_agg_call *c, struct leat_work *w, void *piece)
{
    (void)c;
    leat_held_free(piece, w->pool);
}

static void held_encode(const struct leat_agg_call *c, const void *piece, struct leat_bytes *into)
{
    (void)c;
    leat_held_encode(piece, into);
}

static enum leat_status held_decode(const struct leat_agg_call *c, struct leat_work *w,
                                    struct leat_slice *from, void *piece, struct leat_error *err)
{
    (void)c;
    return leat_held_decode(piece, w, from, err);
}

static struct leat_value held_result(const struct leat_agg_call *c, const void *piece,
                                     struct leat_arena *arena)
{
    (void)c;
    return leat_held_take(piece, arena);
}

/* ---- first, last, min_by, max_by: by what stands beside the value, ties by where it stood */

static enum leat_status choose(struct leat_work *w, struct chosen *p, struct leat_value value,
                               const struct leat_value *by, const struct leat_order *order,
                               struct leat_error *err)
{
    if (!leat_held_set(&p->value, w->pool, w->scratch, value) ||
        (by && !leat_held_set(&p->by, w->pool, w->scratch, *by)) ||
        !leat_order_set(&p->order, w->pool, order))
        return failed(w, err);
    return LEAT_OK;
}

static enum leat_status first_add(const struct leat_agg_call *c, struct leat_work *w, void *piece,
                                  const struct leat_value *args, const struct leat_order *order,
                                  struct leat_error *err)
{
    struct chosen *p = piece;

    (void)c;
    if (p->value.set && leat_order_compare(order, &p->order) >= 0)
        return LEAT_OK;
    return choose(w, p, args[0], NULL, order, err);
}

static enum leat_status last_add(const struct leat_agg_call *c, struct leat_work *w, void *piece,
                                 const struct leat_value *args, const struct leat_order *order,
                                 struct leat_error *err)
{
    struct chosen *p = piece;

    (void)c;
    if (p->value.set && leat_order_compare(order, &p->order) < 0)
        return LEAT_OK;
    return choose(w, p, args[0], NULL, order, err);
}

static enum leat_status by_add(struct leat_work *w, struct chosen *p, const struct leat_value *args,
                               const struct leat_order *order, int sign, struct leat_error *err)
{
    if (p->value.set) {
        int than = compare(args[1], leat_held_get(&p->by, w->scratch), w->scratch) * sign;
        if (than < 0 || (than == 0 && leat_order_compare(order, &p->order) >= 0))
            return LEAT_OK;
    }
    return choose(w, p, args[0], &args[1], order, err);
}

static enum leat_status min_by_add(const struct leat_agg_call *c, struct leat_work *w, void *piece,
                                   const struct leat_value *args, const struct leat_order *order,
                                   struct leat_error *err)
{
    (void)c;
    return by_add(w, piece, args, order, -1, err);
}

static enum leat_status max_by_add(const struct leat_agg_call *c, struct leat_work *w, void *piece,
                                   const struct leat_value *args, const struct leat_order *order,
                                   struct leat_error *err)
{
    (void)c;
    return by_add(w, piece, args, order, 1, err);
}

/* What was chosen there comes as if it were a row. */
static enum leat_status chosen_merge(const struct leat_agg_call *c, struct leat_work *w, void *into,
                                     const void *from, struct leat_error *err)
{
    const struct chosen *p = from;
    struct leat_value args[2];

    if (!p->value.set)
        return LEAT_OK;
    args[0] = leat_held_get(&p->value, w->scratch);
    args[1] = leat_held_get(&p->by, w->scratch);
    return c->fn->add(c, w, into, args, &p->order, err);
}

static void chosen_encode(const struct leat_agg_call *c, const void *piece, struct leat_bytes *into)
{
    const struct chosen *p = piece;

    (void)c;
    leat_held_encode(&p->value, into);
    leat_held_encode(&p->by, into);
    leat_order_encode(&p->order, into);
}

static enum leat_status chosen_decode(const struct leat_agg_call *c, struct leat_work *w,
                                      struct leat_slice *from, void *piece, struct leat_error *err)
{
    struct chosen *p = piece;
    struct leat_order order;

    if (leat_held_decode(&p->value, w, from, err) != LEAT_OK ||
        leat_held_decode(&p->by, w, from, err) != LEAT_OK)
        return err->status;
    if (!leat_order_decode(&order, from))
        return leat_fail(err, LEAT_E_CORRUPT, "damaged partial result of %.*s",
                         LEAT_FMT(c->source));
    return leat_order_set(&p->order, w->pool, &order) ? LEAT_OK : failed(w, err);
}

static struct leat_value chosen_result(const struct leat_agg_call *c, const void *piece,
                                       struct leat_arena *arena)
{
    (void)c;
    return leat_held_take(&((const struct chosen *)piece)->value, arena);
}

/* clang-format off */
#define HELD .args_min = 1, .args_max = 1, .evaluated = 1, .size = sizeof(struct leat_held), \
    .release = held_release, .encode = held_encode, .decode = held_decode, .result = held_result
#define CHOSEN(n) .args_min = n, .args_max = n, .evaluated = n, .size = sizeof(struct chosen), \
    .ordered = true, .merge = chosen_merge, .release = chosen_release, .encode = chosen_encode, \
    .decode = chosen_decode, .result = chosen_result

const struct leat_agg_fn leat_agg_values[] = {
    {.name = "min", HELD, .add = min_add, .merge = min_merge,
     .signature = "min(x) -> x", .help = "The least."},
    {.name = "max", HELD, .add = max_add, .merge = max_merge,
     .signature = "max(x) -> x", .help = "The greatest."},
    {.name = "first", CHOSEN(1), .add = first_add,
     .signature = "first(x) -> x", .help = "The first, by time, then by position."},
    {.name = "last", CHOSEN(1), .add = last_add,
     .signature = "last(x) -> x", .help = "The last, by time, then by position."},
    {.name = "min_by", CHOSEN(2), .add = min_by_add,
     .signature = "min_by(x, by) -> x", .help = "The x for which `by` is least."},
    {.name = "max_by", CHOSEN(2), .add = max_by_add,
     .signature = "max_by(x, by) -> x", .help = "The x for which `by` is greatest."},
    {0},
};
/* clang-format on */

static const struct leat_agg_fn *const tables[] = {leat_agg_plain, leat_agg_values, leat_agg_lists,
                                                   leat_agg_sketch};

void leat_agg_each(void (*fn)(const struct leat_agg_fn *f, void *arg), void *arg)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct leat_agg_fn *f = tables[i]; f->name; f++)
            fn(f, arg);
}

const struct leat_agg_fn *leat_agg_find(struct leat_slice name)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct leat_agg_fn *f = tables[i]; f->name; f++)
            if (leat_slice_eq(name, leat_slice_str(f->name)))
                return f;
    return NULL;
}
