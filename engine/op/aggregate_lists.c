/*
 * aggregate_lists.c - aggregates that keep many values: collect, top, count_distinct (exact).
 */
#include "data/key.h"
#include "op/aggregate.h"
#include "op/kept.h"
#include "op/table.h"

static enum leat_status failed(const struct leat_work *w, struct leat_error *err)
{
    return leat_arena_failed(w->pool->arena, err);
}

/* ---- collect, top */

static int by_value(const struct leat_kept *a, const struct leat_kept *b, void *arg)
{
    struct leat_arena *scratch = arg;
    int order = leat_value_order(leat_held_get(&b->value, scratch),
                                 leat_held_get(&a->value, scratch), scratch);

    return order ? order : leat_order_compare(&a->order, &b->order);
}

static bool plan_limit(struct leat_agg_call *c, const struct leat_value *constants, uint32_t count,
                       const char **why)
{
    *why = "the number of values must be an int from 1 to 1000000";
    if (count == 0)
        return true;
    c->n = constants[0].as.i;
    return constants[0].tag == LEAT_INT && c->n >= 1 && c->n <= 1000000;
}

static bool is_top(const struct leat_agg_call *c)
{
    return c->fn->name[0] == 't';
}

static bool trim(const struct leat_agg_call *c, struct leat_work *w, struct leat_kept_list *l)
{
    return leat_kept_trim(l, w, (uint32_t)c->n, is_top(c) ? by_value : leat_kept_by_order,
                          w->scratch);
}

static enum leat_status list_add(const struct leat_agg_call *c, struct leat_work *w, void *piece,
                                 const struct leat_value *args, const struct leat_order *order,
                                 struct leat_error *err)
{
    const struct leat_kept_row row = {.value = args[0], .order = *order};

    return leat_kept_add(piece, w, &row) && trim(c, w, piece) ? LEAT_OK : failed(w, err);
}

static enum leat_status list_merge(const struct leat_agg_call *c, struct leat_work *w, void *into,
                                   const void *from, struct leat_error *err)
{
    return leat_kept_append(into, w, from) && trim(c, w, into) ? LEAT_OK : failed(w, err);
}

static void list_release(const struct leat_agg_call *c, struct leat_work *w, void *piece)
{
    (void)c;
    leat_kept_release(piece, w);
}

static void list_encode(const struct leat_agg_call *c, const void *piece, struct leat_bytes *into)
{
    (void)c;
    leat_kept_encode(piece, into);
}

static enum leat_status list_decode(const struct leat_agg_call *c, struct leat_work *w,
                                    struct leat_slice *from, void *piece, struct leat_error *err)
{
    (void)c;
    return leat_kept_decode(piece, w, from, err);
}

static struct leat_value list_result(const struct leat_agg_call *c, const void *piece,
                                     struct leat_arena *arena)
{
    const struct leat_kept_list *l = piece;
    uint32_t count = c->n && c->n < l->count ? (uint32_t)c->n : l->count;
    const struct leat_kept **sorted =
        leat_kept_sorted(l, arena, is_top(c) ? by_value : leat_kept_by_order, arena);
    struct leat_value *items = leat_arena_array(arena, count + 1, sizeof *items);

    if (l->count == 0)
        return (struct leat_value){0};
    if (!sorted || !items)
        return leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
    for (uint32_t i = 0; i < count; i++)
        items[i] = leat_held_take(&sorted[i]->value, arena);
    return (struct leat_value){.tag = LEAT_LIST, .len = count, .as.items = items};
}

/* ---- count_distinct: how often each value is there, so that panes can leave again */

static uint64_t *times_of(struct leat_entry *e)
{
    return e->memory;
}

static enum leat_status add_times(struct leat_table *t, struct leat_slice key, uint64_t times,
                                  struct leat_work *w, struct leat_error *err)
{
    bool made;

    t->pool = w->pool;
    t->value_size = sizeof(uint64_t);
    struct leat_entry *e = leat_table_at(t, leat_table_hash(leat_key_hash(key), 0), 0, key, &made);
    if (!e)
        return failed(w, err);
    *times_of(e) += times;
    return LEAT_OK;
}

/* Key bytes; what cannot be a key (maps, JSON objects) is taken as its value bytes. */
static enum leat_status key_bytes(struct leat_value v, struct leat_bytes *bytes,
                                  struct leat_error *err)
{
    const char other = (char)0xff;

    if (leat_key_encode(v, bytes, err) == LEAT_OK)
        return LEAT_OK;
    if (err->status != LEAT_E_DATA)
        return err->status;
    bytes->len = 0;
    leat_bytes_put(bytes, &other, 1);
    leat_value_encode(v, bytes);
    return bytes->failed ? leat_arena_failed(bytes->arena, err) : LEAT_OK;
}

