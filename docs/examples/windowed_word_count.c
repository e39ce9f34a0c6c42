/*
 * windowed_word_count HOST PORT - the words of the last 30 seconds, every 2 seconds.
 *
 * What comes is added and what leaves is taken away; a word that is down to nothing is dropped.
 */
#include "word_count.h"

static struct leat_value difference(struct leat_call *call, struct leat_value a,
                                    struct leat_value b, void *arg)
{
    (void)call, (void)arg;
    return leat_int(a.as.i - b.as.i);
}

static struct leat_value is_there(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return leat_bool(in->value.as.i > 0);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s HOST PORT\n", argv[0]);
        return 2;
    }
    struct leat_context *ctx = leat_context_new("windowed-word-count", 1000);
    struct leat_stream *lines = leat_socket_text_stream(ctx, argv[1], atoi(argv[2]));
    struct leat_stream *pairs =
        leat_map_to_pair(leat_flat_map(lines, split_words, NULL), pair_with_one, NULL);
    leat_print(leat_reduce_by_key_and_window(pairs, sum, difference, is_there, NULL, 30000, 2000),
               10);
    return run_until_signal(ctx);
}
