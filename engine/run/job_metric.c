/*
 * job_metric.c - the counters of a running job and of its source partitions.
 *
 * Written per block, per listing and per batch, never per record; read by whoever likes.
 * Thread: job.
 */
#include "run/job_thread.h"

static struct leat_job_source_part *part_of(const struct leat_stage_task *t)
{
    /* The job names its own copy to the flow (add_tasks). */
    char *part = (char *)(uintptr_t)t->origin;

    return (struct leat_job_source_part *)(void *)(part -
                                                   offsetof(struct leat_job_source_part, part));
}

static int64_t left_in(const struct leat_job_source_part *p, int64_t cut)
{
    return p->part.end > cut ? p->part.end - cut : 0;
}

static void note_place(struct leat_job_thread *job, uint32_t number)
{
    struct leat_job_source_part *p = job->parts[number];
    int64_t cut = job->step.parts[number].cut;

    leat_part_metric_set(&p->metrics, LEAT_PART_METRIC_position, cut);
    leat_part_metric_set(&p->metrics, LEAT_PART_METRIC_lag, left_in(p, cut));
    leat_part_metric_set(&p->metrics, LEAT_PART_METRIC_finished, p->finished && !p->first);
}

void leat_job_note_lag(struct leat_job_thread *job)
{
    int64_t lag = 0;

    for (uint32_t i = 0; i < job->step.active_count; i++) {
        uint32_t number = job->step.active[i];
        lag += left_in(job->parts[number], job->step.parts[number].cut);
        note_place(job, number);
    }
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_lag, lag);
}

/* What a task of stage 1 counted is its partition's. */
static void note_parts(struct leat_job_thread *job, struct leat_flow_batch *batch)
{
    struct leat_stage_task *t;

    for (uint32_t i = 0; (t = leat_flow_source_task(batch, i)); i++) {
        struct leat_job_source_part *p = part_of(t);
        const struct leat_watermark *w = &leat_flow_watermarks(job->flow)[p->source];
        int64_t max_ms = w->event_time ? w->parts[p->part.id].max_ms : LEAT_NO_TIME;
        leat_part_metric_add(&p->metrics, LEAT_PART_METRIC_records, t->counts.rows_in);
        leat_part_metric_add(&p->metrics, LEAT_PART_METRIC_errors, t->counts.errors);
        if (max_ms != LEAT_NO_TIME)
            leat_part_metric_set(&p->metrics, LEAT_PART_METRIC_watermark_ms,
                                 max_ms - w->lateness_ms);
    }
}

void leat_job_note_batch(struct leat_job_thread *job, struct leat_flow_batch *b, int64_t took_ms)
{
    const struct leat_watermark *w = leat_flow_watermarks(job->flow);
    struct leat_flow_state state = leat_flow_state(job->flow);
    int64_t mark_ms = job->plan->event_time
                          ? leat_watermarks_now(w, job->plan->sources_count, UINT64_MAX)
                          : LEAT_NO_TIME; /* batch time has none worth a line */
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < job->plan->sinks_count; i++)
        bytes += b->outputs[i].bytes;
    leat_metric_add(&job->metrics, LEAT_JOB_METRIC_records_in, b->counts.rows_in);
    leat_metric_add(&job->metrics, LEAT_JOB_METRIC_records_out, b->counts.rows_out);
    leat_metric_add(&job->metrics, LEAT_JOB_METRIC_bytes_out, bytes);
    leat_metric_add(&job->metrics, LEAT_JOB_METRIC_errors, b->counts.errors);
    leat_metric_add(&job->metrics, LEAT_JOB_METRIC_late, b->counts.late);
    note_parts(job, b);
    leat_job_note_lag(job);
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_batch_ms, took_ms);
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_state_keys, (int64_t)state.keys);
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_state_bytes, (int64_t)state.bytes);
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_watermark_ms,
                    mark_ms == LEAT_NO_TIME ? 0 : mark_ms);
}

void leat_job_note_now(struct leat_job_thread *job)
{
    int64_t waiting = 0;

    for (uint32_t i = 0; i < job->plan->sources_count; i++)
        waiting += job->sources[i].retry.said;
    for (uint32_t i = 0; i < job->plan->tables_count; i++)
        waiting += job->tables[i].topic.retry.said;
    for (uint32_t i = 0; i < job->plan->sinks_count; i++)
        waiting += atomic_load(&job->sinks[i].waits);
    waiting += atomic_load(&job->decider.waits);
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_waiting, waiting);
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_memory_blocks_bytes,
                    (int64_t)atomic_load(&job->blocks.used));
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_memory_work_bytes,
                    (int64_t)atomic_load(&job->work.used));
}
