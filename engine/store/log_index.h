/*
 * log_index.h - where every source partition stands that the job log knows, by name.
 *
 * Thread: the log's owner.
 */
#ifndef LEAT_STORE_LOG_INDEX_H
#define LEAT_STORE_LOG_INDEX_H

#include "store/job_log.h"

struct leat_log_index {
    struct leat_arena arena;       /* names, and the table itself */
    struct leat_log_place **slots; /* open addressing, a power of two */
    size_t slots_count, count;
};

/* Texts are copied. False: out of memory. */
LEAT_CHECKED bool leat_log_index_set(struct leat_log_index *index,
                                     const struct leat_log_position *position);

/* Borrowed until it is set again; NULL: unknown. */
const struct leat_log_position *leat_log_index_find(const struct leat_log_index *index,
                                                    struct leat_slice source,
                                                    struct leat_slice partition);

void leat_log_index_each(const struct leat_log_index *index,
                         void (*fn)(void *arg, const struct leat_log_position *position),
                         void *arg);
void leat_log_index_fini(struct leat_log_index *index); /* it is empty then, and may be used */

#endif
