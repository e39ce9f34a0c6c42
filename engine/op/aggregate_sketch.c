/*
 * aggregate_sketch.c - aggregates in bounded memory: count_distinct(x, "approx"), quantile(x, q).
 *
 * Different values: HyperLogLog (Flajolet, Fusy, Gandouet, Meunier: "HyperLogLog", 2007) with 2^14
 * registers, a standard error of 0.8 %, and the hashes themselves while there are few. Quantiles:
 * DDSketch (Masson, Rim, Lee: "DDSketch", VLDB 2019): counts of values by the logarithm of their
 * size, so every quantile is within 1 % of a true one, and panes can leave again.
 */
#include "data/key.h"
#include "op/aggregate.h"

#include <math.h>

static enum leat_status failed(const struct leat_work *w, struct leat_error *err)
{
    return leat_arena_failed(w->pool->arena, err);
}

static enum leat_status damaged(const struct leat_agg_call *c, struct leat_error *err)
{
    return leat_fail(err, LEAT_E_CORRUPT, "damaged partial result of %.*s", LEAT_FMT(c->source));
}

/* ---- count_distinct(x, "approx") */

#define LOG_REGISTERS 14
#define REGISTERS     ((uint32_t)1 << LOG_REGISTERS)
#define FEW_MAX       512

struct distinct {
    uint64_t *few; /* different hashes; room for few_room */
    uint32_t count, room;
    uint8_t *registers; /* instead, when there are many */
};

