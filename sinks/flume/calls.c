#include "calls.h"

#define VERSION    1
#define ARENA_KEEP ((size_t)4 * 1024 * 1024)

static struct flume_call *append(struct flume_calls *c)
{
    struct flume_call *call = leat_arena_alloc(&c->arena, sizeof *call);

    if (!call)
        return NULL;
    call->events.arena = &c->arena;
    if (c->last)
        c->last->next = call;
    else
        c->first = call;
    c->last = call;
    c->count++;
    return call;
}

static void put_long(struct leat_bytes *b, int64_t v)
{
    char bytes[AVRO_LONG_BYTES];

    leat_bytes_put(b, bytes, avro_put_long(bytes, v));
}

static void put_text(struct leat_bytes *b, struct leat_slice text)
{
    put_long(b, (int64_t)text.len);
    if (text.len)
        leat_bytes_put(b, text.ptr, text.len);
}

static bool has_header(struct leat_slice headers, uint32_t count, struct leat_slice wanted)
{
    struct leat_slice name, value;

    while (count-- > 0 && leat_take_header(&headers, &name, &value))
        if (leat_slice_eq(name, wanted))
            return true;
    return false;
}

static void put_event(struct leat_bytes *b, const struct leat_chunk *chunk, uint32_t row,
                      struct leat_slice id)
{
    struct leat_slice headers = chunk->headers[row], key = chunk->keys[row], name, value;
    uint32_t count = 0;

    if (!leat_take_u32(&headers, &count))
        count = 0;
    bool adds_key = key.ptr && !has_header(headers, count, LEAT_LIT("key"));
    put_long(b, (int64_t)count + 1 + adds_key);
    while (count-- > 0 && leat_take_header(&headers, &name, &value)) {
        put_text(b, name);
        put_text(b, value);
    }
    if (adds_key) {
        put_text(b, LEAT_LIT("key"));
        put_text(b, key);
    }
    put_text(b, LEAT_LIT("leat-id"));
    put_text(b, id);
    put_long(b, 0);
    put_text(b, chunk->values[row]);
}

enum leat_status flume_calls_add(struct flume_calls *c, const struct leat_chunk *chunk,
                                 uint32_t row, struct leat_slice id, struct leat_error *err)
{
    size_t bytes = chunk->values[row].len + chunk->headers[row].len + chunk->keys[row].len + id.len;
    struct flume_call *call = c->last;

    if (!call || call->count >= c->max_records || call->events.len + bytes > (size_t)c->max_bytes) {
        call = append(c);
        if (!call)
            return leat_arena_failed(&c->arena, err);
    }
    put_event(&call->events, chunk, row, id);
    call->count++;
    c->events++;
    return call->events.failed ? leat_arena_failed(&c->arena, err) : LEAT_OK;
}

void flume_calls_write(const struct flume_calls *c, struct leat_bytes *section)
{
    uint8_t version = VERSION;

    leat_bytes_put(section, &version, 1);
    leat_bytes_put_u32(section, c->count);
    for (const struct flume_call *call = c->first; call; call = call->next) {
        leat_bytes_put_u32(section, call->count);
        leat_bytes_put_slice(section, leat_bytes_slice(&call->events));
    }
}

/* What is in a log must be so many events: it is sent as it is. */
static bool is_whole(struct leat_slice events, uint32_t count)
{
    struct flume_events walk = {.rest = events, .left = count, .max_headers = UINT32_MAX};
    struct flume_event event;
    enum flume_step step;
    const char *why;

    while ((step = flume_events_next(&walk, &event, &why)) == FLUME_STEP_EVENT)
        ;
    return count > 0 && step == FLUME_STEP_END;
}

enum leat_status flume_calls_read(struct flume_calls *c, struct leat_slice from,
                                  struct leat_error *err)
{
    uint8_t version = 0;
    uint32_t calls = 0, count;
    struct leat_slice events;

    flume_calls_clear(c);
    if (!leat_take(&from, &version, 1) || version != VERSION || !leat_take_u32(&from, &calls))
        return leat_fail(err, LEAT_E_CORRUPT, "damaged record of calls");
    while (calls-- > 0) {
        if (!leat_take_u32(&from, &count) || !leat_take_slice(&from, &events) ||
            !is_whole(events, count))
            return leat_fail(err, LEAT_E_CORRUPT, "damaged record of calls");
        struct flume_call *call = append(c);
        if (!call)
            return leat_arena_failed(&c->arena, err);
        call->events.ptr = (char *)(uintptr_t)events.ptr;
        call->events.len = events.len;
        call->count = count;
        c->events += count;
    }
    return from.len == 0 ? LEAT_OK : leat_fail(err, LEAT_E_CORRUPT, "damaged record of calls");
}

void flume_calls_clear(struct flume_calls *c)
{
    leat_arena_recycle(&c->arena, ARENA_KEEP);
    c->first = c->last = NULL;
    c->count = 0;
    c->events = 0;
}

void flume_calls_free(struct flume_calls *c)
{
    c->first = c->last = NULL;
    c->count = 0;
    c->events = 0;
    leat_arena_reset(&c->arena);
}
