/*
 * job_commit.c - groups on their way to the outside: sinks prepare, the record is synced, sinks
 * show, sources are told, everything is released. Thread: job.
 */
#include "base/failpoint.h"
#include "data/container.h"
#include "run/job_thread.h"
#include "run/source_env.h"

#include <inttypes.h>

struct leat_job_slot *leat_job_slot_of(struct leat_job_thread *job, uint64_t n)
{
    return &job->batches[n % 2];
}

/* ---- prepare, log, finish */

const struct leat_sink_batch *leat_job_batches_for(struct leat_job_thread *job,
                                                   struct leat_job_slot *slot, uint32_t sink,
                                                   uint32_t *count, struct leat_error *err)
{
    struct leat_sink_batch *list = leat_arena_array(&slot->arena, slot->group->count, sizeof *list);

    if (!list) {
        leat_arena_failed(&slot->arena, err);
        return NULL;
    }
    *count = 0;
    for (const struct leat_job_cut *c = slot->first; c; c = c->next)
        if (!(job->plan->sinks[sink].missing & c->flow->missing))
            list[(*count)++] =
                (struct leat_sink_batch){c->flow->info.time_ms, c->flow->outputs[sink].first};
    return list;
}

/* What the others of the group left out, for the sink of dead letters; the step saw to it that they
 * have answered. */
static const struct leat_sealed *letters_for(struct leat_job_thread *job,
                                             struct leat_job_slot *slot)
{
    struct leat_sealed *first = slot->left_out.letters, *last = slot->left_out.last;

    for (uint32_t i = 0; i < job->plan->sinks_count; i++) {
        struct leat_left_out *l = &slot->works[i].left_out;
        if (!l->letters)
            continue;
        if (last)
            last->next = l->letters;
        else
            first = l->letters;
        last = l->last;
    }
    return first;
}

/* `sink` as job_step counts them. */
void leat_job_prepare(struct leat_job_thread *job, uint64_t n, uint32_t sink)
{
    struct leat_job_slot *slot = leat_job_slot_of(job, n);
    uint32_t number = job->outside[sink];
    struct leat_sink_work *w = &slot->works[number];
    struct leat_error err;

    w->batches = leat_job_batches_for(job, slot, number, &w->batches_count, &err);
    if (!w->batches) {
        leat_job_fail(job, &err);
        return;
    }
    w->msg.kind = LEAT_MSG_PREPARE;
    w->n = n;
    w->sink = sink;
    w->letters =
        job->step.letters_last && number == job->plan->letters ? letters_for(job, slot) : NULL;
    w->positions = (struct leat_positions){slot->positions, slot->positions_count};
    leat_job_watch_output(job, w, false);
    leat_queue_put(&job->sinks[number].in, &w->msg);
}

void leat_job_note_left_out(struct leat_job_thread *job, uint64_t n, struct leat_left_out *l)
{
    bool one = l->count == 1, dlq = job->plan->on_error == LEAT_ON_ERROR_DLQ;

    if (l->count == 0)
        return;
    leat_metric_add(&job->metrics, LEAT_JOB_METRIC_errors, l->count);
    leat_warn(&job->lines, "%" PRIu64 " output%s of batch %" PRIu64 " %s, the first: %s", l->count,
              one ? "" : "s", n,
              dlq ? (one ? "became a dead letter" : "became dead letters")
                  : (one ? "was dropped" : "were dropped"),
              l->first);
    l->count = 0;
}

static enum leat_status fill_sections(struct leat_job_thread *job, struct leat_job_slot *slot,
                                      struct leat_error *err)
{
    uint32_t sinks = job->step.sinks_count;
    struct leat_log_record *r = &slot->log.record;

    r->sections = leat_arena_array(&slot->arena, sinks, sizeof *r->sections);
    if (!r->sections)
        return leat_arena_failed(&slot->arena, err);
    for (uint32_t i = 0; i < job->step.sinks_count; i++) {
        uint32_t number = job->outside[i];
        r->sections[r->sections_count++] = (struct leat_log_section){
            job->plan->sinks[number].name, leat_bytes_slice(&slot->works[number].section)};
    }
    return LEAT_OK;
}

void leat_job_log_record(struct leat_job_thread *job, uint64_t n)
{
    struct leat_job_slot *slot = leat_job_slot_of(job, n);
    struct leat_error err;

    /* With letters_last that was seen to before the decider prepared. */
    if (!job->step.letters_last && !leat_job_is_marked(job)) {
        job->waits_to_log = true;
        return;
    }
    if (fill_sections(job, slot, &err) != LEAT_OK) {
        leat_job_fail(job, &err);
        return;
    }
    slot->log.record.marker = job->marker;
    slot->log.record.confirmed = n - 1; /* a clean stop confirms n too */
    slot->log.keep_since_ms = job->now_ms - job->plan->spec->checkpoint.keep.ms;
    slot->log.msg.kind = LEAT_MSG_LOG;
    leat_queue_put(&job->log_thread.in, &slot->log.msg);
}

