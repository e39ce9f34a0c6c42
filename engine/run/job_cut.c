#include "run/job_cut.h"

#include <assert.h>
#include <math.h>

/* A batch takes half of a partition's credits, so that the next one can fill meanwhile. */
#define BATCH_BLOCKS (LEAT_JOB_BLOCKS / 2)

void leat_job_keep(struct leat_job *job, struct leat_job_part *p, const struct leat_event *ev)
{
    assert(p->count < LEAT_JOB_BLOCKS);
    p->blocks[(p->first + p->count++) % LEAT_JOB_BLOCKS] = (struct leat_job_block){
        .to = ev->to, .time_min_ms = ev->time_min_ms, .bytes = ev->bytes, .records = ev->records};
    job->pending_blocks++;
    job->pending_records += ev->records;
    job->pending_bytes += ev->bytes;
}

static void take_one(struct leat_job *job, struct leat_job_part *p, uint64_t n)
{
    struct leat_job_block *b = &p->blocks[p->first];

    job->pending_blocks--;
    job->pending_records -= b->records;
    job->pending_bytes -= b->bytes;
    if (job->rate > 0 && !leat_job_at_ticks(job, p))
        job->left -= b->records;
    p->cut = b->to;
    p->first = (p->first + 1) % LEAT_JOB_BLOCKS;
    p->count--;
    p->take++;
    p->held[n % 2]++;
}

static void take_all(struct leat_job *job, uint64_t n, bool by_tick)
{
    for (uint32_t i = 0; i < job->active_count; i++) {
        struct leat_job_part *p = &job->parts[job->active[i]];
        while (p->count && (p->by_tick || !by_tick))
            take_one(job, p, n);
    }
}

static bool is_earlier(const struct leat_job_block *a, const struct leat_job_block *b)
{
    return a->time_min_ms != INT64_MIN && a->time_min_ms < b->time_min_ms;
}

static struct leat_job_part *whose_turn(const struct leat_job *job, bool by_tick)
{
    for (uint32_t i = 0; i < job->active_count; i++) {
        uint32_t at = (uint32_t)(((uint64_t)job->turn + i) % job->active_count);
        struct leat_job_part *p = &job->parts[job->active[at]];
        if (p->count && (p->by_tick || !by_tick))
            return p;
    }
    return NULL;
}

/* The part whose turn it is, or the one whose oldest block is known to begin earlier: so none is
 * left out for ever where there is always more than a batch takes, for want of times or for equal
 * ones. */
static struct leat_job_part *earliest(const struct leat_job *job, bool by_tick)
{
    struct leat_job_part *best = whose_turn(job, by_tick);

    for (uint32_t i = 0; best && i < job->active_count; i++) {
        struct leat_job_part *p = &job->parts[job->active[i]];
        if (p->count && (p->by_tick || !by_tick) &&
            is_earlier(&p->blocks[p->first], &best->blocks[best->first]))
            best = p;
    }
    return best;
}

static bool within_limits(const struct leat_job *job, uint64_t records, uint64_t bytes)
{
    return (!job->max_records || records <= job->max_records) && bytes <= job->max_bytes;
}

static bool within_rate(const struct leat_job *job, uint64_t records)
{
    return job->rate <= 0 || !records || (double)records <= job->left;
}

/* What the rate leaves. A block that is more than all of an interval goes as the only one that
 * counts, when nothing is owed. */
static bool is_too_fast(const struct leat_job *job, const struct leat_job_block *b, bool first)
{
    return !within_rate(job, b->records) && (!first || job->left <= 0 || b->records <= job->quota);
}

/* What was asked for at the tick is of its batch, whatever the limits say, and no rate counts it:
 * the others have theirs beside it. */
static void take_some(struct leat_job *job, uint64_t n, bool by_tick)
{
    uint64_t records = 0, bytes = 0;
    bool first = true;

    for (uint32_t i = 0; i < job->active_count && !by_tick; i++) {
        struct leat_job_part *p = &job->parts[job->active[i]];
        if (!p->count || !leat_job_at_ticks(job, p))
            continue;
        records += p->blocks[p->first].records;
        bytes += p->blocks[p->first].bytes;
        take_one(job, p, n);
    }
    for (struct leat_job_part *p; (p = earliest(job, by_tick));) {
        const struct leat_job_block *b = &p->blocks[p->first];
        if ((bytes && !within_limits(job, records + b->records, bytes + b->bytes)) ||
            is_too_fast(job, b, first))
            return;
        job->turn = whose_turn(job, by_tick)->active_at + 1;
        first = false;
        records += b->records;
        bytes += b->bytes;
        take_one(job, p, n);
    }
}

void leat_job_take(struct leat_job *job, uint64_t n, bool by_tick)
{
    for (uint32_t i = 0; i < job->active_count; i++) {
        job->parts[job->active[i]].take = 0;
        job->parts[job->active[i]].moved = false; /* its position goes with this batch */
    }
    if (!leat_job_has_more(job))
        take_all(job, n, by_tick);
    else
        take_some(job, n, by_tick);
}

