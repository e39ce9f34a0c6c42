#include "decider_contract.h"

#include "leat_test.h"

#include <stdio.h>

#define ROWS      10
#define KNOWN_MAX 8
#define ATTEMPTS  30 /* of a call whose failure is transient: each waits by itself */

static struct leat_error err;

/* A decider, and what it told when it recovered. */
struct rig {
    const struct decider_case *c;
    const void *self;
    const struct leat_env *env;
    void *memory;
    struct leat_decided known[KNOWN_MAX];
    char names[KNOWN_MAX][64];
    int count;
};

static const struct leat_decider *vt(const struct rig *r)
{
    return r->c->decider;
}

static void note(void *arg, const struct leat_decided *d)
{
    struct rig *r = arg;

    CU_ASSERT_FATAL(r->count < KNOWN_MAX);
    snprintf(r->names[r->count], sizeof r->names[0], "%.*s", LEAT_FMT(d->partition));
    r->known[r->count] = *d;
    r->known[r->count].partition = leat_slice_str(r->names[r->count]);
    r->count++;
}

static const struct leat_decided *find(const struct rig *r, const char *partition)
{
    for (int i = 0; i < r->count; i++)
        if (leat_slice_eq(r->known[i].partition, leat_slice_str(partition)))
            return &r->known[i];
    return NULL;
}

static enum leat_status recover(struct rig *r)
{
    enum leat_status status = LEAT_E_UNREACHABLE;

    for (int i = 0; i < ATTEMPTS && leat_status_is_transient(status); i++) {
        r->count = 0;
        status = vt(r)->recover(r->memory, note, r, &err);
    }
    return status;
}

static void start(struct rig *r, const struct rig *like)
{
    *r = *like;
    r->count = 0;
    r->memory = leat_mem_alloc(vt(r)->size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r->memory);
    OK(vt(r)->open(r->memory, r->self, r->env, &err));
    OK(recover(r));
}

static bool rig_init(struct rig *r, const struct decider_case *c)
{
    *r = (struct rig){.c = c};
    if (!c->clear(&r->self, &r->env))
        return false;
    start(r, &(struct rig){.c = c, .self = r->self, .env = r->env});
    return true;
}

static void stop(struct rig *r)
{
    vt(r)->close(r->memory);
    leat_mem_free(r->memory);
}

/* As after a crash, or an unclear end. */
static void restart(struct rig *r)
{
    stop(r);
    start(r, &(struct rig){.c = r->c, .self = r->self, .env = r->env});
}

static void begin_and_write(struct rig *r, uint64_t n)
{
    OK(vt(r)->begin(r->memory, n, &err));
    r->c->write(r->memory, n, ROWS);
}

static enum leat_status prepare(struct rig *r, uint64_t n)
{
    const struct leat_position at[] = {{leat_slice_str(r->c->partitions[0]), (int64_t)n * 100},
                                       {leat_slice_str(r->c->partitions[1]), (int64_t)n * 200}};

    return vt(r)->prepare(r->memory, n, &(struct leat_positions){at, 2},
                          leat_slice_str(r->c->partitions[0]), (int64_t)n * 100, &err);
}

static void batch(struct rig *r, uint64_t n)
{
    begin_and_write(r, n);
    OK(prepare(r, n));
    OK(vt(r)->commit(r->memory, n, &err));
}

static void check_known(const struct rig *r, const char *partition, int64_t next, uint64_t n)
{
    const struct leat_decided *d = find(r, partition);

    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    CU_ASSERT(d->by == LEAT_DECIDED_OURS && d->epoch == r->env->epoch && d->slot == r->env->slot);
    CU_ASSERT_EQUAL(d->next, next);
    CU_ASSERT_EQUAL(d->n, n);
}

/* What was committed may take a moment until readers see it. */
static int seen(const struct rig *r, int want)
{
    int rows = -1;

    for (int i = 0; i < ATTEMPTS && rows < want; i++)
        rows = r->c->visible();
    return rows;
}

/* ---- the sentences */

#define RIG_OR_RETURN(r, c)                                                                        \
    struct rig r;                                                                                  \
    if (!rig_init(&r, c))                                                                          \
    return

void contract_nothing_is_visible_before_commit(const struct decider_case *c)
{
    RIG_OR_RETURN(r, c);
    CU_ASSERT_EQUAL(r.count, 0);
    CU_ASSERT(vt(&r)->patience_ms(r.memory) > 0);
    begin_and_write(&r, 1);
    CU_ASSERT_EQUAL(c->visible(), 0);
    OK(prepare(&r, 1));
    CU_ASSERT_EQUAL(c->visible(), 0);
    OK(vt(&r)->commit(r.memory, 1, &err));
    CU_ASSERT_EQUAL(seen(&r, ROWS), ROWS);
    stop(&r);
}

void contract_an_abort_leaves_nothing_and_n_may_come_again(const struct decider_case *c)
{
    RIG_OR_RETURN(r, c);
    OK(vt(&r)->abort(r.memory, 1, &err)); /* of what was never begun */
    begin_and_write(&r, 1);
    OK(vt(&r)->abort(r.memory, 1, &err));
    OK(vt(&r)->abort(r.memory, 1, &err));
    begin_and_write(&r, 1);
    OK(prepare(&r, 1));
    OK(vt(&r)->abort(r.memory, 1, &err));
    CU_ASSERT_EQUAL(c->visible(), 0);
    batch(&r, 1);
    batch(&r, 2);
    CU_ASSERT_EQUAL(seen(&r, 2 * ROWS), 2 * ROWS);
    restart(&r);
    check_known(&r, c->partitions[0], 200, 2);
    stop(&r);
}