/* Whoever keeps positions for us: a failure is tried again with the next batch. */
static void commit_sources(struct leat_job_thread *job, const struct leat_job_slot *slot,
                           uint64_t n)
{
    const struct leat_positions all = {slot->positions, slot->positions_count};
    struct leat_error err;

    for (uint32_t i = 0; i < job->plan->sources_count && !job->plan->exactly_once; i++) {
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

static void note_committed(struct leat_job_thread *job, struct leat_job_slot *slot)
{
    for (const struct leat_job_cut *c = slot->first; c; c = c->next)
        for (uint32_t i = 0; i < c->count; i++) {
            struct leat_job_source_part *p = c->moves[i].part;
            struct leat_job_source *s = &job->sources[p->source];
            p->committed = c->moves[i].to;
            if (s->store.running)
                leat_store_thread_done(&s->store, p->source_id, p->committed);
        }
}

static void finished(struct leat_job_thread *job, uint64_t n)
{
    struct leat_job_slot *slot = leat_job_slot_of(job, n);

    leat_failpoint("finish.after");
    note_committed(job, slot);
    leat_job_state_committed(job, n);
    commit_sources(job, slot, n);
    acknowledge(job, slot);
    leat_job_watch_committed(job, slot);
    leat_job_rate_note(job, slot);
    int64_t time_ms = slot->last->flow->info.time_ms;
    leat_metric_add(&job->metrics, LEAT_JOB_METRIC_batches, slot->group->count);
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_commit_ms,
                    leat_clock_monotonic_ms(job->options.clock) - slot->ran_ms);
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_delay_ms,
                    job->now_ms > time_ms ? job->now_ms - time_ms : 0);
    leat_flow_release(job->flow, slot->group);
    slot->group = NULL;
    leat_job_event(job, (struct leat_event){.kind = LEAT_EV_FINISHED, .batch = n});
}

void leat_job_finish(struct leat_job_thread *job, uint64_t n)
{
    struct leat_job_slot *slot = leat_job_slot_of(job, n);

    leat_failpoint("finish.before");
    slot->committing = job->step.sinks_count + job->step.decides;
    for (uint32_t i = 0; i < job->step.sinks_count; i++) {
        struct leat_sink_work *w = &slot->works[job->outside[i]];
        w->msg.kind = LEAT_MSG_COMMIT;
        leat_queue_put(&job->sinks[job->outside[i]].in, &w->msg);
    }
    if (job->step.decides)
        leat_decider_thread_put(&job->decider, &slot->decide, LEAT_MSG_DECIDER_FINISH);
    if (slot->committing == 0)
        finished(job, n);
}

void leat_job_committed(struct leat_job_thread *job, uint64_t n)
{
    if (--leat_job_slot_of(job, n)->committing == 0)
        finished(job, n);
}

/* Sinks that have something to do by the clock, while no batch is under way. */
void leat_job_idle(struct leat_job_thread *job, int64_t now_ms)
{
    if (job->step.cut != job->step.finished)
        return;
    for (uint32_t i = 0; i < job->step.sinks_count; i++) {
        struct leat_sink_work *w = &job->idle_works[i];
        struct leat_sink_thread *t = &job->sinks[job->outside[i]];
        if (!t->sink->tick || job->idles[i])
            continue;
        job->idles[i] = true;
        w->msg.kind = LEAT_MSG_IDLE;
        w->sink = i;
        w->now_ms = now_ms;
        leat_queue_put(&t->in, &w->msg);
    }
    leat_job_decider_idle(job, now_ms);
}

/* ---- begin and end */

static struct leat_slice section_of(const struct leat_log_record *last, struct leat_slice sink)
{
    for (uint32_t i = 0; i < last->sections_count; i++)
        if (leat_slice_eq(last->sections[i].sink, sink))
            return last->sections[i].bytes;
    return (struct leat_slice){0};
}

enum leat_status leat_job_sink_init(struct leat_job_thread *job, uint32_t number, void **self,
                                    struct leat_env *env, struct leat_error *err)
{
    const struct leat_plan_sink *plan = &job->plan->sinks[number];
    struct leat_slice name = leat_arena_copy(&job->arena, plan->name);

    *self = leat_arena_alloc(&job->arena, plan->module->self_size);
    if (!name.ptr || !*self)
        return leat_fail(err, LEAT_E_NOMEM, "no memory to open sink '%.*s'", LEAT_FMT(plan->name));
    if (plan->self)
        memcpy(*self, plan->self, plan->module->self_size);
    job->sink_lines[number] = (struct leat_log){job->name, name.ptr};
    const atomic_bool *over = env->over;
    *env = job->env;
    env->over = over;
    env->log = &job->sink_lines[number];
    env->budget = &job->work;
    env->finished = leat_job_log_last(job->log)->confirmed;
    env->file_preamble = plan->preamble;
    env->container = leat_container_of(plan->format, plan->format_self);
    env->container_self = plan->format_self;
    return leat_remote_env(plan->remote, env, &job->arena, err);
}

