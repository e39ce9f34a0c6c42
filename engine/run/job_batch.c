/*
 * job_batch.c - batches of a running job: cut blocks become tasks, and when nothing more is cut for
 * a group, what it read and changed becomes record N. Thread: job.
 */
#include "base/failpoint.h"
#include "run/job_thread.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define LISTS_KEEP ((size_t)256 * 1024)

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

/* An operator of its stage has something to say of a partition without rows. */
static bool speaks_on_empty(const struct leat_job_thread *job, const struct leat_job_source_part *p)
{
    return job->plan->stages[job->plan->sources[p->source].stage].on_empty;
}

/* Sources that say so with a block. A stream that needs a dataset of one fails the batch. */
static enum leat_status note_missing(const struct leat_job_thread *job,
                                     struct leat_flow_batch *batch, struct leat_error *err)
{
    for (uint32_t i = 0; i < job->step.active_count; i++) {
        const struct leat_job_source_part *p = job->parts[job->step.active[i]];
        const struct leat_plan_source *s = &job->plan->sources[p->source];
        if (!job->step.parts[job->step.active[i]].take || !p->first->missing)
            continue;
        batch->missing |= UINT64_C(1) << p->source;
        if (s->needed_by.ptr)
            return leat_fail(err, LEAT_E_DATA,
                             "stream '%.*s' needs a dataset of '%.*s', which has none for this "
                             "batch",
                             LEAT_FMT(s->needed_by), LEAT_FMT(s->name));
    }
    return LEAT_OK;
}

static void drop(struct leat_block *blocks)
{
    for (struct leat_block *b = blocks, *next; b; b = next) {
        next = (struct leat_block *)b->msg.next;
        leat_block_unref(b);
    }
}

static enum leat_status add_tasks(struct leat_job_thread *job, struct leat_job_slot *slot,
                                  struct leat_flow_batch *batch, struct leat_error *err)
{
    struct leat_job_source_part **list = leat_arena_array(&slot->arena, job->step.active_count,
                                                          sizeof(struct leat_job_source_part *));
    uint32_t count = 0;

    if (!list)
        return leat_arena_failed(&slot->arena, err);
    for (uint32_t i = 0; i < job->step.active_count; i++) {
        struct leat_job_source_part *p = job->parts[job->step.active[i]];
        if (job->step.parts[job->step.active[i]].take || speaks_on_empty(job, p))
            list[count++] = p;
    }
    qsort(list, count, sizeof(struct leat_job_source_part *), compare_parts);
    for (uint32_t i = 0; i < count; i++) {
        struct leat_job_source_part *p = list[i];
        uint32_t number = job->sources[p->source].part_of[p->source_id];
        uint32_t take = job->step.parts[number].take;
        struct leat_block *blocks = take ? take_blocks(p, take) : NULL;
        leat_job_tell_end(job, p);
        if (batch->missing >> p->source & 1) {
            drop(blocks);
            continue;
        }
        if (leat_flow_add(job->flow, batch, p->source, &p->part, blocks, err) != LEAT_OK) {
            if (blocks)
                give_back(p, blocks); /* to be freed with the others that wait */
            return err->status;
        }
    }
    return LEAT_OK;
}

/* Where those partitions stand now that moved since the last cut. */
static enum leat_status note_moves(struct leat_job_thread *job, struct leat_job_slot *slot,
                                   struct leat_job_cut *cut, struct leat_error *err)
{
    uint32_t n = job->step.active_count;

    cut->moves = leat_arena_array(&slot->arena, n, sizeof *cut->moves);
    if (!cut->moves)
        return leat_arena_failed(&slot->arena, err);
    for (uint32_t i = 0; i < n; i++) {
        struct leat_job_source_part *p = job->parts[job->step.active[i]];
        const struct leat_job_part *at = &job->step.parts[job->step.active[i]];
        if (at->is_push || (at->cut == p->logged && leat_job_is_noted(job, p)))
            continue;
        cut->moves[cut->count++] = (struct leat_job_move){p, p->logged, at->cut};
        p->is_noted = true;
        p->logged = at->cut;
    }
    return LEAT_OK;
}

static const char *outcome(const struct leat_plan *plan, uint64_t errors)
{
    if (plan->on_error == LEAT_ON_ERROR_DLQ)
        return errors == 1 ? "became a dead letter" : "became dead letters";
    return errors == 1 ? "was dropped" : "were dropped";
}

/* One line per batch in which something failed, with the first of it. */
static void tell_errors(const struct leat_job_thread *job, const struct leat_flow_batch *b)
{
    struct leat_slice first = leat_value_text(b->counts.first_error);

    if (b->counts.errors)
        leat_warn(&job->lines, "%" PRIu64 " record%s of batch %" PRIu64 " %s, the first: %.*s",
                  b->counts.errors, b->counts.errors == 1 ? "" : "s", b->info.n,
                  outcome(job->plan, b->counts.errors), (int)first.len, first.ptr ? first.ptr : "");
}

