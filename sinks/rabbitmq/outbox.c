#include "outbox.h"

#define VERSION    1
#define ARENA_KEEP ((size_t)4 * 1024 * 1024)

enum leat_status rabbit_outbox_add(struct rabbit_outbox *box, const struct rabbit_out *message,
                                   struct leat_error *err)
{
    struct rabbit_out *m = leat_arena_alloc(&box->arena, sizeof *m);

    if (!m)
        return leat_arena_failed(&box->arena, err);
    *m = *message;
    m->next = NULL;
    if (box->last)
        box->last->next = m;
    else
        box->first = m;
    box->last = m;
    box->count++;
    return LEAT_OK;
}

enum leat_status rabbit_outbox_end(struct rabbit_outbox *box, struct leat_error *err)
{
    uint32_t n = 0;

    box->all = leat_arena_array(&box->arena, box->count + 1, sizeof(struct rabbit_out *));
    if (!box->all)
        return leat_arena_failed(&box->arena, err);
    for (struct rabbit_out *m = box->first; m; m = m->next)
        box->all[n++] = m;
    return LEAT_OK;
}

void rabbit_outbox_write(const struct rabbit_outbox *box, struct leat_bytes *section)
{
    uint8_t version = VERSION;

    leat_bytes_put(section, &version, 1);
    leat_bytes_put_u32(section, box->count);
    for (const struct rabbit_out *m = box->first; m; m = m->next) {
        leat_bytes_put_slice(section, m->routing_key);
        leat_bytes_put_slice(section, m->value);
        leat_bytes_put_slice(section, m->headers);
        leat_bytes_put_u64(section, (uint64_t)m->time_ms);
    }
}

static bool take_message(struct leat_slice *from, struct rabbit_out *m)
{
    uint64_t time_ms;

    *m = (struct rabbit_out){0};
    if (!leat_take_slice(from, &m->routing_key) || !leat_take_slice(from, &m->value) ||
        !leat_take_slice(from, &m->headers) || !leat_take_u64(from, &time_ms))
        return false;
    m->time_ms = (int64_t)time_ms;
    return true;
}

enum leat_status rabbit_outbox_read(struct rabbit_outbox *box, struct leat_slice from,
                                    struct leat_error *err)
{
    uint8_t version = 0;
    uint32_t count = 0;
    struct rabbit_out m;

    rabbit_outbox_clear(box);
    if (!leat_take(&from, &version, 1) || version != VERSION || !leat_take_u32(&from, &count))
        return leat_fail(err, LEAT_E_CORRUPT, "damaged record of messages");
    while (count-- > 0) {
        if (!take_message(&from, &m))
            return leat_fail(err, LEAT_E_CORRUPT, "damaged record of messages");
        if (rabbit_outbox_add(box, &m, err) != LEAT_OK)
            return err->status;
    }
    if (from.len)
        return leat_fail(err, LEAT_E_CORRUPT, "damaged record of messages");
    return rabbit_outbox_end(box, err);
}

void rabbit_outbox_clear(struct rabbit_outbox *box)
{
    leat_arena_recycle(&box->arena, ARENA_KEEP);
    box->first = box->last = NULL;
    box->all = NULL;
    box->count = 0;
}

void rabbit_outbox_free(struct rabbit_outbox *box)
{
    rabbit_outbox_clear(box);
    leat_arena_reset(&box->arena);
}
