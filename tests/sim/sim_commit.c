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
#include "fault_fs.h"
#include "leat.h"
#include "run/job_step.h"
#include "run/recover.h"
#include "store/state_log.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PARTS = 2, ROWS = 60, QS = 3, LIVES = 12, PENDING_MAX = 64, BLOCK_ROWS = 6 };

/* What the transactions' side has, whatever becomes of the job. */
struct coordinator {
    int seen[PARTS][ROWS]; /* how often a reader has each number */
    struct leat_decided known[PARTS];
    uint32_t known_count;
    bool is_open;
    uint64_t n;
    bool pending[PARTS][ROWS];
    int64_t next[PARTS];
};

struct cut {
    int64_t time_ms, from[PARTS], to[PARTS];
};

struct group {
    struct cut cuts[64];
    uint32_t cuts_count;
    int64_t from[PARTS], to[PARTS];
    uint64_t counts[QS]; /* state behind it */
    bool prepared_decider;
    struct leat_arena arena;
    struct leat_bytes section;
};

struct world {
    uint64_t rng, seed;
    char dir[64], out[96];
    struct coordinator side;
    uint64_t commits, lives, crashes, hits, dropped;

    /* One life. */
    struct fault_fs fs;
    struct leat_job job;
    struct leat_job_part parts[PARTS];
    uint32_t active[PARTS];
    struct leat_action list[LEAT_JOB_ACTIONS(PARTS, 1)];
    struct leat_actions actions;
    struct leat_action pending[PENDING_MAX];
    int pending_count;
    int64_t now_ms;
    struct leat_job_log *log;
    struct leat_state_log *state;
    uint64_t counts[QS];
    struct group groups[2];
    uint32_t turn; /* whose snapshot is next */
    struct {
        uint32_t q;
        uint64_t n; /* 0: none waits for its commit */
    } snapshot;
    struct leat_env env;
    struct leat_budget budget;
    struct leat_arena arena;
    void *sink;
    bool sink_open, dead, stopped, calm; /* calm: nothing fails any more */
    struct leat_error err;
};

static const struct leat_log lines = {"sim", "sim"};
static const char *const parts_names[PARTS] = {"t/0", "t/1"};

static uint64_t rnd(struct world *w, uint64_t below)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return w->rng % below;
}

static void check(const struct world *w, bool ok, const char *what)
{
    if (ok)
        return;
    printf("seed %" PRIu64 ", life %" PRIu64 ", directory %s: not so: %s (%s)\n", w->seed, w->lives,
           w->dir, what, w->err.text);
    exit(EXIT_FAILURE);
}

static const struct leat_sink *files(void)
{
    return leat_module_find_sink("files")->sink;
}

/* The process ends: by a failure, a kill, or because the power went. */
static void die(struct world *w)
{
    w->dead = true;
}

/* Something failed. Full disks are waited for, as the threads of a job do; all else that does not
 * heal ends the process. True: try again. */
static bool heals(struct world *w)
{
    if (w->fs.crash && w->fs.hit) {
        die(w);
        return false;
    }
    if (!leat_status_is_transient(w->err.status)) {
        die(w);
        return false;
    }
    w->fs.full = false;
    return true;
}

/* ---- state: how many numbers there were of each remainder */

static uint32_t q_of(int64_t row)
{
    return (uint32_t)(row % QS);
}

static struct leat_log_state state_of(uint32_t q, const uint64_t *count)
{
    return (struct leat_log_state){.name = LEAT_LIT("s.count.0"),
                                   .shape = 3,
                                   .q = q,
                                   .bytes = {(const char *)count, sizeof *count}};
}

static enum leat_status read_state(void *arg, uint64_t n, bool is_snapshot,
                                   const struct leat_log_state *entry, struct leat_error *err)
{
    struct world *w = arg;

    (void)n, (void)is_snapshot, (void)err;
    check(w, entry->bytes.len == sizeof w->counts[0], "state has its length");
    memcpy(&w->counts[entry->q], entry->bytes.ptr, sizeof w->counts[0]);
    return LEAT_OK;
}

