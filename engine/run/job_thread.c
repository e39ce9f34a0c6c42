/*
 * job_thread.c - the thread of a job: messages become events, events become actions.
 *
 * It waits in one place, for a message or for the time that the next tick, retry or look at a
 * source is due. It is also worker 0, so a batch runs in here; what arrives meanwhile waits in the
 * queue, bounded by credits. Deciding is in job_step.c.
 */
#include "run/job_thread.h"

#include "base/thread.h"
#include "run/phase.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

void leat_job_fail(struct leat_job_thread *job, const struct leat_error *why)
{
    if (job->over)
        return;
    job->over = true;
    job->error = *why;
    atomic_store(&job->has_failed, true);
}

bool leat_job_has_failed(const struct leat_job_thread *job)
{
    return atomic_load(&job->has_failed);
}

bool leat_job_is_ready(const struct leat_job_thread *job)
{
    return atomic_load(&job->is_ready);
}

static void read_clock(struct leat_job_thread *job)
{
    job->now_ms = leat_clock_forward_ms(job->options.clock, &job->ahead_ms);
}

/* ---- actions */

static void failed(struct leat_job_thread *job, const struct leat_action *a)
{
    struct leat_error why;

    if (a->status == LEAT_E_UNREACHABLE) /* a stop has waited for it */
        leat_fail(&why, a->status,
                  "batch %" PRIu64 " could not be finished in time; it comes again", a->batch);
    else
        leat_fail(&why, a->status,
                  "batch %" PRIu64
                  " cannot be finished: what the broker says was committed fits neither it nor the "
                  "batch before it. Does another job use its transactional id?",
                  a->batch);
    leat_job_fail(job, &why);
}

static void carry_out(struct leat_job_thread *job, const struct leat_action *a)
{
    struct leat_error err = {.status = LEAT_OK};

    switch (a->kind) {
    case LEAT_ACT_FETCH:
        err.status = leat_job_fetch(job, a->part, a->from, &err);
        break;
    case LEAT_ACT_SEAL:
        leat_job_seal(job);
        break;
    case LEAT_ACT_RUN:
        if (job->phase)
            *job->phase = 'r'; /* whatever the group before it does meanwhile */
        if (leat_job_run_batch(job, a, &err) == LEAT_OK)
            leat_job_event(job, (struct leat_event){.kind = LEAT_EV_RAN, .batch = a->batch});
        break;
    case LEAT_ACT_CAPTURE:
        err.status = leat_job_capture(job, a->batch, &err);
        break;
    case LEAT_ACT_PREPARE:
        if (a->sink < job->step.sinks_count)
            leat_job_prepare(job, a->batch, a->sink);
        else
            leat_job_decider_prepare(job, a->batch);
        break;
    case LEAT_ACT_LOG:
        leat_job_log_record(job, a->batch);
        break;
    case LEAT_ACT_FINISH:
        leat_job_finish(job, a->batch);
        break;
    case LEAT_ACT_SELECT:
        job->ticks_asked = true;
        job->ticks_first_ms = a->from;
        job->ticks_last_ms = a->time_ms;
        break;
    case LEAT_ACT_IDLE:
        leat_job_idle(job, a->time_ms);
        break;
    case LEAT_ACT_STOPPED:
        job->over = true;
        break;
    case LEAT_ACT_FAIL:
        failed(job, a);
        break;
    case LEAT_ACT_COMMIT:
        leat_job_decider_commit(job, a->batch);
        break;
    case LEAT_ACT_ABORT:
        leat_job_decider_abort(job, a->batch);
        break;
    case LEAT_ACT_RESOLVE:
        leat_job_decider_resolve(job, a->batch);
        break;
    }
    if (err.status != LEAT_OK)
        leat_job_fail(job, &err);
}

static void note_phase(struct leat_job_thread *job)
{
    if (job->phase)
        *job->phase = leat_phase_of(&job->step, job->logged == job->step.finished + 1);
}

static void step(struct leat_job_thread *job, const struct leat_event *ev)
{
    if (ev->kind == LEAT_EV_TICK)
        leat_job_look_at_windows(job);
    leat_job_step(&job->step, ev, job->now_ms, &job->actions);
    note_phase(job);
    for (size_t i = 0; i < job->actions.count && !job->over; i++)
        carry_out(job, &job->actions.list[i]);
}

