/*
 * session_state.c - sessions as bytes for the state log: what a batch changed, all, and back.
 *
 *     u8 version  i64 watermark up to which sessions are over  i64 time of the last early results
 *     u32 keys    of each: key, u32 sessions; of each: i64 first, i64 last, i64 touched, partial
 *                 result
 *
 * A key comes with all sessions that it has; they replace those that were there. Reading drops what
 * is over at the watermark.
 */
#include "op/group_in.h"
#include "op/session.h"

#include <endian.h>

#define VERSION 2

static void put_head(const struct leat_sessions *s, uint32_t keys, struct leat_bytes *into)
{
    uint8_t version = VERSION;

    leat_bytes_put(into, &version, 1);
    leat_bytes_put_u64(into, (uint64_t)s->fired_ms);
    leat_bytes_put_u64(into, (uint64_t)s->early_ms);
    leat_bytes_put_u32(into, keys);
}

static void put_key(const struct leat_group *g, const struct leat_entry *e, struct leat_bytes *into)
{
    uint32_t count = 0;

    for (const struct leat_session *x = leat_sessions_of(e); x; x = x->next)
        count++;
    leat_bytes_put_slice(into, e->key);
    leat_bytes_put_u32(into, count);
    for (const struct leat_session *x = leat_sessions_of(e); x; x = x->next) {
        leat_bytes_put_u64(into, (uint64_t)x->first_ms);
        leat_bytes_put_u64(into, (uint64_t)x->last.at_ms);
        leat_bytes_put_u64(into, (uint64_t)x->touched_ms);
        size_t at = into->len;
        leat_bytes_put_u32(into, 0);
        g->agg->encode(g, x->partial, into);
        if (into->failed)
            return;
        uint32_t len = htole32((uint32_t)(into->len - at - 4));
        memcpy(into->ptr + at, &len, 4);
    }
}

void leat_sessions_append(const struct leat_group *g, struct leat_sessions *s,
                          struct leat_bytes *delta)
{
    if (!s->changes.count && s->fired_ms == s->told_fired_ms && s->early_ms == s->told_early_ms)
        return;
    put_head(s, s->changes.count, delta);
    for (uint32_t i = 0; i < s->changes.count; i++) {
        const char *key = (const char *)s->changes.list[i];
        put_key(g, (const void *)(key - offsetof(struct leat_entry, memory)), delta);
    }
    leat_changes_clear(&s->changes);
    s->told_fired_ms = s->fired_ms;
    s->told_early_ms = s->early_ms;
}

void leat_sessions_snapshot(const struct leat_group *g, struct leat_sessions *s,
                            struct leat_bytes *all)
{
    put_head(s, (uint32_t)s->keys.count, all);
    for (const struct leat_entry *e = s->keys.first; e; e = e->next)
        put_key(g, e, all);
}

static enum leat_status damaged(struct leat_error *err)
{
    return leat_fail(err, LEAT_E_CORRUPT, "damaged state of sessions");
}

static bool is_time(uint64_t time)
{
    return (int64_t)time >= -LEAT_GRID_TIME_MAX && (int64_t)time <= LEAT_GRID_TIME_MAX;
}

static void drop_key(const struct leat_group *g, struct leat_sessions *s, struct leat_work *w,
                     struct leat_slice key)
{
    struct leat_entry *e =
        leat_table_find(&s->keys, leat_table_hash(leat_key_hash(key), 0), 0, key);

    while (e) {
        struct leat_session *x = leat_sessions_of(e);
        if (!x->next)
            e = NULL;
        leat_sessions_remove(g, s, w, x);
    }
}

static enum leat_status read_key(const struct leat_group *g, struct leat_sessions *s,
                                 struct leat_work *w, struct leat_slice *from,
                                 struct leat_error *err)
{
    struct leat_slice key, bytes;
    uint64_t first, last, touched;
    uint32_t count;
    int64_t end_ms = LEAT_NO_TIME;
    void *partial;

    if (!leat_take_slice(from, &key) || !leat_take_u32(from, &count) || count == 0)
        return damaged(err);
    drop_key(g, s, w, key);
    for (uint32_t i = 0; i < count; i++) {
        if (!leat_take_u64(from, &first) || !leat_take_u64(from, &last) ||
            !leat_take_u64(from, &touched) || !leat_take_slice(from, &bytes) || !is_time(first) ||
            !is_time(last) || (int64_t)last < (int64_t)first || (int64_t)first < end_ms)
            return damaged(err);
        end_ms = (int64_t)last + g->gap_ms;
        if (leat_sessions_at(g, s, w, key, (int64_t)first, (int64_t)last, &partial, err))
            return err->status;
        leat_session_with(partial)->touched_ms = (int64_t)touched;
        if (g->agg->decode(g, w, &bytes, partial, err) != LEAT_OK)
            return err->status;
        if (bytes.len)
            return damaged(err);
    }
    return LEAT_OK;
}

enum leat_status leat_sessions_read(const struct leat_group *g, struct leat_sessions *s,
                                    struct leat_work *w, struct leat_slice bytes,
                                    struct leat_error *err)
{
    uint64_t fired, early;
    uint32_t keys;
    uint8_t version;

    s->timed = true;
    if (!leat_take(&bytes, &version, 1) || version != VERSION)
        return leat_fail(err, LEAT_E_CORRUPT, "state of sessions in an unknown version");
    if (!leat_take_u64(&bytes, &fired) || !leat_take_u64(&bytes, &early) ||
        !leat_take_u32(&bytes, &keys) || ((int64_t)fired != LEAT_NO_TIME && !is_time(fired)))
        return damaged(err);
    for (uint32_t i = 0; i < keys; i++)
        if (read_key(g, s, w, &bytes, err) != LEAT_OK)
            return err->status;
    s->fired_ms = s->told_fired_ms = (int64_t)fired;
    s->early_ms = s->told_early_ms = (int64_t)early;
    for (struct leat_session *x; s->fired_ms != LEAT_NO_TIME && (x = leat_sessions_next(s));) {
        if (x->last.at_ms + g->gap_ms > s->fired_ms)
            break;
        leat_sessions_remove(g, s, w, x);
    }
    leat_changes_clear(&s->changes);
    return bytes.len ? damaged(err) : LEAT_OK;
}
