/*
 * streaming_progress.c - what leat_add_progress() counts and keeps, as a listener finds it that
 * asks when it is told of a batch.
 */
#include "streaming.h"

#include <stdio.h>

static const char *const names[] = {"submitted", "started", "completed"};

struct asked {
    struct leat_progress *progress;
    int64_t batch_ms; /* this one is looked at */
    struct leat_progress_counts counts[3];
    bool told[3];
};

static void ask(struct asked *a, int what, const struct leat_batch_info *b)
{
    if (b->batch_ms != a->batch_ms)
        return;
    leat_progress_count(a->progress, &a->counts[what]);
    a->told[what] = true;
}

static void submitted(const struct leat_batch_info *b, void *arg)
{
    ask(arg, 0, b);
}

static void started(const struct leat_batch_info *b, void *arg)
{
    ask(arg, 1, b);
}

static void completed(const struct leat_batch_info *b, void *arg)
{
    ask(arg, 2, b);
}

static json_t *json_of_counts(const struct leat_progress_counts *c)
{
    return json_pack("{s: I, s: I, s: I, s: I, s: I, s: I, s: I}", "waiting",
                     (json_int_t)c->waiting, "running", (json_int_t)c->running, "retainedCompleted",
                     (json_int_t)c->retained, "unprocessed", (json_int_t)c->unprocessed,
                     "totalCompleted", (json_int_t)c->completed, "totalReceived",
                     (json_int_t)c->received, "totalProcessed", (json_int_t)c->processed);
}

static bool check_step(const struct asked *a, json_t *step, struct failure *why)
{
    const char *event = text_at(step, "event"), *key;
    json_t *want, *counts = NULL;
    bool good = true;

    for (int i = 0; i < 3; i++)
        if (event && strcmp(event, names[i]) == 0 && a->told[i])
            counts = json_of_counts(&a->counts[i]);
    if (!counts)
        return differs(why, "nobody was told that a batch was %s", event ? event : "?");
    json_object_foreach(json_object_get(step, "expect"), key, want)
    {
        json_t *is = json_object_get(counts, key);
        if (good && !(is && json_equal(is, want)))
            good = differs(why, "when %s, %s is %lld, expected %lld", event, key,
                           (long long)json_integer_value(is), (long long)json_integer_value(want));
    }
    json_decref(counts);
    return good;
}

/* "stream 0 = 300 records": of what stands there, a queue each. */
static struct leat_stream *fill_queues(struct leat_context *ctx, const char *operation,
                                       struct failure *why)
{
    struct leat_stream *all = NULL;
    int number, records, read;

    for (const char *at = operation; at && (at = strstr(at, "stream ")); at += strlen("stream ")) {
        struct leat_stream *queue;
        json_t *rows;
        if (sscanf(at, "stream %d = %d records%n", &number, &records, &read) != 2)
            continue;
        queue = leat_queue_stream(ctx, true);
        rows = json_array();
        for (int i = 0; i < records; i++)
            json_array_append_new(rows, json_integer(i));
        bool good = push_batch(queue, false, rows, why);
        json_decref(rows);
        if (!good)
            return NULL;
        all = all ? leat_union(all, queue) : queue;
    }
    return all ? all : leat_queue_stream(ctx, true);
}

bool run_progress(json_t *c, int partitions, struct failure *why)
{
    const struct leat_listener listener = {
        .batch_submitted = submitted, .batch_started = started, .batch_completed = completed};
    struct asked a = {.batch_ms = 1000};
    json_t *step;
    struct run r;
    size_t i;

    bool good = run_init(&r, 1000, 0, partitions, why);
    struct leat_stream *all = good ? fill_queues(r.ctx, text_at(c, "operation"), why) : NULL;
    if (all) {
        a.progress = leat_add_progress(r.ctx, 1000);
        leat_add_listener(r.ctx, &listener, &a);
        run_collect(&r, all, false);
        good = run_batches(&r, 1, why);
        if (good && r.ended.status != LEAT_OK)
            good = differs(why, "%s", r.ended.text);
    }
    run_free(&r);
    json_array_foreach(json_object_get(c, "steps"), i, step) good =
        good && all && check_step(&a, step, why);
    return good && all;
}

json_t *retained_batches(json_t *c, json_t *in, int partitions, struct failure *why)
{
    int64_t limit = number_at(in, "limit", 1), batches = number_at(in, "completed", 1);
    struct leat_progress_counts counts = {0};
    struct run r;

    (void)c;
    if (run_init(&r, 1000, 0, partitions, why)) {
        struct leat_progress *progress = leat_add_progress(r.ctx, (size_t)limit);
        run_collect(&r, leat_queue_stream(r.ctx, true), false);
        if (run_batches(&r, (size_t)batches, why) && r.ended.status != LEAT_OK)
            differs(why, "%s", r.ended.text);
        leat_progress_count(progress, &counts);
    }
    run_free(&r);
    return json_pack("{s: I, s: I}", "retained", (json_int_t)counts.retained, "totalCompleted",
                     (json_int_t)counts.completed);
}