/* A batch of the group, in front of what it will be cut to. */
static struct leat_job_cut *begin_cut(struct leat_job_thread *job, struct leat_job_slot *slot,
                                      const struct leat_action *a)
{
    struct leat_batch info = {.n = a->batch,
                              .time_ms = a->time_ms,
                              .interval_ms = job->step.every_ms,
                              .clock_ms = job->now_ms};

    if (!slot->group) {
        leat_arena_recycle(&slot->arena, LISTS_KEEP);
        leat_left_out_clear(&slot->left_out);
        for (uint32_t i = 0; i < job->plan->sinks_count; i++)
            leat_left_out_clear(&slot->works[i].left_out);
        slot->first = slot->last = NULL;
        slot->runs_ms = 0;
        slot->n = a->batch;
        slot->group = leat_flow_group(job->flow);
    }
    struct leat_job_cut *cut = leat_arena_alloc(&slot->arena, sizeof *cut);
    if (!slot->group || !cut)
        return NULL;
    cut->flow = leat_flow_begin(job->flow, slot->group, &info);
    if (!cut->flow)
        return NULL;
    cut->flow->close = a->close;
    if (slot->last)
        slot->last->next = cut;
    else
        slot->first = cut;
    slot->last = cut;
    return cut;
}

/* Outputs wait for their commit beside the state, in half of what it leaves. */
static bool holds_too_much(const struct leat_job_thread *job, const struct leat_job_slot *slot)
{
    size_t state = leat_flow_state(job->flow).bytes;
    size_t room = state < job->work.cap ? job->work.cap - state : 0;

    return leat_flow_group_bytes(job->flow, slot->group) > room / 4;
}

enum leat_status leat_job_run_batch(struct leat_job_thread *job, const struct leat_action *a,
                                    struct leat_error *err)
{
    struct leat_job_slot *slot = leat_job_slot_of(job, a->batch);

    leat_job_tables_turn(job);
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_scheduling_ms,
                    job->now_ms > a->time_ms ? job->now_ms - a->time_ms : 0);
    int64_t began_ms = leat_clock_monotonic_ms(job->options.clock);
    struct leat_job_cut *cut = begin_cut(job, slot, a);
    if (!cut)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for a batch");
    leat_job_watch_cut(job, a->time_ms);
    if (note_missing(job, cut->flow, err) != LEAT_OK ||
        add_tasks(job, slot, cut->flow, err) != LEAT_OK ||
        note_moves(job, slot, cut, err) != LEAT_OK)
        return err->status;
    leat_job_watch_begun(job, cut->flow);
    if (leat_flow_run(job->flow, cut->flow, err) != LEAT_OK)
        return err->status;
    leat_failpoint("run.ran");
    slot->ran_ms = leat_clock_monotonic_ms(job->options.clock);
    slot->runs_ms += slot->ran_ms - began_ms;
    leat_job_note_batch(job, cut->flow, slot->ran_ms - began_ms);
    tell_errors(job, cut->flow);
    job->step.full = holds_too_much(job, slot);
    job->step.open = job->step.mode == LEAT_JOB_CAUGHT_UP &&
                     leat_flow_is_due(job->flow, job->step.tick_ms, job->now_ms, true);
    return LEAT_OK;
}

void leat_job_look_at_windows(struct leat_job_thread *job)
{
    job->step.due = leat_flow_is_due(job->flow, job->step.tick_ms, job->now_ms, false);
}

/* ---- capture: what the group read and changed */

static uint32_t count_moves(const struct leat_job_slot *slot)
{
    uint32_t count = 0;

    for (const struct leat_job_cut *c = slot->first; c; c = c->next)
        count += c->count;
    return count;
}

static int64_t time_seen(const struct leat_job_thread *job, const struct leat_job_source_part *p)
{
    const struct leat_watermark *w = &leat_flow_watermarks(job->flow)[p->source];

    return w->event_time ? w->parts[p->part.id].max_ms : LEAT_NO_TIME;
}

/* Each partition once, with where it stood before the group and where it stands behind it. */
static enum leat_status fill_positions(struct leat_job_thread *job, struct leat_job_slot *slot,
                                       struct leat_error *err)
{
    uint32_t moves = count_moves(slot);
    struct leat_log_record *r = &slot->log.record;

