/*
 * state_match.h - which of the state that a job has kept another version of its pipeline can go on
 * with. Reads log and snapshots, changes nothing; the job may be running.
 *
 * Thread: any.
 */
#ifndef LEAT_RUN_STATE_MATCH_H
#define LEAT_RUN_STATE_MATCH_H

#include "base/fs.h"
#include "base/log.h"
#include "plan/plan.h"

enum leat_match_verdict {
    LEAT_MATCH_KEPT,  /* the same name and shape */
    LEAT_MATCH_OTHER, /* of another shape: it cannot be read */
    LEAT_MATCH_GONE,  /* no operator has that name */
    LEAT_MATCH_FRESH, /* the operator begins with nothing */
};

struct leat_match {
    struct leat_slice name;
    enum leat_match_verdict verdict;
    uint64_t bytes;            /* of its state, about */
    struct leat_slice was, is; /* shapes in words; ptr NULL: nobody knows, or there is none */
};

struct leat_matches {
    uint64_t n;          /* the last group of the log; 0: there never was one */
    uint32_t partitions; /* of the stored state */
    struct leat_match *list;
    uint32_t count, dropped;
};

/* Everything is in arena. LEAT_E_LOST: there is no log in `dir`. */
LEAT_CHECKED enum leat_status leat_state_match(const struct leat_fs *fs, const char *dir,
                                               const struct leat_plan *plan,
                                               const struct leat_log *lines,
                                               struct leat_arena *arena, struct leat_matches *into,
                                               struct leat_error *err);

#endif
