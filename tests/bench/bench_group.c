/*
 * bench_group.c - what grouping costs: nanoseconds per row in the combiner and behind the exchange.
 *
 * Words of 3 to 10 letters, Zipf-like, are counted in tumbling windows of one second of their own
 * time, as `flat_map` then `count_by_value` would. Run by hand: bench_group [WORDS [VOCABULARY]]
 */
#include "base/module.h"
#include "data/key.h"
#include "op/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 5

struct bench {
    struct leat_next next; /* first */
    struct leat_chunk chunk, out;
    struct leat_arena arena, out_arena, task_arena;
    uint64_t results;
};

static enum leat_status push(struct leat_next *next, struct leat_chunk *chunk,
                             struct leat_error *err)
{
    struct bench *b = (struct bench *)next;

    (void)err;
    b->results += chunk->selected;
    return LEAT_OK;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(enum leat_status status, const struct leat_error *err)
{
    if (status == LEAT_OK)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

/* Zipf-like: the rank is V^u. */
static struct leat_slice *make_words(uint32_t vocabulary, uint32_t count)
{
    char(*texts)[12] = calloc(vocabulary, sizeof *texts);
    struct leat_slice *words = calloc(count, sizeof *words);
    uint64_t seed = 42;

    for (uint32_t i = 0; i < vocabulary; i++) {
        uint32_t len = 3 + i % 8, rest = i;
        for (uint32_t n = 0; n < len; n++, rest = rest / 26 + 7 * n)
            texts[i][n] = (char)('a' + rest % 26);
    }
    for (uint32_t i = 0; i < count; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        double u = (double)(seed >> 11) / 9007199254740992.0, rank = 1;
        for (double p = u * 20, v = vocabulary; p > 0; p--)
            rank *= __builtin_pow(v, (p < 1 ? p : 1) / 20);
        uint32_t word = (uint32_t)rank - 1 < vocabulary ? (uint32_t)rank - 1 : vocabulary - 1;
        words[i] = (struct leat_slice){texts[word], 3 + word % 8};
    }
    return words;
}

static void round_of(const struct leat_group_in *in, struct bench *b, struct leat_task *task,
                     const struct leat_slice *words, uint32_t count)
{
    struct leat_error err;
    void *memory = calloc(1, leat_group_combiner.task_size);
    double taken = 0, begin;

    for (uint32_t at = 0; at < count;) {
        leat_chunk_clear(&b->chunk, 0);
        for (; at < count && b->chunk.rows < LEAT_CHUNK_ROWS; at++) {
            uint32_t row = b->chunk.rows;
            leat_chunk_add(&b->chunk, &(struct leat_row){.time_ms = at / 2000});
            b->chunk.columns[LEAT_COL_THIS][row] = leat_string(words[at]);
        }
        begin = now();
        must(leat_group_combiner.process(in, memory, task, &b->chunk, &err), &err);
        taken += now() - begin;
    }
    begin = now();
    b->results = 0;
    must(leat_group_combiner.finish(in, memory, task, &err), &err);
    double sent = now() - begin;
    printf("combine %.1f ns a word; %lu partial results, %.1f ns each to send\n", taken / count,
           (unsigned long)b->results, sent / (double)(b->results ? b->results : 1));
    free(memory);
    leat_arena_reset(&b->task_arena);
}

int main(int argc, char **argv)
{
    uint32_t count = argc > 1 ? (uint32_t)atoi(argv[1]) : 4000000;
    uint32_t vocabulary = argc > 2 ? (uint32_t)atoi(argv[2]) : 5000;
    const struct leat_module *module = leat_module_find_op("count_by_value");
    struct leat_slice *words = make_words(vocabulary, count);
    struct bench b = {.next.push = push};
    struct leat_task_counts counts = {0};
    struct leat_batch batch = {.n = 1, .time_ms = 1000, .interval_ms = 1000};
    struct leat_error err;

    if (!module)
        return 1;
    /* What count_by_value's build() makes of a stream of text with a window of 1 s. */
    struct leat_arena plan_arena = {0};
    struct leat_segment segment = {.columns = LEAT_COL_PATHS};
    struct leat_view in = {
        .kind = LEAT_VIEW_VALUE,
        .segment = &segment,
        .column = LEAT_COL_THIS,
        .type = leat_type_of_kind(LEAT_T_STRING),
        .event_time = true,
        .window = {.kind = LEAT_WINDOW_SLIDING, .size_ms = 1000, .slide_ms = 1000}};
    struct leat_view out = in;
    struct leat_diags diags = {.arena = &plan_arena};
    struct leat_shapes shapes = {.arena = &plan_arena};
    struct leat_group_in combiner = {0};
    struct leat_build build = {.arena = &plan_arena,
                               .diags = &diags,
                               .shapes = &shapes,
                               .name = LEAT_LIT("count_by_value"),
                               .in = &in,
                               .in_count = 1,
                               .combiner_plans = (void *[]){&combiner},
                               .out = &out};
    void *plan = calloc(1, module->self_size);
    module->op->build(plan, &build);
    must(leat_chunk_init(&b.chunk, &b.arena, LEAT_COL_PATHS, &err), &err);
    must(leat_chunk_init(&b.out, &b.arena, LEAT_COL_PATHS, &err), &err);
    b.out.arena = &b.out_arena;
    struct leat_task task = {.batch = &batch,
                             .watermark_before_ms = LEAT_NO_TIME,
                             .watermark_ms = LEAT_NO_TIME,
                             .arena = &b.task_arena,
                             .next = &b.next,
                             .out = &b.out,
                             .counts = &counts};
    for (int i = 0; i < ROUNDS; i++)
        round_of(&combiner, &b, &task, words, count);
    leat_arena_reset(&plan_arena);
    leat_arena_reset(&b.arena);
    leat_arena_reset(&b.out_arena);
    free(plan);
    free(words);
    return 0;
}
