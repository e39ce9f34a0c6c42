/*
 * leat_keep.h - what lasts: a context that goes on from what an earlier process has left in a
 * directory, and batches of a stream that are kept for a while.
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

/* The same for a program that must not begin anew, since what it goes on from is there, or was:
 * where nothing has written to `dir`, or there is no such directory, it is LEAT_E_LOST, `create` is
 * not called, and *ctx is NULL. */
LEAT_API LEAT_CHECKED enum leat_status leat_context_go_on(const char *dir,
                                                          leat_create_function *create, void *arg,
                                                          struct leat_context **ctx,
                                                          struct leat_error *err);

/* Keep the last batches of this stream in memory, for leat_slice_batches(): a copy of its elements,
 * beside what `memory` limits. It is no output: a graph needs another. Gives the same stream.
 * Levels: "MEMORY_ONLY", "MEMORY_ONLY_SER", which are the same here, or NULL. A stream that several
 * others read is computed once in any case, so nothing has to be persisted for that.
 *
 * How long they are kept is Spark's rule: its last batch; where a state, or a window with an
 * inverse, is in the stream, for twice its checkpoint interval; as long as leat_remember() says;
 * and as long as a stream that is made of this one, and its window. */
#define leat_persist(stream, level) leat_persist_at(stream, level, LEAT_HERE)
LEAT_API struct leat_stream *leat_persist_at(struct leat_stream *stream, const char *level,
                                             const char *where);

/* Batches are kept for so long at least, by their times. Once, before leat_start(). */
#define leat_remember(ctx, duration_ms) leat_remember_at(ctx, duration_ms, LEAT_HERE)
LEAT_API void leat_remember_at(struct leat_context *ctx, int64_t duration_ms, const char *where);

/* The states of this stream are written as a whole at least so often: a restart reads less of the
 * log, and there is more to write. Without it `checkpoint.snapshot_every` holds, which is for the
 * whole context; of several intervals, and of that setting, the shortest does. What leat_persist()
 * keeps is kept for two of them: a stream that says nothing has 10 s, or 10 batches behind
 * leat_map_with_state(). A multiple of how often the stream comes, shorter than leat_remember() if
 * that is set, and with leat_checkpoint(): else leat_start() fails with LEAT_E_CONFIG. The last
 * call counts. Gives the same stream. */
#define leat_checkpoint_every(stream, interval_ms)                                                 \
    leat_checkpoint_every_at(stream, interval_ms, LEAT_HERE)
LEAT_API struct leat_stream *leat_checkpoint_every_at(struct leat_stream *stream,
                                                      int64_t interval_ms, const char *where);

/* Calls fn with every kept batch of the stream whose time is from `from_ms` to `to_ms`, both
 * included, in order, also with empty ones, on the calling thread; the first failure of fn ends it
 * and is returned. A time between two batches is that of the first of them; there are none before
 * the first batch, whatever is asked for. What is there at the call is shown, and stays until fn
 * has seen it. A batch is there from the moment on in which the context's outputs have it, which
 * may be shortly before it is committed; those of an earlier process are not there. While the
 * context is active or after it has stopped. LEAT_E_LOST: some of that time is not kept any more.
 * LEAT_E_MISUSE: something is NULL, `from_ms` is behind `to_ms`, the context was not started, or
 * the stream is not one that leat_persist() was called for. Thread: any, also in a function of the
 * context. */
LEAT_API LEAT_CHECKED enum leat_status leat_slice_batches(struct leat_stream *stream,
                                                          int64_t from_ms, int64_t to_ms,
                                                          leat_rdd_function *fn, void *arg,
                                                          struct leat_error *err);

#ifdef __cplusplus
}
#endif

#endif
