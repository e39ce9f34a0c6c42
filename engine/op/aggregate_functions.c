/*
 * aggregate_functions.c - aggregates that are a few numbers: count, sum, avg, any, variance, ...
 *
 * Sums of whole numbers are kept in 128 bits, so the order in which they come does not matter and
 * only a result can overflow. Variances merge as Chan, Golub, LeVeque: "Updating formulae and a
 * pairwise algorithm for computing sample variances" (1979) say.
 */
#include "op/aggregate.h"

#include <math.h>

/* ---- count */

static void count_run(const struct leat_agg_call *c, const struct leat_value *values,
                      const uint16_t *rows, void *const *partials, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t *n = (int64_t *)(void *)((char *)partials[i] + c->offset);
        *n += !values || values[rows[i]].tag != LEAT_NULL;
    }
}

static void count_if_run(const struct leat_agg_call *c, const struct leat_value *values,
                         const uint16_t *rows, void *const *partials, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t *n = (int64_t *)(void *)((char *)partials[i] + c->offset);
        *n += values[rows[i]].tag == LEAT_BOOL && values[rows[i]].as.b;
    }
}

static enum leat_status count_merge(const struct leat_agg_call *c, struct leat_work *w, void *into,
                                    const void *from, struct leat_error *err)
{
    (void)c, (void)w, (void)err;
    *(int64_t *)into += *(const int64_t *)from;
    return LEAT_OK;
}

static void count_inverse(const struct leat_agg_call *c, void *into, const void *from)
{
    (void)c;
    *(int64_t *)into -= *(const int64_t *)from;
}

static struct leat_value count_result(const struct leat_agg_call *c, const void *piece,
                                      struct leat_arena *arena)
{
    (void)c, (void)arena;
    return leat_int(*(const int64_t *)piece);
}

/* ---- sum, avg */

struct sum {
    uint64_t low; /* 128 bits, two's complement */
    int64_t high;
    double d;
    int64_t ints, uints, doubles;
};

static inline void add_whole(struct sum *s, uint64_t low, int64_t high)
{
    s->high += high + __builtin_add_overflow(s->low, low, &s->low);
}

static inline void add_number(struct sum *s, const struct leat_value *v)
{
    if (v->tag == LEAT_INT) {
        add_whole(s, v->as.u, v->as.i < 0 ? -1 : 0);
        s->ints++;
    } else if (v->tag == LEAT_DOUBLE) {
        s->d += v->as.d;
        s->doubles++;
    } else if (v->tag == LEAT_UINT) {
        add_whole(s, v->as.u, 0);
        s->uints++;
    }
}

static void sum_run(const struct leat_agg_call *c, const struct leat_value *values,
                    const uint16_t *rows, void *const *partials, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        add_number((struct sum *)(void *)((char *)partials[i] + c->offset), &values[rows[i]]);
}

static enum leat_status sum_merge(const struct leat_agg_call *c, struct leat_work *w, void *into,
                                  const void *from, struct leat_error *err)
{
    struct sum *a = into;
    const struct sum *b = from;

    (void)c, (void)w, (void)err;
    add_whole(a, b->low, b->high);
    a->d += b->d;
    a->ints += b->ints;
    a->uints += b->uints;
    a->doubles += b->doubles;
    return LEAT_OK;
}

static double whole(const struct sum *s)
{
    return (double)s->high * 18446744073709551616.0 + (double)s->low;
}

static struct leat_value sum_result(const struct leat_agg_call *c, const void *piece,
                                    struct leat_arena *arena)
{
    const struct sum *s = piece;

    (void)c, (void)arena;
    if (s->doubles)
        return leat_double(s->d + whole(s));
    if (s->ints == 0 && s->uints == 0)
        return (struct leat_value){0};
    if (s->ints == 0 && s->high == 0)
        return (struct leat_value){.tag = LEAT_UINT, .as.u = s->low};
    if (s->high == ((int64_t)s->low < 0 ? -1 : 0))
        return leat_int((int64_t)s->low);
    return leat_value_fail(LEAT_V_OVERFLOW, "the sum is beyond 64 bits");
}

