/*
 * streaming_kept.c - cases of batches that a stream keeps, and that are looked at from outside.
 */
#include "streaming.h"

#include <inttypes.h>
#include <stdio.h>

/* Elements of the batches, one behind the other. */
static enum leat_status gather(const struct leat_rdd *rdd, void *arg, struct leat_error *err)
{
    json_t *rows = arg;

    (void)err;
    for (size_t i = 0; i < rdd->count; i++)
        json_array_append_new(rows, json_of_row(&rdd->rows[i], rdd->rows[i].key.tag != LEAT_NULL));
    return LEAT_OK;
}

static json_t *look(struct leat_stream *s, json_t *in, struct failure *why)
{
    json_t *rows = json_array();
    struct leat_error err;

    if (leat_slice_batches(s, number_at(in, "from_ms", 0), number_at(in, "to_ms", 0), gather, rows,
                           &err) == LEAT_OK)
        return rows;
    differs(why, "slice: %s", err.text);
    json_decref(rows);
    return NULL;
}

/* What an input stream that remembers all has in these batches. */
json_t *slice(json_t *c, json_t *in, int partitions, struct failure *why)
{
    json_t *batches = json_object_get(json_object_get(c, "setup"), "input"), *rows = NULL;
    struct sources sources = {.inputs = json_object()};
    struct flow f;
    struct run r;

    bool good =
        run_init(&r, number_at(json_object_get(c, "params"), "batch_ms", 1000), 0, partitions, why);
    sources.ctx = r.ctx;
    json_object_set(sources.inputs, "in", batches);
    if (good && source_flow(&sources, "in", false, &f, why)) {
        leat_remember(r.ctx, INT32_MAX);
        run_collect(&r, leat_persist(f.stream, NULL), f.pairs);
        good = run_batches(&r, json_array_size(batches), why);
        if (good && r.ended.status != LEAT_OK)
            differs(why, "it failed: %s", r.ended.text);
        else if (good)
            rows = look(f.stream, in, why);
    }
    run_free(&r);
    json_decref(sources.inputs);
    return rows;
}

/* The same before the context is started. */
bool slice_too_early(const char *operation, int partitions, struct leat_error *err,
                     struct failure *why)
{
    struct run r;
    json_t *rows = json_array();
    int64_t from_ms = 0, to_ms = 0;

    if (sscanf(operation, "slice(%" SCNd64 ",%" SCNd64 ")", &from_ms, &to_ms) != 2)
        return differs(why, "slice of which times?");
    if (run_init(&r, 1000, 0, partitions, why)) {
        struct leat_stream *queue = leat_persist(leat_queue_stream(r.ctx, true), NULL);
        run_collect(&r, queue, false);
        if (leat_slice_batches(queue, from_ms, to_ms, gather, rows, err) == LEAT_OK)
            err->status = LEAT_OK;
    }
    run_free(&r);
    json_decref(rows);
    return true;
}
