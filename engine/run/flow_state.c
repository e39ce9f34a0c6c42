/*
 * flow_state.c - what a flow remembers, seen as a whole.
 *
 * Thread: the job's, while no stage runs, except where said.
 */
#include "run/flow.h"

uint32_t leat_flow_partitions(const struct leat_flow *flow, uint32_t stage)
{
    const struct leat_plan_stage *s = &flow->plan->stages[stage];

    return s->from_source ? 0 : flow->plan->exchanges[s->input].partitions;
}

struct leat_flow_state leat_flow_state(const struct leat_flow *flow)
{
    struct leat_flow_state sum = {0};

    for (uint32_t stage = 0; stage < flow->plan->stages_count; stage++)
        for (uint32_t q = 0; q < leat_flow_partitions(flow, stage); q++) {
            sum.keys += flow->states[stage][q].keys;
            sum.bytes += flow->states[stage][q].arena.bytes;
        }
    return sum;
}

void leat_flow_note_due(struct leat_flow *flow, uint32_t stage)
{
    int64_t least = LEAT_NO_TIME;

    for (uint32_t q = 0; q < leat_flow_partitions(flow, stage); q++) {
        const struct leat_state_part *s = &flow->states[stage][q];
        if (s->memory && s->due_ms != LEAT_NO_TIME && (least == LEAT_NO_TIME || s->due_ms < least))
            least = s->due_ms;
    }
    flow->due_ms[stage] = least;
}

struct leat_state_part *leat_flow_state_part(struct leat_flow *flow, uint32_t stage, uint32_t q)
{
    return &flow->states[stage][q];
}

void leat_flow_state_read(struct leat_flow *flow)
{
    for (uint32_t stage = 0; stage < flow->plan->stages_count; stage++) {
        for (uint32_t q = 0; q < leat_flow_partitions(flow, stage); q++)
            if (flow->states[stage][q].memory)
                leat_state_part_measure(&flow->states[stage][q], &flow->plan->stages[stage]);
        if (leat_flow_partitions(flow, stage))
            leat_flow_note_due(flow, stage);
    }
}
