/*
 * job_state.c - the state of a running job: read at its start, its changes go into record N, and
 * from time to time one state partition is written as a whole.
 *
 * Snapshots go around: in `snapshot_every` each of the P state partitions has its turn, and its
 * bytes are copied a few at a time: some behind each batch, more while there is nothing else to do.
 * So there is never much to do at once. Thread: job.
 */
#include "run/job_thread.h"
#include "run/shape_file.h"

#include <inttypes.h>
#include <stdio.h>

struct dropping {
    struct {
        struct leat_slice name;
        bool other;
    } list[16];
    uint32_t count;
};

static void dropped(void *arg, struct leat_slice name, bool other)
{
    struct dropping *d = arg;

    for (uint32_t i = 0; i < d->count; i++)
        if (leat_slice_eq(d->list[i].name, name))
            return;
    if (d->count == sizeof d->list / sizeof *d->list)
        return;
    d->list[d->count].name = name;
    d->list[d->count++].other = other;
}

static const char *why(bool other)
{
    return other ? "the operator of that name is another one now"
                 : "the pipeline has no such operator any more";
}

static enum leat_status refuse(const struct dropping *d, struct leat_error *err)
{
    char more[32] = "";

    if (d->count > 1)
        snprintf(more, sizeof more, ", and %" PRIu32 " more", d->count - 1);
    return leat_fail(
        err, LEAT_E_CONFIG,
        "the pipeline has changed, and the state of '%.*s' would be lost (%s)%s. See all of "
        "it with `leat check --against-state`; then put back what was there, or go on "
        "without that state: `leat run --drop-state`",
        LEAT_FMT(d->list[0].name), why(d->list[0].other), more);
}

static void say_dropped(struct leat_job_thread *job, const struct dropping *d)
{
    for (uint32_t i = 0; i < d->count; i++)
        leat_warn(&job->lines, "the state of '%.*s' is dropped: %s", LEAT_FMT(d->list[i].name),
                  why(d->list[i].other));
}

/* ---- snapshots */

#define COPY_BYTES ((size_t)256 << 10) /* at once: as long as a batch waits for it */

static enum leat_status take_snapshot(struct leat_job_thread *job, uint32_t q, uint64_t n,
                                      struct leat_error *err)
{
    struct leat_job_snapshot *s = &job->snapshot;
    struct leat_log_state *list;
    uint32_t count;

    leat_arena_reset(&s->arena);
    if (leat_flow_snapshot(job->flow, q, &s->arena, &list, &count, err) != LEAT_OK) {
        leat_arena_reset(&s->arena);
        return err->status;
    }
    s->work.snapshot =
        (struct leat_snapshot){.q = q, .n = n, .entries = list, .entries_count = count};
    return LEAT_OK;
}

/* What was dropped is in old records still; with new snapshots nobody will look at those. */
static enum leat_status snapshot_all(struct leat_job_thread *job, uint64_t n,
                                     struct leat_error *err)
{
    struct leat_state_log *state = job->state;

    for (uint32_t q = 0; q < job->plan->partitions; q++)
        if (take_snapshot(job, q, n, err) != LEAT_OK ||
            !leat_flow_snapshot_more(job->flow, q, SIZE_MAX) ||
            state->backend->write(state, &job->snapshot.work.snapshot, err) != LEAT_OK ||
            state->backend->publish(state, q, n, err) != LEAT_OK)
            return err->status;
    leat_arena_reset(&job->snapshot.arena);
    return LEAT_OK;
}

static void say_once(struct leat_job_thread *job, const struct leat_error *why)
{
    if (!job->snapshot.said)
        leat_warn(&job->lines, "a snapshot of the state could not be written: %s; the log grows",
                  why->text);
    job->snapshot.said = true;
}

/* Behind the last batch of group n: is it the next one's turn? */
static void consider_snapshot(struct leat_job_thread *job, uint64_t n)
{
    struct leat_job_snapshot *s = &job->snapshot;
    struct leat_error err;

    if (!s->thread.running || s->busy || job->now_ms < s->next_ms)
        return;
    s->next_ms = job->now_ms + s->every_ms;
    if (take_snapshot(job, s->q, n, &err) != LEAT_OK) {
        say_once(job, &err);
        return;
    }
    s->q = (s->q + 1) % job->plan->partitions;
    s->busy = s->copying = true;
    s->written = s->committed = false;
}

void leat_job_copy_snapshot(struct leat_job_thread *job)
{
    struct leat_job_snapshot *s = &job->snapshot;

    if (!s->copying || !leat_flow_snapshot_more(job->flow, s->work.snapshot.q, COPY_BYTES))
        return;
    s->copying = false;
    s->work.msg.kind = LEAT_MSG_SNAPSHOT;
    leat_queue_put(&s->thread.in, &s->work.msg);
}

static void publish(struct leat_job_thread *job)
{
    struct leat_job_snapshot *s = &job->snapshot;

    if (!s->busy || !s->written || !s->committed)
        return;
    s->written = false;
    s->work.msg.kind = LEAT_MSG_SNAPSHOT_PUBLISH;
    leat_queue_put(&s->thread.in, &s->work.msg);
}

