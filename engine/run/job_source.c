/*
 * job_source.c - the sources of a running job: opening, partitions, fetches, push threads.
 *
 * A source that does not answer is opened and listed again and again, with longer and longer
 * pauses; that it waits is said once, and that it is over too. Thread: job, but for what says
 * otherwise.
 */
#include "run/job_thread.h"

#include "base/thread.h"
#include "run/source_env.h"

#include <inttypes.h>

#define LIST_EVERY_MS   5000 /* new partitions are looked for so often */
#define GATHER_EARLY_MS 5
#define GATHER_LATE_MS  2
#define HUNGRY_MS       60000 /* a partition that gets no memory is spoken of behind so long */
#define ROW_BYTES       64    /* guess, where a block does not say how many rows it has */

/* ---- waiting for the other side */

static enum leat_status wait_for(struct leat_job_source *s, const struct leat_error *why,
                                 struct leat_error *err)
{
    if (s->push)
        leat_job_watch_receiver(s, LEAT_WATCH_FAILED, why);
    if (leat_retry_wait(&s->retry, &s->log, why, s->job->now_ms))
        return LEAT_OK;
    *err = *why;
    return leat_error_prefix(err, "source '%.*s'", LEAT_FMT(s->plan->name));
}

/* ---- push */

/* Thread: the source's */
static void *push_main(void *arg)
{
    struct leat_job_source *s = arg;

    if (s->push->run(s->push_self, &s->inbox, &s->run_error) == LEAT_OK)
        s->run_error = s->inbox.failed;
    leat_inbox_end(&s->inbox);
    s->ended.kind = LEAT_MSG_ENDED;
    leat_queue_put(&s->job->in, &s->ended);
    return NULL;
}

/* The inbox, with a store or without. What is stored can be read while the sender is away. */
static enum leat_status init_push(struct leat_job_source *s, struct leat_error *err)
{
    const uint64_t most = s->job->step.max_bytes;
    size_t bytes = most < LEAT_JOB_INBOX_BYTES ? (size_t)most : LEAT_JOB_INBOX_BYTES;

    if (!s->has_inbox && leat_inbox_init(&s->inbox, s->push, s->push_self, &s->env, &s->job->in,
                                         LEAT_JOB_BLOCKS, bytes, err) != LEAT_OK)
        return err->status;
    s->has_inbox = true;
    s->inbox.source = (uint32_t)(s - s->job->sources);
    leat_inbox_aim(&s->inbox, leat_job_fetch_rows(s->job));
    if (leat_job_is_stored(s))
        return leat_job_store_open(s, err);
    if (leat_job_store_refuse_rest(s, err) != LEAT_OK)
        return err->status;
    return leat_job_add_push_part(s->job, s, 0, 0, err);
}

enum leat_status leat_job_start_push(struct leat_job_source *s, struct leat_error *err)
{
    s->inbox.failed.status = LEAT_OK;
    if (leat_thread_start(&s->thread, "leat-source", push_main, s, err) != LEAT_OK)
        return err->status;
    s->has_thread = true;
    leat_job_watch_receiver(s, LEAT_WATCH_STARTED, NULL);
    return LEAT_OK;
}

static void close_source(struct leat_job_source *s)
{
    if (s->plan->module->pull)
        s->plan->module->pull->close(s->self);
    else
        s->plan->module->push->close(s->self);
    s->is_open = false;
}

/* run() is over: by itself for good, or because the other side is away. */
enum leat_status leat_job_push_ended(struct leat_job_thread *job, struct leat_job_source *s,
                                     struct leat_error *err)
{
    struct leat_error why = s->run_error;

