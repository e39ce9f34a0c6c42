/*
 * job_part.c - the source partitions of a running job: their numbers, names and where they begin.
 *
 * Everything that is as long as there are partitions grows here, between steps. Thread: job.
 */
#include "run/job_thread.h"

#include <inttypes.h>

#define PARTS_MAX (UINT32_C(1) << 24)

static void *larger(const void *old, size_t count, size_t room, size_t size)
{
    void *grown = leat_mem_alloc(room * size);

    if (grown && count)
        memcpy(grown, old, count * size);
    return grown;
}

/* Everything that is as long as there are parts. */
bool leat_job_parts_room(struct leat_job_thread *job)
{
    uint32_t n = job->step.parts_count, room = job->parts_room ? job->parts_room * 2 : 16;
    size_t actions_room = LEAT_JOB_ACTIONS(room, job->plan->sinks_count);

    if (n < job->parts_room)
        return true;
    void *step = larger(job->step.parts, n, room, sizeof *job->step.parts);
    void *active = larger(job->step.active, job->step.active_count, room, sizeof *job->step.active);
    void *parts = larger(job->parts, n, room, sizeof *job->parts);
    void *actions =
        larger(job->actions.list, job->actions.count, actions_room, sizeof *job->actions.list);
    if (!step || !active || !parts || !actions) {
        leat_mem_free(step), leat_mem_free(active), leat_mem_free(parts), leat_mem_free(actions);
        return false;
    }
    leat_mem_free(job->step.parts), leat_mem_free(job->step.active);
    leat_mem_free(job->parts), leat_mem_free(job->actions.list);
    job->step.parts = step;
    job->step.active = active;
    job->parts = parts;
    job->actions = (struct leat_actions){actions, job->actions.count, actions_room};
    job->parts_room = room;
    return true;
}

bool leat_job_map_room(struct leat_job_source *s, uint32_t id)
{
    uint32_t room = s->part_of_room ? s->part_of_room : 16;

    while (room <= id)
        room *= 2;
    if (room == s->part_of_room)
        return true;
    uint32_t *grown = larger(s->part_of, s->part_of_room, room, sizeof *grown);
    if (!grown)
        return false;
    for (uint32_t i = s->part_of_room; i < room; i++)
        grown[i] = LEAT_JOB_NO_PART;
    leat_mem_free(s->part_of);
    s->part_of = grown;
    s->part_of_room = room;
    return true;
}

/* The log's position wins. At least once, a committed one that is not ours was set by hand, and one
 * that is further means that the log is older: then that one wins. */
static int64_t begin_at(const struct leat_job_thread *job, const struct leat_job_source *s,
                        const struct leat_part *p)
{
    const struct leat_log_position *place = leat_job_place(job, s->plan->name, p->name);

    if (!place)
        return p->first;
    if (job->plan->exactly_once || !p->committed || (!p->foreign && place->next >= p->first))
        return place->next;
    if (p->first != place->next)
        leat_warn(&s->log,
                  "partition '%.*s' goes on at %" PRId64 ", where its committed position stands, "
                  "not at %" PRId64 ", where the log ends; what is remembered stays as it is",
                  LEAT_FMT(p->name), p->first, place->next);
    return p->first;
}

/* Positions are committed by partition: of two sources that read the same one, the other would win.
 */
static enum leat_status refuse_twice(const struct leat_job_thread *job,
                                     const struct leat_job_source *s, const struct leat_part *p,
                                     struct leat_error *err)
{
    for (uint32_t i = 0; s->plan->decided && i < job->step.parts_count; i++) {
        const struct leat_job_source *other = &job->sources[job->parts[i]->source];
        if (other != s && other->plan->decided && leat_slice_eq(job->parts[i]->part.name, p->name))
            return leat_fail(err, LEAT_E_CONFIG,
                             "source '%.*s' reads '%.*s' too: exactly_once wants one source for a "
                             "topic, whose streams share it",
                             LEAT_FMT(other->plan->name), LEAT_FMT(p->name));
    }
    return LEAT_OK;
}

static enum leat_status copy_part(struct leat_job_thread *job, struct leat_job_source_part *into,
                                  const struct leat_part *p, struct leat_error *err)
{
    into->part = *p;
    into->part.name = leat_arena_copy(&job->arena, p->name);
    into->part.topic = leat_arena_copy(&job->arena, p->topic);
    if (!into->part.name.ptr || !into->part.topic.ptr)
        return leat_arena_failed(&job->arena, err);
    into->source_id = p->id;
    return LEAT_OK;
}

/* Where a bounded run ends. A position behind the end is not there (any more): one more than it is
 * asked for, so that the source says so. */
