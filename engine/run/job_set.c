#include "run/job_set_in.h"

#include "base/mem.h"
#include "run/job_lock.h"

#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PAUSE_MS     1000 /* before the first try again; doubles */
#define PAUSE_MAX_MS 60000
#define STEADY_MS    60000 /* who ran so long begins with the first pause again */

/* ---- small things */

int64_t leat_set_now_ms(const struct leat_job_set *set)
{
    return leat_clock_monotonic_ms(set->options->clock);
}

static struct leat_slice name_of(const struct member *m)
{
    return m->plan->spec->name;
}

static struct member *find(const struct leat_job_set *set, struct leat_slice name)
{
    for (struct member *m = set->members; m; m = m->next)
        if (leat_slice_eq(name_of(m), name))
            return m;
    return NULL;
}

static void unused(struct leat_job_set *set, const struct leat_plan **plan)
{
    const struct leat_plan *was = *plan;

    *plan = NULL;
    if (was && set->hooks.unused)
        set->hooks.unused(set->hooks.arg, was);
}

static bool is_alive(const struct member *m)
{
    return m->job || (!m->set->stopping && (m->due || m->idle == LEAT_MEMBER_WAITING));
}

bool leat_set_any_alive(const struct leat_job_set *set, const struct member *but)
{
    for (const struct member *m = set->members; m; m = m->next)
        if (m != but && is_alive(m))
            return true;
    return set->stays && !set->stopping;
}

static void ask_stop(struct member *m)
{
    m->stopping = true;
    leat_job_ask_stop(m->job);
}

void leat_set_stop_all(struct leat_job_set *set)
{
    set->stopping = true;
    for (struct member *m = set->members; m; m = m->next)
        if (m->job)
            ask_stop(m);
}

LEAT_PRINTF(3, 4)
static void say(const struct member *m, enum leat_log_level level, const char *fmt, ...)
{
    char name[128], text[700];
    va_list args;

    snprintf(name, sizeof name, "%.*s", LEAT_FMT(name_of(m)));
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    leat_log_write(&(struct leat_log){name, "job"}, level, "%s", text);
}

/* ---- one begins */

/* Thread: the job's */
static void job_ended(void *arg)
{
    struct member *m = arg;
    int fd = m->set->ended_fd;

    atomic_store(&m->ended, true); /* from here on the member may go */
    eventfd_write(fd, 1);
}

/* Another one, on its way out, has the directory still. */
static bool must_wait(const struct member *m)
{
    char mine[LEAT_JOB_DIR_BYTES], theirs[LEAT_JOB_DIR_BYTES];
    const char *given = m->set->options->state_dir;
    struct leat_error ignored;

    if (given || leat_job_dir(m->plan->spec, NULL, mine, &ignored) != LEAT_OK)
        return false;
    for (const struct member *o = m->set->members; o; o = o->next)
        if (o != m && o->job && o->stopping &&
            leat_job_dir(o->plan->spec, NULL, theirs, &ignored) == LEAT_OK &&
            strcmp(mine, theirs) == 0)
            return true;
    return false;
}

/* What the command line said about the first start is not said again about another. */
static struct leat_job_options options_for(const struct member *m)
{
    struct leat_job_options o = *m->set->options;

    if (m->set->until_ms) {
        int64_t left_ms = m->set->until_ms - leat_set_now_ms(m->set);
        o.until_ms = left_ms > 1 ? left_ms : 1;
    }
    o.again = m->has_run;
    if (m->has_run)
        o.accept_offsets = o.drop_state = false;
    return o;
}

static void failed(struct member *m, const struct leat_error *why);

static void start(struct member *m)
{
    struct leat_job_options options = options_for(m);
    struct leat_error err;

    m->due = m->stopping = false;
    m->begun_ms = leat_set_now_ms(m->set);
    m->starts++;
    atomic_store(&m->ended, false);
    if (leat_job_start(m->plan, &options, job_ended, m, &m->job, &err) == LEAT_OK)
        return;
    leat_job_free(m->job);
    m->job = NULL;
    failed(m, &err);
}