static struct leat_value avg_result(const struct leat_agg_call *c, const void *piece,
                                    struct leat_arena *arena)
{
    const struct sum *s = piece;
    int64_t n = s->ints + s->uints + s->doubles;

    (void)c, (void)arena;
    return n ? leat_double((s->d + whole(s)) / (double)n) : (struct leat_value){0};
}

/* ---- any, all */

struct truth {
    int64_t yes, no;
};

static void truth_run(const struct leat_agg_call *c, const struct leat_value *values,
                      const uint16_t *rows, void *const *partials, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct truth *t = (struct truth *)(void *)((char *)partials[i] + c->offset);
        const struct leat_value *v = &values[rows[i]];
        t->yes += v->tag == LEAT_BOOL && v->as.b;
        t->no += v->tag == LEAT_BOOL && !v->as.b;
    }
}

static enum leat_status truth_merge(const struct leat_agg_call *c, struct leat_work *w, void *into,
                                    const void *from, struct leat_error *err)
{
    struct truth *a = into;
    const struct truth *b = from;

    (void)c, (void)w, (void)err;
    a->yes += b->yes;
    a->no += b->no;
    return LEAT_OK;
}

static void truth_inverse(const struct leat_agg_call *c, void *into, const void *from)
{
    struct truth *a = into;
    const struct truth *b = from;

    (void)c;
    a->yes -= b->yes;
    a->no -= b->no;
}

static struct leat_value any_result(const struct leat_agg_call *c, const void *piece,
                                    struct leat_arena *arena)
{
    const struct truth *t = piece;

    (void)c, (void)arena;
    return t->yes || t->no ? leat_bool(t->yes > 0) : (struct leat_value){0};
}

static struct leat_value all_result(const struct leat_agg_call *c, const void *piece,
                                    struct leat_arena *arena)
{
    const struct truth *t = piece;

    (void)c, (void)arena;
    return t->yes || t->no ? leat_bool(t->no == 0) : (struct leat_value){0};
}

/* ---- variance, stddev */

struct spread {
    double n, mean, squares; /* sum of squared distances from the mean */
};

static double number(const struct leat_value *v)
{
    return v->tag == LEAT_DOUBLE ? v->as.d
           : v->tag == LEAT_UINT ? (double)v->as.u
                                 : (double)v->as.i;
}

static void spread_run(const struct leat_agg_call *c, const struct leat_value *values,
                       const uint16_t *rows, void *const *partials, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct spread *s = (struct spread *)(void *)((char *)partials[i] + c->offset);
        if (values[rows[i]].tag == LEAT_NULL)
            continue;
        double x = number(&values[rows[i]]), from = x - s->mean;
        s->n += 1;
        s->mean += from / s->n;
        s->squares += from * (x - s->mean);
    }
}

static enum leat_status spread_merge(const struct leat_agg_call *c, struct leat_work *w, void *into,
                                     const void *from, struct leat_error *err)
{
    struct spread *a = into;
    const struct spread *b = from;
    double n = a->n + b->n, apart = b->mean - a->mean;

    (void)c, (void)w, (void)err;
    if (b->n == 0)
        return LEAT_OK;
    a->squares += b->squares + apart * apart * a->n * b->n / n;
    a->mean += apart * b->n / n;
    a->n = n;
    return LEAT_OK;
}

static struct leat_value variance_result(const struct leat_agg_call *c, const void *piece,
                                         struct leat_arena *arena)
{
    const struct spread *s = piece;

    (void)c, (void)arena;
    return s->n >= 2 ? leat_double(s->squares / (s->n - 1)) : (struct leat_value){0};
}

