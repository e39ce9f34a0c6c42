/*
 * block_log_in.h - the inside of a block store, shared by block_log.c (writes) and
 * block_log_read.c.
 */
#ifndef LEAT_STORE_BLOCK_LOG_IN_H
#define LEAT_STORE_BLOCK_LOG_IN_H

#include "store/block_log.h"
#include "store/log_segment.h"

#define BLOCK_PATH_BYTES 4096

/* Where reading a partition goes on. */
struct block_cursor {
    uint64_t segment; /* its first frame */
    int64_t at;       /* the frame */
    uint32_t entry;   /* the block in it */
    int64_t position; /* that it begins with, or less */
};

struct block_segment {
    uint64_t first;
    int64_t bytes;      /* that are synced */
    int64_t head_bytes; /* up to the end of the first frame */
    int64_t upto[LEAT_BLOCK_PARTS];
    bool has_blocks;
};

struct leat_block_log {
    const struct leat_fs *fs;
    char dir[BLOCK_PATH_BYTES], path[BLOCK_PATH_BYTES]; /* path: of the newest segment */
    int64_t quota, segment_bytes, torn;
    uint64_t n; /* of the last frame */
    int fd;     /* of the newest segment; -1 */
    bool broken;
    struct block_segment *segments; /* oldest first */
    size_t count, room;
    struct leat_block_part parts[LEAT_BLOCK_PARTS];
    bool moved[LEAT_BLOCK_PARTS]; /* its place is not written down */
    int64_t gap_from[LEAT_BLOCK_PARTS], gap_to[LEAT_BLOCK_PARTS];
    struct block_cursor cursors[LEAT_BLOCK_PARTS];
    struct leat_log_scan scan; /* of segment `scanned`; 0: of none */
    uint64_t scanned;
    char scan_path[BLOCK_PATH_BYTES];
    char front[LEAT_LOG_HEAD_BYTES + LEAT_BLOCK_FRONT_MAX];
};

LEAT_CHECKED enum leat_status block_path(const struct leat_block_log *log, uint64_t first,
                                         char *path, struct leat_error *err);
LEAT_CHECKED bool block_add_segment(struct leat_block_log *log, uint64_t first, int64_t bytes);
/* Reads what there is, cuts what is torn. */
LEAT_CHECKED enum leat_status block_take_in(struct leat_block_log *log, struct leat_error *err);
/* Where reading stopped, and what was read ahead, is not so any more. */
void block_forget_read(struct leat_block_log *log);
/* Places and blocks of the segment become known. */
void block_note(struct leat_block_log *log, struct block_segment *s,
                const struct leat_block_front *f);

#endif
