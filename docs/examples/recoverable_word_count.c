/*
 * recoverable_word_count HOST PORT DIR OUT - how often each word has been there since the
 * beginning, also when the program was killed in between: it goes on from what it has left in DIR.
 *
 * Each batch appends lines "TIME WORD TOTAL" to OUT. A batch whose process died before it counted
 * comes again, so its lines may be there twice, with the same totals.
 */
#include "word_count.h"

struct place {
    const char *host, *out;
    int port;
};

static struct leat_value add_up(struct leat_call *call, struct leat_value key,
                                struct leat_value values, struct leat_value state, void *arg)
{
    int64_t total = state.tag == LEAT_INT ? state.as.i : 0;

    (void)call, (void)key, (void)arg;
    for (uint32_t i = 0; i < values.len; i++)
        total += values.as.items[i].as.i;
    return leat_int(total);
}

static enum leat_status append(const struct leat_rdd *rdd, void *arg, struct leat_error *err)
{
    const struct place *p = arg;
    FILE *out = fopen(p->out, "a");

    if (!out)
        return leat_fail(err, LEAT_E_IO, "cannot open %s", p->out);
    for (size_t i = 0; i < rdd->count; i++) {
        struct leat_slice word = leat_value_text(rdd->rows[i].key);
        fprintf(out, "%lld %.*s %lld\n", (long long)rdd->time_ms, (int)word.len, word.ptr,
                (long long)rdd->rows[i].value.as.i);
    }
    return fclose(out) == 0 ? LEAT_OK : leat_fail(err, LEAT_E_IO, "cannot write %s", p->out);
}

/* The same graph in every life of the program. */
static struct leat_context *create(void *arg)
{
    struct place *p = arg;
    struct leat_context *ctx = leat_context_new("recoverable-word-count", 200);
    struct leat_stream *lines = leat_named(leat_socket_text_stream(ctx, p->host, p->port), "lines");
    struct leat_stream *pairs =
        leat_map_to_pair(leat_flat_map(lines, split_words, NULL), pair_with_one, NULL);
    leat_foreach_rdd(leat_named(leat_update_state_by_key(pairs, add_up, NULL), "totals"), append,
                     p);
    return ctx;
}

int main(int argc, char **argv)
{
    struct leat_error err;
    struct leat_context *ctx;
    bool goes_on;

    if (argc != 5) {
        fprintf(stderr, "usage: %s HOST PORT DIR OUT\n", argv[0]);
        return 2;
    }
    struct place place = {.host = argv[1], .out = argv[4], .port = atoi(argv[2])};
    if (leat_context_get_or_create(argv[3], create, &place, &ctx, &goes_on, &err) != LEAT_OK) {
        fprintf(stderr, "%s\n", err.text);
        leat_context_free(ctx);
        return 1;
    }
    printf("%s\n", goes_on ? "going on" : "from the beginning");
    fflush(stdout);
    return run_until_signal(ctx);
}