/* Actions may lead to more events; those wait until the actions of this one are carried out. */
void leat_job_event(struct leat_job_thread *job, struct leat_event ev)
{
    assert(job->events_count < LEAT_JOB_EVENTS);
    job->events[job->events_count++] = ev;
    if (job->in_event)
        return;
    job->in_event = true;
    while (job->events_count && !job->over) {
        struct leat_event now = job->events[0];
        memmove(job->events, job->events + 1, --job->events_count * sizeof *job->events);
        step(job, &now);
    }
    job->in_event = false;
}

/* ---- messages */

static void answered(struct leat_job_thread *job, struct leat_sink_work *w,
                     enum leat_event_kind kind)
{
    bool fails = w->error.status != LEAT_OK;

    if (kind == LEAT_EV_FINISHED || (kind == LEAT_EV_PREPARED && fails))
        leat_job_watch_output(job, w, true);
    if (fails) {
        struct leat_error why = w->error;
        leat_error_prefix(&why, "sink '%.*s'",
                          LEAT_FMT(job->plan->sinks[job->outside[w->sink]].name));
        leat_job_fail(job, &why);
        return;
    }
    if (kind == LEAT_EV_PREPARED)
        leat_job_note_left_out(job, w->n, &w->left_out);
    if (kind == LEAT_EV_PREPARED)
        leat_job_event(job, (struct leat_event){.kind = kind, .batch = w->n, .sink = w->sink});
    else if (kind == LEAT_EV_FINISHED)
        leat_job_committed(job, w->n);
    else if (kind == LEAT_EV_START)
        job->opened++;
}

static void logged(struct leat_job_thread *job, struct leat_log_work *w)
{
    if (w->error.status != LEAT_OK) {
        leat_job_fail(job, &w->error);
        return;
    }
    job->logged = w->record.n;
    leat_job_event(job, (struct leat_event){.kind = LEAT_EV_LOGGED, .batch = w->record.n});
}

static void handle(struct leat_job_thread *job, struct leat_msg *m)
{
    struct leat_error err = {.status = LEAT_OK};

    switch ((enum leat_msg_kind)m->kind) {
    case LEAT_MSG_FETCHED:
        err.status = leat_job_fetched(job, (struct leat_job_fetch *)m, &err);
        break;
    case LEAT_MSG_BLOCK:
        err.status = leat_job_pushed(job, (struct leat_block *)m, &err);
        break;
    case LEAT_MSG_STORE_NEWS:
        err.status = leat_job_store_news(
            (struct leat_job_source *)(void *)((char *)m -
                                               offsetof(struct leat_job_source, store.news)),
            &err);
        break;
    case LEAT_MSG_KEEP_NEWS:
        err.status = leat_job_keep_news(
            (struct leat_job_source *)(void *)((char *)m -
                                               offsetof(struct leat_job_source, keep.news)),
            &err);
        break;
    case LEAT_MSG_TABLE:
        err.status = leat_table_topic_answered(m, job->now_ms, &err);
        break;
    case LEAT_MSG_ENDED:
        err.status = leat_job_push_ended(
            job,
            (struct leat_job_source *)(void *)((char *)m - offsetof(struct leat_job_source, ended)),
            &err);
        break;
    case LEAT_MSG_OPENED:
        answered(job, (struct leat_sink_work *)m, LEAT_EV_START);
        break;
    case LEAT_MSG_PREPARED:
        answered(job, (struct leat_sink_work *)m, LEAT_EV_PREPARED);
        break;
    case LEAT_MSG_DONE:
        answered(job, (struct leat_sink_work *)m, LEAT_EV_FINISHED);
        break;
    case LEAT_MSG_IDLED:
        job->idles[((struct leat_sink_work *)m)->sink] = false;
        answered(job, (struct leat_sink_work *)m, LEAT_EV_TICK);
        break;
    case LEAT_MSG_LOGGED:
        logged(job, (struct leat_log_work *)m);
        break;
    case LEAT_MSG_DECIDER_OPENED:
    case LEAT_MSG_DECIDER_RECOVERED:
    case LEAT_MSG_DECIDER_MARKED:
    case LEAT_MSG_DECIDER_PREPARED:
    case LEAT_MSG_DECIDER_COMMITTED:
    case LEAT_MSG_DECIDER_RESOLVED:
    case LEAT_MSG_DECIDER_FINISHED:
    case LEAT_MSG_DECIDER_IDLED:
        leat_job_decided(job, (struct leat_decider_work *)m);
        break;
    case LEAT_MSG_SNAPSHOT_WRITTEN:
    case LEAT_MSG_SNAPSHOT_PUBLISHED:
        leat_job_snapshot_done(job, (struct leat_snapshot_work *)m);
        break;
    case LEAT_MSG_STOP:
        job->stop_asked = true;
        leat_job_event(job, (struct leat_event){.kind = LEAT_EV_STOP});
        break;
    case LEAT_MSG_LOOK:
        atomic_store(&job->look_sent, false);
        break;
    case LEAT_MSG_ACKED:
    case LEAT_MSG_REFUSED:
    case LEAT_MSG_STORE_TURN:
    case LEAT_MSG_STORE_FETCH:
    case LEAT_MSG_RUN:
    case LEAT_MSG_RAN:
    case LEAT_MSG_PREPARE:
    case LEAT_MSG_COMMIT:
    case LEAT_MSG_IDLE:
    case LEAT_MSG_LOG:
    case LEAT_MSG_DECIDER_RECOVER:
    case LEAT_MSG_DECIDER_MARK:
    case LEAT_MSG_DECIDER_PREPARE:
    case LEAT_MSG_DECIDER_COMMIT:
    case LEAT_MSG_DECIDER_RESOLVE:
    case LEAT_MSG_DECIDER_FINISH:
    case LEAT_MSG_DECIDER_IDLE:
    case LEAT_MSG_SNAPSHOT:
    case LEAT_MSG_SNAPSHOT_PUBLISH:
        assert(false); /* nobody sends these here */
        break;
    }
    if (err.status != LEAT_OK)
        leat_job_fail(job, &err);
}

