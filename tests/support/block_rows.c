#include "block_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct made {
    char key[32], value[300], headers[32];
    struct leat_row row;
};

static void make(struct made *m, uint32_t part, int64_t position)
{
    size_t pad = (size_t)(position * 37 % 200);

    snprintf(m->key, sizeof m->key, "k%" PRId64, position);
    int n = snprintf(m->value, sizeof m->value, "%u:%" PRId64 ":", part, position);
    memset(m->value + n, 'x', pad);
    snprintf(m->headers, sizeof m->headers, "h%" PRId64, position % 7);
    m->row = (struct leat_row){.key = leat_slice_str(m->key),
                               .value = {m->value, (size_t)n + pad},
                               .headers = leat_slice_str(m->headers),
                               .time_ms = 0x0101010101010101 + position,
                               .position = position};
}

struct leat_block *block_rows_new(struct leat_budget *budget, uint32_t part, int64_t from,
                                  int64_t to)
{
    struct leat_block *b;
    struct leat_error err;
    struct made m;

    if (leat_block_new(budget, &leat_coding_framed, (size_t)(to - from) * 400, &b, &err) != LEAT_OK)
        abort();
    b->part = part;
    b->from = from;
    for (int64_t i = from; i < to; i++) {
        make(&m, part, i);
        if (!leat_block_append(b, &m.row))
            abort();
    }
    leat_block_seal(b, to);
    return b;
}

static bool same(const struct leat_row *a, const struct leat_row *b)
{
    return leat_slice_eq(a->key, b->key) && leat_slice_eq(a->value, b->value) &&
           leat_slice_eq(a->headers, b->headers) && a->time_ms == b->time_ms &&
           a->position == b->position;
}

int64_t block_rows_check(const struct leat_block *b, int64_t from)
{
    struct leat_slice rest = b->bytes;
    struct leat_row row;
    struct made m;

    for (; rest.len; from++) {
        make(&m, b->part, from);
        if (!leat_framed_take(&rest, b->from, &row) || !same(&row, &m.row))
            return -1;
    }
    return from == b->to ? from : -1;
}