    pthread_join(s->thread, NULL);
    s->has_thread = false;
    leat_job_watch_receiver(s, LEAT_WATCH_STOPPED, &why);
    if (job->step.stopping)
        return LEAT_OK;
    if (leat_job_receives(s))
        return leat_job_receive_ended(s, &why, err);
    if (why.status != LEAT_OK) {
        close_source(s);
        return wait_for(s, &why, err);
    }
    if (s->store.running) {
        leat_store_thread_end(&s->store);
        return LEAT_OK;
    }
    for (uint32_t i = 0; i < job->step.parts_count; i++)
        if (&job->sources[job->parts[i]->source] == s) {
            job->parts[i]->at_end = job->parts[i]->finished = true;
            leat_job_tell_end(job, job->parts[i]);
            leat_job_event(job, (struct leat_event){.kind = LEAT_EV_BLOCK,
                                                    .part = i,
                                                    .from = job->step.parts[i].next,
                                                    .to = job->step.parts[i].next,
                                                    .empty = true,
                                                    .at_end = true,
                                                    .finished = true});
        }
    return LEAT_OK;
}

/* ---- open and list */

static enum leat_status open_source(struct leat_job_source *s, struct leat_error *err)
{
    const struct leat_module *m = s->plan->module;
    enum leat_status status =
        m->pull ? m->pull->open(s->self, &s->env, err) : m->push->open(s->self, &s->env, err);

    s->is_open = true;
    if (status != LEAT_OK)
        close_source(s);
    return status;
}

/* What the last run had in its log and could not commit any more. */
static void catch_up(struct leat_job_source *s)
{
    const struct leat_pull *pull = s->plan->module->pull;
    struct leat_job_thread *job = s->job;
    struct leat_error err;

    s->is_behind = false;
    for (uint32_t i = 0; pull->commit && i < job->step.parts_count; i++) {
        struct leat_job_source_part *p = job->parts[i];
        const struct leat_position at = {p->part.name, p->committed};
        if (&job->sources[p->source] != s || !p->is_behind)
            continue;
        if (pull->commit(s->self, job->step.committed, &(struct leat_positions){&at, 1}, &err) !=
            LEAT_OK)
            leat_warn(&s->log, "%s; the position goes with the next batch", err.text);
        p->is_behind = false;
    }
}

static enum leat_status list_source(struct leat_job_source *s, struct leat_error *err)
{
    struct leat_job_listing l = {.source = s};

    if (!s->is_listed && leat_job_ticks_known(s, err) != LEAT_OK)
        return err->status;
    enum leat_status status =
        s->plan->module->pull->partitions(s->self, leat_job_each_part, &l, err);
    if (l.err.status != LEAT_OK) {
        *err = l.err;
        return err->status;
    }
    if (status != LEAT_OK)
        return status;
    leat_job_note_lag(s->job);
    if (s->is_behind)
        catch_up(s);
    s->is_listed = true;
    /* A bounded run reads what was there when it began. */
    s->retry.again_ms =
        s->job->step.mode == LEAT_JOB_INTERVAL ? s->job->now_ms + LIST_EVERY_MS : LEAT_JOB_NEVER;
    return LEAT_OK;
}

static enum leat_status turn(struct leat_job_source *s, struct leat_error *err)
{
    struct leat_error why;
    enum leat_status status = LEAT_OK;

    if (s->plan->module->push && !s->is_listed) {
        status = init_push(s, &why);
        s->is_listed = status == LEAT_OK;
    }
    if (status == LEAT_OK && !s->is_open && leat_job_formats_ready(s->job, &why) != LEAT_OK) {
        if (leat_status_is_transient(why.status))
            return wait_for(s, &why, err);
        *err = why;
        return err->status;
    }
    if (status == LEAT_OK && !s->is_open)
        status = open_source(s, &why);
    if (status == LEAT_OK && s->plan->module->pull)
        status = list_source(s, &why);
    else if (status == LEAT_OK && (status = leat_job_start_push(s, &why)) == LEAT_OK)
        s->retry.again_ms = LEAT_JOB_NEVER;
    if (status != LEAT_OK)
        return wait_for(s, &why, err);
    if (s->retry.pause_ms) /* else a fetch is waited for, and says when that is over */
        leat_retry_over(&s->retry, &s->log);
    return LEAT_OK;
}