/* ---- the loop */

static int64_t wake_ms(const struct leat_job_thread *job)
{
    int64_t at_ms = job->started ? leat_job_wake_ms(&job->step) : job->step.until_ms;
    int64_t sources_ms = job->recovered ? leat_job_sources_wake_ms(job) : LEAT_JOB_NEVER;
    int64_t decider_ms = leat_job_decider_wake_ms(job);
    int64_t topics_ms = leat_job_topics_wake_ms(job);

    sources_ms = topics_ms < sources_ms ? topics_ms : sources_ms;
    at_ms = sources_ms < at_ms && !job->step.stopping ? sources_ms : at_ms;
    return decider_ms < at_ms ? decider_ms : at_ms;
}

/* What the time brings. */
static void turn(struct leat_job_thread *job)
{
    struct leat_error err;

    if (job->now_ms > leat_job_decider_wake_ms(job))
        leat_decider_thread_give_up(&job->decider);
    if (leat_job_topics_turn(job, &err) != LEAT_OK ||
        (job->recovered && leat_job_sources_turn(job, &err) != LEAT_OK)) {
        leat_job_fail(job, &err);
        return;
    }
    if (!job->started && job->recovered &&
        job->opened == job->step.sinks_count + job->step.decides &&
        leat_job_sources_are_listed(job) && leat_job_topics_are_read(job) &&
        (!job->must_mark || leat_job_is_marked(job))) {
        job->started = true;
        atomic_store(&job->is_ready, true);
        leat_job_watch_started(job);
        leat_job_event(job, (struct leat_event){.kind = LEAT_EV_START});
    }
    if (!job->over &&
        job->now_ms >= (job->started ? leat_job_wake_ms(&job->step) : job->step.until_ms))
        leat_job_event(job, (struct leat_event){.kind = LEAT_EV_TICK});
    if (leat_job_ticks_turn(job, &err) != LEAT_OK)
        leat_job_fail(job, &err);
    leat_job_decide_turn(job);
    leat_job_note_now(job);
}

static void loop(struct leat_job_thread *job)
{
    while (!job->over) {
        read_clock(job);
        turn(job);
        if (job->over)
            return;
        int64_t at_ms = wake_ms(job);
        int64_t wait_ms = at_ms == LEAT_JOB_NEVER ? -1
                          : at_ms > job->now_ms   ? at_ms - job->now_ms
                                                  : 0;
        struct leat_msg *m = leat_queue_take_for(&job->in, job->snapshot.copying ? 0 : wait_ms);
        if (!m)
            leat_job_copy_snapshot(job);
        read_clock(job);
        for (; m && !job->over; m = job->over ? NULL : leat_queue_try(&job->in))
            handle(job, m);
    }
}

/* ---- begin and end */

void leat_job_drop(struct leat_msg *m)
{
    if (m->kind == LEAT_MSG_BLOCK)
        leat_block_unref((struct leat_block *)m);
    else if (m->kind == LEAT_MSG_FETCHED)
        leat_block_unref(((struct leat_job_fetch *)m)->block);
    else if (m->kind == LEAT_MSG_TABLE)
        leat_table_topic_drop(m);
}

