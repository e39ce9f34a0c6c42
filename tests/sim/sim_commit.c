/*
 * sim_commit.c - exactly once from a seed: the real deciding (job_step.c, recover.c), the real job
 * log, snapshots and sink of files, over a file system that fails and loses power, and a model of
 * the coordinator of transactions.
 *
 * Numbers are read from a few partitions, written to files and into transactions, and counted in
 * state. Answers come in any order; calls of the file system fail once, find the disk full, or the
 * power goes at the k-th; the process dies at any moment; transactions are aborted, or end and lose
 * their answer; a successor fences. After every start the state is that of exactly the numbers
 * below the positions in the log; in the end every number is once in the files and once in what a
 * reader of committed data sees, and no temporary file is left.
 *
 *     sim_commit [seeds [first seed]]          LEAT_SIM_SEEDS=100000 sim_commit
 */
#include "run/recover.h"
#include "sim_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static const struct leat_log lines = {"sim", "sim"};

/* ---- a life of the job */

static void step(struct world *w, struct leat_event ev);

static void note_run(struct world *w, const struct leat_action *a)
{
    struct group *g = &w->groups[a->batch % 2];

    if (g->cuts_count == 0)
        for (int p = 0; p < PARTS; p++)
            g->from[p] = g->to[p] = w->groups[(a->batch + 1) % 2].to[p];
    sim_check(w, g->cuts_count < sizeof g->cuts / sizeof *g->cuts, "a group has so many batches");
    struct cut *c = &g->cuts[g->cuts_count++];
    c->time_ms = a->time_ms;
    for (int p = 0; p < PARTS; p++) {
        c->from[p] = g->to[p];
        c->to[p] = w->parts[p].take ? w->parts[p].cut : g->to[p];
        g->to[p] = c->to[p];
        for (int64_t row = c->from[p]; row < c->to[p]; row++)
            w->counts[sim_q_of(row)]++;
    }
}

static void capture(struct world *w, uint64_t n)
{
    struct group *g = &w->groups[n % 2];
    uint32_t q = w->turn;

    memcpy(g->counts, w->counts, sizeof g->counts);
    if (w->snapshot.n || sim_rnd(w, 2))
        return;
    struct leat_log_state entry = sim_state_of(q, &g->counts[q]);
    const struct leat_snapshot s = {.q = q, .n = n, .entries = &entry, .entries_count = 1};
    if (w->state->backend->write(w->state, &s, &w->err) != LEAT_OK) {
        (void)sim_heals(w); /* the job goes on without */
        return;
    }
    w->turn = (q + 1) % QS;
    w->snapshot.q = q;
    w->snapshot.n = n;
}

static bool append(struct world *w, uint64_t n)
{
    struct group *g = &w->groups[n % 2];
    struct leat_log_position positions[PARTS];
    struct leat_log_state states[QS];
    struct leat_log_section section = {LEAT_LIT("out"), leat_bytes_slice(&g->section)};
    struct leat_log_record r = {.job = LEAT_LIT("sim"),
                                .epoch = w->env.epoch,
                                .n = n,
                                .confirmed = n - 1,
                                .partitions = QS,
                                .batch_time_ms = g->cuts[g->cuts_count - 1].time_ms,
                                .marker = w->job.decides ? LEAT_LIT("t/0") : (struct leat_slice){0},
                                .positions = positions,
                                .sections = &section,
                                .sections_count = 1};

    for (int p = 0; p < PARTS; p++)
        if (g->to[p] != g->from[p])
            positions[r.positions_count++] =
                (struct leat_log_position){.source = LEAT_LIT("in"),
                                           .partition = leat_slice_str(sim_parts_names[p]),
                                           .from = g->from[p],
                                           .next = g->to[p],
                                           .time_max_ms = LEAT_NO_TIME};
    for (uint32_t q = 0; q < QS; q++)
        states[q] = sim_state_of(q, &g->counts[q]);
    if (w->state->backend->append(w->state, &r, states, QS, &w->err) != LEAT_OK) {
        sim_die(w);
        return false;
    }
    while (leat_job_log_append(w->log, &r, &w->err) != LEAT_OK)
        if (!sim_heals(w))
            return false;
    return true;
}