static enum leat_status set_add(const struct leat_agg_call *c, struct leat_work *w, void *piece,
                                const struct leat_value *args, const struct leat_order *order,
                                struct leat_error *err)
{
    struct leat_bytes bytes = {.arena = w->scratch};

    (void)c, (void)order;
    if (key_bytes(args[0], &bytes, err) != LEAT_OK)
        return err->status;
    return add_times(piece, leat_bytes_slice(&bytes), 1, w, err);
}

static enum leat_status set_merge(const struct leat_agg_call *c, struct leat_work *w, void *into,
                                  const void *from, struct leat_error *err)
{
    const struct leat_table *t = from;

    (void)c;
    for (struct leat_entry *e = t->first; e; e = e->next)
        if (add_times(into, e->key, *times_of(e), w, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static void set_inverse(const struct leat_agg_call *c, void *into, const void *from)
{
    const struct leat_table *gone = from;
    struct leat_table *t = into;

    (void)c;
    for (const struct leat_entry *e = gone->first; e; e = e->next) {
        struct leat_entry *mine = leat_table_find(t, e->hash, 0, e->key);
        if (mine && (*times_of(mine) -= e->memory[0]) == 0)
            leat_table_remove(t, mine);
    }
}

static void set_release(const struct leat_agg_call *c, struct leat_work *w, void *piece)
{
    struct leat_table *t = piece;

    (void)c;
    leat_table_clear(t);
    if (t->slots)
        leat_pool_free(w->pool, t->slots, sizeof *t->slots << t->bits);
    *t = (struct leat_table){0};
}

static void set_encode(const struct leat_agg_call *c, const void *piece, struct leat_bytes *into)
{
    const struct leat_table *t = piece;

    (void)c;
    leat_bytes_put_u64(into, t->count);
    for (const struct leat_entry *e = t->first; e; e = e->next) {
        leat_bytes_put_slice(into, e->key);
        leat_bytes_put_u64(into, e->memory[0]);
    }
}

static enum leat_status set_decode(const struct leat_agg_call *c, struct leat_work *w,
                                   struct leat_slice *from, void *piece, struct leat_error *err)
{
    struct leat_slice key;
    uint64_t count, times;

    if (!leat_take_u64(from, &count))
        return leat_fail(err, LEAT_E_CORRUPT, "damaged partial result of %.*s",
                         LEAT_FMT(c->source));
    for (; count > 0; count--) {
        if (!leat_take_slice(from, &key) || !leat_take_u64(from, &times))
            return leat_fail(err, LEAT_E_CORRUPT, "damaged partial result of %.*s",
                             LEAT_FMT(c->source));
        if (add_times(piece, key, times, w, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static struct leat_value set_result(const struct leat_agg_call *c, const void *piece,
                                    struct leat_arena *arena)
{
    (void)c, (void)arena;
    return leat_int((int64_t)((const struct leat_table *)piece)->count);
}

/* With "approx" it is another function. */
static bool plan_distinct(struct leat_agg_call *c, const struct leat_value *constants,
                          uint32_t count, const char **why)
{
    *why = "the second argument of count_distinct() can only be \"approx\"";
    if (count == 0)
        return true;
    if (constants[0].tag != LEAT_STRING ||
        !leat_slice_eq(leat_value_text(constants[0]), LEAT_LIT("approx")))
        return false;
    c->fn = &leat_agg_sketch[0];
    return true;
}

/* clang-format off */
#define LIST .evaluated = 1, .size = sizeof(struct leat_kept_list), .ordered = true, \
    .type = LEAT_T_LIST, .plan = plan_limit, .add = list_add, .merge = list_merge, \
    .release = list_release, .encode = list_encode, .decode = list_decode, .result = list_result

const struct leat_agg_fn leat_agg_lists[] = {
    {.name = "collect", .args_min = 1, .args_max = 2, LIST, .keep = LEAT_KEEP_PANES,
     .signature = "collect(x), collect(x, n) -> list", .help = "All values, or the first n."},
    {.name = "top", .args_min = 2, .args_max = 2, LIST,
     .signature = "top(x, n) -> list", .help = "The n greatest, descending."},
    {.name = "count_distinct", .args_min = 1, .args_max = 2, .evaluated = 1,
     .keep = LEAT_KEEP_RUNNING, .size = sizeof(struct leat_table), .type = LEAT_T_INT,
     .plan = plan_distinct, .add = set_add, .merge = set_merge, .inverse = set_inverse,
     .release = set_release, .encode = set_encode, .decode = set_decode, .result = set_result,
     .signature = "count_distinct(x), count_distinct(x, \"approx\") -> int",
     .help = "How many different values; \"approx\": within 2 %, in bounded memory."},
    {0},
};
/* clang-format on */
