/*
 * mapped.c - map_with_state: a function of the program with each element and its key's state.
 *
 * The operator is in a stream of its own, under the name of the one that the program has; what
 * comes out of it is taken apart when somebody wants snapshots, too. State to begin with is a queue
 * that holds the same in every life of the program, so that a checkpoint says whether it was read.
 */
#include "stream.h"

#include "op/map_with_function.h"

#include <inttypes.h>
#include <stdio.h>

struct leat_key_state {
    struct leat_call *call;
    struct leat_value before, now;
    bool over; /* it times out */
    enum leat_becomes becomes;
    struct leat_value wrong; /* LEAT_ERROR: it was used as it must not be */
};

bool leat_key_state_exists(const struct leat_key_state *s)
{
    return s && s->becomes != LEAT_BECOMES_NOTHING &&
           (s->becomes == LEAT_BECOMES_NEW ? s->now : s->before).tag != LEAT_NULL;
}

struct leat_value leat_key_state_get(const struct leat_key_state *s)
{
    if (!leat_key_state_exists(s))
        return (struct leat_value){0};
    return s->becomes == LEAT_BECOMES_NEW ? s->now : s->before;
}

bool leat_key_state_is_timing_out(const struct leat_key_state *s)
{
    return s && s->over;
}

static bool may_change(struct leat_key_state *s, const char *what)
{
    if (!s)
        return false;
    if (s->wrong.tag != LEAT_ERROR && (s->over || s->becomes == LEAT_BECOMES_NOTHING))
        s->wrong = leat_call_fail(s->call, "%s: the state %s", what,
                                  s->over ? "is timing out" : "was removed");
    return s->wrong.tag != LEAT_ERROR;
}

void leat_key_state_update(struct leat_key_state *s, struct leat_value v)
{
    if (!may_change(s, "leat_key_state_update"))
        return;
    if (v.tag == LEAT_NULL || v.tag == LEAT_ERROR) {
        s->wrong = v.tag == LEAT_ERROR
                       ? v
                       : leat_call_fail(s->call, "leat_key_state_update: null is no state; "
                                                 "leat_key_state_remove() removes it");
        return;
    }
    s->becomes = LEAT_BECOMES_NEW;
    s->now = leat_value_sealed(v);
}

void leat_key_state_remove(struct leat_key_state *s)
{
    if (may_change(s, "leat_key_state_remove"))
        s->becomes = LEAT_BECOMES_NOTHING;
}

/* value, state, over, key, meta.batch_time */
struct leat_value stream_call_mapping(const struct leat_callable *self, struct leat_call *call,
                                      const struct leat_value *args, uint32_t count)
{
    const struct stream_user_function *u = (const void *)self;
    struct leat_key_state s = {.call = call, .before = args[1], .over = args[2].as.b};
    struct leat_value *three = leat_arena_array(call->arena, 3, sizeof *three);

    (void)count;
    if (!three)
        return leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
    call->time_ms = args[4].as.i * 1000 + args[4].len / 1000000;
    struct leat_value out =
        ((leat_mapping_function *)u->fn)(call, args[3], s.over ? NULL : &args[0], &s, u->arg);
    if (out.tag == LEAT_ERROR || s.wrong.tag == LEAT_ERROR)
        return out.tag == LEAT_ERROR ? out : s.wrong;
    three[0] = leat_int(s.becomes);
    three[1] = s.now;
    three[2] = leat_value_sealed(out);
    return (struct leat_value){.tag = LEAT_LIST, .len = 3, .as.items = three};
}

/* ---- tags */

static struct leat_value tag(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value list = leat_list();

    leat_list_add(call, &list, leat_int(arg ? 1 : 0));
    leat_list_add(call, &list, in->value);
    return list;
}

/* What has this tag, without it. */
static struct leat_value pick(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value list = leat_list();

    if (in->value.as.items[0].as.i == (arg ? 1 : 0))
        leat_list_add(call, &list, in->value.as.items[1]);
    return list;
}

static char yes; /* `arg` of the two: the tag is 1 */

/* ---- states to begin with, among elements that have times */

#define FIRST_OF_ALL_MS INT64_C(-62135596800000) /* the year 1 */

/* Before all elements, since those of a batch come in the order of their times. */
static struct leat_value first_of_all(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)in, (void)arg;
    return leat_int(FIRST_OF_ALL_MS);
}

static bool has_times(const struct leat_stream *s)
{
    while (s->from[0])
        s = s->from[0];
    return s->source && leat_node_find(s->source, "time");
}

/* Nothing comes behind them, so they hold nobody's time back. */
static struct leat_node *first_time(struct leat_context *ctx, const char *where)
{
    struct leat_node *time = stream_map(ctx, where);

    stream_put(time, "at",
               stream_function(ctx, where, STREAM_PACKED_PAIR_TIME, (void (*)(void))first_of_all,
                               NULL, "leat_map_with_state"));
    stream_put(time, "idle", stream_text(ctx, where, "1ms"));
    return time;
}

/* In the order in which they were made: one may be behind another. */
void stream_time_first_states(struct leat_context *ctx)
{
    for (struct leat_stream *s = ctx->streams; s; s = s->next)
        if (s->source && s->queue && s->queue->fixed && s->queue->beside &&
            has_times(s->queue->beside))
            stream_put(s->source, "time", first_time(ctx, s->where));
}

