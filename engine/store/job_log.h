/*
 * job_log.h - what a job remembers across restarts: one record per committed batch, in one file.
 *
 * A record says where the source partitions stand that moved, how far time has come, and what each
 * sink wants to read at recovery. It is appended and synced before the batch counts as committed. A
 * record that was not written to its end is cut off at the next open; one that is damaged in the
 * middle is LEAT_E_CORRUPT. The file is written anew, with the same content in one record, when it
 * has grown large.
 *
 *     file: "leatlog1", then records: u32 length | u32 CRC32C | payload
 *     payload: u32 epoch | u32 slot | u64 n | i64 batch time | i64 clock
 *            | u32 watermarks: source, i64 | u32 positions: source, partition, i64
 *            | u32 sections: sink, bytes        (texts and bytes: u32 length, bytes; little endian)
 *
 * Thread: one at a time: the job's while it starts, then the log's.
 */
#ifndef LEAT_STORE_JOB_LOG_H
#define LEAT_STORE_JOB_LOG_H

#include "base/bytes.h"
#include "base/fs.h"

struct leat_log_watermark {
    struct leat_slice source;
    int64_t ms;
};

struct leat_log_position {
    struct leat_slice source, partition;
    int64_t next;
};

struct leat_log_section {
    struct leat_slice sink, bytes;
};

struct leat_log_record {
    uint32_t epoch, slot;
    uint64_t n;
    int64_t batch_time_ms, clock_ms;
    struct leat_log_watermark *watermarks;
    struct leat_log_position *positions; /* of those that moved */
    struct leat_log_section *sections;
    uint32_t watermarks_count, positions_count, sections_count;
};

/* Payload of a record. False: out of memory. */
LEAT_CHECKED bool leat_log_record_write(const struct leat_log_record *r, struct leat_bytes *into);

/* What a payload says; texts are borrowed from it, lists are in the arena. LEAT_E_CORRUPT: these
 * are no record's bytes. */
LEAT_CHECKED enum leat_status leat_log_record_read(struct leat_slice bytes,
                                                   struct leat_log_record *r,
                                                   struct leat_arena *arena,
                                                   struct leat_error *err);

struct leat_job_log;

/* `dir` is made if need be. Transient: LEAT_E_FULL (disk). LEAT_E_CORRUPT says where. */
LEAT_CHECKED enum leat_status leat_job_log_open(const struct leat_fs *fs, const char *dir,
                                                struct leat_job_log **log, struct leat_error *err);
void leat_job_log_close(struct leat_job_log *log); /* NULL is fine */

/* The last record; n is 0 when there never was a batch. Borrowed until the next append. */
const struct leat_log_record *leat_job_log_last(const struct leat_job_log *log);

/* Where the partition stands after all records. False: it is not in the log. */
bool leat_job_log_position(const struct leat_job_log *log, struct leat_slice source,
                           struct leat_slice partition, int64_t *next);

/* Append and sync. LEAT_E_FULL: nothing was written, try later. LEAT_E_BROKEN: nobody knows what is
 * on disk; only open again. */
LEAT_CHECKED enum leat_status leat_job_log_append(struct leat_job_log *log,
                                                  const struct leat_log_record *r,
                                                  struct leat_error *err);

#endif
