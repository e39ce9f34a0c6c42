/*
 * job_decide.c - the decider of a running job: what it knows at the start is held against the log,
 * groups go through its transaction, and its marker is set where there is none.
 *
 * Thread: job.
 */
#include "run/job_thread.h"

#include "base/failpoint.h"
#include "run/recover.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define MARK_EVERY_MS INT64_C(86400000) /* the other side forgets what nobody touches for days */

/* ---- where the log has partitions, as of the start */

static int compare(struct leat_slice a, struct leat_slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int c = len ? memcmp(a.ptr, b.ptr, len) : 0;

    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int compare_places(const void *a, const void *b)
{
    const struct leat_log_position *x = a, *y = b;
    int c = compare(x->source, y->source);

    return c ? c : compare(x->partition, y->partition);
}

struct listing {
    struct leat_job_thread *job;
    uint32_t room;
};

static void count_place(void *arg, const struct leat_log_position *p)
{
    (void)p;
    ((struct listing *)arg)->room++;
}

static void keep_place(void *arg, const struct leat_log_position *p)
{
    struct listing *l = arg;
    struct leat_job_thread *job = l->job;
    struct leat_log_position *into = &job->places[job->places_count];

    *into = *p;
    into->source = leat_arena_copy(&job->arena, p->source);
    into->partition = leat_arena_copy(&job->arena, p->partition);
    if (into->source.ptr && into->partition.ptr)
        job->places_count++;
}

static enum leat_status init_places(struct leat_job_thread *job, struct leat_error *err)
{
    struct listing l = {.job = job};

    leat_job_log_each_position(job->log, count_place, &l);
    job->places = leat_arena_array(&job->arena, l.room, sizeof *job->places);
    job->places_count = 0;
    if (!job->places)
        return leat_arena_failed(&job->arena, err);
    leat_job_log_each_position(job->log, keep_place, &l);
    if (job->places_count < l.room)
        return leat_arena_failed(&job->arena, err);
    qsort(job->places, job->places_count, sizeof *job->places, compare_places);
    return LEAT_OK;
}

const struct leat_log_position *leat_job_place(const struct leat_job_thread *job,
                                               struct leat_slice source,
                                               struct leat_slice partition)
{
    struct leat_log_position key = {.source = source, .partition = partition};

    return job->places_count
               ? bsearch(&key, job->places, job->places_count, sizeof key, compare_places)
               : NULL;
}

/* ---- the start */

/* A partition that two sources read has two places; one that fits is enough. */
static bool position_of(const void *arg, struct leat_slice partition, int64_t *with,
                        int64_t *without)
{
    const struct leat_job_thread *job = arg;
    const struct leat_log_record *last = leat_job_log_last(job->log);
    bool found = false;

    for (uint32_t i = 0; i < job->plan->sources_count && !found; i++) {
        const struct leat_plan_source *s = &job->plan->sources[i];
        const struct leat_log_position *p =
            s->decided ? leat_job_log_find(job->log, s->name, partition) : NULL;
        if (!p)
            continue;
        found = true;
        *with = *without = p->next;
        for (uint32_t k = 0; k < last->positions_count; k++)
            if (leat_slice_eq(last->positions[k].source, s->name) &&
                leat_slice_eq(last->positions[k].partition, partition))
                *without = last->positions[k].from;
    }
    return found;
}

static struct leat_recovery recovery_of(const struct leat_job_thread *job)
{
    const struct leat_log_record *last = leat_job_log_last(job->log);

    return (struct leat_recovery){.dir = job->dir,
                                  .n = last->n,
                                  .confirmed = last->confirmed,
                                  .epoch = job->env.epoch,
                                  .slot = job->env.slot,
                                  .marker = last->marker,
                                  .position = position_of,
                                  .arg = job,
                                  .known = job->decider.known,
                                  .known_count = job->decider.known_count};
}

static enum leat_status settle(struct leat_job_thread *job, struct leat_error *err)
{
    enum leat_recover_verdict verdict = LEAT_RECOVER_GO_ON;
    const struct leat_recovery r = recovery_of(job);
    enum leat_status status =
        job->decider.kind ? leat_recover_decide(&r, &verdict, err) : leat_recover_alone(&r, err);

    if (status == LEAT_E_LOST && job->options.accept_offsets) {
        leat_warn(&job->lines, "%s", err->text);
        leat_warn(&job->lines, "accepted: log and state in '%s' begin anew", job->dir);
        verdict = LEAT_RECOVER_FRESH;
        job->must_mark = true; /* else the next start would find the same */
        if (leat_job_reset(job, err) != LEAT_OK)
            return err->status;
        job->decider.env.epoch = job->env.epoch;
        for (uint32_t i = 0; i < job->decider.sinks_count; i++)
            job->decider.sinks[i].env.epoch = job->env.epoch;
    } else if (status != LEAT_OK) {
        return status;
    }
    leat_failpoint("recover.decided");
    job->needs_mark = verdict == LEAT_RECOVER_FRESH || verdict == LEAT_RECOVER_MARK;
    if (!job->needs_mark && r.marker.len) {
        job->marker = leat_arena_copy(&job->arena, r.marker);
        if (!job->marker.ptr)
            return leat_arena_failed(&job->arena, err);
    }
    if (verdict == LEAT_RECOVER_MARK && r.marker.len)
        leat_warn(&job->lines,
                  "the broker has forgotten the position of '%.*s', as after days without a commit "
                  "or when group or topic were deleted: going on from the log in '%s', which ends "
                  "with batch %" PRIu64,
                  LEAT_FMT(r.marker), job->dir, r.n);
    if (verdict == LEAT_RECOVER_DROP) {
        leat_info(&job->lines, "batch %" PRIu64 " was not committed: it is done again", r.n);
        if (leat_job_log_drop_last(job->log, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

/* What the log and the decider say fits together: everything else may begin. */
static enum leat_status begin(struct leat_job_thread *job, struct leat_error *err)
{
    if (settle(job, err) != LEAT_OK || init_places(job, err) != LEAT_OK ||
        leat_job_restore(job, err) != LEAT_OK)
        return err->status;
    leat_failpoint("recover.loaded");
    job->step.committed = leat_job_log_last(job->log)->n;
    job->step.time_ms = leat_job_ticks_behind(job);
    job->step.open = job->step.mode == LEAT_JOB_CAUGHT_UP &&
                     leat_flow_is_due(job->flow, job->now_ms, job->now_ms, true);
    if (leat_job_commits_start(job, err) != LEAT_OK)
        return err->status;
    job->recovered = true;
    job->marked_ms = leat_job_log_last(job->log)->clock_ms;
    if (!job->decider.kind)
        return LEAT_OK;
    job->recover_work.n = job->step.committed;
    leat_decider_thread_put(&job->decider, &job->recover_work, LEAT_MSG_DECIDER_RECOVER);
    return LEAT_OK;
}

static enum leat_status init_decider(struct leat_job_thread *job, struct leat_error *err)
{
    const struct leat_plan_decider *plan = &job->plan->decider;
    struct leat_decider_thread *d = &job->decider;
    uint32_t n = 0;

    d->kind = plan->kind;
    d->self = plan->self;
    d->job = &job->in;
    d->memory = leat_arena_alloc(&job->arena, plan->kind->size);
    d->plan = job->plan;
    d->sinks = leat_arena_array(&job->arena, job->plan->sinks_count, sizeof *d->sinks);
    d->given = leat_arena_array(&job->arena, job->plan->sinks_count, sizeof *d->given);
    if (!d->memory || !d->sinks || !d->given)
        return leat_arena_failed(&job->arena, err);
    job->decider_lines = (struct leat_log){job->name, "transaction"};
    d->env = job->env;
    d->env.log = &job->decider_lines;
    d->env.budget = &job->work;
    d->refusals.arena.budget = &job->work;
    d->env.refusals = &d->refusals;
    for (uint32_t i = 0; i < job->plan->sinks_count; i++)
        if (job->plan->sinks[i].in_decider) {
            struct leat_decided_sink *s = &d->sinks[n++];
            s->number = i;
            s->sink = job->plan->sinks[i].module->sink;
            if (leat_job_sink_init(job, i, &s->self, &s->env, err) != LEAT_OK)
                return err->status;
            s->env.decider = d->memory;
            s->env.refusals = &d->refusals;
        }
    d->sinks_count = n;
    return leat_decider_thread_start(d, err);
}

enum leat_status leat_job_recover(struct leat_job_thread *job, struct leat_error *err)
{
    leat_failpoint("recover.begin");
    if (job->plan->decider.kind)
        return init_decider(job, err);
    return begin(job, err);
}

/* ---- the marker */

/* The first by source, then by name. */
static struct leat_job_source_part *first_decided(const struct leat_job_thread *job)
{
    struct leat_job_source_part *best = NULL;

    for (uint32_t i = 0; i < job->step.parts_count; i++) {
        struct leat_job_source_part *p = job->parts[i];
        if (!job->plan->sources[p->source].decided)
            continue;
        if (!best || p->source < best->source ||
            (p->source == best->source && compare(p->part.name, best->part.name) < 0))
            best = p;
    }
    return best;
}

/* Where the marker stood when the last committed group was. */
static int64_t marker_at(const struct leat_job_thread *job)
{
    for (uint32_t i = 0; i < job->step.parts_count; i++) {
        const struct leat_job_source_part *p = job->parts[i];
        if (job->plan->sources[p->source].decided && leat_slice_eq(p->part.name, job->marker))
            return p->committed;
    }
    for (uint32_t i = 0; i < job->places_count; i++)
        if (leat_slice_eq(job->places[i].partition, job->marker))
            return job->places[i].next;
    return (int64_t)job->step.committed;
}

static bool choose_marker(struct leat_job_thread *job)
{
    if (job->marker.ptr)
        return true;
    const struct leat_job_source_part *p = first_decided(job);
    job->marker = job->plan->decider.marker.ptr ? job->plan->decider.marker
                  : p                           ? p->part.name
                                                : (struct leat_slice){0};
    return job->marker.ptr;
}

/* Where partitions begin that nobody has committed yet: else `start: latest` would be another place
 * at the next start. */
static enum leat_status list_new(struct leat_job_thread *job, struct leat_decider_work *w,
                                 struct leat_error *err)
{
    struct leat_position *list = leat_arena_array(&job->arena, job->new_parts, sizeof *list);
    size_t count = 0;

    if (!list)
        return leat_arena_failed(&job->arena, err);
    for (uint32_t i = 0; i < job->step.parts_count && count < job->new_parts; i++)
        if (job->parts[i]->is_new) {
            list[count++] =
                (struct leat_position){job->parts[i]->part.name, job->parts[i]->committed};
            job->parts[i]->is_new = false;
        }
    w->positions = (struct leat_positions){list, count};
    job->new_parts = 0;
    return LEAT_OK;
}

static void mark(struct leat_job_thread *job)
{
    struct leat_decider_work *w = &job->mark_work;
    struct leat_error err;

    *w = (struct leat_decider_work){
        .n = job->step.committed, .marker = job->marker, .marker_next = marker_at(job)};
    if (list_new(job, w, &err) != LEAT_OK) {
        leat_job_fail(job, &err);
        return;
    }
    job->marking = true;
    leat_decider_thread_put(&job->decider, w, LEAT_MSG_DECIDER_MARK);
}

/* The decider prepares before the record is logged, and has been told to. */
static bool prepares_early(const struct leat_job_thread *job)
{
    enum leat_batch_state state = job->step.batches[(job->step.finished + 1) % 2].state;

    return job->step.letters_last && state == LEAT_BATCH_PREPARING;
}

/* Between a group's prepare and its end the decider has a transaction open. */
static bool is_between(const struct leat_job_thread *job)
{
    enum leat_batch_state state = job->step.batches[(job->step.finished + 1) % 2].state;

    if (prepares_early(job))
        return false;
    return job->waits_to_log || job->step.cut == job->step.finished ||
           (state != LEAT_BATCH_LOGGING && state != LEAT_BATCH_COMMITTING);
}

/* Before a record is logged: the marker is there, and so are new partitions. */
bool leat_job_is_marked(struct leat_job_thread *job)
{
    if (!job->decider.kind || (!job->needs_mark && !job->new_parts && !job->marking))
        return true;
    if (!job->marking && choose_marker(job))
        mark(job);
    return false;
}

/* ---- a group */

static enum leat_status fill_work(struct leat_job_thread *job, struct leat_job_slot *slot,
                                  struct leat_error *err)
{
    struct leat_decider_work *w = &slot->decide;
    const struct leat_sink_batch **lists =
        leat_arena_array(&slot->arena, job->decider.sinks_count, sizeof *lists);
    uint32_t n = 0, count = slot->group->count;

    if (!lists)
        return leat_arena_failed(&slot->arena, err);
    for (uint32_t i = 0; i < job->plan->sinks_count; i++)
        if (job->plan->sinks[i].in_decider &&
            !(lists[n++] = leat_job_batches_for(job, slot, i, &count, err)))
            return err->status;
    assert(count == slot->group->count); /* a queue is in no transaction */
    *w = (struct leat_decider_work){
        .n = slot->n,
        .aborted = w->aborted && w->n == slot->n,
        .batches = lists,
        .batches_count = slot->group->count,
        .left_out = &slot->left_out,
        .positions = {slot->decided, slot->decided_count},
        .marker = job->marker,
        .marker_next = marker_at(job),
    };
    for (uint32_t i = 0; i < slot->decided_count; i++)
        if (leat_slice_eq(slot->decided[i].partition, job->marker))
            w->marker_next = slot->decided[i].next;
    return LEAT_OK;
}

void leat_job_decider_prepare(struct leat_job_thread *job, uint64_t n)
{
    struct leat_job_slot *slot = leat_job_slot_of(job, n);
    struct leat_error err;

    if (prepares_early(job))
        (void)leat_job_is_marked(job); /* what is missing goes first */
    if (!job->marker.ptr)
        job->waits_to_prepare = n;
    else if (fill_work(job, slot, &err) == LEAT_OK)
        leat_decider_thread_put(&job->decider, &slot->decide, LEAT_MSG_DECIDER_PREPARE);
    else
        leat_job_fail(job, &err);
}

/* PREPARE follows, and undoes what is left of the transaction. */
void leat_job_decider_abort(struct leat_job_thread *job, uint64_t n)
{
    leat_job_slot_of(job, n)->decide.aborted = true;
}

void leat_job_decider_commit(struct leat_job_thread *job, uint64_t n)
{
    leat_decider_thread_put(&job->decider, &leat_job_slot_of(job, n)->decide,
                            LEAT_MSG_DECIDER_COMMIT);
}

void leat_job_decider_resolve(struct leat_job_thread *job, uint64_t n)
{
    leat_decider_thread_put(&job->decider, &leat_job_slot_of(job, n)->decide,
                            LEAT_MSG_DECIDER_RESOLVE);
}

/* A group is ready, and a partition for the marker is known by now? */
void leat_job_decide_turn(struct leat_job_thread *job)
{
    uint64_t n = job->waits_to_prepare;

    if (job->new_parts && job->recovered && is_between(job))
        (void)leat_job_is_marked(job);
    if (job->waits_to_log && leat_job_is_marked(job)) {
        job->waits_to_log = 0;
        leat_job_log_record(job, job->step.finished + 1);
    }
    if (!n || (!job->marker.ptr && !(prepares_early(job) && choose_marker(job))))
        return;
    job->waits_to_prepare = 0;
    leat_job_decider_prepare(job, n);
}

/* ---- answers */

static void fail(struct leat_job_thread *job, struct leat_error *why)
{
    if (why->status != LEAT_E_FENCED) /* who is fenced has said so */
        leat_error_prefix(why, "the transaction");
    leat_job_fail(job, why);
}

static void committed(struct leat_job_thread *job, struct leat_decider_work *w)
{
    enum leat_status status = w->error.status;

    if (status == LEAT_OK || status == LEAT_E_UNCLEAR || leat_status_is_transient(status))
        leat_job_event(
            job, (struct leat_event){.kind = LEAT_EV_COMMITTED, .batch = w->n, .status = status});
    else
        fail(job, &w->error);
}

/* After a commit that was aborted the decider writes again, and now a record is refused that was
 * taken before. The dead letters are prepared, and the record of the group is logged. */
static void too_late(struct leat_job_thread *job, const struct leat_left_out *l)
{
    struct leat_error err;

    leat_fail(&err, LEAT_E_DATA,
              "%s; it was refused when its batch was written again, which then has to be read "
              "again: start the job again",
              l->first);
    leat_job_fail(job, &err);
}

static void opened(struct leat_job_thread *job)
{
    struct leat_error err;

    if (!job->over && begin(job, &err) != LEAT_OK)
        leat_job_fail(job, &err);
}

void leat_job_decided(struct leat_job_thread *job, struct leat_decider_work *w)
{
    int kind = w->msg.kind;

    if (kind == LEAT_MSG_DECIDER_COMMITTED) {
        committed(job, w);
        return;
    }
    if (w->error.status != LEAT_OK) {
        fail(job, &w->error);
        return;
    }
    if (kind == LEAT_MSG_DECIDER_OPENED) {
        opened(job);
    } else if (kind == LEAT_MSG_DECIDER_RECOVERED) {
        job->opened++;
    } else if (kind == LEAT_MSG_DECIDER_MARKED) {
        job->marking = job->needs_mark = false;
        job->marked_ms = job->now_ms;
    } else if (kind == LEAT_MSG_DECIDER_PREPARED) {
        struct leat_left_out *l = &leat_job_slot_of(job, w->n)->left_out;
        if (job->step.letters_last && l->count && !prepares_early(job)) {
            too_late(job, l);
            return;
        }
        leat_job_note_left_out(job, w->n, l);
        leat_job_event(job, (struct leat_event){.kind = LEAT_EV_PREPARED,
                                                .batch = w->n,
                                                .sink = job->step.sinks_count});
    } else if (kind == LEAT_MSG_DECIDER_RESOLVED) {
        leat_job_event(job, (struct leat_event){.kind = LEAT_EV_RESOLVED, .batch = w->known});
    } else if (kind == LEAT_MSG_DECIDER_IDLED) {
        job->decider_idles = false;
    } else if (kind == LEAT_MSG_DECIDER_FINISHED) {
        job->marked_ms = job->now_ms;
        leat_job_committed(job, w->n);
    }
}

/* No group is under way: sinks may have something to do, and the marker may be old. */
void leat_job_decider_idle(struct leat_job_thread *job, int64_t now_ms)
{
    struct leat_decider_work *w = &job->idle_work;
    bool is_old = job->needs_mark || job->now_ms - job->marked_ms >= MARK_EVERY_MS;

    if (!job->decider.kind || job->marking)
        return;
    if (is_old && choose_marker(job)) {
        mark(job);
        return;
    }
    if (job->decider_idles)
        return;
    job->decider_idles = true;
    *w = (struct leat_decider_work){.now_ms = now_ms};
    leat_decider_thread_put(&job->decider, w, LEAT_MSG_DECIDER_IDLE);
}

/* A call that ignores its time limit would hold the job for ever, and with it a transaction that
 * nobody can end. */
int64_t leat_job_decider_wake_ms(const struct leat_job_thread *job)
{
    int64_t until_ms = job->decider.running ? atomic_load(&job->decider.until_ms) : INT64_MAX;

    return until_ms == INT64_MAX ? LEAT_JOB_NEVER : until_ms + job->ahead_ms;
}
