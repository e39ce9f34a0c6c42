#include "store/block_front.h"

#include "base/crc32c.h"

struct leat_slice leat_block_front_write(const struct leat_block_front *f, char *into)
{
    struct leat_bytes b = {.ptr = into, .room = LEAT_BLOCK_FRONT_MAX};

    leat_bytes_put_u32(&b, f->places_count);
    leat_bytes_put_u32(&b, f->blocks_count);
    for (uint32_t i = 0; i < f->places_count; i++) {
        leat_bytes_put_u32(&b, f->places[i].part);
        leat_bytes_put_u64(&b, (uint64_t)f->places[i].next);
        leat_bytes_put_u64(&b, (uint64_t)f->places[i].done);
    }
    for (uint32_t i = 0; i < f->blocks_count; i++) {
        const struct leat_block_entry *e = &f->blocks[i];
        leat_bytes_put_u32(&b, e->part);
        leat_bytes_put_u64(&b, (uint64_t)e->from);
        leat_bytes_put_u64(&b, (uint64_t)e->to);
        leat_bytes_put_u32(&b, e->rows);
        leat_bytes_put_u32(&b, e->bytes);
        leat_bytes_put_u32(&b, e->crc);
    }
    return leat_bytes_slice(&b);
}

static bool take_i64(struct leat_slice *from, int64_t *v)
{
    uint64_t u;

    if (!leat_take_u64(from, &u))
        return false;
    *v = (int64_t)u;
    return true;
}

static bool take_place(struct leat_slice *from, struct leat_block_place *p)
{
    return leat_take_u32(from, &p->part) && take_i64(from, &p->next) && take_i64(from, &p->done) &&
           p->part < LEAT_BLOCK_PARTS && p->done >= 0 && p->next >= p->done;
}

static bool take_block(struct leat_slice *from, struct leat_block_entry *e)
{
    return leat_take_u32(from, &e->part) && take_i64(from, &e->from) && take_i64(from, &e->to) &&
           leat_take_u32(from, &e->rows) && leat_take_u32(from, &e->bytes) &&
           leat_take_u32(from, &e->crc) && e->part < LEAT_BLOCK_PARTS && e->from >= 0 &&
           e->to >= e->from;
}

/* Blocks of a partition are in order. */
static bool is_behind_others(const struct leat_block_front *f, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (f->blocks[k].part == f->blocks[i].part && f->blocks[k].to > f->blocks[i].from)
            return false;
    return true;
}

bool leat_block_front_read(struct leat_slice bytes, struct leat_block_front *f)
{
    uint64_t at = 0;

    if (!leat_take_u32(&bytes, &f->places_count) || !leat_take_u32(&bytes, &f->blocks_count) ||
        f->places_count > LEAT_BLOCK_PARTS || f->blocks_count > LEAT_BLOCK_GROUP)
        return false;
    for (uint32_t i = 0; i < f->places_count; i++)
        if (!take_place(&bytes, &f->places[i]))
            return false;
    for (uint32_t i = 0; i < f->blocks_count; i++) {
        if (!take_block(&bytes, &f->blocks[i]) || !is_behind_others(f, i))
            return false;
        f->blocks[i].at = at;
        at += f->blocks[i].bytes;
    }
    return bytes.len == 0;
}

bool leat_block_front_matches(struct leat_slice payload, size_t front_bytes)
{
    struct leat_block_front f;
    struct leat_slice rest = {payload.ptr + front_bytes, payload.len - front_bytes};

    if (!leat_block_front_read((struct leat_slice){payload.ptr, front_bytes}, &f))
        return false;
    for (uint32_t i = 0; i < f.blocks_count; i++) {
        const struct leat_block_entry *e = &f.blocks[i];
        if (e->bytes > rest.len || leat_crc32c((struct leat_slice){rest.ptr, e->bytes}) != e->crc)
            return false;
        rest.ptr += e->bytes;
        rest.len -= e->bytes;
    }
    return rest.len == 0;
}
