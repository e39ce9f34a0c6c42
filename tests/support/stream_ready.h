/*
 * stream_ready.h - a context whose clock a test moves: waiting until its job looks at it.
 */
#ifndef STREAM_READY_H
#define STREAM_READY_H

#include "stream.h"

/* Until the job has begun, or the context has ended. */
static inline void wait_until_ready(struct leat_context *ctx)
{
    pthread_mutex_lock(&ctx->lock);
    while (!leat_job_is_ready(ctx->job) && !ctx->ended)
        pthread_cond_wait(&ctx->changed, &ctx->lock);
    pthread_mutex_unlock(&ctx->lock);
}

#endif
