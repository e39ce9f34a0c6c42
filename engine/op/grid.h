/*
 * grid.h - where windows begin and end, and the panes that they are made of.
 *
 * Windows are [start, start + size), one for each point of a grid with distance `slide`. Between
 * two neighbouring points where any window begins or ends lies a *pane*: a row belongs to one, and
 * a window is a run of whole panes, at most two per slide (Krishnamurthy, Wu, Franklin: "On-the-fly
 * sharing for streamed aggregation", 2006: paired windows). Panes are named by their start.
 *
 * With a zone all arithmetic is on what clocks there show, in whole days, so that windows begin at
 * true midnights and have 23 or 25 hours where clocks change. Times are milliseconds since 1970.
 * Everything is pure; no state, any thread.
 */
#ifndef LEAT_OP_GRID_H
#define LEAT_OP_GRID_H

#include "op/view.h"

/* Times beyond are no times of ours: years 1 to 9999 are well inside. */
#define LEAT_GRID_TIME_MAX (INT64_C(1) << 52)

struct leat_grid {
    int64_t size_ms, slide_ms;    /* above 0, below 2^52 */
    int64_t end_ms;               /* one of the points where windows end, in [0, slide) */
    const struct leat_zone *zone; /* NULL: UTC */
};

/* Event time: windows *begin* at multiples of slide since 1970, plus offset. Batch time: they *end*
 * there, as Spark's do. */
struct leat_grid leat_grid_of(const struct leat_window_spec *w, bool event_time);

/* The pane of a time. False: between windows (slide above size), no window has it. */
bool leat_grid_pane(const struct leat_grid *g, int64_t time_ms, int64_t *start_ms, int64_t *end_ms);

/* The first and the last window that the pane with this start belongs to, by their ends. */
int64_t leat_grid_first_end(const struct leat_grid *g, int64_t pane_start_ms);
int64_t leat_grid_last_end(const struct leat_grid *g, int64_t pane_start_ms);

/* The next window's end; the start of the window with this end. */
int64_t leat_grid_next_end(const struct leat_grid *g, int64_t end_ms);
int64_t leat_grid_start(const struct leat_grid *g, int64_t end_ms);

/* The last end that is not above time_ms. */
int64_t leat_grid_end_before(const struct leat_grid *g, int64_t time_ms);

/* Is a window exactly one pane? */
bool leat_grid_is_tumbling(const struct leat_grid *g);

/* How many panes a window has. */
int64_t leat_grid_panes(const struct leat_grid *g);

#endif