static void check_state(struct world *w, const int64_t *next)
{
    uint64_t expected[QS] = {0};

    for (int p = 0; p < PARTS; p++)
        for (int64_t row = 0; row < next[p]; row++)
            expected[q_of(row)]++;
    check(w, memcmp(expected, w->counts, sizeof expected) == 0,
          "the state is that of the numbers below the positions");
}

/* ---- the sink of files */

static bool open_sink(struct world *w, const struct leat_log_record *last)
{
    struct leat_slice section = {0};
    char path[140], roll[] = "80B";
    struct leat_setting given[] = {{.name = LEAT_LIT("path")}, {.name = LEAT_LIT("roll.size")}};
    const struct leat_module *m = leat_module_find_sink("files");

    snprintf(path, sizeof path, "%s/{file}.txt", w->out);
    given[0].value = leat_arena_copy(&w->arena, leat_slice_str(path));
    given[1].value = leat_arena_copy(&w->arena, leat_slice_str(roll));
    w->sink = leat_arena_alloc(&w->arena, m->self_size);
    check(w,
          leat_opts_apply(m->opts, w->sink, given, w->seed % 2 ? 2 : 1, &w->arena, &w->err) ==
              LEAT_OK,
          "the sink's options are good");
    for (uint32_t i = 0; i < last->sections_count; i++)
        section = last->sections[i].bytes;
    for (;;) {
        w->sink_open = true;
        if (files()->open(w->sink, &w->env, &w->err) == LEAT_OK &&
            files()->recover(w->sink, last->n, section, &w->err) == LEAT_OK)
            return true;
        files()->close(w->sink);
        w->sink_open = false;
        if (!heals(w))
            return false;
    }
}

static enum leat_status write_cut(struct world *w, uint64_t n, const struct cut *c)
{
    enum { MAX = PARTS * ROWS };
    static struct leat_slice keys[MAX], values[MAX], headers[MAX], routes[MAX];
    static uint16_t selection[MAX];
    static int64_t times[MAX], positions[MAX];
    static char text[MAX][16];
    char route[140];
    struct leat_chunk chunk = {.selection = selection,
                               .keys = keys,
                               .values = values,
                               .headers = headers,
                               .routes = routes,
                               .times_ms = times,
                               .positions = positions};

    snprintf(route, sizeof route, "%s/" LEAT_ROUTE_FILE ".txt", w->out);
    if (files()->begin && files()->begin(w->sink, n, c->time_ms, &w->err) != LEAT_OK)
        return w->err.status;
    for (int p = 0; p < PARTS; p++)
        for (int64_t row = c->from[p]; row < c->to[p]; row++) {
            uint32_t at = chunk.rows++;
            int len = snprintf(text[at], sizeof text[at], "%d %" PRId64, p, row);
            values[at] = (struct leat_slice){text[at], (size_t)len};
            routes[at] = leat_slice_str(route);
            selection[at] = (uint16_t)at;
        }
    chunk.selected = chunk.rows;
    return chunk.rows ? files()->write(w->sink, n, &chunk, &w->err) : LEAT_OK;
}

static enum leat_status write_group(struct world *w, uint64_t n, struct group *g)
{
    const struct leat_positions none = {0};

    for (uint32_t i = 0; i < g->cuts_count; i++)
        if (write_cut(w, n, &g->cuts[i]) != LEAT_OK)
            return w->err.status;
    leat_arena_recycle(&g->arena, 65536);
    g->section = (struct leat_bytes){.arena = &g->arena};
    return files()->prepare(w->sink, n, &none, &g->section, &w->err);
}

static bool prepare(struct world *w, uint64_t n)
{
    struct leat_error undo;

    while (write_group(w, n, &w->groups[n % 2]) != LEAT_OK) {
        if (leat_status_is_transient(w->err.status) && files()->abort(w->sink, n, &undo) != LEAT_OK)
            w->err = undo;
        if (!heals(w))
            return false;
    }
    return true;
}

