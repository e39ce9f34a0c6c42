/*
 * job_commit.c - groups on their way to the outside: sinks prepare, the record is synced, sinks
 * show, sources are told, everything is released. Thread: job.
 */
#include "run/job_thread.h"

#include <assert.h>

struct leat_job_slot *leat_job_slot_of(struct leat_job_thread *job, uint64_t n)
{
    return &job->batches[n % 2];
}

/* ---- prepare, log, finish */

/* What a sink gets of each batch of the group. */
static enum leat_status list_batches(struct leat_job_slot *slot, uint32_t sink,
                                     struct leat_sink_work *w, struct leat_error *err)
{
    struct leat_sink_batch *list = leat_arena_array(&slot->arena, slot->group->count, sizeof *list);

    if (!list)
        return leat_arena_failed(&slot->arena, err);
    w->batches = list;
    w->batches_count = 0;
    for (const struct leat_job_cut *c = slot->first; c; c = c->next)
        list[w->batches_count++] =
            (struct leat_sink_batch){c->flow->info.time_ms, c->flow->outputs[sink].first};
    return LEAT_OK;
}

void leat_job_prepare(struct leat_job_thread *job, uint64_t n, uint32_t sink)
{
    struct leat_job_slot *slot = leat_job_slot_of(job, n);
    struct leat_sink_work *w = &slot->works[sink];
    struct leat_error err;

    if (list_batches(slot, sink, w, &err) != LEAT_OK) {
        leat_job_fail(job, &err);
        return;
    }
    w->msg.kind = LEAT_MSG_PREPARE;
    w->n = n;
    w->positions = (struct leat_positions){slot->positions, slot->log.record.positions_count};
    leat_queue_put(&job->sinks[sink].in, &w->msg);
}

static enum leat_status fill_sections(struct leat_job_thread *job, struct leat_job_slot *slot,
                                      struct leat_error *err)
{
    uint32_t sinks = job->plan->sinks_count;
    struct leat_log_record *r = &slot->log.record;

    r->sections = leat_arena_array(&slot->arena, sinks, sizeof *r->sections);
    if (!r->sections)
        return leat_arena_failed(&slot->arena, err);
    for (uint32_t i = 0; i < sinks; i++)
        r->sections[r->sections_count++] = (struct leat_log_section){
            job->plan->sinks[i].name, leat_bytes_slice(&slot->works[i].section)};
    return LEAT_OK;
}

void leat_job_log_record(struct leat_job_thread *job, uint64_t n)
{
    struct leat_job_slot *slot = leat_job_slot_of(job, n);
    struct leat_error err;

    if (fill_sections(job, slot, &err) != LEAT_OK) {
        leat_job_fail(job, &err);
        return;
    }
    slot->log.msg.kind = LEAT_MSG_LOG;
    leat_queue_put(&job->log_thread.in, &slot->log.msg);
}

/* Whoever keeps positions for us: a failure is tried again with the next batch. */
static void commit_sources(struct leat_job_thread *job, const struct leat_job_slot *slot,
                           uint64_t n)
{
    const struct leat_positions all = {slot->positions, slot->log.record.positions_count};
    struct leat_error err;

    for (uint32_t i = 0; i < job->plan->sources_count; i++) {
        struct leat_job_source *s = &job->sources[i];
        const struct leat_pull *pull = s->plan->module->pull;
        if (!pull || !pull->commit || !s->is_open || all.count == 0)
            continue;
        if (pull->commit(s->self, n, &all, &err) != LEAT_OK)
            leat_warn(&s->log, "%s; the position goes with the next batch", err.text);
    }
}

/* Blocks of push sources go back to them: that is the acknowledgement. */
static void acknowledge(struct leat_job_thread *job, struct leat_job_slot *slot)
{
    for (struct leat_msg *m = slot->group->pushed, *next; m; m = next) {
        struct leat_block *b = (struct leat_block *)m;
        next = m->next;
        leat_inbox_ack(&job->sources[b->source].inbox, b);
    }
    slot->group->pushed = NULL;
}

static void finished(struct leat_job_thread *job, uint64_t n)
{
    struct leat_job_slot *slot = leat_job_slot_of(job, n);

    commit_sources(job, slot, n);
    acknowledge(job, slot);
    int64_t time_ms = slot->last->flow->info.time_ms;
    leat_metric_add(&job->metrics, LEAT_JOB_METRIC_batches, slot->group->count);
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_delay_ms,
                    job->now_ms > time_ms ? job->now_ms - time_ms : 0);
    leat_flow_release(job->flow, slot->group);
    slot->group = NULL;
    leat_job_event(job, (struct leat_event){.kind = LEAT_EV_FINISHED, .batch = n});
}

void leat_job_finish(struct leat_job_thread *job, uint64_t n)
{
    struct leat_job_slot *slot = leat_job_slot_of(job, n);

    slot->committing = job->plan->sinks_count;
    for (uint32_t i = 0; i < job->plan->sinks_count; i++) {
        slot->works[i].msg.kind = LEAT_MSG_COMMIT;
        leat_queue_put(&job->sinks[i].in, &slot->works[i].msg);
    }
    if (slot->committing == 0)
        finished(job, n);
}