static void finish(struct world *w, uint64_t n)
{
    while (sim_files()->commit(w->sink, n, &w->err) != LEAT_OK)
        if (!sim_heals(w))
            return;
    if (w->snapshot.n && n >= w->snapshot.n) {
        if (w->state->backend->publish(w->state, w->snapshot.q, w->snapshot.n, &w->err) != LEAT_OK)
            (void)sim_heals(w);
        w->snapshot.n = 0;
    }
    if (!w->dead && w->state->backend->truncate(w->state, INT64_MAX, &w->err) != LEAT_OK)
        (void)sim_heals(w);
    w->groups[n % 2].cuts_count = 0;
    if (!w->dead)
        step(w, (struct leat_event){.kind = LEAT_EV_FINISHED, .batch = n});
}

/* The commit is done, thrown away, or done or thrown away with nobody knowing. */
static void decide(struct world *w, uint64_t n)
{
    uint64_t luck = w->calm ? 9 : sim_rnd(w, 10);
    enum leat_status status = luck == 0 ? LEAT_E_ABORTED : luck <= 2 ? LEAT_E_UNCLEAR : LEAT_OK;

    if (status == LEAT_OK || luck == 1)
        sim_side_commit(w, n);
    else
        sim_side_abort(w);
    if (!w->calm && sim_rnd(w, 20) == 0)
        sim_die(w); /* before anybody hears of it */
    else
        step(w, (struct leat_event){.kind = LEAT_EV_COMMITTED, .status = status, .batch = n});
}

static void fetched(struct world *w, const struct leat_action *a)
{
    int64_t left = ROWS - a->from, rows = 1 + (int64_t)sim_rnd(w, BLOCK_ROWS);

    if (!w->calm && sim_rnd(w, 8) == 0) {
        step(w, (struct leat_event){
                    .kind = LEAT_EV_UNFETCHED, .part = a->part, .status = LEAT_E_UNREACHABLE});
        return;
    }
    rows = rows < left ? rows : left;
    step(w, (struct leat_event){.kind = LEAT_EV_BLOCK,
                                .part = a->part,
                                .from = a->from,
                                .to = a->from + rows,
                                .records = 1,
                                .bytes = (uint64_t)rows,
                                .empty = rows == 0,
                                .at_end = rows == left});
}

static void carry_out(struct world *w, const struct leat_action *a)
{
    switch (a->kind) {
    case LEAT_ACT_FETCH:
        fetched(w, a);
        break;
    case LEAT_ACT_RUN:
        step(w, (struct leat_event){.kind = LEAT_EV_RAN, .batch = a->batch});
        break;
    case LEAT_ACT_PREPARE:
        if (a->sink == 1)
            sim_side_begin(w, a->batch);
        else if (!sim_prepare(w, a->batch))
            return;
        step(w, (struct leat_event){.kind = LEAT_EV_PREPARED, .batch = a->batch, .sink = a->sink});
        break;
    case LEAT_ACT_LOG:
        if (append(w, a->batch))
            step(w, (struct leat_event){.kind = LEAT_EV_LOGGED, .batch = a->batch});
        break;
    case LEAT_ACT_COMMIT:
        decide(w, a->batch);
        break;
    case LEAT_ACT_RESOLVE:
        step(w, (struct leat_event){.kind = LEAT_EV_RESOLVED, .batch = w->side.known[0].n});
        break;
    case LEAT_ACT_FINISH:
        finish(w, a->batch);
        break;
    case LEAT_ACT_ABORT:
    case LEAT_ACT_CAPTURE:
    case LEAT_ACT_SEAL:
    case LEAT_ACT_SELECT:
    case LEAT_ACT_IDLE:
    case LEAT_ACT_STOPPED:
    case LEAT_ACT_FAIL:
        break;
    }
}

static void step(struct world *w, struct leat_event ev)
{
    leat_job_step(&w->job, &ev, w->now_ms, &w->actions);
    for (size_t i = 0; i < w->actions.count && !w->dead; i++) {
        struct leat_action a = w->list[i];
        sim_check(w, a.kind != LEAT_ACT_FAIL, "the job itself never fails here");
        if (a.kind == LEAT_ACT_STOPPED)
            w->stopped = true;
        else if (a.kind == LEAT_ACT_RUN)
            note_run(w, &a);
        else if (a.kind == LEAT_ACT_CAPTURE)
            capture(w, a.batch);
        if (a.kind == LEAT_ACT_STOPPED || a.kind == LEAT_ACT_IDLE || a.kind == LEAT_ACT_CAPTURE)
            continue;
        sim_check(w, w->pending_count < PENDING_MAX, "what is under way is bounded");
        w->pending[w->pending_count++] = a;
    }
}

/* ---- from start to end */

