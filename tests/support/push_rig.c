#include "push_rig.h"

#include "leat_test.h"
#include "run/message.h"

static void *run_source(void *arg)
{
    struct push_rig *r = arg;

    r->status = r->i.module->push->run(r->i.self, &r->inbox, &r->error);
    return NULL;
}

void push_rig_start(struct push_rig *r, const char *name, const char *const *settings,
                    int64_t max_record_bytes, int credits, bool stored)
{
    struct leat_error err;

    instance_init(&r->i, name, settings);
    r->i.env.max_record_bytes = max_record_bytes;
    r->i.env.bad_input = &r->bad_input;
    atomic_store(&r->bad_input, 0);
    leat_queue_init(&r->job);
    OK(leat_queue_open_fd(&r->job, &err));
    OK(leat_inbox_init(&r->inbox, r->i.module->push, r->i.self, &r->i.env, &r->job, credits, 4096,
                       &err));
    r->inbox.stored = stored;
    OK(r->i.module->push->open(r->i.self, &r->i.env, &err));
    CU_ASSERT_EQUAL_FATAL(pthread_create(&r->thread, NULL, run_source, r), 0);
}

void push_rig_stop(struct push_rig *r)
{
    leat_inbox_ask_stop(&r->inbox);
    pthread_join(r->thread, NULL);
    CU_ASSERT_EQUAL(r->status, LEAT_OK);
    r->i.module->push->close(r->i.self);
    for (struct leat_msg *m; (m = leat_queue_try(&r->job));)
        leat_block_unref((struct leat_block *)m);
    leat_inbox_fini(&r->inbox);
    leat_queue_fini(&r->job);
    instance_fini(&r->i);
}