/* ---- builders */

/* Elements and, before them, what there is to begin with. */
static struct leat_stream *with_initial(struct leat_stream *s, const struct leat_state_spec *spec,
                                        struct leat_stream **queue, const char *where)
{
    struct leat_error err;

    *queue = leat_queue_pair_stream_at(s->ctx, true, where);
    if (*queue == &s->ctx->broken)
        return s;
    pthread_mutex_lock(&s->ctx->lock);
    (*queue)->queue->fixed = true;
    (*queue)->queue->beside = s;
    pthread_mutex_unlock(&s->ctx->lock);
    if (leat_queue_push_pairs(*queue, spec->initial, spec->initial_count, &err) != LEAT_OK) {
        pthread_mutex_lock(&s->ctx->lock);
        stream_mistake(s->ctx, where, err.status, "leat_map_with_state: %s", err.text);
        pthread_mutex_unlock(&s->ctx->lock);
    }
    return leat_union_at(leat_map_values_at(*queue, tag, &yes, where),
                         leat_map_values_at(s, tag, NULL, where), where);
}

static struct leat_node *options(struct leat_stream *s, const struct leat_state_spec *spec,
                                 const char *where)
{
    struct leat_node *map = stream_map(s->ctx, where);

    if (map)
        map->handed = s->ctx; /* the operator is the library's */
    stream_put(map, "function",
               stream_function(s->ctx, where, STREAM_MAPPING, (void (*)(void))spec->fn, spec->arg,
                               "leat_map_with_state"));
    stream_put(map, "timeout", stream_number(s->ctx, where, spec->timeout_ms, "ms"));
    if (spec->initial_count)
        stream_put(map, "initial", stream_text(s->ctx, where, "true"));
    return map;
}

/* NULL: none. */
static const char *mistake_in(const struct leat_state_spec *spec)
{
    if (!spec)
        return "without a specification";
    if (spec->timeout_ms < 0)
        return "a timeout is no less than 0";
    if (spec->initial_count && !spec->initial)
        return "initial pairs, but none are given";
    for (size_t i = 0; i < spec->initial_count; i++)
        if (spec->initial[i].value.tag == LEAT_NULL)
            return "null is no state to begin with; leave the pair out";
    return NULL;
}

struct leat_stream *leat_map_with_state_at(struct leat_stream *s,
                                           const struct leat_state_spec *spec, const char *where)
{
    static const char what[] = "leat_map_with_state";
    struct leat_stream *queue = NULL;

    if (!s)
        return NULL;
    if (!mistake_in(spec) && spec->initial_count && s != &s->ctx->broken)
        s = with_initial(s, spec, &queue, where);
    if (!stream_begin(s, where, what))
        return &s->ctx->broken;
    struct leat_context *ctx = s->ctx;
    const char *wrong = mistake_in(spec);
    if (wrong) {
        stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: %s", what, wrong);
        pthread_mutex_unlock(&ctx->lock);
        return &ctx->broken;
    }
    struct leat_node *map = options(s, spec, where);
    struct leat_stream *keeps =
        stream_end_with(stream_closed(s, where), where, what, "map_with_function", map, NULL);
    pthread_mutex_lock(&ctx->lock);
    struct leat_stream *out = stream_add(ctx, where, what);
    if (keeps != &ctx->broken && out != &ctx->broken) {
        keeps->memory = STREAM_REMEMBERS_MAPPED;
        out->from[0] = keeps;
        out->keeps_options = map;
        keeps->named_after = out;
        keeps->name_end = "-state";
    }
    if (queue && queue != &ctx->broken && queue->from[0]) {
        queue->named_after = queue->from[0]->named_after = out;
        queue->name_end = "-initial";
        queue->from[0]->name_end = "-initial-pairs";
    }
    pthread_mutex_unlock(&ctx->lock);
    return out;
}

/* { flat_map: pick } */
static struct leat_node *picking(struct leat_context *ctx, const char *where, void *arg)
{
    struct leat_node *map = stream_map(ctx, where);

    stream_put(
        map, "flat_map",
        stream_function(ctx, where, STREAM_MAP, (void (*)(void))pick, arg, "leat_state_snapshots"));
    return map;
}

struct leat_stream *leat_state_snapshots_at(struct leat_stream *s, const char *where)
{
    static const char what[] = "leat_state_snapshots";

    if (!s)
        return NULL;
    if (!stream_begin(s, where, what))
        return &s->ctx->broken;
    struct leat_context *ctx = s->ctx;
    struct leat_stream *out = &ctx->broken;
    if (!s->keeps_options)
        stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: the stream is none of leat_map_with_state()",
                       what);
    else
        out = stream_add(ctx, where, what);
    if (out != &ctx->broken) {
        if (!s->ops) {
            stream_put(s->keeps_options, "snapshots", stream_text(ctx, where, "true"));
            s->ops = stream_list(ctx, where);
            stream_put(s->ops, NULL, picking(ctx, where, NULL));
        }
        out->from[0] = s->from[0];
        out->ops = stream_list(ctx, where);
        stream_put(out->ops, NULL, picking(ctx, where, &yes));
        stream_put(out->ops, NULL, stream_take_apart(ctx, where));
    }
    pthread_mutex_unlock(&ctx->lock);
    return out;
}
