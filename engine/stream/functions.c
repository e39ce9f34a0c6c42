/*
 * functions.c - functions of C programs as what operators call in place of expressions.
 *
 * Thread: a worker, several at once; what changes is in the call.
 */
#include "stream.h"

#include "data/value_ops.h"

static const struct stream_user_function *user(const struct leat_callable *self)
{
    return (const struct stream_user_function *)(const void *)self;
}

/* this, key */
static struct leat_value call_map(const struct leat_callable *self, struct leat_call *call,
                                  const struct leat_value *args, uint32_t count)
{
    const struct leat_pair in = {.key = args[1], .value = args[0]};

    (void)count;
    return ((leat_function *)user(self)->fn)(call, &in, user(self)->arg);
}

/* An element of many. False: one of its values is an LEAT_ERROR, which the row has then. */
static inline bool element(const struct leat_many *m, uint16_t row, struct leat_pair *in)
{
    in->value = m->args[0][row];
    in->key = m->args[1] ? m->args[1][row] : (struct leat_value){0};
    if (in->value.tag != LEAT_ERROR && in->key.tag != LEAT_ERROR)
        return true;
    m->values[row] = in->value.tag == LEAT_ERROR ? in->value : in->key;
    return false;
}

static void map_rows(const struct leat_callable *self, struct leat_many *m)
{
    const struct stream_user_function *u = user(self);
    struct leat_pair in;

    for (uint32_t i = 0; i < m->count; i++) {
        const uint16_t row = m->rows[i];
        if (!element(m, row, &in))
            continue;
        leat_watch_enter(&m->calls.run, m->calls.watched);
        const struct leat_value v = ((leat_function *)u->fn)(&m->calls.call, &in, u->arg);
        leat_watch_leave(&m->calls.run);
        m->values[row] = leat_value_sealed(v);
    }
}

static void pair_rows(const struct leat_callable *self, struct leat_many *m)
{
    const struct stream_user_function *u = user(self);
    struct leat_pair in;

    for (uint32_t i = 0; i < m->count; i++) {
        const uint16_t row = m->rows[i];
        if (!element(m, row, &in))
            continue;
        leat_watch_enter(&m->calls.run, m->calls.watched);
        const struct leat_pair p = ((leat_pair_function *)u->fn)(&m->calls.call, &in, u->arg);
        leat_watch_leave(&m->calls.run);
        m->keys[row] = p.key;
        m->values[row] = p.key.tag == LEAT_ERROR ? p.key : p.value;
        m->keys[row].flags = m->values[row].flags = 0; /* sealed */
    }
}

/* a, b, or acc, this */
static struct leat_value call_reduce(const struct leat_callable *self, struct leat_call *call,
                                     const struct leat_value *args, uint32_t count)
{
    (void)count;
    return ((leat_reduce_function *)user(self)->fn)(call, args[0], args[1], user(self)->arg);
}

/* values, state, key, meta.batch_time */
static struct leat_value call_update(const struct leat_callable *self, struct leat_call *call,
                                     const struct leat_value *args, uint32_t count)
{
    if (count > 3 && args[3].tag == LEAT_TIMESTAMP)
        call->time_ms = args[3].as.i * 1000 + args[3].len / 1000000;
    return ((leat_update_function *)user(self)->fn)(call, args[2], args[0], args[1],
                                                    user(self)->arg);
}

/* What leat_queue_push() packed: the value, or the pair as a list. */
static struct leat_value unpack(const struct leat_callable *self, struct leat_call *call,
                                const struct leat_value *args, uint32_t count)
{
    struct leat_slice bytes = leat_value_text(args[0]);
    struct leat_value v;
    struct leat_error err;

    (void)self, (void)count;
    if (leat_value_decode(&bytes, call->arena, &v, &err) != LEAT_OK)
        return leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
    return v;
}

/* this, key */
static struct leat_value call_time(const struct leat_callable *self, struct leat_call *call,
                                   const struct leat_value *args, uint32_t count)
{
    struct leat_value v = call_map(self, call, args, count);

    if (v.tag == LEAT_ERROR)
        return v;
    if (v.tag != LEAT_INT)
        return leat_call_fail(call, "a time is an int of milliseconds, this is %s",
                              leat_tag_name(v.tag));
    int64_t seconds = v.as.i / 1000 - (v.as.i % 1000 < 0), ms = v.as.i - seconds * 1000;
    return (struct leat_value){
        .tag = LEAT_TIMESTAMP, .len = (uint32_t)ms * 1000000u, .as.i = seconds};
}

