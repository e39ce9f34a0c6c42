#include "calls.h"

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
    struct flume_call *call = c->box.last;

    if (!call || call->count >= c->max_records || call->events.len + bytes > (size_t)c->max_bytes) {
        call = leat_outbox_add(&c->box, sizeof *call);
        if (!call)
            return leat_arena_failed(&c->box.arena, err);
        call->events.arena = &c->box.arena;
    }
    put_event(&call->events, chunk, row, id);
    call->count++;
    c->events++;
    return call->events.failed ? leat_arena_failed(&c->box.arena, err) : LEAT_OK;
}

static void put(const void *item, struct leat_bytes *section)
{
    const struct flume_call *call = item;

    leat_bytes_put_u32(section, call->count);
    leat_bytes_put_slice(section, leat_bytes_slice(&call->events));
}

void flume_calls_write(const struct flume_calls *c, struct leat_bytes *section)
{
    leat_outbox_write(&c->box, put, section);
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

static enum leat_status take(struct leat_outbox *box, struct leat_slice *from,
                             struct leat_error *err)
{
    uint32_t count;
    struct leat_slice events;

    if (!leat_take_u32(from, &count) || !leat_take_slice(from, &events) || !is_whole(events, count))
        return leat_outbox_damaged(err);
    struct flume_call *call = leat_outbox_add(box, sizeof *call);
    if (!call)
        return leat_arena_failed(&box->arena, err);
    call->events.ptr = (char *)(uintptr_t)events.ptr;
    call->events.len = events.len;
    call->count = count;
    return LEAT_OK;
}

enum leat_status flume_calls_read(struct flume_calls *c, struct leat_slice from,
                                  struct leat_error *err)
{
    c->events = 0;
    return leat_outbox_read(&c->box, from, take, err);
}

void flume_calls_clear(struct flume_calls *c)
{
    leat_outbox_clear(&c->box);
    c->events = 0;
}
