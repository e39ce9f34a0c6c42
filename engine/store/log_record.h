/*
 * log_record.h - a record in two parts, for those who know where its bytes are: the front, and the
 * entries of each state partition.
 *
 * Inside engine/store only. Thread: any.
 */
#ifndef LEAT_STORE_LOG_RECORD_H
#define LEAT_STORE_LOG_RECORD_H

#include "store/job_log.h"

/* Entries of one state partition. */
struct leat_log_run {
    uint32_t q, entries, bytes, crc;
    uint64_t at; /* behind the front */
};

struct leat_log_front {
    struct leat_log_record record; /* without states */
    struct leat_log_run *runs;
    uint32_t runs_count;
    uint64_t entries; /* of all runs */
    size_t bytes;     /* of the front itself */
};

/* As leat_log_record_write, and how many bytes the front has. */
LEAT_CHECKED bool leat_log_record_write_parts(const struct leat_log_record *r,
                                              struct leat_bytes *into, size_t *front_bytes);

/* `bytes` may be longer than the front. Texts are borrowed from them, lists are in the arena. */
LEAT_CHECKED enum leat_status leat_log_front_read(struct leat_slice bytes,
                                                  struct leat_log_front *front,
                                                  struct leat_arena *arena, struct leat_error *err);

/* The run's bytes, as run->entries items into `into`. Their CRC is the caller's to check. */
LEAT_CHECKED enum leat_status leat_log_run_read(struct leat_slice bytes,
                                                const struct leat_log_run *run,
                                                struct leat_log_state *into,
                                                struct leat_arena *arena, struct leat_error *err);

#endif
