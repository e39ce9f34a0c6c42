/*
 * Tests engine/run/store_thread.c with inbox.c: the test is the source and the job, and waits for
 * what comes back; a wake that is lost is a wait without an end. Also under thread sanitizer.
 */
#include "run/store_thread.h"

#include "fault_fs.h"
#include "leat_test.h"
#include "run/message.h"

#include <poll.h>
#include <stdio.h>

#define WAIT_MS 30000

struct rig {
    struct fault_fs disk;
    struct leat_budget budget;
    struct leat_env env;
    struct leat_queue job;
    struct leat_inbox inbox;
    struct leat_store_thread store;
    struct leat_fetch fetch;
    struct answer {
        struct leat_msg msg;
        struct leat_queue *to;
        struct leat_block *block;
        enum leat_status status;
    } answer;
    int64_t acked, sent;
};

static struct leat_error err;

static enum leat_status note_acked(void *self, uint32_t part, int64_t upto, struct leat_error *e)
{
    (void)part, (void)e;
    ((struct rig *)self)->acked = upto;
    return LEAT_OK;
}

static void start(struct rig *r, int64_t disk)
{
    static const struct leat_push push = {.acked = note_acked};
    static const struct leat_log lines = {"test", "source"};
    static int number;
    char dir[300];

    *r = (struct rig){.budget = {.cap = (size_t)1 << 30}};
    snprintf(dir, sizeof dir, "%s/%d/store/lines", leat_test_dir(), number++);
    fault_fs_init(&r->disk);
    r->disk.disk = disk;
    r->env.budget = &r->budget;
    leat_queue_init(&r->job);
    OK(leat_inbox_init(&r->inbox, &push, r, &r->env, &r->job, 4, 65536, &err));
    r->store = (struct leat_store_thread){
        .inbox = &r->inbox, .job = &r->job, .budget = &r->budget, .lines = &lines};
    OK(leat_block_log_open(&r->disk.fs, dir, (int64_t)1 << 30, &r->store.log, &err));
    OK(leat_store_thread_start(&r->store, &err));
}

static void stop(struct rig *r)
{
    leat_inbox_end(&r->inbox);
    leat_store_thread_stop(&r->store);
    for (struct leat_msg *m; (m = leat_queue_try(&r->job));)
        CU_ASSERT(m == &r->store.news || m == &r->answer.msg);
    leat_inbox_fini(&r->inbox);
    leat_queue_fini(&r->job);
    CU_ASSERT_EQUAL(atomic_load(&r->budget.used), 0);
}

/* As many rows as there are credits for; of 1000 bytes. */
static void send(struct rig *r, int64_t rows)
{
    static char bytes[1000];
    const struct leat_row row = {.value = {bytes, sizeof bytes}, .time_ms = LEAT_NO_TIME};
    int64_t at;

    for (; rows && leat_inbox_append(&r->inbox, 0, &row, &at, &err) == LEAT_OK; rows--)
        r->sent = at + 1;
}

static void wait_acked(struct rig *r)
{
    struct pollfd p = {.fd = leat_inbox_fd(&r->inbox), .events = POLLIN};

    while (leat_inbox_turn(&r->inbox) && r->acked < r->sent)
        CU_ASSERT_EQUAL_FATAL(poll(&p, 1, WAIT_MS), 1);
}

static void answered(void *arg, const struct leat_fetch *fetch, struct leat_block *block,
                     const struct leat_error *e)
{
    struct answer *a = arg;

    (void)fetch;
    a->block = block;
    a->status = block ? LEAT_OK : e->status;
    leat_queue_put(a->to, &a->msg);
}

static void fetch_from(struct rig *r, int64_t from)
{
    r->fetch = (struct leat_fetch){.from = from, .max_bytes = 1 << 20};
    r->answer = (struct answer){.to = &r->job, .msg.kind = LEAT_MSG_FETCHED};
    leat_store_thread_fetch(&r->store, &r->fetch, answered, &r->answer);
}

/* The next answer; NULL: there is none yet. News of the store are passed over. */
static const struct answer *next_answer(struct rig *r, int64_t wait_ms)
{
    for (;;) {
        struct leat_msg *m = leat_queue_take_for(&r->job, wait_ms);
        if (!m || m->kind == LEAT_MSG_FETCHED)
            return m ? &r->answer : NULL;
        CU_ASSERT_FALSE(atomic_load(&r->store.failed));
    }
}

/* Where the rows end that an answer brings. */
static int64_t wait_rows(struct rig *r)
{
    const struct answer *a = next_answer(r, WAIT_MS);

    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    CU_ASSERT_EQUAL_FATAL(a->status, LEAT_OK);
    int64_t to = a->block->to;
    leat_block_unref(a->block);
    return to;
}

static void what_is_stored_is_given_when_a_batch_is_near(void)
{
    struct rig r;

    start(&r, 0);
    for (int64_t at = 0; at < 200; at = r.sent) {
        fetch_from(&r, at);
        send(&r, 1);
        wait_acked(&r);
        leat_store_thread_near(&r.store); /* once: before or after the thread looks at the row */
        CU_ASSERT_EQUAL(wait_rows(&r), r.sent);
    }
    fetch_from(&r, r.sent);
    leat_store_thread_near(&r.store); /* with nothing there: what comes next is given at once */
    send(&r, 1);
    wait_acked(&r);
    CU_ASSERT_EQUAL(wait_rows(&r), r.sent);
    stop(&r);
}

