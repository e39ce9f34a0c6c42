/*
 * print.c - sink that shows the first rows of every batch on standard output, in Spark's form.
 *
 *     -------------------------------------------
 *     Time: 1414141414000 ms
 *     -------------------------------------------
 *     (word,3)
 *     ...
 *
 * A row is its text, in which the engine has put a pair as `(key,value)`; `...` says that there are
 * more; an empty line ends the block. Every batch has one, also an empty one. Nothing appears
 * before the commit; after a crash a block may be missing. Thread: the sink's.
 */
#include "held_text.h"

#include <inttypes.h>
#include <stdio.h>

#define RULE "-------------------------------------------\n"

struct print {
    int64_t num;

    const struct leat_env *env;
    struct held_text text;
    bool in_block;
    int64_t rows; /* of the block that is open */
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct print, num, .def = "10", .max = 1000000,
             .help = "How many rows of a batch are shown."),
    {0},
};

static enum leat_status print_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct print *p = self;

    (void)err;
    p->env = env;
    p->in_block = false;
    held_drop(&p->text);
    return LEAT_OK;
}

static enum leat_status print_recover(void *self, uint64_t n, struct leat_slice section,
                                      struct leat_error *err)
{
    (void)self, (void)n, (void)section, (void)err;
    return LEAT_OK;
}

static void end_block(struct print *p)
{
    if (!p->in_block)
        return;
    if (p->rows > p->num)
        held_put(&p->text, LEAT_LIT("...\n"));
    held_put(&p->text, LEAT_LIT("\n"));
    p->in_block = false;
}

static enum leat_status print_begin(void *self, uint64_t n, int64_t batch_time_ms,
                                    struct leat_error *err)
{
    struct print *p = self;
    char time[64];

    if (p->text.n == n)
        end_block(p);
    held_begin(&p->text, n);
    int len = snprintf(time, sizeof time, "Time: %" PRId64 " ms\n", batch_time_ms);
    held_put(&p->text, LEAT_LIT(RULE));
    held_put(&p->text, (struct leat_slice){time, (size_t)len});
    held_put(&p->text, LEAT_LIT(RULE));
    p->in_block = true;
    p->rows = 0;
    return held_checked(&p->text, err);
}

static enum leat_status print_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                    struct leat_error *err)
{
    struct print *p = self;

    held_begin(&p->text, n);
    for (uint32_t i = 0; i < chunk->selected && p->rows + i < p->num; i++) {
        held_put(&p->text, chunk->values[chunk->selection[i]]);
        held_put(&p->text, LEAT_LIT("\n"));
    }
    p->rows += chunk->selected;
    return held_checked(&p->text, err);
}

static enum leat_status print_prepare(void *self, uint64_t n,
                                      const struct leat_positions *positions,
                                      struct leat_bytes *section, struct leat_error *err)
{
    struct print *p = self;

    (void)positions, (void)section;
    if (p->text.n == n)
        end_block(p);
    return held_checked(&p->text, err);
}

static enum leat_status print_commit(void *self, uint64_t n, struct leat_error *err)
{
    struct print *p = self;

    return held_commit(&p->text, p->env, n, err);
}

static enum leat_status print_abort(void *self, uint64_t n, struct leat_error *err)
{
    struct print *p = self;

    (void)n, (void)err;
    p->in_block = false;
    held_drop(&p->text);
    return LEAT_OK;
}

static void print_close(void *self)
{
    struct print *p = self;

    held_drop(&p->text);
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "print",
    .summary = "shows the first rows of every batch on standard output",
    .by_lines = true,
    .self_size = sizeof(struct print),
    .opts = options,
    .sink =
        &(const struct leat_sink){
            .as_spark = true,
            .promise = LEAT_SINK_SHOWS,
            .open = print_open,
            .recover = print_recover,
            .begin = print_begin,
            .write = print_write,
            .prepare = print_prepare,
            .commit = print_commit,
            .abort = print_abort,
            .close = print_close,
        },
};

LEAT_MODULE(module);