void leat_set_start_due(struct leat_job_set *set)
{
    for (struct member *m = set->members; m && !set->stopping; m = m->next) {
        if (!m->job && m->idle == LEAT_MEMBER_WAITING && leat_set_now_ms(set) >= m->again_ms)
            m->due = true;
        if (m->due && !m->job && !must_wait(m))
            start(m);
    }
}

/* ---- one has ended */

static bool is_bounded(const struct member *m)
{
    const struct leat_job_options *o = m->set->options;

    return o->until_caught_up || o->until_ms || o->until_batches || o->to_ms ||
           m->plan->spec->batch.trigger.index != LEAT_TRIGGER_INTERVAL;
}

static void go_back(struct member *m)
{
    say(m, LEAT_LOG_ERROR, "the new version could not begin: %s; the version before goes on",
        m->error.text);
    unused(m->set, &m->plan);
    m->plan = m->before;
    m->before = NULL;
    m->due = true;
}

static void failed(struct member *m, const struct leat_error *why)
{
    bool others = leat_set_any_alive(m->set, m);

    m->error = *why;
    m->failures++;
    m->failed_as = m->set->failures++;
    m->idle = LEAT_MEMBER_FAILED;
    if (m->set->stopping)
        return;
    if (m->before) {
        go_back(m);
    } else if (others && leat_status_is_transient(why->status) && !is_bounded(m)) {
        m->pause_ms = m->pause_ms == 0 || leat_set_now_ms(m->set) - m->begun_ms >= STEADY_MS
                          ? PAUSE_MS
                      : m->pause_ms * 2 < PAUSE_MAX_MS ? m->pause_ms * 2
                                                       : PAUSE_MAX_MS;
        m->again_ms = leat_set_now_ms(m->set) + m->pause_ms;
        m->idle = LEAT_MEMBER_WAITING;
        say(m, LEAT_LOG_ERROR, "%s; it is tried again in %d s", why->text,
            (int)(m->pause_ms / 1000));
    } else if (others) {
        say(m, LEAT_LOG_ERROR,
            "%s; it has failed and stays so until its file changes or SIGHUP comes", why->text);
    }
}

static void remove_member(struct leat_job_set *set, struct member *gone)
{
    struct member **at = &set->members;

    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
    set->count--;
    unused(set, &gone->after);
    unused(set, &gone->before);
    unused(set, &gone->plan);
    leat_mem_free(gone);
}

/* The version that has ended is kept for the case that the next one cannot begin, if it could. */
static void follow(struct member *m, bool was_ready)
{
    if (was_ready) {
        unused(m->set, &m->before);
        m->before = m->plan;
    } else {
        unused(m->set, &m->plan);
    }
    m->plan = m->after;
    m->after = NULL;
    m->due = true;
    m->pause_ms = 0;
}

static void settle(struct member *m)
{
    struct leat_error why;
    bool was_ready = leat_job_is_ready(m->job);
    bool is_good = leat_job_join(m->job, &why) == LEAT_OK;

    leat_job_free(m->job);
    m->job = NULL;
    m->has_run |= was_ready;
    if (was_ready && !m->after)
        unused(m->set, &m->before);
    if (!is_good && (m->gone || m->after))
        say(m, LEAT_LOG_ERROR, "%s", why.text);
    if (m->gone)
        remove_member(m->set, m);
    else if (m->after && !m->set->stopping)
        follow(m, was_ready);
    else if (is_good)
        m->idle = LEAT_MEMBER_DONE;
    else
        failed(m, &why);
}

void leat_set_reap(struct leat_job_set *set)
{
    for (struct member *m = set->members, *next; m; m = next) {
        next = m->next;
        if (m->job && atomic_load(&m->ended))
            settle(m);
        else if (m->job && m->before && !m->after && leat_job_is_ready(m->job))
            unused(set, &m->before);
    }
}

/* ---- put and drop */

static bool make_room(struct leat_job_set *set)
{
    size_t room = set->room ? set->room * 2 : 16;

    if (set->count < set->room)
        return true;
    struct leat_job_thread **shown = leat_mem_alloc(room * sizeof *shown);
    if (!shown)
        return false;
    leat_mem_free(set->shown);
    set->shown = shown;
    set->room = room;
    return true;
}

