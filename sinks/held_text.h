/*
 * held_text.h - text that waits for the commit of its batch and then goes to standard output.
 *
 * Shared by print and console. Functions are `static inline`, because each of the two is a module
 * that may be loaded alone. When writing fails, the text is kept and the whole of it is written
 * again by the next commit of the batch; when the reader is gone for good, it is dropped.
 */
#ifndef LEAT_SINKS_HELD_TEXT_H
#define LEAT_SINKS_HELD_TEXT_H

#include "leat.h"

#include <errno.h>
#include <unistd.h>

struct held_text {
    struct leat_arena arena;
    struct leat_bytes bytes;
    uint64_t n; /* the batch it belongs to; 0: none */
};

static inline void held_drop(struct held_text *h)
{
    leat_arena_reset(&h->arena);
    h->bytes = (struct leat_bytes){.arena = &h->arena};
    h->n = 0;
}

static inline void held_begin(struct held_text *h, uint64_t n)
{
    if (h->n != n)
        held_drop(h);
    h->n = n;
}

static inline void held_put(struct held_text *h, struct leat_slice s)
{
    s = s.ptr ? s : LEAT_LIT("null");
    leat_bytes_put(&h->bytes, s.ptr, s.len);
}

static inline enum leat_status held_checked(struct held_text *h, struct leat_error *err)
{
    return h->bytes.failed ? leat_arena_failed(&h->arena, err) : LEAT_OK;
}

static inline enum leat_status held_commit(struct held_text *h, const struct leat_env *env,
                                           uint64_t n, struct leat_error *err)
{
    struct leat_slice text = leat_bytes_slice(&h->bytes);
    int result = 0;

    if (h->n != n)
        return LEAT_OK;
    if (text.len)
        result = env->fs->write(env->fs, STDOUT_FILENO, text.ptr, text.len);
    if (result < 0 && result != -EPIPE)
        return leat_fs_failed(err, result, "write to", "standard output");
    held_drop(h);
    if (result == -EPIPE)
        return leat_fail(err, LEAT_E_BROKEN, "nobody reads standard output any more");
    return LEAT_OK;
}

#endif
