/*
 * streaming_initial.c - cases of states that mapWithState begins with.
 */
#include "streaming.h"

#include "stream.h"

/* What the first batches gave: what is mapped, what is in the states, which keys time out when. */
struct beginning {
    int64_t timeout_ms;
    json_t *records, *mapped;
};

/* Says of a key whose time is over that it is; nothing else comes. */
static struct leat_value over(struct leat_call *call, struct leat_value key,
                              const struct leat_value *value, struct leat_key_state *state,
                              void *arg)
{
    struct leat_value pair = leat_list();

    (void)value, (void)arg;
    if (!leat_key_state_is_timing_out(state))
        return key;
    leat_list_add(call, &pair, key);
    leat_list_add(call, &pair, leat_key_state_get(state));
    return pair;
}

/* A state that times out with this batch was made, or changed, a timeout before it. */
static enum leat_status note(const struct leat_rdd *rdd, void *arg, struct leat_error *err)
{
    struct beginning *b = arg;

    (void)err;
    for (size_t i = 0; i < rdd->count; i++) {
        struct leat_value v = rdd->rows[i].value;
        if (v.tag != LEAT_LIST || v.len != 2)
            json_array_append_new(b->mapped, json_of_value(v));
        else
            json_array_append_new(b->records,
                                  json_pack("[o, o, I]", json_of_value(v.as.items[0]),
                                            json_of_value(v.as.items[1]),
                                            (json_int_t)(rdd->time_ms - b->timeout_ms)));
    }
    return LEAT_OK;
}

static bool same_pairs(json_t *states, json_t *pairs, struct failure *why)
{
    char came[200];

    json_text(states, came, sizeof came);
    return same_rows(states, pairs, true) || differs(why, "the first states are %s", came);
}

static bool begin(struct run *r, struct beginning *b, json_t *pairs, struct failure *why)
{
    struct leat_arena arena = {0};
    struct leat_pair initial[64];
    json_t *pair;
    size_t i;

    if (json_array_size(pairs) > 64)
        return differs(why, "too many pairs");
    json_array_foreach(pairs, i, pair) initial[i] =
        (struct leat_pair){value_of_json(json_array_get(pair, 0), &arena),
                           value_of_json(json_array_get(pair, 1), &arena)};
    const struct leat_state_spec spec = {.fn = over,
                                         .timeout_ms = b->timeout_ms,
                                         .initial = initial,
                                         .initial_count = json_array_size(pairs)};
    struct leat_stream *s = leat_map_with_state(leat_queue_pair_stream(r->ctx, true), &spec);
    leat_arena_reset(&arena);
    run_collect(r, leat_state_snapshots(s), true);
    leat_foreach_rdd(s, note, b);
    return true;
}

/* States come in no order: those of these keys first, in theirs. */
static void put_in_order(json_t *records, json_t *pairs)
{
    json_t *pair, *record;
    size_t i, k, at = 0;

    json_array_foreach(pairs, i, pair) for (k = at; k < json_array_size(records); k++)
    {
        record = json_array_get(records, k);
        if (!json_equal(json_array_get(record, 0), json_array_get(pair, 0)))
            continue;
        json_incref(record);
        json_array_remove(records, k);
        json_array_insert_new(records, at++, record);
        break;
    }
}

/* The states are there with the first batch, which is at the time that is asked for. */
json_t *mapped_create(json_t *c, json_t *in, int partitions, struct failure *why)
{
    int64_t time_ms = number_at(in, "time_ms", 1);
    json_t *pairs = json_object_get(in, "pairs"), *out = NULL;
    struct beginning b = {
        .timeout_ms = 3 * time_ms, .records = json_array(), .mapped = json_array()};
    struct run r;

    (void)c;
    partitions = (int)number_at(in, "numPartitions", partitions);
    if (run_init(&r, time_ms, 0, partitions, why) && begin(&r, &b, pairs, why) &&
        run_batches(&r, 5, why)) {
        json_t *first = json_object_get(json_array_get(r.batches, 0), "rows");
        if (r.ended.status != LEAT_OK)
            differs(why, "it failed: %s", r.ended.text);
        put_in_order(b.records, pairs);
        if (same_pairs(first, pairs, why))
            out = json_pack("{s: O, s: O, s: i}", "records", b.records, "mapped", b.mapped,
                            "numPartitions", (int)r.ctx->plan->partitions);
    }
    run_free(&r);
    json_decref(b.records);
    json_decref(b.mapped);
    return out;
}
