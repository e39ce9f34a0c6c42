/*
 * job_begin.c - what a job does before its first message: the directory, the log, its settings, and
 * what it remembers. Thread: job.
 */
#include "run/job_thread.h"
#include "run/phase.h"
#include "store/store_reset.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define BATCH_SHARE 8   /* of the memory for work */
#define ROW_BYTES   512 /* of it, per record of a batch */

static bool has_windows(const struct leat_plan *plan)
{
    for (uint32_t i = 0; i < plan->stages_count; i++)
        for (uint32_t n = 0; n < plan->stages[i].nodes_count; n++) {
            const struct leat_plan_node *node = &plan->stages[i].nodes[n];
            if (node->op && node->op->close_time &&
                node->op->close_time(node->plan, 0) != LEAT_NO_TIME)
                return true;
        }
    return false;
}

/* 0: no limit yet. */
static uint64_t at_most(uint64_t limit, uint64_t most)
{
    return limit == 0 || limit > most ? most : limit;
}

/* Outputs of two groups and what their rows need while they are decoded are there at once: a batch
 * that is read must fit, whatever it becomes. */
static void configure(struct leat_job_thread *job)
{
    const struct leat_spec *spec = job->plan->spec;
    const struct leat_job_options *o = &job->options;
    struct leat_job *step = &job->step;

    *step = (struct leat_job){
        .every_ms = spec->batch.every.ms,
        .commit_every_ms = spec->commit.every.ms,
        .mode = spec->batch.trigger.index == LEAT_TRIGGER_CAUGHT_UP ? LEAT_JOB_CAUGHT_UP
                : spec->batch.trigger.index == LEAT_TRIGGER_ONCE    ? LEAT_JOB_ONCE
                                                                    : LEAT_JOB_INTERVAL,
        .until_ms = o->until_ms ? job->now_ms + o->until_ms : LEAT_JOB_NEVER,
        .until_batches = o->until_batches,
        .max_records = (uint64_t)spec->batch.max_records,
        .max_bytes = (uint64_t)spec->batch.max_bytes.bytes,
        .early = job->plan->event_time || !has_windows(job->plan),
        .on_empty = job->plan->on_empty,
        .committed = leat_job_log_last(job->log)->n,
        .time_ms = leat_job_log_last(job->log)->batch_time_ms};
    if (o->until_caught_up || o->to_ms)
        step->mode = LEAT_JOB_CAUGHT_UP;
    step->max_bytes = at_most(step->max_bytes, job->work.cap / BATCH_SHARE);
    step->max_records = at_most(step->max_records, job->work.cap / ROW_BYTES);
    leat_job_rate_init(job);
}

/* A life of the job's state: never 0, and not that of another one. */
static uint32_t fresh_epoch(void)
{
    uint32_t epoch = 0;

    while (epoch == 0)
        if (getrandom(&epoch, sizeof epoch, 0) != (ssize_t)sizeof epoch)
            epoch = 0;
    return epoch;
}

static enum leat_status open_log_file(struct leat_job_thread *job, struct leat_error *err)
{
    if (leat_job_log_open(job->env.fs, job->dir, job->name, fresh_epoch(), job->now_ms, &job->log,
                          err) != LEAT_OK) {
        if (err->status == LEAT_E_CORRUPT)
            leat_warn(&job->lines,
                      "put back a copy of '%s' that is whole, or begin anew: `leat state reset`, "
                      "and --from says where",
                      job->dir);
        return leat_error_prefix(err, "the job's log");
    }
    job->env.epoch = leat_job_log_last(job->log)->epoch;
    if (leat_job_log_torn(job->log))
        leat_info(&job->lines,
                  "the log ended in the middle of a record that was never acknowledged: %" PRId64
                  " bytes were cut off, batch %" PRIu64 " is the last",
                  leat_job_log_torn(job->log), leat_job_log_last(job->log)->n);
    return LEAT_OK;
}

enum leat_status leat_job_reset(struct leat_job_thread *job, struct leat_error *err)
{
    struct leat_store_removed removed;

    leat_job_log_close(job->log);
    job->log = NULL;
    if (leat_store_reset(job->env.fs, job->dir, &removed, err) != LEAT_OK)
        return err->status;
    return open_log_file(job, err);
}

static enum leat_status open_log(struct leat_job_thread *job, struct leat_error *err)
{
    char dir[LEAT_JOB_DIR_BYTES];

    if (leat_job_dir(job->plan->spec, job->options.state_dir, dir, err) != LEAT_OK)
        return err->status;
    struct leat_slice copy = leat_arena_copy(&job->arena, leat_slice_str(dir));
    if (!copy.ptr)
        return leat_arena_failed(&job->arena, err);
    job->dir = copy.ptr;
    if (leat_job_lock(job->env.fs, dir, &job->lock_fd, err) != LEAT_OK ||
        open_log_file(job, err) != LEAT_OK)
        return err->status;
    uint64_t n = leat_job_log_last(job->log)->n;
    if (n && job->options.again)
        job->env.from_ms = 0;
    else if (n && job->options.from_ms)
        return leat_fail(err, LEAT_E_DATA,
                         "--from would read again what batch %" PRIu64
                         " and those before it have in '%.80s': `leat state reset` forgets them, "
                         "or leave --from out",
                         n, dir);
    return LEAT_OK;
}

enum leat_status leat_job_begin(struct leat_job_thread *job, struct leat_error *err)
{
    uint32_t threads = job->options.threads;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (threads == 0)
        threads = cores < 1 ? 1 : cores > LEAT_WORKERS_MAX ? LEAT_WORKERS_MAX : (uint32_t)cores;
    if (open_log(job, err) != LEAT_OK)
        return err->status;
    configure(job);
    job->phase = leat_phase_open(getenv("LEAT_TRACE_PHASE"), &job->lines);
    if (leat_flow_new(job->plan, threads, &job->work, &job->flow, err) != LEAT_OK ||
        leat_job_tables_init(job, err) != LEAT_OK || leat_job_sources_init(job, err) != LEAT_OK ||
        leat_job_commits_init(job, err) != LEAT_OK)
        return err->status;
    return leat_job_recover(job, err);
}
