/*
 * streaming_validate.c - cases of what leat_start(), or a builder, must refuse: each is a program
 * with one mistake, and the words of the check that has to find it.
 */
#include "streaming.h"

#include "stream.h"

#define EVERY_MS 1000

/* Puts the mistake into the context, whose input is a queue of pairs. */
typedef void mistake(struct leat_context *ctx, struct leat_stream *queue);

static void no_output(struct leat_context *ctx, struct leat_stream *queue)
{
    (void)ctx;
    leat_count(queue);
}

static struct leat_stream *state_of(struct leat_stream *queue)
{
    return leat_update_state_by_key(queue, update_function("runningSum"), NULL);
}

/* Here a state needs a directory when it is to be checkpointed, which Spark's always is. */
static void no_directory(struct leat_context *ctx, struct leat_stream *queue)
{
    (void)ctx;
    leat_print(leat_checkpoint_every(state_of(queue), 10 * EVERY_MS), 1);
}

static void short_interval(struct leat_context *ctx, struct leat_stream *queue)
{
    leat_checkpoint(ctx, "/tmp/none");
    leat_print(leat_checkpoint_every(state_of(queue), EVERY_MS / 2), 1);
}

static void odd_interval(struct leat_context *ctx, struct leat_stream *queue)
{
    leat_checkpoint(ctx, "/tmp/none");
    leat_print(leat_checkpoint_every(state_of(queue), EVERY_MS + EVERY_MS / 2), 1);
}

static void short_memory(struct leat_context *ctx, struct leat_stream *queue)
{
    leat_checkpoint(ctx, "/tmp/none");
    leat_remember(ctx, 3 * EVERY_MS);
    leat_print(leat_checkpoint_every(state_of(queue), 3 * EVERY_MS), 1);
}

/* Every two batches. */
static struct leat_stream *slow(struct leat_stream *queue)
{
    return leat_reduce_by_key_and_window(queue, reduce_function("add"), NULL, NULL, NULL,
                                         4 * EVERY_MS, 2 * EVERY_MS);
}

static void odd_window(struct leat_context *ctx, struct leat_stream *queue)
{
    (void)ctx;
    leat_print(leat_count_by_window(slow(queue), 3 * EVERY_MS, 2 * EVERY_MS), 1);
}

static void odd_slide(struct leat_context *ctx, struct leat_stream *queue)
{
    (void)ctx;
    leat_print(leat_count_by_window(slow(queue), 4 * EVERY_MS, 3 * EVERY_MS), 1);
}

static void odd_union(struct leat_context *ctx, struct leat_stream *queue)
{
    (void)ctx;
    leat_print(leat_union(slow(queue), queue), 1);
}

/* There is no cleaner: who sets one's time is told so. */
static void cleaner(struct leat_context *ctx, struct leat_stream *queue)
{
    leat_set(ctx, "cleaner.ttl", "1s");
    leat_print(queue, 1);
}

static const struct {
    const char *in; /* how the case begins */
    mistake *make;
    const char *words;
} list[] = {
    {"no output", no_output, "no output: nothing would be done"},
    {"updateStateByKey without checkpoint directory", no_directory,
     "the checkpoint directory has not been set"},
    {"checkpoint interval smaller than slide", short_interval, "500 ms are less than the 1000 ms"},
    {"checkpoint interval not a multiple of slide", odd_interval,
     "1500 ms are no multiple of the 1000 ms"},
    {"remember duration <= checkpoint interval", short_memory, "but leat_remember() says 3000 ms"},
    {"window not a multiple of parent slide", odd_window,
     "size must be a multiple of the slide of the windows before it, 2000 ms"},
    {"slide not a multiple of parent slide", odd_slide,
     "slide must be a multiple of the slide of the windows before it, 2000 ms"},
    {"union of streams with different slide", odd_union, "streams that come at different times"},
    {"0.9 only: spark.cleaner.ttl", cleaner, "unknown setting 'cleaner.ttl'"},
};

static bool is_refused(size_t i, int partitions, struct failure *why)
{
    struct leat_error err = {0};
    struct run r;

    if (run_init(&r, EVERY_MS, 0, partitions, why)) {
        struct leat_stream *queue = leat_queue_pair_stream(r.ctx, true);
        r.ctx->queues_last = true;
        list[i].make(r.ctx, queue);
        if (leat_start(r.ctx, &err) == LEAT_OK)
            differs(why, "'%s' is not refused", list[i].in);
        else if (err.status != LEAT_E_CONFIG || !strstr(err.text, list[i].words))
            differs(why, "'%s' is refused with '%s'", list[i].in, err.text);
    }
    run_free(&r);
    return !why->text[0];
}

/* As the case says it, since our words are others: what it wants if it was refused for that. */
json_t *validate(json_t *c, json_t *in, int partitions, struct failure *why)
{
    const char *mistake_is = json_string_value(in);
    json_t *v;
    size_t i, k;

    for (i = 0; mistake_is && i < sizeof list / sizeof *list; i++)
        if (strncmp(mistake_is, list[i].in, strlen(list[i].in)) == 0)
            break;
    if (!mistake_is || i == sizeof list / sizeof *list) {
        differs(why, "the runner has no '%s'", mistake_is ? mistake_is : "");
        return NULL;
    }
    if (!is_refused(i, partitions, why))
        return NULL;
    json_array_foreach(json_object_get(c, "vectors"), k,
                       v) if (json_object_get(v, "in") ==
                              in) return json_incref(json_object_get(v, "out"));
    return NULL;
}
