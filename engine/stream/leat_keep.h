/*
 * leat_keep.h - a context that goes on from what an earlier process has left in a directory.
 * Included by leat_stream.h.
 */
#ifndef LEAT_KEEP_H
#define LEAT_KEEP_H

#include "leat_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes a context with all its streams and outputs, and does not start it. NULL: it could not. */
typedef struct leat_context *leat_create_function(void *arg);

/* A context whose checkpoints are in `dir`, which need not exist: a new one, or one that goes on
 * where an earlier process has ended, however it ended. `create` is called once in both cases,
 * since functions of a C program are in the program and not in a file; what comes from `dir` are
 * positions of sources, state, windows, and what receivers stored on disk. *goes_on, unless NULL:
 * there is something in `dir` to go on from.
 *
 * *ctx is what `create` gave, also after a failure; the caller frees it. LEAT_E_MISUSE: something
 * is NULL, or create gave no context, or one that was started; LEAT_E_CONFIG: create has set
 * another directory; LEAT_E_IO: `dir` cannot be looked into. Mistakes of the graph are
 * leat_start()'s, and so is state in `dir` that does not fit it. What is damaged in `dir` ends the
 * job, which is leat_await_termination()'s failure; nothing is begun anew by itself. */
LEAT_API LEAT_CHECKED enum leat_status
leat_context_get_or_create(const char *dir, leat_create_function *create, void *arg,
                           struct leat_context **ctx, bool *goes_on, struct leat_error *err);

#ifdef __cplusplus
}
#endif

#endif