static struct leat_value stddev_result(const struct leat_agg_call *c, const void *piece,
                                       struct leat_arena *arena)
{
    struct leat_value v = variance_result(c, piece, arena);

    return v.tag == LEAT_DOUBLE ? leat_double(sqrt(v.as.d)) : v;
}

/* ---- the table */

void leat_agg_encode_plain(const struct leat_agg_call *c, const void *piece,
                           struct leat_bytes *into)
{
    const char *at = piece;

    for (size_t i = 0; i < c->fn->size; i += 8) {
        uint64_t word;
        memcpy(&word, at + i, 8);
        leat_bytes_put_u64(into, word);
    }
}

enum leat_status leat_agg_decode_plain(const struct leat_agg_call *c, struct leat_work *w,
                                       struct leat_slice *from, void *piece, struct leat_error *err)
{
    char *at = piece;

    (void)w;
    for (size_t i = 0; i < c->fn->size; i += 8) {
        uint64_t word;
        if (!leat_take_u64(from, &word))
            return leat_fail(err, LEAT_E_CORRUPT, "damaged partial result of %.*s",
                             LEAT_FMT(c->source));
        memcpy(at + i, &word, 8);
    }
    return LEAT_OK;
}

/* clang-format off */
#define PLAIN .encode = leat_agg_encode_plain, .decode = leat_agg_decode_plain
#define COUNT .keep = LEAT_KEEP_RUNNING, .size = sizeof(int64_t), .type = LEAT_T_INT, \
    .merge = count_merge, .inverse = count_inverse, .result = count_result, PLAIN
#define SUM .args_min = 1, .args_max = 1, .evaluated = 1, .wants = LEAT_WANTS_NUMBER, \
    .size = sizeof(struct sum), .add_run = sum_run, .merge = sum_merge, PLAIN
#define TRUTH .args_min = 1, .args_max = 1, .evaluated = 1, .wants = LEAT_WANTS_BOOL, \
    .keep = LEAT_KEEP_RUNNING, .size = sizeof(struct truth), .type = LEAT_T_BOOL, \
    .add_run = truth_run, .merge = truth_merge, .inverse = truth_inverse, PLAIN
#define SPREAD .args_min = 1, .args_max = 1, .evaluated = 1, .wants = LEAT_WANTS_NUMBER, \
    .size = sizeof(struct spread), .type = LEAT_T_DOUBLE, .add_run = spread_run, \
    .merge = spread_merge, PLAIN

const struct leat_agg_fn leat_agg_plain[] = {
    {.name = "count", .args_max = 1, .evaluated = 1, .add_run = count_run, COUNT,
     .signature = "count() -> int", .help = "How many records; count(x): those whose x is not null."},
    {.name = "count_if", .args_min = 1, .args_max = 1, .evaluated = 1, .wants = LEAT_WANTS_BOOL,
     .add_run = count_if_run, COUNT,
     .signature = "count_if(bool) -> int", .help = "How many records for which it is true."},
    {.name = "sum", SUM, .type = LEAT_T_ANY, .result = sum_result,
     .signature = "sum(number) -> number", .help = "Their sum; of ints an int."},
    {.name = "avg", SUM, .type = LEAT_T_DOUBLE, .result = avg_result,
     .signature = "avg(number) -> double", .help = "Their mean."},
    {.name = "any", TRUTH, .result = any_result,
     .signature = "any(bool) -> bool", .help = "Is it true for one of them?"},
    {.name = "all", TRUTH, .result = all_result,
     .signature = "all(bool) -> bool", .help = "Is it true for all of them?"},
    {.name = "variance", SPREAD, .result = variance_result,
     .signature = "variance(number) -> double", .help = "Variance of the sample (n - 1)."},
    {.name = "stddev", SPREAD, .result = stddev_result,
     .signature = "stddev(number) -> double", .help = "Standard deviation of the sample (n - 1)."},
    {0},
};
/* clang-format on */