/* this: packed */
static struct leat_value call_packed_time(const struct leat_callable *self, struct leat_call *call,
                                          const struct leat_value *args, uint32_t count)
{
    const struct leat_value two[2] = {unpack(self, call, args, count)};

    return two[0].tag == LEAT_ERROR ? two[0] : call_time(self, call, two, 2);
}

static struct leat_value call_packed_pair_time(const struct leat_callable *self,
                                               struct leat_call *call,
                                               const struct leat_value *args, uint32_t count)
{
    struct leat_value pair = unpack(self, call, args, count);

    if (pair.tag == LEAT_ERROR)
        return pair;
    const struct leat_value two[2] = {pair.as.items[1], pair.as.items[0]};
    return call_time(self, call, two, 2);
}

static const char *const element_names[] = {"this", "key", NULL};
static const char *const reduce_names[] = {"a", "b", NULL};
static const char *const merge_names[] = {"acc", "this", NULL};
static const char *const keep_names[] = {"value", "key", NULL};
static const char *const update_names[] = {"values", "state", "key", "meta.batch_time", NULL};
static const char *const whole_names[] = {"values", "keys", "time", NULL};
static const char *const mapping_names[] = {"value", "state",           "over",
                                            "key",   "meta.batch_time", NULL};
static const char *const packed_names[] = {"this", NULL};

static const struct leat_callable forms[] = {
    [STREAM_MAP] = {.names = element_names,
                    .needed = 1,
                    .drops_key = true,
                    .call = call_map,
                    .rows = map_rows},
    [STREAM_MAP_VALUES] = {.names = element_names, .needed = 1, .call = call_map, .rows = map_rows},
    [STREAM_PAIR] = {.names = element_names, .needed = 1, .gives_pair = true, .rows = pair_rows},
    [STREAM_REDUCE] = {.names = reduce_names, .needed = 2, .call = call_reduce},
    [STREAM_MERGE_VALUE] = {.names = merge_names, .needed = 2, .call = call_reduce},
    [STREAM_KEEP] = {.names = keep_names, .needed = 2, .call = call_map},
    [STREAM_UPDATE] = {.names = update_names, .needed = 4, .call = call_update},
    [STREAM_TIME] = {.names = element_names, .needed = 1, .call = call_time},
    [STREAM_PACKED_TIME] = {.names = packed_names, .needed = 1, .call = call_packed_time},
    [STREAM_PACKED_PAIR_TIME] = {.names = packed_names, .needed = 1, .call = call_packed_pair_time},
    [STREAM_PARTITION] = {.names = whole_names, .needed = 3, .call = stream_call_partition},
    [STREAM_TRANSFORM] = {.names = whole_names, .needed = 3, .call = stream_call_transform},
    [STREAM_MAPPING] = {.names = mapping_names, .needed = 5, .call = stream_call_mapping},
    [STREAM_TRANSFORM_ALL] = {.names = whole_names, .needed = 3, .call = stream_call_transform_all},
};
static const struct leat_callable unpacks = {.names = packed_names, .needed = 1, .call = unpack};

struct leat_node *stream_function(struct leat_context *ctx, const char *where,
                                  enum stream_form form, void (*fn)(void), void *arg,
                                  const char *text)
{
    struct leat_node *n = stream_text(ctx, where, text);
    struct stream_user_function *u = stream_alloc(ctx, sizeof *u);

    if (!fn) {
        stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: without a function", text);
        return NULL;
    }
    if (!n || !u)
        return NULL;
    *u = (struct stream_user_function){forms[form], fn, arg};
    n->handed = &u->callable;
    return n;
}

void stream_unpack(struct leat_stream *s, struct leat_stream *in, bool pairs, const char *where)
{
    struct leat_context *ctx = s->ctx;
    struct leat_node *map = stream_map(ctx, where),
                     *n = stream_text(ctx, where, "leat_queue_stream");

    if (n)
        n->handed = &unpacks;
    stream_put(map, "map", n);
    s->from[0] = in;
    s->ops = stream_list(ctx, where);
    stream_put(s->ops, NULL, map);
    if (pairs)
        stream_put(s->ops, NULL, stream_take_apart(ctx, where));
}
