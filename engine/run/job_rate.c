/*
 * job_rate.c - how much a running job takes: the bound of a fetch, and the rate of records where
 * one is set or estimated (rate.h). Thread: job.
 */
#include "run/job_thread.h"

#include <math.h>

#define FETCH_BYTES_MIN ((size_t)64 * 1024)
#define FETCH_BYTES_MAX ((size_t)1024 * 1024)

/* Blocks of so many rows while no rate is known, so that a low one can be kept soon. */
#define UNKNOWN_ROWS LEAT_CHUNK_ROWS

/* So that all partitions together stay within what may wait, and a batch of one block within what
 * may work and what it was told to take. */
size_t leat_job_fetch_bytes(const struct leat_job_thread *job)
{
    size_t share = job->blocks.cap / (2 * ((size_t)job->step.active_count + 1));
    size_t work = job->work.cap / 32;
    size_t most = job->step.max_bytes < SIZE_MAX ? (size_t)job->step.max_bytes : SIZE_MAX;

    share = share < work ? share : work;
    share = share < FETCH_BYTES_MIN ? FETCH_BYTES_MIN : share;
    share = share > FETCH_BYTES_MAX ? FETCH_BYTES_MAX : share;
    return share < most ? share : most;
}

/* No more than a batch takes, and a quarter of what an interval may take: a partition's blocks can
 * fill it. */
uint32_t leat_job_fetch_rows(const struct leat_job_thread *job)
{
    const int64_t most = job->plan->spec->batch.max_records;
    double rows = job->step.rate * (double)job->step.every_ms / 4000;

    if (job->step.rate <= 0)
        rows = job->estimates ? UNKNOWN_ROWS : UINT32_MAX;
    if (most && rows > (double)most)
        rows = (double)most;
    if (rows >= (double)UINT32_MAX)
        return 0;
    return rows < 1 ? 1 : (uint32_t)rows;
}

static void set_rate(struct leat_job_thread *job, double estimate)
{
    job->step.rate = leat_rate_limit(estimate, job->plan->spec->batch.max_rate.per_second);
    double shown = ceil(job->step.rate);
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_rate_limit,
                    shown < (double)INT64_MAX ? (int64_t)shown : INT64_MAX);
    for (uint32_t i = 0; job->sources && i < job->plan->sources_count; i++)
        leat_inbox_aim(&job->sources[i].inbox, leat_job_fetch_rows(job));
}

/* Before the sources. A run of one batch has no rate: it takes what there is, up to its limits. */
void leat_job_rate_init(struct leat_job_thread *job)
{
    const struct leat_spec_backpressure *b = &job->plan->spec->batch.backpressure;

    if (job->step.mode == LEAT_JOB_ONCE)
        return;
    job->estimates = b->used;
    job->estimator = (struct leat_rate_estimator){.proportional = b->proportional,
                                                  .integral = b->integral,
                                                  .derived = b->derived,
                                                  .min_rate = b->min_rate.per_second,
                                                  .every_ms = job->step.every_ms};
    set_rate(job, 0);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* A group is committed. Groups overlap: while one is committed the next runs, so what bounds their
 * rate is the longer of the two; and a group that is sealed waits for the commit before it. */
void leat_job_rate_note(struct leat_job_thread *job, const struct leat_job_slot *slot)
{
    int64_t ended_ms = leat_clock_monotonic_ms(job->options.clock), records = 0;
    const struct leat_batch *first = &slot->first->flow->info;
    double rate;

    for (const struct leat_job_cut *c = slot->first; c; c = c->next)
        records += (int64_t)c->flow->counts.rows_in;
    int64_t commits_ms = ended_ms - later(slot->sealed_ms, job->finished_ms);
    const struct leat_rate_batch batch = {.ended_ms = ended_ms,
                                          .records = records,
                                          .processing_ms = later(slot->runs_ms, commits_ms),
                                          .scheduling_ms =
                                              later(first->clock_ms - first->time_ms, 0) +
                                              later(job->finished_ms - slot->sealed_ms, 0)};
    job->finished_ms = ended_ms;
    if (job->estimates && leat_rate_estimate(&job->estimator, &batch, &rate))
        set_rate(job, rate);
}
