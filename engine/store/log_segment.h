/*
 * log_segment.h - one file of the job log: frames, one behind the other.
 *
 *     file:  "leatlog2", a base frame, then record and confirm frames
 *     frame: head | payload | end mark (one byte that is not zero)
 *     head:  u32 tag | u32 bytes of the front | u64 bytes of the payload | u64 n
 *          | u32 CRC32C of the front | u32 CRC32C of the head so far        (little endian)
 *     payload: what log_record.c writes: the front, then the entries of each state partition with
 *          their own CRC32C in the front
 *
 * Only the last frame may be torn: each is synced before the next is written. Torn is what ends
 * with the file, or holds a disk sector of zeros, or zero in place of its end mark. A flipped bit
 * is none of these, so it is damage and not taken for a write that power cut short.
 *
 * The block store has files of the same frames, with another magic; their payload is what
 * block_front.h says, and frames of one kind of file are damage in the other.
 *
 * Inside engine/store only. Thread: as job_log.h says of its caller.
 */
#ifndef LEAT_STORE_LOG_SEGMENT_H
#define LEAT_STORE_LOG_SEGMENT_H

#include "store/log_record.h"

#define LEAT_LOG_MAGIC       "leatlog2"
#define LEAT_LOG_MAGIC_BYTES ((size_t)8)
#define LEAT_BLOCK_MAGIC     "leatblk1" /* of the block store: as long */
#define LEAT_LOG_HEAD_BYTES  32

enum leat_log_frame_kind {
    LEAT_LOG_END,  /* nothing is behind what was read */
    LEAT_LOG_TORN, /* a frame that was not written to its end */
    LEAT_LOG_BASE,
    LEAT_LOG_RECORD,
    LEAT_LOG_CONFIRM,
    LEAT_LOG_BLOCKS, /* in files of the block store, and nothing else is there */
};

struct leat_log_frame {
    enum leat_log_frame_kind kind;
    uint64_t n;
    int64_t at, end;           /* in the file */
    struct leat_slice payload; /* base, record, blocks: valid until the next call */
    size_t front_bytes;
    struct leat_log_front front; /* base, record */
};

/* What of the payload is read and checked. */
enum leat_log_want {
    LEAT_LOG_WANT_ALL,
    LEAT_LOG_WANT_FRONT, /* payload is the front alone */
};

struct leat_log_scan {
    const struct leat_fs *fs;
    const char *path; /* borrowed */
    bool of_blocks;   /* a file of the block store; `bytes` may grow */
    int64_t bytes;    /* of the file */
    int64_t at;       /* of the next frame */
    char *buffer;
    int64_t buffer_at;
    size_t buffer_len;
    struct leat_arena arena; /* the buffer */
    struct leat_arena work;  /* of one frame */
};

/* LEAT_E_CORRUPT: the file is no segment, or not whole up to its first frame. After a failure too,
 * end is called. */
LEAT_CHECKED enum leat_status leat_log_scan_begin(struct leat_log_scan *scan,
                                                  const struct leat_fs *fs, const char *path,
                                                  struct leat_error *err);

/* The same for a file of the block store. */
LEAT_CHECKED enum leat_status leat_log_scan_begin_blocks(struct leat_log_scan *scan,
                                                         const struct leat_fs *fs, const char *path,
                                                         struct leat_error *err);

/* The next frame; END and TORN are answers, damage is LEAT_E_CORRUPT. */
LEAT_CHECKED enum leat_status leat_log_scan_next(struct leat_log_scan *scan,
                                                 enum leat_log_want want,
                                                 struct leat_log_frame *frame,
                                                 struct leat_error *err);

/* `len` bytes of the file that are known to be there; valid until the next call. */
LEAT_CHECKED enum leat_status leat_log_scan_bytes(struct leat_log_scan *scan, int64_t at,
                                                  size_t len, struct leat_slice *bytes,
                                                  struct leat_error *err);

/* The entries of a run of the frame that next gave; valid until the next call. */
LEAT_CHECKED enum leat_status leat_log_scan_run(struct leat_log_scan *scan,
                                                const struct leat_log_frame *frame,
                                                const struct leat_log_run *run,
                                                struct leat_slice *bytes, struct leat_error *err);
void leat_log_scan_end(struct leat_log_scan *scan);

/* Append a frame. r NULL: a confirm frame, without a front. *front is borrowed from `into`, until
 * something else is appended. False: out of memory. */
LEAT_CHECKED bool leat_log_frame_write(enum leat_log_frame_kind kind, uint64_t n,
                                       const struct leat_log_record *r, struct leat_bytes *into,
                                       struct leat_slice *front);

/* Head of a frame of blocks with this front and so many bytes behind it; the end mark follows. */
void leat_log_head_write(struct leat_slice front, uint64_t behind, uint64_t n, char *into);
#define LEAT_LOG_END_MARK "\xa5"

#endif
