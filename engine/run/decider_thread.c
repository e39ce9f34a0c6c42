#include "run/decider_thread.h"

#include "base/failpoint.h"
#include "base/thread.h"
#include "run/message.h"
#include "run/patience.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_MIN_MS 50
#define KNOWN_ROOM   16

/* ---- calls, and how long they may take */

static void begin_call(struct leat_decider_thread *t)
{
    atomic_store(&t->until_ms,
                 leat_clock_monotonic_ms(t->env.clock) + t->kind->patience_ms(t->memory));
}

static enum leat_status end_call(struct leat_decider_thread *t, enum leat_status status)
{
    atomic_store(&t->until_ms, INT64_MAX);
    return status;
}

#define CALL(t, call) (begin_call(t), end_call(t, t->kind->call))

static struct leat_patience patience_of(struct leat_decider_thread *t)
{
    return (struct leat_patience){.log = t->env.log,
                                  .in = &t->in,
                                  .hurry = &t->hurry,
                                  .waits = &t->waits,
                                  .first_ms = PAUSE_MIN_MS};
}

/* True: try again. False: it cannot heal, or the job ends. */
static bool wait_for_better(struct leat_patience *p, const struct leat_error *why)
{
    bool again = leat_status_is_transient(why->status) || why->status == LEAT_E_UNCLEAR;

    return again && leat_patience_wait(p, why->text);
}

/* ---- open, and what the other side knows */

struct gathering {
    struct leat_decider_thread *t;
    bool no_memory;
};

static bool make_room(struct leat_decider_thread *t)
{
    uint32_t room = t->known_room ? t->known_room * 2 : KNOWN_ROOM;

    if (t->known_count < t->known_room)
        return true;
    struct leat_decided *grown = leat_arena_array(&t->arena, room, sizeof *grown);
    if (!grown)
        return false;
    if (t->known_count)
        memcpy(grown, t->known, t->known_count * sizeof *grown);
    t->known = grown;
    t->known_room = room;
    return true;
}

static void gather(void *arg, const struct leat_decided *d)
{
    struct gathering *g = arg;
    struct leat_slice name = leat_arena_copy(&g->t->arena, d->partition);

    g->no_memory = g->no_memory || !name.ptr || !make_room(g->t);
    if (g->no_memory)
        return;
    g->t->known[g->t->known_count] = *d;
    g->t->known[g->t->known_count++].partition = name;
}

const struct leat_decided *leat_decider_known(const struct leat_decider_thread *t,
                                              struct leat_slice partition)
{
    for (uint32_t i = 0; i < t->known_count; i++)
        if (leat_slice_eq(t->known[i].partition, partition))
            return &t->known[i];
    return NULL;
}

static void close_decider(struct leat_decider_thread *t)
{
    if (t->is_open)
        t->kind->close(t->memory);
    t->is_open = false;
}

static enum leat_status open_once(struct leat_decider_thread *t, struct leat_error *err)
{
    struct gathering g = {.t = t};

    close_decider(t);
    leat_arena_recycle(&t->arena, 65536);
    t->known = NULL;
    t->known_count = t->known_room = 0;
    t->is_open = true;
    if (t->kind->open(t->memory, t->self, &t->env, err) != LEAT_OK)
        return err->status;
    if (CALL(t, recover(t->memory, gather, &g, err)) != LEAT_OK)
        return err->status;
    return g.no_memory
               ? leat_fail(err, LEAT_E_NOMEM, "no memory for %" PRIu32 " positions", t->known_count)
               : LEAT_OK;
}

static enum leat_status open_decider(struct leat_decider_thread *t, struct leat_error *err)
{
    struct leat_patience patience = patience_of(t);

    while (open_once(t, err) != LEAT_OK)
        if (!wait_for_better(&patience, err))
            return err->status;
    leat_patience_over(&patience);
    return LEAT_OK;
}

