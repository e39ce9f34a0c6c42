/* rows.c - the records of a leat_block, one behind the other. */
#include "sequence.h"

static void add(struct leat_chunk *into, const struct sequence_row *r, const char *p)
{
    leat_chunk_add(into, &(struct leat_row){.value = {p, r->bytes},
                                            .time_ms = LEAT_NO_TIME,
                                            .position = r->position});
}

/* The one row of a chunk: bytes that are no record, and why. */
static enum leat_status add_damage(struct leat_chunk *into, const struct sequence_row *r,
                                   const char *p, struct leat_error *err)
{
    struct sequence_written *w = leat_arena_alloc(into->arena, sizeof *w);

    if (!w)
        return leat_arena_failed(into->arena, err);
    w->damage = p;
    into->written = w;
    add(into, r, p + r->damage);
    return LEAT_OK;
}

/* These rows were made here in memory: their lengths fit. */
static enum leat_status rows_next(struct leat_cursor *c, const struct leat_block *b,
                                  struct leat_chunk *into, struct leat_error *err)
{
    struct sequence_row r;

    leat_chunk_clear(into, b->part);
    into->written = b->coding; /* its first member */
    while (c->at < b->bytes.len && into->rows < LEAT_CHUNK_ROWS) {
        const char *p = b->bytes.ptr + c->at + sizeof r;
        memcpy(&r, b->bytes.ptr + c->at, sizeof r);
        bool wanted = r.position >= b->from && r.position < b->to;
        if (wanted && r.damage && into->rows) /* it gets a chunk of its own */
            return LEAT_OK;
        c->at += sizeof r + r.damage + r.bytes;
        c->position = r.position + 1;
        if (wanted && r.damage)
            return add_damage(into, &r, p, err);
        if (wanted)
            add(into, &r, p);
    }
    return LEAT_OK;
}

#define ONE(k, v)                                                                                  \
    {                                                                                              \
        .coding = {.name = "sequence file", .next = rows_next}, .key = (k), .value = (v)           \
    }
#define ALL(k)                                                                                     \
    {                                                                                              \
        ONE(k, 0), ONE(k, 1), ONE(k, 2), ONE(k, 3), ONE(k, 4), ONE(k, 5), ONE(k, 6), ONE(k, 7)     \
    }

const struct sequence_written *sequence_written(enum sequence_class key, enum sequence_class value)
{
    static const struct sequence_written all[SEQUENCE_CLASSES][SEQUENCE_CLASSES] = {
        ALL(0), ALL(1), ALL(2), ALL(3), ALL(4), ALL(5), ALL(6), ALL(7)};

    return &all[key][value];
}
