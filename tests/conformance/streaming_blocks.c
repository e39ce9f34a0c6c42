/*
 * streaming_blocks.c - cases of received blocks: what is queued, what a batch takes, what a log
 * that cannot be written leaves. Elements go through an inbox, into the block store where there is
 * a log and to the job's decisions where there is none; batches are what job_step decides. A step
 * of time T is the tick at T ms.
 */
#include "streaming.h"

#include "fault_fs.h"

#include "run/inbox.h"
#include "run/job_step.h"
#include "run/message.h"
#include "store/block_log.h"
#include "store/job_log.h"

#include <inttypes.h>
#include <stdio.h>

#define SOURCE LEAT_LIT("receiver")
#define PART   LEAT_LIT("receiver/0")
#define BLOCKS 8

struct tracker {
    char dir[32];
    bool stored; /* there is a log of what is received */
    struct fault_fs fs;
    struct leat_budget budget;
    struct leat_queue blocks;
    struct leat_inbox inbox;
    struct leat_block_log *store;
    struct leat_job_log *log;
    struct leat_block *kept[BLOCKS]; /* that the job has, oldest first */
    size_t kept_count;
    json_t *batches; /* those that count: by time, their elements */

    struct leat_job job;
    struct leat_job_part part;
    uint32_t active;
    struct leat_action list[LEAT_JOB_ACTIONS(1, 0)];
    struct leat_actions actions;
    int64_t time_ms;
    int64_t from, to; /* of the batch under way */
    struct leat_event events[4 * BLOCKS];
    size_t events_count;
    int64_t now_ms;
    bool ended;
    struct failure *why;
};

static enum leat_status is_safe(void *self, uint32_t part, int64_t upto, struct leat_error *err)
{
    (void)self, (void)part, (void)upto, (void)err;
    return LEAT_OK;
}

static const struct leat_push push = {.acked = is_safe};

static void failed(struct tracker *t, const char *what, const struct leat_error *err)
{
    differs(t->why, "%s: %s", what, err->text);
    t->ended = true;
}

/* Rows [from, to) of the block. */
static void add_rows(struct leat_block *b, int64_t from, int64_t to, json_t *into)
{
    struct leat_slice rest = b->bytes;
    struct leat_row row;

    while (leat_framed_take(&rest, b->from, &row))
        if (row.position >= from && row.position < to)
            json_array_append_new(into, json_stringn(row.value.ptr, row.value.len));
}

/* What no batch that counts has. */
static int64_t stands_at(const struct tracker *t)
{
    int64_t next = 0;

    return leat_job_log_position(t->log, SOURCE, PART, &next) ? next : 0;
}

static json_t *unallocated(struct tracker *t)
{
    json_t *rows = json_array();
    struct leat_fetch fetch = {.from = stands_at(t), .max_bytes = 1 << 20};
    struct leat_block *b = NULL;
    struct leat_error err;

    for (size_t i = 0; !t->stored && i < t->kept_count; i++)
        add_rows(t->kept[i], t->part.cut, INT64_MAX, rows);
    while (t->stored) {
        if (leat_block_log_read(t->store, &fetch, &t->budget, &b, &err) != LEAT_OK)
            failed(t, "the store", &err);
        if (t->ended || !b)
            break;
        add_rows(b, fetch.from, INT64_MAX, rows);
        fetch.from = b->to;
        leat_block_unref(b);
    }
    return rows;
}

/* ---- what job_step asks for */

/* It waits until the actions before it are carried out. */
static void add_event(struct tracker *t, struct leat_event ev)
{
    if (t->events_count == sizeof t->events / sizeof *t->events)
        differs(t->why, "too many events at once");
    else
        t->events[t->events_count++] = ev;
}

static void keep(struct tracker *t, struct leat_block *b)
{
    if (t->kept_count == BLOCKS) {
        differs(t->why, "more than %d blocks at once", BLOCKS);
        leat_block_unref(b);
        return;
    }
    t->kept[t->kept_count++] = b;
    add_event(t, (struct leat_event){.kind = LEAT_EV_BLOCK,
                                     .from = b->from,
                                     .to = b->to,
                                     .records = b->rows_hint,
                                     .bytes = b->bytes.len,
                                     .time_min_ms = b->time_min_ms});
}

/* A fetch waits until there is something. */
static void answer_fetch(struct tracker *t)
{
    struct leat_fetch fetch = {.from = t->part.next, .max_bytes = 1 << 20};
    struct leat_block *b = NULL;
    struct leat_error err;

    if (!t->stored || !t->part.fetching || t->ended)
        return;
    if (leat_block_log_read(t->store, &fetch, &t->budget, &b, &err) != LEAT_OK)
        failed(t, "the store", &err);
    else if (b)
        keep(t, b);
}

