/*
 * job_batch.c - a batch of a running job: cut blocks become tasks, outputs go to sinks, positions
 * to the log, and at the end everything is released. Thread: job.
 */
#include "run/job_thread.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define LISTS_KEEP ((size_t)256 * 1024)

static struct leat_job_slot *slot_of(struct leat_job_thread *job, uint64_t n)
{
    return &job->batches[n % 2];
}

/* ---- run */

/* By source, then by partition: tasks have the same order whoever answered first. */
static int compare_parts(const void *a, const void *b)
{
    const struct leat_job_source_part *const *p = a, *const *q = b;

    if ((*p)->source != (*q)->source)
        return (*p)->source < (*q)->source ? -1 : 1;
    return ((*p)->part.id > (*q)->part.id) - ((*p)->part.id < (*q)->part.id);
}

/* The oldest `count` blocks of the partition. */
static struct leat_block *take_blocks(struct leat_job_source_part *p, uint32_t count)
{
    struct leat_block *first = p->first, *last = first;

    for (uint32_t i = 1; i < count; i++)
        last = (struct leat_block *)last->msg.next;
    p->first = (struct leat_block *)last->msg.next;
    if (!p->first)
        p->last = NULL;
    last->msg.next = NULL;
    return first;
}

static void give_back(struct leat_job_source_part *p, struct leat_block *blocks)
{
    struct leat_block *last = blocks;

    while (last->msg.next)
        last = (struct leat_block *)last->msg.next;
    last->msg.next = p->first ? &p->first->msg : NULL;
    p->first = blocks;
    p->last = p->last ? p->last : last;
}

static enum leat_status add_tasks(struct leat_job_thread *job, struct leat_job_slot *slot,
                                  struct leat_error *err)
{
    struct leat_job_source_part **list = leat_arena_array(&slot->arena, job->step.active_count,
                                                          sizeof(struct leat_job_source_part *));
    uint32_t count = 0;

    if (!list)
        return leat_arena_failed(&slot->arena, err);
    for (uint32_t i = 0; i < job->step.active_count; i++)
        if (job->step.parts[job->step.active[i]].take)
            list[count++] = job->parts[job->step.active[i]];
    qsort(list, count, sizeof(struct leat_job_source_part *), compare_parts);
    for (uint32_t i = 0; i < count; i++) {
        struct leat_job_source_part *p = list[i];
        uint32_t number = job->sources[p->source].part_of[p->source_id];
        struct leat_block *blocks = take_blocks(p, job->step.parts[number].take);
        leat_job_tell_end(job, p);
        if (leat_flow_add(job->flow, slot->flow, p->source, &p->part, blocks, err) != LEAT_OK) {
            give_back(p, blocks); /* to be freed with the others that wait */
            return err->status;
        }
    }
    return LEAT_OK;
}

/* Where those partitions stand now that moved since the last record. */
static enum leat_status note_positions(struct leat_job_thread *job, struct leat_job_slot *slot,
                                       struct leat_error *err)
{
    uint32_t n = job->step.active_count;

    slot->moved = leat_arena_array(&slot->arena, n, sizeof *slot->moved);
    slot->positions = leat_arena_array(&slot->arena, n, sizeof *slot->positions);
    slot->moved_count = 0;
    if (!slot->moved || !slot->positions)
        return leat_arena_failed(&slot->arena, err);
    for (uint32_t i = 0; i < n; i++) {
        struct leat_job_source_part *p = job->parts[job->step.active[i]];
        const struct leat_job_part *at = &job->step.parts[job->step.active[i]];
        if (at->is_push || at->cut == p->logged)
            continue;
        p->logged = at->cut;
        slot->moved[slot->moved_count] =
            (struct leat_log_position){job->plan->sources[p->source].name, p->part.name, at->cut};
        slot->positions[slot->moved_count++] = (struct leat_position){p->part.name, at->cut};
    }
    return LEAT_OK;
}

/* One line per batch in which something failed, with the first of it. */
static void tell_errors(const struct leat_job_thread *job, const struct leat_flow_batch *b)
{
    struct leat_slice first = leat_value_text(b->counts.first_error);

    if (b->counts.errors)
        leat_warn(&job->lines, "%" PRIu64 " records of batch %" PRIu64 " %s, the first: %.*s",
                  b->counts.errors, b->info.n,
                  job->plan->on_error == LEAT_ON_ERROR_DLQ ? "became dead letters" : "were dropped",
                  (int)first.len, first.ptr ? first.ptr : "");
}

enum leat_status leat_job_run_batch(struct leat_job_thread *job, const struct leat_action *a,
                                    struct leat_error *err)
{
    struct leat_job_slot *slot = slot_of(job, a->batch);
    struct leat_batch info = {.n = a->batch,
                              .time_ms = a->time_ms,
                              .interval_ms = job->step.every_ms,
                              .clock_ms = job->now_ms};

