#include "run/log_thread.h"

#include "base/thread.h"
#include "run/message.h"

#define PAUSE_MS 1000

static void append(struct leat_log_thread *t, struct leat_log_work *w)
{
    bool said = false;

    while (leat_job_log_append(t->log, &w->record, &w->error) != LEAT_OK) {
        if (w->error.status != LEAT_E_FULL || atomic_load(&t->hurry))
            return;
        if (!said)
            leat_warn(t->lines, "%s; waiting for room", w->error.text);
        said = true;
        leat_queue_pause(&t->in, PAUSE_MS);
    }
    if (said)
        leat_info(t->lines, "there is room again");
    w->error.status = LEAT_OK;
}

/* What cannot be removed today may go another day. */
static void truncate_old(struct leat_log_thread *t, int64_t keep_since_ms)
{
    struct leat_error err;

    if (t->state->backend->truncate(t->state, keep_since_ms, &err) == LEAT_OK)
        return;
    if (!t->said)
        leat_warn(t->lines, "old parts of the log could not be removed: %s", err.text);
    t->said = true;
}

static void *log_main(void *arg)
{
    struct leat_log_thread *t = arg;

    for (;;) {
        struct leat_msg *m = leat_queue_take(&t->in);
        if (m->kind == LEAT_MSG_STOP)
            return NULL;
        int64_t keep_since_ms = ((struct leat_log_work *)m)->keep_since_ms;
        append(t, (struct leat_log_work *)m);
        m->kind = LEAT_MSG_LOGGED;
        leat_queue_put(t->job, m);
        truncate_old(t, keep_since_ms);
    }
}

enum leat_status leat_log_thread_start(struct leat_log_thread *t, struct leat_error *err)
{
    leat_queue_init(&t->in);
    if (leat_thread_start(&t->thread, "leat-log", log_main, t, err) != LEAT_OK) {
        leat_queue_fini(&t->in);
        return err->status;
    }
    t->running = true;
    return LEAT_OK;
}

void leat_log_thread_stop(struct leat_log_thread *t, bool hurry)
{
    struct leat_msg stop = {.kind = LEAT_MSG_STOP};

    if (!t->running)
        return;
    atomic_store(&t->hurry, hurry);
    leat_queue_put(&t->in, &stop);
    pthread_join(t->thread, NULL);
    leat_queue_fini(&t->in);
    t->running = false;
}
