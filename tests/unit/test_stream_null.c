/*
 * Tests engine/stream: functions of a program that give null, operator by operator.
 */
#include "stream_rig.h"

static struct leat_error err;

static struct leat_value of_element(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)in, (void)arg;
    return (struct leat_value){0};
}

static struct leat_pair of_pair(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)in, (void)arg;
    return (struct leat_pair){0};
}

static struct leat_value of_two(struct leat_call *call, struct leat_value a, struct leat_value b,
                                void *arg)
{
    (void)call, (void)a, (void)b, (void)arg;
    return (struct leat_value){0};
}

static struct leat_value of_state(struct leat_call *call, struct leat_value key,
                                  struct leat_value values, struct leat_value state, void *arg)
{
    (void)call, (void)key, (void)values, (void)state, (void)arg;
    return (struct leat_value){0};
}

static struct leat_value of_mapping(struct leat_call *call, struct leat_value key,
                                    const struct leat_value *value, struct leat_key_state *state,
                                    void *arg)
{
    (void)call, (void)key, (void)value, (void)state, (void)arg;
    return (struct leat_value){0};
}

static struct leat_value of_partition(struct leat_call *call, const struct leat_rdd *in, void *arg)
{
    (void)call, (void)in, (void)arg;
    return (struct leat_value){0};
}

static struct leat_value of_batch(struct leat_call *call, const struct leat_rdd *in, size_t count,
                                  void *arg)
{
    (void)call, (void)in, (void)count, (void)arg;
    return (struct leat_value){0};
}

static struct leat_value fails_at_2(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)arg;
    return in->value.as.i == 2 ? leat_call_fail(call, "2 is too many") : leat_bool(true);
}

/* What functions that give null make of pairs of one key. */
static struct leat_stream *map(struct leat_stream *s)
{
    return leat_map(s, of_element, NULL);
}

static struct leat_stream *map_values(struct leat_stream *s)
{
    return leat_map_values(s, of_element, NULL);
}

static struct leat_stream *flat_map(struct leat_stream *s)
{
    return leat_flat_map(s, of_element, NULL);
}

static struct leat_stream *flat_map_values(struct leat_stream *s)
{
    return leat_flat_map_values(s, of_element, NULL);
}

static struct leat_stream *filter(struct leat_stream *s)
{
    return leat_filter(s, of_element, NULL);
}

static struct leat_stream *map_to_pair(struct leat_stream *s)
{
    return leat_map_to_pair(s, of_pair, NULL);
}

static struct leat_stream *reduce(struct leat_stream *s)
{
    return leat_reduce(s, of_two, NULL);
}

static struct leat_stream *reduce_by_key(struct leat_stream *s)
{
    return leat_reduce_by_key(s, of_two, NULL);
}

static struct leat_stream *window_by_key(struct leat_stream *s)
{
    return leat_reduce_by_key_and_window(s, of_two, NULL, NULL, NULL, 20, 20);
}

static struct leat_stream *window_filter(struct leat_stream *s)
{
    return leat_reduce_by_key_and_window(s, sum, sum, of_element, NULL, 20, 20);
}

static struct leat_stream *update(struct leat_stream *s)
{
    return leat_update_state_by_key(s, of_state, NULL);
}

static struct leat_stream *mapping(struct leat_stream *s)
{
    return leat_map_with_state(s, &(struct leat_state_spec){.fn = of_mapping});
}

static struct leat_stream *partitions(struct leat_stream *s)
{
    return leat_map_partitions(s, of_partition, NULL);
}

static struct leat_stream *transform(struct leat_stream *s)
{
    return leat_transform(s, of_batch, NULL);
}

static struct leat_stream *event_time(struct leat_stream *s)
{
    return leat_event_time(s, of_element, NULL, 0, 0);
}

static const struct {
    struct leat_stream *(*of)(struct leat_stream *s);
    const char *comes;
    const char *ends; /* why the job does; NULL: it does not */
} cases[] = {
    /* Null is an element, or a value, like any other. */
    {map, "null null", NULL},
    {map_values, "k=null k=null", NULL},
    {map_to_pair, "null null", NULL},
    {reduce, "null", NULL},
    {reduce_by_key, "k=null", NULL},
    {window_by_key, "k=null", NULL},
    /* It says that there is nothing. */
    {update, "", NULL},
    {mapping, "", NULL},
    /* It is none of what the operator asks for. */
    {flat_map, "", "leat_flat_map: the expression gives no list"},
    {flat_map_values, "", "leat_flat_map_values: the expression gives no list"},
    {filter, "", "leat_filter: the expression gives no bool"},
    {window_filter, "", "leat_reduce_by_key_and_window: the filter gives no bool"},
    {partitions, "", "leat_map_partitions: the function gives nothing, not a list"},
    {transform, "", "leat_transform: the function gives nothing, not a list"},
    {event_time, "", "leat_event_time: a time is an int of milliseconds, this is null"},
};

static void null_is_a_value_or_nothing_or_the_end_by_the_operators_name(void)
{
    const struct leat_pair two[] = {{leat_string(LEAT_LIT("k")), leat_int(1)},
                                    {leat_string(LEAT_LIT("k")), leat_int(1)}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct leat_context *ctx = new_context();
        struct leat_stream *queue = leat_queue_pair_stream(ctx, true);

        OK(leat_queue_push_pairs(queue, two, 2, &err));
        if (cases[i].ends)
            ends_with(ctx, cases[i].of(queue), cases[i].comes, cases[i].ends);
        else
            COMES_OUT(ctx, cases[i].of(queue), cases[i].comes);
    }
}

static void a_filter_of_a_window_that_fails_ends_the_batch_or_is_left_out(void)
{
    const struct leat_pair two[] = {{leat_string(LEAT_LIT("k")), leat_int(1)},
                                    {leat_string(LEAT_LIT("x")), leat_int(2)}};
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_pair_stream(ctx, true);

    OK(leat_queue_push_pairs(queue, two, 2, &err));
    ends_with(ctx, leat_reduce_by_key_and_window(queue, sum, sum, fails_at_2, NULL, 20, 20), "",
              "leat_reduce_by_key_and_window: 2 is too many");
    ctx = new_context();
    leat_set(ctx, "on_error", "drop");
    queue = leat_queue_pair_stream(ctx, true);
    OK(leat_queue_push_pairs(queue, two, 2, &err));
    COMES_OUT(ctx, leat_reduce_by_key_and_window(queue, sum, sum, fails_at_2, NULL, 20, 20), "k=1");
}

LEAT_TESTS("stream_null", T(null_is_a_value_or_nothing_or_the_end_by_the_operators_name),
           T(a_filter_of_a_window_that_fails_ends_the_batch_or_is_left_out))
