/*
 * console.c - sink that writes every record to standard output, one per line.
 *
 * A line is what the format made of the value; a value that is none is `null`. Nothing appears
 * before the commit of its batch; after a crash lines may be missing. Thread: the sink's.
 */
#include "held_text.h"

struct console {
    bool key;

    const struct leat_env *env;
    struct held_text text;
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct console, key, .def = "false",
             .help = "Whether the key stands before the value, with a tab between them."),
    {0},
};

static enum leat_status console_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct console *c = self;

    (void)err;
    c->env = env;
    held_drop(&c->text);
    return LEAT_OK;
}

static enum leat_status console_recover(void *self, uint64_t n, struct leat_slice section,
                                        struct leat_error *err)
{
    (void)self, (void)n, (void)section, (void)err;
    return LEAT_OK;
}

static enum leat_status console_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                      struct leat_error *err)
{
    struct console *c = self;

    held_begin(&c->text, n);
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        if (c->key) {
            held_put(&c->text, chunk->keys[row]);
            held_put(&c->text, LEAT_LIT("\t"));
        }
        held_put(&c->text, chunk->values[row]);
        held_put(&c->text, LEAT_LIT("\n"));
    }
    return held_checked(&c->text, err);
}

static enum leat_status console_prepare(void *self, uint64_t n,
                                        const struct leat_positions *positions,
                                        struct leat_bytes *section, struct leat_error *err)
{
    struct console *c = self;

    (void)n, (void)positions, (void)section;
    return held_checked(&c->text, err);
}

static enum leat_status console_commit(void *self, uint64_t n, struct leat_error *err)
{
    struct console *c = self;

    return held_commit(&c->text, c->env, n, err);
}

static enum leat_status console_abort(void *self, uint64_t n, struct leat_error *err)
{
    struct console *c = self;

    (void)n, (void)err;
    held_drop(&c->text);
    return LEAT_OK;
}

static void console_close(void *self)
{
    struct console *c = self;

    held_drop(&c->text);
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "console",
    .summary = "writes every record to standard output, one per line",
    .by_lines = true,
    .self_size = sizeof(struct console),
    .opts = options,
    .sink =
        &(const struct leat_sink){
            .promise = LEAT_SINK_SHOWS,
            .open = console_open,
            .recover = console_recover,
            .write = console_write,
            .prepare = console_prepare,
            .commit = console_commit,
            .abort = console_abort,
            .close = console_close,
        },
};

LEAT_MODULE(module);