    leat_arena_recycle(&slot->arena, LISTS_KEEP);
    leat_job_tables_turn(job);
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_scheduling_ms,
                    job->now_ms > a->time_ms ? job->now_ms - a->time_ms : 0);
    slot->began_ms = leat_clock_monotonic_ms(job->options.clock);
    slot->flow = leat_flow_begin(job->flow, &info);
    if (!slot->flow)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for a batch");
    slot->flow->close = a->close;
    if (add_tasks(job, slot, err) != LEAT_OK || note_positions(job, slot, err) != LEAT_OK ||
        leat_flow_run(job->flow, slot->flow, err) != LEAT_OK)
        return err->status;
    leat_job_note_batch(job, slot->flow,
                        leat_clock_monotonic_ms(job->options.clock) - slot->began_ms);
    tell_errors(job, slot->flow);
    job->step.open = job->step.mode == LEAT_JOB_CAUGHT_UP &&
                     leat_flow_is_due(job->flow, job->step.tick_ms, job->now_ms, true);
    return LEAT_OK;
}

void leat_job_look_at_windows(struct leat_job_thread *job)
{
    job->step.due = leat_flow_is_due(job->flow, job->step.tick_ms, job->now_ms, false);
}

/* ---- prepare, log, finish */

void leat_job_prepare(struct leat_job_thread *job, uint64_t n, uint32_t sink)
{
    struct leat_job_slot *slot = slot_of(job, n);
    struct leat_sink_work *w = &slot->works[sink];

    w->msg.kind = LEAT_MSG_PREPARE;
    w->n = n;
    w->batch_time_ms = slot->flow->info.time_ms;
    w->rows = slot->flow->outputs[sink].first;
    w->positions = (struct leat_positions){slot->positions, slot->moved_count};
    leat_queue_put(&job->sinks[sink].in, &w->msg);
}

static enum leat_status fill_record(struct leat_job_thread *job, struct leat_job_slot *slot,
                                    uint64_t n, struct leat_error *err)
{
    const struct leat_watermark *marks = leat_flow_watermarks(job->flow);
    uint32_t sources = job->plan->sources_count, sinks = job->plan->sinks_count;
    struct leat_log_record *r = &slot->log.record;

    *r = (struct leat_log_record){
        .epoch = job->env.epoch,
        .slot = job->env.slot,
        .n = n,
        .batch_time_ms = slot->flow->info.time_ms,
        .clock_ms = slot->flow->info.clock_ms,
        .positions = slot->moved,
        .positions_count = slot->moved_count,
        .watermarks = leat_arena_array(&slot->arena, sources, sizeof *r->watermarks),
        .sections = leat_arena_array(&slot->arena, sinks, sizeof *r->sections)};
    if (!r->watermarks || !r->sections)
        return leat_arena_failed(&slot->arena, err);
    for (uint32_t i = 0; i < sources; i++)
        if (marks[i].event_time && marks[i].now_ms != LEAT_NO_TIME)
            r->watermarks[r->watermarks_count++] =
                (struct leat_log_watermark){job->plan->sources[i].name, marks[i].now_ms};
    for (uint32_t i = 0; i < sinks; i++)
        r->sections[r->sections_count++] = (struct leat_log_section){
            job->plan->sinks[i].name, leat_bytes_slice(&slot->works[i].section)};
    return LEAT_OK;
}

void leat_job_log_record(struct leat_job_thread *job, uint64_t n)
{
    struct leat_job_slot *slot = slot_of(job, n);
    struct leat_error err;

    if (fill_record(job, slot, n, &err) != LEAT_OK) {
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
    const struct leat_positions all = {slot->positions, slot->moved_count};
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
    struct leat_stage_task *t;

    for (uint32_t i = 0; (t = leat_flow_source_task(slot->flow, i)); i++) {
        struct leat_job_source *s = &job->sources[job->plan->stages[t->stage].input];
        if (!s->has_inbox)
            continue;
        for (struct leat_block *b = t->blocks, *next; b; b = next) {
            next = (struct leat_block *)b->msg.next;
            leat_inbox_ack(&s->inbox, b);
        }
        t->blocks = NULL;
    }
}

static void finished(struct leat_job_thread *job, uint64_t n)
{
    struct leat_job_slot *slot = slot_of(job, n);

    commit_sources(job, slot, n);
    acknowledge(job, slot);
    leat_metric_add(&job->metrics, LEAT_JOB_METRIC_batches, 1);
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_delay_ms,
                    job->now_ms > slot->flow->info.time_ms ? job->now_ms - slot->flow->info.time_ms
                                                           : 0);
    leat_flow_release(job->flow, slot->flow);
    slot->flow = NULL;
    leat_job_event(job, (struct leat_event){.kind = LEAT_EV_FINISHED, .batch = n});
}

void leat_job_finish(struct leat_job_thread *job, uint64_t n)
{
    struct leat_job_slot *slot = slot_of(job, n);

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
    if (--slot_of(job, w->n)->committing == 0)
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
        w->batch_time_ms = now_ms;
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

enum leat_status leat_job_batches_init(struct leat_job_thread *job, struct leat_error *err)
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
void leat_job_batches_fini(struct leat_job_thread *job)
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
