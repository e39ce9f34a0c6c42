/*
 * rate.c - the estimate is a PID controller in the form that Spark Streaming's guide describes
 * (backpressure, `pid`): the rate that is set is corrected by how far it is from the rate at which
 * the batch was worked off, by what has piled up meanwhile (the time it waited, in records, spread
 * over an interval), and by how fast the first of them changes.
 */
#include "run/rate.h"

bool leat_rate_estimate(struct leat_rate_estimator *e, const struct leat_rate_batch *b,
                        double *rate)
{
    if ((e->begun && b->ended_ms <= e->ended_ms) || b->records <= 0 || b->processing_ms <= 0)
        return false;
    double worked_off = (double)b->records * 1000 / (double)b->processing_ms;
    double since_s = (double)(b->ended_ms - e->ended_ms) / 1000;
    double error = e->rate - worked_off;
    double piled_up = (double)b->scheduling_ms * worked_off / (double)e->every_ms;
    bool first = !e->begun;

    e->begun = true;
    e->ended_ms = b->ended_ms;
    if (first) {
        e->rate = worked_off;
        e->error = 0;
        return false;
    }
    double next = e->rate - e->proportional * error - e->integral * piled_up -
                  e->derived * (error - e->error) / since_s;
    e->rate = next > e->min_rate ? next : e->min_rate;
    e->error = error;
    *rate = e->rate;
    return true;
}

double leat_rate_limit(double rate, double max)
{
    if (rate <= 0)
        return max;
    return max > 0 && rate > max ? max : rate;
}
