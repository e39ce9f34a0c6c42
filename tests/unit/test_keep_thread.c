/*
 * Tests engine/run/keep_thread.c with inbox.c: the test is the source, the job, and the place where
 * records are kept, which fails as it is told. Also under thread sanitizer.
 */
#include "run/keep_thread.h"

#include "leat_test.h"
#include "run/message.h"

#include <poll.h>
#include <stdio.h>

#define WAIT_MS 30000
#define ROWS    3000

/* The place: it counts what it has, and has it safe only when flush was asked for. */
struct place {
    atomic_int opens_failing, writes_failing, flushes_failing; /* so many times from now on */
    enum leat_status with;
    atomic_int tried, drops, closes;
    atomic_int written, safe;
};

struct rig {
    struct place place;
    struct leat_budget budget;
    struct leat_env env;
    struct leat_queue job;
    struct leat_inbox inbox;
    struct leat_keep_thread keep;
    int64_t acked, sent;
};

static struct leat_error err;

static bool fails(struct place *p, atomic_int *count)
{
    int left = atomic_load(count);

    atomic_fetch_add(&p->tried, left > 0);
    return left > 0 && atomic_fetch_sub(count, 1) > 0;
}

static enum leat_status place_open(void *self, const struct leat_env *env, struct leat_error *e)
{
    struct place *p = self;

    (void)env;
    return fails(p, &p->opens_failing) ? leat_fail(e, p->with, "no way there") : LEAT_OK;
}

static enum leat_status place_write(void *self, const struct leat_row *row, struct leat_error *e)
{
    struct place *p = self;
    int number = 0;

    if (fails(p, &p->writes_failing))
        return leat_fail(e, p->with, "no room there");
    CU_ASSERT_EQUAL(sscanf(row->value.ptr, "row %d.", &number), 1);
    CU_ASSERT_EQUAL(number, atomic_load(&p->written)); /* each once, in order */
    atomic_fetch_add(&p->written, 1);
    return LEAT_OK;
}

static enum leat_status place_flush(void *self, struct leat_error *e)
{
    struct place *p = self;

    if (fails(p, &p->flushes_failing))
        return leat_fail(e, p->with, "no answer from there");
    atomic_store(&p->safe, atomic_load(&p->written));
    return LEAT_OK;
}

static void place_drop(void *self)
{
    atomic_fetch_add(&((struct place *)self)->drops, 1);
}

static void place_tick(void *self)
{
    (void)self;
}

static void place_close(void *self)
{
    atomic_fetch_add(&((struct place *)self)->closes, 1);
}

static const struct leat_keeper keeper = {.open = place_open,
                                          .write = place_write,
                                          .flush = place_flush,
                                          .drop = place_drop,
                                          .tick = place_tick,
                                          .close = place_close};

static enum leat_status note_acked(void *self, uint32_t part, int64_t upto, struct leat_error *e)
{
    struct rig *r = self;

    (void)part, (void)e;
    r->acked = upto;
    CU_ASSERT(atomic_load(&r->place.safe) >= upto);
    return LEAT_OK;
}

static void start(struct rig *r)
{
    static const struct leat_push push = {.acked = note_acked};
    static const struct leat_log lines = {"test", "source"};

    r->budget = (struct leat_budget){.cap = (size_t)1 << 30};
    r->env.budget = &r->budget;
    leat_queue_init(&r->job);
    OK(leat_inbox_init(&r->inbox, &push, r, &r->env, &r->job, 4, 4096, &err));
    r->keep = (struct leat_keep_thread){.inbox = &r->inbox,
                                        .job = &r->job,
                                        .lines = &lines,
                                        .env = &r->env,
                                        .keep = &keeper,
                                        .self = &r->place};
    OK(leat_keep_thread_start(&r->keep, &err));
}

static void stop(struct rig *r)
{
    leat_inbox_end(&r->inbox);
    leat_keep_thread_stop(&r->keep);
    while (leat_queue_try(&r->job))
        ;
    leat_inbox_fini(&r->inbox);
    leat_queue_fini(&r->job);
    CU_ASSERT_EQUAL(atomic_load(&r->place.closes), 1);
    CU_ASSERT_EQUAL(atomic_load(&r->budget.used), 0);
}

static void wait_news(struct rig *r)
{
    struct leat_msg *m = leat_queue_take_for(&r->job, WAIT_MS);

    CU_ASSERT_PTR_EQUAL_FATAL(m, &r->keep.news);
    atomic_store(&r->keep.news_sent, false);
}

/* As many as there are credits for. */
static void send(struct rig *r, int64_t rows)
{
    char bytes[80] = "";
    int64_t at;

    for (; rows; rows--) {
        snprintf(bytes, sizeof bytes, "row %lld.%40s", (long long)r->sent, "");
        const struct leat_row row = {.value = leat_slice_str(bytes), .time_ms = LEAT_NO_TIME};
        if (leat_inbox_append(&r->inbox, 0, &row, &at, &err) != LEAT_OK)
            break;
        r->sent = at + 1;
    }
}

