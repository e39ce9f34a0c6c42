#include "data/outbox.h"

#define VERSION    1
#define ARENA_KEEP ((size_t)4 * 1024 * 1024)

void *leat_outbox_add(struct leat_outbox *box, size_t bytes)
{
    struct leat_outbox_item *item = leat_arena_alloc(&box->arena, bytes), *last = box->last;

    if (!item)
        return NULL;
    if (last)
        last->next = item;
    else
        box->first = item;
    box->last = item;
    box->count++;
    return item;
}

void leat_outbox_write(const struct leat_outbox *box, leat_outbox_put *put,
                       struct leat_bytes *section)
{
    uint8_t version = VERSION;

    leat_bytes_put(section, &version, 1);
    leat_bytes_put_u32(section, box->count);
    for (const struct leat_outbox_item *item = box->first; item; item = item->next)
        put(item, section);
}

enum leat_status leat_outbox_damaged(struct leat_error *err)
{
    return leat_fail(err, LEAT_E_CORRUPT, "what was to be sent is damaged in the log's record");
}

enum leat_status leat_outbox_read(struct leat_outbox *box, struct leat_slice from,
                                  leat_outbox_take *take, struct leat_error *err)
{
    uint8_t version = 0;
    uint32_t count = 0;

    leat_outbox_clear(box);
    if (!leat_take(&from, &version, 1) || version != VERSION || !leat_take_u32(&from, &count))
        return leat_outbox_damaged(err);
    for (; count > 0; count--)
        if (take(box, &from, err) != LEAT_OK)
            return err->status;
    return from.len == 0 ? LEAT_OK : leat_outbox_damaged(err);
}

void leat_outbox_clear(struct leat_outbox *box)
{
    leat_arena_recycle(&box->arena, ARENA_KEEP);
    box->first = box->last = NULL;
    box->count = 0;
}

void leat_outbox_free(struct leat_outbox *box)
{
    leat_outbox_clear(box);
    leat_arena_reset(&box->arena);
}
