#include "run/watermark.h"

#define PARTS_MIN 16

static bool make_room(struct leat_watermark *w, struct leat_arena *arena, uint32_t part)
{
    uint32_t room = w->parts_room ? w->parts_room : PARTS_MIN;

    while (room <= part)
        room *= 2;
    struct leat_watermark_part *grown = leat_arena_array(arena, room, sizeof *grown);
    uint32_t *open = leat_arena_array(arena, room, sizeof *open);
    if (!grown || !open)
        return false;
    if (w->parts_count)
        memcpy(grown, w->parts, w->parts_count * sizeof *grown);
    if (w->open_count)
        memcpy(open, w->open, w->open_count * sizeof *open);
    w->parts = grown;
    w->open = open;
    w->parts_room = room;
    return true;
}

bool leat_watermark_part(struct leat_watermark *w, struct leat_arena *arena, uint32_t part,
                         int64_t clock_ms)
{
    if (part >= w->parts_room && !make_room(w, arena, part))
        return false;
    for (; w->parts_count <= part; w->parts_count++) {
        w->parts[w->parts_count] =
            (struct leat_watermark_part){.max_ms = LEAT_NO_TIME, .last_ms = clock_ms};
        w->open[w->open_count++] = w->parts_count;
    }
    w->last_ms = clock_ms > w->last_ms ? clock_ms : w->last_ms;
    return true;
}

void leat_watermark_seen(struct leat_watermark *w, uint32_t part, int64_t time_max_ms,
                         int64_t clock_ms)
{
    struct leat_watermark_part *p = &w->parts[part];

    p->last_ms = clock_ms;
    w->last_ms = clock_ms > w->last_ms ? clock_ms : w->last_ms;
    if (time_max_ms > p->max_ms)
        p->max_ms = time_max_ms;
    if (time_max_ms > w->max_ms)
        w->max_ms = time_max_ms;
}

void leat_watermark_at_end(struct leat_watermark *w, uint32_t part, bool at_end, bool finished)
{
    w->parts[part].at_end = at_end || finished;
    if (!finished || w->parts[part].finished)
        return;
    w->parts[part].finished = true;
    for (uint32_t i = 0; i < w->open_count; i++)
        if (w->open[i] == part) {
            w->open[i] = w->open[--w->open_count];
            return;
        }
}

static bool is_idle(const struct leat_watermark *w, const struct leat_watermark_part *p,
                    int64_t clock_ms)
{
    return w->idle_ms && p->at_end && clock_ms - p->last_ms >= w->idle_ms;
}

static int64_t less(int64_t time_ms, int64_t ms)
{
    int64_t result;

    return time_ms == LEAT_NO_TIME || __builtin_sub_overflow(time_ms, ms, &result) ? LEAT_NO_TIME
                                                                                   : result;
}

/* All are idle: whatever is open is to be closed. */
static int64_t closed(const struct leat_watermark *w, uint32_t source, leat_close_time *close_time,
                      const void *arg)
{
    if (w->max_ms == LEAT_NO_TIME)
        return w->now_ms;
    int64_t end_ms = close_time(arg, source, w->max_ms);
    int64_t open_ms = less(w->max_ms, w->lateness_ms);
    end_ms = end_ms > open_ms ? end_ms : open_ms;
    return end_ms > w->now_ms ? end_ms : w->now_ms;
}

int64_t leat_watermark_at(const struct leat_watermark *w, uint32_t source, int64_t batch_time_ms,
                          int64_t clock_ms, bool close, leat_close_time *close_time,
                          const void *arg)
{
    int64_t least = INT64_MAX;
    uint32_t active = 0;

    if (!w->event_time) {
        int64_t end_ms = close ? close_time(arg, source, batch_time_ms - 1) : LEAT_NO_TIME;
        int64_t at_ms = end_ms > batch_time_ms ? end_ms : batch_time_ms;
        return at_ms > w->now_ms ? at_ms : w->now_ms;
    }
    for (uint32_t i = 0; !close && i < w->open_count; i++) {
        const struct leat_watermark_part *p = &w->parts[w->open[i]];
        if (is_idle(w, p, clock_ms))
            continue;
        int64_t mark = less(p->max_ms, w->lateness_ms);
        least = mark < least ? mark : least;
        active++;
    }
    if (close || (active == 0 && w->idle_ms && clock_ms - w->last_ms >= w->idle_ms))
        return closed(w, source, close_time, arg);
    if (active == 0)
        least = less(w->max_ms, w->lateness_ms);
    return least > w->now_ms ? least : w->now_ms;
}

bool leat_watermark_is_idle(const struct leat_watermark *w, int64_t clock_ms)
{
    if (!w->event_time || !w->idle_ms || clock_ms - w->last_ms < w->idle_ms)
        return false;
    for (uint32_t i = 0; i < w->open_count; i++)
        if (!is_idle(w, &w->parts[w->open[i]], clock_ms))
            return false;
    return true;
}

void leat_watermark_move(struct leat_watermark *w, int64_t to_ms)
{
    w->before_ms = w->now_ms;
    if (to_ms > w->now_ms)
        w->now_ms = to_ms;
}

int64_t leat_watermarks_before(const struct leat_watermark *list, uint32_t count, uint64_t sources)
{
    int64_t least = INT64_MAX;

    for (uint32_t i = 0; i < count && i < 64; i++)
        if (sources >> i & 1 && list[i].before_ms < least)
            least = list[i].before_ms;
    return least == INT64_MAX ? LEAT_NO_TIME : least;
}

int64_t leat_watermarks_now(const struct leat_watermark *list, uint32_t count, uint64_t sources)
{
    int64_t least = INT64_MAX;

    for (uint32_t i = 0; i < count && i < 64; i++)
        if (sources >> i & 1 && list[i].now_ms < least)
            least = list[i].now_ms;
    return least == INT64_MAX ? LEAT_NO_TIME : least;
}
