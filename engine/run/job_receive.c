/*
 * job_receive.c - receivers: push sources whose records are kept outside first.
 *
 * Such a source has two halves. What the job reads is a pull source, which finds the records in the
 * place where the receiver's thread has put them. The place comes first: before it is there and fit
 * nothing is received and nothing read. A bounded run reads what the place has, and receives
 * nothing. Thread: job.
 */
#include "run/job_thread.h"

#include <assert.h>

static_assert(LEAT_KEEP_BLOCKS >= LEAT_JOB_BLOCKS, "the keeper takes what there are credits for");

bool leat_job_receives(const struct leat_job_source *s)
{
    return s->plan->receiver.module;
}

static void *copy_of(struct leat_job_thread *job, const void *self, size_t size)
{
    void *copy = leat_arena_alloc(&job->arena, size);

    if (copy && self)
        memcpy(copy, self, size);
    return copy;
}

enum leat_status leat_job_receive_init(struct leat_job_source *s, struct leat_error *err)
{
    const struct leat_plan_receiver *r = &s->plan->receiver;
    struct leat_job_thread *job = s->job;

    s->push = r->module->push;
    s->push_self = copy_of(job, r->self, r->module->self_size);
    s->keep = (struct leat_keep_thread){.inbox = &s->inbox,
                                        .job = &job->in,
                                        .lines = &s->log,
                                        .env = &s->env,
                                        .keep = r->keep,
                                        .self = copy_of(job, r->keep_self, r->keep->self_size)};
    s->retry.again_ms = s->receive.again_ms = LEAT_JOB_NEVER;
    return s->push_self && s->keep.self ? LEAT_OK : leat_arena_failed(&job->arena, err);
}

static enum leat_status wait_for(struct leat_job_source *s, const struct leat_error *why,
                                 struct leat_error *err)
{
    leat_job_watch_receiver(s, LEAT_WATCH_FAILED, why);
    if (leat_retry_wait(&s->receive, &s->log, why, s->job->now_ms))
        return LEAT_OK;
    *err = *why;
    return leat_error_prefix(err, "source '%.*s'", LEAT_FMT(s->plan->name));
}

/* Before anything else: what an earlier store of the source has must not be forgotten. */
static enum leat_status begin(struct leat_job_source *s, struct leat_error *err)
{
    if (leat_inbox_init(&s->inbox, s->push, s->push_self, &s->env, &s->job->in, LEAT_JOB_BLOCKS,
                        LEAT_JOB_INBOX_BYTES, err) != LEAT_OK)
        return err->status;
    s->has_inbox = true;
    if (leat_job_store_refuse_rest(s, err) != LEAT_OK ||
        leat_keep_thread_start(&s->keep, err) != LEAT_OK)
        return leat_error_prefix(err, "source '%.*s'", LEAT_FMT(s->plan->name));
    return LEAT_OK;
}

/* The place is there, or it never will be. */
enum leat_status leat_job_keep_news(struct leat_job_source *s, struct leat_error *err)
{
    atomic_store(&s->keep.news_sent, false);
    if (atomic_load(&s->keep.failed)) {
        *err = s->keep.error;
        return leat_error_prefix(err, "source '%.*s'", LEAT_FMT(s->plan->name));
    }
    s->retry.again_ms = 0;
    if (s->job->step.mode == LEAT_JOB_INTERVAL)
        s->receive.again_ms = 0;
    return LEAT_OK;
}

enum leat_status leat_job_receive_turn(struct leat_job_source *s, struct leat_error *err)
{
    struct leat_error why;

    if (!s->has_inbox)
        return begin(s, err);
    if (s->job->now_ms < s->receive.again_ms)
        return LEAT_OK;
    if (s->push->open(s->push_self, &s->env, &why) != LEAT_OK) {
        s->push->close(s->push_self);
        return wait_for(s, &why, err);
    }
    s->push_is_open = true;
    leat_retry_over(&s->receive, &s->log);
    s->receive.again_ms = LEAT_JOB_NEVER;
    return leat_job_start_push(s, err);
}

enum leat_status leat_job_receive_ended(struct leat_job_source *s, const struct leat_error *why,
                                        struct leat_error *err)
{
    s->push->close(s->push_self);
    s->push_is_open = false;
    return why->status == LEAT_OK ? LEAT_OK : wait_for(s, why, err);
}