static void release(struct tracker *t, int64_t upto)
{
    while (t->kept_count && t->kept[0]->to <= upto) {
        struct leat_block *b = t->kept[0];
        memmove(t->kept, t->kept + 1, --t->kept_count * sizeof *t->kept);
        if (t->stored)
            leat_block_unref(b);
        else
            leat_inbox_ack(&t->inbox, b);
    }
    (void)leat_inbox_turn(&t->inbox);
}

static void run_batch(struct tracker *t, const struct leat_action *a)
{
    t->time_ms = a->time_ms;
    t->to = t->part.cut;
    add_event(t, (struct leat_event){.kind = LEAT_EV_RAN, .batch = a->batch});
}

static void write_record(struct tracker *t, uint64_t n)
{
    struct leat_log_position p = {
        .source = SOURCE, .partition = PART, .from = t->from, .next = t->to};
    struct leat_log_record r = {.job = LEAT_LIT("tracker"),
                                .epoch = leat_job_log_last(t->log)->epoch,
                                .n = n,
                                .batch_time_ms = t->time_ms,
                                .clock_ms = t->time_ms,
                                .positions = &p,
                                .positions_count = 1};
    struct leat_error err;
    enum leat_status status = leat_job_log_append(t->log, &r, &err);

    add_event(t, (struct leat_event){.kind = LEAT_EV_LOGGED, .batch = n, .status = status});
}

static void finish(struct tracker *t, uint64_t n)
{
    json_t *rows = json_array();
    char time[24];

    for (size_t i = 0; i < t->kept_count; i++)
        add_rows(t->kept[i], t->from, t->to, rows);
    snprintf(time, sizeof time, "%" PRId64, t->time_ms);
    json_object_set_new(t->batches, time, rows);
    t->from = t->to;
    if (t->stored)
        leat_block_log_done(t->store, 0, t->to);
    release(t, t->to);
    add_event(t, (struct leat_event){.kind = LEAT_EV_FINISHED, .batch = n});
}

static void carry_out(struct tracker *t, const struct leat_action *a)
{
    if (a->kind == LEAT_ACT_FETCH)
        answer_fetch(t);
    else if (a->kind == LEAT_ACT_RUN)
        run_batch(t, a);
    else if (a->kind == LEAT_ACT_LOG)
        write_record(t, a->batch);
    else if (a->kind == LEAT_ACT_FINISH)
        finish(t, a->batch);
    else if (a->kind == LEAT_ACT_FAIL)
        t->ended = true;
}

static void step(struct tracker *t, struct leat_event ev)
{
    add_event(t, ev);
    while (t->events_count && !t->ended && !t->why->text[0]) {
        ev = t->events[0];
        memmove(t->events, t->events + 1, --t->events_count * sizeof *t->events);
        leat_job_step(&t->job, &ev, t->now_ms, &t->actions);
        for (size_t i = 0; i < t->actions.count; i++)
            carry_out(t, &t->list[i]);
    }
}

/* ---- a life of the process */

static bool begin(struct tracker *t)
{
    char path[48];
    struct leat_error err;

    snprintf(path, sizeof path, "%s/store", t->dir);
    if (leat_job_log_open(&t->fs.fs, t->dir, "tracker", 1, 0, &t->log, &err) != LEAT_OK ||
        (t->stored && leat_block_log_open(&t->fs.fs, path, 1 << 30, &t->store, &err) != LEAT_OK)) {
        failed(t, "a log", &err);
        return false;
    }
    t->from = stands_at(t);
    t->ended = false;
    t->events_count = 0;
    t->part = (struct leat_job_part){
        .next = t->from, .goal = -1, .is_push = !t->stored, .waits = t->stored};
    t->job = (struct leat_job){.every_ms = 1,
                               .mode = LEAT_JOB_INTERVAL,
                               .until_ms = LEAT_JOB_NEVER,
                               .max_bytes = 1 << 30,
                               .on_empty = true, /* every tick is a batch */
                               .committed = leat_job_log_last(t->log)->n,
                               .time_ms = leat_job_log_last(t->log)->batch_time_ms,
                               .parts = &t->part,
                               .active = &t->active};
    t->actions = (struct leat_actions){t->list, 0, sizeof t->list / sizeof *t->list};
    step(t, (struct leat_event){.kind = LEAT_EV_PART});
    step(t, (struct leat_event){.kind = LEAT_EV_START});
    return true;
}

static void end(struct tracker *t)
{
    while (t->kept_count)
        leat_block_unref(t->kept[--t->kept_count]);
    if (t->store)
        leat_block_log_close(t->store);
    t->store = NULL;
    leat_job_log_close(t->log);
    t->log = NULL;
}

