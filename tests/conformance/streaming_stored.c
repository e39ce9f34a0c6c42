/*
 * streaming_stored.c - cases of a receiver's blocks: how many elements one is said to have, what
 * there is no room for, and where a log lasts. Elements go through an inbox; with a level that has
 * the disk in it, or with a log, into a block store and out of it again, by which memory is free.
 */
#include "streaming.h"

#include "run/inbox.h"
#include "run/message.h"
#include "store/block_log.h"
#include "store/job_log.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define QUOTA (INT64_C(1) << 30)

struct receiving {
    char dir[32];
    struct leat_budget budget;
    struct leat_queue blocks;
    struct leat_inbox inbox;
    struct leat_block_log *store; /* NULL: there is none */
};

static enum leat_status is_safe(void *self, uint32_t part, int64_t upto, struct leat_error *err)
{
    (void)self, (void)part, (void)upto, (void)err;
    return LEAT_OK;
}

static const struct leat_push push = {.acked = is_safe};

static bool init(struct receiving *r, bool stored, size_t memory, struct failure *why)
{
    const struct leat_env env = {.budget = &r->budget};
    struct leat_error err;

    *r = (struct receiving){.budget.cap = memory};
    leat_queue_init(&r->blocks);
    enum leat_status status =
        leat_inbox_init(&r->inbox, &push, r, &env, &r->blocks, 64, 1024, &err);
    if (status == LEAT_OK && stored && make_dir(r->dir, why))
        status = leat_block_log_open(&leat_fs_posix, r->dir, QUOTA, &r->store, &err);
    r->inbox.stored = stored;
    return (status == LEAT_OK || differs(why, "%s", err.text)) && stored == (r->store != NULL);
}

static void fini(struct receiving *r)
{
    for (struct leat_msg *m; (m = leat_queue_try(&r->blocks));)
        leat_block_unref((struct leat_block *)m);
    leat_inbox_fini(&r->inbox);
    leat_queue_fini(&r->blocks);
    if (r->store)
        leat_block_log_close(r->store);
    if (r->dir[0])
        remove_dir(r->dir);
}

/* What the inbox sealed becomes safe. */
static enum leat_status store(struct receiving *r, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    for (struct leat_msg *m; r->store && (m = leat_queue_try(&r->blocks));) {
        struct leat_block *b = (struct leat_block *)m;
        if (status == LEAT_OK)
            status = leat_block_log_append(r->store, &b, 1, err);
        leat_inbox_ack(&r->inbox, b);
    }
    (void)leat_inbox_turn(&r->inbox);
    return status;
}

static enum leat_status receive(struct receiving *r, int64_t count, size_t bytes,
                                struct leat_error *err)
{
    char *text = calloc(1, bytes);
    const struct leat_row row = {.value = {text, bytes}};
    enum leat_status status = text ? LEAT_OK : leat_fail(err, LEAT_E_NOMEM, "out of memory");
    int64_t position;

    for (int64_t i = 0; i < count && status == LEAT_OK; i++) {
        status = leat_inbox_append(&r->inbox, 0, &row, &position, err);
        if (status == LEAT_OK)
            status = store(r, err);
    }
    leat_inbox_ask_seal(&r->inbox);
    (void)leat_inbox_turn(&r->inbox);
    free(text);
    return status == LEAT_OK ? store(r, err) : status;
}

/* Elements that the blocks say they have. */
static int64_t count_queued(struct receiving *r)
{
    int64_t count = 0;

    for (struct leat_msg *m; (m = leat_queue_try(&r->blocks));) {
        count += ((struct leat_block *)m)->rows_hint;
        leat_block_unref((struct leat_block *)m);
    }
    return count;
}

static int64_t count_stored(struct receiving *r, struct failure *why)
{
    struct leat_fetch fetch = {.max_bytes = 1024};
    int64_t count = 0;

    for (struct leat_block *b;; leat_block_unref(b)) {
        struct leat_error err;
        if (leat_block_log_read(r->store, &fetch, &r->budget, &b, &err) != LEAT_OK)
            differs(why, "the store: %s", err.text);
        if (why->text[0] || !b)
            return count;
        count += b->rows_hint;
        fetch.from = b->to;
    }
}