/* The group that the marker is of. */
static enum leat_status ask(struct leat_decider_thread *t, const struct leat_decider_work *w,
                            uint64_t *n, struct leat_error *err)
{
    if (open_decider(t, err) != LEAT_OK)
        return err->status;
    const struct leat_decided *d = leat_decider_known(t, w->marker);
    if (!d || d->by != LEAT_DECIDED_OURS || d->epoch != t->env.epoch)
        return leat_fail(err, LEAT_E_LOST,
                         "nobody can tell whether batch %" PRIu64
                         " was committed: the marker of partition '%.*s' is gone",
                         w->n, LEAT_FMT(w->marker));
    *n = d->n;
    return LEAT_OK;
}

/* ---- prepare */

static enum leat_status leave_out(struct leat_decider_thread *t, const struct leat_decider_work *w,
                                  struct leat_error *err)
{
    bool dlq = t->plan->on_error == LEAT_ON_ERROR_DLQ;

    for (uint32_t i = 0; i < t->sinks_count; i++) {
        uint32_t number = t->sinks[i].number;
        t->given[i] = (struct leat_given){
            .sink = number,
            .batches = w->batches[i],
            .count = w->batches_count,
            .letters = dlq && number == t->plan->letters ? w->left_out->letters : NULL};
    }
    return leat_leave_out(w->left_out, t->plan, &t->refusals, t->given, t->sinks_count, err);
}

