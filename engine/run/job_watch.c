/*
 * job_watch.c - telling who watches the job. Thread: job.
 */
#include "run/job_thread.h"

static const struct leat_job_watch *watch_of(const struct leat_job_thread *job)
{
    return job->options.watch;
}

void leat_job_watch_started(const struct leat_job_thread *job)
{
    if (watch_of(job))
        watch_of(job)->started(watch_of(job)->arg);
}

void leat_job_watch_cut(const struct leat_job_thread *job, int64_t batch_ms)
{
    if (watch_of(job))
        watch_of(job)->cut(watch_of(job)->arg, batch_ms, job->now_ms);
}

static int64_t known(const struct leat_flow_batch *b)
{
    return b->rows_guessed ? -1 : (int64_t)b->rows_hint;
}

void leat_job_watch_begun(const struct leat_job_thread *job, const struct leat_flow_batch *b)
{
    const struct leat_job_watch_batch begun = {.time_ms = b->info.time_ms,
                                               .began_ms = b->info.clock_ms,
                                               .ended_ms = -1,
                                               .known = known(b)};

    if (watch_of(job))
        watch_of(job)->begun(watch_of(job)->arg, &begun);
}

static void tell_batches(const struct leat_job_thread *job, const struct leat_job_slot *slot,
                         const struct leat_error *why)
{
    for (const struct leat_job_cut *c = slot->first; c; c = c->next) {
        const struct leat_job_watch_batch b = {.time_ms = c->flow->info.time_ms,
                                               .began_ms = c->flow->info.clock_ms,
                                               .ended_ms = job->now_ms,
                                               .records = why ? 0 : c->flow->counts.rows_in,
                                               .known = known(c->flow),
                                               .why = why};
        watch_of(job)->batch(watch_of(job)->arg, &b);
    }
}

void leat_job_watch_committed(const struct leat_job_thread *job, const struct leat_job_slot *slot)
{
    if (!watch_of(job))
        return;
    for (const struct leat_job_cut *c = slot->first; c; c = c->next)
        for (uint32_t i = 0; i < c->count; i++)
            watch_of(job)->committed(watch_of(job)->arg,
                                     job->sources[c->moves[i].part->source].log.part,
                                     c->moves[i].to);
    tell_batches(job, slot, NULL);
}

void leat_job_watch_failed(const struct leat_job_thread *job)
{
    uint64_t older = job->step.finished + 1;

    for (uint64_t n = older; watch_of(job) && n < older + 2; n++)
        if (job->batches[n % 2].group && job->batches[n % 2].n == n)
            tell_batches(job, &job->batches[n % 2], &job->error);
}

void leat_job_watch_output(const struct leat_job_thread *job, const struct leat_sink_work *w,
                           bool is_over)
{
    const struct leat_job_slot *slot = &job->batches[w->n % 2];
    const struct leat_job_watch_output o = {.sink = job->outside[w->sink],
                                            .batch_ms = slot->last->flow->info.time_ms,
                                            .now_ms = job->now_ms,
                                            .is_over = is_over,
                                            .why = w->error.status == LEAT_OK ? NULL : &w->error};

    if (watch_of(job))
        watch_of(job)->output(watch_of(job)->arg, &o);
}

void leat_job_watch_receiver(const struct leat_job_source *s, enum leat_job_watch_receiver what,
                             const struct leat_error *why)
{
    const struct leat_job_watch *w = watch_of(s->job);

    if (w)
        w->receiver(w->arg, s->log.part, what, why && why->status != LEAT_OK ? why : NULL);
}