static bool position_of(const void *arg, struct leat_slice partition, int64_t *with,
                        int64_t *without)
{
    const struct world *w = arg;
    const struct leat_log_position *p = leat_job_log_find(w->log, LEAT_LIT("in"), partition);
    const struct leat_log_record *last = leat_job_log_last(w->log);

    if (!p)
        return false;
    *with = *without = p->next;
    for (uint32_t i = 0; i < last->positions_count; i++)
        if (leat_slice_eq(last->positions[i].partition, partition))
            *without = last->positions[i].from;
    return true;
}

static bool recover(struct world *w)
{
    const struct leat_log_record *last = leat_job_log_last(w->log);
    enum leat_recover_verdict verdict = LEAT_RECOVER_GO_ON;
    const struct leat_recovery r = {.dir = w->dir,
                                    .n = last->n,
                                    .confirmed = last->confirmed,
                                    .epoch = last->epoch,
                                    .marker = last->marker,
                                    .position = position_of,
                                    .arg = w,
                                    .known = w->side.known,
                                    .known_count = w->side.known_count};

    w->env.epoch = last->epoch;
    if (!w->job.decides)
        return true;
    sim_side_abort(w); /* what a predecessor left open */
    sim_check(w, leat_recover_decide(&r, &verdict, &w->err) == LEAT_OK, "nothing is refused here");
    if (verdict == LEAT_RECOVER_FRESH)
        for (int p = 0; p < PARTS; p++)
            sim_side_know(w, p, 0, 0);
    sim_check(w, verdict != LEAT_RECOVER_MARK, "the marker is always there");
    if (verdict != LEAT_RECOVER_DROP)
        return true;
    w->dropped++;
    if (leat_job_log_drop_last(w->log, &w->err) == LEAT_OK)
        return true;
    sim_die(w);
    return false;
}

static bool restore(struct world *w)
{
    uint64_t n = leat_job_log_last(w->log)->n;
    int64_t next[PARTS] = {0};

    if (leat_state_log_file_open(&w->fs.fs, w->dir, w->log, QS, &lines, &w->state, &w->err) !=
        LEAT_OK) {
        sim_die(w);
        return false;
    }
    for (uint32_t q = 0; n && q < QS; q++)
        if (w->state->backend->read(w->state, q, n, sim_read_state, w, &w->err) != LEAT_OK) {
            sim_check(w, w->err.status != LEAT_E_CORRUPT || w->fs.hit,
                      "what was written can be read");
            sim_die(w);
            return false;
        }
    for (int p = 0; p < PARTS; p++)
        (void)leat_job_log_position(w->log, LEAT_LIT("in"), leat_slice_str(sim_parts_names[p]),
                                    &next[p]);
    sim_check_state(w, next);
    for (int p = 0; p < PARTS; p++) {
        w->groups[0].to[p] = w->groups[1].to[p] = next[p];
        w->parts[p] = (struct leat_job_part){.next = next[p], .goal = ROWS};
    }
    return true;
}

static void plan_faults(struct world *w)
{
    fault_fs_init(&w->fs);
    if (w->calm || sim_rnd(w, 4) == 0)
        return;
    w->fs.fail_at = 1 + (int)sim_rnd(w, 120);
    w->fs.crash = sim_rnd(w, 2);
    if (sim_rnd(w, 6) == 0)
        w->fs.sync_bad = 1 + (int)sim_rnd(w, 20);
    w->fs.full = sim_rnd(w, 4) == 0;
}

static void begin(struct world *w)
{
    bool decides = w->seed % 3 != 0;

    plan_faults(w);
    w->lives++;
    w->dead = w->stopped = w->sink_open = false;
    w->pending_count = 0;
    w->log = NULL;
    w->state = NULL;
    w->snapshot.n = 0;
    w->budget = (struct leat_budget){.cap = 1 << 24};
    memset(w->counts, 0, sizeof w->counts);
    for (int i = 0; i < 2; i++)
        w->groups[i].cuts_count = 0;
    w->env = (struct leat_env){
        .job = "sim", .fs = &w->fs.fs, .budget = &w->budget, .log = &lines, .exactly_once = true};
    w->job = (struct leat_job){.every_ms = 100,
                               .commit_every_ms = w->seed % 5 == 0 ? 300 : 0,
                               .mode = LEAT_JOB_CAUGHT_UP,
                               .until_ms = LEAT_JOB_NEVER,
                               .max_records = 4,
                               .max_bytes = 24,
                               .early = true,
                               .decides = decides,
                               .sinks_count = 1,
                               .parts = w->parts,
                               .active = w->active};
    w->actions = (struct leat_actions){w->list, 0, LEAT_JOB_ACTIONS(PARTS, 1)};
    while (leat_job_log_open(&w->fs.fs, w->dir, "sim", (uint32_t)(w->lives + 1), 0, &w->log,
                             &w->err) != LEAT_OK) {
        sim_check(w, w->err.status != LEAT_E_CORRUPT, "the log can be read");
        if (!sim_heals(w) || w->err.status != LEAT_E_FULL) {
            sim_die(w);
            return;
        }
    }
    leat_job_log_set_segment_bytes(w->log, 700);
    if (!recover(w) || !restore(w) || !sim_open_sink(w, leat_job_log_last(w->log)))
        return;
    w->job.committed = leat_job_log_last(w->log)->n;
    w->job.time_ms = leat_job_log_last(w->log)->batch_time_ms;
    for (uint32_t p = 0; p < PARTS && !w->dead; p++)
        step(w, (struct leat_event){.kind = LEAT_EV_PART, .part = p});
    step(w, (struct leat_event){.kind = LEAT_EV_START});
}

