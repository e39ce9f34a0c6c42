#include "frames.h"

#include <endian.h>

#define PARTS_MAX  1024
#define SIZE_FIRST ((size_t)4 * 1024)

static uint32_t number(const char *at)
{
    uint32_t n;

    memcpy(&n, at, sizeof n);
    return be32toh(n);
}

static void give(struct flume_frames *f)
{
    f->room->used -= f->size;
    leat_budget_give(f->room->budget, f->size);
    leat_mem_free(f->payload);
    f->payload = NULL;
    f->size = 0;
}

/* As much as `size` bytes. */
static enum leat_status have(struct flume_frames *f, size_t size, struct leat_error *err)
{
    if (size - f->size > f->room->max - f->room->used || !leat_budget_take(f->room->budget, size))
        return leat_fail(err, LEAT_E_FULL, "no room for a call of %zu bytes", f->used + f->left);
    char *larger = leat_mem_alloc_raw(size);
    if (!larger) {
        leat_budget_give(f->room->budget, size);
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    }
    if (f->used)
        memcpy(larger, f->payload, f->used);
    give(f);
    f->room->used += size;
    f->payload = larger;
    f->size = size;
    return LEAT_OK;
}

static enum leat_status grow(struct flume_frames *f, struct leat_error *err)
{
    size_t all = f->used + f->left, size = f->size ? 2 * f->size : SIZE_FIRST;

    return have(f, size < all ? size : all, err);
}

enum leat_status flume_frames_reserve(struct flume_frames *f, struct leat_error *err)
{
    return f->size ? LEAT_OK : have(f, SIZE_FIRST, err);
}

enum leat_status flume_frames_want(struct flume_frames *f, char **into, size_t *len,
                                   struct leat_error *err)
{
    if (f->at != FRAMES_DATA) {
        *into = f->head + f->head_used;
        *len = (f->at == FRAMES_HEAD ? 8 : 4) - f->head_used;
        return LEAT_OK;
    }
    if (f->used == f->size && grow(f, err) != LEAT_OK)
        return err->status;
    *into = f->payload + f->used;
    *len = f->size - f->used < f->left ? f->size - f->used : f->left;
    return LEAT_OK;
}

static void next_part(struct flume_frames *f)
{
    f->at = f->parts ? FRAMES_LENGTH : FRAMES_WHOLE;
    f->head_used = 0;
}

static enum leat_status begin(struct flume_frames *f, struct leat_error *err)
{
    f->serial = (int32_t)number(f->head);
    f->parts = number(f->head + 4);
    if (f->parts > PARTS_MAX)
        return leat_fail(err, LEAT_E_DATA, "what it sends is no Avro call");
    next_part(f);
    return LEAT_OK;
}

static enum leat_status begin_part(struct flume_frames *f, struct leat_error *err)
{
    f->left = number(f->head);
    f->parts--;
    if (f->left > f->max_bytes - f->used)
        return leat_fail(err, LEAT_E_DATA, "a call of %zu bytes; 'max_frame' is %zu",
                         f->used + f->left, f->max_bytes);
    f->at = FRAMES_DATA;
    if (f->left == 0)
        next_part(f);
    return LEAT_OK;
}

enum leat_status flume_frames_took(struct flume_frames *f, size_t len, struct leat_error *err)
{
    if (f->at == FRAMES_DATA) {
        f->used += len;
        f->left -= len;
        if (f->left == 0)
            next_part(f);
        return LEAT_OK;
    }
    f->head_used += len;
    if (f->at == FRAMES_HEAD && f->head_used == 8)
        return begin(f, err);
    if (f->at == FRAMES_LENGTH && f->head_used == 4)
        return begin_part(f, err);
    return LEAT_OK;
}

void flume_frames_next(struct flume_frames *f)
{
    if (f->size > SIZE_FIRST || f->room->used > f->room->max / 2)
        give(f);
    f->at = FRAMES_HEAD;
    f->head_used = f->used = f->left = 0;
}

void flume_frames_fini(struct flume_frames *f)
{
    if (f->payload)
        give(f);
    f->at = FRAMES_HEAD;
    f->head_used = f->used = f->left = 0;
}

void flume_frame_head(char into[FLUME_FRAME_HEAD], int32_t serial, size_t len)
{
    uint32_t head[] = {htobe32((uint32_t)serial), htobe32(1), htobe32((uint32_t)len)};

    memcpy(into, head, sizeof head);
}