static void much_is_given_before_a_batch_is_near_and_little_is_not(void)
{
    struct rig r;

    start(&r, 0);
    fetch_from(&r, 0);
    send(&r, 1);
    wait_acked(&r);
    CU_ASSERT_PTR_NULL(next_answer(&r, 0));
    send(&r, 100);
    CU_ASSERT(wait_rows(&r) > 60);
    wait_acked(&r);
    stop(&r);
}

/* A disk that is slow: a sync waits for the gate. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int (*sync)(const struct leat_fs *fs, int fd);
    int syncs;
    bool closed;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int sync_at_the_gate(const struct leat_fs *fs, int fd)
{
    pthread_mutex_lock(&gate.lock);
    gate.syncs++;
    pthread_cond_broadcast(&gate.changed);
    while (gate.closed)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    return gate.sync(fs, fd);
}

static void send_block(struct rig *r)
{
    send(r, 1);
    leat_inbox_ask_seal(&r->inbox);
    (void)leat_inbox_turn(&r->inbox);
}

static void what_comes_while_a_block_is_written_is_written_together_behind_it(void)
{
    struct rig r;

    start(&r, 0);
    gate.sync = r.disk.fs.sync;
    r.disk.fs.sync = sync_at_the_gate;
    send(&r, 1); /* the file is made */
    wait_acked(&r);
    pthread_mutex_lock(&gate.lock);
    int before = gate.syncs;
    gate.closed = true;
    pthread_mutex_unlock(&gate.lock);
    send_block(&r);
    pthread_mutex_lock(&gate.lock);
    while (gate.syncs == before)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    for (int i = 0; i < 3; i++)
        send_block(&r);
    CU_ASSERT_EQUAL(r.sent, 5);
    CU_ASSERT_EQUAL(r.acked, 1);
    pthread_mutex_lock(&gate.lock);
    gate.closed = false;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
    wait_acked(&r);
    CU_ASSERT_EQUAL(r.acked, 5);
    CU_ASSERT_EQUAL(gate.syncs, before + 2);
    fetch_from(&r, 0);
    leat_store_thread_near(&r.store);
    CU_ASSERT_EQUAL(wait_rows(&r), 5);
    stop(&r);
}

#define ROWS 5000

/* The source's thread: sends as fast as it may. */
static void *send_all(void *arg)
{
    struct rig *r = arg;
    struct pollfd p = {.fd = leat_inbox_fd(&r->inbox), .events = POLLIN};

    while (leat_inbox_turn(&r->inbox) && r->acked < ROWS) {
        send(r, ROWS - r->sent);
        if (r->inbox.credits == 0 || r->sent == ROWS)
            leat_inbox_ask_seal(&r->inbox);
        poll(&p, 1, WAIT_MS);
    }
    return NULL;
}

/* All that the job fetches it commits; it says so, and nothing else wakes the thread. The disk has
 * room for an eighth of it. */
static void a_disk_that_is_full_again_and_again_lets_all_through(void)
{
    static struct rig r;
    pthread_t source;
    int64_t done = 0;

    start(&r, 600000); /* what the source may have under way fits twice */
    CU_ASSERT_EQUAL_FATAL(pthread_create(&source, NULL, send_all, &r), 0);
    while (done < ROWS) {
        fetch_from(&r, done);
        leat_store_thread_near(&r.store);
        done = wait_rows(&r);
        leat_store_thread_done(&r.store, 0, done);
    }
    pthread_join(source, NULL);
    CU_ASSERT_EQUAL(r.acked, ROWS);
    CU_ASSERT_TRUE(r.disk.used <= r.disk.disk);
    stop(&r);
}

static void what_cannot_be_stored_when_the_job_ends_is_given_up_and_never_acknowledged(void)
{
    struct rig r;

    start(&r, 0);
    r.disk.full = true;
    send(&r, 1);
    (void)leat_inbox_turn(&r.inbox);
    leat_store_thread_hurry(&r.store);
    leat_inbox_ask_stop(&r.inbox);
    wait_acked(&r); /* until turn says that the source may go */
    CU_ASSERT_EQUAL(r.acked, 0);
    fetch_from(&r, 0);
    stop(&r);
    CU_ASSERT_EQUAL(r.answer.status, LEAT_E_ABORTED);
}

static void what_the_source_leaves_behind_at_its_end_is_stored_however_soon_the_stop_comes(void)
{
    for (int i = 0; i < 200; i++) {
        struct rig r;
        start(&r, 0);
        send(&r, 3);
        leat_inbox_end(&r.inbox);
        leat_store_thread_stop(&r.store);
        (void)leat_inbox_turn(&r.inbox);
        CU_ASSERT_EQUAL(r.acked, 3);
        stop(&r);
    }
}

LEAT_TESTS("store_thread", T(what_is_stored_is_given_when_a_batch_is_near),
           T(much_is_given_before_a_batch_is_near_and_little_is_not),
           T(what_comes_while_a_block_is_written_is_written_together_behind_it),
           T(a_disk_that_is_full_again_and_again_lets_all_through),
           T(what_cannot_be_stored_when_the_job_ends_is_given_up_and_never_acknowledged),
           T(what_the_source_leaves_behind_at_its_end_is_stored_however_soon_the_stop_comes))
