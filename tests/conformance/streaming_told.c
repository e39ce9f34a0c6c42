/*
 * streaming_told.c - vectors of what a listener is told.
 */
#include "streaming.h"

#include <stdio.h>

/* ---- which delays are known when */

struct phases {
    struct leat_batch_info submitted, started, completed; /* of the first batch */
};

static void keep(struct leat_batch_info *of, const struct leat_batch_info *b)
{
    if (!of->batch_ms)
        *of = *b;
}

static void submitted(const struct leat_batch_info *b, void *arg)
{
    keep(&((struct phases *)arg)->submitted, b);
}

static void started(const struct leat_batch_info *b, void *arg)
{
    keep(&((struct phases *)arg)->started, b);
}

static void completed(const struct leat_batch_info *b, void *arg)
{
    keep(&((struct phases *)arg)->completed, b);
}

static json_t *delay(int64_t ms)
{
    return ms < 0 ? json_integer(ms) : json_string(">=0");
}

json_t *batch_info_phases(json_t *c, json_t *in, int partitions, struct failure *why)
{
    const struct leat_listener listener = {
        .batch_submitted = submitted, .batch_started = started, .batch_completed = completed};
    const char *phase = json_string_value(in);
    struct phases p = {0};
    struct run r;

    (void)c;
    if (run_init(&r, 1000, 0, partitions, why)) {
        leat_add_listener(r.ctx, &listener, &p);
        run_collect(&r, leat_queue_stream(r.ctx, true), false);
        if (run_batches(&r, 2, why) && r.ended.status != LEAT_OK)
            differs(why, "%s", r.ended.text);
    }
    run_free(&r);
    const struct leat_batch_info *b = !phase                            ? NULL
                                      : strcmp(phase, "submitted") == 0 ? &p.submitted
                                      : strcmp(phase, "started") == 0   ? &p.started
                                      : strcmp(phase, "completed") == 0 ? &p.completed
                                                                        : NULL;
    if (!b || b->batch_ms != 1000) {
        differs(why, "nothing was heard of that");
        return NULL;
    }
    return json_pack("{s: o, s: o, s: o}", "schedulingDelay", delay(b->scheduling_ms),
                     "processingDelay", delay(b->processing_ms), "totalDelay", delay(b->total_ms));
}

/* ---- outputs that fail, each with words of its own */

#define OUTPUTS_MAX 8

struct output {
    const char *words; /* "ok": it does not fail */
    char failure[500]; /* that was heard of it */
};

static enum leat_status fail_with(const struct leat_rdd *rdd, void *arg, struct leat_error *err)
{
    const struct output *o = arg;

    (void)rdd;
    if (strcmp(o->words, "ok") == 0)
        return LEAT_OK;
    return leat_fail(err, LEAT_E_DATA, "%s", o->words);
}

static void output_completed(const struct leat_output_info *info, void *arg)
{
    struct output *o = arg;

    if (info->failure && info->number < OUTPUTS_MAX)
        snprintf(o[info->number].failure, sizeof o->failure, "%s", info->failure);
}

static json_t *reasons(const struct output *outputs)
{
    json_t *all = json_object();
    char number[16], text[600];

    for (size_t i = 0; i < OUTPUTS_MAX; i++) {
        const struct output *o = &outputs[i];
        if (!o->failure[0])
            continue;
        snprintf(number, sizeof number, "%zu", i);
        bool has = o->words && strstr(o->failure, o->words);
        snprintf(text, sizeof text, has ? "contains '%s'" : "%s", has ? o->words : o->failure);
        json_object_set_new(all, number, json_string(text));
    }
    return all;
}

json_t *failure_reasons(json_t *c, json_t *in, int partitions, struct failure *why)
{
    const struct leat_listener listener = {.output_operation_completed = output_completed};
    struct output outputs[OUTPUTS_MAX] = {{0}};
    struct run r;
    json_t *words;
    size_t i;

    (void)c;
    if (run_init(&r, 1000, 0, partitions, why)) {
        struct leat_stream *queue = leat_queue_stream(r.ctx, true);
        leat_add_listener(r.ctx, &listener, outputs);
        json_array_foreach(in, i, words)
        {
            outputs[i % OUTPUTS_MAX].words = json_string_value(words);
            leat_foreach_rdd(queue, fail_with, &outputs[i % OUTPUTS_MAX]);
        }
        run_collect(&r, queue, false);
        (void)run_batches(&r, 1, why); /* it may fail */
    }
    run_free(&r);
    return reasons(outputs);
}