/* False: turn says that the source is to go. */
static bool wait_acked(struct rig *r)
{
    struct pollfd p = {.fd = leat_inbox_fd(&r->inbox), .events = POLLIN};

    while (leat_inbox_turn(&r->inbox)) {
        if (r->acked >= r->sent)
            return true;
        CU_ASSERT_EQUAL_FATAL(poll(&p, 1, WAIT_MS), 1);
    }
    return false;
}

static void what_is_kept_is_acknowledged_and_all_of_it_comes_through(void)
{
    struct rig r = {0};

    start(&r);
    wait_news(&r);
    while (r.acked < ROWS) {
        send(&r, ROWS - r.sent);
        CU_ASSERT_TRUE_FATAL(wait_acked(&r));
    }
    CU_ASSERT_EQUAL(atomic_load(&r.place.written), ROWS);
    CU_ASSERT_EQUAL(atomic_load(&r.place.drops), 0);
    stop(&r);
}

static void what_heals_is_tried_again_and_no_row_twice(void)
{
    struct rig r = {.place = {.with = LEAT_E_UNREACHABLE}};

    atomic_store(&r.place.opens_failing, 1);
    start(&r);
    wait_news(&r);
    CU_ASSERT_EQUAL(atomic_load(&r.place.tried), 1);
    atomic_store(&r.place.writes_failing, 1);
    atomic_store(&r.place.flushes_failing, 1);
    send(&r, ROWS);
    CU_ASSERT(r.sent < ROWS); /* no credits: the sender is held back */
    CU_ASSERT_TRUE(wait_acked(&r));
    CU_ASSERT_EQUAL(atomic_load(&r.place.tried), 3);
    stop(&r);
    CU_ASSERT_EQUAL(atomic_load(&r.place.written), r.sent);
}

static void what_does_not_heal_is_told_to_the_job(void)
{
    struct rig r = {.place = {.with = LEAT_E_CONFIG}};

    atomic_store(&r.place.opens_failing, 1);
    start(&r);
    wait_news(&r);
    CU_ASSERT_TRUE(atomic_load(&r.keep.failed));
    CU_ASSERT_STRING_EQUAL(r.keep.error.text, "its store: no way there");
    stop(&r);

    struct rig other = {.place = {.with = LEAT_E_DATA}};
    start(&other);
    wait_news(&other);
    atomic_store(&other.place.flushes_failing, 1);
    send(&other, 3);
    (void)leat_inbox_turn(&other.inbox);
    wait_news(&other);
    CU_ASSERT_TRUE(atomic_load(&other.keep.failed));
    leat_inbox_ask_stop(&other.inbox);
    CU_ASSERT_FALSE(wait_acked(&other));
    CU_ASSERT_EQUAL(other.acked, 0);
    CU_ASSERT_EQUAL(atomic_load(&other.place.drops), 1);
    stop(&other);
}

static void what_cannot_be_kept_when_the_job_ends_is_let_go_of_and_never_acknowledged(void)
{
    struct rig r = {.place = {.with = LEAT_E_UNREACHABLE}};

    start(&r);
    wait_news(&r);
    atomic_store(&r.place.flushes_failing, 1000000);
    send(&r, 3);
    (void)leat_inbox_turn(&r.inbox);
    leat_keep_thread_hurry(&r.keep);
    leat_inbox_ask_stop(&r.inbox);
    CU_ASSERT_FALSE(wait_acked(&r));
    CU_ASSERT_EQUAL(r.acked, 0);
    CU_ASSERT_EQUAL(atomic_load(&r.place.drops), 1);
    stop(&r);
}

static void a_place_that_was_never_reached_lets_the_job_end(void)
{
    struct rig r = {.place = {.with = LEAT_E_UNREACHABLE}};

    atomic_store(&r.place.opens_failing, 1000000);
    start(&r);
    stop(&r);
}

static void what_the_source_leaves_behind_at_its_end_is_kept_however_soon_the_stop_comes(void)
{
    for (int i = 0; i < 100; i++) {
        struct rig r = {0};
        start(&r);
        wait_news(&r);
        send(&r, 3);
        leat_inbox_end(&r.inbox);
        leat_keep_thread_stop(&r.keep);
        (void)leat_inbox_turn(&r.inbox);
        CU_ASSERT_EQUAL(r.acked, 3);
        stop(&r);
    }
}

LEAT_TESTS("keep_thread", T(what_is_kept_is_acknowledged_and_all_of_it_comes_through),
           T(what_heals_is_tried_again_and_no_row_twice), T(what_does_not_heal_is_told_to_the_job),
           T(what_cannot_be_kept_when_the_job_ends_is_let_go_of_and_never_acknowledged),
           T(a_place_that_was_never_reached_lets_the_job_end),
           T(what_the_source_leaves_behind_at_its_end_is_kept_however_soon_the_stop_comes))