enum leat_status leat_job_sources_turn(struct leat_job_thread *job, struct leat_error *err)
{
    for (uint32_t i = 0; i < job->plan->sources_count && !job->step.stopping; i++) {
        struct leat_job_source *s = &job->sources[i];
        if (leat_job_receives(s) && leat_job_receive_turn(s, err) != LEAT_OK)
            return err->status;
        if (job->now_ms >= s->retry.again_ms && turn(s, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

int64_t leat_job_sources_wake_ms(const struct leat_job_thread *job)
{
    int64_t wake_ms = LEAT_JOB_NEVER;

    for (uint32_t i = 0; i < job->plan->sources_count; i++) {
        const struct leat_job_source *s = &job->sources[i];
        if (s->retry.again_ms < wake_ms)
            wake_ms = s->retry.again_ms;
        if (leat_job_receives(s) && s->receive.again_ms < wake_ms)
            wake_ms = s->receive.again_ms;
    }
    return wake_ms;
}

/* An endless job begins with what there is. */
bool leat_job_sources_are_listed(const struct leat_job_thread *job)
{
    for (uint32_t i = 0; i < job->plan->sources_count; i++)
        if (!job->sources[i].is_listed && job->step.mode != LEAT_JOB_INTERVAL)
            return false;
    return true;
}

/* ---- fetches */

static void fetch_done(void *arg, const struct leat_fetch *fetch, struct leat_block *block,
                       const struct leat_error *err)
{
    struct leat_job_fetch *f = arg;

    (void)fetch;
    f->block = block;
    f->error.status = LEAT_OK;
    if (!block)
        f->error = *err;
    f->msg.kind = LEAT_MSG_FETCHED;
    leat_queue_put(f->job, &f->msg);
}

/* Twice before a tick, so that the batch which is cut then has what came: with some time to be late
 * in, and for the little that comes after that once more. */
static int64_t gather_until_ms(const struct leat_job_thread *job)
{
    int64_t left_ms = job->step.tick_ms - job->now_ms, every_ms = job->step.every_ms;
    int64_t early_ms = every_ms / 4 < GATHER_EARLY_MS ? every_ms / 4 : GATHER_EARLY_MS;
    int64_t at_ms = job->step.tick_ms - early_ms;

    if (job->step.mode != LEAT_JOB_INTERVAL)
        return 0;
    if (left_ms <= early_ms)
        at_ms = left_ms > GATHER_LATE_MS ? job->step.tick_ms - GATHER_LATE_MS : at_ms + every_ms;
    return at_ms - job->ahead_ms;
}

enum leat_status leat_job_fetch(struct leat_job_thread *job, uint32_t part, int64_t from,
                                struct leat_error *err)
{
    struct leat_job_source_part *p = job->parts[part];
    struct leat_job_source *s = &job->sources[p->source];
    struct leat_job_fetch *f = job->free_fetches;

    if (f)
        job->free_fetches = f->next_free;
    else
        f = leat_arena_alloc(&job->arena, sizeof *f);
    if (!f)
        return leat_arena_failed(&job->arena, err);
    *f = (struct leat_job_fetch){.job = &job->in,
                                 .part = part,
                                 .fetch = {.part = p->source_id,
                                           .from = from,
                                           .max_bytes = leat_job_fetch_bytes(job),
                                           .max_rows = leat_job_fetch_rows(job),
                                           .no_headers = !s->plan->needs_headers,
                                           .kept = leat_job_receives(s),
                                           .by_ms = gather_until_ms(job),
                                           .earliest = p->was_lost}};
    if (s->store.running)
        leat_store_thread_fetch(&s->store, &f->fetch, fetch_done, f);
    else
        s->plan->module->pull->fetch(s->self, &f->fetch, fetch_done, f);
    return LEAT_OK;
}

static void keep_block(struct leat_job_source_part *p, struct leat_block *b)
{
    b->msg.next = NULL;
    if (p->last)
        p->last->msg.next = &b->msg;
    else
        p->first = b;
    p->last = b;
}

/* As long as rows wait to be cut, the end is not reached for those who keep time. */
void leat_job_tell_end(struct leat_job_thread *job, struct leat_job_source_part *p)
{
    bool waits = p->first;

    leat_flow_at_end(job->flow, p->source, p->part.id, !waits && p->at_end, !waits && p->finished);
}

static void take_block(struct leat_job_thread *job, uint32_t part, struct leat_block *b)
{
    struct leat_job_source_part *p = job->parts[part];
    struct leat_event ev = {.kind = LEAT_EV_BLOCK,
                            .part = part,
                            .from = b->from,
                            .to = b->to,
                            .empty = b->bytes.len == 0 && !b->missing,
                            .at_end = b->at_end,
                            .finished = b->finished,
                            .bytes = b->bytes.len,
                            .time_min_ms = b->time_min_ms};

    ev.records = b->rows_hint ? b->rows_hint : (uint32_t)(b->bytes.len / ROW_BYTES + 1);
    p->at_end = b->at_end;
    p->finished = b->finished;
    leat_metric_add(&job->metrics, LEAT_JOB_METRIC_bytes_in, b->bytes.len);
    leat_part_metric_add(&p->metrics, LEAT_PART_METRIC_bytes, b->bytes.len);
    if (ev.empty)
        leat_block_unref(b);
    else
        keep_block(p, b);
    leat_job_tell_end(job, p);
    leat_job_event(job, ev);
}

/* The position is gone: the job ends, or goes on with what there still is. */
static enum leat_status lost(struct leat_job_thread *job, struct leat_job_fetch *f,
                             struct leat_error *err)
{
    struct leat_job_source_part *p = job->parts[f->part];
    struct leat_job_source *s = &job->sources[p->source];

    if (!s->plan->lost_to_earliest || f->fetch.earliest)
        return leat_fail(
            err, f->error.status, "source '%.*s': %s%s", LEAT_FMT(s->plan->name), f->error.text,
            f->fetch.earliest ? "" : "; `on_lost: earliest` goes on with what is left");
    leat_warn(&s->log, "%s; going on with the earliest there is", f->error.text);
    p->was_lost = true;
    if (job->step.mode != LEAT_JOB_INTERVAL)
        job->step.parts[f->part].goal = p->part.end;
    leat_job_event(job, (struct leat_event){
                            .kind = LEAT_EV_UNFETCHED, .part = f->part, .status = LEAT_E_LOST});
    return LEAT_OK;
}

/* There was no memory for it, no batch will give any back, and it has been tried for a while. */
static bool is_stuck(const struct leat_job *step, const struct leat_job_fetch *f)
{
    return f->error.status == LEAT_E_FULL && step->pending_blocks == 0 &&
           step->cut == step->finished &&
           step->parts[f->part].backoff_ms >= LEAT_JOB_BACKOFF_MAX_MS;
}

/* What peers have sent, and answers that are under way: some time there may be more memory. */
static bool others_hold_memory(const struct leat_job_thread *job, uint32_t part)
{
    for (uint32_t i = 0; i < job->plan->sources_count; i++)
        if (job->sources[i].push)
            return true;
    for (uint32_t i = 0; i < job->plan->tables_count; i++)
        if (job->plan->tables[i].topic)
            return true;
    for (uint32_t i = 0; i < job->step.parts_count; i++)
        if (i != part && job->step.parts[i].fetching)
            return true;
    return false;
}

/* What batches give back others get: no reason to end, but somebody has to know. */
static void note_hunger(struct leat_job_thread *job, struct leat_job_source *s,
                        struct leat_job_source_part *p, const struct leat_error *why)
{
    int64_t now_ms = job->now_ms;

    p->hungry_ms = p->hungry_ms ? p->hungry_ms : now_ms;
    if (now_ms - p->hungry_ms < HUNGRY_MS || now_ms - s->hungry_said_ms < HUNGRY_MS)
        return;
    s->hungry_said_ms = now_ms;
    leat_warn(&s->log,
              "partition '%.*s' was not read for %" PRId64 " s, while others were: %s; give the "
              "pipeline more `memory`",
              LEAT_FMT(p->part.name), (now_ms - p->hungry_ms) / 1000, why->text);
}

static enum leat_status unfetched(struct leat_job_thread *job, struct leat_job_fetch *f,
                                  struct leat_error *err)
{
    struct leat_job_source *s = &job->sources[job->parts[f->part]->source];
    bool stuck = is_stuck(&job->step, f);

    if (job->step.stopping)
        return LEAT_OK;
    if (f->error.status == LEAT_E_LOST)
        return lost(job, f, err);
    if (!leat_status_is_transient(f->error.status)) {
        *err = f->error;
        return leat_error_prefix(err, "source '%.*s'", LEAT_FMT(s->plan->name));
    }
    if (stuck && !others_hold_memory(job, f->part))
        return leat_fail(err, LEAT_E_FULL, "source '%.*s': %s; give the pipeline more `memory`",
                         LEAT_FMT(s->plan->name), f->error.text);
    if (stuck || f->error.status != LEAT_E_FULL)
        leat_retry_say(&s->retry, &s->log, &f->error);
    else
        note_hunger(job, s, job->parts[f->part], &f->error);
    leat_metric_add(&job->metrics, LEAT_JOB_METRIC_fetch_failures, 1);
    leat_job_event(job, (struct leat_event){
                            .kind = LEAT_EV_UNFETCHED, .part = f->part, .status = f->error.status});
    return LEAT_OK;
}

/* What a fetch brought from behind the bound of `--to` is not read. */
static void cut_off(const struct leat_job_part *part, struct leat_block *b)
{
    if (part->goal >= 0 && b->to > part->goal)
        b->to = part->goal > b->from ? part->goal : b->from;
}

enum leat_status leat_job_fetched(struct leat_job_thread *job, struct leat_job_fetch *f,
                                  struct leat_error *err)
{
    enum leat_status status = LEAT_OK;
    struct leat_job_source *s = &job->sources[job->parts[f->part]->source];

    if (f->block && leat_job_rows_ready(s, f->block, &f->error) != LEAT_OK) {
        leat_block_unref(f->block);
        f->block = NULL;
    }
    if (!f->block) {
        status = unfetched(job, f, err);
    } else {
        if (s->is_listed && s->plan->module->pull)
            leat_retry_over(&s->retry, &s->log);
        job->parts[f->part]->was_lost = false;
        job->parts[f->part]->hungry_ms = 0;
        if (job->options.to_ms)
            cut_off(&job->step.parts[f->part], f->block);
        take_block(job, f->part, f->block);
    }
    f->next_free = job->free_fetches;
    job->free_fetches = f;
    return status;
}

/* A block of a push source, perhaps the first of its partition. */
enum leat_status leat_job_pushed(struct leat_job_thread *job, struct leat_block *b,
                                 struct leat_error *err)
{
    struct leat_job_source *s = &job->sources[b->source];
    bool known = b->part < s->part_of_room && s->part_of[b->part] != LEAT_JOB_NO_PART;

    if (!known && leat_job_add_push_part(job, s, b->part, 0, err) != LEAT_OK)
        return err->status;
    take_block(job, s->part_of[b->part], b);
    return LEAT_OK;
}

void leat_job_seal(struct leat_job_thread *job)
{
    for (uint32_t i = 0; i < job->plan->sources_count; i++) {
        struct leat_job_source *s = &job->sources[i];
        if (s->has_thread)
            leat_inbox_ask_seal(&s->inbox);
        if (s->store.running)
            leat_store_thread_near(&s->store);
    }
}

/* ---- begin and end */

static enum leat_status init_source(struct leat_job_thread *job, struct leat_job_source *s,
                                    struct leat_error *err)
{
    const struct leat_module *m = s->plan->module;
    bool by_time = job->options.from_ms || job->options.to_ms;

    if (by_time && !(m->pull && m->pull->by_time))
        return leat_fail(err, LEAT_E_CONFIG,
                         "--from and --to are for sources that can be read from a time: '%s' "
                         "cannot",
                         m->name);
    if (!m->pull && !m->push)
        return leat_fail(err, LEAT_E_CONFIG, "'%s' is no source", m->name);
    s->self = leat_arena_alloc(&job->arena, m->self_size);
    struct leat_slice part = leat_arena_copy(&job->arena, s->plan->name);
    if (!s->self || !part.ptr)
        return leat_arena_failed(&job->arena, err);
    if (s->plan->self)
        memcpy(s->self, s->plan->self, m->self_size);
    s->job = job;
    s->log = (struct leat_log){job->name, part.ptr};
    s->env = job->env;
    s->env.log = &s->log;
    s->env.budget = &job->blocks;
    if (leat_source_env(s->plan, &s->env, &job->arena, err) != LEAT_OK)
        return err->status;
    s->retry.again_ms = 0;
    s->push = m->push;
    s->push_self = s->self;
    job->step.has_push = job->step.has_push || m->push;
    if (leat_job_ticks_init(s, err) != LEAT_OK)
        return err->status;
    return leat_job_receives(s) ? leat_job_receive_init(s, err) : LEAT_OK;
}

enum leat_status leat_job_sources_init(struct leat_job_thread *job, struct leat_error *err)
{
    job->sources = leat_arena_array(&job->arena, job->plan->sources_count, sizeof *job->sources);
    if (!job->sources || !leat_job_parts_room(job))
        return leat_fail(err, LEAT_E_NOMEM, "no memory for the sources");
    for (uint32_t i = 0; i < job->plan->sources_count; i++) {
        job->sources[i].plan = &job->plan->sources[i];
        if (init_source(job, &job->sources[i], err) != LEAT_OK)
            return leat_error_prefix(err, "source '%.*s'", LEAT_FMT(job->plan->sources[i].name));
    }
    return LEAT_OK;
}

static void stop_push(struct leat_job_source *s)
{
    if (!s->has_thread)
        return;
    leat_inbox_ask_stop(&s->inbox);
    pthread_join(s->thread, NULL);
    s->has_thread = false;
    leat_job_watch_receiver(s, LEAT_WATCH_STOPPED, NULL);
}

void leat_job_sources_close(struct leat_job_thread *job)
{
    for (uint32_t i = 0; job->sources && i < job->plan->sources_count; i++) {
        struct leat_job_source *s = &job->sources[i];
        if (!s->self)
            continue;
        if (s->store.running)
            leat_store_thread_hurry(&s->store);
        leat_keep_thread_hurry(&s->keep);
        stop_push(s);
        if (s->is_open)
            close_source(s);
        if (s->push_is_open)
            s->push->close(s->push_self);
        leat_store_thread_stop(&s->store);
        leat_keep_thread_stop(&s->keep);
        if (s->has_inbox)
            leat_inbox_fini(&s->inbox);
        leat_mem_free(s->part_of);
    }
    for (uint32_t i = 0; i < job->step.parts_count; i++)
        for (struct leat_block *b = job->parts[i]->first, *next; b; b = next) {
            next = (struct leat_block *)b->msg.next;
            leat_block_unref(b);
        }
    leat_mem_free(job->step.parts);
    leat_mem_free(job->step.active);
    leat_mem_free(job->parts);
    leat_mem_free(job->actions.list);
}
