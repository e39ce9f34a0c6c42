/*
 * streaming_retention.c - cases of which batches a stream still has, and how often its state is
 * checkpointed.
 */
#include "streaming.h"

#include "stream.h"

#define CHAIN_MAX 8

struct chain {
    struct {
        const char *name;
        struct leat_stream *stream;
    } list[CHAIN_MAX];
    size_t count;
};

static struct leat_value same_value(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return in->value;
}

static struct leat_pair with_one(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return (struct leat_pair){in->value, leat_int(1)};
}

static bool add_to_chain(struct chain *chain, json_t *link, struct flow *f, struct failure *why)
{
    const char *kind = text_at(link, "kind"), *name = text_at(link, "name");

    if (!kind || !name || chain->count == CHAIN_MAX)
        return differs(why, "the chain makes no sense");
    if (!f->pairs && strcmp(kind, "window") != 0)
        f->stream = leat_map_to_pair(f->stream, with_one, NULL);
    f->pairs = f->pairs || strcmp(kind, "window") != 0;
    if (strcmp(kind, "window") == 0)
        f->stream =
            leat_window(f->stream, number_at(link, "window_ms", 0), number_at(link, "slide_ms", 0));
    else if (strcmp(kind, "checkpointed") == 0)
        f->stream = leat_update_state_by_key(f->stream, update_function("runningSum"), NULL);
    else if (strcmp(kind, "narrow") == 0)
        f->stream = leat_map_values(f->stream, same_value, NULL);
    else
        return differs(why, "the runner has no '%s'", kind);
    if (json_object_get(link, "checkpoint_ms"))
        leat_checkpoint_every(f->stream, number_at(link, "checkpoint_ms", 0));
    chain->list[chain->count].name = name;
    chain->list[chain->count++].stream = leat_persist(f->stream, NULL);
    return true;
}

static enum leat_status count_batches(const struct leat_rdd *rdd, void *arg, struct leat_error *err)
{
    (void)rdd, (void)err;
    ++*(int *)arg;
    return LEAT_OK;
}

/* Of these times: has the stream a batch, or, `none`, none any more? */
static bool has(struct leat_stream *s, json_t *times, bool none, struct failure *why)
{
    json_t *time;
    size_t i;

    json_array_foreach(times, i, time)
    {
        int64_t ms = json_integer_value(time);
        struct leat_error err;
        int count = 0;
        enum leat_status status = leat_slice_batches(s, ms, ms, count_batches, &count, &err);
        if (none ? status != LEAT_E_LOST : status != LEAT_OK || count != 1)
            return differs(why, "of %lld ms it has %d batches: %s", (long long)ms, count,
                           status == LEAT_OK ? "" : err.text);
    }
    return true;
}

/* What was asked of a stream of the chain, with how long it remembers. */
static json_t *retained(const struct chain *chain, json_t *c, json_t *in, struct failure *why)
{
    const char *name = text_at(in, "stream");
    json_t *v, *out = NULL;
    size_t i;

    json_array_foreach(json_object_get(c, "vectors"), i, v) if (json_object_get(v, "in") == in)
        out = json_object_get(v, "out");
    for (i = 0; i < chain->count && name; i++)
        if (strcmp(chain->list[i].name, name) == 0) {
            struct leat_stream *s = chain->list[i].stream;
            json_t *is = json_deep_copy(out);
            json_object_set_new(is, "remember_ms", json_integer(s->remember_ms));
            if (has(s, json_object_get(out, "has"), false, why) &&
                has(s, json_object_get(out, "hasNot"), true, why))
                return is;
            json_decref(is);
            return NULL;
        }
    differs(why, "the chain has no '%s'", name ? name : "?");
    return NULL;
}

static bool build_chain(json_t *c, struct run *r, struct chain *chain, struct failure *why)
{
    struct sources sources = {.ctx = r->ctx, .inputs = json_object()};
    json_t *list = json_object_get(json_object_get(c, "setup"), "chain"), *link;
    int64_t remember_ms = number_at(json_object_get(c, "params"), "remember_ms", 0);
    struct flow f;
    size_t i;

    json_object_set(sources.inputs, "in", json_object_get(c, "input"));
    bool good = source_flow(&sources, "in", false, &f, why);
    json_array_foreach(list, i, link) good = good && add_to_chain(chain, link, &f, why);
    if (good && remember_ms)
        leat_remember(r->ctx, remember_ms);
    if (good)
        run_collect(r, f.stream, f.pairs);
    json_decref(sources.inputs);
    return good;
}

static bool outputs_are(json_t *c, const struct run *r, struct failure *why)
{
    int64_t want = number_at(c, "expectedNumOutputs", -1), is = 0;
    json_t *batch;
    size_t i;

    json_array_foreach(r->batches, i, batch) is +=
        json_array_size(json_object_get(batch, "rows")) > 0;
    return want < 0 || is == want ||
           differs(why, "%lld batches came out, expected %lld", (long long)is, (long long)want);
}

/* A context that keeps its state in `dir`, and its queues as if they outlasted it. */
static bool begin(struct run *r, int64_t batch_ms, int partitions, char dir[32],
                  struct failure *why)
{
    if (!run_init(r, batch_ms, 0, partitions, why) || !make_dir(dir, why))
        return false;
    leat_checkpoint(r->ctx, dir);
    r->ctx->queues_last = true;
    return true;
}

json_t *retention(json_t *c, json_t *in, int partitions, struct failure *why)
{
    json_t *params = json_object_get(c, "params"), *is = NULL;
    int64_t count =
        number_at(params, "batchesRun", (int64_t)json_array_size(json_object_get(c, "input")));
    struct chain chain = {.count = 0};
    char dir[32] = "";
    struct run r;

    if (begin(&r, number_at(params, "batch_ms", 1000), partitions, dir, why) &&
        build_chain(c, &r, &chain, why) && run_batches(&r, (size_t)count, why)) {
        if (r.ended.status != LEAT_OK)
            differs(why, "it failed: %s", r.ended.text);
        else if (outputs_are(c, &r, why))
            is = retained(&chain, c, in, why);
    }
    run_free(&r);
    remove_dir(dir);
    return is;
}

/* ---- of mapWithState */

static struct leat_value nothing(struct leat_call *call, struct leat_value key,
                                 const struct leat_value *value, struct leat_key_state *state,
                                 void *arg)
{
    (void)call, (void)key, (void)value, (void)state, (void)arg;
    return (struct leat_value){0};
}

json_t *mapped_checkpoint(json_t *c, json_t *in, int partitions, struct failure *why)
{
    int64_t explicit_ms = number_at(in, "explicit_ms", 0), is_ms = 0;
    char dir[32] = "";
    struct run r;

    (void)c;
    if (begin(&r, number_at(in, "batch_ms", 1000), partitions, dir, why)) {
        struct leat_stream *s = leat_map_with_state(leat_queue_pair_stream(r.ctx, true),
                                                    &(struct leat_state_spec){.fn = nothing});
        if (explicit_ms)
            leat_checkpoint_every(s, explicit_ms);
        run_collect(&r, s, false);
        if (run_batches(&r, 0, why) && r.ended.status != LEAT_OK)
            differs(why, "it failed: %s", r.ended.text);
        if (s->checkpoint_ms) /* the public stream has none, what it takes from has */
            differs(why, "the public stream has an interval");
        is_ms = s->from[0]->checkpoint_ms;
    }
    run_free(&r);
    remove_dir(dir);
    return json_integer(is_ms);
}
