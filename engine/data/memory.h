/*
 * memory.h - a source of rows that a program hands in, and a sink that keeps what it gets.
 *
 * For `leat test`, for programs that embed the engine, and for tests: no file, no network, no
 * thread of their own. A source is read from a position like any other pull source; a sink shows a
 * batch when it is committed, not before.
 */
#ifndef LEAT_DATA_MEMORY_H
#define LEAT_DATA_MEMORY_H

#include "data/sink.h"
#include "data/source.h"

struct leat_memory_rows;

/* `self` of leat_memory_source_module. Zero it, then leat_memory_source_init(). One partition,
 * named "memory"; row i has position i, whatever the row says. */
struct leat_memory_source {
    struct leat_arena *arena;
    struct leat_memory_rows *first, *last;
    int64_t count;
    bool ended;

    const struct leat_env *env;
    struct leat_memory_rows
        *at; /* where the last fetch ended, so that reading on needs no search */
};

/* Copies of the rows will be in `arena`, which outlives the source. */
LEAT_API void leat_memory_source_init(struct leat_memory_source *s, struct leat_arena *arena);

/* Behind what is there already. Thread: job, or any while no job runs. */
LEAT_API LEAT_CHECKED enum leat_status leat_memory_source_add(struct leat_memory_source *s,
                                                              const struct leat_row *rows,
                                                              size_t count, struct leat_error *err);
/* Nothing will be added any more: reading to the end finishes the partition. */
LEAT_API void leat_memory_source_end(struct leat_memory_source *s);

extern LEAT_API const struct leat_module leat_memory_source_module; /* pull; without options */

/* One row that was committed. */
struct leat_memory_row {
    const struct leat_memory_row *next;
    uint64_t n;
    int64_t batch_time_ms;
    uint32_t part;             /* the task that made it */
    struct leat_row row;       /* key, value, headers: the bytes that the format made */
    struct leat_slice route;   /* ptr NULL: none */
    struct leat_window window; /* of rows behind a windowed operator; else zero */
};

/* `self` of the sink. Zeroed is ready. */
struct leat_memory_sink {
    const struct leat_memory_row
        *first; /* committed, in order; valid until leat_memory_sink_fini() */
    uint64_t count;

    struct leat_arena arena;
    struct leat_memory_row *last, *pending, *pending_last;
    uint64_t pending_count, pending_n;
    int64_t batch_time_ms;
};

extern LEAT_API const struct leat_sink leat_memory_sink;
extern LEAT_API const struct leat_module leat_memory_sink_module; /* without options */

/* Forget all rows and give their memory back; close does not, so that they can be looked at after
 * the job. */
LEAT_API void leat_memory_sink_fini(struct leat_memory_sink *s);

#endif