/* ---- the coordinator */

static void side_abort(struct world *w)
{
    w->side.is_open = false;
    memset(w->side.pending, 0, sizeof w->side.pending);
}

static void side_know(struct world *w, int p, int64_t next, uint64_t n)
{
    struct leat_decided *d = &w->side.known[p];

    if (w->side.known_count < PARTS) /* all at once: the first is the marker */
        w->side.known_count = PARTS;
    *d = (struct leat_decided){.partition = leat_slice_str(parts_names[p]),
                               .next = next,
                               .by = LEAT_DECIDED_OURS,
                               .epoch = w->env.epoch,
                               .n = n};
}

static void side_begin(struct world *w, uint64_t n)
{
    const struct group *g = &w->groups[n % 2];

    check(w, !w->side.is_open, "one transaction is open at a time");
    w->side.is_open = true;
    w->side.n = n;
    for (int p = 0; p < PARTS; p++) {
        for (int64_t row = g->from[p]; row < g->to[p]; row++)
            w->side.pending[p][row] = true;
        w->side.next[p] = g->to[p];
    }
}

static void side_commit(struct world *w, uint64_t n)
{
    check(w, w->side.is_open && w->side.n == n, "what was prepared is committed");
    for (int p = 0; p < PARTS; p++) {
        for (int row = 0; row < ROWS; row++)
            w->side.seen[p][row] += w->side.pending[p][row];
        side_know(w, p, w->side.next[p], n);
    }
    side_abort(w);
    w->commits++;
}

/* ---- a life of the job */

static void step(struct world *w, struct leat_event ev);

static void note_run(struct world *w, const struct leat_action *a)
{
    struct group *g = &w->groups[a->batch % 2];

    if (g->cuts_count == 0)
        for (int p = 0; p < PARTS; p++)
            g->from[p] = g->to[p] = w->groups[(a->batch + 1) % 2].to[p];
    check(w, g->cuts_count < sizeof g->cuts / sizeof *g->cuts, "a group has so many batches");
    struct cut *c = &g->cuts[g->cuts_count++];
    c->time_ms = a->time_ms;
    for (int p = 0; p < PARTS; p++) {
        c->from[p] = g->to[p];
        c->to[p] = w->parts[p].take ? w->parts[p].cut : g->to[p];
        g->to[p] = c->to[p];
        for (int64_t row = c->from[p]; row < c->to[p]; row++)
            w->counts[q_of(row)]++;
    }
}

static void capture(struct world *w, uint64_t n)
{
    struct group *g = &w->groups[n % 2];
    uint32_t q = w->turn;

    memcpy(g->counts, w->counts, sizeof g->counts);
    if (w->snapshot.n || rnd(w, 2))
        return;
    struct leat_log_state entry = state_of(q, &g->counts[q]);
    const struct leat_snapshot s = {.q = q, .n = n, .entries = &entry, .entries_count = 1};
    if (w->state->backend->write(w->state, &s, &w->err) != LEAT_OK) {
        (void)heals(w); /* the job goes on without */
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
                                           .partition = leat_slice_str(parts_names[p]),
                                           .from = g->from[p],
                                           .next = g->to[p],
                                           .time_max_ms = LEAT_NO_TIME};
    for (uint32_t q = 0; q < QS; q++)
        states[q] = state_of(q, &g->counts[q]);
    if (w->state->backend->append(w->state, &r, states, QS, &w->err) != LEAT_OK) {
        die(w);
        return false;
    }
    while (leat_job_log_append(w->log, &r, &w->err) != LEAT_OK)
        if (!heals(w))
            return false;
    return true;
}