/* The step's sink `i`. */
static enum leat_status init_sink(struct leat_job_thread *job, uint32_t i, struct leat_error *err)
{
    uint32_t number = job->outside[i];
    const struct leat_plan_sink *plan = &job->plan->sinks[number];
    const struct leat_log_record *last = leat_job_log_last(job->log);
    struct leat_sink_thread *t = &job->sinks[number];

    t->env.over = &t->hurry;
    if (leat_job_sink_init(job, number, &t->self, &t->env, err) != LEAT_OK)
        return err->status;
    t->plan = job->plan;
    t->number = number;
    t->sink = plan->module->sink;
    t->refusals.arena.budget = &job->work;
    t->env.refusals = &t->refusals;
    t->opened.section = (struct leat_bytes){.arena = &t->opened.arena};
    struct leat_slice section = section_of(last, plan->name);
    leat_bytes_put(&t->opened.section, section.ptr, section.len);
    if (t->opened.section.failed)
        return leat_fail(err, LEAT_E_NOMEM, "no memory to open sink '%.*s'", LEAT_FMT(plan->name));
    t->job = &job->in;
    t->opened.sink = i;
    t->opened.n = last->n;
    return leat_sink_thread_start(t, err);
}

/* Dead letters may come from sinks, and their own sink is not one of the decider's. */
static bool has_letters_last(const struct leat_plan *plan)
{
    if (plan->on_error != LEAT_ON_ERROR_DLQ || plan->sinks[plan->letters].in_decider)
        return false;
    for (uint32_t i = 0; i < plan->sinks_count; i++)
        if (i != plan->letters && plan->sinks[i].module->sink->refuses)
            return true;
    return false;
}

enum leat_status leat_job_commits_init(struct leat_job_thread *job, struct leat_error *err)
{
    uint32_t n = job->plan->sinks_count;

    job->sinks = leat_arena_array(&job->arena, n, sizeof *job->sinks);
    job->outside = leat_arena_array(&job->arena, n, sizeof *job->outside);
    job->sink_lines = leat_arena_array(&job->arena, n, sizeof *job->sink_lines);
    job->idle_works = leat_arena_array(&job->arena, n, sizeof *job->idle_works);
    job->idles = leat_arena_array(&job->arena, n, sizeof *job->idles);
    for (int i = 0; i < 2; i++)
        job->batches[i].works = leat_arena_array(&job->arena, n, sizeof *job->batches[i].works);
    if (!job->sinks || !job->outside || !job->sink_lines || !job->idle_works || !job->idles ||
        !job->batches[0].works || !job->batches[1].works)
        return leat_arena_failed(&job->arena, err);
    for (uint32_t i = 0; i < n; i++)
        if (!job->plan->sinks[i].in_decider)
            job->outside[job->step.sinks_count++] = i;
    job->step.decides = job->plan->decider.kind;
    job->step.letters_last = has_letters_last(job->plan);
    return LEAT_OK;
}

enum leat_status leat_job_commits_start(struct leat_job_thread *job, struct leat_error *err)
{
    for (uint32_t i = 0; i < job->step.sinks_count; i++)
        if (init_sink(job, i, err) != LEAT_OK)
            return leat_error_prefix(err, "sink '%.*s'",
                                     LEAT_FMT(job->plan->sinks[job->outside[i]].name));
    job->log_thread = (struct leat_log_thread){
        .log = job->log, .state = job->state, .lines = &job->lines, .job = &job->in};
    return leat_log_thread_start(&job->log_thread, err);
}

/* What was on its way when the job ended goes; of outputs that fail, too, one hears. */
static void drain(struct leat_job_thread *job)
{
    for (struct leat_msg *m; (m = leat_queue_try(&job->in));) {
        const struct leat_sink_work *w = (const struct leat_sink_work *)m;
        if ((m->kind == LEAT_MSG_PREPARED || m->kind == LEAT_MSG_DONE) &&
            w->error.status != LEAT_OK)
            leat_job_watch_output(job, w, true);
        leat_job_drop(m);
    }
}

/* Threads end here. */
void leat_job_commits_fini(struct leat_job_thread *job)
{
    for (uint32_t i = 0; job->sinks && i < job->plan->sinks_count; i++)
        atomic_store(&job->sinks[i].hurry, true);
    atomic_store(&job->decider.hurry, true);
    leat_decider_thread_stop(&job->decider);
    leat_snapshot_thread_stop(&job->snapshot.thread);
    for (uint32_t i = 0; job->sinks && i < job->plan->sinks_count; i++) {
        leat_sink_thread_stop(&job->sinks[i], true);
        leat_arena_reset(&job->sinks[i].opened.arena);
    }
    leat_log_thread_stop(&job->log_thread, true);
    drain(job);
    if (job->error.status != LEAT_OK)
        leat_job_watch_failed(job);
    for (int b = 0; b < 2; b++) {
        for (uint32_t i = 0; job->batches[b].works && i < job->plan->sinks_count; i++) {
            leat_arena_reset(&job->batches[b].works[i].arena);
            leat_arena_reset(&job->batches[b].works[i].left_out.arena);
        }
        leat_arena_reset(&job->batches[b].left_out.arena);
        leat_arena_reset(&job->batches[b].arena);
    }
}
