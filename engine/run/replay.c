#include "run/replay.h"

#include "run/range_source.h"
#include "run/table_topic.h"
#include "store/state_log.h"

#include <inttypes.h>
#include <stdlib.h>

#define TOPIC_PATIENCE_MS 30000

struct leat_replay {
    const struct leat_plan *plan;
    struct leat_replay_options options;
    struct leat_arena arena;
    struct leat_budget blocks, work;
    struct leat_env env;

    struct leat_job_log *log;
    struct leat_state_log *state;
    struct leat_log_record record; /* texts and lists in the arena */
    bool found, has_state;
    int64_t *marks_ms; /* per source: W(N-1) */
    int64_t *reached;  /* per position of the record: read up to here */

    struct leat_flow *flow;
    struct leat_flow_group *group;
    struct leat_range_source *sources;
    const struct leat_part **parts; /* per position of the record, of the flow */
    struct leat_lookup_table **tables;
    struct leat_table_topic *topics; /* by table, of those that have one */
    struct leat_queue answers;       /* of the topics */
};

const struct leat_log_record *leat_replay_record(const struct leat_replay *r)
{
    return &r->record;
}

bool leat_replay_is_alone(const struct leat_replay *r)
{
    return !r->has_state;
}

/* ---- the record, and how far time had come before it */

static int find_source(const struct leat_plan *plan, struct leat_slice name)
{
    for (uint32_t i = 0; i < plan->sources_count; i++)
        if (leat_slice_eq(plan->sources[i].name, name))
            return (int)i;
    return -1;
}

static void note_marks(struct leat_replay *r, const struct leat_log_record *record)
{
    for (uint32_t i = 0; i < record->watermarks_count; i++) {
        int source = find_source(r->plan, record->watermarks[i].source);
        if (source >= 0)
            r->marks_ms[source] = record->watermarks[i].now_ms;
    }
}

static enum leat_status keep_record(void *arg, const struct leat_log_record *record,
                                    struct leat_error *err)
{
    struct leat_replay *r = arg;
    struct leat_bytes bytes = {.arena = &r->arena};

    if (record->n < r->options.batch) {
        note_marks(r, record);
        return LEAT_OK;
    }
    if (!leat_log_record_write(record, &bytes))
        return leat_arena_failed(&r->arena, err);
    r->found = true;
    return leat_log_record_read(leat_bytes_slice(&bytes), &r->record, &r->arena, err);
}

static enum leat_status find_record(struct leat_replay *r, struct leat_error *err)
{
    uint64_t n = r->options.batch, last = leat_job_log_last(r->log)->n;
    uint64_t oldest = leat_job_log_oldest(r->log);

    if (last == 0)
        return leat_fail(err, LEAT_E_LOST, "'%.80s' has no batch yet", r->options.dir);
    if (n > last)
        return leat_fail(err, LEAT_E_LOST,
                         "there is no batch %" PRIu64 " yet: the last is %" PRIu64, n, last);
    if (n < oldest)
        return leat_fail(err, LEAT_E_LOST,
                         "batch %" PRIu64 " is not in the log any more: the oldest is %" PRIu64
                         "; checkpoint.keep (%" PRId64 " s) says how long batches are kept",
                         n, oldest, r->plan->spec->checkpoint.keep.ms / 1000);
    uint64_t from = n - 1 > oldest ? n - 1 : oldest;
    if (leat_job_log_each(r->log, from, n, keep_record, r, err) != LEAT_OK)
        return err->status;
    return r->found ? LEAT_OK
                    : leat_fail(err, LEAT_E_CORRUPT, "batch %" PRIu64 " cannot be read", n);
}

/* ---- state and time */

static bool keeps_state(const struct leat_plan *plan)
{
    for (uint32_t i = 0; i < plan->stages_count; i++)
        for (uint32_t k = 0; k < plan->stages[i].nodes_count; k++)
            if (plan->stages[i].nodes[k].state_name.len)
                return true;
    return false;
}

struct unread {
    const struct leat_replay *r;
    struct leat_slice other; /* an operator that is another one now; ptr NULL: there is none */
};

static void dropped(void *arg, struct leat_slice name, bool other)
{
    struct unread *u = arg;

    if (other)
        u->other = name;
    else
        leat_warn(u->r->options.lines,
                  "the state of '%.*s' is not used: the file has no such operator", LEAT_FMT(name));
}

