/*
 * hand_plan.h - a word count as a plan made by hand, to test what runs plans.
 *
 *     source(s): lines -> [words as key bytes] -> exchange -> counts -> sink 0
 *                      \-> the lines themselves -> sink 1
 *
 * With window_ms 0 each batch gives the counts of its words; else they are kept in state and come
 * out as "word=count" when the watermark reaches the end of the window of the first.
 */
#ifndef LEAT_HAND_PLAN_H
#define LEAT_HAND_PLAN_H

#include "plan/plan.h"

struct hand_options {
    uint32_t sources;    /* 1 or 2 */
    uint32_t partitions; /* of state */
    int64_t window_ms;
    bool event_time; /* a line begins with its time in ms and a blank */
    int64_t lateness_ms, idle_ms;
    bool on_empty;
    const struct leat_module *connector, *sink_module; /* NULL: driven by hand */
};

struct hand_plan {
    struct leat_plan plan;
    struct hand_options options;
    struct leat_segment segments[2];
    struct leat_plan_node nodes[2][5], counting[2];
    struct leat_plan_stage stages[3];
    struct leat_plan_exchange exchange;
    struct leat_plan_source sources[2];
    struct leat_plan_sink sinks[2];
    const struct leat_plan_node *head_next[2][2], *words_next[2][1], *counts_next[1];
};

void hand_plan_init(struct hand_plan *h, const struct hand_options *options);

#endif
