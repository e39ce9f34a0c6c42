#include "run/sink_thread.h"

#include "base/failpoint.h"
#include "base/thread.h"
#include "run/message.h"
#include "run/patience.h"

#include <inttypes.h>

#define PAUSE_MIN_MS 100

static struct leat_patience patience_of(struct leat_sink_thread *t)
{
    return (struct leat_patience){.log = t->env.log,
                                  .in = &t->in,
                                  .hurry = &t->hurry,
                                  .waits = &t->waits,
                                  .first_ms = PAUSE_MIN_MS};
}

/* True: try again. False: it cannot heal, or the job ends. */
static bool wait_for_better(struct leat_patience *p, const char *doing,
                            const struct leat_error *why)
{
    struct leat_error said = *why;

    leat_error_prefix(&said, "%s", doing);
    return leat_status_is_transient(why->status) && leat_patience_wait(p, said.text);
}

static enum leat_status open_once(struct leat_sink_thread *t, struct leat_error *err)
{
    uint64_t n = t->opened.n;
    enum leat_status status = t->sink->open(t->self, &t->env, err);

    if (status == LEAT_OK)
        status = t->sink->recover(t->self, n, leat_bytes_slice(&t->opened.section), err);
    if (status != LEAT_OK)
        t->sink->close(t->self);
    return status;
}

static bool open_sink(struct leat_sink_thread *t)
{
    struct leat_patience patience = patience_of(t);
    struct leat_error *err = &t->opened.error;

    while (open_once(t, err) != LEAT_OK)
        if (!wait_for_better(&patience, "opening", err))
            return false;
    leat_patience_over(&patience);
    err->status = LEAT_OK;
    return true;
}

static enum leat_status write_all(struct leat_sink_thread *t, struct leat_sink_work *w,
                                  struct leat_error *err)
{
    for (uint32_t i = 0; i < w->batches_count; i++) {
        if (t->sink->begin && t->sink->begin(t->self, w->n, w->batches[i].time_ms, err) != LEAT_OK)
            return err->status;
        for (const struct leat_sealed *s = w->batches[i].rows; s; s = s->next)
            if (t->sink->write(t->self, w->n, &s->chunk, err) != LEAT_OK)
                return err->status;
    }
    for (const struct leat_sealed *s = w->letters; s; s = s->next)
        if (t->sink->write(t->self, w->n, &s->chunk, err) != LEAT_OK)
            return err->status;
    leat_failpoint("prepare.written");
    leat_arena_recycle(&w->arena, 65536);
    w->section = (struct leat_bytes){.arena = &w->arena};
    enum leat_status status = t->sink->prepare(t->self, w->n, &w->positions, &w->section, err);
    if (status == LEAT_OK && w->section.failed)
        return leat_arena_failed(&w->arena, err);
    return status;
}

static enum leat_status leave_out(struct leat_sink_thread *t, struct leat_sink_work *w,
                                  struct leat_error *err)
{
    const struct leat_given given = {
        .sink = t->number, .batches = w->batches, .count = w->batches_count, .letters = w->letters};

    return leat_leave_out(&w->left_out, t->plan, &t->refusals, &given, 1, err);
}

/* One attempt. *again: without those rows that were refused it may be as good as any. */
static enum leat_status prepare_once(struct leat_sink_thread *t, struct leat_sink_work *w,
                                     bool *again)
{
    struct leat_error undo;
    enum leat_status status = write_all(t, w, &w->error);
    bool told = t->refusals.first;

    *again = told && status == LEAT_E_DATA;
    if (told && leave_out(t, w, &undo) != LEAT_OK) {
        w->error = undo;
        *again = false;
        return undo.status;
    }
    if (status != LEAT_OK && (*again || leat_status_is_transient(status)) &&
        t->sink->abort(t->self, w->n, &undo) != LEAT_OK && !leat_status_is_transient(undo.status)) {
        w->error = undo;
        *again = false;
    }
    return status == LEAT_OK ? LEAT_OK : w->error.status;
}

static void prepare(struct leat_sink_thread *t, struct leat_sink_work *w)
{
    struct leat_patience patience = patience_of(t);
    bool again;

    leat_failpoint("prepare.begin");
    while (prepare_once(t, w, &again) != LEAT_OK)
        if (!again && !wait_for_better(&patience, "writing", &w->error))
            return;
    leat_patience_over(&patience);
    leat_failpoint("prepare.done");
    w->error.status = LEAT_OK;
}

static void commit(struct leat_sink_thread *t, struct leat_sink_work *w)
{
    struct leat_patience patience = patience_of(t);

    while (t->sink->commit(t->self, w->n, &w->error) != LEAT_OK)
        if (!wait_for_better(&patience, "committing", &w->error))
            return;
    leat_patience_over(&patience);
    w->error.status = LEAT_OK;
}

/* What fails and may heal is tried again at the next tick. */
static void idle(struct leat_sink_thread *t, struct leat_sink_work *w)
{
    if (t->sink->tick(t->self, w->now_ms, &w->error) == LEAT_OK ||
        leat_status_is_transient(w->error.status))
        w->error.status = LEAT_OK;
}

static void answer(struct leat_sink_thread *t, struct leat_sink_work *w, enum leat_msg_kind kind)
{
    w->msg.kind = (int)kind;
    leat_queue_put(t->job, &w->msg);
}

static void *sink_main(void *arg)
{
    struct leat_sink_thread *t = arg;
    bool is_open = open_sink(t);

    answer(t, &t->opened, LEAT_MSG_OPENED);
    for (;;) {
        struct leat_msg *m = leat_queue_take(&t->in);
        struct leat_sink_work *w = (struct leat_sink_work *)m;
        if (m->kind == LEAT_MSG_STOP)
            break;
        if (m->kind == LEAT_MSG_PREPARE) {
            prepare(t, w);
            answer(t, w, LEAT_MSG_PREPARED);
        } else if (m->kind == LEAT_MSG_COMMIT) {
            commit(t, w);
            answer(t, w, LEAT_MSG_DONE);
        } else {
            idle(t, w);
            answer(t, w, LEAT_MSG_IDLED);
        }
    }
    if (is_open)
        t->sink->close(t->self);
    return NULL;
}

enum leat_status leat_sink_thread_start(struct leat_sink_thread *t, struct leat_error *err)
{
    leat_queue_init(&t->in);
    if (leat_thread_start(&t->thread, "leat-sink", sink_main, t, err) != LEAT_OK) {
        leat_queue_fini(&t->in);
        return err->status;
    }
    t->running = true;
    return LEAT_OK;
}

void leat_sink_thread_stop(struct leat_sink_thread *t, bool hurry)
{
    struct leat_msg stop = {.kind = LEAT_MSG_STOP};

    if (!t->running)
        return;
    atomic_store(&t->hurry, hurry);
    leat_queue_put(&t->in, &stop);
    pthread_join(t->thread, NULL);
    leat_queue_fini(&t->in);
    leat_arena_reset(&t->refusals.arena);
    t->running = false;
}