static enum leat_status read_state(struct leat_replay *r, struct leat_error *err)
{
    uint64_t before = r->record.n - 1;

    if (before == 0 || !keeps_state(r->plan))
        return LEAT_OK;
    if (leat_state_log_file_view(r->options.fs, r->options.dir, r->log, r->plan->partitions,
                                 r->options.lines, &r->state, err) != LEAT_OK)
        return err->status;
    struct unread unread = {.r = r};
    if (leat_flow_restore(r->flow, r->state, before, dropped, &unread, err) == LEAT_OK) {
        if (unread.other.ptr)
            return leat_fail(err, LEAT_E_CONFIG,
                             "the operator '%.*s' is another one now, and cannot read the state "
                             "that it had then: replay with the file as it was",
                             LEAT_FMT(unread.other));
        r->has_state = leat_flow_state(r->flow).keys > 0;
        return LEAT_OK;
    }
    if (err->status != LEAT_E_CORRUPT)
        return err->status;
    return leat_fail(err, LEAT_E_LOST,
                     "the state before batch %" PRIu64
                     " is not there any more: the log and snapshots reach back for checkpoint.keep "
                     "(%" PRId64 " s)",
                     r->record.n, r->plan->spec->checkpoint.keep.ms / 1000);
}

/* W(N) is the record's, whatever other partitions were doing: one that nobody reads stands for
 * them, and holds time exactly there. */
static enum leat_status set_time(struct leat_replay *r, uint32_t source, uint32_t parts,
                                 struct leat_error *err)
{
    const struct leat_plan_source *s = &r->plan->sources[source];
    int64_t clock_ms = r->record.clock_ms;

    leat_flow_restore_time(r->flow, source, r->marks_ms[source], LEAT_NO_TIME);
    for (uint32_t i = 0; i < r->record.watermarks_count; i++)
        if (leat_slice_eq(r->record.watermarks[i].source, s->name) && s->event_time)
            return leat_flow_part(r->flow, source, parts, clock_ms,
                                  r->record.watermarks[i].now_ms + s->lateness_ms, err);
    return LEAT_OK;
}

/* ---- sources */

static enum leat_status add_part(struct leat_replay *r, uint32_t i, uint32_t source, uint32_t id,
                                 struct leat_error *err)
{
    const struct leat_log_position *at = &r->record.positions[i];
    struct leat_part *part = leat_arena_alloc(&r->arena, sizeof *part);

    if (leat_range_source_know(&r->sources[source], at->partition, at->from, err) != LEAT_OK)
        return err->status;
    const struct leat_part *there = leat_range_source_find(&r->sources[source], at->partition);
    if (!there)
        return leat_fail(err, LEAT_E_LOST, "'%.*s' is not there any more", LEAT_FMT(at->partition));
    if (!part)
        return leat_arena_failed(&r->arena, err);
    *part = *there;
    part->id = id;
    r->parts[i] = part;
    r->reached[i] = at->from;
    return leat_flow_part(r->flow, source, id, r->record.clock_ms, at->time_max_ms, err);
}

static enum leat_status open_sources(struct leat_replay *r, struct leat_error *err)
{
    uint32_t count = r->record.positions_count;

