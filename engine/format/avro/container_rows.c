/* container_rows.c - the records of a container's blocks, found one behind the other by a worker.
 */
#include "container.h"
#include "reader.h"

#include <inttypes.h>
#include <stdio.h>

/* A piece of a leat_block. */
struct part {
    struct avro_piece head;
    const char *begin, *end;
};

/* These pieces were made here in memory: their lengths fit. */
static struct part part_at(const struct leat_block *b, size_t at)
{
    struct part p;

    memcpy(&p.head, b->bytes.ptr + at, sizeof p.head);
    p.begin = b->bytes.ptr + at + sizeof p.head;
    p.end = p.begin + p.head.bytes;
    return p;
}

static void add(struct leat_chunk *into, const char *begin, const char *end, int64_t position)
{
    leat_chunk_add(into, &(struct leat_row){.value = {begin, (size_t)(end - begin)},
                                            .time_ms = LEAT_NO_TIME,
                                            .position = position});
}

/* The one row of a chunk: bytes that are no records, and why. */
static enum leat_status add_damage(struct leat_chunk *into, const char *begin, const char *end,
                                   int64_t position, const char *why, struct leat_error *err)
{
    struct avro_written *w = leat_arena_alloc(into->arena, sizeof *w);

    if (!w)
        return leat_arena_failed(into->arena, err);
    w->damage = why;
    into->written = w;
    add(into, begin, end, position);
    return LEAT_OK;
}

static enum leat_status add_broken(struct leat_chunk *into, const struct part *p, const char *from,
                                   int64_t position, const char *reason, struct leat_error *err)
{
    char text[200];
    int n = snprintf(text, sizeof text,
                     "Avro: record %" PRId64 " of a block of %u is damaged, and so nothing behind "
                     "it in the block can be read: %s",
                     position - p->head.first + 1, p->head.count, reason);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    struct leat_slice copy = leat_arena_copy(into->arena, (struct leat_slice){text, len});

    if (!copy.ptr)
        return leat_arena_failed(into->arena, err);
    size_t bytes = (size_t)(p->end - from);
    bytes = bytes < p->head.most ? bytes : p->head.most;
    return add_damage(into, from, from + bytes, position, copy.ptr, err);
}

/* From c->position on, the next records of this piece. *full: no more go into the chunk, c says
 * where to go on. */
static enum leat_status walk(struct leat_cursor *c, const struct leat_block *b,
                             const struct part *p, struct leat_chunk *into, bool *full,
                             struct leat_error *err)
{
    const struct avro_written *w = (const void *)b->coding; /* its first member */
    const char *at = b->bytes.ptr + c->at;
    int64_t end = p->head.first + p->head.count, position = c->position;

    if (at < p->begin || at > p->end) { /* the walk comes from the piece before, or begins here */
        at = p->begin;
        position = p->head.first;
    }
    for (; position < end && position < b->to; position++) {
        struct avro_reader r = {
            .begin = at, .end = p->end, .passes = AVRO_VALUES_FREE + 64 * (uint64_t)(p->end - at)};
        c->at = (size_t)(at - b->bytes.ptr);
        c->position = position;
        *full = into->rows == LEAT_CHUNK_ROWS;
        if (*full)
            return LEAT_OK;
        r.values = r.passes;
        const char *behind = avro_skip(&r, w->made.schema.root, at);
        const char *reason = !behind                                  ? r.why
                             : position == end - 1 && behind < p->end ? "something stands behind it"
                                                                      : NULL;
        if (reason) {
            *full = position >= b->from; /* it gets a chunk of its own */
            if (into->rows)
                return LEAT_OK;
            c->at = (size_t)(p->end - b->bytes.ptr);
            c->position = end;
            return *full ? add_broken(into, p, at, position, reason, err) : LEAT_OK;
        }
        if (position >= b->from)
            add(into, at, behind, position);
        at = behind;
    }
    c->position = position;
    return LEAT_OK;
}

enum leat_status avro_rows_next(struct leat_cursor *c, const struct leat_block *b,
                                struct leat_chunk *into, struct leat_error *err)
{
    bool full = false;

    leat_chunk_clear(into, b->part);
    into->written = b->coding;
    if (c->position < b->from)
        c->position = b->from;
    for (size_t i = 0; i < b->bytes.len && !full && c->position < b->to;) {
        struct part p = part_at(b, i);
        i = (size_t)(p.end - b->bytes.ptr);
        if (c->position >= p.head.first + p.head.count)
            continue;
        if (p.head.damage == 0) {
            if (walk(c, b, &p, into, &full, err) != LEAT_OK)
                return err->status;
        } else if (into->rows) {
            return LEAT_OK;
        } else {
            c->position = p.head.first + p.head.count;
            if (p.head.first >= b->from)
                return add_damage(into, p.begin + p.head.damage, p.end, p.head.first, p.begin, err);
        }
    }
    return LEAT_OK;
}