static bool init(struct tracker *t, bool stored, struct failure *why)
{
    const struct leat_env env = {.budget = &t->budget};
    struct leat_error err;

    *t = (struct tracker){.stored = stored, .why = why, .budget.cap = 64 << 20};
    t->batches = json_object();
    fault_fs_init(&t->fs);
    leat_queue_init(&t->blocks);
    if (leat_inbox_init(&t->inbox, &push, t, &env, &t->blocks, BLOCKS, 4096, &err) != LEAT_OK)
        return differs(why, "%s", err.text);
    t->inbox.stored = stored;
    return make_dir(t->dir, why) && begin(t);
}

static void fini(struct tracker *t)
{
    end(t);
    leat_inbox_fini(&t->inbox);
    leat_queue_fini(&t->blocks);
    json_decref(t->batches);
    if (t->dir[0])
        remove_dir(t->dir);
}

/* ---- steps */

static void take_in(struct tracker *t, struct leat_block *b)
{
    struct leat_error err;

    if (!t->stored) {
        keep(t, b);
        return;
    }
    if (leat_block_log_append(t->store, &b, 1, &err) != LEAT_OK)
        failed(t, "the store", &err);
    leat_inbox_ack(&t->inbox, b);
    (void)leat_inbox_turn(&t->inbox);
}

static void add(struct tracker *t, json_t *names)
{
    struct leat_error err;
    int64_t position;
    json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        const struct leat_row row = {.value = {json_string_value(name), json_string_length(name)},
                                     .time_ms = t->now_ms};
        if (leat_inbox_append(&t->inbox, 0, &row, &position, &err) != LEAT_OK)
            failed(t, "receiving", &err);
    }
    leat_inbox_ask_seal(&t->inbox);
    (void)leat_inbox_turn(&t->inbox);
    for (struct leat_msg *m; (m = leat_queue_try(&t->blocks));)
        take_in(t, (struct leat_block *)m);
    answer_fetch(t);
    step(t, (struct leat_event){.kind = LEAT_EV_TICK}); /* the time is as before */
}

/* A tick of this time; one that has been is over. A record that cannot be written ends the job,
 * which is then started again. */
static void allocate(struct tracker *t, int64_t time_ms, bool fails)
{
    t->now_ms = time_ms > t->now_ms ? time_ms : t->now_ms;
    t->fs.fail_at = fails ? t->fs.seen + 1 : 0;
    step(t, (struct leat_event){.kind = LEAT_EV_TICK});
    t->fs.fail_at = 0;
    if (fails != t->ended) {
        differs(t->why, fails ? "the write did not fail" : "the job ended");
    } else if (fails && t->stored) {
        end(t);
        (void)begin(t);
    }
}

static json_t *batch_of(const struct tracker *t, int64_t time_ms)
{
    char time[24];

    snprintf(time, sizeof time, "%" PRId64, time_ms);
    json_t *rows = json_object_get(t->batches, time);
    return rows ? json_incref(rows) : json_array(); /* none has counted */
}

/* What the step tells; NULL: it tells nothing, or is unknown. */
static json_t *do_step(struct tracker *t, const char *op, json_t *arg)
{
    int64_t time_ms = json_is_integer(arg) ? json_integer_value(arg) : 0;
    json_t *rows, *any;

    if (strcmp(op, "add") == 0) {
        add(t, arg);
    } else if (strcmp(op, "allocate") == 0) {
        allocate(t, time_ms, false);
    } else if (strcmp(op, "allocateWalFails") == 0) {
        allocate(t, time_ms, true);
    } else if (strcmp(op, "batch") == 0) {
        return batch_of(t, time_ms);
    } else if (strcmp(op, "unallocated") == 0) {
        return unallocated(t);
    } else if (strcmp(op, "hasUnallocated") == 0) {
        rows = unallocated(t);
        any = json_boolean(json_array_size(rows) > 0);
        json_decref(rows);
        return any;
    } else {
        differs(t->why, "leat has no step '%s'", op);
    }
    return NULL;
}

/* [op, argument, expected]; those that have no argument: [op, expected]. */
static void check_step(struct tracker *t, json_t *s, size_t number)
{
    const char *op = json_string_value(json_array_get(s, 0));
    json_t *want = json_array_get(s, json_array_size(s) - 1);
    json_t *is = op ? do_step(t, op, json_array_get(s, 1)) : NULL;
    char came[200], wanted[200];

    if (is && !json_equal(is, want)) {
        json_text(is, came, sizeof came);
        json_text(want, wanted, sizeof wanted);
        differs(t->why, "step %zu, %s: %s, expected %s", number, op, came, wanted);
    }
    json_decref(is);
}

bool run_tracker(json_t *c, int partitions, struct failure *why)
{
    static struct tracker t;
    json_t *s;
    size_t i;

    (void)partitions;
    if (init(&t, json_is_true(json_object_get(json_object_get(c, "params"), "wal")), why))
        json_array_foreach(json_object_get(c, "steps"), i, s) if (!why->text[0])
            check_step(&t, s, i);
    fini(&t);
    return !why->text[0];
}
