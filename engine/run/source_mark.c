/*
 * source_mark.c - where the time of a source goes, seen together with the other sources of a plan.
 *
 * run/watermark.h knows one source. Here are the two cases in which sources look at each other: a
 * bounded run that ends, and a silent source in a union with one that speaks. Pure. Thread: job.
 */
#include "run/source_mark.h"

static int64_t close_time(const void *arg, uint32_t source, int64_t time_ms)
{
    return leat_plan_close_time(arg, source, time_ms);
}

static bool share_a_stage(const struct leat_plan *plan, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < plan->stages_count; i++)
        if (plan->stages[i].sources >> a & 1 && plan->stages[i].sources >> b & 1)
            return true;
    return false;
}

/* The least mark of the active sources that a silent one is joined with: it goes along with them,
 * so that it does not hold their windows open. LEAT_NO_TIME: there are none. */
static int64_t mark_of_active(const struct leat_plan *plan, const struct leat_watermark *list,
                              uint32_t silent, int64_t batch_time_ms, int64_t clock_ms)
{
    int64_t least = INT64_MAX;

    for (uint32_t s = 0; s < plan->sources_count; s++) {
        const struct leat_watermark *w = &list[s];
        if (s == silent || !w->event_time || leat_watermark_is_idle(w, clock_ms) ||
            !share_a_stage(plan, s, silent))
            continue;
        int64_t at_ms = leat_watermark_at(w, s, batch_time_ms, clock_ms, false, close_time, plan);
        least = at_ms < least ? at_ms : least;
    }
    return least == INT64_MAX ? LEAT_NO_TIME : least;
}

int64_t leat_source_mark(const struct leat_plan *plan, const struct leat_watermark *list,
                         uint32_t source, int64_t batch_time_ms, int64_t clock_ms, bool close)
{
    int64_t most =
        leat_watermark_at(&list[source], source, batch_time_ms, clock_ms, close, close_time, plan);

    for (uint32_t s = 0; close && s < plan->sources_count; s++) {
        if (!list[source].event_time || !list[s].event_time)
            continue;
        int64_t at_ms =
            leat_watermark_at(&list[s], s, batch_time_ms, clock_ms, close, close_time, plan);
        most = at_ms > most ? at_ms : most;
    }
    if (!close && leat_watermark_is_idle(&list[source], clock_ms)) {
        int64_t others_ms = mark_of_active(plan, list, source, batch_time_ms, clock_ms);
        most = others_ms > most ? others_ms : most;
    }
    return most;
}
