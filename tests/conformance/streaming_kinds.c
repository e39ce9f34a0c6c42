/*
 * streaming_kinds.c - the kinds of cases that are a pipeline over batches of input: what comes out
 * at which time, where it fails, queues.
 */
#include "streaming.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *kind_of(json_t *c)
{
    const char *kind = text_at(c, "kind");

    return kind ? kind : "";
}

static json_t *expected_of(json_t *c)
{
    return json_object_get(c, strcmp(kind_of(c), "hazard") == 0 ? "windowTruth" : "expected");
}

static int64_t batch_ms_of(json_t *c)
{
    int64_t batch_ms = number_at(json_object_get(c, "params"), "batch_ms", 1000);

    return batch_ms > 0 ? batch_ms : 1;
}

/* When row i of what is expected comes out. */
static int64_t output_time(json_t *c, size_t i)
{
    json_t *times = json_object_get(c, "outputTimes_ms"), *params = json_object_get(c, "params");
    int64_t slide_ms = number_at(params, "slide_ms", batch_ms_of(c));

    slide_ms = number_at(params, "outputSlide_ms", slide_ms);
    if (i < json_array_size(times))
        return json_integer_value(json_array_get(times, i));
    return (int64_t)(i + 1) * slide_ms;
}

static json_t *rows_at(const struct run *r, int64_t time_ms)
{
    json_t *batch;
    size_t i;

    json_array_foreach(r->batches, i, batch) if (number_at(batch, "time", 0) ==
                                                 time_ms) return json_object_get(batch, "rows");
    return NULL;
}

/* As the case wants it. The order of the values that an operator brings together for a key is not
 * promised. */
static bool is_as_wanted(json_t *c, json_t *is, json_t *want)
{
    json_t *stages = json_object_get(c, "pipeline");
    size_t n = json_array_size(stages);
    const char *op = text_at(json_array_get(stages, n ? n - 1 : 0), "op");
    bool sorted = json_is_true(json_object_get(c, "compareSorted")),
         cogroup = op && strcmp(op, "cogroup") == 0;

    if (sorted && (cogroup || (op && strncmp(op, "groupByKey", 10) == 0)))
        return same_groups(is, want, cogroup);
    return same_rows(is, want, sorted);
}

static bool rows_differ(int64_t time_ms, json_t *is, json_t *want, struct failure *why)
{
    char came[240], wanted[240];

    json_text(is, came, sizeof came);
    json_text(want, wanted, sizeof wanted);
    return differs(why, "at %" PRId64 " ms came %s, expected %s", time_ms, came, wanted);
}

/* Then what says nothing of a batch is as good as what has no element. */
static bool has_missing_batch(json_t *c)
{
    json_t *batch;
    size_t i;

    json_array_foreach(json_object_get(c, "input"), i, batch) if (json_is_null(batch)) return true;
    json_array_foreach(json_object_get(c, "input2"), i, batch) if (json_is_null(batch)) return true;
    return false;
}

/* What came before `end` is what is expected, and nothing at other times. */
static bool compare(json_t *c, const struct run *r, int64_t end_ms, struct failure *why)
{
    bool some = has_missing_batch(c);
    json_t *expected = expected_of(c), *want, *batch;
    size_t i, j, n = json_array_size(expected);

    if (!json_is_array(expected))
        return differs(why, "the case does not say what is expected");
    json_array_foreach(expected, i, want)
    {
        int64_t time_ms = output_time(c, i);
        json_t *is = rows_at(r, time_ms);
        if (some && !is && json_is_array(want) && !json_array_size(want))
            continue;
        if (time_ms < end_ms && !json_is_null(want) && !(is && is_as_wanted(c, is, want)))
            return rows_differ(time_ms, is, want, why);
    }
    json_array_foreach(r->batches, j, batch)
    {
        int64_t time_ms = number_at(batch, "time", 0);
        json_t *rows = json_object_get(batch, "rows");
        for (i = 0; i < n && output_time(c, i) != time_ms;)
            i++;
        if (i == n && json_array_size(rows))
            return rows_differ(time_ms, rows, NULL, why);
    }
    return true;
}

static size_t batches_of(json_t *c)
{
    size_t n = json_array_size(expected_of(c)), in = json_array_size(json_object_get(c, "input"));
    int64_t last_ms = n ? output_time(c, n - 1) : 0;

    n = (size_t)(last_ms / batch_ms_of(c));
    return strcmp(kind_of(c), "dstream-final") == 0 && n < in ? in : n;
}

