/*
 * null.c - sink that takes everything and keeps nothing, to measure or to run for the side effects
 * of what comes before it. Thread: any.
 */
#include "leat.h"

struct null {
    char unused; /* no options, nothing to remember */
};

static const struct leat_opt options[] = {{0}};

static enum leat_status null_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    (void)self, (void)env, (void)err;
    return LEAT_OK;
}

static enum leat_status null_recover(void *self, uint64_t n, struct leat_slice section,
                                     struct leat_error *err)
{
    (void)self, (void)n, (void)section, (void)err;
    return LEAT_OK;
}

static enum leat_status null_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                   struct leat_error *err)
{
    (void)self, (void)n, (void)chunk, (void)err;
    return LEAT_OK;
}

static enum leat_status null_prepare(void *self, uint64_t n, const struct leat_positions *positions,
                                     struct leat_bytes *section, struct leat_error *err)
{
    (void)self, (void)n, (void)positions, (void)section, (void)err;
    return LEAT_OK;
}

static enum leat_status null_done(void *self, uint64_t n, struct leat_error *err)
{
    (void)self, (void)n, (void)err;
    return LEAT_OK;
}

static void null_close(void *self)
{
    (void)self;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "null",
    .summary = "takes everything and keeps nothing",
    .self_size = sizeof(struct null),
    .opts = options,
    .sink =
        &(const struct leat_sink){
            .discards = true,
            .promise = LEAT_SINK_SHOWS,
            .open = null_open,
            .recover = null_recover,
            .write = null_write,
            .prepare = null_prepare,
            .commit = null_done,
            .abort = null_done,
            .close = null_close,
        },
};

LEAT_MODULE(module);
