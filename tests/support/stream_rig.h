/*
 * stream_rig.h - programs of the C library in tests: what they push, their functions, what comes
 * out.
 */
#ifndef STREAM_RIG_H
#define STREAM_RIG_H

#include "leat_stream.h"
#include "leat_test.h"

#include <pthread.h>
#include <stdio.h>

/* What comes out, as text: batches by '|', elements by blanks, sorted within a batch. */
struct seen {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char text[4096];
    char words[256][64];
    int batches; /* that were not empty */
    int64_t last_ms;
    bool in_order;
    enum leat_status fail; /* what see() returns, if not OK */
};

void seen_init(struct seen *s);
leat_rdd_function see; /* arg: a struct seen */
void wait_for_batches(struct seen *s, int count);

/* Numbers that came out. */
struct number_sum {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t sum, count, last;
    bool counts_on; /* each is the one before it and 1 */
};

void number_sum_init(struct number_sum *n);
leat_rdd_function add_numbers; /* arg: a struct number_sum */
void wait_for_sum(struct number_sum *n, int64_t least);

/* Functions of a program: the words of a line; pairs of a value and 1; and of ints. */
leat_function split, twice, is_even;
leat_pair_function with_one;
leat_reduce_function sum;
leat_update_function how_many; /* values a key has had */

/* Batches of 20 ms, 4 partitions, 2 threads. */
struct leat_context *new_context(void);
void push_ints(struct leat_stream *queue, size_t count, const int64_t *list);
void push_text(struct leat_stream *queue, const char *text);

#define PUSH(queue, ...)                                                                           \
    push_ints(queue, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

/* The context does not start, for a reason with these words. Frees it. */
void is_refused(struct leat_context *ctx, const char *words);
/* It starts, and ends by itself for a reason with these words, when this has come out of `s`. Frees
 * it. */
void ends_with(struct leat_context *ctx, struct leat_stream *s, const char *before,
               const char *words);

/* From here to there contexts have their temporary directories in one of the test's own, of which
 * nothing may be left. */
void begin_own_tmp(void);
void end_own_tmp(void);

/* Everything that was pushed is worked off; what came out of `s`. Frees the context. */
const char *run(struct leat_context *ctx, struct leat_stream *s, struct seen *seen);

/* In LEAT_OOM_SWEEP, where `pushed` is how the pushing went: the context starts and works off what
 * it has; each step may fail for want of memory only. Nothing was wanting? */
bool runs_with_all_memory(struct leat_context *ctx, enum leat_status pushed);

#define COMES_OUT(ctx, stream, expected)                                                           \
    do {                                                                                           \
        struct seen seen_;                                                                         \
        CU_ASSERT_STRING_EQUAL(run(ctx, stream, &seen_), expected);                                \
        if (strcmp(seen_.text, expected))                                                          \
            printf("    came out: %s\n", seen_.text);                                              \
    } while (0)

#endif