/* Of batches what the last one gives; of elements, what all gave together. */
static bool compare_final(json_t *c, const struct run *r, struct failure *why)
{
    size_t n = json_array_size(r->batches), count = json_array_size(expected_of(c)), i;
    json_t *last = json_array_get(r->batches, n ? n - 1 : 0), *all = json_array(), *batch,
           *want = json_array_get(expected_of(c), count ? count - 1 : 0);
    bool good = true;

    if (json_is_array(want)) {
        json_array_extend(all, json_object_get(last, "rows"));
    } else {
        want = expected_of(c);
        json_array_foreach(r->batches, i, batch)
            json_array_extend(all, json_object_get(batch, "rows"));
    }
    if (!is_as_wanted(c, all, want))
        good = rows_differ(number_at(last, "time", 0), all, want, why);
    json_decref(all);
    return good;
}

/* How many partitions a batch has is seen in what is written of it. */
static bool compare_parts(json_t *c, const char *dir, struct failure *why)
{
    json_t *counts = json_object_get(c, "expectedPartitionCounts"), *want;
    char path[80];
    size_t i;

    json_array_foreach(counts, i, want)
    {
        snprintf(path, sizeof path, "%s/of-%" PRId64, dir, output_time(c, i));
        int is = count_parts(path);
        if (is != json_integer_value(want))
            return differs(why, "batch %zu has %d partitions, expected %d", i + 1, is,
                           (int)json_integer_value(want));
    }
    return true;
}

/* dir NULL: partitions do not matter. */
static bool build_and_run(json_t *c, struct run *r, size_t batches, const char *dir, bool states,
                          struct failure *why)
{
    struct sources sources = {.ctx = r->ctx, .inputs = json_object(), .states = states};
    struct flow f;
    bool good = build_case(c, &sources, &f, why);
    char prefix[48];

    if (good && dir) {
        snprintf(prefix, sizeof prefix, "%s/of", dir);
        leat_save_as_text_files(f.stream, prefix, NULL);
    }
    if (good) {
        run_collect(r, f.stream, f.pairs);
        good = run_batches(r, batches, why);
    }
    json_decref(sources.inputs);
    return good;
}

/* The same pipeline once more, for what mapWithState remembers behind each batch, or, where one
 * state of things is given, behind the last. */
static bool compare_states(json_t *c, int partitions, struct failure *why)
{
    json_t *expected = json_object_get(c, "expectedState"), *states = json_copy(c),
           *first = json_array_get(json_array_get(expected, 0), 0);
    bool final = strcmp(kind_of(c), "dstream-final") == 0;
    struct run r;
    bool good = run_init(&r, batch_ms_of(c), 0, partitions, why);

    json_object_set_new(states, "expected",
                        final && !json_is_array(first) ? json_pack("[O]", expected)
                                                       : json_incref(expected));
    json_object_set(states, "compareSorted", json_true());
    json_object_del(states, "pipeline");
    good = good && build_and_run(c, &r, batches_of(final ? c : states), NULL, true, why);
    if (good && r.ended.status != LEAT_OK)
        good = differs(why, "it failed: %s", r.ended.text);
    if (good)
        good = final ? compare_final(states, &r, why) : compare(states, &r, INT64_MAX, why);
    run_free(&r);
    json_decref(states);
    return good;
}

bool run_streams(json_t *c, int partitions, struct failure *why)
{
    bool counts = json_object_get(c, "expectedPartitionCounts");
    char dir[32] = "";
    struct run r;
    bool good = run_init(&r, batch_ms_of(c), 0, partitions, why) &&
                (!counts || make_dir(dir, why)) &&
                build_and_run(c, &r, batches_of(c), counts ? dir : NULL, false, why);

    if (good && r.ended.status != LEAT_OK)
        good = differs(why, "it failed: %s", r.ended.text);
    if (good && strcmp(kind_of(c), "dstream-final") == 0)
        good = compare_final(c, &r, why);
    else if (good)
        good = compare(c, &r, INT64_MAX, why);
    run_free(&r);
    good = good && compare_parts(c, dir, why);
    if (json_object_get(c, "expectedState"))
        good = good && compare_states(c, partitions, why);
    if (dir[0])
        remove_dir(dir);
    return good;
}

/* ---- several inputs, and one function of them all */