/* What was left is lost, but for a part of a record; what was taken too much is not. */
void leat_job_refill(struct leat_job *job, int64_t ticks)
{
    double kept = job->left > 0 ? fmod(job->left, 1) : job->left;

    job->quota = job->rate * (double)job->every_ms / 1000;
    if (kept < 0)
        kept += (double)(ticks - 1) * job->quota;
    job->left = job->quota + (kept < 1 ? kept : 0);
}

bool leat_job_may_take(const struct leat_job *job)
{
    const struct leat_job_part *p =
        job->rate > 0 && job->pending_blocks ? earliest(job, false) : NULL;

    return p ? !is_too_fast(job, &p->blocks[p->first], true) : job->pending_blocks > 0;
}

bool leat_job_has_more(const struct leat_job *job)
{
    return !within_limits(job, job->pending_records, job->pending_bytes) ||
           !within_rate(job, job->pending_records);
}

bool leat_job_reads_chosen(const struct leat_job *job)
{
    if (job->pending_blocks && ((job->max_records && job->pending_records >= job->max_records) ||
                                job->pending_bytes >= job->max_bytes))
        return false;
    for (uint32_t i = 0; i < job->active_count; i++) {
        const struct leat_job_part *p = &job->parts[job->active[i]];
        if (p->by_tick && p->fetching)
            return true;
    }
    return false;
}

bool leat_job_has_chosen(const struct leat_job *job)
{
    for (uint32_t i = 0; i < job->active_count; i++) {
        const struct leat_job_part *p = &job->parts[job->active[i]];
        if (p->by_tick && p->count)
            return true;
    }
    return false;
}

bool leat_job_is_full(const struct leat_job *job)
{
    if (job->pending_blocks == 0)
        return false;
    if ((job->max_records && job->pending_records >= job->max_records) ||
        job->pending_bytes >= job->max_bytes)
        return leat_job_may_take(job);
    bool filled = false;
    for (uint32_t i = 0; i < job->active_count; i++) {
        const struct leat_job_part *p = &job->parts[job->active[i]];
        if (p->starved)
            return leat_job_may_take(job);
        if (p->count >= BATCH_BLOCKS || p->credits == 0)
            filled = true;
        else if (!p->at_end && !leat_job_part_is_read(job, p) && (p->begun || !p->in_turn))
            return false; /* more is on its way */
    }
    return filled && leat_job_may_take(job);
}

bool leat_job_at_ticks(const struct leat_job *job, const struct leat_job_part *p)
{
    return p->single && job->on_empty && job->mode == LEAT_JOB_INTERVAL;
}

bool leat_job_waits_for_answer(const struct leat_job *job)
{
    for (uint32_t i = 0; i < job->active_count; i++) {
        const struct leat_job_part *p = &job->parts[job->active[i]];
        if (p->fetching && leat_job_at_ticks(job, p))
            return true;
    }
    return false;
}

bool leat_job_has_turn(struct leat_job *job, struct leat_job_part *p)
{
    if (!p->in_turn || p->begun)
        return true;
    if (job->turns >= LEAT_JOB_TURNS)
        return false;
    job->turns++;
    p->begun = true;
    return true;
}

uint32_t leat_job_end_turn(struct leat_job *job, struct leat_job_part *p)
{
    if (!p->begun)
        return UINT32_MAX;
    p->begun = false;
    p->in_turn = !p->finished; /* then it waits again, and ticks ask for it */
    job->turns--;
    for (; job->next_turn < job->parts_count; job->next_turn++) {
        const struct leat_job_part *next = &job->parts[job->next_turn];
        if (next->in_turn && !next->begun && next->retry_ms == LEAT_JOB_NEVER)
            return job->next_turn;
    }
    return UINT32_MAX;
}

bool leat_job_part_is_read(const struct leat_job *job, const struct leat_job_part *p)
{
    if (p->finished)
        return true;
    if (job->mode == LEAT_JOB_INTERVAL || p->is_push || p->comes || p->lost)
        return false;
    return (p->at_end && !p->goal_comes) || (p->goal >= 0 && p->next >= p->goal);
}

bool leat_job_is_read(const struct leat_job *job)
{
    for (uint32_t i = 0; i < job->active_count; i++)
        if (!leat_job_part_is_read(job, &job->parts[job->active[i]]))
            return false;
    return true;
}

void leat_job_forget(struct leat_job *job, uint32_t part)
{
    struct leat_job_part *p = &job->parts[part];

    if (!p->finished || p->count || p->held[0] || p->held[1] || p->moved ||
        p->active_at == UINT32_MAX)
        return;
    uint32_t last = job->active[--job->active_count];
    job->active[p->active_at] = last;
    job->parts[last].active_at = p->active_at;
    p->active_at = UINT32_MAX;
}

int64_t leat_job_wake_ms(const struct leat_job *job)
{
    int64_t wake_ms = job->until_ms;

    if (job->stopping)
        return job->stop_by_ms;
    wake_ms = job->tick_ms < wake_ms ? job->tick_ms : wake_ms;
    wake_ms = job->seal_ms < wake_ms ? job->seal_ms : wake_ms;
    for (uint32_t i = 0; i < job->active_count; i++) {
        int64_t retry_ms = job->parts[job->active[i]].retry_ms;
        wake_ms = retry_ms < wake_ms ? retry_ms : wake_ms;
    }
    return wake_ms;
}