static void finish(struct world *w, uint64_t n)
{
    while (files()->commit(w->sink, n, &w->err) != LEAT_OK)
        if (!heals(w))
            return;
    if (w->snapshot.n && n >= w->snapshot.n) {
        if (w->state->backend->publish(w->state, w->snapshot.q, w->snapshot.n, &w->err) != LEAT_OK)
            (void)heals(w);
        w->snapshot.n = 0;
    }
    if (!w->dead && w->state->backend->truncate(w->state, INT64_MAX, &w->err) != LEAT_OK)
        (void)heals(w);
    w->groups[n % 2].cuts_count = 0;
    if (!w->dead)
        step(w, (struct leat_event){.kind = LEAT_EV_FINISHED, .batch = n});
}

/* The commit is done, thrown away, or done or thrown away with nobody knowing. */
static void decide(struct world *w, uint64_t n)
{
    uint64_t luck = w->calm ? 9 : rnd(w, 10);
    enum leat_status status = luck == 0 ? LEAT_E_ABORTED : luck <= 2 ? LEAT_E_UNCLEAR : LEAT_OK;

    if (status == LEAT_OK || luck == 1)
        side_commit(w, n);
    else
        side_abort(w);
    if (!w->calm && rnd(w, 20) == 0)
        die(w); /* before anybody hears of it */
    else
        step(w, (struct leat_event){.kind = LEAT_EV_COMMITTED, .status = status, .batch = n});
}