static bool build_multi(json_t *c, struct run *r, struct sources *sources, struct failure *why)
{
    struct flow flows[STREAMING_INPUTS_MAX], f;
    const char *name;
    json_t *batches;
    size_t count = 0;

    json_object_foreach(json_object_get(c, "inputs"), name, batches)
    {
        json_object_set(sources->inputs, name, batches);
        if (count == STREAMING_INPUTS_MAX ||
            !source_flow(sources, name, false, &flows[count++], why))
            return differs(why, "more than %d inputs", STREAMING_INPUTS_MAX);
    }
    if (count == 0)
        return differs(why, "the case has no inputs");
    if (!build_transform(text_at(c, "fn"), flows, count, &f, why))
        return false;
    run_collect(r, f.stream, f.pairs);
    return run_batches(r, batches_of(c), why);
}

bool run_multi(json_t *c, int partitions, struct failure *why)
{
    struct run r;
    bool good = run_init(&r, batch_ms_of(c), 0, partitions, why);
    struct sources sources = {
        .ctx = r.ctx, .inputs = json_object(), .partitions = input_partitions(c)};

    good = good && build_multi(c, &r, &sources, why);
    if (good && r.ended.status != LEAT_OK)
        good = differs(why, "it failed: %s", r.ended.text);
    good = good && compare(c, &r, INT64_MAX, why);
    run_free(&r);
    json_decref(sources.inputs);
    return good;
}

/* ---- errors */

bool run_error(json_t *c, int partitions, struct failure *why)
{
    int64_t batch_ms = batch_ms_of(c), at = number_at(c, "failsAtBatch", 0);
    const char *text = text_at(json_object_get(c, "expectedError"), "contains");
    struct run r;

    if (!json_object_get(c, "pipeline"))
        return run_refused(c, partitions, why);
    bool good = run_init(&r, batch_ms, 0, partitions, why) &&
                build_and_run(c, &r, (size_t)(at ? at : (int64_t)batches_of(c)), NULL, false, why);
    if (good && r.ended.status == LEAT_OK)
        good = differs(why, "batch %" PRId64 " did not fail", at);
    if (good && text && !strstr(r.ended.text, text))
        good = differs(why, "it failed with '%s', not '%s'", r.ended.text, text);
    if (good && rows_at(&r, at * batch_ms))
        good = differs(why, "batch %" PRId64 " failed and gave output", at);
    good = good && compare(c, &r, at * batch_ms, why);
    run_free(&r);
    return good;
}

/* ---- queues */

struct queue_case {
    json_t *items, *datasets;
    struct leat_stream *queue;
    bool pairs;
};

/* What is put into the queue before batch `number`. */
static bool enqueue(size_t number, void *arg, struct failure *why)
{
    const struct queue_case *q = arg;
    json_t *item, *list;
    bool good = true;
    size_t i;

    json_array_foreach(json_array_get(q->datasets, number - 1), i, item) good =
        good && push_batch(q->queue, q->pairs, item, why);
    json_array_foreach(json_array_get(q->items, number - 1), i, item)
    {
        list = json_pack("[O]", item);
        good = good && push_batch(q->queue, q->pairs, list, why);
        json_decref(list);
    }
    return good;
}

static bool enqueue_later(size_t number, void *arg, struct failure *why)
{
    return number == 1 || enqueue(number, arg, why); /* the first are there when it begins */
}

bool run_queue(json_t *c, int partitions, struct failure *why)
{
    bool one = !json_is_false(json_object_get(json_object_get(c, "params"), "oneAtATime"));
    struct queue_case q = {.items = json_object_get(c, "enqueueBeforeBatch"),
                           .datasets = json_object_get(c, "enqueueDatasetsBeforeBatch")};
    struct run r;
    bool good = run_init(&r, batch_ms_of(c), 0, partitions, why);

    q.queue = leat_queue_stream(r.ctx, one);
    if (input_partitions(c))
        leat_queue_partitions(q.queue, input_partitions(c));
    r.before = enqueue_later;
    r.arg = &q;
    run_collect(&r, q.queue, q.pairs);
    good = good && enqueue(1, &q, why) && run_batches(&r, json_array_size(expected_of(c)), why);
    if (good && r.ended.status != LEAT_OK)
        good = differs(why, "it failed: %s", r.ended.text);
    good = good && compare(c, &r, INT64_MAX, why);
    run_free(&r);
    return good;
}
