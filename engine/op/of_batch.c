/*
 * of_batch.c - `of_batch`: what came out of a window that ends with every batch is of its batch.
 *
 * The C library puts it behind windows, whose results are streams like any other there: they may be
 * united and joined with those of a batch, and windows may be behind them. Nothing is done to rows;
 * what comes after does not see the window any more.
 */
#include "base/module.h"
#include "op/build.h"

static void of_batch_build(void *plan, struct leat_build *b)
{
    (void)plan;
    if (b->out->event_time)
        return; /* windows end when the watermark comes, whatever batch that is in */
    b->out->windowed = false;
    b->out->came_from = (struct leat_window_spec){0};
}

static enum leat_status of_batch_process(const void *plan, void *memory, struct leat_task *task,
                                         struct leat_chunk *chunk, struct leat_error *err)
{
    (void)plan, (void)memory;
    return task->next->push(task->next, chunk, err);
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "of_batch",
    .summary = "results of windows as rows of their batch",
    .op =
        &(const struct leat_op){
            .scope = LEAT_SCOPE_ROW,
            .internal = true,
            .build = of_batch_build,
            .process = of_batch_process,
        },
};

LEAT_MODULE(module);
