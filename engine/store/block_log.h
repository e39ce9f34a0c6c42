/*
 * block_log.h - the block store of one push source: what was received and is not committed yet.
 *
 * Sealed blocks are appended to segment files, several at once with one sync, and read again in
 * order by partition and position. A segment goes when all that is in it is done, which is when it
 * is in committed batches. After a crash what was appended is there; a group that was being written
 * is cut off, nobody was told of it. Damage anywhere else is refused with its place.
 *
 *     DIR/<number of the first frame>.leatblk     frames of log_segment.h, fronts of block_front.h
 *
 * Every segment begins with a frame without blocks that has the places of all partitions, so older
 * ones can go. `quota` bounds what lies on the disk: a segment is at most a 16th of it, and one
 * group more than the quota is taken only when there is nothing else. The last 32nd of the disk, at
 * most 64 MiB, is left to the log of the job, without which nothing would become done. When all is
 * done and there is no room for another file, the newest is emptied: the job's log must have synced
 * what leat_block_log_done() is told.
 *
 * Thread: one at a time.
 */
#ifndef LEAT_STORE_BLOCK_LOG_H
#define LEAT_STORE_BLOCK_LOG_H

#include "data/block.h"
#include "data/source.h"
#include "store/block_front.h"

struct leat_block_log;

/* Where a partition stands. */
struct leat_block_part {
    bool known;
    int64_t oldest;  /* the first row that is still there; `next`: none is */
    int64_t done;    /* rows below are in committed batches, as far as the store was told */
    int64_t next;    /* the number of the next row */
    uint64_t unread; /* bytes of blocks that were not read since they came, about */
};

/* Opens what is in `dir`, or makes it. LEAT_E_CORRUPT: damaged, with the place. fs and env->log
 * outlive it. */
LEAT_CHECKED enum leat_status leat_block_log_open(const struct leat_fs *fs, const char *dir,
                                                  int64_t quota, struct leat_block_log **log,
                                                  struct leat_error *err);
void leat_block_log_close(struct leat_block_log *log);

/* Bytes that a crash had left of a group that was never acknowledged, and were cut off. */
int64_t leat_block_log_torn(const struct leat_block_log *log);

/* Rows [from, to) of `part` that should be in a segment which is not there, the last such range.
 * The store may not have been told that they are done: who knows better compares. False: none. */
bool leat_block_log_gap(const struct leat_block_log *log, uint32_t part, int64_t *from,
                        int64_t *to);

struct leat_block_part leat_block_log_part(const struct leat_block_log *log, uint32_t part);
int64_t leat_block_log_bytes(const struct leat_block_log *log); /* of all files */

/* The next row of `part` is to have this number at least. */
void leat_block_log_skip(struct leat_block_log *log, uint32_t part, int64_t next);

/* Write the blocks (at most LEAT_BLOCK_GROUP, sealed, framed, of parts below LEAT_BLOCK_PARTS, each
 * from its part's `next` on) and sync. LEAT_E_FULL: no room on the disk or below the quota, and
 * nothing was written. LEAT_E_BROKEN: it is over. */
LEAT_CHECKED enum leat_status leat_block_log_append(struct leat_block_log *log,
                                                    struct leat_block *const *blocks,
                                                    uint32_t count, struct leat_error *err);

/* What there is of fetch->part from fetch->from on, as one block of about max_bytes; NULL with
 * LEAT_OK: nothing yet. LEAT_E_LOST: that is gone, and `earliest` was not asked for; LEAT_E_FULL:
 * the budget has no room. at_end is set when all was read. */
LEAT_CHECKED enum leat_status
leat_block_log_read(struct leat_block_log *log, const struct leat_fetch *fetch,
                    struct leat_budget *budget, struct leat_block **block, struct leat_error *err);

/* Rows of `part` below `upto` are in committed batches. It is written down with what comes next. */
void leat_block_log_done(struct leat_block_log *log, uint32_t part, int64_t upto);

/* Remove segments in which all is done. A failure does no harm: they are tried again. */
LEAT_CHECKED enum leat_status leat_block_log_trim(struct leat_block_log *log,
                                                  struct leat_error *err);

/* Before close: when all is done, a new and empty segment takes the place of the last. */
LEAT_CHECKED enum leat_status leat_block_log_settle(struct leat_block_log *log,
                                                    struct leat_error *err);

#endif