void contract_positions_come_back_with_their_batch(const struct decider_case *c)
{
    RIG_OR_RETURN(r, c);
    batch(&r, 1);
    begin_and_write(&r, 2);
    const struct leat_position moved = {leat_slice_str(c->partitions[1]), 777};
    OK(vt(&r)->prepare(r.memory, 2, &(struct leat_positions){&moved, 1},
                       leat_slice_str(c->partitions[0]), 100, &err));
    OK(vt(&r)->commit(r.memory, 2, &err));
    for (int times = 0; times < 2; times++) {
        restart(&r);
        CU_ASSERT_EQUAL(r.count, 2);
        check_known(&r, c->partitions[0], 100, 2);
        check_known(&r, c->partitions[1], 777, 2);
    }
    stop(&r);
}

void contract_the_marker_is_in_every_transaction(const struct decider_case *c)
{
    RIG_OR_RETURN(r, c);
    batch(&r, 1);
    for (uint64_t n = 2; n <= 3; n++) { /* nothing moved, nothing written */
        OK(vt(&r)->begin(r.memory, n, &err));
        OK(vt(&r)->prepare(r.memory, n, &(struct leat_positions){0},
                           leat_slice_str(c->partitions[0]), 100, &err));
        OK(vt(&r)->commit(r.memory, n, &err));
    }
    restart(&r);
    check_known(&r, c->partitions[0], 100, 3);
    check_known(&r, c->partitions[1], 200, 1);
    CU_ASSERT_EQUAL(seen(&r, ROWS), ROWS);
    stop(&r);
}

void contract_a_crash_leaves_nothing_of_an_open_transaction(const struct decider_case *c)
{
    struct rig dead; /* is closed when nothing of it can matter any more */

    RIG_OR_RETURN(r, c);
    batch(&r, 1);
    for (int prepared = 0; prepared < 2; prepared++) {
        begin_and_write(&r, 2);
        if (prepared)
            OK(prepare(&r, 2));
        dead = r;
        start(&r, &dead);
        stop(&dead);
        check_known(&r, c->partitions[0], 100, 1);
        CU_ASSERT_EQUAL(seen(&r, ROWS), ROWS);
    }
    batch(&r, 2);
    CU_ASSERT_EQUAL(seen(&r, 2 * ROWS), 2 * ROWS);
    stop(&r);
}

void contract_a_successor_fences(const struct decider_case *c)
{
    struct rig newer;

    RIG_OR_RETURN(r, c);
    batch(&r, 1);
    begin_and_write(&r, 2); /* its transaction is open while the other starts */
    start(&newer, &r);
    check_known(&newer, c->partitions[0], 100, 1);
    enum leat_status status = prepare(&r, 2);
    if (status == LEAT_OK)
        status = vt(&r)->commit(r.memory, 2, &err);
    CU_ASSERT_EQUAL(status, LEAT_E_FENCED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "newer instance"));
    batch(&newer, 2);
    CU_ASSERT_EQUAL(seen(&r, 2 * ROWS), 2 * ROWS);
    stop(&r);
    batch(&newer, 3);
    CU_ASSERT_EQUAL(seen(&r, 3 * ROWS), 3 * ROWS);
    stop(&newer);
}

void contract_recover_tells_how_a_commit_ended(const struct decider_case *c)
{
    static const char *const lost[] = {"commit.sent:error", "commit.after:error"};

    RIG_OR_RETURN(r, c);
    batch(&r, 1);
    for (uint64_t n = 2; n <= 3; n++) {
        begin_and_write(&r, n);
        OK(prepare(&r, n));
        OK(leat_failpoint_init(lost[n - 2], &err));
        CU_ASSERT_EQUAL(vt(&r)->commit(r.memory, n, &err), LEAT_E_UNCLEAR);
        OK(leat_failpoint_init(NULL, &err));
        vt(&r)->close(r.memory); /* in the same memory, as a running job does it */
        OK(vt(&r)->open(r.memory, r.self, r.env, &err));
        OK(recover(&r));
        check_known(&r, c->partitions[0], (int64_t)n * 100, n);
        CU_ASSERT_EQUAL(seen(&r, (int)n * ROWS), (int)n * ROWS);
    }
    batch(&r, 4);
    CU_ASSERT_EQUAL(seen(&r, 4 * ROWS), 4 * ROWS);
    stop(&r);
}

void contract_what_was_refused_is_prepared_again(const struct decider_case *c)
{
    RIG_OR_RETURN(r, c);
    for (int at = 0; at < 2; at++) {
        begin_and_write(&r, 1);
        OK(leat_failpoint_init(at ? "commit.before:error" : "prepare.offsets:error", &err));
        enum leat_status status = prepare(&r, 1);
        if (at)
            status = vt(&r)->commit(r.memory, 1, &err);
        CU_ASSERT_EQUAL(status, LEAT_E_ABORTED);
        OK(leat_failpoint_init(NULL, &err));
        OK(vt(&r)->abort(r.memory, 1, &err));
        CU_ASSERT_EQUAL(c->visible(), 0);
    }
    batch(&r, 1);
    CU_ASSERT_EQUAL(seen(&r, ROWS), ROWS);
    stop(&r);
}