/* Dead letters are written last: what the others refuse at once comes in time. */
static enum leat_status write_letters(struct leat_decider_thread *t, uint32_t number,
                                      const struct leat_decider_work *w, struct leat_error *err)
{
    struct leat_decided_sink *s = &t->sinks[number];

    if (t->plan->on_error != LEAT_ON_ERROR_DLQ || s->number != t->plan->letters)
        return LEAT_OK;
    if (t->refusals.first && leave_out(t, w, err) != LEAT_OK)
        return err->status;
    for (const struct leat_sealed *r = w->left_out->letters; r; r = r->next)
        if (s->sink->write(s->self, w->n, &r->chunk, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status write_sink(struct leat_decider_thread *t, uint32_t number,
                                   const struct leat_decider_work *w, struct leat_error *err)
{
    struct leat_decided_sink *s = &t->sinks[number];
    struct leat_bytes section = {.arena = &t->scratch};

    for (uint32_t i = 0; i < w->batches_count; i++) {
        const struct leat_sink_batch *b = &w->batches[number][i];
        if (s->sink->begin && s->sink->begin(s->self, w->n, b->time_ms, err) != LEAT_OK)
            return err->status;
        for (const struct leat_sealed *r = b->rows; r; r = r->next)
            if (s->sink->write(s->self, w->n, &r->chunk, err) != LEAT_OK)
                return err->status;
    }
    if (write_letters(t, number, w, err) != LEAT_OK)
        return err->status;
    leat_arena_recycle(&t->scratch, 65536);
    return s->sink->prepare(s->self, w->n, &w->positions, &section, err);
}

static enum leat_status prepare_once(struct leat_decider_thread *t,
                                     const struct leat_decider_work *w, struct leat_error *err)
{
    if (CALL(t, begin(t->memory, w->n, err)) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < t->sinks_count && w->batches; i++) {
        begin_call(t);
        if (end_call(t, write_sink(t, i, w, err)) != LEAT_OK)
            return leat_error_prefix(err, "sink '%s'", t->sinks[i].env.log->part);
    }
    leat_failpoint("prepare.written");
    return CALL(t, prepare(t->memory, w->n, &w->positions, w->marker, w->marker_next, err));
}

/* Undo what was begun of n; where nobody knows, ask. n was never committed: that is the job's word.
 */
static enum leat_status undo(struct leat_decider_thread *t, const struct leat_decider_work *w,
                             bool unclear, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;
    struct leat_error ignored;

    if (!unclear)
        status = CALL(t, abort(t->memory, w->n, err));
    for (uint32_t i = 0; i < t->sinks_count; i++)
        if (t->sinks[i].sink->abort(t->sinks[i].self, w->n, &ignored) != LEAT_OK)
            leat_warn(t->sinks[i].env.log, "%s", ignored.text);
    if (status == LEAT_OK && !unclear)
        return LEAT_OK;
    if (!unclear && status != LEAT_E_UNCLEAR && !leat_status_is_transient(status))
        return status;
    return open_decider(t, err);
}

/* One attempt; what failed is undone. *again: without those rows that were refused it may be as
 * good as any. False: it failed for good, *err says why. */
static bool prepare_and_undo(struct leat_decider_thread *t, struct leat_decider_work *w,
                             bool *again, struct leat_error *why)
{
    enum leat_status status = prepare_once(t, w, why);
    bool told = t->refusals.first;

    why->status = status; /* what became of a row may stand there */
    *again = told && status == LEAT_E_DATA;
    if (told && leave_out(t, w, &w->error) != LEAT_OK)
        return false;
    if (status == LEAT_OK)
        return true;
    w->error = *why;
    if (!*again && status != LEAT_E_UNCLEAR && !leat_status_is_transient(status))
        return false;
    return undo(t, w, status == LEAT_E_UNCLEAR, &w->error) == LEAT_OK;
}

static void prepare(struct leat_decider_thread *t, struct leat_decider_work *w)
{
    struct leat_patience patience = patience_of(t);
    struct leat_error why;
    bool again;

    leat_failpoint("prepare.begin");
    if (w->aborted && undo(t, w, false, &w->error) != LEAT_OK)
        return;
    w->aborted = false;
    do {
        if (!prepare_and_undo(t, w, &again, &why))
            return;
        if (why.status != LEAT_OK && !again && !wait_for_better(&patience, &why)) {
            w->error = why;
            return;
        }
    } while (why.status != LEAT_OK);
    leat_patience_over(&patience);
    leat_failpoint("prepare.done");
    w->error.status = LEAT_OK;
}

/* ---- commit, resolve, mark */

static void commit(struct leat_decider_thread *t, struct leat_decider_work *w)
{
    w->error.status = CALL(t, commit(t->memory, w->n, &w->error));
    if (w->error.status == LEAT_E_ABORTED || w->error.status == LEAT_E_UNCLEAR)
        leat_warn(t->env.log, "commit of batch %" PRIu64 ": %s", w->n, w->error.text);
}

static bool stands_at(const struct leat_decider_thread *t, struct leat_slice partition,
                      int64_t next)
{
    const struct leat_decided *d = leat_decider_known(t, partition);

    return d && d->next == next;
}

/* A marker of n beside other positions than ours is that of a successor. */
static enum leat_status check_ours(const struct leat_decider_thread *t,
                                   const struct leat_decider_work *w, struct leat_error *err)
{
    bool ours = stands_at(t, w->marker, w->marker_next);

    for (size_t i = 0; i < w->positions.count; i++)
        ours = ours && stands_at(t, w->positions.list[i].partition, w->positions.list[i].next);
    return ours ? LEAT_OK
                : leat_fail(err, LEAT_E_FENCED,
                            "fenced by a newer instance: it has committed batch %" PRIu64
                            " with other positions",
                            w->n);
}

/* Group n may be there and yet not be ours: a successor with a copy of the log wrote its own. */
static bool is_as_written(const struct leat_decider_thread *t, const struct leat_decider_work *w)
{
    for (size_t i = 0; i < w->positions.count; i++) {
        const struct leat_position *p = &w->positions.list[i];
        const struct leat_decided *d = leat_decider_known(t, p->partition);
        if (!d || d->by != LEAT_DECIDED_OURS || d->n != w->n || d->next != p->next)
            return false;
    }
    return true;
}

static void resolve(struct leat_decider_thread *t, struct leat_decider_work *w)
{
    struct leat_error ignored;

    w->error.status = ask(t, w, &w->known, &w->error);
    if (w->error.status == LEAT_OK && w->known == w->n && !is_as_written(t, w))
        leat_fail(&w->error, LEAT_E_FENCED,
                  "batch %" PRIu64 " was committed by another instance, with other positions",
                  w->n);
    if (w->error.status == LEAT_OK && w->known == w->n)
        w->error.status = check_ours(t, w, &w->error);
    for (uint32_t i = 0; w->error.status == LEAT_OK && w->known < w->n && i < t->sinks_count; i++)
        if (t->sinks[i].sink->abort(t->sinks[i].self, w->n, &ignored) != LEAT_OK)
            leat_warn(t->sinks[i].env.log, "%s", ignored.text);
}

/* The marker by itself, for a group that is committed: the first of a new job, or again because the
 * other side forgets what nobody touches. */
static void mark(struct leat_decider_thread *t, struct leat_decider_work *w)
{
    struct leat_patience patience = patience_of(t);

    for (;;) {
        prepare(t, w);
        if (w->error.status != LEAT_OK)
            return;
        w->error.status = CALL(t, commit(t->memory, w->n, &w->error));
        if (w->error.status == LEAT_OK)
            return;
        struct leat_error why = w->error;
        if (why.status != LEAT_E_UNCLEAR && !leat_status_is_transient(why.status))
            return;
        if (undo(t, w, why.status == LEAT_E_UNCLEAR, &w->error) != LEAT_OK)
            return;
        if (!wait_for_better(&patience, &why)) {
            w->error = why;
            return;
        }
    }
}

/* ---- the sinks, before the first group and behind each */

static enum leat_status recover_sink(struct leat_decided_sink *s, uint64_t n,
                                     struct leat_error *err)
{
    enum leat_status status = s->sink->open(s->self, &s->env, err);

    if (status == LEAT_OK)
        status = s->sink->recover(s->self, n, (struct leat_slice){0}, err);
    if (status != LEAT_OK)
        s->sink->close(s->self);
    s->is_open = status == LEAT_OK;
    return status;
}

static void recover(struct leat_decider_thread *t, struct leat_decider_work *w)
{
    w->error.status = LEAT_OK;
    for (uint32_t i = 0; i < t->sinks_count; i++) {
        struct leat_patience patience = patience_of(t);
        while (recover_sink(&t->sinks[i], w->n, &w->error) != LEAT_OK)
            if (!wait_for_better(&patience, &w->error)) {
                leat_error_prefix(&w->error, "sink '%s'", t->sinks[i].env.log->part);
                return;
            }
        leat_patience_over(&patience);
    }
    w->error.status = LEAT_OK;
}

static void finish(struct leat_decider_thread *t, struct leat_decider_work *w)
{
    w->error.status = LEAT_OK;
    for (uint32_t i = 0; i < t->sinks_count; i++) {
        struct leat_patience patience = patience_of(t);
        while (t->sinks[i].sink->commit(t->sinks[i].self, w->n, &w->error) != LEAT_OK)
            if (!wait_for_better(&patience, &w->error)) {
                leat_error_prefix(&w->error, "sink '%s'", t->sinks[i].env.log->part);
                return;
            }
        leat_patience_over(&patience);
    }
    w->error.status = LEAT_OK;
}

/* What fails and may heal is tried again at the next tick. */
static void idle(struct leat_decider_thread *t, struct leat_decider_work *w)
{
    w->error.status = LEAT_OK;
    for (uint32_t i = 0; i < t->sinks_count && w->error.status == LEAT_OK; i++) {
        const struct leat_sink *sink = t->sinks[i].sink;
        if (sink->tick && sink->tick(t->sinks[i].self, w->now_ms, &w->error) != LEAT_OK &&
            leat_status_is_transient(w->error.status))
            w->error.status = LEAT_OK;
    }
}

/* ---- the thread */

static void answer(struct leat_decider_thread *t, struct leat_decider_work *w, int kind)
{
    w->msg.kind = kind;
    leat_queue_put(t->job, &w->msg);
}

static void carry_out(struct leat_decider_thread *t, struct leat_decider_work *w)
{
    switch (w->msg.kind) {
    case LEAT_MSG_DECIDER_RECOVER:
        recover(t, w);
        answer(t, w, LEAT_MSG_DECIDER_RECOVERED);
        break;
    case LEAT_MSG_DECIDER_MARK:
        mark(t, w);
        answer(t, w, LEAT_MSG_DECIDER_MARKED);
        break;
    case LEAT_MSG_DECIDER_PREPARE:
        prepare(t, w);
        answer(t, w, LEAT_MSG_DECIDER_PREPARED);
        break;
    case LEAT_MSG_DECIDER_COMMIT:
        commit(t, w);
        answer(t, w, LEAT_MSG_DECIDER_COMMITTED);
        break;
    case LEAT_MSG_DECIDER_RESOLVE:
        resolve(t, w);
        answer(t, w, LEAT_MSG_DECIDER_RESOLVED);
        break;
    case LEAT_MSG_DECIDER_FINISH:
        finish(t, w);
        answer(t, w, LEAT_MSG_DECIDER_FINISHED);
        break;
    case LEAT_MSG_DECIDER_IDLE:
    default:
        idle(t, w);
        answer(t, w, LEAT_MSG_DECIDER_IDLED);
        break;
    }
}

static void *decider_main(void *arg)
{
    struct leat_decider_thread *t = arg;

    t->opened.error.status = open_decider(t, &t->opened.error);
    answer(t, &t->opened, LEAT_MSG_DECIDER_OPENED);
    for (;;) {
        struct leat_msg *m = leat_queue_take(&t->in);
        if (m->kind == LEAT_MSG_STOP)
            break;
        carry_out(t, (struct leat_decider_work *)m);
    }
    for (uint32_t i = 0; i < t->sinks_count; i++)
        if (t->sinks[i].is_open)
            t->sinks[i].sink->close(t->sinks[i].self);
    close_decider(t);
    return NULL;
}

enum leat_status leat_decider_thread_start(struct leat_decider_thread *t, struct leat_error *err)
{
    leat_queue_init(&t->in);
    atomic_store(&t->until_ms, INT64_MAX);
    if (leat_thread_start(&t->thread, "leat-decider", decider_main, t, err) != LEAT_OK) {
        leat_queue_fini(&t->in);
        return err->status;
    }
    t->running = true;
    return LEAT_OK;
}

void leat_decider_thread_put(struct leat_decider_thread *t, struct leat_decider_work *w, int kind)
{
    w->msg.kind = kind;
    leat_queue_put(&t->in, &w->msg);
}

void leat_decider_thread_give_up(struct leat_decider_thread *t)
{
    leat_warn(t->env.log, "a call does not come back; ending, so that the next instance can "
                          "go on where the last committed batch ended");
    _exit(leat_status_exit_code(LEAT_E_FENCED));
}

/* As long as the call under way may take. */
static void join(struct leat_decider_thread *t)
{
    for (;;) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        if (pthread_timedjoin_np(t->thread, NULL, &until) == 0)
            return;
        if (leat_clock_monotonic_ms(t->env.clock) > atomic_load(&t->until_ms))
            leat_decider_thread_give_up(t);
    }
}

void leat_decider_thread_stop(struct leat_decider_thread *t)
{
    struct leat_msg stop = {.kind = LEAT_MSG_STOP};

    if (!t->running)
        return;
    atomic_store(&t->hurry, true);
    leat_queue_put(&t->in, &stop);
    join(t);
    leat_queue_fini(&t->in);
    leat_arena_reset(&t->arena);
    leat_arena_reset(&t->scratch);
    leat_arena_reset(&t->refusals.arena);
    t->running = false;
}
