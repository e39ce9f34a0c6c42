/*
 * log_dir.h - the segments of a job log: which there are, and their records in order.
 *
 * Inside engine/store only. Thread: the log's owner; each() any, while the list stays.
 */
#ifndef LEAT_STORE_LOG_DIR_H
#define LEAT_STORE_LOG_DIR_H

#include "store/log_segment.h"

#define LEAT_LOG_PATH_BYTES 4096

struct leat_log_piece {
    uint64_t first;    /* number of its first record, if it has one yet */
    int64_t before_ms; /* the job's clock at the record before that */
    bool had_state;    /* that record was one of a job that keeps state */
    bool has_before;   /* both are known */
};

struct leat_log_dir {
    const struct leat_fs *fs;
    char path[LEAT_LOG_PATH_BYTES];
    struct leat_log_piece *list; /* oldest first */
    size_t count, room;
};

/* What is there; the list is made anew. */
LEAT_CHECKED enum leat_status leat_log_dir_list(struct leat_log_dir *d, struct leat_error *err);

LEAT_CHECKED bool leat_log_dir_add(struct leat_log_dir *d, uint64_t first); /* false: no memory */
uint64_t leat_log_dir_newest(const struct leat_log_dir *d);                 /* there is one */

/* Into LEAT_LOG_PATH_BYTES. */
LEAT_CHECKED enum leat_status leat_log_dir_path(const struct leat_log_dir *d, uint64_t first,
                                                char *path, struct leat_error *err);

/* As leat_job_log_each; upto_n is not behind the last record. */
LEAT_CHECKED enum leat_status leat_log_dir_each(const struct leat_log_dir *d, uint64_t from_n,
                                                uint64_t upto_n, leat_log_record_fn *fn, void *arg,
                                                struct leat_error *err);

/* As leat_job_log_each_state. */
LEAT_CHECKED enum leat_status leat_log_dir_each_state(const struct leat_log_dir *d, uint32_t q,
                                                      uint64_t from_n, uint64_t upto_n,
                                                      leat_log_state_fn *fn, void *arg,
                                                      struct leat_error *err);

/* As leat_job_log_begins_with_state. */
LEAT_CHECKED enum leat_status leat_log_dir_begins_with_state(struct leat_log_dir *d, bool *with,
                                                             struct leat_error *err);

/* As leat_job_log_trim. */
LEAT_CHECKED enum leat_status leat_log_dir_trim(struct leat_log_dir *d, uint64_t upto_n,
                                                int64_t since_ms, struct leat_error *err);

/* Damage: the frame has another number than it must. Returns LEAT_E_CORRUPT. */
enum leat_status leat_log_wrong_order(const char *path, const struct leat_log_frame *frame,
                                      uint64_t expected, struct leat_error *err);

void leat_log_dir_fini(struct leat_log_dir *d);

#endif