static int64_t goal_of(const struct leat_job_thread *job, const struct leat_part *p, int64_t from)
{
    if (job->options.to_ms && from > p->end)
        return from; /* `--to` lies before it */
    return p->end >= 0 && from > p->end ? from + 1 : p->end;
}

enum leat_status leat_job_add_part(struct leat_job_thread *job, struct leat_job_source *s,
                                   const struct leat_part *p, struct leat_error *err)
{
    bool bounded = job->step.mode != LEAT_JOB_INTERVAL;
    bool to_the_end = job->step.mode == LEAT_JOB_CAUGHT_UP;
    uint32_t number = job->step.parts_count;
    int64_t from = s->plan->module->pull || leat_job_is_stored(s) ? begin_at(job, s, p) : 0;

    if (p->finished && p->end >= 0 && from >= p->end)
        return LEAT_OK; /* was read in an earlier life */
    if (p->endless && to_the_end)
        return leat_fail(err, LEAT_E_CONFIG,
                         "it has no end, and `caught_up` ends when everything is read: give it a "
                         "count, or end the run with --until 30s");
    if (refuse_twice(job, s, p, err) != LEAT_OK)
        return err->status;
    struct leat_job_source_part *part = leat_arena_alloc(&job->arena, sizeof *part);
    if (!part || !leat_job_parts_room(job))
        return leat_fail(err, LEAT_E_NOMEM, "no memory for %" PRIu32 " partitions", number + 1);
    if (copy_part(job, part, p, err) != LEAT_OK)
        return err->status;
    part->source = (uint32_t)(s - job->sources);
    part->part.id = s->parts_count++;
    part->logged = part->committed = from;
    part->is_behind = !job->plan->exactly_once && p->committed && from > p->first;
    s->is_behind = s->is_behind || part->is_behind;
    part->is_noted = leat_job_place(job, s->plan->name, p->name);
    part->is_new = s->plan->decided && !leat_job_place(job, s->plan->name, p->name);
    job->new_parts += part->is_new;
    const struct leat_log_position *place = leat_job_place(job, s->plan->name, p->name);
    if (leat_flow_part(job->flow, part->source, part->part.id, job->now_ms,
                       place ? place->time_max_ms : LEAT_NO_TIME, err) != LEAT_OK)
        return err->status;
    part->metrics.source = s->log.part;
    part->metrics.partition = part->part.name.ptr;
    leat_part_metric_set(&part->metrics, LEAT_PART_METRIC_position, from);
    leat_part_metrics_append(&job->part_metrics, &part->metrics);
    job->parts[number] = part;
    job->step.parts[number] =
        (struct leat_job_part){.next = from,
                               .goal = bounded ? goal_of(job, p, from) : -1,
                               .goal_comes = to_the_end && p->finished && p->end >= 0,
                               .is_push = !s->plan->module->pull && !leat_job_is_stored(s),
                               .comes = leat_job_is_stored(s),
                               .by_tick = leat_job_is_by_tick(s),
                               .in_turn = p->in_turn,
                               .single = s->plan->module->pull && s->plan->module->pull->single,
                               .waits = s->plan->module->pull && s->plan->module->pull->waits};
    job->step.parts_count++;
    s->part_of[p->id] = number;
    leat_metric_set(&job->metrics, LEAT_JOB_METRIC_partitions, number + 1);
    leat_job_event(job, (struct leat_event){.kind = LEAT_EV_PART, .part = number});
    return LEAT_OK;
}

enum leat_status leat_job_add_push_part(struct leat_job_thread *job, struct leat_job_source *s,
                                        uint32_t part, int64_t first, struct leat_error *err)
{
    struct leat_job_part_name name;
    struct leat_part p = {.id = part, .first = first, .end = -1};

    p.name = leat_job_push_part_name(s, part, &name);
    if (!leat_job_map_room(s, part))
        return leat_fail(err, LEAT_E_NOMEM, "no memory for partition %" PRIu32, part);
    return leat_job_add_part(job, s, &p, err);
}

void leat_job_each_part(void *arg, const struct leat_part *p)
{
    struct leat_job_listing *l = arg;
    struct leat_job_source *s = l->source;

    if (l->err.status != LEAT_OK)
        return;
    if (p->id < s->part_of_room && s->part_of[p->id] != LEAT_JOB_NO_PART) {
        s->job->parts[s->part_of[p->id]]->part.end = p->end;
        return;
    }
    if (p->id >= PARTS_MAX || !leat_job_map_room(s, p->id))
        leat_fail(&l->err, LEAT_E_NOMEM, "no memory for partition %" PRIu32, p->id);
    else
        l->err.status = leat_job_add_part(s->job, s, p, &l->err);
}
