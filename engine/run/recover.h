/*
 * recover.h - what a job does at its start, decided from its log and from what the decider's side
 * knows.
 *
 * The log has record N; whether N was committed only the other side can tell, by the metadata of
 * the marker partition. Either both fit together, or going on would lose or double something: then
 * it is refused, and the text says what was found on both sides, what follows from it, and what can
 * be done. Pure; allocates nothing. Thread: any.
 */
#ifndef LEAT_RUN_RECOVER_H
#define LEAT_RUN_RECOVER_H

#include "data/decider.h"

enum leat_recover_verdict {
    LEAT_RECOVER_FRESH, /* nothing was ever committed: positions are the other side's, if any */
    LEAT_RECOVER_GO_ON, /* N is committed */
    LEAT_RECOVER_DROP,  /* N is not: the record goes, N-1 is the last */
    LEAT_RECOVER_MARK,  /* N is, but the other side has no marker of ours: it gets one */
};

struct leat_recovery {
    const char *dir; /* of the log, for messages */

    /* The last record; n 0: there never was one. */
    uint64_t n, confirmed;
    uint32_t epoch, slot;
    struct leat_slice marker; /* empty: N was written without a decider, so N is committed */

    /* Where the log has a partition of a decided source, with record N and without it. False: it
     * does not know it. */
    bool (*position)(const void *arg, struct leat_slice partition, int64_t *with, int64_t *without);
    const void *arg;

    const struct leat_decided *known; /* all that the other side has for the job */
    uint32_t known_count;
};

/* LEAT_E_LOST: refused. */
LEAT_CHECKED enum leat_status leat_recover_decide(const struct leat_recovery *r,
                                                  enum leat_recover_verdict *verdict,
                                                  struct leat_error *err);

/* The same for a job without a decider: its last record counts, unless one with a decider was begun
 * and may not have ended. */
LEAT_CHECKED enum leat_status leat_recover_alone(const struct leat_recovery *r,
                                                 struct leat_error *err);

#endif
