/*
 * generate.c - pull source of the numbers 0, 1, 2, ..., as fast as `rate` says.
 *
 * A row's value is the number as text, and so is its position: any of them can be read again.
 * What records look like is said by expressions over `i`, which the planner compiles into a map
 * that stands behind this source. Pace is kept by the monotonic clock from the first fetch on;
 * what is due comes with the next fetch, so a slow batch interval means larger batches, not fewer
 * records.
 *
 * Thread: job. A fetch is answered before it returns.
 */
#include "leat.h"

#define DIGITS_MAX 20
#define ROWS_MAX   65536 /* of one block, whatever the fetch asks for */

struct generate {
    struct leat_rate rate;
    int64_t count;
    bool catch_up;
    struct leat_expression_or_record key, value; /* the planner's */
    struct leat_expression time;

    const struct leat_env *env;
    bool started;
    int64_t base;    /* this number was due ... */
    int64_t base_ms; /* ... at this time of the monotonic clock */
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct generate, rate, .def = "0/s",
             .help = "Records per second, such as 1000/s; 0/s is as many as the job takes."),
    LEAT_OPT(struct generate, count, .def = "0", .max = INT64_MAX,
             .help = "How many records there are in all; 0 is without end. A run until caught_up "
                     "needs an end, and takes as long as the records need at their rate."),
    LEAT_OPT(struct generate, catch_up, .def = "true",
             .help = "Whether records that were due while the job was slow are made up for; false "
                     "drops all but the last second of them."),
    LEAT_OPT(struct generate, key, .optional = true,
             .help = "Key of a record: an expression over i, its number, counted from 0."),
    LEAT_OPT(struct generate, value, .optional = true,
             .help = "Value of a record over i; without it the value is i."),
    LEAT_OPT(struct generate, time, .optional = true, .help = "Time of a record over i."),
    {0},
};

static enum leat_status generate_open(void *self, const struct leat_env *env,
                                      struct leat_error *err)
{
    struct generate *g = self;

    (void)err;
    g->env = env;
    g->started = false;
    return LEAT_OK;
}

static enum leat_status generate_partitions(void *self,
                                            void (*each)(void *arg, const struct leat_part *p),
                                            void *arg, struct leat_error *err)
{
    struct generate *g = self;

    (void)err;
    each(arg, &(struct leat_part){.name = LEAT_LIT("generate"),
                                  .end = g->count ? g->count : -1,
                                  .finished = g->count > 0,
                                  .endless = g->count == 0});
    return LEAT_OK;
}

/* The first number that is not due yet. */
static int64_t due(struct generate *g, int64_t from)
{
    int64_t end = g->count ? g->count : INT64_MAX;
    int64_t now_ms = leat_clock_monotonic_ms(g->env->clock);
    double rate = g->rate.per_second;

    if (rate <= 0)
        return end;
    if (!g->started) {
        g->started = true;
        g->base = from;
        g->base_ms = now_ms;
    }
    double ahead = (double)(now_ms - g->base_ms) * rate / 1000;
    int64_t upto = ahead < (double)(end - g->base) ? g->base + (int64_t)ahead : end;
    if (!g->catch_up && (double)(upto - from) > rate + 1) {
        g->base = from;
        g->base_ms = now_ms - 1000;
        upto = from + (int64_t)rate;
    }
    return upto;
}

static struct leat_slice decimal(uint64_t i, char text[DIGITS_MAX])
{
    char *at = text + DIGITS_MAX;

    do
        *--at = (char)('0' + i % 10);
    while (i /= 10);
    return (struct leat_slice){at, (size_t)(text + DIGITS_MAX - at)};
}

static enum leat_status fill(struct generate *g, const struct leat_fetch *fetch,
                             struct leat_block **block, struct leat_error *err)
{
    const size_t row_bytes = LEAT_FRAME_BYTES + DIGITS_MAX;
    char text[DIGITS_MAX];
    int64_t now_ms = leat_clock_now_ms(g->env->clock);

    if (g->count && fetch->from > g->count)
        return leat_fail(err, LEAT_E_LOST, "there are %lld records, none at %lld",
                         (long long)g->count, (long long)fetch->from);
    int64_t upto = due(g, fetch->from);
    int64_t rows = upto > fetch->from ? upto - fetch->from : 0;
    size_t fit = fetch->max_bytes / row_bytes;
    fit = fit < 1 ? 1 : fit > ROWS_MAX ? ROWS_MAX : fit;
    if (fetch->max_rows && fetch->max_rows < fit)
        fit = fetch->max_rows;
    if (rows > (int64_t)fit)
        rows = (int64_t)fit;
    if (leat_block_new(g->env->budget, &leat_coding_framed, (size_t)rows * row_bytes, block, err) !=
        LEAT_OK)
        return err->status;
    struct leat_block *b = *block;
    b->from = fetch->from;
    for (int64_t i = fetch->from; i < fetch->from + rows; i++)
        leat_block_append(b, &(struct leat_row){.value = decimal((uint64_t)i, text),
                                                .time_ms = now_ms,
                                                .position = i});
    b->at_end = b->from + rows >= upto;
    b->finished = g->count && b->from + rows == g->count;
    leat_block_seal(b, b->from + rows);
    return LEAT_OK;
}

static void generate_fetch(void *self, const struct leat_fetch *fetch, leat_fetch_done *done,
                           void *arg)
{
    struct leat_error err = {0};
    struct leat_block *b = NULL;

    fill(self, fetch, &b, &err);
    done(arg, fetch, b, &err);
}

static void generate_lost(void *self, uint32_t part)
{
    (void)self, (void)part; /* nothing is read ahead */
}

static void generate_close(void *self)
{
    (void)self;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "generate",
    .summary = "makes records from their number, at a given rate",
    .usual_format = "text",
    .computed = true,
    .self_size = sizeof(struct generate),
    .opts = options,
    .pull =
        &(const struct leat_pull){
            .open = generate_open,
            .partitions = generate_partitions,
            .fetch = generate_fetch,
            .lost = generate_lost,
            .close = generate_close,
        },
};

LEAT_MODULE(module);
