/*
 * watermark.h - how far time has come in each source, and so in each stage.
 *
 * Of a source partition it is the greatest event time seen there less the lateness; of a source the
 * least of its active partitions; of a stage the least of the sources that flow into it. A
 * partition that was read to its end and has been silent for `idle` is not active. When none is, or
 * when a bounded run has come to its end, the source is *closed*: its watermark goes to the end of
 * the last window that one of its records belongs to. A source without `time:` has a perfect
 * watermark, the batch's time. Watermarks only grow, and only between batches.
 *
 * Pure: reads no clock. Thread: job.
 */
#ifndef LEAT_RUN_WATERMARK_H
#define LEAT_RUN_WATERMARK_H

#include "base/arena.h"
#include "data/chunk.h"

struct leat_watermark_part {
    int64_t max_ms;  /* greatest event time; LEAT_NO_TIME: none yet */
    int64_t last_ms; /* by the clock: when its last record came, or it was first seen */
    bool at_end;     /* nothing was behind what was read */
    bool finished;   /* and nothing ever will be: it holds nobody back */
};

struct leat_watermark {
    bool event_time;
    int64_t lateness_ms, idle_ms; /* idle 0: partitions are never idle */

    struct leat_watermark_part *parts;
    uint32_t parts_count, parts_room;
    uint32_t *open; /* numbers of those that are not finished; there may be many that are */
    uint32_t open_count;
    int64_t max_ms;    /* of all partitions */
    int64_t last_ms;   /* of all partitions */
    int64_t before_ms; /* W(N-1) */
    int64_t now_ms;    /* W(N); LEAT_NO_TIME: not known yet */
};

/* The end of the last window that a record of this time belongs to; LEAT_NO_TIME: no windows. */
typedef int64_t leat_close_time(const void *arg, uint32_t source, int64_t time_ms);

/* Partition `part` exists from clock_ms on. False: out of memory. */
LEAT_CHECKED bool leat_watermark_part(struct leat_watermark *w, struct leat_arena *arena,
                                      uint32_t part, int64_t clock_ms);

/* Batch N had records of `part`, up to this event time (LEAT_NO_TIME: none has one). */
void leat_watermark_seen(struct leat_watermark *w, uint32_t part, int64_t time_max_ms,
                         int64_t clock_ms);

/* What was read last of `part` was its end, or was not; nothing will ever be behind it. */
void leat_watermark_at_end(struct leat_watermark *w, uint32_t part, bool at_end, bool finished);

/* What W would be after a batch of this time with what is known now. `close`: a bounded run ends
 * here, all partitions count as idle. */
int64_t leat_watermark_at(const struct leat_watermark *w, uint32_t source, int64_t batch_time_ms,
                          int64_t clock_ms, bool close, leat_close_time *close_time,
                          const void *arg);

/* Has every partition been silent for `idle`? Such a source holds back no other that is joined with
 * it. */
bool leat_watermark_is_idle(const struct leat_watermark *w, int64_t clock_ms);

/* The barrier of a batch: before_ms becomes W(N-1), now_ms the given W(N), if that is more. */
void leat_watermark_move(struct leat_watermark *w, int64_t to_ms);

/* Least over the sources in the bit set. */
int64_t leat_watermarks_before(const struct leat_watermark *list, uint32_t count, uint64_t sources);
int64_t leat_watermarks_now(const struct leat_watermark *list, uint32_t count, uint64_t sources);

#endif