static enum leat_status add(struct leat_job_set *set, const struct leat_plan *plan,
                            struct leat_error *err)
{
    struct member *m = leat_mem_alloc(sizeof *m), **end = &set->members;

    if (!m || !make_room(set)) {
        leat_mem_free(m);
        return leat_fail(err, LEAT_E_NOMEM, "no memory for one more pipeline");
    }
    while (*end)
        end = &(*end)->next;
    *end = m;
    m->set = set;
    m->plan = plan;
    m->due = true;
    set->count++;
    return LEAT_OK;
}

enum leat_status leat_job_set_put(struct leat_job_set *set, const struct leat_plan *plan,
                                  struct leat_error *err)
{
    struct member *m = find(set, plan->spec->name);

    if (!m)
        return add(set, plan, err);
    m->gone = false;
    unused(set, &m->after);
    m->after = plan;
    if (m->job)
        ask_stop(m);
    else
        follow(m, false);
    return LEAT_OK;
}

void leat_job_set_drop(struct leat_job_set *set, struct leat_slice name)
{
    struct member *m = find(set, name);

    if (!m)
        return;
    m->gone = true;
    unused(set, &m->after);
    if (m->job)
        ask_stop(m);
    else
        remove_member(set, m);
}

/* ---- begin and end */

static const struct member *first_failed(const struct leat_job_set *set)
{
    const struct member *first = NULL;

    for (const struct member *m = set->members; m; m = m->next)
        if ((m->idle == LEAT_MEMBER_FAILED || m->idle == LEAT_MEMBER_WAITING) &&
            (!first || m->failed_as < first->failed_as))
            first = m;
    return first;
}

enum leat_status leat_job_set_run(struct leat_job_set *set, bool stays, struct leat_error *err)
{
    const struct member *first;

    set->stays = stays;
    if (set->options->until_ms)
        set->until_ms = leat_set_now_ms(set) + set->options->until_ms;
    leat_set_loop(set);
    if (!(first = first_failed(set)))
        return LEAT_OK;
    *err = first->error;
    return err->status;
}

enum leat_status leat_job_set_new(const struct leat_job_options *options,
                                  const struct leat_job_set_hooks *hooks, struct leat_job_set **set,
                                  struct leat_error *err)
{
    struct leat_job_set *s = leat_mem_alloc(sizeof *s);

    *set = s;
    if (!s)
        return leat_fail(err, LEAT_E_NOMEM, "no memory to run pipelines");
    s->options = options;
    s->hooks = *hooks;
    s->signal_fd = s->ended_fd = -1;
    return leat_set_open_fds(s, err);
}

void leat_job_set_free(struct leat_job_set *set)
{
    if (!set)
        return;
    while (set->members)
        remove_member(set, set->members);
    leat_mem_free(set->shown);
    if (set->signal_fd >= 0)
        close(set->signal_fd);
    if (set->ended_fd >= 0)
        close(set->ended_fd);
    if (set->signals_taken)
        pthread_sigmask(SIG_SETMASK, &set->signals_before, NULL);
    leat_mem_free(set);
}

/* ---- to look at */

static enum leat_member_state state_of(const struct member *m)
{
    if (!m->job)
        return m->due ? LEAT_MEMBER_STARTING : m->idle;
    if (m->stopping)
        return LEAT_MEMBER_STOPPING;
    return leat_job_is_ready(m->job) ? LEAT_MEMBER_RUNNING : LEAT_MEMBER_STARTING;
}

void leat_job_set_each(const struct leat_job_set *set,
                       void (*fn)(void *arg, const struct leat_member *m), void *arg)
{
    for (const struct member *m = set->members; m; m = m->next)
        fn(arg, &(struct leat_member){.name = name_of(m),
                                      .state = state_of(m),
                                      .failures = m->failures,
                                      .starts = m->starts,
                                      .why = m->error.text,
                                      .job = m->job});
}

bool leat_job_set_has_failed(const struct leat_job_set *set, struct leat_slice name)
{
    const struct member *m = find(set, name);

    return m && !m->job && !m->due &&
           (m->idle == LEAT_MEMBER_FAILED || m->idle == LEAT_MEMBER_WAITING);
}
