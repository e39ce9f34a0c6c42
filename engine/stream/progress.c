/*
 * progress.c - what a context has done so far: counts, and its last batches.
 *
 * Counts are kept where the job tells (listener.c), and come with every event: they are right also
 * when the thread of the listeners is too slow for all of them. What is shown is as of the last
 * event that listeners have heard, or hear.
 */
#include "stream.h"

#include <stdio.h>

struct leat_progress {
    struct leat_progress *next;
    size_t limit;
    pthread_mutex_t lock;
    /* guarded by lock */
    struct leat_progress_counts counts;
    size_t newest;
    char failure[sizeof((struct leat_error *)0)->text]; /* of all that failed: there is one */
    struct leat_batch_info last[];
};

void stream_progress_heard(const struct leat_context *ctx,
                           const struct leat_progress_counts *counts,
                           const struct leat_batch_info *completed)
{
    for (struct leat_progress *p = ctx->first_progress; p; p = p->next) {
        pthread_mutex_lock(&p->lock);
        size_t retained = p->counts.retained;
        p->counts = *counts;
        if (completed) {
            p->newest = (p->newest + 1) % p->limit;
            p->last[p->newest] = *completed;
            retained += retained < p->limit;
            if (completed->failure) {
                if (!p->failure[0]) /* who asked for the batch before may read it just now */
                    snprintf(p->failure, sizeof p->failure, "%s", completed->failure);
                p->last[p->newest].failure = p->failure;
            }
        }
        p->counts.retained = retained;
        pthread_mutex_unlock(&p->lock);
    }
}

void stream_progress_free(struct leat_context *ctx)
{
    for (struct leat_progress *p = ctx->first_progress; p; p = p->next)
        pthread_mutex_destroy(&p->lock);
}

struct leat_progress *leat_add_progress_at(struct leat_context *ctx, size_t limit,
                                           const char *where)
{
    static const char what[] = "leat_add_progress";
    struct leat_progress *p = NULL;

    if (!ctx)
        return NULL;
    pthread_mutex_lock(&ctx->lock);
    if (limit < 1 || limit > LEAT_PROGRESS_MAX)
        stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: 1 to %d batches can be retained", what,
                       LEAT_PROGRESS_MAX);
    else if (stream_open(ctx, where, what))
        p = stream_alloc(ctx, sizeof *p + limit * sizeof *p->last);
    if (p && pthread_mutex_init(&p->lock, NULL) != 0) {
        stream_mistake(ctx, where, LEAT_E_NOMEM, "out of memory");
        p = NULL;
    }
    if (p) {
        p->limit = limit;
        p->next = ctx->first_progress;
        ctx->first_progress = p;
    }
    pthread_mutex_unlock(&ctx->lock);
    return p;
}

void leat_progress_count(struct leat_progress *p, struct leat_progress_counts *counts)
{
    if (!counts)
        return;
    *counts = (struct leat_progress_counts){0};
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    *counts = p->counts;
    pthread_mutex_unlock(&p->lock);
}

size_t leat_progress_batches(struct leat_progress *p, struct leat_batch_info *into, size_t room)
{
    if (!p || !into)
        return 0;
    pthread_mutex_lock(&p->lock);
    size_t n = p->counts.retained < room ? p->counts.retained : room;
    for (size_t i = 0; i < n; i++)
        into[i] = p->last[(p->newest + p->limit - i) % p->limit];
    pthread_mutex_unlock(&p->lock);
    return n;
}
