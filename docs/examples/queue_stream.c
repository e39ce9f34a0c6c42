/*
 * queue_stream - pushes thirty times a thousand numbers, and counts them by their last digit.
 */
#include <leat_stream.h>

#include <stdio.h>

static struct leat_pair last_digit(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return (struct leat_pair){leat_int(in->value.as.i % 10), leat_int(1)};
}

static struct leat_value sum(struct leat_call *call, struct leat_value a, struct leat_value b,
                             void *arg)
{
    (void)call, (void)arg;
    return leat_int(a.as.i + b.as.i);
}

int main(void)
{
    struct leat_context *ctx = leat_context_new("queue-stream", 100);
    struct leat_stream *numbers = leat_queue_stream(ctx, true);
    struct leat_value rdd[1000];
    struct leat_error err;

    leat_print(leat_reduce_by_key(leat_map_to_pair(numbers, last_digit, NULL), sum, NULL), 10);
    for (int i = 0; i < 1000; i++)
        rdd[i] = leat_int(i);
    if (leat_start(ctx, &err) != LEAT_OK)
        goto failed;
    for (int i = 0; i < 30; i++)
        if (leat_queue_push(numbers, rdd, 1000, &err) != LEAT_OK)
            goto failed;
    if (leat_stop(ctx, true, &err) != LEAT_OK)
        goto failed;
    leat_context_free(ctx);
    return 0;
failed:
    fprintf(stderr, "queue_stream: %s\n", err.text);
    leat_context_free(ctx);
    return 1;
}
