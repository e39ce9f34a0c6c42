/*
 * word_count.h - what the examples that count words share.
 */
#ifndef WORD_COUNT_H
#define WORD_COUNT_H

#include <leat_stream.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* The words of a line; they point into it, nothing is copied. */
static inline struct leat_value split_words(struct leat_call *call, const struct leat_pair *in,
                                            void *arg)
{
    struct leat_value words = leat_list();
    struct leat_slice rest = leat_value_text(in->value), word;

    (void)arg;
    while (rest.len) {
        leat_slice_cut(rest, ' ', &word, &rest);
        if (word.len)
            leat_list_add(call, &words, leat_string(word));
    }
    return words;
}

static inline struct leat_pair pair_with_one(struct leat_call *call, const struct leat_pair *in,
                                             void *arg)
{
    (void)call, (void)arg;
    return (struct leat_pair){in->value, leat_int(1)};
}

static inline struct leat_value sum(struct leat_call *call, struct leat_value a,
                                    struct leat_value b, void *arg)
{
    (void)call, (void)arg;
    return leat_int(a.as.i + b.as.i);
}

static volatile sig_atomic_t stop_asked;

static void ask_stop(int number)
{
    (void)number;
    stop_asked = 1;
}

/* Starts the context, waits for its end or for SIGINT or SIGTERM, and frees it. The exit code. */
static inline int run_until_signal(struct leat_context *ctx)
{
    struct leat_error err;
    bool ended = false;

    signal(SIGINT, ask_stop);
    signal(SIGTERM, ask_stop);
    enum leat_status status = leat_start(ctx, &err);
    while (status == LEAT_OK && !ended && !stop_asked)
        status = leat_await_termination_or_timeout(ctx, 200, &ended, &err);
    if (status == LEAT_OK)
        status = leat_stop(ctx, false, &err);
    if (status != LEAT_OK)
        fprintf(stderr, "%s\n", err.text);
    leat_context_free(ctx);
    return status == LEAT_OK ? 0 : 1;
}

#endif
