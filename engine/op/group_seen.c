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

struct seen {
    struct leat_table table; /* time of the last one that passed, oldest first */
    size_t fresh;            /* of this batch: the last ones of the table */
};

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

static void seen_open(void *memory, struct leat_pool *pool)
{
    struct seen *s = memory;

    s->table = (struct leat_table){.pool = pool, .value_size = sizeof(int64_t)};
}

enum leat_status leat_seen_pass(const struct leat_group *g, void *memory, struct leat_slice key,
                                int64_t time_ms, bool *pass, struct leat_error *err)
{
    struct seen *s = memory;
    struct leat_table *t = &s->table;
    int64_t stretch = stretch_of(time_ms, g->within_ms);

    *pass = true;
    for (int64_t i = stretch - 1; i <= stretch + 1; i++) {
        struct leat_entry *e = find(t, key, i);
        int64_t apart_ms = e ? time_ms - *time_of(e) : g->within_ms;
        *pass = *pass && (apart_ms >= g->within_ms || apart_ms <= -g->within_ms);
    }
    if (!*pass)
        return LEAT_OK;
    s->fresh++;
    return put(t, key, time_ms, g->within_ms) ? LEAT_OK : leat_arena_failed(t->pool->arena, err);
}

static enum leat_status seen_begin(const struct leat_group *g, struct leat_work *w,
                                   struct leat_error *err)
{
    struct seen *s = w->beyond;
    int64_t watermark_ms = g->event_time ? w->task->watermark_before_ms
                                         : w->task->batch->time_ms - w->task->batch->interval_ms;

    (void)err;
    while (watermark_ms != LEAT_NO_TIME && s->table.first &&
           *time_of(s->table.first) + g->within_ms <= watermark_ms)
        leat_table_remove(&s->table, s->table.first);
    return LEAT_OK;
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
static void seen_append(const struct leat_group *g, void *memory, struct leat_bytes *delta)
{
    struct seen *s = memory;
    uint64_t count = s->fresh < s->table.count ? s->fresh : s->table.count;
    const struct leat_entry *e = s->table.last;

    (void)g;
    s->fresh = 0;
    if (count == 0)
        return;
    for (uint64_t i = 1; e && i < count; i++)
        e = e->prev;
    write_from(e, count, delta);
}

static void seen_snapshot(const struct leat_group *g, void *memory, struct leat_bytes *all)
{
    const struct seen *s = memory;

    (void)g;
    write_from(s->table.first, s->table.count, all);
}

static enum leat_status seen_read(const struct leat_group *g, struct leat_work *w,
                                  struct leat_slice bytes, struct leat_error *err)
{
    struct seen *s = w->beyond;
    struct leat_slice key;
    uint64_t count, time;
    uint8_t version;

    if (!leat_take(&bytes, &version, 1) || version != VERSION || !leat_take_u64(&bytes, &count))
        return leat_fail(err, LEAT_E_CORRUPT, "damaged state of distinct");
    for (; count > 0; count--) {
        if (!leat_take_slice(&bytes, &key) || !leat_take_u64(&bytes, &time))
            return leat_fail(err, LEAT_E_CORRUPT, "damaged state of distinct");
        if (!put(&s->table, key, (int64_t)time, g->within_ms))
            return leat_arena_failed(w->pool->arena, err);
    }
    return bytes.len ? leat_fail(err, LEAT_E_CORRUPT, "damaged state of distinct") : LEAT_OK;
}

static uint64_t seen_keys(const void *memory)
{
    return ((const struct seen *)memory)->table.count;
}

const struct leat_beyond leat_seen = {
    .size = sizeof(struct seen),
    .open = seen_open,
    .begin = seen_begin,
    .append = seen_append,
    .snapshot = seen_snapshot,
    .read = seen_read,
    .keys = seen_keys,
};