static void fetched(struct world *w, const struct leat_action *a)
{
    int64_t left = ROWS - a->from, rows = 1 + (int64_t)rnd(w, BLOCK_ROWS);

    if (!w->calm && rnd(w, 8) == 0) {
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
            side_begin(w, a->batch);
        else if (!prepare(w, a->batch))
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
        check(w, a.kind != LEAT_ACT_FAIL, "the job itself never fails here");
        if (a.kind == LEAT_ACT_STOPPED)
            w->stopped = true;
        else if (a.kind == LEAT_ACT_RUN)
            note_run(w, &a);
        else if (a.kind == LEAT_ACT_CAPTURE)
            capture(w, a.batch);
        if (a.kind == LEAT_ACT_STOPPED || a.kind == LEAT_ACT_IDLE || a.kind == LEAT_ACT_CAPTURE)
            continue;
        check(w, w->pending_count < PENDING_MAX, "what is under way is bounded");
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
    side_abort(w); /* what a predecessor left open */
    check(w, leat_recover_decide(&r, &verdict, &w->err) == LEAT_OK, "nothing is refused here");
    if (verdict == LEAT_RECOVER_FRESH)
        for (int p = 0; p < PARTS; p++)
            side_know(w, p, 0, 0);
    check(w, verdict != LEAT_RECOVER_MARK, "the marker is always there");
    if (verdict != LEAT_RECOVER_DROP)
        return true;
    w->dropped++;
    if (leat_job_log_drop_last(w->log, &w->err) == LEAT_OK)
        return true;
    die(w);
    return false;
}

static bool restore(struct world *w)
{
    uint64_t n = leat_job_log_last(w->log)->n;
    int64_t next[PARTS] = {0};

    if (leat_state_log_file_open(&w->fs.fs, w->dir, w->log, QS, &lines, &w->state, &w->err) !=
        LEAT_OK) {
        die(w);
        return false;
    }
    for (uint32_t q = 0; n && q < QS; q++)
        if (w->state->backend->read(w->state, q, n, read_state, w, &w->err) != LEAT_OK) {
            check(w, w->err.status != LEAT_E_CORRUPT || w->fs.hit, "what was written can be read");
            die(w);
            return false;
        }
    for (int p = 0; p < PARTS; p++)
        (void)leat_job_log_position(w->log, LEAT_LIT("in"), leat_slice_str(parts_names[p]),
                                    &next[p]);
    check_state(w, next);
    for (int p = 0; p < PARTS; p++) {
        w->groups[0].to[p] = w->groups[1].to[p] = next[p];
        w->parts[p] = (struct leat_job_part){.next = next[p], .goal = ROWS};
    }
    return true;
}

static void plan_faults(struct world *w)
{
    fault_fs_init(&w->fs);
    if (w->calm || rnd(w, 4) == 0)
        return;
    w->fs.fail_at = 1 + (int)rnd(w, 120);
    w->fs.crash = rnd(w, 2);
    if (rnd(w, 6) == 0)
        w->fs.sync_bad = 1 + (int)rnd(w, 20);
    w->fs.full = rnd(w, 4) == 0;
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
    while (leat_job_log_open(&w->fs.fs, w->dir, "sim", (uint32_t)(w->lives + 1), &w->log,
                             &w->err) != LEAT_OK) {
        check(w, w->err.status != LEAT_E_CORRUPT, "the log can be read");
        if (!heals(w) || w->err.status != LEAT_E_FULL) {
            die(w);
            return;
        }
    }
    leat_job_log_set_segment_bytes(w->log, 700);
    if (!recover(w) || !restore(w) || !open_sink(w, leat_job_log_last(w->log)))
        return;
    w->job.committed = leat_job_log_last(w->log)->n;
    w->job.time_ms = leat_job_log_last(w->log)->batch_time_ms;
    for (uint32_t p = 0; p < PARTS && !w->dead; p++)
        step(w, (struct leat_event){.kind = LEAT_EV_PART, .part = p});
    step(w, (struct leat_event){.kind = LEAT_EV_START});
}

static void end(struct world *w)
{
    if (w->stopped && w->job.committed && rnd(w, 2))
        (void)!leat_job_log_confirm(w->log, w->job.committed, true, &w->err);
    if (w->sink_open)
        files()->close(w->sink);
    if (w->state)
        w->state->backend->close(w->state);
    leat_job_log_close(w->log);
    w->hits += w->fs.hit;
    w->crashes += !w->stopped;
    if ((w->fs.crash && w->fs.hit) || (!w->stopped && rnd(w, 2)))
        fault_fs_power_off(&w->fs); /* else only the process is gone */
    leat_arena_recycle(&w->arena, 65536);
}

static void live(struct world *w)
{
    begin(w);
    for (int i = 0; !w->dead && !w->stopped; i++) {
        check(w, i < 100000, "it comes to an end");
        if (!w->calm && rnd(w, 150) == 0) {
            die(w);
        } else if (w->pending_count == 0 || rnd(w, 6) == 0) {
            w->now_ms += 1 + (int64_t)rnd(w, 120);
            step(w, (struct leat_event){.kind = LEAT_EV_TICK});
        } else {
            int at = (int)rnd(w, (uint64_t)w->pending_count);
            struct leat_action a = w->pending[at];
            w->pending[at] = w->pending[--w->pending_count];
            carry_out(w, &a);
        }
    }
    end(w);
}

/* ---- what is there in the end */

struct reading {
    struct world *w;
    int seen[PARTS][ROWS];
};

static void read_file(struct reading *r, const char *path)
{
    FILE *f = fopen(path, "r");
    char line[32];
    int p;
    long row;

    check(r->w, f != NULL, "files can be read");
    while (fgets(line, sizeof line, f)) {
        check(r->w, sscanf(line, "%d %ld", &p, &row) == 2 && p >= 0 && p < PARTS && row < ROWS,
              "lines are whole");
        r->seen[p][row]++;
    }
    fclose(f);
}

static void check_end(struct world *w)
{
    struct reading r = {.w = w};
    DIR *d = opendir(w->out);
    char path[400];

    for (struct dirent *e; d && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        check(w, e->d_name[0] != '.', "no temporary file is left");
        snprintf(path, sizeof path, "%s/%s", w->out, e->d_name);
        read_file(&r, path);
    }
    if (d)
        closedir(d);
    for (int p = 0; p < PARTS; p++)
        for (int row = 0; row < ROWS; row++) {
            check(w, r.seen[p][row] == 1, "every number is in the files once");
            check(w, !w->job.decides || w->side.seen[p][row] == 1,
                  "every number is committed once");
        }
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
    check(w, w->stopped, "it gets to the end");
    check_end(w);
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
