#include "run/job.h"

#include "base/mem.h"
#include "run/job_status.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define STATUS_EVERY_MS 1000
#define LOG_EVERY_MS    30000

struct runner {
    const struct leat_job_options *options;
    struct leat_job_thread **jobs;
    size_t count, started;
    int signal_fd, ended_fd;
    sigset_t before;
    bool blocked, stopping;
    size_t ended;
    struct leat_job_status status;
};

/* Thread: a job's */
static void job_ended(void *arg)
{
    eventfd_write(((struct runner *)arg)->ended_fd, 1);
}

static enum leat_status open_fds(struct runner *r, struct leat_error *err)
{
    sigset_t wanted;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &wanted, &r->before);
    r->blocked = true;
    r->signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (r->signal_fd < 0)
        return leat_fail(err, LEAT_E_IO, "signalfd: %s", strerror(errno));
    r->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->ended_fd < 0)
        return leat_fail(err, LEAT_E_IO, "eventfd: %s", strerror(errno));
    return LEAT_OK;
}

static void stop_all(struct runner *r)
{
    r->stopping = true;
    for (size_t i = 0; i < r->started; i++)
        leat_job_ask_stop(r->jobs[i]);
}

/* The first lets every batch end; nothing is lost by the second: what was not committed comes
 * again. */
static void take_signals(struct runner *r)
{
    struct signalfd_siginfo info;

    while (read(r->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (r->stopping)
            _exit(128 + (int)info.ssi_signo);
        stop_all(r);
    }
}

static void wait_for_jobs(struct runner *r)
{
    struct pollfd fds[] = {{.fd = r->signal_fd, .events = POLLIN},
                           {.fd = r->ended_fd, .events = POLLIN}};

    while (r->ended < r->started) {
        eventfd_t ended;
        if (poll(fds, 2, r->options->status ? STATUS_EVERY_MS : LOG_EVERY_MS) < 0 && errno != EINTR)
            stop_all(r);
        take_signals(r);
        if (eventfd_read(r->ended_fd, &ended) == 0)
            r->ended += ended;
        for (size_t i = 0; r->ended && !r->stopping && i < r->started; i++)
            if (leat_job_has_failed(r->jobs[i]))
                stop_all(r);
        leat_job_status_show(&r->status, r->options->status, r->jobs, r->started,
                             leat_clock_monotonic_ms(r->options->clock));
    }
    leat_job_status_end(&r->status, r->options->status);
}

/* The first that failed speaks. */
static enum leat_status join_all(struct runner *r, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    for (size_t i = 0; i < r->started; i++) {
        struct leat_error why;
        if (leat_job_join(r->jobs[i], &why) == LEAT_OK)
            continue;
        if (status == LEAT_OK)
            *err = why;
        status = err->status;
    }
    return status;
}

static enum leat_status start_all(struct runner *r, const struct leat_plan *const *plans,
                                  struct leat_error *err)
{
    for (; r->started < r->count; r->started++)
        if (leat_job_start(plans[r->started], r->options, job_ended, r, &r->jobs[r->started],
                           err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static void fini(struct runner *r)
{
    for (size_t i = 0; r->jobs && i < r->count; i++)
        leat_job_free(r->jobs[i]);
    leat_mem_free(r->jobs);
    if (r->signal_fd >= 0)
        close(r->signal_fd);
    if (r->ended_fd >= 0)
        close(r->ended_fd);
    if (r->blocked)
        pthread_sigmask(SIG_SETMASK, &r->before, NULL);
}

enum leat_status leat_job_run(const struct leat_plan *const *plans, size_t count,
                              const struct leat_job_options *options, struct leat_error *err)
{
    struct runner r = {.options = options, .count = count, .signal_fd = -1, .ended_fd = -1};
    struct leat_error ignored;
    enum leat_status status = LEAT_OK;

    r.jobs = leat_mem_alloc(count * sizeof(struct leat_job_thread *) + 1);
    if (!r.jobs)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for %zu jobs", count);
    status = open_fds(&r, err);
    if (status == LEAT_OK)
        status = start_all(&r, plans, err);
    if (status != LEAT_OK)
        stop_all(&r);
    wait_for_jobs(&r);
    if (join_all(&r, status == LEAT_OK ? err : &ignored) != LEAT_OK && status == LEAT_OK)
        status = err->status;
    fini(&r);
    return status;
}