    r->sources = leat_arena_array(&r->arena, r->plan->sources_count, sizeof *r->sources);
    r->parts = leat_arena_array(&r->arena, count, sizeof(struct leat_part *));
    r->reached = leat_arena_array(&r->arena, count, sizeof *r->reached);
    if (!r->sources || !r->parts || !r->reached)
        return leat_arena_failed(&r->arena, err);
    for (uint32_t s = 0; s < r->plan->sources_count; s++) {
        const struct leat_plan_source *plan = &r->plan->sources[s];
        uint32_t ids = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (!leat_slice_eq(r->record.positions[i].source, plan->name) ||
                r->record.positions[i].partition.len == 0) /* when a life began */
                continue;
            if (ids == 0 &&
                leat_range_source_open(&r->sources[s], plan, &r->env, &r->arena, err) != LEAT_OK)
                return leat_error_prefix(err, "source '%.*s'", LEAT_FMT(plan->name));
            if (add_part(r, i, s, ids++, err) != LEAT_OK)
                return leat_error_prefix(err, "source '%.*s'", LEAT_FMT(plan->name));
        }
        if (set_time(r, s, ids, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

/* To the end that it has now. */
static enum leat_status read_topic(struct leat_replay *r, uint32_t i, struct leat_error *err)
{
    struct leat_table_topic *t = &r->topics[i];
    int64_t now_ms = leat_clock_monotonic_ms(&leat_clock_system), said_ms = INT64_MAX;

    if (leat_table_topic_init(t, &r->plan->tables[i], &r->env, &r->answers, &r->work, &r->arena,
                              r->plan->on_error != LEAT_ON_ERROR_FAIL, err) != LEAT_OK)
        return err->status;
    while (!leat_table_topic_is_read(t)) {
        if (leat_table_topic_turn(t, now_ms, err) != LEAT_OK)
            return err->status;
        int64_t wait_ms = leat_table_topic_wake_ms(t) - now_ms;
        struct leat_msg *m = leat_queue_take_for(&r->answers, wait_ms > 0 ? wait_ms : 0);
        now_ms = leat_clock_monotonic_ms(&leat_clock_system);
        if (m && leat_table_topic_answered(m, now_ms, err) != LEAT_OK)
            return err->status;
        said_ms = !t->retry.said ? INT64_MAX : said_ms == INT64_MAX ? now_ms : said_ms;
        if (said_ms != INT64_MAX && now_ms - said_ms > TOPIC_PATIENCE_MS)
            return leat_fail(err, LEAT_E_UNREACHABLE, "table '%.*s': its topic does not answer",
                             LEAT_FMT(t->plan->name));
    }
    r->tables[i] = t->rows;
    return LEAT_OK;
}

static enum leat_status load_tables(struct leat_replay *r, struct leat_error *err)
{
    uint32_t count = r->plan->tables_count;

    r->tables = leat_arena_array(&r->arena, count, sizeof(struct leat_lookup_table *));
    r->topics = leat_arena_array(&r->arena, count, sizeof *r->topics);
    if (!r->tables || !r->topics)
        return leat_arena_failed(&r->arena, err);
    for (uint32_t i = 0; i < count; i++)
        if (r->plan->tables[i].topic) {
            if (read_topic(r, i, err) != LEAT_OK)
                return err->status;
        } else if (leat_lookup_load(&r->plan->tables[i], r->work.cap, &r->tables[i], err) !=
                   LEAT_OK)
            return err->status;
    leat_flow_set_tables(r->flow, (const struct leat_lookup_table *const *)r->tables);
    return LEAT_OK;
}

/* ---- open and close */

static enum leat_status open_all(struct leat_replay *r, struct leat_error *err)
{
    size_t memory = (size_t)r->plan->spec->memory.bytes;

    r->blocks.cap = memory / 2;
    r->work.cap = memory / 2;
    r->env = (struct leat_env){.job = r->options.job,
                               .fs = r->options.fs,
                               .budget = &r->blocks,
                               .log = r->options.lines,
                               .exactly_once = true}; /* nothing is committed */
    r->marks_ms = leat_arena_array(&r->arena, r->plan->sources_count, sizeof *r->marks_ms);
    if (!r->marks_ms)
        return leat_arena_failed(&r->arena, err);
    for (uint32_t s = 0; s < r->plan->sources_count; s++)
        r->marks_ms[s] = LEAT_NO_TIME;
    if (leat_job_log_view(r->options.fs, r->options.dir, &r->log, err) != LEAT_OK ||
        find_record(r, err) != LEAT_OK ||
        leat_flow_new(r->plan, 1, &r->work, &r->flow, err) != LEAT_OK ||
        load_tables(r, err) != LEAT_OK || read_state(r, err) != LEAT_OK ||
        open_sources(r, err) != LEAT_OK)
        return err->status;
    r->group = leat_flow_group(r->flow);
    return r->group ? LEAT_OK : leat_fail(err, LEAT_E_NOMEM, "no memory for a batch");
}

enum leat_status leat_replay_open(const struct leat_plan *plan,
                                  const struct leat_replay_options *options,
                                  struct leat_replay **into, struct leat_error *err)
{
    struct leat_replay *r = leat_mem_alloc(sizeof *r);

    *into = r;
    if (!r)
        return leat_fail(err, LEAT_E_NOMEM, "no memory to replay a batch");
    r->plan = plan;
    r->options = *options;
    leat_queue_init(&r->answers);
    return open_all(r, err);
}

void leat_replay_close(struct leat_replay *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; r->sources && i < r->plan->sources_count; i++)
        leat_range_source_close(&r->sources[i]);
    leat_flow_free(r->flow);
    if (r->state)
        r->state->backend->close(r->state);
    leat_job_log_close(r->log);
    for (uint32_t i = 0; r->tables && r->topics && i < r->plan->tables_count; i++)
        if (r->plan->tables[i].topic)
            leat_table_topic_fini(&r->topics[i]);
        else
            leat_lookup_free(r->tables[i]);
    for (struct leat_msg *m; (m = leat_queue_try(&r->answers));)
        leat_table_topic_drop(m);
    leat_queue_fini(&r->answers);
    leat_arena_reset(&r->arena);
    leat_mem_free(r);
}

/* ---- run */

struct piece {
    uint32_t source, position;
    struct leat_block *blocks;
};

/* By source, then partition: as the job adds them. */
static int compare_pieces(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;

    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return (x->position > y->position) - (x->position < y->position);
}

static enum leat_status read_piece(struct leat_replay *r, const struct leat_log_range *range,
                                   struct piece *p, struct leat_error *err)
{
    const struct leat_log_position *at = &r->record.positions[range->position];
    int source = find_source(r->plan, at->source);

    if (source < 0)
        return leat_fail(err, LEAT_E_LOST, "the file has no source '%.*s' any more",
                         LEAT_FMT(at->source));
    *p = (struct piece){.source = (uint32_t)source, .position = range->position};
    if (leat_range_source_read(&r->sources[source],
                               leat_range_source_find(&r->sources[source], at->partition),
                               r->reached[range->position], range->to, &p->blocks, err) != LEAT_OK)
        return leat_error_prefix(err, "source '%.*s'", LEAT_FMT(at->source));
    r->reached[range->position] = range->to;
    return LEAT_OK;
}

/* Blocks that were read and not added are given back. */
static void drop_pieces(struct piece *pieces, uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i < count; i++)
        for (struct leat_block *b = pieces[i].blocks, *next; b; b = next) {
            next = (struct leat_block *)b->msg.next;
            leat_block_unref(b);
        }
}

static enum leat_status add_pieces(struct leat_replay *r, struct piece *pieces, uint32_t count,
                                   leat_replay_rows *rows, void *arg, struct leat_flow_batch *batch,
                                   struct leat_error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct leat_part *part = r->parts[pieces[i].position];
        if (!pieces[i].blocks)
            continue;
        if ((rows && rows(arg, pieces[i].source, part, pieces[i].blocks, err) != LEAT_OK) ||
            leat_flow_add(r->flow, batch, pieces[i].source, part, pieces[i].blocks, err) !=
                LEAT_OK) {
            drop_pieces(pieces, i, count);
            return err->status;
        }
    }
    return LEAT_OK;
}

