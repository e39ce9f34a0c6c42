/*
 * streaming_rate.c - what leat estimates of the rate at which it works records off, and what bounds
 * that (run/rate.h).
 */
#include "streaming.h"

#include "run/rate.h"

#include <math.h>

static double real_at(json_t *object, const char *key, double none)
{
    json_t *j = json_object_get(object, key);

    return json_is_number(j) ? json_number_value(j) : none;
}

/* As a number of the kind that is expected; within 1e-9 of it, that one. */
static json_t *as_expected(double n, json_t *want)
{
    if (json_is_number(want) &&
        fabs(n - json_number_value(want)) <= 1e-9 * fabs(json_number_value(want)))
        return json_incref(want);
    return json_real(n);
}

static int64_t ms_at(json_t *list, size_t i)
{
    return (int64_t)json_number_value(json_array_get(list, i));
}

/* An estimator sees the batches of all vectors up to this one. */
json_t *pid_estimate(json_t *c, json_t *in, int partitions, struct failure *why)
{
    json_t *params = json_object_get(c, "params"), *v, *out = NULL;
    struct leat_rate_estimator e = {.proportional = real_at(params, "P", 1),
                                    .integral = real_at(params, "I", 0.2),
                                    .derived = real_at(params, "D", 0),
                                    .min_rate = real_at(params, "minRate", 100),
                                    .every_ms = number_at(params, "batch_ms", 1000)};
    size_t i;

    (void)partitions;
    json_array_foreach(json_object_get(c, "vectors"), i, v)
    {
        json_t *batch = json_object_get(v, "in");
        struct leat_rate_batch b = {ms_at(batch, 0), ms_at(batch, 1), ms_at(batch, 2),
                                    ms_at(batch, 3)};
        double rate;
        bool told = leat_rate_estimate(&e, &b, &rate);
        if (batch != in)
            continue;
        out = told ? as_expected(rate, json_object_get(v, "out")) : json_null();
        break;
    }
    if (!out)
        differs(why, "there is no such batch");
    return out;
}

/* Of the vector whose `in` it is. */
static json_t *expected_of(json_t *c, json_t *in)
{
    json_t *v;
    size_t i;

    json_array_foreach(json_object_get(c, "vectors"), i,
                       v) if (json_object_get(v, "in") == in) return json_object_get(v, "out");
    return NULL;
}

json_t *rate_limit(json_t *c, json_t *in, int partitions, struct failure *why)
{
    double limit = leat_rate_limit(real_at(in, "update", 0), real_at(in, "maxRate", 0));

    (void)partitions, (void)why;
    return limit > 0 ? as_expected(limit, expected_of(c, in)) : json_null();
}
