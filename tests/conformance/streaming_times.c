/*
 * streaming_times.c - vectors of times and durations: expressions of a pipeline file, the grid that
 * windows lie on, and the ticks of a job whose clock is moved by hand.
 */
#include "streaming.h"

#include "data/value_ops.h"
#include "expr/expr.h"
#include "op/grid.h"
#include "stream_ready.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- durations: what a pipeline file would have in an expression */

static enum leat_found no_names(struct leat_names *self, const struct leat_slice *path,
                                size_t count, struct leat_ref *ref)
{
    (void)self, (void)path, (void)count, (void)ref;
    return LEAT_FOUND_NOTHING;
}

/* NULL: why. */
static json_t *evaluate(const char *text, struct failure *why)
{
    struct leat_arena memory = {0};
    struct leat_names names = {.resolve = no_names};
    struct leat_diags diags = {.arena = &memory};
    struct leat_compile compile = {.names = &names, .arena = &memory, .diags = &diags};
    struct leat_node node = {
        .kind = LEAT_NODE_SCALAR, .text = leat_slice_str(text), .mark = {1, 1, 1}};
    const struct leat_program *p = leat_compile(&compile, &node);
    struct leat_eval *ev = leat_eval_new();
    struct leat_chunk chunk;
    struct leat_error err;
    json_t *result = NULL;

    if (!p)
        differs(why, "'%s' is refused: %.*s", text,
                LEAT_FMT(diags.first ? diags.first->text : LEAT_LIT("without a word")));
    else if (!ev || leat_chunk_init(&chunk, &memory, LEAT_COL_PATHS + 1, &err) != LEAT_OK)
        differs(why, "out of memory");
    else {
        leat_chunk_add(&chunk, &(struct leat_row){.time_ms = LEAT_NO_TIME});
        leat_eval_chunk(p, ev, &chunk, LEAT_COL_PATHS);
        struct leat_value v = chunk.columns[LEAT_COL_PATHS][0];
        if (v.tag == LEAT_ERROR)
            differs(why, "'%s': %.*s", text, LEAT_FMT(leat_value_text(v)));
        else
            result = json_of_value(v);
    }
    leat_eval_free(ev);
    leat_arena_reset(&memory);
    return result;
}

/* Of the durations $a and $b; b is a number where one multiplies by it. */
static const struct {
    const char *op, *expression;
} expressions[] = {
    {"<", "$a < $b"},
    {"<=", "$a <= $b"},
    {">", "$a > $b"},
    {">=", "$a >= $b"},
    {"==", "$a == $b"},
    {"!=", "$a != $b"},
    {"+", "($a + $b).millis()"},
    {"-", "($a - $b).millis()"},
    {"*", "$a.millis() * $n"},
    {"/", "double($a.millis()) / double($b.millis())"},
    {"isMultipleOf", "$a.millis() % $b.millis() == 0"},
    {"min", "[$a, $b].min().millis()"},
    {"max", "[$a, $b].max().millis()"},
    {"isZero", "$a == duration('0s')"},
};

json_t *duration_answer(json_t *c, json_t *in, int partitions, struct failure *why)
{
    const char *op = json_string_value(json_array_get(in, 0)), *from = NULL;
    const int64_t operands[] = {json_integer_value(json_array_get(in, 1)),
                                json_integer_value(json_array_get(in, 2))};
    char text[300] = "";

    (void)c, (void)partitions;
    for (size_t i = 0; op && i < sizeof expressions / sizeof *expressions; i++)
        if (strcmp(op, expressions[i].op) == 0)
            from = expressions[i].expression;
    if (!from) {
        differs(why, "the runner has no expression for '%s'", op ? op : "");
        return NULL;
    }
    for (size_t at = 0; *from && at + 40 < sizeof text; from++) {
        if (*from != '$')
            text[at++] = *from;
        else if (*++from == 'n')
            at += (size_t)snprintf(text + at, sizeof text - at, "%" PRId64, operands[1]);
        else
            at += (size_t)snprintf(text + at, sizeof text - at, "duration('%" PRId64 "ms')",
                                   operands[*from - 'a']);
    }
    return evaluate(text, why);
}

/* ---- times on a grid */

/* Where the last window ended, of those that are so long and follow each other from zero_ms on. */
static struct leat_grid grid_of(int64_t length_ms, int64_t zero_ms)
{
    return leat_grid_of(&(struct leat_window_spec){.kind = LEAT_WINDOW_SLIDING,
                                                   .size_ms = length_ms,
                                                   .slide_ms = length_ms,
                                                   .offset_ms = zero_ms},
                        false);
}