static void put_register(struct distinct *d, uint64_t hash)
{
    uint64_t rest = hash << LOG_REGISTERS | (uint64_t)1 << (LOG_REGISTERS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    uint8_t *at = &d->registers[hash >> (64 - LOG_REGISTERS)];

    *at = rank > *at ? rank : *at;
}

static bool to_registers(struct distinct *d, struct leat_pool *pool)
{
    if (d->registers)
        return true;
    d->registers = leat_pool_alloc(pool, REGISTERS);
    if (!d->registers)
        return false;
    for (uint32_t i = 0; i < d->count; i++)
        put_register(d, d->few[i]);
    leat_pool_free(pool, d->few, d->room * sizeof *d->few);
    d->few = NULL;
    d->count = d->room = 0;
    return true;
}

static bool grow_few(struct distinct *d, struct leat_pool *pool)
{
    uint32_t room = d->room ? d->room * 2 : 8;
    uint64_t *few = leat_pool_alloc(pool, room * sizeof *few);

    if (!few)
        return false;
    if (d->count)
        memcpy(few, d->few, d->count * sizeof *few);
    leat_pool_free(pool, d->few, d->room * sizeof *few);
    d->few = few;
    d->room = room;
    return true;
}

static bool add_hash(struct distinct *d, struct leat_pool *pool, uint64_t hash)
{
    if (d->registers) {
        put_register(d, hash);
        return true;
    }
    /* Sorted, so that the same values give the same bytes in any order. */
    uint32_t low = 0, high = d->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (d->few[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < d->count && d->few[low] == hash)
        return true;
    if (d->count == FEW_MAX) {
        if (!to_registers(d, pool))
            return false;
        put_register(d, hash);
        return true;
    }
    if (d->count == d->room && !grow_few(d, pool))
        return false;
    memmove(d->few + low + 1, d->few + low, (d->count - low) * sizeof *d->few);
    d->few[low] = hash;
    d->count++;
    return true;
}

static enum leat_status distinct_add(const struct leat_agg_call *c, struct leat_work *w,
                                     void *piece, const struct leat_value *args,
                                     const struct leat_order *order, struct leat_error *err)
{
    struct leat_bytes bytes = {.arena = w->scratch};

    (void)c, (void)order;
    if (leat_key_encode(args[0], &bytes, err) != LEAT_OK) {
        if (err->status != LEAT_E_DATA)
            return err->status;
        bytes.len = 0;
        leat_value_encode(args[0], &bytes);
    }
    if (bytes.failed)
        return leat_arena_failed(w->scratch, err);
    uint64_t hash = leat_key_hash(leat_bytes_slice(&bytes));
    return add_hash(piece, w->pool, hash) ? LEAT_OK : failed(w, err);
}

static enum leat_status distinct_merge(const struct leat_agg_call *c, struct leat_work *w,
                                       void *into, const void *from, struct leat_error *err)
{
    const struct distinct *b = from;
    struct distinct *a = into;

    (void)c;
    for (uint32_t i = 0; i < b->count; i++)
        if (!add_hash(a, w->pool, b->few[i]))
            return failed(w, err);
    if (!b->registers)
        return LEAT_OK;
    if (!to_registers(a, w->pool))
        return failed(w, err);
    for (uint32_t i = 0; i < REGISTERS; i++)
        if (b->registers[i] > a->registers[i])
            a->registers[i] = b->registers[i];
    return LEAT_OK;
}

static void distinct_release(const struct leat_agg_call *c, struct leat_work *w, void *piece)
{
    struct distinct *d = piece;

    (void)c;
    leat_pool_free(w->pool, d->few, d->room * sizeof *d->few);
    leat_pool_free(w->pool, d->registers, REGISTERS);
    *d = (struct distinct){0};
}

static void distinct_encode(const struct leat_agg_call *c, const void *piece,
                            struct leat_bytes *into)
{
    const struct distinct *d = piece;

    (void)c;
    leat_bytes_put_u32(into, d->registers ? UINT32_MAX : d->count);
    if (d->registers)
        leat_bytes_put(into, d->registers, REGISTERS);
    for (uint32_t i = 0; i < d->count; i++)
        leat_bytes_put_u64(into, d->few[i]);
}

static enum leat_status distinct_decode(const struct leat_agg_call *c, struct leat_work *w,
                                        struct leat_slice *from, void *piece,
                                        struct leat_error *err)
{
    struct distinct *d = piece;
    uint64_t hash;
    uint32_t count;

    if (!leat_take_u32(from, &count) || (count != UINT32_MAX && count > FEW_MAX))
        return damaged(c, err);
    if (count == UINT32_MAX) {
        if (!to_registers(d, w->pool))
            return failed(w, err);
        return leat_take(from, d->registers, REGISTERS) ? LEAT_OK : damaged(c, err);
    }
    for (; count > 0; count--) {
        if (!leat_take_u64(from, &hash))
            return damaged(c, err);
        if (!add_hash(d, w->pool, hash))
            return failed(w, err);
    }
    return LEAT_OK;
}

static struct leat_value distinct_result(const struct leat_agg_call *c, const void *piece,
                                         struct leat_arena *arena)
{
    const struct distinct *d = piece;
    const double m = REGISTERS;
    double sum = 0;
    uint32_t empty = 0;

    (void)c, (void)arena;
    if (!d->registers)
        return leat_int(d->count);
    for (uint32_t i = 0; i < REGISTERS; i++) {
        sum += ldexp(1, -(int)d->registers[i]);
        empty += d->registers[i] == 0;
    }
    double guess = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    if (guess < 2.5 * m && empty)
        guess = m * log(m / empty); /* linear counting */
    return leat_int(llround(guess));
}

/* ---- quantile */

#define ACCURACY 0.01
#define BINS_MAX 4096 /* per sign; beyond, the smallest sizes share a bin */

struct bin {
    int64_t index; /* values of size (g^(index-1), g^index] */
    int64_t count;
};

struct bins {
    struct bin *list; /* by index */
    uint32_t count, room;
};

struct quantile {
    struct bins above, below; /* 0 */
    int64_t zeros;
};

static double growth(void)
{
    return (1 + ACCURACY) / (1 - ACCURACY);
}

static bool add_bin(struct bins *b, struct leat_pool *pool, int64_t index, int64_t count)
{
    uint32_t low = 0, high = b->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (b->list[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 && b->count == BINS_MAX)
        index = b->list[0].index;
    if (low < b->count && b->list[low].index == index) {
        b->list[low].count += count;
        return true;
    }
    if (b->count == BINS_MAX) {
        b->list[1].count += b->list[0].count;
        memmove(b->list, b->list + 1, (b->count - 1) * sizeof *b->list);
        b->count--;
        low--;
    }
    if (b->count == b->room) {
        uint32_t room = b->room ? b->room * 2 : 8;
        struct bin *list = leat_pool_alloc(pool, room * sizeof *list);
        if (!list)
            return false;
        if (b->count)
            memcpy(list, b->list, b->count * sizeof *list);
        leat_pool_free(pool, b->list, b->room * sizeof *list);
        b->list = list;
        b->room = room;
    }
    memmove(b->list + low + 1, b->list + low, (b->count - low) * sizeof *b->list);
    b->list[low] = (struct bin){index, count};
    b->count++;
    return true;
}

static enum leat_status quantile_add(const struct leat_agg_call *c, struct leat_work *w,
                                     void *piece, const struct leat_value *args,
                                     const struct leat_order *order, struct leat_error *err)
{
    struct quantile *p = piece;
    double x = args[0].tag == LEAT_DOUBLE ? args[0].as.d
               : args[0].tag == LEAT_UINT ? (double)args[0].as.u
                                          : (double)args[0].as.i;

    (void)c, (void)order;
    if (isnan(x))
        return LEAT_OK;
    if (x == 0 || fabs(x) < 1e-300) {
        p->zeros++;
        return LEAT_OK;
    }
    double size = fmin(fabs(x), 1e300);
    int64_t index = (int64_t)ceil(log(size) / log(growth()));
    return add_bin(x > 0 ? &p->above : &p->below, w->pool, index, 1) ? LEAT_OK : failed(w, err);
}

static bool merge_bins(struct bins *into, const struct bins *from, struct leat_pool *pool)
{
    for (uint32_t i = 0; i < from->count; i++)
        if (!add_bin(into, pool, from->list[i].index, from->list[i].count))
            return false;
    return true;
}

static enum leat_status quantile_merge(const struct leat_agg_call *c, struct leat_work *w,
                                       void *into, const void *from, struct leat_error *err)
{
    const struct quantile *b = from;
    struct quantile *a = into;

    (void)c;
    a->zeros += b->zeros;
    return merge_bins(&a->above, &b->above, w->pool) && merge_bins(&a->below, &b->below, w->pool)
               ? LEAT_OK
               : failed(w, err);
}

static void quantile_release(const struct leat_agg_call *c, struct leat_work *w, void *piece)
{
    struct quantile *p = piece;

    (void)c;
    leat_pool_free(w->pool, p->above.list, p->above.room * sizeof(struct bin));
    leat_pool_free(w->pool, p->below.list, p->below.room * sizeof(struct bin));
    *p = (struct quantile){0};
}

static void encode_bins(const struct bins *b, struct leat_bytes *into)
{
    leat_bytes_put_u32(into, b->count);
    for (uint32_t i = 0; i < b->count; i++) {
        leat_bytes_put_u64(into, (uint64_t)b->list[i].index);
        leat_bytes_put_u64(into, (uint64_t)b->list[i].count);
    }
}

static void quantile_encode(const struct leat_agg_call *c, const void *piece,
                            struct leat_bytes *into)
{
    const struct quantile *p = piece;

    (void)c;
    leat_bytes_put_u64(into, (uint64_t)p->zeros);
    encode_bins(&p->above, into);
    encode_bins(&p->below, into);
}

static bool decode_bins(struct bins *b, struct leat_pool *pool, struct leat_slice *from, bool *full)
{
    uint64_t index, count;
    uint32_t bins;

    if (!leat_take_u32(from, &bins) || bins > BINS_MAX)
        return false;
    for (; bins > 0; bins--) {
        if (!leat_take_u64(from, &index) || !leat_take_u64(from, &count))
            return false;
        if (!add_bin(b, pool, (int64_t)index, (int64_t)count)) {
            *full = true;
            return false;
        }
    }
    return true;
}

static enum leat_status quantile_decode(const struct leat_agg_call *c, struct leat_work *w,
                                        struct leat_slice *from, void *piece,
                                        struct leat_error *err)
{
    struct quantile *p = piece;
    uint64_t zeros;
    bool full = false;

    if (!leat_take_u64(from, &zeros))
        return damaged(c, err);
    p->zeros = (int64_t)zeros;
    if (decode_bins(&p->above, w->pool, from, &full) &&
        decode_bins(&p->below, w->pool, from, &full))
        return LEAT_OK;
    return full ? failed(w, err) : damaged(c, err);
}

static int64_t total(const struct bins *b)
{
    int64_t n = 0;

    for (uint32_t i = 0; i < b->count; i++)
        n += b->list[i].count;
    return n;
}

/* The middle of a bin: at most ACCURACY away from all in it. */
static double middle_of(int64_t index)
{
    return 2 * pow(growth(), (double)index) / (growth() + 1);
}

static struct leat_value quantile_result(const struct leat_agg_call *c, const void *piece,
                                         struct leat_arena *arena)
{
    const struct quantile *p = piece;
    int64_t below = total(&p->below), n = below + p->zeros + total(&p->above);

    (void)arena;
    if (n == 0)
        return (struct leat_value){0};
    int64_t rank = (int64_t)floor(c->q * (double)(n - 1));
    for (uint32_t i = p->below.count; i-- > 0;)
        if ((rank -= p->below.list[i].count) < 0)
            return leat_double(-middle_of(p->below.list[i].index));
    if ((rank -= p->zeros) < 0)
        return leat_double(0);
    for (uint32_t i = 0; i < p->above.count; i++)
        if ((rank -= p->above.list[i].count) < 0)
            return leat_double(middle_of(p->above.list[i].index));
    return (struct leat_value){0};
}

static bool plan_quantile(struct leat_agg_call *c, const struct leat_value *constants,
                          uint32_t count, const char **why)
{
    *why = "the second argument of quantile() must be a number from 0 to 1";
    if (count != 1)
        return false;
    c->q = constants[0].tag == LEAT_DOUBLE ? constants[0].as.d
           : constants[0].tag == LEAT_INT  ? (double)constants[0].as.i
                                           : -1;
    return c->q >= 0 && c->q <= 1;
}

/* clang-format off */
const struct leat_agg_fn leat_agg_sketch[] = {
    /* Found by count_distinct(x, "approx") alone: the name in front is met first. */
    {.name = "count_distinct", .args_min = 2, .args_max = 2, .evaluated = 1,
     .size = sizeof(struct distinct), .type = LEAT_T_INT, .add = distinct_add,
     .merge = distinct_merge, .release = distinct_release, .encode = distinct_encode,
     .decode = distinct_decode, .result = distinct_result,
     .signature = "count_distinct(x, \"approx\") -> int"},
    {.name = "quantile", .args_min = 2, .args_max = 2, .evaluated = 1,
     .wants = LEAT_WANTS_NUMBER, .size = sizeof(struct quantile), .type = LEAT_T_DOUBLE,
     .plan = plan_quantile, .add = quantile_add, .merge = quantile_merge,
     .release = quantile_release, .encode = quantile_encode, .decode = quantile_decode,
     .result = quantile_result,
     .signature = "quantile(number, q) -> double",
     .help = "The value below which the share q lies, within 1 %."},
    {0},
};
/* clang-format on */
