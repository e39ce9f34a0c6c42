/*
 * streaming_parts.c - what a partition of a queue's batch has.
 */
#include "streaming.h"

/* The one batch of a queue, partition by partition. */
json_t *slice_parts(json_t *c, json_t *in, int partitions, struct failure *why)
{
    json_t *parts = NULL;
    struct run r;

    (void)c;
    if (run_init(&r, 1000, 0, partitions, why)) {
        struct leat_stream *queue =
            leat_queue_partitions(leat_queue_stream(r.ctx, true), (int)number_at(in, "n", 0));
        bool good = push_batch(queue, false, json_object_get(in, "data"), why);
        run_collect(&r, leat_glom(queue), false);
        good = good && run_batches(&r, 1, why);
        if (good && r.ended.status != LEAT_OK)
            differs(why, "it failed: %s", r.ended.text);
        else if (good)
            parts = json_incref(json_object_get(json_array_get(r.batches, 0), "rows"));
    }
    run_free(&r);
    return parts;
}