static bool is_on_disk(json_t *in)
{
    const char *level = text_at(in, "level");

    return level && strstr(level, "DISK");
}

/* ---- how many there are */

/* A block of bytes that nobody has taken apart: what it has is known when it is read. */
static json_t *count_of_bytes(int64_t bytes, struct failure *why)
{
    struct leat_budget budget = {.cap = 64 << 20};
    struct leat_block *b;
    struct leat_error err;

    if (leat_block_new(&budget, &leat_coding_lines, (size_t)bytes, &b, &err) != LEAT_OK) {
        differs(why, "%s", err.text);
        return NULL;
    }
    memset(leat_block_buffer(b), 'x', (size_t)bytes);
    b->bytes.len = (size_t)bytes;
    leat_block_seal(b, bytes);
    json_t *count = b->rows_hint ? json_integer(b->rows_hint) : json_null();
    leat_block_unref(b);
    return count;
}

json_t *block_record_count(json_t *c, json_t *in, int partitions, struct failure *why)
{
    const char *type = text_at(in, "blockType");
    int64_t n = number_at(in, "n", 0), count = 0;
    struct receiving r;
    struct leat_error err;

    (void)c, (void)partitions;
    if (type && strcmp(type, "bytes") == 0)
        return count_of_bytes(n, why);
    if (init(&r, is_on_disk(in), 64 << 20, why)) {
        if (receive(&r, n, 8, &err) != LEAT_OK)
            differs(why, "%s", err.text);
        count = r.store ? count_stored(&r, why) : count_queued(&r);
    }
    fini(&r);
    return json_integer(count);
}

/* ---- what there is no room for */

json_t *oversize_block(json_t *c, json_t *in, int partitions, struct failure *why)
{
    bool stored = is_on_disk(in) || json_is_true(json_object_get(in, "wal"));
    json_t *params = json_object_get(c, "params"), *out = NULL;
    struct receiving r;
    struct leat_error err;

    (void)partitions;
    if (init(&r, stored, (size_t)number_at(params, "freeBytes", 4800), why)) {
        enum leat_status status = receive(&r, number_at(params, "elements", 70),
                                          (size_t)number_at(params, "elementBytes", 100), &err);
        if (status == LEAT_E_FULL)
            out = json_string("SparkException"); /* it was not taken, and the sender is told */
        else if (status == LEAT_OK)
            out = json_integer(r.store ? count_stored(&r, why) : count_queued(&r));
        else
            differs(why, "%s", err.text);
    }
    fini(&r);
    return out;
}

/* ---- where a log lasts */

static enum leat_status start(struct leat_receiver *r, void *arg, struct leat_error *err)
{
    (void)r, (void)arg, (void)err;
    return LEAT_OK;
}

static void stop(struct leat_receiver *r, void *arg)
{
    (void)r, (void)arg;
}

static bool has_entries(const char *dir)
{
    DIR *d = opendir(dir);
    bool any = false;

    for (struct dirent *e; d && (e = readdir(d));)
        any = any || e->d_name[0] != '.';
    if (d)
        closedir(d);
    return any;
}

/* A context with a receiver runs a batch and ends; is there a log of it? Without a directory of
 * its own it has a temporary one. */
json_t *tracker_wal(json_t *c, json_t *in, int partitions, struct failure *why)
{
    static const struct leat_receiver_functions functions = {.on_start = start, .on_stop = stop};
    bool lasting = json_is_true(json_object_get(in, "checkpointDir")), there = false;
    struct leat_error err;
    char dir[32];
    struct run r;

    (void)c;
    if (!make_dir(dir, why))
        return NULL;
    setenv("TMPDIR", dir, 1);
    if (run_init(&r, 1000, 0, partitions, why)) {
        if (lasting)
            leat_checkpoint(r.ctx, dir);
        run_collect(&r, leat_receiver_stream(r.ctx, &functions, NULL), false);
        if (run_batches(&r, 1, why) && r.ended.status != LEAT_OK)
            differs(why, "%s", r.ended.text);
    }
    run_free(&r);
    unsetenv("TMPDIR");
    if (!lasting)
        there = has_entries(dir);
    else if (leat_job_log_is_there(&leat_fs_posix, dir, &there, &err) != LEAT_OK)
        differs(why, "%s", err.text);
    remove_dir(dir);
    return json_boolean(there);
}