void leat_job_committed(struct leat_job_thread *job, struct leat_sink_work *w)
{
    if (--leat_job_slot_of(job, w->n)->committing == 0)
        finished(job, w->n);
}

/* Sinks that have something to do by the clock, while no batch is under way. */
void leat_job_idle(struct leat_job_thread *job, int64_t now_ms)
{
    if (job->step.cut != job->step.finished)
        return;
    for (uint32_t i = 0; i < job->plan->sinks_count; i++) {
        struct leat_sink_work *w = &job->idle_works[i];
        if (!job->sinks[i].sink->tick || w->msg.kind != LEAT_MSG_IDLED)
            continue;
        w->msg.kind = LEAT_MSG_IDLE;
        w->now_ms = now_ms;
        leat_queue_put(&job->sinks[i].in, &w->msg);
    }
}

/* ---- begin and end */

static struct leat_slice section_of(const struct leat_log_record *last, struct leat_slice sink)
{
    for (uint32_t i = 0; i < last->sections_count; i++)
        if (leat_slice_eq(last->sections[i].sink, sink))
            return last->sections[i].bytes;
    return (struct leat_slice){0};
}

static enum leat_status init_sink(struct leat_job_thread *job, uint32_t i, struct leat_error *err)
{
    const struct leat_plan_sink *plan = &job->plan->sinks[i];
    const struct leat_log_record *last = leat_job_log_last(job->log);
    struct leat_sink_thread *t = &job->sinks[i];
    struct leat_slice name = leat_arena_copy(&job->arena, plan->name);

    if (!plan->module->sink)
        return leat_fail(err, LEAT_E_CONFIG, "'%s' cannot write at least once", plan->module->name);
    t->sink = plan->module->sink;
    t->self = leat_arena_alloc(&job->arena, plan->module->self_size);
    t->opened.section = (struct leat_bytes){.arena = &t->opened.arena};
    struct leat_slice section = section_of(last, plan->name);
    leat_bytes_put(&t->opened.section, section.ptr, section.len);
    if (!name.ptr || !t->self || t->opened.section.failed)
        return leat_fail(err, LEAT_E_NOMEM, "no memory to open it");
    if (plan->self)
        memcpy(t->self, plan->self, plan->module->self_size);
    job->sink_lines[i] = (struct leat_log){job->name, name.ptr};
    t->env = job->env;
    t->env.log = &job->sink_lines[i];
    t->env.budget = &job->work;
    t->env.file_preamble = job->plan->sinks[i].preamble;
    t->job = &job->in;
    t->opened.sink = i;
    t->opened.n = last->n;
    job->idle_works[i].msg.kind = LEAT_MSG_IDLED;
    job->batches[0].works[i].sink = job->batches[1].works[i].sink = i;
    return leat_sink_thread_start(t, err);
}

enum leat_status leat_job_commits_init(struct leat_job_thread *job, struct leat_error *err)
{
    uint32_t n = job->plan->sinks_count;

    job->sinks = leat_arena_array(&job->arena, n, sizeof *job->sinks);
    job->sink_lines = leat_arena_array(&job->arena, n, sizeof *job->sink_lines);
    job->idle_works = leat_arena_array(&job->arena, n, sizeof *job->idle_works);
    for (int i = 0; i < 2; i++)
        job->batches[i].works = leat_arena_array(&job->arena, n, sizeof *job->batches[i].works);
    if (!job->sinks || !job->sink_lines || !job->idle_works || !job->batches[0].works ||
        !job->batches[1].works)
        return leat_arena_failed(&job->arena, err);
    for (uint32_t i = 0; i < n; i++)
        if (init_sink(job, i, err) != LEAT_OK)
            return leat_error_prefix(err, "sink '%.*s'", LEAT_FMT(job->plan->sinks[i].name));
    job->log_thread =
        (struct leat_log_thread){.log = job->log, .lines = &job->lines, .job = &job->in};
    return leat_log_thread_start(&job->log_thread, err);
}

/* Threads end here; what they sent stays in the job's queue. */
void leat_job_commits_fini(struct leat_job_thread *job)
{
    for (uint32_t i = 0; job->sinks && i < job->plan->sinks_count; i++)
        atomic_store(&job->sinks[i].hurry, true);
    for (uint32_t i = 0; job->sinks && i < job->plan->sinks_count; i++) {
        leat_sink_thread_stop(&job->sinks[i], true);
        leat_arena_reset(&job->sinks[i].opened.arena);
    }
    leat_log_thread_stop(&job->log_thread, true);
    for (int b = 0; b < 2; b++) {
        for (uint32_t i = 0; job->batches[b].works && i < job->plan->sinks_count; i++)
            leat_arena_reset(&job->batches[b].works[i].arena);
        leat_arena_reset(&job->batches[b].arena);
    }
}
