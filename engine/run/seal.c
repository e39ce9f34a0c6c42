#include "run/seal.h"

#include "data/key.h"

/* Small at first: there are as many as tasks times state partitions. */
#define BLOCK_BYTES_MIN ((size_t)1024)
#define BLOCK_BYTES_MAX ((size_t)64 * 1024)

/* Chunks without headers or routes share this: nobody writes to a sealed chunk. */
static const struct leat_slice none[LEAT_CHUNK_ROWS];

static struct leat_frames *frames_of(struct leat_stage_task *t, const struct leat_plan *plan,
                                     uint32_t exchange)
{
    if (!t->frames)
        t->frames = leat_arena_array(t->arena, plan->exchanges_count, sizeof *t->frames);
    if (t->frames && !t->frames[exchange])
        t->frames[exchange] =
            leat_arena_array(t->arena, plan->exchanges[exchange].partitions, sizeof **t->frames);
    return t->frames ? t->frames[exchange] : NULL;
}

/* As leat_block_new(), but in the arena: it is never given back by itself. */
static bool append_block(struct leat_stage_task *t, struct leat_frames *list, uint32_t part,
                         size_t need)
{
    size_t room = list->last ? list->last->room * 4 : BLOCK_BYTES_MIN;

    room = room > BLOCK_BYTES_MAX ? BLOCK_BYTES_MAX : room;
    room = room < need ? need : room;
    struct leat_block *b = leat_arena_alloc(t->arena, sizeof *b + room);
    if (!b)
        return false;
    b->coding = &leat_coding_framed;
    b->bytes.ptr = (char *)(b + 1);
    b->room = room;
    b->part = part;
    b->from = list->rows;
    b->time_min_ms = b->time_max_ms = LEAT_NO_TIME;
    if (list->last) {
        leat_block_seal(list->last, list->rows);
        list->last->msg.next = &b->msg;
    } else {
        list->first = b;
    }
    list->last = b;
    return true;
}

static enum leat_status add_frame(struct leat_stage_task *t, struct leat_frames *list,
                                  uint32_t part, struct leat_row *row, struct leat_error *err)
{
    row->position = list->rows;
    if (!list->last || !leat_block_append(list->last, row)) {
        size_t need = row->key.len + row->value.len + row->headers.len + 64;
        if (!append_block(t, list, part, need))
            return leat_arena_failed(t->arena, err);
        if (!leat_block_append(list->last, row))
            return leat_fail(err, LEAT_E_DATA, "exchange: a row of %zu MiB", need >> 20);
    }
    list->rows++;
    return LEAT_OK;
}

enum leat_status leat_seal_frames(struct leat_stage_task *t, const struct leat_plan *plan,
                                  uint32_t exchange, const struct leat_chunk *c,
                                  struct leat_error *err)
{
    uint32_t partitions = plan->exchanges[exchange].partitions;
    struct leat_frames *lists = frames_of(t, plan, exchange);

    if (!lists)
        return leat_arena_failed(t->arena, err);
    for (uint32_t i = 0; i < c->selected; i++) {
        uint16_t at = c->selection[i];
        struct leat_row row = {.key = c->keys[at],
                               .value = c->values[at],
                               .headers = c->headers[at],
                               .time_ms = c->times_ms[at]};
        uint32_t q = 0;
        if (partitions > 1)
            q = leat_key_partition(leat_key_hash(row.key), partitions);
        if (add_frame(t, &lists[q], q, &row, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

void leat_seal_end(struct leat_stage_task *t, const struct leat_plan *plan)
{
    for (uint32_t x = 0; t->frames && x < plan->exchanges_count; x++)
        for (uint32_t q = 0; t->frames[x] && q < plan->exchanges[x].partitions; q++)
            if (t->frames[x][q].last)
                leat_block_seal(t->frames[x][q].last, t->frames[x][q].rows);
}

/* One run of bytes for all of them; those without stay without. */
static struct leat_slice *copy_slices(struct leat_arena *a, const struct leat_chunk *c,
                                      const struct leat_slice *from, uint64_t *bytes)
{
    size_t len = 0, some = 0;

    for (uint32_t i = 0; i < c->selected; i++) {
        len += from[c->selection[i]].len;
        some += from[c->selection[i]].ptr != NULL;
    }
    if (some == 0)
        return (struct leat_slice *)none;
    struct leat_slice *into = leat_arena_array(a, c->selected, sizeof *into);
    char *at = into ? leat_arena_alloc(a, len + 1) : NULL;
    if (!at)
        return NULL;
    for (uint32_t i = 0; i < c->selected; i++) {
        struct leat_slice s = from[c->selection[i]];
        if (!s.ptr)
            continue;
        memcpy(at, s.ptr, s.len);
        into[i] = (struct leat_slice){at, s.len};
        at += s.len;
    }
    *bytes += len;
    return into;
}

static bool copy_rows(struct leat_arena *a, const struct leat_chunk *c, struct leat_chunk *into,
                      uint64_t *bytes)
{
    into->part = c->part;
    into->rows = into->selected = c->selected;
    into->keys = copy_slices(a, c, c->keys, bytes);
    into->values = copy_slices(a, c, c->values, bytes);
    into->headers = copy_slices(a, c, c->headers, bytes);
    into->routes = copy_slices(a, c, c->routes, bytes);
    into->selection = leat_arena_array(a, c->selected, sizeof *into->selection);
    into->times_ms = leat_arena_array(a, c->selected, sizeof *into->times_ms);
    into->positions = leat_arena_array(a, c->selected, sizeof *into->positions);
    if (!into->keys || !into->values || !into->headers || !into->routes || !into->selection ||
        !into->times_ms || !into->positions)
        return false;
    if (c->windows)
        into->windows = leat_arena_array(a, c->selected, sizeof *into->windows);
    if (c->windows && !into->windows)
        return false;
    for (uint32_t i = 0; i < c->selected; i++) {
        if (c->windows)
            into->windows[i] = c->windows[c->selection[i]];
        into->selection[i] = (uint16_t)i;
        into->times_ms[i] = c->times_ms[c->selection[i]];
        into->positions[i] = c->positions[c->selection[i]];
    }
    return true;
}

enum leat_status leat_seal_output(struct leat_stage_task *t, uint32_t sink, uint32_t branch,
                                  const struct leat_chunk *chunk, struct leat_error *err)
{
    struct leat_sealed_list *out = &t->outputs[sink];

    if (chunk->selected == 0)
        return LEAT_OK;
    struct leat_sealed *sealed = leat_arena_alloc(t->kept, sizeof *sealed);
    if (!sealed || !copy_rows(t->kept, chunk, &sealed->chunk, &out->bytes))
        return leat_arena_failed(t->kept, err);
    sealed->chunk.arena = t->kept;
    sealed->branch = branch;
    if (out->last)
        out->last->next = sealed;
    else
        out->first = sealed;
    out->last = sealed;
    out->rows += chunk->selected;
    return LEAT_OK;
}