static enum leat_status feed(struct leat_replay *r, const struct leat_log_cut *cut,
                             leat_replay_rows *rows, void *arg, struct leat_flow_batch *batch,
                             struct leat_error *err)
{
    struct piece *pieces = leat_arena_array(&r->arena, cut->ranges_count, sizeof *pieces);

    if (!pieces)
        return leat_arena_failed(&r->arena, err);
    for (uint32_t i = 0; i < cut->ranges_count; i++)
        if (read_piece(r, &cut->ranges[i], &pieces[i], err) != LEAT_OK) {
            drop_pieces(pieces, 0, i);
            return err->status;
        }
    qsort(pieces, cut->ranges_count, sizeof *pieces, compare_pieces);
    return add_pieces(r, pieces, cut->ranges_count, rows, arg, batch, err);
}

enum leat_status leat_replay_run(struct leat_replay *r, uint32_t number, leat_replay_rows *rows,
                                 void *arg, const struct leat_flow_batch **into,
                                 struct leat_error *err)
{
    const struct leat_log_cut *cut = &r->record.cuts[number];
    const struct leat_batch info = {.n = r->record.n,
                                    .time_ms = cut->batch_time_ms,
                                    .interval_ms = r->plan->spec->batch.every.ms,
                                    .clock_ms = cut->clock_ms};
    struct leat_flow_batch *batch = leat_flow_begin(r->flow, r->group, &info);

    if (!batch)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for a batch");
    batch->close = cut->close;
    *into = batch;
    if (feed(r, cut, rows, arg, batch, err) != LEAT_OK)
        return err->status;
    return leat_flow_run(r->flow, batch, err);
}