    r->positions =
        leat_arena_array(&slot->arena, moves + job->plan->sources_count, sizeof *r->positions);
    slot->positions = leat_arena_array(&slot->arena, moves, sizeof *slot->positions);
    slot->decided = leat_arena_array(&slot->arena, moves, sizeof *slot->decided);
    bool *decided = leat_arena_array(&slot->arena, moves, sizeof *decided);
    slot->decided_count = 0;
    if (!r->positions || !slot->positions || !slot->decided || !decided)
        return leat_arena_failed(&slot->arena, err);
    for (const struct leat_job_cut *c = slot->first; c; c = c->next)
        for (uint32_t i = 0; i < c->count; i++) {
            struct leat_job_source_part *p = c->moves[i].part;
            if (p->moved_in != slot->n) {
                p->moved_in = slot->n;
                p->moved_at = r->positions_count++;
                decided[p->moved_at] = job->plan->sources[p->source].decided;
                r->positions[p->moved_at] =
                    (struct leat_log_position){.source = job->plan->sources[p->source].name,
                                               .partition = p->part.name,
                                               .from = c->moves[i].from,
                                               .time_max_ms = time_seen(job, p)};
            }
            r->positions[p->moved_at].next = c->moves[i].to;
        }
    for (uint32_t i = 0; i < r->positions_count; i++) {
        slot->positions[i] =
            (struct leat_position){r->positions[i].partition, r->positions[i].next};
        if (decided[i])
            slot->decided[slot->decided_count++] = slot->positions[i];
    }
    slot->positions_count = r->positions_count;
    r->positions_count += leat_job_note_begins(job, r->positions + r->positions_count);
    return LEAT_OK;
}

/* The batches of the group, as ranges of those positions. */
static enum leat_status fill_cuts(struct leat_job_slot *slot, struct leat_error *err)
{
    struct leat_log_record *r = &slot->log.record;

    r->cuts = leat_arena_array(&slot->arena, slot->group->count, sizeof *r->cuts);
    if (!r->cuts)
        return leat_arena_failed(&slot->arena, err);
    for (const struct leat_job_cut *c = slot->first; c; c = c->next) {
        struct leat_log_cut *to = &r->cuts[r->cuts_count++];
        *to = (struct leat_log_cut){
            .batch_time_ms = c->flow->info.time_ms,
            .clock_ms = c->flow->info.clock_ms,
            .close = c->flow->close,
            .ranges = leat_arena_array(&slot->arena, c->count, sizeof *to->ranges)};
        if (!to->ranges)
            return leat_arena_failed(&slot->arena, err);
        for (uint32_t i = 0; i < c->count; i++)
            to->ranges[to->ranges_count++] =
                (struct leat_log_range){c->moves[i].part->moved_at, c->moves[i].to};
    }
    return LEAT_OK;
}

static enum leat_status fill_watermarks(struct leat_job_thread *job, struct leat_job_slot *slot,
                                        struct leat_error *err)
{
    const struct leat_watermark *marks = leat_flow_watermarks(job->flow);
    uint32_t sources = job->plan->sources_count;
    struct leat_log_record *r = &slot->log.record;

    r->watermarks = leat_arena_array(&slot->arena, sources, sizeof *r->watermarks);
    if (!r->watermarks)
        return leat_arena_failed(&slot->arena, err);
    for (uint32_t i = 0; i < sources; i++)
        r->watermarks[r->watermarks_count++] = (struct leat_log_watermark){
            job->plan->sources[i].name, marks[i].now_ms, marks[i].max_ms};
    return LEAT_OK;
}

/* The files of tables, and the positions of their topics, as they were for the last batch. */
static enum leat_status fill_tables(struct leat_job_thread *job, struct leat_job_slot *slot,
                                    struct leat_error *err)
{
    struct leat_log_record *r = &slot->log.record;
    uint32_t count = 0;

    for (uint32_t i = 0; i < job->plan->tables_count; i++)
        count += job->plan->tables[i].topic ? job->tables[i].topic.parts_count : 1;
    r->tables = leat_arena_array(&slot->arena, count, sizeof *r->tables);
    if (!r->tables)
        return leat_arena_failed(&slot->arena, err);
    for (uint32_t i = 0; i < job->plan->tables_count; i++) {
        const struct leat_job_table *t = &job->tables[i];
        if (!job->plan->tables[i].topic)
            r->tables[r->tables_count++] =
                (struct leat_log_table){job->plan->tables[i].name, t->changed_ns, t->file_bytes};
        for (uint32_t n = 0; n < t->topic.parts_count; n++)
            r->tables[r->tables_count++] = (struct leat_log_table){
                t->topic.parts[n]->name, LEAT_LOG_TABLE_TOPIC, t->topic.parts[n]->next};
    }
    return LEAT_OK;
}

enum leat_status leat_job_capture(struct leat_job_thread *job, uint64_t n, struct leat_error *err)
{
    struct leat_job_slot *slot = leat_job_slot_of(job, n);
    const struct leat_batch *last = &slot->last->flow->info;

    job->step.full = false;
    slot->sealed_ms = leat_clock_monotonic_ms(job->options.clock);
    slot->log.record = (struct leat_log_record){.job = leat_slice_str(job->name),
                                                .epoch = job->env.epoch,
                                                .slot = job->env.slot,
                                                .n = n,
                                                .batch_time_ms = last->time_ms,
                                                .clock_ms = last->clock_ms};
    if (fill_positions(job, slot, err) != LEAT_OK || fill_cuts(slot, err) != LEAT_OK ||
        fill_watermarks(job, slot, err) != LEAT_OK || fill_tables(job, slot, err) != LEAT_OK ||
        leat_job_capture_state(job, slot, err) != LEAT_OK)
        return err->status;
    return LEAT_OK;
}
