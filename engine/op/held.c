#include "op/held.h"

enum { ENCODED = 1 };

static bool is_text(struct leat_value v)
{
    return v.tag == LEAT_STRING || v.tag == LEAT_BYTES || v.tag == LEAT_ERROR ||
           v.tag == LEAT_TYPE || v.flags == ENCODED;
}

static bool is_nested(struct leat_value v)
{
    return v.tag == LEAT_LIST || v.tag == LEAT_MAP || v.tag == LEAT_RECORD;
}

static bool set_text(struct leat_held *h, struct leat_pool *pool, struct leat_value v)
{
    char *text = leat_pool_alloc(pool, v.len ? v.len : 1);

    if (!text)
        return false;
    if (v.len)
        memcpy(text, v.as.text, v.len);
    leat_held_free(h, pool);
    v.as.text = text;
    *h = (struct leat_held){v, true};
    return true;
}

bool leat_held_set(struct leat_held *h, struct leat_pool *pool, struct leat_arena *scratch,
                   struct leat_value v)
{
    struct leat_bytes bytes = {.arena = scratch};

    v.flags = 0;
    if (is_text(v))
        return set_text(h, pool, v);
    if (!is_nested(v)) {
        leat_held_free(h, pool);
        *h = (struct leat_held){v, true};
        return true;
    }
    leat_value_encode(v, &bytes);
    if (bytes.failed)
        return false;
    v.flags = ENCODED;
    v.len = (uint32_t)bytes.len;
    v.as.text = bytes.ptr;
    return set_text(h, pool, v);
}

bool leat_held_copy(struct leat_held *h, struct leat_pool *pool, const struct leat_held *from)
{
    if (from->set && is_text(from->v))
        return set_text(h, pool, from->v);
    leat_held_free(h, pool);
    *h = *from;
    return true;
}

void leat_held_free(struct leat_held *h, struct leat_pool *pool)
{
    if (h->set && is_text(h->v))
        leat_pool_free(pool, (void *)(uintptr_t)h->v.as.text, h->v.len ? h->v.len : 1);
    *h = (struct leat_held){0};
}

struct leat_value leat_held_get(const struct leat_held *h, struct leat_arena *arena)
{
    struct leat_slice bytes = leat_value_text(h->v);
    struct leat_value v = h->v;
    struct leat_error err;

    if (v.flags == ENCODED && leat_value_decode(&bytes, arena, &v, &err) != LEAT_OK)
        return leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
    return v;
}

struct leat_value leat_held_take(const struct leat_held *h, struct leat_arena *arena)
{
    struct leat_value v = h->v;

    if (!h->set || !is_text(v))
        return v;
    struct leat_slice text = leat_arena_copy(arena, leat_value_text(v));
    if (!text.ptr)
        return leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
    v.as.text = text.ptr;
    return leat_held_get(&(struct leat_held){v, true}, arena);
}

void leat_held_encode(const struct leat_held *h, struct leat_bytes *into)
{
    uint8_t set = h->set;

    leat_bytes_put(into, &set, 1);
    if (h->set && h->v.flags == ENCODED)
        leat_bytes_put(into, h->v.as.text, h->v.len);
    else if (h->set)
        leat_value_encode(h->v, into);
}

enum leat_status leat_held_decode(struct leat_held *h, struct leat_work *w, struct leat_slice *from,
                                  struct leat_error *err)
{
    struct leat_value v;
    uint8_t set;

    if (!leat_take(from, &set, 1))
        return leat_fail(err, LEAT_E_CORRUPT, "a kept value is missing");
    leat_held_free(h, w->pool);
    if (!set)
        return LEAT_OK;
    const char *start = from->ptr;
    if (leat_value_decode(from, w->scratch, &v, err) != LEAT_OK)
        return err->status;
    v.flags = 0;
    if (is_nested(v)) {
        v.flags = ENCODED;
        v.len = (uint32_t)(from->ptr - start);
        v.as.text = start;
        return set_text(h, w->pool, v) ? LEAT_OK : leat_arena_failed(w->pool->arena, err);
    }
    return leat_held_set(h, w->pool, w->scratch, v) ? LEAT_OK
                                                    : leat_arena_failed(w->pool->arena, err);
}

/* ---- where a row stood */

struct leat_order leat_order_of(const struct leat_group *g, const struct leat_work *w,
                                const struct leat_chunk *chunk, uint16_t row)
{
    struct leat_order o = {0};

    if (!g->event_time)
        return o;
    o.time_ms = chunk->times_ms[row];
    o.source = w->task->source;
    o.position = o.source.ptr ? chunk->positions[row] : (int64_t)(w->order + row);
    return o;
}

/* Names as bytes, the partition behind the last slash as a number: "a/2" before "a/10". */
static int compare_sources(struct leat_slice a, struct leat_slice b)
{
    size_t n = a.len < b.len ? a.len : b.len, slash = 0;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;

    if (a.len == b.len || order == 0)
        return order ? order : (a.len > b.len) - (a.len < b.len);
    for (size_t i = 0; i < n && a.ptr[i] == b.ptr[i]; i++)
        slash = a.ptr[i] == '/' ? i + 1 : slash;
    for (size_t i = slash; i < a.len; i++)
        if (slash == 0 || a.ptr[i] < '0' || a.ptr[i] > '9')
            return order;
    return a.len > b.len ? 1 : -1; /* without leading zeros the longer number is the greater */
}

int leat_order_compare(const struct leat_order *a, const struct leat_order *b)
{
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    int source = compare_sources(a->source, b->source);
    if (source)
        return source;
    return (a->position > b->position) - (a->position < b->position);
}

bool leat_order_set(struct leat_order *o, struct leat_pool *pool, const struct leat_order *from)
{
    struct leat_slice source = {0};

    if (from->source.len) {
        char *text = leat_pool_alloc(pool, from->source.len);
        if (!text)
            return false;
        memcpy(text, from->source.ptr, from->source.len);
        source = (struct leat_slice){text, from->source.len};
    }
    leat_order_free(o, pool);
    *o = *from;
    o->source = source;
    return true;
}

void leat_order_free(struct leat_order *o, struct leat_pool *pool)
{
    if (o->source.len)
        leat_pool_free(pool, (void *)(uintptr_t)o->source.ptr, o->source.len);
    *o = (struct leat_order){0};
}

void leat_order_encode(const struct leat_order *o, struct leat_bytes *into)
{
    leat_bytes_put_u64(into, (uint64_t)o->time_ms);
    leat_bytes_put_u64(into, (uint64_t)o->position);
    leat_bytes_put_slice(into, o->source);
}

bool leat_order_decode(struct leat_order *o, struct leat_slice *from)
{
    uint64_t time, position;

    if (!leat_take_u64(from, &time) || !leat_take_u64(from, &position) ||
        !leat_take_slice(from, &o->source))
        return false;
    o->time_ms = (int64_t)time;
    o->position = (int64_t)position;
    return true;
}
