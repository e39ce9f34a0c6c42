#include "op/grid.h"

#include "expr/zone.h"

static int64_t floor_mod(int64_t a, int64_t n)
{
    int64_t rest = a % n;

    return rest < 0 ? rest + n : rest;
}

static int64_t floor_div(int64_t a, int64_t n)
{
    return (a - floor_mod(a, n)) / n;
}

/* What clocks show, and back. */
static int64_t to_local(const struct leat_grid *g, int64_t time_ms)
{
    if (!g->zone)
        return time_ms;
    return time_ms + 1000 * (int64_t)leat_zone_offset(g->zone, floor_div(time_ms, 1000), NULL);
}

static int64_t from_local(const struct leat_grid *g, int64_t local_ms)
{
    if (!g->zone)
        return local_ms;
    return 1000 * leat_zone_to_utc(g->zone, floor_div(local_ms, 1000)) + floor_mod(local_ms, 1000);
}

struct leat_grid leat_grid_of(const struct leat_window_spec *w, bool event_time)
{
    int64_t end_ms = floor_mod(w->offset_ms, w->slide_ms);

    if (event_time)
        end_ms = floor_mod(end_ms + w->size_ms, w->slide_ms);
    return (struct leat_grid){w->size_ms, w->slide_ms, end_ms, w->zone};
}

/* Between two ends lies at most one point where windows begin. */
static bool pane_of_local(const struct leat_grid *g, int64_t local, int64_t *start, int64_t *end)
{
    int64_t base = local - floor_mod(local - g->end_ms, g->slide_ms);
    int64_t cut = base + g->slide_ms - g->size_ms % g->slide_ms;

    if (local < cut) {
        *start = base;
        *end = cut;
        return g->size_ms >= g->slide_ms;
    }
    *start = cut;
    *end = base + g->slide_ms;
    return true;
}

bool leat_grid_pane(const struct leat_grid *g, int64_t time_ms, int64_t *start_ms, int64_t *end_ms)
{
    int64_t local = to_local(g, time_ms);

    /* Where clocks go back over midnight, the hour that comes twice is the next day's at once. */
    for (;;) {
        bool inside = pane_of_local(g, local, start_ms, end_ms);
        local = *end_ms;
        *start_ms = from_local(g, *start_ms);
        *end_ms = from_local(g, *end_ms);
        if (time_ms < *end_ms)
            return inside;
    }
}

/* Starts and ends are exact: to_local(from_local(x)) may differ from x where x is never shown, but
 * never by as much as half a day, and the grid of a zone is one of whole days. */
static int64_t local_point(const struct leat_grid *g, int64_t point_ms)
{
    const int64_t day = 86400000;
    int64_t local = to_local(g, point_ms);

    if (!g->zone)
        return local;
    int64_t part = floor_mod(g->end_ms, day);
    return part + day * floor_div(local - part + day / 2, day);
}

int64_t leat_grid_first_end(const struct leat_grid *g, int64_t pane_start_ms)
{
    int64_t local = local_point(g, pane_start_ms);

    return from_local(g, local - floor_mod(local - g->end_ms, g->slide_ms) + g->slide_ms);
}

int64_t leat_grid_last_end(const struct leat_grid *g, int64_t pane_start_ms)
{
    int64_t local = local_point(g, pane_start_ms) + g->size_ms;

    return from_local(g, local - floor_mod(local - g->end_ms, g->slide_ms));
}

int64_t leat_grid_next_end(const struct leat_grid *g, int64_t end_ms)
{
    return from_local(g, local_point(g, end_ms) + g->slide_ms);
}

int64_t leat_grid_start(const struct leat_grid *g, int64_t end_ms)
{
    return from_local(g, local_point(g, end_ms) - g->size_ms);
}

int64_t leat_grid_end_before(const struct leat_grid *g, int64_t time_ms)
{
    int64_t local = to_local(g, time_ms);
    int64_t point = local - floor_mod(local - g->end_ms, g->slide_ms);
    int64_t end_ms = from_local(g, point);

    while (end_ms > time_ms)
        end_ms = from_local(g, point -= g->slide_ms);
    for (int64_t next; (next = from_local(g, point + g->slide_ms)) <= time_ms; end_ms = next)
        point += g->slide_ms;
    return end_ms;
}

bool leat_grid_is_tumbling(const struct leat_grid *g)
{
    return g->size_ms <= g->slide_ms;
}

int64_t leat_grid_panes(const struct leat_grid *g)
{
    if (leat_grid_is_tumbling(g))
        return 1;
    int64_t slides = g->size_ms / g->slide_ms;
    return g->size_ms % g->slide_ms ? 2 * slides + 1 : slides;
}
