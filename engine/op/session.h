/*
 * session.h - runs of rows of a key with less than a gap between them; both stages.
 *
 * A session is [time of its first row, time of its last + gap). A row that touches two makes them
 * one. Those that are over come out in order of their ends, then of their making: a heap, so firing
 * costs O(log open) per session and nothing for those that are not due.
 */
#ifndef LEAT_OP_SESSION_H
#define LEAT_OP_SESSION_H

#include "op/changes.h"
#include "op/group.h"
#include "op/heap.h"
#include "op/table.h"

struct leat_session {
    struct leat_session *next; /* of the key, by time */
    struct leat_entry *entry;
    struct leat_heap_item last; /* by the time of its last row, in order of making; in stage 2 */
    int64_t first_ms;
    int64_t touched_ms; /* time of the batch that changed it last: is there news to tell early? */
    uint64_t partial[];
};

struct leat_session_key {
    struct leat_change change; /* first */
    struct leat_session *first, *recent;
};

struct leat_sessions {
    struct leat_pool *pool;
    struct leat_table keys;
    bool timed; /* stage 2 */
    struct leat_heap heap;
    uint64_t made;
    int64_t fired_ms, early_ms;
    int64_t told_fired_ms, told_early_ms; /* what the log has of these */
    struct leat_changes changes;
};

static inline struct leat_session_key *leat_session_key_of(const struct leat_entry *e)
{
    return (struct leat_session_key *)(uintptr_t)e->memory;
}
static inline struct leat_session *leat_sessions_of(const struct leat_entry *e)
{
    return leat_session_key_of(e)->first;
}

/* Which is over first; NULL: there is none. */
static inline struct leat_session *leat_sessions_next(const struct leat_sessions *s)
{
    char *item = (char *)leat_heap_first(&s->heap);

    return item ? (struct leat_session *)(void *)(item - offsetof(struct leat_session, last))
                : NULL;
}
static inline struct leat_session *leat_session_with(void *partial)
{
    return (struct leat_session *)(void *)((char *)partial -
                                           offsetof(struct leat_session, partial));
}

void leat_sessions_init(const struct leat_group *g, struct leat_sessions *s,
                        struct leat_pool *pool);

/* The session of this key that holds [first_ms, last_ms], made, extended or made of several. Any
 * partial result got before may be gone. */
LEAT_CHECKED enum leat_status leat_sessions_at(const struct leat_group *g, struct leat_sessions *s,
                                               struct leat_work *w, struct leat_slice key,
                                               int64_t first_ms, int64_t last_ms, void **partial,
                                               struct leat_error *err);

enum leat_status leat_sessions_process(const struct leat_group *g, struct leat_sessions *s,
                                       struct leat_work *w, void *spare, struct leat_chunk *chunk,
                                       struct leat_error *err);
enum leat_status leat_sessions_finish(const struct leat_group *g, struct leat_sessions *s,
                                      struct leat_work *w, struct leat_error *err);
int64_t leat_sessions_due(const struct leat_group *g, const struct leat_sessions *s);

/* session_state.c */
void leat_sessions_append(const struct leat_group *g, struct leat_sessions *s,
                          struct leat_bytes *delta);
void leat_sessions_snapshot(const struct leat_group *g, struct leat_sessions *s,
                            struct leat_bytes *all);
enum leat_status leat_sessions_read(const struct leat_group *g, struct leat_sessions *s,
                                    struct leat_work *w, struct leat_slice bytes,
                                    struct leat_error *err);
/* Take one out of heap and key; the key goes with its last one. */
void leat_sessions_remove(const struct leat_group *g, struct leat_sessions *s, struct leat_work *w,
                          struct leat_session *x);

#endif
