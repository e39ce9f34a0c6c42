#include "run/snapshot_thread.h"

#include "base/thread.h"
#include "run/message.h"

static void *snapshot_main(void *arg)
{
    struct leat_snapshot_thread *t = arg;
    const struct leat_state_backend *backend = t->state->backend;

    for (;;) {
        struct leat_msg *m = leat_queue_take(&t->in);
        struct leat_snapshot_work *w = (struct leat_snapshot_work *)m;
        if (m->kind == LEAT_MSG_STOP)
            return NULL;
        if (m->kind == LEAT_MSG_SNAPSHOT) {
            w->error.status = backend->write(t->state, &w->snapshot, &w->error);
            m->kind = LEAT_MSG_SNAPSHOT_WRITTEN;
        } else {
            w->error.status = backend->publish(t->state, w->snapshot.q, w->snapshot.n, &w->error);
            m->kind = LEAT_MSG_SNAPSHOT_PUBLISHED;
        }
        leat_queue_put(t->job, m);
    }
}

enum leat_status leat_snapshot_thread_start(struct leat_snapshot_thread *t, struct leat_error *err)
{
    leat_queue_init(&t->in);
    if (leat_thread_start(&t->thread, "leat-snapshot", snapshot_main, t, err) != LEAT_OK) {
        leat_queue_fini(&t->in);
        return err->status;
    }
    t->running = true;
    return LEAT_OK;
}

void leat_snapshot_thread_stop(struct leat_snapshot_thread *t)
{
    struct leat_msg stop = {.kind = LEAT_MSG_STOP};

    if (!t->running)
        return;
    leat_queue_put(&t->in, &stop);
    pthread_join(t->thread, NULL);
    leat_queue_fini(&t->in);
    t->running = false;
}
