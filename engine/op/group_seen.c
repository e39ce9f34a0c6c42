/*
 * group_seen.c - which keys have passed a short while ago: what `distinct: { within }` remembers.
 *
 *     u8 version  u64 entries  of each: key, i64 time of one that passed
 *
 * A key may be there several times, as rows may come in any order: once per stretch of `within` on
 * the axis of time, whose number is the entry's tag. Two that passed in one stretch would be nearer
 * than `within`, and what is near a row is in its stretch or in one beside it.
 *
 * Entries stand in the order in which they passed; the oldest are forgotten when the watermark says
 * that nothing can be within reach of them.
 */
#include "op/group_in.h"

#define VERSION 1

static int64_t *time_of(struct leat_entry *e)
{
    return (int64_t *)e->memory;
}

static int64_t stretch_of(int64_t time_ms, int64_t within_ms)
{
    return time_ms / within_ms - (time_ms % within_ms < 0);
}

static struct leat_entry *find(const struct leat_table *t, struct leat_slice key, int64_t stretch)
{
    return leat_table_find(t, leat_table_hash(leat_key_hash(key), stretch), stretch, key);
}

/* At the end of the table, with this time. */
static bool put(struct leat_table *t, struct leat_slice key, int64_t time_ms, int64_t within_ms)
{
    int64_t stretch = stretch_of(time_ms, within_ms);
    struct leat_entry *e = find(t, key, stretch);

    if (e)
        leat_table_remove(t, e);
    e = leat_table_add(t, leat_table_hash(leat_key_hash(key), stretch), stretch, key,
                       (struct leat_slice){0});
    if (e)
        *time_of(e) = time_ms;
    return e != NULL;
}

enum leat_status leat_seen_pass(const struct leat_group *g, struct leat_batches *b,
                                struct leat_slice key, int64_t time_ms, bool *pass,
                                struct leat_error *err)
{
    struct leat_table *t = &b->seen;
    int64_t stretch = stretch_of(time_ms, g->within_ms);

    *pass = true;
    for (int64_t s = stretch - 1; s <= stretch + 1; s++) {
        struct leat_entry *e = find(t, key, s);
        int64_t apart_ms = e ? time_ms - *time_of(e) : g->within_ms;
        *pass = *pass && (apart_ms >= g->within_ms || apart_ms <= -g->within_ms);
    }
    if (!*pass)
        return LEAT_OK;
    b->seen_new++;
    return put(t, key, time_ms, g->within_ms) ? LEAT_OK : leat_arena_failed(t->pool->arena, err);
}

void leat_seen_expire(const struct leat_group *g, struct leat_batches *b, int64_t watermark_ms)
{
    if (watermark_ms == LEAT_NO_TIME)
        return;
    while (b->seen.first && *time_of(b->seen.first) + g->within_ms <= watermark_ms)
        leat_table_remove(&b->seen, b->seen.first);
}

static void write_from(const struct leat_entry *e, uint64_t count, struct leat_bytes *into)
{
    const uint8_t version = VERSION;

    leat_bytes_put(into, &version, 1);
    leat_bytes_put_u64(into, count);
    for (; e; e = e->next) {
        leat_bytes_put_slice(into, e->key);
        leat_bytes_put_u64(into, e->memory[0]);
    }
}

/* Those that passed since are the last ones of the table. */
void leat_seen_append(struct leat_batches *b, struct leat_bytes *delta)
{
    uint64_t count = b->seen_new < b->seen.count ? b->seen_new : b->seen.count;
    const struct leat_entry *e = b->seen.last;

    if (count == 0)
        return;
    for (uint64_t i = 1; e && i < count; i++)
        e = e->prev;
    write_from(e, count, delta);
    b->seen_new = 0;
}

void leat_seen_snapshot(const struct leat_batches *b, struct leat_bytes *all)
{
    write_from(b->seen.first, b->seen.count, all);
}

enum leat_status leat_seen_read(const struct leat_group *g, struct leat_batches *b,
                                struct leat_slice bytes, struct leat_error *err)
{
    struct leat_slice key;
    uint64_t count, time;
    uint8_t version;

    if (!leat_take(&bytes, &version, 1) || version != VERSION || !leat_take_u64(&bytes, &count))
        return leat_fail(err, LEAT_E_CORRUPT, "damaged state of distinct");
    for (; count > 0; count--) {
        if (!leat_take_slice(&bytes, &key) || !leat_take_u64(&bytes, &time))
            return leat_fail(err, LEAT_E_CORRUPT, "damaged state of distinct");
        if (!put(&b->seen, key, (int64_t)time, g->within_ms))
            return leat_arena_failed(b->seen.pool->arena, err);
    }
    return bytes.len ? leat_fail(err, LEAT_E_CORRUPT, "damaged state of distinct") : LEAT_OK;
}
