#include "run/recover.h"

#include <inttypes.h>

static const struct leat_decided *find(const struct leat_recovery *r, struct leat_slice partition)
{
    for (uint32_t i = 0; i < r->known_count; i++)
        if (leat_slice_eq(r->known[i].partition, partition))
            return &r->known[i];
    return NULL;
}

static const char *whose(const struct leat_decided *d)
{
    return d->by == LEAT_DECIDED_AT_LEAST_ONCE ? "an at_least_once run"
           : d->by == LEAT_DECIDED_FOREIGN     ? "somebody else"
                                               : "this job";
}

#define WAYS_OUT                                                                                   \
    "; or `leat run --accept-offsets` goes on from the broker's positions, with empty state"

/* ---- an empty log */

/* Positions of other tools and of at-least-once runs are taken over. Those of a life of this job
 * that the log knows nothing of mean that its log, and its state, are gone. Number 0 is a marker
 * that was set before the first batch; where it is of this log's life, others were accepted. */
static enum leat_status decide_empty(const struct leat_recovery *r,
                                     enum leat_recover_verdict *verdict, struct leat_error *err)
{
    *verdict = LEAT_RECOVER_FRESH;
    for (uint32_t i = 0; i < r->known_count; i++)
        if (r->known[i].by == LEAT_DECIDED_OURS && r->known[i].epoch == r->epoch)
            return LEAT_OK;
    for (uint32_t i = 0; i < r->known_count; i++) {
        const struct leat_decided *d = &r->known[i];
        if (d->by == LEAT_DECIDED_OURS && d->n > 0)
            return leat_fail(err, LEAT_E_LOST,
                             "the log and state in '%s' are gone: they are empty, but partition "
                             "'%.*s' was committed up to %" PRId64 " with batch %" PRIu64
                             ". Put that directory back" WAYS_OUT,
                             r->dir, LEAT_FMT(d->partition), d->next, d->n);
    }
    return LEAT_OK;
}

/* ---- the marker against record N */

static enum leat_status refuse_marker(const struct leat_recovery *r, const struct leat_decided *m,
                                      const char *means, struct leat_error *err)
{
    return leat_fail(err, LEAT_E_LOST,
                     "the log in '%s' ends with batch %" PRIu64
                     ", the broker's marker ('%.*s') is of "
                     "batch %" PRIu64 ": %s. Put the directory back that belongs to it" WAYS_OUT,
                     r->dir, r->n, LEAT_FMT(m->partition), m->n, means);
}

static enum leat_status decide_by_marker(const struct leat_recovery *r,
                                         enum leat_recover_verdict *verdict, struct leat_error *err)
{
    const struct leat_decided *m = find(r, r->marker);

    if (!m && r->confirmed == r->n) {
        *verdict = LEAT_RECOVER_MARK;
        return LEAT_OK;
    }
    if (!m)
        return leat_fail(err, LEAT_E_LOST,
                         "nobody can tell whether batch %" PRIu64
                         " was committed: it is the last of the log in '%s', and the broker has "
                         "forgotten the marker of partition '%.*s'. Put a later copy of the "
                         "directory back, if there is one" WAYS_OUT,
                         r->n, r->dir, LEAT_FMT(r->marker));
    if (m->by != LEAT_DECIDED_OURS)
        return leat_fail(err, LEAT_E_LOST,
                         "the position of '%.*s', %" PRId64 ", was set by %s, not by this job, "
                         "whose log in '%s' ends with batch %" PRIu64
                         ". Set it back in the consumer group" WAYS_OUT,
                         LEAT_FMT(m->partition), m->next, whose(m), r->dir, r->n);
    if (m->epoch != r->epoch || m->slot != r->slot)
        return leat_fail(err, LEAT_E_LOST,
                         "the log in '%s' (life %08" PRIx32 ", batch %" PRIu64
                         ") and the broker's positions (life %08" PRIx32 ", batch %" PRIu64
                         ") are of different lives of the job. Put the directory back that "
                         "belongs to them" WAYS_OUT,
                         r->dir, r->epoch, r->n, m->epoch, m->n);
    if (m->n > r->n)
        return refuse_marker(r, m, "the log is older, as from a backup", err);
    if (m->n + 1 < r->n)
        return refuse_marker(r, m, "the broker's positions are older, as from a backup", err);
    if (m->n < r->confirmed)
        return refuse_marker(r, m, "the broker has lost a batch that was committed", err);
    *verdict = m->n == r->n ? LEAT_RECOVER_GO_ON : LEAT_RECOVER_DROP;
    return LEAT_OK;
}

/* ---- the other partitions */

/* Moved by hand: the metadata is not ours, and the position is another than the log's. */
static enum leat_status check_positions(const struct leat_recovery *r, bool dropped,
                                        struct leat_error *err)
{
    for (uint32_t i = 0; i < r->known_count; i++) {
        const struct leat_decided *d = &r->known[i];
        int64_t with, without;
        if (!r->position(r->arg, d->partition, &with, &without))
            continue;
        int64_t expected = dropped ? without : with;
        bool behind = d->by == LEAT_DECIDED_AT_LEAST_ONCE && d->n <= r->n;
        if (d->next == expected || (behind && d->next < expected))
            continue;
        if (d->by == LEAT_DECIDED_AT_LEAST_ONCE && d->n > r->n)
            return leat_fail(err, LEAT_E_LOST,
                             "the log in '%s' is older than the broker's positions: it ends with "
                             "batch %" PRIu64 " and has partition '%.*s' at %" PRId64
                             ", where the broker has batch %" PRIu64 " and %" PRId64
                             ". Put the directory back that belongs to it" WAYS_OUT,
                             r->dir, r->n, LEAT_FMT(d->partition), expected, d->n, d->next);
        return leat_fail(err, LEAT_E_LOST,
                         "partition '%.*s' stands at %" PRId64 " at the broker, set by %s, and at "
                         "%" PRId64 " in the log in '%s'. Set it back to %" PRId64
                         " in the consumer group" WAYS_OUT,
                         LEAT_FMT(d->partition), d->next, whose(d), expected, r->dir, expected);
    }
    return LEAT_OK;
}

enum leat_status leat_recover_decide(const struct leat_recovery *r,
                                     enum leat_recover_verdict *verdict, struct leat_error *err)
{
    if (r->n == 0)
        return decide_empty(r, verdict, err);
    if (r->marker.len == 0)
        *verdict = LEAT_RECOVER_MARK;
    else if (decide_by_marker(r, verdict, err) != LEAT_OK)
        return err->status;
    return check_positions(r, *verdict == LEAT_RECOVER_DROP, err);
}

enum leat_status leat_recover_alone(const struct leat_recovery *r, struct leat_error *err)
{
    if (r->n == 0 || r->marker.len == 0 || r->confirmed == r->n)
        return LEAT_OK;
    return leat_fail(err, LEAT_E_LOST,
                     "batch %" PRIu64
                     " in the log in '%s' was begun with a transaction, and nobody here can tell "
                     "whether it was committed. Run the pipeline as it was once more and stop it; "
                     "or remove log and state with `leat state reset`",
                     r->n, r->dir);
}
