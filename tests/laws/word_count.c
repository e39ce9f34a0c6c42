/*
 * word_count.c - the words of a file counted by a program of the C library with the functions of
 * docs/examples, for test_library.py: `word_count FILE`. Prints how many words there were.
 */
#include "word_count.h"

#include <inttypes.h>

static enum leat_status add_up(const struct leat_rdd *rdd, void *arg, struct leat_error *err)
{
    int64_t *total = arg;

    (void)err;
    for (size_t i = 0; i < rdd->count; i++)
        *total += rdd->rows[i].value.as.i;
    return LEAT_OK;
}

int main(int argc, char **argv)
{
    const struct leat_option options[] = {{"path", argc > 1 ? argv[1] : ""}, {"format", "text"}};
    struct leat_context *ctx = leat_context_new("word-count", 10000);
    int64_t total = 0;

    leat_set(ctx, "threads", "1");
    leat_set(ctx, "batch.trigger", "caught_up");
    struct leat_stream *lines = leat_source_stream(ctx, "files", options, 2);
    struct leat_stream *words = leat_flat_map(lines, split_words, NULL);
    struct leat_stream *pairs = leat_map_to_pair(words, pair_with_one, NULL);
    leat_foreach_rdd(leat_reduce_by_key(pairs, sum, NULL), add_up, &total);
    int code = run_until_signal(ctx);
    printf("%" PRId64 "\n", total);
    return code;
}
