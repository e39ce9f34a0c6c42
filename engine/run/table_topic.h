/*
 * table_topic.h - a reference table that is kept as a topic says: read from its beginning to its
 * end, and then on.
 *
 * The owner has a queue and waits at it; it calls turn when wake_ms is due and answered for each
 * message of kind LEAT_MSG_TABLE. Both change the table, so nobody may look into it meanwhile: the
 * job does it between batches. What is read again at the next start is not the table of the last
 * batch, but that of the topic then.
 *
 * Thread: the owner's, for everything.
 */
#ifndef LEAT_RUN_TABLE_TOPIC_H
#define LEAT_RUN_TABLE_TOPIC_H

#include "base/log.h"
#include "data/source.h"
#include "op/lookup.h"
#include "run/retry.h"

struct leat_table_topic_part {
    struct leat_table_topic *topic;
    struct leat_slice name;
    uint32_t id;
    int64_t next;     /* applied: everything below */
    int64_t until;    /* where it ended when it was found; -1: not known */
    bool is_read;     /* it was read so far once */
    int64_t retry_ms; /* after a fetch that failed; 0: none did */

    /* The fetch under way and its answer. */
    struct leat_msg msg; /* first: of the answer */
    bool fetching, earliest;
    struct leat_fetch fetch;
    struct leat_block *block;
    struct leat_error error;
};

struct leat_table_topic {
    const struct leat_lookup_plan *plan;
    struct leat_lookup_table *rows;
    bool skip_bad; /* a record that cannot be read is counted and passed over */
    uint64_t bad;

    void *self;
    struct leat_env env;
    struct leat_log log;
    struct leat_queue *answers;
    struct leat_budget *budget; /* of the rows */
    size_t charged;
    struct leat_arena *arena;
    struct leat_table_topic_part **parts;
    uint32_t parts_count, parts_room;
    bool is_open, is_listed;
    struct leat_retry retry;
};

/* `env` is copied; arena, queue and budget outlive it. skip_bad: else such a record is a failure.
 */
LEAT_CHECKED enum leat_status
leat_table_topic_init(struct leat_table_topic *t, const struct leat_lookup_plan *plan,
                      const struct leat_env *env, struct leat_queue *answers,
                      struct leat_budget *budget, struct leat_arena *arena, bool skip_bad,
                      struct leat_error *err);

/* Open, list and fetch what is due. What may heal is waited for, and said once. */
LEAT_CHECKED enum leat_status leat_table_topic_turn(struct leat_table_topic *t, int64_t now_ms,
                                                    struct leat_error *err);
int64_t leat_table_topic_wake_ms(const struct leat_table_topic *t);

/* Apply what came, and fetch on. */
LEAT_CHECKED enum leat_status leat_table_topic_answered(struct leat_msg *m, int64_t now_ms,
                                                        struct leat_error *err);

/* Every partition was read to where it ended when it was found. */
bool leat_table_topic_is_read(const struct leat_table_topic *t);

/* What still comes into the queue afterwards points into the arena: its block is dropped with
 * leat_table_topic_drop(). A zeroed one is fine. */
void leat_table_topic_fini(struct leat_table_topic *t);
void leat_table_topic_drop(struct leat_msg *m);

#endif