void leat_job_state_committed(struct leat_job_thread *job, uint64_t n)
{
    struct leat_job_snapshot *s = &job->snapshot;

    if (!s->busy || n < s->work.snapshot.n)
        return;
    s->committed = true;
    publish(job);
}

void leat_job_snapshot_done(struct leat_job_thread *job, struct leat_snapshot_work *w)
{
    struct leat_job_snapshot *s = &job->snapshot;

    if (w->error.status != LEAT_OK) {
        say_once(job, &w->error);
        s->busy = false;
    } else if (w->msg.kind == LEAT_MSG_SNAPSHOT_WRITTEN) {
        s->written = true;
        publish(job);
    } else {
        s->busy = s->said = false;
    }
    if (!s->busy || s->written)
        leat_arena_reset(&s->arena);
}

/* ---- changes */

enum leat_status leat_job_capture_state(struct leat_job_thread *job, struct leat_job_slot *slot,
                                        struct leat_error *err)
{
    struct leat_log_state *list = NULL;
    uint32_t count = 0;

    if (!job->keeps_state)
        return LEAT_OK;
    if (leat_flow_capture(job->flow, slot->group, &list, &count, err) != LEAT_OK ||
        job->state->backend->append(job->state, &slot->log.record, list, count, err) != LEAT_OK)
        return err->status;
    consider_snapshot(job, slot->n);
    leat_job_copy_snapshot(job);
    return LEAT_OK;
}

/* ---- the start */

static bool keeps_state(const struct leat_plan *plan)
{
    for (uint32_t i = 0; i < plan->stages_count; i++)
        for (uint32_t k = 0; k < plan->stages[i].nodes_count; k++)
            if (plan->stages[i].nodes[k].state_name.len)
                return true;
    return false;
}

static void restore_time(struct leat_job_thread *job, const struct leat_log_record *last)
{
    for (uint32_t i = 0; i < last->watermarks_count; i++)
        for (uint32_t s = 0; s < job->plan->sources_count; s++)
            if (leat_slice_eq(job->plan->sources[s].name, last->watermarks[i].source))
                leat_flow_restore_time(job->flow, s, last->watermarks[i].now_ms,
                                       last->watermarks[i].max_ms);
}

static enum leat_status read_state(struct leat_job_thread *job, uint64_t n, struct leat_error *err)
{
    struct dropping d = {.count = 0};

    if (leat_flow_restore(job->flow, job->state, n, dropped, &d, err) != LEAT_OK)
        return leat_error_prefix(err, "state");
    if (d.count && !job->options.drop_state)
        return refuse(&d, err);
    say_dropped(job, &d);
    struct leat_flow_state held = leat_flow_state(job->flow);
    if (held.keys)
        leat_info(&job->lines, "going on behind batch %" PRIu64 " with %" PRIu64 " keys", n,
                  held.keys);
    return d.count ? snapshot_all(job, n, err) : LEAT_OK;
}

enum leat_status leat_job_restore(struct leat_job_thread *job, struct leat_error *err)
{
    const struct leat_log_record *last = leat_job_log_last(job->log);
    uint32_t partitions = job->plan->partitions;

    job->keeps_state = keeps_state(job->plan);
    if (last->partitions && last->partitions != partitions && job->keeps_state)
        return leat_fail(err, LEAT_E_CONFIG,
                         "the state in '%s' is split into %" PRIu32 " partitions, the file says "
                         "%" PRIu32 ": set 'partitions: %" PRIu32
                         "', or remove log and state with `leat state reset`",
                         job->dir, last->partitions, partitions, last->partitions);
    if (leat_state_log_file_open(job->env.fs, job->dir, job->log, partitions, &job->lines,
                                 &job->state, err) != LEAT_OK)
        return leat_error_prefix(err, "state");
    restore_time(job, last);
    if (last->n && read_state(job, last->n, err) != LEAT_OK)
        return err->status;
    if (job->keeps_state && leat_shape_file_write(job->env.fs, job->dir, job->plan, err) != LEAT_OK)
        leat_warn(&job->lines, "%s; leat check --against-state will say less", err->text);
    struct leat_job_snapshot *s = &job->snapshot;
    s->arena.budget = &job->work;
    s->every_ms = job->plan->spec->checkpoint.snapshot_every.ms / partitions;
    s->next_ms = job->now_ms + s->every_ms;
    s->q = job->state->backend->next(job->state);
    s->thread = (struct leat_snapshot_thread){.state = job->state, .job = &job->in};
    return job->keeps_state ? leat_snapshot_thread_start(&s->thread, err) : LEAT_OK;
}

void leat_job_state_close(struct leat_job_thread *job)
{
    leat_snapshot_thread_stop(&job->snapshot.thread);
    leat_arena_reset(&job->snapshot.arena);
    if (job->state)
        job->state->backend->close(job->state);
    job->state = NULL;
}