static void drain(struct leat_job_thread *job)
{
    for (struct leat_msg *m; (m = leat_queue_try(&job->in));)
        leat_job_drop(m);
}

/* A clean stop: that the last group is committed need not be asked at the next start. */
static void confirm(struct leat_job_thread *job)
{
    struct leat_error err;

    if (job->error.status == LEAT_OK && job->recovered && job->step.committed > 0 &&
        leat_job_log_confirm(job->log, job->step.committed, true, &err) != LEAT_OK)
        leat_warn(&job->lines, "%s", err.text);
}

static void *job_main(void *arg)
{
    struct leat_job_thread *job = arg;
    struct leat_error err;

    read_clock(job);
    if (leat_job_begin(job, &err) == LEAT_OK)
        loop(job);
    else
        leat_job_fail(job, &err);
    leat_job_commits_fini(job);
    confirm(job);
    leat_job_state_close(job);
    leat_phase_close(job->phase);
    leat_job_sources_close(job);
    leat_flow_free(job->flow);
    job->flow = NULL;
    leat_job_tables_fini(job);
    drain(job);
    leat_job_log_close(job->log);
    job->log = NULL;
    if (job->lock_fd >= 0)
        close(job->lock_fd);
    if (job->ended)
        job->ended(job->ended_arg);
    return NULL;
}

static enum leat_status init_names(struct leat_job_thread *job, struct leat_error *err)
{
    struct leat_slice name = leat_arena_copy(&job->arena, job->plan->spec->name);

    if (!name.ptr)
        return leat_arena_failed(&job->arena, err);
    job->name = name.ptr;
    job->lines = (struct leat_log){job->name, "job"};
    job->env = (struct leat_env){.job = job->name,
                                 .exactly_once = job->plan->exactly_once,
                                 .fs = job->options.fs ? job->options.fs : &leat_fs_posix,
                                 .budget = &job->blocks,
                                 .log = &job->lines,
                                 .clock = job->options.clock,
                                 .bad_input = &job->metrics.values[LEAT_JOB_METRIC_bad_input],
                                 .over = &job->stop_sent,
                                 .from_ms = job->options.from_ms,
                                 .to_ms = job->options.to_ms};
    return LEAT_OK;
}

enum leat_status leat_job_start(const struct leat_plan *plan,
                                const struct leat_job_options *options, void (*ended)(void *arg),
                                void *arg, struct leat_job_thread **into, struct leat_error *err)
{
    struct leat_job_thread *job = leat_mem_alloc(sizeof *job);
    size_t memory = (size_t)plan->spec->memory.bytes;

    *into = job;
    if (!job)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for a job");
    job->plan = plan;
    job->options = *options;
    job->ended = ended;
    job->ended_arg = arg;
    job->joined = true;
    job->lock_fd = -1;
    job->ahead_ms = LEAT_CLOCK_UNREAD;
    job->blocks.cap = memory / 8 * 3;
    job->work.cap = memory / 2; /* the rest is the client libraries' and the program's own */
    leat_queue_init(&job->in);
    if (init_names(job, err) != LEAT_OK ||
        leat_thread_start(&job->thread, "leat-job", job_main, job, err) != LEAT_OK)
        return err->status;
    job->joined = false;
    return LEAT_OK;
}

void leat_job_ask_stop(struct leat_job_thread *job)
{
    if (atomic_exchange(&job->stop_sent, true))
        return;
    job->stop.kind = LEAT_MSG_STOP;
    leat_queue_put(&job->in, &job->stop);
}

void leat_job_look_at_clock(struct leat_job_thread *job)
{
    if (atomic_exchange(&job->look_sent, true))
        return;
    job->look.kind = LEAT_MSG_LOOK;
    leat_queue_put(&job->in, &job->look);
}

enum leat_status leat_job_join(struct leat_job_thread *job, struct leat_error *err)
{
    pthread_join(job->thread, NULL);
    job->joined = true;
    if (job->error.status == LEAT_OK)
        return LEAT_OK;
    *err = job->error;
    return leat_error_prefix(err, "job '%s'", job->name);
}

void leat_job_free(struct leat_job_thread *job)
{
    if (!job)
        return;
    assert(job->joined);
    drain(job); /* a stop that came too late */
    leat_queue_fini(&job->in);
    leat_arena_reset(&job->arena);
    leat_mem_free(job);
}

const struct leat_metrics *leat_job_metrics_of(const struct leat_job_thread *job)
{
    return &job->metrics;
}

const struct leat_part_metrics_list *leat_job_part_metrics_of(const struct leat_job_thread *job)
{
    return &job->part_metrics;
}
