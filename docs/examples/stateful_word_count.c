/*
 * stateful_word_count HOST PORT [DIR] - how often each word has been there since the beginning.
 *
 * With DIR the counts are kept there, and the program goes on with them when it starts again.
 */
#include "word_count.h"

static struct leat_value add_up(struct leat_call *call, struct leat_value key,
                                struct leat_value values, struct leat_value state, void *arg)
{
    int64_t total = state.tag == LEAT_INT ? state.as.i : 0;

    (void)call, (void)key, (void)arg;
    for (uint32_t i = 0; i < values.len; i++)
        total += values.as.items[i].as.i;
    return leat_int(total);
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: %s HOST PORT [DIR]\n", argv[0]);
        return 2;
    }
    struct leat_context *ctx = leat_context_new("stateful-word-count", 1000);
    if (argc == 4)
        leat_checkpoint(ctx, argv[3]);
    struct leat_stream *lines =
        leat_named(leat_socket_text_stream(ctx, argv[1], atoi(argv[2])), "lines");
    struct leat_stream *pairs =
        leat_map_to_pair(leat_flat_map(lines, split_words, NULL), pair_with_one, NULL);
    leat_print(leat_named(leat_update_state_by_key(pairs, add_up, NULL), "totals"), 10);
    return run_until_signal(ctx);
}
