/*
 * push_rate.c - what a push source costs by itself: takes COUNT records from whoever sends them, in
 * blocks as the engine would, and says at once of each block that it is safe.
 *
 *     push_rate COUNT SOURCE [SETTING=VALUE...]
 *
 * Prints `ready` when it listens, or has begun to connect, and ends after the last record.
 */
#include "leat.h"
#include "run/inbox.h"
#include "run/message.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SETTINGS_MAX 16
#define CREDITS      16
#define BLOCK_BYTES  ((size_t)1 << 20)
#define SEAL_MS      50

struct run {
    const struct leat_module *module;
    void *self;
    struct leat_inbox inbox;
    struct leat_error error;
};

static void must(enum leat_status status, const struct leat_error *err)
{
    if (status == LEAT_OK)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(EXIT_FAILURE);
}

static void *run_source(void *arg)
{
    struct run *r = arg;

    must(r->module->push->run(r->self, &r->inbox, &r->error), &r->error);
    leat_inbox_end(&r->inbox);
    return NULL;
}

static void open_source(struct run *r, char **words, int count, struct leat_arena *arena,
                        const struct leat_env *env)
{
    struct leat_setting given[SETTINGS_MAX] = {0};
    struct leat_error err;

    r->module = leat_module_find_source(words[0]);
    if (!r->module || !r->module->push || count - 1 > SETTINGS_MAX) {
        fprintf(stderr, "no push source '%s', or more settings than %d\n", words[0], SETTINGS_MAX);
        exit(2);
    }
    for (int i = 1; i < count; i++)
        leat_slice_cut(leat_slice_str(words[i]), '=', &given[i - 1].name, &given[i - 1].value);
    r->self = leat_arena_alloc(arena, r->module->self_size);
    must(leat_opts_apply(r->module->opts, r->self, given, (size_t)count - 1, arena, &err), &err);
    must(r->module->push->open(r->self, env, &err), &err);
}

static void take(struct run *r, struct leat_queue *job, int64_t wanted)
{
    struct pollfd p = {.fd = job->wake_fd, .events = POLLIN};
    uint64_t ignored;

    for (int64_t rows = 0; rows < wanted;) {
        struct leat_block *b = (struct leat_block *)leat_queue_try(job);
        if (b) {
            rows += b->rows_hint;
            leat_inbox_ack(&r->inbox, b);
            continue;
        }
        if (poll(&p, 1, SEAL_MS) != 1)
            leat_inbox_ask_seal(&r->inbox); /* the last of them may not fill a block */
        else if (read(p.fd, &ignored, sizeof ignored) < 0)
            abort();
    }
}

int main(int argc, char **argv)
{
    static const struct leat_log log = {"bench", "source bench"};
    struct leat_budget budget = {.cap = (size_t)1 << 30};
    const struct leat_env env = {
        .job = "bench", .fs = &leat_fs_posix, .budget = &budget, .log = &log};
    struct leat_arena arena = {0};
    struct leat_queue job;
    struct leat_error err;
    struct run r = {0};
    pthread_t thread;

    if (argc < 3)
        return 2;
    leat_queue_init(&job);
    must(leat_queue_open_fd(&job, &err), &err);
    open_source(&r, argv + 2, argc - 2, &arena, &env);
    must(leat_inbox_init(&r.inbox, r.module->push, r.self, &env, &job, CREDITS, BLOCK_BYTES, &err),
         &err);
    r.inbox.stored =
        true; /* a block in each turn, as at level disk: senders who wait for it go on */
    if (pthread_create(&thread, NULL, run_source, &r) != 0)
        return EXIT_FAILURE;
    puts("ready");
    fflush(stdout);
    take(&r, &job, atol(argv[1]));
    leat_inbox_ask_stop(&r.inbox);
    pthread_join(thread, NULL);
    r.module->push->close(r.self);
    for (struct leat_msg *m; (m = leat_queue_try(&job));)
        leat_block_unref((struct leat_block *)m);
    leat_inbox_fini(&r.inbox);
    leat_queue_fini(&job);
    leat_arena_reset(&arena);
    return EXIT_SUCCESS;
}