static void end(struct world *w)
{
    if (w->stopped && w->job.committed && sim_rnd(w, 2))
        (void)!leat_job_log_confirm(w->log, w->job.committed, true, &w->err);
    if (w->sink_open)
        sim_files()->close(w->sink);
    if (w->state)
        w->state->backend->close(w->state);
    leat_job_log_close(w->log);
    w->hits += w->fs.hit;
    w->crashes += !w->stopped;
    if ((w->fs.crash && w->fs.hit) || (!w->stopped && sim_rnd(w, 2)))
        fault_fs_power_off(&w->fs); /* else only the process is gone */
    leat_arena_recycle(&w->arena, 65536);
}

static void live(struct world *w)
{
    begin(w);
    for (int i = 0; !w->dead && !w->stopped; i++) {
        sim_check(w, i < 100000, "it comes to an end");
        if (!w->calm && sim_rnd(w, 150) == 0) {
            sim_die(w);
        } else if (w->pending_count == 0 || sim_rnd(w, 6) == 0) {
            w->now_ms += 1 + (int64_t)sim_rnd(w, 120);
            step(w, (struct leat_event){.kind = LEAT_EV_TICK});
        } else {
            int at = (int)sim_rnd(w, (uint64_t)w->pending_count);
            struct leat_action a = w->pending[at];
            w->pending[at] = w->pending[--w->pending_count];
            carry_out(w, &a);
        }
    }
    end(w);
}

static void run(struct world *w, const char *root)
{
    snprintf(w->dir, sizeof w->dir, "%s/s", root);
    snprintf(w->out, sizeof w->out, "%s/out", w->dir);
    leat_fs_remove_tree(&leat_fs_posix, w->dir);
    for (int i = 0; i < LIVES && !w->stopped; i++) {
        w->calm = i == LIVES - 1;
        live(w);
    }
    if (w->seed % 2) { /* what is rolled is finished at a start */
        w->calm = true;
        live(w);
    }
    sim_check(w, w->stopped, "it gets to the end");
    sim_check_end(w);
    for (int i = 0; i < 2; i++)
        leat_arena_reset(&w->groups[i].arena);
    leat_arena_reset(&w->arena);
}

int main(int argc, char **argv)
{
    const char *many = getenv("LEAT_SIM_SEEDS");
    uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10)
                     : many   ? strtoull(many, NULL, 10)
                              : 20000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    char root[] = "/dev/shm/leat-sim-XXXXXX", other[] = "/tmp/leat-sim-XXXXXX", *dir;
    uint64_t commits = 0, lives = 0, crashes = 0, hits = 0, dropped = 0;
    static struct world w;

    dir = mkdtemp(root) ? root : mkdtemp(other);
    if (!dir)
        return EXIT_FAILURE;
    if (!freopen("/dev/null", "w", stderr)) /* what is said about faults */
        return EXIT_FAILURE;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        memset(&w, 0, offsetof(struct world, fs));
        w.seed = seed;
        w.rng = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
        w.stopped = false;
        w.now_ms = 1000000;
        w.turn = 0;
        run(&w, dir);
        commits += w.commits, lives += w.lives, crashes += w.crashes;
        hits += w.hits, dropped += w.dropped;
    }
    leat_fs_remove_tree(&leat_fs_posix, dir);
    printf("%" PRIu64 " seeds: %" PRIu64 " lives, %" PRIu64 " of them cut short, %" PRIu64
           " by the disk; %" PRIu64 " transactions, %" PRIu64 " records dropped\n",
           seeds, lives, crashes, hits, commits, dropped);
    return EXIT_SUCCESS;
}
