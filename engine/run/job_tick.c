/*
 * job_tick.c - sources whose partitions belong to ticks (data/source.h: leat_by_tick): what the log
 * knows of them, and which of them the ticks have that have come. Thread: job.
 *
 * When the job's first life began is a position of its own in the log, of a partition without a
 * name; before the first batch it is when the log was begun. A partition is in the log from the
 * batch on behind which it was named, so that it is read to its end however long that takes.
 */
#include "run/job_thread.h"

bool leat_job_is_by_tick(const struct leat_job_source *s)
{
    const struct leat_pull *pull = s->plan->module->pull;

    return pull && pull->by_tick && pull->by_tick->used(s->self);
}

enum leat_status leat_job_ticks_init(struct leat_job_source *s, struct leat_error *err)
{
    struct leat_job_thread *job = s->job;

    if (!leat_job_is_by_tick(s))
        return LEAT_OK;
    if (job->step.mode != LEAT_JOB_INTERVAL || job->options.from_ms || job->options.to_ms)
        return leat_fail(err, LEAT_E_CONFIG,
                         "what belongs to batches by its time goes by the clock: not with --from, "
                         "--to, or a run that ends when all is read");
    job->step.has_by_tick = true;
    const struct leat_log_record *last = leat_job_log_last(job->log);
    s->begin_ms = last->n == 0 && last->clock_ms ? last->clock_ms : job->now_ms;
    return LEAT_OK;
}

/* The time of the last batch. Where ticks have partitions and there was none, that of the tick in
 * front of the job's beginning: what has been missed since then was missed before the first batch.
 */
int64_t leat_job_ticks_behind(const struct leat_job_thread *job)
{
    const struct leat_log_record *last = leat_job_log_last(job->log);

    if (last->n > 0 || !job->step.has_by_tick)
        return last->batch_time_ms;
    return last->clock_ms / job->step.every_ms * job->step.every_ms;
}

enum leat_status leat_job_ticks_known(struct leat_job_source *s, struct leat_error *err)
{
    const struct leat_by_tick *by_tick = s->plan->module->pull->by_tick;

    for (uint32_t i = 0; leat_job_is_by_tick(s) && i < s->job->places_count; i++) {
        const struct leat_log_position *p = &s->job->places[i];
        if (!leat_slice_eq(p->source, s->plan->name))
            continue;
        if (p->partition.len == 0) {
            s->begin_ms = p->next;
            s->begin_is_logged = true;
        } else if (by_tick->known(s->self, p->partition, p->next, err) != LEAT_OK) {
            return err->status;
        }
    }
    return LEAT_OK;
}

/* What cannot be looked at now is asked about with a later tick. */
static enum leat_status due(struct leat_job_thread *job, struct leat_job_source *s,
                            struct leat_error *err)
{
    struct leat_ticks ticks = {.first_ms = job->ticks_first_ms,
                               .last_ms = job->ticks_last_ms,
                               .every_ms = job->step.every_ms,
                               .begin_ms = s->begin_ms};

    s->due_ms = LEAT_JOB_NEVER;
    s->was_asked = false;
    if (!s->next_tick_ms)
        s->next_tick_ms = ticks.first_ms;
    ticks.since_ms = s->next_tick_ms;
    if (!s->is_listed)
        return LEAT_OK;
    if (s->plan->module->pull->by_tick->due(s->self, &ticks, &s->due_ms, err) == LEAT_OK) {
        s->was_asked = true;
        return LEAT_OK;
    }
    s->due_ms = LEAT_JOB_NEVER;
    if (!leat_status_is_transient(err->status))
        return leat_error_prefix(err, "source '%.*s'", LEAT_FMT(s->plan->name));
    leat_retry_say(&s->retry, &s->log, err);
    return LEAT_OK;
}

static enum leat_status take(struct leat_job_source *s, int64_t time_ms, struct leat_error *err)
{
    struct leat_job_listing l = {.source = s};
    enum leat_status status =
        s->plan->module->pull->by_tick->take(s->self, time_ms, leat_job_each_part, &l, err);

    if (status == LEAT_OK && l.err.status != LEAT_OK) {
        *err = l.err;
        status = err->status;
    }
    return status == LEAT_OK ? LEAT_OK
                             : leat_error_prefix(err, "source '%.*s'", LEAT_FMT(s->plan->name));
}

static enum leat_status choose(struct leat_job_thread *job, int64_t *time_ms,
                               struct leat_error *err)
{
    *time_ms = LEAT_JOB_NEVER;
    for (uint32_t i = 0; i < job->plan->sources_count; i++) {
        struct leat_job_source *s = &job->sources[i];
        if (!leat_job_is_by_tick(s))
            continue;
        if (due(job, s, err) != LEAT_OK)
            return err->status;
        *time_ms = s->due_ms < *time_ms ? s->due_ms : *time_ms;
    }
    for (uint32_t i = 0; i < job->plan->sources_count; i++) {
        struct leat_job_source *s = &job->sources[i];
        if (!leat_job_is_by_tick(s) || !s->was_asked)
            continue;
        s->next_tick_ms =
            (*time_ms == LEAT_JOB_NEVER ? job->ticks_last_ms : *time_ms) + job->step.every_ms;
        if (s->due_ms == *time_ms && *time_ms != LEAT_JOB_NEVER &&
            take(s, *time_ms, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

enum leat_status leat_job_ticks_turn(struct leat_job_thread *job, struct leat_error *err)
{
    int64_t time_ms;

    while (job->ticks_asked && !job->over) {
        job->ticks_asked = false;
        if (choose(job, &time_ms, err) != LEAT_OK)
            return err->status;
        leat_job_event(job, (struct leat_event){.kind = LEAT_EV_CHOSEN, .time_ms = time_ms});
    }
    return LEAT_OK;
}

/* ---- what the log gets of it */

bool leat_job_is_noted(const struct leat_job_thread *job, const struct leat_job_source_part *p)
{
    return p->is_noted || !leat_job_is_by_tick(&job->sources[p->source]);
}

uint32_t leat_job_note_begins(struct leat_job_thread *job, struct leat_log_position *into)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < job->plan->sources_count; i++) {
        struct leat_job_source *s = &job->sources[i];
        if (!leat_job_is_by_tick(s) || s->begin_is_logged || !s->is_listed)
            continue;
        into[count++] = (struct leat_log_position){.source = s->plan->name,
                                                   .partition = LEAT_LIT(""),
                                                   .next = s->begin_ms,
                                                   .time_max_ms = LEAT_NO_TIME};
        s->begin_is_logged = true;
    }
    return count;
}
