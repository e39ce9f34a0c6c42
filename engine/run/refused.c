#include "run/refused.h"

#include "op/dead_letter.h"

#include <stdio.h>

#define KEEP_BYTES ((size_t)65536)

/* The row's chunk, where it is among these. */
static struct leat_chunk *find_in(const struct leat_sealed *rows, const int64_t *row)
{
    for (const struct leat_sealed *s = rows; s; s = s->next)
        if (row >= s->chunk.times_ms && row < s->chunk.times_ms + s->chunk.rows)
            return (struct leat_chunk *)&s->chunk;
    return NULL;
}

static struct leat_chunk *find(const struct leat_given *g, const int64_t *row)
{
    struct leat_chunk *chunk = find_in(g->letters, row);

    for (uint32_t i = 0; !chunk && i < g->count; i++)
        chunk = find_in(g->batches[i].rows, row);
    return chunk;
}

/* The sealed chunk is nobody else's while it is being written. */
static void deselect(struct leat_chunk *c, uint16_t row)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < c->selected; i++)
        if (c->selection[i] != row)
            c->selection[kept++] = c->selection[i];
    c->selected = kept;
}

static struct leat_slice stage_of(const struct leat_plan *plan, uint32_t sink,
                                  struct leat_arena *arena)
{
    struct leat_bytes b = {.arena = arena};
    struct leat_slice name = plan->sinks[sink].name;

    leat_bytes_put(&b, "sinks.", 6);
    leat_bytes_put(&b, name.ptr, name.len);
    return b.failed ? (struct leat_slice){0} : leat_bytes_slice(&b);
}

/* Key and value stay where they are: the outputs of a group live as long as its letters. */
static enum leat_status add_letter(struct leat_left_out *l, const struct leat_plan *plan,
                                   uint32_t sink, const struct leat_chunk *c, uint16_t row,
                                   const struct leat_refused *r, struct leat_error *err)
{
    struct leat_arena *a = &l->arena;
    struct leat_sealed *s = leat_arena_alloc(a, sizeof *s);
    struct leat_slice *slices = leat_arena_array(a, 4, sizeof *slices);
    int64_t *numbers = leat_arena_array(a, 2, sizeof *numbers);
    uint16_t *selection = leat_arena_alloc(a, sizeof *selection);
    struct leat_slice stage = stage_of(plan, sink, a);

    if (!s || !slices || !numbers || !selection || !stage.ptr)
        return leat_arena_failed(a, err);
    slices[0] = c->keys[row];
    slices[1] = c->values[row];
    slices[2] = leat_letter_headers(c->headers[row], r->why, stage, r->to, a);
    slices[3] = plan->letters_route;
    if (!slices[2].ptr)
        return leat_arena_failed(a, err);
    numbers[0] = c->times_ms[row];
    numbers[1] = c->positions[row];
    s->chunk = (struct leat_chunk){.arena = a,
                                   .rows = 1,
                                   .selected = 1,
                                   .selection = selection,
                                   .keys = &slices[0],
                                   .values = &slices[1],
                                   .headers = &slices[2],
                                   .routes = &slices[3],
                                   .times_ms = &numbers[0],
                                   .positions = &numbers[1]};
    if (l->last)
        l->last->next = s;
    else
        l->letters = s;
    l->last = s;
    return LEAT_OK;
}

static enum leat_status refuse(const struct leat_plan *plan, uint32_t sink,
                               const struct leat_refused *r, struct leat_error *err)
{
    bool letter = plan->on_error == LEAT_ON_ERROR_DLQ;

    leat_fail(err, LEAT_E_DATA, "%.*s; %s", LEAT_FMT(r->why),
              letter ? "a dead letter has nowhere else to go: its destination has to take it"
                     : "`on_error: drop` leaves such records out, `on_error: dlq` sends them "
                       "elsewhere");
    return leat_error_prefix(err, "sink '%.*s'", LEAT_FMT(plan->sinks[sink].name));
}

static enum leat_status take(struct leat_left_out *l, const struct leat_plan *plan,
                             const struct leat_given *g, struct leat_chunk *c,
                             const struct leat_refused *r, struct leat_error *err)
{
    uint16_t row = (uint16_t)(r->row - c->times_ms);
    bool dlq = plan->on_error == LEAT_ON_ERROR_DLQ;

    if (plan->on_error == LEAT_ON_ERROR_FAIL || (dlq && g->sink == plan->letters))
        return refuse(plan, g->sink, r, err);
    if (dlq && add_letter(l, plan, g->sink, c, row, r, err) != LEAT_OK)
        return err->status;
    deselect(c, row);
    if (l->count++ == 0)
        snprintf(l->first, sizeof l->first, "sink '%.*s': %.*s",
                 LEAT_FMT(plan->sinks[g->sink].name), LEAT_FMT(r->why));
    return LEAT_OK;
}

enum leat_status leat_leave_out(struct leat_left_out *l, const struct leat_plan *plan,
                                struct leat_refusals *told, const struct leat_given *given,
                                uint32_t given_count, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    for (const struct leat_refused *r = told->first; r && status == LEAT_OK; r = r->next) {
        struct leat_chunk *c = NULL;
        uint32_t i = 0;
        while (i < given_count && !(c = find(&given[i], r->row)))
            i++;
        status = c ? take(l, plan, &given[i], c, r, err)
                   : leat_fail(err, LEAT_E_CORRUPT, "%.*s: of a row that was not written",
                               LEAT_FMT(r->why));
    }
    leat_refusals_clear(told);
    return status;
}

void leat_left_out_clear(struct leat_left_out *l)
{
    l->letters = l->last = NULL;
    l->count = 0;
    leat_arena_recycle(&l->arena, KEEP_BYTES);
}
