/*
 * sim_world.h - what is around the job in sim_commit.c: its state, the sink of files, and a model
 * of the coordinator of transactions, which survives the job.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "fault_fs.h"
#include "leat.h"
#include "run/job_step.h"
#include "store/state_log.h"

#include <stdlib.h>
#include <string.h>

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

uint64_t sim_rnd(struct world *w, uint64_t below);
/* Ends the program with what is not so, and the seed. */
void sim_check(const struct world *w, bool ok, const char *what);

/* The process ends: by a failure, a kill, or because the power went. */
void sim_die(struct world *w);

/* Something failed. Full disks are waited for, as the threads of a job do; all else that does not
 * heal ends the process. True: try again. */
bool sim_heals(struct world *w);

/* State: how many numbers there were of each remainder. */
uint32_t sim_q_of(int64_t row);
struct leat_log_state sim_state_of(uint32_t q, const uint64_t *count);
enum leat_status sim_read_state(void *arg, uint64_t n, bool is_snapshot,
                                const struct leat_log_state *entry, struct leat_error *err);
void sim_check_state(struct world *w, const int64_t *next);

/* The sink of files. False: the process ends. */
const struct leat_sink *sim_files(void);
bool sim_open_sink(struct world *w, const struct leat_log_record *last);
bool sim_prepare(struct world *w, uint64_t n);

/* The coordinator. */
extern const char *const sim_parts_names[PARTS];
void sim_side_abort(struct world *w);
void sim_side_know(struct world *w, int p, int64_t next, uint64_t n);
void sim_side_begin(struct world *w, uint64_t n);
void sim_side_commit(struct world *w, uint64_t n);

/* Every number is there once, and nothing else. */
void sim_check_end(struct world *w);

#endif
