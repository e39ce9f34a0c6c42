/*
 * held.h - a value that a partial result owns: text and nested values are in its pool.
 *
 * Numbers and times are kept as they are, text is copied, lists, maps and records are kept as the
 * bytes of leat_value_encode(). An *order* says where a kept row stood, so that "first" and "last"
 * mean the same however a stream was cut: by time, then source and partition, then position.
 */
#ifndef LEAT_OP_HELD_H
#define LEAT_OP_HELD_H

#include "data/value_ops.h"
#include "op/group.h"

struct leat_held {
    struct leat_value v; /* flags: as.text and len are encoded bytes */
    bool set;
};

/* Take the place of what was there. False: the pool is full. */
LEAT_CHECKED bool leat_held_set(struct leat_held *h, struct leat_pool *pool,
                                struct leat_arena *scratch, struct leat_value v);

/* Neither text nor nested: it owns nothing. What is unset is so, too. */
static inline bool leat_held_is_plain(struct leat_value v)
{
    const unsigned plain = 1u << LEAT_NULL | 1u << LEAT_BOOL | 1u << LEAT_INT | 1u << LEAT_UINT |
                           1u << LEAT_DOUBLE | 1u << LEAT_TIMESTAMP | 1u << LEAT_DURATION;

    return v.flags == 0 && (plain >> (v.tag & 31) & 1);
}
LEAT_CHECKED bool leat_held_copy(struct leat_held *h, struct leat_pool *pool,
                                 const struct leat_held *from);
void leat_held_free(struct leat_held *h, struct leat_pool *pool);

/* Text is borrowed from h, what is nested is made in arena. */
struct leat_value leat_held_get(const struct leat_held *h, struct leat_arena *arena);
/* Nothing is borrowed: for rows that go out. */
struct leat_value leat_held_take(const struct leat_held *h, struct leat_arena *arena);

void leat_held_encode(const struct leat_held *h, struct leat_bytes *into);
LEAT_CHECKED enum leat_status leat_held_decode(struct leat_held *h, struct leat_work *w,
                                               struct leat_slice *from, struct leat_error *err);

/* ---- where a row stood */

struct leat_order {
    int64_t time_ms, position;
    struct leat_slice source; /* "orders/3", owned; empty for rows that an operator made */
};

/* Of a row that is being added; source is borrowed. In batch time all rows are equally old: what
 * came first counts. */
struct leat_order leat_order_of(const struct leat_group *g, const struct leat_work *w,
                                const struct leat_chunk *chunk, uint16_t row);
int leat_order_compare(const struct leat_order *a, const struct leat_order *b);
LEAT_CHECKED bool leat_order_set(struct leat_order *o, struct leat_pool *pool,
                                 const struct leat_order *from);
void leat_order_free(struct leat_order *o, struct leat_pool *pool);
void leat_order_encode(const struct leat_order *o, struct leat_bytes *into);
bool leat_order_decode(struct leat_order *o, struct leat_slice *from); /* source is borrowed */

#endif
