#include "outbox.h"

enum leat_status rabbit_outbox_add(struct rabbit_outbox *out, const struct rabbit_out *message,
                                   struct leat_error *err)
{
    struct rabbit_out *m = leat_outbox_add(&out->box, sizeof *m);

    if (!m)
        return leat_arena_failed(&out->box.arena, err);
    *m = *message;
    m->item.next = NULL;
    return LEAT_OK;
}

enum leat_status rabbit_outbox_end(struct rabbit_outbox *out, struct leat_error *err)
{
    uint32_t n = 0;

    out->all = leat_arena_array(&out->box.arena, out->box.count + 1, sizeof(struct rabbit_out *));
    if (!out->all)
        return leat_arena_failed(&out->box.arena, err);
    for (struct rabbit_out *m = out->box.first; m; m = m->item.next)
        out->all[n++] = m;
    return LEAT_OK;
}

static void put(const void *item, struct leat_bytes *section)
{
    const struct rabbit_out *m = item;

    leat_bytes_put_slice(section, m->routing_key);
    leat_bytes_put_slice(section, m->value);
    leat_bytes_put_slice(section, m->headers);
    leat_bytes_put_u64(section, (uint64_t)m->time_ms);
}

void rabbit_outbox_write(const struct rabbit_outbox *out, struct leat_bytes *section)
{
    leat_outbox_write(&out->box, put, section);
}

static enum leat_status take(struct leat_outbox *box, struct leat_slice *from,
                             struct leat_error *err)
{
    struct leat_slice key, value, headers;
    uint64_t time_ms;

    if (!leat_take_slice(from, &key) || !leat_take_slice(from, &value) ||
        !leat_take_slice(from, &headers) || !leat_take_u64(from, &time_ms))
        return leat_outbox_damaged(err);
    struct rabbit_out *m = leat_outbox_add(box, sizeof *m);
    if (!m)
        return leat_arena_failed(&box->arena, err);
    m->routing_key = key;
    m->value = value;
    m->headers = headers;
    m->time_ms = (int64_t)time_ms;
    return LEAT_OK;
}

enum leat_status rabbit_outbox_read(struct rabbit_outbox *out, struct leat_slice from,
                                    struct leat_error *err)
{
    if (leat_outbox_read(&out->box, from, take, err) != LEAT_OK)
        return err->status;
    return rabbit_outbox_end(out, err);
}