json_t *time_floor(json_t *c, json_t *in, int partitions, struct failure *why)
{
    int64_t length_ms = json_integer_value(json_array_get(in, 1));

    (void)c, (void)partitions;
    if (length_ms < 1) {
        differs(why, "no length");
        return NULL;
    }
    struct leat_grid g = grid_of(length_ms, json_integer_value(json_array_get(in, 2)));
    return json_integer(leat_grid_end_before(&g, json_integer_value(json_array_get(in, 0))));
}

/* ---- ticks */

/* The clock goes where the vectors say, one after the other, up to this one. There is a file of
 * every tick: a job makes up for all ticks that have files. The first is at zero_ms, since no file
 * is from before 1970. */
struct ticking {
    json_t *vectors, *until;
    int64_t period_ms, zero_ms, last_ms;
    char dir[32];
};

static bool make_files(struct ticking *t, int64_t to_ms, struct failure *why)
{
    for (; t->last_ms + t->period_ms <= to_ms; t->last_ms += t->period_ms) {
        char name[24];
        snprintf(name, sizeof name, "%" PRId64, t->last_ms + t->period_ms);
        if (!make_file(t->dir, name, t->last_ms + t->period_ms, why))
            return false;
    }
    return true;
}

static bool tick_through(struct ticking *t, struct run *r, struct failure *why)
{
    json_t *v;
    size_t i;

    if (leat_start(r->ctx, &r->ended) != LEAT_OK)
        return differs(why, "%s", r->ended.text);
    wait_until_ready(r->ctx);
    bool good = true;
    json_array_foreach(t->vectors, i, v)
    {
        json_t *in = json_object_get(v, "in");
        int64_t clock_ms = t->zero_ms + number_at(in, "clock_ms", 0);
        good = good && make_files(t, clock_ms, why) && run_to(r, clock_ms, t->last_ms, why);
        if (in == t->until)
            break;
    }
    if (leat_stop(r->ctx, false, &r->ended) != LEAT_OK)
        good = differs(why, "%s", r->ended.text);
    return good;
}

json_t *recurring_timer(json_t *c, json_t *in, int partitions, struct failure *why)
{
    int64_t period_ms = number_at(json_object_get(c, "params"), "period_ms", 1000);
    struct ticking t = {.vectors = json_object_get(c, "vectors"),
                        .until = in,
                        .period_ms = period_ms,
                        .zero_ms = 1000 * period_ms,
                        .last_ms = 999 * period_ms};
    json_t *ticks = NULL, *batch;
    struct run r;
    size_t i;

    bool good = run_init(&r, period_ms, t.last_ms, partitions, why) && make_dir(t.dir, why);
    if (good) {
        run_collect(&r, leat_text_file_stream(r.ctx, t.dir), false);
        ticks = tick_through(&t, &r, why) ? json_array() : NULL;
        json_array_foreach(r.batches, i, batch)
            json_array_append_new(ticks, json_integer(number_at(batch, "time", 0) - t.zero_ms));
        remove_dir(t.dir);
    }
    run_free(&r);
    return ticks;
}

/* Without a beginning: the first batch of a job that starts then. With one, which the batches of a
 * job have not, that of a window is looked at. */
json_t *timer_start(json_t *c, json_t *in, int partitions, struct failure *why)
{
    int64_t now_ms = number_at(in, "now", 0), period_ms = number_at(in, "period", 1000);
    json_t *first = NULL;
    struct run r;

    (void)c;
    if (json_object_get(in, "zero")) {
        struct leat_grid g = grid_of(period_ms, number_at(in, "zero", 0));
        return json_integer(leat_grid_next_end(&g, leat_grid_end_before(&g, now_ms)));
    }
    if (run_init(&r, period_ms, now_ms, partitions, why)) {
        run_collect(&r, leat_queue_stream(r.ctx, true), false);
        if (leat_start(r.ctx, &r.ended) != LEAT_OK)
            differs(why, "%s", r.ended.text);
        wait_until_ready(r.ctx);
        if (!why->text[0] && run_to(&r, now_ms + period_ms, now_ms + 1, why))
            first = json_integer(number_at(json_array_get(r.batches, 0), "time", -1));
    }
    run_free(&r);
    return first;
}
